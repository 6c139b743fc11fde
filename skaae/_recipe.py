"""The plain values that networks, priors and step are built from.

What a pickle keeps in place of torch objects: a recipe and arrays rebuild the step on any machine.
Knows nothing of estimators and their parameters.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from skaae._device import make_generator, resolve_device, resolve_precision
from skaae._networks import AdversarialAutoencoder
from skaae._step import AAEStep, PhaseRates
from skaae.priors import Prior


@dataclass(frozen=True)
class Recipe:
    """Everything but the weights.

    Parameters
    ----------
    n_features : number of features of a row.
    blocks : size of each block of the code by name.
    priors : prior of each block by name.
    hidden, discriminator_hidden : widths of the hidden layers.
    rates : learning rate and momentum by phase.
    device, precision : as the user gave them; "auto" is decided on the machine at hand.
    seed : of the weights and of all randomness in training.

    The others are those of `AdversarialAutoencoder` and `AAEStep`.
    """

    n_features: int
    blocks: Mapping[str, int]
    priors: Mapping[str, Prior]
    hidden: tuple[int, ...]
    discriminator_hidden: tuple[int, ...]
    activation: str
    dropout: float
    weight_init: str | float
    rates: Mapping[str, PhaseRates]
    solver: str
    reconstruction_loss: str
    sigmoid: bool
    input_noise: float
    max_gradient_norm: float | None
    precision: str
    device: str
    seed: int

    def build(self) -> AAEStep:
        """Return networks with fresh weights in a step that has not been taken yet."""
        device = resolve_device(self.device)
        networks = AdversarialAutoencoder(
            self.n_features,
            self.blocks,
            self.hidden,
            self.discriminator_hidden,
            self.activation,
            self.dropout,
        )
        # drawn on the CPU: one seed gives the same weights on every device
        networks.init_weights(self.weight_init, make_generator(self.seed, torch.device("cpu")))
        width = max((*self.hidden, *self.discriminator_hidden, 0))
        return AAEStep(
            networks.to(device),
            self.priors,
            self.rates,
            make_generator(self.seed + 1, device),
            solver=self.solver,
            reconstruction_loss=self.reconstruction_loss,
            sigmoid=self.sigmoid,
            input_noise=self.input_noise,
            max_gradient_norm=self.max_gradient_norm,
            precision=resolve_precision(self.precision, device, width),
        )

    def rebuild(self, state: Mapping[str, Any]) -> AAEStep:
        """Return the step that `to_numpy(step.state_dict())` came from, on this machine."""
        try:
            step = self.build()
        except ValueError:
            warnings.warn(
                f"the model was fitted with device={self.device!r}, which this machine lacks; "
                "it is loaded on the CPU.",
                UserWarning,
                stacklevel=2,
            )
            step = replace(self, device="cpu").build()
        tensors = to_torch(state)
        if tensors["generator"].shape != step.generator.get_state().shape:
            # the generator of another kind of device: its stream cannot go on here
            tensors = {**tensors, "generator": step.generator.get_state()}
        step.load_state_dict(tensors)
        return step


def to_numpy(tree: Any) -> Any:
    """Return nested containers with every tensor as an array on the CPU."""
    if isinstance(tree, torch.Tensor):
        return tree.detach().cpu().numpy().copy()
    if isinstance(tree, Mapping):
        return {key: to_numpy(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [to_numpy(value) for value in tree]
    return tree


def to_torch(tree: Any) -> Any:
    """Return nested containers with every array as a tensor of its own memory."""
    if isinstance(tree, np.ndarray):
        return torch.from_numpy(np.array(tree))
    if isinstance(tree, Mapping):
        return {key: to_torch(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [to_torch(value) for value in tree]
    return tree
