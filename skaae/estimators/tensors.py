"""Tensors in; tensors out, where scikit-learn's array API dispatch is on."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np
import torch
from sklearn import get_config

from skaae.device import on_cpu_by_default
from skaae.storage.sources import as_array

# Public methods with rows or codes as first argument.
METHODS = (
    *("fit", "partial_fit", "fit_predict", "merge"),
    *("transform", "inverse_transform", "reconstruct", "impute", "restyle", "encode_samples"),
    *("predict", "predict_proba", "predict_log_proba", "decision_function"),
    *("score", "score_samples", "parzen_log_likelihood", "sample", "sample_prior"),
)


class TakesTensors:
    """Lets public methods take PyTorch tensors, of any device and dtype, and with gradients.

    The rows pass through the host's memory. Methods return arrays. With array API dispatch they
    return a tensor if the first argument is one, on its device. A method that only some models of a
    class have needs the decorator `with_tensors`.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in METHODS:
            method = inspect.getattr_static(cls, name, None)
            if inspect.isfunction(method) and not hasattr(method, "_takes_tensors"):
                setattr(cls, name, with_tensors(method))


def with_tensors(method):
    """Return the method for arrays as a method for arrays and tensors."""

    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        first: Any = args[0] if args else kwargs.get("X")
        named = {name: as_array(value) for name, value in kwargs.items()}
        with on_cpu_by_default():
            found = method(self, *map(as_array, args), **named)
        is_asked = isinstance(first, torch.Tensor) and get_config()["array_api_dispatch"]
        if is_asked and isinstance(found, np.ndarray) and found.dtype.kind in "biuf":
            return torch.from_numpy(np.ascontiguousarray(found)).to(first.device)
        return found

    wrapper._takes_tensors = True  # type: ignore[attr-defined]
    return wrapper
