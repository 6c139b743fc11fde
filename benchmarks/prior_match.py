"""How well codes follow their prior: the choice of the adversary's rate and schedule.

    python benchmarks/prior_match.py --draws 2

Trains `AAETransformer` on small tables with three priors and writes, for each setting, the distance
(MMD) of the codes of held-out rows to draws of the prior, 0 where they match, and the loss of their
reconstruction. No test rows: the last third of the rows of each table is held out.
"""

from __future__ import annotations

import argparse

import _waiting  # noqa: F401 (before torch)
import numpy as np
import torch
from _common import save
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split

from skaae import AAETransformer
from skaae.training.losses import maximum_mean_discrepancy

DATA = {"digits": load_digits, "breast cancer": load_breast_cancer, "wine": load_wine}
PRIORS = ("gaussian", "uniform", "petals")
SETTINGS = {
    "defaults": {},
    "learning_rate_schedule='constant'": {"learning_rate_schedule": "constant"},
    "adversarial_learning_rate=0.0003": {"adversarial_learning_rate": 0.0003},
    "adversarial_learning_rate=0.0003, learning_rate_schedule='constant'": {
        "adversarial_learning_rate": 0.0003,
        "learning_rate_schedule": "constant",
    },
}


def distance(model, X):
    """Return the MMD of the codes of rows to as many draws of the prior."""
    codes = torch.from_numpy(model.transform(X)).float()
    draws = torch.from_numpy(model.sample_prior(len(codes), random_state=0))
    return float(maximum_mean_discrepancy(codes, draws, draws.square().mean().sqrt()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2, help="splits and seeds")
    arguments = parser.parse_args()
    data = {}
    for name, load in DATA.items():
        X, y = load(return_X_y=True)
        entry = data[name] = {}
        for setting, parameters in SETTINGS.items():
            found = {}
            for prior in PRIORS:
                for seed in range(arguments.draws):
                    train, held_out = train_test_split(
                        X, test_size=1 / 3, random_state=seed, stratify=y
                    )
                    model = AAETransformer(prior=prior, random_state=seed, **parameters).fit(train)
                    found.setdefault("distance", []).append(distance(model, held_out))
                    found.setdefault("loss", []).append(-model.score(held_out))
            entry[setting] = found
            means = {key: round(float(np.mean(values)), 4) for key, values in found.items()}
            print(name, setting, means, flush=True)
    print("written", save("prior_match", {"experiment": "prior match", "data": data}))


if __name__ == "__main__":
    main()
