"""Training data: sagittal pictures with truth, from BIDS trees, prepared sets and the simulator."""
