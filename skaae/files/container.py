"""Writes and reads files: a header, a JSON document and arrays, all of it safetensors.

A file is written beside its place and then moved there. So after a crash or on a full disk there is
the old file or the new one, and never a part of one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

import skaae
from skaae.files.kinds import FileError, FileKind, NotGiven
from skaae.files.tree import DTYPES, Decoder, Encoder

FORMAT = "skaae"
# The array with the JSON document, in UTF-8.
DOCUMENT = "document.json"
# The header is JSON that lists the arrays; safetensors reads no longer one.
LONGEST_HEADER = 100_000_000
# Axes of an array in NumPy 1.
MOST_AXES = 32
# Bytes that are written at once.
BLOCK = 2**24


def write_tree(
    path: Any,
    tree: Any,
    kind: FileKind | str,
    *,
    left_out: Mapping[str, Any] | None = None,
    check: Callable[[Any], None] | None = None,
) -> None:
    """Write nested values to one file, without pickle; needs the package safetensors.

    The values are None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset, scalars
    and arrays of NumPy (numbers, text, dates, and objects that are such scalars), dtypes of
    numbers, and objects of the classes of the kind's codecs. They come back with the same types,
    NaN and infinity included. PyTorch's tensors are none of them; see `to_numpy` of the settings.

    The file replaces an old one only when it is complete and on the disk. If the process is killed
    while it writes, a file with ".tmp" at the end of its name may stay in the folder.

    Parameters
    ----------
    path : str or path-like, of the file to write; its folder must be there.
    tree : the values.
    kind : kind of the file; a string is the name of a kind without classes and in its first format.
    left_out : objects by name, such as functions, of which the file gets only the name.
    check : function of the values as they will be read. It raises an error if they must not be
        written; the old file is then still there.

    Raises
    ------
    CannotWrite
        If a value has a type that files do not hold. This is a TypeError with the place of the
        value in `where`.
    FileError
        If `read_tree` would refuse the values. This is a ValueError.
    OSError
        If the file cannot be written, or the values have too many arrays for one file; the old file
        is then still there.
    """
    require_safetensors()
    from safetensors.numpy import save

    kind = as_kind(kind)
    target = target_of(path)
    encoder = Encoder(kind.codecs, left_out)
    document = json.dumps(encoder.encode(tree), allow_nan=False, separators=(",", ":")).encode()
    arrays = {DOCUMENT: np.frombuffer(document, np.uint8), **encoder.arrays}
    metadata = {
        "format": FORMAT,
        "kind": kind.name,
        "format_number": str(kind.format_number),
        "skaae_version": skaae.__version__,
    }
    if check is not None:
        check(decoded(parse(document), kind, encoder.arrays, left_out))
    metadata["sha256"] = digest(metadata, arrays)
    content = save(arrays, metadata)
    require_short_header(content, len(arrays), target)
    replace_file(target, content)


def read_tree(path: Any, kind: FileKind | str, *, given: Mapping[str, Any] | None = None) -> Any:
    """Return the values that `write_tree` wrote, also of earlier formats; needs safetensors.

    Nothing that the file contains is run or imported, so a file of an unknown source is safe to
    read. Reading takes at most a few times as much memory as the file is large.

    Parameters
    ----------
    path : str or path-like
    kind : kind of the file, as for `write_tree`.
    given : the objects that were left out, by name.

    Raises
    ------
    FileError
        If the file is damaged, is of another kind or of a newer format, or contains a value that it
        must not contain. This is a ValueError. It is a NotGiven if an object was left out of the
        file and is not given.
    ValueError
        If an object is given that was not left out.
    OSError
        If the file cannot be read.
    """
    require_safetensors()
    kind = as_kind(kind)
    try:
        metadata, arrays = read_arrays(os.fsdecode(path), kind)
        document = read_document(arrays.pop(DOCUMENT))
        number = int(metadata["format_number"])
        for upgrade in kind.upgrades[number - 1 :]:
            document = upgrade(document, arrays)
        tree = decoded(document, kind, arrays, given)
    except NotGiven:
        raise
    except FileError as error:
        raise FileError(
            f"the file {os.fspath(path)!r} cannot be read: {error}. Get another copy of the file."
        ) from error
    return tree


def decoded(
    document: Any,
    kind: FileKind,
    arrays: dict[str, np.ndarray],
    given: Mapping[str, Any] | None,
) -> Any:
    """Return the values of a document and its arrays, all of which it must use."""
    decoder = Decoder(kind.codecs, arrays, given)
    tree = decoder.decode(document)
    decoder.done()
    return tree


def as_kind(kind: FileKind | str) -> FileKind:
    """Return the kind of a file for the name of a kind without classes."""
    return FileKind(kind) if isinstance(kind, str) else kind


def require_safetensors() -> None:
    """Raise ImportError, with the remedy, if safetensors is not installed."""
    try:
        import safetensors  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "files of skaae need the package safetensors; install it with "
            "pip install 'skaae[files]'"
        ) from error


def target_of(path: Any) -> str:
    """Return where a file is written, without links; raise OSError if it is no place for one."""
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"the folder {folder!r} of path={path!r} is not there; make it.")
    if os.path.isdir(target):
        raise IsADirectoryError(f"path={path!r} is a folder; give the name of a file in it.")
    if os.path.exists(target) and not os.path.isfile(target):
        raise OSError(
            f"path={path!r} is a device, a pipe or the like, and no file that can be replaced; "
            "give the name of a file."
        )
    return os.fsdecode(target)


def require_short_header(content: bytes, n_arrays: int, target: str) -> None:
    """Raise OSError if the header of a file is longer than a reader allows."""
    length = int.from_bytes(content[:8], "little")
    if length > LONGEST_HEADER:
        raise OSError(
            errno.EFBIG,
            f"{n_arrays} arrays need a header of {length} bytes, and files have at most "
            f"{LONGEST_HEADER}; use joblib, or fit with fewer columns",
            target,
        )


def replace_file(target: str, content: bytes) -> None:
    """Write a file beside its place, then move it there; on an error nothing stays behind."""
    temporary = f"{target}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "xb") as file:
            write_all(file, content)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
    with contextlib.suppress(OSError):  # not all systems can open a folder
        folder = os.open(os.path.dirname(target), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_all(file: Any, content: bytes) -> None:
    """Write bytes to an open file, a block at a time."""
    for start in range(0, len(content), BLOCK):
        file.write(content[start : start + BLOCK])


def digest(metadata: dict[str, str], arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of a file's values; a damaged file has another one."""
    found = hashlib.sha256(json.dumps(sorted(metadata.items())).encode())
    for name in sorted(arrays):
        array = arrays[name]
        found.update(json.dumps([name, array.dtype.str[1:], array.shape]).encode())
        found.update(np.asarray(array, order="C").reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def read_arrays(path: str, kind: FileKind) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Return the metadata of a file, and its arrays; raise FileError if it is not sound."""
    from safetensors import SafetensorError, safe_open

    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        metadata = check_header(read_header(file, size), size, kind)
    try:
        with safe_open(path, framework="numpy") as opened:
            found = ((name, opened.get_tensor(name)) for name in opened.keys())  # noqa: SIM118
            arrays = {name: np.require(array, requirements="W") for name, array in found}
    except (SafetensorError, ValueError, TypeError, LookupError, OverflowError) as error:
        raise FileError(f"it is damaged: {error}") from error
    expected = metadata.pop("sha256")
    if digest(metadata, arrays) != expected:
        raise FileError("it is damaged: its content does not have the SHA-256 that it should have")
    for name, array in arrays.items():
        if array.dtype == bool and array.view(np.uint8).max(initial=0) > 1:
            raise FileError(f"the array {name!r:.80} has booleans other than 0 and 1")
    if DOCUMENT not in arrays:
        raise FileError(f"it lacks the array {DOCUMENT!r}")
    return metadata, arrays


def read_header(file: Any, size: int) -> Any:
    """Return the header of safetensors, which is JSON after its length in eight bytes."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise FileError("it is no file of skaae, or its end is missing")
    if length > LONGEST_HEADER:
        raise FileError(f"its header is {length} bytes long; at most {LONGEST_HEADER} are allowed")
    return parse(file.read(length))


def check_header(header: Any, size: int, kind: FileKind) -> dict[str, str]:
    """Return the metadata; raise FileError if they, or dtypes or shapes, are not allowed."""
    metadata = header.pop("__metadata__", None) if isinstance(header, dict) else None
    names = {"format", "kind", "format_number", "skaae_version", "sha256"}
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise FileError("it is no file of skaae")
    if metadata.keys() != names or not all(isinstance(v, str) for v in metadata.values()):
        raise FileError(f"its metadata are not the strings {sorted(names)}")
    if metadata["kind"] != kind.name:
        raise FileError(f"it is of the kind {metadata['kind']!r:.40}, not {kind.name!r}")
    number = metadata["format_number"]
    if not (number.isascii() and number.isdecimal() and 1 <= len(number) <= 6 and int(number) > 0):
        raise FileError(f"its format number is {number!r:.40}")
    if int(number) > kind.format_number:
        raise FileError(
            f"it has format {number} of skaae {metadata['skaae_version']!r:.20}, and this is skaae "
            f"{skaae.__version__}, which reads formats up to {kind.format_number}; install a newer "
            "skaae"
        )
    for name, array in header.items():
        if not isinstance(array, dict) or array.get("dtype") not in DTYPES:
            raise FileError(f"the array {name!r:.80} has no dtype that is allowed")
        shape: Any = array.get("shape")
        whole = isinstance(shape, list) and all(type(n) is int and 0 <= n <= size for n in shape)
        if not whole or len(shape) > MOST_AXES or math.prod(shape) > size:
            raise FileError(f"the array {name!r:.80} has the shape {shape!r:.80}")
    return metadata


def read_document(array: np.ndarray) -> Any:
    """Return the JSON document of an array of bytes."""
    if array.dtype != np.uint8 or array.ndim != 1:
        raise FileError(f"the array {DOCUMENT!r} is not one of bytes")
    return parse(array.tobytes())


def parse(content: bytes) -> Any:
    """Return what strict JSON stands for: each key once, no NaN, no nesting without end."""
    try:
        return json.loads(content.decode(), object_pairs_hook=once, parse_constant=refuse)
    except RecursionError as error:
        raise FileError("its JSON is nested too deeply") from error
    except FileError:
        raise
    except ValueError as error:
        raise FileError(f"it contains JSON that is not valid: {error}") from error


def once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object as a dict; raise FileError if a key is there twice."""
    pairs = list(pairs)
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FileError("its JSON has a key twice")
    return found


def refuse(name: str) -> Any:
    """Raise FileError for NaN and infinity, which are no JSON."""
    raise FileError(f"its JSON contains {name}")
