"""Hashes of any value, which are the same in every process and differ between different values."""

from __future__ import annotations

import functools
import types
from typing import Any

import joblib
import numpy as np
import torch
from scipy.sparse import issparse

from skaae.columns.schema import MixedRows

# Values that joblib hashes by their content alone.
PLAIN = (str, bytes, bool, int, float, complex, np.ndarray, np.generic, np.dtype, type(None))
# The generator of a distribution of scipy, which is NumPy's global one.
GENERATOR = "_random_state"
FRAMES = ("pandas", "polars")


def digest(value: Any, within: tuple[int, ...] = ()) -> Any:
    """Return a text, or lists of texts, for a value.

    Functions count with their code and with what they refer to, other objects with their
    attributes. `within` are the identities of the objects that contain the value. Raises TypeError,
    AttributeError or PicklingError if the value cannot be hashed.
    """
    if isinstance(value, PLAIN) or issparse(value):
        return joblib.hash(value)
    if id(value) in within:
        return "itself"
    of = functools.partial(digest, within=(*within, id(value)))
    kind = [type(value).__module__, type(value).__qualname__]
    if isinstance(value, MixedRows):
        return [*kind, of(value.numbers), of(value.categories)]
    if isinstance(value, torch.Tensor):
        return [*kind, str(value.dtype), of(value.detach().cpu().numpy())]
    if isinstance(value, torch.nn.Module):
        return [*kind, repr(value), of(value.state_dict())]
    if isinstance(value, list | tuple):
        return [*kind, [of(item) for item in value]]
    if isinstance(value, set | frozenset):
        return [*kind, sorted(str(of(item)) for item in value)]
    if isinstance(value, dict):
        return [*kind, sorted(str([of(key), of(item)]) for key, item in value.items())]
    if isinstance(value, types.FunctionType):
        return [*kind, value.__module__, value.__qualname__, *map(of, parts(value))]
    if isinstance(value, types.MethodType):
        return [*kind, of(value.__func__), of(value.__self__)]
    if isinstance(value, functools.partial):
        return [*kind, of(value.func), of(value.args), of(value.keywords)]
    if isinstance(value, types.CodeType):
        return [*kind, of(value.co_code), of(value.co_names), of(value.co_consts)]
    if isinstance(value, type | types.ModuleType | types.BuiltinFunctionType):
        return [*kind, getattr(value, "__module__", None), value.__name__]
    if hasattr(value, "dist") and hasattr(value.dist, "name"):  # a distribution of scipy
        return [*kind, value.dist.name, of(value.args), of(value.kwds)]
    if kind[0].partition(".")[0] in FRAMES or not hasattr(value, "__dict__"):
        return [*kind, joblib.hash(value)]
    # such as an estimator, which may be fitted
    return [*kind, of({name: v for name, v in vars(value).items() if name != GENERATOR})]


def parts(function: types.FunctionType) -> list[Any]:
    """Return what a function depends on: its code, defaults, closure, and the names it uses."""
    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # it is not bound yet
            cells.append(None)
    names = names_in(function.__code__)
    used = {name: function.__globals__[name] for name in names & function.__globals__.keys()}
    return [function.__code__, cells, function.__defaults__, function.__kwdefaults__, used]


def names_in(code: types.CodeType) -> set[str]:
    """Return the global names and attributes in a function's code, and in functions inside it."""
    inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return set(code.co_names).union(*map(names_in, inner))
