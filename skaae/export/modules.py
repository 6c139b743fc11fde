"""Fitted estimators as PyTorch modules, for gradients, for other devices and for export."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from skaae.clustering.merge import largest_components
from skaae.estimators.base import BaseAdversarialAutoencoder
from skaae.estimators.classes import DrawsClasses
from skaae.estimators.clusterer import AAEClusterer
from skaae.estimators.embedding import AAEEmbedding
from skaae.export.columns import TableColumns, TableInputs, TableOutputs, buffer

METHODS = ("transform", "predict_proba", "inverse_transform")


def to_torch(estimator, method):
    """Return a fitted estimator's method as a PyTorch module.

    The module takes and returns tensors in place of arrays. It includes the scaling, so its rows
    are in the units of X. It has its own copy of the weights: the estimator stays as it is.

    Parameters
    ----------
    estimator : AAETransformer, SupervisedAAETransformer, SemiSupervisedAAEClassifier, \
AAEClusterer, AAEEmbedding or AAEOutlierDetector
        A fitted estimator.
    method : {"transform", "predict_proba", "inverse_transform"}
        The method that the module computes. `AAEOutlierDetector` has no "predict_proba".

    Returns
    -------
    module : torch.nn.Module
        In evaluation mode, on the CPU. Its call is `module(X)` for a float32 or float64 tensor X of
        shape (n_samples, n_features), or (n_samples, n_components) for "inverse_transform". NaN is
        a missing value. The networks compute in float32; after `module.double()` they compute in
        float64, as the estimator does for float64 rows. Gradients with respect to X and the weights
        can be computed. For "inverse_transform" of `SupervisedAAETransformer`,
        `SemiSupervisedAAEClassifier` and `AAEClusterer`, the call is `module(Z, y)`, where y are
        the probabilities of classes or clusters, of shape (n_samples, n_classes). Without y they
        are the class proportions.

    Raises
    ------
    TypeError
        If `estimator` is no estimator of skaae.
    ValueError
        If the estimator does not have the method, or a column of X holds text, which tensors cannot
        hold.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from skaae import SemiSupervisedAAEClassifier, to_torch
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SemiSupervisedAAEClassifier(max_iter=20, random_state=0).fit(X, y)
    >>> module = to_torch(clf, "predict_proba")
    >>> rows = torch.tensor(X[:5], dtype=torch.float32, requires_grad=True)
    >>> probabilities = module(rows)
    >>> probabilities.shape
    torch.Size([5, 3])
    >>> probabilities[:, 0].sum().backward()  # how the first class depends on the measurements
    >>> rows.grad.shape
    torch.Size([5, 4])
    """
    check_method(estimator, method, METHODS)
    columns = TableColumns(estimator._table)
    if columns.text:
        raise ValueError(
            f"column {columns.text[0].name!r} holds text, which a tensor cannot hold; use "
            "skaae.export_onnx, or give its categories as numbers, name it in "
            "categorical_features, and fit again."
        )
    return one_tensor(estimator, method)


def check_method(estimator: Any, method: Any, methods: tuple[str, ...]) -> None:
    """Raise an error if an estimator is none of ours, is not fitted, or lacks a method."""
    if not isinstance(estimator, BaseAdversarialAutoencoder):
        raise TypeError(
            f"{type(estimator).__name__} is no estimator of skaae; give a fitted one. Of a "
            "pipeline, give the step; of a search, give best_estimator_."
        )
    check_is_fitted(estimator)
    # a prediction is exported as the most probable class or cluster
    needed = {"predict": "predict_proba"}
    there = [name for name in methods if hasattr(estimator, needed.get(name, name))]
    if method not in there:
        raise ValueError(
            f"method={method!r} cannot be exported for {type(estimator).__name__}; it must be one "
            f"of {there}."
        )


class Core(nn.Module):
    """A method as a module: `forward` takes the columns that are no text, and the text columns.

    Text columns, (n_rows, n_text), are given and returned as indices of their categories.

    Attributes
    ----------
    n_classes : number of classes whose probabilities are part of the input; 0 for none.
    """

    n_classes: int = 0


class Encode(Core):
    """The encoder's outputs for rows of X, and what a method makes of them."""

    def __init__(self, estimator: Any) -> None:
        super().__init__()
        self.inputs = TableInputs(estimator._table)
        self.encoder = own(estimator._step.trained.encoder)


class Style(Encode):
    """The mean style of rows."""

    def __init__(self, estimator: Any) -> None:
        super().__init__(estimator)
        self.posterior = estimator._step.trained.posterior

    def forward(self, X: Tensor | None, text: Tensor | None = None) -> Tensor:
        return self.posterior.mean(self.encoder(self.inputs(X, text))["style"])


class Embed(Style):
    """The points of an embedding: the style, plus the mean of the heads if there are any."""

    def __init__(self, estimator: Any) -> None:
        super().__init__(estimator)
        self.combine = own(estimator._step.trained.decoder.combine)

    def forward(self, X: Tensor | None, text: Tensor | None = None) -> Tensor:
        outputs = self.encoder(self.inputs(X, text))
        code = {"style": self.posterior.mean(outputs["style"])}
        if "label" in outputs:
            code["label"] = torch.softmax(outputs["label"], dim=1)
        return self.combine(code)


class Probabilities(Encode):
    """The probabilities of classes, or of clusters."""

    log_weights: Tensor
    components: Tensor
    members: Tensor

    def __init__(self, estimator: Any) -> None:
        super().__init__(estimator)
        weights = np.asarray(getattr(estimator, "_log_class_weights", 0.0))
        self.has_weights = bool(weights.any())
        self.register_buffer("log_weights", buffer(weights, torch.float32))
        self.merges = isinstance(estimator, AAEClusterer)
        merged = estimator._merged if self.merges else None
        self.register_buffer("components", buffer([] if merged is None else merged.components))
        members = np.zeros((0, 0)) if merged is None else merged.members().T
        self.register_buffer("members", buffer(members, torch.float32))

    def forward(self, X: Tensor | None, text: Tensor | None = None) -> Tensor:
        logits = self.encoder.class_logits(self.encoder(self.inputs(X, text)))
        if self.merges:
            chosen = logits.index_select(1, self.components)
            return torch.softmax(chosen, dim=1) @ self.members
        if self.has_weights:
            logits = logits + self.log_weights
        return torch.softmax(logits, dim=1)


class Decode(Core):
    """Rows of codes, and of probabilities of classes where these are part of the code."""

    proportions: Tensor
    within: Tensor
    unit: Tensor

    def __init__(self, estimator: Any) -> None:
        super().__init__()
        step = estimator._step
        # has the dtype of the networks
        self.register_buffer("unit", torch.ones(()), persistent=False)
        self.outputs = TableOutputs(estimator._table, sigmoid=step.reconstruction.sigmoid)
        self.decoder = own(step.trained.decoder)
        self.is_embedding = isinstance(estimator, AAEEmbedding)
        if isinstance(estimator, DrawsClasses) and not self.is_embedding:
            proportions = estimator._label_values()[1]
            within = estimator._component_proportions()
            within = np.eye(len(proportions)) if within is None else within
            self.n_classes = len(proportions)
            self.register_buffer("proportions", buffer(proportions, torch.float32))
            self.register_buffer("within", buffer(largest_components(within), torch.float32))

    def forward(self, Z: Tensor, y: Tensor | None = None) -> tuple[Tensor | None, Tensor | None]:
        style = Z.to(self.unit.dtype)
        if self.is_embedding:
            found = self.decoder.expand(style)
        elif self.n_classes:
            label = self.proportions.expand(Z.shape[0], -1) if y is None else y
            found = self.decoder({"label": label.to(style.dtype) @ self.within, "style": style})
        else:
            found = self.decoder({"style": style})
        values, text = self.outputs(found)
        given = Z if Z.is_floating_point() else style
        return None if values is None else values.to(given.dtype), text


class OneTensor(nn.Module):
    """A method of an estimator whose rows are one tensor, as they hold no text."""

    def __init__(self, core: Core, n_columns: int, mixed_up: object = None) -> None:
        super().__init__()
        self.core, self.n_columns, self.mixed_up = core, n_columns, mixed_up
        self.decodes = isinstance(core, Decode)
        self.eval()

    def forward(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        if X.ndim != 2 or X.shape[1] != self.n_columns:
            raise ValueError(
                f"the rows have shape {tuple(X.shape)}; they must be a tensor of shape "
                f"(n_samples, {self.n_columns})."
            )
        if self.mixed_up is not None and X.is_floating_point() and X.dtype != torch.float64:
            raise ValueError(
                f"column {self.mixed_up!r} has categories that are the same number in float32; "
                f"pass {'codes' if self.decodes else 'rows'} in float64, or make the categories "
                "text and fit again."
            )
        if not self.decodes:
            return self.core(X)
        if y is not None and y.shape[1:] != (self.core.n_classes,):
            raise ValueError(
                f"y has shape {tuple(y.shape)}; it must be a tensor of probabilities of shape "
                f"(n_samples, {self.core.n_classes})."
            )
        return self.core(X, y)[0]


def one_tensor(estimator: Any, method: str) -> OneTensor:
    """Return the module of a method of an estimator whose rows hold no text."""
    n_codes = estimator._settings.n_components
    n_columns = n_codes if method == "inverse_transform" else estimator.n_features_in_
    mixed_up = TableColumns(estimator._table).mixed_up_in("float32")
    return OneTensor(core_of(estimator, method), n_columns, mixed_up)


def core_of(estimator: Any, method: str) -> Core:
    """Return the module of a method."""
    if method == "inverse_transform":
        return Decode(estimator)
    if method == "predict_proba":
        return Probabilities(estimator)
    return Embed(estimator) if isinstance(estimator, AAEEmbedding) else Style(estimator)


def own(module: nn.Module) -> Any:
    """Return a copy of a trained module for inference, on the CPU."""
    return copy.deepcopy(module).cpu().eval()
