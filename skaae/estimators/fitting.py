"""Helpers of `fit` and `partial_fit`: checks, held-out rows, streams, callbacks, the history.

The base class of the estimators calls these functions.
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sklearn
import torch
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split

from skaae.columns import frames
from skaae.columns.schema import MixedRows
from skaae.device import resolve_device, without_autocast
from skaae.estimators import warn
from skaae.estimators.fingerprints import digest
from skaae.estimators.options import Options, Solver, expand, replace_auto
from skaae.estimators.parameters import draw_seed
from skaae.estimators.rows import check_more_rows, training_rows
from skaae.priors._prior import same
from skaae.private_sklearn import validate_parameters, with_callbacks
from skaae.storage.rows import StoredRows
from skaae.storage.table import as_out_of_core
from skaae.training import validation as validation_losses
from skaae.training.ranks import current, joined
from skaae.training.schedule import ADD_PSEUDO_LABELS
from skaae.training.snapshots import EarlyStopping, Snapshot
from skaae.training.streams import Stream

# Parameters that may change between fits of one model (warm_start); the others define the model.
LIVE_PARAMETERS = {
    "batch_size",
    "checkpoint",
    "class_weight",
    "contamination",
    "criterion",
    "early_stopping",
    "max_iter",
    "n_iter_no_change",
    "random_state",
    "tol",
    "unlabeled_label",
    "validation_fraction",
    "verbose",
    "warm_start",
}

# Early stopping waits for an improvement for at least as many epochs.
LEAST_PATIENCE = 10
# Largest number of rows that are held out if they are unlabeled or of a table out of memory.
MOST_HELD_OUT = 2_000
# The shares among fewer unlabeled rows say little.
LEAST_UNLABELED = 20
# Number of rows whose values are compared between processes that train together.
MOST_COMPARED = 1_000


def fits(method):
    """Decorate a fitting method: check parameters first, and undo all changes if it raises.

    The decorator also connects the method to scikit-learn's callbacks.
    """
    method = with_callbacks(method)

    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        check_parameters(self)
        before, step = self.__dict__.copy(), self.__dict__.get("_step")
        snapshot = None
        try:
            together = joined(lambda: resolve_device(self.device))
            own = without_autocast(resolve_device(self.device))
            numpy = sklearn.config_context(array_api_dispatch=False)  # of the models within
            with torch.inference_mode(False), torch.enable_grad(), own, together, numpy:
                # training changes weights in place, so a copy of `__dict__` does not hold them
                if step is not None and method.__name__ == "partial_fit":
                    snapshot = Snapshot.again(step)  # reuses memory, as there may be many calls
                elif step is not None and self.warm_start:
                    snapshot = Snapshot(step)
                return method(self, *args, **kwargs)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            if snapshot is not None:
                snapshot.restore()
            raise

    return wrapper


def check_parameters(estimator):
    """Raise if a value of a parameter is not allowed, also in parameter objects."""
    validate_parameters(estimator)
    for value in estimator.get_params(deep=False).values():
        if isinstance(value, Options):
            value.check()


@dataclass(frozen=True)
class Validation:
    """Rows for early stopping.

    Parameters
    ----------
    rows : checked rows of X_val, then scaled rows.
    targets : (n_rows,) class indices, (n_rows, n_classes) probabilities, or None.
    weights : (n_rows,), or None.
    """

    rows: Any
    targets: np.ndarray | None = None
    weights: np.ndarray | None = None


def require_same_everywhere(estimator, X, targets, weights):
    """Raise ValueError if the processes that train together were given different things.

    Some rows stand for the table, as all of it would take long.
    """
    ranks = current()
    if ranks is None:
        return
    if estimator.random_state is None:
        raise ValueError(
            "random_state=None draws another seed in each of the processes that train together; "
            "set random_state to an int."
        )
    some = X[np.unique(np.linspace(0, X.shape[0] - 1, MOST_COMPARED).astype(int))]
    found = {"X": [X.shape, digest(some)], "y": digest(targets), "sample_weight": digest(weights)}
    for name, value in estimator.get_params(deep=False).items():
        if name not in ("verbose", "device") and not callable(value):
            found[name] = digest(value)
    ranks.require_same({name: str(text) for name, text in found.items()})


def given_validation(estimator, X_val):
    """Return the rows for early stopping that a fit gets, or None if X_val is None."""
    if X_val is None:
        return None
    if not replace_auto(estimator.early_stopping, True):
        raise ValueError(
            "X_val is given, but early_stopping=False does not use it; set early_stopping='auto', "
            "or leave X_val out."
        )
    return Validation(check_more_rows(estimator, "X_val", X_val))


def scaled(validation, X, table, device):
    """Return rows for validation as scaled rows; warn if they do not fit the training rows X."""
    rows = training_rows(validation.rows, table, device)
    warn.of_other_units(X, validation.rows, "X_val")
    warn.of_unknown_categories(table, validation.rows)
    return replace(validation, rows=rows)


def split_rows(estimator, X, targets, validation, *, partial):
    """Return indices of training rows and of held-out rows (None if none are held out).

    For estimators that learn classes, only labeled rows are held out, because the validation loss
    compares predictions with labels. But if a committee labels LEAST_UNLABELED or more unlabeled
    rows, some of these are held out, so that no label is lost.
    """
    rows = np.arange(X.shape[0])
    if partial or validation is not None or not replace_auto(estimator.early_stopping, False):
        return rows, None
    classes = estimator._classifies and targets is not None
    taught = classes and estimator._settings.schedule.teacher == "committee"
    taught = taught and not issparse(X) and (targets < 0).sum() >= LEAST_UNLABELED
    by_class = classes and not taught
    candidates = rows[(targets < 0) if taught else (targets >= 0)] if classes else rows
    size = estimator.validation_fraction
    # the committee has to label them too, and those of a table out of memory are read into it
    if (taught or isinstance(X, StoredRows)) and size * len(candidates) > MOST_HELD_OUT:
        size = MOST_HELD_OUT
    try:
        _, held_out = train_test_split(
            candidates,
            test_size=size,
            random_state=draw_seed(estimator.random_state),
            stratify=targets[candidates] if by_class else None,
        )
    except ValueError as error:
        raise ValueError(
            "early_stopping=True cannot hold out validation_fraction="
            f"{estimator.validation_fraction} of {len(candidates)} "
            f"{'labeled rows' if by_class else 'rows'}: {error} "
            "Use more rows, another fraction, or early_stopping=False."
        ) from error
    remaining = np.setdiff1d(rows, held_out)
    if by_class and len(set(targets[candidates]) - set(targets[remaining])):
        raise ValueError(
            f"validation_fraction={estimator.validation_fraction} holds out all labeled rows of a "
            f"class (y has {len(candidates)} labeled rows); use a smaller fraction, more labels, "
            "or early_stopping=False."
        )
    return remaining, held_out


def make_streams(x, targets, rows, device, weights=None, *, classifies):
    """Return the streams of a run: all rows, and the labeled rows if the model learns classes.

    x (n, n_features) are scaled rows, targets (n,) are their class indices or None, and `rows` are
    the indices of the rows to train on. `weights` (n,) are the weights of the rows, or None.
    """
    if weights is not None:  # on the CPU, since some devices have no float64
        weights = torch.from_numpy(weights)
    index = torch.from_numpy(rows).to(device)
    if targets is None:
        return [Stream({"x": x}, index, weights=weights)]
    y = torch.from_numpy(targets).to(device)
    if not classifies:
        return [Stream({"x": x, "y": y}, index, weights=weights)]
    streams, labeled = [Stream({"x": x}, index, weights=weights)], rows[targets[rows] >= 0]
    if len(labeled):
        streams.append(Stream({}, phase="classification"))
        streams[1].take_labeled(x, y, torch.from_numpy(labeled).to(device), weights)
    return streams


def early_stopping(estimator, run, validation):
    """Return the early stopping of a run, by the loss of scaled rows for validation."""
    step, y = estimator._step, validation.targets
    if y is not None:
        y = torch.from_numpy(y).to(step.generator.device)
    if estimator._classifies and y is not None:
        loss = validation_losses.classification(step, validation.rows, y, validation.weights)
    else:
        loss = validation_losses.reconstruction(
            step, validation.rows, y, estimator._settings.seed + 2
        )
    patience = replace_auto(estimator.n_iter_no_change, max(LEAST_PATIENCE, run.n_epochs // 5))
    adds = ADD_PSEUDO_LABELS in run.actions
    first = step.schedule.last_pseudo_labels_at(run.n_epochs) if adds else 0
    ranks = current()
    common = loss if ranks is None else (lambda: ranks.first(loss()))
    return EarlyStopping(common, step, patience, estimator.tol, first)


def frozen_parameters(estimator):
    """Return the parameters, by name, that must stay the same while a fitted model continues."""
    frozen = {}
    for name, value in estimator.get_params(deep=False).items():
        value = expand(name, value)
        if isinstance(value, Options):
            inner = value.get_params(deep=False)
            value = type(value)(**{key: own_value(inner[key]) for key in inner})
        if isinstance(value, Solver):  # the schedule may change between fits
            value.set_params(learning_rate_schedule="auto")
        if name not in LIVE_PARAMETERS:
            frozen[name] = own_value(value)
    return frozen


def own_value(value):
    """Return a value of a parameter, or a copy of one that the user may change in place."""
    changes = isinstance(value, dict | list | np.ndarray) or hasattr(value, "items")
    return copy.deepcopy(value) if changes else value


def require_same_columns(n_features, X):
    """Raise ValueError if a warm start gets rows with a different number of columns."""
    stored = as_out_of_core(X)
    shape = getattr(X if stored is None else stored, "shape", None) or np.shape(X)
    if len(shape) == 2 and shape[1] != n_features:
        raise ValueError(
            f"warm_start=True goes on with a model of {n_features} features, but X has {shape[1]} "
            "features; set warm_start=False to start afresh."
        )


def require_same_parameters(estimator, frozen, how, afresh):
    """Raise ValueError if a parameter differs from the value that the model was built with."""
    for name, value in frozen_parameters(estimator).items():
        if not same(value, frozen[name]):
            raise ValueError(
                f"{how} goes on with a model of {name}={frozen[name]!r}, but {name} is now "
                f"{value!r}; set it back, or {afresh} to start afresh."
            )


def shown(estimator, X, targets):
    """Return the rows for callbacks: the labeled ones if the encoder learns classes.

    A metric would treat the unlabeled rows as one more class.
    """
    mixed = isinstance(X, MixedRows)
    X = X.source if mixed else X
    if targets is None or not estimator._classifies:
        return {"X": X}
    labeled = targets >= 0
    shown = labeled[: len(X)] if mixed else labeled
    return {
        "X": lambda: frames.take(X, shown),
        "y": lambda: estimator.classes_[targets[labeled]],
    }


def extend_history(history, n_done, new):
    """Return the history with the new epochs appended; a loss is NaN in epochs that lack it.

    n_done is the number of epochs in `history`.
    """
    n_new = len(new["stage"])
    extended = {}
    for name in {**history, **new}:
        before = history.get(name, [np.nan] * n_done)
        values = new.get(name, [])
        extended[name] = before + values + [np.nan] * (n_new - len(values))
    return extended
