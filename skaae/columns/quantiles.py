"""Scaling of columns by their quantiles, so that each column has a standard normal distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from skaae.columns.scaling import Array, working_dtype

# Most points of a column's map.
MOST_KNOTS = 1000

# A column has a heavy tail if the middle 99 % of its values take more than so many times the room
# of its middle half, or if all take more than so many times this room. Normal numbers take 3.8
# times, exponential ones 4.8, and those whose logarithms have the standard deviation 1 9 times.
# Columns of few different values have no tail. If the middle half is a single value, as the 0 of
# amounts may be, it does not count: next to its many ranks those of the others would hardly differ.
MIDDLE = (0.5, 25.0, 75.0, 99.5)  # percentiles
HEAVY_TAIL, FAR_AWAY = 7.0, 50.0
FEWEST_VALUES = 20

# How far a column's map goes on beyond its values, where it is straight, in standard deviations.
BEYOND = 1e6


@dataclass(frozen=True)
class Knots:
    """The map of one column: points between which it is linear.

    Parameters
    ----------
    values, scores : the normal score of each value: that of the middle of its ranks.
    back_values, back_scores : the way back. A value that many rows have comes from all scores
        between its first and its last rank.
    variance : of the scores of the training rows.
    """

    values: np.ndarray
    scores: np.ndarray
    back_values: np.ndarray
    back_scores: np.ndarray
    variance: float = 0.0


@dataclass(frozen=True)
class QuantileScaling:
    """The map from values to normal scores, column by column.

    Values outside the range of the training rows get the score of its ends, and no score maps to a
    value outside this range. Columns that are not ranked have no such limits.
    """

    columns: Sequence[Knots]
    kind: str = "quantile"

    @property
    def variances(self) -> np.ndarray:
        """The variance of the scores of each column in the training rows."""
        return np.array([knots.variance for knots in self.columns])

    def spread(self, X: Array) -> float:
        """Return the mean squared distance of scaled rows from their mean."""
        return float(np.nansum(np.nanvar(self.transform(X), axis=0, dtype=np.float64)))

    def transform(self, X: Array) -> np.ndarray:
        """Return the scores of values, in the `working_dtype`; NaN stays NaN."""
        rows = X if isinstance(X, np.ndarray) else X.toarray()
        result = np.empty(rows.shape, dtype=working_dtype(rows.dtype))
        for column, knots in enumerate(self.columns):
            result[:, column] = np.interp(rows[:, column], knots.values, knots.scores)
        result[np.isnan(rows)] = np.nan  # with one knot, interp returns its score for NaN too
        return result

    def inverse_transform(self, X: np.ndarray) -> np.ndarray:
        """Return the values of scores, in the dtype of X."""
        result = np.empty_like(X)
        for column, knots in enumerate(self.columns):
            result[:, column] = np.interp(X[:, column], knots.back_scores, knots.back_values)
        return result


def fit_quantiles(X: np.ndarray, ranked: np.ndarray | None = None) -> QuantileScaling:
    """Return the scaling of training rows X (n_rows, n_columns) by their quantiles.

    If the columns to be `ranked` are given, a mask, the others get mean 0 and variance 1.
    """
    ranked = np.ones(X.shape[1], dtype=bool) if ranked is None else ranked
    return QuantileScaling(
        tuple(
            (fit_column if by_rank else straight)(values[~np.isnan(values)])
            for values, by_rank in zip(X.T, ranked, strict=True)
        )
    )


def heavy_tailed(X: np.ndarray) -> np.ndarray:
    """Return which columns of training rows X, (n_rows, n_columns), have a heavy tail."""
    found = np.zeros(X.shape[1], dtype=bool)
    for column, values in enumerate(X.T):
        known = values[~np.isnan(values)].astype(np.float64)
        if len(np.unique(known)) <= FEWEST_VALUES:
            continue
        low, first, third, high = np.percentile(known, MIDDLE)
        if first == third:
            known = known[known != first]
            low, first, third, high = np.percentile(known, MIDDLE)
        room = third - first
        found[column] = high - low > HEAVY_TAIL * room or np.ptp(known) > FAR_AWAY * room
    return found


def straight(known: np.ndarray) -> Knots:
    """Return the map of a column with these known values that gives them mean 0 and variance 1."""
    if not len(known):
        return fit_column(known)
    known = known.astype(np.float64)
    mean, deviation = known.mean(), known.std()
    if deviation == 0.0:
        return Knots(known[:1], np.zeros(1), known[:1], np.zeros(1), variance=1.0)
    far = BEYOND * deviation
    values = np.array([mean - far, known.min(), known.max(), mean + far])
    scores = (values - mean) / deviation
    return Knots(values, scores, values, scores, variance=1.0)


def fit_column(known: np.ndarray) -> Knots:
    """Return the map of a column with these known values, (n_values,)."""
    if not len(known):
        return Knots(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1))
    values, counts = np.unique(known.astype(np.float64), return_counts=True)
    last = np.cumsum(counts)
    first = last - counts
    scores = normal_score((first + last) / 2.0, len(known))
    variance = float(
        np.average(np.square(scores - np.average(scores, weights=counts)), weights=counts)
    )
    if len(values) > MOST_KNOTS:
        kept = np.unique(np.linspace(0, len(values) - 1, MOST_KNOTS).round().astype(int))
        values, scores = values[kept], scores[kept]
        counts, first, last = counts[kept], first[kept], last[kept]
    ends = np.stack([first, last], axis=1).astype(np.float64)
    alone = counts == 1
    ends[alone] = ((first + last) / 2.0)[alone, None]
    back_scores = normal_score(ends.ravel(), len(known))
    return Knots(values, scores, np.repeat(values, 2), back_scores, variance)


def normal_score(ranks: np.ndarray, n_values: int) -> np.ndarray:
    """Return the quantiles of the standard normal distribution at ranks between 0 and n_values."""
    return norm.ppf(np.clip(ranks / n_values, 0.5 / n_values, 1.0 - 0.5 / n_values))
