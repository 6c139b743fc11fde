"""Options and data of the test suite: one suite for any device.

`pytest --device cuda` runs it on a GPU, `pytest --slow` adds the tests that take long.
"""

import os
import re
from pathlib import Path

os.environ["SCIPY_ARRAY_API"] = "1"  # before scipy: else check_array_api_input is skipped silently

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from skaae import (
    MLP,
    SGD,
    AAETransformer,
    Adam,
    Conv,
    SemiSupervisedAAEClassifier,
    VirtualAdversarial,
)
from skaae.model_selection import make_unlabeled
from skaae.teaching import committee

NAMES = np.array(["ant", "bee", "cat"])


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="device of every fit, as 'cuda'")
    parser.addoption("--slow", action="store_true", help="also run tests marked slow")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        skip = pytest.mark.skip(reason="needs --slow")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)


def pytest_configure(config):
    # worker processes of pytest-xdist share the cores: more threads than cores only wait
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)
    FITS["device"] = config.getoption("--device")


# Filled in by pytest_configure, before any test module is imported.
FITS = {"random_state": 0}


@pytest.fixture(autouse=True)
def seeded():
    """Start every test from one state of the global generators.

    Searches of scikit-learn draw from NumPy's, and modules of users start with PyTorch's.
    """
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def small_forests(monkeypatch):
    """Give the committee forests of ten trees: for tests that ask little of a model."""
    monkeypatch.setattr(committee, "N_TREES", 10)


@pytest.fixture(scope="session")
def device():
    return FITS["device"]


@pytest.fixture(scope="session")
def blobs():
    """Three well separated groups of 60 rows in 6 columns of unlike units, as X and y."""
    rng = np.random.default_rng(0)
    centers = 4.0 * rng.normal(size=(3, 6))
    y = np.repeat([0, 1, 2], 60)
    X = centers[y] + rng.normal(size=(180, 6))
    order = rng.permutation(180)
    return (X * [1, 10, 100, 0.1, 1, 1])[order], y[order]


@pytest.fixture(scope="session")
def few_labels(blobs):
    """The labels of the blobs, -1 for all but the first 5 of each class."""
    _, y = blobs
    return hide(y, 5)


@pytest.fixture(scope="session")
def few_rows(blobs):
    """The blobs in standard units, 10 labels of each class beside -1, and all labels."""
    X, y = blobs
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return (
        X + np.random.default_rng(1).normal(size=X.shape),
        make_unlabeled(y, 30, random_state=0),
        y,
    )


@pytest.fixture(scope="session")
def digits():
    return load_digits(return_X_y=True)


def as_kind(y, kind):
    """Return labels 0, 1, 2 and -1 in one of the forms that users have."""
    hidden = y == -1
    values = y.tolist()
    names = [None if gone else str(NAMES[value]) for value, gone in zip(y, hidden, strict=True)]
    beside_none = np.array(
        [None if gone else value for value, gone in zip(values, hidden, strict=True)]
    )
    return {
        "integers": lambda: y,
        "list": lambda: values,
        "floats": lambda: y.astype(float),
        "floats with NaN": lambda: np.where(hidden, np.nan, y),
        "integers beside None": lambda: beside_none,
        "strings beside None": lambda: np.array(names, dtype=object),
        "strings beside -1": lambda: np.array([n or -1 for n in names], dtype=object),
        "list of strings": lambda: names,
        "pandas integers": lambda: pd.Series(y, index=np.arange(len(y)) + 7),
        "pandas Int64": lambda: pd.Series(beside_none, dtype="Int64"),
        "pandas strings": lambda: pd.Series(names),
        "pandas string": lambda: pd.Series(names, dtype="string"),
        "pandas category": lambda: pd.Series(names, dtype="category"),
        "polars integers": lambda: pl.Series("y", beside_none.tolist()),
        "polars strings": lambda: pl.Series("y", names),
    }[kind]()


KINDS = [
    "integers", "list", "floats", "floats with NaN", "integers beside None", "strings beside None",
    "strings beside -1", "list of strings", "pandas integers", "pandas Int64", "pandas strings",
    "pandas string", "pandas category", "polars integers", "polars strings",
]  # fmt: skip


def label(value):
    """Return a name for a test's parameter that is the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))[:60]


def hide(y, n_per_class):
    """Return y with -1 for all but the first `n_per_class` rows of each class."""
    hidden = np.full(len(y), -1)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)[:n_per_class]
        hidden[rows] = label
    return hidden


def make(cls, **params):
    """Return an estimator; what belongs in a parameter object may be given flat, as dropout=0.1."""
    params = {"max_iter": 20, **FITS, **params}
    solver = params.get("solver", cls.__dataclass_fields__["solver"].default)
    objects = {
        "network": Conv if params.get("network") == "conv" else MLP,
        "solver": {"adam": Adam, "sgd": SGD, "auto": SGD}.get(solver),
    }
    for name, kind in objects.items():
        inner = set() if kind is None else set(kind.__dataclass_fields__) & set(params)
        if inner:
            params[name] = kind(**{field: params.pop(field) for field in sorted(inner)})
    prefix = "virtual_adversarial_"
    inner = [name for name in params if name.startswith(prefix)]
    if inner:
        found = {name.removeprefix(prefix): params.pop(name) for name in inner}
        params["virtual_adversarial"] = VirtualAdversarial(**found)
    return cls(**params)


def transformer(**params):
    """Return a transformer that trains briefly on the device under test; see `make`."""
    return make(AAETransformer, **params)


def classifier(**params):
    """Return a classifier that trains briefly on the device under test; see `make`."""
    return make(SemiSupervisedAAEClassifier, **params)


def small_classifier(**params):
    """Return a small classifier of ours without a committee, which would take most of the time."""
    return classifier(max_iter=2, pseudo_labels=False, hidden_layer_sizes=(16,), **params)


MODELS = {
    "ours": small_classifier,
    "self-training": lambda: SelfTrainingClassifier(GaussianNB()),
    "spreading": lambda: LabelSpreading(gamma=0.5),
}


@pytest.fixture(scope="session")
def fitted_transformer(blobs):
    """A transformer fitted on the blobs; tests must not change it."""
    return transformer().fit(blobs[0])


@pytest.fixture(scope="session")
def fitted_classifier(blobs, few_labels):
    """A classifier fitted on the blobs; tests must not change it."""
    return classifier(max_iter=60).fit(blobs[0], few_labels)


@pytest.fixture
def quick(tmp_path):
    """A path in memory, where there is one: emptying a file thousands of times is slow on disks."""
    folder = Path("/dev/shm")
    path = (folder if folder.is_dir() else tmp_path) / f"skaae-{os.getpid()}.safetensors"
    yield path
    path.unlink(missing_ok=True)
