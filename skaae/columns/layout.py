"""What the entries of a network's row stand for: plain values that networks and losses need."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """The order of a network's row: numbers, flags, categories as one-hot blocks, gap indicators.

    The decoder returns all of it but the indicators: a number, the logit of a flag, the logits of a
    column's categories.

    Parameters
    ----------
    n_numbers : columns of numbers.
    n_flags : columns of 0 and 1.
    categories : number of categories of each category column.
    gaps : for each gap indicator its column, counted over numbers, flags and category columns. The
        indicator is 1 where the column has no value.
    weights : weight of the loss of each flag and category column.
    """

    n_numbers: int
    n_flags: int = 0
    categories: tuple[int, ...] = ()
    gaps: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()

    @property
    def n_outputs(self) -> int:
        """Number of entries that the decoder returns."""
        return self.n_numbers + self.n_flags + sum(self.categories)

    @property
    def n_inputs(self) -> int:
        """Number of entries that the encoder sees."""
        return self.n_outputs + len(self.gaps)

    @property
    def n_columns(self) -> int:
        """Number of columns of the table."""
        return self.n_numbers + self.n_flags + len(self.categories)

    def entries(self, column: int) -> slice:
        """Return the entries of a column, counted over numbers, flags and category columns."""
        n_single = self.n_numbers + self.n_flags
        if column < n_single:
            return slice(column, column + 1)
        start = n_single + sum(self.categories[: column - n_single])
        return slice(start, start + self.categories[column - n_single])

    @property
    def indicators_of_numbers(self) -> list[int]:
        """Positions of the indicators of gaps in numbers."""
        first = self.n_outputs
        return [first + i for i, column in enumerate(self.gaps) if column < self.n_numbers]

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing but numbers, each of them known."""
        return self.n_inputs == self.n_numbers
