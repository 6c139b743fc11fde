"""The optimisers move weights as `torch.optim` does."""

import pytest
import torch

from skaae.training.optimizers import PhaseRates, make_optimizer

SHAPES = [(4, 3), (4,), (2, 4, 3, 3)]


def weights(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in SHAPES]


def peer_of(solver, parameters, momentum):
    if solver == "sgd":
        return torch.optim.SGD(parameters, lr=0.1, momentum=momentum)
    return torch.optim.Adam(parameters, lr=0.1, betas=(momentum, 0.999))


@pytest.mark.parametrize("size", [1.0, 1e-8])  # gradients as small as Adam's epsilon
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_steps_are_those_of_torch(solver, momentum, size):
    ours, theirs = weights(), weights()
    optimizer = make_optimizer(solver, ours, PhaseRates(0.1, momentum))
    peer = peer_of(solver, theirs, momentum)
    for number in range(5):
        factor = 1.0 if number < 3 else 0.5
        optimizer.scale_learning_rate(factor)
        peer.param_groups[0]["lr"] = 0.1 * factor
        gradients = [size * gradient for gradient in weights(seed=number + 1)]
        optimizer.step(gradients)
        for weight, gradient in zip(theirs, gradients, strict=True):
            weight.grad = gradient.clone()
        peer.step()
        for weight, wanted in zip(ours, theirs, strict=True):
            torch.testing.assert_close(weight, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_weight_without_gradient_stays(solver):
    ours = weights()
    before = [weight.clone() for weight in ours]
    optimizer = make_optimizer(solver, ours, PhaseRates(0.1, 0.5))
    optimizer.step([None, *weights(seed=1)[1:]])
    changed = [not torch.equal(w, b) for w, b in zip(ours, before, strict=True)]
    assert changed == [False, True, True]
    optimizer.step([None] * 3)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_divisor_shortens_gradients(solver):
    """In the second of two steps: one factor for all steps would leave those of Adam alone."""
    one, other = weights(), weights()
    divided = make_optimizer(solver, one, PhaseRates(0.1, 0.9))
    plain = make_optimizer(solver, other, PhaseRates(0.1, 0.9))
    for number, divisor in enumerate((1.0, 4.0)):
        gradients = weights(seed=number + 1)
        plain.step([gradient / divisor for gradient in gradients])
        divided.step(gradients, torch.tensor(divisor))
    for weight, wanted in zip(one, other, strict=True):
        torch.testing.assert_close(weight, wanted)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_restart_forgets_all(solver):
    """A weight that gets its first gradient late would move up to 16 rates far in Adam's count."""
    used, fresh = weights(), weights()
    optimizer = make_optimizer(solver, used, PhaseRates(0.1, 0.5))
    optimizer.step(weights(seed=1))
    for weight, start in zip(used, fresh, strict=True):
        weight.copy_(start)
    optimizer.restart()
    other = make_optimizer(solver, fresh, PhaseRates(0.1, 0.5))
    for each in (optimizer, other):
        each.step(weights(seed=2))
    for weight, wanted in zip(used, fresh, strict=True):
        torch.testing.assert_close(weight, wanted, rtol=0.0, atol=0.0)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_state_goes_on_where_it_was_saved(solver):
    def run(stop):
        ours = weights()
        optimizer = make_optimizer(solver, ours, PhaseRates(0.1, 0.9))
        for number in range(6):
            if number == stop:
                state, ours = optimizer.state_dict(), [weight.clone() for weight in ours]
                optimizer = make_optimizer(solver, ours, PhaseRates(0.1, 0.9))
                optimizer.load_state_dict(state)
            optimizer.step(weights(seed=number + 1))
        return ours

    for weight, wanted in zip(run(3), run(None), strict=True):
        assert torch.equal(weight, wanted)
