"""Initial weights with which codes and reconstructions are those of principal component analysis.

Training then starts from the best linear codes. From random weights, it takes long to find the
directions in which rows differ little, and some are never found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import svds
from torch import nn

from skaae.networks.autoencoder import AdversarialAutoencoder, OutputLayers
from skaae.networks.layers import ACTIVATIONS, MLP

# Directions with a smaller part of the largest deviation are left out: dividing by their deviation
# would make rounding errors count.
LEAST_DEVIATION = 1e-3
# With more rows and columns than this, only the components that are needed are computed.
MOST_FOR_ALL = 500
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


def principal_components(x: np.ndarray, n_components: int, seed: int) -> Components:
    """Return the first components of rows x (n_rows, n_inputs), fewer if they vary in fewer."""
    x = np.asarray(x, dtype=np.float64)
    mean = x.mean(axis=0)
    x = x - mean
    n_components = min(n_components, *x.shape)
    if min(x.shape) > MOST_FOR_ALL and 10 * n_components < min(x.shape):
        start = np.random.default_rng(seed).normal(size=min(x.shape))
        _, deviations, directions = svds(x, n_components, v0=start)
        deviations, directions = deviations[::-1], directions[::-1]
    elif len(x) > x.shape[1]:
        variances, basis = np.linalg.eigh(x.T @ x)
        deviations = np.sqrt(variances.clip(min=0.0)[::-1][:n_components])
        directions = basis.T[::-1][:n_components]
    else:
        _, deviations, directions = np.linalg.svd(x, full_matrices=False)
        deviations, directions = deviations[:n_components], directions[:n_components]
    n = int((deviations > LEAST_DEVIATION * deviations[0]).sum())
    directions = directions[:n]
    # of a direction and its opposite, the one whose largest entry is positive
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(n), largest])[:, None]
    return Components(mean, directions, deviations[:n] / np.sqrt(len(x)))


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
    to_outputs, to_rows = linear_layers(encoder.trunk), linear_layers(decoder.body)
    widths = [layer.out_features for layer in (*to_outputs, *to_rows)]
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
    pass_through([*to_outputs, outputs], from_rows, to_code, activation)

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
    pass_through([*to_rows, decoder.out], from_code, (rows, bias), activation)


def linear_layers(body: MLP) -> list[nn.Linear]:
    """Return the layers of a network but the last one."""
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
