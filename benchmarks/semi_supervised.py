"""MNIST with few labels: test error after every epoch, as JSON.

    python benchmarks/semi_supervised.py --data FOLDER --epochs 10 --seeds 0 1 2

Sets of parameters: "default" changes nothing but the number of epochs, "adam" the solver too,
"paper" is the recipe of the paper's section 5, "paper_average" the same with averaged weights. With
--validation the last 10,000 training rows take
the place of the test rows: choices are made there.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from _common import hide_labels, load_mnist, save

from skaae import SemiSupervisedAAEClassifier

PARAMETERS = {
    "default": {},
    "adam": {"solver": "adam"},
    "paper": {
        "n_components": 10,
        "class_prior": "uniform",
        "hidden_layer_sizes": (1000, 1000),
        "solver": "sgd",
        "reconstruction_learning_rate": 0.01,
        "adversarial_learning_rate": 0.1,
        "classification_learning_rate": 0.1,
        "learning_rate_schedule": ((50, 0.1), (1000, 0.01)),
        "input_noise": 0.3,
        "weight_init": 0.01,
        "max_gradient_norm": None,
    },
}
PARAMETERS["paper_average"] = {**PARAMETERS["paper"], "average_weights": True}


def run(parameters, data, n_labeled, epochs, seed):
    """Train epoch by epoch; return the curve of errors in % and the seconds of each epoch."""
    X, y, X_test, y_test = data
    y_few = hide_labels(y, n_labeled, seed)
    model = SemiSupervisedAAEClassifier(random_state=seed, max_iter=epochs, **parameters)
    errors, seconds = [], []
    for epoch in range(epochs):
        start = time.perf_counter()
        model.partial_fit(X, y_few)
        seconds.append(round(time.perf_counter() - start, 2))
        errors.append(round(100.0 * (1.0 - model.score(X_test, y_test)), 2))
        print(
            f"seed {seed} epoch {epoch + 1}: error {errors[-1]:.2f} %, {seconds[-1]} s", flush=True
        )
    last = {name: values[-1] for name, values in model.history_.items()}
    return {"seed": seed, "error": errors, "seconds": seconds, "last_losses": last}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder with mnist.npz; fetched from OpenML where not given")
    parser.add_argument("--labels", type=int, default=100, help="labeled rows, balanced by class")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--parameters", choices=sorted(PARAMETERS), default="paper")
    parser.add_argument("--validation", action="store_true", help="leave the test rows alone")
    arguments = parser.parse_args()
    X, y, X_test, y_test = load_mnist(arguments.data)
    if arguments.validation:
        X, X_test, y, y_test = X[:50_000], X[50_000:], y[:50_000], y[50_000:]
    name = f"semi_supervised_{arguments.parameters}_{arguments.labels}_labels"
    if arguments.validation:
        name += "_validation"
    result = {
        "experiment": "MNIST, semi-supervised",
        "rows": "held-out training rows" if arguments.validation else "test rows",
        "labels": arguments.labels,
        "parameters": arguments.parameters,
        "values": PARAMETERS[arguments.parameters],
        "runs": [],
    }
    for seed in arguments.seeds:
        data = (X, y, X_test, y_test)
        parameters = PARAMETERS[arguments.parameters]
        result["runs"].append(run(parameters, data, arguments.labels, arguments.epochs, seed))
        last = [curve["error"][-1] for curve in result["runs"]]
        result["final_error_mean"] = round(float(np.mean(last)), 3)
        if len(last) > 1:
            result["final_error_standard_error"] = round(
                float(np.std(last, ddof=1) / np.sqrt(len(last))), 3
            )
        print("written", save(name, result))


if __name__ == "__main__":
    main()
