"""Which class each component belongs to, by few labels and by the affinity of components."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from skaae.clustering.merge import ClusterTree

# What it costs, in labels, to leave two groups apart: from the first where no row is between them
# to the sum where many are, so that one label against many of its neighbours does not.
APART, BORDER = 0.1, 1.5
VOTES = 0.25  # the fewest, in labels, that can say which class a group is


def assign_components(probabilities, targets, n_classes):
    """Return the class of each component of (n_rows, n) probabilities: (n,), n not below n_classes.

    targets (n_rows,) are the classes of labeled rows, -1 for the others. Components
    are merged down to as many groups as there are classes, or to more where labels ask for that.
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
    """Return the class of each group, (n_groups,), and the number of labels that are against it.

    Each class has at least one group, so that the fewest labels are against it; the other groups
    have the class of most of their labels, or without any that of the group of most affinity.
    """
    counts = groups @ votes
    classes = np.where(counts.sum(axis=1) < VOTES, -1, counts.argmax(axis=1))
    # what a group has most of is free; of two ways as good, the one with more labels in it
    gains = counts - counts.max(axis=1, keepdims=True) + 1e-6 * counts
    taken, of = linear_sum_assignment(gains, maximize=True)
    classes[taken] = of
    known = classes >= 0
    affinity = tree.affinity(groups[~known], groups[known])
    classes[~known] = classes[known][affinity.argmax(axis=1)]
    against = counts.sum() - counts[np.arange(len(groups)), classes].sum()
    return classes, against
