"""Tables larger than memory: how much memory a fit takes, and how fast it goes through the rows.

    python benchmarks/out_of_core.py --folder FOLDER
    python benchmarks/out_of_core.py --folder FOLDER --data FOLDER_OF_MNIST --draws 2

Writes a table of float32 into the folder (20 GB by default) and trains on it for one epoch. Each
process may use 2 GB of memory of its own; that of a mapped file does not count, as the system takes
it back when it is needed. A process also trains on a part of the table that is in its memory. Then
both are compared in rows per second. The pages of the file are dropped from memory before they are
read. The second command counts errors on MNIST with 100 labels and default parameters, with an
eighth of the rows in memory at a time. Both write results/out_of_core.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import RESULTS, save
from experiments import EXPERIMENTS

from skaae import AAETransformer, OutOfCore

N_COLUMNS = 784
ALLOWED = 2_000_000_000
N_IN_MEMORY = 150_000
N_INFERRED = 1_000_000
PARTS = 8  # of MNIST: so much of it is in a group of blocks
ROWS_AT_ONCE = 50_000
BATCH = 500
# Units of a hidden layer, and how many rows of the table are used.
NETWORKS = {"128-128": (128, None), "1000-1000": (1000, 500_000)}


def write(path, n_rows):
    """Write rows with a few directions of variance, sorted by the first of them."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(10, N_COLUMNS)).astype(np.float32)
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n_rows, N_COLUMNS))
    for start in range(0, n_rows, ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, n_rows)
        code = rng.normal(size=(stop - start, 10)).astype(np.float32)
        code[:, 0] += 4.0 * start / n_rows
        X[start:stop] = code @ directions
        X[start:stop] += rng.random((stop - start, N_COLUMNS), dtype=np.float32)
    X.flush()


def drop(path):
    """Drop the pages of a file from memory."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def memory_of_its_own():
    """Return the most bytes that this process has taken, without pages of mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])


def child(path, task, width, n_used):
    """Train or infer in this process, and print the figures as JSON."""
    warnings.simplefilter("ignore", UserWarning)  # of one epoch
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_DATA, (ALLOWED, ALLOWED))
    X = np.load(path, mmap_mode="r")[:n_used]
    kept = np.array(X[:N_IN_MEMORY]) if task == "in memory" else None
    most = []

    def note(seconds=0.2):
        while True:
            most.append(memory_of_its_own())
            time.sleep(seconds)

    threading.Thread(target=note, daemon=True).start()
    model = AAETransformer(
        hidden_layer_sizes=(width, width), batch_size=BATCH, max_iter=1, random_state=0
    )
    rows = OutOfCore(X) if kept is None else kept
    if task == "transform":
        model.fit(np.array(X[:1000]))
        rows = OutOfCore(X[:N_INFERRED])
    start, processor = time.perf_counter(), time.process_time()
    model.transform(rows) if task == "transform" else model.fit(rows)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    found = {
        "rows": len(rows),
        "rows per second": round(len(rows) / seconds),
        "processor seconds": round(processor, 1),
        "memory, MB": round(max(most) / 1e6),
    }
    print(json.dumps(found))


def errors_on_mnist(path, data, n_draws):
    """Yield each draw with the test error in % of a fit that reads its rows from disk."""
    experiment = EXPERIMENTS["labels-100-defaults"]
    rows = experiment.load(data)
    np.save(path, rows.X)
    for draw in range(n_draws):
        stored = OutOfCore(np.load(path, mmap_mode="r"), memory=4 * rows.X.nbytes // PARTS)
        model = experiment.make(draw).fit(stored, experiment.labels(rows, draw))
        yield draw, round(experiment.measure(model, rows), 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", required=True, help="for the table, which is then removed")
    parser.add_argument("--gigabytes", type=float, default=20.0)
    parser.add_argument("--data", help="folder with mnist.npz")
    parser.add_argument("--draws", type=int, default=2, help="of labels, on MNIST")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    path = Path(arguments.folder) / "table.npy"
    if arguments.data is not None:
        path = path.with_name("mnist.npy")
        result = json.loads((RESULTS / "out_of_core.json").read_text())
        result["mnist"] = {"parts": PARTS, "errors": {}}
        for draw, error in errors_on_mnist(path, arguments.data, arguments.draws):
            result["mnist"]["errors"][str(draw)] = error
            print("MNIST, draw", draw, error, flush=True)
            save("out_of_core", result)
        path.unlink()
        return
    if arguments.child is not None:
        task, width, n_used = arguments.child
        child(path, task, int(width), int(n_used))
        return
    n_rows = int(arguments.gigabytes * 1e9 / (4 * N_COLUMNS))
    write(path, n_rows)
    result = {"experiment": "out of core", "bytes": path.stat().st_size, "fits": {}}
    try:
        for name, (width, n_used) in NETWORKS.items():
            row = result["fits"][name] = {}
            for task in ("in memory", "from disk", "transform"):
                drop(path)
                command = [sys.executable, __file__, "--folder", arguments.folder]
                command += ["--child", task, str(width), str(n_used or n_rows)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                row[task] = json.loads(done.stdout.splitlines()[-1])
                print(name, task, row[task], flush=True)
                save("out_of_core", result)
    finally:
        path.unlink()


if __name__ == "__main__":
    main()
