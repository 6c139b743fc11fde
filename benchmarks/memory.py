"""Memory beside the table: one epoch of a fit, and `transform`, on tables that must not be copied.

    python benchmarks/memory.py

Each case runs in a process of its own. The figures are the process's largest resident memory less
that before `fit`, in MB. They include networks and optimisers.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys

import numpy as np
import scipy.sparse
from _common import save

from skaae import AAETransformer

CASES = (
    "60,000 x 784, uint8",
    "60,000 x 784, float32",
    "1,280,000 x 784, uint8",
    "320,000 x 784, float32",
    "320,000 x 784, float32, to be standardised",
    "10,000 x 20,000, sparse, 0.5 % not 0",
)


def table(case):
    """Return the table of a case."""
    rng = np.random.default_rng(0)
    if "sparse" in case:
        return scipy.sparse.random(10_000, 20_000, density=0.005, format="csr", rng=rng)
    shape = (int(case.split(" ")[0].replace(",", "")), 784)
    if "standardised" in case:
        return rng.standard_normal(shape, dtype=np.float32)
    if "uint8" in case:
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    else:
        pixels = rng.random(shape, dtype=np.float32)
    pixels[:, ::2] = 0  # a background, as images have
    return pixels


def size(X):
    """Return the memory of a table in MB."""
    arrays = [X] if isinstance(X, np.ndarray) else [X.data, X.indices, X.indptr]
    return sum(array.nbytes for array in arrays) / 1e6


def peak():
    """Return the largest resident memory of this process so far in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def measure(case):
    """Return the figures of a case; it must be the first one of its process."""
    AAETransformer(max_iter=1).fit(np.random.default_rng(0).normal(size=(200, 20)))  # imports
    X = table(case)
    before = peak()
    # larger mini-batches than the default take less time, and slightly more memory
    aae = AAETransformer(max_iter=1, batch_size=1000, random_state=0).fit(X)
    after_fit = peak()
    aae.transform(X)
    dense = X.shape[0] * X.shape[1] * 8 / 1e6
    weights = sum(w.numel() for w in aae._step.networks.parameters()) * 4 / 1e6
    return {
        "table": round(size(X)),
        "as dense float64": round(dense),
        "weights": round(weights),
        "fit": round(after_fit - before),
        "fit and transform": round(peak() - before),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", help="measure one case and print it as JSON")
    case = parser.parse_args().case
    if case:
        print(json.dumps(measure(case)))
        return
    result = {"experiment": "memory beside the table", "MB": {}}
    for name in CASES:
        command = [sys.executable, __file__, "--case", name]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        result["MB"][name] = json.loads(found)
        print(name, result["MB"][name], flush=True)
    print("written", save("memory", result))


if __name__ == "__main__":
    main()
