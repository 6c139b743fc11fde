"""Rows and labels as the other modules of this folder need them: plain labels, chosen rows."""

from __future__ import annotations

import numbers

import numpy as np
from scipy.sparse import issparse

from skaae.private_sklearn import safe_indexing
from skaae.unlabeled import UNLABELED, find_missing, is_auto, is_missing, plain


def is_integer(value):
    """Return whether a value is an integer and not a bool."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def simple(labels):
    """Return labels without markers in a dtype that all of scikit-learn takes."""
    labels = plain(labels)
    if labels.dtype.kind == "O" and all(isinstance(value, str) for value in labels):
        return labels.astype(str)
    return labels


def take(rows, index):
    """Return the chosen rows of an array, a list, a data frame, a Series or a sparse matrix."""
    if issparse(rows) and not hasattr(rows, "__getitem__"):  # some formats have no rows to choose
        rows = rows.tocsr()
    return safe_indexing(rows, index)


def take_parameters(parameters, index, n_samples):
    """Return parameters by name; those with a value for each row have those of chosen rows."""
    return {
        name: take(value, index) if _count(value) == n_samples else value
        for name, value in parameters.items()
    }


def _count(value):
    """Return how many entries a container has, or None for other values."""
    if isinstance(value, str | bytes | dict):
        return None
    shape = getattr(value, "shape", None)
    if shape is not None:
        return shape[0] if len(shape) else None
    return len(value) if hasattr(value, "__len__") else None


def known_classes(estimator):
    """Return the classes of a fitted estimator, or None if it has none or several lists of them."""
    classes = getattr(estimator, "classes_", None)
    if classes is None or any(isinstance(each, np.ndarray) for each in classes):
        return None
    return np.asarray(classes)


def refuse_marker(estimator, unlabeled_label):
    """Raise ValueError if a fitted estimator has the marker among its classes."""
    classes = known_classes(estimator)
    if classes is None or unlabeled_label is None:
        return
    names = classes.tolist()
    marker = UNLABELED if is_auto(unlabeled_label) else unlabeled_label
    is_binary = is_auto(unlabeled_label) and names == [-1, 1]  # the two classes of a binary target
    wrong = find_missing(classes).any() or (
        not is_missing(marker) and marker in names and not is_binary
    )
    if wrong:
        raise ValueError(
            f"{type(estimator).__name__} was fitted with the marker of unlabeled rows as a class: "
            f"its classes_ are {names}, and unlabeled_label={unlabeled_label!r}. Fit it on labeled "
            "rows only (split_unlabeled, or unlabeled='drop' of label_budget_curve). If it is an "
            "ensemble, put it inside of an estimator for unlabeled rows, such as "
            "SelfTrainingClassifier, and not around one."
        )
