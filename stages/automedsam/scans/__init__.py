"""Image files of all formats as 8-bit slices, and masks written in the geometry of their scans."""
