"""Clusters from k-means as a start for estimators that look for clusters of their own."""

from __future__ import annotations

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
        n_clusters = min(self.n_clusters, len(index))
        start = KMeans(n_clusters, n_init=10, random_state=self._recipe.seed)
        found = start.fit_predict(x[index.to(x.device)].cpu().numpy())
        y = torch.zeros(len(x), dtype=torch.int64, device=index.device)
        y[index] = torch.from_numpy(found).to(index.device, torch.int64)
        streams.append(Stream({"x_labeled": x, "y_labeled": y}, index, n_epochs=max(1, n_epochs)))
        return streams
