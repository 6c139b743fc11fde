"""Functions for y with unlabeled rows: find them, split them off, hide labels."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length

from skaae.model_selection._budget import allocate, choose, draw_order
from skaae.model_selection._marking import with_marker
from skaae.model_selection._rows import simple, take
from skaae.unlabeled import as_1d, find_unlabeled, index_classes


def is_unlabeled(y, *, unlabeled_label="auto"):
    """Find the unlabeled rows of y.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels: an array, a list, or a Series of pandas or polars.
    unlabeled_label : "auto", scalar or None, default="auto"
        Value of y that marks an unlabeled row. Missing values (None, NaN, `pandas.NA`, NaT) mark
        unlabeled rows too. "auto" is the number -1; but if the only values of y are -1 and 1, these
        are the two classes, and a warning says so. None means that every row has a label.

    Returns
    -------
    unlabeled : ndarray of bool of shape (n_samples,)

    Raises
    ------
    ValueError
        If y has a missing value and `unlabeled_label` is None, or if y has the marker as a string,
        such as "-1".

    Examples
    --------
    >>> from skaae.model_selection import is_unlabeled
    >>> is_unlabeled(["cat", None, "dog"])
    array([False,  True, False])
    """
    return find_unlabeled(as_1d(y, "is_unlabeled"), unlabeled_label)


def split_unlabeled(X, y, *, unlabeled_label="auto"):
    """Split X and y into labeled rows, their labels, and unlabeled rows.

    Parameters
    ----------
    X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Labels. A marker or a missing value stands for an unlabeled row.
    unlabeled_label : "auto", scalar or None, default="auto"
        The marker; see `is_unlabeled`.

    Returns
    -------
    X_labeled : of the type of X, of shape (n_labeled, n_features)
    y_labeled : ndarray of shape (n_labeled,)
        Labels in a plain dtype that all of scikit-learn takes: integers, floats, bools or strings.
    X_unlabeled : of the type of X, of shape (n_unlabeled, n_features)

    Raises
    ------
    ValueError
        If X and y have different lengths, or as in `is_unlabeled`.

    Examples
    --------
    >>> import numpy as np
    >>> from skaae.model_selection import split_unlabeled
    >>> X = np.arange(8).reshape(4, 2)
    >>> X_labeled, y_labeled, X_unlabeled = split_unlabeled(X, [1, None, 0, None])
    >>> y_labeled
    array([1, 0])
    >>> X_unlabeled
    array([[2, 3],
           [6, 7]])
    """
    y = as_1d(y, "split_unlabeled")
    check_consistent_length(X, y)
    unlabeled = find_unlabeled(y, unlabeled_label)
    labeled = np.flatnonzero(~unlabeled)
    return take(X, labeled), simple(y[labeled]), take(X, np.flatnonzero(unlabeled))


def make_unlabeled(y, n_labeled, *, per_class=False, random_state=None, unlabeled_label="auto"):
    """Hide labels at random, to try how well few labels do.

    Each class keeps labels in proportion to its frequency in y, and at least one.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels. Rows without a label may be among them; they stay unlabeled.
    n_labeled : int or float
        Labels to keep. An int is a number of labels. A float above 0 and at most 1 is a share of
        the labels of y.
    per_class : bool, default=False
        Whether `n_labeled`, then an int, is the number of labels of each class instead. The classes
        of the labeled rows are then equally frequent, even if those of y are not.
    random_state : int, RandomState instance or None, default=None
        Determines which labels are kept.
    unlabeled_label : "auto", scalar or None, default="auto"
        Marker to write for rows without a label. "auto" writes -1 if y has numbers, and otherwise a
        missing value. None writes a missing value. NaN does so too, but then -1 may be a class.
        Rows of y are unlabeled already if they have the marker or a missing value; for "auto" and
        None, see `is_unlabeled`.

    Returns
    -------
    y_few : ndarray, pandas Series or polars Series of shape (n_samples,)
        A copy of y, with the marker in all rows without a label. A Series gives a Series, and
        anything else an array. The dtype is that of y if it can hold the marker. In an array of
        strings, a missing value is None and the dtype is object.

    Raises
    ------
    ValueError
        If there are fewer labels than classes, or more labels than y has; if the marker cannot be
        told from the classes, or its dtype would change some of them.

    Examples
    --------
    >>> import numpy as np
    >>> from skaae.model_selection import make_unlabeled
    >>> y = np.repeat([0, 1], [90, 10])
    >>> y_few = make_unlabeled(y, 20, random_state=0)
    >>> np.unique(y_few, return_counts=True)
    (array([-1,  0,  1]), array([80, 18,  2]))
    """
    marker = "auto" if unlabeled_label is None else unlabeled_label
    classes, targets = index_classes(y, marker, "make_unlabeled", convert=simple)
    counts = np.bincount(targets[targets >= 0], minlength=len(classes))
    kept = allocate(counts, n_labeled, per_class, classes)
    order = draw_order(check_random_state(random_state), len(targets))
    hidden = np.ones(len(targets), dtype=bool)
    hidden[choose(targets, kept, order)] = False
    return with_marker(y, hidden, unlabeled_label, classes)
