"""The reconstruction loss of a table whose columns are numbers, flags and categories."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from skaae.columns.gaps import Expectation, expected
from skaae.columns.layout import Layout
from skaae.training.losses import (
    binary_cross_entropy,
    categorical_cross_entropy,
    log_softmax_by_column,
    reconstruction_errors,
)

NUMBERS = Layout(0)
# Probability of hiding a value of a column that has gaps.
HIDDEN = 0.2


@dataclass
class Reconstruction:
    """What the decoder's output means and what it costs, and which values training hides.

    Parameters
    ----------
    layout : of the rows; NUMBERS for any number of numbers.
    kind : loss of the numbers, "squared_error" or "binary_cross_entropy".
    sigmoid : whether numbers pass through a sigmoid.
    device : of the networks.
    expectation : what stands for gaps; None for 0.
    """

    layout: Layout = NUMBERS
    kind: str = "squared_error"
    sigmoid: bool = False
    device: torch.device | str = "cpu"
    expectation: Expectation | None = None
    _column: Tensor = field(init=False, repr=False)
    _gaps: Tensor = field(init=False, repr=False)
    _weights: Tensor = field(init=False, repr=False)
    _indicator: Tensor = field(init=False, repr=False)
    _expectation: list[Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.layout.is_plain:
            return
        sizes = torch.tensor(self.layout.categories, dtype=torch.int64)
        self._column = torch.repeat_interleave(torch.arange(len(sizes)), sizes).to(self.device)
        self._gaps = torch.tensor(self.layout.gaps, dtype=torch.int64, device=self.device)
        self._weights = torch.tensor(self.layout.weights, device=self.device)
        # of each entry that the decoder returns; the last one is that of columns without gaps
        indicator = torch.full((self.layout.n_outputs,), len(self.layout.gaps))
        for place, column in enumerate(self.layout.gaps):
            indicator[self.layout.entries(column)] = place
        self._indicator = indicator.to(self.device)
        if self.expectation is not None:
            parts = vars(self.expectation).values()
            self._expectation = [
                torch.tensor(p, dtype=torch.float32, device=self.device) for p in parts
            ]

    def hide(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return rows x (batch, n_inputs) in which more of the values are gaps.

        Each value of a column that has gaps is hidden with probability HIDDEN. So the encoder
        learns to read a gap by the other columns, as the loss knows the value.
        """
        if not self.layout.gaps:
            return x
        known, gaps = x.tensor_split([self.layout.n_outputs], dim=1)
        hidden = torch.empty_like(gaps).uniform_(generator=generator) < HIDDEN
        gaps = gaps.masked_fill(hidden, 1.0)
        missing = torch.cat([gaps, gaps.new_zeros(len(x), 1)], dim=1)
        missing = missing.index_select(1, self._indicator)
        if self.expectation is None:
            known = known * (1.0 - missing)
        else:
            known = expected(known, missing, *self._expectation)
        return torch.cat([known, gaps], dim=1)

    def losses(self, output: Tensor, x: Tensor, known: Tensor | None = None) -> Tensor:
        """Return the loss of each row x (batch, n_inputs) under an output: shape (batch,).

        It is the sum over columns. Columns without a value in a row play no part. `known` (batch,
        n_columns) is 0 for such values that have no indicator, else 1.
        """
        if self.layout.is_plain:
            losses = reconstruction_errors(self.kind, output, x, sigmoid=self.sigmoid)
            return (losses if known is None else losses * known).sum(dim=1)
        numbers, flags, categories = self._parts(output)
        targets = self._parts(x[:, : self.layout.n_outputs])
        weights = self._weights.to(output.dtype)
        n_flags = self.layout.n_flags
        columns = [
            reconstruction_errors(self.kind, numbers, targets[0], sigmoid=self.sigmoid),
            weights[:n_flags] * binary_cross_entropy(flags, targets[1]),
        ]
        if self.layout.categories:
            entropies = categorical_cross_entropy(
                categories, targets[2], self._column, len(self.layout.categories)
            )
            columns.append(weights[n_flags:] * entropies)
        losses = torch.cat(columns, dim=1)
        marked = torch.ones_like(losses).index_copy(
            1, self._gaps, 1.0 - x[:, self.layout.n_outputs :].to(losses.dtype)
        )
        return (losses * (marked if known is None else marked * known)).sum(dim=1)

    def errors(self, output: Tensor, x: Tensor, known: Tensor | None = None) -> Tensor:
        """Return x minus its reconstruction, (batch, n_outputs), in the units of the networks.

        Entries of columns without a value in a row are 0. `known` is that of `losses`.
        """
        found = self.activate(output)
        if self.layout.is_plain:
            return x - found if known is None else (x - found) * known
        errors, missing = x[:, : self.layout.n_outputs] - found, x[:, self.layout.n_outputs :]
        if known is not None:
            for column in range(self.layout.n_columns):
                errors[:, self.layout.entries(column)] *= known[:, column, None]
        for place, column in enumerate(self.layout.gaps):
            errors[:, self.layout.entries(column)] *= 1.0 - missing[:, place, None]
        return errors

    def activate(self, output: Tensor) -> Tensor:
        """Return numbers, and probabilities of flags and categories, from the decoder's output."""
        if self.layout.is_plain:
            return torch.sigmoid(output) if self.sigmoid else output
        numbers, flags, categories = self._parts(output)
        parts = [torch.sigmoid(numbers) if self.sigmoid else numbers, torch.sigmoid(flags)]
        if self.layout.categories:
            n_columns = len(self.layout.categories)
            parts.append(log_softmax_by_column(categories, self._column, n_columns).exp())
        return torch.cat(parts, dim=1)

    def _parts(self, output: Tensor) -> tuple[Tensor, ...]:
        """Return the entries of numbers, of flags and of categories."""
        sizes = [self.layout.n_numbers, self.layout.n_flags, sum(self.layout.categories)]
        return output.split(sizes, dim=1)
