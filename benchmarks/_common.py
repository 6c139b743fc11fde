"""What the benchmarks share: data, label draws, and results with their circumstances."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from pathlib import Path

import _waiting  # noqa: F401 (before torch)
import numpy as np
import sklearn
import torch
from sklearn.base import BaseEstimator

import skaae

RESULTS = Path(__file__).parent / "results"


def load_mnist(folder=None):
    """Return X_train, y_train, X_test, y_test with pixels as float32 in [0, 1].

    A folder holds mnist.npz with arrays of these names; without one the data are fetched from
    OpenML, whose first 60,000 rows are the training images.
    """
    if folder is not None:
        path = Path(folder) / "mnist.npz"
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist; leave --data out to fetch MNIST.")
        with np.load(path) as data:
            arrays = [data[name] for name in ("X_train", "y_train", "X_test", "y_test")]
    else:
        from sklearn.datasets import fetch_openml

        X, y = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True)
        y = y.astype(int)
        arrays = [X[:60_000], y[:60_000], X[60_000:], y[60_000:]]
    X_train, y_train, X_test, y_test = arrays
    pixels = [(X / 255.0).astype(np.float32) for X in (X_train, X_test)]
    return pixels[0], y_train.astype(int), pixels[1], y_test.astype(int)


def hide_labels(y, n_labeled, seed):
    """Return y with -1 for all but `n_labeled` rows, drawn by `seed` and balanced by class."""
    rng = np.random.default_rng(seed)
    classes = np.unique(y)
    if n_labeled % len(classes):
        raise ValueError(f"n_labeled={n_labeled} is not a multiple of {len(classes)} classes.")
    hidden = np.full(len(y), -1)
    for label in classes:
        rows = rng.permutation(np.flatnonzero(y == label))[: n_labeled // len(classes)]
        hidden[rows] = label
    return hidden


def clustering_error(validation, y_validation, test, y_test):
    """Return the paper's error of a clustering in % (its section 6).

    Each cluster takes the label of the validation row that it is surest of; errors are counted on
    test rows.

    Parameters
    ----------
    validation, test : arrays of shape (n_rows, n_clusters), the probabilities of the clusters.
    y_validation, y_test : arrays of shape (n_rows,), the classes.
    """
    label_of = np.asarray(y_validation)[np.argmax(validation, axis=0)]
    return 100.0 * float(np.mean(label_of[np.argmax(test, axis=1)] != y_test))


def described(parameters):
    """Return parameters in one line, as a user would write them."""
    shown = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
    return " ".join(shown.split()) or "defaults"


def recorded(parameters):
    """Return parameters as text, under the names that the deep `get_params` has for them.

    A parameter object, such as a solver, is recorded as its class and as what it does not leave at
    its default.
    """
    found = {}
    for name, value in parameters.items():
        if not isinstance(value, BaseEstimator):
            found[name] = repr(value)
            continue
        found[name] = type(value).__name__
        defaults = type(value)().get_params()
        for inner, setting in value.get_params().items():
            if setting != defaults[inner]:
                found[f"{name}__{inner}"] = repr(setting)
    return dict(sorted(found.items()))


def circumstances():
    """Return what a result depends on besides its parameters: versions, hardware, commit, date."""
    root = Path(__file__).parent
    commit = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit,
        "python": platform.python_version(),
        "skaae": skaae.__version__,
        "torch": torch.__version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "hardware": hardware(),
        "threads": torch.get_num_threads(),
        "waiting": os.environ["OMP_WAIT_POLICY"],
    }


def hardware():
    """Return the name of the GPU, or of the processor where there is none."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        if names:
            return names[0].split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def save(name, result):
    """Write a result with its circumstances to results/NAME.json, whole or not at all."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({**result, "circumstances": circumstances()}, indent=1) + "\n")
    part.replace(path)
    return path
