"""The parameters that all estimators share: their constraints, and what "auto" stands for."""

from __future__ import annotations

import math
import secrets
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skaae.device import cpu_generator
from skaae.networks.layers import ACTIVATIONS
from skaae.networks.posteriors import POSTERIORS
from skaae.training.optimizers import PhaseRates

POSITIVE = Interval(Real, 0, None, closed="neither")
NON_NEGATIVE = Interval(Real, 0, None, closed="left")
COUNT = Interval(Integral, 1, None, closed="left")
AUTO = StrOptions({"auto"})

UNLABELED_CONSTRAINT = "no_validation"  # any scalar may mark an unlabeled row
CLASS_PRIOR = [StrOptions({"labeled", "uniform"}), "array-like"]

POSTERIOR = [StrOptions(set(POSTERIORS))]

# Parameters of the estimators without classes of their own to infer.
POSTERIOR_CONSTRAINTS = {
    "posterior": POSTERIOR,
    "regularizer": [StrOptions({"adversarial", "mmd", "kl"}), None],
    "regularizer_weight": [AUTO, NON_NEGATIVE],
}
# Parameters of the estimators that infer classes or clusters.
LABEL_CONSTRAINTS = {
    "virtual_adversarial_learning_rate": [AUTO, NON_NEGATIVE],
    "virtual_adversarial_radius": [AUTO, POSITIVE],
    "augment": [callable, None],
}
# What estimators do that lack these parameters.
LACKING = {
    "posterior": "deterministic",
    "regularizer": "adversarial",
    "regularizer_weight": "auto",
    "virtual_adversarial_learning_rate": 0.0,
    "virtual_adversarial_radius": "auto",
    "augment": None,
}

SHARED_CONSTRAINTS = {
    "n_components": [COUNT],
    "prior": "no_validation",  # as_prior names what it cannot draw from
    "architecture": [StrOptions({"mlp", "conv"})],
    "image_shape": ["array-like", None],
    "hidden_layer_sizes": [AUTO, COUNT, "array-like"],
    "discriminator_hidden_layer_sizes": [AUTO, COUNT, "array-like"],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "input_dropout": [Interval(Real, 0, 1, closed="left")],
    "input_noise": [NON_NEGATIVE],
    "discriminator_noise": [NON_NEGATIVE],
    "batch_norm": [StrOptions({"hidden", "encoder", "autoencoder"}), None],
    "encoder": [callable, None],
    "decoder": [callable, None],
    "discriminator": [callable, None],
    "scaling": [StrOptions({"auto", "standard", "range"}), None],
    "reconstruction_loss": [StrOptions({"squared_error", "binary_cross_entropy"})],
    "output_activation": [StrOptions({"auto", "identity", "sigmoid"})],
    "weight_init": [StrOptions({"auto", "uniform", "small"}), POSITIVE],
    "solver": [StrOptions({"adam", "sgd"})],
    "reconstruction_learning_rate": [AUTO, NON_NEGATIVE],
    "adversarial_learning_rate": [AUTO, NON_NEGATIVE],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "adversarial_momentum": [AUTO, Interval(Real, 0, 1, closed="left")],
    "max_gradient_norm": [POSITIVE, None],
    "learning_rate_schedule": [
        StrOptions({"auto", "constant", "cosine"}),
        callable,
        "array-like",
    ],
    "updates": [StrOptions({"alternating", "joint"})],
    "average_weights": ["boolean"],
    "batch_size": [AUTO, COUNT],
    "max_iter": [AUTO, COUNT],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [COUNT],
    "tol": [NON_NEGATIVE],
    "warm_start": ["boolean"],
    "precision": [StrOptions({"auto", "float32", "bfloat16"})],
    "device": [str],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}

# What "auto" stands for, by solver: for SGD the paper's rates (its section 5). Behind a sigmoid the
# gradient of the reconstruction fades with the contrast of the rows, so the rate grows with its
# inverse: to 0.11 for the digits of scikit-learn, where 0.01 hardly moves the decoder.
AUTO_RATES = {
    "sgd": {
        "reconstruction": 0.01,
        "adversarial": 0.1,
        "classification": 0.1,
        "virtual_adversarial": 0.1,
    },
    "adam": {
        "reconstruction": 0.001,
        "adversarial": 0.0003,
        "classification": 0.001,
        "virtual_adversarial": 0.001,
    },
}
MNIST_SPREAD = 52.7  # mean squared distance of the images from their mean, pixels in [0, 1]
MAX_SIGMOID_FACTOR = 20.0
AUTO_MMD_WEIGHT = 0.1  # 5.3 for MNIST: half of what Wasserstein autoencoders use with the whole sum
# Of "adam" where the code is a style alone: beside "cosine" it brings codes to their prior, at a
# constant rate it would throw them about (benchmarks/prior_match.py).
AUTO_STYLE_RATE = 0.001
# To bring each class to its own part of the prior, past the others, takes more.
AUTO_BY_PARTS_RATE = 0.003
# Of the root mean squared distance of the scaled rows from their mean: 1.2 for MNIST.
AUTO_RADIUS = 0.17
# Share of the epochs before labels count as settled: too early it would confirm clusters that
# reconstruction and adversary are about to change.
SETTLED = 0.2
# The same where that phase is what finds clusters: too early they would be hard before they part.
SETTLED_BY_SMOOTHING = 0.6
# Share of the epochs in which subclasses find their rows: after it a piece of a class that another
# one has caught can come back, since only borders between classes count.
GROUPED = 0.3
# Labels of a class, for each of its subclasses, that can say which rows are theirs; with fewer they
# only name subclasses that were found without them.
NAMING_LABELS = 2
AUTO_WEIGHT_INIT = {"sgd": "small", "adam": "uniform"}
AUTO_ADVERSARIAL_MOMENTUM = {"sgd": 0.1, "adam": 0.5}


def layer_sizes(name, value, n_features, image_shape=None):
    """Return hidden widths; "auto" is two layers of 3 units a feature, 64 to 1000.

    With an image_shape they are the channels of convolutions, which "auto" doubles from 32 on, in
    two layers or in as many as it takes to come down to 8 pixels.
    """
    if isinstance(value, str) and image_shape is not None:
        halvings = math.log2(min(image_shape[:2]))
        n_layers = min(max(2, math.ceil(halvings - 3)), math.floor(halvings))
        return tuple(min(32 * 2**layer, 256) for layer in range(n_layers))
    if isinstance(value, str):
        return (min(1000, max(64, 3 * n_features)),) * 2
    sizes = tuple(np.atleast_1d(value).tolist())
    if any(not isinstance(size, Integral) or size < 1 for size in sizes):
        raise ValueError(
            f"{name}={value!r} must hold integers of at least 1, one for each hidden layer; "
            "() means no hidden layer."
        )
    return sizes


def image_shape(value, n_features):
    """Return height, width and channels of rows that are images; None stands for a square."""
    if value is None:
        side = math.isqrt(n_features)
        if side * side != n_features:
            raise ValueError(
                f"architecture='conv' cannot tell the shape of images from {n_features} features; "
                "set image_shape=(height, width) or (height, width, channels)."
            )
        return (side, side, 1)
    shape = tuple(value)
    if len(shape) not in (2, 3) or any(
        not isinstance(size, Integral) or size < 1 for size in shape
    ):
        raise ValueError(
            f"image_shape={value!r} must be (height, width) or (height, width, channels) of "
            "integers of at least 1."
        )
    if math.prod(shape) != n_features:
        raise ValueError(
            f"image_shape={shape} has {math.prod(shape)} values, but X has {n_features} features; "
            "rows must be flat images, in NumPy's order: height, width, channels."
        )
    return shape if len(shape) == 3 else (*shape, 1)


def refuse_modules(params):
    """Refuse modules where factories are asked for: a clone would share their weights."""
    for name in ("encoder", "decoder", "discriminator"):
        if isinstance(params[name], torch.nn.Module):
            raise TypeError(
                f"{name} is a module, {type(params[name]).__name__}; give a function of "
                "(n_inputs, n_outputs) that returns one, so that every fit starts afresh."
            )


def regularizer_weight(params, n_features, spread):
    """Return the weight of a penalty on codes beside the reconstruction loss.

    For "kl" and the squared error it is the variance that the likelihood of a feature is given:
    that of the scaled rows, with "auto". For "mmd" it is relative to their spread.
    """
    value = params["regularizer_weight"]
    if not isinstance(value, str):
        return float(value)
    if params["regularizer"] == "mmd":
        return AUTO_MMD_WEIGHT * spread
    return 1.0 if params["reconstruction_loss"] == "binary_cross_entropy" else spread / n_features


def virtual_adversarial_radius(params, spread):
    """Return how far the worst neighbour of a row is, from the rows' mean squared distance."""
    value = params["virtual_adversarial_radius"]
    return AUTO_RADIUS * math.sqrt(spread) if isinstance(value, str) else float(value)


def phase_rates(params, *, sigmoid, spread, blocks, classification=False):
    """Return learning rate and momentum by phase, with "auto" replaced by the solver's values.

    `spread` is the mean squared distance of the scaled rows from their mean, `blocks` are the parts
    of the code.
    """
    auto = dict(AUTO_RATES[params["solver"]])
    if params["solver"] == "adam" and not classification:
        by_parts = any(block.by_parts for block in blocks)
        auto["adversarial"] = AUTO_BY_PARTS_RATE if by_parts else AUTO_STYLE_RATE
    if params["solver"] == "sgd" and sigmoid:
        factor = MNIST_SPREAD / max(spread, 1e-12)
        auto["reconstruction"] *= min(max(factor, 1.0), MAX_SIGMOID_FACTOR)

    def rate(phase):
        value = params.get(f"{phase}_learning_rate", "auto")
        return auto[phase] if isinstance(value, str) else float(value)

    adversarial_momentum = params["adversarial_momentum"]
    if isinstance(adversarial_momentum, str):
        adversarial_momentum = AUTO_ADVERSARIAL_MOMENTUM[params["solver"]]
    rates = {"reconstruction": PhaseRates(rate("reconstruction"), params["momentum"])}
    still = rates["reconstruction"].learning_rate == 0.0
    if params["updates"] == "joint" and classification and still:
        raise ValueError(
            "updates='joint' classifies at the rate of the reconstruction, which is 0; set "
            "reconstruction_learning_rate above 0, or updates='alternating'."
        )
    if any(block.adversarial for block in blocks):
        game = PhaseRates(rate("adversarial"), adversarial_momentum)
        rates |= {"discriminator": game, "generator": game}
    if classification:
        rates["classification"] = PhaseRates(rate("classification"), params["momentum"])
    if rate("virtual_adversarial") > 0.0:
        rates["virtual_adversarial"] = PhaseRates(rate("virtual_adversarial"), params["momentum"])
    return rates


def learning_rate_factor(schedule, epoch, planned):
    """Return what the initial rates are multiplied by in an epoch, from 0, of those planned."""
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


def check_schedule(schedule):
    """Return a sequence of (epoch, factor) pairs in the order of their epochs."""
    try:
        pairs = sorted((int(epoch), float(factor)) for epoch, factor in schedule)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"learning_rate_schedule={schedule!r} must be 'constant', 'cosine', a callable of the "
            "epoch, or pairs (epoch, factor) such as ((50, 0.1), (1000, 0.01))."
        ) from error
    if any(epoch < 0 or not math.isfinite(factor) or factor < 0 for epoch, factor in pairs):
        raise ValueError(
            f"learning_rate_schedule={schedule!r} must hold epochs and factors of at least 0."
        )
    return pairs


def epochs(max_iter, n_samples, batch_size):
    """Return the number of epochs; "auto" is 200, less for large data but never under 20.

    Between the two an epoch budget of 12,000 steps decides: what a step learns depends on the data,
    not on how many rows are left unseen.
    """
    if not isinstance(max_iter, str):
        return int(max_iter)
    steps_per_epoch = math.ceil(n_samples / batch_size)
    return int(np.clip(math.ceil(12_000 / steps_per_epoch), 20, 200))


def draw_seed(random_state):
    """Return an integer seed; None draws a new one without touching NumPy's global generator."""
    if random_state is None:
        return secrets.randbelow(2**31 - 1)
    return int(check_random_state(random_state).randint(2**31 - 1))


def make_cpu_generator(random_state):
    """Return a generator for draws on the CPU, which repeat on any machine."""
    return cpu_generator(draw_seed(random_state))


def check_count(name, value):
    """Return a positive integer argument of a method, or say what it must be."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}={value!r} must be an integer of at least 1.")
    return int(value)
