"""Reading and writing: NIfTI, BIDS data sets, and files that appear whole or not at all."""
