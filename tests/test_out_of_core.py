"""Tables that are read from disk: the same rows, in any order, in the memory that they may take."""

import pickle
import threading
import warnings

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import scipy.sparse
import torch
import zarr
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import cross_val_score

from skaae import (
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    Checkpoint,
    OutOfCore,
    SemiSupervisedAAEClassifier,
    SupervisedAAETransformer,
)
from skaae.columns.network_rows import NetworkRows
from skaae.storage import sources, table
from skaae.training.blocks import BlockRows
from skaae.training.loop import Run
from skaae.training.streams import Stream
from tests.conftest import classifier, hide, transformer

N_ROWS, N_COLUMNS = 900, 6
BRIEF = {"max_iter": 2, "hidden_layer_sizes": (8,), "random_state": 0}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of 20 rows and memory of a few kilobytes, so that small tables have many groups."""
    monkeypatch.setattr(sources, "BLOCK_BYTES", 20 * 4 * N_COLUMNS)
    monkeypatch.setattr(table, "LEAST_MEMORY", 1)
    monkeypatch.setattr(table, "LEAST_SAMPLED", 20)
    monkeypatch.setattr(sources, "LEAST_BLOCKS", 8)


@pytest.fixture(scope="module")
def rows():
    """Three groups of rows, one after the other, as X and y."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], N_ROWS // 3)
    centers = 4.0 * rng.normal(size=(3, N_COLUMNS))
    return (centers[y] + rng.normal(size=(N_ROWS, N_COLUMNS))).astype(np.float32), y


def mapped(X, folder):
    """Return the rows of X as a memory-mapped array."""
    np.save(folder / "rows.npy", X)
    return np.load(folder / "rows.npy", mmap_mode="r")


def on_disk(kind, X, folder):
    """Return the rows of X in a file of some kind, as users pass it."""
    names = [f"column {i}" for i in range(X.shape[1])]
    if kind == "memmap":
        return OutOfCore(mapped(X, folder))
    if kind == "zarr":
        array = zarr.create_array(
            folder / "rows.zarr", shape=X.shape, chunks=(35, 4), dtype=X.dtype
        )
        array[:] = X
        return zarr.open_array(folder / "rows.zarr", mode="r")
    if kind == "h5py":
        with h5py.File(folder / "rows.h5", "w") as file:
            file.create_dataset("X", data=X, chunks=(7, 2))
        return h5py.File(folder / "rows.h5")["X"]
    if kind == "dataset":
        return torch.utils.data.TensorDataset(torch.from_numpy(X), torch.arange(len(X)))
    for part in (0, 1):
        half = X[part * 500 : part * 500 + 500]
        frame = pa.table(dict(zip(names, half.T, strict=True)))
        pq.write_table(frame, folder / f"{part}.parquet", row_group_size=33)
    return ds.dataset(sorted(folder.glob("*.parquet")))


KINDS = ["memmap", "zarr", "h5py", "dataset", "parquet"]


def in_units(X, kind):
    """Return rows as they are in memory, for a comparison."""
    if kind != "parquet":
        return X
    return pd.DataFrame(X, columns=[f"column {i}" for i in range(X.shape[1])])


# All kinds of files -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_method_gives_what_it_gives_for_rows_in_memory(rows, tmp_path, kind):
    X, y = rows
    stored, own = on_disk(kind, X, tmp_path), in_units(X, kind)
    model = classifier(max_iter=2, pseudo_labels=False).fit(own, hide(y, 5))
    for method in ("transform", "predict", "predict_proba", "decision_function", "score_samples"):
        expected = getattr(model, method)(own)
        np.testing.assert_array_equal(getattr(model, method)(stored), expected)
    assert model.score(stored, y) == model.score(own, y)
    np.testing.assert_array_equal(np.asarray(model.reconstruct(stored)), model.reconstruct(own))


@pytest.mark.parametrize("kind", KINDS)
def test_fits_are_as_good_as_those_of_rows_in_memory(rows, tmp_path, kind):
    X, y = rows
    stored = on_disk(kind, X, tmp_path)
    stored = OutOfCore(stored.data if isinstance(stored, OutOfCore) else stored, memory=16_000)
    taught = kind == "memmap"  # by a committee, which takes a second
    model = classifier(max_iter=10, pseudo_labels=taught).fit(stored, hide(y, 5))
    assert model.score(in_units(X, kind), y) > 0.98
    assert (model.transduction_ == y).mean() > 0.98
    assert (model.n_labeled_, model.n_unlabeled_) == (15, N_ROWS - 15)
    assert model.n_features_in_ == N_COLUMNS
    assert hasattr(model, "feature_names_in_") == (kind == "parquet")
    assert len(model.sample(3)) == 3


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_parquet_with_text_and_gaps_is_read_as_a_data_frame(tmp_path, monkeypatch, library):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=N_ROWS)
    frame = pd.DataFrame(
        {
            "size": y + 0.2 * rng.normal(size=N_ROWS),
            "color": np.where(rng.random(N_ROWS) < 0.9, np.array(["red", "blue"])[y], None),
            "flag": rng.random(N_ROWS) < 0.5,
            "target": y,
        }
    )
    frame.loc[::7, "size"] = np.nan
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "people.parquet", row_group_size=50)
    if library == "polars":
        monkeypatch.setattr(sources, "frame_library", lambda: pl)
    data = ds.dataset(tmp_path / "people.parquet")
    stored = OutOfCore(data, columns=["size", "color", "flag"], memory=40_000)
    model = classifier(max_iter=10, pseudo_labels=False).fit(stored, hide(y, 10))
    assert list(model.sample(2).columns) == ["size", "color", "flag"]
    assert model.score(stored, y) > 0.95
    assert type(model.sample(2)).__module__.startswith(library)


def test_codes_of_parquet_have_the_dtype_of_its_numbers(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 3)), columns=list("abc"))
    frame = frame.astype(np.float32).assign(text=["x", "y"] * 40, flag=[True, None] * 40)
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "some.parquet")
    stored = ds.dataset(tmp_path / "some.parquet")
    model = transformer(max_iter=1).fit(stored)
    assert model.transform(stored).dtype == model.transform(frame).dtype == np.float32
    assert model.transform(frame[1:]).dtype == np.float32  # whose first flag is a gap
    wide = frame.astype({"a": np.float64})
    pq.write_table(pa.Table.from_pandas(wide), tmp_path / "wide.parquet")
    assert model.transform(ds.dataset(tmp_path / "wide.parquet")).dtype == np.float64


def test_arrays_on_disk_need_no_wrapper(rows, tmp_path):
    X, _ = rows
    for kind in KINDS:
        assert isinstance(table.as_out_of_core(on_disk(kind, X, tmp_path)), OutOfCore)
    in_memory = (X, X.tolist(), pd.DataFrame(X), torch.from_numpy(X), mapped(X, tmp_path), None)
    for other in in_memory:
        assert table.as_out_of_core(other) is None


def test_dtypes_are_those_of_rows_in_memory(rows, tmp_path):
    X, _ = rows
    model = transformer(max_iter=1).fit(X)
    for dtype in ("float64", "float16", "int32", "uint8", ">f4"):
        own = X.astype(dtype)
        stored = OutOfCore(mapped(own, tmp_path))
        expected = model.transform(own)
        found = model.transform(stored)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_masked_entries_are_gaps(rows):
    X = np.ma.masked_array(rows[0], mask=rows[0] > 5.0)
    stored = OutOfCore(X)
    np.testing.assert_array_equal(np.isnan(stored.sample()), X.mask)


def test_the_index_of_pandas_is_no_column(rows, tmp_path):
    frame = pd.DataFrame(rows[0], columns=list("abcdef"))
    frame[frame.a > 0].to_parquet(tmp_path / "some.parquet")
    stored = OutOfCore(ds.dataset(tmp_path / "some.parquet"))
    assert stored.shape == ((frame.a > 0).sum(), 6)
    assert list(stored.sample().columns) == list("abcdef")


def test_a_table_and_its_fits_can_be_pickled(rows, tmp_path):
    X, _ = rows
    stored = pickle.loads(pickle.dumps(OutOfCore(on_disk("zarr", X, tmp_path))))
    np.testing.assert_array_equal(stored.sample(), X)


class Counted(torch.utils.data.Dataset):
    """A dataset that no two threads may read at once, and that counts its reads."""

    def __init__(self, X):
        self.X, self.n_reads, self.lock = X, 0, threading.Lock()

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        assert self.lock.acquire(blocking=False)
        self.n_reads += 1
        row = self.X[i]
        self.lock.release()
        return row


def test_one_thread_reads_at_a_time_and_nothing_twice(rows):
    X, y = rows
    stored = OutOfCore(Counted(X), memory=40_000)
    classifier(max_iter=2, unlabeled_label=None).fit(stored, y)
    before = stored.data.n_reads
    transformer(max_iter=2).fit(stored)
    sample = 40_000 // (32 * N_COLUMNS)
    assert stored.data.n_reads - before == 1 + sample + 2 * N_ROWS


def test_a_sample_keeps_no_chunks_in_memory(rows, tmp_path):
    stored = OutOfCore(on_disk("zarr", rows[0], tmp_path))
    stored.sample(300)
    part = stored.source.read(0, 5)
    assert part.base is None


# All estimators -----------------------------------------------------------------------------------


def test_every_estimator_but_the_map_fits(rows, tmp_path):
    X, y = rows
    stored = OutOfCore(mapped(X, tmp_path), memory=16_000)
    clusterer = AAEClusterer(3, max_iter=10, random_state=0).fit(stored)
    assert clusterer.labels_.shape == (N_ROWS,)
    assert adjusted_rand_score(y, clusterer.labels_) > 0.95
    np.testing.assert_array_equal(clusterer.labels_, clusterer.predict(X))
    supervised = SupervisedAAETransformer(max_iter=10, random_state=0)
    assert supervised.fit(stored, y).score(X, y) > -3.0
    detector = AAEOutlierDetector(max_iter=10, random_state=0).fit(stored)
    assert (detector.predict(stored) == 1).mean() > 0.9
    with pytest.raises(ValueError, match=r"a map needs all its rows in memory.*sample"):
        AAEEmbedding().fit(stored)
    with pytest.raises(ValueError, match="impute needs rows in memory"):
        detector.impute(stored)
    plain = transformer(max_iter=1).fit(stored)
    with pytest.raises(ValueError, match="parzen_log_likelihood needs rows in memory"):
        plain.parzen_log_likelihood(stored, 10, bandwidth=1.0)
    with pytest.raises(TypeError, match="cross-validate with some rows"):
        cross_val_score(transformer(), stored)


def test_the_transformer_is_as_good_as_with_the_rows_in_memory(rows, tmp_path):
    X, _ = rows
    stored = OutOfCore(mapped(X, tmp_path), memory=16_000)
    scores = [transformer(max_iter=15).fit(X_).score(X) for X_ in (stored, X)]
    assert abs(scores[0] - scores[1]) < 0.2 * abs(scores[1])
    again = transformer(max_iter=15).fit(stored)
    assert again.score(X) == scores[0]


def test_labels_of_all_rows_weights_and_early_stopping(rows, tmp_path):
    X, y = rows
    stored = OutOfCore(mapped(X, tmp_path), memory=40_000)
    model = classifier(max_iter=10, unlabeled_label=None, early_stopping=True)
    model.fit(stored, y, sample_weight=1.0 + y)
    assert model.score(X, y) > 0.98
    assert len(model.history_["validation"]) == model.n_iter_
    with pytest.raises(ValueError, match=r"sample_weight is 0 for 300 rows.*read from disk"):
        model.fit(stored, y, sample_weight=y)
    with pytest.raises(ValueError, match="X_unlabeled is given, but X is read from disk"):
        SemiSupervisedAAEClassifier().fit(stored, y, X_unlabeled=X)


def test_rows_for_early_stopping_may_be_on_disk(rows, tmp_path):
    X, y = rows
    model = classifier(max_iter=5, unlabeled_label=None)
    model.fit(X, y, X_val=OutOfCore(mapped(X, tmp_path)), y_val=y)
    assert len(model.history_["validation"]) == 5


def test_partial_fit_and_warm_start_go_on(rows, tmp_path):
    X, y = rows
    stored = OutOfCore(mapped(X, tmp_path), memory=40_000)
    model = classifier(max_iter=2, warm_start=True).fit(X, hide(y, 5))
    model.partial_fit(stored, y)
    assert model.n_iter_ == 3
    model.fit(stored, hide(y, 5))
    assert model.n_iter_ == 5


class Killed(BaseException):
    """Stands in for the end of a process."""


def killed_in_epoch(number, monkeypatch):
    """Let the process end where it prepares an epoch."""
    prepare = Run.prepare

    def kill(self, step, epoch):
        if epoch == number:
            raise Killed
        return prepare(self, step, epoch)

    monkeypatch.setattr(Run, "prepare", kill)


@pytest.mark.parametrize(
    ("labels", "params"),
    [
        ("all", {"pseudo_labels": False, "unlabeled_label": None}),
        ("few", {"pseudo_labels": False}),
        ("few", {"scaling": "range", "components_per_class": 1}),  # a graph adds labels
    ],
)
def test_a_killed_fit_goes_on_with_the_same_result(rows, tmp_path, monkeypatch, labels, params):
    X, y = rows[0][::2], rows[1][::2]
    y = y if labels == "all" else hide(y, 10)
    stored = OutOfCore(mapped(X, tmp_path), memory=40_000)
    params = {"hidden_layer_sizes": (16,), "max_iter": 12, "random_state": 0, **params}
    expected = SemiSupervisedAAEClassifier(**params).fit(stored, y)
    every = Checkpoint(folder=tmp_path / "checkpoints", epochs=1)
    model = SemiSupervisedAAEClassifier(**params, checkpoint=every)
    with monkeypatch.context() as patched:
        killed_in_epoch(9, patched)
        with pytest.raises(Killed):
            model.fit(stored, y)
    with monkeypatch.context() as patched:  # other memory is another fit
        killed_in_epoch(9, patched)
        with pytest.raises(Killed):
            model.fit(OutOfCore(stored.data, memory=80_000), y)
    assert len(list((tmp_path / "checkpoints").glob("*.checkpoint"))) == 2
    model.fit(stored, y)
    np.testing.assert_array_equal(model.transform(X), expected.transform(X))
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


# Order --------------------------------------------------------------------------------------------


def block_rows(rows, folder, memory):
    """Return training rows out of memory, whose numbers are not scaled, and X."""
    X, _ = rows
    model = transformer(max_iter=1, scaling=None).fit(X)
    stored = model._check_rows(OutOfCore(mapped(X, folder)), learns=True)
    return BlockRows(NetworkRows(stored, model._table, in_float32=True), memory), X


@pytest.mark.parametrize("memory", [16_000, 5_000, 10**6])
@pytest.mark.parametrize("size", [1, 37, 200, N_ROWS])
def test_a_pass_has_every_row_once(rows, tmp_path, memory, size):
    x, X = block_rows(rows, tmp_path, memory)
    generator = torch.Generator().manual_seed(0)
    orders = []
    for _ in range(2):
        orders.append(x.shuffle(None, generator))
        assert sorted(orders[-1].tolist()) == list(range(N_ROWS))
        for index in orders[-1].split(size):
            np.testing.assert_array_equal(x[index], X[index.numpy()])
        assert x.buffer.nbytes <= memory
    assert (orders[0] != orders[1]).any()


def test_rows_in_any_order_are_the_right_ones(rows, tmp_path):
    """Such as those that are left of a pass that began before an interrupt."""
    x, X = block_rows(rows, tmp_path, 16_000)
    order = x.shuffle(None, torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    for _ in range(30):
        index = order[torch.from_numpy(rng.integers(0, N_ROWS, size=40))]
        np.testing.assert_array_equal(x[index], X[index.numpy()])
    np.testing.assert_array_equal(x[10:50], X[10:50])


def test_some_rows_as_often_as_asked(rows, tmp_path):
    x, X = block_rows(rows, tmp_path, 16_000)
    index = torch.tensor([5, 5, 5, 400, 899, 20, 19])
    order = x.shuffle(index, torch.Generator().manual_seed(0))
    assert sorted(order.tolist()) == sorted(index.tolist())
    np.testing.assert_array_equal(x[order], X[order.numpy()])


def test_a_stream_saves_the_labels_that_it_has_now(rows, tmp_path):
    """Few labeled rows are picked from the table; with more of them, it is read again."""
    x, X = block_rows(rows, tmp_path, 16_000)
    y = torch.from_numpy(rows[1])
    stream, other = Stream({}, phase="classification"), Stream({}, phase="classification")
    for used in (stream, other):
        used.take_labeled(x, y, torch.arange(0, 900, 100))
    few = torch.arange(5, 900, 100)
    stream.take_labeled(x, y + 1, few)
    other.load_state_dict(stream.state_dict())
    np.testing.assert_array_equal(other.tensors["x_labeled"], X[few.numpy()])
    np.testing.assert_array_equal(other.tensors["y_labeled"], y[few] + 1)
    many = torch.arange(x.n_rows_of_stream() + 1)
    stream.take_labeled(x, y, many)
    assert stream.state_dict()["rows"] is many


def test_mini_batches_mix_a_sorted_table(rows, tmp_path):
    """Groups of 16 of 45 blocks, drawn at random: each mini-batch has rows of all classes."""
    _, y = rows
    x, _ = block_rows(rows, tmp_path, 16_000)
    order = x.shuffle(None, torch.Generator().manual_seed(0))
    shares = [np.bincount(y[index], minlength=3) / len(index) for index in order.split(100)]
    assert np.min(shares) > 0.1
    assert np.abs(np.subtract(shares, 1 / 3)).mean() < 0.15


def test_blocks_that_do_not_fit_are_refused(rows, tmp_path):
    X, _ = rows
    with pytest.raises(ValueError, match=r"a chunk or row group of 33 rows.*memory=6336\)"):
        transformer().fit(OutOfCore(on_disk("parquet", X, tmp_path), memory=3_000))


# What goes wrong ----------------------------------------------------------------------------------


class Broken:
    """An array whose file breaks off."""

    dtype = np.dtype(np.float32)

    def __init__(self, X, last):
        self.X, self.shape, self.last = X, X.shape, last

    def __getitem__(self, rows):
        if rows.stop > self.last and rows.stop - rows.start > 1:
            raise OSError("the disk is gone")
        return self.X[rows]


def test_an_error_of_the_disk_ends_the_fit(rows, tmp_path, monkeypatch):
    X, _ = rows
    monkeypatch.setattr(OutOfCore, "_sample_runs", lambda self, n: [(0, 300)])
    model = transformer(max_iter=2)
    with pytest.raises(OSError, match="the disk is gone"):
        model.fit(OutOfCore(Broken(X, 600), memory=16_000))
    assert not hasattr(model, "n_iter_")


def test_bad_values_in_a_late_block_are_named(rows, tmp_path, monkeypatch):
    X = rows[0].copy()
    X[700, 2] = np.inf
    monkeypatch.setattr(OutOfCore, "_sample_runs", lambda self, n: [(0, 300)])
    with pytest.raises(ValueError, match="contains infinity"):
        transformer(max_iter=2).fit(OutOfCore(mapped(X, tmp_path), memory=16_000))


def test_numbers_far_from_the_sample_warn(rows, tmp_path, monkeypatch):
    X = rows[0].copy()
    X[600:, 2] *= 1e4
    monkeypatch.setattr(OutOfCore, "_sample_runs", lambda self, n: [(0, 300)])
    stored = OutOfCore(mapped(X, tmp_path), memory=16_000)
    with pytest.warns(UserWarning, match=r"Column 2 of X holds numbers from -?\d.*hardly count"):
        transformer(max_iter=2).fit(stored)


def test_numbers_in_a_flag_warn(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=900), "count": np.repeat([0, 1, 1, 4], 225)})
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "x.parquet", row_group_size=30)
    monkeypatch.setattr(OutOfCore, "_sample_runs", lambda self, n: [(0, 600)])
    stored = OutOfCore(ds.dataset(tmp_path / "x.parquet"), memory=16_000)
    with pytest.warns(UserWarning, match=r"Column 'count' of X holds numbers from \d to 4, but it"):
        transformer(max_iter=2).fit(stored)


def test_batches_larger_than_a_group_are_refused(rows, tmp_path):
    stored = OutOfCore(mapped(rows[0], tmp_path), memory=16_000)
    with pytest.raises(ValueError, match="batch_size=400 is more than the 166 rows"):
        transformer(batch_size=400).fit(stored)


def test_later_rows_of_partial_fit_far_from_the_first_warn(rows):
    X, _ = rows
    first, later = X.copy(), X.copy()
    first[:, 1] = 7.0
    later[:, 1] = np.linspace(0.0, 1e5, len(X))
    model = transformer().partial_fit(first)
    with pytest.warns(UserWarning, match="Column 1 of X holds numbers from 0 to 1e\\+05"):
        model.partial_fit(later)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.partial_fit(first)


class Endless(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter([np.zeros(3)])


@pytest.mark.parametrize(
    ("data", "how", "message"),
    [
        (np.zeros((4, 2, 2)), {}, r"2 dimensions.*\(4, 2, 2\)"),
        ([1, 2], {}, "list, which has no shape"),
        (np.zeros((4, 2)), {"memory": 0}, "memory=0 must be a number of bytes"),
        (np.zeros((4, 2)), {"memory": "1GB"}, "memory='1GB' must be"),
        (np.zeros((4, 200)), {"memory": 1000}, "too little for 200 columns.* at least 6400"),
        (np.zeros((0, 2)), {}, r"shape \(0, 2\); give at least a row"),
        (scipy.sparse.eye_array(4, format="csr"), {}, "csr_array, which has no"),
        (torch.utils.data.TensorDataset(torch.zeros(0, 2)), {}, "at least a row"),
        ([{"a": 1}], {}, "list, which has no shape"),
        (np.zeros((4, 2)), {"columns": ["a"]}, r"columns=\['a'\].*ndarray"),
        (Endless(), {}, "IterableDataset.*partial_fit"),
        (
            torch.utils.data.TensorDataset(torch.zeros(5, 3, 4, 4)),
            {},
            r"\(3, 4, 4\).*channels last",
        ),
    ],
)
def test_what_cannot_be_read_is_named(data, how, message):
    with pytest.raises(ValueError, match=message):
        OutOfCore(data, **how)


def test_unknown_columns_are_named(rows, tmp_path):
    data = on_disk("parquet", rows[0], tmp_path)
    with pytest.raises(ValueError, match="columns names 'age', but the dataset has"):
        OutOfCore(data, columns=["age"])


def test_images_of_one_channel_are_flattened():
    images = torch.rand(30, 1, 4, 4)
    stored = OutOfCore(torch.utils.data.TensorDataset(images))
    assert stored.shape == (30, 16)
    np.testing.assert_array_equal(stored.sample(), images.reshape(30, 16))


def test_a_sample_comes_from_all_over_the_table(rows, tmp_path):
    stored = OutOfCore(mapped(np.arange(N_ROWS)[:, None], tmp_path))
    found = stored.sample(300).ravel()
    assert len(np.unique(found)) == len(found) == 300
    assert (
        np.abs(np.quantile(found, [0, 0.25, 0.5, 0.75, 1]) / N_ROWS - [0, 0.25, 0.5, 0.75, 1]).max()
        < 0.05
    )
    assert len(stored.sample(10**6)) == N_ROWS == len(stored)
    assert "memmap of shape (900, 1)" in repr(stored)


def test_a_dataset_of_parquet_can_be_pickled(tmp_path):
    frame = pd.DataFrame({"a": np.arange(50.0), "b": np.arange(50.0) % 7})
    frame.to_parquet(tmp_path / "rows.parquet")
    stored = pickle.loads(pickle.dumps(OutOfCore(ds.dataset(tmp_path / "rows.parquet"))))
    pd.testing.assert_frame_equal(stored.sample(50), frame)


@pytest.mark.parametrize("n_samples", [1, 999, 1400, 1450, 1499])
def test_a_sample_has_no_row_twice(n_samples):
    stored = OutOfCore(np.arange(1500.0)[:, None])
    found = stored.sample(n_samples)
    assert len(np.unique(found)) == n_samples


def test_labels_of_a_dataset_are_no_column():
    x, y = torch.randn(30), torch.arange(30) % 2
    rows = OutOfCore(torch.utils.data.TensorDataset(x, y)).sample(30)
    np.testing.assert_array_equal(np.sort(rows[:, 0]), np.sort(x.numpy()))
    assert rows.shape == (30, 1)
    three = OutOfCore(torch.utils.data.TensorDataset(x, x, x)).sample(30)
    assert three.shape == (30, 3)
    narrow = torch.utils.data.TensorDataset(torch.ones(30, 2, dtype=torch.bfloat16))
    assert OutOfCore(narrow).sample(3).tolist() == [[1.0, 1.0]] * 3


def test_columns_are_a_list_of_names():
    arrow = pytest.importorskip("pyarrow.dataset")
    table = pytest.importorskip("pyarrow").table({"a": [1.0], "b": [2.0], "ab": [3.0]})
    with pytest.raises(ValueError, match=r"columns='ab' is text; give a list of names, \['ab'\]"):
        OutOfCore(arrow.dataset(table), columns="ab")
