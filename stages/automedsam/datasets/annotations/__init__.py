"""TODO datasets.annotations"""
