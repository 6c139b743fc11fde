"""Data frames as arrays and names, which pickles and files contain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from skaae.columns import frames
from skaae.columns.frames import Column


@dataclass(frozen=True)
class Frame:
    """A data frame.

    Parameters
    ----------
    library : "pandas" or "polars".
    columns : its columns.
    values : the values of each column, with None for pandas.NA.
    """

    library: str
    columns: tuple[Column, ...]
    values: tuple[np.ndarray, ...]


def frame_of(X: Any) -> Frame:
    """Return a data frame as a `Frame`."""
    library, columns, values = frames.library_of(X), [], []
    for position, name in enumerate(frames.names_of(X)):
        series = frames.series_of(X, position)
        columns.append(frames.describe(series, name))
        plain = isinstance(series.dtype, np.dtype) and series.dtype != object
        found = np.array(series) if plain else np.array(series.to_list(), dtype=object)
        if not plain:
            found[[type(value).__name__ == "NAType" for value in found]] = None
        values.append(found)
    assert library is not None
    return Frame(library, tuple(columns), tuple(values))


def without_frames(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by name with each data frame as a `Frame`."""
    return {
        name: value if frames.library_of(value) is None else frame_of(value)
        for name, value in values.items()
    }


def with_frames(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by name with each `Frame` as a data frame."""
    return {
        name: to_frame(value) if isinstance(value, Frame) else value
        for name, value in values.items()
    }


def to_frame(frame: Frame) -> Any:
    """Return the data frame of a `Frame`."""
    if len({len(values) for values in frame.values}) > 1:
        raise ValueError("the columns of a data frame have different lengths")
    pairs = list(zip(frame.columns, frame.values, strict=True))
    if frame.library == "polars":
        import polars

        return polars.DataFrame(
            [polars.Series(str(c.name), v.tolist(), dtype=c.dtype) for c, v in pairs]
        )
    import pandas

    found = pandas.concat([pandas.Series(v, dtype=c.dtype) for c, v in pairs], axis=1)
    found.columns = frames.pandas_index(frame.columns)
    return found
