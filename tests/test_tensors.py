"""PyTorch tensors as rows, with scikit-learn's array API dispatch."""

import numpy as np
import pytest
import sklearn
import torch
from conftest import FITS

from skaae import (
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    AAETransformer,
    SemiSupervisedAAEClassifier,
    SupervisedAAETransformer,
)

ESTIMATORS = [
    AAETransformer,
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    SemiSupervisedAAEClassifier,
    SupervisedAAETransformer,
]
OF_X = ["predict", "predict_proba", "transform", "decision_function", "reconstruct"]


@pytest.fixture
def dispatched():
    """Skip where scikit-learn needs a package for dispatch that is not there."""
    try:
        with sklearn.config_context(array_api_dispatch=True):
            pass
    except ImportError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("dispatched")
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_tensors_in_and_out(blobs, few_labels, device, kind):
    X, y = blobs
    y = y if kind is SupervisedAAETransformer else few_labels
    fast = {"max_iter": 2, **FITS}
    with_arrays = kind(**fast).fit(X, y)
    rows, labels = torch.from_numpy(X).to(device), torch.from_numpy(y)
    with sklearn.config_context(array_api_dispatch=True):
        model = kind(**fast).fit(rows, labels)
        for name in OF_X:
            if not hasattr(model, name) or (name == "reconstruct" and kind is ESTIMATORS[-1]):
                continue
            found = getattr(model, name)(rows)
            assert isinstance(found, torch.Tensor), name
            assert found.device == rows.device
            np.testing.assert_array_equal(found.cpu().numpy(), getattr(with_arrays, name)(X))
        codes = model.transform(X=rows)
        assert codes.dtype == torch.float64
        assert model.transform(rows.float()).dtype == torch.float32
        assert isinstance(model.transform(X), np.ndarray)
        if kind is SemiSupervisedAAEClassifier:
            assert isinstance(model.score(rows, labels), float)
            assert isinstance(model.inverse_transform(codes, y=labels.clamp(min=0)), torch.Tensor)


@pytest.mark.usefixtures("dispatched")
def test_classes_that_are_no_numbers_are_an_array(blobs, few_labels):
    X, _ = blobs
    names = np.array(["a", "b", "c", None], dtype=object)[few_labels]
    rows = torch.from_numpy(X)
    with sklearn.config_context(array_api_dispatch=True):
        model = SemiSupervisedAAEClassifier(max_iter=2, **FITS).fit(rows, names)
        assert set(model.predict(rows)) <= {"a", "b", "c"}
        assert isinstance(model.predict_proba(rows), torch.Tensor)


def test_without_dispatch_tensors_become_arrays(blobs):
    rows = torch.from_numpy(blobs[0])
    model = AAETransformer(max_iter=2, **FITS).fit(rows)
    assert isinstance(model.transform(rows), np.ndarray)


def test_tensors_with_gradients_and_of_other_dtypes_are_taken(blobs):
    X, y = torch.tensor(blobs[0]), torch.tensor(blobs[1])
    expected = SemiSupervisedAAEClassifier(max_iter=2, unlabeled_label=None, **FITS)
    expected = expected.fit(blobs[0], blobs[1]).predict_proba(blobs[0])
    model = SemiSupervisedAAEClassifier(max_iter=2, unlabeled_label=None, **FITS)
    found = model.fit(X.requires_grad_(), y).predict_proba(X)
    np.testing.assert_array_equal(found, expected)
    assert model.sample(3, y[:3].float().requires_grad_()).shape == (3, X.shape[1])
    assert model.fit(X.bfloat16(), y.bfloat16()).predict_proba(X).shape == (len(y), 3)


@pytest.mark.usefixtures("dispatched")
def test_models_within_a_fit_get_arrays(blobs):
    """A mixture of Gaussians of scikit-learn refuses its own parameters where it dispatches."""
    with sklearn.config_context(array_api_dispatch=True):
        labels = AAEClusterer(3, init="mixture", max_iter=2, **FITS).fit(blobs[0]).labels_
    assert len(np.unique(labels)) == 3
