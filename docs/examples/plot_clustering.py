"""
Clusters without labels
=======================

``AAEClusterer`` puts digits into the same cluster if they differ only in style, such
as slant and thickness (section 6 of the paper). It uses no labels.
"""

# %%
# Heads and members
# -----------------
# Each row of the picture is one cluster. The first image is the head of the cluster,
# a typical row: the decoder computes it from the cluster and a style of zero. The
# other images are digits that belong to the cluster.
from matplotlib import pyplot as plt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

from skaae import MLP, AAEClusterer, ClusterHeadsDisplay, VirtualAdversarial

X, y = load_digits(return_X_y=True)
clusterer = AAEClusterer(n_clusters=20, max_iter=100, random_state=0).fit(X)
ClusterHeadsDisplay.from_estimator(clusterer, X, n_members=12)
plt.show()

# %%
# Agreement with the classes
# --------------------------
# The adjusted Rand index measures how well clusters agree with classes; 1 is perfect.
# With twenty clusters for ten digits, most digits have more than one cluster. The
# index counts this as a mistake, for both methods.
kmeans = KMeans(n_clusters=20, n_init=10, random_state=0).fit(X)
print(f"AAEClusterer: {adjusted_rand_score(y, clusterer.labels_):.3f}")
print(f"KMeans:       {adjusted_rand_score(y, kmeans.labels_):.3f}")

# %%
# As many clusters as digits
# --------------------------
# With over-clustering, thirty small clusters are trained and then merged into ten. The
# virtual adversarial loss, which is not in the paper, penalizes clusters that change
# near a row. So the borders between clusters move to regions with few rows.
digits = AAEClusterer(
    n_clusters=10,
    overclustering=30,
    input_noise=0.3,
    init="random",
    solver="adam",
    network=MLP(batch_norm="hidden"),
    virtual_adversarial=VirtualAdversarial(learning_rate=0.002),
    max_iter=100,
    random_state=0,
).fit(X)
kmeans = KMeans(n_clusters=10, n_init=10, random_state=0).fit(X)
print(f"AAEClusterer: {adjusted_rand_score(y, digits.labels_):.3f}")
print(f"KMeans:       {adjusted_rand_score(y, kmeans.labels_):.3f}")
ClusterHeadsDisplay.from_estimator(digits, X, n_members=12)
plt.show()
