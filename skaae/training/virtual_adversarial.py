"""Labels that hold between rows and their neighbours: the phase that the paper does not have.

Virtual adversarial training (Miyato et al. 2018), and where that is what finds clusters, the
information maximization of Hu et al., "Learning discrete representations via information
maximizing self-augmented training", 2017. Knows nothing of optimisers and of other phases.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from skaae.networks.autoencoder import Encoder
from skaae.networks.layers import NoDraws
from skaae.training import losses

# Weights beside the virtual adversarial loss where smoothing finds the clusters: those of Hu et al.
UNCERTAINTY_WEIGHT = 0.1
FINDING_BALANCE_WEIGHT = 0.4


@dataclass
class Smoothing:
    """What the virtual adversarial phase lowers.

    Parameters
    ----------
    radius : mean distance of a row from its worst neighbour.
    shares : what the mean label is kept at, (n_classes,) on the device; None leaves it free.
    first : whether this is what finds clusters; it then makes labels sure, too.
    """

    radius: float
    shares: Tensor | None = None
    first: bool = False

    def __call__(
        self,
        encoder: Encoder,
        x: Tensor,
        varied: Tensor | None,
        generator: torch.Generator,
        *,
        by_class: bool,
        named: bool,
        autocast: AbstractContextManager[object],
    ) -> dict[str, Tensor]:
        """Return losses of clean rows x (batch, n_features), or of variants with the labels of x.

        They are those of labels, or `by_class` of classes, which then may be shared out among their
        subclasses in any way.
        That labels change close to them. That the mean label leaves its shares, where there are
        any: the same in all places would be as smooth as can be; subclasses have equal parts of
        their class, or of all where they are not `named`. And where nothing else finds classes,
        that labels are unsure. No dropout: it would change labels more than the neighbours do; for
        an encoder that sees noise, the same noise for a row and its neighbours.
        """
        noise = x.new_empty(len(x), encoder.n_noise).normal_(generator=generator)

        def label(rows: Tensor, *, typical: bool = False) -> Tensor:
            heads = encoder(rows, NoDraws(updates=typical), noise)
            heads = {"label": heads["label"].float()}
            return encoder.class_logits(heads) if by_class else heads["label"]

        direction = torch.empty_like(x).normal_(generator=generator)
        radii = losses.local_radii(x, self.radius)
        with autocast:
            logits = label(x, typical=True)
            rows = x if varied is None else varied
            change = losses.virtual_adversarial_loss(label, rows, logits, radii, direction)
        parts = {"virtual_adversarial": change}
        if self.first:
            parts["uncertainty"] = UNCERTAINTY_WEIGHT * losses.uncertainty_loss(logits)
        if self.shares is not None:
            weight = FINDING_BALANCE_WEIGHT if self.first else 1.0
            shares = self.shares
            if not by_class:
                shares = encoder.entry_shares(shares, named=named)
            parts["balance"] = weight * losses.balance_loss(logits, shares)
        return parts
