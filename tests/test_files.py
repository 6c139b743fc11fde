"""Files without pickle: what they hold, and that no file can harm who reads it."""

import copy
import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from safetensors import safe_open
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

import skaae
from skaae import MLP, AAETransformer, Categories, SemiSupervisedAAEClassifier
from skaae.export import files as saving
from skaae.files import container
from skaae.files.container import DOCUMENT, digest, read_tree, write_tree
from skaae.files.kinds import CannotWrite, Codec, FileError, FileKind

SMALL = {"network": MLP(discriminator_hidden_layer_sizes=(2,)), "hidden_layer_sizes": (3,)}


@pytest.fixture(scope="module")
def table():
    """Rows of numbers, a gap and categories, and labels, most of them unknown."""
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = np.column_stack([rng.normal(size=(40, 2)) + 3 * y[:, None], y]).astype(object)
    X[:, 2] = np.array(["red", "blue"])[y]
    X[3, 0] = None
    return X, np.where(np.arange(40) < 10, y, -1)


@pytest.fixture(scope="module")
def model(table):
    """A small classifier with averages, optimisers, categories and components."""
    made = SemiSupervisedAAEClassifier(
        max_iter=1,
        random_state=0,
        warm_start=True,
        categorical_features=Categories(features=[2]),
        pseudo_labels=False,
        components_per_class=2,
        **SMALL,
    )
    return made.fit(*table)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    """The path of its file."""
    path = tmp_path_factory.mktemp("files") / "model.safetensors"
    skaae.save(model, path)
    return path


@pytest.fixture
def quick(tmp_path):
    """A path in memory, where there is one: emptying a file thousands of times is slow on disks."""
    folder = Path("/dev/shm")
    path = (folder if folder.is_dir() else tmp_path) / f"skaae-{os.getpid()}.safetensors"
    yield path
    path.unlink(missing_ok=True)


def parts_of(path):
    """Return the metadata, the JSON document as text, and the arrays of a file."""
    arrays = load_file(path)
    document = arrays.pop(DOCUMENT).tobytes().decode()
    with safe_open(path, framework="numpy") as opened:
        metadata = opened.metadata()
    return metadata, document, arrays


def rewrite(path, metadata, document, arrays):
    """Write a file of these parts, whose checksum is right."""
    metadata = {name: value for name, value in metadata.items() if name != "sha256"}
    arrays = {DOCUMENT: np.frombuffer(document.encode(), np.uint8), **arrays}
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    metadata["sha256"] = digest(metadata, arrays)
    path.write_bytes(to_bytes(arrays, metadata))


# What files hold ----------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**200), 2**200),
    st.floats(),
    st.text(),
    st.binary(),
    st.floats(width=32).map(np.float32),
    st.integers(0, 255).map(np.uint8),
    st.text(alphabet="abc").map(np.str_),
)
ARRAYS = st.one_of(
    arrays_of.arrays(
        st.sampled_from(["f4", "f8", "i8", "u2", "?", "U5", "S3", "M8[ns]", "m8[s]", ">f8"]),
        arrays_of.array_shapes(min_dims=0, min_side=0, max_side=4),
    ),
    st.lists(SCALARS.filter(lambda v: not isinstance(v, bytes)), max_size=5).map(
        lambda values: np.array([*values, None], dtype=object)[:-1]
    ),
)
TREES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(), inner, max_size=3),
        st.dictionaries(st.integers(), inner, max_size=3),
        st.frozensets(st.integers(), max_size=3),
    ),
    max_leaves=8,
)


def assert_same(a, b):
    """Raise if two trees differ in a type, a value, or the memory order of an array."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert a.shape == b.shape
        assert a.dtype.newbyteorder("=") == b.dtype
        assert a.flags.c_contiguous == b.flags.c_contiguous
        assert b.flags.writeable
        if a.dtype == object:
            assert_same(a.ravel().tolist(), b.ravel().tolist())
        else:
            assert a.astype(b.dtype).tobytes() == b.tobytes()
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    else:
        assert a == b or (a != a and b != b)
        assert repr(a) == repr(b) or isinstance(a, frozenset)


QUICK = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True}


@settings(max_examples=150, **QUICK)
@given(tree=TREES)
def test_values_come_back_with_their_types(tree, quick):
    write_tree(quick, tree, "test")
    assert_same(tree, read_tree(quick, "test"))


def test_arrays_in_fortran_order_and_views_come_back(tmp_path):
    values = np.arange(24.0).reshape(4, 6)
    tree = {"fortran": values.T, "part": np.ascontiguousarray(values[:, ::2]), "a/b": np.ones(2)}
    tree["a"] = {"b": np.zeros(2), "empty": np.empty((0, 16), np.float32)}
    write_tree(tmp_path / "file", tree, "test")
    assert_same(tree, read_tree(tmp_path / "file", "test"))


@pytest.mark.parametrize("value", [len, object(), 1j, np.longdouble(1), int, 2**300, [[lambda: 0]]])
def test_other_values_are_refused_with_their_place(value, tmp_path):
    with pytest.raises(CannotWrite, match=r"^a\.b"):
        write_tree(tmp_path / "file", {"a": {"b": value}}, "test")
    assert os.listdir(tmp_path) == []


def test_a_file_of_an_earlier_format_is_upgraded(tmp_path):
    """Each format has one function, which turns its document into that of the next."""

    def rename_width(document, arrays):
        fields = document["class"], document["fields"]
        return {"class": fields[0], "fields": {"size": fields[1]["width"]}}

    def double_size(document, arrays):
        return {**document, "fields": {"size": document["fields"]["size"] * 2}}

    codecs = (Codec("Fraction", dict, dict, dict),)
    old = FileKind("test", codecs)
    write_tree(tmp_path / "file", {"width": 3}, old)
    new = FileKind("test", codecs, upgrades=(rename_width, double_size))
    assert new.format_number == 3
    assert read_tree(tmp_path / "file", new) == {"size": 6}
    write_tree(tmp_path / "file", {"size": 6}, new)
    assert read_tree(tmp_path / "file", new) == {"size": 6}
    with pytest.raises(FileError, match=r"format 3 of skaae .* up to 1; install a newer skaae"):
        read_tree(tmp_path / "file", old)


# Writing ------------------------------------------------------------------------------------------


def test_a_new_file_has_the_rights_of_any_file_and_an_old_one_keeps_its_own(tmp_path):
    (tmp_path / "other").write_text("")
    write_tree(tmp_path / "file", 1, "test")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode
    (tmp_path / "file").chmod(0o600)
    write_tree(tmp_path / "file", 2, "test")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_link_stays_one(tmp_path):
    write_tree(tmp_path / "file", 1, "test")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_tree(tmp_path / "link", 2, "test")
    assert (tmp_path / "link").is_symlink()
    assert read_tree(tmp_path / "file", "test") == 2


def test_places_that_are_none_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"folder .*nowhere' .* make it"):
        write_tree(tmp_path / "nowhere" / "file", 1, "test")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write_tree(tmp_path, 1, "test")
    with pytest.raises(FileNotFoundError):
        read_tree(tmp_path / "nothing", "test")


@pytest.mark.parametrize("function", ["write", "fsync", "replace"])
def test_on_an_error_the_old_file_stays_and_no_other(function, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    write_tree(tmp_path / "file", 1, "test")
    if function == "write":

        def half(file, content):
            file.write(content[: len(content) // 2])
            fail()

        monkeypatch.setattr(container, "write_all", half)
    else:
        monkeypatch.setattr(container.os, function, fail)
    with pytest.raises(OSError, match="No space left"):
        write_tree(tmp_path / "file", np.ones(9), "test")
    assert os.listdir(tmp_path) == ["file"]
    assert read_tree(tmp_path / "file", "test") == 1


def test_a_limit_of_the_system_on_files_leaves_the_old_one(tmp_path):
    write_tree(tmp_path / "file", 1, "test")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            write_tree(tmp_path / "file", np.ones(10_000), "test")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == ["file"]
    assert read_tree(tmp_path / "file", "test") == 1


WRITES = """
import sys, numpy as np
from skaae.files.container import write_tree
value = 0
while True:
    write_tree(sys.argv[1], np.full(200_000, value), "test")
    print(value, flush=True)
    value += 1
"""


def test_a_process_that_is_killed_while_it_writes_leaves_a_whole_file(tmp_path):
    wait, path = random.Random(0), tmp_path / "file"
    for _ in range(8):
        command = [sys.executable, "-c", WRITES, str(path)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        child.stdout.readline()  # it has begun, and goes on
        time.sleep(wait.uniform(0.0, 0.02))
        child.send_signal(signal.SIGKILL)
        written = child.communicate()[0].split()
        found = read_tree(path, "test")
        assert found.shape == (200_000,)
        assert found[0] in {int(written[-1]), int(written[-1]) + 1} if written else {0, 1}
        assert (found == found[0]).all()


# Reading ------------------------------------------------------------------------------------------


def test_damage_of_any_kind_is_an_error(quick, tmp_path):
    """9400 files with changed, missing or new bytes; the checksum finds all of them."""
    X = np.random.default_rng(0).normal(size=(20, 2))
    skaae.save(AAETransformer(max_iter=1, random_state=0, **SMALL).fit(X), quick)
    content, chance = quick.read_bytes(), random.Random(0)
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(9400):
        place = chance.randrange(header if chance.random() < 0.5 else len(content))
        changed = bytearray(content)
        kind = chance.randrange(4)
        if kind == 0:
            changed[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del changed[place:]
        elif kind == 2:
            changed[place : place + chance.randrange(1, 20)] = chance.randbytes(3)
        else:
            changed[place : place + 8] = chance.choice(
                [b'"', b"-1", b"[[[[[[[[", b"\0" * 8, b"9" * 9]
            )
        quick.write_bytes(changed)
        if changed != content:
            with pytest.raises(FileError, match="cannot be read"):
                read_tree(quick, saving.ESTIMATOR_FILE)


VALUES = [
    *(None, True, -1, 0, 1, 2, 10**9, 10**30, 1.5, "text", "os.system", "../../x", [], {}, [[[]]]),
    *({"float": "nan"}, {"float": "inf"}, {"tuple": [10**9]}, {"dict": {}}, {"array": "nothing"}),
    *({"class": "os.system", "fields": {}}, {"bytes": "AAAA"}, {"scalar": "int64", "value": 3}),
    *({"left out": "prior"}, {"dtype": "float32"}, {"class": "Gaussian", "fields": {"dict": {}}}),
]


def places(document):
    """Return every container of a document with each of its keys."""
    found = []
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        found.append((document, key))
        if isinstance(value, dict | list):
            found += places(value)
    return found


def change(document, arrays, chance):
    """Change one value of a document, or one array, in place."""
    if chance.random() < 0.7:
        found = places(document)
        parent, key = chance.choice(found)
        kind = chance.random()
        other, name = chance.choice(found)
        if kind < 0.8:
            parent[key] = copy.deepcopy(chance.choice(VALUES) if kind < 0.6 else other[name])
        elif isinstance(parent, dict):
            del parent[key]
        else:
            parent.insert(key, copy.deepcopy(parent[key]))
        return
    name = chance.choice(list(arrays))
    array, kind = arrays[name].copy(), chance.randrange(6)
    if kind == 0:
        del arrays[name]
        return
    if kind == 1:
        array = array.reshape(-1)[: array.size - 1]
    elif kind == 2:
        array = array.astype(chance.choice(["f8", "f4", "i8", "i4", "u1", "?"]))
    elif kind == 3 and array.size and array.dtype.kind == "f":
        array.flat[chance.randrange(array.size)] = chance.choice([np.nan, np.inf, 1e30, -5.0])
    elif kind == 4 and array.size and array.dtype.kind in "iu":
        array.flat[chance.randrange(array.size)] = chance.choice([0, 1, 100])
    else:
        array = array[None]
    arrays[name] = array


def count_of_changed_files(saved, path, X, n_files, seed):
    """Load files with a right checksum and wrong values; return how many could be loaded."""
    metadata, document, arrays = parts_of(saved)
    chance, n_loaded = random.Random(seed), 0
    for _ in range(n_files):
        changed, others = json.loads(document), dict(arrays)
        change(changed, others, chance)
        rewrite(path, metadata, json.dumps(changed), others)
        try:
            loaded = skaae.load(path)
        except ValueError as error:
            if str(path) in str(error):  # the message names the file
                continue
            raise
        n_loaded += 1
        if hasattr(loaded, "_step"):
            assert loaded.predict(X).shape == (len(X),)
            assert loaded.transform(X).shape[0] == len(X)
    return n_loaded


# changes of values that a file may well have are no error; other warnings are of such values too
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_wrong_values_are_an_error_or_do_no_harm(saved, table, quick, seed):
    """600 files, and 10,000 among the slow tests, whose checksum is right."""
    n_files = 600 if seed == 0 else 10_000
    n_loaded = count_of_changed_files(saved, quick, table[0][:5], n_files, seed)
    assert 0 < n_loaded < n_files / 2


@settings(max_examples=300, **QUICK)
@given(content=st.binary(max_size=200))
def test_other_files_are_none_of_skaae(content, quick):
    quick.write_bytes(content)
    with pytest.raises(FileError, match="cannot be read"):
        read_tree(quick, "test")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
        *(
            st.fixed_dictionaries({key: inner})
            for key in ("tuple", "dict", "pairs", "float", "bytes", "array", "dtype", "set")
        ),
        st.fixed_dictionaries({"class": st.just("MLP"), "fields": inner}),
        st.fixed_dictionaries({"objects": inner, "codes": st.just("a")}),
        st.fixed_dictionaries({"scalar": st.sampled_from(["int8", "str", "f"]), "value": inner}),
        st.fixed_dictionaries({"array": st.just("a"), "dtype": st.sampled_from(["str", "x"])}),
    ),
    max_leaves=6,
)


@settings(max_examples=150, **QUICK)
@given(document=JSON, array=ARRAYS.filter(lambda a: a.dtype.kind in "fiu"))
def test_any_document_is_read_or_is_an_error(document, array, quick):
    metadata = {"format": "skaae", "kind": "estimator", "format_number": "1"}
    native = array.astype(array.dtype.newbyteorder("="))
    rewrite(quick, {**metadata, "skaae_version": "0"}, json.dumps(document), {"a": native})
    with pytest.raises(ValueError, match=r"cannot be (read|loaded)"):
        skaae.load(quick)


HEADERS = {
    "it is no file of skaae, or its end": lambda m: (2**40).to_bytes(8, "little") + b"{}",
    "has the shape": lambda m: {"a": {"dtype": "F32", "shape": [2**62, 0], "data_offsets": [0, 0]}},
    "has the shape .": lambda m: {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
    "no dtype that is allowed": lambda m: {
        "a": {"dtype": "F8_E4M3", "shape": [0], "data_offsets": [0, 0]}
    },
    "damaged": lambda m: {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}},
    "a key twice": lambda m: b'{"a": 1, "a": 2}',
    "nested too deeply": lambda m: b"[" * 100_000,
    "contains NaN": lambda m: b'{"a": NaN}',
    "not valid": lambda m: b'{"a": ' + b"9" * 5000 + b"}",
    "is no file of skaae$": lambda m: {"__metadata__": {"format": "pt"}},
    "its metadata are not": lambda m: {"__metadata__": {"format": "skaae"}},
    "format number is '0'": lambda m: {"__metadata__": {**m, "format_number": "0"}},
    "newer skaae": lambda m: {"__metadata__": {**m, "format_number": "999"}},
    "of the kind 'checkpoint'": lambda m: {"__metadata__": {**m, "kind": "checkpoint"}},
}


@pytest.mark.parametrize("problem", HEADERS)
def test_each_problem_of_a_header_is_named(problem, saved, tmp_path):
    metadata, _, _ = parts_of(saved)
    content = HEADERS[problem](metadata)
    if isinstance(content, dict):
        content = json.dumps({"__metadata__": metadata, **content}).encode()
    if problem != "it is no file of skaae, or its end":
        content = len(content).to_bytes(8, "little") + content
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(FileError, match=problem.replace("$", r"\. Get another")):
        skaae.load(tmp_path / "file")


def test_a_header_that_is_too_long_is_not_read(tmp_path):
    with open(tmp_path / "file", "wb") as file:
        file.write((2**30).to_bytes(8, "little"))
        file.truncate(2**31)  # takes no room on the disk
    with pytest.raises(FileError, match="header is 1073741824 bytes long"):
        read_tree(tmp_path / "file", "test")


def test_without_safetensors_the_error_says_how_to_install_it(monkeypatch, tmp_path, saved):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"pip install 'skaae\[files\]'"):
        skaae.save(AAETransformer(), tmp_path / "file")
    with pytest.raises(ImportError, match=r"pip install 'skaae\[files\]'"):
        skaae.load(saved)
