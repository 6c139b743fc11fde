"""Random draws of a user's own code, taken from a generator of ours.

A user's modules and functions know PyTorch's global generators alone. Seeding those would disturb
whatever else draws from them, in this thread and in others; this redirects the draws instead.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from skaae.private_torch import TorchDispatchMode

# Draws that PyTorch offers with and without a generator, as two overloads of one operation.
OVERLOADS = {"default": ("generator",), "low": ("low_generator",)}


class DrawingFrom(TorchDispatchMode):
    """Within it, what this thread draws comes from the given generator.

    The mode belongs to one thread, so others draw as ever. A draw on another device than the
    generator's comes from one for that device, seeded by the first. What has no generator at all,
    such as the dropout inside CUDA's fused attention, draws from the device's global one.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generators = {generator.device: generator}
        self.first = generator

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in function.tags:
            return function(*args, **kwargs)
        device = device_of(args, kwargs)
        if device.type == "meta":  # undrawn weights of our own layers
            return function(*args, **kwargs)
        if function is torch.ops.aten.native_dropout.default:
            return self._dropout(*args, **kwargs)
        packet = function.overloadpacket
        for name in OVERLOADS.get(function._overloadname, ()):
            if name in packet.overloads():
                function = getattr(packet, name)
        takes = any(argument.name == "generator" for argument in function._schema.arguments)
        if takes and kwargs.get("generator") is None:
            kwargs["generator"] = self._on(device)
        return function(*args, **kwargs)

    def _on(self, device: torch.device) -> torch.Generator:
        """Return the generator for draws on a device."""
        if device not in self.generators:
            seed = torch.randint(2**62, (), generator=self.first, device=self.first.device)
            self.generators[device] = torch.Generator(device).manual_seed(int(seed))
        return self.generators[device]

    def _dropout(self, x: torch.Tensor, p: float, train: bool | None) -> Any:
        """Return dropped x and the mask, as PyTorch's kernel for GPUs does."""
        if train is False or p == 0.0:
            return x.clone(), torch.ones_like(x, dtype=torch.bool)
        keep = torch.empty_like(x).bernoulli_(1.0 - p, generator=self._on(x.device)).bool()
        return x * keep * (0.0 if p == 1.0 else 1.0 / (1.0 - p)), keep


def device_of(args: Any, kwargs: Any) -> torch.device:
    """Return the device that an operation draws on: the one named, or that of its first tensor."""
    if kwargs.get("device") is not None:
        device = torch.device(kwargs["device"])
        if device.type == "cuda" and device.index is None:
            return torch.device("cuda", torch.cuda.current_device())
        return device
    tensors = [arg for arg in args if isinstance(arg, torch.Tensor)]
    return tensors[0].device if tensors else torch.device("cpu")


def drawing_from(
    generator: torch.Generator, wanted: bool = True
) -> contextlib.AbstractContextManager[object]:
    """Return a context in which a user's code draws from a generator; without a wish, none."""
    return DrawingFrom(generator) if wanted else contextlib.nullcontext()
