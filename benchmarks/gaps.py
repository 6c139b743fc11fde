"""Few labels and missing values: the classifier's defaults beside what a user would pick instead.

    python benchmarks/gaps.py --draws 3

The tables of numbers are those of few_labels.py. A draw is a split and 20 labels for each class on
average, drawn from all training rows. 10, 30 or 50 % of all values are hidden at random, in
training and test rows. Imputers learn from all training rows, and the classifiers after them from
the labeled ones. Each method runs on one thread.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import torch
from _common import save
from few_labels import draw, read
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from skaae import SemiSupervisedAAEClassifier

TABLES = (
    "breast cancer",
    "digits",
    "heart",
    "ionosphere",
    "iris",
    "movement_libras",
    "phoneme",
    "ring",
    "satimage",
    "sonar",
    "texture",
    "vehicle",
    "wine",
    "wisconsin",
)
SHARES = (0.1, 0.3, 0.5)
LABELS_PER_CLASS = 20

# Makers of the imputer, or None where the classifier takes gaps itself, and of the classifier.
METHODS = {
    "skaae": (None, lambda seed: SemiSupervisedAAEClassifier(random_state=seed)),
    "forest": (None, lambda seed: RandomForestClassifier(random_state=seed)),
    "boosting": (None, lambda seed: HistGradientBoostingClassifier(random_state=seed)),
    "mean, logistic": (
        lambda seed: SimpleImputer(),
        lambda seed: LogisticRegression(max_iter=2000),
    ),
    "KNNImputer, SVC": (lambda seed: KNNImputer(), lambda seed: SVC(random_state=seed)),
    "IterativeImputer, logistic": (
        lambda seed: IterativeImputer(random_state=seed),
        lambda seed: LogisticRegression(max_iter=2000),
    ),
    "IterativeImputer, forest": (
        lambda seed: IterativeImputer(random_state=seed),
        lambda seed: RandomForestClassifier(random_state=seed),
    ),
}


def one_draw(X, y, share, seed):
    """Return the accuracy and the seconds of each method, by name."""
    X_train, y_few, X_test, y_test = draw(X, y, "random", LABELS_PER_CLASS, seed)
    rng = np.random.default_rng(seed)
    X_train, X_test = (np.where(rng.random(A.shape) < share, np.nan, A) for A in (X_train, X_test))
    found = {}
    for name, (make_imputer, make_classifier) in METHODS.items():
        start = time.perf_counter()
        rows, test, classifier = X_train, X_test, make_classifier(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of imputers that have not converged
            if make_imputer is not None:
                imputer = make_imputer(seed).fit(X_train)
                rows, test = imputer.transform(X_train), imputer.transform(X_test)
            given = y_few >= 0 if name != "skaae" else np.ones(len(y_few), bool)
            accuracy = classifier.fit(rows[given], y_few[given]).score(test, y_test)
        found[name] = round(accuracy, 4), round(time.perf_counter() - start, 2)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = {"experiment": "few labels and missing values", "tables": {}}
    for table in TABLES:
        X, y = read(table)
        X = X[:, X.std(axis=0) > 0.0]
        entry = {"rows": len(X), "columns": X.shape[1], "accuracy": {}, "seconds": {}}
        for share in SHARES:
            with threadpool_limits(1):
                draws = [one_draw(X, y, share, seed) for seed in range(arguments.draws)]
            for what, place in (("accuracy", 0), ("seconds", 1)):
                values = {name: [found[name][place] for found in draws] for name in METHODS}
                entry[what][f"{share:.0%}"] = values
            means = {
                name: np.mean(v).round(3) for name, v in entry["accuracy"][f"{share:.0%}"].items()
            }
            print(table, f"{share:.0%}", means, flush=True)
        result["tables"][table] = entry
        save("gaps", result)


if __name__ == "__main__":
    main()
