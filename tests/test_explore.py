"""The page of `explore`: its data, its arithmetic, and the page in a browser."""

import base64
import json
import re
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from browser import PATH, Browser
from conftest import FITS, make
from scipy.special import erf, expit
from sklearn.datasets import load_digits
from torch import nn

from skaae import (
    MLP,
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    AAETransformer,
    SemiSupervisedAAEClassifier,
    SupervisedAAETransformer,
)
from skaae.displays import LatentSpaceDisplay, explore
from skaae.displays._display import COLORS
from skaae.displays._explore import values_of as values_of_page

POINTS = np.array([[0.0, 0.0], [0.5, -1.0], [-2.0, 1.5], [3.0, 3.0]])
ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0.0),
    "leaky_relu": lambda x: np.where(x > 0.0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0.0, x, np.expm1(np.minimum(x, 0.0))),
    "gelu": lambda x: 0.5 * x * (1.0 + erf(x / np.sqrt(2.0))),
    "silu": lambda x: x * expit(x),
    "tanh": np.tanh,
    "logistic": expit,
    "identity": lambda x: x,
}
RNG = np.random.default_rng(0)
CENTERS = 4.0 * RNG.normal(size=(3, 6))
Y = np.repeat([0, 1, 2], 30)
X = (CENTERS[Y] + RNG.normal(size=(90, 6))) * [1, 10, 100, 0.1, 1, 1]
IMAGES = RNG.uniform(0, 255, size=(90, 7 * 5 * 3)) * (0.2 + 0.4 * Y[:, None])
MIXED = pd.DataFrame(
    {
        "whole": (X[:, 1]).round().astype(int),
        "number": np.where(np.arange(90) % 9 == 0, np.nan, X[:, 2]),
        "flag": Y > 0,
        "<b>text</b>": np.array(["</script>", "b", "c"], dtype=object)[Y],
        "small": X[:, 4].astype("float32"),
        "never known": np.full(90, np.nan),
    }
)
SMALL = {"max_iter": 3, "n_components": 2, "hidden_layer_sizes": (8, 6)}


def small(cls, table=X, y=None, **params):
    return make(cls, **{**SMALL, **params}).fit(table, y), table


CASES = {
    **{
        name: lambda name=name: small(
            AAETransformer, activation=name, batch_norm="autoencoder" if name < "l" else None
        )
        for name in ACTIVATIONS
    },
    "digits": lambda: small(AAETransformer, load_digits().data, hidden_layer_sizes=(192, 192)),
    "sigmoid": lambda: small(
        AAETransformer, X - X.min(), reconstruction_loss="binary_cross_entropy"
    ),
    "mixed": lambda: small(AAETransformer, MIXED, max_iter=30),
    "polars": lambda: small(AAETransformer, pl.from_pandas(MIXED)),
    "outliers": lambda: small(AAEOutlierDetector),
    "conv": lambda: small(
        AAETransformer,
        IMAGES,
        network="conv",
        image_shape=(7, 5, 3),
        hidden_layer_sizes=(4, 3),
        batch_norm="autoencoder",
    ),
    "map": lambda: small(AAEEmbedding),
    "heads": lambda: small(AAEEmbedding, n_clusters=3),
    "supervised": lambda: small(SupervisedAAETransformer, y=Y),
    "conv with classes": lambda: small(
        SupervisedAAETransformer,
        IMAGES,
        Y,
        network="conv",
        image_shape=(7, 5, 3),
        hidden_layer_sizes=(4,),
        batch_norm="autoencoder",
    ),
    "classifier": lambda: small(
        SemiSupervisedAAEClassifier,
        y=np.where(np.arange(90) % 3 == 0, Y, -1),
        batch_norm="autoencoder",
        pseudo_labels=False,
    ),
    "components": lambda: small(
        SemiSupervisedAAEClassifier,
        y=np.where(np.arange(90) % 3 == 0, Y, -1),
        components_per_class=2,
        pseudo_labels=False,
    ),
    "clusters": lambda: small(AAEClusterer, n_clusters=3),
}


@cache
def fitted(case):
    """Return the estimator of a case and its rows; tests must not change them."""
    return CASES[case]()


def data_of(page):
    """Return what the page contains as data."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(found.group(1))


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f4").astype(float)


def values_of(table):
    """Return rows of any kind as lists of numbers and text, None for a gap."""
    table = table.to_pandas() if isinstance(table, pl.DataFrame) else table
    rows = table.to_numpy(dtype=object) if isinstance(table, pd.DataFrame) else table
    plain = [[v if isinstance(v, str) else float(v) for v in row] for row in rows.tolist()]
    return [[None if v != v else v for v in row] for row in plain]


def decode(data, points, choice=None):
    """Decode points with NumPy as the page is to do it."""
    decoder = data["decoder"]
    shares = np.array(decoder["proportions"])
    if choice is not None:
        shares = np.eye(len(shares))[choice]
    values = np.asarray(points, dtype=float)
    for depth, layer in enumerate(decoder["layers"]):
        weight, bias = floats(layer["weight"]), floats(layer["bias"])
        if layer["shapes"]:
            values = upsample(values, weight, bias, *layer["shapes"])
        else:
            values = values @ weight.reshape(len(bias), -1).T + bias
        if depth == 0 and len(shares):
            values = values + shares @ floats(decoder["of_class"]).reshape(len(shares), -1)
        values = ACTIVATIONS[layer["activation"]](values)
    return [[column_of(column, row) for column in decoder["columns"]] for row in values]


def upsample(values, weight, bias, small_shape, large_shape):
    """Return the transposed convolution of stride 2 and padding 1 of flat images."""
    (height, width, n_in), (tall, wide, n_out) = small_shape, large_shape
    kernel = weight.reshape(n_in, 4, 4, n_out)
    padded = np.zeros((len(values), tall + 4, wide + 4, n_out))
    images = values.reshape(-1, height, width, n_in)
    for y in range(4):
        for x in range(4):
            part = images @ kernel[:, y, x]
            padded[:, y : y + 2 * height : 2, x : x + 2 * width : 2] += part
    return (padded[:, 1 : 1 + tall, 1 : 1 + wide] + bias).reshape(len(values), -1)


def column_of(column, outputs):
    """Return the value of a column for the outputs of one row."""
    start = column["start"]
    if column["kind"] == "number" and column["range"] is None:
        return None
    if column["kind"] == "category":
        return column["values"][int(np.argmax(outputs[start : start + len(column["values"])]))]
    if column["kind"] == "flag":
        return float(outputs[start] > 0.0)
    output = expit(outputs[start]) if column["sigmoid"] else outputs[start]
    value = column["factor"] * output + column["offset"]
    if column["scores"]:
        value = np.interp(output, column["scores"], column["values"])
    low, high = (
        end if end is not None else sign
        for end, sign in zip(column["limits"], (-np.inf, np.inf), strict=True)
    )
    return float(np.clip(np.rint(value) if column["whole"] else value, low, high))


def expected(estimator, points, data, choice=None):
    """Return what `inverse_transform` gives, for one of the classes or without one."""
    if choice is None:
        return values_of(estimator.inverse_transform(points))
    classes = getattr(estimator, "classes_", np.arange(len(data["decoder"]["classes"])))
    return values_of(estimator.inverse_transform(points, classes[choice]))


def assert_same(found, wanted):
    """Compare rows of numbers and text, to 1e-4; to 1e-6 of a number where this is more."""
    for ours, theirs in zip(zip(*found, strict=True), zip(*wanted, strict=True), strict=True):
        if theirs[0] is None or isinstance(theirs[0], str):
            assert ours == theirs
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-4)


def choices(data):
    return [None, *range(len(data["decoder"]["classes"]))]


@pytest.mark.parametrize("case", CASES)
def test_weights_in_the_page_decode_as_inverse_transform_does(case):
    estimator, table = fitted(case)
    data = data_of(explore(estimator, table).to_html())
    for choice in choices(data):
        assert_same(decode(data, POINTS, choice), expected(estimator, POINTS, data, choice))


def test_the_page_needs_nothing_else(digits):
    y = digits[1]
    estimator, table = fitted("digits")
    page = explore(estimator, table, y).to_html()
    assert len(page.encode()) < 3_000_000
    assert not re.search(r"https?:|<link|\bsrc=|@import|\burl\(|\bimport\b|fetch\(", page)
    data = data_of(page)
    assert data["image"] == {"shape": [8, 8], "range": [0.0, 16.0]}
    np.testing.assert_allclose(
        floats(data["rows"]["codes"]).reshape(-1, 2), estimator.transform(table), atol=1e-5
    )
    pixels = np.frombuffer(base64.b64decode(data["rows"]["pixels"]), "u1").reshape(table.shape)
    np.testing.assert_allclose(pixels / 255.0 * 16.0, table, atol=0.04)
    assert data["rows"]["target"] == y.tolist()
    assert data["groups"]["names"] == [str(label) for label in range(10)]


def test_names_cannot_leave_the_data():
    estimator, table = fitted("mixed")
    page = explore(estimator, table, table["<b>text</b>"]).to_html()
    assert page.count("</script>") == 2
    assert data_of(page)["groups"]["names"] == ["</script>", "b", "c"]
    assert data_of(page)["rows"]["values"][0][:4] == [MIXED["whole"][0], None, False, "</script>"]


def test_notebooks_show_the_page_in_a_frame_of_its_own(tmp_path):
    estimator, table = fitted("supervised")
    page = explore(estimator, table, Y)
    shown = page._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "<script" not in shown
    assert page.save(tmp_path / "walk.html") is page
    assert (tmp_path / "walk.html").read_text(encoding="utf-8") == page.to_html()


def test_many_rows_are_drawn_at_random():
    estimator, table = fitted("relu")
    drawn = [data_of(explore(estimator, table, Y, max_rows=20).to_html()) for _ in range(2)]
    assert drawn[0] == drawn[1]
    index = drawn[0]["rows"]["index"]
    assert len(set(index)) == 20
    assert drawn[0]["rows"]["target"] == Y[index].tolist()
    np.testing.assert_allclose(drawn[0]["rows"]["values"], table[index])
    for case in ("mixed", "polars"):
        rows = explore(*fitted(case), max_rows=20).data["rows"]
        assert rows["target"] == []
        assert [row[2] for row in rows["values"]] == (Y[rows["index"]] > 0).tolist()
    other = explore(estimator, table, max_rows=20, random_state=1).data["rows"]["index"]
    assert other != index


def test_rows_have_the_shares_of_classes_that_they_are_reconstructed_with():
    estimator, table = fitted("classifier")
    shares = floats(explore(estimator, table).data["rows"]["shares"]).reshape(90, 3)
    np.testing.assert_allclose(shares, estimator.predict_proba(table), atol=1e-6)
    estimator, table = fitted("supervised")
    y = np.where(np.arange(90) == 3, -1, Y)
    shares = floats(explore(estimator, table, y).data["rows"]["shares"]).reshape(90, 3)
    np.testing.assert_allclose(np.delete(shares, 3, axis=0), np.eye(3)[np.delete(Y, 3)])
    np.testing.assert_allclose(shares[3], estimator.class_prior_, atol=1e-6)


def test_colours_are_classes_values_or_what_is_predicted():
    estimator, table = fitted("clusters")
    groups, rows = (explore(estimator, table).data[part] for part in ("groups", "rows"))
    assert groups["word"] == "cluster"
    assert [groups["names"][i] for i in rows["target"]] == estimator.predict(table).astype(
        str
    ).tolist()
    estimator, table = fitted("relu")
    assert not explore(estimator, table).data["groups"]["shown"]
    page = explore(estimator, table, np.where(Y == 2, np.nan, table[:, 0])).data
    assert page["groups"]["names"] is None
    assert page["groups"]["range"] == [table[Y < 2, 0].min(), table[Y < 2, 0].max()]
    assert page["rows"]["target"][-1] is None
    colors = explore(estimator, table, np.arange(len(Y)) % 25).data["colors"]
    assert len(set(colors["dark"])) == len(set(colors["light"])) == 25


def test_images_have_the_shape_that_is_given_or_that_of_the_network():
    estimator, table = fitted("conv")
    assert explore(estimator, table).data["image"]["shape"] == (7, 5, 3)
    estimator, table = fitted("relu")
    assert explore(estimator, table).data["image"] is None
    assert explore(estimator, table, image_shape=(2, 3)).data["image"]["shape"] == (2, 3)
    with pytest.raises(ValueError, match=r"6 features are not images of image_shape=\(2, 2\)"):
        explore(estimator, table, image_shape=(2, 2))
    with pytest.raises(ValueError, match="are not images"):
        explore(*fitted("mixed"), image_shape=(1, 5))


def test_lists_and_sparse_tables():
    from scipy.sparse import csr_array

    estimator, table = fitted("relu")
    wanted = explore(estimator, table).data["rows"]
    for other in (table.tolist(), csr_array(table)):
        assert explore(estimator, other).data["rows"] == wanted


def test_columns_may_have_dates_as_names():
    names = pd.date_range("2026-01-01", periods=4)
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)), columns=names)
    aae = AAETransformer(max_iter=1, hidden_layer_sizes=4, **FITS).fit(frame)
    columns = data_of(explore(aae, frame).to_html())["decoder"]["columns"]
    assert [column["name"] for column in columns] == [str(name) for name in names]


def test_errors_say_what_to_do():
    estimator, table = small(AAETransformer, n_components=3)
    with pytest.raises(ValueError, match="has n_components=3; fit it with n_components=2"):
        explore(estimator, table)
    aae, table = fitted("relu")
    for y in (np.zeros(5), np.zeros((len(table), 2))):
        message = f"y has {y.size} values, but there are {len(table)} rows"
        with pytest.raises(ValueError, match=message):
            explore(aae, table, y)
        with pytest.raises(ValueError, match=message):
            LatentSpaceDisplay.from_estimator(aae, table, y)
    with pytest.raises(ValueError, match="max_rows=0 must be at least 1"):
        explore(*fitted("relu"), max_rows=0)
    with pytest.raises(ValueError, match=r"y contains 7, but .* the classes \[0, 1, 2\]; give one"):
        explore(*fitted("supervised"), np.where(np.arange(90) == 3, 7, Y))
    with pytest.raises(TypeError, match="dict is no estimator of skaae"):
        explore({}, table)
    network = MLP(decoder=lambda n_in, n_out: nn.Linear(n_in, n_out))
    estimator = AAETransformer(network=network, max_iter=1, **FITS).fit(table)
    with pytest.raises(ValueError, match="Linear, which only PyTorch can compute; fit an"):
        explore(estimator, table)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if PATH is None:
        pytest.skip("there is no chromium or google-chrome on the path")
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Return a function that opens the page of a case, and returns its estimator and its data."""

    def open_page(case, y=Y, address=""):
        estimator, table = fitted(case)
        y = None if case == "digits" else y
        page = explore(estimator, table, y).save(tmp_path / "walk.html")
        browser.open(f"file://{tmp_path}/walk.html{address}")
        assert browser.errors == []
        return estimator, data_of(page.to_html())

    yield open_page
    assert browser.errors == []
    assert browser.requests == [f"file://{tmp_path}/walk.html"]


def place_of(browser, point):
    """Return where on the screen a point of the map is."""
    box = browser.run("document.getElementById('plane').getBoundingClientRect().toJSON()")
    left, top = browser.run(f"view.toPixels({list(map(float, point))})")
    return box["x"] + left, box["y"] + top


def corner_of(browser):
    """Return where on the screen the upper left corner of the map is, where no row is near."""
    box = browser.run("document.getElementById('plane').getBoundingClientRect().toJSON()")
    return box["x"] + 3, box["y"] + 3


def each(selector, attribute):
    """Return a script for an attribute of all elements that a selector finds."""
    return f"[...document.querySelectorAll('{selector}')].map((found) => found.{attribute})"


def painted_on(canvas):
    """Return a script for the colours of the pixels of a canvas."""
    whole = "0, 0, canvas.width, canvas.height"
    return f"((canvas) => [...canvas.getContext('2d').getImageData({whole}).data])({canvas})"


def codes_of(data):
    return floats(data["rows"]["codes"]).reshape(-1, 2)


@pytest.mark.parametrize("case", CASES)
def test_the_browser_decodes_as_inverse_transform_does(case, visit, browser):
    estimator, data = visit(case)
    for choice in choices(data):
        points, index = json.dumps(POINTS.tolist()), json.dumps(choice)
        found = browser.run(f"{points}.map((point) => skaae.decode(point, {index}))")
        assert_same(found, expected(estimator, POINTS, data, choice))


def test_the_row_under_the_pointer_is_shown(visit, browser):
    estimator, data = visit("supervised")
    for point in codes_of(data)[[4, 50]] + 0.01:
        browser.mouse("mouseMoved", *place_of(browser, point))
        shown = browser.run("skaae.state.point")
        # the pointer is on a whole pixel of the screen
        np.testing.assert_allclose(shown, point, atol=1.0 / browser.run("view.scale"))
        wanted = expected(estimator, [shown], data, choice=0)
        assert_same([browser.run("skaae.shown()")], wanted)
        cells = browser.run(each("tbody td:nth-child(3)", "textContent"))
        written = [float(cell.replace("\u2212", "-")) for cell in cells]
        np.testing.assert_allclose(written, wanted[0], rtol=0.01)


def test_bars_have_a_mark_where_the_row_has_a_number(visit, browser):
    visit("mixed", address="#row=9")
    assert browser.run(each(".track b", "hidden")) == [False, True, False, True, False, True]
    places = [
        float(left.rstrip("%")) for left in browser.run(each(".track b", "style.left || '0'"))
    ]
    whole = MIXED["whole"]
    np.testing.assert_allclose(places[0], 100 * (whole[9] - whole.min()) / np.ptp(whole), atol=0.01)
    assert places[2] == 100 * MIXED["flag"][9]


def test_pixels_of_the_picture_are_those_of_inverse_transform(visit, browser):
    estimator, data = visit("conv with classes", address="#at=0.5,-1&class=2")
    painted = browser.run(painted_on("document.querySelector('#pictures canvas')"))
    low, high = data["image"]["range"]
    row = estimator.inverse_transform([[0.5, -1.0]], 2).reshape(7, 5, 3)
    levels = np.clip(255.0 * (row - low) / (high - low), 0, 255)
    np.testing.assert_allclose(np.reshape(painted, (7, 5, 4))[:, :, :3], levels, atol=0.51)


def test_a_row_is_held_and_dragged(visit, browser):
    estimator, data = visit("classifier")
    codes, table = codes_of(data), fitted("classifier")[1]
    likely = estimator.predict_proba(table).argmax(axis=1)
    distances = np.sort(np.hypot(*(codes[:, None] - codes).transpose(2, 0, 1)), axis=1)
    # the row of another class than the first that is farthest from all others
    row = int(np.argmax(np.where(likely > 0, distances[:, 1], -1.0)))
    browser.mouse("mousePressed", *place_of(browser, codes[row]), button="left", clickCount=1)
    assert browser.run("skaae.state.held") == row
    assert browser.run("skaae.state.choice") == likely[row]
    assert likely[row] > 0
    again = estimator.inverse_transform(codes[[row]], estimator.predict_proba(table[[row]]))
    assert_same([browser.run(f"skaae.reconstruct({row})")], again.tolist())
    goal = codes.mean(axis=0)
    browser.mouse("mouseMoved", *place_of(browser, goal), button="left", buttons=1)
    browser.mouse("mouseReleased", *place_of(browser, goal), button="left", clickCount=1)
    assert browser.run("skaae.state.held") == row
    point = browser.run("skaae.state.point")
    np.testing.assert_allclose(point, goal, atol=1.0 / browser.run("view.scale"))
    assert f"row {row}, class {Y[row]}." in browser.run(each("caption", "textContent"))[0]
    near = [int(row) for row in browser.run(each("#neighbours button", "dataset.row"))]
    order = np.argsort(np.hypot(*(codes - point).T), kind="stable")
    assert near == order[:8].tolist()
    browser.mouse("mousePressed", *corner_of(browser), button="left", clickCount=1)
    assert browser.run("skaae.state.held") is None


def test_keys_do_what_the_pointer_does(visit, browser):
    _, data = visit("supervised")
    codes = codes_of(data)
    focused = "document.activeElement.closest('[id]')?.id"
    reached = []
    for _ in range(40):
        browser.press("Tab")
        found = browser.run(focused)
        reached += [found] if found not in reached else []
    assert {"plane", "legend", "choice", "neighbours"} <= set(reached)
    browser.run("document.getElementById('plane').focus()")
    start = np.array(browser.run("skaae.state.point"))
    browser.press("ArrowRight")
    browser.press("ArrowUp")
    moved = np.array(browser.run("skaae.state.point"))
    assert (moved > start).all()
    browser.press("ArrowRight", shift=True)
    browser.press("ArrowDown", shift=True)
    again = np.array(browser.run("skaae.state.point"))
    np.testing.assert_allclose((again - moved) * 6.0, [1, -1] * (moved - start))
    browser.press("Enter")
    held = browser.run("skaae.state.held")
    assert held == np.hypot(*(codes - again).T).argmin()
    assert f"Held: row {held}, class {Y[held]}." in browser.run(
        "document.getElementById('status').textContent"
    )
    browser.press("Escape")
    assert browser.run("skaae.state.held") is None
    browser.run("document.querySelector('#choice input:checked').focus()")
    before = browser.run("skaae.state.choice")
    browser.press("ArrowLeft")
    assert browser.run("skaae.state.choice") == (before - 1 if before else None)


def test_the_legend_hides_classes(visit, browser):
    visit("supervised")
    for _ in range(2):
        browser.run("document.querySelectorAll('#legend button')[1].click()")
        browser.draw()
        hidden = browser.run("[...skaae.state.hidden]")
        near = [int(row) for row in browser.run(each("#neighbours button", "dataset.row"))]
        wanted = np.argsort(
            browser.run("rows.index.map((row) => distance(row, skaae.state.point))"), kind="stable"
        )
        kept = [row for row in wanted.tolist() if not (hidden and Y[row] == 1)]
        assert near == kept[:8]
    assert hidden == []


def test_dark_pages_have_colours_of_their_own(visit, browser):
    visit("supervised")
    seen = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.call("Emulation.setEmulatedMedia", features=[feature])
        browser.draw()
        seen[scheme] = browser.run("[getComputedStyle(document.body).backgroundColor, colorOf(0)]")
    browser.call("Emulation.setEmulatedMedia", features=[])
    assert seen["light"][0] != seen["dark"][0]
    assert seen["light"][1] == COLORS[Y[0]] != seen["dark"][1]


def test_the_address_names_what_to_show(visit, browser):
    estimator, data = visit("clusters", address="#row=5&at=0.5,-1")
    assert browser.run("[skaae.state.held, ...skaae.state.point]") == [5, 0.5, -1]
    cluster = int(estimator.predict(fitted("clusters")[1][[5]])[0])
    assert browser.run("skaae.state.choice") == cluster
    assert_same([browser.run("skaae.shown()")], expected(estimator, [[0.5, -1.0]], data, cluster))


@pytest.mark.parametrize("y", [None, X[:, 0], np.where(Y == 1, -1, Y), np.arange(90) // 3 * 10])
def test_any_colours_are_drawn(y, visit, browser):
    visit("map", y)
    colors = np.reshape(browser.run(painted_on("points")), (-1, 4))
    assert len(np.unique(colors[colors[:, 3] > 200], axis=0)) > 1
    unlabeled = y is not None and -1 in y
    grey = browser.run("rows.index.map((row) => colorOf(row) === css('--grey'))")
    assert grey == [unlabeled and label == 1 for label in Y]


def test_gaps_of_nullable_columns_are_gaps():
    frame = pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64"), "b": [0.5, np.nan, 2.0]})
    assert values_of_page(frame) == [[1, 0.5], [None, None], [3, 2.0]]


def test_rows_of_other_kinds_are_shown_as_numbers():
    X = np.random.default_rng(0).normal(size=(40, 3))
    masked = np.ma.array(X, mask=X > 1.0)
    model = AAETransformer(max_iter=1, random_state=0).fit(masked)
    y = X[:, 0].copy()
    y[0] = np.inf
    values = explore(model, masked).data["rows"]["values"]
    assert [[value is None for value in row] for row in values] == masked.mask.tolist()
    page = explore(model, torch.from_numpy(X), torch.from_numpy(y))
    assert page.data["rows"]["values"] == X.tolist()
    assert page.data["rows"]["target"][0] is None
    assert "Infinity" not in page.to_html()
