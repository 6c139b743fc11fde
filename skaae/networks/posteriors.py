"""The three forms of q(z|x) in section 2 of the paper: how the encoder's output gives a style.

A posterior defines how many outputs of the encoder a style needs, how a style is drawn from them,
and what the mean style is. Only the universal posterior has noise at the encoder's input.
"""

from __future__ import annotations

from torch import Tensor

# Logarithms of variances are clipped to +-LOG_VARIANCE_BOUND, so that their exp does not overflow.
LOG_VARIANCE_BOUND = 10.0


class Posterior:
    """What all forms share: the encoder's output is the style, unless a method says otherwise."""

    n_noise = 0  # number of noise inputs of the encoder
    is_drawn = False  # whether `draw` uses its noise

    @property
    def is_deterministic(self) -> bool:
        """Whether a row has one style only."""
        return not (self.is_drawn or self.n_noise)

    def n_outputs(self, size: int) -> int:
        """Return the number of outputs of the encoder for a style of `size` dimensions."""
        return size

    def draw(self, output: Tensor, noise: Tensor) -> Tensor:
        """Draw a style for each row of the encoder's output, using normal noise (batch, style)."""
        return output

    def mean(self, output: Tensor) -> Tensor:
        """Return the mean style for each row of the encoder's output."""
        return output


class Deterministic(Posterior):
    """One style for each row: the styles are random only because the rows are."""


class Gaussian(Posterior):
    """A normal distribution with a mean and a variance for each dimension of a row's style."""

    is_drawn = True

    def n_outputs(self, size: int) -> int:
        return 2 * size

    def draw(self, output: Tensor, noise: Tensor) -> Tensor:
        mean, log_variance = self.split(output)
        return mean + (0.5 * log_variance).exp() * noise

    def mean(self, output: Tensor) -> Tensor:
        return self.split(output)[0]

    def split(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the logarithm of the variance, each of shape (batch, style)."""
        mean, log_variance = output.chunk(2, dim=1)
        return mean, log_variance.clamp(-LOG_VARIANCE_BOUND, LOG_VARIANCE_BOUND)


class Universal(Posterior):
    """Any distribution: that of the encoder's output f(x, noise) for random noise."""

    n_noise = 10


POSTERIORS = {"deterministic": Deterministic, "gaussian": Gaussian, "universal": Universal}
