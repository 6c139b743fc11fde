"""The first clusters of a fit, and the metric of neighbours in which some of them are found."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from conftest import make
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import load_iris, load_wine, make_blobs, make_circles, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from skaae import MLP, AAEClusterer
from skaae.clustering.initial import (
    KEPT_KMEANS,
    InitialClusters,
    directions,
    find_initial_clusters,
    kmeans_labels,
    mixture_labels,
    spectral_labels,
    suitable_init,
)
from skaae.estimators.labels import labeled_proportions
from skaae.neighbours import distinct, nearest, neighbour_graph, whitening


def unequal_blobs():
    return make_blobs([800, 150, 50], cluster_std=[1.0, 2.0, 0.5], random_state=9)


# Whitening and the graph --------------------------------------------------------------------------


def stretch(X, neighbours):
    """Return the ratio of the longest to the shortest axis of differences from neighbours."""
    differences = (X[:, None] - X[neighbours]).reshape(-1, X.shape[1])
    return np.sqrt(np.linalg.cond(differences.T @ differences))


def test_whitening_tells_long_groups_apart():
    """Two groups far longer than they are apart."""
    rng = np.random.default_rng(0)
    groups = np.repeat([0.0, 1.0], 300)
    X = np.c_[10.0 * rng.normal(size=600), groups + 0.05 * rng.normal(size=600)]
    assert adjusted_rand_score(groups, kmeans_labels(X, 2, 0)) < 0.1
    assert adjusted_rand_score(groups, spectral_labels(X, 2, 0)) > 0.85


def test_many_columns_are_whitened_less_and_very_many_not_at_all():
    rng = np.random.default_rng(0)
    for n_columns, least, most in ((5, 0.0, 0.5), (100, 0.5, 0.9)):
        X = rng.normal(size=(300, n_columns)) * np.linspace(1.0, 10.0, n_columns)
        _, neighbours = nearest(X, 10)
        left = stretch(X @ whitening(X, 0), neighbours) / stretch(X, neighbours)
        assert least < left < most
    huge = rng.normal(size=(5, 1001))
    np.testing.assert_array_equal(huge @ whitening(huge, 0), huge)


def test_rows_that_are_all_the_same_stay_as_they_are():
    X = np.ones((10, 3))
    np.testing.assert_array_equal(X @ whitening(X, 0), X)
    rows, places = distinct(X)
    assert rows.shape == (1, 3)
    np.testing.assert_array_equal(places, 0)


def test_affinities_fall_with_the_distance_relative_to_that_of_other_neighbours():
    """Worked by hand: rows 0, 1, 3 with two neighbours each, so all pairs are connected."""
    graph = neighbour_graph(np.array([[0.0], [1.0], [3.0]]), 2).toarray()
    reach = np.array([3.0, 2.0, 3.0])
    distance = np.array([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]])
    wanted = np.exp(-(distance**2) / np.outer(reach, reach)) * (distance > 0.0)
    np.testing.assert_allclose(graph, wanted)


# First clusters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sets", [make_moons, make_circles])
def test_spectral_clusters_have_any_shape(sets):
    factor = {"factor": 0.5} if sets is make_circles else {}
    X, y = sets(600, noise=0.05, random_state=0, **factor)
    assert adjusted_rand_score(y, spectral_labels(X, 2, 0)) > 0.95
    assert suitable_init(X, 2, 0) == "spectral"


@pytest.mark.parametrize("n_rows", [200, 400])
def test_two_rings_of_few_rows_are_no_gaussians(n_rows):
    """Twice as many Gaussians describe two rings no better than two, but four times as many do."""
    X, _ = make_circles(n_rows, noise=0.05, factor=0.4, random_state=0)
    assert suitable_init(StandardScaler().fit_transform(X), 2, 0) == "spectral"


def ring_of_groups(n_groups, smallest, largest):
    """Return groups of these sizes on a ring, with gaps that no edge of a graph crosses."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(n_groups), np.linspace(smallest, largest, n_groups).astype(int))
    angle = 2.0 * np.pi * (y + 0.25 * rng.random(len(y))) / n_groups
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return 6.0 * circle + 0.1 * rng.normal(size=(len(y), 2)), y


@pytest.mark.parametrize("n_groups", [4, 12])
def test_groups_without_a_connection_are_found(n_groups):
    """All share the largest eigenvalue of the graph, of which ARPACK would miss copies."""
    X, y = ring_of_groups(n_groups, 20, 130)
    assert adjusted_rand_score(y, spectral_labels(X, n_groups, 0)) == 1.0


def test_of_more_groups_than_clusters_the_smallest_are_merged():
    X, y = ring_of_groups(9, 20, 130)
    found = spectral_labels(X, 7, 0)
    assert len(np.unique(found)) == 7
    for k in range(9):
        assert len(np.unique(found[y == k])) == 1
    alone = [k for k in range(9) if (y[found == found[y == k][0]] == k).all()]
    assert set(alone) >= {5, 6, 7, 8}


def test_more_parts_than_clusters_are_merged_and_none_is_lost(recwarn):
    X, y = ring_of_groups(20, 20, 60)
    found = spectral_labels(X, 6, 0)
    assert len(np.unique(found)) == 6
    for k in range(20):
        assert len(np.unique(found[y == k])) == 1
    assert np.bincount(found).max() < 0.4 * len(X)
    assert not list(recwarn)


def test_eigenvectors_of_parts_are_those_of_the_whole():
    X, _ = make_blobs(150, centers=1, n_features=3, random_state=0)
    graph = neighbour_graph(X, 10)
    scale = 1.0 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel())
    values, vectors = np.linalg.eigh(scale[:, None] * graph.toarray() * scale)
    expected = vectors[:, ::-1][:, :3]
    assert values[-4] < values[-3] - 1e-3
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = directions(graph, 3, 0)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-6)


def test_whitening_helps_spectral_clustering():
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    peer = SpectralClustering(3, affinity="nearest_neighbors", random_state=0).fit_predict(X)
    found = adjusted_rand_score(y, spectral_labels(X, 3, 0))
    assert found > max(0.88, adjusted_rand_score(y, peer) - 0.01)


def test_copies_of_a_row_count_once_for_neighbours():
    """With all its copies as neighbours, no row of a group would be connected with the others."""
    X, y = make_blobs(60, centers=3, random_state=1)
    X, y = np.repeat(X, 20, axis=0), np.repeat(y, 20)
    found = spectral_labels(X, 3, 0)
    assert adjusted_rand_score(y, found) == 1.0


def test_more_rows_than_spectral_clustering_uses_get_the_cluster_of_the_nearest():
    X, y = make_moons(7000, noise=0.05, random_state=0)
    assert adjusted_rand_score(y, spectral_labels(X, 2, 0)) > 0.95


def test_a_mixture_finds_clusters_of_unequal_size():
    X, y = unequal_blobs()
    assert suitable_init(X, 3, 0) == "mixture"
    assert adjusted_rand_score(y, mixture_labels(X, 3, 0)) > 0.95


def test_flags_and_categories_start_from_k_means():
    rng = np.random.default_rng(0)
    flags = rng.integers(0, 2, (300, 6)).astype(float)
    assert suitable_init(np.c_[flags, rng.normal(size=(300, 6))], 3, 0) == KEPT_KMEANS
    assert suitable_init(rng.normal(size=(300, 12)), 3, 0) != KEPT_KMEANS
    assert suitable_init(rng.normal(size=(5, 2)), 3, 0) == KEPT_KMEANS  # too few rows for others


def test_too_few_distinct_rows_for_a_graph():
    X = np.repeat(np.arange(4.0)[:, None], 5, axis=0)
    assert spectral_labels(X, 3, 0) is None
    assert len(np.unique(find_initial_clusters("spectral", X, 3, 0).labels)) == 3


def test_clusters_take_the_numbers_of_those_that_they_share_most_rows_with():
    labels, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([2, 2, 0, 0, 0, 1])
    renumbered = InitialClusters("k-means", labels).numbered_like(predicted)
    np.testing.assert_array_equal(renumbered.labels, [2, 2, 2, 0, 0, 1])
    proportions = labeled_proportions(renumbered.labels, 4)
    np.testing.assert_allclose(proportions, np.array([3, 2, 4, 1]) / 10.0)


# Estimators ---------------------------------------------------------------------------------------


def test_the_clusterer_keeps_clusters_of_unequal_size():
    """Equal proportions of the label's prior would cut the large cluster in pieces."""
    X, y = unequal_blobs()
    model = make(AAEClusterer, n_clusters=3, max_iter=40).fit(X)
    assert adjusted_rand_score(y, model.labels_) > 0.95
    assert set(model.history_["stage"]) == {"taught"}
    sizes = np.bincount(model.labels_) / len(X)
    drawn = model.predict(model.sample(2000, random_state=0))
    np.testing.assert_allclose(np.bincount(drawn, minlength=3) / 2000, sizes, atol=0.1)


def test_the_clusterer_keeps_clusters_that_are_not_round():
    X, y = make_moons(500, noise=0.05, random_state=0)
    model = make(AAEClusterer, n_clusters=2, max_iter=100).fit(X[:400])
    assert adjusted_rand_score(y[400:], model.predict(X[400:])) > 0.9


def test_defaults_find_irises_better_than_k_means():
    X, y = load_iris(return_X_y=True)
    model = make(AAEClusterer, n_clusters=3).fit(X)
    means = kmeans_labels(StandardScaler().fit_transform(X), 3, 0)
    assert adjusted_rand_score(y, model.labels_) > adjusted_rand_score(y, means) + 0.1


def test_partial_fit_and_over_clustering_depart_from_k_means_and_sparse_rows_keep_it(blobs):
    X = blobs[0]
    for model, teacher in (
        (make(AAEClusterer, n_clusters=3).partial_fit(X), "k-means"),
        (make(AAEClusterer, n_clusters=3, overclustering=6, max_iter=1).fit(X), "k-means"),
        (make(AAEClusterer, n_clusters=3, max_iter=1).fit(sp.csr_array(X)), KEPT_KMEANS),
    ):
        assert model._settings.schedule.teacher == teacher


def answers(seed):
    """Return 600 rows of 12 answers, yes or no, of three groups, and the group of each row."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 3, 600)
    often = rng.choice([0.15, 0.5, 0.85], (3, 12))
    return (rng.random((600, 12)) < often[groups]).astype(int), groups


def test_training_keeps_the_first_clusters_of_answers():
    """If the label were free in the second half, the index would fall from 0.70 to 0.53."""
    X, groups = answers(0)
    model = make(AAEClusterer, n_clusters=3, max_iter=50).fit(X)
    assert set(model.history_["stage"]) == {"taught"}
    means = KMeans(3, n_init=10, random_state=0).fit_predict(StandardScaler().fit_transform(X))
    assert adjusted_rand_score(means, model.labels_) > 0.95
    assert adjusted_rand_score(groups, model.labels_) > 0.65


def test_a_few_extreme_values_are_no_cluster():
    """Of a table with a skewed column: k-means of the rows as they are joins two groups."""
    rng = np.random.default_rng(1)
    groups = np.repeat([0, 1, 2], 200)
    flags = rng.random((600, 6)) < 0.5
    X = np.c_[3.0 * groups, np.where(rng.random(600) < 0.02, 60.0, 0.0), flags]
    X += 0.5 * rng.normal(size=X.shape) * ([1, 1] + 6 * [0])
    start = find_initial_clusters("auto", (X / X.std(axis=0)).astype(np.float32), 3, 0)
    assert start.kind == KEPT_KMEANS
    assert np.bincount(start.labels).min() > 100


class WithoutItsLastCluster(torch.nn.Linear):
    """An encoder that gives the last cluster to no row."""

    def forward(self, x):
        outputs = super().forward(x)  # the logits of 3 clusters, and the style
        return outputs - 1e4 * (torch.arange(outputs.shape[1], device=x.device) == 2)


def test_fit_warns_of_a_cluster_that_has_lost_its_rows():
    network = MLP(encoder=WithoutItsLastCluster)
    model = make(AAEClusterer, n_clusters=3, init="k-means", max_iter=30, network=network)
    message = r"emptied a cluster.*\[\d+, \d+, 0\].*\[65, 62, 51\]"
    with pytest.warns(ConvergenceWarning, match=message):
        model.fit(load_wine().data)
    assert model.n_clusters_ == 2


@pytest.mark.parametrize("init", ["spectral", "mixture"])
def test_sparse_rows_are_refused_where_dense_ones_are_needed(blobs, init):
    model = make(AAEClusterer, n_clusters=3, init=init)
    with pytest.raises(ValueError, match=rf"init='{init}' needs dense rows.*init='k-means'"):
        model.fit(sp.csr_array(blobs[0]))


@pytest.mark.parametrize("init", ["spectral", "mixture", "k-means"])
def test_a_warm_start_keeps_the_numbers_of_clusters(blobs, init):
    X = blobs[0]
    model = make(AAEClusterer, n_clusters=3, init=init, warm_start=True, max_iter=20).fit(X)
    before = model.predict(X)
    again = model.set_params(random_state=7).fit(X[::-1])
    assert np.mean(again.predict(X) == before) > 0.95


def test_first_clusters_say_what_found_them(blobs):
    X = StandardScaler().fit_transform(blobs[0])
    for kind in ("k-means", "spectral", "mixture"):
        start = find_initial_clusters(kind, X, 3, 0)
        assert start.kind == kind
        assert start.labels.dtype == np.int64
        assert adjusted_rand_score(blobs[1], start.labels) == 1.0


# Rows that are hard for a start -------------------------------------------------------------------


def test_a_far_outlier_stays_connected():
    """Its affinity with its neighbours would be 0 otherwise, and its eigenvectors 0 / 0."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 5))
    X[:300] += 6.0
    X[0] = 1e4
    start = find_initial_clusters("spectral", X, 2, 0)
    assert start.kind == "spectral"
    assert adjusted_rand_score(np.arange(600) < 300, start.labels) > 0.9


def test_columns_that_depend_on_each_other():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    X[:150] += 6.0
    X = (100.0 * np.c_[X, 3.0 * X[:, :2]]).astype(np.float32)
    for kind in ("auto", "mixture"):
        found = find_initial_clusters(kind, X, 2, 0).labels
        assert adjusted_rand_score(np.arange(300) < 150, found) > 0.95


def test_fewer_rows_than_clusters_are_no_error():
    X = np.random.default_rng(0).normal(size=(18, 2))
    for kind in ("k-means", "spectral", "mixture"):
        assert len(find_initial_clusters(kind, X, 20, 0).labels) == 18


def test_a_start_says_where_k_means_took_the_place_of_spectral_clustering():
    X = np.random.default_rng(0).normal(size=(20, 2))
    assert find_initial_clusters("spectral", X, 15, 0).kind == KEPT_KMEANS


def test_rows_of_one_dimension_take_no_longer():
    X = np.random.default_rng(0).exponential(size=(2000, 1)) ** 2
    assert len(np.unique(find_initial_clusters("spectral", X, 3, 0).labels)) == 3


def test_constant_columns_say_nothing_of_categories():
    X, _ = make_moons(400, noise=0.05, random_state=0)
    assert suitable_init(np.c_[X, np.ones((400, 5))], 2, 0) == "spectral"


def test_later_calls_of_partial_fit_keep_clusters():
    X, y = make_moons(400, noise=0.06, random_state=0)
    model = make(AAEClusterer, n_clusters=2, max_iter=60, init="spectral").fit(X)
    for _ in range(60):
        model.partial_fit(X)
    assert adjusted_rand_score(y, model.labels_) > 0.9
    assert np.isfinite(model.history_["classification"]).all()


@pytest.mark.parametrize("init", ["spectral", "mixture"])
def test_partial_fit_cannot_begin_with_clusters_that_all_epochs_learn(blobs, init):
    model = make(AAEClusterer, n_clusters=3, init=init)
    with pytest.raises(ValueError, match=rf"init='{init}' learns .* call fit first"):
        model.partial_fit(blobs[0])
