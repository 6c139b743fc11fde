"""Priors: the distributions that codes are trained to follow.

Adversarial training needs samples of a prior only, so a prior may lack a density. All random
numbers come from the generator that the caller passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skaae.priors._drawn import Drawn, draw_callable, draw_estimator, draw_scipy
from skaae.priors._prior import Prior
from skaae.priors._shapes import (
    Categorical,
    Gaussian,
    GaussianMixture,
    Petals,
    SwissRoll,
    Uniform,
)

__all__ = [
    "Categorical",
    "Gaussian",
    "GaussianMixture",
    "Petals",
    "Prior",
    "SwissRoll",
    "Uniform",
    "as_prior",
]

NAMES: dict[str, Callable[..., Prior]] = {
    "gaussian": Gaussian,
    "uniform": Uniform,
    "petals": Petals,
    "swiss_roll": SwissRoll,
}
# Those with components, whose number is their first parameter.
WITH_COMPONENTS = ("petals", "swiss_roll")


def as_prior(prior: Any, weights: ArrayLike | None = None) -> Prior:
    """Return a `Prior` for any value that the parameter `prior` of the estimators accepts.

    Parameters
    ----------
    prior : str, Prior, frozen scipy distribution, fitted estimator or callable
        A string is one of "gaussian", "uniform", "petals", "swiss_roll". From a frozen univariate
        distribution of scipy.stats, each dimension is drawn independently. A fitted estimator has a
        method `sample`, such as scikit-learn's GaussianMixture and KernelDensity. A callable is
        called as `prior(n_samples, rng)` with a `numpy.random.Generator` and returns an array or
        tensor of shape (n_samples, n_components).
    weights : array-like of shape (n_classes,), default=None
        Probabilities of the components that the strings "petals" and "swiss_roll" stand for, one
        component for each class. With None these are 10 equally probable components. Other priors
        are left as they are.

    Returns
    -------
    prior : Prior

    Raises
    ------
    ValueError
        If the string is not one of the four above.
    TypeError
        If the object is none of the kinds above.

    Examples
    --------
    >>> import scipy.stats
    >>> from skaae.priors import as_prior
    >>> as_prior(scipy.stats.laplace(scale=0.5)).sample(4, 3).shape
    torch.Size([4, 3])
    """
    if isinstance(prior, Prior):
        return prior
    if isinstance(prior, str):
        if prior not in NAMES:
            raise ValueError(f"prior={prior!r} is not one of {sorted(NAMES)}.")
        if weights is None or prior not in WITH_COMPONENTS:
            return NAMES[prior]()
        return NAMES[prior](len(np.asarray(weights)), weights=weights)
    if isinstance(prior, type):
        raise TypeError(
            f"prior={prior!r} is a class; give an instance, such as {prior.__name__}(...)."
        )
    if hasattr(prior, "rvs"):
        return Drawn(prior, draw_scipy)
    if hasattr(prior, "sample"):
        return Drawn(prior, draw_estimator)
    if callable(prior):
        return Drawn(prior, draw_callable)
    raise TypeError(
        f"prior={prior!r} cannot be drawn from; give one of {sorted(NAMES)}, a Prior, a frozen "
        "scipy.stats distribution, a fitted estimator with `sample`, or a callable (n, rng)."
    )
