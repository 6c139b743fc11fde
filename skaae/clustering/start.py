"""Clusters to start from: those of k-means."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans


def kmeans_labels(X, n_clusters, seed):
    """Return a cluster for every row of X (n_rows, n_features): int64 array of shape (n_rows,)."""
    start = KMeans(min(n_clusters, len(X)), n_init=10, random_state=seed)
    return start.fit_predict(X).astype(np.int64)
