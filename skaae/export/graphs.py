"""The ONNX graph of a method of a fitted estimator.

PyTorch's exporter translates the module of `to_torch`, so scaling and networks are defined once.
PyTorch has no tensors of text. So a few nodes around that graph turn text into indices of
categories, and indices into text and labels.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import skaae
from skaae.columns.categories import GAP
from skaae.export.columns import TableColumns
from skaae.export.modules import Core, core_of, one_tensor

OPSET, ML_OPSET = 18, 3
# Before the names of all tensors between the network's inputs and outputs.
PREFIX = "network/"
# Inputs and outputs of the network that others than the user give or take.
VALUES, TEXT = "values", "text"
# Text that stands for a gap: an empty one, and what onnxruntime makes of None, NaN and pandas.NA.
GAPS = ("", "None", "nan", "<NA>")
ROWS = "n_samples"


class TextInputs(nn.Module):
    """A method for a table with text: `forward` takes indices of text, and all other columns."""

    def __init__(self, core: Core) -> None:
        super().__init__()
        self.core = core

    def forward(self, text: Tensor, values: Tensor | None = None) -> Tensor:
        return self.core(values, text)


class TextOutputs(nn.Module):
    """Decodes rows of a table with text: `forward` returns the columns without text, and text."""

    def __init__(self, core: Core) -> None:
        super().__init__()
        self.core = core

    def forward(self, Z: Tensor, y: Tensor | None = None) -> tuple[Tensor, ...]:
        return tuple(found for found in self.core(Z, y) if found is not None)


def build(estimator: Any, method: str, dtype: str) -> Any:
    """Return the ONNX model of a method, whose numbers of X and of codes have a dtype."""
    from onnx import checker, compose, helper, inliner

    columns = TableColumns(estimator._table)
    taken = names_of_columns(columns) if columns.text else set()
    labels = estimator._label_values()[0] if method == "predict" else None
    kind_of_label = None if labels is None else label_dtype(labels)
    module, inputs, outputs = network_of(estimator, method, columns, getattr(torch, dtype))
    model = inliner.inline_local_functions(traced(module, inputs, outputs))
    model = compose.add_prefix(model, PREFIX)
    names = {name: free(name, taken) for name in (*inputs, *outputs, "label")}
    shown = [name for name in (*inputs, *outputs) if name not in (VALUES, TEXT)]
    rename(model.graph, {PREFIX + name: names[name] for name in shown})
    given = [info(names[k], t.numpy().dtype, t.shape[1]) for k, t in inputs.items() if k in shown]
    results = [
        info(names[k], t.numpy().dtype, t.shape[1]) for k, t in outputs.items() if k in shown
    ]
    before: list[Any] = []
    after: list[Any] = []
    if columns.text and method == "inverse_transform":
        after, results = write_columns(columns, np.dtype(dtype))
    elif columns.text:
        before, given = read_columns(columns, np.dtype(dtype))
    if labels is not None:
        after = label_nodes(labels, names)
        results.insert(0, info(names["label"], kind_of_label))
    nodes = [*before, *model.graph.node, *after]
    for number, node in enumerate(nodes):
        node.name = node.name or f"columns/{number}"  # onnxruntime wants names that differ
        del node.metadata_props[:]  # PyTorch notes paths of source files there
        node.doc_string = ""
    graph = helper.make_graph(nodes, "skaae", given, results, list(model.graph.initializer))
    domains = {"ai.onnx.ml": ML_OPSET, **{i.domain: i.version for i in model.opset_import}}
    used = {node.domain for node in nodes}
    finished = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(d, v) for d, v in domains.items() if d in used],
        ir_version=model.ir_version,
        producer_name="skaae",
        producer_version=skaae.__version__,
    )
    helper.set_model_props(finished, properties(estimator, method))
    checker.check_model(finished, full_check=True)
    return finished


def network_of(
    estimator: Any, method: str, columns: TableColumns, dtype: torch.dtype
) -> tuple[nn.Module, dict[str, Tensor], dict[str, Tensor]]:
    """Return the module of a method, and examples of its inputs and outputs by name."""
    decodes = method == "inverse_transform"
    name = "predict_proba" if method == "predict" else method
    core = core_of(estimator, name)
    module: nn.Module = one_tensor(estimator, name)
    if columns.text:
        module = TextOutputs(core) if decodes else TextInputs(core)
    if decodes:
        inputs = {"Z": torch.zeros(2, estimator._settings.n_components, dtype=dtype)}
        if core.n_classes:
            inputs["y"] = torch.full((2, core.n_classes), 1.0 / core.n_classes, dtype=dtype)
    elif columns.text:
        inputs = {TEXT: torch.zeros(2, len(columns.text), dtype=torch.int64)}
        if columns.values:
            inputs[VALUES] = torch.zeros(2, len(columns.values), dtype=dtype)
    else:
        inputs = {"X": torch.zeros(2, columns.n_columns, dtype=dtype)}
    with torch.no_grad():
        found = module.eval()(*inputs.values())
    if not decodes:
        return module, inputs, {"Z" if method == "transform" else "probabilities": found}
    if not columns.text:
        return module, inputs, {"X": found}
    parts = [part for part, there in ((VALUES, columns.values), (TEXT, columns.text)) if there]
    return module, inputs, dict(zip(parts, found, strict=True))


def traced(module: nn.Module, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> Any:
    """Return a module as an ONNX model that takes any number of rows."""
    rows = torch.export.Dim(ROWS)
    shapes = tuple({0: rows} for _ in inputs)
    try:
        with quiet(), torch.no_grad():
            program = torch.export.export(module, tuple(inputs.values()), dynamic_shapes=shapes)
            found = torch.onnx.export(
                program,
                dynamo=True,
                input_names=list(inputs),
                output_names=list(outputs),
                opset_version=OPSET,
                optimize=False,  # onnxruntime does it when it loads the file
                verbose=False,
            )
            assert found is not None
    except ImportError as error:
        raise ImportError(
            f"PyTorch's exporter lacks {error.name}; install what it needs with pip install "
            "--upgrade 'skaae[onnx]'"
        ) from error
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            "PyTorch cannot export the networks of this estimator because of a "
            f"{type(error).__name__}: {reason} If you gave a network of your own, it must consist "
            "of operations that torch.onnx.export supports, for any number of rows: write "
            "x.shape[0] in place of len(x). skaae.to_torch returns the module."
        ) from error
    return found.model_proto


@contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings of PyTorch's exporter about its own code, and about packages it lacks."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def free(name: str, taken: set[str]) -> str:
    """Return a name that no column has: the name itself, or with underscores behind it."""
    while name in taken:
        name += "_"
    return name


def names_of_columns(columns: TableColumns) -> set[str]:
    """Return the names of tensors for columns; raise ValueError if they are not unique."""
    names = [str(name) for name in columns.names]
    bad = next((name for name in names if not name or names.count(name) > 1), None)
    if bad is not None:
        raise ValueError(
            f"column {bad!r} cannot be the name of an input of an ONNX file, as names must be text "
            "that differs and is not empty; rename the columns of X, and fit again."
        )
    return set(names)


def rename(graph: Any, names: Mapping[str, str]) -> None:
    """Rename tensors of a graph."""
    for node in graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [names.get(name, name) for name in tensors]


def info(name: str, dtype: Any, width: int | None = None) -> Any:
    """Return the type of an input or output, (n_samples, width) or (n_samples,)."""
    from onnx import TensorProto, helper

    kind = TensorProto.STRING if dtype is str else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, [ROWS] if width is None else [ROWS, width])


def constant(name: str, values: Any) -> Any:
    """Return a node that gives constant values: numbers or text."""
    from onnx import helper, numpy_helper

    values = np.asarray(values)
    if values.dtype.kind == "U":
        values = values.astype(object)
    tensor = numpy_helper.from_array(values, name)
    return helper.make_node("Constant", [], [name], value=tensor)


def read_columns(columns: TableColumns, dtype: np.dtype) -> tuple[list[Any], list[Any]]:
    """Return the nodes that give the network the columns of a table, and the types of these."""
    from onnx import helper

    text = {column.position: column for column in columns.text}
    names = [str(name) for name in columns.names]
    infos = [info(name, str if i in text else dtype, 1) for i, name in enumerate(names)]
    nodes, indices = [], []
    for position, column in text.items():
        indices.append(f"index/{names[position]}")
        known = dict.fromkeys(GAPS, GAP)
        known |= dict(zip(column.values, column.groups.tolist(), strict=True))
        nodes.append(
            helper.make_node(
                "LabelEncoder",
                [names[position]],
                [indices[-1]],
                domain="ai.onnx.ml",
                keys_strings=list(known),
                values_int64s=list(known.values()),
                default_int64=column.default,
            )
        )
    nodes.append(helper.make_node("Concat", indices, [PREFIX + TEXT], axis=1))
    if columns.values:
        values = [names[position] for position in columns.values]
        nodes.append(helper.make_node("Concat", values, [PREFIX + VALUES], axis=1))
    return nodes, infos


def write_columns(columns: TableColumns, dtype: np.dtype) -> tuple[list[Any], list[Any]]:
    """Return the nodes that make columns of the network's outputs, and the types of these."""
    from onnx import helper

    names = [str(name) for name in columns.names]
    nodes, infos = [], {}
    for place, position in enumerate(columns.values):
        nodes += take(PREFIX + VALUES, place, names[position])
        infos[position] = info(names[position], dtype, 1)
    for place, column in enumerate(columns.text):
        name = names[column.position]
        nodes += take(PREFIX + TEXT, place, f"index/{name}")
        nodes.append(constant(f"categories/{name}", column.typical or [""]))
        nodes.append(
            helper.make_node("Gather", [f"categories/{name}", f"index/{name}"], [name], axis=0)
        )
        infos[column.position] = info(name, str, 1)
    return nodes, [infos[position] for position in range(len(names))]


def take(table: str, place: int, name: str) -> list[Any]:
    """Return the nodes that give one column of a table, (n_samples, 1)."""
    from onnx import helper

    index = f"place/{name}"
    nodes = [constant(index, np.array([place]))]
    return [*nodes, helper.make_node("Gather", [table, index], [name], axis=1)]


def label_nodes(labels: np.ndarray, names: Mapping[str, str]) -> list[Any]:
    """Return the nodes that give the most probable label of each row, (n_samples,)."""
    from onnx import helper

    return [
        constant("label/classes", labels),
        helper.make_node("ArgMax", [names["probabilities"]], ["label/index"], axis=1, keepdims=0),
        helper.make_node("Gather", ["label/classes", "label/index"], [names["label"]], axis=0),
    ]


def label_dtype(labels: np.ndarray) -> Any:
    """Return the dtype of labels, `str` for text; raise ValueError for others than ONNX has."""
    if labels.dtype.kind in "biuf":
        return labels.dtype
    if all(isinstance(label, str) for label in labels.tolist()):
        return str
    raise ValueError(
        f"classes of type {type(labels.tolist()[0]).__name__} cannot be exported, only numbers and "
        "text; use method='predict_proba', whose columns have the order of classes_."
    )


def properties(estimator: Any, method: str) -> dict[str, str]:
    """Return what the file says about the estimator; lists are written as JSON."""
    found = {
        "skaae_version": skaae.__version__,
        "estimator": type(estimator).__name__,
        "method": method,
    }
    for name, attribute in (("classes", "classes_"), ("feature_names", "feature_names_in_")):
        if hasattr(estimator, attribute):
            found[name] = json.dumps(getattr(estimator, attribute).tolist(), default=str)
    return found
