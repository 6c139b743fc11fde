"""The settings from which networks and the training step are built.

A pickle contains the settings and NumPy arrays instead of torch objects. So it can be loaded on a
machine with other devices, which rebuilds the step from them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from skaae.columns.gaps import Expectation
from skaae.columns.layout import Layout
from skaae.columns.network_rows import NetworkRows
from skaae.device import cpu_generator, make_generator, resolve_device, resolve_precision
from skaae.neighbours import drawn
from skaae.networks.autoencoder import AdversarialAutoencoder, Architecture
from skaae.networks.initial_weights import principal_components, start_from_components
from skaae.priors import Prior
from skaae.training.augmentation import Augmentation
from skaae.training.optimizers import PhaseRates
from skaae.training.penalties import head_distance, kl, mmd
from skaae.training.reconstruction import NUMBERS, Reconstruction
from skaae.training.schedule import Schedule, single_stage
from skaae.training.step import AAEStep, Penalty
from skaae.training.virtual_adversarial import VirtualAdversarialLoss

# Rows that principal components are computed from, of many columns.
LEAST_ROWS, MOST_VALUES = 500, 2_000_000
N_PRIOR = 2_000  # samples that show where the prior lies
# Their mean and standard deviation count if they differ by more than NEAR from 0 and 1. Those of a
# heavy tail say little, so standard deviations have limits.
NEAR, DEVIATIONS = 0.1, (0.02, 50.0)


@dataclass(frozen=True)
class Settings:
    """Everything that a step is built from, except the weights.

    Parameters that are not listed here are described in `AAEStep`.

    Parameters
    ----------
    architecture : architecture of the networks.
    priors : prior of each latent block, by name.
    rates : learning rate and momentum of each phase, by name.
    layout : what the entries of a row are; None for numbers alone.
    expectation : what stands for the gaps of a row, or None.
    schedule : the stages of the training.
    regularizer : the loss that trains the style to follow its prior: "adversarial", "mmd", "kl" or
        None.
    regularizer_weight : weight of the penalty "mmd" or "kl".
    head_distance : smallest distance that cluster heads should have; 0 for no such penalty.
    radius, proportions, finds_clusters : see `VirtualAdversarialLoss`; used if `rates` has the
        phase "virtual_adversarial".
    average : whether inference uses a running average of the weights.
    joint : whether all phases of the paper share one encoding.
    augment : the augmentation of rows in training, or None.
    precision, device : the user's values; "auto" is replaced when the step is built.
    seed : seed of initial weights and of all later random numbers.
    """

    architecture: Architecture
    priors: Mapping[str, Prior]
    rates: Mapping[str, PhaseRates]
    solver: str
    reconstruction_loss: str
    sigmoid: bool
    input_noise: float
    discriminator_noise: float
    max_gradient_norm: float | None
    average: bool
    joint: bool
    precision: str
    device: str | torch.device
    seed: int
    schedule: Schedule = field(default_factory=lambda: Schedule(single_stage()))
    regularizer: str | None = "adversarial"
    regularizer_weight: float = 1.0
    head_distance: float = 0.0
    radius: float = 1.0
    proportions: Sequence[float] | None = None
    finds_clusters: bool = False
    augment: Augmentation | None = None
    layout: Layout | None = None
    expectation: Expectation | None = None

    @property
    def n_components(self) -> int:
        """Number of dimensions of the style."""
        return self.architecture.blocks["style"].size

    @property
    def label_size(self) -> int:
        """Number of dimensions of the label: the components of all classes or clusters."""
        return self.architecture.blocks["label"].size

    @property
    def components_per_class(self) -> int:
        """Number of components of each class."""
        return self.architecture.blocks["label"].components_per_class

    @property
    def width(self) -> int:
        """Number of units of the widest layer."""
        return max((*self.architecture.hidden, *self.architecture.discriminator_hidden, 0))

    @property
    def thread_width(self) -> int | None:
        """The width for `n_training_threads`; None for convolutions and user modules."""
        others = self.architecture.kind == "conv" or self.architecture.has_user_modules
        return None if others else self.width

    def initialize(self, rows: NetworkRows) -> AAEStep:
        """Return a step whose networks have new weights, and codes that start in the prior.

        With weight_init="pca", the codes of the training rows start as their components.
        """
        networks = self.architecture.build()
        self._start_in_prior(networks)
        if self.architecture.weight_init == "pca":
            most = max(LEAST_ROWS, MOST_VALUES // self.architecture.n_features)
            found = principal_components(drawn(rows, self.seed, most), self.n_components)
            n_numbers = rows.table.layout.n_numbers
            start_from_components(networks, found, n_numbers, sigmoid=self.sigmoid)
        return self._step_of(networks)

    def build(self) -> AAEStep:
        """Return a step whose weights have no meaning yet."""
        return self._step_of(self.architecture.build())

    def _step_of(self, networks: AdversarialAutoencoder) -> AAEStep:
        """Return the step that trains these networks."""
        device = resolve_device(self.device)
        return AAEStep(
            networks.to(device),
            self.priors,
            self.rates,
            make_generator(self.seed + 1, device),
            penalties=self._penalties(),
            solver=self.solver,
            reconstruction=Reconstruction(
                NUMBERS if self.layout is None else self.layout,
                self.reconstruction_loss,
                self.sigmoid,
                device,
                self.expectation,
            ),
            input_noise=self.input_noise,
            discriminator_noise=self.discriminator_noise,
            max_gradient_norm=self.max_gradient_norm,
            precision=resolve_precision(self.precision, device, self.width),
            average=self.average,
            joint=self.joint,
            schedule=self.schedule,
            virtual_adversarial=self._virtual_adversarial(device),
        )

    def _start_in_prior(self, networks: AdversarialAutoencoder) -> None:
        """Give normalized styles the mean and standard deviation of their prior.

        Without this they start with mean 0 and standard deviation 1, which stay if the prior's are
        nearly the same. They also stay if the posterior is Gaussian: then half of the encoder's
        outputs are logarithms of variances.
        """
        norms = getattr(networks.encoder.outputs, "norms", None)
        if norms is None or networks.posterior.is_drawn:
            return
        generator = cpu_generator(self.seed)
        samples = self.priors["style"].sample(N_PRIOR, self.n_components, generator=generator)
        mean, deviation = samples.mean(dim=0), samples.std(dim=0).clamp(*DEVIATIONS)
        near = bool(((mean.abs() < NEAR) & ((deviation - 1.0).abs() < NEAR)).all())
        if near or not bool((mean.isfinite() & deviation.isfinite()).all()):
            return
        with torch.no_grad():
            norms["style"].weight.copy_(deviation)
            norms["style"].bias.copy_(mean)

    def _virtual_adversarial(self, device: torch.device) -> VirtualAdversarialLoss | None:
        """Return the loss of the virtual adversarial phase, if there is one."""
        if "virtual_adversarial" not in self.rates:
            return None
        proportions = None
        if self.proportions is not None:
            proportions = torch.tensor(self.proportions, dtype=torch.float32, device=device)
        return VirtualAdversarialLoss(self.radius, proportions, self.finds_clusters)

    def _penalties(self) -> dict[str, Penalty]:
        """Return the penalties of the reconstruction phase, by name."""
        penalties = {}
        weight = self.regularizer_weight
        if self.regularizer == "kl" and weight > 0.0:
            penalties["kl"] = kl(weight)
        if self.regularizer == "mmd" and weight > 0.0:
            penalties["mmd"] = mmd(weight)
        if self.head_distance > 0.0:
            penalties["head_distance"] = head_distance(self.head_distance)
        return penalties

    def rebuild(self, state: Mapping[str, Any]) -> AAEStep:
        """Return the step whose `to_numpy(step.state_dict())` is `state`, on this machine."""
        step = self._on_this_machine().build()
        tensors = to_torch(state)
        if tensors["generator"].shape != step.generator.get_state().shape:
            # the state of another kind of device's generator cannot be used here
            tensors = {**tensors, "generator": step.generator.get_state()}
        step.load_state_dict(tensors)
        return step

    def _on_this_machine(self) -> Settings:
        """Return the settings, with the CPU as device if this machine lacks their device."""
        try:
            resolve_device(self.device)
        except ValueError:
            warnings.warn(
                f"the model was fitted with device={self.device!r}, which this machine lacks; "
                "it is loaded on the CPU.",
                UserWarning,
                stacklevel=2,
            )
            return replace(self, device="cpu")
        return self


def to_numpy(tree: Any) -> Any:
    """Return the nested containers, with every tensor replaced by a NumPy array."""
    if isinstance(tree, torch.Tensor):
        return tree.detach().cpu().numpy().copy()
    if isinstance(tree, Mapping):
        return {key: to_numpy(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [to_numpy(value) for value in tree]
    return tree


def to_torch(tree: Any) -> Any:
    """Return the nested containers, with every array copied to a tensor."""
    if isinstance(tree, np.ndarray):
        return torch.from_numpy(np.array(tree))
    if isinstance(tree, Mapping):
        return {key: to_torch(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [to_torch(value) for value in tree]
    return tree
