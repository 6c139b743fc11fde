"""
Outliers
========

The decoder learns to reconstruct rows that are similar to the training rows. It
reconstructs other rows poorly, so ``score_samples``, minus the reconstruction loss
of each row, is low for outliers. The model is that of section 2 of the paper.
"""

# %%
# Rotated digits as outliers
# --------------------------
# Twenty of the test images are turned by 90 degrees. There are no such images among
# the training rows. An area under the ROC curve of 1 would mean that all of them have
# lower scores than all other test images.
import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skaae import AAETransformer, ReconstructionDisplay

X_train, X_test = train_test_split(load_digits().data, random_state=0)
rng = np.random.default_rng(0)
spoiled = np.zeros(len(X_test), dtype=bool)
spoiled[rng.choice(len(X_test), 20, replace=False)] = True
images = X_test.reshape(-1, 8, 8).copy()
images[spoiled] = np.rot90(images[spoiled], axes=(1, 2))
X_test = images.reshape(-1, 64)

aae = AAETransformer(n_components=8, random_state=0).fit(X_train)
scores = aae.score_samples(X_test)
print(f"Area under the ROC curve: {roc_auc_score(~spoiled, scores):.3f}")

figure, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
bins = np.linspace(scores.min(), scores.max(), 50)
ax.hist(
    [scores[~spoiled], scores[spoiled]],
    bins=bins,
    stacked=True,
    label=["upright", "on their side"],
)
ax.set(xlabel="score", ylabel="rows")
ax.legend(frameon=False)
plt.show()

# %%
# The lowest scores
# -----------------
# The upper images are the test images with the lowest scores, the lowest first. Below
# each image is its reconstruction, which looks like an upright digit.
ReconstructionDisplay.from_estimator(aae, X_test[np.argsort(scores)])
plt.show()
# sphinx_gallery_thumbnail_number = 2
