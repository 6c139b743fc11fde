"""A committee of classifiers: their weighted mean says what a few labels tell of the other rows.

Classifiers that err differently have few errors in common. The weights follow cross-validation on
the labels, so that a member that suits the table counts most.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.tree import ExtraTreeRegressor

from skaae.neighbours import distinct, whitening
from skaae.teaching.graph import normalized_graph, spread_labels
from skaae.teaching.information import InformationMaximization
from skaae.teaching.weights import best_temperature, member_weights, with_temperature

N_FOLDS = 5
N_TREES = 100
MAX_COLUMNS = 1000  # of linear discriminant analysis
LEAST_PROPORTION = 1e-6  # a class without rows may have labels all the same
# If all rows have labels, this share of each gives way to what the committee says of the row if it
# does not see its label. Otherwise it is less, in proportion to the labeled rows. It is below 1/2
# so that a label that the committee does not expect, as of a rare class, keeps its majority.
SOFTENED_SHARE = 0.4


def default_members(X, targets, seed, weights=None):
    """Return the members that teach if the user names none.

    X (n_rows, n_features) are scaled rows, and targets (n_rows,) their classes, -1 where unlabeled.
    Two members learn from labeled rows alone, and three from all rows. The first two weigh more
    until labels tell otherwise: they fail on fewer tables.
    Members that compare rows by their distance get whitened rows. If rows have weights
    (n_rows,), members that cannot use them are left out.
    """
    rows, places = distinct(X)
    rows = rows @ whitening(rows, seed)
    members = [
        Forest(seed),
        InformationMaximization(X, seed, kernel=False, weights=weights),
        InformationMaximization(rows[places], seed, kernel=True, weights=weights),
    ]
    if len(rows) > 1:
        members.append(Graph(rows, places))
    y = targets[targets >= 0]
    # it needs a few labels more than there are classes, and time that grows with columns cubed
    if weights is None and len(y) >= 2 * len(np.unique(y)) and X.shape[1] <= MAX_COLUMNS:
        analysis = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        members.append(Classifier(analysis, seed, prior=1.5))
    return members


class Classifier:
    """A member that is a classifier of scikit-learn, trained on the labeled rows.

    `prior` is its weight before any label is seen, relative to other members.
    """

    def __init__(self, estimator, seed, *, prior=1.0):
        self.prior = prior
        self.estimator = clone(estimator)
        for name, value in self.estimator.get_params().items():
            if value is None and name.split("__")[-1] == "random_state":
                self.estimator.set_params(**{name: seed})

    def __call__(self, X, targets, wanted, proportions, weights=None):
        """Return the class probabilities of rows X[wanted], (n_wanted, n_classes).

        targets (n_rows,) are class indices, -1 where unlabeled, and `proportions` (n_classes,) are
        those of the classes among all rows. Rows may have weights (n_rows,).
        """
        given = targets >= 0
        y = targets[given]
        present, positions = np.unique(y, return_inverse=True)
        found = np.zeros((len(wanted), len(proportions)))
        if len(present) == 1:
            found[:, present] = 1.0
            return found
        estimator = clone(self.estimator)
        how = {} if weights is None else {"sample_weight": weights[given]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", message="Only one sample")  # of a class
            warnings.filterwarnings("ignore", message="The number of unique classes")
            estimator.fit(X[given], positions, **how)  # some want classes without a gap
        found[:, present] = estimator.predict_proba(X[wanted])
        if not np.isfinite(found).all():
            raise ValueError(
                f"predict_proba of {self.estimator!r} returned NaN or infinity, so it cannot "
                "teach; pass another classifier as pseudo_labels."
            )
        return in_proportion(found, y, proportions, **how)


class Forest:
    """A member that is a forest of extremely randomized trees.

    It has the trees of scikit-learn's `ExtraTreesClassifier`, which spends most of its time on
    checks and copies of each tree where labels are few. Here each tree is a regression of one
    column for each class. Its splits are those of a classification by Gini impurity.
    """

    prior = 3.0

    def __init__(self, seed):
        self.seed = seed

    def __call__(self, X, targets, wanted, proportions, weights=None):
        """Return the class probabilities of rows X[wanted], as `Classifier` does."""
        given = targets >= 0
        mass = None if weights is None else weights[given]
        labels = np.eye(len(proportions))[targets[given]]
        X = np.asarray(X, dtype=np.float32)
        known, rows = X[given], X[wanted]
        found = np.zeros((len(wanted), len(proportions)))
        random_state = np.random.RandomState(self.seed)  # one stream for all trees
        with config_context(skip_parameter_validation=True):
            for _ in range(N_TREES):
                tree = ExtraTreeRegressor(max_features="sqrt", random_state=random_state)
                tree.fit(known, labels, sample_weight=mass, check_input=False)
                found += tree.predict(rows, check_input=False).reshape(found.shape)
        return in_proportion(found / N_TREES, targets[given], proportions, mass)


class Graph:
    """A member that spreads labels over the graph of nearest neighbours of all rows.

    `rows` (n_distinct, n_features) are the different rows, and `places` (n_rows,) say which of them
    each row is.
    """

    prior = 0.5

    def __init__(self, rows, places):
        self.graph, self.places = normalized_graph(rows), places

    def __call__(self, X, targets, wanted, proportions, weights=None):
        """Return the class probabilities of rows X[wanted], as `Classifier` does."""
        given = targets >= 0
        mass = None if weights is None else weights[given]
        labels = np.zeros((self.graph.shape[0], len(proportions)))
        np.add.at(labels, (self.places[given], targets[given]), 1.0 if mass is None else mass)
        found = spread_labels(self.graph, labels)[self.places[wanted]]
        return in_proportion(found, targets[given], proportions, mass)


def in_proportion(found, y, proportions, sample_weight=None):
    """Return probabilities learned from labels y as they are where classes have `proportions`."""
    shares = np.bincount(y, sample_weight, minlength=len(proportions))
    shares = shares / shares.sum()
    found = found * np.divide(proportions, shares, out=np.zeros_like(shares), where=shares > 0.0)
    return found / found.sum(axis=1, keepdims=True)


def folds_of_labels(y, seed):
    """Return the fold of each label, (n_labels,): every fold has about the same share of a class.

    Classes may have fewer labels than there are folds.
    """
    order = np.random.default_rng(seed).permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    fold = np.empty(len(y), dtype=int)
    fold[order] = np.arange(len(y)) % min(N_FOLDS, len(y))
    return fold


def teach(X, targets, proportions, members, seed, weights=None):
    """Return class probabilities of all rows, (n_rows, n_classes), from the labels of some.

    A network that learns certain labels alone becomes too certain of other rows. So the more rows
    have labels, the more of each label gives way to the probabilities of members that have not seen
    it. A single member leaves labels as they are.

    Parameters
    ----------
    X : scaled rows, (n_rows, n_features).
    targets : class indices of the rows, (n_rows,), -1 where unlabeled.
    proportions : class proportions among all rows, (n_classes,).
    members : functions like `Classifier`, `Graph` and `InformationMaximization`. A single one
        teaches its own probabilities.
    seed : seed of the folds.
    weights : weights of the rows, (n_rows,), 1 on average, or None.
    """
    proportions = np.maximum(proportions, LEAST_PROPORTION)
    given = targets >= 0
    labels = np.eye(len(proportions))[targets[given]]
    if len(members) == 1:
        mean = members[0](X, targets, np.arange(len(X)), proportions, weights)
        mean[given] = labels
        return mean
    mean, unseen = weighted_mean(X, targets, proportions, members, seed, weights)
    mean[given] = labels + SOFTENED_SHARE * given.mean() * (unseen - labels)
    return mean


def weighted_mean(X, targets, proportions, members, seed, weights=None):
    """Return the members' mean probabilities, weighted by cross-validation on the labels.

    The first ones are those of all rows, (n_rows, n_classes), and the second ones those of labeled
    rows from members that have not seen their labels. The arguments are those of `teach`.
    """
    n_classes = len(proportions)
    given, everything = np.flatnonzero(targets >= 0), np.arange(len(X))
    y = targets[given]
    fold = folds_of_labels(y, seed)
    # as often as their classes are among all rows: labels may have other proportions
    own = np.ones(len(y)) if weights is None else weights[given]
    importance = own * proportions[y] / np.bincount(y, own)[y]
    importance *= len(y) / importance.sum()
    found = []
    for member in members:
        unseen = np.zeros((len(given), n_classes))
        for k in range(fold.max() + 1):
            rest, held_out = targets.copy(), given[fold == k]
            rest[held_out] = -1
            unseen[fold == k] = member(X, rest, held_out, proportions, weights)
        temperature = best_temperature(unseen, y, importance)
        of_all = member(X, targets, everything, proportions, weights)
        found.append([with_temperature(part, temperature) for part in (of_all, unseen)])
    of_all, unseen = (np.stack(part) for part in zip(*found, strict=True))
    prior = np.array([member.prior for member in members])
    shares = member_weights(unseen[:, np.arange(len(y)), y].T, importance, prior)
    return np.tensordot(shares, of_all, axes=1), np.tensordot(shares, unseen, axes=1)
