"""How long one row takes, and how many rows threads predict that share one estimator.

    python benchmarks/latency.py

The classifier has layers of 1000 units and 784 columns. One row: the median and the 99th
percentile of single calls. Threads: each predicts batches of 512 rows, with one thread of PyTorch
each, so that more threads are faster only if no lock is held over the products. Writes
results/latency.json. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import save

from skaae import SemiSupervisedAAEClassifier

N_COLUMNS, WIDTH = 784, 1000
N_CALLS, N_UNMEASURED = 3000, 200
METHODS = ("predict", "predict_proba", "transform")
# Milliseconds: the median and the 99th percentile that one row should take.
TARGETS = {"float32": (1.0, 1.5), "float64": (3.0,)}
THREADS = (1, 2, 4, 8)
BATCH, N_BATCHES = 512, 320  # of all threads together


def fitted():
    """Return a classifier, and rows for it."""
    rng = np.random.default_rng(0)
    X = rng.random((2000, N_COLUMNS)).astype(np.float32)
    y = np.where(np.arange(len(X)) < 200, rng.integers(0, 10, len(X)), -1)
    model = SemiSupervisedAAEClassifier(
        hidden_layer_sizes=(WIDTH, WIDTH),
        pseudo_labels=False,
        max_iter=20,
        random_state=0,
        device="cpu",
    )
    return model.fit(X, y), X


def percentiles(method, row):
    """Return the median and the 99th percentile of a call with one row, in milliseconds."""
    seconds = []
    for _ in range(N_UNMEASURED + N_CALLS):
        start = time.perf_counter()
        method(row)
        seconds.append(time.perf_counter() - start)
    p50, p99 = np.percentile(seconds[N_UNMEASURED:], [50, 99])
    return {"p50": round(1e3 * p50, 3), "p99": round(1e3 * p99, 3)}


def rows_per_second(model, X, n_threads):
    """Return how many rows threads predict together; each has one thread for its products."""
    with ThreadPoolExecutor(n_threads, initializer=lambda: torch.set_num_threads(1)) as pool:
        list(pool.map(model.predict, [X[:BATCH]] * n_threads))  # unmeasured
        start = time.perf_counter()
        list(pool.map(model.predict, [X[:BATCH]] * N_BATCHES))
        return round(BATCH * N_BATCHES / (time.perf_counter() - start))


def main():
    model, X = fitted()
    result = {"experiment": "latency", "cores": os.cpu_count(), "one row": [], "threads": []}
    for dtype, target in TARGETS.items():
        row = X[:1].astype(dtype)
        for method in METHODS:
            found = {"dtype": dtype, "method": method, **percentiles(getattr(model, method), row)}
            result["one row"].append({**found, "target": list(target)})
            print(found, flush=True)
    torch.set_num_threads(1)
    for n_threads in THREADS:
        best = max(rows_per_second(model, X, n_threads) for _ in range(3))
        result["threads"].append({"threads": n_threads, "rows per second": best})
        print(result["threads"][-1], flush=True)
    print("written", save("latency", result))


if __name__ == "__main__":
    main()
