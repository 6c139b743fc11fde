"""Checkpoints: files from which a fit that was killed goes on."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import time
import types
from dataclasses import dataclass, field
from importlib.metadata import version
from numbers import Integral
from pathlib import Path
from typing import Any

import joblib
from sklearn.base import BaseEstimator

import skaae
from skaae.columns.schema import MixedRows
from skaae.estimators.options import Checkpoint, expand
from skaae.files.container import read_tree, require_safetensors, write_tree
from skaae.training.loop import Loop
from skaae.training.settings import to_numpy, to_torch

KIND = "checkpoint"
# Parameters that change what a fit reports or where it is saved, but not its result.
SILENT = {"checkpoint", "verbose"}


@dataclass
class Saver:
    """Saves the state of a loop to a file, and restores it.

    Parameters
    ----------
    path : the file.
    every : how often to save.
    """

    path: Path
    every: Checkpoint
    _saved_at: float = field(default_factory=time.monotonic)
    _n_saved: int = 0

    def restore(self, loop: Loop) -> int:
        """Restore the saved state, if there is one; return the number of epochs it has."""
        if self.path.exists():
            loop.load_state_dict(to_torch(read_tree(self.path, KIND)))
            self._n_saved = loop.n_epochs
        return self._n_saved

    def after_epoch(self, loop: Loop, *, now: bool) -> None:
        """Save the state of a loop, if it is time to, or `now`."""
        minutes = (time.monotonic() - self._saved_at) / 60.0
        epochs = self.every.epochs or loop.run.n_epochs
        if now or minutes >= self.every.minutes or loop.n_epochs - self._n_saved >= epochs:
            write_tree(self.path, to_numpy(loop.state_dict()), KIND)
            self._saved_at, self._n_saved = time.monotonic(), loop.n_epochs

    def remove(self) -> None:
        """Remove the file, as the fit is complete."""
        self.path.unlink(missing_ok=True)


def make_saver(estimator: Any, *data: Any) -> Saver | None:
    """Return what saves a fit, or None if the user does not want it.

    The name of the file contains a hash of the parameters and of the data, so that fits with other
    ones, such as those of a search, have files of their own.
    """
    every = expand("checkpoint", estimator.checkpoint)
    if every is None:
        return None
    require_safetensors()
    if not isinstance(estimator.random_state, Integral):
        raise ValueError(
            f"random_state={estimator.random_state!r} gives a fit that cannot be repeated, and "
            "checkpoint needs one that can; set random_state to an int."
        )
    folder = Path(every.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(
            f"checkpoint={os.fspath(every.folder)!r} is a file; give the name of a folder."
        ) from error
    step = getattr(estimator, "_step", None) if estimator.warm_start else None
    before = None if step is None else to_numpy(step.state_dict())
    name = f"{type(estimator).__name__}-{fingerprint(estimator, before, *data)}.checkpoint"
    return Saver(folder / name, every)


def fingerprint(estimator: Any, *data: Any) -> str:
    """Return a hash of an estimator's parameters and of data, as text of 16 digits."""
    params = estimator.get_params(deep=False)
    content = {
        "versions": [skaae.__version__, version("torch")],
        "parameters": {name: digest(params[name]) for name in sorted(params.keys() - SILENT)},
        "data": [digest(value) for value in data],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def digest(value: Any, within: tuple[Any, ...] = ()) -> Any:
    """Return a text, or lists of texts, that is the same for equal values in every process.

    `within` are the functions whose closures contain the value.
    """
    if isinstance(value, MixedRows):
        return digest([value.numbers, value.categories])
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False)
        found = [[name, digest(params[name], within)] for name in sorted(params)]
        return [type(value).__qualname__, found]
    if isinstance(value, list | tuple):
        return [digest(item, within) for item in value]
    if isinstance(value, types.FunctionType):
        # its name alone does not tell it from its next version, nor from another lambda
        parts: list[Any] = [value.__module__, value.__qualname__]
        if value not in within:
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            parts += [value.__code__, cells, value.__defaults__, value.__kwdefaults__]
        return digest(parts, (*within, value))
    if isinstance(value, types.CodeType):
        return [joblib.hash(value.co_code), digest(value.co_names), digest(value.co_consts)]
    try:
        return joblib.hash(value)
    except (pickle.PicklingError, AttributeError, TypeError):  # such as a lock in a closure
        return type(value).__qualname__
