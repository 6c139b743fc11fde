"""Milliseconds of a training step in several processes, and what many GPUs would reach on paper.

    python benchmarks/ranks.py

Writes results/ranks.json. "steps": the step of SemiSupervisedAAEClassifier, as in gpu.py, in 1, 2
and 4 processes of one thread each on this machine, which divide mini-batches of 100 or 1000 rows.
The milliseconds are the least time from one step to the next, and "processor" is the median of the
processor's time for it in one process, which says more on a machine that others use too. "messages"
and "numbers" are what a step adds up over the processes. "sums": milliseconds to add up so many
numbers in two processes on loopback. "paper": milliseconds of a step of so many GPUs, from the
measured step of one GPU in results/gpu.json, the counted messages, and the ASSUMED speeds of the
network.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _waiting  # noqa: F401 (before torch)
import torch
from _common import RESULTS, save
from speed import SHAPES, make_rows, plain_classifier

from skaae.training import ranks
from skaae.training.step import AAEStep

BATCHES = (100, 1000)
ROWS_OF_GPU = 100
PROCESSES = (1, 2, 4)
SUMS = (10_000, 100_000, 1_000_000, 4_000_000)
GPUS = (1, 8, 16, 64, 128, 512)
# Not measured. Within a machine of 8 GPUs and between machines: bytes per second that one GPU
# sends, and seconds until a message arrives.
ASSUMED = {
    "GPUs of a machine": 8,
    "bytes per second within": 200e9,
    "bytes per second between": 40e9,
    "seconds within": 5e-6,
    "seconds between": 10e-6,
}


def steps_of(networks, batch, n_steps, n_epochs):
    """Return what a step of a fit takes in this process, and what it adds up over processes."""
    n_features, hidden = SHAPES[networks]
    X, y = make_rows(batch * n_steps, n_features)
    model = plain_classifier(hidden, batch, max_iter=n_epochs, device="cpu")
    times, sums = [], []
    call, add = AAEStep.__call__, ranks.Ranks.add

    def watched(self, *rows, **named):
        sums.clear()
        times.append((time.perf_counter(), time.process_time()))
        found = call(self, *rows, **named)
        watched.messages = list(sums)
        return found

    def counted(self, tensor):
        sums.append(tensor.numel())
        return add(self, tensor)

    AAEStep.__call__, ranks.Ranks.add = watched, counted
    try:
        model.fit(X, y)
    finally:
        AAEStep.__call__, ranks.Ranks.add = call, add
    pairs = list(itertools.pairwise(times))[n_steps:]  # not the first epoch
    wall, processor = zip(*[(b[0] - a[0], b[1] - a[1]) for a, b in pairs], strict=True)
    return {
        "milliseconds": round(1e3 * min(wall), 3),
        "processor": round(1e3 * statistics.median(processor), 3),
        "messages": len(watched.messages),
        "numbers": sum(watched.messages),
    }


def seconds_of_sums(rounds=15):
    """Return milliseconds to add up tensors over the processes, by the number of entries."""
    found = {}
    with ranks.joined(lambda: torch.device("cpu")):
        for n in SUMS:
            tensor = torch.ones(n)
            taken = []
            for _ in range(rounds):
                began = time.perf_counter()
                ranks.current().add(tensor)
                taken.append(time.perf_counter() - began)
                tensor.fill_(1.0)
            found[str(n)] = round(1e3 * statistics.median(taken), 3)
    return found


def work(arguments):
    """Measure in one of several processes; the first one prints what it found."""
    torch.set_num_threads(1)
    n = int(os.environ.get("WORLD_SIZE", "1"))
    found = {"steps": {}}
    for networks in SHAPES:
        for batch in BATCHES:
            how = (networks, batch, arguments.steps, arguments.epochs)
            found["steps"][f"{networks}, {batch}"] = steps_of(*how)
    if n == 2:
        found["sums"] = seconds_of_sums()
    if os.environ.get("RANK", "0") == "0":
        Path(arguments.worker).write_text(json.dumps(found))


def measure(n, arguments):
    """Return what `work` found in n processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        command = [sys.executable, __file__, "--worker", str(path)]
        command += ["--steps", str(arguments.steps), "--epochs", str(arguments.epochs)]
        same = {"OMP_NUM_THREADS": "1"}
        if n > 1:  # what torchrun sets
            same |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(n)}
            same |= {"TORCHELASTIC_RUN_ID": "benchmark"}
        workers = []
        for rank in range(n):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank)} if n > 1 else {}
            workers.append(subprocess.Popen(command, env={**os.environ, **same, **own}))
        codes = [worker.wait() for worker in workers]
        if any(codes):
            raise RuntimeError(f"the processes ended with {codes}")
        return json.loads(path.read_text())


def seconds_to_add(n_gpus, n_messages, n_numbers):
    """Return the seconds in which GPUs add up the messages of a step, under the assumptions.

    Each machine sums in a ring within it. Then machines sum the parts of their GPUs: these move as
    many bytes as in a ring, and wait for as many messages as in a tree. Numbers have 4 bytes.
    """
    inside = min(n_gpus, ASSUMED["GPUs of a machine"])
    machines = math.ceil(n_gpus / ASSUMED["GPUs of a machine"])
    n_bytes = 4.0 * n_numbers
    moved = 2.0 * (inside - 1) / inside * n_bytes / ASSUMED["bytes per second within"]
    moved += (
        2.0 * (machines - 1) / machines * n_bytes / inside / ASSUMED["bytes per second between"]
    )
    waits = 2.0 * (inside - 1) * ASSUMED["seconds within"]
    waits += 2.0 * math.log2(machines) * ASSUMED["seconds between"]
    return moved + n_messages * waits


def on_paper(steps):
    """Return milliseconds of a step by the number of GPUs, each with 100 rows of its own."""
    gpu = json.loads((RESULTS / "gpu.json").read_text())
    networks = "784-1000-1000"
    counted = steps["2"][f"{networks}, {ROWS_OF_GPU}"]
    found = {}
    for kind in ("not recorded", "recorded"):
        alone = gpu["training"][f"{networks}, batch {ROWS_OF_GPU}"][kind]
        found[kind] = {
            str(n): round(
                alone + 1e3 * seconds_to_add(n, counted["messages"], counted["numbers"]), 3
            )
            for n in GPUS
        }
    return {
        "networks": networks,
        "hardware": gpu["circumstances"]["hardware"],
        "assumed": ASSUMED,
        "milliseconds": found,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--worker", help="the file of a process that this script started")
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments)
        return
    found = {str(n): measure(n, arguments) for n in PROCESSES}
    steps = {n: one["steps"] for n, one in found.items()}
    result = {
        "experiment": "ranks",
        "rows of a GPU": ROWS_OF_GPU,
        "steps": steps,
        "sums": found["2"]["sums"],
    }
    result |= {"cores": os.cpu_count(), "paper": on_paper(steps)}
    print("written", save("ranks", result))


if __name__ == "__main__":
    main()
