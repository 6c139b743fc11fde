"""
Three forms of q(z|x)
=====================

The encoder may give each row a distribution of codes, q(z|x). The paper names
three forms (section 2): a point, a normal distribution, and a distribution of any
shape.
"""

# %%
# Random codes of ten rows
# ------------------------
# ``encode_samples`` samples from q(z|x), and ``transform`` gives its mean. The
# upper panels show 200 codes of each of ten digits, over the prior in grey. The
# lower panels show the same codes around the mean of their row, each panel on a
# scale of its own. The codes of one row lie close together. The discriminator
# does not ask for more, since it looks at the codes of all rows together, and the
# reconstruction is best if each row has one code.
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
