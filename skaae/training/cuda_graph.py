"""A step as a CUDA graph: recorded once for each shape of its batches and stage, then replayed.

A step is some hundred kernels of a few microseconds; launching them one by one takes longer than
running them. Knows nothing of autoencoders: a step is any callable that takes tensors by name,
returns a dict of detached scalars, and never waits for the device.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import torch
from torch import Tensor

Step = Callable[..., dict[str, Tensor]]
Kind = tuple[Hashable, tuple[tuple[str, tuple[int, ...]], ...]]  # stage and shapes

# Steps of a new shape that run unrecorded: PyTorch needs its libraries warm before it records.
N_WARM_UP = 3


@dataclass
class Recording:
    """One recorded step: the batch that it reads, the losses that it writes, and how to run it."""

    inputs: dict[str, Tensor]
    names: list[str]
    losses: Tensor  # (n_losses,)
    replay: Callable[[], None]


@dataclass
class Captured:
    """A step that is recorded if the device supports it, and runs unrecorded if not.

    Parameters
    ----------
    step : called with one batch. Its kernels may depend on its stage, but on no other Python value
        that changes.
    generator : the step's only source of randomness, on its device.
    record : returns a recording of the step on a batch, or raises RuntimeError.
    stage : returns the step's stage of training; each stage has its own recordings.
    """

    step: Step
    generator: torch.Generator
    record: Callable[[Step, dict[str, Tensor], torch.Generator], Recording]
    stage: Callable[[], Hashable] = lambda: None
    _n_calls: dict[Kind, int] = field(default_factory=dict)
    _recordings: dict[Kind, Recording] = field(default_factory=dict)
    _gave_up: bool = False

    def __call__(self, **batch: Tensor) -> dict[str, Tensor]:
        """Run the step on a batch and return its losses."""
        if self._gave_up:
            return self.step(**batch)
        shapes = tuple((name, tuple(tensor.shape)) for name, tensor in batch.items())
        kind = (self.stage(), shapes)
        if kind not in self._recordings:
            self._n_calls[kind] = self._n_calls.get(kind, 0) + 1
            if self._n_calls[kind] <= N_WARM_UP:
                return self._warm_up(batch)
            try:
                self._recordings[kind] = self.record(self.step, batch, self.generator)
            except RuntimeError as error:
                self._gave_up = True
                warnings.warn(
                    f"the step could not be recorded as a CUDA graph and runs without: {error}",
                    RuntimeWarning,
                    stacklevel=2,
                )
                return self.step(**batch)
        recording = self._recordings[kind]
        for name, tensor in batch.items():
            recording.inputs[name].copy_(tensor)
        recording.replay()
        # the next replay overwrites the losses
        return dict(zip(recording.names, recording.losses.clone().unbind(), strict=True))

    def _warm_up(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Run the step on a separate CUDA stream, which PyTorch requires before a recording."""
        if self.generator.device.type != "cuda":
            return self.step(**batch)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            losses = self.step(**batch)
        torch.cuda.current_stream().wait_stream(stream)
        return losses


def record_graph(step: Step, batch: dict[str, Tensor], generator: torch.Generator) -> Recording:
    """Record a step on copies of a batch; nothing is computed until the first replay."""
    inputs = {name: tensor.clone() for name, tensor in batch.items()}
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        losses = step(**inputs)
        names = list(losses)
        table = torch.stack([losses[name] for name in names])
    return Recording(inputs, names, table, graph.replay)


def captured(step: Step, generator: torch.Generator, stage: Callable[[], Hashable]) -> Step:
    """Return what to call in place of the step: a recorded one on CUDA, else the step itself."""
    if generator.device.type != "cuda":
        return step
    return Captured(step, generator, record_graph, stage)
