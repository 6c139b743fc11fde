"""The losses as pure functions of tensors; most of them return a scalar.

Logits are unnormalised: the loss itself applies the sigmoid or the softmax.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def reconstruction_errors(kind: str, output: Tensor, x: Tensor, *, sigmoid: bool) -> Tensor:
    """Return the reconstruction loss of each number x: shape (batch, n_numbers).

    "squared_error" is half the squared error. Up to a constant, it is the negative log-likelihood
    under a normal distribution with variance 1. The loss of a row is the sum over its columns. With
    a mean over columns instead, the loss on MNIST would be 392 times smaller, too small beside the
    adversarial losses.
    """
    if kind == "squared_error":
        prediction = torch.sigmoid(output) if sigmoid else output
        return 0.5 * (prediction - x).square()
    return binary_cross_entropy(output, x)


def binary_cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    """Return the cross-entropy of values x in [0, 1] under logits, in the shape of both."""
    # rows that are not training rows may lie outside [0, 1], where the loss has no lower bound
    return F.binary_cross_entropy_with_logits(logits, x.clamp(0.0, 1.0), reduction="none")


def categorical_cross_entropy(logits: Tensor, x: Tensor, column: Tensor, n_columns: int) -> Tensor:
    """Return the cross-entropy of each category column: shape (batch, n_columns).

    The entries of logits and of the one-hot x, both (batch, n_categories), belong to the columns
    whose indices `column` (n_categories,) holds. A column without a one costs nothing.
    """
    log_p = log_softmax_by_column(logits, column, n_columns)
    losses = x.new_zeros(len(x), n_columns, dtype=log_p.dtype)
    return losses.index_add(1, column, -x * log_p)


def log_softmax_by_column(logits: Tensor, column: Tensor, n_columns: int) -> Tensor:
    """Return log-probabilities (batch, n_categories): the softmax is over entries of one column."""
    index = column.expand_as(logits)
    lowest = logits.new_full((len(logits), n_columns), -torch.inf)
    largest = lowest.scatter_reduce(1, index, logits.detach(), "amax")
    shifted = logits - largest.index_select(1, column)
    sums = shifted.new_zeros(len(logits), n_columns).index_add(1, column, shifted.exp())
    return shifted - sums.log().index_select(1, column)


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return -mean(log D(real) + log(1 - D(fake))) from the logits of D.

    softplus(-t) is -log sigmoid(t), and softplus(t) is -log(1 - sigmoid(t)).
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """Return -mean(log D(fake)), whose gradient does not vanish when D recognises all codes."""
    return F.softplus(-fake).mean()


def classification_loss(logits: Tensor, y: Tensor) -> Tensor:
    """Return the mean cross-entropy of classes under logits (batch, K).

    y are integer classes (batch,), or probabilities of the classes (batch, K).
    """
    return F.cross_entropy(logits, y)


def virtual_adversarial_loss(
    label: Callable[[Tensor], Tensor], x: Tensor, logits: Tensor, radius: Tensor, direction: Tensor
) -> Tensor:
    """Return the mean KL divergence between the labels of rows and those of their worst neighbours.

    `label` returns the logits (batch, K) of rows (batch, n_features). `logits` are the logits of
    the rows x, or of the rows that x are augmented from. The worst neighbour of a row is at the
    distance `radius` (batch, 1) from it. One step of power iteration from a random `direction`
    (batch, n_features) finds it (Miyato et al., "Virtual adversarial training", 2018). For
    augmented rows this is one gradient step. The gradient is computed at a distance of the radius,
    because the much smaller distance of Miyato et al. would be lost in the rounding of bfloat16.
    """
    target = logits.detach().softmax(dim=1)
    probe = (radius * F.normalize(direction)).requires_grad_()
    change = F.kl_div(label(x + probe).log_softmax(dim=1), target, reduction="sum")
    (worst,) = torch.autograd.grad(change, probe)
    beside = label(x + radius * F.normalize(worst)).log_softmax(dim=1)
    return F.kl_div(beside, target, reduction="batchmean")


def class_balance_loss(logits: Tensor, proportions: Tensor) -> Tensor:
    """Return the KL divergence of the mean label of a batch from the class proportions (K,)."""
    # computed from logarithms, because the gradient of log(mean) has no bound if the mean is near 0
    mean = logits.log_softmax(dim=1).logsumexp(dim=0) - math.log(len(logits))
    return F.kl_div(proportions.clamp(min=1e-6).log(), mean, reduction="sum", log_target=True)


def conditional_entropy_loss(logits: Tensor) -> Tensor:
    """Return the mean entropy of the labels, which is 0 if each is sure of one class."""
    return -(logits.softmax(dim=1) * logits.log_softmax(dim=1)).sum(dim=1).mean()


def local_radii(x: Tensor, radius: float) -> Tensor:
    """Return a radius (batch, 1) for each row x (batch, n_features); their mean is `radius`.

    Each radius is proportional to the distance from the row to its nearest neighbour. This distance
    is first limited to 0.25 to 2 times its median, because some rows have duplicates and others are
    far from all rows.
    """
    if len(x) == 1:
        return x.new_full((1, 1), radius)
    centred = x - x.mean(dim=0)  # distances come from products, which are imprecise far from 0
    gaps = torch.cdist(centred, centred).fill_diagonal_(torch.inf).amin(dim=1)
    # the median of distances above 0, computed without waiting for the device to return a number
    n_twice = (gaps == 0.0).sum()
    middle = n_twice + (len(x) - n_twice - 1) // 2
    typical = gaps.sort().values.gather(0, middle[None])
    typical = torch.where(typical > 0.0, typical, 1.0)
    gaps = torch.minimum(torch.maximum(gaps, 0.25 * typical), 2.0 * typical)
    return (radius * gaps / gaps.mean())[:, None]


def gaussian_kl(log_variance: Tensor, z: Tensor, log_prob: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the mean KL divergence of a Gaussian q(z|x) from a prior.

    The entropy of q has a formula. The mean log-density of the prior is estimated from one sample z
    (batch, style) of q for each row, so any prior with a density can be used.
    """
    entropy = 0.5 * (math.log(2.0 * math.pi * math.e) + log_variance).sum(dim=1)
    return -(entropy + log_prob(z)).mean()


def head_distance_loss(points: Tensor, distance: float) -> Tensor:
    """Return the penalty for cluster heads (n, d) closer to each other than `distance`.

    It is the sum of `distance` minus the pair's distance, over closer pairs (section 7 of the
    paper).
    """
    # MPS lacks pdist; like pdist, the norm has gradient 0, not NaN, if two heads coincide
    distances = torch.linalg.vector_norm(points[:, None] - points, dim=2)  # (n, n)
    return (distance - distances).clamp(min=0.0).triu(diagonal=1).sum()


def neighbour_loss(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean cross-entropy of the partner of each row of a (n, d) among the rows of b.

    Row i of b is the partner of row i of a. The probability that a row of b is the partner is in
    proportion to q = 1 / (1 + squared distance), the similarity of t-SNE. So partners attract and
    other rows repel each other. Either side looks for its partner, and the mean of both is
    returned. This is "InfoNC-t-SNE" (Damrich et al., "From t-SNE to UMAP with contrastive
    learning", 2023).
    """
    # from differences, because the small distances of neighbours would be lost in products
    squares = (a[:, None] - b).square().sum(dim=2)
    log_q = -torch.log1p(squares)
    partner = torch.arange(len(a), device=a.device)
    return 0.5 * (F.cross_entropy(log_q, partner) + F.cross_entropy(log_q.T, partner))


def maximum_mean_discrepancy(codes: Tensor, prior: Tensor, scale: float | Tensor) -> Tensor:
    """Return the squared MMD between two samples, (n, d) and (m, d).

    Its mean is 0 if both samples have the same distribution. The kernel is the sum of inverse
    multiquadratics c / (c + ||a - b||^2) with c = 2 d scale^2 times 0.1 to 10, as in Wasserstein
    autoencoders. The estimate is unbiased, so it can be slightly below 0.
    """
    n, m = len(codes), len(prior)
    base = 2.0 * codes.shape[1] * scale**2
    total = codes.new_zeros(())
    # the distance of a row to itself is set to 0; computed from products it is only close to 0
    within_codes = squared_distances(codes, codes).fill_diagonal_(0.0)
    within_prior = squared_distances(prior, prior).fill_diagonal_(0.0)
    between = squared_distances(codes, prior)
    for factor in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0):
        c = base * factor
        # the n diagonal entries, each 1, are subtracted because they would bias the mean
        pairs_codes = ((c / (c + within_codes)).sum() - n) / max(n * (n - 1), 1)
        pairs_prior = ((c / (c + within_prior)).sum() - m) / max(m * (m - 1), 1)
        total = total + pairs_codes + pairs_prior - 2.0 * (c / (c + between)).mean()
    return total


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return ||a_i - b_j||^2 for all pairs of rows (n, d), (m, d): shape (n, m), never below 0.

    They are computed from products, so no tensor of shape (n, m, d) is needed, and the gradient is
    finite even for equal rows. Products are imprecise far from 0. So rows are centred first, and
    multiplied in their own precision even under autocast.
    """
    centre = 0.5 * (a.mean(dim=0) + b.mean(dim=0)).detach()  # centring changes no distance
    a, b = a - centre, b - centre
    squares = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)
    with torch.autocast(a.device.type, enabled=False):
        return torch.addmm(squares, a, b.T, alpha=-2.0).clamp(min=0.0)


def total(parts: dict[str, Tensor]) -> Tensor:
    """Return the sum of losses."""
    return torch.stack(list(parts.values())).sum()


def detached(parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return losses without gradients, on their device."""
    return {name: loss.detach() for name, loss in parts.items()}


def in_float32(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return outputs of an autocast context in float32, the precision of the losses."""
    return {name: tensor.float() for name, tensor in tensors.items()}
