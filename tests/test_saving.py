"""Estimators in files: everything comes back, and what cannot is named.

`write_examples` wrote the files of `tests/data`, which later versions must read.
"""

import copy
import functools
import json
import os
import pickle
import warnings
from collections import OrderedDict
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import scipy.stats
import skops.io
import torch
from conftest import FITS, hide
from safetensors.numpy import load_file
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_hostile_files import parts_of, rewrite

import skaae
from skaae import (
    MLP,
    SGD,
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    AAETransformer,
    Adam,
    Categories,
    Checkpoint,
    Conv,
    SemiSupervisedAAEClassifier,
    SupervisedAAETransformer,
    VirtualAdversarial,
    priors,
)
from skaae.export.file_networks import n_weights
from skaae.private_sklearn import CALLBACKS

BRIEF = {"max_iter": 2, "hidden_layer_sizes": (8,), **FITS}
NAMES = np.array(["setosa", "versicolor", "virginica"], dtype=object)
DATA = Path(__file__).parent / "data"


@functools.cache
def iris():
    return load_iris(return_X_y=True)


def rows(kind):
    """Return rows of a kind: an array, images, or a frame with columns of all kinds."""
    X, y = iris()
    if kind == "array":
        return X
    whole = (10 * X).round()
    if kind in ("int16", "int64"):
        return whole.astype(kind)
    if kind == "bool":
        return X.mean(axis=0) < X
    if kind == "int frame":
        return pd.DataFrame(whole.astype(np.int32), columns=list("abcd"))
    if kind == "int sparse":
        return scipy.sparse.csr_array(whole.astype(np.int64))
    if kind == "uint8 images":
        return np.random.default_rng(0).integers(0, 256, (60, 64), dtype=np.uint8)
    if kind == "images":
        return np.random.default_rng(0).random((60, 64)).astype(np.float32)
    if kind == "polars":
        text = [*NAMES[y].tolist()[:-1], None]
        enum = pl.Series(NAMES[y].tolist(), dtype=pl.Enum(NAMES.tolist()))
        return pl.DataFrame({"a": X[:, 0], "flag": y > 0, "text": text, "enum": enum, "n": y})
    frame = pd.DataFrame(X[:, :2].astype(np.float32), columns=["a", ("b", 1)])
    frame.iloc[3, 0] = np.nan
    frame["flag"] = y > 0
    frame["whole"] = pd.array(y, dtype="Int8")
    frame["category"] = pd.Categorical(NAMES[y], categories=NAMES[::-1], ordered=True)
    frame["number"] = pd.Categorical(y + 10)
    frame["text"] = pd.array(NAMES[y], dtype="string")
    frame["objects"] = np.array(["x", "y", None], dtype=object)[y]
    frame["maybe"] = pd.array(np.where(y == 1, None, y == 0), dtype="boolean")
    frame.columns = [str(name) for name in frame.columns]
    return frame


def few():
    return hide(iris()[1], 8)


def named():
    return np.where(few() < 0, None, NAMES[few()])


def dates():
    days = np.array(["2020-01-01", "2021-01-01", "2022-01-01"], dtype="M8[D]")
    return days[iris()[1]]


MODELS = {
    "transformer": lambda: AAETransformer(**BRIEF).fit(rows("array")),
    "frame": lambda: AAETransformer(**BRIEF).fit(rows("frame")),
    "polars": lambda: AAETransformer(posterior="gaussian", **BRIEF).fit(rows("polars")),
    "mixture": lambda: AAETransformer(
        prior=priors.GaussianMixture([[-1.0, 0], [1, 0]], 0.3, weights=[0.3, 0.7]), **BRIEF
    ).fit(rows("array")),
    "petals": lambda: AAETransformer(
        prior=priors.Petals(3), use_labels=True, scaling="quantile", **BRIEF
    ).fit(rows("array"), NAMES[iris()[1]]),
    "roll": lambda: AAETransformer(prior="swiss_roll", solver=SGD(), **BRIEF).fit(rows("array")),
    "convolutions": lambda: AAETransformer(
        network=Conv(batch_norm="autoencoder"), posterior="universal", max_iter=1, **FITS
    ).fit(rows("images")),
    "categories": lambda: AAETransformer(
        categorical_features=Categories(features=[3], min_frequency=3), **BRIEF
    ).fit(rows("array")),
    "supervised": lambda: SupervisedAAETransformer(prior=priors.Uniform(low=-1.0), **BRIEF).fit(
        rows("array"), dates()
    ),
    "classifier": lambda: SemiSupervisedAAEClassifier(**BRIEF).fit(rows("frame"), named()),
    "components": lambda: SemiSupervisedAAEClassifier(
        components_per_class=2,
        virtual_adversarial=VirtualAdversarial(),
        solver=Adam(average_weights=True, updates="joint"),
        network=MLP(dropout=0.1, batch_norm="encoder"),
        class_weight={"setosa": 2.0},
        pseudo_labels=False,
        **BRIEF,
    ).fit(rows("polars"), named()),
    "clusterer": lambda: AAEClusterer(3, overclustering=6, **BRIEF).fit(rows("frame")),
    "map": lambda: AAEEmbedding(**BRIEF).fit(rows("array")),
    "heads": lambda: AAEEmbedding(n_clusters=4, **BRIEF).fit(rows("array")),
    "heads of classes": lambda: AAEEmbedding(use_labels=True, **BRIEF).fit(
        rows("array"), np.asarray(iris()[1], dtype=np.int16)
    ),
    "outliers": lambda: AAEOutlierDetector(**BRIEF).fit(rows("frame")),
    **{
        kind: lambda kind=kind: AAETransformer(**BRIEF).fit(rows(kind))
        for kind in ("int16", "int64", "bool", "int frame", "int sparse")
    },
    "uint8 images": lambda: AAETransformer(network=Conv(), max_iter=1, **FITS).fit(
        rows("uint8 images")
    ),
}
ROWS_OF = {
    name: kind
    for kind, names in {
        "frame": ["frame", "classifier", "clusterer", "outliers"],
        "polars": ["polars", "components"],
        "images": ["convolutions"],
        **{k: [k] for k in ("int16", "int64", "bool", "int frame", "int sparse", "uint8 images")},
    }.items()
    for name in names
}


@pytest.fixture(params=MODELS)
def fitted(request):
    return request.param, model(request.param)


@functools.cache
def model(name):
    """Return a fitted model; tests must not change it."""
    return MODELS[name]()


def results(estimator, X):
    """Return what the public methods of an estimator return, by name."""
    found = {}
    for name in ("transform", "predict", "predict_proba", "score_samples", "decision_function"):
        if hasattr(estimator, name) and not (
            name == "score_samples" and isinstance(estimator, SupervisedAAETransformer)
        ):
            found[name] = getattr(estimator, name)(X)
    if hasattr(estimator, "sample"):
        found["sample"] = estimator.sample(6, random_state=0)
    if hasattr(estimator, "inverse_transform"):
        found["inverse_transform"] = estimator.inverse_transform(found["transform"])
    return found


def assert_equal(a, b):
    """Raise if two results, or fitted attributes, are not equal bit by bit; GPUs round anew."""
    bit_by_bit = FITS["device"] == "cpu"
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_equal(a[key], b[key])
    elif isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, check_exact=bit_by_bit)
    elif isinstance(a, pl.DataFrame):
        assert a.equals(b)
        assert a.schema == b.schema
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        if bit_by_bit or a.dtype.kind != "f":
            np.testing.assert_array_equal(a, b)
        else:
            tolerance = 1e-12 if a.dtype == float else 1e-5
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    elif isinstance(a, list):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_equal(one, other)
    else:
        assert a == b or (a != a and b != b)


def round_trip(estimator, path, **how):
    skaae.save(estimator, path, **how)
    return skaae.load(path)


# Round trips --------------------------------------------------------------------------------------


@pytest.mark.parametrize("inference_only", [False, True])
def test_an_estimator_comes_back(fitted, inference_only, tmp_path):
    name, estimator = fitted
    loaded = round_trip(estimator, tmp_path / "file", inference_only=inference_only)
    assert type(loaded) is type(estimator)
    assert repr(loaded) == repr(estimator)
    ours, theirs = vars(estimator), vars(loaded)
    assert ours.keys() == theirs.keys()
    public = {key for key in ours if key.endswith("_") and not key.startswith("_")}
    assert_equal({key: ours[key] for key in public}, {key: theirs[key] for key in public})
    X = rows(ROWS_OF.get(name, "array"))
    assert_equal(results(estimator, X), results(loaded, X))
    if isinstance(X, np.ndarray):  # predictions are in the dtype of X
        X = X.astype(np.float32 if X.dtype == np.float64 else np.float64)
        assert_equal(results(estimator, X), results(loaded, X))
    assert_equal(results(loaded, X), results(pickle.loads(pickle.dumps(loaded)), X))
    assert_equal(results(loaded, X), results(round_trip(loaded, tmp_path / "again"), X))


def test_the_weights_are_counted_right(fitted):
    """The sizes of a hostile file are found out by this count."""
    networks = fitted[1]._step.networks
    matrices = sum(weight.numel() for weight in networks.parameters() if weight.ndim > 1)
    assert n_weights(fitted[1]._settings.architecture) == matrices


@pytest.mark.parametrize("goes_on", ["warm_start", "partial_fit"])
def test_training_goes_on_as_if_it_had_not_stopped(goes_on, tmp_path):
    X, y = rows("array"), few()
    made = SemiSupervisedAAEClassifier(
        warm_start=goes_on == "warm_start", input_noise=0.1, pseudo_labels=False, **BRIEF
    )
    made = made.fit(X, y) if goes_on == "warm_start" else made.partial_fit(X, y)
    loaded = round_trip(made, tmp_path / "file")
    for one in (made, loaded):
        one.fit(X, y) if goes_on == "warm_start" else one.partial_fit(X, y)
    assert_equal(results(made, X), results(loaded, X))
    assert made.history_ == loaded.history_


def test_an_inference_only_model_may_train_on_with_new_optimisers(tmp_path):
    X, y = rows("array"), few()
    made = SemiSupervisedAAEClassifier(pseudo_labels=False, **BRIEF).partial_fit(X, y)
    loaded = round_trip(made, tmp_path / "file", inference_only=True)
    assert all(float(o.n_steps) == 0.0 for o in loaded._step.optimizers.values())
    assert loaded.partial_fit(X, y).n_iter_ == made.n_iter_ + 1
    assert np.isfinite(loaded.predict_proba(X)).all()


@pytest.mark.parametrize("average", [False, True])
def test_a_file_is_at_most_a_fifth_larger_than_its_weights(average, tmp_path):
    solver = SGD(average_weights=average)
    made = SemiSupervisedAAEClassifier(
        max_iter=1, hidden_layer_sizes=(300, 300), solver=solver, pseudo_labels=False, **FITS
    ).partial_fit(rows("array"), few())
    weights = sum(w.numel() * w.element_size() for w in made._step.networks.state_dict().values())
    skaae.save(made, tmp_path / "all")
    skaae.save(made, tmp_path / "inference", inference_only=True)
    assert os.path.getsize(tmp_path / "inference") < 1.05 * weights
    state = sum(array.nbytes for array in load_file(tmp_path / "all").values())
    assert os.path.getsize(tmp_path / "all") < 1.05 * state
    assert state > 2.0 * weights  # the optimisers, and the averages if there are any


@pytest.mark.parametrize(
    "made",
    [
        AAETransformer(),
        AAETransformer(
            prior=priors.Petals(n_petals=3), network=MLP(dropout=0.2), tol=np.float32(1)
        ),
        AAEClusterer(4, virtual_adversarial=VirtualAdversarial(), hidden_layer_sizes=[3, 4]),
        SemiSupervisedAAEClassifier(class_prior={"a": 0.1}, unlabeled_label="?", device="cuda"),
        AAETransformer(device=torch.device("cpu"), max_iter=float("inf")),
        SemiSupervisedAAEClassifier(class_weight=OrderedDict(b=1.0, a=2.0)),
        AAETransformer(checkpoint=Checkpoint(folder=Path("fits"), minutes=1.0)),
    ],
    ids=lambda made: type(made).__name__,
)
def test_an_estimator_that_is_not_fitted_comes_back(made, tmp_path):
    loaded = round_trip(made, tmp_path / "file")
    assert repr(loaded) == repr(made)
    assert vars(loaded).keys() == vars(made).keys()
    assert repr(clone(loaded)) == repr(made)


def test_a_model_for_labels_that_saw_none_comes_back(tmp_path):
    X = load_iris().data
    made = AAETransformer(use_labels=True, prior="petals", max_iter=1, **FITS).fit(X)
    skaae.save(made, tmp_path / "model.skaae")
    again = skaae.load(tmp_path / "model.skaae")
    np.testing.assert_array_equal(again.transform(X), made.transform(X))
    assert len(again.classes_) == 0


def test_a_random_state_goes_on(tmp_path):
    made = AAETransformer(random_state=np.random.RandomState(3))
    made.random_state.normal(size=3)
    loaded = round_trip(made, tmp_path / "file")
    np.testing.assert_array_equal(
        loaded.random_state.normal(size=5), made.random_state.normal(size=5)
    )


def test_output_and_requests_of_metadata_come_back(tmp_path):
    with config_context(enable_metadata_routing=True):
        made = SemiSupervisedAAEClassifier(pseudo_labels=False, **BRIEF)
        made.set_fit_request(sample_weight=True, X_unlabeled="others").set_output(
            transform="pandas"
        )
        made.fit(rows("array"), few())
        loaded = round_trip(made, tmp_path / "file")
        assert repr(loaded.get_metadata_routing()) == repr(made.get_metadata_routing())
    assert isinstance(loaded.transform(rows("array")), pd.DataFrame)


# What cannot be saved -----------------------------------------------------------------------------


def noisy(x):
    return x + 0.01 * torch.randn_like(x)


def two_layers(n_in, n_out):
    return torch.nn.Sequential(torch.nn.Linear(n_in, 4), torch.nn.Linear(4, n_out))


def ring(n_samples, rng):
    z = rng.normal(size=(n_samples, 2))
    return z / np.linalg.norm(z, axis=1, keepdims=True)


class Ring(priors.Prior):
    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        z = torch.randn(n_samples, n_components, generator=generator, device=generator.device)
        return z / z.norm(dim=1, keepdim=True)


OWN = {
    "augment": (SemiSupervisedAAEClassifier, {"augment": noisy, "pseudo_labels": False}, noisy),
    "network__encoder": (AAETransformer, {"network": MLP(encoder=two_layers)}, two_layers),
    "prior": (AAETransformer, {"prior": ring}, ring),
    "prior ": (AAETransformer, {"prior": (own_prior := Ring())}, own_prior),
    "prior  ": (AAETransformer, {"prior": (law := scipy.stats.laplace(scale=0.5))}, law),
    "pseudo_labels": (
        SemiSupervisedAAEClassifier,
        {"pseudo_labels": (forest := RandomForestClassifier(5, random_state=0))},
        forest,
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_functions_and_objects_of_users_are_left_out_and_given_again(name, tmp_path):
    made, parameters, value = OWN[name]
    name, path = name.strip(), tmp_path / "file"
    estimator = made(**parameters, warm_start=True, **BRIEF).fit(rows("array"), few())
    with pytest.raises(TypeError, match=rf"^{name}=.*left_out=\['{name}'\].*given=.*joblib"):
        skaae.save(estimator, path)
    assert os.listdir(tmp_path) == []
    skaae.save(estimator, path, left_out=[name])
    with pytest.raises(ValueError, match=rf"'{name}' was left out.*given=\{{'{name}': ...\}}"):
        skaae.load(path)
    with pytest.raises(ValueError, match="'tol' is given, but it was not left out"):
        skaae.load(path, given={name: value, "tol": 1.0})
    loaded = skaae.load(path, given={name: value})
    assert loaded.get_params()[name] is value
    assert_equal(results(estimator, rows("array")), results(loaded, rows("array")))
    loaded.fit(rows("array"), few())  # a warm start, with the same parameters


def test_one_function_may_have_two_names(tmp_path):
    made = AAETransformer(network=MLP(encoder=two_layers, decoder=two_layers), **BRIEF)
    names = ["network__encoder", "network__decoder"]
    skaae.save(made.fit(rows("array")), tmp_path / "file", left_out=names)
    loaded = skaae.load(tmp_path / "file", given=dict.fromkeys(names, two_layers))
    assert_equal(results(made, rows("array")), results(loaded, rows("array")))
    with pytest.raises(ValueError, match=r"'network__decoder' was left out"):
        skaae.load(tmp_path / "file", given={"network__encoder": two_layers})


class Masked(torch.nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.layer = torch.nn.Linear(n_in, n_out)
        self.register_buffer("mask", torch.zeros(n_out).index_fill(0, torch.tensor(0), -torch.inf))

    def forward(self, x):
        return self.layer(x) * torch.softmax(self.mask, 0)


def test_modules_of_users_may_have_infinite_buffers(tmp_path):
    made = AAETransformer(network=MLP(encoder=Masked), warm_start=True, **BRIEF)
    made.fit(rows("array"))
    for inference_only in (False, True):
        skaae.save(
            made, tmp_path / "file", left_out=["network__encoder"], inference_only=inference_only
        )
        loaded = skaae.load(tmp_path / "file", given={"network__encoder": Masked})
        assert_equal(results(made, rows("array")), results(loaded, rows("array")))


def test_a_file_that_load_would_refuse_replaces_none(tmp_path):
    path, made = tmp_path / "file", copy.deepcopy(model("transformer"))
    skaae.save(made, path)
    before = path.read_bytes()
    made._table.typical[0] = np.nan
    with pytest.raises(ValueError, match=r"load would refuse its file: 'typical' of .*report it"):
        skaae.save(made, path)
    with torch.no_grad():
        next(made._step.networks.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match=r"the weights '.*' are not finite.*Nothing was written"):
        skaae.save(made, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["file"]


def test_a_prior_that_is_too_large_is_named(tmp_path):
    means = np.random.default_rng(0).normal(size=(300, 128))
    with pytest.raises(ValueError, match=r"(?s)^prior=GaussianM.* would make more .*joblib"):
        skaae.save(AAETransformer(prior=priors.GaussianMixture(means)), tmp_path / "file")
    assert os.listdir(tmp_path) == []


def test_wide_tables_need_few_arrays(tmp_path):
    X = np.random.default_rng(0).integers(0, 9, size=(30, 300)).astype(float)
    made = AAETransformer(scaling="quantile", **BRIEF).fit(X)
    loaded = round_trip(made, tmp_path / "file")
    assert len(load_file(tmp_path / "file")) < 50
    assert_equal(results(made, X), results(loaded, X))
    for ours, theirs in zip(
        made._table.scaling.columns, loaded._table.scaling.columns, strict=True
    ):
        assert_equal(vars(ours), vars(theirs))


def test_only_what_cannot_be_saved_is_left_out(tmp_path):
    with pytest.raises(ValueError, match=r"'tolerance', which is no parameter"):
        skaae.save(AAETransformer(), tmp_path / "file", left_out=["tolerance"])
    with pytest.raises(ValueError, match=r"prior='gaussian' can be saved"):
        skaae.save(AAETransformer(), tmp_path / "file", left_out=["prior"])
    with pytest.raises(ValueError, match=r"must be a list of names: \['prior'\]"):
        skaae.save(AAETransformer(), tmp_path / "file", left_out="prior")


def test_other_objects_are_refused_with_the_remedy(tmp_path):
    class Own(AAETransformer):
        pass

    for other in (
        make_pipeline(StandardScaler(), AAETransformer()),
        Own(),
        "model",
        AAETransformer,
    ):
        with pytest.raises(TypeError, match=r"save takes only AAEClusterer, .*joblib"):
            skaae.save(other, tmp_path / "file")
    made = AAETransformer()
    made.note = "mine"
    with pytest.raises(TypeError, match=r"attribute 'note', which is none of skaae's.*delete it"):
        skaae.save(made, tmp_path / "file")


def test_objects_in_parameters_are_named(tmp_path):
    shares = pd.Series([0.5, 0.5], index=["a", "b"])
    with pytest.raises(
        TypeError, match=r"(?s)^class_prior=a .* cannot be saved; fit with class_prior\.to_dict\(\)"
    ):
        skaae.save(SemiSupervisedAAEClassifier(class_prior=shares), tmp_path / "file")
    made = SemiSupervisedAAEClassifier(class_weight={"a": shares})
    with pytest.raises(TypeError, match=r"(?s)^class_weight=\{.*contains a Series; use numbers"):
        skaae.save(made, tmp_path / "file")
    labels = np.array([pd.Timestamp("2020-01-01"), pd.Timestamp("2021-01-01")], dtype=object)
    fitted = copy.deepcopy(model("supervised"))
    fitted.classes_ = labels
    with pytest.raises(TypeError, match=r"attribute classes_\.0 has .*Timestamp.*use joblib"):
        skaae.save(fitted, tmp_path / "file")


def test_a_device_that_is_none_is_named(tmp_path):
    skaae.save(AAETransformer(), tmp_path / "file")
    with pytest.raises(ValueError, match=r"device='gpu' is no device; use 'auto' or one of"):
        skaae.load(tmp_path / "file", device="gpu")
    assert skaae.load(tmp_path / "file", device="auto").device == "auto"


def test_callbacks_are_refused_or_left_out_for_inference(tmp_path):
    made = MODELS["transformer"]()
    vars(made)[CALLBACKS[0]] = [object()]
    with pytest.raises(TypeError, match=r"callbacks.*set_callbacks\(\).*inference_only=True"):
        skaae.save(made, tmp_path / "file")
    loaded = round_trip(made, tmp_path / "file", inference_only=True)
    assert CALLBACKS[0] not in vars(loaded)


# Other machines -----------------------------------------------------------------------------------


def test_a_model_of_a_gpu_is_loaded_on_the_cpu(tmp_path):
    estimator = model("classifier")
    moved = copy.deepcopy(estimator)
    object.__setattr__(moved._settings, "device", "cuda:77")
    skaae.save(moved, tmp_path / "file")
    metadata, document, arrays = parts_of(tmp_path / "file")
    arrays["attributes/_step_state/generator"] = np.zeros(16, np.uint8)  # as on a GPU
    rewrite(tmp_path / "file", metadata, document, arrays)
    with pytest.warns(UserWarning, match="device='cuda:77'.*loaded on the CPU"):
        loaded = skaae.load(tmp_path / "file")
    assert_equal(results(loaded, rows("frame")), results(estimator, rows("frame")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = skaae.load(tmp_path / "file", device="cpu")
    assert loaded.device == loaded._settings.device == "cpu"
    assert loaded.partial_fit(rows("frame"), named()).n_iter_ == estimator.n_iter_ + 1


def write_examples(folder=DATA):
    """Write files of the present format with what their models predict."""
    kwargs = {"random_state": 0, "hidden_layer_sizes": (6,), "max_iter": 20, "device": "cpu"}
    network = MLP(discriminator_hidden_layer_sizes=(6,))
    frame = rows("frame").drop(columns=["text", "maybe"])
    found = {
        "classifier": SemiSupervisedAAEClassifier(
            pseudo_labels=False, network=network, **kwargs
        ).fit(frame, named()),
        "clusterer": AAEClusterer(3, overclustering=5, network=network, **kwargs).fit(
            rows("array")
        ),
    }
    for name, estimator in found.items():
        X = frame if name == "classifier" else rows("array")
        skaae.save(estimator, folder / f"{name}_format_1.safetensors", inference_only=True)
        expected = {
            "skaae": skaae.__version__,
            "predict": estimator.predict(X).tolist(),
            "transform": estimator.transform(X)[::10].astype(float).tolist(),
            "predict_proba": estimator.predict_proba(X)[::10].astype(float).tolist(),
        }
        (folder / f"{name}_format_1.json").write_text(json.dumps(expected) + "\n")


@pytest.mark.parametrize("name", ["classifier", "clusterer"])
def test_files_of_earlier_formats_are_read(name):
    """A new format gets new files beside these, and a function that upgrades these."""
    loaded = skaae.load(DATA / f"{name}_format_1.safetensors", device=FITS["device"])
    expected = json.loads((DATA / f"{name}_format_1.json").read_text())
    X = rows("array")
    if name == "classifier":
        X = rows("frame").drop(columns=["text", "maybe"])
    assert loaded.predict(X).tolist() == expected["predict"]
    np.testing.assert_allclose(loaded.transform(X)[::10], expected["transform"], atol=1e-5)
    np.testing.assert_allclose(loaded.predict_proba(X)[::10], expected["predict_proba"], atol=1e-5)
    assert os.path.getsize(DATA / f"{name}_format_1.safetensors") < 50_000


# Pickles of other kinds ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["classifier", "components", "clusterer", "outliers", "map"])
def test_pickle_joblib_and_skops_come_back_too(name, tmp_path):
    estimator, X = model(name), rows(ROWS_OF.get(name, "array"))
    wanted = results(estimator, X)
    assert_equal(results(pickle.loads(pickle.dumps(estimator)), X), wanted)
    joblib.dump(estimator, tmp_path / "model.joblib")
    assert_equal(results(joblib.load(tmp_path / "model.joblib", mmap_mode="r"), X), wanted)
    content = skops.io.dumps(estimator)
    unknown = skops.io.get_untrusted_types(data=content)
    others = {name for name in unknown if not name.startswith("skaae.")}
    assert others <= {"builtins.frozenset", "numpy.dtype"}
    with pytest.raises(Exception, match="Untrusted types"):
        skops.io.loads(content)
    loaded = skops.io.loads(content, trusted=unknown)
    assert_equal(results(loaded, X), wanted)
    if name == "clusterer":
        assert_equal(loaded.cluster_heads_, estimator.cluster_heads_)


def test_pickles_of_any_kind_go_from_a_gpu_to_the_cpu(tmp_path):
    estimator, X = model("outliers"), rows("frame")
    moved = copy.deepcopy(estimator)
    object.__setattr__(moved._settings, "device", "cuda:77")
    joblib.dump(moved, tmp_path / "model.joblib")
    content = skops.io.dumps(moved)
    unknown = skops.io.get_untrusted_types(data=content)
    for load in (
        lambda: pickle.loads(pickle.dumps(moved)),
        lambda: joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
        lambda: skops.io.loads(content, trusted=unknown),
    ):
        with pytest.warns(UserWarning, match="device='cuda:77'.*loaded on the CPU"):
            loaded = load()
        assert_equal(results(loaded, X), results(estimator, X))


def test_a_data_frame_may_be_a_parameter(blobs, tmp_path):
    heads = pd.DataFrame(5.0 * np.eye(3), columns=list("abc"), index=[4, 5, 6])
    model = AAEEmbedding(3, n_clusters=3, cluster_heads=heads, max_iter=1, **FITS)
    for fitted in (False, True):
        skaae.save(model, tmp_path / "file")
        loaded = skaae.load(tmp_path / "file")
        np.testing.assert_array_equal(loaded.cluster_heads, heads)
        assert isinstance(loaded.cluster_heads, pd.DataFrame)
        assert hasattr(loaded, "embedding_") == fitted
        model = loaded.fit(blobs[0])
    loaded.set_params(warm_start=True).fit(blobs[0])  # the same heads
