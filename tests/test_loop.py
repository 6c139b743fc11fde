"""The loop: batches, means, stages, stopping, divergence, interrupts; with a step that counts."""

import copy
import math

import numpy as np
import pytest
import torch

from skaae.estimators.rates import check_schedule
from skaae.training.loop import (
    BATCHES_IN_TABLE,
    MOST_RETURNS,
    DivergenceError,
    Hooks,
    Loop,
    MeanLosses,
    Run,
)
from skaae.training.schedule import ADD_PSEUDO_LABELS, Schedule, Stage
from skaae.training.snapshots import EarlyStopping, Snapshot
from skaae.training.streams import Cycle, Stream

PLAIN = Schedule((Stage("train"),))
STAGES = (
    Stage("first", until=0.3, on_exit=("tell",)),
    Stage("second", until=0.6, moves_label=frozenset({"reconstruction"})),
    Stage("third"),
)


class Recorder:
    """A step that keeps what it was given and returns losses from a list, then losses of 1.

    Its one weight counts the batches.
    """

    def __init__(self, losses=None, schedule=PLAIN):
        self.batches, self.losses, self.factors = [], list(losses or []), []
        self.schedule, self.stage = schedule, schedule.stages[0]
        self.generator = torch.Generator().manual_seed(0)
        self.weight = torch.zeros(())
        self.n_restarts = 0

    def __call__(self, **batch):
        self.batches.append({name: tensor.tolist() for name, tensor in batch.items()})
        self.weight += 1.0
        value = self.losses.pop(0) if self.losses else 1.0
        return {"loss": torch.tensor(value)}

    def end_stage(self):
        self.stage = self.schedule.stages[self.schedule.position(self.stage.name) + 1]

    def scale_learning_rates(self, factor):
        self.factors.append(factor)

    def tensors(self):
        return [self.weight]

    def weight_size(self):
        return 1.0 if self.weight.isfinite() else math.nan

    def restart_optimizers(self):
        self.n_restarts += 1

    def forget_copies(self):
        pass

    def state_dict(self):
        return {
            "weight": self.weight.clone(),
            "generator": self.generator.get_state(),
            "stage": self.stage.name,
        }

    def load_state_dict(self, state):
        self.weight.copy_(state["weight"])
        self.generator.set_state(state["generator"])
        self.stage = self.schedule.stages[self.schedule.position(state["stage"])]


class Calls(Hooks):
    """Hooks that call functions given by name."""

    def __init__(self, **functions):
        self.__dict__.update(functions)


def run(step, *streams, n_epochs=1, batch_size=4, hooks=None, **more):
    """Train the step and return the history without its stages."""
    one = Run(streams, batch_size, n_epochs, **more)
    Loop(step, one, hooks=hooks).train()
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
    hooks = Calls(
        before_epoch=lambda epoch: seen.append(("before", epoch)),
        after_epoch=lambda epoch, means: seen.append((means["loss"], epoch)) or epoch == 1,
    )
    run(Recorder(), numbers(8), n_epochs=9, hooks=hooks)
    assert seen == [("before", 0), (1.0, 0), ("before", 1), (1.0, 1)]


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("bad", [1, 3], ids=["first epoch", "second epoch"])
def test_an_epoch_that_diverges_is_repeated_more_slowly(value, bad):
    seen = []
    hooks = Calls(on_return=lambda error, epoch: seen.append((str(error), epoch)))
    step = Recorder([1.0] * bad + [value])
    labeled = Stream({"label": torch.arange(11)})
    history = run(step, numbers(8), labeled, n_epochs=3, hooks=hooks)
    epoch = bad // 2
    assert seen == [(f"the loss loss became {value} in epoch {epoch + 1}", epoch)]
    assert history == {"loss": [1.0, 1.0, 1.0]}
    assert step.weight == 6.0  # of three epochs of two batches
    assert step.factors == [1.0] * (epoch + 1) + [0.1] * (3 - epoch)
    # the same rows of both streams, in the same order
    start = 2 * epoch
    assert step.batches[start : start + 2] == step.batches[start + 2 : start + 4]
    calm = Recorder()
    run(calm, numbers(8), labeled, n_epochs=3)
    assert step.batches[start + 2 :] == calm.batches[start:]


def test_training_goes_back_three_times_only():
    step = Recorder([1.0] * 2 + [math.nan] * 8)
    one = Run([numbers(8)], 4, 3)
    with pytest.raises(DivergenceError, match="the loss loss became nan in epoch 2"):
        Loop(step, one).train()
    assert step.factors[2:] == pytest.approx([0.1, 0.01, 0.001])
    assert one.history == {"loss": [1.0], "stage": ["train"]}


def test_a_single_epoch_that_diverges_is_not_repeated():
    step = Recorder([math.nan])
    with pytest.raises(DivergenceError, match="in epoch 8"):
        run(step, numbers(8), n_done=7)
    assert len(step.batches) == 2


def test_a_weight_that_is_not_finite_is_noticed_though_losses_are_fine():
    def spoil(epoch):
        if epoch == 2:
            step.weight.fill_(math.inf)

    step, one = Recorder(), Run([numbers(4)], 4, 4)
    with pytest.raises(DivergenceError, match=r"a weight became infinite.* in epoch 3"):
        Loop(step, one, hooks=Calls(before_epoch=spoil)).train()
    assert len(one.history["loss"]) == 2
    assert len(step.batches) == 2 + 1 + MOST_RETURNS


def test_weights_that_explode_are_noticed_though_finite():
    step = Recorder()
    sizes = iter([0.0, 0.99, 9.0, 91.0, 91.0, 91.0, 91.0])
    step.weight_size = lambda: next(sizes)
    with pytest.raises(DivergenceError, match=r"all weights rose from 9 to 91 in epoch 3"):
        run(step, numbers(4), n_epochs=4)
    assert step.n_restarts == 3


def interrupting(step, at):
    """Return a call of the step that is interrupted after a number of batches."""

    def call(**batch):
        losses = step(**batch)
        if len(step.batches) == at:
            raise KeyboardInterrupt
        return losses

    return call


@pytest.fixture
def no_interrupt_before(monkeypatch):
    monkeypatch.setattr(Loop, "last_interrupt", -math.inf)


@pytest.mark.usefixtures("no_interrupt_before")
@pytest.mark.parametrize("at", [3, 4, 5, 6])
def test_an_interrupt_keeps_the_last_whole_epoch(at):
    told = []
    step, one = Recorder(), Run([numbers(8), numbers(11)], 4, 9)
    Loop(step, one, interrupting(step, at), Calls(on_interrupt=told.append)).train()
    whole = (at - 1) // 2
    assert told == [whole]
    assert step.weight == 2.0 * whole
    assert one.history == {"loss": [1.0] * whole, "stage": ["train"] * whole}
    other = Recorder()  # the state is that of a run of so many epochs
    run(other, numbers(8), numbers(11), n_epochs=whole)
    assert torch.equal(step.generator.get_state(), other.generator.get_state())


@pytest.mark.usefixtures("no_interrupt_before")
def test_an_interrupt_between_epochs_keeps_the_epoch():
    def interrupt(epoch, means):
        if epoch == 2:
            raise KeyboardInterrupt

    step = Recorder()
    history = run(step, numbers(8), n_epochs=9, hooks=Calls(after_epoch=interrupt))
    assert history == {"loss": [1.0] * 3}
    assert step.weight == 6.0


@pytest.mark.usefixtures("no_interrupt_before")
def test_an_interrupt_of_the_first_epoch_ends_at_once():
    step = Recorder()
    with pytest.raises(KeyboardInterrupt):
        Loop(step, Run([numbers(8)], 4, 9), interrupting(step, 2)).train()


@pytest.mark.usefixtures("no_interrupt_before")
def test_a_second_interrupt_ends_at_once_also_in_another_fit():
    first, second = Recorder(), Recorder()
    Loop(first, Run([numbers(8)], 4, 9), interrupting(first, 3)).train()
    with pytest.raises(KeyboardInterrupt):
        Loop(second, Run([numbers(8)], 4, 9), interrupting(second, 5)).train()


@pytest.mark.parametrize("n_before", [1, 2, 5, 8])
def test_a_loop_goes_on_from_the_state_of_another(n_before):
    """Rows, their order in both streams, stages, pseudo-labels, early stopping: all as in one."""

    def plan(step):
        streams = [
            Stream({"x": torch.arange(8)}),
            Stream({"x_labeled": torch.arange(11), "y_labeled": torch.zeros(11)}),
        ]
        values = iter([3.0, 2.0, 4.0])
        stopping = EarlyStopping(lambda: next(values), step, 9, 0.0)

        def add():
            streams[1].rows = torch.tensor([2, 3, 5, 7])
            streams[1].tensors = {**streams[1].tensors, "y_labeled": torch.arange(11.0)}

        actions = {ADD_PSEUDO_LABELS: add}
        return Run(streams, 4, 9, actions=actions, stopping=stopping), values

    schedule = Schedule(STAGES, pseudo_labels_at=(0.3,))
    whole = Recorder(schedule=schedule)
    one, _ = plan(whole)
    Loop(whole, one).train()

    kept = []

    def keep(loop):
        if loop.n_trained == n_before:
            kept.append(copy.deepcopy(loop.state_dict()))

    first = Recorder(schedule=schedule)
    run_of_first, _ = plan(first)
    Loop(first, run_of_first, hooks=Calls(after_all=keep)).train()
    rest = Recorder(schedule=schedule)
    later, values = plan(rest)
    for _ in range(sum(not math.isnan(loss) for loss in kept[0]["stopping"]["losses"])):
        next(values)
    loop = Loop(rest, later)
    loop.load_state_dict(kept[0])
    loop.train()
    assert rest.batches == whole.batches[2 * n_before :]
    assert later.history == one.history
    assert rest.weight == whole.weight
    np.testing.assert_array_equal(later.stopping.losses, one.stopping.losses)
    for stopping in (one.stopping, later.stopping):
        stopping.restore_best()
    assert rest.weight == whole.weight
    assert torch.equal(rest.generator.get_state(), whole.generator.get_state())


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


def test_stages_follow_their_shares_of_the_epochs():
    done = []
    step = Recorder(schedule=Schedule(STAGES))
    actions = {"tell": lambda: done.append(step.stage.name)}
    one = Run([numbers(4)], 4, n_epochs=10, actions=actions)
    Loop(step, one).train()
    assert one.history["stage"] == ["first"] * 3 + ["second"] * 3 + ["third"] * 4
    assert done == ["first"]  # what is done on exit still sees the stage that ends


def test_a_run_that_goes_on_never_goes_back_a_stage():
    step = Recorder(schedule=Schedule(STAGES))
    Loop(step, Run([numbers(4)], 4, n_epochs=2, n_planned=2)).train()
    assert step.stage.name == "second"
    later = Run([numbers(4)], 4, n_epochs=98, n_done=2, n_planned=100)
    Loop(step, later).train()
    assert later.history["stage"][:58] == ["second"] * 58
    assert set(later.history["stage"][58:]) == {"third"}


def test_a_run_may_jump_over_a_stage_but_not_over_what_ends_it():
    done = []
    step = Recorder(schedule=Schedule(STAGES))
    actions = {"tell": lambda: done.append(True)}
    Loop(step, Run([numbers(4)], 4, n_epochs=1, n_done=9, n_planned=10, actions=actions)).train()
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


@pytest.mark.parametrize("n_batches", [1, BATCHES_IN_TABLE, BATCHES_IN_TABLE + 1, 1000])
def test_losses_are_means_over_all_batches(n_batches):
    values = np.random.default_rng(0).normal(size=(n_batches, 2))
    losses = MeanLosses()
    for first, second in values:
        losses.add({"first": torch.tensor(first), "second": torch.tensor(second)})
    assert losses.means() == pytest.approx(
        dict(zip(["first", "second"], values.mean(axis=0), strict=True))
    )


def test_a_pass_starts_anew_when_other_rows_of_a_table_on_disk_are_labeled():
    stream = Stream({"x_labeled": torch.arange(6.0)[:, None]})
    cycle = Cycle(stream, 2, torch.Generator().manual_seed(0))
    next(cycle)
    stream.tensors = {"x_labeled": torch.arange(2.0)[:, None]}  # fewer rows
    stream.version += 1
    cycle.drop_stale()
    assert len(next(cycle)["x_labeled"]) == 2
    assert not cycle.left


def test_epochs_of_a_schedule_are_whole():
    with pytest.raises(ValueError, match="of whole epochs"):
        check_schedule(((0.5, 0.1),))
    assert check_schedule(((np.int64(3), 0.1),)) == [(3, 0.1)]
    assert check_schedule(np.array([[50, 0.1], [20, 0.5]])) == [(20, 0.5), (50, 0.1)]
