"""What "auto" means for many images with few labels, and that a user's own values come first."""

import numpy as np
import pytest
import scipy.sparse as sp
from conftest import FITS, hide

from skaae import MLP, SGD, Adam, SemiSupervisedAAEClassifier


@pytest.fixture(scope="module")
def images(digits):
    """5391 images with 50 labels."""
    X, y = digits
    return np.tile(X, (3, 1)), np.concatenate([hide(y, 5), np.full(2 * len(y), -1)])


def fitted(images, **params):
    return SemiSupervisedAAEClassifier(max_iter=1, **{**FITS, **params}).fit(*images)


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
    assert settings.radius == pytest.approx(0.24 * np.sqrt(model._table.spread(images[0])))
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
        SemiSupervisedAAEClassifier(**FITS).partial_fit(X, y),
    ):
        assert model._settings.components_per_class == 1


def test_nested_parameters_of_an_automatic_solver_are_those_of_sgd():
    model = SemiSupervisedAAEClassifier().set_params(solver__momentum=0.5)
    assert model.solver == SGD(momentum=0.5)
