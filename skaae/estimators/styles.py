"""The styles that go with each label: with a normal prior, `sample` draws from these.

In the paper, style and label are independent. In a trained model they are not quite: a style may
say which class it comes from. Such a style would contradict another class that it is decoded with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skaae import inference
from skaae.device import cpu_generator

# Earlier rows of a label count at most as many as this, since the encoder has changed since then.
ROWS_REMEMBERED = 1000


@dataclass(frozen=True)
class StylesOfLabels:
    """A normal distribution of styles for each label, an entry of the code's label.

    Parameters
    ----------
    means : (n_labels, n_components)
    covariances : (n_labels, n_components, n_components)
    n_rows : (n_labels,), how many rows each was learned from, at most ROWS_REMEMBERED.
    """

    means: np.ndarray
    covariances: np.ndarray
    n_rows: np.ndarray

    def of(self, labels, noise):
        """Return a style for each label (n,), from standard normal noise (n, n_components)."""
        styles = np.empty(noise.shape)
        for label in np.unique(labels):
            own = labels == label
            factor = np.linalg.cholesky(self.covariances[label])
            styles[own] = self.means[label] + noise[own] @ factor.T
        return styles


def fit_styles(styles, labels, n_labels, before=None):
    """Return the `StylesOfLabels` of rows with these styles (n_rows, n_components) and labels.

    They are mixed with those of earlier rows, `before`. Where there are none, a covariance is mixed
    with that of all rows, which counts as many rows as there are dimensions. So a label of few rows
    has one too. A label without rows then has the mean of all rows.
    """
    n_components = styles.shape[1]
    styles = styles.astype(float)
    everywhere = np.cov(styles.T, bias=True).reshape(n_components, n_components)
    ridge = 1e-6 * max(np.trace(everywhere) / n_components, 1e-6) * np.eye(n_components)
    everywhere += ridge
    means, covariances, counts = [], [], []
    for label in range(n_labels):
        own = styles[labels == label]
        mean = own.mean(axis=0) if len(own) else styles.mean(axis=0)
        scatter = (own - mean).T @ (own - mean) + len(own) * ridge
        if before is None:
            covariance = (scatter + n_components * everywhere) / (len(own) + n_components)
        else:
            n_before = max(before.n_rows[label], 1)
            n_rows = len(own) + n_before
            apart = (
                len(own)
                * n_before
                / n_rows
                * np.outer(mean - before.means[label], mean - before.means[label])
            )
            covariance = (n_before * before.covariances[label] + scatter + apart) / n_rows
            mean = (n_before * before.means[label] + len(own) * mean) / n_rows
        means.append(mean)
        covariances.append(covariance)
        counts.append(len(own) + (0 if before is None else before.n_rows[label]))
    n_rows = np.minimum(counts, ROWS_REMEMBERED)
    return StylesOfLabels(np.array(means), np.array(covariances), n_rows)


def learn_styles(step, rows, seed, before=None):
    """Return the `StylesOfLabels` of training rows (`NetworkRows`).

    The style of a row is drawn from q(z|x), with a seed. `before` are the styles of earlier rows,
    where training goes on. In a map with heads, a row lies between the heads that its label mixes,
    so its distance from the head of its class is its style here.
    """
    label = inference.encode(step, rows, "label")
    if step.trained.posterior.is_deterministic:
        styles = inference.encode(step, rows, "style")
    else:
        styles = inference.draw_codes(step, rows, 1, cpu_generator(seed))[:, 0]
    own = label.argmax(axis=1)
    heads = getattr(step.trained.decoder.combine, "points", None)
    if heads is not None:
        points = heads.detach().cpu().numpy()
        styles = styles + label @ points - points[own]
    return fit_styles(styles, own, label.shape[1], before)
