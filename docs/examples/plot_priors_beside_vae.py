"""
Adversarial and variational autoencoder
=======================================

This example compares an adversarial and a variational autoencoder that have the same
encoder and decoder, for two priors (section 2 and figure 2 of the paper). In the
adversarial autoencoder, a discriminator compares the codes of all rows with the prior.
In the variational autoencoder, a loss compares the codes of each single row with the
prior. So some regions of the prior may have no codes: here some of the petals.
"""

# %%
# ``AAETransformer`` can train both. With ``regularizer="kl"`` and
# ``posterior="gaussian"`` it is a variational autoencoder, for any prior with a density.
#
# Coloured points are codes, one sample for each row. Grey points are samples from the
# prior. Regions with only grey points have no codes, so the decoder has not learned to
# decode codes from these regions.
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
