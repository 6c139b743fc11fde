"""How many new rows of a class look like it, judged by a classifier of the real rows.

    python benchmarks/samples.py [--data FOLDER]

SemiSupervisedAAEClassifier and AAEClusterer, with default parameters, draw 2000 rows of given
classes or clusters. For classes the judge is an SVC that knows all labels; "real rows" is its
accuracy on rows that it has not seen (5 folds). For clusters it is the clusterer itself. With a
FOLDER that holds mnist.npz, MNIST with 100 labels is among the data. Writes results/samples.json.
"""

from __future__ import annotations

import argparse

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import hide_labels, load_mnist, save
from sklearn import datasets
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skaae import AAEClusterer, SemiSupervisedAAEClassifier

N_NEW = 2000
N_LABELS = {"digits": 50, "wine": 15, "iris": 15, "breast_cancer": 20, "mnist": 100}
N_CLUSTERS = {"digits": 10, "wine": 3, "iris": 3, "breast_cancer": 2}
N_JUDGED = 10_000  # rows that the SVC learns from, at most


def load(name, folder):
    if name == "mnist":
        return load_mnist(folder)[:2]
    return getattr(datasets, f"load_{name}")(return_X_y=True)


def svc(name):
    """Return the judge; pixels keep their common scale."""
    return SVC(C=10) if name in ("digits", "mnist") else make_pipeline(StandardScaler(), SVC())


def classes(name, X, y, seeds):
    """Return the share of new rows that the judge gives the class that was asked for, by seed."""
    judge = svc(name).fit(X[:N_JUDGED], y[:N_JUDGED])
    wanted = np.unique(y)[np.arange(N_NEW) % len(np.unique(y))]
    shares = []
    for seed in range(seeds):
        model = SemiSupervisedAAEClassifier(random_state=seed)
        model.fit(X, hide_labels(y, N_LABELS[name], seed))
        shares.append(
            float(np.mean(judge.predict(model.sample(N_NEW, wanted, random_state=seed)) == wanted))
        )
        print(name, "classes", seed, shares[-1], flush=True)
    real = cross_val_score(svc(name), X[:N_JUDGED], y[:N_JUDGED]).mean()
    return {"new rows": shares, "real rows": float(real), "labels": N_LABELS[name]}


def clusters(name, X, seeds):
    """Return the share of new rows that fall into the cluster that was asked for, by seed."""
    shares = []
    for seed in range(seeds):
        model = AAEClusterer(N_CLUSTERS[name], random_state=seed).fit(X)
        wanted = np.arange(N_NEW) % model.n_clusters_
        shares.append(
            float(np.mean(model.predict(model.sample(N_NEW, wanted, random_state=seed)) == wanted))
        )
        print(name, "clusters", seed, shares[-1], flush=True)
    return {"new rows": shares}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder with mnist.npz")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    result = {"experiment": "samples", "classes": {}, "clusters": {}}
    names = ["digits", "wine", "iris", "breast_cancer", *(["mnist"] if arguments.data else [])]
    for name in names:
        X, y = load(name, arguments.data)
        seeds = 1 if name == "mnist" else arguments.seeds
        result["classes"][name] = classes(name, X, y, seeds)
        if name in N_CLUSTERS:
            result["clusters"][name] = clusters(name, X, seeds)
        save("samples", result)
    print("written results/samples.json")


if __name__ == "__main__":
    main()
