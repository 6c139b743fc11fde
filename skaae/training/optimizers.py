"""SGD with momentum and Adam, each step one call of PyTorch's fused kernels.

For networks of 64 units the bookkeeping of `torch.optim` would take much of a step's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skaae.private_torch import foreach_div, foreach_zero, fused_adam, fused_sgd


@dataclass
class PhaseRates:
    """Learning rate and momentum (Adam's beta_1) of one phase's optimiser."""

    learning_rate: float
    momentum: float


class Optimizer:
    """Moves weights by their gradients.

    Parameters
    ----------
    weights : moved in place; all on one device.
    rates : initial learning rate, and momentum.

    Attributes
    ----------
    learning_rate : of the next step; a tensor on the weights' device, as a captured step needs it.
    memory : running means of each weight's gradients, by name.
    """

    def __init__(self, weights: Sequence[Tensor], rates: PhaseRates) -> None:
        self.weights = list(weights)
        self.rates = rates
        device = self.weights[0].device
        self.learning_rate = torch.tensor(rates.learning_rate, dtype=torch.float32, device=device)
        self.n_steps = torch.zeros((), dtype=torch.float32, device=device)
        self.memory = {name: [torch.zeros_like(w) for w in self.weights] for name in self.names}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the running means of gradients."""
        raise NotImplementedError

    def step(self, gradients: Sequence[Tensor | None], divisor: Tensor | None = None) -> None:
        """Move the weights that have a gradient, by their gradients over `divisor`."""
        used = [index for index, gradient in enumerate(gradients) if gradient is not None]
        if not used:
            return
        columns: list[Any] = [
            [tensors[index] for index in used]
            for tensors in (self.weights, gradients, *self.memory.values())
        ]
        weights, given, *memory = columns
        given = [in_layout_of(*pair) for pair in zip(weights, given, strict=True)]
        self.n_steps.add_(1.0)
        with torch.no_grad():
            if divisor is not None and divisor.device.type not in ("cpu", "cuda"):
                # elsewhere the fused kernels do not divide on their way
                foreach_div(given, divisor)
                divisor = None
            self._move(weights, given, memory, divisor)

    def restart(self) -> None:
        """Forget all gradients, so that the next step is like the first."""
        self.n_steps.zero_()
        for tensors in self.memory.values():
            foreach_zero(tensors)

    def scale_learning_rate(self, factor: float) -> None:
        """Set the learning rate to its initial value times `factor`."""
        self.learning_rate.fill_(self.rates.learning_rate * factor)

    def tensors(self) -> list[Tensor]:
        """Return every tensor but the weights that a step changes in place."""
        memory = [tensor for tensors in self.memory.values() for tensor in tensors]
        return [self.learning_rate, self.n_steps, *memory]

    def state_dict(self) -> dict[str, Any]:
        """Return what later steps depend on."""
        return {
            "learning_rate": self.learning_rate,
            "n_steps": self.n_steps,
            "memory": self.memory,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.learning_rate.copy_(state["learning_rate"])
        self.n_steps.copy_(state["n_steps"])
        for name, tensors in self.memory.items():
            for tensor, saved in zip(tensors, state["memory"][name], strict=True):
                tensor.copy_(saved)

    def _move(self, weights: Any, gradients: Any, memory: Any, divisor: Tensor | None) -> None:
        """Move weights and memory, all lists of the same length."""
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent with momentum."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the running means: none without momentum."""
        return ("velocity",) if self.rates.momentum > 0.0 else ()

    def _move(self, weights: Any, gradients: Any, memory: Any, divisor: Tensor | None) -> None:
        velocity = memory[0] if memory else []
        fused_sgd(
            weights,
            gradients,
            velocity,
            weight_decay=0.0,
            momentum=self.rates.momentum,
            lr=self.learning_rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
            grad_scale=divisor,
        )


class Adam(Optimizer):
    """Adam with the momentum as its beta_1."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the running means: of the gradient and of its square."""
        return "mean", "mean_of_squares"

    def _move(self, weights: Any, gradients: Any, memory: Any, divisor: Tensor | None) -> None:
        mean, mean_of_squares = memory
        fused_adam(
            weights,
            gradients,
            mean,
            mean_of_squares,
            [],
            [self.n_steps] * len(weights),
            lr=self.learning_rate,
            beta1=self.rates.momentum,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
            grad_scale=divisor,
        )


def in_layout_of(weight: Tensor, gradient: Tensor) -> Tensor:
    """Return a gradient with the strides of its weight: fused kernels walk through memory.

    The gradients of convolutions have the channels last.
    """
    if gradient.stride() == weight.stride():
        return gradient
    return torch.empty_like(weight).copy_(gradient)


def make_optimizer(solver: str, weights: Sequence[Tensor], rates: PhaseRates) -> Optimizer:
    """Return the optimiser of a solver's name: "sgd" or "adam"."""
    return {"sgd": SGD, "adam": Adam}[solver](weights, rates)
