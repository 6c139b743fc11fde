"""LabelBudgetDisplay: the score of held-out rows as a function of the number of labels."""

from __future__ import annotations

import numpy as np

from skaae.displays._display import COLORS, Display
from skaae.model_selection import label_budget_curve

CURVE = "label budget"  # the mark of our curves among all lines of the axes


class LabelBudgetDisplay(Display):
    """Curve of the score over the number of labels, with the other training rows unlabeled.

    The line is the mean over folds and repeats. The band around it is one standard deviation wide
    on each side. The axis of labels is logarithmic. Draw several displays on the same axes to
    compare estimators: each has its own colour.

    Parameters
    ----------
    n_labels : array-like of shape (n_budgets,)
        Numbers of labels, as from `label_budget_curve`.
    test_scores : array-like of shape (n_budgets, n_scores)
        Scores of held-out rows for each number of labels.
    per_class : bool, default=False
        Whether `n_labels` counts the labels of each class.
    score_name : str, default=None
        Name of the score, for the vertical axis. None is "score".
    name : str, default=None
        Name of the estimator, for the legend. None draws no legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    skaae.model_selection.label_budget_curve : Computes the scores.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.semi_supervised import LabelSpreading
    >>> from skaae import LabelBudgetDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> settings = dict(n_labels=[6, 12, 24], random_state=0)
    >>> display = LabelBudgetDisplay.from_estimator(LabelSpreading(), X, y, **settings)
    >>> nearest = KNeighborsClassifier(n_neighbors=1)
    >>> _ = LabelBudgetDisplay.from_estimator(
    ...     nearest, X, y, unlabeled="drop", ax=display.ax_, **settings
    ... )
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['LabelSpreading', 'KNeighborsClassifier']
    """

    def __init__(self, n_labels, test_scores, *, per_class=False, score_name=None, name=None):
        self.n_labels = n_labels
        self.test_scores = test_scores
        self.per_class = per_class
        self.score_name = score_name
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        n_labels=None,
        per_class=False,
        unlabeled="mark",
        cv=None,
        groups=None,
        scoring=None,
        n_repeats=1,
        random_state=None,
        n_jobs=None,
        unlabeled_label="auto",
        params=None,
        score_name=None,
        name=None,
        ax=None,
        **style,
    ):
        """Fit an estimator with more and more labels, and plot its scores.

        Parameters
        ----------
        estimator : estimator
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        n_labels, per_class, unlabeled, cv, groups, scoring, n_repeats : see `label_budget_curve`
        random_state, n_jobs, unlabeled_label, params : see `label_budget_curve`
        score_name : str, default=None
            Name of the score. None is the name that `scoring` gives, or "score".
        name : str, default=None
            Name of the estimator in the legend. None is the name of its class.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.
        **style : further keyword arguments of `ax.plot`, such as `color`

        Returns
        -------
        display : LabelBudgetDisplay
        """
        result = label_budget_curve(
            estimator,
            X,
            y,
            n_labels=n_labels,
            per_class=per_class,
            unlabeled=unlabeled,
            cv=cv,
            groups=groups,
            scoring=scoring,
            n_repeats=n_repeats,
            random_state=random_state,
            n_jobs=n_jobs,
            unlabeled_label=unlabeled_label,
            params=params,
        )
        if score_name is None and isinstance(scoring, str):
            score_name = scoring.replace("_", " ")
        if name is None:
            name = type(estimator).__name__
        display = cls(
            result.n_labels,
            result.test_scores,
            per_class=per_class,
            score_name=score_name,
            name=name,
        )
        return display.plot(ax, **style)

    def _size(self):
        return 6.0, 4.0

    def _draw(self, ax, style):
        n_labels, scores = np.asarray(self.n_labels), np.asarray(self.test_scores, float)
        if n_labels.ndim != 1 or scores.ndim != 2 or len(n_labels) != len(scores):
            raise ValueError(
                f"test_scores has shape {scores.shape} and n_labels has shape {n_labels.shape}; "
                "give a row of scores for each number of labels."
            )
        mean, deviation = scores.mean(axis=1), scores.std(axis=1)
        color = COLORS[len(curves(ax)) % len(COLORS)]
        settings = {"color": color, "marker": "o", "markersize": 4.0, "linewidth": 1.5}
        settings = {"label": self.name, **settings, **style, "gid": CURVE}
        (line,) = ax.plot(n_labels, mean, **settings)
        band = {"color": line.get_color(), "alpha": 0.15, "linewidth": 0.0}
        ax.fill_between(n_labels, mean - deviation, mean + deviation, **band)
        ax.set_xscale("log")
        show_numbers(ax)
        ax.set(
            xlabel="labels per class" if self.per_class else "labels",
            ylabel=self.score_name or "score",
        )
        ax.spines[["top", "right"]].set_visible(False)
        if ax.get_legend_handles_labels()[1]:
            ax.legend(loc="best", frameon=False)


def curves(ax):
    """Return the curves of such displays on the axes, and no other lines."""
    return [line for line in ax.lines if line.get_gid() == CURVE]


def show_numbers(ax):
    """Mark the numbers of labels of all curves on the horizontal axis, where there is room."""
    numbers = np.unique(np.concatenate([line.get_xdata() for line in curves(ax)]))
    span = np.log(numbers[-1] / numbers[0]) if len(numbers) > 1 else 1.0
    shown = [numbers[-1]]
    for number in numbers[-2::-1]:  # from the largest, which has the most digits
        if np.log(shown[-1] / number) > 0.06 * span:
            shown.append(number)
    ax.set_xticks(shown, [f"{number:g}" if number < 1e5 else f"{number:.0f}" for number in shown])
    ax.set_xticks([], minor=True)
