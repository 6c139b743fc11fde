"""All private names of scikit-learn that this package uses, each with its purpose.

Other modules use only public names of scikit-learn. These private names were tested with versions
1.6 to 1.9. If a version lacks a name, importing this module fails with a clear message, so the
error does not come later in a fit.
"""

from __future__ import annotations

import sklearn
from sklearn.base import BaseEstimator

try:
    # rows of any container, as cross-validation chooses them
    from sklearn.utils import _safe_indexing as safe_indexing

    # constraints of parameters, as scikit-learn's own estimators state them
    from sklearn.utils._param_validation import HasMethods as HasMethods
    from sklearn.utils._param_validation import Interval, StrOptions
    from sklearn.utils.validation import _check_sample_weight as check_sample_weight

    _validate = BaseEstimator._validate_params
except (ImportError, AttributeError) as error:
    raise ImportError(
        f"skaae was made for scikit-learn 1.6 to 1.9 and needs a name that scikit-learn "
        f"{sklearn.__version__} lacks: {error}. Install scikit-learn 1.9, or a newer skaae."
    ) from error

try:  # callbacks exist from scikit-learn 1.9 on
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stand-in for scikit-learn's mixin in versions without callbacks."""

    def with_callbacks(method):
        """Return the method unchanged."""
        return method


def validate_parameters(estimator):
    """Raise scikit-learn's error if a value is not allowed, unless its validation is turned off.

    If the value is a class, the error also says that an object is needed.
    """
    if sklearn.get_config()["skip_parameter_validation"]:
        return
    try:
        _validate(estimator)
    except ValueError as error:
        for name, value in estimator.get_params(deep=False).items():
            if isinstance(value, type) and f"{name!r} parameter" in str(error):
                raise type(error)(f"{error} {about_class(name, value)}") from None
        raise


def about_class(name, value):
    """Return that the value of a parameter is a class, and that an object is needed."""
    return (
        f"{value.__name__} is a class; give an object of it, with parentheses: "
        f"{name}={value.__name__}()."
    )


def output_library(estimator):
    """Return the library of data frames that `set_output` asks for, or None."""
    ours = getattr(estimator, "_sklearn_output_config", {}).get("transform")
    found = ours or sklearn.get_config()["transform_output"]
    return None if found == "default" else found


# attributes in which scikit-learn keeps callbacks, and what metadata methods request
CALLBACKS = ("_skl_callbacks", "_skl_callbacks_to_teardown", "_callback_fit_ctx")
REQUESTS = "_metadata_request"


class NoCallbacks:
    """Stand-in for scikit-learn's callback context in versions without callbacks."""

    def subcontext(self, **kwargs):
        """Return the context of a part of the fit."""
        return self

    def call_on_fit_task_begin(self, **kwargs):
        """Do nothing at the beginning of a part of the fit."""
        return self

    def call_on_fit_task_end(self, **kwargs):
        """Do nothing at the end of a part of the fit; return False, so that the fit continues."""
        return False


def callback_context(estimator, n_epochs):
    """Return the context that reports the epochs of an estimator to its callbacks."""
    make = getattr(estimator, "_init_callback_context", None)
    return NoCallbacks() if make is None else make(max_subtasks=n_epochs)


__all__ = [
    "CALLBACKS",
    "REQUESTS",
    "CallbackSupportMixin",
    "Interval",
    "StrOptions",
    "about_class",
    "callback_context",
    "check_sample_weight",
    "output_library",
    "safe_indexing",
    "validate_parameters",
    "with_callbacks",
]
