"""Initial clusters, found by k-means."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans

# Largest number of values that k-means is fitted on, if X is not a dense array.
MOST_VALUES = 1 << 26
BLOCK_ROWS = 1024


def kmeans_labels(X, n_clusters, seed):
    """Return the cluster of every row of X (n_rows, n_features): an int64 array (n_rows,).

    X may also be an object that returns an array for an index of rows. Then k-means is fitted on
    random rows, as many as fit in memory.
    """
    start = KMeans(min(n_clusters, len(X)), n_init=10, random_state=seed)
    if isinstance(X, np.ndarray):
        return start.fit_predict(X).astype(np.int64)
    n_rows = max(n_clusters, MOST_VALUES // X[:1].shape[1])
    start.fit(X[np.random.default_rng(seed).permutation(len(X))[:n_rows]])
    parts = [start.predict(X[i : i + BLOCK_ROWS]) for i in range(0, len(X), BLOCK_ROWS)]
    return np.concatenate(parts).astype(np.int64)
