"""Displays of rows as small images: manifold, styles, reconstructions, cluster heads."""

from __future__ import annotations

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from skaae.displays._display import Display
from skaae.estimators.labels import as_label_array

GAP = 1  # pixels between two images
TILE = 0.55  # inches of an image in a new figure


class Tiles(Display):
    """Base of displays that show images in rows and columns.

    Parameters
    ----------
    images : ndarray of shape (n_rows, n_columns, height, width[, channels])
    """

    # Names of the axes, and of rows and columns if they have names.
    _labels = ("", "")
    _column_names: list[str] | None = None
    _row_names: list[str] | None = None

    def __init__(self, images):
        self.images = images

    def _size(self):
        n_rows, n_columns, height, width = self.images.shape[:4]
        scale = TILE / max(height, width)
        return n_columns * width * scale + 0.7, n_rows * height * scale + 0.7

    def _draw(self, ax, style):
        n_rows, n_columns, height, width = self.images.shape[:4]
        draw_tiles(ax, self.images, **style)
        ax.set(xlabel=self._labels[0], ylabel=self._labels[1])
        if self._column_names is not None:
            ax.set_xticks(centers(n_columns, width), self._column_names)
        if self._row_names is not None:
            ax.set_yticks(centers(n_rows, height), self._row_names)
        ax.tick_params(length=0)


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
            Where the code does not have two dimensions, the prior has fewer components, or rows are
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


class StyleDisplay(Tiles):
    """Decoded rows as images, as in section 4 of the paper.

    Images in a row of the picture have the same style, images in a column the same class.

    Parameters
    ----------
    images : ndarray of shape (n_styles, n_classes, height, width[, channels])
        Decoded rows.
    classes : ndarray of shape (n_classes,)
        The class, or index of the cluster, of each column.
    originals : ndarray of shape (n_styles, height, width[, channels]), default=None
        The rows that the styles were taken from, shown in a first column.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skaae import StyleDisplay, SupervisedAAETransformer
    >>> X, y = load_digits(return_X_y=True)
    >>> aae = SupervisedAAETransformer(max_iter=2, random_state=0).fit(X, y)
    >>> StyleDisplay.from_estimator(aae, n_styles=3).images.shape
    (3, 10, 8, 8)
    """

    _labels = ("class", "style")

    def __init__(self, images, classes, originals=None):
        names = [str(label) for label in classes]
        if originals is not None:
            images = np.concatenate([originals[:, None], images], axis=1)
            names = ["row", *names]
        super().__init__(images)
        self.classes = classes
        self.originals = originals
        self._column_names = names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        image_shape=None,
        n_styles=10,
        ax=None,
        random_state=0,
        **style,
    ):
        """Decode every style with every class, and plot the images.

        Parameters
        ----------
        estimator : fitted estimator with `inverse_transform(Z, y)` and classes or clusters
        X : array-like of shape (n_samples, n_features), default=None
            Rows whose styles are shown; they are in the first column. None draws styles from the
            prior.
        image_shape : tuple (height, width) or (height, width, 3), default=None
            Shape of a row as an image; None takes a square.
        n_styles : int, default=10
            Number of styles to draw from the prior, or the largest number to take from X.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        random_state : int, RandomState instance or None, default=0
        **style : passed to `ax.imshow`

        Returns
        -------
        display : StyleDisplay
        """
        check_is_fitted(estimator)
        originals = None
        if X is None:
            styles = estimator.sample_prior(n_styles, random_state=random_state)
        else:
            rows = _safe_indexing(X, slice(0, n_styles))
            styles = np.asarray(estimator.transform(rows))
            originals = as_images(np.asarray(rows), image_shape)
        classes = getattr(estimator, "classes_", None)
        if classes is None:
            classes = np.arange(estimator.n_clusters_)
        decoded = estimator.inverse_transform(
            np.repeat(styles, len(classes), axis=0), np.tile(classes, len(styles))
        )
        images = as_images(decoded, image_shape)
        images = images.reshape(len(styles), len(classes), *images.shape[1:])
        return cls(images, classes, originals).plot(ax, **style)


class ReconstructionDisplay(Tiles):
    """Rows as images above their reconstructions.

    Parameters
    ----------
    originals, reconstructions : ndarray of shape (n_samples, height, width[, channels])

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skaae import AAETransformer, ReconstructionDisplay
    >>> X = load_digits().data
    >>> aae = AAETransformer(max_iter=5, random_state=0).fit(X)
    >>> ReconstructionDisplay.from_estimator(aae, X, n_images=6).reconstructions.shape
    (6, 8, 8)
    """

    def __init__(self, originals, reconstructions):
        super().__init__(np.stack([originals, reconstructions]))
        self.originals = originals
        self.reconstructions = reconstructions
        self._row_names = ["row", "reconstruction"]

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, image_shape=None, n_images=12, ax=None, **style
    ):
        """Reconstruct rows and plot both.

        Parameters
        ----------
        estimator : fitted estimator with `reconstruct`
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Classes, for estimators whose `reconstruct` needs them.
        image_shape : tuple (height, width) or (height, width, 3), default=None
            Shape of a row as an image; None takes a square.
        n_images : int, default=12
            Largest number of rows to show; the first rows of X are taken.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **style : passed to `ax.imshow`

        Returns
        -------
        display : ReconstructionDisplay
        """
        check_is_fitted(estimator)
        rows = _safe_indexing(X, slice(0, n_images))
        known = [] if y is None else [as_label_array(y)[:n_images]]
        found = estimator.reconstruct(rows, *known)
        images = (as_images(np.asarray(table), image_shape) for table in (rows, found))
        return cls(*images).plot(ax, **style)


class ClusterHeadsDisplay(Tiles):
    """The decoded head of each cluster, and rows of the cluster (section 6 of the paper).

    Parameters
    ----------
    images : ndarray of shape (n_clusters, 1 + n_members, height, width[, channels])
        Heads in the first column, rows of their clusters beside them. NaN where a cluster has fewer
        rows.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skaae import AAEClusterer, ClusterHeadsDisplay
    >>> X = load_digits().data
    >>> clusterer = AAEClusterer(n_clusters=10, max_iter=5, random_state=0).fit(X)
    >>> display = ClusterHeadsDisplay.from_estimator(clusterer, X, n_members=5)
    >>> display.images.shape[1:]
    (6, 8, 8)
    """

    def __init__(self, images):
        super().__init__(images)
        self._labels = ("", "cluster")
        self._row_names = [str(cluster) for cluster in range(len(images))]
        n_members = images.shape[1] - 1
        middle = ["members" if column == n_members // 2 else "" for column in range(n_members)]
        self._column_names = ["head", *middle]

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        image_shape=None,
        n_members=10,
        ax=None,
        random_state=0,
        **style,
    ):
        """Plot the decoded head of each cluster, and beside it rows of X in the cluster.

        Parameters
        ----------
        estimator : fitted estimator with `cluster_heads_`
            An `AAEClusterer` or an `AAEEmbedding`.
        X : array-like of shape (n_samples, n_features), default=None
            The training rows, in the order of `labels_`; None shows the heads only.
        image_shape : tuple (height, width) or (height, width, 3), default=None
            Shape of a row as an image; None takes a square.
        n_members : int, default=10
            Number of rows of each cluster, drawn at random.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        random_state : int or None, default=0
        **style : passed to `ax.imshow`

        Returns
        -------
        display : ClusterHeadsDisplay

        Raises
        ------
        ValueError
            Where X has another number of rows than `labels_`.
        """
        check_is_fitted(estimator)
        heads = estimator.cluster_heads_
        if heads.shape[1] != estimator.n_features_in_:  # places on a map
            heads = estimator.inverse_transform(heads)
        images = as_images(heads, image_shape)[:, None]
        if X is None:
            return cls(images).plot(ax, **style)
        rows = as_images(X, image_shape)
        if len(rows) != len(estimator.labels_):
            raise ValueError(
                f"X has {len(rows)} rows, but the estimator was fitted on "
                f"{len(estimator.labels_)}; pass the training rows."
            )
        members = np.full((len(images), n_members, *rows.shape[1:]), np.nan)
        rng = np.random.default_rng(random_state)
        for cluster in range(len(images)):
            own = rng.permutation(np.flatnonzero(estimator.labels_ == cluster))[:n_members]
            members[cluster, : len(own)] = rows[own]
        return cls(np.concatenate([images, members], axis=1)).plot(ax, **style)


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


def as_images(X, image_shape=None):
    """Return rows (n, n_features) as images (n, height, width[, channels])."""
    X = np.asarray(X)
    if image_shape is None:
        side = round(np.sqrt(X.shape[1]))
        image_shape = (side, side)
    if np.prod(image_shape) != X.shape[1]:
        raise ValueError(
            f"rows of {X.shape[1]} features are not images of image_shape={tuple(image_shape)}; "
            "pass image_shape=(height, width) with height * width = n_features."
        )
    if tuple(image_shape[2:]) == (1,):
        image_shape = image_shape[:2]
    return X.reshape(-1, *image_shape)


def centers(n, size):
    """Return the middle of each of n tiles, in pixels."""
    return (size + GAP) * np.arange(n) + (size - 1) / 2


def draw_tiles(ax, images, **imshow):
    """Draw images (rows, columns, height, width[, channels]) as one picture without ticks."""
    n_rows, n_columns, height, width, *channels = images.shape
    low, high = np.nanquantile(images, (0.001, 0.999))
    if channels:  # colours need values in [0, 1], and white for gaps
        images = np.nan_to_num(((images - low) / (high - low or 1.0)).clip(0.0, 1.0), nan=1.0)
    sheet = np.full(
        (n_rows * (height + GAP) - GAP, n_columns * (width + GAP) - GAP, *channels),
        1.0 if channels else np.nan,
    )
    for row in range(n_rows):
        for column in range(n_columns):
            top, left = row * (height + GAP), column * (width + GAP)
            sheet[top : top + height, left : left + width] = images[row, column]
    settings = {"cmap": "gray_r", "vmin": low, "vmax": high, "interpolation": "nearest"}
    ax.imshow(sheet, **{**settings, **imshow})
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
