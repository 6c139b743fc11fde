"""Input scaling: raw data of every kind works, and comes back in its own units."""

import tracemalloc

import numpy as np
import pytest
from conftest import transformer
from sklearn.datasets import load_breast_cancer, load_iris

from skaae.columns.scaling import BLOCK_SIZE, fit_scaling, looks_like_pixels

RNG = np.random.default_rng(0)
TABLES = {
    "N(100, 1)": RNG.normal(100, 1, size=(200, 5)),
    "unlike units": RNG.normal(size=(200, 5)) * [1e-6, 1e-3, 1, 1e3, 1e6],
    "with a constant": np.column_stack([RNG.normal(size=(200, 4)), np.full(200, 7.0)]),
    "iris": load_iris().data,
    "cancer": load_breast_cancer().data,
    "ages and counts": np.column_stack([RNG.integers(18, 90, 200), RNG.poisson(1, (200, 4))]),
}
PIXELS = {
    "[0, 1]": RNG.integers(0, 256, size=(200, 16)) / 255.0,
    "[0, 255]": RNG.integers(0, 256, size=(200, 16)).astype(float),
    "with a dark border": RNG.integers(0, 17, size=(200, 16)) * (np.arange(16) > 5),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_standardised(name):
    X = TABLES[name].astype(float)
    scaled = fit_scaling(X, "auto").transform(X)
    constant = X.std(axis=0) == 0
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=0), ~constant, atol=1e-6)


@pytest.mark.parametrize("name", PIXELS)
def test_pixels_share_one_range(name):
    X = PIXELS[name].astype(float)
    scaled = fit_scaling(X, "auto").transform(X)
    assert looks_like_pixels(X)
    np.testing.assert_allclose(scaled, X / X.max())


def test_digits_are_pixels(digits):
    assert looks_like_pixels(digits[0])


def test_pixels_in_the_unit_interval_stay_as_they_are():
    X = PIXELS["[0, 1]"] * 0.9
    np.testing.assert_array_equal(fit_scaling(X, "auto").transform(X), X)


@pytest.mark.parametrize("kind", ["auto", "standard", "range", None])
@pytest.mark.parametrize("name", [*TABLES, *PIXELS])
def test_inverse(name, kind):
    X = {**TABLES, **PIXELS}[name].astype(float)
    scaling = fit_scaling(X, kind)
    np.testing.assert_allclose(scaling.inverse_transform(scaling.transform(X)), X, atol=1e-9)


def test_none_changes_nothing():
    X = TABLES["iris"]
    np.testing.assert_array_equal(fit_scaling(X, None).transform(X), X)


def test_the_cross_entropy_gets_its_unit_interval():
    X = TABLES["unlike units"]
    scaled = fit_scaling(X, "auto", bounded=True).transform(X)
    assert (scaled.min(), scaled.max()) == (0.0, 1.0)


def test_scaling_copies_a_float32_table_once():
    X = RNG.random((200_000, 50)).astype(np.float32)
    scaling = fit_scaling(X, "standard")
    tracemalloc.start()
    scaled = scaling.transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert scaled.dtype == np.float32
    assert peak < X.nbytes + 4 * 8 * BLOCK_SIZE


def test_constant_columns_in_float32_are_not_blown_up():
    X = np.full((100, 3), 123.456, dtype=np.float32)
    assert np.abs(fit_scaling(X, "standard").transform(X)).max() < 1e-2


@pytest.mark.parametrize("name", [*TABLES, *PIXELS])
def test_every_kind_of_raw_data_trains(name):
    X = {**TABLES, **PIXELS}[name].astype(float)
    model = transformer(max_iter=150).fit(X)
    spread = X.std(axis=0)
    error = np.sqrt(((X - model.reconstruct(X)) ** 2).mean(axis=0))
    known = spread > 0
    assert np.mean(error[known] / spread[known]) < 1.0  # better than the column means
    constant = model.reconstruct(X)[:, ~known] - X[:, ~known]
    assert not constant.size or np.abs(constant).mean() < 1.0


def test_the_same_data_in_other_units_gives_the_same_codes():
    X = TABLES["iris"]
    celsius = transformer(max_iter=5).fit_transform(X)
    fahrenheit = transformer(max_iter=5).fit_transform(X * 1.8 + 32)
    np.testing.assert_allclose(celsius, fahrenheit, atol=1e-3)
