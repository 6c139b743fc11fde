"""A mixin for estimators whose code is a style alone: decodes codes, and draws codes and rows."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaae import inference
from skaae.columns import frames
from skaae.estimators.base import BaseAdversarialAutoencoder
from skaae.estimators.labels import one_hot
from skaae.estimators.parameters import make_cpu_generator
from skaae.estimators.ranges import check_count
from skaae.estimators.rows import check_codes
from skaae.priors._prior import refuse_components


class GeneratesRows(BaseAdversarialAutoencoder):
    """Decodes codes, and draws codes and rows from the prior or from one of its components."""

    def inverse_transform(self, X):
        """Decode codes into rows in the units of the training data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as `transform` returns them.

        Returns
        -------
        X_decoded : ndarray or data frame of shape (n_samples, n_features), as training rows were
            An array has the dtype of X.

        Raises
        ------
        ValueError
            If X does not have n_components columns, or has them in another order than `transform`.
        """
        check_is_fitted(self)
        return frames.with_index(self._decode(style=check_codes(self, X)), X)

    def sample(self, n_samples=1, y=None, *, clip=True, random_state=None):
        """Generate new rows like the training data: draw codes from the prior and decode them.

        Parameters
        ----------
        n_samples : int, default=1
        y : scalar or array-like of shape (n_samples,), default=None
            The component of the prior to draw from, one for all rows or one for each row. Only
            "petals", "swiss_roll" and GaussianMixture have components. With use_labels, give the
            class of the component, otherwise the index of the component, from 0. None draws from
            the whole prior.
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
            If y is given and the prior has no components or no such component.
        """
        check_is_fitted(self)
        generator = make_cpu_generator(random_state)
        style = self._draw_style(n_samples, generator, y)
        return self._decode_samples(generator, clip=clip, style=style)

    def sample_prior(self, n_samples=1, y=None, *, random_state=None):
        """Draw codes from the prior, without decoding them.

        Parameters
        ----------
        n_samples : int, default=1
        y : scalar or array-like of shape (n_samples,), default=None
            The component of the prior to draw from; see `sample`.
        random_state : int, RandomState instance or None, default=None
            With an int, every call draws the same codes.

        Returns
        -------
        Z : float32 ndarray of shape (n_samples, n_components)
        """
        check_is_fitted(self)
        return self._draw_style(n_samples, make_cpu_generator(random_state), y)

    def encode_samples(self, X, n_samples=1, *, random_state=None):
        """Draw codes of rows from the posterior q(z|x).

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        n_samples : int, default=1
            Number of codes to draw for each row.
        random_state : int, RandomState instance or None, default=None
            With an int, every call draws the same codes.

        Returns
        -------
        Z : ndarray of shape (n_rows, n_samples, n_components), in the dtype of X
            With posterior="deterministic" all codes of a row are the same.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skaae import AAETransformer
        >>> X, _ = load_digits(return_X_y=True)
        >>> aae = AAETransformer(posterior="gaussian", max_iter=2, random_state=0).fit(X)
        >>> aae.encode_samples(X[:3], 5, random_state=0).shape
        (3, 5, 2)
        """
        check_is_fitted(self)
        n_samples = check_count("n_samples", n_samples)
        generator = make_cpu_generator(random_state)
        return inference.draw_codes(self._step, self._network_rows(X), n_samples, generator)

    def _draw_style(self, n_samples, generator, y=None):
        """Draw from the prior, or from its components y: an array (n_samples, n_components)."""
        if y is not None:
            n_samples = check_count("n_samples", n_samples)
            names = getattr(self, "classes_", ())
            if not len(names):
                names = np.arange(self._settings.priors["style"].count_components())
            if not len(names):
                refuse_components(self._settings.priors["style"], y)
            y = one_hot(y, names, n_samples).argmax(axis=1)
        return super()._draw_style(n_samples, generator, y)
