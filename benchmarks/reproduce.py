"""Reproduce a row of the paper's tables: draws of labels and seeds, a figure after every epoch.

    python benchmarks/reproduce.py labels-100 --data FOLDER --draws 5

The rows are those of experiments.py (`--list` shows them). Labels are drawn balanced by class, draw
K with seed K, which is also the estimator's. The last epoch counts, not the best one. With
--validation the last 10,000 training rows take the place of the test rows, to make choices with.

Each draw writes results/reproduction/ROW_draw_K.json. A run that is interrupted goes on from its
last checkpoint when the same command is given again; with more --epochs a finished one goes on too.
Rows that measure the same models in different ways (clusters-10, -16 and -30) share their
checkpoints: run them one after the other.
"""

from __future__ import annotations

import argparse
import pickle
import time
from pathlib import Path

import _waiting  # noqa: F401 (before torch)
import torch
from _common import described, recorded, save
from experiments import EXPERIMENTS

CHECKPOINTS = Path(__file__).parent / "checkpoints"


def run(name, rows, draw, epochs, path):
    """Train up to `epochs`, from the checkpoint at `path` if there is one; return the record."""
    experiment = EXPERIMENTS[name]
    # only with warm_start do checkpoints hold the state of the optimisers
    model = experiment.make(draw).set_params(warm_start=True)
    record = {"epochs": [], "figures": [], "seconds": []}
    wanted = f"{described(experiment.parameters)}, {len(rows.X)} rows"
    if path.is_file():
        state = pickle.loads(path.read_bytes())
        if state["of"] != wanted:
            raise ValueError(
                f"{path} is of other parameters or rows: {state['of']}, now {wanted}; "
                "remove it or give another --checkpoints."
            )
        model, record = state["model"], state["record"]
    y = experiment.labels(rows, draw)
    seen = slice(len(rows.X) - experiment.n_validation)
    if epochs is None:
        return fit_once(experiment, rows, y, draw)
    done = record["epochs"][-1] if record["epochs"] else 0
    while done < epochs:
        start = time.perf_counter()
        train(
            model,
            rows.X[seen],
            None if y is None else y[seen],
            min(experiment.chunk, epochs - done),
            epochs,
        )
        seconds = time.perf_counter() - start
        done = model.n_iter_
        record["epochs"].append(done)
        record["figures"].append(round(experiment.measure(model, rows), 3))
        record["seconds"].append(round(seconds, 2))
        keep(path, {"of": wanted, "model": model, "record": record})
        print(
            f"{name} draw {draw}, epoch {done}/{epochs}: {record['figures'][-1]:.3f}, "
            f"{record['seconds'][-1]:.1f} s",
            flush=True,
        )
    record["last_losses"] = last_losses(model)
    return record


def fit_once(experiment, rows, y, draw):
    """Return the record of one `fit`, which chooses its own number of epochs."""
    model = experiment.make(draw)
    start, processor = time.perf_counter(), time.process_time()
    model.fit(rows.X, y)
    record = {
        "epochs": [model.n_iter_],
        "seconds": [round(time.perf_counter() - start, 2)],
        "processor_seconds": [round(time.process_time() - processor, 2)],
        "figures": [round(experiment.measure(model, rows), 3)],
        "last_losses": last_losses(model),
    }
    print(f"{experiment.title}, draw {draw}: {record['figures'][0]:.3f}", flush=True)
    return record


def last_losses(model):
    """Return the losses of the last epoch, by name."""
    return {name: values[-1] for name, values in model.history_.items() if name != "stage"}


def take(name, rows, record, path):
    """Return the record of a row that uses the trained model at `path`, with its training time."""
    model = pickle.loads(path.read_bytes())["model"]
    return {
        "epochs": record["epochs"][-1:],
        "figures": [round(EXPERIMENTS[name].measure(model, rows), 3)],
        "seconds": [round(sum(record["seconds"]), 2)],
        "last_losses": record["last_losses"],
    }


def train(model, X, y, n_epochs, planned):
    """Train for some more epochs of those planned: rates and stages go by the planned number."""
    model.set_params(max_iter=planned)
    for _ in range(n_epochs):
        model.partial_fit(X, y)


def keep(path, state):
    """Write a checkpoint, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(pickle.dumps(state))
    part.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("row", choices=sorted(EXPERIMENTS), nargs="?")
    parser.add_argument("--list", action="store_true", help="show the rows and stop")
    parser.add_argument("--data", help="folder with mnist.npz; fetched from OpenML where not given")
    parser.add_argument("--draws", type=int, default=5, help="number of draws, seeded 0, 1, ...")
    parser.add_argument("--first-draw", type=int, default=0, help="to share draws among machines")
    parser.add_argument("--epochs", type=int, help="in place of the row's own number")
    parser.add_argument("--validation", action="store_true", help="leave the test rows alone")
    parser.add_argument(
        "--checkpoints", type=Path, default=CHECKPOINTS, help="folder to go on from"
    )
    parser.add_argument("--threads", type=int, help="threads of PyTorch")
    arguments = parser.parse_args()
    if arguments.list or arguments.row is None:
        for name, experiment in EXPERIMENTS.items():
            print(f"{name:20} {experiment.title}")
        return
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    experiment = EXPERIMENTS[arguments.row]
    rows = experiment.load(arguments.data)
    rows = rows.held_out() if arguments.validation else rows
    epochs = arguments.epochs or experiment.epochs
    trained = experiment.trained_as or arguments.row
    for draw in range(arguments.first_draw, arguments.draws):
        which = f"{'_validation' if arguments.validation else ''}_draw_{draw}"
        name, path = f"{arguments.row}{which}", arguments.checkpoints / f"{trained}{which}.pkl"
        record = run(trained, rows, draw, epochs, path)
        if experiment.trained_as:
            record = take(arguments.row, rows, record, path)
        result = {
            "experiment": arguments.row,
            "draw": draw,
            "rows": "held-out training rows" if arguments.validation else "test rows",
            "estimator": experiment.estimator.__name__,
            "parameters": recorded(experiment.parameters),
            **record,
        }
        print("written", save(f"reproduction/{name}", result))


if __name__ == "__main__":
    main()
