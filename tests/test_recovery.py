"""What happens to a fit that diverges, is interrupted, or is killed."""

import copy
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import classifier, make, transformer
from sklearn.exceptions import ConvergenceWarning

from skaae import AAEClusterer, AAEEmbedding, Adam
from skaae.training.loop import Loop

pytestmark = pytest.mark.usefixtures("small_forests")


def clusterer(**params):
    return make(AAEClusterer, n_clusters=3, **params)


def embedding(**params):
    return make(AAEEmbedding, n_clusters=3, **params)


# Divergence ---------------------------------------------------------------------------------------


def test_divergence_in_the_first_epoch_raises_with_a_remedy(blobs):
    model = transformer(solver="sgd", reconstruction_learning_rate=1e30, max_iter=3)
    with pytest.raises(FloatingPointError, match="Lower reconstruction_learning_rate"):
        model.fit(blobs[0])
    assert not hasattr(model, "n_iter_")


def test_divergence_names_the_rates_that_there_are(blobs, few_labels):
    params = {"solver": "sgd", "classification_learning_rate": 1e30, "max_iter": 2}
    with pytest.raises(FloatingPointError, match=r"Lower .*classification_learning_rate"):
        classifier(**params).fit(blobs[0], few_labels)


EXPLODES = {"learning_rate_schedule": ((5, 1e8),), "solver": "sgd", "max_iter": 20}
SLOWS_DOWN = {**EXPLODES, "learning_rate_schedule": ((5, 400.0),)}


def test_late_divergence_goes_back_three_times_and_then_raises(blobs):
    model = transformer(reconstruction_learning_rate=0.001, batch_size=10, **EXPLODES)
    with pytest.raises(FloatingPointError, match=r"in epoch \d+\. Lower reconstruction_learning"):
        model.fit(blobs[0])
    assert not hasattr(model, "n_iter_")


def test_divergence_that_lower_rates_end_costs_no_epoch(blobs):
    params = {"reconstruction_learning_rate": 0.001, "max_gradient_norm": None, "batch_norm": None}
    model = transformer(**params, weight_init="uniform", **SLOWS_DOWN)
    with pytest.warns(ConvergenceWarning, match=r"in epoch \d+\..*were (0\.1|0\.01) times as"):
        model.fit(blobs[0])
    assert model.n_iter_ == len(model.history_["reconstruction"]) == 20
    assert np.isfinite(model.history_["reconstruction"]).all()
    assert np.isfinite(model.score(blobs[0]))


# Interrupts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [transformer, classifier, clusterer, embedding])
def test_a_failed_partial_fit_leaves_the_weights(blobs, make):
    X, y = blobs
    factor = {"now": 1.0}
    solver = Adam(learning_rate_schedule=lambda epoch: factor["now"])
    model = make(max_iter=3, solver=solver).fit(X, y)
    before, history = model.transform(X), copy.deepcopy(model.history_)
    factor["now"] = 1e30
    with pytest.raises(FloatingPointError, match="in epoch 4"):
        model.partial_fit(X, y)
    factor["now"] = 1.0
    np.testing.assert_array_equal(model.transform(X), before)
    assert model.history_ == history
    model.partial_fit(X, y)
    assert model.n_iter_ == 4


def test_an_interrupted_warm_start_leaves_the_weights(blobs):
    X, _ = blobs

    def interrupt(epoch):
        if epoch == 5:
            raise KeyboardInterrupt
        return 1.0

    model = transformer(max_iter=5, warm_start=True, learning_rate_schedule=interrupt).fit(X)
    before = model.transform(X)
    with pytest.raises(KeyboardInterrupt):  # no epoch of the second fit is whole
        model.fit(X)
    np.testing.assert_array_equal(model.transform(X), before)
    assert model.n_iter_ == 5


@pytest.mark.parametrize("make_one", [transformer, classifier, clusterer, embedding])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_an_interrupted_fit_keeps_the_last_whole_epoch(
    blobs, few_labels, make_one, early_stopping, monkeypatch
):
    """It is the model of a shorter fit, with the parts that are computed after training."""
    monkeypatch.setattr(Loop, "last_interrupt", -np.inf)

    def interrupt(epoch):
        if epoch == 4 and model.max_iter == 9:
            raise KeyboardInterrupt
        return 1.0

    params = {"learning_rate_schedule": interrupt, "early_stopping": early_stopping}
    y = few_labels if make_one is classifier else None
    model = make_one(max_iter=9, **params)
    with pytest.warns(UserWarning, match="interrupted. The model was trained for 4 of 9 epochs"):
        model.fit(blobs[0], y)
    assert model.n_iter_ == len(model.history_["stage"]) == 4
    found = model.transform(blobs[0])
    history = model.history_["reconstruction"]
    model.set_params(max_iter=4).fit(blobs[0], y)
    if make_one in (transformer, classifier):  # stages of the others end at shares of all epochs
        assert history == model.history_["reconstruction"]
        np.testing.assert_array_equal(found, model.transform(blobs[0]))


def test_ctrl_c_keeps_the_last_whole_epoch_and_a_second_one_ends_at_once(tmp_path):
    """Real interrupts, which reach a process at any moment of its training."""
    script = tmp_path / "fit.py"
    script.write_text(TWO_FITS)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(script)], stdout=subprocess.PIPE, text=True
    )
    for _ in range(2):
        while process.stdout.readline() != "epoch 3\n":
            pass
        process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=60)[0].split("\n")
    assert out[-2] == "ended at once, as before: True"


TWO_FITS = """
import numpy as np
from skaae import Adam, AAETransformer

def tell(epoch):
    if epoch == 3:
        print("epoch 3", flush=True)
    return 1.0

X = np.random.default_rng(0).normal(size=(2000, 20))
model = AAETransformer(solver=Adam(learning_rate_schedule=tell), max_iter=100_000, random_state=0)
model.fit(X)
assert 3 <= model.n_iter_ < 100_000
before = model.transform(X)
assert np.isfinite(before).all()
try:
    model.fit(X)
except KeyboardInterrupt:
    print("ended at once, as before:", np.array_equal(model.transform(X), before))
"""


@pytest.mark.parametrize("make", [classifier, clusterer, embedding])
def test_an_interrupt_after_the_last_epoch_leaves_the_weights(blobs, make, monkeypatch):
    X, y = blobs
    model = make(max_iter=1).fit(X, y)
    before = model.transform(X)

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(model), "_results", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, y)
    np.testing.assert_array_equal(model.transform(X), before)
    assert model.n_iter_ == 1
