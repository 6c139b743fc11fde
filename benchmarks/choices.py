"""The classifier's defaults, changed one at a time, on held-out training rows of small data sets.

    python benchmarks/choices.py --draws 3
    python benchmarks/choices.py --draws 3 --changes "posterior='gaussian'" "posterior='universal'"

The second command adds changes to the file that the first one has written. Draws are other splits
than those of tables.py. A quarter of each training part is held out; the test rows of a split are
not used.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from _common import RESULTS, described, hide_labels, save
from sklearn.model_selection import train_test_split
from tables import data_sets

from skaae import MLP, SGD, SemiSupervisedAAEClassifier, VirtualAdversarial

CHANGES = [
    {},
    {"pseudo_labels": False},
    {"solver": SGD(average_weights=False)},
    {"pseudo_labels": False, "solver": SGD(average_weights=False)},
    {"network": MLP(weight_init="uniform")},
    {"solver": "adam"},
    {"input_noise": 0.0},
    {"virtual_adversarial": None},
    {"virtual_adversarial": VirtualAdversarial(learning_rate=0.03)},
    {"class_prior": "uniform"},
    {"network": MLP(batch_norm="encoder")},
    {"network": MLP(discriminator_noise=0.3)},
    {"posterior": "gaussian"},
    {"posterior": "universal"},
    {"components_per_class": 2},
    {
        "components_per_class": 3,
        "network": MLP(batch_norm="hidden"),
        "solver": "adam",
        "virtual_adversarial": VirtualAdversarial(learning_rate=0.002),
    },
]
CHANGES = {described(parameters): parameters for parameters in CHANGES}


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
