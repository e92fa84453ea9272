"""TODO scans"""
