"""Priors: shapes, moments, repeatability, and errors that name the prior."""

import dataclasses

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from conftest import FITS, label, transformer
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture as FittedMixture
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KernelDensity

from skaae import AAETransformer
from skaae.priors import (
    Categorical,
    Gaussian,
    GaussianMixture,
    Petals,
    Prior,
    SwissRoll,
    Uniform,
    as_prior,
)
from skaae.priors._prior import check_samples, same
from skaae.priors._shapes import check_probabilities

POINTS = np.random.default_rng(0).normal(size=(200, 2)) + np.array([3, -3])
OWN = [
    Gaussian(),
    Gaussian([1.0, 5.0]),
    Uniform(),
    Uniform([0, -1], [1, 1]),
    Petals(),
    SwissRoll(),
    SwissRoll(noise=0.1),
    Categorical(),
    GaussianMixture([[-3, 0], [3, 0]], 0.1, [0.2, 0.8]),
    GaussianMixture([[-3, 0], [3, 0]], [0.1, 0.2]),
    GaussianMixture([[-3, 0], [3, 0]], [[0.1, 1.0], [0.2, 1.0]]),
    GaussianMixture([[-3, 0], [3, 0]], [np.eye(2), 2 * np.eye(2)]),
]
USER_PRIORS = {
    "univariate": scipy.stats.laplace(scale=0.5),
    "multivariate": scipy.stats.multivariate_normal([0, 1], np.eye(2)),
    "dirichlet": scipy.stats.dirichlet([2.0, 3.0]),
    "mixture": FittedMixture(2, random_state=0).fit(POINTS),
    "frozen": FrozenEstimator(FittedMixture(2, random_state=0).fit(POINTS)),
    "density": KernelDensity(bandwidth=0.1).fit(POINTS),
    "callable": lambda n, rng: rng.uniform(size=(n, 2)),
    "tensor": lambda n, rng: torch.ones(n, 2, requires_grad=True),  # as of an own network
}
if hasattr(scipy.stats, "Normal"):  # the distributions that scipy has from 1.15 on
    USER_PRIORS = {"univariate of today": scipy.stats.Normal(mu=1.0, sigma=2.0), **USER_PRIORS}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("prior", OWN + list(USER_PRIORS.values()), ids=label)
def test_samples_have_shape_dtype_and_seed(prior):
    prior = as_prior(prior)
    first = prior.sample(50, 2, generator=seeded())
    assert first.shape == (50, 2)
    assert first.dtype == torch.float32
    assert first.isfinite().all()
    assert torch.equal(first, prior.sample(50, 2, generator=seeded()))


@pytest.mark.parametrize("prior", OWN + list(USER_PRIORS.values()), ids=label)
def test_samples_are_float32_whatever_the_default_of_torch_is(prior):
    torch.set_default_dtype(torch.float64)
    try:
        assert as_prior(prior).sample(5, 2).dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("prior", [*OWN, *list(USER_PRIORS.values())[:-1]], ids=label)
def test_batches_differ(prior):
    prior, generator = as_prior(prior), seeded()
    first = prior.sample(50, 2, generator=generator)
    assert not torch.equal(first, prior.sample(50, 2, generator=generator))


@pytest.mark.parametrize("kind", ["callable", "density"])
def test_no_batch_comes_back_in_a_long_training(kind):
    """Each is drawn from a seed of its own, out of many."""
    prior, generator = as_prior(USER_PRIORS[kind]), seeded()
    batches = {tuple(prior.sample(1, 2, generator=generator)[0].tolist()) for _ in range(400)}
    assert len(batches) == 400


class Sampler:
    """A user's object that draws, and that has an estimator inside for its own purposes."""

    def __init__(self, **attributes):
        vars(self).update(attributes)

    def sample(self, n):
        return np.random.RandomState(self.random_state.randint(2**31)).normal(size=(n, 2))


def test_an_estimator_inside_is_used_if_only_that_has_a_random_state():
    whole = as_prior(Sampler(estimator="anything", random_state=3))
    assert whole.sample(5, generator=seeded()).shape == (5, 2)
    wrapped = as_prior(Sampler(estimator=Sampler(random_state=3)))
    assert torch.equal(wrapped.sample(5, generator=seeded()), whole.sample(5, generator=seeded()))


@pytest.mark.parametrize("prior", OWN + list(USER_PRIORS.values()), ids=label)
def test_global_generators_are_left_alone(prior):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    as_prior(prior).sample(10, 2, generator=seeded())
    assert torch.equal(torch_state, torch.get_rng_state())
    assert (numpy_state == np.random.get_state()[1]).all()


@pytest.mark.parametrize(
    ("prior", "mean", "deviation"),
    [
        (Gaussian(5.0), [0, 0], [5, 5]),
        (Gaussian([1.0, 10.0]), [0, 0], [1, 10]),
        (Uniform(), [0, 0], [4 / 12**0.5] * 2),
        (GaussianMixture([[-3, 0], [3, 0]], [[1, 4], [1, 4]]), [0, 0], [10**0.5, 2]),
        (GaussianMixture([[0, 0]], [[[4.0, 1.9], [1.9, 1.0]]]), [0, 0], [2, 1]),
        (scipy.stats.laplace(scale=0.5), [0, 0], [0.5 * 2**0.5] * 2),
        (scipy.stats.multivariate_normal([0, 1], np.diag([1, 9])), [0, 1], [1, 3]),
        (USER_PRIORS["mixture"], POINTS.mean(axis=0), POINTS.std(axis=0)),
        (USER_PRIORS["density"], POINTS.mean(axis=0), np.hypot(POINTS.std(axis=0), 0.1)),
    ],
    ids=label,
)
def test_moments(prior, mean, deviation):
    samples = as_prior(prior).sample(40_000, 2, generator=seeded()).numpy()
    np.testing.assert_allclose(samples.mean(axis=0), mean, atol=0.03 * max(deviation))
    np.testing.assert_allclose(samples.std(axis=0), deviation, rtol=0.03)


def test_full_covariances_correlate():
    prior = GaussianMixture([[0, 0]], [[[4.0, 1.9], [1.9, 1.0]]])
    samples = prior.sample(20_000, 2, generator=seeded()).numpy()
    np.testing.assert_allclose(np.cov(samples.T), [[4.0, 1.9], [1.9, 1.0]], atol=0.1)


def test_petals_lie_on_a_ring_in_the_order_of_y():
    y = np.repeat(np.arange(10), 500)
    samples = Petals().sample(5000, y=y, generator=seeded()).numpy()
    means = np.array([samples[y == k].mean(axis=0) for k in range(10)])
    angles = np.arctan2(means[:, 1], means[:, 0]) % (2 * np.pi)
    np.testing.assert_allclose(np.hypot(*means.T), 1.4, atol=0.08)
    np.testing.assert_allclose(angles[1:], 2 * np.pi * np.arange(1, 10) / 10, atol=0.08)


@pytest.mark.parametrize(
    ("prior", "length", "width"), [(Petals(), 0.5, 0.1), (Petals(3, 2, 1, 0.3), 1, 0.3)]
)
def test_petals_are_longer_than_wide(prior, length, width):
    """The first lies along the first axis, where the spread is that of `length` and `width`."""
    first = prior.sample(10_000, y=np.zeros(10_000), generator=seeded())
    np.testing.assert_allclose(first.std(dim=0), [length, width], rtol=0.03)
    np.testing.assert_allclose(first.mean(dim=0), [prior.radius, 0.0], atol=0.03)


def test_every_petal_is_the_first_turned_by_its_angle():
    petals = Petals(5)
    for k, angle in enumerate(2.0 * np.pi * np.arange(5) / 5.0):
        z = petals.sample(4000, y=np.full(4000, k), generator=seeded()).numpy()
        turned = z @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        np.testing.assert_allclose(turned.mean(axis=0), [1.4, 0.0], atol=0.03)
        np.testing.assert_allclose(turned.std(axis=0), [0.5, 0.1], rtol=0.05)
        assert abs(np.corrcoef(turned.T)[0, 1]) < 0.05


def test_one_component_is_enough():
    for prior in (Petals(1), SwissRoll(1)):
        assert prior.count_components() == 1
        assert prior.sample(3, y=[0, 0, -1]).shape == (3, 2)


def test_swiss_roll_has_noise_of_the_given_deviation():
    noisy, clean = (SwissRoll(noise=n).sample(5000, generator=seeded()) for n in (0.3, 0.0))
    np.testing.assert_allclose((noisy - clean).std(dim=0), 0.3, rtol=0.05)
    assert clean.norm(dim=1).max() <= 3.0


def test_swiss_roll_stretches_run_outwards():
    y = np.repeat(np.arange(10), 200)
    samples = SwissRoll().sample(2000, y=y, generator=seeded()).numpy()
    radius = np.hypot(*samples.T)
    bounds = 3 * np.sqrt(np.arange(11) / 10)
    assert (radius >= bounds[y] - 1e-5).all()
    assert (radius <= bounds[y + 1] + 1e-5).all()
    # the angle grows with the radius, over two turns
    wound = np.arctan2(samples[:, 1], samples[:, 0]) - 2 * np.pi * 2.0 * radius / 3.0
    np.testing.assert_allclose(np.cos(wound), 1.0, atol=1e-4)


@pytest.mark.parametrize("prior", [Petals(), SwissRoll(), GaussianMixture([[0, 0], [9, 9]])])
def test_minus_one_draws_from_the_whole_prior(prior):
    n = 400
    free = prior.sample(n, y=np.full(n, -1), generator=seeded())
    assert torch.equal(free, prior.sample(n, generator=seeded()))
    with pytest.raises(ValueError, match="components 0 to"):
        prior.sample(1, y=[prior.count_components()], generator=seeded())


def test_mixture_component_by_label():
    prior = GaussianMixture([[-50, 0], [50, 0]])
    y = np.array([0, 1, 1, 0])
    assert ((prior.sample(4, y=y, generator=seeded())[:, 0] > 0).numpy() == (y == 1)).all()


def test_categorical_proportions():
    samples = Categorical([0.1, 0.2, 0.7]).sample(20_000, 3, generator=seeded())
    assert set(samples.unique().tolist()) == {0.0, 1.0}
    assert (samples.sum(dim=1) == 1).all()
    np.testing.assert_allclose(samples.mean(dim=0), [0.1, 0.2, 0.7], atol=0.02)
    asked = Categorical([0.1, 0.2, 0.7]).sample(3, 3, y=[2, 0, 1], generator=seeded())
    assert asked.argmax(dim=1).tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("prior", "n_components", "words"),
    [
        (Petals(), 3, ["Petals", "2", "n_components=3"]),
        (Gaussian([1.0, 2.0]), 3, ["Gaussian", "has scale of shape (2,)", "n_components=3"]),
        (GaussianMixture([[0, 0]]), 3, ["GaussianMixture", "2 dimensions"]),
        (Categorical([0.5, 0.5]), 3, ["Categorical", "2 dimensions"]),
        (scipy.stats.multivariate_normal([0, 0]), 3, ["multivariate_normal", "2)", "3)"]),
        (USER_PRIORS["mixture"], 3, ["GaussianMixture", "2)", "3)"]),
        (lambda n, rng: np.zeros((n, 5)), 3, ["lambda", "5)", "3)"]),
        (lambda n, rng: np.zeros(n), 3, ["lambda", "(8,)", "3)"]),
        (lambda n, rng: np.full((n, 3), np.nan), 3, ["lambda", "not a number", "(8, 3)"]),
    ],
    ids=label,
)
def test_wrong_dimension_or_value_names_prior_and_shape(prior, n_components, words):
    prior = as_prior(prior)
    with pytest.raises(ValueError) as caught:
        prior.sample(8, n_components, generator=seeded())
    assert all(word in str(caught.value) for word in words)


class NoState:
    """A model whose samples could not be repeated."""

    def sample(self, n):
        return np.zeros((n, 2))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: as_prior("gausian"), ValueError, "'gausian' is not one of"),
        (lambda: as_prior(3), TypeError, "cannot be drawn from"),
        (lambda: as_prior(Gaussian), TypeError, "give an instance"),
        (lambda: Gaussian(-1), ValueError, "Gaussian needs finite scale > 0, got"),
        (lambda: Gaussian(np.nan), ValueError, "Gaussian needs finite scale > 0, got"),
        (lambda: Uniform(1, 1), ValueError, "low < high"),
        (lambda: Uniform(-np.inf, 1), ValueError, "finite low < high"),
        (lambda: Uniform(0, [1, np.inf]), ValueError, "finite low < high"),
        (lambda: Petals(0), ValueError, "Petals needs an integer n_petals >= 1, got 0"),
        (lambda: Petals(length=0.0), ValueError, "Petals needs finite length > 0"),
        (lambda: Petals(width=-1.0), ValueError, "Petals needs finite width > 0"),
        (lambda: SwissRoll(2.5), ValueError, "SwissRoll needs an integer n_stretches >= 1"),
        (lambda: SwissRoll(radius=0.0), ValueError, "SwissRoll needs finite radius > 0"),
        (lambda: SwissRoll(turns=-1.0), ValueError, "SwissRoll needs finite turns > 0"),
        (lambda: Petals(radius=-1.0), ValueError, "Petals needs finite radius > 0"),
        (lambda: SwissRoll(noise=-0.1), ValueError, "noise >= 0"),
        (lambda: SwissRoll(noise=np.nan), ValueError, "noise >= 0"),
        (
            lambda: GaussianMixture([[0.0, 0.0]], [[[2.0, 1.0], [0.0, 2.0]]]),
            ValueError,
            "must be symmetric",
        ),
        (
            lambda: Categorical([0.5, 0.6]),
            ValueError,
            "Categorical probabilities must be .*sum to 1",
        ),
        (lambda: Categorical([1.5, -0.5]), ValueError, "at least 0"),
        (lambda: Categorical([[0.5, 0.5]]), ValueError, r"shape \(n,\), got \(1, 2\)"),
        (lambda: GaussianMixture([0, 1]), ValueError, "finite means of shape"),
        (lambda: GaussianMixture([[0, 1]], np.ones(3)), ValueError, "covariances have shape"),
        (lambda: GaussianMixture([[0, 1]], -1.0), ValueError, "positive"),
        (
            lambda: GaussianMixture([[0, 1]], weights=[0.5]),
            ValueError,
            "GaussianMixture weights must",
        ),
        (lambda: GaussianMixture([[0, 1]], weights=[0.5, 0.5]), ValueError, r"shape \(1,\)"),
        (
            lambda: SwissRoll().log_prob(torch.zeros(1, 2)),
            ValueError,
            r"^prior SwissRoll\(.* has no",
        ),
        (lambda: Petals(2, weights=[0.5, 0.6]), ValueError, "Petals weights must be at least 0"),
        (lambda: SwissRoll(3, weights=[0.5, 0.5]), ValueError, r"SwissRoll weights must.*\(3,\)"),
        (
            lambda: as_prior(KernelDensity(kernel="exponential").fit(POINTS)).sample(2),
            ValueError,
            "cannot draw samples with these parameters.*kernel='gaussian'",
        ),
        (
            lambda: as_prior(NoState()).sample(2),
            TypeError,
            "^prior must .* But prior=.*NoState.* cannot be drawn from: its `sample` takes no rand",
        ),
        (
            lambda: as_prior(lambda n: n).sample(2),
            TypeError,
            r"^prior must be a function of \(n_samples, rng\).*lambda.* cannot be drawn from: ",
        ),
        (
            lambda: as_prior(lambda n, rng: [["a", "b"]] * n).sample(2),
            ValueError,
            "^prior .*lambda.* drew no table of numbers: could not convert",
        ),
        (
            lambda: GaussianMixture([[0, 1]], np.ones(3)),
            ValueError,
            r"^GaussianMixture covariances have shape \(3,\); with means of shape \(1, 2\)",
        ),
        (
            lambda: GaussianMixture([[0, 1]], -1.0),
            ValueError,
            "^GaussianMixture covariances must be",
        ),
        (
            lambda: GaussianMixture([0, 1]),
            ValueError,
            r"^GaussianMixture needs .* got shape \(2,\)",
        ),
        (lambda: Gaussian().sample(2, y=[0, 0]), ValueError, r"Gaussian\(.* has no components"),
        (lambda: Uniform().sample(2, y=[0, 0]), ValueError, r"Uniform\(.* has no components"),
        (
            lambda: as_prior(scipy.stats.norm()).sample(2, y=[0, 0]),
            ValueError,
            r"prior <scipy.* has no components.*skaae\.priors\.GaussianMixture",
        ),
        (
            lambda: Uniform([0, 1, 2], 5).sample(2),
            ValueError,
            r"Uniform\(.* has low of shape \(3,\)",
        ),
        (
            lambda: Uniform(0, [1, 2, 3]).sample(2),
            ValueError,
            r"Uniform\(.* has high of shape \(3,\)",
        ),
        (lambda: SwissRoll().sample(2, 3), ValueError, r"prior SwissRoll\(.* has 2 dimensions"),
        (lambda: Petals().sample(2, 3), ValueError, r"prior Petals\(.* has 2 dimensions"),
        (
            lambda: Petals(3).sample(1, y=[3]),
            ValueError,
            r"Petals\(.* has components 0 to 2 .*3 to 3",
        ),
        (lambda: Petals(3).sample(2, y=[-2, 0]), ValueError, "got y from -2 to 0"),
        (lambda: Petals(3).sample(2, y=[1]), ValueError, r"shape \(2,\), got \(1,\)"),
        (lambda: Categorical().sample(1, 2, y=[2]), ValueError, r"Categorical\(.* 0 to 1 .*2 to 2"),
        (
            lambda: as_prior(USER_PRIORS["mixture"]).sample(2, y=[0, 0]),
            ValueError,
            r"GaussianMixture\(.* has no components",
        ),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_priors_compare_clone_and_hash_by_value():
    assert Gaussian(2.0) == Gaussian(2.0) != Gaussian(3.0)
    mixture = GaussianMixture([[0, 0], [1, 1]])
    assert mixture == GaussianMixture(np.array([[0, 0], [1, 1]]))
    assert len({Gaussian(2.0), Gaussian(2.0), Uniform()}) == 2
    assert clone(AAETransformer(prior=mixture)).prior == mixture
    assert hash(Gaussian([1.0, 2.0])) == hash(Gaussian(np.array([1.0, 2.0])))
    assert joblib.hash(mixture) == joblib.hash(GaussianMixture([[0, 0], [1, 1]]))


class Ring(Prior):
    """A user's prior without parameters."""

    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        angle = 2 * torch.pi * torch.rand(n_samples, generator=generator)
        return torch.stack([angle.cos(), angle.sin()], dim=1)


class HalfRing(Ring):
    """Another one, that has no parameters either."""


def test_priors_of_two_kinds_differ():
    assert Ring() == Ring() != HalfRing()
    assert Gaussian(2.0) != 2.0
    assert as_prior(USER_PRIORS["callable"]) == as_prior(USER_PRIORS["callable"])
    assert as_prior(USER_PRIORS["callable"]) != as_prior(USER_PRIORS["tensor"])


@pytest.mark.parametrize("prior", [*OWN, as_prior(USER_PRIORS["callable"])], ids=label)
def test_a_prior_that_is_used_as_a_key_cannot_be_changed(prior):
    field = dataclasses.fields(prior)[0].name if dataclasses.fields(prior) else "anything"
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(prior, field, 3)


def test_priors_of_two_kinds_have_two_hashes():
    assert len({hash(prior) for prior in (Gaussian(), Uniform(), Petals(), Ring())}) == 4


def test_parameters_that_make_no_array_are_not_the_same():
    assert not same([[1], [1, 2]], [[1], [1, 3]])
    assert same([1, 2], np.array([1.0, 2.0]))


def test_priors_without_components_have_none():
    assert Gaussian().count_components() == Ring().count_components() == 0
    assert Petals(3).count_components() == SwissRoll(3).count_components() == 3


def test_samples_have_two_dimensions_by_default():
    for prior in [*OWN, as_prior(USER_PRIORS["callable"])]:
        assert prior.sample(3).shape == (3, 2)


def test_own_subclass():
    assert as_prior(Ring()).sample(5).shape == (5, 2)


def test_probabilities_may_be_zero_and_rounded():
    assert Categorical([1.0, 0.0]).sample(3, 2).tolist() == [[1.0, 0.0]] * 3
    found = check_probabilities("p", [0.25, 0.7499995])
    assert found.sum() == 1.0
    assert found[0] > 0.25
    with pytest.raises(ValueError, match="p must be at least 0"):
        check_probabilities("p", [0.25, 0.749998])


def test_samples_of_an_own_prior_are_checked():
    wrong = {
        "^prior 'mine' drew a ndarray; .* must return a float32 tensor. To draw": np.zeros((3, 2)),
        r"^prior 'mine' drew an array of shape \(3, 1\) where \(3, 2\) = .* set n_": torch.ones(
            3, 1
        ),
        "^prior 'mine' drew values that are infinite": torch.full((3, 2), torch.inf),
    }
    for message, samples in wrong.items():
        with pytest.raises((TypeError, ValueError), match=message):
            check_samples("mine", samples, 3, 2)
    assert check_samples("mine", torch.ones(3, 2), 3, 2).sum() == 6.0


@pytest.mark.parametrize(("n", "d"), [(5, 1), (1, 2), (1, 1)])
def test_multivariate_distributions_of_scipy_drop_axes(n, d):
    prior = as_prior(scipy.stats.multivariate_normal(np.zeros(d), np.eye(d)))
    assert prior.sample(n, d, generator=seeded()).shape == (n, d)


def test_one_dimension_may_be_drawn_as_a_vector():
    prior = as_prior(lambda n, rng: rng.uniform(size=n))
    found = prior.sample(5, 1, generator=seeded())
    assert found.shape == (5, 1)
    assert len(found.unique()) == 5


def test_a_fitted_model_stays_as_it_is():
    model = FittedMixture(2, random_state=0).fit(POINTS)
    as_prior(model).sample(5, 2, generator=seeded())
    assert model.random_state == 0


@pytest.mark.parametrize("kind", ["mixture", "frozen", "density"])
def test_a_clone_keeps_a_fitted_model_as_its_prior(blobs, kind):
    X, _ = blobs
    model = transformer(prior=USER_PRIORS[kind], max_iter=1)
    copied = clone(model)
    assert copied.prior is not model.prior or kind == "frozen"
    np.testing.assert_array_equal(copied.fit_transform(X), model.fit_transform(X))
    assert np.isfinite(cross_val_score(model, X, cv=2)).all()
    grid = {"prior": [as_prior(USER_PRIORS[kind])], "n_components": [2]}
    assert np.isfinite(GridSearchCV(model, grid, cv=2).fit(X).best_score_)


def test_log_prob_of_a_gaussian_against_scipy():
    z = 3.0 * torch.randn(20, 2, generator=seeded())
    for scale in (0.5, [2.0, 0.1]):
        expected = scipy.stats.norm(scale=scale).logpdf(z.numpy()).sum(axis=1)
        np.testing.assert_allclose(Gaussian(scale).log_prob(z).numpy(), expected, rtol=1e-5)
    found = Gaussian().log_prob(z.double())
    assert found.dtype == torch.float64


def test_log_prob_of_mixtures_against_scikit_learn():
    prior = GaussianMixture(
        [[0, 0], [3, 1]], [[[1, 0.5], [0.5, 1]], [[2, 0], [0, 0.3]]], [0.3, 0.7]
    )
    z = prior.sample(200, 2, generator=seeded())
    reference = FittedMixture(2)
    reference.means_, reference.weights_ = np.array(prior.means, float), np.array([0.3, 0.7])
    covariances = np.array(prior.covariances, float)
    reference.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(covariances))
    expected = reference.score_samples(z.numpy())
    np.testing.assert_allclose(prior.log_prob(z).numpy(), expected, rtol=1e-4, atol=1e-4)
    equal = GaussianMixture([[0, 0], [3, 1]])  # by default all have one probability, and variance 1
    parts = [scipy.stats.norm.pdf(z.numpy() - mean).prod(axis=1) for mean in equal.means]
    np.testing.assert_allclose(equal.log_prob(z).exp().numpy(), np.mean(parts, axis=0), rtol=1e-4)
    petals = Petals()
    grid = torch.cartesian_prod(*[torch.linspace(-5, 5, 400)] * 2)
    assert float(petals.log_prob(grid).exp().sum() * (10 / 399) ** 2) == pytest.approx(1, abs=1e-3)


def test_log_prob_of_petals_against_scipy():
    """Of each petal as of the first, which lies along the first axis, turned by its angle."""
    petals = Petals(3, radius=2.0, length=0.5, width=0.2)
    z = petals.sample(50, generator=seeded()).numpy()
    parts = []
    for angle in 2.0 * np.pi * np.arange(3) / 3.0:
        along = z @ [np.cos(angle), np.sin(angle)]
        across = z @ [-np.sin(angle), np.cos(angle)]
        norm = scipy.stats.norm
        parts.append(norm(2.0, 0.5).pdf(along) * norm(0.0, 0.2).pdf(across))
    expected = np.mean(parts, axis=0)
    np.testing.assert_allclose(
        petals.log_prob(torch.from_numpy(z)).exp().numpy(), expected, rtol=1e-4
    )


def test_densities_found_in_inference_mode_leave_training_able_to_find_gradients():
    """What a density needs of the prior is kept from one call to the next."""
    prior = GaussianMixture([[0.25, 0.5], [1.125, 3.0]], 0.375, weights=[0.3, 0.7])
    with torch.inference_mode():
        wanted = prior.log_prob(torch.ones(3, 2))
    z = torch.ones(3, 2, requires_grad=True)
    found = prior.log_prob(z)
    found.sum().backward()
    assert torch.equal(found, wanted)
    assert float(z.grad.abs().min()) > 0.0


@pytest.mark.parametrize("kind", [Petals, SwissRoll])
def test_components_may_have_other_weights(kind):
    prior = kind(2, weights=[0.9, 0.1])
    samples = prior.sample(4000, generator=seeded())
    alone = [prior.sample(4000, y=np.full(4000, k), generator=seeded()) for k in (0, 1)]
    means = torch.stack([part.mean(dim=0) for part in alone])
    shares = torch.tensor([0.9, 0.1])
    torch.testing.assert_close(samples.mean(dim=0), shares @ means, atol=0.06, rtol=0.0)
    if kind is Petals:
        density = prior.log_prob(torch.tensor([[1.4, 0.0], [-1.4, 0.0]]))
        assert (density[0] - density[1]).exp() == pytest.approx(9.0, rel=1e-3)


def test_one_covariance_of_all_components_is_not_read_as_variances():
    """It has the same shape if there are as many components as dimensions."""
    means, tied = np.array([[0.0, 0.0], [5.0, 5.0]]), np.array([[1.0, 0.9], [0.9, 1.0]])
    with pytest.raises(ValueError, match=r"one covariance of all components.*np.tile"):
        GaussianMixture(means, tied)
    for plain in (np.tile(tied, (2, 1, 1)), np.full((2, 2), 0.25), [[1.0, 0.5], [0.2, 1.0]]):
        GaussianMixture(means, plain)


def test_samples_of_integers_are_refused():
    class Whole(Prior):
        def sample(self, n_samples, n_components=2, *, y=None, generator=None):
            return torch.randint(0, 3, (n_samples, n_components), generator=generator)

    X = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ValueError, match=r"torch.int64; return a float32 tensor"):
        AAETransformer(prior=Whole(), max_iter=2).fit(X)


def test_samples_of_a_fitted_mixture_are_in_no_order():
    """Mixtures of scikit-learn return them by component, and `sample` pairs them with classes."""
    rows = np.concatenate([np.full((50, 1), -5.0), np.full((50, 1), 5.0)])
    rows += 0.1 * np.random.default_rng(0).normal(size=rows.shape)
    mixture = FittedMixture(2, random_state=0).fit(rows)
    signs = np.sign(as_prior(mixture).sample(100, 1).numpy().ravel())
    assert 20 < np.sum(signs[1:] != signs[:-1]) < 80


def test_a_fitted_model_keeps_its_prior(blobs):
    rows = np.random.default_rng(0).normal(size=(100, 2))
    mixture, scale = FittedMixture(2, random_state=0).fit(rows), np.array([1.0, 2.0])
    for prior in (mixture, Gaussian(scale)):
        model = AAETransformer(prior=prior, max_iter=1, **FITS).fit(blobs[0])
        before = model.sample_prior(5, random_state=0)
        mixture.fit(rows + 50.0)
        scale *= 10.0
        np.testing.assert_array_equal(model.sample_prior(5, random_state=0), before)


def test_parameters_of_a_fitted_prior_cannot_be_searched(blobs):
    mixture = FittedMixture(2, random_state=0).fit(np.random.default_rng(0).normal(size=(50, 2)))
    aae = transformer(prior=mixture)
    assert not [name for name in aae.get_params() if name.startswith("prior__")]
    with pytest.raises(ValueError, match="'prior__n_components' cannot be set, because prior="):
        aae.set_params(prior__n_components=5)
    assert mixture.n_components == 2
    aae.set_params(**aae.get_params()).fit(blobs[0])


def test_dicts_and_series_are_compared_by_value():
    assert same({"a": 0.5, "b": [1, 2]}, {"a": 0.5, "b": [1, 2]})
    assert not same({"a": 0.5}, {"a": 0.6})
    assert not same({"a": 0.5}, {"a": 0.5, "b": 0.5})
    assert same(pd.Series({"a": 0.5}), pd.Series({"a": 0.5}))
    assert not same(pd.Series({"a": 0.5}), pd.Series({"b": 0.5}))
