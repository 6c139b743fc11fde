"""Write the tables of README.md and benchmarks/README.md from the files with results.

    python benchmarks/report.py

A table stands between <!-- table: NAME --> and <!-- end -->; no number in them is typed by hand.
Results are in benchmarks/results, those of the demo beside its pictures in docs/images.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def read(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


def demo():
    """Test accuracy on digits with 50 labels, by method."""
    result = json.loads((ROOT / "docs" / "images" / "demo.json").read_text())
    lines = ["| method | test accuracy | standard error |", "|---|---|---|"]
    for method, values in result["accuracy"].items():
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        lines.append(f"| {method} | {np.mean(values):.3f} | {error:.3f} |")
    lines += [
        "",
        f"Mean of {len(values)} splits and draws of labels; one run of `make demo` shows one.",
    ]
    return lines


def tables():
    """Test accuracy on small data sets with few labels, by method."""
    result = read("tables")
    methods = list(next(iter(result["data"].values()))["accuracy"])
    lines = [
        "| data | rows | labels | " + " | ".join(methods) + " |",
        "|---|---|---|" + "---|" * len(methods),
    ]
    for name, entry in result["data"].items():
        cells = []
        for method in methods:
            values = entry["accuracy"][method]
            error = np.std(values, ddof=1) / np.sqrt(len(values))
            cells.append(f"{100 * np.mean(values):.1f} ± {100 * error:.1f}")
        lines.append(
            f"| {name} | {entry['rows']} | {entry['labels']} | " + " | ".join(cells) + " |"
        )
    return lines


def mean_percent(scores):
    """Return the mean of accuracies in %, NaN where a run diverged."""
    return np.nan if None in scores else 100 * np.mean(scores)


def choices():
    """Accuracy on held-out training rows with one default changed at a time."""
    result = read("choices")["data"]
    lines = ["| change | " + " | ".join(result) + " | mean |", "|---|" + "---|" * (len(result) + 1)]
    for change in next(iter(result.values())):
        means = [mean_percent(entry[change]) for entry in result.values()]
        cells = " | ".join(
            "diverged" if np.isnan(m) else f"{m:.1f}" for m in [*means, np.mean(means)]
        )
        lines.append(f"| {change} | {cells} |")
    return lines


def prior_match():
    """Distance of codes to their prior, and reconstruction loss, by setting."""
    result = read("prior_match")["data"]
    lines = [
        "| AAETransformer | " + " | ".join(f"{name}: distance | loss" for name in result) + " |",
        "|---|" + "---|---|" * len(result),
    ]
    for setting in next(iter(result.values())):
        cells = []
        for entry in result.values():
            found = entry[setting]
            cells += [f"{np.mean(found['distance']):.3f}", f"{np.mean(found['loss']):.2f}"]
        lines.append(f"| {setting} | " + " | ".join(cells) + " |")
    return lines


def mnist():
    """MNIST test error by epoch."""
    lines = []
    for path in sorted(RESULTS.glob("semi_supervised_*.json")):
        result = json.loads(path.read_text())
        runs = result["runs"]
        n_epochs = len(runs[0]["error"])
        shown = [e for e in (1, 2, 4, 6, 8, 9, 10, 15, 20, 30, 50) if e <= n_epochs]
        where = result["circumstances"]
        lines += [
            f"Parameters **{result['parameters']}**, {result['labels']} labels, {result['rows']}, "
            f"{len(runs)} draws; {where['hardware']}, {where['threads']} thread(s), torch "
            f"{where['torch']}; error in %:",
            "",
            "| draw | " + " | ".join(f"epoch {e}" for e in shown) + " | seconds per epoch |",
            "|---|" + "---|" * (len(shown) + 1),
        ]
        for one in runs:
            cells = " | ".join(f"{one['error'][e - 1]:.2f}" for e in shown)
            lines.append(f"| {one['seed']} | {cells} | {np.median(one['seconds']):.0f} |")
        means = " | ".join(f"{np.mean([one['error'][e - 1] for one in runs]):.2f}" for e in shown)
        lines += [f"| mean | {means} | |", ""]
    return lines[:-1]


def speed():
    """Ratios of training times, and what inference, memory and imports take."""
    lines = []
    for path in sorted(RESULTS.glob("speed_*.json")):
        result = json.loads(path.read_text())
        where = result["circumstances"]
        lines += [
            f"{where['hardware']}, {where['threads']} thread(s), torch {where['torch']}:",
            "",
            "| networks | batch | precision | ms per step: plain port | same maths | defaults "
            "| joint | plain port / same maths | plain port / defaults | plain port / joint "
            "| joint / bound | pythae / AAE |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for row in result["training"]:
            ms = row["ms per step"]
            cells = [row["networks"], row["batch"], row["precision"]]
            cells += [ms[name] for name in ("plain port", "same maths", "defaults", "joint")]
            cells += [
                row.get(name, "")
                for name in (
                    "plain port / same maths",
                    "plain port / defaults",
                    "plain port / joint",
                    "joint / bound",
                    "pythae / AAE",
                )
            ]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
        lines += ["", "| method | rows per second | over bare products |", "|---|---|---|"]
        for method, values in result["inference"].items():
            cells = [method, f"{values['rows per second']:,}", str(values["over bound"])]
            lines.append("| " + " | ".join(cells) + " |")
        table, held = result["small table"], result["memory"]
        lines += [
            "",
            f"* a table of 1000 rows and 20 columns: {table['ms per epoch']['ours']} ms per epoch, "
            f"{table['ours / (MLPClassifier x networks)']} times that of scikit-learn's "
            "MLPClassifier for each of the three networks;",
            f"* memory: fitting {held['rows']:,} rows of 784 float32 values ({held['X in MB']} MB) "
            f"takes {held['fit beside X in MB']} MB beside them;",
        ]
        for axis, values in result["growth"].items():
            shown = ", ".join(f"{int(n):,}: {seconds}" for n, seconds in values.items())
            lines.append(f"* {axis} (seconds): {shown};")
        shown = ", ".join(f"`{what}` {seconds}" for what, seconds in result["import"].items())
        lines += [f"* seconds of imports: {shown}.", ""]
    return lines[:-1]


TABLES = {
    "demo": demo,
    "choices": choices,
    "tables": tables,
    "mnist": mnist,
    "speed": speed,
    "prior_match": prior_match,
}


def filled(text):
    """Return a page with every table written anew."""

    def table(match):
        name = match.group(1)
        return "\n".join([f"<!-- table: {name} -->", *TABLES[name](), "<!-- end -->"])

    return re.sub(r"<!-- table: (\w+) -->.*?<!-- end -->", table, text, flags=re.DOTALL)


def main():
    for path in (ROOT / "README.md", ROOT / "benchmarks" / "README.md"):
        path.write_text(filled(path.read_text()))
        print("written", path)


if __name__ == "__main__":
    main()
