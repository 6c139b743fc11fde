"""What could be gained beyond the products of small networks, by recording and by many at once.

    python benchmarks/step_overhead.py

Recorded: PyTorch's `make_fx` turns a step into a flat list of operations, without modules and
autograd. We compare it with the step as it is, and count the seconds that recording takes.

Many at once: the weights of several models as one tensor, and each layer as one batched product.
An autoencoder with Adam, written out without anything else, trains alone and with others, both on
one thread, as each process of a grid search does. Writes results/step_overhead.json.
"""

from __future__ import annotations

import itertools
import time
import warnings
from unittest import mock

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import hide_labels, save
from sklearn.datasets import load_digits, load_wine
from torch.fx.experimental.proxy_tensor import make_fx

from skaae import AAETransformer, SemiSupervisedAAEClassifier
from skaae.training.step import AAEStep

BATCH = 100
# Columns and units of each hidden layer of the autoencoders that train together.
SIZES = ((13, 64), (30, 128), (64, 192))
N_MODELS = (2, 4, 8, 16, 32)
N_CODES = 4
ROUNDS, CALLS = 5, 60
STEP_TO_RECORD = 30


def least_ms(call, n_calls=CALLS):
    """Return the least mean time of a call in some rounds, in milliseconds."""
    call()
    means = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(n_calls):
            call()
        means.append((time.perf_counter() - start) / n_calls)
    return 1e3 * min(means)


# Recorded -----------------------------------------------------------------------------------------


def flat_function(graph):
    """Return a graph of operations as a Python function that calls them one after the other."""
    for node in list(graph.nodes):  # without autograd these do nothing
        if node.op == "call_function" and str(node.target).startswith("aten.detach"):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    graph.eliminate_dead_code()
    names, lines, arguments = {}, [], []

    def written(value):
        if isinstance(value, torch.fx.Node):
            return value.name
        if isinstance(value, list | tuple):
            return "[" + ", ".join(map(written, value)) + "]"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k!r}: {written(v)}" for k, v in value.items()) + "}"
        if value is None or isinstance(value, bool | int | float | str):
            return repr(value)
        names[f"constant_{len(names)}"] = value
        return f"constant_{len(names) - 1}"

    for node in graph.nodes:
        if node.op == "placeholder":
            arguments.append(node.name)
        elif node.op == "get_attr":
            names[node.name] = getattr(graph.owning_module, node.target)
        elif node.op == "call_function":
            function = f"function_{len(names)}"
            names[function] = getattr(node.target, "_op", node.target)
            given = [written(value) for value in node.args]
            given += [f"{name}={written(value)}" for name, value in node.kwargs.items()]
            lines.append(f"    {node.name} = {function}({', '.join(given)})")
        elif node.op == "output":
            lines.append(f"    return {written(node.args[0])}")
    exec("\n".join([f"def flat({', '.join(arguments)}):", *lines]), names)
    return names["flat"]


def one_hot(index, n_classes):
    """Return what PyTorch's function does, without its check, which reads a value."""
    return (index.unsqueeze(-1) == torch.arange(n_classes)).long()


def recorded(model, *data):
    """Return the figures of a step of a model, as it is and recorded."""
    found, run, n_calls = {}, AAEStep.__call__, 0

    def call(step, **batch):
        nonlocal n_calls
        n_calls += 1
        if n_calls == STEP_TO_RECORD:
            names, values = list(batch), list(batch.values())
            start = time.perf_counter()
            with mock.patch("torch.nn.functional.one_hot", one_hot):
                module = make_fx(lambda *v: run(step, **dict(zip(names, v, strict=True))))(*values)
                flat = flat_function(module.graph)
            found["seconds to record"] = round(time.perf_counter() - start, 2)
            found["operations"] = len(module.graph.nodes)
            found["step, ms"] = round(least_ms(lambda: run(step, **batch)), 3)
            with torch.no_grad():
                found["recorded, ms"] = round(least_ms(lambda: flat(*values)), 3)
        return run(step, **batch)

    with mock.patch.object(AAEStep, "__call__", call):
        model.fit(*data)
    return found


def steps_recorded():
    """Return the figures of default models of small tables."""
    result = {}
    for name, (X, y) in {
        "wine": load_wine(return_X_y=True),
        "digits": load_digits(return_X_y=True),
    }.items():
        few = hide_labels(y, 10 * len(np.unique(y)), 0)
        for model, data in (
            (AAETransformer(2, max_iter=40, random_state=0), (X,)),
            (SemiSupervisedAAEClassifier(max_iter=40, random_state=0), (X, few)),
        ):
            title = f"{type(model).__name__}, {name}"
            result[title] = recorded(model, *data)
            print(title, result[title], flush=True)
    return result


# Many at once -------------------------------------------------------------------------------------


def training(n_models, n_columns, width, device="cpu"):
    """Return a function that makes a step of `n_models` autoencoders with two layers each."""
    place = {"device": device}
    sizes = [n_columns, width, width, N_CODES, width, width, n_columns]
    shape = () if n_models is None else (n_models,)
    layers = list(itertools.pairwise(sizes))
    weights = [torch.randn(*shape, n, m, **place).mul_(n**-0.5).requires_grad_() for n, m in layers]
    offsets = [torch.zeros(*shape, 1, m, **place).requires_grad_() for _, m in layers]
    x, trained = torch.randn(*shape, BATCH, n_columns, **place), weights + offsets
    multiply = torch.addmm if n_models is None else torch.baddbmm
    optimizer = torch.optim.Adam(trained, fused=True, capturable=device != "cpu")

    def step():
        h = x
        for index, (weight, offset) in enumerate(zip(weights, offsets, strict=True)):
            h = multiply(offset, h, weight)
            h = h if index == len(weights) - 1 else h.relu()
        loss = (h - x).square().mean(dim=(-1, -2)).sum()
        for tensor, gradient in zip(trained, torch.autograd.grad(loss, trained), strict=True):
            tensor.grad = gradient
        optimizer.step()

    return step


def models_together():
    """Return milliseconds of a step of each model, alone and with others, and the gain."""
    result = {}
    for n_columns, width in SIZES:
        alone = least_ms(training(None, n_columns, width))
        found = {"alone, ms": round(alone, 4), "gain": {}}
        for n_models in N_MODELS:
            n_calls = max(3, CALLS // n_models)
            together = least_ms(training(n_models, n_columns, width), n_calls) / n_models
            found["gain"][str(n_models)] = round(alone / together, 2)
        result[f"{n_columns}-{width}-{width}"] = found
        print(n_columns, width, found, flush=True)
    return result


def main():
    warnings.simplefilter("ignore")  # of few epochs
    torch.set_num_threads(1)
    result = {"experiment": "what is beyond the products", "recorded": steps_recorded()}
    result["together"] = models_together()
    print("written", save("step_overhead", result))


if __name__ == "__main__":
    main()
