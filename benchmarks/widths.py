"""How wide the hidden layers of tables with many columns should be.

    python benchmarks/widths.py --draws 2

Trains `AAETransformer(10)` on made-up tables with layers of several widths, 300 to 900 of which are
three units per column. For each it writes two figures of 500 new rows: the squared error of their
reconstruction, relative to their variance, and the distance (MMD) of their codes to samples of the
prior, which is 0 where they match. Seconds are those of the processor for a fit on one thread.

* "factors" are 40 non-linear functions of 8 hidden factors, mixed into all columns, with noise.
* "classes" are four classes, of scikit-learn's `make_classification`. A sixth of the columns is
  informative, and a quarter depends on these.
"""

from __future__ import annotations

import argparse
import itertools
import time

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import save
from prior_match import distance
from sklearn.datasets import make_classification
from threadpoolctl import threadpool_limits

from skaae import MLP, AAETransformer

N_NEW = 500
TABLES = {
    "factors, 500 x 100": ("factors", 500, 100),
    "factors, 2,000 x 200": ("factors", 2_000, 200),
    "factors, 1,000 x 300": ("factors", 1_000, 300),
    "classes, 1,000 x 100": ("classes", 1_000, 100),
    "classes, 4,000 x 200": ("classes", 4_000, 200),
}
WIDTHS = (128, 256)


def make(kind, n_rows, n_columns, seed):
    """Return rows of a made-up table."""
    if kind == "classes":
        return make_classification(
            n_rows,
            n_columns,
            n_informative=n_columns // 6,
            n_redundant=n_columns // 4,
            n_classes=4,
            random_state=seed,
        )[0]
    rng = np.random.default_rng(seed)
    hidden = np.tanh(rng.normal(size=(n_rows, 8)) @ rng.normal(size=(8, 40)))
    mixed = hidden @ rng.normal(size=(40, n_columns)) / 6.0
    return mixed + 0.3 * rng.normal(size=mixed.shape)


def one_fit(X, width, seed):
    """Return the figures of a fit with layers of this width."""
    train, new = X[:-N_NEW], X[-N_NEW:]
    sizes = (width, width)
    model = AAETransformer(
        10,
        hidden_layer_sizes=sizes,
        network=MLP(discriminator_hidden_layer_sizes=sizes),
        random_state=seed,
    )
    start = time.process_time()
    model.fit(train)
    seconds = time.process_time() - start
    errors = np.square(model.reconstruct(new) - new).sum()
    return {
        "error": errors / np.square(new - train.mean(axis=0)).sum(),
        "distance": distance(model, new),
        "seconds": seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2, help="tables and seeds")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = {}
    with threadpool_limits(1):
        for name, (kind, n_rows, n_columns) in TABLES.items():
            entry = data[name] = {}
            for width, seed in itertools.product((*WIDTHS, 3 * n_columns), range(arguments.draws)):
                X = make(kind, n_rows + N_NEW, n_columns, seed)
                found = one_fit(X, width, seed)
                for key, value in found.items():
                    entry.setdefault(str(width), {}).setdefault(key, []).append(float(value))
                print(name, width, found, flush=True)
    print("written", save("widths", {"experiment": "widths", "data": data}))


if __name__ == "__main__":
    main()
