"""Image encoders: their architectures, and faster modules that compute the same."""
