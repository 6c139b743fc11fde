"""LatentSpaceDisplay: codes of rows, drawn over samples of the prior."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaae.displays._colors import (
    ClassColors,
    ValueColors,
    labels_of_rows,
    marker_of,
    read_targets,
)
from skaae.displays._display import COLORS, Display

CONTOURS = (0.95, 0.5)  # proportion of the prior's samples inside each contour line


class LatentSpaceDisplay(Display):
    """Scatter plot of codes in two dimensions, coloured by class, over samples of the prior.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
        Codes to show as circles. Only the first two dimensions are shown.
    y : array-like of shape (n_samples,), default=None
        Class of each code, shown by its colour. Unlabeled codes are grey. If y contains numbers
        with fractions or more than 30 different numbers, it is shown with a colour bar.
    test_codes : ndarray of shape (n_test_samples, n_components), default=None
        Codes to show as crosses.
    y_test : array-like of shape (n_test_samples,), default=None
        Class of each test code.
    prior_samples : ndarray of shape (n_prior_samples, n_components), default=None
        Samples of the prior, shown in grey below the codes.
    prior : {"samples", "contour"}, default="samples"
        How the samples of the prior are shown: as points, or as contour lines around 50 % and 95 %
        of them.
    legend : bool, default=True
        Whether to draw the legend or colour bar.
    unlabeled_label : "auto", scalar or None, default="auto"
        The value of y that marks an unlabeled row, besides missing values. "auto" means -1, unless
        y contains only -1 and 1, or numbers with fractions. None means that only missing values
        mark unlabeled rows.

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
        """Encode rows and draw samples from the prior, and plot both.

        Parameters
        ----------
        estimator : fitted estimator of at least two components
        X : array-like of shape (n_samples, n_features)
            Rows whose codes are shown as circles, such as the training rows.
        y : array-like of shape (n_samples,), default=None
            Classes of the rows, or other values. Unlabeled rows are grey. These are rows whose y is
            missing or is the marker of the estimator's `unlabeled_label`.
        X_test : array-like of shape (n_test_samples, n_features), default=None
            Rows whose codes are shown as crosses.
        y_test : array-like of shape (n_test_samples,), default=None
            Classes of X_test.
        prior : {"samples", "contour"} or None, default="samples"
            How samples of the prior are shown: as points, as contour lines around 50 % and 95 % of
            them, or not at all.
        n_prior_samples : int, default=2000
            Number of samples of the prior. With 0 the prior is not shown.
        legend : bool, default=True
            Whether to draw the legend or colour bar.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.
        random_state : int, RandomState instance or None, default=0
        **style : further keyword arguments of `ax.scatter`, such as `alpha`

        Returns
        -------
        display : LatentSpaceDisplay

        Raises
        ------
        ValueError
            If codes have only one dimension, or the value of `prior` is not one of the above.
        """
        check_is_fitted(estimator)
        if prior not in ("samples", "contour", None):
            raise ValueError(f"prior={prior!r} must be 'samples', 'contour' or None.")
        codes = np.asarray(estimator.transform(X))
        if codes.shape[1] < 2:
            raise ValueError(
                f"LatentSpaceDisplay needs at least two components, but this "
                f"{type(estimator).__name__} has n_components={codes.shape[1]}; fit it with 2 or "
                "more."
            )
        samples = None
        if prior is not None and n_prior_samples:
            samples = estimator.sample_prior(n_prior_samples, random_state=random_state)
        test_codes = None if X_test is None else np.asarray(estimator.transform(X_test))
        n_test = 0 if test_codes is None else len(test_codes)
        display = cls(
            codes,
            None if y is None else labels_of_rows(y, len(codes)),
            test_codes=test_codes,
            y_test=None if y_test is None else labels_of_rows(y_test, n_test, "y_test"),
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
        """Draw codes coloured by their targets, grey where the target is NaN."""
        points, flat = codes[:, :2], colors.without_scale(style)
        if target is None:
            ax.scatter(*points.T, **{"color": COLORS[0], **flat})
            return
        grey = np.isnan(target)
        if grey.any():
            style_of_grey = {"color": "0.5", "label": colors.name_once("unlabeled"), **flat}
            ax.scatter(*points[grey].T, **style_of_grey)
        colors.scatter(ax, points[~grey], target[~grey], style)

    def _draw_prior(self, ax):
        points = self.prior_samples[:, :2]
        if self.prior != "contour":
            ax.scatter(*points.T, s=5, color="0.75", linewidths=0, label="prior")
            return
        from scipy.stats import gaussian_kde

        try:
            density = gaussian_kde(points.T, bw_method=0.15)
            levels = np.quantile(density(points.T), [1.0 - within for within in CONTOURS])
        except (ValueError, np.linalg.LinAlgError):  # too few points, or points on a line
            levels = np.zeros(2)
        if not (np.diff(levels) > 0.0).all():
            raise ValueError(
                f"prior='contour' needs more samples of the prior than {len(points)}, and samples "
                "that are not all on a line; raise n_prior_samples, or set prior='samples'."
            )
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.1 * (high - low)
        x, y = (np.linspace(a - m, b + m, 120) for a, b, m in zip(low, high, margin, strict=True))
        grid = np.stack(np.meshgrid(x, y))
        heights = density(grid.reshape(2, -1)).reshape(grid.shape[1:])
        ax.contour(x, y, heights, levels=levels, colors="0.55", linewidths=1.0)
        ax.plot([], [], color="0.55", linewidth=1.0, label="prior")
