"""Clusters that are merged two by two, across borders with many rows on them."""

from __future__ import annotations

import numpy as np

TINY = np.finfo(float).tiny


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
