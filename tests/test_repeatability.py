"""The same seed gives the same bits: in another process, in threads, and through joblib.

`test_draws.py` has the draws of users' own code, `test_integration.py` the folds of scikit-learn.
"""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from conftest import FITS

pytestmark = [
    pytest.mark.skipif(FITS["device"] != "cpu", reason="promised on the CPU only"),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # fits of a few epochs
]

# Small fits of all estimators, as a program: it runs in this process and in others.
PROGRAM = '''
import hashlib

import joblib
import numpy as np
import torch
from torch import nn

import skaae

rng = np.random.default_rng(0)
y = np.repeat([0, 1, 2], 40)
X = 4.0 * rng.normal(size=(3, 5))[y] + rng.normal(size=(120, 5))
some = np.where(np.arange(120) % 4 == 0, y, -1)


class Own(nn.Module):
    """A user's network that draws from PyTorch's global generator, when made and when trained."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_inputs, 12), nn.Dropout(0.3), nn.ReLU())
        self.last = nn.Linear(12, n_outputs)

    def forward(self, x):
        noise = torch.randn(len(x), 12) if self.training else 0.0
        return self.last(self.layers(x) + 0.01 * noise)


def jitter(rows):
    return rows + 0.01 * torch.randn_like(rows)


def networks(**more):
    return {"network": skaae.MLP(encoder=Own, decoder=Own), **more}


FITS = {
    "transformer": lambda **how: skaae.AAETransformer(**how).fit(X),
    "mmd": lambda **how: skaae.AAETransformer(regularizer="mmd", **how).fit(X),
    "own networks": lambda **how: skaae.AAETransformer(**{**how, **networks()}).fit(X),
    "convolutions": lambda **how: skaae.AAETransformer(
        **{**how, "network": "conv", "hidden_layer_sizes": (4,)}
    ).fit(X[:, :4]),
    "outliers": lambda **how: skaae.AAEOutlierDetector(early_stopping=True, **how).fit(X),
    "supervised": lambda **how: skaae.SupervisedAAETransformer(**how).fit(X, y),
    "committee": lambda **how: skaae.SemiSupervisedAAEClassifier(**how).fit(X, some),
    "augmented": lambda **how: skaae.SemiSupervisedAAEClassifier(
        pseudo_labels=False, augment=jitter, **how
    ).fit(X, some),
    "both": lambda **how: skaae.SemiSupervisedAAEClassifier(
        **{**how, **networks(pseudo_labels=False, augment=jitter)}
    ).fit(X, some),
    "clusterer": lambda **how: skaae.AAEClusterer(3, **how).fit(X),
    "map": lambda **how: skaae.AAEEmbedding(**how).fit(X),
    "wide": lambda **how: skaae.AAEEmbedding(**{**how, "hidden_layer_sizes": (400,)}).fit(X),
    "heads": lambda **how: skaae.AAEEmbedding(use_labels=True, **how).fit(X, some),
}


def bits(name, seed=0):
    """Return a hash of the weights, the codes and the samples of a fit, and of its history."""
    how = {"max_iter": 3, "hidden_layer_sizes": (16,), "device": "cpu", "random_state": seed}
    model = FITS[name](**how)
    rows = X[:, : model.n_features_in_]
    found = [weight.detach().numpy() for weight in model._step.networks.state_dict().values()]
    found += [model.transform(rows), model.transform(rows.astype(np.float32))]
    found += [model.sample(5, random_state=seed)]
    found += [np.array(losses) for name, losses in model.history_.items() if name != "stage"]
    digest = hashlib.sha256()
    for array in found:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def through_joblib(backend, n_jobs, names=FITS):
    """Return the bits of all fits from joblib, whose processes get as many threads as this one."""
    more = {"inner_max_num_threads": torch.get_num_threads()} if backend == "loky" else {}
    with joblib.parallel_config(backend, n_jobs=n_jobs, **more):
        return joblib.Parallel()(joblib.delayed(bits)(name) for name in names)
'''

HERE = {"__name__": "program"}
exec(compile(PROGRAM, "program", "exec"), HERE)


@pytest.fixture(scope="module")
def alone():
    """The bits of all fits, one after the other, in this process."""
    return {name: HERE["bits"](name) for name in HERE["FITS"]}


def run(code):
    """Run the program and then some code in a fresh process; return the words of each line.

    It hashes strings in another way, and has as many threads as this process.
    """
    threads = str(torch.get_num_threads())
    environment = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": threads}
    environment["PYTHONWARNINGS"] = "ignore"
    command = [sys.executable, "-c", PROGRAM + code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def test_a_second_fit_repeats_the_first_and_another_seed_does_not(alone):
    for name, found in alone.items():
        assert HERE["bits"](name) == found, name
    assert HERE["bits"]("clusterer", seed=1) not in alone.values()


def test_other_processes_repeat_fits_alone(alone):
    """A fresh process, and those that it forks; the next test has those that joblib starts.

    It forks before it computes: a process that has computed may not fork; see the user guide. Its
    own fits are in the opposite order, after draws from the global generators.
    """
    names = ["own networks", "committee", "clusterer"]  # the others take long; see the next test
    code = f"""
names = {names}
print(*through_joblib("multiprocessing", 2, names))
torch.rand(3), np.random.rand(3)
print(*(bits(name) for name in reversed(names)))
"""
    forked, fresh = run(code)
    assert forked == fresh[::-1] == [alone[name] for name in names]


@pytest.mark.slow
def test_any_number_of_processes_repeats_fits_alone(alone):
    code = """
for n_jobs in (1, 3, 4):
    print(*through_joblib("multiprocessing", n_jobs))
for n_jobs in (1, 3, 4):
    print(*through_joblib("loky", n_jobs))
"""
    assert run(code) == [list(alone.values())] * 6


def test_eight_fits_at_once_repeat_fits_alone(alone):
    """All kinds beside each other, with own networks and augmentation that draw at random."""
    names, start = list(alone), threading.Barrier(8)
    state, drawn = torch.get_rng_state(), np.random.get_state()[1].copy()

    def work(worker):
        start.wait()
        some = [names[(worker + i) % len(names)] for i in (0, 5)]
        return {name: HERE["bits"](name) for name in some}

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(work, range(8)):
            assert found == {name: alone[name] for name in found}
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], drawn)


@pytest.mark.parametrize("n_jobs", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_joblib_with_threads_repeats_fits_alone(alone, n_jobs):
    assert HERE["through_joblib"]("threading", n_jobs) == list(alone.values())


METHODS = {
    "transform": lambda model, X: model.transform(X),
    "predict_proba": lambda model, X: model.predict_proba(X),
    "predict": lambda model, X: model.predict(X),
    "reconstruct": lambda model, X: model.reconstruct(X),
    "score_samples": lambda model, X: model.score_samples(X),
    "sample": lambda model, X: model.sample(4, random_state=0),
    "inverse_transform": lambda model, X: model.inverse_transform(np.zeros((3, 10), X.dtype)),
}


def test_eight_threads_predict_with_a_shared_estimator(tmp_path):
    """It is fresh from its file, so that all threads want its weights in float64 at once."""
    X, some = HERE["X"], HERE["some"]
    model = HERE["skaae"].SemiSupervisedAAEClassifier(
        max_iter=3, hidden_layer_sizes=(16,), device="cpu", random_state=0, pseudo_labels=False
    )
    model.fit(X, some)
    joblib.dump(model, tmp_path / "model.joblib")
    tables = [X, X.astype(np.float32)]
    wanted = {(name, i): f(model, tables[i]) for name, f in METHODS.items() for i in (0, 1)}
    for _ in range(5):
        shared, start = joblib.load(tmp_path / "model.joblib"), threading.Barrier(8)

        def work(worker, shared=shared, start=start):
            jobs = list(wanted)
            start.wait()
            order = jobs[worker:] + jobs[:worker]
            return {job: METHODS[job[0]](shared, tables[job[1]]) for job in order}

        with ThreadPoolExecutor(8) as pool:
            for found in pool.map(work, range(8)):
                for job, values in found.items():
                    np.testing.assert_array_equal(values, wanted[job])
                    assert values.dtype == wanted[job].dtype
