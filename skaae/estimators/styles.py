"""The styles that go with each label: with a normal prior, `sample` draws from these.

In the paper, style and label are independent. In a trained model they are not quite: a style may
say which class it comes from. Such a style would contradict another class that it is decoded with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skaae import inference
from skaae.priors import Gaussian

# Most training rows that the styles are learned from.
MOST_ROWS = 10_000


@dataclass(frozen=True)
class StylesOfLabels:
    """A normal distribution of styles for each label, an entry of the code's label.

    Parameters
    ----------
    means : (n_labels, n_components)
    factors : (n_labels, n_components, n_components), Cholesky factors of the covariances.
    """

    means: np.ndarray
    factors: np.ndarray

    def of(self, labels, noise):
        """Return a style for each label (n,), from standard normal noise (n, n_components)."""
        return self.means[labels] + np.einsum("nij,nj->ni", self.factors[labels], noise)


def fit_styles(styles, labels, n_labels, before=None):
    """Return the `StylesOfLabels` of rows with these styles (n_rows, n_components) and labels.

    A covariance is mixed with that of all rows, which counts as many rows as there are dimensions.
    So a label of few rows has one too. A label without rows keeps its styles of `before`, those of
    earlier rows, or else has the mean of all rows.
    """
    n_components = styles.shape[1]
    styles = styles.astype(float)
    everywhere = np.cov(styles.T, bias=True).reshape(n_components, n_components)
    everywhere += 1e-6 * max(np.trace(everywhere) / n_components, 1e-6) * np.eye(n_components)
    means, factors = [], []
    for label in range(n_labels):
        own = styles[labels == label]
        if not len(own) and before is not None:
            means.append(before.means[label])
            factors.append(before.factors[label])
            continue
        means.append(own.mean(axis=0) if len(own) else styles.mean(axis=0))
        scatter = (own - means[-1]).T @ (own - means[-1])
        mixed = (scatter + n_components * everywhere) / (len(own) + n_components)
        factors.append(np.linalg.cholesky(mixed))
    return StylesOfLabels(np.array(means), np.array(factors))


def learn_styles(step, rows, prior, before=None):
    """Return the `StylesOfLabels` of training rows (`NetworkRows`), or None for other priors.

    `before` are those of earlier rows, where training goes on.
    """
    if not isinstance(prior, Gaussian):
        return None
    index = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).round().astype(int))
    some = rows.select(index)
    label = inference.encode(step, some, "label")
    styles = inference.encode(step, some, "style")
    return fit_styles(styles, label.argmax(axis=1), label.shape[1], before)
