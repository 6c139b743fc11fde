"""Parameter objects: the details of networks, optimisation and the virtual adversarial loss.

They behave like scikit-learn estimators: they have `get_params`, `set_params` and a readable repr,
can be cloned, and a parameter grid reaches into them with names such as `network__dropout`. They
only store values; other modules compute with these.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.base import BaseEstimator

from skaae.estimators.ranges import AUTO, COUNT, NON_NEGATIVE, POSITIVE, SHARE, SHARE_BELOW_1
from skaae.estimators.recipes import Recipe
from skaae.networks.layers import ACTIVATIONS
from skaae.priors._prior import same
from skaae.private_sklearn import StrOptions, validate_parameters

# Estimators and options are dataclasses, so that a parameter that several of them share is written
# once. Comparison and repr are those of scikit-learn, not of dataclasses.
parameters_as_fields = dataclass(kw_only=True, eq=False, repr=False)


class Options(BaseEstimator):
    """Base of parameter objects; two objects are equal if their parameters are equal."""

    _parameter_constraints: dict[str, Any] = {}

    def check(self) -> None:
        """Raise ValueError if the value of a parameter is not allowed."""
        validate_parameters(self)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        ours, theirs = self.get_params(deep=False), other.get_params(deep=False)
        return all(same(ours[name], theirs[name]) for name in ours)

    def __hash__(self) -> int:
        return hash(type(self))


@parameters_as_fields
class Network(Options):
    """Base of `MLP` and `Conv`, with the parameters that both have."""

    discriminator_hidden_layer_sizes: Any = "auto"
    activation: str = "relu"
    dropout: float = 0.0
    input_dropout: float = 0.0
    batch_norm: str | None = "auto"
    discriminator_noise: float = 0.0
    weight_init: Any = "auto"
    encoder: Any = None
    decoder: Any = None
    discriminator: Any = None

    _parameter_constraints = {
        "discriminator_hidden_layer_sizes": [AUTO, COUNT, "array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [SHARE_BELOW_1],
        "input_dropout": [SHARE_BELOW_1],
        "batch_norm": [StrOptions({"auto", "hidden", "encoder", "autoencoder"}), None],
        "discriminator_noise": [NON_NEGATIVE],
        "weight_init": [StrOptions({"auto", "pca", "uniform", "small"}), POSITIVE],
        "encoder": [callable, None],
        "decoder": [callable, None],
        "discriminator": [callable, None],
    }

    def check(self) -> None:
        """Raise if a value is not allowed, or a module is given instead of a factory."""
        super().check()
        for name in ("encoder", "decoder", "discriminator"):
            value = getattr(self, name)
            if isinstance(value, torch.nn.Module):
                raise TypeError(
                    f"{name} is a module, {type(value).__name__}; give a function of (n_inputs, "
                    "n_outputs) that returns one, so that every fit starts afresh."
                )


NETWORK_DOC = """
    discriminator_hidden_layer_sizes : "auto", int or sequence of int, default="auto"
        Units of each hidden layer of each discriminator. "auto" is two layers, each with three
        units per feature, at least 64, and at most 256 (1000 for images). For a classifier of
        tables, unless pseudo_labels=False, they have 64 units (see the user guide).
    activation : {"relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "logistic", "identity"}, \
default="relu"
        Activation of the hidden layers.
    dropout : float in [0, 1), default=0.0
        Probability of setting a hidden unit of encoder or decoder to 0 in training. The probability
        is rounded to a multiple of 1/256.
    input_dropout : float in [0, 1), default=0.0
        Probability of setting a feature at the encoder's input to 0 in training, rounded likewise.
    batch_norm : {"auto", "hidden", "encoder", "autoencoder"} or None, default="auto"
        Which layers have batch normalization. "hidden": the encoder's hidden layers. "encoder":
        these and the code, as in the paper's clustering. "autoencoder": all of these and the
        decoder's hidden layers, as in the paper's SVHN model. None: no layer. Discriminators and
        your own networks never get it. "auto" is "encoder" for `AAETransformer`,
        `SupervisedAAETransformer`, `AAEClusterer` and maps with cluster heads, "hidden" for many
        images (see the user guide), for maps that keep neighbours, and for `AAETransformer` with
        posterior="gaussian" or regularizer=None, and None otherwise. A normalized style starts with
        the mean and the standard deviation of its prior.
    discriminator_noise : float, default=0.0
        Standard deviation of the Gaussian noise that training adds to the discriminators' inputs,
        both codes and samples of the prior. While the codes are far from the prior, a discriminator
        without noise separates them too easily, and the encoder learns little from it. Not part of
        the paper.
    weight_init : {"auto", "pca", "uniform", "small"} or float, default="auto"
        Distribution of the initial weights. "pca": codes and reconstructions start as those of a
        principal component analysis of the training rows, as far as hidden layers have two units
        for each component; the other weights are "uniform". It is for `MLP` without an encoder or
        a decoder of your own. "uniform": uniform between -1 / sqrt(n) and
        1 / sqrt(n), where n is the number of inputs of the layer. "small": normal with standard
        deviation 0.32 / sqrt(n), and biases of 0; for n = 1000 this is the paper's 0.01. A float is
        the standard deviation in all layers. "auto" is "pca" for `AAETransformer` where that is
        possible, 0.003 for many images (see the user guide), and otherwise "small" for SGD and
        "uniform" for Adam.
    encoder, decoder, discriminator : callable or None, default=None
        Your own networks. Each is a function of (n_inputs, n_outputs) that returns a
        `torch.nn.Module`. The module maps a tensor of shape (batch, n_inputs) to one of shape
        (batch, n_outputs), without an output activation. Every fit calls the function anew, except
        with warm_start. Random numbers that modules draw from PyTorch follow `random_state`.
"""


@parameters_as_fields
class MLP(Network):
    __doc__ = f"""Fully connected networks, for the parameter `network` of all estimators.

    Parameters
    ----------{NETWORK_DOC}
    Examples
    --------
    >>> from skaae import AAETransformer, MLP
    >>> aae = AAETransformer(network=MLP(dropout=0.2))
    >>> aae.set_params(network__activation="elu").network
    MLP(activation='elu', dropout=0.2)
    """


@parameters_as_fields
class Conv(Network):
    __doc__ = f"""Convolutional networks on rows that are flat images, for the parameter `network`.

    Each layer of the encoder halves height and width, and each layer of the decoder doubles them.
    The estimator's `hidden_layer_sizes` are the channels of the encoder's layers. "auto" is two
    layers of 32 and 64 channels. Larger images get more layers, each with twice the channels but at
    most 256, until the shorter side has at most 8 pixels.

    Parameters
    ----------
    image_shape : tuple (height, width) or (height, width, channels), default=None
        Shape of the image in each row, flattened in NumPy's order. None means a square image with
        one channel.{NETWORK_DOC}
    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skaae import AAETransformer, Conv
    >>> X, _ = load_digits(return_X_y=True)
    >>> aae = AAETransformer(network=Conv(image_shape=(8, 8)), max_iter=2).fit(X[:100])
    >>> aae.transform(X[:5]).shape
    (5, 2)
    """

    image_shape: Any = None

    _parameter_constraints = {**Network._parameter_constraints, "image_shape": ["array-like", None]}


@parameters_as_fields
class Solver(Options):
    """Base of `SGD` and `Adam`, with the parameters that both have."""

    reconstruction_learning_rate: Any = "auto"
    adversarial_learning_rate: Any = "auto"
    classification_learning_rate: Any = "auto"
    learning_rate_schedule: Any = "auto"
    max_gradient_norm: float | None = 10.0
    updates: str = "alternating"
    average_weights: Any = "auto"
    precision: str = "auto"

    _parameter_constraints = {
        "reconstruction_learning_rate": [AUTO, NON_NEGATIVE],
        "adversarial_learning_rate": [AUTO, NON_NEGATIVE],
        "classification_learning_rate": [AUTO, NON_NEGATIVE],
        "learning_rate_schedule": [
            StrOptions({"auto", "constant", "cosine"}),
            callable,
            "array-like",
        ],
        "max_gradient_norm": [POSITIVE, None],
        "updates": [StrOptions({"alternating", "joint"})],
        "average_weights": [AUTO, "boolean"],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
    }


SOLVER_DOC = """
    learning_rate_schedule : {"auto", "constant", "cosine"}, callable or sequence of pairs, \
default="auto"
        The factor by which all learning rates are multiplied in each epoch. "constant": 1.
        "cosine": falls from 1 to 0 over max_iter epochs. Pairs (epoch, factor): each factor applies
        from its epoch on; the paper's schedule for MNIST is ((50, 0.1), (1000, 0.01)). Callable:
        gets the epoch, counted from 0, and returns the factor. "auto" is "cosine" for
        `AAETransformer`, `SupervisedAAETransformer`, `AAEOutlierDetector`, maps that keep
        neighbours, and a `SemiSupervisedAAEClassifier` of many images (see the user guide) or of
        tables, unless pseudo_labels=False. It is "constant" for the others. With early_stopping,
        warm_start or `partial_fit` it is always "constant", because the last epoch is not known.
    max_gradient_norm : float or None, default=10.0
        Largest norm of the gradient in each training phase. Larger gradients are scaled down to
        this norm, so that outliers and strongly correlated columns do not make training diverge.
        None sets no limit.
    updates : {"alternating", "joint"}, default="alternating"
        How the training phases of a mini-batch update the weights. "alternating": one phase after
        the other, as in the paper; each phase encodes the rows anew with the weights that the
        previous phase has updated. "joint": all phases of the paper use one encoding of the rows,
        and reconstruction and classification share one update. "joint" is faster for large
        mini-batches and for small networks.
    average_weights : "auto" or bool, default="auto"
        Whether the fitted model uses a running average of the weights, over about the last tenth of
        all steps. The average removes much of the noise that a constant learning rate leaves in the
        weights. "auto" is True for `SemiSupervisedAAEClassifier`, and for `AAEClusterer` if there
        are many images (see the user guide); otherwise False.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of the matrix products in training. Weights and losses are float32 in any case.
        "auto" is "bfloat16" if the widest layer has at least 256 units and the device has
        instructions for bfloat16, and "float32" otherwise. Inference uses the dtype of X.
"""


@parameters_as_fields
class SGD(Solver):
    __doc__ = f"""Stochastic gradient descent, for the parameter `solver` of all estimators.

    The default learning rates and momenta are those of section 5 of the paper ("Adversarial
    Autoencoders", arXiv:1511.05644).

    Parameters
    ----------
    reconstruction_learning_rate : "auto" or float, default="auto"
        Learning rate of the reconstruction phase. "auto" is 0.01. If the decoder ends in a sigmoid,
        "auto" is higher for rows of less contrast than MNIST: 0.01 * 52.7 / v, at most 0.2.
        Here v is the sum of the variances of the scaled columns, which is 52.7 for MNIST.
    adversarial_learning_rate : "auto" or float, default="auto"
        Learning rate of the adversarial phases, which train the discriminators and the encoder
        against each other. "auto" is 0.1. With 0 these phases are off, and nothing
        makes the codes follow the prior.
    classification_learning_rate : "auto" or float, default="auto"
        Learning rate of the classification phase, where the encoder learns classes. "auto" is 0.1.
    momentum : float in [0, 1), default=0.9
        Momentum of all phases except the adversarial ones, which always use 0.1.{SOLVER_DOC}
    Examples
    --------
    >>> from skaae import SGD, SemiSupervisedAAEClassifier
    >>> clf = SemiSupervisedAAEClassifier(solver=SGD(momentum=0.5))
    >>> clf.get_params()["solver__momentum"]
    0.5
    """

    momentum: float = 0.9

    _parameter_constraints = {
        **Solver._parameter_constraints,
        "momentum": [SHARE_BELOW_1],
    }


@parameters_as_fields
class Adam(Solver):
    __doc__ = f"""The Adam optimiser, for the parameter `solver` of all estimators.

    Parameters
    ----------
    reconstruction_learning_rate : "auto" or float, default="auto"
        Learning rate of the reconstruction phase. "auto" is 0.003 for `AAEEmbedding` if it keeps
        neighbours, and 0.001 otherwise.
    adversarial_learning_rate : "auto" or float, default="auto"
        Learning rate of the adversarial phases, which train the discriminators and the encoder
        against each other. "auto" is 0.0003 for estimators that predict classes or clusters, and
        for `AAETransformer` if its codes are normalized and its prior is normal. It is 0.003 for
        `AAETransformer` with use_labels=True, and 0.001 otherwise. With 0 these phases are off, and
        nothing makes the codes follow the prior.
    classification_learning_rate : "auto" or float, default="auto"
        Learning rate of the classification phase, where the encoder learns classes. "auto" is
        0.001.
    beta_1 : float in [0, 1), default=0.9
        Decay rate of the running mean of gradients in all phases except the adversarial ones, which
        always use 0.5.{SOLVER_DOC}
    Examples
    --------
    >>> from skaae import AAETransformer, Adam
    >>> aae = AAETransformer(solver=Adam(reconstruction_learning_rate=0.002))
    >>> aae.solver
    Adam(reconstruction_learning_rate=0.002)
    """

    beta_1: float = 0.9

    _parameter_constraints = {
        **Solver._parameter_constraints,
        "beta_1": [SHARE_BELOW_1],
    }

    @property
    def momentum(self) -> float:
        """Return beta_1, which takes the place of SGD's momentum."""
        return self.beta_1


@parameters_as_fields
class VirtualAdversarial(Options):
    """The virtual adversarial loss, for the parameter `virtual_adversarial` of the estimators.

    It adds a training phase, which trains the encoder to predict the same label for a row and for
    its worst neighbour. The worst neighbour is the point at a given distance from the row where the
    predicted label changes most. So borders between classes move to regions without rows (Miyato et
    al., 2018). Not part of the paper.

    Parameters
    ----------
    learning_rate : "auto" or float, default="auto"
        Learning rate of the phase. "auto" is 0.001 for Adam, 0.002 for many images (see the user
        guide), and 0.1 for SGD.
    radius : "auto" or float, default="auto"
        Mean distance of a row from its worst neighbour, in scaled units. The radius of each row is
        proportional to the distance to its nearest neighbour in the mini-batch, which is first
        limited to 0.25 to 2 times its median. "auto" is a multiple of the root mean squared
        distance of the scaled rows from their mean: 0.17 times, or 0.24 times for many images.

    Examples
    --------
    >>> from skaae import AAEClusterer, VirtualAdversarial
    >>> AAEClusterer(virtual_adversarial=VirtualAdversarial(radius=0.5))
    AAEClusterer(virtual_adversarial=VirtualAdversarial(radius=0.5))
    """

    learning_rate: Any = "auto"
    radius: Any = "auto"

    _parameter_constraints = {"learning_rate": [AUTO, POSITIVE], "radius": [AUTO, POSITIVE]}


@parameters_as_fields
class Categories(Options):
    """The category columns of a table, for the parameter `categorical_features` of all estimators.

    Parameters
    ----------
    features : "from_dtype", array-like or None, default="from_dtype"
        Which columns of X hold categories. "from_dtype": the columns of a pandas or polars data
        frame whose dtype is category, string or text; an array has none. An array-like of column
        names, positions or booleans names the columns itself. None: no column.
    min_frequency : "auto", int, float or None, default="auto"
        A category in fewer training rows than this is rare. The rare categories of a column share
        one entry of the one-hot vector. An int is a number of rows, a float a fraction of them.
        "auto" is 5 rows or a hundredth of the rows, whichever is less. None: no category is rare.
    weight : float, default=1.0
        Weight of the reconstruction loss of flags and categories beside that of numbers. With 1,
        every column costs the same before training: a number that is predicted by its mean costs as
        much as a category that is predicted by the frequencies in the training rows. So a column of
        100 categories does not dominate the others.

    Examples
    --------
    >>> from skaae import AAETransformer, Categories
    >>> aae = AAETransformer(categorical_features=Categories(min_frequency=20))
    >>> aae.set_params(categorical_features__weight=2.0).categorical_features
    Categories(min_frequency=20, weight=2.0)
    """

    features: Any = "from_dtype"
    min_frequency: Any = "auto"
    weight: float = 1.0

    _parameter_constraints = {
        "features": [StrOptions({"from_dtype"}), "array-like", None],
        "min_frequency": [AUTO, COUNT, SHARE, None],
        "weight": [NON_NEGATIVE],
    }


@parameters_as_fields
class Checkpoint(Options):
    """How often `fit` saves its state, for the parameter `checkpoint` of all estimators.

    Parameters
    ----------
    folder : str or path-like, default="."
        Folder of the files. `fit` makes it if it is not there.
    minutes : float, default=5.0
        A fit is saved at the end of the first epoch after as many minutes.
    epochs : int or None, default=None
        A fit is also saved after as many epochs. None: only the minutes count. It is saved at the
        end of training too, because `fit` has more to do then.

    Examples
    --------
    >>> from skaae import AAETransformer, Checkpoint
    >>> AAETransformer(checkpoint=Checkpoint(folder="fits", minutes=1.0)).checkpoint
    Checkpoint(folder='fits', minutes=1.0)
    """

    folder: Any = "."
    minutes: float = 5.0
    epochs: int | None = None

    _parameter_constraints = {
        "folder": [str, os.PathLike],
        "minutes": [NON_NEGATIVE],
        "epochs": [COUNT, None],
    }


NETWORKS = {"mlp": MLP, "conv": Conv}
SOLVERS = {"adam": Adam, "sgd": SGD}
# Strings that stand for a parameter object with its defaults, by parameter.
SHORT_FORMS = {
    "network": NETWORKS,
    "solver": SOLVERS,
    "virtual_adversarial": {"auto": VirtualAdversarial},
}


def expand(name: str, value: Any) -> Any:
    """Return the parameter object that a short form stands for; return other values unchanged."""
    if name == "categorical_features" and not isinstance(value, Categories):
        return Categories(features=value)
    if name == "checkpoint" and isinstance(value, str | os.PathLike):
        return Checkpoint(folder=value)
    forms = SHORT_FORMS.get(name, {})
    return forms[value]() if isinstance(value, str) and value in forms else value


def solver_of(estimator: Any, recipe: Recipe) -> Any:
    """Return the solver object of an estimator, with "auto" replaced by that of the recipe."""
    return expand("solver", replace_auto(estimator.solver, recipe.solver))


def kind_of(solver: Solver) -> str:
    """Return the name of a solver's algorithm: "adam" or "sgd"."""
    return next(name for name, cls in SOLVERS.items() if isinstance(solver, cls))


def replace_auto(value: Any, auto: Any) -> Any:
    """Return `auto` if the value is "auto", else the value itself."""
    return auto if isinstance(value, str) and value == "auto" else value
