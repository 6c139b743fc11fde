"""The numbers of the checks, as functions of arrays; they know no estimator.

They are effect sizes, not p-values: a p-value falls with the number of rows, however small the
difference is.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import expit
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# Trees of the forest that judges labels, and nearest labeled rows that vote beside it.
N_TREES, N_VOTERS = 100, 5
# A label is likely wrong if it gets at most this share of the votes of trees that have not seen
# the row, and another one at least that share.
LEAST_SUPPORT, MOST_SUPPORT = 0.25, 0.6
# Parts of the rows of a cross-validation.
N_FOLDS = 5
# The share of the epochs that a loss is averaged over.
ENDS = 0.1
# Fewer epochs have no course to speak of.
LEAST_EPOCHS = 5
TINY = np.finfo(float).tiny


def distances_by_dimension(codes, samples):
    """Return the Wasserstein distance of each dimension, in standard deviations of the samples.

    Codes and samples have the same shape (n_rows, n_dimensions). A shift of the mean by one
    standard deviation is a distance of 1. If all codes are the mean of a normal prior, it is 0.8.
    """
    gaps = np.abs(np.sort(codes, axis=0) - np.sort(samples, axis=0)).mean(axis=0)
    return gaps / scales_of(samples)


def scales_of(samples):
    """Return the standard deviation of each dimension, float64 and above 0."""
    return np.maximum(samples.std(axis=0, dtype=float), TINY)


def energy_distance(codes, samples):
    """Return the energy distance of two samples, (n, d) and (m, d), relative to its largest value.

    It is 0 for equal distributions, and 1 for two different points (Székely and Rizzo, 2013). The
    estimate is unbiased up to the normalization, so it can be slightly below 0.
    """
    n, m = len(codes), len(samples)
    between = cdist(codes, samples).mean()
    within_codes = cdist(codes, codes).sum() / max(n * (n - 1), 1)
    within_samples = cdist(samples, samples).sum() / max(m * (m - 1), 1)
    return float((2.0 * between - within_codes - within_samples) / max(2.0 * between, TINY))


def largest_correlation(codes):
    """Return the largest absolute correlation between two dimensions; 0 for one dimension."""
    codes = codes.astype(float)  # squares of tiny numbers would vanish in float32
    varied = codes[:, codes.std(axis=0) > 0.0]
    if varied.shape[1] < 2:
        return 0.0
    return float(np.abs(np.triu(np.corrcoef(varied.T), k=1)).max())


def discriminator_advantage(of_samples, of_codes):
    """Return the mean probability that a discriminator gives samples, minus that it gives codes.

    Both arguments are logits. It is 0 at chance, and 1 if the discriminator is always sure and
    right. Below 0 it has not yet followed the encoder.
    """
    return float(expit(of_samples).mean() - expit(of_codes).mean())


def shares_by_component(codes, samples, components, n_components):
    """Return the share of codes that lie nearest to each component of a prior, (n_components,).

    `components` (n_samples,) are the components that the samples were drawn from.
    """
    voters = KNeighborsClassifier(min(N_VOTERS, len(samples)), n_jobs=1).fit(samples, components)
    return np.bincount(voters.predict(codes), minlength=n_components) / len(codes)


def told_share(codes, targets):
    """Return how well codes (n_rows, n_dimensions) tell the class: 0 is chance, 1 is always right.

    It is the accuracy of a logistic regression on rows that it has not seen, beyond the share of
    the largest class. `targets` (n_rows,) are class indices, with at least N_FOLDS rows of each.
    """
    chance = np.unique(targets, return_counts=True)[1].max() / len(targets)
    judge = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    accuracy = cross_val_score(judge, codes.astype(float), targets, cv=N_FOLDS).mean()
    return float((accuracy - chance) / (1.0 - chance))


def explained_share(targets, outputs, variance):
    """Return the share of a variance, the mean squared distance of rows, that is not in errors."""
    return 1.0 - mean_square(targets - outputs) / max(variance, TINY)


def principal_variance(targets, groups, n_components):
    """Return the variance of rows within groups, and the part that principal components explain.

    The groups (n_rows,) are indices. A variance is the mean squared distance, over all columns.
    """
    centred = np.array(targets, dtype=float)
    for group in np.unique(groups):
        members = groups == group
        centred[members] -= centred[members].mean(axis=0)
    squares = np.square(np.linalg.svd(centred, compute_uv=False)) / len(centred)
    return float(squares.sum()), float(squares[:n_components].sum())


def mean_square(differences):
    """Return the mean squared length of rows of differences."""
    return float(np.square(differences, dtype=float).sum(axis=1).mean())


def wrong_labels(X, targets, seed):
    """Return the indices of rows whose class differs from what other rows say.

    Two judges must agree on another class for the row: most votes of a random forest whose trees
    have not seen the row, and the majority of its nearest other rows.

    Parameters
    ----------
    X : (n_rows, n_features), all with a label.
    targets : (n_rows,) class indices.
    seed : of the forest.
    """
    classes, targets = np.unique(targets, return_inverse=True)
    voters = KNeighborsClassifier(min(N_VOTERS, len(X) - 1), n_jobs=1).fit(X, targets)
    nearby = targets[voters.kneighbors(return_distance=False)]  # (n_rows, n_voters)
    votes = np.stack([(nearby == k).mean(axis=1) for k in range(len(classes))], axis=1)
    forest = RandomForestClassifier(N_TREES, oob_score=True, random_state=seed, n_jobs=1)
    support = np.nan_to_num(forest.fit(X, targets).oob_decision_function_)
    other, rows = support.argmax(axis=1), np.arange(len(X))
    return np.flatnonzero(
        (support[rows, targets] <= LEAST_SUPPORT)
        & (support[rows, other] >= MOST_SUPPORT)
        & (votes[rows, other] > 0.5)
    )


def late_share(losses, without_model=0.0):
    """Return which share of the whole fall of a loss came in the second half of its epochs.

    Losses (n_epochs,) may have NaN. The middle and the last value are means over a tenth of the
    epochs. The fall is counted from the first loss, or from `without_model`, the loss of a model
    that predicts the mean, if that is larger. Return None if there are too few epochs to say, or if
    the loss has not fallen.
    """
    losses = np.asarray(losses, dtype=float)
    losses = losses[np.isfinite(losses)]
    if len(losses) < LEAST_EPOCHS:
        return None
    width = max(1, round(ENDS * len(losses)))
    start = len(losses) // 2 - width // 2
    middle, last = losses[start : start + width].mean(), losses[-width:].mean()
    whole = max(losses[0], without_model) - last
    return float((middle - last) / whole) if whole > 0.0 else None
