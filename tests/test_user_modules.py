"""Modules of users that keep buffers, work in place, share weights or make weights late."""

import copy

import numpy as np
import pytest
import torch
from conftest import FITS
from torch import nn

from skaae import MLP, AAETransformer, SemiSupervisedAAEClassifier
from skaae.training.average import inference_state


class Centred(nn.Module):
    """Subtracts a running mean that it keeps in a buffer, and counts its batches."""

    def __init__(self, n_inputs, n_outputs, *, rebinds):
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_inputs))
        self.register_buffer("most", torch.full((n_inputs,), -torch.inf))
        self.register_buffer("n_batches", torch.zeros((), dtype=torch.int64))
        self.layer, self.rebinds = nn.Linear(n_inputs, n_outputs), rebinds

    def forward(self, x):
        if self.training and self.rebinds:
            with torch.no_grad():
                self.mean = 0.9 * self.mean + 0.1 * x.mean(dim=0)
                self.most = torch.maximum(self.most, x.max(dim=0).values)
                self.n_batches = self.n_batches + 1
        elif self.training:
            with torch.no_grad():
                self.mean.lerp_(x.mean(dim=0), 0.1)
                self.most.copy_(torch.maximum(self.most, x.max(dim=0).values))
                self.n_batches.add_(1)
        return self.layer(x - self.mean)


def fit(cls=AAETransformer, y=None, *, X, **network):
    params = {"max_iter": 3, "scaling": None, **FITS}
    model = cls(network=MLP(**network), **params)
    return model.fit(X) if y is None else model.fit(X, y)


@pytest.mark.parametrize("rebinds", [True, False])
def test_buffers_of_a_module_are_those_of_training(blobs, few_labels, rebinds):
    """With average weights too, as the classifier has them."""
    fitted = fit(
        SemiSupervisedAAEClassifier,
        few_labels,
        X=blobs[0],
        encoder=lambda n, m: Centred(n, m, rebinds=rebinds),
    )
    step = fitted._step
    assert step.trained is not step.networks
    trained, used = (part.encoder.trunk.module for part in (step.networks, step.trained))
    assert used.n_batches > 0
    for name, buffer in trained.named_buffers():
        assert torch.equal(buffer, used.get_buffer(name))
    assert not torch.equal(trained.layer.weight, used.layer.weight)  # an average


class InPlace(nn.Linear):
    def forward(self, x):
        x -= 0.5
        return super().forward(x)


def test_a_module_that_works_in_place_changes_no_rows(blobs):
    X = blobs[0].astype(np.float32)
    before, validation = X.copy(), X[:20].copy()
    for name in ("encoder", "decoder"):
        model = AAETransformer(network=MLP(**{name: InPlace}), max_iter=2, scaling=None, **FITS)
        model.fit(X, X_val=validation)
        np.testing.assert_array_equal(X, before)
        np.testing.assert_array_equal(validation, before[:20])
        errors = 0.5 * np.square(model.reconstruct(X) - X).sum(axis=1)
        np.testing.assert_allclose(-model.score_samples(X), errors, rtol=1e-4)


def test_weights_that_a_lazy_layer_makes_are_trained(blobs):
    def lazy(n_inputs, n_outputs):
        return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, n_outputs))

    short, long = (
        AAETransformer(network=MLP(encoder=lazy), max_iter=n, **FITS).fit(blobs[0]) for n in (1, 5)
    )
    first, second = (model._step.networks.encoder.trunk.module[0].weight for model in (short, long))
    assert first.requires_grad
    assert not torch.equal(first, second)


def test_a_weight_that_encoder_and_decoder_share_is_trained_once(blobs):
    shared = nn.Parameter(torch.zeros(2, 6))

    class Tied(nn.Module):
        def __init__(self, forth):
            super().__init__()
            self.weight, self.forth = shared, forth

        def forward(self, x):
            return nn.functional.linear(x, self.weight if self.forth else self.weight.T)

    model = fit(
        X=blobs[0], encoder=lambda n, m: Tied(forth=True), decoder=lambda n, m: Tied(forth=False)
    )
    weights = model._step.optimizers["reconstruction"].weights
    assert len(weights) == len({id(weight) for weight in weights}) == 1
    assert sum(t.shape == shared.shape for t in inference_state(model._step.networks)) == 1


def test_one_module_cannot_serve_two_fits(blobs):
    module = nn.Linear(6, 2)
    fitted = fit(X=blobs[0], encoder=lambda n, m: module)
    codes = fitted.transform(blobs[0])
    with pytest.raises(ValueError, match="another model or an earlier fit has"):
        copy.copy(fitted).fit(blobs[0])
    np.testing.assert_array_equal(fitted.transform(blobs[0]), codes)


@pytest.mark.parametrize("name", ["encoder", "decoder", "discriminator"])
def test_modules_with_spectral_normalization_read_float64(blobs, name):
    def normal(n_inputs, n_outputs):
        return nn.utils.spectral_norm(nn.Linear(n_inputs, n_outputs))

    model = fit(X=blobs[0], **{name: normal})
    X = blobs[0].astype(np.float32)
    narrow, wide = model.transform(X), model.transform(X.astype(np.float64))
    np.testing.assert_allclose(wide, narrow, rtol=1e-4, atol=1e-5)


def test_a_buffer_may_be_none_at_first_or_later(blobs, few_labels):
    class Late(nn.Module):
        def __init__(self, n_inputs, n_outputs):
            super().__init__()
            self.layer = nn.Linear(n_inputs, n_outputs)
            self.register_buffer("mean", None)
            self.register_buffer("first", torch.zeros(n_inputs))

        def forward(self, x):
            if self.training:
                self.mean, self.first = x.detach().mean(dim=0), None
            return self.layer(x if self.mean is None else x - self.mean)

    fitted = fit(SemiSupervisedAAEClassifier, few_labels, X=blobs[0], encoder=Late)
    used = fitted._step.trained.encoder.trunk.module
    assert torch.equal(used.mean, fitted._step.networks.encoder.trunk.module.mean)
    assert used.first is None


def test_frozen_weights_may_serve_many_fits(blobs):
    frozen = nn.Linear(6, 6).requires_grad_(False)
    models = [
        fit(X=blobs[0], encoder=lambda n, m: nn.Sequential(frozen, nn.Linear(n, m)))
        for _ in range(2)
    ]
    np.testing.assert_array_equal(models[0].transform(blobs[0]), models[1].transform(blobs[0]))


def test_modules_of_one_model_may_share_weights(blobs):
    shared = nn.Linear(6, 6)
    fit(
        X=blobs[0],
        encoder=lambda n, m: nn.Sequential(shared, nn.Linear(6, m)),
        decoder=lambda n, m: nn.Sequential(nn.Linear(n, 6), shared),
    )
    with pytest.raises(ValueError, match="another model or an earlier fit has"):
        fit(X=blobs[0], encoder=lambda n, m: nn.Sequential(shared, nn.Linear(6, m)))
