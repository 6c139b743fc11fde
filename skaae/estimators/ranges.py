"""Allowed ranges of parameters, as constraints for scikit-learn's validation."""

from __future__ import annotations

from numbers import Integral, Real

from skaae.private_sklearn import Interval, StrOptions

POSITIVE = Interval(Real, 0, None, closed="neither")
NON_NEGATIVE = Interval(Real, 0, None, closed="left")
SHARE = Interval(Real, 0, 1, closed="neither")
UP_TO_HALF = Interval(Real, 0, 0.5, closed="right")
SHARE_BELOW_1 = Interval(Real, 0, 1, closed="left")
COUNT = Interval(Integral, 1, None, closed="left")
AUTO = StrOptions({"auto"})


def check_count(name, value):
    """Return the argument of a method as an int; raise ValueError unless it is at least 1."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}={value!r} must be an integer of at least 1.")
    return int(value)
