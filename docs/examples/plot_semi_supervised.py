"""
Classes from fifty labels
=========================

The classifier sees all training digits, but only five labels of each class
(section 5 of the paper). It divides the digits into clusters without labels.
The labels say which cluster is which class.
"""

# %%
# Accuracy
# --------
# ``LabelSpreading`` is scikit-learn's method for the same task. It has the same
# labels.
import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.semi_supervised import LabelSpreading

from skaae import (
    SemiSupervisedAAEClassifier,
    StyleDisplay,
    TrainingCurvesDisplay,
)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
rng = np.random.default_rng(0)
labeled = np.concatenate(
    [rng.choice(np.flatnonzero(y_train == k), 5, replace=False) for k in range(10)]
)
y_few = np.full(len(y_train), -1)
y_few[labeled] = y_train[labeled]

classifier = SemiSupervisedAAEClassifier(random_state=0).fit(X_train, y_few)
spreading = LabelSpreading(kernel="knn").fit(X_train, y_few)
print(f"SemiSupervisedAAEClassifier: {classifier.score(X_test, y_test):.3f}")
print(f"LabelSpreading:              {spreading.score(X_test, y_test):.3f}")

# %%
# Losses
# ------
# The dotted lines show where discriminator and generator losses are when codes
# cannot be told from samples of their prior. The virtual adversarial loss sets in
# after a warm-up of a fifth of the epochs.
TrainingCurvesDisplay.from_estimator(classifier)
plt.show()

# %%
# Classes and styles
# ------------------
# Each row of the picture has one style, each column one class. The style has two
# numbers only, so that the decoder has to read the class from the class
# probabilities. With a larger style it could read the class from there.
small = SemiSupervisedAAEClassifier(n_components=2, max_iter=100, random_state=0)
small.fit(X_train, y_few)
StyleDisplay.from_estimator(small)
plt.show()
# sphinx_gallery_thumbnail_number = 2
