"""
Maps of the digits
==================

``AAEEmbedding`` computes two-dimensional maps. By default, rows that are alike are
close to each other. With labels, classes are separate groups of points (section 7 of
the paper). The first map uses no labels, the second map ten labels of each digit.
"""

# %%
# In the map with labels, each class has a head, a point near which its rows lie; a black
# cross marks it. In both maps, colours are the true classes.
import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

from skaae import AAEEmbedding, LatentSpaceDisplay

X, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
labeled = np.concatenate(
    [rng.choice(np.flatnonzero(y == k), 10, replace=False) for k in range(10)]
)
y_few = np.full(len(y), -1)
y_few[labeled] = y[labeled]

with_labels = AAEEmbedding(use_labels=True, max_iter=100, random_state=0).fit(X, y_few)
without_labels = AAEEmbedding(random_state=0).fit(X)

figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
maps = {"without labels": without_labels, "with 100 labels": with_labels}
for ax, (title, embedding) in zip(axes, maps.items(), strict=True):
    LatentSpaceDisplay.from_estimator(
        embedding, X, y, prior=None, legend=ax is axes[1], ax=ax
    )
    ax.set_title(title)
axes[1].scatter(*with_labels.cluster_heads_.T, marker="x", color="black", s=40)
plt.show()

# %%
# A map decodes any of its points. These digits are new: each is decoded from a point
# between neighbours on the map without labels.
samples = without_labels.sample(30, random_state=0).reshape(30, 8, 8)
figure, axes = plt.subplots(3, 10, figsize=(8, 2.5), layout="constrained")
for ax, image in zip(axes.ravel(), samples, strict=True):
    ax.imshow(image, cmap="gray_r")
    ax.axis("off")
plt.show()

# %%
# ``transform`` returns the position of rows on the map. An embedding that was trained
# with labels can also predict their classes; here they are printed beside the true ones.
print(with_labels.transform(X[:3]).round(1))
print(with_labels.predict(X[:3]), y[:3])
