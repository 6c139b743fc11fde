"""A user's function that varies rows without changing their class.

It sees rows in the units of X; networks see scaled ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skaae.columns.scaling import Scaling
from skaae.device import seeded_global_generators

Vary = Callable[[Tensor], Tensor]
Losses = dict[str, Tensor]
Step = Callable[..., Losses]


@dataclass(frozen=True)
class Augmentation:
    """The function and the scaling of the rows that it is given.

    Parameters
    ----------
    function : of a float32 tensor (batch, n_features) in the units of X; returns one like it.
    scaling : between these units and those of the networks.
    """

    function: Vary
    scaling: Scaling

    def for_device(self, device: torch.device) -> Vary:
        """Return a function of scaled rows on a device, which gives scaled rows there."""
        center, scale = (
            torch.as_tensor(values, dtype=torch.float32, device=device)
            for values in (self.scaling.center, self.scaling.scale)
        )

        def vary(x: Tensor) -> Tensor:
            with torch.no_grad():
                rows = x * scale + center
                varied = self.function(rows.clone())  # which may write into its rows
                require_rows_like(varied, x)
                # the difference, since columns far from 0 have lost digits in units of X
                return x + (varied.to(device, torch.float32) - rows) / scale

        return vary

    def check(self, X: np.ndarray, seed: int, device: torch.device) -> None:
        """Raise ValueError where the function does not return rows like some of X."""
        seen = torch.from_numpy(X[:8].astype(np.float32)).to(device)
        with seeded_global_generators(seed, device):
            varied = self.function(seen.clone())
        require_rows_like(varied, seen)
        if not bool(varied.isfinite().all()):
            raise ValueError(
                "augment returned values that are not finite for finite rows; it must return rows "
                "in the units of X."
            )


def with_variants(step: Step, vary: Vary) -> Step:
    """Return a step that is given variants of its rows beside them, and of labeled rows instead.

    They are made outside of it: a step that is recorded may not call what draws from elsewhere.
    """

    def varied_step(x: Tensor, x_labeled: Tensor | None = None, **others: Tensor) -> Losses:
        batch = {"x": x, "varied": vary(x), **others}
        if x_labeled is not None:
            batch["x_labeled"] = vary(x_labeled)
        return step(**batch)

    return varied_step


def require_rows_like(varied: object, x: Tensor) -> None:
    """Refuse what is not a tensor of the shape of rows x."""
    if not isinstance(varied, Tensor):
        raise ValueError(
            f"augment returned a {type(varied).__name__}; it must be a function of a tensor "
            "(batch, n_features) that returns a tensor of that shape."
        )
    if varied.shape != x.shape:
        raise ValueError(
            f"augment returned shape {tuple(varied.shape)} for rows of shape {tuple(x.shape)}; it "
            "must return as many rows and features as it is given: reshape images back to rows."
        )
