"""Box annotations of four file formats, read and placed on the images they belong to."""
