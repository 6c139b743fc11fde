"""The classes whose objects a file of an estimator may contain, and how each is written.

A name in `ESTIMATORS` or of a codec never changes: older files contain it.
"""

from __future__ import annotations

import dataclasses
import math
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skaae import priors
from skaae.clustering.merge import MergedClusters
from skaae.columns.categories import Categories as ColumnCategories
from skaae.columns.dtypes import dtype_of
from skaae.columns.frames import Column
from skaae.columns.gaps import Expectation
from skaae.columns.layout import Layout
from skaae.columns.plain_frames import Frame
from skaae.columns.quantiles import Knots, QuantileScaling
from skaae.columns.scaling import Scaling
from skaae.columns.schema import Schema
from skaae.columns.table import Table
from skaae.estimators.classifier import SemiSupervisedAAEClassifier
from skaae.estimators.clusterer import AAEClusterer
from skaae.estimators.embedding import AAEEmbedding
from skaae.estimators.options import (
    MLP,
    SGD,
    Adam,
    Categories,
    Checkpoint,
    Conv,
    VirtualAdversarial,
)
from skaae.estimators.outliers import AAEOutlierDetector
from skaae.estimators.recipes import Recipe
from skaae.estimators.styles import StylesOfLabels
from skaae.estimators.supervised import SupervisedAAETransformer
from skaae.estimators.transformer import AAETransformer
from skaae.files.kinds import Codec, FileKind, TooLarge, dataclass_codec
from skaae.neighbours import Neighbourhood
from skaae.networks.autoencoder import Architecture, Block
from skaae.priors._drawn import Drawn, draw_callable, draw_estimator, draw_scipy
from skaae.training.augmentation import Augmentation
from skaae.training.optimizers import PhaseRates
from skaae.training.schedule import Schedule, Stage
from skaae.training.settings import Settings

ESTIMATORS = {
    of.__name__: of
    for of in (
        AAETransformer,
        SupervisedAAETransformer,
        SemiSupervisedAAEClassifier,
        AAEClusterer,
        AAEEmbedding,
        AAEOutlierDetector,
    )
}
# Most components of a shape.
MOST_COMPONENTS = 2**16
RANDOM_STATE_WORDS = 624
DRAWS = {"scipy": draw_scipy, "estimator": draw_estimator, "callable": draw_callable}


def options_codec(of: type) -> Codec:
    """Return the codec of parameter objects, whose values `fit` checks as always."""
    names = {field.name for field in dataclasses.fields(of)}

    def from_fields(found: dict[str, Any]) -> Any:
        unknown = sorted(found.keys() - names)
        if unknown:
            raise ValueError(f"{of.__name__} has no parameter {unknown[0]!r}")
        return of(**found)

    return Codec(of.__name__, of, lambda value: value.get_params(deep=False), from_fields)


def prior_codec(of: type) -> Codec:
    """Return the codec of a prior, which must not need much more memory than its parameters."""
    plain = dataclass_codec(of)

    def from_fields(found: dict[str, Any]) -> Any:
        require_small(found)
        return plain.from_fields(found)

    return Codec(plain.name, of, plain.to_fields, from_fields, covariances_of)


def covariances_of(found: Mapping[str, Any]) -> int:
    """Return how many numbers of the covariance matrices of a prior are not in its fields."""
    shape = np.shape(found.get("means", 0.0))
    whole = math.prod(shape) * (shape[-1] if shape else 0)
    return max(0, whole - np.size(found.get("covariances", 1.0)))


def require_small(found: Mapping[str, Any]) -> None:
    """Raise TooLarge if a prior with these parameters would need very much memory."""
    for name in ("n_petals", "n_stretches"):
        if isinstance(found.get(name), int | np.integer) and found[name] > MOST_COMPONENTS:
            raise TooLarge(f"{name} is {found[name]}, above {MOST_COMPONENTS}")


def drawn_codec() -> Codec:
    """Return the codec of priors that draw from a user's object, which is left out."""
    names = {function: name for name, function in DRAWS.items()}

    def from_fields(found: dict[str, Any]) -> Drawn:
        return Drawn(found["source"], DRAWS[found["draw"]])

    return Codec("Drawn", Drawn, lambda v: {"source": v.source, "draw": names[v.draw]}, from_fields)


def augmentation_codec() -> Codec:
    """Return the codec of an augmentation, whose function is left out."""

    def from_fields(found: dict[str, Any]) -> Augmentation:
        if not callable(found["function"]) or not isinstance(found["scaling"], Scaling):
            raise ValueError("it needs a function and a scaling")
        return Augmentation(found["function"], found["scaling"])

    return Codec(
        "Augmentation",
        Augmentation,
        lambda value: {"function": value.function, "scaling": value.scaling},
        from_fields,
    )


def architecture_codec() -> Codec:
    """Return the codec of an architecture, whose factories of user modules are left out."""
    plain = dataclass_codec(Architecture)

    def from_fields(found: dict[str, Any]) -> Architecture:
        factories = {
            name: found.pop(name, None) for name in ("encoder", "decoder", "discriminator")
        }
        if not all(value is None or callable(value) for value in factories.values()):
            raise ValueError("a factory of networks must be a function")
        return dataclasses.replace(plain.from_fields(found), **factories)

    return Codec(plain.name, Architecture, plain.to_fields, from_fields)


def random_state_codec() -> Codec:
    """Return the codec of NumPy's older generator, for the parameter `random_state`."""

    def from_fields(found: dict[str, Any]) -> np.random.RandomState:
        key, position = found["key"], found["pos"]
        fits = isinstance(key, np.ndarray) and key.dtype == np.uint32
        if not fits or key.shape != (RANDOM_STATE_WORDS,) or not isinstance(position, int):
            raise ValueError(f"its key must be {RANDOM_STATE_WORDS} words")
        if not 0 <= position <= RANDOM_STATE_WORDS or not key.any():
            raise ValueError("its position must be one of the words of its key")
        state = np.random.RandomState(0)
        rest = int(found["has_gauss"]), float(found["gauss"])
        state.set_state(("MT19937", key, position, *rest))
        return state

    def to_fields(value: np.random.RandomState) -> dict[str, Any]:
        found = value.get_state(legacy=False)
        if found["bit_generator"] != "MT19937":
            raise TypeError(
                f"random_state uses the bit generator {found['bit_generator']!r}, which files do "
                "not hold; use MT19937, which RandomState(seed) has."
            )
        rest = {name: found[name] for name in ("has_gauss", "gauss")}
        return {"key": found["state"]["key"], "pos": int(found["state"]["pos"]), **rest}

    return Codec("RandomState", np.random.RandomState, to_fields, from_fields)


def device_codec() -> Codec:
    """Return the codec of PyTorch's devices."""

    def from_fields(found: dict[str, Any]) -> torch.device:
        if not isinstance(found["name"], str):
            raise ValueError("the name of a device must be a string")
        try:
            return torch.device(found["name"])
        except RuntimeError as error:
            raise ValueError(f"{found['name']!r:.40} is no device") from error

    return Codec("device", torch.device, lambda value: {"name": str(value)}, from_fields)


def path_codec() -> Codec:
    """Return the codec of paths, which the parameter `checkpoint` may be."""

    def from_fields(found: dict[str, Any]) -> Path:
        if not isinstance(found["path"], str):
            raise ValueError("a path must be a string")
        return Path(found["path"])

    return Codec("Path", type(Path()), lambda value: {"path": str(value)}, from_fields)


def column_codec() -> Codec:
    """Return the codec of a column, with the dtype that its data frame had."""
    plain = dataclass_codec(Column)

    def from_fields(found: dict[str, Any]) -> Column:
        dtype = found.get("dtype")
        if not (dtype is None or isinstance(dtype, np.dtype | dict)):
            raise ValueError(f"dtype of a column is {dtype!r:.60}")
        return plain.from_fields({**found, "dtype": dtype_of(dtype)})

    return Codec(plain.name, Column, Column.__getstate__, from_fields)


def quantiles_codec() -> Codec:
    """Return the codec of a scaling by quantiles: one array for the values of all columns."""
    names = ("values", "scores", "back_values", "back_scores")

    def to_fields(value: QuantileScaling) -> dict[str, Any]:
        parts = {name: [getattr(knots, name) for knots in value.columns] for name in names}
        found = {name: np.concatenate([*arrays, np.empty(0)]) for name, arrays in parts.items()}
        for name in ("values", "back_values"):
            found[f"n_{name}"] = np.array([len(array) for array in parts[name]], dtype=np.int64)
        return {**found, "variances": value.variances.astype(np.float64)}

    def from_fields(found: dict[str, Any]) -> QuantileScaling:
        variances, parts = found["variances"], {}
        for name in names:
            counts = found["n_back_values" if name.startswith("back") else "n_values"]
            arrays = isinstance(counts, np.ndarray) and isinstance(found[name], np.ndarray)
            if not arrays or counts.dtype != np.int64 or found[name].dtype != np.float64:
                raise ValueError(f"{name!r} and its counts must be arrays of numbers")
            ends = np.cumsum(np.minimum(counts, found[name].size))
            sound = (counts > 0).all() and (ends[-1] if len(ends) else 0) == len(found[name])
            if found[name].ndim != 1 or counts.ndim != 1 or not sound:
                raise ValueError(f"{name!r} does not have the counts of its columns")
            parts[name] = np.split(found[name], ends[:-1]) if len(ends) else []
        if not isinstance(variances, np.ndarray) or variances.dtype != np.float64:
            raise ValueError("its variances must be an array of numbers")
        columns = zip(*parts.values(), variances.tolist(), strict=True)
        return QuantileScaling(tuple(Knots(*column) for column in columns))

    return Codec("QuantileScaling", QuantileScaling, to_fields, from_fields)


def ordered_dict_codec() -> Codec:
    """Return the codec of ordered dicts, which `class_weight` may be."""
    return Codec(
        "OrderedDict",
        OrderedDict,
        lambda value: {"items": list(value.items())},
        lambda found: OrderedDict(found["items"]),
    )


CODECS = (
    *map(options_codec, (MLP, Conv, SGD, Adam, VirtualAdversarial, Categories, Checkpoint)),
    *map(
        prior_codec,
        (
            priors.Gaussian,
            priors.Uniform,
            priors.GaussianMixture,
            priors.Petals,
            priors.SwissRoll,
            priors.Categorical,
        ),
    ),
    *map(
        dataclass_codec,
        (
            *(Settings, Block, PhaseRates, Schedule, Stage, Recipe),
            *(Table, Schema, Scaling, Layout, Expectation),
            *(MergedClusters, StylesOfLabels, Neighbourhood, Frame),
        ),
    ),
    quantiles_codec(),
    dataclass_codec(ColumnCategories, "ColumnCategories"),
    architecture_codec(),
    augmentation_codec(),
    column_codec(),
    device_codec(),
    drawn_codec(),
    ordered_dict_codec(),
    path_codec(),
    random_state_codec(),
)
ESTIMATOR_FILE = FileKind("estimator", CODECS)
