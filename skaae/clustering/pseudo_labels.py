"""Pseudo-labels: predicted classes on which a graph of nearest neighbours and the network agree.

Graph and network make mistakes on different rows, so few classes are wrong where both agree. With
pseudo-labels from the graph alone, the network would learn its mistakes, which are many on tables
whose columns are mostly noise.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.semi_supervised import LabelSpreading

UNSURE = -1  # in place of a class
N_NEIGHBORS = 7
SURE_FRACTION = 0.8  # fraction of rows that may get a pseudo-label: those the graph is surest of
LEARNED = 0.9  # fraction of the given labels that the network must predict correctly first


def graph_labels(X, targets):
    """Return the class of every row from a graph of neighbours, or UNSURE where it is least sure.

    X (n_rows, n_features) are scaled rows. targets (n_rows,) are class indices, -1 where unlabeled.
    """
    # n_jobs=1: a surrounding joblib must not take parts of the search
    graph = LabelSpreading(kernel="knn", n_neighbors=min(N_NEIGHBORS, len(X) - 1), n_jobs=1)
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        graph.fit(X, targets)  # rows without a path to a label get probabilities 0 / 0
    sureness = np.nan_to_num(graph.label_distributions_.max(axis=1))
    sure = (sureness > 0.0) & (sureness >= np.quantile(sureness, 1.0 - SURE_FRACTION))
    return np.where(sure, graph.transduction_, UNSURE)


def clear_rows(by_graph, targets, predicted):
    """Return a mask of rows with a clear class: a given one, or one from both graph and network.

    All arguments have shape (n_rows,). `by_graph` are the classes of the graph, `targets` the given
    classes (-1 where unlabeled), and `predicted` the classes of the network. Return None if the
    network has not learned the given classes yet. It may then predict only one or two classes, and
    with such pseudo-labels would never learn the others.
    """
    given = targets >= 0
    if np.mean(predicted[given] == targets[given]) < LEARNED:
        return None
    return given | (by_graph == predicted)
