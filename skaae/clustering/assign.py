"""Assigns each component to a class, from few labels and from the affinity of components.

A lone label may lie among rows of another class. So if components merge into as many clusters as
there are classes, of the classes' sizes, each class gets a cluster. Otherwise labels spread.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from skaae.clustering.merge import TINY, affinities, merge_clusters

# The share of its votes that a component passes on in each step of label spreading.
PASSED_ON = 0.95
WEIGHING_STEPS = 100
# Clusters are classes if each differs from its class by at most this share of the class's size, and
# at most this share of the labels is in the clusters of other classes.
UNLIKE, CONTRADICTED = 0.25, 0.25


def assign_components(probabilities, targets, n_classes, proportions=None):
    """Return the class of each of n components, (n,), from their probabilities (n_rows, n).

    targets (n_rows,) are class indices, -1 where unlabeled. There must be at least as many
    components as classes. Labels vote for the class of their components. If the `proportions` of
    the classes are given, (n_classes,), and components form clusters of these sizes, each class
    gets a cluster; see `match_clusters`. Otherwise votes spread; see `spread_votes`.
    """
    labeled = targets >= 0
    votes = probabilities[labeled].T.astype(float) @ np.eye(n_classes)[targets[labeled]]
    if proportions is not None:
        matched = match_clusters(probabilities, votes, proportions)
        if matched is not None:
            return matched
    return spread_votes(probabilities, votes, proportions)


def match_clusters(probabilities, votes, proportions):
    """Return the class of each component if merged components are the classes, otherwise None.

    Components are merged into as many clusters as there are classes. Each class gets the cluster
    that has its votes, (n, n_classes). The clusters are the classes if they have about their
    `proportions`, (n_classes,), and if most votes are in the cluster of their class.
    """
    n_classes = len(proportions)
    clusters = merge_clusters(probabilities, n_classes)
    of_clusters = np.eye(n_classes)[clusters]  # (n, n_clusters)
    _, classes = linear_sum_assignment(-(of_clusters.T @ votes))
    matched = classes[clusters]
    members = np.eye(n_classes)[matched]
    sizes = probabilities.mean(axis=0, dtype=float) @ members
    contradicted = 1.0 - (members * votes).sum() / votes.sum()
    unlike = np.abs(sizes / np.maximum(proportions, TINY) - 1.0).max()
    return matched if unlike <= UNLIKE and contradicted <= CONTRADICTED else None


def spread_votes(probabilities, votes, proportions=None):
    """Return the class of each component, (n,), with the most votes after they have spread.

    They spread over a graph whose nodes are components and whose edges are their squared
    affinities, as those of rows do in label spreading (Zhou et al., 2004). Each class gets at least
    one component. If `proportions` are given, (n_classes,), the votes of each class are weighed so
    that it gets about its share of the rows.
    """
    n_classes = votes.shape[1]
    edges = affinities(probabilities) ** 2
    scale = 1.0 / np.sqrt(np.maximum(edges.sum(axis=1), TINY))
    passed = PASSED_ON * scale[:, None] * edges * scale
    votes = np.linalg.solve(np.eye(len(votes)) - passed, votes)
    if proportions is not None:
        votes = weighed(votes, probabilities.mean(axis=0, dtype=float), proportions)
    classes = votes.argmax(axis=1)
    if len(np.unique(classes)) < n_classes:
        # each class gets the component where fewest votes are lost
        lost = votes.max(axis=1, keepdims=True) - votes
        taken, of = linear_sum_assignment(lost)
        classes[taken] = of
    return classes


def weighed(votes, sizes, proportions):
    """Return votes (n, n_classes) as shares of each component, with a weight for each class.

    The weights make the mean shares those of `proportions` (n_classes,), if the components count by
    their `sizes` (n,). Zhu, Ghahramani and Lafferty (2003) call this class mass normalization.
    """
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), TINY)
    for _ in range(WEIGHING_STEPS):
        shares = shares * np.sqrt(proportions / np.maximum(sizes @ shares, TINY))
        shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), TINY)
    return shares
