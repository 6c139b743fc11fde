"""dtypes of the columns of data frames as plain values, which pickles and files contain."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from skaae.columns.limits import limits_of

POLARS_DTYPES = (
    *("Boolean", "String", "Null", "Categorical", "Float32", "Float64"),
    *("Int8", "Int16", "Int32", "Int64", "Int128", "UInt8", "UInt16", "UInt32", "UInt64"),
)
PANDAS_DTYPES = re.compile(
    r"boolean|U?Int(8|16|32|64)|Float(32|64)|"
    r"(bool|u?int(8|16|32|64)|halffloat|float|double|string|large_string)\[pyarrow\]"
)


def dtype_fields(dtype: Any) -> Any:
    """Return what a dtype is as a dict; dtypes of NumPy and unknown ones stay as they are."""
    if dtype is None or isinstance(dtype, np.dtype):
        return dtype
    library = library_of_dtype(dtype)
    if library == "polars":
        name = str(dtype.base_type().__name__)
        if name == "Enum":
            return {"library": library, "name": name, "categories": dtype.categories.to_list()}
        if name in POLARS_DTYPES:
            return {"library": library, "name": name}
    elif type(dtype).__name__ == "StringDtype":
        nan = isinstance(dtype.na_value, float)
        return {"library": library, "name": "string", "storage": dtype.storage, "nan": nan}
    elif hasattr(dtype, "ordered"):  # pandas.CategoricalDtype
        found, categories = {"library": library, "name": "category"}, dtype.categories
        if categories is None:
            return {**found, "ordered": dtype.ordered, "categories": None, "of": None}
        values, of = np.array(categories, dtype=object), dtype_fields(categories.dtype)
        return {**found, "ordered": dtype.ordered, "categories": values, "of": of}
    elif PANDAS_DTYPES.fullmatch(str(dtype)):
        return {"library": "pandas", "name": str(dtype)}
    return dtype


def library_of_dtype(dtype: Any) -> str:
    """Return the library that a dtype is from."""
    return (dtype if isinstance(dtype, type) else type(dtype)).__module__.partition(".")[0]


def dtype_of(found: Any) -> Any:
    """Return the dtype that `dtype_fields` described."""
    if not isinstance(found, dict):
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
            if name == "string[pyarrow]":  # pandas_dtype would make it a StringDtype
                return arrow_text(pandas)
            if PANDAS_DTYPES.fullmatch(name):
                return pandas.api.types.pandas_dtype(name)
    except ImportError as error:
        raise ImportError(
            f"the model was fitted with data frames of {library}, and {error.name} is not "
            f"installed here; install it, for instance with pip install {error.name}"
        ) from error
    raise ValueError(f"{name!r:.40} of {library!r:.40} is no dtype that is known here")


def arrow_text(pandas: Any) -> Any:
    """Return the dtype of text of pyarrow in pandas."""
    import pyarrow

    return pandas.ArrowDtype(pyarrow.string())


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


def wide_enough(dtype: Any, lowest: float, highest: float) -> Any:
    """Return the dtype of a column of numbers, or one of 64 bits if it cannot hold this range."""
    least, most = limits_of(dtype)
    slack = 1e-12 * most if np.isfinite(most) else 0.0  # the limits of decimals are rounded
    if not (lowest < least - slack or highest > most + slack):  # a column of gaps has no range
        return dtype
    if "decimal" in str(dtype).lower():
        name = "Float64" if str(dtype).startswith("D") else "double[pyarrow]"
        return dtype_of({"library": library_of_dtype(dtype), "name": name})
    name = re.sub(r"\d+", "64", str(dtype), count=1)
    if lowest < 0.0:
        name = {"u": name[1:], "U": "I" + name[2:]}.get(name[0], name)
    if isinstance(dtype, np.dtype):
        return np.dtype(name)
    return dtype_of({"library": library_of_dtype(dtype), "name": name})


def with_categories(dtype: Any, values: list[Any]) -> Any:
    """Return the dtype of a column of categories, with those of the values that it lacks."""
    fields = dtype_fields(dtype)
    if not isinstance(fields, dict) or fields.get("categories") is None:
        return dtype
    own = set(fields["categories"])
    missing = [value for value in values if value not in own]
    if not missing:
        return dtype
    known = [*fields["categories"], *missing]
    if fields["name"] == "Enum":
        return dtype_of({**fields, "categories": known})
    return type(dtype)(known, ordered=dtype.ordered)
