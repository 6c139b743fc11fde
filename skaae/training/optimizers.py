"""SGD with momentum and Adam; one step is one call of PyTorch's fused kernels.

With `torch.optim`, small networks would spend much of a step's time on its bookkeeping.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skaae.networks.autoencoder import AdversarialAutoencoder
from skaae.private_torch import foreach_div, foreach_norm, foreach_zero, fused_adam, fused_sgd


@dataclass
class PhaseRates:
    """Learning rate and momentum (Adam's beta_1) of one phase's optimiser."""

    learning_rate: float
    momentum: float


class Optimizer:
    """Updates weights with their gradients.

    Parameters
    ----------
    weights : weights to update in place, all on one device.
    rates : initial learning rate, and momentum.

    Attributes
    ----------
    learning_rate : learning rate of the next step. It is a tensor on the weights' device, because a
        step recorded as a CUDA graph cannot read Python values.
    memory : the running means that the optimiser keeps. The key is the name of the mean (see
        `names`); the value has one tensor for each weight.
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
        """Update the weights that have a gradient; gradients are divided by `divisor`."""
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
                # on other devices the fused kernels do not divide gradients
                foreach_div(given, divisor)
                divisor = None
            self._move(weights, given, memory, divisor)

    def restart(self) -> None:
        """Set steps and running means to 0, so that the next step is like the first."""
        self.n_steps.zero_()
        for tensors in self.memory.values():
            foreach_zero(tensors)

    def scale_learning_rate(self, factor: float) -> None:
        """Set the learning rate to its initial value times `factor`."""
        self.learning_rate.fill_(self.rates.learning_rate * factor)

    def tensors(self) -> list[Tensor]:
        """Return all tensors, except the weights, that training changes in place."""
        memory = [tensor for tensors in self.memory.values() for tensor in tensors]
        return [self.learning_rate, self.n_steps, *memory]

    def state_dict(self) -> dict[str, Any]:
        """Return the state that later steps depend on."""
        return {
            "learning_rate": self.learning_rate,
            "n_steps": self.n_steps,
            "memory": self.memory,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self.learning_rate.copy_(state["learning_rate"])
        self.n_steps.copy_(state["n_steps"])
        for name, tensors in self.memory.items():
            for tensor, saved in zip(tensors, state["memory"][name], strict=True):
                tensor.copy_(saved)

    def _move(self, weights: Any, gradients: Any, memory: Any, divisor: Tensor | None) -> None:
        """Update weights and memory in place; all lists have the same length."""
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent with momentum."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the running means; without momentum there are none."""
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
    """Adam, with the momentum of the phase as beta_1."""

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
    """Return the gradient with the strides of its weight, which the fused kernels require.

    The strides differ for convolutions, whose gradients have the channels last.
    """
    if gradient.stride() == weight.stride():
        return gradient
    return torch.empty_like(weight).copy_(gradient)


def excess(gradients: Sequence[Tensor | None], largest: float | None) -> Tensor | None:
    """Return the divisor of gradients: their norm over the largest allowed, at least 1."""
    found = [gradient for gradient in gradients if gradient is not None]
    if largest is None or not found:
        return None
    norm = torch.linalg.vector_norm(torch.stack(foreach_norm(found)))
    return (norm / largest).clamp(min=1.0)


def make_optimizer(solver: str, weights: Sequence[Tensor], rates: PhaseRates) -> Optimizer:
    """Return the optimiser for a solver, "sgd" or "adam"."""
    return {"sgd": SGD, "adam": Adam}[solver](weights, rates)


def weights_of(
    networks: AdversarialAutoencoder, phase: str, phases: Collection[str]
) -> list[Tensor]:
    """Return the weights that a phase trains, in a model that has these phases."""
    encoder, decoder = networks.encoder, networks.decoder
    modules: dict[str, list[Any]] = {
        # only the neighbours of a row should move it on a map that keeps them
        "reconstruction": [decoder] if "neighbours" in phases else [encoder, decoder],
        "discriminator": [networks.discriminators],
        "generator": [encoder],
        "neighbours": [encoder],
    }
    if phase in ("classification", "virtual_adversarial"):
        weights: list[Tensor] = list(encoder.label_parameters())
    else:
        weights = [weight for module in modules[phase] for weight in module.parameters()]
    # a weight that encoder and decoder share is there once
    return list({id(weight): weight for weight in weights if weight.requires_grad}.values())
