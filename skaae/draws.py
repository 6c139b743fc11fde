"""Makes random draws in user code reproducible, by redirecting them to a given generator.

User modules and functions draw from PyTorch's global generators. Seeding these would disturb all
other code that draws from them, in this and in other threads. So draws are redirected instead.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from skaae.private_torch import TorchDispatchMode

# Names of overloads without a generator, each with the names of overloads that take one.
OVERLOADS = {"default": ("generator",), "low": ("low_generator",)}


class DrawingFrom(TorchDispatchMode):
    """A context in which all random draws of this thread come from the given generator.

    Other threads are not affected. Draws on a device other than the generator's come from a second
    generator on that device, which the given one seeds. Operations that take no generator, such as
    the dropout inside CUDA's fused attention, still draw from the device's global generator.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generators = {with_index(generator.device): generator}
        self.first = generator

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in function.tags:
            return function(*args, **kwargs)
        device = device_of(args, kwargs)
        if device.type == "meta":  # our own layers, whose weights are drawn later
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
        """Return x after dropout and the mask, as PyTorch's kernel for GPUs does."""
        if train is False or p == 0.0:
            return x.clone(), torch.ones_like(x, dtype=torch.bool)
        keep = torch.empty_like(x).bernoulli_(1.0 - p, generator=self._on(x.device)).bool()
        return x * keep * (0.0 if p == 1.0 else 1.0 / (1.0 - p)), keep


def device_of(args: Any, kwargs: Any) -> torch.device:
    """Return the device of an operation: its argument `device`, or that of its first tensor."""
    if kwargs.get("device") is not None:
        return with_index(torch.device(kwargs["device"]))
    tensors = [arg for arg in args if isinstance(arg, torch.Tensor)]
    return tensors[0].device if tensors else torch.device("cpu")


def with_index(device: torch.device) -> torch.device:
    """Return the device as tensors name it: "cuda", which a generator may be on, is "cuda:0"."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


def drawing_from(
    generator: torch.Generator, wanted: bool = True
) -> contextlib.AbstractContextManager[object]:
    """Return a context in which user code draws from `generator`; not `wanted`, it does nothing."""
    return DrawingFrom(generator) if wanted else contextlib.nullcontext()
