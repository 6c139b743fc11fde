"""The training loop: shuffles, slices, calls the step, averages its losses.

Knows nothing of autoencoders: a step is any callable that takes tensors by name and returns a
dict of detached scalars.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from skaae.device import to_device

Step = Callable[..., dict[str, Tensor]]
History = dict[str, list[float]]


@dataclass
class Stream:
    """Rows that a step takes together.

    Parameters
    ----------
    tensors : by the name of the step's argument, all with the same first dimension.
    rows : indices of the rows to use, or None for all of them.
    n_epochs : number of epochs in which the rows take part, or None for all of them.
    """

    tensors: Mapping[str, Tensor]
    rows: Tensor | None = None
    n_epochs: int | None = None

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())) if self.rows is None else self.rows)

    def batches(self, size: int, generator: torch.Generator) -> Iterator[dict[str, Tensor]]:
        """Yield the shuffled rows once, in batches of nearly equal size, none over `size`."""
        order = torch.randperm(len(self), generator=generator, device=generator.device)
        if self.rows is not None:
            order = self.rows[order]
        n_batches = math.ceil(len(self) / size)
        # a table too large for the device stays in the host's memory: its indices are there too
        places = {tensor.device for tensor in self.tensors.values()}
        parts = [order.to(place).tensor_split(n_batches) for place in places]
        for indices in zip(*parts, strict=True):
            index = dict(zip(places, indices, strict=True))
            yield {
                name: to_device(tensor[index[tensor.device]], order.device)
                for name, tensor in self.tensors.items()
            }

    def cycle(self, size: int, generator: torch.Generator) -> Iterator[dict[str, Tensor]]:
        """Yield batches without end, shuffled anew each time all rows have been used."""
        while True:
            yield from self.batches(size, generator)


class DivergenceError(FloatingPointError):
    """A loss became infinite or not a number."""

    def __init__(self, name: str, value: float, epoch: int) -> None:
        super().__init__(f"the {name} loss became {value} in epoch {epoch}")
        self.name, self.value, self.epoch = name, value, epoch


@dataclass
class EarlyStopping:
    """Say when a validation loss has stopped falling, and keep the best state.

    Parameters
    ----------
    validation_loss : computes the loss on held-out rows.
    save : returns a copy of the state to go back to.
    n_iter_no_change : epochs without an improvement of `tol` before training stops.
    """

    validation_loss: Callable[[], float]
    save: Callable[[], object]
    n_iter_no_change: int
    tol: float
    best: float = math.inf
    best_state: object = None
    losses: list[float] = field(default_factory=list)
    _n_without: int = 0

    def __call__(self) -> bool:
        """Look at the validation loss once; return True where training should stop."""
        loss = self.validation_loss()
        self.losses.append(loss)
        self._n_without = 0 if loss < self.best - self.tol else self._n_without + 1
        if loss < self.best:
            self.best, self.best_state = loss, self.save()
        return self._n_without >= self.n_iter_no_change


def train(
    step: Step,
    stream: Stream,
    *others: Stream,
    batch_size: int,
    max_iter: int,
    generator: torch.Generator,
    history: History,
    before_epoch: Callable[[int], None] | None = None,
    after_epoch: Callable[[int, dict[str, float]], bool] | None = None,
) -> None:
    """Run `max_iter` epochs over `stream`, cycling the `others` beside it.

    Parameters
    ----------
    step : called with one batch of every stream, as keyword arguments.
    stream : the rows that an epoch goes through once.
    others : rows that start over as often as an epoch needs them (the labeled ones).
    batch_size : largest number of rows in a batch of any stream.
    generator : source of the shuffles, on the device of the streams.
    history : gets the mean of every loss in each epoch that ended well, NaN for the epochs before a
        loss set in.
    before_epoch : called with the epoch, counted from 0.
    after_epoch : called with the epoch and its mean losses; True ends the training.

    Raises
    ------
    DivergenceError
        Where a loss is not finite; the history ends with the epoch before.
    """
    all_cycles = [(other.n_epochs, other.cycle(batch_size, generator)) for other in others]
    for epoch in range(max_iter):
        cycles = [cycle for n_epochs, cycle in all_cycles if n_epochs is None or epoch < n_epochs]
        if before_epoch is not None:
            before_epoch(epoch)
        batches = stream.batches(batch_size, generator)
        means = mean_losses([step(**merge(parts)) for parts in zip(batches, *cycles, strict=False)])
        for name, value in means.items():
            if not math.isfinite(value):
                raise DivergenceError(name, value, epoch + 1)
        for name, value in means.items():
            history.setdefault(name, [math.nan] * epoch).append(value)
        if after_epoch is not None and after_epoch(epoch, means):
            break


def merge(parts: tuple[dict[str, Tensor], ...]) -> dict[str, Tensor]:
    """Return the arguments of one step from one batch per stream."""
    return {name: tensor for part in parts for name, tensor in part.items()}


def mean_losses(by_batch: list[dict[str, Tensor]]) -> dict[str, float]:
    """Return the mean of each loss over batches: the loop's one wait for the device in an epoch."""
    names = list(by_batch[0])
    table = torch.stack([torch.stack([losses[name] for name in names]) for losses in by_batch])
    return dict(zip(names, table.mean(dim=0).tolist(), strict=True))
