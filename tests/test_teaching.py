"""The committee of classifiers that labels the unlabeled rows of a table."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from conftest import classifier, hide
from scipy.sparse import csr_array
from sklearn.datasets import make_blobs, make_classification, make_moons
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading
from threadpoolctl import ThreadpoolController

from skaae import SemiSupervisedAAEClassifier
from skaae.columns.layout import Layout
from skaae.estimators import pseudo_labels as classifier_module
from skaae.teaching.committee import (
    Classifier,
    default_members,
    folds_of_labels,
    in_proportion,
    teach,
)
from skaae.teaching.graph import RETAINED, normalized_graph, spread_labels
from skaae.teaching.information import InformationMaximization, fit_linear
from skaae.teaching.new_rows import count_new_rows, new_rows
from skaae.teaching.threads import OneBlasThread
from skaae.teaching.weights import best_temperature, member_weights, with_temperature

EVEN = np.array([0.5, 0.5])


# Weights ------------------------------------------------------------------------------------------


def test_a_member_that_predicts_better_weighs_more():
    rng = np.random.default_rng(0)
    good, bad = rng.uniform(0.7, 0.9, 200), rng.uniform(0.3, 0.5, 200)
    weights = member_weights(np.column_stack([bad, good, bad]), np.ones(200), np.ones(3))
    assert weights.sum() == pytest.approx(1.0)
    assert weights[1] > 0.9


def test_few_labels_leave_every_member_a_say():
    weights = member_weights(np.array([[0.9, 0.1], [0.9, 0.1]]), np.ones(2), np.ones(2))
    assert 0.2 < weights[1] < 0.5 < weights[0]


def test_weights_of_members_that_err_on_different_rows_are_shared():
    """Worked by hand: each of the two members knows half of the rows."""
    chances = np.repeat([[1.0, 0.0], [0.0, 1.0]], 50, axis=0)
    np.testing.assert_allclose(member_weights(chances, np.ones(100), np.ones(2)), EVEN, atol=1e-6)
    important = np.repeat([1.8, 0.2], 50)
    assert member_weights(chances, important, np.ones(2))[0] > 0.85
    prior = np.array([30.0, 10.0])  # it counts as 3 labels more, 2.25 of them the first member's
    found = member_weights(chances, np.ones(100), prior)
    np.testing.assert_allclose(found, [52.25 / 103.0, 50.75 / 103.0], atol=1e-4)


def test_the_temperature_makes_too_sure_probabilities_less_sure():
    rng = np.random.default_rng(0)
    right = rng.random(300) < 0.75
    sure = np.where(right[:, None], [0.99, 0.01], [0.01, 0.99])
    temperature = best_temperature(sure, np.zeros(300, dtype=int), np.ones(300))
    assert temperature > 2.0
    softened = with_temperature(sure, temperature)
    assert 0.7 < softened[right, 0].mean() < 0.8
    np.testing.assert_allclose(softened.sum(axis=1), 1.0)
    np.testing.assert_allclose(with_temperature(sure, 1.0), sure)


# The graph ----------------------------------------------------------------------------------------


def one_hot(targets):
    """Return the labels of two classes, (n_rows, 2); unlabeled rows have none."""
    return np.equal.outer(targets, [0, 1]).astype(float)


def test_labels_spread_as_in_label_spreading():
    """The graph is scikit-learn's made symmetric, so probabilities differ a little."""
    X, y = make_moons(300, noise=0.1, random_state=0)
    targets = np.where(np.arange(300) < 20, y, -1)
    found = spread_labels(normalized_graph(X), one_hot(targets))
    peer = LabelSpreading(kernel="knn", alpha=RETAINED, max_iter=1000).fit(X, targets)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert np.mean(found.argmax(axis=1) == peer.transduction_) > 0.95
    assert np.mean(found.argmax(axis=1) == y) > 0.95


def test_rows_that_no_label_reaches_have_the_proportions_of_labels():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2)) + 100.0 * np.repeat([0, 1, 2], 20)[:, None]
    targets = np.full(60, -1)
    targets[[0, 1, 2, 20]] = [0, 0, 0, 1]
    found = spread_labels(normalized_graph(X), one_hot(targets))
    np.testing.assert_allclose(found[40:], [[0.75, 0.25]] * 20)
    assert (found[:20].argmax(axis=1) == 0).all()
    assert (found[20:40].argmax(axis=1) == 1).all()


def test_the_graph_of_two_rows():
    found = spread_labels(normalized_graph(np.array([[0.0], [1.0]])), one_hot(np.array([1, -1])))
    assert (found.argmax(axis=1) == 1).all()


# Information maximization -------------------------------------------------------------------------


def test_without_unlabeled_losses_it_is_logistic_regression(monkeypatch):
    from skaae.teaching import information

    monkeypatch.setattr(information, "ENTROPY_WEIGHT", 0.0)
    monkeypatch.setattr(information, "BALANCE_WEIGHT", 0.0)
    X, y = make_classification(60, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
    rows = np.hstack([X, np.ones((60, 1))])
    weights = fit_linear(rows, y, rows, np.full(3, 1 / 3))
    peer = LogisticRegression().fit(X, y)
    margins = rows @ weights.T
    chances = np.exp(margins) / np.exp(margins).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(chances, peer.predict_proba(X), atol=0.01)


def test_the_gradient_is_that_of_the_losses(monkeypatch):
    """L-BFGS sees the loss and the gradient that finite differences of the loss agree with."""
    from scipy.optimize import check_grad

    from skaae.teaching import information

    losses = []

    def keep(loss, start, **kwargs):
        losses.append(loss)
        return type("Result", (), {"x": start})

    monkeypatch.setattr(information, "minimize", keep)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 4))
    fit_linear(rows[:9], np.arange(9) % 3, rows, np.array([0.5, 0.3, 0.2]))
    for loss in losses:
        at = rng.normal(size=12)
        error = check_grad(lambda w, f=loss: f(w)[0], lambda w, f=loss: f(w)[1], at)
        assert error < 1e-5
    assert len(losses) == 2


def test_unlabeled_rows_move_the_border_between_groups():
    """Two groups that differ along one column; four labels that another column divides too."""
    X, y = make_blobs([150, 150], 2, centers=[[-3, 0], [3, 0]], random_state=1)
    targets = np.full(300, -1)
    by_row = np.argsort(X[:, 1] - 0.3 * X[:, 0])
    for label, order in ((0, by_row), (1, by_row[::-1])):
        targets[order[y[order] == label][:2]] = label
    member = InformationMaximization(X, 0, kernel=False)
    found = member(X, targets, np.arange(300), EVEN)
    assert np.mean(found.argmax(axis=1) == y) > 0.95


def test_the_kernel_finds_curved_borders():
    X, y = make_moons(400, noise=0.1, random_state=0)
    targets = hide(y, 10)
    everything = np.arange(400)
    right = {
        kernel: np.mean(
            InformationMaximization(X, 0, kernel=kernel)(X, targets, everything, EVEN).argmax(1)
            == y
        )
        for kernel in (False, True)
    }
    assert right[True] > 0.95 > right[False]


# The committee ------------------------------------------------------------------------------------


def test_every_fold_has_about_the_same_share_of_a_class():
    y = np.repeat([0, 1, 2], [10, 5, 2])
    fold = folds_of_labels(y, 0)
    assert sorted(np.bincount(fold)) == [3, 3, 3, 4, 4]
    assert (np.bincount(fold[y == 0]) == 2).all()
    assert (np.bincount(fold[y == 1], minlength=5) == 1).all()
    assert set(folds_of_labels(np.array([0, 1]), 0)) == {0, 1}


def test_probabilities_follow_the_proportions():
    """Worked by hand: labels are even, but nine rows in ten are of the first class."""
    found = in_proportion(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 1]), [0.9, 0.1])
    np.testing.assert_allclose(found, [[0.9, 0.1], [0.0, 1.0]])


def moons(n_rows=400, n_labels=10):
    X, y = make_moons(n_rows, noise=0.1, random_state=0)
    return X.astype(np.float32), y, hide(y, n_labels)


def test_the_committee_keeps_few_labels_and_knows_the_other_rows():
    X, y, targets = moons()
    found = teach(X, targets, EVEN, default_members(X, targets, 0), 0)
    assert found.shape == (400, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    given = targets >= 0
    assert (found[given].argmax(axis=1) == targets[given]).all()
    assert found[given].max(axis=1).min() > 0.98  # 10 of 400 labels are nearly hard
    assert np.mean(found.argmax(axis=1) == y) > 0.95


def test_the_more_rows_have_labels_the_more_the_committee_softens_them():
    """The labels of a noisy table, learned as they are, make the network too certain."""
    X, y = make_moons(200, noise=0.35, random_state=0)
    members = [Classifier(LogisticRegression(), 0), Classifier(LinearDiscriminantAnalysis(), 0)]
    softest = []
    for n_labels in (50, 100, 200):
        targets = np.where(np.arange(200) < n_labels, y, -1)
        found = teach(X, targets, EVEN, members, 0)[:n_labels]
        np.testing.assert_allclose(found.sum(axis=1), 1.0)
        softest.append(found[np.arange(n_labels), y[:n_labels]].min())
    assert 0.95 > softest[0] > softest[1] > softest[2] > 0.5  # every label keeps its majority
    assert (teach(X, y, EVEN, members[:1], 0) == np.eye(2)[y]).all()  # one member says nothing


class Opposite(LogisticRegression):
    """A classifier that is sure of the wrong class."""

    def predict_proba(self, X):
        return super().predict_proba(X)[:, ::-1]


def test_the_committee_trusts_the_member_that_suits_the_table():
    """It does so by rows that members have not seen, since two of three are sure and wrong."""
    X, y, targets = moons()
    wrong, fine = Classifier(Opposite(C=1e3), 0), InformationMaximization(X, 0, kernel=True)
    found = teach(X, targets, EVEN, [wrong, fine, wrong], 0)
    assert np.mean(found.argmax(axis=1) == y) > 0.95


def test_members_are_judged_by_labels_that_they_have_not_seen():
    """One nearest neighbour knows the training labels by heart, and nothing else."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 2
    X = np.column_stack([4.0 * y + rng.normal(size=300), *100.0 * rng.normal(size=(8, 300))])
    targets = hide(y, 20)
    heart = Classifier(KNeighborsClassifier(1), 0)
    found = teach(X, targets, EVEN, [heart, Classifier(GaussianNB(), 0), heart], 0)
    assert np.mean(found.argmax(axis=1) == y) > 0.9


def test_stated_proportions_are_kept():
    """Labels are even, but one row in ten is of the second class."""
    rng = np.random.default_rng(0)
    y = (rng.random(1000) < 0.1).astype(int)
    X = rng.normal(size=(1000, 3)) + 1.5 * y[:, None]
    targets = hide(y, 30)
    proportions = np.array([0.9, 0.1])
    members = [Classifier(LogisticRegression(C=c), 0) for c in (0.3, 1.0)]
    found = teach(X, targets, proportions, members, 0)
    assert abs(found[targets < 0, 1].mean() - y[targets < 0].mean()) < 0.05


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2], [0, 0, 1, 2, 2, 2]])
def test_very_few_labels(labels):
    X, y = make_blobs(90, 3, centers=3, cluster_std=0.3, random_state=0)
    targets = np.full(90, -1)
    for label in labels:
        targets[np.flatnonzero((y == label) & (targets < 0))[0]] = label
    proportions = np.full(3, 1 / 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = teach(X, targets, proportions, default_members(X, targets, 0), 0)
    assert np.isfinite(found).all()
    known = np.isin(y, labels)
    assert np.mean(found.argmax(axis=1)[known] == y[known]) > 0.9


def test_constant_columns_and_equal_rows():
    X = np.zeros((30, 3))
    targets = np.where(np.arange(30) < 4, np.arange(30) % 2, -1)
    found = teach(X, targets, EVEN, default_members(X, targets, 0), 0)
    np.testing.assert_allclose(found[4:], 0.5, atol=0.1)


# The classifier -----------------------------------------------------------------------------------


def test_a_table_has_a_teacher_and_an_image_has_none(blobs, few_labels):
    X, _ = blobs
    taught = classifier(max_iter=2).fit(X, few_labels)
    assert taught.history_["stage"] == ["taught"] * 2
    assert "generator_label" not in taught.history_
    image = classifier(max_iter=2, scaling="range").fit(X, few_labels)
    assert image.history_["stage"] == ["warm-up", "refine"]
    own = classifier(max_iter=2, pseudo_labels=False).fit(X, few_labels)
    assert own.history_["stage"] == ["train"] * 2


def test_where_all_rows_have_labels_the_committee_teaches_but_no_other_classifier(blobs):
    X, y = blobs
    assert classifier(max_iter=1).fit(X, y).history_["stage"] == ["taught"]
    own = classifier(max_iter=1, pseudo_labels=LogisticRegression()).fit(X, y)
    assert own.history_["stage"] == ["train"]


def test_no_teacher_in_partial_fit(blobs, few_labels):
    assert classifier().partial_fit(blobs[0], few_labels).history_["stage"] == ["train"]


@pytest.mark.slow
def test_a_network_of_noisy_labels_is_not_too_certain():
    X, y = make_classification(
        400, 20, n_informative=3, n_redundant=0, flip_y=0.3, class_sep=0.8, random_state=0
    )
    params = {"unlabeled_label": None, "random_state": 0}
    taught = SemiSupervisedAAEClassifier(**params).fit(X[:200], y[:200])
    alone = SemiSupervisedAAEClassifier(pseudo_labels=False, **params).fit(X[:200], y[:200])
    losses = [log_loss(y[200:], model.predict_proba(X[200:])) for model in (taught, alone)]
    assert losses[0] < np.log(2.0) < losses[1]  # a guess costs log(2)


def test_more_labels_than_the_limit_need_no_teacher(blobs, few_labels, monkeypatch):
    X, _ = blobs
    n_labels = int((few_labels >= 0).sum())
    for limit, stage in ((n_labels, "taught"), (n_labels - 1, "train")):
        monkeypatch.setattr(classifier_module, "MAX_LABELS", limit)
        assert classifier(max_iter=1).fit(X, few_labels).history_["stage"] == [stage]


def test_the_committee_reads_a_limited_number_of_unlabeled_rows(blobs, few_labels, monkeypatch):
    X, _ = blobs
    seen = []

    def keep(rows, targets, *rest):
        seen.append((len(rows), int((targets >= 0).sum())))
        return teach(rows, targets, *rest)

    monkeypatch.setattr(classifier_module, "teach", keep)
    monkeypatch.setattr(classifier_module, "MAX_ROWS", 50)
    n_labels = int((few_labels >= 0).sum())
    classifier(max_iter=2).fit(X, few_labels)
    assert seen == [(n_labels + 50, n_labels)]


def test_the_network_learns_what_the_committee_knows():
    X, y, few = moons(300, 20)
    assert classifier(max_iter=100).fit(X, few).score(X, y) > 0.95


def test_any_classifier_can_teach():
    """A classifier that knows the opposite teaches the opposite."""
    X, y, few = moons()

    taught = {
        teacher: classifier(max_iter=50, pseudo_labels=teacher()).fit(X, few).score(X, y)
        for teacher in (LogisticRegression, Opposite)
    }
    assert taught[LogisticRegression] > 0.8
    assert taught[Opposite] < 0.5


def test_a_teacher_of_the_user_follows_the_seed(blobs, few_labels):
    X, _ = blobs
    before = np.random.get_state()[1].copy()
    forests = [
        classifier(max_iter=2, pseudo_labels=RandomForestClassifier(3)).fit(X, few_labels)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*(forest.predict_proba(X) for forest in forests))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert forests[0].pseudo_labels.random_state is None


def test_a_teacher_of_the_user_trains_once_on_the_given_labels(blobs, few_labels):
    """So it may need as many labels as there are."""
    X, _ = blobs
    n_labels = int((few_labels >= 0).sum())
    teacher = KNeighborsClassifier(n_labels)
    assert classifier(max_iter=2, pseudo_labels=teacher).fit(X, few_labels).n_iter_ == 2


def test_a_teacher_that_does_not_know_is_named(blobs, few_labels):
    class Unsure(LogisticRegression):
        def predict_proba(self, X):
            return np.full((len(X), len(self.classes_)), np.nan)

    with pytest.raises(ValueError, match=r"Unsure.*NaN"):
        classifier(pseudo_labels=Unsure()).fit(blobs[0], few_labels)


def test_a_teacher_of_the_user_needs_dense_rows(blobs, few_labels):
    with pytest.raises(ValueError, match="dense"):
        classifier(pseudo_labels=LogisticRegression()).fit(csr_array(blobs[0]), few_labels)
    assert classifier(max_iter=2).fit(csr_array(blobs[0]), few_labels).n_iter_ == 2


def test_further_chunks_have_no_committee(blobs, few_labels, monkeypatch):
    X, _ = blobs
    model = classifier(max_iter=4).fit(X, few_labels)
    monkeypatch.setattr(classifier_module, "teach", None)
    model.partial_fit(X, few_labels)
    model.partial_fit(X[:20], np.full(20, -1))
    assert model.n_iter_ == 6


def test_numpys_booleans_are_booleans(blobs, few_labels):
    X, _ = blobs
    for value, stage in ((np.False_, "train"), (np.True_, "taught")):
        model = classifier(max_iter=1, pseudo_labels=value).fit(X, few_labels)
        assert model.history_["stage"] == [stage]


def test_several_components_keep_their_stages(blobs, few_labels):
    X, _ = blobs
    model = classifier(max_iter=10, components_per_class=2).fit(X, few_labels)
    assert model.history_["stage"][0] == "find components"
    assert "class_balance" in model.history_


def test_a_teacher_must_give_probabilities(blobs, few_labels):
    with pytest.raises(ValueError, match="pseudo_labels"):
        classifier(pseudo_labels="forest").fit(blobs[0], few_labels)


def test_wide_noisy_tables_do_not_collapse():
    X, y = make_classification(
        1000, 60, n_informative=8, n_redundant=0, n_classes=4, random_state=0
    )
    X = X / X.std(axis=0)
    few = hide(y, 25)
    model = classifier(max_iter="auto").fit(X, few)
    peer = LogisticRegression(max_iter=1000).fit(X[few >= 0], y[few >= 0])
    rest = few < 0
    assert model.score(X[rest], y[rest]) >= peer.score(X[rest], y[rest])
    shares = np.bincount(model.predict(X), minlength=4) / len(X)
    assert shares.min() > 0.15


def test_early_stopping_loses_no_label(few_labels, blobs, monkeypatch):
    X, _ = blobs
    seen = []

    def keep(rows, targets, *rest):
        seen.append((rows, targets))
        return teach(rows, targets, *rest)

    monkeypatch.setattr("skaae.estimators.pseudo_labels.teach", keep)
    model = classifier(early_stopping=True, validation_fraction=0.2, max_iter=400)
    model.fit(X, few_labels)
    ((rows, targets),) = seen  # one committee labels all rows, those held out come last
    assert len(rows) == 180
    assert (targets >= 0).sum() == (few_labels >= 0).sum() == 15
    assert (targets[-33:] < 0).all()  # a fifth of 165 unlabeled rows
    losses = model.history_["validation"]
    assert len(losses) == model.n_iter_ < 400
    assert np.isfinite(losses).all()
    assert model.n_iter_ > 80  # it waits for a fifth of max_iter
    assert min(losses[-80:]) > min(losses) - 1e-4


def test_the_held_out_rows_do_not_train(few_labels, blobs):
    X, _ = blobs
    model = classifier(early_stopping=True, max_iter=2)
    streams = []
    monkeypatched = model._plan

    def plan(*arguments, **named):
        run = monkeypatched(*arguments, **named)
        streams.extend(run.streams)
        return run

    model._plan = plan
    model.fit(X, few_labels)
    assert [len(stream) for stream in streams] == [163, 163]  # 17 of 165 unlabeled rows less


def test_few_unlabeled_rows_are_held_out_of_many(few_labels, blobs, monkeypatch):
    X, _ = blobs
    monkeypatch.setattr("skaae.estimators.fitting.MOST_HELD_OUT", 7)
    seen = []
    monkeypatch.setattr(
        "skaae.estimators.pseudo_labels.teach",
        lambda rows, *rest: seen.append(len(rows)) or teach(rows, *rest),
    )
    model = classifier(early_stopping=True, validation_fraction=0.5, max_iter=2)
    model.fit(X, few_labels)
    assert seen == [180]
    monkeypatch.setattr("skaae.estimators.pseudo_labels.MAX_ROWS", 10)
    model.fit(X, few_labels)
    assert seen[1] == 15 + 10 + 7


def test_a_model_of_dense_rows_stops_early_on_sparse_ones(few_labels, blobs):
    X, _ = blobs
    model = classifier(
        early_stopping=True, validation_fraction=0.4, warm_start=True, max_iter=2
    ).fit(X, few_labels)
    model.fit(csr_array(X), few_labels)
    assert np.isfinite(model.history_["validation"]).all()


def test_early_stopping_with_a_few_unlabeled_rows_holds_out_labels(blobs):
    X, y = blobs
    labels = np.where(np.arange(180) < 10, -1, y)
    model = classifier(early_stopping=True, max_iter=3).fit(X, labels)
    assert len(model.history_["validation"]) == 3


# Threads ------------------------------------------------------------------------------------------


def blas_threads():
    return {library["num_threads"] for library in blas().info()}


def blas():
    return ThreadpoolController().select(user_api="blas")


def test_products_of_numpy_have_one_thread_for_a_while():
    with blas().limit(limits=2):
        with OneBlasThread():
            assert blas_threads() == {1}
        assert blas_threads() == {2}


def test_products_have_one_thread_until_the_last_of_several_blocks_ends():
    first, second = OneBlasThread(), OneBlasThread()
    with blas().limit(limits=2):
        first.__enter__()
        second.__enter__()
        first.__exit__()
        assert blas_threads() == {1}
        second.__exit__()
        assert blas_threads() == {2}


def test_a_minimisation_gives_the_threads_back_after_an_error():
    with blas().limit(limits=2):
        with pytest.raises(KeyboardInterrupt), OneBlasThread():
            raise KeyboardInterrupt
        assert blas_threads() == {2}


FORKS = """
import os, signal, threading
import numpy
from threadpoolctl import ThreadpoolController
from skaae.teaching.threads import OneBlasThread

blas = ThreadpoolController().select(user_api="blas")
inside, done = threading.Event(), threading.Event()

def other():
    with OneBlasThread():
        inside.set()
        done.wait()

thread = threading.Thread(target=other)
thread.start()
inside.wait()
OneBlasThread._lock.acquire()  # as if a thread were about to enter
child = os.fork()
if child == 0:
    signal.alarm(10)
    blas.limit(limits=2)
    with OneBlasThread():
        ones = {library["num_threads"] for library in blas.info()}
    os._exit(0 if ones == {1} else 1)
OneBlasThread._lock.release()
done.set()
thread.join()
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_no_blocks_of_other_threads():
    subprocess.run([sys.executable, "-c", FORKS], check=True)


@pytest.mark.slow
def test_many_classes_of_two_labels_each_do_not_warn():
    X, y = make_blobs(200, 6, centers=40, random_state=0)
    y_few = np.full(200, -1)
    for label in range(40):
        y_few[np.flatnonzero(y == label)[:2]] = label
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        SemiSupervisedAAEClassifier(random_state=0).fit(X, y_few)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_few_rows_of_many_columns_teach_a_network_what_the_committee_says_of_others(seed):
    """Before new rows were made up, all rows of the test had nearly the same class."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(230, 500)), np.arange(230) % 2
    X[:, :20] += 1.2 * y[:, None]
    classifier = SemiSupervisedAAEClassifier(random_state=0, unlabeled_label=None, max_iter=150)
    classifier.fit(X[:30], y[:30])
    predicted = classifier.predict(X[30:])
    assert (predicted == y[30:]).mean() > 0.7
    assert 0.25 < predicted.mean() < 0.75


def test_new_rows_are_like_the_rows_of_a_table():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(300, 1)) + rng.normal(size=(300, 3))  # correlations of 1/2
    flags, indicators = rng.random((300, 1)) < 0.3, rng.random((300, 2)) < 0.5
    layout = Layout(3, 1, gaps=(0, 3))
    x = np.concatenate([numbers, flags, indicators], axis=1)
    found = new_rows(x, layout.n_numbers, layout.indicators_of_numbers, 20_000, seed=0)
    np.testing.assert_allclose(found[:, :3].mean(axis=0), numbers.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(found[:, :3].std(axis=0), numbers.std(axis=0), rtol=0.03)
    of_rows, of_new = (np.corrcoef(part.T)[0, 1] for part in (numbers, found[:, :3]))
    assert abs(of_new - 0.5 * of_rows) < 0.05
    assert not found[:, 4].any()  # no number is a gap
    pairs = {tuple(pair) for pair in x[:, [3, 5]]}
    assert {tuple(pair) for pair in found[:, [3, 5]]} <= pairs


@pytest.mark.parametrize(
    ("n_rows", "n_inputs", "wanted"),
    [(60, 30, 0), (59, 30, 341), (200, 700, 500), (9, 5000, 991), (1200, 700, 0)],
)
def test_new_rows_are_made_up_for_few_rows_of_many_columns(n_rows, n_inputs, wanted):
    assert count_new_rows(n_rows, n_inputs) == wanted
