"""Training that runs out of memory: which batch size would fit."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator

import torch

from skaae.training.loop import Losses, Run, Trainable, merge, takes_part
from skaae.training.ranks import leave

# What PyTorch says without an exception of its own: on Apple's GPUs, on the CPU, and where cuBLAS
# and cuDNN find no memory for themselves.
SIGNS = ("out of memory", "not enough memory", "can't allocate memory", "STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory could not be allocated."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


@contextlib.contextmanager
def explaining_memory(step: Trainable, run: Run, call: Callable[..., Losses]) -> Iterator[None]:
    """Raise MemoryError with a batch size that fits, if training in the block runs out of memory.

    The size is found by trying: it is halved until one step succeeds. These steps change the
    weights, so the step is of no more use.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        device, first_line = step.generator.device, (str(error).splitlines() or [""])[0]
        free(error, device)
        leave(step)  # other ranks would not take part in these steps
        size = size_that_fits(step, run, call)
        remedy = (
            f"One step with batch_size={size} did fit: set batch_size={size}, or less if other "
            "programs need memory too."
            if size
            else "Not even batch_size=1 fits: use smaller hidden_layer_sizes"
            + (", or device='cpu'." if device.type != "cpu" else ".")
        )
        raise MemoryError(
            f"training ran out of memory on the device {str(device)!r} with batches of "
            f"{run.batch_size} rows ({first_line}). {remedy}"
        ) from error


def size_that_fits(step: Trainable, run: Run, call: Callable[..., Losses]) -> int:
    """Return a half, a quarter, ... of the batch size with which one step fits; 0 if none does."""
    size = run.batch_size
    while size > 1:
        size //= 2
        streams = [stream for stream in run.streams if takes_part(step, stream.phase)]
        try:
            parts = tuple(next(stream.batches(size, step.generator)) for stream in streams)
            call(**merge(parts))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            free(error, step.generator.device)
        else:
            return size
    return 0


def free(error: BaseException, device: torch.device) -> None:
    """Free the memory that the frames of an error hold, and what PyTorch keeps for later."""
    traceback.clear_frames(error.__traceback__)
    if device.type == "cuda":
        torch.cuda.empty_cache()
