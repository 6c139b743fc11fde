"""Odd and hostile data: every fit ends in a finite model, or in a ValueError that helps the user.

Hypothesis draws tables, labels and parameters: always the same examples, more of them with --slow.
For still more, or others, set ODD_EXAMPLES to a number and ODD_SEED to a whole number.
"""

import os
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from conftest import FITS
from hypothesis import HealthCheck, Phase, configuration, given, note, seed, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from skaae import (
    MLP,
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    AAETransformer,
    SemiSupervisedAAEClassifier,
    SupervisedAAETransformer,
)
from skaae.neighbours import neighbour_graph

pytestmark = pytest.mark.usefixtures("small_forests")

# Hypothesis keeps files there, and else in the folder of the tests.
configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis")

ARRAYS = ["float64", "float32", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16"]
ARRAYS += ["uint32", "uint64", "bool", "longdouble", ">f8", ">i4", "object"]
VALUES = ["normal", "constant", "some constant", "duplicates", "whole", "flags", "outlier", "zeros"]
VALUES += ["far off", "pixels"]
LAYOUTS = ["C", "F", "reversed", "skipping", "read-only", "mapped", "list", "subclass", "broadcast"]
SPARSE = ["csr", "csc", "coo", "lil", "dia", "bsr", "dok"]
FRAMES = ["pandas", "polars"]
# Parts of messages that speak of PyTorch's, NumPy's or our internals and not of the user's data.
INTERNALS = [
    "mat1 and mat2", "cuda", "index out of range", "out of bounds", "broadcast", "einsum", "aten",
    "size of tensor", "must match the size", "singular", "svd", "math domain", "zero-size", "ufunc",
    "<class",
    "nonetype", "object has no attribute", "negative stride", "converge", "traceback", "assert",
    "unhashable", "cannot cast", "out of memory", "not supported for the input types", "isfinite",
    "setting an array element", "invalid literal", "could not be broadcast", "probabilities",
    "expected n_neighbors", "unsupported operand", "not supported between", "overflow",
]  # fmt: skip


@st.composite
def numbers(draw, rng, n, d):
    """Return an array of float64, (n, d), that a table is made of."""
    kind = draw(st.sampled_from(VALUES))
    X = rng.normal(size=(n, d))
    if kind == "constant":
        X[:] = X[0, 0]
    elif kind == "zeros":
        X[:] = 0.0
    elif kind == "some constant":
        X[:, : (d + 1) // 2] = X[0, : (d + 1) // 2]
    elif kind == "duplicates":
        X = X[rng.integers(0, max(1, n // 4), size=n)]
    elif kind == "whole":
        X = rng.integers(-5, 6, size=(n, d)).astype(float)
    elif kind == "flags":
        X = (X > 1.0).astype(float)
    elif kind == "outlier":
        X[rng.integers(n), rng.integers(d)] = 1e12
    elif kind == "far off":
        X += 1e9
    elif kind == "pixels":
        X = rng.uniform(size=(n, d)) * (rng.uniform(size=(n, d)) > 0.4)
    scale = draw(st.sampled_from(["one", "one", "all", "columns", "huge", "tiny", "limits"]))
    powers = {
        "all": lambda: rng.uniform(-30, 30),
        "columns": lambda: rng.uniform(-30, 30, size=d),
        "huge": lambda: 30.0,
        "tiny": lambda: -30.0,
        "limits": lambda: rng.choice([-320, -300, -160, 0, 100, 160, 300], size=d),
    }
    if scale in powers:
        with np.errstate(over="ignore"):
            X = (X * 10.0 ** powers[scale]()).clip(-1.7e308, 1.7e308)
    return X


def in_dtype(X, dtype, rng):
    """Return numbers in a dtype; those that do not fit into it become its extremes."""
    if dtype == "object":
        return X.astype(object)
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        top = np.abs(X[np.isfinite(X)]).max(initial=0.0)
        factor = float(rng.choice([1.0, limits.max / max(top, 1e-200)]))
        with np.errstate(over="ignore", invalid="ignore"):
            wide = np.nan_to_num(X * factor).clip(float(limits.min), float(limits.max))
        whole = [[min(max(int(v), limits.min), limits.max) for v in row] for row in wide]
        return np.array(whole, dtype=dtype)
    if dtype.kind == "b":
        return X > 0
    with np.errstate(over="ignore"):
        cast = X.astype(dtype)
    limits = np.finfo(dtype)
    return np.clip(cast, limits.min, limits.max) if np.isinf(cast).any() else cast


def laid_out(X, layout, folder):
    """Return X with the same values in another memory layout or container."""
    if layout == "F":
        return np.asfortranarray(X)
    if layout == "reversed":
        return X[::-1, ::-1].copy()[::-1, ::-1]
    if layout == "skipping":
        return np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]
    if layout == "read-only":
        X = X.copy()
        X.setflags(write=False)
    if layout == "mapped" and X.dtype != object:
        path = Path(folder) / "rows.npy"
        np.save(path, X)
        return np.load(path, mmap_mode="r")
    if layout == "list":
        return X.tolist()
    if layout == "subclass" and X.dtype != object:
        return np.ma.array(X)
    if layout == "broadcast":
        return np.broadcast_to(X[:1], X.shape)
    return X


COLUMNS = ["int8", "Int64", "float32", "Float64", "boolean", "bool", "category", "str", "object"]
COLUMNS += ["float64", "uint64", "numbers as category", "gaps", "string"]
NAMES = ["", " ", "a" * 300, "x\n", "é", "0", "y", "self", "NaN", "None", "x.y", "%s", "{x}"]


def as_column(values, kind, rng):
    """Return numbers as a column of a pandas dtype."""
    small = np.nan_to_num(values).clip(-100, 100)
    words = np.array(["ant", "", "Bee", "é", "nan", "-1"])[np.abs(small).astype(int) % 6]
    made = {
        "int8": lambda: pd.Series(small.astype("int8")),
        "Int64": lambda: pd.Series(small.astype("int64"), dtype="Int64").mask(small > 1),
        "float32": lambda: pd.Series(in_dtype(values, "float32", rng)),
        "Float64": lambda: pd.Series(values, dtype="Float64").mask(values > 1),
        "boolean": lambda: pd.Series(small > 0, dtype="boolean").mask(small > 1),
        "bool": lambda: pd.Series(small > 0),
        "category": lambda: pd.Series(words, dtype="category"),
        "str": lambda: pd.Series(words),
        "string": lambda: pd.Series(words, dtype="string").mask(values > 1),
        "object": lambda: pd.Series(values.astype(object)).mask(values > 1, None),
        "float64": lambda: pd.Series(values),
        "uint64": lambda: pd.Series(np.abs(small).astype("uint64") + np.uint64(2**63)),
        "numbers as category": lambda: pd.Series(small.round(1), dtype="category"),
        "gaps": lambda: pd.Series(np.full(len(values), np.nan)),
    }
    return made[kind]()


def in_polars(frame):
    """Return a pandas frame as one of polars."""
    columns = []
    for name, column in frame.items():
        gaps = column.isna().tolist()
        values = [None if gap else v for gap, v in zip(gaps, column.tolist(), strict=True)]
        columns.append(pl.Series(name, values))
    return pl.DataFrame(columns)


@st.composite
def tables(draw, folder, n_columns=None):
    """Return X, and whether it is a table that must be refused."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.one_of(st.integers(2, 6), st.integers(7, 40)))
    d = draw(st.one_of(st.integers(1, 3), st.integers(4, 30), st.sampled_from([5, 9, 16, 300])))
    if draw(st.integers(0, 60)) == 0:
        d = 5000
    d = n_columns or d
    n = min(n, 12) if d > 100 else n
    X = draw(numbers(rng, n, d))
    container = draw(st.sampled_from(["array"] * 6 + ["sparse"] * 2 + ["frame"] * 3))
    gaps = draw(st.sampled_from(["none"] * 4 + ["few", "many", "column", "row", "infinity"]))
    if gaps in ("few", "many"):
        X[rng.uniform(size=X.shape) < (0.05 if gaps == "few" else 0.7)] = np.nan
    elif gaps == "column":
        X[:, rng.integers(d)] = np.nan
    elif gaps == "row":
        X[rng.integers(n)] = np.nan
    infinite = np.array(0.0)
    if gaps == "infinity" and container != "frame":
        X[rng.integers(n), rng.integers(d)] = rng.choice([np.inf, -np.inf])
        infinite = X
    if container == "frame":
        X = X[:, :30]
        kinds = [draw(st.sampled_from(COLUMNS)) for _ in range(min(X.shape[1], 4))]
        kinds += rng.choice(COLUMNS, size=max(0, X.shape[1] - 4)).tolist()
        names = [f"{NAMES[i % len(NAMES)]}{i // len(NAMES) or ''}" for i in range(X.shape[1])]
        frame = pd.concat(
            [as_column(c, k, rng) for c, k in zip(X.T, kinds, strict=True)], axis=1
        ).set_axis(names, axis=1)
        frame.index = rng.permutation(len(frame)) - 3
        return (frame if draw(st.booleans()) else in_polars(frame)), False
    if container == "sparse":
        dtype = draw(st.sampled_from(["float64", "float32", "int64", "bool", "uint8"]))
        made = in_dtype(np.where(rng.uniform(size=X.shape) < 0.5, 0.0, X), dtype, rng)
        kind = draw(st.sampled_from(SPARSE))
        cls = getattr(scipy.sparse, f"{kind}_{draw(st.sampled_from(['array', 'matrix']))}")
        bad = made.dtype.kind == "f" and np.isinf(made).any()
        return cls(made), bool(bad)
    dtype = draw(st.sampled_from(ARRAYS))
    if dtype != "object" and np.dtype(dtype).kind == "f" and np.isinf(infinite).any():
        with np.errstate(over="ignore"):
            X = X.astype(dtype)
    else:
        X = in_dtype(X, dtype, rng)
    if dtype == "object" and draw(st.integers(0, 3)) == 0:
        X[rng.integers(n), rng.integers(d)] = draw(
            st.sampled_from([None, "word", "", b"raw", "1.5", 10**400, pd.NA, {}, [1, 2], True, 1j])
        )
    made = laid_out(X, draw(st.sampled_from(LAYOUTS)), folder)
    return made, X.dtype.kind == "f" and bool(np.isinf(np.asarray(made)).any())


@st.composite
def labels(draw, n):
    """Return y for n rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_classes = draw(st.sampled_from([1, 2, 3, n]))
    index = np.arange(n) % n_classes if draw(st.booleans()) else rng.integers(0, n_classes, size=n)
    hidden = rng.uniform(size=n) < draw(st.sampled_from([0.0, 0.0, 0.3, 0.8, 1.0]))
    words = [f"c{i}" for i in index]
    marked = np.where(hidden, -1, index)

    def objects(values):
        made = np.empty(n, dtype=object)
        made[:] = values
        return made

    kinds = {
        "integers": lambda: marked,
        "large": lambda: marked.astype(np.int64) * 2**61,
        "uint64": lambda: index.astype(np.uint64) + np.uint64(2**63),
        "int8": lambda: marked.astype(np.int8),
        "floats": lambda: np.where(hidden, np.nan, index.astype(float)),
        "float32": lambda: marked.astype(np.float32),
        "fractions": lambda: index + 0.5,
        "negative": lambda: -marked - 5,
        "infinite": lambda: np.where(hidden, np.inf, index),
        "strings": lambda: np.array(words),
        "bytes": lambda: np.array(words).astype("S"),
        "objects": lambda: objects([None if h else w for h, w in zip(hidden, words, strict=True)]),
        "beside -1": lambda: objects([-1 if h else w for h, w in zip(hidden, words, strict=True)]),
        "mixed": lambda: objects(
            [i if h else w for i, h, w in zip(index, hidden, words, strict=True)]
        ),
        "bool": lambda: index > 0,
        "list": lambda: marked.tolist(),
        "category": lambda: pd.Series(pd.Categorical(words)).mask(hidden),
        "Int64": lambda: pd.Series(index, dtype="Int64").mask(hidden),
        "boolean": lambda: pd.Series(index > 0, dtype="boolean").mask(hidden),
        "dates": lambda: np.datetime64("2020-01-01") + index,
        "column": lambda: marked[:, None],
        "two columns": lambda: np.stack([marked, marked], axis=1),
        "short": lambda: marked[:-1],
        "polars": lambda: pl.Series(words),
        "tuples": lambda: objects([(i, i) for i in index]),
        "none": lambda: None,
        "complex": lambda: index * 1j,
        "empty strings": lambda: np.array(["" if i else "x" for i in index]),
        "binary": lambda: np.where(index > 0, 1, -1),
        "frame": lambda: pd.DataFrame({"y": marked}),
    }
    kind = draw(st.sampled_from(sorted(kinds)))
    return kinds[kind]()


@st.composite
def models(draw, cls):
    """Return an estimator that trains briefly."""
    params = {"max_iter": draw(st.integers(1, 2)), "hidden_layer_sizes": (8,), **FITS}

    def may(name, *values):
        if draw(st.integers(0, 2)) == 0:
            params[name] = draw(st.sampled_from(values))

    may("n_components", 1, 2, 5)
    may("prior", "gaussian", "uniform")
    if params.get("n_components", 0) == 2:
        may("prior", "petals", "swiss_roll")
    may("reconstruction_loss", "binary_cross_entropy")
    may(
        "scaling",
        *(
            ["range"]
            if "reconstruction_loss" in params
            else ["standard", "quantile", "range", None]
        ),
    )
    may("batch_size", 1, 2, 7, 1000)
    may("solver", "adam", "sgd")
    may("input_noise", 0.0, 0.5)
    may("early_stopping", True)
    may("network", MLP(dropout=0.2), MLP(batch_norm="hidden"), MLP(weight_init="small"), "conv")
    if params.get("network") == "conv":
        del params["hidden_layer_sizes"]
    if cls is AAETransformer:
        may("posterior", "gaussian", "universal")
        may("regularizer", "mmd", None, *(["kl"] if params.get("posterior") == "gaussian" else []))
    if cls is AAEEmbedding:
        may("use_labels", True)
    if cls is AAEOutlierDetector:
        may("contamination", 0.1, 0.5)
        may("criterion", "reconstruction")
    if cls is SemiSupervisedAAEClassifier:
        may("pseudo_labels", True, False)
        may("components_per_class", 2)
        may("class_weight", "balanced")
        may("class_prior", "uniform")
    if cls is AAEClusterer:
        params["n_clusters"] = draw(st.integers(1, 4))
        may("init", "k-means", "random", "spectral", "mixture")
        may("overclustering", 2)
    if cls is AAEEmbedding:
        may("n_neighbors", 2, 15, None)
        if params.get("n_neighbors") is None and not params.get("use_labels"):
            may("n_clusters", 2)
    if hasattr(cls, "unlabeled_label"):
        may("unlabeled_label", None, -1, "c0")
    return cls(**params)


def require_helpful(error):
    """Raise AssertionError if an error speaks of internals; what it should name is in the text."""
    message = str(error)
    # scikit-learn asks for a TypeError if an object is no number
    assert not isinstance(error, TypeError) or "float() argument must be" in message, message
    note(f"{type(error).__name__}: {message}")
    OUTCOMES[message[:90]] += 1
    found = [part for part in INTERNALS if part in message.lower()]
    assert not found, f"the message speaks of {found}: {message}"
    assert len(message) > 25, f"the message says too little: {message!r}"


# How many examples ended how: in a model, or in an error with this beginning.
OUTCOMES = Counter()


def values_of(found):
    """Return the numbers of an array or a data frame, with gaps as NaN."""
    if isinstance(found, pl.DataFrame):
        found = pd.DataFrame({c.name: c.to_list() for c in found if c.dtype.is_numeric()})
    if not isinstance(found, pd.DataFrame):
        return np.asarray(found)
    columns = [found.iloc[:, i] for i in range(found.shape[1])]
    plain = [c for c in columns if pd.api.types.is_numeric_dtype(c.dtype)]
    return np.array([c.to_numpy(dtype=float, na_value=np.nan) for c in plain]).T


def check_use(model, X, y):
    """Check the results of a fitted model on its training rows."""
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    for name, losses in model.history_.items():  # NaN where a stage does not have the loss
        assert name == "stage" or not np.isinf(losses).any(), name
    Z = model.transform(X)
    assert Z.shape == (n, model._n_features_out)
    assert np.isfinite(Z).all()
    assert Z.dtype in (np.float32, np.float64)
    given = (y,) if isinstance(model, SupervisedAAETransformer) else ()
    scores = model.score_samples(X, *given)
    assert scores.shape == (n,)
    assert np.isfinite(scores).all()
    for name in ("predict", "predict_proba", "decision_function"):
        if hasattr(model, name):
            found = getattr(model, name)(X)
            assert len(found) == n
            if found.dtype.kind == "f":
                assert np.isfinite(found).all()
            if name == "predict_proba":
                np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-4)
    if hasattr(model, "classes_") and hasattr(model, "transduction_"):
        assert set(model.transduction_.tolist()) <= set(model.classes_.tolist())
    rows = {"reconstruct": model.reconstruct(X, *given), "impute": model.impute(X, *given)}
    rows["sample"] = model.sample(3, random_state=0)
    rows["inverse_transform"] = model.inverse_transform(Z)
    unknown = np.isnan(model._table.lowest)
    for name, found in rows.items():
        assert found.shape == (3 if name == "sample" else n, model.n_features_in_), name
        values = values_of(found)
        if values.dtype == object:
            continue
        assert not np.isinf(values).any(), name
        if not unknown.any():
            assert not np.isnan(values).any() or values_of(found).shape[1] < found.shape[1], name


def check_fit(model, X, y, refused):
    """Fit a model, and check that it is finite, or that the error helps."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model.fit(X, y)
        except (ValueError, FloatingPointError, TypeError) as error:
            require_helpful(error)
            return
        assert not refused, "infinity was trained on"
        OUTCOMES["fitted"] += 1
        try:
            check_use(model, X, y)
        except ValueError as error:
            require_helpful(error)
            raise AssertionError("a fitted model refuses its training rows") from error


@st.composite
def problems(draw, folder, cls):
    """Return a model, X, y, and whether X must be refused."""
    X, refused = draw(tables(folder))
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    return draw(models(cls)), X, draw(labels(n)), refused


ESTIMATORS = [
    AAETransformer,
    AAEOutlierDetector,
    SupervisedAAETransformer,
    SemiSupervisedAAEClassifier,
    AAEClusterer,
    AAEEmbedding,
]


def brief(cls=AAETransformer, **params):
    return cls(**{"max_iter": 1, "hidden_layer_sizes": (8,), **FITS, **params})


FEW, MANY = 240, int(os.environ.get("ODD_EXAMPLES", 2000))


def examples(number):
    """Return a decorator that calls a test with so many examples, over all estimators."""
    how = settings(
        max_examples=-(-number // len(ESTIMATORS)),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    first = int(os.environ.get("ODD_SEED", 0))
    given_data = given(data=st.data())
    each = pytest.mark.parametrize("cls", ESTIMATORS)
    quiet = pytest.mark.filterwarnings("ignore:Constructing a DIA")
    return lambda test: quiet(each(seed(first)(how(given_data(test)))))


def check_example(cls, data):
    """Check the fit of one example."""
    with tempfile.TemporaryDirectory() as folder:
        model, X, y, refused = data.draw(problems(folder, cls), label="problem")
        check_fit(model, X, y, refused)


@examples(FEW)
def test_a_fit_ends_in_a_finite_model_or_a_clear_error(cls, data):
    check_example(cls, data)


@pytest.mark.slow
@examples(MANY)
def test_more_fits_end_in_finite_models_or_clear_errors(cls, data):
    check_example(cls, data)


@pytest.fixture(scope="module")
def fitted():
    """Estimators of all kinds, fitted on a plain table and on a frame with all kinds of columns."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 5)), np.arange(30) % 3
    frame = pd.DataFrame(X, columns=list("abcde")).assign(
        b=X[:, 1] > 0, c=np.array(["ant", "bee"])[y // 2], d=(3 * X[:, 3]).round().astype(int)
    )
    made = []
    for cls in ESTIMATORS:
        for rows in (X, frame):
            model = brief(cls, **({"n_clusters": 3} if cls is AAEClusterer else {}))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                made.append(model.fit(rows, y))
    return made


@settings(
    max_examples=int(os.environ.get("ODD_EXAMPLES", 100)),
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@pytest.mark.filterwarnings("ignore:Constructing a DIA", "ignore::UserWarning")
@seed(int(os.environ.get("ODD_SEED", 0)))
@given(data=st.data())
def test_fitted_models_read_odd_rows_or_refuse_them(fitted, data):
    with tempfile.TemporaryDirectory() as folder:
        X, refused = data.draw(tables(folder, n_columns=5), label="table")
        model = data.draw(st.sampled_from(fitted), label="model")
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        if isinstance(X, pd.DataFrame):
            X = X.set_axis(list("abcde"), axis=1)
        elif isinstance(X, pl.DataFrame):
            X = X.rename(dict(zip(X.columns, "abcde", strict=True)))
        y = (np.arange(n) % 3,) if isinstance(model, SupervisedAAETransformer) else ()
        try:
            found = {"transform": model.transform(X), "score": model.score_samples(X, *y)}
            found |= {"decoded": model.reconstruct(X, *y), "filled": model.impute(X, *y)}
            if hasattr(model, "predict"):
                found["predict"] = model.predict(X)
        except (ValueError, TypeError) as error:
            require_helpful(error)
            return
        assert not refused or model._table.schema.is_mixed  # infinity may be a category
        for name, values in found.items():
            assert len(values) == n, name
            if values_of(values).dtype.kind == "f":
                assert np.isfinite(values_of(values)).all(), name


# Defects that the examples above have found, each with the smallest table that shows it.


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(30, 4))


@pytest.mark.parametrize("power", [-300, -160, -30, 30, 140])
def test_units_of_any_size_give_the_same_codes(rows, power):
    factors = np.array([1.0, 10.0**power, 1.0, 10.0**power])
    found = brief().fit(rows * factors)
    np.testing.assert_allclose(found.transform(rows * factors), brief().fit(rows).transform(rows))
    decoded = found.reconstruct(rows * factors) / factors
    np.testing.assert_allclose(decoded, brief().fit(rows).reconstruct(rows), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_at_the_limits_of_float32(rows, dtype):
    """Their sum is not finite, and a reconstruction may lie beyond the largest number."""
    X = np.where(rows > 0.0, 1, -1).astype(dtype) * np.finfo(np.float32).max
    model = brief().fit(X)
    for found in (model.transform(X), model.reconstruct(X), model.score_samples(X)):
        assert np.isfinite(found).all()
    decoded = model.inverse_transform(10.0 * model.transform(X.astype(np.float32)))
    assert np.isfinite(decoded).all()
    frame = pd.DataFrame(X.astype(np.float32), columns=list("abcd")).assign(word=["a", "b"] * 15)
    assert np.isfinite(values_of(brief().fit(frame).reconstruct(frame))).all()


def test_a_constant_column_of_huge_numbers_is_constant(rows):
    """The mean of equal numbers differs from them by rounding, here by more than 1e12."""
    X = np.column_stack([rows, np.full(30, 6.37e28)])
    assert np.abs(brief().fit(X)._table.transform(X)[:, -1]).max() <= 1.0


def test_numbers_too_large_to_train_on_are_refused(rows):
    with pytest.raises(ValueError, match=r"column 2 of X.*3e\+200.*take its logarithm"):
        brief().fit(np.where(np.arange(4) == 2, 3e200 * np.sign(rows), rows))
    with pytest.raises(ValueError, match=r"as 2\.*.*scaling=None leaves.*use scaling='auto'"):
        brief(scaling=None).fit(rows * 1e30)
    with pytest.raises(ValueError, match="column 'a' holds a number that is too large"):
        brief().fit(pd.DataFrame({"a": pd.Series([10**400, 1], dtype=object), "b": ["x", "y"]}))
    with pytest.raises(ValueError, match=r"X\[1, 0\] is 1000.*too large for float64"):
        brief().fit(np.array([[1, 2], [10**400, 2]], dtype=object))


@pytest.mark.parametrize("cls", [AAETransformer, AAEOutlierDetector])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_far_from_the_training_rows_have_finite_codes(rows, cls, dtype):
    model = brief(cls).fit(rows * 1e-30)
    X = rows.astype(dtype)
    for found in (model.transform(X), model.reconstruct(X), model.score_samples(X)):
        assert found.dtype == (np.float64 if found.ndim == 1 else dtype)
        assert np.isfinite(found).all()
    if cls is AAEOutlierDetector:
        assert (model.predict(X) == -1).all()


def test_training_goes_on_with_near_rows_only(rows):
    model = brief().partial_fit(rows)
    with pytest.raises(ValueError, match=r"column 1 of X.*1e\+12 times as far.*same units"):
        model.partial_fit(rows * [1.0, 1e20, 1.0, 1.0])


def test_masked_entries_are_gaps(rows):
    mask = rows > 1.5
    masked = np.ma.array(np.where(mask, 1e6, rows), mask=mask)
    gaps = np.where(mask, np.nan, rows)
    model = brief().fit(masked)
    np.testing.assert_array_equal(model.transform(masked), brief().fit(gaps).transform(gaps))
    whole = np.ma.array(rows.round().astype(int), mask=mask)
    assert np.isfinite(brief().fit(whole).transform(whole)).all()


@pytest.mark.parametrize("dtype", ["datetime64[s]", "timedelta64[s]"])
def test_dates_in_arrays_are_refused_as_those_in_frames(dtype):
    """NumPy would read a missing date as a huge number."""
    with pytest.raises(ValueError, match="days since a date"):
        brief().fit(np.arange(12).reshape(6, 2).astype(dtype))


def test_integers_of_128_bits():
    X = pl.DataFrame({"a": pl.Series([2**100, 2**101, 5], dtype=pl.Int128)})
    assert np.isfinite(brief().fit(X).transform(X)).all()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1.0, 2.0], [1.0]], "its rows have different lengths"),
        (np.ones((3, 2)) * 1j, "holds complex numbers; give their real and imaginary parts"),
        (pd.DataFrame(index=range(3)), "0 feature.*without columns"),
    ],
)
def test_what_is_no_table_of_numbers(X, message):
    with pytest.raises(ValueError, match=message) as caught:
        brief().fit(X)
    assert len(str(caught.value)) < 300


def test_objects_that_are_no_numbers_are_named():
    with pytest.raises(TypeError, match=r"not 'dict'.*X\[1, 0\] is \{\}"):
        brief().fit(np.array([[1, 2], [{}, 2]], dtype=object))
    X = np.array([[None, 1.0], [pd.NaT, 2.0], [3.0, 4.0]], dtype=object)
    assert np.isfinite(brief().fit(X).transform(X)).all()


def objects(*values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([b"a", b"b"]), "type bytes, such as b'a'; decode"),
        (objects((0,), (1,)), r"type tuple, such as \(0,\); make them text"),
        (objects({}, {}), "type dict"),
        (objects(np.ones(2), np.ones(2)), "type ndarray"),
        (objects(pd.Interval(0, 1), pd.Interval(1, 2)), "type Interval"),
        (np.array([1j, 2j]), "type complex"),
        (objects(1, "a"), r"mixes labels of types \['int', 'str'\]"),
        ([[1], [1, 2]], "sequences of different lengths"),
    ],
)
def test_what_is_no_label(y, message):
    X = np.random.default_rng(0).normal(size=(len(y), 2))
    with pytest.raises(ValueError, match=message):
        brief(SemiSupervisedAAEClassifier).fit(X, y)


@pytest.mark.parametrize("params", [{"scaling": "range"}, {"scaling": "standard"}])
@pytest.mark.parametrize("loss", ["squared_error", "binary_cross_entropy"])
def test_tables_whose_numbers_are_all_missing(params, loss):
    words = pd.DataFrame({"word": ["a", "b", "a", "c"]})
    for X in (words, words.assign(gaps=np.nan)):
        model = brief(reconstruction_loss=loss, **params).fit(X)
        assert np.isfinite(model.transform(X)).all()


def test_the_variance_of_constant_columns_is_not_negative():
    X = pd.DataFrame({"a": np.full(4, 0.1), "b": np.nan, "c": [0.1, np.nan, 0.1, 0.1]})
    assert (
        brief(reconstruction_loss="binary_cross_entropy").fit(X)._table.total_variance(X.to_numpy())
        >= 0
    )


@pytest.mark.parametrize("library", [pd, pl])
def test_gaps_are_filled_in_columns_of_other_dtypes(library):
    """Flags beside a number that fills them, and gaps alone where categories were."""
    number, word = [0.5, 2.5, 1.5, 3.5], ["ant", "bee"] * 2
    model = brief().fit(library.DataFrame({"a": number, "b": word}))
    X = library.DataFrame({"a": [True, None], "b": [None, None]})
    if library is pd:
        X["a"] = X["a"].astype("boolean")
    filled = model.impute(X)
    a, b = (filled[name].to_list() for name in "ab")
    assert a[0] == 1.0
    assert isinstance(a[1], float)
    assert set(b) <= set(word)


@pytest.mark.parametrize("dtype", ["str", "category"])
@pytest.mark.parametrize("library", [pd, pl])
def test_text_where_numbers_were_is_named(library, dtype):
    model = brief().fit(library.DataFrame({"a": [0.5, 2.5, 1.5]}))
    X = library.DataFrame({"a": ["ant", "bee"]})
    if library is pd:
        X = X.astype(dtype)
    with pytest.raises(ValueError, match="ant"):
        model.transform(X)
    mixed = brief().fit(library.DataFrame({"a": [0.5, 2.5, 1.5], "b": ["x", "y", "x"]}))
    with pytest.raises(ValueError, match="column 'a' held numbers"):
        mixed.transform(library.DataFrame({"a": ["ant", "bee"], "b": ["x", "y"]}))


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_many_copies_of_rows_have_neighbours():
    graph = neighbour_graph(np.repeat([[0.0], [1e3]], [20, 3], axis=0), 5)
    assert np.isfinite(graph.data).all()
