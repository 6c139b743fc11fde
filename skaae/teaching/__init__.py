"""Classifiers that teach the network: what a few labels say about the other rows."""
