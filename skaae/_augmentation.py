"""A user's function that varies rows without changing their class.

It sees rows in the units of X; networks see scaled ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skaae._device import seeded_global_generators
from skaae._scaling import Scaling

Vary = Callable[[Tensor], Tensor]


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

    def on(self, device: torch.device) -> Vary:
        """Return a function of scaled rows on a device, which gives scaled rows there."""
        # there before the first batch: a step that is recorded copies nothing from the host
        center, scale = (
            torch.as_tensor(values, dtype=torch.float32, device=device)
            for values in (self.scaling.center, self.scaling.scale)
        )

        def vary(x: Tensor) -> Tensor:
            with torch.no_grad():
                rows = x * scale + center  # a table of its own: the function may write into it
                varied = self.function(rows)
                require_rows_like(varied, x)
                return (varied.to(device, torch.float32) - center) / scale

        return vary

    def try_on(self, X: np.ndarray, seed: int) -> None:
        """Raise ValueError where the function does not return rows like some of X."""
        device, seen = torch.device("cpu"), torch.from_numpy(X[:8].astype(np.float32))
        with seeded_global_generators(seed, device):
            varied = self.function(seen.clone())
        require_rows_like(varied, seen)
        if not bool(varied.isfinite().all()):
            raise ValueError(
                "augment returned values that are not finite for finite rows; it must return rows "
                "in the units of X."
            )


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
