"""`Model`: what an estimator trains, the values in which estimators differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skaae.columns.table import Table
from skaae.estimators.options import Adam, Conv, Network, expand, solver_of
from skaae.estimators.recipes import COMPONENTS, MIN_IMAGES, PLAIN, Recipe
from skaae.networks.autoencoder import Block
from skaae.priors import Prior


@dataclass(frozen=True)
class Model:
    """The values in which the models of the estimators differ.

    Parameters
    ----------
    blocks : the blocks of the code, by name.
    priors : prior of each latent block, by name.
    classifies : whether the encoder learns the classes of labeled rows.
    init : source of the first clusters: "labels", "k-means", "kept k-means", "spectral",
        "mixture", or None if training has to find them itself.
    assigns_later : whether components are assigned to classes only after they are found.
    teacher : what labels unlabeled rows: "committee" (of classifiers), "graph" (of neighbours,
        where the network agrees) or None.
    proportions : class proportions of the class-balance loss; None turns that loss off.
    keeps_neighbours : whether a phase keeps the codes of neighbours together.
    cluster_heads, head_distance : see `Architecture` and `Settings`.
    recipe : what "auto" means for the parameters of training.
    posterior, regularizer, regularizer_weight, virtual_adversarial, augment : parameters that some
        estimators lack.
    """

    blocks: Mapping[str, Block]
    priors: Mapping[str, Prior]
    classifies: bool = False
    init: str | None = "labels"
    assigns_later: bool = False
    teacher: str | None = None
    proportions: tuple[float, ...] | None = None
    keeps_neighbours: bool = False
    cluster_heads: Any = None
    head_distance: float = 0.0
    recipe: Recipe = PLAIN
    posterior: str = "deterministic"
    regularizer: str | None = "adversarial"
    regularizer_weight: Any = "auto"
    virtual_adversarial: Any = None
    augment: Any = None


def has_components(model: Model) -> bool:
    """Return whether each class has several components."""
    label = model.blocks.get("label")
    return label is not None and label.components_per_class > 1


def are_many_images(estimator: Any, table: Table, n_rows: int) -> bool:
    """Return whether the virtual adversarial loss can find components in the rows of a table.

    It can if they are many images. Rows of two values may be flags, which are no images.
    Convolutions or another solver than Adam need other rates.
    """
    convolutions = isinstance(expand("network", estimator.network), Conv)
    images = table.scaling.kind == "range" and not table.binary and n_rows >= MIN_IMAGES
    return images and not convolutions and isinstance(solver_of(estimator, COMPONENTS), Adam)


def takes_components(network: Network) -> bool:
    """Return whether networks can start from principal components: our fully connected ones can."""
    own = network.encoder is None and network.decoder is None
    return own and not isinstance(network, Conv)


def are_auto(*values: Any) -> bool:
    """Return whether all these values of parameters are "auto"."""
    return all(isinstance(value, str) and value == "auto" for value in values)


def finds_clusters(model: Model) -> bool:
    """Return whether the virtual adversarial loss has to find components or clusters."""
    return has_components(model) or model.init is None
