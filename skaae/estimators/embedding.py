"""AAEEmbedding: maps that keep neighbours, or that separate clusters (section 7 of the paper)."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted

from skaae import inference
from skaae.columns import frames
from skaae.columns.network_rows import NetworkRows
from skaae.estimators import parameters
from skaae.estimators.base import BaseAdversarialAutoencoder
from skaae.estimators.classes import DrawsClasses, MayReadClasses
from skaae.estimators.documentation import OWN_AUTO, with_shared_parameters
from skaae.estimators.fitting import fits, given_validation
from skaae.estimators.initial_clusters import FindsInitialClusters
from skaae.estimators.maps import KeepsNeighbours, only_with_heads, places_of_heads
from skaae.estimators.model import Model
from skaae.estimators.options import (
    SOLVERS,
    Solver,
    VirtualAdversarial,
    parameters_as_fields,
    replace_auto,
)
from skaae.estimators.parameters import make_cpu_generator
from skaae.estimators.ranges import AUTO, COUNT, NON_NEGATIVE
from skaae.estimators.recipes import HEADS, NEIGHBOURS, NEIGHBOURS_OF_IMAGES
from skaae.estimators.rows import check_codes
from skaae.networks.autoencoder import Block
from skaae.priors import Categorical, as_prior
from skaae.private_sklearn import StrOptions


@with_shared_parameters(
    **OWN_AUTO["embedding"],
    validation_loss=(
        "With use_labels, the validation loss is the cross-entropy of the labels. Otherwise it is "
        "the reconstruction loss, in a map with heads plus the maximum mean discrepancy (MMD) "
        "between styles and samples of their prior."
    ),
    validation_rows="the rows (with use_labels, of the labeled rows)",
    solver="auto",
    solver_names='{"auto", "adam", "sgd"}',
    input_noise='"auto"',
    noise_kinds='"auto" or float',
    labels="classes or clusters",
    virtual_adversarial="None",
    stages=(
        "The phase starts after the first fifth of max_iter. If it started earlier, it would fix "
        'borders before the clusters have formed. Without use_labels and with init="random" it '
        "starts at once and finds the clusters, as in `AAEClusterer`."
    ),
    balance=(
        "Without use_labels the phase also trains clusters to have equal sizes in each mini-batch. "
        'With use_labels and a class_prior other than "labeled" it trains classes to have these '
        "proportions. Mini-batches should then have at least 25 rows per cluster or class."
    ),
)
@parameters_as_fields
class AAEEmbedding(
    KeepsNeighbours, FindsInitialClusters, MayReadClasses, DrawsClasses, BaseAdversarialAutoencoder
):
    """Map of rows in few dimensions, on which neighbours stay together, or clusters apart.

    By default the map keeps neighbours, which is not in the paper. The encoder is trained on pairs
    of neighbours: their positions attract each other, and those of other rows repel each other, as
    in t-SNE. The reconstruction loss trains only the decoder. There is no prior and no
    discriminator, so new rows are sampled from where the map has points; see `sample_prior`.

    The map of section 7 of "Adversarial Autoencoders" (arXiv:1511.05644) has cluster heads. It is
    learned with n_neighbors=None, with use_labels=True, or if n_clusters is given. Each cluster has
    a head: a learned point in the embedding. The encoder outputs a softmax over the clusters and a
    style. The embedding of a row is the head of its cluster plus its style, and is the only input
    of the decoder. One discriminator trains the softmax to look like one-hot vectors, and another
    one trains the style to follow a prior. A penalty keeps the heads apart. With use_labels, the
    clusters are the classes.

    Parameters
    ----------
    n_components : int, default=2
        Number of dimensions of the embedding.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        The distribution that the styles, which are the offsets of rows from their heads, are
        trained to follow; see `AAETransformer`.
    n_neighbors : "auto", int or None, default="auto"
        Number of nearest rows of each row that the map keeps near it. They are found in the scaled
        rows, as a dense array, in a time that grows with the square of their number. None learns a
        map with cluster heads. "auto" is 10, or None if use_labels=True or n_clusters,
        cluster_heads, head_distance, prior, init or virtual_adversarial has another value than its
        default; only maps with heads use these. The time to fit a map that keeps neighbours grows
        with the number of rows, up to 4,000.
    n_clusters : "auto" or int, default="auto"
        Number of clusters, each with its head. "auto" is 20. With use_labels this is ignored, and
        each class has a head.
    cluster_heads : {"learned", "identity"} or array-like of shape (n_heads, n_components), \
default="learned"
        Positions of the heads. "learned": they start at random positions and are trained with the
        decoder. "identity": they are fixed at 10 times the unit vectors, so n_components must be
        the number of heads (in the paper, 10 dimensions for 10 digits). An array gives other fixed
        positions.
    head_distance : float, default=3.0
        Smallest distance that learned heads should have from each other. For each closer pair, the
        difference to this distance is added to the training loss. With the default prior, 3 is
        three standard deviations of the style. 0 turns the penalty off.
    use_labels : bool, default=False
        Whether `fit` uses y, the classes of some or all rows.
    class_prior : "labeled", "uniform", dict, Series or array-like of shape (n_classes,), \
default="labeled"
        With use_labels: the class proportions among all rows; see `SemiSupervisedAAEClassifier`.
    unlabeled_label : "auto", scalar or None, default="auto"
        With use_labels: the value of y that marks an unlabeled row; see
        `SemiSupervisedAAEClassifier`.
    init : {"k-means", "random"}, default="k-means"
        Without use_labels: how the clusters start; see `AAEClusterer`.
    {label_parameters}
    {shared_parameters}

    Attributes
    ----------
    embedding_ : ndarray of shape (n_samples, n_components)
        The embedding of the rows of the last `fit` or `partial_fit`.
    cluster_heads_ : ndarray of shape (n_heads, n_components)
        The head of each cluster or class: its point in the embedding. Only maps with heads have
        this attribute and the next.
    labels_ : ndarray of shape (n_samples,)
        The cluster or class of each row of `embedding_`, as an index in `cluster_heads_`.
    classes_ : ndarray of shape (n_classes,)
        With use_labels, the class of each head.
    class_prior_ : ndarray of shape (n_classes,)
        With use_labels, the class proportions that the softmax was trained to follow.
    history_ : dict of str to list
        Mean of every loss in each epoch, by name: "reconstruction" and "neighbours", or with heads
        "reconstruction", "head_distance", "discriminator_label", "discriminator_style",
        "generator_label", "generator_style" and "classification". The virtual adversarial phase
        adds "virtual_adversarial", "class_balance" and "conditional_entropy"; early stopping adds
        "validation". A loss is NaN in epochs without its phase. "stage" is the name of the training
        stage of each epoch; see `AAEClusterer`.
    {shared_attributes}

    See Also
    --------
    AAETransformer : Encodes rows into codes that follow a prior, without clusters.
    sklearn.manifold.TSNE : Map that keeps neighbours together, without `transform` and `sample`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skaae import AAEEmbedding
    >>> X, _ = load_digits(return_X_y=True)
    >>> embedding = AAEEmbedding(max_iter=30, random_state=0).fit(X)
    >>> embedding.transform(X).shape
    (1797, 2)
    >>> with_heads = AAEEmbedding(n_clusters=10, max_iter=5, random_state=0).fit(X)
    >>> with_heads.cluster_heads_.shape
    (10, 2)
    """

    n_components: int = field(default=2, kw_only=False)
    input_noise: Any = "auto"
    solver: Any = "auto"
    n_neighbors: Any = "auto"
    n_clusters: Any = "auto"
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
        "input_noise": [AUTO, NON_NEGATIVE],
        "solver": [StrOptions({"auto", *SOLVERS}), Solver],
        "n_neighbors": [AUTO, COUNT, None],
        "n_clusters": [AUTO, COUNT],
        "cluster_heads": [StrOptions({"learned", "identity"}), "array-like"],
        "head_distance": [NON_NEGATIVE],
        "use_labels": ["boolean"],
        "class_prior": parameters.CLASS_PRIOR_CONSTRAINT,
        "unlabeled_label": parameters.UNLABELED_CONSTRAINT,
        "init": [StrOptions({"k-means", "random"})],
    }
    _classifies = True
    _scaling_of_mixed = "standard"

    @fits
    def fit(self, X, y=None, *, X_val=None, y_val=None):
        """Train the networks and the heads.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Ignored if use_labels=False. Otherwise the class of each row; -1 or a missing value
            marks an unlabeled row.
        X_val : array-like of shape (n_val, n_features), default=None
            Rows for early stopping, so that it holds out no training rows. They are not trained on.
        y_val : array-like of shape (n_val,), default=None
            The classes of X_val with use_labels=True; ignored otherwise.

        Returns
        -------
        self : AAEEmbedding

        Raises
        ------
        ValueError
            If X is not a finite table of numbers, the value of a parameter is not allowed,
            cluster_heads does not have shape (n_heads, n_components), samples of the prior do not
            have n_components dimensions, or another parameter than n_neighbors asks for heads.
        FloatingPointError
            If an epoch ends with a loss or weight that is not finite, or with exploded weights, and
            three repeats with lower learning rates do so too, or if there is only one epoch.
        """
        X = self._begin(X)
        targets = self._read_labels(X, y)
        labeled = self.use_labels
        for name in ("cluster_heads_", "labels_", "_styles"):  # set by an earlier fit
            self.__dict__.pop(name, None)
        found = self._validation(X_val, y_val) if labeled else given_validation(self, X_val)
        self._fit(X, targets, validation=found)
        return self

    @fits
    def partial_fit(self, X, y=None, classes=None):
        """Train for one epoch on X, continuing from earlier calls of `partial_fit` or `fit`.

        The first call determines the scaling and, without use_labels and with init="k-means", the
        first clusters. So its rows should be typical of the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Ignored if use_labels=False. Otherwise classes, as in `fit`. After the first call all
            rows may be unlabeled; y=None means that they are.
        classes : array-like of shape (n_classes,), default=None
            With use_labels: all classes of this and later calls. The first call needs them if its y
            does not contain every class. Ignored without use_labels.

        Returns
        -------
        self : AAEEmbedding

        Raises
        ------
        ValueError
            If y contains a label that is not one of the classes, `classes` differ from those of the
            first call, or a parameter that defines the model has changed.
        FloatingPointError
            If a loss or a weight is not finite. The model is then the same as before the call.
        """
        first = not hasattr(self, "_step")
        X = self._begin(X, partial=True)
        targets = self._read_more_labels(X, y, classes, first=first)
        self._fit(X, targets, partial=True)
        return self

    def transform(self, X):
        """Embed rows: return their positions on the map.

        With heads, this is the mean of the heads, weighted by the softmax, plus the style.

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
        """Decode points of the embedding into rows in the units of the training data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Points of the embedding, as `transform` returns them.

        Returns
        -------
        X_decoded : ndarray or data frame of shape (n_samples, n_features), as training rows were

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
        found = inference.decode_combined(self._step, check_codes(self, X))
        return frames.with_index(self._in_units_of_X(found), X)

    def sample_prior(self, n_samples=1, *, random_state=None):
        """Draw points of the embedding without decoding them.

        With heads, a point is a random head plus a random style of its rows. A map that keeps
        neighbours has no prior: a point is drawn between a row of `embedding_` and one of its five
        nearest there.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState instance or None, default=None
            An int draws the same points every time.

        Returns
        -------
        Z : float32 ndarray of shape (n_samples, n_components)
        """
        check_is_fitted(self)
        if not self._has_heads:
            return self._sample_between(n_samples, random_state)[0]
        generator = make_cpu_generator(random_state)
        style, label = self._draw_code(None, n_samples, generator)
        return style + label @ self.cluster_heads_

    def sample(self, n_samples=1, y=None, *, clip=True, random_state=None):
        """Generate new rows: draw points of the embedding as `sample_prior` does and decode them.

        Parameters
        ----------
        n_samples : int, default=1
        y : scalar or array-like of shape (n_samples,), default=None
            In a map with cluster heads: one cluster or class for all rows, or one for each row.
            None draws them at random.
        clip : bool, default=True
            Whether to clip each number to the range of its column in the rows of the first fit.
        random_state : int, RandomState instance or None, default=None
            An int draws the same rows every time.

        Returns
        -------
        X : ndarray or data frame of shape (n_samples, n_features), as the training rows were
            Flags and categories are drawn from their probabilities. Columns of a data frame that
            held whole numbers hold whole numbers.

        Raises
        ------
        ValueError
            If y contains a value that is no cluster or class, or the map has no heads.
        """
        check_is_fitted(self)
        if self._has_heads:
            return super().sample(n_samples, y, clip=clip, random_state=random_state)
        return self._sample_rows(n_samples, y, clip=clip, random_state=random_state)

    @only_with_heads
    def predict(self, X):
        """Return the most probable class of each row, or its most probable cluster.

        Only maps with heads have this method.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
            With use_labels, values of `classes_`; otherwise indices in `cluster_heads_`.
        """
        probabilities = self.predict_proba(X)
        return self._label_values()[0][probabilities.argmax(axis=1)]

    @only_with_heads
    def predict_proba(self, X):
        """Return the probability q(y|x) of each class or cluster.

        Only maps with heads have this method.

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

    def _results(self, X, targets, *, partial, weights=None):
        rows = NetworkRows(X, self._table)
        found = {"embedding_": inference.combine(self._step, rows)}
        if self._has_heads:
            heads = self._step.trained.decoder.combine.state_dict()["points"]
            found["cluster_heads_"] = heads.cpu().numpy().copy()
            found["labels_"] = inference.logits(self._step, rows).argmax(axis=1)
            found["_styles"] = self._learn_styles(X, partial=partial, weights=weights)
        return found

    def _label_values(self):
        if hasattr(self, "classes_"):
            return self.classes_, self.class_prior_
        n_heads = self._settings.label_size
        return np.arange(n_heads), np.full(n_heads, 1.0 / n_heads)

    def _initial_clusters(self, rows, *, partial):
        if self._count_neighbors() or self.use_labels or self.init == "random":
            return None
        return self._find_clusters(rows, self._count_clusters(), self.init)

    def _plan(self, x, targets, rows, *args, **how):
        run = super()._plan(x, targets, rows, *args, **how)
        if not self._has_heads:
            run.streams.append(self._neighbour_stream(x, rows, self._count_neighbors()))
        return run

    def _model(self, targets, table, *, dense, clusters):
        if self._count_neighbors():
            return Model(
                {"style": Block(self.n_components, adversarial=False)},
                {"style": as_prior(self.prior)},
                keeps_neighbours=True,
                recipe=NEIGHBOURS_OF_IMAGES if table.scaling.kind == "range" else NEIGHBOURS,
                augment=self.augment,
            )
        proportions = np.full(self._count_clusters(), 1.0 / self._count_clusters())
        if self.use_labels:
            proportions = self.class_prior_
        learned = isinstance(self.cluster_heads, str) and self.cluster_heads == "learned"
        kind = "labels" if self.use_labels else None if clusters is None else clusters.kind
        keeps_proportions = not self.use_labels or self._is_prior_stated()
        return Model(
            {"label": Block(len(proportions)), "style": Block(self.n_components)},
            {"label": Categorical(proportions), "style": as_prior(self.prior)},
            classifies=True,
            init=kind,
            proportions=tuple(proportions) if keeps_proportions else None,
            cluster_heads=places_of_heads(self, len(proportions)),
            head_distance=float(self.head_distance) if learned else 0.0,
            recipe=HEADS,
            virtual_adversarial=replace_auto(self.virtual_adversarial, VirtualAdversarial()),
            augment=self.augment,
        )
