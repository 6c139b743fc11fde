"""The documentation of the parameters that estimators share."""

from __future__ import annotations

import textwrap

SHARED_DOC = """\
hidden_layer_sizes : "auto", int or sequence of int, default="auto"
    Units of each hidden layer of the encoder; the decoder mirrors them. "auto" is two layers of
    three units a feature, at least 64 and at most 1000 (so 1000 for MNIST). With convolutions they
    are channels; see `Conv`.
network : {"mlp", "conv"}, MLP or Conv, default="mlp"
    Networks of encoder and decoder: fully connected layers, or convolutions on rows that are flat
    images. The objects `MLP` and `Conv` hold the details: activation, dropout, batch
    normalization, networks of your own.
scaling : {"auto", "standard", "range"} or None, default="auto"
    What is done to X before the networks see it, and undone in what they give back. "standard":
    each column to mean 0 and variance 1. "range": the whole table to [0, 1] with one factor, as
    suits pixels. "auto": "range" where the table looks like images or the loss is the
    cross-entropy, else "standard"; see the user guide. None: X is used as it is.
reconstruction_loss : {"squared_error", "binary_cross_entropy"}, default="squared_error"
    "squared_error" is half the sum of squared errors over the features of a row, as in the paper.
    "binary_cross_entropy" is summed likewise and needs scaled values in [0, 1]; in later data,
    values beyond that count as 0 and 1. The decoder ends in a sigmoid for the cross-entropy and
    where scaling is "range".
input_noise : float, default={input_noise}
    Standard deviation of Gaussian noise on the encoder's input after scaling, in training only;
    the decoder learns to give the clean row. The paper uses 0.3 on MNIST.
solver : {"adam", "sgd"}, Adam or SGD, default="{solver}"
    Optimiser of all phases. The objects `Adam` and `SGD` hold the details: learning rates and their
    schedule, momentum, averaging of weights, precision. "sgd" is the paper's.
batch_size : "auto" or int, default="auto"
    Rows in a mini-batch. "auto" is 100, or all rows if there are fewer.
max_iter : "auto" or int, default="auto"
    Number of epochs. "auto" is as many as 12,000 steps take, at least 20 and at most 200.
early_stopping : bool, default=False
    Hold out some training rows, stop when {validation_loss} on them no longer falls, and keep the
    best weights. Only epochs of the last training stage count. The discriminator's loss plays no
    part.
validation_fraction : float in (0, 1), default=0.1
    Fraction of {validation_rows} held out for early stopping.
n_iter_no_change : int, default=10
    Epochs without an improvement of at least `tol` before training stops early.
tol : float, default=1e-4
    Smallest improvement of the validation loss that counts.
warm_start : bool, default=False
    Let `fit` go on from the last fit's weights and optimisers instead of starting afresh. The
    parameters of networks, priors and optimisers must not have changed. A pickle holds the state of
    the optimisers where this is True or the last call was `partial_fit`.
device : str or torch.device, default="auto"
    Where to compute: "cpu", "cuda", "cuda:1", "mps"; "auto" is cuda, then mps, then cpu.
random_state : int, RandomState instance or None, default=None
    Seed of weights, batches, noise and prior draws. An int repeats bit for bit on one CPU.
verbose : int or bool, default=0
    Whether to print the scaling, then stage and losses of every epoch."""


SHARED_ATTRIBUTES_DOC = """\
scaling_ : {"standard", "range", "none"}
    What is done to X before the networks see it: what `scaling="auto"` has chosen.
n_iter_ : int
    Number of epochs trained.
n_features_in_ : int
    Number of features seen in `fit`.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the features, where X had string column names."""


LABEL_DOC = """\
virtual_adversarial : "auto", VirtualAdversarial or None, default={virtual_adversarial}
    Whether one more phase keeps {labels} the same between a row and its neighbours, so that borders
    run where there are no rows (Miyato et al., 2018). Not part of the paper. "auto" is
    `VirtualAdversarial()`, which has a learning rate and a radius; None leaves the phase out.
    {stages}
    {balance}
augment : callable or None, default=None
    Changes rows in ways that leave their {labels} as they are, such as small shifts of images. A
    function of a float32 tensor (batch, n_features) in the units of X, on the device of training;
    it returns a tensor of that shape. Every mini-batch is trained on as it returns it, and the
    virtual adversarial phase gives a row and the neighbours of its augmented version the same
    label. What it draws from PyTorch follows `random_state`. Not part of the paper."""

PLACES = {
    "shared_parameters": SHARED_DOC,
    "label_parameters": LABEL_DOC,
    "shared_attributes": SHARED_ATTRIBUTES_DOC,
}


def with_shared_parameters(**words):
    """Return a decorator that fills in what estimators share, such as `{shared_parameters}`."""

    def decorate(cls):
        for place, doc in PLACES.items():
            text = doc.replace("\n", "\n    ")
            for word, meaning in words.items():
                # a sentence on lines of its own, or a value within one
                margin = 8 * " "
                lines = textwrap.fill(meaning, 100, initial_indent=margin, subsequent_indent=margin)
                text = text.replace(f"{margin}{{{word}}}\n", f"{lines}\n")
                text = text.replace(f"{{{word}}}", meaning)
            cls.__doc__ = cls.__doc__.replace(f"{{{place}}}", text)
        return cls

    return decorate
