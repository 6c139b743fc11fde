"""Tables: columns of every kind, gaps and sparse rows in; the same kind of rows out."""

import datetime
import io
import pickle
import tempfile
import tracemalloc
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from conftest import make
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import skaae
from skaae import (
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    AAETransformer,
    Categories,
    SemiSupervisedAAEClassifier,
    SupervisedAAETransformer,
    inference,
)
from skaae.columns.categories import fit_categories
from skaae.columns.fit import fit_table
from skaae.columns.gaps import without_chance_gaps
from skaae.columns.layout import Layout
from skaae.columns.limits import limits_of
from skaae.columns.schema import describe
from skaae.displays import ReconstructionDisplay
from skaae.training.losses import categorical_cross_entropy
from skaae.training.reconstruction import HIDDEN, Reconstruction

N_ROWS = 120
OTHERS = [
    AAEClusterer(3, max_iter=2, random_state=0),
    AAEEmbedding(n_clusters=3, max_iter=2, random_state=0),
    AAEOutlierDetector(max_iter=6, random_state=0),
    SemiSupervisedAAEClassifier(max_iter=2, random_state=0),
    SupervisedAAETransformer(max_iter=2, random_state=0),
]


def people(gaps=True):
    """Return a frame with columns of every kind that depend on each other."""
    rng = np.random.default_rng(0)
    age = rng.integers(18, 90, N_ROWS)
    frame = pd.DataFrame(
        {
            "age": age,
            "income": np.exp(rng.normal(8.0 + age / 50.0, 0.3)),
            "owner": rng.random(N_ROWS) < age / 100.0,
            "city": np.where(age < 40, "young town", rng.choice(["old town", "hill"], N_ROWS)),
            "grade": pd.Categorical(rng.choice(list("abc"), N_ROWS), categories=list("abcd")),
            "visits": rng.integers(0, 2, N_ROWS),
            "since": 1_600_000_000 + rng.integers(0, 10**8, N_ROWS),
            "share": rng.random(N_ROWS).astype(np.float32),
        }
    )
    if gaps:
        frame.loc[::7, "income"] = np.nan
        frame.loc[::9, "city"] = None
        frame.loc[::11, "grade"] = np.nan
    return frame


def in_polars(frame):
    """Return a pandas frame as one of polars."""
    columns = {}
    for name, series in frame.items():
        values = [None if pd.isna(value) else value for value in series.tolist()]
        columns[name] = pl.Series(name, values)
    found = pl.DataFrame(columns)
    return found.with_columns(
        pl.col("grade").cast(pl.Categorical), pl.col("share").cast(pl.Float32)
    )


FRAMES = {"pandas": people(), "polars": in_polars(people())}
FEW = np.where(np.arange(N_ROWS) % 3, -1, people()["age"] > 50)


def fitted(frame, **params):
    return AAETransformer(**{"n_components": 4, "max_iter": 3, "random_state": 0, **params}).fit(
        frame
    )


def require_same_columns(found, frame):
    assert list(found.columns) == list(frame.columns)
    assert list(found.dtypes) == list(frame.dtypes)


def values_of(frame, name):
    return set(pd.Series(list(frame[name])).dropna().tolist())


# Rows out ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", FRAMES)
def test_rows_come_back_as_a_frame_like_that_of_the_fit(library):
    frame = FRAMES[library]
    aae = fitted(frame)
    for found in (
        aae.sample(50, random_state=0),
        aae.reconstruct(frame),
        aae.inverse_transform(aae.transform(frame)),
        aae.impute(frame),
    ):
        require_same_columns(found, frame)
        assert values_of(found, "city") <= {"young town", "old town", "hill"}
        assert values_of(found, "grade") <= set("abc")
        assert values_of(found, "visits") <= {0, 1}
        assert values_of(found, "owner") <= {True, False}


@pytest.mark.parametrize("estimator", OTHERS, ids=lambda estimator: type(estimator).__name__)
def test_every_estimator_takes_and_returns_frames(estimator):
    frame, y = people(), people()["grade"].cat.codes.to_numpy() > 0
    estimator.fit(frame, FEW if isinstance(estimator, SemiSupervisedAAEClassifier) else y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # about names that are missing
        found = estimator.sample(10, random_state=0)
        require_same_columns(found, frame)
        codes = estimator.transform(found)
        require_same_columns(estimator.inverse_transform(codes), frame)
        if hasattr(estimator, "predict"):
            assert len(estimator.predict(found)) == 10
        if hasattr(estimator, "restyle"):
            require_same_columns(estimator.restyle(found, True), frame)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_keep_the_dtype_of_the_training_rows(dtype):
    X = load_iris().data.astype(dtype)
    aae = fitted(X)
    assert aae.sample(5).dtype == aae.reconstruct(X).dtype == aae.transform(X).dtype == dtype


def test_large_numbers_keep_their_digits():
    frame = people()
    seconds = fitted(frame).sample(1000, random_state=0)["since"]
    assert seconds.nunique() > 900
    X = frame[["since", "age"]].to_numpy(float)
    assert len(np.unique(fitted(X).sample(1000, random_state=0)[:, 0])) > 900


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output_gives_frames_of_its_library(library):
    X = load_iris().data
    aae = fitted(X).set_output(transform=library)
    found = aae.sample(3, random_state=0)
    assert type(found).__module__.partition(".")[0] == library
    assert list(found.columns) == ["x0", "x1", "x2", "x3"]
    np.testing.assert_array_equal(
        np.asarray(found), aae.set_output(transform="default").sample(3, random_state=0)
    )
    other = fitted(FRAMES["pandas"]).set_output(transform="polars").sample(3)
    assert isinstance(other, pl.DataFrame)
    assert list(other.columns) == list(FRAMES["pandas"].columns)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_global_output_changes_nothing_within_a_fit(library):
    """The transformers that a fit uses inside would return frames too."""
    frame = people()
    y = np.where(np.arange(N_ROWS) < 40, frame["owner"], -1)
    for model in (AAETransformer(max_iter=2, random_state=0), OTHERS[3]):
        plain = clone(model).fit(frame, y)
        with config_context(transform_output=library):
            found = clone(model).fit(frame, y)
            Z = found.transform(frame)
        assert type(Z).__module__.startswith(library)
        np.testing.assert_allclose(Z.to_numpy(), plain.transform(frame), rtol=1e-5, atol=1e-8)


def test_whole_numbers_stay_whole_and_in_range_if_wanted():
    frame = people()
    aae = fitted(frame)
    free, clipped = (aae.sample(2000, clip=c, random_state=0) for c in (False, True))
    assert (clipped["age"] == clipped["age"].round()).all()
    for name in ("age", "income", "since", "share"):
        assert clipped[name].min() >= frame[name].min()
        assert clipped[name].max() <= frame[name].max()
        inside = free[name].between(frame[name].min(), frame[name].max())
        np.testing.assert_array_equal(free[name][inside], clipped[name][inside])


def test_new_rows_of_breast_cancer_are_never_negative_unless_asked_for():
    X = load_breast_cancer().data
    aae = AAETransformer(max_iter=20, random_state=0).fit(X)
    assert (aae.sample(2000, clip=False, random_state=0) < 0.0).any()
    clipped = aae.sample(2000, random_state=0)
    assert (clipped >= X.min(axis=0)).all()
    assert (clipped <= X.max(axis=0)).all()


def test_integers_of_few_bits_do_not_wrap_around():
    frame = pd.DataFrame({"a": np.arange(250, dtype=np.uint8), "b": np.arange(250) - 125})
    frame["b"] = frame["b"].astype(np.int8)
    aae = fitted(frame)
    wild = aae.inverse_transform(np.linspace(-50.0, 50.0, 8).reshape(2, 4))
    require_same_columns(wild, frame)
    numbers = aae._table.scaling.inverse_transform(np.array([[-9.0, -9.0], [9.0, 9.0]]))
    assert numbers.min() < -128  # outside of what the dtypes can hold
    found = aae._table.inverse_transform(np.array([[-9.0, -9.0], [9.0, 9.0]]))
    assert found["a"].tolist() == [0, 255]
    assert found["b"].tolist() == [-128, 127]


def test_samples_have_the_frequencies_of_the_training_rows():
    """Categories and flags are drawn from their probabilities, not taken at their most frequent."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"kind": rng.choice(["a", "b"], 400, p=[0.8, 0.2])})
    frame["flag"] = rng.random(400) < 0.3
    frame["noise"] = rng.normal(size=400)
    found = fitted(frame, max_iter=40).sample(4000, random_state=0)
    assert abs((found["kind"] == "b").mean() - (frame["kind"] == "b").mean()) < 0.08
    assert abs(found["flag"].mean() - frame["flag"].mean()) < 0.08


def test_the_same_seed_draws_the_same_rows():
    aae = fitted(people())
    pd.testing.assert_frame_equal(aae.sample(9, random_state=3), aae.sample(9, random_state=3))
    assert not aae.sample(9, random_state=3).equals(aae.sample(9, random_state=4))


# Columns in --------------------------------------------------------------------------------------


def test_columns_are_read_by_their_dtype():
    table = fitted(people())._table
    kinds = {column.name: column.kind for column in table.schema.columns}
    assert kinds["owner"] == "flag"
    assert kinds["city"] == kinds["grade"] == "category"
    assert kinds["age"] == kinds["visits"] == "number"
    # numbers that are 0 and 1 only are flags, too
    assert table.layout == Layout(4, 2, (3, 3), (1, 6, 7), table.layout.weights)


@pytest.mark.parametrize(
    "chosen", [["a", "c"], [0, 2], [-3, -1], [True, False, True], np.array([True, False, True])]
)
def test_category_columns_by_name_position_or_mask(chosen):
    frame = pd.DataFrame({"a": [3, 7, 3, 7] * 5, "b": np.arange(20.0), "c": list("xyyx") * 5})
    aae = fitted(frame, categorical_features=chosen)
    assert aae._table.layout.categories == (2, 2)
    require_same_columns(aae.sample(5), frame)
    assert set(aae.sample(50)["a"]) == {3, 7}
    if not isinstance(chosen[0], str):
        found = fitted(frame.to_numpy(), categorical_features=chosen).sample(50)
        assert set(found[:, 0]) == {3, 7}
        assert set(found[:, 2]) == {"x", "y"}


def test_numeric_categories_of_an_array_come_back_as_numbers():
    X = np.column_stack([np.tile([1.0, 5.0, 9.0], 20), np.random.default_rng(0).normal(size=60)])
    aae = fitted(X, categorical_features=[0])
    found = aae.sample(100, random_state=0)
    assert found.dtype == np.float64
    assert set(found[:, 0]) == {1.0, 5.0, 9.0}


def test_plain_tables_are_the_same_as_arrays_and_as_frames():
    X = load_digits().data[:300]
    as_array, as_frame = fitted(X), fitted(pd.DataFrame(X).add_prefix("p"))
    assert as_array.scaling_ == as_frame.scaling_ == "range"  # pixels of 0 and 1 are no flags
    np.testing.assert_array_equal(
        as_array.transform(X), as_frame.transform(pd.DataFrame(X).add_prefix("p"))
    )


def test_rare_categories_share_an_entry_and_unknown_ones_join_them():
    kinds = ["a"] * 300 + ["b"] * 190 + list("cccdde") + ["f"] * 4
    frame = pd.DataFrame({"kind": kinds, "x": np.arange(500.0)})
    aae = fitted(frame)  # fewer than 5 rows
    assert aae._table.layout.categories == (3,)
    inputs = aae._network_rows(pd.DataFrame({"kind": ["c", "new", "a"], "x": [0.0] * 3}))[:]
    np.testing.assert_array_equal(inputs[:, 1:], [[0, 0, 1], [0, 0, 1], [1, 0, 0]])
    drawn = aae._table.categories.decode(
        np.tile([0.0, 0.0, 1.0], (3000, 1)), np.random.default_rng(0)
    )
    frequency = pd.Series(drawn[:, 0]).value_counts(normalize=True)
    assert set(frequency.index) == set("cdef")
    assert abs(frequency["f"] - 0.4) < 0.05
    assert aae._table.categories.decode(np.array([[0.0, 0.0, 1.0]]), None)[0, 0] == "f"
    every = fitted(frame, categorical_features=Categories(min_frequency=None))
    assert every._table.layout.categories == (6,)
    inputs = every._network_rows(pd.DataFrame({"kind": ["new"], "x": [0.0]}))[:]
    assert not inputs[:, 1:].any()


def of_ids(values, library):
    """Return a frame with a column of values that differ from row to row, and two others."""
    rng = np.random.default_rng(0)
    n_rows = len(values)
    frame = pd.DataFrame({"a": rng.normal(size=n_rows), "b": rng.choice(["x", "y"], n_rows)})
    frame["id"] = values
    return frame if library == "pandas" else pl.DataFrame(frame.to_dict("list"))


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("estimator", OTHERS, ids=lambda estimator: type(estimator).__name__)
def test_a_column_of_ids_is_named_once(estimator, library):
    X = of_ids([f"user {i}" for i in range(300)], library)
    y = np.arange(300) % 3
    y[30:] = -1 if isinstance(estimator, SemiSupervisedAAEClassifier) else y[30:]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clone(estimator).fit(X, y)
    told = [str(w.message) for w in caught if "different values" in str(w.message)]
    assert len(told) == 1
    assert "In 300 rows, column 'id' has 300 different values." in told[0]
    assert "Drop columns of names, ids or free text" in told[0]
    assert "'b'" not in told[0]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_numbers_read_as_text_are_said_to_be_numbers(library):
    X = of_ids([f"{i},5" if i % 2 else f"{i}.25" for i in range(300)], library)
    model = make(AAETransformer, max_iter=2)
    with pytest.warns(UserWarning, match="300 different values, which are numbers written as text"):
        model.fit(X)


@pytest.mark.parametrize("how", ["repeated", "few", "kept"])
def test_columns_that_say_something_are_no_ids(how):
    """Half of the rows have the same category; or all are in many rows; or none is rare."""
    number = np.arange(300)
    values = {"repeated": np.where(number % 2, number, 0), "few": number % 30, "kept": number}[how]
    frequency = None if how == "kept" else "auto"
    X = of_ids([f"user {i}" for i in values], "pandas")
    categories = Categories(min_frequency=frequency)
    make(AAETransformer, max_iter=2, categorical_features=categories).fit(X)


def test_a_grid_search_reaches_the_weight_of_categories():
    grid = {"categorical_features__weight": [0.1, 3.0]}
    search = GridSearchCV(AAETransformer(2, max_iter=1, random_state=0), grid, cv=2)
    assert search.fit(people()).best_params_["categorical_features__weight"] in (0.1, 3.0)
    assert (
        clone(search.best_estimator_).categorical_features
        == search.best_estimator_.categorical_features
    )


@pytest.mark.parametrize("n_categories", [1, 10, 100])
def test_no_kind_of_column_dominates_the_loss(n_categories):
    """Where frequencies and means are predicted, every column costs half, as a number does."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"number": rng.normal(50.0, 9.0, 1000), "flag": rng.random(1000) < 0.3})
    frame["kind"] = rng.integers(0, n_categories, 1000).astype(str)
    schema = describe(frame, "from_dtype")
    rows = schema.read(frame)
    table = fit_table(rows, schema, "auto", min_frequency=None)
    x = torch.from_numpy(table.transform(rows))
    frequencies = np.concatenate(table.categories.frequencies)
    share = frame["flag"].mean()
    output = np.concatenate([[0.0], [np.log(share / (1 - share))], np.log(frequencies)])
    output = torch.from_numpy(np.tile(output, (1000, 1)))
    losses = Reconstruction(table.layout)
    total = losses.losses(output, x).mean().item()
    n_varying = 3 if n_categories > 1 else 2
    assert total == pytest.approx(0.5 * n_varying, rel=1e-3)


def test_weight_of_categories_multiplies_their_loss():
    plain, double = (
        fitted(people(), categorical_features=Categories(weight=w))._table.layout.weights
        for w in (1.0, 2.0)
    )
    np.testing.assert_allclose(np.array(double), 2.0 * np.array(plain))


# Losses ------------------------------------------------------------------------------------------


def test_cross_entropy_by_column_is_that_of_each_column():
    logits = 30.0 * torch.randn(6, 7, dtype=torch.float64)
    column = torch.tensor([0, 0, 0, 1, 1, 2, 2])
    classes = torch.stack([torch.arange(6) % size for size in (3, 2, 2)], dim=1)
    one_hot = torch.cat(
        [torch.nn.functional.one_hot(classes[:, i], s) for i, s in enumerate((3, 2, 2))], dim=1
    ).double()
    one_hot[5, 3:5] = 0.0  # a gap
    found = categorical_cross_entropy(logits, one_hot, column, 3)
    for i, (start, stop) in enumerate(((0, 3), (3, 5), (5, 7))):
        expected = torch.nn.functional.cross_entropy(
            logits[:, start:stop], classes[:, i], reduction="none"
        )
        if i == 1:
            expected[5] = 0.0
        torch.testing.assert_close(found[:, i], expected)


def test_gaps_have_no_loss_and_no_gradient():
    layout = Layout(2, 1, (2,), gaps=(0, 2, 3), weights=(1.0, 1.0))
    x = torch.tensor(
        [[0.0, 1.5, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0], [0.5, -1.0, 1.0, 0.0, 1.0, 0, 0, 0]]
    )
    output = torch.randn(2, 5, requires_grad=True)
    losses = Reconstruction(layout).losses(output, x)
    expected = 0.5 * (output[0, 1] - 1.5) ** 2
    torch.testing.assert_close(losses[0], expected)
    losses.sum().backward()
    assert output.grad[0, [0, 2, 3, 4]].abs().max() == 0.0
    assert output.grad[1].abs().min() > 0.0


def test_activated_outputs_are_numbers_and_probabilities():
    layout = Layout(2, 1, (3, 2), weights=(1.0, 1.0, 1.0))
    output = torch.randn(4, 8, dtype=torch.float64)
    found = Reconstruction(layout).activate(output)
    torch.testing.assert_close(found[:, :2], output[:, :2])
    torch.testing.assert_close(found[:, 2], torch.sigmoid(output[:, 2]))
    torch.testing.assert_close(found[:, 3:6], torch.softmax(output[:, 3:6], dim=1))
    torch.testing.assert_close(found[:, 6:], torch.softmax(output[:, 6:], dim=1))


# Gaps --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", FRAMES)
def test_impute_fills_gaps_and_nothing_else(library):
    frame = FRAMES[library]
    filled = fitted(frame).impute(frame)
    require_same_columns(filled, frame)
    for name in frame.columns:
        before, after = pd.Series(list(frame[name])), pd.Series(list(filled[name]))
        assert not after.isna().any()
        known = ~before.isna()
        assert (before[known] == after[known]).all()


def test_imputed_values_are_closer_than_the_means_of_columns():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(600, 1))
    X = hidden @ rng.normal(size=(1, 6)) + 0.1 * rng.normal(size=(600, 6))
    gaps = rng.random(X.shape) < 0.2
    with_gaps = np.where(gaps, np.nan, X)
    filled = AAETransformer(2, max_iter=60, random_state=0).fit(with_gaps).impute(with_gaps)
    np.testing.assert_array_equal(filled[~gaps], X[~gaps])
    means = np.broadcast_to(np.nanmean(with_gaps, axis=0), X.shape)
    error, of_means = (np.square((found - X)[gaps]).mean() for found in (filled, means))
    assert error < 0.5 * of_means


def test_a_filled_number_is_the_mean_of_the_decoded_and_the_expected_one():
    """A code of two dimensions cannot hold all that the columns say of each other."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4)) @ rng.normal(size=(4, 8)) + 0.3 * rng.normal(size=(400, 8))
    X /= X.std(axis=0)
    gaps = rng.random(X.shape) < 0.2
    rows = np.where(gaps, np.nan, X)
    model = AAETransformer(2, max_iter=60, random_state=0).fit(rows)
    decoded = model.reconstruct(rows)
    expected = model._table.scaling.inverse_transform(model._table.transform(rows)[:, :8])
    filled = model.impute(rows)
    mean = np.clip(0.5 * (decoded + expected), np.nanmin(rows, axis=0), np.nanmax(rows, axis=0))
    np.testing.assert_allclose(filled[gaps], mean[gaps], rtol=1e-4, atol=1e-4)
    errors = [np.square(found - X)[gaps].mean() for found in (filled, decoded)]
    assert errors[0] < errors[1]


def test_gaps_of_categories_are_filled_as_well_as_by_the_most_frequent_one():
    """An encoder that never saw a known value hidden gave gaps any code, and rare categories."""
    rng = np.random.default_rng(0)
    known = pd.DataFrame(rng.normal(size=(800, 2)), columns=["a", "b"])
    known["region"] = rng.choice(["EU", "US", "ASIA"], 800, p=[0.8, 0.12, 0.08])
    known["sign"] = np.where(known["a"] + 0.5 * rng.normal(size=800) > 0.0, "plus", "minus")
    gaps = {name: rng.random(800) < 0.2 for name in ("region", "sign")}
    frame = known.copy()
    for name, gap in gaps.items():
        frame.loc[gap, name] = None
    filled = AAETransformer(5, max_iter=60, random_state=0).fit(frame).impute(frame)
    right = {name: (filled[name] == known[name])[gap].mean() for name, gap in gaps.items()}
    assert right["region"] > 0.75
    assert right["sign"] > 0.75


def test_filled_numbers_are_in_the_range_of_the_training_rows():
    X = np.random.default_rng(0).lognormal(8.0, 1.5, (200, 2))
    with_gaps = np.where(np.random.default_rng(1).random(X.shape) < 0.3, np.nan, X)
    filled = fitted(with_gaps).impute(with_gaps)
    assert (filled >= np.nanmin(with_gaps, axis=0)).all()
    assert (filled <= np.nanmax(with_gaps, axis=0)).all()


def test_hidden_values_become_gaps():
    layout = Layout(2, n_flags=1, categories=(2,), gaps=(0, 3), weights=(1.0, 1.0))
    x = torch.tensor([[5.0, 6.0, 1.0, 0.0, 1.0, 0.0, 0.0]]).repeat(4000, 1)
    x[:100, 0], x[:100, 5] = 0.0, 1.0  # gaps
    found = Reconstruction(layout).hide(x, torch.Generator().manual_seed(0))
    assert (found[:, 1:3] == x[:, 1:3]).all()  # columns without gaps
    assert (found[:100, [0, 5]] == x[:100, [0, 5]]).all()
    for column, indicator in (([0], 5), ([3, 4], 6)):
        hidden = found[100:, indicator] == 1.0
        assert hidden.float().mean() == pytest.approx(HIDDEN, abs=0.03)
        assert (found[100:][hidden][:, column] == 0.0).all()
        assert (found[100:][~hidden][:, column] == x[0 + 100 :][~hidden][:, column]).all()
    assert Reconstruction(Layout(3)).hide(x, torch.Generator()) is x


# Categories of later rows -------------------------------------------------------------------------


def places(values, n_rows=60):
    """Return a frame with a column of these values in turn."""
    x = np.random.default_rng(0).normal(size=n_rows)
    return pd.DataFrame({"zip": np.resize(np.array(values, dtype=object), n_rows), "x": x})


@pytest.mark.parametrize(
    ("known", "later", "found"),
    [
        ([10115, 20095, 80331], ["10115", "20095"], "'10115' of type str"),
        (["10115", "20095"], [10115, 20095], "10115 of type int"),
        (["True", "False"], [True, False], "True of type bool"),
    ],
)
def test_categories_of_another_type_are_refused(known, later, found):
    aae = fitted(places(known), categorical_features=["zip"])
    for method in (aae.transform, aae.reconstruct, aae.score_samples, aae.partial_fit):
        with pytest.raises(ValueError, match=f"column 'zip' holds {found}"):
            method(places(later))


def test_validation_rows_have_categories_of_the_same_type():
    aae = AAETransformer(categorical_features=["zip"], max_iter=3, random_state=0)
    with pytest.raises(ValueError, match="column 'zip' holds '1' of type str"):
        aae.fit(places([1, 2]), X_val=places(["1", "2"]))


def test_types_that_can_be_equal_are_no_others():
    aae = fitted(places([1, 2, 3]), categorical_features=["zip"])
    codes = aae.transform(places([1, 2, 3]))
    for later in ([1.0, 2.0, 3.0], [np.int8(1), np.float32(2), 3]):
        np.testing.assert_array_equal(aae.transform(places(later)), codes)
    named = fitted(places(["a", "b"]))
    named.transform(places([np.str_("a"), "b", None]))
    with_gaps = places([np.nan])
    named.transform(with_gaps)


def test_a_column_without_a_known_category_warns():
    aae = fitted(places(["a", "b", "c"]))
    with pytest.warns(UserWarning, match="Nearly all of these values are rare"):
        ids = fitted(places([f"id {k}" for k in range(900)], 900), max_iter=10)
    with pytest.warns(UserWarning, match="No value of column 'zip' was in the training rows"):
        aae.transform(places(["A", "B"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aae.transform(places(["A", "b"]))
        aae.transform(places(["A"], 3))  # a few rows may have something new
        ids.transform(places([f"new {k}" for k in range(60)]))  # rare ones share an entry


def test_a_gap_is_not_a_value():
    """An indicator tells the encoder of a gap, which has no part in scaling, loss and score."""
    rng = np.random.default_rng(0)
    X = rng.normal(5.0, 2.0, (200, 3))
    X[::4, 0] = np.nan
    aae = fitted(X)
    np.testing.assert_allclose(aae._table.scaling.center, np.nanmean(X, axis=0))
    np.testing.assert_allclose(aae._table.scaling.scale, np.nanstd(X, axis=0))
    inputs = aae._network_rows(X)[:]
    np.testing.assert_array_equal(inputs[:, 3], np.isnan(X[:, 0]))
    assert np.abs(inputs[::4, 0]).max() < 0.5  # unrelated columns: near their mean
    changed = X.copy()
    changed[::4, 1] += 1.0  # what stands for a gap changes, and is not scored
    np.testing.assert_array_equal(aae._network_rows(changed)[:][1::4], inputs[1::4])
    assert np.isfinite(aae.score_samples(X)).all()


def correlated_rows(rng, n_rows):
    """Return rows of six columns that follow from two hidden numbers, with a little noise."""
    hidden = rng.normal(size=(n_rows, 2))
    weights = np.array([[1.0, 0.5, -1.0, 0.0, 2.0, 0.3], [0.0, 1.0, 0.5, -1.0, 0.2, 1.5]])
    return 10.0 + 3.0 * hidden @ weights + rng.normal(0.0, 0.3, (n_rows, 6))


def test_a_gap_counts_as_what_the_known_values_lead_to_expect():
    """It is the conditional mean of a normal distribution, whose formula is used here."""
    rng = np.random.default_rng(0)
    X = correlated_rows(rng, 2000)
    with_gaps = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    aae = fitted(with_gaps)
    table = aae._table
    inputs, missing = table.transform(with_gaps)[:, :6], np.isnan(with_gaps)
    true = table.scaling.transform(X)
    assert np.square((inputs - true)[missing]).mean() < 0.1  # the mean of a column: 1
    np.testing.assert_array_equal(inputs[~missing], table.scaling.transform(with_gaps)[~missing])
    mean, precision = table.expectation.mean, table.expectation.precision.astype(float)
    for row in np.flatnonzero(missing.sum(axis=1) == 3)[:20]:
        gaps, known = missing[row], ~missing[row]
        z = (true[row] - mean) / table.expectation.deviation
        wanted = np.linalg.solve(
            precision[np.ix_(gaps, gaps)], precision[np.ix_(gaps, known)] @ z[known]
        )
        found = (inputs[row] - mean)[gaps] / table.expectation.deviation[gaps]
        np.testing.assert_allclose(found, -wanted, atol=0.02)


def test_categories_and_flags_tell_of_gaps_and_numbers_tell_of_theirs():
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=900)
    frame = pd.DataFrame(
        {"kind": np.array(["a", "b", "c"])[kind], "size": 5.0 * kind, "flag": kind > 1}
    )
    frame["size"] += rng.normal(size=900)
    frame["flag"] = frame["flag"].astype(float)
    hidden = frame.mask(rng.random(frame.shape) < 0.2)
    row = pd.DataFrame(
        {"kind": [None, "c"], "size": [frame["size"].max(), np.nan], "flag": [np.nan, 1.0]}
    )
    row = row.astype(hidden.dtypes.to_dict())
    first, second = fitted(hidden, scaling="standard")._network_rows(row)[:]
    assert first[1] > 0.5  # a large one has the flag
    assert first[4] > max(first[2], first[3], 0.5)  # and is of kind c
    assert second[0] > 0.5  # and one of kind c is large


def test_the_hidden_values_of_training_are_filled_like_gaps():
    rng = np.random.default_rng(0)
    X = correlated_rows(rng, 500)
    with_gaps = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    aae = fitted(with_gaps)
    x = torch.from_numpy(aae._network_rows(with_gaps)[:].astype(np.float32))
    hidden = aae._step.reconstruction.hide(x, torch.Generator().manual_seed(0)).numpy()
    gaps = hidden[:, 6:] > 0.0
    assert gaps.mean() > np.isnan(with_gaps).mean() + 0.1
    as_gaps = np.where(gaps, np.nan, X)
    np.testing.assert_allclose(hidden, aae._network_rows(as_gaps)[:], atol=1e-4)


def test_indicators_of_gaps_by_chance_do_not_tell_rows_apart():
    rng = np.random.default_rng(0)
    X = correlated_rows(rng, 500)
    by_chance = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    by_value = by_chance.copy()
    by_value[X[:, 4] > 13.0, 0] = np.nan  # where another column is large
    for rows, kept in ((by_chance, 6), (by_value, 7)):
        aae = fitted(rows)
        seen = aae._network_rows(rows)[:]
        assert seen.shape[1] == 12
        assert without_chance_gaps(seen, aae._table.layout).shape[1] == kept


def test_gaps_after_training_without_gaps_count_as_the_mean():
    X = load_iris().data
    aae = fitted(X)
    with_gap, with_mean = X[:3].copy(), X[:3].copy()
    with_gap[1, 2], with_mean[1, 2] = np.nan, X[:, 2].mean()
    np.testing.assert_allclose(aae.transform(with_gap), aae.transform(with_mean), atol=1e-6)
    assert np.isfinite(aae.impute(with_gap)).all()


def test_a_column_without_any_value_stays_empty():
    X = np.random.default_rng(0).normal(size=(50, 3))
    X[:, 1] = np.nan
    for found in (fitted(X).impute(X), fitted(X).sample(4)):
        assert np.isnan(found[:, 1]).all()
        assert np.isfinite(found[:, [0, 2]]).all()


def test_values_of_a_column_without_any_in_training_count_as_gaps():
    frame = people().assign(empty=np.nan, none=pd.Series([None] * N_ROWS, dtype="str"))
    later = frame.assign(empty=1e6, none="some")
    for aae in (fitted(frame), fitted(frame[["income", "empty"]])):
        names = list(aae.feature_names_in_)
        np.testing.assert_array_equal(aae.transform(frame[names]), aae.transform(later[names]))
        np.testing.assert_array_equal(
            aae.score_samples(frame[names]), aae.score_samples(later[names])
        )


@pytest.mark.parametrize("scaling", ["range", "standard", "quantile", None])
def test_gaps_in_flags_and_in_any_scaling_count_as_the_mean(scaling):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"a": rng.random(200), "b": rng.random(200), "flag": rng.random(200) < 0.9}
    )
    x = fitted(frame, scaling=scaling)._network_rows(pd.DataFrame({**frame.mean()}, index=[0]))[:]
    gaps = pd.DataFrame({"a": [np.nan], "b": [np.nan], "flag": [None]})
    np.testing.assert_allclose(fitted(frame, scaling=scaling)._network_rows(gaps)[:], x, atol=1e-7)


def test_other_numbers_in_a_flag_count_as_the_nearer_of_0_and_1():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.random(80), "count": rng.integers(0, 2, 80)})
    aae = fitted(frame)
    more = frame.assign(count=np.where(frame["count"] > 0, 40, -3))
    np.testing.assert_array_equal(aae.score_samples(more), aae.score_samples(frame))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")  # scikit-learn 1.6
def test_impute_keeps_dtypes_whose_categories_or_integers_are_fewer():
    """A batch of rows may have a narrower dtype than the training rows."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 80))
    train = pd.DataFrame({"kind": pd.Categorical(np.where(a > 0, "x", "y")), "a": a, "b": b})
    aae = fitted(train, max_iter=30)
    later = pd.DataFrame(
        {
            "kind": pd.Categorical(["x", None, None], categories=["x"]),
            "a": pd.array([1, -1, None], dtype="Int64"),
            "b": [0.5, 0.5, 0.5],
        }
    )
    filled = aae.impute(later)
    assert filled["kind"].isna().sum() == 0
    assert filled["a"].dtype == "Int64"
    assert filled["kind"][1] == "y"
    in_polars = pl.DataFrame(
        {
            "kind": pl.Series(["x", None, None], dtype=pl.Enum(["x"])),
            "a": [1, -1, None],
            "b": [0.5, 0.5, 0.5],
        }
    )
    found = aae.impute(in_polars)
    assert found["kind"].to_list() == filled["kind"].tolist()
    assert found["a"].to_list() == filled["a"].tolist()


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_impute_fills_an_array_with_a_model_of_a_frame():
    aae = fitted(people()[["income", "city"]])
    filled = aae.impute([[None, "hill"], [20.0, None]])
    assert filled[0, 0] > 0.0
    assert filled[1, 0] == 20.0
    assert filled[1, 1] in set(people(False)["city"])
    plain = fitted(people()[["income", "share"]]).impute(np.array([[np.nan, 0.5]]))
    assert plain.dtype == np.float64
    assert plain[0, 1] == 0.5


def test_supervised_impute_needs_the_classes():
    frame, y = people(), np.arange(N_ROWS) % 2
    filled = make(SupervisedAAETransformer).fit(frame, y).impute(frame, y)
    require_same_columns(filled, frame)
    assert not filled.isna().any(axis=None)


def test_rows_of_rows_keep_the_index_of_a_frame():
    frame, y = people().set_index(np.arange(N_ROWS) + 7), np.arange(N_ROWS) % 2
    supervised = make(SupervisedAAETransformer).fit(frame, y)
    for found in (
        fitted(frame).reconstruct(frame),
        fitted(frame).impute(frame),
        supervised.reconstruct(frame, y),
        supervised.restyle(frame, 1),
    ):
        pd.testing.assert_index_equal(found.index, frame.index)


def test_decoded_rows_have_the_index_of_their_codes():
    frame, y = people().sample(frac=1.0, random_state=0), np.arange(N_ROWS) % 2
    made = [
        (fitted(frame), ()),
        (make(SupervisedAAETransformer).fit(frame, y), (y,)),
        (make(AAEEmbedding, max_iter=1).fit(frame), ()),
    ]
    for model, labels in made:
        Z = model.set_output(transform="pandas").transform(frame)
        pd.testing.assert_index_equal(model.inverse_transform(Z, *labels).index, frame.index)


@pytest.mark.parametrize("library", FRAMES)
def test_codes_are_decoded_in_their_order_only(library):
    model = fitted(people(False)[["income", "share"]]).set_output(transform=library)
    Z = model.transform(people(False)[["income", "share"]])
    with pytest.raises(
        ValueError, match=r"X has the columns .*3', .*0'\], but `transform` returns"
    ):
        model.inverse_transform(Z[list(Z.columns)[::-1]])
    others = type(Z)({f"column {i}": np.asarray(Z)[:, i] for i in range(4)})
    np.testing.assert_array_equal(model.inverse_transform(others), model.inverse_transform(Z))


@pytest.mark.parametrize("library", FRAMES)
def test_a_frame_of_the_other_library_has_the_dtypes_of_numbers(library):
    rng = np.random.default_rng(0)
    dtypes = ["int64", "int8", "uint8", "float32", "float64", "bool"]
    frame = pd.DataFrame({name: rng.integers(0, 2, 60).astype(name) for name in dtypes})
    if library == "polars":
        frame["of pyarrow"] = pd.Series(rng.normal(size=60), dtype="float[pyarrow]")
    frame["int64"] += rng.integers(0, 5, 60)
    other, given = pl.from_pandas(frame), frame
    if library == "pandas":
        other, given = frame, other
    model = make(AAETransformer, max_iter=1).set_output(transform=library).fit(given)
    for found in (model.sample(5), model.reconstruct(given)):
        assert list(found.dtypes) == list(other.dtypes)


@pytest.mark.filterwarnings("ignore:X .* feature names")  # scikit-learn 1.6 knows pandas alone
def test_categories_without_a_value_come_back_in_the_other_library():
    frame = pl.DataFrame({"a": [0.5, 1.5] * 20, "b": [None] * 40}, schema_overrides={"b": pl.Int64})
    model = make(AAETransformer, max_iter=1, categorical_features=["b"]).fit(frame)
    found = model.set_output(transform="pandas").sample(3)
    assert found["b"].isna().all()
    assert model.impute(frame.to_pandas())["b"].isna().all()


def test_columns_of_several_levels_come_back():
    columns = pd.MultiIndex.from_product([["a", "b"], [1, 2]])
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 4)), columns=columns)
    model = pickle.loads(pickle.dumps(make(AAETransformer, max_iter=1).fit(frame)))
    model.set_output(transform="pandas")
    for found in (model.sample(3), model.reconstruct(frame), model.impute(frame)):
        pd.testing.assert_index_equal(found.columns, columns)


@pytest.mark.parametrize("library", FRAMES)
def test_columns_of_every_dtype_without_any_value(library):
    """They stay empty, in their dtype, and later values of any type count as gaps."""
    empty = pd.DataFrame(
        {
            "float": np.full(40, np.nan),
            "integer": pd.array([pd.NA] * 40, dtype="Int64"),
            "flag": pd.array([pd.NA] * 40, dtype="boolean"),
            "text": pd.array([pd.NA] * 40, dtype="string"),
            "objects": pd.Series([None] * 40, dtype=object),
        }
    )
    empty["known"] = np.linspace(0.0, 1.0, 40)
    later = empty.assign(float=9.0, integer=9, flag=True, text="nine", objects="nine")
    if library == "polars":
        columns = {"float": pl.Float64, "integer": pl.Int64, "flag": pl.Boolean}
        columns.update({"text": pl.String, "objects": pl.Null, "known": pl.Float64})
        values = {name: [None] * 40 for name in columns} | {"known": empty["known"].tolist()}
        empty, later = pl.DataFrame(values, schema=columns), pl.DataFrame(later.to_dict("list"))
    aae = fitted(empty)
    for found in (aae.sample(40, random_state=0), aae.impute(empty)):
        require_same_columns(found, empty)
        gaps = [pd.Series(list(found[name])).isna().all() for name in found.columns]
        assert gaps == [True] * 5 + [False]
    np.testing.assert_array_equal(aae.transform(empty), aae.transform(later))


def test_gaps_of_pandas_among_objects():
    X = pd.DataFrame({"a": pd.Series([1, pd.NA, 2, 3] * 10, dtype=object), "b": range(40)})
    assert not fitted(X).impute(X).isna().any(axis=None)
    assert np.isfinite(fitted(X.to_numpy(dtype=object)).transform(X.to_numpy(dtype=object))).all()


# Sparse rows and small dtypes --------------------------------------------------------------------


def sparse_table(n_rows=150, n_columns=40):
    return scipy.sparse.random(
        n_rows, n_columns, density=0.2, format="csr", random_state=np.random.default_rng(0)
    )


def test_sparse_rows_give_the_same_model_as_dense_ones():
    X = sparse_table()
    y = np.where(np.arange(150) < 60, np.asarray(X[:, 0].toarray() > 0).ravel(), -1)
    for estimator in (
        make(AAETransformer, max_iter=2, random_state=0),
        make(AAETransformer, max_iter=3, random_state=0, early_stopping=True),
        make(SemiSupervisedAAEClassifier, max_iter=2, random_state=0, pseudo_labels=False),
        make(AAEClusterer, n_clusters=3, init="random", max_iter=2, random_state=0),
    ):
        estimator.set_params(scaling="range")  # "auto" takes dense ones for images
        dense, sparse = clone(estimator).fit(X.toarray(), y), clone(estimator).fit(X, y)
        np.testing.assert_array_equal(dense.transform(X.toarray()), sparse.transform(X))
        np.testing.assert_array_equal(dense.score_samples(X.toarray()), sparse.score_samples(X))


@pytest.mark.parametrize(
    "form", [scipy.sparse.csr_array, scipy.sparse.csr_matrix, scipy.sparse.coo_array]
)
def test_sparse_rows_are_dense_a_batch_at_a_time(form, monkeypatch):
    largest = []
    for kind in (scipy.sparse.csr_array, scipy.sparse.csr_matrix):
        toarray = kind.toarray

        def watched(self, *args, toarray=toarray, **named):
            largest.append(self.shape[0])
            return toarray(self, *args, **named)

        monkeypatch.setattr(kind, "toarray", watched)
    monkeypatch.setattr("skaae.columns.scaling.BLOCK_SIZE", 40 * 64)
    X = form(sparse_table(3000))
    y = np.arange(3000) % 3 - 1
    AAETransformer(2, max_iter=1).fit(X).partial_fit(X).transform(X)
    clf = SemiSupervisedAAEClassifier(max_iter=1).fit(X, y)
    clf.partial_fit(X, y).predict(X)
    AAEClusterer(2, max_iter=1, virtual_adversarial="auto").fit(X).predict(X)
    assert 0 < max(largest) <= 3000
    # k-means and principal components learn from so many rows as fit in memory
    assert sum(n == 3000 for n in largest) <= 2


def test_a_column_transformer_that_returns_sparse_rows_needs_no_step_between():
    frame = people(gaps=False)[["city", "age"]]
    encode = make_column_transformer((OneHotEncoder(), ["city"]), sparse_threshold=1.0)
    model = make_pipeline(encode, SemiSupervisedAAEClassifier(max_iter=2, random_state=0))
    assert model.fit(frame, FEW).predict(frame).shape == (N_ROWS,)
    assert scipy.sparse.issparse(model[0].transform(frame))


@pytest.mark.parametrize(
    "dtype",
    [
        np.uint8,
        *(pytest.param(dtype, marks=pytest.mark.slow) for dtype in (np.float16, np.int16, bool)),
    ],
)
def test_small_dtypes_are_not_copied_to_float64(dtype):
    X = np.random.default_rng(0).integers(0, 2, (40_000, 200)).astype(dtype)
    aae = AAETransformer(2, hidden_layer_sizes=4, batch_size=500, max_iter=1, random_state=0)
    tracemalloc.start()
    aae.fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # one float64 block, float32 rows where the table is not in memory as such already
    assert peak < X.size * 8
    assert aae.transform(X[:5]).dtype == np.float32
    assert aae.sample(2).dtype == np.float32


def test_small_dtypes_give_the_same_model_as_float32():
    X = load_digits().data[:200]
    Z = [fitted(X.astype(dtype)).transform(X.astype(dtype)) for dtype in (np.uint8, np.float32)]
    np.testing.assert_array_equal(*Z)


def test_a_mapped_array_stays_mapped(tmp_path):
    path = tmp_path / "X.dat"
    X = np.memmap(path, np.float32, "w+", shape=(300, 20))
    X[:] = np.random.default_rng(0).random(X.shape)
    aae = fitted(X)
    assert np.shares_memory(aae._check_rows(X), X)


# Going on, pickles -------------------------------------------------------------------------------


def test_partial_fit_goes_on_with_the_first_frame_s_columns():
    frame = people()
    aae = AAETransformer(2, random_state=0).partial_fit(frame[:60])
    layout = aae._table.layout
    later = frame[60:].copy()
    later.loc[later.index[0], "city"] = "never seen"
    aae.partial_fit(later)
    assert aae._table.layout == layout
    assert aae.n_iter_ == 2


@pytest.mark.parametrize("library", FRAMES)
def test_a_pickle_reads_and_returns_the_same_frames(library):
    aae = fitted(FRAMES[library])
    loaded = pickle.loads(pickle.dumps(aae))
    np.testing.assert_array_equal(loaded.transform(FRAMES[library]), aae.transform(FRAMES[library]))
    assert loaded.sample(5, random_state=0).equals(aae.sample(5, random_state=0))


# The page ----------------------------------------------------------------------------------------


def test_sparse_rows_with_gaps_give_the_same_model_as_dense_ones():
    X = sparse_table().toarray()
    X[::4, 1] = np.nan
    sparse = scipy.sparse.csr_array(X)
    for scaling in ("standard", "range"):
        dense, found = (fitted(rows, scaling=scaling) for rows in (X, sparse))
        np.testing.assert_allclose(found.impute(sparse), dense.impute(X), atol=1e-5)
        assert np.isfinite(found.sample(3)).all()


@pytest.mark.parametrize("dtype", ["float64", "bool"])
def test_frames_of_sparse_columns(dtype):
    frame = pd.get_dummies(people(gaps=False)[["city", "grade"]], dtype=dtype, sparse=True)
    require_same_columns(fitted(frame).sample(3), frame)


@pytest.mark.parametrize("loss", ["squared_error", "binary_cross_entropy"])
def test_one_scale_for_all_numbers_of_a_table_without_numbers(loss):
    frame = people(gaps=False)[["city", "owner"]]
    aae = fitted(frame, scaling="range", reconstruction_loss=loss)
    require_same_columns(aae.sample(3), frame)


def test_large_and_lowest_integers_are_in_the_range_of_their_column():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "large": 2**60 + rng.integers(0, 2**59, 80),
            "low": np.array([-128] * 60 + [5] * 20, dtype=np.int8),
            "kind": rng.choice(["a", "b"], 80),
        }
    )
    rows = fitted(frame).sample(200, random_state=0)
    assert rows["large"].between(frame["large"].min() - 256, frame["large"].max() + 256).all()
    assert rows["large"].nunique() > 50
    assert rows["low"].min() == -128


def test_dates_that_are_named_as_categories_may_have_gaps():
    frame = pd.DataFrame({"day": pd.to_datetime(["2020-01-01", "2020-01-02", None] * 20)})
    aae = fitted(frame.assign(n=range(60)), categorical_features=["day"])
    assert not aae.impute(frame.assign(n=range(60)))["day"].isna().any()


def test_the_number_of_rare_categories_costs_no_time():
    values = np.array([[f"name {i}"] for i in range(20_000)], dtype=object)
    found = fit_categories(values, ["name"], 5)
    assert found.sizes == (1,)
    rows = found.decode(np.ones((5_000, 1)), np.random.default_rng(0))
    assert len(set(rows[:, 0])) > 4_000


def test_a_callback_sees_the_labeled_rows_of_a_list():
    callback = pytest.importorskip("sklearn.callback")
    rows = [[float(i), "ab"[i % 2]] for i in range(40)]
    clf = make(SemiSupervisedAAEClassifier, categorical_features=[1])
    clf.set_callbacks(callback.ScoringMonitor(scoring="accuracy")).fit(
        rows, [i % 2 for i in range(40)]
    )


def test_noise_does_not_grow_when_the_last_rows_of_partial_fit_are_alike():
    rng = np.random.default_rng(0)
    a = np.sort(rng.normal(size=600))
    frame = pd.DataFrame({"a": a, "b": a + 0.01 * rng.normal(size=600), "c": a > 0})
    aae = fitted(frame, n_components=2, max_iter=40).partial_fit(frame[-20:])
    rows = aae.sample(1000, random_state=0)
    assert np.corrcoef(rows["a"], rows["b"])[0, 1] > 0.9


def test_displays_of_images_name_the_reason_for_rows_with_categories():
    frame = people()[["income", "city", "grade", "owner"]]
    with pytest.raises(ValueError, match="rows with categories"):
        ReconstructionDisplay.from_estimator(fitted(frame), frame)


# Bad input ---------------------------------------------------------------------------------------


def with_column(values):
    return people().assign(extra=values)


BAD_FRAMES = [
    (with_column(pd.date_range("2020", periods=N_ROWS)), "column 'extra' has dtype datetime.*days"),
    (with_column([[1]] * N_ROWS), r"column 'extra' holds objects of type list, such as \[1\]"),
    (with_column(["a", 2] * (N_ROWS // 2)), "column 'extra' holds objects of type int, str.*'a'"),
    (with_column([1j] * N_ROWS), "column 'extra' has dtype complex"),
    (with_column([np.inf] * N_ROWS), "column 'extra' holds infinity.*NaN"),
    (with_column(pd.period_range("2020", periods=N_ROWS)), "column 'extra' has dtype period"),
    (in_polars(people()).with_columns(pl.lit([1]).alias("extra")), "column 'extra' has dtype List"),
]


@pytest.mark.parametrize(("frame", "message"), BAD_FRAMES, ids=lambda value: str(value)[:30])
def test_bad_columns_are_named_and_leave_the_fitted_model(frame, message):
    good = people()
    model = fitted(good)
    before = model.transform(good)
    with pytest.raises(ValueError, match=message):
        model.fit(frame)
    np.testing.assert_array_equal(model.transform(good), before)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (["town"], "names 'town', but X has columns"),
        ([8], "holds 8, but X has 8 columns"),
        ([True, False], "mask of 2 entries, but X has 8 columns"),
        (["age"], "column 'city' holds text.*does not name it"),
        (None, "column 'city' holds text"),
    ],
)
def test_bad_choices_of_category_columns(chosen, message):
    with pytest.raises(ValueError, match=message):
        fitted(people(), categorical_features=chosen)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_bad_rows_for_a_model_of_a_frame():
    aae, frame = fitted(people()), people()
    with pytest.raises(ValueError, match=r"column 'age' .*numbers.*'old'"):
        aae.transform(frame.assign(age=["old"] * N_ROWS))
    with pytest.raises(ValueError, match="X is sparse, but the training table has columns"):
        aae.transform(scipy.sparse.csr_array(np.ones((3, 8))))
    with pytest.raises(ValueError, match="feature names"):
        aae.transform(frame.rename(columns={"age": "years"}))
    with pytest.raises(ValueError, match="parzen_log_likelihood needs rows of numbers"):
        aae.parzen_log_likelihood(frame, 10, bandwidth=1.0)
    with pytest.raises(ValueError, match=r"no column of X has a value.*'none'"):
        fitted(pd.DataFrame({"none": [None] * 20}))
    with pytest.raises(ValueError, match="network='conv' reads rows as images"):
        fitted(frame, network="conv")
    with pytest.raises(ValueError, match="augment changes rows of numbers"):
        make(SemiSupervisedAAEClassifier, augment=lambda x: x).fit(frame, FEW)
    with pytest.raises(ValueError, match="sparse X"):
        fitted(sparse_table(), categorical_features=[0])
    with pytest.raises(ValueError, match="categorical_features"):
        fitted(np.array([["a", "b"], ["c", "d"]], dtype=object))


def random_column(rng, n_rows):
    """Return a column of a random kind, dtype and share of gaps."""
    kind = rng.integers(0, 12)
    values = [
        lambda: rng.normal(size=n_rows) * 10.0 ** rng.integers(-6, 7),
        lambda: rng.integers(-100, 100, n_rows),
        lambda: rng.integers(0, 2, n_rows),
        lambda: rng.random(n_rows) < 0.5,
        lambda: rng.choice(list("abcdefgh"), n_rows).astype(object),
        lambda: pd.Categorical(rng.integers(0, 4, n_rows)),
        lambda: np.full(n_rows, rng.choice([0.0, 3.5, 1e9])),
        lambda: np.full(n_rows, "same", dtype=object),
        lambda: np.full(n_rows, np.nan),
        lambda: np.array([f"row {i}" for i in range(n_rows)], dtype=object),
        lambda: rng.integers(0, 255, n_rows).astype(rng.choice(["uint8", "int16", "float32"])),
        lambda: pd.array(rng.integers(0, 9, n_rows), dtype="Int64"),
    ][kind]()
    series = pd.Series(values)
    if rng.random() < 0.4:
        if series.dtype.kind in "iub" and isinstance(series.dtype, np.dtype):
            series = series.astype(rng.choice(["float64", "object"]))
        series[rng.random(n_rows) < rng.choice([0.1, 0.9])] = None
    return series


def frame_names_differ(frame):
    return len(set(frame.columns)) == len(frame.columns)


@pytest.mark.parametrize(
    "block", [*range(2), *(pytest.param(k, marks=pytest.mark.slow) for k in range(2, 10))]
)
def test_random_frames_give_a_finite_model_or_a_clear_error(block):
    for seed in range(50 * block, 50 * (block + 1)):
        rng = np.random.default_rng(seed)
        n_rows = int(rng.choice([1, 2, 3, 30, 60]))
        columns = [random_column(rng, n_rows) for _ in range(rng.integers(1, 7))]
        frame = pd.concat(columns, axis=1)
        frame.columns = rng.choice(
            list("abcdefghij"), len(columns), replace=bool(rng.random() < 0.2)
        )
        if rng.random() < 0.3 and frame.columns.is_unique:
            frame = pl.DataFrame(
                {name: [None if pd.isna(v) else v for v in frame[name]] for name in frame.columns}
            )
        aae = AAETransformer(2, hidden_layer_sizes=8, max_iter=1, random_state=0)
        if not frame_names_differ(frame):
            with pytest.raises(ValueError, match="columns with the name"):
                aae.fit(frame)
            continue
        if n_rows == 1:
            with pytest.raises(ValueError, match="minimum of 2 is required"):
                aae.fit(frame)
            continue
        if all(pd.Series(list(frame[name])).isna().all() for name in frame.columns):
            with pytest.raises(ValueError, match="no column of X has a value"):
                aae.fit(frame)
            continue
        aae.fit(frame)
        assert np.isfinite(aae.transform(frame)).all(), seed
        assert np.isfinite(aae.score_samples(frame)).all(), seed
        rows = aae.sample(5, random_state=0)
        require_same_columns(aae.impute(frame), frame)
        assert list(rows.columns) == list(frame.columns)
        assert np.isfinite(aae.transform(rows)).all(), seed


def test_noise_of_later_chunks_does_not_replace_that_of_earlier_rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000)
    frame = pd.DataFrame({"a": x, "b": x + 0.1 * rng.normal(size=1000), "c": x > 0})
    aae = AAETransformer(1, max_iter=1, random_state=0).fit(frame)
    before = aae._noise @ aae._noise.T
    aae.partial_fit(frame[:1])
    after = aae._noise @ aae._noise.T
    np.testing.assert_allclose(after, before, rtol=0.05, atol=0.02)
    again = clone(aae).partial_fit(frame)
    assert again._noise.shape == (2, 2)


# Rows of other containers ------------------------------------------------------------------------


BRIEF = {"max_iter": 2, "hidden_layer_sizes": (8,), "random_state": 0}


def test_masked_entries_are_gaps_beside_categories_too():
    X = np.ma.array(np.random.default_rng(0).normal(size=(60, 3)))
    X[:, 2] = np.arange(60) % 2
    X[3, 0] = -999.0
    X[3, 0] = np.ma.masked
    model = AAETransformer(categorical_features=[2], **BRIEF).fit(X)
    assert model._table.lowest[0] > -10.0
    filled = model.impute(X)
    assert filled[3, 0] > -10.0
    np.testing.assert_array_equal(filled[~X.mask], X.data[~X.mask])
    np.testing.assert_array_equal(model.transform(X), model.transform(X.filled(np.nan)))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_impute_keeps_fractions_beside_integers_of_the_training_frame():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 3, (60, 3)), columns=["a", "b", "c"])
    model = AAETransformer(categorical_features=["c"], **BRIEF).fit(frame)
    X = np.array([[2.5, np.nan, 1.0], [3.7, 4.2, 2.0]])
    for rows in (X, X.astype(object), X.tolist()):
        filled = model.impute(rows)
        np.testing.assert_array_equal(filled[~np.isnan(X)].astype(float), X[~np.isnan(X)])


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("missing", [False, True])
def test_dates_are_no_numbers_after_fit_either(library, missing):
    X = np.random.default_rng(0).normal(size=(60, 2))
    make = pd.DataFrame if library == "pandas" else pl.DataFrame
    model = AAETransformer(**BRIEF).fit(make({"a": X[:, 0], "b": X[:, 1]}))
    day = [datetime.datetime(2020, 1, 1), None if missing else datetime.datetime(2020, 1, 2)]
    for rows in ({"a": day, "b": day}, {"a": [1.0, 2.0], "b": day}):
        with pytest.raises(ValueError, match=r"column '[ab]' has dtype .*[Dd]ate.*days since"):
            model.transform(make(rows))


def test_numbers_as_names_of_columns_have_an_order_too():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({0: rng.normal(size=60), 1: rng.normal(100.0, 1.0, 60)})
    for table in (frame, frame.assign(**{"2": "u"}).rename(columns={"2": 2})):
        model = AAETransformer(**BRIEF).fit(table)
        with pytest.raises(
            ValueError, match=r"another order.*column 0 has the name 1 in place of 0"
        ):
            model.transform(table[[1, 0, *table.columns[2:]]])
        assert model.transform(table).shape == (60, 2)


@pytest.mark.parametrize("as_frame", [False, True])
def test_float32_stays_float32_beside_categories(as_frame):
    X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    X[:, 2] = np.arange(60) % 2
    rows = X
    if as_frame:
        rows = pd.DataFrame(X, columns=list("abc")).astype({"c": str})
    model = AAETransformer(categorical_features=["c"] if as_frame else [2], **BRIEF).fit(rows)
    assert model.transform(rows).dtype == np.float32
    if not as_frame:
        assert model.reconstruct(rows).dtype == model.impute(rows).dtype == np.float32
    wide = model.transform(rows.astype({"a": float}) if as_frame else rows.astype(float))
    np.testing.assert_allclose(wide, model.transform(rows), rtol=1e-4, atol=1e-5)


def pickled(model):
    return pickle.loads(pickle.dumps(model))


def saved(model):
    with tempfile.TemporaryDirectory() as folder:
        skaae.save(model, f"{folder}/model.skaae")
        return skaae.load(f"{folder}/model.skaae")


@pytest.mark.parametrize("again", [pickled, saved])
def test_columns_of_pyarrow_keep_their_dtypes(again):
    text = "age,city,member\n" + "\n".join(
        f"{20 + i},{'ab'[i % 2]},{i % 3 == 0}" for i in range(30)
    )
    frame = pd.read_csv(io.StringIO(text), dtype_backend="pyarrow")
    model = AAETransformer(**BRIEF).fit(frame)
    for one in (model, again(model)):
        samples = one.sample(5, random_state=0)
        assert samples.dtypes.tolist() == frame.dtypes.tolist()
        pd.testing.assert_frame_equal(samples, model.sample(5, random_state=0))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_new_rows_may_hold_what_only_unlabeled_rows_had(library):
    rng = np.random.default_rng(0)
    few, more = ["a", "b"], ["a", "b", "c"]
    X = {"city": rng.choice(few, 40), "size": rng.integers(0, 120, 40)}
    others = {"city": rng.choice(["c", "a"], 60), "size": rng.integers(0, 160, 60)}
    if library == "pandas":
        X = pd.DataFrame(X).astype({"city": pd.CategoricalDtype(few), "size": "int8"})
        others = pd.DataFrame(others).astype({"city": pd.CategoricalDtype(more)})
    else:
        X = pl.DataFrame(X, schema={"city": pl.Enum(few), "size": pl.Int8})
        others = pl.DataFrame(others, schema={"city": pl.Enum(more), "size": pl.Int64})
    model = SemiSupervisedAAEClassifier(pseudo_labels=False, **BRIEF)
    samples = model.fit(X, np.arange(40) % 2, X_unlabeled=others).sample(200, random_state=0)
    city, size = (np.asarray(samples[name]) for name in ("city", "size"))
    assert set(city.tolist()) == {"a", "b", "c"}
    assert size.max() > 127
    assert "64" in str(samples["size"].dtype)


@pytest.mark.parametrize("dtype", ["Date", "Datetime", "Duration"])
def test_dates_are_no_numbers_of_a_fitted_model_either(dtype):
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"day": rng.integers(0, 99, 30), "kind": rng.choice(["a", "b"], 30)})
    model = AAETransformer(**BRIEF).fit(frame)
    dates = frame.with_columns(pl.col("day").cast(getattr(pl, dtype)))
    with pytest.raises(ValueError, match=r"'day' held numbers .* is no number"):
        model.transform(dates)
    model = AAETransformer(categorical_features=[1], **BRIEF).fit(rng.integers(0, 9, (30, 2)))
    with pytest.raises(ValueError, match="is no number"):
        model.transform(np.full((2, 2), np.datetime64("2024-01-01")))


@pytest.mark.parametrize(("first", "then"), [("float64", "float32"), ("float32", "float64")])
def test_categories_are_found_in_rows_of_another_precision(first, then):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=40), rng.choice([0.1, 0.7, 1.0], 40)])
    model = AAETransformer(categorical_features=[1], **BRIEF).fit(X.astype(first))
    wanted = model.transform(X.astype(first))
    np.testing.assert_allclose(model.transform(X.astype(then)), wanted, rtol=1e-4, atol=1e-5)


def test_gaps_that_are_text_are_filled():
    X = np.array([["a", "1.0"], ["b", "2.0"]] * 15, dtype=object)
    model = AAETransformer(categorical_features=[0], **BRIEF).fit(X)
    filled = model.impute([["a", "1.0"], ["b", "nan"]])
    assert not np.isnan(float(filled[1, 1]))
    assert filled[0, 1] == "1.0"


def test_decimals_with_gaps_and_at_their_limits():
    pyarrow = pytest.importorskip("pyarrow")
    values = [None if i % 7 == 0 else Decimal(i) for i in range(30)]
    dtype = pd.ArrowDtype(pyarrow.decimal128(5, 1))
    frame = pd.DataFrame({"x": np.arange(30.0), "d": pd.array(values, dtype=dtype)})
    assert AAETransformer(**BRIEF).fit(frame).n_features_in_ == 2
    near = pl.DataFrame({"x": np.arange(30.0), "d": 99.0 + np.arange(30) % 10 / 10.0})
    near = near.with_columns(pl.col("d").cast(pl.Decimal(3, 1)))
    samples = AAETransformer(**BRIEF).fit(near).sample(50, clip=False, random_state=0)
    assert samples["d"].dtype == pl.Decimal(3, 1)
    wide = near.with_columns(pl.lit(Decimal("123456.5")).alias("d"))
    model = SemiSupervisedAAEClassifier(pseudo_labels=False, **BRIEF)
    with pytest.warns(UserWarning, match="predicts class"):
        model.fit(near, np.arange(30) % 2, X_unlabeled=wide)
    assert model.sample(5)["d"].dtype == pl.Float64


@pytest.mark.parametrize(("digits", "scale"), [(3, 1), (16, 1), (17, 5), (18, 2), (38, 2)])
def test_limits_of_decimals_are_within_them(digits, scale):
    exact = Decimal(10**digits - 1).scaleb(-scale)
    least, most = limits_of(pl.Decimal(digits, scale))
    assert -least == most
    assert 0.999 * float(exact) < most
    assert Decimal(most) <= exact


def test_categories_that_unlabeled_rows_add_keep_their_type():
    X = pd.DataFrame({"k": pd.Categorical([1, 2] * 20), "x": np.arange(40.0)})
    others = pd.DataFrame({"k": pd.Categorical([1, 2, 3] * 20), "x": np.arange(60.0)})
    model = SemiSupervisedAAEClassifier(pseudo_labels=False, **BRIEF)
    samples = model.fit(X, np.arange(40) % 2, X_unlabeled=others).sample(3)
    assert samples["k"].dtype == pd.CategoricalDtype([1, 2, 3])


def test_what_is_no_table_yet_and_no_category_is_named():
    x = np.arange(30.0)
    with pytest.raises(ValueError, match=r"LazyFrame.*X\.collect\(\)"):
        AAETransformer(**BRIEF).fit(pl.DataFrame({"x": x, "y": x}).lazy())
    pairs = pd.Categorical([("a", 1), ("b", 2)] * 15)
    with pytest.raises(ValueError, match="'c' holds a tuple"):
        AAETransformer(**BRIEF).fit(pd.DataFrame({"x": x, "c": pairs}))
    named = pd.DataFrame({("a", "x"): x, ("a", "c"): [1, 2] * 15})
    model = AAETransformer(categorical_features=[("a", "c")], **BRIEF).fit(named)
    assert model._table.categories is not None


@pytest.mark.parametrize("others", [True, False], ids=["categories", "numbers"])
def test_gaps_have_no_loss_where_the_training_rows_have_none(others):
    frame = pd.DataFrame(load_iris(return_X_y=True)[0], columns=list("abcd"))
    if others:
        frame["kind"] = pd.Categorical(np.arange(150) % 3)
        frame["flag"] = np.arange(150) % 2 == 0
    aae = make(AAETransformer, scaling="standard", max_iter=30).fit(frame)
    rows = frame.iloc[:5].copy()
    rows.iloc[0, 2] = np.nan
    known = aae._network_rows(rows).known_values()[:]
    assert known.shape == (5, aae._table.layout.n_columns)
    assert (known == 0.0).nonzero() == (np.array([0]), np.array([2]))
    assert others or aae._network_rows(frame.iloc[:5]).known_values() is None
    filled = rows.copy()
    filled.iloc[0, 2] = frame["c"].mean()  # what the encoder reads
    scores, of_filled = aae.score_samples(rows), aae.score_samples(filled)
    np.testing.assert_allclose(scores[1:], of_filled[1:], rtol=1e-5)
    error = (aae.reconstruct(filled)["c"] - filled["c"]).iloc[0] / frame["c"].std(ddof=0)
    assert scores[0] == pytest.approx(of_filled[0] + 0.5 * error**2, rel=1e-4)
    if others:
        rows = rows.astype({"flag": "boolean"})
        rows.iloc[1, 4] = rows.iloc[2, 5] = None
        found = aae.score_samples(rows)
        assert (found[1:3] > scores[1:3]).all()
        errors = inference.errors_and_codes(aae._step, aae._network_rows(rows))
        assert (errors[1, 5:8] == 0.0).all()
        assert errors[2, 4] == 0.0
        assert errors[0, 2] == 0.0
        assert (errors[3:, :8] != 0.0).all()


def test_partial_fit_does_not_rank_numbers_of_mixed_frames():
    rng = np.random.default_rng(0)

    def frame(most):
        numbers = {"x": rng.uniform(0.0, most, 60), "z": rng.normal(size=60)}
        return pd.DataFrame({**numbers, "kind": pd.Categorical(rng.integers(3, size=60))})

    aae = make(AAETransformer).partial_fit(frame(1.0)).partial_fit(frame(10.0))
    assert aae.scaling_ == "standard"
    ranked = make(AAETransformer, scaling="quantile").partial_fit(frame(1.0))
    with pytest.warns(UserWarning, match="'x' of X holds numbers .* All numbers outside count"):
        ranked.partial_fit(frame(10.0))


def test_frames_that_are_not_scaled_have_noise_too():
    X, _ = load_iris(return_X_y=True)
    frame = pd.DataFrame((X - X.mean(axis=0)) / X.std(axis=0), columns=list("abcd"))
    aae = make(AAETransformer, scaling=None, max_iter=100).fit(frame)
    assert aae._noise is not None
    ratios = aae.sample(2000, random_state=0).std() / frame.std()
    assert ratios.between(0.8, 1.25).all()


def test_a_category_of_less_than_a_hundredth_is_rare():
    kinds = ["a"] * 148 + ["b", "c"]
    frame = pd.DataFrame({"x": np.arange(150.0), "kind": pd.Categorical(kinds)})
    aae = make(AAETransformer, max_iter=1)
    with pytest.warns(UserWarning, match="max_iter=1 is too small"):
        aae.fit(frame)
    assert [len(group) for group in aae._table.categories.values[0]] == [1, 2]


def test_partial_fit_warns_of_gaps_in_columns_that_had_none(recwarn):
    X = load_iris(return_X_y=True)[0]
    X[::5, 1] = np.nan
    aae = make(AAETransformer).partial_fit(X)
    aae.partial_fit(X)
    assert not list(recwarn)
    X[::7, 2] = np.nan
    with pytest.warns(UserWarning, match="1 columns of X, such as 2, have missing values now"):
        aae.partial_fit(X)


def test_numbers_that_a_sigmoid_returns_have_no_noise():
    frame = pd.DataFrame(np.random.default_rng(0).uniform(0.25, 0.75, size=(60, 3))).rename(
        columns=str
    )
    params = {"scaling": None, "reconstruction_loss": "binary_cross_entropy"}
    assert make(AAETransformer, **params).fit(frame)._noise is None
