"""
Labels and the swiss roll
=========================

The prior is a spiral, the swiss roll, which is divided into ten stretches. The codes of
each class should lie in their own stretch (section 2.3 and figure 4 of the paper). Only
one training row in five has a label, but most unlabeled digits get codes in the stretch
of their class too.
"""

# %%
# Labels for some of the rows
# ---------------------------
# An unlabeled row has -1 in y. The discriminator also gets the class of each row. It
# compares the codes of labeled rows with samples from the stretch of their class, and
# the codes of unlabeled rows with samples from the whole swiss roll. In the picture,
# circles are codes of training rows and crosses are codes of test rows.
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
# Images along the swiss roll
# ---------------------------
# The images in each row of the picture are decoded from codes along the stretch of one
# class. Their style changes gradually.
ManifoldDisplay.from_estimator(aae, n_prior_components=10)
plt.show()

# %%
# ``sample`` with a class draws codes from the stretch of this class and decodes them.
# These are the pixels of a new seven:
print(aae.sample(3, y=7, random_state=0).round().astype(int)[0].reshape(8, 8))
