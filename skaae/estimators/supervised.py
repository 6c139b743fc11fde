"""SupervisedAAETransformer: separates style from a known class (section 4 of the paper)."""

from __future__ import annotations

import math
from dataclasses import field
from typing import Any

import numpy as np
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skaae import inference
from skaae.columns import frames
from skaae.columns.network_rows import NetworkRows
from skaae.estimators import parameters, recipes
from skaae.estimators.base import BaseAdversarialAutoencoder
from skaae.estimators.classes import DrawsClasses, ReadsClasses
from skaae.estimators.documentation import with_shared_parameters
from skaae.estimators.fitting import fits
from skaae.estimators.labels import lookup_labels
from skaae.estimators.model import Model
from skaae.estimators.options import parameters_as_fields, replace_auto
from skaae.estimators.parameters import require_gaussian
from skaae.estimators.ranges import AUTO, COUNT
from skaae.estimators.rows import check_in_memory
from skaae.networks.autoencoder import Block
from skaae.priors import as_prior

# Dimensions of the style with "auto".
MOST_COMPONENTS = 10


@with_shared_parameters(
    validation_loss=(
        "The validation loss is the reconstruction loss plus the maximum mean discrepancy (MMD) "
        "between codes and samples of the prior."
    ),
    validation_rows="the rows",
    solver="adam",
    input_noise="0.0",
    most_epochs="400",
)
@parameters_as_fields
class SupervisedAAETransformer(ReadsClasses, DrawsClasses, BaseAdversarialAutoencoder):
    """Transformer that encodes what a known class does not say about a row: its style.

    The encoder maps each row to a code, and the decoder reconstructs the row from the code and the
    class. So the code need not contain the class, and describes the style: how the row differs from
    other rows of its class (section 4 of "Adversarial Autoencoders", arXiv:1511.05644). Adversarial
    training makes the styles within each class follow the same prior, so that a style says nothing
    about the class.

    Parameters
    ----------
    n_components : "auto" or int, default="auto"
        Number of dimensions of the style. The paper uses 15 on MNIST. "auto" is a third of the
        number of columns of X, rounded up, and at most 10. With nearly as many dimensions as
        columns, the style has room for the class too, and then it says which class a row has.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        The distribution that the styles are trained to follow; see `AAETransformer`.
    class_conditional : bool, default=True
        Whether the discriminator also gets the class of each row. If so, the styles within each
        class follow the prior, and a style says nothing about its class. With False, as in the
        paper, only the styles of all classes together follow the prior, so styles of more than a
        few dimensions still contain much of the class.
    unlabeled_label : "auto", scalar or None, default="auto"
        The value of y that marks an unlabeled row. Unlabeled rows raise an error here. With None
        every value is a class, even -1; see `SemiSupervisedAAEClassifier`.
    posterior : {"deterministic", "gaussian", "universal"}, default="deterministic"
        The form of q(z|x), the distribution of a row's style; see `AAETransformer`.
    regularizer : {"adversarial", "mmd", "kl"} or None, default="adversarial"
        The training loss that makes styles follow the prior; see `AAETransformer`.
    regularizer_weight : "auto" or float, default="auto"
        Weight of the "mmd" or "kl" loss; see `AAETransformer`.
    {shared_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes seen in `fit`.
    class_prior_ : ndarray of shape (n_classes,)
        The proportion of each class in the training rows, counted with one extra row per class.
    history_ : dict of str to list
        Mean of every loss in each epoch, by name. "reconstruction" is always there. The regularizer
        adds "discriminator_style" and "generator_style" (adversarial), "mmd" or "kl"; these
        last two include their weight. Early stopping adds "validation".
        "stage" is not a loss but the name of the training stage of each epoch.
    {shared_attributes}

    See Also
    --------
    SemiSupervisedAAEClassifier : Predicts the class of unlabeled rows.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skaae import SupervisedAAETransformer
    >>> X, y = load_digits(return_X_y=True)
    >>> aae = SupervisedAAETransformer(n_components=4, max_iter=5, random_state=0).fit(X, y)
    >>> aae.transform(X).shape
    (1797, 4)
    >>> aae.restyle(X[:3], 7).shape  # three sevens in the styles of the first three rows
    (3, 64)
    """

    n_components: Any = field(default="auto", kw_only=False)
    class_conditional: bool = True
    unlabeled_label: Any = "auto"
    posterior: str = "deterministic"
    regularizer: str | None = "adversarial"
    regularizer_weight: Any = "auto"

    _parameter_constraints = {
        **parameters.SHARED_CONSTRAINTS,
        **parameters.POSTERIOR_CONSTRAINTS,
        "n_components": [AUTO, COUNT],
        "class_conditional": ["boolean"],
        "unlabeled_label": parameters.UNLABELED_CONSTRAINT,
    }
    _min_classes = 1

    @fits
    def fit(self, X, y, *, X_val=None, y_val=None):
        """Train on rows and their classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            A class for every row.
        X_val : array-like of shape (n_val, n_features), default=None
            Rows for early stopping, so that it holds out no training rows. They are not trained on.
        y_val : array-like of shape (n_val,), default=None
            The classes of X_val.

        Returns
        -------
        self : SupervisedAAETransformer

        Raises
        ------
        ValueError
            If X is not a finite table of numbers, a row has no class, the value of a parameter is
            not allowed, or the samples of the prior do not have n_components dimensions.
        FloatingPointError
            If an epoch ends with a loss or weight that is not finite, or with exploded weights, and
            three repeats with lower learning rates do so too, or if there is only one epoch.
        """
        X = self._begin(X)
        targets = self._read_classes(X, y)
        self._require_labels(targets)
        self._fit(X, targets, validation=self._validation(X_val, y_val))
        return self

    @fits
    def partial_fit(self, X, y, classes=None):
        """Train for one epoch on X, continuing from earlier calls of `partial_fit` or `fit`.

        The first call determines the scaling, so its rows should be typical of the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            A class for every row.
        classes : array-like of shape (n_classes,), default=None
            All classes of this and later calls. The first call needs them if its y does not contain
            every class.

        Returns
        -------
        self : SupervisedAAETransformer

        Raises
        ------
        ValueError
            If a row has no class, y contains a label that is not one of the classes, `classes`
            differ from those of the first call, or a parameter that defines the model has changed.
        FloatingPointError
            If a loss or a weight is not finite. The model is then the same as before the call.
        """
        first = not hasattr(self, "_step")
        X = self._begin(X, partial=True)
        targets = self._read_more_classes(X, y, classes, first=first)
        self._require_labels(targets)
        self._fit(X, targets, partial=True)
        return self

    def restyle(self, X, y):
        """Encode each row to its style, and decode the style with another class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : scalar or array-like of shape (n_samples,)
            One class for all rows, or a class for each row.

        Returns
        -------
        X_restyled : ndarray of shape (n_samples, n_features), in the dtype and units of X

        Raises
        ------
        ValueError
            If y contains a value that is not in `classes_`.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skaae import SupervisedAAETransformer
        >>> X, y = load_digits(return_X_y=True)
        >>> aae = SupervisedAAETransformer(max_iter=2, random_state=0).fit(X, y)
        >>> aae.restyle(X[:2], [3, 8]).shape  # the first row as a 3, the second as an 8
        (2, 64)
        """
        found = self.inverse_transform(np.asarray(super().transform(X)), y)
        return frames.with_index(found, X)

    def reconstruct(self, X, y):  # type: ignore[override]  # the class is part of the code
        """Encode rows and decode them again with their classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            The class of each row.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features), in the dtype and units of X
        """
        check_is_fitted(self)
        rows = self._network_rows(X)
        targets = self._lookup(y, rows)
        found = self._in_units_of_X(inference.reconstruct(self._step, rows, targets))
        return frames.with_index(found, X)

    def impute(self, X, y):  # type: ignore[override]  # the class is part of the code
        """Fill the gaps of rows; known values stay as they are.

        A gap gets the value of the reconstruction. If the training rows had gaps, a number gets the
        mean of that and of what a linear rule expects from the known values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with missing values: NaN, None or pandas.NA.
        y : array-like of shape (n_samples,)
            The class of each row.

        Returns
        -------
        X_filled : ndarray or data frame of shape (n_samples, n_features), as X is
            Only a column without any value in the training rows keeps its gaps.
        """
        check_is_fitted(self)
        rows = NetworkRows(check_in_memory(self, X), self._table)
        found = inference.reconstruct(self._step, rows, self._lookup(y, rows))
        return self._table.fill(X, rows.rows, found)

    def score_samples(self, X, y=None):
        """Return minus the reconstruction loss of each row, given its class; higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            The class of each row. None uses the class that gives the row its highest score, so only
            rows that fit no class have a low score.

        Returns
        -------
        scores : float64 ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        rows = self._network_rows(X)
        if y is not None:
            losses = inference.reconstruction_losses(self._step, rows, self._lookup(y, rows))
        else:
            every_class = np.arange(len(self.classes_))[:, None].repeat(len(rows), axis=1)
            losses = np.min(
                [inference.reconstruction_losses(self._step, rows, k) for k in every_class], axis=0
            )
        return -losses

    def score(self, X, y=None):
        """Return the mean of `score_samples`, so a higher score is a better reconstruction.

        The losses are in scaled units, so scores of different `scaling` cannot be compared; see
        `AAETransformer.score`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            The classes of the rows; see `score_samples`.

        Returns
        -------
        score : float
        """
        return float(self.score_samples(X, y).mean())

    def _model(self, targets, table, *, dense, clusters):
        n_classes = len(self.classes_)
        adversarial = self.regularizer == "adversarial"
        conditional = adversarial and self.class_conditional
        require_gaussian(self.regularizer, self.posterior)
        auto = min(math.ceil(len(table.schema.columns) / 3), MOST_COMPONENTS)
        size = replace_auto(self.n_components, auto)
        style = Block(size, adversarial=adversarial, n_classes=n_classes if conditional else 0)
        return Model(
            {"label": Block(n_classes, latent=False, adversarial=False), "style": style},
            {"style": as_prior(self.prior)},
            recipe=recipes.STYLES,
            posterior=self.posterior,
            regularizer=self.regularizer,
            regularizer_weight=self.regularizer_weight,
        )

    def _lookup(self, y, rows):
        """Return the class index of every row, (n_samples,)."""
        targets = lookup_labels(
            y, self.classes_, self.unlabeled_label, estimator_name=type(self).__name__
        )
        self._require_labels(targets)
        check_consistent_length(rows, targets)
        return targets

    def _require_labels(self, targets):
        """Raise ValueError if a row has no class."""
        n_unlabeled = int((targets < 0).sum())
        if n_unlabeled:
            raise ValueError(
                f"y holds {n_unlabeled} unlabeled rows of {len(targets)} (missing values, or the "
                f"marker of unlabeled_label={self.unlabeled_label!r}; 'auto' means -1), but "
                f"{type(self).__name__} needs the class of every row; drop them, predict their "
                "classes with SemiSupervisedAAEClassifier, or set unlabeled_label=None if -1 is a "
                "class."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
