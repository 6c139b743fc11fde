"""What counts as an unlabeled row: functions that read the markers of y.

They know no estimator, so that estimators, model selection and displays agree on the answer.
"""

from __future__ import annotations

import numbers
import warnings

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

CLASS_TYPES = (str, bool, int, float, np.bool_, np.number)
UNLABELED = -1  # the marker in arrays of numbers, and the class index of an unlabeled row


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
    elif is_guess:
        _warn_of_two_markers(y)
    return unlabeled


def _warn_of_two_markers(y):
    """Warn if y has both -1 and missing values: one of them may be a class."""
    n_minus_one, n_missing = int(_minus_one(y).sum()), int(find_missing(y).sum())
    if n_minus_one and n_missing:
        warnings.warn(
            f"y holds -1 in {n_minus_one} rows and missing values in {n_missing} rows. Both are "
            "read as unlabeled. If -1 is a class, set unlabeled_label=np.nan. If -1 marks "
            "unlabeled rows, set unlabeled_label=-1 to silence this warning.",
            UserWarning,
            stacklevel=3,
        )


def mark_unlabeled(y, unlabeled_label="auto", classes=None):
    """Return the mask of `find_unlabeled` without its errors and warnings, for displays.

    Here missing values are unlabeled even if unlabeled_label is None.
    """
    missing = find_missing(y)
    if unlabeled_label is None or is_missing(unlabeled_label):
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
    if not np.isscalar(unlabeled_label) and not is_missing(unlabeled_label):
        raise ValueError(
            f"unlabeled_label={unlabeled_label!r} must be 'auto', None or one value that marks "
            "unlabeled rows."
        )
    _refuse_stringified(y, UNLABELED if is_auto(unlabeled_label) else unlabeled_label)


def as_1d(y, estimator_name):
    """Return y, in any container, as a one-dimensional array."""
    if y is None:
        raise ValueError(
            f"{estimator_name} requires y to be passed, but the target y is None; give labels "
            "for some rows and -1 for the others."
        )
    try:
        labels = as_label_array(y)
    except ValueError as error:
        if "sequence" not in str(error):
            raise
        raise ValueError(
            "y should be a 1d array, but its rows are sequences of different lengths; give one "
            "label for each row."
        ) from error
    if labels.ndim > 1 and labels.shape[1:] != (1,):
        raise ValueError(
            f"y should be a 1d array, got an array of shape {labels.shape} instead. "
            f"{estimator_name} learns one label for each row. Of one-hot rows, give "
            "y.argmax(axis=1). For several labels, fit one estimator for each column of y, for "
            "instance with sklearn.multioutput.MultiOutputClassifier."
        )
    _require_classes(labels.ravel())
    return column_or_1d(labels, warn=True)


def _require_classes(labels):
    """Raise ValueError if an entry of a y is of a type that no class can have."""
    if labels.dtype.kind in "cVS":
        strange = labels[:1].tolist()
    elif labels.dtype.kind == "O":
        values = (value for value in labels if not is_missing(value))
        strange = [value for value in values if not isinstance(value, CLASS_TYPES)][:1]
    else:
        strange = []
    for value in strange:
        remedy = "make them text or whole numbers, for instance y.astype(str)"
        if isinstance(value, bytes):
            remedy = "decode them into text, for instance [label.decode() for label in y]"
        raise ValueError(
            f"y holds labels of type {type(value).__name__}, such as {value!r:.60}; {remedy}."
        )


def as_label_array(y):
    """Return y as an array in which integers stay integers, even beside missing values.

    NumPy would turn integers beside missing values into floats, and change those above 2**53. So if
    the container has no NumPy dtype (pandas' nullable columns, polars, lists), its values are
    checked one by one. Integers of any width become int64, so that classes are the same with and
    without missing values. Masked entries of NumPy's masked arrays are missing values.
    """
    if isinstance(y, np.ma.MaskedArray) and np.ma.is_masked(y):
        labels = np.array(y.data, dtype=object)
        labels[np.ma.getmaskarray(y)] = None
        return labels
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
    given = [value for value in values if not is_missing(value)]
    if _all_bool(given) or all_integer(given):
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


def is_missing(value):
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
        return np.fromiter((is_missing(value) for value in y), bool, len(y))
    return np.zeros(len(y), dtype=bool)


def is_number(value):
    """Return whether a value is a real number and not a bool."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)


def _equal(y, marker):
    """Return where y equals the marker exactly; a string never equals a number."""
    if y.dtype.kind == "O":
        return np.fromiter(
            (not is_missing(value) and bool(value == marker) for value in y), bool, len(y)
        )
    return y == marker


def _minus_one(y):
    if y.dtype.kind in "if":
        return y == -1
    if y.dtype.kind == "O":
        return np.fromiter((is_number(value) and value == -1 for value in y), bool, len(y))
    return np.zeros(len(y), dtype=bool)


def _is_plain_binary(y, marked, missing):
    """Return whether y contains exactly the numbers -1 and 1 and no missing value."""
    if not marked.any() or marked.all() or missing.any():
        return False
    rest = y[~marked]
    return all(is_number(value) and value == 1 for value in rest.tolist())


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
    """Return labels, which include no missing value, in the simplest dtype that fits them.

    Dates and times become those of Python, to the microsecond: NumPy has integers for finer ones.
    """
    if labeled.dtype.kind in "mM":
        return labeled.astype(f"{labeled.dtype.kind}8[us]")
    if labeled.dtype.kind != "O":
        return labeled
    values = labeled.tolist()
    if _all_bool(values):
        return np.array(values, dtype=bool)
    if all_integer(values):
        return _integers(values)
    if all(is_number(value) for value in values):
        return np.array(values)
    if any(isinstance(value, np.str_) for value in values):
        labeled = labeled.copy()
        labeled[:] = [str(value) if isinstance(value, np.str_) else value for value in values]
    return labeled


def _all_bool(values):
    return all(isinstance(value, bool | np.bool_) for value in values)


def all_integer(values):
    return all(isinstance(value, numbers.Integral) and is_number(value) for value in values)


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


def index_classes(y, unlabeled_label, name, *, needs_labels=True, convert=plain, advice="."):
    """Return the sorted classes of y, and the class index of each row: int64, -1 where unlabeled.

    `name` is the caller's name for error messages. With `needs_labels` at least one row must have a
    label, or else an error ends in `advice`. `convert` is applied to the labels before they are
    compared.
    """
    y = as_1d(y, name)
    unlabeled = find_unlabeled(y, unlabeled_label)
    targets = np.full(len(y), UNLABELED, dtype=np.int64)
    if unlabeled.all() and needs_labels:
        raise ValueError(
            f"y holds no labeled row: all {len(y)} entries are missing or equal to the marker of "
            f"unlabeled_label={unlabeled_label!r}. {name} needs labeled rows{advice}"
        )
    if unlabeled.all():
        return np.empty(0, dtype=np.int64), targets
    classes, targets[~unlabeled] = index_labels(convert(y[~unlabeled]))
    return classes, targets


def index_labels(labeled):
    """Return the sorted classes of labels without markers, and the class index of each label."""
    _check_finite(labeled)
    if labeled.dtype.kind == "O":
        require_one_kind(labeled)
    try:
        check_classification_targets(labeled)
        classes, targets = np.unique(labeled, return_inverse=True)
    except TypeError as error:
        raise ValueError(mixture(labeled)) from error
    return classes, targets.ravel()


def require_one_kind(labeled):
    """Raise ValueError if there are both text and other labels."""
    if len({isinstance(value, str) for value in labeled}) > 1:
        raise ValueError(mixture(labeled))


def mixture(labeled):
    """Return what is wrong with labels of several types."""
    kinds = sorted({type(value).__name__ for value in labeled})
    return f"y mixes labels of types {kinds}, which have no order; use labels of one type."
