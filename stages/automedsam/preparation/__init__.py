"""TODO preparation"""
