"""Colours of rows by their class or their value, and their legend or colour bar."""

from __future__ import annotations

import numpy as np

from skaae.displays._display import COLORS, legend_beside
from skaae.estimators.labels import (
    UNLABELED,
    as_label_array,
    find_missing,
    is_auto,
    mark_unlabeled,
    plain,
)

MAX_NUMBERS = 30  # more get a colour bar, since a legend has no room for them

SCALE = ("cmap", "norm", "vmin", "vmax")  # arguments of `scatter` that map values to colours


class ClassColors:
    """A colour for each class, named in a legend.

    Parameters
    ----------
    classes : sequence of n_classes labels
    """

    def __init__(self, classes):
        self.classes = classes

    def scatter(self, ax, points, target, style):
        """Draw points (n, 2) of the class indices `target` (n,); name each class once."""
        for index, label in enumerate(self.classes):
            rows = points[target == index]
            if len(rows):
                color, name = COLORS[index % len(COLORS)], unused_name(ax, str(label))
                ax.scatter(*rows.T, **{"color": color, "label": name, **style})

    def without_scale(self, style):
        """Return the style of points in one colour: classes have no scale."""
        return style

    def explain(self, ax):
        """Draw the legend of the classes beside the axes."""
        if ax.get_legend_handles_labels()[1]:
            legend_beside(ax, markerscale=2.0)


class ValueColors:
    """A colour map over all values, explained by a colour bar.

    Parameters
    ----------
    *targets : arrays of values or None
        All values that are drawn, so that each value has one colour.
    """

    def __init__(self, *targets):
        values = np.concatenate([target for target in targets if target is not None])
        finite = values[np.isfinite(values)]
        self.limits = {"vmin": finite.min(), "vmax": finite.max()} if len(finite) else {}
        self.drawn = None

    def scatter(self, ax, points, target, style):
        """Draw points (n, 2) in the colours of the values `target` (n,)."""
        if "color" in style:  # the user wants one colour
            ax.scatter(*points.T, **style)
            return
        limits = {} if "norm" in style else self.limits
        settings = {"c": target, "cmap": "viridis", **limits, **style}
        self.drawn = ax.scatter(*points.T, **settings)

    def without_scale(self, style):
        """Return the style of points in one colour, without the scale, which matplotlib refuses."""
        return {name: value for name, value in style.items() if name not in SCALE}

    def explain(self, ax):
        """Draw the colour bar beside the axes, and above them a legend of rows without a value."""
        if self.drawn is not None:
            bar = ax.figure.colorbar(self.drawn, ax=ax, label="y")
            bar.solids.set(alpha=1.0)
        if ax.get_legend_handles_labels()[1]:
            place = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": 2}
            ax.legend(**place, frameon=False, markerscale=2.0)


def unused_name(ax, name):
    """Return the name, or "_", which the legend leaves out, if the legend has the name already."""
    return "_" if name in ax.get_legend_handles_labels()[1] else name


def marker_of(estimator):
    """Return what marks a row without a class for a fitted estimator.

    If its classes are known, "auto" becomes -1, or None if -1 is a class.
    """
    marker = getattr(estimator, "unlabeled_label", "auto")
    classes = getattr(estimator, "classes_", None)
    if classes is None or not is_auto(marker):
        return marker
    return None if UNLABELED in np.asarray(classes).tolist() else UNLABELED


def read_targets(targets, unlabeled_label):
    """Return classes, and for each y of `targets` the index of the class of each row.

    Indices are float arrays (n_samples,), NaN for rows without a class, and None if y is None. If y
    holds values, not classes (see `are_values`), the classes are None, and the arrays hold the
    values. All y together decide what the classes are and whether -1 is a marker.
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
        classes, numbers[labeled] = None, labels
    else:
        classes, numbers[labeled] = np.unique(labels, return_inverse=True)
    parts = iter(np.split(numbers, np.cumsum([len(array) for array in arrays])[:-1]))
    return classes, [None if y is None else next(parts) for y in targets]


def are_values(labels):
    """Return whether labels (n,) are better shown as values on a scale than as classes."""
    if labels.dtype.kind not in "iuf":
        return False
    return have_fractions(labels) or len(np.unique(labels)) > MAX_NUMBERS


def have_fractions(labels):
    """Return whether labels (n,) are numbers with fractions."""
    return labels.dtype.kind == "f" and bool((labels != np.floor(labels)).any())
