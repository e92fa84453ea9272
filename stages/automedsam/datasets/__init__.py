"""Data sets as lists of raw scans, including the boxes drawn in annotation tools."""
