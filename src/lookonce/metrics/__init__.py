"""How good labels are: the papers' measures, ours, and their intervals."""
