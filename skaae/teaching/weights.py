"""Weights of classifiers in a committee, from their probabilities of rows they have not seen."""

from __future__ import annotations

import numpy as np

TEMPERATURES = np.geomspace(0.25, 4.0, 17)
# A temperature of e costs as much as this loss of the log-likelihood: few labels change it little.
PRIOR_OF_TEMPERATURE = 2.0
# As if the members had predicted this many labels more, in proportion to their prior weights.
PRIOR_LABELS = 3.0
N_ITERATIONS = 200
LEAST = 1e-4  # least probability: one confident error does not exclude a member


def with_temperature(probabilities, temperature):
    """Return probabilities (n_rows, n_classes) after dividing their logarithms by a temperature."""
    logits = np.log(np.clip(probabilities, 1e-6, None)) / temperature
    found = np.exp(logits - logits.max(axis=1, keepdims=True))
    return found / found.sum(axis=1, keepdims=True)


def best_temperature(probabilities, y, importance):
    """Return the temperature with which the probabilities (n, n_classes) of classes y fit best.

    `importance` (n,) is the weight of each label, 1 on average.
    """
    rows = np.arange(len(y))

    def loss(temperature):
        chances = with_temperature(probabilities, temperature)[rows, y]
        likelihood = importance @ np.log(np.clip(chances, LEAST, None))
        return PRIOR_OF_TEMPERATURE * np.log(temperature) ** 2 - likelihood

    return min(TEMPERATURES, key=loss)


def member_weights(chances, importance, prior):
    """Return the weight of each member, (n_members,), summing to 1.

    `chances` (n_labels, n_members) are the probabilities that members gave to the right class, and
    `importance` (n_labels,) are the weights of the labels, 1 on average. `prior` (n_members,) are
    the weights without any label, relative to each other. The weights of the members maximise the
    likelihood of their weighted mean, found by expectation maximization.
    """
    prior = prior / prior.sum()
    weights = prior
    chances = np.clip(chances, LEAST, None)
    for _ in range(N_ITERATIONS):
        shares = chances * weights
        shares /= shares.sum(axis=1, keepdims=True)
        weights = importance @ shares + PRIOR_LABELS * prior
        weights /= weights.sum()
    return weights
