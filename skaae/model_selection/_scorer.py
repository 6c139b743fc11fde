"""labeled_scorer: a scorer that leaves unlabeled rows out."""

from __future__ import annotations

import copy
import inspect

import numpy as np
from sklearn.metrics import get_scorer
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import check_consistent_length

from skaae.model_selection._rows import (
    known_classes,
    refuse_marker,
    simple,
    take,
    take_parameters,
)
from skaae.unlabeled import as_1d, find_unlabeled, is_auto


def labeled_scorer(scoring, *, unlabeled_label="auto"):
    """Make a scorer that scores the labeled rows only.

    scikit-learn's scorers take the marker of unlabeled rows for a class: each unlabeled row then
    counts as a wrong prediction. Pass the result of this function as `scoring` in their place, to
    `cross_val_score`, `GridSearchCV`, `permutation_importance` and so on. It also turns y into a
    plain array, so that labels beside None in an array of dtype object can be scored.

    Parameters
    ----------
    scoring : str, callable, list, tuple, set or dict
        A name of scikit-learn, such as "accuracy" or "roc_auc_ovr"; a scorer, which is called as
        `scorer(estimator, X, y)`; or several of them: a list, tuple or set of names, or a dict of
        names and scorers by name.
    unlabeled_label : "auto", scalar or None, default="auto"
        Value of y that marks an unlabeled row. Missing values (None, NaN, `pandas.NA`, NaT) mark
        unlabeled rows too. "auto" is the number -1, unless the classes of the estimator are -1 and
        1. None means that every row has a label.

    Returns
    -------
    scorer : callable or dict of str to callable
        A callable `scorer(estimator, X, y, **kwargs)`, or a dict of them if `scoring` names
        several. Arguments with one value for each row, such as `sample_weight`, are reduced to the
        labeled rows too. With metadata routing, `scorer.set_score_request(sample_weight=True)`
        requests weights. The scorer can be pickled if `scoring` can.

    Raises
    ------
    ValueError
        If `scoring` is a metric instead of a scorer. When the scorer is called: if no row has a
        label, or if the estimator was fitted with the marker as a class.

    See Also
    --------
    SemiSupervisedSplit : Folds of the labeled rows.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.semi_supervised import LabelSpreading
    >>> from skaae.model_selection import labeled_scorer, make_unlabeled
    >>> X, y = load_digits(return_X_y=True)
    >>> y_few = make_unlabeled(y, 200, random_state=0)
    >>> model = LabelSpreading(gamma=0.004)
    >>> wrong = cross_val_score(model, X, y_few, scoring="accuracy")
    >>> right = cross_val_score(model, X, y_few, scoring=labeled_scorer("accuracy"))
    >>> print(wrong.max() < 0.2, right.min() > 0.8)
    True True
    """
    if isinstance(scoring, str) or callable(scoring):
        return LabeledScorer(scoring, unlabeled_label)
    if isinstance(scoring, list | tuple | set):
        if not scoring or not all(isinstance(name, str) for name in scoring):
            raise ValueError(
                f"scoring={scoring!r} must hold names of scorers; give scorers by name in a dict."
            )
        scoring = {name: name for name in sorted(set(scoring))}
    if isinstance(scoring, dict) and scoring:
        return {name: LabeledScorer(each, unlabeled_label) for name, each in scoring.items()}
    raise ValueError(
        f"scoring={scoring!r} must be a name such as 'accuracy', a scorer, a list of names, or a "
        "dict of names and scorers."
    )


class LabeledScorer:
    """Scorer of the labeled rows; `labeled_scorer` makes it."""

    def __init__(self, scoring, unlabeled_label):
        if inspect.isfunction(scoring) and scoring.__module__.startswith("sklearn.metrics."):
            raise ValueError(
                f"scoring={scoring.__name__} is a metric; pass the name of a scorer, or "
                f"make_scorer({scoring.__name__})."
            )
        self._scoring = scoring
        self._unlabeled_label = unlabeled_label
        self._scorer = copy.copy(get_scorer(scoring))  # whose requests may change

    def __call__(self, estimator, X, y=None, **kwargs):
        """Return the score of a fitted estimator on the labeled rows."""
        y = as_1d(y, repr(self))
        check_consistent_length(X, y)
        refuse_marker(estimator, self._unlabeled_label)
        unlabeled = find_unlabeled(y, self._unlabeled_label, known_classes(estimator))
        if unlabeled.all():
            raise ValueError(
                f"{self!r} got no labeled row: all {len(y)} rows of this part are unlabeled. Use "
                "cv=SemiSupervisedSplit(), whose test parts have labeled rows only."
            )
        if unlabeled.any():
            labeled = np.flatnonzero(~unlabeled)
            kwargs = take_parameters(kwargs, labeled, len(y))
            X, y = take(X, labeled), y[labeled]
        return self._scorer(estimator, X, simple(y), **kwargs)

    def set_score_request(self, **kwargs):
        """Set which metadata the scorer requests, as scikit-learn's scorers do; return self."""
        self._scorer.set_score_request(**kwargs)
        return self

    def get_metadata_routing(self):
        """Return the metadata that the scorer requests."""
        return get_routing_for_object(self._scorer)

    @property
    def _score_func(self):
        """Raise the error for tools that take scorers apart to choose a threshold."""
        raise AttributeError(
            f"{self!r} cannot choose a threshold. Give the tool labeled rows only, the others as "
            f"X_unlabeled, and scoring={self._scoring!r}."
        )

    def _accept_sample_weight(self):
        """Return whether the scorer takes weights; scikit-learn asks when routing is off."""
        if hasattr(self._scorer, "_accept_sample_weight"):
            return self._scorer._accept_sample_weight()
        return "sample_weight" in inspect.signature(self._scorer).parameters

    def __repr__(self):
        marker = self._unlabeled_label
        more = "" if is_auto(marker) else f", unlabeled_label={marker!r}"
        return f"labeled_scorer({self._scoring!r}{more})"
