"""Layers and their initial weights.

Weights, dropout masks and noise are drawn from a generator that the caller passes. A forward pass
without a generator is inference: no dropout, no batch statistics, no noise. A pass with `NoDraws`
in place of the generator uses batch statistics, as training does, but no dropout and no noise.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skaae.device import cpu_generator

# Computed in place if the gradient needs only the result, which saves a pass over memory.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu_,
    "leaky_relu": lambda h: F.leaky_relu_(h, 0.2),
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "tanh": torch.tanh_,
    "logistic": torch.sigmoid_,
    "identity": lambda h: h,
}

Layer = TypeVar("Layer", bound=nn.Module)

SMALL_GAIN = 0.01 * math.sqrt(1000)

# Called as factory(n_inputs, n_outputs); returns a module (batch, n_inputs) -> (batch, n_outputs).
Factory = Callable[[int, int], nn.Module]


@dataclass(frozen=True)
class NoDraws:
    """Stands in for the random generator in forward passes in which our layers draw no numbers.

    Parameters
    ----------
    generator : generator for user modules, whose draws cannot be turned off.
    updates : whether the pass updates the running statistics of batch normalization.
    """

    generator: torch.Generator
    updates: bool


Source = torch.Generator | NoDraws | None
# Called with values (n, n_channels, ...) and a centre; returns mean, variance, number of values.
Moments = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


def dropout(h: Tensor, p: float, generator: Source) -> Tensor:
    """Return h with each entry set to 0 with probability p, and the others divided by 1 - p.

    Each random integer of 64 bits serves eight entries, so p is rounded to a multiple of 1/256. A
    random number for each entry would take as long as the matrix products.
    """
    n_dropped = min(round(256 * p), 255)
    if not isinstance(generator, torch.Generator) or n_dropped == 0:
        return h
    words = torch.empty((h.numel() + 7) // 8, dtype=torch.int64, device=h.device)
    words.random_(-(2**63), None, generator=generator)
    keep = words.view(torch.uint8)[: h.numel()].view(h.shape) >= n_dropped
    return h * keep * (256.0 / (256 - n_dropped))


def linear(n_in: int, n_out: int) -> nn.Linear:
    """Return a linear layer without initial weights; nn.Linear draws them from the global RNG."""
    return without_weights(nn.Linear, n_in, n_out)


def without_weights(kind: type[Layer], *args: Any, **params: Any) -> Layer:
    """Return a layer of float32 whose weights have memory but no values yet.

    PyTorch's `skip_init` does the same, but in each process its first call imports sympy, which
    takes more than a second.
    """
    layer = kind(*args, **params, device="meta", dtype=torch.float32)
    for name, weight in list(layer.named_parameters(recurse=False)):
        setattr(layer, name, nn.Parameter(torch.empty(weight.shape, dtype=weight.dtype)))
    return layer


def standard_normal(n_rows: int, n_columns: int, seed: int) -> Tensor:
    """Return random numbers of float32 of a standard normal distribution, (n_rows, n_columns)."""
    generator = cpu_generator(seed)
    return torch.randn(n_rows, n_columns, generator=generator, dtype=torch.float32)


def init_layer(
    layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d,
    weight_init: str | float,
    generator: torch.Generator,
) -> None:
    """Draw the initial weights of one layer; a number is the standard deviation of a normal."""
    n_in = fan_in(layer)
    assert layer.bias is not None
    with torch.no_grad():
        # variance 1 / (3 fan_in): the default of nn.Linear, seeded; "pca" then changes some
        if weight_init in ("uniform", "pca"):
            bound = 1.0 / math.sqrt(n_in)
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.uniform_(-bound, bound, generator=generator)
            return
        # "small" is the paper's 0.01 for 1000 inputs, scaled by 1 / sqrt(inputs) for others
        small = weight_init == "small"
        deviation = SMALL_GAIN / math.sqrt(n_in) if small else float(weight_init)
        layer.weight.normal_(0.0, deviation, generator=generator)
        layer.bias.zero_()


def fan_in(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> int:
    """Return the number of inputs that one output of a layer sums over."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    n_positions = math.prod(layer.kernel_size)
    if isinstance(layer, nn.ConvTranspose2d):  # a stride spreads the kernel over several outputs
        n_positions //= math.prod(layer.stride)
    return layer.in_channels * n_positions


MOMENTUM = 0.1  # of the running statistics of batch normalization, as PyTorch has it


class BatchNorm(nn.BatchNorm1d):
    """Batch normalization of vectors or of the channels of images.

    In training (with a generator) it uses the statistics of the batch, if that has more than one
    row. Otherwise it uses the running statistics.

    Attributes
    ----------
    momentum : how much a batch moves the running statistics: MOMENTUM, or less for few rows.
    moments : None, or what computes the statistics if the batch is spread over several processes;
        see `Ranks.moments` in `skaae.training.ranks`.
    """

    moments: Moments | None = None

    def __init__(self, n_channels: int) -> None:
        super().__init__(n_channels, momentum=MOMENTUM, dtype=torch.float32)

    def forward(self, h: Tensor, generator: Source = None) -> Tensor:
        follows = not isinstance(generator, NoDraws) or generator.updates
        assert self.momentum is not None
        if self.moments is not None and generator is not None:
            return self._normalize(h, self.moments, follows)
        return F.batch_norm(
            h,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=generator is not None and len(h) > 1,
            momentum=self.momentum if follows else 0.0,
            eps=self.eps,
        )

    def _normalize(self, h: Tensor, moments: Moments, follows: bool) -> Tensor:
        """Return h normalized by `moments` of the whole batch, as `F.batch_norm` does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        mean, variance, n = moments(h, self.running_mean.clone())
        is_batch = n > 1.5 * h[0, 0].numel()  # more than one row
        mean = torch.where(is_batch, mean, self.running_mean)
        variance = torch.where(is_batch, variance, self.running_var)
        if follows:
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * n / (n - 1.0).clamp(min=1.0), self.momentum)
        shape = [1, -1] + [1] * (h.dim() - 2)
        scale = self.weight * (variance + self.eps).rsqrt()
        normalized = (h.float() - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)
        return normalized.to(h.dtype)


class MLP(nn.Module):
    """Linear layers, each with optional batch normalization, an activation and dropout.

    Parameters
    ----------
    widths : width of the input, then of each layer.
    activation : key of ACTIVATIONS.
    dropout : probability of setting a hidden unit to 0.
    batch_norm : whether to normalize each layer's output before its activation.
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: str,
        dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(linear(n_in, n_out) for n_in, n_out in pairwise(widths))
        self.norms = nn.ModuleList(BatchNorm(width) for width in widths[1:]) if batch_norm else None
        self.activation = activation
        self.dropout = dropout

    def forward(self, h: Tensor, generator: Source = None) -> Tensor:
        activate = ACTIVATIONS[self.activation]
        for index, layer in enumerate(self.layers):
            h = layer(h)  # (batch, width)
            if self.norms is not None:
                h = self.norms[index](h, generator)
            h = dropout(activate(h), self.dropout, generator)
        return h


def copy_in_float64(part: nn.Module) -> nn.Module:
    """Return a copy of a module that computes in float64."""
    for module in part.modules():  # old forms of spectral and weight normalization
        for name, value in vars(module).items():
            if isinstance(value, Tensor) and value.grad_fn is not None:
                vars(module)[name] = value.detach()
    return copy.deepcopy(part).double()
