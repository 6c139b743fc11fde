"""Bad input gets an error that names the value and the remedy, and nothing fitted is lost by it."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from conftest import FITS, NAMES, classifier, hide, label, transformer
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import GaussianNB

from skaae import (
    MLP,
    AAEClusterer,
    AAEEmbedding,
    AAETransformer,
    Adam,
    Categories,
    Checkpoint,
    ClusterHeadsDisplay,
    DiagnosisDisplay,
    LatentSpaceDisplay,
    OutOfCore,
    ReconstructionDisplay,
    SemiSupervisedAAEClassifier,
    SupervisedAAETransformer,
    VirtualAdversarial,
    diagnose,
)
from skaae.displays import explore
from skaae.priors import Categorical, Petals, Prior

pytestmark = pytest.mark.usefixtures("small_forests")


def with_infinity(X):
    X = X.copy()
    X[3, 2] = np.inf
    return X


BAD_PARAMETERS = [
    ({"n_components": 0}, "'n_components' parameter"),
    ({"n_components": 2.5}, "'n_components' parameter"),
    ({"hidden_layer_sizes": (10, -5)}, r"hidden_layer_sizes=\(10, -5\) must hold integers"),
    ({"hidden_layer_sizes": -1}, "'hidden_layer_sizes' parameter"),
    ({"discriminator_hidden_layer_sizes": (1.5,)}, "must hold integers of at least 1"),
    ({"activation": "swish"}, "'activation' parameter"),
    ({"dropout": 1.0}, "'dropout' parameter"),
    ({"scaling": "minmax"}, "'scaling' parameter"),
    ({"batch_size": 0}, "'batch_size' parameter"),
    ({"max_iter": -3}, "'max_iter' parameter"),
    ({"device": "gpu"}, r"device='gpu' cannot be used.*'auto' or one of \['cpu'"),
    ({"device": "meta"}, "device='meta' holds no data"),
    ({"random_state": -1}, "'random_state' parameter"),
    ({"learning_rate_schedule": "warm"}, "'learning_rate_schedule' parameter"),
    ({"learning_rate_schedule": (50, 0.1)}, r"pairs \(epoch, factor\)"),
    ({"learning_rate_schedule": ((5, -0.1),)}, "epochs and factors of at least 0"),
    ({"learning_rate_schedule": lambda epoch: float("nan")}, "returned nan for epoch 0"),
    ({"learning_rate_schedule": lambda epoch: float("inf")}, "returned inf for epoch 0"),
    ({"learning_rate_schedule": lambda epoch: -1.0}, "returned -1.0 for epoch 0"),
    ({"prior": "gausian"}, "'gausian' is not one of"),
    ({"prior": Petals(), "n_components": 3}, "has 2 dimensions.*n_components=3"),
    ({"prior": scipy.stats.multivariate_normal(np.zeros(4))}, r"\(8, 4\) where \(8, 2\)"),
    ({"prior": lambda n, rng: np.full((n, 2), np.inf)}, "infinite or not a number"),
    (
        {"reconstruction_loss": "binary_cross_entropy", "scaling": None},
        r"needs values in \[0, 1\] after scaling.*scaling='range'",
    ),
    ({"early_stopping": True, "validation_fraction": 0.999}, "cannot hold out"),
]


@pytest.mark.parametrize(("params", "message"), BAD_PARAMETERS, ids=label)
def test_bad_parameters_leave_the_fitted_model(blobs, params, message):
    X, _ = blobs
    model = transformer(max_iter=1).fit(X)
    before = model.transform(X)
    fitted = set(vars(model))
    model.set_params(**transformer(**params).get_params(deep=False))
    with pytest.raises(ValueError, match=message):
        model.fit(X)
    assert set(vars(model)) == fitted
    np.testing.assert_array_equal(model.transform(X), before)


BAD_ROWS = [
    (lambda X: X[:, 0], "Expected 2D array"),
    (lambda X: X[:0], "0 sample"),
    (lambda X: X[:1], "1 sample"),
    (lambda X: X[:, :0], "0 feature"),
    (lambda X: X * 1j, "Complex data not supported"),
    (with_infinity, "infinity"),
    (lambda X: np.char.add(X.astype(str), "x"), "could not convert string"),
    (
        lambda X: X.reshape(-1, 2, 3),
        r"shape \(180, 2, 3\).*flatten with X\.reshape\(len\(X\), -1\).*image_shape=\(2, 3\)",
    ),
    (lambda X: X[:, :, None, None], r"flatten with X\.reshape\(len\(X\), -1\); the last axis"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ROWS)
def test_bad_rows_leave_the_fitted_model(blobs, change, message):
    X, _ = blobs
    model = transformer(max_iter=1).fit(X)
    before = model.transform(X)
    with pytest.raises(ValueError, match=message):
        model.fit(change(X))
    with pytest.raises(ValueError, match=message.replace("1 sample", "0 sample")):
        model.transform(change(X) if len(change(X)) != 1 else X[:0])
    np.testing.assert_array_equal(model.transform(X), before)
    assert model.n_features_in_ == 6


def test_bad_names_leave_the_fitted_names(blobs):
    import pandas as pd

    frame = pd.DataFrame(blobs[0], columns=list("abcdef"))
    model = transformer(max_iter=1).fit(frame)
    with pytest.raises(ValueError, match="infinity"):
        model.fit(pd.DataFrame(with_infinity(blobs[0])[:, :3], columns=list("xyz")))
    assert model.feature_names_in_.tolist() == list("abcdef")
    assert model.transform(frame).shape == (180, 2)


FLATTEN = r"flatten with X\.reshape\(len\(X\), -1\)"


@pytest.mark.parametrize(
    "method",
    ["transform", "predict", "predict_proba", "reconstruct", "impute", "score_samples", "fit"],
)
def test_stacks_of_images_are_to_be_flattened(blobs, fitted_classifier, method):
    images = blobs[0].reshape(-1, 2, 3)
    arguments = (images, blobs[1]) if method == "fit" else (images,)
    with pytest.raises(ValueError, match=FLATTEN):
        getattr(fitted_classifier, method)(*arguments)
    with pytest.raises(ValueError, match=FLATTEN):
        transformer(categorical_features=[0]).fit(images)


@pytest.mark.parametrize(
    ("method", "argument", "message"),
    [
        ("transform", np.zeros((2, 5)), "X has 5 features, but AAETransformer is expecting 6"),
        ("inverse_transform", np.zeros((2, 3)), r"X has 3 columns.*n_components=2"),
        ("inverse_transform", np.full((2, 2), np.nan), "Input X contains NaN"),
        ("sample", 0, "n_samples=0 must be an integer of at least 1"),
        ("sample", 2.5, "n_samples=2.5"),
        ("sample_prior", True, "n_samples=True"),
    ],
)
def test_bad_arguments(fitted_transformer, method, argument, message):
    with pytest.raises(ValueError, match=message):
        getattr(fitted_transformer, method)(argument)


BAD_LABELS = [
    (lambda y: np.full(len(y), -1), "no labeled row.*AAETransformer"),
    (lambda y: np.where(y == 0, 0, -1), "only one class, .*0.*at least two classes"),
    (lambda y: y[:-1], "inconsistent numbers of samples"),
    (
        lambda y: y + 0.5,
        r"Unknown label type.*not quantities.*codes of AAETransformer.*pandas\.cut",
    ),
    (lambda y: None, "SemiSupervisedAAEClassifier requires y to be passed"),
    (
        lambda y: np.array([["a"], ["b"]])[y % 2].repeat(2, axis=1),
        r"1d array, got an array of shape \(180, 2\).*each column of y.*MultiOutputClassifier",
    ),
    (lambda y: np.eye(3)[y], r"shape \(180, 3\).*y\.argmax\(axis=1\)"),
    (lambda y: pd.DataFrame({"a": y, "b": y}), r"shape \(180, 2\).*MultiOutputClassifier"),
]


@pytest.mark.parametrize(("change", "message"), BAD_LABELS)
def test_bad_labels_leave_the_fitted_model(blobs, change, message):
    X, y = blobs
    model = classifier(max_iter=1).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        model.fit(X, change(y))
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.classes_.tolist() == [0, 1, 2]


def test_the_remedies_for_other_targets_work(blobs):
    from sklearn.linear_model import Ridge
    from sklearn.multioutput import MultiOutputClassifier
    from sklearn.pipeline import make_pipeline

    X, y = blobs
    several = MultiOutputClassifier(classifier(max_iter=1)).fit(X, np.stack([y, y % 2], axis=1))
    assert several.predict(X).shape == (180, 2)
    quantity = make_pipeline(AAETransformer(10, max_iter=1, **FITS), Ridge()).fit(X, X[:, 0])
    assert quantity.predict(X).shape == (180,)


def test_many_numbers_of_few_rows_each_get_a_warning(blobs):
    X = blobs[0]
    y = np.arange(180) // 4  # 45 numbers, each in four rows
    with pytest.warns(UserWarning, match=r"y has 45 different numbers in 180 rows.*AAETransformer"):
        classifier(max_iter=1).fit(X, y)
    few = np.where(np.arange(180) % 2 == 0, y, -1)
    for labels in (y.astype(str), y // 2, np.arange(180) % 20, few):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "max_iter|The model predicts|y has no unlabeled row")
            classifier(max_iter=1, pseudo_labels=False).fit(X, labels)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"class_prior": [0.5, 0.5]}, r"class_prior must have shape \(3,\), got \(2,\)"),
        ({"class_prior": [0.5, 0.5, 0.5]}, "sum to 1"),
        ({"class_prior": "balanced"}, "class_prior='balanced'"),
        ({"classification_learning_rate": -1.0}, "'classification_learning_rate' parameter"),
        (
            {"early_stopping": True, "validation_fraction": 0.01, "pseudo_labels": False},
            "cannot hold out",
        ),
    ],
)
def test_bad_classifier_parameters(blobs, few_labels, params, message):
    with pytest.raises(ValueError, match=message):
        classifier(**params).fit(blobs[0], few_labels)


def test_joint_updates_need_a_rate_of_reconstruction(blobs, few_labels):
    params = {"solver": "sgd", "reconstruction_learning_rate": 0.0, "max_iter": 1}
    with pytest.raises(
        ValueError, match="updates='joint' trains reconstruction and classification in one"
    ):
        classifier(updates="joint", **params).fit(blobs[0], few_labels)
    assert classifier(**params).fit(blobs[0], few_labels).n_iter_ == 1


def test_bad_classes_to_decode(blobs, fitted_classifier):
    Z = fitted_classifier.transform(blobs[0][:2])
    with pytest.raises(ValueError, match="label 7, which is not one of the classes"):
        fitted_classifier.inverse_transform(Z, 7)
    with pytest.raises(ValueError, match="3 entries for 2 rows"):
        fitted_classifier.inverse_transform(Z, [0, 1, 2])
    with pytest.raises(ValueError, match="label -1"):
        fitted_classifier.sample(2, -1)
    with pytest.raises(ValueError, match="decoded by inverse_transform"):
        fitted_classifier.sample(2, np.eye(3)[:2])
    model = transformer(prior=Categorical(), max_iter=1).fit(blobs[0])
    with pytest.raises(ValueError, match="no components for y"):
        model.sample_prior(3, 1)


@pytest.mark.parametrize(
    "method",
    [
        "transform",
        "inverse_transform",
        "sample",
        "sample_prior",
        "score_samples",
        "encode_samples",
        "parzen_log_likelihood",
    ],
)
def test_unfitted(method):
    argument = 1 if method in ("sample", "sample_prior") else np.zeros((2, 2))
    with pytest.raises(NotFittedError):
        getattr(AAETransformer(), method)(argument)


def test_unfitted_classifier_has_no_names_either():
    with pytest.raises(NotFittedError):
        SemiSupervisedAAEClassifier().get_feature_names_out()


def test_early_stopping_needs_a_label_of_each_class_to_train_on(blobs):
    X, y = blobs
    few = hide(y, 20)
    few[np.flatnonzero(few == 0)[2:]] = -1
    with pytest.raises(ValueError, match="holds out all labeled rows of a class"):
        classifier(early_stopping=True, validation_fraction=0.8, pseudo_labels=False).fit(X, few)


def test_no_warnings_in_ordinary_use(blobs, few_labels):
    X, _ = blobs
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transformer(max_iter=20).fit(X).score(X)
        classifier(max_iter=60).fit(X, few_labels).predict_log_proba(X)


def clusterer(**params):
    return AAEClusterer(3, **{**FITS, **params})


def embedding(**params):
    return AAEEmbedding(n_clusters=3, **{**FITS, **params})


def test_a_warm_start_refuses_columns_in_another_order(blobs):
    table = pd.DataFrame(blobs[0], columns=list("abcdef"))
    model = transformer(max_iter=1, warm_start=True).fit(table)
    before = model.transform(table)
    with pytest.raises(ValueError, match="feature names should match"):
        model.fit(table[list("fedcba")])
    np.testing.assert_array_equal(model.transform(table), before)
    assert model.fit(table).n_iter_ == 2


def test_a_warm_start_goes_on_at_the_rates_of_one_long_run(blobs):
    X, _ = blobs
    often = transformer(max_iter=1, warm_start=True)
    for _ in range(6):
        often.fit(X)
    once = transformer(max_iter=6, learning_rate_schedule="constant").fit(X)
    assert often.score(X) == pytest.approx(once.score(X), rel=0.02)


def test_partial_fit_checks_parameters_too(blobs):
    model = transformer(max_iter=1).fit(blobs[0])
    before = model.transform(blobs[0])
    with pytest.raises(ValueError, match="'batch_size' parameter"):
        model.set_params(batch_size=0).partial_fit(blobs[0])
    model.set_params(batch_size=10, network=MLP())
    with pytest.raises(ValueError, match="'dropout' parameter of MLP"):
        model.set_params(network__dropout=2.0).partial_fit(blobs[0])
    np.testing.assert_array_equal(model.transform(blobs[0]), before)


def test_a_device_may_be_an_object_of_torch(blobs, device):
    given = transformer(max_iter=1, device=torch.device(device)).fit(blobs[0])
    named = transformer(max_iter=1).fit(blobs[0])
    np.testing.assert_array_equal(given.transform(blobs[0]), named.transform(blobs[0]))
    with pytest.raises(ValueError, match="device='meta' holds no data"):
        transformer(device=torch.device("meta")).fit(blobs[0])


@pytest.mark.parametrize(
    "change",
    [{"n_components": 3}, {"solver": "sgd"}, {"prior": "uniform"}, {"hidden_layer_sizes": (9,)}],
    ids=label,
)
def test_warm_start_refuses_changed_networks(blobs, change):
    X, _ = blobs
    model = transformer(max_iter=1, warm_start=True).fit(X)
    model.set_params(**change)
    (name,) = change
    with pytest.raises(ValueError, match=f"warm_start=True goes on with a model of {name}="):
        model.fit(X)
    model.set_params(max_iter=2, batch_size=50)
    model.set_params(**{name: getattr(transformer(), name) for name in change})
    assert model.fit(X).n_iter_ == 3


class Faulty(Prior):
    """A user's prior that draws what the test says."""

    def __init__(self, draw):
        self.draw = draw

    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        return self.draw(n_samples, n_components)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (Faulty(lambda n, d: torch.zeros(n, d + 1)), r"Faulty.*\(8, 3\) where \(8, 2\)"),
        (Faulty(lambda n, d: torch.full((n, d), torch.nan)), r"Faulty.*not a number"),
        (lambda n, rng: np.full((n, 2), np.nan), "lambda.*not a number"),
        (lambda n, rng: [["a", "b"]] * n, "drew no table of numbers"),
        (Faulty(lambda n, d: np.zeros((n, d))), "Faulty.*drew a ndarray.*float32 tensor"),
        (torch.distributions.Normal(0.0, 1.0), "function of.*Normal.*no random_state"),
        (scipy.stats.gaussian_kde(np.eye(2, 9)), "gaussian_kde.*cannot be drawn from"),
    ],
)
def test_faulty_priors_are_named_before_training(blobs, prior, message):
    with pytest.raises((TypeError, ValueError), match=message):
        transformer(prior=prior).fit(blobs[0])


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.5), (-0.5, 1.0)])
def test_cross_entropy_needs_rows_in_the_unit_interval(low, high):
    X = np.random.default_rng(0).uniform(low, high, size=(50, 4))
    params = {"reconstruction_loss": "binary_cross_entropy", "scaling": None, "max_iter": 1}
    with pytest.raises(ValueError, match=r"needs values in \[0, 1\] after scaling"):
        transformer(**params).fit(X)
    inside = (X - low) / (high - low)
    assert transformer(**params).fit(inside).n_iter_ == 1


def test_cross_entropy_stays_bounded_beyond_the_range_of_training(blobs):
    X = np.random.default_rng(0).random((200, 6))
    model = transformer(reconstruction_loss="binary_cross_entropy", max_iter=5).fit(X)
    assert model.score_samples(50 * X[:20]).max() <= 0
    with pytest.warns(UserWarning, match="only numbers from 0.0066 to 1"):
        model.partial_fit(50 * X)
    assert model.history_["reconstruction"][-1] > 0


def test_partial_fit_refuses_other_classes(blobs):
    X, y = blobs
    model = classifier().partial_fit(X, y, classes=[0, 1, 2])
    model.partial_fit(X, y, classes=[2, 1, 0, -1])
    with pytest.raises(ValueError, match="differ from those of the first call"):
        model.partial_fit(X, y, classes=[5, 6, 7])


def test_labels_of_another_type_are_refused_wherever_they_meet_classes(blobs, fitted_classifier):
    """Labels that are only unseen lower the score."""
    X, y = blobs
    text, refused = y.astype(str), "holds labels of type {}, such as .*, but the classes are of"
    quick = {"max_iter": 1, "hidden_layer_sizes": (4,), **FITS}
    supervised = SupervisedAAETransformer(2, **quick).fit(X, y)
    calls = [
        lambda: fitted_classifier.score(X, text),
        lambda: fitted_classifier.sample(3, "0"),
        lambda: fitted_classifier.inverse_transform(np.zeros((2, 10)), ["0", "1"]),
        lambda: diagnose(fitted_classifier, X, text),
        lambda: diagnose(fitted_classifier, X, y, X_val=X, y_val=text),
        lambda: supervised.score(X, text),
        lambda: supervised.restyle(X, "0"),
        lambda: supervised.partial_fit(X, text),
        lambda: explore(supervised, X, text),
        lambda: ReconstructionDisplay.from_estimator(supervised, X, text),
        lambda: SupervisedAAETransformer(**quick).fit(X, y, X_val=X, y_val=text),
        lambda: AAEEmbedding(use_labels=True, **quick).partial_fit(X, text, classes=[0, 1, 2]),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=refused.format("str")):
            call()
    named = classifier(max_iter=1, pseudo_labels=False).fit(X, np.where(y == 2, None, NAMES[y]))
    for labels in (y, pd.Series(y, dtype="Int64"), y.astype(float)):
        with pytest.raises(ValueError, match=refused.format("(int|float)")):
            named.score(X, labels)
    for clash in ({"y": y, "y_test": text}, {"y": text, "y_test": y}):
        with pytest.raises(ValueError, match=r"mixes labels of types \['int', 'str'\]"):
            LatentSpaceDisplay(X[:, :2], test_codes=X[:, :2], **clash).plot()
    assert fitted_classifier.score(X, y + 7) == 0.0
    assert named.score(X, np.where(y == 2, None, "wasp")) == 0.0
    assert fitted_classifier.score(X, y.astype(float)) == fitted_classifier.score(X, y) > 0.9


def test_partial_fit_says_to_name_the_classes(blobs):
    X, y = blobs
    one = np.zeros_like(y)
    quick = {"max_iter": 1, "hidden_layer_sizes": (4,), **FITS}
    makes = [
        lambda: SupervisedAAETransformer(**quick),
        lambda: AAETransformer(use_labels=True, prior="petals", **quick),
    ]
    for make in makes:
        with pytest.raises(ValueError, match=r"not one of the classes \[0\]; the .* classes=\["):
            make().partial_fit(X, one).partial_fit(X, y)
        with pytest.raises(ValueError, match=r"the classes \[0 1\]; name all .* in classes=\.$"):
            make().partial_fit(X, y, classes=[0, 1])
    for given in (one, one - 1):
        with pytest.raises(ValueError, match=r"(only one class, 0|no labeled).*as classes=\["):
            classifier().partial_fit(X, given)
    with pytest.raises(ValueError, match=r"at least two classes\.$"):
        classifier().fit(X, one)


@pytest.mark.parametrize(
    ("cls", "params", "remedy"),
    [
        (AAETransformer, {"solver": Adam}, "solver=Adam"),
        (AAETransformer, {"network": MLP}, "network=MLP"),
        (AAETransformer, {"categorical_features": Categories}, "categorical_features=Categories"),
        (AAETransformer, {"checkpoint": Checkpoint}, "checkpoint=Checkpoint"),
        (AAEClusterer, {"virtual_adversarial": VirtualAdversarial}, "=VirtualAdversarial"),
        (SemiSupervisedAAEClassifier, {"pseudo_labels": GaussianNB}, "pseudo_labels=GaussianNB"),
    ],
    ids=label,
)
def test_a_class_in_place_of_an_object_is_named(blobs, cls, params, remedy):
    with pytest.raises(ValueError, match=rf" is a class; give an object .*{remedy}\(\)\.$"):
        cls(max_iter=1, **params).fit(*blobs)


@pytest.mark.parametrize("draw", [np.random.normal, np.random.standard_normal, lambda n: n])
def test_a_function_that_is_no_prior_is_told_its_signature(blobs, draw):
    wanted = r"^prior must be a function of \(n_samples, rng\).* shape \(n_samples, 2\)"
    with pytest.raises(TypeError, match=wanted + r".* from: .*[^.]\. Such .*size=\(n, 2\)"):
        transformer(prior=draw).fit(blobs[0])


@pytest.mark.parametrize("path", ["w.npy", Path("w.parquet")])
def test_a_path_in_place_of_a_table_is_told_what_opens_it(blobs, fitted_transformer, path):
    remedy = r'is the path .*np\.load\(path, mmap_mode="r"\).*pyarrow\.dataset\.dataset\(path\)'
    for call in (OutOfCore, transformer().fit, fitted_transformer.transform):
        with pytest.raises(ValueError, match=remedy):
            call(path)


def test_displays_say_what_the_estimator_lacks(blobs):
    X, y = blobs
    supervised = SupervisedAAETransformer(max_iter=1, **FITS).fit(X, y)
    for display in (ReconstructionDisplay, DiagnosisDisplay):
        with pytest.raises(ValueError, match="; pass y, the class of each row of X"):
            display.from_estimator(supervised, X)
    with pytest.raises(TypeError, match="SupervisedAAETransformer has no cluster_heads_; give an"):
        ClusterHeadsDisplay.from_estimator(supervised, X)


@pytest.mark.parametrize("marker", [[-1, 5], np.array([-1, 5])], ids=type)
def test_the_marker_must_be_one_value(blobs, few_labels, marker):
    with pytest.raises(ValueError, match=r"unlabeled_label=.*\[-1, +5\].* must be"):
        classifier(unlabeled_label=marker).fit(blobs[0], few_labels)


@pytest.mark.parametrize("how", ["partial_fit", "warm_start"])
def test_a_value_that_is_changed_in_place_is_noticed(blobs, few_labels, how):
    X, proportions, sizes = blobs[0], {0: 0.2, 1: 0.3, 2: 0.5}, [16, 16]
    inner = [8]
    network = MLP(discriminator_hidden_layer_sizes=inner)
    params = {"class_prior": proportions, "hidden_layer_sizes": sizes, "network": network}
    params["max_iter"] = 2
    model = classifier(**params, warm_start=how == "warm_start")
    fit = model.partial_fit if how == "partial_fit" else model.fit
    fit(X, few_labels)
    fit(X, few_labels)
    sizes[0] = 32
    with pytest.raises(ValueError, match=r"a model of hidden_layer_sizes=\[16, 16\], but"):
        fit(X, few_labels)
    sizes[0] = 16
    inner[0] = 9
    with pytest.raises(ValueError, match="a model of network=MLP"):
        fit(X, few_labels)
    inner[0] = 8
    model.set_params(class_prior={2: 0.5, 1: 0.3, 0: 0.2})  # the same in another order
    fit(X, few_labels)
    model.set_params(class_prior=proportions)
    proportions.update({0: 0.5, 2: 0.2})
    with pytest.raises(ValueError, match=r"a model of class_prior=\{0: 0.2, 1: 0.3, 2: 0.5\}, but"):
        fit(X, few_labels)
