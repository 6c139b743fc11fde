"""LatentSpaceDisplay: codes of rows over their prior."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaae.displays._colors import ClassColors, ValueColors, marker_of, read_targets, unused_name
from skaae.displays._display import COLORS, Display
from skaae.estimators.labels import as_label_array

CONTOURS = (0.95, 0.5)  # proportion of the prior's samples within each line


class LatentSpaceDisplay(Display):
    """Codes of rows in two dimensions, coloured by class, over the prior.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
        Codes to show as circles. Only the first two dimensions are shown.
    y : array-like of shape (n_samples,), default=None
        Classes, which decide the colours; rows without a class are grey. Numbers with fractions,
        and more than 30 different numbers, get a colour map and a colour bar.
    test_codes : ndarray of shape (n_test_samples, n_components), default=None
        Codes to show as crosses.
    y_test : array-like of shape (n_test_samples,), default=None
        Their classes.
    prior_samples : ndarray of shape (n_prior_samples, n_components), default=None
        Samples of the prior, shown in grey below the codes.
    prior : {"samples", "contour"}, default="samples"
        Whether samples of the prior are shown as points, or as lines around 50 % and 95 % of them.
    legend : bool, default=True
        Whether to explain the colours beside the axes.
    unlabeled_label : "auto", scalar or None, default="auto"
        What marks a row without a class, besides missing values. "auto" takes -1, unless y holds
        only -1 and 1, or has fractions. None takes no other value.

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
        unlabeled_label="auto",
    ):
        self.codes = codes
        self.y = y
        self.test_codes = test_codes
        self.y_test = y_test
        self.prior_samples = prior_samples
        self.prior = prior
        self.legend = legend
        self.unlabeled_label = unlabeled_label

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
            Classes of the rows, or other values. Rows without a class are grey: their y is missing,
            or is the marker of the estimator's `unlabeled_label`.
        X_test : array-like of shape (n_test_samples, n_features), default=None
            Rows shown as crosses.
        y_test : array-like of shape (n_test_samples,), default=None
            Their classes.
        prior : {"samples", "contour"} or None, default="samples"
            How the prior is shown below the codes.
        n_prior_samples : int, default=2000
            Number of samples of the prior; 0 shows none.
        legend : bool, default=True
            Whether to explain the colours beside the axes.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        random_state : int, RandomState instance or None, default=0
        **style : passed to `ax.scatter`

        Returns
        -------
        display : LatentSpaceDisplay

        Raises
        ------
        ValueError
            If the code has one dimension only, or `prior` is none of the values above.
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
        samples = None
        if prior is not None and n_prior_samples:
            samples = estimator.sample_prior(n_prior_samples, random_state=random_state)
        display = cls(
            codes,
            None if y is None else as_label_array(y),
            test_codes=None if X_test is None else np.asarray(estimator.transform(X_test)),
            y_test=None if y_test is None else as_label_array(y_test),
            prior_samples=samples,
            prior=prior,
            legend=legend,
            unlabeled_label=marker_of(estimator),
        )
        return display.plot(ax, **style)

    def _size(self):
        return 6.4, 5.2

    def _draw(self, ax, style):
        if self.prior_samples is not None:
            self._draw_prior(ax)
        circles = {"s": 9, "alpha": 0.8, "linewidths": 0, **style}
        crosses = {"s": 18, "marker": "x", "linewidths": 0.9, **style}
        classes, (target, target_test) = read_targets((self.y, self.y_test), self.unlabeled_label)
        colors = ValueColors(target, target_test) if classes is None else ClassColors(classes)
        self._draw_codes(ax, self.codes, target, colors, circles)
        if self.test_codes is not None:
            self._draw_codes(ax, self.test_codes, target_test, colors, crosses)
        if self.legend:
            colors.explain(ax)
        ax.set(xlabel="component 0", ylabel="component 1")
        ax.set_aspect("equal", adjustable="datalim")

    def _draw_codes(self, ax, codes, target, colors, style):
        """Scatter codes coloured by their targets, grey where that is NaN."""
        points, flat = codes[:, :2], colors.without_scale(style)
        if target is None:
            ax.scatter(*points.T, **{"color": COLORS[0], **flat})
            return
        grey = np.isnan(target)
        if grey.any():
            name = unused_name(ax, "unlabeled")
            ax.scatter(*points[grey].T, **{"color": "0.5", "label": name, **flat})
        colors.scatter(ax, points[~grey], target[~grey], style)

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
        levels = np.quantile(density(points.T), [1.0 - within for within in CONTOURS])
        ax.contour(x, y, heights, levels=levels, colors="0.55", linewidths=1.0)
        ax.plot([], [], color="0.55", linewidth=1.0, label="prior")
