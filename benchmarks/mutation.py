"""Counts the mutants that `make mutation` has tried, and why no test notices the survivors.

    make mutation                          # makes and tries the mutants, then runs this script
    python benchmarks/mutation.py --save   # also writes results/mutation.json

A mutant is the package with one small change. It is killed if a test fails, and survives if all
tests pass. survivors.py explains survivors. Without an explanation, a survivor is a gap in the
tests, and this script fails.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import re
import sys
import textwrap
from collections import Counter
from pathlib import Path

from survivors import EXPLAINED, KINDS

MUTANTS = Path(__file__).resolve().parents[1] / "mutants"

NOT_RUN, SURVIVED = (None, 2), (0, 5, 33)  # exit codes of pytest; 5 and 33: there is no test
MESSAGE = "message"


def functions(source):
    """Return the lines of every function and method of a file, by name."""
    lines = source.splitlines()
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return {node.name: lines[node.lineno - 1 : node.end_lineno] for node in nodes}


def change(original, mutant):
    """Return what a mutant changes, as "start of the lines: old -> new", and their numbers."""
    old, new = ([line.strip() for line in lines] for lines in (original, mutant))
    old[0], new[0] = (re.sub(r"^def .*?\(", "def (", line) for line in (old[0], new[0]))
    places = [
        place
        for place in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if place[0] != "equal"
    ]
    removed = " ".join(line for _, a, b, _, _ in places for line in old[a:b])
    added = " ".join(line for _, _, _, a, b in places for line in new[a:b])
    numbers = [number + 1 for _, a, b, _, _ in places for number in range(a, max(b, a + 1))]
    words = [re.findall(r"[\w.]+|\s+|[-+*/<>=!]+|.", text) for text in (removed, added)]
    first = n_equal(*words)
    last = n_equal(*(part[first:][::-1] for part in words))
    parts = [short("".join(part[first : len(part) - last])) for part in words]
    return f"{short(removed)}: {parts[0]} -> {parts[1]}".strip(), numbers


def short(text):
    """Return the whole words among the first 40 characters."""
    return text.strip() if len(text) <= 40 else re.sub(r"\w*$", "", text[:40]).strip()


def n_equal(a, b):
    """Return how many entries two lists have in common at their start."""
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


def is_text(original, numbers):
    """Return whether these lines of a function belong to an error or a warning."""
    spans = []
    for node in ast.walk(ast.parse(textwrap.dedent("\n".join(original)))):
        warns = isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn"
        if isinstance(node, ast.Raise) or warns:
            spans.append(range(node.lineno, node.end_lineno + 1))
    return all(any(number in span for span in spans) for number in numbers)


def kind_of(module, name, original, mutant):
    """Return the kind of explanation of a survivor, or None, and its change."""
    found, numbers = change(original, mutant)
    kind = EXPLAINED.get(module, {}).get(name, {}).get(found)
    if kind is None and is_text(original, numbers):
        kind = MESSAGE
    return kind, found


def tried(module):
    """Return the counts of a module's mutants, and its survivors by function and change."""
    codes = json.loads((MUTANTS / f"{module}.meta").read_text())["exit_code_by_key"]
    found = functions((MUTANTS / module).read_text())
    counts, survivors = Counter(), {}
    for key, code in codes.items():
        if code in NOT_RUN:
            counts["not run"] += 1
            continue
        if code not in SURVIVED:
            counts["killed"] += 1
            continue
        mangled = key.rpartition(".")[2]
        function = re.sub(r"__mutmut_\d+$", "", mangled)
        name = function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
        kind, what = kind_of(module, name, found[f"{function}__mutmut_orig"], found[mangled])
        counts[kind or "unexplained"] += 1
        survivors.setdefault(name, {})[what] = kind
    return counts, survivors


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--save", action="store_true", help="write results/mutation.json")
    save_it = parser.parse_args().save
    modules, gaps, open_ones = {}, [], 0
    for path in sorted(MUTANTS.rglob("*.meta")):
        module = path.relative_to(MUTANTS).as_posix().removesuffix(".meta")
        counts, survivors = tried(module)
        if not counts:
            continue
        open_ones += counts["not run"]
        modules[module] = {
            "mutants": sum(counts.values()),
            "killed": counts["killed"],
            **{kind: counts[kind] for kind in KINDS},
        }
        print(f"{module}: {dict(counts)}")
        gaps += [
            f"{module}, {name}:\n    {what}"
            for name, changes in survivors.items()
            for what, kind in changes.items()
            if kind is None
        ]
    if gaps:
        print(f"\n{len(gaps)} mutants survive without an explanation:", *gaps, sep="\n")
    if save_it and not gaps and not open_ones:
        from _common import save

        print("written", save("mutation", {"kinds": KINDS, "modules": modules}))
    elif save_it:
        print("nothing is written: mutants are not explained or not run")
    return 1 if gaps or (save_it and open_ones) else 0


if __name__ == "__main__":
    sys.exit(main())
