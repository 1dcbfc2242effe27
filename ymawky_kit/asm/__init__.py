"""Text to object files."""
