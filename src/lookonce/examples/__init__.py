"""The scan of `lookonce demo`: `lookonce synth spine OUT --seed 4 --contrast t2 --field-of-view lumbar`."""
