"""The systems of sections 2 and 3: posteriors, regularizers, labels, Parzen."""

import numpy as np
import pytest
import torch
from conftest import FITS, NAMES, classifier, hide, label, make, transformer
from scipy.sparse import csr_array
from scipy.stats import norm
from sklearn.neighbors import KNeighborsClassifier
from test_transformer import distance_to_prior
from torch import nn

from skaae import AAEEmbedding, AAETransformer, SupervisedAAETransformer
from skaae.likelihood import parzen_log_likelihood
from skaae.priors import GaussianMixture, Petals, SwissRoll


@pytest.fixture(scope="module")
def small_digits(digits):
    X, y = digits
    return X[:400], y[:400]


@pytest.fixture(scope="module")
def plain(small_digits):
    """An autoencoder without a regularizer, and the parameters that it shares with others."""
    params = {"max_iter": 60, "hidden_layer_sizes": (100, 100)}
    return transformer(regularizer=None, batch_norm=None, **params).fit(small_digits[0]), params


@pytest.mark.parametrize("posterior", ["deterministic", "gaussian", "universal"])
def test_codes_are_drawn_around_their_mean(blobs, posterior):
    X = blobs[0]
    model = transformer(posterior=posterior).fit(X)
    Z = model.transform(X[:20])
    np.testing.assert_array_equal(Z, model.transform(X[:20]))
    samples = model.encode_samples(X[:20], 3000, random_state=0)
    assert samples.shape == (20, 3000, 2)
    np.testing.assert_array_equal(samples, model.encode_samples(X[:20], 3000, random_state=0))
    others = model.encode_samples(X[:20], 3000, random_state=1)
    assert np.array_equal(samples, others) == (posterior == "deterministic")
    spread = np.ptp(samples, axis=1)
    assert (spread == 0).all() == (posterior == "deterministic")
    spread = samples.std(axis=1)
    # that of the universal posterior is a mean over 16 samples itself
    tolerance = 1.5 if posterior == "universal" else 0.1
    assert (np.abs(samples.mean(axis=1) - Z) <= tolerance * spread + 1e-5).all()


@pytest.mark.parametrize(
    ("settings", "factor"),
    [
        ({"regularizer": "mmd"}, 0.2),
        ({"regularizer": "kl", "posterior": "gaussian"}, 0.3),
        pytest.param(
            {"regularizer": "adversarial", "posterior": "gaussian"}, 0.2, marks=pytest.mark.slow
        ),
        ({"regularizer": "adversarial", "posterior": "universal"}, 0.2),
    ],
    ids=label,
)
def test_each_regularizer_brings_codes_to_the_prior(small_digits, plain, settings, factor):
    X, _ = small_digits
    plain, params = plain
    tied = transformer(**settings, **params).fit(X)
    assert set(plain.history_) == {"stage", "reconstruction"}
    assert distance_to_prior(tied, X) < factor * distance_to_prior(plain, X)


def test_losses_of_the_relatives_have_names(blobs):
    X = blobs[0]
    kl = transformer(max_iter=2, regularizer="kl", posterior="gaussian").fit(X)
    mmd = transformer(max_iter=2, regularizer="mmd").fit(X)
    assert set(kl.history_) == {"stage", "reconstruction", "kl"}
    assert set(mmd.history_) == {"stage", "reconstruction", "mmd"}


def test_variational_autoencoder_over_a_mixture(small_digits):
    X, _ = small_digits
    vae = transformer(
        prior="petals", regularizer="kl", posterior="gaussian", max_iter=60, random_state=1
    ).fit(X)
    samples = vae.encode_samples(X, 1, random_state=0)[:, 0]
    assert Petals().log_prob(torch.from_numpy(samples)).mean() > -6.0


def test_input_noise_makes_a_denoising_autoencoder(small_digits):
    """Trained on noisy rows, it gives back clean ones better than one that never saw noise."""
    X, _ = small_digits
    params = {
        "n_components": 20,
        "regularizer": None,
        "max_iter": 120,
        "hidden_layer_sizes": (200, 200),
    }
    noisy = X + 4.0 * np.random.default_rng(0).normal(size=X.shape)

    def error(model):
        return np.square(model.reconstruct(noisy) - X).mean()

    plain = transformer(**params).fit(X)
    denoising = transformer(input_noise=0.25, **params).fit(X)  # a quarter of the range, 16
    assert error(denoising) < 0.8 * error(plain)


def test_a_classifier_may_draw_its_styles(blobs, few_labels):
    X, y = blobs
    for posterior in ("deterministic", "gaussian", "universal"):
        model = classifier(max_iter=30, posterior=posterior).fit(X, few_labels)
        assert model.score(X, y) > 0.9
        np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))
        step = model._step
        x = torch.rand(5, 6, device=step.generator.device)
        first, second = (
            step.networks.code(step.networks.encoder(x, step.generator), None, step.generator)
            for _ in range(2)
        )
        same = torch.equal(first["style"], second["style"])
        assert same == (posterior == "deterministic")


# Section 2.3: labels tie classes to components --------------------------------------------


def component_of(prior, codes):
    """Return the component of the prior whose samples lie nearest to each code."""
    samples = torch.cat([prior.sample(500, 2, y=[k] * 500, generator=seeded()) for k in range(10)])
    nearest = torch.cdist(torch.from_numpy(codes).float(), samples).argmin(dim=1)
    return nearest.numpy() // 500


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    "prior", [Petals(), pytest.param(SwissRoll(), marks=pytest.mark.slow)], ids=label
)
def test_codes_of_a_class_fall_on_its_component_of_the_prior(digits, prior):
    X, y = digits
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order], y[order]
    train, test = slice(1300), slice(1300, None)
    params = {"prior": prior, "max_iter": 40, "hidden_layer_sizes": (100, 100)}
    model = transformer(use_labels=True, **params).fit(X[train], hide(y[train], 60))
    accuracy = np.mean(component_of(prior, model.transform(X[test])) == y[test])
    without = transformer(**{**params, "max_iter": 10}).fit(X[train])
    chance = np.mean(component_of(prior, without.transform(X[test])) == y[test])
    assert accuracy > 0.75
    assert chance < 0.5
    np.testing.assert_array_equal(model.classes_, np.arange(10))


def test_samples_of_a_class_come_from_its_component(blobs):
    X, y = blobs
    names = np.array(["a", "b", "c"])[y]
    prior = GaussianMixture([[-4, 0], [0, 4], [4, 0]], 0.1)
    model = transformer(prior=prior, use_labels=True).fit(X, names)
    codes = model.sample_prior(200, "b", random_state=0)
    np.testing.assert_allclose(codes.mean(axis=0), [0, 4], atol=0.1)
    mixed = model.sample_prior(3, ["a", "b", "c"], random_state=0)
    np.testing.assert_allclose(mixed, [[-4, 0], [0, 4], [4, 0]], atol=1.5)
    drawn = model.sample(50, "c", random_state=1)
    direct = model.inverse_transform(model.sample_prior(50, "c", random_state=1))
    np.testing.assert_allclose(drawn, direct, rtol=1e-6)
    by_index = transformer(prior=prior, max_iter=1).fit(X).sample_prior(200, 1, random_state=0)
    np.testing.assert_allclose(by_index, codes)


def test_all_some_or_no_labels(blobs):
    X, y = blobs
    params = {"prior": Petals(n_petals=3), "use_labels": True, "max_iter": 2}
    for given in (y, hide(y, 5), np.full(len(y), -1), None):
        model = transformer(**params).fit(X, given)
        losses = {"reconstruction", "discriminator_style", "generator_style"}
        assert set(model.history_) == {"stage", *losses}
    assert len(model.classes_) == 0
    assert transformer(**params).partial_fit(X, np.full(len(y), -1)).n_iter_ == 1
    first = transformer(**params).partial_fit(X, hide(y, 1), classes=[0, 1, 2])
    assert first.partial_fit(X).n_iter_ == 2


@pytest.mark.parametrize("labeled", [0.3, 1.0], ids=["some labeled", "all labeled"])
def test_components_are_as_probable_as_classes_among_labels(blobs, labeled):
    """With equal ones, rows of the common class filled the component of the rare one."""
    X, y = blobs
    rows = np.r_[np.flatnonzero(y == 0)[:10], np.flatnonzero(y == 1)]
    X, y = X[rows], y[rows]
    place = np.r_[np.arange(10) / 10, np.arange(len(y) - 10) / (len(y) - 10)]  # within a class
    labels = np.where(place < labeled, y, -1)
    model = transformer(prior="petals", use_labels=True, max_iter=200).fit(X, labels)
    counts = np.bincount(labels[labels >= 0]) + 1
    np.testing.assert_allclose(model.class_prior_, counts / counts.sum())
    judge = KNeighborsClassifier(3).fit(X, y)
    for name in (0, 1):
        assert np.mean(judge.predict(model.sample(100, y=name, random_state=0)) == name) > 0.9
    rare = np.mean(judge.predict(model.sample(500, random_state=0)) == 0)
    assert abs(rare - model.class_prior_[0]) < 0.06


@pytest.mark.parametrize(("name", "kind"), [("petals", Petals), ("swiss_roll", SwissRoll)])
def test_a_string_has_as_many_components_as_there_are_classes(blobs, name, kind):
    X, y = blobs
    labels = NAMES[y]
    params = {"prior": name, "use_labels": True, "max_iter": 2}
    for model in (
        transformer(**params).fit(X, labels),
        transformer(**params).partial_fit(X, hide(y, 1), classes=[0, 1, 2]),
    ):
        assert model._settings.priors["style"] == kind(3, weights=model.class_prior_)
        np.testing.assert_allclose(model.class_prior_, 1 / 3, atol=0.01)
    equal = transformer(**{**params, "prior": kind(3)}).fit(X, labels)
    named = transformer(**params).fit(X, labels)
    np.testing.assert_array_equal(named.transform(X), equal.transform(X))
    drawn = [model.sample_prior(20, "cat", random_state=0) for model in (named, equal)]
    np.testing.assert_array_equal(*drawn)
    for found in (
        transformer(**params).fit(X),
        transformer(**{**params, "use_labels": False}).fit(X, labels),
        make(SupervisedAAETransformer, n_components=2, prior=name, max_iter=1).fit(X, labels),
    ):
        assert found._settings.priors["style"] == kind(10)


def test_without_opting_in_labels_play_no_part(blobs):
    X, y = blobs
    plain, given = transformer(prior="petals").fit(X), transformer(prior="petals").fit(X, y + 0.5)
    np.testing.assert_array_equal(plain.transform(X), given.transform(X))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"prior": "gaussian"}, r"y has 3 classes and prior Gaussian.* has 0"),
        ({"prior": Petals(4)}, r"y has 3 classes and prior Petals.* has 4"),
        ({"prior": Petals(3), "regularizer": "mmd"}, r"regularizer='mmd' has none"),
    ],
    ids=label,
)
def test_labels_need_a_prior_of_components_and_an_adversary(blobs, params, message):
    with pytest.raises(ValueError, match=message):
        transformer(use_labels=True, **params).fit(*blobs)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"regularizer": "kl"}, "needs posterior='gaussian', got 'deterministic'"),
        (
            {"regularizer": "kl", "posterior": "gaussian", "prior": "uniform"},
            "prior Uniform.* has no density",
        ),
        ({"network": "conv"}, "cannot tell the shape of images from 6 features"),
        ({"network": "conv", "image_shape": (2, 2)}, r"\(2, 2\) has 4 values.* 6 features"),
        ({"network": "conv", "image_shape": (2, 0)}, "of integers of at least 1"),
        (
            {"network": "conv", "image_shape": (2, 3), "hidden_layer_sizes": (4, 4)},
            "too small for 2 convolutions.* at most 1",
        ),
    ],
    ids=label,
)
def test_parameters_that_do_not_go_together(blobs, params, message):
    with pytest.raises(ValueError, match=message):
        transformer(**params).fit(blobs[0])


# Section 3: the Parzen window --------------------------------------------------------------------


class Known(AAETransformer):
    """A transformer whose samples are those of a known normal."""

    def _decode_numbers(self, style):
        return 2.0 * style


def test_parzen_against_the_formula_and_the_true_density(blobs):
    X = np.random.default_rng(0).normal(0.0, 2.0, size=(500, 2))
    model = Known(max_iter=1, **FITS).fit(X)
    few = 2.0 * model.sample_prior(50, random_state=0)
    kernels = norm.logpdf(X[:, None], few[None], 0.7).sum(axis=2)
    expected = np.logaddexp.reduce(kernels, axis=1) - np.log(50)
    found, error = model.parzen_log_likelihood(X, 50, bandwidth=0.7, random_state=0)
    assert found == pytest.approx(expected.mean())
    assert error == pytest.approx(expected.std(ddof=1) / np.sqrt(500))
    true = norm.logpdf(X, 0.0, 2.0).sum(axis=1).mean()
    many, _ = model.parzen_log_likelihood(X, 25_000, bandwidth=0.2, random_state=0)
    assert many == pytest.approx(true, abs=0.1)
    # the deviation that suits held-out rows is found, with fewer samples a wider one
    chosen, _ = model.parzen_log_likelihood(X[250:], 500, X_validation=X[:250], random_state=0)
    for bandwidth in (0.05, 5.0):
        other, _ = model.parzen_log_likelihood(X[250:], 500, bandwidth=bandwidth, random_state=0)
        assert other < chosen < true + 0.3
    found = model.parzen_log_likelihood(csr_array(X), 50, bandwidth=0.7, random_state=0)[0]
    assert found == pytest.approx(expected.mean())
    gaps = np.where(np.arange(1000).reshape(500, 2) < 3, np.nan, X)
    for name, arguments in {
        "X": {"X": gaps, "bandwidth": 0.7},
        "X_validation": {"X": X, "X_validation": gaps},
    }.items():
        with pytest.raises(ValueError, match=f"{name} has gaps in 2 of 500 rows"):
            model.parzen_log_likelihood(n_samples=50, **arguments)
    with pytest.raises(ValueError, match="bandwidth=True must be a finite number above 0"):
        model.parzen_log_likelihood(X, 50, bandwidth=True)


def test_parzen_far_from_zero_keeps_its_digits():
    """Squared distances come from products, which lose digits far from 0."""
    rng = np.random.default_rng(0)
    X, samples = rng.normal(size=(50, 2)), rng.normal(size=(60, 2))
    far = np.array([1e7, -1e7])
    found = parzen_log_likelihood(X + far, lambda n: samples + far, 60, 0.5)
    wanted = parzen_log_likelihood(X, lambda n: samples, 60, 0.5)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_parzen_memory_does_not_grow_with_samples():
    X = np.random.default_rng(0).normal(size=(50, 2))
    model = Known(max_iter=1, **FITS).fit(X)
    sizes = []
    model._decode_numbers = lambda style: sizes.append(len(style)) or style
    model.parzen_log_likelihood(X, 35_000, bandwidth=0.5, random_state=0)
    assert sizes == [10_000, 10_000, 10_000, 5_000]


def test_parzen_errors(blobs, fitted_transformer):
    with pytest.raises(ValueError, match="bandwidth=None is chosen on X_validation"):
        fitted_transformer.parzen_log_likelihood(blobs[0])
    with pytest.raises(ValueError, match=r"bandwidth=-1.0 must be a finite number above 0"):
        fitted_transformer.parzen_log_likelihood(blobs[0], bandwidth=-1.0)
    with pytest.raises(ValueError, match=r"bandwidth='0.5' must be a finite number above 0"):
        fitted_transformer.parzen_log_likelihood(blobs[0], bandwidth="0.5")


# Images and own networks --------------------------------------------------------------------------


def test_convolutions_learn_images_with_fewer_weights(small_digits):
    X, _ = small_digits
    model = transformer(network="conv", image_shape=(8, 8), max_iter=30, batch_norm="encoder")
    model.fit(X)
    mean_only = 0.5 * np.square(X / 16 - X.mean(axis=0) / 16).sum(axis=1).mean()
    assert -model.score(X) < 0.8 * mean_only
    assert model.sample(3, random_state=0).shape == (3, 64)
    np.testing.assert_allclose(model.transform(X[:5]), model.transform(X)[:5], rtol=1e-7)


def own_encoder(n_inputs, n_outputs):
    return nn.Sequential(
        nn.Linear(n_inputs, 16),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(16, n_outputs),
    )


def own_plain(n_inputs, n_outputs):
    return nn.Linear(n_inputs, n_outputs)


@pytest.mark.parametrize("shape", [(3, 6, 6), (3, 5, 8)])
def test_images_with_the_channels_first_get_a_warning(shape):
    """Such an image_shape fits the number of columns, and trains on scrambled images."""
    X = np.random.default_rng(0).random((30, int(np.prod(shape))))
    params = {"network": "conv", "hidden_layer_sizes": (4,), "max_iter": 1}
    with pytest.warns(UserWarning, match=rf"channels last.*image_shape=\({shape[1]}, {shape[2]}"):
        transformer(image_shape=shape, **params).fit(X)
    transformer(image_shape=(*shape[1:], shape[0]), **params).fit(X)


@pytest.mark.parametrize("posterior", ["deterministic", "gaussian", "universal"])
def test_user_modules_train_repeat_and_leave_the_global_generator(blobs, posterior):
    import pickle

    X = blobs[0]
    own = {"encoder": own_encoder, "decoder": own_plain, "discriminator": own_plain}
    before = torch.get_rng_state()
    first, second = (transformer(posterior=posterior, max_iter=50, **own).fit(X) for _ in range(2))
    other = transformer(posterior=posterior, **{**own, "random_state": 1}).fit(X)
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(first.transform(X), second.transform(X))
    assert not np.array_equal(first.transform(X), other.transform(X))
    assert first.history_["reconstruction"][-1] < 0.8 * first.history_["reconstruction"][0]
    loaded = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(first.transform(X), loaded.transform(X))
    np.testing.assert_allclose(first.transform(X)[:1], first.transform(X[:1]), rtol=1e-6)


def test_user_modules_are_in_training_mode_in_training_alone(blobs):
    seen = []

    class Watched(nn.Linear):
        def forward(self, x):
            seen.append(self.training)
            return super().forward(x)

    model = transformer(encoder=Watched, max_iter=1).fit(blobs[0])
    trial, *training = seen
    assert not trial
    assert set(training) == {True}
    seen.clear()
    model.transform(blobs[0])
    model.score(blobs[0].astype(np.float32))
    assert set(seen) == {False}


def test_user_modules_with_batch_norm_train_on_one_labeled_row(blobs):
    X, y = blobs
    model = classifier(encoder=own_encoder, max_iter=1).fit(X, y)
    model.partial_fit(X, np.where(np.arange(len(y)) == 0, y, -1))
    assert np.isfinite(model.history_["classification"]).all()


@pytest.mark.parametrize(
    ("factory", "error", "message"),
    [
        (
            lambda n, m: nn.Linear(n, m + 1),
            ValueError,
            r"gives shape \(2, 3\) .* must give \(2, 2\)",
        ),
        (lambda n, m: nn.Linear(n + 1, m), ValueError, r"fails on a batch of shape \(2, 6\)"),
        (lambda n, m: torch.zeros(n, m), TypeError, "must return a torch.nn.Module"),
        (nn.Linear(6, 2), TypeError, "encoder is a module, Linear; give a function"),
    ],
    ids=["outputs", "inputs", "tensor", "module"],
)
def test_user_modules_of_a_wrong_shape_are_refused(blobs, factory, error, message):
    with pytest.raises(error, match=message):
        transformer(encoder=factory).fit(blobs[0])


def test_average_weights_take_out_noise(blobs, few_labels):
    X, y = blobs
    params = {"solver": "sgd", "max_iter": 40}
    # weights zigzag from epoch to epoch, their average hardly does
    zigzag = {}
    for average in (False, True):
        goes_on = classifier(average_weights=average, **params).fit(X, few_labels)
        if average:
            assert goes_on.score(X, y) > 0.95
        path = [goes_on.partial_fit(X, few_labels).decision_function(X) for _ in range(10)]
        zigzag[average] = np.abs(np.diff(path, n=2, axis=0)).mean()
    assert zigzag[True] < 0.5 * zigzag[False]


def test_steps_of_convolutions_go_the_way_of_their_gradients():
    """Fused kernels walk through memory: a gradient in another layout would move other weights."""
    from test_step import make_step

    from skaae.networks.autoencoder import Block

    step = make_step(
        {"style": Block(2, adversarial=False)},
        architecture={
            "n_features": 64,
            "hidden": (8, 16),
            "kind": "conv",
            "image_shape": (8, 8, 1),
        },
        solver="sgd",
    )
    x = torch.rand(20, 64, generator=seeded())
    output = step.networks(x)
    loss = 0.5 * (output - x).square().sum(dim=1).mean()
    named = dict(step.networks.named_parameters())
    wanted = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    before = {name: weight.detach().clone() for name, weight in named.items()}
    step.reconstruct(x, x)
    for (name, weight), gradient in zip(named.items(), wanted, strict=True):
        if gradient is not None:
            moved = (before[name] - weight).detach().ravel()
            cosine = torch.cosine_similarity(moved, gradient.ravel(), dim=0)
            assert float(cosine) > 0.999, name


def test_frozen_and_empty_user_modules(blobs):
    def frozen(n_inputs, n_outputs):
        backbone = nn.Linear(n_inputs, 8).requires_grad_(False)
        return nn.Sequential(backbone, nn.ReLU(), nn.Linear(8, n_outputs))

    for updates in ("alternating", "joint"):
        model = transformer(encoder=frozen, updates=updates, max_iter=2).fit(blobs[0])
        assert model.transform(blobs[0]).shape == (180, 2)
    identity = transformer(n_components=6, encoder=lambda n, m: nn.Identity(), max_iter=2)
    Z = identity.fit(blobs[0]).transform(blobs[0])
    np.testing.assert_allclose(Z, identity._table.transform(blobs[0]))


def test_labels_may_come_and_go_between_fits_only(blobs):
    X, y = blobs
    names = np.array(["a", "b", "c"])[y]
    params = {"prior": Petals(n_petals=3), "max_iter": 2}
    model = transformer(use_labels=True, **params).fit(X, names)
    with pytest.raises(ValueError, match=r"partial_fit goes on .* use_labels is now False"):
        model.set_params(use_labels=False).partial_fit(X)
    model.fit(X)
    assert not hasattr(model, "classes_")
    assert model.sample(2, 0, random_state=0).shape == (2, 6)  # a component by its index
    with pytest.raises(ValueError, match=r"warm_start=True goes on .* use_labels is now True"):
        model.set_params(use_labels=True, warm_start=True).fit(X, names)
    with pytest.raises(ValueError, match="needs a label for every row, but y is None"):
        transformer(use_labels=True, unlabeled_label=None, **params).fit(X)
    with pytest.raises(ValueError, match="has no components for y to choose from"):
        transformer(max_iter=1).fit(X).sample(2, 0)


def test_partial_fit_refuses_parameters_that_are_built_in(blobs):
    model = transformer(regularizer="mmd", max_iter=1).fit(blobs[0])
    with pytest.raises(ValueError, match=r"partial_fit goes on with a model of regularizer='mmd'"):
        model.set_params(regularizer=None).partial_fit(blobs[0])


def test_samples_of_codes_do_not_depend_on_the_batches_of_a_device(blobs, monkeypatch):
    from skaae import inference

    X = np.tile(blobs[0], (3, 1))
    model = transformer(posterior="gaussian", max_iter=1).fit(X)
    whole = model.encode_samples(X, 2, random_state=0)
    monkeypatch.setattr(inference, "BATCH_ROWS", {"cpu": 100})
    np.testing.assert_allclose(model.encode_samples(X, 2, random_state=0), whole, rtol=1e-6)


def test_an_adversary_that_is_turned_off_is_none(blobs):
    off = transformer(adversarial_learning_rate=0.0, max_iter=1).fit(blobs[0])
    assert not off._step.is_regularized
    assert transformer(max_iter=1).fit(blobs[0])._step.is_regularized
    weightless = transformer(regularizer="mmd", regularizer_weight=0.0, max_iter=1).fit(blobs[0])
    assert not weightless._step.is_regularized


def test_parzen_of_a_single_row_has_no_error(fitted_transformer, blobs):
    value, error = fitted_transformer.parzen_log_likelihood(blobs[0][:1], 100, bandwidth=1.0)
    assert np.isfinite(value)
    assert np.isnan(error)


def test_parameters_that_another_one_turns_off_are_named(blobs):
    with pytest.warns(UserWarning, match="regularizer_weight=2.0 has no effect, because regular"):
        transformer(max_iter=1, regularizer_weight=2.0).fit(blobs[0])
    transformer(max_iter=1, regularizer_weight=2.0, regularizer="mmd").fit(blobs[0])
    with pytest.warns(UserWarning, match="class_prior='uniform' has no effect, because use_labels"):
        make(AAEEmbedding, max_iter=1, class_prior="uniform").fit(blobs[0])
