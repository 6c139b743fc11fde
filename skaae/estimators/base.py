"""What the estimators share: arrays go down to the torch half, arrays and a history come up.

The only place where scikit-learn's world and PyTorch's meet. Subclasses say which blocks their code
has and which rows are labeled.
"""

from __future__ import annotations

import copy
import warnings
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _clone_parametrized,
)
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

import skaae
from skaae import inference
from skaae.columns.scaling import ScaledRows, fit_scaling
from skaae.device import cpu_generator, fits_on, resolve_device
from skaae.estimators import parameters
from skaae.estimators.fitting import Fitting
from skaae.networks.autoencoder import Architecture
from skaae.priors._prior import check_draws
from skaae.training.augmentation import Augmentation
from skaae.training.settings import Recipe, to_numpy

# Parameters that networks and step take as they are.
COPIED_TO_ARCHITECTURE = (
    "activation",
    "dropout",
    "input_dropout",
    "batch_norm",
    "encoder",
    "decoder",
    "discriminator",
)
COPIED_TO_RECIPE = (
    "solver",
    "reconstruction_loss",
    "input_noise",
    "discriminator_noise",
    "max_gradient_norm",
    "precision",
    "device",
)

# Estimators are dataclasses, so that a parameter that all share is written once. What a dataclass
# would compare and print is scikit-learn's business.
estimator = dataclass(kw_only=True, eq=False, repr=False)


@estimator
class BaseAdversarialAutoencoder(
    Fitting, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Base of all estimators: parameters, fitting, encoding, decoding, pickling."""

    n_components: int = 2
    prior: Any = "gaussian"
    architecture: str = "mlp"
    image_shape: Any = None
    hidden_layer_sizes: Any = "auto"
    discriminator_hidden_layer_sizes: Any = "auto"
    activation: str = "relu"
    dropout: float = 0.0
    input_dropout: float = 0.0
    input_noise: float = 0.0
    discriminator_noise: float = 0.0
    batch_norm: str | None = None
    encoder: Any = None
    decoder: Any = None
    discriminator: Any = None
    scaling: str | None = "auto"
    reconstruction_loss: str = "squared_error"
    output_activation: str = "auto"
    weight_init: Any = "auto"
    solver: str = "adam"
    reconstruction_learning_rate: Any = "auto"
    adversarial_learning_rate: Any = "auto"
    momentum: float = 0.9
    adversarial_momentum: Any = "auto"
    max_gradient_norm: float | None = 10.0
    learning_rate_schedule: Any = "auto"
    updates: str = "alternating"
    average_weights: bool = False
    batch_size: Any = "auto"
    max_iter: Any = "auto"
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    tol: float = 1e-4
    warm_start: bool = False
    precision: str = "auto"
    device: str = "auto"
    random_state: Any = None
    verbose: Any = 0

    _parameter_constraints = parameters.SHARED_CONSTRAINTS

    @abstractmethod
    def _blocks(self):
        """Return {block: (Block, prior)} of the code; the prior of a given block is None."""

    def transform(self, X):
        """Encode rows; the same rows always give the same codes.

        Of a code with classes this is the style: what is left of a row once its class is known.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components), in the dtype of X
        """
        check_is_fitted(self)
        return inference.encode(self._step, self._scaled(X), "style")

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
        rows = inference.reconstruct(self._step, self._scaled(X))
        return self._scaling.inverse_transform(rows)

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
        return -inference.reconstruction_losses(self._step, self._scaled(X)).astype(np.float64)

    def sample_prior(self, n_samples=1, *, random_state=None):
        """Draw codes from the prior, undecoded.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState instance or None, default=None
            An int draws the same codes every time.

        Returns
        -------
        Z : float32 ndarray of shape (n_samples, n_components)
        """
        check_is_fitted(self)
        return self._draw_style(n_samples, parameters.make_cpu_generator(random_state))

    # Rows -----------------------------------------------------------------------------------------

    def _check_rows(self, X, *, reset):
        """Return X as a C-ordered float array of at least two rows in training."""
        return validate_data(
            self,
            X,
            dtype=[np.float64, np.float32],
            order="C",
            reset=reset,
            ensure_min_samples=2 if reset else 1,
        )

    def _scaled(self, X):
        """Return rows as the user gives them in the units that the networks see."""
        return ScaledRows(self._check_rows(X, reset=False), self._scaling)

    def _to_tensor(self, X):
        """Return scaled rows as a float32 tensor, on the training device if they fit there.

        On the CPU it may share its memory with X; PyTorch wants memory that it could write to.
        """
        scaled = np.require(self._scaling.transform(X), np.float32, ["C", "W"])
        device = self._step.generator.device
        return torch.from_numpy(scaled).to(device if fits_on(device, scaled.nbytes) else "cpu")

    # Building -------------------------------------------------------------------------------------

    def _set_up(self, X):
        """Build networks and step for training rows X, with fresh weights and no history."""
        blocks = self._blocks()
        cross_entropy = self.reconstruction_loss == "binary_cross_entropy"
        scaling = fit_scaling(X, self.scaling, bounded=cross_entropy)
        if cross_entropy:
            require_unit_interval(scaling.transform(X))
        if not isinstance(self.learning_rate_schedule, str):
            parameters.learning_rate_factor(self.learning_rate_schedule, 0, 1)
        recipe = self._make_recipe(X, blocks, scaling)
        for name, prior in recipe.priors.items():  # one that cannot be drawn from says so now
            size = recipe.architecture.blocks[name].n_compared
            draws = check_draws(prior, prior.sample(8, size, generator=cpu_generator(0)), 8, size)
            if name == "style" and recipe.regularizer == "kl":
                prior.log_prob(draws)
        if recipe.augment is not None:
            recipe.augment.check(X, recipe.seed, resolve_device(recipe.device))
        self._recipe, self._scaling, self._step = recipe, scaling, recipe.build()
        self._frozen = self._frozen_parameters()
        self.history_, self.n_iter_ = {}, 0

    def _make_recipe(self, X, blocks, scaling):
        """Return the plain values of this estimator's networks and step."""
        params = {**parameters.LACKING, **self.get_params(deep=False)}
        if params["regularizer"] == "kl" and params["posterior"] != "gaussian":
            raise ValueError(
                f"regularizer='kl' needs posterior='gaussian', got {params['posterior']!r}: "
                "the divergence of other posteriors is not known."
            )
        spread = scaling.spread(X)
        sigmoid = params["output_activation"] == "sigmoid" or (
            params["output_activation"] == "auto"
            and (scaling.kind == "range" or self.reconstruction_loss == "binary_cross_entropy")
        )
        seed = parameters.draw_seed(self.random_state)
        rates = parameters.phase_rates(
            params,
            sigmoid=sigmoid,
            spread=spread,
            blocks=[block for block, _ in blocks.values()],
            classification=self._classifies,
        )
        augment = params["augment"]
        smooths = "virtual_adversarial" in rates
        balanced = smooths and self._is_balanced()
        return Recipe(
            architecture=self._make_architecture(X.shape[1], blocks, params, seed),
            priors={name: prior for name, (_, prior) in blocks.items() if prior is not None},
            rates=rates,
            regularizer=params["regularizer"],
            regularizer_weight=parameters.regularizer_weight(params, X.shape[1], spread),
            head_distance=self._head_distance(),
            sigmoid=sigmoid,
            average=params["average_weights"],
            joint=params["updates"] == "joint",
            augment=None if augment is None else Augmentation(augment, scaling),
            radius=parameters.virtual_adversarial_radius(params, spread),
            shares=tuple(blocks["label"][1].probabilities) if balanced else None,
            smooth_first=smooths and self._is_smooth_first(),
            names_late=smooths and self._is_named_late(),
            seed=seed,
            **{name: params[name] for name in COPIED_TO_RECIPE},
        )

    def _make_architecture(self, n_features, blocks, params, seed):
        """Return the plain values that the networks are built from."""
        parameters.refuse_modules(params)
        shape = None
        if params["architecture"] == "conv":
            shape = parameters.image_shape(params["image_shape"], n_features)
        auto_init = params["weight_init"] == "auto"
        return Architecture(
            n_features=n_features,
            blocks={name: block for name, (block, _) in blocks.items()},
            hidden=parameters.layer_sizes(
                "hidden_layer_sizes", params["hidden_layer_sizes"], n_features, shape
            ),
            discriminator_hidden=parameters.layer_sizes(
                "discriminator_hidden_layer_sizes",
                params["discriminator_hidden_layer_sizes"],
                n_features,
            ),
            kind=params["architecture"],
            image_shape=shape,
            weight_init=parameters.AUTO_WEIGHT_INIT[params["solver"]]
            if auto_init
            else params["weight_init"],
            posterior=params["posterior"],
            cluster_heads=self._cluster_heads(),
            seed=seed,
            **{name: params[name] for name in COPIED_TO_ARCHITECTURE},
        )

    def _cluster_heads(self):
        """Return what `Architecture` says of points that classes have in the code: none."""
        return None

    def _head_distance(self):
        """Return the distance that such points, where they are learned, are kept at."""
        return 0.0

    def _is_balanced(self):
        """Return whether smoothing keeps labels at their shares: not where a few rows gave them."""
        return False

    def _is_smooth_first(self):
        """Return whether smoothing is what finds clusters: not where labels or k-means do."""
        return False

    def _is_named_late(self):
        """Return whether subclasses get their class once they are found: not where none has any."""
        return False

    # Inference ------------------------------------------------------------------------------------

    def _decode(self, **code):
        """Return rows in the user's units for the blocks of a code, by name."""
        return self._scaling.inverse_transform(inference.decode(self._step, code))

    def _check_codes(self, Z):
        """Return Z as a float array of shape (n_samples, n_components)."""
        Z = check_array(Z, dtype=[np.float64, np.float32], order="C", input_name="X")
        n_components = self._recipe.n_components
        if Z.shape[1] != n_components:
            raise ValueError(
                f"X has {Z.shape[1]} columns, but codes of this {type(self).__name__} have "
                f"n_components={n_components}; pass an array of shape (n_samples, {n_components})."
            )
        return Z

    def _draw_style(self, n_samples, generator, y=None):
        """Return draws of the style's prior as a float32 array (n_samples, n_components)."""
        n_samples = parameters.check_count("n_samples", n_samples)
        prior, size = self._recipe.priors["style"], self._recipe.n_components
        return prior.sample(n_samples, size, y=y, generator=generator).float().numpy()

    # State ----------------------------------------------------------------------------------------

    @property
    def _n_features_out(self):
        """Number of columns of `transform`, for get_feature_names_out."""
        check_is_fitted(self)
        return self._recipe.n_components

    def __sklearn_clone__(self):
        copied = _clone_parametrized(self)
        if hasattr(self.prior, "get_params"):  # a clone of a fitted model could not be drawn from
            copied.prior = copy.deepcopy(self.prior)
        return copied

    def __getstate__(self):
        state = {**super().__getstate__(), "_skaae_version": skaae.__version__}
        step = state.pop("_step", None)
        if step is not None:
            state["_step_state"] = to_numpy(step.state_dict())
        return state

    def __setstate__(self, state):
        state = dict(state)
        version, step_state = state.pop("_skaae_version", None), state.pop("_step_state", None)
        if version != skaae.__version__:
            warnings.warn(
                f"this {type(self).__name__} was pickled by skaae {version} and is loaded by "
                f"skaae {skaae.__version__}, which may read it otherwise; fit it anew to be sure.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)
        if step_state is not None:
            self._step = self._recipe.rebuild(step_state)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_step")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def require_unit_interval(X):
    """Refuse rows that the cross-entropy is not defined for."""
    if X.min() < 0.0 or X.max() > 1.0:
        raise ValueError(
            "reconstruction_loss='binary_cross_entropy' needs values in [0, 1] after scaling, but "
            f"they run from {X.min():.4g} to {X.max():.4g}; use scaling='range' (or 'auto'), or "
            "reconstruction_loss='squared_error'."
        )
