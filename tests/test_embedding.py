"""AAEEmbedding: maps in which clusters keep apart (section 7)."""

import pickle

import numpy as np
import pytest
from conftest import hide, make
from scipy.spatial.distance import pdist
from sklearn.neighbors import KNeighborsClassifier

from skaae import AAEEmbedding


def embedding(**params):
    return make(AAEEmbedding, **params)


@pytest.fixture(scope="module")
def split(digits):
    X, y = digits
    order = np.random.default_rng(0).permutation(len(X))
    return X[order[:1300]], y[order[:1300]], X[order[1300:]], y[order[1300:]]


def test_neighbours_on_the_map_are_of_one_class(split):
    """Chance is 0.1; measured with 100 labels 0.92 to 0.95, without labels 0.81 to 0.89."""
    X, y, X_test, y_test = split
    few = hide(y, 10)
    params = {"max_iter": 100, "hidden_layer_sizes": (128, 128)}
    for labels, least in ((few, 0.85), (None, 0.7)):
        model = embedding(use_labels=labels is not None, **params).fit(X, labels)
        judge = KNeighborsClassifier(5).fit(model.transform(X), y)
        assert judge.score(model.transform(X_test), y_test) > least
        assert pdist(model.cluster_heads_).min() > 0.9 * model.head_distance
        if labels is not None:
            assert np.mean(model.predict(X_test) == y_test) > 0.85


def test_heads_keep_their_distance_only_where_it_costs(blobs):
    X, _ = blobs
    params = {"n_clusters": 12, "max_iter": 60}
    apart = embedding(head_distance=3.0, **params).fit(X)
    near = embedding(head_distance=0.0, **params).fit(X)
    assert pdist(apart.cluster_heads_).min() > 2.7
    assert pdist(near.cluster_heads_).min() < 1.5
    assert apart.history_["head_distance"][-1] < 0.1
    assert "head_distance" not in near.history_


def test_fixed_heads(blobs):
    X, y = blobs
    fixed = embedding(use_labels=True, cluster_heads="identity", n_components=3).fit(X, y)
    np.testing.assert_array_equal(fixed.cluster_heads_, 10.0 * np.eye(3))
    places = [[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]]
    given = embedding(use_labels=True, cluster_heads=places).fit(X, hide(y, 5))
    np.testing.assert_array_equal(given.cluster_heads_, places)
    nearest = np.linalg.norm(given.transform(X)[:, None] - places, axis=2).argmin(axis=1)
    assert np.mean(nearest == y) > 0.9
    with pytest.raises(ValueError, match=r"each of the 3 heads, but n_components=2"):
        embedding(use_labels=True, cluster_heads="identity").fit(X, y)
    with pytest.raises(ValueError, match=r"shape \(2, 2\); it must be .* = \(3, 2\)"):
        embedding(use_labels=True, cluster_heads=places[:2]).fit(X, y)


def test_the_map_is_head_plus_style_and_the_decoder_sees_nothing_else(blobs):
    X, y = blobs
    model = embedding(use_labels=True).fit(X, y)
    Z = model.transform(X)
    np.testing.assert_allclose(model.reconstruct(X), model.inverse_transform(Z), rtol=1e-6)
    np.testing.assert_array_equal(model.embedding_, Z)
    np.testing.assert_array_equal(model.fit_transform(X, y), Z)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.transform(X), Z)
    np.testing.assert_array_equal(loaded.cluster_heads_, model.cluster_heads_)


def test_predictions_are_classes_or_else_heads(blobs):
    X, y = blobs
    names = np.array(["a", "b", "c"])[y]
    model = embedding(use_labels=True, max_iter=40).fit(X, names)
    assert np.mean(model.predict(X) == names) > 0.95
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)
    assert np.mean(model.predict(model.sample(60, "b", random_state=0)) == "b") > 0.9
    model.set_params(use_labels=False, n_clusters=4).fit(X)
    assert not hasattr(model, "classes_")
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    assert model.predict_proba(X).shape == (len(X), 4)
    assert model.sample(5, 3, random_state=0).shape == (5, 6)


def test_samples_of_the_prior_lie_around_the_heads(blobs):
    model = embedding(n_clusters=3).fit(blobs[0])
    samples = model.sample_prior(2000, random_state=0)
    gaps = np.linalg.norm(samples[:, None] - model.cluster_heads_, axis=2).min(axis=1)
    assert np.quantile(gaps, 0.95) < 2.6  # of a standard normal in two dimensions: 2.45


def test_a_fitted_map_keeps_its_heads_whatever_is_set_later(blobs):
    model = embedding(n_clusters=4, max_iter=2).fit(blobs[0])
    expected = model.sample_prior(5, random_state=0)
    model.set_params(n_clusters=2)
    np.testing.assert_array_equal(model.sample_prior(5, random_state=0), expected)


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ([[1, 2], [3]], "is no table of numbers"),
        ([["a", "b"], ["c", "d"]], "is no table of numbers"),
        ([[1.0, 2.0], [np.nan, 3.0]], "holds NaN or infinity"),
    ],
    ids=["ragged", "text", "nan"],
)
def test_bad_places_of_heads_are_refused(blobs, heads, message):
    with pytest.raises(ValueError, match=message):
        embedding(n_clusters=2, cluster_heads=heads).fit(blobs[0])


def test_partial_fit_goes_on(blobs):
    X, y = blobs
    model = embedding(use_labels=True).partial_fit(X[:90], hide(y[:90], 1), classes=[0, 1, 2])
    model.partial_fit(X[90:], np.full(len(X) - 90, -1))
    assert model.n_iter_ == 2
    assert model.embedding_.shape == (len(X) - 90, 2)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    with pytest.raises(ValueError, match="differ from those of the first call"):
        model.partial_fit(X, y, classes=[0, 1, 7])
    without = embedding(n_clusters=4).partial_fit(X).partial_fit(X)
    assert without.n_iter_ == 2
    np.testing.assert_array_equal(without.predict(X), without.labels_)
