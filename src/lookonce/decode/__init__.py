"""From heat maps to named discs."""
