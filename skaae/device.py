"""Where and how precisely tensors are computed: device, precision, random generators.

Knows nothing of networks or estimators.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Callable, Iterator

import torch
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # scikit-learn's

from skaae.private_torch import EXTENSION_FILE

# Below this width the cast of weights to bfloat16 costs more than the products gain.
MIN_BFLOAT16_WIDTH = 256
# Rows that pass inference at once: few enough to bound memory, enough to fill the processor.
BATCH_ROWS = {"cpu": 1024, "cuda": 16384, "mps": 4096}

# Below this width a second thread hardly makes a step 1.25 times as fast: benchmarks/threads.py.
MIN_THREADED_WIDTH = 384


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device that a user's word stands for; "auto" is cuda, then mps, then cpu."""
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
            f"device={str(device)!r} holds no data; use 'auto' or one of {available_devices()}."
        )
    return resolved


def available_devices() -> list[str]:
    """Return the names of the devices that work here."""
    names = ["cpu"]
    if torch.cuda.is_available():
        names += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return names


def fits_on(device: torch.device, n_bytes: int) -> bool:
    """Say whether a table leaves half of a GPU's free memory to the training."""
    return device.type != "cuda" or n_bytes <= torch.cuda.mem_get_info(device)[0] // 2


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return the tensor on a device; a GPU fetches it while the processor goes on."""
    if tensor.device == device:
        return tensor
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def make_generator(seed: int, device: torch.device) -> torch.Generator:
    """Return a generator on `device` that repeats for one seed."""
    generator = torch.Generator(device=device)
    generator.manual_seed(seed)
    return generator


def cpu_generator(seed: int) -> torch.Generator:
    """Return a generator for draws on the CPU, which repeat on any machine."""
    return make_generator(seed, torch.device("cpu"))


def multiplies_in_bfloat16(device: torch.device) -> bool:
    """Say whether the device has instructions for bfloat16 products (else they are slower)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


def resolve_precision(precision: str, device: torch.device, width: int) -> torch.dtype:
    """Return the dtype of the products in training: "auto" asks the hardware and the width."""
    if precision == "auto":
        fast = width >= MIN_BFLOAT16_WIDTH and multiplies_in_bfloat16(device)
        return torch.bfloat16 if fast else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]


def autocast(device: torch.device, dtype: torch.dtype) -> contextlib.AbstractContextManager[object]:
    """Return a context in which products run in `dtype`; for float32 it does nothing."""
    if dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=dtype)


@contextlib.contextmanager
def training_threads(device: torch.device, width: int | None) -> Iterator[None]:
    """Compute on few threads for a while, so that two trainings at once find cores for them all.

    Only the calling thread is limited: `torch.set_num_threads` would change every thread of the
    user's process.

    Parameters
    ----------
    device : where the products are computed; a GPU has no such threads.
    width : see `n_training_threads`.
    """
    if device.type != "cpu":
        yield
        return
    number = n_training_threads(width)
    with _openmp().limit(limits=number), _mkl_threads(number):
        yield


def n_training_threads(width: int | None) -> int:
    """Return one for narrow networks, and half of the calling thread's own number for wide ones.

    Threads wait for each other at each of a step's hundreds of products, and spin while they wait.
    Where two trainings want the same cores, one that spins keeps the other from its product.

    Parameters
    ----------
    width : units of the widest layer; None for convolutions and modules of the user, which compute
        more than widths tell.
    """
    number = torch.get_num_threads()  # its first use sets a thread's number: not after our limit
    if width is not None and width < MIN_THREADED_WIDTH:
        return 1
    return max(1, number // 2)


@functools.cache
def _openmp() -> ThreadpoolController:
    """Return what sets the number of OpenMP threads; the search for the library takes a while."""
    return ThreadpoolController().select(user_api="openmp")


@contextlib.contextmanager
def _mkl_threads(number: int) -> Iterator[None]:
    """Limit MKL in the calling thread; it has a number of its own once the user has given one."""
    set_local = _mkl_set_num_threads_local()
    before = set_local(number)
    try:
        yield
    finally:
        set_local(before)


@functools.cache
def _mkl_set_num_threads_local() -> Callable[[int], int]:
    """Return MKL's function, which returns the number before; one without effect where it is not.

    PyTorch's extension module leads to the MKL that PyTorch is linked to.
    """
    try:
        return ctypes.CDLL(EXTENSION_FILE).MKL_Set_Num_Threads_Local
    except (AttributeError, OSError):
        return lambda number: 0
