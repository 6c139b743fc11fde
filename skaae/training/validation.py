"""The validation losses of early stopping, on held-out rows.

A discriminator's loss is not one of them, because it does not say how good a model is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from skaae.device import BATCH_ROWS, cpu_generator
from skaae.training.losses import maximum_mean_discrepancy
from skaae.training.rows import Rows
from skaae.training.step import AAEStep

# Largest number of held-out rows whose codes are compared with the prior: the time grows with its
# square.
MAX_MMD_ROWS = 1000


def classification(
    step: AAEStep, x: Rows, y: Tensor, weights: np.ndarray | None = None
) -> Callable[[], float]:
    """Return a function that computes the mean cross-entropy of labeled rows x (n, n_features)."""

    def loss() -> float:
        encoder = step.trained.encoder
        with torch.inference_mode():
            batches = in_batches(x, step.generator.device)
            logits = [encoder.class_logits(encoder(rows)) for rows in batches]
            found = F.cross_entropy(torch.cat(logits), y, reduction="none").cpu().numpy()
            return float(np.average(found, weights=weights))

    return loss


def reconstruction(step: AAEStep, x: Rows, y: Tensor | None, seed: int) -> Callable[[], float]:
    """Return a function that computes the reconstruction loss plus the distance to the prior.

    y (n,) are the classes of rows x (n, n_features) if the decoder needs them. The distance is the
    MMD between styles and samples of the prior, which are drawn with `seed`. If nothing trains the
    styles to follow the prior, the distance is left out.
    """
    networks, device = step.trained, step.generator.device
    few = slice(None, None, math.ceil(len(x) / MAX_MMD_ROWS))  # in any order of rows
    shape = (len(range(len(x))[few]), networks.n_components)
    generator = cpu_generator(seed)
    prior = step.priors["style"].sample(*shape, generator=generator).to(device)
    n_noise = networks.encoder.n_noise
    # of the codes, which follow the prior as they are drawn from q(z|x): the same in each call
    noise = torch.randn(shape[0], n_noise or shape[1], generator=generator, dtype=torch.float32)
    noise = noise.to(device)
    scale = float(prior.square().mean().sqrt())

    def batch_loss(rows: Tensor, targets: Tensor | None) -> Tensor:
        code = networks.code(networks.encoder(rows), targets)
        output = networks.decoder(code)
        return step.reconstruction.losses(output, rows)

    def loss() -> float:
        batches = in_batches(x, device)
        targets = itertools.repeat(None) if y is None else in_batches(y, device)
        with torch.inference_mode():
            found = [batch_loss(*pair) for pair in zip(batches, targets, strict=False)]
            mean = torch.cat(found).mean()
            if not step.is_regularized:
                return float(mean)
            outputs = networks.encoder(x[few].to(device), noise=noise if n_noise else None)
            styles = networks.posterior.draw(outputs["style"], noise)
            return float(mean + maximum_mean_discrepancy(styles, prior, scale))

    return loss


def in_batches(x: Rows, device: torch.device) -> Iterator[Tensor]:
    """Return rows in batches that are small enough for the memory of hidden layers."""
    size = BATCH_ROWS.get(device.type, BATCH_ROWS["cpu"])
    for start in range(0, len(x), size):
        yield x[start : start + size].to(device)
