"""What "auto" means for many images, which choices of a user change it, and fits too short."""

import numpy as np
import pytest
import scipy.sparse as sp
from conftest import FITS, hide
from sklearn.exceptions import ConvergenceWarning

from skaae import MLP, SGD, AAEClusterer, AAETransformer, Adam, SemiSupervisedAAEClassifier


@pytest.fixture(scope="module")
def images(digits):
    """5391 images of 6 x 6 pixels with 50 labels."""
    X, y = digits
    X = X.reshape(-1, 8, 8)[:, 1:7, 1:7].reshape(-1, 36)
    return np.tile(X, (3, 1)), np.concatenate([hide(y, 5), np.full(2 * len(y), -1)])


SMALL = {"max_iter": 1, "hidden_layer_sizes": (8,)}


def fitted(images, **params):
    return SemiSupervisedAAEClassifier(**{**SMALL, **FITS, **params}).fit(*images)


def test_many_images_with_few_labels_have_components(images):
    """The values are those of the recipe for MNIST (docs/systems/semi_supervised.md)."""
    model = fitted(images)
    settings = model._settings
    assert settings.components_per_class == 5
    assert settings.solver == "adam"
    assert settings.average
    assert settings.architecture.batch_norm == "hidden"
    assert settings.architecture.weight_init == 0.003
    assert settings.rates["virtual_adversarial"].learning_rate == 0.002
    assert settings.radius == pytest.approx(0.24 * np.sqrt(model._table.total_variance(images[0])))
    assert settings.schedule.stages[0].name == "find components"
    assert settings.schedule.teacher is None
    assert not settings.schedule.pseudo_labels_at
    recipe = model._recipe
    assert (recipe.batch_size, recipe.n_steps, recipe.schedule) == (250, 7200, "cosine")
    assert model.predict_proba(images[0][:3]).shape == (3, 10)


@pytest.mark.parametrize(
    "params",
    [
        {"components_per_class": 1},
        {"pseudo_labels": False},
        {"virtual_adversarial": None},
        {"network": "conv"},
        {"scaling": "standard"},
        {"solver": "sgd"},
    ],
)
def test_a_users_choice_leaves_the_recipe(images, params):
    model = fitted(images, **params)
    assert model._settings.components_per_class == 1
    assert model._settings.solver == "sgd"


def test_single_values_of_the_recipe_can_be_changed(images):
    solver = Adam(classification_learning_rate=0.0005)
    model = fitted(images, solver=solver, network=MLP(weight_init=0.01), batch_size=500)
    assert model._settings.components_per_class == 5
    assert model._settings.rates["classification"].learning_rate == 0.0005
    assert model._settings.architecture.weight_init == 0.01


def test_few_rows_many_labels_sparse_rows_and_partial_fit_have_no_components(images, digits):
    X, y = images
    for model in (
        fitted((X[:4999], y[:4999])),
        fitted((X, np.where(np.arange(len(X)) < 2001, np.tile(digits[1], 3), -1))),
        fitted((sp.csr_array(X), y)),
        SemiSupervisedAAEClassifier(**SMALL, **FITS).partial_fit(X, y),
    ):
        assert model._settings.components_per_class == 1


def test_nested_parameters_of_an_automatic_solver_are_those_of_sgd():
    model = SemiSupervisedAAEClassifier().set_params(solver__momentum=0.5)
    assert model.solver == SGD(momentum=0.5)


def clustered(images, n_clusters=10, **params):
    return AAEClusterer(n_clusters, **{**SMALL, **FITS, **params}).fit(images[0])


def test_many_images_have_small_clusters_that_are_merged(images):
    """The values are those of the recipe for MNIST (docs/systems/clusterer.md)."""
    model = clustered(images)
    settings = model._settings
    assert settings.label_size == 60
    assert settings.solver == "adam"
    assert settings.average
    assert settings.input_noise == 0.3
    assert settings.radius == pytest.approx(0.24 * np.sqrt(model._table.total_variance(images[0])))
    assert settings.schedule.stages[0].name == "find clusters"
    assert settings.schedule.teacher is None
    assert (model._recipe.batch_size, model._recipe.schedule) == (250, "constant")
    assert model.n_clusters_ <= 10
    assert model.merge(images[0], 4).n_clusters_ <= 4


@pytest.mark.parametrize(
    "params",
    [
        {"overclustering": None},
        {"init": "k-means"},
        {"virtual_adversarial": None},
        {"solver": "sgd"},
        {"n_clusters": 21},
        {"scaling": "standard"},
    ],
)
def test_a_users_choice_of_clusters_leaves_the_recipe(images, params):
    model = clustered(images, **params)
    assert model._settings.label_size == params.get("n_clusters", 10)
    assert model._settings.solver == "sgd"
    assert model._settings.input_noise == 0.1
    assert model._settings.schedule.teacher is not None


def test_a_warm_start_of_small_clusters_goes_on_with_any_number_of_rows(images):
    model = clustered(images, warm_start=True)
    model.fit(images[0][:500])
    assert model.n_iter_ == 2
    assert model._settings.label_size == 60
    assert len(model.partial_fit(images[0][:500]).labels_) == 500


def test_too_few_epochs_warn_at_the_line_of_the_user(blobs, few_labels):
    X, _ = blobs
    for fit in (
        lambda: AAETransformer(max_iter=9, **FITS).fit(X),
        lambda: SemiSupervisedAAEClassifier(max_iter=2, **FITS).fit(X, few_labels),
    ):
        with pytest.warns(
            ConvergenceWarning, match=r"max_iter=.* is too small.* 180 rows"
        ) as found:
            fit()
        assert [warning.filename for warning in found] == [__file__]


def test_enough_epochs_and_single_ones_do_not_warn(blobs, few_labels, recwarn):
    X, _ = blobs
    AAETransformer(max_iter=20, **FITS).fit(X)
    AAETransformer(max_iter=2, **FITS).partial_fit(X)
    SemiSupervisedAAEClassifier(max_iter=60, **FITS).fit(X, few_labels)
    AAETransformer(max_iter=2, warm_start=True, **FITS).fit(X)
    assert not list(recwarn)


def test_a_warning_finds_no_user_where_there_is_none(blobs):
    model = AAETransformer(max_iter=2, **FITS)
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        exec("model.fit(X)", {"model": model, "X": blobs[0]})
    assert model.n_iter_ == 2


def test_tables_of_flags_are_not_many_images(images):
    X = (images[0] > 8).astype(float)
    model = clustered((X,))
    assert model.scaling_ == "range"
    assert model._settings.label_size == 10
    model = fitted((X, images[1]))
    assert model._settings.components_per_class == 1
    grey = X.copy()
    grey[-1, 0] = 0.5
    assert clustered((grey,))._settings.label_size == 60


def test_a_warm_start_that_grows_keeps_its_kind_of_clusters(images):
    model = clustered((images[0][:600],), warm_start=True)
    kind = model._settings.schedule.teacher
    assert kind is not None
    model.fit(images[0])
    assert model._settings.schedule.teacher == kind
    assert np.isfinite(model.history_["classification"]).all()
