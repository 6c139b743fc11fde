"""Functions that interpret y and class_prior: unlabeled rows, class indices, class proportions.

Inside the package, a class is represented by its index in `classes_`, and an unlabeled row by -1.
"""

from __future__ import annotations

import numbers
import warnings

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skaae.priors._shapes import check_probabilities

UNLABELED = -1
REGRESSION = (
    "to predict a quantity, train a regressor on the codes of AAETransformer, for instance "
    "make_pipeline(AAETransformer(10), Ridge())"
)
TINY = np.finfo(float).tiny
UNKNOWN = -2  # a label that is not one of the classes, where such labels are allowed


def encode_labels(y, unlabeled_label="auto", *, estimator_name="the estimator", needs_labels=True):
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

    Returns
    -------
    classes : ndarray of shape (n_classes,), sorted
    targets : int64 ndarray of shape (n_samples,), -1 where unlabeled
    """
    y = _as_1d(y, estimator_name)
    unlabeled = find_unlabeled(y, unlabeled_label)
    if unlabeled.all() and not needs_labels:
        return np.empty(0, dtype=np.int64), np.full(len(y), UNLABELED, dtype=np.int64)
    if unlabeled.all():
        raise ValueError(
            f"y holds no labeled row: all {len(y)} entries are missing or equal to the marker of "
            f"unlabeled_label={unlabeled_label!r}. {estimator_name} needs labeled rows of "
            "at least two classes; without labels set use_labels=False where there is such a "
            "parameter, or use AAETransformer or AAEClusterer."
        )
    labeled = plain(y[~unlabeled])
    _check_finite(labeled)
    try:
        check_classification_targets(labeled)
        classes, labeled_targets = np.unique(labeled, return_inverse=True)
    except TypeError as error:
        kinds = sorted({type(value).__name__ for value in labeled})
        raise ValueError(
            f"y mixes labels of types {kinds}, which have no order; use labels of one type."
        ) from error
    except ValueError as error:
        if "Unknown label type" not in str(error):
            raise
        raise ValueError(
            f"{error} {estimator_name} learns classes, not quantities: {REGRESSION}; or cut y into "
            "classes, for instance with pandas.cut."
        ) from error
    targets = np.full(len(y), UNLABELED, dtype=np.int64)
    targets[~unlabeled] = labeled_targets.ravel()
    return classes, targets


def lookup_labels(y, classes, unlabeled_label, *, estimator_name="the estimator", unknown=None):
    """Return the class index of every row in known `classes`, -1 where unlabeled.

    A label that is not one of the classes raises ValueError, or becomes `unknown` if that is an
    integer.
    """
    y = _as_1d(y, estimator_name)
    unlabeled = find_unlabeled(y, unlabeled_label, classes)
    targets = np.full(len(y), UNLABELED, dtype=np.int64)
    index = {value: position for position, value in enumerate(np.asarray(classes).tolist())}
    labels = plain(y[~unlabeled]).tolist()
    strange = [value for value in labels if value not in index]
    if strange and unknown is None:
        raise ValueError(
            f"y holds the label {strange[0]!r}, which is not one of the classes {classes}; use "
            "these classes only."
        )
    targets[~unlabeled] = [index.get(value, unknown) for value in labels]
    return targets


def label_block(y, classes, n_samples):
    """Return the label part of a code, (n_samples, n_classes).

    y is one class for all rows, a class for each row, or probabilities (n_samples, n_classes).
    """
    shape = (n_samples, len(classes))
    if np.ndim(y) == 2:
        y = np.asarray(y)
        if y.shape != shape:
            raise ValueError(
                f"y has shape {y.shape}, but probabilities need (n_samples, n_classes) = {shape}."
            )
        sums = y.sum(axis=1)
        if not (np.isfinite(sums).all() and (y >= 0).all() and np.allclose(sums, 1.0, atol=1e-3)):
            raise ValueError(
                "y with two dimensions holds class probabilities: each row must be finite, at "
                f"least 0 and sum to 1, but sums are {sums.min():.4g} to {sums.max():.4g}."
            )
        return y
    return one_hot(y, classes, n_samples)


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
    if not is_dict and _all_integer(names) and sorted(names) == list(range(len(names))):
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


def find_unlabeled(y, unlabeled_label="auto", classes=None):
    """Return a boolean mask of the rows without a label.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    unlabeled_label : "auto", scalar or None
        None means that every row has a label, so missing values (None, NaN, pandas.NA, NaT) raise
        ValueError. Otherwise missing values mark unlabeled rows. "auto" also makes the number -1 a
        marker, unless y is a binary target of -1 and 1. A scalar is itself a marker.
    classes : ndarray, optional
        Classes that are already known. None of these values is a marker.
    """
    y = np.asarray(y)
    _check_marker(y, unlabeled_label)
    unlabeled = mark_unlabeled(y, unlabeled_label, classes)
    is_guess = is_auto(unlabeled_label) and classes is None
    if is_guess and (_minus_one(y) & ~unlabeled).any():
        warnings.warn(
            "y holds exactly the values -1 and 1 and is read as a binary target without unlabeled "
            "rows. To silence this warning, set unlabeled_label=None if -1 is a class, or "
            "unlabeled_label=-1 if -1 marks unlabeled rows.",
            UserWarning,
            stacklevel=2,
        )
    return unlabeled


def mark_unlabeled(y, unlabeled_label="auto", classes=None):
    """Return the mask of `find_unlabeled` without its errors and warnings, for displays.

    Here missing values are unlabeled even if unlabeled_label is None.
    """
    missing = find_missing(y)
    if unlabeled_label is None or _is_missing(unlabeled_label):
        return missing
    if not is_auto(unlabeled_label):
        return missing | _equal(y, unlabeled_label)
    marked = _minus_one(y)
    if classes is None:
        is_class = _is_plain_binary(y, marked, missing)
    else:
        is_class = UNLABELED in np.asarray(classes).tolist()
    return missing if is_class else missing | marked


def _check_marker(y, unlabeled_label):
    """Raise ValueError if the marker is not a single value, or y contradicts it."""
    if unlabeled_label is None:
        missing = find_missing(y)
        if missing.any():
            raise ValueError(
                f"y contains NaN or another missing value in {int(missing.sum())} of {len(y)} "
                "rows, and unlabeled_label=None means that every row has a label; use "
                "unlabeled_label='auto' to train on them as unlabeled rows."
            )
        return
    if not np.isscalar(unlabeled_label) and not _is_missing(unlabeled_label):
        raise ValueError(
            f"unlabeled_label={unlabeled_label!r} must be 'auto', None or one value that marks "
            "unlabeled rows."
        )
    _refuse_stringified(y, UNLABELED if is_auto(unlabeled_label) else unlabeled_label)


def _as_1d(y, estimator_name):
    """Return y, in any container, as a one-dimensional array."""
    if y is None:
        raise ValueError(
            f"{estimator_name} requires y to be passed, but the target y is None; give labels "
            "for some rows and -1 for the others."
        )
    labels = as_label_array(y)
    if labels.ndim > 1 and labels.shape[1:] != (1,):
        raise ValueError(
            f"y should be a 1d array, got an array of shape {labels.shape} instead. "
            f"{estimator_name} learns one label for each row. Of one-hot rows, give "
            "y.argmax(axis=1). For several labels, fit one estimator for each column of y, for "
            "instance with sklearn.multioutput.MultiOutputClassifier."
        )
    return column_or_1d(labels, warn=True)


def as_label_array(y):
    """Return y as an array in which integers stay integers, even beside missing values.

    NumPy would turn integers beside missing values into floats, and change those above 2**53. So if
    the container has no NumPy dtype (pandas' nullable columns, polars, lists), its values are
    checked one by one. Integers of any width become int64, so that classes are the same with and
    without missing values.
    """
    if hasattr(y, "columns") and np.shape(y)[1:] == (1,):  # a data frame
        return as_label_array(y[y.columns[0]])[:, None]
    if isinstance(y, list | tuple) and len({isinstance(value, str) for value in y}) == 2:
        y = np.array(y, dtype=object)  # strings and others: NumPy would turn all into strings
    array = np.asarray(y)
    if array.dtype.kind == "T":  # NumPy's strings of any length
        return array.astype(object)
    if isinstance(getattr(y, "dtype", None), np.dtype) or array.ndim != 1:
        return array
    if array.dtype.kind in "iu":
        return _integers(array)
    if array.dtype.kind != "f":
        return array
    values = _python_values(y)
    given = [value for value in values if not _is_missing(value)]
    if _all_bool(given) or _all_integer(given):
        array = np.empty(len(values), dtype=object)
        array[:] = values
    return array


def _python_values(y):
    """Return the values of a container as a list, without converting them."""
    if hasattr(y, "astype"):  # pandas: iterating over some of its types gives floats
        return np.asarray(y.astype(object)).tolist()
    for name in ("to_list", "tolist"):  # polars; pyarrow and tensors
        if hasattr(y, name):
            return getattr(y, name)()
    return list(y)


def is_auto(unlabeled_label):
    """Return whether unlabeled_label is "auto"."""
    return isinstance(unlabeled_label, str) and unlabeled_label == "auto"


def _is_missing(value):
    """Return whether a Python object is a missing value; pandas.NA cannot be compared."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:
        return True
    except ValueError:  # an array or a list of arrays is a value, even if it is no label
        return False


def find_missing(y):
    """Return a boolean mask of the missing values (None, NaN, pandas.NA, NaT) of an array."""
    if y.dtype.kind == "f":
        return np.isnan(y)
    if y.dtype.kind in "mM":
        return np.isnat(y)
    if y.dtype.kind == "O":
        return np.fromiter((_is_missing(value) for value in y), bool, len(y))
    return np.zeros(len(y), dtype=bool)


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)


def _equal(y, marker):
    """Return where y equals the marker exactly; a string never equals a number."""
    if y.dtype.kind == "O" or isinstance(marker, str) != (y.dtype.kind in "US"):
        return np.fromiter(
            (not _is_missing(value) and bool(value == marker) for value in y), bool, len(y)
        )
    return y == marker


def _minus_one(y):
    if y.dtype.kind in "if":
        return y == -1
    if y.dtype.kind == "O":
        return np.fromiter((_is_number(value) and value == -1 for value in y), bool, len(y))
    return np.zeros(len(y), dtype=bool)


def _is_plain_binary(y, marked, missing):
    """Return whether y contains exactly the numbers -1 and 1 and no missing value."""
    if not marked.any() or marked.all() or missing.any():
        return False
    rest = y[~marked]
    return all(_is_number(value) and value == 1 for value in rest.tolist())


def _refuse_stringified(y, marker):
    """Raise ValueError if y has the marker as a string, because NumPy has converted a number."""
    texts = set() if isinstance(marker, str) else {str(marker)}
    if y.dtype.kind == "U":
        texts |= {"nan"} - {marker}
    found = texts & set(y.tolist()) if texts and y.dtype.kind in "UO" else ()
    for text in found:
        raise ValueError(
            f"y holds the string {text!r} where {text} would mark an unlabeled row. NumPy turns "
            "numbers in an array of strings into strings: build y with dtype=object, or use None "
            f"for unlabeled rows, or set unlabeled_label={text!r} (None if {text!r} is a class)."
        )


def plain(labeled):
    """Return labels, which include no missing value, in the simplest dtype that fits them."""
    if labeled.dtype.kind != "O":
        return labeled
    values = labeled.tolist()
    if _all_bool(values):
        return np.array(values, dtype=bool)
    if _all_integer(values):
        return _integers(values)
    if all(_is_number(value) for value in values):
        return np.array(values)
    return labeled


def _all_bool(values):
    return all(isinstance(value, bool | np.bool_) for value in values)


def _all_integer(values):
    return all(isinstance(value, numbers.Integral) and _is_number(value) for value in values)


def _integers(values):
    """Return integers as int64, or as uint64 if one of them is too large for int64."""
    low, high = (min(values), max(values)) if len(values) else (0, 0)
    dtype = np.int64 if high < 2**63 else np.uint64
    if low < np.iinfo(dtype).min or high > np.iinfo(dtype).max:
        raise ValueError(
            f"y holds integer labels from {low} to {high}, and no integer type of 64 bits can hold "
            "both; use strings as labels."
        )
    return np.array(values, dtype=dtype)


def _check_finite(labeled):
    if labeled.dtype.kind == "f" and not np.isfinite(labeled).all():
        raise ValueError("Input y contains infinity or a value too large for a class label.")
