"""Whole studies: which scans there are and how far they are, who labels them, and what they say together."""
