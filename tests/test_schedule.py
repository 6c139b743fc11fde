"""The stages of each model are those of the user guide, and each uses the losses it names there."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from skaae.training.schedule import (
    ASSIGN_COMPONENTS,
    RESTART_OPTIMIZERS,
    Schedule,
    Stage,
    find_clusters_first,
    find_components_first,
    has_few_labels,
    single_stage,
    taught,
    taught_by_kmeans,
    warm_up_first,
)

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "user_guide.md"
TEACHERS = {"classification", "virtual_adversarial"}
EVERYTHING = TEACHERS | {"reconstruction", "generator"}
FREE = EVERYTHING - {"classification"}
RESTART = (RESTART_OPTIMIZERS,)

# Of each stage: what the virtual adversarial loss compares, what trains the label, what ends it.
MODELS = {
    "or your own classifier, teaches": (
        lambda: taught(consistency=None),
        {"taught": (None, TEACHERS, ())},
    ),
    'which "auto" mostly chooses': (
        lambda: taught(consistency="components"),
        {"taught": ("components", TEACHERS, ())},
    ),
    "that do not start from k-means": (single_stage, {"train": (None, EVERYTHING, ())}),
    "embedding with VAL and `use_labels=True`": (
        warm_up_first,
        {"warm-up": (None, EVERYTHING, ()), "refine": ("classes", EVERYTHING, ())},
    ),
    "`components_per_class` above 1": (
        lambda: find_components_first(assigns_later=False),
        {
            "find components": ("components", TEACHERS, ()),
            "find classes": ("classes", TEACHERS, RESTART),
            "refine": ("classes", EVERYTHING, ()),
        },
    ),
    'with VAL and `init="random"`': (
        find_clusters_first,
        {
            "find clusters": ("components", TEACHERS, RESTART),
            "refine": ("components", EVERYTHING, ()),
        },
    ),
    "and without VAL": (
        lambda: taught_by_kmeans(virtual_adversarial=False),
        {"taught": (None, EVERYTHING, ()), "free": (None, FREE, ())},
    ),
    "and with VAL": (
        lambda: taught_by_kmeans(virtual_adversarial=True),
        {
            "warm-up": (None, EVERYTHING, ()),
            "taught": ("components", EVERYTHING, ()),
            "free": ("components", FREE, ()),
        },
    ),
}


def in_guide(model):
    """Return the name, the start and the end of the stages in the guide's row of a model."""
    rows = [line.split("|") for line in GUIDE.read_text().splitlines() if line.startswith("|")]
    (stages,) = [row[2] for row in rows if row[1].strip().endswith(model)]
    return re.findall(r'"([a-z -]+)" \(([\d.]+) to ([\d.]+)\)', stages)


@pytest.mark.parametrize("model", MODELS)
def test_stages_are_those_of_the_user_guide(model):
    make, wanted = MODELS[model]
    stages = make()
    ends = [stage.until for stage in stages]
    found = list(zip([stage.name for stage in stages], [0.0, *ends], ends, strict=False))
    assert found == [(name, float(start), float(end)) for name, start, end in in_guide(model)]
    for stage in stages:
        assert (stage.consistency, stage.moves_label, stage.on_exit) == wanted[stage.name]
        assert not stage.assigns_later


def test_components_that_are_assigned_later_wait_for_the_labels():
    first, *others = find_components_first(assigns_later=True)
    as_ever, *rest = find_components_first(assigns_later=False)
    assert first.moves_label == {"virtual_adversarial"}
    assert first.on_exit == (ASSIGN_COMPONENTS,)
    assert first.assigns_later
    assert (first.name, first.consistency) == (as_ever.name, as_ever.consistency)
    assert [stage.until for stage in (first, *others)] == [0.6, 0.8, 1.0]
    assert [replace(stage, until=1.0) for stage in others] == [
        replace(stage, until=1.0) for stage in rest
    ]


def test_labels_are_few_below_two_for_each_component_of_most_classes():
    assert has_few_labels([3, 3, 100], 2)
    assert not has_few_labels([1, 4, 4], 2)
    assert not has_few_labels([6, 6, 6], 3)
    assert has_few_labels([5, 5, 5], 3)


def test_a_stage_begins_where_the_one_before_ends():
    schedule = Schedule(find_components_first(assigns_later=False))
    found = [schedule.position_at(share) for share in (0.0, 0.29, 0.3, 0.59, 0.6, 1.0, 7.0)]
    assert found == [0, 0, 1, 1, 2, 2, 2]
    assert [schedule.position(stage.name) for stage in schedule.stages] == [0, 1, 2]


def test_pseudo_labels_are_settled_after_the_last_of_them():
    stages = (Stage("train"),)
    assert Schedule(stages, pseudo_labels_at=(0.25, 0.75, 0.5)).last_pseudo_labels_at(50) == 37
    assert Schedule(stages).last_pseudo_labels_at(50) == 0
