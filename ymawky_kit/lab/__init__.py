"""The notebooks' workshop."""
