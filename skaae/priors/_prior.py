"""The base of all priors, and what every kind needs: draws and checks that name the prior."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor


class Prior(ABC):
    """Base of all priors; a subclass defines `sample`.

    Priors compare equal where their parameters do, so they work in parameter grids.
    """

    @abstractmethod
    def sample(
        self,
        n_samples: int,
        n_components: int = 2,
        *,
        y: ArrayLike | Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw from the prior.

        Parameters
        ----------
        n_samples, n_components : int
            Number of rows, and of dimensions of each.
        y : array-like of shape (n_samples,), default=None
            The component that each row is to come from, -1 for anywhere; priors without components
            refuse it.
        generator : torch.Generator, default=None
            Source of randomness; its device is that of the draws. None uses PyTorch's global one.

        Returns
        -------
        z : float32 tensor of shape (n_samples, n_components)
        """

    def count_components(self) -> int:
        """Return the number of components that `y` can choose from; 0 where there are none."""
        return 0

    def log_prob(self, z: Tensor) -> Tensor:
        """Return the logarithm of the density at codes, where the prior has one.

        Parameters
        ----------
        z : tensor of shape (n_samples, n_components)

        Returns
        -------
        log_prob : tensor of shape (n_samples,)

        Raises
        ------
        ValueError
            Where only draws from the prior are known, or its density is 0 somewhere.
        """
        raise ValueError(
            f"prior {self!r} has no density that is above 0 everywhere; use a Gaussian, a "
            "GaussianMixture or Petals, or a regularizer that needs draws only: 'adversarial' or "
            "'mmd'."
        )

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        ours, theirs = vars(self), vars(other)
        return ours.keys() == theirs.keys() and all(same(ours[name], theirs[name]) for name in ours)

    def __hash__(self) -> int:
        return hash(type(self))


def refuse_components(prior: Prior, y: object) -> None:
    if y is not None:
        raise ValueError(f"{prior!r} has no components for y to choose from; leave y out.")


def require_dimension(prior: Prior, dimension: int, n_components: int) -> None:
    if dimension != n_components:
        raise ValueError(
            f"prior {prior!r} has {dimension} dimensions, so its draws have shape "
            f"(n_samples, {dimension}), but n_components={n_components}; "
            f"set n_components={dimension} or choose another prior."
        )


def check_draws(prior: object, draws: Tensor, n_samples: int, n_components: int) -> Tensor:
    """Return draws of the shape asked for, or say what is wrong with them."""
    if not isinstance(draws, Tensor):
        raise TypeError(
            f"prior {prior!r} drew a {type(draws).__name__}; the `sample` of a Prior must return a "
            "float32 tensor. For draws of NumPy give a function of (n_samples, rng) instead."
        )
    if tuple(draws.shape) != (n_samples, n_components):
        raise ValueError(
            f"prior {prior!r} drew an array of shape {tuple(draws.shape)} where "
            f"{(n_samples, n_components)} = (n_samples, n_components) is needed; "
            "set n_components to the prior's dimension, or change the prior."
        )
    if not draws.isfinite().all():
        raise ValueError(
            f"prior {prior!r} drew values that are infinite or not a number in an array "
            f"of shape {tuple(draws.shape)}; every draw must be finite."
        )
    return draws


def device_of(generator: torch.Generator | None) -> torch.device:
    return torch.device("cpu") if generator is None else generator.device


def as_tensor(values: ArrayLike, generator: torch.Generator | None) -> Tensor:
    """Return values as float32 on the generator's device; not to be written to."""
    array = np.asarray(values, np.float32)
    return _constant(array.tobytes(), array.shape, device_of(generator))


@functools.lru_cache(maxsize=256)
def _constant(values: bytes, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Return the same tensor for the same values: a copy to a GPU would wait for it."""
    array = np.frombuffer(values, np.float32).reshape(shape)
    return torch.tensor(array, device=device)


def normal(n: int, d: int, generator: torch.Generator | None) -> Tensor:
    return torch.randn(n, d, generator=generator, device=device_of(generator), dtype=torch.float32)


def uniform(shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    return torch.rand(shape, generator=generator, device=device_of(generator), dtype=torch.float32)


def same(a: object, b: object) -> bool:
    if a is b:
        return True
    try:
        return bool(np.array_equal(np.asarray(a), np.asarray(b)))
    except (TypeError, ValueError):
        return False
