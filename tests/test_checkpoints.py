"""A fit that was killed goes on from its checkpoint, to the same bits."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import classifier, hide, make, transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV

from skaae import (
    MLP,
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    Checkpoint,
    SupervisedAAETransformer,
    VirtualAdversarial,
)
from skaae.estimators.checkpoints import fingerprint
from skaae.training.loop import Loop

pytest.importorskip("safetensors")


class Killed(Exception):
    """Stands for the death of the process."""


def factors(kill_at=None):
    """Return a learning-rate schedule that raises at an epoch."""

    def rate(epoch):
        if epoch == rate.kill_at:
            raise Killed
        return 1.0 / (1.0 + epoch)

    rate.kill_at = kill_at
    return rate


def jitter(x):
    return x + 0.01 * torch.randn_like(x)


def dropout_network(n_inputs, n_outputs):
    return torch.nn.Sequential(
        torch.nn.Linear(n_inputs, 9), torch.nn.Dropout(0.3), torch.nn.Linear(9, n_outputs)
    )


FITS = {
    "transformer": lambda **p: transformer(**p),
    "sgd": lambda **p: transformer(solver="sgd", momentum=0.9, **p),
    "early stopping": lambda **p: transformer(early_stopping=True, **p),
    "own network and dropout": lambda **p: transformer(encoder=dropout_network, **p),
    "supervised": lambda **p: make(SupervisedAAETransformer, **p),
    "taught by a committee": lambda **p: classifier(**p),
    "taught by a forest": lambda **p: classifier(
        pseudo_labels=RandomForestClassifier(5, n_jobs=1), **p
    ),
    "graph of neighbours": lambda **p: classifier(
        scaling="range", augment=jitter, average_weights=True, **p
    ),
    "components assigned later": lambda **p: classifier(
        components_per_class=3, virtual_adversarial=VirtualAdversarial(), **p
    ),
    "clusters": lambda **p: make(AAEClusterer, n_clusters=3, **p),
    "clusters that are found": lambda **p: make(
        AAEClusterer, n_clusters=3, init="random", virtual_adversarial=VirtualAdversarial(), **p
    ),
    "map of neighbours": lambda **p: make(AAEEmbedding, n_neighbors=5, **p),
    "outliers": lambda **p: make(AAEOutlierDetector, **p),
}


def state_of(model, X):
    """Return what a fit results in: codes, weights, history."""
    state = model.__getstate__()["_step_state"]
    weights = {name: array.tolist() for name, array in state["networks"].items()}
    return json.dumps([model.transform(X).tolist(), weights, model.history_, model.n_iter_])


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize("kill_at", [4, 9])
def test_a_killed_fit_goes_on_to_the_same_bits(blobs, tmp_path, kind, kill_at):
    X = blobs[0]
    y = blobs[1] if kind == "supervised" else hide(blobs[1], 6)
    params = {"max_iter": 12, "batch_size": 25, "hidden_layer_sizes": (16,), "random_state": 3}
    if kind == "clusters that are found" or kind == "components assigned later":
        params["batch_norm"] = "hidden"
    rate = factors()
    whole = FITS[kind](learning_rate_schedule=rate, **params).fit(X, y)
    rate.kill_at = kill_at
    saved = Checkpoint(folder=tmp_path / "fits", epochs=3)
    model = FITS[kind](learning_rate_schedule=rate, checkpoint=saved, **params)
    with pytest.raises(Killed):
        model.fit(X, y)
    (file,) = (tmp_path / "fits").iterdir()
    assert file.name.startswith(type(model).__name__)
    rate.kill_at = None
    seen = []
    run_epoch = Loop._train_epoch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Loop, "_train_epoch", lambda loop: (seen.append(loop.n_epochs), run_epoch(loop))
        )
        model.fit(X, y)
    assert seen[0] == kill_at // 3 * 3  # the epochs before are not trained again
    assert state_of(model, X) == state_of(whole, X)
    assert not list((tmp_path / "fits").iterdir())


def scaling_by(factor):
    return lambda x: factor * x


def test_other_data_or_parameters_have_other_files(blobs, few_labels):
    X = blobs[0]
    base = classifier(checkpoint="fits", random_state=0, solver="adam")
    found = {fingerprint(base, X, few_labels)}
    others = [
        ({}, (X[::-1], few_labels)),
        ({}, (X, np.roll(few_labels, 1))),
        ({"max_iter": 21}, (X, few_labels)),
        ({"random_state": 1}, (X, few_labels)),
        ({"prior": "uniform"}, (X, few_labels)),
        ({"solver__updates": "joint"}, (X, few_labels)),
        ({"network": MLP(encoder=dropout_network)}, (X, few_labels)),
        ({"augment": jitter}, (X, few_labels)),
        ({"pseudo_labels": RandomForestClassifier(5)}, (X, few_labels)),
        ({"pseudo_labels": RandomForestClassifier(6)}, (X, few_labels)),
    ]
    for params, data in others:
        found.add(fingerprint(classifier(checkpoint="fits").set_params(**params), *data))
    assert len(found) == 1 + len(others)
    # functions of one name, which differ in a constant or in a closure
    found.add(fingerprint(classifier(augment=scaling_by(2.0)), X, few_labels))
    found.add(fingerprint(classifier(augment=scaling_by(3.0)), X, few_labels))
    found.add(fingerprint(classifier(augment=lambda x: 2.0 * x), X, few_labels))
    found.add(fingerprint(classifier(augment=lambda x: 3.0 * x), X, few_labels))
    assert len(found) == 5 + len(others)
    same = classifier(checkpoint="elsewhere", solver="adam", verbose=1)
    assert fingerprint(same, X.copy(), few_labels.copy()) in found


HASH = """
import numpy as np, pandas as pd, json
from skaae import Adam, MLP, SemiSupervisedAAEClassifier
from skaae.estimators.checkpoints import fingerprint
from skaae.priors import GaussianMixture
clf = SemiSupervisedAAEClassifier(solver=Adam(), network=MLP(activation="tanh"), random_state=0)
print(fingerprint(clf, np.arange(6.0), None, np.array(["a", "b", None], dtype=object)))
"""


def test_the_hash_of_a_fit_is_the_same_in_every_process():
    found = set()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        found.add(subprocess.run([sys.executable, "-c", HASH], env=env, capture_output=True).stdout)
    assert len(found) == 1
    assert len(found.pop().strip()) == 16


def test_mixed_tables_and_weights(blobs, few_labels, tmp_path):
    table = pd.DataFrame(blobs[0], columns=list("uvwxyz")).assign(
        kind=pd.Categorical.from_codes(blobs[1], list("abc"))
    )
    rate = factors(5)
    model = classifier(learning_rate_schedule=rate, random_state=0, max_iter=8)
    model.set_params(checkpoint=Checkpoint(folder=tmp_path, epochs=2))
    weights = np.linspace(0.5, 2.0, len(table))
    with pytest.raises(Killed):
        model.fit(table, few_labels, sample_weight=weights, X_val=table[:20], y_val=blobs[1][:20])
    assert len(list(tmp_path.iterdir())) == 1
    rate.kill_at = None
    model.fit(table, few_labels, sample_weight=weights, X_val=table[:20], y_val=blobs[1][:20])
    assert not list(tmp_path.iterdir())
    whole = classifier(learning_rate_schedule=rate, random_state=0, max_iter=8)
    whole.fit(table, few_labels, sample_weight=weights, X_val=table[:20], y_val=blobs[1][:20])
    np.testing.assert_array_equal(model.predict_proba(table), whole.predict_proba(table))


def test_a_warm_start_is_saved_too(blobs, tmp_path):
    X = blobs[0]
    rate = factors()
    params = {"warm_start": True, "learning_rate_schedule": rate, "max_iter": 4, "random_state": 0}
    whole = transformer(**params).fit(X).fit(X)
    model = transformer(checkpoint=Checkpoint(folder=tmp_path, epochs=1), **params).fit(X)
    rate.kill_at = 6
    with pytest.raises(Killed):
        model.fit(X)
    rate.kill_at = None
    assert model.fit(X).n_iter_ == 8
    np.testing.assert_array_equal(model.transform(X), whole.transform(X))


def test_an_interrupted_fit_is_saved_and_goes_on(blobs, tmp_path, monkeypatch):
    monkeypatch.setattr(Loop, "last_interrupt", -np.inf)

    def rate(epoch):
        if epoch == rate.interrupt_at:
            raise KeyboardInterrupt
        return 1.0

    rate.interrupt_at = None
    whole = transformer(learning_rate_schedule=rate, max_iter=6, random_state=0).fit(blobs[0])
    rate.interrupt_at = 4
    model = transformer(learning_rate_schedule=rate, max_iter=6, random_state=0)
    model.set_params(checkpoint=tmp_path)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(blobs[0])
    assert model.n_iter_ == 4
    assert len(list(tmp_path.iterdir())) == 1
    rate.interrupt_at = None
    assert model.fit(blobs[0]).n_iter_ == 6
    np.testing.assert_array_equal(model.transform(blobs[0]), whole.transform(blobs[0]))


def test_each_fit_of_a_search_has_its_own_file(blobs, tmp_path):
    model = transformer(max_iter=2, random_state=0)
    model.set_params(checkpoint=Checkpoint(folder=tmp_path, epochs=1))
    search = GridSearchCV(model, {"n_components": [1, 2]}, cv=2, n_jobs=2).fit(blobs[0])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert not list(tmp_path.iterdir())


def test_what_a_checkpoint_needs(blobs, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for checkpoint in (file, str(file / "inside")):
        with pytest.raises(ValueError, match=r"checkpoint=.* is a file; give the name of a folder"):
            transformer(checkpoint=checkpoint, random_state=0).fit(blobs[0])
    with pytest.raises(ValueError, match="random_state=None gives a fit that cannot be repeated"):
        transformer(checkpoint=tmp_path / "fits", random_state=None).fit(blobs[0])
    with pytest.raises(ValueError, match="'minutes' parameter of Checkpoint"):
        transformer(checkpoint=Checkpoint(minutes=-1.0), random_state=0).fit(blobs[0])
    with pytest.raises(ValueError, match="'checkpoint' parameter"):
        transformer(checkpoint=3, random_state=0).fit(blobs[0])


def test_a_damaged_checkpoint_is_an_error(blobs, tmp_path):
    rate = factors(3)
    model = transformer(learning_rate_schedule=rate, random_state=0)
    model.set_params(checkpoint=Checkpoint(folder=tmp_path, epochs=1))
    with pytest.raises(Killed):
        model.fit(blobs[0])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    rate.kill_at = None
    with pytest.raises(ValueError, match=r"cannot be read: .*damaged"):
        model.fit(blobs[0])


# A parent that has started no thread forks one child after the other and kills it at random.
KILLS = """
import os, random, signal, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import torch
from sklearn.datasets import load_digits
import skaae
from skaae.estimators import base, supervised, classifier, clusterer, embedding
from skaae import *

folder, n_kills = sys.argv[1], int(sys.argv[2])
X, y = load_digits(return_X_y=True)
X, y = X[:300], np.where(np.arange(300) < 60, y[:300], -1)
saved = Checkpoint(folder=os.path.join(folder, "fits"), epochs=1)
own = dict(random_state=0, hidden_layer_sizes=(32,), batch_size=30, verbose=1)
KINDS = [
    lambda **p: AAETransformer(max_iter=30, early_stopping=True, **own, **p),
    lambda **p: SemiSupervisedAAEClassifier(max_iter=20, **own, **p),
    lambda **p: SemiSupervisedAAEClassifier(max_iter=30, scaling="standard", **own, **p),
    lambda **p: AAEClusterer(5, max_iter=20, **own, **p),
    lambda **p: AAEEmbedding(max_iter=20, **own, **p),
]

def child(kind, path, **params):
    pid = os.fork()
    if pid:
        return pid
    try:
        torch.set_num_threads(1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        model = KINDS[kind](**params).fit(X, y)
        codes = model.transform(X)
        losses = [v for name, vs in sorted(model.history_.items()) if name != "stage" for v in vs]
        np.savez(path + ".npz", codes=codes, losses=losses)
        os.replace(path + ".npz", path)
    finally:
        os._exit(0)

draw, killed, agree = random.Random(int(sys.argv[3])), 0, 0
kind = 0
while killed < n_kills:
    path = os.path.join(folder, f"{kind}")
    if not os.path.exists(path):
        start = time.monotonic()
        os.waitpid(child(kind, path), 0)
        took = time.monotonic() - start
        assert os.path.exists(path), kind
        open(path + ".time", "w").write(str(took))
    took = float(open(path + ".time").read())
    again = path + ".again"
    while not os.path.exists(again):
        pid = child(kind, again, checkpoint=saved)
        time.sleep(draw.uniform(0.0, 1.2 * took))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        killed += not os.path.exists(again)
    one, two = np.load(path, allow_pickle=False), np.load(again, allow_pickle=False)
    for name in ("codes", "losses"):
        assert np.array_equal(one[name], two[name], equal_nan=True), (kind, name)
    agree += 1
    os.remove(again)
    kind = (kind + 1) % len(KINDS)
print(killed, "kills,", agree, "fits agree")
"""


def kill(n_times, folder, seed):
    done = subprocess.run(
        [sys.executable, "-c", KILLS, str(folder), str(n_times), str(seed)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    n_killed, n_agree = (int(word) for word in done.stdout.split() if word.isdigit())
    assert n_killed >= n_times
    assert n_agree >= 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks")
def test_fits_that_are_killed_at_random_moments(tmp_path):
    kill(4, tmp_path, 0)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks")
def test_fits_that_are_killed_at_fifty_random_moments(tmp_path):
    kill(50, tmp_path, 1)
