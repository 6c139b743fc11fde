"""How fast a GPU is beside the processor of the same machine.

    python benchmarks/gpu.py --data FOLDER

Writes results/gpu.json after every row, so that a run that is cut keeps what it has. FOLDER holds
mnist.npz; without it the images are left out. Parts:

* "training": milliseconds of one step of SemiSupervisedAAEClassifier without the virtual
  adversarial loss; "recorded" replays a CUDA graph, as `fit` does, "not recorded" launches every
  kernel; "plain port" is the tutorial's loop of speed.py, and "processor" is `fit` on the CPU.
* "defaults": seconds of one `fit` of the estimators with default parameters.
* "images": seconds of one `fit` on MNIST with default parameters, and its test error.
* "inference": rows per second of a table in the host's memory.
"""

from __future__ import annotations

import argparse
import time
from unittest import mock

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import hide_labels, save
from experiments import EXPERIMENTS
from sklearn.datasets import load_digits, make_classification
from speed import N_STYLE, SHAPES, PlainPort, interleaved, make_rows

from skaae import MLP, AAEClusterer, AAEEmbedding, AAETransformer, SemiSupervisedAAEClassifier
from skaae.estimators import fitting


def seconds_of(function):
    """Return the seconds that a call takes, its work on the GPU included."""
    start = time.perf_counter()
    function()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def ms_per_step(fit, n_steps):
    """Return milliseconds of a step: the difference of a long fit and a short one."""
    fit(1)
    short = min(seconds_of(lambda: fit(1)) for _ in range(3))
    long = min(seconds_of(lambda: fit(6)) for _ in range(3))
    return round(1e3 * (long - short) / (5 * n_steps), 3)


def training(device, n_steps):
    """Yield the name and the milliseconds of each row."""
    for networks, (n_features, hidden) in SHAPES.items():
        for batch in (100, 500):
            X, y = make_rows(batch * n_steps, n_features)
            widths = (hidden, hidden)
            model = SemiSupervisedAAEClassifier(
                N_STYLE,
                hidden_layer_sizes=widths,
                network=MLP(discriminator_hidden_layer_sizes=widths),
                batch_size=batch,
                virtual_adversarial=None,
                pseudo_labels=False,
                random_state=0,
            )
            port = PlainPort(X, y, hidden, batch, device)

            def fit(n_epochs, model=model, X=X, y=y, where=device):
                model.set_params(max_iter=n_epochs, device=where).fit(X, y)

            def run_port(n_epochs, port=port):
                for _ in range(n_epochs):
                    port.epoch()

            row = {"recorded": ms_per_step(fit, n_steps)}
            with mock.patch.object(fitting, "captured", lambda step, generator, stage: step):
                row["not recorded"] = ms_per_step(fit, n_steps)
            row["plain port"] = ms_per_step(run_port, n_steps)
            row["processor"] = ms_per_step(lambda n, fit=fit: fit(n, where="cpu"), n_steps)
            yield f"{networks}, batch {batch}", row


def defaults(device):
    """Yield seconds of fits with default parameters, on the GPU and on the processor."""
    digits, digit = load_digits(return_X_y=True)
    table, y = make_classification(2000, 10, n_informative=6, n_classes=4, random_state=0)
    fits = {
        "SemiSupervisedAAEClassifier, 2000 x 10, 40 labels": (
            SemiSupervisedAAEClassifier(random_state=0),
            (table, hide_labels(y, 40, 0)),
        ),
        "SemiSupervisedAAEClassifier, digits, 50 labels": (
            SemiSupervisedAAEClassifier(random_state=0),
            (digits, hide_labels(digit, 50, 0)),
        ),
        "AAETransformer, digits": (AAETransformer(random_state=0), (digits,)),
        "AAEClusterer, digits": (AAEClusterer(10, random_state=0), (digits,)),
        "AAEEmbedding, digits": (AAEEmbedding(random_state=0), (digits,)),
    }
    for name, (model, rows) in fits.items():
        seconds = {}
        for where, place in (("GPU", device), ("processor", "cpu")):
            model.set_params(device=place)
            seconds[where] = round(seconds_of(lambda m=model, r=rows: m.fit(*r)), 2)
        yield name, seconds


def images(device, folder, rows_of):
    """Yield seconds and test errors of fits on MNIST with default parameters."""
    for row in rows_of:
        experiment = EXPERIMENTS[row]
        rows = experiment.load(folder)
        model = experiment.make(0).set_params(device=device)
        seconds = seconds_of(lambda m=model, r=rows, e=experiment: m.fit(r.X, e.labels(r, 0)))
        error = experiment.measure(model, rows)
        yield row, {"seconds": round(seconds, 1), "error": round(error, 3)}


def inference(device, n_rows=60_000):
    """Yield rows per second of the methods that users call."""
    n_features, hidden = SHAPES["784-1000-1000"]
    X, y = make_rows(n_rows, n_features)
    sizes = {"hidden_layer_sizes": (hidden, hidden), "max_iter": 1, "random_state": 0}
    for where, place in (("GPU", device), ("processor", "cpu")):
        model = SemiSupervisedAAEClassifier(**sizes, device=place).fit(X[:1000], y[:1000])
        seconds = interleaved(
            3,
            transform=lambda m=model: m.transform(X),
            predict_proba=lambda m=model: m.predict_proba(X),
            sample=lambda m=model: m.sample(n_rows, random_state=0),
        )
        yield where, {name: round(n_rows / float(np.median(s))) for name, s in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--data", help="folder with mnist.npz")
    parser.add_argument("--steps", type=int, default=100, help="steps of an epoch that is timed")
    parser.add_argument(
        "--images", nargs="*", default=["labels-100-defaults", "clusters-10-defaults"]
    )
    arguments = parser.parse_args()
    device = arguments.device
    parts = {
        "images": images(device, arguments.data, arguments.images) if arguments.data else (),
        "training": training(device, arguments.steps),
        "inference": inference(device),
        "defaults": defaults(device),
    }
    result = {"experiment": "gpu"}
    for part, rows in parts.items():
        result[part] = {}
        for name, figures in rows:
            result[part][name] = figures
            print(part, name, figures, flush=True)
            save("gpu", result)


if __name__ == "__main__":
    main()
