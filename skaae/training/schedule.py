"""The stages of a training run.

A stage defines which phases of the step may train the label, and whether the virtual adversarial
loss compares components or classes.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Phases of the step whose gradient can reach the label.
EVERY_PHASE = frozenset({"reconstruction", "generator", "classification", "virtual_adversarial"})
LABEL_PHASES = EVERY_PHASE - {
    "reconstruction",
    "generator",
}  # without the phases that also train other parts

# Actions at the end of a stage; see `Stage.on_exit`.
ASSIGN_COMPONENTS = "assign components to classes"
RESTART_OPTIMIZERS = "restart optimizers"
# The action at `Schedule.pseudo_labels_at`.
ADD_PSEUDO_LABELS = "add pseudo-labels"

# Labels for each component of a class that help to find the components; fewer only name them.
LABELS_PER_COMPONENT = 2


@dataclass(frozen=True)
class Stage:
    """One part of the training.

    Parameters
    ----------
    name : the name that users see in `verbose` output, `history_["stage"]` and training curves.
    until : fraction of the planned epochs at which the stage ends.
    consistency : values that the virtual adversarial loss compares: "components" (every entry of
        the label, the softmax that the encoder outputs) or "classes" (sums over the components of a
        class). None turns its phase off.
    moves_label : phases that may train the label. Without "reconstruction", that phase trains only
        the other weights. Without "generator", the label's discriminator is not trained either.
        Without "classification", labeled rows are not used.
    on_exit : names of the actions at the end of the stage, which run in the order given; see the
        constants at the top of this module.
    """

    name: str
    until: float = 1.0
    consistency: str | None = None
    moves_label: frozenset[str] = EVERY_PHASE
    on_exit: tuple[str, ...] = ()

    @property
    def assigns_later(self) -> bool:
        """Whether components are assigned to classes only at the end of this stage."""
        return ASSIGN_COMPONENTS in self.on_exit


@dataclass(frozen=True)
class Schedule:
    """The stages of a training run, in order.

    Parameters
    ----------
    stages : the stages; the last one ends when training ends.
    pseudo_labels_at : fractions of the epochs of a `fit` at which pseudo-labels are added.
    teacher : what labels rows before training starts: "committee" (classes, from a few labels),
        "k-means", "kept k-means", "spectral" or "mixture" (clusters), or None.
    """

    stages: tuple[Stage, ...]
    pseudo_labels_at: tuple[float, ...] = ()
    teacher: str | None = None

    def position(self, name: str) -> int:
        """Return the index of the stage with this name."""
        return [stage.name for stage in self.stages].index(name)

    def last_pseudo_labels_at(self, n_epochs: int) -> int:
        """Return the epoch of a `fit` after which no more pseudo-labels are added."""
        return int(max(self.pseudo_labels_at, default=0.0) * n_epochs)

    def position_at(self, share: float) -> int:
        """Return the index of the stage at a fraction `share` of the planned epochs."""
        ended = [stage.until <= share for stage in self.stages[:-1]]
        return sum(ended)


def single_stage() -> tuple[Stage, ...]:
    """Return the stages of models without a virtual adversarial loss."""
    return (Stage("train"),)


def warm_up_first() -> tuple[Stage, ...]:
    """Return the stages if the virtual adversarial loss refines classes learned from labels.

    It starts after a warm-up, because before that it would fix borders before classes have formed.
    """
    return (Stage("warm-up", until=0.2), Stage("refine", consistency="classes"))


def taught(*, consistency: str | None) -> tuple[Stage, ...]:
    """Return the stages if a teacher labels every row: a committee of classifiers, or clusters.

    Its labels alone train the label, with the virtual adversarial loss if there is one. The label's
    discriminator wants labels without doubt, so it would work against the teacher.
    """
    return (Stage("taught", consistency=consistency, moves_label=LABEL_PHASES),)


def find_clusters_first() -> tuple[Stage, ...]:
    """Return the stages if the virtual adversarial loss finds the clusters.

    In the first stage, reconstruction and adversarial training do not train the label. When they
    start to, their optimisers restart. Otherwise Adam, which has one step count for all weights,
    would make too large steps for weights without gradients so far.
    """
    find = Stage(
        "find clusters",
        until=0.6,
        consistency="components",
        moves_label=LABEL_PHASES,
        on_exit=(RESTART_OPTIMIZERS,),
    )
    return (find, Stage("refine", consistency="components"))


def has_few_labels(n_labels: Sequence[float], components_per_class: int) -> bool:
    """Return whether most classes have too few labels to find their components with.

    `n_labels` are the numbers of labels of the classes. With few labels, the components are found
    without labels, and the labels then only assign them to classes. The encoder would otherwise
    learn so few labels by heart, without learning the rows around them.
    """
    return statistics.median(n_labels) < LABELS_PER_COMPONENT * components_per_class


def find_components_first(*, assigns_later: bool) -> tuple[Stage, ...]:
    """Return the stages if classes have several components each.

    In the first stage every component finds its rows. In the second stage only borders between
    classes count, so that a component can lose rows that belong to another class. With
    `assigns_later`, there are too few labels to help find the components. So labels are not used in
    the first stage, and assign each component to a class at its end. That stage is longer then,
    because a component that has rows of two classes cannot be assigned.
    """
    found, ended = (0.6, 0.8) if assigns_later else (0.3, 0.6)
    components = Stage(
        "find components",
        until=found,
        consistency="components",
        moves_label=LABEL_PHASES - ({"classification"} if assigns_later else set()),
        on_exit=(ASSIGN_COMPONENTS,) if assigns_later else (),
    )
    classes = Stage(
        "find classes",
        until=ended,
        consistency="classes",
        moves_label=LABEL_PHASES,
        on_exit=(RESTART_OPTIMIZERS,),
    )
    return (components, classes, Stage("refine", consistency="classes"))


def taught_by_kmeans(*, virtual_adversarial: bool) -> tuple[Stage, ...]:
    """Return the stages if clusters start from k-means, whose labels teach the first half."""
    untaught = EVERY_PHASE - {"classification"}
    if not virtual_adversarial:
        return (Stage("taught", until=0.5), Stage("free", moves_label=untaught))
    return (
        Stage("warm-up", until=0.2),
        Stage("taught", until=0.5, consistency="components"),
        Stage("free", consistency="components", moves_label=untaught),
    )
