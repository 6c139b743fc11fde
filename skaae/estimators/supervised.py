"""SupervisedAAETransformer: style apart from content (section 4 of the paper)."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skaae import inference
from skaae.estimators import parameters
from skaae.estimators.base import BaseAdversarialAutoencoder
from skaae.estimators.classes import DrawsClasses, ReadsClasses
from skaae.estimators.documentation import with_shared_parameters
from skaae.estimators.fitting import fits
from skaae.estimators.labels import lookup_labels
from skaae.estimators.options import parameters_as_fields
from skaae.estimators.parameters import Model, require_gaussian
from skaae.networks.autoencoder import Block
from skaae.priors import as_prior


@with_shared_parameters(
    validation_loss=(
        "The validation loss is the reconstruction loss plus the distance of codes to the prior "
        "(MMD). The discriminator's loss plays no part."
    ),
    validation_rows="the rows",
    solver="adam",
    input_noise="0.0",
)
@parameters_as_fields
class SupervisedAAETransformer(ReadsClasses, DrawsClasses, BaseAdversarialAutoencoder):
    """Transformer that splits rows into a known class and a style.

    The decoder gets the class of each row besides the code. So the code need not hold the class,
    and keeps only the style: how a row differs from others of its class (section 4 of "Adversarial
    Autoencoders", arXiv:1511.05644). A class-conditional discriminator pushes the styles towards a
    prior and keeps the class out of them.

    Parameters
    ----------
    n_components : int, default=10
        Dimensions of the style. The paper uses 15 on MNIST.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        The distribution that the styles are trained to follow; see `AAETransformer`.
    class_conditional : bool, default=True
        Whether the discriminator is class-conditional. If so, the styles of each single class
        follow the prior, and a style tells nothing about its class. False is the paper's: only the
        styles of all classes together follow the prior. In more than a few dimensions much of the
        class then stays in the styles.
    unlabeled_label : "auto", scalar or None, default="auto"
        What marks a row without a label; such rows raise an error here. With None every value is a
        class, even -1; see `SemiSupervisedAAEClassifier`.
    posterior : {"deterministic", "gaussian", "universal"}, default="deterministic"
        The form of q(z|x); see `AAETransformer`.
    regularizer : {"adversarial", "mmd", "kl"} or None, default="adversarial"
        What pushes styles towards the prior; see `AAETransformer`.
    regularizer_weight : "auto" or float, default="auto"
        Weight of "mmd" and "kl" beside the reconstruction loss; see `AAETransformer`.
    {shared_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes seen in `fit`.
    class_prior_ : ndarray of shape (n_classes,)
        The proportion of each class in the training rows, with one row added to each.
    history_ : dict of str to list
        Mean of every loss in each epoch: "reconstruction", and "discriminator_style" and
        "generator_style", or "discrepancy" (MMD) or "divergence" (KL), times its weight. Early
        stopping adds "validation". "stage" holds the name of each epoch's stage.
    {shared_attributes}

    See Also
    --------
    SemiSupervisedAAEClassifier : Predicts the class of rows that have none.

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

    n_components: int = field(default=10, kw_only=False)
    class_conditional: bool = True
    unlabeled_label: Any = "auto"
    posterior: str = "deterministic"
    regularizer: str | None = "adversarial"
    regularizer_weight: Any = "auto"

    _parameter_constraints = {
        **parameters.SHARED_CONSTRAINTS,
        **parameters.POSTERIOR_CONSTRAINTS,
        "class_conditional": ["boolean"],
        "unlabeled_label": parameters.UNLABELED_CONSTRAINT,
    }
    _auto_schedule = "cosine"
    _min_classes = 1

    @fits
    def fit(self, X, y):
        """Train on rows and their classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            A class for every row.

        Returns
        -------
        self : SupervisedAAETransformer

        Raises
        ------
        ValueError
            Where X is not a finite table of numbers, a row has no class, a parameter is out of its
            range, or the prior does not draw codes of n_components dimensions.
        FloatingPointError
            Where a loss or a weight is not finite in the first epoch. Later, training goes back
            one epoch and ends with a warning.
        """
        X = self._begin(X)
        targets = self._read_classes(X, y)
        self._require_labels(targets)
        self._fit(X, targets)
        return self

    @fits
    def partial_fit(self, X, y, classes=None):
        """Train for one epoch on X, going on from earlier calls of `partial_fit` or `fit`.

        The first call decides the scaling, so its rows should be typical of the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            A class for every row.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever come; needed in the first call if its y lacks some.

        Returns
        -------
        self : SupervisedAAETransformer

        Raises
        ------
        ValueError
            Where a row has no class or one that is none of the classes, `classes` are not those of
            the first call, or a parameter that the model is built from has changed.
        """
        first = not hasattr(self, "_step")
        X = self._begin(X, partial=True)
        targets = self._read_more_classes(X, y, classes, first=first)
        self._require_labels(targets)
        self._fit(X, targets, partial=True)
        return self

    def restyle(self, X, y):
        """Render each row as another class in its own style.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : scalar or array-like of shape (n_samples,)
            The class to render all rows as, or one for each.

        Returns
        -------
        X_restyled : ndarray of shape (n_samples, n_features), in the dtype and units of X

        Raises
        ------
        ValueError
            Where y holds a value that is none of `classes_`.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skaae import SupervisedAAETransformer
        >>> X, y = load_digits(return_X_y=True)
        >>> aae = SupervisedAAETransformer(max_iter=2, random_state=0).fit(X, y)
        >>> aae.restyle(X[:2], [3, 8]).shape  # the first row as a 3, the second as an 8
        (2, 64)
        """
        return self.inverse_transform(np.asarray(super().transform(X)), y)

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
        return self._in_units_of_X(inference.reconstruct(self._step, rows, targets))

    def score_samples(self, X, y=None):
        """Return minus the reconstruction loss of each row, given its class; higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            The class of each row. None scores each row with the class that gives it the highest
            score. So only rows that fit no class have a low score.

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
        return -losses.astype(np.float64)

    def score(self, X, y=None):
        """Return the mean of `score_samples`: minus the reconstruction loss, higher is better.

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

    def _model(self, targets):
        n_classes = len(self.classes_)
        adversarial = self.regularizer == "adversarial"
        conditional = adversarial and self.class_conditional
        require_gaussian(self.regularizer, self.posterior)
        style = Block(
            self.n_components, adversarial=adversarial, n_classes=n_classes if conditional else 0
        )
        return Model(
            {"label": Block(n_classes, latent=False, adversarial=False), "style": style},
            {"style": as_prior(self.prior)},
            batch_norm="encoder",
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
                f"y holds {n_unlabeled} unlabeled rows of {len(targets)} (missing, or marked so by "
                f"unlabeled_label={self.unlabeled_label!r}: with 'auto' that is -1), but "
                f"{type(self).__name__} needs the class of every row; drop them, predict their "
                "classes with SemiSupervisedAAEClassifier, or set unlabeled_label=None if -1 is a "
                "class."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
