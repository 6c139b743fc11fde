"""Priors that wrap a user's object and draw from it on the CPU."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skaae.priors._prior import Prior, check_samples, device_of, refuse_components

Draw = Callable[[Any, int, int, np.random.Generator], Any]


@dataclass(frozen=True, eq=False)
class Drawn(Prior):
    """A prior that draws from a user's object: a scipy distribution, fitted model or callable.

    Parameters
    ----------
    source : the user's object.
    draw : called as draw(source, n_samples, n_components, rng) with a numpy.random.Generator.
    """

    draws_on_host = True

    source: Any
    draw: Draw

    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        """Draw samples, a tensor (n_samples, n_components), and check them; see `Prior.sample`."""
        refuse_components(self, y)
        seed = torch.randint(2**62, (), generator=generator, device=device_of(generator))
        rng = np.random.default_rng(int(seed))
        try:
            samples = self.draw(self.source, n_samples, n_components, rng)
        except NotImplementedError as error:
            raise ValueError(
                f"prior={self.source!r} cannot draw samples with these parameters. Choose others, "
                "such as kernel='gaussian' of KernelDensity, or another prior."
            ) from error
        except TypeError as error:
            reason = str(error).rstrip(".")
            raise TypeError(
                "prior must be a function of (n_samples, rng) that returns an array of shape "
                f"(n_samples, {n_components}), a frozen scipy.stats distribution, or a fitted "
                f"estimator with `sample`. But prior={self.source!r} cannot be drawn from: "
                f"{reason}. Such a function is: lambda n, rng: rng.normal(size=(n, "
                f"{n_components}))."
            ) from error
        if isinstance(samples, Tensor):
            samples = samples.detach().cpu().numpy()
        try:
            array = np.asarray(samples, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise ValueError(f"prior {self.source!r} drew no table of numbers: {error}") from error
        if array.ndim == 1 and n_components == 1:
            array = array[:, None]
        checked = check_samples(self.source, torch.from_numpy(array), n_samples, n_components)
        return checked.to(device_of(generator))


def draw_scipy(dist: Any, n: int, d: int, rng: np.random.Generator) -> Any:
    """Draw from a scipy distribution; a univariate one is used for each dimension."""
    from scipy.stats.distributions import rv_continuous, rv_discrete, rv_frozen

    if isinstance(dist, rv_frozen | rv_continuous | rv_discrete):
        return dist.rvs(size=(n, d), random_state=rng)
    # multivariate distributions drop the axis of a single sample or a single dimension
    return np.reshape(dist.rvs(size=n, random_state=rng), (n, -1))


def draw_estimator(estimator: Any, n: int, d: int, rng: np.random.Generator) -> Any:
    """Draw from an object with `sample`, with a new random state in every call."""
    while "estimator" in vars(estimator) and "random_state" not in vars(estimator):
        estimator = estimator.estimator  # the one inside a FrozenEstimator
    parameters = inspect.signature(estimator.sample).parameters
    if "rng" in parameters:  # scipy's newer univariate distributions, used for each dimension
        return estimator.sample((n, d), rng=rng)
    state = np.random.RandomState(rng.integers(2**32))
    if "random_state" in parameters:
        samples = estimator.sample(n, random_state=state)
    elif not hasattr(estimator, "random_state"):
        raise TypeError(
            "its `sample` takes no random_state, and the object has none either, so samples would "
            "not be reproducible."
        )
    else:
        # mixtures draw from their own random_state; an integer would give every batch the same rows
        estimator = copy.copy(estimator)
        estimator.random_state = state
        samples = estimator.sample(n)
    samples = samples[0] if isinstance(samples, tuple) else samples
    return samples[rng.permutation(len(samples))]  # those of mixtures are sorted by component


def draw_callable(function: Any, n: int, d: int, rng: np.random.Generator) -> Any:
    """Draw from the user's function."""
    return function(n, rng)


def own_copy(prior: Prior) -> Prior:
    """Return a copy of a prior that stays as it is if the user fits or changes the original.

    Functions, and objects that cannot be copied, stay the user's own.
    """
    if isinstance(prior, Drawn) and prior.draw is draw_callable:
        return prior
    try:
        return copy.deepcopy(prior)
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        return prior
