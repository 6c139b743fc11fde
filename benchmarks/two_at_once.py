"""Two fits at once beside one alone: as two processes, and as two threads of one process.

    python benchmarks/two_at_once.py

Writes results/two_at_once.json. What the fits wait for is each other's threads of OpenMP, which
spin unless OMP_WAIT_POLICY=passive was set before torch was loaded; so each network is measured
with that and without. Fits take turns (alone, two processes, two threads, with each policy), since
machines are shared and noisy; a round is as slow as the later of its two fits. The networks have
the default widths: for the 64 columns of digits, and for the same pixels drawn larger.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import threading
import time

import joblib
import numpy as np
from _common import save
from sklearn.datasets import load_digits

from skaae import SemiSupervisedAAEClassifier

SIDES = {"64-192-192": 8, "784-1000-1000": 28}
N_LABELED = 50
POLICIES = ("default", "passive")


def make_rows(side, n_rows):
    """Return digits of side x side pixels, and labels with -1 for all but N_LABELED rows."""
    X, y = load_digits(return_X_y=True)
    pixels = np.arange(side) * 8 // side
    X = X.reshape(-1, 8, 8)[:n_rows, pixels][:, :, pixels].reshape(-1, side * side)
    return X, np.where(np.arange(len(X)) < N_LABELED, y[:n_rows], -1)


# In a process of its own --------------------------------------------------------------------------


def work(networks, n_rows, n_epochs):
    """Fit as many models at once, each in a thread, as each line of the input says."""
    X, y = make_rows(SIDES[networks], n_rows)

    def fit():
        SemiSupervisedAAEClassifier(max_iter=n_epochs, random_state=0).fit(X, y)

    fit()  # unmeasured
    print("ready", flush=True)
    for line in sys.stdin:
        threads = [threading.Thread(target=fit) for _ in range(int(line))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("done", flush=True)


# What is measured ---------------------------------------------------------------------------------


@contextlib.contextmanager
def workers(policy, *arguments):
    """Start two processes that are ready to fit, with threads that wait as the policy says."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    if policy == "passive":
        environment["OMP_WAIT_POLICY"] = "passive"
    command = [sys.executable, __file__, "--work", *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(subprocess.Popen(command, env=environment, **pipes))
            for _ in range(2)
        ]
        for worker in started:
            assert worker.stdout.readline() == "ready\n"
        yield started


def seconds_of(started, n_fits):
    """Return how long the processes take, each with so many fits at once."""
    start = time.perf_counter()
    for worker in started:
        print(n_fits, file=worker.stdin, flush=True)
    for worker in started:
        assert worker.stdout.readline() == "done\n"
    return time.perf_counter() - start


def measure(networks, n_rows, n_epochs, rounds):
    """Return {policy: {what: seconds of each round}}."""
    seconds = {policy: {"alone": [], "two processes": [], "two threads": []} for policy in POLICIES}
    with contextlib.ExitStack() as stack:
        started = {
            policy: stack.enter_context(workers(policy, networks, n_rows, n_epochs))
            for policy in POLICIES
        }
        for _ in range(rounds):
            for policy, both in started.items():
                for what, taking_part, n_fits in (
                    ("alone", both[:1], 1),
                    ("two processes", both, 1),
                    ("two threads", both[:1], 2),
                ):
                    found = seconds_of(taking_part, n_fits)
                    seconds[policy][what].append(round(found, 3))
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000, help="rows of digits, at most 1797")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        networks, n_rows, n_epochs = arguments.work
        work(networks, int(n_rows), int(n_epochs))
        return
    result = {"experiment": "two at once", "cores": joblib.cpu_count(), "fits": {}}
    for networks in SIDES:
        found = measure(networks, arguments.rows, arguments.epochs, arguments.rounds)
        result["fits"][networks] = found
        print(networks, found, flush=True)
    print("written", save("two_at_once", result))


if __name__ == "__main__":
    main()
