"""
A uniform prior
===============

With a uniform prior, the codes fill a square, so every point of the square can be
decoded into a digit (section 2 of the paper).
"""

# %%
# The codes
# ---------
# Coloured points are the codes of the digits, and grey points are samples from the
# prior. The codes reach all edges of the square.
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

from skaae import AAETransformer, LatentSpaceDisplay, ManifoldDisplay

X, y = load_digits(return_X_y=True)
aae = AAETransformer(prior="uniform", random_state=0).fit(X)
LatentSpaceDisplay.from_estimator(aae, X, y)
plt.show()

# %%
# Images from a grid of codes
# ---------------------------
# These images are decoded from an evenly spaced grid of codes. The digits reach the
# edges of the picture, because the codes reach the edges of the square.
ManifoldDisplay.from_estimator(aae, n_images=16)
plt.show()
