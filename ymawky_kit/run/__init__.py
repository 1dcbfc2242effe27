"""Programs as processes, native or emulated."""
