"""What several test files share: one module per concern, imported as `support.NAME`."""
