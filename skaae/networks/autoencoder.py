"""Encoder, decoder and discriminators.

A code is a dict of blocks: "style" is a vector, and "label" contains the probabilities of classes
or of their components.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from skaae.device import cpu_generator, make_generator
from skaae.draws import drawing_from
from skaae.networks.convolutions import Convolutions, ImageShape, TransposedConvolutions
from skaae.networks.layers import (
    MLP,
    BatchNorm,
    Factory,
    Source,
    dropout,
    linear,
    standard_normal,
)
from skaae.networks.posteriors import POSTERIORS
from skaae.networks.user_modules import UserModule, init_weights, refuse_shared_weights

Code = dict[str, Tensor]

# Number of noise samples in the mean of a universal posterior; they are the same for every row.
N_MEAN_SAMPLES = 16


@dataclass(frozen=True)
class Block:
    """One part of the code.

    Parameters
    ----------
    size : number of dimensions.
    latent : whether the encoder computes the block; otherwise it is given with the row.
    adversarial : whether a discriminator trains the block to follow its prior.
    n_classes : number of classes if the discriminator is class-conditional, otherwise 0.
    by_component : whether the codes of each class follow their own component of the prior (section
        2.3). Otherwise the codes of each class follow the whole prior, so they say nothing about
        the class.
    components_per_class : number of dimensions of a label for each class.
    """

    size: int
    latent: bool = True
    adversarial: bool = True
    n_classes: int = 0
    by_component: bool = False
    components_per_class: int = 1

    @property
    def prior_size(self) -> int:
        """Number of dimensions of the block's prior; that of a label has one for each class."""
        return self.size // self.components_per_class


@dataclass(frozen=True)
class Architecture:
    """The plain values that networks are built from.

    Parameters
    ----------
    n_features : number of entries of a row that the encoder sees.
    blocks : the blocks of the code by name, in the decoder's order.
    hidden, discriminator_hidden : widths of the hidden layers, or channels of convolutions. The
        decoder has the encoder's layers in reverse.
    kind : "mlp" or "conv".
    image_shape : height, width and channels, if kind is "conv".
    activation : key of ACTIVATIONS.
    dropout : probability of setting a hidden unit of encoder or decoder to 0 in training.
    input_dropout : probability of setting an input of the encoder to 0 in training.
    batch_norm : layers with batch normalization: "hidden" layers of the encoder, the whole
        "encoder", the "autoencoder", or None.
    weight_init : "uniform", "small" or the standard deviation of a normal; "pca" is "uniform" here,
        and `Settings.initialize` then sets some of the weights.
    posterior : key of POSTERIORS, for the style.
    cluster_heads : None if the decoder's input is the concatenation of the blocks. Otherwise the
        input is the style plus the head of the row's class (section 7). A number is the initial
        distance of learned heads; an array (class, style) contains fixed heads.
    encoder, decoder, discriminator : factories of user modules.
    seed : seed of all initial weights.
    n_outputs : number of entries that the decoder returns; None means n_features.
    """

    n_features: int
    blocks: Mapping[str, Block]
    hidden: Sequence[int]
    discriminator_hidden: Sequence[int]
    kind: str = "mlp"
    image_shape: ImageShape | None = None
    activation: str = "relu"
    dropout: float = 0.0
    input_dropout: float = 0.0
    batch_norm: str | None = None
    weight_init: str | float = "uniform"
    posterior: str = "deterministic"
    cluster_heads: float | Sequence[Sequence[float]] | None = None
    encoder: Factory | None = None
    decoder: Factory | None = None
    discriminator: Factory | None = None
    seed: int = 0
    n_outputs: int | None = None

    def build(self) -> AdversarialAutoencoder:
        """Return networks with new weights; one seed gives the same weights on any machine."""
        cpu = torch.device("cpu")
        with drawing_from(make_generator(self.seed, cpu), self.has_user_modules):
            networks = AdversarialAutoencoder(self)
        refuse_shared_weights(networks)
        init_weights(networks, self.weight_init, cpu_generator(self.seed))
        return networks

    @property
    def has_user_modules(self) -> bool:
        """Whether there are user modules, which use PyTorch's global generator."""
        return bool(self.encoder or self.decoder or self.discriminator)


class OutputLayers(nn.Module):
    """The encoder's last layer: one linear map for each latent block."""

    def __init__(self, n_inputs: int, sizes: Mapping[str, int], batch_norm: bool) -> None:
        super().__init__()
        self.maps = nn.ModuleDict({name: linear(n_inputs, size) for name, size in sizes.items()})
        self.norms = (
            nn.ModuleDict({name: BatchNorm(size) for name, size in sizes.items()})
            if batch_norm
            else None
        )

    def forward(self, h: Tensor, generator: Source = None) -> Code:
        outputs = {name: layer(h) for name, layer in self.maps.items()}
        if self.norms is None:
            return outputs
        return {name: self.norms[name](output, generator) for name, output in outputs.items()}

    def parameters_of(self, name: str) -> list[nn.Parameter]:
        """Return the weights of one block's output layer."""
        norms = [] if self.norms is None else list(self.norms[name].parameters())
        return [*self.maps[name].parameters(), *norms]


class Slices(nn.Module):
    """Splits the output of a user module into blocks."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.sizes = dict(sizes)

    def forward(self, h: Tensor, generator: Source = None) -> Code:
        return dict(zip(self.sizes, h.split(list(self.sizes.values()), dim=1), strict=True))

    def parameters_of(self, name: str) -> list[nn.Parameter]:
        return []


class Encoder(nn.Module):
    """q(z|x): shared layers (the trunk), then one output layer for each latent block."""

    members: Tensor | None  # (n_classes, n_components), or None with one component per class

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        posterior = POSTERIORS[architecture.posterior]()
        self.input_dropout, self.n_noise = architecture.input_dropout, posterior.n_noise
        noise = standard_normal(N_MEAN_SAMPLES, self.n_noise, architecture.seed)
        self.register_buffer("mean_noise", noise)
        sizes = {
            name: posterior.n_outputs(block.size) if name == "style" else block.size
            for name, block in architecture.blocks.items()
            if block.latent
        }
        self.register_buffer("members", initial_members(architecture.blocks.get("label")))
        n_inputs, normalized = (
            architecture.n_features + self.n_noise,
            architecture.batch_norm is not None,
        )
        normalized_code = architecture.batch_norm in ("encoder", "autoencoder")
        self.trunk: nn.Module
        self.outputs: OutputLayers | Slices
        if architecture.encoder is not None:
            self.trunk = UserModule("encoder", architecture.encoder, n_inputs, sum(sizes.values()))
            self.outputs = Slices(sizes)
        elif architecture.kind == "conv":
            assert architecture.image_shape is not None
            layers = (
                architecture.hidden,
                architecture.activation,
                architecture.dropout,
                normalized,
            )
            self.trunk = Convolutions(architecture.image_shape, *layers, n_noise=self.n_noise)
            self.outputs = OutputLayers(self.trunk.n_outputs, sizes, normalized_code)
        else:
            widths = [n_inputs, *architecture.hidden]
            self.trunk = MLP(widths, architecture.activation, architecture.dropout, normalized)
            self.outputs = OutputLayers(widths[-1], sizes, normalized_code)

    def forward(self, x: Tensor, generator: Source = None, noise: Tensor | None = None) -> Code:
        """Return the outputs of each block, before any softmax; without a generator, their means.

        noise (batch, n_noise) is used instead of noise from the generator.
        """
        if self.n_noise == 0:
            return self._outputs(x, generator)
        if noise is None:
            if not isinstance(generator, torch.Generator):
                return self._mean_outputs(x)
            noise = x.new_empty(len(x), self.n_noise).normal_(generator=generator)
        return self._outputs(x, generator, noise)

    def class_logits(self, outputs: Code) -> Tensor:
        """Return the logits of classes, (batch, n_classes), from outputs of `forward`.

        The logit of a class is the log-sum-exp of the logits of its components.
        """
        logits = outputs["label"]
        if self.members is None:
            return logits
        members = self.members.to(logits.dtype)
        class_of = members.argmax(dim=0)
        nothing = logits.new_full((logits.shape[0], len(members)), -torch.inf)
        index = class_of.expand(logits.shape[0], -1)
        largest = nothing.scatter_reduce(1, index, logits.detach(), "amax")
        with torch.autocast(logits.device.type, enabled=False):
            sums = (logits - largest[:, class_of]).exp() @ members.T
        return sums.log() + largest

    def classes(self, label: Tensor) -> Tensor:
        """Return the probabilities of classes (batch, n_classes) from a label's components."""
        return label if self.members is None else label @ self.members.T.to(label.dtype)

    def component_proportions(self, proportions: Tensor, *, assigned: bool) -> Tensor:
        """Return the proportions of components, (n_components,), from those of classes.

        The components of one class have equal proportions. Before components are assigned to
        classes, all components have equal proportions.
        """
        if self.members is None:
            return proportions
        if not assigned:
            n_components = self.members.shape[1]
            return proportions.new_full((n_components,), 1.0 / n_components)
        return (proportions / self.members.sum(dim=1)) @ self.members.to(proportions.dtype)

    def label_parameters(self) -> list[nn.Parameter]:
        """Return the weights of the encoder that the label depends on."""
        return [*self.trunk.parameters(), *self.outputs.parameters_of("label")]

    def _outputs(self, x: Tensor, generator: Source, noise: Tensor | None = None) -> Code:
        x = dropout(x, self.input_dropout, generator)
        if noise is not None:
            x = torch.cat([x, noise], dim=1)
        return self.outputs(self.trunk(x, generator), generator)

    def _mean_outputs(self, x: Tensor) -> Code:
        """Return the mean of the outputs over noise samples that are the same for every row."""
        assert isinstance(self.mean_noise, Tensor)
        samples = [
            self._outputs(x, None, noise.expand(x.shape[0], -1)) for noise in self.mean_noise
        ]
        names = samples[0]
        return {name: torch.stack([one[name] for one in samples]).mean(dim=0) for name in names}


def initial_members(label: Block | None) -> Tensor | None:
    """Return which components each class has at first: bools of shape (n_classes, n_components).

    Return None if each class has one component.
    """
    if label is None or label.components_per_class == 1:
        return None
    classes = torch.eye(label.prior_size)
    return classes.repeat_interleave(label.components_per_class, dim=1).bool()


class SideBySide(nn.Module):
    """The decoder's input from a code: the concatenation of its blocks."""

    def __init__(self, blocks: Mapping[str, Block]) -> None:
        super().__init__()
        self.names = tuple(blocks)
        self.size = sum(block.size for block in blocks.values())

    def forward(self, code: Code) -> Tensor:
        return torch.cat([code[name] for name in self.names], dim=1)  # (batch, code)


class ClusterHeads(nn.Module):
    """The decoder's input from a code: the style plus the head of its class (section 7).

    The heads are the rows of `points` (class, style), and the label contains their weights.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.size, n_classes = architecture.blocks["style"].size, architecture.blocks["label"].size
        heads = architecture.cluster_heads
        if isinstance(heads, int | float):
            drawn = standard_normal(n_classes, self.size, architecture.seed)
            # wide enough for so many heads at this distance from each other
            width = 0.5 * float(heads) * n_classes ** (1.0 / self.size)
            self.points = nn.Parameter(width * drawn)
        else:
            self.register_buffer("points", torch.as_tensor(heads, dtype=torch.float32).clone())

    def forward(self, code: Code) -> Tensor:
        return code["label"] @ self.points.to(code["label"].dtype) + code["style"]


class Decoder(nn.Module):
    """p(x|code): maps codes to features, before the output activation."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.combine: SideBySide | ClusterHeads
        self.combine = (
            SideBySide(architecture.blocks)
            if architecture.cluster_heads is None
            else ClusterHeads(architecture)
        )
        n_inputs, hidden = self.combine.size, tuple(architecture.hidden)[::-1]
        n_outputs = architecture.n_outputs or architecture.n_features
        layers = (
            hidden,
            architecture.activation,
            architecture.dropout,
            architecture.batch_norm == "autoencoder",
        )
        self.body: nn.Module
        self.out: nn.Module = nn.Identity()
        if architecture.decoder is not None:
            self.body = UserModule("decoder", architecture.decoder, n_inputs, n_outputs)
        elif architecture.kind == "conv":
            assert architecture.image_shape is not None
            self.body = TransposedConvolutions(n_inputs, architecture.image_shape, *layers)
        else:
            widths = [n_inputs, *hidden]
            self.body = MLP(widths, *layers[1:])
            self.out = linear(widths[-1], n_outputs)

    def forward(self, code: Code, generator: torch.Generator | None = None) -> Tensor:
        return self.expand(self.combine(code), generator)

    def expand(self, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return features (batch, n_features) from outputs of `combine`."""
        return self.out(self.body(z, generator))


class Discriminator(nn.Module):
    """D(z): the logit of the probability that z is a sample of the prior.

    It has no dropout and no batch normalization. A class-conditional discriminator also gets the
    class of z as a one-hot vector, with a last entry for "unlabeled" (section 2.3 of the paper).
    The discriminator of a label gets the probabilities of classes, not of their components, because
    the prior is a distribution of classes.
    """

    def __init__(self, block: Block, architecture: Architecture) -> None:
        super().__init__()
        self.n_classes, self.by_component = block.n_classes, block.by_component
        n_inputs = block.prior_size + (block.n_classes + 1 if block.n_classes else 0)
        self.body: nn.Module
        self.out: nn.Module = nn.Identity()
        if architecture.discriminator is not None:
            self.body = UserModule("discriminator", architecture.discriminator, n_inputs, 1)
        else:
            widths = [n_inputs, *architecture.discriminator_hidden]
            self.body = MLP(widths, architecture.activation)
            self.out = linear(widths[-1], 1)

    def forward(
        self, z: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return logits (batch,); y contains the classes, -1 for "unlabeled"."""
        if self.n_classes:
            assert y is not None
            index = torch.where(y < 0, self.n_classes, y)
            condition = nn.functional.one_hot(index, self.n_classes + 1).to(z.dtype)
            z = torch.cat([z, condition], dim=1)
        return self.out(self.body(z, generator)).squeeze(1)


class AdversarialAutoencoder(nn.Module):
    """Encoder, decoder and one discriminator for each adversarial block of the code."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.posterior = POSTERIORS[architecture.posterior]()
        self.encoder = Encoder(architecture)
        self.decoder = Decoder(architecture)
        self.discriminators = nn.ModuleDict(
            {
                name: Discriminator(block, architecture)
                for name, block in architecture.blocks.items()
                if block.adversarial
            }
        )
        self.n_components = architecture.blocks["style"].size
        # number of classes of a label that is given with the row, 0 if the encoder computes it
        label = architecture.blocks.get("label")
        self.n_observed = label.size if label is not None and not label.latent else 0

    def code(
        self, outputs: Code, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Code:
        """Return a sample of the code from the encoder's outputs; without a generator, its mean.

        The label contains probabilities. If it is not computed but given, it is one-hot, from y.
        """
        style = outputs["style"]
        drawn = self.posterior.mean(style)
        if generator is not None and self.posterior.is_drawn:
            noise = torch.empty_like(drawn).normal_(generator=generator)
            drawn = self.posterior.draw(style, noise)
        if "label" in outputs:
            return {"label": torch.softmax(outputs["label"], dim=1), "style": drawn}
        if self.n_observed and y is not None:
            return {
                "label": nn.functional.one_hot(y, self.n_observed).to(drawn.dtype),
                "style": drawn,
            }
        return {"style": drawn}

    def discriminator_inputs(self, code: Code) -> Code:
        """Return the discriminators' inputs from a code; for a label, probabilities of classes."""
        return {
            name: self.encoder.classes(block) if name == "label" else block
            for name, block in code.items()
        }

    def forward(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return reconstructions of rows x before the output activation."""
        code = self.code(self.encoder(x, generator), y, generator)
        return self.decoder(code, generator)
