"""Neighbours of rows: a metric in which they count, the graph that connects them, and how far off
the neighbours of a new row are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh
from sklearn.neighbors import NearestNeighbors

# Neighbours of a row whose differences from it tell how rows of one group differ.
N_IN_GROUP = 10
# With this many columns the covariance in groups is shrunk half way to a multiple of the identity.
HALF_SHRUNK = 50
MAX_COLUMNS = 1000  # the time of whitening grows with their cube
MOST_ROWS = 5_000  # that neighbours, spectral clustering and mixtures are computed for
# A neighbourhood should have at most so many rows. The neighbours of a row are a tenth of them.
MOST_KEPT = 2_000
SHARE_OF_NEIGHBOURS = 0.1
LEAST_NEIGHBOURS = 5
# Its covariance is shrunk by so much to a multiple of the identity.
SHRINKAGE = 0.25
# A row this close, relative to the mean distance, is a copy: the distance is a rounding error.
COPY = 1e-3
# Smaller distances, in units of the metric and for one column, come from rounding.
NEGLIGIBLE = 1e-4
# Smallest variance that columns, in scaled units, are taken to have on average.
LEAST_VARIANCE = 1e-6
LEAST_AFFINITY = np.exp(-10.0)  # of neighbours, so that an outlier stays connected


def nearest(X, n_neighbors):
    """Return the distances and indices of the nearest other rows, (n_rows, n_neighbors) each.

    There are fewer neighbours if X has not enough rows.
    """
    # one job: joblib's backend for whole fits, as that of Dask, would get parts of this search
    search = NearestNeighbors(n_neighbors=min(n_neighbors, len(X) - 1), n_jobs=1).fit(X)
    return search.kneighbors()


def drawn(X, seed, most=MOST_ROWS):
    """Return at most MOST_ROWS rows of X, or at most another number, in random order."""
    return X[np.random.default_rng(seed).permutation(len(X))[: min(most, MOST_ROWS)]]


def distinct(X):
    """Return the different rows of X, (n_distinct, n_features), and the place of each row there."""
    rows, places = np.unique(X, axis=0, return_inverse=True)
    return rows, places.ravel()


def whitening(X, seed):
    """Return the basis, (n_features, n_features), in which groups of rows X are round.

    This is relevant component analysis (Bar-Hillel et al., 2003). Each row and its nearest
    neighbours are taken for a group, so no labels are needed. In `X @ whitening(X, seed)`
    directions in which neighbours differ have shrunk, and those that separate groups have grown.
    The covariance within groups is shrunk to a multiple of the identity, the more the more columns
    there are: in many columns nearest neighbours differ by as much as other rows. More than
    MAX_COLUMNS columns stay as they are. At most MOST_ROWS rows are used, drawn with the seed. They
    should be distinct, as copies of a row would be its neighbours.
    """
    n_features = X.shape[1]
    identity = np.eye(n_features)
    if n_features > MAX_COLUMNS or len(X) < 3:
        return identity
    X = np.asarray(drawn(X, seed), dtype=float)
    _, neighbours = nearest(X, N_IN_GROUP)
    within = np.zeros((n_features, n_features))
    for column in neighbours.T:
        difference = X - X[column]
        within += difference.T @ difference
    mean = np.trace(within) / n_features
    if mean == 0.0:  # all rows are the same
        return identity
    shrinkage = n_features / (n_features + HALF_SHRUNK)
    within = (1.0 - shrinkage) * within / mean + shrinkage * identity
    variances, basis = eigh(within)
    return basis / np.sqrt(np.maximum(variances, 1e-6))


def neighbour_graph(X, n_neighbors):
    """Return the symmetric affinities of nearest neighbours of rows X, sparse (n_rows, n_rows).

    The affinity falls with the squared distance, relative to how far the neighbours of both rows
    reach (local scaling; Zelnik-Manor and Perona, 2004).
    """
    distances, neighbours = nearest(X, n_neighbors)
    n_rows, n_neighbors = neighbours.shape
    reach = np.maximum(distances[:, -1], np.finfo(float).tiny)
    with np.errstate(over="ignore"):  # beside rows of which there are many copies
        scaled = distances / reach[:, None] * (distances / reach[neighbours])
    rows = np.repeat(np.arange(n_rows), n_neighbors)
    affinities = np.maximum(np.exp(-scaled), LEAST_AFFINITY)
    affinities = (affinities.ravel(), (rows, neighbours.ravel()))
    graph = sp.csr_matrix(affinities, shape=(n_rows, n_rows))
    return 0.5 * (graph + graph.T)


def normalized(graph):
    """Return a symmetric graph, sparse (n_rows, n_rows), normalised: its largest eigenvalue is 1.

    Each affinity is divided by the square roots of the sums of its two rows.
    """
    scale = sp.diags(1.0 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel()))
    return (scale @ graph @ scale).tocsr()


@dataclass(frozen=True)
class Neighbourhood:
    """Training rows in a metric of their own, where the distance of rows from them is measured.

    Parameters
    ----------
    mean, directions : (n_features,) and (n_features, n_directions), orthonormal. Rows X lie at
        `(X - mean) @ directions`, but for what is orthogonal to these directions.
    scales : (n_directions,), by which places are divided.
    rest : what the length of the orthogonal part is divided by. Training rows have no such part.
    rows : the rows that are kept, mapped: (n_kept, n_directions + 1).
    n_neighbors : number of neighbours of a row.
    own : (n_kept,), what `distances` returns for the kept rows; None if it measures them.
    """

    mean: np.ndarray
    directions: np.ndarray
    scales: np.ndarray
    rest: float
    rows: np.ndarray
    n_neighbors: int
    own: np.ndarray | None = None

    def mapped(self, X):
        """Return the places of rows X, (n_rows, n_directions + 1), where distance is Euclidean."""
        centred = X.astype(np.float64) - self.mean
        inside = centred @ self.directions
        outside = np.square(centred).sum(axis=1) - np.square(inside).sum(axis=1)
        rest = np.sqrt(np.maximum(outside, 0.0)) / self.rest
        rest[rest < NEGLIGIBLE * np.sqrt(X.shape[1])] = 0.0  # rounding errors
        return np.column_stack([inside / self.scales, rest])

    def distances(self, X):
        """Return the mean distance of rows X from their nearest neighbours: (n_rows,), float64.

        A row has no copy of itself for a neighbour. So the distances of training rows compare with
        those of new rows. Or those of training rows are known; see `own`.
        """
        search = NearestNeighbors(n_neighbors=self.n_neighbors + 1, n_jobs=1).fit(self.rows)
        found = np.empty(len(X))
        for start in range(0, len(X), MOST_KEPT):
            block = slice(start, start + MOST_KEPT)
            nearby, index = search.kneighbors(self.mapped(X[block]))
            nearby[nearby < NEGLIGIBLE * np.sqrt(X.shape[1])] = 0.0  # rounding errors
            copied = nearby[:, 0] <= COPY * nearby.mean(axis=1)
            without = nearby[:, 1:].mean(axis=1) if self.own is None else self.own[index[:, 0]]
            found[block] = np.where(copied, without, nearby[:, :-1].mean(axis=1))
        return found


def fit_neighbourhood(X):
    """Return the `Neighbourhood` of rows X, at least two.

    In its metric the rows have nearly the same variance in each direction. As the covariance is
    shrunk, directions in which rows hardly differ count less than others, as they may be noise.
    """
    kept = np.asarray(X, dtype=float)
    mean = kept.mean(axis=0)
    _, singular_values, directions = np.linalg.svd(kept - mean, full_matrices=False)
    variances = np.square(singular_values) / (len(kept) - 1)
    shrunk = SHRINKAGE * max(variances.sum() / kept.shape[1], LEAST_VARIANCE)
    scales = np.sqrt((1.0 - SHRINKAGE) * variances + shrunk)
    n_neighbors = max(LEAST_NEIGHBOURS, int(SHARE_OF_NEIGHBOURS * len(kept)))
    found = Neighbourhood(
        mean,
        directions.T,
        scales,
        float(np.sqrt(shrunk)),
        np.empty((0, 0)),
        min(n_neighbors, len(kept) - 1),
    )
    return replace(found, rows=found.mapped(kept))
