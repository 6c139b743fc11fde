"""`explore`: a page for the browser that decodes the place under the pointer."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import asdict
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
from sklearn.utils import check_random_state, resample

from skaae.displays._colors import labels_of_rows, marker_of, read_targets
from skaae.displays._display import COLORS, colors_of
from skaae.displays._tiles import as_images, image_shape_of
from skaae.estimators.labels import require_same_kind
from skaae.estimators.tensors import as_array
from skaae.export.plain_decoder import Layer, PlainDecoder, plain_decoder
from skaae.unlabeled import is_missing, mark_unlabeled

# The same hues as COLORS, lighter, for a dark background.
DARK_COLORS = (
    "#77aadd",
    "#ff99aa",
    "#44bb66",
    "#eedd66",
    "#99ddff",
    "#cc66aa",
    "#aaaaee",
    "#ff9955",
    "#33ccbb",
    "#bb9922",
)
FEWEST_PIXELS = 16  # images of 4 x 4
PARTS = ("page.css", "decoder.js", "page.js")
HEIGHT = 720  # of the page in a notebook, in pixels


class Exploration:
    """The page that `explore` makes. A notebook shows it.

    Parameters
    ----------
    data : dict
        What the page shows, as plain values for JSON.
    """

    def __init__(self, data):
        self.data = data

    def to_html(self):
        """Return the page, which needs no other file and no network.

        Returns
        -------
        html : str
        """
        folder = files("skaae.displays") / "page"
        page = (folder / "page.html").read_text(encoding="utf-8")
        for name in PARTS:
            page = page.replace(f"<!-- {name} -->", (folder / name).read_text(encoding="utf-8"))
        # a name such as "</script>" would end the data
        text = json.dumps(self.data, allow_nan=False).replace("<", "\\u003c")
        return page.replace("<!-- data -->", text)

    def save(self, path):
        """Write the page to a file, which any browser opens.

        Parameters
        ----------
        path : str or path-like
            Such as "walk.html".

        Returns
        -------
        self : Exploration
        """
        with open(os.fspath(path), "w", encoding="utf-8") as file:
            file.write(self.to_html())
        return self

    def _repr_html_(self):
        return (
            f'<iframe srcdoc="{escape(self.to_html())}" sandbox="allow-scripts" '
            f'title="A walk in the code" style="width: 100%; height: {HEIGHT}px; border: 0">'
            "</iframe>"
        )


def explore(estimator, X, y=None, *, image_shape=None, max_rows=2000, random_state=0):
    """Make a page for the browser on which one can walk through the code of an estimator.

    The page shows the map of rows, coloured by class. It decodes the place under the pointer: to an
    image, or to a bar for each column. Press a row to see it beside its reconstruction, and drag it
    to see it change. Below are the nearest rows on the map. Keys work too: arrows move the point,
    Enter holds the nearest row, Escape lets it go.

    The page is one file. It contains the rows and the weights of the decoder, and computes in the
    browser, without a network. Whoever has the file has these rows.

    Parameters
    ----------
    estimator : fitted estimator with n_components=2 and `inverse_transform`
        `AAETransformer`, `AAEEmbedding`, `SupervisedAAETransformer`, `SemiSupervisedAAEClassifier`,
        `AAEClusterer` or `AAEOutlierDetector`, with networks of skaae. Where rows are decoded from
        a class or cluster too, the page has a choice of it.
    X : array-like of shape (n_samples, n_features)
        Rows to show, such as the training rows.
    y : array-like of shape (n_samples,), default=None
        Classes of the rows, or other values, which give the colours. Unlabeled rows are grey. None
        takes the classes or clusters that the estimator predicts, if it has `predict`.
        `SupervisedAAETransformer` decodes the rows of X with these classes.
    image_shape : tuple (height, width) or (height, width, 3), default=None
        Shape of the image in each row of X. None means the shape of `Conv`, or a square image of
        one channel if the columns share one scale, as pixels do, and their number is the square of
        4 or more. Otherwise the page shows columns.
    max_rows : int, default=2000
        Largest number of rows in the page. If X has more, this many are drawn at random.
    random_state : int, RandomState instance or None, default=0
        Draws these rows.

    Returns
    -------
    page : Exploration
        With `save(path)` and `to_html()`.

    Raises
    ------
    TypeError
        If the estimator is none of skaae.
    ValueError
        If codes do not have two dimensions, the decoder is a network that you have written, rows
        do not fit image_shape, y contains a value that is no class of a
        `SupervisedAAETransformer`, or max_rows is less than 1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skaae import AAETransformer
    >>> from skaae.displays import explore
    >>> X, y = load_digits(return_X_y=True)
    >>> aae = AAETransformer(max_iter=2, random_state=0).fit(X)
    >>> page = explore(aae, X, y)
    >>> page.to_html()[:15]
    '<!doctype html>'
    """
    decoder = plain_decoder(estimator)
    if max_rows < 1:
        raise ValueError(f"max_rows={max_rows!r} must be at least 1; the default is 2000.")
    rows = draw_rows(as_array(X), as_array(y), max_rows, random_state)
    codes = np.asarray(estimator.transform(rows["X"]), dtype=np.float64)
    if codes.shape[1] != 2:
        raise ValueError(
            f"explore shows codes of two dimensions, but this {type(estimator).__name__} has "
            f"n_components={codes.shape[1]}; fit it with n_components=2."
        )
    targets, groups = read_groups(estimator, rows["X"], rows["y"])
    values = values_of(rows["X"])
    n_colors = max(len(groups["names"] or []), 1)
    image = image_of(decoder, image_shape_of(estimator, image_shape))
    return Exploration(
        {
            "title": f"{type(estimator).__name__}: {len(codes)} rows of {len(decoder.columns)} "
            "columns",
            "decoder": data_of(decoder),
            "image": image,
            "groups": groups,
            "rows": {
                "index": rows["index"].tolist(),
                "codes": encoded(codes),
                "shares": encoded(shares_of(decoder, estimator, rows)),
                "target": targets,
                "pixels": "" if image is None else encoded(levels(values, image["range"]), "u1"),
                "values": values if image is None else [],
            },
            "colors": {
                "light": colors_of(n_colors, COLORS),
                "dark": colors_of(n_colors, DARK_COLORS),
            },
        }
    )


def draw_rows(X, y, max_rows, random_state):
    """Return a dict of rows X, their classes y and their positions: at most max_rows of them."""
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    y, index = None if y is None else labels_of_rows(y, n_rows), np.arange(n_rows)
    if n_rows <= max_rows:
        return {"X": X, "y": y, "index": index}
    tables = [X, index] if y is None else [X, index, y]
    X, index, *rest = resample(
        *tables, replace=False, n_samples=max_rows, random_state=check_random_state(random_state)
    )
    return {"X": X, "y": rest[0] if rest else None, "index": index}


def read_groups(estimator, X, y):
    """Return the target of each row, None if unlabeled, and what the targets are.

    These are classes, which have names, or values in a range.
    """
    word = "class" if y is not None or hasattr(estimator, "classes_") else "cluster"
    if y is None and hasattr(estimator, "predict_proba"):
        y = estimator.predict(X)
    if y is None:
        return [], {"shown": False, "word": "", "names": None, "range": [0, 1]}
    classes, (found,) = read_targets((y,), marker_of(estimator))
    targets = [None if np.isnan(target) else target for target in found.tolist()]
    if classes is None:
        ends = [float(np.nanmin(found)), float(np.nanmax(found))]
        return targets, {"shown": True, "word": "y =", "names": None, "range": ends}
    targets = [None if target is None else int(target) for target in targets]
    names = [str(name) for name in classes]
    return targets, {"shown": True, "word": word, "names": names, "range": [0, 1]}


def shares_of(decoder: PlainDecoder, estimator: Any, rows: dict[str, Any]) -> np.ndarray:
    """Return with which shares of the decoder's classes each row is reconstructed."""
    if not decoder.classes:
        return np.zeros(0)
    if hasattr(estimator, "predict_proba"):
        return estimator.predict_proba(rows["X"])
    shares = np.tile(decoder.proportions, (len(rows["index"]), 1))
    if rows["y"] is None:
        return shares
    known = {label: index for index, label in enumerate(decoder.classes)}
    labels = rows["y"].tolist()
    for row in np.flatnonzero(~mark_unlabeled(rows["y"], marker_of(estimator))):
        label = labels[row]
        require_same_kind([label], decoder.classes)
        if label not in known:
            raise ValueError(
                f"y contains {label!r}, but this {type(estimator).__name__} decodes the classes "
                f"{list(known)}; give one of them for each row, or None for a row without a class."
            )
        shares[row] = np.eye(len(known))[known[label]]
    return shares


def image_of(decoder: PlainDecoder, image_shape: Any) -> dict[str, Any] | None:
    """Return shape and range of the images that rows are, or None if they are columns."""
    n_columns = len(decoder.columns)
    side = round(np.sqrt(n_columns))
    if image_shape is None:
        if not decoder.are_pixels or side**2 != n_columns or n_columns < FEWEST_PIXELS:
            return None
        image_shape = (side, side)
    numbers = [column.kind == "number" for column in decoder.columns]
    rows = np.zeros((1, n_columns), dtype=float if all(numbers) else object)
    shape = as_images(rows, image_shape).shape[1:]
    ranges = [column.range for column in decoder.columns if column.range is not None]
    lowest, highest = zip(*ranges, strict=True)
    return {"shape": shape, "range": (min(lowest), max(highest))}


def levels(values: list[list[float | None]], ends: tuple[float, float]) -> np.ndarray:
    """Return pixels as levels from 0 to 255; a gap is 0."""
    pixels, (low, high) = np.array(values, dtype=float), ends
    return np.nan_to_num(255.0 * (pixels - low) / (high - low or 1.0)).clip(0, 255).round()


def values_of(X: Any) -> list[list[Any]]:
    """Return a table of any kind as lists of numbers and text, with None for a gap."""
    if hasattr(X, "rows"):  # polars
        table = X.rows()
    elif hasattr(X, "to_numpy"):
        table = X.to_numpy(dtype=object).tolist()
    elif isinstance(X, np.ma.MaskedArray):
        table = X.tolist()  # with None for masked entries
    else:
        table = X.toarray() if hasattr(X, "toarray") else X
    return [[to_json(value) for value in row] for row in table]


def to_json(value: Any) -> Any:
    """Return a value as JSON has it: a number, text, or None for a gap."""
    if is_missing(value) or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return None
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, bool | int | float | str) else str(value)


def data_of(decoder: PlainDecoder) -> dict[str, Any]:
    """Return a decoder for the page."""
    return {
        "layers": [layer_of(layer) for layer in decoder.layers],
        "columns": [asdict(column) for column in decoder.columns],
        "classes": [str(label) for label in decoder.classes],
        "proportions": decoder.proportions.tolist(),
        "of_class": encoded(decoder.of_class),
    }


def layer_of(layer: Layer) -> dict[str, Any]:
    """Return a layer for the page."""
    return {**asdict(layer), "weight": encoded(layer.weight), "bias": encoded(layer.bias)}


def encoded(values: np.ndarray, dtype: str = "<f4") -> str:
    """Return an array as base64, in float32 if not said otherwise."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode()
