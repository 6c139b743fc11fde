"""SemiSupervisedAAEClassifier: what it learns from few labels, its methods, unlabeled rows."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from conftest import FITS, classifier, hide
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skaae import MLP, SGD, SemiSupervisedAAEClassifier, VirtualAdversarial, inference
from skaae.estimators.rates import STEPS_REMEMBERED
from skaae.estimators.styles import fit_styles


@pytest.fixture(scope="module")
def digits_model(digits):
    """Model, test rows and test labels: 50 labels of 800 training rows, a third of the epochs."""
    X, y = digits
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, train_size=800, test_size=450, random_state=0, stratify=y
    )
    model = classifier(max_iter=70).fit(X_train, hide(y_train, 5))
    baseline = LogisticRegression(max_iter=2000).fit(
        X_train[hide(y_train, 5) >= 0] / 16, y_train[hide(y_train, 5) >= 0]
    )
    return model, X_test, y_test, baseline.score(X_test / 16, y_test)


def test_unlabeled_rows_help(digits_model):
    model, X_test, y_test, baseline = digits_model
    assert model.score(X_test, y_test) > baseline + 0.03
    assert model.score(X_test, y_test) > 0.85


def test_samples_of_a_small_style_show_the_class_asked_for(digits):
    """Judged by neighbours among all true labels, which the model never saw."""
    X, y = digits
    rows, few = X[:900], hide(y[:900], 5)
    model = SemiSupervisedAAEClassifier(n_components=2, max_iter=40, **FITS).fit(rows, few)
    judge = KNeighborsClassifier(3).fit(X, y)
    asked = np.repeat(model.classes_, 20)
    assert np.mean(judge.predict(model.sample(200, asked, random_state=0)) == asked) > 0.85


def test_style_and_class_reconstruct(digits_model):
    model, X_test, _, _ = digits_model
    rows = model.inverse_transform(model.transform(X_test), model.predict_proba(X_test))
    assert np.mean((rows - X_test) ** 2) < 0.4 * X_test.var(axis=0).mean()


def test_style_follows_its_prior(digits_model):
    model, X_test, _, _ = digits_model
    Z = model.transform(X_test)
    assert Z.shape == (450, 10)
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=0.6)
    np.testing.assert_allclose(Z.std(axis=0), 1, atol=0.45)


def test_label_block_is_nearly_one_hot(digits_model):
    model, X_test, _, _ = digits_model
    assert np.median(model.predict_proba(X_test).max(axis=1)) > 0.95


def test_probabilities(blobs, fitted_classifier):
    X, _ = blobs
    proba = fitted_classifier.predict_proba(X)
    assert proba.shape == (180, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(fitted_classifier.predict(X), proba.argmax(axis=1))
    np.testing.assert_allclose(fitted_classifier.predict_log_proba(X), np.log(proba))
    decision = fitted_classifier.decision_function(X)
    np.testing.assert_array_equal(decision.argmax(axis=1), proba.argmax(axis=1))


def test_binary_decision_is_the_log_odds(blobs):
    X, y = blobs
    two = y != 2
    model = classifier(max_iter=5).fit(X[two], y[two])
    log_proba = model.predict_log_proba(X)
    decision = model.decision_function(X)
    assert decision.shape == (180,)
    np.testing.assert_allclose(decision, log_proba[:, 1] - log_proba[:, 0], rtol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda y: y,
        lambda y: np.where(y == -1, np.nan, y),
        lambda y: pd.Series(y).astype("Int64").mask(y == -1),
        lambda y: np.array(["abc"[k] if k >= 0 else None for k in y], dtype=object),
        lambda y: [["a", "b", "c"][k] if k >= 0 else float("nan") for k in y],
        lambda y: pd.Categorical.from_codes(y, ["a", "b", "c"]),
    ],
    ids=["-1", "nan", "Int64", "None", "strings and nan", "categorical"],
)
def test_every_form_of_labels_trains_the_same(blobs, few_labels, make):
    X, _ = blobs
    brief = {"max_iter": 3, "pseudo_labels": False}
    plain = classifier(**brief).fit(X, few_labels)
    y = make(few_labels)
    if isinstance(y, list):
        y = np.array(y, dtype=object)
    model = classifier(**brief).fit(X, y)
    assert (model.n_labeled_, model.n_unlabeled_) == (15, 165)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert set(model.predict(X)) <= set(model.classes_)


def test_transduction_keeps_given_labels_and_fills_the_others(blobs, few_labels, fitted_classifier):
    given = few_labels >= 0
    labels = fitted_classifier.transduction_
    np.testing.assert_array_equal(labels[given], few_labels[given])
    np.testing.assert_array_equal(labels[~given], fitted_classifier.predict(blobs[0])[~given])


def test_score_ignores_unlabeled_rows(blobs, few_labels, fitted_classifier):
    X, y = blobs
    labeled = few_labels >= 0
    expected = np.mean(fitted_classifier.predict(X[labeled]) == y[labeled])
    assert fitted_classifier.score(X, few_labels) == pytest.approx(expected)
    weights = np.where(labeled, 1.0, 100.0)
    assert fitted_classifier.score(X, few_labels, weights) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no labeled row"):
        fitted_classifier.score(X, np.full(180, -1))


def test_score_counts_unknown_classes_as_errors(blobs, fitted_classifier):
    X, y = blobs
    strange = np.where(np.arange(180) < 90, 7, y)
    found = fitted_classifier.predict(X) == strange
    assert fitted_classifier.score(X, strange) == pytest.approx(found.mean())


def test_class_prior(blobs, few_labels):
    X, _ = blobs
    brief = {"max_iter": 1, "pseudo_labels": False}
    given = classifier(**brief, class_prior=[0.2, 0.3, 0.5]).fit(X, few_labels)
    np.testing.assert_allclose(given.class_prior_, [0.2, 0.3, 0.5])
    y = few_labels.copy()
    y[np.flatnonzero(y == 0)[:3]] = -1  # 2, 5 and 5 labels are left
    np.testing.assert_allclose(classifier(**brief).fit(X, y).class_prior_, np.array([3, 6, 6]) / 15)
    uniform = classifier(**brief, class_prior="uniform").fit(X, y)
    np.testing.assert_allclose(uniform.class_prior_, 1 / 3)


def test_class_prior_by_name(blobs, few_labels):
    """By place, the first class would get what the Series says of the second."""
    import pandas as pd

    names = np.array(["a", "b", "c"], dtype=object)
    y = np.where(few_labels >= 0, names[few_labels], None)
    wanted = {"b": 0.2, "c": 0.3, "a": 0.5}
    for class_prior in (wanted, pd.Series(wanted)):
        model = classifier(max_iter=1, pseudo_labels=False, class_prior=class_prior).fit(
            blobs[0], y
        )
        np.testing.assert_allclose(model.class_prior_, [0.5, 0.2, 0.3])
    with pytest.raises(ValueError, match="no proportion for the class 'c'"):
        classifier(class_prior={"a": 0.5, "b": 0.5}).fit(blobs[0], y)


def test_nullable_integers_stay_integers(blobs, few_labels):
    import pandas as pd

    large = 2**53 + np.array([1, 2, 3])
    y = pd.Series(large[few_labels]).astype("Int64").mask(few_labels < 0)
    model = classifier(max_iter=1).fit(blobs[0], y)
    assert model.classes_.dtype == np.int64
    assert model.classes_.tolist() == large.tolist()
    assert set(model.predict(blobs[0])) <= set(large)


def test_log_probabilities_are_finite_where_logits_are(blobs, fitted_classifier):
    far = 1e6 * blobs[0]
    logits = fitted_classifier.decision_function(far)
    found = fitted_classifier.predict_log_proba(far)
    assert np.abs(logits).max() > 1e4
    assert np.isfinite(found).all()
    assert fitted_classifier.predict_proba(far).min() == 0.0  # whose logarithm is not finite


def test_class_prior_shapes_the_predictions():
    """With one row in ten in class 1, the right prior finds it; the uniform one finds too many."""
    rng = np.random.default_rng(0)
    y = (rng.random(300) < 0.1).astype(int)
    X = rng.normal(size=(300, 4)) + 3.0 * y[:, None]
    hidden = hide(y, 10)
    proportions = {
        name: classifier(max_iter=30, class_prior=prior).fit(X, hidden).predict(X).mean()
        for name, prior in {"true": [0.9, 0.1], "uniform": "uniform"}.items()
    }
    assert abs(proportions["true"] - y.mean()) < 0.05
    assert proportions["true"] <= proportions["uniform"]


@pytest.mark.parametrize(("pseudo_labels", "least"), [(False, 0.9), ("auto", 0.8)])
def test_samples_follow_the_class_asked_for(blobs, few_labels, pseudo_labels, least):
    params = {"batch_size": 20, "max_iter": 60, "pseudo_labels": pseudo_labels}
    model = classifier(n_components=1, **params).fit(blobs[0], few_labels)
    for label in model.classes_:
        one_class = model.sample(30, label, random_state=0)
        assert one_class.shape == (30, 6)
        assert np.mean(model.predict(one_class) == label) > least
    mixed = model.predict(model.sample(300, random_state=0))
    assert np.bincount(mixed, minlength=3).min() > 50


def test_samples_of_the_prior_of_styles(fitted_classifier):
    codes = fitted_classifier.sample_prior(2000, random_state=0)
    assert (codes.shape, codes.dtype) == ((2000, 10), np.float32)
    np.testing.assert_allclose(codes.std(axis=0), 1.0, atol=0.1)
    np.testing.assert_array_equal(codes, fitted_classifier.sample_prior(2000, random_state=0))
    assert fitted_classifier.sample_prior().shape == (1, 10)


def test_inverse_transform_with_classes_or_probabilities(blobs, fitted_classifier):
    Z = fitted_classifier.transform(blobs[0][:3])
    by_label = fitted_classifier.inverse_transform(Z, [0, 1, 2])
    np.testing.assert_array_equal(by_label, fitted_classifier.inverse_transform(Z, np.eye(3)))
    single = fitted_classifier.inverse_transform(Z, 1)
    np.testing.assert_array_equal(single[1], by_label[1])
    unknown = fitted_classifier.inverse_transform(Z)
    prior = np.tile(fitted_classifier.class_prior_, (3, 1))
    np.testing.assert_array_equal(unknown, fitted_classifier.inverse_transform(Z, prior))


def test_partial_fit(blobs, few_labels):
    X, y = blobs
    model = classifier()
    model.partial_fit(X[:60], y[:60], classes=[-1, 0, 1, 2])
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    for _ in range(30):
        model.partial_fit(X[60:120], np.full(60, -1))  # no labels at all
        model.partial_fit(X[120:], y[120:])
    assert model.score(X, y) > 0.9
    assert model.n_iter_ == 61
    assert all(len(losses) == 61 for losses in model.history_.values())
    assert np.isnan(model.history_["classification"][1])
    with pytest.raises(ValueError, match="label 9"):
        model.partial_fit(X, np.full(180, 9))
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize(("n_rows", "n_blocks"), [(1, 100), (20, 15), (300, 8)])
def test_a_stream_of_few_rows_or_labels_keeps_what_fit_learned(n_rows, n_blocks):
    """At the rates of a whole mini-batch, 100 single rows made 0.99 to 0.66."""
    X, y = make_classification(900, 8, n_informative=6, n_classes=3, class_sep=2.0, random_state=2)
    model = classifier(max_iter=60, pseudo_labels=False).fit(X[:300], y[:300])
    before = model.score(X[600:], y[600:])
    assert before > 0.95
    for index in range(n_blocks):
        start = 300 + index * n_rows % 300
        block = slice(start, start + n_rows)
        model.partial_fit(X[block], np.where(np.arange(n_rows) < 1, y[block], -1))
    assert model.score(X[600:], y[600:]) > before - 0.03


@pytest.mark.parametrize(("factor", "same"), [(0.0, True), (0.5, False)])
def test_joint_updates_weigh_the_labels_of_a_block(blobs, factor, same):
    X, y = blobs
    params = {"pseudo_labels": False, "solver": SGD(updates="joint"), "max_iter": 2}
    model = classifier(**params).fit(X, y)
    device = model._step.generator.device
    x = torch.tensor(X[:20], dtype=torch.float32, device=device)
    targets = torch.tensor(y[:20], device=device)
    found = []
    for labels in (targets, (targets + 1) % 3):
        step = copy.deepcopy(model._step)
        step.label_rate_factor = factor
        step(x=x, x_labeled=x, y_labeled=labels)
        found.append(torch.cat([weight.flatten() for weight in step.networks.parameters()]))
    assert torch.equal(*found) == same


def test_each_row_of_a_small_block_counts_as_in_a_mini_batch(blobs):
    X, y = blobs
    model = classifier(network=MLP(batch_norm="encoder")).fit(X, y)
    norms = [m for m in model._step.networks.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert norms

    def found():
        rates = [model._step.optimizers[p].learning_rate for p in ("generator", "classification")]
        full = [model._settings.rates[p].learning_rate for p in ("generator", "classification")]
        return [float(r) / f for r, f in zip(rates, full, strict=True)], norms[-1].momentum

    for n_rows, n_labels, rows, labels in (
        (10, 10, 0.1, 0.1),
        (20, 5, 0.2, 0.1),
        (150, 4, 1.0, np.sqrt(0.04 / 2)),  # two mini-batches repeat the labels
    ):
        model.partial_fit(X[:n_rows], np.where(np.arange(n_rows) < n_labels, y[:n_rows], -1))
        assert found() == (pytest.approx([rows, labels]), pytest.approx(0.1 * rows))
    model.set_params(warm_start=True).fit(X, y)  # all that `fit` gets is all there is
    assert found() == (pytest.approx([1.0, 1.0]), pytest.approx(0.1))


def test_fully_labeled_data(blobs):
    X, y = blobs
    model = classifier(unlabeled_label=None, max_iter=60).fit(X, y)
    assert model.n_unlabeled_ == 0
    assert model.score(X, y) > 0.95
    np.testing.assert_array_equal(model.transduction_, y)


def test_early_stopping_holds_out_labeled_rows(blobs, few_labels):
    X, _ = blobs
    model = classifier(early_stopping=True, validation_fraction=0.4, max_iter=100)
    model.fit(X, few_labels)
    assert len(model.history_["validation"]) == model.n_iter_ <= 100
    assert len(model.transduction_) == 180


def test_warm_start_needs_the_same_classes(blobs, few_labels):
    X, y = blobs
    model = classifier(warm_start=True, max_iter=2).fit(X, few_labels)
    model.fit(X, few_labels)
    assert model.n_iter_ == 4
    with pytest.raises(ValueError, match="warm_start=True goes on with a model of the classes"):
        model.fit(X, y + 1)
    with pytest.raises(ValueError, match="warm_start=True goes on with a model of 6 features"):
        model.fit(X[:, :4], few_labels)
    assert model.predict(X).shape == (180,)


def test_strongly_correlated_columns_do_not_throw_training_off():
    """300 columns that 5 factors explain: without a bound on gradients SGD diverges here."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(500, 5))
    X, y = factors @ rng.normal(size=(5, 300)), (factors[:, 0] > 0).astype(int)
    params = {
        "pseudo_labels": False,
        "hidden_layer_sizes": (400, 400),
        "discriminator_hidden_layer_sizes": (900, 900),
    }
    model = classifier(max_iter=10, **params).fit(X, hide(y, 25))
    assert model.n_iter_ == 10
    assert model.score(X, y) > 0.75
    unbounded = classifier(max_iter=10, max_gradient_norm=None, device="cpu", **params)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        unbounded.fit(X, hide(y, 25))


def test_seed_and_labels_alone_decide(blobs, few_labels):
    X, _ = blobs
    first = classifier(max_iter=5).fit(X, few_labels).predict_proba(X)
    np.testing.assert_array_equal(first, classifier(max_iter=5).fit(X, few_labels).predict_proba(X))
    other = classifier(max_iter=5, random_state=1).fit(X, few_labels).predict_proba(X)
    assert not np.array_equal(first, other)


# Classes of several components --------------------------------------------------------------------


@pytest.fixture(scope="module")
def rings():
    """Two classes of four blobs each, on a ring, in turn; one label a blob."""
    rng = np.random.default_rng(0)
    which = np.arange(800) % 8
    angle = 2.0 * np.pi * which / 8
    X = 3.0 * np.c_[np.cos(angle), np.sin(angle)] + 0.25 * rng.normal(size=(800, 2))
    return X, which % 2, np.where(np.arange(800) < 8, which % 2, -1)


COMPONENTS = {
    "solver": "adam",
    "batch_norm": "hidden",
    "virtual_adversarial": VirtualAdversarial(learning_rate=0.002),
    "hidden_layer_sizes": (64, 64),
    "pseudo_labels": False,
    "max_iter": 60,
}


def members_of(model):
    """Which components make up each class, (n_classes, n_components)."""
    return model._step.trained.encoder.members.cpu().numpy().astype(float)


@pytest.mark.parametrize(
    "class_prior", ["labeled", pytest.param("uniform", marks=pytest.mark.slow)]
)
def test_components_find_the_blobs_of_a_class(rings, class_prior):
    X, y, y_few = rings
    model = classifier(components_per_class=4, class_prior=class_prior, **COMPONENTS).fit(X, y_few)
    assert model.score(X, y) > 0.97
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (800, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-6)
    label = inference.encode(model._step, model._network_rows(X), "label")
    assert label.shape == (800, 8)
    np.testing.assert_allclose(label @ members_of(model).T, probabilities, atol=1e-5)
    assert len(np.unique(label.argmax(axis=1))) > 2  # once they have a class, some come together


def test_components_are_drawn_by_their_proportions_and_the_largest_stands_for_its_class(rings):
    X, _, y_few = rings
    model = classifier(components_per_class=4, **{**COMPONENTS, "max_iter": 2}).fit(X, y_few)
    members = members_of(model)
    sizes = members * inference.encode(model._step, model._network_rows(X), "label").mean(axis=0)
    proportions = sizes / sizes.sum(axis=1, keepdims=True)
    generator = torch.Generator().manual_seed(0)
    label = model._draw_label(np.arange(4000) % 2, 4000, generator)
    assert (label.sum(axis=1) == 1.0).all()
    np.testing.assert_array_equal(label @ members.T, np.eye(2)[np.arange(4000) % 2])
    np.testing.assert_allclose(2.0 * label.mean(axis=0), proportions.sum(axis=0), atol=0.04)
    rows = model._label_block([0, 1], 2)
    np.testing.assert_array_equal(rows.argmax(axis=1), sizes.argmax(axis=1))
    assert model.sample(5, y=1, random_state=0).shape == (5, 2)
    assert model.inverse_transform(np.zeros((3, 10))).shape == (3, 2)


@pytest.mark.parametrize("components_per_class", [2, 3])  # four labels a class are few for three
@pytest.mark.parametrize("updates", ["alternating", "joint"])
def test_with_components_the_virtual_adversarial_loss_comes_first(
    rings, updates, components_per_class
):
    X, _, y_few = (rows[:200] for rows in rings)
    params = {**COMPONENTS, "max_iter": 10, "updates": updates}
    model = classifier(components_per_class=components_per_class, **params)
    stages = [model.partial_fit(X, y_few)._step.stage for _ in range(10)]
    history, names = model.history_, [stage.name for stage in stages]
    found, ended = (6, 8) if components_per_class == 3 else (3, 6)
    assert names == (
        found * ["find components"] + (ended - found) * ["find classes"] + (10 - ended) * ["refine"]
    )
    assert history["stage"] == names
    assert [stage.consistency for stage in stages] == (
        found * ["components"] + (10 - found) * ["classes"]
    )
    unmoved = np.isnan(history["generator_label"]).tolist()
    assert unmoved == ended * [True] + (10 - ended) * [False]
    n_waiting = found if components_per_class == 3 else 0
    waits = n_waiting * [True] + (10 - n_waiting) * [False]
    assert np.isnan(history["classification"]).tolist() == waits
    for name in ("virtual_adversarial", "conditional_entropy", "class_balance"):
        assert np.isfinite(history[name]).all()
    assert "class_balance" not in classifier(**params).fit(X, y_few).history_


@pytest.fixture(scope="module")
def arcs():
    """Two classes, each of four blobs on an arc, with a label each."""
    which = np.arange(800) % 8
    angle = np.pi * (which % 4) / 5 + np.pi * (which // 4)
    noise = np.random.default_rng(0).normal(size=(800, 2))
    X = 3.0 * np.c_[np.cos(angle), np.sin(angle)] + 0.25 * noise
    return X, which // 4, np.where(np.isin(np.arange(800), [0, 7]), which // 4, -1)


def test_one_label_assigns_all_its_components(arcs):
    X, y, y_few = arcs
    model = classifier(components_per_class=4, **COMPONENTS).fit(X, y_few)
    assert model.score(X, y) > 0.99
    assert (members_of(model).sum(axis=1) > 1.0).all()


def test_components_stay_assigned_where_a_call_lacks_a_class(arcs):
    X, y, y_few = arcs
    model = classifier(components_per_class=3, **{**COMPONENTS, "max_iter": 30})
    for _ in range(15):
        model.partial_fit(X, y_few)
    assert model._step.stage.name == "find components"
    assert model.score(X, y) > 0.9
    assigned = members_of(model)
    assert not np.array_equal(assigned, np.repeat(np.eye(2), 3, axis=1))
    for y_call in (np.where(y_few == 1, -1, y_few), *5 * [np.full(800, -1)]):
        model.partial_fit(X, y_call)
    assert model._step.stage.name == "find classes"
    np.testing.assert_array_equal(members_of(model), assigned)


@pytest.mark.parametrize(
    ("counts", "params", "later"),
    [
        ([5, 5, 5], {}, True),
        ([6, 6, 6], {}, False),
        ([9, 9, 1], {}, False),  # one rare class does not make the others wait
        ([5, 5, 0], {}, False),  # no label says which are of the third
        ([8, 8, 8], {"early_stopping": True, "validation_fraction": 0.3}, True),
        ([5, 5, 5], {"components_per_class": 1}, False),
        ([5, 5, 5], {"virtual_adversarial": None}, False),
    ],
)
def test_labels_wait_where_they_are_few_for_their_components(counts, params, later):
    X = np.random.default_rng(0).normal(size=(60, 4))
    y = np.full(60, -1)
    y[: sum(counts)] = np.repeat(range(3), counts)
    settings = {**COMPONENTS, "components_per_class": 3, "max_iter": 10, **params}
    model = classifier(**settings)
    if settings.get("early_stopping"):
        model.fit(X, y)
    else:
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert model._settings.schedule.stages[0].assigns_later == later


def test_classes_of_several_components_stop_early_and_go_on_by_calls(rings):
    X, _, y_few = rings
    params = {**COMPONENTS, "components_per_class": 3, "max_iter": 5}
    model = classifier(early_stopping=True, validation_fraction=0.25, **params).fit(X, y_few)
    # a loss on its way to another stage says nothing of the end
    stages = 3 * ["find components"] + ["find classes", "refine"]
    assert model.history_["stage"] == stages
    assert np.isnan(model.history_["validation"]).tolist() == 4 * [True] + [False]
    model = classifier(**params)
    for _ in range(2):
        model.partial_fit(X, y_few)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(again.sample(9, random_state=0), model.sample(9, random_state=0))


def own_encoder(n_inputs, n_outputs):
    return torch.nn.Sequential(
        torch.nn.Linear(n_inputs, 16), torch.nn.ReLU(), torch.nn.Linear(16, n_outputs)
    )


@pytest.mark.parametrize("updates", ["alternating", "joint"])
@pytest.mark.parametrize(
    "params",
    [
        {"encoder": own_encoder},
        {"posterior": "universal"},
        {"class_prior": [1.0, 0.0]},
        {"virtual_adversarial": None},
        {"network": "conv", "hidden_layer_sizes": (8,)},
    ],
    ids=lambda params: next(iter(params)),
)
def test_components_go_with_everything_else(rings, params, updates):
    X, _, y_few = (rows[:200] for rows in rings)
    settings = {
        **COMPONENTS,
        "components_per_class": 3,
        "max_iter": 4,
        "updates": updates,
        **params,
    }
    if "network" in params:
        X = np.tile(X, (1, 8))
        settings["image_shape"] = (4, 4)
    model = classifier(**settings).fit(X, y_few)
    scores, probabilities = model.decision_function(X), model.predict_proba(X)
    odds = np.log(probabilities[:, 1] / probabilities[:, 0])
    np.testing.assert_allclose(scores, odds, rtol=1e-5, atol=1e-6)
    assert model.sample(4, random_state=0).shape == (4, X.shape[1])
    wanted = settings["virtual_adversarial"] is not None
    assert ("conditional_entropy" in model.history_) == wanted


# Shares of predicted classes ----------------------------------------------------------------------


def rare_class(n_labeled):
    """Two groups, one of them a tenth of the rows; y has labels of n_labeled rows of each."""
    rng = np.random.default_rng(0)
    y = (np.arange(400) % 10 == 0).astype(int)
    X = rng.normal(size=(400, 4)) + 6.0 * y[:, None]
    return X, hide(y, n_labeled)


@pytest.mark.parametrize("gap", [-1, np.nan])
def test_a_lost_class_of_signs_is_named(gap):
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = np.where(X[:, 0] > 0.5, 1.0, np.where(X[:, 0] < -0.5, gap, 0.0))
    with pytest.warns(UserWarning, match="class_prior") as caught:
        classifier(max_iter=10, pseudo_labels=False).fit(X, y)
    hint = "If -1 is a class of y and no marker, set unlabeled_label=None"
    assert any(hint in str(warning.message) for warning in caught) == (gap == -1)


def test_predictions_in_other_shares_than_assumed_warn():
    X, y = rare_class(10)
    with pytest.warns(UserWarning, match=r"predicts class 0 for 92.* assumes 50.0%.*class_prior"):
        classifier(max_iter=40).fit(X, y)


def test_predictions_in_the_assumed_shares_do_not_warn(recwarn):
    X, y = rare_class(10)
    model = classifier(max_iter=40, class_prior=[0.9, 0.1]).fit(X, y)
    assert model.score(X, (np.arange(400) % 10 == 0).astype(int)) > 0.98
    assert not [w for w in recwarn if "predicts class" in str(w.message)]


def test_a_class_that_no_row_gets_warns():
    """Its few labels lie among many of the other class."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 4)), np.full(400, -1)
    y[:60], y[60:66] = 0, 1
    with pytest.warns(UserWarning, match=r"predicts class 1 for 0.0% of the unlabeled rows"):
        classifier(pseudo_labels=KNeighborsClassifier(30), max_iter=60).fit(X, y)


def test_new_rows_of_a_class_look_like_it(blobs, few_labels):
    """The style of blobs with several components contains the class."""
    X, y = blobs
    model = classifier(max_iter=100).fit(X, few_labels)
    judge = LinearDiscriminantAnalysis().fit(X, y)
    wanted = np.arange(900) % 3
    found = judge.predict(model.sample(900, wanted, random_state=0))
    assert np.mean(found == wanted) > 0.97
    model._styles = None  # as the paper has it: style and class are drawn apart
    apart = judge.predict(model.sample(900, wanted, random_state=0))
    assert np.mean(apart == wanted) < np.mean(found == wanted)


def test_styles_of_labels_have_their_means_and_covariances():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [4000, 4000])
    styles = rng.normal(size=(8000, 2)) * [[1.0, 0.1]] + np.array([[3.0, 0.0], [-3.0, 1.0]])[labels]
    found = fit_styles(styles, labels, 3)
    drawn = found.of(np.repeat([0, 1, 2], 5000), rng.normal(size=(15000, 2)))
    for label, mean in enumerate([[3.0, 0.0], [-3.0, 1.0]]):
        own = drawn[5000 * label :][:5000]
        np.testing.assert_allclose(own.mean(axis=0), mean, atol=0.05)
        np.testing.assert_allclose(own.std(axis=0), [1.0, 0.1], rtol=0.1)
    # a label without rows has the mean of all, or what it had before
    np.testing.assert_allclose(found.means[2], styles.mean(axis=0))
    again = fit_styles(styles[:10], labels[:10], 3, before=found)
    np.testing.assert_allclose(again.means[1:], found.means[1:])
    np.testing.assert_allclose(again.covariances[1:], found.covariances[1:])
    # ten more rows of the first label hardly change it
    np.testing.assert_allclose(again.means[0], found.means[0], atol=0.05)
    np.testing.assert_allclose(again.covariances[0], found.covariances[0], atol=0.05)


def test_styles_of_another_prior_are_drawn_from_it(blobs, few_labels):
    model = classifier(max_iter=2, n_components=2, prior="uniform").fit(blobs[0], few_labels)
    assert not model._draws_own_styles
    assert len(model.sample(5, y=1, random_state=0)) == 5


def test_styles_of_one_row_and_of_constant_columns():
    one = fit_styles(np.zeros((1, 3)), np.zeros(1, dtype=int), 2)
    assert np.isfinite(one.of(np.array([0, 1]), np.ones((2, 3)))).all()


def test_styles_of_many_blocks_on_a_line_can_be_drawn():
    rng = np.random.default_rng(0)
    found = None
    for _ in range(20):  # each block is larger than what is remembered
        styles = rng.normal(size=(5000, 1)) * [[1.0, 2.0, -1.0]]
        found = fit_styles(styles, np.zeros(5000, dtype=int), 1, before=found)
    drawn = found.of(np.zeros(500, dtype=int), rng.normal(size=(500, 3)))
    np.testing.assert_allclose(drawn.std(axis=0), [1.0, 2.0, 1.0], rtol=0.1)


def test_new_rows_differ_after_a_block_of_one_row(blobs, few_labels):
    X, _ = blobs
    model = classifier(max_iter=20).fit(X, few_labels)
    before = model.sample(100, y=1, random_state=0).std(axis=0)
    model.partial_fit(X[:1], few_labels[:1])
    np.testing.assert_allclose(model.sample(100, y=1, random_state=0).std(axis=0), before, rtol=0.5)


def test_the_same_answer_for_all_rows_warns(blobs):
    """Weights so far from the rows that no unit is active, as after updates that were too large."""

    def dead(n_inputs, n_outputs):
        layer = torch.nn.Linear(n_inputs, n_outputs)
        with torch.no_grad():
            layer.bias.fill_(-1e6)
        return torch.nn.Sequential(layer, torch.nn.ReLU())

    X, y = blobs
    with pytest.warns(ConvergenceWarning, match=r"same for all rows.*solver='adam'"):
        classifier(network=MLP(encoder=dead), max_iter=60, unlabeled_label=None).fit(X, y)


def test_a_column_of_many_categories_does_not_throw_training_off():
    rng = np.random.default_rng(0)
    effects, town = 1.5 * rng.normal(size=60), rng.integers(60, size=1500)
    frame = pd.DataFrame(rng.normal(size=(1500, 3)), columns=["a", "b", "c"])
    y = (effects[town] + frame["a"] + 0.5 * rng.logistic(size=1500) > 0.0).astype(int)
    frame["town"] = [f"town {i}" for i in town]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SemiSupervisedAAEClassifier(random_state=0, unlabeled_label=None, max_iter=60)
        model.fit(frame[:1000], y[:1000])
    assert model.score(frame[1000:], y[1000:]) > 0.72  # without the towns: 0.68


def test_networks_of_tables_follow_what_teaches_them(blobs, few_labels, monkeypatch):
    X, y = blobs
    monkeypatch.setattr("skaae.estimators.pseudo_labels.MAX_LABELS", 100)
    fits = {
        "committee": (X, few_labels, "auto", "SGD", 128),
        "many labels": (X, y, "auto", "Adam", 128),
        "sparse": (sp.csr_array(X), few_labels, "auto", "SGD", 128),
        "paper": (X, few_labels, False, "SGD", 64),
    }
    for rows, labels, pseudo_labels, solver, width in fits.values():
        model = SemiSupervisedAAEClassifier(
            max_iter=1, pseudo_labels=pseudo_labels, random_state=0
        ).fit(rows, labels)
        optimizer = model._step.optimizers["classification"]
        assert (type(optimizer).__name__, model._settings.architecture.hidden[0]) == (solver, width)


def test_styles_of_new_rows_vary_as_those_of_q(blobs, few_labels):
    """With a Gaussian posterior, and not as the means of q(z|x) do."""
    model = classifier(posterior="gaussian", pseudo_labels=False, max_iter=30)
    model.fit(blobs[0], few_labels)
    rows, generator = model._network_rows(blobs[0]), torch.Generator().manual_seed(0)
    drawn = inference.draw_codes(model._step, rows, 50, generator)
    label = model._encode_label(model._check_rows(blobs[0])).argmax(axis=1)
    for k, covariance in enumerate(model._styles.covariances):
        own = drawn[label == k].reshape(-1, drawn.shape[2])
        assert np.trace(covariance) == pytest.approx(own.var(axis=0).sum(), rel=0.3)


def test_partial_fit_after_a_long_fit_is_soon_seen():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    model = classifier(unlabeled_label=None, pseudo_labels=False, max_iter=2)
    model.fit(X, X[:, 0] > 0.0)
    model._step.n_steps.fill_(1000.0)
    model.partial_fit(X, X[:, 0] > 0.0)
    assert float(model._step.n_steps) == STEPS_REMEMBERED + 3
    model._step.n_steps.fill_(1000.0)  # those of a stream count all
    model.partial_fit(X, X[:, 0] > 0.0)
    assert float(model._step.n_steps) == 1003
