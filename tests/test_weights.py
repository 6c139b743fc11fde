"""sample_weight and class_weight of the classifier."""

import numpy as np
import pytest
import torch
from conftest import classifier, hide
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score

from skaae.estimators.labels import labeled_proportions
from skaae.estimators.weights import log_class_weights, row_weights
from skaae.inference import some_rows
from skaae.teaching.committee import default_members, teach
from skaae.training.streams import Stream, repeat_by_weight

pytestmark = pytest.mark.usefixtures("small_forests")


def test_rows_are_drawn_as_often_as_their_weight_says():
    weights = torch.tensor([1.0, 3.0, 0.5, 2.5, 3.0])  # mean 2
    generator = torch.Generator().manual_seed(0)
    drawn = torch.zeros(400, 5)
    for counts in drawn:
        order = torch.randperm(5, generator=generator)
        rows = repeat_by_weight(order, weights[order], generator)
        assert len(rows) == 5
        counts += torch.bincount(rows, minlength=5)
    expected = weights / 2.0
    assert (drawn >= expected.floor()).all()
    assert (drawn <= expected.ceil()).all()
    torch.testing.assert_close(drawn.mean(dim=0), expected, atol=0.08, rtol=0.0)


def test_batches_of_a_stream_follow_the_weights_of_its_rows():
    x = torch.arange(6.0)[:, None]
    weights = torch.tensor([9.0, 1.0, 1.0, 9.0, 2.0, 9.0])  # of all rows, of which two are used
    stream = Stream({"x": x}, torch.tensor([1, 4]), weights=weights)
    generator = torch.Generator().manual_seed(0)
    seen = torch.cat([b["x"] for _ in range(300) for b in stream.batches(1, generator)])
    assert len(seen) == 600
    assert set(seen.ravel().tolist()) == {1.0, 4.0}
    assert abs(float((seen == 4.0).float().mean()) - 2 / 3) < 0.02


@pytest.mark.parametrize("pseudo_labels", ["auto", False])
def test_rows_of_weight_zero_are_left_out(blobs, few_labels, pseudo_labels):
    X, _ = blobs
    weights = np.where(np.arange(180) % 3, 2.0, 0.0)
    used = weights > 0
    params = {"max_iter": 10, "pseudo_labels": pseudo_labels}
    model = classifier(**params).fit(X, few_labels, sample_weight=weights)
    without = classifier(**params).fit(X[used], few_labels[used])
    np.testing.assert_array_equal(model.predict_proba(X), without.predict_proba(X))
    expected = np.where(few_labels >= 0, few_labels, model.predict(X))
    np.testing.assert_array_equal(model.transduction_, expected)
    # of all rows, as transduction_ is
    assert (model.n_labeled_, model.n_unlabeled_) == (15, 165)


@pytest.mark.parametrize("pseudo_labels", ["auto", False, LogisticRegression()])
def test_labels_that_contradict_each_other_follow_the_heavier_ones(blobs, pseudo_labels):
    X, y = blobs
    X, rows = np.tile(X[:, :3], (2, 1)), hide(y, 8)
    wrong = np.where(rows >= 0, (rows + 1) % 3, -1)
    both = np.concatenate([rows, wrong])
    for heavy in (0, 1):
        weights = np.where(np.arange(360) // 180 == heavy, 1.0, 0.02)
        model = classifier(max_iter=30, pseudo_labels=pseudo_labels, class_prior="uniform")
        model.fit(X, both, sample_weight=weights)
        assert np.mean(model.predict(X[:180]) == (y + heavy) % 3) > 0.9


def test_equal_weights_change_nothing(blobs, few_labels):
    X, _ = blobs
    model = classifier(max_iter=5).fit(X, few_labels)
    weighted = classifier(max_iter=5).fit(X, few_labels, sample_weight=np.full(180, 7.0))
    np.testing.assert_array_equal(model.predict_proba(X), weighted.predict_proba(X))


def test_integer_weights_teach_as_copies_do(blobs, few_labels):
    """The members of the committee that take weights, one by one."""
    X, _ = blobs
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    weights = np.random.default_rng(0).integers(1, 4, 180).astype(float)
    prior = np.full(3, 1 / 3)
    copies = np.repeat(np.arange(180), weights.astype(int))
    for which in (0, 1):  # extra trees, information maximization without its draws of rows
        member = default_members(X, few_labels, 0, weights)[which]
        repeated = default_members(X[copies], few_labels[copies], 0)[which]
        if which == 1:
            member.drawn = np.arange(180)
            repeated.features = member.features[copies]
            repeated.drawn = np.searchsorted(copies, np.arange(180))
        found = teach(X, few_labels, prior, [member], 0, weights)
        expected = teach(X[copies], few_labels[copies], prior, [repeated], 0)
        expected = expected[np.searchsorted(copies, np.arange(180))]
        np.testing.assert_allclose(found, expected, atol=0.15 if which == 0 else 1e-3)
    counts = labeled_proportions(few_labels, 3, weights)
    assert counts.sum() == pytest.approx(1.0)
    assert np.argmax(counts) == np.argmax(
        np.bincount(few_labels[few_labels >= 0], weights[few_labels >= 0])
    )


def test_rows_of_weight_zero_are_left_out_of_a_data_frame():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    X = pd.DataFrame({"kind": np.where(y, "a", "b"), "size": rng.normal(size=120) + y})
    X.loc[::7, "kind"] = "c"
    few, weights = np.where(np.arange(120) < 40, y, -1), np.where(np.arange(120) % 7, 1.0, 0.0)
    seen = []
    model = classifier(max_iter=10)
    model._actions = lambda rows, *others: seen.append(rows.source) or {}
    model.fit(X, few, sample_weight=weights)
    assert [len(source) for source in seen] == [int(weights.sum())]  # what callbacks get
    without = classifier(max_iter=10).fit(X[weights > 0], few[weights > 0])
    np.testing.assert_array_equal(model.predict_proba(X), without.predict_proba(X))
    assert len(model.transduction_) == 120


def test_rows_of_weight_do_not_suffice_without_labels(blobs, few_labels):
    X, y = blobs
    labeled = few_labels >= 0
    one_class = np.where(labeled, few_labels == 0, 1.0)
    for weights in (np.where(labeled, 0.0, 1.0), one_class, np.arange(180) == 4):
        with pytest.raises(ValueError, match=r"sample_weight is above 0 for .* rows with labels"):
            classifier(max_iter=1).fit(X, few_labels, sample_weight=weights)
    with pytest.raises(ValueError, match="sample_weight is above 0 for 1 rows"):
        classifier().partial_fit(X, y, sample_weight=np.arange(180) == 4)


@pytest.mark.filterwarnings("error:The model predicts class")
def test_shares_of_classes_are_weighted(blobs):
    """Class 0 has most of the weight, but not most of the rows."""
    X, y = blobs
    few, weights = hide(y, 20), np.array([8.0, 1.0, 0.1])[y]
    classifier(max_iter=60).fit(X, few, sample_weight=weights)


def test_huge_weights_have_a_mean(blobs):
    X, _ = blobs
    found = row_weights(np.where(np.arange(180) % 2, 1e308, 5e307), X)
    np.testing.assert_allclose(found[:2], [2 / 3, 4 / 3])


def test_partial_fit_takes_weights(blobs, few_labels):
    X, _ = blobs
    weights = np.where(np.arange(180) % 2, 1.0, 3.0)
    model = classifier().partial_fit(X, few_labels, sample_weight=weights)
    plain = classifier().partial_fit(X, few_labels)
    assert np.abs(model.predict_proba(X) - plain.predict_proba(X)).max() > 1e-6
    assert model.partial_fit(X, few_labels, sample_weight=weights).n_iter_ == 2
    # one row is enough where training goes on
    assert model.partial_fit(X[:3], few_labels[:3], sample_weight=[1, 0, 0]).n_iter_ == 3


def test_weights_that_cannot_be_used_are_refused(blobs, few_labels):
    X, _ = blobs
    weights = np.linspace(0.0, 1.0, 180)
    for bad, message in (
        (np.zeros(180), "sample_weight is 0 for all|at least one non-zero"),
        (-weights, "Negative values"),
        (weights[:5], "sample_weight.shape"),
        (weights * np.nan, "contains NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            classifier(max_iter=1).fit(X, few_labels, sample_weight=bad)
    by_teacher = classifier(pseudo_labels=LinearDiscriminantAnalysis())
    with pytest.raises(ValueError, match=r"LinearDiscriminantAnalysis\(\) takes no sample_weight"):
        by_teacher.fit(X, few_labels, sample_weight=weights + 1.0)
    assert row_weights(None, X) is None


def test_class_weights_multiply_probabilities(blobs, few_labels):
    X, _ = blobs
    plain = classifier(max_iter=10).fit(X, few_labels)
    model = classifier(max_iter=10, class_weight={0: 5.0, 2: 0.5}).fit(X, few_labels)
    expected = plain.predict_proba(X) * [5.0, 1.0, 0.5]
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-12)
    np.testing.assert_array_equal(
        model.transduction_[few_labels < 0], model.predict(X)[few_labels < 0]
    )
    # they may change between fits of one model
    model.set_params(class_weight=None).partial_fit(X, few_labels)
    plain.partial_fit(X, few_labels)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_balanced_classes_find_more_rows_of_a_rare_class():
    rng = np.random.default_rng(0)
    y = (rng.random(600) < 0.1).astype(int)
    X = rng.normal(size=(600, 3)) + 1.2 * y[:, None]
    labeled = np.where(np.arange(600) < 200, y, -1)
    recalls = []
    for weight in (None, "balanced"):
        model = classifier(max_iter=20, class_weight=weight).fit(X, labeled)
        recalls.append(recall_score(y[200:], model.predict(X[200:])))
    assert recalls[1] > recalls[0] + 0.1


def test_class_weights_are_read_as_scikit_learn_reads_them():
    prior = np.array([0.8, 0.2])
    found = log_class_weights("balanced", np.array(["a", "b"]), prior)
    assert found[1] - found[0] == pytest.approx(np.log(4.0))
    np.testing.assert_array_equal(log_class_weights(None, np.arange(3), np.full(3, 1 / 3)), 0.0)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ({0: 1.0, 7: 2.0}, "class_weight has a weight for 7, which is none of the classes"),
        ({0: 0.0}, "must hold finite numbers above 0"),
        ({0: np.inf}, "must hold finite numbers above 0"),
        ({0: "much"}, "must hold finite numbers above 0"),
        ("auto", "class_weight"),
    ],
)
def test_class_weights_that_make_no_sense_are_refused(blobs, few_labels, weight, message):
    X, _ = blobs
    with pytest.raises(ValueError, match=message):
        classifier(max_iter=1, class_weight=weight).fit(X, few_labels)


def test_balanced_needs_classes_that_occur(blobs, few_labels):
    X, _ = blobs
    model = classifier(max_iter=1, class_weight="balanced", class_prior=[0.5, 0.5, 0.0])
    with pytest.raises(ValueError, match=r"class_weight='balanced'.* has a 0"):
        model.fit(X, few_labels)


def test_a_class_without_weight_is_named(blobs, few_labels):
    weights = np.where(few_labels == 1, 0.0, 1.0)
    with pytest.warns(UserWarning, match=r"sample_weight is 0 for all .* of the classes \[1\]"):
        classifier(max_iter=1).fit(blobs[0], few_labels, sample_weight=weights)


def test_new_rows_follow_the_weights_of_rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 2)), np.arange(300) % 2
    heavy = np.arange(300) < 60
    X[heavy] += 6.0
    weights = np.where(heavy, 36.0, 1.0)  # together nine of ten
    model = classifier(pseudo_labels=False, unlabeled_label=None, max_iter=40)
    samples = model.fit(X, y, sample_weight=weights).sample(400, random_state=0)
    plain = model._learn_styles(model._check_rows(X), partial=False, weights=None)
    assert not np.array_equal(plain.means, model._styles.means)
    assert np.mean(samples[:, 0] > 3.0) > 0.75
    assert np.mean(model.fit(X, y).sample(400, random_state=0)[:, 0] > 3.0) < 0.5


def test_rows_stand_for_all_in_proportion_to_their_weights():
    weights = np.array([1.0, 0.5, 3.5, 1.0])
    index = some_rows(4, weights)
    assert len(index) == 4
    assert np.sum(index == 2) in (2, 3)
    np.testing.assert_array_equal(some_rows(5, np.ones(5)), np.arange(5))
