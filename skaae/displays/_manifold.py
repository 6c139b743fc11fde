"""ManifoldDisplay: decoded images along a walk through the prior."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaae.displays._tiles import Tiles, as_images


class ManifoldDisplay(Tiles):
    """Decoded rows as small images along a walk through the prior (section 2 of the paper).

    By default the walk is a grid over the two dimensions of the code. For a prior of components
    (petals, the swiss roll, a mixture) each row of the picture can walk along one component.

    Parameters
    ----------
    images : ndarray of shape (n_rows, n_columns, height, width[, channels])
        Decoded rows; the first row is the top of the picture.
    codes : ndarray of shape (n_rows, n_columns, 2)
        The codes that the images were decoded from.
    by_component : bool, default=False
        Whether each row of the picture is a component of the prior.

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

    def __init__(self, images, codes, by_component=False):
        super().__init__(images)
        self.codes = codes
        self.by_component = by_component
        if by_component:
            self._labels = ("along each component", "component of the prior")
            self._row_names = [str(component) for component in range(len(images))]
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
        """Decode codes along a walk through the prior, and plot them.

        The lines of a grid are quantiles of the prior in each dimension, so they are dense where
        its samples are. The steps along a component are quantiles along its longest direction.

        Parameters
        ----------
        estimator : fitted estimator with n_components=2 and `inverse_transform`
        n_prior_components : int, default=None
            Number of components of the prior to walk along, each in a row of the picture. None or
            0 walks over a grid. Needs an `AAETransformer`, whose `sample_prior` takes a component.
        image_shape : tuple (height, width) or (height, width, 3), default=None
            Shape of a row as an image; None takes a square.
        n_images : int, default=15
            Images along each side of a grid, or along each component.
        coverage : float in (0, 1), default=0.95
            Proportion of the prior between the outermost lines of a grid, in each dimension.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        random_state : int, RandomState instance or None, default=0
        **style : passed to `ax.imshow`

        Returns
        -------
        display : ManifoldDisplay

        Raises
        ------
        ValueError
            If the code does not have two dimensions, the prior has fewer components, or rows are
            no images of image_shape.
        """
        check_is_fitted(estimator)
        if n_prior_components:
            walks = [
                walk_along(estimator.sample_prior(5000, y, random_state=random_state), n_images)
                for y in component_names(estimator, n_prior_components)
            ]
            codes = np.stack(walks)
        else:
            samples = estimator.sample_prior(20_000, random_state=random_state)
            if samples.shape[1] != 2:
                raise ValueError(
                    f"ManifoldDisplay walks through two components, and this "
                    f"{type(estimator).__name__} has n_components={samples.shape[1]}."
                )
            share = np.linspace(0.5 - coverage / 2, 0.5 + coverage / 2, n_images)
            columns, rows = np.quantile(samples[:, 0], share), np.quantile(samples[:, 1], share)
            codes = np.stack(np.meshgrid(columns, rows[::-1]), axis=-1)
        decoded = estimator.inverse_transform(codes.reshape(-1, codes.shape[2]))
        images = as_images(decoded, image_shape)
        images = images.reshape(*codes.shape[:2], *images.shape[1:])
        return cls(images, codes, bool(n_prior_components)).plot(ax, **style)


def walk_along(points, n_steps):
    """Return n_steps codes (n_steps, d) in order along the longest direction of points (n, d).

    Each is the mean of the points between two quantiles, so that the walk follows a bent cloud of
    points.
    """
    centered = points - points.mean(axis=0)
    direction = np.linalg.svd(centered, full_matrices=False)[2][0]
    order = np.argsort(centered @ direction)
    return np.stack([points[rows].mean(axis=0) for rows in np.array_split(order, n_steps)])


def component_names(estimator, n_prior_components):
    """Return `sample_prior`'s names of the prior's components: classes, or else indices."""
    classes = getattr(estimator, "classes_", ())
    return classes if len(classes) == n_prior_components else range(n_prior_components)
