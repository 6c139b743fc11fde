"""AAEClusterer: groups of rows as a categorical part of the code (section 6 of the paper)."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import ClusterMixin, _fit_context
from sklearn.utils.validation import check_is_fitted

from skaae import inference
from skaae.clustering.merge import join_clusters
from skaae.columns.scaling import ScaledRows
from skaae.estimators import parameters
from skaae.estimators.base import BaseAdversarialAutoencoder, estimator
from skaae.estimators.classes import DrawsClasses
from skaae.estimators.documentation import with_shared_parameters
from skaae.estimators.fitting import INIT, StartsFromKMeans, fits
from skaae.networks.autoencoder import Block
from skaae.priors import Categorical, as_prior


@with_shared_parameters(
    validation_loss="the reconstruction loss plus the distance of codes to the prior (MMD)",
    validation_rows="the rows",
    solver="sgd",
    batch_norm='"encoder"',
    average_weights="False",
    adam_rate="0.0003",
    auto_schedule='"auto" is "constant".',
    input_noise="0.3",
    labels="clusters",
    smoothing="0.0",
    sets_in=(
        'With init="k-means" it sets in after the first fifth of max_iter epochs: until then it'
        ' would hold clusters in place that are still on the move. With init="random" it comes '
        "first: for three fifths of max_iter it is what moves the label head of the encoder, "
        "and the entropy of labels, a small cost, makes rows sure of their clusters (Hu et al. "
        "2017); then reconstruction and discriminator of the label join in. Early stopping may "
        "come before."
    ),
    balance=(
        "It also pulls clusters to one size, by their mean over each mini-batch, for which 25 "
        "rows of each or more are good to have; n_subclusters do with four."
    ),
)
@estimator
class AAEClusterer(ClusterMixin, DrawsClasses, StartsFromKMeans, BaseAdversarialAutoencoder):
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
    n_subclusters : int, default=None
        Number of smaller clusters to train in their place, at least n_clusters, which are joined
        into n_clusters after training: first those that rows are unsure between the most, for their
        sizes. Clusters may then be of any size, where those that are trained are pulled to one;
        `join` joins them into another number. None trains n_clusters.
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
    subcluster_labels_ : ndarray of shape (n_in_use,)
        Cluster of each trained one that is in use; without n_subclusters that is itself.
    cluster_heads_ : ndarray of shape (n_clusters_, n_features)
        The decoded head of each cluster: its categorical code with a style of 0. Of a joined
        cluster, the head of its largest part.
    history_ : dict of str to list of float
        Mean of every loss in each epoch: "reconstruction", "discriminator_label",
        "discriminator_style", "generator_label", "generator_style", with init="k-means"
        "classification" (NaN after the first half) and, where asked for, "virtual_adversarial",
        "balance" and with init="random" "uncertainty", the last two times their weights, and
        "validation". NaN where a loss has not set in yet.
    n_iter_ : int
        Number of epochs trained.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had string column names.

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
    n_subclusters: int | None = None
    input_noise: float = 0.3
    batch_norm: str | None = "encoder"
    solver: str = "sgd"
    init: str = "k-means"
    virtual_adversarial_learning_rate: Any = 0.0
    virtual_adversarial_radius: Any = "auto"
    augment: Any = None

    _parameter_constraints = {
        **parameters.SHARED_CONSTRAINTS,
        **parameters.LABEL_CONSTRAINTS,
        "n_clusters": [parameters.COUNT],
        "n_subclusters": [parameters.COUNT, None],
        "init": INIT,
    }
    _classifies = True

    @_fit_context(prefer_skip_nested_validation=True)
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

    @_fit_context(prefer_skip_nested_validation=True)
    @fits
    def partial_fit(self, X, y=None):
        """Train for one epoch on X, going on from earlier calls of `partial_fit` or `fit`.

        The first call decides the scaling, so its rows should be typical of the data; with
        init="k-means" it is also the only one to teach clusters of k-means. All clusters are kept,
        those without a row too; after a `fit` the ones that it had dropped come last. With
        n_subclusters these are joined anew after each call, and numbered anew, by the rows of the
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
        self._partial_fit(X)
        return self

    def join(self, X):
        """Join the trained clusters anew, into what n_clusters is now, without training.

        To look at coarser and finer clusters of one model: `set_params(n_clusters=...)`, then this.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Typical rows, such as those of `fit`: clusters are joined by them, `labels_` are theirs,
            and clusters with none of them are dropped.

        Returns
        -------
        self : AAEClusterer

        Raises
        ------
        ValueError
            Where the model was fitted without n_subclusters, or n_clusters is above it.
        """
        check_is_fitted(self)
        self._validate_params()
        self._n_heads()
        if self.n_subclusters is None or self.n_subclusters != self._frozen["n_subclusters"]:
            raise ValueError(
                "join needs a model that was fitted with n_subclusters, which are what it joins; "
                f"n_subclusters={self.n_subclusters!r} now, and was "
                f"{self._frozen['n_subclusters']!r}. Set it, such as to some times n_clusters, and "
                "fit."
            )
        self._set_results(self._check_rows(X, reset=False), None, partial=False)
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
        return self._joined(self._logits(self._check_rows(X, reset=False)))

    def _frozen_parameters(self):
        frozen = super()._frozen_parameters()
        if self.n_subclusters is not None:
            del frozen["n_clusters"]  # what is trained does not depend on it
        return frozen

    def _require_same_model(self, X, how, afresh):
        super()._require_same_model(X, how, afresh)
        self._n_heads()

    def _is_balanced(self):
        return True

    def _is_smooth_first(self):
        return self.init == "random"

    def _require_rows(self, X):
        """Refuse fewer rows than clusters."""
        if len(X) < self.n_clusters:
            raise ValueError(
                f"X has n_samples={len(X)} rows, which is fewer than n_clusters={self.n_clusters}; "
                "lower n_clusters."
            )

    def _set_results(self, X, codes, *, partial):
        logits = self._logits(X)
        if partial:
            # those that `fit` has numbered keep their numbers
            every = np.arange(self._recipe.n_classes)
            numbered = getattr(self, "_heads", every[:0])
            self._heads = np.concatenate([numbered, np.setdiff1d(every, numbered)])
            self._set_clusters(logits)
            return
        self._heads = np.unique(logits.argmax(axis=1))
        self._set_clusters(logits)
        while len(found := np.unique(self.labels_)) < self.n_clusters_:
            # parts that lose all of their rows to the sum of a joined cluster
            self._heads = self._heads[np.isin(self.subcluster_labels_, found)]
            self._set_clusters(logits)

    def _set_clusters(self, logits):
        """Keep which cluster each head belongs to, by the logits of training rows."""
        probabilities = softmax(logits[:, self._heads], axis=1)
        self.subcluster_labels_ = join_clusters(probabilities, self.n_clusters)
        self.n_clusters_ = int(self.subcluster_labels_.max()) + 1
        shares = probabilities.mean(axis=0, dtype=float) + np.finfo(float).eps  # none is 0
        self._subcluster_shares = shares / shares.sum()
        self.labels_ = self._joined(logits).argmax(axis=1)
        style = np.zeros((self.n_clusters_, self._recipe.n_components), dtype=np.float32)
        self.cluster_heads_ = self.inverse_transform(style, np.arange(self.n_clusters_))

    def _joined(self, logits):
        """Return the probability of each cluster from the logits of all heads."""
        return softmax(logits[:, self._heads], axis=1) @ self._members().T.astype(logits.dtype)

    def _members(self):
        """Return which heads in use belong to which cluster, (n_clusters_, n_subclusters_)."""
        return np.equal.outer(np.arange(self.n_clusters_), self.subcluster_labels_)

    def _logits(self, X):
        """Return the label's logits of checked rows, for all heads."""
        return inference.logits(self._step, ScaledRows(X, self._scaling))

    def _n_heads(self):
        """Return the number of clusters to train."""
        n_heads = self.n_clusters if self.n_subclusters is None else self.n_subclusters
        if n_heads < self.n_clusters:
            raise ValueError(
                f"n_subclusters={n_heads} is fewer than n_clusters={self.n_clusters}, into which "
                "they are to be joined; raise it, or leave it None."
            )
        return n_heads

    def _blocks(self):
        n_heads = self._n_heads()
        return {
            "label": (Block(n_heads), Categorical(np.full(n_heads, 1.0 / n_heads))),
            "style": (Block(self.n_components), as_prior(self.prior)),
        }

    def _label_parts(self):
        parts = np.zeros((self.n_clusters_, self._recipe.n_classes))
        parts[:, self._heads] = self._members() * self._subcluster_shares
        return parts

    def _label_values(self):
        return np.arange(self.n_clusters_), self._members() @ self._subcluster_shares
