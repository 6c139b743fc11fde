"""How estimators are fitted: rows to streams, the loop, and what happens when it goes wrong.

Half of `BaseAdversarialAutoencoder`: it trains what the other half has built.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _check_feature_names

from skaae.callbacks import CallbackSupportMixin, with_callbacks
from skaae.clustering.start import kmeans_labels
from skaae.device import seeded_global_generators
from skaae.estimators import parameters
from skaae.priors._prior import same
from skaae.training import validation
from skaae.training.augmentation import with_variants
from skaae.training.cuda_graph import captured
from skaae.training.loop import DivergenceError, EarlyStopping, Stream, train
from skaae.training.step import AAEStep

INIT = [StrOptions({"k-means", "random"})]

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


def fits(method):
    """Decorate a fitting method: whatever it raises, attributes and weights are as before.

    Callbacks are told of the end.
    """
    method = with_callbacks(method)

    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        before, step = self.__dict__.copy(), self.__dict__.get("_step")
        # training moves weights in place
        state = None if step is None else copy.deepcopy(step.state_dict())
        try:
            return method(self, *args, **kwargs)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            if step is not None:
                step.load_state_dict(state)
            raise

    return wrapper


@dataclass
class Plan:
    """One run of the loop.

    Parameters
    ----------
    X, codes : checked rows and their class indices (-1 where unlabeled), or None.
    streams : the rows of an epoch, and what goes round beside them.
    batch_size, max_iter : rows of a batch, epochs of this run.
    last_epoch : epoch, counted over all runs, at which the schedule ends.
    schedule : of the learning rates.
    partial : whether this is a call of `partial_fit`.
    stopping : says when to stop early, or None.
    prepare : called with the step and an epoch of this run, counted from 0, before it.
    """

    X: np.ndarray
    codes: np.ndarray | None
    streams: list[Stream]
    batch_size: int
    max_iter: int
    last_epoch: int
    schedule: Any
    partial: bool = False
    stopping: EarlyStopping | None = None
    prepare: Callable[[AAEStep, int], None] | None = None


class Fitting(CallbackSupportMixin):
    """Trains an estimator that builds its networks in `_set_up`."""

    # Whether the encoder learns the classes of labeled rows from their cross-entropy.
    _classifies = False
    # What learning_rate_schedule="auto" is in `fit`.
    _auto_schedule = "constant"

    def _begin(self, X, *, partial=False):
        """Return checked training rows; refuse what a model that goes on cannot take."""
        fitted = hasattr(self, "_step")
        if fitted and self.warm_start and not partial:
            _check_feature_names(self, X, reset=False)
        X = self._check_rows(X, reset=not (partial and fitted))
        if fitted and partial:
            self._require_same_model(X, "partial_fit", "call fit")
        elif fitted and self.warm_start:
            self._require_same_model(X, "warm_start=True", "set warm_start=False")
        return X

    def _fit(self, X, codes=None):
        """Train on checked rows X and class indices codes (-1 where unlabeled)."""
        rows, held_out = self._split_rows(len(X), codes)
        if not (self.warm_start and hasattr(self, "_step")):
            self._set_up(X if rows is None else X[rows])
        x = self._to_tensor(X)
        streams = self._streams(x, codes, rows)
        stopping = None
        if held_out is not None:
            device = self._step.generator.device
            y = None if codes is None else torch.from_numpy(codes[held_out]).to(device)
            stopping = EarlyStopping(
                self._validation_loss(x[held_out].to(device), y),
                lambda: copy.deepcopy(self._step.state_dict()),
                self.n_iter_no_change,
                self.tol,
            )
        batch_size = self._batch_size(streams)
        max_iter = parameters.epochs(self.max_iter, len(streams[0]), batch_size)
        # rates that fall until max_iter would wait for an end that early stopping may not see, and
        # hardly rise again where further fits go on
        auto = "constant" if self.early_stopping or self.warm_start else self._auto_schedule
        plan = Plan(
            X,
            codes,
            streams,
            batch_size,
            max_iter,
            last_epoch=self.n_iter_ + max_iter,
            schedule=self._schedule(auto),
            stopping=stopping,
            prepare=self._preparation(streams, codes, max_iter),
        )
        self._train(plan)

    def _partial_fit(self, X, codes=None):
        """Train for one epoch on checked rows, from where training stands."""
        if not hasattr(self, "_step"):
            self._set_up(X)
        streams = self._streams(self._to_tensor(X), codes, None)
        batch_size = self._batch_size(streams)
        planned = parameters.epochs(self.max_iter, len(streams[0]), batch_size)
        plan = Plan(
            X,
            codes,
            streams,
            batch_size,
            max_iter=1,
            last_epoch=max(planned, self.n_iter_ + 1),
            schedule=self._schedule("constant"),  # nobody knows how many calls will come
            partial=True,
        )
        self._train(plan)

    def _set_results(self, X, codes, *, partial):
        """Set what follows from trained weights and training rows, see `Plan`: nothing here."""

    def _group(self, plan):
        """Count subclasses, where there are any, as found."""
        self._step.group()

    def _results(self, plan, n_iter):
        """Return the fitted attributes of a model whose training would end here."""
        ended = object.__new__(type(self))
        ended.__dict__.update(self.__dict__)
        ended.n_iter_ = n_iter
        ended._set_results(plan.X, plan.codes, partial=plan.partial)
        before = self.__dict__
        return {n: value for n, value in vars(ended).items() if before.get(n) is not value}

    def _preparation(self, streams, codes, max_iter):
        """Return what is to happen before epochs of `fit`, see `Plan`."""
        return None

    def _schedule(self, auto):
        """Return the learning-rate schedule, with "auto" replaced."""
        schedule = self.learning_rate_schedule
        return auto if isinstance(schedule, str) and schedule == "auto" else schedule

    def _streams(self, x, codes, rows):
        """Return the rows of an epoch, with their classes where the networks are told them.

        Beside them, where the encoder learns the classes, the labeled rows.
        """
        device = self._step.generator.device
        rows = np.arange(len(x)) if rows is None else rows
        index = torch.from_numpy(rows).to(device)
        if codes is None:
            return [Stream({"x": x}, index)]
        y = torch.from_numpy(codes).to(device)
        if not self._classifies:
            return [Stream({"x": x, "y": y}, index)]
        streams, labeled = [Stream({"x": x}, index)], rows[codes[rows] >= 0]
        if len(labeled):
            index = torch.from_numpy(labeled).to(device)
            streams.append(Stream({"x_labeled": x, "y_labeled": y}, index))
        return streams

    def _shown(self, X, codes):
        """Return the rows that callbacks see: labeled ones where classes are learned.

        A metric would take unlabeled rows for a class of their own.
        """
        if codes is None or not self._classifies:
            return {"X": X}
        labeled = codes >= 0
        return {"X": lambda: X[labeled], "y": lambda: self.classes_[codes[labeled]]}

    def _batch_size(self, streams):
        """Return the number of rows of a batch; "auto" is 100."""
        return min(100 if self.batch_size == "auto" else self.batch_size, len(streams[0]))

    def _split_rows(self, n_samples, codes):
        """Return indices of training and of held-out rows; (None, None) without early stopping.

        Where classes are learned only labeled rows are held out: nothing can be validated on
        others.
        """
        if not self.early_stopping:
            return None, None
        rows = np.arange(n_samples)
        by_class = codes is not None and self._classifies
        candidates = rows[codes >= 0] if by_class else rows
        try:
            _, held_out = train_test_split(
                candidates,
                test_size=self.validation_fraction,
                random_state=parameters.draw_seed(self.random_state),
                stratify=codes[candidates] if by_class else None,
            )
        except ValueError as error:
            raise ValueError(
                "early_stopping=True cannot hold out validation_fraction="
                f"{self.validation_fraction} of {len(candidates)} "
                f"{'labeled rows' if by_class else 'rows'}: {error} "
                "Use more rows, another fraction, or early_stopping=False."
            ) from error
        return np.setdiff1d(rows, held_out), held_out

    def _validation_loss(self, x, y):
        """Return a function of nothing that computes the loss of held-out rows.

        x (n, n_features) is a scaled tensor on the training device, y (n,) the classes or None.
        """
        if self._classifies and y is not None:
            return validation.classification(self._step, x, y)
        return validation.reconstruction(self._step, x, y, self._recipe.seed + 2)

    def _frozen_parameters(self):
        """Return the parameters that a fitted model cannot go on without, or with others."""
        params = self.get_params(deep=False)
        return {name: value for name, value in params.items() if name not in LIVE_PARAMETERS}

    def _require_same_model(self, X, how, afresh):
        """Refuse to go on with rows or parameters that the networks cannot take."""
        if X.shape[1] != self._recipe.n_features:
            raise ValueError(
                f"{how} goes on with a model of {self._recipe.n_features} features, but X has "
                f"{X.shape[1]} features; {afresh} to start afresh."
            )
        for name, value in self._frozen_parameters().items():
            if name in self._frozen and not same(value, self._frozen[name]):
                raise ValueError(
                    f"{how} goes on with a model of {name}={self._frozen[name]!r}, but {name} is "
                    f"now {value!r}; set it back, or {afresh} to start afresh."
                )

    def _train(self, plan):
        """Run the loop, keep its history and set what follows from it."""
        shown = self._shown(plan.X, plan.codes)
        context = self._init_callback_context(max_subtasks=plan.max_iter)
        context.call_on_fit_task_begin(estimator=self, **shown)
        try:
            with torch.enable_grad(), self._global_generators():
                history = self._run(plan, context, shown)
        finally:
            self._step.networks.eval()
        if plan.stopping is not None:
            history["validation"] = plan.stopping.losses
            if plan.stopping.best_state is not None:
                self._step.load_state_dict(plan.stopping.best_state)
        self._extend_history(history)
        self._set_results(plan.X, plan.codes, partial=plan.partial)
        context.call_on_fit_task_end(estimator=self, reconstruction_attributes={}, **shown)

    def _global_generators(self):
        """Return a context in which a user's own code draws from seeded generators."""
        if self._recipe.architecture.is_own and self._recipe.augment is None:
            return contextlib.nullcontext()
        seed = self._recipe.seed + 3 + self.n_iter_
        return seeded_global_generators(seed, self._step.generator.device)

    def _run(self, plan, context, shown):
        """Return the history of the loop; come back from a loss that is not finite.

        Callbacks get to see the rows `shown`.
        """
        step, done, history = self._step, self.n_iter_, {}
        # epochs between states to come back to
        keep_every = max(1, 100 * plan.batch_size // len(plan.streams[0]))
        safe, tasks = {}, []

        def before_epoch(epoch):
            factor = parameters.learning_rate_factor(plan.schedule, done + epoch, plan.last_epoch)
            step.scale_learning_rates(factor)
            # once settled, more epochs do not unsettle them
            first = step.smooths_first
            share = parameters.SETTLED_BY_SMOOTHING if first else parameters.SETTLED
            if done + epoch >= parameters.GROUPED * plan.last_epoch and not step.grouped:
                self._group(plan)
            if done + epoch >= share * plan.last_epoch:
                step.settle()
            if plan.prepare is not None:
                plan.prepare(step, epoch)
            tasks[:] = [context.subcontext(task_name="epoch")]
            tasks[0].call_on_fit_task_begin(estimator=self, **shown)

        def after_epoch(epoch, means):
            if self.verbose:
                losses = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
                print(f"Epoch {done + epoch + 1}/{plan.last_epoch}: {losses}")
            if epoch % keep_every == 0:
                safe.update(epochs=epoch + 1, state=copy.deepcopy(step.state_dict()))
            n_iter = done + epoch + 1
            asked = tasks[0].call_on_fit_task_end(
                estimator=self,
                **shown,
                reconstruction_attributes=lambda: self._results(plan, n_iter),
            )
            if plan.stopping is None:
                return asked
            if step.awaits_names:  # classes mean nothing yet
                plan.stopping.losses.append(np.nan)
                return asked
            return plan.stopping() or asked

        try:
            train(
                self._runnable(step),
                *plan.streams,
                batch_size=plan.batch_size,
                max_iter=plan.max_iter,
                generator=step.generator,
                history=history,
                before_epoch=before_epoch,
                after_epoch=after_epoch,
            )
        except DivergenceError as error:
            self._go_back(error, safe)
            history = {name: values[: safe["epochs"]] for name, values in history.items()}
            if plan.stopping is not None:
                del plan.stopping.losses[safe["epochs"] :]
        return history

    def _runnable(self, step):
        """Return what the loop calls: the step, recorded where it can be, on rows as varied."""
        run = captured(step, step.generator, lambda: step.stage)
        if self._recipe.augment is None:
            return run
        return with_variants(run, self._recipe.augment.for_device(step.generator.device))

    def _go_back(self, error, safe):
        """Return to the last safe state with a warning, or raise where there is none."""
        adam = ", use solver='adam'" if self.solver == "sgd" else ""
        reason = (
            f"Training diverged: the {error.name} loss became {error.value} in epoch "
            f"{self.n_iter_ + error.epoch}. Lower reconstruction_learning_rate and "
            f"adversarial_learning_rate{adam}, or leave scaling='auto' and max_gradient_norm on."
        )
        if self._recipe.augment is not None:
            reason += " See also that augment returns finite rows in the units of X."
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
            name: self.history_.get(name, [np.nan] * done) + padded(history.get(name, []), new)
            for name in {**self.history_, **history}
        }
        self.n_iter_ = done + new


def padded(values, n):
    """Return n values, NaN where there are fewer."""
    return values + [np.nan] * (n - len(values))


class StartsFromKMeans:
    """Teaches the label part of the code the clusters of k-means, for the first half of training.

    A categorical part that is left to itself from the beginning finds other clusters with every
    seed, and often few of them.
    """

    def _streams(self, x, codes, rows):
        """Return the rows of an epoch; beside them, at first, rows with their k-means cluster."""
        streams = super()._streams(x, codes, rows)
        if codes is not None or self.init == "random" or self.n_iter_:
            return streams
        index = streams[0].rows
        n_epochs = parameters.epochs(self.max_iter, len(index), self._batch_size(streams)) // 2
        rows = x[index.to(x.device)].cpu().numpy()
        found = kmeans_labels(rows, self._recipe.n_classes, self._recipe.seed)
        y = torch.zeros(len(x), dtype=torch.int64, device=index.device)
        y[index] = torch.from_numpy(found).to(index.device)
        streams.append(Stream({"x_labeled": x, "y_labeled": y}, index, n_epochs=max(1, n_epochs)))
        return streams
