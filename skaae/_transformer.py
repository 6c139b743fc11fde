"""AAETransformer: rows to codes that follow a prior, and back (section 2 of the paper)."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.utils.validation import check_is_fitted

from skaae import _inference, _parameters
from skaae._base import BaseAdversarialAutoencoder, keeps_fit_on_error
from skaae._device import make_generator
from skaae._losses import maximum_mean_discrepancy, reconstruction_rows
from skaae._networks import as_code
from skaae.priors import as_prior

# Held-out rows whose codes early stopping compares with the prior: the cost grows as their square.
MAX_DISCREPANCY_ROWS = 1000


@_parameters.with_shared_parameters(
    validation_loss="the reconstruction loss plus the distance of codes to the prior (MMD)",
    validation_rows="the rows",
    solver="adam",
    input_noise="0.0",
)
class AAETransformer(BaseAdversarialAutoencoder):
    """Adversarial autoencoder that turns rows into codes following a chosen prior.

    An encoder and a decoder learn to reconstruct rows while a discriminator pushes the distribution
    of the codes towards the prior, so that every draw from the prior decodes into a plausible row
    (section 2 of "Adversarial Autoencoders", arXiv:1511.05644).

    Parameters
    ----------
    n_components : int, default=2
        Dimensions of the code.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        What the codes are to follow: "gaussian" (standard normal), "uniform" on [-2, 2],
        "petals" (10 Gaussians on a ring) or "swiss_roll"; an instance from `skaae.priors`;
        a frozen `scipy.stats` distribution; a fitted scikit-learn model with `sample`; or
        a callable `(n_samples, rng)` that returns an array of shape (n_samples, n_components).
    {shared_parameters}

    Attributes
    ----------
    history_ : dict of str to list of float
        Mean of every loss in each epoch: "reconstruction", "discriminator_style",
        "generator_style" and, with early stopping, "validation".
    n_iter_ : int
        Number of epochs trained.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had string column names.

    See Also
    --------
    SemiSupervisedAAEClassifier : Classifies from few labels, with the same training.

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

    def __init__(
        self,
        n_components=2,
        *,
        prior="gaussian",
        hidden_layer_sizes="auto",
        discriminator_hidden_layer_sizes="auto",
        activation="relu",
        dropout=0.0,
        input_noise=0.0,
        scaling="auto",
        reconstruction_loss="squared_error",
        output_activation="auto",
        weight_init="auto",
        solver="adam",
        reconstruction_learning_rate="auto",
        adversarial_learning_rate="auto",
        momentum=0.9,
        adversarial_momentum="auto",
        max_gradient_norm=10.0,
        learning_rate_schedule="constant",
        batch_size="auto",
        max_iter="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        precision="auto",
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.prior = prior
        self.hidden_layer_sizes = hidden_layer_sizes
        self.discriminator_hidden_layer_sizes = discriminator_hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.input_noise = input_noise
        self.scaling = scaling
        self.reconstruction_loss = reconstruction_loss
        self.output_activation = output_activation
        self.weight_init = weight_init
        self.solver = solver
        self.reconstruction_learning_rate = reconstruction_learning_rate
        self.adversarial_learning_rate = adversarial_learning_rate
        self.momentum = momentum
        self.adversarial_momentum = adversarial_momentum
        self.max_gradient_norm = max_gradient_norm
        self.learning_rate_schedule = learning_rate_schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_fit_on_error
    def fit(self, X, y=None):
        """Train encoder, decoder and discriminator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, at least two.
        y : ignored

        Returns
        -------
        self : AAETransformer

        Raises
        ------
        ValueError
            Where X is not a finite table of numbers, a parameter is out of its range, or the prior
            does not draw codes of n_components dimensions.
        FloatingPointError
            Where a loss becomes infinite in the first epochs.
        """
        self._fit(self._check_rows(X, reset=True))
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_fit_on_error
    def partial_fit(self, X, y=None):
        """Train for one epoch on X, going on from earlier calls of `partial_fit` or `fit`.

        The first call decides the scaling, so its rows should be typical of the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self : AAETransformer
        """
        self._partial_fit(self._check_rows(X, reset=not hasattr(self, "_step")))
        return self

    def inverse_transform(self, Z):
        """Decode codes into rows in the units of the training data.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), in the dtype of Z
        """
        check_is_fitted(self)
        return self._decode(style=self._check_codes(Z))

    def sample(self, n_samples=1, *, random_state=None):
        """Draw codes from the prior and decode them: new rows like the training data.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState instance or None, default=None
            An int draws the same rows every time.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float32
        """
        check_is_fitted(self)
        generator = _parameters.make_cpu_generator(random_state)
        return self._decode(style=self._draw_style(n_samples, generator))

    def reconstruct(self, X):
        """Encode rows and decode them again.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features), in the dtype and units of X
        """
        check_is_fitted(self)
        X = self._scaling.transform(self._check_rows(X, reset=False))
        return self._scaling.inverse_transform(_inference.reconstruct(self._step, X))

    def score_samples(self, X):
        """Return minus the reconstruction loss of each row; higher is better, outliers are low.

        For "squared_error" that is minus half the sum of squared errors in scaled units: the
        log-likelihood of the row under a unit Gaussian around its reconstruction, up to a constant.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        scores : float64 ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        X = self._scaling.transform(self._check_rows(X, reset=False))
        return -_inference.reconstruction_losses(self._step, X).astype(np.float64)

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

    def _blocks(self):
        return {"style": (self.n_components, as_prior(self.prior))}

    def _validation_loss(self, x, y):
        """Return a function that computes reconstruction plus distance of codes to the prior."""
        step = self._step
        generator = make_generator(self._recipe.seed + 2, torch.device("cpu"))
        few = x[:MAX_DISCREPANCY_ROWS]
        prior = torch.from_numpy(self._draw_style(len(few), generator)).to(x.device)
        scale = float(prior.square().mean().sqrt())

        def loss():
            with torch.inference_mode():
                code = as_code(step.networks.encoder(x))
                rows = reconstruction_rows(
                    step.reconstruction_loss, step.networks.decoder(code), x, sigmoid=step.sigmoid
                )
                distance = maximum_mean_discrepancy(code["style"][: len(few)], prior, scale)
                return float(rows.mean() + distance)

        return loss
