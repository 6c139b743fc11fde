"""Learning from training rows how networks see a table."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from skaae.columns import frames
from skaae.columns.categories import Categories, fit_categories, is_gap
from skaae.columns.gaps import MOST_ENTRIES, MOST_ROWS, MOST_VALUES, Expectation, fit_expectation
from skaae.columns.layout import Layout
from skaae.columns.limits import require_moderate
from skaae.columns.quantiles import QuantileScaling, fit_far_values, fit_quantiles
from skaae.columns.scaling import (
    Scaling,
    auto_kind,
    blocks,
    fit_scaling,
    has_gaps,
    known_range,
    mean_and_count,
    working_dtype,
)
from skaae.columns.schema import CATEGORY, FLAG, NUMBER, MixedRows, Schema
from skaae.columns.table import BLOCK_ROWS, Rows, Table, numbers_of, starts

# Loss of a standardised number whose mean is predicted: what a flag or a category costs at first.
LOSS_OF_NUMBER = 0.5
# Entropies below this many nats count as this: the loss of a rare flag is not weighed without end.
LEAST_ENTROPY = 0.05
# With min_frequency="auto", categories in fewer rows than this are rare, or in fewer than 1 %.
RARE_ROWS = 5
# Most entries of a row of which a detector learns what to expect where later rows have gaps.
MOST_OF_NEW_ROWS = 200


def fit_table(
    rows: Rows,
    schema: Schema,
    scaling: str | None,
    *,
    bounded: bool = False,
    of_mixed: str = "quantile",
    purpose: str = "codes",
    may_exceed_range: bool = False,
    min_frequency: Any = "auto",
    weight: float = 1.0,
) -> Table:
    """Learn from training rows how networks see a table.

    Parameters
    ----------
    rows : checked rows.
    schema : their columns.
    scaling : see `fit_scaling`.
    bounded : whether the loss needs numbers in [0, 1].
    of_mixed : what scaling "auto" is for a data frame with flags or categories.
    purpose : what "auto" is chosen for. For "classes", learned from few labels, photos count as
        tables, and columns with heavy tails are ranked. For "outliers", a few values that are far
        away stay there. For "codes", they are brought near the others.
    may_exceed_range : whether later rows or augmented ones train too, which may be larger. Then
        numbers that are far away count as they are.
    min_frequency : number or fraction of rows below which a category is rare, "auto" or None.
    weight : weight of the losses of flags and categories beside those of numbers.
    """
    found = numbers_of(rows)
    if not schema.columns:
        schema = Schema(tuple(frames.Column(i, NUMBER) for i in range(found.shape[1])))
    lowest, highest = known_range(found)
    names = [column.name for column in schema.columns if column.kind != CATEGORY]
    require_moderate(lowest, highest, names, scaling)
    kind = scaling
    if scaling == "auto":
        mixed = schema.is_mixed and not bounded
        photos = purpose != "classes"
        # ranks know no larger numbers than the first rows have
        of_mixed = "standard" if may_exceed_range else of_mixed
        kind = of_mixed if mixed else auto_kind(found, bounded=bounded, photos=photos)
    finds_flags = kind in ("standard", "quantile") and purpose != "outliers"
    is_flag, whole = flags_and_whole(found, (lowest, highest), schema, finds_flags=finds_flags)
    numbers, flags = np.flatnonzero(~is_flag), np.flatnonzero(is_flag)
    categories = categories_of(rows, schema, min_frequency)
    require_values(lowest, categories, schema)
    schema = schema.widened(lowest, highest, [] if categories is None else categories.known())
    brings_near = scaling == "auto" and not may_exceed_range and purpose != "outliers"
    of_numbers = found if not len(flags) else found[:, numbers]
    ranks = purpose == "classes"
    fitted = fit_numbers(of_numbers, kind, brings_near=brings_near, ranks_tails=ranks)
    means, order = mean_and_count(found)[0], np.concatenate([numbers, flags])
    gaps = gaps_in(rows, order)
    typical = np.append(fitted.transform(means[None, numbers]), means[flags])
    typical[[column for column in gaps if column < len(order)]] = 0.0
    table = Table(
        schema,
        fitted,
        Layout(
            len(numbers),
            len(flags),
            () if categories is None else categories.sizes,
            gaps=gaps,
            weights=loss_weights(found[:, flags], categories, weight),
        ),
        numbers,
        flags,
        categories,
        lowest[numbers],
        highest[numbers],
        typical,
        whole[numbers],
        working_dtype(found.dtype),
        binary=kind == "range" and has_two_values(found, lowest, highest),
    )
    # a gap in a new row should not make it an outlier
    of_new_rows = purpose == "outliers" and kind != "range" and isinstance(found, np.ndarray)
    expects = bool(gaps) or (of_new_rows and table.layout.n_outputs <= MOST_OF_NEW_ROWS)
    return replace(table, expectation=expectation_of(rows, table) if expects else None)


def require_values(lowest: np.ndarray, categories: Categories | None, schema: Schema) -> None:
    """Raise ValueError if no column has a value."""
    if np.isnan(lowest).all() and not (categories is not None and any(categories.sizes)):
        names = [column.name for column in schema.columns[:10]]
        raise ValueError(
            f"no column of X has a value in the training rows: columns {names} hold gaps only; "
            "give rows with values."
        )


def fit_numbers(
    numbers: Any, kind: str | None, *, brings_near: bool, ranks_tails: bool
) -> Scaling | QuantileScaling:
    """Learn the scaling of a kind from numbers of training rows.

    `brings_near`: "standard" brings a few values that are far away near the others, and then
    `ranks_tails`, columns with a heavy tail.
    """
    is_dense = isinstance(numbers, np.ndarray)
    if kind == "quantile" and not is_dense:
        raise ValueError(
            "scaling='quantile' needs a dense table, but X is sparse; use 'standard' or 'range'."
        )
    if kind == "quantile":
        return fit_quantiles(numbers)
    if brings_near and kind == "standard" and is_dense:
        found = fit_far_values(numbers, ranks_tails=ranks_tails)
        if found is not None:
            return found
    return fit_scaling(numbers, kind)


def expectation_of(rows: Rows, table: Table) -> Expectation | None:
    """Learn what stands for gaps, from some of the training rows; None if it is their mean."""
    if not 2 <= table.layout.n_outputs <= MOST_ENTRIES:
        return None
    most = min(MOST_ROWS, MOST_VALUES // table.layout.n_outputs)
    if rows.shape[0] > most:
        rows = rows[np.linspace(0, rows.shape[0] - 1, most).astype(int)]
    x, gaps, _ = table.with_gaps(rows)
    return fit_expectation(x, gaps)


def flags_and_whole(
    found: Any, known: tuple[np.ndarray, np.ndarray], schema: Schema, *, finds_flags: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return which columns that are no categories are flags, and which numbers stay whole.

    `known` holds their smallest and largest values. Of an array, only columns that the schema names
    flags are flags, and no number stays whole. `finds_flags`: whether numbers of a frame that are
    all 0 or 1 are flags. Pixels are not, nor where a later number of another size is an outlier.
    """
    kinds = [column.kind for column in schema.columns if column.kind != CATEGORY]
    lowest, highest = known
    is_flag = np.array([kind == FLAG for kind in kinds], dtype=bool) & ~np.isnan(lowest)
    if schema.library is None:
        return is_flag, np.zeros(len(kinds), dtype=bool)
    whole = are_whole(found)
    if finds_flags:
        is_flag |= whole & (lowest == 0.0) & (highest == 1.0)
    return is_flag, whole


def categories_of(rows: Rows, schema: Schema, min_frequency: Any) -> Categories | None:
    """Learn the categories of training rows, or return None if no column has some."""
    if not isinstance(rows, MixedRows) or not rows.categories.shape[1]:
        return None
    names = [schema.columns[i].name for i in schema.positions(CATEGORY)]
    if min_frequency == "auto":
        min_frequency = min(RARE_ROWS, max(1, math.ceil(rows.shape[0] / 100)))
    return fit_categories(rows.categories, names, min_frequency)


def has_two_values(found: Any, lowest: np.ndarray, highest: np.ndarray) -> bool:
    """Return whether numbers (n_rows, n_columns) have no more than two values in all columns."""
    if np.isnan(lowest).all():  # there are no numbers, or gaps only
        return False
    low, high = np.nanmin(lowest), np.nanmax(highest)
    if not isinstance(found, np.ndarray):  # zeros need no look, as they are in the range
        low, high, found = min(low, 0.0), max(high, 0.0), found.data
    for start in starts(found):
        block = found[start : start + BLOCK_ROWS]
        if not ((block == low) | (block == high)).all():
            return False
    return True


def are_whole(X: np.ndarray) -> np.ndarray:
    """Return which columns hold whole numbers and gaps only."""
    whole = np.ones(X.shape[1], dtype=bool)
    for rows in blocks(X):
        whole &= ((rows == np.rint(rows)) | np.isnan(rows)).all(axis=0)
    return whole


def gaps_in(rows: Rows, order: np.ndarray) -> tuple[int, ...]:
    """Return which columns have gaps: those that are no categories in an order, then categories."""
    found = numbers_of(rows)
    gaps = np.zeros(found.shape[1], dtype=bool)
    if has_gaps(found):
        for block in blocks(found):
            gaps |= np.isnan(block).any(axis=0)
    gaps = gaps[order]
    if isinstance(rows, MixedRows):
        gaps = np.concatenate([gaps, is_gap(rows.categories).any(axis=0)])
    return tuple(np.flatnonzero(gaps).tolist())


def loss_weights(flags: Any, categories: Categories | None, weight: float) -> tuple[float, ...]:
    """Return the weights of the losses of flags (n_rows, n_flags) and of category columns.

    With them each column costs as much as a standardised number where the frequencies of its values
    are predicted for every row. So no column drowns another, however many categories it has.
    """
    entropies = []
    if flags.shape[1]:
        ones, _ = mean_and_count(flags)
        entropies = [entropy(np.array([1.0 - share, share])) for share in ones]
    if categories is not None:
        entropies += [entropy(found) for found in categories.frequencies]
    return tuple(weight * LOSS_OF_NUMBER / max(value, LEAST_ENTROPY) for value in entropies)


def entropy(frequencies: np.ndarray) -> float:
    """Return the entropy of frequencies in nats."""
    positive = frequencies[frequencies > 0.0]
    return float(-(positive * np.log(positive)).sum())
