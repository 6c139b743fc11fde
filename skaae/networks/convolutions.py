"""Convolutional networks on flattened images: rows of height x width x channels values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from skaae.networks.layers import (
    ACTIVATIONS,
    BatchNorm,
    Source,
    dropout,
    linear,
    without_weights,
)

ImageShape = tuple[int, int, int]  # height, width, channels: NumPy's order of an image


def halved(shape: ImageShape, n_layers: int) -> list[tuple[int, int]]:
    """Return height and width of the image, then after each layer of stride 2."""
    sizes = [shape[:2]]
    for _ in range(n_layers):
        height, width = sizes[-1]
        if min(height, width) < 2:
            raise ValueError(
                f"image_shape={shape} is too small for {n_layers} convolutions that each halve "
                f"it; give at most {len(sizes) - 1} layers in hidden_layer_sizes."
            )
        sizes.append((height // 2, width // 2))
    return sizes


class Convolutions(nn.Module):
    """Maps flat images (batch, n_features) to (batch, n_outputs); each layer halves the size.

    Parameters
    ----------
    shape : height, width and channels of an image.
    channels : number of output channels of each layer.
    n_noise : number of noise inputs, which follow the pixels and are appended to the last maps.
    """

    def __init__(
        self,
        shape: ImageShape,
        channels: Sequence[int],
        activation: str,
        dropout: float = 0.0,
        batch_norm: bool = False,
        n_noise: int = 0,
    ) -> None:
        super().__init__()
        height, width = halved(shape, len(channels))[-1]
        self.shape, self.n_noise = shape, n_noise
        self.activation, self.dropout = activation, dropout
        self.layers = nn.ModuleList(
            without_weights(nn.Conv2d, n_in, n_out, kernel_size=4, stride=2, padding=1)
            for n_in, n_out in pairwise((shape[2], *channels))
        )
        self.norms = nn.ModuleList(BatchNorm(n) for n in channels) if batch_norm else None
        self.n_outputs = height * width * (channels[-1] if channels else shape[2]) + n_noise

    def forward(self, x: Tensor, generator: Source = None) -> Tensor:
        activate = ACTIVATIONS[self.activation]
        x, noise = x.split([x.shape[1] - self.n_noise, self.n_noise], dim=1)
        h = x.unflatten(1, self.shape).movedim(3, 1)  # (batch, channels, height, width)
        for index, layer in enumerate(self.layers):
            h = layer(h)
            if self.norms is not None:
                h = self.norms[index](h, generator)
            h = dropout(activate(h), self.dropout, generator)
        return torch.cat([h.flatten(1), noise.to(h.dtype)], dim=1)


class TransposedConvolutions(nn.Module):
    """Maps codes (batch, n_inputs) to flat images (batch, n_features); each layer doubles the size.

    Parameters
    ----------
    n_inputs : width of the code.
    shape : height, width and channels of an image.
    channels : number of input channels of each layer, from the smallest map to the largest.
    """

    def __init__(
        self,
        n_inputs: int,
        shape: ImageShape,
        channels: Sequence[int],
        activation: str,
        dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        sizes = halved(shape, len(channels))[::-1]
        first = channels[0] if channels else shape[2]
        self.first_map = (first, *sizes[0])
        self.activation, self.dropout = activation, dropout
        self.fill = linear(n_inputs, first * sizes[0][0] * sizes[0][1])
        self.layers = nn.ModuleList(
            without_weights(
                nn.ConvTranspose2d,
                n_in,
                n_out,
                kernel_size=4,
                stride=2,
                padding=1,
                output_padding=(large[0] % 2, large[1] % 2),  # the pixel that halving rounded off
            )
            for (n_in, n_out), large in zip(pairwise((*channels, shape[2])), sizes[1:], strict=True)
        )
        self.norms = nn.ModuleList(BatchNorm(n) for n in channels) if batch_norm else None

    def forward(self, z: Tensor, generator: Source = None) -> Tensor:
        activate = ACTIVATIONS[self.activation]
        h = self.fill(z).unflatten(1, self.first_map)
        for index, layer in enumerate(self.layers):
            if self.norms is not None:
                h = self.norms[index](h, generator)
            h = layer(dropout(activate(h), self.dropout, generator))
        return h.movedim(1, 3).flatten(1)  # (batch, n_features)
