"""The parameters that estimators share, and `resolve`, which replaces every "auto" by a value."""

from __future__ import annotations

import math
import os
import secrets
from numbers import Integral

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.utils import check_random_state

from skaae.clustering.initial import KEPT
from skaae.columns.layout import Layout
from skaae.columns.scaling import Scaling
from skaae.columns.table import Rows, Table
from skaae.device import cpu_generator, resolve_device
from skaae.estimators import warn
from skaae.estimators.model import Model, are_auto, finds_clusters, has_components, takes_components
from skaae.estimators.options import (
    NETWORKS,
    SOLVERS,
    Categories,
    Checkpoint,
    Conv,
    Network,
    Solver,
    VirtualAdversarial,
    expand,
    kind_of,
    replace_auto,
    solver_of,
)
from skaae.estimators.ranges import AUTO, COUNT, NON_NEGATIVE, SHARE
from skaae.estimators.rates import learning_rate_factor, phase_rates
from skaae.networks.autoencoder import Architecture
from skaae.networks.posteriors import POSTERIORS
from skaae.priors._drawn import own_copy
from skaae.priors._prior import check_samples
from skaae.private_sklearn import StrOptions
from skaae.training import schedule as schedules
from skaae.training.augmentation import Augmentation
from skaae.training.schedule import Schedule
from skaae.training.settings import Settings

UNLABELED_CONSTRAINT = "no_validation"  # any scalar may mark an unlabeled row
CLASS_PRIOR_CONSTRAINT = "no_validation"  # class_proportions checks it
POSTERIOR_CONSTRAINT = [StrOptions(set(POSTERIORS))]

# What to do where a parameter is None, which has no parameters of its own.
REMEDIES = {
    "virtual_adversarial": "set virtual_adversarial=VirtualAdversarial() first",
    "checkpoint": "set checkpoint=Checkpoint() first",
}

# Parameters of the estimators that predict no classes.
POSTERIOR_CONSTRAINTS = {
    "posterior": POSTERIOR_CONSTRAINT,
    "regularizer": [StrOptions({"adversarial", "mmd", "kl"}), None],
    "regularizer_weight": [AUTO, NON_NEGATIVE],
}
# Parameters of the estimators that predict classes or clusters.
LABEL_CONSTRAINTS = {
    "virtual_adversarial": [AUTO, VirtualAdversarial, None],
    "augment": [callable, None],
}
SHARED_CONSTRAINTS = {
    "n_components": [COUNT],
    "prior": "no_validation",  # as_prior checks it
    "hidden_layer_sizes": [AUTO, COUNT, "array-like"],
    "network": [StrOptions(set(NETWORKS)), Network],
    "scaling": [StrOptions({"auto", "standard", "quantile", "range"}), None],
    "categorical_features": [StrOptions({"from_dtype"}), "array-like", Categories, None],
    "reconstruction_loss": [StrOptions({"squared_error", "binary_cross_entropy"})],
    "input_noise": [NON_NEGATIVE],
    "solver": [StrOptions(set(SOLVERS)), Solver],
    "batch_size": [AUTO, COUNT],
    "max_iter": [AUTO, COUNT],
    "early_stopping": [AUTO, "boolean"],
    "validation_fraction": [SHARE],
    "n_iter_no_change": [AUTO, COUNT],
    "tol": [NON_NEGATIVE],
    "warm_start": ["boolean"],
    "checkpoint": [str, os.PathLike, Checkpoint, None],
    "device": [str, torch.device],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}

# Times the total variance of the scaled columns: a weight of 5.3 for MNIST. Wasserstein
# autoencoders use 10, with a reconstruction loss that is twice as large.
AUTO_MMD_WEIGHT = 0.1
MOST_COLOURS = 4  # red, green, blue and opacity
AUTO_WEIGHT_INIT = {"sgd": "small", "adam": "uniform"}
# Wider layers of dense tables take longer, and codes of 100 to 300 columns are hardly better
# (benchmarks/widths.py).
WIDEST, WIDEST_OF_TABLES = 1000, 256
PSEUDO_LABELS_AT = (0.25, 0.5, 0.75)


def reached_objects(estimator, names):
    """Return the parameter objects that names such as `network__dropout` reach into, by parameter.

    Raises ValueError if there is no such object.
    """
    known, found = estimator.get_params(deep=False), {}
    for nested in names:
        name = nested.partition("__")[0]
        if name not in known:
            continue  # scikit-learn's error names those that there are
        value = known[name]
        if name == "solver":
            value = replace_auto(value, estimator._usual_solver)
        found[name] = expand(name, value)
        if name == "prior" and hasattr(value, "set_params"):
            raise ValueError(
                f"{nested!r} cannot be set, because prior={value!r} is used as it was fitted; fit "
                "another model, and set prior to it."
            )
        if not hasattr(found[name], "set_params"):
            remedy = REMEDIES.get(name, f"set {name} itself")
            raise ValueError(
                f"{nested!r} cannot be set, because {name}={value!r} has no parameters of its own; "
                f"{remedy}."
            )
    return found


def resolve(estimator, model: Model, X: Rows, table: Table) -> Settings:
    """Return the settings of an estimator's networks and training, with every "auto" replaced.

    The values of "auto" depend on the training rows X, their table, the solver and the model.
    Raises ValueError if parameters contradict each other.
    """
    network, recipe = expand("network", estimator.network), model.recipe
    solver = solver_of(estimator, recipe)
    variance, layout = table.total_variance(X), table.layout
    images = table.scaling.kind == "range"
    widest = WIDEST if images or issparse(X) else WIDEST_OF_TABLES
    sigmoid = images or estimator.reconstruction_loss == "binary_cross_entropy"
    if not isinstance(solver.learning_rate_schedule, str):
        learning_rate_factor(solver.learning_rate_schedule, 0, 1)
    seed = draw_seed(estimator.random_state)
    architecture = make_architecture(estimator, network, solver, model, layout, seed, widest)
    normalized = architecture.batch_norm in ("encoder", "autoencoder")
    rates = phase_rates(
        solver, model, normalized=normalized, sigmoid=sigmoid, total_variance=variance
    )
    consistent = "virtual_adversarial" in rates
    settings = Settings(
        architecture=architecture,
        priors={name: own_copy(prior) for name, prior in model.priors.items()},
        rates=rates,
        solver=kind_of(solver),
        reconstruction_loss=estimator.reconstruction_loss,
        sigmoid=sigmoid,
        input_noise=replace_auto(estimator.input_noise, recipe.input_noise),
        discriminator_noise=network.discriminator_noise,
        max_gradient_norm=solver.max_gradient_norm,
        average=replace_auto(solver.average_weights, recipe.average_weights),
        joint=solver.updates == "joint",
        precision=solver.precision,
        device=estimator.device,
        seed=seed,
        schedule=make_schedule(model, consistent),
        regularizer=model.regularizer,
        regularizer_weight=regularizer_weight(estimator, model, layout.n_outputs, variance),
        head_distance=model.head_distance,
        radius=virtual_adversarial_radius(model, variance),
        proportions=model.proportions if consistent else None,
        finds_clusters=consistent and finds_clusters(model),
        augment=make_augmentation(model, table),
        layout=layout,
        expectation=table.expectation,
    )
    check_user_code(settings, X)
    return settings


def make_augmentation(model: Model, table: Table) -> Augmentation | None:
    """Return the augmentation, or None; raise ValueError if X has other columns than numbers."""
    if model.augment is None:
        return None
    if not table.layout.is_plain:
        raise ValueError(
            "augment changes rows of numbers, but X has categories, flags or gaps; set "
            "augment=None, or turn X into numbers first."
        )
    if not isinstance(table.scaling, Scaling):
        raise ValueError(
            "augment does not work with scaling='quantile', which has no single scale; set another "
            "scaling, or augment=None."
        )
    return Augmentation(model.augment, table.scaling)


def check_user_code(settings: Settings, X: Rows) -> None:
    """Raise if a prior or the augmentation function returns no array of the right shape."""
    for name, prior in settings.priors.items():
        size = settings.architecture.blocks[name].prior_size
        samples = prior.sample(8, size, generator=cpu_generator(0))
        samples = check_samples(prior, samples, 8, size)
        if name == "style" and settings.regularizer == "kl":
            prior.log_prob(samples)
    if settings.augment is not None:
        settings.augment.check(X, settings.seed, resolve_device(settings.device))


def make_architecture(
    estimator,
    network: Network,
    solver: Solver,
    model: Model,
    layout: Layout,
    seed: int,
    widest: int,
) -> Architecture:
    """Return the plain values that the networks are built from."""
    width, weight_init = model.recipe.width, model.recipe.weight_init
    takes_pca = takes_components(network)
    if weight_init is None or (weight_init == "pca" and not takes_pca):
        weight_init = AUTO_WEIGHT_INIT[kind_of(solver)]
    if network.weight_init == "pca" and not takes_pca:
        raise ValueError(
            "weight_init='pca' needs network=MLP(...) without an encoder or a decoder of your own; "
            "set weight_init='auto', or another value."
        )
    n_features, shape = layout.n_inputs, None
    if isinstance(network, Conv):
        if not layout.is_plain:
            raise ValueError(
                "network='conv' reads rows as images, but X has categories, flags or gaps; use "
                "network='mlp'."
            )
        shape = image_shape(network.image_shape, n_features)
    return Architecture(
        n_features=n_features,
        blocks=model.blocks,
        hidden=layer_sizes(
            "hidden_layer_sizes",
            estimator.hidden_layer_sizes,
            n_features,
            shape,
            width,
            model.recipe.n_layers,
            widest=widest,
        ),
        discriminator_hidden=layer_sizes(
            "discriminator_hidden_layer_sizes",
            network.discriminator_hidden_layer_sizes,
            n_features,
            width=width and width // 2,
            widest=widest,
        ),
        kind="mlp" if shape is None else "conv",
        image_shape=shape,
        activation=network.activation,
        dropout=network.dropout,
        input_dropout=network.input_dropout,
        batch_norm=replace_auto(network.batch_norm, model.recipe.batch_norm),
        weight_init=replace_auto(network.weight_init, weight_init),
        posterior=model.posterior,
        cluster_heads=model.cluster_heads,
        encoder=network.encoder,
        decoder=network.decoder,
        discriminator=network.discriminator,
        seed=seed,
        n_outputs=layout.n_outputs,
    )


def require_gaussian(regularizer: str | None, posterior: str) -> None:
    """Raise ValueError if regularizer="kl" is combined with a posterior other than "gaussian"."""
    if regularizer == "kl" and posterior != "gaussian":
        raise ValueError(
            f"regularizer='kl' needs posterior='gaussian', got {posterior!r}, whose KL divergence "
            "from the prior is not known; set posterior='gaussian' or another regularizer."
        )


def make_schedule(model: Model, consistent: bool) -> Schedule:
    """Return the stages of a model's training; see `skaae.training.schedule`.

    `consistent` says whether the model has a virtual adversarial loss.
    """
    pseudo_labels_at = PSEUDO_LABELS_AT if model.teacher == "graph" else ()
    if model.init == "k-means":
        stages = schedules.taught_by_kmeans(virtual_adversarial=consistent)
        return Schedule(stages, pseudo_labels_at, teacher="k-means")
    if model.teacher == "committee":
        stages = schedules.taught(consistency="classes" if consistent else None)
        return Schedule(stages, teacher="committee")
    if model.init in KEPT:
        stages = schedules.taught(consistency="components" if consistent else None)
        return Schedule(stages, teacher=model.init)
    if not consistent:
        stages = schedules.single_stage()
    elif has_components(model):
        stages = schedules.find_components_first(assigns_later=model.assigns_later)
    elif model.init is None:
        stages = schedules.find_clusters_first()
    else:
        stages = schedules.warm_up_first()
    return Schedule(stages, pseudo_labels_at)


def layer_sizes(name, value, n_features, image_shape=None, width=None, n_layers=2, *, widest):
    """Return the width of each hidden layer; with an image_shape, the channels of convolutions.

    "auto" is `n_layers` layers of `width` units, or of 3 units per feature if it is None, at least
    64 and at most `widest`. For convolutions, "auto" starts with 32 channels and doubles them in
    each layer, up to 256. It has as many layers as reduce the shorter side of the image to 8 pixels
    or fewer, but at least two.
    """
    if isinstance(value, str) and image_shape is not None:
        halvings = math.log2(min(image_shape[:2]))
        n_layers = min(max(2, math.ceil(halvings - 3)), math.floor(halvings))
        return tuple(min(32 * 2**layer, 256) for layer in range(n_layers))
    if isinstance(value, str):
        return (width or min(widest, max(64, 3 * n_features)),) * n_layers
    sizes = tuple(np.atleast_1d(value).tolist())
    if any(not isinstance(size, Integral) or size < 1 for size in sizes):
        raise ValueError(
            f"{name}={value!r} must hold integers of at least 1, one for each hidden layer; "
            "() means no hidden layer."
        )
    return sizes


def image_shape(value, n_features):
    """Return height, width and channels of rows as images; None means a square, one channel."""
    if value is None:
        side = math.isqrt(n_features)
        if side * side != n_features:
            raise ValueError(
                f"network='conv' cannot tell the shape of images from {n_features} features; set "
                "network=Conv(image_shape=(height, width)) or (height, width, channels)."
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
    if len(shape) == 3 and shape[0] == 3 and min(shape[1:]) > MOST_COLOURS:
        warn.of_channels_first(shape)
    return shape if len(shape) == 3 else (*shape, 1)


def regularizer_weight(estimator, model: Model, n_features: int, total_variance: float) -> float:
    """Return the weight of the penalty on codes, relative to the reconstruction loss.

    `total_variance` is the sum of the variances of the scaled columns. For "mmd", "auto" is in
    proportion to it. For "kl" with the squared error, the weight is the variance of a
    feature given the code, and "auto" is the mean variance of the scaled features.
    """
    if model.regularizer == "mmd":
        auto = AUTO_MMD_WEIGHT * total_variance
    elif estimator.reconstruction_loss == "binary_cross_entropy":
        auto = 1.0
    else:
        auto = total_variance / n_features
    if model.regularizer in ("adversarial", None) and not are_auto(model.regularizer_weight):
        why = f"regularizer={model.regularizer!r}"
        warn.of_no_effect("regularizer_weight", model.regularizer_weight, why)
    return float(replace_auto(model.regularizer_weight, auto))


def virtual_adversarial_radius(model: Model, total_variance: float) -> float:
    """Return the radius of the virtual adversarial loss; see `VirtualAdversarial`.

    "auto" depends on `total_variance`, the sum of the variances of the scaled columns.
    """
    value = getattr(model.virtual_adversarial, "radius", "auto")
    return float(replace_auto(value, model.recipe.radius * math.sqrt(total_variance)))


def draw_seed(random_state):
    """Return an integer seed; None draws one without using NumPy's global generator."""
    if random_state is None:
        return secrets.randbelow(2**31 - 1)
    return int(check_random_state(random_state).randint(2**31 - 1))


def make_cpu_generator(random_state):
    """Return a generator on the CPU; the same int gives the same draws on any machine."""
    return cpu_generator(draw_seed(random_state))
