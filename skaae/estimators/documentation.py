"""The documentation of the parameters that estimators share."""

from __future__ import annotations

import textwrap

SHARED_DOC = """\
architecture : {"mlp", "conv"}, default="mlp"
    Networks of encoder and decoder: fully connected layers, or convolutions on rows that are flat
    images.
image_shape : tuple (height, width) or (height, width, channels), default=None
    Shape of a row as an image, in NumPy's order, for architecture="conv". None is a square of one
    channel.
hidden_layer_sizes : "auto", int or sequence of int, default="auto"
    Units of each hidden layer of the encoder; the decoder mirrors them. "auto" is two layers of
    three units a feature, at least 64 and at most 1000 (so 1000 for MNIST). For "conv" they are the
    channels of convolutions that each halve height and width; "auto" is 32 and 64, and goes on
    doubling until images are down to 8 pixels.
discriminator_hidden_layer_sizes : "auto", int or sequence of int, default="auto"
    The same for each discriminator.
activation : {"relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "logistic", "identity"}, \
default="relu"
    Activation of the hidden layers.
dropout : float in [0, 1), default=0.0
    Probability of setting a hidden unit of encoder and decoder to 0, in training only; rounded to
    a multiple of 1/256.
input_dropout : float in [0, 1), default=0.0
    Probability of setting a feature to 0 at the encoder's input after scaling, in training only.
input_noise : float, default={input_noise}
    Standard deviation of Gaussian noise on the encoder's input after scaling, in training only;
    the decoder learns to give the clean row. The paper uses 0.3 on MNIST.
discriminator_noise : float, default=0.0
    Standard deviation of Gaussian noise on what the discriminators see, codes and draws of the
    prior alike, in training only: it keeps a discriminator from winning where the two lie apart.
    Without a discriminator there is none. Not part of the paper.
batch_norm : {"hidden", "encoder", "autoencoder"} or None, default={batch_norm}
    Batch normalization of the encoder's hidden layers, with "encoder" of the code too (the paper's
    clustering), with "autoencoder" of the decoder's hidden layers too (the paper's SVHN).
    Discriminators never have it, nor networks of your own.
encoder, decoder, discriminator : callable or None, default=None
    Your own networks: functions of (n_inputs, n_outputs) that return a `torch.nn.Module` from
    (batch, n_inputs) to (batch, n_outputs), without an output activation. They are called in each
    fit; draws from PyTorch's global generator in them are seeded by `random_state`.
scaling : {"auto", "standard", "range"} or None, default="auto"
    What is done to X before the networks see it, and undone in what they give back. "standard":
    each column to mean 0 and variance 1. "range": the whole table to [0, 1] with one factor, as
    suits pixels. "auto": "range" if no value is negative and most columns span one common range
    from near 0 (pixels in [0, 1] or [0, 255]) or if the loss is the cross-entropy, else "standard".
    None: X is used as it is.
reconstruction_loss : {"squared_error", "binary_cross_entropy"}, default="squared_error"
    "squared_error" is half the sum of squared errors over the features of a row, as in the paper;
    "binary_cross_entropy" is summed likewise and needs scaled values in [0, 1]; in later data,
    values beyond that count as 0 and 1.
output_activation : {"auto", "identity", "sigmoid"}, default="auto"
    Activation of the decoder's output. "auto" is the sigmoid for the cross-entropy and where
    scaling is "range", else the identity.
weight_init : {"auto", "uniform", "small"} or float, default="auto"
    Initial weights. A float is the standard deviation of a normal distribution (the paper: 0.01,
    for layers of 1000 units), with biases 0; "small" makes that 0.32 / sqrt(inputs of the layer),
    the same for 1000 units. "uniform" is uniform in +-1 / sqrt(inputs of the layer). "auto" is
    "small" for "sgd" and "uniform" for "adam".
solver : {"adam", "sgd"}, default="{solver}"
    Optimiser of all phases. "sgd" with its default rates is the paper's; on small tables the two
    find classes about equally well.
reconstruction_learning_rate : "auto" or float, default="auto"
    Learning rate of the reconstruction phase. "auto" is 0.001 for "adam" and 0.01 for "sgd"; with
    "sgd" and a sigmoid output it is up to 20 times more for rows of less contrast than MNIST's
    (0.01 times 52.7 / mean squared distance of the scaled rows from their mean).
adversarial_learning_rate : "auto" or float, default="auto"
    Learning rate of the discriminators and of the encoder as their opponent. "auto" is {adam_rate}
    for "adam", 0.1 for "sgd". 0 switches the adversary off: a plain autoencoder.
momentum : float in [0, 1), default=0.9
    Momentum of "sgd", beta_1 of "adam", outside the adversarial phases.
adversarial_momentum : "auto" or float in [0, 1), default="auto"
    The same in the adversarial phases. "auto" is 0.5 for "adam", 0.1 for "sgd".
max_gradient_norm : float or None, default=10.0
    Gradients of a phase that are longer are shortened to this norm, so that outliers and strongly
    correlated columns do not throw training off. None leaves all as they are.
learning_rate_schedule : {"auto", "constant", "cosine"}, callable or sequence of pairs, \
default="auto"
    What all learning rates are multiplied by. {auto_schedule} "cosine" falls from 1 to 0 over
    max_iter epochs (also over calls of `partial_fit`, an epoch each). Pairs (epoch, factor) hold
    from their epoch on: the paper's schedule for MNIST is ((50, 0.1), (1000, 0.01)). A callable
    gets the epoch, counted from 0, and returns the factor.
updates : {"alternating", "joint"}, default="alternating"
    "alternating": each phase encodes its rows anew, after the weights have moved in the one before,
    as in the paper. "joint": one encoding of rows and labeled rows serves all phases of the paper,
    and reconstruction and classification step together, which is faster for large batches and for
    small networks.
average_weights : bool, default={average_weights}
    Use a running average of the weights for all but training: over about the last tenth of all
    steps so far. It takes out much of the noise that "sgd" at a constant rate leaves.
batch_size : "auto" or int, default="auto"
    Rows in a mini-batch. "auto" is 100, or all rows if there are fewer.
max_iter : "auto" or int, default="auto"
    Number of epochs. "auto" is as many as 12,000 steps take, at least 20 and at most 200.
early_stopping : bool, default=False
    Hold out some training rows, stop when {validation_loss} on them no longer falls, and keep the
    best weights. The discriminator's loss plays no part.
validation_fraction : float in (0, 1), default=0.1
    Fraction of {validation_rows} held out for early stopping.
n_iter_no_change : int, default=10
    Epochs without an improvement of at least `tol` before training stops early.
tol : float, default=1e-4
    Smallest improvement of the validation loss that counts.
warm_start : bool, default=False
    Let `fit` go on from the last fit's weights and optimisers instead of starting afresh. The
    parameters of networks, priors and optimisers must not have changed.
precision : {"auto", "float32", "bfloat16"}, default="auto"
    Of the matrix products in training; weights and losses stay in float32. "auto" is "bfloat16"
    for layers of at least 256 units on a processor that multiplies in it. Inference follows the
    dtype of X.
device : str, default="auto"
    Where to compute: "cpu", "cuda", "cuda:1", "mps"; "auto" is cuda, then mps, then cpu.
random_state : int, RandomState instance or None, default=None
    Seed of weights, batches, noise and prior draws. An int repeats bit for bit on one CPU.
verbose : int or bool, default=0
    Whether to print the losses after every epoch."""


LABEL_DOC = """\
virtual_adversarial_learning_rate : "auto" or float, default={smoothing}
    Learning rate of one more phase, which keeps {labels} the same between a row and the neighbour
    where the encoder would change its mind the most (virtual adversarial training, Miyato et al.
    2018), so that borders run where there are no rows.
    {sets_in}
    {balance}
    "auto" is 0.001 for "adam", 0.1 for "sgd"; 0 leaves the phase out. Not part of the paper.
virtual_adversarial_radius : "auto" or float, default="auto"
    Mean distance of that neighbour in scaled units. "auto" is 0.17 times the root of the mean
    squared distance of the scaled rows from their mean: 1.2 for MNIST with pixels in [0, 1]. Rows
    have more or less of it in proportion to their distance to the nearest row of the mini-batch,
    taken for a quarter to twice the median of these.
augment : callable or None, default=None
    Varies rows in ways that leave their {labels} as they are, such as small shifts of images. A
    function of a float32 tensor (batch, n_features) in the units of X, on the device of training;
    it returns a tensor of that shape. Every mini-batch is trained on as it returns it, and the
    virtual adversarial phase gives a row and the neighbours of its variant the same label. Draws
    from PyTorch's global generator in it are seeded by `random_state`. Not part of the paper."""


def with_shared_parameters(**words):
    """Return a decorator that fills in `{shared_parameters}` and `{label_parameters}`."""

    def decorate(cls):
        for place, doc in (("shared_parameters", SHARED_DOC), ("label_parameters", LABEL_DOC)):
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
