"""The device, precision, number of threads and random generators of all computations."""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Callable, Iterator

import torch
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # scikit-learn's

from skaae.private_torch import EXTENSION_FILE

# Below this width, casting weights to bfloat16 takes longer than the products then save.
MIN_BFLOAT16_WIDTH = 256
# Rows in one pass of inference: few enough to limit memory, enough to use the whole processor.
BATCH_ROWS = {"cpu": 1024, "cuda": 16384, "mps": 4096}

# Below this width a second thread makes a step hardly 1.25 times as fast: benchmarks/threads.py.
MIN_THREADED_WIDTH = 384


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the torch device for the parameter `device`; "auto" tries cuda, then mps, then cpu."""
    if isinstance(device, str) and device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={str(device)!r} cannot be used on this machine; "
            f"use 'auto' or one of {available_devices()}."
        ) from error
    if resolved.type == "meta":
        raise ValueError(
            f"device={str(device)!r} holds no data, so nothing can be computed; use 'auto' or one "
            f"of {available_devices()}."
        )
    return resolved


def available_devices() -> list[str]:
    """Return the names of the devices that work on this machine."""
    names = ["cpu"]
    if torch.cuda.is_available():
        names += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return names


def fits_on(device: torch.device, n_bytes: int) -> bool:
    """Return whether a table takes at most half of a GPU's free memory; it always fits on a CPU."""
    return device.type != "cuda" or n_bytes <= torch.cuda.mem_get_info(device)[0] // 2


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return the tensor on a device; a copy to a GPU does not block the processor."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def make_generator(seed: int, device: torch.device) -> torch.Generator:
    """Return a generator on `device`; the same seed gives the same random numbers."""
    generator = torch.Generator(device=device)
    generator.manual_seed(seed)
    return generator


def cpu_generator(seed: int) -> torch.Generator:
    """Return a generator on the CPU; the same seed gives the same numbers on any machine."""
    return make_generator(seed, torch.device("cpu"))


def multiplies_in_bfloat16(device: torch.device) -> bool:
    """Return whether the device has bfloat16 instructions; without them bfloat16 is slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


def resolve_precision(precision: str, device: torch.device, width: int) -> torch.dtype:
    """Return the dtype of matrix products in training; "auto" depends on the device and width."""
    if precision == "auto":
        fast = width >= MIN_BFLOAT16_WIDTH and multiplies_in_bfloat16(device)
        return torch.bfloat16 if fast else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]


def without_autocast(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return a context in which a caller's autocast changes no precision."""
    return torch.autocast(device.type, enabled=False)


def on_cpu_by_default() -> contextlib.AbstractContextManager[object]:
    """Return a context in which new tensors are on the CPU, whatever default the caller has set."""
    is_cpu = torch.get_default_device().type == "cpu"
    return contextlib.nullcontext() if is_cpu else torch.device("cpu")


def autocast(device: torch.device, dtype: torch.dtype) -> contextlib.AbstractContextManager[object]:
    """Return a context in which matrix products run in `dtype`; for float32 it does nothing."""
    return contextlib.nullcontext() if dtype == torch.float32 else _autocast(device, dtype)


@contextlib.contextmanager
def _autocast(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    try:
        with torch.autocast(device.type, dtype=dtype):
            yield
    finally:
        torch.clear_autocast_cache()  # inside another context it would keep weights of this step


@contextlib.contextmanager
def training_threads(device: torch.device, width: int | None) -> Iterator[None]:
    """Limit the CPU threads inside a `with` block, so that two trainings can run side by side.

    The limit applies only to the calling thread. `torch.set_num_threads` would change all threads
    of the user's process.

    Parameters
    ----------
    device : the device that computes the products; on a GPU there is nothing to limit.
    width : see `n_training_threads`.
    """
    if device.type != "cpu":
        yield
        return
    number = n_training_threads(width)
    with _openmp().limit(limits=number), _mkl_threads(number):
        yield


def n_training_threads(width: int | None) -> int:
    """Return 1 for narrow networks, and half of PyTorch's number of threads for wide networks.

    Threads wait for each other after each of the hundreds of products in a step, and keep their
    cores busy while they wait. If two trainings need the same cores, waiting threads of one
    training delay the products of the other.

    Parameters
    ----------
    width : units of the widest layer. None for convolutions and user modules, which need more
        computing than their widths show.
    """
    number = torch.get_num_threads()  # must come before our limit: the first call sets the number
    if width is not None and width < MIN_THREADED_WIDTH:
        return 1
    return max(1, number // 2)


@functools.cache
def _openmp() -> ThreadpoolController:
    """Return the controller of OpenMP threads, cached because finding the library is slow."""
    return ThreadpoolController().select(user_api="openmp")


@contextlib.contextmanager
def _mkl_threads(number: int) -> Iterator[None]:
    """Limit the threads of MKL, which does not follow OpenMP's limit once the user has set one."""
    set_local = _mkl_set_num_threads_local()
    before = set_local(number)
    try:
        yield
    finally:
        set_local(before)


@functools.cache
def _mkl_set_num_threads_local() -> Callable[[int], int]:
    """Return MKL's function that sets the number of threads and returns the previous number.

    PyTorch's extension module gives access to the MKL that PyTorch uses. Without MKL, the returned
    function does nothing.
    """
    try:
        return ctypes.CDLL(EXTENSION_FILE).MKL_Set_Num_Threads_Local
    except (AttributeError, OSError):
        return lambda number: 0
