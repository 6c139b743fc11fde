"""Seconds to a stated test error on MNIST with 100 labels: ours beside the plain port.

    python benchmarks/time_to_error.py --data FOLDER --error 12 --epochs 10 --threads 2

The plain port is the tutorial's loop as it is (see speed.py). Ours is the classifier with its
default parameters but without the virtual adversarial loss, which the port does not have, and the
same with joint updates. Each trains epoch by epoch until its test error is at or below the stated
one, or for as many epochs as are allowed. Only training is timed. The error is measured after every
epoch, so the figure is the time of a user who knows when to stop: the same for all.
"""

from __future__ import annotations

import argparse
import time

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import hide_labels, load_mnist, save
from speed import PlainPort

from skaae import SGD, SemiSupervisedAAEClassifier


def port(X, y):
    """Return a function that trains the plain port for an epoch, and one that predicts."""
    model = PlainPort(X, y, hidden=1000, batch_size=100)

    def predict(rows):
        model.encoder.eval()
        with torch.inference_mode():
            found = model.encode(torch.from_numpy(rows))[0].argmax(dim=1).numpy()
        model.encoder.train()
        return found

    return model.epoch, predict


def ours(X, y, **changes):
    """Return the same for our classifier."""
    model = SemiSupervisedAAEClassifier(virtual_adversarial=None, random_state=0, **changes)
    return lambda: model.partial_fit(X, y), model.predict


def curve(train, predict, X_test, y_test, error, n_epochs):
    """Return test errors in % and seconds of training, epoch by epoch."""
    errors, seconds = [], []
    while len(errors) < n_epochs and (not errors or errors[-1] > error):
        start = time.perf_counter()
        train()
        seconds.append(round(time.perf_counter() - start, 2))
        errors.append(round(100.0 * float(np.mean(predict(X_test) != y_test)), 2))
        print(f"epoch {len(errors)}: {errors[-1]:.2f} %, {seconds[-1]:.1f} s", flush=True)
    return {
        "error": errors,
        "seconds": seconds,
        "reached": errors[-1] <= error,
        "total seconds": round(sum(seconds), 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder with mnist.npz; fetched from OpenML where not given")
    parser.add_argument("--error", type=float, default=12.0, help="test error to reach, in %%")
    parser.add_argument("--epochs", type=int, default=10, help="where a training is given up")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    X, y, X_test, y_test = load_mnist(arguments.data)
    y_few = hide_labels(y, 100, 0)
    trainings = {
        "defaults": ours(X, y_few),
        "joint": ours(X, y_few, solver=SGD(updates="joint")),
        "plain port": port(X, y_few),
    }
    result = {"experiment": "time to error", "error": arguments.error, "curves": {}}
    for name, (train, predict) in trainings.items():
        print(name, flush=True)
        found = curve(train, predict, X_test, y_test, arguments.error, arguments.epochs)
        result["curves"][name] = found
    print("written", save(f"time_to_error_{arguments.threads}_threads", result))


if __name__ == "__main__":
    main()
