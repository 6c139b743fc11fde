"""Ranges that parameters may be in, in the words of scikit-learn's validation."""

from __future__ import annotations

from numbers import Integral, Real

from skaae.private_sklearn import Interval, StrOptions

POSITIVE = Interval(Real, 0, None, closed="neither")
NON_NEGATIVE = Interval(Real, 0, None, closed="left")
SHARE = Interval(Real, 0, 1, closed="neither")
SHARE_BELOW_1 = Interval(Real, 0, 1, closed="left")
COUNT = Interval(Integral, 1, None, closed="left")
AUTO = StrOptions({"auto"})


def check_count(name, value):
    """Return a positive integer argument of a method, or say what it must be."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}={value!r} must be an integer of at least 1.")
    return int(value)
