"""A processor and its memory."""
