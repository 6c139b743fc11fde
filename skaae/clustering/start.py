"""Initial clusters, found by k-means."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans


def kmeans_labels(X, n_clusters, seed):
    """Return the cluster of every row of X (n_rows, n_features): an int64 array (n_rows,)."""
    start = KMeans(min(n_clusters, len(X)), n_init=10, random_state=seed)
    return start.fit_predict(X).astype(np.int64)
