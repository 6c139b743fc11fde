"""Write the tables of the pages from the files with results.

    python benchmarks/report.py

A table stands between <!-- table: NAME --> and <!-- end -->; no number in them is typed by hand.
Results are in benchmarks/results, those of the demo beside its pictures in docs/images.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from experiments import EXPERIMENTS
from scipy.stats import rankdata

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"

WHERE = ("within", "between")  # machines
ON_LABELS_ALONE = ("forest", "SVC", "logistic", "MLPClassifier", "RealMLP", "TabM")


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


def by_table(result, key, what="score"):
    """Return means over draws of one way to draw labels, (n_methods, n_tables), and their names.

    Methods that have not been run on all tables are left out.
    """
    methods = {
        name: found[what][key]
        for name, found in result["methods"].items()
        if set(found[what][key]) == set(result["tables"])
    }
    figures = [[np.mean(values[t]) for t in result["tables"]] for values in methods.values()]
    return np.array(figures), list(methods), list(result["tables"])


def few_labels(name="few_labels"):
    """Mean score and mean rank over tables, by method and way to draw labels."""
    result = read(name)
    keys = list(result["methods"]["skaae"]["score"])
    cells = {}
    for key in keys:
        figures, methods, _ = by_table(result, key)
        ranks = rankdata(-figures.round(4), axis=0).mean(axis=1)
        for method, scores, rank in zip(methods, figures, ranks, strict=True):
            cells.setdefault(method, []).append(f"{100 * scores.mean():.1f} ({rank:.1f})")
    seconds = np.mean([by_table(result, key, "seconds")[0].mean(axis=1) for key in keys], axis=0)
    lines = [
        "| method | " + " | ".join(keys) + " | seconds |",
        "|---|" + "---|" * (len(keys) + 1),
    ]
    for (method, shown), time in zip(cells.items(), seconds, strict=True):
        lines.append(f"| {method} | " + " | ".join(shown) + f" | {time:.1f} |")
    return lines


def all_labels():
    """Mean accuracy, mean rank and mean log loss over tables where all rows have labels."""
    result, key = read("all_labels"), "all labels"
    scores, methods, _ = by_table(result, key)
    ranks = rankdata(-scores.round(4), axis=0).mean(axis=1)
    losses, seconds = (
        by_table(result, key, what)[0].mean(axis=1) for what in ("log_loss", "seconds")
    )
    lines = ["| method | accuracy | log loss | seconds |", "|---|---|---|---|"]
    for method, row, rank, loss, time in zip(methods, scores, ranks, losses, seconds, strict=True):
        shown = "-" if np.isnan(loss) else f"{loss:.3f}"
        lines.append(f"| {method} | {100 * row.mean():.1f} ({rank:.1f}) | {shown} | {time:.1f} |")
    return lines


def small_classes():
    """The same for tables with a small class."""
    return few_labels("small_classes")


def few_labels_behind():
    """Tables where skaae is more than 3 points below the best method on the labels alone."""
    lines = ["| labels | table | best on the labels | its score | skaae |", "|---|---|---|---|---|"]
    result = read("few_labels")
    for key in result["methods"]["skaae"]["score"]:
        figures, methods, tables = by_table(result, key)
        alone = [i for i, method in enumerate(methods) if method in ON_LABELS_ALONE]
        ours = figures[methods.index("skaae")]
        for column, table in enumerate(tables):
            best = max(alone, key=lambda i, c=column: figures[i, c])
            if figures[best, column] - ours[column] > 0.03:
                scores = f"{100 * figures[best, column]:.1f} | {100 * ours[column]:.1f}"
                lines.append(f"| {key} | {table} | {methods[best]} | {scores} |")
    return lines


def noisy_columns():
    """Gain over logistic regression in the cells of a grid, by their rows."""
    found = read("noisy_columns")["cells"]
    lines = [
        "| rows | cells | mean gain | worst cell | cells below -2 | too few classes | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for n_rows in sorted({int(cell.split(",")[0].removeprefix("rows ")) for cell in found}):
        cells = {k: v for k, v in found.items() if k.startswith(f"rows {n_rows},")}
        gains = [100 * np.mean([d["skaae"] - d["logistic"] for d in v]) for v in cells.values()]
        lost = sum(
            draw["predicted classes"] < int(re.search(r"classes (\d+)", cell)[1])
            for cell, draws in cells.items()
            for draw in draws
        )
        seconds = np.median([draw["seconds"] for draws in cells.values() for draw in draws])
        lines.append(
            f"| {n_rows:,} | {len(cells)} | {np.mean(gains):+.1f} | {min(gains):+.1f} | "
            f"{sum(gain < -2.0 for gain in gains)} | {lost} | {seconds:.1f} |"
        )
    return lines


def clusters():
    """Adjusted Rand index by data set and method, and the mean over data sets."""
    result = read("clusters")
    methods = result["score"]
    sets = list(next(iter(methods.values())))
    lines = ["| data | " + " | ".join(methods) + " |", "|---|" + "---|" * len(methods)]
    means = {data: [100 * np.mean(found[data]) for found in methods.values()] for data in sets}
    means["mean"] = np.mean(list(means.values()), axis=0)
    for data, found in means.items():
        lines.append(f"| {data} | " + " | ".join(f"{value:.1f}" for value in found) + " |")
    seconds = [np.mean(list(found.values())) for found in result["seconds"].values()]
    lines.append("| seconds | " + " | ".join(f"{value:.1f}" for value in seconds) + " |")
    return lines


def samples():
    """Share of new rows that look like the class, or fall into the cluster, that was asked for."""
    result = read("samples")
    lines = [
        "| data | labels | new rows of a class, % | real rows, % | new rows of a cluster, % |",
        "|---|---|---|---|---|",
    ]
    for name, found in result["classes"].items():
        inside = result["clusters"].get(name)
        shown = "-" if inside is None else f"{100 * np.mean(inside['new rows']):.1f}"
        lines.append(
            f"| {name.replace('_', ' ')} | {found['labels']} | "
            f"{100 * np.mean(found['new rows']):.1f} | {100 * found['real rows']:.1f} | {shown} |"
        )
    return lines


def convolutions():
    """Figures of test images by network: means over draws, and seconds of all draws' fits."""
    figures = {
        "accuracy": "accuracy, %",
        "accuracy with augment": "with `augment`, %",
        "clusters": "clusters: Rand index",
        "reconstruction": "variance reconstructed, %",
    }
    lines = [
        "| images | rows | labels | draws | network | " + " | ".join(figures.values()) + " |",
        "|---|---|---|---|---|" + "---|" * len(figures),
    ]
    for name, found in read("convolutions")["images"].items():
        for network, values in found["networks"].items():
            cells = []
            for figure in figures:
                seconds = np.mean(values[f"seconds of {figure}"])
                cells.append(f"{100 * np.mean(values[figure]):.1f} ({seconds:.0f} s)")
            draws = len(values["accuracy"])
            start = f"| {name} | {found['rows']} | {found['labels']} | {draws} | {network} | "
            lines.append(start + " | ".join(cells) + " |")
    return lines


def gpu():
    """Seconds of fits with default parameters on a GPU, beside the processor of its machine."""
    result = read("gpu")
    lines = ["| fit | GPU | processor | test error |", "|---|---|---|---|"]
    for row, found in result["images"].items():
        title = EXPERIMENTS[row].title.split(":")[0]
        lines.append(f"| {title} | {found['seconds']:.0f} s | - | {found['error']:.2f} % |")
    for fit, found in result["defaults"].items():
        on_cpu = f"{found['processor']:.1f} s" if "processor" in found else "-"
        lines.append(f"| {fit} | {found['GPU']:.1f} s | {on_cpu} | - |")
    return [*lines, *of_gpu(result)]


def of_gpu(result):
    """Return the lines that say what a result of gpu.py was measured on."""
    about = result["circumstances"]
    return [
        "",
        f"{about['hardware']}; the processor is that of the same machine. "
        f"PyTorch {about['torch']}, skaae {about['skaae']}.",
    ]


def gpu_steps():
    """Milliseconds of a training step on a GPU, recorded and not, beside the processor."""
    result = read("gpu")
    columns = ("recorded", "not recorded", "plain port", "processor")
    lines = ["| networks | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for name, found in result["training"].items():
        cells = (f"{found[column]:.1f} ms" if column in found else "-" for column in columns)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [*lines, *of_gpu(result)]


def gpu_inference():
    """Rows per second on a GPU, beside the processor."""
    result = read("gpu")
    lines = ["| method | GPU | processor |", "|---|---|---|"]
    for method, found in result["inference"].items():
        lines.append(f"| `{method}` | {found['GPU']:,} | {found['processor']:,} |")
    return [*lines, *of_gpu(result)]


def gpu_together():
    """What several autoencoders gain on a GPU if they train in the same recorded step."""
    result = read("gpu")["together"]
    numbers = [number for number in next(iter(result.values())) if number != "1"]
    lines = [
        "| networks | one model | " + " | ".join(f"{n} models" for n in numbers) + " |",
        "|---|---|" + "---|" * len(numbers),
    ]
    for name, found in result.items():
        gains = (f"{found['1'] * int(n) / found[n]:.0f} times" for n in numbers)
        lines.append(f"| {name} | {found['1']:.2f} ms a step | " + " | ".join(gains) + " |")
    return [*lines, *of_gpu(read("gpu"))]


def out_of_core():
    """Rows per second and memory of fits on a table that is read from disk."""
    result = read("out_of_core")
    lines = [
        "| hidden layers | rows | in memory | from disk | ratio | process | `transform`, disk |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in result["fits"].items():
        here, disk = found["in memory"], found["from disk"]
        ratio = disk["rows per second"] / here["rows per second"]
        lines.append(
            f"| {name} | {disk['rows']:,} | {here['rows per second']:,} rows/s "
            f"| {disk['rows per second']:,} rows/s | {ratio:.2f} | {disk['memory, MB']} MB "
            f"| {found['transform']['rows per second']:,} rows/s |"
        )
    errors = result["mnist"]["errors"]
    before = [
        read(f"reproduction/labels-100-defaults_draw_{draw}")["figures"][-1] for draw in errors
    ]
    return [
        *lines,
        "",
        f"{result['bytes'] / 1e9:.0f} GB of float32 with 784 columns, batches of 500, one thread "
        f"for the networks, {result['circumstances']['hardware']}. Rows in memory are a part of "
        "the same table.",
        "",
        f"MNIST with 100 labels, default parameters, a group of an eighth of the rows: test error "
        f"{', '.join(f'{error:.2f}' for error in errors.values())} % in {len(errors)} draw(s) of "
        f"labels. With all rows in memory it is {', '.join(f'{e:.2f}' for e in before)} %.",
    ]


def ranks():
    """Milliseconds of a training step in several processes of one machine."""
    result = read("ranks")
    lines = [
        f"{result['circumstances']['hardware']}, {result['cores']} cores, one thread each:",
        "",
        "| networks | mini-batch | processes | least time of a step | processor, each "
        "| gain at most | messages | numbers |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in result["steps"]["1"]:
        networks, batch = name.split(", ")
        for n, steps in result["steps"].items():
            found = steps[name]
            gain = result["steps"]["1"][name]["processor"] / found["processor"]
            lines.append(
                f"| {networks} | {batch} rows | {n} | {found['milliseconds']:.1f} ms "
                f"| {found['processor']:.1f} ms | {gain:.2f} | {found['messages']} "
                f"| {found['numbers']:,} |"
            )
    sums = (f"{int(n):,} numbers in {ms:.1f} ms" for n, ms in result["sums"].items())
    return [*lines, "", f"Two processes add up {', '.join(sums)}."]


def ranks_paper():
    """Milliseconds of a step of many GPUs, computed from measured and from assumed values."""
    result = read("ranks")
    paper, batch = result["paper"], result["rows of a GPU"]
    kinds = list(paper["milliseconds"])
    lines = [
        "| GPUs | rows of a step | " + " | ".join(f"{kind} | efficiency" for kind in kinds) + " |",
        "|---|---|" + "---|---|" * len(kinds),
    ]
    for n in paper["milliseconds"][kinds[0]]:
        cells = []
        for kind in kinds:
            found = paper["milliseconds"][kind]
            cells += [f"{found[n]:.2f} ms", f"{100 * found['1'] / found[n]:.0f} %"]
        lines.append(f"| {n} | {batch * int(n):,} | " + " | ".join(cells) + " |")
    assumed = paper["assumed"]
    inside, between = (assumed[f"bytes per second {place}"] / 1e9 for place in WHERE)
    waits = " and ".join(f"{1e6 * assumed[f'seconds {place}']:.0f}" for place in WHERE)
    return [
        *lines,
        "",
        f"{paper['networks']}; the step of one GPU was measured on {paper['hardware']}. Assumed, "
        f"not measured: {assumed['GPUs of a machine']} GPUs in a machine; {inside:.0f} GB/s of "
        f"each GPU within it, and {between:.0f} GB/s between machines; {waits} µs until a message "
        "arrives.",
    ]


def times():
    """Processor seconds of a fit with default parameters, by estimator and table."""
    result = read("times")
    tables = result["tables"]
    lines = ["| estimator | " + " | ".join(tables) + " |", "|---|" + "---|" * len(tables)]
    for name in next(iter(tables.values()))["fits"]:
        seconds = (found["fits"][name]["processor seconds"] for found in tables.values())
        lines.append(f"| `{name}` | " + " | ".join(f"{value:.1f} s" for value in seconds) + " |")
    about = result["circumstances"]
    return [
        *lines,
        "",
        f"{about['hardware']}, seconds of the processor on {about['threads']} thread. "
        f"PyTorch {about['torch']}, skaae {about['skaae']}.",
    ]


def outliers():
    """Mean area under the ROC curve, and mean rank over tables, by detector and task."""
    result = read("outliers")
    tasks = list(result["methods"]["skaae"]["auc"])
    lines = [
        "| detector | " + " | ".join(f"{task}: AUC | rank" for task in tasks) + " | seconds |",
        "|---|" + "---|---|" * len(tasks) + "---|",
    ]
    cells = {}
    for task in tasks:
        figures, methods, _ = by_table(result, task, "auc")
        ranks = rankdata(-figures.round(4), axis=0).mean(axis=1)
        for method, scores, rank in zip(methods, figures, ranks, strict=True):
            cells.setdefault(method, []).append(f"{100 * scores.mean():.1f} | {rank:.1f}")
    seconds = np.mean([by_table(result, task, "seconds")[0].mean(axis=1) for task in tasks], axis=0)
    for (method, shown), time in zip(cells.items(), seconds, strict=True):
        lines.append(f"| {method} | " + " | ".join(shown) + f" | {time:.1f} |")
    return lines


def outliers_by_table():
    """Mean area under the ROC curve by table and detector, of both tasks together."""
    result = read("outliers")
    found = [by_table(result, task, "auc") for task in result["methods"]["skaae"]["auc"]]
    figures = np.mean([values for values, _, _ in found], axis=0)
    _, methods, tables = found[0]
    lines = ["| table | " + " | ".join(methods) + " |", "|---|" + "---|" * len(methods)]
    for table, values in zip(tables, figures.T, strict=True):
        lines.append(f"| {table} | " + " | ".join(f"{100 * value:.1f}" for value in values) + " |")
    return lines


def prior_match():
    """Distance of codes to their prior, and reconstruction loss, by table and parameters."""
    lines = ["| table, prior, dimensions | AAETransformer | distance | loss |", "|---|---|---|---|"]
    for name, entry in read("prior_match")["data"].items():
        for change, found in entry.items():
            distance, loss = np.mean(found["distance"]), np.mean(found["loss"])
            lines.append(f"| {name} | {change} | {distance:.3f} | {loss:.2f} |")
    return lines


def codes():
    """Error, accuracy on the codes, distance to the prior and seconds, by dimensions and method."""
    lines = [
        "| dimensions | method | error | accuracy | distance | seconds |",
        "|---|---|---|---|---|---|",
    ]
    data = read("codes")["data"].values()
    for size in ("2", "10"):
        entries = [entry[size] for entry in data if size in entry]
        for method in entries[0]:
            error, accuracy, distance, seconds = (
                np.mean([np.mean(entry[method][key]) for entry in entries])
                for key in ("error", "accuracy", "distance", "seconds")
            )
            lines.append(
                f"| {size} | {method} | {error:.3f} | {100 * accuracy:.1f} | {distance:.3f} | "
                f"{seconds:.1f} |"
            )
    return lines


def widths():
    """Error of reconstruction, distance of codes to their prior and seconds, by table and width."""
    lines = ["| table | units of a layer | error | distance | seconds |", "|---|---|---|---|---|"]
    for name, entry in read("widths")["data"].items():
        for width, found in entry.items():
            error, distance, seconds = (
                np.mean(found[key]) for key in ("error", "distance", "seconds")
            )
            lines.append(f"| {name} | {width} | {error:.3f} | {distance:.3f} | {seconds:.0f} |")
    return lines


def draws_of(name):
    """Return the records of a row's draws on test rows."""
    paths = sorted((RESULTS / "reproduction").glob(f"{name}_draw_*.json"))
    records = [json.loads(path.read_text()) for path in paths]
    return [record for record in records if record["rows"] == "test rows"]


def mean_and_error(values):
    """Return "mean ± standard error", the mean alone of a single value."""
    mean = f"{np.mean(values):.2f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.2f}"


def reproduction():
    """Every row of the paper's tables: the published figure and ours."""
    lines = [
        "| row | what | published | ours | draws | epochs | minutes a draw | threads | hardware |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, experiment in EXPERIMENTS.items():
        if experiment.is_of_computation:
            continue
        records = draws_of(name)
        cells = [f"`{name}`", experiment.title, experiment.published or "-"]
        if not records:
            lines.append("| " + " | ".join([*cells, "not run yet", *5 * ["-"]]) + " |")
            continue
        epochs = min(record["epochs"][-1] for record in records)
        records = [record for record in records if epochs in record["epochs"]]
        figures = [record["figures"][record["epochs"].index(epochs)] for record in records]
        # the median: a run may have been stopped for a while
        seconds = [np.median(r["seconds"]) / (r["epochs"][-1] / len(r["epochs"])) for r in records]
        where = [record["circumstances"] for record in records]
        cells += [
            mean_and_error(figures),
            len(records),
            epochs,
            f"{np.median(seconds) * epochs / 60:.0f}",
        ]
        cells += [listed(place["threads"] for place in where)]
        cells += [listed(place["hardware"] for place in where)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def highlights():
    """What a reader of the front page may want to know first."""
    lines = ["| MNIST, plain networks | the paper | ours | draws | processor minutes |"]
    lines += ["|---|---|---|---|---|"]
    rows = ("clusters-10-defaults", "labels-20-defaults", "labels-100-defaults")
    for name in rows:
        experiment, records = EXPERIMENTS[name], draws_of(name)
        if records:
            what = (
                experiment.title.removeprefix("MNIST, ")
                .partition(":")[0]
                .removesuffix(", default parameters")
            )
            figures = mean_and_error([record["figures"][-1] for record in records])
            minutes = np.median([record["processor_seconds"][-1] / 60.0 for record in records])
            of_paper = EXPERIMENTS.get(name.removesuffix("-defaults"), experiment)
            published = experiment.published or of_paper.published or "-"
            cells = [what, published, figures, len(records), f"{minutes:.0f}"]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def listed(values):
    """Return different values, in the order in which they come, with commas between them."""
    return ", ".join(map(str, dict.fromkeys(values)))


def curves():
    """How the error with few labels falls, draw by draw, as in the paper and beyond it."""
    lines = []
    shown = (
        "labels-100",
        "labels-100-long",
        "labels-100-virtual-adversarial",
        "labels-100-components",
    )
    for row in (*shown, "labels-20-components"):
        lines += [f"`{row}`:", "", *curves_of(draws_of(row)), ""]
    return lines[:-1]


def curves_of(records):
    """Return the table of one row's draws."""
    if not records:
        return ["Not run yet."]
    last = max(record["epochs"][-1] for record in records)
    shown = [e for e in (1, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500) if e <= last]
    lines = [
        "| draw | " + " | ".join(f"epoch {epoch}" for epoch in shown) + " |",
        "|---|" + "---|" * len(shown),
    ]
    columns = []
    for epoch in shown:
        at = [dict(zip(r["epochs"], r["figures"], strict=True)).get(epoch) for r in records]
        mean = None if None in at else float(np.mean(at))
        columns.append(["" if value is None else f"{value:.2f}" for value in (*at, mean)])
    names = [*(str(record["draw"]) for record in records), "mean"]
    for name, *cells in zip(names, *columns, strict=True):
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return lines


def computed():
    """Test error with 100 labels in every precision and scheme of updates, on the same draws."""
    others = [name for name, row in EXPERIMENTS.items() if row.is_of_computation]
    names = ["labels-100", *others]
    records = {name: found for name in names if (found := draws_of(name))}
    if not records:
        return ["Not run yet."]
    epochs = min(record["epochs"][-1] for found in records.values() for record in found)
    lines = [
        f"| computed with | error after {epochs} epochs, % | each draw | seconds per epoch |",
        "|---|---|---|---|",
    ]
    for name, found in records.items():
        plain = "solver=SGD(precision='bfloat16', updates='alternating')"
        title = EXPERIMENTS[name].title if name in others else plain
        found = found[:3]  # the draws that the others have
        figures = [record["figures"][record["epochs"].index(epochs)] for record in found]
        seconds = np.median([second for record in found for second in record["seconds"]])
        each = ", ".join(f"{figure:.2f}" for figure in figures)
        lines.append(f"| {title} | {mean_and_error(figures)} | {each} | {seconds:.0f} |")
    where = found[0]["circumstances"]
    return [*lines, "", f"{where['hardware']}, {where['threads']} thread(s)."]


def time_to_accuracy():
    """Seconds of training until each accuracy, by task and method, and the best accuracy."""
    result = read("time_to_accuracy")
    lines = ["| task | accuracy | method | seconds until then | best | after seconds |"]
    lines.append("|---|---|---|---|---|---|")
    for task, entry in result["tasks"].items():
        methods = entry["methods"]
        for target in entry["targets"] or [max(methods["forest"]["accuracy"])]:
            for name, found in methods.items():
                curve = list(zip(found["accuracy"], found["seconds"], strict=True))
                reached = [second for accuracy, second in curve if accuracy >= target]
                best, when = max(curve, key=lambda pair: (pair[0], -pair[1]))
                until = seconds_of(reached[0]) if reached else "not reached"
                cells = [task, f"{target:g} %", name, until, f"{best:.1f} %", seconds_of(when)]
                lines.append("| " + " | ".join(cells) + " |")
    where = result["circumstances"]
    about = f"{where['hardware']}, seconds of the processor on {where['threads']} thread."
    return [*lines, "", about]


def seconds_of(value):
    """Return seconds as a text, with one digit after the point where that says something."""
    return f"{value:.1f} s" if value < 100.0 else f"{value:.0f} s"


def latency():
    """Milliseconds of one row, and how many requests threads answer, beside the targets."""
    result = read("latency")
    lines = ["| one row of | method | p50 | p99 | target |", "|---|---|---|---|---|"]
    for row in result["one row"]:
        target = " / ".join(f"{value:g}" for value in row["target"])
        lines.append(
            f"| {row['dtype']} | `{row['method']}` | {row['p50']:.2f} ms | {row['p99']:.2f} ms "
            f"| {target} ms |"
        )
    lines += ["", "| threads | rows per second | times one thread |", "|---|---|---|"]
    alone = result["threads"][0]["rows per second"]
    for row in result["threads"]:
        speed = row["rows per second"]
        lines.append(f"| {row['threads']} | {speed:,.0f} | {speed / alone:.2f} |")
    where = result["circumstances"]
    return [*lines, "", f"{where['hardware']}, {result['cores']} cores. PyTorch {where['torch']}."]


def step_overhead():
    """What recording a step gains and costs, and what training several models at once gains."""
    result = read("step_overhead")
    lines = [
        "| default model | step | recorded | gain | seconds to record |",
        "|---|---|---|---|---|",
    ]
    for name, found in result["recorded"].items():
        as_it_is, recorded = found["step, ms"], found["recorded, ms"]
        lines.append(
            f"| {name} | {as_it_is:.2f} ms | {recorded:.2f} ms | {as_it_is / recorded:.2f} "
            f"| {found['seconds to record']:.1f} |"
        )
    gains = result["together"]
    counts = list(next(iter(gains.values()))["gain"])
    lines += ["", "| networks | alone | " + " | ".join(f"{n} models" for n in counts) + " |"]
    lines.append("|---|---|" + "---|" * len(counts))
    for name, found in gains.items():
        cells = [f"{gain:.2f}" for gain in found["gain"].values()]
        lines.append(f"| {name} | {found['alone, ms']:.2f} ms | " + " | ".join(cells) + " |")
    where = result["circumstances"]
    about = f"{where['hardware']}, {where['threads']} thread. PyTorch {where['torch']}."
    return [*lines, "", about]


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
            "| joint | bound | plain port / same maths | plain port / defaults "
            "| plain port / joint | plain port / bound | defaults / bound | joint / bound "
            "| pythae / AAE |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for row in result["training"]:
            ms = row["ms per step"]
            cells = [row["networks"], row["batch"], row["precision"]]
            shown = ("plain port", "same maths", "defaults", "joint", "bound")
            cells += [ms[name] for name in shown]
            ratios = {**row, "plain port / bound": round(ms["plain port"] / ms["bound"], 2)}
            cells += [
                ratios.get(name, "")
                for name in (
                    "plain port / same maths",
                    "plain port / defaults",
                    "plain port / joint",
                    "plain port / bound",
                    "defaults / bound",
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


def two_at_once():
    """Seconds of a fit alone and of two at once, by networks and by how threads wait."""
    if not (RESULTS / "two_at_once.json").exists():
        return ["Not run yet."]
    result = read("two_at_once")
    where = result["circumstances"]
    lines = [
        f"{where['hardware']}, {result['cores']} cores:",
        "",
        "| networks | OMP_WAIT_POLICY | seconds alone | two processes | times alone "
        "| two threads | times alone |",
        "|---|---|---|---|---|---|---|",
    ]
    for networks, policies in result["fits"].items():
        for policy, seconds in policies.items():
            alone, *both = (
                np.median(seconds[what]) for what in ("alone", "two processes", "two threads")
            )
            cells = [networks, "not set" if policy == "default" else policy, f"{alone:.2f}"]
            cells += [cell for two in both for cell in (f"{two:.2f}", f"{two / alone:.2f}")]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def threads():
    """Processor time of a step on one thread and on two, by the width of the networks."""
    result = read("threads")
    lines = [
        f"{result['circumstances']['hardware']}, milliseconds of processor time of a step:",
        "",
        "| columns | width | precision | one thread | two: the calling one | two: together "
        "| gain at most | cost |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in result["steps"]:
        one, calling, together = list(row.values())[-3:]
        cells = [*row.values(), f"{one / calling:.2f}", f"{together / one:.2f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def synthetic_tables():
    """Quality of new rows of mixed tables, by method: means over draws."""
    result = read("synthetic_tables")
    shown = ["column shapes", "pair trends", "accuracy", "copies", "seconds"]
    lines = [
        f"{result['circumstances']['hardware']}, one thread:",
        "",
        "| table | method | " + " | ".join(shown) + " |",
        "|---|---|" + "---|" * len(shown),
    ]
    for table, entry in result["tables"].items():
        about = f"{table}: {entry['rows']} rows; columns of numbers: {entry['numbers']}, "
        about += f"of categories: {entry['categories']}"
        for method, figures in entry["figures"].items():
            cells = [number(figures.get(key), 1 if key in shown[3:] else 3) for key in shown]
            lines.append(f"| {about} | {method} | " + " | ".join(cells) + " |")
            about = ""
    lines.append(mean_rows(result["tables"], shown))
    return lines


def mean_rows(tables, shown):
    """Return the rows of the means over tables, by method."""
    rows, about = [], "**mean over tables**"
    for method in next(iter(tables.values()))["figures"]:
        cells = []
        for key in shown:
            by_table = [entry["figures"][method].get(key) for entry in tables.values()]
            means = None if by_table[0] is None else [np.mean(values) for values in by_table]
            cells.append(number(means, 1 if key in shown[3:] else 3))
        rows.append(f"| {about} | {method} | " + " | ".join(cells) + " |")
        about = ""
    return "\n".join(rows)


def number(values, n_digits):
    """Return the mean of values as text; a dash where there are none."""
    return "-" if values is None else f"{np.mean(values):.{n_digits}f}"


def gaps():
    """Mean accuracy and mean rank over tables, by method and share of missing values."""
    result = read("gaps")
    entries = result["tables"].values()
    shares = list(next(iter(entries))["accuracy"])
    methods = list(next(iter(entries))["accuracy"][shares[0]])
    figures, seconds = (
        np.array(
            [
                [[np.mean(entry[what][share][m]) for entry in entries] for share in shares]
                for m in methods
            ]
        )
        for what in ("accuracy", "seconds")
    )
    ranks = rankdata(-figures.round(4), axis=0).mean(axis=2)
    lines = [
        "| method | " + " | ".join(f"{share} missing" for share in shares) + " | seconds |",
        "|---|" + "---|" * (len(shares) + 1),
    ]
    for method, row, rank, time in zip(methods, figures, ranks, seconds, strict=True):
        cells = [f"{100 * a.mean():.1f} ({r:.1f})" for a, r in zip(row, rank, strict=True)]
        lines.append(f"| {method} | " + " | ".join(cells) + f" | {time.mean():.1f} |")
    return lines


def imputation():
    """Error of filled gaps by table, share of gaps and method: means over draws."""
    result = read("imputation")
    first = next(iter(result["tables"].values()))
    methods = list(next(iter(first["error"].values())))
    lines = [
        f"{result['circumstances']['hardware']}; error in standard deviations (seconds):",
        "",
        "| table | gaps | " + " | ".join(methods) + " |",
        "|---|---|" + "---|" * len(methods),
    ]
    for table, entry in result["tables"].items():
        for share, errors in entry["error"].items():
            seconds = entry["seconds"][share]
            cells = [f"{np.mean(errors[m]):.3f} ({np.mean(seconds[m]):.1f})" for m in methods]
            lines.append(f"| {table} | {share} | " + " | ".join(cells) + " |")
    for share in first["error"]:
        cells = []
        for method in methods:
            means = [np.mean(entry["error"][share][method]) for entry in result["tables"].values()]
            cells.append(f"{np.mean(means):.3f}")
        lines.append(f"| **mean over tables** | {share} | " + " | ".join(cells) + " |")
    return lines


def maps():
    """Figures of maps by table and method: means over draws."""
    result = read("maps")
    figures = {
        "trustworthiness": 3,
        "1-NN": 3,
        "new trustworthiness": 3,
        "new 1-NN": 3,
        "error": 2,
        "sure": 2,
        "seconds": 0,
    }
    lines = [
        f"{result['circumstances']['hardware']}, one thread; seconds of the processor:",
        "",
        "| table | rows | method | trustworthiness | 1-NN | trustworthiness, new rows "
        "| 1-NN, new rows | error | sure | seconds |",
        "|---|---|---|" + "---|" * len(figures),
    ]
    for table, entry in result["tables"].items():
        for name, found in entry["methods"].items():
            cells = [number(found.get(key), digits) for key, digits in figures.items()]
            lines.append(f"| {table} | {entry['rows']} | {name} | " + " | ".join(cells) + " |")
    return lines


def memory():
    """Memory beside the table, by case."""
    result = read("memory")
    columns = list(next(iter(result["MB"].values())))
    lines = ["| rows and columns | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for case, values in result["MB"].items():
        lines.append(f"| {case} | " + " | ".join(f"{value:,}" for value in values.values()) + " |")
    return lines


def serving():
    """Speed and memory of the example of a web server, by kind of request and connections."""
    result = read("serving")
    lines = [
        "| request | connections | requests per second | p50 | p99 | processor time | memory "
        "| answers |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in result["cases"]:
        statuses = ", ".join(f"{status}: {n:,}" for status, n in case["statuses"].items())
        cells = [
            case["request"],
            case["connections"],
            f"{case['requests per second']:,}",
            f"{case['p50']:.1f} ms",
            f"{case['p99']:.1f} ms",
            f"{case['processor ms']:.2f} ms",
            ", ".join(f"{mb:.1f}" for mb in case["MB"]) + " MB",
            statuses,
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    bad = [case for case in result["cases"] if "200" not in case["statuses"]]
    n_bad, n_silent = (
        sum(count(case) for case in bad)
        for count in (lambda c: sum(c["statuses"].values()), lambda c: c["without a reason"])
    )
    about = result["circumstances"]
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    return [
        *lines,
        "",
        f"{n_bad - n_silent:,} of {n_bad:,} bad requests got a reason. {about['hardware']}, "
        f"{result['cores']} cores, for which {result['load before']:.1f} processes of other "
        f"programs waited or worked at the start; {versions}.",
    ]


def diagnosis():
    """Numbers of the checks of `diagnose`: the limit, the worst of healthy fits, failed fits."""
    result = read("diagnosis")
    healthy, failed = {}, {}
    noted = {(fit["estimator"], check) for fit in result["healthy"] for check in fit["notes"]}
    for fit in result["healthy"]:
        for check, value in fit["values"].items():
            if (fit["estimator"], check) not in noted:  # estimators that need it
                healthy.setdefault(check, []).append(value)
    for failure in result["failed"].values():
        for check in failure["expected"]:
            failed.setdefault(check, []).extend(one["values"][check] for one in failure["found"])
    lines = ["| check | limit | worst healthy fit | mildest failed fit |", "|---|---|---|---|"]
    for check, (best, limit) in result["limits"].items():
        high = limit > best  # high numbers are bad
        worst, mildest = (max, min) if high else (min, max)
        cells = [
            f"{choose(values[check]):.2f}" if check in values else "-"
            for choose, values in ((worst, healthy), (mildest, failed))
        ]
        where = f"{'above' if high else 'below'} {limit:.2f}"
        if check == "empty clusters":
            where = "any"
        lines.append(f"| {check} | {where} | {' | '.join(cells)} |")
    n_fits = len(result["healthy"])
    n_warnings = sum(bool(fit["warnings"]) for fit in result["healthy"])
    found = [
        set(failure["expected"]) <= set(one["warnings"])
        for failure in result["failed"].values()
        for one in failure["found"]
    ]
    lines += [
        "",
        f"{n_warnings} of {n_fits} healthy fits have a warning. {sum(found)} of {len(found)} fits "
        "that fail have the warnings that they should have.",
    ]
    return lines


def mutation():
    """Mutants of each module: killed by its tests, or survivors by what explains them."""
    result = read("mutation")
    lines = [
        "| module | mutants | killed | " + " | ".join(result["kinds"]) + " |",
        "|---|" + "---|" * (2 + len(result["kinds"])),
    ]
    counted = {module.removeprefix("skaae/"): found for module, found in result["modules"].items()}
    columns = next(iter(counted.values()))
    counted["all"] = {name: sum(one[name] for one in counted.values()) for name in columns}
    for module, found in counted.items():
        name = module if module == "all" else f"`{module}`"
        lines.append(f"| {name} | " + " | ".join(f"{n:,}" for n in found.values()) + " |")
    return lines


TABLES = {
    "diagnosis": diagnosis,
    "mutation": mutation,
    "memory": memory,
    "serving": serving,
    "maps": maps,
    "synthetic_tables": synthetic_tables,
    "imputation": imputation,
    "gaps": gaps,
    "demo": demo,
    "clusters": clusters,
    "convolutions": convolutions,
    "outliers": outliers,
    "outliers_by_table": outliers_by_table,
    "few_labels": few_labels,
    "all_labels": all_labels,
    "small_classes": small_classes,
    "noisy_columns": noisy_columns,
    "few_labels_behind": few_labels_behind,
    "speed": speed,
    "two_at_once": two_at_once,
    "threads": threads,
    "reproduction": reproduction,
    "curves": curves,
    "computed": computed,
    "time_to_accuracy": time_to_accuracy,
    "latency": latency,
    "step_overhead": step_overhead,
    "samples": samples,
    "out_of_core": out_of_core,
    "gpu": gpu,
    "gpu_steps": gpu_steps,
    "gpu_inference": gpu_inference,
    "gpu_together": gpu_together,
    "ranks": ranks,
    "ranks_paper": ranks_paper,
    "times": times,
    "prior_match": prior_match,
    "codes": codes,
    "widths": widths,
    "highlights": highlights,
}


def filled(text):
    """Return a page with every table written anew."""

    def table(match):
        name = match.group(1)
        return "\n".join([f"<!-- table: {name} -->", *TABLES[name](), "<!-- end -->"])

    return re.sub(r"<!-- table: (\w+) -->.*?<!-- end -->", table, text, flags=re.DOTALL)


PAGES = (
    "README.md",
    "benchmarks/README.md",
    "docs/choosing.md",
    "docs/reliability.md",
    "docs/reproduction.md",
    "docs/scaling_up.md",
    "docs/tables.md",
)


def main():
    for path in map(ROOT.joinpath, PAGES):
        path.write_text(filled(path.read_text()))
        print("written", path)


if __name__ == "__main__":
    main()
