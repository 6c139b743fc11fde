"""A fit that was killed goes on from its checkpoint, to the same bits."""

import json
import os
import shutil
import subprocess
import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import classifier, hide, make, transformer
from scipy.stats import laplace
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV

from skaae import (
    MLP,
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    AAETransformer,
    Checkpoint,
    SupervisedAAETransformer,
    VirtualAdversarial,
)
from skaae.columns.schema import describe
from skaae.estimators.checkpoints import fingerprint, make_saver
from skaae.training.loop import Loop
from skaae.training.snapshots import EarlyStopping

pytestmark = pytest.mark.usefixtures("small_forests")

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


# Killed right after a checkpoint too, where stages change or epochs are counted.
TWICE = ("early stopping", "graph of neighbours", "components assigned later")


@pytest.mark.parametrize(
    ("kind", "kill_at"),
    [
        *((kind, 4) for kind in FITS),
        *(pytest.param(kind, 9, marks=[] if kind in TWICE else pytest.mark.slow) for kind in FITS),
    ],
)
def test_a_killed_fit_goes_on_to_the_same_bits(blobs, tmp_path, kind, kill_at):
    X, y = blobs[0][:90], blobs[1][:90]
    y = y if kind == "supervised" else hide(y, 6)
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
            Loop, "_train_epoch", lambda loop: (seen.append(loop.n_trained), run_epoch(loop))
        )
        model.fit(X, y)
    assert seen[0] == kill_at // 3 * 3  # the epochs before are not trained again
    assert state_of(model, X) == state_of(whole, X)
    assert not list((tmp_path / "fits").iterdir())


def scaling_by(factor):
    return lambda x: factor * x


FACTOR = 1.0


def scaled(x):
    return inner_scaled(x)


def inner_scaled(x):
    return FACTOR * x


class Scaling:
    def __init__(self, function):
        self.function = function

    def __call__(self, x):
        return self.function(x)

    def call(self, x):
        return self.function(x)


def fitted_mixture(shift):
    rows = np.random.default_rng(0).normal(size=(40, 2)) + shift
    return GaussianMixture(2, random_state=0).fit(rows)


def test_other_data_or_parameters_have_other_files(blobs, few_labels, monkeypatch):
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
    # objects that are alike but for a fitted attribute, a constant inside, or a global
    for prior in (fitted_mixture(0.0), fitted_mixture(1.0), laplace(scale=1.0), laplace(scale=2.0)):
        found.add(fingerprint(classifier(prior=prior), X, few_labels))
    for factor in (2.0, 3.0):
        found.add(fingerprint(classifier(augment=partial(scaling_by(factor), 1.0)), X, few_labels))
        found.add(fingerprint(classifier(augment=Scaling(scaling_by(factor))), X, few_labels))
        found.add(fingerprint(classifier(augment=Scaling(scaling_by(factor)).call), X, few_labels))
        monkeypatch.setattr(sys.modules[__name__], "FACTOR", factor)
        found.add(fingerprint(classifier(augment=scaled), X, few_labels))
    assert len(found) == 5 + len(others) + 4 + 8
    same = classifier(checkpoint="elsewhere", solver="adam", verbose=1)
    assert fingerprint(same, X.copy(), few_labels.copy()) in found


HASH = """
import functools
import numpy as np, scipy.stats, torch
from sklearn.mixture import GaussianMixture
from skaae import Adam, MLP, SemiSupervisedAAEClassifier
from skaae.estimators.checkpoints import fingerprint

mask = torch.linspace(0.0, 1.0, 4)
layer = torch.nn.Linear(2, 2)
torch.nn.init.ones_(layer.weight), torch.nn.init.ones_(layer.bias)

def network(n_inputs, n_outputs, kind=frozenset({"a", "b", "c"})):
    return layer if kind in {"x", "y", "z"} else torch.nn.Linear(n_inputs, n_outputs)

def by_mask(factor, x):
    return factor * mask * x

mixture = GaussianMixture(2, random_state=0).fit(np.arange(12.0).reshape(6, 2))
np.random.normal()  # the generator of scipy's distributions
for prior in (scipy.stats.laplace(scale=2.0), scipy.stats.multivariate_normal([0.0, 1.0]), mixture):
    clf = SemiSupervisedAAEClassifier(
        prior=prior, solver=Adam(), network=MLP(encoder=network), random_state=0,
        augment=functools.partial(by_mask, 2.0),
    )
    print(fingerprint(clf, np.arange(6.0), None, np.array(["a", "b", None], dtype=object)))
"""


def test_the_hash_of_a_fit_is_the_same_in_every_process():
    found = set()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", HASH], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.add(tuple(done.stdout.split()))
    assert len(found) == 1
    assert [len(text) for text in found.pop()] == [16, 16, 16]


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


@pytest.mark.parametrize("epoch", [4, 6], ids=["epoch 4", "the last epoch"])
def test_an_interrupt_of_the_validation_goes_on_to_the_same_bits(
    blobs, tmp_path, monkeypatch, epoch
):
    params = {"early_stopping": True, "max_iter": 6, "random_state": 0}
    whole = transformer(**params).fit(blobs[0])
    monkeypatch.setattr(Loop, "last_interrupt", -np.inf)
    called, calls = EarlyStopping.__call__, []

    def interrupted(stopping):
        calls.append(len(calls))
        if len(calls) == epoch:
            raise KeyboardInterrupt
        return called(stopping)

    model = transformer(checkpoint=tmp_path, **params)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EarlyStopping, "__call__", interrupted)
        with pytest.warns(UserWarning, match=f"trained for {epoch} of 6 epochs"):
            model.fit(blobs[0])
    assert len(model.history_["validation"]) == model.n_iter_ == epoch
    assert model.fit(blobs[0]).n_iter_ == 6
    assert state_of(model, blobs[0]) == state_of(whole, blobs[0])


def test_an_interrupt_after_training_loses_no_epoch(blobs, tmp_path, monkeypatch):
    model = transformer(checkpoint=tmp_path, max_iter=5, random_state=0)

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "_results", interrupt)
        with pytest.raises(KeyboardInterrupt):
            model.fit(blobs[0])
    monkeypatch.setattr(Loop, "_train_epoch", interrupt)  # no epoch is left to train
    assert model.fit(blobs[0]).n_iter_ == 5


def test_a_divergence_before_the_kill_is_told_at_the_end(blobs, tmp_path):
    rate = factors()
    explodes = {"solver": "sgd", "max_gradient_norm": None, "reconstruction_learning_rate": 0.001}

    def factor(epoch):
        rate(epoch)
        return 400.0 if epoch >= 5 else 1.0

    explodes["batch_norm"] = None
    model = transformer(learning_rate_schedule=factor, max_iter=9, random_state=0, **explodes)
    model.set_params(checkpoint=Checkpoint(folder=tmp_path, epochs=1))
    rate.kill_at = 7
    with pytest.raises(Killed):
        model.fit(blobs[0])
    rate.kill_at = None
    with pytest.warns(ConvergenceWarning, match="Training diverged"):
        model.fit(blobs[0])


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_fit(blobs, tmp_path):
    def remove(epoch):
        if epoch == 2:
            shutil.rmtree(tmp_path / "fits")
        return 1.0

    model = transformer(learning_rate_schedule=remove, max_iter=5, random_state=0)
    model.set_params(checkpoint=Checkpoint(folder=tmp_path / "fits", epochs=3))
    with pytest.warns(UserWarning, match="could not be written: .*The fit goes on"):
        model.fit(blobs[0])
    assert model.n_iter_ == 5


def test_parts_of_files_that_killed_processes_left_are_removed(blobs, tmp_path):
    model = transformer(checkpoint=tmp_path, max_iter=2, random_state=0)
    name = make_saver(model, blobs[0], None, None, None).path.name
    (tmp_path / f"{name}.1234.tmp").write_bytes(b"part")
    (tmp_path / "other").write_bytes(b"of the user")
    model.fit(blobs[0])
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_callbacks_count_the_epochs_before_the_kill(blobs, tmp_path):
    pytest.importorskip("sklearn.callback")
    seen = []

    class Notes:
        def setup(self, estimator, context):
            pass

        on_fit_task_end = teardown = setup

        def on_fit_task_begin(self, estimator, context):
            seen.append((context.task_name, context.task_id))

    rate = factors(4)
    model = transformer(learning_rate_schedule=rate, max_iter=6, random_state=0)
    model.set_params(checkpoint=Checkpoint(folder=tmp_path, epochs=2))
    with pytest.raises(Killed):
        model.fit(blobs[0])
    rate.kill_at = None
    model.set_callbacks(Notes()).fit(blobs[0])
    assert [task for name, task in seen if name == "epoch"] == [4, 5]


def test_a_damaged_checkpoint_is_an_error(blobs, tmp_path):
    rate = factors(3)
    model = transformer(learning_rate_schedule=rate, random_state=0)
    model.set_params(checkpoint=Checkpoint(folder=tmp_path, epochs=1))
    with pytest.raises(Killed):
        model.fit(blobs[0])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    rate.kill_at = None
    with pytest.raises(ValueError, match=r"damaged, so this fit cannot go on from it; remove"):
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
X, y = X[:150], np.where(np.arange(150) < 60, y[:150], -1)
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
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        os._exit(1)
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
        status = os.waitpid(pid, 0)[1]
        died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert died or status == 0, status
        killed += not os.path.exists(again)
    one, two = np.load(path, allow_pickle=False), np.load(again, allow_pickle=False)
    for name in ("codes", "losses"):
        assert np.array_equal(one[name], two[name], equal_nan=True), (kind, name)
    agree += 1
    os.remove(again)
    kind = (kind + 1) % len(KINDS)
print(killed, "kills,", agree, "fits agree")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks")
@pytest.mark.parametrize("n_kills", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_fits_that_are_killed_at_random_moments(tmp_path, n_kills):
    done = subprocess.run(
        [sys.executable, "-c", KILLS, str(tmp_path), str(n_kills), "1"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    n_killed, n_agree = (int(word) for word in done.stdout.split() if word.isdigit())
    assert n_killed >= n_kills
    assert n_agree >= 1


def test_a_frame_does_not_go_on_from_the_checkpoint_of_an_array():
    """The same numbers, but its column of 0 and 1 is a flag."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    X[:, 2] = X[:, 0] > 0.0
    frame = pd.DataFrame(X)
    names = []
    for table in (X, frame, frame.astype("float32"), X):
        model = AAETransformer(random_state=0)
        model._schema = describe(table, "from_dtype")
        names.append(fingerprint(model, X))
    assert len(set(names)) == 3
    assert names[0] == names[3]
