"""Limits of numbers: those that can be trained on, and those that a dtype can hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from skaae.columns.scaling import MOST_SCALED

# Largest number that can be trained on: float64 cannot hold squares of much larger numbers.
LARGEST = 1e150
# A table in float64 with numbers beyond this is decoded in float64, as float32 cannot hold them.
LARGEST_IN_FLOAT32 = 1e36
# Scaled values from here on count as beyond the limit, which float32 rounds.
AT_LIMIT = 0.999 * MOST_SCALED


def limits_of(dtype: Any) -> tuple[float, float]:
    """Return the smallest and largest number of a column's dtype; they may be infinite."""
    narrow = re.match(r"float(16|32)$", str(dtype).lower())
    if narrow is not None:
        limits = np.finfo(narrow[0])
        return float(limits.min), float(limits.max)
    pattern = r"decimal\d*\((?:precision=)?(\d+), (?:scale=)?(-?\d+)\)"
    decimal = re.match(pattern, str(dtype).lower())
    if decimal is not None:
        exact = Decimal(10 ** int(decimal[1]) - 1).scaleb(-int(decimal[2]))
        most = float(exact)
        most = most if Decimal(most) <= exact else float(np.nextafter(most, 0.0))
        return -most, most
    found = re.match(r"(u?)int(\d+)", str(dtype).lower())
    if found is None:
        return -np.inf, np.inf
    limit = 2.0 ** (int(found[2]) - (not found[1]))
    highest = min(limit - 1.0, np.nextafter(limit, 0.0))  # a float64 below the limit
    return (0.0 if found[1] else -limit), float(highest)


def magnitudes(lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Return the largest absolute value of columns with these ranges, NaN where none is known."""
    return np.fmax(np.abs(lowest.astype(np.float64)), np.abs(highest.astype(np.float64)))


def exceeds_float32(lowest: np.ndarray, highest: np.ndarray) -> bool:
    """Return whether float32 cannot hold numbers around those of columns with these ranges."""
    return bool((magnitudes(lowest, highest) > LARGEST_IN_FLOAT32).any())


def require_moderate(
    lowest: np.ndarray, highest: np.ndarray, names: Sequence[Any], scaling: str | None
) -> None:
    """Raise ValueError if numbers of training rows are too large to compute with.

    The columns have these ranges and names.
    """
    found = magnitudes(lowest, highest)
    largest = np.fmax.reduce(found, initial=0.0)
    if largest < (AT_LIMIT if scaling is None else LARGEST):
        return
    name = names[int(np.nanargmax(found))]
    if largest < LARGEST:
        raise ValueError(
            f"column {name!r} of X holds numbers as large as {largest:.3g}. scaling=None leaves "
            f"them as they are, and networks can read numbers up to {MOST_SCALED:g}; use "
            "scaling='auto', or divide the column by a constant."
        )
    raise ValueError(
        f"column {name!r} of X holds numbers as large as {largest:.3g}, and float64 cannot hold "
        f"squares of numbers beyond {LARGEST:g}; divide the column by a constant, or take its "
        "logarithm."
    )


def require_near(
    lowest: np.ndarray, highest: np.ndarray, names: Sequence[Any], scaled: np.ndarray
) -> None:
    """Raise ValueError if rows to train on are too far from those that gave the scaling.

    The columns have these ranges, here and `scaled` (2, n_columns), and names.
    """
    far = magnitudes(*scaled)
    if np.fmax.reduce(far, initial=0.0) < AT_LIMIT:
        return
    column = int(np.nanargmax(far))
    raise ValueError(
        f"column {names[column]!r} of X holds numbers from {lowest[column]:.3g} to "
        f"{highest[column]:.3g}: more than {MOST_SCALED:g} times as far from the mean as those of "
        "the rows from which the scaling was learned. Give rows in the same units, or fit a new "
        "estimator."
    )
