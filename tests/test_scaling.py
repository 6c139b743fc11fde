"""Input scaling: raw data of every kind works, and comes back in its own units."""

import tracemalloc
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse
import torch
from conftest import label, transformer
from scipy.ndimage import gaussian_filter, rotate, zoom
from scipy.stats import kstest
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_linnerud,
    load_sample_image,
    load_wine,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import scale

from skaae import (
    AAEClusterer,
    AAEOutlierDetector,
    AAETransformer,
    Conv,
    SemiSupervisedAAEClassifier,
    load,
    save,
    to_torch,
)
from skaae.columns import scaling as module
from skaae.columns.quantiles import are_far, fit_quantiles, has_heavy_tail
from skaae.columns.scaling import (
    BLOCK_SIZE,
    MOST_SCALED,
    Scaling,
    auto_kind,
    column_range,
    fit_scaling,
    has_gaps,
    known_range,
    looks_like_pixels,
    mean_and_count,
    working_dtype,
)

RNG = np.random.default_rng(0)
TABLES = {
    "N(100, 1)": RNG.normal(100, 1, size=(200, 5)),
    "unlike units": RNG.normal(size=(200, 5)) * [1e-6, 1e-3, 1, 1e3, 1e6],
    "with a constant": np.column_stack([RNG.normal(size=(200, 4)), np.full(200, 7.0)]),
    "iris": load_iris().data,
    "cancer": load_breast_cancer().data,
    "ages and counts": np.column_stack([RNG.integers(18, 90, 200), RNG.poisson(1, (200, 4))]),
    "percentages and a flag": np.column_stack([RNG.uniform(0, 100, 200), RNG.random(200) < 0.5]),
}
PIXELS = {
    "[0, 1]": RNG.integers(0, 256, size=(200, 16)) / 255.0 * (RNG.random((200, 16)) < 0.7),
    "[0, 255]": RNG.integers(0, 256, size=(200, 16)) * (RNG.random((200, 16)) < 0.7),
    "with a dark border": RNG.integers(0, 17, size=(200, 16)) * (np.arange(16) > 5),
}


def real_tables(cancer, wine, iris):
    """Return tables that ship with scikit-learn, and parts of them."""
    linnerud = load_linnerud()
    diabetes = load_diabetes(scaled=False).data
    return {
        "iris": iris,
        "iris sepals": iris[:, :2],
        "iris petals": iris[:, 2:],
        "iris petal widths": iris[:, 3:],
        "wine": wine,
        "wine without proline": wine[:, :-1],
        "wine twice": np.hstack([wine, wine]),
        "cancer": cancer,
        "cancer means": cancer[:, :10],
        "cancer errors": cancer[:, 10:20],
        "cancer worst": cancer[:, 20:],
        "cancer means and worst": np.hstack([cancer[:, :10], cancer[:, 20:]]),
        "cancer in float32": cancer.astype(np.float32),
        "cancer with negative columns": cancer - cancer.mean(axis=0),
        "diabetes": diabetes,
        "diabetes centred": load_diabetes().data,
        "linnerud exercises": linnerud.data,
        "linnerud bodies": linnerud.target,
        "linnerud": np.hstack([linnerud.data, linnerud.target]),
    }


def narrow_tables(rng, n=300):
    """Return synthetic tables of fewer columns than the smallest image has."""
    percent, flag = rng.uniform(0, 100, n), rng.random(n) < 0.5
    age, income, hours = rng.integers(18, 90, n), rng.lognormal(10, 0.7, n), rng.integers(0, 60, n)
    cloud, rain = 100 * rng.beta(0.5, 0.5, n), rng.exponential(2, n) * (rng.random(n) < 0.3)
    return {
        "percentage and flag": (percent, flag),
        "age and income": (age, income),
        "age, hours and member": (age, hours, flag),
        "humidity, cloud, rain and is_day": (rng.normal(70, 15, n).clip(0, 100), cloud, rain, flag),
        "0-100 beside 1-5": (rng.integers(0, 101, n), rng.integers(1, 6, n)),
        "one flag": (flag,),
        "three flags": (flag, percent > 80, age > 60),
        "three exams": tuple(exams(rng, n, 3).T),
        "shares of three": tuple(rng.dirichlet([1, 2, 3], n).T),
        "red, green and blue": tuple(rng.integers(0, 256, (3, n))),
    }


def wide_tables(rng, n=300):
    """Return synthetic tables of at least 16 columns, by what tells them from images."""
    percent = rng.uniform(0, 100, (n, 20))
    flags = rng.random((n, 8)) < [0.5, 0.5, 0.3, 0.3, 0.1, 0.1, 0.05, 0.05]
    one_hot = np.hstack([np.eye(5)[rng.integers(0, 5, n)] for _ in range(6)])
    wealth = rng.lognormal(0, 1, (n, 1))
    no_range = {
        "questions 1-5": rng.integers(1, 6, (n, 40)),
        "N(100, 1)": rng.normal(100, 1, (n, 20)),
        "exams and a loss": np.column_stack([exams(rng, n, 20), rng.normal(0, 50, n)]),
    }
    several_units = {
        "one-hot and age": np.column_stack([one_hot, rng.integers(18, 90, n)]),
        "one-hot and legs 0-8": np.column_stack([one_hot, rng.integers(0, 9, n)]),
        "one-hot and percentages": np.hstack([one_hot, percent]),
        "percentages and flags": np.hstack([percent, flags]),
        "percentages and rare flags": np.hstack([percent, flags[:, 4:]]),
        "percentages and 1-5": np.hstack([percent, rng.integers(1, 6, (n, 4))]),
        "percentages and 0-10": np.hstack([percent, rng.integers(0, 11, (n, 8))]),
        "exams and flags": np.hstack([exams(rng, n, 20), flags]),
        "exams and one flag": np.hstack([exams(rng, n, 20), flags[:, :1]]),
        "exams and grades 1-5": np.hstack([exams(rng, n, 20), rng.integers(1, 6, (n, 4))]),
        "sales by shop": rng.poisson(wealth * rng.lognormal(2, 1.5, 30)),
        "word counts": rng.poisson(wealth * 40 / np.arange(1, 201)),
        "rare counts": rng.negative_binomial(0.3, 0.05, (n, 30)),
        "counts of unlike means": rng.poisson(np.logspace(-1, 2, 30), (n, 30)),
        "shares of unlike means": rng.dirichlet(rng.lognormal(0, 1.2, 20), n),
        "spectra of unlike peaks": spectra(rng, n),
        "levels of sonar": rng.beta(2, np.linspace(2, 40, 60), (n, 60)),
        "digits and age": np.column_stack([load_digits().data, rng.integers(18, 90, 1797)]),
        "digits and a year": np.column_stack([load_digits().data, rng.integers(0, 2025, 1797)]),
    }
    no_picture = {
        "percentages": percent,
        "percentages and a flag": np.column_stack([percent, flags[:, 0]]),
        "percentages and 0-20": np.hstack([percent, rng.uniform(0, 20, (n, 8))]),
        "0-10 and flags": np.hstack([rng.integers(0, 11, (n, 30)), flags[:, :3]]),
        "columns from 0 to 1": rng.random((n, 60)),
        "shares of like means": rng.dirichlet(np.ones(40), n),
        "waiting times": rng.exponential(10, (n, 30)),
        "hourly temperatures": 22 + rng.normal(0, 4, (n, 1)) + rng.normal(0, 1, (n, 24)),
        "incomes by month": 1e4 * wealth * rng.lognormal(0, 0.3, (n, 24)),
        "sales by month": wealth**2 * rng.lognormal(0, 0.3, (n, 24)),
    }
    return no_range | several_units | no_picture


def exams(rng, n_rows, n_columns):
    """Return marks of 0 to 100 that rise and fall together, as pixels of photos do."""
    marks = rng.normal(55, 15, (n_rows, 1)) + rng.normal(0, 15, (n_rows, n_columns))
    return marks.clip(0, 100).round()


def spectra(rng, n_rows):
    """Return spectra of 80 channels with four peaks, the largest 40 times as high as the least."""
    channel = np.linspace(0, 1, 80)
    peaks = np.exp(-(((channel - [[0.1], [0.3], [0.5], [0.8]]) / 0.03) ** 2))
    heights = rng.uniform(0, [1, 0.2, 0.05, 2], (n_rows, 4))
    return np.abs(heights @ peaks + 0.002 * rng.normal(size=(n_rows, 80)))


def digit_images(X, y, rng):
    """Return scikit-learn's digits as they are, and changed as users change images."""
    squares = X.reshape(-1, 8, 8)
    turned = [
        rotate(image, angle, reshape=False, order=1)
        for image, angle in zip(squares[:300], rng.uniform(-15, 15, 300), strict=True)
    ]
    noise = rng.normal(size=X.shape)
    images = {
        "digits": X,
        "in [0, 1]": X / 16.0,
        "uint8": X.astype(np.uint8),
        "int64": X.astype(np.int64),
        "float32": X.astype(np.float32),
        "0-255": np.round(X * 255 / 16),
        "0-255 as uint8": np.round(X * 255 / 16).astype(np.uint8),
        "binarised": (X > 7).astype(float),
        "dark on white": 16.0 - X,
        "36 rows": X[:36],
        "permuted columns": X[:, rng.permutation(64)],
        "half of the columns": X[:, rng.permutation(64)[:32]],
        "16 columns": X[:, rng.permutation(64)[:16]],
        "upper half": squares[:, :4],
        "left quarter": squares[:, :, :2],
        "4 x 4 in the middle": squares[:, 2:6, 2:6],
        "4 x 4": squares.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)),
        "6 x 6": squares[:, 1:7, 1:7],
        "with a dead border": np.pad(squares, ((0, 0), (2, 2), (2, 2))),
        "with a grey frame": np.pad(squares / 16, ((0, 0), (1, 1), (1, 1)), constant_values=0.1),
        "16 x 16 copied": np.kron(squares[:300], np.ones((2, 2))),
        "16 x 16 linear": zoom(squares[:300], (1, 2, 2), order=1),
        "24 x 24 linear": zoom(squares[:300], (1, 3, 3), order=1),
        "24 x 24 cubic": zoom(squares[:300], (1, 3, 3), order=3).clip(0, 16).round(),
        "shifted": np.stack([np.roll(image, rng.integers(-1, 2, 2), (0, 1)) for image in squares]),
        "shifted by half a pixel": (squares[:, 1:] + squares[:, :-1]) / 2,
        "turned": np.stack(turned),
        "noise of a tenth": (X + 1.6 * noise).clip(0, 16),
        "noise of a third": (X + 5.0 * noise).clip(0, 16),
        "salt and pepper": np.where(rng.random(X.shape) < 0.1, 16 * (noise > 0), X),
        "masked": X * (rng.random(X.shape) < 0.7),
        "two colours": np.hstack([X, X * (y % 2)[:, None]]),
    }
    images |= {f"only {digit}": X[y == digit] for digit in range(10)}
    images |= {f"36 rows of {digit}": X[y == digit][:36] for digit in range(10)}
    return {f"digits, {name}": image.reshape(len(image), -1) for name, image in images.items()}


def photos(rng, n=300):
    """Return patches of scikit-learn's two photos, one row each."""
    images = {}
    for name in ("china", "flower"):
        photo = load_sample_image(f"{name}.jpg")
        for size in (4, 8, 16):
            corners = rng.integers(0, 400, (n, 2))
            patches = np.stack([photo[i : i + size, j : j + size] for i, j in corners])
            images[f"{name}, colour {size} x {size}"] = patches.reshape(n, -1)
            images[f"{name}, grey {size} x {size}"] = patches.mean(axis=3).reshape(n, -1) / 255
    return images


def drawn_images(rng, n=300):
    """Return synthetic images: strokes, discs, faces."""
    y, x = np.mgrid[:20, :20][..., None]
    centre, radius, grey = rng.uniform(4, 16, (2, n)), rng.uniform(2, 6, n), rng.uniform(0.3, 1, n)
    distance = np.hypot(y - centre[0], x - centre[1])
    angle = rng.uniform(0, np.pi, n)
    along = np.abs((y - centre[0]) * np.cos(angle) + (x - centre[1]) * np.sin(angle))
    stroke = (1.5 - along).clip(0, 1) * (distance < 7)
    fields = gaussian_filter(rng.normal(size=(n + 1, 16, 16)), (0, 3, 3))
    fields /= fields.std()
    images = {
        "strokes": stroke,
        "strokes of one grey level": stroke > 0.5,
        "strokes, 0-255": np.round(255 * stroke),
        "discs": (distance < radius) * grey,
        "rings": (np.abs(distance - radius) < 1) * 1.0,
        "faces": np.moveaxis(0.5 + 0.13 * fields[1:] + 0.2 * fields[0], 0, 2).clip(0, 1),
        "clouds": np.moveaxis(0.5 + 0.25 * fields[1:], 0, 2).clip(0, 1),
    }
    return {name: image.reshape(-1, n).T for name, image in images.items()}


def all_tables():
    rng = np.random.default_rng(0)
    narrow = {name: np.column_stack(columns) for name, columns in narrow_tables(rng).items()}
    real = real_tables(load_breast_cancer().data, load_wine().data, load_iris().data)
    return real | narrow | wide_tables(rng)


def all_images():
    rng = np.random.default_rng(0)
    digits = digit_images(*load_digits(return_X_y=True), rng)
    return digits | photos(rng) | drawn_images(rng)


ALL_TABLES, ALL_IMAGES = all_tables(), all_images()


@pytest.mark.parametrize("name", ALL_TABLES)
def test_tables_are_no_images(name):
    assert auto_kind(ALL_TABLES[name].astype(float)) == "standard"


@pytest.mark.parametrize("name", ALL_IMAGES)
def test_images_are_images(name):
    assert auto_kind(ALL_IMAGES[name]) == "range"


@pytest.mark.parametrize("name", [*ALL_TABLES, *ALL_IMAGES])
def test_order_and_unit_do_not_matter(name):
    X = {**ALL_TABLES, **ALL_IMAGES}[name]
    rng = np.random.default_rng(1)
    shuffled = X[rng.permutation(len(X))][:, rng.permutation(X.shape[1])]
    assert looks_like_pixels(shuffled) == looks_like_pixels(X)
    assert looks_like_pixels(X * 0.37) == looks_like_pixels(X)


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine, load_iris, load_diabetes])
def test_no_pair_of_columns_is_an_image(load):
    X = load().data
    assert not any(looks_like_pixels(X[:, pair]) for pair in combinations(range(X.shape[1]), 2))


@pytest.mark.parametrize("n_columns", [3, 5, 10, 20])
def test_no_choice_of_columns_is_an_image(n_columns):
    rng = np.random.default_rng(0)
    for X in (load_breast_cancer().data, np.hstack([load_wine().data, load_wine().data])):
        for _ in range(50):
            assert not looks_like_pixels(X[:, rng.permutation(X.shape[1])[:n_columns]])


@pytest.mark.parametrize("n_rows", [30, 100])
@pytest.mark.parametrize("n_columns", [16, 32, 64])
def test_any_choice_of_rows_and_pixels_is_an_image(digits, n_rows, n_columns):
    rng = np.random.default_rng(0)
    for _ in range(20):
        X = digits[0][rng.permutation(1797)[:n_rows]]
        assert looks_like_pixels(X[:, rng.permutation(64)[:n_columns]])


@pytest.mark.parametrize("X", [np.zeros((9, 20)), np.full((9, 20), 0.1), np.eye(1, 20)])
def test_constant_columns_are_no_image(X):
    assert not looks_like_pixels(X)


def lamps(n_columns=25, step=0.3, activity=1.0, common=1.0, lowest=0.0, n_faint=0, faint=0.03):
    """Columns around 0.5 that leave it by a step, at a rate, in part together, up to 1."""
    rng = np.random.default_rng(0)
    shape = (4000, n_columns)
    # two columns share a sign more often than not, so that `common` is their correlation
    agree = rng.random(shape) < (1.0 + common**0.5) / 2.0
    sign = np.where(agree, 1.0, -1.0) * rng.choice([-1.0, 1.0], (4000, 1))
    steps = np.where(np.arange(n_columns) < n_faint, faint, step)
    X = 0.5 + steps * sign * (rng.random((4000, 1)) < activity)
    X[0, -1], X[1, -1] = lowest, 1.0
    return X


def dots(background, invert=False):
    """Columns without a common light, of which this part lies at the smallest or largest value."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0.2, 1.0, (4000, 20)) * (rng.random((4000, 20)) >= background)
    return 1.0 - X if invert else X


@pytest.mark.parametrize(
    ("image", "table"),
    [
        (lamps(n_columns=16), lamps(n_columns=15)),
        (lamps(lowest=0.095), lamps(lowest=0.105)),
        (lamps(step=0.13), lamps(step=0.12)),
        (lamps(n_faint=1), lamps(n_faint=2)),
        (lamps(n_faint=2, faint=0.042), lamps(n_faint=2, faint=0.038)),
        (lamps(common=0.18), lamps(common=0.155)),
        (lamps(step=0.2, activity=0.44), lamps(step=0.2, activity=0.39)),
        (dots(0.18), dots(0.15)),
        (dots(0.18, invert=True), dots(0.15, invert=True)),
    ],
    ids=[
        "16 columns",
        "values from 0",
        "steps of an eighth",
        "a twentieth of faint columns",
        "fainter than a 25th",
        "covariance of a sixth",
        "deviation of a twelfth",
        "black on a sixth",
        "white on a sixth",
    ],
)
def test_bounds_of_what_an_image_is(image, table):
    """Each is as `looks_like_pixels` and the functions below it say."""
    assert looks_like_pixels(image)
    assert not looks_like_pixels(table)


def test_the_choice_is_made_in_blocks():
    X = RNG.random((200_000, 50)).astype(np.float32) * (RNG.random(50) < 0.5)
    tracemalloc.start()
    looks_like_pixels(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 8 * BLOCK_SIZE


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_standardised(name):
    X = TABLES[name].astype(float)
    scaled = fit_scaling(X, auto_kind(X)).transform(X)
    constant = X.std(axis=0) == 0
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=0), ~constant, atol=1e-6)


@pytest.mark.parametrize("name", PIXELS)
def test_pixels_share_one_range(name):
    X = PIXELS[name].astype(float)
    scaled = fit_scaling(X, auto_kind(X)).transform(X)
    assert looks_like_pixels(X)
    np.testing.assert_allclose(scaled, X / X.max())


def test_pixels_in_the_unit_interval_stay_as_they_are():
    X = PIXELS["[0, 1]"] * 0.9
    np.testing.assert_array_equal(fit_scaling(X, auto_kind(X)).transform(X), X)


@pytest.mark.parametrize("kind", ["standard", "range", None])
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
    scaled = fit_scaling(X, auto_kind(X, bounded=True)).transform(X)
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
    # columns that hardly vary take longer
    model = transformer(max_iter=150 if name == "with a dark border" else 60).fit(X)
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


def test_texts_are_no_images():
    """Nor are sparse rows, which most often hold words."""
    rng = np.random.default_rng(0)
    drawings = (rng.random((300, 40)) < 0.2) * rng.uniform(0.5, 1.0, size=(300, 40))
    drawings[:, 0] = 1.0
    assert looks_like_pixels(drawings)
    assert not looks_like_pixels(drawings / np.linalg.norm(drawings, axis=1, keepdims=True))
    assert not looks_like_pixels(drawings / drawings.sum(axis=1, keepdims=True))
    assert not looks_like_pixels(scipy.sparse.csr_array(drawings))


# Parts, in blocks of three rows ------------------------------------------------------------------

NAN = np.nan
GAPS = np.array(
    [[1.0, NAN, NAN], [2.0, 5.0, NAN], [4.0, NAN, NAN], [-8.0, 6.0, NAN], [1.5, 7.5, NAN]]
)


@pytest.fixture
def in_blocks(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_SIZE", 9)


def forms(X):
    """Return a table as a dense and as a sparse array."""
    return X, scipy.sparse.csr_array(X)


@pytest.mark.parametrize(
    ("ends", "center", "scale"),
    [
        ((0, 255), 0, 255),
        ((10, 255), 0, 255),
        ((127, 255), 0, 255),
        ((128, 256), 128, 128),  # half of the largest
        ((200, 255), 200, 55),
        ((-1, 1), -1, 2),
        ((-0.25, 0.75), -0.25, 1),
        ((0.1, 0.9), 0, 1),
        ((0.1, 1.0), 0, 1),
        ((0.0, 1.25), 0, 1.25),
        ((0.1, 0.5), 0, 0.5),
        ((0.1, 0.51), 0, 1),
        ((0.5, 0.75), 0.5, 0.25),
        ((3, 3), 3, 1),
        ((0, 0), 0, 1),
        ((-2, -2), -2, 1),
    ],
)
def test_a_range_maps_the_whole_table(ends, center, scale):
    for X in forms(np.array([ends, ends[::-1]], dtype=float)):
        found = fit_scaling(X, "range")
        assert (found.kind, found.center.shape, found.scale.shape) == ("range", (), ())
        assert (float(found.center), float(found.scale)) == (center, pytest.approx(scale))


def test_a_table_without_columns_has_a_range():
    found = fit_scaling(np.empty((3, 0)), "range")
    assert (float(found.center), float(found.scale)) == (0.0, 1.0)


def test_kinds_of_scaling():
    X = TABLES["iris"]
    assert [fit_scaling(X, kind).kind for kind in ("standard", "range", None)] == [
        "standard",
        "range",
        "none",
    ]
    assert auto_kind(X) == "standard"
    assert auto_kind(X, bounded=True) == "range"
    assert auto_kind(PIXELS["[0, 255]"]) == "range"
    assert fit_scaling(X, None).is_identity
    assert not Scaling("none", np.zeros(2), np.array([1.0, 2.0])).is_identity
    assert not Scaling("none", np.array([0.0, 1.0]), np.ones(2)).is_identity


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        ("f4", "f4"),
        ("f2", "f4"),
        ("f8", "f8"),
        ("i2", "f4"),
        ("u2", "f4"),
        ("i4", "f8"),
        ("i8", "f8"),
        ("?", "f4"),
    ],
)
def test_float32_holds_small_integers(dtype, wanted):
    assert working_dtype(np.dtype(dtype)) == wanted
    X = np.zeros((2, 2), dtype=dtype)
    assert fit_scaling(X, None).transform(X).dtype == wanted
    assert fit_scaling(X, "standard").transform(X).dtype == wanted


def test_values_far_out_become_the_largest(in_blocks):
    X = np.array([[1e13, 0.0], [-1e13, NAN], [3.0, 1e12], [4.0, -1e12], [1.7e308, -1e300]])
    wanted = X.clip(-1e12, 1e12)
    assert MOST_SCALED == 1e12
    np.testing.assert_array_equal(fit_scaling(X, None).transform(X), wanted)
    halved = Scaling("standard", np.zeros(2), np.array([0.5, 2.0]))
    wanted = np.array([[1e12, 0.0], [-1e12, NAN], [6.0, 5e11], [8.0, -5e11], [1e12, -1e12]])
    np.testing.assert_array_equal(halved.transform(X), wanted)
    for far in ([[1.0, 2e12]], [[1.0, -2e12]], [[NAN, 2e12]]):
        table = np.array(far)
        assert np.nanmax(np.abs(fit_scaling(table, None).transform(table))) == 1e12
    for near in (X[2:4], X[2:3], -X[2:3], np.full((2, 2), NAN), np.empty((0, 2))):
        assert fit_scaling(near, None).transform(near) is near
    assert fit_scaling(X, None).inverse_transform(X) is X


def test_rows_are_scaled_and_come_back_in_blocks(in_blocks):
    scaling = Scaling("standard", np.array([1.0, -2.0, 0.0]), np.array([2.0, 4.0, 0.5]))
    X = np.arange(21.0).reshape(7, 3)
    wanted = (X - [1.0, -2.0, 0.0]) / [2.0, 4.0, 0.5]
    for table in forms(X):
        np.testing.assert_array_equal(scaling.transform(table), wanted)
    np.testing.assert_array_equal(scaling.inverse_transform(wanted), X)


def test_means_and_deviations_leave_out_gaps(in_blocks):
    for X in forms(GAPS):
        mean, count = mean_and_count(X)
        np.testing.assert_allclose(mean, [0.1, 18.5 / 3, 0.0])
        assert (count.dtype, count.tolist()) == (np.int64, [5, 3, 1])
        assert has_gaps(X)
        found = fit_scaling(X, "standard")
        np.testing.assert_allclose(found.center, mean)
        np.testing.assert_allclose(found.scale, [GAPS[:, 0].std(), np.nanstd(GAPS[:, 1]), 1.0])
        lowest, highest = column_range(X)
        assert (lowest.tolist(), highest.tolist()) == ([-8.0, 5.0, 0.0], [4.0, 7.5, 0.0])
        np.testing.assert_array_equal(known_range(X), [[-8.0, 5.0, NAN], [4.0, 7.5, NAN]])
    for X in forms(GAPS[:, :1]):
        assert not has_gaps(X)
        mean, count = mean_and_count(X)
        assert (mean.shape, count) == ((1,), 5)
        np.testing.assert_allclose(mean, [0.1])
        np.testing.assert_allclose(fit_scaling(X, "standard").scale, GAPS[:, 0].std())
    assert not has_gaps(np.array([[1, 2]]))
    assert not has_gaps(scipy.sparse.csr_array((3, 2)))
    assert not has_gaps(np.empty((0, 2)))


def test_numbers_whose_squares_are_zero_are_no_pixels():
    X = np.where(np.random.default_rng(0).random((50, 16)) < 0.5, 1e-200, 0.0)
    assert not looks_like_pixels(X)


def test_the_mean_of_many_float32_is_precise():
    X = np.full((100_000, 1), 0.1, dtype=np.float32)
    mean, _ = mean_and_count(X)
    assert mean.dtype == np.float64
    np.testing.assert_allclose(mean, np.float32(0.1), rtol=1e-12)
    X[0] = NAN
    np.testing.assert_allclose(mean_and_count(X)[0], np.float32(0.1), rtol=1e-12)


def test_deviations_of_tiny_numbers_are_not_zero(in_blocks):
    """Their squares are below the smallest float."""
    X = np.array([[1e-170, 1.0, NAN], [3e-170, 2.0, 5e-180], [2e-170, 9.0, 7e-180]])
    found = module._deviation(X, *mean_and_count(X))
    np.testing.assert_allclose(found, [(2 / 3) ** 0.5 * 1e-170, X[:, 1].std(), 1e-180])
    found = module._deviation(X[:, :2], *mean_and_count(X[:, :2]))
    np.testing.assert_allclose(found, [(2 / 3) ** 0.5 * 1e-170, X[:, 1].std()])
    assert module._deviation(np.zeros((3, 1)), np.zeros(1), 3).tolist() == [0.0]


@pytest.mark.parametrize(
    ("dtype", "epsilon", "limit"), [(np.float32, 2.0**-23, 2.0), (np.float64, 2.0**-52, 10.0)]
)
def test_a_column_is_constant_if_it_varies_by_rounding_alone(dtype, epsilon, limit):
    """Up to two or ten times the precision of its mean."""
    steps = np.array([-1.0, 1.0] * 4)[:, None]
    less, more = (
        1024.0 * (1.0 + factor * epsilon * steps) for factor in (0.5 * limit, 2.0 * limit)
    )
    constant, varied = (fit_scaling(X.astype(dtype), "standard") for X in (less, more))
    assert float(constant.scale[0]) == 1.0
    np.testing.assert_allclose(varied.scale, 1024.0 * 2.0 * limit * epsilon)
    large = fit_scaling(np.full((5, 1), -1e9, dtype=dtype), "standard")
    np.testing.assert_allclose(large.scale, max(1.0, limit * epsilon * 1e9))


def test_the_total_variance_is_the_mean_squared_distance_from_the_mean(in_blocks):
    X = np.arange(21.0).reshape(7, 3) ** 2
    scaling = Scaling("standard", np.ones(3), np.array([2.0, 4.0, 0.5]))
    scaled = scaling.transform(X)
    wanted = ((scaled - scaled.mean(axis=0)) ** 2).sum(axis=1).mean()
    for table in forms(X):
        assert scaling.total_variance(table) == pytest.approx(wanted)
    assert fit_scaling(X, "standard").total_variance(X) == pytest.approx(3.0)


def test_moments_are_added_over_blocks(in_blocks):
    X = np.random.default_rng(0).gamma(2.0, size=(8, 3))
    absolute, squared, of_sums = module._moments(X)
    np.testing.assert_allclose(absolute, np.abs(X - X.mean(axis=0)).mean(axis=0))
    np.testing.assert_allclose(squared, X.var(axis=0))
    assert of_sums == pytest.approx(X.sum(axis=1).var())


def test_blocks_hold_as_many_rows_as_fit(in_blocks):
    for X in forms(np.arange(21.0).reshape(7, 3)):
        parts = list(module.blocks(X))
        assert [part.shape for part in parts] == [(3, 3), (3, 3), (1, 3)]
        np.testing.assert_array_equal(np.concatenate(parts), np.arange(21.0).reshape(7, 3))
    assert [part.shape for part in module.blocks(np.zeros((2, 20)))] == [(1, 20), (1, 20)]
    assert [part.shape for part in module.blocks(np.zeros((11, 0)))] == [(9, 0), (2, 0)]


def test_lengths_are_compared_in_proportion_to_their_mean(in_blocks):
    """Rows of zeros have none."""
    angles = np.linspace(0.1, 1.4, 10)
    circle = 1000.0 * np.column_stack([np.cos(angles), np.sin(angles), 0.0 * angles])
    circle[4] = 0.0
    assert module._have_one_length(circle)
    assert module._have_one_length(circle.astype(np.float32))
    assert module._have_one_length(np.array([[1, 3], [2, 2], [0, 0], [4, 0]], dtype=np.uint8))
    circle[3] *= 1.01
    assert not module._have_one_length(circle)
    assert not module._have_one_length(1e-6 * circle)
    assert module._have_one_length(np.array([[200, 100], [100, 200]], dtype=np.uint8))


def test_limits_of_one_unit():
    """At each limit, a table still looks like pixels."""

    def has_one_unit(*steps, top):
        deviation = np.array(steps)  # of columns that change all the time
        return module._share_one_unit(deviation, deviation**2, top)

    assert has_one_unit(1.0, 1.0, top=8.0)
    assert not has_one_unit(1.0, 0.99, top=8.0)
    assert has_one_unit(*[2.0] * 19, 0.25, top=8.0)  # a twentieth of them are small
    assert not has_one_unit(*[2.0] * 18, 0.25, 0.25, top=8.0)
    assert has_one_unit(*[4.0] * 18, 1.0, 1.0, top=25.0)


def test_limits_of_a_background():
    assert module._has_background(np.array([[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]]), 0.0, 5.0)
    assert not module._has_background(np.arange(7.0)[None], 0.0, 6.0)


def test_limits_of_light():
    deviation, variance = np.ones(2), np.array([2.0, 4.0])
    assert module._has_light(deviation, variance, 7.0, 12.0)  # twice the covariance is a sixth of 6
    assert not module._has_light(deviation, variance, 6.99, 12.0)
    assert not module._has_light(deviation, variance, 7.0, 12.01)
    assert not module._has_light(np.ones(1), np.ones(1), 1.0, 1.0)


def amounts(n_rows=600, seed=0):
    """Two columns with heavy tails and two without; the classes follow from the first column."""
    z = np.random.default_rng(seed).normal(size=(n_rows, 4))
    X = np.c_[np.exp(1.5 * z[:, :2]), 10.0 * z[:, 2] - 50.0, 0.01 * z[:, 3]]
    return X, (z[:, 0] > 0.2).astype(int)


def test_columns_with_heavy_tails_are_those_where_few_values_are_far_from_most():
    rng = np.random.default_rng(0)
    n = 2000
    columns = {
        "normal": rng.normal(size=n),
        "uniform": rng.random(n),
        "exponential": rng.exponential(size=n),
        "bimodal": rng.normal(size=n) + 9.0 * (rng.random(n) < 0.2),
        "rare flag": (rng.random(n) < 0.01).astype(float),
        "constant": np.full(n, 7.0),
        "gaps only": np.full(n, np.nan),
        "amounts": np.exp(1.5 * rng.normal(size=n)),
        "losses": -np.exp(1.5 * rng.normal(size=n)),
        "with gaps": np.where(rng.random(n) < 0.5, np.nan, np.exp(2.0 * rng.normal(size=n))),
        "huge": 1e149 * rng.random(n) ** 20,
        "mostly 0": np.where(rng.random(n) < 0.85, 0.0, rng.exponential(size=n)),
        "amounts beside 0": np.where(rng.random(n) < 0.6, 0.0, np.exp(2.0 * rng.normal(size=n))),
        "one value far away": np.where(np.arange(n) == 0, 1e6, rng.normal(size=n)),
    }
    known = {name: values[~np.isnan(values)] for name, values in columns.items()}
    wanted = {"amounts", "losses", "with gaps", "huge", "amounts beside 0", "one value far away"}
    assert {name for name, values in known.items() if has_heavy_tail(values)} == wanted


def test_the_classifier_ranks_columns_with_heavy_tails_only():
    X, y = amounts()
    y_few = np.where(np.arange(len(y)) < 80, y, -1)
    given = {"max_iter": 60, "random_state": 0}
    scores, models = {}, {}
    for scaling in ("auto", "standard"):
        models[scaling] = SemiSupervisedAAEClassifier(scaling=scaling, **given).fit(
            X[:400], y_few[:400]
        )
        scores[scaling] = models[scaling].score(X[400:], y[400:])
    assert models["auto"].scaling_ == "quantile"
    assert models["standard"].scaling_ == "standard"
    assert scores["auto"] > scores["standard"] + 0.03
    assert scores["auto"] > 0.93
    table = models["auto"]._table
    scaled = table.transform(X[:400])
    np.testing.assert_allclose(scaled[:, 2:], scale(X[:400, 2:]), atol=1e-6)
    assert kstest(scaled[:, 0], "norm").pvalue > 0.5
    np.testing.assert_allclose(table.scaling.inverse_transform(scaled), X[:400], rtol=1e-5)
    far = X[400:402].copy()
    far[0, :2], far[1, :2] = 1e9, -1e9
    ends = far.copy()
    ends[:, :2] = [X[:400, :2].max(axis=0), X[:400, :2].min(axis=0)]
    np.testing.assert_allclose(
        models["auto"].predict_proba(far), models["auto"].predict_proba(ends)
    )
    beyond = X[:2] + np.array([0.0, 0.0, 1e4, 3.0])  # the other columns have no ends
    scores = (beyond - X[:400].mean(axis=0)) / X[:400].std(axis=0)
    scaled = table.transform(beyond)
    np.testing.assert_allclose(scaled[:, 2:], scores[:, 2:], rtol=1e-6)
    np.testing.assert_allclose(table.scaling.inverse_transform(scaled), beyond, rtol=1e-5)


def test_ranks_of_heavy_tails_leave_with_the_model(tmp_path):
    X, y = amounts(200)
    y_few = np.where(np.arange(len(y)) < 60, y, -1)
    model = SemiSupervisedAAEClassifier(max_iter=20, random_state=0).fit(X, y_few)
    save(model, tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict_proba(X), model.predict_proba(X))
    found = to_torch(model, "predict_proba")(torch.as_tensor(X))
    np.testing.assert_allclose(found.detach(), model.predict_proba(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "fit",
    [
        lambda X, y: AAETransformer(max_iter=1).fit(X),
        lambda X, y: AAEClusterer(2, max_iter=1).fit(X),
        lambda X, y: SemiSupervisedAAEClassifier(max_iter=1).partial_fit(X, y, classes=[0, 1]),
    ],
    ids=["transformer", "clusterer", "partial_fit"],
)
@pytest.mark.filterwarnings("ignore:max_iter=1 is too small")
def test_others_do_not_rank_heavy_tails(fit):
    assert fit(*amounts(60)).scaling_ == "standard"


@pytest.mark.parametrize(
    "network", ["mlp", pytest.param(Conv(image_shape=(8, 8, 3)), marks=pytest.mark.slow)], ids=label
)
def test_photos_with_few_labels_are_learned_as_tables(network):
    """Which of two pictures a patch is from: the recipe of drawings gives one class to all."""
    rng = np.random.default_rng(0)
    found = photos(rng, 400)
    pictures = [found[f"{name}, colour 8 x 8"] for name in ("china", "flower")]
    X, y = np.concatenate(pictures).astype(np.float32), np.repeat([0, 1], 400)
    scaled, y_few = scale(X.astype(float)), np.full(800, -1)
    y_few[[*range(10), *range(400, 410)]] = [0] * 10 + [1] * 10
    assert looks_like_pixels(X)
    model = SemiSupervisedAAEClassifier(network=network, max_iter=40, random_state=0)
    model.fit(X, y_few)
    assert model.scaling_ == "standard"
    labeled = y_few >= 0
    linear = LogisticRegression(max_iter=2000).fit(scaled[labeled], y_few[labeled])
    assert model.score(X, y) > linear.score(scaled, y)
    assert AAETransformer(max_iter=1, hidden_layer_sizes=8).fit(X).scaling_ == "range"


def test_far_values_are_few_and_far_from_the_middle_half():
    rng = np.random.default_rng(0)
    n = 50_000  # more than are sorted
    first = np.arange(n) == 0
    columns = {
        "normal": rng.normal(size=n),
        "exponential": rng.exponential(size=n),
        "a group of a hundredth": rng.normal(size=n) + 1e4 * (rng.random(n) < 0.01),
        "rare flag": (rng.random(n) < 0.001).astype(float),
        "rare counts": rng.binomial(3, 0.001, size=n).astype(float),
        "constant": np.full(n, 7.0),
        "empty": np.empty(0),
        "one far": np.where(first, 1e6, rng.normal(size=n)),
        "below too": np.where(first, 1e6, rng.normal(size=n)) - 1e7 * (rng.random(n) < 0.001),
        "missing code": np.where(rng.random(n) < 0.001, -999.0, rng.integers(1, 6, size=n)),
        "mostly 0": np.where(first, 1e6, np.maximum(rng.normal(size=n), 0.0)),
    }
    n_far = {name: int(are_far(values).sum()) for name, values in columns.items()}
    wanted = {"one far": 1, "mostly 0": 1}
    for name, below in (("below too", -1e6), ("missing code", 0.0)):
        wanted[name] = int((columns[name] < below).sum()) + (name == "below too")
    assert {name: n for name, n in n_far.items() if n} == wanted


def with_a_far_row():
    """Iris with a row 1000 times as far from 0 as it was, and the classes."""
    X, y = load_iris(return_X_y=True)
    X[7] *= 1000.0
    return X, y


def test_one_row_far_away_does_not_spoil_clusters_and_codes():
    X, y = with_a_far_row()
    clusterer = AAEClusterer(3, random_state=0).fit(X)
    assert clusterer.scaling_ == "standard"
    assert adjusted_rand_score(y, clusterer.labels_) > 0.7
    aae = AAETransformer(2, random_state=0).fit(X)
    others = np.arange(len(X)) != 7
    errors = (aae.inverse_transform(aae.transform(X)) - X)[others]
    assert (np.square(errors).mean(axis=0) < 0.3 * X[others].var(axis=0)).all()
    scaled = aae._table.transform(X)
    np.testing.assert_allclose(scaled[others], scale(X[others]), atol=1e-5)
    np.testing.assert_allclose(scaled[7], scaled[others].max(axis=0) + 1.0, atol=1e-5)
    np.testing.assert_allclose(aae._table.scaling.inverse_transform(scaled), X, rtol=1e-4)


def test_far_values_count_where_they_are_the_point_or_were_asked_for():
    X, _ = with_a_far_row()
    detector = AAEOutlierDetector(random_state=0).fit(X)
    assert detector.score_samples(X).argmin() == 7
    for model in (
        detector,
        AAETransformer(2, scaling="standard", max_iter=1).fit(X),
        AAETransformer(2).partial_fit(X),
    ):
        np.testing.assert_allclose(model._table.transform(X), scale(X), rtol=1e-4, atol=1e-5)


def test_a_model_of_a_table_with_far_values_can_be_saved(tmp_path):
    X, _ = with_a_far_row()
    aae = AAETransformer(2, random_state=0, max_iter=2).fit(X)
    save(aae, tmp_path / "model.skaae")
    loaded = load(tmp_path / "model.skaae")
    assert loaded.scaling_ == loaded._table.scaling.kind == "standard"
    np.testing.assert_array_equal(loaded.transform(X), aae.transform(X))


def test_a_code_for_missing_values_does_not_spoil_a_classifier():
    rng = np.random.default_rng(0)
    X = rng.integers(1, 6, size=(300, 3)).astype(float)
    y = (X.sum(axis=1) > 9.0).astype(int)
    X[5] = 9999.0
    clf = SemiSupervisedAAEClassifier(max_iter=100, random_state=0)
    clf.fit(X, np.where(np.arange(300) < 60, y, -1))
    others = np.arange(300) != 5
    np.testing.assert_allclose(clf._table.transform(X)[others], scale(X[others]), atol=1e-5)
    assert clf.score(X[others], y[others]) > 0.85


def flags(seed, n_rows=300, n_columns=120):
    """Rows of 0 and 1, mostly 0, as fingerprints of molecules are, and their three classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n_rows)
    base = rng.beta(0.5, 3.0, n_columns)
    differs = (rng.random((3, n_columns)) < 0.1) * rng.uniform(0.1, 0.4, (3, n_columns))
    return (rng.random((n_rows, n_columns)) < np.clip(base + differs, 0.0, 1.0)[y]) * 1, y


@pytest.mark.parametrize("seed", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_flags_are_no_images_to_the_classifier(seed):
    X, y = flags(seed)
    y_few = np.full(len(y), -1)
    for k in range(3):
        y_few[np.flatnonzero(y == k)[:10]] = k
    hidden = y_few < 0
    clf = SemiSupervisedAAEClassifier(random_state=seed, max_iter=100).fit(X, y_few)
    assert clf.scaling_ == "standard"
    alone = LogisticRegression(max_iter=1000).fit(X[~hidden], y[~hidden])
    assert clf.score(X[hidden], y[hidden]) > alone.score(X[hidden], y[hidden])


def test_drawings_have_neighbours_that_are_alike():
    digits = load_digits().data
    shuffled = digits[:, np.random.default_rng(0).permutation(64)]
    padded = np.pad(digits.reshape(-1, 8, 8), ((0, 0), (2, 2), (2, 2))).reshape(-1, 144)
    for X in (digits, 16.0 - digits, 1.0 * (digits > 7.0), padded):
        assert looks_like_pixels(X, photos=False)
    for X in (shuffled, 1.0 * flags(0)[0]):
        assert looks_like_pixels(X)
        assert not looks_like_pixels(X, photos=False)


def test_a_column_of_gaps_has_no_range():
    X = np.random.default_rng(0).uniform(1000.0, 1001.0, size=(50, 3))
    wanted = fit_scaling(X, "range")
    found = fit_scaling(np.column_stack([X, np.full(50, np.nan)]), "range")
    assert (found.center, found.scale) == (wanted.center, wanted.scale)
    empty = fit_scaling(np.full((4, 2), np.nan), "range")
    assert (empty.center, empty.scale) == (0.0, 1.0)


def test_a_frequent_value_comes_back_from_ranks_of_many_values():
    rng = np.random.default_rng(0)
    values = np.where(rng.random(6000) < 0.5, 0.0, rng.normal(size=6000))
    scaling = fit_quantiles(values[:, None])
    back = scaling.inverse_transform(rng.standard_normal((4000, 1)))
    assert np.mean(back == 0.0) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_deviations_from_a_large_mean_are_scaled(dtype):
    column = 1000.0 + 0.001 * np.random.default_rng(0).normal(size=400)
    X = np.stack([column, column], axis=1).astype(dtype)
    scaled = fit_scaling(X, "standard").transform(X)
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, rtol=1e-3)


def test_a_rare_step_of_large_whole_numbers_is_scaled():
    X = np.full((500, 1), 50_000, dtype=np.uint16)
    X[:2] += 1
    assert fit_scaling(X, "standard").transform(X).std() == pytest.approx(1.0, rel=1e-3)
