"""The decoder of a fitted estimator as plain arrays, for programs that have no PyTorch.

Batch normalization is part of the weights, and a class is something that is added to the first
layer. So whoever computes with it needs to know layers, activations and columns alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skaae.columns.limits import limits_of
from skaae.columns.quantiles import QuantileScaling
from skaae.columns.schema import CATEGORY, FLAG, NUMBER
from skaae.columns.table import Table
from skaae.estimators.embedding import AAEEmbedding
from skaae.export.columns import TableColumns
from skaae.export.modules import Decode, check_method
from skaae.networks.autoencoder import Decoder, SideBySide
from skaae.networks.convolutions import TransposedConvolutions
from skaae.networks.layers import MLP
from skaae.networks.user_modules import UserModule


@dataclass(frozen=True)
class Layer:
    """A layer: a linear map or a transposed convolution, then an activation.

    Parameters
    ----------
    weight : of a linear map (n_outputs, n_inputs); of a convolution of stride 2 and padding 1
        (channels in, height of the kernel, its width, channels out).
    bias : (n_outputs,), or (channels out,).
    activation : key of `skaae.networks.layers.ACTIVATIONS`.
    shapes : of a convolution the height, width and channels of its input and of its output. Both
        are flat, and the channels of a pixel are side by side.
    """

    weight: np.ndarray
    bias: np.ndarray
    activation: str = "identity"
    shapes: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class PlainColumn:
    """A column of the table, and how it follows from the decoder's outputs.

    A number is factor * output + offset, or is found between the points (scores, values), which
    lines connect. A flag is true if its output is above 0. A category is that of the largest
    output.

    Parameters
    ----------
    name : of the column.
    kind : "number", "flag" or "category".
    start : its first output.
    factor, offset : of a number.
    scores, values : of a number with points. The values of a category column are its categories,
        one for each output.
    sigmoid : whether a number's output passes through a sigmoid first.
    whole : whether a number is rounded.
    limits : the smallest and largest number that the column can hold; None for no limit.
    range : the smallest and largest number of the training rows; None if none is known, and the
        column is then always missing.
    """

    name: str
    kind: str
    start: int
    factor: float = 1.0
    offset: float = 0.0
    scores: Sequence[float] = ()
    values: Sequence[Any] = ()
    sigmoid: bool = False
    whole: bool = False
    limits: tuple[float | None, float | None] = (None, None)
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class PlainDecoder:
    """`inverse_transform` of a fitted estimator as arrays.

    Parameters
    ----------
    layers : from the code to the outputs.
    columns : of the table, in its order.
    classes : the classes or clusters that the decoder takes beside the code; may be empty.
    proportions : of these classes, (n_classes,), which stand for a class that is not given.
    of_class : what each class adds to the first layer before its activation, (n_classes, width).
    are_pixels : whether all columns are numbers that share one scale, as pixels do.
    """

    layers: tuple[Layer, ...]
    columns: tuple[PlainColumn, ...]
    classes: tuple[Any, ...]
    proportions: np.ndarray
    of_class: np.ndarray
    are_pixels: bool


def plain_decoder(estimator: Any) -> PlainDecoder:
    """Return the decoder of a fitted estimator as plain arrays.

    Raises TypeError for an estimator that is none of ours, and ValueError for a network that the
    user has written.
    """
    check_method(estimator, "inverse_transform", ("inverse_transform",))
    module = Decode(estimator)
    decoder: Decoder = module.decoder
    if isinstance(decoder.body, UserModule):
        raise ValueError(
            f"the decoder of this {type(estimator).__name__} is a module of yours, "
            f"{type(decoder.body.module).__name__}, which only PyTorch can compute; fit an "
            "estimator without `decoder` in its network."
        )
    first, *others = layers_of(decoder)
    weight, n_classes = first.weight, module.n_classes
    of_class, classes, proportions = np.zeros((0, len(first.bias))), (), np.zeros(0)
    if not isinstance(estimator, AAEEmbedding):  # the code of a map is the input of the decoder
        assert isinstance(decoder.combine, SideBySide)
        style, label = inputs_of(decoder.combine, estimator._settings.n_components)
        if n_classes:
            of_class = module.within.double().numpy() @ weight[:, label].T
            classes = tuple(estimator._label_values()[0].tolist())
            proportions = module.proportions.double().numpy()
        weight = weight[:, style]
    return PlainDecoder(
        (Layer(weight, first.bias, first.activation), *others),
        tuple(columns_of(estimator._table, sigmoid=module.outputs.sigmoid)),
        classes,
        proportions,
        of_class,
        estimator._table.scaling.kind == "range" and not estimator._table.schema.is_mixed,
    )


def inputs_of(combine: SideBySide, n_components: int) -> tuple[slice, slice]:
    """Return which inputs of the decoder are the style, and which are the label."""
    n_label = combine.size - n_components
    if combine.names[0] == "style":
        return slice(n_components), slice(n_components, None)
    return slice(n_label, None), slice(n_label)


def layers_of(decoder: Decoder) -> list[Layer]:
    """Return the layers of a decoder of ours."""
    body = decoder.body
    if isinstance(body, TransposedConvolutions):
        return list(convolutions(body))
    assert isinstance(body, MLP)
    found = []
    for index, linear in enumerate(body.layers):
        weight, bias = numbers(linear.weight), numbers(linear.bias)
        factor, offset = normalization(body.norms, index, len(bias))
        found.append(Layer(weight * factor[:, None], bias * factor + offset, body.activation))
    return [*found, Layer(numbers(decoder.out.weight), numbers(decoder.out.bias))]


def convolutions(body: TransposedConvolutions) -> Iterator[Layer]:
    """Yield the layers of a network of transposed convolutions, with the channels last."""
    n_channels, height, width = body.first_map
    n_layers = len(body.layers)
    weight, bias = (
        numbers(values).reshape(n_channels, height * width, -1)
        for values in (body.fill.weight, body.fill.bias)
    )
    factor, offset = normalization(body.norms, 0, n_channels)
    weight = (weight * factor[:, None, None]).swapaxes(0, 1).reshape(bias.size, -1)
    bias = (bias[:, :, 0] * factor[:, None] + offset[:, None]).T.ravel()
    yield Layer(weight, bias, body.activation if n_layers else "identity")
    layers: Any = body.layers
    for index, layer in enumerate(layers):
        weight, bias = numbers(layer.weight).transpose(0, 2, 3, 1), numbers(layer.bias)
        factor, offset = normalization(body.norms, index + 1, len(bias))
        more, right = layer.output_padding
        larger = (2 * height + more, 2 * width + right)
        yield Layer(
            weight * factor,
            bias * factor + offset,
            body.activation if index + 1 < n_layers else "identity",
            ((height, width, len(weight)), (*larger, len(bias))),
        )
        height, width = larger


def normalization(norms: Any, index: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the factor and the offset of batch normalization in inference; 1 and 0 without it."""
    if norms is None or index >= len(norms):
        return np.ones(size), np.zeros(size)
    norm = norms[index]
    factor = numbers(norm.weight) / np.sqrt(numbers(norm.running_var) + norm.eps)
    return factor, numbers(norm.bias) - numbers(norm.running_mean) * factor


def numbers(tensor: Any) -> np.ndarray:
    """Return the weights of a layer as an array in float64."""
    return tensor.detach().double().numpy()


def columns_of(table: Table, *, sigmoid: bool) -> list[PlainColumn]:
    """Return the columns of a table in its order."""
    known, schema = TableColumns(table), table.schema
    found: dict[int, PlainColumn] = {}
    for entry, place in enumerate(table.numbers.tolist()):
        position = int(known.plain[place])
        low, high = table.lowest[entry], table.highest[entry]
        found[position] = PlainColumn(
            str(known.names[position]),
            NUMBER,
            entry,
            **scaling_of(table, entry),
            sigmoid=sigmoid,
            whole=bool(table.whole[entry]),
            limits=finite(limits_of(schema.columns[position].dtype)),
            range=None if np.isnan(low) else (float(low), float(high)),
        )
    start = len(table.numbers)
    for place in table.flags.tolist():
        position = int(known.plain[place])
        found[position] = PlainColumn(str(known.names[position]), FLAG, start)
        start += 1
    for column in known.categories:
        values = [
            value.item() if isinstance(value, np.generic) else value for value in column.typical
        ]
        found[column.position] = PlainColumn(
            str(column.name), CATEGORY, start, values=tuple(values)
        )
        start += column.size
    return [found[position] for position in sorted(found)]


def scaling_of(table: Table, entry: int) -> dict[str, Any]:
    """Return how a number follows from its output, as arguments of `PlainColumn`."""
    scaling = table.scaling
    if isinstance(scaling, QuantileScaling):
        knots = scaling.columns[entry]
        return {"scores": knots.back_scores.tolist(), "values": knots.back_values.tolist()}
    factor, offset = (
        np.broadcast_to(values, len(table.numbers))[entry]
        for values in (scaling.scale, scaling.center)
    )
    return {"factor": float(factor), "offset": float(offset)}


def finite(limits: tuple[float, float]) -> tuple[float | None, float | None]:
    """Return limits with None in place of an infinite one."""
    low, high = (float(limit) if np.isfinite(limit) else None for limit in limits)
    return low, high
