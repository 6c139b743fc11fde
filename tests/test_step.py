"""One mini-batch: which weights move in which phase, and what the losses are."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from skaae import _losses as losses
from skaae._networks import AdversarialAutoencoder, as_code, dropout
from skaae._step import AAEStep, PhaseRates
from skaae.priors import Categorical, Gaussian

N_FEATURES = 5
BLOCKS = {"label": 3, "style": 2}


def make_step(blocks=BLOCKS, seed=0, **settings):
    generator = torch.Generator().manual_seed(seed)
    networks = AdversarialAutoencoder(N_FEATURES, blocks, (8, 7), (6,))
    networks.init_weights("uniform", generator)
    phases = ["reconstruction", "discriminator", "generator"]
    phases += ["classification"] if "label" in blocks else []
    return AAEStep(
        networks,
        {"label": Categorical(), "style": Gaussian()},
        {phase: PhaseRates(0.05, 0.5) for phase in phases},
        generator,
        **settings,
    )


def rows(n=12, seed=1):
    return torch.rand(n, N_FEATURES, generator=torch.Generator().manual_seed(seed))


def moved(step, action):
    """Return the names of the weights that an action changes."""
    before = {name: weight.clone() for name, weight in step.networks.named_parameters()}
    action()
    after = dict(step.networks.named_parameters())
    return {name for name in before if not torch.equal(before[name], after[name])}


def names(step, *prefixes):
    return {name for name, _ in step.networks.named_parameters() if name.startswith(prefixes)}


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_each_phase_moves_its_weights_and_no_others(solver):
    step = make_step(solver=solver)
    x, y = rows(), torch.tensor([0, 1, 2] * 4)
    code = as_code(step.networks.encoder(x))
    trunk_and_label = names(step, "encoder.trunk", "encoder.heads.label")
    assert moved(step, lambda: step.reconstruct(x, x)) == names(step, "encoder", "decoder")
    assert moved(step, lambda: step.discriminate(code)) == names(step, "discriminators")
    fresh = as_code(step.networks.encoder(x))
    assert moved(step, lambda: step.generate(fresh)) == names(step, "encoder")
    assert moved(step, lambda: step.classify(x, y)) == trunk_and_label


def test_a_learning_rate_of_zero_switches_a_phase_off():
    step = make_step()
    step.rates["generator"].learning_rate = step.rates["discriminator"].learning_rate = 0.0
    step.scale_learning_rates(1.0)
    assert moved(step, lambda: step.regularize(rows())) == set()


def test_schedule_scales_every_phase_from_its_initial_rate():
    step = make_step()
    for factor in (0.1, 0.01):
        step.scale_learning_rates(factor)
        rates = {group["lr"] for o in step.optimizers.values() for group in o.param_groups}
        assert rates == {0.05 * factor}


def test_losses_by_name_with_and_without_labels():
    blocks = {"style": 2}
    assert set(make_step(blocks)(rows())) == {
        "reconstruction",
        "discriminator_style",
        "generator_style",
    }
    with_labels = make_step()(rows(), x_labeled=rows(6), y_labeled=torch.tensor([0, 1, 2] * 2))
    assert {"classification", "generator_label", "discriminator_label"} < set(with_labels)
    assert not any(loss.requires_grad for loss in with_labels.values())


def test_repeated_steps_learn():
    step = make_step(blocks={"style": 2})
    x = rows(64)
    first = float(step(x)["reconstruction"])
    for _ in range(200):
        last = float(step(x)["reconstruction"])
    assert last < 0.5 * first


def test_state_goes_on_bit_for_bit():
    step = make_step(input_noise=0.1)
    step(rows())
    state = copy.deepcopy(step.state_dict())
    expected = [step(rows())["reconstruction"] for _ in range(3)]
    other = make_step(seed=5, input_noise=0.1)
    other.load_state_dict(state)
    assert torch.equal(
        torch.stack(expected), torch.stack([other(rows())["reconstruction"] for _ in range(3)])
    )


@pytest.mark.parametrize("kind", ["squared_error", "binary_cross_entropy"])
def test_reconstruction_rows_against_the_formulas(kind):
    output, x = torch.randn(4, N_FEATURES), torch.rand(4, N_FEATURES)
    p = torch.sigmoid(output)
    found = losses.reconstruction_rows(kind, output, x, sigmoid=True)
    if kind == "squared_error":
        expected = ((p - x) ** 2).sum(dim=1) / 2
    else:
        expected = -(x * p.log() + (1 - x) * (1 - p).log()).sum(dim=1)
    torch.testing.assert_close(found, expected)


def test_adversarial_losses_against_the_formulas():
    real, fake = torch.randn(50), torch.randn(50)
    d = torch.sigmoid
    torch.testing.assert_close(
        losses.discriminator_loss(real, fake), -d(real).log().mean() - (1 - d(fake)).log().mean()
    )
    torch.testing.assert_close(losses.generator_loss(fake), -d(fake).log().mean())
    extreme = torch.tensor([-1e4, 1e4])
    assert losses.discriminator_loss(extreme, extreme).isfinite()


def test_cross_entropy_takes_logits_once():
    certain = torch.tensor([[50.0, 0.0], [0.0, 50.0]])
    assert float(losses.classification_loss(certain, torch.tensor([0, 1]))) < 1e-6


def test_discrepancy_is_zero_for_one_distribution_and_grows_with_distance():
    generator = torch.Generator().manual_seed(0)

    def draw(shift=0.0):
        return torch.randn(500, 2, generator=generator) + shift

    same = float(losses.maximum_mean_discrepancy(draw(), draw(), 1.0))
    near = float(losses.maximum_mean_discrepancy(draw(), draw(1.0), 1.0))
    far = float(losses.maximum_mean_discrepancy(draw(), draw(5.0), 1.0))
    assert abs(same) < 0.02 < near < far


def test_discriminator_that_cannot_tell_loses_two_logarithms_of_two():
    """At the optimum of both, D is 1/2 everywhere: the loss is 2 log 2, the generator's log 2."""
    zeros = torch.zeros(10)
    assert float(losses.discriminator_loss(zeros, zeros)) == pytest.approx(2 * np.log(2))
    assert float(losses.generator_loss(zeros)) == pytest.approx(np.log(2))


def test_code_is_softmax_and_linear():
    networks = make_step().networks
    heads = networks.encoder(rows())
    code = as_code(heads)
    torch.testing.assert_close(code["label"].sum(dim=1), torch.ones(12))
    assert code["style"] is heads["style"]


def test_dropout_keeps_the_mean_and_needs_a_generator():
    generator = torch.Generator().manual_seed(0)
    dropped = dropout(torch.ones(200, 200), 0.3, generator)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.02)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    networks = AdversarialAutoencoder(N_FEATURES, BLOCKS, (8,), (8,), dropout=0.5)
    networks.init_weights("uniform", generator)
    assert torch.equal(networks(rows()), networks(rows()))
    assert not torch.equal(networks(rows(), generator), networks(rows(), generator))


def test_input_noise_has_the_given_deviation():
    step = make_step(input_noise=0.3)
    x = torch.zeros(2000, N_FEATURES)
    assert float(step._corrupt(x).std()) == pytest.approx(0.3, rel=0.03)
    assert make_step()._corrupt(x) is x


def test_weights_are_drawn_from_the_generator_alone():
    before = torch.get_rng_state()
    first, second, third = (make_step(seed=seed).networks.state_dict() for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    for name, weight in first.items():
        assert torch.equal(weight, second[name])
        assert not torch.equal(weight, third[name])


def test_weight_init_by_deviation():
    networks = AdversarialAutoencoder(200, {"style": 2}, (300,), (8,))
    networks.init_weights(0.01, torch.Generator().manual_seed(0))
    layer = networks.encoder.trunk.layers[0]
    assert float(layer.weight.detach().std()) == pytest.approx(0.01, rel=0.05)
    assert not layer.bias.any()
    networks.init_weights("small", torch.Generator().manual_seed(0))
    assert float(layer.weight.detach().std()) == pytest.approx(0.01 * (1000 / 200) ** 0.5, rel=0.05)


def test_bfloat16_changes_little_and_keeps_float32_weights():
    x = rows(64)
    exact, rough = make_step(), make_step(precision=torch.bfloat16)
    for _ in range(10):
        loss, rough_loss = exact(x)["reconstruction"], rough(x)["reconstruction"]
    assert rough_loss.dtype == torch.float32
    assert all(weight.dtype == torch.float32 for weight in rough.networks.parameters())
    assert float(rough_loss) == pytest.approx(float(loss), rel=0.05)
    assert float(rough_loss) != float(loss)


def test_class_posterior_matches_cross_entropy_of_torch():
    step = make_step()
    x, y = rows(), torch.tensor([0, 1, 2] * 4)
    expected = F.nll_loss(F.log_softmax(step.networks.encoder(x)["label"], dim=1), y)
    torch.testing.assert_close(step.classify(x, y)["classification"], expected.detach())
