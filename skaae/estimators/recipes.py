"""Recipes: what "auto" means for the parameters of training that estimators share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """The values that replace "auto"; a user's own values come first.

    Parameters
    ----------
    solver : "sgd" or "adam".
    schedule : "constant" or "cosine": how the learning rates change in a `fit`. They are constant
        with early stopping, with warm_start and in `partial_fit`.
    average_weights : whether inference uses a running average of the weights.
    width : units of each hidden layer; None: in proportion to the columns. The discriminators have
        half of it.
    n_layers : hidden layers of the encoder.
    batch_norm : layers with batch normalization; see `MLP`.
    weight_init : distribution of initial weights; None: by the solver. "pca" is for our own, fully
        connected networks; others start as with None.
    batch_size : rows of a mini-batch.
    input_noise : standard deviation of the noise on the encoder's input.
    n_steps, least_epochs, most_epochs : mini-batch steps of a fit, within these numbers of epochs.
        The number of steps is fixed because large data sets need fewer epochs than small ones.
    virtual_adversarial_learning_rate : learning rate of the virtual adversarial loss; None: by the
        solver.
    radius : radius of the virtual adversarial loss, relative to the root mean squared distance of
        the scaled rows from their mean.
    """

    solver: str = "sgd"
    schedule: str = "constant"
    average_weights: bool = False
    width: int | None = None
    n_layers: int = 2
    batch_norm: str | None = None
    weight_init: Any = None
    batch_size: int = 100
    input_noise: float = 0.1
    n_steps: int = 12_000
    least_epochs: int = 20
    most_epochs: int = 200
    virtual_adversarial_learning_rate: float | None = None
    radius: float = 0.17


PLAIN = Recipe()
AVERAGED = Recipe(average_weights=True)
# Networks that learn what a committee of classifiers says of all rows, and those of sparse rows.
TAUGHT = Recipe(
    schedule="cosine",
    average_weights=True,
    width=128,
    n_steps=1_000,
    least_epochs=10,
    most_epochs=500,
)
# Networks that learn dense tables from labels alone. With the plain recipe, the adversarial losses
# could outgrow the others, and all rows got the same answer.
LABELED = replace(TAUGHT, solver="adam", n_steps=3_000, least_epochs=20, most_epochs=200)
# Codes alone. Without batch normalization, the dimensions of codes can be functions of each other
# on tables whose columns are alike, and hardly follow the prior (benchmarks/prior_match.py). As
# training starts from principal components, half of the usual epochs give nearly as good codes of
# two dimensions, and better ones of ten (benchmarks/codes.py).
CODES = Recipe(schedule="cosine", batch_norm="encoder", weight_init="pca", most_epochs=100)
# Codes that start elsewhere, or must cross those of other classes to reach their component.
LONG_CODES = replace(CODES, most_epochs=200)
# Codes without a prior have any scale, and a Gaussian posterior has variances too. These are not
# normalized.
FREE_CODES = replace(CODES, batch_norm="hidden")
LONG_FREE_CODES = replace(LONG_CODES, batch_norm="hidden")
# Styles that do not tell the class: to remove a class that is far from the others takes long.
STYLES = Recipe(schedule="cosine", batch_norm="encoder", most_epochs=400)
# Networks that score rows: a longer training learns to reconstruct outliers too.
OUTLIERS = Recipe(schedule="cosine", most_epochs=60)
# Networks where the virtual adversarial loss finds the components of classes in many images. Adam
# and small initial weights let rows change their component for a long time.
COMPONENTS = Recipe(
    solver="adam",
    schedule="cosine",
    average_weights=True,
    batch_norm="hidden",
    weight_init=0.003,
    batch_size=250,
    input_noise=0.3,
    n_steps=7_200,
    most_epochs=300,
    virtual_adversarial_learning_rate=0.002,
    radius=0.24,
)
COMPONENTS_PER_CLASS = 5
# Maps that keep neighbours. Each row of a mini-batch repels all others, so it is large. A map needs
# as many epochs for many rows as for few, until the fit would take too long (benchmarks/maps.py).
NEIGHBOURS = Recipe(
    solver="adam",
    schedule="cosine",
    width=128,
    n_layers=3,
    batch_norm="hidden",
    batch_size=200,
    input_noise=0.05,
    n_steps=8_000,
    most_epochs=400,
)
# Of images: new rows are placed better with more noise.
NEIGHBOURS_OF_IMAGES = replace(NEIGHBOURS, input_noise=0.1)
# Many images, for clusters. Small ones are found, and then merged into as many as are wanted.
CLUSTERS = Recipe(batch_norm="encoder")
SMALL_CLUSTERS = replace(COMPONENTS, schedule="constant")
# Maps with cluster heads.
HEADS = Recipe(batch_norm="encoder", input_noise=0.3)
N_SMALL_CLUSTERS = 60
MOST_CLUSTERS = 20  # more would consist of too few small ones
MIN_IMAGES = 5_000  # fewer do not show where the components are
