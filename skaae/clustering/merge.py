"""Merges clusters two by two, across borders with many rows on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class MergedClusters:
    """The trained components that make up each cluster.

    Parameters
    ----------
    components : (n_in_use,) indices of components in the label.
    clusters : (n_in_use,) the cluster of each component, from 0 on without gaps.
    proportions : (n_in_use,) proportion of rows in each component, summing to 1.
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
        """Return probabilities of clusters (n_rows, n_clusters), from logits of all components."""
        found = softmax(logits[:, self.components], axis=1)
        return found @ self.members().T.astype(logits.dtype)

    def cluster_proportions(self):
        """Return the proportion of each cluster, (n_clusters,)."""
        return self.members() @ self.proportions

    def component_proportions(self, n_components):
        """Return the proportion of rows in each component of a cluster, (n_clusters, n_components).

        Entries are 0 for components of other clusters.
        """
        proportions = np.zeros((self.n_clusters, n_components))
        proportions[:, self.components] = self.members() * self.proportions
        return proportions


def merge_components(logits, n_clusters, components=None):
    """Return components merged into n_clusters by the logits (n_rows, n_components) of rows.

    If `components` are given, all of them are in use, in that order. If not, clusters without a row
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
        # drop components whose rows all prefer the sum over the components of another cluster
        components = components[np.isin(merged.clusters, found)]


def _merge(logits, n_clusters, components):
    """Return the given components merged into n_clusters."""
    probabilities = softmax(logits[:, components], axis=1)
    sizes = probabilities.mean(axis=0, dtype=float) + np.finfo(float).eps  # none is 0
    clusters = merge_clusters(probabilities, n_clusters)
    return MergedClusters(components, clusters, sizes / sizes.sum())


def merge_clusters(probabilities, n_clusters):
    """Return which of `n_clusters` each of n clusters is merged into, (n,).

    probabilities (n_rows, n) are those of rows. Merged clusters are numbered in the order of their
    first members.
    """
    n = probabilities.shape[1]
    if n <= n_clusters:
        return np.arange(n)
    tree = ClusterTree(probabilities, at_least=n_clusters)
    found = tree.nearest(tree.groups[tree.cut(n_clusters)])
    _, first, found = np.unique(found, return_index=True, return_inverse=True)
    return first.argsort().argsort()[found]


class ClusterTree:
    """Clusters that are merged two by two, the pair with the highest affinity first.

    The affinity of two clusters counts the rows that are unsure between them, relative to the
    clusters' sizes. It is high across a border with many rows on it. Clusters that are no row's
    most probable one are left out.

    Parameters
    ----------
    probabilities : (n_rows, n) of clusters.
    at_least : number of clusters to keep, even if they have no row.

    Attributes
    ----------
    sizes : (n,) mean probability of each cluster.
    groups : (n_nodes, n) memberships: single clusters, then merged ones in the order of merging.
    children : pairs of nodes in the order of merging.
    affinities : affinity of each of these pairs.
    """

    def __init__(self, probabilities, at_least=1):
        n = probabilities.shape[1]
        self.sizes = probabilities.mean(axis=0, dtype=float)
        self.together = probabilities.T.astype(float) @ probabilities / len(probabilities)
        n_won = np.bincount(probabilities.argmax(axis=1), minlength=n)
        by_size = np.lexsort((-self.sizes, -n_won))
        single = by_size[: max(at_least, np.count_nonzero(n_won))]
        groups = list(np.eye(n)[single])
        self.n_single = len(groups)
        self.children, self.affinities = [], []
        # nodes, sizes and common rows of the clusters that are not merged yet
        nodes, sizes = list(range(self.n_single)), self.sizes[single]
        together = self.together[np.ix_(single, single)]
        while len(nodes) > 1:
            affinity = together / np.maximum(np.outer(sizes, sizes), TINY)
            np.fill_diagonal(affinity, -np.inf)
            one, other = divmod(int(affinity.argmax()), len(nodes))
            self.children.append((nodes[one], nodes[other]))
            self.affinities.append(affinity[one, other])
            groups.append(groups[nodes[one]] + groups[nodes[other]])
            nodes[one] = len(groups) - 1
            for table in (sizes, together, together.T):
                table[one] += table[other]
            del nodes[other]
            sizes = np.delete(sizes, other)
            together = np.delete(np.delete(together, other, axis=0), other, axis=1)
        self.groups = np.array(groups)

    def cut(self, n_groups):
        """Return the nodes that are left once merging has come down to n_groups."""
        n_merged = max(self.n_single - n_groups, 0)
        merged = {node for pair in self.children[:n_merged] for node in pair}
        return [node for node in range(self.n_single + n_merged) if node not in merged]

    def nearest(self, groups):
        """Return the group of each cluster, (n,): its own, or that of the highest affinity."""
        affinity = self.affinity(groups, np.eye(groups.shape[1]))
        return np.where(groups.any(axis=0), groups.argmax(axis=0), affinity.argmax(axis=0))

    def affinity(self, groups, others):
        """Return affinities of groups and others, (n_groups, n_others); both are memberships.

        Each is how often rows are in both, over how often they would be by chance.
        """
        expected = np.outer(groups @ self.sizes, others @ self.sizes)
        return (groups @ self.together @ others.T) / np.maximum(expected, TINY)
