"""Initial clusters, found by k-means, by spectral clustering or by a mixture of Gaussians."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from skaae.clustering.merge import merged_groups
from skaae.neighbours import distinct, drawn, neighbour_graph, normalized, whitening

# Largest number of values that k-means is fitted on, if X is not a dense array.
MOST_VALUES = 1 << 26
BLOCK_ROWS = 1024
N_NEIGHBORS = 10
MOST_DENSE = 100  # nodes of a graph whose eigenvectors are found by a dense method
MOST_ITERATIONS = 400  # for eigenvectors
# With so many clusters, spectral clustering finds small ones and merges them.
MANY_CLUSTERS = 6
SMALL_PER_CLUSTER = 3
ROWS_PER_SMALL = 4
VECTORS_PER_CLUSTER = 1.5
N_STARTS = 3  # of the mixture
KEPT_KMEANS = "kept k-means"  # of "auto": without neighbours, training finds no better clusters
KEPT = ("spectral", "mixture", KEPT_KMEANS)  # clusters that the label keeps
FEW_VALUES = 10
MOST_DEVIATIONS = 3.0  # standard deviations from the mean, in rows for k-means
ROWS_PER_PARAMETER = 3


class InitialClusters(NamedTuple):
    """The clusters that training starts from: what found them, and the cluster of each row."""

    kind: str
    labels: np.ndarray

    def numbered_like(self, predicted):
        """Return the same clusters, numbered like predicted clusters of the rows, (n_rows,)."""
        n_clusters = max(self.labels.max(), predicted.max()) + 1
        together = np.zeros((n_clusters, n_clusters))
        np.add.at(together, (self.labels, predicted), 1.0)
        _, numbers = linear_sum_assignment(-together)
        return self._replace(labels=numbers[self.labels])


def find_initial_clusters(kind, X, n_clusters, seed):
    """Return the first clusters of rows X, found by "k-means", "spectral" or "mixture".

    "auto" chooses by `suitable_init`. Where spectral clustering is impossible, k-means is used,
    and the label keeps these clusters too. X (n_rows, n_features) may be an object that returns an
    array for a slice of rows. Then only k-means is possible.
    """
    dense = isinstance(X, np.ndarray)
    if kind == "auto":
        kind = suitable_init(X, n_clusters, seed) if dense else KEPT_KMEANS
    if kind in ("spectral", "mixture") and not dense:
        raise ValueError(
            f"init={kind!r} needs dense rows, but X is sparse; pass a dense X, or set "
            "init='k-means'."
        )
    if kind == "spectral":
        found = spectral_labels(X, n_clusters, seed)
        if found is not None:
            return InitialClusters("spectral", found)
        kind = KEPT_KMEANS
    if kind == KEPT_KMEANS and dense:
        X = without_extremes(X)
    find = {"k-means": kmeans_labels, KEPT_KMEANS: kmeans_labels, "mixture": mixture_labels}
    return InitialClusters(kind, find[kind](X, n_clusters, seed))


def without_extremes(X):
    """Return rows X (n_rows, n_features) without values far from the mean of their column.

    They are replaced by the farthest allowed value. Otherwise a few rows with extreme values of one
    column can be a cluster of k-means, at the cost of two large ones that become one.
    """
    far = MOST_DEVIATIONS * X.std(axis=0)
    return np.clip(X, X.mean(axis=0) - far, X.mean(axis=0) + far)


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


def spectral_labels(X, n_clusters, seed):
    """Return the cluster of every row of X (n_rows, n_features), as k-means does, or None.

    This is spectral clustering of the graph of nearest neighbours in whitened rows. Rows that are
    the same count once, since a row with many copies would have no other neighbours. None means
    that there are too few different rows.
    """
    rows, _ = distinct(drawn(X, seed))
    if len(rows) <= 2 * n_clusters:
        return None
    basis = whitening(rows, seed)
    rows = rows @ basis
    found = partition(neighbour_graph(rows, N_NEIGHBORS), n_clusters, seed)
    nearest = NearestNeighbors(n_neighbors=1, n_jobs=1).fit(rows)
    places = [
        nearest.kneighbors(X[i : i + BLOCK_ROWS] @ basis, return_distance=False).ravel()
        for i in range(0, len(X), BLOCK_ROWS)
    ]
    return found[np.concatenate(places)]


def partition(graph, n_clusters, seed):
    """Return the cluster of each node of a graph with these affinities, sparse (n_nodes, n_nodes).

    k-means finds clusters among the nodes' entries in the first eigenvectors of the normalised
    graph, scaled to length 1 (Ng, Jordan and Weiss, 2001). Where many clusters are wanted, k-means
    tends to divide one and join two others. So it then finds small clusters, and those with the
    most edges between them, relative to their sizes, are merged. If the graph has as many parts
    without a connection as clusters are wanted, or more, these parts are the small clusters.
    """
    n_parts, found = connected_components(graph, directed=False)
    if n_parts < n_clusters:
        if n_clusters < MANY_CLUSTERS:
            return kmeans_labels(directions(graph, n_clusters, seed), n_clusters, seed)
        n_small = min(SMALL_PER_CLUSTER * n_clusters, graph.shape[0] // ROWS_PER_SMALL)
        rows = directions(graph, math.ceil(VECTORS_PER_CLUSTER * n_clusters), seed)
        with warnings.catch_warnings():  # parts of the graph may have fewer different rows
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = kmeans_labels(rows, max(n_small, n_clusters), seed)
    small = np.eye(found.max() + 1)[:, np.unique(found)][found]  # none is empty
    edges = small.T @ (graph @ small)
    members = merged_groups(edges, edges.sum(axis=1), n_clusters)
    return (small @ members.T).argmax(axis=1)


def directions(graph, n_vectors, seed):
    """Return the nodes' entries in the first eigenvectors of the normalised graph, as directions.

    They are rows of length 1, (n_nodes, n_vectors); 0 for nodes in none of these eigenvectors.
    """
    graph = normalized(graph)
    # each connected part by itself: a solver finds an eigenvalue that several parts share only once
    n_parts, part = connected_components(graph, directed=False)
    found = []
    for k in range(n_parts):
        nodes = np.flatnonzero(part == k)
        values, vectors = eigenvectors(graph[nodes][:, nodes], n_vectors, seed)
        found += [(-value, -len(nodes), k, v) for value, v in zip(values, vectors.T, strict=True)]
    result = np.zeros((graph.shape[0], n_vectors))
    first = sorted(found, key=lambda entry: (round(entry[0], 9), entry[1]))[:n_vectors]
    for column, (_, _, k, vector) in zip(result.T, first, strict=False):
        column[part == k] = vector
    return normalize(result)


def eigenvectors(matrix, n_vectors, seed):
    """Return the largest eigenvalues of a sparse matrix, and their eigenvectors as columns."""
    n = matrix.shape[0]
    if n <= max(MOST_DENSE, 3 * n_vectors):
        values, vectors = np.linalg.eigh(matrix.toarray())
        return values[-n_vectors:], vectors[:, -n_vectors:]
    start = np.random.default_rng(seed).uniform(-1.0, 1.0, n)
    matrix = matrix.tocsc()
    try:
        return eigsh(matrix, k=n_vectors, which="LA", v0=start, maxiter=MOST_ITERATIONS)
    except ArpackNoConvergence:  # rows along a line: eigenvalues crowd at 1, but factors are sparse
        return eigsh(matrix, k=n_vectors, sigma=1.0001, which="LM", v0=start)


def mixture_labels(X, n_clusters, seed):
    """Return the cluster of every row of X (n_rows, n_features), as k-means does.

    The clusters are the components of a mixture of Gaussians with covariances of their own.
    """
    return mixture(drawn(X, seed), n_clusters, seed).predict(X.astype(float)).astype(np.int64)


def mixture(X, n_components, seed):
    """Return a mixture of at most n_components Gaussians fitted on rows X."""
    X = X.astype(float)
    model = GaussianMixture(
        min(n_components, len(X)),
        n_init=N_STARTS,
        reg_covar=max(1e-4 * X.var(axis=0).mean(), 1e-12),
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X)


def suitable_init(X, n_clusters, seed):
    """Return what suits rows X: "mixture", "spectral" or KEPT_KMEANS.

    KEPT_KMEANS: half of the columns or more have few values, as flags and categories have; columns
    of one value do not count. Most rows then have no neighbours but rows that differ in one flag.
    "mixture": there are enough rows to estimate as many Gaussians as clusters, and twice or four
    times as many are no better by the Bayesian information criterion. "spectral": otherwise, since
    clusters may have any shape. (Two Gaussians do not show the shape of a ring, but four do.)
    """
    X = drawn(X, seed)
    if len(X) <= 2 * n_clusters:
        return KEPT_KMEANS
    n_values = np.array([len(np.unique(column)) for column in X.T])
    if 2 * np.sum(n_values > FEW_VALUES) <= np.sum(n_values > 1):
        return KEPT_KMEANS
    n_features = X.shape[1]
    n_parameters = n_clusters * (n_features + 1) * (n_features + 2) // 2
    if len(X) < ROWS_PER_PARAMETER * n_parameters:
        return "spectral"
    few, *many = (criterion_of_mixture(X, factor * n_clusters, seed) for factor in (1, 2, 4))
    return "mixture" if math.isfinite(few) and few <= min(many) else "spectral"


def criterion_of_mixture(X, n_components, seed):
    """Return the Bayesian information criterion of a mixture, infinite if it cannot be fitted."""
    try:
        return mixture(X, n_components, seed).bic(X)
    except ValueError:  # of columns that depend on each other
        return math.inf
