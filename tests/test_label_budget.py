"""Hiding labels, splitting off unlabeled rows, and scores over the number of labels."""

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from conftest import KINDS, MODELS, NAMES, as_kind, small_classifier
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from skaae import LabelBudgetDisplay
from skaae.model_selection import (
    SemiSupervisedSplit,
    is_unlabeled,
    label_budget_curve,
    labeled_scorer,
    make_unlabeled,
    split_unlabeled,
)
from skaae.unlabeled import as_label_array

matplotlib.use("Agg")
NAN = float("nan")
FOREST = RandomForestClassifier(3, random_state=0)


@pytest.mark.parametrize("kind", KINDS)
def test_unlabeled_rows_are_found_and_split_off(few_rows, kind):
    X, y, _ = few_rows
    given, hidden = as_kind(y, kind), y == -1
    np.testing.assert_array_equal(is_unlabeled(given), hidden)
    X_labeled, y_labeled, X_unlabeled = split_unlabeled(X, given)
    np.testing.assert_array_equal(X_labeled, X[~hidden])
    np.testing.assert_array_equal(X_unlabeled, X[hidden])
    texts = "str" in kind or "category" in kind
    np.testing.assert_array_equal(y_labeled, (NAMES if texts else np.arange(3))[y[~hidden]])
    assert y_labeled.dtype.kind == ("U" if texts else "f" if "float" in kind else "i")


@pytest.mark.parametrize(
    "container", [pd.DataFrame, pl.DataFrame, scipy.sparse.csr_array, scipy.sparse.coo_array, list]
)
def test_rows_stay_in_their_container(few_rows, container):
    X, y, _ = few_rows
    given = X.tolist() if container is list else container(X)
    for part, mask in zip(split_unlabeled(given, y)[::2], (y >= 0, y < 0), strict=True):
        is_sparse = scipy.sparse.issparse(given)
        assert scipy.sparse.issparse(part) if is_sparse else type(part) is container
        np.testing.assert_array_equal(part.toarray() if is_sparse else np.asarray(part), X[mask])
    if container is pd.DataFrame:
        assert list(split_unlabeled(given, y)[2].index) == list(np.flatnonzero(y < 0))


def test_helpers_refuse_what_they_cannot_read(few_rows):
    X, y, _ = few_rows
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        split_unlabeled(X[1:], y)
    with pytest.raises(ValueError, match="is_unlabeled requires y"):
        is_unlabeled(None)
    with pytest.warns(UserWarning, match="exactly the values -1 and 1"):
        assert not is_unlabeled([-1, 1, 1]).any()
    assert is_unlabeled([0, 5, 9], unlabeled_label=9).tolist() == [False, False, True]


UNEVEN = np.repeat([0, 1, 2], [140, 40, 3])


@pytest.mark.parametrize(
    ("n_labeled", "per_class", "counts"),
    [
        (61, False, [47, 13, 1]),
        (3, False, [1, 1, 1]),
        (4, False, [2, 1, 1]),
        (183, False, [140, 40, 3]),
        (1.0, False, [140, 40, 3]),
        (0.1, False, [13, 4, 1]),
        (2, True, [2, 2, 2]),
    ],
)
def test_how_many_labels_are_kept(n_labeled, per_class, counts):
    hidden = make_unlabeled(UNEVEN, n_labeled, per_class=per_class, random_state=0)
    np.testing.assert_array_equal(np.bincount(hidden[hidden >= 0]), counts)
    np.testing.assert_array_equal(hidden[hidden >= 0], UNEVEN[hidden >= 0])


def test_labels_are_hidden_at_random():
    first, second = (make_unlabeled(UNEVEN, 30, random_state=seed) for seed in (0, 1))
    assert (first != second).any()
    np.testing.assert_array_equal(first, make_unlabeled(UNEVEN, 30, random_state=0))
    # the seed of the splits must not decide which of their parts have labels
    y = np.arange(600) % 2
    for seed in range(5):
        few = make_unlabeled(y, 60, random_state=seed)
        for _, test in KFold(3, shuffle=True, random_state=seed).split(y):
            assert 8 <= (few[test] >= 0).sum() <= 32
        _, test = train_test_split(few, random_state=seed)
        assert 4 <= (test >= 0).sum() <= 28


@pytest.mark.parametrize(
    ("y", "marker", "expected"),
    [
        (UNEVEN, "auto", -1),
        (UNEVEN.astype(np.uint8), "auto", -1),
        (UNEVEN.astype(np.int8), "auto", -1),
        (UNEVEN.astype(np.int8), 1000, 1000),
        (UNEVEN.astype(float), "auto", -1.0),
        (UNEVEN, NAN, None),
        (UNEVEN, None, None),
        (np.where(UNEVEN == 2, 0, UNEVEN), 2.5, 2.5),
        (UNEVEN, "?", "?"),
        (UNEVEN.tolist(), "auto", -1),
        (UNEVEN == 0, "auto", None),
        (NAMES[UNEVEN], "auto", None),
        (NAMES[UNEVEN], "unknown", "unknown"),
        (NAMES[UNEVEN], -1, -1),
        (NAMES[UNEVEN].astype(object), "auto", None),
        (UNEVEN.astype("datetime64[D]"), "auto", None),
    ],
)
def test_markers_in_arrays(y, marker, expected):
    before = np.array(y)
    few = make_unlabeled(y, 30, random_state=0, unlabeled_label=marker)
    hidden = is_unlabeled(few, unlabeled_label="auto" if marker is None else marker)
    assert isinstance(few, np.ndarray)
    assert hidden.sum() == len(UNEVEN) - 30
    np.testing.assert_array_equal(few[~hidden], before[~hidden])
    np.testing.assert_array_equal(y, before)
    if expected is None:
        assert pd.isna(few[hidden]).all()
    else:
        assert set(few[hidden].tolist()) == {expected}
    same = np.asarray(y).dtype
    if isinstance(expected, int) and marker == "auto" and same.kind == "i":
        assert few.dtype == same


@pytest.mark.parametrize(
    ("kind", "marker", "dtype", "expected"),
    [
        ("pandas integers", "auto", "int64", -1),
        ("pandas integers", None, "object", None),
        ("pandas integers", "?", "object", "?"),
        ("pandas Int64", "auto", "Int64", -1),
        ("pandas Int64", None, "Int64", None),
        ("pandas string", "auto", "string", None),
        ("pandas string", "?", "string", "?"),
        ("pandas string", -1, "object", -1),
        ("pandas category", "auto", "category", None),
        ("pandas category", "?", "category", "?"),
        ("polars integers", "auto", "Int64", -1),
        ("polars integers", None, "Int64", None),
        ("polars strings", "auto", "String", None),
        ("polars strings", "?", "String", "?"),
    ],
)
def test_a_series_stays_a_series(few_rows, kind, marker, dtype, expected):
    _, _, y = few_rows
    given = as_kind(y, kind)
    few = make_unlabeled(given, 30, random_state=0, unlabeled_label=marker)
    hidden = is_unlabeled(few, unlabeled_label="auto" if marker is None else marker)
    assert hidden.sum() == 150
    assert type(few) is type(given)
    assert str(few.dtype) == dtype
    values = few.to_list()
    assert [v for v, gone in zip(values, hidden, strict=True) if not gone] == [
        v for v, gone in zip(given.to_list(), hidden, strict=True) if not gone
    ]
    found = [v for v, gone in zip(values, hidden, strict=True) if gone]
    assert pd.isna(found).all() if expected is None else set(found) == {expected}
    if kind.startswith("pandas"):
        pd.testing.assert_index_equal(few.index, given.index)
    else:
        assert few.name == given.name


@pytest.mark.parametrize("kind", KINDS)
def test_rows_without_a_label_get_the_same_marker(few_rows, kind):
    _, y, _ = few_rows
    given = as_kind(y, kind)
    few = make_unlabeled(given, 9, random_state=0)
    hidden = is_unlabeled(few)
    assert (~hidden).sum() == 9
    assert not is_unlabeled(given)[~hidden].any()
    assert len(pd.unique(pd.Series(list(few), dtype=object)[hidden])) == 1


@pytest.mark.parametrize(
    ("y", "n_labeled", "options", "message"),
    [
        (UNEVEN, 2, {}, "2 labels cannot be kept: .* one of each of the 3 classes"),
        (UNEVEN, 0.01, {}, r"2 labels \(0.01 of 183\) cannot be kept"),
        (UNEVEN, 184, {}, "184 labels cannot be kept: .* at most 183"),
        (UNEVEN, 4, {"per_class": True}, "more than the class 2 has: 3"),
        (UNEVEN, 0, {}, "0 labels: give an integer above 0, or a share"),
        (UNEVEN, 1.5, {}, "1.5 labels"),
        (UNEVEN, True, {}, "True labels"),
        (UNEVEN, 0.5, {"per_class": True}, "0.5 labels: give an integer above 0, the number of"),
        (np.full(9, -1), 3, {}, "no labeled row"),
        (pl.Series(["a", "b"] * 9), 4, {"unlabeled_label": -1}, "polars Series of String cannot"),
    ],
)
def test_labels_that_cannot_be_hidden(y, n_labeled, options, message):
    with pytest.raises(ValueError, match=message):
        make_unlabeled(y, n_labeled, **options)


def test_minus_one_as_a_class():
    signs = np.where(UNEVEN > 0, 1, -1)
    with pytest.warns(UserWarning, match="-1 and 1"), pytest.raises(ValueError, match="Rename"):
        make_unlabeled(signs, 20)
    with pytest.warns(UserWarning, match="-1 and 1"), pytest.raises(ValueError, match="Rename"):
        make_unlabeled(signs, 20, unlabeled_label=None)
    few = make_unlabeled(signs, 20, unlabeled_label=NAN, random_state=0)
    assert is_unlabeled(few, unlabeled_label=NAN).sum() == len(UNEVEN) - 20


SETTINGS = {"n_labels": [9, 30], "cv": 3, "random_state": 0}


@pytest.mark.parametrize("model", MODELS)
def test_curve_of_every_kind_of_model(few_rows, model):
    X, _, y = few_rows
    result = label_budget_curve(MODELS[model](), X, y, **SETTINGS)
    assert set(result) == {"n_labels", "test_scores", "fit_times", "score_times"}
    assert result.n_labels.tolist() == [9, 30]
    for values in (result.test_scores, result.fit_times, result.score_times):
        assert values.shape == (2, 3)
    assert (result.fit_times > 0).all()
    assert ((result.test_scores >= 0) & (result.test_scores <= 1)).all()


class Recorder(ClassifierMixin, BaseEstimator):
    """A classifier that keeps what it was given."""

    seen = []

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(split_unlabeled(X, y)[1])
        self.seen.append((np.asarray(X), y, sample_weight))
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.mark.parametrize("unlabeled", ["mark", "drop"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_curve_fits(few_rows, kind, unlabeled):
    """Rows stay and labels grow, each part from the same folds; every y has a plain dtype."""
    X, y, _ = few_rows
    given, weights = as_kind(y, kind), np.arange(len(y)) + 1.0
    Recorder.seen.clear()
    result = label_budget_curve(
        Recorder(), X, given, n_labels=[6, 12], n_repeats=2, cv=3, random_state=0,
        unlabeled=unlabeled, params={"sample_weight": weights},
    )  # fmt: skip
    assert result.test_scores.shape == (2, 6)
    np.testing.assert_allclose(result.test_scores, 1 / 3, atol=0.07)
    index = {row.tobytes(): place for place, row in enumerate(X)}
    rows = [[index[row.tobytes()] for row in X_seen] for X_seen, _, _ in Recorder.seen]
    kept = []
    for places, (_, labels, weight) in zip(rows, Recorder.seen, strict=True):
        np.testing.assert_array_equal(weight, weights[places])
        hidden = is_unlabeled(labels)
        assert len(places) == (170 if unlabeled == "mark" else (~hidden).sum())
        texts = "str" in kind or "category" in kind
        truth = (NAMES if texts else np.arange(3))[y[np.array(places)[~hidden]]]
        np.testing.assert_array_equal(labels[~hidden], truth)
        kept.append(set(np.array(places)[~hidden]))
    assert [len(each) for each in kept] == [6] * 6 + [12] * 6
    for few, more in zip(kept[:6], kept[6:], strict=True):
        assert few < more
    assert kept[0] != kept[1]


def test_the_curve_scores_held_out_labels(few_rows):
    X, _, y = few_rows
    cv = StratifiedKFold(3)
    model = GaussianNB()
    options = {"n_labels": [1.0], "unlabeled": "drop", "cv": cv}
    result = label_budget_curve(model, X, y, scoring="f1_macro", **options)
    assert result.n_labels.tolist() == [120]
    expected = [
        f1_score(y[test], model.fit(X[train], y[train]).predict(X[test]), average="macro")
        for train, test in cv.split(X, y)
    ]
    np.testing.assert_allclose(result.test_scores[0], expected)
    some = np.where(np.arange(len(y)) % 4 == 0, -1, y)
    result = label_budget_curve(model, X, some, **options)
    for score, (train, test) in zip(result.test_scores[0], cv.split(X, y), strict=True):
        train, test = train[some[train] >= 0], test[some[test] >= 0]
        truth = accuracy_score(y[test], model.fit(X[train], y[train]).predict(X[test]))
        assert abs(score - truth) < 0.1  # a few labels fewer in two of three folds
    ours = label_budget_curve(
        model, X, y, n_labels=[30], unlabeled="drop", random_state=0,
        scoring=labeled_scorer("accuracy"), n_jobs=2, cv=SemiSupervisedSplit(3, random_state=0),
    )  # fmt: skip
    alone = label_budget_curve(
        model, X, y, n_labels=[30], unlabeled="drop", random_state=0,
        cv=SemiSupervisedSplit(3, random_state=0),
    )  # fmt: skip
    np.testing.assert_array_equal(ours.test_scores, alone.test_scores)


def test_default_numbers_of_labels(few_rows):
    X, _, y = few_rows
    result = label_budget_curve(FOREST, X, y, unlabeled="drop", cv=3)
    assert result.n_labels.tolist() == [6, 13, 27, 57, 120]
    result = label_budget_curve(FOREST, X, y, unlabeled="drop", cv=3, per_class=True)
    assert result.n_labels.tolist() == [1, 3, 6, 16, 40]


def test_groups_of_the_curve(few_rows):
    X, _, y = few_rows
    groups = np.arange(len(y)) % 12
    Recorder.seen.clear()
    label_budget_curve(Recorder(), X, y, n_labels=[9], cv=3, groups=groups, random_state=0)
    index = {row.tobytes(): place for place, row in enumerate(X)}
    for rows, *_ in Recorder.seen:
        assert len({groups[index[row.tobytes()]] for row in rows}) == 8


def test_strings_and_markers_of_the_curve(few_rows):
    X, _, y = few_rows
    names = NAMES[y]
    for model, marker in (
        (SelfTrainingClassifier(GaussianNB()), -1),
        (small_classifier(), "auto"),
        (small_classifier(unlabeled_label="?"), "?"),
    ):
        result = label_budget_curve(model, X, names, unlabeled_label=marker, **SETTINGS)
        assert (result.test_scores > 0).any()
    with pytest.warns(UserWarning, match="no unlabeled samples"):
        all_labels = label_budget_curve(
            SelfTrainingClassifier(GaussianNB()), X, names, n_labels=[1.0], cv=3, random_state=0
        )
    alone = label_budget_curve(
        GaussianNB(), X, names, n_labels=[1.0], cv=3, random_state=0, unlabeled="drop"
    )
    np.testing.assert_array_equal(all_labels.test_scores, alone.test_scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unlabeled": "keep"}, "unlabeled='keep' must be 'mark' or 'drop'"),
        ({"n_repeats": 0}, "n_repeats=0"),
        ({"scoring": ["accuracy"]}, "must be one name of a scorer"),
        ({"n_labels": []}, "n_labels is empty"),
        ({"n_labels": [9, 121]}, "121 labels cannot be kept: .* at most 120"),
        ({"n_labels": [2]}, "one of each of the 3 classes"),
        ({"n_labels": [9.5]}, "9.5 labels"),
        ({"n_labels": [41], "per_class": True}, "more than the class 0 has: 40"),
        ({"scoring": lambda *_: {"a": 1.0}}, "instead of a number"),
    ],
)
def test_wrong_arguments_of_the_curve(few_rows, change, message):
    X, _, y = few_rows
    with pytest.raises(ValueError, match=message):
        label_budget_curve(LabelSpreading(gamma=0.5), X, y, **{**SETTINGS, **change})


def test_traps_of_the_curve(few_rows):
    X, y, labels = few_rows
    with pytest.raises(ValueError, match="marker of unlabeled rows as a class"):
        label_budget_curve(FOREST, X, labels, **SETTINGS)
    in_order = np.argsort(labels, kind="stable")
    with pytest.raises(ValueError, match="no label of the class 0"):
        label_budget_curve(FOREST, X[in_order], labels[in_order], n_labels=[9], cv=KFold(3))
    last = np.argsort(y >= 0, kind="stable")
    with pytest.raises(ValueError, match=r"test part 0 of cv=KFold.* has no labeled row"):
        label_budget_curve(FOREST, X[last], y[last], n_labels=[9], cv=KFold(3))


def test_the_display(few_rows):
    from matplotlib import pyplot

    X, _, y = few_rows
    settings = {**SETTINGS, "scoring": "balanced_accuracy"}
    display = LabelBudgetDisplay.from_estimator(LabelSpreading(gamma=0.5), X, y, **settings)
    result = label_budget_curve(LabelSpreading(gamma=0.5), X, y, **settings)
    display.ax_.axhline(0.5)
    second = LabelBudgetDisplay.from_estimator(
        KNeighborsClassifier(1), X, y, **{**settings, "n_labels": [9, 60]}, unlabeled="drop",
        name="nearest", ax=display.ax_, linestyle="--",
    )  # fmt: skip
    ax = display.ax_
    assert second.ax_ is ax
    first, _, other = ax.lines
    np.testing.assert_array_equal(first.get_xdata(), [9, 30])
    np.testing.assert_allclose(first.get_ydata(), result.test_scores.mean(axis=1))
    band = ax.collections[0].get_paths()[0].get_extents()
    low = (result.test_scores.mean(axis=1) - result.test_scores.std(axis=1)).min()
    assert band.y0 == pytest.approx(low)
    assert first.get_color() != other.get_color()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "LabelSpreading", "nearest",
    ]  # fmt: skip
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("labels", "balanced accuracy")
    assert ax.get_xscale() == "log"
    assert sorted(int(text.get_text()) for text in ax.get_xticklabels()) == [9, 30, 60]
    pyplot.close("all")


def test_the_display_of_computed_scores():
    from matplotlib import pyplot

    display = LabelBudgetDisplay([1, 5], [[0.5, 0.6], [0.8, 0.9]], per_class=True).plot(color="k")
    assert display.ax_.get_xlabel() == "labels per class"
    assert display.ax_.get_ylabel() == "score"
    assert display.ax_.get_legend() is None
    assert display.ax_.lines[0].get_color() == "k"
    with pytest.raises(ValueError, match="a row of scores for each number"):
        LabelBudgetDisplay([1, 5], [[0.5, 0.6]]).plot()
    assert LabelBudgetDisplay([7], [[0.5, 0.6]]).plot().figure_ is not None
    pyplot.close("all")


@pytest.mark.parametrize(
    "make",
    [
        lambda y: pd.Series(y, dtype="uint64"),
        lambda y: pd.Series(y, dtype="UInt64"),
        lambda y: pl.Series(y, dtype=pl.UInt64),
        lambda y: np.array(y, dtype=np.uint64),
    ],
    ids=["pandas", "nullable", "polars", "array"],
)
@pytest.mark.parametrize("marker", ["auto", None, "unknown", -1.0, 7], ids=str)
def test_large_classes_stay_the_same_beside_a_marker(make, marker):
    for classes in ([2**63 + 1, 2**63 + 5], [2**60 + 1, 2**60 + 2]):
        y = make(classes * 10)
        fits = marker in (None, 7) or (marker == "auto" and max(classes) < 2**63)
        if isinstance(y, pl.Series) and not fits:  # its one type cannot hold all
            with pytest.raises(ValueError, match=r"unlabeled_label=.*marker"):
                make_unlabeled(y, 6, random_state=0, unlabeled_label=marker)
            continue
        few = make_unlabeled(y, 6, random_state=0, unlabeled_label=marker)
        found = set(as_label_array(few).tolist())
        assert set(classes) <= found
        assert len(found) == 3


def test_a_float_marker_merges_no_large_classes():
    few = make_unlabeled(np.array([2**53, 2**53 + 1] * 10), 6, random_state=0, unlabeled_label=-1.0)
    assert set(few.tolist()) == {-1.0, 2**53, 2**53 + 1}
