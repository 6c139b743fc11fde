"""Pictures: drawn without a screen, and checked by their data."""

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from conftest import FITS, classifier, transformer
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits

from skaae import (
    AAEClusterer,
    AAEEmbedding,
    ClusterHeadsDisplay,
    Conv,
    LatentSpaceDisplay,
    ManifoldDisplay,
    ReconstructionDisplay,
    StyleDisplay,
    SupervisedAAETransformer,
    TrainingCurvesDisplay,
)
from skaae.displays._images import as_images
from skaae.priors import GaussianMixture

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    from matplotlib import pyplot

    pyplot.close("all")


@pytest.fixture(scope="module")
def images():
    """Sixty images of 4 x 3 pixels in two classes, as rows."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    return rng.uniform(0, 255, size=(60, 12)) * (0.5 + 0.5 * y[:, None]), y


def test_latent_space(blobs, fitted_transformer):
    X, y = blobs
    display = LatentSpaceDisplay.from_estimator(fitted_transformer, X, y, n_prior_samples=50)
    np.testing.assert_array_equal(display.codes, fitted_transformer.transform(X))
    prior, *classes = display.ax_.collections
    assert len(prior.get_offsets()) == 50
    for label, points in enumerate(classes):
        np.testing.assert_allclose(points.get_offsets(), display.codes[y == label])
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["prior", "0", "1", "2"]
    assert display.figure_ is display.ax_.figure
    display.figure_.savefig("/dev/null", format="png")


def test_rows_without_a_class_are_grey(blobs, fitted_transformer):
    X, y = blobs
    some = np.where(np.arange(len(y)) < 9, None, y.astype(object))
    display = LatentSpaceDisplay.from_estimator(
        fitted_transformer, X, some, X_test=X, y_test=np.full(len(X), np.nan), prior=None
    )
    grey, *classes, crosses = display.ax_.collections
    np.testing.assert_allclose(grey.get_offsets(), display.codes[:9])
    assert (len(classes), len(crosses.get_offsets())) == (3, len(X))
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["unlabeled", "0", "1", "2"]


class Mapped(BaseEstimator):
    """A fitted estimator whose codes are its rows."""

    def __init__(self):
        self.fitted_ = True

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.asarray(X)


def mapped(**attributes):
    """Return a fitted estimator with these attributes."""
    estimator = Mapped()
    vars(estimator).update(attributes)
    return estimator


def new_axes():
    """Return axes that nothing lays out again."""
    from matplotlib import pyplot

    return pyplot.subplots()[1]


def names_of(ax):
    """Return the names in the legend of axes, none where there is no legend."""
    legend = ax.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


AUTO = {"unlabeled_label": "auto"}


@pytest.mark.parametrize(
    ("attributes", "y", "names"),
    [
        (AUTO, [0, 1, -1, 1], ["unlabeled", "0", "1"]),
        ({}, [0, 1, -1, 1], ["unlabeled", "0", "1"]),  # as of a clusterer: noise of DBSCAN, say
        ({}, [0, 1, 2, 1], ["0", "1", "2"]),
        (AUTO, np.array(["a", "b", -1, None], dtype=object), ["unlabeled", "a", "b"]),
        (AUTO, ["a", "b", -1, None], ["unlabeled", "a", "b"]),
        (AUTO, ["a", "b", -1, "a"], ["unlabeled", "a", "b"]),
        (AUTO, ["a", "-1", "nan", "a"], ["-1", "a", "nan"]),
        (AUTO, [-1, 1, 1, -1], ["-1", "1"]),
        (AUTO, [-1.0, 1.0, np.nan, -1.0], ["unlabeled", "1.0"]),
        ({**AUTO, "classes_": np.array([1, 2])}, [-1, 1, 1, -1], ["unlabeled", "1"]),
        (
            {**AUTO, "classes_": np.array([-1, 1])},
            [-1, 1, np.nan, -1],
            ["unlabeled", "-1", "1"],
        ),
        (
            {**AUTO, "classes_": np.array(["a", "b"])},
            ["a", "b", None, "b"],
            ["unlabeled", "a", "b"],
        ),
        ({"unlabeled_label": 99}, [-1, 99, 3, -1], ["unlabeled", "-1", "3"]),
        ({"unlabeled_label": "?"}, ["a", "?", "b", "a"], ["unlabeled", "a", "b"]),
        ({"unlabeled_label": None}, [-1, 0, 3, -1], ["-1", "0", "3"]),
        ({"unlabeled_label": None}, [0, None, 3, 0], ["unlabeled", "0", "3"]),
        (AUTO, pd.Series([3, pd.NA, 5, 3], dtype="Int64"), ["unlabeled", "3", "5"]),
        (AUTO, pd.Series(["a", pd.NA, "b", "a"], dtype="string"), ["unlabeled", "a", "b"]),
        (
            AUTO,
            pd.Series([True, pd.NA, False, True], dtype="boolean"),
            ["unlabeled", "False", "True"],
        ),
        (AUTO, np.array([3, pd.NA, 5, -1], dtype=object), ["unlabeled", "3", "5"]),
        (AUTO, pl.Series([3, None, 5, -1]), ["unlabeled", "3", "5"]),
        (AUTO, pd.to_datetime(["2026-01-01", None] * 2), ["unlabeled", "2026-01-01T00:00:00"]),
        (AUTO, [None] * 4, ["unlabeled"]),
    ],
)
def test_what_is_unlabeled_for_the_estimator_is_grey(attributes, y, names):
    codes = np.arange(8.0).reshape(4, 2)
    display = LatentSpaceDisplay.from_estimator(mapped(**attributes), codes, y, prior=None)
    assert [name[:19] for name in names_of(display.ax_)] == names
    drawn = {points.get_label()[:19]: points for points in display.ax_.collections}
    for name, points in drawn.items():
        is_grey = tuple(points.get_facecolor()[0, :3]) == (0.5, 0.5, 0.5)
        assert is_grey == (name == "unlabeled")
    assert sum(len(points.get_offsets()) for points in drawn.values()) == 4


def test_classes_of_train_and_test_rows_are_read_as_one():
    codes = np.arange(8.0).reshape(4, 2)
    display = LatentSpaceDisplay(
        codes, [-1, 1, 1, -1], test_codes=codes, y_test=pd.array([2, 1, pd.NA, -1], dtype="Int64")
    ).plot()
    assert names_of(display.ax_) == ["unlabeled", "1", "2"]
    sizes = [len(points.get_offsets()) for points in display.ax_.collections]
    assert sizes == [2, 2, 2, 1, 1]  # unlabeled and 1 as circles; unlabeled, 1 and 2 as crosses


def test_values_get_a_colour_bar():
    rng = np.random.default_rng(0)
    codes, y = rng.normal(size=(150, 2)), rng.normal(size=150)
    y[:2], y[2] = np.nan, -1.0  # a value as any other
    test = {"test_codes": codes[:3], "y_test": [9.5, 0.5, None]}
    display = LatentSpaceDisplay(codes, y, **test, prior_samples=codes).plot(new_axes())
    _prior, grey, circles, grey_crosses, crosses = display.ax_.collections
    assert names_of(display.ax_) == ["prior", "unlabeled"]
    assert (len(grey.get_offsets()), len(grey_crosses.get_offsets())) == (2, 1)
    np.testing.assert_array_equal(circles.get_array(), y[2:])
    np.testing.assert_array_equal(crosses.get_array(), [9.5, 0.5])
    assert circles.get_clim() == crosses.get_clim() == (y[2:].min(), 9.5)
    (bar,) = [ax for ax in display.figure_.axes if ax is not display.ax_]
    assert bar.get_ylim() == circles.get_clim()
    display.figure_.savefig("/dev/null", format="png")
    legend = display.ax_.get_legend().get_window_extent()
    assert not legend.overlaps(bar.get_tightbbox())


@pytest.mark.parametrize(
    ("y", "has_bar"),
    [
        (np.arange(40), True),
        (np.arange(40.0), True),
        (np.arange(40) % 30, False),
        (np.arange(40) % 2 + 0.5, True),
        ([f"class {i}" for i in range(40)], False),
    ],
)
def test_only_numbers_too_many_to_name_get_a_colour_bar(y, has_bar):
    display = LatentSpaceDisplay(np.ones((40, 2)), y).plot()
    assert len(display.figure_.axes) == 1 + has_bar
    assert (display.ax_.get_legend() is None) == has_bar
    assert len(LatentSpaceDisplay(np.ones((40, 2)), y, legend=False).plot().figure_.axes) == 1


def test_style_of_values():
    codes, y = np.ones((4, 2)), [0.5, 1.5, None, 2.5]
    scale = {"cmap": "magma", "vmin": 0.0, "vmax": 9.0}
    _grey, points = LatentSpaceDisplay(codes, y).plot(**scale).ax_.collections
    assert (points.get_cmap().name, points.get_clim()) == ("magma", (0.0, 9.0))
    display = LatentSpaceDisplay(codes, y).plot(color="red")
    assert [points.get_array() for points in display.ax_.collections] == [None, None]
    assert len(display.figure_.axes) == 1


def test_pictures_of_data_frames(images):
    X, y = images
    table = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(12)])
    for model in (transformer(max_iter=1).fit(table), classifier(max_iter=1).fit(table, y)):
        display = ReconstructionDisplay.from_estimator(model, table, image_shape=(4, 3))
        assert display.originals.shape == (12, 4, 3)
    display = StyleDisplay.from_estimator(model, table, n_styles=5, image_shape=(4, 3))
    assert display.originals.shape == (5, 4, 3)


def test_latent_space_without_classes_on_given_axes(blobs, fitted_transformer):
    from matplotlib import pyplot

    _, ax = pyplot.subplots()
    display = LatentSpaceDisplay.from_estimator(
        fitted_transformer, blobs[0], n_prior_samples=0, ax=ax, s=3, color="red"
    )
    assert display.ax_ is ax
    assert len(ax.collections) == 1
    assert ax.get_legend() is None


def test_manifold_walks_from_top_left_to_bottom_right(images):
    X, _ = images
    aae = transformer(max_iter=2).fit(X)
    display = ManifoldDisplay.from_estimator(aae, image_shape=(4, 3), n_images=5)
    assert display.images.shape == (5, 5, 4, 3)
    (left, top), (right, bottom) = display.codes[0, 0], display.codes[-1, -1]
    assert left < right
    assert bottom < top
    corners = aae.inverse_transform(np.array([[left, top], [right, bottom]]))
    np.testing.assert_allclose(display.images[0, 0].ravel(), corners[0], rtol=1e-5)
    np.testing.assert_allclose(display.images[-1, -1].ravel(), corners[1], rtol=1e-5)
    assert (left, right) == pytest.approx((-1.96, 1.96), abs=0.1)  # 95 % of a standard normal
    display.figure_.savefig("/dev/null", format="png")


def test_styles_share_rows_and_classes_share_columns(images):
    X, y = images
    model = classifier(max_iter=2, n_components=2).fit(X, y)
    display = StyleDisplay.from_estimator(model, X, image_shape=(4, 3), n_styles=3)
    assert display.images.shape == (3, 1 + 2, 4, 3)
    np.testing.assert_array_equal(display.images[:, 0], X[:3].reshape(3, 4, 3))
    Z = model.transform(X[:3])
    for label in (0, 1):
        decoded = model.inverse_transform(Z, label).reshape(3, 4, 3)
        np.testing.assert_allclose(display.images[:, 1 + label], decoded)
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["row", "0", "1"]
    of_sparse = StyleDisplay.from_estimator(model, csr_array(X), image_shape=(4, 3), n_styles=3)
    np.testing.assert_allclose(of_sparse.images, display.images, atol=1e-5)
    drawn = StyleDisplay.from_estimator(model, image_shape=(4, 3), n_styles=2, random_state=1)
    assert drawn.images.shape == (2, 2, 4, 3)
    drawn.figure_.savefig("/dev/null", format="png")


def test_train_circles_test_crosses_and_a_contour_of_the_prior(blobs, fitted_transformer):
    X, y = blobs
    display = LatentSpaceDisplay.from_estimator(
        fitted_transformer, X[:100], y[:100], X_test=X[100:], y_test=y[100:], prior="contour"
    )
    contour, *points = display.ax_.collections
    assert len(contour.get_paths()) == 2  # around 50 % and 95 % of the prior
    drawn = [len(collection.get_offsets()) for collection in points]
    assert drawn == [*np.bincount(y[:100]), *np.bincount(y[100:])]
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["prior", "0", "1", "2"]
    display.figure_.savefig("/dev/null", format="png")


@pytest.mark.parametrize("prior", ["petals", "swiss_roll"])
def test_manifold_walks_along_each_component_of_the_prior(images, prior):
    aae = transformer(max_iter=2, prior=prior).fit(images[0])
    display = ManifoldDisplay.from_estimator(
        aae, n_prior_components=10, image_shape=(4, 3), n_images=6
    )
    assert display.images.shape == (10, 6, 4, 3)
    for component, walk in enumerate(display.codes):
        samples = aae.sample_prior(500, component, random_state=1)
        gaps = np.linalg.norm(walk[:, None] - samples, axis=2).min(axis=1)
        assert gaps.max() < 0.15  # the walk stays on its component
        steps = np.linalg.norm(np.diff(walk, axis=0), axis=1)
        assert steps.sum() < 1.3 * np.linalg.norm(walk[-1] - walk[0])  # and does not turn back
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == list("0123456789")


def test_components_have_the_names_of_their_classes(images):
    X, y = images
    prior = GaussianMixture([[-2.0, 0.0], [2.0, 0.0]])
    aae = transformer(max_iter=2, prior=prior, use_labels=True).fit(X, np.array(["cat", "dog"])[y])
    display = ManifoldDisplay.from_estimator(
        aae, n_prior_components=2, image_shape=(4, 3), n_images=4
    )
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["cat", "dog"]


def test_reconstructions_stand_below_their_rows(images):
    X, y = images
    aae = transformer(max_iter=2).fit(X)
    display = ReconstructionDisplay.from_estimator(aae, X, image_shape=(4, 3), n_images=5)
    of_sparse = ReconstructionDisplay.from_estimator(
        aae, csr_array(X), image_shape=(4, 3), n_images=5
    )
    np.testing.assert_allclose(of_sparse.reconstructions, display.reconstructions, atol=1e-5)
    np.testing.assert_array_equal(display.originals.reshape(5, -1), X[:5])
    np.testing.assert_allclose(display.reconstructions.reshape(5, -1), aae.reconstruct(X[:5]))
    assert display.images.shape == (2, 5, 4, 3)
    given = SupervisedAAETransformer(max_iter=2, **FITS).fit(X, y)
    ReconstructionDisplay.from_estimator(given, X, y, image_shape=(2, 2, 3), n_images=5)


def test_training_curves(fitted_classifier):
    display = TrainingCurvesDisplay.from_estimator(fitted_classifier)
    lines = {line.get_label(): line.get_ydata() for line in display.ax_.get_lines()}
    losses = {name: v for name, v in fitted_classifier.history_.items() if name != "stage"}
    for name, values in losses.items():
        shown = lines[name.replace("_", " of ", 1) if "or_" in name else name.replace("_", " ")]
        np.testing.assert_array_equal(shown, values)
    assert 2 * np.log(2) in [line.get_ydata()[0] for line in display.ax_.get_lines()]
    some = TrainingCurvesDisplay.from_estimator(fitted_classifier, names=["reconstruction"])
    assert list(curves_of(some.ax_)) == ["reconstruction"]
    with pytest.raises(ValueError, match=r"'nothing'; the losses are \['reconstruction'"):
        TrainingCurvesDisplay.from_estimator(fitted_classifier, names=["nothing"])


def curves_of(ax):
    """Return the curves that the legend names, by their name."""
    return {line.get_label(): line for line in ax.get_lines() if line.get_label()[0] != "_"}


def stages_of(ax):
    """Return where each stage that is named begins: a vertical line stands there."""
    marked = {text.get_text(): text.xy[0] for text in ax.texts}
    lines = [set(line.get_xdata()) for line in ax.get_lines()]
    assert [{place} for place in marked.values()] == [
        places for places in lines if len(places) == 1
    ]
    return marked


STAGES = ["warm-up", "warm-up", "refine", "refine", "name"]


def test_stages_are_marked_where_they_begin():
    losses = {"reconstruction": [5.0, 4.0, 3.0, 2.0, 1.0], "discriminator": [1.0] * 5}
    model = mapped(history_={"stage": STAGES, **losses})
    display = TrainingCurvesDisplay.from_estimator(model)
    curves = curves_of(display.ax_)
    assert {name: [*curve.get_ydata()] for name, curve in curves.items()} == losses
    assert stages_of(display.ax_) == {"refine": 2.5, "name": 4.5}
    assert model.history_["stage"] is STAGES  # the estimator keeps its history
    some = TrainingCurvesDisplay.from_estimator(model, names=["reconstruction"])
    assert list(curves_of(some.ax_)) == ["reconstruction"]
    assert stages_of(some.ax_) == {"refine": 2.5, "name": 4.5}
    with pytest.raises(ValueError, match=r"'stage'; the losses are \['reconstruction', 'discr"):
        TrainingCurvesDisplay.from_estimator(model, names=["stage"])


@pytest.mark.parametrize("stages", [[], ["warm-up"] * 5])
def test_one_stage_needs_no_mark(stages):
    display = TrainingCurvesDisplay({"stage": stages, "loss": [5.0, 4.0, 3.0, 2.0, 1.0]}).plot()
    assert len(display.ax_.get_lines()) == 1
    assert not display.ax_.texts


def test_names_of_stages_do_not_overlap():
    stages = ["warm-up"] * 30 + ["adversarial"] + ["pseudo-labels"] * 2 + ["refine"] * 25
    stages += ["polish and finish"] * 2
    history = {"loss": np.linspace(2.0, 1.0, 60), "stage": stages}
    for ax in (None, new_axes()):
        display = TrainingCurvesDisplay(history).plot(ax)
        display.figure_.savefig("/dev/null", format="png")
        boxes = [text.get_window_extent() for text in display.ax_.texts]
        assert len(boxes) == 4
        assert not any(box.overlaps(other) for box in boxes for other in boxes if box is not other)
        axes = display.ax_.get_window_extent()
        assert all(box.y0 >= axes.y1 and box.x1 <= axes.x1 for box in boxes)
        assert boxes[-1].y0 == boxes[0].y0  # there is room in the first row


@pytest.mark.parametrize("nothing", [[0.0] * 4, [-1.0] * 4, [np.nan] * 4, [np.inf] * 4])
def test_losses_that_are_never_positive_leave_the_axes_as_they_are(nothing):
    loss = [1.0, 2.0, 4.0]
    alone = TrainingCurvesDisplay({"loss": loss}).plot().ax_
    ax = TrainingCurvesDisplay({"loss": loss, "penalty": nothing}).plot().ax_
    assert ax.get_ylim() == alone.get_ylim()
    assert list(curves_of(ax)) == ["loss", "penalty"]
    low, high = TrainingCurvesDisplay({"penalty": nothing}).plot().ax_.get_xlim()
    assert (low, high) == pytest.approx((0.85, 4.15))  # all epochs
    assert np.isnan(curves_of(ax)["penalty"].get_ydata()).all()
    ax.figure.savefig("/dev/null", format="png")


def test_cluster_heads_with_their_members(images):
    X, _ = images
    clusterer = AAEClusterer(2, max_iter=4, **FITS).fit(X)
    display = ClusterHeadsDisplay.from_estimator(clusterer, X, image_shape=(4, 3), n_members=60)
    assert display.images.shape == (clusterer.n_clusters_, 61, 4, 3)
    for cluster, row in enumerate(display.images.reshape(clusterer.n_clusters_, 61, 12)):
        np.testing.assert_allclose(row[0], clusterer.cluster_heads_[cluster])
        own = {tuple(member) for member in row[1:] if np.isfinite(member).all()}
        assert own == {tuple(member) for member in X[clusterer.labels_ == cluster]}
    with pytest.raises(ValueError, match="X has 10 rows, but the estimator was fitted on 60"):
        ClusterHeadsDisplay.from_estimator(clusterer, X[:10], image_shape=(4, 3))
    styles = StyleDisplay.from_estimator(clusterer, image_shape=(4, 3), n_styles=3)
    assert styles.images.shape == (3, clusterer.n_clusters_, 4, 3)


def test_heads_of_an_embedding_are_decoded(images):
    X, _ = images
    embedding = AAEEmbedding(n_clusters=3, max_iter=2, **FITS).fit(X)
    display = ClusterHeadsDisplay.from_estimator(embedding, image_shape=(4, 3))
    decoded = embedding.inverse_transform(embedding.cluster_heads_)
    np.testing.assert_allclose(display.images.reshape(3, 12), decoded)


def test_convolutions_know_the_shape_of_their_images(images):
    X, y = images
    network = Conv(image_shape=(2, 2, 3))
    aae = SupervisedAAETransformer(
        2, network=network, hidden_layer_sizes=(4,), max_iter=2, **FITS
    ).fit(X, y)
    assert ReconstructionDisplay.from_estimator(aae, X, y, n_images=5).images.shape[1:] == (
        *(5, 2, 2, 3),
    )
    assert StyleDisplay.from_estimator(aae, n_styles=3).images.shape == (3, 2, 2, 2, 3)
    given = StyleDisplay.from_estimator(aae, n_styles=3, image_shape=(4, 3))
    assert given.images.shape == (3, 2, 4, 3)


def test_errors(blobs, fitted_transformer, fitted_classifier):
    one = transformer(n_components=1, max_iter=1).fit(blobs[0])
    with pytest.raises(ValueError, match=r"needs at least two components.*n_components=1"):
        LatentSpaceDisplay.from_estimator(one, blobs[0])
    with pytest.raises(ValueError, match=r"two components.*n_components=10"):
        ManifoldDisplay.from_estimator(fitted_classifier)
    with pytest.raises(ValueError, match=r"6 features are not square images.*explore"):
        ManifoldDisplay.from_estimator(fitted_transformer)
    with pytest.raises(ValueError, match=r"image_shape=\(2, 2\)"):
        as_images(np.zeros((1, 6)), (2, 2))


def test_no_two_classes_of_many_share_a_colour_or_miss_in_the_legend(blobs, fitted_transformer):
    X = blobs[0][:60]
    y = np.arange(60) % 25
    display = LatentSpaceDisplay.from_estimator(fitted_transformer, X, y, prior=None)
    colors = {tuple(points.get_facecolor()[0]) for points in display.ax_.collections}
    assert len(colors) == 25
    names = np.array(["_other", "prior", "unlabeled"])[y % 3]
    display = LatentSpaceDisplay.from_estimator(fitted_transformer, X, names)
    shown = [text.get_text().strip() for text in display.ax_.get_legend().get_texts()]
    assert sorted(shown) == ["_other", "prior", "prior", "unlabeled"]


def test_contours_need_samples_that_fill_a_plane(blobs, fitted_transformer):
    how = {"prior": "contour", "n_prior_samples": 2}
    with pytest.raises(ValueError, match="needs more samples of the prior than 2"):
        LatentSpaceDisplay.from_estimator(fitted_transformer, blobs[0], blobs[1], **how)
    codes, line = np.zeros((3, 2)), np.linspace(-1.0, 1.0, 200)[:, None] * [1.0, 0.0]
    with pytest.raises(ValueError, match="samples that are not all on a line"):
        LatentSpaceDisplay(codes, prior_samples=line, prior="contour").plot()


def test_styles_need_a_class_and_reconstructions_ignore_one(images):
    X, y = images
    model = transformer(max_iter=2).fit(X)
    with pytest.raises(ValueError, match="decodes codes without a class"):
        StyleDisplay.from_estimator(model)
    with_y, without = (
        ReconstructionDisplay.from_estimator(model, X, some, image_shape=(4, 3)).reconstructions
        for some in (y, None)
    )
    np.testing.assert_array_equal(with_y, without)


def test_one_name_of_a_loss_may_stand_alone(fitted_classifier):
    display = TrainingCurvesDisplay.from_estimator(fitted_classifier, names="reconstruction")
    assert set(display.history) - {"stage"} == {"reconstruction"}


def test_displays_read_rows_as_estimators_do():
    X = load_digits().data[:60]
    rows = np.ma.array(X.copy(), mask=np.random.default_rng(0).random(X.shape) < 0.05)
    rows.data[rows.mask] = 9999.0  # hidden
    model = transformer().fit(rows)
    display = ReconstructionDisplay.from_estimator(model, rows)
    assert np.nanmax(display.originals) <= X.max()
    for table in (torch.from_numpy(X), pd.DataFrame(X).astype("Int64")):
        shown = ReconstructionDisplay.from_estimator(model, table).originals
        np.testing.assert_array_equal(shown.reshape(-1, 64), X[: len(shown)])
    y = np.arange(60.0) / 7.0
    y[3] = np.inf
    assert LatentSpaceDisplay.from_estimator(model, X, y).ax_ is not None
