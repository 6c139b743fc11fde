"""No number in the pages is typed by hand: they are what the files with results hold."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def report():
    spec = importlib.util.spec_from_file_location("report", ROOT / "benchmarks" / "report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["README.md", "benchmarks/README.md"])
def test_pages_hold_the_results(report, page):
    text = (ROOT / page).read_text()
    assert text.count("<!-- table:") >= 1
    assert report.filled(text) == text


def test_local_links_exist():
    import re

    for page in [ROOT / "README.md", *ROOT.glob("*/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not link.startswith("http"):
                assert (page.parent / link).exists(), f"{page} links to {link}"
