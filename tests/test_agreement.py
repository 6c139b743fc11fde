"""Rows that join the labeled ones: where a graph of neighbours and the network agree."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import classifier, hide
from sklearn.datasets import make_moons

from skaae.clustering import pseudo_labels
from skaae.clustering.pseudo_labels import Agreement, spread_labels
from skaae.estimators import classifier as classifier_module
from skaae.estimators.labels import UNLABELED
from skaae.training.loop import Stream


def three_groups():
    """Return 60 rows in three groups far apart, of which the first two have a label each."""
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], 20)
    X = rng.normal(size=(60, 2)) + 100.0 * group[:, None]
    codes = np.full(60, UNLABELED)
    codes[[0, 20]] = [0, 1]
    return X.astype(np.float32), group, codes


def test_labels_spread_within_groups_and_not_to_others():
    X, group, codes = three_groups()
    found = spread_labels(X, codes)
    assert set(found[group == 2]) == {UNLABELED}
    for k in (0, 1):
        assert set(found[group == k]) <= {k, UNLABELED}
        assert np.mean(found[group == k] == k) > 0.5


def test_the_fifth_that_is_least_sure_gets_no_label():
    X, y = make_moons(500, noise=0.2, random_state=0)
    codes = np.where(np.arange(500) < 40, y, UNLABELED)
    found = spread_labels(X, codes)
    assert 0.79 <= np.mean(found != UNLABELED) <= 0.81
    sure = found != UNLABELED
    assert np.mean(found[sure] == y[sure]) > 0.9


def test_fewer_rows_than_neighbours():
    assert len(spread_labels(np.array([[0.0], [1.0], [9.0]]), np.array([0, UNLABELED, 1]))) == 3


NAMED = SimpleNamespace(awaits_names=False)


@pytest.fixture
def agreement(monkeypatch):
    """Five training rows of eight: by hand, what joins after the first quarter."""
    own = np.array([0, 1, 1, 0, 1])  # what the network finds
    monkeypatch.setattr(pseudo_labels.inference, "logits", lambda step, X: np.eye(2)[own])
    x = torch.arange(8.0)[:, None]
    labeled = Stream({"x_labeled": x, "y_labeled": torch.zeros(8).long()}, torch.tensor([7]))
    return Agreement(
        labeled,
        index=np.array([1, 2, 4, 6, 7]),
        spread=np.array([0, 0, 1, UNLABELED, 0]),
        codes=np.array([UNLABELED, UNLABELED, UNLABELED, UNLABELED, 1]),
        max_iter=8,
    )


def test_rows_join_where_both_agree_and_given_labels_stay(agreement):
    agreement(NAMED, 2)
    stream = agreement.labeled
    assert stream.rows.tolist() == [1, 4, 7]
    assert stream.tensors["y_labeled"][[1, 4, 7]].tolist() == [0, 1, 1]


def test_a_network_that_has_not_learned_the_labels_has_no_say(agreement):
    agreement.codes[1] = 0  # where it finds 1
    agreement(NAMED, 2)
    assert agreement.labeled.rows.tolist() == [7]


def test_no_row_joins_before_subclasses_have_a_class(agreement):
    agreement(SimpleNamespace(awaits_names=True), 2)
    assert agreement.labeled.rows.tolist() == [7]


@pytest.mark.parametrize("epoch", [0, 1, 3, 5, 7])
def test_rows_join_at_quarters_only(agreement, epoch):
    agreement(NAMED, epoch)
    assert agreement.labeled.rows.tolist() == [7]


def test_where_both_agree_fewer_are_wrong_than_in_either(digits):
    X, y = digits
    X, y = X[:900], y[:900]
    few = hide(y, 5)
    own = classifier(max_iter=40, spread_labels=False).fit(X, few).predict(X)
    spread = spread_labels(X / 16.0, few)
    sure, agreed = spread != UNLABELED, spread == own
    assert agreed.mean() > 0.5
    wrong = np.mean(spread[agreed] != y[agreed])
    assert wrong < min(np.mean(spread[sure] != y[sure]), np.mean(own != y))


def refuse(*arguments):
    raise AssertionError("labels were spread")


def test_auto_stops_at_many_rows(blobs, few_labels, monkeypatch):
    X, _ = blobs
    monkeypatch.setattr(classifier_module, "MAX_ROWS", len(X))
    monkeypatch.setattr(classifier_module, "spread_labels", refuse)
    with pytest.raises(AssertionError, match="labels were spread"):
        classifier(max_iter=2).fit(X, few_labels)
    monkeypatch.setattr(classifier_module, "MAX_ROWS", len(X) - 1)
    classifier(max_iter=2).fit(X, few_labels)


def test_nothing_is_spread_where_it_should_not_be(blobs, few_labels, monkeypatch):
    X, y = blobs
    monkeypatch.setattr(classifier_module, "spread_labels", refuse)
    classifier(max_iter=2, spread_labels=False).fit(X, few_labels)
    classifier(max_iter=2, spread_labels=True).fit(X, y)
    classifier(max_iter=2, spread_labels=True).partial_fit(X, few_labels)


def test_labels_held_out_for_early_stopping_are_not_spread(blobs, few_labels, monkeypatch):
    X, _ = blobs
    seen = []

    def keep(rows, codes):
        seen.append((len(rows), int((codes != UNLABELED).sum())))
        return spread_labels(rows, codes)

    monkeypatch.setattr(classifier_module, "spread_labels", keep)
    classifier(max_iter=4, early_stopping=True, validation_fraction=0.2).fit(X, few_labels)
    assert seen == [(177, 12)]
