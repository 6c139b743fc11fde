"""Clusters before and after training: taught by k-means as a start, joined in the end."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.utils._param_validation import StrOptions

from skaae import _parameters
from skaae._training import Stream

INIT = [StrOptions({"k-means", "random"})]


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

    Clusters are alike where rows are unsure between them more often than their sizes let expect:
    across a border with many rows on it. The two most alike are joined until few enough are left.
    Clusters without a row to themselves have no say in that, and come to the one most like them.
    Numbers follow the first member of each.
    """
    n = probabilities.shape[1]
    if n <= n_clusters:
        return np.arange(n)
    shares = probabilities.mean(axis=0, dtype=float)
    together = probabilities.T.astype(float) @ probabilities / len(probabilities)
    n_won = np.bincount(probabilities.argmax(axis=1), minlength=n)
    by_size = np.lexsort((-shares, -n_won))
    groups = np.eye(n)[by_size[: max(n_clusters, np.count_nonzero(n_won))]]  # (n_groups, n)
    while len(groups) > n_clusters:
        alike = likeness(groups, together, shares)
        np.fill_diagonal(alike, -np.inf)
        one, other = divmod(int(alike.argmax()), len(groups))
        groups[one] += groups[other]
        groups = np.delete(groups, other, axis=0)
    alike = likeness(groups, together, shares, np.eye(n))
    found = np.where(groups.any(axis=0), groups.argmax(axis=0), alike.argmax(axis=0))
    _, first, found = np.unique(found, return_index=True, return_inverse=True)
    return first.argsort().argsort()[found]


def likeness(groups, together, shares, others=None):
    """Return how often rows are in both of two groups, by what their sizes let expect.

    Groups and others are (n_groups, n) memberships; the others are the groups where not given.
    """
    others = groups if others is None else others
    expected = np.outer(groups @ shares, others @ shares)
    return (groups @ together @ others.T) / np.maximum(expected, np.finfo(float).tiny)
