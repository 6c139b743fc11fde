"""LatentSpaceDisplay: codes of rows over their prior."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaae.displays._display import COLORS, Display, legend_beside
from skaae.estimators.labels import find_missing

CONTOUR_SHARES = (0.95, 0.5)  # of the prior's draws within each line


class LatentSpaceDisplay(Display):
    """Codes of rows in two dimensions, coloured by class, over the prior.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
        Codes to draw as circles; the first two dimensions are shown.
    y : ndarray of shape (n_samples,), default=None
        Classes, for the colours.
    test_codes : ndarray of shape (n_test_samples, n_components), default=None
        Codes to draw as crosses.
    y_test : ndarray of shape (n_test_samples,), default=None
        Their classes.
    prior_samples : ndarray of shape (n_draws, n_components), default=None
        Draws of the prior, shown in grey below the codes.
    prior : {"samples", "contour"}, default="samples"
        Whether the draws are shown as points, or as lines around 50 % and 95 % of them.
    legend : bool, default=True
        Whether to name the classes beside the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skaae import AAETransformer, LatentSpaceDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> aae = AAETransformer(max_iter=20, random_state=0).fit(X)
    >>> display = LatentSpaceDisplay.from_estimator(aae, X, y)
    >>> display.codes.shape
    (150, 2)
    """

    def __init__(
        self,
        codes,
        y=None,
        *,
        test_codes=None,
        y_test=None,
        prior_samples=None,
        prior="samples",
        legend=True,
    ):
        self.codes = codes
        self.y = y
        self.test_codes = test_codes
        self.y_test = y_test
        self.prior_samples = prior_samples
        self.prior = prior
        self.legend = legend

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        X_test=None,
        y_test=None,
        prior="samples",
        n_prior_samples=2000,
        legend=True,
        ax=None,
        random_state=0,
        **style,
    ):
        """Encode rows, draw from the prior and plot both.

        Parameters
        ----------
        estimator : fitted estimator of at least two components
        X : array-like of shape (n_samples, n_features)
            Rows shown as circles, such as the training rows.
        y : array-like of shape (n_samples,), default=None
            Classes of the rows; those without one (None, NaN) are grey.
        X_test : array-like of shape (n_test_samples, n_features), default=None
            Rows shown as crosses.
        y_test : array-like of shape (n_test_samples,), default=None
            Their classes.
        prior : {"samples", "contour"} or None, default="samples"
            How the prior is shown below the codes.
        n_prior_samples : int, default=2000
            Draws of the prior; 0 for none.
        legend : bool, default=True
            Whether to name the classes beside the axes.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        random_state : int, RandomState instance or None, default=0
        **style : passed to `ax.scatter`

        Returns
        -------
        display : LatentSpaceDisplay
        """
        check_is_fitted(estimator)
        if prior not in ("samples", "contour", None):
            raise ValueError(f"prior={prior!r} must be 'samples', 'contour' or None.")
        codes = np.asarray(estimator.transform(X))
        if codes.shape[1] < 2:
            raise ValueError(
                f"LatentSpaceDisplay needs at least two components, and this "
                f"{type(estimator).__name__} has n_components={codes.shape[1]}."
            )
        draws = None
        if prior is not None and n_prior_samples:
            draws = estimator.sample_prior(n_prior_samples, random_state=random_state)
        display = cls(
            codes,
            None if y is None else np.asarray(y),
            test_codes=None if X_test is None else np.asarray(estimator.transform(X_test)),
            y_test=None if y_test is None else np.asarray(y_test),
            prior_samples=draws,
            prior=prior,
            legend=legend,
        )
        return display.plot(ax, **style)

    def _size(self):
        return 6.4, 5.2

    def _draw(self, ax, style):
        if self.prior_samples is not None:
            self._draw_prior(ax)
        circles = {"s": 9, "alpha": 0.8, "linewidths": 0, **style}
        crosses = {"s": 18, "marker": "x", "linewidths": 0.9, **style}
        known = [y[~find_missing(y)] for y in (self.y, self.y_test) if y is not None]
        classes = np.unique(np.concatenate(known)) if known else None
        self._draw_codes(ax, self.codes, self.y, classes, circles)
        if self.test_codes is not None:
            self._draw_codes(ax, self.test_codes, self.y_test, classes, crosses)
        _, labels = ax.get_legend_handles_labels()
        if self.legend and labels:
            legend_beside(ax, markerscale=2.0)
        ax.set(xlabel="component 0", ylabel="component 1")
        ax.set_aspect("equal", adjustable="datalim")

    def _draw_codes(self, ax, codes, y, classes, style):
        """Scatter codes, each class in its colour; a class is named once."""
        if y is None:
            ax.scatter(*codes[:, :2].T, **{"color": COLORS[0], **style})
            return
        _, named = ax.get_legend_handles_labels()
        unlabeled = codes[find_missing(y)]
        if len(unlabeled):
            name = "_" if "unlabeled" in named else "unlabeled"
            ax.scatter(*unlabeled[:, :2].T, **{"color": "0.5", "label": name, **style})
        for index, label in enumerate(classes):
            rows = codes[y == label]
            if len(rows) == 0:
                continue
            name = "_" if str(label) in named else str(label)
            color = COLORS[index % len(COLORS)]
            ax.scatter(*rows[:, :2].T, **{"color": color, "label": name, **style})

    def _draw_prior(self, ax):
        points = self.prior_samples[:, :2]
        if self.prior != "contour":
            ax.scatter(*points.T, s=5, color="0.75", linewidths=0, label="prior")
            return
        from scipy.stats import gaussian_kde

        density = gaussian_kde(points.T, bw_method=0.15)
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.1 * (high - low)
        x, y = (np.linspace(a - m, b + m, 120) for a, b, m in zip(low, high, margin, strict=True))
        grid = np.stack(np.meshgrid(x, y))
        heights = density(grid.reshape(2, -1)).reshape(grid.shape[1:])
        levels = np.quantile(density(points.T), [1.0 - share for share in CONTOUR_SHARES])
        ax.contour(x, y, heights, levels=levels, colors="0.55", linewidths=1.0)
        ax.plot([], [], color="0.55", linewidth=1.0, label="prior")
