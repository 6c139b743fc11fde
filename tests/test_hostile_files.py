"""No file can harm who reads it: damaged, wrong and hostile files give an error, or work."""

import copy
import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest
from conftest import hide
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes
from sklearn.datasets import load_iris
from test_files import ARRAYS, QUICK

import skaae
from skaae import MLP, AAEClusterer, AAETransformer, Categories, SemiSupervisedAAEClassifier
from skaae.export import files as saving
from skaae.files.container import DOCUMENT, digest, read_tree
from skaae.files.kinds import FileError

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


# Reading ------------------------------------------------------------------------------------------


def test_damage_of_any_kind_is_an_error(quick, tmp_path):
    """9600 files with changed, missing or new bytes; the checksum finds all of them."""
    X = np.random.default_rng(0).normal(size=(20, 2))
    skaae.save(AAETransformer(max_iter=1, random_state=0, **SMALL).fit(X), quick)
    content, chance = quick.read_bytes(), random.Random(0)
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(9600):
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
    """200 files, and 10,000 among the slow tests, whose checksum is right."""
    n_files = 200 if seed == 0 else 10_000
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


# Processes ----------------------------------------------------------------------------------------

PROCESS = """
import json, os, resource, sys, time
import numpy as np
import skaae

def n_threads():
    return len(os.listdir("/proc/self/task"))

skaae.AAETransformer()
skaae.load(sys.argv[1])  # of few units: all modules are imported now
before = n_threads()
model = skaae.load(sys.argv[2])
assert n_threads() == before, "loading starts a thread"
child = os.fork()
if child == 0:
    model.predict(np.zeros((5000, 4)))
    os._exit(0)
for _ in range(600):
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        break
    time.sleep(0.1)
else:
    os.kill(child, 9)
    sys.exit("the child hangs")
assert os.waitstatus_to_exitcode(status) == 0

with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
problems = {}
for path in sys.argv[3:]:
    allowed = used + 2**26 + 40 * os.path.getsize(path)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, resource.RLIM_INFINITY))
    try:
        skaae.load(path)
        problems[path] = "none"
    except ValueError as error:
        problems[path] = str(error)
print(json.dumps(problems))
"""


def settings_of(document):
    return document["dict"]["attributes"]["dict"]["_settings"]["fields"]


def wide(document, arrays):
    settings_of(document)["architecture"]["fields"]["hidden"] = {"tuple": [10**9]}


def deep(document, arrays):
    settings_of(document)["architecture"]["fields"]["hidden"] = {"tuple": [1] * 200_000}


def many_columns(document, arrays):
    table = document["dict"]["attributes"]["dict"]["_table"]["fields"]
    table["layout"]["fields"]["n_flags"] = 10**10


def many_components(document, arrays):
    fields = {"n_petals": 10**12}
    settings_of(document)["priors"]["dict"]["style"] = {"class": "Petals", "fields": fields}


def large_covariances(document, arrays):
    arrays["means"] = np.zeros((1, 50_000))
    mixture = {"class": "GaussianMixture", "fields": {"means": {"array": "means"}}}
    document["dict"]["parameters"]["dict"]["prior"] = mixture


def many_priors(document, arrays):
    priors = []
    for index in range(20):
        arrays[f"means {index}"] = np.zeros((1, 600))
        fields = {"means": {"array": f"means {index}"}}
        priors.append({"class": "GaussianMixture", "fields": fields})
    document["dict"]["parameters"]["dict"]["prior"] = priors


def many_petals(document, arrays):
    fields = {"n_petals": {"scalar": "int64", "value": 10**9}}
    settings_of(document)["priors"]["dict"]["style"] = {"class": "Petals", "fields": fields}


def many_stretches(document, arrays):
    fields = {"n_stretches": {"scalar": "uint64", "value": 10**9}}
    settings_of(document)["priors"]["dict"]["style"] = {"class": "SwissRoll", "fields": fields}


def large_heads(document, arrays):
    architecture = settings_of(document)["architecture"]["fields"]
    architecture["cluster_heads"] = {"scalar": "int64", "value": 1}
    architecture["n_features"], architecture["hidden"] = 1, {"tuple": []}
    architecture["blocks"]["dict"]["style"]["fields"]["size"] = 20_000
    architecture["blocks"]["dict"]["label"]["fields"]["size"] = 20_000


def images_of_scalars(document, arrays):
    height = next(n for n in range(3, 99, 2) if 4 * pow(n, -1, 2**64) % 2**64 < 2**63)
    width = 4 * pow(height, -1, 2**64) % 2**64  # height times width is 4 in 64 bits
    shape = [{"scalar": "int64", "value": size} for size in (height, width, 1)]
    architecture = settings_of(document)["architecture"]["fields"]
    architecture |= {"kind": "conv", "image_shape": {"tuple": shape}, "n_features": 4}


def many_arrays(document, arrays):
    arrays |= {f"{index}": np.empty(0, np.uint8) for index in range(20_000)}


def many_classes(document, arrays):
    label = settings_of(document)["architecture"]["fields"]["blocks"]["dict"]["label"]["fields"]
    label["n_classes"] = 10**10


def many_labels(document, arrays):
    blocks = settings_of(document)["architecture"]["fields"]["blocks"]["dict"]
    blocks["label"]["fields"] |= {"size": 10**6, "components_per_class": 2}


def seeds(document, arrays):
    settings_of(document)["seed"] = 10**60


def nested(document, arrays):
    for _ in range(100):
        document["dict"]["requests"] = {"tuple": [document["dict"]["requests"]]}


def long_list(document, arrays):
    document["dict"]["requests"] = [[]] * 300_000


def many_objects(document, arrays):
    document["dict"]["requests"] = [{"": 0}] * 150_000


def long_text(document, arrays):
    arrays["names"] = np.zeros((1, 2**20), np.uint32)
    names = {"array": "names", "dtype": "str"}
    document["dict"]["attributes"]["dict"]["feature_names_in_"] = names


def distant_cluster(document, arrays):
    name = document["dict"]["attributes"]["dict"]["_merged"]["fields"]["clusters"]["array"]
    arrays[name] = arrays[name] + 10**12


HOSTILE = {
    wide: "networks have .* weights",
    deep: "layers, more than it has arrays",
    many_columns: "numbers and flags of its table",
    many_components: "n_petals is 1000000000000",
    large_covariances: "GaussianMixture and such objects would make more than",
    many_priors: "GaussianMixture and such objects would make more than",
    many_petals: "n_petals is 1000000000",
    many_stretches: "n_stretches is 1000000000",
    large_heads: r"networks have 4\d{8} weights",
    images_of_scalars: "its images have the shape",
    many_arrays: "belongs to no value",
    many_classes: "networks have .* weights",
    many_labels: "networks have .* weights",
    seeds: "no estimator has its values",
    nested: "deeper than 50 levels",
    long_list: "does not contain the parts|is no estimator",
    many_objects: "a value that is unknown here",
    long_text: "names of features",
    distant_cluster: "clusters are not made of components",
}


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs Linux")
def test_loading_starts_no_thread_and_takes_little_memory(tmp_path):
    """Then a process may fork; and what a file says takes no more than a multiple of its size."""
    X, y = load_iris(return_X_y=True)
    brief = {"max_iter": 2, "device": "cpu", "random_state": 0}
    small = AAEClusterer(3, overclustering=6, hidden_layer_sizes=(8,), **brief).fit(X)
    large = SemiSupervisedAAEClassifier(
        hidden_layer_sizes=(600, 600), pseudo_labels=False, **brief
    ).fit(X, hide(y, 8))
    skaae.save(small, tmp_path / "small")
    skaae.save(large, tmp_path / "large")
    metadata, document, arrays = parts_of(tmp_path / "small")
    for change in HOSTILE:
        changed, others = json.loads(document), dict(arrays)
        change(changed, others)
        text = json.dumps(changed, separators=(",", ":"))
        rewrite(tmp_path / change.__name__, metadata, text, others)
    files = [str(tmp_path / name) for name in ("small", "large", *(c.__name__ for c in HOSTILE))]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROCESS, *files],
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    problems = json.loads(done.stdout)
    for change, problem in HOSTILE.items():
        with pytest.raises(ValueError, match=problem):
            raise ValueError(problems[str(tmp_path / change.__name__)])
