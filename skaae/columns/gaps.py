"""Gaps (missing values) in the rows that networks see: what stands for them, and what they tell.

A gap counts as what the known values of its row lead to expect, as if all columns together had a
normal distribution. So rows with gaps lie where they would without them, as well as a linear rule
can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from skaae.columns.layout import Layout

# Expected values need a matrix of all pairs of entries. With more entries they are the means.
MOST_ENTRIES = 1000
# Rows and values that show how entries are related.
MOST_ROWS, MOST_VALUES = 10_000, 2_000_000
# The covariance of entries shrinks by one of these shares towards that of unrelated ones. Some
# known values are hidden, and the share counts that fills them best.
SHARES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
HIDDEN = 0.1
SEED = 151_105_644  # a user's own gaps should not come from the same random numbers
# Steps of conjugate gradients. More of them do not bring filled values nearer to the true ones.
N_STEPS = 8
TINY = 1e-30
# Gaps in a column come by chance, unless so unlikely a correlation with other entries says no.
LEAST_PROBABILITY = 0.001


@dataclass(frozen=True)
class Expectation:
    """What stands for the gaps of a row: expected values, given the known ones.

    Parameters
    ----------
    mean, deviation : of each entry, (n_entries,); the deviation is that from its expected value.
    precision : inverse of the covariance of the entries, with ones on its diagonal, (n_entries,
        n_entries).
    """

    mean: np.ndarray
    deviation: np.ndarray
    precision: np.ndarray

    def fill(self, x: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Return rows x (n_rows, n_entries) with expected values where `missing` is True."""
        which = missing.any(axis=1)
        parts = [part.astype(x.dtype) for part in (self.mean, self.deviation, self.precision)]
        rows, gaps = np.where(missing[which], 0, x[which]), missing[which].astype(x.dtype)
        filled = x.copy()
        filled[which] = expected(rows, gaps, *parts)
        return filled


def expected(x: Any, missing: Any, mean: Any, deviation: Any, precision: Any) -> Any:
    """Return rows x (n_rows, n_entries) with expected values where `missing` is 1, and not 0.

    All arguments are arrays, or all are tensors; see `Expectation`. Values of x that are missing
    may be any finite numbers.
    """
    z = standardized_gaps((x - mean) / deviation * (1.0 - missing), missing, precision)
    return x * (1.0 - missing) + (mean + deviation * z) * missing


def standardized_gaps(z: Any, missing: Any, precision: Any) -> Any:
    """Return rows z (n_rows, n_entries) with expected values where they are missing, and 0.

    The expected values of a row solve a linear system. Its matrix is the part of `precision` that
    belongs to missing values. Conjugate gradients solve the systems of all rows at once.
    """
    residual = -(z @ precision) * missing
    direction, square = residual, (residual * residual).sum(1, keepdims=True)
    for _ in range(N_STEPS):
        change = (direction @ precision) * missing
        length = square / ((direction * change).sum(1, keepdims=True) + TINY)
        z = z + length * direction
        residual = residual - length * change
        last, square = square, (residual * residual).sum(1, keepdims=True)
        direction = residual + square / (last + TINY) * direction
    return z


def fit_expectation(x: np.ndarray, missing: np.ndarray) -> Expectation:
    """Learn from rows x (n_rows, n_entries) what to expect where values are missing."""
    x, known = np.where(missing, 0.0, x).astype(np.float64), ~missing
    count = known.sum(axis=0).clip(min=1)
    mean = x.sum(axis=0) / count
    z = np.where(known, x - mean, 0.0)
    deviation = np.sqrt(np.square(z).sum(axis=0) / count)
    deviation[deviation == 0.0] = 1.0
    z /= deviation
    hidden = known & (np.random.default_rng(SEED).random(x.shape) < HIDDEN)
    spectrum = np.linalg.eigh(covariance(z, known & ~hidden))
    gaps, errors = (missing | hidden).astype(np.float64), []
    for share in SHARES:
        precision, scale = inverse(*spectrum, share)
        found = scale * standardized_gaps(z / scale * (1.0 - gaps), gaps, precision)
        errors.append(np.square((found - z)[hidden]).sum())
    best = SHARES[int(np.argmin(errors))]
    precision, scale = inverse(*np.linalg.eigh(covariance(z, known)), best)
    # float32 is precise enough, and the matrix is saved with the model
    return Expectation(mean, deviation * scale, precision.astype(np.float32))


def covariance(z: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the mean products of the entries of rows z, each over rows where both are known."""
    z, known = np.where(known, z, 0.0), known.astype(np.float64)
    return (z.T @ z) / (known.T @ known).clip(min=1.0)


def inverse(values: np.ndarray, vectors: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the inverse of a covariance that shrinks by a share, with ones on its diagonal.

    The arguments are eigenvalues and eigenvectors of the covariance. The units in which its
    diagonal is 1 are returned too.
    """
    found = (vectors / ((1.0 - share) * values.clip(min=0.0) + share)) @ vectors.T
    scale = 1.0 / np.sqrt(np.diag(found))
    return found * scale[:, None] * scale, scale


def without_chance_gaps(x: np.ndarray, layout: Layout) -> np.ndarray:
    """Return rows of networks (n_rows, n_inputs) without the indicators that tell nothing.

    Indicators of gaps that come by chance would only add to the distances between rows. An
    indicator stays if it is correlated with an entry of another column, or with another indicator.
    """
    if not layout.gaps or len(x) < 2:
        return x
    centred = x - x.mean(axis=0, dtype=np.float64)
    sizes = np.sqrt(np.square(centred).sum(axis=0))
    centred /= np.where(sizes > 0.0, sizes, 1.0)
    n_entries = layout.n_outputs
    correlations = np.abs(centred[:, n_entries:].T @ centred)
    for place, column in enumerate(layout.gaps):
        correlations[place, layout.entries(column)] = 0.0
        correlations[place, n_entries + place] = 0.0
    least = norm.isf(0.5 * LEAST_PROBABILITY / correlations.size) / np.sqrt(len(x))
    tells = correlations.max(axis=1) > least
    return x[:, np.append(np.ones(n_entries, dtype=bool), tells)]
