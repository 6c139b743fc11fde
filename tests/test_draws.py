"""What a user's own code draws: from our generator, in its own thread, and nowhere else."""

import pickle
import threading

import joblib
import numpy as np
import pytest
import torch
from conftest import FITS, classifier, transformer
from torch import nn
from torch.nn import functional as F

from skaae import SGD, AAEEmbedding, AAETransformer, SemiSupervisedAAEClassifier
from skaae.draws import DrawingFrom

pytestmark = pytest.mark.usefixtures("small_forests")

DRAWS = {
    "linear": lambda x: nn.Linear(4, 3).weight,
    "dropout": lambda x: F.dropout(x, 0.5),
    "feature dropout": lambda x: F.dropout1d(x[None], 0.5),
    "alpha dropout": lambda x: F.alpha_dropout(x, 0.5, training=True),
    "gumbel": lambda x: F.gumbel_softmax(x),
    "rrelu": lambda x: F.rrelu(-x, training=True),
    "rand": lambda x: torch.rand(3),
    "randn": lambda x: torch.randn(2, 3, dtype=torch.float64),
    "rand_like": torch.rand_like,
    "randn_like": torch.randn_like,
    "randint": lambda x: torch.randint(0, 1000, (9,)),
    "randint below": lambda x: torch.randint(1000, (9,)),
    "randperm": lambda x: torch.randperm(30),
    "normal": lambda x: torch.normal(0.0, 1.0, (3,)),
    "bernoulli": lambda x: torch.bernoulli(0.5 * x),
    "multinomial": lambda x: torch.multinomial(x, 2),
    "gamma": lambda x: torch.distributions.Gamma(1.0, 1.0).sample((5,)),
    "orthogonal": lambda x: nn.init.orthogonal_(torch.empty(4, 4)),
    "lstm": lambda x: nn.LSTM(4, 3, num_layers=2, dropout=0.5)(x)[0],
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_draws_repeat_by_the_generator_and_leave_the_global_one(draw):
    x = torch.ones(8, 4, requires_grad=True)
    before = torch.get_rng_state()

    def drawn(seed):
        with DrawingFrom(torch.Generator().manual_seed(seed)):
            return draw(x)

    assert torch.equal(drawn(0), drawn(0))
    assert not torch.equal(drawn(0), drawn(1))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_generator_that_the_user_gives_stays_the_users():
    mine = torch.Generator().manual_seed(5)
    with DrawingFrom(torch.Generator().manual_seed(0)):
        found = torch.rand(3, generator=mine)
    assert torch.equal(found, torch.rand(3, generator=torch.Generator().manual_seed(5)))


def test_weights_are_those_of_the_seeded_global_generator():
    with DrawingFrom(torch.Generator().manual_seed(3)):
        found = nn.Linear(5, 4).weight
    with torch.random.fork_rng():
        torch.manual_seed(3)
        assert torch.equal(found, nn.Linear(5, 4).weight)


def test_dropout_of_gpus_keeps_its_mean():
    """The kernel that PyTorch has for GPUs, on the CPU: half of the entries, each doubled."""
    with DrawingFrom(torch.Generator().manual_seed(0)):
        found, keep = torch.ops.aten.native_dropout(torch.ones(10_000), 0.5, True)
        same, _ = torch.ops.aten.native_dropout(torch.ones(3), 0.5, False)
        none, _ = torch.ops.aten.native_dropout(torch.ones(3), 1.0, True)
    assert set(found.unique().tolist()) == {0.0, 2.0}
    assert abs(float(found.mean()) - 1.0) < 0.05
    assert torch.equal(found > 0.0, keep)
    assert torch.equal(same, torch.ones(3))
    assert torch.equal(none, torch.zeros(3))


def test_other_threads_draw_as_ever():
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    found = []
    with DrawingFrom(torch.Generator().manual_seed(1)):
        thread = threading.Thread(target=lambda: found.append(torch.rand(3)))
        thread.start()
        thread.join()
    assert torch.equal(found[0], wanted)


def noisy(n_inputs, n_outputs):
    """A user's network that draws when it is made and when it is trained."""
    return nn.Sequential(nn.Linear(n_inputs, 8), nn.Dropout(0.3), nn.Linear(8, n_outputs))


def jitter(rows):
    """A user's augmentation that draws."""
    return rows + 0.01 * torch.randn_like(rows)


@pytest.mark.parametrize("kind", ["plain", "encoder", "augment"])
def test_fits_in_parallel_threads_are_those_of_fits_alone(blobs, few_labels, kind):
    X, _ = blobs
    own = {
        "plain": {},
        "encoder": {"encoder": noisy, "pseudo_labels": False},
        "augment": {"augment": jitter, "pseudo_labels": False},
    }[kind]

    def fit(seed):
        model = classifier(random_state=seed, max_iter=5, **own).fit(X, few_labels)
        return model.predict_proba(X)

    before = torch.get_rng_state()
    alone = [fit(seed) for seed in range(4)]
    together = joblib.Parallel(n_jobs=4, backend="threading")(
        joblib.delayed(fit)(seed) for seed in range(4)
    )
    np.testing.assert_array_equal(together, alone)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_fit_leaves_the_draws_of_other_threads_alone(blobs):
    found, done, state = [], threading.Event(), torch.get_rng_state()

    def draw():
        while not done.wait(1e-4):  # also while a fit is under way
            found.append(torch.rand(2).tolist())

    thread = threading.Thread(target=draw)
    thread.start()
    for seed in range(3):
        transformer(random_state=seed, max_iter=2).fit(blobs[0])
        transformer(random_state=seed, max_iter=2, encoder=noisy).fit(blobs[0])
    done.set()
    thread.join()
    assert len(found) > 20
    torch.set_rng_state(state)
    assert found == [torch.rand(2).tolist() for _ in found]


def test_a_generator_of_cuda_serves_the_tensors_of_its_gpu(monkeypatch):
    """Tensors name their device with an index, and the generator of device="cuda" without."""

    class OnGpu:
        device = torch.device("cuda")

    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    generator = OnGpu()
    assert DrawingFrom(generator)._on(torch.device("cuda:1")) is generator


@pytest.fixture
def default_dtype_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def everything(X, y):
    """Return arrays of models that use random numbers in many ways."""
    embedding = AAEEmbedding(max_iter=2, **FITS).fit(X)
    weighted = SemiSupervisedAAEClassifier(max_iter=2, pseudo_labels=False, **FITS)
    weighted.fit(X, y, sample_weight=1.0 + np.arange(len(X)) % 3)
    drawn = AAETransformer(posterior="gaussian", max_iter=2, **FITS).fit(X)
    return [
        *(embedding.embedding_, embedding.sample(3, random_state=0)),
        *(weighted.predict_proba(X), weighted.sample(3, random_state=0)),
        *(drawn.encode_samples(X, random_state=0), drawn.sample_prior(3, random_state=0)),
    ]


def test_results_do_not_depend_on_the_default_dtype(blobs, few_labels, request):
    expected = everything(blobs[0], few_labels)
    request.getfixturevalue("default_dtype_float64")
    for found, wanted in zip(everything(blobs[0], few_labels), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_results_do_not_depend_on_the_default_device(blobs, few_labels):
    expected = everything(blobs[0], few_labels)
    with torch.device("meta"):  # tensors without values
        found = everything(blobs[0], few_labels)
        again = pickle.loads(pickle.dumps(AAETransformer(max_iter=1, **FITS).fit(blobs[0])))
        assert again.transform(blobs[0]).shape == (180, 2)
    for one, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, wanted)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_results_do_not_depend_on_autocast(blobs, few_labels, precision):
    def fit():
        solver = SGD(precision=precision)
        model = SemiSupervisedAAEClassifier(solver=solver, max_iter=5, pseudo_labels=False, **FITS)
        return model.fit(blobs[0], few_labels)

    expected = fit().predict_proba(blobs[0])
    with torch.autocast(FITS["device"], dtype=torch.bfloat16):
        found = fit()
        np.testing.assert_array_equal(found.predict_proba(blobs[0]), expected)
    np.testing.assert_array_equal(found.predict_proba(blobs[0]), expected)
