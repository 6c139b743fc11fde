"""The training loop: epochs, stages, batches, divergence, interrupts.

The loop does not depend on what a step computes. A step is a callable that takes tensors as keyword
arguments and returns a dict of detached losses. Its method `end_stage` starts the next stage.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from skaae.training import ranks
from skaae.training.schedule import ADD_PSEUDO_LABELS
from skaae.training.snapshots import EarlyStopping, Losses, Snapshot, Trainable
from skaae.training.streams import Cycle, Stream

History = dict[str, list[Any]]

# A fit goes back by an epoch at most so many times, each time with learning rates times SLOWDOWN.
MOST_RETURNS = 3
SLOWDOWN = 0.1
# Weights that grow by this factor in an epoch are lost, though still finite. Weights that start
# near 0 may grow faster, up to this factor times LEAST_SIZE. Sizes are root mean squares.
EXPLOSION = 10.0
LEAST_SIZE = 0.1
# Losses of so many batches are added up at once.
BATCHES_IN_TABLE = 64
# Two interrupts within so many seconds end at once: in a search, each would end one fit only.
SECONDS_BETWEEN_INTERRUPTS = 3.0


class DivergenceError(FloatingPointError):
    """A loss or a weight became infinite or not a number, or all weights exploded."""

    def __init__(self, what: str, epoch: int) -> None:
        super().__init__(f"{what} in epoch {epoch}")
        self.what, self.epoch = what, epoch


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
    slowdown : factor of all learning rates, which falls when training diverges.
    """

    streams: Sequence[Stream]
    batch_size: int
    n_epochs: int
    n_done: int = 0
    n_planned: int = 0
    learning_rate: Callable[[int, int], float] = lambda epoch, n_planned: 1.0
    actions: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    stopping: EarlyStopping | None = None
    slowdown: float = 1.0
    history: History = field(default_factory=dict)

    def prepare(self, step: Trainable, epoch: int) -> None:
        """Prepare an epoch: set learning rates, go to its stage, add pseudo-labels."""
        now, planned = self._now_and_planned(epoch)
        self.set_learning_rates(step, epoch)
        target = step.schedule.position_at(now / planned)
        # never go back to an earlier stage, even if more epochs are planned now
        while step.schedule.position(step.stage.name) < target:
            for name in step.stage.on_exit:
                self.actions.get(name, nothing)()
            step.end_stage()
        shares = step.schedule.pseudo_labels_at
        if epoch in {int(share * self.n_epochs) for share in shares} - {0}:
            self.actions.get(ADD_PSEUDO_LABELS, nothing)()

    def set_learning_rates(self, step: Trainable, epoch: int) -> None:
        """Set the learning rates of an epoch."""
        step.scale_learning_rates(self.slowdown * self.learning_rate(*self._now_and_planned(epoch)))

    def _now_and_planned(self, epoch: int) -> tuple[int, int]:
        """Return an epoch of this run, and the number of epochs, both counted over all runs."""
        return self.n_done + epoch, max(self.n_planned, self.n_done + self.n_epochs)

    def keep(self, step: Trainable, epoch: int, means: dict[str, float]) -> None:
        """Add an epoch to the history; a loss is NaN in epochs before it first appears."""
        self.history.setdefault("stage", []).append(step.stage.name)
        for name, value in means.items():
            self.history.setdefault(name, [math.nan] * epoch).append(value)


class Hooks:
    """What the loop calls in every epoch; the methods of this class do nothing."""

    def before_epoch(self, epoch: int) -> None:
        """Prepare for an epoch, counted from 0."""

    def after_epoch(self, epoch: int, means: dict[str, float]) -> bool:
        """Use the mean losses of an epoch; return True to end the training."""
        return False

    def on_return(self, error: DivergenceError, epoch: int) -> None:
        """Note that the epoch diverged, and that the loop goes back and repeats it more slowly."""

    def on_interrupt(self, n_epochs: int) -> None:
        """Note that the user ended the training after so many epochs."""

    def after_all(self, loop: Loop) -> None:
        """Use the state of the loop between two epochs."""


class EpochStart:
    """The state of a loop at the start of an epoch, to go back to."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.snapshot = loop, Snapshot(loop.step)
        self._keep_order()

    def take(self) -> None:
        """Replace the state by that of now."""
        self.snapshot.take()
        self._keep_order()

    def restore(self) -> None:
        """Give the loop this state."""
        self.snapshot.restore()
        self.loop.order.set_state(self.order)
        for cycle, left in zip(self.loop.cycles, self.left, strict=True):
            cycle.left = list(left)

    def _keep_order(self) -> None:
        self.left = [list(cycle.left) for cycle in self.loop.cycles]
        self.order = self.loop.order.get_state()


class Loop:
    """The training of a step for the epochs of a run; mean losses go to `run.history`.

    Parameters
    ----------
    step : the step to train.
    run : the plan of the run.
    call : called in place of the step with one batch of every stream, as keyword arguments.
    hooks : what is called in every epoch.

    Attributes
    ----------
    n_trained : number of epochs of this run that are done.
    order : source of the order of rows. With several ranks it is not the generator of the step.
    returns : what diverged and in which epoch, for each time that the loop went back.
    ended : whether no epoch is left, or early stopping or a hook has ended the training.
    """

    last_interrupt = -math.inf  # of any fit of this process

    def __init__(
        self,
        step: Trainable,
        run: Run,
        call: Callable[..., Losses] | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        self.step, self.run, self.call, self.hooks = step, run, call or step, hooks or Hooks()
        self.first, *others = run.streams
        self.ranks, self.order = ranks.current(), step.generator
        if self.ranks is not None:  # the step draws other numbers on each rank
            self.order = self.ranks.common(step.generator)
            for stream in run.streams:
                stream.part = self.ranks.part
        self.cycles = [Cycle(other, run.batch_size, self.order) for other in others]
        self.n_trained, self.ended = 0, False
        self.returns: list[tuple[str, int]] = []
        self._start: EpochStart | None = None
        self._is_whole = True  # whether no epoch has begun to change weights
        self._size: float | None = None  # of the weights after the last whole epoch

    def train(self) -> None:
        """Train for the epochs that are left.

        An epoch in which a loss or a weight is not finite is repeated with lower learning rates. If
        the user interrupts the training, it ends with the state after the last whole epoch.

        Raises
        ------
        DivergenceError
            If epochs diverged too often, or if the run has only one epoch.
        KeyboardInterrupt
            If no epoch was whole, if the run has only one, or soon after another interrupt.
        """
        while not self.ended:
            try:
                self._train_epoch()
            except KeyboardInterrupt:
                now, before = time.monotonic(), Loop.last_interrupt
                Loop.last_interrupt = now
                soon = now - before < SECONDS_BETWEEN_INTERRUPTS
                if self.n_trained == 0 or self.run.n_epochs == 1 or soon:
                    raise
                self._forget_epoch()
                break

    def _train_epoch(self) -> None:
        """Train for one epoch."""
        step, run, epoch = self.step, self.run, self.n_trained
        run.prepare(step, epoch)
        for cycle in self.cycles:
            cycle.drop_stale()
        if self.ranks is not None:
            self.ranks.begin_epoch(step, run.streams, self.order)
        step.forget_copies()
        self.hooks.before_epoch(epoch)
        self._keep_start()
        before = step.weight_size() if self._size is None else self._size
        while True:
            batches = self.first.batches(run.batch_size, self.order)
            cycles = [cycle for cycle in self.cycles if takes_part(step, cycle.stream.phase)]
            parts = zip(batches, *cycles, strict=False)
            losses = MeanLosses()
            for part in parts:
                losses.add(self.call(**merge(part)))
            means = losses.means()
            if self.ranks is not None:
                means = self.ranks.total(means)
            step.forget_copies()  # the model may have been used for inference during the epoch
            after = step.weight_size()
            error = find_divergence(means, after, before, run.n_done + epoch)
            if error is None:
                break
            self._slow_down(error)
        run.keep(step, epoch, means)
        self._is_whole, self._size = True, after
        self.n_trained += 1
        self.ended = self.n_trained >= run.n_epochs
        if self.hooks.after_epoch(epoch, means):
            self.ended = True
        if run.stopping is not None and run.stopping():
            self.ended = True
        if self.ranks is not None:
            self.ended, interrupted = self.ranks.agree(self.ended)
            if interrupted:
                self.hooks.on_interrupt(self.n_trained)
        self.hooks.after_all(self)

    def _keep_start(self) -> None:
        """Copy the state at the start of the epoch, unless it is the only one of the run."""
        if self.run.n_epochs == 1:
            return
        if self._start is None:
            self._start = EpochStart(self)
        else:
            self._start.take()
        self._is_whole = False

    def _slow_down(self, error: DivergenceError) -> None:
        """Go back to the start of the epoch and lower the learning rates, or raise the error."""
        if self._start is None or len(self.returns) == MOST_RETURNS:
            raise error
        self._start.restore()
        self.step.restart_optimizers()  # their running means may have grown before the weights
        self.returns.append((error.what, error.epoch))
        self.run.slowdown *= SLOWDOWN
        self.run.set_learning_rates(self.step, self.n_trained)
        self.hooks.on_return(error, self.n_trained)

    def _forget_epoch(self) -> None:
        """Restore the state after the last whole epoch, and tell the user."""
        if not self._is_whole and self._start is not None:
            self._start.restore()
        for values in self.run.history.values():
            del values[self.n_trained :]
        stopping = self.run.stopping
        if stopping is not None and len(stopping.losses) < self.n_trained:
            self.ended = stopping() or self.ended  # it was interrupted
        self.hooks.on_interrupt(self.n_trained)
        self.hooks.after_all(self)

    def state_dict(self) -> dict[str, Any]:
        """Return what a new loop needs to go on after the last epoch, as tensors and values."""
        stopping = self.run.stopping
        return {
            # the other random numbers follow from the order, for any number of ranks
            "step": {**self.step.state_dict(), "generator": self.order.get_state()},
            "n_epochs": self.n_trained,
            "ended": self.ended,
            "returns": self.returns,
            "slowdown": self.run.slowdown,
            "history": self.run.history,
            "streams": [stream.state_dict() for stream in self.run.streams],
            "cycles": [cycle.state_dict() for cycle in self.cycles],
            "stopping": None if stopping is None else stopping.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `state_dict` of a loop with the same step and run."""
        self.step.load_state_dict(state["step"])
        self.order.set_state(self.step.generator.get_state())
        self.n_trained, self.ended = state["n_epochs"], state["ended"]
        self.returns = [tuple(found) for found in state["returns"]]
        self.run.slowdown = state["slowdown"]
        self.run.history.update(state["history"])
        for stream, saved in zip(self.run.streams, state["streams"], strict=True):
            stream.load_state_dict(saved)
        for cycle, saved in zip(self.cycles, state["cycles"], strict=True):
            cycle.load_state_dict(saved)
        if self.run.stopping is not None:
            self.run.stopping.load_state_dict(state["stopping"])


def takes_part(step: Trainable, phase: str | None) -> bool:
    """Return whether this stage uses the rows of a stream with this phase."""
    return phase is None or phase in step.stage.moves_label


def nothing() -> None:
    """Do nothing."""


def find_divergence(
    means: dict[str, float], size: float, size_before: float, epoch: int
) -> DivergenceError | None:
    """Return the error if a mean loss or a weight is not finite, or if the weights have exploded.

    The sizes are the root mean square of all weights after and before the epoch, counted from 0.
    """
    for name, value in means.items():
        if not math.isfinite(value):
            return DivergenceError(f"the {name} loss became {value}", epoch + 1)
    if not math.isfinite(size):
        return DivergenceError("a weight became infinite or not a number", epoch + 1)
    if size > EXPLOSION * max(size_before, LEAST_SIZE):
        what = f"the root mean square of all weights rose from {size_before:.3g} to {size:.3g}"
        return DivergenceError(what, epoch + 1)
    return None


def merge(parts: tuple[dict[str, Tensor], ...]) -> dict[str, Tensor]:
    """Return the arguments of one step from one batch per stream."""
    return {name: tensor for part in parts for name, tensor in part.items()}


class MeanLosses:
    """Adds up the losses of batches, and waits only once for the device.

    The losses of a batch are copied into a table at once. Kept as they are, such small tensors
    would lie between the large ones that each batch needs, and fragment the memory.
    """

    def __init__(self) -> None:
        self.n_batches = 0
        self.names: list[str] = []
        self.table = self.total = torch.empty(0)

    def add(self, losses: dict[str, Tensor]) -> None:
        """Add the losses of a batch, by name; all batches have the same names."""
        if self.n_batches == 0:
            self.names = list(losses)
            first = losses[self.names[0]]
            self.table = first.new_empty(BATCHES_IN_TABLE, len(losses))
            self.total = first.new_zeros(len(losses))
        place = self.n_batches % BATCHES_IN_TABLE
        torch.stack([losses[name] for name in self.names], out=self.table[place])
        self.n_batches += 1
        if place == BATCHES_IN_TABLE - 1:
            self.total += self.table.sum(dim=0)

    def means(self) -> dict[str, float]:
        """Return the mean of each loss by name."""
        rest = self.table[: self.n_batches % BATCHES_IN_TABLE]
        found = (self.total + rest.sum(dim=0)) / self.n_batches
        return dict(zip(self.names, found.tolist(), strict=True))
