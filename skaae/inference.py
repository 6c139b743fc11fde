"""Inference: passes arrays through trained networks in batches, in the dtype of the arrays.

Because of the batches, the memory for hidden layers does not grow with the number of rows.
Inference does not change the networks, so several threads may use them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skaae.columns.network_rows import KnownValues, NetworkRows
from skaae.columns.noise import mix_noise
from skaae.device import BATCH_ROWS, without_autocast
from skaae.progress import counted
from skaae.training.step import AAEStep

Rows = np.ndarray | NetworkRows | KnownValues

# Rows of a piece: a multiple of the rows that pass through the networks at once.
PIECE_ROWS = 1 << 17
# Most training rows that the noise of sampled numbers, and the styles of labels, are learned from.
MOST_ROWS = 10_000
# Rows of earlier calls that count as much as the rows of a `partial_fit`.
ROWS_REMEMBERED = 1000


def encode(step: AAEStep, X: Rows, block: str) -> np.ndarray:
    """Return one block ("style" or "label") of the mean codes of scaled rows X."""
    networks = in_dtype(step, X.dtype)

    def code(x: Tensor) -> Tensor:
        return networks.code(networks.encoder(x))[block]

    return apply(step, code, X)


def logits(step: AAEStep, X: Rows) -> np.ndarray:
    """Return the logits of classes, (n_samples, n_classes), for scaled rows X."""
    encoder = in_dtype(step, X.dtype, "encoder")
    return apply(step, lambda x: encoder.class_logits(encoder(x)), X)


def combine(step: AAEStep, X: Rows) -> np.ndarray:
    """Return the decoder's inputs (n_samples, n_inputs) from the mean codes of scaled rows X."""
    networks = in_dtype(step, X.dtype)
    return apply(step, lambda x: networks.decoder.combine(networks.code(networks.encoder(x))), X)


def draw_codes(step: AAEStep, X: Rows, n_codes: int, generator: torch.Generator) -> np.ndarray:
    """Return samples of the style from q(z|x), (n_rows, n_codes, style), for scaled rows X.

    The noise comes from a generator on the CPU, so one seed gives the same samples on any device.
    """
    networks = in_dtype(step, X.dtype)
    n_noise = networks.encoder.n_noise

    def draw(x: Tensor, noise: Tensor) -> Tensor:
        outputs = networks.encoder(x, noise=noise if n_noise else None)
        return networks.posterior.draw(outputs["style"], noise)

    def samples(x: Tensor, noise: Tensor) -> Tensor:
        return torch.stack([draw(x, one) for one in noise.unbind(dim=1)], dim=1)

    shape = (len(X), n_codes, n_noise or networks.n_components)
    noise = torch.randn(shape, generator=generator, dtype=torch.float32)
    return apply(step, samples, X, noise.numpy())


def decode(step: AAEStep, code: Mapping[str, np.ndarray]) -> np.ndarray:
    """Decode codes, given as their blocks by name, to scaled rows (n_samples, n_features)."""
    names, arrays = list(code), list(code.values())
    decoder = in_dtype(step, arrays[0].dtype, "decoder")

    def rows(*blocks: Tensor) -> Tensor:
        return step.reconstruction.activate(decoder(dict(zip(names, blocks, strict=True))))

    return apply(step, rows, *arrays)


def decode_combined(step: AAEStep, Z: np.ndarray) -> np.ndarray:
    """Decode inputs Z of the decoder to scaled rows (n_samples, n_features)."""
    decoder = in_dtype(step, Z.dtype, "decoder")
    return apply(step, lambda z: step.reconstruction.activate(decoder.expand(z)), Z)


def reconstruct(step: AAEStep, X: Rows, y: np.ndarray | None = None) -> np.ndarray:
    """Encode and decode scaled rows X; y are their classes if the decoder needs them."""
    networks = in_dtype(step, X.dtype)
    return apply(step, lambda x, *y: step.reconstruction.activate(networks(x, *y)), *present(X, y))


def reconstruction_losses(step: AAEStep, X: Rows, y: np.ndarray | None = None) -> np.ndarray:
    """Return the reconstruction loss of each scaled row in float64, without noise or dropout."""
    networks = in_dtype(step, X.dtype)
    known = known_values(X)
    names = [name for name, values in (("y", y), ("known", known)) if values is not None]

    def rows(x: Tensor, *others: Tensor) -> Tensor:
        given = dict(zip(names, others, strict=True))
        return step.reconstruction.losses(networks(x, given.get("y")), x, given.get("known"))

    return apply(step, rows, *present(X, y, known)).astype(np.float64)


def errors_and_codes(step: AAEStep, X: Rows) -> np.ndarray:
    """Return the reconstruction errors and the style of each scaled row, side by side."""
    networks = in_dtype(step, X.dtype)

    def features(x: Tensor, *known: Tensor) -> Tensor:
        code = networks.code(networks.encoder(x))
        errors = step.reconstruction.errors(networks.decoder(code), x, *known)
        return torch.cat([errors, code["style"]], dim=1)

    return apply(step, features, *present(X, known_values(X)))


def known_values(X: Rows) -> KnownValues | None:
    """Return `NetworkRows.known_values`; arrays have no gaps."""
    return X.known_values() if isinstance(X, NetworkRows) else None


def noise_of_numbers(
    step: AAEStep,
    X: NetworkRows,
    y: np.ndarray | None,
    before: np.ndarray | None,
    weights: np.ndarray | None = None,
) -> np.ndarray | None:
    """Return the factor of the noise of sampled numbers, or None if they get none.

    It is that of the residuals of training rows X with the observed classes y, at most MOST_ROWS of
    them. Rows may have weights. In a `partial_fit` the result is mixed with `before`, the factor of
    earlier rows. The fewer the new rows, the more `before` counts.
    """
    if not X.table.has_noise or step.reconstruction.sigmoid:
        return None
    index = some_rows(len(X), weights)
    some = X.select(index)
    found = reconstruct(step, some, None if y is None else y[index])
    noise = X.table.fit_noise(X.rows[index], found)
    share = len(index) / (len(index) + ROWS_REMEMBERED)
    return noise if before is None else mix_noise(before, noise, share)


def some_rows(n_rows: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the indices of at most MOST_ROWS of so many rows, evenly spaced.

    Rows with weights (n_rows,) are there in proportion to them, some of them more than once.
    """
    n_wanted = min(n_rows, MOST_ROWS)
    if weights is None:
        return np.linspace(0, n_rows - 1, n_wanted).round().astype(int)
    ends = np.cumsum(weights, dtype=np.float64)
    places = (np.arange(n_wanted) + 0.5) / n_wanted * ends[-1]
    return np.searchsorted(ends, places, side="right").clip(max=n_rows - 1)


def present(*arrays: Rows | None) -> list[Rows]:
    """Return the arrays that are not None."""
    return [array for array in arrays if array is not None]


def pieces(index: np.ndarray) -> Iterator[np.ndarray]:
    """Yield an index in pieces, so that not all results of rows need to be in memory at once."""
    for start in range(0, len(index), PIECE_ROWS):
        yield index[start : start + PIECE_ROWS]


def apply(step: AAEStep, function: Callable[..., Tensor], *arrays: Rows) -> np.ndarray:
    """Return function(*tensors) over all rows as one array, in the dtype of the first array."""
    device, dtype = step.generator.device, arrays[0].dtype
    # MPS has no float64, so the networks compute in float32 and the result is converted
    working = torch.float32 if device.type == "mps" else TORCH_DTYPES[dtype.name]
    size = BATCH_ROWS.get(device.type, 1024)
    # one array for all: small arrays between the large tensors would fragment the memory
    outputs = np.empty(0, dtype)
    with torch.inference_mode(), without_autocast(device):
        starts = range(0, len(arrays[0]), size)
        for start in counted(starts, len(starts), "rows"):
            batch = [torch.tensor(array[start : start + size]) for array in arrays]
            batch = [rows.to(working) if rows.is_floating_point() else rows for rows in batch]
            output = function(*(rows.to(device) for rows in batch)).cpu().numpy()
            if start == 0:
                outputs = np.empty((len(arrays[0]), *output.shape[1:]), dtype)
            outputs[start : start + len(output)] = output
    return outputs


TORCH_DTYPES = {"float32": torch.float32, "float64": torch.float64}


def in_dtype(step: AAEStep, dtype: np.dtype, name: str = "") -> Any:
    """Return the trained networks, or their submodule `name`, with weights in a dtype.

    For float64 this is a copy. The step keeps it until the weights change, because converting the
    weights takes longer than inference on a few rows.
    """
    on_mps = step.generator.device.type == "mps"
    if dtype == np.float32 or on_mps:
        return step.trained.get_submodule(name)
    return step.copy_in_float64(name)
