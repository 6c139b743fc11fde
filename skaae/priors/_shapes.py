"""Ready-made priors: Gaussian, uniform, mixtures, petals, swiss roll, one-hot labels."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from numbers import Integral

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from skaae.priors._prior import (
    Prior,
    as_tensor,
    beside,
    normal,
    refuse_components,
    require_dimension,
    uniform,
)

LOG_ROOT_TAU = 0.5 * math.log(2.0 * math.pi)
FULL = -1  # in place of a component: draw from the full prior


@dataclass(frozen=True, eq=False)
class Gaussian(Prior):
    """A normal distribution with mean 0 and independent dimensions.

    Parameters
    ----------
    scale : float or array-like of shape (n_components,), default=1.0
        Standard deviation: one number for all dimensions, or one for each dimension. The paper uses
        1, 5 and 10 (sections 2, 3 and 5).

    Examples
    --------
    >>> from skaae.priors import Gaussian
    >>> Gaussian(scale=5.0).sample(3, 8).shape
    torch.Size([3, 8])
    """

    scale: float | ArrayLike = 1.0

    def __post_init__(self) -> None:
        _require_positive("Gaussian", "scale", self.scale)

    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        """Draw samples: a tensor of shape (n_samples, n_components); see `Prior.sample`."""
        refuse_components(self, y)
        scale = _per_component(self, "scale", self.scale, n_components, generator)
        return normal(n_samples, n_components, generator) * scale

    def log_prob(self, z):
        """Return the logarithm of the density at codes z: a tensor of shape (n_samples,)."""
        scale = beside(np.broadcast_to(np.asarray(self.scale, float), z.shape[1]), z)
        return -(0.5 * (z / scale).square() + scale.log() + LOG_ROOT_TAU).sum(dim=1)


@dataclass(frozen=True, eq=False)
class Uniform(Prior):
    """A uniform distribution with independent dimensions.

    Parameters
    ----------
    low, high : float or array-like of shape (n_components,), default=-2.0 and 2.0
        Ends of the interval: one number for all dimensions, or one for each dimension.

    Examples
    --------
    >>> from skaae.priors import Uniform
    >>> bool(Uniform(-1, 1).sample(100, 2).abs().max() <= 1)
    True
    """

    low: float | ArrayLike = -2.0
    high: float | ArrayLike = 2.0

    def __post_init__(self) -> None:
        low, high = np.asarray(self.low, float), np.asarray(self.high, float)
        if not (np.isfinite(low).all() and np.isfinite(high).all() and np.all(low < high)):
            raise ValueError(f"Uniform needs finite low < high in all dimensions, got {self!r}.")

    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        """Draw samples: a tensor of shape (n_samples, n_components); see `Prior.sample`."""
        refuse_components(self, y)
        low = _per_component(self, "low", self.low, n_components, generator)
        high = _per_component(self, "high", self.high, n_components, generator)
        return low + (high - low) * uniform((n_samples, n_components), generator)


@dataclass(frozen=True, eq=False)
class GaussianMixture(Prior):
    """A mixture of normal distributions; `y` of `sample` chooses the component.

    Parameters
    ----------
    means : array-like of shape (n_mixture_components, n_components)
        Mean of each component.
    covariances : float or array-like, default=1.0
        Covariances of the components, in the shapes of scikit-learn's GaussianMixture. A number, or
        shape (n_mixture_components,): the variance of all dimensions. Shape
        (n_mixture_components, n_components): the variance of each dimension. Shape
        (n_mixture_components, n_components, n_components): full covariance matrices. For one matrix
        of all components, which is "tied" in scikit-learn, repeat it.
    weights : array-like of shape (n_mixture_components,), default=None
        Probability of each component. None makes all components equally probable.

    Examples
    --------
    >>> from skaae.priors import GaussianMixture
    >>> prior = GaussianMixture(means=[[-3, 0], [3, 0]], covariances=0.25)
    >>> samples = prior.sample(4, y=[0, 0, 1, 1])
    >>> (samples[:, 0] > 0).tolist()
    [False, False, True, True]
    """

    means: ArrayLike
    covariances: float | ArrayLike = 1.0
    weights: ArrayLike | None = None
    _factors: np.ndarray = field(init=False, repr=False)
    _weights: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        means = np.asarray(self.means, float)
        if means.ndim != 2 or not np.isfinite(means).all():
            raise ValueError(
                "GaussianMixture needs finite means of shape (n_mixture_components, n_components), "
                f"got shape {means.shape}."
            )
        object.__setattr__(self, "_factors", _cholesky_factors(self.covariances, means.shape))
        weights = _or_equal(self.weights, len(means))
        object.__setattr__(
            self, "_weights", check_probabilities("GaussianMixture weights", weights, len(means))
        )

    def count_components(self) -> int:
        return len(np.asarray(self.means))

    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        """Draw samples: a tensor of shape (n_samples, n_components); see `Prior.sample`."""
        means = as_tensor(self.means, generator)
        require_dimension(self, means.shape[1], n_components)
        drawn = _choose(self._weights, n_samples, generator)
        chosen = _chosen_components(self, y, drawn)
        factors = as_tensor(self._factors, generator)[chosen]  # (n, d, d)
        noise = normal(n_samples, n_components, generator)
        return means[chosen] + torch.einsum("nij,nj->ni", factors, noise)

    def log_prob(self, z):
        """Return the logarithm of the density at codes z: a tensor of shape (n_samples,)."""
        means, factors = beside(self.means, z), beside(self._factors, z)
        weights = beside(self._weights, z)
        centered = (z[:, None] - means).unsqueeze(3)  # (n, k, d, 1)
        whitened = torch.linalg.solve_triangular(factors, centered, upper=False).squeeze(3)
        log_determinants = factors.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        by_component = -0.5 * whitened.square().sum(dim=2) - log_determinants  # (n, k)
        total = torch.logsumexp(by_component + weights.log(), dim=1)
        return total - z.shape[1] * LOG_ROOT_TAU


@dataclass(frozen=True, eq=False)
class Petals(Prior):
    """A mixture of two-dimensional Gaussians on a ring, like the petals of a flower (section 2.3).

    Parameters
    ----------
    n_petals : int, default=10
        Number of components, numbered by their angle. `y` of `sample` chooses the component.
    radius : float, default=1.4
        Distance of the components' means from the origin.
    length, width : float, default=0.5 and 0.1
        Standard deviations of each component in the direction of the radius (`length`) and
        perpendicular to it (`width`).
    weights : array-like of shape (n_petals,), default=None
        Probability of each component. None makes all components equally probable.

    Examples
    --------
    >>> from skaae.priors import Petals
    >>> Petals().sample(5).shape
    torch.Size([5, 2])
    """

    n_petals: int = 10
    radius: float = 1.4
    length: float = 0.5
    width: float = 0.1
    weights: ArrayLike | None = None

    def __post_init__(self) -> None:
        _require_count("Petals", "n_petals", self.n_petals)
        _require_positive("Petals", "radius", self.radius)
        _require_positive("Petals", "length", self.length)
        _require_positive("Petals", "width", self.width)
        _require_weights("Petals", self.weights, self.n_petals)

    def __repr__(self) -> str:
        return _given(self)

    def count_components(self) -> int:
        return self.n_petals

    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        """Draw samples: a tensor of shape (n_samples, 2); see `Prior.sample`."""
        require_dimension(self, 2, n_components)
        drawn = _choose(_or_equal(self.weights, self.n_petals), n_samples, generator)
        angle = 2.0 * math.pi * _chosen_components(self, y, drawn).float() / self.n_petals
        scales = as_tensor([self.length, self.width], generator)
        along, across = (normal(n_samples, 2, generator) * scales).unbind(dim=1)
        along = along + self.radius
        cos, sin = angle.cos(), angle.sin()
        return torch.stack([along * cos - across * sin, along * sin + across * cos], dim=1)

    def log_prob(self, z):
        """Return the logarithm of the density at codes z: a tensor of shape (n_samples,)."""
        angle = 2.0 * math.pi * np.arange(self.n_petals) / self.n_petals
        cos, sin = np.cos(angle), np.sin(angle)
        rotation = np.moveaxis(np.array([[cos, -sin], [sin, cos]]), 2, 0)  # (k, 2, 2)
        variances = np.diag([self.length**2, self.width**2])
        means = self.radius * np.stack([cos, sin], axis=1)
        covariances = rotation @ variances @ np.swapaxes(rotation, 1, 2)
        return GaussianMixture(means, covariances, self.weights).log_prob(z)


@dataclass(frozen=True, eq=False)
class SwissRoll(Prior):
    """A two-dimensional spiral; `y` of `sample` chooses a segment of it (section 2.3).

    Parameters
    ----------
    n_stretches : int, default=10
        Number of components. These are segments of the spiral of about equal length, numbered from
        the origin outwards.
    radius : float, default=3.0
        Distance of the spiral's outer end from the origin.
    turns : float, default=2.0
        Number of turns around the origin.
    noise : float, default=0.0
        Standard deviation of Gaussian noise added to the spiral.
    weights : array-like of shape (n_stretches,), default=None
        Probability of each component. None makes all components equally probable.

    Examples
    --------
    >>> from skaae.priors import SwissRoll
    >>> SwissRoll().sample(5).shape
    torch.Size([5, 2])
    """

    n_stretches: int = 10
    radius: float = 3.0
    turns: float = 2.0
    noise: float = 0.0
    weights: ArrayLike | None = None

    def __post_init__(self) -> None:
        _require_count("SwissRoll", "n_stretches", self.n_stretches)
        _require_positive("SwissRoll", "radius", self.radius)
        _require_positive("SwissRoll", "turns", self.turns)
        if not (math.isfinite(self.noise) and self.noise >= 0.0):
            raise ValueError(f"SwissRoll needs a finite noise >= 0, got {self.noise!r}.")
        _require_weights("SwissRoll", self.weights, self.n_stretches)

    def __repr__(self) -> str:
        return _given(self)

    def count_components(self) -> int:
        return self.n_stretches

    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        """Draw samples: a tensor of shape (n_samples, 2); see `Prior.sample`."""
        require_dimension(self, 2, n_components)
        drawn = _choose(_or_equal(self.weights, self.n_stretches), n_samples, generator)
        stretch = _chosen_components(self, y, drawn)
        # with the square root, samples are even along the spiral, whose length grows as angle^2
        root = ((stretch + uniform((n_samples,), generator)) / self.n_stretches).sqrt()
        angle = 2.0 * math.pi * self.turns * root
        spiral = self.radius * root[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
        return spiral + self.noise * normal(n_samples, 2, generator)


@dataclass(frozen=True, eq=False)
class Categorical(Prior):
    """One-hot vectors, the prior of a label: entry k is 1 with probability `probabilities[k]`.

    Parameters
    ----------
    probabilities : array-like of shape (n_components,), default=None
        Probability of each class, summing to 1. None makes all classes equally probable.

    Examples
    --------
    >>> from skaae.priors import Categorical
    >>> Categorical([0.5, 0.5]).sample(3, 2).sum(dim=1).tolist()
    [1.0, 1.0, 1.0]
    """

    probabilities: ArrayLike | None = None

    def __post_init__(self) -> None:
        if self.probabilities is not None:
            check_probabilities("Categorical probabilities", self.probabilities)

    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        """Draw samples: a tensor of shape (n_samples, n_components); see `Prior.sample`."""
        if self.probabilities is None:
            weights = np.full(n_components, 1.0 / n_components)
        else:
            weights = np.asarray(self.probabilities, float)
            require_dimension(self, len(weights), n_components)
        drawn = _choose(weights, n_samples, generator)
        if y is not None:
            given = _labels(y, drawn)
            _require_range(self, given, n_components)
            drawn = torch.where(given == FULL, drawn, given)
        return torch.nn.functional.one_hot(drawn, n_components).float()


def check_probabilities(name: str, values: ArrayLike, size: int | None = None) -> np.ndarray:
    """Return probabilities as a float array that sums to 1, or raise ValueError."""
    array = np.asarray(values, float)
    if array.ndim != 1 or (size is not None and len(array) != size):
        expected = "(n,)" if size is None else f"({size},)"
        raise ValueError(f"{name} must have shape {expected}, got {array.shape}.")
    if not np.isfinite(array).all() or (array < 0).any() or abs(array.sum() - 1.0) > 1e-6:
        raise ValueError(f"{name} must be at least 0 and sum to 1, got {array.tolist()}.")
    return array / array.sum()


def _given(prior: Petals | SwissRoll) -> str:
    """Return the prior with its parameters, without those that are None."""
    values = ((field.name, getattr(prior, field.name)) for field in fields(prior))
    shown = ", ".join(f"{name}={value!r}" for name, value in values if value is not None)
    return f"{type(prior).__name__}({shown})"


def _require_weights(prior: str, weights: ArrayLike | None, size: int) -> None:
    """Raise ValueError if the weights of a prior's components are given and no probabilities."""
    if weights is not None:
        check_probabilities(f"{prior} weights", weights, size)


def _or_equal(weights: ArrayLike | None, size: int) -> ArrayLike:
    """Return the weights of components, equal ones for None."""
    return np.full(size, 1.0 / size) if weights is None else weights


def _choose(weights: ArrayLike, n: int, generator: torch.Generator | None) -> Tensor:
    """Draw n indices with probabilities `weights`."""
    weights = as_tensor(weights, generator)
    return torch.multinomial(weights, n, replacement=True, generator=generator)


def _labels(y: ArrayLike | Tensor, like: Tensor) -> Tensor:
    """Return components y as an integer tensor of the shape of `like`."""
    given = torch.as_tensor(y, device=like.device).long()
    if given.shape != like.shape:
        raise ValueError(f"y must have shape {tuple(like.shape)}, got {tuple(given.shape)}.")
    return given


def _chosen_components(prior: Prior, y: ArrayLike | Tensor | None, drawn: Tensor) -> Tensor:
    """Return the component of each sample: y, or `drawn` where y is -1 or None."""
    if y is None:
        return drawn
    given = _labels(y, drawn)
    _require_range(prior, given, prior.count_components())
    return torch.where(given == FULL, drawn, given)


def _require_range(prior: Prior, given: Tensor, n_known: int) -> None:
    if given.device.type != "cpu":
        return  # reading values from a GPU would wait for it in every step
    if len(given) and (int(given.min()) < FULL or int(given.max()) >= n_known):
        raise ValueError(
            f"{prior!r} has components 0 to {n_known - 1} (-1 means any of them), "
            f"got y from {int(given.min())} to {int(given.max())}."
        )


def _per_component(prior, name, value, n_components, generator) -> Tensor | float:
    """Return a parameter of the prior in a form that broadcasts over (n, n_components)."""
    if np.ndim(value) == 0:
        return float(value)  # a copy to a GPU would wait for the GPU
    tensor = as_tensor(value, generator)
    if tensor.shape != (n_components,):
        raise ValueError(
            f"prior {prior!r} has {name} of shape {tuple(tensor.shape)}, but "
            f"n_components={n_components} needs a number or shape ({n_components},)."
        )
    return tensor


def _require_positive(prior: str, name: str, value: float | ArrayLike) -> None:
    array = np.asarray(value, float)
    if not np.isfinite(array).all() or np.any(array <= 0):
        raise ValueError(f"{prior} needs finite {name} > 0, got {value!r}.")


def _require_count(prior: str, name: str, value: int) -> None:
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{prior} needs an integer {name} >= 1, got {value!r}.")


def _refuse_tied(variances: np.ndarray) -> None:
    """Raise ValueError if variances (k, d) may be one covariance (d, d) of all components."""
    k, d = variances.shape
    if k != d or k == 1 or not np.array_equal(variances, variances.T):
        return
    if np.linalg.eigvalsh(variances).min() > 0.0:
        raise ValueError(
            f"GaussianMixture covariances of shape {(k, d)} are variances, one row for each "
            f"component, but {variances.tolist()} may also be one covariance of all components, "
            "scikit-learn's 'tied'. For this, give np.tile(covariance, (k, 1, 1)). For variances, "
            "give np.stack([np.diag(row) for row in variances])."
        )


def _cholesky_factors(covariances: float | ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """Return factors L (k, d, d) with L L^T = covariance, from any of the four shapes."""
    k, d = shape
    array = np.asarray(covariances, float)
    if array.shape in ((), (k,)):
        array = np.broadcast_to(array[..., None], (k, d))
    if array.shape == (k, d):
        _refuse_tied(array)
        array = array[:, :, None] * np.eye(d)
    if array.shape != (k, d, d):
        raise ValueError(
            f"GaussianMixture covariances have shape {np.shape(covariances)}; with means of shape "
            f"{shape} they must be a number or have shape {(k,)}, {(k, d)} or {(k, d, d)}."
        )
    if not np.allclose(array, np.swapaxes(array, 1, 2)):
        raise ValueError(f"GaussianMixture covariances must be symmetric, got {array.tolist()}.")
    try:
        return np.linalg.cholesky(array)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "GaussianMixture covariances must be positive definite; in particular, every variance "
            "must be above 0."
        ) from error
