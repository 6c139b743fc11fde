"""Merges clusters pair by pair, first those with many rows on the border between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
from scipy.special import softmax

TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class MergedClusters:
    """The trained components that make up each cluster.

    Parameters
    ----------
    components : (n_in_use,) index in the label of each component in use.
    clusters : (n_in_use,) cluster of each component in use, numbered from 0 without gaps.
    proportions : (n_in_use,) proportion of rows in each component in use, summing to 1.
    """

    components: np.ndarray
    clusters: np.ndarray
    proportions: np.ndarray

    @property
    def n_clusters(self):
        """Number of clusters."""
        return int(self.clusters.max()) + 1

    def members(self):
        """Return whether each component in use belongs to each cluster, (n_clusters, n_in_use)."""
        return np.equal.outer(np.arange(self.n_clusters), self.clusters)

    def probabilities(self, logits):
        """Return the probabilities of clusters, (n_rows, n_clusters), from all logits of rows."""
        found = softmax(logits[:, self.components], axis=1)
        return found @ self.members().T.astype(logits.dtype)

    def cluster_proportions(self):
        """Return the proportion of each cluster, (n_clusters,)."""
        return self.members() @ self.proportions

    def component_proportions(self, n_components):
        """Return the proportion of rows in each component, (n_clusters, n_components).

        In the row of a cluster, entries are 0 for components of other clusters.
        """
        proportions = np.zeros((self.n_clusters, n_components))
        proportions[:, self.components] = self.members() * self.proportions
        return proportions


def merge_components(logits, n_clusters, components=None):
    """Merge components into n_clusters, using the logits (n_rows, n_components) of rows.

    If `components` are given, exactly these are in use, in this order. Otherwise components and
    clusters without a row are dropped.
    """
    if components is not None:
        return _merge(logits, n_clusters, components)
    components = np.unique(logits.argmax(axis=1))
    while True:
        merged = _merge(logits, n_clusters, components)
        found = np.unique(merged.probabilities(logits).argmax(axis=1))
        if len(found) == merged.n_clusters:
            return merged
        # drop the components of clusters that are no row's most probable cluster
        components = components[np.isin(merged.clusters, found)]


def _merge(logits, n_clusters, components):
    """Return the given components merged into n_clusters."""
    probabilities = softmax(logits[:, components], axis=1)
    sizes = probabilities.mean(axis=0, dtype=float) + np.finfo(float).eps  # none is 0
    clusters = merge_clusters(probabilities, n_clusters)
    return MergedClusters(components, clusters, sizes / sizes.sum())


def merge_clusters(probabilities, n_clusters):
    """Return the merged cluster, from 0 to n_clusters - 1, of each of n clusters: (n,).

    probabilities (n_rows, n) are those of the n clusters for rows. Merged clusters are numbered in
    the order of their first members. Some clusters are not the most probable one of any row. They
    take no part in the merging: each joins the merged cluster of the highest affinity to it.
    """
    n = probabilities.shape[1]
    if n <= n_clusters:
        return np.arange(n)
    sizes, together = shares(probabilities)
    n_won = np.bincount(probabilities.argmax(axis=1), minlength=n)
    by_size = np.lexsort((-sizes, -n_won))
    merged = by_size[: max(n_clusters, np.count_nonzero(n_won))]
    groups = np.zeros((n_clusters, n))
    groups[:, merged] = merged_groups(together[np.ix_(merged, merged)], sizes[merged], n_clusters)
    affinity = (groups @ together) / np.maximum(np.outer(groups @ sizes, sizes), TINY)
    found = np.where(groups.any(axis=0), groups.argmax(axis=0), affinity.argmax(axis=0))
    _, first, found = np.unique(found, return_index=True, return_inverse=True)
    return first.argsort().argsort()[found]


def affinities(probabilities):
    """Return the affinities (n, n) of n clusters, from their probabilities (n_rows, n) for rows.

    An affinity is the joint probability of two clusters over the product of their sizes, which it
    would equal if the clusters were independent.
    """
    sizes, together = shares(probabilities)
    return together / np.maximum(np.outer(sizes, sizes), TINY)


def shares(probabilities):
    """Return the sizes (n,) and joint probabilities (n, n) of clusters, from those of rows."""
    together = probabilities.T.astype(float) @ probabilities / len(probabilities)
    return probabilities.mean(axis=0, dtype=float), together


def merged_groups(together, sizes, n_groups):
    """Return whether each of n clusters belongs to each group, 0 or 1, (n_groups, n).

    Two clusters after the other are merged, until n_groups are left, as in `pairs_to_merge`. With
    fewer clusters than that, each is a group.
    """
    members = list(np.eye(len(sizes)))
    for one, other in islice(pairs_to_merge(together, sizes), max(len(sizes) - n_groups, 0)):
        members[one] += members.pop(other)
    return np.array(members)


def largest_components(proportions):
    """Return a one-hot row for the largest component of each class or cluster.

    Both arrays are (n_classes, n_components).
    """
    return np.eye(proportions.shape[1])[proportions.argmax(axis=1)]


def pairs_to_merge(together, sizes):
    """Yield which two clusters to merge next, until one is left.

    `together` (n, n) are joint probabilities of clusters, or edges between them in a graph; `sizes`
    (n,) are their sums over rows. The first of the two, which has the lower number, takes the rows
    of the other. The clusters after the other then move up by one. If no two clusters have anything
    in common, the smallest are merged.
    """
    while len(sizes) > 1:
        affinity = together / np.maximum(np.outer(sizes, sizes), TINY)
        np.fill_diagonal(affinity, -np.inf)
        one, other = divmod(int(affinity.argmax()), len(sizes))
        if affinity[one, other] <= 0.0:
            one, other = np.argsort(sizes, kind="stable")[:2].tolist()
        one, other = min(one, other), max(one, other)
        yield one, other
        for table in (sizes, together, together.T):
            table[one] += table[other]
        sizes = np.delete(sizes, other)
        together = np.delete(np.delete(together, other, axis=0), other, axis=1)
