"""TODO backbone"""
