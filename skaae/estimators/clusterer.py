"""AAEClusterer: clusters as a categorical part of the code (section 6 of the paper)."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np
from sklearn.base import ClusterMixin
from sklearn.utils.validation import check_is_fitted

from skaae import inference
from skaae.clustering.merge import merge_components
from skaae.columns.table import NetworkRows
from skaae.estimators import parameters
from skaae.estimators.base import BaseAdversarialAutoencoder
from skaae.estimators.classes import DrawsClasses
from skaae.estimators.documentation import with_shared_parameters
from skaae.estimators.fitting import fits
from skaae.estimators.options import VirtualAdversarial, parameters_as_fields
from skaae.estimators.parameters import INIT_CONSTRAINT, Model, replace_auto
from skaae.estimators.ranges import COUNT, check_count
from skaae.networks.autoencoder import Block
from skaae.priors import Categorical, as_prior


@with_shared_parameters(
    validation_loss=(
        "The validation loss is the reconstruction loss plus the distance of codes to the prior "
        "(MMD). The discriminator's loss plays no part."
    ),
    validation_rows="the rows",
    solver="sgd",
    input_noise="0.3",
    labels="clusters",
    virtual_adversarial="None",
    stages=(
        'With init="k-means" the phase starts after a warm-up of a fifth of max_iter: earlier it '
        'would fix borders in place before the clusters have formed. With init="random" it comes '
        "first and finds the clusters: for six tenths of max_iter nothing else trains the label. "
        "A small weight on the conditional entropy makes rows sure of their clusters (Hu et al., "
        "2017). After that, reconstruction and the label's discriminator train the label too."
    ),
    balance=(
        "The phase also pulls clusters to equal sizes in each mini-batch. For that, mini-batches "
        "should have at least 25 rows per cluster, or 4 per small cluster with over-clustering."
    ),
)
@parameters_as_fields
class AAEClusterer(ClusterMixin, DrawsClasses, BaseAdversarialAutoencoder):
    """Clustering by an autoencoder whose code has a categorical part.

    The code of a row has two parts. The label is a softmax over the clusters; a discriminator
    pushes it towards one-hot vectors. The style is a vector; another discriminator pushes it
    towards a prior. The decoder reconstructs rows from label and style together. So rows that
    differ in style alone end up in the same cluster (section 6 of "Adversarial Autoencoders",
    arXiv:1511.05644).

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters to look for. Clusters that stay empty are dropped after training.
    n_components : int, default=5
        Dimensions of the style. The more of them, the less the decoder needs the clusters.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        The distribution that the styles are trained to follow; see `AAETransformer`.
    overclustering : int, default=None
        Number of small clusters to train, at least n_clusters. After training they are merged into
        n_clusters. The two with the highest affinity are merged first, then the next two. The
        affinity of two clusters counts the rows that are unsure between them, relative to the
        clusters' sizes. Merged clusters may have any size, while trained clusters are pulled to
        equal sizes. `merge` merges them into another number later. None trains n_clusters clusters
        and merges none.
    init : {"k-means", "random"}, default="k-means"
        How clusters begin. "k-means" clusters the scaled rows with k-means. In the first half of
        training the label learns these clusters; in the second half it is free to leave them.
        Results then differ little from seed to seed. "random" is the paper's: clusters come from
        adversary and reconstruction alone. If there is a virtual adversarial phase, it comes first
        and finds them.
    {label_parameters}
    {shared_parameters}

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of every row of the last `fit` or `partial_fit`, from 0 to n_clusters_ - 1.
    n_clusters_ : int
        Number of clusters. After `fit`, each of them has at least one training row.
    component_labels_ : ndarray of shape (n_in_use,)
        The cluster that each small cluster in use was merged into. Without over-clustering there is
        nothing to merge, and it is 0 to n_clusters_ - 1.
    cluster_heads_ : ndarray of shape (n_clusters_, n_features)
        The head of each cluster, decoded: the decoder's output for this cluster and a style of 0. A
        merged cluster has the head of its largest component.
    history_ : dict of str to list
        Mean of every loss in each epoch: "reconstruction", "discriminator_label",
        "discriminator_style", "generator_label" and "generator_style". init="k-means" adds
        "classification" (NaN after the first half). The virtual adversarial phase adds
        "virtual_adversarial", "class_balance" and, with init="random", "conditional_entropy"; the
        last two include their weights. Early stopping adds "validation". A loss is NaN in epochs
        before its phase starts. "stage" holds the name of each epoch's stage: "taught" and "free"
        with k-means, after a "warm-up" if there is a virtual adversarial phase; "train", or "find
        clusters" and "refine", with a random start.
    {shared_attributes}

    See Also
    --------
    SemiSupervisedAAEClassifier : The same with some labels.
    sklearn.cluster.KMeans : Clusters by distance to their means.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skaae import AAEClusterer
    >>> X, _ = make_blobs(300, centers=3, random_state=0, cluster_std=0.5)
    >>> clusterer = AAEClusterer(n_clusters=3, max_iter=20, random_state=0).fit(X)
    >>> clusterer.labels_.shape
    (300,)
    >>> clusterer.cluster_heads_.shape
    (3, 2)
    """

    n_clusters: int = field(default=8, kw_only=False)
    n_components: int = 5
    overclustering: int | None = None
    input_noise: float = 0.3
    solver: str = "sgd"
    init: str = "k-means"
    virtual_adversarial: Any = None
    augment: Any = None

    _parameter_constraints = {
        **parameters.SHARED_CONSTRAINTS,
        **parameters.LABEL_CONSTRAINTS,
        "n_clusters": [COUNT],
        "overclustering": [COUNT, None],
        "init": INIT_CONSTRAINT,
    }
    _classifies = True

    @fits
    def fit(self, X, y=None):
        """Find clusters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self : AAEClusterer

        Raises
        ------
        ValueError
            Where X is not a finite table of numbers, has fewer rows than n_clusters, a parameter is
            out of its range, or the prior does not draw codes of n_components dimensions.
        FloatingPointError
            Where a loss or a weight is not finite in the first epoch. Later, training goes back
            one epoch and ends with a warning.
        """
        X = self._begin(X)
        self._require_rows(X)
        self._fit(X)
        return self

    @fits
    def partial_fit(self, X, y=None):
        """Train for one epoch on X, going on from earlier calls of `partial_fit` or `fit`.

        The first call decides the scaling, so its rows should be typical of the data. With
        init="k-means" the label learns the clusters of k-means in the first call only. No cluster
        is dropped, even if it has no row. If a `fit` before has dropped some, they come back with
        the last numbers. With over-clustering each call merges and numbers the clusters anew, by
        its own rows. So all calls should have typical rows then.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self : AAEClusterer

        Raises
        ------
        ValueError
            Where the first X has fewer rows than n_clusters, or a parameter that the model is built
            from has changed.
        """
        first = not hasattr(self, "_step")
        X = self._begin(X, partial=True)
        if first:
            self._require_rows(X)
        self._fit(X, partial=True)
        return self

    def merge(self, X, n_clusters):
        """Merge the trained small clusters anew, into another number, without training.

        This shows coarser and finer clusters of one model. The parameter n_clusters does not
        change.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Typical rows, such as those of `fit`. They decide which clusters are merged, and
            `labels_` are their clusters. Clusters without any of them are dropped.
        n_clusters : int
            Number of clusters to merge into, at most overclustering.

        Returns
        -------
        self : AAEClusterer

        Raises
        ------
        ValueError
            Where the model was fitted without over-clustering, or n_clusters is above it.

        Examples
        --------
        >>> from sklearn.datasets import make_blobs
        >>> from skaae import AAEClusterer
        >>> X, _ = make_blobs(300, centers=3, random_state=0, cluster_std=0.5)
        >>> clusterer = AAEClusterer(3, overclustering=9, max_iter=20, random_state=0).fit(X)
        >>> clusterer.merge(X, 2).n_clusters_
        2
        """
        check_is_fitted(self)
        n_clusters, n_trained = check_count("n_clusters", n_clusters), self._settings.label_size
        if self._frozen["overclustering"] is None:
            raise ValueError(
                "merge needs small clusters to merge, but the model was fitted with "
                "overclustering=None; set it to some times n_clusters, and fit."
            )
        if n_clusters > n_trained:
            raise ValueError(
                f"n_clusters={n_clusters} is more than the {n_trained} clusters that were trained; "
                "lower it, or raise overclustering and fit."
            )
        logits = self._logits(self._check_rows(X))
        self.__dict__.update(self._describe(merge_components(logits, n_clusters), logits))
        return self

    def predict(self, X):
        """Return the most probable cluster of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : int64 ndarray of shape (n_samples,)
            From 0 to n_clusters_ - 1.
        """
        return self.predict_proba(X).argmax(axis=1)

    def predict_proba(self, X):
        """Return the probability of each cluster, q(y|x).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_clusters_), in the dtype of X
            Rows sum to 1. The probability of a merged cluster is the sum over its components.
        """
        check_is_fitted(self)
        return self._merged.probabilities(self._logits(self._check_rows(X)))

    def _require_rows(self, X):
        """Raise ValueError if there are fewer rows than clusters."""
        if X.shape[0] < self.n_clusters:
            raise ValueError(
                f"X has n_samples={X.shape[0]} rows, which is fewer than n_clusters={self.n_clusters}; "
                "lower n_clusters."
            )

    def _results(self, X, targets, *, partial):
        logits, in_use = self._logits(X), None
        if partial:  # all are in use; those that `fit` has numbered keep their numbers
            merged = getattr(self, "_merged", None)
            numbered = np.arange(0) if merged is None else merged.components
            others = np.setdiff1d(np.arange(self._settings.label_size), numbered)
            in_use = np.concatenate([numbered, others])
        return self._describe(merge_components(logits, self.n_clusters, in_use), logits)

    def _describe(self, merged, logits):
        """Return the fitted attributes about merged clusters, and about rows by their logits."""
        style = np.zeros((merged.n_clusters, self._settings.n_components), dtype=np.float32)
        proportions = merged.component_proportions(self._settings.label_size)
        heads = np.eye(proportions.shape[1], dtype=np.float32)[proportions.argmax(axis=1)]
        return {
            "_merged": merged,
            "n_clusters_": merged.n_clusters,
            "component_labels_": merged.clusters,
            "labels_": merged.probabilities(logits).argmax(axis=1),
            "cluster_heads_": self._decode(style=style, label=heads),
        }

    def _logits(self, X):
        """Return the logits of checked rows X for all trained clusters, (n_samples, n_trained)."""
        return inference.logits(self._step, NetworkRows(X, self._table))

    def _model(self, targets):
        n_trained = self.n_clusters if self.overclustering is None else self.overclustering
        if n_trained < self.n_clusters:
            raise ValueError(
                f"overclustering={n_trained} is fewer than n_clusters={self.n_clusters}, into "
                "which they are to be merged; raise it, or leave it None."
            )
        proportions = (1.0 / n_trained,) * n_trained
        return Model(
            {"label": Block(n_trained), "style": Block(self.n_components)},
            {"label": Categorical(proportions), "style": as_prior(self.prior)},
            classifies=True,
            clusters_start="k-means" if self.init == "k-means" else None,
            proportions=proportions,
            batch_norm="encoder",
            virtual_adversarial=replace_auto(self.virtual_adversarial, VirtualAdversarial()),
            augment=self.augment,
        )

    def _component_proportions(self):
        return self._merged.component_proportions(self._settings.label_size)

    def _label_values(self):
        return np.arange(self._merged.n_clusters), self._merged.cluster_proportions()
