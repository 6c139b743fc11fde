"""Checks of a fitted state that was read from a file: its parts must belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skaae.clustering.merge import MergedClusters
from skaae.columns.gaps import Expectation
from skaae.columns.plain_frames import Frame
from skaae.columns.quantiles import QuantileScaling
from skaae.columns.scaling import Scaling
from skaae.columns.schema import CATEGORY, FLAG, NUMBER
from skaae.columns.table import Table
from skaae.estimators.recipes import Recipe
from skaae.estimators.styles import StylesOfLabels
from skaae.export.file_networks import check_networks, is_finite, require
from skaae.files.kinds import matches
from skaae.neighbours import Neighbourhood
from skaae.networks.autoencoder import Block
from skaae.training.settings import Settings

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
    "_neighbourhood": Neighbourhood | None,
    "offset_": float,
}
# Attributes that every fitted estimator has, and others that estimators of a class have.
FITTED = (
    *("_settings", "_recipe", "_table", "_frozen", "_goes_on", "_step_state", "_noise"),
    *("n_features_in_", "n_iter_", "history_", "scaling_"),
)
FITTED_OF = {
    "SupervisedAAETransformer": ("classes_", "class_prior_"),
    "SemiSupervisedAAEClassifier": ("classes_", "class_prior_", "_log_class_weights"),
    "AAEClusterer": ("_merged", "_styles", "n_clusters_"),
    "AAEOutlierDetector": ("_neighbourhood", "offset_"),
}
# Finite numbers, where they are arrays or numbers.
FINITE = ("class_prior_", "_proportions_of_components", "offset_", "_noise")


def check_state(state: Mapping[str, Any], estimator: str) -> None:
    """Raise FileError if attributes do not belong together, or a fitted estimator has others.

    `estimator` is the name of its class.
    """
    for name, value in state.items():
        if not matches(value, ATTRIBUTES[name]):
            require(False, f"its attribute {name!r} is {value!r:.60}, a {type(value).__name__}")
    needed = (*FITTED, *FITTED_OF.get(estimator, ()))
    missing = [name for name in needed if name not in state]
    require(not missing, f"it lacks the attributes {missing}")
    settings, table = state["_settings"], state["_table"]
    check_networks(settings, state["_step_state"])
    check_table(table)
    architecture = settings.architecture
    require(
        table.layout.n_inputs == architecture.n_features
        and table.layout.n_outputs == (architecture.n_outputs or architecture.n_features)
        and settings.layout in (None, table.layout)
        and settings.expectation is None
        and state["n_features_in_"] == len(table.schema.columns),
        "the columns of its table are not those of its networks",
    )
    for name in FINITE:
        value = state.get(name)
        require(value is None or is_finite(value), f"its attribute {name!r} is not finite")
    check_results(state, estimator)


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
        allowed = {"whole": "b", "typical": "f"}.get(name, "biuf")  # lowest: the dtype of X
        require(
            found.shape == shape and found.dtype.kind in allowed,
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
    if table.expectation is not None:
        check_expectation(table.expectation, layout.n_outputs)


def check_expectation(expectation: Expectation, n_entries: int) -> None:
    """Raise FileError if what stands for gaps is not of so many entries."""
    shapes = {"mean": (n_entries,), "deviation": (n_entries,), "precision": (n_entries, n_entries)}
    for name, shape in shapes.items():
        found = getattr(expectation, name)
        require(
            found.shape == shape and found.dtype.kind == "f" and is_finite(found),
            f"{name!r} of what stands for gaps has shape {found.shape} and dtype {found.dtype}, or "
            "is not finite",
        )
    require(bool((expectation.deviation > 0.0).all()), "a deviation of gaps is not above 0")


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


def check_results(state: Mapping[str, Any], estimator: str) -> None:
    """Raise FileError if results, such as classes, do not fit the networks and each other."""
    settings, table = state["_settings"], state["_table"]
    label, style = settings.architecture.blocks.get("label"), settings.architecture.blocks["style"]
    noise, n_numbers = state.get("_noise"), table.layout.n_numbers
    require(
        noise is None or noise.shape in ((n_numbers,), (n_numbers, n_numbers)),
        "its noise does not fit its columns",
    )
    check_axes(state)
    names = state.get("feature_names_in_")
    require(
        names is None or len(names) == len(table.schema.columns),
        "its names of features are not as many as its columns",
    )
    require(
        "style" in settings.priors or estimator == "AAEEmbedding", "it has no prior of its style"
    )
    check_classes(state, label, style)
    within, n_labels = state.get("_proportions_of_components"), 0 if label is None else label.size
    require(
        within is None
        or (within.shape[1:] == (n_labels,) and (within >= 0.0).all() and within.sum(1).all()),
        "the proportions of its components do not fit its label",
    )
    if state.get("_merged") is not None:
        check_merged(state["_merged"], n_labels)
    if state.get("_styles") is not None:
        check_styles(state["_styles"], n_labels, style.size)
    if state.get("_neighbourhood") is not None:
        check_neighbourhood(state["_neighbourhood"])


def check_axes(state: Mapping[str, Any]) -> None:
    """Raise FileError if results for rows have not one or two axes, as they should."""
    for name in ("labels_", "transduction_", "component_labels_", "feature_names_in_"):
        require(np.ndim(state.get(name, [])) == 1, f"its attribute {name!r} has not one axis")
    for name in ("embedding_", "cluster_heads_"):
        found = state.get(name, np.empty((0, 0)))
        require(
            isinstance(found, Frame) or found.ndim == 2, f"its attribute {name!r} has not two axes"
        )


def check_classes(state: Mapping[str, Any], label: Block | None, style: Block) -> None:
    """Raise FileError if classes and their proportions do not fit the blocks of the code."""
    classes = state.get("classes_")
    none_named = label is None and classes is not None and classes.shape == (0,)  # no row had any
    if classes is None or none_named:
        return
    counts = {style.n_classes} if label is None else {label.prior_size, style.n_classes}
    require(
        classes.ndim == 1 and len(classes) in counts,
        f"it has classes of shape {classes.shape}, and its networks have {max(counts)}",
    )
    prior = state.get("class_prior_", np.ones(len(classes)) / len(classes))
    require(
        prior.shape == classes.shape and (prior >= 0.0).all() and abs(prior.sum() - 1) < 1e-6,
        "the proportions of its classes are not between 0 and 1, or do not sum to 1",
    )
    for name in ("class_prior_", "_log_class_weights"):
        shape = np.shape(state.get(name, 0.0))
        require(shape in ((), classes.shape), f"{name!r} does not fit its classes")


def check_styles(found: StylesOfLabels, n_labels: int, size: int) -> None:
    """Raise FileError if the styles of labels are not those of so many labels, of this size."""
    require(
        found.means.shape == (n_labels, size)
        and found.covariances.shape == (n_labels, size, size)
        and found.n_rows.shape == (n_labels,)
        and is_finite(found.means)
        and is_finite(found.covariances)
        and np.linalg.eigvalsh(found.covariances).min(initial=np.inf) > 0.0,
        "the styles of its labels do not fit its code",
    )


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
    shares = merged.proportions
    require(
        is_finite(shares) and (shares >= 0.0).all() and abs(shares.sum() - 1.0) < 1e-6,
        "the proportions of its clusters are not between 0 and 1, or do not sum to 1",
    )


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
        and 0 < found.n_neighbors < len(found.rows)
        and (found.own is None or (is_finite(found.own) and found.own.shape == (len(found.rows),))),
        "the training rows that outliers are compared with do not fit each other",
    )
