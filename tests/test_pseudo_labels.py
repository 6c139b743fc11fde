"""Pseudo-labels of images: rows whose class a graph of neighbours and the network agree on.

Rows scaled to a range count as images; a committee teaches other rows (test_teaching.py).
"""

import numpy as np
import pytest
from conftest import classifier, hide
from scipy.sparse import csr_array
from sklearn.datasets import make_blobs, make_moons
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from skaae.clustering.pseudo_labels import UNSURE, clear_rows, graph_labels
from skaae.estimators import pseudo_labels as classifier_module
from skaae.training.streams import Stream


def three_groups():
    """Return 60 rows in three groups far apart, of which the first two have a label each."""
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], 20)
    X = rng.normal(size=(60, 2)) + 100.0 * group[:, None]
    targets = np.full(60, UNSURE)
    targets[[0, 20]] = [0, 1]
    return X.astype(np.float32), group, targets


def test_the_graph_labels_rows_within_groups_and_no_others():
    X, group, targets = three_groups()
    found = graph_labels(X, targets)
    assert set(found[group == 2]) == {UNSURE}
    for k in (0, 1):
        assert set(found[group == k]) <= {k, UNSURE}
        assert np.mean(found[group == k] == k) > 0.5


def test_the_fifth_that_is_least_sure_gets_no_label():
    X, y = make_moons(500, noise=0.2, random_state=0)
    targets = np.where(np.arange(500) < 40, y, UNSURE)
    found = graph_labels(X, targets)
    assert 0.79 <= np.mean(found != UNSURE) <= 0.81
    sure = found != UNSURE
    assert np.mean(found[sure] == y[sure]) > 0.9


def test_neighbours_are_the_same_in_any_unit():
    X, y = make_moons(300, noise=0.1, random_state=0)
    targets = np.where(np.arange(300) < 20, y, UNSURE)
    found = graph_labels(X, targets)
    for unit in (2.0**-10, 2.0**10):
        np.testing.assert_array_equal(graph_labels(unit * X, targets), found)


def test_fewer_rows_than_neighbours():
    assert len(graph_labels(np.array([[0.0], [1.0], [9.0]]), np.array([0, UNSURE, 1]))) == 3


def test_rows_are_clear_where_both_agree_or_a_label_is_given():
    """Worked by hand: the graph has no say in the fourth row, and the last label is given."""
    targets = np.array([-1, -1, -1, -1, 1])
    by_graph = np.array([0, 0, 1, UNSURE, 0])
    predicted = np.array([0, 1, 1, 0, 1])
    np.testing.assert_array_equal(
        clear_rows(by_graph, targets, predicted), [True, False, True, False, True]
    )


def test_a_network_that_has_not_learned_the_labels_has_no_say():
    targets = np.array([-1, 0, 1])
    assert clear_rows(np.array([0, 0, 1]), targets, np.array([0, 1, 1])) is None


def streams_in(max_iter, monkeypatch, **params):
    """Return the number of rows that are labeled in each epoch of a fit."""
    sizes = []
    shuffled = Stream.shuffled

    def watch(stream, size, generator):
        if stream.phase == "classification":
            sizes.append(len(stream))
        return shuffled(stream, size, generator)

    monkeypatch.setattr(Stream, "shuffled", watch)
    X, y = make_blobs(60, centers=2, cluster_std=0.3, random_state=0)
    classifier(max_iter=max_iter, scaling="range", **params).fit(X, hide(y, 5))
    return sizes


def test_rows_get_pseudo_labels_at_a_quarter_of_the_epochs(monkeypatch):
    params = {"virtual_adversarial": None, "batch_size": 10, "solver": "adam"}
    sizes = streams_in(40, monkeypatch, **params)
    assert sizes[:60] == [10] * 60  # one pass in each of the six steps of an epoch
    assert min(sizes[60:]) > 30


def test_no_row_gets_a_pseudo_label_before_components_have_a_class(monkeypatch):
    params = {"components_per_class": 3, "batch_size": 60, "solver": "adam"}
    sizes = streams_in(40, monkeypatch, **params)
    assert len(sizes) == 16  # labels wait until 24 of 40 epochs are over
    assert sizes[0] == 10


def test_where_both_agree_fewer_are_wrong_than_in_either(digits):
    X, y = digits
    X, y = X[:900], y[:900]
    few = hide(y, 5)
    own = classifier(max_iter=40, pseudo_labels=False).fit(X, few).predict(X)
    by_graph = graph_labels(X / 16.0, few)
    sure, agreed = by_graph != UNSURE, by_graph == own
    assert agreed.mean() > 0.5
    wrong = np.mean(by_graph[agreed] != y[agreed])
    assert wrong < min(np.mean(by_graph[sure] != y[sure]), np.mean(own != y))


def refuse(*arguments):
    raise AssertionError("the graph was used")


def test_auto_stops_at_many_rows(blobs, few_labels, monkeypatch):
    X, _ = blobs
    monkeypatch.setattr(classifier_module, "MAX_ROWS", len(X))
    monkeypatch.setattr(classifier_module, "graph_labels", refuse)
    with pytest.raises(AssertionError, match="the graph was used"):
        classifier(max_iter=2, scaling="range").fit(X, few_labels)
    monkeypatch.setattr(classifier_module, "MAX_ROWS", len(X) - 1)
    classifier(max_iter=2, scaling="range").fit(X, few_labels)


def test_the_graph_is_not_used_where_it_should_not_be(blobs, few_labels, monkeypatch):
    X, y = blobs
    monkeypatch.setattr(classifier_module, "graph_labels", refuse)
    classifier(max_iter=2, scaling="range", pseudo_labels=False).fit(X, few_labels)
    classifier(max_iter=2, scaling="range", pseudo_labels=True).fit(X, y)
    classifier(max_iter=2, scaling="range", pseudo_labels=True).partial_fit(X, few_labels)


def test_the_graph_gets_no_labels_held_out_for_early_stopping(blobs, few_labels, monkeypatch):
    X, _ = blobs
    seen = []

    def keep(rows, targets):
        seen.append((len(rows), int((targets != UNSURE).sum())))
        return graph_labels(rows, targets)

    monkeypatch.setattr(classifier_module, "graph_labels", keep)
    params = {"early_stopping": True, "validation_fraction": 0.2, "scaling": "range"}
    classifier(max_iter=4, **params).fit(X, few_labels)
    assert seen == [(177, 12)]


def test_early_stopping_waits_for_the_last_pseudo_labels(blobs, few_labels):
    X, _ = blobs
    params = {"early_stopping": True, "validation_fraction": 0.2, "scaling": "range"}
    model = classifier(max_iter=16, **params).fit(X, few_labels)
    assert np.isnan(model.history_["validation"]).tolist() == 12 * [True] + 4 * [False]


def test_early_stopping_does_not_wait_where_all_have_labels(blobs):
    X, y = blobs
    params = {"scaling": "range", "virtual_adversarial": None, "pseudo_labels": True}
    model = classifier(max_iter=4, early_stopping=True, **params).fit(X, y)
    assert np.isfinite(model.history_["validation"]).all()


def test_sparse_tables_have_none_and_say_so(blobs, few_labels):
    X = csr_array(blobs[0])
    for wanted in (True, LogisticRegression()):
        with pytest.raises(ValueError, match=r"pseudo_labels=.* needs dense rows, but X is sparse"):
            classifier(pseudo_labels=wanted).fit(X, few_labels)
    classifier(max_iter=1, pseudo_labels=True, scaling="range").fit(abs(X), few_labels)  # a graph


def test_a_frozen_classifier_cannot_teach():
    X, y = make_blobs(60, random_state=0)
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    with pytest.raises(ValueError, match="is frozen, so it cannot learn from the labeled rows"):
        classifier(pseudo_labels=frozen).fit(X, hide(y, 3))
