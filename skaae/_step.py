"""One mini-batch of the adversarial autoencoder, in the paper's words.

The phases of a step: reconstruct, then regularize (discriminate, then generate), then classify
where labels are given. Knows nothing of data sets, epochs or estimators.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from skaae import _losses as losses
from skaae._device import autocast
from skaae._networks import AdversarialAutoencoder, Code, as_code
from skaae.priors import Prior

Losses = dict[str, Tensor]


@dataclass
class PhaseRates:
    """Learning rate and momentum (Adam's beta_1) of one phase's optimiser."""

    learning_rate: float
    momentum: float


@dataclass
class AAEStep:
    """One update of every network from one mini-batch.

    Parameters
    ----------
    networks : encoder, decoder and one discriminator per block.
    priors : the prior of each block, by the block's name.
    rates : learning rate and momentum by phase: "reconstruction", "discriminator", "generator"
        and, with labels, "classification".
    generator : source of noise, dropout masks and prior samples, on the networks' device.
    solver : "sgd" or "adam".
    reconstruction_loss : "squared_error" or "binary_cross_entropy".
    sigmoid : whether the decoder's output passes through a sigmoid.
    input_noise : standard deviation of the Gaussian noise on the encoder's input.
    max_gradient_norm : longer gradients of a phase are shortened to this norm; None leaves them.
    precision : dtype of the products; weights and optimiser state stay in float32.
    """

    networks: AdversarialAutoencoder
    priors: Mapping[str, Prior]
    rates: Mapping[str, PhaseRates]
    generator: torch.Generator
    solver: str = "adam"
    reconstruction_loss: str = "squared_error"
    sigmoid: bool = False
    input_noise: float = 0.0
    max_gradient_norm: float | None = None
    precision: torch.dtype = torch.float32
    optimizers: dict[str, torch.optim.Optimizer] = field(init=False)

    def __post_init__(self) -> None:
        self._trained = {phase: self._parameters_of(phase) for phase in self.rates}
        self.optimizers = {
            phase: make_optimizer(self.solver, self._trained[phase], rates)
            for phase, rates in self.rates.items()
        }

    def __call__(
        self, x: Tensor, x_labeled: Tensor | None = None, y_labeled: Tensor | None = None
    ) -> Losses:
        """Update on rows x (batch, n_features), then on labeled rows; return detached losses."""
        x_noisy = self._corrupt(x)
        step_losses = self.reconstruct(x_noisy, x) | self.regularize(x_noisy)
        if x_labeled is not None and y_labeled is not None:
            step_losses |= self.classify(x_labeled, y_labeled)
        return step_losses

    def reconstruct(self, x_noisy: Tensor, x: Tensor) -> Losses:
        """Encoder and decoder step on the error between the clean x and its reconstruction."""
        with self._autocast():
            output = self.networks(x_noisy, self.generator)
        loss = losses.reconstruction_rows(
            self.reconstruction_loss, output.float(), x, sigmoid=self.sigmoid
        ).mean()
        self._update("reconstruction", loss)
        return {"reconstruction": loss.detach()}

    def regularize(self, x: Tensor) -> Losses:
        """The discriminators step, then the encoder steps to fool them.

        One encoding serves both: the encoder's weights do not move in between.
        """
        with self._autocast():
            heads = self.networks.encoder(x, self.generator)
        codes = as_code({name: head.float() for name, head in heads.items()})
        return self.discriminate(codes) | self.generate(codes)

    def discriminate(self, codes: Code) -> Losses:
        """Each discriminator steps to tell draws of its prior from codes."""
        by_block = {}
        pairs = {
            name: torch.cat([self._draw(name, code), code.detach()])  # (2 batch, block)
            for name, code in codes.items()
        }
        with self._autocast():
            for name, both in pairs.items():
                logits = self.networks.discriminators[name](both).float()
                by_block[name] = losses.discriminator_loss(*logits.chunk(2))
        self._update("discriminator", total(by_block))
        return {f"discriminator_{name}": loss.detach() for name, loss in by_block.items()}

    def generate(self, codes: Code) -> Losses:
        """The encoder steps so that its codes pass for draws of the priors."""
        by_block = {}
        with self._autocast():
            for name, code in codes.items():
                logits = self.networks.discriminators[name](code).float()
                by_block[name] = losses.generator_loss(logits)
        self._update("generator", total(by_block))
        return {f"generator_{name}": loss.detach() for name, loss in by_block.items()}

    def classify(self, x: Tensor, y: Tensor) -> Losses:
        """The encoder's trunk and label head step on the cross-entropy of labeled rows."""
        with self._autocast():
            heads = self.networks.encoder(self._corrupt(x), self.generator)
        loss = losses.classification_loss(heads["label"].float(), y)
        self._update("classification", loss)
        return {"classification": loss.detach()}

    def scale_learning_rates(self, factor: float) -> None:
        """Set every learning rate to its initial value times `factor`."""
        for phase, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.rates[phase].learning_rate * factor

    def state_dict(self) -> dict[str, Any]:
        """Return all that training needs to go on: weights, optimisers, random generator."""
        return {
            "networks": self.networks.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.networks.load_state_dict(state["networks"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.generator.set_state(state["generator"])

    def _draw(self, name: str, code: Tensor) -> Tensor:
        """Return draws of a block's prior, as many as there are codes and where they are."""
        with torch.no_grad():
            draws = self.priors[name].sample(*code.shape, generator=self.generator)
        return draws.to(code.device, torch.float32)

    def _corrupt(self, x: Tensor) -> Tensor:
        """Return x with the encoder's input noise."""
        if self.input_noise == 0.0:
            return x
        noise = torch.empty_like(x).normal_(0.0, self.input_noise, generator=self.generator)
        return noise.add_(x)

    def _autocast(self) -> AbstractContextManager[object]:
        """Return a fresh context per phase: autocast keeps cast weights until it is left."""
        return autocast(self.generator.device, self.precision)

    def _update(self, phase: str, loss: Tensor) -> None:
        """Step one phase's optimiser; weights of other phases get no gradient at all."""
        optimizer, weights = self.optimizers[phase], self._trained[phase]
        optimizer.zero_grad(set_to_none=True)
        loss.backward(inputs=weights)
        if self.max_gradient_norm is not None:
            gradients = [weight.grad for weight in weights if weight.grad is not None]
            norm = torch.nn.utils.get_total_norm(gradients)
            excess = (norm / self.max_gradient_norm).clamp(min=1.0)
            if excess.device.type in ("cpu", "cuda"):
                # fused kernels divide by grad_scale on their way: no further pass over gradients
                setattr(optimizer, "grad_scale", excess)  # noqa: B010  (PyTorch's, undeclared)
            else:
                for gradient in gradients:
                    gradient.div_(excess)
        optimizer.step()

    def _parameters_of(self, phase: str) -> list[Tensor]:
        """Return the weights that a phase moves."""
        encoder, decoder = self.networks.encoder, self.networks.decoder
        modules: dict[str, list[Any]] = {
            "reconstruction": [encoder, decoder],
            "discriminator": [self.networks.discriminators],
            "generator": [encoder],
        }
        if phase == "classification":
            modules["classification"] = [encoder.trunk, encoder.heads["label"]]
        return [weight for module in modules[phase] for weight in module.parameters()]


def total(losses_by_block: Losses) -> Tensor:
    """Return the sum of the blocks' losses."""
    return torch.stack(list(losses_by_block.values())).sum()


def make_optimizer(
    solver: str, parameters: list[Tensor], rates: PhaseRates
) -> torch.optim.Optimizer:
    """Return SGD with momentum, or Adam with the momentum as its beta_1."""
    if solver == "sgd":
        return torch.optim.SGD(
            parameters, lr=rates.learning_rate, momentum=rates.momentum, fused=True
        )
    return torch.optim.Adam(
        parameters, lr=rates.learning_rate, betas=(rates.momentum, 0.999), fused=True
    )
