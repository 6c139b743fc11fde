"""weight_init="pca": untrained codes are principal components."""

import numpy as np
import pandas as pd
import pytest
from conftest import transformer
from scipy.sparse import csr_array
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skaae import MLP, AAETransformer, Conv
from skaae.columns.network_rows import NetworkRows
from skaae.networks.initial_weights import principal_components


def untrained(X, n_components=3, **params):
    """Return a transformer of rows with the weights that training starts from."""
    model = transformer(n_components=n_components, **params, max_iter=1)
    with pytest.warns(UserWarning, match="max_iter=1 is too small"):
        model.fit(X)
    rows = model._network_rows(X)
    model._step = model._settings.initialize(NetworkRows(rows.rows, model._table))
    return model


def likeness(model, X):
    """Return how each code is correlated with its component, and how the errors compare."""
    scaled = StandardScaler().fit_transform(X)
    pca = PCA(model.n_components).fit(scaled)
    codes = model.transform(X)
    both = np.corrcoef(codes.T, pca.transform(scaled).T)
    n = model.n_components
    found = StandardScaler().fit(X).transform(model.reconstruct(X))
    of_pca = pca.inverse_transform(pca.transform(scaled))
    errors = (np.square(rows - scaled).mean() for rows in (found, of_pca))
    return np.abs(both[:n, n:].diagonal()), np.divide(*errors)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"posterior": "gaussian"},
        {"posterior": "universal"},
        {"regularizer": None},
        {"solver": "sgd", "weight_init": "pca"},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (7, 9, 6)},
        {"activation": "leaky_relu"},
        {"activation": "gelu"},
        {"activation": "silu"},
        {"activation": "identity"},
        {"batch_norm": "autoencoder"},
    ],
    ids=str,
)
def test_codes_and_reconstructions_start_as_those_of_components(params):
    X, _ = load_wine(return_X_y=True)
    alike, ratio = likeness(untrained(X, **params), X)
    np.testing.assert_allclose(alike, 1.0, atol=0.001)
    assert ratio == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("activation", ["tanh", "elu", "logistic"])
def test_activations_that_bend_start_near_the_components(activation):
    X, _ = load_wine(return_X_y=True)
    alike, ratio = likeness(untrained(X, activation=activation), X)
    assert alike.min() > 0.85
    assert ratio < 1.4


def test_codes_start_with_the_mean_and_deviation_of_another_prior():
    X, _ = load_wine(return_X_y=True)

    def far_away(n, rng):
        return rng.normal(size=(n, 3)) * 4.0 + 7.0

    model = untrained(X, prior=far_away)
    codes = model.transform(X)
    np.testing.assert_allclose(codes.mean(axis=0), 7.0, atol=0.4)
    np.testing.assert_allclose(codes.std(axis=0), 4.0, atol=0.4)
    assert likeness(model, X)[1] == pytest.approx(1.0, abs=0.06)


def test_layers_with_few_units_pass_on_the_first_components():
    X, _ = load_wine(return_X_y=True)
    alike, _ = likeness(untrained(X, hidden_layer_sizes=(5,)), X)
    np.testing.assert_allclose(alike[:2], 1.0, atol=0.001)
    assert alike[2] < 0.99


def test_images_start_near_their_components(digits):
    X = digits[0][:500]
    model = untrained(X, n_components=10)
    assert model.scaling_ == "range"
    pca = PCA(10).fit(X)
    errors = [
        np.square(found - X).mean()
        for found in (model.reconstruct(X), pca.inverse_transform(pca.transform(X)), X.mean(axis=0))
    ]
    assert errors[0] < 0.5 * (errors[1] + errors[2])  # a sigmoid bends large values


def test_numbers_of_mixed_tables_start_from_components():
    X, y = load_wine(return_X_y=True)
    frame = pd.DataFrame(X).rename(columns=str)
    frame["kind"] = pd.Categorical(y)
    frame.iloc[::9, 0] = np.nan
    model = untrained(frame, n_components=2, scaling="standard")
    error = np.square(
        StandardScaler().fit_transform(X)
        - (StandardScaler().fit(X).transform(model.reconstruct(frame).iloc[:, :13].to_numpy(float)))
    ).mean()
    assert error < 0.6


def test_rows_that_vary_in_few_directions_have_few_components():
    x = np.random.default_rng(0).normal(size=(50, 1))
    found = principal_components(x @ np.ones((1, 5)), 3)
    assert len(found) == 1
    np.testing.assert_allclose(np.abs(found.directions), 1.0 / np.sqrt(5.0))
    assert len(principal_components(np.ones((9, 4)), 3)) == 0
    assert len(principal_components(x[:2] @ np.ones((1, 5)), 3)) == 1


@pytest.mark.parametrize("shape", [(520, 600), (600, 520), (30, 50)])
def test_components_are_those_of_scikit_learn(shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(shape[0], 4)) * [5.0, 3.0, 2.0, 1.0] @ rng.normal(size=(4, shape[1])) + 3.0
    x += 0.1 * rng.normal(size=shape)
    found, pca = principal_components(x, 4), PCA(4).fit(x)
    np.testing.assert_allclose(found.mean, pca.mean_)
    alike = np.abs((found.directions * pca.components_).sum(axis=1))
    np.testing.assert_allclose(alike, 1.0, atol=1e-6)
    deviations = np.sqrt(pca.explained_variance_ * (1.0 - 1.0 / len(x)))
    np.testing.assert_allclose(found.deviations, deviations, rtol=1e-6)
    again = principal_components(x, 4)
    np.testing.assert_array_equal(again.directions, found.directions)


def test_sparse_rows_start_from_components_too():
    X = csr_array(np.random.default_rng(0).poisson(0.3, size=(80, 12)).astype(float))
    codes = untrained(X).transform(X)
    np.testing.assert_allclose(np.cov(codes.T), np.eye(3), atol=0.1)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 123.456])
@pytest.mark.parametrize("shape", [(30, 4), (4, 30), (520, 510)])
def test_one_value_in_all_rows_has_no_components(shape, value):
    assert len(principal_components(np.full(shape, value), 3)) == 0


def test_one_value_in_all_rows_trains():
    X = np.full((30, 4), 0.1)
    model = transformer(max_iter=100, scaling=None)
    with pytest.warns(ConvergenceWarning, match="All rows have the same code"):
        model.fit(X)
    np.testing.assert_allclose(model.reconstruct(X), 0.1, atol=0.1)
    assert np.abs(model.transform(X + 0.001)).max() < 1e5  # normalized layers divide by 0.003


def test_rows_that_are_a_little_off_have_no_extreme_codes():
    """Of two columns that are nearly the same, one is moved by a tenth of its deviation."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    X = np.column_stack([x[:, 0], x[:, 0] + 0.004 * rng.normal(size=300), x[:, 1]])
    off = np.array([0.1, 0.0, 0.0])
    codes = untrained(X).transform(X + off)
    assert np.abs(codes).max() < 6.0


def spectra(seed):
    """Return rows of four peaks of random heights over 200 wavelengths, and the highest peak."""
    rng = np.random.default_rng(seed)
    places, y = np.linspace(0.0, 1.0, 200), rng.integers(4, size=300)
    peaks = np.exp(-0.5 * ((places - np.array([[0.2], [0.4], [0.6], [0.8]])) / 0.03) ** 2)
    heights = 0.5 + 0.3 * rng.random((300, 4)) + 0.25 * np.eye(4)[y]
    X = rng.uniform(0.7, 1.3, size=(300, 1)) * (heights @ peaks)
    X += 0.5 * rng.normal(size=(300, 1)) + 0.5 * rng.normal(size=(300, 1)) * places
    return X + 0.02 * rng.normal(size=X.shape), y


@pytest.mark.parametrize(
    ("weight_init", "least", "most"), [("auto", 0.9, 1.0), ("uniform", 0.0, 0.75)]
)
def test_directions_in_which_spectra_differ_little_are_kept(weight_init, least, most):
    """Measured: 0.98, and 0.46 from random weights."""
    X, y = spectra(0)
    network = MLP(weight_init=weight_init)
    aae = AAETransformer(10, network=network, random_state=0).fit(X[:200])
    judge = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    judge.fit(aae.transform(X[:200]), y[:200])
    assert least <= judge.score(aae.transform(X[200:]), y[200:]) <= most


@pytest.mark.parametrize(
    ("X", "network"),
    [
        (np.eye(16), Conv(weight_init="pca")),
        (np.eye(16), MLP(weight_init="pca", decoder=nn.Linear)),
    ],
    ids=["convolutions", "own decoder"],
)
def test_where_it_is_not_possible_there_is_an_error(X, network):
    with pytest.raises(ValueError, match="weight_init='pca' needs network=MLP"):
        transformer(network=network).fit(X)


@pytest.mark.parametrize(
    ("params", "n_epochs"),
    [
        ({}, 100),
        ({"regularizer": None}, 100),
        ({"network": MLP(weight_init="uniform")}, 200),
        ({"network": MLP(encoder=nn.Linear)}, 200),
        ({"prior": "petals", "use_labels": True}, 200),
    ],
    ids=["components", "no prior", "random weights", "own encoder", "codes of classes"],
)
def test_a_start_from_components_needs_half_of_the_epochs(params, n_epochs):
    X, y = load_wine(return_X_y=True)
    assert AAETransformer(random_state=0, **params).fit(X[::6], y[::6]).n_iter_ == n_epochs
