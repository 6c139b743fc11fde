"""The loop: batches, cycles, means, stopping, divergence; with a step that only counts."""

import math

import pytest
import torch

from skaae.training.loop import DivergenceError, EarlyStopping, Stream, train


class Recorder:
    """A step that keeps what it was given and returns losses from a list."""

    def __init__(self, losses=None):
        self.batches, self.losses = [], losses

    def __call__(self, **batch):
        self.batches.append({name: tensor.tolist() for name, tensor in batch.items()})
        value = 1.0 if self.losses is None else self.losses[len(self.batches) - 1]
        return {"loss": torch.tensor(value)}


def run(step, *streams, **settings):
    history = {}
    defaults = {"batch_size": 4, "max_iter": 1, "generator": torch.Generator().manual_seed(0)}
    train(step, *streams, history=history, **{**defaults, **settings})
    return history


def numbers(n):
    return Stream({"x": torch.arange(n)})


@pytest.mark.parametrize("n", [1, 4, 5, 9, 12])
def test_an_epoch_sees_every_row_once_in_even_batches(n):
    step = Recorder()
    run(step, numbers(n))
    sizes = [len(batch["x"]) for batch in step.batches]
    assert sorted([row for batch in step.batches for row in batch["x"]]) == list(range(n))
    assert max(sizes) <= 4
    assert max(sizes) - min(sizes) <= 1


def test_epochs_are_shuffled_differently_and_repeat_by_seed():
    first, second = Recorder(), Recorder()
    run(first, numbers(50), max_iter=2, batch_size=50)
    run(second, numbers(50), max_iter=2, batch_size=50)
    assert first.batches == second.batches
    assert first.batches[0] != first.batches[1]


def test_rows_select_without_copying():
    stream = Stream({"x": torch.arange(10), "y": torch.arange(10) * 2}, torch.tensor([1, 7, 3]))
    step = Recorder()
    run(step, stream)
    (batch,) = step.batches
    assert sorted(batch["x"]) == [1, 3, 7]
    assert batch["y"] == [2 * value for value in batch["x"]]


def test_a_short_stream_cycles_beside_a_long_one():
    step = Recorder()
    labeled = Stream({"label": torch.arange(3)})
    run(step, numbers(20), labeled, batch_size=4, max_iter=2)
    assert len(step.batches) == 10  # the long stream alone counts epochs
    assert all(sorted(batch["label"]) == [0, 1, 2] for batch in step.batches)


def test_history_holds_epoch_means():
    history = run(Recorder([1.0, 3.0, 5.0, 7.0]), numbers(8), max_iter=2)
    assert history == {"loss": [2.0, 6.0]}


def test_hooks_see_epochs_and_can_stop():
    seen = []
    run(
        Recorder(),
        numbers(8),
        max_iter=9,
        before_epoch=lambda epoch: seen.append(("before", epoch)),
        after_epoch=lambda epoch, means: seen.append((means["loss"], epoch)) or epoch == 1,
    )
    assert seen == [("before", 0), (1.0, 0), ("before", 1), (1.0, 1)]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_divergence_is_named_and_keeps_earlier_epochs(value):
    history = {}
    with pytest.raises(DivergenceError, match=r"the loss loss became (nan|inf) in epoch 2"):
        train(
            Recorder([1.0, value]),
            numbers(4),
            batch_size=4,
            max_iter=2,
            generator=torch.Generator(),
            history=history,
        )
    assert history == {"loss": [1.0]}


def test_early_stopping_keeps_the_best_state():
    values = iter([3.0, 1.0, 2.0, 1.5, 9.0])
    states = iter("abcde")
    stopping = EarlyStopping(lambda: next(values), lambda: next(states), 2, tol=0.0)
    assert [stopping() for _ in range(4)] == [False, False, False, True]
    assert (stopping.best, stopping.best_state) == (1.0, "b")
    assert stopping.losses == [3.0, 1.0, 2.0, 1.5]


def test_improvements_below_tol_do_not_count():
    values = iter([1.0, 0.999, 0.998])
    stopping = EarlyStopping(lambda: next(values), lambda: None, 2, tol=0.01)
    assert [stopping() for _ in range(3)] == [False, False, True]
