"""The networks as multilayer perceptrons; the code is a dict of named blocks.

A block is "style" (a linear vector) or "label" (a softmax over classes). Knows nothing of losses,
optimisers or data. Randomness is an argument: weights and dropout masks come from the caller's
generator, and a forward pass without a generator has no dropout.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": lambda h: F.leaky_relu(h, 0.2),
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "tanh": torch.tanh,
    "logistic": torch.sigmoid,
    "identity": lambda h: h,
}

SMALL_GAIN = 0.01 * math.sqrt(1000)

Code = dict[str, Tensor]


def dropout(h: Tensor, p: float, generator: torch.Generator) -> Tensor:
    """Return h with each entry set to 0 with probability p, the others divided by 1 - p."""
    keep = torch.empty_like(h).bernoulli_(1.0 - p, generator=generator)
    return h * keep.div_(1.0 - p)


def linear(n_in: int, n_out: int) -> nn.Linear:
    """Return a linear layer with undrawn weights: nn.Linear would draw from the global RNG."""
    return nn.utils.skip_init(nn.Linear, n_in, n_out, dtype=torch.float32)


def init_linear(layer: nn.Linear, weight_init: str | float, generator: torch.Generator) -> None:
    """Draw the weights of one layer from `generator`; a number is the normal's deviation."""
    with torch.no_grad():
        if weight_init == "uniform":  # variance 1 / (3 fan_in): the default of nn.Linear, seeded
            bound = 1.0 / math.sqrt(layer.in_features)
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.uniform_(-bound, bound, generator=generator)
            return
        if weight_init == "small":  # the paper's 0.01 for 1000 units in, and the like for others
            deviation = SMALL_GAIN / math.sqrt(layer.in_features)
        else:
            deviation = float(weight_init)
        layer.weight.normal_(0.0, deviation, generator=generator)
        layer.bias.zero_()


class MLP(nn.Module):
    """Linear layers with an activation and dropout after each.

    Parameters
    ----------
    widths : width of the input, then of every layer.
    activation : key of ACTIVATIONS.
    dropout : probability of setting a hidden unit to 0.
    """

    def __init__(self, widths: Sequence[int], activation: str, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(linear(n_in, n_out) for n_in, n_out in pairwise(widths))
        self.activation = activation
        self.dropout = dropout

    def forward(self, h: Tensor, generator: torch.Generator | None = None) -> Tensor:
        activate = ACTIVATIONS[self.activation]
        for layer in self.layers:
            h = activate(layer(h))  # (batch, width)
            if generator is not None and self.dropout > 0.0:
                h = dropout(h, self.dropout, generator)
        return h


class Encoder(nn.Module):
    """q(z|x): a shared trunk and one linear head per block of the code."""

    def __init__(
        self,
        n_features: int,
        hidden: Sequence[int],
        blocks: Mapping[str, int],
        activation: str,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [n_features, *hidden]
        self.trunk = MLP(widths, activation, dropout)
        self.heads = nn.ModuleDict(
            {name: linear(widths[-1], size) for name, size in blocks.items()}
        )

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Code:
        """Return the heads' raw outputs: logits for "label", the code itself for "style"."""
        h = self.trunk(x, generator)
        return {name: head(h) for name, head in self.heads.items()}


class Decoder(nn.Module):
    """p(x|code): the blocks side by side in, features before the output activation out."""

    def __init__(
        self,
        n_features: int,
        hidden: Sequence[int],
        blocks: Mapping[str, int],
        activation: str,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.blocks = tuple(blocks)
        widths = [sum(blocks.values()), *hidden]
        self.trunk = MLP(widths, activation, dropout)
        self.out = linear(widths[-1], n_features)

    def forward(self, code: Code, generator: torch.Generator | None = None) -> Tensor:
        z = torch.cat([code[name] for name in self.blocks], dim=1)  # (batch, code)
        return self.out(self.trunk(z, generator))  # (batch, n_features)


class Discriminator(nn.Module):
    """D(z): the logit that a code was drawn from the prior; no dropout, no batch norm."""

    def __init__(self, size: int, hidden: Sequence[int], activation: str) -> None:
        super().__init__()
        widths = [size, *hidden]
        self.trunk = MLP(widths, activation)
        self.out = linear(widths[-1], 1)

    def forward(self, z: Tensor) -> Tensor:
        return self.out(self.trunk(z)).squeeze(1)  # (batch,)


class AdversarialAutoencoder(nn.Module):
    """Encoder, decoder and one discriminator per block of the code.

    Parameters
    ----------
    n_features : number of features of a row.
    blocks : size of each block of the code by name, in the decoder's order.
    hidden, discriminator_hidden : widths of the hidden layers; the decoder mirrors the encoder.
    activation : key of ACTIVATIONS.
    dropout : probability of setting a hidden unit of encoder and decoder to 0 in training.
    """

    def __init__(
        self,
        n_features: int,
        blocks: Mapping[str, int],
        hidden: Sequence[int],
        discriminator_hidden: Sequence[int],
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(n_features, hidden, blocks, activation, dropout)
        self.decoder = Decoder(n_features, hidden[::-1], blocks, activation, dropout)
        self.discriminators = nn.ModuleDict(
            {
                name: Discriminator(size, discriminator_hidden, activation)
                for name, size in blocks.items()
            }
        )

    def init_weights(self, weight_init: str | float, generator: torch.Generator) -> None:
        """Draw every weight from `generator`; the same seed gives the same weights anywhere."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                init_linear(module, weight_init, generator)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return self.decoder(as_code(self.encoder(x, generator)), generator)


def as_code(heads: Code) -> Code:
    """Turn the encoder's raw heads into the code: the label's logits into probabilities."""
    return {
        name: torch.softmax(head, dim=1) if name == "label" else head
        for name, head in heads.items()
    }
