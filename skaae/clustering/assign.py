"""Which class each cluster belongs to, by few labels and by which clusters are alike."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from skaae.clustering.merge import ClusterTree

# What it costs, in labels, to leave two groups apart: from the first where no row is between them
# to the sum where many are, so that one label against many of its neighbours does not.
APART, BORDER = 0.1, 1.5
VOTES = 0.25  # the fewest, in labels, that can name a group


def name_clusters(probabilities, codes, n_classes):
    """Return the class of each cluster of (n_rows, n) probabilities: (n,), n not below n_classes.

    codes (n_rows,) are the classes of labeled rows, -1 for the others. Clusters are joined
    down to as many groups as there are classes, or to more where labels ask for that.
    """
    labeled = codes >= 0
    votes = probabilities[labeled].T.astype(float) @ np.eye(n_classes)[codes[labeled]]
    tree = ClusterTree(probabilities, at_least=n_classes)
    least, price, found = np.inf, 0.0, None
    for n_groups in range(n_classes, tree.n_single + 1):
        if n_groups > n_classes:
            alike = tree.likeness[tree.n_single - n_groups]
            price += APART + BORDER * alike / (1.0 + alike)
        if price >= least:
            break
        groups = tree.groups[tree.cut(n_groups)]
        classes, n_against = name_groups(tree, groups, votes)
        if n_against + price < least:
            least, found = n_against + price, classes[tree.nearest(groups)]
    return found


def name_groups(tree, groups, votes):
    """Return the class of each group, (n_groups,), and the number of labels that are against it.

    Each class has at least one group, so that the fewest labels are against it; the other groups
    have the class of most of their labels, or without any that of the group most like them.
    """
    counts = groups @ votes
    classes = np.where(counts.sum(axis=1) < VOTES, -1, counts.argmax(axis=1))
    # what a group has most of is free; of two ways as good, the one with more labels in it
    gains = counts - counts.max(axis=1, keepdims=True) + 1e-6 * counts
    taken, of = linear_sum_assignment(gains, maximize=True)
    classes[taken] = of
    named = classes >= 0
    alike = tree.alike(groups[~named], groups[named])
    classes[~named] = classes[named][alike.argmax(axis=1)]
    against = counts.sum() - counts[np.arange(len(groups)), classes].sum()
    return classes, against
