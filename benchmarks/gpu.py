"""How fast a GPU is beside the processor of the same machine.

    python benchmarks/gpu.py --data FOLDER
    python benchmarks/gpu.py --device cpu

The second command adds the columns "processor". Both write results/gpu.json after every row, so
that a run that is cut keeps what it has. FOLDER holds mnist.npz; without it the images are left
out. Parts:

* "training": milliseconds of one step of SemiSupervisedAAEClassifier without the virtual
  adversarial loss; "recorded" replays a CUDA graph, as `fit` does, "not recorded" launches every
  kernel; "plain port" is the tutorial's loop of speed.py.
* "defaults": seconds of one `fit` of the estimators with default parameters.
* "images": seconds of one `fit` on MNIST with default parameters, and its test error.
* "tutorial": seconds of an epoch of the tutorial's networks and rates on MNIST, and the test error.
* "together": milliseconds of a step of several autoencoders at once, recorded; see
  step_overhead.py.
* "inference": rows per second of a table in the host's memory.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from unittest import mock

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import RESULTS, hide_labels, save
from experiments import EXPERIMENTS
from sklearn.datasets import load_digits, make_classification
from speed import SHAPES, PlainPort, interleaved, make_rows, plain_classifier
from step_overhead import least_ms
from step_overhead import training as training_of_many

from skaae import AAEClusterer, AAEEmbedding, AAETransformer, SemiSupervisedAAEClassifier
from skaae.estimators import fitting

PARTS = ("defaults", "training", "inference", "together", "images", "tutorial")


def seconds_of(function):
    """Return the seconds that a call takes, its work on the GPU included."""
    start = time.perf_counter()
    function()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def place(device):
    """Return the name of the column of a device."""
    return "processor" if device == "cpu" else "GPU"


def ms_per_step(fit, n_steps, rounds=2, more=5):
    """Return milliseconds of a step: the difference of a fit of `more` epochs and one of one."""
    fit(1)
    short = min(seconds_of(lambda: fit(1)) for _ in range(rounds))
    long = min(seconds_of(lambda: fit(1 + more)) for _ in range(rounds))
    return round(1e3 * (long - short) / (more * n_steps), 3)


def training(device, n_steps):
    """Yield the name and the milliseconds of each row."""
    for networks, (n_features, hidden) in SHAPES.items():
        for batch in (100, 500):
            X, y = make_rows(batch * n_steps, n_features)
            model = plain_classifier(hidden, batch)

            def fit(n_epochs, model=model, X=X, y=y):
                model.set_params(max_iter=n_epochs, device=device).fit(X, y)

            title = f"{networks}, batch {batch}"
            if device == "cpu":
                yield title, {"processor": ms_per_step(fit, n_steps, rounds=1, more=2)}
                continue
            row = {"recorded": ms_per_step(fit, n_steps)}
            with mock.patch.object(fitting, "captured", lambda step, generator, stage: step):
                row["not recorded"] = ms_per_step(fit, n_steps)
            port = PlainPort(X, y, hidden, batch, device)
            row["plain port"] = ms_per_step(port.epochs, n_steps)
            yield title, row


def defaults(device):
    """Yield seconds of fits with default parameters."""
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
        model.set_params(device=device)
        yield name, {place(device): round(seconds_of(lambda m=model, r=rows: m.fit(*r)), 2)}


def images(device, folder, rows_of):
    """Yield seconds and test errors of fits on MNIST with default parameters."""
    for row in rows_of:
        experiment = EXPERIMENTS[row]
        rows = experiment.load(folder)
        model = experiment.make(0).set_params(device=device)
        seconds = seconds_of(lambda m=model, r=rows, e=experiment: m.fit(r.X, e.labels(r, 0)))
        error = experiment.measure(model, rows)
        yield row, {"seconds": round(seconds, 1), "error": round(error, 3)}


def tutorial(device, folder, n_epochs):
    """Yield the figures of the tutorial's networks: its 500 epochs take 360 s."""
    experiment = EXPERIMENTS["tutorial"]
    rows = experiment.load(folder)
    model = experiment.make(0).set_params(device=device, max_iter=n_epochs)
    seconds = seconds_of(lambda: model.fit(rows.X, experiment.labels(rows, 0)))
    error = experiment.measure(model, rows)
    yield f"{n_epochs} epochs", {"seconds": round(seconds, 1), "error": round(error, 3)}


def models_together(device):
    """Yield milliseconds of a step of all models, by their number, for each size."""
    for n_columns, width in ((13, 64), (64, 192)):
        found = {}
        for n_models in (None, 4, 16, 64, 128):
            step = training_of_many(n_models, n_columns, width, device)
            found[str(n_models or 1)] = round(least_ms(recorded(step)), 4)
        yield f"{n_columns}-{width}-{width}", found


def recorded(step):
    """Return a replay of a step that is recorded as a CUDA graph."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()

    def replay():
        graph.replay()
        torch.cuda.synchronize()

    return replay


def inference(device, n_rows=60_000):
    """Yield rows per second of the methods that users call."""
    n_features, hidden = SHAPES["784-1000-1000"]
    X, y = make_rows(n_rows, n_features)
    sizes = {"hidden_layer_sizes": (hidden, hidden), "max_iter": 1, "random_state": 0}
    model = SemiSupervisedAAEClassifier(**sizes, device=device).fit(X[:1000], y[:1000])
    seconds = interleaved(
        3,
        transform=lambda: model.transform(X),
        predict_proba=lambda: model.predict_proba(X),
        sample=lambda: model.sample(n_rows, random_state=0),
    )
    for method, found in seconds.items():
        yield method, {place(device): round(n_rows / float(np.median(found)))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--data", help="folder with mnist.npz")
    parser.add_argument("--steps", type=int, default=40, help="steps of an epoch that is timed")
    parser.add_argument("--epochs", type=int, default=50, help="of the tutorial's networks")
    parser.add_argument("--parts", nargs="*", choices=PARTS)
    parser.add_argument(
        "--images", nargs="*", default=["labels-100-defaults", "clusters-10-defaults"]
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # of few epochs
    device, folder = arguments.device, arguments.data
    rows = {
        "defaults": defaults(device),
        "training": training(device, arguments.steps),
        "inference": inference(device),
    }
    if device != "cpu":
        rows["together"] = models_together(device)
        if folder:
            rows["images"] = images(device, folder, arguments.images)
            rows["tutorial"] = tutorial(device, folder, arguments.epochs)
    path = RESULTS / "gpu.json"
    result = json.loads(path.read_text()) if path.is_file() else {"experiment": "gpu"}
    for part in arguments.parts or rows:
        for name, figures in rows[part]:
            result.setdefault(part, {}).setdefault(name, {}).update(figures)
            print(part, name, figures, flush=True)
            save("gpu", result)


if __name__ == "__main__":
    main()
