"""TrainingCurvesDisplay: the losses of an estimator over its training epochs."""

from __future__ import annotations

import itertools
import math

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaae.displays._display import COLORS, Display, legend_beside

# Losses of discriminator and generator if codes are distributed exactly as the prior.
BALANCE_LINES = {"discriminator": 2.0 * math.log(2.0), "generator": math.log(2.0)}
STAGE = "stage"  # the entry of a history that is not a loss but the stage of each epoch
ROW = 9.0  # distance between two lines of stage names, in points


class TrainingCurvesDisplay(Display):
    """Curves of all losses over the training epochs, on a logarithmic scale.

    Two dotted lines show the goal of adversarial training: the losses of discriminator (2 log 2)
    and generator (log 2) if a discriminator cannot distinguish codes from samples of the prior.
    Thin vertical lines show where a new training stage begins.

    Parameters
    ----------
    history : dict of str to sequence of float
        Losses by name, as in `history_`. The entry "stage" is the name of each epoch's stage.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skaae import AAETransformer, TrainingCurvesDisplay
    >>> aae = AAETransformer(max_iter=20, random_state=0).fit(load_iris().data)
    >>> display = TrainingCurvesDisplay.from_estimator(aae)
    >>> display.ax_.get_xlabel()
    'epoch'
    """

    def __init__(self, history):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, names=None, ax=None, **style):
        """Plot the losses of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator with `history_`
        names : str or sequence of str, default=None
            Names of the losses to show. None shows all of them.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.
        **style : further keyword arguments of `ax.plot`, such as `alpha`

        Returns
        -------
        display : TrainingCurvesDisplay

        Raises
        ------
        ValueError
            If `names` contains a name that is not a loss of the estimator.
        """
        check_is_fitted(estimator)
        history = dict(estimator.history_)
        stages = {STAGE: history.pop(STAGE)} if STAGE in history else {}
        names = [names] if isinstance(names, str) else names
        unknown = [] if names is None else [name for name in names if name not in history]
        if unknown:
            raise ValueError(f"names holds {unknown[0]!r}; the losses are {list(history)}.")
        chosen = {name: history[name] for name in names or history}
        return cls({**chosen, **stages}).plot(ax, **style)

    def _size(self):
        return 7.0, 4.0

    def _draw(self, ax, style):
        curves = {name: values for name, values in self.history.items() if name != STAGE}
        for index, (name, values) in enumerate(curves.items()):
            values = np.asarray(values, float)
            shown = np.where(np.isfinite(values) & (values > 0.0), values, np.nan)
            color = COLORS[index % len(COLORS)]
            label = name.replace("_", " of ", 1) if "or_" in name else name.replace("_", " ")
            epochs = np.arange(1, len(values) + 1)
            ax.plot(epochs, shown, **{"color": color, "label": label, "linewidth": 1.5, **style})
            ax.dataLim.update_from_data_x(epochs)  # show all epochs, even those with NaN
        for phase, height in BALANCE_LINES.items():
            if any(name.startswith(phase) for name in curves):
                ax.axhline(height, color="0.6", linestyle=":", linewidth=1.0, zorder=0)
        ax.set_yscale("log")
        ax.autoscale_view()
        ax.set(xlabel="epoch", ylabel="loss")
        ax.spines[["top", "right"]].set_visible(False)
        if curves:
            legend_beside(ax)
        mark_stages(ax, self.history.get(STAGE, ()))


def mark_stages(ax, stages):
    """Draw a vertical line where each stage after the first begins, with its name above."""
    names = []
    for epoch, (last, stage) in enumerate(itertools.pairwise(stages), start=1):
        if stage != last:
            place = epoch + 0.5  # after the last epoch of the stage that ends, counted from 1
            ax.axvline(place, color="0.8", linewidth=0.8, zorder=0)
            name = ax.annotate(
                stage,
                (place, 1.0),
                (0.0, 2.0),
                xycoords=ax.get_xaxis_transform(),
                textcoords="offset points",
                color="0.5",
                fontsize="x-small",
                annotation_clip=False,
            )
            names.append(name)
    if names:
        ax.figure.figure.draw_without_rendering()  # positions depend on the layout
        move_apart(names, ax.get_window_extent().x1)


def move_apart(names, right):
    """Move texts: to the left if they reach beyond `right`, and up if they overlap."""
    rows: list[list] = []
    for name in names:
        if name.get_window_extent().x1 > right:
            name.set_horizontalalignment("right")
        box = name.get_window_extent()
        fits = (all(not overlap(box, other) for other in row) for row in rows)
        row = next((index for index, free in enumerate(fits) if free), len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(box)
        name.xyann = (0.0, 2.0 + ROW * row)


def overlap(box, other, gap=4.0):
    """Return whether two boxes on one line are closer than `gap` pixels."""
    return box.x0 < other.x1 + gap and other.x0 < box.x1 + gap
