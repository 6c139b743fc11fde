"""Augmentation: calls a user's function that changes rows but not their class.

The function gets rows in the units of X, while training uses scaled rows. So rows are converted
before and after the call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skaae.columns.scaling import Scaling
from skaae.device import make_generator
from skaae.draws import drawing_from

Augment = Callable[[Tensor], Tensor]
Losses = dict[str, Tensor]
Step = Callable[..., Losses]


@dataclass(frozen=True)
class Augmentation:
    """A user's function, and the scaling of the rows.

    Parameters
    ----------
    function : gets a float32 tensor (batch, n_features) in the units of X; returns such a tensor.
    scaling : the scaling from the units of X to those of the networks.
    """

    function: Augment
    scaling: Scaling

    def scaled(self, generator: torch.Generator) -> Augment:
        """Return the augmentation as a function that takes and returns scaled rows.

        Random numbers of the user's function come from the generator.
        """
        device = generator.device
        center, scale = (
            torch.as_tensor(values, dtype=torch.float32, device=device)
            for values in (self.scaling.center, self.scaling.scale)
        )

        def augment(x: Tensor) -> Tensor:
            with torch.no_grad():
                rows = x * scale + center
                with drawing_from(generator):
                    augmented = self.function(rows.clone())  # the function may change its rows
                require_rows_like(augmented, x)
                # the difference is added to x, because float32 rows in units of X are less precise
                return x + (augmented.to(device, torch.float32) - rows) / scale

        return augment

    def check(self, X: np.ndarray, seed: int, device: torch.device) -> None:
        """Raise ValueError if the function does not return valid rows for the first rows of X."""
        rows = X[:8] if isinstance(X, np.ndarray) else X[:8].toarray()
        seen = torch.from_numpy(rows.astype(np.float32)).to(device)
        with drawing_from(make_generator(seed, device)):
            augmented = self.function(seen.clone())
        require_rows_like(augmented, seen)
        if not bool(augmented.isfinite().all()):
            raise ValueError(
                "augment returned values that are not finite for finite rows; it must return "
                "finite rows in the units of X."
            )


def with_augmentation(step: Step, augment: Augment) -> Step:
    """Return a step that also gets augmented rows, and gets labeled rows and pairs only augmented.

    Rows are augmented before the step, because a step recorded as a CUDA graph cannot call the
    user's function.
    """

    def augmented_step(x: Tensor, **others: Tensor) -> Losses:
        batch = {"x": x, "augmented": augment(x), **others}
        if "x_labeled" in others:
            batch["x_labeled"] = augment(others["x_labeled"])
        if "pairs" in others:
            pairs = others["pairs"]
            batch["pairs"] = augment(pairs.flatten(0, 1)).view_as(pairs)
        return step(**batch)

    return augmented_step


def require_rows_like(augmented: object, x: Tensor) -> None:
    """Raise ValueError if augmented rows are not a tensor of the shape of x."""
    if not isinstance(augmented, Tensor):
        raise ValueError(
            f"augment returned a {type(augmented).__name__}; it must be a function of a tensor "
            "(batch, n_features) that returns a tensor of that shape."
        )
    if augmented.shape != x.shape:
        raise ValueError(
            f"augment returned shape {tuple(augmented.shape)} for rows of shape {tuple(x.shape)}; "
            "it must return as many rows and features as it gets: reshape images back to rows."
        )
