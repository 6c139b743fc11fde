"""Assigns each component to a class, from few labels and from the affinity of components."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from skaae.clustering.merge import ClusterTree

# The cost of leaving two groups unmerged, counted in labels: APART if no row is unsure between the
# groups, up to APART + BORDER if many rows are. So one label does not outweigh many unsure rows.
APART, BORDER = 0.1, 1.5
VOTES = 0.25  # a group with fewer labels than this gets the class of another group


def assign_components(probabilities, targets, n_classes):
    """Return the class of each of n components, (n,), from their probabilities (n_rows, n).

    targets (n_rows,) are class indices, -1 where unlabeled. There must be at least as many
    components as classes. Components are merged into groups, one for each class. There are more
    groups if fewer labels then contradict the class of their group.
    """
    labeled = targets >= 0
    votes = probabilities[labeled].T.astype(float) @ np.eye(n_classes)[targets[labeled]]
    tree = ClusterTree(probabilities, at_least=n_classes)
    least, price, found = np.inf, 0.0, None
    for n_groups in range(n_classes, tree.n_single + 1):
        if n_groups > n_classes:
            affinity = tree.affinities[tree.n_single - n_groups]
            price += APART + BORDER * affinity / (1.0 + affinity)
        if price >= least:
            break
        groups = tree.groups[tree.cut(n_groups)]
        classes, n_against = assign_groups(tree, groups, votes)
        if n_against + price < least:
            least, found = n_against + price, classes[tree.nearest(groups)]
    return found


def assign_groups(tree, groups, votes):
    """Return the class of each group, (n_groups,), and the number of labels that contradict them.

    Each class gets one group, chosen so that the fewest labels contradict the assignment. Every
    other group gets the class of most of its labels. If it has no labels, it gets the class of the
    group with which it has the highest affinity.
    """
    counts = groups @ votes
    classes = np.where(counts.sum(axis=1) < VOTES, -1, counts.argmax(axis=1))
    # a group's most frequent class costs nothing; in a tie, the group with more labels is chosen
    gains = counts - counts.max(axis=1, keepdims=True) + 1e-6 * counts
    taken, of = linear_sum_assignment(gains, maximize=True)
    classes[taken] = of
    known = classes >= 0
    affinity = tree.affinity(groups[~known], groups[known])
    classes[~known] = classes[known][affinity.argmax(axis=1)]
    against = counts.sum() - counts[np.arange(len(groups)), classes].sum()
    return classes, against
