"""One mini-batch: which weights move in which phase, and what the losses are."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import transformer

from skaae.networks.autoencoder import Architecture, Block
from skaae.networks.layers import dropout, fan_in
from skaae.networks.posteriors import POSTERIORS
from skaae.priors import Categorical, Gaussian
from skaae.training import losses, validation
from skaae.training.optimizers import PhaseRates, excess
from skaae.training.penalties import head_distance, kl, mmd
from skaae.training.schedule import (
    Schedule,
    Stage,
    find_clusters_first,
    find_components_first,
    warm_up_first,
)
from skaae.training.step import AAEStep
from skaae.training.virtual_adversarial import FINDING_BALANCE_WEIGHT, VirtualAdversarialLoss

N_FEATURES = 5
BLOCKS = {"label": Block(3), "style": Block(2)}
STYLE = {"style": Block(2)}
PRIORS = {"label": Categorical(), "style": Gaussian()}
WARM_UP = Schedule(warm_up_first())
FIND_CLUSTERS = Schedule(find_clusters_first())


def make_networks(blocks=BLOCKS, seed=0, n_features=N_FEATURES, hidden=(8, 7), **architecture):
    settings = {"activation": "tanh", **architecture}
    return Architecture(n_features, blocks, hidden, (6,), seed=seed, **settings).build()


def make_step(
    blocks=BLOCKS, seed=0, priors=PRIORS, architecture=None, momentum=0.5, stage=None, **settings
):
    """Return a step; if a stage is named, at that stage of its schedule."""
    networks = make_networks(blocks, seed, **(architecture or {}))
    phases = ["reconstruction"]
    phases += ["discriminator", "generator"] if networks.discriminators else []
    phases += ["classification"] if "label" in blocks and blocks["label"].latent else []
    phases += ["virtual_adversarial"] if "virtual_adversarial" in settings else []
    step = AAEStep(
        networks,
        priors,
        {phase: PhaseRates(0.05, momentum) for phase in phases},
        torch.Generator().manual_seed(seed + 1),
        **settings,
    )
    while stage is not None and step.stage.name != stage:
        step.end_stage()
    return step


def make_consistent_step(loss, schedule=WARM_UP, stage="refine", **settings):
    """Return a step in whose stage a virtual adversarial loss is on."""
    return make_step(virtual_adversarial=loss, schedule=schedule, stage=stage, **settings)


def component_schedule(*, assigns_later):
    return Schedule(find_components_first(assigns_later=assigns_later))


def code_of(step, x, y=None):
    return step.networks.code(step.networks.encoder(x), y)


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
    step = make_consistent_step(VirtualAdversarialLoss(0.5), solver=solver)
    x, y = rows(), torch.tensor([0, 1, 2] * 4)
    code = code_of(step, x)
    trunk_and_label = names(step, "encoder.trunk", "encoder.outputs.maps.label")
    assert moved(step, lambda: step.reconstruct(x, x)) == names(step, "encoder", "decoder")
    assert moved(step, lambda: step.discriminate(code)) == names(step, "discriminators")
    fresh = code_of(step, x)
    assert moved(step, lambda: step.generate(fresh)) == names(step, "encoder")
    assert moved(step, lambda: step.classify(x, y)) == trunk_and_label
    assert moved(step, lambda: step.keep_labels(x)) == trunk_and_label


def test_a_learning_rate_of_zero_turns_a_phase_off():
    step = make_step()
    step.rates["generator"].learning_rate = step.rates["discriminator"].learning_rate = 0.0
    step.scale_learning_rates(1.0)
    assert moved(step, lambda: step.regularize(rows())) == set()


def test_schedule_scales_every_phase_from_its_initial_rate():
    step = make_step()
    for factor in (0.1, 0.01):
        step.scale_learning_rates(factor)
        for optimizer in step.optimizers.values():
            assert optimizer.learning_rate.item() == pytest.approx(0.05 * factor)


def test_losses_by_name_with_and_without_labels():
    assert set(make_step(STYLE)(rows())) == {
        "reconstruction",
        "discriminator_style",
        "generator_style",
    }
    with_labels = make_step()(rows(), x_labeled=rows(6), y_labeled=torch.tensor([0, 1, 2] * 2))
    assert {"classification", "generator_label", "discriminator_label"} < set(with_labels)
    assert not any(loss.requires_grad for loss in with_labels.values())


def test_repeated_steps_learn():
    step = make_step(blocks=STYLE)
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


def test_a_state_without_optimizers_moves_weights_only():
    step, other = make_step(), make_step(seed=5)
    step(rows())
    other(rows())
    state = copy.deepcopy(step.state_dict(optimizers=False))
    before = copy.deepcopy(other.optimizers["generator"].state_dict())
    other.load_state_dict(state)
    found = zip(other.networks.parameters(), step.networks.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in found)
    assert "optimizers" not in state
    torch.testing.assert_close(other.optimizers["generator"].state_dict(), before)


@pytest.mark.parametrize("average", [False, True])
def test_tensors_are_all_that_a_step_changes(average):
    """With them and the generator as they were before, a step gives the same bits again."""
    step = make_step(average=average, architecture={"batch_norm": "encoder"}, input_noise=0.1)
    given = {"x": rows(), "x_labeled": rows(), "y_labeled": torch.tensor([0, 1, 2] * 4)}
    step(**given)
    before = [tensor.clone() for tensor in step.tensors()]
    generator = step.generator.get_state()
    ends = []
    for _ in range(2):
        found = step(**given)
        weights = [*step.networks.parameters(), *step.trained.parameters(), step.n_steps]
        ends.append((found, [weight.detach().clone() for weight in weights]))
        for tensor, saved in zip(step.tensors(), before, strict=True):
            tensor.detach().copy_(saved)
        step.generator.set_state(generator)
    torch.testing.assert_close(*ends, rtol=0.0, atol=0.0)


def test_the_size_of_weights_is_their_root_mean_square():
    step = make_step()
    weights = torch.cat([weight.detach().flatten() for weight in step.networks.parameters()])
    assert step.weight_size() == pytest.approx(float(weights.square().mean().sqrt()))


@pytest.mark.parametrize("joint", [False, True])
def test_every_phase_drops_inputs_and_adds_noise_anew(joint):
    """But the virtual adversarial one; see below."""
    step = make_step(joint=joint, architecture={"input_dropout": 0.5}, input_noise=0.1)
    seen = []
    step.networks.encoder.trunk.layers[0].register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].detach())
    )
    given = {"x_labeled": torch.ones(12, N_FEATURES), "y_labeled": torch.tensor([0, 1, 2] * 4)}
    step(torch.ones(12, N_FEATURES), **given)
    assert len(seen) == (1 if joint else 3)
    for inputs in seen:
        dropped = inputs == 0.0
        assert 0.2 < float(dropped.float().mean()) < 0.8
        assert len(inputs[~dropped].unique()) > 1
    assert len({inputs.sum().item() for inputs in seen}) == len(seen)


@pytest.mark.parametrize("joint", [False, True])
def test_augmented_rows_take_the_place_of_rows(joint):
    step = make_step(STYLE, joint=joint)
    seen, augmented = [], rows(seed=2)
    wanted = 0.5 * (step.networks(augmented) - augmented).square().sum(dim=1).mean()
    step.networks.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    found = step(rows(), augmented=augmented)["reconstruction"]
    torch.testing.assert_close(found, wanted.detach())
    assert len(seen) == (1 if joint else 2)
    assert all(torch.equal(inputs, augmented) for inputs in seen)


def test_the_virtual_adversarial_loss_gets_rows_and_augmented_rows():
    step, seen = make_consistent_step(VirtualAdversarialLoss(0.5)), []
    loss = step.virtual_adversarial

    def recorded(encoder, x, augmented, generator, **settings):
        seen.append((x, augmented, generator))
        return loss(encoder, x, augmented, generator, **settings)

    step.virtual_adversarial = recorded
    x, augmented = rows(), rows(seed=2)
    assert {"virtual_adversarial", "reconstruction"} < set(step(x, augmented=augmented))
    step(x)
    assert [id(part) for given in seen for part in given[:2]] == [
        id(x),
        id(augmented),
        id(x),
        id(None),
    ]
    assert all(given[2] is step.generator for given in seen)


def test_discriminators_of_users_drop_and_draw_from_the_generator_alone():
    def noisy(n_inputs, n_outputs):
        return torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(n_inputs, n_outputs))

    step, seen = make_step(STYLE, architecture={"discriminator": noisy}), []
    step.networks.discriminators["style"].body.module[0].register_forward_hook(
        lambda *call: seen.append(call[-1].detach())
    )
    code, before = code_of(step, rows()), torch.get_rng_state()
    for phase in (step.discriminate, step.generate):
        phase({"style": code["style"].detach().requires_grad_()})
        assert 0.2 < float((seen.pop() == 0.0).float().mean()) < 0.8
        assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("joint", [False, True])
def test_the_decoder_drops_in_training(joint):
    step, seen = make_step(joint=joint, architecture={"dropout": 0.5}), []
    step.networks.decoder.out.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    step(rows())
    (hidden,) = seen
    assert 0.2 < float((hidden == 0.0).float().mean()) < 0.8


def test_gradients_of_a_phase_have_a_largest_norm_together():
    """A step of plain SGD is as long as its gradient times the learning rate."""

    def change(**settings):
        step = make_step(STYLE, solver="sgd", momentum=0.0, **settings)
        before = [weight.detach().clone() for weight in step.networks.parameters()]
        step.reconstruct(rows(), rows())
        pairs = zip(step.networks.parameters(), before, strict=True)
        return torch.cat([(weight.detach() - old).ravel() for weight, old in pairs])

    free = change()
    length = float(free.norm())
    norm = length / 0.05
    torch.testing.assert_close(change(max_gradient_norm=1.5 * norm), free)
    for share in (0.8, 0.1):
        torch.testing.assert_close(change(max_gradient_norm=share * norm), share * free)
    assert excess([None, None], 1.0) is None
    assert float(excess([None, torch.full((4,), 3.0)], 1.0)) == 6.0
    assert excess([torch.ones(4)], None) is None


@pytest.mark.parametrize("joint", [False, True])
def test_penalties_get_what_the_encoder_returns_and_a_sample_of_it(joint):
    seen = []

    def penalty(step, outputs, code):
        seen.append((outputs["style"], code["style"]))
        return 3.0 * code["style"].square().mean()

    step = make_step(
        STYLE, joint=joint, architecture={"posterior": "gaussian"}, penalties={"pull": penalty}
    )
    found = step(rows())
    ((style, drawn),) = seen
    assert style.shape == (12, 4)
    assert not torch.equal(style[:, :2], drawn)
    assert found["pull"] == 3.0 * drawn.square().mean()


def test_neighbours_are_compared_by_a_sample_of_their_codes():
    step = make_step({"style": Block(2, adversarial=False)}, architecture={"posterior": "gaussian"})
    pairs = torch.stack([rows(), rows(seed=2)], dim=1)
    assert step.keep_neighbours(pairs) != step.keep_neighbours(pairs)


def test_neighbours_come_close_and_move_the_encoder_alone():
    blocks = {"style": Block(2, adversarial=False)}
    step = make_step(blocks, input_noise=0.01, architecture={"input_dropout": 0.1})
    step.rates["neighbours"] = PhaseRates(0.05, 0.5)
    step.__post_init__()
    pairs = torch.stack([rows(), rows() + 0.3], dim=1)
    assert moved(step, lambda: step.keep_neighbours(pairs)) == names(step, "encoder")
    seen = []
    step.networks.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    found = step(rows(), pairs=pairs)
    assert set(found) == {"reconstruction", "neighbours"}
    (x, generator), first = seen[-1], found["neighbours"]
    torch.testing.assert_close(x.unflatten(0, (12, 2)), pairs, atol=0.05, rtol=0.0)
    assert generator is step.generator
    assert not first.requires_grad
    for _ in range(100):
        last = step(rows(), pairs=pairs)["neighbours"]
    assert last < 0.7 * first
    plain = make_step(blocks)
    plain.rates["neighbours"] = PhaseRates(0.05, 0.5)
    a, b = (plain.networks.encoder(side)["style"].detach() for side in pairs.unbind(dim=1))
    torch.testing.assert_close(
        plain.keep_neighbours(pairs)["neighbours"], losses.neighbour_loss(a, b)
    )


def test_a_loaded_state_shows_in_the_copies_in_float64():
    step, other = make_step(), make_step(seed=5)
    step.copy_in_float64("encoder")  # kept until the weights change
    assert {weight.dtype for weight in step.networks.parameters()} == {torch.float32}
    step.load_state_dict(copy.deepcopy(other.state_dict()))
    found = step.copy_in_float64("encoder")(rows().double())["style"]
    wanted = other.copy_in_float64("encoder")(rows().double())["style"]
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("kind", ["squared_error", "binary_cross_entropy"])
def test_reconstruction_errors_against_the_formulas(kind):
    output, x = torch.randn(4, N_FEATURES), torch.rand(4, N_FEATURES)
    p = torch.sigmoid(output)
    found = losses.reconstruction_errors(kind, output, x, sigmoid=True)
    if kind == "squared_error":
        expected = (p - x) ** 2 / 2
    else:
        expected = -(x * p.log() + (1 - x) * (1 - p).log())
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


@pytest.mark.parametrize("n", [20, 1100])  # of more than 1000 rows, each second one
@torch.no_grad()
def test_validation_losses_against_the_formulas(n):
    x, y = rows(n), torch.arange(n) % 3
    step, plain = make_step(), make_step({"style": Block(2, adversarial=False)})
    logits = step.networks.encoder(x)["label"]
    found = validation.classification(step, x, y)()
    assert found == pytest.approx(float(F.cross_entropy(logits, y)), rel=1e-5)

    errors = [float(0.5 * (s.networks(x) - x).square().sum(dim=1).mean()) for s in (step, plain)]
    few = x if n == 20 else x[::2]
    samples = Gaussian().sample(len(few), 2, generator=torch.Generator().manual_seed(3))
    code, scale = step.networks.encoder(few)["style"], samples.square().mean().sqrt()
    distance = float(losses.maximum_mean_discrepancy(code, samples, scale))
    found = [validation.reconstruction(s, x, None, seed=3)() for s in (step, plain)]
    assert distance > 0.1
    assert found == pytest.approx([errors[0] + distance, errors[1]], rel=1e-5)


def test_samples_drawn_before_the_step_train_the_discriminator_of_the_style_alone():
    step, given, seen = make_step({"label": Block(3), "style": Block(2)}), torch.rand(12, 2), {}
    for name, discriminator in step.networks.discriminators.items():

        def keep(module, arguments, name=name):
            seen.setdefault(name, arguments[0])  # the first call is the one with samples

        discriminator.register_forward_pre_hook(keep)
    step(rows(), style=given)
    torch.testing.assert_close(seen["style"][:12], given)
    assert step._style is None  # used once
    assert set(seen["label"][:12].flatten().tolist()) == {0.0, 1.0}  # drawn from its own prior
    seen.clear()
    step(rows())
    assert not torch.equal(seen["style"][:12], given)
    assert not torch.equal(step.draw_prior("style", given), given)


def test_samples_of_a_prior_become_float32():
    class Precise(Gaussian):
        def sample(self, *shape, **settings):
            return super().sample(*shape, **settings).double()

    step = make_step(STYLE, priors={"style": Precise()})
    assert step.draw_prior("style", torch.zeros(3, 2)).dtype == torch.float32
    assert step(rows())["discriminator_style"].dtype == torch.float32


def test_code_is_softmax_and_linear():
    networks = make_step().networks
    outputs = networks.encoder(rows())
    code = networks.code(outputs)
    torch.testing.assert_close(code["label"].sum(dim=1), torch.ones(12))
    assert code["style"] is outputs["style"]


def test_dropout_keeps_the_mean_and_needs_a_generator():
    generator = torch.Generator().manual_seed(0)
    dropped = dropout(torch.ones(200, 200), 0.3, generator)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.02)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    nearly_all = dropout(torch.ones(300, 300), 0.9999, generator)
    assert set(nearly_all.unique().tolist()) == {0.0, 256.0}
    images = {"kind": "conv", "image_shape": (8, 8, 1), "n_features": 64}
    x = torch.rand(12, 64, generator=generator)
    for settings in ({"n_features": 64}, images):
        for parameter in ("dropout", "input_dropout"):
            networks = make_networks(**settings, **{parameter: 0.5})
            assert torch.equal(networks(x), networks(x))
            first, second = (networks(x, generator=generator) for _ in range(2))
            assert not torch.equal(first, second)


def test_input_noise_has_the_given_deviation():
    step = make_step(input_noise=0.3)
    x = torch.zeros(2000, N_FEATURES)
    assert float(step._add_noise(x, step.input_noise).std()) == pytest.approx(0.3, rel=0.03)
    assert make_step()._add_noise(x, make_step().input_noise) is x


def test_weights_are_drawn_from_the_generator_alone():
    before = torch.get_rng_state()
    first, second, third = (make_step(seed=seed).networks.state_dict() for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    for name, weight in first.items():
        assert torch.equal(weight, second[name])
        assert not weight.numel() or not torch.equal(weight, third[name])


def test_weight_init_by_deviation():
    shape = {"blocks": STYLE, "n_features": 200, "hidden": (300,)}
    layer = make_networks(weight_init=0.01, **shape).encoder.trunk.layers[0]
    assert float(layer.weight.detach().std()) == pytest.approx(0.01, rel=0.05)
    assert not layer.bias.any()
    layer = make_networks(weight_init="small", **shape).encoder.trunk.layers[0]
    assert float(layer.weight.detach().std()) == pytest.approx(0.01 * (1000 / 200) ** 0.5, rel=0.05)


@pytest.mark.parametrize(
    "layer",
    [
        torch.nn.Linear(50, 400),
        torch.nn.Conv2d(6, 40, 4, stride=2),
        torch.nn.ConvTranspose2d(40, 6, 4, stride=2),
    ],
    ids=lambda layer: type(layer).__name__,
)
@torch.no_grad()
def test_weights_are_drawn_for_the_number_of_inputs_of_an_output(layer):
    """With a deviation of one over its root, outputs vary as the inputs do."""
    generator = torch.Generator().manual_seed(0)
    layer.weight.normal_(0.0, fan_in(layer) ** -0.5, generator=generator)
    layer.bias.zero_()
    is_linear = isinstance(layer, torch.nn.Linear)
    shape = (50, layer.in_features) if is_linear else (50, layer.in_channels, 20, 20)
    output = layer(torch.randn(shape, generator=generator))
    inner = output if is_linear else output[..., 4:-4, 4:-4]
    assert float(inner.var()) == pytest.approx(1.0, rel=0.15)


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


# The systems of the paper, at the level of one step -----------------------------------------------


@pytest.mark.parametrize("joint", [False, True])
def test_an_observed_label_reaches_the_decoder_and_no_discriminator(joint):
    blocks = {"label": Block(3, latent=False, adversarial=False), "style": Block(2)}
    step = make_step(blocks, joint=joint)
    x, y = rows(), torch.tensor([0, 1, 2] * 4)
    assert set(step.networks.encoder(x)) == {"style"}
    assert set(step.networks.discriminators) == {"style"}
    assert torch.equal(code_of(step, x, y)["label"], F.one_hot(y, 3).float())
    assert not torch.equal(step.networks(x, y), step.networks(x, (y + 1) % 3))
    seen = []
    step.networks.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    assert set(step(x, y)) == {"reconstruction", "discriminator_style", "generator_style"}
    assert torch.equal(seen[0]["label"], F.one_hot(y, 3).float())


class ByComponent(Gaussian):
    """A prior of three components that shows which component each sample was asked for."""

    def count_components(self):
        return 3

    def sample(self, n_samples, n_components=2, *, y=None, generator=None):
        self.asked.append(y)
        return y.float()[:, None].expand(n_samples, n_components)


@pytest.mark.parametrize("joint", [False, True])
def test_a_class_conditional_discriminator_sees_the_class_of_codes_and_of_samples(joint):
    """Section 2.3: K + 1 entries, the last for "unlabeled"; samples get the class of a code."""
    prior = ByComponent()
    object.__setattr__(prior, "asked", [])
    block = Block(2, n_classes=3, by_component=True)
    step = make_step({"style": block}, priors={"style": prior}, joint=joint)
    discriminator = step.networks.discriminators["style"]
    assert discriminator.body.layers[0].in_features == 2 + 3 + 1
    seen = []
    discriminator.body.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    y = torch.tensor([0, 1, 2, -1] * 3)
    step(rows(), y)
    condition = F.one_hot(torch.where(y < 0, 3, y), 4).float()
    samples_and_codes, codes = seen
    assert torch.equal(samples_and_codes[:, 2:], torch.cat([condition, condition]))
    assert torch.equal(codes[:, 2:], condition)
    assert torch.equal(prior.asked[0], y)


def test_posteriors_agree_in_their_mean():
    x = rows(4)
    for posterior in ("deterministic", "gaussian", "universal"):
        networks = make_networks(STYLE, posterior=posterior)
        with torch.no_grad():
            generator = torch.Generator().manual_seed(0)
            samples = torch.stack(
                [
                    networks.code(networks.encoder(x, generator), None, generator)["style"]
                    for _ in range(1000)
                ]
            )
            mean = networks.code(networks.encoder(x))["style"]
        spread = samples.std(dim=0)
        assert bool((spread == 0).all()) == (posterior == "deterministic")
        # the universal mean is itself one over 16 samples
        error = (0.1 + (0.25 if posterior == "universal" else 0.0)) * 4 * spread
        assert bool(((samples.mean(dim=0) - mean).abs() <= error + 1e-6).all()), posterior


def test_a_gaussian_posterior_has_a_mean_and_a_bounded_variance():
    """At most exp(10), at least exp(-10): the logarithm of the variance is the second half."""
    output = torch.tensor([[1.0, -2.0, 3.0, 0.5, 100.0, -100.0]])
    noise = torch.tensor([[2.0, 1.0, 1.0]])
    deviation = torch.tensor([0.5, 10.0, -10.0]).mul(0.5).exp()
    wanted = torch.tensor([[1.0, -2.0, 3.0]]) + deviation * noise
    torch.testing.assert_close(POSTERIORS["gaussian"]().draw(output, noise), wanted)
    assert POSTERIORS["gaussian"]().mean(output).tolist() == [[1.0, -2.0, 3.0]]


def test_divergence_against_the_formula_for_two_normals():
    mean, log_variance = torch.tensor([[0.5, -1.0]]), torch.tensor([[-1.0, 0.3]])
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(200_000, 2, generator=generator)
    z = mean + (0.5 * log_variance).exp() * noise
    found = losses.gaussian_kl(log_variance.expand_as(z), z, Gaussian(2.0).log_prob)
    p = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    q = torch.distributions.Normal(0.0, 2.0)
    expected = torch.distributions.kl_divergence(p, q).sum()
    assert float(found) == pytest.approx(float(expected), abs=0.01)


@pytest.mark.parametrize(
    ("penalty", "posterior"), [(kl(1.0), "gaussian"), (mmd(100.0), "deterministic")]
)
def test_penalties_bring_codes_to_the_prior(penalty, posterior):
    def distance(penalties):
        blocks = {"style": Block(2, adversarial=False)}
        architecture = {"posterior": posterior}
        step = make_step(blocks, architecture=architecture, penalties=penalties, solver="adam")
        x = 3.0 * rows(200)
        for _ in range(300):
            step(x)
        generator = torch.Generator().manual_seed(0)
        code = step.networks.code(step.networks.encoder(x, generator), None, generator)
        samples = Gaussian().sample(200, 2, generator=generator)
        return float(losses.maximum_mean_discrepancy(code["style"].detach(), samples, 1.0))

    assert distance({"penalty": penalty}) < 0.2 * distance({})


@torch.no_grad()
def test_penalties_are_their_weight_times_the_loss():
    """The kernel of the MMD is as wide as the prior's samples are."""
    blocks, prior = {"style": Block(2, adversarial=False)}, Gaussian(3.0)
    step = make_step(blocks, priors={"style": prior}, architecture={"posterior": "gaussian"})
    outputs = step.networks.encoder(rows())
    code = step.networks.code(outputs)
    state = step.generator.get_state()
    found = mmd(2.0)(step, outputs, code)
    step.generator.set_state(state)
    samples = step.draw_prior("style", code["style"])
    scale = samples.square().mean().sqrt()
    wanted = 2.0 * losses.maximum_mean_discrepancy(code["style"], samples, scale)
    torch.testing.assert_close(found, wanted)
    log_variance = outputs["style"][:, 2:]
    wanted = 0.5 * losses.gaussian_kl(log_variance, code["style"], prior.log_prob)
    torch.testing.assert_close(kl(0.5)(step, outputs, code), wanted)
    step = make_step(architecture={"cluster_heads": 1.0})
    points = step.networks.decoder.combine.points
    wanted = losses.head_distance_loss(points, 9.0)
    assert wanted > 0.0
    torch.testing.assert_close(head_distance(9.0)(step, outputs, code), wanted)


def test_head_distance_costs_what_the_distance_lacks():
    points = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    lacking = (6.0 - 5.0) + (6.0 - 1.0) + (6.0 - 18**0.5)
    assert float(losses.head_distance_loss(points, 6.0)) == pytest.approx(lacking)
    assert float(losses.head_distance_loss(points, 0.5)) == 0.0


def test_many_heads_start_far_enough_apart_for_their_distance():
    """In two dimensions a hundred heads need a square of ten by ten distances."""
    blocks = {"label": Block(100), "style": Block(2)}
    points = make_networks(blocks, cluster_heads=2.0).decoder.combine.points.detach()
    assert float(points.std()) == pytest.approx(0.5 * 2.0 * 10.0, rel=0.15)


def test_heads_move_with_the_decoder_unless_they_are_fixed():
    x = rows()
    learned = make_step(
        architecture={"cluster_heads": 1.0}, penalties={"head_distance": head_distance(1.0)}
    )
    assert "decoder.combine.points" in moved(learned, lambda: learned(x))
    assert "decoder.combine.points" not in moved(learned, lambda: learned.regularize(x))
    fixed = make_step(architecture={"cluster_heads": np.eye(3, 2)})
    before = fixed.networks.decoder.combine.points.clone()
    fixed(x)
    assert torch.equal(fixed.networks.decoder.combine.points, before)
    code = code_of(fixed, x)
    seen = fixed.networks.decoder.combine(code)
    torch.testing.assert_close(seen, code["label"] @ torch.eye(3, 2) + code["style"])


def test_average_follows_the_last_tenth_of_steps():
    step = make_step(STYLE, average=True)
    weights = []
    for _ in range(200):
        step(rows())
        weights.append(step.networks.decoder.out.bias.detach().clone())
    n = torch.arange(1, 201).double()
    weight_of_step = (n**9 / (n**9).sum()).float()
    expected = (torch.stack(weights) * weight_of_step[:, None]).sum(dim=0)
    found = step.trained.decoder.out.bias.detach()
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.002)
    plain = make_step(STYLE)
    assert plain.trained is plain.networks


def test_an_average_weighs_its_first_steps_too():
    """The n-th of N weights by C(n + 9, 9) / C(N + 10, 10), those before training as the 0th."""
    step = make_step(STYLE, average=True)
    bias = step.networks.decoder.out.bias
    weights = [bias.detach().clone()]
    for _ in range(6):
        step(rows())
        weights.append(bias.detach().clone())
    shares = torch.tensor([math.comb(n + 9, 9) / math.comb(16, 10) for n in range(7)])
    assert float(shares.sum()) == pytest.approx(1.0)
    expected = (torch.stack(weights) * shares[:, None]).sum(dim=0)
    torch.testing.assert_close(step.trained.decoder.out.bias.detach(), expected)


def test_batch_norm_uses_the_batch_in_training_and_its_history_elsewhere():
    step = make_step(STYLE, architecture={"batch_norm": "autoencoder"})
    x = 5.0 + rows(50)
    style = step.networks.encoder(x, torch.Generator().manual_seed(0))["style"]
    torch.testing.assert_close(style.mean(dim=0), torch.zeros(2), atol=1e-4, rtol=0)
    for _ in range(100):
        step(x)
    alone = torch.cat([step.networks.encoder(row[None])["style"] for row in x])
    torch.testing.assert_close(alone, step.networks.encoder(x)["style"], atol=1e-5, rtol=1e-4)
    step(x[:1])  # a batch of one row has no variance, and works


@pytest.mark.parametrize("kind", ["mlp", "conv"])
@torch.no_grad()
def test_normalization_and_activation_happen_on_the_way(kind):
    """Layers are normalized to mean 0 and deviation 1, then relu leaves nothing below 0."""
    settings = {"batch_norm": "autoencoder", "activation": "relu", "image_shape": (8, 8, 1)}
    networks = make_networks(n_features=64, kind=kind, **settings)
    trunk, body, seen = networks.encoder.trunk, networks.decoder.body, []

    def look(norm, inputs, output):
        seen.append((norm, float(output.mean()), float(output.std())))

    for norm in (*trunk.norms, *body.norms):
        norm.register_forward_hook(look)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(200, 64, generator=generator)
    networks(x, generator=generator)
    assert [norm for norm, _, _ in seen] == [*trunk.norms, *body.norms]
    for _, mean, deviation in seen:
        assert mean == pytest.approx(0.0, abs=1e-4)
        assert deviation == pytest.approx(1.0, abs=0.05)
    units = trunk(x, generator)
    assert units.min() == 0.0 < units.max()


@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_which_layers_are_normalized(kind):
    normalized = {}
    for choice in (None, "hidden", "encoder", "autoencoder"):
        networks = make_networks(n_features=64, kind=kind, image_shape=(8, 8, 1), batch_norm=choice)
        found = {name.rpartition(".norms.")[0] for name, _ in networks.named_parameters()}
        normalized[choice] = found - {""}
    assert normalized[None] == set()
    assert normalized["hidden"] == {"encoder.trunk"}
    assert normalized["encoder"] == {"encoder.trunk", "encoder.outputs"}
    assert normalized["autoencoder"] == {"encoder.trunk", "encoder.outputs", "decoder.body"}


@pytest.mark.parametrize("shape", [(8, 8, 1), (7, 5, 1), (9, 6, 3), (28, 28, 1)])
@pytest.mark.parametrize("batch_norm", [None, "autoencoder"])
def test_convolutions_give_back_the_shape_they_took(shape, batch_norm):
    n_features = int(np.prod(shape))
    networks = make_networks(
        BLOCKS,
        n_features=n_features,
        hidden=(4, 6),
        kind="conv",
        image_shape=shape,
        posterior="universal",
        batch_norm=batch_norm,
    )
    x = torch.rand(3, n_features)
    assert networks(x).shape == x.shape
    assert networks(x, generator=torch.Generator().manual_seed(0)).isfinite().all()


def test_convolutions_see_neighbours_in_numpy_order():
    """A change of one pixel reaches maps near it, not far from it, and all its channels."""
    networks = make_networks(
        STYLE, n_features=8 * 8 * 2, hidden=(3,), kind="conv", image_shape=(8, 8, 2)
    )
    image = np.zeros((8, 8, 2), dtype=np.float32)
    changed = image.copy()
    changed[1, 6] = 1.0  # row 1, column 6: the upper right
    flat = torch.from_numpy(np.stack([image.ravel(), changed.ravel()]))
    maps = networks.encoder.trunk(flat).unflatten(1, (3, 4, 4))
    reached = (maps[0] != maps[1]).any(dim=0)
    assert reached[:2, 2:].any()
    assert not reached[2:].any()
    assert not reached[:, :2].any()


def test_joint_updates_go_the_way_of_alternating_ones():
    """At small rates of SGD, where a step is its gradient, a sum of steps is a step on a sum."""

    def change(joint):
        step = make_step(solver="sgd", joint=joint, momentum=0.0)
        for phase, rate in {
            "reconstruction": 1e-4,
            "generator": 3e-4,
            "classification": 2e-4,
        }.items():
            step.rates[phase].learning_rate = rate
        step.rates["discriminator"].learning_rate = 0.0
        step.scale_learning_rates(1.0)
        before = {n: w.detach().clone() for n, w in step.networks.named_parameters()}
        found = step(rows(), x_labeled=rows(6), y_labeled=torch.tensor([0, 1, 2] * 2))
        after = dict(step.networks.named_parameters())
        return torch.cat([(after[n] - w).detach().ravel() for n, w in before.items()]), found

    (in_turn, losses_in_turn), (joint, losses_joint) = change(False), change(True)
    torch.testing.assert_close(joint, in_turn, rtol=0.02, atol=2e-7)
    torch.testing.assert_close(losses_joint, losses_in_turn, rtol=0.01, atol=0.0)
    assert set(make_step(joint=True).optimizers) == {
        "reconstruction",
        "discriminator",
        "generator",
    }


@pytest.mark.parametrize("joint", [False, True])
def test_the_virtual_adversarial_loss_starts_after_the_warm_up(joint):
    loss = VirtualAdversarialLoss(0.5, torch.tensor([0.5, 0.3, 0.2]))
    step = make_step(joint=joint, virtual_adversarial=loss, schedule=WARM_UP)
    assert step.stage.name == "warm-up"
    assert "virtual_adversarial" not in step(rows())
    step.end_stage()
    assert step.stage.name == "refine"
    found = step(rows())
    assert found["virtual_adversarial"] > 0.0
    assert found["class_balance"] > 0.0


@pytest.mark.parametrize("joint", [False, True])
def test_the_virtual_adversarial_loss_may_have_the_label_for_itself_at_first(joint):
    loss = VirtualAdversarialLoss(0.5, torch.tensor([0.5, 0.3, 0.2]), finds_clusters=True)
    settings = {"virtual_adversarial": loss, "schedule": FIND_CLUSTERS, "joint": joint}
    step = make_step(**settings)
    found = step(rows())
    assert {
        "virtual_adversarial",
        "conditional_entropy",
        "class_balance",
        "generator_style",
    } <= set(found)
    assert not {"generator_label", "discriminator_label"} & set(found)

    step = make_step(**settings)
    step.rates["virtual_adversarial"].learning_rate = 0.0
    step.scale_learning_rates(1.0)
    label = names(step, "encoder.outputs.maps.label", "discriminators.label")
    assert label
    assert not label & moved(step, lambda: step(rows()))
    restarted = [step.optimizers[p] for p in ("reconstruction", "discriminator", "generator")]
    assert all(optimizer.n_steps == 1.0 for optimizer in restarted)
    step.end_stage()
    assert all(optimizer.n_steps == 0.0 for optimizer in restarted)
    again = make_step(**settings)
    again.load_state_dict(copy.deepcopy(step.state_dict()))
    assert again.stage == step.stage == FIND_CLUSTERS.stages[-1]
    assert label <= moved(step, lambda: step(rows()))
    assert {"generator_label", "discriminator_label", "conditional_entropy"} <= set(step(rows()))


def test_the_virtual_adversarial_loss_minds_classes_once_components_are_found():
    x, loss = rows(), VirtualAdversarialLoss(0.5, torch.tensor([1.0]), finds_clusters=True)
    settings = {
        "blocks": {"label": Block(3, components_per_class=3), "style": Block(2)},
        "virtual_adversarial": loss,
        "schedule": component_schedule(assigns_later=False),
    }
    whole = make_step(**settings)
    assert whole.stage.consistency == "components"
    logits = whole.networks.encoder(x)["label"]
    even = losses.class_balance_loss(logits, torch.full((3,), 1.0 / 3.0))
    found = whole.keep_labels(x)
    assert all(loss > 1e-6 for loss in found.values())
    torch.testing.assert_close(found["class_balance"], FINDING_BALANCE_WEIGHT * even.detach())
    whole.end_stage()
    assert whole.stage.consistency == "classes"
    # there is but one class
    assert all(loss.abs() < 1e-6 for loss in whole.keep_labels(x).values())
    again = make_step(**settings)
    again.load_state_dict(copy.deepcopy(whole.state_dict()))
    assert again.stage == whole.stage


@pytest.mark.parametrize("finds_clusters", [False, True])
def test_weights_beside_the_virtual_adversarial_loss(finds_clusters):
    """Those of Hu et al. where it finds the clusters: 0.1 and 0.4; else the plain divergence."""
    proportions = torch.tensor([0.5, 0.3, 0.2])
    loss = VirtualAdversarialLoss(0.5, proportions, finds_clusters=finds_clusters)
    step = make_consistent_step(loss)
    logits = step.networks.encoder(rows())["label"].detach()
    balance = losses.class_balance_loss(logits, proportions)
    found = step.keep_labels(rows())
    del found["virtual_adversarial"]
    wanted = {"class_balance": balance}
    if finds_clusters:
        entropy = losses.conditional_entropy_loss(logits)
        wanted = {"conditional_entropy": 0.1 * entropy, "class_balance": 0.4 * balance}
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value)


def test_the_virtual_adversarial_loss_draws_from_the_generator_alone():
    step = make_consistent_step(
        VirtualAdversarialLoss(0.5), architecture={"posterior": "universal"}
    )
    before = torch.get_rng_state()
    step.keep_labels(rows())
    assert torch.equal(before, torch.get_rng_state())


def test_the_virtual_adversarial_loss_is_float32_in_bfloat16_training():
    loss = VirtualAdversarialLoss(0.5, torch.tensor([0.5, 0.3, 0.2]), finds_clusters=True)
    found = make_consistent_step(loss, precision=torch.bfloat16).keep_labels(rows())
    exact = make_consistent_step(loss).keep_labels(rows())
    for name, value in exact.items():
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], value, rtol=0.05, atol=1e-3)


def test_optimizers_restart_where_the_whole_encoder_starts_to_move_the_label():
    """At the end of the last stage that shields the label, whatever stages came before."""
    blocks = {"label": Block(6, components_per_class=2), "style": Block(2)}
    loss = VirtualAdversarialLoss(0.5, torch.tensor([0.2, 0.3, 0.5]), finds_clusters=True)
    schedule = component_schedule(assigns_later=True)
    step = make_step(blocks, virtual_adversarial=loss, schedule=schedule)
    labeled = {"x_labeled": rows(), "y_labeled": torch.tensor([0, 1, 2] * 4)}
    counts = []
    for _ in schedule.stages[:-1]:
        step(rows(), **labeled)
        step.end_stage()
        counts.append({phase: int(o.n_steps) for phase, o in step.optimizers.items()})
    assert step.stage.name == "refine"
    first = {"reconstruction": 1, "discriminator": 1, "generator": 1, "classification": 0}
    second = {"reconstruction": 0, "discriminator": 0, "generator": 0, "classification": 1}
    assert counts == [{**first, "virtual_adversarial": 1}, {**second, "virtual_adversarial": 2}]


def test_a_class_of_one_component_is_that_component():
    loss = VirtualAdversarialLoss(0.5, torch.tensor([0.5, 0.3, 0.2]), finds_clusters=True)
    component_level, class_level = (
        make_consistent_step(loss, Schedule((Stage("find", consistency=what),)), "find")
        for what in ("components", "classes")
    )
    assert component_level.keep_labels(rows()) == class_level.keep_labels(rows())


def test_conditional_entropy_is_the_mean_entropy_of_labels():
    logits = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    wanted = torch.distributions.Categorical(logits=logits).entropy().mean()
    torch.testing.assert_close(losses.conditional_entropy_loss(logits), wanted)
    sure = losses.conditional_entropy_loss(torch.tensor([[200.0, -200.0, 0.0]]))
    assert sure == 0.0


def test_the_worst_neighbour_of_a_linear_label_lies_along_its_gradient():
    """For two linear logits all directions but one change nothing, and a radius is a radius."""
    weights = torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]])
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    direction = torch.randn(20, 3, generator=torch.Generator().manual_seed(1))
    radii = torch.linspace(0.5, 0.9, 20)[:, None]
    found = losses.virtual_adversarial_loss(
        lambda rows: rows @ weights.T, x, x @ weights.T, radii, direction
    )

    along = radii * torch.sign(direction @ weights[0])[:, None] * weights[0] / 5.0
    here, there = (F.log_softmax(rows @ weights.T, dim=1) for rows in (x, x + along))
    wanted = (here.exp() * (here - there)).sum(dim=1).mean()
    torch.testing.assert_close(found, wanted)


def test_labels_that_never_change_have_no_worst_neighbour():
    constant = torch.tensor([[0.0, 1.0]])
    found = losses.virtual_adversarial_loss(
        lambda rows: constant + 0.0 * rows[:, :2],
        rows(),
        constant.expand(12, 2),
        torch.ones(12, 1),
        torch.ones(12, N_FEATURES),
    )
    assert found == 0.0


def test_a_radius_is_wide_where_rows_are_far_from_each_other():
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    gaps = torch.tensor([[1.0], [1.0], [3.0]])
    gaps[2] = 2.0  # twice the median
    torch.testing.assert_close(losses.local_radii(x, 0.5), 0.5 * gaps / (4.0 / 3.0))
    torch.testing.assert_close(losses.local_radii(x + 1000.0, 0.5), losses.local_radii(x, 0.5))


@pytest.mark.parametrize(
    ("x", "wanted"),
    [
        ([[0.0], [1.0], [2.0], [3.0], [100.0]], [5 / 6, 5 / 6, 5 / 6, 5 / 6, 10 / 6]),
        ([[4.0]], [1.0]),
        ([[4.0], [4.0]], [1.0, 1.0]),
        ([[4.0], [4.0], [5.0]], [0.5, 0.5, 2.0]),
    ],
    ids=["a row far off", "one row", "the same row twice", "and another"],
)
def test_a_radius_has_bounds(x, wanted):
    found = losses.local_radii(torch.tensor(x), 1.0)
    torch.testing.assert_close(found, torch.tensor(wanted)[:, None])


def test_the_class_balance_loss_is_zero_where_the_mean_label_is_the_class_proportions():
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    mean = logits.softmax(dim=1).mean(dim=0)
    assert losses.class_balance_loss(logits, mean).abs() < 1e-7
    proportions = torch.tensor([0.5, 0.3, 0.2])
    torch.testing.assert_close(
        losses.class_balance_loss(logits, proportions), (mean * (mean / proportions).log()).sum()
    )


def test_a_class_is_the_sum_of_its_components():
    step = make_step({"label": Block(6, components_per_class=2), "style": Block(2)})
    outputs = step.networks.encoder(rows())
    wanted = outputs["label"].softmax(dim=1).view(12, 3, 2).sum(dim=2)
    torch.testing.assert_close(step.networks.encoder.class_logits(outputs).softmax(dim=1), wanted)
    expected = F.nll_loss(wanted.log(), torch.tensor([0, 1, 2] * 4)).detach()
    found = step.classify(rows(), torch.tensor([0, 1, 2] * 4))["classification"]
    torch.testing.assert_close(found, expected)


def test_the_prior_says_nothing_of_how_a_class_divides_into_its_components():
    step = make_step({"label": Block(6, components_per_class=2), "style": Block(2)})
    label = torch.rand(12, 6)
    seen = step.networks.discriminator_inputs({"label": label, "style": label[:, :2]})
    torch.testing.assert_close(seen["label"], label.view(12, 3, 2).sum(dim=2))
    torch.testing.assert_close(seen["style"], label[:, :2])
    assert step.draw_prior("label", seen["label"]).shape == (12, 3)


def test_the_class_balance_loss_wants_components_of_equal_size_in_their_class():
    x, proportions = rows(), torch.tensor([0.2, 0.8])
    blocks = {"label": Block(4, components_per_class=2), "style": Block(2)}
    loss = VirtualAdversarialLoss(0.5, proportions, finds_clusters=True)
    for assigns_later, wanted in ((False, [0.1, 0.1, 0.4, 0.4]), (True, [0.25] * 4)):
        schedule = component_schedule(assigns_later=assigns_later)
        step = make_step(blocks, virtual_adversarial=loss, schedule=schedule)
        logits = step.networks.encoder(x)["label"].detach()
        expected = losses.class_balance_loss(logits, torch.tensor(wanted))
        found = step.keep_labels(x)["class_balance"]
        torch.testing.assert_close(found, FINDING_BALANCE_WEIGHT * expected)
    step = make_step(blocks)
    step.assign_components(torch.tensor([[1, 0, 0, 0], [0, 1, 1, 1]]).bool())
    found = step.networks.encoder.component_proportions(proportions, assigned=True)
    torch.testing.assert_close(found, torch.tensor([0.2, 0.8 / 3, 0.8 / 3, 0.8 / 3]))


def test_logits_of_classes_are_exact_however_far_apart_components_are():
    step = make_step({"label": Block(6, components_per_class=2), "style": Block(2)})
    logits = torch.tensor([[300.0, -300.0, 0.0, 1.0, -200.0, -200.0]], requires_grad=True)
    found = step.networks.encoder.class_logits({"label": logits})
    wanted = torch.stack([part.logsumexp(dim=1) for part in logits.split(2, dim=1)], dim=1)
    torch.testing.assert_close(found, wanted)
    ours, theirs = (torch.autograd.grad(out[0, 1], logits)[0] for out in (found, wanted))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("average", [False, True])
def test_components_take_the_class_that_they_are_assigned_to(average):
    blocks = {"label": Block(6, components_per_class=2), "style": Block(2)}
    step = make_step(blocks, average=average)
    members = torch.tensor([[0, 1, 0, 0, 0, 0], [1, 0, 1, 0, 1, 1], [0, 0, 0, 1, 0, 0]]).bool()
    step.assign_components(members)
    for networks in (step.networks, step.trained):
        outputs = networks.encoder(rows())
        label = outputs["label"].softmax(dim=1)
        found = networks.encoder.class_logits(outputs).softmax(dim=1)
        torch.testing.assert_close(found, label @ members.T.float())
        torch.testing.assert_close(networks.discriminator_inputs({"label": label})["label"], found)
    again = make_step(blocks, average=average)
    again.load_state_dict(copy.deepcopy(step.state_dict()))
    torch.testing.assert_close(again.trained.encoder.members, members)


@pytest.mark.parametrize("joint", [False, True])
def test_labels_wait_where_components_are_assigned_later(joint):
    loss = VirtualAdversarialLoss(0.5, torch.tensor([0.2, 0.3, 0.5]), finds_clusters=True)
    settings = {
        "blocks": {"label": Block(6, components_per_class=2), "style": Block(2)},
        "virtual_adversarial": loss,
        "joint": joint,
    }
    step = make_step(**settings, schedule=component_schedule(assigns_later=True))
    assert step.stage.assigns_later
    labeled = {"x_labeled": rows(), "y_labeled": torch.tensor([0, 1, 2] * 4)}
    assert "classification" not in step(rows(), **labeled)
    step.end_stage()
    assert not step.stage.assigns_later
    assert "classification" in step(rows(), **labeled)
    early = make_step(**settings, schedule=component_schedule(assigns_later=False))
    assert not early.stage.assigns_later
    assert "classification" in early(rows(), **labeled)


def test_the_class_balance_loss_is_finite_for_a_class_without_probability():
    logits = torch.tensor([[200.0, 0.0], [200.0, -200.0]], requires_grad=True)
    loss = losses.class_balance_loss(logits, torch.tensor([0.0, 1.0]))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.isfinite()
    assert gradient.isfinite().all()


def test_discriminators_see_codes_and_samples_with_noise():
    step = make_step(STYLE, discriminator_noise=3.0)
    seen = []
    discriminator = step.networks.discriminators["style"]
    discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    x = rows(2000)
    code = code_of(step, x)
    step.regularize(x)
    both, codes = seen
    prior_spread, code_spread = both[:2000].std(dim=0), both[2000:].std(dim=0)
    wanted = (9.0 + code["style"].var(dim=0)).sqrt().detach()
    torch.testing.assert_close(prior_spread, torch.full((2,), 10.0**0.5), rtol=0.06, atol=0.0)
    torch.testing.assert_close(code_spread, wanted, rtol=0.06, atol=0.0)
    torch.testing.assert_close(codes.std(dim=0), wanted, rtol=0.06, atol=0.0)
    assert not torch.equal(both[2000:], codes)


def test_labels_change_less_close_to_rows_by_the_virtual_adversarial_loss():
    step = make_consistent_step(
        VirtualAdversarialLoss(0.5), architecture={"activation": "relu"}, momentum=0.9
    )
    generator = torch.Generator().manual_seed(0)
    x = 0.1 * torch.randn(200, N_FEATURES, generator=generator)
    x[100:, 0] += 2.0

    for _ in range(200):
        step.classify(x[:1], torch.tensor([0]))
        step.classify(x[-1:], torch.tensor([1]))
    before = float(step.keep_labels(x)["virtual_adversarial"])
    for _ in range(50):
        step.keep_labels(x)
    assert step.keep_labels(x)["virtual_adversarial"] < 0.5 * before


def test_augmented_rows_get_the_labels_of_their_rows():
    x, y = rows(60), torch.tensor([0, 1] * 30)
    x[:, 0] = 4.0 * y - 2.0
    right = {}
    for augmented in (None, -x):  # which the labeled rows alone give the opposite labels
        step = make_consistent_step(VirtualAdversarialLoss(0.05))
        for _ in range(300):
            step.classify(x, y)
            step.keep_labels(x, augmented)
        labels = step.networks.encoder(-x)["label"].argmax(1)
        right[augmented is not None] = float((labels == y).float().mean())
    assert right[True] > 0.9, right
    assert right[False] < 0.1, right


@pytest.mark.parametrize("posterior", ["deterministic", "universal"])
def test_the_virtual_adversarial_loss_drops_nothing_and_its_neighbours_leave_the_statistics(
    posterior,
):
    """At a radius of next to nothing labels can only differ by a dropout mask, or by noise."""
    architecture = {"dropout": 0.5, "input_dropout": 0.5, "batch_norm": "encoder"}
    architecture["posterior"] = posterior
    step = make_consistent_step(VirtualAdversarialLoss(1e-4), architecture=architecture)
    assert step.keep_labels(rows())["virtual_adversarial"] < 1e-4

    norm = step.networks.encoder.trunk.norms[0]
    layer = step.networks.encoder.trunk.layers[0]
    norm.reset_running_stats()
    seen = []
    layer.register_forward_hook(lambda *call: seen.append(call[-1].detach()))
    step.virtual_adversarial.radius = 100.0
    step.keep_labels(rows())
    assert len(seen) == 3  # rows, probes, worst neighbours
    torch.testing.assert_close(norm.running_mean, 0.1 * seen[0].mean(dim=0))


def test_the_virtual_adversarial_loss_of_one_row_is_finite():
    step = make_consistent_step(
        VirtualAdversarialLoss(0.5, torch.tensor([0.2, 0.3, 0.5])),
        architecture={"batch_norm": "encoder"},
    )
    assert all(loss.isfinite() for loss in step.keep_labels(rows(1)).values())


class Masked(torch.nn.Module):
    """A user's module with a mask that is infinite, as those of attention are."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.linear = torch.nn.Linear(n_inputs, n_outputs)
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))

    def forward(self, x):
        return self.linear(x) * torch.softmax(self.mask, dim=0)[0]


def test_an_infinite_mask_is_not_averaged(blobs):
    model = transformer(encoder=Masked, average_weights=True, max_iter=3).fit(blobs[0])
    assert np.isfinite(model.transform(blobs[0])).all()
