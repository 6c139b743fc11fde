"""
Your own prior
==============

The prior is the distribution that codes are trained to follow. Training needs only
samples from it, not its density (section 2 of the paper). So the prior can be a
function that draws samples, a scipy distribution or a fitted scikit-learn model. In
the pictures, coloured points are the codes of the digits and grey points are samples
from the prior. The codes cover the grey points.
"""

import numpy as np
import scipy.stats
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits, make_moons
from sklearn.mixture import GaussianMixture

from skaae import AAETransformer, LatentSpaceDisplay


def ring(n_samples, rng):
    """Draw points near a circle of radius 2."""
    angle = rng.uniform(0.0, 2.0 * np.pi, size=n_samples)
    radius = rng.normal(2.0, 0.15, size=n_samples)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


# %%
# From a one-dimensional scipy distribution, each dimension of the code is drawn
# independently. A two-dimensional distribution gives both dimensions of a code.
priors = {
    "a function": ring,
    "scipy.stats.laplace": scipy.stats.laplace(),
    "scipy.stats.multivariate_normal": scipy.stats.multivariate_normal(
        mean=[0.0, 0.0], cov=[[1.0, 0.8], [0.8, 1.0]]
    ),
    "a fitted GaussianMixture": GaussianMixture(12, random_state=0).fit(
        2.0 * make_moons(1000, noise=0.05, random_state=0)[0]
    ),
}

X, y = load_digits(return_X_y=True)
figure, axes = plt.subplots(2, 2, figsize=(9, 8), layout="constrained")
for ax, (name, prior) in zip(axes.flat, priors.items(), strict=True):
    aae = AAETransformer(prior=prior, max_iter=100, random_state=0).fit(X)
    LatentSpaceDisplay.from_estimator(aae, X, y, legend=ax is axes[0, 1], ax=ax)
    ax.set_title(name)
plt.show()
