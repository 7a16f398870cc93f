"""Domain files."""
