"""Train on 1347 digits with 50 labels, and write three pictures.

    python docs/examples/demo_digits.py --output demo

The data are scikit-learn's digits (8 x 8 pixels, nothing is downloaded). Five
training images of each digit have a label, the others have -1. The script
compares the test accuracy of the classifier with that of LogisticRegression and
LabelSpreading, which use the same labels. It writes latent_space.png,
manifold.png, styles.png and demo.json.
"""

import argparse
import json
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.semi_supervised import LabelSpreading

import skaae
from skaae import (
    AAETransformer,
    LatentSpaceDisplay,
    ManifoldDisplay,
    SemiSupervisedAAEClassifier,
    StyleDisplay,
)


def hide_labels(y, n_per_class, seed):
    """Return y with -1 for all but `n_per_class` random rows of each class."""
    rng = np.random.default_rng(seed)
    hidden = np.full(len(y), -1)
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))[:n_per_class]
        hidden[rows] = label
    return hidden


def split(seed):
    """Return training rows, their labels with -1 for all but 50, test rows and test labels."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, random_state=seed, stratify=y
    )
    return X_train, hide_labels(y_train, 5, seed), X_test, y_test


def accuracies(seed):
    """Return test accuracy by method for one split and one choice of 50 labels."""
    X_train, y_few, X_test, y_test = split(seed)
    labeled = y_few != -1
    supervised = LogisticRegression(max_iter=2000).fit(
        X_train[labeled] / 16, y_few[labeled]
    )
    spreading = LabelSpreading(kernel="knn").fit(X_train, y_few)
    aae = SemiSupervisedAAEClassifier(random_state=seed).fit(X_train, y_few)
    return {
        "LogisticRegression on the 50 labels": supervised.score(X_test / 16, y_test),
        "LabelSpreading(kernel='knn')": spreading.score(X_test, y_test),
        "SemiSupervisedAAEClassifier()": aae.score(X_test, y_test),
    }


def draw(output):
    """Train a transformer, and a classifier with a small style; write the three pictures."""
    X, y = load_digits(return_X_y=True)
    latent = AAETransformer(n_components=2, random_state=0).fit(X)
    # a small style can hardly contain the class, so samples show the class of their column
    styles = SemiSupervisedAAEClassifier(n_components=3, max_iter=100, random_state=0)
    styles.fit(*split(0)[:2])
    displays = {
        "latent_space": LatentSpaceDisplay.from_estimator(latent, X, y),
        "manifold": ManifoldDisplay.from_estimator(latent, n_images=10),
        "styles": StyleDisplay.from_estimator(styles),
    }
    for name, display in displays.items():
        display.figure_.savefig(output / f"{name}.png", dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo"))
    parser.add_argument(
        "--draws", type=int, default=1, help="splits and label draws to average"
    )
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()

    table = {}
    for seed in range(arguments.draws):
        for name, score in accuracies(seed).items():
            table.setdefault(name, []).append(round(float(score), 4))
    print(
        f"Test accuracy on digits, 50 labels of 1347 training rows, {arguments.draws} draw(s):"
    )
    for name, values in table.items():
        print(f"  {name:<45} {np.mean(values):.3f}")

    draw(arguments.output)
    result = {
        "accuracy": table,
        "draws": arguments.draws,
        "skaae": skaae.__version__,
    }
    (arguments.output / "demo.json").write_text(json.dumps(result, indent=1) + "\n")
    written = ", ".join(sorted(path.name for path in arguments.output.glob("*.png")))
    print(f"Pictures in {arguments.output}/: {written}")
    print(f"Done in {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
