"""Checks of a fitted state that was read from a file, before networks are built from it.

Settings say how large networks are, and attributes say how many classes there are. A file could
contain any numbers, so these must fit the arrays that the file has.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from skaae.clustering.merge import MergedClusters
from skaae.columns.quantiles import QuantileScaling
from skaae.columns.scaling import Scaling
from skaae.columns.schema import CATEGORY, FLAG, NUMBER
from skaae.columns.table import Table
from skaae.estimators.recipes import Recipe
from skaae.estimators.styles import StylesOfLabels
from skaae.export.file_frames import Frame
from skaae.files.kinds import FileError, matches
from skaae.neighbours import Neighbourhood
from skaae.networks.autoencoder import Architecture
from skaae.networks.convolutions import halved
from skaae.networks.posteriors import POSTERIORS
from skaae.training.settings import Settings
from skaae.training.step import AAEStep

Numbers = np.ndarray | float | int
# Attributes of a fitted estimator besides its parameters, with their types.
ATTRIBUTES: dict[str, Any] = {
    "_settings": Settings,
    "_recipe": Recipe,
    "_table": Table,
    "_frozen": dict[str, Any],
    "_goes_on": bool,
    "_noise": np.ndarray | None,
    "_step_state": dict[str, Any],
    "scaling_": str,
    "history_": dict[str, list[float | int | str | None]],
    "n_iter_": int,
    "n_features_in_": int,
    "feature_names_in_": np.ndarray,
    "_sklearn_output_config": dict[str, str],
    "classes_": np.ndarray,
    "class_prior_": np.ndarray,
    "transduction_": np.ndarray,
    "n_labeled_": int,
    "n_unlabeled_": int,
    "_log_class_weights": Numbers,
    "_proportions_of_components": np.ndarray | None,
    "_merged": MergedClusters | None,
    "_styles": StylesOfLabels | None,
    "labels_": np.ndarray,
    "n_clusters_": int,
    "component_labels_": np.ndarray,
    "cluster_heads_": np.ndarray | Frame,
    "embedding_": np.ndarray,
    "_neighbourhood": Neighbourhood,
    "offset_": float,
}
# Attributes that every fitted estimator has.
FITTED = ("_settings", "_recipe", "_table", "_frozen", "_goes_on", "_step_state", "n_features_in_")
# Finite numbers, where they are arrays or numbers.
FINITE = ("class_prior_", "_proportions_of_components", "offset_", "_noise")
KERNEL = 16  # entries of a kernel of the convolutions


def check_state(state: Mapping[str, Any]) -> None:
    """Raise FileError if the attributes of a fitted estimator do not belong together."""
    for name, value in state.items():
        if not matches(value, ATTRIBUTES[name]):
            require(False, f"its attribute {name!r} is {value!r:.60}, a {type(value).__name__}")
    missing = [name for name in FITTED if name not in state]
    require(not missing, f"it lacks the attributes {missing}")
    settings, table = state["_settings"], state["_table"]
    check_networks(settings, state["_step_state"])
    check_table(table)
    architecture = settings.architecture
    require(
        table.layout.n_inputs == architecture.n_features
        and table.layout.n_outputs == (architecture.n_outputs or architecture.n_features)
        and settings.layout in (None, table.layout)
        and state["n_features_in_"] == len(table.schema.columns),
        "the columns of its table are not those of its networks",
    )
    for name in FINITE:
        value = state.get(name)
        require(value is None or is_finite(value), f"its attribute {name!r} is not finite")
    check_results(state)


def require(holds: Any, problem: str) -> None:
    """Raise FileError with the problem if a condition does not hold."""
    if not holds:
        raise FileError(problem)


def is_finite(value: Any) -> bool:
    """Return whether all numbers of an array, or a number, are finite; False if it has others."""
    array = np.asarray(value)
    return array.dtype.kind in "biuf" and bool(np.isfinite(array).all())


# Networks -----------------------------------------------------------------------------------------


def check_networks(settings: Settings, step_state: Mapping[str, Any]) -> None:
    """Raise FileError if the networks of the settings do not have the sizes of the arrays."""
    weights = step_state.get("networks")
    arrays = isinstance(weights, dict) and all(
        isinstance(value, np.ndarray) and value.dtype.kind in "biuf" for value in weights.values()
    )
    require(arrays, "the weights of its networks are missing, or are no arrays of numbers")
    assert isinstance(weights, dict)
    for name, value in weights.items():
        require(is_finite(value), f"the weights {name!r:.80} are not finite")
    check_finite_fields(settings)
    check_finite_fields(settings.architecture)
    for rates in settings.rates.values():
        check_finite_fields(rates)
    architecture = settings.architecture
    check_sizes(architecture, len(weights))
    n_found = sum(value.size for value in weights.values())
    require(
        n_weights(architecture) <= n_found,
        f"its networks have {n_weights(architecture)} weights, but it contains {n_found} numbers "
        "for them",
    )
    check_averages(weights, step_state.get("average", []))
    label = architecture.blocks.get("label")
    if label is not None and label.components_per_class > 1:
        members = weights.get("encoder.members", np.empty(0))
        require(
            members.shape == (label.prior_size, label.size),
            "it does not say which components make up each class",
        )


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
    n_layers = len(architecture.hidden) * (
        (architecture.encoder is None) + (architecture.decoder is None)
    )
    if architecture.discriminator is None:
        n_adversarial = sum(block.adversarial for block in blocks.values())
        n_layers += len(architecture.discriminator_hidden) * n_adversarial
    require(n_layers <= n_arrays, f"its networks have {n_layers} layers, more than it has arrays")
    require(architecture.kind in ("mlp", "conv"), f"its networks are {architecture.kind!r:.40}")
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
    if isinstance(architecture.cluster_heads, int | float):
        total += blocks["label"].size * blocks["style"].size
    for block in blocks.values():
        if block.adversarial and architecture.discriminator is None:
            n_inputs = block.prior_size + (block.n_classes + 1 if block.n_classes else 0)
            total += products([n_inputs, *architecture.discriminator_hidden, 1])
    return total


def products(sizes: list[int]) -> int:
    """Return the number of weights between layers of these sizes."""
    return sum(int(a) * int(b) for a, b in pairwise(sizes))


# Tables -------------------------------------------------------------------------------------------


def check_table(table: Table) -> None:
    """Raise FileError if the parts of a table do not have the same columns."""
    columns, layout = table.schema.columns, table.layout
    kinds = [column.kind for column in columns]
    require(set(kinds) <= {NUMBER, FLAG, CATEGORY}, "a column of its table is of no known kind")
    require(
        table.schema.library in (None, "pandas", "polars") and table.dtype.kind == "f",
        "its table is neither an array nor a data frame",
    )
    n_plain, n_categories = len(kinds) - kinds.count(CATEGORY), kinds.count(CATEGORY)
    n_numbers = layout.n_numbers
    positions = [table.numbers, table.flags]
    require(
        all(part.ndim == 1 and part.dtype.kind in "iu" for part in positions)
        and sorted(np.concatenate(positions).tolist()) == list(range(n_plain))
        and [len(part) for part in positions] == [n_numbers, layout.n_flags],
        "the numbers and flags of its table are not its columns",
    )
    shapes = {
        "lowest": (n_numbers,),
        "highest": (n_numbers,),
        "typical": (n_plain,),
        "whole": (n_numbers,),
    }
    for name, shape in shapes.items():
        found = getattr(table, name)
        kind = "b" if name == "whole" else "f"
        require(
            found.shape == shape and found.dtype.kind == kind,
            f"{name!r} of its table has shape {found.shape} and dtype {found.dtype}",
        )
    require(is_finite(table.typical), "'typical' of its table is not finite")
    require(
        len(layout.categories) == n_categories
        and all(0 <= gap < len(kinds) for gap in layout.gaps)
        and len(set(layout.gaps)) == len(layout.gaps)
        and all(size >= 0 for size in layout.categories)
        and len(layout.weights) in (0, layout.n_flags + n_categories)
        and is_finite(layout.weights or 0.0),
        "the layout of its table does not fit its columns",
    )
    check_scaling(table.scaling, n_numbers)
    check_categories(table)


def check_scaling(scaling: Scaling | QuantileScaling, n_numbers: int) -> None:
    """Raise FileError if a scaling is not one of so many numbers."""
    if isinstance(scaling, Scaling):
        for part in (scaling.center, scaling.scale):
            fits = part.shape in ((), (n_numbers,)) and part.dtype.kind == "f" and is_finite(part)
            require(fits, "its scaling does not fit its columns, or is not finite")
        require((scaling.scale != 0.0).all(), "its scaling divides by 0")
        return
    require(len(scaling.columns) == n_numbers, "its scaling does not fit its columns")
    for knots in scaling.columns:
        for values, scores in (
            (knots.values, knots.scores),
            (knots.back_values, knots.back_scores),
        ):
            require(
                values.ndim == 1
                and values.shape == scores.shape
                and len(values) > 0
                and is_finite(values)
                and is_finite(scores),
                "the quantiles of its scaling are not finite, or not as many as their scores",
            )


def check_categories(table: Table) -> None:
    """Raise FileError if the categories of a table are not those of its layout."""
    categories, sizes = table.categories, tuple(table.layout.categories)
    if categories is None:
        require(not sizes, "its table lacks categories")
        return
    require(
        categories.sizes == sizes
        and len(categories.shares) == len(categories.frequencies) == len(sizes),
        "the categories of its table do not fit its layout",
    )
    for size, groups, shares, frequencies in zip(
        sizes, categories.values, categories.shares, categories.frequencies, strict=True
    ):
        require(
            len(shares) == size and frequencies.shape == (size,) and is_finite(frequencies),
            "the shares of its categories do not fit these",
        )
        for values, share in zip(groups, shares, strict=True):
            require(
                values.ndim == 1
                and len(values) > 0
                and share.shape == values.shape
                and is_finite(share)
                and (share >= 0.0).all()
                and abs(share.sum() - 1.0) < 1e-6,
                "the shares of its categories do not fit these",
            )


# Results ------------------------------------------------------------------------------------------


def check_results(state: Mapping[str, Any]) -> None:
    """Raise FileError if results, such as classes, do not fit the networks and each other."""
    settings, table = state["_settings"], state["_table"]
    blocks = settings.architecture.blocks
    label, style = blocks.get("label"), blocks["style"]
    noise, n_numbers = state.get("_noise"), table.layout.n_numbers
    require(
        noise is None or noise.shape in ((n_numbers,), (n_numbers, n_numbers)),
        "its noise does not fit its columns",
    )
    classes = state.get("classes_")
    if classes is not None:
        counts = {style.n_classes} if label is None else {label.prior_size, style.n_classes}
        require(
            classes.ndim == 1 and len(classes) in counts,
            f"it has classes of shape {classes.shape}, and its networks have {max(counts)}",
        )
        for name in ("class_prior_", "_log_class_weights"):
            shape = np.shape(state.get(name, 0.0))
            require(shape in ((), classes.shape), f"{name!r} does not fit its classes")
    for name in ("labels_", "transduction_", "component_labels_", "feature_names_in_"):
        require(np.ndim(state.get(name, [])) == 1, f"its attribute {name!r} has not one axis")
    for name in ("embedding_", "cluster_heads_"):
        found = state.get(name, np.empty((0, 0)))
        require(
            isinstance(found, Frame) or found.ndim == 2, f"its attribute {name!r} has not two axes"
        )
    names = state.get("feature_names_in_")
    require(
        names is None or len(names) == len(table.schema.columns),
        "its names of features are not as many as its columns",
    )
    n_labels = 0 if label is None else label.size
    if state.get("_merged") is not None:
        check_merged(state["_merged"], n_labels)
    if state.get("_styles") is not None:
        found = state["_styles"]
        require(
            found.means.shape == (n_labels, style.size)
            and found.covariances.shape == (n_labels, style.size, style.size)
            and found.n_rows.shape == (n_labels,)
            and is_finite(found.means)
            and is_finite(found.covariances),
            "the styles of its labels do not fit its code",
        )
    if "_neighbourhood" in state:
        check_neighbourhood(state["_neighbourhood"])


def check_merged(merged: MergedClusters, n_labels: int) -> None:
    """Raise FileError if merged clusters are not made of components of the label."""
    components, clusters = merged.components, merged.clusters
    require(
        components.ndim == 1
        and len(components) > 0
        and clusters.shape == merged.proportions.shape == components.shape
        and components.dtype.kind == clusters.dtype.kind == "i"
        and 0 <= components.min() <= components.max() < n_labels
        and np.array_equal(np.unique(clusters), np.arange(len(np.unique(clusters)))),
        "its clusters are not made of components of its label",
    )
    require(is_finite(merged.proportions), "the proportions of its clusters are not finite")


def check_neighbourhood(found: Neighbourhood) -> None:
    """Raise FileError if the parts of a neighbourhood do not fit each other."""
    parts = (found.mean, found.directions, found.scales, found.rows)
    require(
        all(is_finite(part) for part in (*parts, found.rest))
        and found.directions.ndim == 2
        and found.mean.shape == found.directions.shape[:1]
        and found.scales.shape == found.directions.shape[1:]
        and found.rows.ndim == 2
        and found.rows.shape[1] == len(found.scales) + 1
        and 0 < found.n_neighbors < len(found.rows),
        "the training rows that outliers are compared with do not fit each other",
    )
