"""Tensors in, tensors out, where scikit-learn's array API dispatch is on."""

from __future__ import annotations

import functools

import numpy as np
import torch
from sklearn import get_config

# Public methods with rows or codes as first argument.
METHODS = (
    *("fit", "partial_fit", "fit_predict", "merge"),
    *("transform", "inverse_transform", "reconstruct", "impute", "restyle", "encode_samples"),
    *("predict", "predict_proba", "predict_log_proba", "decision_function"),
    *("score", "score_samples"),
)


class TakesTensors:
    """Lets public methods take PyTorch tensors, and return tensors on the device of the first one.

    The rows pass through the host's memory. Without array API dispatch, methods return arrays.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in METHODS:
            method = getattr(cls, name, None)
            if method is not None and not hasattr(method, "_takes_tensors"):
                setattr(cls, name, with_tensors(method))


def with_tensors(method):
    """Return the method for arrays as a method for arrays and tensors."""

    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        first = args[0] if args else kwargs.get("X")
        if not (isinstance(first, torch.Tensor) and get_config()["array_api_dispatch"]):
            return method(self, *args, **kwargs)
        named = {name: as_array(value) for name, value in kwargs.items()}
        found = method(self, *map(as_array, args), **named)
        if isinstance(found, np.ndarray) and found.dtype.kind in "biuf":
            return torch.from_numpy(np.ascontiguousarray(found)).to(first.device)
        return found

    wrapper._takes_tensors = True  # type: ignore[attr-defined]
    return wrapper


def as_array(value):
    """Return a tensor as an array; return anything else as it is."""
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
