"""ManifoldDisplay: images decoded from a grid of codes in the prior's region."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaae.displays._tiles import Tiles, as_images, image_shape_of


class ManifoldDisplay(Tiles):
    """Images decoded from a grid of codes, to show the learned manifold (section 2 of the paper).

    By default the grid covers the two dimensions of the code. If the prior has components
    ("petals", "swiss_roll", GaussianMixture), each row can instead follow one component.

    Parameters
    ----------
    images : ndarray of shape (n_rows, n_columns, height, width[, channels])
        The decoded images. The first row is at the top of the display.
    codes : ndarray of shape (n_rows, n_columns, 2)
        The codes that the images were decoded from.
    component_names : sequence of n_rows labels, default=None
        Names of the components of the prior, if each row of the display follows one of them.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skaae import AAETransformer, ManifoldDisplay
    >>> aae = AAETransformer(max_iter=5, random_state=0).fit(load_digits().data)
    >>> ManifoldDisplay.from_estimator(aae, n_images=4).images.shape
    (4, 4, 8, 8)
    """

    def __init__(self, images, codes, component_names=None):
        super().__init__(images)
        self.codes = codes
        self.component_names = component_names
        if component_names is not None:
            self._labels = ("along each component", "component of the prior")
            self._row_names = [str(name) for name in component_names]
        else:
            left, right = codes[0, [0, -1], 0]
            bottom, top = codes[[-1, 0], 0, 1]
            self._labels = (
                f"component 0, from {left:.2g} to {right:.2g}",
                f"component 1, from {bottom:.2g} to {top:.2g}",
            )

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        n_prior_components=None,
        image_shape=None,
        n_images=15,
        coverage=0.95,
        ax=None,
        random_state=0,
        **style,
    ):
        """Decode codes on a grid or along components of the prior, and plot the images.

        The coordinates of a grid are quantiles of the prior in each dimension, so more of them lie
        where the prior is dense. A component is sampled and the samples are ordered along the
        direction of their largest variance. Each code is the mean of one of n_images equal parts.

        Parameters
        ----------
        estimator : fitted estimator with n_components=2 and `inverse_transform`
        n_prior_components : int, default=None
            Number of components of the prior to show, each in one row of the display. None or 0
            shows a grid. Components need an `AAETransformer`, whose `sample_prior` accepts one.
        image_shape : tuple (height, width) or (height, width, 3), default=None
            Shape of a decoded row as an image. None means that of the estimator's
            convolutions if it has some, else a square image of one channel.
        n_images : int, default=15
            Number of images along each side of the grid, or along each component.
        coverage : float in (0, 1), default=0.95
            Proportion of the prior that the grid covers in each dimension.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.
        random_state : int, RandomState instance or None, default=0
        **style : further keyword arguments of `ax.imshow`, such as `alpha`

        Returns
        -------
        display : ManifoldDisplay

        Raises
        ------
        ValueError
            If the code does not have two dimensions, the prior has fewer than n_prior_components
            components, or decoded rows do not fit image_shape.
        """
        check_is_fitted(estimator)
        image_shape = image_shape_of(estimator, image_shape)
        names = None
        if n_prior_components:
            names = component_names(estimator, n_prior_components)
            walks = [
                walk_along(estimator.sample_prior(5000, y, random_state=random_state), n_images)
                for y in names
            ]
            codes = np.stack(walks)
        else:
            samples = estimator.sample_prior(20_000, random_state=random_state)
            if samples.shape[1] != 2:
                raise ValueError(
                    f"ManifoldDisplay shows codes of two components, but this "
                    f"{type(estimator).__name__} has n_components={samples.shape[1]}; fit it with "
                    "n_components=2."
                )
            share = np.linspace(0.5 - coverage / 2, 0.5 + coverage / 2, n_images)
            columns, rows = np.quantile(samples[:, 0], share), np.quantile(samples[:, 1], share)
            codes = np.stack(np.meshgrid(columns, rows[::-1]), axis=-1)
        decoded = estimator.inverse_transform(codes.reshape(-1, codes.shape[2]))
        images = as_images(decoded, image_shape)
        images = images.reshape(*codes.shape[:2], *images.shape[1:])
        return cls(images, codes, names).plot(ax, **style)


def walk_along(points, n_steps):
    """Return n_steps codes (n_steps, d) along the direction of largest variance of points (n, d).

    Each code is the mean of the points between two quantiles, so that the codes also follow a
    curved cloud of points.
    """
    centered = points - points.mean(axis=0)
    direction = np.linalg.svd(centered, full_matrices=False)[2][0]
    order = np.argsort(centered @ direction)
    return np.stack([points[rows].mean(axis=0) for rows in np.array_split(order, n_steps)])


def component_names(estimator, n_prior_components):
    """Return the components of the prior as `sample_prior` accepts them: classes or indices."""
    classes = getattr(estimator, "classes_", ())
    return classes if len(classes) == n_prior_components else range(n_prior_components)
