"""Run the code blocks of the pages, check what they print, and save their pictures.

    python docs/examples/demo_pages.py docs/systems/*.md

The code blocks of one page share their variables. A comment below a line that prints is
the expected output; the script reports differences. An image below a code block, such as
images/clusters.png, is saved from a figure that the code block draws. Without arguments
the script runs all pages with code blocks.
"""

import argparse
import contextlib
import io
import re
import tempfile
import textwrap
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt

DOCS = Path(__file__).resolve().parents[1]
PAGES = [
    DOCS.parent / "README.md",
    *(
        DOCS / f"{name}.md"
        for name in (
            "index",
            "choosing",
            "tables",
            "user_guide",
            "model_selection",
            "scaling_up",
            "changes",
        )
    ),
    *sorted((DOCS / "systems").glob("*.md")),
]
PART = re.compile(
    r"^ *```python\n(?P<code>.*?)^ *```$|\]\((?P<image>[\w./]*images/\w+\.png)\)",
    re.DOTALL | re.MULTILINE,
)


def expected_output(code):
    """Return the expected output of a snippet: the comments below lines that print."""
    found = re.findall(r"^(?:print\(|.*verbose=1).*\n((?:^# .*\n)+)", code, re.M)
    return "".join(re.sub(r"^# ", "", lines, flags=re.M) for lines in found)


def run(code, names):
    """Run a snippet and return what it prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "<snippet>", "exec"), names)
    return output.getvalue()


def run_page(page):
    """Run the snippets of a page in order; return the number of failed ones."""
    names, n_wrong = {"__name__": "__snippet__"}, 0
    for part in PART.finditer(page.read_text()):
        if part["image"] is not None:
            if plt.get_fignums():  # the oldest one that is still open
                figure = plt.figure(plt.get_fignums()[0])
                figure.savefig(page.parent / part["image"], dpi=110)
                plt.close(figure)
                print(f"  {part['image']}")
            continue
        plt.close("all")
        code, start = textwrap.dedent(part["code"]), time.perf_counter()
        try:
            printed = run(code, names)
        except Exception as error:
            print(f"  FAILS: {type(error).__name__}: {error}\n{code}")
            n_wrong += 1
            continue
        expected = expected_output(code)
        if expected and printed.split() != expected.split():
            print(f"  PRINTS\n{printed}  where the page has\n{expected}")
            n_wrong += 1
        print(f"  {time.perf_counter() - start:.0f} s: {code.splitlines()[-1]}")
    plt.close("all")
    return n_wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, default=PAGES)
    n_wrong = 0
    pages = [page.resolve() for page in parser.parse_args().pages]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for page in pages:
            print(page.name)
            n_wrong += run_page(page)
    raise SystemExit(1 if n_wrong else 0)


if __name__ == "__main__":
    main()
