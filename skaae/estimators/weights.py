"""Weights of rows (`sample_weight`) and of classes (`class_weight`)."""

from __future__ import annotations

from numbers import Real

import numpy as np

from skaae.private_sklearn import check_sample_weight


def row_weights(sample_weight, X):
    """Return the weights of checked rows X, (n_samples,), or None if all are equal.

    Their mean is 1 where they are not 0.
    """
    if sample_weight is None:
        return None
    weights = check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weights.any():  # scikit-learn refuses this from 1.8 on
        raise ValueError(
            f"sample_weight is 0 for all {len(weights)} rows, so there is nothing to train on; "
            "give a weight above 0 to some rows."
        )
    if np.ptp(weights) == 0.0:
        return None
    weights = weights / weights.max()  # sums of huge weights have no number
    return weights / weights[weights > 0.0].mean()


def log_class_weights(class_weight, classes, class_prior):
    """Return the logarithms of the weights of `classes`, (n_classes,).

    Parameters
    ----------
    class_weight : "balanced", dict or None
        "balanced" weights are inverse to the proportions `class_prior`. A dict gives the weight of
        each class by its label; other classes have weight 1. None gives all the same weight.
    classes : ndarray of shape (n_classes,)
    class_prior : ndarray of shape (n_classes,)
        The proportions of the classes.
    """
    if class_weight is None:
        return np.zeros(len(classes))
    if isinstance(class_weight, str):
        if (class_prior == 0.0).any():
            raise ValueError(
                f"class_weight='balanced' gives each class a weight inverse to its proportion, but "
                f"class_prior={class_prior.tolist()} has a 0; give the weights as a dict."
            )
        return -np.log(class_prior)
    known = classes.tolist()
    for name, weight in class_weight.items():
        if name not in known:
            raise ValueError(
                f"class_weight has a weight for {name!r}, which is none of the classes {known}; "
                "leave it out, or name each class as y does."
            )
        if not (isinstance(weight, Real) and 0.0 < float(weight) < np.inf):
            raise ValueError(
                f"class_weight={class_weight!r} must hold finite numbers above 0, but the class "
                f"{name!r} has {weight!r}; use a small number for a class that hardly matters."
            )
    return np.log([float(class_weight.get(name, 1.0)) for name in known])
