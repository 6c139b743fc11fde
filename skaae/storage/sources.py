"""Where rows come from that are not in memory: arrays on disk, Parquet files, PyTorch datasets.

A source knows the number of its rows and columns, and its blocks: rows that lie together and are
best read together.
"""

from __future__ import annotations

import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse

# Blocks of sources without chunks of their own have about so many bytes, as float32.
BLOCK_BYTES = 1 << 20
# The memory for rows holds at least so many of them.
LEAST_BLOCKS = 64


class Source(ABC):
    """Rows that are read a block at a time.

    Attributes
    ----------
    shape : number of rows and columns.
    starts : int64 array (n_blocks + 1,), the first row of each block, and the number of rows.
    whole : whether a part of a block takes as long to read as the block.
    """

    shape: tuple[int, int]
    starts: np.ndarray
    whole = False

    def __init__(self) -> None:
        self._lock = threading.Lock()  # a fit reads in several threads
        self._block: tuple[int, Any] | None = None  # the last one that was read, and its rows

    def __getstate__(self) -> dict[str, Any]:
        return {name: v for name, v in vars(self).items() if name not in ("_lock", "_block")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Source.__init__(self)
        self.__dict__.update(state)

    def read(self, start: int, stop: int) -> Any:
        """Return some rows, as an array or a data frame."""
        with self._lock:
            if not self.whole:
                return self._finish(self._read(start, stop))
            parts = []
            for block, first, last in self.parts(start, stop):
                rows, offset = self._whole_block(block), int(self.starts[block])
                parts.append(self._cut(rows, first - offset, last - offset))
            return self._finish(parts[0] if len(parts) == 1 else self._join(parts))

    def read_runs(self, runs: list[tuple[int, int]]) -> Any:
        """Return the rows of several ranges, one below the other."""
        return self.join([self.read(start, stop) for start, stop in runs])

    def parts(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield the blocks that a range of rows touches, with the range inside each of them."""
        block = int(np.searchsorted(self.starts, start, side="right")) - 1
        while start < stop:
            last = min(stop, int(self.starts[block + 1]))
            yield block, start, last
            start, block = last, block + 1

    def _whole_block(self, block: int) -> Any:
        """Return a block; the last one that was read is kept."""
        if self._block is None or self._block[0] != block:
            self._block = None  # frees its memory before the next one is read
            self._block = block, self._read(*map(int, self.starts[block : block + 2]))
        return self._block[1]

    @abstractmethod
    def _read(self, start: int, stop: int) -> Any:
        """Read a range of rows; if `whole`, a block."""

    def _cut(self, rows: Any, start: int, stop: int) -> Any:
        """Return a range of rows that `_read` returned."""
        return rows[start:stop]

    def _join(self, parts: list[Any]) -> Any:
        """Return results of `_read`, one below the other."""
        return np.concatenate(parts)

    def _finish(self, rows: Any) -> Any:
        """Return what users would pass for rows that `_read` returned."""
        return rows

    def join(self, parts: list[Any]) -> Any:
        """Return results of `read`, one below the other."""
        return np.concatenate(parts)


class ArraySource(Source):
    """An object with shape, dtype and slices of rows, as those of NumPy, zarr, h5py and Dask."""

    def __init__(self, data: Any, block_bytes: int) -> None:
        super().__init__()
        if len(data.shape) != 2:
            raise ValueError(
                f"an array that is read from disk must have 2 dimensions, (n_samples, n_features), "
                f"but its shape is {tuple(data.shape)}; store each row flat."
            )
        self.data, chunks = data, getattr(data, "chunks", None)
        try:
            n_rows, n_columns = map(int, data.shape)
        except ValueError:
            raise ValueError(
                f"the shape {data.shape} is not known yet; call compute_chunk_sizes() of the "
                "Dask array first."
            ) from None
        self.shape = n_rows, n_columns
        size = rows_in(block_bytes, n_columns)
        self.whole = chunks is not None
        if chunks is not None and isinstance(chunks[0], tuple):
            self.starts = np.concatenate([[0], np.cumsum(chunks[0])]).astype(np.int64)
            return
        if chunks is not None:
            size = int(chunks[0]) * max(1, size // int(chunks[0]))
        self.starts = np.append(np.arange(0, n_rows, size), n_rows)

    def _read(self, start: int, stop: int) -> np.ndarray:
        found = self.data[start:stop]
        if isinstance(found, np.ma.MaskedArray):  # masked entries are gaps
            dtype = np.result_type(found.dtype, np.float32)
            return np.ma.filled(found.astype(dtype), np.nan)
        return np.asarray(found)

    def _cut(self, rows: np.ndarray, start: int, stop: int) -> np.ndarray:
        part = rows[start:stop]
        return part if len(part) == len(rows) else part.copy()  # a view would keep the block


def as_array(value: Any) -> Any:
    """Return a tensor as an array; return anything else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach().cpu()
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()


class DatasetSource(Source):
    """A map-style dataset of PyTorch; its items are rows, or tuples that begin with one."""

    def __init__(self, data: Any, block_bytes: int) -> None:
        super().__init__()
        self.data, n_rows = data, len(data)
        first = self._row(data[0]) if n_rows else np.empty(0)
        self.shape = n_rows, len(first)
        self.starts = np.append(np.arange(0, n_rows, rows_in(block_bytes, len(first))), n_rows)

    def _row(self, item: Any) -> np.ndarray:
        several = isinstance(item, tuple | list) and len(item) > 0
        # a tensor of one number beside a label is a row too
        is_pair = several and len(item) == 2 and isinstance(item[0], torch.Tensor)
        begins = several and (np.ndim(item[0]) > 0 or is_pair)
        row = item[0] if begins else item
        found = np.asarray(as_array(row))
        if found.dtype.kind not in "biuf":
            raise ValueError(
                f"an item of the dataset is a {type(item).__name__}, which is no row; make items "
                "rows of numbers, or tuples whose first entry is such a row."
            )
        if found.ndim > 2 and found.shape[0] > 1:
            raise ValueError(
                f"an item of the dataset has the shape {found.shape}; make it a flat row. Networks "
                "of convolutions need the channels last: for images of the shape (channels, "
                "height, width) this is x.movedim(0, -1).flatten()."
            )
        return found.reshape(-1)

    def _read(self, start: int, stop: int) -> np.ndarray:
        index = list(range(start, stop))
        several = getattr(self.data, "__getitems__", None)
        items = [self.data[i] for i in index] if several is None else several(index)
        return np.stack([self._row(item) for item in items])


class ArrowSource(Source):
    """A dataset of pyarrow; a row group of a Parquet file is a block."""

    whole = True

    def __init__(self, data: Any, columns: list[str] | None) -> None:
        super().__init__()
        if isinstance(columns, str):
            raise ValueError(f"columns={columns!r} is text; give a list of names, [{columns!r}].")
        pandas = data.schema.pandas_metadata or {}  # of files that pandas has written
        index = [name for name in pandas.get("index_columns", []) if isinstance(name, str)]
        usual = [name for name in data.schema.names if name not in index]
        self.columns = usual if columns is None else list(columns)
        unknown = [name for name in self.columns if name not in data.schema.names]
        if unknown:
            raise ValueError(
                f"columns names {unknown[0]!r}, but the dataset has {data.schema.names}; give "
                "names of its columns."
            )
        self._library = frame_library().__name__
        self._parts, sizes = [], []
        try:
            fragments = list(data.get_fragments())
        except NotImplementedError as error:  # pyarrow's error is one of these
            raise ValueError(
                f"the files of this dataset cannot be read one by one ({error}); give the dataset "
                "without filter, or write the filtered rows to files first."
            ) from error
        for fragment in fragments:
            split = getattr(fragment, "split_by_row_group", None)  # of Parquet files
            for part in [fragment] if split is None else split():
                self._parts.append(part)
                if split is None:
                    sizes.append(part.count_rows())
                else:  # count_rows of a row group counts those of its file
                    sizes.append(sum(group.num_rows for group in part.row_groups))
        self._schema = data.schema
        kept = [index for index, size in enumerate(sizes) if size]
        self._parts = [self._parts[index] for index in kept]
        self.starts = np.concatenate([[0], np.cumsum([sizes[i] for i in kept])]).astype(np.int64)
        self.shape = int(self.starts[-1]), len(self.columns)

    def _read(self, start: int, stop: int) -> Any:
        block = int(np.searchsorted(self.starts, start))
        return self._parts[block].to_table(schema=self._schema, columns=self.columns)

    def _cut(self, rows: Any, start: int, stop: int) -> Any:
        return rows.slice(start, stop - start)

    def _join(self, parts: list[Any]) -> Any:
        return sys.modules["pyarrow"].concat_tables(parts)

    def _finish(self, rows: Any) -> Any:
        if self._library == "pandas":
            return rows.to_pandas(ignore_metadata=True)  # of an index, which is left out
        return import_module(self._library).from_arrow(rows)

    def join(self, parts: list[Any]) -> Any:
        library = import_module(self._library)
        return library.concat(
            parts, **({"ignore_index": True} if self._library == "pandas" else {})
        )


def frame_library() -> Any:
    """Return pandas, or polars if pandas is not installed."""
    for name in ("pandas", "polars"):
        try:
            return __import__(name)
        except ImportError:
            continue
    raise ImportError(
        "a dataset of pyarrow is read as data frames, and neither pandas nor polars is installed; "
        "install one of them: pip install pandas."
    )


def rows_in(n_bytes: int, n_columns: int) -> int:
    """Return how many rows of float32 have about so many bytes."""
    return max(1, n_bytes // (4 * max(1, n_columns)))


def as_source(data: Any, columns: list[str] | None, memory: int) -> Source | None:
    """Return the source of some data, or None if nothing is known to read them with.

    Blocks of sources without chunks are small parts of the `memory` for rows.
    """
    block_bytes = min(BLOCK_BYTES, memory // LEAST_BLOCKS)
    arrow = sys.modules.get("pyarrow.dataset")
    if arrow is not None and isinstance(data, arrow.Dataset):
        return ArrowSource(data, columns)
    if columns is not None:
        raise ValueError(
            f"columns={columns!r} chooses columns of a dataset of pyarrow, but data is a "
            f"{type(data).__name__}; leave columns out."
        )
    if isinstance(data, torch.utils.data.IterableDataset):
        raise ValueError(
            "an IterableDataset has no rows to choose from; give a dataset with __len__ and "
            "__getitem__, or call partial_fit on one chunk of rows after the other."
        )
    if isinstance(data, torch.utils.data.Dataset):
        return DatasetSource(data, block_bytes)
    sliced = all(hasattr(data, name) for name in ("shape", "dtype", "__getitem__"))
    return ArraySource(data, block_bytes) if sliced and not issparse(data) else None
