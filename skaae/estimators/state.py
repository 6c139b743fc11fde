"""What clones and pickles of an estimator hold."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch

import skaae
from skaae.columns.plain_frames import with_frames, without_frames
from skaae.device import on_cpu_by_default, training_threads
from skaae.estimators.recipes import PLAIN
from skaae.training.settings import to_numpy


class KeepsState:
    """Clones and pickles estimators; a pickle holds the weights as arrays, for any device."""

    # Attributes of the estimators.
    prior: Any
    warm_start: bool
    _goes_on: bool
    _settings: Any

    def __sklearn_clone__(self):
        copied = super().__sklearn_clone__()  # type: ignore[misc]
        if hasattr(self.prior, "get_params"):  # scikit-learn's clone would not be fitted
            copied.prior = copy.deepcopy(self.prior)
        return copied

    def __getstate__(self):
        own: Any = super().__getstate__()
        state = without_frames(own)
        if "_frozen" in state:
            state["_frozen"] = without_frames(state["_frozen"])
        state["_skaae_version"] = skaae.__version__
        step = state.pop("_step", None)
        if step is not None:  # only further training needs the state of the optimisers
            goes_on = self.warm_start or self._goes_on
            state["_step_state"] = to_numpy(step.state_dict(optimizers=goes_on))
        return state

    def __setstate__(self, state):
        state = with_frames(state)
        version, step_state = state.pop("_skaae_version", None), state.pop("_step_state", None)
        if version != skaae.__version__:
            warnings.warn(
                f"this {type(self).__name__} was pickled by skaae {version} and is loaded by "
                f"skaae {skaae.__version__}, so its results may differ; fit it again to be safe.",
                UserWarning,
                stacklevel=2,
            )
        state.setdefault("_recipe", PLAIN)  # pickled before there were recipes
        if "_frozen" in state:
            state["_frozen"] = with_frames(state["_frozen"])
        super().__setstate__(state)  # type: ignore[misc]
        if step_state is not None:
            # one thread only: a process with a waiting second thread could not be forked safely
            quiet = training_threads(torch.device("cpu"), width=0)
            with torch.inference_mode(False), on_cpu_by_default(), quiet:
                self._step = self._settings.rebuild(step_state)
