"""Checkpoints: files from which a fit that was killed goes on."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pickle
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from numbers import Integral
from pathlib import Path
from typing import Any

import skaae
from skaae.columns.schema import Schema
from skaae.device import resolve_device
from skaae.estimators import warn
from skaae.estimators.fingerprints import digest
from skaae.estimators.options import Checkpoint, expand
from skaae.files.container import read_tree, require_safetensors, write_tree
from skaae.files.kinds import FileError
from skaae.training.loop import Loop
from skaae.training.ranks import first, is_first
from skaae.training.settings import to_numpy, to_torch

KIND = "checkpoint"
# Parameters that change what a fit reports or where it is saved, but not its result.
SILENT = {"checkpoint", "verbose"}
# Packages that a fit computes with.
PACKAGES = ("torch", "scikit-learn", "numpy", "scipy")


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
        """Restore the saved state, if there is one; return the number of epochs it has.

        If several processes train together, the first one reads the file.
        """
        state = first(self._read() if is_first() else None)
        if state is not None:
            loop.load_state_dict(to_torch(state))
            self._n_saved = loop.n_trained
        return self._n_saved

    def _read(self) -> Any:
        """Return the saved state, or None if there is none."""
        if not self.path.exists():
            return None
        try:
            return read_tree(self.path, KIND)
        except FileError as error:
            raise ValueError(
                f"the checkpoint {os.fspath(self.path)!r} is damaged, so this fit cannot go on "
                "from it; remove the file, and `fit` starts afresh."
            ) from error

    def after_epoch(self, loop: Loop, *, now: bool) -> None:
        """Save the state of a loop, if it is time to, or `now`.

        If it cannot be written, as on a full disk, warn and let the fit go on. If several processes
        train together, the first one writes for all.
        """
        if not is_first():
            return
        minutes = (time.monotonic() - self._saved_at) / 60.0
        epochs = math.inf if self.every.epochs is None else self.every.epochs
        if now or minutes >= self.every.minutes or loop.n_trained - self._n_saved >= epochs:
            try:
                write_tree(self.path, to_numpy(loop.state_dict()), KIND)
            except OSError as error:
                warn.of_no_checkpoint(self.path, error)
            self._saved_at, self._n_saved = time.monotonic(), loop.n_trained

    def remove(self) -> None:
        """Remove the file, as the fit is complete, and what killed processes left beside it."""
        if not is_first():
            return
        for path in (self.path, *self.path.parent.glob(f"{self.path.name}.*.tmp")):
            path.unlink(missing_ok=True)


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


def columns_of(estimator: Any) -> list[str]:
    """Return what the columns of the training rows are: a frame and an array may hold the same."""
    table = estimator.__dict__.get("_table")
    usual = Schema(()) if table is None else table.schema
    schema = estimator.__dict__.get("_schema", usual)  # of a fit that has not built a model yet
    return [str(schema.library), *(f"{c.name} {c.kind} {c.dtype}" for c in schema.columns)]


def fingerprint(estimator: Any, *data: Any) -> str:
    """Return a hash of an estimator's parameters, its device and data, as text of 16 digits."""
    params = estimator.get_params(deep=False)
    content: dict[str, Any] = {
        "versions": [skaae.__version__, *map(version, PACKAGES)],
        "device": str(resolve_device(estimator.device)),
        "parameters": {},
        "columns": columns_of(estimator),
        "data": [digest(value) for value in data],
    }
    for name in sorted(params.keys() - SILENT):
        try:
            content["parameters"][name] = digest(params[name])
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ValueError(
                f"checkpoint cannot tell {name}={params[name]!r} from another object: {error}. "
                "Give a function of a module, or leave checkpoint out."
            ) from error
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
