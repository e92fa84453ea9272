"""TODO supervision"""
