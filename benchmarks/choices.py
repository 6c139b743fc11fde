"""The classifier's defaults, changed one at a time, on held-out training rows of small data sets.

    python benchmarks/choices.py --draws 3
    python benchmarks/choices.py --draws 3 --changes "posterior='gaussian'" "posterior='universal'"

The second adds changes to the file that the first has left. Draws are other splits than those of
tables.py, and a quarter of each training part is held out: the test rows of a split play no part.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from _common import RESULTS, hide_labels, save
from sklearn.model_selection import train_test_split
from tables import data_sets

from skaae import SemiSupervisedAAEClassifier

CHANGES = {
    "defaults": {},
    "spread_labels=False": {"spread_labels": False},
    "average_weights=False": {"average_weights": False},
    "neither": {"spread_labels": False, "average_weights": False},
    "weight_init='uniform'": {"weight_init": "uniform"},
    "solver='adam'": {"solver": "adam"},
    "input_noise=0": {"input_noise": 0.0},
    "virtual_adversarial_learning_rate=0": {"virtual_adversarial_learning_rate": 0.0},
    "virtual_adversarial_learning_rate=0.03": {"virtual_adversarial_learning_rate": 0.03},
    "class_prior='uniform'": {"class_prior": "uniform"},
    "batch_norm='encoder'": {"batch_norm": "encoder"},
    "discriminator_noise=0.3": {"discriminator_noise": 0.3},
    "posterior='gaussian'": {"posterior": "gaussian"},
    "posterior='universal'": {"posterior": "universal"},
    "n_subclasses=2": {"n_subclasses": 2},
    "n_subclasses=3 and what it is made for": {
        "n_subclasses": 3,
        "solver": "adam",
        "batch_norm": "hidden",
        "virtual_adversarial_learning_rate": 0.002,
    },
}


def accuracy(X, y, n_per_class, seed, params):
    """Return accuracy on held-out training rows for one draw; None where training diverged."""
    X, _, y, _ = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=y)
    X, X_held, y, y_held = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=y)
    y_few = hide_labels(y, n_per_class * len(np.unique(y)), seed)
    try:
        model = SemiSupervisedAAEClassifier(random_state=seed, **params).fit(X, y_few)
    except FloatingPointError:
        return None
    return round(model.score(X_held, y_held), 4)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--changes", nargs="+", choices=CHANGES, metavar="CHANGE")
    arguments = parser.parse_args()
    result = {"experiment": "defaults changed one at a time, held-out training rows", "data": {}}
    if arguments.changes:
        kept = json.loads((RESULTS / "choices.json").read_text())
        n_draws = len(kept["data"]["digits"]["defaults"])
        if arguments.draws != n_draws:
            parser.error(
                f"--draws {arguments.draws}: the file holds {n_draws} draws of each change."
            )
        result["data"] = kept["data"]
        result["others_from"] = kept.get("others_from", kept["circumstances"])
    for data, X, y, n_per_class in data_sets():
        result["data"].setdefault(data, {})
        for change in arguments.changes or CHANGES:
            params = CHANGES[change]
            scores = [accuracy(X, y, n_per_class, s, params) for s in range(arguments.draws)]
            result["data"][data][change] = scores
            print(data, change, scores, flush=True)
        if not arguments.changes:
            save("choices", result)
    save("choices", result)


if __name__ == "__main__":
    main()
