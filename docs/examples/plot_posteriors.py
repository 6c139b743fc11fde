"""
Three forms of q(z|x)
=====================

The paper names three forms of the encoder's distribution (section 2): a point, a normal
distribution along the axes, and a distribution of any shape. The picture shows draws of the code of
ten digits for each form, on the prior and, below, around their mean.
"""

# %%
# Draws of the code of ten rows
# -----------------------------
# ``encode_samples`` draws from q(z|x); ``transform`` gives its mean. The adversary asks nothing of
# the spread of one row, only of all rows together, and the reconstruction wants it small: so it is,
# and the lower panels have scales of their own.
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

from skaae import AAETransformer, LatentSpaceDisplay

X, y = load_digits(return_X_y=True)
labels = y[:10].repeat(200)
figure, axes = plt.subplots(2, 3, figsize=(13, 8), layout="constrained")
for column, posterior in zip(axes.T, ["deterministic", "gaussian", "universal"], strict=True):
    aae = AAETransformer(posterior=posterior, max_iter=100, random_state=0).fit(X)
    codes = aae.encode_samples(X[:10], 200, random_state=0)  # (rows, draws, components)
    around = codes - aae.transform(X[:10])[:, None]
    prior = aae.sample_prior(2000, random_state=0)
    last = posterior == "universal"
    upper = LatentSpaceDisplay(codes.reshape(-1, 2), labels, prior_samples=prior, legend=last)
    upper.plot(column[0]).ax_.set_title(posterior)
    LatentSpaceDisplay(around.reshape(-1, 2), labels, legend=False).plot(column[1], s=4)
    column[1].set_title("around the mean of each row")
plt.show()
