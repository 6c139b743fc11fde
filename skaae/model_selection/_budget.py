"""How many labels each class keeps, and which."""

from __future__ import annotations

import numpy as np

from skaae.model_selection._rows import is_integer
from skaae.unlabeled import is_number


def allocate(counts, n_labeled, per_class, classes):
    """Return how many labels each class keeps: its share of `n_labeled`, and at least one.

    Parameters
    ----------
    counts : int ndarray of shape (n_classes,)
        Labels of each class.
    n_labeled : int or float
        Labels to keep: their number, or their share of all labels.
    per_class : bool
        Whether n_labeled is the number of labels of each class.
    classes : ndarray of shape (n_classes,), for error messages
    """
    check_number(n_labeled, per_class)
    if not counts.all():
        raise ValueError(
            f"A training part has no label of the class {classes.tolist()[counts.argmin()]!r}; use "
            "fewer folds, or a cross-validator that stratifies by class."
        )
    if per_class:
        if n_labeled > counts.min():
            rarest = classes.tolist()[counts.argmin()]
            raise ValueError(
                f"{n_labeled} labels of each class are more than the class {rarest!r} has: "
                f"{counts.min()}; use at most {counts.min()}, or per_class=False."
            )
        return np.full(len(counts), n_labeled)
    total = n_labeled
    if not is_integer(n_labeled):
        total = round(n_labeled * counts.sum())
    if not len(counts) <= total <= counts.sum():
        given = "" if total is n_labeled else f" ({n_labeled} of {counts.sum()})"
        raise ValueError(
            f"{total} labels{given} cannot be kept: there must be at least one of each of the "
            f"{len(counts)} classes, and at most {counts.sum()}, as many as there are."
        )
    return _in_proportion(counts, total)


def check_number(n_labeled, per_class):
    """Raise ValueError if n_labeled is neither a number of labels nor, in all, a share of them."""
    if is_integer(n_labeled):
        allowed = n_labeled > 0
    else:
        allowed = not per_class and is_number(n_labeled) and 0.0 < n_labeled <= 1.0
    if allowed:
        return
    raise ValueError(
        f"{n_labeled!r} labels: give an integer above 0"
        + (
            ", the number of labels of each class."
            if per_class
            else ", or a share above 0 and at most 1."
        )
    )


def _in_proportion(counts, total):
    """Divide a total by counts: each share is at least 1 and at most the count."""
    exact = total * counts / counts.sum()
    kept = np.maximum(np.floor(exact).astype(int), 1)
    while kept.sum() < total:  # to the class that is furthest below its exact share
        kept[np.argmax(np.where(kept < counts, exact - kept, -np.inf))] += 1
    while kept.sum() > total:
        kept[np.argmin(np.where(kept > 1, exact - kept, np.inf))] -= 1
    return kept


def draw_order(rng, n_samples):
    """Return a random permutation of rows, drawn with a NumPy RandomState.

    It is not the one that the state itself would draw: `KFold` and `train_test_split` draw that.
    With the same `random_state`, all rows that keep their labels would then be in the same fold.
    """
    return np.random.default_rng(rng.randint(np.iinfo(np.int32).max)).permutation(n_samples)


def choose(targets, kept, order):
    """Return the rows that keep their labels: of each class, the first ones in an order of rows.

    So a larger number of labels contains the rows of a smaller one.

    Parameters
    ----------
    targets : int64 ndarray of shape (n_samples,), -1 where unlabeled
    kept : int ndarray of shape (n_classes,)
        How many labels each class keeps.
    order : int ndarray of shape (n_samples,)
        A permutation of the rows.
    """
    in_order = targets[order]
    rows = [order[in_order == index][:number] for index, number in enumerate(kept)]
    return np.sort(np.concatenate(rows))
