"""Streams of training rows, which yield shuffled mini-batches, once or endlessly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skaae.device import to_device
from skaae.training.blocks import BlockRows
from skaae.training.rows import pick


@dataclass
class Stream:
    """A source of mini-batches: tensors whose rows belong together.

    Parameters
    ----------
    tensors : tensors with the same first dimension, by the name of the step's argument.
    rows : indices of the rows to use, or None for all rows.
    weights : weight of each row of the tensors, above 0 and on the CPU, or None for equal weights.
        A row is drawn in proportion to its weight.
    phase : the only phase of the step that uses the rows, or None. Stages in which this phase may
        not train the label leave the rows out.
    part : called with the name of the first tensor and the indices of a mini-batch; returns those
        of this process, if several train together.
    """

    tensors: Mapping[str, Any]  # tensors, and what stands in for one
    rows: Tensor | None = None
    phase: str | None = None
    weights: Tensor | None = None
    part: Callable[[str, Tensor], Tensor] | None = None
    version: int = 0  # of a table on disk: how often other rows were taken
    # of rows that were picked from a table on disk: that table, which rows, y and weights of all
    picked: tuple[BlockRows, Tensor, Tensor, Tensor | None] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())) if self.rows is None else self.rows)

    def shuffled(self, size: int, generator: torch.Generator) -> list[Tensor]:
        """Return the indices of the shuffled rows, in batches of nearly equal size, up to `size`.

        With weights, as many rows are drawn as there are, each as often as its weight says. Rows
        that are read from disk are shuffled by the blocks in which they lie.
        """
        stored = [tensor for tensor in self.tensors.values() if isinstance(tensor, BlockRows)]
        if stored:
            rows = self.rows
            if self.weights is not None:
                every = torch.arange(len(stored[0])) if rows is None else rows.cpu()
                weights = self.weights[every]
                rows = repeat_by_weight(every.to(generator.device), weights, generator)
            elif rows is not None and len(rows) == len(stored[0]):
                rows = None  # all of them
            order = stored[0].shuffle(None if rows is None else rows.cpu(), generator)
            stored[0].require_group_of(min(size, len(self)))
            return list(order.tensor_split(math.ceil(len(self) / size)))
        order = torch.randperm(len(self), generator=generator, device=generator.device)
        if self.rows is not None:
            order = self.rows[order]
        if self.weights is not None:
            order = repeat_by_weight(order, self.weights[order.cpu()], generator)
        if any(tensor.device.type == "cpu" for tensor in self.tensors.values()):
            order = order.cpu()  # a table in the host's memory, whose indices must be there too
        return list(order.tensor_split(math.ceil(len(self) / size)))

    def batch(self, index: Tensor, device: torch.device) -> dict[str, Tensor]:
        """Return the rows with these indices on a device, by name."""
        if self.part is not None:
            index = self.part(next(iter(self.tensors)), index)
        return {
            name: to_device(tensor[index.to(tensor.device)], device)
            for name, tensor in self.tensors.items()
        }

    def batches(self, size: int, generator: torch.Generator) -> Iterator[dict[str, Tensor]]:
        """Yield the shuffled rows once, in batches of nearly equal size, none over `size`."""
        for index in self.shuffled(size, generator):
            yield self.batch(index, generator.device)

    def take_labeled(self, x: Any, y: Tensor, rows: Tensor, weights: Tensor | None = None) -> None:
        """Use some rows of a table, with their classes.

        Parameters
        ----------
        x, y : all rows of the table, and their classes.
        rows : indices of those to use.
        weights : of all rows, or None.
        """
        self.picked = None
        self.version += isinstance(x, BlockRows)
        if isinstance(x, BlockRows):
            if len(rows) > x.n_rows_of_stream():
                x = x.again()
            else:  # few rows are read only once
                self.picked = x, rows, y, weights
                index = rows.cpu()
                x, y = pick(x, index.numpy()), y[rows]
                rows = torch.arange(len(index), device=rows.device)
                weights = None if weights is None else weights[index]
        self.tensors, self.rows, self.weights = {"x_labeled": x, "y_labeled": y}, rows, weights

    def state_dict(self) -> dict[str, Any]:
        """Return what changes during a run: the rows in use, and their classes."""
        if self.picked is not None:
            _, rows, y, _ = self.picked
            return {"rows": rows, "classes": {"y_labeled": y}}
        classes = {name: y for name, y in self.tensors.items() if name.startswith("y")}
        return {"rows": self.rows, "classes": classes}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `state_dict`."""
        if self.picked is not None:
            x, rows, y, weights = self.picked
            found = state["rows"].to(rows.device), state["classes"]["y_labeled"].to(y.device)
            if not (torch.equal(found[0], rows) and torch.equal(found[1], y)):
                self.take_labeled(x, found[1], found[0], weights)
            return
        device = None if self.rows is None else self.rows.device
        self.rows = state["rows"] if device is None else state["rows"].to(device)
        classes = {name: y.to(self.tensors[name].device) for name, y in state["classes"].items()}
        self.tensors = {**self.tensors, **classes}


class Cycle:
    """Endless mini-batches of a stream; each pass over the rows is shuffled anew.

    Parameters
    ----------
    stream : the stream.
    size : largest number of rows of a mini-batch.
    generator : source of the order.

    Attributes
    ----------
    left : indices of the mini-batches that are left of this pass, the next one last.
    """

    def __init__(self, stream: Stream, size: int, generator: torch.Generator) -> None:
        self.stream, self.size, self.generator = stream, size, generator
        self.left: list[Tensor] = []
        self.version = stream.version

    def __iter__(self) -> Cycle:
        return self

    def __next__(self) -> dict[str, Tensor]:
        if not self.left:
            self.left = self.stream.shuffled(self.size, self.generator)[::-1]
        return self.stream.batch(self.left.pop(), self.generator.device)

    def drop_stale(self) -> None:
        """Start a new pass if the stream has taken other rows of a table on disk."""
        if self.version != self.stream.version:
            self.left, self.version = [], self.stream.version

    def state_dict(self) -> dict[str, Any]:
        """Return the rows that are left of this pass, and the sizes of their mini-batches."""
        empty = torch.zeros(0, dtype=torch.int64)
        return {
            "left": torch.cat(self.left) if self.left else empty,
            "sizes": [len(index) for index in self.left],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `state_dict`."""
        self.left, self.version = list(state["left"].split(state["sizes"])), self.stream.version


def repeat_by_weight(rows: Tensor, weights: Tensor, generator: torch.Generator) -> Tensor:
    """Return as many of the rows (n,), each as often as its weight (n,) relative to the mean.

    A number of times that is not whole is rounded up or down at random. The weights are on the CPU.
    """
    n, device = len(rows), rows.device
    ends = weights.double().cumsum(0)
    start = torch.rand((), generator=generator, device=device, dtype=torch.float32).item()
    steps = (torch.arange(n, dtype=torch.float64) + start) * (ends[-1] / n)
    places = torch.searchsorted(ends, steps, right=True).clamp(max=n - 1)
    return rows[places.to(device)][torch.randperm(n, generator=generator, device=device)]
