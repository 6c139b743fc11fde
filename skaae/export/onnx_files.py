"""Fitted estimators as ONNX files, which programs without Python can run."""

from __future__ import annotations

import warnings

import numpy as np

from skaae.columns.quantiles import QuantileScaling
from skaae.columns.schema import FLAG, NUMBER
from skaae.columns.table import Table
from skaae.export.columns import TableColumns
from skaae.export.graphs import build
from skaae.export.modules import METHODS, check_method
from skaae.files.container import replace_file, target_of

# Share of a scaled unit that rounding X to float32 may change.
LARGEST_ROUNDING = 0.01


def export_onnx(estimator, path, *, method, dtype="float32"):
    """Write a method of a fitted estimator to an ONNX file.

    onnxruntime runs such files on many kinds of machines, without Python, PyTorch or skaae. The
    file contains everything between X and the result: scaling, categories, missing values, the
    networks and the classes. It needs the packages of `pip install 'skaae[onnx]'`.

    If all columns of X are numbers, the only input is "X", of shape (n_samples, n_features). NaN is
    a missing value. Categories that are numbers, and flags as 0 and 1, are numbers here. If X is a
    table with columns of text, each column is an input of shape (n_samples, 1) with the name of the
    column: a tensor of strings for text, of numbers for all others. In text, "" is a missing value.
    So are None, NaN and pandas.NA, which onnxruntime reads as text.

    Parameters
    ----------
    estimator : AAETransformer, SupervisedAAETransformer, SemiSupervisedAAEClassifier, \
AAEClusterer, AAEEmbedding or AAEOutlierDetector
        A fitted estimator.
    path : str or path-like
        The file to write. If an error occurs, a file that exists is kept.
    method : {"transform", "predict_proba", "predict", "inverse_transform"}
        The method that the file computes. Its outputs are "Z" for "transform", "probabilities" for
        "predict_proba", and "label" and "probabilities" for "predict". "inverse_transform" has the
        inputs and outputs reversed: from "Z" to "X", or to a tensor for each column. For
        `SupervisedAAETransformer`, `SemiSupervisedAAEClassifier` and `AAEClusterer` it has a second
        input "y" of shape (n_samples, n_classes), the probabilities of classes or clusters. The
        predictions of `AAEOutlierDetector` cannot be exported.
    dtype : {"float32", "float64"}, default="float32"
        Type of the numbers of X and of codes. With "float64", numbers are scaled before they become
        float32. Use it for columns of large numbers that differ little, such as seconds since 1970.
        The networks compute in float32.

    Raises
    ------
    ImportError
        If onnx or onnxscript is not installed.
    TypeError
        If `estimator` is no estimator of skaae.
    ValueError
        If the estimator does not have the method, the categories of a column are neither numbers
        nor text, or PyTorch cannot export your own network.

    Warns
    -----
    UserWarning
        If a column loses digits in float32 that matter for the result.

    Notes
    -----
    The metadata of the file are the version of skaae ("skaae_version"), the class of the estimator
    ("estimator") and "method", and if there are any, "classes" and "feature_names", as lists in
    JSON. The methods of the estimator refuse infinite numbers, but the file does not check its
    input.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import onnxruntime
    >>> from sklearn.datasets import load_iris
    >>> from skaae import SemiSupervisedAAEClassifier, export_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SemiSupervisedAAEClassifier(max_iter=20, random_state=0).fit(X, y)
    >>> with TemporaryDirectory() as folder:
    ...     export_onnx(clf, f"{folder}/iris.onnx", method="predict")
    ...     session = onnxruntime.InferenceSession(f"{folder}/iris.onnx")
    >>> label, probabilities = session.run(None, {"X": X.astype(np.float32)})
    >>> np.allclose(probabilities, clf.predict_proba(X), atol=1e-4)
    True
    """
    check_method(estimator, method, (*METHODS, "predict"))
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype={dtype!r} must be 'float32' or 'float64'.")
    require_onnx()
    target = target_of(path)
    check_digits(estimator._table, dtype, warn=method != "inverse_transform")
    model = build(estimator, method, dtype)
    replace_file(target, model.SerializeToString())


def require_onnx() -> None:
    """Raise ImportError, with the remedy, if a package is missing that exports need."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401  # PyTorch's exporter uses it
    except ImportError as error:
        raise ImportError(
            f"export_onnx needs the package {error.name}; install what it needs with "
            "pip install 'skaae[onnx]'"
        ) from error


def check_digits(table: Table, dtype: str, *, warn: bool) -> None:
    """Raise ValueError if float32 mixes up categories; warn if it rounds numbers too much."""
    mixed_up = TableColumns(table).mixed_up_in(dtype)
    if mixed_up is not None:
        raise ValueError(
            f"column {mixed_up!r} has categories that are the same number in {dtype}; set "
            "dtype='float64', or make them text and fit again."
        )
    exact = table.dtype == np.float32 or table.scaling.kind == "none" or not len(table.numbers)
    if not warn or dtype == "float64" or exact:
        return
    positions = table.schema.positions(NUMBER, FLAG)[table.numbers]
    ends = np.stack([table.lowest, table.highest]).astype(np.float64)
    columns = [np.append(found, inner_knots(table, i, *found)) for i, found in enumerate(ends.T)]
    longest = max(len(found) for found in columns)
    rows = np.stack([np.pad(found, (0, longest - len(found)), "edge") for found in columns], axis=1)
    half = np.spacing(np.abs(rows).astype(np.float32)).astype(np.float64) / 2.0
    rounded = table.scaling.transform(rows + half) - table.scaling.transform(rows - half)
    for index, position in enumerate(positions.tolist()):
        values = columns[index]
        if (rounded[:, index] > LARGEST_ROUNDING).any():
            warnings.warn(
                f"column {table.named_columns[position].name!r} has values up to "
                f"{np.abs(values).max():.6g} that differ in digits that float32 does not have, so "
                "results will differ from those of the estimator; set dtype='float64'.",
                UserWarning,
                stacklevel=3,
            )


def inner_knots(table: Table, index: int, low: float, high: float) -> np.ndarray:
    """Return where the map of a number has corners between two values."""
    if not isinstance(table.scaling, QuantileScaling):
        return np.empty(0)
    knots = table.scaling.columns[index].values  # a straight map ends far outside
    return knots[(knots >= low) & (knots <= high)]
