"""X in, checked rows out: what scikit-learn asks of X, and what the columns of a table are."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.utils.validation import check_array, validate_data

from skaae.columns import frames
from skaae.columns.network_rows import NetworkRows
from skaae.columns.schema import how_to_flatten
from skaae.device import fits_on
from skaae.estimators import warn
from skaae.storage.rows import StoredRows, in_memory, read_stored
from skaae.storage.table import as_out_of_core
from skaae.training.blocks import BlockRows
from skaae.training.rows import BatchedRows

# On the CPU, rows whose copy for the networks would take more bytes are not copied as a whole.
LARGEST_COPY = 64_000_000
# The dtypes of X that are used as they are; all others become float64.
DTYPES: list[type] = [
    *(np.float64, np.float32, np.float16, np.bool_),
    *(np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
]

WHAT_TO_GIVE = (
    "Give numbers, None for a gap, and the columns of text as categorical_features; or pass a data "
    "frame whose columns have dtypes."
)


def check_rows(
    estimator, X, schema, *, table=None, reset=False, ensure_min_samples=1, learns=False
):
    """Return X as checked rows: a C-ordered array, a CSR array, `MixedRows` or `StoredRows`.

    The schema says how the columns are read, and the `Table` of a fitted estimator what their
    categories are. With `reset` the estimator keeps the names and the number of the columns,
    otherwise they are compared with those that it has. `learns` says that X are rows of a fit.
    """
    stored = as_out_of_core(X)
    if stored is not None:
        require_rows(stored.shape, ensure_min_samples)

        def check_block(rows):
            found = check_rows(estimator, rows, schema)
            if table is not None:
                table.require_same_types(found)
            return found

        if reset:
            check_rows(estimator, stored.source.read(0, 1), schema, reset=True)
        return read_stored(stored, check_block, learns=learns)
    if not reset:
        require_same_order(X, schema)
    if not schema.is_mixed:
        return check_numbers(estimator, X, reset=reset, ensure_min_samples=ensure_min_samples)
    validate_data(estimator, X, skip_check_array=True, reset=reset)
    rows = schema.read(X)
    require_rows(rows.shape, ensure_min_samples)
    if table is not None:
        table.require_same_types(rows)
        warn.of_unknown_categories(table, rows)
    return rows


def require_same_order(X, schema):
    """Raise ValueError if a frame has the names of the training columns in another order.

    scikit-learn checks this if all names are text.
    """
    if frames.library_of(X) is None or schema.library is None:
        return
    names, before = frames.names_of(X), [column.name for column in schema.columns]
    text = all(isinstance(name, str) for name in names)
    if text or names == before or len(names) != len(before):
        return
    if set(names) == set(before):
        place = next(i for i, name in enumerate(before) if name != names[i])
        raise ValueError(
            f"The columns of X are in another order than those of fit: column {place} has the name "
            f"{names[place]!r} in place of {before[place]!r}. Give them in the order of fit."
        )


def require_rows(shape, ensure_min_samples):
    """Raise ValueError if a table of this shape has too few rows."""
    if shape[0] < ensure_min_samples:
        raise ValueError(
            f"Found array with {shape[0]} sample(s) (shape={shape}) while a minimum of "
            f"{ensure_min_samples} is required."
        )


def check_in_memory(estimator, X, method="impute"):
    """Return X, rows for a method, as checked rows that are in memory."""
    if as_out_of_core(X) is not None:
        raise ValueError(
            f"{method} needs rows in memory, but X is read from disk; call it with one part of the "
            "rows after the other."
        )
    return estimator._check_rows(X)


def check_more_rows(estimator, name, X, *, ensure_min_samples=1):
    """Return X, the argument `name` of a fit, as checked rows with the columns of its X."""
    begun = estimator.__dict__.get("_schema")  # of a fit that has not built a model yet
    schema = estimator._table.schema if begun is None else begun
    stored = as_out_of_core(X)
    if stored is not None:
        if 8 * len(stored) * stored.shape[1] > stored.memory:
            raise ValueError(
                f"{name} has {len(stored)} rows on disk, more than its memory={stored.memory} "
                "bytes; give fewer rows, as X.sample(10_000), or more memory."
            )
        X = stored.source.read(0, len(stored))
    try:
        return check_rows(estimator, X, schema, ensure_min_samples=ensure_min_samples)
    except ValueError as error:
        other = "expecting" in str(error) or "feature names" in str(error)
        hint = " must have the columns of X" if other else ""
        raise ValueError(f"{name}{hint}: {error}") from error


def check_codes(estimator, Z):
    """Return Z as a float array of shape (n_samples, n_components)."""
    names, own = frames.names_of(Z), estimator.get_feature_names_out().tolist()
    if names != own and sorted(map(str, names)) == sorted(own):
        raise ValueError(
            f"X has the columns {names}, but `transform` returns them in the order {own}; give "
            "them in this order."
        )
    Z = check_array(Z, dtype=[np.float64, np.float32], order="C", input_name="X")
    n_components = estimator._settings.n_components
    if Z.shape[1] != n_components:
        raise ValueError(
            f"X has {Z.shape[1]} columns, but codes of this {type(estimator).__name__} have "
            f"n_components={n_components}; pass an array of shape (n_samples, {n_components})."
        )
    return Z


def check_numbers(estimator, X, **checks):
    """Return a table of numbers as a C-ordered or CSR array; small dtypes are not copied.

    Masked entries of NumPy's masked arrays are gaps.
    """
    how = {"order": "C", "accept_sparse": "csr", "ensure_all_finite": "allow-nan", **checks}
    X = frames.as_plain(X)
    try:
        # scikit-learn adds numbers up to see if they are finite: the sum of large ones is not
        with np.errstate(over="ignore", invalid="ignore"):
            return validate_data(estimator, X, dtype=DTYPES, **how)
    except OverflowError as error:
        raise ValueError(
            f"{_place_of_strange(X)}X holds a number that is too large for float64; drop it, or "
            "divide the column by a constant."
        ) from error
    except TypeError as error:
        if "NAType" in str(error) or "NaTType" in str(error):
            return validate_data(estimator, frames.with_nan(X), dtype=DTYPES, **how)
        if "float() argument must be" in str(error):
            raise TypeError(f"{error}. {_place_of_strange(X)}{WHAT_TO_GIVE}") from error
        raise
    except ValueError as error:
        if "Found array with dim" in str(error):
            raise ValueError(f"{error} {how_to_flatten(np.shape(X))}") from error
        if "Complex data not supported" in str(error):  # scikit-learn prints the whole table
            raise ValueError(
                "Complex data not supported: X holds complex numbers; give their real and "
                "imaginary parts as columns."
            ) from error
        if "setting an array element with a sequence" in str(error):
            raise ValueError(
                "X is no table of numbers: its rows have different lengths, or an entry is a "
                f"sequence. {WHAT_TO_GIVE}"
            ) from error
        if "could not convert string" in str(error):
            raise ValueError(f"{error}. {_place_of_strange(X)}{WHAT_TO_GIVE}") from error
        if "Cannot cast" in str(error):  # a column of a frame
            raise ValueError(
                f"could not convert X to numbers. {_place_of_strange(X)}{WHAT_TO_GIVE}"
            ) from error
        raise


def _place_of_strange(X):
    """Return a sentence about the first entry of a table of objects that is no number, or ""."""
    table = np.asarray(X, dtype=object)
    if table.ndim != 2:
        return ""
    for place in np.ndindex(table.shape):
        try:
            float(table[place])
        except (TypeError, ValueError, OverflowError):
            where = ", ".join(str(index) for index in place)
            return f"X[{where}] is {table[place]!r:.60}. "
    return ""


def training_rows(X, table, device):
    """Return checked training rows as a float32 tensor, on the training device if they fit there.

    On the CPU it may share its memory with X; PyTorch wants memory that it could write to. Rows of
    a sparse table, and of one whose copy would be large, are scaled a mini-batch at a time. Those
    of a table out of memory are read from disk.
    """
    table.require_near(in_memory(X)[0])
    table.require_same_types(X)  # rows for validation are read before there is a table
    rows = NetworkRows(X, table, in_float32=True)
    if isinstance(X, StoredRows):
        return BlockRows(rows, X.table.memory // 2)
    if issparse(X) or (device.type == "cpu" and rows.size_of_copy > LARGEST_COPY):
        return BatchedRows(rows)
    scaled = np.require(rows[:], None, ["C", "W"])
    return torch.from_numpy(scaled).to(device if fits_on(device, scaled.nbytes) else "cpu")


def require_unit_interval(table):
    """Raise ValueError if a value lies outside [0, 1], where the cross-entropy is undefined."""
    ends = table.scaling.transform(np.array([table.lowest, table.highest]))
    if (ends < 0.0).any() or (ends > 1.0).any():
        raise ValueError(
            "reconstruction_loss='binary_cross_entropy' needs values in [0, 1] after scaling, but "
            f"they are {np.nanmin(ends):.4g} to {np.nanmax(ends):.4g}; use scaling='range' (or "
            "'auto'), or reconstruction_loss='squared_error'."
        )
