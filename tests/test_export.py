"""Fitted estimators as PyTorch modules and ONNX files give the results of the estimators."""

import copy
import datetime
import json
import os
import sys

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from conftest import FITS, hide
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

import skaae
from skaae import (
    MLP,
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    AAETransformer,
    Conv,
    SemiSupervisedAAEClassifier,
    SupervisedAAETransformer,
    export_onnx,
    to_torch,
)

BRIEF = {"hidden_layer_sizes": (8,), "max_iter": 2, **FITS}
NAMES = np.array(["apple", "pear", "quince"])

# One of each kind, with every scaling, posterior and shape of the label between them.
KINDS = {
    "transformer": lambda: AAETransformer(scaling="quantile", **BRIEF),
    "supervised": lambda: SupervisedAAETransformer(
        3, scaling="standard", posterior="universal", **BRIEF
    ),
    "classifier": lambda: SemiSupervisedAAEClassifier(
        3,
        scaling="standard",
        components_per_class=2,
        posterior="gaussian",
        class_weight={"pear": 3.0},
        **BRIEF,
    ),
    "clusterer": lambda: AAEClusterer(3, n_components=3, overclustering=8, scaling=None, **BRIEF),
    "embedding": lambda: AAEEmbedding(n_clusters=4, scaling="range", **BRIEF),
}


@pytest.fixture(scope="module")
def gappy(blobs):
    """The blobs in float32 with gaps in two columns, and a column of few values."""
    X = blobs[0].astype(np.float32)
    X[::7, 1], X[::5, 3] = np.nan, np.nan
    X[:, 4] = np.round(X[:, 4])
    return X


@pytest.fixture(scope="module")
def tables(gappy):
    """Rows for each kind of estimator. Those for some have gaps, which take long to export."""
    known = np.where(np.isnan(gappy), np.float32(0.0), gappy)
    return {kind: gappy if kind in ("transformer", "classifier") else known for kind in KINDS}


@pytest.fixture(scope="module")
def fitted(blobs, tables):
    """Every kind of estimator, fitted on the blobs; tests must not change them."""
    y = NAMES.astype(object)[blobs[1]]
    y[hide(blobs[1], 20) < 0] = None
    labels = {"classifier": y, "supervised": NAMES[blobs[1]]}
    return {kind: make().fit(tables[kind], labels.get(kind)) for kind, make in KINDS.items()}


def in_onnx(estimator, path, feed, **how):
    """Return the outputs by name of an exported method."""
    export_onnx(estimator, path, **how)
    return run(path, feed)


def run(path, feed):
    """Return the outputs of a file by name."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def in_torch(estimator, method, *arrays):
    """Return the result of the module of a method, as an array."""
    with torch.no_grad():
        return to_torch(estimator, method)(*map(torch.tensor, arrays)).numpy()


def assert_same(found, expected, tolerance=1e-5):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def probabilities(estimator, n):
    """Return probabilities of the classes of an estimator for n rows."""
    n_classes = getattr(estimator, "n_clusters_", 3)
    return np.random.default_rng(1).dirichlet(np.ones(n_classes), n).astype(np.float32)


def quick(*kinds):
    """Return a parameter `kind` of which only some run without --slow: an export takes seconds."""
    return pytest.mark.parametrize(
        "kind",
        [pytest.param(kind, marks=[] if kind in kinds else pytest.mark.slow) for kind in KINDS],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_encoded_by_the_module_as_by_the_estimator(fitted, tables, kind):
    expected = fitted[kind].transform(tables[kind])
    assert_same(in_torch(fitted[kind], "transform", tables[kind]), expected)


@quick("transformer", "supervised")  # the encoders of the others are in those of labels
def test_rows_are_encoded_as_the_estimator_does(fitted, tables, kind, tmp_path):
    estimator, X = fitted[kind], tables[kind]
    expected = estimator.transform(X)
    path = tmp_path / "model.onnx"
    assert_same(in_onnx(estimator, path, {"X": X}, method="transform")["Z"], expected)
    for n in (1, 3, 100):
        assert_same(run(path, {"X": X[:n]})["Z"], expected[:n])


def codes(estimator, kind):
    """Return inputs of a decoder by name: codes, and probabilities where it takes them."""
    Z = np.random.default_rng(0).normal(size=(50, estimator._n_features_out)).astype(np.float32)
    more = {} if kind in ("transformer", "embedding") else {"y": probabilities(estimator, 50)}
    return {"Z": Z, **more}


@pytest.mark.parametrize("kind", KINDS)
def test_codes_are_decoded_by_the_module_as_by_the_estimator(fitted, kind):
    feed, decode = codes(fitted[kind], kind), fitted[kind].inverse_transform
    assert_same(in_torch(fitted[kind], "inverse_transform", *feed.values()), decode(*feed.values()))
    assert_same(in_torch(fitted[kind], "inverse_transform", feed["Z"]), decode(feed["Z"]))


@quick("transformer", "classifier")
def test_codes_are_decoded_as_the_estimator_does(fitted, kind, tmp_path):
    estimator, feed = fitted[kind], codes(fitted[kind], kind)
    expected = estimator.inverse_transform(*feed.values())
    path = tmp_path / "model.onnx"
    assert_same(in_onnx(estimator, path, feed, method="inverse_transform")["X"], expected)
    assert_same(run(path, {name: value[:1] for name, value in feed.items()})["X"], expected[:1])


@pytest.mark.parametrize("kind", ["classifier", "clusterer", "embedding"])
def test_labels_are_predicted_as_the_estimator_does(fitted, tables, kind, tmp_path):
    """And the export leaves the estimator, and the global generators, as they were."""
    estimator, X, path = fitted[kind], tables[kind], tmp_path / "model.onnx"
    names, weights = set(vars(estimator)), copy.deepcopy(estimator._step.trained.state_dict())
    expected = estimator.predict_proba(X)
    drawn, n_drawn = torch.get_rng_state(), np.random.get_state()[2]
    assert_same(in_torch(estimator, "predict_proba", X), expected)
    found = in_onnx(estimator, path, {"X": X}, method="predict")
    assert_same(found["probabilities"], expected)
    np.testing.assert_array_equal(found["label"], estimator.predict(X))
    assert run(path, {"X": X[:1]})["label"].shape == (1,)
    assert set(vars(estimator)) == names
    for name, value in estimator._step.trained.state_dict().items():
        assert torch.equal(value, weights[name])
    np.testing.assert_array_equal(estimator.predict_proba(X), expected)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert np.random.get_state()[2] == n_drawn


DEFAULTS = (
    AAETransformer,
    SupervisedAAETransformer,
    SemiSupervisedAAEClassifier,
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
)


@pytest.fixture(scope="module")
def at_defaults(blobs):
    """Every estimator as a user gets it, and rows in float32."""
    X = blobs[0].astype(np.float32)
    return [cls(max_iter=2, **FITS).fit(X, blobs[1]) for cls in DEFAULTS], X


def exported(estimators, X, methods):
    """Yield each estimator with each method that it has, and the method's input and result."""
    for estimator in estimators:
        for method in methods:
            if hasattr(estimator, "predict_proba") or not method.startswith("predict"):
                given = estimator.transform(X) if method == "inverse_transform" else X
                yield estimator, method, given, getattr(estimator, method)(given)


def test_every_method_at_defaults_is_the_same_as_a_module(at_defaults):
    pairs = list(exported(*at_defaults, ("transform", "predict_proba", "inverse_transform")))
    assert len(pairs) == 14
    for estimator, method, given, expected in pairs:
        assert_same(in_torch(estimator, method, given), expected)


def test_a_map_that_keeps_neighbours_is_exported(at_defaults, tmp_path):
    """It has no label."""
    (estimators, X), path = at_defaults, tmp_path / "model.onnx"
    embedding = estimators[DEFAULTS.index(AAEEmbedding)]
    assert not embedding._has_heads
    found = in_onnx(embedding, path, {"X": X}, method="transform")
    assert_same(found["Z"], embedding.transform(X))


@pytest.mark.slow
def test_every_method_at_defaults_is_the_same_as_a_file(at_defaults, tmp_path):
    methods = ("transform", "predict_proba", "predict", "inverse_transform")
    for estimator, method, given, expected in exported(*at_defaults, methods):
        feed = {"Z" if method == "inverse_transform" else "X": given}
        if method == "inverse_transform" and to_torch(estimator, method).core.n_classes:
            feed["y"] = np.tile(estimator._label_values()[1], (len(given), 1)).astype(np.float32)
        found = in_onnx(estimator, tmp_path / "model.onnx", feed, method=method)
        name = {"transform": "Z", "inverse_transform": "X", "predict": "label"}.get(method)
        assert_same(found[name or "probabilities"], expected)


@pytest.mark.parametrize("scaling", ["standard", "range", "quantile", None])
@pytest.mark.parametrize("gaps", [False, True])
def test_every_scaling_is_part_of_the_module(blobs, gappy, scaling, gaps):
    """The module in float64 gives the same digits as the estimator, outside of the range too."""
    X = gappy.astype(np.float64) if gaps else blobs[0]
    model = AAETransformer(scaling=scaling, **BRIEF).fit(X)
    rows = torch.tensor(np.concatenate([X, 2.0 * X, X[:3] * np.nan]), requires_grad=True)
    Z = to_torch(model, "transform").double()(rows)
    np.testing.assert_allclose(
        Z.detach(), model.transform(rows.detach().numpy()), rtol=1e-9, atol=1e-12
    )
    decoded = to_torch(model, "inverse_transform").double()(3.0 * Z.detach())
    expected = model.inverse_transform(3.0 * Z.detach().numpy())
    np.testing.assert_allclose(decoded.detach(), expected, rtol=1e-6, atol=1e-9)
    Z.nansum().backward()
    assert rows.grad[: len(X)].nan_to_num().abs().sum() > 0.0


def test_codes_of_either_dtype_are_decoded(blobs, few_labels, tmp_path):
    made = [
        AAETransformer(**BRIEF).fit(blobs[0]),
        SemiSupervisedAAEClassifier(**BRIEF).fit(blobs[0], few_labels),
        AAEEmbedding(n_clusters=3, **BRIEF).fit(blobs[0]),
    ]
    for model in made:
        module = to_torch(model, "inverse_transform")
        Z = model.transform(blobs[0])
        for dtype in (torch.float32, torch.float64):
            found = module(torch.from_numpy(Z).to(dtype)).detach()
            assert found.dtype == dtype
            np.testing.assert_allclose(found, model.inverse_transform(Z), rtol=1e-3, atol=1e-4)
    whole = to_torch(made[0], "inverse_transform")(torch.tensor([[0, 1]]))
    np.testing.assert_allclose(whole.detach(), made[0].inverse_transform([[0, 1]]), rtol=1e-3)
    feed = {"Z": made[0].transform(blobs[0])}
    how = {"method": "inverse_transform", "dtype": "float64"}
    found = in_onnx(made[0], tmp_path / "model.onnx", feed, **how)["X"]
    np.testing.assert_allclose(found, made[0].inverse_transform(feed["Z"]), rtol=1e-3, atol=1e-4)


def test_gradients_are_those_of_finite_differences(blobs):
    model = AAETransformer(**{**BRIEF, "network": MLP(activation="tanh")}).fit(blobs[0])
    module = to_torch(model, "transform").double()
    rows = torch.tensor(blobs[0][:3], requires_grad=True)
    assert torch.autograd.gradcheck(module, (rows,))
    assert all(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_images_go_through_convolutions(method, tmp_path, device):
    tolerance = 1e-5 if device == "cpu" else 1e-3  # PyTorch rounds convolutions on a GPU to TF32
    X = np.random.default_rng(0).random((40, 7 * 5 * 3)).astype(np.float32)
    network = Conv(image_shape=(7, 5, 3), batch_norm="autoencoder", activation="gelu")
    params = {**BRIEF, "hidden_layer_sizes": (4, 6), "network": network}
    model = AAETransformer(3, reconstruction_loss="binary_cross_entropy", **params).fit(X)
    rows = {"X": X} if method == "transform" else {"Z": model.transform(X)}
    (given,) = rows.values()
    expected = getattr(model, method)(given)
    assert_same(in_torch(model, method, given), expected, tolerance)
    (found,) = in_onnx(model, tmp_path / "model.onnx", rows, method=method).values()
    assert_same(found, expected, tolerance)


# Tables -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frame():
    """A table with every kind of column; "town" has rare categories."""
    rng = np.random.default_rng(0)
    n = 120
    towns = np.array(["Oslo", "Bern", "Rome", "Ulm", "Lyon"], dtype=object)
    town = towns[rng.choice(5, size=n, p=[0.4, 0.4, 0.16, 0.02, 0.02])]
    town[:2] = ["Ulm", "Lyon"]
    return pd.DataFrame(
        {
            "town": np.where(rng.random(n) < 0.1, None, town),
            "age": rng.integers(18, 80, n),
            "income": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(3.0, 1.0, n)),
            "member": rng.random(n) < 0.4,
            "zip": rng.choice([1010, 2020, 3030], n),
            "probabilities": pd.Categorical(rng.choice(["yes", "no"], n)),
            "unknown": np.full(n, np.nan),
        }
    )


@pytest.fixture(scope="module")
def with_text(frame):
    """A classifier of a table with text; tests must not change it."""
    model = SemiSupervisedAAEClassifier(
        3, categorical_features=["town", "zip", "probabilities"], **BRIEF
    )
    return model.fit(frame, np.where(frame["age"] > 50, 2.0, 1.0))


def columns_of(frame, dtype=np.float32):
    """Return the columns of a table as onnxruntime takes them."""
    feed = {}
    for name, column in frame.items():
        text = name in ("town", "probabilities")
        values = column.astype(object).to_numpy() if text else column.to_numpy(dtype=dtype)
        feed[name] = values[:, None].copy()
    return feed


def test_a_table_with_text_has_an_input_for_each_column(frame, with_text, tmp_path):
    rows = frame.copy()
    rows.loc[3:6, "town"] = ["Paris", "Ulm", None, "Rome"]  # new, rare, missing, known
    rows.loc[7, "zip"], rows.loc[8, "age"] = 9999, 1000
    rows.loc[9, "probabilities"] = None
    path = tmp_path / "model.onnx"
    feed = columns_of(rows)
    found = in_onnx(with_text, path, feed, method="predict")
    assert list(found) == ["label", "probabilities_"]  # a column has the other name
    assert_same(found["probabilities_"], with_text.predict_proba(rows))
    np.testing.assert_array_equal(found["label"], with_text.predict(rows))
    gaps = np.flatnonzero(rows["town"].isna())
    assert len(gaps) > 5
    for gap in ("", None, np.nan, pd.NA):
        feed["town"][gaps] = gap
        assert_same(run(path, feed)["probabilities_"], with_text.predict_proba(rows))
    first = {name: column[:1] for name, column in feed.items()}
    assert run(path, first)["label"].tolist() == with_text.predict(rows[:1]).tolist()


def test_a_table_with_text_is_decoded_to_columns(frame, with_text, tmp_path):
    Z = 3.0 * np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    y = probabilities(with_text, 60)[:, :2]
    y /= y.sum(axis=1, keepdims=True)
    expected = with_text.inverse_transform(Z, y)
    path = tmp_path / "model.onnx"
    found = in_onnx(with_text, path, {"Z": Z, "y": y}, method="inverse_transform")
    assert list(found) == list(frame)
    assert expected["town"].nunique() > 1
    for name, column in expected.items():
        if found[name].dtype == object:
            assert found[name][:, 0].tolist() == column.tolist()
        else:
            assert_same(found[name][:, 0], column.to_numpy(dtype=float))


def test_a_table_of_text_alone(frame, tmp_path):
    text = frame[["town", "probabilities"]]
    model = AAETransformer(**BRIEF).fit(text)
    found = in_onnx(model, tmp_path / "a.onnx", columns_of(text), method="transform")
    assert_same(found["Z"], model.transform(text))
    Z = model.transform(text).astype(np.float32)
    found = in_onnx(model, tmp_path / "b.onnx", {"Z": Z}, method="inverse_transform")
    expected = model.inverse_transform(Z)
    assert found["town"][:, 0].tolist() == expected["town"].tolist()


def test_a_table_without_text_is_one_tensor(frame):
    """Flags and categories that are numbers are columns of numbers."""
    table = frame[["age", "zip", "income", "member", "unknown"]]
    model = AAETransformer(3, categorical_features=["zip"], **BRIEF).fit(table)
    rows = table.copy()
    rows["zip"] = rows["zip"].astype(float)
    rows.loc[2:4, "zip"] = [np.nan, 4040.0, 2020.0]
    X = rows.to_numpy(dtype=np.float32)
    # numbers of float64 are rounded here
    assert_same(in_torch(model, "transform", X), model.transform(rows), tolerance=1e-4)
    Z = 3.0 * model.transform(rows).astype(np.float32)
    expected = model.inverse_transform(Z).to_numpy(dtype=float)
    assert_same(in_torch(model, "inverse_transform", Z), expected)


def test_an_array_with_categories_of_numbers(blobs):
    X = np.column_stack([blobs[0], blobs[1]])
    X[5:8, 6] = np.nan
    model = AAETransformer(3, categorical_features=[6], **BRIEF).fit(X)
    assert_same(in_torch(model, "transform", X), model.transform(X))
    Z = model.transform(X).astype(np.float32)
    assert_same(in_torch(model, "inverse_transform", Z), model.inverse_transform(Z))


def test_integers_stay_within_their_type():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"small": rng.integers(250, 256, 60).astype(np.uint8)})
    table["other"] = rng.normal(size=60)
    model = AAETransformer(scaling="standard", **BRIEF).fit(table)
    Z = 1000.0 * rng.normal(size=(40, 2)).astype(np.float32)
    expected = model.inverse_transform(Z)
    assert expected["small"].max() == 255
    assert_same(in_torch(model, "inverse_transform", Z), expected.to_numpy(dtype=float))


# Numbers with many digits -------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", ["standard", "range", "quantile"])
def test_numbers_that_float32_rounds_too_much_get_a_warning(scaling, tmp_path):
    rng = np.random.default_rng(0)
    X = np.column_stack([1.7e9 + rng.integers(0, 1000, 80), 1.7e9 + rng.random(80)])
    model = AAETransformer(scaling=scaling, **BRIEF).fit(X)
    message = r"column 'x0' has values up to 1\.7e\+09.*dtype='float64'"
    with pytest.raises(UserWarning, match=message):  # the tests turn warnings into errors
        export_onnx(model, tmp_path / "model.onnx", method="transform")


def test_numbers_beside_a_heavy_tail_get_no_warning(tmp_path):
    """The map of such a column is a straight line whose ends lie far outside the table."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(120, 2)), np.exp(rng.normal(0.0, 3.0, size=120))])
    y = np.where(np.arange(120) < 60, (X[:, 0] > 0).astype(int), -1)
    model = SemiSupervisedAAEClassifier(**BRIEF).fit(X, y)
    assert model.scaling_ == "quantile"
    rows = {"X": X.astype(np.float32)}
    found = in_onnx(model, tmp_path / "model.onnx", rows, method="predict_proba")
    assert_same(found["probabilities"], model.predict_proba(X))


def test_float64_keeps_the_digits_of_large_numbers(tmp_path):
    rng = np.random.default_rng(0)
    X = np.column_stack([1.7e9 + rng.integers(0, 1000, 80), rng.normal(size=80)])
    model = AAETransformer(scaling="quantile", **BRIEF).fit(X)
    path = tmp_path / "model.onnx"
    found = in_onnx(model, path, {"X": X}, method="transform", dtype="float64")
    assert_same(found["Z"], model.transform(X))


def test_categories_that_float32_mixes_up_are_refused(tmp_path):
    X = pd.DataFrame({"id": [16777216, 16777217] * 20, "x": np.arange(40.0)})
    model = AAETransformer(categorical_features=["id"], **BRIEF).fit(X)
    with pytest.raises(ValueError, match="column 'id' has categories that are the same number"):
        export_onnx(model, tmp_path / "model.onnx", method="transform")


# The file -----------------------------------------------------------------------------------------


def test_the_file_says_what_it_is(fitted, tmp_path):
    path = tmp_path / "model.onnx"
    export_onnx(fitted["classifier"], os.fspath(path), method="predict_proba")
    model = onnx.load(path)
    assert (model.producer_name, model.producer_version) == ("skaae", skaae.__version__)
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(said.pop("classes")) == NAMES.tolist()
    assert said == {
        "estimator": "SemiSupervisedAAEClassifier",
        "method": "predict_proba",
        "skaae_version": skaae.__version__,
    }
    assert not [node for node in model.graph.node if node.metadata_props or node.doc_string]
    assert os.path.dirname(skaae.__file__).encode() not in path.read_bytes()
    assert os.listdir(tmp_path) == ["model.onnx"]


def test_a_module_has_its_own_weights(fitted, gappy):
    expected = fitted["classifier"].predict_proba(gappy)
    module = to_torch(fitted["classifier"], "predict_proba")
    assert not module.training
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(fitted["classifier"].predict_proba(gappy), expected)


def own_encoder(n_inputs, n_outputs):
    layers = torch.nn.Linear(n_inputs, 8), torch.nn.LayerNorm(8), torch.nn.SiLU()
    return torch.nn.Sequential(*layers, torch.nn.Dropout(0.5), torch.nn.Linear(8, n_outputs))


class ByRow(torch.nn.Module):
    """A network whose operations depend on the number of rows."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.layer = torch.nn.Linear(n_inputs, n_outputs)

    def forward(self, x):
        return torch.cat([self.layer(x[i : i + 1]) for i in range(len(x))])


def test_networks_of_users_are_exported(blobs, tmp_path):
    X = blobs[0].astype(np.float32)
    model = AAETransformer(network=MLP(encoder=own_encoder), max_iter=2, **FITS).fit(X)
    found = in_onnx(model, tmp_path / "model.onnx", {"X": X}, method="transform")
    assert_same(found["Z"], model.transform(X))


def test_a_failing_export_keeps_the_file(blobs, tmp_path):
    model = AAETransformer(network=MLP(encoder=ByRow), max_iter=2, **FITS).fit(blobs[0])
    path = tmp_path / "model.onnx"
    path.write_text("before")
    with pytest.raises(ValueError, match=r"PyTorch cannot export.*network of your own.*x\.shape"):
        export_onnx(model, path, method="transform")
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["model.onnx"]
    assert_same(
        in_torch(model, "transform", blobs[0].astype(np.float32)), model.transform(blobs[0])
    )


# Errors -------------------------------------------------------------------------------------------


def test_what_cannot_be_exported_is_named(fitted, with_text, tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(NotFittedError):
        to_torch(AAETransformer(), "transform")
    with pytest.raises(TypeError, match=r"Pipeline is no estimator of skaae.*give the step"):
        export_onnx(make_pipeline(fitted["transformer"]), path, method="transform")
    with pytest.raises(ValueError, match=r"method='predict' cannot be exported for AAETransformer"):
        export_onnx(fitted["transformer"], path, method="predict")
    with pytest.raises(ValueError, match=r"one of \['transform', 'predict_proba'"):
        to_torch(fitted["classifier"], "predict")
    with pytest.raises(ValueError, match="dtype='float16' must be"):
        export_onnx(fitted["transformer"], path, method="transform", dtype="float16")
    with pytest.raises(FileNotFoundError, match=r"folder '.*nowhere'.*make it"):
        export_onnx(fitted["transformer"], tmp_path / "nowhere" / "a.onnx", method="transform")
    with pytest.raises(ValueError, match=r"column 'town' holds text.*skaae\.export_onnx"):
        to_torch(with_text, "transform")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((torch.zeros(2, 5),), r"shape \(2, 5\); they must be a tensor of shape \(n_samples, 6\)"),
        ((torch.zeros(6),), r"shape \(6,\)"),
    ],
)
def test_rows_of_another_shape_are_refused(fitted, rows, message):
    with pytest.raises(ValueError, match=message):
        to_torch(fitted["transformer"], "transform")(*rows)
    with pytest.raises(ValueError, match=r"y has shape \(2, 4\).*\(n_samples, 3\)"):
        to_torch(fitted["classifier"], "inverse_transform")(torch.zeros(2, 3), torch.zeros(2, 4))


def test_categories_of_other_types_are_refused(tmp_path):
    days = [datetime.date(2020, 1, day) for day in (1, 2)] * 10
    table = pd.DataFrame({"day": days, "x": np.arange(20.0)})
    model = AAETransformer(categorical_features=["day"], **BRIEF).fit(table)
    with pytest.raises(ValueError, match=r"column 'day' has categories of type date.*text"):
        export_onnx(model, tmp_path / "model.onnx", method="transform")


def test_columns_need_names(tmp_path):
    table = pd.DataFrame({"": ["a", "b"] * 10, "x": np.arange(20.0)})
    model = AAETransformer(**BRIEF).fit(table)
    with pytest.raises(ValueError, match=r"column '' cannot be the name of an input.*rename"):
        export_onnx(model, tmp_path / "model.onnx", method="transform")


def test_a_missing_package_is_named_with_the_remedy(fitted, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"needs the package onnxscript.*'skaae\[onnx\]'"):
        export_onnx(fitted["transformer"], tmp_path / "model.onnx", method="transform")


def test_numbers_that_lie_very_close_are_exported(tmp_path):
    rng = np.random.default_rng(0)
    X = np.column_stack([10.0 ** rng.uniform(-322.0, 0.0, 200), rng.normal(size=200)])
    y = np.where(np.arange(200) < 40, X[:, 1] > 0.0, -1)
    model = SemiSupervisedAAEClassifier(pseudo_labels=False, **BRIEF).fit(X, y)
    assert model.scaling_ == "quantile"
    expected = model.predict_proba(X)
    assert_same(in_torch(model, "predict_proba", X), expected)
    path = tmp_path / "model.onnx"
    found = in_onnx(model, path, {"X": X}, method="predict", dtype="float64")
    assert_same(found["probabilities"], expected)


def test_modules_refuse_a_precision_that_mixes_up_categories():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=40), rng.choice([20240100.0, 20240101.0], 40)])
    model = AAETransformer(categorical_features=[1], **BRIEF).fit(X)
    module = to_torch(model, "transform")
    assert_same(module(torch.from_numpy(X)).detach().numpy(), model.transform(X))
    with pytest.raises(ValueError, match="same number in float32; pass rows in float64"):
        module(torch.from_numpy(X).float())
    whole = np.round(X)
    assert_same(module(torch.from_numpy(whole).long()).detach().numpy(), model.transform(whole))
    with pytest.raises(ValueError, match="pass codes in float64"):
        to_torch(model, "inverse_transform")(torch.zeros(1, 2))


def test_values_far_from_all_others_are_exported_as_they_are_read():
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = AAETransformer(scaling="standard", **BRIEF).fit(X)
    far = np.array([[1e20, 0.0, 0.0], [0.0, -1e30, 0.0]])
    found = in_torch(model, "transform", far)
    np.testing.assert_allclose(found, model.transform(far), rtol=1e-4)
