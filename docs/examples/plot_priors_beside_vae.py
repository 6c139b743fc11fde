"""
Codes beside those of a variational autoencoder
===============================================

Codes of the digits for two priors, each from an adversarial autoencoder and from a variational one
with the same encoder and decoder (figure 2 of the paper, section 2). The adversary compares the
codes of all rows together with the prior; the divergence of the variational autoencoder looks at
one row at a time, and can leave parts of the prior empty, here some of the petals. Grey points are
draws of the prior: where they show through, a draw decodes into something that no row has taught
the decoder.
"""

# %%
# One estimator does both: ``regularizer="kl"`` with ``posterior="gaussian"`` is the variational
# autoencoder, for any prior with a density. Points are draws of q(z|x), one for each row: of the
# adversarial autoencoder, whose posterior is deterministic here, they are the codes themselves.
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
        aae = AAETransformer(prior=prior, max_iter=150, random_state=0, **parameters).fit(X)
        LatentSpaceDisplay(
            aae.encode_samples(X, random_state=0)[:, 0],
            y,
            prior_samples=aae.sample_prior(2000, random_state=0),
            legend=ax is axes[0, 1],
        ).plot(ax)
        ax.set_title(f"{name}, {prior} prior")
plt.show()
