"""The loop: batches, cycles, means, stages, stopping, divergence; with a step that only counts."""

import math

import pytest
import torch

from skaae.training.loop import (
    DivergenceError,
    EarlyStopping,
    Run,
    Snapshot,
    Stream,
    train,
)
from skaae.training.schedule import ADD_PSEUDO_LABELS, Schedule, Stage

PLAIN = Schedule((Stage("train"),))


class Recorder:
    """A step that keeps what it was given and returns losses from a list.

    Its one weight counts the batches.
    """

    def __init__(self, losses=None, schedule=PLAIN):
        self.batches, self.losses, self.factors = [], losses, []
        self.schedule, self.stage = schedule, schedule.stages[0]
        self.generator = torch.Generator().manual_seed(0)
        self.weight = torch.zeros(())

    def __call__(self, **batch):
        self.batches.append({name: tensor.tolist() for name, tensor in batch.items()})
        self.weight += 1.0
        value = 1.0 if self.losses is None else self.losses[len(self.batches) - 1]
        return {"loss": torch.tensor(value)}

    def end_stage(self):
        self.stage = self.schedule.stages[self.schedule.position(self.stage.name) + 1]

    def scale_learning_rates(self, factor):
        self.factors.append(factor)

    def tensors(self):
        return [self.weight]

    def is_finite(self):
        return self.weight.isfinite()

    def forget_copies(self):
        pass


def run(step, *streams, n_epochs=1, batch_size=4, before_epoch=None, after_epoch=None, **more):
    """Train the step and return the history without its stages."""
    one = Run(streams, batch_size, n_epochs, **more)
    hooks = {"before_epoch": before_epoch, "after_epoch": after_epoch}
    train(step, one, **{name: hook for name, hook in hooks.items() if hook is not None})
    return {name: values for name, values in one.history.items() if name != "stage"}


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
    run(first, numbers(50), n_epochs=2, batch_size=50)
    run(second, numbers(50), n_epochs=2, batch_size=50)
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
    run(step, numbers(20), labeled, batch_size=4, n_epochs=2)
    assert len(step.batches) == 10  # the long stream alone counts epochs
    assert all(sorted(batch["label"]) == [0, 1, 2] for batch in step.batches)


def test_history_holds_epoch_means():
    history = run(Recorder([1.0, 3.0, 5.0, 7.0]), numbers(8), n_epochs=2)
    assert history == {"loss": [2.0, 6.0]}


def test_hooks_see_epochs_and_can_stop():
    seen = []
    run(
        Recorder(),
        numbers(8),
        n_epochs=9,
        before_epoch=lambda epoch: seen.append(("before", epoch)),
        after_epoch=lambda epoch, means: seen.append((means["loss"], epoch)) or epoch == 1,
    )
    assert seen == [("before", 0), (1.0, 0), ("before", 1), (1.0, 1)]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_divergence_goes_back_to_the_epoch_before(value):
    step = Recorder([1.0, 1.0, 1.0, value])
    one = Run([numbers(8)], 4, 3)
    with pytest.raises(DivergenceError, match=r"the loss loss became (nan|inf) in epoch 2") as info:
        train(step, one)
    assert info.value.epoch == 2
    assert one.history == {"loss": [1.0], "stage": ["train"]}
    assert step.weight == 2.0  # of the first epoch's two batches


def test_a_weight_that_is_not_finite_is_noticed_though_losses_are_fine():
    def spoil(epoch):
        if epoch == 2:
            step.weight.fill_(math.inf)

    step, one = Recorder(), Run([numbers(4)], 4, 4)
    with pytest.raises(DivergenceError, match=r"a weight became infinite.* in epoch 3"):
        train(step, one, before_epoch=spoil)
    assert len(one.history["loss"]) == 2
    assert step.weight == 2.0


def test_a_snapshot_holds_everything_that_training_changes():
    step = Recorder(schedule=Schedule((Stage("first", until=0.5), Stage("second"))))
    snapshot = Snapshot(step)
    drawn = torch.rand(3, generator=step.generator)
    step.weight.fill_(7.0)
    step.end_stage()
    snapshot.restore()
    assert step.weight == 0.0
    assert step.stage.name == "first"
    torch.testing.assert_close(torch.rand(3, generator=step.generator), drawn)


STAGES = (
    Stage("first", until=0.3, on_exit=("tell",)),
    Stage("second", until=0.6, moves_label=frozenset({"reconstruction"})),
    Stage("third"),
)


def test_stages_follow_their_shares_of_the_epochs():
    done = []
    step = Recorder(schedule=Schedule(STAGES))
    actions = {"tell": lambda: done.append(step.stage.name)}
    one = Run([numbers(4)], 4, n_epochs=10, actions=actions)
    train(step, one)
    assert one.history["stage"] == ["first"] * 3 + ["second"] * 3 + ["third"] * 4
    assert done == ["first"]  # what is done on exit still sees the stage that ends


def test_a_run_that_goes_on_never_goes_back_a_stage():
    step = Recorder(schedule=Schedule(STAGES))
    train(step, Run([numbers(4)], 4, n_epochs=2, n_planned=2))
    assert step.stage.name == "second"
    later = Run([numbers(4)], 4, n_epochs=98, n_done=2, n_planned=100)
    train(step, later)
    assert later.history["stage"][:58] == ["second"] * 58
    assert set(later.history["stage"][58:]) == {"third"}


def test_a_run_may_jump_over_a_stage_but_not_over_what_ends_it():
    done = []
    step = Recorder(schedule=Schedule(STAGES))
    actions = {"tell": lambda: done.append(True)}
    train(step, Run([numbers(4)], 4, n_epochs=1, n_done=9, n_planned=10, actions=actions))
    assert step.stage.name == "third"
    assert done == [True]


def test_rows_for_a_phase_rest_in_stages_without_it():
    labeled = Stream({"label": torch.arange(2)}, phase="classification")
    step = Recorder(schedule=Schedule(STAGES))
    run(step, numbers(4), labeled, n_epochs=10)
    assert ["label" in batch for batch in step.batches] == [True] * 3 + [False] * 3 + [True] * 4


def test_pseudo_labels_are_added_at_their_shares_of_a_run():
    seen = []
    step = Recorder(schedule=Schedule((Stage("train"),), pseudo_labels_at=(0.25, 0.5, 0.75)))
    actions = {ADD_PSEUDO_LABELS: lambda: seen.append(len(step.batches))}
    run(step, numbers(4), n_epochs=9, actions=actions)
    assert seen == [2, 4, 6]
    run(step, numbers(4), n_epochs=1, actions=actions)  # the start of a run is no such time
    assert seen == [2, 4, 6]


def test_learning_rates_follow_the_epoch_over_all_runs():
    step = Recorder()
    rate = lambda now, end: now / end  # noqa: E731
    run(step, numbers(4), n_epochs=3, n_done=2, n_planned=10, learning_rate=rate)
    assert step.factors == [0.2, 0.3, 0.4]


def stopping_on(values, step, **params):
    values = iter(values)
    return EarlyStopping(
        lambda: next(values), step, **{"n_iter_no_change": 2, "tol": 0.0, **params}
    )


def test_early_stopping_keeps_the_best_state():
    step = Recorder()
    stopping = stopping_on([3.0, 1.0, 2.0, 1.5, 9.0], step)
    run(step, numbers(4), n_epochs=9, stopping=stopping)
    assert stopping.losses == [3.0, 1.0, 2.0, 1.5]
    assert step.weight == 4.0
    stopping.restore_best()
    assert step.weight == 2.0


def test_improvements_below_tol_do_not_count():
    stopping = stopping_on([1.0, 0.999, 0.998], Recorder(), tol=0.01)
    assert [stopping() for _ in range(3)] == [False, False, True]


def test_early_stopping_counts_in_the_last_stage_only():
    step = Recorder(schedule=Schedule(STAGES))
    stopping = stopping_on([5.0, 6.0, 7.0], step)
    history = run(step, numbers(4), n_epochs=10, stopping=stopping)
    assert len(history["loss"]) == 9  # six epochs before it, then one that is best and two worse
    assert [math.isnan(loss) for loss in stopping.losses] == [True] * 6 + [False] * 3
    stopping.restore_best()
    assert step.weight == 7.0
