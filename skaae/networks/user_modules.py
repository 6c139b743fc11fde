"""Modules of users in place of our networks."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn

from skaae.draws import drawing_from
from skaae.networks.layers import Factory, NoDraws, Source, init_layer
from skaae.private_torch import NormBase

# Of a user's module with weights to train: the networks that it belongs to.
OWNERS: weakref.WeakKeyDictionary[nn.Module, weakref.ref[nn.Module]] = weakref.WeakKeyDictionary()


class UserModule(nn.Module):
    """Wraps a user's module, and sets its training mode if a generator is passed."""

    def __init__(self, name: str, factory: Factory, n_in: int, n_out: int) -> None:
        super().__init__()
        module = factory(n_in, n_out)
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"{name}={factory!r} returned {module!r} for n_inputs={n_in}, n_outputs={n_out}; "
                "it must return a torch.nn.Module."
            )
        self.source = f"{name}={factory!r}"
        self.module = module.float().eval()
        self._check(name, factory, n_in, n_out)

    def forward(self, h: Tensor, generator: Source = None) -> Tensor:
        training = generator is not None and len(h) > 1  # one row has no variance to normalize by
        if self.module.training != training:  # inference never gets here, so threads can share it
            self.module.train(training)
        h = h.clone()  # a module may work in place
        if generator is None:
            return self.module(h)
        with drawing_from(generator.generator if isinstance(generator, NoDraws) else generator):
            return self.module(h)

    def _check(self, name: str, factory: Factory, n_in: int, n_out: int) -> None:
        """Raise ValueError if the module cannot take or return tensors of the right shape."""
        say = f"the module that {name}={factory!r} returned for n_inputs={n_in}, n_outputs={n_out}"
        try:
            with torch.no_grad():  # weights that a lazy layer makes now are trained later
                output = self.module(torch.zeros(2, n_in, dtype=torch.float32))
        except RuntimeError as error:
            raise ValueError(
                f"{say} fails on a batch of shape (2, {n_in}): {error} It must accept a tensor of "
                "shape (batch, n_inputs)."
            ) from error
        shape = tuple(getattr(output, "shape", ()))
        if shape != (2, n_out):
            raise ValueError(
                f"{say} gives shape {shape} for a batch of shape (2, {n_in}); it must give "
                f"(2, {n_out}), which is (batch, n_outputs), without an output activation."
            )


def init_weights(module: nn.Module, weight_init: str | float, generator: torch.Generator) -> None:
    """Draw the initial weights of our own layers; user modules keep their weights."""
    if isinstance(module, UserModule):
        return
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        init_layer(module, weight_init, generator)
    for child in module.children():
        init_weights(child, weight_init, generator)


def refuse_shared_weights(networks: nn.Module) -> None:
    """Raise ValueError if a user's module, with weights to train, is in other networks too."""
    for own in networks.modules():
        for module in own.modules() if isinstance(own, UserModule) else ():
            if not any(weight.requires_grad for weight in module.parameters(recurse=False)):
                continue
            owner = OWNERS.get(module)
            if owner is not None and owner() not in (None, networks):
                raise ValueError(
                    f"{own.source} returned a module that another model or an earlier fit has, so "
                    "that both would train its weights; make it return a new module in each call."
                )
            OWNERS[module] = weakref.ref(networks)


def user_buffers(*parts: nn.Module) -> list[tuple[nn.Module, str]]:
    """Return each buffer of users' modules by module and name, without running statistics.

    What such a buffer holds, and whether it stays the same tensor, is the user's affair.
    """
    own = [m for part in parts for m in part.modules() if isinstance(m, UserModule)]
    modules = dict.fromkeys(module for one in own for module in one.modules())
    return [
        (module, name)
        for module in modules
        if not isinstance(module, NormBase)
        for name in module._buffers
    ]
