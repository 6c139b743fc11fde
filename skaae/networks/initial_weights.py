"""Initial weights with which codes and reconstructions are those of principal component analysis.

Training then starts from the best linear codes. From random weights, it takes long to find the
directions in which rows differ little, and some are never found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import eigh
from torch import nn

from skaae.networks.autoencoder import AdversarialAutoencoder, OutputLayers
from skaae.networks.layers import ACTIVATIONS, MLP

# Directions with a smaller part of the largest deviation are left out. Codes are divided by their
# deviation, so new rows that are a little off would get extreme codes.
LEAST_DEVIATION = 0.01
# Smallest deviation in a direction, relative to the largest number, that is no rounding error.
ROUNDING = 1e-11
# Factor on the random weights of output layers, so that these hardly blur the components.
REST = 0.1
# A sigmoid is nearly linear around means in this range.
LEAST_MEAN, MOST_MEAN = 0.02, 0.98
LEAST_SLOPE = 0.1


@dataclass(frozen=True)
class Components:
    """Principal components of rows.

    Parameters
    ----------
    mean : (n_inputs,), of the rows.
    directions : (n_components, n_inputs), orthonormal.
    deviations : (n_components,), standard deviations of the rows in these directions.
    """

    mean: np.ndarray
    directions: np.ndarray
    deviations: np.ndarray

    def __len__(self) -> int:
        return len(self.deviations)


def principal_components(x: np.ndarray, n_components: int) -> Components:
    """Return the first components of rows x (n_rows, n_inputs), fewer if they vary in fewer."""
    x = np.asarray(x, dtype=np.float64)
    mean, largest = x.mean(axis=0), np.abs(x).max()
    x = x - mean
    few_rows = len(x) < x.shape[1]
    products = x @ x.T if few_rows else x.T @ x
    size = len(products)
    first = [max(0, size - n_components), size - 1]
    squares, vectors = eigh(products / len(x), subset_by_index=first)
    deviations, directions = np.sqrt(squares.clip(min=0.0))[::-1], vectors.T[::-1]
    least = max(LEAST_DEVIATION * deviations[0], ROUNDING * largest)
    n = int((deviations > least).sum())
    deviations, directions = deviations[:n], directions[:n]
    if few_rows:
        directions = directions @ x / (deviations[:, None] * np.sqrt(len(x)))
    # of a direction and its opposite, the one whose largest entry is positive
    places = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(n), places])[:, None]
    return Components(mean, directions, deviations)


def start_from_components(
    networks: AdversarialAutoencoder, found: Components, n_numbers: int, *, sigmoid: bool
) -> None:
    """Make the first dimensions of the style the components, and the decoder their inverse.

    Each component passes through two units of every hidden layer, with opposite signs; the other
    units keep their random weights. The first n_numbers outputs of the decoder are numbers, which
    pass through a sigmoid if `sigmoid`.
    """
    encoder, decoder = networks.encoder, networks.decoder
    assert isinstance(encoder.trunk, MLP)
    assert isinstance(decoder.body, MLP)
    assert isinstance(encoder.outputs, OutputLayers)
    assert isinstance(decoder.out, nn.Linear)
    of_encoder, of_decoder = hidden_layers(encoder.trunk), hidden_layers(decoder.body)
    widths = [layer.out_features for layer in (*of_encoder, *of_decoder)]
    n = min([len(found), *(width // 2 for width in widths)])
    deviations = found.deviations[:n, None]
    whitening = found.directions[:n] / deviations
    norms = encoder.outputs.norms
    outputs = encoder.outputs.maps["style"]
    assert isinstance(outputs, nn.Linear)
    to_code = np.eye(outputs.out_features, n), np.zeros(outputs.out_features)
    of_noise = np.zeros((n, encoder.n_noise))
    from_rows = np.hstack([whitening, of_noise]), -whitening @ found.mean
    activation = encoder.trunk.activation
    pass_through([*of_encoder, outputs], from_rows, to_code, activation)

    # normalized codes have the mean and the deviation of their prior
    mean, scale = np.zeros(n), np.ones(n)
    if norms is not None:
        mean, scale = (
            getattr(norms["style"], name)[:n].detach().numpy() for name in ("bias", "weight")
        )
    start = decoder.combine.size - networks.n_components  # the style is the last block
    places = np.eye(n, decoder.combine.size, start)
    rows = np.zeros((decoder.out.out_features, n))
    bias = decoder.out.bias.detach().numpy().astype(np.float64)
    rows[:n_numbers] = (found.directions[:n] * deviations).T[:n_numbers]
    bias[:n_numbers] = found.mean[:n_numbers]
    if sigmoid:
        center = found.mean[:n_numbers].clip(LEAST_MEAN, MOST_MEAN)
        bias[:n_numbers] = np.log(center / (1.0 - center))
        rows[:n_numbers] /= np.maximum(center * (1.0 - center), LEAST_SLOPE)[:, None]
    from_code = places / scale[:, None], -mean / scale
    pass_through([*of_decoder, decoder.out], from_code, (rows, bias), activation)


def hidden_layers(body: MLP) -> list[nn.Linear]:
    """Return the hidden layers of a network."""
    return [layer for layer in body.layers if isinstance(layer, nn.Linear)]


def pass_through(
    layers: Sequence[nn.Linear],
    first: tuple[np.ndarray, np.ndarray],
    last: tuple[np.ndarray, np.ndarray],
    activation: str,
) -> None:
    """Make layers compute one linear map after another, each with its bias.

    `first` has n outputs, which the layers in between pass on, so these have at least 2 n units.
    """
    one = torch.ones(1)
    activate = ACTIVATIONS[activation]
    # what the activation makes of a unit and of its opposite differs by `gain` times the unit
    gain = float(activate(one.clone()) - activate(-one))
    signs = np.kron(np.eye(len(first[0])), [[1.0], [-1.0]])  # (2 n, n)
    weight, bias = first
    with torch.no_grad():
        for layer in layers[:-1]:
            n_units, n_inputs = len(signs), weight.shape[1]
            layer.weight[:n_units] = 0.0
            layer.weight[:n_units, :n_inputs] = torch.from_numpy(signs @ weight)
            layer.bias[:n_units] = torch.from_numpy(signs @ bias)
            weight, bias = signs.T / gain, np.zeros(signs.shape[1])
        layers[-1].weight *= REST
        layers[-1].weight[:, : weight.shape[1]] = torch.from_numpy(last[0] @ weight)
        layers[-1].bias.copy_(torch.from_numpy(last[0] @ bias + last[1]))
