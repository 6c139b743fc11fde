"""The experiments of the paper and its tutorials: what is trained, and what is counted.

Rows are the 60,000 training images of MNIST, or the first 50,000 where the last 10,000 stand in for
the test rows. Networks see rows as vectors: they do not know what an image is. Only experiments
that end in -augmented make use of it: they turn, shift and resize the images.
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
from _common import clustering_error, described, hide_labels, load_mnist
from sklearn.neighbors import KNeighborsClassifier

from skaae import (
    MLP,
    SGD,
    AAEClusterer,
    AAEEmbedding,
    AAETransformer,
    Adam,
    SemiSupervisedAAEClassifier,
    VirtualAdversarial,
)
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
    title : what is trained and what is counted, for a reader of the tables.
    published : the paper's figure, as it stands there, or another source's.
    estimator : class of the estimator.
    parameters : of the estimator; `random_state` is the draw.
    measure : a function of the fitted estimator and the rows that returns the figure.
    epochs : how long it trains; None: as long as `fit` chooses, with a figure only at its end.
    chunk : epochs between figures.
    n_labels : labeled rows, balanced by class; None gives y as it is, 0 gives none.
    n_validation : training rows at the end that the model does not see, for `measure`.
    trained_as : experiment whose trained models this one uses, where it trains none itself.
    is_of_computation : whether it is about precision and updates, which have their own table.
    load : a function of a folder that returns the rows.
    """

    title: str
    published: str
    estimator: type
    parameters: dict[str, Any]
    measure: Callable[[Any, Rows], float]
    epochs: int | None
    n_labels: int | None = None
    chunk: int = 1
    n_validation: int = 0
    trained_as: str | None = None
    is_of_computation: bool = False
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


def cluster_error(model, rows):
    """Test error in % of clusters that take the class of the training row they are surest of.

    Only the last training rows count for that; their classes were not seen in training. It takes
    double precision: in single precision many rows of a cluster tie.
    """
    return clustering_error(
        model.predict_proba(rows.X[-N_HELD_OUT:].astype(np.float64)),
        rows.y[-N_HELD_OUT:],
        model.predict_proba(rows.X_test),
        rows.y_test,
    )


def merged_cluster_error(n_clusters):
    """Return `cluster_error` of a model whose components are merged into another number."""
    return lambda model, rows: cluster_error(model.merge(rows.X, n_clusters), rows)


def codes_in_component(model, rows):
    """Test codes, in %, that lie in the prior's component of their class.

    A code lies in the component that most of its 15 nearest neighbours come from, among 50,000
    samples of the prior.
    """
    component = np.arange(50_000) % 10
    samples = model.sample_prior(len(component), component, random_state=0)
    judge = KNeighborsClassifier(15).fit(samples, component)
    return 100.0 * float(np.mean(judge.predict(model.transform(rows.X_test)) == rows.y_test))


def parzen(n_samples, n_validation):
    """Return the mean Parzen log-likelihood of test rows.

    The bandwidth is that of up to 1000 of the last `n_validation` training rows, which the model
    has not seen.
    """

    def measure(model, rows):
        X_validation = rows.X[-n_validation:][:1000]
        likelihood, _ = model.parzen_log_likelihood(
            rows.X_test, n_samples, X_validation=X_validation, random_state=0
        )
        return likelihood

    return measure


# What is trained ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class RandomAffine:
    """Turn, shift and resize square images at random.

    Parameters
    ----------
    degrees : largest turn either way.
    pixels : largest shift either way, along both axes.
    sizes : largest relative change of size either way.
    channels : colours; each pixel has one number for each of them, one after the other.
    """

    degrees: float
    pixels: float
    sizes: float
    channels: int = field(default=1, repr=False)  # results from before it record the others

    def __call__(self, x):
        n, width = len(x), math.isqrt(x.shape[1] // self.channels)
        angle, across, down, size = (2.0 * torch.rand(n, 4, device=x.device) - 1.0).T
        angle = math.radians(self.degrees) * angle
        scale = 1.0 + self.sizes * size
        cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
        shift = 2.0 * self.pixels / width
        matrices = torch.stack([cos, -sin, shift * across, sin, cos, shift * down], dim=1)
        images = x.reshape(n, width, width, self.channels).permute(0, 3, 1, 2)
        grid = F.affine_grid(matrices.reshape(n, 2, 3), images.shape, align_corners=False)
        images = F.grid_sample(images, grid, align_corners=False)
        return images.permute(0, 2, 3, 1).reshape(n, -1)


def paper_solver(**changes):
    """Return the optimiser of section 5, with averaged weights in place of its last rate cuts."""
    solver = SGD(
        reconstruction_learning_rate=0.01,
        adversarial_learning_rate=0.1,
        classification_learning_rate=0.1,
        max_gradient_norm=None,
        average_weights=True,
    )
    return solver.set_params(**changes)


# Section 5 and the appendix of the paper.
SEMI_SUPERVISED = {
    "hidden_layer_sizes": (1000, 1000),
    "n_components": 10,
    "class_prior": "uniform",
    "network": MLP(weight_init=0.01),
    "input_noise": 0.3,
    "solver": paper_solver(),
    "pseudo_labels": False,
    "virtual_adversarial": None,
}

# The same with the virtual adversarial loss, which the paper does not have, with batch
# normalization, and with larger batches. That loss sets in after a fifth of the epochs.
CONSISTENT = {
    **SEMI_SUPERVISED,
    "network": MLP(batch_norm="encoder", weight_init=0.01),
    "batch_size": 250,
    "virtual_adversarial": VirtualAdversarial(learning_rate=0.1),
}

# The same with codes that are not normalized and with larger initial weights.
FREE_CODES = {**CONSISTENT, "network": MLP(batch_norm="hidden", weight_init="small")}

# For fewer labels: larger initial weights. With the others the label's discriminator, which has ten
# inputs, learns next to nothing in the first epochs.
FEW_LABELS = {**CONSISTENT, "network": MLP(batch_norm="encoder", weight_init="small")}

# The Paperspace tutorial's script, with the sum of its loss in place of the mean over pixels.
TUTORIAL = {
    "hidden_layer_sizes": (1000, 1000),
    "n_components": 2,
    "prior": Gaussian(5.0),
    "class_prior": "uniform",
    "network": MLP(dropout=0.2, weight_init="uniform"),
    "reconstruction_loss": "binary_cross_entropy",
    "input_noise": 0.0,
    "solver": Adam(
        reconstruction_learning_rate=0.0006,
        adversarial_learning_rate=0.0008,
        classification_learning_rate=0.001,
        average_weights=False,
    ),
    "pseudo_labels": False,
    "virtual_adversarial": None,
}

# Maps from labels have the virtual adversarial loss too. Their encoders are normalized by default,
# codes included.
MAP = {
    "hidden_layer_sizes": (1000, 1000),
    "solver": SGD(average_weights=True),
    "batch_size": 250,
    "virtual_adversarial": VirtualAdversarial(learning_rate=0.1),
}

# With few labels a map needs stated class proportions, and codes that can still move.
FEW_LABELS_MAP = {"class_prior": "uniform", "network": MLP(batch_norm="hidden")}

# Where the virtual adversarial loss has to find clusters or components by itself: Adam and small
# initial weights let rows change their cluster for a long time.
FIND = {
    "hidden_layer_sizes": (1000, 1000),
    "network": MLP(batch_norm="hidden", weight_init=0.003),
    "solver": Adam(average_weights=True),
    "batch_size": 250,
    "virtual_adversarial": VirtualAdversarial(learning_rate=0.002),
}

# The same for clusters or components that are small, with a larger radius: classes that ten or
# thirty clusters mix come apart.
FIND_SMALL = {**FIND, "virtual_adversarial": VirtualAdversarial(learning_rate=0.002, radius=1.7)}

MAP_WITHOUT_LABELS = {**FIND, "init": "random"}

CLUSTERS = {
    **FIND_SMALL,
    "init": "random",
    "input_noise": 0.3,
    "n_components": 5,
    "overclustering": 60,
}

COMPONENTS = {
    **FIND_SMALL,
    "n_components": 10,
    "class_prior": "uniform",
    "components_per_class": 5,
    "solver": Adam(average_weights=True, learning_rate_schedule="cosine"),
    "pseudo_labels": False,
}

AUGMENTED = {"augment": RandomAffine(degrees=10.0, pixels=2.0, sizes=0.1)}

# With fewer dimensions than the paper's 8, and with noise, held-out rows are more likely.
LIKELIHOOD = {
    "hidden_layer_sizes": (1000, 1000),
    "n_components": 6,
    "prior": Gaussian(5.0),
    "scaling": "range",
    "input_noise": 0.3,
    "solver": Adam(learning_rate_schedule="cosine"),
}

LABEL_INFORMED = {
    "hidden_layer_sizes": (1000, 1000),
    "n_components": 2,
    "use_labels": True,
    "network": MLP(batch_norm=None),
    "solver": Adam(learning_rate_schedule="cosine"),
}


def semi_supervised(n_labels, published="", parameters=SEMI_SUPERVISED, detail="", epochs=50):
    given = "all" if n_labels is None else n_labels
    return Experiment(
        f"MNIST, {given} labels{detail}: test error, %",
        published,
        SemiSupervisedAAEClassifier,
        parameters,
        classification_error,
        epochs=epochs,
        n_labels=n_labels,
    )


def consistent(n_labels, parameters=CONSISTENT, epochs=30, detail=""):
    return semi_supervised(
        n_labels,
        parameters=parameters,
        detail=f", with the virtual adversarial loss{detail}",
        epochs=epochs,
    )


def with_components(n_labels):
    return consistent(n_labels, COMPONENTS, detail=" and 5 components per class")


def at_defaults(n_labels):
    return semi_supervised(n_labels, parameters={}, detail=", default parameters", epochs=None)


def computed(batch_size=None, **changes):
    """Return the experiment with 100 labels, with another batch size or changes to its solver."""
    shown = {} if batch_size is None else {"batch_size": batch_size}
    return Experiment(
        described({**shown, "solver": SGD(**changes)}),
        "",
        SemiSupervisedAAEClassifier,
        {**SEMI_SUPERVISED, **shown, "solver": paper_solver(**changes)},
        classification_error,
        epochs=5,
        n_labels=100,
        is_of_computation=True,
    )


def clusters(n_clusters, published):
    return Experiment(
        f"MNIST, {n_clusters} clusters without labels, merged from 60: test error, %",
        published,
        AAEClusterer,
        {**CLUSTERS, "n_clusters": n_clusters},
        cluster_error,
        epochs=30,
        n_labels=0,
    )


def merged_clusters(n_clusters, published):
    return replace(
        clusters(n_clusters, published),
        measure=merged_cluster_error(n_clusters),
        trained_as="clusters-10",
    )


def embedding(n_components, n_labels, published, **changes):
    given = f"{n_labels} labels" if n_labels else "no labels, 20 clusters"
    return Experiment(
        f"MNIST, map of {n_components} dimensions, {given}: test error, %",
        published,
        AAEEmbedding,
        {
            **(MAP if n_labels else MAP_WITHOUT_LABELS),
            "n_components": n_components,
            "use_labels": bool(n_labels),
            **changes,
        },
        classification_error if n_labels else cluster_error,
        epochs=30,
        n_labels=n_labels,
    )


def likelihood(n_samples, shown):
    return Experiment(
        f"MNIST, Parzen log-likelihood of test rows, {shown} samples",
        "340 ± 2" if n_samples == 10_000 else "",
        AAETransformer,
        LIKELIHOOD,
        parzen(n_samples, N_HELD_OUT),
        epochs=80,
        n_labels=0,
        chunk=10,
        n_validation=N_HELD_OUT,
        trained_as="likelihood-10k" if n_samples > 10_000 else None,
    )


def label_informed(prior, shown):
    return Experiment(
        f"MNIST, 10,000 labels, {shown}: test codes in the component of their class, %",
        "figure 4",
        AAETransformer,
        {**LABEL_INFORMED, "prior": prior},
        codes_in_component,
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
        "network": MLP(batch_norm="autoencoder", input_dropout=0.2, weight_init=0.01),
        "scaling": "range",
        "input_noise": 0.0,
        "solver": paper_solver(
            reconstruction_learning_rate=0.0001,
            adversarial_learning_rate=0.01,
            learning_rate_schedule=((250, 0.1),),
        ),
    },
    classification_error,
    epochs=50,
    n_labels=1000,
    load=load_svhn,
)


def load_faces(folder):
    """Return the rows of TFD_48x48.mat, the Toronto faces, from a folder.

    Pixels as float32 in [0, 1], rows of 48 x 48. The first of the file's five splits counts. Its
    validation rows come last among the training rows.
    """
    from scipy.io import loadmat

    if folder is None:
        raise FileNotFoundError("The Toronto faces are not fetched: give --data FOLDER.")
    path = Path(folder) / "TFD_48x48.mat"
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; the file of the Toronto faces goes there.")
    content = loadmat(path)
    X = content["images"].reshape(len(content["images"]), -1).astype(np.float32) / 255.0
    y, part = content["labs_ex"].ravel().astype(int), content["folds"][:, 0]
    # 0: without a label, 1: training, 2: validation, 3: test
    seen = np.concatenate([np.flatnonzero(part == which) for which in (0, 1, 2)])
    return Rows(X[seen], y[seen], X[part == 3], y[part == 3])


# Section 4 and the appendix of the paper. The number of rows for the bandwidth is our choice.
N_FACES_HELD_OUT = 1000
FACES = Experiment(
    "Toronto faces, Parzen log-likelihood of test rows, 10K samples",
    "2252 ± 16",
    AAETransformer,
    {**LIKELIHOOD, "n_components": 15, "prior": Gaussian(10.0)},
    parzen(10_000, N_FACES_HELD_OUT),
    epochs=50,
    n_labels=0,
    chunk=10,
    n_validation=N_FACES_HELD_OUT,
    load=load_faces,
)

EXPERIMENTS = {
    "labels-100": semi_supervised(100, "1.90 ± 0.10"),
    "labels-100-long": semi_supervised(
        100, "2.20 after 500 epochs", detail=", for up to 500 epochs", epochs=500
    ),
    "labels-1000": semi_supervised(1000, "1.60 ± 0.08"),
    "labels-all": semi_supervised(None, "0.85 ± 0.02"),
    "labels-20-virtual-adversarial": consistent(20, FEW_LABELS, epochs=50),
    "labels-50-virtual-adversarial": consistent(50, FEW_LABELS, epochs=50),
    "labels-50-early-phase": semi_supervised(
        50,
        parameters=CONSISTENT,
        detail=", with the virtual adversarial loss after 6 epochs",
        epochs=30,
    ),
    "labels-100-virtual-adversarial": consistent(100),
    "labels-100-free-codes": consistent(100, FREE_CODES, detail=" and codes not normalized"),
    "labels-10-components": with_components(10),
    "labels-20-components": with_components(20),
    "labels-50-components": with_components(50),
    "labels-100-components": with_components(100),
    "labels-1000-components": with_components(1000),
    "labels-1000-virtual-adversarial": consistent(1000),
    "labels-all-virtual-adversarial": consistent(None),
    "labels-100-augmented": consistent(
        100, {**CONSISTENT, **AUGMENTED}, detail=" and augmented images"
    ),
    "labels-100-components-augmented": consistent(
        100,
        {**COMPONENTS, **AUGMENTED},
        detail=", 5 components per class and augmented images",
    ),
    "labels-100-not-averaged": semi_supervised(
        100,
        parameters={**SEMI_SUPERVISED, "solver": paper_solver(average_weights=False)},
        detail=", without averaged weights",
        epochs=10,
    ),
    "labels-10-defaults": at_defaults(10),
    "labels-20-defaults": at_defaults(20),
    "labels-100-defaults": at_defaults(100),
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
    "clusters-10-defaults": Experiment(
        "MNIST, 10 clusters without labels, default parameters: test error, %",
        "9.55 ± 2.05 (16 clusters)",
        AAEClusterer,
        {"n_clusters": 10},
        cluster_error,
        epochs=None,
        n_labels=0,
    ),
    "clusters-16": merged_clusters(16, "9.55 ± 2.05"),
    "clusters-30": merged_clusters(30, "4.10 ± 1.13"),
    "map-2-labels-1000": embedding(2, 1000, "4.20"),
    "map-2-labels-100": embedding(
        2,
        100,
        "6.08",
        solver=SGD(reconstruction_learning_rate=0.001, average_weights=True),
        **FEW_LABELS_MAP,
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
    "likelihood-faces": FACES,
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
