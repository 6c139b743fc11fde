"""Priors drawn with NumPy on the CPU: scipy distributions, fitted models, callables."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from skaae.priors._prior import Prior, as_tensor, device_of, refuse_components

Draw = Callable[[Any, int, int, np.random.Generator], Any]


@dataclass(frozen=True, eq=False)
class Drawn(Prior):
    """A prior that draws from a foreign object.

    Parameters
    ----------
    source : the object that the user gave.
    draw : called as draw(source, n_samples, n_components, rng) with a numpy.random.Generator.
    """

    source: Any
    draw: Draw

    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        """Draw rows and check them: a tensor of shape (n_samples, n_components)."""
        refuse_components(self, y)
        seed = torch.randint(2**62, (), generator=generator, device=device_of(generator))
        rng = np.random.default_rng(int(seed))
        draws = self.draw(self.source, n_samples, n_components, rng)
        if isinstance(draws, Tensor):
            draws = draws.detach().cpu().numpy()
        return as_tensor(self._checked(draws, n_samples, n_components), generator)

    def _checked(self, draws: ArrayLike, n_samples: int, n_components: int) -> np.ndarray:
        """Return the draws as an array of the shape asked for, or say what is wrong."""
        array = np.asarray(draws, dtype=np.float32)
        if array.ndim == 1 and n_components == 1:
            array = array[:, None]
        if array.shape != (n_samples, n_components):
            raise ValueError(
                f"prior {self.source!r} drew an array of shape {array.shape} where "
                f"{(n_samples, n_components)} = (n_samples, n_components) is needed; "
                "set n_components to the prior's dimension, or change the prior."
            )
        if not np.isfinite(array).all():
            raise ValueError(
                f"prior {self.source!r} drew values that are infinite or not a number in an array "
                f"of shape {array.shape}; every draw must be finite."
            )
        return array


def draw_scipy(dist: Any, n: int, d: int, rng: np.random.Generator) -> Any:
    """Draw from a scipy distribution; a univariate one is drawn for each component."""
    from scipy.stats.distributions import rv_continuous, rv_discrete, rv_frozen

    if isinstance(dist, rv_frozen | rv_continuous | rv_discrete):
        return dist.rvs(size=(n, d), random_state=rng)
    # multivariate distributions squeeze a single draw and a single dimension
    return np.reshape(dist.rvs(size=n, random_state=rng), (n, -1))


def draw_estimator(estimator: Any, n: int, d: int, rng: np.random.Generator) -> Any:
    """Draw from an object with `sample`, with a fresh random state at every call."""
    parameters = inspect.signature(estimator.sample).parameters
    if "rng" in parameters:  # scipy's newer distributions: univariate, drawn for each component
        return estimator.sample((n, d), rng=rng)
    state = np.random.RandomState(rng.integers(2**32))
    if "random_state" in parameters:
        draws = estimator.sample(n, random_state=state)
    else:
        # mixtures draw from their own random_state: an integer there would repeat every batch
        estimator = copy.copy(estimator)
        estimator.random_state = state
        draws = estimator.sample(n)
    return draws[0] if isinstance(draws, tuple) else draws


def draw_callable(function: Any, n: int, d: int, rng: np.random.Generator) -> Any:
    """Draw from the user's function."""
    return function(n, rng)
