"""Input scaling: raw columns to the units that the networks see, and back. NumPy only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

# Values that are scaled at once: X itself is copied once, a block may take more.
BLOCK_SIZE = 1 << 20


@dataclass(frozen=True)
class Scaling:
    """The map x -> (x - center) / scale.

    Parameters
    ----------
    kind : "standard", "range" or "none"
    center, scale : float64 arrays of shape (n_features,), or () for "range" and "none"
    """

    kind: str
    center: np.ndarray
    scale: np.ndarray

    def spread(self, X: np.ndarray) -> float:
        """Return the mean squared distance of scaled rows from their mean."""
        variance = _variance(X, X.mean(axis=0, dtype=np.float64))
        return float(np.sum(variance / self.scale**2))

    @property
    def is_identity(self) -> bool:
        """Whether scaled rows are the rows themselves."""
        return not self.center.any() and bool((self.scale == 1.0).all())

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return X in the networks' units, in X's dtype; X itself where nothing changes."""
        if self.is_identity:
            return X
        return _by_blocks(lambda rows: (rows - self.center) / self.scale, X)

    def inverse_transform(self, X: np.ndarray) -> np.ndarray:
        """Return scaled rows in the user's units, in X's dtype; X itself where nothing changes."""
        if self.is_identity:
            return X
        return _by_blocks(lambda rows: rows * self.scale + self.center, X)


@dataclass(frozen=True)
class ScaledRows:
    """Rows that are scaled as they are sliced: no second table of all of them."""

    X: np.ndarray
    scaling: Scaling

    @property
    def dtype(self) -> np.dtype:
        """The dtype of X, which scaling keeps."""
        return self.X.dtype

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.scaling.transform(self.X[rows])


def fit_scaling(X: np.ndarray, kind: str | None, *, bounded: bool = False) -> Scaling:
    """Choose and fit the scaling of training rows X (n_samples, n_features).

    "standard" gives each column mean 0 and variance 1 (constant columns are centred only). "range"
    maps the whole table to [0, 1] with one factor for all columns, as suits pixels: its largest
    value to 1 and its smallest to 0, but a range that starts near 0 from 0, and values that lie
    in [0, 1] and reach above 0.5 as they are. "auto" is "range" where `looks_like_pixels` or where
    the loss needs values in [0, 1] (`bounded`), "standard" elsewhere.
    """
    if kind == "auto":
        kind = "range" if bounded or looks_like_pixels(X) else "standard"
    if kind == "range":
        low, high = float(X.min()), float(X.max())
        # pixels in [0, 1] stay as they are, also if no training pixel is quite white
        low = 0.0 if 0.0 <= low < 0.5 * high else low
        high = 1.0 if low == 0.0 and 0.5 < high <= 1.0 else high
        return Scaling("range", np.array(low), np.array(high - low or 1.0))
    if kind == "standard":
        mean = X.mean(axis=0, dtype=np.float64)
        deviation = np.sqrt(_variance(X, mean))
        # deviations at rounding level belong to constant columns: there is nothing to divide by
        floor = 10.0 * np.finfo(X.dtype).eps * np.maximum(np.abs(mean), 1e-30)
        return Scaling("standard", mean, np.where(deviation > floor, deviation, 1.0))
    return Scaling("none", np.array(0.0), np.array(1.0))


def looks_like_pixels(X: np.ndarray) -> bool:
    """Say whether the columns share one unit that starts at 0, as pixels and shares do.

    That is: no value is negative, at least half of the columns come within a tenth of the common
    maximum of 0, and at least half reach more than half of that maximum.
    """
    lowest, highest = X.min(axis=0), X.max(axis=0)
    top = highest.max()
    if lowest.min() < 0.0 or top <= 0.0:
        return False
    return bool(np.mean(lowest <= 0.1 * top) >= 0.5 and np.mean(highest > 0.5 * top) >= 0.5)


def _by_blocks(function: Callable[[np.ndarray], np.ndarray], X: np.ndarray) -> np.ndarray:
    """Return function(rows) for all rows in X's dtype; only a block at a time is in float64."""
    result = np.empty(X.shape, dtype=X.dtype)
    for rows in _blocks(X):
        result[rows] = function(X[rows])
    return result


def _blocks(X: np.ndarray) -> Iterator[slice]:
    """Yield slices of rows with about BLOCK_SIZE values each."""
    n_rows = max(1, BLOCK_SIZE // max(X.shape[1], 1))
    for start in range(0, len(X), n_rows):
        yield slice(start, start + n_rows)


def _variance(X: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the variance of each column around `mean`, in blocks of rows."""
    total = np.zeros_like(mean)
    for rows in _blocks(X):
        difference = X[rows] - mean
        total += np.einsum("ij,ij->j", difference, difference)
    return total / len(X)
