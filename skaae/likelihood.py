"""The Parzen-window log-likelihood of section 3 of the paper.

Samples are drawn and used in blocks, so memory does not grow with their number. The argument `draw`
is a function that gets a number and returns as many samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from skaae.progress import counted

Draw = Callable[[int], np.ndarray]

BLOCK_SAMPLES = 10_000  # samples that are drawn and decoded at once
BLOCK_DISTANCES = 1 << 24  # distances between rows and samples that are in memory at once
BANDWIDTHS = 25  # number of candidates, evenly spaced in their logarithm
SMALLEST, LARGEST = 0.1, 3.0  # of them


def parzen_log_likelihood(
    X: np.ndarray, draw: Draw, n_samples: int, bandwidth: float
) -> np.ndarray:
    """Return log mean_j N(x_i | s_j, bandwidth^2 I) of every row x_i over n_samples samples s_j."""
    log_sums = np.full(len(X), -np.inf)
    for samples in blocks_of(draw, n_samples):
        log_sums = np.logaddexp(log_sums, log_kernel_sums(X, samples, [bandwidth])[:, 0])
    return log_sums - log_constant(n_samples, X.shape[1], bandwidth)


def choose_bandwidth(X: np.ndarray, draw: Draw, n_samples: int) -> float:
    """Return the bandwidth with the highest log-likelihood of the validation rows X.

    Candidates are 0.1 to 3 times the root mean squared distance, per feature, between each row and
    its nearest sample. If the largest is the best, larger ones follow: in few dimensions, many
    samples are near each row.
    """
    samples = next(blocks_of(draw, min(n_samples, BLOCK_SAMPLES)))
    nearest = np.concatenate([d.amin(dim=1).numpy() for _, d in squared_distances(X, samples)])
    center = math.sqrt(max(float(nearest.mean()) / X.shape[1], 1e-24))
    candidates = center * np.geomspace(SMALLEST, LARGEST, BANDWIDTHS)
    while True:
        sums = log_kernel_sums(X, samples, candidates.tolist())
        constants = [log_constant(len(samples), X.shape[1], width) for width in candidates]
        best = int(np.argmax(sums.mean(axis=0) - constants))
        if best < BANDWIDTHS - 1:
            return float(candidates[best])
        candidates *= LARGEST / SMALLEST


def log_constant(n_samples: int, n_features: int, bandwidth: float) -> float:
    """Return the logarithm of the normalizing constant of a sum of kernels."""
    return math.log(n_samples) + n_features * math.log(bandwidth * math.sqrt(2.0 * math.pi))


def log_kernel_sums(X: np.ndarray, samples: np.ndarray, bandwidths: Sequence[float]) -> np.ndarray:
    """Return log sum_j exp(-||x_i - s_j||^2 / 2 h^2) for rows and bandwidths h: (n, bandwidths)."""
    sums = np.empty((len(X), len(bandwidths)))
    for rows, distances in squared_distances(X, samples):
        for column, bandwidth in enumerate(bandwidths):
            scaled = distances / (-2.0 * bandwidth**2)
            sums[rows, column] = torch.logsumexp(scaled, dim=1).numpy()
    return sums


def squared_distances(X: np.ndarray, samples: np.ndarray) -> Iterator[tuple[slice, Tensor]]:
    """Yield slices of rows with their squared distances to all samples, in float64.

    They are computed as |x|^2 - 2 x s + |s|^2 around the samples' mean, which needs one matrix
    product. The rounding error of the subtraction is far smaller than a bandwidth.
    """
    center = samples.mean(axis=0, dtype=np.float64)
    s = torch.from_numpy(samples.astype(np.float64) - center)
    s_norms = s.square().sum(dim=1)
    n_rows = max(1, BLOCK_DISTANCES // len(samples))
    starts = range(0, len(X), n_rows)
    for start in counted(starts, len(starts), "rows"):
        rows = slice(start, start + n_rows)
        x = torch.from_numpy(X[rows].astype(np.float64) - center)
        distances = x.square().sum(dim=1)[:, None] + s_norms - 2.0 * (x @ s.T)
        yield rows, distances.clamp(min=0.0)


def blocks_of(draw: Draw, n_samples: int) -> Iterator[np.ndarray]:
    """Yield n_samples samples in blocks of at most BLOCK_SAMPLES."""
    starts = range(0, n_samples, BLOCK_SAMPLES)
    for start in counted(starts, len(starts), "samples"):
        yield draw(min(BLOCK_SAMPLES, n_samples - start))
