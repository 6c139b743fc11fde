"""
Has it trained well?
====================

``diagnose`` runs checks on a fitted estimator. Each gives a number, and advice if the
number is beyond its limit. Here it looks at a model with default parameters, and at
one that was made to fail.
"""

# %%
# A healthy model
# ---------------
# The report begins with the warnings. Here it has none. The rows of ``X_test`` are not
# among those of ``fit``, so they show overfitting.
from matplotlib import pyplot as plt
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

from skaae import MLP, AAETransformer, Adam, DiagnosisDisplay, diagnose

X, y = load_wine(return_X_y=True)
X_train, X_test = train_test_split(X, random_state=0, stratify=y)
good = AAETransformer(random_state=0).fit(X_train)
report = diagnose(good, X_train, X_val=X_test)
print(report)

# %%
# A model that fails
# ------------------
# The learning rate of the discriminator and of the encoder that plays against it is a
# hundred times that of the default, and the encoder has no batch normalization and random
# initial weights. It then gives all rows the same code. ``fit`` warns of it, and the report
# says more.
bad = AAETransformer(
    solver=Adam(adversarial_learning_rate=0.1),
    network=MLP(batch_norm=None, weight_init="uniform"),
    random_state=0,
).fit(X_train)
failed = diagnose(bad, X_train, X_val=X_test)
print(failed)

# %%
# As a picture
# ------------
# The bar of an ideal number has length 0, and that of a number at its limit ends at the
# dotted line. The number and the limit stand behind the bar.
figure, axes = plt.subplots(2, 1, figsize=(8, 6), layout="constrained")
for ax, one, title in zip(axes, (report, failed), ("good", "bad"), strict=True):
    DiagnosisDisplay(one).plot(ax)
    ax.set_title(title)
plt.show()
