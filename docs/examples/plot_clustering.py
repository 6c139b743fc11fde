"""
Clusters without labels
=======================

The same network as with few labels, with none (section 6 of the paper): the class part of the code
is left to find groups on its own. The first column shows the head of each cluster, its one-hot code
decoded with a style of zero; beside it are rows that belong to the cluster.
"""

# %%
# Heads and members
# -----------------
from matplotlib import pyplot as plt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

from skaae import AAEClusterer, ClusterHeadsDisplay

X, y = load_digits(return_X_y=True)
clusterer = AAEClusterer(n_clusters=20, max_iter=100, random_state=0).fit(X)
ClusterHeadsDisplay.from_estimator(clusterer, X, n_members=12)
plt.show()

# %%
# Agreement with the classes
# --------------------------
# Twenty clusters for ten digits: several handwritings of a digit have a cluster each, which the
# adjusted Rand index counts as a fault of both methods.
kmeans = KMeans(n_clusters=20, n_init=10, random_state=0).fit(X)
print(f"AAEClusterer: {adjusted_rand_score(y, clusterer.labels_):.3f}")
print(f"KMeans:       {adjusted_rand_score(y, kmeans.labels_):.3f}")

# %%
# As many clusters as digits
# --------------------------
# A phase that the paper lacks moves the borders of clusters to where no rows are. Thirty small
# clusters that it finds are joined into ten after training, whatever size these then have.
digits = AAEClusterer(
    n_clusters=10,
    n_subclusters=30,
    init="random",
    solver="adam",
    batch_norm="hidden",
    virtual_adversarial_learning_rate=0.002,
    max_iter=100,
    random_state=0,
).fit(X)
kmeans = KMeans(n_clusters=10, n_init=10, random_state=0).fit(X)
print(f"AAEClusterer: {adjusted_rand_score(y, digits.labels_):.3f}")
print(f"KMeans:       {adjusted_rand_score(y, kmeans.labels_):.3f}")
ClusterHeadsDisplay.from_estimator(digits, X, n_members=12)
plt.show()
