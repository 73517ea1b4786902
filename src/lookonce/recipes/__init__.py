"""Shipped training recipes (YAML) and pinned subject lists (`splits/`)."""
