"""The experiments of the paper and its tutorials: what is trained, and what is counted.

Rows are the 60,000 training images of MNIST, or the first 50,000 where the last 10,000 stand in for
the test rows. Networks see rows as vectors: they do not know what an image is. Only rows named
-augmented are told, by what varies their images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
import torch.nn.functional as F
from _common import clustering_error, hide_labels, load_mnist
from sklearn.neighbors import KNeighborsClassifier

from skaae import AAEClusterer, AAEEmbedding, AAETransformer, SemiSupervisedAAEClassifier
from skaae.priors import Gaussian, Petals, SwissRoll

N_HELD_OUT = 10_000


@dataclass
class Rows:
    """Training rows with all their classes, and the rows that errors are counted on."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray

    def held_out(self) -> Rows:
        """Return the same with the last training rows in place of the test rows."""
        return Rows(
            self.X[:-N_HELD_OUT],
            self.y[:-N_HELD_OUT],
            self.X[-N_HELD_OUT:],
            self.y[-N_HELD_OUT:],
        )


@dataclass
class Experiment:
    """One row of the tables.

    Parameters
    ----------
    title : what the row is called.
    published : the paper's figure, as it stands there, or another source's.
    estimator : class of the estimator.
    parameters : of the estimator; `random_state` is the draw.
    measure : of the fitted estimator and the rows; returns the figure.
    epochs : how long it trains unless told otherwise.
    chunk : epochs between figures.
    n_labels : labeled rows, balanced by class; None gives y as it is, 0 gives none.
    n_validation : training rows at the end that the model does not see, for `measure`.
    trained_as : row whose trained models this one takes, where it has none of its own.
    compares : whether the row compares ways to compute, and stands in a table of its own.
    load : of a folder, returns the rows.
    """

    title: str
    published: str
    estimator: type
    parameters: dict[str, Any]
    measure: Callable[[Any, Rows], float]
    epochs: int
    n_labels: int | None = None
    chunk: int = 1
    n_validation: int = 0
    trained_as: str | None = None
    compares: bool = False
    load: Callable[[str | None], Rows] = field(default=lambda folder: Rows(*load_mnist(folder)))

    def make(self, draw: int) -> Any:
        """Return an unfitted estimator."""
        return self.estimator(**self.parameters, random_state=draw)

    def labels(self, rows: Rows, draw: int) -> np.ndarray | None:
        """Return what the estimator is given of y."""
        if self.n_labels == 0:
            return None
        return rows.y if self.n_labels is None else hide_labels(rows.y, self.n_labels, draw)


# What is counted ----------------------------------------------------------------------------------


def classification_error(model, rows):
    """Test error of `predict` in %."""
    return 100.0 * float(np.mean(model.predict(rows.X_test) != rows.y_test))


def naming_error(model, rows):
    """Test error in % of clusters that take the class of the training row they are surest of.

    The last training rows name the clusters; their classes were not seen in training. In double
    precision: in single it is sure of most rows of a cluster to the last digit.
    """
    return clustering_error(
        model.predict_proba(rows.X[-N_HELD_OUT:].astype(np.float64)),
        rows.y[-N_HELD_OUT:],
        model.predict_proba(rows.X_test),
        rows.y_test,
    )


def naming_error_joined(n_clusters):
    """Return `naming_error` of clusters that are joined anew, into another number."""
    return lambda model, rows: naming_error(
        model.set_params(n_clusters=n_clusters).join(rows.X), rows
    )


def share_on_own_part(model, rows):
    """Share of test codes, in %, that lie on their class's part of the prior.

    The part is that of most of the 15 nearest of 50,000 draws whose parts are known.
    """
    part = np.arange(50_000) % 10
    judge = KNeighborsClassifier(15).fit(model.sample_prior(len(part), part, random_state=0), part)
    return 100.0 * float(np.mean(judge.predict(model.transform(rows.X_test)) == rows.y_test))


def parzen(n_samples):
    """Return the mean Parzen log-likelihood of test rows; the bandwidth is that of unseen rows."""

    def measure(model, rows):
        X_validation = rows.X[-N_HELD_OUT:][:1000]
        likelihood, _ = model.parzen_log_likelihood(
            rows.X_test, n_samples, X_validation=X_validation, random_state=0
        )
        return likelihood

    return measure


# What is trained ----------------------------------------------------------------------------------

# Section 5 and the appendix of the paper, with averaged weights in place of its last cuts of rates.
SEMI_SUPERVISED = {
    "n_components": 10,
    "class_prior": "uniform",
    "hidden_layer_sizes": (1000, 1000),
    "solver": "sgd",
    "reconstruction_learning_rate": 0.01,
    "adversarial_learning_rate": 0.1,
    "classification_learning_rate": 0.1,
    "input_noise": 0.3,
    "weight_init": 0.01,
    "max_gradient_norm": None,
    "average_weights": True,
    "spread_labels": False,
    "virtual_adversarial_learning_rate": 0.0,
}

# The same, normalized over larger batches, and a phase that the paper does not have; it sets in
# after a fifth of the epochs.
SMOOTHED = {
    **SEMI_SUPERVISED,
    "batch_norm": "encoder",
    "batch_size": 250,
    "virtual_adversarial_learning_rate": 0.1,
}

# The same, with codes that are not normalized, and larger initial weights.
FREE_CODES = {**SMOOTHED, "batch_norm": "hidden", "weight_init": "small"}


@dataclass(frozen=True)
class RandomAffine:
    """Turn, shift and resize square images of one channel at random.

    Parameters
    ----------
    degrees : largest turn either way.
    pixels : largest shift either way, along both axes.
    sizes : largest relative change of size either way.
    """

    degrees: float
    pixels: float
    sizes: float

    def __call__(self, x):
        n, width = len(x), math.isqrt(x.shape[1])
        angle, across, down, size = (2.0 * torch.rand(n, 4, device=x.device) - 1.0).T
        angle = math.radians(self.degrees) * angle
        scale = 1.0 + self.sizes * size
        cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
        shift = 2.0 * self.pixels / width
        matrices = torch.stack([cos, -sin, shift * across, sin, cos, shift * down], dim=1)
        grid = F.affine_grid(matrices.reshape(n, 2, 3), (n, 1, width, width), align_corners=False)
        images = F.grid_sample(x.reshape(n, 1, width, width), grid, align_corners=False)
        return images.reshape(n, -1)


# With fewer labels: larger initial weights in the label's discriminator, which has ten inputs and
# with the others learns next to nothing in the first epochs.
FEW_LABELS = {**SMOOTHED, "weight_init": "small"}

# The Paperspace tutorial's script, with the sum of its loss in place of the mean over pixels.
TUTORIAL = {
    "n_components": 2,
    "prior": Gaussian(5.0),
    "class_prior": "uniform",
    "hidden_layer_sizes": (1000, 1000),
    "solver": "adam",
    "reconstruction_loss": "binary_cross_entropy",
    "reconstruction_learning_rate": 0.0006,
    "adversarial_learning_rate": 0.0008,
    "classification_learning_rate": 0.001,
    "dropout": 0.2,
    "input_noise": 0.0,
    "weight_init": "uniform",
    "average_weights": False,
    "spread_labels": False,
    "virtual_adversarial_learning_rate": 0.0,
}

# Maps have that phase too; their encoders are normalized by default, codes included.
MAP = {
    "hidden_layer_sizes": (1000, 1000),
    "average_weights": True,
    "batch_size": 250,
    "virtual_adversarial_learning_rate": 0.1,
}

# With few labels a map needs its classes at their shares, and codes that can still move.
FEW_LABELS_MAP = {"class_prior": "uniform", "batch_norm": "hidden"}

# Nothing but that phase finds clusters at first: see `AAEClusterer`. Adam's steps and the small
# initial weights let labels change their minds for long.
UNTAUGHT = {
    **MAP,
    "init": "random",
    "batch_norm": "hidden",
    "solver": "adam",
    "weight_init": 0.003,
    "virtual_adversarial_learning_rate": 0.002,
}

# Small clusters and wider neighbourhoods: what is mixed by ten or thirty clusters comes apart.
SUBCLUSTERS = {**UNTAUGHT, "virtual_adversarial_radius": 1.7}

CLUSTERS = {**SUBCLUSTERS, "n_components": 5, "n_subclusters": 60}

# The same with labels: several entries of the label for each class.
SUBCLASSES = {
    **SUBCLUSTERS,
    "n_components": 10,
    "class_prior": "uniform",
    "n_subclasses": 5,
    "spread_labels": False,
    "learning_rate_schedule": "cosine",
}
del SUBCLASSES["init"]

VARIED = {"augment": RandomAffine(degrees=10.0, pixels=2.0, sizes=0.1)}

LIKELIHOOD = {
    "n_components": 8,
    "prior": Gaussian(5.0),
    "hidden_layer_sizes": (1000, 1000),
    "output_activation": "sigmoid",
    "learning_rate_schedule": "cosine",
}

LABEL_INFORMED = {
    "n_components": 2,
    "use_labels": True,
    "hidden_layer_sizes": (1000, 1000),
    "learning_rate_schedule": "cosine",
}


def semi_supervised(n_labels, published="", parameters=SEMI_SUPERVISED, named="", epochs=50):
    given = "all" if n_labels is None else n_labels
    return Experiment(
        f"MNIST, {given} labels{named}: test error, %",
        published,
        SemiSupervisedAAEClassifier,
        parameters,
        classification_error,
        epochs=epochs,
        n_labels=n_labels,
    )


def smoothed(n_labels, parameters=SMOOTHED, epochs=30, named=""):
    return semi_supervised(
        n_labels,
        parameters=parameters,
        named=f", with a virtual adversarial phase{named}",
        epochs=epochs,
    )


def computed(**changes):
    """Return the row with 100 labels, computed in another way."""
    shown = ", ".join(f"{name}={value!r}" for name, value in changes.items())
    return Experiment(
        shown,
        "",
        SemiSupervisedAAEClassifier,
        {**SEMI_SUPERVISED, **changes},
        classification_error,
        epochs=5,
        n_labels=100,
        compares=True,
    )


def clusters(n_clusters, published):
    return Experiment(
        f"MNIST, {n_clusters} clusters without labels, joined from 60: test error, %",
        published,
        AAEClusterer,
        {**CLUSTERS, "n_clusters": n_clusters},
        naming_error,
        epochs=30,
        n_labels=0,
    )


def joined_clusters(n_clusters, published):
    return replace(
        clusters(n_clusters, published),
        measure=naming_error_joined(n_clusters),
        trained_as="clusters-10",
    )


def embedding(n_components, n_labels, published, **changes):
    given = f"{n_labels} labels" if n_labels else "no labels, 20 clusters"
    return Experiment(
        f"MNIST, map of {n_components} dimensions, {given}: test error, %",
        published,
        AAEEmbedding,
        {
            **(MAP if n_labels else UNTAUGHT),
            "n_components": n_components,
            "use_labels": bool(n_labels),
            **changes,
        },
        classification_error if n_labels else naming_error,
        epochs=30,
        n_labels=n_labels,
    )


def likelihood(n_samples, named):
    return Experiment(
        f"MNIST, Parzen log-likelihood of test rows, {named} samples",
        "340 ± 2" if n_samples == 10_000 else "",
        AAETransformer,
        LIKELIHOOD,
        parzen(n_samples),
        epochs=50,
        n_labels=0,
        chunk=10 if n_samples <= 10_000 else 50,  # to look takes as long as to train
        n_validation=N_HELD_OUT,
    )


def label_informed(prior, named):
    return Experiment(
        f"MNIST, 10,000 labels, {named}: test codes on their class's part, %",
        "figure 4",
        AAETransformer,
        {**LABEL_INFORMED, "prior": prior},
        share_on_own_part,
        epochs=20,
        n_labels=10_000,
    )


def load_svhn(folder):
    """Return the rows of train_32x32.mat and test_32x32.mat, the public files, from a folder.

    Pixels as float32 in [0, 1], rows of 32 x 32 x 3 in that order; the files' class 10 is digit 0.
    """
    from scipy.io import loadmat

    if folder is None:
        raise FileNotFoundError("SVHN is not fetched: give --data FOLDER with its .mat files.")
    arrays = []
    for name in ("train_32x32.mat", "test_32x32.mat"):
        path = Path(folder) / name
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist; SVHN's .mat files go there.")
        content = loadmat(path)
        images = np.moveaxis(content["X"], 3, 0).astype(np.float32) / 255.0  # (n, 32, 32, 3)
        arrays += [images.reshape(len(images), -1), content["y"].ravel().astype(int) % 10]
    return Rows(*arrays)


SVHN = Experiment(
    "SVHN, 1000 labels: test error, %",
    "17.70 ± 0.30",
    SemiSupervisedAAEClassifier,
    {
        **SEMI_SUPERVISED,
        "n_components": 20,
        "batch_norm": "autoencoder",
        "input_noise": 0.0,
        "input_dropout": 0.2,
        "reconstruction_learning_rate": 0.0001,
        "adversarial_learning_rate": 0.01,
        "classification_learning_rate": 0.1,
        "learning_rate_schedule": ((250, 0.1),),
    },
    classification_error,
    epochs=50,
    n_labels=1000,
    load=load_svhn,
)

EXPERIMENTS = {
    "labels-100": semi_supervised(100, "1.90 ± 0.10"),
    "labels-1000": semi_supervised(1000, "1.60 ± 0.08"),
    "labels-all": semi_supervised(None, "0.85 ± 0.02"),
    "labels-20-virtual-adversarial": smoothed(20, FEW_LABELS, epochs=50),
    "labels-50-virtual-adversarial": smoothed(50, FEW_LABELS, epochs=50),
    "labels-50-early-phase": semi_supervised(
        50, parameters=SMOOTHED, named=", that phase after 6 epochs", epochs=30
    ),
    "labels-100-virtual-adversarial": smoothed(100),
    "labels-100-free-codes": smoothed(100, FREE_CODES, named=" and codes not normalized"),
    "labels-10-subclasses": smoothed(10, SUBCLASSES, named=" and subclasses"),
    "labels-20-subclasses": smoothed(20, SUBCLASSES, named=" and subclasses"),
    "labels-50-subclasses": smoothed(50, SUBCLASSES, named=" and subclasses"),
    "labels-100-subclasses": smoothed(100, SUBCLASSES, named=" and subclasses"),
    "labels-1000-subclasses": smoothed(1000, SUBCLASSES, named=" and subclasses"),
    "labels-1000-virtual-adversarial": smoothed(1000),
    "labels-all-virtual-adversarial": smoothed(None),
    "labels-100-augmented": smoothed(100, {**SMOOTHED, **VARIED}, named=" and varied images"),
    "labels-100-subclasses-augmented": smoothed(
        100, {**SUBCLASSES, **VARIED}, named=", subclasses and varied images"
    ),
    "labels-100-not-averaged": semi_supervised(
        100,
        parameters={**SEMI_SUPERVISED, "average_weights": False},
        named=", without averaged weights",
        epochs=10,
    ),
    "labels-100-defaults": semi_supervised(
        100, parameters={}, named=", default parameters", epochs=20
    ),
    "tutorial": Experiment(
        "MNIST, 100 labels, the tutorial's networks and rates: test error, %",
        "about 3 (tutorial)",
        SemiSupervisedAAEClassifier,
        TUTORIAL,
        classification_error,
        epochs=50,
        n_labels=100,
    ),
    "clusters-10": clusters(10, ""),
    "clusters-16": joined_clusters(16, "9.55 ± 2.05"),
    "clusters-30": joined_clusters(30, "4.10 ± 1.13"),
    "map-2-labels-1000": embedding(2, 1000, "4.20"),
    "map-2-labels-100": embedding(
        2, 100, "6.08", reconstruction_learning_rate=0.001, **FEW_LABELS_MAP
    ),
    "map-2-clusters-20": embedding(2, 0, "about 13.5", n_clusters=20),
    "map-10-labels-100": embedding(10, 100, "3.90", **FEW_LABELS_MAP),
    "likelihood-10k": likelihood(10_000, "10K"),
    "likelihood-1m": likelihood(1_000_000, "1M"),
    "mixture-labels": label_informed(Petals(), "mixture of 10 petals"),
    "swiss-roll-labels": label_informed(
        SwissRoll(noise=0.1), "swiss roll in 10 stretches, with noise"
    ),
    "svhn-labels-1000": SVHN,
    "computed-joint": computed(updates="joint"),
    "computed-float32": computed(precision="float32"),
    "computed-joint-float32": computed(updates="joint", precision="float32"),
    "computed-batch-300": computed(
        batch_size=300,
        reconstruction_learning_rate=0.02,
        adversarial_learning_rate=0.15,
        classification_learning_rate=0.2,
    ),
}
