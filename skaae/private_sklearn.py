"""The names of scikit-learn that it does not call public, each with what we use it for.

Everything else in this package uses public names. These were tried with scikit-learn 1.6 to 1.9; a
version that lacks one fails here, by name, in place of somewhere inside a fit.
"""

from __future__ import annotations

import sklearn
from sklearn.base import BaseEstimator

try:
    # what parameters may be: scikit-learn's own estimators say it with these
    from sklearn.utils._param_validation import Interval, StrOptions

    _validate = BaseEstimator._validate_params
except (ImportError, AttributeError) as error:
    raise ImportError(
        f"skaae was made for scikit-learn 1.6 to 1.9 and needs a part of it that scikit-learn "
        f"{sklearn.__version__} lacks: {error}. Install scikit-learn 1.9, or a newer skaae."
    ) from error

try:  # callbacks exist from scikit-learn 1.9 on
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's mixin: without callbacks there is nobody to tell."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method


def validate_parameters(estimator):
    """Raise scikit-learn's error where a parameter is out of its range, unless that is off."""
    if not sklearn.get_config()["skip_parameter_validation"]:
        _validate(estimator)


class Silence:
    """Stands in for a callback context where there is nobody to tell."""

    def subcontext(self, **kwargs):
        """Return the context of a part of the fit."""
        return self

    def call_on_fit_task_begin(self, **kwargs):
        """Tell nobody that a part of the fit begins."""
        return self

    def call_on_fit_task_end(self, **kwargs):
        """Tell nobody that a part of the fit has ended; nobody asks to stop."""
        return False


def callback_context(estimator, n_epochs):
    """Return the context through which the callbacks of an estimator hear of its epochs."""
    make = getattr(estimator, "_init_callback_context", None)
    return Silence() if make is None else make(max_subtasks=n_epochs)


__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "StrOptions",
    "callback_context",
    "validate_parameters",
    "with_callbacks",
]
