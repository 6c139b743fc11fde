"""Checks of the networks of a file, before they are built from it.

Settings say how large networks are. A file could contain any numbers, so these must fit the arrays
that the file has.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from skaae.device import cpu_generator
from skaae.files.kinds import FileError
from skaae.networks.autoencoder import Architecture
from skaae.networks.convolutions import halved
from skaae.networks.layers import ACTIVATIONS
from skaae.networks.posteriors import POSTERIORS
from skaae.priors._drawn import Drawn
from skaae.training.settings import Settings
from skaae.training.step import AAEStep

KERNEL = 16  # entries of a kernel of the convolutions


def require(holds: Any, problem: str) -> None:
    """Raise FileError with the problem if a condition does not hold."""
    if not holds:
        raise FileError(problem)


def is_finite(value: Any) -> bool:
    """Return whether all numbers of an array, or a number, are finite; False if it has others."""
    array = np.asarray(value)
    return array.dtype.kind in "biuf" and bool(np.isfinite(array).all())


def check_networks(settings: Settings, step_state: Mapping[str, Any]) -> None:
    """Raise FileError if the networks of the settings do not have the sizes of the arrays."""
    weights = step_state.get("networks")
    arrays = isinstance(weights, dict) and all(
        isinstance(value, np.ndarray) and value.dtype.kind in "biuf" for value in weights.values()
    )
    require(arrays, "the weights of its networks are missing, or are no arrays of numbers")
    assert isinstance(weights, dict)
    architecture = with_plain_sizes(settings.architecture)
    users = parts_of_users(architecture)
    for name, value in weights.items():
        finite = name.startswith(users) or is_finite(value)  # a user's buffer may be a mask of -inf
        require(finite, f"the weights {name!r:.80} are not finite")
    check_finite_fields(settings)
    check_finite_fields(settings.architecture)
    for rates in settings.rates.values():
        check_finite_fields(rates)
    check_sizes(architecture, len(weights))
    n_found = sum(value.size for value in weights.values())
    require(
        n_weights(architecture) <= n_found,
        f"its networks have {n_weights(architecture)} weights, but it contains {n_found} numbers "
        "for them",
    )
    check_priors(settings)
    check_averages(weights, step_state.get("average", []))
    label = architecture.blocks.get("label")
    if label is not None and label.components_per_class > 1:
        members = weights.get("encoder.members", np.empty(0))
        require(
            members.shape == (label.prior_size, label.size),
            "it does not say which components make up each class",
        )


def with_plain_sizes(architecture: Architecture) -> Architecture:
    """Return the architecture with Python's integers, whose products do not overflow."""
    blocks = {
        name: dataclasses.replace(
            block,
            size=int(block.size),
            n_classes=int(block.n_classes),
            components_per_class=int(block.components_per_class),
        )
        for name, block in architecture.blocks.items()
    }
    shape, n_outputs = architecture.image_shape, architecture.n_outputs
    return dataclasses.replace(
        architecture,
        blocks=blocks,
        n_features=int(architecture.n_features),
        hidden=tuple(map(int, architecture.hidden)),
        discriminator_hidden=tuple(map(int, architecture.discriminator_hidden)),
        image_shape=None if shape is None else (int(shape[0]), int(shape[1]), int(shape[2])),
        n_outputs=None if n_outputs is None else int(n_outputs),
    )


def parts_of_users(architecture: Architecture) -> tuple[str, ...]:
    """Return how the names of weights in modules of users begin."""
    found = {
        "encoder.trunk.": architecture.encoder,
        "decoder.body.": architecture.decoder,
        "discriminators.": architecture.discriminator,
    }
    return tuple(prefix for prefix, factory in found.items() if factory is not None)


def averaged(weights: Mapping[str, np.ndarray]) -> list[str]:
    """Return the names of the weights that have a running average, in its order."""
    parts = [[n for n in weights if n.startswith(part)] for part in ("encoder.", "decoder.")]
    return [name for names in parts for name in names if weights[name].dtype.kind == "f"]


def check_averages(weights: Mapping[str, np.ndarray], averages: Any) -> None:
    """Raise FileError if averages of weights do not have the shapes of these."""
    require(isinstance(averages, list), "the averages of its weights are no list")
    if averages:
        shapes = [weights[name].shape for name in averaged(weights)]
        require(
            [np.shape(value) for value in averages] == shapes and all(map(is_finite, averages)),
            "the averages of its weights are not finite, or do not have the shapes of these",
        )


def check_optimizers(step: AAEStep, step_state: Mapping[str, Any]) -> None:
    """Raise FileError if states of optimisers do not have the shapes of the weights."""
    for name, state in step_state.get("optimizers", {}).items():
        require(name in step.optimizers, f"it has an optimiser {name!r:.40} without weights")
        memory = step.optimizers[name].memory
        shapes = {key: [tuple(t.shape) for t in tensors] for key, tensors in memory.items()}
        found = {key: [np.shape(v) for v in values] for key, values in state["memory"].items()}
        require(
            found == shapes
            and all(is_finite(v) for values in state["memory"].values() for v in values)
            and is_finite(state["learning_rate"])
            and is_finite(state["n_steps"]),
            f"the state of the optimiser {name!r:.40} does not fit its weights, or is not finite",
        )


def check_finite_fields(value: Any) -> None:
    """Raise FileError if a number among the fields of a dataclass is not finite."""
    for field in dataclasses.fields(value):
        found = getattr(value, field.name)
        if isinstance(found, float) and not math.isfinite(found):
            raise FileError(f"{field.name} of its {type(value).__name__} is {found}")


def check_priors(settings: Settings) -> None:
    """Raise FileError if a prior has not the dimensions of its block."""
    blocks = settings.architecture.blocks
    missing = [name for name, block in blocks.items() if block.adversarial]
    missing = [name for name in missing if name not in settings.priors]
    require(not missing, f"it has no prior of {missing}")
    for name, prior in settings.priors.items():
        require(name in blocks, f"it has a prior of {name!r:.40}, which is no part of its code")
        if not isinstance(prior, Drawn):  # functions of users are called when they are needed
            prior.sample(1, blocks[name].prior_size, generator=cpu_generator(0))


def check_sizes(architecture: Architecture, n_arrays: int) -> None:
    """Raise FileError if a size of the architecture cannot be one, or there are too many layers."""
    blocks = architecture.blocks
    require(
        "style" in blocks and blocks.keys() <= {"style", "label"},
        "the blocks of its code are not a style and a label",
    )
    sizes = [architecture.n_features, *architecture.hidden, *architecture.discriminator_hidden]
    sizes += [block.size for block in blocks.values()]
    sizes += [block.components_per_class for block in blocks.values()]
    require(min(sizes) >= 1, "a layer of its networks has no unit")
    require(
        (architecture.n_outputs or 1) >= 1 and min(b.n_classes for b in blocks.values()) >= 0,
        "its networks have a negative number of outputs",
    )
    require(
        architecture.cluster_heads is None or "label" in blocks, "its cluster heads have no label"
    )
    n_layers = len(architecture.hidden) * (
        (architecture.encoder is None) + (architecture.decoder is None)
    )
    if architecture.discriminator is None:
        n_adversarial = sum(block.adversarial for block in blocks.values())
        n_layers += len(architecture.discriminator_hidden) * n_adversarial
    require(n_layers <= n_arrays, f"its networks have {n_layers} layers, more than it has arrays")
    require(architecture.kind in ("mlp", "conv"), f"its networks are {architecture.kind!r:.40}")
    require(
        architecture.activation in ACTIVATIONS,
        f"the activation of its networks is {architecture.activation!r:.40}",
    )
    if architecture.kind == "conv":
        shape = architecture.image_shape
        require(
            shape is not None
            and min(shape) >= 1
            and math.prod(shape) == architecture.n_features
            and architecture.n_outputs in (None, architecture.n_features),
            f"its images have the shape {shape}, which does not fit its rows",
        )


def n_weights(architecture: Architecture) -> int:
    """Return the number of weights in the matrices and kernels of networks, without user modules.

    It is computed from the sizes alone, since networks of a wrong size must not be built.
    """
    if architecture.posterior not in POSTERIORS:
        raise FileError(f"its posterior is {architecture.posterior!r:.40}")
    posterior, blocks = POSTERIORS[architecture.posterior](), architecture.blocks
    outputs = [
        posterior.n_outputs(block.size) if name == "style" else block.size
        for name, block in blocks.items()
        if block.latent
    ]
    n_noise, hidden = posterior.n_noise, list(architecture.hidden)
    heads = architecture.cluster_heads is not None
    n_code = blocks["style"].size if heads else sum(block.size for block in blocks.values())
    encoder = products([architecture.n_features + n_noise, *hidden])
    last = hidden[-1] if hidden else architecture.n_features + n_noise
    decoder = products([n_code, *hidden[::-1], architecture.n_outputs or architecture.n_features])
    if architecture.kind == "conv":
        assert architecture.image_shape is not None
        n_channels = architecture.image_shape[2]
        n_places = math.prod(halved(architecture.image_shape, len(hidden))[-1])
        n_last = n_places * (hidden[-1] if hidden else n_channels)
        encoder = KERNEL * products([n_channels, *hidden])
        last = n_last + n_noise
        decoder = n_code * n_last + KERNEL * products([n_channels, *hidden])
    total = 0
    if architecture.encoder is None:
        total += encoder + last * sum(outputs)
    if architecture.decoder is None:
        total += decoder
    if architecture.cluster_heads is not None and np.ndim(architecture.cluster_heads) == 0:
        total += blocks["label"].size * blocks["style"].size
    for block in blocks.values():
        if block.adversarial and architecture.discriminator is None:
            n_inputs = block.prior_size + (block.n_classes + 1 if block.n_classes else 0)
            total += products([n_inputs, *architecture.discriminator_hidden, 1])
    return total


def products(sizes: list[int]) -> int:
    """Return the number of weights between layers of these sizes."""
    return sum(int(a) * int(b) for a, b in pairwise(sizes))
