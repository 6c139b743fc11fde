"""Pseudo-labels: classes that a graph of neighbours and a network agree on.

The two make mistakes on different rows, so few rows are wrong where both agree. A graph alone would
teach the network its mistakes, which are many on tables whose columns are mostly noise.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.semi_supervised import LabelSpreading

UNSURE = -1  # in place of a class
N_NEIGHBORS = 7
SURE_FRACTION = 0.8  # of the rows: those that the graph is surest of
LEARNED = 0.9  # fraction of the given labels that the network has to predict first
MAX_ROWS = 20_000  # for "auto", since time and memory of the graph grow with their square


def graph_labels(X, targets):
    """Return the class of every row by a graph of neighbours, UNSURE where it is least sure.

    X (n_rows, n_features) are scaled rows, targets (n_rows,) class indices, -1 where unlabeled.
    """
    graph = LabelSpreading(kernel="knn", n_neighbors=min(N_NEIGHBORS, len(X) - 1))
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        graph.fit(X, targets)  # a row that no label reaches gets 0 / 0
    sureness = np.nan_to_num(graph.label_distributions_.max(axis=1))
    sure = (sureness > 0.0) & (sureness >= np.quantile(sureness, 1.0 - SURE_FRACTION))
    return np.where(sure, graph.transduction_, UNSURE)


def clear_rows(by_graph, targets, predicted):
    """Return which rows have a clear class: a given one, or one that graph and network agree on.

    All arguments are classes, (n_rows,): those of the graph, the given ones (-1 where there is
    none) and those of the network. Returns None if the network has not learned the given classes
    yet. It may then predict a class or two only, and would never learn the others.
    """
    given = targets >= 0
    if np.mean(predicted[given] == targets[given]) < LEARNED:
        return None
    return given | (by_graph == predicted)
