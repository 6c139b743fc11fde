"""Scaling of columns by their quantiles, and of columns with a few values that are far away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

# If columns are not ranked, values that are far away get this room on either side, in standard
# deviations. They are at most this share of the values, or a single one: more may be a group.
ROOM_OF_FAR, MOST_FAR = 1.0, 0.005

# Of more values, about so many give the percentiles.
MOST_SORTED = 20_000

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
    """The map from values to scores, column by column.

    Values outside the range of the training rows get the score of its ends, and no score maps to a
    value outside this range. Columns whose map is one straight line have no such limits.
    """

    columns: Sequence[Knots]

    @property
    def kind(self) -> str:
        """The name of the scaling: "quantile" if a column is ranked, otherwise "standard"."""
        # each of their values has two ranks on the way back, the first and the last
        ranked = [len(knots.back_values) == 2 * len(knots.values) for knots in self.columns]
        return "quantile" if any(ranked) or not ranked else "standard"

    @property
    def variances(self) -> np.ndarray:
        """The variance of the scores of each column in the training rows."""
        return np.array([knots.variance for knots in self.columns])

    def total_variance(self, X: Array) -> float:
        """Return the sum of the variances of the scaled columns."""
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


def fit_quantiles(X: np.ndarray) -> QuantileScaling:
    """Return the scaling of training rows X (n_rows, n_columns) by their quantiles."""
    return fit_columns(X, [fit_column] * X.shape[1])


def fit_far_values(X: np.ndarray, *, ranks_tails: bool) -> QuantileScaling | None:
    """Return the scaling that brings a few values that are far away near, or None if none is.

    The other values of each column get mean 0 and variance 1. With `ranks_tails`, columns with a
    heavy tail are ranked.
    """
    maps = [map_for(known, ranks_tails=ranks_tails) for known in values_of(X)]
    return None if set(maps) <= {straight} else fit_columns(X, maps)


def map_for(known: np.ndarray, *, ranks_tails: bool) -> Callable[[np.ndarray], Knots]:
    """Return the function that finds the map of a column with these known values."""
    if ranks_tails and has_heavy_tail(known):
        return fit_column
    return straight_but_far if are_far(known).any() else straight


def fit_columns(X: np.ndarray, maps: Sequence[Callable[[np.ndarray], Knots]]) -> QuantileScaling:
    """Return the scaling by maps that functions find from the known values of each column."""
    found = zip(maps, values_of(X), strict=True)
    return QuantileScaling(tuple(fit(known) for fit, known in found))


def values_of(X: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the known values of each column."""
    for values in X.T:
        yield values[~np.isnan(values)].astype(np.float64)


def has_heavy_tail(known: np.ndarray) -> bool:
    """Return whether a column with these known values has a heavy tail."""
    some = sample_of(known)
    if len(np.unique(some)) <= FEWEST_VALUES:
        return False
    low, first, third, high = middle_of(some)
    room = third - first
    return bool(high - low > HEAVY_TAIL * room or np.ptp(known) > FAR_AWAY * room)


def are_far(known: np.ndarray) -> np.ndarray:
    """Return which of a column's known values are a few that are far from its middle half."""
    some = sample_of(known)
    if len(np.unique(some)) <= 2:
        return np.zeros(len(known), dtype=bool)
    _, first, third, _ = middle_of(some)
    room = FAR_AWAY * (third - first)
    far = (known < first - room) | (known > third + room)
    return far & (far.sum() <= max(1.0, MOST_FAR * len(known)))


def sample_of(known: np.ndarray) -> np.ndarray:
    """Return about MOST_SORTED evenly spaced ones of a column's known values, or all if few."""
    return known[:: 1 + len(known) // MOST_SORTED]


def middle_of(known: np.ndarray) -> np.ndarray:
    """Return the percentiles MIDDLE, (4,), of known values; a value of half of them is left out."""
    found = np.percentile(known, MIDDLE)
    return np.percentile(known[known != found[1]], MIDDLE) if found[1] == found[2] else found


def straight_but_far(known: np.ndarray) -> Knots:
    """Return the map of a column that is straight, but for its few values that are far away.

    On the way back, a score must be well beyond those of the other values to become a far value:
    the networks' outputs are not exact.
    """
    far = are_far(known)
    others, least, most = known[~far], known.min(), known.max()
    mean, deviation = others.mean(), others.std()
    if deviation == 0.0:  # tiny numbers have squares of 0
        return straight(known)
    values = [others.min(), others.max()]
    scores = [(end - mean) / deviation for end in values]
    back_values, back_scores = values.copy(), scores.copy()
    if most > values[-1]:
        back_values += [values[-1], most]
        back_scores += [scores[-1] + ROOM_OF_FAR / 2.0, scores[-1] + ROOM_OF_FAR]
        values, scores = [*values, most], [*scores, back_scores[-1]]
    if least < values[0]:
        back_values[:0] = [least, values[0]]
        back_scores[:0] = [scores[0] - ROOM_OF_FAR, scores[0] - ROOM_OF_FAR / 2.0]
        values, scores = [least, *values], [back_scores[0], *scores]
    forth, back = np.array([values, scores]), np.array([back_values, back_scores])
    return Knots(forth[0], forth[1], back[0], back[1], variance=1.0)


def straight(known: np.ndarray) -> Knots:
    """Return the map of a column with these known values that gives them mean 0 and variance 1."""
    if not len(known):
        return fit_column(known)
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
    values, counts = np.unique(known, return_counts=True)
    last = np.cumsum(counts)
    first = last - counts
    scores = normal_score((first + last) / 2.0, len(known))
    variance = float(
        np.average(np.square(scores - np.average(scores, weights=counts)), weights=counts)
    )
    if len(values) > MOST_KNOTS:
        spaced = np.linspace(0, len(values) - 1, MOST_KNOTS).round().astype(int)
        frequent = np.flatnonzero(counts > len(known) / MOST_KNOTS)
        kept = np.union1d(spaced, frequent)
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
