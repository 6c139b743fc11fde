"""AAETransformer: encodes rows into codes that follow a prior (sections 2 and 3 of the paper)."""

from __future__ import annotations

from dataclasses import field
from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from skaae import inference, likelihood
from skaae.estimators import parameters
from skaae.estimators.base import BaseAdversarialAutoencoder
from skaae.estimators.classes import MayReadClasses
from skaae.estimators.documentation import with_shared_parameters
from skaae.estimators.fitting import fits, given_validation
from skaae.estimators.generation import GeneratesRows
from skaae.estimators.labels import class_proportions
from skaae.estimators.model import Model, takes_components
from skaae.estimators.options import expand, parameters_as_fields
from skaae.estimators.parameters import make_cpu_generator, require_gaussian
from skaae.estimators.ranges import check_count
from skaae.estimators.recipes import CODES, FREE_CODES, LONG_CODES, LONG_FREE_CODES
from skaae.estimators.rows import check_in_memory
from skaae.networks.autoencoder import Block
from skaae.priors import as_prior


@with_shared_parameters(
    validation_loss=(
        "The validation loss is the reconstruction loss plus the maximum mean discrepancy (MMD) "
        "between codes and samples of the prior."
    ),
    validation_rows="the rows",
    solver="adam",
    input_noise="0.0",
    auto_max_iter=(
        '"auto" is the number of epochs that take 12,000 mini-batch steps, but at least 20 and '
        'at most 100. With use_labels, and where weight_init="pca" is not possible, it is at most '
        "200."
    ),
)
@parameters_as_fields
class AAETransformer(GeneratesRows, MayReadClasses, BaseAdversarialAutoencoder):
    """Adversarial autoencoder: encodes rows into codes whose distribution follows a chosen prior.

    The encoder maps each row to a code of few dimensions, and the decoder reconstructs the row from
    its code. A discriminator learns to distinguish codes from samples of the prior, and the encoder
    learns to make this impossible. So the distribution of the codes comes close to the prior, and
    samples of the prior decode into plausible new rows (section 2 of "Adversarial Autoencoders",
    arXiv:1511.05644).

    Parameters
    ----------
    n_components : int, default=2
        Number of dimensions of the code.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        The distribution that the codes are trained to follow. A string is "gaussian" (standard
        normal), "uniform" (on [-2, 2] in each dimension), "petals" (Gaussians on a ring) or
        "swiss_roll" (a spiral). The last two have 10 components, or with use_labels one for each
        class. Other priors are instances from `skaae.priors`, frozen `scipy.stats` distributions,
        fitted scikit-learn models with ``sample``, and callables `(n_samples, rng)` that return an
        array of shape (n_samples, n_components).
    posterior : {"deterministic", "gaussian", "universal"}, default="deterministic"
        The form of q(z|x), the distribution of the code z of a row x (section 2). "deterministic":
        one code per row. "gaussian": a normal distribution; the encoder outputs its mean and
        variances. "universal": any distribution; the encoder gets 10 more inputs of normal noise.
        `transform` returns the mean of q(z|x). With "universal" it approximates the mean by the
        average over 16 samples of the noise, the same for every row.
    regularizer : {"adversarial", "mmd", "kl"} or None, default="adversarial"
        The training loss that makes codes follow the prior. "adversarial": the loss against a
        discriminator. "mmd": the maximum mean discrepancy between the codes of a mini-batch and
        samples of the prior. "kl": the KL divergence of q(z|x) from the prior; it needs
        posterior="gaussian" and a prior with a density ("gaussian", "petals", GaussianMixture).
        None: no such loss, which leaves a plain autoencoder.
    regularizer_weight : "auto" or float, default="auto"
        Weight of the "mmd" or "kl" loss, relative to the reconstruction loss. For "mmd", "auto" is
        0.1 times the mean squared distance of the scaled rows from their mean. For "kl" with the
        squared error, the weight is the variance of a scaled feature given the code, and "auto" is
        the mean variance of the scaled features. For "kl" with the cross-entropy, "auto" is 1.
    use_labels : bool, default=False
        Whether `fit` uses y to train the codes of each class to follow a component of the prior
        (section 2.3): component k for `classes_[k]`. For this, the discriminator also gets the
        class of each row, or that the row is unlabeled. The prior must have one component for each
        class, and regularizer must be "adversarial". "petals" and "swiss_roll" have as many
        components as there are classes, as probable as the classes are among labeled rows, because
        unlabeled rows follow the whole prior. If these are not the proportions of all rows, give a
        prior with others, such as Petals(2, weights=[0.9, 0.1]). All, some or no rows may have a
        label.
    unlabeled_label : "auto", scalar or None, default="auto"
        With use_labels: the value of y that marks an unlabeled row; see
        `SemiSupervisedAAEClassifier`.
    {shared_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        With use_labels, the classes of the labeled rows.
    class_prior_ : ndarray of shape (n_classes,)
        With use_labels and the prior "petals" or "swiss_roll": the class proportions among the
        labeled rows, counting one more row for each class. They are those of the components.
    history_ : dict of str to list
        Mean of every loss in each epoch, by name. "reconstruction" is always there. The regularizer
        adds "discriminator_style" and "generator_style" (adversarial), "mmd" or "kl"; these
        last two include their weight. Early stopping adds "validation".
        "stage" is not a loss but the name of the training stage of each epoch.
    {shared_attributes}

    See Also
    --------
    SemiSupervisedAAEClassifier : Adversarial autoencoder that learns classes from few labels.

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
    _min_classes = 0

    @fits
    def fit(self, X, y=None, *, X_val=None):
        """Train encoder, decoder and discriminator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, at least two.
        y : array-like of shape (n_samples,), default=None
            Ignored if use_labels=False. Otherwise the class of each row; -1 or a missing value
            marks an unlabeled row.
        X_val : array-like of shape (n_val, n_features), default=None
            Rows for early stopping, so that it holds out no training rows. They are not trained on.

        Returns
        -------
        self : AAETransformer

        Raises
        ------
        ValueError
            If X is not a finite table of numbers, the value of a parameter is not allowed, or the
            samples of the prior do not have n_components dimensions.
        FloatingPointError
            If an epoch ends with a loss or weight that is not finite, or with exploded weights, and
            three repeats with lower learning rates do so too, or if there is only one epoch.
        """
        X = self._begin(X)
        targets, validation = self._read_labels(X, y), given_validation(self, X_val)
        self._fit(X, targets, validation=validation)
        return self

    @fits
    def partial_fit(self, X, y=None, classes=None):
        """Train for one epoch on X, continuing from earlier calls of `partial_fit` or `fit`.

        The first call determines the scaling, so its rows should be typical of the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Ignored if use_labels=False. Otherwise classes, as in `fit`.
        classes : array-like of shape (n_classes,), default=None
            With use_labels: all classes of this and later calls. The first call needs them if its y
            does not contain every class.

        Returns
        -------
        self : AAETransformer

        Raises
        ------
        ValueError
            If y contains a label that is not one of the classes, `classes` differ from those of the
            first call, or a parameter that defines the model has changed.
        FloatingPointError
            If a loss or a weight is not finite. The model is then the same as before the call.

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

    def score(self, X, y=None):
        """Return the mean of `score_samples`, so a higher score is a better reconstruction.

        The losses are in scaled units, so scores of different `scaling` cannot be compared, and no
        search may choose the scaling by them. Search by the score of a pipeline with the estimator
        that uses the codes or, if all columns have one unit, by the error of `reconstruct`, which
        is in the units of X.

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
        """Estimate the log-likelihood of rows from a kernel density of samples (section 3).

        The density is that of the Parzen window: a mixture of normal distributions of standard
        deviation `bandwidth`, centred at `n_samples` decoded samples of the prior. The result
        depends on the units of X (in the paper, pixels in [0, 1]). For a given bandwidth it tends
        to grow with n_samples. Memory does not grow with n_samples, because samples are drawn in
        blocks.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Test rows.
        n_samples : int, default=10_000
            Number of samples.
        bandwidth : float, default=None
            Standard deviation of the normal distributions, in the units of X. None chooses the one
            with the highest log-likelihood of X_validation, estimated with at most 10,000 samples.
        X_validation : array-like of shape (n_validation_rows, n_features), default=None
            Rows that are neither training nor test rows. They are needed if bandwidth is None.
        random_state : int, RandomState instance or None, default=None
            An int draws the same samples every time.

        Returns
        -------
        log_likelihood : float
            Mean log-likelihood of the rows of X, in nats.
        standard_error : float
            Standard error of this mean: the standard deviation over rows, divided by the square
            root of the number of rows. NaN for a single row.

        Raises
        ------
        ValueError
            If neither bandwidth nor X_validation is given, bandwidth is not a finite number above
            0, or a value is missing.

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

        def in_memory(rows):
            return check_in_memory(self, rows, "parzen_log_likelihood")

        def draw(n):
            return self._decode_numbers(self._draw_style(n, generator))

        if bandwidth is None:
            if X_validation is None:
                raise ValueError(
                    "bandwidth=None is chosen on X_validation, which is missing; pass rows that "
                    "are neither training nor test rows as X_validation, or set bandwidth."
                )
            rows = without_gaps(in_memory(X_validation), "X_validation")
            bandwidth = likelihood.choose_bandwidth(rows, draw, n_samples)
        elif isinstance(bandwidth, bool) or not (
            isinstance(bandwidth, Real) and 0.0 < float(bandwidth) < np.inf
        ):
            raise ValueError(f"bandwidth={bandwidth!r} must be a finite number above 0.")
        rows = without_gaps(in_memory(X), "X")
        values = likelihood.parzen_log_likelihood(rows, draw, n_samples, bandwidth)
        if len(values) == 1:
            return float(values[0]), float("nan")
        return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))

    def _decode_numbers(self, style):
        """Decode a style into numbers, which are not rounded where a frame had integers."""
        style = style.astype(self._table.dtype, copy=False)  # float32 cannot hold every unit
        return self._table.numbers_in_units(inference.decode(self._step, {"style": style}))

    def _model(self, targets, table, *, dense, clusters):
        prior = as_prior(self.prior, getattr(self, "class_prior_", None))
        n_classes = 0
        if self.use_labels:
            n_classes = prior.count_components()
            self._require_components(prior, n_classes)
        require_gaussian(self.regularizer, self.posterior)
        free = self.regularizer is None or self.posterior == "gaussian"
        network = expand("network", self.network)
        starts = takes_components(network) and network.weight_init in ("auto", "pca")
        if starts and not self.use_labels:
            recipe = FREE_CODES if free else CODES
        else:
            recipe = LONG_FREE_CODES if free else LONG_CODES
        style = Block(
            self.n_components,
            adversarial=self.regularizer == "adversarial",
            n_classes=n_classes,
            by_component=self.use_labels,
        )
        return Model(
            {"style": style},
            {"style": prior},
            recipe=recipe,
            posterior=self.posterior,
            regularizer=self.regularizer,
            regularizer_weight=self.regularizer_weight,
        )

    def _require_components(self, prior, n_components):
        """Raise ValueError if prior or regularizer does not allow a component for each class."""
        if self.regularizer != "adversarial":
            raise ValueError(
                f"use_labels=True needs a class-conditional discriminator, and regularizer="
                f"{self.regularizer!r} has none; set regularizer='adversarial'."
            )
        if len(self.classes_) not in (0, n_components) or n_components == 0:
            raise ValueError(
                f"use_labels=True needs a prior with one component for each class, but y has "
                f"{len(self.classes_)} classes and prior {prior!r} has {n_components} components; "
                "use 'petals', 'swiss_roll' or a GaussianMixture with a component for each class."
            )

    def _set_class_prior(self, targets, weights):
        """Set the class proportions, which a prior given as a string takes for its components."""
        self.__dict__.pop("class_prior_", None)  # of an earlier fit
        if isinstance(self.prior, str) and len(self.classes_):
            self.class_prior_ = class_proportions("labeled", self.classes_, targets, weights)


def without_gaps(X, name):
    """Return rows X as a dense array, or raise ValueError: a distance needs every value."""
    X = X.toarray() if issparse(X) else X
    n_gaps = int(np.isnan(X).any(axis=1).sum())
    if n_gaps:
        raise ValueError(
            f"{name} has gaps in {n_gaps} of {len(X)} rows, whose distances from samples are not "
            "known; leave these rows out, or fill them with `impute`."
        )
    return X
