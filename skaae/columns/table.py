"""A table and the rows that networks see: scaled numbers, flags, one-hot categories, indicators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from skaae.columns import frames
from skaae.columns.categories import Categories, is_gap
from skaae.columns.gaps import Expectation
from skaae.columns.layout import Layout
from skaae.columns.limits import AT_LIMIT, exceeds_float32, limits_of, require_near
from skaae.columns.noise import draw_noise, fit_noise
from skaae.columns.quantiles import QuantileScaling
from skaae.columns.scaling import (
    Scaling,
    has_gaps,
    known_range,
    working_dtype,
)
from skaae.columns.schema import CATEGORY, FLAG, NUMBER, MixedRows, Schema

Rows: TypeAlias = Any  # a NumPy array, a sparse array in CSR format, or `MixedRows`

# Scaled numbers are far from those of the first rows if they are so many times as large.
FAR = 20.0
# Rows whose one-hot blocks are made at once.
BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Table:
    """The map from checked rows to rows that networks see, and back.

    Parameters
    ----------
    schema : the columns of the training table.
    scaling : of the numbers.
    layout : of the rows that networks see.
    numbers, flags : positions of numbers and flags among the columns that are no categories.
    categories : of the category columns; None where there are none.
    lowest, highest : range of each number in the training rows; NaN where it is never known.
    typical : what stands for a gap in each number and flag, as networks see it, if there is no
        `expectation`: 0 if the column has an indicator, else the mean of the training rows.
    whole : which numbers are whole in all training rows of a data frame.
    dtype : of the numbers in the training rows, float32 or float64.
    binary : whether a table scaled to a range has no more than two values, as flags have.
    expectation : what stands for the gaps of a row; None if the training rows have no gaps, or too
        many entries. Detectors of outliers have it for dense tables of up to 200 entries too.
    """

    schema: Schema
    scaling: Scaling | QuantileScaling
    layout: Layout
    numbers: np.ndarray
    flags: np.ndarray
    categories: Categories | None
    lowest: np.ndarray
    highest: np.ndarray
    typical: np.ndarray
    whole: np.ndarray
    dtype: np.dtype
    binary: bool = False
    expectation: Expectation | None = None

    @property
    def is_identity(self) -> bool:
        """Whether networks see checked rows as they are."""
        return (
            self.layout.is_plain and isinstance(self.scaling, Scaling) and self.scaling.is_identity
        )

    def transform(self, rows: Rows) -> np.ndarray:
        """Return rows as the networks see them, (n_rows, n_inputs), in float32 or float64.

        Unknown categories are 0. A gap in a column that had none in the training rows has no
        indicator. All values of a column that had none in the training rows count as gaps, because
        no weight has learned to read them.
        """
        if self.layout.is_plain:
            scaled = self.scaling.transform(numbers_of(rows))
            if not has_gaps(scaled):
                return scaled
        parts = [self._transform(rows[start : start + BLOCK_ROWS]) for start in starts(rows)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _transform(self, rows: Rows) -> np.ndarray:
        """Return a block of rows as the networks see them."""
        x, gaps, indicators = self.with_gaps(rows)
        if self.expectation is not None:
            x = self.expectation.fill(x, gaps)
        else:
            typical = np.zeros(x.shape[1])
            typical[: len(self.typical)] = self.typical
            np.copyto(x, typical, where=gaps, casting="same_kind")
        return np.concatenate([x, indicators], axis=1, dtype=x.dtype)

    def unmarked_gaps(self, rows: Rows) -> np.ndarray:
        """Return which values are gaps without an indicator: bools of shape (n_rows, n_columns).

        Columns are in the order of the layout.
        """
        gaps = np.concatenate(self._missing(rows), axis=1)
        gaps[:, list(self.layout.gaps)] = False
        return gaps

    def with_gaps(self, rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the entries of rows (n_rows, n_outputs), which are gaps, and the indicators."""
        found = dense_numbers_of(rows)
        dtype = working_dtype(found.dtype)
        scaled = self.scaling.transform(found[:, self.numbers])
        values = [scaled, found[:, self.flags].clip(0, 1)]
        if isinstance(rows, MixedRows) and self.categories is not None:
            values.append(self.categories.one_hot(rows.categories, dtype))
        x = np.concatenate(values, axis=1, dtype=dtype)
        gaps = np.concatenate(self._missing(rows), axis=1)
        sizes = np.ones(self.layout.n_columns, dtype=int)
        sizes[len(self.typical) :] = self.layout.categories
        return x, np.repeat(gaps, sizes, axis=1), gaps[:, list(self.layout.gaps)]

    def _missing(self, rows: Rows) -> list[np.ndarray]:
        """Return which values of numbers, flags and categories are gaps."""
        found = dense_numbers_of(rows)
        gaps = [
            np.isnan(found[:, self.numbers]) | np.isnan(self.lowest),
            np.isnan(found[:, self.flags]),
        ]
        if isinstance(rows, MixedRows) and self.categories is not None:
            gaps.append(is_gap(rows.categories) | (np.array(self.categories.sizes) == 0))
        return gaps

    def columns_with_new_gaps(self, rows: Rows) -> list[object]:
        """Return the names of columns that have gaps now, but had none in the first rows."""
        gaps = np.zeros(self.layout.n_columns, dtype=bool)
        for start in starts(rows):
            gaps |= self.unmarked_gaps(rows[start : start + BLOCK_ROWS]).any(axis=0)
        plain = [c.name for c in self.schema.columns if c.kind != CATEGORY]
        in_order = [plain[i] for i in (*self.numbers, *self.flags)] + self.names_of_categories
        return [name for name, new in zip(in_order, gaps, strict=True) if new]

    def require_near(self, rows: Rows) -> None:
        """Raise ValueError if numbers to train on are too far from those of the first rows."""
        lowest, highest = (ends[self.numbers] for ends in known_range(numbers_of(rows)))
        names = [c.name for c in self.schema.columns if c.kind != CATEGORY]
        scaled = self.scaling.transform(np.stack([lowest, highest]))
        require_near(lowest, highest, [names[i] for i in self.numbers], scaled)

    @property
    def names_of_categories(self) -> list[object]:
        """The names of the columns of categories."""
        return [self.schema.columns[i].name for i in self.schema.positions(CATEGORY)]

    def require_same_types(self, rows: Rows) -> None:
        """Raise ValueError if a column's categories are of another type than in training rows."""
        if isinstance(rows, MixedRows) and self.categories is not None:
            self.categories.require_same_types(rows.categories, self.names_of_categories)

    def unknown_columns(self, rows: Rows) -> list[tuple[object, object]]:
        """Return name and first value of each column of categories with unknown values only."""
        if not isinstance(rows, MixedRows) or self.categories is None:
            return []
        found, names = rows.categories, self.names_of_categories
        columns = self.categories.columns_without_known(found)
        return [(names[i], found[~is_gap(found[:, i]), i][0]) for i in columns]

    def usual_size(self) -> float:
        """Return how large scaled numbers may be without lying far from the first rows."""
        scaled = self.scaling.transform(np.stack([self.lowest, self.highest]))
        return FAR * max(1.0, float(np.fmax.reduce(np.abs(scaled), axis=None, initial=0.0)))

    def describe_far(self, rows: Rows) -> str:
        """Return a warning if numbers to train on are far from those of the first rows, or "".

        It is "" too if they are so far that `require_near` raises an error.
        """
        both = np.stack(known_range(numbers_of(rows)))
        ends = both[:, self.numbers]
        names = [c.name for c in self.schema.columns if c.kind != CATEGORY]
        no_flags = (both[0, self.flags] < 0.0) | (both[1, self.flags] > 1.0)
        if no_flags.any():
            place = self.flags[int(np.argmax(no_flags))]
            return (
                f"Column {names[place]!r} of X holds numbers from {both[0, place]:.3g} to "
                f"{both[1, place]:.3g}, but it held only 0 and 1 in the rows from which the "
                "columns were learned, so it is read as a flag: larger numbers count as 1. Fit a "
                "new estimator, whose first rows have numbers of all sizes."
            )
        beyond = self._far_beyond_ranks(ends)
        scaled = np.abs(self.scaling.transform(ends))
        if beyond.any():
            column = int(np.argmax(beyond))
            effect = "All numbers outside count as the nearest of these."
        elif self.usual_size() < np.fmax.reduce(scaled, axis=None, initial=0.0) < AT_LIMIT:
            column = int(np.nanargmax(np.fmax.reduce(scaled, axis=0)))
            effect = "Beside such numbers, the other columns hardly count in training."
        else:
            return ""
        low, high = self.lowest[column], self.highest[column]
        return (
            f"Column {names[self.numbers[column]]!r} of X holds numbers from {ends[0, column]:.3g} "
            f"to {ends[1, column]:.3g}, but the rows from which the scaling was learned only "
            f"numbers from {low:.3g} to {high:.3g}. {effect} Fit a new estimator, whose first rows "
            "have numbers of all sizes."
        )

    def _far_beyond_ranks(self, ends: np.ndarray) -> np.ndarray:
        """Return which numbers are ranked, and reach farther beyond the first rows than these do.

        `ends` are the smallest and the largest numbers, (2, n_numbers).
        """
        if not isinstance(self.scaling, QuantileScaling):
            return np.zeros(len(self.lowest), dtype=bool)
        farther = np.fmax(self.lowest - ends[0], ends[1] - self.highest)
        limits = self.scaling.transform(np.stack([self.lowest, self.highest]))
        cut = (self.scaling.transform(ends) == limits).any(axis=0)
        return cut & (farther > self.highest - self.lowest)

    def total_variance(self, rows: Rows) -> float:
        """Return the sum of the variances of the columns of the networks' rows."""
        if self.layout.is_plain:
            return self.scaling.total_variance(numbers_of(rows))
        total, squares = np.zeros(self.layout.n_outputs), np.zeros(self.layout.n_outputs)
        for start in starts(rows):
            x = self._transform(rows[start : start + BLOCK_ROWS])[:, : self.layout.n_outputs]
            total += x.sum(axis=0, dtype=np.float64)
            squares += np.square(x, dtype=np.float64).sum(axis=0)
        n_rows = rows.shape[0]
        variances = squares / n_rows - (total / n_rows) ** 2
        return float(variances.clip(min=0.0).sum())  # rounding leaves a little less than 0

    def inverse_transform(
        self,
        outputs: np.ndarray,
        *,
        library: str | None = None,
        rng: np.random.Generator | None = None,
        noise: np.ndarray | None = None,
        clip: bool = False,
    ) -> Any:
        """Return rows of the table for the decoder's outputs (n_rows, n_outputs).

        Parameters
        ----------
        outputs : numbers, and probabilities of flags and categories, as in the layout.
        library : of the data frame to return, "pandas" or "polars"; None returns what the training
            table was: a frame of its library, or an array.
        rng : draws flags and categories from their probabilities; None takes the likeliest.
        noise : factor of the noise that is drawn and added to numbers; see `fit_noise`.
        clip : whether numbers are moved into the range of the training rows.
        """
        library = library or self.schema.library
        if library is not None:
            outputs = outputs.astype(self.dtype, copy=False)
        scaled = outputs[:, : self.layout.n_numbers]
        if noise is not None and rng is not None:
            scaled = scaled + draw_noise(noise, len(scaled), rng).astype(scaled.dtype)
        numbers = self.numbers_in_units(scaled)
        if clip:
            numbers = numbers.clip(self.lowest, self.highest, dtype=numbers.dtype)
        if np.isnan(self.lowest).any():  # nothing is known of a column without a value
            numbers = np.where(np.isnan(self.lowest), np.nan, numbers).astype(numbers.dtype)
        if library is None and not self.schema.is_mixed:
            return numbers
        columns = self._columns(numbers, outputs[:, self.layout.n_numbers :], rng)
        if library is not None:
            return frames.build(library, self.named_columns, columns)
        dtype = np.result_type(*(column.dtype for column in columns))
        if dtype == np.float64 and numbers.dtype == self.dtype == np.float32:
            dtype = self.dtype  # of categories too, which are numbers of float32
        return np.stack(columns, axis=1).astype(dtype, copy=False)

    def numbers_in_units(self, scaled: np.ndarray) -> np.ndarray:
        """Return scaled numbers in the units of the table.

        The result has the dtype of the argument, except where float32 cannot hold the numbers of a
        table in float64.
        """
        if not exceeds_float32(self.lowest, self.highest):
            return self.scaling.inverse_transform(scaled)
        numbers = self.scaling.inverse_transform(scaled.astype(np.float64))
        if self.dtype == np.float64:
            return numbers
        limits = np.finfo(np.float32)
        return numbers.clip(limits.min, limits.max).astype(scaled.dtype)

    @property
    def has_noise(self) -> bool:
        """Whether sampled numbers get noise: those of frames do, those of arrays and images do not.

        The scaling "range" stands for images.
        """
        tables = self.schema.library is not None and self.scaling.kind != "range"
        return tables and self.layout.n_numbers > 0

    def fit_noise(self, rows: Rows, outputs: np.ndarray) -> np.ndarray:
        """Return the factor of the noise of numbers, from training rows and their reconstruction.

        Normal scores of a value that many rows have lack the variance within its ranks.
        """
        scaled = self.scaling.transform(numbers_of(rows)[:, self.numbers])
        least = np.zeros(scaled.shape[1])
        if isinstance(self.scaling, QuantileScaling):
            least = (1.0 - self.scaling.variances).clip(min=0.0)
        return fit_noise(scaled - outputs[:, : self.layout.n_numbers], least)

    @property
    def named_columns(self) -> Sequence[frames.Column]:
        """The columns by the names that a data frame gives them: x0, x1, ... for an array."""
        if self.schema.library is not None:
            return self.schema.columns
        return [frames.Column(f"x{c.name}", c.kind) for c in self.schema.columns]

    def _columns(
        self, numbers: np.ndarray, others: np.ndarray, rng: np.random.Generator | None
    ) -> list[np.ndarray]:
        """Return the values of each column, in the order of the table."""
        plain = np.empty((len(numbers), len(self.numbers) + len(self.flags)))
        plain[:, self.numbers] = numbers
        whole = self.numbers[self.whole]
        plain[:, whole] = np.rint(plain[:, whole])
        likely = others[:, : self.layout.n_flags]
        drawn = 0.5 if rng is None else rng.random(likely.shape)
        plain[:, self.flags] = likely > drawn
        in_order = {
            position: plain[:, index].clip(*limits_of(self.schema.columns[position].dtype))
            for index, position in enumerate(self.schema.positions(NUMBER, FLAG))
        }
        if self.categories is not None:
            decoded = self.categories.decode(others[:, self.layout.n_flags :], rng)
            for index, position in enumerate(self.schema.positions(CATEGORY)):
                in_order[position] = decoded[:, index]
                if self.schema.library is None and all_numbers(decoded[:, index]):
                    in_order[position] = decoded[:, index].astype(self.dtype)
        return [in_order[position] for position in range(len(in_order))]

    def fill(self, X: Any, rows: Rows, outputs: np.ndarray) -> Any:
        """Return X with its gaps filled by the decoder's outputs; known values stay as they are.

        Numbers are filled with values in the range of the training rows: the mean of the decoder's
        output and of what `expectation` says, if there is one. Their errors differ, so their mean
        is closer to the true values than either on most tables. X are the rows as the user gave
        them, `rows` the same rows checked.
        """
        if self.expectation is not None:
            n = self.layout.n_numbers
            mean = 0.5 * (outputs[:, :n] + self.transform(rows)[:, :n])
            outputs = np.concatenate([mean, outputs[:, n:]], axis=1, dtype=outputs.dtype)
        filled = self.inverse_transform(outputs, library=frames.library_of(X), clip=True)
        if frames.library_of(X) is not None:
            return frames.fill(X, filled)
        if frames.library_of(filled) is not None:
            filled = filled.to_numpy()
        if isinstance(rows, MixedRows):
            X = frames.without_mask(X)
            known = np.array(X, dtype=object)
            gaps = np.empty(known.shape, dtype=bool)
            gaps[:, self.schema.positions(NUMBER, FLAG)] = np.isnan(rows.numbers)
            gaps[:, self.schema.positions(CATEGORY)] = is_gap(rows.categories)
            # integers of the training table would cut off the fractions of known values
            own = X.dtype if isinstance(X, np.ndarray) and X.dtype.kind != "O" else np.float64
            return np.where(gaps, filled, known).astype(object if filled.dtype == object else own)
        known = rows if isinstance(rows, np.ndarray) else rows.toarray()
        return np.where(np.isnan(known), filled, known)


def dense_numbers_of(rows: Rows) -> np.ndarray:
    """Return the columns of numbers and flags of checked rows as an array."""
    found = numbers_of(rows)
    return found if isinstance(found, np.ndarray) else found.toarray()


def numbers_of(rows: Rows) -> Any:
    """Return the columns of numbers and flags of checked rows."""
    return rows.numbers if isinstance(rows, MixedRows) else rows


def starts(rows: Rows) -> range:
    """Return where blocks of rows start."""
    return range(0, max(rows.shape[0], 1), BLOCK_ROWS)


def all_numbers(values: np.ndarray) -> bool:
    """Return whether objects are numbers, none of them a flag."""
    return all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values)
