"""The parameters that all estimators share: constraints, what "auto" stands for, documentation."""

from __future__ import annotations

import math
import secrets
import textwrap
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skaae._device import cpu_generator
from skaae._layers import ACTIVATIONS
from skaae._optimizers import PhaseRates
from skaae._posteriors import POSTERIORS

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


SHARED_DOC = """\
architecture : {"mlp", "conv"}, default="mlp"
    Networks of encoder and decoder: fully connected layers, or convolutions on rows that are flat
    images.
image_shape : tuple (height, width) or (height, width, channels), default=None
    Shape of a row as an image, in NumPy's order, for architecture="conv". None is a square of one
    channel.
hidden_layer_sizes : "auto", int or sequence of int, default="auto"
    Units of each hidden layer of the encoder; the decoder mirrors them. "auto" is two layers of
    three units a feature, at least 64 and at most 1000 (so 1000 for MNIST). For "conv" they are the
    channels of convolutions that each halve height and width; "auto" is 32 and 64, and goes on
    doubling until images are down to 8 pixels.
discriminator_hidden_layer_sizes : "auto", int or sequence of int, default="auto"
    The same for each discriminator.
activation : {"relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "logistic", "identity"}, \
default="relu"
    Activation of the hidden layers.
dropout : float in [0, 1), default=0.0
    Probability of setting a hidden unit of encoder and decoder to 0, in training only; rounded to
    a multiple of 1/256.
input_dropout : float in [0, 1), default=0.0
    Probability of setting a feature to 0 at the encoder's input after scaling, in training only.
input_noise : float, default={input_noise}
    Standard deviation of Gaussian noise on the encoder's input after scaling, in training only;
    the decoder learns to give the clean row. The paper uses 0.3 on MNIST.
discriminator_noise : float, default=0.0
    Standard deviation of Gaussian noise on what the discriminators see, codes and draws of the
    prior alike, in training only: it keeps a discriminator from winning where the two lie apart.
    Without a discriminator there is none. Not part of the paper.
batch_norm : {"hidden", "encoder", "autoencoder"} or None, default={batch_norm}
    Batch normalization of the encoder's hidden layers, with "encoder" of the code too (the paper's
    clustering), with "autoencoder" of the decoder's hidden layers too (the paper's SVHN).
    Discriminators never have it, nor networks of your own.
encoder, decoder, discriminator : callable or None, default=None
    Your own networks: functions of (n_inputs, n_outputs) that return a `torch.nn.Module` from
    (batch, n_inputs) to (batch, n_outputs), without an output activation. They are called in each
    fit; draws from PyTorch's global generator in them are seeded by `random_state`.
scaling : {"auto", "standard", "range"} or None, default="auto"
    What is done to X before the networks see it, and undone in what they give back. "standard":
    each column to mean 0 and variance 1. "range": the whole table to [0, 1] with one factor, as
    suits pixels. "auto": "range" if no value is negative and most columns span one common range
    from near 0 (pixels in [0, 1] or [0, 255]) or if the loss is the cross-entropy, else "standard".
    None: X is used as it is.
reconstruction_loss : {"squared_error", "binary_cross_entropy"}, default="squared_error"
    "squared_error" is half the sum of squared errors over the features of a row, as in the paper;
    "binary_cross_entropy" is summed likewise and needs scaled values in [0, 1]; in later data,
    values beyond that count as 0 and 1.
output_activation : {"auto", "identity", "sigmoid"}, default="auto"
    Activation of the decoder's output. "auto" is the sigmoid for the cross-entropy and where
    scaling is "range", else the identity.
weight_init : {"auto", "uniform", "small"} or float, default="auto"
    Initial weights. A float is the standard deviation of a normal distribution (the paper: 0.01,
    for layers of 1000 units), with biases 0; "small" makes that 0.32 / sqrt(inputs of the layer),
    the same for 1000 units. "uniform" is uniform in +-1 / sqrt(inputs of the layer). "auto" is
    "small" for "sgd" and "uniform" for "adam".
solver : {"adam", "sgd"}, default="{solver}"
    Optimiser of all phases. "sgd" with its default rates is the paper's; on small tables the two
    find classes about equally well.
reconstruction_learning_rate : "auto" or float, default="auto"
    Learning rate of the reconstruction phase. "auto" is 0.001 for "adam" and 0.01 for "sgd"; with
    "sgd" and a sigmoid output it is up to 20 times more for rows of less contrast than MNIST's
    (0.01 times 52.7 / mean squared distance of the scaled rows from their mean).
adversarial_learning_rate : "auto" or float, default="auto"
    Learning rate of the discriminators and of the encoder as their opponent. "auto" is {adam_rate}
    for "adam", 0.1 for "sgd". 0 switches the adversary off: a plain autoencoder.
momentum : float in [0, 1), default=0.9
    Momentum of "sgd", beta_1 of "adam", outside the adversarial phases.
adversarial_momentum : "auto" or float in [0, 1), default="auto"
    The same in the adversarial phases. "auto" is 0.5 for "adam", 0.1 for "sgd".
max_gradient_norm : float or None, default=10.0
    Gradients of a phase that are longer are shortened to this norm, so that outliers and strongly
    correlated columns do not throw training off. None leaves all as they are.
learning_rate_schedule : {"auto", "constant", "cosine"}, callable or sequence of pairs, \
default="auto"
    What all learning rates are multiplied by. {auto_schedule} "cosine" falls from 1 to 0 over
    max_iter epochs (also over calls of `partial_fit`, an epoch each). Pairs (epoch, factor) hold
    from their epoch on: the paper's schedule for MNIST is ((50, 0.1), (1000, 0.01)). A callable
    gets the epoch, counted from 0, and returns the factor.
updates : {"alternating", "joint"}, default="alternating"
    "alternating": each phase encodes its rows anew, after the weights have moved in the one before,
    as in the paper. "joint": one encoding of rows and labeled rows serves all phases of the paper,
    and reconstruction and classification step together, which is faster for large batches and for
    small networks.
average_weights : bool, default={average_weights}
    Use a running average of the weights for all but training: over about the last tenth of all
    steps so far. It takes out much of the noise that "sgd" at a constant rate leaves.
batch_size : "auto" or int, default="auto"
    Rows in a mini-batch. "auto" is 100, or all rows if there are fewer.
max_iter : "auto" or int, default="auto"
    Number of epochs. "auto" is as many as 12,000 steps take, at least 20 and at most 200.
early_stopping : bool, default=False
    Hold out some training rows, stop when {validation_loss} on them no longer falls, and keep the
    best weights. The discriminator's loss plays no part.
validation_fraction : float in (0, 1), default=0.1
    Fraction of {validation_rows} held out for early stopping.
n_iter_no_change : int, default=10
    Epochs without an improvement of at least `tol` before training stops early.
tol : float, default=1e-4
    Smallest improvement of the validation loss that counts.
warm_start : bool, default=False
    Let `fit` go on from the last fit's weights and optimisers instead of starting afresh. The
    parameters of networks, priors and optimisers must not have changed.
precision : {"auto", "float32", "bfloat16"}, default="auto"
    Of the matrix products in training; weights and losses stay in float32. "auto" is "bfloat16"
    for layers of at least 256 units on a processor that multiplies in it. Inference follows the
    dtype of X.
device : str, default="auto"
    Where to compute: "cpu", "cuda", "cuda:1", "mps"; "auto" is cuda, then mps, then cpu.
random_state : int, RandomState instance or None, default=None
    Seed of weights, batches, noise and prior draws. An int repeats bit for bit on one CPU.
verbose : int or bool, default=0
    Whether to print the losses after every epoch."""


LABEL_DOC = """\
virtual_adversarial_learning_rate : "auto" or float, default={smoothing}
    Learning rate of one more phase, which keeps {labels} the same between a row and the neighbour
    where the encoder would change its mind the most (virtual adversarial training, Miyato et al.
    2018), so that borders run where there are no rows.
    {sets_in}
    {balance}
    "auto" is 0.001 for "adam", 0.1 for "sgd"; 0 leaves the phase out. Not part of the paper.
virtual_adversarial_radius : "auto" or float, default="auto"
    Mean distance of that neighbour in scaled units. "auto" is 0.17 times the root of the mean
    squared distance of the scaled rows from their mean: 1.2 for MNIST with pixels in [0, 1]. Rows
    have more or less of it in proportion to their distance to the nearest row of the mini-batch,
    taken for a quarter to twice the median of these.
augment : callable or None, default=None
    Varies rows in ways that leave their {labels} as they are, such as small shifts of images. A
    function of a float32 tensor (batch, n_features) in the units of X, on the device of training;
    it returns a tensor of that shape. Every mini-batch is trained on as it returns it, and the
    virtual adversarial phase gives a row and the neighbours of its variant the same label. Draws
    from PyTorch's global generator in it are seeded by `random_state`. Not part of the paper."""


def with_shared_parameters(**words):
    """Return a decorator that fills in `{shared_parameters}` and `{label_parameters}`."""

    def decorate(cls):
        for place, doc in (("shared_parameters", SHARED_DOC), ("label_parameters", LABEL_DOC)):
            text = doc.replace("\n", "\n    ")
            for word, meaning in words.items():
                # a sentence on lines of its own, or a value within one
                margin = 8 * " "
                lines = textwrap.fill(meaning, 100, initial_indent=margin, subsequent_indent=margin)
                text = text.replace(f"{margin}{{{word}}}\n", f"{lines}\n")
                text = text.replace(f"{{{word}}}", meaning)
            cls.__doc__ = cls.__doc__.replace(f"{{{place}}}", text)
        return cls

    return decorate
