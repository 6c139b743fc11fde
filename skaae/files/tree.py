"""Nested values as a JSON document and arrays, and back.

In the document, null, booleans, numbers, strings and lists stand for themselves. Every other value
is an object whose keys say what it is, such as {"tuple": [1, 2]} or {"array": "name"}. Arrays are
those of safetensors: numbers and booleans. Text and dates are arrays of integers there.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skaae.files.kinds import (
    MOST_EXTRA_NUMBERS,
    CannotWrite,
    Codec,
    FileError,
    NotGiven,
    TooLarge,
)

# Deepest nesting of values.
MOST_LEVELS = 50
# Largest integer is below this number of bits, so Python reads it at once.
MOST_BITS = 256
# dtypes of safetensors that NumPy has, in their names of both.
DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "F16": "float16",
    "U32": "uint32",
    "I32": "int32",
    "F32": "float32",
    "U64": "uint64",
    "I64": "int64",
    "F64": "float64",
}
DATES = re.compile(r"(datetime|timedelta)64\[(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\]")
NUMBERS = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)")
HIGHEST_CHARACTER = 0x10FFFF


class Encoder:
    """Turns values into a document; `arrays` has the arrays that it names.

    The document has only the names of the `left_out` objects.
    """

    def __init__(self, codecs: Sequence[Codec], left_out: Mapping[str, Any] | None = None) -> None:
        self.codecs = {codec.of: codec for codec in codecs}
        self.names: dict[int, list[str]] = {}
        for name, value in (left_out or {}).items():
            self.names.setdefault(id(value), []).append(name)
        self.arrays: dict[str, np.ndarray] = {}

    def encode(self, value: Any, where: tuple[str, ...] = ()) -> Any:
        """Return the document of a value; `where` is its place in the tree."""
        kind = type(value)
        if id(value) in self.names:
            return {"left out": self._name(self.names[id(value)], where)}
        if kind in self.codecs:
            codec = self.codecs[kind]
            fields = {
                name: self.encode(field, (*where, name))
                for name, field in codec.to_fields(value).items()
            }
            return {"class": codec.name, "fields": fields}
        if len(where) > MOST_LEVELS:
            raise CannotWrite(where, value)
        if value is None or kind in (bool, str):
            return value
        if kind is int and value.bit_length() < MOST_BITS:
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is bytes:
            return {"bytes": base64.b64encode(value).decode()}
        if kind is list:
            return self._list(value, where)
        if kind is tuple:
            return {"tuple": self._list(value, where)}
        if kind is frozenset or kind is set:
            return {kind.__name__: self._list(sorted(value, key=repr), where)}
        if kind is dict:
            return self._dict(value, where)
        if kind is np.ndarray:
            return self._array(value, where)
        if isinstance(value, np.generic):
            return self._scalar(value, where)
        if isinstance(value, np.dtype) and (NUMBERS.fullmatch(value.name) or value.kind == "O"):
            return {"dtype": value.name}
        raise CannotWrite(where, value)

    def _name(self, names: list[str], where: tuple[str, ...]) -> str:
        """Return the name of a left-out object that fits its place best."""
        fitting = [name for name in names if where and name.split("__")[-1] == where[-1]]
        return (fitting or names)[0]

    def _list(self, values: Any, where: tuple[str, ...]) -> list[Any]:
        return [self.encode(value, (*where, str(index))) for index, value in enumerate(values)]

    def _dict(self, value: dict[Any, Any], where: tuple[str, ...]) -> Any:
        if all(type(key) is str for key in value):
            return {"dict": {key: self.encode(item, (*where, key)) for key, item in value.items()}}
        pairs = [
            [self.encode(key, (*where, "key")), self.encode(item, (*where, str(key)))]
            for key, item in value.items()
        ]
        return {"pairs": pairs}

    def _scalar(self, value: np.generic, where: tuple[str, ...]) -> Any:
        name = value.dtype.name
        if value.dtype.kind in "US":
            return {
                "scalar": "str" if value.dtype.kind == "U" else "bytes",
                "value": self.encode(value.item(), where),
            }
        if DATES.fullmatch(name):
            return {"scalar": name, "value": int(value.astype(np.int64))}
        if not NUMBERS.fullmatch(name):
            raise CannotWrite(where, value)
        return {"scalar": name, "value": self.encode(value.item(), where)}

    def _array(self, value: np.ndarray, where: tuple[str, ...]) -> Any:
        if value.dtype == object:
            return self._objects(value, where)
        name, kind = value.dtype.name, value.dtype.kind
        found = {"array": ""}
        if value.flags.f_contiguous and not value.flags.c_contiguous:
            found["order"], value = "F", value.T  # sums over it round as before
        value = np.asarray(value, order="C").astype(value.dtype.newbyteorder("="), copy=False)
        if kind in "US":
            found["dtype"] = "str" if kind == "U" else "bytes"
            unit = np.uint32 if kind == "U" else np.uint8
            width = value.dtype.itemsize // np.dtype(unit).itemsize
            value = np.frombuffer(value.tobytes(), unit).reshape(*value.shape, width)
        elif DATES.fullmatch(name):
            found["dtype"], value = name, value.view(np.int64)
        elif not NUMBERS.fullmatch(name):
            raise CannotWrite(where, value)
        return {**found, "array": self._add(value, where)}

    def _objects(self, value: np.ndarray, where: tuple[str, ...]) -> Any:
        """Return an array of Python objects as its different values, and the index of each."""
        index: dict[Any, int] = {}
        values: list[Any] = []
        codes = np.empty(value.size, np.int32)
        for position, item in enumerate(value.ravel()):
            if isinstance(item, list | tuple | dict | set | frozenset | np.ndarray):
                raise CannotWrite((*where, str(position)), item)
            key = (type(item), repr(item) if isinstance(item, float | np.floating) else item)
            if key not in index:
                index[key] = len(values)
                values.append(self.encode(item, (*where, str(position))))
            codes[position] = index[key]
        return {"objects": values, "codes": self._add(codes.reshape(value.shape), where)}

    def _add(self, value: np.ndarray, where: tuple[str, ...]) -> str:
        name = "/".join(where) or "value"
        while name in self.arrays:  # {"a/b": ...} beside {"a": {"b": ...}}
            name += "~"
        self.arrays[name] = value
        return name


class Decoder:
    """Turns a document and its arrays into values; each array is used once.

    `given` are the objects that were left out, by name.
    """

    def __init__(
        self,
        codecs: Sequence[Codec],
        arrays: dict[str, np.ndarray],
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self.codecs = {codec.name: codec for codec in codecs}
        self.arrays = dict(arrays)
        self.given = dict(given or {})
        self.used: set[str] = set()
        self.extra_numbers = 0  # of all objects so far

    def decode(self, document: Any, level: int = 0) -> Any:
        """Return the value of a document; raise FileError for what is none."""
        if document is None or isinstance(document, bool | str | float):
            return document
        if level > MOST_LEVELS:
            raise FileError(f"its values are nested deeper than {MOST_LEVELS} levels")
        if isinstance(document, int):
            if document.bit_length() >= MOST_BITS:
                raise FileError(f"it contains an integer of {document.bit_length()} bits")
            return document
        if isinstance(document, list):
            for index, item in enumerate(document):  # in place, which takes less memory
                document[index] = self.decode(item, level + 1)
            return document
        keys = frozenset(document)
        read = READERS.get(keys)
        if read is None:
            raise FileError(f"it contains a value that is unknown here, {sorted(keys)!r:.80}")
        return read(self, document, level)

    def done(self) -> None:
        """Raise FileError if an array was never used."""
        if self.arrays:
            raise FileError(f"the array {next(iter(self.arrays))!r:.80} belongs to no value")
        for name in self.given.keys() - self.used:
            raise ValueError(f"{name!r} is given, but it was not left out of this file.")

    def _left_out(self, document: Any, level: int) -> Any:
        name = document["left out"]
        if not isinstance(name, str) or name not in self.given:
            raise NotGiven(name)
        self.used.add(name)
        return self.given[name]

    def _class(self, document: Any, level: int) -> Any:
        name = document["class"]
        codec = self.codecs.get(name) if isinstance(name, str) else None
        if codec is None:
            raise FileError(
                f"it contains an object of {name!r:.80}, which is no class that may be in it"
            )
        fields = self._of("fields", document, dict)
        fields = {key: self.decode(item, level + 1) for key, item in fields.items()}
        try:
            self.extra_numbers += codec.extra_numbers(fields)
            if self.extra_numbers > MOST_EXTRA_NUMBERS:
                raise TooLarge(
                    f"its {codec.name} and such objects would make more than {MOST_EXTRA_NUMBERS} "
                    "numbers that the file does not contain"
                )
            return codec.from_fields(fields)
        except (FileError, ImportError, MemoryError, Warning):
            raise
        except Exception as error:
            raise FileError(f"its {codec.name} is not valid: {error}") from error

    def _of(self, key: str, document: Any, kind: type) -> Any:
        if not isinstance(document[key], kind):
            raise FileError(f"{key!r} is {document[key]!r:.60}, not a {kind.__name__}")
        return document[key]

    def _float(self, document: Any, level: int) -> float:
        if document["float"] not in ("nan", "inf", "-inf"):
            raise FileError(f"'float' is {document['float']!r:.60}, not nan, inf or -inf")
        return float(document["float"])

    def _bytes(self, document: Any, level: int) -> bytes:
        try:
            return base64.b64decode(self._of("bytes", document, str), validate=True)
        except ValueError as error:
            raise FileError(f"'bytes' is not in base 64: {error}") from error

    def _items(self, key: str, document: Any, level: int) -> list[Any]:
        return self.decode(self._of(key, document, list), level)

    def _tuple(self, document: Any, level: int) -> tuple[Any, ...]:
        return tuple(self._items("tuple", document, level))

    def _set(self, document: Any, level: int) -> Any:
        (key,) = document
        items = self._items(key, document, level)
        self._hashable(items)
        return frozenset(items) if key == "frozenset" else set(items)

    def _dict(self, document: Any, level: int) -> dict[str, Any]:
        found = self._of("dict", document, dict)
        for key, item in found.items():
            found[key] = self.decode(item, level + 1)
        return found

    def _pairs(self, document: Any, level: int) -> dict[Any, Any]:
        pairs = self._items("pairs", document, level)
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            raise FileError("'pairs' is not a list of pairs")
        self._hashable([key for key, _ in pairs])
        return dict(pairs)

    def _hashable(self, values: list[Any]) -> None:
        for value in values:
            try:
                hash(value)
            except TypeError as error:
                raise FileError(f"{value!r:.60} is no key of a dict or set") from error

    def _scalar(self, document: Any, level: int) -> Any:
        name, value = self._of("scalar", document, str), self.decode(document["value"], level + 1)
        if name == "str" and isinstance(value, str):
            return np.str_(value)
        if name == "bytes" and isinstance(value, bytes):
            return np.bytes_(value)
        try:
            if DATES.fullmatch(name) and isinstance(value, int):
                return np.int64(value).view(name)
            if NUMBERS.fullmatch(name) and isinstance(value, float | int):
                return np.dtype(name).type(value)
        except (OverflowError, ValueError, TypeError) as error:
            raise FileError(f"{value!r:.60} is no {name}: {error}") from error
        raise FileError(f"{value!r:.60} is no value of the type {name!r:.60}")

    def _dtype(self, document: Any, level: int) -> np.dtype:
        name = self._of("dtype", document, str)
        if name != "object" and not NUMBERS.fullmatch(name):
            raise FileError(f"{name!r:.60} is no dtype of numbers")
        return np.dtype(name)

    def _take(self, name: Any) -> np.ndarray:
        if not isinstance(name, str) or name not in self.arrays:
            raise FileError(f"the array {name!r:.80} is missing, or used twice")
        return self.arrays.pop(name)

    def _array(self, document: Any, level: int) -> np.ndarray:
        array, dtype = self._take(document["array"]), document.get("dtype")
        if dtype in ("str", "bytes"):
            array = text_array(array, dtype)
        elif dtype is not None:
            if not isinstance(dtype, str) or not DATES.fullmatch(dtype) or array.dtype != np.int64:
                raise FileError(f"an array of {array.dtype} cannot be one of {dtype!r:.60}")
            array = array.view(dtype)
        if "order" in document:
            if document["order"] != "F":
                raise FileError(f"'order' is {document['order']!r:.60}, not 'F'")
            array = array.T
        return array

    def _objects(self, document: Any, level: int) -> np.ndarray:
        values, codes = self._items("objects", document, level), self._take(document["codes"])
        if codes.dtype != np.int32:
            raise FileError(f"the codes of objects are {codes.dtype}, not int32")
        if codes.size and not (codes.min() >= 0 and codes.max() < len(values)):
            raise FileError("the codes of objects are outside of the range of their values")
        if any(isinstance(v, list | tuple | dict | set | frozenset | np.ndarray) for v in values):
            raise FileError("an array of objects contains a list, a dict or an array")
        table = np.empty(len(values), dtype=object)
        table[:] = values
        return table[codes]


READERS: dict[frozenset[str], Any] = {
    frozenset({"left out"}): Decoder._left_out,
    frozenset({"class", "fields"}): Decoder._class,
    frozenset({"float"}): Decoder._float,
    frozenset({"bytes"}): Decoder._bytes,
    frozenset({"tuple"}): Decoder._tuple,
    frozenset({"frozenset"}): Decoder._set,
    frozenset({"set"}): Decoder._set,
    frozenset({"dict"}): Decoder._dict,
    frozenset({"pairs"}): Decoder._pairs,
    frozenset({"scalar", "value"}): Decoder._scalar,
    frozenset({"dtype"}): Decoder._dtype,
    frozenset({"array"}): Decoder._array,
    frozenset({"array", "dtype"}): Decoder._array,
    frozenset({"array", "order"}): Decoder._array,
    frozenset({"array", "order", "dtype"}): Decoder._array,
    frozenset({"objects", "codes"}): Decoder._objects,
}


def text_array(units: np.ndarray, dtype: str) -> np.ndarray:
    """Return the array of text whose characters (or bytes) are the last axis of an array."""
    kind = np.uint32 if dtype == "str" else np.uint8
    if units.dtype != kind or units.ndim == 0 or units.shape[-1] == 0:
        raise FileError(f"an array of {units.dtype}, shape {units.shape}, cannot be one of text")
    if kind == np.uint32 and units.max(initial=0) > HIGHEST_CHARACTER:
        raise FileError("an array of text contains a number that is no character")
    name = f"{'U' if dtype == 'str' else 'S'}{units.shape[-1]}"
    if not units.size:
        return np.empty(units.shape[:-1], name)
    return np.frombuffer(units.tobytes(), name).reshape(units.shape[:-1]).copy()
