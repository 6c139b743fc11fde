"""Parameter objects: the details of networks, optimisation and the virtual adversarial loss.

Each is scikit-learn's kind of object: `get_params`, `set_params`, `clone`, a readable repr, and
names such as `network__dropout` in a parameter grid. Nothing here computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from sklearn.base import BaseEstimator

from skaae.estimators.ranges import AUTO, COUNT, NON_NEGATIVE, POSITIVE, SHARE_BELOW_1
from skaae.networks.layers import ACTIVATIONS
from skaae.priors._prior import same
from skaae.private_sklearn import StrOptions, validate_parameters

# Estimators and options are dataclasses, so that a parameter that several share is written once.
# What a dataclass would compare and print is scikit-learn's business.
parameters_as_fields = dataclass(kw_only=True, eq=False, repr=False)


class Options(BaseEstimator):
    """Base of parameter objects: two are equal if their parameters are."""

    _parameter_constraints: dict[str, Any] = {}

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""
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
    """What fully connected and convolutional networks have in common."""

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
        "weight_init": [StrOptions({"auto", "uniform", "small"}), POSITIVE],
        "encoder": [callable, None],
        "decoder": [callable, None],
        "discriminator": [callable, None],
    }

    def check(self) -> None:
        """Raise if a parameter is out of its range, or a module is given in place of a factory."""
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
        Units of each hidden layer of each discriminator. "auto" is two layers of three units a
        feature, at least 64 and at most 1000.
    activation : {"relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "logistic", "identity"}, \
default="relu"
        Activation of the hidden layers.
    dropout : float in [0, 1), default=0.0
        Probability of setting a hidden unit of encoder or decoder to 0, in training only. It is
        rounded to a multiple of 1/256.
    input_dropout : float in [0, 1), default=0.0
        Probability of setting a feature to 0 at the encoder's input, in training only.
    batch_norm : {"auto", "hidden", "encoder", "autoencoder"} or None, default="auto"
        Which layers have batch normalization. "hidden": the encoder's hidden layers. "encoder":
        the code as well, as in the paper's clustering. "autoencoder": the decoder's hidden layers
        as well, as in the paper's SVHN model. None: no layer. Discriminators never have it.
        Networks of your own have what you put in. "auto" is "encoder" for
        `SupervisedAAETransformer`, `AAEClusterer` and `AAEEmbedding`, and None for the others.
    discriminator_noise : float, default=0.0
        Standard deviation of Gaussian noise on the discriminators' inputs, both codes and samples
        of the prior, in training only. Without noise, a discriminator wins easily while the codes
        are far from the prior, and the encoder learns little from it. Not part of the paper.
    weight_init : {"auto", "uniform", "small"} or float, default="auto"
        Initial weights. "uniform": uniform in +-1 / sqrt(inputs of the layer). "small": normal with
        a standard deviation of 0.32 / sqrt(inputs of the layer), and biases of 0. For 1000 inputs
        that is the paper's 0.01. A float sets the standard deviation for all layers. "auto" is
        "small" for SGD and "uniform" for Adam.
    encoder, decoder, discriminator : callable or None, default=None
        Your own networks: functions of (n_inputs, n_outputs) that return a `torch.nn.Module` from
        (batch, n_inputs) to (batch, n_outputs), without an output activation. Each fit calls them.
        What these modules draw at random follows `random_state`.
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

    Each layer of the encoder halves height and width; the decoder mirrors it. `hidden_layer_sizes`
    of the estimator are the channels of these layers. "auto" is 32 and 64. Larger images get
    further layers until they are down to 8 pixels, each with twice the channels, at most 256.

    Parameters
    ----------
    image_shape : tuple (height, width) or (height, width, channels), default=None
        Shape of a row as an image, in NumPy's order. None is a square of one channel.{NETWORK_DOC}
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
    """What the two optimisers have in common."""

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
        What all learning rates are multiplied by. "cosine" falls from 1 to 0 over max_iter epochs.
        Pairs (epoch, factor) hold from their epoch on: the paper's schedule for MNIST is
        ((50, 0.1), (1000, 0.01)). A callable gets the epoch, counted from 0, and returns the
        factor. "auto" is "cosine" for `AAETransformer` and `SupervisedAAETransformer`, and
        "constant" for the others. With early_stopping, with warm_start and in `partial_fit` the
        last epoch is not known, so "auto" is "constant" for all.
    max_gradient_norm : float or None, default=10.0
        Largest norm of a phase's gradient; longer gradients are scaled down to it. So outliers and
        strongly correlated columns do not throw training off. None sets no limit.
    updates : {"alternating", "joint"}, default="alternating"
        "alternating": the phases take turns, as in the paper. Each phase encodes its rows with the
        weights that the phase before it has updated. "joint": one encoding serves all phases of the
        paper, and reconstruction and classification update the weights together. "joint" is faster
        for large batches and for small networks.
    average_weights : "auto" or bool, default="auto"
        Whether to predict with a running average of the weights, over about the last tenth of all
        steps. The average removes much of the noise that a constant learning rate leaves. "auto" is
        True for `SemiSupervisedAAEClassifier` and False for the others.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of the matrix products in training. Weights and losses stay in float32. "auto" is
        "bfloat16" if layers have at least 256 units and the processor has instructions for it, else
        "float32". Inference uses the dtype of X.
"""


@parameters_as_fields
class SGD(Solver):
    __doc__ = f"""Stochastic gradient descent, for the parameter `solver` of all estimators.

    With these defaults it is the optimiser of the paper's section 5.

    Parameters
    ----------
    reconstruction_learning_rate : "auto" or float, default="auto"
        Learning rate of the reconstruction phase. "auto" is 0.01. With a sigmoid output, rows of
        less contrast than MNIST's get a higher rate: 0.01 * 52.7 / spread, at most 0.2. The spread
        is the mean squared distance of the scaled rows from their mean; that of MNIST is 52.7.
    adversarial_learning_rate : "auto" or float, default="auto"
        Learning rate of the discriminators and of the encoder as their opponent. "auto" is 0.1.
        0 turns the adversary off and leaves a plain autoencoder.
    classification_learning_rate : "auto" or float, default="auto"
        Learning rate of the classification phase, where classes are learned. "auto" is 0.1.
    momentum : float in [0, 1), default=0.9
        Momentum of all phases but the adversarial ones, which always use 0.1.{SOLVER_DOC}
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
    __doc__ = f"""Adam, for the parameter `solver` of all estimators.

    Parameters
    ----------
    reconstruction_learning_rate : "auto" or float, default="auto"
        Learning rate of the reconstruction phase. "auto" is 0.001.
    adversarial_learning_rate : "auto" or float, default="auto"
        Learning rate of the discriminators and of the encoder as their opponent. "auto" is 0.0003
        for estimators that predict classes or clusters, 0.003 if each class has a component of the
        prior, and 0.001 elsewhere. 0 turns the adversary off and leaves a plain autoencoder.
    classification_learning_rate : "auto" or float, default="auto"
        Learning rate of the classification phase, where classes are learned. "auto" is 0.001.
    beta_1 : float in [0, 1), default=0.9
        Decay rate of the running mean of gradients, in all phases but the adversarial ones, which
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
        """What Adam has in place of the momentum of SGD."""
        return self.beta_1


@parameters_as_fields
class VirtualAdversarial(Options):
    """The virtual adversarial loss, for the parameter `virtual_adversarial` of the estimators.

    It adds a phase to the training, which gives a row and its worst neighbour the same label. The
    worst neighbour is the point at a given distance from the row where the predicted label changes
    the most. So borders between classes run where there are no rows (Miyato et al., 2018). Not part
    of the paper.

    Parameters
    ----------
    learning_rate : "auto" or float, default="auto"
        Learning rate of the phase. "auto" is 0.001 for Adam and 0.1 for SGD.
    radius : "auto" or float, default="auto"
        Mean distance of a row from its worst neighbour, in scaled units. Each row's radius scales
        with its nearest-neighbour distance in the batch, clipped to 0.25-2 medians. "auto" is 0.17
        times the root mean squared distance of the scaled rows from their mean. For MNIST with
        pixels in [0, 1] that is 1.2.

    Examples
    --------
    >>> from skaae import AAEClusterer, VirtualAdversarial
    >>> AAEClusterer(virtual_adversarial=VirtualAdversarial(radius=0.5))
    AAEClusterer(virtual_adversarial=VirtualAdversarial(radius=0.5))
    """

    learning_rate: Any = "auto"
    radius: Any = "auto"

    _parameter_constraints = {"learning_rate": [AUTO, POSITIVE], "radius": [AUTO, POSITIVE]}


NETWORKS = {"mlp": MLP, "conv": Conv}
SOLVERS = {"adam": Adam, "sgd": SGD}
# Strings that stand for a parameter object with its defaults, by parameter.
SHORT_FORMS = {
    "network": NETWORKS,
    "solver": SOLVERS,
    "virtual_adversarial": {"auto": VirtualAdversarial},
}


def expand(name: str, value: Any) -> Any:
    """Return the parameter object that a string stands for; other values as they are."""
    forms = SHORT_FORMS.get(name, {})
    return forms[value]() if isinstance(value, str) and value in forms else value
