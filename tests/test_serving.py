"""The example of a web server: right answers, and a reason for each bad request."""

import contextlib
import importlib.util
import json
import re
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import classifier, small_classifier, transformer
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from skaae import export_onnx

uvicorn = pytest.importorskip("uvicorn", reason="needs uvicorn")
pytest.importorskip("starlette", reason="needs starlette")

PATH = Path(__file__).resolve().parents[1] / "docs" / "examples" / "serving" / "app.py"


@pytest.fixture(scope="module")
def example():
    """The module of the example, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("serving_app", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def serving(app):
    """Yield a function that sends a request to an app on loopback and returns the answer."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 30.0
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server did not start in time"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]

        def send(body, path="/predict", method="POST"):
            # a new connection each time, as the server ends those that wait for long
            with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                connection.request(method, path, body)
                response = connection.getresponse()
                return response.status, json.loads(response.read())

        yield send
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def rows():
    return load_iris(return_X_y=True)[0]


@pytest.fixture(scope="module")
def arrays(example, rows, tmp_path_factory):
    """The server of a classifier for arrays of numbers, and the classifier."""
    model = small_classifier(unlabeled_label=None).fit(rows, load_iris().target)
    path = tmp_path_factory.mktemp("arrays") / "iris.onnx"
    export_onnx(model, path, method="predict")
    with serving(example.make_app(str(path))) as send:
        yield send, model


@pytest.fixture(scope="module")
def tables(example, rows, tmp_path_factory):
    """The server of a transformer for tables with text, the transformer, and its table."""
    frame = pd.DataFrame({"size": rows[:, 0], "color": np.repeat(["red", "green", "blue"], 50)})
    frame["new"] = rows[:, 1] > 3.0
    model = transformer(max_iter=2).fit(frame)
    path = tmp_path_factory.mktemp("tables") / "table.onnx"
    export_onnx(model, path, method="transform")
    with serving(example.make_app(str(path))) as send:
        yield send, model, frame


def predict(send, rows):
    status, answer = send(json.dumps({"rows": rows}))
    assert status == 200, answer
    return answer


def test_answers_are_those_of_the_estimator(arrays, rows):
    send, model = arrays
    answer = predict(send, rows.tolist())
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(rows), atol=1e-5)
    assert answer["label"] == np.argmax(answer["probabilities"], axis=1).tolist()


def test_null_is_a_missing_value(arrays, rows):
    send, model = arrays
    gap = rows[:1].copy()
    gap[0, 2] = np.nan
    answer = predict(send, [[*rows[0, :2].tolist(), None, rows[0, 3]]])
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(gap), atol=1e-5)


def test_rows_of_a_table_have_names(tables):
    """In any order; unknown text is a category that no training row had."""
    send, model, frame = tables
    frame = frame.iloc[[0, 75, 149]].reset_index(drop=True)
    frame.loc[1, "color"], frame.loc[2, "color"], frame.loc[2, "size"] = "pink", None, np.nan
    named = json.loads(frame[["new", "color", "size"]].to_json(orient="records"))
    assert named[2] == {"new": False, "color": None, "size": None}
    answer = predict(send, named)
    np.testing.assert_allclose(answer["Z"], model.transform(frame), atol=1e-5)


def test_names_of_a_table_of_numbers(example, rows, tmp_path):
    frame = pd.DataFrame(rows, columns=["a", "b", "c", "d"])
    model = transformer(max_iter=2).fit(frame)
    export_onnx(model, tmp_path / "numbers.onnx", method="transform", dtype="float64")
    with serving(example.make_app(str(tmp_path / "numbers.onnx"))) as send:
        answer = predict(send, frame[["d", "b", "a", "c"]].head(3).to_dict("records"))
    np.testing.assert_allclose(answer["Z"], model.transform(frame.head(3)), atol=1e-5)


def test_arrays_with_text(example, rows, tmp_path):
    """Their columns have no names, so their rows are lists."""
    X = np.empty((150, 2), dtype=object)
    X[:, 0], X[:, 1] = rows[:, 0], np.repeat(["red", "green", "blue"], 50)
    model = transformer(max_iter=2, categorical_features=[1]).fit(X)
    export_onnx(model, tmp_path / "text.onnx", method="transform")
    with serving(example.make_app(str(tmp_path / "text.onnx"))) as send:
        assert list(send(None, "/", "GET")[1]["columns"].values()) == ["numbers", "text"]
        answer = predict(send, X[::50].tolist())
        status, error = send('{"rows": [[1.0, 2.0]]}')
    np.testing.assert_allclose(answer["Z"], model.transform(X[::50]), atol=1e-5)
    assert status == 422
    assert "is 2.0, and the column takes text" in error["error"]


def test_labels_that_are_floats(example, rows, tmp_path):
    model = classifier(max_iter=2, pseudo_labels=False, unlabeled_label=None)
    export_onnx(
        model.fit(rows, load_iris().target.astype(float)), tmp_path / "f.onnx", method="predict"
    )
    with serving(example.make_app(str(tmp_path / "f.onnx"))) as send:
        assert predict(send, rows[:1].tolist())["label"][0] in (0.0, 1.0, 2.0)


def test_what_the_model_takes(arrays, tables):
    assert arrays[0](None, "/", "GET") == (
        200,
        {
            "estimator": "SemiSupervisedAAEClassifier",
            "method": "predict",
            "skaae_version": arrays[0](None, "/", "GET")[1]["skaae_version"],
            "columns": 4,
            "outputs": ["label", "probabilities"],
            "most rows": 1000,
        },
    )
    columns = tables[0](None, "/", "GET")[1]["columns"]
    assert columns == {"size": "numbers", "color": "text", "new": "numbers"}


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ("", 400, "no JSON: Expecting value"),
        ("rows=1", 400, 'no JSON: .*; send an object as {"rows"'),
        (b"\xff\xfe\xfd", 400, "no JSON"),
        ("[" * 100_000, 400, "no JSON"),
        ("9" * 5000, 400, "no JSON"),
        ('{"rows": [[NaN, 1, 1, 1]]}', 400, "NaN is no JSON and not allowed; .* null"),
        ('{"rows": [[1, -Infinity, 1, 1]]}', 400, "-Infinity is no JSON"),
        ("[[1, 2, 3, 4]]", 422, r'the request is \[\[1, 2, 3, 4\]\]; send an object with'),
        ('{"row": [[1, 2, 3, 4]]}', 422, r'the entries \["row"\]; send an object with the entry'),
        ('{"rows": []}', 422, r'"rows" is \[\]; it must be a list of at least one row'),
        ('{"rows": 7}', 422, '"rows" is 7'),
        ('{"rows": [[1, 2, 3, 4], 5]}', 422, "row 1 is 5; a row must be a list of 4 values"),
        ('{"rows": [{"a": 1}]}', 422, r'row 0 is {"a": 1}; a row must be a list'),
        ('{"rows": [[1, 2, 3, 4], [1, 2, 3]]}', 422, "row 1 has 3 values, .* 4 columns; send"),
        ('{"rows": [[1, 2, "3", 4]]}', 422, 'row 0, column 2 is "3", which is text, .* takes num'),
        ('{"rows": [[1, 2, [3], 4]]}', 422, r"row 0, column 2 is \[3\], which is a list"),
        ('{"rows": [[1, 2, 3, {}]]}', 422, "row 0, column 3 is {}, which is an object"),
        ('{"rows": [[1, 2, 3, 1e999]]}', 422, "row 0, column 3 is Infinity, and numbers must be"),
        ('{"rows": [[1, 2, 3, -1e39]]}', 422, r"-1e\+39, .* between -3.403e\+38 and 3.403e\+38"),
        ('{"rows": [[1, 2, 3, 1%s]]}' % ("0" * 400), 422, "column 3 is 1000.*; send a smaller"),
        (json.dumps({"rows": [[1, 2, 3, 4]] * 1001}), 413, "1001 rows, and at most 1000 .*; send"),
        (b" " * 4_000_001, 413, "4000001 bytes, and at most 4000000 .*; send several"),
    ],
)  # fmt: skip
def test_bad_requests_get_a_reason(arrays, body, status, reason):
    found, answer = arrays[0](body)
    assert found == status, answer
    assert re.search(reason, answer["error"]), answer["error"]
    assert len(answer["error"]) < 500


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([1, "red", True], r'row 0 is \[1, "red", true\]; a row must be an object with'),
        ({"size": 1, "color": "red"}, r'row 0 lacks the columns \["new"\]; send exactly the col'),
        (
            {"size": 1, "colour": "red", "new": True},
            r'lacks the columns \["color"\] and has the unknown columns \["colour"\]',
        ),
        ({"size": 1, "color": "red", "new": 1, "x": 2}, r'row 0 has the unknown columns \["x"\]'),
        ({"size": "big", "color": "red", "new": 1}, 'row 0, column "size" is "big", which is text'),
        ({"size": 1, "color": 7, "new": True}, 'column "color" is 7, and the column takes text'),
        ({"size": 1, "color": "\ud800", "new": True}, "half of a surrogate pair; send text"),
    ],
)  # fmt: skip
def test_bad_rows_of_a_table_get_a_reason(tables, row, reason):
    status, answer = tables[0](json.dumps({"rows": [row]}))
    assert status == 422, answer
    assert re.search(reason, answer["error"]), answer["error"]


def test_wrong_paths_and_methods(arrays):
    status, answer = arrays[0]("{}", "/fit")
    assert status == 404
    assert answer["error"].startswith("POST /fit: Not Found; POST rows to /predict")
    assert arrays[0](None, "/predict", "GET")[0] == 405


def test_a_file_that_decodes_is_refused(example, rows, tmp_path):
    export_onnx(transformer(max_iter=2).fit(rows), tmp_path / "z.onnx", method="inverse_transform")
    with pytest.raises(SystemExit, match="has the method 'inverse_transform', and this server"):
        example.make_app(str(tmp_path / "z.onnx"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)
CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
ROWS = st.lists(st.lists(CELLS, min_size=4, max_size=4), min_size=1, max_size=3)
NAMED = st.fixed_dictionaries({"size": CELLS, "color": CELLS, "new": CELLS})
BODIES = st.binary(max_size=40) | (
    VALUES | st.fixed_dictionaries({"rows": VALUES | ROWS | st.lists(NAMED)})
).map(json.dumps)


@given(body=BODIES)
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
def test_any_request_is_answered_or_refused_with_a_reason(arrays, tables, body):
    for send in (arrays[0], tables[0]):
        status, answer = send(body)
        if status == 200:
            assert "error" not in answer
        else:
            assert status in (400, 413, 422), answer
            assert len(answer["error"]) > 20
