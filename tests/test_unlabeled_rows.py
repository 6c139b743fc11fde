"""Unlabeled rows as X_unlabeled, validation rows as X_val, and the tools of scikit-learn."""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn
from conftest import FITS, classifier, small_classifier
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder

from skaae import (
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    AAETransformer,
    SupervisedAAETransformer,
)
from skaae.estimators.warn import of_no_unlabeled, of_other_units
from skaae.priors import Petals

pytestmark = pytest.mark.usefixtures("small_forests")

N_LABELED = 45


def brief(**params):
    """Return a classifier without a committee, which would take most of the time."""
    return classifier(max_iter=2, pseudo_labels=False, **params)


@pytest.fixture(scope="module")
def parts(blobs):
    """Labeled rows, their labels, unlabeled rows and the true labels of these."""
    X, y = blobs
    return X[:N_LABELED], y[:N_LABELED], X[N_LABELED:], y[N_LABELED:]


@pytest.fixture
def seen(monkeypatch):
    """What fits have seen: (rows with a label, rows without, classes), one entry for each fit."""
    from skaae import SemiSupervisedAAEClassifier

    found, before = [], SemiSupervisedAAEClassifier._fit_weighted

    def fit_weighted(self, X, targets, *args, **kwargs):
        found.append(((targets >= 0).sum(), (targets < 0).sum(), self.classes_.tolist()))
        return before(self, X, targets, *args, **kwargs)

    monkeypatch.setattr(SemiSupervisedAAEClassifier, "_fit_weighted", fit_weighted)
    return found


# Two ways to say the same -------------------------------------------------------------------------


def as_frame(X):
    return pd.DataFrame(X, columns=list("abcdef"))


def as_mixed(X):
    """A data frame with two columns of categories, one of them with a gap."""
    frame = as_frame(X)
    frame["b"] = np.where(frame["b"] > 0, "high", "low")
    frame["c"] = pd.Series(np.where(frame["c"] > 0, "up", None), dtype=object)
    return frame


def in_polars(frame):
    return pl.DataFrame({name: frame[name].tolist() for name in frame})


KINDS = {
    "array": np.asarray,
    "float32": lambda X: X.astype(np.float32),
    "csr": scipy.sparse.csr_array,
    "pandas": as_frame,
    "polars": lambda X: in_polars(as_frame(X)),
    "categories": as_mixed,
    "categories in polars": lambda X: in_polars(as_mixed(X)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_rows_without_a_label_may_be_apart(blobs, kind, weighted):
    X, y = blobs
    table, apart = KINDS[kind](X), slice(N_LABELED, None)
    hidden = np.where(np.arange(len(y)) < N_LABELED, y, -1)
    all_weights, own = {}, {}
    if weighted:  # the mean of those above 0 is 2
        weights = np.repeat([0.0, 4.0, 1.0], [3, 14, 28])
        own = {"sample_weight": weights}
        all_weights = {"sample_weight": np.append(weights, np.full(len(y) - N_LABELED, 2.0))}
    # a committee looks at all rows too
    few = {"max_iter": 5, "pseudo_labels": "auto" if kind == "categories" else False}
    one = classifier(**few).fit(table, hidden, **all_weights)
    rows, others = table[:N_LABELED], table[apart]
    other = classifier(**few).fit(rows, y[:N_LABELED], X_unlabeled=others, **own)
    np.testing.assert_array_equal(one.predict_proba(table), other.predict_proba(table))
    np.testing.assert_array_equal(one.transduction_, other.transduction_)
    assert (other.n_labeled_, other.n_unlabeled_) == (one.n_labeled_, one.n_unlabeled_)


def test_y_may_have_unlabeled_rows_too(parts):
    X, y, X_unlabeled, _ = parts
    hidden = np.where(np.arange(len(y)) < 30, y, -1)
    model = brief(unlabeled_label=-1).fit(X, hidden, X_unlabeled=X_unlabeled)
    assert (model.n_labeled_, model.n_unlabeled_) == (30, len(X_unlabeled) + 15)
    gaps = np.where(hidden < 0, np.nan, hidden)
    model = brief().fit(X, gaps, X_unlabeled=X_unlabeled)
    assert (model.n_labeled_, model.n_unlabeled_) == (30, len(X_unlabeled) + 15)
    with pytest.warns(UserWarning, match="y holds -1 in 15 rows, which are read as unlabeled"):
        brief().fit(X, hidden, X_unlabeled=X_unlabeled)


def test_a_table_without_rows_is_none(parts):
    X, y, X_unlabeled, _ = parts
    hidden = np.where(np.arange(len(y)) < 30, y, -1)
    one = brief(unlabeled_label=-1).fit(X, hidden, X_unlabeled=X_unlabeled[:0])
    other = brief().fit(X, hidden)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


OTHER_UNITS = "columns that vary, the values of {} lie outside the range of X or are on another"


@pytest.mark.parametrize("change", [lambda X: X + 100.0, lambda X: (X - X.mean(axis=0)) * 30.0])
def test_rows_in_other_units_warn(parts, change):
    """As those that a pipeline has not scaled, for lack of transform_input."""
    X, y, X_unlabeled, _ = parts
    scaler = StandardScaler().fit(X)
    X, others = scaler.transform(X), change(scaler.transform(X_unlabeled))
    with pytest.warns(UserWarning, match="6 of 6 " + OTHER_UNITS.format("X_unlabeled")):
        brief().fit(X, y, X_unlabeled=others)
    with pytest.warns(UserWarning, match="6 of 6 " + OTHER_UNITS.format("X_val")):
        brief(unlabeled_label=None).fit(X, y, X_val=change(X), y_val=y)


@pytest.mark.parametrize("seed", range(5))
def test_rare_flags_and_long_tails_are_no_other_units(seed):
    """Few rows have other shares of ones and other largest values than many."""
    rng = np.random.default_rng(seed)
    flags = (rng.random((400, 30)) < 0.03).astype(float)
    tails = rng.standard_t(1, size=(400, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for X in (flags, tails, np.zeros((400, 3))):
            of_other_units(X[:25], X[25:], "X_unlabeled")
            of_other_units(X[25:], X[:25], "X_val")


def test_rows_for_validation_with_other_categories_warn():
    frame = pd.DataFrame({"kind": np.repeat(["low", "high"], 100), "size": np.arange(200.0)})
    model = AAETransformer(max_iter=2, random_state=0)
    with pytest.warns(UserWarning, match="No value of column 'kind' was in the training rows"):
        model.fit(frame, X_val=frame.assign(kind=frame["kind"].str.upper()))


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_whole_numbers_beside_fractions(parts, kind):
    X, y, X_unlabeled, _ = parts
    whole = as_frame(X).round().astype(int)
    others = as_frame(X_unlabeled)
    if kind == "polars":
        whole, others = in_polars(whole), in_polars(others)
    model = brief().fit(whole, y, X_unlabeled=others)
    rows = np.asarray(model.sample(5, random_state=0))
    assert (rows != np.rint(rows)).any()


def test_sparse_rows_beside_dense_ones(parts):
    X, y, X_unlabeled, _ = parts
    sparse = scipy.sparse.csr_array(X_unlabeled)
    want = brief().fit(X, y, X_unlabeled=X_unlabeled)
    found = brief().fit(X, y, X_unlabeled=sparse)
    np.testing.assert_array_equal(found.predict_proba(X), want.predict_proba(X))


def test_frames_of_other_libraries_and_categories(parts):
    X, y, X_unlabeled, _ = parts
    table, others = as_mixed(X), as_mixed(X_unlabeled)
    want = brief().fit(table, y, X_unlabeled=others).predict_proba(table)
    with warnings.catch_warnings():  # scikit-learn 1.6 does not know the names of polars
        warnings.simplefilter("ignore", UserWarning)
        model = brief().fit(in_polars(table), y, X_unlabeled=others)
    np.testing.assert_array_equal(model.predict_proba(in_polars(table)), want)


def test_frames_and_arrays_of_mixed_columns_go_together(parts):
    X, y, X_unlabeled, _ = parts
    table, others = as_mixed(X), as_mixed(X_unlabeled)
    want = brief().fit(table, y, X_unlabeled=others).predict_proba(table)
    with pytest.warns(UserWarning, match="valid feature names"):
        found = brief().fit(table, y, X_unlabeled=others.to_numpy(dtype=object))
    np.testing.assert_array_equal(found.predict_proba(table), want)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"X_unlabeled": np.ones((5, 2))}, "X_unlabeled must have the columns of X: X has 2"),
        ({"X_unlabeled": np.ones(5)}, "X_unlabeled: Expected 2D"),
        ({"X_unlabeled": np.full((5, 6), np.inf)}, "X_unlabeled: Input X contains infinity"),
        ({"X_val": np.ones((5, 6))}, "X_val is given, but y_val is None; pass both, or neither"),
        ({"y_val": np.ones(5)}, "y_val is given, but X_val is None; pass both, or neither"),
        ({"X_val": np.ones((5, 6)), "y_val": [0] * 4}, "inconsistent numbers of samples"),
        ({"X_val": np.ones((5, 6)), "y_val": [7] * 5}, "y_val holds the label 7, which is not one"),
        ({"X_val": np.ones((5, 6)), "y_val": [-1] * 5}, "y_val holds no labeled row among its 5"),
        ({"X_val": np.ones((5, 2)), "y_val": [0] * 5}, "X_val must have the columns of X"),
        ({"X_val": np.ones((0, 6)), "y_val": []}, r"X_val: Found array with 0 sample\(s\)"),
    ],
)
def test_what_is_refused(parts, more, message):
    X, y, X_unlabeled, _ = parts
    model = brief().fit(X, y, X_unlabeled=X_unlabeled)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, **more)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_a_warm_start_reads_the_columns_of_its_model(parts):
    X, y, X_unlabeled, _ = parts
    model = brief(warm_start=True).fit(X, y, X_unlabeled=X_unlabeled)
    model.fit(X, y, X_unlabeled=X_unlabeled)
    assert model.n_iter_ == 4
    with pytest.raises(ValueError, match="X_unlabeled must have the columns of X"):
        model.fit(X, y, X_unlabeled=X_unlabeled[:, :3])


# No unlabeled row ---------------------------------------------------------------------------------

NONE_UNLABELED = "y has no unlabeled row, and X_unlabeled has none"


@pytest.mark.filterwarnings("default:y has no unlabeled row")
def test_labels_for_all_rows_warn(parts):
    X, y, _, _ = parts
    with pytest.warns(UserWarning, match=NONE_UNLABELED):
        brief().fit(X, y)
    with pytest.warns(UserWarning, match=NONE_UNLABELED):  # -1 has become class 0
        VotingClassifier([("aae", brief())]).fit(X, np.where(y == 2, -1, y))


LOOK_LIKE_MARKERS = ["", " ", "?", "Unknown", "UNLABELED", "nan", "None", "N/A"]


@pytest.mark.filterwarnings("ignore:The model predicts|max_iter")
def test_the_warning_names_the_class_that_may_be_a_marker():
    targets = np.repeat([0, 1, 2], [1, 5, 4])
    for name in LOOK_LIKE_MARKERS:
        classes = np.array([name, "x", "z"], dtype=object)
        with pytest.warns(UserWarning, match="^y has no unlabeled row") as found:
            of_no_unlabeled(classes, targets)
        text = str(found[0].message)
        assert f"The class {name!r} of 10.0% of the rows looks like a marker" in text
        assert f"set unlabeled_label={name!r}." in text
    for classes in (np.array([0, 1, 2]), np.array(["a", "none of these", "z"])):
        with pytest.warns(UserWarning, match="^y has no unlabeled row") as found:
            of_no_unlabeled(classes, targets)
        name = classes.tolist()[1]
        assert f"The class {name!r} of 50.0% of the rows is the most frequent one" in str(
            found[0].message
        )
    with pytest.warns(UserWarning, match="^y has no unlabeled row") as found:
        of_no_unlabeled(np.array([False, True]), np.array([0, 1, 1]))  # no marker is a bool
    assert "set unlabeled_label=None. A tool of scikit-learn may" in str(found[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of_no_unlabeled(np.array(["", "x"]), np.array([-1, 0, 1]))


@pytest.mark.filterwarnings("default:y has no unlabeled row")
@pytest.mark.filterwarnings("ignore:The model predicts|max_iter")
def test_an_empty_string_for_unlabeled_rows_is_seen(parts):
    X, y, _, _ = parts
    names = np.where(y == 2, "", np.array(["ant", "bee", "cat"])[y])
    quick = {"max_iter": 1, "pseudo_labels": False}
    with pytest.warns(UserWarning, match="The class '' of .* set unlabeled_label=''"):
        classifier(**quick).fit(X, names)
    model = classifier(unlabeled_label="", **quick).fit(X, names)
    assert model.classes_.tolist() == ["ant", "bee"]


@pytest.mark.filterwarnings("error:y has no unlabeled row")
def test_labels_for_all_rows_may_be_meant(parts):
    X, y, X_unlabeled, _ = parts
    brief(unlabeled_label=None).fit(X, y)
    brief().fit(X, y, X_unlabeled=X_unlabeled)
    brief().fit(X, np.where(np.arange(len(y)) < 5, -1, y))
    brief().partial_fit(X, y)


# Early stopping on rows of the user ---------------------------------------------------------------


@pytest.mark.parametrize("early_stopping", ["auto", True])
def test_validation_rows_replace_held_out_rows(parts, early_stopping):
    X, y, X_unlabeled, y_unlabeled = parts
    model = classifier(
        max_iter=100, n_iter_no_change=3, early_stopping=early_stopping, pseudo_labels=False
    )
    X_val, y_val = X_unlabeled[:50], y_unlabeled[:50].copy()
    y_val[:5] = (y_val[:5] + 1) % 3  # wrong labels: the loss rises when the model is sure
    model.fit(X, y, X_unlabeled=X_unlabeled[50:], X_val=X_val, y_val=y_val)
    assert (model.n_labeled_, model.n_unlabeled_) == (N_LABELED, len(X_unlabeled) - 50)
    losses = np.array(model.history_["validation"])
    assert len(losses) == model.n_iter_ < 100
    # the best weights are back
    given = model.predict_proba(X_val)[np.arange(50), y_val]
    assert -np.log(given).mean() == pytest.approx(np.nanmin(losses), rel=1e-4)
    assert np.nanargmin(losses) < len(losses) - 1


def test_without_validation_rows_auto_does_not_stop(parts):
    X, y, X_unlabeled, _ = parts
    model = classifier(max_iter=30, n_iter_no_change=1).fit(X, y, X_unlabeled=X_unlabeled)
    assert model.n_iter_ == 30
    assert "validation" not in model.history_


def test_unlabeled_validation_rows_do_not_count(parts):
    X, y, X_unlabeled, y_unlabeled = parts
    few = np.where(np.arange(len(y_unlabeled)) % 2, y_unlabeled, -1)
    one = classifier(max_iter=5).fit(X, y, X_unlabeled=X, X_val=X_unlabeled, y_val=few)
    labeled = {"X_val": X_unlabeled[1::2], "y_val": few[1::2]}
    other = classifier(max_iter=5).fit(X, y, X_unlabeled=X, **labeled)
    assert one.history_["validation"] == other.history_["validation"]


def test_validation_rows_and_no_early_stopping_contradict_each_other(parts):
    X, y, X_unlabeled, y_unlabeled = parts
    model = classifier(max_iter=2, early_stopping=False)
    with pytest.raises(ValueError, match="early_stopping=False does not use it"):
        model.fit(X, y, X_val=X_unlabeled, y_val=y_unlabeled)


@pytest.mark.parametrize(
    ("estimator", "needs_y"),
    [
        (AAETransformer(2), False),
        (AAETransformer(2, prior=Petals(3), use_labels=True), False),
        (AAEClusterer(3), False),
        (AAEOutlierDetector(), False),
        (AAEEmbedding(), False),
        (AAEEmbedding(use_labels=True), True),
        (SupervisedAAETransformer(2), True),
    ],
    ids=lambda value: re.sub(r"\s+", "", str(value)),
)
def test_validation_rows_of_other_estimators(parts, device, estimator, needs_y):
    X, y, X_val, y_val = parts
    more = {"y_val": y_val} if needs_y else {}
    model = clone(estimator).set_params(
        max_iter=300, n_iter_no_change=2, random_state=0, device=device, tol=0.05
    )
    model.fit(X, y, X_val=X_val, **more)
    assert model.n_iter_ < 300
    assert len(model.history_["validation"]) == model.n_iter_
    assert len(model.transform(X)) == N_LABELED


# The tools of scikit-learn ------------------------------------------------------------------------


def right(model, X, y):
    """Check that a fitted tool has classes without a marker and predicts them."""
    assert model.classes_.tolist() == np.unique(y).tolist()
    assert np.mean(model.predict(X) == y) > 0.9
    return model


def searched(search, grid):
    def check(clf, X, y, more, X_test, y_test):
        tool = search(clf, grid, cv=2, scoring="accuracy")
        assert right(tool.fit(X, y, **more), X_test, y_test).best_score_ > 0.9

    return check


def scored(scoring, least):
    def check(clf, X, y, more, X_test, y_test):
        scores = cross_val_score(clf, X, y, cv=2, params=more, scoring=scoring)
        assert min(scores) > least

    return check


def predicted(method):
    def check(clf, X, y, more, X_test, y_test):
        found = cross_val_predict(clf, X, y, cv=2, params=more, method=method)
        classes = np.unique(y)
        if found.ndim == 2:
            assert found.shape == (len(y), len(classes))
            found = classes[found.argmax(axis=1)]
        elif method == "decision_function":
            found = classes[(found > 0).astype(int)]
        assert np.mean(found == y) > 0.9

    return check


def fitted(make):
    def check(clf, X, y, more, X_test, y_test):
        right(make(clf).fit(X, y, **more), X_test, y_test)

    return check


def learned(clf, X, y, more, X_test, y_test):
    sizes, _, scores = learning_curve(
        clf, X, y, cv=2, params=more, train_sizes=[0.5, 1.0], shuffle=True, random_state=0
    )
    assert sizes.tolist() == [len(y) // 4, len(y) // 2]
    assert scores.mean(axis=1).min() > 0.9


def validated(clf, X, y, more, X_test, y_test):
    how = {"param_name": "n_components", "param_range": [2, 3], "params": more}
    assert validation_curve(clf, X, y, cv=2, **how)[1].min() > 0.8


def permuted(clf, X, y, more, X_test, y_test):
    model = clf.fit(X, y, **more)
    found = permutation_importance(model, X_test, y_test, scoring="f1_macro", n_repeats=2)
    assert found.importances_mean.max() > 0.1


def displayed(clf, X, y, more, X_test, y_test):
    shown = ConfusionMatrixDisplay.from_estimator(clf.fit(X, y, **more), X_test, y_test)
    assert shown.confusion_matrix.shape == (len(np.unique(y)),) * 2
    assert np.trace(shown.confusion_matrix) > 0.9 * len(y_test)


def stacked(clf, X, y, more, X_test, y_test):
    """scikit-learn hands arguments of `fit` to the final estimator too, so the first is fitted."""
    model = FrozenEstimator(clf.fit(X, y, **more))
    right(StackingClassifier([("aae", model)], cv="prefit").fit(X, y), X_test, y_test)


def encoded(clf, X, y, more, X_test, y_test):
    """In a pipeline with routing scikit-learn 1.9's encoder fails without our classifier too."""
    encoder = TargetEncoder(target_type="continuous")
    table = encoder.fit_transform(X.round(), y)
    clf.fit(table, y, X_unlabeled=encoder.transform(more["X_unlabeled"].round()))
    assert clf.score(encoder.transform(X_test.round()), y_test) > 0.8


def of_two_columns(clf, X, y, more, X_test, y_test):
    found = MultiOutputClassifier(clf).fit(X, np.c_[y, y[::-1]], **more).predict(X_test)
    assert np.mean(found[:, 0] == y_test) > 0.9


def calibrated(**how):
    return fitted(lambda clf: CalibratedClassifierCV(clf, cv=2, **how))


GRID = {"n_components": [2, 3]}
OF_ANY_Y = {
    "accuracy": scored("accuracy", 0.9),
    "f1_macro": scored("f1_macro", 0.9),
    "neg_log_loss": scored("neg_log_loss", -0.6),
    "predict": predicted("predict"),
    "predict_proba": predicted("predict_proba"),
    "decision_function": predicted("decision_function"),
    "GridSearchCV": searched(GridSearchCV, GRID),
    "HalvingGridSearchCV": searched(HalvingGridSearchCV, GRID),
    "learning_curve": learned,
    "validation_curve": validated,
    "CalibratedClassifierCV": calibrated(),
    "CalibratedClassifierCV(ensemble=False)": calibrated(ensemble=False),
    "permutation_importance": permuted,
    "ConfusionMatrixDisplay": displayed,
    "StackingClassifier": stacked,
    "TargetEncoder": encoded,
    "MultiOutputClassifier": of_two_columns,
}
OF_TWO_CLASSES = {
    "roc_auc": scored("roc_auc", 0.95),
    "average_precision": scored("average_precision", 0.95),
    "neg_brier_score": scored("neg_brier_score", -0.1),
}
WITH_ROUTING = {
    "predict_proba": predicted("predict_proba"),
    "GridSearchCV": searched(GridSearchCV, GRID),
    "CalibratedClassifierCV": calibrated(),
    "VotingClassifier": fitted(
        lambda clf: VotingClassifier([("aae", clf), ("line", LogisticRegression())], voting="soft")
    ),
    "BaggingClassifier": fitted(lambda clf: BaggingClassifier(clf, 2, random_state=0)),
    "OneVsRestClassifier": fitted(OneVsRestClassifier),
    "OneVsOneClassifier": fitted(OneVsOneClassifier),
    "Pipeline": fitted(
        lambda clf: Pipeline(
            [("scale", StandardScaler()), ("aae", clf)], transform_input=["X_unlabeled"]
        )
    ),
    "SelectKBest": fitted(
        lambda clf: Pipeline([("best", SelectKBest(k=4)), ("aae", clf)], transform_input=MORE)
    ),
}
WITH_ROUTING_OF_TWO_CLASSES = {
    "TunedThresholdClassifierCV": fitted(lambda clf: TunedThresholdClassifierCV(clf, cv=2)),
    "FixedThresholdClassifier": fitted(FixedThresholdClassifier),
}
MORE = ["X_unlabeled"]


def check_tool(check, parts, seen, *, two_classes, routing):
    X, y, X_unlabeled, y_unlabeled = parts
    if two_classes:
        (X, y), (X_unlabeled, y_unlabeled) = (
            (rows[labels < 2], labels[labels < 2])
            for rows, labels in ((X, y), (X_unlabeled, y_unlabeled))
        )
    clf = classifier(max_iter=12, batch_size=30, pseudo_labels=False, virtual_adversarial=None)
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            clf.set_fit_request(X_unlabeled=True)
        check(clf, X, y, {"X_unlabeled": X_unlabeled}, X_unlabeled, y_unlabeled)
    assert seen
    for n_labeled, n_unlabeled, classes in seen:
        assert 0 < n_labeled <= len(y)
        assert n_unlabeled == len(X_unlabeled)
        assert -1 not in classes


# They call what others in the list call too.
ALIKE = [
    "f1_macro",
    "predict",
    "HalvingGridSearchCV",
    "validation_curve",
    "CalibratedClassifierCV(ensemble=False)",
    "OneVsOneClassifier",
]


def quick(tools):
    """Return a parameter `tool`, which is slow for those that others stand for."""
    return pytest.mark.parametrize(
        "tool",
        [pytest.param(t, marks=[pytest.mark.slow] if t in ALIKE else []) for t in tools],
    )


@quick(OF_ANY_Y)
def test_tools(parts, seen, tool):
    check_tool(OF_ANY_Y[tool], parts, seen, two_classes=False, routing=False)


@pytest.mark.parametrize("tool", OF_TWO_CLASSES)
def test_tools_for_two_classes(parts, seen, tool):
    check_tool(OF_TWO_CLASSES[tool], parts, seen, two_classes=True, routing=False)


@quick(WITH_ROUTING)
def test_tools_with_routing(parts, seen, tool):
    check_tool(WITH_ROUTING[tool], parts, seen, two_classes=False, routing=True)


@pytest.mark.parametrize("tool", WITH_ROUTING_OF_TWO_CLASSES)
def test_tools_for_two_classes_with_routing(parts, seen, tool):
    check = WITH_ROUTING_OF_TWO_CLASSES[tool]
    check_tool(check, parts, seen, two_classes=True, routing=True)


def test_stacking_passes_it_to_its_final_estimator(parts):
    """A limit of scikit-learn: once it is gone, the guide needs no detour."""
    X, y, X_unlabeled, _ = parts
    with sklearn.config_context(enable_metadata_routing=True):
        clf = brief().set_fit_request(X_unlabeled=True)
        with pytest.raises(TypeError, match="unexpected keyword argument 'X_unlabeled'"):
            StackingClassifier([("aae", clf)], cv=3).fit(X, y, X_unlabeled=X_unlabeled)


@pytest.mark.parametrize("made", [scipy.sparse.csr_matrix, scipy.sparse.csr_array])
def test_validation_rows_may_be_sparse(made):
    X = made(scipy.sparse.random(80, 30, 0.2, "csr", random_state=0))
    y = np.arange(80) % 2
    model = small_classifier(early_stopping=True, unlabeled_label=None)
    model.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    assert model.predict(X[60:]).shape == (20,)
    AAETransformer(max_iter=2, early_stopping=True, **FITS).fit(X[:60], X_val=X[60:])
