"""Images to signed Mach-O files, and back."""
