"""What the estimators share: arrays go down to the torch half, arrays and a history come up.

The only place where scikit-learn's world and PyTorch's meet. Subclasses say which blocks their code
has and which rows are labeled.
"""

from __future__ import annotations

import copy
import functools
import warnings
from abc import abstractmethod

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

import skaae
from skaae import _inference, _parameters
from skaae._device import make_generator
from skaae._recipe import Recipe, to_numpy
from skaae._scaling import fit_scaling
from skaae._training import DivergenceError, EarlyStopping, Stream, train
from skaae.priors._prior import check_draws, same

# Parameters that networks and step take as they are.
COPIED_TO_RECIPE = (
    "activation",
    "dropout",
    "solver",
    "reconstruction_loss",
    "input_noise",
    "max_gradient_norm",
    "precision",
    "device",
)

# Parameters that may change between fits of one model (warm_start); all others are built into it.
LIVE_PARAMETERS = {
    "batch_size",
    "early_stopping",
    "learning_rate_schedule",
    "max_iter",
    "n_iter_no_change",
    "random_state",
    "tol",
    "unlabeled_label",
    "validation_fraction",
    "verbose",
    "warm_start",
}


def keeps_fit_on_error(method):
    """Decorate a fitting method: whatever it raises, the attributes are as before.

    `_train` does the same for the weights, which it moves in place.
    """

    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        before = self.__dict__.copy()
        try:
            return method(self, *args, **kwargs)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    return wrapper


class BaseAdversarialAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of all estimators: parameters, fitting, encoding, decoding, pickling."""

    _parameter_constraints = _parameters.SHARED_CONSTRAINTS

    @abstractmethod
    def _blocks(self):
        """Return {block: (size, prior)} of the code."""

    @abstractmethod
    def _validation_loss(self, x, y):
        """Return a function of nothing that computes the loss of held-out rows for early stopping.

        x (n, n_features) is a scaled tensor on the training device, y an array of classes or None.
        """

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
        return self._encode(self._check_rows(X, reset=False), "style")

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
        return self._draw_style(n_samples, _parameters.make_cpu_generator(random_state))

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

    def _to_tensor(self, X):
        """Return scaled rows as a float32 tensor on the training device."""
        scaled = np.ascontiguousarray(self._scaling.transform(X), dtype=np.float32)
        return torch.from_numpy(scaled).to(self._step.generator.device)

    # Fitting --------------------------------------------------------------------------------------

    def _fit(self, X, codes=None):
        """Train on checked rows X and class indices codes (-1 where unlabeled)."""
        rows, held_out = self._split_rows(len(X), codes)
        if self.warm_start and hasattr(self, "_step"):
            self._require_same_model(X)
        else:
            self._set_up(X if rows is None else X[rows])
        x = self._to_tensor(X)
        streams = self._streams(x, codes, rows)
        stopping = None
        if held_out is not None:
            y = None if codes is None else codes[held_out]
            stopping = EarlyStopping(
                self._validation_loss(x[held_out], y),
                lambda: copy.deepcopy(self._step.state_dict()),
                self.n_iter_no_change,
                self.tol,
            )
        batch_size = self._batch_size(streams)
        max_iter = _parameters.epochs(self.max_iter, len(streams[0]), batch_size)
        self._train(streams, batch_size, max_iter, self.n_iter_ + max_iter, stopping)

    def _partial_fit(self, X, codes=None):
        """Train for one epoch on checked rows, from where training stands."""
        if not hasattr(self, "_step"):
            self._set_up(X)
        streams = self._streams(self._to_tensor(X), codes, None)
        batch_size = self._batch_size(streams)
        planned = _parameters.epochs(self.max_iter, len(streams[0]), batch_size)
        self._train(streams, batch_size, 1, max(planned, self.n_iter_ + 1))

    def _set_up(self, X):
        """Build networks and step for training rows X, with fresh weights and no history."""
        blocks = self._blocks()
        cross_entropy = self.reconstruction_loss == "binary_cross_entropy"
        scaling = fit_scaling(X, self.scaling, bounded=cross_entropy)
        if cross_entropy:
            require_unit_interval(scaling.transform(X))
        if not isinstance(self.learning_rate_schedule, str):
            _parameters.learning_rate_factor(self.learning_rate_schedule, 0, 1)
        recipe = self._make_recipe(X, blocks, scaling)
        step = recipe.build()
        for name, prior in recipe.priors.items():  # one that cannot be drawn from says so now
            generator, size = make_generator(0, step.generator.device), recipe.blocks[name]
            check_draws(prior, prior.sample(8, size, generator=generator), 8, size)
        self._recipe, self._scaling, self._step = recipe, scaling, step
        self._frozen = self._frozen_parameters()
        self.history_, self.n_iter_ = {}, 0

    def _make_recipe(self, X, blocks, scaling):
        """Return the plain values of this estimator's networks and step."""
        params, n_features = self.get_params(deep=False), X.shape[1]
        sigmoid = params["output_activation"] == "sigmoid" or (
            params["output_activation"] == "auto"
            and (scaling.kind == "range" or self.reconstruction_loss == "binary_cross_entropy")
        )
        hidden, discriminator_hidden = (
            _parameters.layer_sizes(name, params[name], n_features)
            for name in ("hidden_layer_sizes", "discriminator_hidden_layer_sizes")
        )
        return Recipe(
            n_features=n_features,
            blocks={name: size for name, (size, _) in blocks.items()},
            priors={name: prior for name, (_, prior) in blocks.items()},
            hidden=hidden,
            discriminator_hidden=discriminator_hidden,
            rates=_parameters.phase_rates(
                params,
                sigmoid=sigmoid,
                spread=scaling.spread(X),
                classification="label" in blocks,
            ),
            sigmoid=sigmoid,
            weight_init=_parameters.AUTO_WEIGHT_INIT[self.solver]
            if self.weight_init == "auto"
            else self.weight_init,
            seed=_parameters.draw_seed(self.random_state),
            **{name: params[name] for name in COPIED_TO_RECIPE},
        )

    def _streams(self, x, codes, rows):
        """Return the rows of an epoch and, where labels are given, the labeled rows beside them."""
        rows = np.arange(len(x)) if rows is None else rows
        streams = [Stream({"x": x}, as_rows(rows, x.device))]
        labeled = rows if codes is None else rows[codes[rows] >= 0]
        if codes is not None and len(labeled):
            y = torch.from_numpy(codes).to(x.device)
            streams.append(Stream({"x_labeled": x, "y_labeled": y}, as_rows(labeled, x.device)))
        return streams

    def _batch_size(self, streams):
        """Return the number of rows of a batch; "auto" is 100."""
        return min(100 if self.batch_size == "auto" else self.batch_size, len(streams[0]))

    def _split_rows(self, n_samples, codes):
        """Return indices of training and of held-out rows; (None, None) without early stopping.

        Of partly labeled rows only labeled ones are held out: nothing can be validated on others.
        """
        if not self.early_stopping:
            return None, None
        rows = np.arange(n_samples)
        labeled = rows if codes is None else rows[codes >= 0]
        try:
            _, held_out = train_test_split(
                labeled,
                test_size=self.validation_fraction,
                random_state=_parameters.draw_seed(self.random_state),
                stratify=None if codes is None else codes[labeled],
            )
        except ValueError as error:
            raise ValueError(
                "early_stopping=True cannot hold out validation_fraction="
                f"{self.validation_fraction} of {len(labeled)} "
                f"{'rows' if codes is None else 'labeled rows'}: {error} "
                "Use more rows, another fraction, or early_stopping=False."
            ) from error
        return np.setdiff1d(rows, held_out), held_out

    def _frozen_parameters(self):
        """Return the parameters that a fitted model cannot go on without, or with others."""
        params = self.get_params(deep=False)
        return {name: value for name, value in params.items() if name not in LIVE_PARAMETERS}

    def _require_same_model(self, X):
        """Refuse to go on (warm_start) with rows or parameters that the networks cannot take."""
        if X.shape[1] != self._recipe.n_features:
            raise ValueError(
                f"warm_start=True goes on with a model of {self._recipe.n_features} features, but "
                f"X has {X.shape[1]} features; set warm_start=False to start afresh."
            )
        for name, value in self._frozen_parameters().items():
            if not same(value, self._frozen[name]):
                raise ValueError(
                    f"warm_start=True goes on with a model of {name}={self._frozen[name]!r}, but "
                    f"{name} is now {value!r}; set it back, or set warm_start=False."
                )

    def _train(self, streams, batch_size, max_iter, planned, stopping=None):
        """Run the loop and keep its history; whatever is raised, the weights are as before.

        `planned` is the epoch, counted over all calls, at which the learning-rate schedule ends.
        """
        before = copy.deepcopy(self._step.state_dict()) if self.n_iter_ else None
        try:
            with torch.enable_grad():
                history = self._run(streams, batch_size, max_iter, planned, stopping)
        except BaseException:
            if before is not None:
                self._step.load_state_dict(before)
            raise
        finally:
            for optimizer in self._step.optimizers.values():
                optimizer.zero_grad(set_to_none=True)
        if stopping is not None:
            history["validation"] = stopping.losses
            if stopping.best_state is not None:
                self._step.load_state_dict(stopping.best_state)
        self._extend_history(history)

    def _run(self, streams, batch_size, max_iter, planned, stopping):
        """Return the history of the loop; come back from a loss that is not finite."""
        step, done, history = self._step, self.n_iter_, {}
        keep_every = max(1, 100 * batch_size // len(streams[0]))  # epochs between safe states
        safe = {}

        def before_epoch(epoch):
            schedule = self.learning_rate_schedule
            step.scale_learning_rates(
                _parameters.learning_rate_factor(schedule, done + epoch, planned)
            )

        def after_epoch(epoch, means):
            if self.verbose:
                losses = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
                print(f"Epoch {done + epoch + 1}/{planned}: {losses}")
            if epoch % keep_every == 0:
                safe.update(epochs=epoch + 1, state=copy.deepcopy(step.state_dict()))
            return stopping is not None and stopping()

        try:
            train(
                step,
                *streams,
                batch_size=batch_size,
                max_iter=max_iter,
                generator=step.generator,
                history=history,
                before_epoch=before_epoch,
                after_epoch=after_epoch,
            )
        except DivergenceError as error:
            self._go_back(error, safe)
            history = {name: values[: safe["epochs"]] for name, values in history.items()}
            if stopping is not None:
                del stopping.losses[safe["epochs"] :]
        return history

    def _go_back(self, error, safe):
        """Return to the last safe state with a warning, or raise where there is none."""
        adam = ", use solver='adam'" if self.solver == "sgd" else ""
        reason = (
            f"Training diverged: the {error.name} loss became {error.value} in epoch "
            f"{self.n_iter_ + error.epoch}. Lower reconstruction_learning_rate and "
            f"adversarial_learning_rate{adam}, or leave scaling='auto' and max_gradient_norm on."
        )
        weights = safe.get("state", {}).get("networks", {}).values()
        if not safe or not all(bool(weight.isfinite().all()) for weight in weights):
            raise FloatingPointError(reason) from error
        self._step.load_state_dict(safe["state"])
        kept = f" The weights after epoch {self.n_iter_ + safe['epochs']} are kept."
        warnings.warn(reason + kept, ConvergenceWarning, stacklevel=2)

    def _extend_history(self, history):
        """Append new epochs to `history_`, NaN for a loss that an epoch did not have."""
        done, new = self.n_iter_, len(history["reconstruction"])
        self.history_ = {
            name: self.history_.get(name, [np.nan] * done) + history.get(name, [np.nan] * new)
            for name in {**self.history_, **history}
        }
        self.n_iter_ = done + new

    # Inference ------------------------------------------------------------------------------------

    def _encode(self, X, block):
        """Return one block's raw head of checked rows: (n_samples, block)."""
        return _inference.encode(self._step, self._scaling.transform(X), block)

    def _decode(self, **code):
        """Return rows in the user's units for the blocks of a code, by name."""
        return self._scaling.inverse_transform(_inference.decode(self._step, code))

    def _check_codes(self, Z):
        """Return Z as a float array of shape (n_samples, n_components)."""
        Z = check_array(Z, dtype=[np.float64, np.float32], input_name="Z")
        n_components = self._recipe.blocks["style"]
        if Z.shape[1] != n_components:
            raise ValueError(
                f"Z has {Z.shape[1]} columns, but codes of this {type(self).__name__} have "
                f"n_components={n_components}; pass an array of shape (n_samples, {n_components})."
            )
        return Z

    def _draw_style(self, n_samples, generator):
        """Return draws of the style's prior as a float32 array (n_samples, n_components)."""
        n_samples = _parameters.check_count("n_samples", n_samples)
        size = self._recipe.blocks["style"]
        return self._recipe.priors["style"].sample(n_samples, size, generator=generator).numpy()

    # State ----------------------------------------------------------------------------------------

    @property
    def _n_features_out(self):
        """Number of columns of `transform`, for get_feature_names_out."""
        check_is_fitted(self)
        return self._recipe.blocks["style"]

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


def as_rows(rows, device):
    """Return row indices as a tensor on the device of the rows."""
    return torch.from_numpy(rows).to(device)


def require_unit_interval(X):
    """Refuse rows that the cross-entropy is not defined for."""
    if X.min() < 0.0 or X.max() > 1.0:
        raise ValueError(
            "reconstruction_loss='binary_cross_entropy' needs values in [0, 1] after scaling, but "
            f"they run from {X.min():.4g} to {X.max():.4g}; use scaling='range' (or 'auto'), or "
            "reconstruction_loss='squared_error'."
        )
