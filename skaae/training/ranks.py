"""Data-parallel training: several processes, the ranks, train one model.

All ranks are given the same rows and draw them in the same order. Each takes its part of every
mini-batch, and the gradients are added up. So a step computes what one process would compute on
the whole mini-batch. This module alone knows torch.distributed.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from skaae.networks.layers import BatchNorm
from skaae.networks.user_modules import UserModule

T = TypeVar("T")

# A rank that does not take part in a sum for so many seconds is lost.
SECONDS_TO_ANSWER = 50
# Ranks may start at different times, as each reads its table first.
SECONDS_TO_START = 1800
# The stream of the rows that a phase of the step trains on; others train on "x".
STREAM_OF = {"classification": "x_labeled", "neighbours": "pairs"}
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

_current: ContextVar[Ranks | None] = ContextVar("ranks", default=None)
_process_id: int | None = None  # of the process that has been a rank


def current() -> Ranks | None:
    """Return the ranks of the fit that runs, or None if one process trains alone."""
    return _current.get()


def is_first() -> bool:
    """Return whether this process reports and writes: rank 0, or a process alone."""
    ranks = current()
    return ranks is None or ranks.rank == 0


def first(value: T) -> T:
    """Return the value that rank 0 has; a process alone has its own.

    Ranks may need long for their values, such as clusters, so they wait for each other.
    """
    ranks = current()
    if ranks is None:
        return value
    ranks.wait()
    return ranks.first(value)


@contextlib.contextmanager
def joined(device: Callable[[], torch.device]) -> Iterator[None]:
    """Connect the ranks for a fit in the block, if this process is one of several.

    It is if torch.distributed has been initialised, or if torchrun started it. `device` returns the
    device of the fit.
    """
    if current() is not None or not is_rank():
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "fit was called in a thread, but the processes of torchrun must call their fits in the "
            "same order, which threads do not keep; call fit in the main thread."
        )
    ranks = Ranks(start(device))
    token = _current.set(ranks)
    try:
        yield
    finally:
        _current.reset(token)
        ranks.close()


def is_rank() -> bool:
    """Return whether this process is one of several that train together.

    Processes that a rank starts, as joblib does, inherit its environment, but are no ranks.
    """
    if not dist.is_available() or (_process_id is not None and _process_id != os.getpid()):
        return False
    if dist.is_initialized():
        return dist.get_world_size() > 1
    is_main = multiprocessing.current_process().name == "MainProcess"
    return is_main and dist.is_torchelastic_launched() and int(os.environ["WORLD_SIZE"]) > 1


def start(device: Callable[[], torch.device]) -> torch.device:
    """Initialise torch.distributed if nobody has; return the device of the fit."""
    global _process_id
    _process_id = os.getpid()
    found = device()
    if found.type == "cuda" and found.index is None and "LOCAL_RANK" in os.environ:
        use_gpu(int(os.environ["LOCAL_RANK"]))
    if not dist.is_initialized():
        timeout = datetime.timedelta(seconds=SECONDS_TO_START)
        with explaining_loss():
            dist.init_process_group(backend_for(found), timeout=timeout)
        atexit.register(dist.destroy_process_group)
    return found


def use_gpu(number: int) -> None:
    """Let "cuda" mean the GPU of this number; raise ValueError if the machine has too few."""
    n_gpus = torch.cuda.device_count()
    if number >= n_gpus:
        raise ValueError(
            f"process {number} of this machine has no GPU of its own, as there are {n_gpus}; start "
            f"{n_gpus} processes on a machine (--nproc-per-node), or set device='cpu'."
        )
    torch.cuda.set_device(number)


def backend_for(device: torch.device) -> str:
    """Return the library that adds up tensors on a device; gloo passes Python objects on."""
    return "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"


@contextlib.contextmanager
def explaining_loss() -> Iterator[None]:
    """Raise ConnectionError with a remedy if a call of torch.distributed in the block fails."""
    try:
        yield
    except RuntimeError as error:  # also torch.distributed.DistBackendError
        first_line = (str(error).splitlines() or [""])[0]
        raise ConnectionError(
            "another process of this fit has ended, or has not answered for "
            f"{SECONDS_TO_ANSWER} seconds, so this one ends too. See what the other process "
            "printed. If you fit with checkpoint=FOLDER, the same command goes on from the last "
            "checkpoint, with as many processes, with fewer, or with one. What torch.distributed "
            f"said: {first_line}"
        ) from error


class Ranks:
    """The processes that train together, as one of them sees them.

    Parameters
    ----------
    device : device of this rank's networks.

    Attributes
    ----------
    rank : the number of this process, from 0.
    size : the number of processes.
    sizes : number of rows of the whole mini-batch that this rank last took its part of, by the name
        of the stream.
    passing : the streams whose rows pass through the networks.
    """

    def __init__(self, device: torch.device) -> None:
        self.rank, self.size, self.device = dist.get_rank(), dist.get_world_size(), device
        self.sizes: dict[str, int] = {}
        self.passing: tuple[str, ...] = ("x",)
        self._wants_to_end = False
        # its own group, as the timeout of the user's may be half an hour
        self.wait()
        with explaining_loss():
            self._group = dist.new_group(
                timeout=datetime.timedelta(seconds=SECONDS_TO_ANSWER), backend=backend_for(device)
            )

    def __deepcopy__(self, memo: dict[int, Any]) -> Ranks:
        return self  # copies of networks belong to the same process

    def close(self) -> None:
        """Close the connections; a rank that still waits for this one gets an error."""
        dist.destroy_process_group(self._group)

    def wait(self) -> None:
        """Wait until all ranks are here, as long as for their start."""
        with explaining_loss():
            dist.barrier()

    # Values that all ranks share ------------------------------------------------------------------

    def first(self, value: T) -> T:
        """Return the value that rank 0 has, which must be picklable."""
        box = [value]
        with explaining_loss():
            dist.broadcast_object_list(box, src=0, group=self._group)
        return value if self.rank == 0 else box[0]

    def require_same(self, digests: Mapping[str, str]) -> None:
        """Raise ValueError on all ranks if one has other data or parameters than rank 0."""
        found: list[Any] = [None] * self.size
        with explaining_loss():
            dist.all_gather_object(found, dict(digests), group=self._group)
        for rank, theirs in enumerate(found):
            differ = sorted(name for name, text in found[0].items() if theirs.get(name) != text)
            if differ:
                raise ValueError(
                    f"{', '.join(differ)} of process {rank} differs from that of process 0. Every "
                    "process must call fit with the same parameters and the same rows; fit itself "
                    "gives each its share of them."
                )

    def agree(self, ended: bool) -> tuple[bool, bool]:
        """Return whether the training has ended, and been interrupted, for any of the ranks."""
        flags = torch.tensor([float(ended), float(self._wants_to_end)])
        with explaining_loss():
            dist.all_reduce(flags, dist.ReduceOp.MAX, group=self._group)
        any_ended, any_interrupted = (bool(flag) for flag in flags)
        return any_ended or any_interrupted, any_interrupted

    def total(self, means: Mapping[str, float]) -> dict[str, float]:
        """Return the sums over ranks of values by name."""
        values = torch.tensor(list(means.values()), dtype=torch.float64)
        return dict(zip(means, self.add(values).tolist(), strict=True))

    def align(self, tensors: Sequence[Tensor]) -> None:
        """Copy the tensors of rank 0 to all ranks."""
        for tensor in tensors:
            whole = tensor.contiguous()
            with explaining_loss():
                dist.broadcast(whole, src=0, group=self._group)
            if whole is not tensor:
                tensor.copy_(whole)

    # Parts of a mini-batch ------------------------------------------------------------------------

    def part(self, name: str, index: Tensor) -> Tensor:
        """Return this rank's part of the rows of a mini-batch, from the stream of this name.

        A mini-batch of fewer rows than ranks goes to all of them as a whole.
        """
        self.sizes[name] = len(index)
        return index[self._mine(name)]

    def _mine(self, name: str) -> slice:
        """Return which rows of the whole mini-batch this rank has."""
        n = self.sizes[name]
        if n < self.size:
            return slice(0, n)
        small, more = divmod(n, self.size)
        start = self.rank * small + min(self.rank, more)
        return slice(start, start + small + (self.rank < more))

    def share(self, phase: str) -> float:
        """Return the weight of this rank's mean loss in that of the whole mini-batch."""
        name = STREAM_OF.get(phase, "x")
        n, mine = self.sizes[name], self._mine(name)
        return 1.0 / self.size if n < self.size else (mine.stop - mine.start) / n

    def shared(self, phase: str, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what the mean losses of this rank add to those of the whole mini-batch."""
        share = self.share(phase)
        return {name: share * loss for name, loss in parts.items()}

    def gather(self, rows: Tensor, name: str = "x") -> Tensor:
        """Return the rows of the whole mini-batch from the parts of all ranks, differentiable."""
        n, mine = self.sizes[name], self._mine(name)
        if n < self.size:
            return rows
        padding = [0, 0] * (rows.dim() - 1) + [mine.start, n - mine.stop]
        found: Tensor = Sum.apply(nn.functional.pad(rows, padding), self)
        return found

    def pick(self, rows: Tensor) -> Tensor:
        """Return this rank's part of rows of the whole mini-batch."""
        return rows[self._mine("x")]

    # Sums -----------------------------------------------------------------------------------------

    def add(self, tensor: Tensor) -> Tensor:
        """Replace a contiguous tensor by its sum over ranks, and return it."""
        with explaining_loss():
            dist.all_reduce(tensor, group=self._group)
        return tensor

    def add_gradients(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Return the sums of gradients over ranks, computed in one message."""
        used = [gradient for gradient in gradients if gradient is not None]
        if not used:
            return list(gradients)
        whole = self.add(torch.cat([gradient.reshape(-1) for gradient in used]))
        pieces = iter(whole.split([gradient.numel() for gradient in used]))
        return [None if found is None else next(pieces).view(found.shape) for found in gradients]

    def moments(self, h: Tensor, centre: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean, variance and number of the values of each channel over all ranks.

        h is (n, n_channels, ...). Squares are taken of distances from `centre` (n_channels,), since
        those of large values would lose the small differences.
        """
        weights = self._weights(h)
        others = [dim for dim in range(h.dim()) if dim != 1]
        shape = [1, -1] + [1] * (h.dim() - 2)
        shifted = h.float() - centre.view(shape)
        n = weights.sum().mul(h[0, 0].numel()).expand(1)
        weights = weights.view(-1, *[1] * (h.dim() - 1))
        sums = [(weights * shifted).sum(others), (weights * shifted.square()).sum(others), n]
        found = Sum.apply(torch.cat(sums), self)
        first, second, n = found.split([len(centre), len(centre), 1])
        mean = first / n
        return centre + mean, (second / n - mean.square()).clamp(min=0.0), n

    def _weights(self, h: Tensor) -> Tensor:
        """Return the weight of each row of h: less than 1 for rows that every rank has."""
        lengths = [self._mine(name).stop - self._mine(name).start for name in self.passing]
        if self.passing == ("pairs",):
            lengths = [2 * length for length in lengths]
        weights = h.new_ones(len(h), dtype=torch.float32)
        for name, rows in zip(self.passing, weights.split(lengths), strict=True):
            if self.sizes[name] < self.size:
                rows.fill_(1.0 / self.size)
        return weights

    # A fit ----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def training(self, step: Any) -> Iterator[None]:
        """Let a step and its networks train with the other ranks inside the block.

        The first interrupt inside the block ends the training after the epoch, for all ranks.
        """
        require_known_modules(step.networks)
        for module in step.networks.modules():
            if isinstance(module, BatchNorm):
                module.moments = self.moments
        step.ranks = self
        before = signal.getsignal(signal.SIGINT) or signal.SIG_DFL

        def note(*_: Any) -> None:
            self._wants_to_end = True
            signal.signal(signal.SIGINT, before)

        self._wants_to_end = False
        signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            leave(step)

    def begin_epoch(self, step: Any, streams: Sequence[Any], order: torch.Generator) -> None:
        """Give all ranks the state and the labels of rank 0, and each rank its own random numbers.

        These follow from `order`, which draws the same numbers on all ranks and is not changed. So
        a fit that goes on from a checkpoint repeats them.
        """
        self.align(step.tensors())
        for stream in streams:
            state = self.first(on_cpu(stream.state_dict()))
            if self.rank:
                stream.load_state_dict(state)
        same = torch.Generator(order.device)
        same.set_state(order.get_state())
        base = int(torch.randint(2**62, (), generator=same, device=same.device))
        own = np.random.SeedSequence([base, self.rank]).generate_state(1, np.uint64)[0]
        step.generator.manual_seed(int(own >> np.uint64(1)))

    def common(self, generator: torch.Generator) -> torch.Generator:
        """Return a generator that draws the same numbers on all ranks: what rank 0's would draw."""
        self.wait()
        found = torch.Generator(generator.device)
        found.set_state(self.first(generator.get_state()))
        return found


def on_cpu(tree: Any) -> Any:
    """Return nested dicts with all tensors on the CPU, as another rank may have another device."""
    if isinstance(tree, Mapping):
        return {name: on_cpu(value) for name, value in tree.items()}
    return tree.cpu() if isinstance(tree, Tensor) else tree


class Sum(torch.autograd.Function):
    """The sum of a tensor over ranks. Its gradient is the sum of all ranks' gradients."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return ranks.add(tensor.clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        return ctx.ranks.add(gradient.clone(memory_format=torch.contiguous_format)), None


@contextlib.contextmanager
def training_together(step: Any) -> Iterator[None]:
    """Let a step train with the other ranks inside the block, if there are any."""
    ranks = current()
    with contextlib.nullcontext() if ranks is None else ranks.training(step):
        yield


def leave(step: Any) -> None:
    """Let a step train alone from here on."""
    for module in step.networks.modules():
        if isinstance(module, BatchNorm):
            module.moments = None
    step.ranks = None


def end_together(step: Any, order: torch.Generator) -> None:
    """Give all ranks the same state at the end of a fit; a process alone keeps its own."""
    ranks = current()
    if ranks is not None:
        ranks.align(step.tensors())
        step.generator.set_state(order.get_state())


def require_known_modules(networks: nn.Module) -> None:
    """Raise ValueError if a module of the user would use statistics of a rank's own rows."""
    for user in networks.modules():
        if not isinstance(user, UserModule):
            continue
        for module in user.modules():
            if isinstance(module, NORMS):
                raise ValueError(
                    f"a module given as network has {type(module).__name__}, whose statistics "
                    "would be those of one process's rows; leave it out, use LayerNorm in its "
                    "place, or train in one process."
                )
