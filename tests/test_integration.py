"""Inside scikit-learn: pipelines, searches, data frames, pickles."""

import copy
import io
import os
import pickle
import subprocess
import sys
import threading

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import FITS, classifier, hide, transformer
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skaae import AAEEmbedding, AAETransformer, Conv
from skaae.inference import BATCH_ROWS
from skaae.priors import Gaussian
from skaae.training import validation
from skaae.training.settings import Settings, to_numpy


@pytest.fixture(scope="module")
def frame(blobs):
    return pd.DataFrame(blobs[0], columns=[f"column {k}" for k in range(6)])


def test_pipeline_with_a_classifier(blobs):
    X, y = blobs
    pipeline = make_pipeline(transformer(n_components=4), LogisticRegression()).fit(X, y)
    assert pipeline.score(X, y) > 0.9
    assert pipeline[:-1].transform(X).shape == (180, 4)


def test_pipeline_ignores_a_continuous_target(blobs):
    X, _ = blobs
    pipeline = make_pipeline(transformer(n_components=5), Ridge()).fit(X, X[:, 1])
    assert pipeline.score(X, X[:, 1]) > 0.5


def test_pipeline_goes_back(blobs):
    X, _ = blobs
    pipeline = make_pipeline(StandardScaler(), transformer(n_components=5, max_iter=60)).fit(X)
    back = pipeline.inverse_transform(pipeline.transform(X))
    assert np.mean(((X - back) / X.std(axis=0)) ** 2) < 0.5


def test_grid_search_over_priors_and_sizes(blobs):
    X, _ = blobs
    grid = {"prior": ["uniform", Gaussian(2.0)], "n_components": [1, 4]}
    search = GridSearchCV(transformer(max_iter=30), grid, cv=2).fit(X)
    assert search.best_params_["n_components"] == 4
    assert len(search.cv_results_["params"]) == 4


def test_grid_search_of_the_classifier_scores_labeled_rows(blobs, few_labels):
    X, _ = blobs
    search = GridSearchCV(classifier(), {"n_components": [2, 3]}, cv=2).fit(X, few_labels)
    assert search.best_score_ > 0.7


def test_halving_over_epochs(blobs):
    X, _ = blobs
    search = HalvingGridSearchCV(
        AAETransformer(**FITS),
        {"n_components": [1, 2, 3, 4]},
        resource="max_iter",
        factor=2,
        min_resources=1,
        max_resources=4,
        cv=2,
    ).fit(X)
    assert search.best_estimator_.n_iter_ == 4


def test_cross_validation_in_processes_agrees_with_one(blobs):
    X, y = blobs
    model = classifier(max_iter=5)
    alone = cross_val_score(model, X, y, cv=2)
    np.testing.assert_allclose(cross_val_score(model, X, y, cv=2, n_jobs=2), alone, atol=0.02)


def test_column_transformer(frame):
    mixed = frame.assign(kind=np.where(frame["column 0"] > 0, "high", "low"))
    numbers = list(frame.columns)
    columns = ColumnTransformer(
        [("codes", transformer(), numbers), ("kind", OneHotEncoder(), ["kind"])]
    )
    found = columns.fit_transform(mixed)
    assert found.shape == (180, 4)
    assert list(columns.get_feature_names_out())[:2] == [
        "codes__aaetransformer0",
        "codes__aaetransformer1",
    ]


def test_pandas_in_and_out(frame, few_labels):
    model = transformer().set_output(transform="pandas").fit(frame)
    codes = model.transform(frame)
    assert list(codes.columns) == ["aaetransformer0", "aaetransformer1"]
    assert codes.index.equals(frame.index)
    assert list(model.feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(frame.rename(columns={"column 0": "other"}))
    shuffled = frame.set_index(np.arange(180)[::-1])
    labels = pd.Series(few_labels, index=shuffled.index).astype("Int64").replace(-1, pd.NA)
    fitted = classifier(max_iter=2).set_output(transform="pandas").fit(shuffled, labels)
    assert fitted.transform(shuffled).index.equals(shuffled.index)


def test_string_labels(blobs, few_labels):
    X, y = blobs
    names = np.array(["setosa", "other", "third"], dtype=object)
    given = np.where(few_labels >= 0, names[few_labels], None)
    model = classifier(max_iter=60).fit(X, given)
    assert model.classes_.tolist() == sorted(names)
    assert np.mean(model.predict(X) == names[y]) > 0.9
    assert set(model.transduction_) == set(names)
    assert model.sample(4, "setosa").shape == (4, 6)


def dumps_and_loads(model):
    return pickle.loads(pickle.dumps(model))


def joblib_round_trip(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


@pytest.mark.parametrize("round_trip", [dumps_and_loads, joblib_round_trip, copy.deepcopy])
def test_pickles_predict_and_train_on_as_the_model_does(blobs, few_labels, round_trip):
    X, _ = blobs
    model = classifier(max_iter=3, input_noise=0.1, warm_start=True).fit(X, few_labels)
    again = round_trip(model)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    np.testing.assert_array_equal(model.sample(3, random_state=0), again.sample(3, random_state=0))
    model.partial_fit(X, few_labels)
    again.partial_fit(X, few_labels)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))


def n_bytes(tree):
    """Return the bytes of all arrays in nested containers."""
    if isinstance(tree, np.ndarray):
        return tree.nbytes
    values = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return sum(n_bytes(value) for value in values)


@pytest.mark.parametrize("average", [False, True])
def test_a_pickle_is_little_more_than_its_weights(blobs, few_labels, average):
    model = classifier(max_iter=1, average_weights=average, hidden_layer_sizes=(300, 300))
    model.fit(blobs[0], few_labels)
    weights = n_bytes(to_numpy(model._step.networks.state_dict()))
    assert len(pickle.dumps(model)) < (2.0 if average else 1.2) * weights
    model.partial_fit(blobs[0], few_labels)  # those who go on need the optimisers
    assert len(pickle.dumps(model)) > 2.0 * weights


def test_a_pickle_goes_on_with_partial_fit_as_the_model_does(blobs, few_labels):
    model = classifier(input_noise=0.1).partial_fit(blobs[0], few_labels)
    again = pickle.loads(pickle.dumps(model))
    for one in (model, again):
        one.partial_fit(blobs[0], few_labels)
    found, expected = again.predict_proba(blobs[0]), model.predict_proba(blobs[0])
    np.testing.assert_array_equal(found, expected)


FORK = """
import os, pickle, sys, time
model = pickle.load(open(sys.argv[1], "rb"))
import numpy as np
child = os.fork()
if child == 0:
    model.predict(np.zeros((5000, 6)))
    os._exit(0)
for _ in range(600):
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        sys.exit(os.waitstatus_to_exitcode(status))
    time.sleep(0.1)
os.kill(child, 9)
sys.exit("the child hangs")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_process_may_fork_after_it_has_loaded_a_model(blobs, tmp_path):
    """A server that loads once and forks its workers; a second thread would hang them."""
    model = classifier(max_iter=1, hidden_layer_sizes=(600, 600), device="cpu").fit(*blobs)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    command = [sys.executable, "-W", "ignore", "-c", FORK, str(tmp_path / "model.pickle")]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", [transformer, classifier])
def test_a_fit_inside_inference_mode_is_a_fit(blobs, kind):
    X, y = blobs
    wanted = kind(max_iter=2).fit(X, y).transform(X)
    with torch.inference_mode():
        model = kind(max_iter=2).fit(X, y)
        loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(model.transform(X), wanted)
    loaded.partial_fit(X, y)
    assert loaded.n_iter_ == 3


def test_float64_rows_do_not_cast_the_weights_again_and_again(blobs, monkeypatch):
    X, _ = blobs
    model = transformer(max_iter=2).fit(X)
    casts = []
    double = torch.nn.Module.double
    monkeypatch.setattr(torch.nn.Module, "double", lambda m: casts.append(m) or double(m))
    first = model.transform(X)
    assert len(casts) == 1
    np.testing.assert_array_equal(model.transform(X), first)
    assert len(casts) == 1
    model.partial_fit(X)
    assert np.abs(model.transform(X) - first).max() > 0.0  # of the weights as they are now


def test_use_of_a_model_while_it_trains_leaves_no_old_weights(blobs):
    """Another thread asks for codes all the time; the copy in float64 must follow the weights."""
    X, _ = blobs
    model = transformer(max_iter=3).fit(X)
    done = threading.Event()

    def use():
        while not done.is_set():
            model.transform(X[:5])

    thread = threading.Thread(target=use)
    thread.start()
    for _ in range(5):
        model.partial_fit(X)
        found = model.transform(X)
        np.testing.assert_allclose(found, model.transform(X.astype(np.float32)), atol=1e-3)
    done.set()
    thread.join()


def test_memory_mapped_joblib_file(blobs, fitted_transformer, tmp_path):
    joblib.dump(fitted_transformer, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    codes = again.transform(blobs[0])
    np.testing.assert_array_equal(codes, fitted_transformer.transform(blobs[0]))
    again.partial_fit(blobs[0])


def test_pickles_hold_no_torch_objects(fitted_classifier):
    assert b"torch" not in pickle.dumps(fitted_classifier)


def test_a_device_that_is_missing_at_load_becomes_the_cpu(blobs, fitted_transformer):
    state = copy.deepcopy(fitted_transformer.__getstate__())
    object.__setattr__(state["_settings"], "device", "cuda:77")
    moved = AAETransformer()
    with pytest.warns(UserWarning, match="device='cuda:77'.*loaded on the CPU"):
        moved.__setstate__(state)
    np.testing.assert_allclose(
        moved.transform(blobs[0]), fitted_transformer.transform(blobs[0]), rtol=1e-6
    )


def test_the_generator_of_another_kind_of_device_starts_anew_at_load(blobs, fitted_transformer):
    """Its state has another length: 16 bytes on a GPU."""
    state = copy.deepcopy(fitted_transformer.__getstate__())
    state["_step_state"]["generator"] = np.zeros(16, dtype=np.uint8)
    moved = AAETransformer()
    moved.__setstate__(state)
    found, wanted = moved.transform(blobs[0]), fitted_transformer.transform(blobs[0])
    np.testing.assert_array_equal(found, wanted)
    assert moved.partial_fit(blobs[0]).n_iter_ == fitted_transformer.n_iter_ + 1


def test_other_errors_at_load_are_not_blamed_on_the_device(fitted_transformer, monkeypatch):
    def fail(settings):
        raise ValueError("something else")

    monkeypatch.setattr(Settings, "build", fail)
    with pytest.raises(ValueError, match="something else"):
        pickle.loads(pickle.dumps(fitted_transformer))


@pytest.mark.parametrize("kind", [transformer, classifier])
def test_held_out_rows_pass_in_batches(blobs, kind, monkeypatch):
    X, y = blobs
    monkeypatch.setattr(validation, "BATCH_ROWS", {"cpu": 10, "cuda": 10, "mps": 10})
    in_batches = kind(max_iter=2, early_stopping=True, validation_fraction=0.5).fit(X, y)
    monkeypatch.undo()
    at_once = kind(max_iter=2, early_stopping=True, validation_fraction=0.5).fit(X, y)
    found, wanted = in_batches.history_["validation"], at_once.history_["validation"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    cpu = torch.device("cpu")
    sizes = [len(rows) for rows in validation.in_batches(torch.zeros(2500, 2), cpu)]
    assert sizes == [1024, 1024, 452]


def test_a_pickle_of_another_version_warns(blobs, fitted_transformer):
    state = {**fitted_transformer.__getstate__(), "_skaae_version": "0.0.1"}
    with pytest.warns(UserWarning, match="pickled by skaae 0.0.1"):
        AAETransformer().__setstate__(state)


def test_fit_under_other_global_settings_of_torch(blobs):
    X, _ = blobs
    expected = transformer(max_iter=2).fit(X).transform(X)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            found = transformer(max_iter=2, prior="petals").fit(X)
            same = transformer(max_iter=2).fit(X).transform(X)
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(same, expected)
    assert found.transform(X).shape == (180, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: AAETransformer(network=Conv(image_shape=(2, 2)), hidden_layer_sizes=(4,)),
        lambda: AAETransformer(posterior="universal"),
        lambda: AAEEmbedding(n_clusters=3),
    ],
)
def test_every_network_is_of_float32_whatever_the_default_of_torch(make):
    X = np.random.default_rng(0).normal(size=(60, 4))

    def codes():
        return make().set_params(max_iter=1, **FITS).fit(X).transform(X)

    expected = codes()
    torch.set_default_dtype(torch.float64)
    try:
        np.testing.assert_array_equal(codes(), expected)
    finally:
        torch.set_default_dtype(torch.float32)


def test_clone_is_unfitted_and_equal_in_parameters():
    model = transformer(prior=Gaussian(3.0))
    again = clone(model.fit(np.random.default_rng(0).normal(size=(20, 3))))
    assert again.get_params() == model.get_params()
    assert not hasattr(again, "n_iter_")


def test_threads_share_a_fitted_model(blobs, fitted_classifier):
    X, _ = blobs
    expected = fitted_classifier.predict_proba(X)
    found = joblib.Parallel(n_jobs=4, backend="threading")(
        joblib.delayed(fitted_classifier.predict_proba)(X) for _ in range(16)
    )
    assert all(np.array_equal(proba, expected) for proba in found)


def test_html_and_text_representations(fitted_transformer):
    assert "AAETransformer" in fitted_transformer._repr_html_()
    assert "Gaussian(scale=3.0)" in repr(AAETransformer(prior=Gaussian(3.0)))


def test_large_tables_pass_in_batches(fitted_transformer, monkeypatch, device):
    """Hidden layers of all rows at once would not fit; the codes are those of a few rows alone."""
    monkeypatch.setitem(BATCH_ROWS, device, 1024)
    sizes = []
    encoder = fitted_transformer._step.trained.encoder
    forward = type(encoder).forward

    def watch(module, x, *others, **named):
        sizes.append(len(x))
        return forward(module, x, *others, **named)

    monkeypatch.setattr(type(encoder), "forward", watch)
    X = np.random.default_rng(0).normal(size=(5_000, 6)).astype(np.float32)
    codes = fitted_transformer.transform(X)
    assert sizes == [1024] * 4 + [904]
    np.testing.assert_allclose(codes[1000:1100], fitted_transformer.transform(X[1000:1100]), 1e-4)


def test_digits_with_missing_labels_and_pixels_of_any_range(digits):
    X, y = digits
    given = hide(y[:600], 5)
    model = classifier(max_iter=3)
    pixels = model.fit(X[:600], given).predict_proba(X[:50])
    bytes_ = model.fit((X[:600] * 15).astype(np.uint8), given).predict_proba(
        (X[:50] * 15).astype(np.uint8)
    )
    np.testing.assert_allclose(pixels, bytes_, atol=0.05)
