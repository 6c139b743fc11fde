"""Displays of rows as small images: styles, reconstructions and cluster heads."""

from __future__ import annotations

import inspect

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaae.displays._tiles import Tiles, as_images, first_rows, image_shape_of
from skaae.unlabeled import as_label_array


class StyleDisplay(Tiles):
    """Decoded styles and classes as a grid of images (section 4 of the paper).

    All images in one row of the grid have the same style. All images in one column have the same
    class.

    Parameters
    ----------
    images : ndarray of shape (n_styles, n_classes, height, width[, channels])
        The decoded images.
    classes : ndarray of shape (n_classes,)
        The class, or the index of the cluster, of each column.
    originals : ndarray of shape (n_styles, height, width[, channels]), default=None
        The images that the styles were taken from. They are shown in the first column.

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
            Rows whose styles are used. They are shown in the first column. None draws styles from
            the prior.
        image_shape : tuple (height, width) or (height, width, 3), default=None
            Shape of the image in each row of X. None means that of the estimator's
            convolutions if it has some, else a square image of one channel.
        n_styles : int, default=10
            Number of styles to draw from the prior. With X, the largest number of rows to use.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.
        random_state : int, RandomState instance or None, default=0
        **style : further keyword arguments of `ax.imshow`, such as `alpha`

        Returns
        -------
        display : StyleDisplay
        """
        check_is_fitted(estimator)
        if "y" not in inspect.signature(estimator.inverse_transform).parameters:
            raise ValueError(
                f"{type(estimator).__name__} decodes codes without a class, and StyleDisplay shows "
                "one style in each class; use SemiSupervisedAAEClassifier, "
                "SupervisedAAETransformer or AAEClusterer, or ManifoldDisplay for this model."
            )
        image_shape = image_shape_of(estimator, image_shape)
        originals = None
        if X is None:
            styles = estimator.sample_prior(n_styles, random_state=random_state)
        else:
            rows = first_rows(X, n_styles)
            styles = np.asarray(estimator.transform(rows))
            originals = as_images(rows, image_shape)
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
    """Images and their reconstructions: the images in the first row, reconstructions below them.

    Parameters
    ----------
    originals, reconstructions : ndarray of shape (n_samples, height, width[, channels])
        The images, and the reconstruction of each.

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
        """Reconstruct rows, and plot rows and reconstructions as images.

        Parameters
        ----------
        estimator : fitted estimator with `reconstruct`
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Classes of the rows, for estimators whose `reconstruct` needs them. Others ignore them.
        image_shape : tuple (height, width) or (height, width, 3), default=None
            Shape of the image in each row of X. None means that of the estimator's
            convolutions if it has some, else a square image of one channel.
        n_images : int, default=12
            Largest number of images to show. They are the first rows of X.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.
        **style : further keyword arguments of `ax.imshow`, such as `alpha`

        Returns
        -------
        display : ReconstructionDisplay

        Raises
        ------
        ValueError
            If y is None, but `reconstruct` needs the classes, as that of `SupervisedAAETransformer`
            does.
        """
        check_is_fitted(estimator)
        image_shape = image_shape_of(estimator, image_shape)
        rows = first_rows(X, n_images)
        if y is None and needs_classes(estimator):
            raise ValueError(
                f"{type(estimator).__name__} reconstructs a row from its class too, and y is None; "
                "pass y, the class of each row of X."
            )
        known = [as_label_array(y)[:n_images]] if needs_classes(estimator) else []
        found = estimator.reconstruct(rows, *known)
        images = (as_images(table, image_shape) for table in (rows, found))
        return cls(*images).plot(ax, **style)


def needs_classes(estimator):
    """Return whether `reconstruct` of an estimator has to be given the classes of the rows."""
    y = inspect.signature(estimator.reconstruct).parameters.get("y")
    return y is not None and y.default is inspect.Parameter.empty


class ClusterHeadsDisplay(Tiles):
    """The decoded head of each cluster, beside rows of the cluster (section 6 of the paper).

    Parameters
    ----------
    images : ndarray of shape (n_clusters, 1 + n_members, height, width[, channels])
        The first column contains the heads, the other columns rows of their clusters. Places are
        NaN if a cluster has fewer than n_members rows.

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
        """Plot the head (typical row) of each cluster, and beside it rows of X in this cluster.

        Parameters
        ----------
        estimator : fitted estimator with `cluster_heads_`
            An `AAEClusterer` or an `AAEEmbedding`.
        X : array-like of shape (n_samples, n_features), default=None
            The training rows, in the order of `labels_`. None shows only the heads.
        image_shape : tuple (height, width) or (height, width, 3), default=None
            Shape of the image in each row of X. None means that of the estimator's
            convolutions if it has some, else a square image of one channel.
        n_members : int, default=10
            Number of rows to show from each cluster, chosen at random.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.
        random_state : int or None, default=0
        **style : further keyword arguments of `ax.imshow`, such as `alpha`

        Returns
        -------
        display : ClusterHeadsDisplay

        Raises
        ------
        TypeError
            If the estimator has no `cluster_heads_`.
        ValueError
            If the numbers of rows of X and of `labels_` differ.
        """
        check_is_fitted(estimator)
        image_shape = image_shape_of(estimator, image_shape)
        if not hasattr(estimator, "cluster_heads_"):
            raise TypeError(
                f"{type(estimator).__name__} has no cluster_heads_; give an AAEClusterer, or an "
                "AAEEmbedding with n_clusters or use_labels=True. StyleDisplay shows classes."
            )
        heads = estimator.cluster_heads_
        if hasattr(estimator, "embedding_"):  # heads are points of the map
            heads = estimator.inverse_transform(heads)
        images = as_images(heads, image_shape)[:, None]
        if X is None:
            return cls(images).plot(ax, **style)
        rows = as_images(X, image_shape)
        if len(rows) != len(estimator.labels_):
            raise ValueError(
                f"X has {len(rows)} rows, but the estimator was fitted on "
                f"{len(estimator.labels_)} rows; pass the training rows."
            )
        members = np.full((len(images), n_members, *rows.shape[1:]), np.nan)
        rng = np.random.default_rng(random_state)
        for cluster in range(len(images)):
            own = rng.permutation(np.flatnonzero(estimator.labels_ == cluster))[:n_members]
            members[cluster, : len(own)] = rows[own]
        return cls(np.concatenate([images, members], axis=1)).plot(ax, **style)
