"""AAEClusterer: the categorical part of the code is the cluster (section 6 of the paper)."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np
from sklearn.base import ClusterMixin
from sklearn.utils.validation import check_is_fitted

from skaae import inference
from skaae.clustering.initial import KEPT
from skaae.clustering.merge import largest_components, merge_components
from skaae.columns.network_rows import NetworkRows
from skaae.estimators import parameters, recipes
from skaae.estimators.base import BaseAdversarialAutoencoder
from skaae.estimators.classes import DrawsClasses
from skaae.estimators.documentation import OWN_AUTO, with_shared_parameters
from skaae.estimators.fitting import fits, given_validation
from skaae.estimators.initial_clusters import FindsInitialClusters
from skaae.estimators.labels import labeled_proportions
from skaae.estimators.model import Model, are_auto, are_many_images
from skaae.estimators.options import (
    SOLVERS,
    Solver,
    VirtualAdversarial,
    parameters_as_fields,
    replace_auto,
)
from skaae.estimators.ranges import AUTO, COUNT, NON_NEGATIVE, check_count
from skaae.inference import pieces
from skaae.networks.autoencoder import Block
from skaae.priors import Categorical, as_prior
from skaae.private_sklearn import StrOptions
from skaae.storage.rows import in_memory


@with_shared_parameters(
    **OWN_AUTO["clusterer"],
    validation_loss=(
        "The validation loss is the reconstruction loss plus the maximum mean discrepancy (MMD) "
        "between styles and samples of their prior."
    ),
    validation_rows="the rows",
    solver="auto",
    solver_names='{"auto", "adam", "sgd"}',
    input_noise='"auto"',
    noise_kinds='"auto" or float',
    labels="clusters",
    virtual_adversarial='"auto"',
    stages=(
        'With "auto", only many images have the phase; see `overclustering`. '
        'With init="k-means" the phase starts after the first fifth of max_iter. If it started '
        'earlier, it would fix borders before the clusters have formed. With "spectral" and '
        '"mixture" it starts at once. With init="random" it also '
        "starts at once, and finds the clusters: during the first 60 % of max_iter no other phase "
        "trains the label. In this case the loss also includes the conditional entropy of the "
        "label, so that each row gets one clear cluster (Hu et al., 2017)."
    ),
    balance=(
        "The phase also trains clusters to have the proportions of the first clusters in each "
        'mini-batch, or equal sizes with init="random". Mini-batches '
        "should then have at least 25 rows per cluster, or 4 per small cluster with "
        "over-clustering."
    ),
)
@parameters_as_fields
class AAEClusterer(FindsInitialClusters, ClusterMixin, DrawsClasses, BaseAdversarialAutoencoder):
    """Clustering with an adversarial autoencoder, where part of the code is the cluster.

    An autoencoder encodes each row into two parts. The label is a softmax over the clusters,
    trained against a discriminator to look like one-hot vectors. The style is a vector, trained
    against another discriminator to follow a prior. The decoder reconstructs each row from both
    parts. So rows that differ only in style get the same cluster (section 6 of "Adversarial
    Autoencoders", arXiv:1511.05644).

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters to find. After training, `fit` drops clusters without a training row.
    n_components : int, default=5
        Number of dimensions of the style. With more dimensions the decoder needs the clusters less,
        so they may separate the rows less well.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        The distribution that the styles are trained to follow; see `AAETransformer`.
    overclustering : "auto", int or None, default="auto"
        Number of small clusters to train, at least n_clusters. After training they are merged pair
        by pair until n_clusters are left. Each merge takes the pair with the highest affinity: the
        number of rows whose label is unsure between the two clusters, relative to the sizes of the
        clusters. Small clusters tend to have equal sizes, but merged clusters may have any size.
        `merge` can merge the small clusters into another number later. None trains n_clusters
        clusters and merges none. "auto" is None, but 60 for many images: at least 5000 rows of more
        than two different values, at most 20 clusters, `scaling_` is "range", the network is an
        MLP, solver is "auto" or `Adam`, and init and virtual_adversarial are "auto". Other
        parameters that are "auto" then have values of their own, such as init="random"; the user
        guide lists them.
    init : {"auto", "spectral", "mixture", "k-means", "random"}, default="auto"
        How the first clusters are found. Results differ little between seeds, except with "random".

        * "spectral": spectral clustering of the graph of nearest neighbours, so clusters may have
          any shape. Rows are whitened first: directions in which a row differs from its neighbours
          shrink. The label learns these clusters and keeps them.
        * "mixture": a mixture of Gaussians. The label learns these clusters and keeps them.
        * "k-means": k-means on the scaled rows. In the first half of training the label learns
          these clusters; in the second half it may depart from them.
        * "random": there are no first clusters, as in the paper. Adversarial training and
          reconstruction find clusters, or the virtual adversarial phase if it is on.
        * "auto" takes the first of these that fits: "random" for many images (see
          `overclustering`); "k-means" with over-clustering or in `partial_fit`; k-means whose
          clusters are kept, for sparse rows or if half of the inputs or more have at most 10
          different values; "mixture" if there are 3 rows for each parameter of the mixture, and a
          mixture of twice or four times as many Gaussians is no better by the Bayesian information
          criterion; "spectral".

        "spectral" and "mixture" learn from at most 5000 rows. Each flag and each category is an
        input. If k-means is kept, values of dense rows further than 3 standard deviations from the
        mean are clipped. It also replaces spectral clustering where that is impossible.
    {label_parameters}
    {shared_parameters}

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of every row of the last `fit` or `partial_fit`, from 0 to n_clusters_ - 1.
    n_clusters_ : int
        Number of clusters. After `fit`, each cluster has at least one training row.
    component_labels_ : ndarray of shape (n_in_use,)
        For each small cluster that is in use, the cluster that it was merged into. Without
        over-clustering nothing is merged, so this is 0 to n_clusters_ - 1.
    cluster_heads_ : ndarray of shape (n_clusters_, n_features)
        A typical row of each cluster, which the paper calls its head: the decoder's output for this
        cluster and the mean style of its rows. (In the paper, for a style of 0.) For a merged
        cluster it is that of its largest small cluster.
    history_ : dict of str to list
        Mean of every loss in each epoch, by name: "reconstruction", "discriminator_label",
        "discriminator_style", "generator_label" and "generator_style". First clusters add
        "classification" (with "k-means", NaN after the first half); clusters that are kept leave
        out the two losses of the label's discriminator. The virtual adversarial phase adds
        "virtual_adversarial", "class_balance" and, with init="random", "conditional_entropy"; the
        last two include their weights. Early stopping adds "validation". A loss is NaN in epochs
        without its phase. "stage" is the name of the training stage of each epoch. With clusters
        that are kept it is always "taught". With "k-means" the stages are "taught" and "free",
        after a "warm-up" if the virtual adversarial phase is on. With a random start, the only
        stage is "train", or with that phase, "find clusters" and "refine".
    {shared_attributes}

    See Also
    --------
    SemiSupervisedAAEClassifier : Similar model that learns classes from few labels.
    sklearn.cluster.KMeans : Assigns rows to the nearest cluster mean.

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
    overclustering: Any = "auto"
    input_noise: Any = "auto"
    solver: Any = "auto"
    init: str = "auto"
    virtual_adversarial: Any = "auto"
    augment: Any = None

    _parameter_constraints = {
        **parameters.SHARED_CONSTRAINTS,
        **parameters.LABEL_CONSTRAINTS,
        "n_clusters": [COUNT],
        "overclustering": [AUTO, COUNT, None],
        "input_noise": [AUTO, NON_NEGATIVE],
        "solver": [StrOptions({"auto", *SOLVERS}), Solver],
        "init": [StrOptions({"auto", "k-means", "spectral", "mixture", "random"})],
    }
    _classifies = True
    _scaling_of_mixed = "standard"

    @fits
    def fit(self, X, y=None, *, X_val=None):
        """Train the networks and find the clusters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        X_val : array-like of shape (n_val, n_features), default=None
            Rows for early stopping, so that it holds out no training rows. They are not trained on.

        Returns
        -------
        self : AAEClusterer

        Raises
        ------
        ValueError
            If X is not a finite table of numbers or has fewer rows than n_clusters, the value of a
            parameter is not allowed, or samples of the prior do not have n_components dimensions.
        FloatingPointError
            If an epoch ends with a loss or weight that is not finite, or with exploded weights, and
            three repeats with lower learning rates do so too, or if there is only one epoch.
        """
        X = self._begin(X)
        self._require_rows(X)
        self._fit(X, validation=given_validation(self, X_val))
        return self

    @fits
    def partial_fit(self, X, y=None):
        """Train for one epoch on X, continuing from earlier calls of `partial_fit` or `fit`.

        The first call determines the scaling, so its rows should be typical of the data. The label
        learns the first clusters (see `init`) in the first call only, so "spectral" and "mixture"
        need a `fit` first; later calls then teach the clusters that the model predicts. No cluster
        is dropped, even if it has no row. Clusters that an earlier `fit` has dropped return, and
        are numbered after the others. With over-clustering each call merges and numbers the
        clusters anew from its own rows, so the rows of every call should be typical.

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
            If the X of the first call has fewer rows than n_clusters, the first call has
            init="spectral" or "mixture", or a parameter that defines the model has changed.
        FloatingPointError
            If a loss or a weight is not finite. The model is then the same as before the call.
        """
        first = not hasattr(self, "_step")
        X = self._begin(X, partial=True)
        if first:
            self._require_rows(X)
        self._fit(X, partial=True)
        return self

    def merge(self, X, n_clusters):
        """Merge the trained small clusters into another number of clusters, without training.

        So one model gives both coarse and fine clusters. The fitted attributes change, but the
        parameter n_clusters does not.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Typical rows, such as those of `fit`. They determine which clusters are merged, and
            `labels_` is set to their clusters. Clusters without any of these rows are dropped.
        n_clusters : int
            Number of clusters to merge into, at most overclustering.

        Returns
        -------
        self : AAEClusterer

        Raises
        ------
        ValueError
            If the model was fitted without over-clustering, or n_clusters is larger than
            overclustering.

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
        unmerged = n_trained == self._frozen["n_clusters"]
        overclustering = self._frozen["overclustering"]
        if unmerged and overclustering in (None, "auto"):
            raise ValueError(
                "merge needs small clusters to merge, but the model was fitted with "
                f"overclustering={overclustering!r}, which trained none; set it to a few "
                "times n_clusters, and fit again."
            )
        if n_clusters > n_trained:
            raise ValueError(
                f"n_clusters={n_clusters} is more than the {n_trained} clusters that were trained; "
                "lower n_clusters, or raise overclustering and fit again."
            )
        logits = self._logits(self._check_rows(X))
        merged = merge_components(logits, n_clusters)
        self.__dict__.update(self._describe(merged, logits, self._styles))
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
            Rows sum to 1. The probability of a merged cluster is the sum over its small clusters.
        """
        check_is_fitted(self)
        return self._merged.probabilities(self._logits(self._check_rows(X)))

    def _require_rows(self, X):
        """Raise ValueError if there are fewer rows than clusters."""
        n_rows = in_memory(X)[0].shape[0]
        if n_rows < self.n_clusters:
            raise ValueError(
                f"X has n_samples={n_rows} rows, fewer than n_clusters={self.n_clusters}; "
                "lower n_clusters, or give more rows."
            )

    def _results(self, X, targets, *, partial, weights=None):
        logits, in_use = self._logits(X), None
        if partial:  # all clusters are in use; those that `fit` has numbered keep their numbers
            merged = getattr(self, "_merged", None)
            numbered = np.arange(0) if merged is None else merged.components
            others = np.setdiff1d(np.arange(self._settings.label_size), numbered)
            in_use = np.concatenate([numbered, others])
        styles = self._learn_styles(X, partial=partial, weights=weights)
        merged = merge_components(logits, self.n_clusters, in_use)
        return {**self._describe(merged, logits, styles), "_styles": styles}

    def _of_all_rows(self, X, targets, found):
        labels, rows = np.empty(len(X), dtype=np.int64), NetworkRows(X, self._table)
        for index in pieces(np.arange(len(X))):
            logits = inference.logits(self._step, rows.select(index))
            labels[index] = found["_merged"].probabilities(logits).argmax(axis=1)
        return {"labels_": labels}

    def _describe(self, merged, logits, styles):
        """Return the fitted attributes for merged clusters and for rows with these logits.

        The head of a cluster has the mean style of its largest component.
        """
        proportions = merged.component_proportions(self._settings.label_size)
        heads = largest_components(proportions).astype(self._table.dtype)
        style = np.zeros((merged.n_clusters, self._settings.n_components), dtype=heads.dtype)
        if styles is not None:  # models of version 0.3 may have none
            style[:] = styles.means[heads.argmax(axis=1)]
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

    def _initial_clusters(self, rows, *, partial):
        finds_small = not partial and self._finds_small(rows)
        if self.init == "random" or finds_small:
            return None
        if partial and self.init in KEPT:
            raise ValueError(
                f"init={self.init!r} learns its clusters in all epochs, but partial_fit finds "
                "clusters in its first call only; call fit first, or set init='k-means'."
            )
        n_trained = self._n_trained(finds_small=False)
        # partial_fit and small clusters depart from the first clusters, as only "k-means" lets them
        auto = "k-means" if partial or n_trained > self.n_clusters else "auto"
        return self._find_clusters(rows, n_trained, replace_auto(self.init, auto))

    def _finds_small(self, rows):
        """Return whether "auto" means to find small clusters, among many images, and merge them."""
        auto = are_auto(self.init, self.overclustering, self.virtual_adversarial)
        few = self.n_clusters <= recipes.MOST_CLUSTERS
        return auto and few and are_many_images(self, rows.table, len(rows))

    def _n_trained(self, *, finds_small):
        """Return the number of clusters to train, before any are merged."""
        auto = recipes.N_SMALL_CLUSTERS if finds_small else None
        n_trained = replace_auto(self.overclustering, auto) or self.n_clusters
        if n_trained < self.n_clusters:
            raise ValueError(
                f"overclustering={n_trained} is fewer than n_clusters={self.n_clusters}, into "
                "which these clusters are merged; raise it, or set overclustering=None."
            )
        return n_trained

    def _model(self, targets, table, *, dense, clusters):
        finds_small = clusters is None and self.init == "auto"
        n_trained = self._n_trained(finds_small=finds_small)
        kind, labels = clusters or (None, np.arange(n_trained))
        proportions = tuple(labeled_proportions(labels, n_trained))
        return Model(
            {"label": Block(n_trained), "style": Block(self.n_components)},
            {"label": Categorical(proportions), "style": as_prior(self.prior)},
            classifies=True,
            init=kind,
            proportions=proportions,
            recipe=recipes.SMALL_CLUSTERS if finds_small else recipes.CLUSTERS,
            virtual_adversarial=replace_auto(
                self.virtual_adversarial, VirtualAdversarial() if finds_small else None
            ),
            augment=self.augment,
        )

    def _component_proportions(self):
        return self._merged.component_proportions(self._settings.label_size)

    def _label_values(self):
        return np.arange(self._merged.n_clusters), self._merged.cluster_proportions()
