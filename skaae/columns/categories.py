"""Categories of columns as one-hot blocks, and back. Rare categories share an entry."""

from __future__ import annotations

import numbers
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.preprocessing import OrdinalEncoder

GAP, UNKNOWN = -1, -2  # in place of a category's index
# New categories are no surprise in a column where more of the training rows had rare ones.
MOSTLY_RARE = 0.5


@dataclass(frozen=True)
class Categories:
    """The categories of some columns, and the index of each category.

    Parameters
    ----------
    values : for each column the categories of each index: one, or for the last index all rare ones.
    shares : for each column and index the shares of these categories among its rows.
    frequencies : for each column the frequency of each index among rows without a gap.
    """

    values: tuple[tuple[np.ndarray, ...], ...]
    shares: tuple[tuple[np.ndarray, ...], ...]
    frequencies: tuple[np.ndarray, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of entries of each column's block."""
        return tuple(len(found) for found in self.values)

    def known(self) -> list[list[Any]]:
        """Return all categories of each column."""
        return [[value for group in groups for value in group.tolist()] for groups in self.values]

    def indices(self, X: np.ndarray) -> np.ndarray:
        """Return the index of each entry of X (n_rows, n_columns), or GAP or UNKNOWN.

        A category that was not in the training rows gets the index of the rare categories, if there
        are any, else UNKNOWN.
        """
        found = np.empty(X.shape, dtype=np.int64)
        for column, values in enumerate(self.values):
            index = {value: i for i, group in enumerate(values) for value in group.tolist()}
            default = len(values) - 1 if len(values) and len(values[-1]) > 1 else UNKNOWN
            given = as_known(X[:, column].tolist(), index)
            found[:, column] = [index.get(value, default) for value in given]
        found[is_gap(X)] = GAP
        return found

    def require_same_types(self, X: np.ndarray, names: list[object]) -> None:
        """Raise ValueError if values of a column of X can equal none of its categories.

        So it is where the values are text and the categories are not, or the other way round.
        """
        for column, (name, categories) in enumerate(zip(names, self.known(), strict=True)):
            known = dict.fromkeys(categories)
            # in the order of the rows
            values = dict.fromkeys(as_known(X[:, column].tolist(), known))
            strange = [value for value in values if value not in known and value == value]
            if not known or not strange:
                continue
            examples = list({type(value): value for value in known}.values())
            for value in strange:
                if any(are_comparable(value, one) for one in examples):
                    continue
                raise ValueError(
                    f"column {name!r} holds {value!r} of type {type(value).__name__}, but its "
                    f"categories in the training rows are of type {type(examples[0]).__name__}, "
                    f"such as {examples[0]!r}, so the two are never equal; convert the column, for "
                    "instance with astype, or fit again."
                )

    def columns_without_known(self, X: np.ndarray) -> list[int]:
        """Return the columns of X that have values, but none that the training rows had.

        Columns of ids and the like, where most training rows had rare categories, do not count.
        """
        found = []
        for column, categories in enumerate(self.known()):
            known = dict.fromkeys(categories)
            values = as_known(X[~is_gap(X[:, column]), column].tolist(), known)
            expected = self.share_of_rare(column) > MOSTLY_RARE
            if values and known and not expected and known.keys().isdisjoint(values):
                found.append(column)
        return found

    def share_of_rare(self, column: int) -> float:
        """Return the share of rows with rare categories, which share an entry, in a column."""
        groups = self.values[column]
        has_rare = len(groups) > 0 and len(groups[-1]) > 1
        return float(self.frequencies[column][-1]) if has_rare else 0.0

    def one_hot(self, X: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Return the blocks of all columns, (n_rows, sum of sizes): 0 where there is no index."""
        found, blocks = self.indices(X), np.zeros((len(X), sum(self.sizes)), dtype=dtype)
        start = 0
        for column, size in enumerate(self.sizes):
            known = np.flatnonzero(found[:, column] >= 0)
            blocks[known, start + found[known, column]] = 1.0
            start += size
        return blocks

    def decode(self, probabilities: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        """Return categories (n_rows, n_columns) for the probabilities of all blocks.

        They are drawn with a generator, and the most probable ones without. The categories of a
        column that has none are gaps.
        """
        rows = np.full((len(probabilities), len(self.values)), np.nan, dtype=object)
        start = 0
        for column, size in enumerate(self.sizes):
            if size:
                block = probabilities[:, start : start + size]
                rows[:, column] = self._decode_column(column, block, rng)
            start += size
        return rows

    def _decode_column(
        self, column: int, block: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        """Return the categories of one column, (n_rows,), for probabilities (n_rows, size)."""
        found = draw(block, rng)
        result = np.empty(len(block), dtype=object)
        for index, (values, shares) in enumerate(
            zip(self.values[column], self.shares[column], strict=True)
        ):
            rows = np.flatnonzero(found == index)
            if rng is None:
                result[rows] = values[shares.argmax()]
            else:
                result[rows] = values[rng.choice(len(values), size=len(rows), p=shares)]
        return result


def as_known(values: list[Any], known: Collection[Any]) -> list[Any]:
    """Return values with those that float32 has rounded as they are among the known categories.

    A fraction such as 0.1 is another number in float32 than in float64.
    """
    new = (value for value in values if isinstance(value, float) and value not in known)
    if all(value != value for value in new):  # gaps at most
        return values
    fractions = [value for value in known if isinstance(value, float) and value % 1.0]
    rounded = Counter(float(np.float32(value)) for value in fractions)
    exact = {
        narrow: value for value in fractions if rounded[narrow := float(np.float32(value))] == 1
    }
    if not exact:
        return values
    return [
        exact.get(float(np.float32(value)), value)
        if isinstance(value, float) and value not in known
        else value
        for value in values
    ]


def are_comparable(one: object, other: object) -> bool:
    """Return whether two values can be equal: both are numbers, or their types are related."""
    number = numbers.Number | np.bool_
    if isinstance(one, number) or isinstance(other, number):
        return isinstance(one, number) and isinstance(other, number)
    return isinstance(one, type(other)) or isinstance(other, type(one))


def draw(probabilities: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
    """Return an index for each row of probabilities: drawn, or without a generator the largest."""
    if rng is None:
        return probabilities.argmax(axis=1)
    edges = probabilities.cumsum(axis=1, dtype=np.float64)
    return (rng.random((len(edges), 1)) * edges[:, -1:] >= edges).sum(axis=1)


def is_gap(X: np.ndarray) -> np.ndarray:
    """Return where an object array holds NaN: NaN alone differs from itself."""
    return np.array(X != X, dtype=bool)


def fit_categories(X: np.ndarray, names: list[object], min_frequency: float | None) -> Categories:
    """Return the categories of an object array X (n_rows, n_columns) whose gaps are NaN.

    Categories in fewer rows than `min_frequency` (a number of rows, or a fraction of them) share an
    entry, where a column has more than one of them.
    """
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=UNKNOWN,
        encoded_missing_value=GAP,
        min_frequency=min_frequency,
        dtype=np.int64,
    ).set_output(transform="default")  # whatever users have set for transformers
    for column, name in enumerate(names):
        kinds = {type(value) for value in X[~is_gap(X[:, column]), column]}
        if len(kinds) > 1 and not all(issubclass(kind, int | float | np.number) for kind in kinds):
            found = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise ValueError(
                f"column {name!r} mixes categories of type {found}, which have no order; make them "
                "all text, for instance with astype(str)."
            )
    encoder.fit(X)
    codes = encoder.transform(X)
    values, shares, frequencies = [], [], []
    for column, known in enumerate(encoder.categories_):
        known = known[~is_gap(known)]
        rows_of = Counter(X[:, column].tolist())
        counts = np.array([rows_of[value] for value in known.tolist()])
        index = np.arange(0)
        if len(known):  # a column may hold gaps only
            index = encoder.transform(_in_column(known, column, X))[:, column]
        groups = [np.flatnonzero(index == i) for i in range(index.max(initial=-1) + 1)]
        values.append(tuple(known[group] for group in groups))
        shares.append(tuple(counts[group] / counts[group].sum() for group in groups))
        seen = codes[codes[:, column] >= 0, column]
        frequencies.append(np.bincount(seen, minlength=len(groups)) / max(len(seen), 1))
    return Categories(tuple(values), tuple(shares), tuple(frequencies))


def _in_column(known: np.ndarray, column: int, X: np.ndarray) -> np.ndarray:
    """Return rows that hold the known categories of a column, and gaps in all others."""
    rows = np.full((len(known), X.shape[1]), np.nan, dtype=object)
    rows[:, column] = known
    return rows
