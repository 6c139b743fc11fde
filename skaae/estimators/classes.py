"""Estimators whose rows have classes: labels in, rows of a class out.

Three mixins. `ReadsClasses` turns y into class indices and keeps `classes_`. `MayReadClasses` does
so if use_labels=True. `DrawsClasses` decodes and samples with a class. Knows nothing of training.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skaae.estimators.labels import (
    class_proportions,
    encode_labels,
    label_block,
    lookup_labels,
    one_hot,
)
from skaae.estimators.parameters import make_cpu_generator
from skaae.priors import Categorical


class ReadsClasses:
    """Turns y into class indices, -1 where unlabeled, and keeps the classes."""

    # What the base of all estimators has.
    unlabeled_label: Any
    warm_start: bool
    classes_: Any

    # The smallest number of classes that the estimator can be trained with.
    _min_classes = 2
    # The default of estimators without this parameter.
    class_prior = "labeled"

    def _marker(self):
        """Return what marks an unlabeled row."""
        return self.unlabeled_label

    def _read_classes(self, X, y):
        """Return class indices of the rows of a `fit`."""
        classes, targets = encode_labels(
            y,
            self._marker(),
            estimator_name=type(self).__name__,
            needs_labels=self._min_classes > 0,
        )
        check_consistent_length(X, targets)
        self._set_classes(classes, targets)
        return targets

    def _read_more_classes(self, X, y, classes, *, first):
        """Return class indices of the rows of a `partial_fit`; classes may be None."""
        name = type(self).__name__
        known = self.classes_ if classes is None and not first else None
        if known is None:
            given = y if classes is None else classes
            known, _ = encode_labels(
                given, self._marker(), estimator_name=name, needs_labels=self._min_classes > 0
            )
        if not first and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"classes={known} differ from those of the first call, {self.classes_}; leave "
                "classes out after the first call, or fit a new estimator."
            )
        targets = lookup_labels(y, known, self._marker(), estimator_name=name)
        check_consistent_length(X, targets)
        if first:
            self._set_classes(known, targets)
        return targets

    def _set_classes(self, classes, targets):
        """Keep the classes; raise if they are too few, or not those of a warm start."""
        if len(classes) < self._min_classes:
            raise ValueError(
                f"y has only one class, {classes.tolist()[0]!r}, among its labeled rows; "
                f"{type(self).__name__} needs labeled rows of at least two classes."
            )
        fitted = self.warm_start and hasattr(self, "_step")
        if fitted and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start=True goes on with a model of the classes {self.classes_}, but y has "
                f"the classes {classes}; set warm_start=False to start afresh."
            )
        self.classes_ = classes
        if not fitted:
            self._set_class_prior(targets)

    def _set_class_prior(self, targets):
        """Keep the class proportions of the model."""
        self.class_prior_ = class_proportions(self.class_prior, self.classes_, targets)

    def _is_prior_stated(self):
        """Return whether the user states the class proportions; if not, labels estimate them."""
        return not (isinstance(self.class_prior, str) and self.class_prior == "labeled")


class MayReadClasses(ReadsClasses):
    """Turns y into class indices if use_labels=True; else y is ignored."""

    use_labels: bool

    def _read_labels(self, X, y):
        """Return class indices of the rows of a `fit`, or None."""
        if self.use_labels:
            return self._read_classes(X, self._given(y, X.shape[0]))
        for name in ("classes_", "class_prior_"):  # of an earlier fit
            self.__dict__.pop(name, None)
        return None

    def _read_more_labels(self, X, y, classes, *, first):
        """Return class indices of the rows of a `partial_fit`, or None."""
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

    # What the base of all estimators has, and what reading classes has set.
    _check_codes: Any
    _decode: Any
    _decode_samples: Any
    _draw_style: Any
    classes_: Any
    class_prior_: Any

    def inverse_transform(self, X, y=None):
        """Decode styles and classes into rows in the units of the training data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Styles, as `transform` returns them.
        y : scalar or array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            A class for all rows, a class for each, or probabilities of the classes. Classes are
            those of the estimator: values of `classes_`, or cluster indices. None takes the class
            proportions as probabilities, so that a pipeline can decode without y. The result then
            lies between the classes.

        Returns
        -------
        X_decoded : ndarray of shape (n_samples, n_features), in the dtype of X

        Raises
        ------
        ValueError
            Where X does not have n_components columns, y holds a value that is no class, or rows of
            probabilities do not sum to 1.
        """
        check_is_fitted(self)
        Z = self._check_codes(X)
        label = self._label_block(y, len(Z))
        return self._decode(style=Z, label=label.astype(Z.dtype))

    def sample(self, n_samples=1, y=None, *, clip=False, random_state=None):
        """Draw styles (and classes) from their priors and decode them: new rows.

        Parameters
        ----------
        n_samples : int, default=1
        y : scalar or array-like of shape (n_samples,), default=None
            A class for all rows or for each; None draws classes by their proportions.
        clip : bool, default=False
            Whether to move numbers into the range of their column in the training rows.
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
            Where y holds a value that is no class.
        """
        check_is_fitted(self)
        generator = make_cpu_generator(random_state)
        style = self._draw_style(n_samples, generator)
        label = self._draw_label(y, n_samples, generator)
        label = label.astype(np.float32)
        return self._decode_samples(generator, clip=clip, style=style, label=label)

    def _label_values(self):
        """Return the classes in the user's values, and the proportion of each: two (n_classes,)."""
        return self.classes_, self.class_prior_

    def _component_proportions(self):
        """Return the proportion of each component in the rows of a class.

        Of shape (n_classes, n_components), or None where each class has one component.
        """
        return None

    def _label_block(self, y, n_samples):
        """Return the label part of codes, (n_samples, label); a class is its largest component."""
        classes, proportions = self._label_values()
        if y is None:
            label = np.tile(proportions, (n_samples, 1))
        else:
            label = label_block(y, classes, n_samples)
        within = self._component_proportions()
        return label if within is None else label @ np.eye(within.shape[1])[within.argmax(axis=1)]

    def _draw_label(self, y, n_samples, generator):
        """Return one-hot labels, (n_samples, label), of classes y; None draws the classes.

        A component of each class is drawn by the components' proportions.
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
