"""SemiSupervisedAAEClassifier: classes from few labels and many rows (section 5 of the paper)."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skaae import inference
from skaae.clustering.assign import name_clusters
from skaae.clustering.pseudo_labels import MAX_ROWS, Agreement, spread_labels
from skaae.columns.scaling import ScaledRows
from skaae.estimators import parameters
from skaae.estimators.base import BaseAdversarialAutoencoder, estimator
from skaae.estimators.classes import DrawsClasses, ReadsClasses
from skaae.estimators.documentation import with_shared_parameters
from skaae.estimators.fitting import fits
from skaae.estimators.labels import UNKNOWN, UNLABELED, lookup_labels
from skaae.networks.autoencoder import Block
from skaae.priors import Categorical, as_prior


@with_shared_parameters(
    validation_loss="the cross-entropy",
    validation_rows="the labeled rows",
    solver="sgd",
    batch_norm="None",
    average_weights="True",
    adam_rate="0.0003",
    auto_schedule='"auto" is "constant".',
    input_noise="0.3",
    labels="classes",
    smoothing='"auto"',
    sets_in=(
        "It sets in after the first fifth of max_iter epochs (so not at all where early "
        "stopping comes before): until then it would hold clusters in place that are still on "
        "the move. With n_subclasses above 1 it comes first: for three fifths of max_iter the "
        "label head of the encoder moves by it and by the labeled rows alone, and the entropy of "
        "labels, a small cost, makes rows sure of them (Hu et al. 2017), in the first half of that "
        "time of their subclass, in the second of their class, which few labels wait for; then "
        "reconstruction and discriminator of the label join in. Early stopping, or an end of "
        "`partial_fit`, may come before."
    ),
    balance=(
        'Where class_prior is stated, not "labeled", or with n_subclasses, it also keeps the mean '
        "over each mini-batch at these shares, for which 25 rows of each class or more are good "
        "to have."
    ),
)
@estimator
class SemiSupervisedAAEClassifier(
    ClassifierMixin, ReadsClasses, DrawsClasses, BaseAdversarialAutoencoder
):
    """Classifier that learns from few labeled and many unlabeled rows.

    The code of a row has two parts: a softmax over the classes, pushed towards one-hot draws by one
    discriminator, and a style vector, pushed towards a prior by another. Every step reconstructs
    and regularizes on all rows, then lowers the cross-entropy of a batch of labeled rows
    (section 5 of "Adversarial Autoencoders", arXiv:1511.05644). An epoch goes through all rows
    once; the labeled ones start over as often as that needs.

    Parameters
    ----------
    n_components : int, default=10
        Dimensions of the style. With few of them (2 to 5 for small images) the decoder has to read
        the class from the label part, and `sample(n, y)` shows the class asked for; with many the
        style can hold the class too, which tends to help accuracy.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        What the style is to follow; see `AAETransformer`.
    posterior : {"deterministic", "gaussian", "universal"}, default="deterministic"
        The form of q(z|x), the style of a row; see `AAETransformer`. With "universal" the label
        depends on the encoder's normal inputs too, and `predict` goes by the mean of its logits.
    class_prior : "labeled", "uniform" or array-like of shape (n_classes,), default="labeled"
        Share of each class among all rows, in the order of `classes_`. "labeled" estimates it from
        the labeled rows, with one row added to each class; "uniform" makes all equal, as the paper
        does. Shares that are stated, not estimated, are also kept in the virtual adversarial phase.
    n_subclasses : int, default=1
        Groups that make up a class, as a digit has handwritings: the label part of the code has as
        many entries for each class, and the probability of a class is their sum. With more than one
        the virtual adversarial phase, which finds them, comes first; see there. Without that phase
        nothing does. Where most classes have fewer than two labels for each, labels wait until
        these are found, and then name them. Not part of the paper.
    unlabeled_label : "auto", scalar or None, default="auto"
        What marks an unlabeled row in y. Missing values (None, NaN, pandas.NA) always do, except
        with None, where every row must have a label. "auto" adds the number -1, unless y is exactly
        {-1, 1} without missing values, which is read as a plain binary target with a warning.
        A scalar adds that value, such as -1 or "unknown".
    classification_learning_rate : "auto" or float, default="auto"
        Learning rate of the classification phase. "auto" is 0.001 for "adam", 0.1 for "sgd".
    spread_labels : "auto" or bool, default="auto"
        Whether unlabeled rows join the labeled ones in the classification phase where their class
        is clear: where the model predicts what `sklearn.semi_supervised.LabelSpreading` finds on a
        graph of nearest neighbours, the fifth of the rows that the graph is least sure of apart.
        `fit` looks for such rows after each quarter of its epochs, once the model predicts nine in
        ten of the given labels; `partial_fit` never does. "auto" is True for at most 20,000 rows:
        the graph takes time that grows with their square. Not part of the paper.
    {label_parameters}
    {shared_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, never the marker of unlabeled rows.
    class_prior_ : ndarray of shape (n_classes,)
        The share of each class that the label part of the code was trained to follow.
    transduction_ : ndarray of shape (n_samples,)
        A label for every row of the last `fit` or `partial_fit`: the given one, or the predicted
        one where none was given.
    n_labeled_, n_unlabeled_ : int
        Rows of the last fit with and without a label.
    history_ : dict of str to list of float
        Mean of every loss in each epoch: "reconstruction", "discriminator_label",
        "discriminator_style", "generator_label", "generator_style", "classification", unless
        that phase is left out "virtual_adversarial", with a stated class_prior or subclasses
        "balance", with subclasses "uncertainty", the last two times their weights, and with early
        stopping "validation". NaN where a loss has not set in yet; one that never does is missing.
    n_iter_ : int
        Number of epochs trained.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had string column names.

    See Also
    --------
    AAETransformer : Codes that follow a prior, without labels.
    sklearn.semi_supervised.LabelSpreading : Labels spread over a graph of neighbours.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skaae import SemiSupervisedAAEClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> y_few = np.where(np.arange(len(y)) % 10 == 0, y, -1)  # 15 labels
    >>> clf = SemiSupervisedAAEClassifier(max_iter=50, random_state=0).fit(X, y_few)
    >>> clf.n_labeled_, clf.n_unlabeled_
    (15, 135)
    >>> clf.score(X, y) > 0.8
    True
    """

    _parameter_constraints = {
        **parameters.SHARED_CONSTRAINTS,
        **parameters.LABEL_CONSTRAINTS,
        "posterior": parameters.POSTERIOR,
        "class_prior": parameters.CLASS_PRIOR,
        "unlabeled_label": parameters.UNLABELED_CONSTRAINT,
        "classification_learning_rate": [parameters.AUTO, parameters.NON_NEGATIVE],
        "n_subclasses": [parameters.COUNT],
        "spread_labels": [parameters.AUTO, "boolean"],
    }

    n_components: int = field(default=10, kw_only=False)
    input_noise: float = 0.3
    solver: str = "sgd"
    average_weights: bool = True
    posterior: str = "deterministic"
    class_prior: Any = "labeled"
    n_subclasses: int = 1
    unlabeled_label: Any = "auto"
    classification_learning_rate: Any = "auto"
    spread_labels: Any = "auto"
    virtual_adversarial_learning_rate: Any = "auto"
    virtual_adversarial_radius: Any = "auto"
    augment: Any = None

    _classifies = True

    def _preparation(self, streams, codes, max_iter):
        """Return what lets rows join the labeled ones."""
        index = streams[0].rows.cpu().numpy()
        given = codes[index]
        wanted = self.spread_labels
        if wanted == "auto":
            wanted = len(index) <= MAX_ROWS
        if not wanted or (given != UNLABELED).all():
            return None
        spread = spread_labels(streams[0].tensors["x"][index].cpu().numpy(), given)
        return Agreement(streams[1], index, spread, given, max_iter)

    @_fit_context(prefer_skip_nested_validation=True)
    @fits
    def fit(self, X, y):
        """Train on labeled and unlabeled rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            All training rows, labeled or not.
        y : array-like of shape (n_samples,)
            Labels; -1 or a missing value where a row has none (see `unlabeled_label`).

        Returns
        -------
        self : SemiSupervisedAAEClassifier

        Raises
        ------
        ValueError
            Where X is not a finite table of numbers, y has no labeled row or one class only,
            a parameter is out of its range, or the prior does not draw codes of n_components
            dimensions.
        FloatingPointError
            Where a loss becomes infinite in the first epochs.
        """
        X = self._begin(X)
        codes = self._read_classes(X, y)
        self._fit(X, codes)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    @fits
    def partial_fit(self, X, y, classes=None):
        """Train for one epoch on X, going on from earlier calls of `partial_fit` or `fit`.

        The first call decides the scaling and the class prior, so its rows should be typical. With
        few labels of every class in that call, n_subclasses are named after it, and anew by each
        call whose y has labels of all classes, until the epochs in which they are found are over.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels; after the first call all may be unlabeled.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever come; needed in the first call if its y lacks some. The
            marker of unlabeled rows in it is ignored.

        Returns
        -------
        self : SemiSupervisedAAEClassifier
        """
        first = not hasattr(self, "_step")
        X = self._begin(X, partial=True)
        codes = self._read_more_classes(X, y, classes, first=first)
        self._partial_fit(X, codes)
        return self

    def predict(self, X):
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X):
        """Return the probability of each class, q(y|x).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`; rows sum to 1.
        """
        return softmax(self._logits(X), axis=1)

    def predict_log_proba(self, X):
        """Return the logarithm of `predict_proba`: shape (n_samples, n_classes).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def decision_function(self, X):
        """Return the logits of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes), or (n_samples,) with two classes
            With two classes, the log-odds of `classes_[1]`.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def score(self, X, y, sample_weight=None):
        """Return the accuracy on the labeled rows of y; unlabeled rows do not count.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        accuracy : float
        """
        predicted = self.predict(X)
        codes = lookup_labels(
            y,
            self.classes_,
            self.unlabeled_label,
            estimator_name=type(self).__name__,
            unknown=UNKNOWN,
        )
        check_consistent_length(predicted, codes, sample_weight)
        labeled = codes != UNLABELED
        if not labeled.any():
            raise ValueError(
                f"y holds no labeled row: all {len(codes)} entries are unlabeled, and accuracy "
                "needs at least one label."
            )
        weights = None if sample_weight is None else np.asarray(sample_weight)[labeled]
        true = codes[labeled]
        found = np.searchsorted(self.classes_, predicted[labeled])
        return float(accuracy_score(true, found, sample_weight=weights))

    def _logits(self, X):
        """Return the label's logits of rows as the user gives them."""
        check_is_fitted(self)
        return inference.logits(self._step, self._scaled(X))

    def _blocks(self):
        n_entries = len(self.classes_) * self.n_subclasses
        label = Block(n_entries, n_subclasses=self.n_subclasses)
        return {
            "label": (label, Categorical(self.class_prior_)),
            "style": (Block(self.n_components), as_prior(self.prior)),
        }

    def _is_balanced(self):
        # where smoothing comes first, the same class in all places would be smoothest
        return self._is_prior_stated() or self.n_subclasses > 1

    def _is_smooth_first(self):
        return self.n_subclasses > 1

    def _is_named_late(self):
        # so few labels would be learned row by row, and leave the rest of a group to another class
        few = parameters.NAMING_LABELS * self.n_subclasses
        learned = 1.0 - self.validation_fraction if self.early_stopping else 1.0
        can_name = self.n_subclasses > 1 and self._n_given.min() > 0
        return can_name and learned * np.median(self._n_given) < few

    def _set_classes(self, classes, codes):
        super()._set_classes(classes, codes)
        self._n_given = np.bincount(codes[codes != UNLABELED], minlength=len(classes))

    def _label_parts(self):
        return self._subclass_shares

    def _group(self, plan):
        if self._step.awaits_names:
            rows = plan.streams[0].rows.cpu().numpy()
            self._name_subclasses(self._encode_label(plan.X[rows]), plan.codes[rows])
        super()._group(plan)

    def _set_results(self, X, codes, *, partial):
        self._set_subclasses(X, codes)
        self._set_transduction(X, codes)

    def _set_subclasses(self, X, codes):
        """Keep how training rows share out the subclasses of each class."""
        self._subclass_shares = None
        if self._recipe.n_subclasses > 1:
            label = self._encode_label(X)
            if self._step.awaits_names:
                self._name_subclasses(label, codes)
            sizes = label.mean(axis=0, dtype=float) + np.finfo(float).tiny
            shares = self._step.trained.encoder.members.cpu().numpy() * sizes
            self._subclass_shares = shares / shares.sum(axis=1, keepdims=True)

    def _name_subclasses(self, label, codes):
        """Give each subclass to a class, by the label of training rows and their classes.

        Where a class has no labeled row all keep the class that they have.
        """
        classes = np.arange(len(self.classes_))
        if np.isin(classes, codes).all():
            members = np.equal.outer(classes, name_clusters(label, codes, len(classes)))
            self._step.name(torch.from_numpy(members))

    def _encode_label(self, X):
        """Return the label of checked rows, each subclass by itself."""
        return inference.encode(self._step, ScaledRows(X, self._scaling), "label")

    def _set_transduction(self, X, codes):
        """Keep a label for every training row: the given one or the predicted one."""
        labeled = codes != UNLABELED
        found = codes.copy()
        if not labeled.all():
            rows = ScaledRows(X[~labeled], self._scaling)
            found[~labeled] = inference.logits(self._step, rows).argmax(axis=1)
        self.transduction_ = self.classes_[found]
        self.n_labeled_ = int(labeled.sum())
        self.n_unlabeled_ = int(len(codes) - labeled.sum())
