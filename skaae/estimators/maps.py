"""Which kind of map an embedding learns: one that keeps neighbours, or one with cluster heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skaae.columns.gaps import without_chance_gaps
from skaae.estimators.options import replace_auto
from skaae.estimators.parameters import make_cpu_generator
from skaae.estimators.ranges import check_count
from skaae.estimators.tensors import with_tensors
from skaae.neighbours import nearest, neighbour_graph
from skaae.storage.table import as_out_of_core
from skaae.training.rows import RowPairs, as_arrays
from skaae.training.streams import Stream

# With cluster_heads="identity" the heads are this multiple of the unit vectors, as in the paper.
IDENTITY_SCALE = 10.0
N_NEIGHBORS = 10
N_CLUSTERS = 20
# A sampled point lies between a point of the map and one of so many nearest other points.
N_AROUND = 5
# Parameters of a map with heads, with the values that they have by default.
OF_HEADS = {
    "use_labels": False,
    "n_clusters": "auto",
    "cluster_heads": "learned",
    "head_distance": 3.0,
    "prior": "gaussian",
    "init": "k-means",
    "virtual_adversarial": None,
}


class KeepsNeighbours:
    """Trains on pairs of neighbours, and samples between points of the map."""

    # Attributes of the estimator.
    n_clusters: Any
    n_neighbors: Any
    embedding_: Any
    _settings: Any
    _step: Any
    _table: Any
    _decode_samples: Any

    def _begin(self, X, *, partial=False):
        if as_out_of_core(X) is not None:
            raise ValueError(
                "X is read from disk, and a map needs all its rows in memory, to find the "
                "neighbours of each. Fit the map on some rows, as OutOfCore(X).sample(10_000), and "
                "call transform with X."
            )
        return super()._begin(X, partial=partial)  # type: ignore[misc]

    @property
    def _has_heads(self):
        """Whether the map has cluster heads: the fitted one, or else the one to be fitted."""
        if hasattr(self, "_step"):
            return "label" in self._settings.architecture.blocks
        return self._count_neighbors() is None

    @property
    def _usual_solver(self):
        """See the base class."""
        return "sgd" if self.n_neighbors is None or self._of_heads() else "adam"

    def _of_heads(self):
        """Return the parameters with unusual values that only maps with heads use, by name."""
        return {
            name: getattr(self, name)
            for name, usual in OF_HEADS.items()
            if not is_same(getattr(self, name), usual)
        }

    def _count_neighbors(self):
        """Return the number of neighbours of each row that the map keeps; None: it has heads.

        Raises ValueError if parameters ask for both.
        """
        changed = self._of_heads()
        if isinstance(self.n_neighbors, str):
            return None if changed else N_NEIGHBORS
        if changed and self.n_neighbors is not None:
            name, value = next(iter(changed.items()))
            raise ValueError(
                f"n_neighbors={self.n_neighbors} keeps neighbours, but {name}={value!r} asks for a "
                f"map with cluster heads; set n_neighbors=None, or leave out {name}."
            )
        return self.n_neighbors

    def _count_clusters(self):
        """Return the number of clusters of a map with heads that does not use labels."""
        return replace_auto(self.n_clusters, N_CLUSTERS)

    def _neighbour_stream(self, x, rows, n_neighbors):
        """Return the stream of pairs of neighbours among the training rows, by their indices.

        x (n, n_features) are scaled rows. A pair is drawn in proportion to its affinity.
        """
        if len(rows) < 2:  # nothing to keep, but the phase is the same
            pairs, weights = np.zeros((1, 2), dtype=np.int64), None
        else:
            scaled = without_chance_gaps(as_arrays(x, rows)[:], self._table.layout)
            graph = neighbour_graph(scaled, n_neighbors).tocoo()
            pairs = np.stack([graph.row, graph.col], axis=1).astype(np.int64)
            weights = torch.from_numpy(graph.data)
        index = torch.from_numpy(rows[pairs]).to(x.device)
        found: dict[str, Any] = {"pairs": RowPairs(x, index)}
        return Stream(found, weights=weights)

    def _sample_between(self, n_samples, random_state):
        """Return points between points of the map and their nearest ones, and the generator.

        The points are float32 (n_samples, n_components).
        """
        check_is_fitted(self)
        n_samples = check_count("n_samples", n_samples)
        generator = make_cpu_generator(random_state)
        points = self.embedding_.astype(np.float32)
        if len(points) == 1:
            return np.repeat(points, n_samples, axis=0), generator
        _, around = nearest(points, N_AROUND)
        start = torch.randint(len(points), (n_samples,), generator=generator).numpy()
        which = torch.randint(around.shape[1], (n_samples,), generator=generator).numpy()
        share = torch.rand(n_samples, 1, generator=generator, dtype=torch.float32).numpy()
        end = around[start, which]
        return points[start] + share * (points[end] - points[start]), generator

    def _sample_rows(self, n_samples, y, *, clip, random_state):
        """Return rows decoded at points between those of the map."""
        if y is not None:
            raise ValueError(
                f"y={y!r} asks for a cluster or class, but this map keeps neighbours and has none; "
                "leave y out, or fit with n_clusters or use_labels=True."
            )
        style, generator = self._sample_between(n_samples, random_state)
        return self._decode_samples(generator, clip=clip, style=style)


def is_same(value, usual):
    """Return whether the value of a parameter, which may be an array, is the usual one."""
    return value is usual or (np.isscalar(value) and value == usual)


def only_with_heads(method):
    """Return a method that takes tensors too, and that only maps with heads have."""
    return available_if(require_heads)(with_tensors(method))


def require_heads(embedding):
    """Return True if a map has cluster heads, else raise AttributeError."""
    if not embedding._has_heads:
        raise AttributeError(
            "a map that keeps neighbours has no clusters to predict; fit AAEEmbedding with "
            "n_clusters, or with use_labels=True."
        )
    return True


def places_of_heads(embedding, n_heads):
    """Return fixed heads (n_heads, n_components), or the initial distance of learned heads."""
    if isinstance(embedding.cluster_heads, str) and embedding.cluster_heads == "learned":
        return float(embedding.head_distance) or 1.0
    shape = (n_heads, embedding.n_components)
    if isinstance(embedding.cluster_heads, str):
        if shape[0] != shape[1]:
            raise ValueError(
                f"cluster_heads='identity' needs a dimension for each of the {n_heads} heads, "
                f"but n_components={embedding.n_components}; set n_components={n_heads}, or "
                "cluster_heads='learned'."
            )
        return IDENTITY_SCALE * np.eye(n_heads)
    try:
        heads = np.array(embedding.cluster_heads, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"cluster_heads={embedding.cluster_heads!r} is no table of numbers: {error}"
        ) from error
    if heads.shape != shape:
        raise ValueError(
            f"cluster_heads has shape {heads.shape}; it must be an array of shape "
            f"(n_heads, n_components) = {shape}."
        )
    if not np.isfinite(heads).all():
        raise ValueError("cluster_heads holds NaN or infinity; all its values must be finite.")
    return heads
