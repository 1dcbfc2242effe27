"""Object files to an image."""
