"""Augmentation: a user's function that changes rows but not their class.

It sees rows in the units of X; networks see scaled ones.
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
    """A user's function and the scaling of the rows that it gets.

    Parameters
    ----------
    function : of a float32 tensor (batch, n_features) in the units of X; returns one like it.
    scaling : between these units and those of the networks.
    """

    function: Augment
    scaling: Scaling

    def scaled(self, generator: torch.Generator) -> Augment:
        """Return a function of scaled rows that returns scaled rows.

        Random numbers of the user's function come from the generator, on the device of the rows.
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
                    augmented = self.function(rows.clone())  # which may write into its rows
                require_rows_like(augmented, x)
                # adding the difference, since in units of X columns far from 0 have lost digits
                return x + (augmented.to(device, torch.float32) - rows) / scale

        return augment

    def check(self, X: np.ndarray, seed: int, device: torch.device) -> None:
        """Raise ValueError if the function, called with some of X, does not return such rows."""
        rows = X[:8] if isinstance(X, np.ndarray) else X[:8].toarray()
        seen = torch.from_numpy(rows.astype(np.float32)).to(device)
        with drawing_from(make_generator(seed, device)):
            augmented = self.function(seen.clone())
        require_rows_like(augmented, seen)
        if not bool(augmented.isfinite().all()):
            raise ValueError(
                "augment returned values that are not finite for finite rows; it must return rows "
                "in the units of X."
            )


def with_augmentation(step: Step, augment: Augment) -> Step:
    """Return a step that also gets augmented rows; labeled rows are replaced by augmented ones.

    Rows are augmented outside of the step, since a recorded step may not call a user's code.
    """

    def augmented_step(x: Tensor, x_labeled: Tensor | None = None, **others: Tensor) -> Losses:
        batch = {"x": x, "augmented": augment(x), **others}
        if x_labeled is not None:
            batch["x_labeled"] = augment(x_labeled)
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
            "it must return as many rows and features as it is given: reshape images back to rows."
        )
