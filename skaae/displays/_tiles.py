"""The base class of displays that show rows of X as images, in rows and columns."""

from __future__ import annotations

import numpy as np
from scipy.sparse import issparse

from skaae.displays._display import Display
from skaae.estimators.tensors import as_array

GAP = 1  # pixels between two images
TILE = 0.55  # longer side of an image in a new figure, in inches


class Tiles(Display):
    """Base class of displays that show images in rows and columns.

    Parameters
    ----------
    images : ndarray of shape (n_rows, n_columns, height, width[, channels])
    """

    # Labels of the axes, and names of the columns and rows, or None.
    _labels = ("", "")
    _column_names: list[str] | None = None
    _row_names: list[str] | None = None

    def __init__(self, images):
        self.images = images

    def _size(self):
        n_rows, n_columns, height, width = self.images.shape[:4]
        scale = TILE / max(height, width)
        return n_columns * width * scale + 0.7, n_rows * height * scale + 0.7

    def _draw(self, ax, style):
        n_rows, n_columns, height, width = self.images.shape[:4]
        draw_tiles(ax, self.images, **style)
        ax.set(xlabel=self._labels[0], ylabel=self._labels[1])
        if self._column_names is not None:
            ax.set_xticks(centers(n_columns, width), self._column_names)
        if self._row_names is not None:
            ax.set_yticks(centers(n_rows, height), self._row_names)
        ax.tick_params(length=0)


def image_shape_of(estimator, given):
    """Return the given shape of images, or that of the estimator's convolutions, or None."""
    settings = getattr(estimator, "_settings", None)
    return settings.architecture.image_shape if given is None and settings is not None else given


def as_numbers(X):
    """Return rows of any kind as an array; masked entries and missing values are NaN."""
    X = as_array(X)
    if issparse(X):
        return X.toarray()
    if isinstance(X, np.ma.MaskedArray) and X.dtype.kind in "biuf":
        return np.ma.filled(X.astype(float), np.nan)
    if hasattr(X, "isna") and all(map(is_numeric, X.dtypes)):  # pandas, also with its own dtypes
        return X.to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(X)


def is_numeric(dtype):
    """Return whether a dtype of a column, of NumPy or of pandas, is one of numbers or flags."""
    return getattr(dtype, "kind", "O") in "biuf"


def as_images(X, image_shape=None):
    """Return rows (n, n_features) as images (n, height, width[, channels])."""
    X = as_numbers(X)
    if X.dtype.kind not in "biuf":
        raise ValueError(
            "rows with categories or other objects are not images; this display needs an estimator "
            "of numbers only."
        )
    n_features = X.shape[1]
    side = round(np.sqrt(n_features))
    what = "square images"
    if image_shape is None:
        image_shape = (side, side)
    else:
        what = f"images of image_shape={tuple(image_shape)}"
    if np.prod(image_shape) != n_features:
        raise ValueError(
            f"rows of {n_features} features are not {what}; pass "
            "image_shape=(height, width) with height * width = n_features, or (height, width, 3) "
            "for colour images. If the rows are no images, see them with skaae.displays.explore."
        )
    if tuple(image_shape[2:]) == (1,):
        image_shape = image_shape[:2]
    return X.reshape(-1, *image_shape)


def centers(n, size):
    """Return the position of the middle of each of n images, in pixels."""
    return (size + GAP) * np.arange(n) + (size - 1) / 2


def draw_tiles(ax, images, **imshow):
    """Draw images (rows, columns, height, width[, channels]) as one large image without ticks."""
    n_rows, n_columns, height, width, *channels = images.shape
    low, high = np.nanquantile(images, (0.001, 0.999))
    if channels:  # colour images need values in [0, 1], and gaps are white
        images = np.nan_to_num(((images - low) / (high - low or 1.0)).clip(0.0, 1.0), nan=1.0)
    sheet = np.full(
        (n_rows * (height + GAP) - GAP, n_columns * (width + GAP) - GAP, *channels),
        1.0 if channels else np.nan,
    )
    for row in range(n_rows):
        for column in range(n_columns):
            top, left = row * (height + GAP), column * (width + GAP)
            sheet[top : top + height, left : left + width] = images[row, column]
    settings = {"cmap": "gray_r", "vmin": low, "vmax": high, "interpolation": "nearest"}
    ax.imshow(sheet, **{**settings, **imshow})
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def first_rows(X, n):
    """Return the first n rows of an array, a list or a data frame, in the same container."""
    return X.iloc[:n] if hasattr(X, "iloc") else X[:n]
