"""TrainingCurvesDisplay: the losses of an estimator over its epochs."""

from __future__ import annotations

import math

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaae.displays._display import COLORS, Display, legend_beside

# What the losses of an adversarial pair are where the discriminator cannot tell codes from draws.
DRAW_LINES = {"discriminator": 2.0 * math.log(2.0), "generator": math.log(2.0)}


class TrainingCurvesDisplay(Display):
    """Every loss over the epochs of training, on a logarithmic scale.

    Dotted lines show where the losses of discriminator (2 log 2) and generator (log 2) are when
    codes cannot be told from the prior: that is where training wants to go.

    Parameters
    ----------
    history : dict of str to sequence of float
        Losses by name, as in `history_`.

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
        names : sequence of str, default=None
            The losses to show; None shows all.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **style : passed to `ax.plot`

        Returns
        -------
        display : TrainingCurvesDisplay
        """
        check_is_fitted(estimator)
        history = estimator.history_
        unknown = [] if names is None else [name for name in names if name not in history]
        if unknown:
            raise ValueError(f"names holds {unknown[0]!r}; the losses are {list(history)}.")
        return cls({name: history[name] for name in names or history}).plot(ax, **style)

    def _size(self):
        return 7.0, 4.0

    def _draw(self, ax, style):
        for index, (name, values) in enumerate(self.history.items()):
            values = np.asarray(values, float)
            shown = np.where(values > 0.0, values, np.nan)
            color = COLORS[index % len(COLORS)]
            label = name.replace("_", " of ", 1) if "or_" in name else name.replace("_", " ")
            epochs = np.arange(1, len(values) + 1)
            ax.plot(epochs, shown, **{"color": color, "label": label, "linewidth": 1.5, **style})
        for phase, height in DRAW_LINES.items():
            if any(name.startswith(phase) for name in self.history):
                ax.axhline(height, color="0.6", linestyle=":", linewidth=1.0, zorder=0)
        ax.set_yscale("log")
        ax.set(xlabel="epoch", ylabel="loss")
        ax.spines[["top", "right"]].set_visible(False)
        legend_beside(ax)
