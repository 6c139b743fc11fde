"""AAEClusterer: groups of rows as a categorical part of the code (section 6 of the paper)."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np
from sklearn.base import ClusterMixin
from sklearn.utils.validation import check_is_fitted

from skaae import inference
from skaae.clustering.merge import merge_components
from skaae.columns.scaling import ScaledRows
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
    validation_loss="the reconstruction loss plus the distance of codes to the prior (MMD)",
    validation_rows="the rows",
    solver="sgd",
    input_noise="0.3",
    labels="clusters",
    virtual_adversarial="None",
    stages=(
        'With init="k-means" it sets in after a warm-up of a fifth of max_iter: until then it '
        'would hold clusters in place that are still on the move. With init="random" it comes '
        "first and finds them: for six tenths of max_iter nothing else moves the label, and the "
        "conditional entropy, a small cost, makes rows sure of their clusters (Hu et al., 2017). "
        "Then reconstruction and the label's discriminator join in."
    ),
    balance=(
        "It also pulls clusters to one size, by their mean over each mini-batch, for which 25 "
        "rows of each or more are good to have; over-clustering does with four."
    ),
)
@parameters_as_fields
class AAEClusterer(ClusterMixin, DrawsClasses, BaseAdversarialAutoencoder):
    """Clustering by an autoencoder whose code has a categorical part.

    The code of a row is a softmax over clusters, pushed towards one-hot draws by one discriminator,
    and a style vector, pushed towards a prior by another. The decoder reconstructs rows from both,
    so rows that one choice of the categorical part can stand for come together (section 6 of
    "Adversarial Autoencoders", arXiv:1511.05644).

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters to look for; clusters that stay empty are dropped after training.
    n_components : int, default=5
        Dimensions of the style. The more of them, the less the decoder needs the clusters.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        What the style is to follow; see `AAETransformer`.
    overclustering : int, default=None
        Number of small clusters to train, at least n_clusters, which are merged into n_clusters
        after training. Those of the most affinity are merged first: where more rows are unsure
        between two of them than their sizes let expect. Merged clusters may be of any size, while
        trained ones are pulled to one size. `merge` merges them into another number. None trains
        n_clusters.
    init : {"k-means", "random"}, default="k-means"
        How clusters begin. "k-means" clusters the scaled rows and teaches the categorical part its
        labels during the first half of training, before that is left to itself; one run is then as
        good as another. "random" is the paper's: nothing but the adversary and the reconstruction,
        unless the virtual adversarial phase is on, which then comes first.
    {label_parameters}
    {shared_parameters}

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of every row of the last `fit` or `partial_fit`, from 0 to n_clusters_ - 1.
    n_clusters_ : int
        Number of clusters: after `fit` of those with at least one training row.
    component_labels_ : ndarray of shape (n_in_use,)
        Cluster of each trained small cluster that is in use; without over-clustering, itself.
    cluster_heads_ : ndarray of shape (n_clusters_, n_features)
        The decoded head of each cluster: its categorical code with a style of 0. Of a merged
        cluster, the head of its largest part.
    history_ : dict of str to list
        Mean of every loss in each epoch: "reconstruction", "discriminator_label",
        "discriminator_style", "generator_label", "generator_style", with init="k-means"
        "classification" (NaN after the first half). With the virtual adversarial phase
        "virtual_adversarial", "class_balance" and with init="random" "conditional_entropy", the
        last two times their weights. With early stopping "validation". NaN where a loss has not set
        in yet. "stage" holds the name of each epoch's stage: "taught" and "free" with k-means,
        "train" or "find clusters" and "refine" with a random start.
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
            Where a loss becomes infinite in the first epochs.
        """
        X = self._begin(X)
        self._require_rows(X)
        self._fit(X)
        return self

    @fits
    def partial_fit(self, X, y=None):
        """Train for one epoch on X, going on from earlier calls of `partial_fit` or `fit`.

        The first call decides the scaling, so its rows should be typical of the data; with
        init="k-means" it is also the only one to teach clusters of k-means. All clusters are kept,
        those without a row too; after a `fit` the ones that it had dropped come last. With
        over-clustering they are merged anew after each call, and numbered anew, by the rows of the
        call, so all calls should have typical rows then.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self : AAEClusterer
        """
        first = not hasattr(self, "_step")
        X = self._begin(X, partial=True)
        if first:
            self._require_rows(X)
        self._fit(X, partial=True)
        return self

    def merge(self, X, n_clusters):
        """Merge the trained small clusters anew, into another number, without training.

        To look at coarser and finer clusters of one model. The parameter n_clusters stays as it is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Typical rows, such as those of `fit`. Clusters are merged by them, `labels_` are theirs,
            and clusters with none of them are dropped.
        n_clusters : int
            Number of clusters to merge into, at most overclustering.

        Returns
        -------
        self : AAEClusterer

        Raises
        ------
        ValueError
            Where the model was fitted without over-clustering, or n_clusters is above it.
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
        """Return the cluster of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        return self.predict_proba(X).argmax(axis=1)

    def predict_proba(self, X):
        """Return the probability of each cluster, q(y|x).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_clusters_)
        """
        check_is_fitted(self)
        return self._merged.probabilities(self._logits(self._check_rows(X)))

    def _require_rows(self, X):
        """Refuse fewer rows than clusters."""
        if len(X) < self.n_clusters:
            raise ValueError(
                f"X has n_samples={len(X)} rows, which is fewer than n_clusters={self.n_clusters}; "
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
        """Return the attributes that say what clusters there are and which rows are theirs."""
        style = np.zeros((merged.n_clusters, self._settings.n_components), dtype=np.float32)
        parts = merged.parts(self._settings.label_size)
        heads = np.eye(parts.shape[1], dtype=np.float32)[parts.argmax(axis=1)]
        return {
            "_merged": merged,
            "n_clusters_": merged.n_clusters,
            "component_labels_": merged.clusters,
            "labels_": merged.probabilities(logits).argmax(axis=1),
            "cluster_heads_": self._decode(style=style, label=heads),
        }

    def _logits(self, X):
        """Return the logits of checked rows, for all trained clusters."""
        return inference.logits(self._step, ScaledRows(X, self._scaling))

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
        return self._merged.parts(self._settings.label_size)

    def _label_values(self):
        return np.arange(self._merged.n_clusters), self._merged.cluster_proportions()
