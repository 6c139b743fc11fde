"""Inference: arrays through trained networks in batches, in the dtype of the arrays.

Hidden layers are held for a batch of rows only, however many rows there are, and the networks are
left as they are, so threads may share them. Knows nothing of scaling or estimators.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from skaae._losses import reconstruction_rows
from skaae._step import AAEStep

Module = TypeVar("Module", bound=nn.Module)

# Rows that pass at once: few enough to bound memory, enough to fill the processor.
BATCH_ROWS = {"cpu": 1024, "cuda": 16384, "mps": 4096}


def encode(step: AAEStep, X: np.ndarray, block: str) -> np.ndarray:
    """Return one block's raw head, (n_samples, block), for scaled rows X."""
    encoder = in_dtype(step.networks.encoder, X.dtype)
    return apply(step, lambda x: encoder(x)[block], X)


def decode(step: AAEStep, code: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return scaled rows (n_samples, n_features) for the blocks of a code."""
    names, arrays = list(code), list(code.values())
    decoder = in_dtype(step.networks.decoder, arrays[0].dtype)

    def rows(*blocks: Tensor) -> Tensor:
        return activate(step, decoder(dict(zip(names, blocks, strict=True))))

    return apply(step, rows, *arrays)


def reconstruct(step: AAEStep, X: np.ndarray) -> np.ndarray:
    """Return scaled rows after encoding and decoding."""
    networks = in_dtype(step.networks, X.dtype)
    return apply(step, lambda x: activate(step, networks(x)), X)


def reconstruction_losses(step: AAEStep, X: np.ndarray) -> np.ndarray:
    """Return the reconstruction loss of each scaled row, without noise or dropout."""
    networks = in_dtype(step.networks, X.dtype)
    kind, sigmoid = step.reconstruction_loss, step.sigmoid
    return apply(step, lambda x: reconstruction_rows(kind, networks(x), x, sigmoid=sigmoid), X)


def activate(step: AAEStep, output: Tensor) -> Tensor:
    """Return the decoder's output after its activation."""
    return torch.sigmoid(output) if step.sigmoid else output


def apply(step: AAEStep, function: Callable[..., Tensor], *arrays: np.ndarray) -> np.ndarray:
    """Return function(*tensors) over all rows as one array, in the dtype of the first array."""
    device, dtype = step.generator.device, arrays[0].dtype
    # MPS has no float64: there the pass is in float32 and its result is widened
    working = torch.float32 if device.type == "mps" else TORCH_DTYPES[dtype.name]
    size = BATCH_ROWS.get(device.type, 1024)
    outputs = []
    with torch.inference_mode():
        for start in range(0, len(arrays[0]), size):
            batch = [torch.tensor(array[start : start + size]) for array in arrays]
            output = function(*(tensor.to(device, working) for tensor in batch))
            outputs.append(output.cpu().numpy().astype(dtype, copy=False))
    return np.concatenate(outputs)


TORCH_DTYPES = {"float32": torch.float32, "float64": torch.float64}


def in_dtype(module: Module, dtype: np.dtype) -> Module:
    """Return the module itself for float32, a copy with weights in float64 for float64.

    A copy, since swapping weights in a module that threads share would hand them each other's.
    """
    on_mps = next(module.parameters()).device.type == "mps"
    return module if dtype == np.float32 or on_mps else copy.deepcopy(module).double()
