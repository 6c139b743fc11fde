"""The plain values that networks, priors and step are built from.

What a pickle keeps in place of torch objects: a recipe and arrays rebuild the step on any machine.
Knows nothing of estimators and their parameters.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from skaae.device import make_generator, resolve_device, resolve_precision
from skaae.networks.autoencoder import Architecture
from skaae.priors import Prior
from skaae.training.augmentation import Augmentation
from skaae.training.optimizers import PhaseRates
from skaae.training.penalties import discrepancy, divergence, head_distance
from skaae.training.step import AAEStep, Penalty
from skaae.training.virtual_adversarial import Smoothing


@dataclass(frozen=True)
class Recipe:
    """Everything but the weights.

    Parameters
    ----------
    architecture : of the networks.
    priors : prior of each block that is inferred, by name.
    rates : learning rate and momentum by phase.
    regularizer : what ties the style to its prior: "adversarial", "mmd", "kl" or None.
    regularizer_weight : of the penalties "mmd" and "kl".
    head_distance : distance that cluster heads are kept at; 0 where there is no such penalty.
    augment : what varies rows in training, or None.
    radius, shares, smooth_first : see `Smoothing`; used where there is a rate for its phase.
    names_late : see `AAEStep`.
    device, precision : as the user gave them; "auto" is decided on the machine at hand.
    seed : of all randomness in training.

    The others are those of `AAEStep`.
    """

    architecture: Architecture
    priors: Mapping[str, Prior]
    rates: Mapping[str, PhaseRates]
    regularizer: str | None
    regularizer_weight: float
    head_distance: float
    solver: str
    reconstruction_loss: str
    sigmoid: bool
    input_noise: float
    discriminator_noise: float
    max_gradient_norm: float | None
    average: bool
    joint: bool
    radius: float
    precision: str
    device: str
    seed: int
    augment: Augmentation | None = None
    shares: Sequence[float] | None = None
    smooth_first: bool = False
    names_late: bool = False

    @property
    def n_features(self) -> int:
        """Number of features of a row."""
        return self.architecture.n_features

    @property
    def n_components(self) -> int:
        """Number of dimensions of the style."""
        return self.architecture.blocks["style"].size

    @property
    def n_classes(self) -> int:
        """Number of classes or clusters of the label, each subclass by itself."""
        return self.architecture.blocks["label"].size

    @property
    def n_subclasses(self) -> int:
        """Number of subclasses of each class."""
        return self.architecture.blocks["label"].n_subclasses

    def build(self) -> AAEStep:
        """Return networks with fresh weights in a step that has not been taken yet."""
        device = resolve_device(self.device)
        width = max((*self.architecture.hidden, *self.architecture.discriminator_hidden, 0))
        return AAEStep(
            self.architecture.build().to(device),
            self.priors,
            self.rates,
            make_generator(self.seed + 1, device),
            penalties=self._penalties(),
            solver=self.solver,
            reconstruction_loss=self.reconstruction_loss,
            sigmoid=self.sigmoid,
            input_noise=self.input_noise,
            discriminator_noise=self.discriminator_noise,
            max_gradient_norm=self.max_gradient_norm,
            precision=resolve_precision(self.precision, device, width),
            average=self.average,
            joint=self.joint,
            names_late=self.names_late,
            smoothing=self._smoothing(device),
        )

    def _smoothing(self, device: torch.device) -> Smoothing | None:
        """Return what the virtual adversarial phase lowers, if there is one."""
        if "virtual_adversarial" not in self.rates:
            return None
        shares = None
        if self.shares is not None:
            shares = torch.tensor(self.shares, dtype=torch.float32, device=device)
        return Smoothing(self.radius, shares, self.smooth_first)

    def _penalties(self) -> dict[str, Penalty]:
        """Return what the reconstruction phase lowers beside the reconstruction loss."""
        penalties = {}
        weight = self.regularizer_weight
        if self.regularizer == "kl" and weight > 0.0:
            penalties["divergence"] = divergence(weight)
        if self.regularizer == "mmd" and weight > 0.0:
            penalties["discrepancy"] = discrepancy(weight)
        if self.head_distance > 0.0:
            penalties["head_distance"] = head_distance(self.head_distance)
        return penalties

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
