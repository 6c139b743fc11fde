"""No number in the pages is typed by hand: they are what the files with results hold."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


def load(name):
    """Return a module of the benchmarks, which import each other as scripts do."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def report():
    return load("report")


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "benchmarks/README.md",
        "docs/choosing.md",
        "docs/reliability.md",
        "docs/reproduction.md",
        "docs/scaling_up.md",
        "docs/tables.md",
    ],
)
def test_pages_hold_the_results(report, page):
    text = (ROOT / page).read_text()
    assert text.count("<!-- table:") >= 1
    assert report.filled(text) == text


def test_figures_are_of_the_parameters_that_their_rows_have(report):
    """What both state must be the same: files are older than some parameters."""
    recorded = load("_common").recorded
    records = [record for row in report.EXPERIMENTS for record in report.draws_of(row)]
    assert len(records) > 20
    for record in records:
        row = report.EXPERIMENTS[record["experiment"]]
        stated, parameters = recorded(row.parameters), record["parameters"]
        assert set(parameters) <= set(row.make(0).get_params())
        for name in set(stated) & set(parameters):
            there = parameters[name].translate(str.maketrans("[]", "()"))
            assert there == stated[name], (record["experiment"], record["draw"], name)


def test_parameters_are_recorded_under_their_deep_names():
    from skaae import SGD, VirtualAdversarial

    given = {"solver": SGD(momentum=0.5), "virtual_adversarial": VirtualAdversarial(), "tol": 0.1}
    assert load("_common").recorded(given) == {
        "solver": "SGD",
        "solver__momentum": "0.5",
        "tol": "0.1",
        "virtual_adversarial": "VirtualAdversarial",
    }


def test_local_links_exist():
    import re

    for page in [ROOT / "README.md", *ROOT.glob("*/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not link.startswith("http"):
                assert (page.parent / link).exists(), f"{page} links to {link}"


def test_clusters_take_the_label_of_the_row_they_are_surest_of():
    """Worked by hand: cluster 0 is "a" (row 1 of the validation), cluster 1 is "b" (row 2)."""
    validation = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]])
    test = np.array([[0.7, 0.3], [0.1, 0.9], [0.3, 0.7], [0.8, 0.2]])
    error = load("_common").clustering_error(
        validation, np.array(["b", "a", "b"]), test, np.array(["a", "b", "a", "a"])
    )
    assert error == 25.0
