"""A web server for the predictions of an ONNX file that `skaae.export_onnx` wrote.

    python docs/examples/serving/app.py iris.onnx --port 8000

It needs starlette, uvicorn and onnxruntime, but neither skaae nor PyTorch. It is
made for files of the methods "predict", "predict_proba" and "transform".

GET / says what the model takes. POST /predict takes a JSON object with the entry
"rows". A row is a list of numbers, or an object with a value for each column if the
model was fitted on a data frame. null is a missing value. The answer has a list for
each output of the file. A bad request gets a status from 400 to 499 and the reason, as
the entry "error".
"""

import argparse
import json
from itertools import chain

import numpy as np
import onnxruntime
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

MAX_ROWS = 1000
MAX_BYTES = 4_000_000
METHODS = ("predict", "predict_proba", "transform")
DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}
MISSING = type(None)
# What is no number in JSON; true and false are 1 and 0, as in the columns of flags.
KINDS = {str: "text", list: "a list", dict: "an object"}
USAGE = "POST rows to /predict; GET / says what the model takes"


class Refused(Exception):
    """A request that cannot be answered: a status and the reason."""

    def __init__(self, status, reason):
        self.status, self.reason = status, reason


class Model:
    """An ONNX file, and the checks of what it is given: the file itself has none."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # requests share the cores instead
        self.session = onnxruntime.InferenceSession(path, options)
        self.about = self.session.get_modelmeta().custom_metadata_map
        if self.about.get("method") not in METHODS:
            raise SystemExit(
                f"{path} has the method {self.about.get('method')!r}, and this server answers "
                f"with one of {METHODS}; export the estimator with one of them."
            )
        self.inputs = {tensor.name: tensor.type for tensor in self.session.get_inputs()}
        self.outputs = [tensor.name for tensor in self.session.get_outputs()]
        self.names = json.loads(self.about.get("feature_names", "null"))
        # a table with text has an input for each column, all others have one input, X
        first = self.session.get_inputs()[0]
        several = len(self.inputs) > 1 or first.type not in DTYPES
        self.by_column = several or list(self.inputs) == self.names
        self.columns = self.names or list(self.inputs)
        if self.names is None and not self.by_column:
            self.columns = list(range(first.shape[1]))

    def describe(self):
        """Return what the model is and what it takes."""
        kinds = dict.fromkeys(self.columns, "numbers")
        if self.by_column:
            kinds = {
                n: "numbers" if t in DTYPES else "text" for n, t in self.inputs.items()
            }
        return {
            **{
                name: self.about[name]
                for name in ("estimator", "method", "skaae_version")
            },
            "columns": kinds if self.names or self.by_column else len(kinds),
            "outputs": self.outputs,
            "most rows": MAX_ROWS,
        }

    def answer(self, body):
        """Return the outputs for the rows of a request, as lists by name."""
        rows = self.lists(rows_of(body))
        if self.by_column:
            inputs = {}
            tables = zip(self.inputs.items(), zip(*rows, strict=True), strict=True)
            for (name, kind), values in tables:
                if kind in DTYPES:
                    inputs[name] = numbers(values, [name], DTYPES[kind])
                else:
                    inputs[name] = text(values, name)
        else:
            ((name, kind),) = self.inputs.items()
            values = list(chain.from_iterable(rows))
            inputs = {name: numbers(values, self.columns, DTYPES[kind])}
        found = self.session.run(None, inputs)
        return {
            name: output.tolist()
            for name, output in zip(self.outputs, found, strict=True)
        }

    def lists(self, rows):
        """Return rows as lists with a value for each column, in the order of the model."""
        kind = list if self.names is None else dict
        for index, row in enumerate(rows):
            if type(row) is not kind:
                wanted = f"a list of {len(self.columns)} values"
                if self.names is not None:
                    wanted = f"an object with the columns {shown(self.names)}"
                raise Refused(
                    422, f"row {index} is {shown(row)}; a row must be {wanted}."
                )
            if self.names is None and len(row) != len(self.columns):
                raise Refused(
                    422,
                    f"row {index} has {len(row)} values, and the model has {len(self.columns)} "
                    "columns; send a value for each column, null for a missing one.",
                )
            if self.names is not None and row.keys() != set(self.names):
                raise Refused(422, f"row {index} {wrong_names(row, self.names)}")
        if self.names is None:
            return rows
        return [[row[name] for name in self.names] for row in rows]


def rows_of(body):
    """Return the rows of a request."""
    try:
        request = json.loads(body, parse_constant=no_number)
    except (ValueError, RecursionError) as error:
        reason = f"the request is no JSON: {error}; "
        raise Refused(400, reason + 'send an object as {"rows": [...]}.') from error
    if type(request) is not dict or request.keys() != {"rows"}:
        found = (
            f"the entries {shown(list(request))}"
            if type(request) is dict
            else shown(request)
        )
        raise Refused(
            422, f'the request is {found}; send an object with the entry "rows" alone.'
        )
    rows = request["rows"]
    if type(rows) is not list or not rows:
        raise Refused(
            422, f'"rows" is {shown(rows)}; it must be a list of at least one row.'
        )
    if len(rows) > MAX_ROWS:
        raise Refused(
            413,
            f"the request has {len(rows)} rows, and at most {MAX_ROWS} are allowed; send several "
            "requests.",
        )
    return rows


def no_number(name):
    """Refuse NaN and Infinity, which json reads although JSON has neither."""
    raise Refused(
        400,
        f"{name} is no JSON and not allowed; numbers are finite, and null is a missing value.",
    )


def numbers(values, columns, dtype):
    """Return numbers, row after row, as an array of shape (n_rows, n_columns)."""
    wrong = set(map(type, values)) - {int, float, bool, MISSING}
    if wrong:
        place = next(i for i, value in enumerate(values) if type(value) in wrong)
        raise Refused(
            422,
            f"{where(place, columns)} is {shown(values[place])}, which is "
            f"{KINDS[type(values[place])]}, and the column takes numbers; send a number, or null "
            "for a missing value.",
        )
    limit = float(np.finfo(dtype).max)
    large = [
        i for i, value in enumerate(values) if value is not None and abs(value) > limit
    ]
    if large:
        raise Refused(
            422,
            f"{where(large[0], columns)} is {shown(values[large[0]])}, and numbers must be between "
            f"-{limit:.4g} and {limit:.4g}; send a smaller one, or null for a missing value.",
        )
    return np.array(values, dtype=np.float64).astype(dtype).reshape(-1, len(columns))


def text(values, column):
    """Return texts as an array of shape (n_rows, 1), with "" for a missing value."""
    for row, value in enumerate(values):
        if type(value) not in (str, MISSING):
            raise Refused(
                422,
                f"{where(row, [column])} is {shown(value)}, and the column takes text; send text "
                "in quotes, or null for a missing value.",
            )
        if value is not None and any(
            "\ud800" <= letter <= "\udfff" for letter in value
        ):
            raise Refused(
                422,
                f"{where(row, [column])} is {shown(value)}, which has half of a surrogate pair; "
                "send text that can be written in UTF-8.",
            )
    return np.array([value or "" for value in values], dtype=object).reshape(-1, 1)


def wrong_names(row, names):
    """Return what is wrong with the names of a row's columns, and the remedy."""
    missing = [name for name in names if name not in row]
    unknown = [name for name in row if name not in names]
    found = f"lacks the columns {shown(missing)}" if missing else ""
    if unknown:
        found += f"{' and ' if missing else ''}has the unknown columns {shown(unknown)}"
    return f"{found}; send exactly the columns {shown(names)}."


def where(place, columns):
    """Return the row and the column of a value, by its place in all values."""
    row, column = divmod(place, len(columns))
    return f"row {row}, column {shown(columns[column])}"


def shown(value):
    """Return a value as JSON, shortened."""
    try:
        full = json.dumps(value)
    except (ValueError, RecursionError):  # thousands of digits, or of lists in lists
        return "a value too long to show"
    return full if len(full) <= 200 else full[:200] + "..."


async def body_of(request):
    """Return the body of a request. If it is too long, read the rest and keep nothing of it."""
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BYTES:
            body += chunk
        else:
            body.clear()
    if size > MAX_BYTES:
        raise Refused(
            413,
            f"the request has {size} bytes, and at most {MAX_BYTES} are allowed; send several "
            "requests.",
        )
    return bytes(body)


def refused(request, error):
    return JSONResponse({"error": error.reason}, error.status)


def no_route(request, error):
    reason = f"{request.method} {request.url.path}: {error.detail}; {USAGE}."
    return JSONResponse({"error": reason}, error.status_code, error.headers)


def make_app(path):
    """Return the web application for an ONNX file."""
    model = Model(path)

    async def predict(request):
        body = await body_of(request)
        # in a thread, so that many rows of one request do not hold up the others
        return JSONResponse(await run_in_threadpool(model.answer, body))

    async def about(request):
        return JSONResponse(model.describe())

    return Starlette(
        routes=[Route("/", about), Route("/predict", predict, methods=["POST"])],
        exception_handlers={Refused: refused, HTTPException: no_route},
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="an ONNX file of skaae.export_onnx")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    app = make_app(options.file)
    uvicorn.run(app, host=options.host, port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
