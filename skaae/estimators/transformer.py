"""AAETransformer: rows to codes that follow a prior, and back (sections 2 and 3 of the paper)."""

from __future__ import annotations

from dataclasses import field
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaae import inference, likelihood
from skaae.estimators import parameters
from skaae.estimators.base import BaseAdversarialAutoencoder
from skaae.estimators.classes import MayReadClasses
from skaae.estimators.documentation import with_shared_parameters
from skaae.estimators.fitting import fits
from skaae.estimators.labels import one_hot
from skaae.estimators.options import parameters_as_fields
from skaae.estimators.parameters import Model, make_cpu_generator, require_gaussian
from skaae.estimators.ranges import check_count
from skaae.networks.autoencoder import Block
from skaae.priors import as_prior
from skaae.priors._prior import refuse_components


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
class AAETransformer(MayReadClasses, BaseAdversarialAutoencoder):
    """Adversarial autoencoder that turns rows into codes following a chosen prior.

    An encoder and a decoder learn to reconstruct rows. A discriminator pushes the distribution of
    the codes towards the prior, so that every sample of the prior decodes into a plausible row
    (section 2 of "Adversarial Autoencoders", arXiv:1511.05644).

    Parameters
    ----------
    n_components : int, default=2
        Dimensions of the code.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        The distribution that the codes are trained to follow: "gaussian" (standard normal),
        "uniform" on [-2, 2], "petals" (10 Gaussians on a ring) or "swiss_roll"; an instance from
        `skaae.priors`; a frozen `scipy.stats` distribution; a fitted scikit-learn model with
        `sample`; or a callable `(n_samples, rng)` that returns an array of shape
        (n_samples, n_components).
    posterior : {"deterministic", "gaussian", "universal"}, default="deterministic"
        The form of q(z|x), the distribution of a row's code (section 2). "deterministic": one code
        per row. "gaussian": a normal whose mean and variances the encoder gives. "universal": any
        shape; the encoder also gets 10 inputs of normal noise. `transform` returns the mean of
        q(z|x). With "universal" this is an average over 16 samples of the noise, which are the same
        for every row.
    regularizer : {"adversarial", "mmd", "kl"} or None, default="adversarial"
        What pushes codes towards the prior. "adversarial": a discriminator. "mmd": the maximum mean
        discrepancy between a batch of codes and samples of the prior, without an adversary. "kl":
        the divergence of q(z|x) from the prior. It needs posterior="gaussian" and a prior with a
        density ("gaussian", "petals", GaussianMixture). None: nothing.
    regularizer_weight : "auto" or float, default="auto"
        Weight of "mmd" and "kl" beside the reconstruction loss. For "mmd", "auto" is 0.1 times the
        mean squared distance of the scaled rows from their mean. For "kl" and the squared error,
        the weight is the variance of a feature under the decoder, and "auto" is the mean variance
        of the scaled features. For "kl" and the cross-entropy, "auto" is 1.
    use_labels : bool, default=False
        Whether `fit` uses y to tie class k, in the order of `classes_`, to component k of the prior
        (section 2.3). The discriminator is then class-conditional: it sees the class of each row,
        or that the row has none. This needs a prior with one component for each class ("petals",
        "swiss_roll", GaussianMixture) and regularizer="adversarial". All, some or no rows may have
        a label.
    unlabeled_label : "auto", scalar or None, default="auto"
        With use_labels: what marks an unlabeled row in y; see `SemiSupervisedAAEClassifier`.
    {shared_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        With use_labels, the classes of the labeled rows.
    history_ : dict of str to list
        Mean of every loss in each epoch: "reconstruction", and "discriminator_style" and
        "generator_style", or "discrepancy" (MMD) or "divergence" (KL), times its weight. Early
        stopping adds "validation". "stage" holds the name of each epoch's stage.
    {shared_attributes}

    See Also
    --------
    SemiSupervisedAAEClassifier : Classifies from few labels, by the same kind of training.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skaae import AAETransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> aae = AAETransformer(n_components=2, max_iter=5, random_state=0).fit(X)
    >>> aae.transform(X).shape
    (1797, 2)
    >>> aae.sample(3, random_state=0).shape
    (3, 64)
    """

    n_components: int = field(default=2, kw_only=False)
    posterior: str = "deterministic"
    regularizer: str | None = "adversarial"
    regularizer_weight: Any = "auto"
    use_labels: bool = False
    unlabeled_label: Any = "auto"

    _parameter_constraints = {
        **parameters.SHARED_CONSTRAINTS,
        **parameters.POSTERIOR_CONSTRAINTS,
        "use_labels": ["boolean"],
        "unlabeled_label": parameters.UNLABELED_CONSTRAINT,
    }
    _auto_schedule = "cosine"
    _min_classes = 0

    @fits
    def fit(self, X, y=None):
        """Train encoder, decoder and discriminator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, at least two.
        y : array-like of shape (n_samples,), default=None
            Ignored, unless use_labels=True: then classes, -1 or missing where a row has none.

        Returns
        -------
        self : AAETransformer

        Raises
        ------
        ValueError
            Where X is not a finite table of numbers, a parameter is out of its range, or the prior
            does not draw codes of n_components dimensions.
        FloatingPointError
            Where a loss or a weight is not finite in the first epoch. Later, training goes back
            one epoch and ends with a warning.
        """
        X = self._begin(X)
        self._fit(X, self._read_labels(X, y))
        return self

    @fits
    def partial_fit(self, X, y=None, classes=None):
        """Train for one epoch on X, going on from earlier calls of `partial_fit` or `fit`.

        The first call decides the scaling, so its rows should be typical of the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Ignored, unless use_labels=True: then classes, as in `fit`.
        classes : array-like of shape (n_classes,), default=None
            With use_labels: all classes that will ever come; needed in the first call if its y
            lacks some.

        Returns
        -------
        self : AAETransformer

        Raises
        ------
        ValueError
            Where y holds a label that is none of the classes, `classes` are not those of the first
            call, or a parameter that the model is built from has changed.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skaae import AAETransformer
        >>> X, _ = load_digits(return_X_y=True)
        >>> aae = AAETransformer(random_state=0)
        >>> for start in range(0, 500, 100):
        ...     aae = aae.partial_fit(X[start : start + 100])
        >>> aae.n_iter_
        5
        """
        first = not hasattr(self, "_step")
        X = self._begin(X, partial=True)
        targets = self._read_more_labels(X, y, classes, first=first)
        self._fit(X, targets, partial=True)
        return self

    def inverse_transform(self, X):
        """Decode codes into rows in the units of the training data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as `transform` returns them.

        Returns
        -------
        X_decoded : ndarray of shape (n_samples, n_features), in the dtype of X

        Raises
        ------
        ValueError
            Where X does not have n_components columns.
        """
        check_is_fitted(self)
        return self._decode(style=self._check_codes(X))

    def sample(self, n_samples=1, y=None, *, clip=False, random_state=None):
        """Draw codes from the prior and decode them: new rows like the training data.

        Parameters
        ----------
        n_samples : int, default=1
        y : scalar or array-like of shape (n_samples,), default=None
            The component of the prior to draw from, for all rows or for each. Only priors of
            components have one: "petals", "swiss_roll" and mixtures. With use_labels it is the
            class that is tied to the component, else the component's index from 0. None draws from
            the whole prior.
        random_state : int, RandomState instance or None, default=None
            An int draws the same rows every time.

        Returns
        -------
        X : float32 ndarray of shape (n_samples, n_features), in the units of the training data

        Raises
        ------
        ValueError
            Where y is given and the prior has no components, or no component y.
        """
        check_is_fitted(self)
        generator = make_cpu_generator(random_state)
        style = self._draw_style(n_samples, generator, y)
        return self._decode_samples(generator, clip=clip, style=style)

    def sample_prior(self, n_samples=1, y=None, *, random_state=None):
        """Draw codes from the prior, without decoding them.

        Parameters
        ----------
        n_samples : int, default=1
        y : scalar or array-like of shape (n_samples,), default=None
            The component of the prior to draw from, for all rows or for each; see `sample`.
        random_state : int, RandomState instance or None, default=None
            An int draws the same codes every time.

        Returns
        -------
        Z : float32 ndarray of shape (n_samples, n_components)
        """
        check_is_fitted(self)
        return self._draw_style(n_samples, make_cpu_generator(random_state), y)

    def encode_samples(self, X, n_samples=1, *, random_state=None):
        """Draw codes of rows from the posterior q(z|x).

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        n_samples : int, default=1
            Codes to draw for each row.
        random_state : int, RandomState instance or None, default=None
            An int draws the same codes every time.

        Returns
        -------
        Z : ndarray of shape (n_rows, n_samples, n_components), in the dtype of X
            With posterior="deterministic" all codes of a row are the same.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skaae import AAETransformer
        >>> X, _ = load_digits(return_X_y=True)
        >>> aae = AAETransformer(posterior="gaussian", max_iter=2, random_state=0).fit(X)
        >>> aae.encode_samples(X[:3], 5, random_state=0).shape
        (3, 5, 2)
        """
        check_is_fitted(self)
        n_samples = check_count("n_samples", n_samples)
        generator = make_cpu_generator(random_state)
        return inference.draw_codes(self._step, self._network_rows(X), n_samples, generator)

    def score(self, X, y=None):
        """Return the mean of `score_samples`: minus the reconstruction loss, higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        score : float
        """
        return float(self.score_samples(X).mean())

    def parzen_log_likelihood(
        self, X, n_samples=10_000, *, bandwidth=None, X_validation=None, random_state=None
    ):
        """Estimate the log-likelihood of rows under a Gaussian kernel on samples (section 3).

        `sample` draws `n_samples` rows, and each becomes the mean of a normal of standard deviation
        `bandwidth`. The likelihood is that of the mixture of these normals, as in the paper. It
        depends on the units of X (the paper: pixels in [0, 1]), and for a given bandwidth it grows
        with n_samples. Samples are drawn in blocks, so memory does not grow with their number.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Test rows.
        n_samples : int, default=10_000
            Number of samples.
        bandwidth : float, default=None
            Standard deviation of the normals, in the units of X. None chooses the one under which
            X_validation is likeliest, with n_samples samples or 10,000, whichever is less.
        X_validation : array-like of shape (n_validation_rows, n_features), default=None
            Rows that are neither training nor test rows; needed if bandwidth is None.
        random_state : int, RandomState instance or None, default=None
            An int draws the same samples every time.

        Returns
        -------
        log_likelihood : float
            Mean over the rows of X, in nats.
        standard_error : float
            Standard error of that mean: the standard deviation over rows divided by the square root
            of their number. NaN for a single row.

        Raises
        ------
        ValueError
            Where neither bandwidth nor X_validation is given.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skaae import AAETransformer
        >>> X, _ = load_digits(return_X_y=True)
        >>> aae = AAETransformer(max_iter=2, random_state=0).fit(X[:1000])
        >>> mean, error = aae.parzen_log_likelihood(X[1000:1100], 500, bandwidth=2.0)
        >>> error > 0
        True
        """
        check_is_fitted(self)
        n_samples = check_count("n_samples", n_samples)
        generator = make_cpu_generator(random_state)

        if not self._table.layout.is_plain:
            raise ValueError(
                "parzen_log_likelihood needs rows of numbers, but X has categories, flags or gaps; "
                "score_samples scores such rows."
            )

        def draw(n):
            return self._decode(style=self._draw_style(n, generator))

        if bandwidth is None:
            if X_validation is None:
                raise ValueError(
                    "bandwidth=None is chosen on X_validation, which is missing; give rows that "
                    "are neither training nor test rows, or a bandwidth."
                )
            rows = self._check_rows(X_validation)
            bandwidth = likelihood.choose_bandwidth(rows, draw, n_samples)
        elif not (isinstance(bandwidth, Real) and 0.0 < float(bandwidth) < np.inf):
            raise ValueError(f"bandwidth={bandwidth!r} must be a finite number above 0.")
        rows = self._check_rows(X)
        values = likelihood.parzen_log_likelihood(rows, draw, n_samples, bandwidth)
        if len(values) == 1:
            return float(values[0]), float("nan")
        return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))

    def _model(self, targets):
        prior = as_prior(self.prior)
        n_classes = 0
        if self.use_labels:
            n_classes = prior.count_components()
            self._require_components(prior, n_classes)
        require_gaussian(self.regularizer, self.posterior)
        style = Block(
            self.n_components,
            adversarial=self.regularizer == "adversarial",
            n_classes=n_classes,
            by_component=self.use_labels,
        )
        return Model(
            {"style": style},
            {"style": prior},
            posterior=self.posterior,
            regularizer=self.regularizer,
            regularizer_weight=self.regularizer_weight,
        )

    def _require_components(self, prior, n_components):
        """Raise ValueError if the prior or the regularizer cannot be tied to the classes."""
        if self.regularizer != "adversarial":
            raise ValueError(
                f"use_labels=True needs a class-conditional discriminator, and regularizer="
                f"{self.regularizer!r} has none; set regularizer='adversarial'."
            )
        if len(self.classes_) not in (0, n_components) or n_components == 0:
            raise ValueError(
                f"use_labels=True needs a prior with one component for each class, but y has "
                f"{len(self.classes_)} classes and prior {prior!r} has {n_components}; use "
                "Petals(n_petals=...), SwissRoll(n_stretches=...) or a GaussianMixture of that "
                "many."
            )

    def _draw_style(self, n_samples, generator, y=None):
        """Return samples of the prior, (n_samples, n_components), of components y where given."""
        if y is not None:
            n_samples = check_count("n_samples", n_samples)
            names = getattr(self, "classes_", ())
            if not len(names):
                names = np.arange(self._settings.priors["style"].count_components())
            if not len(names):
                refuse_components(self._settings.priors["style"], y)
            y = one_hot(y, names, n_samples).argmax(axis=1)
        return super()._draw_style(n_samples, generator, y)

    def _set_class_prior(self, targets):
        """Keep nothing: the class proportions are those of the prior's components."""
