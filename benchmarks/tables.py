"""Few labels on small data: the classifier's defaults beside what a user would pick instead.

    python benchmarks/tables.py --draws 5

Each draw is a split (a quarter of the rows for the test) and a choice of labeled rows, a few of
each class. All methods get the same rows and labels; the others get columns of variance 1 (pixels:
of one range), the classifier gets raw columns.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from _common import hide_labels, save
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_wine,
    make_classification,
    make_moons,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from skaae import SemiSupervisedAAEClassifier

FIRST_SEED = 100  # the defaults were chosen on draws 0, 1, 2 (choices.py)


def data_sets():
    """Yield name, X, y and labels per class."""
    yield "digits", *load_digits(return_X_y=True), 5
    yield "wine", *load_wine(return_X_y=True), 4
    yield "breast cancer", *load_breast_cancer(return_X_y=True), 5
    X, y = make_classification(
        3000,
        40,
        n_informative=10,
        n_classes=4,
        n_clusters_per_class=1,
        class_sep=1.5,
        random_state=0,
    )
    yield "4 clusters in 40 columns", X * np.logspace(-2, 2, 40), y, 10
    yield "moons", *make_moons(1000, noise=0.1, random_state=0), 5


def methods(seed, scaler):
    """Return the methods by name; those trained on the labels alone come first."""
    return {
        "LogisticRegression": make_pipeline(scaler, LogisticRegression(max_iter=2000)),
        "SelfTraining(LogisticRegression)": make_pipeline(
            scaler, SelfTrainingClassifier(LogisticRegression(max_iter=2000))
        ),
        "LabelSpreading(knn)": make_pipeline(scaler, LabelSpreading(kernel="knn")),
        "SemiSupervisedAAEClassifier": SemiSupervisedAAEClassifier(random_state=seed),
    }


def one_draw(X, y, n_per_class, seed, scaler):
    """Return test accuracy and seconds by method."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.25, random_state=seed, stratify=y
    )
    y_few = hide_labels(y_train, n_per_class * len(np.unique(y)), seed)
    labeled = y_few != -1
    found = {}
    for name, method in methods(seed, scaler).items():
        start = time.perf_counter()
        if name == "LogisticRegression":
            method.fit(X_train[labeled], y_few[labeled])
        else:
            method.fit(X_train, y_few)
        found[name] = method.score(X_test, y_test), time.perf_counter() - start
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=5)
    arguments = parser.parse_args()
    result = {"experiment": "few labels on small data", "data": {}}
    for data, X, y, n_per_class in data_sets():
        scaler = MinMaxScaler((0, 1)) if data == "digits" else StandardScaler()
        accuracy, seconds = {}, {}
        for seed in range(FIRST_SEED, FIRST_SEED + arguments.draws):
            for name, (score, took) in one_draw(X, y, n_per_class, seed, scaler).items():
                accuracy.setdefault(name, []).append(round(score, 4))
                seconds.setdefault(name, []).append(round(took, 3))
        result["data"][data] = {
            "rows": len(X),
            "labels": n_per_class * len(np.unique(y)),
            "accuracy": accuracy,
            "seconds": seconds,
        }
        print(data, {name: round(float(np.mean(v)), 3) for name, v in accuracy.items()}, flush=True)
        print("written", save("tables", result))


if __name__ == "__main__":
    main()
