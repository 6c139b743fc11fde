"""Data frames of pandas and polars: their columns as arrays, and arrays as a frame again.

Neither library is imported: a frame can only come from a library that the user has imported.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from skaae.columns.dtypes import dtype_fields, dtype_of, library_of_dtype

NUMBER, FLAG, CATEGORY = "number", "flag", "category"
# The dtypes that both libraries have: the names of polars, by those of NumPy.
SHARED_DTYPES = {
    f"{kind}{size}": f"{name}{size}"
    for kind, name, sizes in (
        ("int", "Int", (8, 16, 32, 64)),
        ("uint", "UInt", (8, 16, 32, 64)),
        ("float", "Float", (32, 64)),
    )
    for size in sizes
}
SHARED_DTYPES |= {"float": "Float32", "double": "Float64"}  # names of pyarrow


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : as the frame has it, or the position in an array.
    kind : "number", "flag" or "category".
    dtype : the frame's dtype of it, or None for an array.
    """

    name: Any
    kind: str
    dtype: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields for a pickle, without objects of pandas or polars where possible."""
        return {"name": self.name, "kind": self.kind, "dtype": dtype_fields(self.dtype)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, dtype_of(value) if name == "dtype" else value)


def library_of(X: Any) -> str | None:
    """Return "pandas" or "polars" for a data frame of these libraries, None for all else."""
    for library in ("pandas", "polars"):
        module = sys.modules.get(library)
        if module is not None and isinstance(X, getattr(module, "DataFrame", ())):
            return library
    return None


def names_of(X: Any) -> list[Any]:
    """Return the names of a frame's columns; of something else none."""
    return [] if library_of(X) is None else list(X.columns)


def series_of(frame: Any, position: int) -> Any:
    """Return one column of a frame, by its position."""
    return frame.iloc[:, position] if library_of(frame) == "pandas" else frame[:, position]


def take(X: Any, rows: np.ndarray) -> Any:
    """Return the rows of a frame, an array or a list for which a mask (n_rows,) is True."""
    if isinstance(X, list | tuple):
        return [X[row] for row in np.flatnonzero(rows)]
    return X.filter(rows) if library_of(X) == "polars" else X[rows]


def with_index(rows: Any, X: Any) -> Any:
    """Return rows computed from X row by row, with the index of X if both are pandas frames."""
    if library_of(rows) == library_of(X) == "pandas":
        return rows.set_axis(X.index, axis=0)
    return rows


def describe(series: Any, name: Any) -> Column:
    """Return what a column of a frame is, by its dtype; raise ValueError if it is nothing we take.

    Columns of dtype object are looked into: text is a category, True and False are flags.
    """
    dtype = series.dtype
    kind = _kind_in_polars(dtype) if library_of_series(series) == "polars" else _kind(series, name)
    if kind is None:
        raise ValueError(
            f"column {name!r} has dtype {dtype}, which is neither a number, a flag, a category nor "
            f"text; {_remedy(str(dtype))}."
        )
    return Column(name, kind, dtype)


def library_of_series(series: Any) -> str:
    """Return the library that a column is from: "numpy" for one of an array."""
    return type(series).__module__.partition(".")[0]


def _kind_in_polars(dtype: Any) -> str | None:
    """Return the kind of a polars dtype; None for what is no kind of ours."""
    import polars

    if dtype == polars.Boolean:
        return FLAG
    if dtype in (polars.String, polars.Categorical, polars.Enum, polars.Null):
        return CATEGORY
    return NUMBER if dtype.is_numeric() else None


def _kind(series: Any, name: Any) -> str | None:
    """Return the kind of a pandas column; None for what is no kind of ours."""
    import pandas
    from pandas.api import types

    dtype = series.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        return CATEGORY
    if types.is_bool_dtype(dtype):
        return FLAG
    if types.is_complex_dtype(dtype):
        return None
    if types.is_numeric_dtype(dtype):
        return NUMBER
    if types.is_object_dtype(dtype):
        return _kind_of_objects(series.dropna().to_numpy(), name)
    return CATEGORY if types.is_string_dtype(dtype) else None


def _kind_of_objects(values: np.ndarray, name: Any) -> str:
    """Return the kind of a column that holds Python objects, none of them missing.

    A column without values is a category, because later rows may then hold values of any type.
    """
    for kind, allowed in ((CATEGORY, str), (FLAG, bool | np.bool_), (NUMBER, Real | Decimal)):
        if all(isinstance(value, allowed) for value in values):
            return kind
    found = sorted({type(value).__name__ for value in values})
    example = next(value for value in values if not isinstance(value, Real | Decimal))
    raise ValueError(
        f"column {name!r} holds objects of type {', '.join(found)}, such as {example!r:.60}; make "
        "them all numbers or all text, for instance with astype(str), or drop the column."
    )


def _remedy(dtype: str) -> str:
    """Return what to do about a column of a dtype that no network can read."""
    if dtype.lower().startswith(("date", "time", "duration", "period")):
        return "turn it into numbers first, for instance days since a date, or the month"
    return "turn it into numbers or text, or drop it"


def numbers_in(values: Any) -> np.ndarray:
    """Return a column of numbers or flags as float64, NaN where a value is missing."""
    if library_of_series(values) == "polars":
        import polars

        if values.dtype.is_temporal():
            raise ValueError(f"{values.dtype} is no number")
        try:
            return values.cast(polars.Float64).to_numpy()
        except polars.exceptions.PolarsError as error:
            raise ValueError(str(error)) from error
    if library_of_series(values) == "pandas" and values.dtype != object:
        return values.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    dtype = getattr(values, "dtype", np.dtype(object))
    if dtype.kind in "Mm":
        raise ValueError(f"{dtype} is no number")
    if dtype.kind != "O":
        return np.asarray(values, dtype=np.float64)
    return np.array([np.nan if is_missing(v) else float(v) for v in values], dtype=np.float64)


def categories_in(values: Any) -> np.ndarray:
    """Return a column of categories as objects, NaN where a value is missing."""
    if library_of_series(values) == "polars":
        import polars

        text = values.dtype in (polars.Categorical, polars.Enum)
        listed = (values.cast(polars.String) if text else values).to_list()
    else:
        listed = values.tolist()
    found = np.empty(len(listed), dtype=object)  # np.array would make axes of tuples
    found[:] = listed
    missing = np.array([is_missing(value) for value in found], dtype=bool)
    found[missing] = np.nan
    return found


def fits_float32(values: Any) -> bool:
    """Return whether the dtype of a column of numbers or flags holds no more than float32 does."""
    small = ("bool", "boolean", "float16", "float32")
    return str(getattr(values, "dtype", None)).lower() in small


def without_mask(X: Any) -> Any:
    """Return a masked array with NaN where entries are masked; all else as it is."""
    if not isinstance(X, np.ma.MaskedArray):
        return X
    gaps = np.ma.getmaskarray(X)
    values = np.asarray(X.data)
    if not gaps.any():
        return values
    return np.where(gaps, np.nan, values if values.dtype.kind in "biuf" else values.astype(object))


def with_nan(X: Any) -> Any:
    """Return a table of numbers and gaps with NaN for each gap in a column of objects."""
    if library_of(X) == "pandas":
        columns = [numbers_in(series_of(X, position)) for position in range(X.shape[1])]
        return type(X)(np.column_stack(columns), index=X.index, columns=X.columns)
    return np.array([[np.nan if is_missing(value) else value for value in row] for row in X])


def as_plain(X: Any) -> Any:
    """Return a table of numbers in a form that NumPy reads rightly; most tables as they are.

    The masked entries of a masked array are gaps. NumPy has no integers of 128 bits, as polars has,
    and reads dates as numbers, and a missing date as one of them: these are refused.
    """
    if library_of(X) is not None:
        refuse_dates(X)
    if library_of(X) == "polars":
        import polars

        wide = [c for c in X.columns if X[c].dtype.is_integer() and "128" in str(X[c].dtype)]
        return X.with_columns(polars.col(wide).cast(polars.Float64)) if wide else X
    if type(X).__module__.startswith("polars") and hasattr(X, "collect"):
        raise ValueError("X is a LazyFrame, which has no rows yet; give X.collect().")
    X = without_mask(X)
    if getattr(getattr(X, "dtype", None), "kind", "") in ("M", "m"):
        raise ValueError(f"X has dtype {X.dtype}, which is no number; {_remedy(str(X.dtype))}.")
    return X


def refuse_dates(X: Any) -> None:
    """Raise ValueError if a column of a frame holds dates or times, which NumPy may convert."""
    for name, dtype in zip(X.columns, X.dtypes, strict=True):
        if str(dtype).lower().startswith(("date", "time", "duration", "period")):
            raise ValueError(
                f"column {name!r} has dtype {dtype}, which is no number; {_remedy(str(dtype))}."
            )


def is_missing(value: Any) -> bool:
    """Return whether a Python object stands for a missing value."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating | Decimal) and value != value


def build(library: str, columns: Sequence[Column], values: Sequence[np.ndarray]) -> Any:
    """Return a frame of a library from the values of its columns, in their dtypes."""
    if library == "polars":
        import polars

        return polars.DataFrame(
            [_polars_series(*pair) for pair in zip(columns, values, strict=True)]
        )
    import pandas

    series = [_pandas_series(*pair) for pair in zip(columns, values, strict=True)]
    frame = pandas.concat(series, axis=1) if series else pandas.DataFrame()
    frame.columns = pandas_index(columns)
    return frame


def pandas_index(columns: Sequence[Column]) -> Any:
    """Return the names of columns as pandas has them: tuples are a MultiIndex."""
    import pandas

    names = [column.name for column in columns]
    sizes = {len(name) if isinstance(name, tuple) else 0 for name in names}
    if len(sizes) == 1 and max(sizes) > 1:
        return pandas.MultiIndex.from_tuples(names)
    return pandas.Index(names)


def _was_whole(column: Column, values: np.ndarray) -> bool:
    """Return whether a column had a dtype of integers in one frame, and fractions in another."""
    integers = str(column.dtype).lower().startswith(("int", "uint"))
    if not integers or values.dtype.kind != "f":
        return False
    known = values[~np.isnan(values)]
    return bool((np.rint(known) != known).any())


def _has_gaps(values: np.ndarray) -> bool:
    """Return whether some of these values are missing."""
    return any(map(is_missing, values)) if values.dtype == object else bool(np.isnan(values).any())


def _pandas_series(column: Column, values: np.ndarray) -> Any:
    """Return a column in its pandas dtype; integers and flags with gaps become floats."""
    import pandas

    dtype = None if _was_whole(column, values) else column.dtype
    if library_of_dtype(dtype) == "polars":
        name = str(dtype).lower()
        dtype = np.dtype(name) if name in SHARED_DTYPES else None
    is_whole = isinstance(dtype, np.dtype) and dtype.kind in "iub"
    if (is_whole or column.kind == FLAG) and _has_gaps(values):
        dtype = None if is_whole else dtype
    elif dtype is None and column.kind == FLAG:
        dtype = bool
    if str(dtype) == "object" and column.kind == FLAG:
        values = np.array([None if np.isnan(v) else bool(v) for v in values], dtype=object)
    return pandas.Series(values, dtype=dtype)


def _polars_series(column: Column, values: np.ndarray) -> Any:
    """Return a column in its polars dtype."""
    import polars

    dtype = None if _was_whole(column, values) else column.dtype
    if library_of_dtype(dtype) != "polars":
        name = SHARED_DTYPES.get(str(dtype).lower().removesuffix("[pyarrow]"))
        dtype = None if name is None else getattr(polars, name)
    if dtype is None and column.kind == FLAG:
        dtype = polars.Boolean
    if values.dtype == object:
        found = [None if is_missing(value) else value for value in values]
        return polars.Series(str(column.name), found, dtype=dtype)
    series = polars.Series(str(column.name), values, nan_to_null=True)
    return series if dtype is None else series.cast(dtype)


def fill(frame: Any, filled: Any) -> Any:
    """Return a frame with its missing values taken from another frame of the same columns."""
    if library_of(frame) == "polars":
        columns = [series_of(frame, i) for i in range(frame.shape[1])]
        others = [series_of(filled, i) for i in range(frame.shape[1])]
        return frame.with_columns(
            [_filled(a, b).alias(a.name) for a, b in zip(columns, others, strict=True)]
        )
    result = frame.copy()
    for i in range(frame.shape[1]):
        series = frame.iloc[:, i]
        missing = series.isna().to_numpy()
        if missing.any():
            other = filled.iloc[:, i].set_axis(series.index)
            result.isetitem(i, _filled_in_pandas(series, other, missing))
    return result


def _filled_in_pandas(series: Any, other: Any, missing: np.ndarray) -> Any:
    """Return a pandas column with its missing values, a mask, taken from another column.

    The dtype stays: categories that are new to it are added, integers are rounded. Only a column
    that cannot hold what fills it, such as flags beside numbers, becomes one of objects.
    """
    from pandas.api import types

    if hasattr(series, "cat"):
        values = other[missing].dropna().unique()
        new = [value for value in values if value not in series.cat.categories]
        series, other = series.cat.add_categories(new), other.astype(object)
    elif types.is_integer_dtype(series.dtype):
        other = other.round()
    if _kind_of_values(series) == _kind_of_values(other):
        with contextlib.suppress(TypeError, ValueError):
            return series.mask(missing, other)
    return series.astype(object).mask(missing, other.astype(object))


def _kind_of_values(series: Any) -> str:
    """Return what a pandas column can hold: flags, numbers, or other values."""
    from pandas.api import types

    if types.is_bool_dtype(series.dtype):
        return FLAG
    return NUMBER if types.is_numeric_dtype(series.dtype) else CATEGORY


def _filled(series: Any, other: Any) -> Any:
    """Return a polars column with its missing values taken from another; NaN counts as missing.

    The dtype stays: categories that are new to an Enum are added, integers are rounded.
    """
    import polars

    if series.dtype.is_float():
        series = series.fill_nan(None)
    elif series.dtype.is_integer() and other.dtype.is_float():
        other = other.round()
    elif series.dtype == polars.Boolean and other.dtype.is_numeric():
        series = series.cast(other.dtype)
    elif series.dtype == polars.Enum:
        known = series.dtype.categories
        new = other.filter(series.is_null()).drop_nulls().cast(polars.String).unique().sort()
        names = [*known, *(name for name in new if name not in set(known))]
        series = series.cast(polars.Enum(names))
    known = series.is_not_null()
    try:
        return series.zip_with(known, other.cast(series.dtype))
    except polars.exceptions.PolarsError:  # the column cannot hold what fills it
        return series.cast(other.dtype, strict=False).zip_with(known, other)
