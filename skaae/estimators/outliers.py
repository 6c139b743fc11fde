"""AAEOutlierDetector: finds rows that differ from most rows of a table."""

from __future__ import annotations

import warnings
from dataclasses import field, replace
from typing import Any

import numpy as np
from sklearn.base import OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted

from skaae import inference
from skaae.columns.frames import library_of
from skaae.columns.network_rows import NetworkRows
from skaae.estimators import parameters
from skaae.estimators.documentation import with_shared_parameters
from skaae.estimators.fitting import fits, given_validation
from skaae.estimators.generation import GeneratesRows
from skaae.estimators.model import Model
from skaae.estimators.options import parameters_as_fields, replace_auto
from skaae.estimators.parameters import require_gaussian
from skaae.estimators.ranges import AUTO, COUNT, UP_TO_HALF
from skaae.estimators.recipes import OUTLIERS
from skaae.neighbours import MOST_KEPT, distinct, fit_neighbourhood
from skaae.networks.autoencoder import Block
from skaae.priors import as_prior
from skaae.private_sklearn import CALLBACKS, StrOptions, safe_indexing
from skaae.storage.rows import StoredRows
from skaae.training.loop import Loop
from skaae.training.ranks import current

# Tukey's fence: so many interquartile ranges above the third quartile, values are outliers.
FENCE = 1.5
# With at most so many training rows for each input of the encoder, but LEAST_ROWS or more, they get
# the scores of detectors that have not seen them: one detector for each of so many folds.
ROWS_PER_INPUT = 10
N_FOLDS = 3
LEAST_ROWS = 6


@with_shared_parameters(
    validation_loss=(
        "The validation loss is the reconstruction loss plus the maximum mean discrepancy (MMD) "
        "between codes and samples of the prior."
    ),
    validation_rows="the rows",
    solver="adam",
    input_noise="0.5",
    most_epochs="60",
)
@parameters_as_fields
class AAEOutlierDetector(OutlierMixin, GeneratesRows):
    """Outlier detector: scores rows by their reconstruction error and their code.

    An adversarial autoencoder learns to encode the training rows, and to reconstruct them from
    their codes. An outlier has an unusual reconstruction error, an unusual code, or both. So the
    score compares the errors and the code of a row with those of training rows. No labels are used.

    The detector does both tasks that scikit-learn distinguishes. For outlier detection, the
    training rows contain outliers, and `fit_predict` finds them. For novelty detection, the
    training rows are clean, and `predict` says which new rows differ from them.

    Parameters
    ----------
    n_components : "auto" or int, default="auto"
        Number of dimensions of the code. "auto" is half the number of inputs of the encoder,
        rounded down, but at least 1.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        The distribution that the codes are trained to follow; see `AAETransformer`.
    contamination : "auto" or float in (0, 0.5], default="auto"
        The fraction of outliers among the training rows, which sets `offset_`. "auto" is Tukey's
        fence: a row is an outlier if its score lies below the first quartile of the training scores
        by more than 1.5 times their interquartile range.
    criterion : {"auto", "reconstruction"}, default="auto"
        What `score_samples` returns. "auto": how close a row is to training rows, where rows are
        compared by their reconstruction errors and their codes; see `score_samples`.
        "reconstruction": minus the reconstruction loss, as in `AAETransformer`.
    posterior : {"deterministic", "gaussian", "universal"}, default="deterministic"
        The form of q(z|x), the distribution of the code of a row; see `AAETransformer`. The score
        uses the mean of q(z|x).
    regularizer : {"adversarial", "mmd", "kl"} or None, default="adversarial"
        The training loss that makes codes follow the prior; see `AAETransformer`.
    regularizer_weight : "auto" or float, default="auto"
        Weight of the "mmd" or "kl" loss; see `AAETransformer`.
    {shared_parameters}

    Attributes
    ----------
    offset_ : float
        Rows with a score below it are outliers: `decision_function` is the score minus the offset.
        It is a percentile of the scores of the training rows, or Tukey's fence. If there are few
        training rows of many columns, these scores are found by cross-validation: from 6 rows, up
        to ten for each input of the encoder, and at most 2000. Three more detectors then score the
        rows that they have not seen. `OutOfCore` tables, fits under torchrun, and a number as
        `contamination` with criterion="reconstruction" use the scores of the model itself.
    history_ : dict of str to list
        Mean of every loss in each epoch, by name; see `AAETransformer`.
    {shared_attributes}

    See Also
    --------
    AAETransformer : The same model without a threshold; its score is the reconstruction loss.
    sklearn.neighbors.LocalOutlierFactor : Compares the density of a row with that of neighbours.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skaae import AAEOutlierDetector
    >>> X, _ = load_digits(return_X_y=True)
    >>> detector = AAEOutlierDetector(max_iter=6, random_state=0).fit(X[:500])
    >>> noise = np.random.default_rng(0).permuted(X[500:503], axis=1)
    >>> detector.predict(noise)
    array([-1, -1, -1])
    """

    n_components: Any = field(default="auto", kw_only=False)
    contamination: Any = "auto"
    criterion: str = "auto"
    posterior: str = "deterministic"
    regularizer: str | None = "adversarial"
    regularizer_weight: Any = "auto"
    input_noise: float = 0.5

    _parameter_constraints = {
        **parameters.SHARED_CONSTRAINTS,
        **parameters.POSTERIOR_CONSTRAINTS,
        "n_components": [AUTO, COUNT],
        "contamination": [AUTO, UP_TO_HALF],
        "criterion": [StrOptions({"auto", "reconstruction"})],
    }
    _scaling_of_mixed = "standard"
    _purpose_of_scaling = "outliers"

    @fits
    def fit(self, X, y=None, *, X_val=None):
        """Train encoder, decoder and discriminator, and score the training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, at least two. They may contain outliers.
        y : ignored
        X_val : array-like of shape (n_val, n_features), default=None
            Rows for early stopping, so that it holds out no training rows. They are not trained on.

        Returns
        -------
        self : AAEOutlierDetector

        Raises
        ------
        ValueError
            If X is not a finite table of numbers, the value of a parameter is not allowed, or the
            samples of the prior do not have n_components dimensions.
        FloatingPointError
            If an epoch ends with a loss or weight that is not finite, or with exploded weights, and
            three repeats with lower learning rates do so too, or if there is only one epoch.
        """
        rows = self._learn(X, X_val)
        if self._needs_unseen_scores(rows):
            table = X if library_of(X) is not None else getattr(rows, "source", rows)
            self._use_unseen_scores(table, rows, X_val)
        return self

    def score_samples(self, X):
        """Return a score of each row: the higher, the more normal.

        With criterion="auto", a row is described by its code and by its reconstruction error in
        each column, in scaled units. These numbers are mapped linearly, so that training rows have
        almost the same variance in every direction. The score is minus the mean distance from the
        nearest tenth of the training rows, of which at most 2000, drawn at random, are kept. A
        training row is not its own neighbour. If there are few training rows of many columns, they
        have scores of detectors that were fitted without them; see the attribute `offset_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        scores : float64 ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        return self._score(self._network_rows(X), self._neighbourhood)

    def decision_function(self, X):
        """Return the score minus `offset_`: negative for outliers, positive for normal rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        decision : float64 ndarray of shape (n_samples,)
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Return -1 for outliers and 1 for normal rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : int ndarray of shape (n_samples,)
        """
        return np.where(self.decision_function(X) < 0.0, -1, 1)

    def _score(self, rows, neighbourhood):
        """Return the scores of `NetworkRows`, float64 (n_rows,): by the criterion of the fit.

        Without a neighbourhood it is the reconstruction.
        """
        if neighbourhood is None:
            return -inference.reconstruction_losses(self._step, rows)
        return -neighbourhood.distances(inference.errors_and_codes(self._step, rows))

    def _results(self, X, targets, *, partial, weights=None):
        rows, neighbourhood = NetworkRows(X, self._table), None
        if self.criterion == "auto":
            kept = rows.select(self._kept(len(rows)))
            features = inference.errors_and_codes(self._step, kept)
            neighbourhood = fit_neighbourhood(features)
        scores = self._score(rows, neighbourhood)
        return {"_neighbourhood": neighbourhood, "offset_": self._offset(scores)}

    def _learn(self, X, X_val):
        """Train on X and score it; return the checked rows."""
        rows = self._begin(X)
        self._fit(rows, validation=given_validation(self, X_val))
        return rows

    def _needs_unseen_scores(self, rows):
        """Return whether scores of training rows say little about those of new rows.

        So it is if there are few rows for their columns: the networks then reconstruct training
        rows much better than others. (Processes that train together have many rows.) Without
        neighbours, training rows have no scores of their own, of which a fraction could be known.
        """
        if self._neighbourhood is None and not isinstance(self.contamination, str):
            return False
        most = min(ROWS_PER_INPUT * self._table.layout.n_inputs, MOST_KEPT)
        few = LEAST_ROWS <= rows.shape[0] <= most and current() is None
        return few and not isinstance(rows, StoredRows)

    def _use_unseen_scores(self, X, rows, X_val):
        """Give each training row the score of a detector that is fitted without it.

        X are the training rows as the user gave them, `rows` the same rows checked. Copies of a row
        are left out together. The offset then separates these scores.
        """
        different, group = distinct(NetworkRows(rows, self._table)[:])
        if len(different) < LEAST_ROWS:
            return
        other = clone(self).set_params(
            checkpoint=None,
            max_iter=self.n_iter_,
            n_components=self._settings.n_components,
            random_state=self._settings.seed,
            scaling=None if self.scaling_ == "none" else self.scaling_,
            verbose=0,
            warm_start=False,
        )
        for name in CALLBACKS:  # which have seen the end of the fit
            other.__dict__.pop(name, None)
        scores = np.empty(len(group))
        folds = np.random.default_rng(self._settings.seed).permutation(len(different)) % N_FOLDS
        for k in range(N_FOLDS):
            held_out = folds[group] == k
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the fit of all rows has warned
                last_interrupt = Loop.last_interrupt
                other._learn(safe_indexing(X, np.flatnonzero(~held_out)), X_val)
                if Loop.last_interrupt != last_interrupt:  # scores of a short fit differ
                    raise KeyboardInterrupt
                part = safe_indexing(X, np.flatnonzero(held_out))
                scores[held_out] = other.score_samples(part)
        neighbourhood = self._neighbourhood
        if neighbourhood is not None:
            neighbourhood = replace(neighbourhood, own=-scores[self._kept(len(scores))])
        self.__dict__.update(_neighbourhood=neighbourhood, offset_=self._offset(scores))

    def _kept(self, n_rows):
        """Return which of n_rows training rows the neighbourhood keeps, in its order."""
        return np.random.default_rng(self._settings.seed).permutation(n_rows)[:MOST_KEPT]

    def _offset(self, scores):
        """Return the score that separates outliers from other training rows."""
        if isinstance(self.contamination, str):
            low, high = np.percentile(scores, [25.0, 75.0])
            return float(low - FENCE * (high - low))
        return float(np.percentile(scores, 100.0 * self.contamination))

    def _model(self, targets, table, *, dense, clusters):
        require_gaussian(self.regularizer, self.posterior)
        n_components = replace_auto(self.n_components, max(1, table.layout.n_inputs // 2))
        style = Block(n_components, adversarial=self.regularizer == "adversarial")
        return Model(
            {"style": style},
            {"style": as_prior(self.prior)},
            recipe=OUTLIERS,
            posterior=self.posterior,
            regularizer=self.regularizer,
            regularizer_weight=self.regularizer_weight,
        )
