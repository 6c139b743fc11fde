"""
Style and content
=================

The decoder sees the class of a row next to its code. So the code keeps the rest,
the style: slant, width, thickness (section 4 of the paper). Each row of the
pictures has one style, each column one class.
"""

# %%
# Styles from rows
# ----------------
# The first column holds rows of the data. Beside each stands every digit in the
# handwriting of that row.
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

from skaae import ReconstructionDisplay, StyleDisplay, SupervisedAAETransformer

X, y = load_digits(return_X_y=True)
aae = SupervisedAAETransformer(n_components=8, max_iter=150, random_state=0).fit(X, y)
StyleDisplay.from_estimator(aae, X[:10])
plt.show()

# %%
# Styles from the prior
# ---------------------
# Without rows the styles are samples from the prior: these are handwritings of
# nobody.
StyleDisplay.from_estimator(aae)
plt.show()

# %%
# One class for all rows
# ----------------------
# ``restyle`` renders rows as another class in their own style: here twelve digits
# as eights.
display = ReconstructionDisplay(
    originals=X[:12].reshape(-1, 8, 8),
    reconstructions=aae.restyle(X[:12], 8).reshape(-1, 8, 8),
)
display.plot().ax_.set_yticklabels(["row", "as an 8"])
plt.show()
