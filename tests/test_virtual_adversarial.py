"""The virtual adversarial loss as estimators have it; the loss itself is in test_step.py."""

import numpy as np
import pytest
from conftest import make
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from skaae import (
    AAEClusterer,
    AAEEmbedding,
    AAETransformer,
    SemiSupervisedAAEClassifier,
    VirtualAdversarial,
)

PHASE = {"virtual_adversarial_learning_rate": 0.01, "max_iter": 10}
UNTAUGHT = {"pseudo_labels": False, "virtual_adversarial": VirtualAdversarial()}


def classifier(**params):
    """Return a classifier with the loss, which no committee teaches."""
    return make(SemiSupervisedAAEClassifier, **{**UNTAUGHT, **params})


@pytest.fixture(scope="module")
def moons():
    return make_moons(600, noise=0.06, random_state=0)


@pytest.mark.parametrize("updates", ["alternating", "joint"])
def test_it_starts_after_a_fifth_of_the_epochs(blobs, few_labels, updates):
    X, _ = blobs
    history = classifier(updates=updates, **PHASE).fit(X, few_labels).history_
    assert history["stage"] == 2 * ["warm-up"] + 8 * ["refine"]
    losses = history["virtual_adversarial"]
    assert np.isnan(losses).tolist() == 2 * [True] + 8 * [False]
    assert min(losses[2:]) > 0.0


def test_it_waits_as_long_over_calls(blobs, few_labels):
    X, _ = blobs
    in_one = classifier(**PHASE).fit(X, few_labels).history_
    model = classifier(**PHASE)
    for _ in range(10):
        model.partial_fit(X, few_labels)
    in_ten = model.history_
    assert in_ten["stage"] == in_one["stage"]
    waited_in_ten, waited = (np.isnan(h["virtual_adversarial"]).tolist() for h in (in_ten, in_one))
    assert waited_in_ten == waited


@pytest.mark.parametrize(("solver", "rate"), [("sgd", 0.1), ("adam", 0.001)])
def test_it_is_on_for_classes_of_images_alone(blobs, few_labels, solver, rate):
    X, _ = blobs
    image = {"solver": solver, "max_iter": 5, "scaling": "range"}
    auto = classifier(virtual_adversarial="auto", **image).fit(X, few_labels)
    given = classifier(virtual_adversarial_learning_rate=rate, **image)
    assert (
        given.fit(X, few_labels).history_["virtual_adversarial"][1:]
        == (auto.history_["virtual_adversarial"][1:])
    )
    for params in ({"virtual_adversarial": None, "scaling": "range"}, {"scaling": "standard"}):
        params = {"virtual_adversarial": "auto", **params}
        without = classifier(max_iter=5, **params).fit(X, few_labels)
        assert "virtual_adversarial" not in without.history_
    clusters = make(AAEClusterer, n_clusters=3, max_iter=5).fit(X)
    assert "virtual_adversarial" not in clusters.history_


@pytest.mark.parametrize("estimator", [AAEClusterer, AAEEmbedding])
def test_clusters_have_it_too(blobs, estimator):
    X, _ = blobs
    history = make(estimator, n_clusters=3, init="k-means", **PHASE).fit(X).history_
    assert history["stage"] == 2 * ["warm-up"] + 3 * ["taught"] + 5 * ["free"]
    assert np.isnan(history["virtual_adversarial"]).tolist() == 2 * [True] + 8 * [False]


@pytest.mark.parametrize("estimator", [AAEClusterer, AAEEmbedding])
def test_it_comes_first_where_nothing_else_finds_clusters(blobs, estimator):
    X, _ = blobs
    params = {**PHASE, "n_clusters": 3, "init": "random"}
    model = make(estimator, **params, warm_start=True).fit(X)
    assert model.history_["stage"] == 6 * ["find clusters"] + 4 * ["refine"]
    game = [6 * [True] + 4 * [False], 10 * [False]]
    for name in ("generator_label", "discriminator_label"):
        assert np.isnan(model.history_[name]).tolist() == game[0]
    for name in ("virtual_adversarial", "conditional_entropy", "class_balance", "generator_style"):
        assert np.isnan(model.history_[name]).tolist() == game[1]
    model.set_params(max_iter=100).fit(X)  # the last stage remains
    assert model.history_["stage"][6:] == 104 * ["refine"]
    assert np.isfinite(model.history_["generator_label"]).sum() == 104
    taught = make(estimator, **{**params, "init": "k-means"}).fit(X)
    assert "conditional_entropy" not in taught.history_


@pytest.mark.parametrize("updates", ["alternating", pytest.param("joint", marks=pytest.mark.slow)])
def test_clusters_that_it_finds_have_gaps_between_them(moons, updates):
    """Two interleaved half circles, which the adversary by itself cuts across."""
    X, y = moons
    params = {"n_clusters": 2, "init": "random", "max_iter": 60, "solver": "adam"}
    params["updates"] = updates
    phase = {"virtual_adversarial_learning_rate": 0.002, "virtual_adversarial_radius": 0.3}
    agreement = {}
    for case, more in (("with", phase), ("without", {})):
        found = make(AAEClusterer, **params, **more).fit_predict(X)
        assert len(np.unique(found)) == 2
        agreement[case] = adjusted_rand_score(y, found)
    assert agreement["with"] > 0.85, agreement
    assert agreement["without"] < 0.6, agreement


def test_codes_without_classes_have_not():
    with pytest.raises(TypeError, match="virtual_adversarial"):
        make(AAETransformer, **PHASE)


def test_the_radius_follows_the_variance_of_the_rows(blobs, few_labels):
    X, _ = blobs
    X = StandardScaler().fit_transform(X)
    model = classifier(scaling=None, **PHASE).fit(X, few_labels)
    assert model._settings.radius == pytest.approx(0.17 * np.sqrt(X.shape[1]))
    wide = classifier(scaling=None, virtual_adversarial_radius=5.0, **PHASE).fit(X, few_labels)
    assert wide.history_["virtual_adversarial"][2] > 2.0 * model.history_["virtual_adversarial"][2]


@pytest.fixture
def cloud():
    """Rows without gaps between classes, which are the halves of the first column."""
    X = np.random.default_rng(0).normal(size=(300, 2))
    return X, np.where(np.arange(300) < 30, X[:, 0] > 0.0, -1)


def test_a_stated_prior_is_kept_and_an_estimate_is_not(cloud, monkeypatch):
    params = {"class_prior": [0.7, 0.3], "max_iter": 60, "pseudo_labels": False}
    found = {}
    for stated in (True, False):
        monkeypatch.setattr(SemiSupervisedAAEClassifier, "_is_prior_stated", lambda _, s=stated: s)
        model = classifier(**params).fit(*cloud)
        assert ("class_balance" in model.history_) == stated
        found[stated] = model.predict_proba(cloud[0])[:, 0].mean()
    assert found[True] > found[False] + 0.05, found


def test_which_priors_are_stated(blobs, few_labels):
    X, _ = blobs
    for prior, stated in (("labeled", False), ("uniform", True), ([0.2, 0.3, 0.5], True)):
        model = classifier(class_prior=prior, max_iter=5).fit(X, few_labels)
        assert ("class_balance" in model.history_) == stated
    without = classifier(class_prior="uniform", max_iter=5, virtual_adversarial=None)
    assert "class_balance" not in without.fit(X, few_labels).history_


def test_a_prior_may_rule_out_a_class(blobs, few_labels):
    X, _ = blobs
    model = classifier(class_prior=[0.5, 0.5, 0.0], max_iter=10).fit(X, few_labels)
    assert np.isfinite(model.history_["class_balance"][-1])


def test_more_epochs_do_not_bring_the_warm_up_back(blobs, few_labels):
    X, _ = blobs
    model = classifier(warm_start=True, **PHASE).fit(X, few_labels)
    model.set_params(max_iter=100).fit(X, few_labels)
    assert model.history_["stage"] == 2 * ["warm-up"] + 108 * ["refine"]
    assert np.isfinite(model.history_["virtual_adversarial"]).sum() == 108


def test_maps_keep_class_proportions_without_labels_or_where_they_are_stated(blobs, few_labels):
    X, _ = blobs
    without = make(AAEEmbedding, n_clusters=3, **PHASE).fit(X)
    assert np.isfinite(without.history_["class_balance"]).sum() == 8
    estimated = make(AAEEmbedding, use_labels=True, **PHASE).fit(X, few_labels)
    assert "class_balance" not in estimated.history_
    params = {**PHASE, "use_labels": True, "class_prior": [0.2, 0.3, 0.5]}
    stated = make(AAEEmbedding, **params).fit(X, few_labels)
    assert np.isfinite(stated.history_["class_balance"]).sum() == 8
    np.testing.assert_allclose(stated.class_prior_, [0.2, 0.3, 0.5])


@pytest.mark.parametrize(
    ("name", "value"), [("learning_rate", -0.1), ("learning_rate", 0.0), ("radius", 0.0)]
)
def test_bad_values_are_named(blobs, few_labels, name, value):
    X, _ = blobs
    model = classifier(virtual_adversarial=VirtualAdversarial(**{name: value}))
    with pytest.raises(ValueError, match=rf"'{name}' parameter.*Got {value}"):
        model.fit(X, few_labels)
