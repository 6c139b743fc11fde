"""What the checks look at: what the networks of a fitted estimator say of some rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_consistent_length

from skaae import inference
from skaae.columns.network_rows import NetworkRows
from skaae.device import cpu_generator
from skaae.diagnosis import statistics
from skaae.estimators import rates
from skaae.estimators.labels import lookup_labels
from skaae.estimators.model import are_auto
from skaae.estimators.options import replace_auto
from skaae.unlabeled import UNLABELED

# Most rows of a check, drawn at random, and of those whose time grows faster than the rows.
MOST_ROWS, FEW_ROWS = 2_000, 1_000
# Learning rates of the solver.
RATES = {
    "reconstruction_learning_rate": "reconstruction",
    "adversarial_learning_rate": "generator",
    "classification_learning_rate": "classification",
}
# Samples of each component of a prior.
N_OF_COMPONENT = 100


@dataclass(frozen=True)
class Evidence:
    """A fitted estimator and some rows.

    Parameters
    ----------
    estimator : the estimator.
    rows : `NetworkRows`, (n_rows, n_inputs).
    targets : (n_rows,) class indices of the rows, -1 where unlabeled, or None.
    index : (n_rows,) places of the rows in the user's X.
    n_all : number of rows of the user's X.
    seed : seed of samples and of classifiers.
    """

    estimator: Any
    rows: NetworkRows
    targets: np.ndarray | None
    index: np.ndarray
    n_all: int
    seed: int

    @property
    def step(self):
        """The training step of the estimator."""
        return self.estimator._step

    @property
    def settings(self):
        """The settings of the training step."""
        return self.estimator._settings

    @property
    def blocks(self):
        """The blocks of the code, by name."""
        return self.settings.architecture.blocks

    @property
    def follows_prior(self):
        """Whether a discriminator or a penalty should make the style follow a prior."""
        return self.step.has_prior_penalty or "style" in self.step.networks.discriminators

    @cached_property
    def inputs(self):
        """The rows as the encoder sees them, float32 (n_rows, n_inputs)."""
        return self.rows[:].astype(np.float32, copy=False)

    @cached_property
    def code(self):
        """The mean code of each row, by block."""
        code = {"style": inference.encode(self.step, self.inputs, "style")}
        if "label" not in self.blocks:
            return code
        if self.blocks["label"].latent:
            label = inference.encode(self.step, self.inputs, "label")
        else:
            label = np.eye(self.blocks["label"].size, dtype=np.float32)[self.targets]
        return {"label": label, **code}

    @cached_property
    def styles(self):
        """A sample of the style of each row: all together follow the prior if training succeeds."""
        if not self.step.networks.posterior.is_drawn and not self.step.networks.encoder.n_noise:
            return self.code["style"]
        drawn = inference.draw_codes(self.step, self.inputs, 1, cpu_generator(self.seed))
        return drawn[:, 0]

    @cached_property
    def own_components(self):
        """The component of the prior that each style should follow; None for the whole prior."""
        return self.targets if self.blocks["style"].by_component else None

    @cached_property
    def prior_samples(self):
        """As many samples of the prior as there are rows."""
        return self._draw_style(len(self.styles), self.own_components)

    def component_samples(self, n_components):
        """Return samples of each component of the prior, and the component of each sample."""
        components = np.arange(n_components * N_OF_COMPONENT) % n_components
        return self._draw_style(len(components), components), components

    def _draw_style(self, n_samples, y):
        """Return samples of the prior of the style, or of its components y."""
        prior, generator = self.settings.priors["style"], cpu_generator(self.seed)
        samples = prior.sample(n_samples, self.settings.n_components, y=y, generator=generator)
        return samples.float().numpy()

    def discriminator_logits(self, name):
        """Return the logits of a block's discriminator for samples of the prior, and for codes."""
        discriminator, device = self.step.networks.discriminators[name], self.step.generator.device
        if name == "style":
            samples, seen = self.prior_samples, self.styles
        else:
            members = self.step.trained.encoder.members
            seen = self.code[name]
            seen = seen if members is None else seen @ members.cpu().numpy().T.astype(seen.dtype)
            prior, generator = self.settings.priors[name], cpu_generator(self.seed)
            samples = prior.sample(*seen.shape, generator=generator).float().numpy()
        classes = None
        if discriminator.n_classes:
            unlabeled = np.full(len(seen), UNLABELED)
            found = unlabeled if self.targets is None else self.targets
            classes = torch.from_numpy(found).to(device)
        with torch.inference_mode():
            pair = [discriminator(torch.tensor(z, device=device), classes) for z in (samples, seen)]
        return [logits.float().cpu().numpy() for logits in pair]

    def decode(self, code):
        """Return decoded codes in the units of the networks, (n_rows, n_outputs)."""
        return inference.decode(self.step, code)

    @cached_property
    def outputs(self):
        """The reconstruction of each row, in the units of the networks."""
        return self.decode(self.code)

    @cached_property
    def known(self):
        """The rows in the units of `outputs`; their gaps have the values of the reconstruction."""
        layout = self.settings.layout
        if layout is None or layout.is_plain:
            return self.inputs
        found = self.inputs[:, : layout.n_outputs].copy()
        missing = self.inputs[:, layout.n_outputs :] > 0.5
        for place, column in enumerate(layout.gaps):
            rows, entries = missing[:, place], layout.entries(column)
            found[rows, entries] = self.outputs[rows, entries]
        return found

    @cached_property
    def logits(self):
        """The logits of the classes or clusters that are predicted, (n_rows, n_classes)."""
        if hasattr(self.estimator, "_weighted_logits"):
            return self.estimator._weighted_logits(self.inputs)
        return inference.logits(self.step, self.inputs)

    @cached_property
    def groups(self):
        """The largest entry of the label of each row, (n_rows,); 0 without a label."""
        if "label" not in self.blocks:
            return np.zeros(len(self.inputs), dtype=np.int64)
        return self.code["label"].argmax(axis=1)

    @cached_property
    def variance(self):
        """The variance of the rows, and how much of it a code of this size can explain linearly.

        That are the differences between labels, and as many principal components within them as the
        style has dimensions. A pair (within labels, all), each of (possible, total).
        """
        few = slice(FEW_ROWS)
        size, known = self.settings.n_components, self.known[few]
        within, possible = statistics.principal_variance(known, self.groups[few], size)
        total = statistics.mean_square(known - known.mean(axis=0))
        return (possible, within), (possible + total - within, total)


def remedy(evidence, otherwise):
    """Return advice: to take back what was changed of the training, or else something other."""
    estimator = evidence.estimator
    used = [name for name, phase in RATES.items() if phase in evidence.settings.rates]
    changed = [name for name in used if not are_auto(getattr(estimator.solver, name, "auto"))]
    if changed:
        return f"Set {' and '.join(changed)} of the solver to 'auto'."
    recipe, n_rows = estimator._recipe, evidence.n_all
    batch_size = min(replace_auto(estimator.batch_size, recipe.batch_size), n_rows)
    auto = rates.epochs("auto", n_rows, batch_size, recipe)
    if not are_auto(estimator.max_iter) and estimator.n_iter_ < auto:
        return "Raise max_iter, or set it to 'auto'."
    return otherwise


def gather(estimator, X, y, seed, name="X"):
    """Return the evidence of rows X with labels y, and that of the labeled rows alone.

    Each has at most MOST_ROWS rows. The second is None without labels. `name` is that of the
    argument X.
    """
    rows = estimator._check_rows(X)
    targets = read_targets(estimator, y, rows, name.replace("X", "y"))
    everything = np.arange(rows.shape[0])
    evidence = some(estimator, rows, targets, everything, seed)
    labeled = everything if targets is None else everything[targets != UNLABELED]
    if targets is None or len(labeled) == 0:
        return evidence, None
    return evidence, some(estimator, rows, targets, labeled, seed)


def some(estimator, rows, targets, index, seed):
    """Return the evidence of at most MOST_ROWS of the checked rows with an index.

    If there are more than FEW_ROWS, they are in random order, so that any slice is a fair sample.
    """
    if len(index) > FEW_ROWS:
        index = np.random.default_rng(seed).permutation(index)[:MOST_ROWS]
    chosen = NetworkRows(rows, estimator._table).select(index)
    targets = None if targets is None else targets[index]
    return Evidence(estimator, chosen, targets, index, rows.shape[0], seed)


def read_targets(estimator, y, rows, name):
    """Return the class index of each row, or None if the estimator has learned no classes."""
    classes = getattr(estimator, "classes_", None)
    observed = bool(estimator._step.networks.n_observed)
    if classes is None or len(classes) == 0 or (y is None and not observed):
        return None
    marker, kind = estimator._marker(), type(estimator).__name__
    targets = lookup_labels(y, classes, marker, estimator_name=kind, name=name)
    check_consistent_length(rows, targets)
    if observed:
        estimator._require_labels(targets)
    return targets
