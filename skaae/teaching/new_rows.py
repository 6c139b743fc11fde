"""Made-up rows for teachers to label, where a table has few rows for its columns."""

from __future__ import annotations

import numpy as np

# With fewer rows than these for each input, a network follows its teachers on these rows alone.
ROWS_PER_INPUT = 2
# Then there are new ones: in all, as many rows as inputs, within these limits.
LEAST_ROWS, MOST_ROWS = 400, 1000
# This part of a made-up number's variance is its own. The rest goes with the other numbers.
OWN = 0.5


def count_new_rows(n_rows: int, n_inputs: int) -> int:
    """Return how many rows to add to n_rows of a table."""
    if n_rows >= ROWS_PER_INPUT * n_inputs:
        return 0
    return max(0, min(max(n_inputs, LEAST_ROWS), MOST_ROWS) - n_rows)


def new_rows(
    x: np.ndarray, n_numbers: int, indicators: list[int], n_rows: int, seed: int
) -> np.ndarray:
    """Return made-up rows (n_rows, n_inputs), like the rows x (n, n_inputs) that networks see.

    The first entries of a row are n_numbers numbers. Each made-up number has the mean and the
    variance of its column, and about half of its correlations with other numbers: few rows say
    little of these. The other entries are those of a row of x, drawn at random. But no number is a
    gap, so their `indicators` are 0.
    """
    rng = np.random.default_rng(seed)
    found = x[rng.integers(len(x), size=n_rows)]
    numbers = x[:, :n_numbers]
    mean = numbers.mean(axis=0)
    together = rng.normal(size=(n_rows, len(x))) @ (numbers - mean) / np.sqrt(len(x))
    places = rng.integers(len(x), size=(n_rows, n_numbers))
    alone = np.take_along_axis(numbers, places, axis=0) - mean
    found[:, :n_numbers] = mean + np.sqrt(1.0 - OWN) * together + np.sqrt(OWN) * alone
    found[:, indicators] = 0.0
    return found
