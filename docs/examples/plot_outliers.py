"""
Outliers
========

``AAEOutlierDetector`` learns what most rows look like. It compares the reconstruction
errors and the code of a row with those of the training rows. The model is that of
section 2 of the paper.
"""

# %%
# Rotated digits as outliers
# --------------------------
# Twenty of the test images are turned by 90 degrees. There are no such images among
# the training rows, so this is novelty detection: ``fit`` sees normal rows only. An
# area under the ROC curve of 1 would mean that all turned images have lower scores
# than all other test images.
import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skaae import AAEOutlierDetector, ReconstructionDisplay

X_train, X_test = train_test_split(load_digits().data, random_state=0)
rng = np.random.default_rng(0)
spoiled = np.zeros(len(X_test), dtype=bool)
spoiled[rng.choice(len(X_test), 20, replace=False)] = True
images = X_test.reshape(-1, 8, 8).copy()
images[spoiled] = np.rot90(images[spoiled], axes=(1, 2))
X_test = images.reshape(-1, 64)

detector = AAEOutlierDetector(random_state=0).fit(X_train)
scores = detector.score_samples(X_test)
print(f"Area under the ROC curve: {roc_auc_score(~spoiled, scores):.3f}")

# %%
# The threshold
# -------------
# Rows with a score below ``offset_`` are outliers: ``predict`` returns -1 for them. The
# dashed line is this threshold.
found = detector.predict(X_test) == -1
print(f"{found.sum()} outliers, {(found & spoiled).sum()} of them turned")

figure, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
bins = np.linspace(scores.min(), scores.max(), 50)
ax.hist(
    [scores[~spoiled], scores[spoiled]],
    bins=bins,
    stacked=True,
    label=["upright", "on their side"],
)
ax.axvline(detector.offset_, color="black", linestyle="--", label="threshold")
ax.set(xlabel="score", ylabel="rows")
ax.legend(frameon=False)
plt.show()

# %%
# The lowest scores
# -----------------
# The upper images are the test images with the lowest scores, the lowest first. Below
# each image is its reconstruction. The model has not learned such images, so many
# reconstructions differ from them.
ReconstructionDisplay.from_estimator(detector, X_test[np.argsort(scores)])
plt.show()
# sphinx_gallery_thumbnail_number = 2
