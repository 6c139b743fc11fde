"""Several components of the label for each class: their assignment to classes and their sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skaae import inference
from skaae.clustering.assign import assign_components
from skaae.columns.network_rows import NetworkRows
from skaae.storage.rows import StoredRows
from skaae.storage.table import MOST_SAMPLED
from skaae.unlabeled import UNLABELED


class HasComponents:
    """Assigns the components of the label to classes, and counts them."""

    # Attributes of the classifier.
    classes_: Any
    class_prior_: Any
    _is_prior_stated: Any
    _settings: Any
    _step: Any
    _table: Any
    _proportions_of_components: Any

    def _assign_components(self, X, targets, rows):
        """Assign each component to a class, using the labels of the training rows X[rows].

        Do nothing if a class has no labeled row.
        """
        classes = np.arange(len(self.classes_))
        if np.isin(classes, targets[rows]).all():
            if isinstance(X, StoredRows):  # labeled rows, and the rows that stand for all
                labeled = rows[targets[rows] != UNLABELED][:MOST_SAMPLED]
                rows = np.union1d(labeled, np.intersect1d(X.index, rows))
            counts = np.bincount(targets[rows][targets[rows] != UNLABELED])
            # those of few labels are too rough, unless all classes have as many
            known = self._is_prior_stated() or len(set(counts)) == 1
            proportions = self.class_prior_ if known else None
            P = self._encode_label(X[rows])
            found = assign_components(P, targets[rows], len(classes), proportions)
            self._step.assign_components(torch.from_numpy(np.equal.outer(classes, found)))

    def _count_components(self, X, weights):
        """Return the proportion of each component in its class among rows X with these weights.

        The shape is (n_classes, n_components). None means that each class has one component.
        """
        if self._settings.components_per_class == 1:
            return None
        label = self._encode_label(X).astype(float)
        sizes = np.average(label, axis=0, weights=weights) + np.finfo(float).tiny
        members = self._step.trained.encoder.state_dict()["members"]
        found = members.cpu().numpy() * sizes
        return found / found.sum(axis=1, keepdims=True)

    def _component_proportions(self):
        return self._proportions_of_components

    def _encode_label(self, X):
        """Return the label of checked rows X, (n_samples, n_components): an entry per component."""
        return inference.encode(self._step, NetworkRows(X, self._table), "label")
