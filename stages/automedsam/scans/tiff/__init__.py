"""TIFF files of all kinds as stacks of their pages."""
