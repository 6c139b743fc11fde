"""How long a fit with default parameters takes on one thread, for tables of ordinary sizes.

    python benchmarks/times.py

Fits each of the six estimators once on made-up tables (`make_classification`, four classes) and on
scikit-learn's digits. The classifier has 100 labels, and the clusterer has the true number of
classes as its `n_clusters`. Writes results/times.json: the seconds of the processor, which hold on
a machine that others use too, the seconds on the clock, and the number of epochs.
"""

from __future__ import annotations

import argparse
import json
import time

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import RESULTS, hide_labels, save
from sklearn.datasets import load_digits, make_classification
from threadpoolctl import threadpool_limits

from skaae import (
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    AAETransformer,
    SemiSupervisedAAEClassifier,
    SupervisedAAETransformer,
)

SIZES = ((1_000, 20), (10_000, 20), (1_000, 200))  # rows and columns of the made-up tables
N_LABELS = 100


def tables():
    """Return X and y by name."""
    made = {}
    for n_rows, n_columns in SIZES:
        made[f"{n_rows:,} x {n_columns}"] = make_classification(
            n_rows, n_columns, n_informative=10, n_classes=4, random_state=0
        )
    return {**made, "digits": load_digits(return_X_y=True)}


def fits(X, y):
    """Return an estimator, and what its fit gets, by name."""
    few = hide_labels(y, N_LABELS, seed=0)
    return {
        "AAETransformer": (AAETransformer(random_state=0), (X,)),
        "SupervisedAAETransformer": (SupervisedAAETransformer(random_state=0), (X, y)),
        "SemiSupervisedAAEClassifier": (SemiSupervisedAAEClassifier(random_state=0), (X, few)),
        "AAEClusterer": (AAEClusterer(len(np.unique(y)), random_state=0), (X,)),
        "AAEEmbedding": (AAEEmbedding(random_state=0), (X,)),
        "AAEOutlierDetector": (AAEOutlierDetector(random_state=0), (X,)),
    }


def measure(model, data):
    """Return seconds and epochs of one fit."""
    on_clock, of_processor = time.perf_counter(), time.process_time()
    model.fit(*data)
    on_clock, of_processor = time.perf_counter() - on_clock, time.process_time() - of_processor
    return {
        "processor seconds": round(of_processor, 2),
        "wall seconds": round(on_clock, 2),
        "epochs": model.n_iter_,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    again = "measure these again, and keep other figures"
    parser.add_argument("--only", nargs="+", metavar="ESTIMATOR", help=again)
    parser.add_argument("--tables", nargs="+", metavar="TABLE", help=again)
    arguments = parser.parse_args()
    only, chosen = arguments.only, arguments.tables
    torch.set_num_threads(1)
    result = {"experiment": "times", "labels": N_LABELS, "tables": {}}
    if only or chosen:
        result["tables"] = json.loads((RESULTS / "times.json").read_text())["tables"]
    with threadpool_limits(1):
        made = tables()
        AAETransformer(max_iter=2).fit(made["digits"][0])  # unmeasured
        for table, (X, y) in made.items():
            if chosen and table not in chosen:
                continue
            found = {"rows": len(X), "columns": X.shape[1], "fits": {}}
            found = result["tables"].setdefault(table, found)
            for name, (model, data) in fits(X, y).items():
                if only and name not in only:
                    continue
                found["fits"][name] = measure(model, data)
                print(table, name, found["fits"][name], flush=True)
                save("times", result)
    print("written results/times.json")


if __name__ == "__main__":
    main()
