"""How well codes follow their prior: the choice of normalization, adversary's rate and schedule.

    python benchmarks/prior_match.py --draws 2

Trains `AAETransformer` on small tables: with codes of two dimensions and a normal prior or one of
two other shapes, and with codes of eight dimensions and a normal prior. "patches" are grey squares
of 8 x 8 pixels of the two photos that scikit-learn ships. For each change of the defaults it
writes two figures of held-out rows, a third of each table: the distance (MMD) of their codes to
samples of the prior, which is 0 where they match, and the loss of their reconstruction.
"""

from __future__ import annotations

import argparse
import itertools

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import described, save
from sklearn.datasets import load_breast_cancer, load_digits, load_sample_images, load_wine
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.model_selection import train_test_split

from skaae import MLP, AAETransformer, Adam
from skaae.training.losses import maximum_mean_discrepancy


def load_patches(return_X_y=True):
    """Return 1200 patches of photos, as rows of 64 grey values, and their photos."""
    photos = load_sample_images().images
    patches = [
        extract_patches_2d(photo.mean(axis=2), (8, 8), max_patches=600, random_state=0)
        for photo in photos
    ]
    return np.concatenate(patches).reshape(-1, 64), np.repeat(np.arange(len(photos)), 600)


DATA = {
    "digits": load_digits,
    "breast cancer": load_breast_cancer,
    "wine": load_wine,
    "patches": load_patches,
}
# Dimensions of the code, and priors.
KINDS = {
    "normal, 2": (2, ["gaussian"]),
    "other, 2": (2, ["uniform", "petals"]),
    "normal, 8": (8, ["gaussian"]),
}
CHANGES = [
    {},
    {"network": MLP(batch_norm=None)},
    {"solver": Adam(learning_rate_schedule="constant")},
    {"solver": Adam(adversarial_learning_rate=0.0003)},
    {"solver": Adam(adversarial_learning_rate=0.001)},
]


def distance(model, X):
    """Return the MMD of the codes of rows to as many samples of the prior."""
    codes = torch.from_numpy(model.transform(X)).float()
    samples = torch.from_numpy(model.sample_prior(len(codes), random_state=0))
    return float(maximum_mean_discrepancy(codes, samples, samples.square().mean().sqrt()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2, help="splits and seeds")
    arguments = parser.parse_args()
    data = {}
    for (name, load), (kind, (size, priors)) in itertools.product(DATA.items(), KINDS.items()):
        X, y = load(return_X_y=True)
        entry = data[f"{name}, {kind}"] = {}
        for parameters in CHANGES:
            found, change = {}, described(parameters)
            for prior, seed in itertools.product(priors, range(arguments.draws)):
                train, held_out = train_test_split(
                    X, test_size=1 / 3, random_state=seed, stratify=y
                )
                model = AAETransformer(size, prior=prior, random_state=seed, **parameters)
                model.fit(train)
                found.setdefault("distance", []).append(distance(model, held_out))
                found.setdefault("loss", []).append(-model.score(held_out))
            entry[change] = found
            means = {key: round(float(np.mean(values)), 4) for key, values in found.items()}
            print(name, kind, change, means, flush=True)
    print("written", save("prior_match", {"experiment": "prior match", "data": data}))


if __name__ == "__main__":
    main()
