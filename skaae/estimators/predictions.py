"""Predictions of classes: the mixin of the classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skaae import inference
from skaae.estimators.labels import UNKNOWN, lookup_labels
from skaae.unlabeled import UNLABELED


class PredictsClasses:
    """Predicts the class of rows, with `class_weight`, and scores predictions."""

    # Attributes of the classifier.
    classes_: Any
    unlabeled_label: Any
    _step: Any
    _network_rows: Any

    _log_class_weights: Any = 0.0  # of models pickled before there were any

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
            Labels, as in `fit`. A label that is not in `classes_` counts as misclassified.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row. None gives all rows the same weight.

        Returns
        -------
        accuracy : float
            In [0, 1].

        Raises
        ------
        ValueError
            If no row has a label, or labels are of another type than `classes_`, such as text where
            the classes are numbers: no label would equal a class.
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
                f"y holds no labeled row: all {len(targets)} entries are unlabeled, but the "
                "accuracy needs at least one label; pass rows with labels."
            )
        weights = None if sample_weight is None else np.asarray(sample_weight)[labeled]
        found = np.searchsorted(self.classes_, predicted[labeled])
        return float(accuracy_score(targets[labeled], found, sample_weight=weights))

    def _logits(self, X):
        """Return the logits of classes, (n_samples, n_classes), for unscaled rows X."""
        check_is_fitted(self)
        return self._weighted_logits(self._network_rows(X))

    def _weighted_logits(self, rows):
        """Return the same for rows as networks see them."""
        logits = inference.logits(self._step, rows)
        return logits + np.asarray(self._log_class_weights, logits.dtype)
