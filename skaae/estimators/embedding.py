"""AAEEmbedding: maps of few dimensions in which clusters keep apart (section 7 of the paper)."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted

from skaae import inference
from skaae.columns.table import NetworkRows
from skaae.estimators import parameters
from skaae.estimators.base import BaseAdversarialAutoencoder
from skaae.estimators.classes import DrawsClasses, MayReadClasses
from skaae.estimators.documentation import with_shared_parameters
from skaae.estimators.fitting import fits
from skaae.estimators.options import VirtualAdversarial, parameters_as_fields
from skaae.estimators.parameters import INIT_CONSTRAINT, Model, make_cpu_generator, replace_auto
from skaae.estimators.ranges import COUNT, NON_NEGATIVE
from skaae.networks.autoencoder import Block
from skaae.priors import Categorical, as_prior
from skaae.private_sklearn import StrOptions

# The paper's fixed heads for codes with a dimension for each class: 10 times the unit vectors.
IDENTITY_SCALE = 10.0


@with_shared_parameters(
    validation_loss=(
        "With labels, the validation loss is the cross-entropy. Without labels, it is the "
        "reconstruction loss plus the distance of codes to the prior (MMD). The discriminator's "
        "loss plays no part."
    ),
    validation_rows="the rows (the labeled ones where there are any)",
    solver="sgd",
    input_noise="0.3",
    labels="classes and clusters",
    virtual_adversarial="None",
    stages=(
        "The phase starts after a warm-up of a fifth of max_iter: earlier it would fix borders in "
        'place before the clusters have formed. Without labels and with init="random" it comes '
        "first and finds the clusters, as in `AAEClusterer`."
    ),
    balance=(
        "Without labels the phase also pulls clusters to equal sizes in each mini-batch. With "
        'labels and a class_prior other than "labeled" it pulls classes to these proportions. For '
        "that, mini-batches should have at least 25 rows per cluster or class."
    ),
)
@parameters_as_fields
class AAEEmbedding(MayReadClasses, DrawsClasses, BaseAdversarialAutoencoder):
    """Map of rows into few dimensions, with a place of its own for each cluster or class.

    Each cluster has a head: a learned point on the map. The encoder gives a softmax over clusters
    and a style. The place of a row on the map is the head of its cluster plus its style, and the
    decoder sees nothing else. One discriminator pushes the softmax towards one-hot vectors, another
    pushes the style towards a prior. A penalty keeps the heads at a distance from each other
    (section 7 of "Adversarial Autoencoders", arXiv:1511.05644). With some labels, the clusters are
    the classes.

    Parameters
    ----------
    n_components : int, default=2
        Dimensions of the map.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        The distribution that the styles, the places of rows around their heads, are trained to
        follow; see `AAETransformer`.
    n_clusters : int, default=20
        Number of heads without labels. With labels there is one head for each class.
    cluster_heads : {"learned", "identity"} or array-like of shape (n_heads, n_components), \
default="learned"
        Where the heads are. "learned": they begin at random and move with the decoder.
        "identity": fixed at 10 times the unit vectors, which needs n_components to be the number of
        heads (the paper's 10 dimensions for 10 digits). An array fixes them elsewhere.
    head_distance : float, default=3.0
        Least distance between two learned heads, in units of the style. The training loss grows by
        what each closer pair falls short of it. 3 keeps heads three standard deviations of a
        standard normal apart. 0 turns the penalty off.
    use_labels : bool, default=False
        Whether `fit` uses y, the classes of some or all rows.
    class_prior : "labeled", "uniform", dict, Series or array-like of shape (n_classes,), \
default="labeled"
        With use_labels: the class proportions among all rows; see `SemiSupervisedAAEClassifier`.
    unlabeled_label : "auto", scalar or None, default="auto"
        With use_labels: what marks an unlabeled row in y; see `SemiSupervisedAAEClassifier`.
    init : {"k-means", "random"}, default="k-means"
        How clusters begin without labels; see `AAEClusterer`.
    {label_parameters}
    {shared_parameters}

    Attributes
    ----------
    embedding_ : ndarray of shape (n_samples, n_components)
        The places on the map of the rows of the last `fit` or `partial_fit`.
    cluster_heads_ : ndarray of shape (n_heads, n_components)
        The place of each cluster's or class's head on the map.
    labels_ : ndarray of shape (n_samples,)
        The head that each of these rows belongs to, as an index in cluster_heads_.
    classes_ : ndarray of shape (n_classes,)
        With labels, the class of each head.
    class_prior_ : ndarray of shape (n_classes,)
        With labels, the class proportions that the softmax was trained to follow.
    history_ : dict of str to list
        Mean of every loss in each epoch: "reconstruction", "head_distance", "discriminator_label",
        "discriminator_style", "generator_label", "generator_style" and "classification". The
        virtual adversarial phase adds "virtual_adversarial", "class_balance" and
        "conditional_entropy"; early stopping adds "validation"; see `AAEClusterer`. A loss is NaN
        in epochs that did not train on it. "stage" holds the name of each epoch's stage.
    {shared_attributes}

    See Also
    --------
    AAETransformer : Codes that follow a prior, without clusters.
    sklearn.manifold.TSNE : Maps that keep neighbours together, for the rows at hand only.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skaae import AAEEmbedding
    >>> X, _ = load_digits(return_X_y=True)
    >>> embedding = AAEEmbedding(n_clusters=10, max_iter=5, random_state=0).fit(X)
    >>> embedding.transform(X).shape
    (1797, 2)
    >>> embedding.cluster_heads_.shape
    (10, 2)
    """

    n_components: int = field(default=2, kw_only=False)
    input_noise: float = 0.3
    solver: str = "sgd"
    n_clusters: int = 20
    cluster_heads: Any = "learned"
    head_distance: float = 3.0
    use_labels: bool = False
    class_prior: Any = "labeled"
    unlabeled_label: Any = "auto"
    init: str = "k-means"
    virtual_adversarial: Any = None
    augment: Any = None

    _parameter_constraints = {
        **parameters.SHARED_CONSTRAINTS,
        **parameters.LABEL_CONSTRAINTS,
        "n_clusters": [COUNT],
        "cluster_heads": [StrOptions({"learned", "identity"}), "array-like"],
        "head_distance": [NON_NEGATIVE],
        "use_labels": ["boolean"],
        "class_prior": parameters.CLASS_PRIOR_CONSTRAINT,
        "unlabeled_label": parameters.UNLABELED_CONSTRAINT,
        "init": INIT_CONSTRAINT,
    }
    _classifies = True

    @fits
    def fit(self, X, y=None):
        """Train networks and heads, which make up the map.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Ignored, unless use_labels=True: then classes, -1 or missing where a row has none.

        Returns
        -------
        self : AAEEmbedding

        Raises
        ------
        ValueError
            Where X is not a finite table of numbers, a parameter is out of its range, cluster_heads
            has another shape, or the prior does not draw codes of n_components dimensions.
        FloatingPointError
            Where a loss or a weight is not finite in the first epoch. Later, training goes back
            one epoch and ends with a warning.
        """
        X = self._begin(X)
        self._fit(X, self._read_labels(X, y))
        return self

    @fits
    def partial_fit(self, X, y=None, classes=None):
        """Train for one epoch on X, going on from earlier calls of `partial_fit` or `fit`.

        The first call decides the scaling. Without labels, k-means finds the first clusters in its
        rows. So these should be typical of the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Ignored, unless use_labels=True: then classes, as in `fit`. After the first call all
            rows may be unlabeled; None stands for that.
        classes : array-like of shape (n_classes,), default=None
            With use_labels: all classes that will ever come; needed in the first call if its y
            lacks some. Ignored without use_labels.

        Returns
        -------
        self : AAEEmbedding

        Raises
        ------
        ValueError
            Where y holds a label that is none of the classes, `classes` are not those of the first
            call, or a parameter that the model is built from has changed.
        """
        first = not hasattr(self, "_step")
        X = self._begin(X, partial=True)
        targets = self._read_more_labels(X, y, classes, first=first)
        self._fit(X, targets, partial=True)
        return self

    def transform(self, X):
        """Place rows on the map: the mean of the heads, weighted by the softmax, plus the style.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components), in the dtype of X
        """
        check_is_fitted(self)
        return inference.combine(self._step, self._network_rows(X))

    def inverse_transform(self, X):  # type: ignore[override]  # heads are part of the map
        """Decode places on the map into rows in the units of the training data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Places on the map, as `transform` returns them.

        Returns
        -------
        X_decoded : ndarray of shape (n_samples, n_features), in the dtype of X

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skaae import AAEEmbedding
        >>> X, _ = load_digits(return_X_y=True)
        >>> embedding = AAEEmbedding(n_clusters=10, max_iter=2, random_state=0).fit(X)
        >>> embedding.inverse_transform([[0.0, 0.0], [3.0, 0.0]]).shape
        (2, 64)
        """
        check_is_fitted(self)
        rows = inference.decode_combined(self._step, self._check_codes(X))
        return self._in_units_of_X(rows)

    def sample_prior(self, n_samples=1, *, random_state=None):
        """Draw places on the map, without decoding them: each is a random head plus a style.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState instance or None, default=None
            An int draws the same places every time.

        Returns
        -------
        Z : float32 ndarray of shape (n_samples, n_components)
        """
        check_is_fitted(self)
        generator = make_cpu_generator(random_state)
        style = self._draw_style(n_samples, generator)
        label = self._draw_label(None, n_samples, generator)
        return style + label.astype(np.float32) @ self.cluster_heads_

    def predict(self, X):
        """Return the most probable class of each row, or without labels its most probable head.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Values of `classes_`; without labels, indices in `cluster_heads_`.
        """
        probabilities = self.predict_proba(X)
        return self._label_values()[0][probabilities.argmax(axis=1)]

    def predict_proba(self, X):
        """Return the probability of each class, q(y|x), or without labels of each head.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_heads), in the dtype of X
            Rows sum to 1.
        """
        check_is_fitted(self)
        return softmax(inference.logits(self._step, self._network_rows(X)), axis=1)

    def _results(self, X, targets, *, partial):
        rows = NetworkRows(X, self._table)
        heads = self._step.trained.decoder.combine.state_dict()["points"]
        return {
            "cluster_heads_": heads.cpu().numpy().copy(),
            "embedding_": inference.combine(self._step, rows),
            "labels_": inference.logits(self._step, rows).argmax(axis=1),
        }

    def _label_values(self):
        if hasattr(self, "classes_"):
            return self.classes_, self.class_prior_
        n_heads = self._settings.label_size
        return np.arange(n_heads), np.full(n_heads, 1.0 / n_heads)

    def _model(self, targets):
        proportions = np.full(self.n_clusters, 1.0 / self.n_clusters)
        if self.use_labels:
            proportions = self.class_prior_
        learned = isinstance(self.cluster_heads, str) and self.cluster_heads == "learned"
        start = "labels" if self.use_labels else None
        keeps_proportions = not self.use_labels or self._is_prior_stated()
        return Model(
            {"label": Block(len(proportions)), "style": Block(self.n_components)},
            {"label": Categorical(proportions), "style": as_prior(self.prior)},
            classifies=True,
            clusters_start="k-means" if start is None and self.init == "k-means" else start,
            proportions=tuple(proportions) if keeps_proportions else None,
            cluster_heads=self._places_of_heads(len(proportions)),
            head_distance=float(self.head_distance) if learned else 0.0,
            batch_norm="encoder",
            virtual_adversarial=replace_auto(self.virtual_adversarial, VirtualAdversarial()),
            augment=self.augment,
        )

    def _places_of_heads(self, n_heads):
        """Return fixed heads (n_heads, n_components), or the distance that learned ones have."""
        if isinstance(self.cluster_heads, str) and self.cluster_heads == "learned":
            return float(self.head_distance) or 1.0
        shape = (n_heads, self.n_components)
        if isinstance(self.cluster_heads, str):
            if shape[0] != shape[1]:
                raise ValueError(
                    f"cluster_heads='identity' needs a dimension for each of the {n_heads} heads, "
                    f"but n_components={self.n_components}; set n_components={n_heads}."
                )
            return IDENTITY_SCALE * np.eye(n_heads)
        try:
            heads = np.asarray(self.cluster_heads, dtype=float)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"cluster_heads={self.cluster_heads!r} is no table of numbers: {error}"
            ) from error
        if heads.shape != shape:
            raise ValueError(
                f"cluster_heads has shape {heads.shape}; it must be an array of shape "
                f"(n_heads, n_components) = {shape}."
            )
        if not np.isfinite(heads).all():
            raise ValueError("cluster_heads holds NaN or infinity; every place must be finite.")
        return heads
