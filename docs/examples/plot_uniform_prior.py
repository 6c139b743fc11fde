"""
A square full of digits
=======================

With a uniform prior the codes fill a square, and every point of the square decodes
into a digit (section 2 of the paper). So the picture of a decoded grid has no
empty margins.
"""

# %%
# The codes
# ---------
# Coloured points are the codes of the digits, and grey points are samples from the
# prior. The codes go all the way to the edges of the square.
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

from skaae import AAETransformer, LatentSpaceDisplay, ManifoldDisplay

X, y = load_digits(return_X_y=True)
aae = AAETransformer(prior="uniform", random_state=0).fit(X)
LatentSpaceDisplay.from_estimator(aae, X, y)
plt.show()

# %%
# The square, decoded
# -------------------
# The picture shows the images that an even grid of codes decodes into.
ManifoldDisplay.from_estimator(aae, n_images=16)
plt.show()
