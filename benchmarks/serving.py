"""Load test of the example of a web server: docs/examples/serving/app.py, on loopback.

    python benchmarks/serving.py

A classifier of digits with default networks (64 columns, 10 classes) is exported for "predict".
Each case starts a server of its own, a process with one thread for products. Clients, threads of
this process with a connection each, send 10,000 requests: one row, 100 rows, or bad requests of
eight kinds in turn. p50 and p99 are the median and the 99th percentile of the time from sending a
request until its answer is read. The memory is the resident set of the server after its first
answer, after 1,000 requests and after 10,000. The processor time is that of the server. Writes
results/serving.json. Run it on a machine that does nothing else: the clients need a core, and the
server another. The load is how many processes wanted a core in the minute before the first case.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import _waiting  # noqa: F401 (before torch)
import numpy as np
from _common import save
from sklearn.datasets import load_digits

from skaae import SemiSupervisedAAEClassifier, export_onnx

APP = Path(__file__).resolve().parents[1] / "docs" / "examples" / "serving" / "app.py"
N_REQUESTS, N_FIRST = 10_000, 1_000
CONNECTIONS = (1, 8)
MB = 1e6


def export(path):
    """Write the file of a classifier with 50 labels; return the rows to ask for, as lists."""
    X, y = load_digits(return_X_y=True)
    y = np.where(np.arange(len(y)) < 50, y, -1)
    model = SemiSupervisedAAEClassifier(max_iter=20, random_state=0).fit(X, y)
    export_onnx(model, path, method="predict")
    return X.tolist()


def bodies_of(rows):
    """Return the bodies that each case sends in turn."""
    row = rows[0]
    bad = [
        "rows=1",
        '{"row": []}',
        json.dumps({"rows": [row[:-1]]}),
        json.dumps({"rows": [{"pixel": 1.0}]}),
        json.dumps({"rows": [["dark", *row[1:]]]}),
        json.dumps({"rows": [[float("nan"), *row[1:]]]}),
        json.dumps({"rows": [row]}).replace("0.0", "1e999", 1),
        json.dumps({"rows": [row] * 1001}),
    ]
    return {
        "1 row": [json.dumps({"rows": [row]}) for row in rows[:100]],
        "100 rows": [json.dumps({"rows": rows[i : i + 100]}) for i in range(0, 1000, 100)],
        "bad": bad,
    }


@contextlib.contextmanager
def server(path):
    """Start the server as a process of its own; yield its process id and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(APP), str(path), "--port", str(port)])
    try:
        deadline = time.monotonic() + 60.0
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server did not start")
            time.sleep(0.05)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def memory(pid):
    """Return the resident set of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def processor(pid):
    """Return the seconds of the processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(connection, body):
    """Send a request; return its status, whether the answer has a reason, and the seconds."""
    start = time.perf_counter()
    connection.request("POST", "/predict", body)
    response = connection.getresponse()
    answer = response.read()
    seconds = time.perf_counter() - start
    return response.status, response.status == 200 or bool(json.loads(answer)["error"]), seconds


def load(port, bodies, n_requests, n_connections):
    """Send requests on several connections at once; return the answers and the seconds."""
    found, failures = [[] for _ in range(n_connections)], []

    def client(index):
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            for number in range(index, n_requests, n_connections):
                found[index].append(ask(connection, bodies[number % len(bodies)]))
            connection.close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(n_connections)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return list(chain.from_iterable(found)), time.perf_counter() - start


def measure(path, name, bodies, n_connections):
    """Return the figures of a case, on a new server."""
    with server(path) as (pid, port):
        load(port, bodies[:1], 1, 1)
        used, before = [memory(pid)], processor(pid)
        first, first_seconds = load(port, bodies, N_FIRST, n_connections)
        used.append(memory(pid))
        later, later_seconds = load(port, bodies, N_REQUESTS - N_FIRST, n_connections)
        used.append(memory(pid))
        busy = processor(pid) - before
    answers = first + later
    p50, p99 = np.percentile([seconds for *_, seconds in answers], [50, 99])
    return {
        "request": name,
        "connections": n_connections,
        "requests per second": round(len(answers) / (first_seconds + later_seconds)),
        "processor ms": round(1e3 * busy / len(answers), 2),
        "p50": round(1e3 * float(p50), 3),
        "p99": round(1e3 * float(p99), 3),
        "MB": [round(mb, 1) for mb in used],
        "statuses": dict(sorted(Counter(status for status, *_ in answers).items())),
        "without a reason": sum(not reason for _, reason, _ in answers),
    }


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    packages = ("onnxruntime", "starlette", "uvicorn")
    result = {
        "experiment": "serving",
        "cores": os.cpu_count(),
        "load before": round(os.getloadavg()[0], 2),
        "requests": N_REQUESTS,
        "versions": {name: version(name) for name in packages},
        "cases": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.onnx"
        for name, bodies in bodies_of(export(path)).items():
            for n_connections in CONNECTIONS:
                result["cases"].append(measure(path, name, bodies, n_connections))
                print(result["cases"][-1], flush=True)
    print("written", save("serving", result))


if __name__ == "__main__":
    main()
