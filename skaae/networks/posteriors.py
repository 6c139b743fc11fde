"""The three forms of q(z|x) in section 2 of the paper: how the encoder's output gives a style.

A posterior says how many outputs a style needs, how a code is drawn from them, and what the mean
code is. Only the universal posterior has noise at the encoder's input. Knows nothing of networks.
"""

from __future__ import annotations

from torch import Tensor

# Variances outside exp(+-LOG_VARIANCE_BOUND) are of no use and would overflow.
LOG_VARIANCE_BOUND = 10.0


class Deterministic:
    """A point: all randomness of the codes is that of the data."""

    n_noise = 0  # further inputs of the encoder
    is_drawn = False  # whether `draw` uses its noise

    def n_outputs(self, size: int) -> int:
        """Return the outputs of the encoder for a style of `size` dimensions."""
        return size

    def draw(self, output: Tensor, noise: Tensor) -> Tensor:
        """Return one code for each row of the encoder's output; noise (batch, style) is normal."""
        return output

    def mean(self, output: Tensor) -> Tensor:
        """Return the mean code of each row of the encoder's output."""
        return output


class Gaussian(Deterministic):
    """A normal with a mean and a variance for each dimension, drawn as mean + deviation * noise."""

    is_drawn = True

    def n_outputs(self, size: int) -> int:
        return 2 * size

    def draw(self, output: Tensor, noise: Tensor) -> Tensor:
        mean, log_variance = self.split(output)
        return mean + (0.5 * log_variance).exp() * noise

    def mean(self, output: Tensor) -> Tensor:
        return self.split(output)[0]

    def split(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance, each (batch, style)."""
        mean, log_variance = output.chunk(2, dim=1)
        return mean, log_variance.clamp(-LOG_VARIANCE_BOUND, LOG_VARIANCE_BOUND)


class Universal(Deterministic):
    """Any shape: the encoder computes f(x, noise), and integrating over the noise gives q(z|x)."""

    n_noise = 10


POSTERIORS = {"deterministic": Deterministic, "gaussian": Gaussian, "universal": Universal}
