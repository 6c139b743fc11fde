"""The documentation of estimators: of the parameters that they share, and where their pages are."""

from __future__ import annotations

import textwrap
from importlib.metadata import PackageNotFoundError, metadata

SHARED_DOC = """\
hidden_layer_sizes : "auto", int or sequence of int, default="auto"
    Units of each hidden layer of the encoder. The decoder has the same layers in reverse order.
    {auto_layers}
    With convolutions these are channels; see `Conv`.
network : {"mlp", "conv"}, MLP or Conv, default="mlp"
    Networks of encoder and decoder: "mlp" has fully connected layers, "conv" has convolutions and
    needs rows that are flattened images. Pass an `MLP` or `Conv` object to set activation, dropout,
    batch normalization or your own networks.
scaling : {"auto", "standard", "quantile", "range"} or None, default="auto"
    How X is scaled before it enters the networks. Their output is scaled back to the units of X.
    "standard" gives each column mean 0 and variance 1. "quantile" replaces each number by its rank
    in the column, and maps the ranks to a standard normal distribution. "range" maps the whole
    table to [0, 1] with one factor for all columns, which suits pixels. None leaves X as it is.
    "auto" is "range" if X looks like images or the loss is the cross-entropy. Otherwise it is
    "standard", with some exceptions. In `fit`, `AAETransformer` and `SupervisedAAETransformer` use
    "quantile" for data frames with a column of booleans or of categories.
    `SemiSupervisedAAEClassifier` ranks columns with a heavy tail, and takes only drawings for
    images, not photos. All others but `AAEOutlierDetector` move a few values that are far away near
    the rest. The user guide says more.
categorical_features : "from_dtype", array-like, Categories or None, default="from_dtype"
    Which columns of X hold categories: text, or values without an order. "from_dtype" are the
    columns of a data frame whose dtype is category, string or text. Otherwise give names,
    positions or a mask of the columns, or None for no column. A `Categories` object also sets
    what is done with rare categories, and the weight of their loss.
reconstruction_loss : {"squared_error", "binary_cross_entropy"}, default="squared_error"
    Loss of numbers. Flags and categories have the cross-entropy; see `Categories`.
    "squared_error" is half the squared error, summed over the features of a row, as in the paper.
    "binary_cross_entropy" is also summed over the features. It needs training values in [0, 1]
    after scaling. In rows that are scored later, it clips values to this range. The decoder's
    output passes through a sigmoid if the loss is the cross-entropy or the scaling is "range".
input_noise : {noise_kinds}, default={input_noise}
    Standard deviation of the Gaussian noise that training adds to the encoder's scaled input. The
    decoder learns to reconstruct the row without the noise. The paper uses 0.3 on MNIST.
    {auto_noise}
solver : {solver_names}, Adam or SGD, default="{solver}"
    Optimiser of all training phases. Pass an `Adam` or `SGD` object to set learning rates and their
    schedule, momentum, averaging of weights or precision. The paper uses "sgd".
    {auto_solver}
batch_size : "auto" or int, default="auto"
    Number of rows in a mini-batch.
    {auto_batch_size}
max_iter : "auto" or int, default="auto"
    Number of epochs.
    {auto_max_iter}
    `fit` warns if a number is less than a tenth of these epochs, except with warm_start.
early_stopping : "auto" or bool, default="auto"
    Whether training stops when the loss of validation rows no longer falls, and keeps the weights
    with the lowest one. These are the rows of X_val if `fit` gets them. Otherwise True holds out
    some rows of X, and "auto" does not stop early. Epochs before the last
    training stage are not validated. With pseudo-labels of images, which `fit` chooses three times,
    epochs before the last time (the first 75 %) are not validated either.
    {validation_loss}
validation_fraction : float in (0, 1), default=0.1
    Fraction of {validation_rows} that is held out for early stopping.
n_iter_no_change : "auto" or int, default="auto"
    Number of consecutive epochs without an improvement after which early stopping ends training.
    "auto" is a fifth of the planned epochs, but at least 10.
tol : float, default=1e-4
    Smallest decrease of the validation loss that counts as an improvement.
warm_start : bool, default=False
    Whether `fit` continues from the weights and optimisers of the last fit instead of starting
    afresh. Parameters that define the model, such as those of networks, priors and optimisers, must
    stay the same. A pickle includes the state of the optimisers only if warm_start is True or the
    last call was `partial_fit`.
checkpoint : str, path-like, Checkpoint or None, default=None
    Folder in which `fit` saves its state every five minutes. If the process is killed, call the
    same `fit` with the same data again: it continues from there, and the result is the same. The
    file is removed when `fit` is complete. Needs an int as random_state, and the package
    safetensors. A `Checkpoint` object also sets how often to save.
device : str or torch.device, default="auto"
    Device for all computations, such as "cpu", "cuda", "cuda:1" or "mps". "auto" is "cuda" if
    available, otherwise "mps" if available, otherwise "cpu".
random_state : int, RandomState instance or None, default=None
    Seed of initial weights, mini-batches, noise and samples of the prior. On the CPU of one
    machine, the same int gives exactly the same model.
verbose : int or bool, default=0
    Whether to print the scaling, and after every epoch its training stage and losses."""


SHARED_ATTRIBUTES_DOC = """\
scaling_ : {"standard", "quantile", "range", "none"}
    The scaling of X that the model uses. It shows what `scaling="auto"` has chosen.
n_iter_ : int
    Number of epochs trained.
n_features_in_ : int
    Number of features seen in `fit`.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the features, if X has string column names."""


LABEL_DOC = """\
virtual_adversarial : "auto", VirtualAdversarial or None, default={virtual_adversarial}
    A further training phase with the virtual adversarial loss (Miyato et al., 2018), which is not
    part of the paper. It trains the encoder to predict the same label for a row and for points near
    the row. So borders between {labels} move to regions without rows.
    "auto" is `VirtualAdversarial()`; pass such an object to set learning rate and radius. None
    turns the phase off.
    {stages}
    {balance}
augment : callable or None, default=None
    A function that changes rows but not their {labels}, such as small shifts of images.
    It gets a float32 tensor of shape (batch, n_features) in the units of X, on the training device,
    and returns a tensor of the same shape. Training uses the returned rows in place of the original
    rows. The virtual adversarial phase trains the encoder to predict the label of the original row
    for points near the augmented row. Random numbers that the function draws from PyTorch follow
    `random_state`. Augmentation is not part of the paper."""

# What "auto" means for these estimators, where it is not as for the others; see recipes.py.
OWN_AUTO = {
    "classifier": {
        "auto_solver": (
            '"auto" is `SGD`, but `Adam` for many images (see the user guide), and for tables with '
            "more than 2000 labels."
        ),
        "auto_layers": (
            '"auto" is two layers of 128 units for tables. For images, with several components per '
            "class and with pseudo_labels=False, each has three units per feature instead, at "
            "least 64, and at most 1000 for images and 256 for tables."
        ),
        "auto_batch_size": (
            '"auto" is 100, or 250 for many images (see the user guide), or the number of rows if '
            "that is smaller."
        ),
        "auto_max_iter": (
            'For a table that a committee teaches, and for sparse X, "auto" is the epochs that '
            "take 1,000 mini-batch steps, but at least 10 and at most 500. Without a committee "
            "these are 3,000 steps, and 20 to 200 epochs. For images, with several components per "
            "class and with pseudo_labels=False they are 12,000 steps, and 20 to 200 epochs. For "
            "many images they are 7,200 steps, and 20 to 300 epochs."
        ),
    },
    "clusterer": {
        "auto_solver": '"auto" is `SGD`, or `Adam` for many images (see the user guide).',
        "auto_noise": '"auto" is 0.1, or 0.3 for many images.',
        "auto_batch_size": (
            '"auto" is 100, or 250 for many images (see the user guide), or the number of rows if '
            "that is smaller."
        ),
        "auto_max_iter": (
            '"auto" is the number of epochs that take 12,000 mini-batch steps, but at least 20 and '
            "at most 200. For many images these are 7,200 steps and 20 to 300 epochs."
        ),
    },
    "embedding": {
        "auto_solver": '"auto" is `Adam`, or `SGD` with cluster heads.',
        "auto_noise": (
            '"auto" is 0.05, or 0.1 with scaling "range". With cluster heads it is 0.3.'
        ),
        "auto_layers": (
            '"auto" is three layers of 128 units. With cluster heads it is two layers, each with '
            "three units per feature, at least 64, and at most 256 (1000 for images)."
        ),
        "auto_batch_size": (
            '"auto" is 200, or 100 with cluster heads, or the number of rows if that is smaller.'
        ),
        "auto_max_iter": (
            '"auto" is the number of epochs that take 8,000 mini-batch steps, but at least 20 and '
            "at most 400. With cluster heads these are 12,000 steps and 20 to 200 epochs."
        ),
    },
}

PLACES = {
    "shared_parameters": SHARED_DOC,
    "label_parameters": LABEL_DOC,
    "shared_attributes": SHARED_ATTRIBUTES_DOC,
}


def page_of_estimator():
    """Return the address of an estimator's page, with `{estimator_name}` in it; "" if unknown.

    The site is where the installed package says in its metadata: the URL "Documentation".
    """
    try:
        urls = metadata("skaae").get_all("Project-URL") or []
    except PackageNotFoundError:  # the source is on the path, but not installed
        return ""
    for entry in urls:
        label, _, address = entry.partition(",")
        if label.strip().lower() == "documentation":
            return f"{address.strip().rstrip('/')}/api/generated/skaae.{{estimator_name}}.html"
    return ""


def with_shared_parameters(**words):
    """Return a decorator that fills placeholders such as `{shared_parameters}` in a docstring.

    Each of the `words` replaces the placeholder of the same name inside the shared text.
    """
    words = {
        "solver_names": '{"adam", "sgd"}',
        "noise_kinds": "float",
        "auto_layers": (
            '"auto" is two layers, each with three units per feature, at least 64, and at most 256 '
            "(1000 for images)."
        ),
        "auto_batch_size": '"auto" is 100, or the number of rows if that is smaller.',
        "auto_max_iter": (
            '"auto" is the number of epochs that take 12,000 mini-batch steps, but at least 20 and '
            "at most {most_epochs}."
        ),
        "most_epochs": "200",
        "auto_solver": "",
        "auto_noise": "",
        **words,
    }

    def decorate(cls):
        for place, doc in PLACES.items():
            text = doc.replace("\n", "\n    ")
            for word, meaning in words.items():
                # the placeholder is a line of its own, or a part of a line
                margin = 8 * " "
                lines = textwrap.fill(
                    meaning,
                    100,
                    initial_indent=margin,
                    subsequent_indent=margin,
                    break_on_hyphens=False,
                )
                text = text.replace(f"{margin}{{{word}}}\n", f"{lines}\n" if meaning else "")
                text = text.replace(f"{{{word}}}", meaning)
            cls.__doc__ = cls.__doc__.replace(f"{{{place}}}", text)
        return cls

    return decorate
