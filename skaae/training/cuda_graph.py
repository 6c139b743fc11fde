"""Records a step as a CUDA graph, once for each stage and each shape of batches, and replays it.

A step consists of hundreds of kernels of a few microseconds each, and launching them one by one
takes longer than running them. A step can be any callable that takes tensors as keyword arguments,
returns a dict of detached losses, and never waits for the device. What our step needs from the CPU
is computed before it.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from skaae.training.step import AAEStep

Step = Callable[..., dict[str, Tensor]]
Kind = tuple[Hashable, tuple[tuple[str, tuple[int, ...]], ...]]  # stage and shapes

# Number of unrecorded steps before a recording: PyTorch must initialise its libraries first.
N_WARM_UP = 3

# Held by the thread that records or prepares to: PyTorch gives threads the same few streams, and
# would record what any of them computes on the stream of a recording.
ONE_AT_A_TIME = threading.Lock()


@dataclass
class Recording:
    """One recorded step: its input tensors, the losses that it writes, and the replay function."""

    inputs: dict[str, Tensor]
    names: list[str]
    losses: Tensor  # (n_losses,)
    replay: Callable[[], None]


@dataclass
class Captured:
    """A step that is recorded if possible, and runs unrecorded if recording fails.

    Parameters
    ----------
    step : the step. Its kernels may depend on the training stage, but not on other Python values
        that change between calls.
    generator : the step's only source of randomness, on the step's device.
    record : function that returns a recording of the step on a batch, or raises RuntimeError.
    stage : function that returns the training stage; each stage has its own recordings.
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
                    "the training step could not be recorded as a CUDA graph, so training is "
                    f"slower; it runs without: {error}",
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
        with ONE_AT_A_TIME, torch.cuda.device(self.generator.device):
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                losses = self.step(**batch)
            torch.cuda.current_stream().wait_stream(stream)
        return losses


def record_graph(step: Step, batch: dict[str, Tensor], generator: torch.Generator) -> Recording:
    """Record a step with copies of a batch as inputs; the first replay computes the first step."""
    inputs = {name: tensor.clone() for name, tensor in batch.items()}
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    # other threads may fit, and wait for the device, while this one records
    with ONE_AT_A_TIME, torch.cuda.graph(graph, capture_error_mode="thread_local"):
        losses = step(**inputs)
        names = list(losses)
        table = torch.stack([losses[name] for name in names])
    return Recording(inputs, names, table, graph.replay)


def captured(step: Step, generator: torch.Generator, stage: Callable[[], Hashable]) -> Step:
    """Return the step recorded as CUDA graphs; on other devices return the step itself."""
    if generator.device.type != "cuda":
        return step
    return Captured(step, generator, record_graph, stage)


def with_samples(call: Step, step: AAEStep) -> Step:
    """Return a call of the step that first draws from the prior, if this one draws on the CPU."""
    prior, discriminators = step.priors.get("style"), step.networks.discriminators
    is_used = "style" in discriminators or "mmd" in step.penalties
    if prior is None or not prior.draws_on_host or not is_used:
        return call
    by_class = "style" in discriminators and cast(Any, discriminators["style"]).by_component
    n_components = step.networks.n_components

    def call_with_samples(x: Tensor, **others: Tensor) -> dict[str, Tensor]:
        y = others.get("y") if by_class else None
        with torch.no_grad():
            samples = prior.sample(len(x), n_components, y=y, generator=step.generator)
        return call(x=x, style=samples.to(x.device, torch.float32), **others)

    return call_with_samples
