"""Scaling of numbers from the user's units to those of the networks, and back.

Tables are dense or sparse arrays. A sparse table becomes dense a block of rows at a time. NaN is a
missing value: it does not influence the scaling, and stays NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # a NumPy array, or a sparse array in CSR format

# Number of values that are computed with at once, which limits the memory of float64 copies.
BLOCK_SIZE = 1 << 20

# Largest scaled value. Networks read values beyond it, such as 1e30 standard deviations from the
# mean, as this value: float32 cannot hold their squares.
MOST_SCALED = 1e12
# Largest rounding error of a value, by dtype, in units of its precision. Those of float64 add up,
# since means and deviations are computed in it.
ROUNDING = {"float32": 2.0, "float64": 10.0}
# Below this variance, rounding to 0 makes squares wrong: they are computed in units of TINY_UNIT.
LEAST_VARIANCE, TINY_UNIT = 1e-250, 1e-150

# Limits of `looks_like_pixels`; steps and deviations are fractions of the table's largest value.
FEWEST_PIXELS = 16  # images of 4 x 4
SAME_LENGTH = 1e-4  # difference of row lengths that rounding explains
DARKEST = 1 / 10
TYPICAL_STEP = 1 / 8
SMALL_STEP, SMALL_STEP_SHARE = 1 / 25, 1 / 20
LEAST_BACKGROUND = 1 / 6
LEAST_COVARIANCE, LEAST_DEVIATION = 1 / 6, 1 / 12
LEAST_LIKENESS, MOST_COMPARED = 1 / 10, 2000  # of neighbours; rows that are compared


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

    def total_variance(self, X: Array) -> float:
        """Return the sum of the variances of the scaled columns."""
        return float(np.sum((_deviation(X, *mean_and_count(X)) / self.scale) ** 2))

    @property
    def is_identity(self) -> bool:
        """Whether scaling changes nothing."""
        return not self.center.any() and bool((self.scale == 1.0).all())

    def transform(self, X: Array) -> np.ndarray:
        """Return X scaled, in its `working_dtype`; return X itself if scaling changes nothing.

        Values beyond MOST_SCALED become this limit.
        """
        if self.is_identity and isinstance(X, np.ndarray) and X.dtype == working_dtype(X.dtype):
            return X if _within_limits(X) else X.clip(-MOST_SCALED, MOST_SCALED)
        with np.errstate(over="ignore"):
            return _by_blocks(
                lambda rows: ((rows - self.center) / self.scale).clip(-MOST_SCALED, MOST_SCALED), X
            )

    def inverse_transform(self, X: np.ndarray) -> np.ndarray:
        """Return scaled rows X in the user's units, in the dtype of X."""
        if self.is_identity:
            return X
        return _by_blocks(lambda rows: rows * self.scale + self.center, X)


def working_dtype(dtype: np.dtype) -> np.dtype:
    """Return float32 for a dtype whose values it represents exactly, else float64."""
    exact = dtype == np.float32 or np.can_cast(dtype, np.float32, "safe")
    return np.dtype(np.float32 if exact else np.float64)


def fit_scaling(X: Array, kind: str | None) -> Scaling:
    """Fit the scaling of training rows X (n_samples, n_features).

    "standard" gives each column mean 0 and variance 1; constant columns are only centred. None
    leaves X as it is.

    "range" maps the whole table to [0, 1] with one shift and one factor for all columns. In general
    the smallest value maps to 0 and the largest to 1. If the smallest value is at least 0 and less
    than half of the largest, 0 maps to 0 instead. If in this case the largest value is above 0.5
    and at most 1, values stay as they are.
    """
    if kind == "range":
        lowest, highest = known_range(X)
        low, high = 0.0, 1.0
        if not np.isnan(lowest).all():  # a column of gaps has no range
            low, high = float(np.nanmin(lowest)), float(np.nanmax(highest))
        # pixels in [0, 1] stay as they are, even if no training pixel has the value 1
        low = 0.0 if 0.0 <= low < 0.5 * high else low
        high = 1.0 if low == 0.0 and 0.5 < high <= 1.0 else high
        return Scaling("range", np.array(low), np.array(high - low or 1.0))
    if kind == "standard":
        mean, count = mean_and_count(X)
        deviation = _deviation(X, mean, count)
        # a deviation as small as rounding errors means that the column is constant
        dtype = working_dtype(X.dtype)
        floor = ROUNDING[dtype.name] * np.finfo(dtype).eps * np.abs(mean)
        return Scaling(
            "standard", mean, np.where(deviation > floor, deviation, np.maximum(floor, 1.0))
        )
    return Scaling("none", np.array(0.0), np.array(1.0))


def auto_kind(X: Array, *, bounded: bool = False, photos: bool = True) -> str:
    """Return the scaling that "auto" is for a table of numbers.

    It is "range" if the table looks like pixels (`looks_like_pixels`) or the loss needs values in
    [0, 1] (`bounded`), and "standard" otherwise. Without `photos`, only those images that are
    drawings count as images.
    """
    return "range" if bounded or looks_like_pixels(X, photos=photos) else "standard"


def looks_like_pixels(X: Array, *, photos: bool = True) -> bool:
    """Return whether the columns look like pixels, so that one factor suits all of them.

    Three conditions must hold:

    * There are at least 16 columns, and the smallest value is between 0 and a tenth of the largest.
    * Columns that change do so by similar amounts; see `_share_one_unit`.
    * The rows have a background, as drawings do, or get bright and dark as a whole, as photos do;
      see `_has_background` and `_has_light`. Tables of other measurements seldom do either.
      Without `photos`, only drawings count, and their neighbours must be alike; see `_has_shapes`.

    Rows that are all of the same length, as the normalised word counts of texts are, are no pixels.
    Nor is a sparse table, which is most often one of words.

    In doubt the answer is False, because "range" harms the training on other tables much, while
    "standard" harms the training on images little. The order of rows does not matter, and with
    `photos` that of columns does not either.
    """
    if not isinstance(X, np.ndarray):
        return False
    lowest, highest = column_range(X)
    low, top = float(lowest.min()), float(highest.max())
    if X.shape[1] < FEWEST_PIXELS or not 0.0 <= low <= DARKEST * top or has_gaps(X):
        return False
    deviation, variance, of_sums = _moments(X)
    changes = (lowest < highest) & (variance > 0.0)  # the tiniest numbers have squares of 0
    deviation, variance = deviation[changes], variance[changes]
    if not changes.any() or not _share_one_unit(deviation, variance, top):
        return False
    if _have_one_length(X):
        return False
    if not photos:
        return _has_background(X, low, top) and _has_shapes(X)
    return _has_background(X, low, top) or _has_light(deviation, variance, of_sums, top)


def _have_one_length(X: Array) -> bool:
    """Return whether all rows but those of zeros have one length, Euclidean or as a sum."""
    sums, squares = [], []
    for rows in blocks(X):
        rows = rows[rows.any(axis=1)].astype(float)
        sums.append(rows.sum(axis=1))
        squares.append(np.square(rows).sum(axis=1))
    lengths = (np.concatenate(sums), np.concatenate(squares))
    return any(np.ptp(found) <= SAME_LENGTH * found.mean() for found in lengths)


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


def _has_background(X: Array, low: float, top: float) -> bool:
    """Return whether a sixth of all values equal the smallest, `low`, or the largest, `top`."""
    ends = [sum(np.count_nonzero(rows == end) for rows in blocks(X)) for end in (low, top)]
    return bool(max(ends) >= LEAST_BACKGROUND * X.shape[0] * X.shape[1])


def _has_shapes(X: np.ndarray) -> bool:
    """Return whether neighbouring columns are more alike than others, as pixels of a shape are.

    Their mean correlation is at least 0.1 above that of all pairs of columns. Tables of flags or
    counts, which may have a background too, have no such order.
    """
    rows = X[:: 1 + len(X) // MOST_COMPARED].astype(float)
    deviation = rows.std(axis=0)
    changes = deviation > 0.0
    n_changing = int(changes.sum())
    pairs = changes[1:] & changes[:-1]
    if not pairs.any():
        return False
    scores = (rows - rows.mean(axis=0)) / np.where(changes, deviation, 1.0)
    near = (scores[:, 1:] * scores[:, :-1]).mean(axis=0)[pairs].mean()
    of_all = (scores.sum(axis=1).var() - n_changing) / (n_changing * (n_changing - 1))
    return bool(near - of_all >= LEAST_LIKENESS)


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


def _by_blocks(function: Callable[[np.ndarray], np.ndarray], X: Array) -> np.ndarray:
    """Return function(rows) for all rows, in the `working_dtype`; other copies are of a block."""
    result = np.empty(X.shape, dtype=working_dtype(X.dtype))
    start = 0
    for rows in blocks(X):
        result[start : start + len(rows)] = function(rows)
        start += len(rows)
    return result


def blocks(X: Array) -> Iterator[np.ndarray]:
    """Yield all rows, dense, in blocks of about BLOCK_SIZE values."""
    n_rows = max(1, BLOCK_SIZE // max(X.shape[1], 1))
    for start in range(0, X.shape[0], n_rows):
        rows = X[start : start + n_rows]
        yield rows if isinstance(rows, np.ndarray) else rows.toarray()


def has_gaps(X: Array) -> bool:
    """Return whether a value is missing (NaN)."""
    values = X if isinstance(X, np.ndarray) else X.data
    return values.dtype.kind == "f" and bool(np.isnan(values.min(initial=0.0)))


def column_range(X: Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and largest value of each column, 0 if all its values are missing."""
    lowest, highest = known_range(X)
    return np.nan_to_num(lowest), np.nan_to_num(highest)


def known_range(X: Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and largest known value of each column, NaN if all are missing."""
    if isinstance(X, np.ndarray):
        return np.fmin.reduce(X, axis=0), np.fmax.reduce(X, axis=0)
    lowest, highest = X.nanmin(axis=0), X.nanmax(axis=0)
    return lowest.toarray().ravel(), highest.toarray().ravel()


def mean_and_count(X: Array) -> tuple[np.ndarray, np.ndarray | int]:
    """Return the mean of each column, and the number of its values that are not missing."""
    if not has_gaps(X):
        return np.asarray(X.mean(axis=0, dtype=np.float64)).ravel(), X.shape[0]
    total, count = np.zeros(X.shape[1]), np.zeros(X.shape[1], dtype=np.int64)
    for rows in blocks(X):
        count += (~np.isnan(rows)).sum(axis=0)
        total += np.nansum(rows, axis=0, dtype=np.float64)
    count = np.maximum(count, 1)
    return total / count, count


def _within_limits(X: np.ndarray) -> bool:
    """Return whether no value of an array is beyond MOST_SCALED."""
    lowest = np.fmin.reduce(X, axis=None, initial=0.0)
    highest = np.fmax.reduce(X, axis=None, initial=0.0)
    return bool(max(-lowest, highest) <= MOST_SCALED)


def _deviation(X: Array, mean: np.ndarray, count: np.ndarray | int) -> np.ndarray:
    """Return the standard deviation of the `count` values of each column around `mean`."""
    variance = _variance(X, mean, count)
    deviation, tiny = np.sqrt(variance), np.flatnonzero(variance < LEAST_VARIANCE)
    if len(tiny):
        some = count[tiny] if isinstance(count, np.ndarray) else count
        variance = _variance(X, mean[tiny], some, columns=tiny, unit=TINY_UNIT)
        deviation[tiny] = np.sqrt(variance) * TINY_UNIT
    return deviation


def _variance(
    X: Array,
    mean: np.ndarray,
    count: np.ndarray | int,
    *,
    columns: Any = slice(None),
    unit: float = 1.0,
) -> np.ndarray:
    """Return the variance of the `count` values of some columns around their `mean`, in a unit."""
    total, gaps = np.zeros_like(mean), np.ndim(count) > 0
    for rows in blocks(X):
        difference = rows[:, columns] - mean
        if unit != 1.0:
            difference /= unit
        if gaps:
            np.nan_to_num(difference, copy=False)
        total += np.einsum("ij,ij->j", difference, difference)
    return total / count


def _moments(X: Array) -> tuple[np.ndarray, np.ndarray, float]:
    """Return mean absolute deviation and variance of each column, and the variance of row sums."""
    n_rows = X.shape[0]
    mean, _ = mean_and_count(X)
    absolute, squared, of_sums = np.zeros_like(mean), np.zeros_like(mean), 0.0
    for rows in blocks(X):
        difference = rows - mean
        squared += np.einsum("ij,ij->j", difference, difference)
        of_sums += float(np.sum(difference.sum(axis=1) ** 2))
        absolute += np.abs(difference, out=difference).sum(axis=0)
    return absolute / n_rows, squared / n_rows, of_sums / n_rows
