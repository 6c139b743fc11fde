"""Pictures of fitted estimators, in scikit-learn's Display form.

`from_estimator` computes what is shown, `plot` draws it; matplotlib is imported only there. Reads
estimators through their public methods alone.
"""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

__all__ = ["LatentSpaceDisplay", "ManifoldDisplay", "StyleDisplay"]

# Ten colours that stay apart for colour-blind readers, by Paul Tol's qualitative schemes.
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


class LatentSpaceDisplay:
    """Codes of rows in two dimensions, coloured by class, over draws from the prior.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
        Codes to draw; the first two dimensions are shown.
    y : ndarray of shape (n_samples,), default=None
        Classes, for the colours.
    prior_samples : ndarray of shape (n_draws, n_components), default=None
        Draws of the prior, shown in grey below the codes.
    classes : ndarray, default=None
        The classes in the legend; None takes those in y.

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

    def __init__(self, codes, y=None, prior_samples=None, classes=None):
        self.codes = codes
        self.y = y
        self.prior_samples = prior_samples
        self.classes = classes

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, n_prior_samples=2000, random_state=0, **plot):
        """Encode rows, draw from the prior and plot both.

        Parameters
        ----------
        estimator : fitted estimator of at least two components
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Classes of the rows.
        n_prior_samples : int, default=2000
            Draws of the prior shown below; 0 for none.
        random_state : int, RandomState instance or None, default=0
        **plot : passed to `plot`

        Returns
        -------
        display : LatentSpaceDisplay
        """
        check_is_fitted(estimator)
        codes = estimator.transform(X)
        codes = np.asarray(codes)
        if codes.shape[1] < 2:
            raise ValueError(
                f"LatentSpaceDisplay needs at least two components, and this "
                f"{type(estimator).__name__} has n_components={codes.shape[1]}."
            )
        prior = None
        if n_prior_samples:
            prior = estimator.sample_prior(n_prior_samples, random_state=random_state)
        display = cls(codes, None if y is None else np.asarray(y), prior)
        return display.plot(**plot)

    def plot(self, ax=None, *, legend=True, **scatter):
        """Draw the codes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        legend : bool, default=True
            Whether to name the classes beside the axes.
        **scatter : passed to `ax.scatter` for the codes

        Returns
        -------
        self
        """
        ax = new_axes((6.4, 5.2)) if ax is None else ax
        if self.prior_samples is not None:
            ax.scatter(*self.prior_samples[:, :2].T, s=5, color="0.75", linewidths=0, label="prior")
        style = {"s": 9, "alpha": 0.8, "linewidths": 0, **scatter}
        if self.y is None:
            ax.scatter(*self.codes[:, :2].T, **{"color": COLORS[0], **style})
        else:
            classes = np.unique(self.y) if self.classes is None else self.classes
            for index, label in enumerate(classes):
                rows = self.codes[self.y == label]
                color = COLORS[index % len(COLORS)]
                ax.scatter(*rows[:, :2].T, **{"color": color, "label": str(label), **style})
        if legend and (self.y is not None or self.prior_samples is not None):
            ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, markerscale=2.5)
        ax.set(xlabel="component 0", ylabel="component 1")
        ax.set_aspect("equal", adjustable="datalim")
        self.ax_, self.figure_ = ax, ax.figure
        return self


class ManifoldDisplay:
    """Decoded rows as small images on a grid walked through a two-dimensional code.

    Parameters
    ----------
    images : ndarray of shape (n_rows, n_columns, height, width)
        Decoded rows; the first row is the top of the picture.
    extent : tuple (left, right, bottom, top)
        The codes at the centres of the outermost images.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, images, extent):
        self.images = images
        self.extent = extent

    @classmethod
    def from_estimator(
        cls, estimator, *, image_shape=None, n_images=15, coverage=0.95, random_state=0, **plot
    ):
        """Decode a grid over the part of the plane where the prior's draws lie, and plot it.

        The grid's lines are quantiles of the prior in each direction: dense where its draws are.

        Parameters
        ----------
        estimator : fitted estimator with n_components=2 and `inverse_transform`
        image_shape : tuple (height, width), default=None
            Shape of a row as an image; None takes a square.
        n_images : int, default=15
            Images along each side.
        coverage : float in (0, 1), default=0.95
            Share of the prior between the outermost grid lines, in each direction.
        random_state : int, RandomState instance or None, default=0
        **plot : passed to `plot`

        Returns
        -------
        display : ManifoldDisplay
        """
        check_is_fitted(estimator)
        draws = estimator.sample_prior(20_000, random_state=random_state)
        if draws.shape[1] != 2:
            raise ValueError(
                f"ManifoldDisplay walks through two components, and this "
                f"{type(estimator).__name__} has n_components={draws.shape[1]}."
            )
        share = np.linspace(0.5 - coverage / 2, 0.5 + coverage / 2, n_images)
        columns, rows = np.quantile(draws[:, 0], share), np.quantile(draws[:, 1], share)
        grid = np.stack(np.meshgrid(columns, rows[::-1]), axis=-1).reshape(-1, 2)
        decoded = estimator.inverse_transform(grid)
        images = as_images(decoded, image_shape)
        images = images.reshape(n_images, n_images, *images.shape[1:])
        extent = (columns[0], columns[-1], rows[0], rows[-1])
        return cls(images, extent).plot(**plot)

    def plot(self, ax=None, **imshow):
        """Draw the grid.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **imshow : passed to `ax.imshow`

        Returns
        -------
        self
        """
        ax = new_axes((6.0, 6.0)) if ax is None else ax
        draw_tiles(ax, self.images, **imshow)
        left, right, bottom, top = self.extent
        ax.set(
            xlabel=f"component 0, from {left:.2g} to {right:.2g}",
            ylabel=f"component 1, from {bottom:.2g} to {top:.2g}",
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self


class StyleDisplay:
    """Decoded rows as images: a row of the picture shares a style, a column shares a class.

    Parameters
    ----------
    images : ndarray of shape (n_styles, n_classes, height, width)
    classes : ndarray of shape (n_classes,)

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, images, classes):
        self.images = images
        self.classes = classes

    @classmethod
    def from_estimator(
        cls, estimator, X=None, *, image_shape=None, n_styles=10, random_state=0, **plot
    ):
        """Decode every style with every class, and plot the images.

        Parameters
        ----------
        estimator : fitted estimator with `classes_` and `inverse_transform(Z, y)`
        X : array-like of shape (n_samples, n_features), default=None
            Rows that give the styles; None draws them from the prior.
        image_shape : tuple (height, width), default=None
            Shape of a row as an image; None takes a square.
        n_styles : int, default=10
            Number of styles drawn from the prior, or the most that are taken from X.
        random_state : int, RandomState instance or None, default=0
        **plot : passed to `plot`

        Returns
        -------
        display : StyleDisplay
        """
        check_is_fitted(estimator)
        if X is None:
            styles = estimator.sample_prior(n_styles, random_state=random_state)
        else:
            styles = np.asarray(estimator.transform(X))[:n_styles]
        classes = estimator.classes_
        decoded = estimator.inverse_transform(
            np.repeat(styles, len(classes), axis=0), np.tile(classes, len(styles))
        )
        images = as_images(decoded, image_shape)
        images = images.reshape(len(styles), len(classes), *images.shape[1:])
        return cls(images, classes).plot(**plot)

    def plot(self, ax=None, **imshow):
        """Draw the images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **imshow : passed to `ax.imshow`

        Returns
        -------
        self
        """
        n_styles, n_classes, _, width = self.images.shape
        if ax is None:
            ax = new_axes((0.55 * n_classes + 0.6, 0.55 * n_styles + 0.6))
        draw_tiles(ax, self.images, **imshow)
        centers = (width + GAP) * np.arange(n_classes) + (width - 1) / 2
        ax.set_xticks(centers, [str(label) for label in self.classes])
        ax.tick_params(length=0)
        ax.set(xlabel="class", ylabel="style")
        self.ax_, self.figure_ = ax, ax.figure
        return self


GAP = 1  # pixels between two images


def new_axes(size):
    """Return the axes of a new figure of `size` inches."""
    from matplotlib import pyplot

    _, ax = pyplot.subplots(figsize=size, layout="constrained")
    return ax


def as_images(X, image_shape=None):
    """Return rows (n, n_features) as images (n, height, width)."""
    X = np.asarray(X)
    if image_shape is None:
        side = round(np.sqrt(X.shape[1]))
        image_shape = (side, side)
    if np.prod(image_shape) != X.shape[1]:
        raise ValueError(
            f"rows of {X.shape[1]} features are not images of image_shape={tuple(image_shape)}; "
            "pass image_shape=(height, width) with height * width = n_features."
        )
    return X.reshape(-1, *image_shape)


def draw_tiles(ax, images, **imshow):
    """Draw images (rows, columns, height, width) as one picture with gaps and without ticks."""
    n_rows, n_columns, height, width = images.shape
    sheet = np.full((n_rows * (height + GAP) - GAP, n_columns * (width + GAP) - GAP), np.nan)
    for row in range(n_rows):
        for column in range(n_columns):
            top, left = row * (height + GAP), column * (width + GAP)
            sheet[top : top + height, left : left + width] = images[row, column]
    low, high = np.quantile(images, (0.001, 0.999))
    ax.imshow(
        sheet, **{"cmap": "gray_r", "vmin": low, "vmax": high, "interpolation": "nearest", **imshow}
    )
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
