"""Memory: none is lost from fit to fit, and running out of it ends in an error that helps."""

import gc
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import FITS, classifier, hide, make, transformer

from skaae import AAEClusterer, AAEEmbedding, AAETransformer
from skaae.estimators import rows
from skaae.training.memory import is_out_of_memory
from skaae.training.step import AAEStep

OUT_OF_MEMORY = {
    "GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    "Apple's GPU": RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
    "CPU": RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to"),
    "cuBLAS": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate"),
    "Python": MemoryError(),
}


# In MiB. The weights of one model alone have more than 0.1 MiB: 150 of them would be seen.
MOST_GROWTH = 5.0


@pytest.fixture
def small_memory(monkeypatch):
    """Return a function that makes steps fail with an error if they get more rows than `most`."""

    def limit(error, most):
        run, sizes = AAEStep.__call__, []

        def call(step, x, **others):
            sizes.append(len(x))
            if len(x) > most:
                raise error
            return run(step, x, **others)

        monkeypatch.setattr(AAEStep, "__call__", call)
        return sizes

    return limit


@pytest.mark.parametrize("error", OUT_OF_MEMORY.values(), ids=OUT_OF_MEMORY)
def test_out_of_memory_names_a_batch_size_that_fits(blobs, small_memory, error):
    X, _ = blobs
    sizes = small_memory(error, 30)
    model = transformer(batch_size=160)
    with pytest.raises(MemoryError, match=r"batches of 160 rows.*set batch_size=20,") as caught:
        model.fit(X)
    assert sizes == [90, 60, 36, 20]  # 180 rows in batches of 160, 80, 40 and 20 at most
    assert caught.value.__cause__ is error
    assert not hasattr(model, "n_iter_")
    assert model.set_params(batch_size=20).fit(X).n_iter_ == 20


def test_out_of_memory_with_labels_and_augmentation(blobs, small_memory):
    X, y = blobs
    small_memory(OUT_OF_MEMORY["GPU"], 50)
    model = classifier(batch_size=180, augment=lambda rows: rows + 0.0, pseudo_labels=False)
    with pytest.raises(MemoryError, match="set batch_size=45,"):
        model.fit(X, hide(y, 5))


def test_networks_too_large_for_one_row(blobs, small_memory):
    small_memory(OUT_OF_MEMORY["GPU"], 0)
    with pytest.raises(MemoryError, match="Not even batch_size=1 fits: use smaller hidden_layer"):
        transformer().fit(blobs[0])


def test_out_of_memory_leaves_the_fitted_model(blobs, small_memory):
    X, _ = blobs
    model = transformer(max_iter=2).fit(X)
    before = model.transform(X)
    small_memory(OUT_OF_MEMORY["GPU"], 30)
    for method in (model.partial_fit, model.set_params(warm_start=True).fit):
        with pytest.raises(MemoryError, match="did fit"):
            method(X)
        np.testing.assert_array_equal(model.transform(X), before)


def test_other_errors_stay_what_they_are(blobs, small_memory):
    small_memory(RuntimeError("the sky is falling"), 30)
    with pytest.raises(RuntimeError, match="sky is falling"):
        transformer().fit(blobs[0])
    assert not is_out_of_memory(ValueError("out of memory"))


def test_the_cpu_runs_out_of_memory_as_we_expect():
    """PyTorch's own error, for more memory than any machine has."""
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        torch.empty(2**50)
    assert is_out_of_memory(caught.value)


@pytest.mark.skipif(FITS["device"] != "cuda", reason="needs --device cuda")
def test_a_real_gpu_runs_out_of_memory():
    free, _ = torch.cuda.mem_get_info()
    blocked = torch.empty(free - (1 << 30), dtype=torch.uint8, device="cuda")
    X = np.random.default_rng(0).normal(size=(200_000, 4)).astype(np.float32)
    model = AAETransformer(
        batch_size=200_000, hidden_layer_sizes=(2000,), max_iter=1, random_state=0, device="cuda"
    )
    with pytest.raises(MemoryError, match="set batch_size="):
        model.fit(X)
    del blocked


FITS_AND_MEMORY = """
import gc, sys, warnings
import numpy as np, torch
from skaae import *

warnings.simplefilter("ignore")
torch.set_num_threads(1)
rng = np.random.default_rng(0)
X, y = rng.normal(size=(60, 5)), np.arange(60) % 3
some = np.where(np.arange(60) % 4 == 0, y, -1)
brief = {"max_iter": 1, "hidden_layer_sizes": (128, 128), "device": "cpu"}

def memory():
    gc.collect()
    n_tensors = sum(isinstance(found, torch.Tensor) for found in gc.get_objects())
    with open("/proc/self/statm") as file:
        return n_tensors, int(file.read().split()[1]) * 4096 / 2**20

makers = [
    lambda i: AAETransformer(**brief, random_state=i).fit(X),
    lambda i: AAEOutlierDetector(**brief, random_state=i).fit(X),
    lambda i: SupervisedAAETransformer(**brief, random_state=i).fit(X, y),
    lambda i: SemiSupervisedAAEClassifier(
        **brief, pseudo_labels=False, augment=lambda rows: rows + 0.0, random_state=i
    ).fit(X, some),
    lambda i: AAEClusterer(3, **brief, random_state=i).fit(X),
    lambda i: AAEEmbedding(**brief, random_state=i).fit(X),
]
model = AAETransformer(**brief, random_state=0)
n_rounds = int(sys.argv[1])
for i in range(n_rounds):
    for maker in makers:
        fitted = maker(0)  # not i: tables of constants are cached by their values
        fitted.transform(X), fitted.transform(X.astype(np.float32)), fitted.sample(3)
        model.partial_fit(X)
    if i + 1 in (2, n_rounds):  # after two rounds, every estimator has all that it needs once
        print(*memory())
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux's /proc")
@pytest.mark.parametrize("n_rounds", [4, pytest.param(34, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_the_number_of_fits(n_rounds):
    """Tensors alive and resident memory in MiB, after two rounds of fits and after all."""
    command = [sys.executable, "-c", FITS_AND_MEMORY, str(n_rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    few, early, many, late = (float(size) for size in done.stdout.split())
    assert many == few > 0
    assert late - early < MOST_GROWTH, (early, late)


PEAKS = """
import resource, sys, warnings
import numpy as np, torch
from skaae import AAETransformer

warnings.simplefilter("ignore")
torch.set_num_threads(1)
rng = np.random.default_rng(0)
if sys.argv[1] == "uint8":
    X = rng.integers(0, 256, (200_000, 100), dtype=np.uint8)
else:
    X = rng.standard_normal((200_000, 100), dtype=np.float32)
X[:, ::2] = 7  # constant columns are looked at twice
model = AAETransformer(
    hidden_layer_sizes=(16,), max_iter=1, batch_size=5_000, random_state=0, device="cpu"
)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

model.fit(X[:20_000]).transform(X[:20_000])  # what PyTorch needs once
before = peak()
model.fit(X)
print(peak() - before, end=" ")
model.transform(X)
print(peak() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="ru_maxrss is in KiB on Linux")
@pytest.mark.parametrize("dtype", ["uint8", pytest.param("float32", marks=pytest.mark.slow)])
def test_large_tables_are_not_copied(dtype):
    """Neither by a fit nor by `transform`: the networks' float32 rows would take 76 MiB."""
    command = [sys.executable, "-c", PEAKS, dtype]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    of_fit, of_both = (float(size) for size in done.stdout.split())
    assert max(of_fit, of_both) < 38.0, (of_fit, of_both)


@pytest.mark.parametrize("kind", ["float32", "uint8", "read-only", "Fortran order", "data frame"])
def test_rows_scaled_by_batches_train_to_the_same_bits(blobs, monkeypatch, kind):
    X, y = blobs
    X = {
        "float32": lambda: X.astype(np.float32),
        "uint8": lambda: np.clip(X * 20 + 100, 0, 255).astype(np.uint8),
        "read-only": lambda: np.broadcast_to(X.astype(np.float32), X.shape),
        "Fortran order": lambda: np.asfortranarray(X),
        "data frame": lambda: pd.DataFrame(X, columns=list("uvwxyz")).assign(
            a=y.astype(str), b=y > 1
        ),
    }[kind]()
    some = hide(y, 5)
    taught = kind in ("float32", "data frame")  # by a committee, which takes a second
    fits = {
        "transformer": lambda: transformer(max_iter=3).fit(X).transform(X),
        "classifier": lambda: (
            classifier(max_iter=3, pseudo_labels=taught).fit(X, some).predict_proba(X)
        ),
        "map": lambda: make(AAEEmbedding, max_iter=3).fit(X).transform(X),
        "clusters": lambda: make(AAEClusterer, max_iter=3, n_clusters=3).fit(X).transform(X),
    }
    expected = {name: fit() for name, fit in fits.items()}
    monkeypatch.setattr(rows, "LARGEST_COPY", -1)
    for name, fit in fits.items():
        np.testing.assert_array_equal(fit(), expected[name], err_msg=name)


def test_a_fitted_model_is_freed_at_once(blobs):
    """Without cycles of references, memory is free before Python looks for such cycles."""
    import weakref

    gc.collect()
    gc.disable()
    try:
        model = transformer(max_iter=1).fit(blobs[0])
        step = weakref.ref(model._step)
        del model
        freed = step() is None
    finally:
        gc.enable()
    assert freed
