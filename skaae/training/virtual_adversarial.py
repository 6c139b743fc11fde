"""The virtual adversarial loss: labels that hold between rows and their neighbours.

A phase that the paper does not have (Miyato et al., "Virtual adversarial training", 2018). Where it
finds the clusters itself, it is the information maximization of Hu et al., "Learning discrete
representations via information maximizing self-augmented training", 2017. Knows nothing of
optimisers and of other phases.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from skaae.networks.autoencoder import Encoder
from skaae.networks.layers import NoDraws
from skaae.training import losses
from skaae.training.schedule import Stage

# Weights beside the virtual adversarial loss where it finds the clusters: those of Hu et al.
ENTROPY_WEIGHT = 0.1
FINDING_BALANCE_WEIGHT = 0.4


@dataclass
class VirtualAdversarialLoss:
    """The virtual adversarial loss and what goes with it.

    Parameters
    ----------
    radius : mean distance of a row from its worst neighbour.
    proportions : what the mean label is kept at, (n_classes,) on the device; None leaves it free.
    finds_clusters : whether nothing else does; labels are then made sure, too.
    """

    radius: float
    proportions: Tensor | None = None
    finds_clusters: bool = False

    def __call__(
        self,
        encoder: Encoder,
        x: Tensor,
        augmented: Tensor | None,
        generator: torch.Generator,
        *,
        stage: Stage,
        autocast: AbstractContextManager[object],
    ) -> dict[str, Tensor]:
        """Return losses of clean rows x (batch, n_features), or of augmented ones with x's labels.

        "virtual_adversarial": that labels change close to them. "conditional_entropy": that labels
        are unsure. "class_balance": that the mean label leaves the class proportions, since the
        same label in all places would change nowhere.

        No dropout: it would change labels more than the neighbours do. An encoder that sees noise
        gets the same noise for a row and its neighbours.
        """
        noise = x.new_empty(len(x), encoder.n_noise).normal_(generator=generator)
        by_class = stage.consistency == "classes"

        def label(rows: Tensor, *, typical: bool = False) -> Tensor:
            outputs = encoder(rows, NoDraws(generator, updates=typical), noise)
            outputs = {"label": outputs["label"].float()}
            return encoder.class_logits(outputs) if by_class else outputs["label"]

        direction = torch.empty_like(x).normal_(generator=generator)
        radii = losses.local_radii(x, self.radius)
        with autocast:
            logits = label(x, typical=True)
            rows = x if augmented is None else augmented
            change = losses.virtual_adversarial_loss(label, rows, logits, radii, direction)
        parts = {"virtual_adversarial": change}
        if self.finds_clusters:
            entropy = losses.conditional_entropy_loss(logits)
            parts["conditional_entropy"] = ENTROPY_WEIGHT * entropy
        if self.proportions is not None:
            weight = FINDING_BALANCE_WEIGHT if self.finds_clusters else 1.0
            proportions = self.proportions
            if not by_class:
                assigned = not stage.assigns_later
                proportions = encoder.component_proportions(proportions, assigned=assigned)
            parts["class_balance"] = weight * losses.class_balance_loss(logits, proportions)
        return parts
