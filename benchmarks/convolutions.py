"""Convolutional networks beside fully connected ones on images, at defaults.

    python benchmarks/convolutions.py --draws 3
    python benchmarks/convolutions.py --images mnist --data FOLDER --draws 1

The images:

* digits: scikit-learn's, 8 x 8 pixels. 500 are test rows, and 50 of the others have a label.
* patches: the two pictures that scikit-learn ships, cut into patches of 16 x 16 pixels with three
  colours. The class is the picture that a patch comes from. 500 are test rows, 20 others have a
  label.
* mnist: all rows, 100 labels.

For each network, "mlp" and "conv", there are four figures of test rows: the accuracy of
SemiSupervisedAAEClassifier, the same with `augment`, the adjusted Rand index of AAEClusterer with
the true number of classes, and the share of variance that AAETransformer(n_components=10)
reconstructs. `augment` shifts, turns and resizes the images a little. The seconds are those of the
processor on one thread. Writes results/convolutions.json after each draw of a kind of images, so
other kinds of images keep their figures.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import defaultdict

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import RESULTS, hide_labels, load_mnist, save
from experiments import RandomAffine
from sklearn.datasets import load_digits, load_sample_images
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skaae import AAEClusterer, AAETransformer, Conv, SemiSupervisedAAEClassifier

N_TEST = 500
SIDE = 16  # pixels of a patch
N_LABELS = {"digits": 50, "patches": 20, "mnist": 100}
SHAPES = {"digits": (8, 8), "patches": (SIDE, SIDE, 3), "mnist": (28, 28)}
AUGMENT = {
    "digits": RandomAffine(degrees=10.0, pixels=1.0, sizes=0.1),
    "patches": RandomAffine(degrees=10.0, pixels=2.0, sizes=0.1, channels=3),
    "mnist": RandomAffine(degrees=10.0, pixels=2.0, sizes=0.1),
}
FIGURES = ("accuracy", "accuracy with augment", "clusters", "reconstruction")


def patches():
    """Return flat patches of the two pictures, side by side, and the picture of each."""
    found = []
    for picture in load_sample_images().images:
        height, width = (SIDE * (n // SIDE) for n in picture.shape[:2])
        tiles = picture[:height, :width].reshape(height // SIDE, SIDE, width // SIDE, SIDE, 3)
        found.append(tiles.swapaxes(1, 2).reshape(-1, SIDE * SIDE * 3).astype(np.float32))
    return np.concatenate(found), np.repeat([0, 1], [len(rows) for rows in found])


def load(name, folder, draw):
    """Return X, y, X_test and y_test of a draw."""
    if name == "mnist":
        return load_mnist(folder)
    X, y = load_digits(return_X_y=True) if name == "digits" else patches()
    X, X_test, y, y_test = train_test_split(X, y, test_size=N_TEST, stratify=y, random_state=draw)
    return X, y, X_test, y_test


def network(name, kind):
    return Conv(image_shape=SHAPES[name]) if kind == "conv" else kind


def fit(model, *data):
    """Return the fitted model and the seconds that it took."""
    start = time.process_time()
    model.fit(*data)
    return model, time.process_time() - start


def judge(name, kind, rows, draw):
    """Yield name, figure and seconds of each fit of one network."""
    X, y, X_test, y_test = rows
    few = hide_labels(y, N_LABELS[name], draw)
    chosen = {"network": network(name, kind), "random_state": draw}
    for figure, augment in (("accuracy", None), ("accuracy with augment", AUGMENT[name])):
        model, seconds = fit(SemiSupervisedAAEClassifier(augment=augment, **chosen), X, few)
        yield figure, float(np.mean(model.predict(X_test) == y_test)), seconds
    model, seconds = fit(AAEClusterer(len(np.unique(y)), **chosen), X)
    yield "clusters", adjusted_rand_score(y_test, model.predict(X_test)), seconds
    model, seconds = fit(AAETransformer(10, **chosen), X)
    back = model.inverse_transform(model.transform(X_test))
    share = 1.0 - np.sum((back - X_test) ** 2.0) / np.sum((X_test - X.mean(0)) ** 2.0)
    yield "reconstruction", float(share), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", nargs="+", default=["digits", "patches"], choices=list(SHAPES))
    parser.add_argument("--data", help="folder with mnist.npz; fetched from OpenML where not given")
    parser.add_argument("--draws", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    path = RESULTS / "convolutions.json"
    result = json.loads(path.read_text()) if path.is_file() else {"images": {}}
    for name in arguments.images:
        found = {kind: defaultdict(list) for kind in ("mlp", "conv")}
        for draw in range(arguments.draws):
            rows = load(name, arguments.data, draw)
            for kind, figures in found.items():
                with threadpool_limits(1):
                    for figure, value, seconds in judge(name, kind, rows, draw):
                        figures[figure].append(round(value, 4))
                        figures[f"seconds of {figure}"].append(round(seconds, 1))
                        print(
                            name,
                            draw,
                            kind,
                            figure,
                            round(value, 4),
                            f"{seconds:.0f} s",
                            flush=True,
                        )
            result["images"][name] = {
                "rows": len(rows[0]),
                "columns": rows[0].shape[1],
                "labels": N_LABELS[name],
                "networks": found,
            }
            save("convolutions", {"experiment": "convolutions", **result})


if __name__ == "__main__":
    main()
