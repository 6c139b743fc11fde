"""Pseudo-labels: rows whose class a graph of neighbours and a network agree on.

Each of the two is wrong about other rows, so where they agree few are wrong. A graph alone would
also teach its mistakes, which are many on tables whose columns are mostly noise.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.semi_supervised import LabelSpreading

UNSURE = -1  # in place of a class
N_NEIGHBORS = 7
SURE_SHARE = 0.8  # of the rows, those that the graph is surest of
LEARNED = 0.9  # of the given labels, before the network has a say
MAX_ROWS = 20_000  # "auto": the graph takes time and memory that grow with the square of the rows


def spread_labels(X, targets):
    """Return the class of every row by a graph of neighbours, UNSURE where it is least sure.

    X (n_rows, n_features) are scaled rows, targets (n_rows,) class indices, -1 where unlabeled.
    """
    graph = LabelSpreading(kernel="knn", n_neighbors=min(N_NEIGHBORS, len(X) - 1))
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        graph.fit(X, targets)  # a row that no label reaches gets 0 / 0
    sureness = np.nan_to_num(graph.label_distributions_.max(axis=1))
    sure = (sureness > 0.0) & (sureness >= np.quantile(sureness, 1.0 - SURE_SHARE))
    return np.where(sure, graph.transduction_, UNSURE)


def clear_rows(spread, targets, predicted):
    """Return which rows have a clear class: a given one, or one that graph and network agree on.

    `spread` are the classes of the graph, `targets` those that were given, `predicted` those of the
    network, all (n_rows,). None where the network has not learned the given ones yet: it would
    agree about a class or two alone, and learn no other any more.
    """
    given = targets >= 0
    if np.mean(predicted[given] == targets[given]) < LEARNED:
        return None
    return given | (spread == predicted)
