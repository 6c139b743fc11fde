"""Assigns each component to a class, from few labels and from the affinity of components."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from skaae.clustering.merge import TINY, affinities

# The share of its votes that a component passes on in each step of label spreading.
PASSED_ON = 0.95
WEIGHING_STEPS = 100


def assign_components(probabilities, targets, n_classes, proportions=None):
    """Return the class of each of n components, (n,), from their probabilities (n_rows, n).

    targets (n_rows,) are class indices, -1 where unlabeled. There must be at least as many
    components as classes. Labels vote for the class of their components. The votes spread over a
    graph whose nodes are components and whose edges are their squared affinities, as those of rows
    do in label spreading (Zhou et al., 2004). Each component gets the class with the most votes,
    and each class at least one component. If the `proportions` of the classes are given,
    (n_classes,), the votes of each class are weighed so that it gets about its share of the rows.
    """
    labeled = targets >= 0
    votes = probabilities[labeled].T.astype(float) @ np.eye(n_classes)[targets[labeled]]
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
