"""More labels than were given: rows whose class a graph of neighbours and the network agree on.

Each of the two is wrong about other rows, so where they agree few are wrong. A graph alone would
also teach its mistakes, which are many on tables whose columns are mostly noise.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.semi_supervised import LabelSpreading

from skaae import inference
from skaae.training.loop import Stream

UNLABELED = -1
N_NEIGHBORS = 7
SHARE = 0.8  # of the rows, those that the graph is surest of
LEARNED = 0.9  # of the given labels, before the network has a say
MAX_ROWS = 20_000  # "auto": the graph takes time and memory that grow with the square of the rows


@dataclass
class Agreement:
    """Lets rows join the stream of labeled ones, at quarters of the training.

    Parameters
    ----------
    labeled : the stream, of all rows and of the indices of the labeled ones.
    index : indices of the training rows.
    spread : (n_rows,) class of every training row by the graph, UNLABELED where it is not sure.
    codes : (n_rows,) class of every training row as it was given, UNLABELED where it was not.
    max_iter : epochs of the training.
    """

    labeled: Stream
    index: np.ndarray
    spread: np.ndarray
    codes: np.ndarray
    max_iter: int

    def __call__(self, step, epoch):
        """Look again at the rows, if a quarter of the training ends before this epoch."""
        if epoch not in {quarter * self.max_iter // 4 for quarter in (1, 2, 3)} - {0}:
            return
        if step.awaits_names:
            return  # what it predicts is no class yet
        x = self.labeled.tensors["x_labeled"]
        own = inference.logits(step, x[self.index].cpu().numpy()).argmax(axis=1)
        given = self.codes != UNLABELED
        if np.mean(own[given] == self.codes[given]) < LEARNED:
            return  # it would agree about a class or two alone, and learn no other any more
        joins = given | (self.spread == own)
        y = torch.zeros(len(x), dtype=torch.int64)
        y[self.index] = torch.from_numpy(np.where(given, self.codes, own))
        device = self.labeled.tensors["y_labeled"].device
        self.labeled.tensors = {"x_labeled": x, "y_labeled": y.to(device)}
        self.labeled.rows = torch.from_numpy(self.index[joins]).to(device)


def spread_labels(X, codes):
    """Return the class of every row by a graph of neighbours, UNLABELED where it is least sure.

    X (n_rows, n_features) are scaled rows, codes (n_rows,) class indices or UNLABELED.
    """
    graph = LabelSpreading(kernel="knn", n_neighbors=min(N_NEIGHBORS, len(X) - 1))
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        graph.fit(X, codes)  # a row that no label reaches gets 0 / 0
    sureness = np.nan_to_num(graph.label_distributions_.max(axis=1))
    sure = (sureness > 0.0) & (sureness >= np.quantile(sureness, 1.0 - SHARE))
    return np.where(sure, graph.transduction_, UNLABELED)
