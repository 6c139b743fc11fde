"""Clusters before and after training: taught by k-means as a start, joined in the end."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.utils._param_validation import StrOptions

from skaae import _parameters
from skaae._labels import UNLABELED
from skaae._training import Stream

INIT = [StrOptions({"k-means", "random"})]
TINY = np.finfo(float).tiny
# What it costs, in labels, to leave two groups apart: from the first where no row is between them
# to the sum where many are, so that one label against many of its neighbours does not.
APART, BORDER = 0.1, 1.5
VOTES = 0.25  # the fewest, in labels, that can name a group


class StartsFromKMeans:
    """Teaches the label part of the code the clusters of k-means, for the first half of training.

    A categorical part that is left to itself from the beginning finds other clusters with every
    seed, and often few of them.
    """

    def _streams(self, x, codes, rows):
        """Return the rows of an epoch; beside them, at first, rows with their k-means cluster."""
        streams = super()._streams(x, codes, rows)
        if codes is not None or self.init == "random" or self.n_iter_:
            return streams
        index = streams[0].rows
        n_epochs = _parameters.epochs(self.max_iter, len(index), self._batch_size(streams)) // 2
        n_clusters = min(self._recipe.n_classes, len(index))
        start = KMeans(n_clusters, n_init=10, random_state=self._recipe.seed)
        found = start.fit_predict(x[index.to(x.device)].cpu().numpy())
        y = torch.zeros(len(x), dtype=torch.int64, device=index.device)
        y[index] = torch.from_numpy(found).to(index.device, torch.int64)
        streams.append(Stream({"x_labeled": x, "y_labeled": y}, index, n_epochs=max(1, n_epochs)))
        return streams


def join_clusters(probabilities, n_clusters):
    """Return which of `n_clusters` each cluster of (n_rows, n) probabilities belongs to: (n,).

    Numbers follow the first member of each.
    """
    n = probabilities.shape[1]
    if n <= n_clusters:
        return np.arange(n)
    tree = ClusterTree(probabilities, at_least=n_clusters)
    found = tree.nearest(tree.groups[tree.cut(n_clusters)])
    _, first, found = np.unique(found, return_index=True, return_inverse=True)
    return first.argsort().argsort()[found]


def name_clusters(probabilities, codes, n_classes):
    """Return the class of each cluster of (n_rows, n) probabilities: (n,), n not below n_classes.

    codes (n_rows,) are the classes of labeled rows, UNLABELED for the others. Clusters are joined
    down to as many groups as there are classes, or to more where labels ask for that.
    """
    labeled = codes != UNLABELED
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


class ClusterTree:
    """Clusters that are joined two by two, the most alike first.

    Clusters are alike where rows are unsure between them more often than their sizes let expect:
    across a border with many rows on it. Those without a row to themselves have no say in that.

    Parameters
    ----------
    probabilities : (n_rows, n) of clusters.
    at_least : number of clusters to join, though they be without a row.

    Attributes
    ----------
    groups : (n_nodes, n) memberships: single clusters, then those that are joined, in that order.
    children : pairs of nodes that were joined, a row for each joint.
    likeness : how much alike the two were, for each joint.
    """

    def __init__(self, probabilities, at_least=1):
        n = probabilities.shape[1]
        self.shares = probabilities.mean(axis=0, dtype=float)
        self.together = probabilities.T.astype(float) @ probabilities / len(probabilities)
        n_won = np.bincount(probabilities.argmax(axis=1), minlength=n)
        by_size = np.lexsort((-self.shares, -n_won))
        single = by_size[: max(at_least, np.count_nonzero(n_won))]
        groups = list(np.eye(n)[single])
        self.n_single = len(groups)
        self.children, self.likeness = [], []
        # of those that are not joined yet: their nodes, shares and common rows
        nodes, shares = list(range(self.n_single)), self.shares[single]
        together = self.together[np.ix_(single, single)]
        while len(nodes) > 1:
            alike = together / np.maximum(np.outer(shares, shares), TINY)
            np.fill_diagonal(alike, -np.inf)
            one, other = divmod(int(alike.argmax()), len(nodes))
            self.children.append((nodes[one], nodes[other]))
            self.likeness.append(alike[one, other])
            groups.append(groups[nodes[one]] + groups[nodes[other]])
            nodes[one] = len(groups) - 1
            for table in (shares, together, together.T):
                table[one] += table[other]
            del nodes[other]
            shares = np.delete(shares, other)
            together = np.delete(np.delete(together, other, axis=0), other, axis=1)
        self.groups = np.array(groups)

    def cut(self, n_groups):
        """Return the nodes that are left when that many are."""
        n_joined = max(self.n_single - n_groups, 0)
        joined = {node for pair in self.children[:n_joined] for node in pair}
        return [node for node in range(self.n_single + n_joined) if node not in joined]

    def nearest(self, groups):
        """Return the group of each cluster: its own, or of one without, that most like it: (n,)."""
        alike = self.alike(groups, np.eye(groups.shape[1]))
        return np.where(groups.any(axis=0), groups.argmax(axis=0), alike.argmax(axis=0))

    def alike(self, groups, others):
        """Return how often rows are in both of two groups, by what their sizes let expect.

        Groups and others are (n_groups, n) memberships.
        """
        expected = np.outer(groups @ self.shares, others @ self.shares)
        return (groups @ self.together @ others.T) / np.maximum(expected, TINY)
