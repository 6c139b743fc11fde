"""
Three forms of q(z|x)
=====================

The encoder can give each row x a distribution of codes z, called q(z|x) or the
posterior. The paper describes three forms of it (section 2): a single point
("deterministic"), a normal distribution ("gaussian"), and a distribution of any shape
("universal").
"""

# %%
# Random codes of ten rows
# ------------------------
# ``encode_samples`` draws codes from q(z|x), and ``transform`` returns its mean. The
# upper panels show 200 codes for each of ten digits, with samples from the prior in
# grey. The lower panels show the same codes minus the mean of their row; the axes of
# the panels have different scales. The codes of one row lie close together. There are
# two reasons: a row is reconstructed best if all its codes are the same, and the
# discriminator only makes the codes of all rows together follow the prior.
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

from skaae import AAETransformer, LatentSpaceDisplay

X, y = load_digits(return_X_y=True)
labels = y[:10].repeat(200)
figure, axes = plt.subplots(2, 3, figsize=(13, 8), layout="constrained")
for column, posterior in zip(
    axes.T, ["deterministic", "gaussian", "universal"], strict=True
):
    aae = AAETransformer(posterior=posterior, max_iter=100, random_state=0).fit(X)
    codes = aae.encode_samples(X[:10], 200, random_state=0)  # (10, 200, 2)
    around = codes - aae.transform(X[:10])[:, None]
    prior = aae.sample_prior(2000, random_state=0)
    last = posterior == "universal"
    upper = LatentSpaceDisplay(
        codes.reshape(-1, 2), labels, prior_samples=prior, legend=last
    )
    upper.plot(column[0]).ax_.set_title(posterior)
    LatentSpaceDisplay(around.reshape(-1, 2), labels, legend=False).plot(column[1], s=4)
    column[1].set_title("around the mean of each row")
plt.show()
