"""Colours of points by class or by value, with a legend or a colour bar."""

from __future__ import annotations

import numpy as np

from skaae.displays._display import colors_of, legend_beside
from skaae.unlabeled import (
    UNLABELED,
    as_label_array,
    find_missing,
    is_auto,
    mark_unlabeled,
    plain,
    require_one_kind,
)

MAX_NUMBERS = 30  # more different numbers get a colour bar, as a legend has no room for them

SCALE = ("cmap", "norm", "vmin", "vmax")  # arguments of `scatter` that map values to colours


class Names:
    """Names of what is drawn, each for one entry of the legend."""

    def __init__(self):
        self.given = set()

    def name_once(self, name, group=None):
        """Return the name of a group the first time, later "_", which legends leave out."""
        if (name, group) in self.given:
            return "_"
        self.given.add((name, group))
        return f" {name}" if name.startswith("_") else name  # legends leave out such names too


class ClassColors(Names):
    """Colours points by class, and names the classes in a legend.

    Parameters
    ----------
    classes : sequence of n_classes labels
    """

    def __init__(self, classes):
        super().__init__()
        self.classes = classes
        self.colors = colors_of(len(classes))

    def scatter(self, ax, points, target, style):
        """Draw points (n, 2) with class indices `target` (n,); label each class once."""
        for index, label in enumerate(self.classes):
            rows = points[target == index]
            if len(rows):
                how = {
                    "color": self.colors[index],
                    "label": self.name_once(str(label), index),
                    **style,
                }
                ax.scatter(*rows.T, **how)

    def without_scale(self, style):
        """Return the style unchanged, as colours of classes have no scale."""
        return style

    def explain(self, ax):
        """Draw the legend of the classes beside the axes."""
        if ax.get_legend_handles_labels()[1]:
            legend_beside(ax, markerscale=2.0)


class ValueColors(Names):
    """Colours points by value, with a colour map and a colour bar.

    Parameters
    ----------
    *targets : arrays of values or None
        All values that will be drawn. They set the limits of the colour map.
    """

    def __init__(self, *targets):
        super().__init__()
        values = np.concatenate([target for target in targets if target is not None])
        finite = values[np.isfinite(values)]
        self.limits = {"vmin": finite.min(), "vmax": finite.max()} if len(finite) else {}
        self.drawn = None

    def scatter(self, ax, points, target, style):
        """Draw points (n, 2) in the colours of the values `target` (n,)."""
        if "color" in style:  # the user has chosen one colour for all points
            ax.scatter(*points.T, **style)
            return
        limits = {} if "norm" in style else self.limits
        settings = {"c": target, "cmap": "viridis", **limits, **style}
        self.drawn = ax.scatter(*points.T, **settings)

    def without_scale(self, style):
        """Return the style without colour-map arguments, for points of a single colour."""
        return {name: value for name, value in style.items() if name not in SCALE}

    def explain(self, ax):
        """Draw the colour bar beside the axes, and a legend of the other points above them."""
        if self.drawn is not None:
            bar = ax.figure.colorbar(self.drawn, ax=ax, label="y")
            bar.solids.set(alpha=1.0)
        if ax.get_legend_handles_labels()[1]:
            place = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": 2}
            ax.legend(**place, frameon=False, markerscale=2.0)


def marker_of(estimator):
    """Return the value of y that marks an unlabeled row for a fitted estimator.

    If the estimator has `classes_`, "auto" becomes -1, or None if -1 is one of the classes.
    """
    marker = getattr(estimator, "unlabeled_label", "auto")
    classes = getattr(estimator, "classes_", None)
    if classes is None or not is_auto(marker):
        return marker
    return None if UNLABELED in np.asarray(classes).tolist() else UNLABELED


def labels_of_rows(y, n_rows, name="y"):
    """Return y as an array of one label for each row, or raise ValueError."""
    array = as_label_array(y).ravel()
    if len(array) != n_rows:
        raise ValueError(
            f"{name} has {len(array)} values, but there are {n_rows} rows; give one for each row."
        )
    return array


def read_targets(targets, unlabeled_label):
    """Return the classes, and for each y of the list `targets` the class indices of its rows.

    Class indices are a float array (n_samples,), with NaN for unlabeled rows, or None if y is None.
    If y contains values and not classes (see `are_values`), None is returned for the classes, and
    the arrays contain the values, and NaN for infinite ones. All y are read together to find the
    classes and whether -1 is a marker. Text beside other labels raises ValueError.
    """
    arrays = [as_label_array(y).ravel() for y in targets if y is not None]
    if not arrays:
        return (), [None] * len(targets)
    if len({array.dtype.kind for array in arrays}) > 1:
        arrays = [array.astype(object) for array in arrays]
    together = np.concatenate(arrays)
    if is_auto(unlabeled_label) and have_fractions(plain(together[~find_missing(together)])):
        unlabeled_label = None  # -1 is a value like the others
    labeled = ~mark_unlabeled(together, unlabeled_label)
    labels, numbers = plain(together[labeled]), np.full(len(together), np.nan)
    if are_values(labels):
        classes, numbers[labeled] = None, np.where(np.isfinite(labels), labels, np.nan)
    else:
        require_one_kind(labels.tolist())
        classes, numbers[labeled] = np.unique(labels, return_inverse=True)
    parts = iter(np.split(numbers, np.cumsum([len(array) for array in arrays])[:-1]))
    return classes, [None if y is None else next(parts) for y in targets]


def are_values(labels):
    """Return whether labels (n,) should be shown as values on a scale, not as classes."""
    if labels.dtype.kind not in "iuf":
        return False
    return have_fractions(labels) or len(np.unique(labels)) > MAX_NUMBERS


def have_fractions(labels):
    """Return whether labels (n,) are numbers with fractions."""
    return labels.dtype.kind == "f" and bool((labels != np.floor(labels)).any())
