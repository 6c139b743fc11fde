"""Fit, predict and sample with the installed package, wherever it is; a script, not a test."""

from pathlib import Path

import numpy as np

import skaae

source = Path(__file__).resolve().parents[1] / "skaae"
assert Path(skaae.__file__).parent != source, "the source tree was imported, not the wheel"
X = np.random.default_rng(0).normal(size=(60, 4))
y = np.where(np.arange(60) < 20, X[:, 0] > 0, -1)
transformer = skaae.AAETransformer(max_iter=2, random_state=0).fit(X)
codes = transformer.transform(X)
model = skaae.SemiSupervisedAAEClassifier(max_iter=2, random_state=0).fit(X, y)
assert codes.shape == (60, 2)
assert model.predict_proba(X).shape == (60, 2)
assert model.sample(3, 1).shape == (3, 4)
assert (
    "class Decoder" in skaae.displays.explore(transformer, X).to_html()
)  # its files are in the wheel
print("skaae", skaae.__version__, "works from", Path(skaae.__file__).parent)
