"""Kinds of files, and the classes whose objects a kind of file may contain.

A file names a class by a short name of a closed table. So a file can make no other object, and
reading it imports nothing and calls nothing that the file names.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# The types that ArrayLike brings into a union: itself since NumPy 2.5, its parts before.
ARRAY_LIKE = set(typing.get_args(ArrayLike)) or {ArrayLike}


class FileError(ValueError):
    """A file is damaged, of another kind, or contains values that its kind does not allow."""


class NotGiven(FileError):
    """An object was left out of a file, and must be given when it is read.

    Parameters
    ----------
    name : of the object.
    """

    def __init__(self, name: object) -> None:
        self.name = name
        super().__init__(f"{name!r:.80} was left out of it, and must be given")


class CannotWrite(TypeError):
    """A value that no file can hold.

    Parameters
    ----------
    where : names and positions that lead from the whole tree to the value.
    value : the value.
    """

    def __init__(self, where: tuple[str, ...], value: object) -> None:
        self.where, self.value = where, value
        super().__init__(f"{'.'.join(where) or 'the value'} is a {type(value).__name__}")


def no_numbers(fields: Mapping[str, Any]) -> int:
    """Return 0, as for objects that are about as large as their fields."""
    return 0


@dataclass(frozen=True)
class Codec:
    """How objects of one class are written and read.

    Parameters
    ----------
    name : of the class in files; it never changes.
    of : the class. Objects of its subclasses are not written.
    to_fields : function of an object that returns its fields by name, any values that files hold.
    from_fields : function of such fields that returns the object. It raises ValueError or TypeError
        if a name is missing or unknown, or a value is not allowed.
    extra_numbers : function of fields that returns how many numbers the object makes besides those
        in them. A file may contain objects of MOST_EXTRA_NUMBERS in all.
    """

    name: str
    of: type
    to_fields: Callable[[Any], Mapping[str, Any]]
    from_fields: Callable[[dict[str, Any]], Any]
    extra_numbers: Callable[[Mapping[str, Any]], int] = no_numbers


# Most numbers that the objects of one file may take besides those that the file contains.
MOST_EXTRA_NUMBERS = 2**22


class TooLarge(FileError):
    """The objects of a file would need very much more memory than the file."""


# changes the JSON document of a format, and its arrays by name, into those of the next format
Upgrade = Callable[[Any, dict[str, np.ndarray]], Any]


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    Parameters
    ----------
    name : such as "estimator"; a file of another kind is not read.
    codecs : the classes whose objects it may contain.
    upgrades : function `upgrades[i]` turns the document of format i + 1 into that of format i + 2.
        Its name says what changes. The newest format is the one that is written.
    """

    name: str
    codecs: Sequence[Codec] = ()
    upgrades: Sequence[Upgrade] = ()

    @property
    def format_number(self) -> int:
        """Number of the newest format, which is 1 for the first."""
        return len(self.upgrades) + 1


def dataclass_codec(of: type, name: str | None = None) -> Codec:
    """Return the codec of a dataclass: its fields, whose values must match their types."""
    fields = [field for field in dataclasses.fields(of) if field.init]
    names = [field.name for field in fields]

    def to_fields(value: Any) -> dict[str, Any]:
        return {name: getattr(value, name) for name in names}

    def from_fields(found: dict[str, Any]) -> Any:
        unknown = sorted(found.keys() - set(names))
        if unknown:
            raise ValueError(f"{of.__name__} has no field {unknown[0]!r}")
        hints = types_of_fields(of)
        for field in fields:
            optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
            if field.name not in found:
                if not optional:
                    raise ValueError(f"{of.__name__} lacks the field {field.name!r}")
            elif not matches(found[field.name], hints[field.name]):
                raise ValueError(
                    f"{field.name} of {of.__name__} is {found[field.name]!r:.60}, not {field.type}"
                )
        return of(**found)

    return Codec(name or of.__name__, of, to_fields, from_fields)


@functools.cache
def types_of_fields(of: type) -> dict[str, Any]:
    """Return the types of a dataclass's fields, which are text in its code."""
    return typing.get_type_hints(of)


def matches(value: Any, hint: Any) -> bool:
    """Return whether a value that was read has the type of an annotation.

    No value matches an annotation of functions, because files contain none.
    """
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if hint is None or hint is type(None):
        return value is None
    if hint is ArrayLike:
        return is_numeric(value)
    if origin in (typing.Union, types.UnionType):
        if set(parts) >= ARRAY_LIKE:
            return is_numeric(value) or (value is None and type(None) in parts)
        return any(matches(value, part) for part in parts)
    if origin is typing.Literal:
        return isinstance(value, str) and value in parts
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(parts) == 2 and parts[1] is Ellipsis:
            return all(matches(item, parts[0]) for item in value)
        return len(value) == len(parts) and all(map(matches, value, parts))
    if origin in (list, Sequence):
        if isinstance(value, np.ndarray):
            return value.dtype.kind in "biuf" and origin is Sequence
        return isinstance(value, list | tuple) and all(matches(item, parts[0]) for item in value)
    if origin is frozenset:
        return isinstance(value, frozenset) and all(matches(item, parts[0]) for item in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(
            matches(key, parts[0]) and matches(item, parts[1]) for key, item in value.items()
        )
    if origin is np.ndarray:
        return isinstance(value, np.ndarray)
    if origin is np.dtype:
        return isinstance(value, np.dtype)
    if hint is float:
        number = isinstance(value, float | int | np.floating | np.integer)
        return number and not isinstance(value, bool)
    if hint is bool:
        return isinstance(value, bool | np.bool_)
    if hint is int:
        return isinstance(value, int | np.integer) and not isinstance(value, bool)
    return isinstance(hint, type) and isinstance(value, hint)


def is_numeric(value: Any) -> bool:
    """Return whether a value is a number, or lists and arrays of numbers."""
    if isinstance(value, list | tuple):
        return all(map(is_numeric, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    return isinstance(value, int | float | np.number)
