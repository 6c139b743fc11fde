"""What the columns of X are, and how X is read: numbers and categories as arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse

from skaae.columns import frames
from skaae.columns.dtypes import wide_enough, with_categories
from skaae.columns.frames import CATEGORY, FLAG, NUMBER, Column


@dataclass(frozen=True)
class MixedRows:
    """Rows of a table that has categories or flags, as arrays.

    Parameters
    ----------
    numbers : float array (n_rows, n_numbers), columns of numbers and flags; NaN is a gap.
    categories : object array (n_rows, n_categories); NaN is a gap.
    source : the rows as the user gave them; without those of X_unlabeled, which follow them.
    """

    numbers: np.ndarray
    categories: np.ndarray
    source: Any = field(repr=False, default=None)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return len(self.numbers), self.numbers.shape[1] + self.categories.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the numbers."""
        return self.numbers.dtype

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: Any) -> MixedRows:
        return MixedRows(self.numbers[rows], self.categories[rows])

    def with_source(self, rows: Any) -> MixedRows:
        """Return some of the rows, and the same rows of the source."""
        given = self.source
        source = None if given is None else frames.take(given, rows[: len(given)])
        return replace(self[rows], source=source)


def stack(X: Any, *others: Any) -> Any:
    """Return checked rows X and others, one below the other: an array, a CSR array or `MixedRows`.

    The result is of the kind of X.
    """
    if isinstance(X, MixedRows):
        return MixedRows(
            np.concatenate([X.numbers, *(other.numbers for other in others)]),
            np.concatenate([X.categories, *(other.categories for other in others)]),
            X.source,
        )
    if scipy.sparse.issparse(X):
        return scipy.sparse.vstack([X, *others], format="csr")
    dense = [other.toarray() if scipy.sparse.issparse(other) else other for other in others]
    return np.concatenate([X, *dense])


@dataclass(frozen=True)
class Schema:
    """The columns of the training table, in their order.

    Parameters
    ----------
    columns : what each of them is.
    library : "pandas" or "polars" for a data frame, None for an array.
    """

    columns: tuple[Column, ...]
    library: str | None = None

    @property
    def is_mixed(self) -> bool:
        """Whether there are columns of other kinds than numbers."""
        return any(column.kind != NUMBER for column in self.columns)

    def positions(self, *kinds: str) -> np.ndarray:
        """Return the positions of the columns of some kinds."""
        return np.array([i for i, c in enumerate(self.columns) if c.kind in kinds], dtype=int)

    def widened(
        self, lowest: np.ndarray, highest: np.ndarray, categories: Sequence[list[Any]]
    ) -> Schema:
        """Return the schema with dtypes that hold all training rows, also those of X_unlabeled.

        Numbers and flags have these ranges, and columns of categories have these `categories`.
        """
        if self.library is None:
            return self
        columns = list(self.columns)
        for i, low, high in zip(self.positions(NUMBER, FLAG), lowest, highest, strict=True):
            columns[i] = replace(columns[i], dtype=wide_enough(columns[i].dtype, low, high))
        for i, values in zip(self.positions(CATEGORY), categories, strict=True):
            columns[i] = replace(columns[i], dtype=with_categories(columns[i].dtype, values))
        return replace(self, columns=tuple(columns))

    def read(self, X: Any) -> MixedRows:
        """Return a table with these columns as arrays; its columns are in the same order.

        Raises ValueError, with the column's name, where a column of numbers holds something else.
        """
        if frames.library_of(X) is not None:
            values = [frames.series_of(X, i) for i in range(len(self.columns))]
        else:
            X = frames.without_mask(X)
            table = X if isinstance(X, np.ndarray) else as_objects(X)
            values = list(table.T)
        n_rows = len(values[0])
        numbers = self.positions(NUMBER, FLAG)
        read = [self._read_numbers(values[i], self.columns[i]) for i in numbers]
        flags = set(self.positions(FLAG).tolist())  # of True and False
        small = all(i in flags or frames.fits_float32(values[i]) for i in numbers)
        categories = self.positions(CATEGORY)
        named = [read_categories(values[i], self.columns[i]) for i in categories]
        return MixedRows(
            np.column_stack(read).astype(np.float32 if small else np.float64, copy=False)
            if read
            else np.empty((n_rows, 0)),
            np.column_stack(named) if named else np.empty((n_rows, 0), dtype=object),
            X,
        )

    def _read_numbers(self, values: Any, column: Column) -> np.ndarray:
        """Return a column of numbers, (n_rows,), NaN where a value is missing."""
        try:
            found = frames.numbers_in(values)
        except OverflowError as error:
            raise ValueError(
                f"column {column.name!r} holds a number that is too large for float64; drop it, or "
                "divide the column by a constant."
            ) from error
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"column {column.name!r} held numbers in the training rows, and now holds values "
                f"that are none ({error}); give numbers, or fit again."
                if column.dtype is not None
                else f"column {column.name!r} is read as numbers, but {error}; make it numbers, or "
                "name it in categorical_features."
            ) from error
        if np.isinf(found).any():
            raise ValueError(
                f"column {column.name!r} holds infinity; replace it by NaN, which is read as a "
                "gap, or by a number."
            )
        return found


def read_categories(values: Any, column: Column) -> np.ndarray:
    """Return a column of categories as objects, (n_rows,), NaN where a value is missing."""
    found = frames.categories_in(values)
    for value in found:
        if isinstance(value, list | tuple | dict | set | np.ndarray):
            raise ValueError(
                f"column {column.name!r} holds a {type(value).__name__}, {value!r:.60}, which is "
                "no category; make it text or a number, or drop the column."
            )
    return found


def as_objects(X: Any) -> np.ndarray:
    """Return a table of mixed values as an object array of shape (n_rows, n_columns)."""
    if scipy.sparse.issparse(X):
        raise ValueError(
            "X is sparse, but the training table has columns of categories or flags; give a data "
            "frame or a dense array with the same columns."
        )
    table = np.asarray(X, dtype=object)
    if table.ndim != 2:
        raise ValueError(
            f"X has {table.ndim} dimensions; it must be a table of shape (n_samples, n_features). "
            + how_to_flatten(table.shape)
        )
    return table


def how_to_flatten(shape: tuple[int, ...]) -> str:
    """Return what to do about an array with this shape, which is no table; "" if nothing is known.

    A stack of images has three or four dimensions.
    """
    if len(shape) < 3:
        return ""
    convolutions = f"give networks of convolutions their shape, Conv(image_shape={shape[1:]})"
    if len(shape) > 3:
        convolutions = "the last axis must be that of channels for networks of convolutions"
    return (
        f"X has shape {shape}: if its rows are images, flatten with X.reshape(len(X), -1); "
        f"{convolutions}."
    )


def describe(X: Any, categorical: Any) -> Schema:
    """Return the schema of a table.

    `categorical` says which columns are categories: "from_dtype", names, positions, a mask, or None
    for no column. Arrays tell nothing by their dtype.
    """
    library = frames.library_of(X)
    if library is None and (categorical is None or isinstance(categorical, str)):
        return Schema(())  # as many numbers as X turns out to have
    from_dtype = isinstance(categorical, str) and categorical == "from_dtype"
    if library is None:
        if scipy.sparse.issparse(X):
            raise ValueError(
                "categorical_features names columns of a sparse X; give a dense table, or one-hot "
                "columns and categorical_features=None."
            )
        n_columns = as_objects(X).shape[1]
        chosen = chosen_columns(categorical, range(n_columns), False)
        kinds = [CATEGORY if i in chosen else NUMBER for i in range(n_columns)]
        return Schema(tuple(Column(i, kind) for i, kind in enumerate(kinds)))
    names = frames.names_of(X)
    if not names:
        raise ValueError(
            f"X has 0 feature(s) (shape={X.shape}): a data frame without columns; give one column "
            "at least."
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"X has {names.count(twice[0])} columns with the name {twice[0]!r}; rename them, so "
            "that each name is there once."
        )
    chosen = set() if from_dtype else chosen_columns(categorical, names, True)
    columns = []
    for position, name in enumerate(names):
        series = frames.series_of(X, position)
        if position in chosen:
            columns.append(Column(name, CATEGORY, series.dtype))
            continue
        column = frames.describe(series, name)
        if column.kind == CATEGORY and not from_dtype:
            raise ValueError(
                f"column {name!r} holds text or categories, but categorical_features="
                f"{categorical!r} does not name it; name it, or use 'from_dtype'."
            )
        columns.append(column)
    return Schema(tuple(columns), library)


def chosen_columns(categorical: Any, names: Sequence[Any], named: bool) -> set[int]:
    """Return the positions that a user's list of names, positions or mask stands for."""
    if categorical is None:
        return set()
    if isinstance(categorical, list) and any(isinstance(name, tuple) for name in categorical):
        values = np.empty(len(categorical), dtype=object)  # names of a MultiIndex
        values[:] = categorical
    else:
        values = np.atleast_1d(np.asarray(categorical))
    n_columns = len(names)
    if values.dtype == bool:
        if values.shape != (n_columns,):
            raise ValueError(
                f"categorical_features is a mask of {len(values)} entries, but X has {n_columns} "
                "columns; give one entry for each column."
            )
        return set(np.flatnonzero(values).tolist())
    if values.dtype.kind in "iu" or not values.size:
        outside = [int(i) for i in values if not -n_columns <= i < n_columns]
        if outside:
            raise ValueError(
                f"categorical_features holds {outside[0]}, but X has {n_columns} columns, counted "
                "from 0."
            )
        return {int(i) % n_columns for i in values}
    unknown = [value for value in values.tolist() if value not in list(names)]
    if unknown or not named:
        raise ValueError(
            f"categorical_features names {unknown[0] if unknown else values[0]!r}, but X "
            + (f"has columns {list(names)[:10]}" if named else "is an array, without names")
            + "; give names of columns of a data frame, positions, or a mask."
        )
    return {list(names).index(value) for value in values.tolist()}
