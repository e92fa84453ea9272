"""TODO figures"""
