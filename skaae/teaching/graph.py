"""Labels spread over a graph of nearest neighbours, from any number of sets of labels at once."""

from __future__ import annotations

from skaae.neighbours import neighbour_graph, normalized

N_NEIGHBORS = 7
RETAINED = 0.95  # share of its label that a row takes from its neighbours in each iteration
N_ITERATIONS = 100
UNREACHED = 1e-3  # times the mean mass of a label: weight of the labels' proportions in each row


def normalized_graph(X):
    """Return the normalised graph of nearest neighbours of rows X, sparse (n_rows, n_rows)."""
    return normalized(neighbour_graph(X, N_NEIGHBORS))


def spread_labels(graph, labels):
    """Return class probabilities of all rows, (n_rows, n_classes), from the labels of some rows.

    The graph is normalised, so that spreading with `RETAINED` < 1 converges. labels (n_rows,
    n_classes) are the numbers of labels of each class that a row has. The probabilities are those
    of `sklearn.semi_supervised.LabelSpreading`, but rows that no label reaches have the proportions
    of the labels.
    """
    mass = labels.copy()
    for _ in range(N_ITERATIONS):
        mass = RETAINED * (graph @ mass) + labels
    typical = mass[mass > 0.0].mean()
    mass += UNREACHED * typical * labels.sum(axis=0) / labels.sum()
    return mass / mass.sum(axis=1, keepdims=True)
