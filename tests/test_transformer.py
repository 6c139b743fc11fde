"""AAETransformer: what it learns, its parameters, its methods."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from conftest import classifier, label, transformer
from scipy.sparse import csr_array

from skaae import MLP, AAETransformer
from skaae.priors import Gaussian, GaussianMixture, Petals, SwissRoll
from skaae.training import validation
from skaae.training.losses import maximum_mean_discrepancy


def distance_to_prior(model, X):
    """Return the MMD of codes and samples of the prior, in units of the prior's own scale."""
    codes = torch.from_numpy(model.transform(X.astype(np.float32)))
    samples = torch.from_numpy(model.sample_prior(len(X), random_state=1))
    return float(maximum_mean_discrepancy(codes, samples, float(samples.square().mean().sqrt())))


@pytest.mark.parametrize(
    "prior",
    [
        pytest.param("gaussian", marks=pytest.mark.slow),
        pytest.param("uniform", marks=pytest.mark.slow),
        "petals",
        pytest.param(Gaussian(5.0), marks=pytest.mark.slow),
    ],
    ids=label,
)
def test_the_adversary_brings_codes_to_the_prior(digits, prior):
    X = digits[0][:400]
    params = {"prior": prior, "max_iter": 120, "hidden_layer_sizes": (100, 100)}
    if isinstance(prior, Gaussian):  # at its lower rate, small networks take long
        params = {"prior": prior, "max_iter": 300}
    adversarial = transformer(**params).fit(X)
    plain = transformer(adversarial_learning_rate=0.0, **params).fit(X)
    assert distance_to_prior(adversarial, X) < 0.2 * distance_to_prior(plain, X)


def test_without_adversary_it_is_a_plain_autoencoder(digits):
    X = digits[0][:500]
    params = {"adversarial_learning_rate": 0.0, "weight_init": "uniform"}
    plain = transformer(max_iter=30, **params).fit(X)
    losses = plain.history_["discriminator_style"]
    assert plain.history_["reconstruction"][-1] < 0.7 * plain.history_["reconstruction"][0]
    assert abs(losses[-1] - 2 * np.log(2)) < 0.1  # an untrained discriminator cannot tell


@pytest.mark.slow
def test_two_components_beat_pca_of_two_components(digits):
    from sklearn.decomposition import PCA

    X = digits[0][:900]
    pca = PCA(2).fit(X)
    pca_error = np.mean((X - pca.inverse_transform(pca.transform(X))) ** 2)
    aae = transformer(max_iter=100).fit(X)
    assert np.mean((X - aae.reconstruct(X)) ** 2) < pca_error


def test_samples_resemble_the_data(digits):
    """Each sample is nearer to some digit than uniform noise of the data's range ever comes."""
    X = digits[0][:900]
    aae = transformer(max_iter=30).fit(X)

    def nearest(rows):
        return np.sqrt(((rows[:, None] - X[None]) ** 2).sum(axis=-1)).min(axis=1)

    samples = aae.sample(50, random_state=0)
    noise = np.random.default_rng(0).uniform(0, 16, size=(50, 64))
    assert nearest(samples).max() < nearest(noise).min()


def test_score_is_the_mean_of_minus_half_the_squared_errors(blobs):
    X, _ = blobs
    aae = transformer(scaling=None, max_iter=3).fit(X)
    expected = -0.5 * ((X - aae.reconstruct(X)) ** 2).sum(axis=1)
    np.testing.assert_allclose(aae.score_samples(X), expected, rtol=1e-9)
    assert aae.score(X) == pytest.approx(expected.mean())


def test_outliers_score_low(blobs, fitted_transformer):
    X, _ = blobs
    strange = X[:20][:, ::-1] * [100, 1, 1, 1, 1, 100]
    assert fitted_transformer.score_samples(strange).max() < np.quantile(
        fitted_transformer.score_samples(X), 0.05
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inference_follows_the_dtype(blobs, fitted_transformer, dtype):
    X = blobs[0].astype(dtype)
    codes = fitted_transformer.transform(X)
    assert codes.dtype == dtype
    assert fitted_transformer.inverse_transform(codes).dtype == dtype
    np.testing.assert_allclose(codes, fitted_transformer.transform(blobs[0]), atol=1e-4)


def test_batches_of_inference_agree_with_single_rows(fitted_transformer):
    X = np.random.default_rng(0).normal(size=(2500, 6))
    codes = fitted_transformer.transform(X)
    one_by_one = np.vstack(
        [fitted_transformer.transform(X[[row]]) for row in (0, 1023, 1024, 2499)]
    )
    np.testing.assert_allclose(codes[[0, 1023, 1024, 2499]], one_by_one, rtol=1e-9)


def test_reconstruct_is_encoding_then_decoding(blobs, fitted_transformer):
    X, _ = blobs
    there_and_back = fitted_transformer.inverse_transform(fitted_transformer.transform(X))
    np.testing.assert_allclose(fitted_transformer.reconstruct(X), there_and_back)


def test_sample_is_the_decoded_prior(fitted_transformer):
    codes = fitted_transformer.sample_prior(7, random_state=3)
    rows = fitted_transformer.sample(7, clip=False, random_state=3)
    assert codes.dtype == np.float32
    assert rows.dtype == np.float64  # as the training rows
    np.testing.assert_allclose(rows, fitted_transformer.inverse_transform(codes), rtol=1e-6)
    assert not np.array_equal(rows, fitted_transformer.sample(7, random_state=4))
    assert not np.array_equal(rows, fitted_transformer.sample(7))


@pytest.mark.parametrize(
    "prior",
    [
        "swiss_roll",
        SwissRoll(noise=0.1),
        Petals(5),
        GaussianMixture([[-2, 0], [2, 0]], 0.1),
        scipy.stats.t(df=5),
        lambda n, rng: rng.exponential(size=(n, 2)),
    ],
    ids=label,
)
def test_any_prior_trains(blobs, prior):
    aae = transformer(prior=prior, max_iter=2).fit(blobs[0])
    assert aae.transform(blobs[0]).shape == (180, 2)
    assert aae.sample(3).shape == (3, 6)


@pytest.mark.parametrize(
    "params",
    [
        {"solver": "sgd", "reconstruction_learning_rate": 0.001},
        {"reconstruction_loss": "binary_cross_entropy"},
        {"activation": "tanh", "dropout": 0.2, "input_noise": 0.3},
        {"hidden_layer_sizes": 30, "discriminator_hidden_layer_sizes": (20,)},
        {"hidden_layer_sizes": ()},
        {"precision": "bfloat16"},
        {"scaling": "range"},
        {"batch_size": 1000},
        {"batch_size": 1, "max_iter": 1},
        {"weight_init": 0.05},
        {"updates": "joint"},
        {"n_components": 1},
    ],
    ids=label,
)
def test_parameters_take_effect_and_train(blobs, params):
    X, _ = blobs
    base = transformer(max_iter=3).fit(X)
    other = transformer(**{"max_iter": 3, **params}).fit(X)
    assert np.isfinite(other.score(X))
    assert other.score(X) != base.score(X)


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1, 1, 1, 1]),
        (((1, 0.1), (3, 0.01)), [1, 0.1, 0.1, 0.01]),
        (lambda epoch: 1 / (1 + epoch), [1, 1 / 2, 1 / 3, 1 / 4]),
        ("cosine", [1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2]),
    ],
    ids=["constant", "pairs", "callable", "cosine"],
)
def test_learning_rate_schedule(blobs, monkeypatch, schedule, factors):
    from skaae.training.step import AAEStep

    seen = []
    scale = AAEStep.scale_learning_rates
    monkeypatch.setattr(
        AAEStep, "scale_learning_rates", lambda step, f: (seen.append(f), scale(step, f))
    )
    transformer(learning_rate_schedule=schedule, max_iter=4).fit(blobs[0])
    np.testing.assert_allclose(seen, factors)


def test_a_schedule_of_zero_leaves_the_weights(blobs):
    X, _ = blobs
    zero = {"learning_rate_schedule": ((0, 0.0),), "batch_norm": None}  # which has other statistics
    still = transformer(**zero, max_iter=3).fit(X)
    again = transformer(**zero, max_iter=9).fit(X)
    np.testing.assert_array_equal(still.transform(X), again.transform(X))


def test_sizes_suit_the_data_unless_given(digits):
    X = np.random.default_rng(0).normal(size=(20, 784))
    big = transformer(max_iter=1).fit(X)._step.networks.encoder.trunk.layers
    small = transformer(max_iter=1).fit(X[:, :20])._step.networks.encoder.trunk.layers
    words = transformer(max_iter=1).fit(csr_array(X))._step.networks.encoder.trunk.layers
    pixels = transformer(max_iter=1, scaling="range").fit(X)._step.networks.encoder.trunk.layers
    assert [layer.out_features for layer in big] == [256, 256]
    assert [layer.out_features for layer in pixels] == [1000, 1000]
    assert [layer.out_features for layer in words] == [1000, 1000]
    assert [layer.out_features for layer in small] == [64, 64]


def test_epochs_suit_the_data_unless_given():
    from skaae.estimators.rates import epochs
    from skaae.estimators.recipes import COMPONENTS, PLAIN, TAUGHT

    assert epochs("auto", 200, 100, PLAIN) == 200
    assert epochs("auto", 60_000, 100, PLAIN) == 20
    assert epochs("auto", 12_000, 100, PLAIN) == 100
    assert epochs("auto", 2_000, 100, TAUGHT) == 50
    assert epochs("auto", 60_000, 250, COMPONENTS) == 30
    assert epochs(7, 60_000, 100, PLAIN) == 7


@pytest.mark.parametrize(
    ("image_shape", "channels"),
    [
        ((3, 3, 1), (32,)),
        ((8, 8, 1), (32, 64)),
        ((28, 28, 1), (32, 64)),
        ((64, 64, 3), (32, 64, 128)),
        ((256, 512, 3), (32, 64, 128, 256, 256)),
    ],
)
def test_channels_suit_the_images_unless_given(image_shape, channels):
    """They double from 32 to 256, in as many layers as bring images down to 8 pixels."""
    from skaae.estimators.parameters import layer_sizes

    n_features = int(np.prod(image_shape))
    found = layer_sizes("hidden_layer_sizes", "auto", n_features, image_shape, widest=1000)
    assert found == channels


def test_the_widest_layer_says_how_many_threads_train():
    X = np.random.default_rng(0).random((20, 16))
    sizes = {"hidden_layer_sizes": (3, 50), "discriminator_hidden_layer_sizes": (70, 4)}
    assert transformer(max_iter=1, **sizes).fit(X)._settings.thread_width == 70
    own = {"encoder": torch.nn.Linear}
    images = {"network": "conv", "image_shape": (4, 4), "hidden_layer_sizes": (8,)}
    for params in (own, images):  # which compute more than widths tell
        assert transformer(max_iter=1, **params).fit(X)._settings.thread_width is None


def test_images_stay_within_their_range(digits):
    """The decoder of pixels ends in a sigmoid: what it returns needs no clipping."""
    X = digits[0][:200]
    model = transformer(max_iter=20).fit(X)
    for rows in (model.reconstruct(X), model.sample(200, random_state=0)):
        assert 0.0 <= rows.min() < rows.max() <= 16.0


@pytest.mark.parametrize(("solver", "rates"), [("adam", (0.001, 0.0003)), ("sgd", (0.01, 0.1))])
def test_learning_rates_are_the_documented_ones_unless_given(blobs, solver, rates):
    model = transformer(max_iter=1, solver=solver).fit(blobs[0])
    found = {phase: rate.learning_rate for phase, rate in model._settings.rates.items()}
    reconstruction, adversarial = rates
    assert found == {
        "reconstruction": reconstruction,
        "discriminator": adversarial,
        "generator": adversarial,
    }


def test_the_adversary_learns_slowly_beside_classes_and_fast_for_components(blobs):
    X, y = blobs
    by_component = transformer(max_iter=1, prior=Petals(3), use_labels=True).fit(X, y)
    assert by_component._settings.rates["generator"].learning_rate == 0.003
    rates = classifier(max_iter=1, solver="adam", scaling="range").fit(X, y)._settings.rates
    assert {phase: rate.learning_rate for phase, rate in rates.items()} == {
        "reconstruction": 0.001,
        "discriminator": 0.0003,
        "generator": 0.0003,
        "classification": 0.001,
        "virtual_adversarial": 0.001,
    }


def test_the_weight_of_a_divergence_is_the_variance_of_a_feature(blobs):
    params = {"regularizer": "kl", "posterior": "gaussian", "max_iter": 1}
    X = blobs[0] / np.ptp(blobs[0], axis=0)
    X -= X.min(axis=0)
    model = transformer(scaling=None, **params).fit(X)
    assert model._settings.regularizer_weight == pytest.approx(X.var(axis=0).mean())
    model.set_params(reconstruction_loss="binary_cross_entropy", scaling="range").fit(X)
    assert model._settings.regularizer_weight == 1.0


def test_history_and_verbose(blobs, capsys):
    transformer(max_iter=1).fit(blobs[0])
    assert capsys.readouterr().out == ""
    aae = transformer(max_iter=3, verbose=1).fit(blobs[0])
    losses = {"reconstruction", "discriminator_style", "generator_style"}
    assert set(aae.history_) == {"stage", *losses}
    assert aae.history_["stage"] == ["train"] * 3
    assert all(len(values) == aae.n_iter_ == 3 for values in aae.history_.values())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0] == f"Scaling of X: {aae.scaling_}"
    assert lines[1].startswith("Epoch 1/3 (train): reconstruction ")
    aae.set_params(warm_start=True).fit(blobs[0]).partial_fit(blobs[0])
    later = [line.split(" (")[0] for line in capsys.readouterr().out.splitlines()]
    assert later == ["Epoch 4/6", "Epoch 5/6", "Epoch 6/6", "Epoch 7/7"]


def test_early_stopping_keeps_the_best_weights(blobs):
    X, _ = blobs
    params = {"early_stopping": True, "max_iter": 300, "n_iter_no_change": 3, "tol": 0.0}
    params["reconstruction_learning_rate"] = 0.02  # large: the validation loss rises now and then
    aae = transformer(**params).fit(X)
    assert len(aae.history_["validation"]) == aae.n_iter_ < 300
    assert np.argmin(aae.history_["validation"]) < aae.n_iter_ - 1
    best = int(np.argmin(aae.history_["validation"])) + 1
    shorter = transformer(**{**params, "max_iter": best}).fit(X)
    np.testing.assert_array_equal(aae.transform(X), shorter.transform(X))


@pytest.mark.parametrize("prior", [scipy.stats.norm(100.0, 1.0), scipy.stats.norm(0.0, 1e4)])
def test_a_prior_far_from_unit_scale_gets_a_warning(blobs, prior):
    with pytest.warns(UserWarning, match=r"prior have a mean of .* Training needs about 0 and 1"):
        transformer(prior=prior, max_iter=2).fit(blobs[0])
    transformer(prior=prior, regularizer=None, max_iter=2).fit(blobs[0])  # it trains nothing


@pytest.mark.slow
def test_codes_of_columns_that_are_alike_follow_the_prior():
    """Most of such a table is one number, and without normalization codes were functions of it."""
    rng = np.random.default_rng(0)
    level, shape = rng.gamma(4.0, 1.0, (300, 1)), rng.normal(size=(300, 3))
    X = level + 0.2 * shape @ rng.normal(size=(3, 60)) + 0.02 * rng.normal(size=(300, 60))
    found = {}
    for batch_norm in ("auto", None):
        aae = AAETransformer(4, network=MLP(batch_norm=batch_norm), random_state=0).fit(X)
        codes = aae.transform(X)
        correlations = np.abs(np.corrcoef(codes.T) - np.eye(4))
        distances = [scipy.stats.wasserstein_distance(z, rng.normal(size=3000)) for z in codes.T]
        found[batch_norm] = correlations.sum() / 12, max(distances)
    assert found["auto"][0] < 0.5 < found[None][0]
    assert found["auto"][1] < 0.3 < found[None][1]


@pytest.mark.parametrize("posterior", ["deterministic", "universal"])
def test_normalized_codes_start_where_the_prior_lies(blobs, posterior):
    aae = AAETransformer(
        prior=scipy.stats.norm(-2.0, 3.0), posterior=posterior, random_state=0
    ).partial_fit(blobs[0])
    norm = aae._step.networks.encoder.outputs.norms["style"]
    np.testing.assert_allclose(norm.weight.detach().cpu(), 3.0, atol=0.3)
    np.testing.assert_allclose(norm.bias.detach().cpu(), -2.0, atol=0.3)


def test_priors_near_unit_scale_change_nothing_and_heavy_tails_little(blobs):
    for prior, deviation in (("gaussian", 1.0), (scipy.stats.cauchy(), 50.0)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            aae = AAETransformer(prior=prior, max_iter=1, random_state=0).fit(blobs[0])
        step = aae._settings.initialize(aae._network_rows(blobs[0]))
        weight = step.networks.encoder.outputs.norms["style"].weight
        assert (weight.detach() <= deviation).all()
        assert (weight.detach() >= 1.0).all()


def test_loading_draws_no_samples_of_the_prior(blobs):
    calls = []

    def prior(n, rng):
        calls.append(n)
        return 3.0 * rng.normal(size=(n, 2))

    aae = AAETransformer(prior=prior, random_state=0).partial_fit(blobs[0])
    n_calls = len(calls)
    again = copy.deepcopy(aae)
    again.__setstate__(aae.__getstate__())
    np.testing.assert_array_equal(again.transform(blobs[0]), aae.transform(blobs[0]))
    assert len(calls) == n_calls


def test_partial_fit_goes_on(blobs):
    X, _ = blobs
    aae = transformer()
    scores = []
    for _ in range(15):
        aae.partial_fit(X)
        scores.append(aae.score(X))
    assert aae.n_iter_ == len(aae.history_["reconstruction"]) == 15
    assert scores[-1] > scores[0]


def test_partial_fit_continues_a_fit_exactly(blobs):
    X, _ = blobs
    params = {"learning_rate_schedule": "constant"}
    in_two = transformer(max_iter=3, **params).fit(X).partial_fit(X)
    at_once = transformer(max_iter=4, **params).fit(X)
    np.testing.assert_array_equal(in_two.transform(X), at_once.transform(X))


def test_fit_starts_afresh_and_warm_start_goes_on(blobs):
    X, _ = blobs
    params = {"learning_rate_schedule": "constant"}
    aae = transformer(max_iter=3, **params)
    first = aae.fit(X).transform(X)
    np.testing.assert_array_equal(first, aae.fit(X).transform(X))
    assert aae.n_iter_ == 3
    aae.set_params(warm_start=True).fit(X)
    assert aae.n_iter_ == 6
    at_once = transformer(max_iter=6, **params).fit(X)
    np.testing.assert_array_equal(aae.transform(X), at_once.transform(X))


def test_rates_fall_in_fit_and_stay_in_partial_fit(blobs, few_labels):
    """Nobody knows how many calls of partial_fit will come, nor when early stopping stops."""
    X, _ = blobs

    def last_rate(model):
        return model._step.optimizers["reconstruction"].learning_rate.item()

    model = transformer(max_iter=10).fit(X)
    assert last_rate(model) < 0.03 * model._settings.rates["reconstruction"].learning_rate
    full = pytest.approx(model._settings.rates["reconstruction"].learning_rate)
    assert last_rate(model.partial_fit(X)) == full
    assert last_rate(transformer(max_iter=10, early_stopping=True).fit(X)) == full


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_one_seed_repeats_bit_for_bit_and_two_differ(blobs, solver):
    X, _ = blobs

    def codes(seed):
        rates = {"reconstruction_learning_rate": 0.001}
        model = transformer(random_state=seed, solver=solver, dropout=0.1, input_noise=0.1, **rates)
        return model.fit(X).transform(X)

    np.testing.assert_array_equal(codes(0), codes(0))
    assert np.abs(codes(0) - codes(1)).max() > 0.01
    assert not np.array_equal(codes(None), codes(None))


def test_global_state_is_left_alone(blobs):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    for seed in (0, None):
        model = transformer(random_state=seed, dropout=0.1, input_noise=0.1, max_iter=2)
        model.fit(blobs[0]).sample(3)
    assert torch.equal(torch_state, torch.get_rng_state())
    assert (numpy_state == np.random.get_state()[1]).all()
    assert (threads, dtype) == (torch.get_num_threads(), torch.get_default_dtype())


def test_the_users_data_is_not_changed(blobs):
    X = blobs[0].copy()
    transformer(scaling=None, max_iter=2).fit(X).transform(X)
    np.testing.assert_array_equal(X, blobs[0])


def test_defaults_make_a_sensible_model_of_digits(digits, device):
    X = digits[0][:900]
    aae = AAETransformer(max_iter=60, random_state=0, device=device).fit(X)
    variance = 0.5 * ((X / 16 - (X / 16).mean(axis=0)) ** 2).sum(axis=1).mean()
    assert -aae.score(X) < 0.65 * variance  # of what the mean image leaves unexplained
    np.testing.assert_allclose(aae.transform(X).std(axis=0), 1, atol=0.35)


def test_the_likelihood_of_rows_of_a_data_frame_is_that_of_an_array():
    X = np.random.default_rng(0).normal(size=(120, 3))
    frame = pd.DataFrame(X, columns=list("abc"))
    found = [
        transformer()
        .fit(rows[:80])
        .parzen_log_likelihood(rows[100:], 200, X_validation=rows[80:100], random_state=0)
        for rows in (X, frame)
    ]
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_the_likelihood_is_that_of_decoded_samples_in_a_frame_of_integers_too():
    X = np.random.default_rng(0).integers(0, 50, (64, 3))
    frame = pd.DataFrame(X, columns=list("abc"))
    found = [
        transformer(max_iter=2)
        .fit(rows)
        .parzen_log_likelihood(rows[:5], 500, bandwidth=0.2, random_state=0)
        for rows in (frame, X.astype(float))
    ]
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_early_stopping_does_not_depend_on_the_order_of_rows(blobs):
    """With more rows than codes are compared with the prior."""
    X = np.random.default_rng(0).normal(size=(3000, 3))
    X[:1500] += 4.0
    model = transformer(max_iter=2).fit(X)
    rows = torch.from_numpy(model._table.transform(X)).float()
    losses = [
        validation.reconstruction(model._step, each, None, 0)()
        for each in (rows, rows[torch.randperm(3000, generator=torch.Generator().manual_seed(0))])
    ]
    assert losses[0] == pytest.approx(losses[1], abs=0.05)


def test_early_stopping_compares_drawn_codes_with_the_prior(blobs):
    """With a Gaussian posterior means of codes do not follow it.

    The two are drawn independently: else the distance of few rows would be far below 0.
    """
    model = transformer(posterior="gaussian", regularizer="kl", max_iter=2).fit(blobs[0])
    step, rows = model._step, torch.from_numpy(model._table.transform(blobs[0][:20])).float()
    with torch.no_grad():  # all rows have the prior as q(z|x)
        for weight in step.trained.encoder.outputs.parameters():
            weight.zero_()
    losses = [validation.reconstruction(step, rows, None, seed)() for seed in range(10)]
    with torch.no_grad():
        code = step.trained.code(step.trained.encoder(rows))
        reconstruction = step.reconstruction.losses(step.trained.decoder(code), rows).mean()
    assert np.mean(losses) == pytest.approx(float(reconstruction), abs=0.1)


def test_the_likelihood_does_not_depend_on_an_offset(blobs):
    X = (blobs[0] - blobs[0].mean(axis=0)) / blobs[0].std(axis=0)
    found = []
    for offset in (0.0, 2.0**30):
        aae = transformer(scaling="standard").fit(X + offset)
        found.append(aae.parzen_log_likelihood(X + offset, 500, bandwidth=0.3, random_state=0)[0])
    assert found[1] == pytest.approx(found[0], abs=0.05)
