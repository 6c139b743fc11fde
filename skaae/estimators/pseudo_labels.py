"""Classes of unlabeled rows that the classifier trains on, from a committee or from a graph."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import has_fit_parameter

from skaae import inference
from skaae.clustering.pseudo_labels import clear_rows, graph_labels
from skaae.columns.gaps import without_chance_gaps
from skaae.estimators.model import are_auto, are_many_images
from skaae.estimators.options import replace_auto
from skaae.private_sklearn import about_class
from skaae.teaching.committee import Classifier, default_members, teach
from skaae.teaching.new_rows import count_new_rows, new_rows
from skaae.training.blocks import BlockRows
from skaae.training.rows import as_arrays, pick
from skaae.training.schedule import ADD_PSEUDO_LABELS, has_few_labels
from skaae.unlabeled import UNLABELED

# A graph of neighbours, whose time and memory grow with the square of rows, has at most this many.
MAX_ROWS = 20_000
# A committee teaches up to this many labels by default; with more, the network needs no teacher.
MAX_LABELS = 2_000


class TakesPseudoLabels:
    """Decides what labels unlabeled rows, and adds these labels to the stream of labeled rows."""

    # Attributes of the classifier.
    pseudo_labels: Any
    components_per_class: Any
    virtual_adversarial: Any
    early_stopping: Any
    validation_fraction: float
    class_prior_: Any
    classes_: Any
    _settings: Any
    _step: Any
    _table: Any

    def _teacher(self, targets, *, consistent, dense):
        """Return what labels unlabeled rows: "committee", "graph" or None; see `Model`."""
        wanted = self._wants_pseudo_labels()
        if wanted is False:
            return None
        if consistent and wanted in ("auto", True):
            return "graph"
        labeled = targets >= 0
        few = labeled.sum() <= MAX_LABELS or wanted != "auto"
        # a classifier of the user's leaves labels as they are
        teaches = wanted != "classifier" or not labeled.all()
        return "committee" if dense and few and teaches else None

    def _finds_components(self, targets, table):
        """Return whether "auto" means several components per class, for many images of few labels.

        Not if the user has chosen otherwise.
        """
        auto = are_auto(self.components_per_class, self.pseudo_labels, self.virtual_adversarial)
        few = (targets >= 0).sum() <= MAX_LABELS
        return auto and few and are_many_images(self, table, len(targets))

    def _has_few_labels(self, targets, per_class):
        """Return whether labels can only assign components to classes; see the schedule."""
        counts = np.bincount(targets[targets >= 0], minlength=len(self.classes_))
        held_out = self.validation_fraction if replace_auto(self.early_stopping, False) else 0.0
        learned = (1.0 - held_out) * counts
        return counts.min() > 0 and has_few_labels(learned.tolist(), per_class)

    def _wants_pseudo_labels(self):
        """Return "auto", True, False, or "classifier" if the user gives one."""
        wanted = self.pseudo_labels
        if isinstance(wanted, bool | np.bool_):
            return bool(wanted)
        if isinstance(wanted, type):
            raise ValueError(about_class("pseudo_labels", wanted))
        if isinstance(wanted, FrozenEstimator):
            raise ValueError(
                f"pseudo_labels={wanted!r} is frozen, so it cannot learn from the labeled rows, "
                "which are scaled when it gets them; pass the classifier that it holds."
            )
        return "auto" if isinstance(wanted, str) else "classifier"

    def _graph_action(self, streams, targets):
        """Return the action that adds pseudo-labels from a graph of neighbours, if it is wanted."""
        x, rows = streams[0].tensors["x"], streams[0].rows.cpu().numpy()
        small = len(rows) <= MAX_ROWS and not x.is_sparse
        if not ((targets[rows] < 0).any() and replace_auto(self._wants_pseudo_labels(), small)):
            return {}

        @functools.cache  # the graph stays the same, and is computed only if it is needed
        def by_graph():
            scaled = without_chance_gaps(as_arrays(x, rows)[:], self._table.layout)
            return graph_labels(scaled, targets[rows])

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
        chosen = torch.from_numpy(rows[clear]).to(index.device)
        y_labeled = torch.from_numpy(y).to(index.device)
        streams[1].take_labeled(x, y_labeled, chosen, streams[0].weights)

    def _teach(self, streams, targets, held_out):
        """Replace the labeled stream by rows with the class probabilities of a committee.

        These are all labeled rows and up to MAX_ROWS unlabeled rows, and made-up rows if they are
        few. Return the classes of held-out rows, or their class probabilities if these rows have no
        label.
        """
        x, index = streams[0].tensors["x"], streams[0].rows
        wanted, schedule = self._wants_pseudo_labels(), self._settings.schedule
        uses_graph = bool(schedule.pseudo_labels_at)
        if x.is_sparse and (wanted == "classifier" or (wanted is True and not uses_graph)):
            raise ValueError(
                f"pseudo_labels={self.pseudo_labels!r} needs dense rows, but X is sparse; pass a "
                "dense X, or set pseudo_labels=False."
            )
        rows = index.cpu().numpy()
        labeled, others = rows[targets[rows] >= 0], rows[targets[rows] < 0]
        held_out = rows[:0] if held_out is None else held_out
        has_committee = schedule.teacher == "committee" and len(labeled)
        if not has_committee or x.is_sparse:
            return targets[held_out]
        seed = self._settings.seed
        most = min(MAX_ROWS, x.n_rows_of_stream()) if isinstance(x, BlockRows) else MAX_ROWS
        drawn = np.random.default_rng(seed).permutation(others)[:most]
        rows = np.sort(np.concatenate([labeled, drawn]))
        unknown = held_out[targets[held_out] < 0]
        together = np.append(rows, unknown)
        scaled, given = as_arrays(x, together)[:], targets[together]
        weights = None if streams[0].weights is None else streams[0].weights[together]
        n_made = count_new_rows(*scaled.shape)
        layout = self._table.layout
        entries = layout.n_numbers, layout.indicators_of_numbers
        made = new_rows(scaled[: len(rows)], *entries, n_made, seed)
        if len(made):
            scaled = np.concatenate([scaled, made])
            given = np.append(given, len(made) * [UNLABELED])
            weights = None if weights is None else torch.cat([weights, weights.new_ones(len(made))])
        y = torch.from_numpy(self._probabilities(scaled, given, weights)).to(index.device)
        of_rows, of_unknown, of_made = y.split([len(rows), len(unknown), len(made)])
        taught, taught_y = pick(x, rows), of_rows
        if len(made):  # all together are few enough for a tensor
            taught = torch.from_numpy(np.concatenate([scaled[: len(rows)], made])).to(index.device)
            taught_y = torch.cat([of_rows, of_made])
        streams[1].tensors = {"x_labeled": taught, "y_labeled": taught_y}
        streams[1].rows = streams[1].picked = None
        if weights is not None:
            streams[1].weights = torch.cat([weights[: len(rows)], weights[len(together) :]])
        return of_unknown.cpu().numpy() if len(unknown) else targets[held_out]

    def _probabilities(self, scaled, given, weights):
        """Return the class probabilities of scaled rows by the committee: float32.

        `given` (n_rows,) are the classes of rows, -1 where unlabeled; `weights` of the rows, or
        None.
        """
        scaled = without_chance_gaps(scaled, self._table.layout)
        weights = None if weights is None else weights.cpu().numpy()
        seed = self._settings.seed
        if self._wants_pseudo_labels() != "classifier":
            members = default_members(scaled, given, seed, weights)
        elif weights is None or has_fit_parameter(self.pseudo_labels, "sample_weight"):
            members = [Classifier(self.pseudo_labels, seed)]
        else:
            raise ValueError(
                f"pseudo_labels={self.pseudo_labels!r} takes no sample_weight in `fit`, so it "
                "cannot teach rows of unequal weights; pass another classifier, or leave "
                "sample_weight out."
            )
        y = teach(scaled, given, self.class_prior_, members, seed, weights)
        return y.astype(np.float32)
