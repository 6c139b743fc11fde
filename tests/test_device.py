"""Where training computes, how precisely, and on how many threads."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from threadpoolctl import ThreadpoolController

from skaae import device as device_module
from skaae.device import (
    MIN_BFLOAT16_WIDTH,
    MIN_THREADED_WIDTH,
    available_devices,
    n_training_threads,
    resolve_device,
    resolve_precision,
    to_device,
    training_threads,
)

CPU = torch.device("cpu")
NARROW = MIN_THREADED_WIDTH - 1


def four_threads():
    """Give the calling thread four, on any machine; return a context that ends with it."""
    torch.get_num_threads()
    return ThreadpoolController().limit(limits=4, user_api="openmp")


@pytest.fixture(autouse=True)
def several_threads():
    with four_threads():
        yield


class OnGpu:
    """Stands in for a tensor on the first GPU, which can be moved but not pinned."""

    device = torch.device("cuda:0")

    def to(self, device, non_blocking):
        return self


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_only_tensors_in_the_hosts_memory_are_pinned(monkeypatch, name):
    on_gpu = OnGpu()
    assert to_device(on_gpu, torch.device(name)) is on_gpu
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda x: pinned.append(x) or on_gpu)
    x = torch.ones(2)
    assert to_device(x, torch.device(name)) is on_gpu
    assert pinned[0] is x


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen", "names"),
    [
        (True, True, "cuda", ["cpu", "cuda:0", "cuda:1", "mps"]),
        (True, False, "cuda", ["cpu", "cuda:0", "cuda:1"]),
        (False, True, "mps", ["cpu", "mps"]),
        (False, False, "cpu", ["cpu"]),
    ],
)
def test_auto_is_the_fastest_device_that_there_is(monkeypatch, cuda, mps, chosen, names):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert resolve_device("auto") == torch.device(chosen)
    assert resolve_device("cpu") == CPU
    assert available_devices() == names


@pytest.mark.parametrize("multiplies", [False, True])
def test_bfloat16_is_for_wide_networks_where_the_hardware_multiplies_it(monkeypatch, multiplies):
    monkeypatch.setattr(device_module, "multiplies_in_bfloat16", lambda device: multiplies)
    wide = torch.bfloat16 if multiplies else torch.float32
    assert resolve_precision("auto", CPU, MIN_BFLOAT16_WIDTH) == wide
    assert resolve_precision("auto", CPU, MIN_BFLOAT16_WIDTH - 1) == torch.float32
    assert resolve_precision("float32", CPU, 10_000) == torch.float32
    assert resolve_precision("bfloat16", CPU, 1) == torch.bfloat16


@pytest.mark.parametrize(
    ("capabilities", "multiplies"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": False, "avx2": True}, False),
        ({}, False),
    ],
)
def test_which_processors_multiply_in_bfloat16(monkeypatch, capabilities, multiplies):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert device_module.multiplies_in_bfloat16(CPU) == multiplies
    assert not device_module.multiplies_in_bfloat16(torch.device("mps"))


def test_narrow_networks_have_one_thread_for_a_while():
    with training_threads(CPU, NARROW):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 4


def test_the_number_is_back_after_an_error():
    with pytest.raises(KeyboardInterrupt), training_threads(CPU, NARROW):
        raise KeyboardInterrupt
    assert torch.get_num_threads() == 4


def test_wide_networks_leave_half_to_another_training():
    for width in (MIN_THREADED_WIDTH, None):
        with training_threads(CPU, width):
            assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 4


def test_one_thread_is_the_least():
    with ThreadpoolController().limit(limits=1, user_api="openmp"):
        assert n_training_threads(NARROW) == n_training_threads(None) == 1


def test_other_devices_keep_all_threads():
    with training_threads(torch.device("cuda"), NARROW):
        assert torch.get_num_threads() == 4


def test_one_within_another_gives_back_what_it_found():
    with training_threads(CPU, NARROW):
        for width in (NARROW, MIN_THREADED_WIDTH):
            with training_threads(CPU, width):
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 4


def test_other_threads_keep_theirs():
    def fresh_number():
        with ThreadPoolExecutor(1) as fresh:
            return fresh.submit(torch.get_num_threads).result()

    with ThreadPoolExecutor(1) as other:
        other.submit(four_threads).result()
        before = fresh_number()
        with training_threads(CPU, NARROW):
            assert other.submit(torch.get_num_threads).result() == 4
            assert fresh_number() == before
        assert other.submit(torch.get_num_threads).result() == 4


def test_a_thread_that_has_computed_nothing_yet():
    def number():
        with training_threads(CPU, NARROW):
            return torch.get_num_threads()

    with ThreadPoolExecutor(1) as fresh:
        assert fresh.submit(number).result() == 1


PRODUCTS = """
import os, torch
from skaae.device import training_threads

def threads():
    return len(os.listdir("/proc/self/task"))

def products(dtype):
    x, layer = torch.randn(500, 500), torch.nn.Linear(500, 500)
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        loss = layer(x @ x).exp().sum()
    loss.backward()

torch.set_num_threads(3)  # as a user may: MKL has a number of its own from here on
before = threads()
with training_threads(torch.device("cpu"), 64):
    products(torch.float32)
    products(torch.bfloat16)
    limited = threads()
products(torch.float32)
print(limited - before, threads() - before)
"""


@pytest.mark.skipif(torch.cuda.is_available(), reason="PyTorch has a thread for each GPU")
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are not listed here")
def test_products_start_no_threads():
    """Forward and backward, whatever computes them; the count grows where nothing is limited."""
    command = [sys.executable, "-c", PRODUCTS]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(found[0]) == 0 < int(found[1])
