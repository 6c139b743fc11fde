"""What `skaae.diagnose` finds in healthy fits, and in fits that were made to fail.

    python benchmarks/diagnosis.py --seeds 20

A healthy fit has default parameters. Each estimator is fitted with each seed, on the table that is
next in turn, with a quarter of the rows held out. The number of each check is written, and so are
the warnings, of which there should be none. The limits of the checks were chosen so that they lie
beyond the numbers of healthy fits.

Each way to fail is tried with three seeds. It names the checks that should find it.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings

import _waiting  # noqa: F401 (before torch)
import numpy as np
from _common import RESULTS, save
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_blobs,
    make_moons,
)
from sklearn.model_selection import train_test_split

from skaae import (
    MLP,
    SGD,
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    AAETransformer,
    Adam,
    SemiSupervisedAAEClassifier,
    SupervisedAAETransformer,
    diagnose,
)
from skaae.model_selection import make_unlabeled
from skaae.priors import Petals

FAILED_SEEDS = 3
LABELS_PER_CLASS = 12


def digits(seed):
    X, y = load_digits(return_X_y=True)
    return X[:500], y[:500]


# Tables by name: functions of a seed, which draws those that are made.
TABLES = {
    "iris": lambda seed: load_iris(return_X_y=True),
    "wine": lambda seed: load_wine(return_X_y=True),
    "moons": lambda seed: make_moons(300, noise=0.1, random_state=seed),
    "blobs": lambda seed: make_blobs(300, centers=4, n_features=6, random_state=seed),
    "breast cancer": lambda seed: load_breast_cancer(return_X_y=True),
    "digits": digits,
}
# Estimators by name: functions of a seed and a number of classes.
HEALTHY = {
    "AAETransformer": lambda seed, k: AAETransformer(random_state=seed),
    "AAETransformer, petals": lambda seed, k: AAETransformer(prior="petals", random_state=seed),
    "SupervisedAAETransformer": lambda seed, k: SupervisedAAETransformer(random_state=seed),
    "SemiSupervisedAAEClassifier": lambda seed, k: SemiSupervisedAAEClassifier(random_state=seed),
    "AAEClusterer": lambda seed, k: AAEClusterer(k, random_state=seed),
    "AAEEmbedding": lambda seed, k: AAEEmbedding(random_state=seed),
    "AAEEmbedding, classes": lambda seed, k: AAEEmbedding(use_labels=True, random_state=seed),
    "AAEEmbedding, clusters": lambda seed, k: AAEEmbedding(n_clusters=k, random_state=seed),
    "AAEOutlierDetector": lambda seed, k: AAEOutlierDetector(random_state=seed),
}
ALL_LABELS, FEW_LABELS = (
    "SupervisedAAETransformer",
    ("SemiSupervisedAAEClassifier", "AAEEmbedding, classes"),
)


def healthy_report(name, table, seed):
    """Return the report of a default fit with a seed."""
    X, y = TABLES[table](seed)
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=y)
    n_classes = len(set(y))
    few = make_unlabeled(y, LABELS_PER_CLASS * n_classes, random_state=seed)
    given = y if name in ALL_LABELS else few if name in FEW_LABELS else None
    model = HEALTHY[name](seed, n_classes).fit(X, given)
    return diagnose(model, X, given, X_val=X_val, y_val=y_val)


# Ways to fail: functions of a seed, which return a model to fit, its X and y, and keyword arguments
# of `diagnose`.


# Normalized codes have the mean and the variance of the prior, whatever the discriminator does, and
# the loss falls fast. Components are good codes without training.
NOT_NORMALIZED = {"network": MLP(batch_norm=None, weight_init="uniform")}


def dead_discriminator(seed):
    X, _ = make_blobs(240, centers=3, n_features=6, random_state=0)
    how = {**NOT_NORMALIZED, "solver": Adam(adversarial_learning_rate=0.0)}
    return AAETransformer(max_iter=60, random_state=seed, **how), X, None, {}


def strong_discriminator(seed):
    how = {**NOT_NORMALIZED, "solver": Adam(adversarial_learning_rate=0.03)}
    model = AAETransformer(10, max_iter=40, random_state=seed, **how)
    return model, load_digits().data[:250], None, {}


def untrained_decoder(seed):
    how = {**NOT_NORMALIZED, "solver": Adam(reconstruction_learning_rate=0.0)}
    return AAETransformer(max_iter=60, random_state=seed, **how), load_wine().data, None, {}


def few_epochs(seed):
    model = AAETransformer(max_iter=12, random_state=seed, **NOT_NORMALIZED)
    return model, load_iris().data, None, {}


def missed_petals(seed):
    X, _ = make_blobs(240, centers=2, n_features=6, random_state=0)
    how = {**NOT_NORMALIZED, "solver": Adam(adversarial_learning_rate=1e-5)}
    model = AAETransformer(prior=Petals(10), max_iter=60, random_state=seed, **how)
    return model, X, None, {}


def too_many_clusters(seed):
    X, _ = make_blobs(240, centers=3, n_features=6, random_state=0)
    return AAEClusterer(30, init="random", max_iter=30, random_state=seed), X, None, {}


def ignored_label(seed):
    X, y = load_wine(return_X_y=True)
    how = {"regularizer": None, "class_conditional": False}
    return SupervisedAAETransformer(100, max_iter=60, random_state=seed, **how), X, y, {}


def class_in_style(seed):
    X, y = load_iris(return_X_y=True)
    return SupervisedAAETransformer(10, random_state=seed), X, y, {}


def rows_by_heart(seed):
    rng = np.random.default_rng(seed)
    X, X_val = rng.normal(size=(2, 30, 40))
    model = AAETransformer(10, hidden_layer_sizes=(128,), max_iter=200, random_state=seed)
    return model, X, None, {"X_val": X_val}


def labels_by_heart(seed):
    rng = np.random.default_rng(seed)
    X, X_val = rng.normal(size=(2, 60, 10))
    y, y_val = rng.integers(0, 3, size=(2, 60))
    how = {"pseudo_labels": False, "unlabeled_label": None}
    model = SemiSupervisedAAEClassifier(max_iter=60, random_state=seed, **how)
    return model, X, y, {"X_val": X_val, "y_val": y_val}


def wrong_labels(seed):
    X, y = load_wine(return_X_y=True)
    rng = np.random.default_rng(seed)
    some = rng.permutation(len(y))[: len(y) // 5]
    y[some] = (y[some] + rng.integers(1, 3, len(some))) % 3
    how = {"pseudo_labels": False, "unlabeled_label": None}
    return SemiSupervisedAAEClassifier(max_iter=50, random_state=seed, **how), X, y, {}


def lost_class(seed):
    X, y = load_wine(return_X_y=True)
    few = make_unlabeled(y, 30, random_state=seed)
    solver = SGD(classification_learning_rate=1e-5)
    how = {"pseudo_labels": False, "solver": solver}
    return SemiSupervisedAAEClassifier(max_iter=50, random_state=seed, **how), X, few, {}


def other_shares(seed):
    X, y = load_wine(return_X_y=True)
    few = make_unlabeled(y, 30, random_state=seed)
    how = {"pseudo_labels": False, "class_prior": [0.05, 0.05, 0.9]}
    return SemiSupervisedAAEClassifier(max_iter=60, random_state=seed, **how), X, few, {}


FAILURES = {
    dead_discriminator: ("prior by dimension", "prior jointly", "discriminator alive"),
    strong_discriminator: ("style discriminator", "decoder uses style"),
    untrained_decoder: ("reconstruction", "decoder uses style"),
    few_epochs: ("epochs",),
    missed_petals: ("empty prior components",),
    too_many_clusters: ("empty clusters",),
    ignored_label: ("decoder uses label",),
    class_in_style: ("style tells the class",),
    rows_by_heart: ("overfitting",),
    labels_by_heart: ("overfitting classes",),
    wrong_labels: ("wrong labels",),
    lost_class: ("class shares",),
    other_shares: ("class shares",),
}


def failed_report(failure, seed):
    """Return the report of a fit that was made to fail."""
    model, X, y, how = failure(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fit warns of the worst
        model.fit(X, y)
    return diagnose(model, X, y, **how)


def values(report):
    """Return the numbers of a report by check, and the names of its warnings and notes."""
    found = {f.name: round(f.value, 4) for f in report.findings if f.value is not None}
    by_status = {
        status: [f.name for f in report.findings if f.status == status]
        for status in ("warning", "note")
    }
    return {"values": found, "warnings": by_status["warning"], "notes": by_status["note"]}


def fail(chosen):
    """Return what is found in fits that were made to fail in chosen ways, by their names."""
    failed = {}
    for failure in chosen:
        expected = FAILURES[failure]
        found = [values(failed_report(failure, seed)) for seed in range(FAILED_SEEDS)]
        failed[failure.__name__] = {"expected": list(expected), "found": found}
        missed = [set(expected) - set(one["warnings"]) for one in found]
        print(failure.__name__, "missed:", [sorted(names) for names in missed], flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="fits of each estimator")
    parser.add_argument(
        "--again", nargs="*", choices=HEALTHY, help="fit these estimators only, and keep the rest"
    )
    parser.add_argument(
        "--fail", nargs="*", choices=[f.__name__ for f in FAILURES], help="and fail only so"
    )
    arguments = parser.parse_args()
    chosen = arguments.again or list(HEALTHY)
    if arguments.again:
        result = json.loads((RESULTS / "diagnosis.json").read_text())
        result["healthy"] = [fit for fit in result["healthy"] if fit["estimator"] not in chosen]
        again = [f for f in FAILURES if f.__name__ in (arguments.fail or ())]
        result["failed"].update(fail(again))
    else:
        result = {"experiment": "diagnosis", "failed": fail(FAILURES), "healthy": [], "limits": {}}
    tables = list(TABLES)
    for seed in range(arguments.seeds):
        table, start = tables[seed % len(tables)], time.process_time()
        for name in chosen:
            report = healthy_report(name, table, seed)
            entry = {"estimator": name, "table": table, "seed": seed, **values(report)}
            result["healthy"].append(entry)
            limits = {f.name: (f.best, f.limit) for f in report.findings if f.value is not None}
            result["limits"].update(limits)
            if entry["warnings"]:
                print(name, table, seed, entry["warnings"], flush=True)
        print(table, seed, f"{time.process_time() - start:.0f} s", flush=True)
    save("diagnosis", {**result, "n_seeds": arguments.seeds})


if __name__ == "__main__":
    main()
