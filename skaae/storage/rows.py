"""Rows of a table out of memory, as estimators read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from skaae.columns.schema import stack
from skaae.storage.table import OutOfCore


@dataclass(frozen=True)
class StoredRows:
    """Checked rows of a table out of memory: an index returns checked rows in memory.

    Parameters
    ----------
    table : the table.
    check : function that returns rows of the table as checked rows.
    known : checked rows in memory, from all over the table. A fit learns from these what is not
        learned by training, such as the scaling. None where nothing is fitted.
    index : int64 array (n_known,), which rows of the table these are.
    dtype : of the numbers.
    """

    table: OutOfCore
    check: Callable[[Any], Any]
    known: Any
    index: np.ndarray
    dtype: np.dtype

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.table.shape

    @property
    def starts(self) -> np.ndarray:
        """The first row of each block, and the number of rows."""
        return self.table.source.starts

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which: Any) -> Any:
        source = self.table.source
        if isinstance(which, slice):
            start, stop, step = which.indices(len(self))
            if step != 1:
                return self[np.arange(start, stop, step)]
            return self.check(source.read(start, max(start, stop)))
        index = np.asarray(which)
        index = np.flatnonzero(index) if index.dtype == bool else index
        if not len(index):
            return self.check(source.read(0, 1))[:0]
        wanted, inverse = np.unique(index, return_inverse=True)
        blocks = np.searchsorted(self.starts, wanted, side="right") - 1
        found = []
        for own in np.split(wanted, np.flatnonzero(np.diff(blocks)) + 1):
            first = int(own[0])
            found.append(self.check(source.read(first, int(own[-1]) + 1))[own - first])
        return stack(*found)[inverse]


def read_stored(table: OutOfCore, check: Callable[[Any], Any], *, learns: bool) -> StoredRows:
    """Return the rows of a table out of memory; `learns`: with some of them in memory."""
    if not learns:
        first = check(table.source.read(0, 1))
        return StoredRows(table, check, None, np.arange(0), first.dtype)
    rows, index = table.known_rows()
    table.forget()
    known = check(rows)
    return StoredRows(table, check, known, index, known.dtype)


def identity_of(X: Any) -> list[Any]:
    """Return what tells a table out of memory from another with the same rows in memory."""
    return [X.shape, X.table.memory, X.starts] if isinstance(X, StoredRows) else []


def of_all_rows(X: Any, values: np.ndarray, other: int) -> np.ndarray:
    """Return `values` of the rows that `in_memory` returns, for all rows: `other` elsewhere."""
    if not isinstance(X, StoredRows):
        return values
    found = np.full(len(X), other, dtype=values.dtype)
    found[X.index] = values
    return found


def in_memory(X: Any, *others: np.ndarray | None) -> tuple[Any, ...]:
    """Return checked rows in memory that stand for X, and the same rows of other arrays.

    For rows in memory these are the arguments.
    """
    if not isinstance(X, StoredRows):
        return (X, *others)
    return (X.known, *(None if other is None else other[X.index] for other in others))
