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
