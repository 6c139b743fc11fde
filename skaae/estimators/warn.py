"""Warnings of fits: each says what is wrong and what to do."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning

from skaae import inference
from skaae.columns.schema import MixedRows
from skaae.device import cpu_generator
from skaae.estimators.labels import REGRESSION, compare_shares, worst_class
from skaae.estimators.rates import epochs
from skaae.training.loop import SECONDS_BETWEEN_INTERRUPTS, DivergenceError
from skaae.training.ranks import is_first
from skaae.unlabeled import UNLABELED, as_label_array, find_missing, is_auto

# Predicted shares of classes may differ from the assumed ones by this total variation distance.
MOST_DISTANCE = 0.3
# Packages whose frames lie between a warning and the user's code.
OURS = ("skaae", "sklearn", "joblib")
# One epoch for as many of max_iter="auto" is too few.
FEW_EPOCHS = 10
# Numbers with more values than MANY_CLASSES, each in fewer rows than FEW_ROWS, may be quantities.
MANY_CLASSES, FEW_ROWS = 20, 5
# Codes of rows are equal if they vary by less than this share of the prior's standard deviation, or
# of 1 if that is less. So many rows are looked at.
LEAST_SPREAD, MOST_COMPARED = 0.01, 200
# Samples of a prior whose mean or standard deviation is beyond these are hard to follow. The mean
# is in standard deviations, or absolute if they are below 1.
MOST_MEAN_OF_PRIOR, DEVIATIONS_OF_PRIOR = 5.0, (0.02, 50.0)
# Names of classes that people often give to rows without a label, in lower case.
MARKERS = {"", "?", "-", "--", ".", "unknown", "unlabeled", "unlabelled", "missing", "undefined"}
MARKERS |= {"nan", "none", "null", "na", "n/a", "<na>", "nat"}
# The shares among fewer unlabeled rows say little, and so do the medians of columns.
LEAST_ROWS = 20
# Rows that are compared, and the ratio of deviations that other units have.
ROWS_COMPARED, OTHER_SCALE = 1_000, 4.0
# First clusters are balanced if the smallest has this share of an equal one. A cluster is nearly
# lost if it has less than this share of the rows of the smallest first cluster.
BALANCED, NEARLY_LOST = 0.25, 0.2
# A column with this share of rare categories among its rows says nearly nothing.
MOST_RARE = 0.95


def user(message, category):
    """Warn, and name the line of the user's code that called the package.

    If several processes train together, only the first one warns.
    """
    if not is_first():
        return
    frame: Any = sys._getframe(1)
    level = 2
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in OURS:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def about_divergence(error, settings):
    """Return what became infinite or not a number, in which epoch, and what to change."""
    adam = ", use solver='adam'" if settings.solver == "sgd" else ""
    names = {
        "reconstruction": "reconstruction_learning_rate",
        "generator": "adversarial_learning_rate",
        "classification": "classification_learning_rate",
        "virtual_adversarial": "the learning_rate of virtual_adversarial",
    }
    rates = [name for phase, name in names.items() if phase in settings.rates]
    reason = (
        f"Training diverged: {error}. Lower {', '.join(rates)}{adam}, or use scaling='auto' and "
        "max_gradient_norm=10."
    )
    if settings.augment is not None:
        reason += " Check that augment returns finite rows in the units of X."
    return reason


def of_divergences(errors, run, settings):
    """Warn that epochs diverged, and were repeated with lower learning rates.

    `errors` are pairs of what diverged, and the epoch.
    """
    reason = about_divergence(DivergenceError(*errors[-1]), settings)
    user(
        f"{reason} The epoch was repeated from the weights before it, and all learning rates were "
        f"{run.slowdown:.3g} times as high from there on.",
        ConvergenceWarning,
    )


def of_no_checkpoint(path, error):
    """Warn that the state of a fit cannot be saved."""
    user(
        f"The checkpoint {str(path)!r} could not be written: {error}. The fit goes on. "
        "If it is killed, the same fit starts from the last checkpoint that was written.",
        UserWarning,
    )


def of_channels_first(shape):
    """Warn of an image_shape that seems to be in PyTorch's order."""
    channels, height, width = shape
    user(
        f"image_shape={shape} means images of {channels} x {height} pixels with {width} channels. "
        "If its first number counts channels, give rows with the channels last, by "
        "np.moveaxis(images, 1, 3).reshape(len(images), -1), and "
        f"image_shape=({height}, {width}, {channels}).",
        UserWarning,
    )


def of_interrupt(n_epochs, n_planned):
    """Warn that the user ended a fit after so many epochs."""
    user(
        f"Training was interrupted. The model was trained for {n_epochs} of {n_planned} epochs. "
        f"To stop at once and leave the estimator as it was, interrupt twice within "
        f"{SECONDS_BETWEEN_INTERRUPTS:.0f} seconds.",
        UserWarning,
    )


def of_few_epochs(estimator, run, n_rows, *, partial):
    """Warn if max_iter is a small part of the epochs that "auto" would train on n_rows rows."""
    auto = epochs("auto", n_rows, run.batch_size, estimator._recipe)
    chosen = not (partial or estimator.warm_start or isinstance(estimator.max_iter, str))
    if not chosen or FEW_EPOCHS * run.n_planned >= auto:
        return
    user(
        f"max_iter={estimator.max_iter} is too small: 'auto' would train {auto} epochs on {n_rows} "
        "rows. Raise max_iter, or leave it out.",
        ConvergenceWarning,
    )


def of_collapse(estimator, rows, run, n_rows, start=None):
    """Warn if training rows, `NetworkRows` of n_rows, are in one cluster, or cannot be told apart.

    Rows cannot be told apart if they have the same probabilities of classes, or without classes the
    same code. Also warn if a cluster has lost nearly all rows that it had before training, in
    `start`. After few epochs this is no surprise, so it is not said. If the prior is far from unit
    scale, only that is said.
    """
    prior, size = estimator._settings.priors["style"], estimator._settings.n_components
    samples = prior.sample(MOST_COMPARED, size, generator=cpu_generator(0)).numpy()
    if estimator._step.is_regularized and of_far_prior(samples):
        return
    part = estimator.n_iter_ / epochs("auto", n_rows, run.batch_size, estimator._recipe)
    some = rows.select(np.unique(np.linspace(0, len(rows) - 1, MOST_COMPARED).astype(int)))
    if FEW_EPOCHS * part < 1.0 or not (some[:].std(axis=0) > 0.0).any():
        return
    if getattr(estimator, "n_clusters_", None) == 1 < estimator.n_clusters:
        user(
            f"All rows are in one cluster, but n_clusters={estimator.n_clusters}. Scale X so that "
            "neither a column nor a few rows drown the others, such as by QuantileTransformer. If "
            "you have changed init, max_iter or learning rates, set them to 'auto'. "
            "skaae.diagnose says more.",
            ConvergenceWarning,
        )
    elif start is not None and hasattr(estimator, "n_clusters_"):  # a map may have empty heads
        of_lost_cluster(estimator, np.bincount(start.labels))
    label = estimator._settings.architecture.blocks.get("label")
    if label is not None and label.latent:
        if hasattr(estimator, "classes_"):
            of_same_answer(softmax(inference.logits(estimator._step, some), axis=1))
        return
    if part < 0.5:
        return
    codes = inference.encode(estimator._step, some, "style")
    if (codes.std(axis=0) < LEAST_SPREAD * samples.std(axis=0).clip(max=1.0)).all():
        user(
            "All rows have the same code, so codes say nothing about the rows. Lower "
            "adversarial_learning_rate, or set it to 'auto'. skaae.diagnose says more.",
            ConvergenceWarning,
        )


def of_far_prior(samples):
    """Return whether samples of a prior are far from mean 0 or variance 1, and warn if so."""
    mean, deviation = samples.mean(axis=0), samples.std(axis=0)
    narrow, wide = DEVIATIONS_OF_PRIOR
    far = np.abs(mean) > MOST_MEAN_OF_PRIOR * np.maximum(deviation, 1.0)
    far |= (deviation > wide) | (deviation < narrow)
    if far.any():
        k = int(np.argmax(far))
        user(
            f"Samples of the prior have a mean of {mean[k]:.3g} and a standard deviation of "
            f"{deviation[k]:.3g} in dimension {k}. Training needs about 0 and 1, so codes and new "
            "rows hardly follow this prior. Give a prior with mean 0 and standard deviation 1, and "
            "shift and scale the codes yourself.",
            UserWarning,
        )
    return bool(far.any())


def of_same_answer(probabilities):
    """Warn if all rows have the same probabilities of the classes, (n_rows, n_classes)."""
    if (probabilities.std(axis=0) < LEAST_SPREAD).all():
        user(
            "The model predicts class probabilities that are the same for all rows, so it has "
            "learned nothing of the classes. Try solver='adam', or fewer columns: drop ids, and "
            "merge rare categories. If you have changed max_iter or learning rates, set them to "
            "'auto'. skaae.diagnose says more.",
            ConvergenceWarning,
        )


def of_lost_cluster(estimator, before):
    """Warn if a cluster has few rows or none, although the first clusters had similar sizes.

    `before` are the numbers of rows of the first clusters.
    """
    wanted, smallest = estimator.n_clusters, before.min()
    balanced = smallest * len(before) >= BALANCED * before.sum()
    sizes = np.bincount(estimator.labels_, minlength=wanted)
    if len(before) == wanted and balanced and sizes.min() < NEARLY_LOST * smallest:
        remedy = (
            "The networks could not tell its rows from others: spread the values of skewed columns "
            "by logarithms or QuantileTransformer, or give another n_clusters."
            if estimator.init == "auto"
            else "Lower adversarial_learning_rate and set batch_norm='auto', or set init='auto', "
            "which keeps the first clusters."
        )
        user(
            f"Training has emptied a cluster: the clusters have {sizes.tolist()} rows, and "
            f"{before.tolist()} had the first ones, in another order. {remedy}",
            ConvergenceWarning,
        )


def of_no_unlabeled(classes, targets):
    """Warn if all rows have a label: a marker may have become a class.

    The warning names the class that looks like a marker, or else the most frequent one.
    """
    if not (targets >= 0).all():
        return
    names = classes.tolist()
    shares = np.bincount(targets, minlength=len(names)) / len(targets)
    marker = next((k for k, name in enumerate(names) if looks_like_marker(name)), None)
    which = int(shares.argmax()) if marker is None else marker
    looks = "is the most frequent one" if marker is None else "looks like a marker"
    found = (
        f"The class {names[which]!r} of {shares[which]:.1%} of the rows {looks}: if it marks the "
        f"rows without a label, set unlabeled_label={names[which]!r}. Or a"
    )
    user(
        "y has no unlabeled row, and X_unlabeled has none. If all rows have labels, set "
        f"unlabeled_label=None. {'A' if classes.dtype.kind == 'b' else found} tool of scikit-learn "
        "may have turned the marker into a class: give the tool labeled rows only, and pass it the "
        "others as X_unlabeled.",
        UserWarning,
    )


def looks_like_marker(label):
    """Return whether a class has a name that people give to rows without a label."""
    return isinstance(label, str) and label.strip().lower() in MARKERS


def of_markers(estimator, y, targets):
    """Warn if y marks rows with -1, which may be a class, beside a table of unlabeled rows."""
    if not is_auto(estimator.unlabeled_label):
        return
    n_marked = int((targets < 0).sum() - find_missing(as_label_array(y)).sum())
    if n_marked:
        user(
            f"y holds -1 in {n_marked} rows, which are read as unlabeled like those of "
            "X_unlabeled. Set unlabeled_label=-1 to silence this warning, or unlabeled_label=None "
            "if -1 is a class.",
            UserWarning,
        )


def of_other_units(X, others, name):
    """Warn if most columns that vary in X lie elsewhere in other rows, or on another scale.

    `name` is the argument that holds the other rows. Sparse tables, those on disk and those of few
    rows are not compared.
    """
    tables = [rows.numbers if isinstance(rows, MixedRows) else rows for rows in (X, others)]
    if any(not isinstance(t, np.ndarray) or not t.size or len(t) < LEAST_ROWS for t in tables):
        return
    tables = [table[:: max(1, len(table) // ROWS_COMPARED)] for table in tables]
    with warnings.catch_warnings():  # columns of gaps only
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanmin(tables[0], axis=0), np.nanmax(tables[0], axis=0)
        middle = np.nanmedian(tables[1], axis=0)
        ratio = typical_deviation(tables[1]) / typical_deviation(tables[0])
    elsewhere = (middle < low) | (middle > high)
    other = elsewhere | (ratio > OTHER_SCALE) | (ratio < 1.0 / OTHER_SCALE)
    varies = high > low
    if other[varies].sum() > 0.5 * varies.sum():
        user(
            f"In {other[varies].sum()} of {varies.sum()} columns that vary, the values of {name} "
            "lie outside the range of X or are on another scale, so they seem to be in other "
            f"units. A Pipeline transforms {name} as it does X only with "
            f"transform_input=[{name!r}].",
            UserWarning,
        )


def typical_deviation(table):
    """Return the median distance of a column's values from its median, without those equal to it.

    So a column that is mostly 0 has the size of its other values, however rare they are.
    """
    distances = np.abs(table - np.nanmedian(table, axis=0))
    return np.nanmedian(np.where(distances > 0.0, distances, np.nan), axis=0)


def of_no_effect(name, value, why):
    """Warn that the value of a parameter has no effect, because of another one."""
    user(f"{name}={value!r} has no effect, because {why}.", UserWarning)


def of_weightless(classes, targets, used):
    """Warn of classes whose labeled rows all have weight 0; `used` says which rows have not."""
    lost = np.setdiff1d(targets[targets != UNLABELED], targets[used])
    if len(lost):
        user(
            f"sample_weight is 0 for all labeled rows of the classes {classes[lost].tolist()}, so "
            "the model learns nothing of these classes. Leave their rows out, or give some of them "
            "a weight above 0.",
            UserWarning,
        )


def of_far_rows(table, rows):
    """Warn if rows of a fit that goes on are far from the first rows, which gave the scaling."""
    found = table.describe_far(rows)
    if found:
        user(found, UserWarning)


def of_new_gaps(table, rows):
    """Warn if rows of a fit that goes on have gaps in columns that had none in the first rows."""
    names = table.columns_with_new_gaps(rows)
    if names:
        shown = ", ".join(repr(name) for name in names[:5])
        user(
            f"{len(names)} columns of X, such as {shown}, have missing values now but had none in "
            "the rows from which the columns were learned. Training takes each of them for the "
            "value that stands in its place, such as the mean. Fit a new estimator, whose first "
            "rows have gaps in these columns too, or fill them.",
            UserWarning,
        )


def of_unknown_categories(table, rows):
    """Warn if a column of categories has many values, and none that the training rows had."""
    for name, value in table.unknown_columns(rows) if rows.shape[0] >= LEAST_ROWS else ():
        user(
            f"No value of column {name!r} was in the training rows, such as {value!r}. So the "
            "column says nothing about these rows. Check its spelling and coding.",
            UserWarning,
        )


def of_lost_columns(table, n_rows):
    """Warn of columns whose categories are nearly all rare, as ids are: all are read as the same.

    `table` is the `Table` learned from n_rows training rows.
    """
    if table.categories is None:
        return
    found = []
    for column, (name, groups) in enumerate(
        zip(table.names_of_categories, table.categories.values, strict=True)
    ):
        if table.categories.share_of_rare(column) < MOST_RARE:
            continue
        found.append(f"column {name!r} has {sum(map(len, groups))} different values")
        if all(is_number(value) for group in groups for value in group.tolist()):
            found[-1] += ", which are numbers written as text or named as categories"
    if found:
        user(
            f"In {n_rows} rows, {'; '.join(found)}. Nearly all of these values are rare, and rare "
            "values are read as one and the same. So the model learns nothing from them, and new "
            "rows get values of training rows. Drop columns of names, ids or free text. Turn "
            "columns of numbers into numbers, such as with astype(float). If the values repeat "
            "themselves, set Categories(min_frequency=None) as categorical_features.",
            UserWarning,
        )


def is_number(value):
    """Return whether a category is a number, or a text that can be read as one."""
    try:
        float(str(value).replace(",", "."))
    except ValueError:
        return False
    return True


def of_shares(estimator, y, labeled, weights=None):
    """Warn if the classes predicted for unlabeled rows have other shares than was assumed.

    `labeled` (n_samples,) says which rows of the fit have a label: those of y, and rows of
    X_unlabeled behind them. Rows may have weights.
    """
    if (~labeled).sum() < LEAST_ROWS or estimator.class_weight is not None:
        return
    predicted = np.searchsorted(estimator.classes_, estimator.transduction_[~labeled])
    assumed = estimator.class_prior_
    own = np.ones(len(predicted)) if weights is None else weights[~labeled]
    if not own.any():
        return
    shares, missing, distance = compare_shares(predicted, assumed, own)
    if not (missing.any() or distance > MOST_DISTANCE):
        return
    worst = worst_class(shares, missing, assumed)
    hint = ""
    if may_have_lost_a_class(estimator, as_label_array(y).ravel(), len(labeled)):
        hint = " If -1 is a class of y and no marker, set unlabeled_label=None."
    user(
        f"The model predicts class {estimator.classes_[worst]} for {shares[worst]:.1%} of the "
        f"unlabeled rows, but class_prior={estimator.class_prior!r} assumes {assumed[worst]:.1%}. "
        "If the labeled rows have other class proportions than all rows, pass those of all rows as "
        "class_prior. If they have the same, the predictions are poor: give more labels, or train "
        f"longer if max_iter is small.{hint}",
        UserWarning,
    )


def may_have_lost_a_class(estimator, y, n_rows):
    """Return whether the -1 that marks unlabeled rows of y may be a class, as with -1, 0 and 1."""
    if not is_auto(estimator.unlabeled_label) or len(y) < n_rows or find_missing(y).any():
        return False
    classes = estimator.classes_
    return classes.dtype.kind in "if" and (classes.min() < 0 or classes.tolist() == [0, 1])


def of_quantities(classes, targets):
    """Warn if the labels of all rows are numbers with many values, each of which few rows have."""
    numbers_only = classes.dtype.kind in "iuf" and not (targets == UNLABELED).any()
    if numbers_only and MANY_CLASSES < len(classes) > len(targets) / FEW_ROWS:
        user(
            f"y has {len(classes)} different numbers in {len(targets)} rows, and each is read as a "
            f"class. If they are quantities, {REGRESSION}. If they are classes, make them text to "
            "silence this warning: y.astype(str).",
            UserWarning,
        )
