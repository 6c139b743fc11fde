"""X in, checked rows out: what scikit-learn asks of X, and what the columns of a table are."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import validate_data

from skaae.columns import frames
from skaae.columns.schema import how_to_flatten

# The dtypes of X that are used as they are; all others become float64.
DTYPES: list[type] = [
    *(np.float64, np.float32, np.float16, np.bool_),
    *(np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
]


def check_rows(estimator, X, schema, *, reset=False, ensure_min_samples=1):
    """Return X as checked rows: a C-ordered array, a CSR array, or `MixedRows`.

    The schema says how the columns are read. With `reset` the estimator keeps the names and the
    number of the columns, otherwise they are compared with those that it has.
    """
    if not schema.is_mixed:
        return check_numbers(estimator, X, reset=reset, ensure_min_samples=ensure_min_samples)
    validate_data(estimator, X, skip_check_array=True, reset=reset)
    rows = schema.read(X)
    if len(rows) < ensure_min_samples:
        raise ValueError(
            f"Found array with {len(rows)} sample(s) (shape={rows.shape}) while a minimum of "
            f"{ensure_min_samples} is required."
        )
    return rows


def check_more_rows(estimator, name, X, *, ensure_min_samples=1):
    """Return X, the argument `name` of a fit, as checked rows with the columns of its X."""
    begun = estimator.__dict__.get("_schema")  # of a fit that has not built a model yet
    schema = estimator._table.schema if begun is None else begun
    try:
        return check_rows(estimator, X, schema, ensure_min_samples=ensure_min_samples)
    except ValueError as error:
        other = "expecting" in str(error) or "feature names" in str(error)
        hint = " must have the columns of X" if other else ""
        raise ValueError(f"{name}{hint}: {error}") from error


def check_numbers(estimator, X, **checks):
    """Return a table of numbers as a C-ordered or CSR array; small dtypes are not copied."""
    how = {"order": "C", "accept_sparse": "csr", "ensure_all_finite": "allow-nan", **checks}
    try:
        return validate_data(estimator, X, dtype=DTYPES, **how)
    except TypeError as error:
        if "NAType" not in str(error):
            raise
        return validate_data(estimator, frames.with_nan(X), dtype=DTYPES, **how)
    except ValueError as error:
        if "Found array with dim" in str(error):
            raise ValueError(f"{error} {how_to_flatten(np.shape(X))}") from error
        if "could not convert string" in str(error):
            raise ValueError(
                f"{error}. Name the columns of text in categorical_features, or pass a data frame "
                "whose columns have dtypes."
            ) from error
        raise


def require_unit_interval(table):
    """Raise ValueError if a value lies outside [0, 1], where the cross-entropy is undefined."""
    ends = table.scaling.transform(np.array([table.lowest, table.highest]))
    if ends.size and (np.nanmin(ends) < 0.0 or np.nanmax(ends) > 1.0):
        raise ValueError(
            "reconstruction_loss='binary_cross_entropy' needs values in [0, 1] after scaling, but "
            f"they are {np.nanmin(ends):.4g} to {np.nanmax(ends):.4g}; use scaling='range' (or "
            "'auto'), or reconstruction_loss='squared_error'."
        )
