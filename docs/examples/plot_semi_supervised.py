"""
Classes from fifty labels
=========================

The classifier trains on all training digits, but only five digits of each class have a
label (section 5 of the paper). Training on the unlabeled digits divides all digits into
clusters. The labels decide which cluster is which class.
"""

# %%
# Accuracy
# --------
# We compare the classifier with ``LabelSpreading``, a method of scikit-learn for the
# same task. Both use the same rows and labels.
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
# The dotted lines are the losses of discriminators (upper line) and generators (lower
# line) when codes cannot be distinguished from samples of their prior. The virtual
# adversarial loss, which penalizes predictions that change near a row, is used after the
# first fifth of the epochs.
TrainingCurvesDisplay.from_estimator(classifier)
plt.show()

# %%
# Classes and styles
# ------------------
# In each row of the picture all digits have the same style, in each column the same
# class. The style has only two dimensions, so it can hardly contain the class. With more
# dimensions it could, and then some digits would not show the class of their column.
small = SemiSupervisedAAEClassifier(n_components=2, max_iter=100, random_state=0)
small.fit(X_train, y_few)
StyleDisplay.from_estimator(small)
plt.show()
# sphinx_gallery_thumbnail_number = 2
