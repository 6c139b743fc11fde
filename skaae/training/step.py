"""One training step of the adversarial autoencoder, on one mini-batch.

The phases of a step are, in this order: reconstruct; regularize (discriminate, then generate);
classify, if there are labels; the virtual adversarial phase, if the model has it; the phase that
keeps neighbours, if there are pairs of them. The stage of the schedule determines which phases are
on. Names of phases follow the paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from skaae.device import autocast
from skaae.networks.autoencoder import AdversarialAutoencoder, Code, Discriminator
from skaae.networks.layers import copy_in_float64
from skaae.priors import Prior
from skaae.training import losses
from skaae.training.average import AverageWeights
from skaae.training.losses import detached, in_float32, total
from skaae.training.optimizers import Optimizer, PhaseRates, excess, make_optimizer, weights_of
from skaae.training.ranks import Ranks
from skaae.training.reconstruction import Reconstruction
from skaae.training.schedule import RESTART_OPTIMIZERS, Schedule, Stage, single_stage
from skaae.training.virtual_adversarial import VirtualAdversarialLoss

Losses = dict[str, Tensor]
Gradients = Sequence[Tensor | None]  # None for weights that a loss does not depend on
Labeled = tuple[Tensor, Tensor]  # rows and their classes
Penalty = Callable[["AAEStep", Code, Code], Tensor]  # of a step, the encoder's outputs, the code


@dataclass
class AAEStep:
    """The training step: a call updates every network on one mini-batch.

    Parameters
    ----------
    networks : encoder, decoder and one discriminator per adversarial block.
    priors : the prior of each block that has one, by the block's name.
    rates : learning rate and momentum of each phase by name: "reconstruction"; "discriminator" and
        "generator" if there are discriminators; "classification" if the model learns classes;
        "virtual_adversarial" and "neighbours" if it has these phases.
    generator : source of noise, dropout masks and prior samples, on the networks' device.
    penalties : penalties that the reconstruction phase adds to its loss, by name.
    solver : "sgd" or "adam".
    reconstruction : what the decoder's output means, and its loss.
    input_noise : standard deviation of the Gaussian noise on the encoder's input.
    discriminator_noise : standard deviation of the Gaussian noise on all discriminator inputs.
    max_gradient_norm : larger gradients of a phase are scaled down to this norm; None sets no
        limit.
    precision : dtype of matrix products; weights and optimiser state are float32.
    average : whether to keep a running average of the weights, for inference.
    joint : whether the phases of the paper share one encoding. Otherwise each phase encodes its
        rows anew.
    virtual_adversarial : the loss of the virtual adversarial phase, or None.
    schedule : the stages of the training.

    Attributes
    ----------
    ranks : the other processes that train on parts of the same mini-batch, or None.
    stage : the current stage of the schedule.
    spare : a snapshot whose memory the next snapshot reuses, or None.
    trained : networks for inference: `networks`, or with `average` their running average.
    n_steps : number of steps so far; a tensor, so that steps in a CUDA graph count too.
    label_rate_factor : factor of the classification rate; see `scale_for_block`.
    """

    networks: AdversarialAutoencoder
    priors: Mapping[str, Prior]
    rates: Mapping[str, PhaseRates]
    generator: torch.Generator
    penalties: Mapping[str, Penalty] = field(default_factory=dict)
    solver: str = "adam"
    reconstruction: Reconstruction = field(default_factory=Reconstruction)
    input_noise: float = 0.0
    discriminator_noise: float = 0.0
    max_gradient_norm: float | None = None
    precision: torch.dtype = torch.float32
    average: bool = False
    joint: bool = False
    virtual_adversarial: VirtualAdversarialLoss | None = None
    schedule: Schedule = field(default_factory=lambda: Schedule(single_stage()))
    ranks: Ranks | None = field(init=False, repr=False, default=None)
    stage: Stage = field(init=False)
    n_steps: Tensor = field(init=False)
    trained: AdversarialAutoencoder = field(init=False)
    optimizers: dict[str, Optimizer] = field(init=False)
    spare: Any = field(init=False, repr=False, default=None)
    label_rate_factor: float = field(init=False, repr=False, default=1.0)
    _style: Tensor | None = field(init=False, repr=False, default=None)
    _average: AverageWeights | None = field(init=False, repr=False, default=None)
    _copies: dict[str, nn.Module] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.stage = self.schedule.stages[0]
        phases = [p for p in self.rates if not (self.joint and p == "classification")]
        # with user modules a phase may have no weights to train
        trained = {phase: weights_of(self.networks, phase, self.rates) for phase in phases}
        self.optimizers = {
            phase: make_optimizer(self.solver, weights, self.rates[phase])
            for phase, weights in trained.items()
            if weights
        }
        self._average = AverageWeights(self.networks) if self.average else None
        self.trained = self.networks if self._average is None else self._average.networks
        self.n_steps = torch.zeros((), dtype=torch.float32, device=self.generator.device)

    def __call__(
        self,
        x: Tensor,
        y: Tensor | None = None,
        x_labeled: Tensor | None = None,
        y_labeled: Tensor | None = None,
        augmented: Tensor | None = None,
        pairs: Tensor | None = None,
        style: Tensor | None = None,
    ) -> Losses:
        """Update on rows x (batch, n_features), then on labeled rows; return detached losses.

        y (batch,) are the classes of x for class-conditional networks, -1 where unlabeled.
        `augmented` are the rows x after augmentation. The phases train on them in place of x.
        `pairs` (batch, 2, n_features) are rows beside one of their neighbours.
        `style` (batch, n_components) are samples of its prior, if they are drawn before the step.
        """
        self._style = style
        labeled = None
        if x_labeled is not None and y_labeled is not None and self._moves_label("classification"):
            labeled = x_labeled, y_labeled
        update = self.update_jointly if self.joint else self.update_in_turn
        step_losses = update(x if augmented is None else augmented, y, labeled)
        if self.virtual_adversarial is not None and self.stage.consistency is not None:
            step_losses |= self.keep_labels(x, augmented)
        if pairs is not None:
            step_losses |= self.keep_neighbours(pairs)
        self.n_steps.add_(1.0)
        if self._average is not None:
            self._average.update(self.n_steps)
        return step_losses

    def update_in_turn(self, x: Tensor, y: Tensor | None, labeled: Labeled | None) -> Losses:
        """Run one phase after the other, each with its own optimiser, as in the paper."""
        x_noisy = self._corrupted(x)
        step_losses = self.reconstruct(x_noisy, x, y)
        if self.networks.discriminators:
            step_losses |= self.regularize(x_noisy, y)
        if labeled is not None:
            step_losses |= self.classify(*labeled)
        return step_losses

    def update_jointly(self, x: Tensor, y: Tensor | None, labeled: Labeled | None) -> Losses:
        """Run all phases on one encoding of all rows, including the labeled rows.

        Reconstruction and classification share one update. Its loss is the reconstruction loss plus
        the classification loss times the ratio of their learning rates. So with "sgd",
        classification changes the weights as much as in a separate update. The generator phase has
        its own update and momentum.
        """
        rows = x if labeled is None else torch.cat([x, labeled[0]])
        with self._passing("x", *(() if labeled is None else ("x_labeled",))):
            all_outputs = self.networks.encoder(self._corrupted(rows), self.generator)
            outputs = {name: output[: len(x)] for name, output in all_outputs.items()}
            code = self._code(outputs, y)
        parts = self._reconstruction(outputs, code, x)
        loss, step_losses = total(parts), self._shared("reconstruction", parts)
        if labeled is not None:
            logits = self.networks.encoder.class_logits(in_float32(all_outputs))
            part = losses.classification_loss(logits[len(x) :], labeled[1])
            rate = self.label_rate_factor * self.rates["classification"].learning_rate
            ratio = rate / self.rates["reconstruction"].learning_rate
            if self.ranks is not None:  # whose shares of both kinds of rows may differ
                ratio *= self.ranks.share("classification") / self.ranks.share("reconstruction")
            loss = loss + ratio * part
            step_losses |= self._shared("classification", {"classification": part})
        # weights change only after the last gradient is known, as all belong to one encoding
        gradients = {"reconstruction": self._gradients("reconstruction", loss, keep=True)}
        if self.networks.discriminators:
            code = in_float32(code)
            step_losses |= self.discriminate(code, y)
            parts = self._generation(code, y)
            gradients["generator"] = self._gradients("generator", total(parts))
            step_losses |= self._shared("generator", parts)
        for phase, found in gradients.items():
            if found:
                self.optimizers[phase].step(found, excess(found, self.max_gradient_norm))
        return step_losses

    def reconstruct(self, x_noisy: Tensor, x: Tensor, y: Tensor | None = None) -> Losses:
        """Update encoder and decoder on the loss between x without noise and its reconstruction."""
        with self._passing():
            outputs = self.networks.encoder(x_noisy, self.generator)
            code = self._code(outputs, y)
        parts = self._reconstruction(outputs, code, x)
        return self._update("reconstruction", parts)

    def regularize(self, x: Tensor, y: Tensor | None = None) -> Losses:
        """Update the discriminators, then the encoder against them.

        Both use one encoding, because the encoder's weights do not change in between.
        """
        with self._passing():
            outputs = self.networks.encoder(x, self.generator)
        code = self._code(in_float32(outputs), y)
        return self.discriminate(code, y) | self.generate(code, y)

    def discriminate(self, code: Code, y: Tensor | None = None) -> Losses:
        """Update each discriminator to distinguish samples of its prior from codes.

        With `by_component`, the samples for codes of a class are drawn from its component of the
        prior, and the samples for unlabeled codes are drawn from the whole prior.
        """
        pairs, code = {}, self.networks.discriminator_inputs(code)
        for name, discriminator in self._active_discriminators():
            samples = self.draw_prior(name, code[name], y if discriminator.by_component else None)
            both = torch.cat([samples, code[name].detach()])  # (2 batch, block)
            pairs[name] = self._add_noise(both, self.discriminator_noise)
        twice = None if y is None else torch.cat([y, y])
        parts = {}
        with self._passing():
            for name, both in pairs.items():
                logits = self.networks.discriminators[name](both, twice, self.generator).float()
                parts[f"discriminator_{name}"] = losses.discriminator_loss(*logits.chunk(2))
        return self._update("discriminator", parts)

    def generate(self, code: Code, y: Tensor | None = None) -> Losses:
        """Update the encoder so that discriminators take its codes for samples of the priors."""
        return self._update("generator", self._generation(code, y))

    def classify(self, x: Tensor, y: Tensor) -> Losses:
        """Update the weights of the encoder's label on the cross-entropy of labeled rows."""
        with self._passing("x_labeled"):
            outputs = self.networks.encoder(self._corrupted(x), self.generator)
        logits = self.networks.encoder.class_logits(in_float32(outputs))
        loss = losses.classification_loss(logits, y)
        return self._update("classification", {"classification": loss})

    def keep_labels(self, x: Tensor, augmented: Tensor | None = None) -> Losses:
        """Update the weights of the encoder's label on the virtual adversarial loss.

        The loss compares the labels of x with those of points near x, or near the augmented rows.
        """
        assert self.virtual_adversarial is not None
        parts = self.virtual_adversarial(
            self.networks.encoder,
            x,
            augmented,
            self.generator,
            stage=self.stage,
            autocast=self._passing(),
            ranks=self.ranks,
        )
        return self._update("virtual_adversarial", parts)

    def keep_neighbours(self, pairs: Tensor) -> Losses:
        """Update the encoder so that neighbours, pairs (batch, 2, n_features), are close."""
        with self._passing("pairs"):
            outputs = self.networks.encoder(self._corrupted(pairs.flatten(0, 1)), self.generator)
        code = self.networks.code(in_float32(outputs), None, self.generator)
        ends = self.networks.decoder.combine(code).unflatten(0, (-1, 2))
        if self.ranks is not None:  # each row is compared with all others
            ends = self.ranks.gather(ends, "pairs")
        return self._update("neighbours", {"neighbours": losses.neighbour_loss(*ends.unbind(1))})

    def _moves_label(self, phase: str) -> bool:
        """Return whether a phase may train the label in this stage."""
        return phase in self.stage.moves_label

    def _code(self, outputs: Code, y: Tensor | None) -> Code:
        """Return a sample of the code; in some stages its label gets no gradient."""
        code = self.networks.code(outputs, y, self.generator)
        if "label" in code and not self._moves_label("reconstruction"):
            code["label"] = code["label"].detach()
        return code

    def _active_discriminators(self) -> list[tuple[str, Discriminator]]:
        """Return the discriminators, without the label's if this stage does not train with it."""
        found: list[tuple[str, Any]] = list(self.networks.discriminators.items())
        return [(name, d) for name, d in found if name != "label" or self._moves_label("generator")]

    def _reconstruction(self, outputs: Code, code: Code, x: Tensor) -> Losses:
        """Return the reconstruction loss of rows x (without noise) and the penalties, by name."""
        with self._passing():
            output = self.networks.decoder(code, self.generator)
        parts = {"reconstruction": self.reconstruction.losses(output.float(), x).mean()}
        for name, penalty in self.penalties.items():
            parts[name] = penalty(self, in_float32(outputs), in_float32(code))
        return parts

    def _generation(self, code: Code, y: Tensor | None) -> Losses:
        """Return the generator losses of codes, by name."""
        parts, code = {}, self.networks.discriminator_inputs(code)
        with self._passing():
            for name, discriminator in self._active_discriminators():
                seen = self._add_noise(code[name], self.discriminator_noise)
                logits = discriminator(seen, y, self.generator).float()
                parts[f"generator_{name}"] = losses.generator_loss(logits)
        return parts

    def end_stage(self) -> None:
        """Go on to the next stage of the schedule."""
        if RESTART_OPTIMIZERS in self.stage.on_exit:
            self.restart_optimizers("reconstruction", "discriminator", "generator")
        self.stage = self.schedule.stages[self.schedule.position(self.stage.name) + 1]

    def restart_optimizers(self, *phases: str) -> None:
        """Forget the running means of gradients of these phases, or of all if none is named."""
        for phase, optimizer in self.optimizers.items():
            if phase in phases or not phases:
                optimizer.restart()

    def assign_components(self, members: Tensor) -> None:
        """Set which components make up each class, (n_classes, n_components) of bool."""
        for networks in (self.networks, self.trained):
            if networks.encoder.members is not None:
                networks.encoder.members.copy_(members)
        self.forget_copies()

    @property
    def is_regularized(self) -> bool:
        """Whether a discriminator or a penalty trains the style to follow its prior."""
        adversarial = "style" in self.networks.discriminators
        adversarial = adversarial and self.rates["generator"].learning_rate > 0.0
        return adversarial or self.has_prior_penalty

    @property
    def has_prior_penalty(self) -> bool:
        """Whether a penalty brings codes to their prior, in place of a discriminator."""
        return not {"kl", "mmd"}.isdisjoint(self.penalties)

    def scale_learning_rates(self, factor: float) -> None:
        """Set learning rates to initial values times `factor`, that of labels also by its own."""
        for phase, optimizer in self.optimizers.items():
            own = self.label_rate_factor if phase == "classification" else 1.0
            optimizer.scale_learning_rate(factor * own)

    def state_dict(self, *, optimizers: bool = True) -> dict[str, Any]:
        """Return what training needs to continue: weights, optimisers, random generator, stage."""
        found = {
            "networks": self.networks.state_dict(),
            "generator": self.generator.get_state(),
            "n_steps": self.n_steps,
            "stage": self.stage.name,
        }
        if self._average is not None:
            found["average"] = self._average.state()
        if optimizers:
            found["optimizers"] = {name: o.state_dict() for name, o in self.optimizers.items()}
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `state_dict`; without states of optimisers, these start anew."""
        self.networks.load_state_dict(state["networks"])
        for name, optimizer in self.optimizers.items() if "optimizers" in state else ():
            optimizer.load_state_dict(state["optimizers"][name])
        self.generator.set_state(state["generator"])
        self.n_steps.copy_(state["n_steps"])
        self.stage = self.schedule.stages[self.schedule.position(state["stage"])]
        if self._average is not None:
            self._average.load(state["networks"], state["average"])
        self.forget_copies()

    def tensors(self) -> list[Tensor]:
        """Return every tensor that training changes in place."""
        found = [self.n_steps, *self.networks.state_dict().values()]
        for optimizer in self.optimizers.values():
            found += optimizer.tensors()
        if self.average:
            for part in (self.trained.encoder, self.trained.decoder):
                found += part.state_dict().values()
        return found

    def weight_size(self) -> float:
        """Return the root mean square of all weights; it is not finite if a weight is not."""
        weights = [weight.detach() for weight in self.networks.parameters()]
        n_weights = sum(weight.numel() for weight in weights)
        return float(nn.utils.get_total_norm(weights)) / math.sqrt(n_weights or 1)

    def copy_in_float64(self, name: str) -> nn.Module:
        """Return a cached float64 copy of `trained`, or of its submodule `name`."""
        copies = self._copies  # another thread may replace them
        if name not in copies:
            copies[name] = copy_in_float64(self.trained.get_submodule(name))
        return copies[name]

    def forget_copies(self) -> None:
        """Drop the cached copies, whose weights are out of date."""
        self._copies = {}

    def draw_prior(self, name: str, code: Tensor, y: Tensor | None = None) -> Tensor:
        """Return samples of a block's prior, in the shape and on the device of `code`."""
        if name == "style" and self._style is not None:
            style, self._style = self._style, None
            return style
        with torch.no_grad():
            samples = self.priors[name].sample(*code.shape, y=y, generator=self.generator)
        return samples.to(code.device, torch.float32)

    def _corrupted(self, x: Tensor) -> Tensor:
        """Return rows as the encoder gets them in training: with more gaps, and with noise."""
        return self._add_noise(self.reconstruction.hide(x, self.generator), self.input_noise)

    def _add_noise(self, x: Tensor, deviation: float) -> Tensor:
        """Return x plus Gaussian noise of this standard deviation, or x itself if that is 0."""
        if deviation == 0.0:
            return x
        noise = torch.empty_like(x).normal_(0.0, deviation, generator=self.generator)
        return noise.add_(x)

    def _passing(self, *streams: str) -> AbstractContextManager[object]:
        """Return a phase's own autocast context, for rows of these streams (by default, of "x")."""
        if self.ranks is not None:
            self.ranks.passing = streams or ("x",)
        return autocast(self.generator.device, self.precision)

    def _update(self, phase: str, parts: Losses) -> Losses:
        """Update the weights of one phase on its losses, and return these; see `_shared`."""
        gradients = self._gradients(phase, total(parts))
        if gradients:
            self.optimizers[phase].step(gradients, excess(gradients, self.max_gradient_norm))
        return self._shared(phase, parts)

    def _shared(self, phase: str, parts: Losses) -> Losses:
        """Return detached losses; with several ranks, what this one adds to those of them all."""
        found = detached(parts)
        return found if self.ranks is None else self.ranks.shared(phase, found)

    def _gradients(self, phase: str, loss: Tensor, *, keep: bool = False) -> Gradients:
        """Return the gradients of a phase's weights; `keep` allows another backward pass."""
        if phase not in self.optimizers:
            return []
        weights = self.optimizers[phase].weights
        loss = loss if self.ranks is None else self.ranks.share(phase) * loss
        found = torch.autograd.grad(loss, weights, allow_unused=True, retain_graph=keep)
        return found if self.ranks is None else self.ranks.add_gradients(found)
