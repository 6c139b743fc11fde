"""What early stopping looks at: losses of held-out rows, never a discriminator's.

Knows nothing of estimators.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from skaae.device import cpu_generator
from skaae.training.losses import classification_loss, maximum_mean_discrepancy, reconstruction_rows
from skaae.training.step import AAEStep

# Held-out rows whose codes are compared with the prior: the cost grows as their square.
MAX_DISCREPANCY_ROWS = 1000


def classification(step: AAEStep, x: Tensor, y: Tensor) -> Callable[[], float]:
    """Return a function that computes the cross-entropy of labeled rows x (n, n_features)."""

    def loss() -> float:
        with torch.inference_mode():
            encoder = step.trained.encoder
            return float(classification_loss(encoder.class_logits(encoder(x)), y))

    return loss


def reconstruction(step: AAEStep, x: Tensor, y: Tensor | None, seed: int) -> Callable[[], float]:
    """Return a function that computes the reconstruction loss plus the distance to the prior.

    y (n,) are the classes of rows x (n, n_features), for networks that are told them. The distance
    (MMD) is that of the styles to draws with `seed`; a plain autoencoder has none.
    """
    networks, few = step.trained, slice(MAX_DISCREPANCY_ROWS)
    shape = (len(x[few]), networks.n_components)
    prior = step.priors["style"].sample(*shape, generator=cpu_generator(seed)).to(x.device)
    scale = float(prior.square().mean().sqrt())

    def loss() -> float:
        with torch.inference_mode():
            code = networks.code(networks.encoder(x), y)
            rows = reconstruction_rows(
                step.reconstruction_loss, networks.decoder(code), x, sigmoid=step.sigmoid
            )
            if not step.is_regularized:
                return float(rows.mean())
            return float(rows.mean() + maximum_mean_discrepancy(code["style"][few], prior, scale))

    return loss
