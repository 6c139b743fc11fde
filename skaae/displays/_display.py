"""The base class of all displays, and the colours that they share."""

from __future__ import annotations

from abc import ABC, abstractmethod

# Ten colours that colour-blind readers can tell apart, from Paul Tol's qualitative schemes.
COLORS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#222255",
    "#ee7733",
    "#009988",
    "#997700",
)


# How far the colours of each further ten classes are mixed with black (below 0) or white.
SHADES = (0.0, -0.45, 0.5, -0.7, 0.75)


def colors_of(n_groups, hues=COLORS):
    """Return a colour for each of n_groups groups: ten hues, then darker and lighter ones of them.

    After 50 colours they repeat.
    """
    return [
        shaded(hues[group % len(hues)], SHADES[group // len(hues) % len(SHADES)])
        for group in range(n_groups)
    ]


def shaded(color, shade):
    """Return a colour "#rrggbb" mixed with white, or with black if the shade is below 0."""
    parts = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    target = 255 if shade > 0.0 else 0
    mixed = (round(part + abs(shade) * (target - part)) for part in parts)
    return "#" + "".join(f"{part:02x}" for part in mixed)


class Display(ABC):
    """Base class of all displays; a subclass defines `_draw` and `_size`."""

    def plot(self, ax=None, **style):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.
        **style : passed to the method that draws: `Axes.imshow`, `Axes.scatter` or `Axes.plot`

        Returns
        -------
        self : object
            This display, with the axes in `ax_` and the figure in `figure_`.
        """
        if ax is None:
            from matplotlib import pyplot

            _, ax = pyplot.subplots(figsize=self._size(), layout="constrained")
        self._draw(ax, style)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @abstractmethod
    def _size(self):
        """Return the width and height of a new figure, in inches."""

    @abstractmethod
    def _draw(self, ax, style):
        """Draw on the axes."""


def legend_beside(ax, **settings):
    """Draw the legend to the right of the axes, so that it covers no points."""
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, **settings)
