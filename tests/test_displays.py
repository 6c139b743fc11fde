"""Pictures: drawn without a screen, and checked by their data."""

import matplotlib
import numpy as np
import pytest
from conftest import classifier, transformer

from skaae import LatentSpaceDisplay, ManifoldDisplay, StyleDisplay
from skaae.displays import as_images

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
    left, right, bottom, top = display.extent
    corners = aae.inverse_transform(np.array([[left, top], [right, bottom]]))
    np.testing.assert_allclose(display.images[0, 0].ravel(), corners[0], rtol=1e-5)
    np.testing.assert_allclose(display.images[-1, -1].ravel(), corners[1], rtol=1e-5)
    assert (left, right) == pytest.approx((-1.96, 1.96), abs=0.1)  # 95 % of a standard normal
    display.figure_.savefig("/dev/null", format="png")


def test_styles_share_rows_and_classes_share_columns(images):
    X, y = images
    model = classifier(max_iter=2, n_components=2).fit(X, y)
    display = StyleDisplay.from_estimator(model, X, image_shape=(4, 3), n_styles=3)
    assert display.images.shape == (3, 2, 4, 3)
    Z = model.transform(X[:3])
    for label in (0, 1):
        decoded = model.inverse_transform(Z, label).reshape(3, 4, 3)
        np.testing.assert_allclose(display.images[:, label], decoded)
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["0", "1"]
    drawn = StyleDisplay.from_estimator(model, image_shape=(4, 3), n_styles=2, random_state=1)
    assert drawn.images.shape == (2, 2, 4, 3)
    drawn.figure_.savefig("/dev/null", format="png")


def test_errors(blobs, fitted_transformer, fitted_classifier):
    one = transformer(n_components=1, max_iter=1).fit(blobs[0])
    with pytest.raises(ValueError, match=r"needs at least two components.*n_components=1"):
        LatentSpaceDisplay.from_estimator(one, blobs[0])
    with pytest.raises(ValueError, match=r"two components.*n_components=10"):
        ManifoldDisplay.from_estimator(fitted_classifier)
    with pytest.raises(ValueError, match="rows of 6 features are not images"):
        ManifoldDisplay.from_estimator(fitted_transformer)
    with pytest.raises(ValueError, match=r"image_shape=\(2, 2\)"):
        as_images(np.zeros((1, 6)), (2, 2))
