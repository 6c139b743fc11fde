"""SemiSupervisedAAEClassifier: classes from few labels and many rows (section 5 of the paper)."""

from __future__ import annotations

import functools
from dataclasses import field
from typing import Any

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skaae import inference
from skaae.clustering.assign import assign_components
from skaae.clustering.pseudo_labels import MAX_ROWS, clear_rows, spread_labels
from skaae.columns.scaling import ScaledRows
from skaae.estimators import parameters
from skaae.estimators.base import BaseAdversarialAutoencoder
from skaae.estimators.classes import DrawsClasses, ReadsClasses
from skaae.estimators.documentation import with_shared_parameters
from skaae.estimators.fitting import fits
from skaae.estimators.labels import UNKNOWN, UNLABELED, lookup_labels
from skaae.estimators.options import VirtualAdversarial, parameters_as_fields
from skaae.estimators.parameters import Model, replace_auto
from skaae.estimators.ranges import AUTO, COUNT
from skaae.networks.autoencoder import Block
from skaae.priors import Categorical, as_prior
from skaae.training.loop import ADD_PSEUDO_LABELS
from skaae.training.schedule import ASSIGN_COMPONENTS

# Labels of a class, for each of its components, that can say which rows are theirs; with fewer they
# only say which class components belong to that were found without them.
LABELS_PER_COMPONENT = 2


@with_shared_parameters(
    validation_loss="the cross-entropy",
    validation_rows="the labeled rows",
    solver="sgd",
    input_noise="0.3",
    labels="classes",
    virtual_adversarial='"auto"',
    stages=(
        "It sets in after a warm-up of a fifth of max_iter: until then it would hold clusters in "
        "place that are still on the move. With several components per class it comes first and "
        "finds them; see `components_per_class`."
    ),
    balance=(
        'Where class_prior is stated, not "labeled", or with several components per class, it '
        "also keeps the mean over each mini-batch at the class proportions, for which 25 rows of "
        "each class or more are good to have."
    ),
)
@parameters_as_fields
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
    class_prior : "labeled", "uniform", dict, Series or array-like of shape (n_classes,), \
default="labeled"
        Class proportions among all rows. "labeled" estimates them from the labeled rows, with one
        row added to each class. "uniform" makes all equal, as the paper does. A dict or a pandas
        Series gives the proportion of each class by name, an array in the order of `classes_`.
        Proportions that are stated, not estimated, are also kept by the virtual adversarial phase.
    components_per_class : int, default=1
        Mixture components that make up a class, as a digit has handwritings. The label part of the
        code has an entry for each, and the probability of a class is the sum over its components.
        With more than one the virtual adversarial phase comes first. Until three tenths of max_iter
        it finds components, until six tenths it moves borders between classes alone; then
        reconstruction and the label's discriminator join in. Where most classes have fewer than two
        labels for each component, labels wait until components are found, and then say which class
        each belongs to. Not part of the paper.
    unlabeled_label : "auto", scalar or None, default="auto"
        What marks an unlabeled row in y. Missing values (None, NaN, pandas.NA) always do, except
        with None, where every row must have a label. "auto" adds the number -1, unless y is exactly
        {-1, 1} without missing values, which is read as a plain binary target with a warning.
        A scalar adds that value, such as -1 or "unknown".
    pseudo_labels : "auto" or bool, default="auto"
        Whether unlabeled rows join the labeled ones in the classification phase where their class
        is clear. It is clear where the model predicts what `sklearn.semi_supervised.LabelSpreading`
        finds on a graph of nearest neighbours; the fifth of the rows that the graph is least sure
        of is left out. `fit` looks for such rows after each quarter of its epochs, once the model
        predicts nine in ten of the given labels; `partial_fit` never does. "auto" is True for at
        most 20,000 rows: the graph takes time that grows with their square. Not part of the paper.
    {label_parameters}
    {shared_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, never the marker of unlabeled rows.
    class_prior_ : ndarray of shape (n_classes,)
        The class proportions that the label part of the code was trained to follow.
    transduction_ : ndarray of shape (n_samples,)
        A label for every row of the last `fit` or `partial_fit`: the given one, or the predicted
        one where none was given.
    n_labeled_, n_unlabeled_ : int
        Rows of the last fit with and without a label.
    history_ : dict of str to list
        Mean of every loss in each epoch: "reconstruction", "discriminator_label",
        "discriminator_style", "generator_label", "generator_style", "classification" and, with the
        virtual adversarial phase, "virtual_adversarial". With class proportions to keep
        "class_balance", with several components per class "conditional_entropy", both times their
        weights. With early stopping "validation". NaN where a loss has not set in yet; one that
        never does is missing. "stage" holds the name of each epoch's stage: "train", or "warm-up"
        and "refine", or "find components", "find classes" and "refine".
    {shared_attributes}

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
        "posterior": parameters.POSTERIOR_CONSTRAINT,
        "class_prior": parameters.CLASS_PRIOR_CONSTRAINT,
        "unlabeled_label": parameters.UNLABELED_CONSTRAINT,
        "components_per_class": [COUNT],
        "pseudo_labels": [AUTO, "boolean"],
    }

    n_components: int = field(default=10, kw_only=False)
    input_noise: float = 0.3
    solver: str = "sgd"
    posterior: str = "deterministic"
    class_prior: Any = "labeled"
    components_per_class: int = 1
    unlabeled_label: Any = "auto"
    pseudo_labels: Any = "auto"
    virtual_adversarial: Any = "auto"
    augment: Any = None

    _classifies = True

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
        self._fit(X, self._read_classes(X, y))
        return self

    @fits
    def partial_fit(self, X, y, classes=None):
        """Train for one epoch on X, going on from earlier calls of `partial_fit` or `fit`.

        The first call decides the scaling and the class prior, so its rows should be typical. With
        several components per class and few labels of every class in that call, components are
        assigned to classes after it, and anew by each call whose y has labels of all classes, until
        the stage in which they are found is over.

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
        targets = self._read_more_classes(X, y, classes, first=first)
        self._fit(X, targets, partial=True)
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
        return log_softmax(self._logits(X), axis=1)

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
        targets = lookup_labels(
            y,
            self.classes_,
            self.unlabeled_label,
            estimator_name=type(self).__name__,
            unknown=UNKNOWN,
        )
        check_consistent_length(predicted, targets, sample_weight)
        labeled = targets != UNLABELED
        if not labeled.any():
            raise ValueError(
                f"y holds no labeled row: all {len(targets)} entries are unlabeled, and accuracy "
                "needs at least one label."
            )
        weights = None if sample_weight is None else np.asarray(sample_weight)[labeled]
        true = targets[labeled]
        found = np.searchsorted(self.classes_, predicted[labeled])
        return float(accuracy_score(true, found, sample_weight=weights))

    def _logits(self, X):
        """Return the label's logits of rows as the user gives them."""
        check_is_fitted(self)
        return inference.logits(self._step, self._scaled(X))

    def _model(self, targets):
        n_classes, several = len(self.classes_), self.components_per_class > 1
        label = Block(
            n_classes * self.components_per_class, components_per_class=self.components_per_class
        )
        # where components are found, the same class in all places would change nowhere
        keeps_proportions = self._is_prior_stated() or several
        return Model(
            {"label": label, "style": Block(self.n_components)},
            {"label": Categorical(self.class_prior_), "style": as_prior(self.prior)},
            classifies=True,
            assigns_later=several and self._has_few_labels(targets),
            pseudo_labels=self.pseudo_labels in ("auto", True),
            proportions=tuple(self.class_prior_) if keeps_proportions else None,
            average_weights=True,
            posterior=self.posterior,
            virtual_adversarial=replace_auto(self.virtual_adversarial, VirtualAdversarial()),
            augment=self.augment,
        )

    def _has_few_labels(self, targets):
        """Return whether labels can say which class a component belongs to, but not find it.

        So few would be learned row by row, and leave the rest of a group to another class.
        """
        counts = np.bincount(targets[targets >= 0], minlength=len(self.classes_))
        few = LABELS_PER_COMPONENT * self.components_per_class
        learned = 1.0 - self.validation_fraction if self.early_stopping else 1.0
        return counts.min() > 0 and learned * np.median(counts) < few

    def _actions(self, X, targets, streams):
        rows = streams[0].rows.cpu().numpy()
        actions = {ASSIGN_COMPONENTS: lambda: self._assign_components(X, targets, rows)}
        unlabeled = bool((targets[rows] < 0).any())
        if unlabeled and replace_auto(self.pseudo_labels, len(rows) <= MAX_ROWS):
            x = streams[0].tensors["x"]

            @functools.cache  # the graph is the same each time, and may not be asked for at all
            def spread():
                return spread_labels(x[torch.from_numpy(rows)].cpu().numpy(), targets[rows])

            actions[ADD_PSEUDO_LABELS] = lambda: self._add_pseudo_labels(streams, spread(), targets)
        return actions

    def _assign_components(self, X, targets, rows):
        """Give each component to a class, by the label of training rows and their classes.

        Where a class has no labeled row all keep the class that they have.
        """
        classes = np.arange(len(self.classes_))
        if np.isin(classes, targets[rows]).all():
            found = assign_components(self._encode_label(X[rows]), targets[rows], len(classes))
            self._step.assign_components(torch.from_numpy(np.equal.outer(classes, found)))

    def _add_pseudo_labels(self, streams, spread, targets):
        """Let rows join the labeled stream where the graph and the network agree."""
        if self._step.stage.assigns_later:
            return  # what it predicts is no class yet
        x, index = streams[0].tensors["x"], streams[0].rows
        rows = index.cpu().numpy()
        logits = inference.logits(self._step, x[index.to(x.device)].cpu().numpy())
        given, predicted = targets[rows], logits.argmax(axis=1)
        clear = clear_rows(spread, given, predicted)
        if clear is None:
            return
        y = np.full(len(x), UNLABELED)
        y[rows] = np.where(given >= 0, given, predicted)
        streams[1].tensors = {"x_labeled": x, "y_labeled": torch.from_numpy(y).to(index.device)}
        streams[1].rows = torch.from_numpy(rows[clear]).to(index.device)

    def _results(self, X, targets, *, partial):
        labeled, found = targets != UNLABELED, targets.copy()
        if not labeled.all():
            rows = ScaledRows(X[~labeled], self._scaling)
            found[~labeled] = inference.logits(self._step, rows).argmax(axis=1)
        return {
            "transduction_": self.classes_[found],
            "n_labeled_": int(labeled.sum()),
            "n_unlabeled_": int(len(targets) - labeled.sum()),
            "_proportions_of_components": self._count_components(X),
        }

    def _count_components(self, X):
        """Return the proportion of each component in its class, by training rows, or None."""
        if self._settings.components_per_class == 1:
            return None
        sizes = self._encode_label(X).mean(axis=0, dtype=float) + np.finfo(float).tiny
        members = self._step.trained.encoder.state_dict()["members"]
        found = members.cpu().numpy() * sizes
        return found / found.sum(axis=1, keepdims=True)

    def _component_proportions(self):
        return self._proportions_of_components

    def _encode_label(self, X):
        """Return the label of checked rows, each component by itself."""
        return inference.encode(self._step, ScaledRows(X, self._scaling), "label")
