"""Rows as the networks see them: scaled as they are sliced, with no second table of all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse

from skaae.columns.scaling import has_gaps, working_dtype
from skaae.columns.schema import MixedRows
from skaae.columns.table import BLOCK_ROWS, Rows, Table


@dataclass(frozen=True)
class NetworkRows:
    """Rows that become rows of networks as they are sliced: no second table of all of them."""

    rows: Rows
    table: Table
    index: np.ndarray | None = None  # which of the rows, in this order; None for all
    in_float32: bool = False  # whether rows of float64 become float32, as all training rows are

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the rows that networks see."""
        return np.dtype(np.float32) if self.in_float32 else working_dtype(self.rows.dtype)

    @property
    def size_of_copy(self) -> int:
        """Bytes of a float32 tensor of all rows; 0 if it can share its memory with the table."""
        same = isinstance(self.rows, np.ndarray) and self.rows.dtype == np.float32
        if same and self.index is None and self.table.is_identity:
            usable = self.rows.flags.c_contiguous and self.rows.flags.writeable
            return 0 if usable else self.rows.nbytes
        return 4 * len(self) * self.table.layout.n_inputs

    def __len__(self) -> int:
        return self.rows.shape[0] if self.index is None else len(self.index)

    def __getitem__(self, which: Any) -> np.ndarray:
        rows = self.rows[which if self.index is None else self.index[which]]
        return self.table.transform(rows).astype(self.dtype, copy=False)

    def known_values(self) -> KnownValues | None:
        """Return which values are no gaps, or None if each gap has an indicator."""
        plain = isinstance(self.rows, np.ndarray) or issparse(self.rows)
        if plain and self.table.layout.is_plain and not has_gaps(self.rows):
            return None
        found = KnownValues(self)
        mixed = isinstance(self.rows, MixedRows)
        parts = (slice(start, start + BLOCK_ROWS) for start in range(0, len(self), BLOCK_ROWS))
        return None if mixed and all(found[part].all() for part in parts) else found

    def select(self, index: np.ndarray) -> NetworkRows:
        """Return some of the rows, by their index."""
        index = index if self.index is None else self.index[index]
        return replace(self, index=index)


@dataclass(frozen=True)
class KnownValues:
    """Rows (n_rows, n_columns) that are 0 for each gap without an indicator, else 1, as sliced.

    Columns are in the order of the layout.
    """

    of: NetworkRows

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the rows that networks see."""
        return self.of.dtype

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, which: Any) -> np.ndarray:
        rows = self.of.rows[which if self.of.index is None else self.of.index[which]]
        return (~self.of.table.unmarked_gaps(rows)).astype(self.dtype)
