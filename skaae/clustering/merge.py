"""Clusters that are merged two by two, across borders with many rows on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class MergedClusters:
    """Which trained components make up which cluster.

    Parameters
    ----------
    components : (n_in_use,) indices of components, as the label has them.
    clusters : (n_in_use,) the cluster of each, from 0 on without gaps.
    proportions : (n_in_use,) of rows in each component, summing to 1.
    """

    components: np.ndarray
    clusters: np.ndarray
    proportions: np.ndarray

    @property
    def n_clusters(self):
        """Number of clusters."""
        return int(self.clusters.max()) + 1

    def members(self):
        """Return which components in use belong to which cluster, (n_clusters, n_in_use)."""
        return np.equal.outer(np.arange(self.n_clusters), self.clusters)

    def probabilities(self, logits):
        """Return those of clusters, (n_rows, n_clusters), from logits of all components."""
        found = softmax(logits[:, self.components], axis=1)
        return found @ self.members().T.astype(logits.dtype)

    def cluster_proportions(self):
        """Return the proportion of each cluster, (n_clusters,)."""
        return self.members() @ self.proportions

    def parts(self, n_components):
        """Return the proportion of all components in each cluster, (n_clusters, n_components)."""
        parts = np.zeros((self.n_clusters, n_components))
        parts[:, self.components] = self.members() * self.proportions
        return parts


def merge_components(logits, n_clusters, components=None):
    """Return components merged into n_clusters by the logits (n_rows, n_components) of rows.

    Where `components` are given, all of them are in use, in that order. Else clusters without a row
    are left out.
    """
    if components is not None:
        return _merge(logits, n_clusters, components)
    components = np.unique(logits.argmax(axis=1))
    while True:
        merged = _merge(logits, n_clusters, components)
        found = np.unique(merged.probabilities(logits).argmax(axis=1))
        if len(found) == merged.n_clusters:
            return merged
        # parts that lose all of their rows to the sum of a merged cluster
        components = components[np.isin(merged.clusters, found)]


def _merge(logits, n_clusters, components):
    """Return the given components merged into n_clusters."""
    probabilities = softmax(logits[:, components], axis=1)
    sizes = probabilities.mean(axis=0, dtype=float) + np.finfo(float).eps  # none is 0
    clusters = merge_clusters(probabilities, n_clusters)
    return MergedClusters(components, clusters, sizes / sizes.sum())


def merge_clusters(probabilities, n_clusters):
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
    """Clusters that are merged two by two, those of the most affinity first.

    Two clusters have affinity where rows are unsure between them more often than their sizes let
    expect: across a border with many rows on it. Clusters without a row to themselves do not count.

    Parameters
    ----------
    probabilities : (n_rows, n) of clusters.
    at_least : number of clusters to merge, though they be without a row.

    Attributes
    ----------
    groups : (n_nodes, n) memberships: single clusters, then merged ones, in that order.
    children : pairs of nodes that were merged, in that order.
    affinities : affinity of the two, for each pair.
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
        self.children, self.affinities = [], []
        # of those that are not merged yet: their nodes, shares and common rows
        nodes, shares = list(range(self.n_single)), self.shares[single]
        together = self.together[np.ix_(single, single)]
        while len(nodes) > 1:
            affinity = together / np.maximum(np.outer(shares, shares), TINY)
            np.fill_diagonal(affinity, -np.inf)
            one, other = divmod(int(affinity.argmax()), len(nodes))
            self.children.append((nodes[one], nodes[other]))
            self.affinities.append(affinity[one, other])
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
        n_merged = max(self.n_single - n_groups, 0)
        merged = {node for pair in self.children[:n_merged] for node in pair}
        return [node for node in range(self.n_single + n_merged) if node not in merged]

    def nearest(self, groups):
        """Return the group of each cluster, (n,): its own, or that of most affinity."""
        affinity = self.affinity(groups, np.eye(groups.shape[1]))
        return np.where(groups.any(axis=0), groups.argmax(axis=0), affinity.argmax(axis=0))

    def affinity(self, groups, others):
        """Return how often rows are in both of two groups, by what their sizes let expect.

        Groups and others are (n_groups, n) memberships.
        """
        expected = np.outer(groups @ self.shares, others @ self.shares)
        return (groups @ self.together @ others.T) / np.maximum(expected, TINY)
