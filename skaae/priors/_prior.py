"""The base class of all priors, and the checks and random numbers that they share."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor


class Prior(ABC):
    """Base class of all priors; derive your own from it and define `sample`.

    Two priors of one class are equal if their parameters are equal, so priors work in parameter
    grids.

    Attributes
    ----------
    draws_on_host : bool
        Whether `sample` computes on the CPU even if the generator is on a GPU, as a prior does that
        draws with NumPy. Its samples may then be on the CPU too. In training on a GPU they are
        drawn before each step, because the step is recorded as a CUDA graph. The default is False.

    Examples
    --------
    >>> import torch
    >>> from skaae.priors import Prior
    >>> class Ring(Prior):
    ...     def sample(self, n_samples, n_components=2, *, y=None, generator=None):
    ...         device = None if generator is None else generator.device
    ...         z = torch.randn(n_samples, n_components, generator=generator, device=device)
    ...         return z / z.norm(dim=1, keepdim=True)
    >>> Ring().sample(5).shape
    torch.Size([5, 2])
    """

    draws_on_host: bool = False

    @abstractmethod
    def sample(
        self,
        n_samples: int,
        n_components: int = 2,
        *,
        y: ArrayLike | Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw samples from the prior.

        Parameters
        ----------
        n_samples : int
            Number of samples.
        n_components : int, default=2
            Number of dimensions of each sample.
        y : array-like of shape (n_samples,), default=None
            The index of the prior's component that each sample is drawn from, or -1 for a random
            component. Priors without components accept only None.
        generator : torch.Generator, default=None
            Source of random numbers. Samples are on its device. None uses PyTorch's global
            generator on the CPU.

        Returns
        -------
        z : float32 tensor of shape (n_samples, n_components)

        Raises
        ------
        ValueError
            If the prior cannot have n_components dimensions, or y contains no valid component.
        """

    def count_components(self) -> int:
        """Return the number of components that `y` of `sample` can choose, or 0."""
        return 0

    def log_prob(self, z: Tensor) -> Tensor:
        """Return the logarithm of the prior's density at the codes z.

        Parameters
        ----------
        z : tensor of shape (n_samples, n_components)

        Returns
        -------
        log_prob : tensor of shape (n_samples,)

        Raises
        ------
        ValueError
            If the prior has no density, or its density is 0 somewhere.

        Examples
        --------
        >>> import torch
        >>> from skaae.priors import Gaussian
        >>> Gaussian().log_prob(torch.zeros(3, 2)).shape
        torch.Size([3])
        """
        raise ValueError(
            f"prior {self!r} has no density that is above 0 everywhere; use a Gaussian, a "
            "GaussianMixture or Petals, or a regularizer that needs only samples: 'adversarial' or "
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
        source = getattr(prior, "source", prior)  # what the user gave
        raise ValueError(
            f"prior {source!r} has no components for y to choose from; leave y out. Priors with "
            "components are 'petals', 'swiss_roll' and skaae.priors.GaussianMixture."
        )


def require_dimension(prior: Prior, dimension: int, n_components: int) -> None:
    """Raise ValueError if a prior of a fixed dimension does not fit n_components."""
    if dimension != n_components:
        raise ValueError(
            f"prior {prior!r} has {dimension} dimensions, so its samples have shape "
            f"(n_samples, {dimension}), but n_components={n_components}; "
            f"set n_components={dimension} or choose another prior."
        )


def check_samples(prior: object, samples: Tensor, n_samples: int, n_components: int) -> Tensor:
    """Return the samples; raise if they are not a finite tensor of the required shape."""
    if not isinstance(samples, Tensor):
        raise TypeError(
            f"prior {prior!r} drew a {type(samples).__name__}; the `sample` of a Prior must return "
            "a float32 tensor. To draw with NumPy, pass a function of (n_samples, rng) as prior."
        )
    if not samples.is_floating_point():
        raise ValueError(
            f"prior {prior!r} drew a tensor of dtype {samples.dtype}; return a float32 tensor, for "
            "instance with samples.float()."
        )
    if tuple(samples.shape) != (n_samples, n_components):
        raise ValueError(
            f"prior {prior!r} drew an array of shape {tuple(samples.shape)} where "
            f"{(n_samples, n_components)} = (n_samples, n_components) is needed; "
            "set n_components to the prior's dimension, or change the prior."
        )
    if not samples.isfinite().all():
        raise ValueError(
            f"prior {prior!r} drew values that are infinite or not a number in an array "
            f"of shape {tuple(samples.shape)}; change the prior so that every sample is finite."
        )
    return samples


def device_of(generator: torch.Generator | None) -> torch.device:
    return torch.device("cpu") if generator is None else generator.device


def as_tensor(values: ArrayLike, generator: torch.Generator | None) -> Tensor:
    """Return values as float32 on the generator's device; callers must not change the tensor."""
    return _constant_of(values, device_of(generator), torch.float32)


def beside(values: ArrayLike, z: Tensor) -> Tensor:
    """Return values with the type and device of z; callers must not change the tensor."""
    return _constant_of(values, z.device, z.dtype)


def _constant_of(values: ArrayLike, device: torch.device, dtype: torch.dtype) -> Tensor:
    array = np.asarray(values, np.float64)
    return _constant(array.tobytes(), array.shape, device, dtype)


@functools.lru_cache(maxsize=64)
def _constant(
    values: bytes, shape: tuple[int, ...], device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Return values as a tensor, cached because a copy to a GPU would wait for the GPU."""
    array = np.frombuffer(values, np.float64).reshape(shape)
    with torch.inference_mode(False):  # training may use it later
        return torch.tensor(array, device=device, dtype=dtype)


def normal(n: int, d: int, generator: torch.Generator | None) -> Tensor:
    return torch.randn(n, d, generator=generator, device=device_of(generator), dtype=torch.float32)


def uniform(shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    return torch.rand(shape, generator=generator, device=device_of(generator), dtype=torch.float32)


def same(a: object, b: object) -> bool:
    """Return whether two parameters are equal; arrays and containers are compared by value."""
    if a is b:
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if hasattr(a, "items") and hasattr(b, "items"):  # a Series with its index
        pairs, others = list(a.items()), list(b.items())
        both = zip(pairs, others, strict=False)
        return len(pairs) == len(others) and all(k == j and same(v, w) for (k, v), (j, w) in both)
    try:
        return bool(np.array_equal(np.asarray(a), np.asarray(b)))
    except (TypeError, ValueError):
        return False
