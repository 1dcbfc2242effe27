"""The system calls of macOS."""
