"""Measurements of the emulator and the server: `make bench`."""
