"""Scaling of rows from the user's units to those of the networks, and back, with NumPy only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

# Number of values that are computed with at once, which limits the memory of float64 copies.
BLOCK_SIZE = 1 << 20

# Limits of `looks_like_pixels`; steps and deviations are fractions of the table's largest value.
FEWEST_PIXELS = 16  # images of 4 x 4
DARKEST = 1 / 10
TYPICAL_STEP = 1 / 8
SMALL_STEP, SMALL_STEP_SHARE = 1 / 25, 1 / 20
LEAST_BACKGROUND = 1 / 6
LEAST_COVARIANCE, LEAST_DEVIATION = 1 / 6, 1 / 12


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
        """Whether scaling changes nothing."""
        return not self.center.any() and bool((self.scale == 1.0).all())

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return X scaled, in the dtype of X; return X itself if scaling changes nothing."""
        if self.is_identity:
            return X
        return _by_blocks(lambda rows: (rows - self.center) / self.scale, X)

    def inverse_transform(self, X: np.ndarray) -> np.ndarray:
        """Return scaled rows X in the user's units, in the dtype of X."""
        if self.is_identity:
            return X
        return _by_blocks(lambda rows: rows * self.scale + self.center, X)


@dataclass(frozen=True)
class ScaledRows:
    """Rows that are scaled only when they are sliced, so no scaled copy of X takes memory."""

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

    "standard" gives each column mean 0 and variance 1; constant columns are only centred. "auto" is
    "range" if the table looks like pixels (`looks_like_pixels`) or the loss needs values in [0, 1]
    (`bounded`), and "standard" otherwise. None leaves X as it is.

    "range" maps the whole table to [0, 1] with one shift and one factor for all columns. In general
    the smallest value maps to 0 and the largest to 1. If the smallest value is at least 0 and less
    than half of the largest, 0 maps to 0 instead. If in this case the largest value is above 0.5
    and at most 1, values stay as they are.
    """
    if kind == "auto":
        kind = "range" if bounded or looks_like_pixels(X) else "standard"
    if kind == "range":
        low, high = float(X.min()), float(X.max())
        # pixels in [0, 1] stay as they are, even if no training pixel has the value 1
        low = 0.0 if 0.0 <= low < 0.5 * high else low
        high = 1.0 if low == 0.0 and 0.5 < high <= 1.0 else high
        return Scaling("range", np.array(low), np.array(high - low or 1.0))
    if kind == "standard":
        mean = X.mean(axis=0, dtype=np.float64)
        deviation = np.sqrt(_variance(X, mean))
        # a deviation as small as rounding errors means that the column is constant
        floor = 10.0 * np.finfo(X.dtype).eps * np.maximum(np.abs(mean), 1e-30)
        return Scaling("standard", mean, np.where(deviation > floor, deviation, 1.0))
    return Scaling("none", np.array(0.0), np.array(1.0))


def looks_like_pixels(X: np.ndarray) -> bool:
    """Return whether the columns look like pixels, so that one factor suits all of them.

    Three conditions must hold:

    * There are at least 16 columns, and the smallest value is between 0 and a tenth of the largest.
    * Columns that change do so by similar amounts; see `_share_one_unit`.
    * The rows have a background, as drawings do, or get bright and dark as a whole, as photos do;
      see `_has_background` and `_has_light`. Tables of other measurements seldom do either.

    In doubt the answer is False, because "range" harms the training on other tables much, while
    "standard" harms the training on images little. The order of rows and columns does not matter.
    """
    lowest, highest = X.min(axis=0), X.max(axis=0)
    low, top = float(lowest.min()), float(highest.max())
    if X.shape[1] < FEWEST_PIXELS or not 0.0 <= low <= DARKEST * top:
        return False
    deviation, variance, of_sums = _moments(X)
    changes = (lowest < highest) & (variance > 0.0)  # the tiniest numbers have squares of 0
    deviation, variance = deviation[changes], variance[changes]
    if not changes.any() or not _share_one_unit(deviation, variance, top):
        return False
    return _has_background(X, low, top) or _has_light(deviation, variance, of_sums, top)


def _share_one_unit(deviation: np.ndarray, variance: np.ndarray, top: float) -> bool:
    """Return whether columns with these mean absolute deviations and variances share one unit.

    With one factor for all columns, a column of small changes hardly counts: a 0/1 flag beside
    percentages, for example. Pixels near the border of images have small variances too, but only
    because they seldom change: their changes are as large as those of other pixels. So each column
    is described by two numbers:

    * step, the size of a change: variance / mean absolute deviation. It is 1/2 for a flag, however
      rare, and about 1.25 standard deviations for a normal distribution.
    * activity, how often the value changes: mean absolute deviation / step, between 0 and 1.

    Two conditions must hold. The mean step, weighted by activity, is at least 1/8 of the largest
    value `top`. If it is less, as for counts of rare events, one factor maps most rows into a small
    part of [0, 1]. Columns with steps below 1/25 of `top` have at most 1/20 of all activity.
    """
    step = variance / deviation
    activity = deviation / step
    mean_step = deviation.sum() / activity.sum()  # step times activity is the deviation
    small = activity[step < SMALL_STEP * top].sum()
    return bool(mean_step >= TYPICAL_STEP * top and small <= SMALL_STEP_SHARE * activity.sum())


def _has_background(X: np.ndarray, low: float, top: float) -> bool:
    """Return whether a sixth of all values equal the smallest, `low`, or the largest, `top`."""
    ends = [sum(np.count_nonzero(X[rows] == end) for rows in _blocks(X)) for end in (low, top)]
    return bool(max(ends) >= LEAST_BACKGROUND * X.size)


def _has_light(deviation: np.ndarray, variance: np.ndarray, of_sums: float, top: float) -> bool:
    """Return whether all columns rise and fall together, and by much, as with the light of photos.

    The mean covariance of two columns must be at least a sixth of the mean variance. The mean
    absolute deviation must be at least a twelfth of the largest value `top`. Monthly incomes meet
    only the first condition: most are small compared to the largest. `of_sums` is the variance of
    the rows' sums, which gives the mean covariance.
    """
    n_columns = len(variance)
    covariances = of_sums - variance.sum()  # the sum over all ordered pairs of columns
    return bool(
        n_columns > 1
        and covariances >= LEAST_COVARIANCE * (n_columns - 1) * variance.sum()
        and deviation.mean() >= LEAST_DEVIATION * top
    )


def _by_blocks(function: Callable[[np.ndarray], np.ndarray], X: np.ndarray) -> np.ndarray:
    """Return function(rows) for all rows, in the dtype of X; float64 copies are made by block."""
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
    """Return the variance of each column around `mean`, computed in blocks of rows."""
    total = np.zeros_like(mean)
    for rows in _blocks(X):
        difference = X[rows] - mean
        total += np.einsum("ij,ij->j", difference, difference)
    return total / len(X)


def _moments(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return mean absolute deviation and variance of each column, and the variance of row sums."""
    mean = X.mean(axis=0, dtype=np.float64)
    absolute, squared, of_sums = np.zeros_like(mean), np.zeros_like(mean), 0.0
    for rows in _blocks(X):
        difference = X[rows] - mean
        squared += np.einsum("ij,ij->j", difference, difference)
        of_sums += float(np.sum(difference.sum(axis=1) ** 2))
        absolute += np.abs(difference, out=difference).sum(axis=0)
    return absolute / len(X), squared / len(X), of_sums / len(X)
