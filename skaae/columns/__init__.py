"""Scaling of the columns of X for the networks, and back."""
