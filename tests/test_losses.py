"""The losses against their formulas; distances as precise as differences, and small in memory."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from skaae.training import losses

OFFSETS = torch.tensor([1e3, -1e3])


def draw(n, d, seed=0, dtype=torch.float32):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def slow_discrepancy(codes, prior, scale):
    """Return the unbiased squared MMD from float64 differences."""
    codes, prior = codes.double(), prior.double()

    def mean(a, b, kept):
        squares = sum((a[:, k, None] - b[None, :, k]) ** 2 for k in range(a.shape[1]))
        base = 2.0 * a.shape[1] * scale**2
        factors = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
        return sum((base * f / (base * f + squares))[kept].mean() for f in factors)

    def within(a):  # a row is no pair with itself
        return mean(a, a, ~torch.eye(len(a), dtype=torch.bool))

    everything = torch.ones(len(codes), len(prior), dtype=torch.bool)
    return float(within(codes) + within(prior) - 2.0 * mean(codes, prior, everything))


@pytest.mark.parametrize(
    ("codes", "prior", "scale"),
    [
        (draw(120, 2), draw(90, 2, seed=1), 1.0),
        (draw(90, 100), draw(120, 100, seed=1), 1.0),
        (5.0 * draw(80, 10), 0.1 * draw(80, 10, seed=1), 0.1),
        (draw(80, 10) + 1e3, draw(80, 10, seed=1) + 1e3, 1.0),  # far from 0: centred first
        (draw(80, 10) + 1e3, draw(80, 10, seed=1), 1.0),
        (draw(80, 2) + OFFSETS, draw(80, 2, seed=1) + OFFSETS, 1.0),  # of each column another
        (1e4 * draw(20, 10), draw(20, 10, seed=1), 1.0),  # a row is 0 away from itself all the same
        (draw(80, 100) + 1e-4 * draw(80, 100, seed=1), draw(80, 100), 1.0),
        (draw(80, 2), draw(80, 2), 1.0),
    ],
)
def test_discrepancy_is_as_precise_as_from_differences(codes, prior, scale):
    found = float(losses.maximum_mean_discrepancy(codes, prior, scale))
    assert found == pytest.approx(slow_discrepancy(codes, prior, scale), rel=2e-6, abs=2e-6)


def test_discrepancy_of_samples_of_one_prior_has_no_bias():
    """Its mean over many pairs of small samples is 0, though each has some distance from 0."""
    found = torch.stack(
        [
            losses.maximum_mean_discrepancy(draw(10, 3, seed), draw(15, 3, seed + 1000), 1.0)
            for seed in range(400)
        ]
    )
    assert abs(found.mean()) < 3.0 * found.std() / 20.0
    assert found.std() > 0.02


def test_discrepancy_is_computed_in_full_precision_under_autocast():
    codes, prior = draw(50, 10) + 3.0, draw(50, 10, seed=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = losses.maximum_mean_discrepancy(codes, prior, 1.0)
    assert found.dtype == torch.float32
    assert float(found) == float(losses.maximum_mean_discrepancy(codes, prior, 1.0))


def test_gradient_of_the_discrepancy_where_rows_are_the_same():
    prior = draw(6, 3, seed=1, dtype=torch.float64)
    codes = torch.cat([draw(3, 3, dtype=torch.float64)] * 2 + [prior[:2]]).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda codes: losses.maximum_mean_discrepancy(codes, prior, 1.0), codes
    )
    same = torch.ones(5, 3, requires_grad=True)
    losses.maximum_mean_discrepancy(same, torch.ones(4, 3), 1.0).backward()
    assert same.grad.abs().max() < 1e-6  # also not NaN


def test_squared_distances_are_never_negative():
    rows = draw(100, 5).repeat(2, 1)
    found = losses.squared_distances(rows, rows)
    assert found.min() == 0.0
    torch.testing.assert_close(found, torch.cdist(rows, rows).square(), atol=1e-5, rtol=1e-5)


class Largest(TorchDispatchMode):
    """Keeps the number of entries of the largest tensor that an operation returns."""

    n_entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(found) if isinstance(leaf, torch.Tensor)]
        self.n_entries = max(self.n_entries, *sizes, 0)
        return found


def test_discrepancy_makes_no_table_of_differences():
    codes, prior = draw(60, 30).requires_grad_(), draw(50, 30)
    with Largest() as largest:
        (codes[:, None] - prior).sum().backward()
    assert largest.n_entries == 60 * 50 * 30  # it would be noticed
    with Largest() as largest:
        losses.maximum_mean_discrepancy(codes, prior, 1.0).backward()
    assert largest.n_entries == 60 * 60


def test_head_distance_needs_no_pdist(monkeypatch):
    """Not all devices have it."""
    points = 2.0 * draw(12, 4)
    points[3] = points[7]  # coinciding heads
    fast, slow = points.clone().requires_grad_(), points.clone().requires_grad_()
    expected = (3.0 - torch.pdist(slow)).clamp(min=0.0).sum()
    expected.backward()
    monkeypatch.delattr(torch, "pdist")
    found = losses.head_distance_loss(fast, 3.0)
    found.backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(fast.grad, slow.grad)


def test_heads_in_one_place_have_a_finite_gradient():
    points = torch.zeros(4, 2, requires_grad=True)
    loss = losses.head_distance_loss(points, 1.5)
    loss.backward()
    assert loss.item() == 6 * 1.5
    assert points.grad.tolist() == [[0.0, 0.0]] * 4
    assert losses.head_distance_loss(points[:1], 1.5).item() == 0.0


def test_neighbour_loss_is_the_cross_entropy_of_the_partner():
    a, b = draw(7, 3), draw(7, 3, seed=1)
    q = 1.0 / (1.0 + torch.cdist(a.double(), b.double()) ** 2)
    own = q.diagonal()
    expected = -0.5 * ((own / q.sum(dim=0)).log() + (own / q.sum(dim=1)).log()).mean()
    torch.testing.assert_close(losses.neighbour_loss(a, b).double(), expected)
    together = draw(5, 2).requires_grad_()
    losses.neighbour_loss(together, together.detach().clone()).backward()
    assert together.grad.isfinite().all()
    assert float(losses.neighbour_loss(1e3 * a, 1e3 * a)) < 1e-3


def test_pixels_outside_of_0_to_1_cost_what_the_nearest_end_costs():
    """The cross-entropy of such values has no lower bound."""
    logits = draw(1, 4)
    found = losses.binary_cross_entropy(logits, torch.tensor([[-3.0, -0.1, 1.1, 7.0]]))
    ends = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    torch.testing.assert_close(found, losses.binary_cross_entropy(logits, ends))


def test_each_category_column_has_a_softmax_of_its_own():
    """However large its logits are, and whatever the order of the entries is."""
    logits, sizes = draw(6, 9), [2, 4, 3]
    logits[:, 2:6] += 300.0
    logits[0, 0] = -500.0
    column = torch.tensor([0, 0, 1, 1, 1, 1, 2, 2, 2])
    parts = logits.split(sizes, dim=1)
    wanted = torch.cat([part.log_softmax(dim=1) for part in parts], dim=1)
    torch.testing.assert_close(losses.log_softmax_by_column(logits, column, 3), wanted)
    mixed = torch.tensor([8, 3, 0, 5, 1, 7, 2, 4, 6])
    found = losses.log_softmax_by_column(logits[:, mixed], column[mixed], 3)
    torch.testing.assert_close(found, wanted[:, mixed])

    chosen = [torch.arange(6) % size for size in sizes]
    one_hot = [F.one_hot(c, size) for c, size in zip(chosen, sizes, strict=True)]
    x = torch.cat(one_hot, dim=1).float()
    x[3, 2:6] = 0.0  # a value that is missing
    found = losses.categorical_cross_entropy(logits, x, column, 3)
    pairs = zip(parts, chosen, strict=True)
    wanted = torch.stack([F.cross_entropy(p, c, reduction="none") for p, c in pairs], dim=1)
    wanted[3, 1] = 0.0
    torch.testing.assert_close(found, wanted)
    assert losses.categorical_cross_entropy(logits.double(), x, column, 3).dtype == torch.float64


def test_the_gradient_of_a_softmax_by_column_is_that_of_the_softmax():
    """The largest logit, which is subtracted first, has no part in it."""
    logits, weights = draw(4, 5, dtype=torch.float64).requires_grad_(), draw(4, 5, seed=1)
    column = torch.tensor([0, 0, 1, 1, 1])
    found = losses.log_softmax_by_column(logits, column, 2)
    wanted = torch.cat([part.log_softmax(dim=1) for part in logits.split([2, 3], dim=1)], dim=1)
    ours, theirs = (
        torch.autograd.grad((weights * out).sum(), logits, retain_graph=True)[0]
        for out in (found, wanted)
    )
    torch.testing.assert_close(ours, theirs)


def test_the_median_of_radii_leaves_out_rows_that_occur_twice():
    x = torch.tensor([[0.0], [1.0], [3.0], [7.0], [15.0], [-99.0], [-99.0]])
    # distances to the nearest row are 1, 1, 2, 4, 8, 0, 0; those above 0 have the median 2
    limited = torch.tensor([1.0, 1.0, 2.0, 4.0, 4.0, 0.5, 0.5])
    wanted = (limited / limited.mean())[:, None]
    torch.testing.assert_close(losses.local_radii(x, 1.0), wanted)
    torch.testing.assert_close(losses.local_radii(0.01 * x, 1.0), wanted)
    same = torch.zeros(6, 2)
    assert losses.local_radii(same, 0.3).flatten().tolist() == pytest.approx([0.3] * 6)


def test_radii_are_precise_for_many_rows_far_from_zero():
    """Distances of more than 25 rows come from products."""
    x = (64.0 * draw(40, 3)).round() / 64.0  # exact, also far away
    far = x + torch.tensor([4096.0, -4096.0, 0.0])
    torch.testing.assert_close(losses.local_radii(far, 1.0), losses.local_radii(x, 1.0))


def test_the_worst_neighbour_is_looked_for_in_the_direction_that_was_drawn():
    """Labels that change on one side of a row only are noticed from that side only."""
    found = [
        losses.virtual_adversarial_loss(
            lambda rows: torch.cat([rows.relu(), 0.0 * rows], dim=1),
            torch.zeros(1, 1),
            torch.zeros(1, 2),
            torch.full((1, 1), 2.0),
            torch.tensor([[direction]]),
        ).item()
        for direction in (1.0, -1.0)
    ]
    p = torch.tensor([2.0, 0.0]).softmax(dim=0)
    assert found == pytest.approx([float((0.5 * (0.5 / p).log()).sum()), 0.0])
