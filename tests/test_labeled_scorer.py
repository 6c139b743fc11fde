"""Scores of labeled rows, in scikit-learn's functions and searches."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn
from conftest import KINDS, MODELS, NAMES, as_kind
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    make_scorer,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from skaae.model_selection import (
    labeled_scorer,
)


def metric_by_hand(name, truth, model, X):
    """Return a metric of labeled rows, computed from the predictions."""
    if name in ("accuracy", "f1_macro"):
        found = model.predict(X)
        return (
            accuracy_score(truth, found)
            if name == "accuracy"
            else f1_score(truth, found, average="macro")
        )
    probabilities, classes = model.predict_proba(X), model.classes_
    if name == "neg_log_loss":
        return -log_loss(truth, probabilities, labels=classes)
    if name == "roc_auc_ovr":
        return roc_auc_score(truth, probabilities, multi_class="ovr")
    positive = truth == classes[1]
    metric = {
        "roc_auc": roc_auc_score,
        "average_precision": average_precision_score,
        "neg_brier_score": lambda *two: -brier_score_loss(*two),
    }[name]
    return metric(positive, probabilities[:, 1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "neg_log_loss", "roc_auc_ovr"])
def test_scores_are_those_of_labeled_rows(few_rows, kind, name):
    X, y, _ = few_rows
    labeled = y >= 0
    texts = "str" in kind or "category" in kind
    truth = (NAMES if texts else np.arange(3))[y[labeled]]
    model = GaussianNB().fit(X[labeled], truth)
    score = labeled_scorer(name)(model, X, as_kind(y, kind))
    assert score == pytest.approx(metric_by_hand(name, truth, model, X[labeled]))


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "neg_brier_score"])
@pytest.mark.parametrize("kind", ["integers", "integers beside None", "polars integers"])
def test_scores_of_two_classes(few_rows, kind, name):
    X, y, _ = few_rows
    y = np.where(y == 2, -1, y)
    labeled = y >= 0
    model = GaussianNB().fit(X[labeled], y[labeled])
    score = labeled_scorer(name)(model, X, as_kind(y, kind))
    assert score == pytest.approx(metric_by_hand(name, y[labeled], model, X[labeled]))


@pytest.mark.parametrize("container", [pd.DataFrame, scipy.sparse.coo_array, pl.DataFrame, list])
def test_rows_of_any_container_are_scored(few_rows, container):
    X, y, _ = few_rows

    class First(BaseEstimator):
        def predict(self, X):
            first = X.toarray() if scipy.sparse.issparse(X) else np.asarray(X)
            assert type(X) is container or scipy.sparse.issparse(X)
            return (first[:, 0] > 0).astype(int)

    expected = accuracy_score(y[y >= 0], X[y >= 0, 0] > 0)
    given = X.tolist() if container is list else container(X)
    assert labeled_scorer("accuracy")(First(), given, y) == expected


@pytest.mark.parametrize(
    ("model", "kind"),
    [*((model, "integers") for model in MODELS), ("ours", "integers beside None")],
)
def test_scorers_with_the_splits_of_scikit_learn(few_rows, model, kind):
    X, y, _ = few_rows
    model, given = MODELS[model](), as_kind(y, kind)
    for cv in (KFold(3, shuffle=True, random_state=0), StratifiedKFold(3)):
        if isinstance(cv, StratifiedKFold) and kind != "integers":
            continue
        found = cross_validate(
            model, X, given, cv=cv, scoring=labeled_scorer("accuracy"), return_estimator=True
        )
        for score, fitted, (_, test) in zip(
            found["test_score"], found["estimator"], cv.split(X, y), strict=True
        ):
            test = test[y[test] >= 0]
            assert score == accuracy_score(y[test], fitted.predict(X[test]))
    if kind == "integers":  # what the scorer is for
        wrong = cross_val_score(model, X, given, scoring="accuracy", cv=cv)
        assert wrong.max() < 0.2


def test_scorers_in_a_search_with_two_processes(few_rows):
    X, y, _ = few_rows
    model = SelfTrainingClassifier(GaussianNB())
    scoring = labeled_scorer(["accuracy", "neg_log_loss"])
    search = GridSearchCV(
        model, {"threshold": [0.6, 0.9]}, scoring=scoring, refit="neg_log_loss", n_jobs=2
    ).fit(X, y)
    alone = clone(search).set_params(n_jobs=None).fit(X, y)
    for name in scoring:
        np.testing.assert_allclose(
            search.cv_results_[f"mean_test_{name}"], alone.cv_results_[f"mean_test_{name}"]
        )
    best = search.best_estimator_
    labeled = y >= 0
    assert search.score(X, y) == pytest.approx(
        metric_by_hand("neg_log_loss", y[labeled], best, X[labeled])
    )


@pytest.mark.parametrize("several", [False, True])
def test_permutation_importance(few_rows, several):
    X, y, _ = few_rows
    labeled = y >= 0
    model = GaussianNB().fit(X[labeled], y[labeled])
    weights = np.random.default_rng(0).uniform(size=len(y))
    scoring = labeled_scorer(["accuracy", "f1_macro"] if several else "accuracy")
    found = permutation_importance(
        model, X, y, scoring=scoring, sample_weight=weights, n_repeats=2, random_state=0
    )
    found = found["accuracy"] if several else found
    rng = np.random.RandomState(np.random.RandomState(0).randint(np.iinfo(np.int32).max + 1))
    X_one = X.copy()
    order = np.arange(len(X))
    rng.shuffle(order)
    X_one[:, 0] = X_one[order, 0]
    score = {
        name: accuracy_score(
            y[labeled], model.predict(some[labeled]), sample_weight=weights[labeled]
        )
        for name, some in (("before", X), ("after", X_one))
    }
    assert found.importances[0, 0] == pytest.approx(score["before"] - score["after"])


def test_sample_weight_is_routed(few_rows):
    X, y, _ = few_rows
    weights = np.random.default_rng(0).uniform(size=len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = labeled_scorer("accuracy").set_score_request(sample_weight=True)
        model = GaussianNB().set_fit_request(sample_weight=False)
        model.set_score_request(sample_weight=False)
        model = SelfTrainingClassifier(model)
        found = cross_validate(
            model, X, y, cv=KFold(3), scoring={"weighted": scorer}, return_estimator=True,
            params={"sample_weight": weights}, error_score="raise",
        )  # fmt: skip
        search = GridSearchCV(model, {"threshold": [0.9]}, cv=KFold(3), scoring=scorer)
        search.fit(X, y, sample_weight=weights)
    expected = []
    for fitted, (_, test) in zip(found["estimator"], KFold(3).split(X), strict=True):
        test = test[y[test] >= 0]
        expected.append(
            accuracy_score(y[test], fitted.predict(X[test]), sample_weight=weights[test])
        )
    np.testing.assert_allclose(found["test_weighted"], expected)
    np.testing.assert_allclose(search.best_score_, np.mean(expected))
    own = make_scorer(accuracy_score)
    before = str(own.get_metadata_routing())
    with sklearn.config_context(enable_metadata_routing=True):
        labeled_scorer(own).set_score_request(sample_weight=True)
    assert str(own.get_metadata_routing()) == before  # the user's scorer stays as it is


def own_scorer(estimator, X, y, sample_weight=None):
    """A scorer that users write."""
    return accuracy_score(y, estimator.predict(X), sample_weight=sample_weight)


def test_scorers_of_users(few_rows):
    X, y, _ = few_rows
    model = GaussianNB().fit(X[y >= 0], y[y >= 0])
    expected = accuracy_score(y[y >= 0], model.predict(X[y >= 0]))
    scorer = pickle.loads(pickle.dumps(labeled_scorer(own_scorer)))
    assert scorer(model, X, y) == expected
    weights = (y != 0).astype(float)
    found = permutation_importance(model, X, y, scoring=scorer, sample_weight=weights, n_repeats=1)
    assert found.importances.shape == (6, 1)
    pair = labeled_scorer({"ours": own_scorer, "theirs": make_scorer(accuracy_score)})
    assert {name: each(model, X, y) for name, each in pair.items()} == {
        "ours": expected, "theirs": expected,
    }  # fmt: skip
    assert repr(labeled_scorer("accuracy", unlabeled_label=9)) == (
        "labeled_scorer('accuracy', unlabeled_label=9)"
    )


def test_markers_of_scorers(few_rows):
    X, y, _ = few_rows
    labeled = y >= 0
    model = GaussianNB().fit(X[labeled], y[labeled])
    expected = accuracy_score(y[labeled], model.predict(X[labeled]))
    nines = np.where(labeled, y, 9)
    assert labeled_scorer("accuracy", unlabeled_label=9)(model, X, nines) == expected
    # the classes are known from the model: -1 and 1 alone are no classes of a part of y
    part = y <= 1
    part &= y != 0
    some = labeled & part
    assert set(y[part]) == {-1, 1}
    assert labeled_scorer("accuracy")(model, X[part], y[part]) == pytest.approx(
        accuracy_score(y[some], model.predict(X[some]))
    )
    signs = np.where(y > 0, 1, -1)
    both = GaussianNB().fit(X, signs)
    assert labeled_scorer("accuracy")(both, X, signs) == both.score(X, signs)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomForestClassifier(2, random_state=0),
        lambda: VotingClassifier([("spread", LabelSpreading(gamma=0.5))]),
        lambda: DummyClassifier(),
    ],
)
def test_a_model_with_the_marker_as_a_class_is_refused(few_rows, make):
    X, y, _ = few_rows
    model = make().fit(X, y)
    with pytest.raises(ValueError, match="marker of unlabeled rows as a class"):
        labeled_scorer("accuracy")(model, X, y)
    with pytest.warns(UserWarning, match="marker of unlabeled rows as a class"):
        cross_val_score(make(), X, y, scoring=labeled_scorer("accuracy"))


def test_a_part_without_labels(few_rows):
    X, y, _ = few_rows
    model = GaussianNB().fit(X[y >= 0], y[y >= 0])
    with pytest.raises(ValueError, match=r"all 150 rows .* cv=SemiSupervisedSplit\(\)"):
        labeled_scorer("accuracy")(model, X[y < 0], y[y < 0])
    with pytest.raises(ValueError, match="requires y"):
        labeled_scorer("accuracy")(model, X)


@pytest.mark.parametrize(
    ("scoring", "message"),
    [
        (accuracy_score, r"make_scorer\(accuracy_score\)"),
        ("precise", "scoring"),
        (None, "scoring=None must be a name such as 'accuracy'"),
        ([], "must hold names"),
        ([own_scorer], "must hold names"),
        ({}, "must be a name"),
    ],
)
def test_wrong_scorers(scoring, message):
    with pytest.raises(ValueError, match=message):
        labeled_scorer(scoring)


def test_a_search_for_a_threshold_is_told_what_to_pass():
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = (X[:, 0] > 0.0).astype(int)
    tool = TunedThresholdClassifierCV(
        LogisticRegression(), cv=2, scoring=labeled_scorer("balanced_accuracy")
    )
    with pytest.raises(AttributeError, match="X_unlabeled, and scoring='balanced_accuracy'"):
        tool.fit(X, y)
