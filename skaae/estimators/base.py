"""The base class of all estimators, which connects scikit-learn's interface to PyTorch training.

Subclasses define the model to train (`_model`) and the fitted attributes that are computed from the
trained weights (`_results`).
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skaae import inference
from skaae.columns import frames
from skaae.columns.fit import fit_table
from skaae.columns.network_rows import NetworkRows
from skaae.columns.schema import describe
from skaae.estimators import fitting, parameters, rates, warn
from skaae.estimators.checkpoints import make_saver
from skaae.estimators.documentation import page_of_estimator
from skaae.estimators.options import expand, parameters_as_fields, replace_auto, solver_of
from skaae.estimators.ranges import check_count
from skaae.estimators.rows import check_in_memory, check_rows, require_unit_interval, training_rows
from skaae.estimators.state import KeepsState
from skaae.estimators.tensors import TakesTensors
from skaae.estimators.watch import Watch, train
from skaae.private_sklearn import CallbackSupportMixin, output_library
from skaae.storage.rows import identity_of, in_memory, of_all_rows
from skaae.storage.table import as_out_of_core
from skaae.training.loop import Run
from skaae.training.ranks import first
from skaae.training.rows import pick
from skaae.training.schedule import ASSIGN_COMPONENTS
from skaae.unlabeled import UNLABELED

WARM_START = ("warm_start=True", "set warm_start=False")


@parameters_as_fields
class BaseAdversarialAutoencoder(
    TakesTensors,
    KeepsState,
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Base of all estimators: parameters, fitting, encoding, decoding, pickling."""

    n_components: int = 2
    prior: Any = "gaussian"
    hidden_layer_sizes: Any = "auto"
    network: Any = "mlp"
    scaling: str | None = "auto"
    categorical_features: Any = "from_dtype"
    reconstruction_loss: str = "squared_error"
    input_noise: float = 0.0
    solver: Any = "adam"
    batch_size: Any = "auto"
    max_iter: Any = "auto"
    early_stopping: Any = "auto"
    validation_fraction: float = 0.1
    n_iter_no_change: Any = "auto"
    tol: float = 1e-4
    warm_start: bool = False
    checkpoint: Any = None
    device: Any = "auto"
    random_state: Any = None
    verbose: Any = 0
    _parameter_constraints = parameters.SHARED_CONSTRAINTS
    _classifies = False  # whether the encoder learns the classes of labeled rows
    _scaling_of_mixed = "quantile"  # of "auto"; ranks would hide outliers, and gaps between groups
    _purpose_of_scaling = "codes"  # of "auto"; see `fit_table`
    # scikit-learn's HTML representation links to the pages of this module
    _doc_link_module = "skaae"
    _doc_link_template = property(lambda self: page_of_estimator())

    @abstractmethod
    def _model(self, targets, table, *, dense, clusters):
        """Return the `Model` to train; targets (n_samples,) are class indices or None.

        `dense`: a `fit` on a dense table, which other classifiers can read. `clusters`: see
        `_initial_clusters`.
        """

    def _initial_clusters(self, rows, *, partial):
        """Return the `InitialClusters` of training rows; most estimators have none.

        `rows` are `NetworkRows`. The fit may be a `partial_fit`.
        """

    def _clusters_to_continue(self, rows, *, partial):
        """Return the same for a fit that goes on with a model."""

    def _continues(self, partial):
        """Return whether a fit goes on with the fitted model; else it starts with new weights."""
        return hasattr(self, "_step") and (partial or self.warm_start)

    def _results(self, X, targets, *, partial, weights=None):
        """Return the fitted attributes computed from the trained weights, by name; set nothing.

        X and targets are the rows of the call that has just trained, a `partial_fit` if `partial`.
        Rows may have weights.
        """
        return {}

    def _of_all_rows(self, X, targets, found):
        """Return the fitted attributes with an entry for each row of X, a table out of memory.

        `found` are those that `_results` has computed from some of the rows.
        """
        return {}

    def _actions(self, X, targets, streams):
        """Return the functions that the schedule calls between stages, by their names there."""
        return {}

    def _teach(self, streams, targets, held_out):
        """Label unlabeled rows of the streams before training starts; most estimators do not.

        Return the classes of the held-out rows, if they have any.
        """
        return None if targets is None or held_out is None else targets[held_out]

    @property
    def _usual_solver(self):
        """What solver="auto" becomes if `set_params` sets a detail of it."""
        return "sgd"

    def get_params(self, deep=True):
        """Return the parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of parameter objects, such as `network__dropout`. A
            prior is used as it was fitted, so its own parameters are left out.

        Returns
        -------
        params : dict
        """
        params = super().get_params(deep=deep)
        return {name: params[name] for name in params if not name.startswith("prior__")}

    def set_params(self, **params):
        """Set parameters of this estimator and of its parameter objects.

        Parameters
        ----------
        **params : dict
            New values by name. A name such as `network__dropout` sets a parameter of a parameter
            object. It also works if the current value is a string such as "mlp", which is then
            replaced by the object. With solver="auto" this is `SGD`, or `Adam` for a map that keeps
            neighbours.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If a name reaches into a parameter that has no parameters of its own.
        """
        whole = {name: value for name, value in params.items() if "__" not in name}
        super().set_params(**whole)  # first, as "auto" of the solver depends on them
        nested = {name: value for name, value in params.items() if name not in whole}
        return super().set_params(**nested, **parameters.reached_objects(self, nested))

    def transform(self, X):
        """Encode rows deterministically: the same rows always give the same codes.

        For estimators with classes or clusters this is the style: the part of the code that says
        how a row differs from other rows of its class or cluster.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components), in the dtype of X
        """
        check_is_fitted(self)
        return inference.encode(self._step, self._network_rows(X), "style")

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
        found = self._in_units_of_X(inference.reconstruct(self._step, self._network_rows(X)))
        return frames.with_index(found, X)

    def impute(self, X):
        """Fill the gaps of rows; known values stay as they are.

        A gap gets the value of the reconstruction. If the training rows had gaps, a number gets the
        mean of that and of what a linear rule expects from the known values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with missing values: NaN, None or pandas.NA.

        Returns
        -------
        X_filled : ndarray or data frame of shape (n_samples, n_features), as X is
            Only a column without any value in the training rows keeps its gaps.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_iris
        >>> from skaae import AAETransformer
        >>> X, _ = load_iris(return_X_y=True)
        >>> X[::5, 2] = np.nan
        >>> aae = AAETransformer(max_iter=5, random_state=0).fit(X)
        >>> int(np.isnan(aae.impute(X)).sum())
        0
        """
        check_is_fitted(self)
        rows = NetworkRows(check_in_memory(self, X), self._table)
        return self._table.fill(X, rows.rows, inference.reconstruct(self._step, rows))

    def score_samples(self, X):
        """Return minus the reconstruction loss of each row, so outliers have low scores.

        For "squared_error" the score is minus half the sum of squared errors in scaled units. Up to
        a constant, it is the log-likelihood of the row under a normal distribution with mean at its
        reconstruction and variance 1.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        scores : float64 ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        rows = self._network_rows(X)
        return -inference.reconstruction_losses(self._step, rows)

    def sample_prior(self, n_samples=1, *, random_state=None):
        """Draw codes from the prior, without decoding them.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState instance or None, default=None
            With an int, every call draws the same codes.

        Returns
        -------
        Z : float32 ndarray of shape (n_samples, n_components)
        """
        check_is_fitted(self)
        return self._draw_style(n_samples, parameters.make_cpu_generator(random_state))

    # Rows -----------------------------------------------------------------------------------------

    def _check_rows(self, X, *, learns=False):
        """Return X as checked rows, read like the training rows."""
        return check_rows(self, X, self._table.schema, table=self._table, learns=learns)

    def _network_rows(self, X):
        """Return checked rows of X as the networks see them; they are scaled when sliced."""
        return NetworkRows(self._check_rows(X), self._table)

    # Fitting --------------------------------------------------------------------------------------

    def _begin(self, X, *, partial=False):
        """Return checked training rows; raise if a model that continues cannot train on them."""
        if not self._continues(partial):
            chosen = expand("categorical_features", self.categorical_features)
            stored = as_out_of_core(X)
            X = X if stored is None else stored
            some = X if stored is None else stored.known_rows()[0]
            self._schema = describe(some, chosen.features)
            checks = {"reset": True, "ensure_min_samples": 2, "learns": True}
            return check_rows(self, X, self._schema, **checks)
        if not partial:
            fitting.require_same_columns(self.n_features_in_, X)
        rows = self._check_rows(X, learns=True)
        warn.of_far_rows(self._table, in_memory(rows)[0])
        warn.of_new_gaps(self._table, in_memory(rows)[0])
        how = ("partial_fit", "call fit") if partial else WARM_START
        fitting.require_same_parameters(self, self._frozen, *how)
        return rows

    def _build(self, X, targets, *, partial):
        """Build networks and step for rows X, with new weights; return the initial clusters."""
        bounded = self.reconstruction_loss == "binary_cross_entropy"
        categories = expand("categorical_features", self.categorical_features)
        known, _ = in_memory(X, None)
        table = fit_table(
            known,
            self.__dict__.pop("_schema"),
            self.scaling,
            bounded=bounded,
            of_mixed=self._scaling_of_mixed,
            purpose=self._purpose_of_scaling,
            # an augmentation function takes and gives back numbers in the units of X
            may_exceed_range=partial or getattr(self, "augment", None) is not None,
            min_frequency=categories.min_frequency,
            weight=categories.weight,
        )
        warn.of_lost_columns(table, known.shape[0])
        if bounded:
            require_unit_interval(table)
        clusters = first(self._initial_clusters(NetworkRows(known, table), partial=partial))
        model = self._model(targets, table, dense=not (partial or issparse(X)), clusters=clusters)
        self._settings = parameters.resolve(self, model, known, table)
        self._recipe = model.recipe
        self._table = table
        self._step = self._settings.initialize(NetworkRows(known, table))
        self._frozen = fitting.frozen_parameters(self)
        self.scaling_, self.n_iter_ = table.scaling.kind, 0
        self.history_: dict[str, list[Any]] = {}
        return clusters

    def _fit(self, X, targets=None, *, partial=False, weights=None, validation=None):
        """Train on checked rows X and class indices (-1 where unlabeled).

        A `partial` fit is one epoch that continues training. Rows may have weights (n_samples,).
        Early stopping uses the `Validation` rows, if there are any.
        """
        fitting.require_same_everywhere(self, X, targets, weights)
        known, known_targets = in_memory(X, targets)
        data = known, *identity_of(X), targets, weights, validation
        saver = None if partial else make_saver(self, *data)
        if self._continues(partial):
            known_rows = NetworkRows(known, self._table)
            clusters = first(self._clusters_to_continue(known_rows, partial=partial))
        else:
            clusters = self._build(X, targets, partial=partial)
        rows, held_out = fitting.split_rows(self, X, targets, validation, partial=partial)
        if partial and not getattr(self, "_goes_on", True):
            self._step.n_steps.clamp_(max=rates.STEPS_REMEMBERED)
        self._goes_on = partial
        device = self._step.generator.device
        x = training_rows(X, self._table, device)
        # falling rates need a known last epoch, and would be too low for further fits
        ends = not (partial or self.warm_start) and held_out is None and validation is None
        for_callbacks = fitting.shown(self, known, known_targets)
        to_learn = targets if clusters is None else of_all_rows(X, clusters.labels, UNLABELED)
        run = self._plan(x, to_learn, rows, partial=partial, weights=weights, ends=ends)
        run.actions = self._actions(X, targets, run.streams)
        held_out_targets = None if partial else self._teach(run.streams, targets, held_out)
        if held_out is not None:
            held_out_weights = weights if weights is None else weights[held_out]
            validation = fitting.Validation(pick(x, held_out), held_out_targets, held_out_weights)
        elif validation is not None:
            validation = fitting.scaled(validation, X, self._table, device)
        if validation is not None:
            run.stopping = fitting.early_stopping(self, run, validation)

        results = functools.partial(self._fitted, X, targets, weights, run, partial=partial)
        watch = Watch(self, run, for_callbacks, results, saver)
        loop = train(self, run, watch)
        self.history_ = fitting.extend_history(self.history_, run.n_done, run.history)
        self.__dict__.update(results(run.n_done + len(run.history["stage"])))
        warn.of_few_epochs(self, run, len(rows), partial=partial)
        if not partial:
            warn.of_collapse(self, NetworkRows(known, self._table), run, len(rows), clusters)
        watch.end(loop)

    def _fitted(self, X, targets, weights, run, n_iter, *, partial):
        """Return all fitted attributes of a model that has trained n_iter epochs, by name."""
        step = self._step
        if step.stage.assigns_later:  # a fit that ends in this stage assigns them now
            run.actions[ASSIGN_COMPONENTS]()
        known, known_targets, known_weights = in_memory(X, targets, weights)
        found = self._results(known, known_targets, partial=partial, weights=known_weights)
        found |= {} if known is X else self._of_all_rows(X, targets, found)
        y = known_targets if step.networks.n_observed else None
        before = getattr(self, "_noise", None) if partial else None
        rows = NetworkRows(known, self._table)
        noise = inference.noise_of_numbers(step, rows, y, before, known_weights)
        return {**found, "_noise": noise, "n_iter_": n_iter}

    def _plan(self, x, targets, rows, *, partial, weights, ends):
        """Return the plan of the training loop over scaled rows x; if `partial`, one epoch.

        `ends` says whether its last epoch is known and the model's last.
        """
        step, recipe, done = self._step, self._recipe, self.n_iter_
        device, by_class = step.generator.device, self._classifies
        streams = fitting.make_streams(x, targets, rows, device, weights, classifies=by_class)
        full = replace_auto(self.batch_size, recipe.batch_size)
        share = rates.scale_for_block(step, streams, full, partial=partial)
        batch_size = min(full, len(rows))
        planned = rates.epochs(self.max_iter, len(rows), batch_size, recipe)
        schedule = solver_of(self, recipe).learning_rate_schedule
        schedule = replace_auto(schedule, recipe.schedule if ends else "constant")
        return Run(
            streams,
            batch_size,
            n_epochs=1 if partial else planned,
            n_done=done,
            n_planned=max(planned, done + 1) if partial else done + planned,
            learning_rate=lambda now, end: share * rates.learning_rate_factor(schedule, now, end),
        )

    # Inference ------------------------------------------------------------------------------------

    def _decode(self, **code):
        """Decode a code, given as its blocks by name, into rows like those of the user's X."""
        return self._in_units_of_X(inference.decode(self._step, code))

    def _decode_samples(self, generator, *, clip=False, **code):
        """Decode a code, given as its blocks by name, into new rows like the training rows.

        Flags and categories are drawn from their probabilities with the generator.
        """
        outputs = inference.decode(self._step, code).astype(self._table.dtype, copy=False)
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        return self._in_units_of_X(outputs, rng=rng, noise=self._noise, clip=clip)

    def _in_units_of_X(self, outputs, **how):
        """Return rows like those of the user's X from activated outputs of the decoder."""
        library = output_library(self)
        return self._table.inverse_transform(outputs, library=library, **how)

    def _draw_style(self, n_samples, generator, y=None):
        """Draw styles from their prior: a float32 array of shape (n_samples, n_components)."""
        n_samples = check_count("n_samples", n_samples)
        prior, size = self._settings.priors["style"], self._settings.n_components
        return prior.sample(n_samples, size, y=y, generator=generator).float().numpy()

    # State ----------------------------------------------------------------------------------------

    @property
    def _n_features_out(self):
        """Number of columns of `transform`, for get_feature_names_out."""
        check_is_fitted(self)
        return self._settings.n_components

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_step")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
