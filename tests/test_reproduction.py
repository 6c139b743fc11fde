"""benchmarks/reproduce.py: interrupted runs go on, and SVHN's files are read."""

import json

import numpy as np
import pytest
import torch
from scipy.io import savemat
from test_results import load

experiments, reproduce = load("experiments"), load("reproduce")


@pytest.fixture
def rows(digits):
    X, y = digits
    return experiments.Rows(X[:300], y[:300], X[300:400], y[300:400])


ROWS = [
    "labels-20-virtual-adversarial",
    "labels-20-components",
    "labels-100-augmented",
    "map-2-clusters-20",
    "mixture-labels",
]


@pytest.fixture(params=ROWS)
def row(request, monkeypatch):
    """A row of the tables with small networks and few labels."""
    experiment = experiments.EXPERIMENTS[request.param]
    changed = {**experiment.parameters, "hidden_layer_sizes": (16,)}
    monkeypatch.setattr(experiment, "parameters", changed)
    monkeypatch.setattr(experiment, "n_labels", 20 if experiment.n_labels else 0)
    monkeypatch.setattr(experiments, "N_HELD_OUT", 100)
    return request.param


def test_an_interrupted_run_ends_where_the_whole_one_does(row, rows, tmp_path):
    planned = {"epochs": 4}
    whole = reproduce.run(row, rows, draw=1, path=tmp_path / "whole.pkl", **planned)
    path = tmp_path / "parts.pkl"
    experiment = experiments.EXPERIMENTS[row]
    measure, calls = experiment.measure, []

    def interrupt(model, rows):
        calls.append(model.n_iter_)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return measure(model, rows)

    experiment.measure = interrupt
    try:
        with pytest.raises(KeyboardInterrupt):
            reproduce.run(row, rows, draw=1, path=path, **planned)
        in_parts = reproduce.run(row, rows, draw=1, path=path, **planned)
    finally:
        experiment.measure = measure
    assert calls == [1, 2, 3, 3, 4]
    assert in_parts["epochs"] == whole["epochs"] == [1, 2, 3, 4]
    assert in_parts["figures"] == whole["figures"]
    assert in_parts["last_losses"] == whole["last_losses"]


def test_rows_that_merge_anew_share_their_trained_models(digits, tmp_path, monkeypatch):
    X, y = digits
    np.savez(tmp_path / "mnist.npz", X_train=X, y_train=y, X_test=X[:50], y_test=y[:50])
    monkeypatch.setattr(experiments, "N_HELD_OUT", 100)
    trained = experiments.EXPERIMENTS["clusters-10"]
    monkeypatch.setattr(trained, "parameters", {**trained.parameters, "hidden_layer_sizes": (16,)})
    monkeypatch.setattr(load("_common"), "RESULTS", tmp_path / "results")
    records = {}
    for name in ("clusters-16", "clusters-10", "clusters-16", "clusters-30"):
        command = ["reproduce.py", name, "--data", str(tmp_path), "--draws", "1"]
        command += ["--epochs", "2", "--checkpoints", str(tmp_path / "checkpoints")]
        monkeypatch.setattr("sys.argv", command)
        reproduce.main()
        path = tmp_path / "results" / "reproduction" / f"{name}_draw_0.json"
        record = json.loads(path.read_text())
        assert records.setdefault(name, record)["figures"] == record["figures"]
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [
        "clusters-10_draw_0.pkl"
    ]
    assert records["clusters-10"]["epochs"] == [1, 2]
    assert records["clusters-30"]["epochs"] == [2]
    seconds = sum(records["clusters-10"]["seconds"])
    assert records["clusters-30"]["seconds"] == [pytest.approx(seconds, abs=0.01)]
    assert records["clusters-16"]["parameters"]["n_clusters"] == "16"


def test_a_checkpoint_of_other_rows_is_refused(rows, tmp_path, monkeypatch):
    path = tmp_path / "run.pkl"
    experiment = experiments.EXPERIMENTS["labels-20-virtual-adversarial"]
    changed = {**experiment.parameters, "hidden_layer_sizes": (16,)}
    monkeypatch.setattr(experiment, "parameters", changed)
    reproduce.run("labels-20-virtual-adversarial", rows, 0, 1, path)
    fewer = experiments.Rows(rows.X[:200], rows.y[:200], rows.X_test, rows.y_test)
    with pytest.raises(ValueError, match=r"run\.pkl is of other parameters or rows.*remove it"):
        reproduce.run("labels-20-virtual-adversarial", fewer, 0, 2, path)


def test_a_command_leaves_a_file_for_every_draw(digits, tmp_path, monkeypatch):
    X, y = digits
    np.savez(tmp_path / "mnist.npz", X_train=X, y_train=y, X_test=X[:50], y_test=y[:50])
    name = "labels-50-virtual-adversarial"
    experiment = experiments.EXPERIMENTS[name]
    changed = {**experiment.parameters, "hidden_layer_sizes": (16,)}
    monkeypatch.setattr(experiment, "parameters", changed)
    monkeypatch.setattr(load("_common"), "RESULTS", tmp_path / "results")
    command = ["reproduce.py", name, "--data", str(tmp_path), "--draws", "2"]
    command += ["--epochs", "2", "--checkpoints", str(tmp_path)]
    monkeypatch.setattr("sys.argv", command)
    reproduce.main()
    files = sorted((tmp_path / "results" / "reproduction").glob("*.json"))
    assert [path.stem for path in files] == [f"{name}_draw_0", f"{name}_draw_1"]
    record = json.loads(files[1].read_text())
    assert record["draw"] == 1
    assert record["epochs"] == [1, 2]
    assert len(record["figures"]) == len(record["seconds"]) == 2
    assert {"torch", "skaae", "hardware", "commit"} <= set(record["circumstances"])


def test_augmented_images_stay_about_where_they_are():
    """A bright pixel in the middle only shifts: turns and changes of size leave it there."""
    torch.manual_seed(0)
    x = torch.zeros(500, 15, 15)
    x[:, 7, 7] = 1.0
    x = x.flatten(1)
    torch.testing.assert_close(experiments.RandomAffine(0.0, 0.0, 0.0)(x), x)
    turned = experiments.RandomAffine(20.0, 0.0, 0.0)(x)
    torch.testing.assert_close(turned.argmax(1), x.argmax(1))
    shifted = experiments.RandomAffine(0.0, 2.0, 0.0)(x).reshape(-1, 15, 15)
    at = torch.arange(15.0)
    for axis in (1, 2):
        place = (shifted.sum(3 - axis) * at).sum(1) - 7.0
        assert place.abs().max() < 2.0 + 1e-4
        assert place.std() == pytest.approx(2.0 / 3.0**0.5, rel=0.1)
    x = torch.zeros(500, 15, 15)
    x[:, 7, 2:13] = 1.0
    resized = experiments.RandomAffine(0.0, 0.0, 0.2)(x.flatten(1)).reshape(-1, 15, 15)
    length = resized[:, 7].sum(1)
    assert 0.75 * 11 < length.min() < 0.9 * 11
    assert 1.1 * 11 < length.max() < 1.25 * 11
    colours = torch.stack([x, 2.0 * x, 0.0 * x], dim=3).flatten(1)
    shifted = experiments.RandomAffine(0.0, 2.0, 0.0, channels=3)(colours).reshape(500, -1, 3)
    assert shifted[:, :, 0].max() > 0.5
    torch.testing.assert_close(shifted[:, :, 1], 2.0 * shifted[:, :, 0])
    assert not shifted[:, :, 2].any()


def test_svhn_is_read_as_its_files_hold_it(tmp_path):
    rng = np.random.default_rng(0)
    images = {n: rng.integers(0, 256, (32, 32, 3, n), dtype=np.uint8) for n in (7, 4)}
    for name, n in (("train", 7), ("test", 4)):
        y = np.resize([10, 1, 9], n)[:, None].astype(np.uint8)
        savemat(tmp_path / f"{name}_32x32.mat", {"X": images[n], "y": y})
    rows = experiments.load_svhn(tmp_path)
    assert rows.X.shape == (7, 3072)
    assert rows.X.dtype == np.float32
    np.testing.assert_allclose(rows.X[2].reshape(32, 32, 3), images[7][..., 2] / 255, rtol=1e-6)
    assert rows.y[:3].tolist() == [0, 1, 9]
    assert rows.X_test.shape == (4, 3072)
    (tmp_path / "test_32x32.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"test_32x32\.mat does not exist"):
        experiments.load_svhn(tmp_path)
    with pytest.raises(FileNotFoundError, match="give --data"):
        experiments.load_svhn(None)


def test_toronto_faces_are_read_as_their_file_holds_them(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 48, 48), dtype=np.uint8)
    part = np.array([3, 1, 0, 2, 0, 1, 2, 0, 3])
    folds = np.column_stack([part, *[rng.permutation(part) for _ in range(4)]])
    y = np.array([1, 2, -1, 3, -1, 4, 5, -1, 6], dtype=np.int16)[:, None]
    savemat(tmp_path / "TFD_48x48.mat", {"images": images, "folds": folds, "labs_ex": y})
    rows = experiments.load_faces(tmp_path)
    assert rows.X.shape == (7, 48 * 48)
    assert rows.X.dtype == np.float32
    assert rows.y.tolist() == [-1, -1, -1, 2, 4, 3, 5]  # validation rows last
    np.testing.assert_allclose(rows.X[5].reshape(48, 48), images[3] / 255, rtol=1e-6)
    np.testing.assert_allclose(rows.X_test, images[[0, 8]].reshape(2, -1) / 255, rtol=1e-6)
    assert rows.y_test.tolist() == [1, 6]
    (tmp_path / "TFD_48x48.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"TFD_48x48\.mat does not exist"):
        experiments.load_faces(tmp_path)
    with pytest.raises(FileNotFoundError, match="give --data"):
        experiments.load_faces(None)
