"""Writing the marker of unlabeled rows into y, whatever container y is."""

from __future__ import annotations

import numpy as np

from skaae.model_selection._rows import is_integer
from skaae.unlabeled import (
    UNLABELED,
    as_1d,
    as_label_array,
    is_auto,
    is_missing,
    is_number,
    mark_unlabeled,
)


def with_marker(y, hidden, unlabeled_label, classes):
    """Return a copy of y with the marker in the hidden rows, in the container of y.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    hidden : bool ndarray of shape (n_samples,)
    unlabeled_label : "auto", scalar or None
        "auto" is -1 for numbers and otherwise a missing value, as is None.
    classes : ndarray
        Classes of y, for the error message.
    """
    library = type(y).__module__.partition(".")[0]
    write = {"pandas": _in_pandas, "polars": _in_polars}.get(library, _in_array)
    is_index = library == "pandas" and not hasattr(y, "iloc")
    if np.ndim(y) != 1 or hasattr(y, "columns") or is_index or not hasattr(y, "to_list"):
        write = _in_array
    marked = write(y, hidden, unlabeled_label)
    reading = "auto" if unlabeled_label is None else unlabeled_label
    before, after = as_label_array(y).ravel(), as_label_array(marked)
    if before[~hidden].tolist() != after[~hidden].tolist():
        raise ValueError(
            f"unlabeled_label={unlabeled_label!r} cannot be in one {type(y).__name__} with the "
            f"classes {classes.tolist()}, as some of them would change; choose another marker."
        )
    if not np.array_equal(mark_unlabeled(after, reading), hidden):
        raise ValueError(
            f"Rows marked by unlabeled_label={unlabeled_label!r} could not be told from labeled "
            f"rows, because the classes of y are {classes.tolist()}. Rename the classes, for "
            "example to 0 and 1 instead of -1 and 1, or choose another marker."
        )
    return marked


def _marker_for(kind, unlabeled_label):
    """Return the value to write for a kind of dtype, None for a missing value."""
    if is_auto(unlabeled_label):
        return UNLABELED if kind in "iuf" else None
    return None if is_missing(unlabeled_label) else unlabeled_label


def _in_array(y, hidden, unlabeled_label):
    y = as_1d(y, "make_unlabeled")
    kind = y.dtype.kind
    marker = _marker_for(kind, unlabeled_label)
    if kind == "u":  # no place for -1; plain integers become int64, the largest stay unsigned
        y = y.astype(np.int64 if y.max() < 2**63 else object)
        kind = y.dtype.kind
    if marker is None and kind == "f":
        marker = np.nan
    if marker is None and kind in "mM":
        marker = np.array("NaT", y.dtype)[()]
    if kind in "if" and is_number(marker):
        wide = y.astype(np.result_type(y, np.min_scalar_type(marker)))
        # large integers may not be floats
        exact = kind == "f" or np.array_equal(wide.astype(y.dtype), y)
        y = wide if exact else y.astype(object)
    elif kind == "U" and isinstance(marker, str):
        y = y.astype(np.result_type(y, np.asarray(marker)))
    elif kind not in "mM" or not isinstance(marker, np.datetime64 | np.timedelta64):
        y = y.astype(object)
    y = y.copy()
    y[hidden] = marker
    return y


def _in_pandas(y, hidden, unlabeled_label):
    own = isinstance(y.dtype, np.dtype)  # not one of pandas' dtypes, which take missing values
    kind = y.dtype.kind
    marker = _marker_for(kind, unlabeled_label)
    y = y.copy()
    if hasattr(y, "cat"):
        if marker is not None and marker not in y.cat.categories:
            y = y.cat.add_categories([marker])
    elif marker is None:
        y = y.astype(object) if own and kind not in "fmMO" else y
    elif kind in "iu" and is_integer(marker):
        limits = np.iinfo(f"{kind}{y.dtype.itemsize}")
        if not limits.min <= marker <= limits.max:
            wide = np.iinfo(np.int64)
            fits = wide.min <= marker <= wide.max and int(y.max()) <= wide.max
            y = y.astype((np.int64 if own else "Int64") if fits else object)
    elif not _fits(y.dtype, kind, marker):
        y = y.astype(object)
    y.iloc[np.flatnonzero(hidden)] = marker
    return y


def _fits(dtype, kind, marker):
    """Return whether a Series of a pandas dtype can hold a marker without changing its dtype."""
    if str(dtype).startswith("str"):
        return isinstance(marker, str)
    if kind in "if":
        return is_number(marker) and (kind == "f" or is_integer(marker))
    return kind == "O"


def _in_polars(y, hidden, unlabeled_label):
    is_integer = y.dtype.is_integer()
    marker = _marker_for("i" if is_integer or y.dtype.is_float() else "O", unlabeled_label)
    values = [marker if is_hidden else value for value, is_hidden in zip(y, hidden, strict=True)]
    dtype = None if is_integer and marker is not None else y.dtype
    try:
        return type(y)(y.name, values, dtype=dtype)
    except Exception as error:  # polars has many kinds of errors for a value of another type
        raise ValueError(
            f"A polars Series of {y.dtype} cannot hold unlabeled_label={marker!r}; give a marker "
            "of the type of the labels, or None."
        ) from error
