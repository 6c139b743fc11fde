"""Data-parallel training: 2 and 4 processes of gloo train what one process trains."""

import contextlib
import io
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import ranks_job
import torch

import skaae
from skaae.training import ranks

JOB = Path(ranks_job.__file__)
# Seconds that a job may take on a machine that does other work.
PATIENCE = 300


def environment(**others):
    """Return the variables of a process that has one thread."""
    paths = os.pathsep.join(path for path in sys.path if path)
    plain = {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return {**os.environ, **plain, **others}


def start(job, folder, n_ranks):
    """Start the processes of a job as torchrun does, and return them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    same = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(n_ranks)}
    command = [sys.executable, str(JOB), job, str(folder)]
    return [
        subprocess.Popen(
            command,
            env=environment(
                **same, RANK=str(rank), LOCAL_RANK=str(rank), TORCHELASTIC_RUN_ID="test"
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(n_ranks)
    ]


def results(job, folder, n_ranks):
    """Run the processes of a job, and return what each found."""
    processes = start(job, folder, n_ranks)
    outputs = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * n_ranks, "\n".join(outputs)
    return [load(folder, job, rank) for rank in range(n_ranks)]


def load(folder, job, rank):
    return pickle.loads((folder / f"{job}-{rank}.pkl").read_bytes())


@pytest.fixture(
    scope="module", params=[2, pytest.param(4, marks=pytest.mark.slow)], ids="{} ranks".format
)
def lost(request, tmp_path_factory):
    """The folder of ranks that run `everything`, then lose one; what the first of them said.

    One start for both, as it takes seconds.
    """
    folder = tmp_path_factory.mktemp("ranks")
    first, second, *others = start("everything,lose_one", folder, request.param)
    for process in (second, *others):
        process.communicate(timeout=PATIENCE)
    output = first.communicate(timeout=PATIENCE)[0]
    codes = [process.returncode for process in (first, second, *others)]
    assert codes == [1, -signal.SIGKILL, *[1 for _ in others]], output
    return folder, output


@pytest.fixture(scope="module")
def found(lost):
    """What each rank found in the job `everything`."""
    folder = lost[0]
    return [load(folder, "everything", rank) for rank in range(len(list(folder.glob("every*"))))]


@pytest.mark.parametrize("name", ranks_job.STEPS)
def test_a_step_on_parts_of_the_rows_is_the_step_on_all_of_them(found, name):
    """All phases with batch normalization; prior samples and directions are given."""
    for one in found:
        (alone, weights), (together, same) = one["compare_steps"][name]
        for expected, losses in zip(alone, together, strict=True):
            assert losses == pytest.approx(expected, rel=1e-5, abs=1e-5)
        torch.testing.assert_close(same, weights, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("job", ["fit_quiet", "fit_images"])
def test_a_fit_without_noise_is_the_fit_of_one_process(found, job):
    """Epochs of unequal mini-batches, with clipped gradients and average weights."""
    alone = getattr(ranks_job, job)()
    for one in found:
        fit = one[job]
        np.testing.assert_allclose(fit["codes"], alone["codes"], rtol=1e-4, atol=1e-4)
        losses = fit["history"]["reconstruction"]
        np.testing.assert_allclose(losses, alone["history"]["reconstruction"], rtol=1e-5)
        torch.testing.assert_close(fit["state"], alone["state"], rtol=1e-4, atol=1e-4)


def test_a_classifier_of_several_processes_is_as_good(found):
    X, y, hidden = ranks_job.table()
    alone = ranks_job.classifier(early_stopping=True, validation_fraction=0.2).fit(X, hidden)
    error = np.mean(alone.predict(X) != y)
    assert 0.0 < error < 0.3
    together = found[0]["fit_classifier"]
    assert abs(together["error"] - error) < 0.05
    for name in ("reconstruction", "classification", "validation"):
        expected = alone.history_[name][-1]
        assert together["history"][name][-1] == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("fit", ["fit_quiet", "fit_classifier", "fit_map"])
def test_all_ranks_end_with_the_same_model(found, fit):
    first = found[0][fit]
    for other in found[1:]:
        assert all(map(torch.equal, other[fit]["state"], first["state"]))
        assert torch.equal(other[fit]["generator"], first["generator"])
        np.testing.assert_array_equal(other[fit]["codes"], first["codes"])
        np.testing.assert_equal(other[fit]["history"], first["history"])


@pytest.mark.slow
def test_ranks_end_with_the_same_model_of_any_kind(tmp_path):
    first, second = results("fit_others", tmp_path, 2)
    for name, state in first.items():
        assert all(bool(tensor.isfinite().all()) for tensor in state), name
        assert all(map(torch.equal, second[name], state)), name


def test_each_rank_reads_its_share_of_the_rows_and_labels(found):
    """In an epoch the ranks read each row once, and none has a mini-batch without labels."""
    X, _, hidden = ranks_job.table()
    seen = [one["watch_rows"] for one in found]
    rows = np.concatenate([np.concatenate(one["x"]) for one in seen])
    assert len(rows) == len(X)
    assert len(np.unique(rows, axis=0)) == len(X)
    for name, n_rows in (("x", len(X)), ("x_labeled", (hidden >= 0).sum())):
        sizes = np.array([[len(batch) for batch in one[name]] for one in seen])
        assert (sizes.max(axis=0) - sizes.min(axis=0) <= 1).all()
        assert sizes.min() >= 1
        assert sizes.sum(axis=0).max() <= min(20, n_rows)
    labeled = [np.concatenate([one["x_labeled"][step] for one in seen]) for step in range(2)]
    for batch in labeled:  # the ranks have different ones
        assert len(np.unique(batch, axis=0)) == len(batch)


def test_ranks_draw_different_samples_of_the_prior(found):
    samples = np.concatenate([np.concatenate(one["watch_rows"]["noise"]) for one in found])
    assert len(np.unique(samples, axis=0)) == len(samples) == 201
    spread = samples.std(axis=0)
    assert (spread > 0.8).all()
    assert (spread < 1.2).all()


def test_an_interrupt_of_one_rank_ends_all_after_the_epoch(found):
    assert [one["stop_one"] for one in found] == [2] * len(found)


def test_ranks_that_differ_are_refused(found):
    for one in found:
        said = one["refused"]
        assert said["rows"].startswith("X of process 1 differs from that of process 0.")
        assert said["labels"].startswith("y of process 1 differs")
        assert said["parameters"].startswith("tol of process 1 differs")
        assert "set random_state to an int" in said["seed"]
        assert "BatchNorm1d" in said["norm"]
        assert "LayerNorm" in said["norm"]


def test_a_killed_rank_ends_the_others_with_a_clear_error(lost):
    folder, output = lost
    assert (folder / "lost").stat().st_mtime - (folder / "halted").stat().st_mtime < 60.0
    error = output.strip().splitlines()[-1]
    assert error.removeprefix("[rank0]: ").startswith(
        "ConnectionError: another process of this fit has ended"
    )
    assert "goes on from the last checkpoint, with as many processes, with fewer" in error


def test_one_process_goes_on_from_the_checkpoint_of_several(lost):
    """The fit without noise ends as one that was never killed."""
    folder = lost[0]
    X, _, _ = ranks_job.table()
    (saved,) = (folder / "saved").iterdir()
    kept = saved.read_bytes()
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        model = ranks_job.long(folder).set_params(verbose=1).fit(X)
    assert "Going on after epoch 2" in shown.getvalue()
    assert list((folder / "saved").iterdir()) == []  # as the fit is complete
    saved.write_bytes(kept)
    alone = ranks_job.quiet().set_params(max_iter=6).fit(X)
    np.testing.assert_allclose(model.transform(X), alone.transform(X), rtol=1e-4, atol=1e-4)
    losses = alone.history_["reconstruction"]
    np.testing.assert_allclose(model.history_["reconstruction"], losses, rtol=1e-5)


@pytest.mark.slow
def test_a_rank_that_hangs_ends_the_others_within_a_minute(tmp_path):
    first, second = start("halt_one", tmp_path, 2)
    output = first.communicate(timeout=PATIENCE)[0]
    second.kill()
    second.communicate()
    assert first.returncode == 1
    assert "has not answered for 50 seconds" in output.strip().splitlines()[-1]
    began = (tmp_path / "halted").stat().st_mtime
    assert time.time() - began < 60.0


@pytest.mark.slow
def test_four_ranks_lose_one_and_two_go_on_under_torchrun(tmp_path):
    """The job ends within a minute; its checkpoint goes on in two processes, as if in one."""
    X, _, _ = ranks_job.table()
    began = time.monotonic()
    lost = torchrun("lose_one", tmp_path, 4)
    assert lost.returncode == 1
    assert time.monotonic() - began < 60.0 + 60.0  # to start four processes, and to end
    assert "Signal 9 (SIGKILL)" in lost.stdout
    (saved,) = (tmp_path / "saved").iterdir()
    resumed = torchrun("resume", tmp_path, 2)
    assert resumed.returncode == 0, resumed.stdout
    assert not saved.exists()
    alone = ranks_job.quiet().set_params(max_iter=6).fit(X)
    for rank in range(2):
        codes = load(tmp_path, "resume", rank)["codes"]
        np.testing.assert_allclose(codes, alone.transform(X), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_the_command_of_the_page_runs(tmp_path):
    page = (JOB.parents[1] / "docs" / "scaling_up.md").read_text()
    before, command, _ = re.split(r"^torchrun (--standalone .*)$", page, flags=re.M)
    program = re.findall(r"```python\n(.*?)```", before, re.S)[-1]
    (tmp_path / "train.py").write_text(program)
    done = run_torchrun(command.split(), tmp_path)
    assert done.returncode == 0, done.stdout
    (score,) = done.stdout.split()  # of one rank
    assert float(score) > 0.85
    assert len(skaae.load(tmp_path / "digits.skaae").classes_) == 10


def torchrun(job, folder, n_ranks):
    """Run a job with the command line of PyTorch, and return the completed process."""
    arguments = ["--standalone", f"--nproc-per-node={n_ranks}", str(JOB), job, str(folder)]
    return run_torchrun(arguments, folder)


def run_torchrun(arguments, folder):
    """Run PyTorch's command in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_one_process_joins_nobody(monkeypatch):
    """Also where torchrun started it alone, and in processes that a rank starts."""
    device = torch.device("cpu")

    def joins():
        with ranks.joined(lambda: device):
            return ranks.current() is not None

    assert not joins()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not joins()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert ranks.is_rank()
    monkeypatch.setattr(ranks, "_process_id", os.getpid() + 1)
    assert not joins()


def test_a_process_without_a_gpu_of_its_own_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    used = []
    monkeypatch.setattr(torch.cuda, "set_device", used.append)
    ranks.use_gpu(1)
    assert used == [1]
    with pytest.raises(ValueError, match="process 2 of this machine has no GPU of its own"):
        ranks.use_gpu(2)
    assert ranks.backend_for(torch.device("cuda", 1)) == "cpu:gloo,cuda:nccl"


def test_a_thread_of_a_rank_must_not_fit(monkeypatch):
    monkeypatch.setattr(ranks, "is_rank", lambda: True)
    monkeypatch.setattr(ranks.threading, "current_thread", lambda: None)
    X, _, _ = ranks_job.table()
    with pytest.raises(RuntimeError, match="call fit in the main thread"):
        ranks_job.quiet().fit(X)


@pytest.mark.slow
def test_workers_of_joblib_are_no_ranks():
    """They inherit the environment of a rank."""
    from joblib import Parallel, delayed

    variables = {"TORCHELASTIC_RUN_ID": "test", "WORLD_SIZE": "2"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (alone,) = Parallel(n_jobs=2)(delayed(is_rank_with)(variables) for _ in range(1))
    assert alone is False


def is_rank_with(variables):
    """Return whether this process would be a rank if its environment had these variables."""
    os.environ.update(variables)
    return ranks.is_rank()
