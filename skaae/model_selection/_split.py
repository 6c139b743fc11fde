"""SemiSupervisedSplit: folds of the labeled rows, with unlabeled rows in every training part."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import (
    BaseCrossValidator,
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.utils import indexable

from skaae.model_selection._rows import is_integer
from skaae.unlabeled import as_1d, find_missing, index_classes


class SemiSupervisedSplit(BaseCrossValidator):
    """Cross-validator that divides the labeled rows into folds.

    Each labeled row is in one test part. Each training part has the labeled rows of the other folds
    and all unlabeled rows. So every test row has a label, and no label of a test row is used in
    training.

    Use it as `cv` of scikit-learn's functions and searches. The estimator must take unlabeled rows:
    `SemiSupervisedAAEClassifier`, or scikit-learn's `SelfTrainingClassifier` and `LabelSpreading`.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=True
        Whether to shuffle the labeled rows before they are divided.
    random_state : int, RandomState instance or None, default=None
        Determines the order of shuffled rows. Pass an int to get the same folds in every call of
        `split`. `HalvingGridSearchCV` needs an int, or `shuffle=False`.
    stratify : bool, default=True
        Whether each fold has about the same proportion of each class as all labeled rows.
    unlabeled_label : "auto", scalar or None, default="auto"
        Value of y that marks an unlabeled row. Missing values (None, NaN, `pandas.NA`, NaT) mark
        unlabeled rows too. "auto" is the number -1; but if the only values of y are -1 and 1, these
        are the two classes. None means that every row has a label.

    See Also
    --------
    labeled_scorer : Scores the labeled rows of a part, for splits that do not know unlabeled rows.
    label_budget_curve : How the score grows with the number of labels.

    Notes
    -----
    `cross_val_predict` needs a split in which every row is in one test part, so it refuses this
    one. The second example gets the predictions of all labeled rows with `cross_validate`.

    If `groups` are given, no group is in two test parts, and rows of a test part's groups are not
    in its training part, whether labeled or not. A missing group means that the row belongs to no
    group; only unlabeled rows may have none.

    With integers beside None in y, use `labeled_scorer` as `scoring`: scikit-learn's metrics do not
    take integers in arrays of dtype object.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import cross_validate
    >>> from sklearn.semi_supervised import LabelSpreading
    >>> from skaae.model_selection import SemiSupervisedSplit, make_unlabeled
    >>> X, y = load_digits(return_X_y=True)
    >>> y_few = make_unlabeled(y, 100, random_state=0)
    >>> cv = SemiSupervisedSplit(n_splits=5, random_state=0)
    >>> model = LabelSpreading(gamma=0.004)
    >>> result = cross_validate(
    ...     model, X, y_few, cv=cv, return_estimator=True, return_indices=True
    ... )
    >>> result["test_score"].shape
    (5,)

    Predictions of the labeled rows, each by the model that has not seen its label:

    >>> predicted = np.full(len(y_few), -1)
    >>> for model, test in zip(result["estimator"], result["indices"]["test"]):
    ...     predicted[test] = model.predict(X[test])
    >>> np.array_equal(predicted == -1, y_few == -1)
    True
    """

    # without `groups` in the call, scikit-learn passes None
    __metadata_request__split = {"groups": True}

    def __init__(
        self,
        n_splits=5,
        *,
        shuffle=True,
        random_state=None,
        stratify=True,
        unlabeled_label="auto",
    ):
        if not is_integer(n_splits) or n_splits < 2:
            raise ValueError(f"n_splits={n_splits!r} must be an integer of at least 2.")
        if not shuffle and random_state is not None:
            raise ValueError(
                f"random_state={random_state!r} has no effect with shuffle=False; leave "
                "random_state=None, or set shuffle=True."
            )
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state
        self.stratify = stratify
        self.unlabeled_label = unlabeled_label

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds.

        Parameters
        ----------
        X : object, default=None
            Ignored.
        y : object, default=None
            Ignored.
        groups : object, default=None
            Ignored.

        Returns
        -------
        n_splits : int
        """
        return self.n_splits

    def split(self, X, y=None, groups=None):
        """Yield the indices of training rows and of test rows of each fold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Only its number of rows is used.
        y : array-like of shape (n_samples,)
            Labels. A marker or a missing value stands for an unlabeled row.
        groups : array-like of shape (n_samples,), default=None
            Group of each row. Rows of one group stay together.

        Yields
        ------
        train : ndarray of shape (n_train,)
            Indices of training rows in ascending order, all unlabeled rows among them.
        test : ndarray of shape (n_test,)
            Indices of test rows in ascending order. All of them have a label.

        Raises
        ------
        ValueError
            If there are fewer labeled rows, or fewer groups of them, than folds, or if no class has
            as many labels as there are folds and `stratify` is True.
        """
        X, y, groups = indexable(X, y, groups)
        _, targets = index_classes(y, self.unlabeled_label, "SemiSupervisedSplit")
        labeled = np.flatnonzero(targets >= 0)
        self._check_counts(targets[labeled])
        group = None if groups is None else self._index_groups(groups, labeled)
        parts = self._folds(group).split(
            labeled, targets[labeled], None if group is None else group[labeled]
        )
        for _, test in parts:
            out = np.zeros(len(targets), dtype=bool)
            out[labeled[test]] = True
            if group is not None:
                out |= np.isin(group, group[labeled[test]])
            yield np.flatnonzero(~out), labeled[test]

    def _folds(self, group):
        """Return scikit-learn's cross-validator for the labeled rows."""
        kinds = (
            (GroupKFold, StratifiedGroupKFold) if group is not None else (KFold, StratifiedKFold)
        )
        kind = kinds[bool(self.stratify)]
        return kind(self.n_splits, shuffle=self.shuffle, random_state=self.random_state)

    def _check_counts(self, targets):
        """Raise ValueError if the labeled rows are too few for the folds."""
        most = np.bincount(targets).max() if self.stratify else len(targets)
        if most < self.n_splits:
            what = "the most frequent class has" if self.stratify else "y has"
            raise ValueError(
                f"n_splits={self.n_splits} needs as many labeled rows"
                f"{' of one class' if self.stratify else ''}, but {what} only {most}; use a "
                f"smaller n_splits{', or stratify=False' if self.stratify else ''}."
            )

    def _index_groups(self, groups, labeled):
        """Return the group of each row as an integer, -1 for rows without one."""
        groups = as_1d(groups, "SemiSupervisedSplit")
        missing = find_missing(groups)
        if missing[labeled].any():
            raise ValueError(
                f"groups has missing values for {int(missing[labeled].sum())} labeled rows; give "
                "each labeled row a group."
            )
        index: dict = {}
        found = np.full(len(groups), -1)
        given = np.flatnonzero(~missing)
        found[given] = [index.setdefault(value, len(index)) for value in groups[given].tolist()]
        n_groups = len(np.unique(found[labeled]))
        if n_groups < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} needs at least as many groups of labeled rows, but "
                f"there are only {n_groups}; use a smaller n_splits."
            )
        return found
