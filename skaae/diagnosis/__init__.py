"""Says whether a fitted estimator has trained well: checks, each with its number and advice."""
