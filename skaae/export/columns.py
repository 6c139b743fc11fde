"""Tables as PyTorch modules: rows in the units of X to inputs of the networks, and back.

These modules compute what `Table` computes, with tensors. Scaling is in float64, as there. A tensor
has no text, so a column of text enters and leaves as the index of its categories.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from skaae.columns.categories import GAP, UNKNOWN
from skaae.columns.gaps import Expectation, expected
from skaae.columns.limits import limits_of
from skaae.columns.quantiles import Knots, QuantileScaling
from skaae.columns.scaling import MOST_SCALED, Scaling
from skaae.columns.schema import CATEGORY, FLAG, NUMBER
from skaae.columns.table import Table


class CategoryColumn:
    """The categories of one column, as constants.

    Parameters
    ----------
    name : of the column.
    values : all known categories, (n_values,).
    groups : index of each of these among the entries of the column's block, (n_values,).
    typical : the most frequent category of each index, (n_indices,).
    is_text : whether the categories are text; otherwise they are numbers.
    default : index of a category that is not known.
    """

    def __init__(self, table: Table, position: int, index: int) -> None:
        assert table.categories is not None
        self.position, self.name = position, table.named_columns[position].name
        found, shares = table.categories.values[index], table.categories.shares[index]
        self.values = [value for group in found for value in group.tolist()]
        self.groups = np.repeat(np.arange(len(found)), [len(group) for group in found])
        self.typical = [v[s.argmax()] for v, s in zip(found, shares, strict=True)]
        self.size = len(found)
        self.default = self.size - 1 if self.size and len(found[-1]) > 1 else UNKNOWN
        numbers = [isinstance(v, bool | int | float | np.number | np.bool_) for v in self.values]
        self.is_text = not self.values or not all(numbers)
        strange = next((v for v in self.values if self.is_text and not isinstance(v, str)), None)
        if strange is not None:
            raise ValueError(
                f"column {self.name!r} has categories of type {type(strange).__name__}, which "
                "cannot be exported; make them text, for instance with astype(str), and fit again."
            )


class TableColumns:
    """Which columns of a table are numbers, flags, and categories that are numbers or text."""

    def __init__(self, table: Table) -> None:
        schema = table.schema
        self.n_columns = len(schema.columns)
        self.names = [column.name for column in table.named_columns]
        self.plain = schema.positions(NUMBER, FLAG)
        self.categories = [
            CategoryColumn(table, position, index)
            for index, position in enumerate(schema.positions(CATEGORY).tolist())
        ]
        self.text = [column for column in self.categories if column.is_text]
        text = {column.position for column in self.text}
        # positions of the columns that one tensor of numbers holds, in this order
        self.values = [position for position in range(self.n_columns) if position not in text]

    def mixed_up_in(self, dtype: str) -> object:
        """Return the name of a column that has categories which are the same number in a dtype."""
        for column in self.categories:
            if not column.is_text:
                values = np.array(column.values, dtype=np.float64)
                if len(np.unique(values.astype(dtype))) < len(values):
                    return column.name
        return None

    def place(self, position: int) -> int:
        """Return where a column of the table is among those that are no text."""
        return self.values.index(position)


def buffer(values: Any, dtype: torch.dtype | None = None) -> Tensor:
    """Return a tensor with a copy of an array."""
    return torch.tensor(np.asarray(values), dtype=dtype)


class Choose(nn.Module):
    """Some columns of a table."""

    places: Tensor

    def __init__(self, places: list[int], n_columns: int) -> None:
        super().__init__()
        self.are_all = places == list(range(n_columns))
        self.register_buffer("places", buffer(places, torch.int64))

    def forward(self, X: Tensor) -> Tensor:
        return X if self.are_all else X.index_select(1, self.places)


class Linear(nn.Module):
    """The scaling x -> (x - center) / scale, and back."""

    center: Tensor
    scale: Tensor

    def __init__(self, scaling: Scaling, *, back: bool) -> None:
        super().__init__()
        self.is_identity, self.back = scaling.is_identity, back
        self.register_buffer("center", buffer(scaling.center))
        self.register_buffer("scale", buffer(scaling.scale))

    def forward(self, x: Tensor) -> Tensor:
        if self.back:
            return x if self.is_identity else x * self.scale + self.center
        scaled = x if self.is_identity else (x - self.center) / self.scale
        return scaled.clamp(-MOST_SCALED, MOST_SCALED)


class PiecewiseLinear(nn.Module):
    """The scaling of each column by a function that is linear between points, or its inverse.

    A binary search finds the last point that is not above x. It takes few operations that both
    PyTorch and ONNX have, and little memory.
    """

    first: Tensor
    last: Tensor
    x: Tensor
    lines: Tensor
    offsets: Tensor

    def __init__(self, scaling: QuantileScaling, *, back: bool) -> None:
        super().__init__()
        columns = [points_of(knots, back) for knots in scaling.columns]
        length = max((len(x) for x, _ in columns), default=1)
        self.n_steps = max(length - 1, 0).bit_length()
        width = 2**self.n_steps
        points = np.zeros((4, len(columns), width))
        points[0] = np.inf  # no x reaches the points that only fill up
        for row, (x, y) in enumerate(columns):
            points[0, row, : len(x)] = x
            points[1, row, : len(x)] = y
            points[2, row, : len(x) - 1] = np.diff(x)
            points[3, row, : len(x) - 1] = np.diff(y)
        self.register_buffer("x", buffer(points[0].reshape(-1, 1)))
        self.register_buffer("lines", buffer(points.reshape(4, -1).T))
        self.register_buffer("offsets", buffer(np.arange(len(columns)) * width))
        self.register_buffer("first", buffer([x[0] for x, _ in columns]))
        self.register_buffer("last", buffer([x[-1] for x, _ in columns]))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.minimum(torch.maximum(x, self.first), self.last)
        index = self.offsets.expand_as(x)
        for step in reversed(range(self.n_steps)):
            ahead = index + 2**step
            index = torch.where(x >= embedding(ahead, self.x).squeeze(2), ahead, index)
        start, height, run, rise = embedding(index, self.lines).unbind(dim=2)
        # not by the slope, which may be infinite
        return height + (x - start) / torch.where(run > 0.0, run, 1.0) * rise


def points_of(knots: Knots, back: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of a column's function, their x and their y."""
    if back:
        return knots.back_scores, knots.back_values
    return knots.values, knots.scores


def scaler(scaling: Scaling | QuantileScaling, *, back: bool) -> nn.Module:
    """Return the module of a scaling, or `back` that of its inverse."""
    if isinstance(scaling, QuantileScaling):
        return PiecewiseLinear(scaling, back=back)
    return Linear(scaling, back=back)


class Lookup(nn.Module):
    """Numbers that stand for categories, (n_rows,), to the indices of these categories."""

    values: Tensor
    weights: Tensor

    def __init__(self, column: CategoryColumn) -> None:
        super().__init__()
        self.default = column.default
        self.register_buffer("values", buffer(column.values, torch.float64))
        self.register_buffer("weights", buffer(column.groups - column.default, torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        # no more than one value is equal to x, as they differ in the dtype of x too
        found = (x[:, None] == self.values.to(x.dtype)).to(torch.int64)
        return torch.where(x.isnan(), GAP, (found * self.weights).sum(dim=1) + self.default)


class Fill(nn.Module):
    """Expected values for the gaps of rows (n_rows, n_entries), as `Expectation.fill`."""

    mean: Tensor
    deviation: Tensor
    precision: Tensor

    def __init__(self, expectation: Expectation) -> None:
        super().__init__()
        for name, value in vars(expectation).items():
            self.register_buffer(name, buffer(value, torch.float64))

    def forward(self, x: Tensor, missing: Tensor) -> Tensor:
        parts = [part.to(x.dtype) for part in (self.mean, self.deviation, self.precision)]
        return expected(x, missing.to(x.dtype), *parts)


class TableInputs(nn.Module):
    """Rows in the units of X to rows that networks see, (n_rows, n_inputs), as `Table.transform`.

    `forward` takes the columns that are no text, (n_rows, n_values), and the indices of the text
    columns, (n_rows, n_text); None where there are no such columns. GAP and UNKNOWN are no index.
    """

    never_known: Tensor
    typical: Tensor
    unit: Tensor
    column_of: Tensor
    entry: Tensor
    is_empty: Tensor
    order: Tensor
    gaps: Tensor

    def __init__(self, table: Table) -> None:
        super().__init__()
        columns = TableColumns(table)
        self.n_numbers, self.n_flags = table.layout.n_numbers, table.layout.n_flags
        self.n_gaps, n_values = len(table.layout.gaps), len(columns.values)
        numbers = [columns.place(p) for p in columns.plain[table.numbers].tolist()]
        flags = [columns.place(p) for p in columns.plain[table.flags].tolist()]
        self.numbers, self.flags = Choose(numbers, n_values), Choose(flags, n_values)
        self.scale = scaler(table.scaling, back=False)
        self.register_buffer("unit", torch.ones(()))  # has the dtype of the networks
        self.register_buffer("never_known", buffer(np.isnan(table.lowest)))
        self.register_buffer("typical", buffer(table.typical, torch.float64))
        numeric = [column for column in columns.categories if not column.is_text]
        self.lookups = nn.ModuleList(Lookup(column) for column in numeric)
        self.numeric = [columns.place(column.position) for column in numeric]
        in_order = [columns.categories.index(c) for c in (*numeric, *columns.text)]
        self.register_buffer("order", buffer(np.argsort(in_order), torch.int64))
        sizes = [column.size for column in columns.categories]
        self.register_buffer("column_of", buffer(np.repeat(np.arange(len(sizes)), sizes)))
        entries = [np.arange(size) for size in sizes]
        self.register_buffer("entry", buffer(np.concatenate(entries or [np.arange(0)])))
        self.register_buffer("is_empty", buffer(np.array(sizes) == 0))
        self.fill = None if table.expectation is None else Fill(table.expectation)
        self.register_buffer("gaps", buffer(table.layout.gaps, torch.int64))

    def forward(self, X: Tensor | None, text: Tensor | None = None) -> Tensor:
        missing, known, parts, gaps = [], [], [], []
        if self.n_numbers:
            numbers = self.numbers(X)
            missing.append(numbers.isnan() | self.never_known)
            known.append(self.scale(numbers.double()))
        if self.n_flags:
            flags = self.flags(X)
            missing.append(flags.isnan())
            known.append(flags.clamp(0.0, 1.0).double())
        if known:
            x = torch.where(torch.cat(missing, dim=1), self.typical, torch.cat(known, dim=1))
            parts.append(x.to(self.unit.dtype))
            gaps += missing
        if len(self.order):
            index = self._indices(X, text)
            one_hot = index.index_select(1, self.column_of) == self.entry
            parts.append(one_hot.to(self.unit.dtype))
            missing.append((index == GAP) | self.is_empty)
            gaps.append(missing[-1].index_select(1, self.column_of))
        if self.fill is not None:
            parts = [self.fill(torch.cat(parts, dim=1), torch.cat(gaps, dim=1))]
        if self.n_gaps:
            indicators = torch.cat(missing, dim=1).index_select(1, self.gaps)
            parts.append(indicators.to(self.unit.dtype))
        return torch.cat(parts, dim=1)

    def _indices(self, X: Tensor | None, text: Tensor | None) -> Tensor:
        """Return the indices of all category columns, (n_rows, n_categories)."""
        found = []
        for lookup, place in zip(self.lookups, self.numeric, strict=True):
            assert X is not None
            found.append(lookup(X[:, place])[:, None])
        if text is not None:
            found.append(text)
        return torch.cat(found, dim=1).index_select(1, self.order)


class TableOutputs(nn.Module):
    """Outputs of the decoder to rows in the units of X, as `Table.inverse_transform`.

    `forward` returns the columns that are no text, (n_rows, n_values), in float64, and the indices
    of the text columns, (n_rows, n_text); None where there are no such columns. Flags and
    categories are the likeliest.
    """

    never_known: Tensor
    whole: Tensor
    lowest: Tensor
    highest: Tensor
    typical: Tensor

    def __init__(self, table: Table, *, sigmoid: bool) -> None:
        super().__init__()
        columns = TableColumns(table)
        self.sigmoid = sigmoid
        self.n_numbers, self.n_flags = table.layout.n_numbers, table.layout.n_flags
        self.scale = scaler(table.scaling, back=True)
        self.has_empty, self.has_whole = bool(np.isnan(table.lowest).any()), bool(table.whole.any())
        self.register_buffer("never_known", buffer(np.isnan(table.lowest)))
        self.register_buffer("whole", buffer(table.whole))
        numbers = columns.plain[table.numbers].tolist()
        limits = [limits_of(table.schema.columns[position].dtype) for position in numbers]
        self.is_limited = bool(np.isfinite(limits).any())
        self.register_buffer("lowest", buffer([low for low, _ in limits], torch.float64))
        self.register_buffer("highest", buffer([high for _, high in limits], torch.float64))
        self.sizes = [column.size for column in columns.categories]
        self.is_text = [column.is_text for column in columns.categories]
        numeric = [column for column in columns.categories if not column.is_text]
        typical = [value for column in numeric for value in column.typical]
        self.register_buffer("typical", buffer(typical, torch.float64))
        positions = [*numbers, *columns.plain[table.flags].tolist()]
        positions += [column.position for column in numeric]
        self.in_order = Choose(np.argsort(positions).tolist(), len(positions))

    def forward(self, outputs: Tensor) -> tuple[Tensor | None, Tensor | None]:
        values = [self._numbers(outputs[:, : self.n_numbers])] if self.n_numbers else []
        text = []
        if self.n_flags:
            flags = outputs[:, self.n_numbers : self.n_numbers + self.n_flags]
            values.append((flags.sigmoid() > 0.5).double())
        start, before = self.n_numbers + self.n_flags, 0
        for size, is_text in zip(self.sizes, self.is_text, strict=True):
            block = outputs[:, start : start + size]
            start += size
            index = block.argmax(dim=1) if size else outputs.new_zeros(outputs.shape[0]).long()
            if is_text:
                text.append(index[:, None])
            else:
                values.append(self.typical[index + before][:, None])
                before += size
        return (
            self.in_order(torch.cat(values, dim=1)) if values else None,
            torch.cat(text, dim=1) if text else None,
        )

    def _numbers(self, numbers: Tensor) -> Tensor:
        """Return numbers in the units of X from the decoder's outputs for them."""
        numbers = self.scale((numbers.sigmoid() if self.sigmoid else numbers).double())
        if self.has_empty:
            numbers = torch.where(self.never_known, torch.nan, numbers)
        if self.has_whole:
            numbers = torch.where(self.whole, numbers.round(), numbers)
        if self.is_limited:
            numbers = torch.minimum(torch.maximum(numbers, self.lowest), self.highest)
        return numbers
