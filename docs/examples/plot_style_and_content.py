"""
Style and content
=================

The decoder gets the class of a row as well as its code. So the code only needs to
describe how the row differs from others of its class: its style, such as slant, width
and thickness (section 4 of the paper).
"""

# %%
# Styles from rows
# ----------------
# The first column shows rows of the data. The other columns show the style of each row,
# decoded with each of the ten classes.
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
# Without rows, ``StyleDisplay`` draws the styles from the prior. In each row of the
# picture all digits have the same style, in each column the same class.
StyleDisplay.from_estimator(aae)
plt.show()

# %%
# One class for all rows
# ----------------------
# ``restyle`` decodes the style of each row with another class. Here twelve digits become
# eights.
display = ReconstructionDisplay(
    originals=X[:12].reshape(-1, 8, 8),
    reconstructions=aae.restyle(X[:12], 8).reshape(-1, 8, 8),
)
display.plot().ax_.set_yticklabels(["row", "as an 8"])
plt.show()
