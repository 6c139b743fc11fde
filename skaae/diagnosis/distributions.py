"""Checks of the codes as a whole: prior, discriminators, empty components and clusters."""

from __future__ import annotations

import numpy as np

from skaae.diagnosis import statistics
from skaae.diagnosis.evidence import FEW_ROWS, remedy
from skaae.diagnosis.report import judged, not_checked

DISTANCE = 0.75  # of one dimension of the codes from the prior
ENERGY = 0.09  # energy distance of the codes from the prior
STRONG = 0.6  # advantage of a discriminator
DEAD = 0.05  # the same, if codes differ from the prior
EMPTY_SHARE = 0.45  # of a prior, in components without codes
# A component with this share of its expected rows, or less, is empty.
EMPTY = 0.1
LEAST_EXPECTED = 5  # rows of a component; fewer may be missing by chance
LEAST_ROWS = 30  # fewer say little about a distribution
# A dimension with less than this share of the prior's standard deviation is the same for all rows.
CONSTANT = 0.05

LONGER = "Raise max_iter, or adversarial_learning_rate of the solver."
HEAVIER = "Raise max_iter, or regularizer_weight."
NO_NEED = "Nothing, unless you draw codes from the prior."


def needs_prior(evidence):
    """Return whether the codes of an estimator have to follow the prior for what it is used for.

    Outliers need not; nor do styles that `sample` draws from those of each class or cluster.
    """
    estimator = evidence.estimator
    outliers = hasattr(estimator, "offset_")
    return not (outliers or getattr(estimator, "_draws_own_styles", False))


def reason_against(evidence):
    """Return why codes cannot be compared with the prior, or None."""
    if not evidence.follows_prior:
        return "The codes of this model need not follow a prior."
    if len(evidence.styles) < LEAST_ROWS:
        return f"It needs at least {LEAST_ROWS} rows."
    return None


def check_prior(evidence):
    """Compare codes with samples of the prior, in each dimension and jointly."""
    names = ("prior by dimension", "prior jointly")
    reason = reason_against(evidence)
    if reason is not None:
        return [not_checked(name, reason) for name in names]
    matters, codes, samples = needs_prior(evidence), evidence.styles, evidence.prior_samples
    adversarial = "style" in evidence.step.networks.discriminators
    advice = remedy(evidence, LONGER if adversarial else HEAVIER)
    distances = statistics.distances_by_dimension(codes, samples)
    scales = statistics.scales_of(samples)
    shifts = (codes.mean(axis=0) - samples.mean(axis=0)) / scales
    deviations, worst = codes.std(axis=0) / scales, int(distances.argmax())
    n_constant = int((deviations < CONSTANT).sum())
    message = (
        f"Distance of the worst dimension ({worst}) from the prior, in standard deviations: mean "
        f"{shifts[worst]:+.2f}, standard deviation {deviations[worst]:.2f}."
    )
    if n_constant:
        message += f" {n_constant} of {len(deviations)} dimensions are the same for all rows."
    by_dimension = judged(
        names[0],
        distances[worst],
        DISTANCE,
        0.0,
        message,
        advice if matters else NO_NEED,
        matters=matters,
        details={"distances": distances, "mean_shifts": shifts, "standard_deviations": deviations},
    )
    correlations = [statistics.largest_correlation(z) for z in (codes, samples)]
    jointly = judged(
        names[1],
        joint_distance(evidence),
        ENERGY,
        0.0,
        "Energy distance from the prior, 0 to 1. Largest correlation of dimensions: "
        f"{correlations[0]:.2f} (prior: {correlations[1]:.2f}).",
        f"New rows will differ from X. {advice}" if matters else NO_NEED,
        matters=matters,
        details={"correlation": correlations[0], "correlation_of_prior": correlations[1]},
    )
    return [by_dimension, jointly]


def joint_distance(evidence):
    """Return the energy distance of codes from the prior.

    If each class has its own component of the prior, it is the mean over rows of the distance of
    their class, over classes with enough rows.
    """
    few = slice(FEW_ROWS)
    codes, samples = evidence.styles[few], evidence.prior_samples[few]
    if evidence.own_components is None:
        return statistics.energy_distance(codes, samples)
    classes = evidence.own_components[few]
    kinds, counts = np.unique(classes, return_counts=True)
    kinds, counts = kinds[counts >= LEAST_ROWS], counts[counts >= LEAST_ROWS]
    if len(kinds) == 0:
        return statistics.energy_distance(codes, samples)
    found = [
        statistics.energy_distance(codes[classes == kind], samples[classes == kind])
        for kind in kinds
    ]
    return float(np.average(found, weights=counts))


def check_discriminators(evidence):
    """Check that no discriminator is too strong, and that none misses what differs."""
    discriminators = dict(evidence.step._active_discriminators())
    if len(evidence.inputs) < LEAST_ROWS or not discriminators:
        reason = f"It needs at least {LEAST_ROWS} rows." if discriminators else "There is none."
        return [not_checked("discriminator", reason)]
    matters, findings = needs_prior(evidence), []
    for name in discriminators:
        advantage = statistics.discriminator_advantage(*evidence.discriminator_logits(name))
        strong = judged(
            f"{name} discriminator",
            advantage,
            STRONG,
            0.0,
            f"Its output for samples of the prior minus that for the {name} of rows; 0 is chance.",
            f"It is too strong. {remedy(evidence, LONGER)}" if matters else NO_NEED,
            matters=matters,
        )
        findings.append(strong)
        if name == "style":
            findings.append(dead_finding(evidence, advantage, matters))
    return findings


def dead_finding(evidence, advantage, matters):
    """Return whether the discriminator of the style sees that codes differ from the prior."""
    name = "discriminator alive"
    distances = statistics.distances_by_dimension(evidence.styles, evidence.prior_samples)
    if distances.max() <= DISTANCE and joint_distance(evidence) <= ENERGY:
        return not_checked(name, "Codes follow the prior, so the discriminator has nothing to see.")
    return judged(
        name,
        advantage,
        DEAD,
        1.0,
        "Output of the discriminator for samples minus that for codes, which differ; 0 is chance.",
        f"The discriminator is dead. {remedy(evidence, LONGER)}" if matters else NO_NEED,
        matters=matters,
    )


def check_components(evidence):
    """Look for components of the prior, of classes and of clusters that have no rows."""
    findings = []
    prior = evidence.settings.priors["style"]
    n_components = prior.count_components() if reason_against(evidence) is None else 0
    if n_components > 1:
        findings.append(prior_components(evidence, n_components))
    label = evidence.blocks.get("label")
    if label is None or not label.latent:
        return findings
    if hasattr(evidence.estimator, "_merged"):
        return [*findings, clusters(evidence)]
    if not hasattr(evidence.estimator, "classes_") or label.components_per_class > 1:
        findings.append(label_components(evidence))
    return findings


def prior_components(evidence, n_components):
    """Return which share of the prior lies in components without codes."""
    samples, components = evidence.component_samples(n_components)
    shares, expected = (
        statistics.shares_by_component(z, samples, components, n_components)
        for z in (evidence.styles, evidence.prior_samples)
    )
    countable = expected * len(evidence.styles) >= LEAST_EXPECTED
    empty = countable & (shares <= EMPTY * expected)
    return judged(
        "empty prior components",
        expected[empty].sum(),
        EMPTY_SHARE,
        0.0,
        f"Share of the prior in components without codes ({empty.sum()} of {n_components}).",
        remedy(evidence, "Use a prior with fewer components, or raise adversarial_learning_rate."),
        details={"shares": shares, "expected": expected},
    )


def clusters(evidence):
    """Return which share of the clusters asked for has no rows."""
    wanted = evidence.estimator._frozen["n_clusters"]
    found = evidence.estimator._merged.probabilities(evidence.logits).argmax(axis=1)
    counts = np.bincount(found, minlength=wanted)
    n_empty = int((counts == 0).sum())
    return judged(
        "empty clusters",
        n_empty / len(counts),
        0.5 / len(counts),  # less than one cluster
        0.0,
        f"Share of empty clusters: {n_empty} of n_clusters={wanted}.",
        "Lower n_clusters, or set init, max_iter and learning rates to 'auto'.",
        details={"rows": counts},
    )


def label_components(evidence):
    """Return which share of the components of classes, or of heads, has no rows."""
    size = evidence.blocks["label"].size
    counts = np.bincount(evidence.groups, minlength=size)
    n_empty = int((counts == 0).sum())
    return judged(
        "empty components",
        n_empty / size,
        0.5,
        0.0,
        f"Share of components of the label without rows: {n_empty} of {size}.",
        "Use fewer components_per_class or n_clusters, or train longer.",
        details={"rows": counts},
    )
