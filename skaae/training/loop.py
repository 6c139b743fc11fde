"""The training loop: epochs, stages, batches, early stopping, divergence.

The loop does not depend on what a step computes. A step is a callable that takes tensors as keyword
arguments and returns a dict of detached losses. Its method `end_stage` starts the next stage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from skaae.device import to_device
from skaae.private_torch import foreach_copy
from skaae.training.schedule import ADD_PSEUDO_LABELS, Schedule, Stage

History = dict[str, list[Any]]
Losses = dict[str, Tensor]


class Trainable(Protocol):
    """The interface of a step, as the loop uses it."""

    stage: Stage
    schedule: Schedule
    generator: torch.Generator
    spare: Any  # a snapshot whose memory can be reused, or None

    def __call__(self, *batch: Any, **named: Any) -> Losses:
        """Update on one batch of every stream, and return detached losses by name."""

    def end_stage(self) -> None:
        """Go on to the next stage."""

    def scale_learning_rates(self, factor: float) -> None:
        """Set every learning rate to its initial value times `factor`."""

    def tensors(self) -> list[Tensor]:
        """Return every tensor that training changes in place."""

    def is_finite(self) -> Tensor:
        """Return whether all weights are finite."""

    def forget_copies(self) -> None:
        """Drop cached copies of the weights."""


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
    """

    tensors: Mapping[str, Tensor]
    rows: Tensor | None = None
    phase: str | None = None
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())) if self.rows is None else self.rows)

    def batches(self, size: int, generator: torch.Generator) -> Iterator[dict[str, Tensor]]:
        """Yield the shuffled rows once, in batches of nearly equal size, none over `size`.

        With weights, as many rows are drawn as there are, each as often as its weight says.
        """
        order = torch.randperm(len(self), generator=generator, device=generator.device)
        if self.rows is not None:
            order = self.rows[order]
        if self.weights is not None:
            order = repeat_by_weight(order, self.weights[order.cpu()], generator)
        n_batches = math.ceil(len(self) / size)
        # a table too large for the device is in the host's memory, where its indices must be too
        places = {tensor.device for tensor in self.tensors.values()}
        parts = [order.to(place).tensor_split(n_batches) for place in places]
        for indices in zip(*parts, strict=True):
            index = dict(zip(places, indices, strict=True))
            yield {
                name: to_device(tensor[index[tensor.device]], order.device)
                for name, tensor in self.tensors.items()
            }

    def cycle(self, size: int, generator: torch.Generator) -> Iterator[dict[str, Tensor]]:
        """Yield batches endlessly; each pass over the rows is shuffled anew."""
        while True:
            yield from self.batches(size, generator)


def repeat_by_weight(rows: Tensor, weights: Tensor, generator: torch.Generator) -> Tensor:
    """Return as many of the rows (n,), each as often as its weight (n,) relative to the mean.

    A number of times that is not whole is rounded up or down at random. The weights are on the CPU.
    """
    n, device = len(rows), rows.device
    ends = weights.double().cumsum(0)
    start = torch.rand((), generator=generator, device=device).item()
    steps = (torch.arange(n, dtype=torch.float64) + start) * (ends[-1] / n)
    places = torch.searchsorted(ends, steps, right=True).clamp(max=n - 1)
    return rows[places.to(device)][torch.randperm(n, generator=generator, device=device)]


class Snapshot:
    """A copy of a step's state, to restore it later; taking it again allocates no memory."""

    def __init__(self, step: Trainable) -> None:
        self.step = step
        self._copies = [torch.empty_like(tensor) for tensor in step.tensors()]
        self.take()

    @classmethod
    def again(cls, step: Trainable) -> Snapshot:
        """Return a snapshot that reuses the memory of the step's last one from this method."""
        if step.spare is None:
            step.spare = cls(step)
        else:
            step.spare.take()
        return step.spare

    def take(self) -> None:
        """Copy the current state."""
        with torch.no_grad():
            foreach_copy(self._copies, self.step.tensors())
        self._generator, self._stage = self.step.generator.get_state(), self.step.stage

    def restore(self) -> None:
        """Set the state of the step to the copy."""
        with torch.no_grad():
            foreach_copy(self.step.tensors(), self._copies)
        self.step.generator.set_state(self._generator)
        self.step.stage = self._stage
        self.step.forget_copies()


class DivergenceError(FloatingPointError):
    """A loss or a weight became infinite or not a number."""

    def __init__(self, what: str, epoch: int) -> None:
        super().__init__(f"{what} in epoch {epoch}")
        self.what, self.epoch = what, epoch


@dataclass
class EarlyStopping:
    """Stops training when the validation loss no longer falls, and keeps the best state.

    Parameters
    ----------
    validation_loss : function that returns the loss on held-out rows.
    step : the step whose best state is kept.
    n_iter_no_change : number of consecutive epochs without improvement before training stops.
    tol : smallest decrease of the loss that counts as an improvement.
    first_epoch : epoch of the run from which on losses are compared.
    """

    validation_loss: Callable[[], float]
    step: Trainable
    n_iter_no_change: int
    tol: float
    first_epoch: int = 0
    losses: list[float] = field(default_factory=list)
    best: Snapshot | None = None
    _least: float = math.inf
    _n_without: int = 0

    def __call__(self) -> bool:
        """Compute the validation loss after an epoch; return whether training should stop.

        Epochs before the last stage do not count, because each stage trains with other losses.
        """
        early = len(self.losses) < self.first_epoch
        if early or self.step.stage != self.step.schedule.stages[-1]:
            self.losses.append(math.nan)
            return False
        loss = self.validation_loss()
        self.losses.append(loss)
        self._n_without = 0 if loss < self._least - self.tol else self._n_without + 1
        if loss < self._least:
            self._least = loss
            if self.best is None:
                self.best = Snapshot(self.step)
            else:
                self.best.take()
        return self._n_without >= self.n_iter_no_change

    def restore_best(self) -> None:
        """Restore the best state, if the validation loss was ever computed."""
        if self.best is not None:
            self.best.restore()


@dataclass
class Run:
    """One run of the loop.

    Parameters
    ----------
    streams : the first stream has the rows that an epoch uses once. Other streams (labeled rows)
        are repeated as often as an epoch needs.
    batch_size : largest number of rows in a batch of any stream.
    n_epochs : number of epochs of this run.
    n_done : number of epochs of the runs before it.
    n_planned : number of epochs, counted over all runs, at which schedules end.
    learning_rate : called with an epoch and n_planned; returns the factor of learning rates.
    actions : functions that are called at the end of stages, by the names in `Stage.on_exit`.
    stopping : early stopping, or None.
    """

    streams: Sequence[Stream]
    batch_size: int
    n_epochs: int
    n_done: int = 0
    n_planned: int = 0
    learning_rate: Callable[[int, int], float] = lambda epoch, n_planned: 1.0
    actions: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    stopping: EarlyStopping | None = None
    history: History = field(default_factory=dict)

    def prepare(self, step: Trainable, epoch: int) -> None:
        """Prepare an epoch: set learning rates, go to its stage, add pseudo-labels."""
        now, planned = self.n_done + epoch, max(self.n_planned, self.n_done + self.n_epochs)
        step.scale_learning_rates(self.learning_rate(now, planned))
        target = step.schedule.position_at(now / planned)
        # never go back to an earlier stage, even if more epochs are planned now
        while step.schedule.position(step.stage.name) < target:
            for name in step.stage.on_exit:
                self.actions.get(name, nothing)()
            step.end_stage()
        shares = step.schedule.pseudo_labels_at
        if epoch in {int(share * self.n_epochs) for share in shares} - {0}:
            self.actions.get(ADD_PSEUDO_LABELS, nothing)()

    def keep(self, step: Trainable, epoch: int, means: dict[str, float]) -> None:
        """Add an epoch to the history; a loss is NaN in epochs before it first appears."""
        self.history.setdefault("stage", []).append(step.stage.name)
        for name, value in means.items():
            self.history.setdefault(name, [math.nan] * epoch).append(value)


def train(
    step: Trainable,
    run: Run,
    call: Callable[..., Losses] | None = None,
    before_epoch: Callable[[int], object] = lambda epoch: None,
    after_epoch: Callable[[int, dict[str, float]], bool] = lambda epoch, means: False,
) -> None:
    """Train for the epochs of a run, and add their mean losses to `run.history`.

    Parameters
    ----------
    step : the step to train.
    call : called in place of the step with one batch of every stream, as keyword arguments.
    before_epoch : called with the epoch, counted from 0.
    after_epoch : called with the epoch and its mean losses; it returns True to end the training.

    Raises
    ------
    DivergenceError
        If a loss or a weight is not finite. The step then has its state from the end of the
        previous epoch, except after the first epoch.
    """
    first, *others = run.streams
    cycles = [(other.phase, other.cycle(run.batch_size, step.generator)) for other in others]
    good: Snapshot | None = None
    for epoch in range(run.n_epochs):
        if good is not None:
            good.take()
        elif epoch > 0:
            good = Snapshot(step)
        run.prepare(step, epoch)
        step.forget_copies()
        before_epoch(epoch)
        batches = first.batches(run.batch_size, step.generator)
        parts = zip(
            batches, *(cycle for phase, cycle in cycles if takes_part(step, phase)), strict=False
        )
        means = mean_losses([(call or step)(**merge(part)) for part in parts])
        step.forget_copies()  # the model may have been used for inference during the epoch
        try:
            require_finite(step, means, epoch)
        except DivergenceError:
            if good is not None:
                good.restore()
            raise
        run.keep(step, epoch, means)
        asked = after_epoch(epoch, means)
        if (run.stopping is not None and run.stopping()) or asked:
            break


def takes_part(step: Trainable, phase: str | None) -> bool:
    """Return whether this stage uses the rows of a stream with this phase."""
    return phase is None or phase in step.stage.moves_label


def nothing() -> None:
    """Do nothing."""


def require_finite(step: Trainable, means: dict[str, float], epoch: int) -> None:
    """Raise DivergenceError if a mean loss or a weight is not finite."""
    for name, value in means.items():
        if not math.isfinite(value):
            raise DivergenceError(f"the {name} loss became {value}", epoch + 1)
    if not bool(step.is_finite()):
        raise DivergenceError("a weight became infinite or not a number", epoch + 1)


def merge(parts: tuple[dict[str, Tensor], ...]) -> dict[str, Tensor]:
    """Return the arguments of one step from one batch per stream."""
    return {name: tensor for part in parts for name, tensor in part.items()}


def mean_losses(by_batch: list[dict[str, Tensor]]) -> dict[str, float]:
    """Return the mean of each loss over batches, waiting only once for the device."""
    names = list(by_batch[0])
    table = torch.stack([torch.stack([losses[name] for name in names]) for losses in by_batch])
    return dict(zip(names, table.mean(dim=0).tolist(), strict=True))
