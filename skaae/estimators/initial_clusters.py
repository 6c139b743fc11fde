"""Which clusters a fit of an estimator without labels starts from."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse

from skaae import inference
from skaae.clustering.initial import KEPT, KEPT_KMEANS, InitialClusters, find_initial_clusters
from skaae.columns.gaps import without_chance_gaps
from skaae.estimators.parameters import draw_seed


class FindsInitialClusters:
    """Finds the clusters that the label learns first, and those of fits that go on."""

    # Attributes of the estimators.
    init: str
    random_state: Any
    _settings: Any
    _step: Any

    def _find_clusters(self, rows, n_clusters, kind):
        """Return the first clusters of training rows (`NetworkRows`), found by `kind`."""
        if len(rows) < n_clusters:
            raise ValueError(
                f"X has n_samples={len(rows)} rows, fewer than the {n_clusters} clusters to find; "
                "lower n_clusters, or give more rows."
            )
        X = rows
        if not issparse(rows.rows):
            X = without_chance_gaps(np.asarray(rows[:], dtype=np.float32), rows.table.layout)
        return find_initial_clusters(kind, X, n_clusters, draw_seed(self.random_state))

    def _clusters_to_continue(self, rows, *, partial):
        """Return the clusters that a fit teaches which goes on, or None.

        `fit` finds clusters anew as long as they train the label, and numbers them as the model
        does. `partial_fit` finds none, since those of a few rows would differ from call to call.
        But where nothing else trains the label, it teaches the clusters that the model predicts.
        """
        if partial:
            kind = self._settings.schedule.teacher
            return InitialClusters(kind, self._predicted(rows)) if kind in KEPT else None
        kind = self._settings.schedule.teacher
        if kind is None or "classification" not in self._step.stage.moves_label:
            return None
        if issparse(rows.rows):  # of which only k-means finds clusters
            kind = KEPT_KMEANS if kind in KEPT else kind
        found = self._find_clusters(rows, self._settings.label_size, kind)
        return found.numbered_like(self._predicted(rows))

    def _predicted(self, rows):
        """Return the cluster of each row, before any are merged."""
        return inference.logits(self._step, rows).argmax(axis=1)
