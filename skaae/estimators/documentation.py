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
    How X is scaled before the networks see it; their output is scaled back. "standard" gives each
    column mean 0 and variance 1. "range" maps the whole table to [0, 1] with one factor, as suits
    pixels. "auto" is "range" if the table looks like images or the loss is the cross-entropy, else
    "standard"; see the user guide. None uses X as it is.
reconstruction_loss : {"squared_error", "binary_cross_entropy"}, default="squared_error"
    "squared_error" is half the sum of squared errors over the features of a row, as in the paper.
    "binary_cross_entropy" is summed over the features too. It needs scaled training values in
    [0, 1]; later rows are clipped to that range. The decoder ends in a sigmoid with the
    cross-entropy, and with the scaling "range".
input_noise : float, default={input_noise}
    Standard deviation of Gaussian noise on the encoder's input after scaling, in training only.
    The decoder learns to reconstruct the clean row. The paper uses 0.3 on MNIST.
solver : {"adam", "sgd"}, Adam or SGD, default="{solver}"
    Optimiser of all phases. The objects `Adam` and `SGD` hold the details: learning rates and their
    schedule, momentum, averaging of weights, precision. "sgd" is the paper's.
batch_size : "auto" or int, default="auto"
    Rows in a mini-batch. "auto" is 100, or all rows if there are fewer.
max_iter : "auto" or int, default="auto"
    Number of epochs. "auto" stops after 12,000 steps, but trains for 20 epochs at least and 200 at
    most.
early_stopping : bool, default=False
    Whether to hold out some training rows for validation. Training then stops when their loss no
    longer falls, and the best weights are kept. Only epochs of the last training stage count.
    {validation_loss}
validation_fraction : float in (0, 1), default=0.1
    Fraction of {validation_rows} held out for early stopping.
n_iter_no_change : int, default=10
    Epochs without an improvement of at least `tol` before training stops early.
tol : float, default=1e-4
    Smallest improvement of the validation loss that counts.
warm_start : bool, default=False
    Whether `fit` goes on from the last fit's weights and optimisers instead of starting afresh. The
    parameters of networks, priors and optimisers must not have changed. A pickle holds the state of
    the optimisers if this is True or the last call was `partial_fit`.
device : str or torch.device, default="auto"
    Where to compute: "cpu", "cuda", "cuda:1", "mps"; "auto" is cuda, then mps, then cpu.
random_state : int, RandomState instance or None, default=None
    Seed of weights, batches, noise and samples of the prior. An int gives the same model bit for
    bit on one CPU.
verbose : int or bool, default=0
    Whether to print the scaling, and the stage and losses of every epoch."""


SHARED_ATTRIBUTES_DOC = """\
scaling_ : {"standard", "range", "none"}
    The scaling of X that is used: the one that `scaling="auto"` has chosen.
n_iter_ : int
    Number of epochs trained.
n_features_in_ : int
    Number of features seen in `fit`.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the features, where X had string column names."""


LABEL_DOC = """\
virtual_adversarial : "auto", VirtualAdversarial or None, default={virtual_adversarial}
    The virtual adversarial loss: a further training phase that keeps {labels} the same between a
    row and its neighbours. So borders run where there are no rows (Miyato et al., 2018). Not part
    of the paper. "auto" is `VirtualAdversarial()`, which has a learning rate and a radius. None
    leaves the phase out.
    {stages}
    {balance}
augment : callable or None, default=None
    A function that changes rows but not their {labels}, such as small shifts of images. It gets a
    float32 tensor (batch, n_features) in the units of X, on the device of training. It returns a
    tensor of that shape. Training then uses the augmented rows in place of the original ones. The
    virtual adversarial phase also gives the neighbours of an augmented row the label of the
    original row. What the function draws from PyTorch follows `random_state`. Not part of the
    paper."""

PLACES = {
    "shared_parameters": SHARED_DOC,
    "label_parameters": LABEL_DOC,
    "shared_attributes": SHARED_ATTRIBUTES_DOC,
}


def with_shared_parameters(**words):
    """Return a decorator that fills placeholders such as `{shared_parameters}` in a docstring.

    Each of the `words` replaces a placeholder of its name inside the shared text.
    """

    def decorate(cls):
        for place, doc in PLACES.items():
            text = doc.replace("\n", "\n    ")
            for word, meaning in words.items():
                # a sentence on lines of its own, or a value within one
                margin = 8 * " "
                lines = textwrap.fill(
                    meaning,
                    100,
                    initial_indent=margin,
                    subsequent_indent=margin,
                    break_on_hyphens=False,
                )
                text = text.replace(f"{margin}{{{word}}}\n", f"{lines}\n")
                text = text.replace(f"{{{word}}}", meaning)
            cls.__doc__ = cls.__doc__.replace(f"{{{place}}}", text)
        return cls

    return decorate
