"""Regularized information maximization: a linear classifier that unlabeled rows train too.

Gomes, Krause and Perona, "Discriminative clustering by regularized information maximization", 2010.
It is a logistic regression with two more losses on unlabeled rows: the entropy of their classes,
which moves borders to where there are few rows, and the divergence of their mean class from the
class proportions, which keeps all classes.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.kernel_approximation import Nystroem

from skaae.teaching.threads import OneBlasThread

# Weights of the losses beside the mean cross-entropy of the labels.
ENTROPY_WEIGHT = 0.3
BALANCE_WEIGHT = 0.9
# Iterations on the labels alone, from which the minimisation with all losses starts.
SUPERVISED_ITERATIONS = 100
ALL_ITERATIONS = 60
MAX_UNLABELED = 3000  # rows that the two losses use; more say nothing new
N_LANDMARKS = 300  # rows that the kernel compares with


def kernel_features(X, seed):
    """Return features of rows X whose linear functions are functions of a Gaussian kernel."""
    variance = X.var()
    kernel = Nystroem(
        gamma=1.0 / (X.shape[1] * variance) if variance > 0.0 else 1.0,
        n_components=min(N_LANDMARKS, len(X)),
        random_state=seed,
    )
    return kernel.set_output(transform="default").fit_transform(X)  # whatever users have set


def standardized(X):
    """Return rows X centered, as float64, with as much variance in all as they have columns."""
    X = X - X.mean(axis=0, dtype=float)
    variance = np.square(X).mean()
    return X / np.sqrt(variance) if variance > 0.0 else X


def add_constant(X):
    """Return rows X with a column of ones, for the intercept."""
    return np.hstack([X, np.ones((len(X), 1))])


def both_softmax(z):
    """Return the softmax of rows z (n_rows, n_classes), and its logarithm.

    SciPy computes them one by one, and takes twice as long for each.
    """
    z = z - z.max(axis=1, keepdims=True)
    chances = np.exp(z)
    total = chances.sum(axis=1, keepdims=True)
    chances /= total
    z -= np.log(total)
    return chances, z


def fit_linear(labeled, y, unlabeled, proportions, weights=None):
    """Return the weights of the classifier, (n_classes, n_features).

    The last column of labeled rows (n_labels, n_features) and unlabeled rows is the constant; y
    (n_labels,) are the classes of the labeled rows, and `proportions` (n_classes,) those of the
    classes. The ridge penalty is that of `LogisticRegression(C=1)`. Labeled rows may have weights
    (n_labels,).
    """
    n_classes, n_features = len(proportions), labeled.shape[1]
    weights = np.ones(len(y)) if weights is None else weights
    one_hot = np.eye(n_classes)[y] * weights[:, None]
    log_proportions = np.log(np.clip(proportions, 1e-3, None))

    def supervised(flat):
        coefficients = flat.reshape(n_classes, n_features)
        chances, log_chances = both_softmax(labeled @ coefficients.T)
        ridge = coefficients.copy()
        ridge[:, -1] = 0.0
        loss = -(one_hot * log_chances).sum() + 0.5 * np.square(ridge).sum()
        gradient = (weights[:, None] * chances - one_hot).T @ labeled + ridge
        return loss / weights.sum(), gradient.ravel() / weights.sum()

    def with_information(flat):
        loss, gradient = supervised(flat)
        chances, log_chances = both_softmax(unlabeled @ flat.reshape(n_classes, n_features).T)
        entropy = -(chances * log_chances).sum(axis=1, keepdims=True)
        mean = chances.mean(axis=0)
        excess = np.log(np.clip(mean, 1e-12, None)) - log_proportions
        loss += ENTROPY_WEIGHT * entropy.mean() + BALANCE_WEIGHT * (mean @ excess)
        of_entropy = -chances * (log_chances + entropy)
        of_balance = chances * (excess - (chances @ excess)[:, None])
        slope = ENTROPY_WEIGHT * of_entropy + BALANCE_WEIGHT * of_balance
        return loss, gradient + (slope.T @ unlabeled).ravel() / len(unlabeled)

    start = np.zeros(n_classes * n_features)
    for loss, steps in (
        (supervised, SUPERVISED_ITERATIONS),
        (with_information, ALL_ITERATIONS),
    ):
        options = {"maxiter": steps}
        with OneBlasThread():
            start = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x
    return start.reshape(n_classes, n_features)


class InformationMaximization:
    """A member of the committee: the classifier above on rows, or on features of a kernel."""

    prior = 1.0

    def __init__(self, X, seed, *, kernel, weights=None):
        rng = np.random.default_rng(seed)
        self.features = add_constant(standardized(kernel_features(X, seed) if kernel else X))
        self.drawn = rng.permutation(len(X))[:MAX_UNLABELED]
        if weights is not None:
            self.drawn = rng.choice(len(X), len(self.drawn), p=weights / weights.sum())

    def __call__(self, X, targets, wanted, proportions, weights=None):
        """Return the class probabilities of rows X[wanted], (n_wanted, n_classes).

        targets (n_rows,) are class indices, -1 where unlabeled. Rows may have weights (n_rows,).
        """
        given = targets >= 0
        coefficients = fit_linear(
            self.features[given],
            targets[given],
            self.features[self.drawn],
            proportions,
            None if weights is None else weights[given],
        )
        return softmax(self.features[wanted] @ coefficients.T, axis=1)
