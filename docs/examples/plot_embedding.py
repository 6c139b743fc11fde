"""
Maps of the digits
==================

``AAEEmbedding`` draws a map on which clusters or classes keep a distance from
each other (section 7 of the paper). The first map has ten labels of each digit,
the second none.
"""

# %%
# Each cluster or class has a head, a point that its rows lie around. With labels
# there is one head for each class, without labels one for each of twenty
# clusters. Colours are the true classes in both maps, and black crosses are the
# heads.
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
without_labels = AAEEmbedding(n_clusters=20, max_iter=100, random_state=0).fit(X)

figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
maps = {"with 100 labels": with_labels, "without labels": without_labels}
for ax, (title, embedding) in zip(axes, maps.items(), strict=True):
    LatentSpaceDisplay.from_estimator(
        embedding, X, y, prior=None, legend=ax is axes[1], ax=ax
    )
    ax.scatter(*embedding.cluster_heads_.T, marker="x", color="black", s=40)
    ax.set_title(title)
plt.show()

# %%
# New rows get a place on the map too, and with labels a class.
print(with_labels.transform(X[:3]).round(1))
print(with_labels.predict(X[:3]), y[:3])
