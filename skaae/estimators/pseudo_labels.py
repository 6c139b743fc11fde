"""Classes of unlabeled rows that the classifier trains on, from a committee or from a graph."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

from skaae import inference
from skaae.clustering.pseudo_labels import clear_rows, graph_labels
from skaae.estimators.labels import UNLABELED
from skaae.estimators.options import Adam, replace_auto, solver_of
from skaae.estimators.recipes import COMPONENTS, MIN_IMAGES
from skaae.teaching.committee import Classifier, default_members, teach
from skaae.training.rows import BatchedRows, as_arrays, pick
from skaae.training.schedule import ADD_PSEUDO_LABELS, has_few_labels

# A graph of neighbours, whose time and memory grow with the square of rows, has at most this many.
MAX_ROWS = 20_000
# A committee teaches up to this many labels by default; with more, the network needs no teacher.
MAX_LABELS = 2_000


class TakesPseudoLabels:
    """Decides what labels unlabeled rows, and adds these labels to the stream of labeled rows."""

    # Attributes of the classifier.
    pseudo_labels: Any
    components_per_class: Any
    solver: Any
    virtual_adversarial: Any
    early_stopping: bool
    validation_fraction: float
    class_prior_: Any
    classes_: Any
    _settings: Any
    _step: Any

    def _teacher(self, targets, *, consistent, dense):
        """Return what labels unlabeled rows: "committee", "graph" or None; see `Model`."""
        wanted = self._wants_pseudo_labels()
        if wanted is False:
            return None
        if consistent and wanted in ("auto", True):
            return "graph"
        labeled = targets >= 0
        few = labeled.sum() <= MAX_LABELS or wanted != "auto"
        return "committee" if dense and few and not labeled.all() else None

    def _finds_components(self, targets):
        """Return whether "auto" means several components per class, for many images of few labels.

        Not if the user has chosen otherwise.
        """
        chosen = (self.components_per_class, self.pseudo_labels, self.virtual_adversarial)
        labeled = (targets >= 0).sum()
        few = len(targets) >= MIN_IMAGES and labeled <= MAX_LABELS
        adam = isinstance(solver_of(self, COMPONENTS), Adam)
        return few and adam and all(isinstance(v, str) and v == "auto" for v in chosen)

    def _has_few_labels(self, targets, per_class):
        """Return whether labels can only assign components to classes; see the schedule."""
        counts = np.bincount(targets[targets >= 0], minlength=len(self.classes_))
        learned = 1.0 - self.validation_fraction if self.early_stopping else 1.0
        return counts.min() > 0 and has_few_labels((learned * counts).tolist(), per_class)

    def _wants_pseudo_labels(self):
        """Return "auto", True, False, or "classifier" if the user gives one."""
        wanted = self.pseudo_labels
        if isinstance(wanted, bool | np.bool_):
            return bool(wanted)
        return "auto" if isinstance(wanted, str) else "classifier"

    def _graph_action(self, streams, targets):
        """Return the action that adds pseudo-labels from a graph of neighbours, if it is wanted."""
        x, rows = streams[0].tensors["x"], streams[0].rows.cpu().numpy()
        small = len(rows) <= MAX_ROWS and not isinstance(x, BatchedRows)
        if not ((targets[rows] < 0).any() and replace_auto(self._wants_pseudo_labels(), small)):
            return {}

        @functools.cache  # the graph stays the same, and is computed only if it is needed
        def by_graph():
            return graph_labels(as_arrays(x, rows)[:], targets[rows])

        return {ADD_PSEUDO_LABELS: lambda: self._add_pseudo_labels(streams, by_graph(), targets)}

    def _add_pseudo_labels(self, streams, by_graph, targets):
        """Add rows to the labeled stream, with the class on which graph and network agree."""
        if self._step.stage.assigns_later:
            return  # components have no class yet
        x, index = streams[0].tensors["x"], streams[0].rows
        rows = index.cpu().numpy()
        logits = inference.logits(self._step, as_arrays(x, rows))
        given, predicted = targets[rows], logits.argmax(axis=1)
        clear = clear_rows(by_graph, given, predicted)
        if clear is None:
            return
        y = np.full(len(x), UNLABELED)
        y[rows] = np.where(given >= 0, given, predicted)
        streams[1].tensors = {"x_labeled": x, "y_labeled": torch.from_numpy(y).to(index.device)}
        streams[1].rows = torch.from_numpy(rows[clear]).to(index.device)

    def _teach(self, streams, targets):
        """Replace the labeled stream by rows with the class probabilities of a committee.

        These are all labeled rows and up to MAX_ROWS unlabeled rows.
        """
        x, index = streams[0].tensors["x"], streams[0].rows
        users = self._wants_pseudo_labels() == "classifier"
        if users and isinstance(x, BatchedRows):
            raise ValueError(
                f"pseudo_labels={self.pseudo_labels!r} needs dense rows, but X is sparse; pass a "
                "dense X, or set pseudo_labels=False."
            )
        rows = index.cpu().numpy()
        labeled, others = rows[targets[rows] >= 0], rows[targets[rows] < 0]
        taught = self._settings.schedule.teacher == "committee" and len(labeled) and len(others)
        if not taught or isinstance(x, BatchedRows):
            return
        seed = self._settings.seed
        drawn = np.random.default_rng(seed).permutation(others)[:MAX_ROWS]
        rows = np.sort(np.concatenate([labeled, drawn]))
        scaled, given = as_arrays(x, rows), targets[rows]
        if users:
            members = [Classifier(self.pseudo_labels, seed)]
        else:
            members = default_members(scaled, given, seed)
        y = teach(scaled, given, self.class_prior_, members, seed).astype(np.float32)
        y = torch.from_numpy(y).to(index.device)
        streams[1].tensors = {"x_labeled": pick(x, rows), "y_labeled": y}
        streams[1].rows = None
