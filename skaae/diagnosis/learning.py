"""Checks of what a model was taught: epochs, classes and labels, and of styles without classes."""

from __future__ import annotations

import numpy as np

from skaae.diagnosis import statistics
from skaae.diagnosis.evidence import FEW_ROWS, remedy
from skaae.diagnosis.report import judged, not_checked
from skaae.estimators import labels, warn
from skaae.estimators.model import are_auto
from skaae.unlabeled import UNLABELED

LATE = 0.24  # share of the fall of the loss in the second half of training
WRONG = 0.08  # share of labels that are likely wrong
TOLD = 0.6  # how well styles tell the class, from 0 at chance to 1
# Labels are judged if there are so many, in classes of so many.
LEAST_LABELS, LEAST_PER_CLASS = 30, 5
TOO_FEW = f"It needs {LEAST_LABELS} labels, and {LEAST_PER_CLASS} of each class."
MOST_SHOWN = 5  # rows that a message names


def check_epochs(evidence):
    """Check whether the reconstruction loss had ceased to fall when training ended."""
    estimator = evidence.estimator
    start = 0.0
    if estimator._settings.architecture.weight_init == "pca":  # the first loss is low already
        start = 0.5 * evidence.variance[1][1]
    late = statistics.late_share(estimator.history_.get("reconstruction", ()), start)
    if late is None:
        few = estimator.n_iter_ < statistics.LEAST_EPOCHS
        reason = f"It needs {statistics.LEAST_EPOCHS} epochs." if few else "The loss did not fall."
        return [not_checked("epochs", reason)]
    otherwise = "" if are_auto(estimator.max_iter) else ", or set it to 'auto'"
    found = judged(
        "epochs",
        late,
        LATE,
        0.0,
        "Share of the fall of the reconstruction loss in the second half of the "
        f"{estimator.n_iter_} epochs.",
        f"Raise max_iter{otherwise}.",
        details={"n_iter": estimator.n_iter_},
    )
    return [found]


def check_classes(evidence):
    """Compare the shares of the classes that are predicted with those that were assumed."""
    estimator, name = evidence.estimator, "class shares"
    if not (hasattr(estimator, "class_prior_") and estimator._classifies):
        return []
    if getattr(estimator, "class_weight", None) is not None:
        return [not_checked(name, "class_weight changes the shares.")]
    predicted = evidence.logits.argmax(axis=1)
    hidden = None if evidence.targets is None else evidence.targets == UNLABELED
    which = "rows"
    if hidden is not None and hidden.sum() >= warn.LEAST_ROWS:
        predicted, which = predicted[hidden], "unlabeled rows"
    if len(predicted) < warn.LEAST_ROWS:
        return [not_checked(name, f"It needs at least {warn.LEAST_ROWS} rows.")]
    shares, missing, distance = labels.compare_shares(predicted, estimator.class_prior_)
    worst = labels.worst_class(shares, missing, estimator.class_prior_)
    lost = [str(label) for label in estimator.classes_[missing]]
    found = judged(
        name,
        # a lost class is grave, however small it is
        max(distance, warn.MOST_DISTANCE + 0.01) if lost else distance,
        warn.MOST_DISTANCE,
        0.0,
        f"Distance of predicted class shares from class_prior. Class {estimator.classes_[worst]}: "
        f"{shares[worst]:.1%} of {which}, assumed {estimator.class_prior_[worst]:.1%}."
        + (f" Never predicted: {', '.join(lost)}." if lost else ""),
        "If the labeled rows have other class proportions than all rows, pass those of all rows as "
        "class_prior. If they have the same, give more labels, or train longer.",
        details={
            "classes": estimator.classes_,
            "predicted": shares,
            "class_prior": estimator.class_prior_,
            "lost": lost,
        },
    )
    return [found]


def check_labels(evidence, labeled):
    """Look for labels that other labeled rows contradict."""
    name = "wrong labels"
    if not hasattr(evidence.estimator, "classes_"):
        return []
    if labeled is None:
        return [not_checked(name, "Pass the labels as y.")]
    targets = labeled.targets
    rows = rows_of_large_classes(targets)
    if rows is None:
        return [not_checked(name, TOO_FEW)]
    found = statistics.wrong_labels(labeled.known[rows], targets[rows], labeled.seed)
    places = np.sort(labeled.index[rows[found]])
    shown = ", ".join(str(place) for place in places[:MOST_SHOWN])
    shown = f", rows {shown}{', ...' if len(places) > MOST_SHOWN else ''}" if len(places) else ""
    share = judged(
        name,
        len(found) / len(rows),
        WRONG,
        0.0,
        f"Share of labels that other labeled rows contradict: {len(found)} of {len(rows)}{shown}.",
        "Look at these rows, details['rows'], and correct their labels or mark them as unlabeled.",
        details={"rows": places, "n_labels": len(rows)},
    )
    return [share]


def check_styles(evidence):
    """Check that the style does not tell the class, where the decoder is given the class.

    Other models may keep it: `sample` of a classifier draws the styles of each class.
    """
    label, name = evidence.blocks.get("label"), "style tells the class"
    if label is None or label.latent:
        return []
    targets = evidence.targets[:FEW_ROWS]
    rows = rows_of_large_classes(targets)
    if rows is None:
        return [not_checked(name, TOO_FEW)]
    blind = not evidence.blocks["style"].n_classes
    found = judged(
        name,
        statistics.told_share(evidence.code["style"][rows], targets[rows]),
        TOLD,
        0.0,
        "How often a logistic regression finds the class in the style, from 0 at chance to 1.",
        "Rows that are drawn or restyled may be of another class. "
        + remedy(
            evidence, "Lower n_components" + (", or set class_conditional=True." if blind else ".")
        ),
    )
    return [found]


def rows_of_large_classes(targets):
    """Return the rows whose class has enough rows to judge labels, or None if they are too few."""
    enough = np.bincount(targets) >= LEAST_PER_CLASS
    rows = np.flatnonzero(enough[targets])
    return None if len(rows) < LEAST_LABELS or enough.sum() < 2 else rows
