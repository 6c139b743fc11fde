"""What is on when: the named stages of a training run.

A stage says which phases of the step may move the label, and whether the virtual adversarial loss
compares components or classes. Knows nothing of networks, data or estimators.
"""

from __future__ import annotations

from dataclasses import dataclass

# Phases of the step whose gradient can reach the label.
EVERY_PHASE = frozenset({"reconstruction", "generator", "classification", "virtual_adversarial"})
LABEL_PHASES = EVERY_PHASE - {
    "reconstruction",
    "generator",
}  # without those that also move the rest

# What can happen between two stages, see `Stage.on_exit`.
ASSIGN_COMPONENTS = "assign components to classes"
RESTART_OPTIMIZERS = "restart optimizers"
# What happens at `Schedule.pseudo_labels_at`.
ADD_PSEUDO_LABELS = "add pseudo-labels"


@dataclass(frozen=True)
class Stage:
    """One part of the training.

    Parameters
    ----------
    name : what a user sees of it: in `verbose` output, in `history_["stage"]`, in the curves.
    until : fraction of the planned epochs at which it ends.
    consistency : what the virtual adversarial loss compares: "components" (every entry of the
        label), "classes" (sums over the components of a class), or None where that phase is off.
    moves_label : phases whose gradient may reach the label. Without "reconstruction" that phase
        trains everything but the label. Without "generator" the label's discriminator rests too.
        Without "classification" labeled rows wait.
    on_exit : what happens at its end, in this order.
    """

    name: str
    until: float = 1.0
    consistency: str | None = None
    moves_label: frozenset[str] = EVERY_PHASE
    on_exit: tuple[str, ...] = ()

    @property
    def assigns_later(self) -> bool:
        """Whether components belong to no class yet: they are assigned at the end of this stage."""
        return ASSIGN_COMPONENTS in self.on_exit


@dataclass(frozen=True)
class Schedule:
    """The stages of a training run, in order.

    Parameters
    ----------
    stages : the last one ends with the training.
    pseudo_labels_at : fractions of the epochs of a `fit` at which pseudo-labels are added.
    teacher : "k-means" if its clusters are the labels at first, else None.
    """

    stages: tuple[Stage, ...]
    pseudo_labels_at: tuple[float, ...] = ()
    teacher: str | None = None

    def position(self, name: str) -> int:
        """Return the index of the stage of that name."""
        return [stage.name for stage in self.stages].index(name)

    def position_at(self, share: float) -> int:
        """Return the index of the stage at a fraction `share` of the planned epochs."""
        ended = [stage.until <= share for stage in self.stages[:-1]]
        return sum(ended)


def plain() -> tuple[Stage, ...]:
    """Return the schedule of models without a virtual adversarial loss."""
    return (Stage("train"),)


def warm_up_first() -> tuple[Stage, ...]:
    """Return the schedule of a virtual adversarial loss that refines classes learned from labels.

    From the start it would fix borders in place before the classes have formed.
    """
    return (Stage("warm-up", until=0.2), Stage("refine", consistency="classes"))


def find_clusters_first() -> tuple[Stage, ...]:
    """Return the schedule of a virtual adversarial loss that finds the clusters by itself.

    Until the clusters have formed, reconstruction and adversary do not move the label. When they
    start to, their optimisers restart: Adam counts steps, not the steps of each weight, so weights
    whose first gradient comes late would move too far.
    """
    find = Stage(
        "find clusters",
        until=0.6,
        consistency="components",
        moves_label=LABEL_PHASES,
        on_exit=(RESTART_OPTIMIZERS,),
    )
    return (find, Stage("refine", consistency="components"))


def find_components_first(*, assigns_later: bool) -> tuple[Stage, ...]:
    """Return the schedule of classes that have several components each.

    First every component finds its rows. Then only borders between classes count, so that a
    component with some rows of another class can give them back. With `assigns_later`, labels are
    too few to steer the components: they are not used until the components are found, and then
    assign each component to a class.
    """
    components = Stage(
        "find components",
        until=0.3,
        consistency="components",
        moves_label=LABEL_PHASES - ({"classification"} if assigns_later else set()),
        on_exit=(ASSIGN_COMPONENTS,) if assigns_later else (),
    )
    classes = Stage(
        "find classes",
        until=0.6,
        consistency="classes",
        moves_label=LABEL_PHASES,
        on_exit=(RESTART_OPTIMIZERS,),
    )
    return (components, classes, Stage("refine", consistency="classes"))


def taught_by_kmeans(*, virtual_adversarial: bool) -> tuple[Stage, ...]:
    """Return the schedule of clusters that start from k-means: its labels teach the first half."""
    untaught = EVERY_PHASE - {"classification"}
    if not virtual_adversarial:
        return (Stage("taught", until=0.5), Stage("free", moves_label=untaught))
    return (
        Stage("warm-up", until=0.2),
        Stage("taught", until=0.5, consistency="components"),
        Stage("free", consistency="components", moves_label=untaught),
    )
