"""Rows that a user's function varies in training."""

import functools
import pickle
import warnings

import numpy as np
import pytest
import torch
from conftest import FITS, hide
from conftest import classifier as with_committee

from skaae import MLP, AAEClusterer, AAEEmbedding


def classifier(**params):
    """Return a classifier without a committee, which would take most of the time."""
    return with_committee(**{"pseudo_labels": False, **params})


def turned(x):
    """Return rows with their sign drawn anew."""
    sign = torch.randint(0, 2, (len(x), 1), device=x.device) * 2.0 - 1.0
    return sign * x


@pytest.fixture
def mirrored():
    """Two classes of two opposite groups each, and labels in one group of each class alone."""
    rng = np.random.default_rng(0)
    centers = np.array([[4.0, 0.0, 1.0], [1.0, 4.0, 0.0]])
    y, sign = np.tile([0, 1], 100), np.repeat([1.0, -1.0], 100)
    X = sign[:, None] * centers[y] + 0.5 * rng.normal(size=(200, 3))
    return X, np.concatenate([hide(y[:100], 5), np.full(100, -1)]), y


def test_what_it_leaves_alone_is_learned(mirrored):
    X, few, y = mirrored
    unseen = slice(100, None)  # the groups without a label
    params = {"max_iter": 60, "pseudo_labels": False}
    with_it = classifier(augment=turned, **params).fit(X, few)
    without = classifier(**params).fit(X, few)
    assert with_it.score(X[unseen], y[unseen]) > 0.95
    assert without.score(X[unseen], y[unseen]) < 0.7


@pytest.mark.parametrize("updates", ["alternating", "joint"])
def test_it_gets_rows_in_the_units_of_X(blobs, few_labels, updates):
    X, _ = blobs
    seen = []

    def look(x):
        seen.append((x.device.type, x.dtype, torch.is_grad_enabled(), x.cpu().numpy()))
        return x

    params = {"max_iter": 2, "batch_size": 60, "updates": updates, "pseudo_labels": False}
    model = classifier(augment=look, **params).fit(X, few_labels)
    assert {facts[:3] for facts in seen[1:]} == {
        (model._step.generator.device.type, torch.float32, False)
    }
    # the first are a trial; after it every batch has all rows and, beside them, labeled ones
    in_an_epoch = seen[1:][: 2 * 3]
    assert [len(facts[3]) for facts in in_an_epoch] == 3 * [60, 15]
    rows = np.concatenate([facts[3] for facts in in_an_epoch[::2]])
    labeled = in_an_epoch[1][3]
    expected = X[few_labels >= 0]
    for found, given in ((rows, X), (labeled, expected)):
        close = {"rtol": 1e-4, "atol": 1e-4}
        np.testing.assert_allclose(np.sort(found, axis=0), np.sort(given, axis=0), **close)


def test_one_that_changes_nothing_changes_nothing(blobs, few_labels):
    """Not even the digits of a column that is far from 0 in its units."""
    X = blobs[0] + [0.0, 0.0, 1e9, 0.0, 0.0, 0.0]
    plain = with_committee(max_iter=4).fit(X, few_labels)
    same = with_committee(max_iter=4, augment=torch.clone).fit(X, few_labels)
    np.testing.assert_array_equal(plain.predict_proba(X), same.predict_proba(X))


def test_it_may_return_float64(blobs, few_labels):
    X, _ = blobs
    found = classifier(max_iter=2, augment=torch.Tensor.double).fit(X, few_labels)
    wanted = classifier(max_iter=2, augment=torch.clone).fit(X, few_labels)
    np.testing.assert_array_equal(found.predict_proba(X), wanted.predict_proba(X))


def test_it_may_write_into_its_rows(blobs, few_labels):
    X, _ = blobs

    def in_place(x):
        return x.mul_(2.0)

    before = X.copy()
    params = {"max_iter": 5, "scaling": None}
    inside = classifier(augment=in_place, **params).fit(X, few_labels)
    beside = classifier(augment=lambda x: 2.0 * x, **params).fit(X, few_labels)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(inside.predict_proba(X), beside.predict_proba(X))


def test_its_draws_are_seeded_and_leave_the_global_generator_alone(blobs, few_labels):
    X, _ = blobs
    state = torch.random.get_rng_state()
    first, second = (classifier(augment=turned, max_iter=5).fit(X, few_labels) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    other = classifier(augment=turned, max_iter=5, random_state=1).fit(X, few_labels)
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("estimator", [AAEClusterer, AAEEmbedding])
def test_clusters_have_it_too(mirrored, estimator):
    X = mirrored[0]
    params = {**FITS, "n_clusters": 2, "max_iter": 5}
    augmented = estimator(augment=turned, **params).fit(X)
    assert not np.array_equal(augmented.transform(X), estimator(**params).fit(X).transform(X))


def test_the_map_that_keeps_neighbours_learns_augmented_pairs(blobs):
    """Without batch normalization, its encoder learns from pairs alone."""
    params = {"max_iter": 5, "network": MLP(batch_norm=None), **FITS}
    without = AAEEmbedding(**params).fit(blobs[0]).embedding_
    same = AAEEmbedding(augment=lambda x: x, **params).fit(blobs[0]).embedding_
    np.testing.assert_array_equal(same, without)
    zeros = AAEEmbedding(augment=torch.zeros_like, **params).fit(blobs[0]).embedding_
    assert np.abs(zeros - without).max() > 0.1 * without.std()


def test_it_is_kept_in_a_pickle(blobs, few_labels):
    X, _ = blobs
    model = classifier(augment=turned, max_iter=5, warm_start=True).fit(X, few_labels)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    for each in (model, again):
        each.partial_fit(X, few_labels)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (lambda x: x[:, :2], r"augment returned shape \(8, 2\) for rows of shape \(8, 6\)"),
        (
            lambda x: x.cpu().numpy(),
            "augment returned a ndarray; it must be a function of a tensor",
        ),
        (lambda x: x / 0.0, "augment returned values that are not finite"),
        (3, "'augment' parameter .* must be a callable or None. Got 3"),
    ],
)
def test_what_it_must_return(blobs, few_labels, augment, message):
    X, _ = blobs
    model = classifier(max_iter=2).fit(X, few_labels)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        model.set_params(augment=augment).fit(X, few_labels)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_a_batch_of_another_shape_is_refused_in_training(blobs, few_labels):
    """A trial before training may pass where a whole batch does not."""
    X, _ = blobs
    with pytest.raises(ValueError, match=r"returned shape \(8, 6\) for rows of shape \(100, 6\)"):
        classifier(augment=lambda x: x[:8], batch_size=100).fit(X[:100], few_labels[:100])


def test_a_partial_object_goes_on_after_a_pickle(blobs, few_labels):
    X, _ = blobs
    noisy = functools.partial(torch.add, other=0.5)
    model = classifier(augment=noisy, max_iter=2, warm_start=True).fit(X, few_labels)
    again = pickle.loads(pickle.dumps(model))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again.fit(X, few_labels)
    assert again.n_iter_ == 4


def test_a_value_that_is_far_away_does_not_stop_augmentation():
    """Such values are brought near the others only where no function changes rows in units of X."""
    X = np.random.default_rng(0).normal(size=(300, 4))
    X[0, 0] = 1e4
    y = hide(np.arange(300) % 2, 20)
    found = with_committee(augment=lambda x: x + 0.1, max_iter=2).fit(X, y)
    assert found.scaling_ == "standard"


def test_ranks_cannot_be_augmented():
    X = np.random.default_rng(0).normal(size=(60, 4))
    y = hide(np.arange(60) % 2, 20)
    with pytest.raises(ValueError, match="scaling='quantile'"):
        with_committee(augment=lambda x: x, scaling="quantile").fit(X, y)
