"""label_budget_curve: the score of held-out rows as a function of the number of labels."""

from __future__ import annotations

import numbers
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch, check_random_state, indexable
from sklearn.utils.parallel import Parallel, delayed

from skaae.model_selection._budget import allocate, check_number, choose, draw_order
from skaae.model_selection._marking import with_marker
from skaae.model_selection._rows import (
    is_integer,
    refuse_marker,
    simple,
    take,
    take_parameters,
)
from skaae.model_selection._split import SemiSupervisedSplit
from skaae.unlabeled import index_classes

N_BUDGETS = 5


def label_budget_curve(
    estimator,
    X,
    y,
    *,
    n_labels=None,
    per_class=False,
    unlabeled="mark",
    cv=None,
    groups=None,
    scoring=None,
    n_repeats=1,
    random_state=None,
    n_jobs=None,
    unlabeled_label="auto",
    params=None,
):
    """Score an estimator that is fitted with more and more labels.

    In scikit-learn's `learning_curve` the training rows grow. Here they stay the same, and only
    their labels grow: `n_labels` training rows keep their label, and the others are unlabeled. The
    score is that of the labeled rows of the test part.

    With the same `random_state`, several estimators get the same labels.

    Parameters
    ----------
    estimator : estimator
        A classifier. It is cloned for each fit.
    X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Labels. Rows may be unlabeled; they are in every training part. The estimator is fitted with
        an array of plain dtype, in which rows without a label have the marker.
    n_labels : array-like of int or float, default=None
        Numbers of labels. A float above 0 and at most 1 is a share of the labels of the smallest
        training part. Each class has labels in proportion to its frequency, and at least one. None
        means five numbers with equal ratios, from two labels of each class to all labels (with
        `per_class`, from one label of each class).
    per_class : bool, default=False
        Whether `n_labels` are integers that count the labels of each class. The classes of the
        labeled rows are then equally frequent, even if those of y are not.
    unlabeled : {"mark", "drop"}, default="mark"
        What happens to training rows without a label. "mark" keeps them, with the marker in y.
        "drop" leaves them out, for estimators that do not take unlabeled rows, such as
        `RandomForestClassifier`.
    cv : int, cross-validator or iterable, default=None
        An int is the number of folds of `SemiSupervisedSplit`, and None means 5. Unlabeled rows in
        the test parts of another cross-validator are not scored.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, for the cross-validator.
    scoring : str or callable, default=None
        A name of scikit-learn or a scorer. None means the method `score` of the estimator.
    n_repeats : int, default=1
        How often other labels are drawn in each training part.
    random_state : int, RandomState instance or None, default=None
        Determines the folds if `cv` is an int or None, and which labels are kept. The estimator has
        its own `random_state`.
    n_jobs : int, default=None
        Number of fits in parallel, as in scikit-learn.
    unlabeled_label : "auto", scalar or None, default="auto"
        Marker of unlabeled rows, in y and in the training parts. "auto" writes -1 if the labels are
        numbers and None otherwise; see `make_unlabeled`. For `SelfTrainingClassifier` on strings,
        pass -1.
    params : dict, default=None
        Arguments of `fit`. Those with a value for each row are reduced to the training rows.

    Returns
    -------
    result : Bunch
        With these entries:

        - `n_labels`, int ndarray of shape (n_budgets,): the numbers of labels, ascending; with
          `per_class`, those of each class
        - `test_scores`, ndarray of shape (n_budgets, n_splits * n_repeats): the scores; repeats of
          one fold are neighbours
        - `fit_times` and `score_times`, ndarrays of the same shape: seconds of each fit and score

    Raises
    ------
    ValueError
        If a training part has too few labels for `n_labels`, or if the estimator takes the marker
        for a class.

    See Also
    --------
    skaae.LabelBudgetDisplay : Draws the curve.
    make_unlabeled : Hides labels once.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.semi_supervised import LabelSpreading
    >>> from skaae.model_selection import label_budget_curve
    >>> X, y = load_digits(return_X_y=True)
    >>> settings = dict(n_labels=[20, 100], cv=3, random_state=0)
    >>> spread = label_budget_curve(LabelSpreading(gamma=0.004), X, y, **settings)
    >>> spread.test_scores.shape
    (2, 3)
    >>> nearest = KNeighborsClassifier(n_neighbors=1)
    >>> alone = label_budget_curve(nearest, X, y, unlabeled="drop", **settings)
    >>> spread.test_scores.mean(axis=1) > alone.test_scores.mean(axis=1)
    array([ True,  True])
    """
    _check_choices(unlabeled, n_repeats, scoring)
    X, y, groups = indexable(X, y, groups)
    rng = check_random_state(random_state)
    classes, targets = index_classes(y, unlabeled_label, "label_budget_curve", convert=simple)
    parts = _parts(cv, X, y, groups, targets, rng, unlabeled_label)
    counts = [_count(targets[train], classes) for train, _ in parts]
    budgets = _budgets(n_labels, per_class, counts, classes)
    draws = [(part, draw_order(rng, len(part[0]))) for part in parts for _ in range(n_repeats)]
    task = _Task(estimator, X, classes, targets, unlabeled, unlabeled_label, scoring, params or {})
    rows = []
    for budget in budgets:
        for (train, test), order in draws:
            kept = allocate(_count(targets[train], classes), int(budget), per_class, classes)
            rows.append((train, test, choose(targets[train], kept, order)))
    found = np.array(Parallel(n_jobs=n_jobs)(delayed(task)(*each) for each in rows))
    scores, fit_times, score_times = found.reshape(len(budgets), len(draws), 3).transpose(2, 0, 1)
    return Bunch(n_labels=budgets, test_scores=scores, fit_times=fit_times, score_times=score_times)


def _check_choices(unlabeled, n_repeats, scoring):
    """Raise ValueError for arguments that are not allowed."""
    if unlabeled not in ("mark", "drop"):
        raise ValueError(f"unlabeled={unlabeled!r} must be 'mark' or 'drop'.")
    if not is_integer(n_repeats) or n_repeats < 1:
        raise ValueError(f"n_repeats={n_repeats!r} must be an integer above 0.")
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise ValueError(f"scoring={scoring!r} must be one name of a scorer, a scorer or None.")


def _parts(cv, X, y, groups, targets, rng, unlabeled_label):
    """Return the training rows and the labeled test rows of each fold."""
    if cv is None or is_integer(cv):
        cv = SemiSupervisedSplit(
            5 if cv is None else cv,
            random_state=rng.randint(np.iinfo(np.int32).max),
            unlabeled_label=unlabeled_label,
        )
    parts = []
    for train, test in check_cv(cv).split(X, y, groups):
        train, test = (np.arange(len(targets))[rows] for rows in (train, test))  # masks too
        parts.append((train, test[targets[test] >= 0]))
        if not len(parts[-1][1]):
            raise ValueError(
                f"The test part {len(parts) - 1} of cv={cv!r} has no labeled row; leave cv=None, "
                "or use SemiSupervisedSplit."
            )
    return parts


def _count(targets, classes):
    """Return how many rows have each class."""
    return np.bincount(targets[targets >= 0], minlength=len(classes))


def _budgets(n_labels, per_class, counts, classes):
    """Return the numbers of labels as ascending integers; check them before the first fit."""
    least = min(count.min() if per_class else count.sum() for count in counts)
    if n_labels is None:
        start = 1 if per_class else min(2 * len(classes), least)
        budgets = np.geomspace(start, max(least, 1), N_BUDGETS).round().astype(int)
    else:
        given = list(np.ravel(np.asarray(n_labels, dtype=object)))
        if not given:
            raise ValueError("n_labels is empty; give at least one number of labels.")
        for number in given:
            check_number(number, per_class)
        budgets = np.array([int(n) if is_integer(n) else round(n * least) for n in given])
    budgets = np.unique(budgets)
    for count in counts:
        for budget in budgets:
            allocate(count, int(budget), per_class, classes)
    return budgets


@dataclass(frozen=True)
class _Task:
    """Fits the estimator to some labels, and scores it."""

    estimator: Any
    X: Any
    classes: np.ndarray
    targets: np.ndarray
    unlabeled: str
    unlabeled_label: Any
    scoring: Any
    params: dict

    def __call__(self, train, test, kept):
        """Return the score, and the seconds of the fit and of the score.

        train and test are rows of X. kept are places in `train`: the rows that keep their labels.
        """
        hidden = np.ones(len(train), dtype=bool)
        hidden[kept] = False
        if self.unlabeled == "drop":
            train, hidden = train[~hidden], hidden[~hidden]
        y = self.classes[np.maximum(self.targets[train], 0)]
        if hidden.any():
            y = with_marker(y, hidden, self.unlabeled_label, self.classes)
        elif self.unlabeled == "mark" and y.dtype.kind == "U":
            y = y.astype(object)  # as with a marker: SelfTrainingClassifier takes no other strings
        X, params = take(self.X, train), take_parameters(self.params, train, len(self.targets))
        start = time.perf_counter()
        estimator = clone(self.estimator).fit(X, y, **params)
        fitted = time.perf_counter()
        if hidden.any():
            refuse_marker(estimator, self.unlabeled_label)
        scorer = check_scoring(estimator, self.scoring)
        score = scorer(estimator, take(self.X, test), self.classes[self.targets[test]])
        if not isinstance(score, numbers.Real):
            raise ValueError(f"scoring={self.scoring!r} returned {score!r} instead of a number.")
        return score, fitted - start, time.perf_counter() - fitted
