"""Noise of sampled numbers: what the decoder's output leaves out of the training rows."""

from __future__ import annotations

import numpy as np

# Columns up to which noise keeps correlations: time and memory grow with their square.
MOST_CORRELATED = 300


def fit_noise(residuals: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Return a factor of the covariance of residuals (n_rows, n_columns) whose gaps are NaN.

    Multiplied by independent standard normal numbers it gives noise like the residuals. For many
    columns it holds their standard deviations only. The variances are raised by `least`
    (n_columns,).
    """
    known = ~np.isnan(residuals)
    filled = np.where(known, residuals, 0.0).astype(np.float64)
    counts = np.maximum(known.sum(axis=0), 1)
    if residuals.shape[1] > MOST_CORRELATED:
        return np.sqrt(np.square(filled).sum(axis=0) / counts + least)
    pairs = np.maximum(known.astype(np.float64).T @ known, 1.0)
    return factor_of(filled.T @ filled / pairs + np.diag(least))


def factor_of(covariance: np.ndarray) -> np.ndarray:
    """Return a factor F of a covariance F F^T; gaps may have left eigenvalues below 0."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(values.clip(min=0.0))


def mix_noise(before: np.ndarray, now: np.ndarray, share: float) -> np.ndarray:
    """Return the factor of the mean of two covariances, the second one with a weight of `share`."""
    if now.ndim == 1:
        return np.sqrt((1.0 - share) * before**2 + share * now**2)
    return factor_of((1.0 - share) * before @ before.T + share * now @ now.T)


def draw_noise(factor: np.ndarray, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise for rows, (n_rows, n_columns)."""
    drawn = rng.normal(size=(n_rows, factor.shape[-1]))
    return drawn * factor if factor.ndim == 1 else drawn @ factor.T
