"""Copies of the state of a step, and early stopping, which keeps the best one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from skaae.private_torch import foreach_copy
from skaae.training.schedule import Schedule, Stage

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

    def weight_size(self) -> float:
        """Return the root mean square of all weights."""

    def restart_optimizers(self) -> None:
        """Forget the running means of gradients."""

    def forget_copies(self) -> None:
        """Drop cached copies of the weights."""

    def state_dict(self) -> dict[str, Any]:
        """Return what training needs to continue, as tensors and plain values."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `state_dict`."""


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

    def state_dict(self) -> dict[str, Any]:
        """Return the copy as tensors and plain values."""
        return {"tensors": self._copies, "generator": self._generator, "stage": self._stage.name}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set the copy to the result of `state_dict`."""
        with torch.no_grad():
            foreach_copy(self._copies, list(state["tensors"]))
        self._generator = state["generator"]
        self._stage = self.step.schedule.stages[self.step.schedule.position(state["stage"])]

    def restore(self) -> None:
        """Set the state of the step to the copy."""
        with torch.no_grad():
            foreach_copy(self.step.tensors(), self._copies)
        self.step.generator.set_state(self._generator)
        self.step.stage = self._stage
        self.step.forget_copies()


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
        if loss < self._least:
            if self.best is None:
                self.best = Snapshot(self.step)
            else:
                self.best.take()
        # last, so that nothing has changed if the user interrupts what comes before
        self._n_without = 0 if loss < self._least - self.tol else self._n_without + 1
        self._least = min(self._least, loss)
        self.losses.append(loss)
        return self._n_without >= self.n_iter_no_change

    def state_dict(self) -> dict[str, Any]:
        """Return the losses and the best state so far."""
        best = None if self.best is None else self.best.state_dict()
        return {
            "losses": self.losses,
            "least": self._least,
            "n_without": self._n_without,
            "best": best,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `state_dict`."""
        self.losses = list(state["losses"])
        self._least, self._n_without = state["least"], state["n_without"]
        if state["best"] is not None:
            self.best = Snapshot(self.step)
            self.best.load_state_dict(state["best"])

    def restore_best(self) -> None:
        """Restore the best state, if the validation loss was ever computed."""
        if self.best is not None:
            self.best.restore()
