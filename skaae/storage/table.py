"""`OutOfCore`: a table that is read from disk as training and inference need it."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse

from skaae.storage.sources import Source, as_source

MEMORY = 512_000_000
LEAST_MEMORY = 1_000_000
# What is learned from some rows alone (scaling, categories, first clusters) is learned from at most
# and at least so many, in so many runs of neighbouring rows.
MOST_SAMPLED, LEAST_SAMPLED = 100_000, 1_000
N_RUNS = 256
# Packages whose arrays lie on disk. Those of other packages may lie in memory.
ON_DISK = ("zarr", "h5py")


class OutOfCore:
    """A table that does not fit into memory, for `fit`, `transform`, `predict` and the like.

    Estimators take arrays of zarr and h5py, datasets of pyarrow, and map-style datasets of PyTorch
    without this class. It is needed to set `memory` or `columns`, for memory-mapped arrays, and for
    objects of other packages. A memory-mapped array that is passed as it is counts as a table in
    memory.

    A fit learns the scaling, the categories and the first clusters from a sample of the rows: at
    most 100,000, from 256 places all over the table. Networks are trained on all rows. Each epoch
    goes through the blocks of the table in random order. It reads many blocks at a time and draws
    its mini-batches from these rows, while a second thread reads the next blocks.

    Parameters
    ----------
    data : object
        One of:

        * an object with a two-dimensional `shape`, a `dtype`, and slices of rows,
        * a `pyarrow.dataset.Dataset`; rows are read as data frames of pandas, or of polars if
          pandas is not installed,
        * a `torch.utils.data.Dataset` with `__len__` and `__getitem__`. Its items are rows, or
          tuples whose first entry is a row. One thread reads at a time. Labels are always passed
          as y.
    columns : list of str, default=None
        Columns of a pyarrow dataset to use. None uses all.
    memory : int, default=512_000_000
        About how many bytes of rows a fit holds in memory. More memory mixes rows better. Networks,
        y, and some numbers for each row of the table (24 to 64 bytes) come on top, and so does a
        block while it is read.

    Attributes
    ----------
    shape : tuple of int
        Number of rows and columns.

    Raises
    ------
    ValueError
        If the data are of another kind, have no row or not two dimensions, if `memory` is less than
        1 MB, or if 1000 rows do not fit into it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skaae import AAETransformer, OutOfCore
    >>> X, _ = load_digits(return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/digits.npy", X)
    ...     on_disk = OutOfCore(np.load(f"{folder}/digits.npy", mmap_mode="r"))
    ...     AAETransformer(max_iter=5, random_state=0).fit(on_disk).transform(on_disk).shape
    (1797, 2)
    """

    def __init__(self, data: Any, *, columns: list[str] | None = None, memory: int = MEMORY):
        if not isinstance(memory, int | np.integer) or memory < LEAST_MEMORY:
            raise ValueError(
                f"memory={memory!r} must be a number of bytes, at least {LEAST_MEMORY:,}."
            )
        memory = int(memory)
        if isinstance(data, str | os.PathLike):
            raise ValueError(about_path("data", data))
        source = as_source(data, columns, memory)
        if source is None:
            raise ValueError(
                f"data is a {type(data).__name__}, which has no shape, dtype and slices of rows; "
                "give an array on disk, a pyarrow dataset, or a PyTorch dataset. Rows in memory "
                "need no OutOfCore."
            )
        self.data, self.columns, self.memory = data, columns, memory
        self.source: Source = source
        self.shape = source.shape
        self._known: Any = None
        if 0 in self.shape:
            raise ValueError(f"data has the shape {self.shape}; give at least a row and a column.")
        needed = 8 * self.shape[1] * min(len(self), LEAST_SAMPLED)
        if needed > memory:
            raise ValueError(
                f"memory={memory} bytes is too little for {self.shape[1]} columns, as some rows "
                f"are kept in memory; give at least {needed}."
            )

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"OutOfCore({type(self.data).__name__} of shape {self.shape}, memory={self.memory})"

    def sample(self, n_samples: int = MOST_SAMPLED) -> Any:
        """Return rows from all over the table, always the same, as an array or a data frame.

        Parameters
        ----------
        n_samples : int, default=100_000
            Number of rows. At most all rows are returned.

        Returns
        -------
        X : ndarray or data frame of shape (n_samples, n_features)
        """
        if not isinstance(n_samples, int | np.integer) or n_samples < 1:
            raise ValueError(f"n_samples={n_samples!r} must be a number of rows, at least 1.")
        return self.source.read_runs(self._sample_runs(int(n_samples)))

    def _sample_runs(self, n_samples: int) -> list[tuple[int, int]]:
        """Return ranges of rows, which contain `n_samples` rows in all, or all rows."""
        n_rows = len(self)
        if n_samples >= n_rows:
            return [(0, n_rows)]
        ends = np.linspace(0, n_samples, min(N_RUNS, n_samples) + 1).astype(int)
        lengths, edges = np.diff(ends), ends * n_rows // n_samples  # apart by a run or more
        first = np.random.default_rng(0).integers(edges[:-1], edges[1:] - lengths + 1)
        return [(int(start), int(start + n)) for start, n in zip(first, lengths, strict=True)]

    def known_rows(self) -> Any:
        """Return the rows that a fit learns the scaling from; they are kept until `forget`."""
        if self._known is None:
            n_samples = min(MOST_SAMPLED, self.memory // (32 * self.shape[1]))
            runs = self._sample_runs(max(LEAST_SAMPLED, n_samples))
            index = np.concatenate([np.arange(start, stop) for start, stop in runs])
            self._known = self.source.read_runs(runs), index
        return self._known

    def forget(self) -> None:
        """Keep no rows."""
        self._known = None

    def __getitem__(self, rows: Any) -> Any:
        raise TypeError(
            "a table that is read from disk gives no choice of rows, as cross-validation and "
            "displays need; show or cross-validate with some rows in memory: X.sample(10_000)."
        )


def about_path(name: str, path: str | os.PathLike[str]) -> str:
    """Return that a path is no table, and what opens the file."""
    return (
        f"{name} is the path {os.fspath(path)!r}, and must be the table itself; open the file: "
        'OutOfCore(np.load(path, mmap_mode="r")) for a file of NumPy, or '
        "pyarrow.dataset.dataset(path) for Parquet, CSV and Arrow files."
    )


def as_out_of_core(X: Any) -> OutOfCore | None:
    """Return X as a table out of memory, or None if it is one in memory."""
    if isinstance(X, OutOfCore):
        return X
    if isinstance(X, str | os.PathLike):
        raise ValueError(about_path("X", X))
    if isinstance(X, np.ndarray | torch.Tensor) or issparse(X):
        return None
    arrow = sys.modules.get("pyarrow.dataset")
    is_arrow = arrow is not None and isinstance(X, arrow.Dataset)
    package = type(X).__module__.partition(".")[0]
    if is_arrow or package in ON_DISK or isinstance(X, torch.utils.data.Dataset):
        return OutOfCore(X)
    return None
