"""Learning rates: what "auto" means, and how they change from epoch to epoch."""

from __future__ import annotations

import math

import numpy as np

from skaae.estimators.model import Model
from skaae.estimators.options import Solver, kind_of, replace_auto
from skaae.networks.layers import MOMENTUM, BatchNorm
from skaae.priors import Gaussian
from skaae.training.optimizers import PhaseRates

# Learning rates of "auto", by solver; those of SGD are the paper's (section 5). With a sigmoid, the
# gradient of the reconstruction loss shrinks with the contrast of the rows. So `phase_rates` raises
# SGD's rate for rows of low contrast: to 0.11 for scikit-learn's digits, where 0.01 is too low.
AUTO_RATES = {
    "sgd": {
        "reconstruction": 0.01,
        "adversarial": 0.1,
        "classification": 0.1,
        "virtual_adversarial": 0.1,
        "neighbours": 0.1,
    },
    "adam": {
        "reconstruction": 0.001,
        "adversarial": 0.0003,
        "classification": 0.001,
        "virtual_adversarial": 0.001,
        "neighbours": 0.004,
    },
}
ADVERSARIAL_MOMENTUM = {"sgd": 0.1, "adam": 0.5}
MNIST_VARIANCE = 52.7  # the sum of the variances of the pixels, which are in [0, 1]
MAX_SIGMOID_FACTOR = 20.0
# Adversarial rate of "adam" where the prior is hard to follow: it is not normal, codes are not
# normalized, or they must leave out a class that the decoder is given. With the schedule "cosine"
# codes come to follow the prior; at a constant rate they keep moving (benchmarks/prior_match.py).
AUTO_SHAPE_RATE = 0.001
# A higher rate, because the codes of a class must cross those of other classes to reach their own
# component of the prior.
AUTO_BY_COMPONENT_RATE = 0.003

# Most steps of a `fit` that count for the average weights when `partial_fit` goes on with it. The
# average covers a tenth of all steps: with thousands, the rows of a few calls would hardly count.
STEPS_REMEMBERED = 300.0
# Reconstruction rate of "adam" where it trains the decoder alone.
AUTO_DECODER_RATE = 0.003


def phase_rates(
    solver: Solver, model: Model, *, normalized: bool, sigmoid: bool, total_variance: float
) -> dict[str, PhaseRates]:
    """Return learning rate and momentum of each phase, with "auto" replaced.

    `normalized` says whether codes have batch normalization. `total_variance` is the sum of the
    variances of the scaled columns.
    """
    kind, blocks = kind_of(solver), model.blocks.values()
    auto = dict(AUTO_RATES[kind])
    if kind == "adam" and not model.classifies:
        if any(block.by_component for block in blocks):
            auto["adversarial"] = AUTO_BY_COMPONENT_RATE
        elif not (normalized and len(blocks) == 1 and isinstance(model.priors["style"], Gaussian)):
            auto["adversarial"] = AUTO_SHAPE_RATE
    if kind == "adam" and model.keeps_neighbours:
        auto["reconstruction"] = AUTO_DECODER_RATE
    if kind == "sgd" and sigmoid:
        factor = MNIST_VARIANCE / max(total_variance, 1e-12)
        auto["reconstruction"] *= min(max(factor, 1.0), MAX_SIGMOID_FACTOR)

    def rate(phase: str) -> float:
        return float(replace_auto(getattr(solver, f"{phase}_learning_rate"), auto[phase]))

    momentum = solver.momentum
    rates = {"reconstruction": PhaseRates(rate("reconstruction"), momentum)}
    if solver.updates == "joint" and model.classifies and rate("reconstruction") == 0.0:
        raise ValueError(
            "updates='joint' trains reconstruction and classification in one update, which is "
            "impossible with reconstruction_learning_rate=0; set it above 0, or "
            "updates='alternating'."
        )
    if any(block.adversarial for block in blocks):
        game = PhaseRates(rate("adversarial"), ADVERSARIAL_MOMENTUM[kind])
        rates |= {"discriminator": game, "generator": game}
    if model.classifies:
        rates["classification"] = PhaseRates(rate("classification"), momentum)
    if model.virtual_adversarial is not None:
        value = getattr(model.virtual_adversarial, "learning_rate", "auto")
        default = model.recipe.virtual_adversarial_learning_rate or auto["virtual_adversarial"]
        found = float(replace_auto(value, default))
        rates["virtual_adversarial"] = PhaseRates(found, momentum)
    if model.keeps_neighbours:
        rates["neighbours"] = PhaseRates(auto["neighbours"], momentum)
    return rates


def scale_for_block(step, streams, batch_size, *, partial):
    """Return the factor of the learning rates: below 1 for a `partial_fit` of few rows.

    Otherwise one row would change the weights, and the running statistics of batch normalization,
    as much as a whole mini-batch, and a stream of single rows would ruin the model. (Networks of
    the user keep their own statistics.)

    Classification has a factor of its own for blocks with few labels, `step.label_rate_factor`: the
    square root of their share in a mini-batch. A gradient of few labels is noisy; with this factor,
    the noise moves the weights by no more than that of a whole mini-batch does. If several
    mini-batches repeat the same few labels, the factor is lower, down to the share itself.
    """
    n_rows = len(streams[0])
    n_labels = sum(len(stream) for stream in streams if stream.phase == "classification")
    share = step.label_rate_factor = 1.0
    if partial:
        share = min(1.0, n_rows / batch_size)
    if partial and n_labels:
        labels, n_batches = n_labels / min(n_rows, batch_size), math.ceil(n_rows / batch_size)
        step.label_rate_factor = min(1.0, max(labels, math.sqrt(labels / n_batches)))
    for module in step.networks.modules():
        if isinstance(module, BatchNorm):
            module.momentum = share * MOMENTUM
    return share


def learning_rate_factor(schedule, epoch, planned):
    """Return the factor of the learning rates in an epoch (from 0) of the planned number."""
    if isinstance(schedule, str):
        if schedule == "constant":
            return 1.0
        return 0.5 * (1.0 + math.cos(math.pi * min(epoch / planned, 1.0)))
    if callable(schedule):
        factor = float(schedule(epoch))
        if not (math.isfinite(factor) and factor >= 0.0):
            raise ValueError(
                f"learning_rate_schedule returned {factor} for epoch {epoch}; it must return "
                "a finite factor of at least 0."
            )
        return factor
    passed = [factor for start, factor in check_schedule(schedule) if epoch >= start]
    return passed[-1] if passed else 1.0


def whole(number):
    """Return a whole number as an int, or raise ValueError."""
    if int(number) != number:
        raise ValueError(f"{number} is not whole")
    return int(number)


def check_schedule(schedule):
    """Return the (epoch, factor) pairs sorted by epoch, or raise ValueError."""
    try:
        pairs = sorted((whole(epoch), float(factor)) for epoch, factor in schedule)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"learning_rate_schedule={schedule!r} must be 'constant', 'cosine', a callable of the "
            "epoch, or pairs (epoch, factor) of whole epochs, such as ((50, 0.1), (1000, 0.01))."
        ) from error
    if any(epoch < 0 or not math.isfinite(factor) or factor < 0 for epoch, factor in pairs):
        raise ValueError(
            f"learning_rate_schedule={schedule!r} must hold epochs and factors of at least 0."
        )
    return pairs


def epochs(max_iter, n_samples, batch_size, recipe):
    """Return the number of epochs; "auto" makes as many steps as the recipe says."""
    if not isinstance(max_iter, str):
        return int(max_iter)
    steps_per_epoch = math.ceil(n_samples / batch_size)
    wanted = math.ceil(recipe.n_steps / steps_per_epoch)
    return int(np.clip(wanted, recipe.least_epochs, recipe.most_epochs))
