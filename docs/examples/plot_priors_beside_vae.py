"""
Codes beside those of a variational autoencoder
===============================================

An adversarial and a variational autoencoder, with the same encoder and decoder
and for two priors (figure 2 of the paper, section 2). The discriminator looks at
the codes of all rows together, and asks whether they follow the prior. The divergence
of the variational autoencoder looks at one row at a time. It can leave regions of
the prior empty: here some of the petals.
"""

# %%
# One estimator does both. ``regularizer="kl"`` with ``posterior="gaussian"`` is the
# variational autoencoder, for any prior with a density.
#
# Coloured points are codes, one sample from q(z|x) for each row. Grey points are
# samples from the prior. Where grey shows through, there are no codes. The decoder
# has not learned what to make of such a place.
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

from skaae import AAETransformer, LatentSpaceDisplay

X, y = load_digits(return_X_y=True)
systems = {
    "adversarial": {},
    "variational": {"regularizer": "kl", "posterior": "gaussian"},
}

figure, axes = plt.subplots(2, 2, figsize=(9, 8), layout="constrained")
for row, (name, parameters) in zip(axes, systems.items(), strict=True):
    for ax, prior in zip(row, ["gaussian", "petals"], strict=True):
        aae = AAETransformer(
            prior=prior, max_iter=150, random_state=0, **parameters
        ).fit(X)
        LatentSpaceDisplay(
            aae.encode_samples(X, random_state=0)[:, 0],
            y,
            prior_samples=aae.sample_prior(2000, random_state=0),
            legend=ax is axes[0, 1],
        ).plot(ax)
        ax.set_title(f"{name}, {prior} prior")
plt.show()
