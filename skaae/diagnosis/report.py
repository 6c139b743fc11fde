"""`Finding`, the result of one check, and `Diagnosis`, the report with all of them."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass, field
from typing import Any

import numpy as np

WARNING, NOTE, OK, NOT_CHECKED = "warning", "note", "ok", "not checked"
TITLES = {WARNING: "Warnings", NOTE: "Notes", OK: "Fine", NOT_CHECKED: "Not checked"}
WIDTH = 100  # of a line of the report
NAMES, VALUES = 22, 13  # widths of its columns
LEAST = 1e-6  # lower values are no graver


@dataclass(frozen=True)
class Finding:
    """The result of one check of `diagnose`.

    Attributes
    ----------
    name : str
        Name of the check.
    status : {"warning", "note", "ok", "not checked"}
        "warning": something is wrong. "note": the number lies beyond the limit, but this estimator
        does not need it. "not checked": the check does not apply; `message` says why.
    value : float or None
        The number that was measured; None if the check does not apply.
    limit : float or None
        Beyond this value there is a warning or a note.
    best : float or None
        The value of an ideal model.
    message : str
        What the number is.
    advice : str
        What to do; empty without a warning or a note.
    details : dict
        Further numbers.
    """

    name: str
    status: str
    value: float | None
    limit: float | None
    best: float | None
    message: str
    advice: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def severity(self) -> float:
        """How far the value is from the best: 0 at the best value or beyond, 1 at the limit.

        It grows in proportion to the distance from the best value where that is 0. Where low values
        are bad, it grows with the logarithm. It is 0 if the check does not apply.
        """
        if self.value is None or self.limit is None or self.best is None:
            return 0.0
        if self.limit > self.best:
            return max(0.0, (self.value - self.best) / (self.limit - self.best))
        low = max(self.value, LEAST * self.best)
        return max(0.0, math.log(low / self.best) / math.log(self.limit / self.best))

    @property
    def comparison(self) -> str:
        """The value beside its limit as text, as in "0.64 > 0.30"; empty without a value."""
        if self.value is None or self.limit is None:
            return ""
        sign = ">" if self.value > self.limit else "<"
        return f"{round(self.value, 2) + 0.0:.2f} {sign} {self.limit:.2f}"  # no -0


class Diagnosis:
    """The report of `diagnose`.

    `print` shows it as text, and `DiagnosisDisplay` draws it. `report[name]` is the finding of one
    check.

    Parameters
    ----------
    findings : sequence of Finding
        One for each check, in any order.
    estimator_name : str
        Name of the class of the estimator.
    n_rows : int
        Number of rows that were looked at.

    Attributes
    ----------
    findings : list of Finding
        First the warnings, then the notes, what is fine, and what was not checked. The worst come
        first.
    warnings : list of Finding
        The findings with a warning.
    estimator_name : str
    n_rows : int
    """

    def __init__(self, findings, *, estimator_name, n_rows):
        order = list(TITLES)
        self.findings = sorted(findings, key=lambda f: (order.index(f.status), -f.severity))
        self.estimator_name, self.n_rows = estimator_name, n_rows

    @property
    def warnings(self):
        return [finding for finding in self.findings if finding.status == WARNING]

    def __getitem__(self, name):
        for finding in self.findings:
            if finding.name == name:
                return finding
        names = [finding.name for finding in self.findings]
        raise KeyError(f"{name!r} is no check of this report; its checks are {names}.")

    def to_dict(self):
        """Return the report as a dict of plain numbers, strings and lists, for instance for JSON.

        Returns
        -------
        report : dict
            "estimator", "n_rows", and "findings": a list of dicts with the attributes of `Finding`.
        """
        names = Finding.__dataclass_fields__
        findings = [{name: to_python(getattr(f, name)) for name in names} for f in self.findings]
        return {"estimator": self.estimator_name, "n_rows": self.n_rows, "findings": findings}

    def __str__(self):
        n_warnings = len(self.warnings)
        counted = "1 warning" if n_warnings == 1 else f"{n_warnings or 'no'} warnings"
        lines = [f"{self.estimator_name}, {self.n_rows} rows: {counted}"]
        for status, title in TITLES.items():
            found = [finding for finding in self.findings if finding.status == status]
            if found:
                lines += ["", title, *(line for finding in found for line in lines_of(finding))]
        return "\n".join(lines)

    __repr__ = __str__


def lines_of(finding):
    """Return the lines of a finding in the report: its name and number, message and advice."""
    first = f"  {finding.name:<{NAMES}} {finding.comparison:<{VALUES}} "
    lines = wrapped(finding.message, first, " " * len(first))
    if finding.advice:
        lines += wrapped(finding.advice, " " * len(first) + "-> ", " " * (len(first) + 3))
    return lines


def wrapped(text, first, indent):
    """Return the lines of a text; the first one begins with `first`, the others with `indent`."""
    how = {"initial_indent": first, "subsequent_indent": indent, "break_long_words": False}
    return textwrap.wrap(text, WIDTH, **how)


def to_python(value):
    """Return a value with numbers, lists and dicts of Python in place of those of NumPy."""
    if isinstance(value, dict):
        return {str(key): to_python(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [to_python(entry) for entry in value]
    return value.item() if isinstance(value, np.generic) else value


def judged(name, value, limit, best, message, advice, *, matters=True, details=None):
    """Return the finding for a value: a warning if it is beyond the limit, seen from the best.

    It is a note if it does not matter to the estimator.
    """
    value = float(value)
    beyond = value > limit if limit > best else value < limit
    status = (WARNING if matters else NOTE) if beyond else OK
    found = dict(details or {})
    return Finding(name, status, value, limit, best, message, advice if beyond else "", found)


def not_checked(name, reason):
    """Return the finding of a check that does not apply, and why."""
    return Finding(name, NOT_CHECKED, None, None, None, reason)
