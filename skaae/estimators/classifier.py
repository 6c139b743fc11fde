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
from skaae.clustering.pseudo_labels import MAX_ROWS, clear_rows, graph_labels
from skaae.columns.table import NetworkRows
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
from skaae.training.rows import BatchedRows, as_arrays
from skaae.training.schedule import ADD_PSEUDO_LABELS, ASSIGN_COMPONENTS

# Labels of a class per component that are enough to find the components. Fewer labels can only
# assign components, found without them, to classes.
LABELS_PER_COMPONENT = 2


@with_shared_parameters(
    validation_loss="The validation loss is the cross-entropy.",
    validation_rows="the labeled rows",
    solver="sgd",
    input_noise="0.3",
    labels="classes",
    virtual_adversarial='"auto"',
    stages=(
        "The phase starts after a warm-up of a fifth of max_iter: earlier it would fix borders in "
        "place before the classes have formed. With several components per class it comes first "
        "and finds them; see `components_per_class`."
    ),
    balance=(
        "The phase also keeps the mean label of each mini-batch at the class proportions, if "
        'class_prior is not "labeled" or there are several components per class. For that, '
        "mini-batches should have at least 25 rows per class."
    ),
)
@parameters_as_fields
class SemiSupervisedAAEClassifier(
    ClassifierMixin, ReadsClasses, DrawsClasses, BaseAdversarialAutoencoder
):
    """Classifier that learns from few labeled and many unlabeled rows.

    The code of a row has two parts. The label is a softmax over the classes; a discriminator pushes
    it towards one-hot vectors. The style is a vector; another discriminator pushes it towards a
    prior. Each step reconstructs and regularizes a mini-batch of all rows, then lowers the
    cross-entropy of a mini-batch of labeled rows (section 5 of "Adversarial Autoencoders",
    arXiv:1511.05644). An epoch uses every row once. It repeats the labeled rows until each of its
    steps has a mini-batch of them.

    Parameters
    ----------
    n_components : int, default=10
        Dimensions of the style. With few of them (2 to 5 for small images) the decoder has to read
        the class from the label, and `sample(n, y)` returns rows of the class y. With many, the
        style can hold the class too, which tends to help accuracy.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        The distribution that the styles are trained to follow; see `AAETransformer`.
    posterior : {"deterministic", "gaussian", "universal"}, default="deterministic"
        The form of q(z|x), the distribution of a row's style; see `AAETransformer`. With
        "universal" the label depends on the encoder's noise inputs too, and `predict` uses its mean
        logits.
    class_prior : "labeled", "uniform", dict, Series or array-like of shape (n_classes,), \
default="labeled"
        Class proportions among all rows. "labeled" estimates them from the labeled rows, with one
        row added to each class. "uniform" makes all equal, as the paper does. A dict or a pandas
        Series gives the proportion of each class by its label, an array in the order of `classes_`.
        The virtual adversarial phase, too, keeps to proportions that are not estimated.
    components_per_class : int, default=1
        Number of mixture components that make up a class, such as the handwritings of a digit. The
        label has an entry for each component, and the probability of a class is the sum over its
        components. With more than one, the virtual adversarial phase comes first. It finds the
        components in the first three tenths of max_iter. In the next three tenths it moves only the
        borders between classes. After that, reconstruction and the label's discriminator train the
        label too. If most classes have fewer than two labels per component, classification waits
        until the components are found. The labels then assign each component to a class. Not part
        of the paper.
    unlabeled_label : "auto", scalar or None, default="auto"
        What marks an unlabeled row in y. Missing values (None, NaN, pandas.NA) always do, unless
        this is None: then every row must have a label. With "auto" the number -1 does too. But
        if y holds exactly the values {-1, 1} and none is missing, -1 is read as a class, with a
        warning. A scalar, such as -1 or "unknown", marks unlabeled rows besides missing values.
    pseudo_labels : "auto" or bool, default="auto"
        Whether the classification phase also trains on unlabeled rows whose class is clear. A class
        is clear if the model predicts it and `sklearn.semi_supervised.LabelSpreading`, on a graph
        of nearest neighbours, finds the same. The fifth of the rows that the graph is least sure of
        never count as clear. `fit` looks for clear rows after each quarter of its epochs, once the
        model predicts nine in ten of the given labels. `partial_fit` never does. "auto" is True for
        at most 20,000 rows, since the time for the graph grows with their square. Not part of the
        paper.
    {label_parameters}
    {shared_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, never the marker of unlabeled rows.
    class_prior_ : ndarray of shape (n_classes,)
        The class proportions that the label was trained to follow.
    transduction_ : ndarray of shape (n_samples,)
        A class for every row of the last `fit` or `partial_fit`: the given one, or the predicted
        one where none was given.
    n_labeled_, n_unlabeled_ : int
        Number of rows of the last fit with and without a label.
    history_ : dict of str to list
        Mean of every loss in each epoch: "reconstruction", "discriminator_label",
        "discriminator_style", "generator_label", "generator_style" and "classification". The
        virtual adversarial phase adds "virtual_adversarial", "class_balance" where it keeps class
        proportions, and "conditional_entropy" with several components per class; the last two
        include their weights. Early stopping adds "validation". A loss is NaN in epochs before its
        phase starts, and is missing if the phase never starts. "stage" holds the name of each
        epoch's stage: "train", or "warm-up" and "refine", or "find components", "find classes" and
        "refine".
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
            Where a loss or a weight is not finite in the first epoch. Later, training goes back
            one epoch and ends with a warning.
        """
        X = self._begin(X)
        self._fit(X, self._read_classes(X, y))
        return self

    @fits
    def partial_fit(self, X, y, classes=None):
        """Train for one epoch on X, going on from earlier calls of `partial_fit` or `fit`.

        The first call decides the scaling and the class prior, so its rows should be typical. It
        also decides whether classification waits until components are found; see
        `components_per_class`. If so, each call whose y has labels of all classes assigns the
        components to classes anew, until the stage that finds components ends.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels, as in `fit`; after the first call all rows may be unlabeled.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever come; needed in the first call if its y lacks some. The
            marker of unlabeled rows may be among them and is ignored.

        Returns
        -------
        self : SemiSupervisedAAEClassifier

        Raises
        ------
        ValueError
            Where y holds a label that is none of the classes, `classes` are not those of the first
            call, or a parameter that the model is built from has changed.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skaae import SemiSupervisedAAEClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = SemiSupervisedAAEClassifier(random_state=0)
        >>> for start in (0, 1):  # two mini-batches of the rows, each with all classes
        ...     clf = clf.partial_fit(X[start::2], y[start::2])
        >>> clf.n_iter_
        2
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
        """Return the logits of the classes: unnormalised log-probabilities.

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
            Labels, as in `fit`. A label that is none of `classes_` counts as an error.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row; None weighs all the same.

        Returns
        -------
        accuracy : float
            In [0, 1].

        Raises
        ------
        ValueError
            Where no row has a label.
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
        found = np.searchsorted(self.classes_, predicted[labeled])
        return float(accuracy_score(targets[labeled], found, sample_weight=weights))

    def _logits(self, X):
        """Return the logits of classes, (n_samples, n_classes), for rows in the user's units."""
        check_is_fitted(self)
        return inference.logits(self._step, self._network_rows(X))

    def _model(self, targets):
        per_class = self.components_per_class
        label = Block(len(self.classes_) * per_class, components_per_class=per_class)
        # where the loss finds components itself, one class for all rows would cost nothing
        keeps_proportions = self._is_prior_stated() or per_class > 1
        return Model(
            {"label": label, "style": Block(self.n_components)},
            {"label": Categorical(self.class_prior_), "style": as_prior(self.prior)},
            classifies=True,
            assigns_later=per_class > 1 and self._has_few_labels(targets),
            pseudo_labels=self.pseudo_labels in ("auto", True),
            proportions=tuple(self.class_prior_) if keeps_proportions else None,
            average_weights=True,
            posterior=self.posterior,
            virtual_adversarial=replace_auto(self.virtual_adversarial, VirtualAdversarial()),
            augment=self.augment,
        )

    def _has_few_labels(self, targets):
        """Return whether labels are enough to assign components to classes, but not to find them.

        So few labels would be learned row by row, and other classes would get the rows around them.
        """
        counts = np.bincount(targets[targets >= 0], minlength=len(self.classes_))
        few = LABELS_PER_COMPONENT * self.components_per_class
        learned = 1.0 - self.validation_fraction if self.early_stopping else 1.0
        return counts.min() > 0 and learned * np.median(counts) < few

    def _actions(self, X, targets, streams):
        rows = streams[0].rows.cpu().numpy()
        actions = {ASSIGN_COMPONENTS: lambda: self._assign_components(X, targets, rows)}
        unlabeled = bool((targets[rows] < 0).any())
        x = streams[0].tensors["x"]
        small = len(rows) <= MAX_ROWS and not isinstance(x, BatchedRows)
        if unlabeled and replace_auto(self.pseudo_labels, small):

            @functools.cache  # the graph is the same each time, and may not be asked for at all
            def by_graph():
                return graph_labels(as_arrays(x, rows)[:], targets[rows])

            actions[ADD_PSEUDO_LABELS] = lambda: self._add_pseudo_labels(
                streams, by_graph(), targets
            )
        return actions

    def _assign_components(self, X, targets, rows):
        """Assign each component to a class, by the labeled ones among training rows X[rows].

        Nothing changes if a class has no labeled row.
        """
        classes = np.arange(len(self.classes_))
        if np.isin(classes, targets[rows]).all():
            found = assign_components(self._encode_label(X[rows]), targets[rows], len(classes))
            self._step.assign_components(torch.from_numpy(np.equal.outer(classes, found)))

    def _add_pseudo_labels(self, streams, by_graph, targets):
        """Add the rows to the labeled stream whose class the graph and the network agree on."""
        if self._step.stage.assigns_later:
            return  # components have no class yet
        x, index = streams[0].tensors["x"], streams[0].rows
        rows = index.cpu().numpy()
        logits = inference.logits(self._step, as_arrays(x, rows))
        given, predicted = targets[rows], logits.argmax(axis=1)
        clear = clear_rows(by_graph, given, predicted)
        if clear is None:
            return
        y = np.full(len(x), UNLABELED)
        y[rows] = np.where(given >= 0, given, predicted)
        streams[1].tensors = {"x_labeled": x, "y_labeled": torch.from_numpy(y).to(index.device)}
        streams[1].rows = torch.from_numpy(rows[clear]).to(index.device)

    def _results(self, X, targets, *, partial):
        labeled, found = targets != UNLABELED, targets.copy()
        if not labeled.all():
            rows = NetworkRows(X[~labeled], self._table)
            found[~labeled] = inference.logits(self._step, rows).argmax(axis=1)
        return {
            "transduction_": self.classes_[found],
            "n_labeled_": int(labeled.sum()),
            "n_unlabeled_": int(len(targets) - labeled.sum()),
            "_proportions_of_components": self._count_components(X),
        }

    def _count_components(self, X):
        """Return the proportion of each component in its class among rows X.

        Of shape (n_classes, n_components), or None where each class has one component.
        """
        if self._settings.components_per_class == 1:
            return None
        sizes = self._encode_label(X).mean(axis=0, dtype=float) + np.finfo(float).tiny
        members = self._step.trained.encoder.state_dict()["members"]
        found = members.cpu().numpy() * sizes
        return found / found.sum(axis=1, keepdims=True)

    def _component_proportions(self):
        return self._proportions_of_components

    def _encode_label(self, X):
        """Return the label of checked rows X, (n_samples, n_components): one entry a component."""
        return inference.encode(self._step, NetworkRows(X, self._table), "label")
