"""The validation losses of early stopping, on held-out rows.

A discriminator's loss is not one of them, because it does not say how good a model is.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from skaae.device import BATCH_ROWS, cpu_generator
from skaae.training.losses import (
    classification_loss,
    maximum_mean_discrepancy,
    reconstruction_rows,
)
from skaae.training.step import AAEStep

# Largest number of held-out rows whose codes are compared with the prior: the time grows with its
# square.
MAX_DISCREPANCY_ROWS = 1000


def classification(step: AAEStep, x: Tensor, y: Tensor) -> Callable[[], float]:
    """Return a function that computes the cross-entropy of labeled rows x (n, n_features)."""

    def loss() -> float:
        encoder = step.trained.encoder
        with torch.inference_mode():
            logits = [encoder.class_logits(encoder(rows)) for rows in in_batches(x)]
            return float(classification_loss(torch.cat(logits), y))

    return loss


def reconstruction(step: AAEStep, x: Tensor, y: Tensor | None, seed: int) -> Callable[[], float]:
    """Return a function that computes the reconstruction loss plus the distance to the prior.

    y (n,) are the classes of rows x (n, n_features) if the decoder needs them. The distance is the
    MMD between styles and samples of the prior, which are drawn with `seed`. If nothing trains the
    styles to follow the prior, the distance is left out.
    """
    networks, few = step.trained, slice(MAX_DISCREPANCY_ROWS)
    shape = (len(x[few]), networks.n_components)
    prior = step.priors["style"].sample(*shape, generator=cpu_generator(seed)).to(x.device)
    scale = float(prior.square().mean().sqrt())

    def batch_loss(rows: Tensor, targets: Tensor | None) -> Tensor:
        code = networks.code(networks.encoder(rows), targets)
        output = networks.decoder(code)
        return reconstruction_rows(step.reconstruction_loss, output, rows, sigmoid=step.sigmoid)

    def loss() -> float:
        batches = in_batches(x)
        targets = [None] * len(batches) if y is None else in_batches(y)
        with torch.inference_mode():
            found = [batch_loss(*pair) for pair in zip(batches, targets, strict=True)]
            mean = torch.cat(found).mean()
            if not step.is_regularized:
                return float(mean)
            code = networks.code(networks.encoder(x[few]), None if y is None else y[few])
            return float(mean + maximum_mean_discrepancy(code["style"], prior, scale))

    return loss


def in_batches(rows: Tensor) -> list[Tensor]:
    """Return rows in batches that are small enough for the memory of hidden layers."""
    return list(rows.split(BATCH_ROWS.get(rows.device.type, BATCH_ROWS["cpu"])))
