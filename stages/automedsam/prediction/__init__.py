"""TODO prediction"""
