"""
Classes from fifty labels
=========================

A classifier that sees all training digits but only five labels of each class (section 5 of the
paper). Two discriminators push the class part of the code towards one-hot vectors and the style
towards a Gaussian; the labels only have to name the groups that come of it.
"""

# %%
# Accuracy
# --------
# Beside it, on the same labels, is scikit-learn's method for the same task.
import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.semi_supervised import LabelSpreading

from skaae import SemiSupervisedAAEClassifier, StyleDisplay, TrainingCurvesDisplay

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
print(f"SemiSupervisedAAEClassifier: {classifier.score(X_test, y_test):.3f} of the test rows")
print(f"LabelSpreading:              {spreading.score(X_test, y_test):.3f}")

# %%
# Losses
# ------
# Dotted lines mark where discriminators and encoder are even.
TrainingCurvesDisplay.from_estimator(classifier)
plt.show()

# %%
# Classes and styles
# ------------------
# With a style of two components the decoder has to read the class from the class part of the code,
# so decoding every style with every class shows whether it has learned them.
small = SemiSupervisedAAEClassifier(n_components=2, max_iter=100, random_state=0)
small.fit(X_train, y_few)
StyleDisplay.from_estimator(small)
plt.show()
# sphinx_gallery_thumbnail_number = 2
