"""Three mixins for estimators that use classes.

`ReadsClasses` turns y into class indices and keeps `classes_`. `MayReadClasses` does so if
use_labels=True. `DrawsClasses` decodes and samples rows of a given class or cluster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skaae import inference
from skaae.clustering.merge import largest_components
from skaae.columns import frames
from skaae.columns.network_rows import NetworkRows
from skaae.estimators import warn
from skaae.estimators.fitting import Validation, given_validation
from skaae.estimators.labels import (
    UNLABELED,
    class_proportions,
    encode_labels,
    label_block,
    lookup_labels,
    one_hot,
)
from skaae.estimators.parameters import make_cpu_generator
from skaae.estimators.rows import check_codes
from skaae.estimators.styles import learn_styles
from skaae.priors import Categorical, Gaussian
from skaae.priors._prior import same


class ReadsClasses:
    """Turns y into class indices, -1 where unlabeled, and keeps the classes."""

    # Attributes of the base class of all estimators.
    unlabeled_label: Any
    warm_start: bool
    classes_: Any

    # The smallest number of classes that the estimator can be trained with.
    _min_classes = 2
    # The value for estimators without this parameter.
    class_prior = "labeled"

    def _marker(self):
        """Return the value of y that marks an unlabeled row."""
        return self.unlabeled_label

    def _read_classes(self, X, y, weights=None):
        """Return the class indices of the rows passed to `fit`, which may have weights."""
        classes, targets = encode_labels(
            y,
            self._marker(),
            estimator_name=type(self).__name__,
            needs_labels=self._min_classes > 0,
        )
        check_consistent_length(X, targets)
        warn.of_quantities(classes, targets)
        self._set_classes(classes, targets, weights)
        return targets

    def _read_more_classes(self, X, y, classes, *, first, weights=None):
        """Return the class indices of the rows passed to `partial_fit`; classes may be None."""
        name, hint = type(self).__name__, ""
        if first:
            hint = (
                " The first call of partial_fit must know all classes of later calls too: pass "
                "them as classes=[...]."
            )
        known = self.classes_ if classes is None and not first else None
        if known is None:
            given = y if classes is None else classes
            known, _ = encode_labels(
                given,
                self._marker(),
                estimator_name=name,
                needs_labels=self._min_classes > 0,
                hint=hint,
            )
        if not first and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"classes={known} differ from those of the first call, {self.classes_}; leave "
                "classes out after the first call, or fit a new estimator."
            )
        remedy = (
            "name all classes of this and later calls in classes="
            if first
            else "the first call fixes the classes. To train on others too, start with a new "
            "estimator, and name all classes in its first call: partial_fit(X, y, classes=[...])"
        )
        targets = lookup_labels(y, known, self._marker(), estimator_name=name, remedy=remedy)
        check_consistent_length(X, targets)
        if first:
            self._set_classes(known, targets, weights, hint=hint)
        return targets

    def _validation(self, X_val, y_val):
        """Return the validation rows of a fit with their class indices, or None if X_val is None.

        Rows without a label are left out.
        """
        if (X_val is None) != (y_val is None):
            given, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
            raise ValueError(f"{given} is given, but {missing} is None; pass both, or neither.")
        found = given_validation(self, X_val)
        if found is None:
            return None
        targets = lookup_labels(
            y_val,
            self.classes_,
            self._marker(),
            estimator_name=type(self).__name__,
            name="y_val",
        )
        check_consistent_length(found.rows, targets)
        labeled = targets != UNLABELED
        if not labeled.any():
            raise ValueError(
                f"y_val holds no labeled row among its {len(labeled)}, but early stopping needs "
                "labels; pass labels, or leave X_val and y_val out."
            )
        rows = found.rows if labeled.all() else found.rows[labeled]
        return Validation(rows, targets[labeled])

    def _set_classes(self, classes, targets, weights, *, hint=""):
        """Set `classes_`; raise if there are too few, or if a warm start had other classes.

        The `hint` is what `partial_fit` adds to the first error.
        """
        if len(classes) < self._min_classes:
            raise ValueError(
                f"y has only one class, {classes.tolist()[0]!r}, among its labeled rows; "
                f"{type(self).__name__} needs labeled rows of at least two classes.{hint}"
            )
        fitted = self.warm_start and hasattr(self, "_step")
        if fitted and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start=True goes on with a model of the classes {self.classes_}, but y has "
                f"the classes {classes}; set warm_start=False to start afresh."
            )
        self.classes_ = classes
        if not fitted:
            self._set_class_prior(targets, weights)

    def _set_class_prior(self, targets, weights):
        """Set the class proportions of the model."""
        self.class_prior_ = class_proportions(self.class_prior, self.classes_, targets, weights)

    def _is_prior_stated(self):
        """Return whether the user gives the class proportions; if not, labels estimate them."""
        return not (isinstance(self.class_prior, str) and self.class_prior == "labeled")


class MayReadClasses(ReadsClasses):
    """Turns y into class indices if use_labels=True, and ignores y otherwise."""

    use_labels: bool

    def _read_labels(self, X, y):
        """Return the class indices of the rows passed to `fit`, or None without use_labels."""
        if self.use_labels:
            return self._read_classes(X, self._given(y, X.shape[0]))
        if not same(self.class_prior, "labeled"):
            warn.of_no_effect("class_prior", self.class_prior, "use_labels=False")
        for name in ("classes_", "class_prior_"):  # set by an earlier fit
            self.__dict__.pop(name, None)
        return None

    def _read_more_labels(self, X, y, classes, *, first):
        """Return the class indices of the rows passed to `partial_fit`, or None."""
        if self.use_labels:
            return self._read_more_classes(X, self._given(y, X.shape[0]), classes, first=first)
        return None

    def _given(self, y, n_rows):
        """Return the labels of training rows; all rows are unlabeled if y is None."""
        if y is not None:
            return y
        if self.unlabeled_label is None:
            raise ValueError(
                "use_labels=True with unlabeled_label=None needs a label for every row, but y is "
                "None; pass y, or set unlabeled_label='auto'."
            )
        return np.full(n_rows, np.nan)


class DrawsClasses:
    """Decodes styles with a class, and samples rows of a class."""

    _styles: Any = None  # of labels, where the encoder learns these

    # Attributes of the base class of all estimators, and those that `ReadsClasses` has set.
    _settings: Any
    _decode: Any
    _decode_samples: Any
    _draw_style: Any
    _step: Any
    _table: Any
    classes_: Any
    class_prior_: Any

    def inverse_transform(self, X, y=None):
        """Decode styles and classes into rows in the units of the training data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Styles, as `transform` returns them.
        y : scalar or array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            One class for all rows, a class for each row, or probabilities of the classes. A class
            is a value of `classes_`, or the index of a cluster. None uses the class proportions as
            probabilities, so that a pipeline can decode without y. The decoded rows are then a
            blend of the classes.

        Returns
        -------
        X_decoded : ndarray or data frame of shape (n_samples, n_features), as training rows were
            An array has the dtype of X.

        Raises
        ------
        ValueError
            If X does not have n_components columns, or has them in another order than `transform`;
            if y contains a value that is no class, or a row of probabilities does not sum to 1.
        """
        check_is_fitted(self)
        Z = check_codes(self, X)
        label = self._label_block(y, len(Z))
        return frames.with_index(self._decode(style=Z, label=label.astype(Z.dtype)), X)

    def sample(self, n_samples=1, y=None, *, clip=True, random_state=None):
        """Generate new rows: draw styles (and classes) from their priors and decode them.

        If the estimator predicts classes or clusters and the prior is "gaussian", the styles of a
        class are drawn from a normal distribution that is fitted to the styles of training rows of
        this class, so that new rows look like it. Where style and class are independent, as the
        paper wants them, this is the prior itself.

        Parameters
        ----------
        n_samples : int, default=1
        y : scalar or array-like of shape (n_samples,), default=None
            One class for all rows, or a class for each row. None draws classes at random, with
            their proportions as probabilities.
        clip : bool, default=True
            Whether to clip each number to the range of its column in the rows of the first fit.
        random_state : int, RandomState instance or None, default=None
            An int draws the same rows every time.

        Returns
        -------
        X : ndarray or data frame of shape (n_samples, n_features), as the training rows were
            Flags and categories are drawn from their probabilities. Columns of a data frame that
            held whole numbers hold whole numbers.

        Raises
        ------
        ValueError
            If y contains a value that is no class.
        """
        check_is_fitted(self)
        generator = make_cpu_generator(random_state)
        style, label = self._draw_code(y, n_samples, generator)
        return self._decode_samples(generator, clip=clip, style=style, label=label)

    @property
    def _draws_own_styles(self):
        """Whether `sample` draws the styles of a class from those of its rows."""
        return self._styles is not None and isinstance(self._settings.priors["style"], Gaussian)

    def _draw_code(self, y, n_samples, generator):
        """Return random styles and labels that go together, of classes y: float32."""
        style = self._draw_style(n_samples, generator)
        label = self._draw_label(y, n_samples, generator).astype(np.float32)
        if self._draws_own_styles:
            noise = style / np.asarray(self._settings.priors["style"].scale, np.float32)
            style = self._styles.of(label.argmax(axis=1), noise).astype(np.float32)
        return style, label

    def _learn_styles(self, X, *, partial, weights):
        """Return the styles of each label among checked rows X."""
        rows = NetworkRows(X, self._table).select(inference.some_rows(X.shape[0], weights))
        before = self._styles if partial else None
        return learn_styles(self._step, rows, self._settings.seed, before)

    def _label_values(self):
        """Return the classes as in y, and their proportions, two arrays of shape (n_classes,)."""
        return self.classes_, self.class_prior_

    def _component_proportions(self):
        """Return the proportion of each component in each class, (n_classes, n_components).

        None means that each class has one component.
        """
        return None

    def _label_block(self, y, n_samples):
        """Return the label part of codes, (n_samples, label), for classes y.

        A class with several components is represented by its largest one.
        """
        classes, proportions = self._label_values()
        if y is None:
            label = np.tile(proportions, (n_samples, 1))
        else:
            label = label_block(y, classes, n_samples)
        within = self._component_proportions()
        return label if within is None else label @ largest_components(within)

    def _draw_label(self, y, n_samples, generator):
        """Return one-hot labels (n_samples, label) for classes y; None draws the classes.

        If classes have several components, one component of each row's class is drawn with the
        components' proportions as probabilities.
        """
        classes, proportions = self._label_values()
        if y is not None:
            label = one_hot(y, classes, n_samples)
        else:
            prior = Categorical(proportions)
            label = prior.sample(n_samples, len(classes), generator=generator).numpy()
        within = self._component_proportions()
        if within is None:
            return label
        drawn = torch.multinomial(torch.from_numpy(label @ within), 1, generator=generator)
        return np.eye(within.shape[1])[drawn.ravel().numpy()]
