"""What a second thread gains in training and what it costs, by the width of the networks.

    python benchmarks/threads.py

Writes results/threads.json: milliseconds of processor time of a step of the classifier, with its
default batches, on one thread and on two. Times of the processor hold on a machine that others use
too. The threads sleep while they wait, so what the calling thread takes is what a step lasts, but
for the time in which it waits for the other: its gain is the most that a second thread can bring.
What both take together is what another program on the same cores has to do without.
"""

from __future__ import annotations

import argparse
import time
from unittest import mock

import _waiting  # noqa: F401 (before torch)
import torch
from _common import save
from speed import make_rows

from skaae import MLP, SGD, SemiSupervisedAAEClassifier
from skaae.device import MIN_BFLOAT16_WIDTH, multiplies_in_bfloat16

COLUMNS = (64, 784)
WIDTHS = (64, 128, 192, 256, 384, 512, 768, 1000)


def precisions(width):
    """Return those that a training of this width may have here."""
    fast = width >= MIN_BFLOAT16_WIDTH and multiplies_in_bfloat16(torch.device("cpu"))
    return ("float32", "bfloat16") if fast else ("float32",)


def milliseconds(model, X, y, n_threads, n_steps):
    """Return processor time of a step: of the calling thread, and of the whole process."""
    with mock.patch("skaae.device.n_training_threads", return_value=n_threads):
        own, together = time.thread_time(), time.process_time()
        model.partial_fit(X, y)
        own, together = time.thread_time() - own, time.process_time() - together
    return 1e3 * own / n_steps, 1e3 * together / n_steps


def measure(n_columns, width, precision, rounds, n_steps=4, batch=100):
    """Return a row of the table: the least of some rounds, in which one and two take turns."""
    X, y = make_rows(n_steps * batch, n_columns)
    sizes = (width, width)
    model = SemiSupervisedAAEClassifier(
        hidden_layer_sizes=sizes,
        network=MLP(discriminator_hidden_layer_sizes=sizes),
        solver=SGD(precision=precision),
        batch_size=batch,
        random_state=0,
    )
    milliseconds(model, X, y, 2, n_steps)  # unmeasured
    one, two = [], []
    for _ in range(rounds):
        one.append(milliseconds(model, X, y, 1, n_steps))
        two.append(milliseconds(model, X, y, 2, n_steps))
    least = {
        "one thread": min(own for own, _ in one),
        "two, the calling one": min(own for own, _ in two),
        "two, together": min(together for _, together in two),
    }
    where = {"columns": n_columns, "width": width, "precision": precision}
    return {**where, **{name: round(value, 2) for name, value in least.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rows = []
    for n_columns in COLUMNS:
        for width in WIDTHS:
            for precision in precisions(width):
                rows.append(measure(n_columns, width, precision, arguments.rounds))
                print(rows[-1], flush=True)
    print("written", save("threads", {"experiment": "threads", "steps": rows}))


if __name__ == "__main__":
    main()
