"""Checks of the decoder: does it use the code, and does it decode other rows as well."""

from __future__ import annotations

import numpy as np

from skaae.diagnosis import statistics
from skaae.diagnosis.evidence import remedy
from skaae.diagnosis.report import judged, not_checked

STYLE_USE = 0.1  # change of decoded rows with the style, relative to what a code can explain
LABEL_USE = 0.02  # change of decoded rows with the label, relative to the means of labels
EXPLAINED = 0.5  # of the variance that a code can explain linearly
GAP = 0.5  # in explained variance, between rows of the fit and others
CLASS_GAP = 0.3  # in accuracy
LEAST_GROUP = 2  # rows of a label that have a mean
LEAST_ROWS = 10  # fewer rows say little about a loss
LEAST_VARIANCE = 1e-6  # of rows that differ, in scaled units, per column
ALL_EQUAL = "The rows do not differ."
NO_NEED = "Nothing, unless you use codes or reconstructions."


def check_decoder(evidence):
    """Check how well rows are reconstructed, and whether decoded rows change with their code."""
    (_, _), (_, total) = evidence.variance
    names = ["reconstruction", "decoder uses style"]
    names += ["decoder uses label"] if "label" in evidence.blocks else []
    if len(evidence.inputs) < LEAST_ROWS:
        return [not_checked(name, f"It needs at least {LEAST_ROWS} rows.") for name in names]
    if total < LEAST_VARIANCE * evidence.known.shape[1]:
        return [not_checked(name, ALL_EQUAL) for name in names]
    findings, rng = [reconstruction(evidence)], np.random.default_rng(evidence.seed)
    findings.append(style_use(evidence, rng))
    if "label" in evidence.blocks:
        findings.append(label_use(evidence, rng))
    return findings


def needs_reconstruction(evidence):
    """Return whether the estimator is used for its reconstructions or for codes that give them.

    Training of an outlier detector is short on purpose. A map of neighbours is not made to give
    the rows back.
    """
    outliers = hasattr(evidence.estimator, "offset_")
    return not outliers and "neighbours" not in evidence.settings.rates


def reconstruction(evidence):
    """Return how much of the variance reconstructions explain, beside what a code can explain."""
    known = evidence.known
    variance = statistics.mean_square(known - known.mean(axis=0))
    explained = statistics.explained_share(known, evidence.outputs, variance)
    (possible, total), matters = evidence.variance[1], needs_reconstruction(evidence)
    used = "as many principal components"
    return judged(
        "reconstruction",
        explained * total / possible,
        EXPLAINED,
        1.0,
        f"Explained variance ({percent(explained)}) relative to that of {used}.",
        remedy(evidence, "Raise max_iter or reconstruction_learning_rate.") if matters else NO_NEED,
        matters=matters,
        details={"explained_variance": explained},
    )


def style_use(evidence, rng):
    """Return how much decoded rows change if each gets the style of another row."""
    style, (possible, _) = evidence.code["style"], evidence.variance[0]
    matters = needs_reconstruction(evidence)
    if possible < LEAST_VARIANCE * evidence.known.shape[1]:
        return not_checked("decoder uses style", "Rows of one label do not differ.")
    other = {**evidence.code, "style": style[rng.permutation(len(style))]}
    change = 0.5 * statistics.mean_square(evidence.decode(other) - evidence.outputs)
    return judged(
        "decoder uses style",
        change / possible,
        STYLE_USE,
        1.0,
        "Change of decoded rows with another style, relative to what a style can explain.",
        remedy(evidence, "Lower adversarial_learning_rate, or raise n_components.")
        if matters
        else NO_NEED,
        matters=matters,
    )


def label_use(evidence, rng):
    """Return how much decoded rows change with another label, relative to the means of labels."""
    name, groups, known = "decoder uses label", evidence.groups, evidence.known
    size = evidence.blocks["label"].size
    counts = np.bincount(groups, minlength=size)
    used = np.flatnonzero(counts >= LEAST_GROUP)
    if len(used) < 2:
        return not_checked(name, "All rows have one label.")
    means = np.zeros((size, known.shape[1]))
    for group in used:
        means[group] = known[groups == group].mean(axis=0)
    other = np.where(np.isin(groups, used), rng.choice(used, len(groups)), groups)
    eye = np.eye(size, dtype=np.float32)
    before, after = (
        evidence.decode({**evidence.code, "label": eye[index]}) for index in (groups, other)
    )
    possible = statistics.mean_square(means[other] - means[groups])
    if possible < LEAST_VARIANCE * known.shape[1]:
        return not_checked(name, "The means of all labels are equal.")
    return judged(
        name,
        statistics.mean_square(after - before) / possible,
        LABEL_USE,
        1.0,
        "Change of decoded rows with another label, relative to that of the means of labels.",
        remedy(evidence, "Lower n_components, as the style seems to hold the label."),
    )


def check_overfitting(evidence, labeled, validation):
    """Compare rows of the fit with rows that it has not seen.

    `validation` is a pair: the evidence of these rows, and of the labeled ones among them.
    """
    if validation is None:
        return [not_checked("overfitting", "Pass rows that fit has not seen as X_val.")]
    unseen, labeled_unseen = validation
    findings = [reconstruction_gap(evidence, unseen)]
    if evidence.estimator._classifies and labeled is not None and labeled_unseen is not None:
        findings.append(class_gap(labeled, labeled_unseen))
    return findings


def percent(share):
    """Return a share as text."""
    return f"{round(share, 2) + 0.0:.0%}"  # no -0


def reconstruction_gap(evidence, unseen):
    """Return by how much less of the variance of unseen rows their reconstructions explain."""
    if min(len(evidence.inputs), len(unseen.inputs)) < LEAST_ROWS:
        return not_checked("overfitting", f"It needs at least {LEAST_ROWS} rows of X and X_val.")
    matters = needs_reconstruction(evidence)
    if evidence.variance[1][1] < LEAST_VARIANCE * evidence.known.shape[1]:
        return not_checked("overfitting", ALL_EQUAL)
    # rows in other units than those of X have a larger variance of their own
    variance = statistics.mean_square(evidence.known - evidence.known.mean(axis=0))
    shares = [
        statistics.explained_share(part.known, part.outputs, variance)
        for part in (evidence, unseen)
    ]
    return judged(
        "overfitting",
        shares[0] - shares[1],
        GAP,
        0.0,
        f"Explained variance of X: {percent(shares[0])}, with the errors of X_val "
        f"{percent(shares[1])}.",
        "See that X_val has the units of X. Give more rows, lower n_components or the width of "
        "layers, add input_noise, or use early_stopping."
        if matters
        else NO_NEED,
        matters=matters,
    )


def class_gap(labeled, unseen):
    """Return by how much the accuracy is lower on unseen labeled rows."""
    name = "overfitting classes"
    if min(len(labeled.inputs), len(unseen.inputs)) < LEAST_ROWS:
        return not_checked(name, f"It needs at least {LEAST_ROWS} labels of X and X_val.")
    scores = [
        float((part.targets == part.logits.argmax(axis=1)).mean()) for part in (labeled, unseen)
    ]
    return judged(
        name,
        scores[0] - scores[1],
        CLASS_GAP,
        0.0,
        f"Gap in accuracy: {scores[0]:.0%} on labeled rows of X, {scores[1]:.0%} on X_val.",
        "Give more labels, or use early_stopping.",
    )
