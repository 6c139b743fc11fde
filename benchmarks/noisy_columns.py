"""Tables with many columns that say nothing: the classifier's defaults beside logistic regression.

    python benchmarks/noisy_columns.py --draws 3
    python benchmarks/noisy_columns.py --draws 1 --rows 20000

Each cell of the grid is a kind of table of `sklearn.datasets.make_classification`, standardised.
All rows train, a few of each class with their label. Balanced accuracy on the other rows judges.
A run goes on where another one stopped.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import warnings

import numpy as np
import torch
from _common import RESULTS, save
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

from skaae import SemiSupervisedAAEClassifier

COLUMNS = (10, 100, 300)
INFORMATIVE = (2, 8, 20)
CLASSES = (2, 4)
LARGEST_SHARE = (None, 0.9)  # of one class; None: equal shares
LABELS_PER_CLASS = (10, 100)


def cells(n_rows):
    """Yield the kinds of tables that are possible with so many rows."""
    grid = itertools.product(COLUMNS, INFORMATIVE, CLASSES, LARGEST_SHARE, LABELS_PER_CLASS)
    for n_columns, informative, n_classes, share, labels in grid:
        smallest = n_rows * (1.0 - (share or 0.0)) / (n_classes - bool(share))
        if informative <= n_columns and labels <= smallest / 2:
            yield n_columns, informative, n_classes, share, labels


def table(n_rows, n_columns, informative, n_classes, share, labels, seed):
    """Return standardised rows, their classes, and the classes with -1 where unlabeled."""
    others = None if share is None else (1.0 - share) / (n_classes - 1)
    X, y = make_classification(
        n_rows,
        n_columns,
        n_informative=informative,
        n_redundant=0,
        n_classes=n_classes,
        n_clusters_per_class=2 if 2 * n_classes <= 2**informative else 1,
        weights=None if share is None else [share] + [others] * (n_classes - 1),
        random_state=seed,
    )
    rng = np.random.default_rng(seed)
    of_class = [np.flatnonzero(y == k) for k in range(n_classes)]
    labeled = np.concatenate([rng.permutation(rows)[:labels] for rows in of_class])
    y_few = np.full(n_rows, -1)
    y_few[labeled] = y[labeled]
    return StandardScaler().fit_transform(X), y, y_few


def one_draw(*cell):
    """Return the figures of one table: scores, seconds, and the number of predicted classes."""
    X, y, y_few = table(*cell)
    hidden = y_few < 0
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = SemiSupervisedAAEClassifier(random_state=cell[-1]).fit(X, y_few)
    seconds = time.perf_counter() - start
    predicted = ours.predict(X[hidden])
    peer = LogisticRegression(max_iter=2000).fit(X[~hidden], y[~hidden])
    return {
        "skaae": round(balanced_accuracy_score(y[hidden], predicted), 4),
        "logistic": round(balanced_accuracy_score(y[hidden], peer.predict(X[hidden])), 4),
        "seconds": round(seconds, 2),
        "predicted classes": len(np.unique(predicted)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--rows", nargs="+", type=int, default=(500, 2000, 20000))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path = RESULTS / "noisy_columns.json"
    result = json.loads(path.read_text())["cells"] if path.is_file() else {}
    for n_rows in arguments.rows:
        for cell in cells(n_rows):
            names = ("columns", "informative", "classes", "largest share", "labels a class")
            key = ", ".join(f"{name} {value}" for name, value in zip(names, cell, strict=True))
            found = result.setdefault(f"rows {n_rows}, {key}", [])
            for seed in range(len(found), arguments.draws):
                found.append(one_draw(n_rows, *cell, seed))
            gain = np.mean([draw["skaae"] - draw["logistic"] for draw in found])
            print(n_rows, key, f"{gain:+.3f}", flush=True)
            save("noisy_columns", {"experiment": "noisy columns", "cells": result})


if __name__ == "__main__":
    main()
