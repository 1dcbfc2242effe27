"""What a program looks like."""
