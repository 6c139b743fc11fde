"""Average weights: a copy of the networks, for inference, that follows them through training."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from skaae.networks.autoencoder import AdversarialAutoencoder
from skaae.networks.user_modules import user_buffers
from skaae.private_torch import foreach_lerp


class AverageWeights:
    """A running average of the weights of networks.

    Parameters
    ----------
    networks : the networks that are trained.

    Attributes
    ----------
    networks : a copy of them with the average weights. Other buffers of a user's modules are those
        of the last step, as a mean of them may have no meaning.
    """

    def __init__(self, networks: AdversarialAutoencoder) -> None:
        self.networks = copy.deepcopy(networks)
        pairs = zip(inference_state(self.networks), inference_state(networks), strict=True)
        # a mask in a user's module may be infinite, and would become NaN
        finite = [pair for pair in pairs if bool(pair[0].isfinite().all())]
        self.averages, self.averaged = [list(column) for column in zip(*finite, strict=True)]
        found = [user_buffers(both.encoder, both.decoder) for both in (self.networks, networks)]
        self.buffers = list(zip(*found, strict=True))

    def update(self, n_steps: Tensor) -> None:
        """Move the averages towards the weights after so many steps.

        The weight of the n-th step is in proportion to n^9. So the average covers about the last
        tenth of all steps, for any number of steps.
        """
        share = 10.0 / (10.0 + n_steps)
        foreach_lerp(self.averages, self.averaged, [share] * len(self.averages))
        for (module, name), (source, _) in self.buffers:
            copy_buffer(getattr(source, name), module, name)

    def state(self) -> list[Tensor]:
        """Return all numbers of the copy's encoder and decoder."""
        parts = (self.networks.encoder, self.networks.decoder)
        found = [tensor for part in parts for tensor in part.state_dict().values()]
        return [tensor for tensor in found if tensor.is_floating_point()]

    def load(self, networks: Mapping[str, Any], saved: Sequence[Tensor]) -> None:
        """Restore the result of `state`; all else is as in the state of the `networks`."""
        self.networks.load_state_dict(networks)
        for tensor, value in zip(self.state(), saved, strict=True):
            tensor.copy_(value)


def inference_state(networks: AdversarialAutoencoder) -> list[Tensor]:
    """Return the weights and running statistics of encoder and decoder, used by inference.

    A weight that both share is there once. Other buffers of a user's modules are not there.
    """
    parts = (networks.encoder, networks.decoder)
    found = {id(t): t for part in parts for t in part.state_dict(keep_vars=True).values()}
    for module, name in user_buffers(*parts):
        found.pop(id(getattr(module, name)), None)
    return [tensor.detach() for tensor in found.values() if tensor.is_floating_point()]


def copy_buffer(found: Tensor | None, module: nn.Module, name: str) -> None:
    """Give a buffer of a module the value that was found, in place if it has the same form."""
    now = getattr(module, name)
    if found is None or now is None or (now.shape, now.dtype) != (found.shape, found.dtype):
        setattr(module, name, None if found is None else found.detach().clone())
    else:
        now.copy_(found)
