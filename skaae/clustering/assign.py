"""Assigns each component to a class, from few labels and from the affinity of components."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from skaae.clustering.merge import TINY, affinities

# The share of its votes that a component passes on in each step of label spreading.
PASSED_ON = 0.95


def assign_components(probabilities, targets, n_classes):
    """Return the class of each of n components, (n,), from their probabilities (n_rows, n).

    targets (n_rows,) are class indices, -1 where unlabeled. There must be at least as many
    components as classes. Labels vote for the class of their components. The votes spread over a
    graph whose nodes are components and whose edges are their squared affinities, as those of rows
    do in label spreading (Zhou et al., 2004). Each component gets the class with the most votes,
    and each class at least one component.
    """
    labeled = targets >= 0
    votes = probabilities[labeled].T.astype(float) @ np.eye(n_classes)[targets[labeled]]
    edges = affinities(probabilities) ** 2
    scale = 1.0 / np.sqrt(np.maximum(edges.sum(axis=1), TINY))
    passed = PASSED_ON * scale[:, None] * edges * scale
    votes = np.linalg.solve(np.eye(len(votes)) - passed, votes)
    classes = votes.argmax(axis=1)
    if len(np.unique(classes)) < n_classes:
        # each class gets the component where fewest votes are lost
        lost = votes.max(axis=1, keepdims=True) - votes
        taken, of = linear_sum_assignment(lost)
        classes[taken] = of
    return classes
