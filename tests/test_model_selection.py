"""Folds of labeled rows, in scikit-learn's functions and searches."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from conftest import KINDS, MODELS, NAMES, as_kind, small_classifier
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import (
    accuracy_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.naive_bayes import GaussianNB

from skaae.model_selection import (
    SemiSupervisedSplit,
    is_unlabeled,
    labeled_scorer,
    make_unlabeled,
)

CV = SemiSupervisedSplit(3, random_state=0)


@pytest.mark.parametrize("kind", KINDS)
def test_folds_of_every_kind_of_labels(few_rows, kind):
    X, y, _ = few_rows
    labeled = np.flatnonzero(y >= 0)
    parts = list(CV.split(X, as_kind(y, kind)))
    assert len(parts) == CV.get_n_splits() == 3
    np.testing.assert_array_equal(np.sort(np.concatenate([test for _, test in parts])), labeled)
    for train, test in parts:
        np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(y)))
        assert np.bincount(y[test]).max() - np.bincount(y[test]).min() <= 1
    for (_, test), (_, same) in zip(parts, CV.split(X, y), strict=True):
        np.testing.assert_array_equal(test, same)


@pytest.mark.parametrize(("stratify", "kind"), [(True, StratifiedKFold), (False, KFold)])
def test_with_all_labels_the_folds_are_those_of_scikit_learn(few_rows, stratify, kind):
    X, _, y = few_rows
    ours = SemiSupervisedSplit(4, random_state=3, stratify=stratify).split(X, y)
    theirs = kind(4, shuffle=True, random_state=3).split(X, y)
    for mine, other in zip(ours, theirs, strict=True):
        for got, expected in zip(mine, other, strict=True):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("stratify", [True, False])
@pytest.mark.parametrize("names", [False, True])
def test_groups_stay_together(few_rows, stratify, names):
    X, y, _ = few_rows
    numbers = np.random.default_rng(0).integers(12, size=len(y))
    groups = np.array([f"g{number}" for number in numbers], dtype=object) if names else numbers
    alone = np.flatnonzero(y < 0)[:3]
    if names:
        groups[alone] = None
    covered = []
    for train, test in SemiSupervisedSplit(3, random_state=0, stratify=stratify).split(
        X, y, groups
    ):
        assert not set(numbers[train[~np.isin(train, alone)] if names else train]) & set(
            numbers[test]
        )
        out = np.setdiff1d(np.arange(len(y)), np.concatenate([train, test]))
        assert len(out)
        assert (y[out] == -1).all()
        assert set(numbers[out]) <= set(numbers[test])
        assert not names or np.isin(alone, train).all()
        covered.extend(test)
    np.testing.assert_array_equal(np.sort(covered), np.flatnonzero(y >= 0))


def test_groups_reach_the_splitter_with_and_without_routing(few_rows):
    X, y, _ = few_rows
    groups = np.random.default_rng(0).integers(9, size=len(y))
    model = MODELS["self-training"]()
    old = cross_validate(model, X, y, cv=CV, groups=groups, return_indices=True)
    with sklearn.config_context(enable_metadata_routing=True):
        new = cross_validate(model, X, y, cv=CV, params={"groups": groups}, return_indices=True)
    for name in ("train", "test"):
        for got, expected in zip(new["indices"][name], old["indices"][name], strict=True):
            np.testing.assert_array_equal(got, expected)
    assert all(len(train) + len(test) < len(y) for train, test in CV.split(X, y, groups))


def test_the_splitter_is_an_object_like_those_of_scikit_learn():
    cv = SemiSupervisedSplit(4, random_state=1)
    copy = clone(cv, safe=False)
    assert copy is not cv
    assert repr(copy) == repr(cv) == repr(pickle.loads(pickle.dumps(cv)))
    assert repr(cv).replace("\n", "").startswith("SemiSupervisedSplit(n_splits=4, random_state=1,")
    search = GridSearchCV(GaussianNB(), {}, cv=cv, scoring=labeled_scorer("accuracy"))
    assert repr(clone(search).cv) == repr(cv)


@pytest.mark.parametrize(
    ("model", "kind"),
    [(model, kind) for model in MODELS for kind in ("integers", "pandas integers")]
    + [("ours", "strings beside -1"), ("self-training", "strings beside -1")],
)
def test_functions_of_scikit_learn_take_the_splitter(few_rows, model, kind):
    X, y, _ = few_rows
    y = as_kind(y, kind)
    model = MODELS[model]()
    scoring = ["accuracy", "roc_auc_ovr"]
    found = cross_validate(model, X, y, cv=CV, scoring=scoring, return_estimator=True)
    plain = cross_val_score(model, X, y, cv=CV)
    np.testing.assert_allclose(plain, found["test_accuracy"])
    for score, estimator, (_, test) in zip(plain, found["estimator"], CV.split(X, y), strict=True):
        truth = np.asarray(y)[test].astype(estimator.classes_.dtype)
        assert score == pytest.approx(accuracy_score(truth, estimator.predict(X[test])))


@pytest.mark.parametrize("model", MODELS)
def test_searches_and_curves_take_the_splitter(few_rows, model):
    X, y, _ = few_rows
    name, values = {
        "ours": ("n_components", [1, 2]),
        "self-training": ("threshold", [0.5, 0.9]),
        "spreading": ("gamma", [0.1, 0.5]),
    }[model]
    estimator = MODELS[model]()
    expected = [
        cross_val_score(clone(estimator).set_params(**{name: value}), X, y, cv=CV).mean()
        for value in values
    ]
    for make in (GridSearchCV, lambda *args, **kw: RandomizedSearchCV(*args, n_iter=2, **kw)):
        search = make(estimator, {name: values}, cv=CV).fit(X, y)
        by_value = dict(
            zip(
                search.cv_results_[f"param_{name}"],
                search.cv_results_["mean_test_score"],
                strict=True,
            )
        )
        np.testing.assert_allclose([by_value[value] for value in values], expected)
    _, curve = validation_curve(estimator, X, y, param_name=name, param_range=values, cv=CV)
    np.testing.assert_allclose(curve.mean(axis=1), expected)
    sizes, _, curve = learning_curve(estimator, X, y, cv=CV, train_sizes=[1.0], error_score="raise")
    assert sizes[0] == len(y) - (y >= 0).sum() // 3
    np.testing.assert_allclose(curve[0], cross_val_score(estimator, X, y, cv=CV))
    resource = "max_iter" if model != "ours" else "n_samples"
    halving = HalvingGridSearchCV(
        estimator, {name: values}, cv=CV, resource=resource, min_resources=60, max_resources=120,
        factor=2, error_score="raise", random_state=0,
    )  # fmt: skip
    assert halving.fit(X, y).best_params_[name] in values


def search_of_two(scoring=None):
    return GridSearchCV(
        small_classifier(),
        {"n_components": [1, 3]},
        cv=CV,
        scoring=scoring,
        error_score="raise",
    )


@pytest.fixture(scope="module")
def searched(few_rows):
    """A search over integers with the model's own score; tests must not change it."""
    X, y, _ = few_rows
    return search_of_two().fit(X, y)


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_takes_every_kind_of_labels(few_rows, searched, kind):
    X, y, _ = few_rows
    search = search_of_two(labeled_scorer("accuracy")).fit(X, as_kind(y, kind))
    texts = "str" in kind or "category" in kind
    np.testing.assert_array_equal(search.classes_, NAMES if texts else range(3))
    found = (each.cv_results_["mean_test_score"] for each in (search, searched))
    np.testing.assert_allclose(*found)


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_of_held_out_rows(few_rows, kind):
    """The lines of the docstring, with any labels."""
    X, y, _ = few_rows
    given = as_kind(y, kind)
    model, returned = small_classifier(), {"return_estimator": True, "return_indices": True}
    result = cross_validate(model, X, given, cv=CV, **returned)
    predicted = np.full(len(y), None)
    for fitted, test in zip(result["estimator"], result["indices"]["test"], strict=True):
        predicted[test] = fitted.predict(X[test])
    np.testing.assert_array_equal(predicted == None, is_unlabeled(given))  # noqa: E711
    with pytest.raises(ValueError, match="partitions"):
        cross_val_predict(MODELS["ours"](), X, y, cv=CV)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_splits": 1}, "n_splits=1 must be an integer of at least 2"),
        ({"n_splits": 2.0}, "n_splits=2.0 must be an integer"),
        ({"n_splits": True}, "n_splits=True"),
        ({"shuffle": False, "random_state": 0}, "no effect with shuffle=False"),
    ],
)
def test_wrong_parameters_of_the_splitter(change, message):
    with pytest.raises(ValueError, match=message):
        SemiSupervisedSplit(**change)


def test_wrong_rows_of_the_splitter(few_rows):
    X, y, _ = few_rows
    none = np.full(len(y), -1)
    few = make_unlabeled(y, 2, per_class=True, random_state=0)
    for labels, message in [
        (None, "SemiSupervisedSplit requires y"),
        (none, "no labeled row: all 180 entries"),
        (few, "n_splits=3 needs as many labeled rows of one class, .* only 2; use a smaller"),
        (np.where(y < 0, np.nan, y / 3), "Unknown label type"),
        (np.where(y < 0, "-1", NAMES[y]), "string '-1'"),
    ]:
        with pytest.raises(ValueError, match=message):
            list(CV.split(X, labels))
    with pytest.raises(ValueError, match="n_splits=7 needs as many labeled rows, but y has only 6"):
        list(SemiSupervisedSplit(7, stratify=False).split(X, few))
    with pytest.raises(ValueError, match="groups of labeled rows, but there are only 2"):
        list(CV.split(X, y, np.arange(len(y)) % 2))
    with pytest.raises(ValueError, match="groups has missing values for 30 labeled rows"):
        list(CV.split(X, y, np.full(len(y), None)))
    with pytest.raises(ValueError, match="missing value in 150 of 180"):
        list(SemiSupervisedSplit(3, unlabeled_label=None).split(X, as_kind(y, "floats with NaN")))


def test_make_unlabeled_takes_an_index_of_pandas():
    y = pd.Index(["a", "b"] * 10)
    few = make_unlabeled(y, 4, random_state=0)
    assert isinstance(few, np.ndarray)
    np.testing.assert_array_equal(few, make_unlabeled(y.to_numpy(), 4, random_state=0))
