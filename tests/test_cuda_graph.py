"""Recorded steps: what is around a CUDA graph works on any device, the graph itself on CUDA."""

import numpy as np
import pytest
import torch
from conftest import classifier, label
from scipy.stats import norm

from skaae import AAETransformer
from skaae.estimators import watch as watching
from skaae.priors import Prior
from skaae.priors._drawn import Drawn
from skaae.training import cuda_graph
from skaae.training.cuda_graph import N_WARM_UP, Captured, Recording, captured, record_graph
from skaae.training.step import AAEStep

CPU = torch.Generator()


class Sums:
    """A step that counts its calls."""

    def __init__(self):
        self.n_calls = 0

    def __call__(self, x, y):
        self.n_calls += 1
        return {"sum": x.sum() + y.sum(), "first": x[0, 0].clone()}


def record_on_cpu(step, batch, generator):
    """Record as a graph does: fixed places for the batch and the losses, filled at a replay."""
    inputs = {name: torch.zeros_like(tensor) for name, tensor in batch.items()}
    names = list(step(**batch))
    losses = torch.zeros(len(names))

    def replay():
        losses.copy_(torch.stack(list(step(**inputs).values())))

    return Recording(inputs, names, losses, replay)


def batch(n, seed):
    generator = torch.Generator().manual_seed(seed)
    return {
        "x": torch.rand(n, 2, generator=generator),
        "y": torch.rand(n, generator=generator),
    }


def test_replays_give_the_losses_of_the_step_for_every_shape():
    step = Captured(Sums(), CPU, record_on_cpu)
    batches = [batch(4 + number % 2, number) for number in range(12)]
    found = [step(**rows) for rows in batches]
    assert len(step._recordings) == 2
    for rows, losses in zip(batches, found, strict=True):  # no replay touched earlier losses
        wanted = Sums()(**rows)
        assert list(losses) == list(wanted)
        for name, loss in losses.items():
            torch.testing.assert_close(loss, wanted[name])


def test_a_shape_is_recorded_after_its_warm_up():
    step = Captured(Sums(), CPU, record_on_cpu)
    for number in range(N_WARM_UP):
        step(**batch(4, number))
    assert not step._recordings
    step(**batch(4, 9))
    assert len(step._recordings) == 1


def test_each_stage_has_recordings_of_its_own():
    """What a step does may change between stages: a recording would go on with the old."""
    stage, added = ["warm-up"], {"warm-up": 0.0, "refine": 1.0}
    sums = Sums()

    def staged(x, y):
        return {name: loss + added[stage[0]] for name, loss in sums(x, y).items()}

    step = Captured(staged, CPU, record_on_cpu, lambda: stage[0])
    rows = batch(4, 0)
    first = [step(**rows) for _ in range(N_WARM_UP + 2)][-1]
    stage[0] = "refine"
    second = [step(**rows) for _ in range(N_WARM_UP + 2)][-1]
    torch.testing.assert_close(second["sum"], first["sum"] + 1.0)
    assert len(step._recordings) == 2


def test_a_step_that_cannot_be_recorded_runs_as_it_is():
    def refuse(step, batch, generator):
        raise RuntimeError("operation not permitted when stream is capturing")

    sums = Sums()
    step = Captured(sums, CPU, refuse)
    with pytest.warns(RuntimeWarning, match="runs without: operation not permitted"):
        found = [step(**batch(4, number)) for number in range(N_WARM_UP + 3)]
    assert sums.n_calls == N_WARM_UP + 3
    torch.testing.assert_close(found[-1]["sum"], Sums()(**batch(4, N_WARM_UP + 2))["sum"])


def test_only_cuda_records():
    sums = Sums()
    assert captured(sums, CPU, lambda: None) is sums


class Nudge:
    """An augmentation that draws where no recording would see it."""

    def __init__(self):
        self.random, self.n_calls = np.random.default_rng(0), 0

    def __call__(self, x):
        self.n_calls += 1
        return x + self.random.normal()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"solver": "adam", "average_weights": True},
        {"augment": Nudge},
        {"discriminator_noise": 0.3, "posterior": "universal"},
    ],
    ids=label,
)
def test_training_through_fixed_places_is_training(blobs, few_labels, monkeypatch, settings):
    """The real step in place of a counter: nothing in it depends on where its batch lies."""
    X, _ = blobs
    settings = {"max_iter": 12, "device": "cpu", "scaling": "range", **settings}

    def fit():
        fresh = {name: value() if value is Nudge else value for name, value in settings.items()}
        return classifier(**fresh).fit(X, few_labels)

    plain = fit()

    def record(step, batch, generator):
        """Like `record_on_cpu`, without the step that finds the names: it would train."""
        inputs = {name: torch.zeros_like(tensor) for name, tensor in batch.items()}
        names = ["reconstruction", "discriminator_label", "discriminator_style"]
        names += ["generator_label", "generator_style", "classification"]
        names += ["virtual_adversarial"] if step.stage.consistency is not None else []
        losses = torch.zeros(len(names))

        def replay():
            found = step(**inputs)
            losses.copy_(torch.stack([found[name] for name in names]))

        return Recording(inputs, names, losses, replay)

    recorders = []

    def through_places(step, generator, stage):
        recorders.append(Captured(step, generator, record, stage))
        return recorders[-1]

    monkeypatch.setattr(watching, "captured", through_places)
    recorded = fit()
    assert {stage for stage, _ in recorders[0]._recordings} == {"warm-up", "refine"}
    if "augment" in settings:
        assert recorded.augment.n_calls == plain.augment.n_calls > 2 * 12 * N_WARM_UP / 2
    np.testing.assert_array_equal(recorded.transform(X), plain.transform(X))
    np.testing.assert_equal(recorded.history_, plain.history_)  # NaN before a loss sets in


class Ring(Prior):
    """A user's prior that draws with NumPy."""

    draws_on_host = True

    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        device = None if generator is None else generator.device
        seed = int(torch.randint(1000, (), generator=generator, device=device))
        angle = np.random.default_rng(seed).uniform(0.0, 6.3, n_samples)
        found = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
        return torch.from_numpy(found)


@pytest.mark.parametrize("regularizer", ["adversarial", "mmd"])
@pytest.mark.parametrize(
    "prior",
    [norm(3.0, 0.1), lambda n, rng: rng.normal(3.0, 0.1, (n, 2)), Ring()],
    ids=["scipy", "function", "own class"],
)
def test_a_step_draws_nothing_from_a_prior_of_numpy(blobs, monkeypatch, prior, regularizer):
    """A recording would repeat what the processor has drawn in it."""
    samples = []

    def recording(step, generator, stage):
        def call(**batch):
            samples.append(batch["style"])
            with monkeypatch.context() as context:
                for cls in (Drawn, Ring):
                    context.setattr(cls, "sample", None)
                return step(**batch)

        return call

    monkeypatch.setattr(watching, "captured", recording)
    settings = {"prior": prior, "regularizer": regularizer, "max_iter": 2, "device": "cpu"}
    model = AAETransformer(2, random_state=0, batch_size=60, **settings).fit(blobs[0])
    assert len(samples) == 6
    assert not torch.equal(samples[0], samples[1])
    if not isinstance(prior, Ring):
        assert torch.cat(samples).mean().item() == pytest.approx(3.0, abs=0.1)
    assert model._step._style is None


class Ends(Prior):
    """A user's prior of two components, at -4 and 4."""

    draws_on_host = True

    def count_components(self):
        return 2

    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        drawn = np.full(n_samples, -1) if y is None else np.asarray(torch.as_tensor(y).cpu())
        drawn = np.where(drawn < 0, np.arange(n_samples) % 2, drawn)
        return torch.from_numpy(np.tile(8.0 * drawn[:, None] - 4.0, n_components)).float()


def before(step, generator, stage):
    """Call the step as a recording is called, on any device."""
    return lambda **batch: step(**batch)


def test_samples_drawn_before_the_step_are_of_the_classes(blobs, monkeypatch):
    X, y = blobs
    seen = []

    def recording(step, generator, stage):
        def call(**batch):
            seen.append((batch["y"], batch["style"]))
            return step(**batch)

        return call

    monkeypatch.setattr(watching, "captured", recording)
    labels = np.where(y == 2, -1, y)
    settings = {"use_labels": True, "max_iter": 2, "random_state": 0, "device": "cpu"}
    AAETransformer(2, prior=Ends(), **settings).fit(X, labels)
    for of_class in (0, 1):
        found = torch.cat([style[y == of_class] for y, style in seen])
        assert (found == 8.0 * of_class - 4.0).all()


def test_samples_of_a_step_that_failed_are_forgotten(blobs, monkeypatch):
    X, _ = blobs
    monkeypatch.setattr(watching, "captured", before)
    model = AAETransformer(2, prior=norm(), random_state=0, batch_size=120, device="cpu")
    model.partial_fit(X[:120])
    with monkeypatch.context() as context:
        context.setattr(type(model._step), "reconstruct", None)
        with pytest.raises(TypeError):
            model.partial_fit(X[:120])
    sizes = []
    discriminate = type(model._step).discriminate

    def watch(step, code, y=None):
        sizes.append(len(step._style))
        return discriminate(step, code, y)

    monkeypatch.setattr(type(model._step), "discriminate", watch)
    model.partial_fit(X[:60])
    assert sizes == [60]


@pytest.mark.parametrize("settings", [{"regularizer": None}, {"regularizer": "kl"}], ids=label)
def test_nothing_is_drawn_from_a_prior_that_no_phase_uses(blobs, monkeypatch, settings):
    monkeypatch.setattr(watching, "captured", before)
    prior = norm() if settings["regularizer"] is None else "gaussian"
    posterior = "gaussian" if settings["regularizer"] == "kl" else "deterministic"
    model = AAETransformer(
        2, prior=prior, posterior=posterior, max_iter=1, random_state=0, device="cpu", **settings
    )
    with monkeypatch.context() as context:
        given = []
        step = AAEStep.__call__
        context.setattr(
            AAEStep,
            "__call__",
            lambda self, **batch: given.append(set(batch)) or step(self, **batch),
        )
        model.fit(blobs[0])
    assert given
    assert all("style" not in names for names in given)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"solver": "adam", "average_weights": True},
        {"updates": "joint"},
        {"dropout": 0.2, "max_gradient_norm": None},
        {"virtual_adversarial": None},
        {"class_prior": "uniform", "batch_norm": "encoder"},
        {"discriminator_noise": 0.3, "posterior": "universal", "batch_norm": "hidden"},
        {"augment": torch.clone},
    ],
    ids=label,
)
def test_graphs_train_as_the_step_does(device, blobs, few_labels, monkeypatch, settings):
    if torch.device(device).type != "cuda":
        pytest.skip("CUDA graphs need --device cuda")
    X, _ = blobs
    recorders = []

    def keep(step, generator, stage):
        recorders.append(Captured(step, generator, record_graph, stage))
        return recorders[-1]

    def fit():
        return classifier(max_iter=20, **settings).fit(X, few_labels)

    monkeypatch.setattr(watching, "captured", lambda step, generator, stage: step)
    plain = fit()
    monkeypatch.setattr(watching, "captured", keep)
    graph = fit()
    assert recorders[0]._recordings
    assert not recorders[0]._gave_up
    # random numbers differ from those of the plain step: losses agree, weights need not
    assert graph.history_["stage"] == plain.history_["stage"]
    for name in set(plain.history_) - {"stage"}:
        losses = plain.history_[name]
        assert np.nanmean(graph.history_[name]) == pytest.approx(np.nanmean(losses), rel=0.3)
    assert graph.score(X, few_labels) > 0.9


def test_draws_differ_from_replay_to_replay(device):
    if torch.device(device).type != "cuda":
        pytest.skip("CUDA graphs need --device cuda")
    generator = torch.Generator(device=device).manual_seed(0)

    def step(x):
        return {"draw": torch.rand((), generator=generator, device=device) + x.sum()}

    recorded = cuda_graph.Captured(step, generator, record_graph)
    x = torch.zeros(2, device=device)
    draws = [recorded(x=x)["draw"].item() for _ in range(N_WARM_UP + 8)]
    assert recorded._recordings
    assert len(set(draws)) == len(draws)


@pytest.mark.parametrize("prior", ["gaussian", "uniform", "petals", "swiss_roll", norm()])
def test_no_prior_waits_for_the_device_in_a_step(device, blobs, prior):
    if torch.device(device).type != "cuda":
        pytest.skip("CUDA graphs need --device cuda")
    X, _ = blobs
    AAETransformer(prior=prior, max_iter=10, random_state=0, device=device).fit(X)


def test_a_table_too_large_for_the_device_stays_beside_it(device, blobs, few_labels, monkeypatch):
    """On the CPU nothing is beside it: there this holds the rule alone."""
    from skaae.device import fits_on

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (1000, 2000))
    assert fits_on(torch.device("cpu"), 10**12)
    assert fits_on(torch.device("cuda"), 500)
    assert not fits_on(torch.device("cuda"), 501)
    X, _ = blobs
    assert classifier(max_iter=20).fit(X, few_labels).score(X, few_labels) > 0.9
