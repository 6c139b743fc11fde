"""Functions that interpret y and class_prior: class indices and class proportions.

Inside the package, a class is represented by its index in `classes_`, and an unlabeled row by -1.
"""

from __future__ import annotations

import numbers

import numpy as np

from skaae.columns import frames
from skaae.priors._shapes import check_probabilities
from skaae.unlabeled import (
    UNLABELED,
    all_integer,
    as_1d,
    find_missing,
    find_unlabeled,
    index_classes,
    plain,
)

REGRESSION = (
    "to predict a quantity, train a regressor on the codes of AAETransformer, for instance "
    "make_pipeline(AAETransformer(10), Ridge())"
)
TINY = np.finfo(float).tiny
# A class of fewer expected rows may be missing among the predictions.
LEAST_EXPECTED = 5
UNKNOWN = -2  # a label that is not one of the classes, where such labels are allowed


def encode_labels(
    y, unlabeled_label="auto", *, estimator_name="the estimator", needs_labels=True, hint=""
):
    """Split y into its classes and the class index of every row.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels. A marker or a missing value stands for an unlabeled row.
    unlabeled_label : "auto", scalar or None
        The marker; see `find_unlabeled`.
    estimator_name : str
        Name of the estimator, for error messages.
    needs_labels : bool
        Whether at least one row must have a label.
    hint : str
        What to add to the error if no row has one.

    Returns
    -------
    classes : ndarray of shape (n_classes,), sorted
    targets : int64 ndarray of shape (n_samples,), -1 where unlabeled
    """
    advice = (
        " of at least two classes; without labels set use_labels=False where there is such a "
        f"parameter, or use AAETransformer or AAEClusterer.{hint}"
    )
    try:
        return index_classes(
            y, unlabeled_label, estimator_name, needs_labels=needs_labels, advice=advice
        )
    except ValueError as error:
        if "Unknown label type" not in str(error):
            raise
        raise ValueError(
            f"{error} {estimator_name} learns classes, not quantities: {REGRESSION}; or cut y into "
            "classes, for instance with pandas.cut."
        ) from error


def lookup_labels(
    y,
    classes,
    unlabeled_label,
    *,
    estimator_name="the estimator",
    unknown=None,
    name="y",
    remedy="use these classes only",
):
    """Return the class index of every row in known `classes`, -1 where unlabeled.

    A label that is not one of the classes raises ValueError with a `remedy`, or becomes `unknown`
    if that is an integer. A label of another type than the classes always raises ValueError. Errors
    call y by its `name`.
    """
    y = as_1d(y, estimator_name)
    unlabeled = find_unlabeled(y, unlabeled_label, classes)
    targets = np.full(len(y), UNLABELED, dtype=np.int64)
    index = {value: position for position, value in enumerate(np.asarray(classes).tolist())}
    labels = plain(y[~unlabeled]).tolist()
    strange = [value for value in labels if value not in index]
    require_same_kind(strange, list(index), name)
    if strange and unknown is None:
        raise ValueError(
            f"{name} holds the label {strange[0]!r}, which is not one of the classes {classes}; "
            f"{remedy}."
        )
    targets[~unlabeled] = [index.get(value, unknown) for value in labels]
    return targets


def require_same_kind(labels, classes, name="y"):
    """Raise ValueError if a label can equal no class: one is text, the others are not, or so.

    Both are lists of Python objects. Booleans and numbers are of one kind, as True equals 1.
    """
    if not classes:
        return
    known, example = {_kind(value) for value in classes}, classes[0]
    other = next((value for value in labels if _kind(value) not in known), None)
    if other is None:
        return
    to = type(example)
    remedy = "name the classes in it as in the y of fit"
    if to in (str, int, float) and _converted(other, to) in classes:
        remedy = f"pass {name}.astype({to.__name__})"
    raise ValueError(
        f"{name} holds labels of type {type(other).__name__}, such as {other!r}, but the classes "
        f"are of type {to.__name__}, such as {example!r}, so the two are never equal; {remedy}."
    )


def _kind(label):
    """Return what labels must have in common to be comparable."""
    if isinstance(label, bool | numbers.Real):
        return "number"
    return str if isinstance(label, str) else type(label)


def _converted(label, to):
    """Return a label as another type, or None if it cannot be one."""
    try:
        return to(label)
    except (TypeError, ValueError):
        return None


def label_block(y, classes, n_samples):
    """Return the label part of a code, (n_samples, n_classes).

    y is one class for all rows, a class for each row, or probabilities (n_samples, n_classes).
    """
    shape = (n_samples, len(classes))
    if np.ndim(y) == 2 and np.shape(y)[1] == 1 < len(classes):  # one column of classes
        y = np.asarray(y).ravel()
    if np.ndim(y) == 2:
        y = np.asarray(columns_by_class(y, classes))
        if y.shape != shape:
            raise ValueError(
                f"y has shape {y.shape}, but probabilities need (n_samples, n_classes) = {shape}."
            )
        sums = y.sum(axis=1)
        if not ((y >= 0).all() and np.allclose(sums, 1.0, atol=1e-3)):  # NaN is neither
            raise ValueError(
                "y with two dimensions holds class probabilities: each row must be finite, at "
                f"least 0 and sum to 1, but sums are {sums.min():.4g} to {sums.max():.4g}."
            )
        return y
    return one_hot(y, classes, n_samples)


def columns_by_class(y, classes):
    """Return probabilities with columns in the order of the classes.

    If y is a data frame, its columns may have the classes as names, in any order. If their names
    are 0, 1, 2 and so on, and these are not the classes, y is read as an array.
    """
    if frames.library_of(y) is None:
        return y
    names, wanted = ([str(name) for name in some] for some in (y.columns, classes))
    if sorted(names) == sorted(wanted):
        return np.asarray(y)[:, [names.index(name) for name in wanted]]
    if names != [str(position) for position in range(len(names))]:
        raise ValueError(
            f"y has the columns {names}, but the classes are {wanted}; name its columns by the "
            "classes, or give an array with columns in the order of classes_."
        )
    return y


def one_hot(y, classes, n_samples):
    """Return one-hot rows (n_samples, n_classes) of one class for all rows, or one per row."""
    y = np.asarray(y)
    if y.ndim > 1:
        raise ValueError(
            f"y has shape {y.shape}; give one class for all samples, or a class for each sample in "
            "an array of shape (n_samples,). Probabilities are decoded by inverse_transform."
        )
    y = np.broadcast_to(y, (n_samples,)) if y.ndim == 0 else y
    if len(y) != n_samples:
        raise ValueError(
            f"y has {len(y)} entries for {n_samples} rows; give one class for each row."
        )
    missing = find_missing(y)
    if missing.any():
        raise ValueError(
            f"y has {int(missing.sum())} missing values among {n_samples} classes to decode; give "
            "a class for each row, or leave y out."
        )
    return np.eye(len(classes))[lookup_labels(y, classes, None)]


def class_proportions(class_prior, classes, targets, weights=None):
    """Return the class proportions given by `class_prior`, or those of the labeled rows.

    Parameters
    ----------
    class_prior : "labeled", "uniform", dict, pandas Series or array-like of shape (n_classes,)
        "labeled" uses the proportions among labeled rows. "uniform" makes all proportions equal. A
        dict gives the proportion of each class by its label, a Series by its index, and an array in
        the order of `classes`.
    classes : ndarray of shape (n_classes,)
    targets : int64 ndarray of shape (n_samples,)
        Class indices of rows, -1 where unlabeled.
    weights : ndarray of shape (n_samples,), optional
        Weights of the rows.

    Returns
    -------
    proportions : float64 ndarray of shape (n_classes,), in the order of `classes`, summing to 1
    """
    n_classes = len(classes)
    if isinstance(class_prior, str):
        if class_prior == "labeled":
            return labeled_proportions(targets, n_classes, weights)
        if class_prior == "uniform":
            return np.full(n_classes, 1.0 / n_classes)
        raise ValueError(
            f"class_prior={class_prior!r} must be 'labeled', 'uniform', a dict or a pandas Series "
            "with a proportion for each class, or an array of proportions in the classes' order."
        )
    if hasattr(class_prior, "items") and np.ndim(class_prior) < 2:  # not a data frame
        class_prior = _in_class_order(class_prior, classes)
    return check_probabilities("class_prior", class_prior, n_classes)


def labeled_proportions(targets, n_classes, weights=None):
    """Return the proportion of each class among labeled rows, plus one extra row per class."""
    labeled = targets != UNLABELED
    if weights is not None:  # the extra row has the mean weight of labeled rows
        weights = weights[labeled]
        weights = weights * np.count_nonzero(weights) / max(weights.sum(), TINY)
    counts = np.bincount(targets[labeled], weights, minlength=n_classes) + 1.0
    return counts / counts.sum()


def _in_class_order(class_prior, classes):
    """Return the proportions of a dict or a pandas Series as a list in the order of `classes`."""
    pairs = list(class_prior.items())
    names, proportions = [name for name, _ in pairs], dict(pairs)
    known = np.asarray(classes).tolist()
    strange = set(proportions) - set(known)  # by hash: pandas.NA cannot be compared
    if strange:
        _refuse_names(names, strange, known, is_dict=isinstance(class_prior, dict))
    if len(proportions) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f"class_prior has {twice!r} more than once; give each class one proportion."
        )
    for name in known:
        if name not in proportions:
            raise ValueError(
                f"class_prior has no proportion for the class {name!r}; give one to each of the "
                f"classes {known} (0 is allowed)."
            )
    return [proportions[name] for name in known]


def _refuse_names(names, strange, known, *, is_dict):
    """Raise ValueError for proportions whose names are not all classes, and say why."""
    if not is_dict and all_integer(names) and sorted(names) == list(range(len(names))):
        raise ValueError(
            f"class_prior is a Series with the index 0 to {len(names) - 1}, which numbers its "
            f"entries, but the classes are {known}. Set its index to the classes, or give a dict "
            "of proportions, or an array of proportions in the classes' order."
        )
    first = next(name for name in names if name in strange)
    raise ValueError(
        f"class_prior has a proportion for {first!r}, which is none of the classes {known}; leave "
        "it out, or name each class as y does."
    )


def compare_shares(predicted, assumed, weights=None):
    """Return the shares of predicted classes, which ones are missing, and the distance of shares.

    Parameters
    ----------
    predicted : (n_rows,) class indices.
    assumed : (n_classes,) class proportions.
    weights : (n_rows,), or None.

    Returns
    -------
    shares : (n_classes,)
    missing : (n_classes,) of bool: no row is predicted as the class, although some should be.
    distance : total variation distance of the shares from the assumed ones.
    """
    shares = np.bincount(predicted, weights, minlength=len(assumed))
    shares = shares / shares.sum()
    missing = (shares == 0.0) & (assumed * len(predicted) >= LEAST_EXPECTED)
    return shares, missing, 0.5 * float(np.abs(shares - assumed).sum())


def worst_class(shares, missing, assumed):
    """Return the class with the most different share; a missing one comes first."""
    return int(np.argmax(np.where(missing, 2.0, 0.0) + np.abs(shares - assumed)))
