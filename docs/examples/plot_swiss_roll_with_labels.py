"""
Labels that choose a place on the swiss roll
============================================

Each class gets a tenth of the swiss roll (section 2.3 and figure 4 of the paper).
One training row in five has a label. Digits without a label find the tenth of
their class.
"""

# %%
# Labels for some of the rows
# ---------------------------
# A row without a label has -1 in y. The discriminator is class-conditional: it
# compares the code of a labeled row with samples from the tenth of its class, and
# the code of an unlabeled row with the whole roll. Circles are training rows, and
# crosses are test rows.
import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skaae import AAETransformer, LatentSpaceDisplay, ManifoldDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
labeled = np.random.default_rng(0).random(len(y_train)) < 0.2
y_few = np.where(labeled, y_train, -1)

aae = AAETransformer(prior="swiss_roll", use_labels=True, random_state=0).fit(
    X_train, y_few
)
LatentSpaceDisplay.from_estimator(aae, X_train, y_train, X_test=X_test, y_test=y_test)
plt.show()

# %%
# A walk along the roll
# ---------------------
# Each row of the picture walks along the tenth of one class. On the way the
# handwriting changes.
ManifoldDisplay.from_estimator(aae, n_prior_components=10)
plt.show()

# %%
# New rows of a class are sampled from its tenth.
print(aae.sample(3, y=7, random_state=0).round().astype(int)[0].reshape(8, 8))
