"""
Plain, denoising, Wasserstein, variational, adversarial
=======================================================

With the parameter ``regularizer`` of ``AAETransformer``, you can train five kinds of
autoencoder with the same networks, and compare them.
"""

# %%
# Five kinds of autoencoder
# -------------------------
# Coloured points are codes, and grey points are samples from the prior. The axes of the
# panels have different scales. The plain and the denoising autoencoder do not use the
# prior, so most of their codes lie far from it. In the Wasserstein and the variational
# autoencoder, a loss pulls the codes towards the prior: the maximum mean discrepancy
# (MMD) or the Kullback-Leibler divergence (KL). In the adversarial autoencoder, a
# discriminator does.
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

from skaae import AAETransformer, LatentSpaceDisplay

X, y = load_digits(return_X_y=True)
relatives = {
    "plain": {"regularizer": None},
    "denoising": {"regularizer": None, "input_noise": 0.3},
    "Wasserstein (MMD)": {"regularizer": "mmd"},
    "variational (KL)": {"regularizer": "kl", "posterior": "gaussian"},
    "adversarial": {},
}
figure, axes = plt.subplots(2, 3, figsize=(13, 8), layout="constrained")
for ax, (name, parameters) in zip(axes.flat, relatives.items(), strict=False):
    model = AAETransformer(max_iter=100, random_state=0, **parameters).fit(X)
    LatentSpaceDisplay(
        model.encode_samples(X, random_state=0)[:, 0],
        y,
        prior_samples=model.sample_prior(2000, random_state=0),
        legend=name == "Wasserstein (MMD)",
    ).plot(ax)
    ax.set_title(name)
axes[-1, -1].set_axis_off()
plt.show()
