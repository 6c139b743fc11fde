"""The virtual adversarial loss, which trains a row and points near it to have the same label.

The loss is not part of the paper, but of Miyato et al., "Virtual adversarial training", 2018. If it
has to find the clusters, it is the information maximization of Hu et al., "Learning discrete
representations via information maximizing self-augmented training", 2017.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from skaae.networks.autoencoder import Encoder
from skaae.networks.layers import NoDraws
from skaae.training import losses
from skaae.training.ranks import Ranks
from skaae.training.schedule import Stage

# Weights relative to a virtual adversarial loss that finds the clusters, as in Hu et al.
ENTROPY_WEIGHT = 0.1
FINDING_BALANCE_WEIGHT = 0.4


@dataclass
class VirtualAdversarialLoss:
    """The virtual adversarial loss, with the conditional entropy and the class-balance loss.

    Parameters
    ----------
    radius : mean distance of a row from its worst neighbour.
    proportions : class proportions of the class-balance loss, (n_classes,) on the device. None
        leaves this loss out.
    finds_clusters : whether the loss has to find the clusters. It then includes the conditional
        entropy.
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
        ranks: Ranks | None = None,
    ) -> dict[str, Tensor]:
        """Return the losses of rows x (batch, n_features), by name.

        "virtual_adversarial": the change of labels from rows x to their worst neighbours, or to
        those of the augmented rows. "conditional_entropy": the mean entropy of the labels.
        "class_balance": the KL divergence of the mean label from the class proportions. If this
        loss is left out, one label for all rows may have the lowest loss.

        There is no dropout, because it would change labels more than the step to a neighbour. A row
        and its neighbours get the same noise inputs, if the encoder has any.

        If `ranks` train together, x are the rows of one of them.
        """
        noise = x.new_empty(len(x), encoder.n_noise).normal_(generator=generator)
        class_level = stage.consistency == "classes"

        def label(rows: Tensor, *, typical: bool = False) -> Tensor:
            outputs = encoder(rows, NoDraws(generator, updates=typical), noise)
            outputs = {"label": outputs["label"].float()}
            return encoder.class_logits(outputs) if class_level else outputs["label"]

        direction = torch.empty_like(x).normal_(generator=generator)
        if ranks is None:
            radii = losses.local_radii(x, self.radius)
        else:  # the nearest row may be another rank's
            radii = ranks.pick(losses.local_radii(ranks.gather(x), self.radius))
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
            if not class_level:
                assigned = not stage.assigns_later
                proportions = encoder.component_proportions(proportions, assigned=assigned)
            every = logits if ranks is None else ranks.gather(logits)
            parts["class_balance"] = weight * losses.class_balance_loss(every, proportions)
        return parts
