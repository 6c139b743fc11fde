"""Training rows that are read from disk a group of blocks at a time, ahead of their use."""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import Future
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skaae.columns.network_rows import NetworkRows

NOWHERE = -1


class BlockRows:
    """Stands in for a tensor of rows out of memory, of which it holds some blocks.

    A pass over the rows starts with `shuffle`. It puts the blocks in random order and divides them
    into groups, of which two fit into memory. Mini-batches are drawn from one group after the
    other. While one is in use, a thread reads the next. Rows that are in no group are read at once,
    which is slower.

    Parameters
    ----------
    rows : the rows; `rows.rows` is a `StoredRows`.
    memory : bytes that the rows of two groups may take.
    """

    device = torch.device("cpu")
    is_sparse = False

    def __init__(self, rows: NetworkRows, memory: int) -> None:
        self.rows, self.memory = rows, memory
        self.starts = torch.from_numpy(rows.rows.starts)
        self.sizes = self.starts.diff()
        self.width = rows.table.layout.n_inputs
        largest = int(self.sizes.max())
        if 8 * largest * self.width > memory:
            raise ValueError(
                f"a chunk or row group of {largest} rows has {4 * largest * self.width:,} bytes as "
                f"float32, and two of them are more than the {memory:,} bytes for rows in "
                f"training; use OutOfCore(data, memory={32 * largest * self.width}), or write the "
                "data in smaller chunks or row groups."
            )
        self.capacity = min(memory // (4 * self.width), len(rows))  # in rows
        self.buffer = torch.empty(0, self.width, dtype=torch.float32)
        self.usual = rows.table.usual_size()
        self.far, self.has_warned = "", False  # a warning about rows far from the others
        self._forget()

    def _forget(self) -> None:
        """Hold no rows."""
        n_blocks = len(self.sizes)
        self.place = torch.full((n_blocks,), NOWHERE)  # of each block's first row in the memory
        self.group = torch.full((n_blocks,), NOWHERE)  # of each block in this pass
        self.groups: list[Tensor] = []
        self.held: list[int] = []  # groups in memory, one or two
        self.n_sent_for = 0  # groups that are or were in memory, or come
        self.coming: tuple[int, Future[Tensor]] | None = None  # the group that a thread reads

    def again(self) -> BlockRows:
        """Return the same rows with a memory of their own, half as large, for another stream."""
        return BlockRows(self.rows, self.memory // 2)

    def n_rows_of_stream(self) -> int:
        """Return how many rows of another stream may be in memory all the time."""
        return self.memory // (8 * self.width)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: Any) -> Tensor:
        if not isinstance(which, Tensor):
            return self._read(which)
        blocks = torch.searchsorted(self.starts, which, right=True) - 1
        self._bring(self.group[blocks])
        places = self.place[blocks]
        if bool((places == NOWHERE).any()):
            return self._read(which.numpy())
        return self.buffer[places + which - self.starts[blocks]]

    def _read(self, which: Any) -> Tensor:
        """Read some rows at once."""
        found = self._scaled(self.rows.rows[which])
        self._warn()
        return torch.from_numpy(np.require(found, np.float32, ["C", "W"]))

    def shuffle(self, index: Tensor | None, generator: torch.Generator) -> Tensor:
        """Begin a pass; return the rows to use, all or those of an index, in their order.

        The rows of a group come in random order, and those of one group before those of the next.
        """
        if index is not None:
            index = index.sort().values
            blocks = torch.searchsorted(self.starts, index, right=True) - 1
            counts = torch.bincount(blocks, minlength=len(self.sizes))
        else:
            counts = self.sizes
        device = generator.device
        order = torch.randperm(len(self.sizes), generator=generator, device=device).cpu()
        order = order[counts[order] > 0]
        self._plan(order)
        ends = counts.cumsum(0).tolist()
        starts, parts = [0, *ends], []
        for group in self.groups:
            own = torch.cat([torch.arange(starts[b], ends[b]) for b in group.tolist()])
            own = own[torch.randperm(len(own), generator=generator, device=device).cpu()]
            parts.append(own if index is None else index[own])
        return torch.cat(parts)

    def _plan(self, order: Tensor) -> None:
        """Divide blocks into groups, and start to read the first one."""
        if int(self.sizes[order].sum()) <= self.capacity:  # all are in one group, and stay
            if len(self.groups) == 1 and bool((self.group[order] == 0).all()):
                return
            order, sizes = order.sort().values, [len(order)]  # as in all passes
        else:
            ends, sizes, used = self.sizes[order].tolist(), [0], 0
            for size in ends:
                if used + size > self.capacity // 2 and sizes[-1]:
                    sizes.append(0)
                    used = 0
                sizes[-1] += 1
                used += size
        if self.coming is not None:  # its thread writes into the memory
            self.coming[1].exception()
        self._forget()
        self.groups = list(order.split(sizes))
        for number, group in enumerate(self.groups):
            self.group[group] = number
        if len(self.buffer) < self.capacity:
            self.buffer = torch.empty(self.capacity, self.width, dtype=torch.float32)
        self._send_for_next()

    def _bring(self, groups: Tensor) -> None:
        """Wait for groups that mini-batches need, and let go of those before them."""
        first, last = int(groups.min()), int(groups.max())
        if first == NOWHERE or last - first > 1:
            return
        for number in [held for held in self.held if held < first]:
            self.held.remove(number)
            self.place[self.groups[number]] = NOWHERE
        self._send_for_next()
        while self.coming is not None and self.coming[0] <= last:
            number, future = self.coming
            self.coming = None
            self.place[self.groups[number]] = future.result()
            self._warn()
            self.held.append(number)
            self._send_for_next()

    def _send_for_next(self) -> None:
        """Read the next group in a thread, if there is room for it."""
        number = self.n_sent_for
        if self.coming is not None or len(self.held) == 2 or number == len(self.groups):
            return
        future: Future[Tensor] = Future()
        self.coming, self.n_sent_for = (number, future), number + 1

        def read() -> None:
            try:
                future.set_result(self._load(number))
            except BaseException as error:  # raised again where the rows are needed
                future.set_exception(error)

        threading.Thread(target=read, name="skaae-blocks", daemon=True).start()

    def _load(self, number: int) -> Tensor:
        """Read a group into its half of the buffer; return where each block begins."""
        place, places, buffer = (number % 2) * (self.capacity // 2), [], self.buffer.numpy()
        for block in self.groups[number].tolist():
            size = int(self.sizes[block])
            start = int(self.starts[block])
            buffer[place : place + size] = self._scaled(self.rows.rows[start : start + size])
            places.append(place)
            place += size
        return torch.tensor(places)

    def _scaled(self, checked: Any) -> np.ndarray:
        """Return rows as networks see them; raise or note if they are far from the first rows."""
        table = self.rows.table
        rows = table.transform(checked)
        if rows.size and (len(table.flags) or max(-rows.min(), rows.max()) > self.usual):
            table.require_near(checked)
            self.far = self.far or table.describe_far(checked)
        return rows

    def _warn(self) -> None:
        """Warn, once, if rows are far from those from which the scaling was learned."""
        if self.far and not self.has_warned:
            self.has_warned = True
            warnings.warn(self.far, UserWarning, stacklevel=2)

    def require_group_of(self, size: int) -> None:
        """Raise ValueError if a mini-batch of so many rows needs more than two groups."""
        if len(self.groups) > 2 and size > self.capacity // 2:
            raise ValueError(
                f"batch_size={size} is more than the {self.capacity // 2} rows that are read at a "
                "time; use smaller batches, or OutOfCore(data, memory=...) with more memory."
            )
