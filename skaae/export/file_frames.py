"""Data frames, and the dtypes of their columns, as values that a file may contain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from skaae.columns import frames
from skaae.columns.frames import Column

POLARS_DTYPES = (
    *("Boolean", "String", "Null", "Categorical", "Float32", "Float64"),
    *("Int8", "Int16", "Int32", "Int64", "Int128", "UInt8", "UInt16", "UInt32", "UInt64"),
)
PANDAS_DTYPES = re.compile(
    r"boolean|U?Int(8|16|32|64)|Float(32|64)|"
    r"(bool|u?int(8|16|32|64)|halffloat|float|double|string|large_string)\[pyarrow\]"
)


@dataclass(frozen=True)
class Frame:
    """A data frame.

    Parameters
    ----------
    library : "pandas" or "polars".
    columns : its columns.
    values : the values of each column, with None for a missing value where they are objects.
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
            found[[frames.is_missing(value) for value in found]] = None
        values.append(found)
    assert library is not None
    return Frame(library, tuple(columns), tuple(values))


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
    found.columns = [column.name for column in frame.columns]
    return found


def dtype_fields(column: Column) -> Any:
    """Return what a column's dtype is, without objects of pandas or polars."""
    dtype = column.dtype
    if dtype is None or isinstance(dtype, np.dtype):
        return dtype
    library = (dtype if isinstance(dtype, type) else type(dtype)).__module__.partition(".")[0]
    if library == "polars":
        name = str(dtype.base_type().__name__)
        if name == "Enum":
            return {"library": library, "name": name, "categories": dtype.categories.to_list()}
        if name in POLARS_DTYPES:
            return {"library": library, "name": name}
    elif hasattr(dtype, "storage") and hasattr(dtype, "na_value"):  # pandas.StringDtype
        nan = dtype.na_value is np.nan or dtype.na_value != dtype.na_value
        nan = isinstance(dtype.na_value, float) and nan
        return {"library": library, "name": "string", "storage": dtype.storage, "nan": nan}
    elif hasattr(dtype, "ordered"):  # pandas.CategoricalDtype
        found = {"library": library, "name": "category", "ordered": dtype.ordered}
        categories = dtype.categories
        if categories is None:
            return {**found, "categories": None, "of": None}
        of = dtype_fields(Column(column.name, column.kind, categories.dtype))
        return {**found, "categories": np.array(categories, dtype=object), "of": of}
    elif PANDAS_DTYPES.fullmatch(str(dtype)):
        return {"library": "pandas", "name": str(dtype)}
    raise TypeError(
        f"column {column.name!r} had the dtype {dtype} in fit, which files do not hold; convert "
        "the column, for instance with astype, and fit again, or use joblib."
    )


def dtype_of(found: Any) -> Any:
    """Return the dtype that `dtype_fields` described."""
    if found is None or isinstance(found, np.dtype):
        return found
    name, library = found["name"], found["library"]
    try:
        if library == "polars" and isinstance(name, str):
            import polars

            if name == "Enum":
                return polars.Enum(found["categories"])
            if name in POLARS_DTYPES:
                return getattr(polars, name)()
        elif library == "pandas" and isinstance(name, str):
            import pandas

            if name == "string":
                return string_dtype(pandas, found["storage"], nan=found["nan"])
            if name == "category":
                return category_dtype(pandas, found)
            if PANDAS_DTYPES.fullmatch(name):
                return pandas.api.types.pandas_dtype(name)
    except ImportError as error:
        raise ImportError(
            f"the estimator was fitted with data frames of {library}, and {error.name} is not "
            f"installed here; install it, for instance with pip install {error.name}"
        ) from error
    raise ValueError(f"{name!r:.40} of {library!r:.40} is no dtype that is known here")


def string_dtype(pandas: Any, storage: Any, *, nan: bool) -> Any:
    """Return pandas' dtype of text; without pyarrow, text is stored as Python's."""
    if storage not in ("python", "pyarrow", "pyarrow_numpy"):
        raise ValueError(f"{storage!r:.40} is no storage of text")
    missing = np.nan if nan else pandas.NA
    for where in (storage, "python"):
        try:
            return pandas.StringDtype(where, na_value=missing)
        except TypeError:  # before pandas 2.3 the storage says what a missing value is
            return pandas.StringDtype(storage)
        except ImportError:
            continue
    raise AssertionError("pandas always stores text as Python's")


def category_dtype(pandas: Any, found: dict[str, Any]) -> Any:
    """Return pandas' dtype of categories."""
    ordered, categories = bool(found["ordered"]), found["categories"]
    if categories is None:
        return pandas.CategoricalDtype(ordered=ordered)
    if not isinstance(categories, np.ndarray) or categories.ndim != 1:
        raise ValueError("categories must be an array of one axis")
    return pandas.CategoricalDtype(pandas.Index(categories, dtype=dtype_of(found["of"])), ordered)
