"""Files without pickle: what they hold, and that no file can harm who reads it."""

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from skaae.files import container
from skaae.files.container import read_tree, write_tree
from skaae.files.kinds import CannotWrite, Codec, FileError, FileKind, matches

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


@pytest.mark.parametrize("value", [True, False])
def test_flags_are_no_numbers(value):
    assert matches(value, bool)
    assert not matches(value, int)
    assert not matches(value, float)


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


def test_a_path_may_be_bytes(tmp_path):
    path = os.fsencode(tmp_path / "file")
    write_tree(path, [1], "test")
    assert read_tree(path, "test") == [1]


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


def test_a_device_or_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"pipe'.* is a device, a pipe .*give the name of a file"):
        write_tree(tmp_path / "pipe", 1, "test")
    assert (tmp_path / "pipe").is_fifo()


def test_a_header_that_a_reader_would_refuse_is_not_written(tmp_path, monkeypatch):
    write_tree(tmp_path / "file", 1, "test")
    monkeypatch.setattr(container, "LONGEST_HEADER", 1000)
    with pytest.raises(OSError, match=r"21 arrays need a header of \d+ bytes.*use joblib"):
        write_tree(tmp_path / "file", [np.ones(1)] * 20, "test")
    assert os.listdir(tmp_path) == ["file"]
    assert read_tree(tmp_path / "file", "test") == 1


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
