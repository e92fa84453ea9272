"""Infrastructure that needs no images: parameters, paths, files, downloads, devices and errors."""
