"""Training rows that become a tensor a mini-batch at a time: of large tables, and in pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor

from skaae.columns.network_rows import NetworkRows
from skaae.training.blocks import BlockRows


@dataclass(frozen=True)
class BatchedRows:
    """Rows in the host's memory that would be too large as a tensor: of a sparse or large table.

    It stands in for that tensor: an index returns a tensor of some rows.
    """

    rows: NetworkRows  # in float32
    device = torch.device("cpu")

    @property
    def is_sparse(self) -> bool:
        """Whether the table is sparse; named as of a tensor, which these rows stand in for."""
        return issparse(self.rows.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: Any) -> Tensor:
        found = self.rows[which.numpy() if isinstance(which, Tensor) else which]
        return torch.from_numpy(np.require(found, None, ["C", "W"]))


Rows = Tensor | BatchedRows | BlockRows


@dataclass(frozen=True)
class RowPairs:
    """Pairs of rows, which would be too large as a tensor of their own.

    An index returns a tensor (n, 2, n_features). `index` (n_pairs, 2) has the rows of each pair.
    """

    x: Rows
    index: Tensor

    @property
    def device(self) -> torch.device:
        """The device of the rows, where the indices must be too."""
        return self.x.device

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, which: Tensor) -> Tensor:
        first, second = self.index[which].unbind(dim=1)
        return torch.stack([self.x[first], self.x[second]], dim=1)


def pick(x: Rows, index: np.ndarray) -> Rows:
    """Return some of the rows, in the form of x; rows that are on disk are read into a tensor."""
    if isinstance(x, BlockRows):
        return x[index]
    return BatchedRows(x.rows.select(index)) if isinstance(x, BatchedRows) else x[index]


def as_arrays(x: Rows, index: np.ndarray) -> np.ndarray | NetworkRows:
    """Return some of the rows as an array, or as what returns an array for a slice of them."""
    if isinstance(x, BatchedRows | BlockRows):
        return x.rows.select(index)
    return x[torch.from_numpy(index).to(x.device)].cpu().numpy()
