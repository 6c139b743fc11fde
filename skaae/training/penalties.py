"""Penalties that the reconstruction phase may add to its loss.

Each function returns a penalty, which is a function of the step, the encoder's outputs and the
code.
"""

from __future__ import annotations

from torch import Tensor

from skaae.networks import posteriors
from skaae.networks.autoencoder import Code
from skaae.training import losses
from skaae.training.step import AAEStep, Penalty


def kl(weight: float) -> Penalty:
    """Return the penalty of variational autoencoders: the divergence of q(z|x) from the prior."""

    def penalty(step: AAEStep, outputs: Code, code: Code) -> Tensor:
        _, log_variance = posteriors.Gaussian().split(outputs["style"])
        log_prob = step.priors["style"].log_prob
        return weight * losses.gaussian_kl(log_variance, code["style"], log_prob)

    return penalty


def mmd(weight: float) -> Penalty:
    """Return the penalty of Wasserstein autoencoders: the MMD between codes and the prior."""

    def penalty(step: AAEStep, outputs: Code, code: Code) -> Tensor:
        codes = code["style"]
        samples = step.draw_prior("style", codes)
        if step.ranks is not None:  # all pairs of rows count, also those of two ranks
            codes, samples = step.ranks.gather(codes), step.ranks.gather(samples)
        scale = samples.square().mean().sqrt()
        return weight * losses.maximum_mean_discrepancy(codes, samples, scale)

    return penalty


def head_distance(distance: float) -> Penalty:
    """Return the penalty on pairs of cluster heads that are closer than `distance`."""

    def penalty(step: AAEStep, outputs: Code, code: Code) -> Tensor:
        points = step.networks.decoder.combine.points
        assert isinstance(points, Tensor)
        return losses.head_distance_loss(points, distance)

    return penalty
