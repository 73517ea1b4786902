"""Training: recipes, the Lightning module and the run folder."""
