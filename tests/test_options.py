"""Parameter objects: what scikit-learn asks of them, alone and inside of an estimator."""

import functools
import pickle

import numpy as np
import pytest
import torch
from conftest import FITS, transformer
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skaae import (
    MLP,
    SGD,
    AAEClusterer,
    AAEEmbedding,
    AAETransformer,
    Adam,
    Conv,
    SemiSupervisedAAEClassifier,
    VirtualAdversarial,
)

OPTIONS = [
    MLP(dropout=0.2),
    Conv(image_shape=(8, 8)),
    SGD(momentum=0.5),
    Adam(average_weights=True),
    VirtualAdversarial(radius=0.3),
]


@pytest.mark.parametrize("options", OPTIONS, ids=repr)
def test_they_are_cloned_compared_and_printed_by_their_parameters(options):
    again = clone(options)
    assert again is not options
    assert again == options
    assert hash(again) == hash(options)
    assert eval(repr(options), globals()) == options
    assert type(options)() != options
    assert options != "mlp"
    name = next(iter(options.get_params()))
    with pytest.raises(ValueError, match=f"Invalid parameter 'no_such_{name}'"):
        options.set_params(**{f"no_such_{name}": 1})


@pytest.mark.parametrize("kind", [MLP, Conv, SGD, Adam, VirtualAdversarial])
def test_their_parameters_have_to_be_named(kind):
    with pytest.raises(TypeError, match="positional argument"):
        kind(0.1)


def test_objects_of_two_kinds_differ():
    assert MLP() != Conv()
    assert SGD() != Adam()


def test_a_clone_of_an_estimator_shares_no_object():
    model = AAETransformer(network=MLP(dropout=0.1), solver=Adam())
    again = clone(model)
    again.set_params(network__dropout=0.3)
    assert model.network.dropout == 0.1
    assert again.get_params()["network__dropout"] == 0.3


def test_a_grid_search_reaches_into_objects_and_short_forms(blobs):
    X, _ = blobs
    grid = {"network__dropout": [0.0, 0.5], "solver__adversarial_learning_rate": [0.001]}
    for network in ("mlp", MLP(activation="elu")):
        model = AAETransformer(network=network, max_iter=2, **FITS)
        search = GridSearchCV(model, grid, cv=2).fit(X)
        assert search.best_estimator_.network.dropout in (0.0, 0.5)
        assert search.best_estimator_.solver == Adam(adversarial_learning_rate=0.001)
        assert model.network is network


def test_a_string_and_its_parameter_may_be_set_in_one_call():
    model = AAETransformer().set_params(network="conv", network__image_shape=(2, 3))
    assert model.network == Conv(image_shape=(2, 3))
    classifier = SemiSupervisedAAEClassifier().set_params(virtual_adversarial__radius=0.5)
    assert classifier.virtual_adversarial == VirtualAdversarial(radius=0.5)
    with pytest.raises(ValueError, match="Invalid parameter 'momentum' for estimator Adam"):
        AAETransformer().set_params(solver__momentum=0.5)


def test_details_of_the_solver_keep_the_algorithm_of_a_map():
    embedding = AAEEmbedding().set_params(solver__beta_1=0.8)
    assert embedding.solver == Adam(beta_1=0.8)
    assert AAEEmbedding(n_clusters=3).set_params(solver__momentum=0.5).solver == SGD(momentum=0.5)
    assert AAEClusterer().set_params(solver__momentum=0.5).solver == SGD(momentum=0.5)
    both = {"solver__momentum": 0.5, "n_clusters": 3}
    assert AAEEmbedding().set_params(**both).solver == SGD(momentum=0.5)
    mended = AAEEmbedding(n_neighbors=5, n_clusters=3)
    assert mended.set_params(n_neighbors=None, solver__momentum=0.5).solver == SGD(momentum=0.5)


def test_a_parameter_without_its_own_parameters_is_named():
    with pytest.raises(
        ValueError,
        match=r"'virtual_adversarial__radius' cannot be set, because virtual_adversarial=None .*"
        r"set virtual_adversarial=VirtualAdversarial\(\) first",
    ):
        AAEClusterer(virtual_adversarial=None).set_params(virtual_adversarial__radius=0.5)
    with pytest.raises(ValueError, match=r"because checkpoint=None .* set checkpoint=Checkpoint"):
        AAETransformer().set_params(checkpoint__minutes=1.0)
    with pytest.raises(ValueError, match=r"because prior='gaussian' .* set prior itself"):
        AAETransformer().set_params(prior__scale=2.0)
    with pytest.raises(ValueError, match="Invalid parameter 'scaler'"):
        AAETransformer().set_params(scaler__with_mean=False)


def test_a_string_stands_for_the_object_with_its_defaults(blobs):
    X, _ = blobs
    by_name = transformer(max_iter=2, network="mlp", solver="sgd").fit(X)
    by_object = transformer(max_iter=2, network=MLP(), solver=SGD()).fit(X)
    np.testing.assert_array_equal(by_name.transform(X), by_object.transform(X))
    by_object.set_params(network="mlp", solver="sgd").partial_fit(X)  # the same model


def test_what_a_fit_has_read_is_not_changed_by_later_changes(blobs):
    X, _ = blobs
    model = transformer(network=MLP(dropout=0.1), max_iter=1, warm_start=True).fit(X)
    model.network.dropout = 0.4
    with pytest.raises(ValueError, match=r"model of network=MLP\(dropout=0.1\), but .*dropout=0.4"):
        model.fit(X)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"network": MLP(dropout=1.5)}, "'dropout' parameter of MLP"),
        ({"network": Conv(batch_norm="all")}, "'batch_norm' parameter of Conv"),
        ({"solver": SGD(momentum=1.0)}, "'momentum' parameter of SGD"),
        ({"solver": Adam(updates="both")}, "'updates' parameter of Adam"),
        ({"network": "cnn"}, "'network' parameter of AAETransformer"),
        ({"solver": MLP()}, "'solver' parameter of AAETransformer"),
    ],
    ids=str,
)
def test_wrong_values_are_named_with_their_object(blobs, params, message):
    with pytest.raises(ValueError, match=message):
        AAETransformer(**params).fit(blobs[0])


class Factory:
    """A factory that is an object: a copy of it would not be equal to it."""

    def __call__(self, n_inputs, n_outputs):
        return torch.nn.Linear(n_inputs, n_outputs)


def make_linear(width, n_inputs, n_outputs):
    return torch.nn.Linear(n_inputs, n_outputs)


@pytest.mark.parametrize("factory", [Factory(), functools.partial(make_linear, 3)], ids=type)
def test_a_model_goes_on_with_factories_of_any_kind(blobs, factory):
    X, _ = blobs
    model = transformer(network=MLP(encoder=factory)).partial_fit(X).partial_fit(X)
    assert model.n_iter_ == 2
    assert pickle.loads(pickle.dumps(model)).partial_fit(X).n_iter_ == 3


def test_a_model_goes_on_where_a_string_became_its_object(blobs, few_labels):
    model = SemiSupervisedAAEClassifier(max_iter=1, **FITS).fit(blobs[0], few_labels)
    model.set_params(virtual_adversarial__radius="auto", network__dropout=0.0)
    assert model.partial_fit(blobs[0], few_labels).n_iter_ == 2


def test_rates_may_fall_by_another_schedule_from_fit_to_fit(blobs):
    model = transformer(max_iter=1, solver="adam", warm_start=True).fit(blobs[0])
    model.set_params(solver__learning_rate_schedule="constant")
    assert model.fit(blobs[0]).n_iter_ == 2
    with pytest.raises(ValueError, match=r"goes on with a model of solver=.*reconstruction"):
        model.set_params(solver__reconstruction_learning_rate=0.5).fit(blobs[0])


def test_an_unknown_name_is_refused_as_scikit_learn_does():
    with pytest.raises(ValueError, match="Invalid parameter 'virtual_adversarial'"):
        AAETransformer().set_params(virtual_adversarial__radius=1.0)
