"""
Labels that choose a place on the swiss roll
============================================

The discriminator is told the class of some rows, and which tenth of the swiss roll belongs to each
class (section 2.3 and figure 4 of the paper). Digits without a label find their own tenth: circles
are training rows, of which one in five has a label, and crosses are test rows.
"""

# %%
# Labels for a part of the rows
# -----------------------------
# A row without a label is a -1 in y. The discriminator then compares its code with the whole roll.
import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skaae import AAETransformer, LatentSpaceDisplay, ManifoldDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
labeled = np.random.default_rng(0).random(len(y_train)) < 0.2
y_few = np.where(labeled, y_train, -1)

aae = AAETransformer(prior="swiss_roll", use_labels=True, random_state=0).fit(X_train, y_few)
LatentSpaceDisplay.from_estimator(aae, X_train, y_train, X_test=X_test, y_test=y_test)
plt.show()

# %%
# A walk along the roll
# ---------------------
# Each row of the picture walks along the tenth of one class. What changes on the way is the
# handwriting.
ManifoldDisplay.from_estimator(aae, n_parts=10)
plt.show()

# %%
# New rows of a class are drawn from its tenth.
print(aae.sample(3, y=7, random_state=0).round().astype(int)[0].reshape(8, 8))
