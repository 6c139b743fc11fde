"""Estimators in files without pickle, which are safe to load."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
import sklearn
import torch

import skaae
from skaae.columns.plain_frames import with_frames
from skaae.device import available_devices
from skaae.export.file_checks import ATTRIBUTES, check_state
from skaae.export.file_classes import ESTIMATOR_FILE, ESTIMATORS
from skaae.export.file_networks import averaged, check_optimizers
from skaae.files.container import read_tree, write_tree
from skaae.files.kinds import CannotWrite, FileError, NotGiven, TooLarge
from skaae.priors import as_prior
from skaae.priors._drawn import Drawn
from skaae.private_sklearn import CALLBACKS, REQUESTS
from skaae.training.settings import Settings

# Methods whose metadata requests are saved.
ROUTED = ("fit", "partial_fit", "predict", "predict_proba", "score", "transform")
# The attribute of `set_output`, which an estimator may have before it is fitted.
OUTPUT_CONFIG = "_sklearn_output_config"
PARTS = {"estimator", "parameters", "attributes", "requests"}


def save(estimator, path, *, inference_only=False, left_out=()):
    """Write an estimator to one file, without pickle.

    The file contains the parameters as JSON, and the weights and all fitted attributes as
    safetensors. `load` returns the estimator with the same predictions, bit by bit on the same
    machine. Loading runs no code of the file, so files of others are safe to load. It needs the
    package of `pip install 'skaae[files]'`.

    The old file is replaced only when the new one is complete and on the disk. So after a crash, or
    if the disk is full, the old file is still whole.

    Parameters
    ----------
    estimator : AAETransformer, SupervisedAAETransformer, SemiSupervisedAAEClassifier, \
AAEClusterer, AAEEmbedding or AAEOutlierDetector
        It may be fitted or not.
    path : str or path-like
        The file to write, for instance "model.safetensors". Its folder must be there.
    inference_only : bool, default=False
        By default the file has what a pickle has: with `warm_start=True`, and after `partial_fit`,
        also the state of the optimisers, so that training goes on as if it had not stopped. If
        `inference_only`, the file has no state of the optimisers, only the weights that predict (of
        a running average just the average), and no callbacks. Training can go on after loading, but
        the optimisers then start anew.
    left_out : sequence of str, default=()
        Names of parameters that are functions or other objects of yours, such as "augment",
        "network__encoder" or "prior". A file cannot hold code, so these stay out of it, and `load`
        must be given them again. Without this, an estimator with such a parameter is not saved.

    Raises
    ------
    ImportError
        If safetensors is not installed.
    TypeError
        If the estimator is none of the above, or a parameter or an attribute cannot be saved.
    ValueError
        If a name in `left_out` is no parameter, or its value can be saved; if the estimator has
        values that `load` would refuse, such as weights that are not finite.
    OSError
        If the file cannot be written. The old file is then still whole, as after all other errors.

    See Also
    --------
    load : Read the file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import skaae
    >>> from sklearn.datasets import load_iris
    >>> X, _ = load_iris(return_X_y=True)
    >>> aae = skaae.AAETransformer(max_iter=5, random_state=0).fit(X)
    >>> with TemporaryDirectory() as folder:
    ...     skaae.save(aae, f"{folder}/iris.safetensors")
    ...     loaded = skaae.load(f"{folder}/iris.safetensors")
    >>> np.array_equal(loaded.transform(X), aae.transform(X))
    True
    """
    if ESTIMATORS.get(type(estimator).__name__) is not type(estimator):
        raise TypeError(
            f"{estimator!r:.80} is a {type(estimator).__name__}; save takes only "
            f"{', '.join(sorted(ESTIMATORS))}. Save the step of a pipeline that is one of these, "
            "or write the whole object with joblib."
        )
    tree, left_out = tree_of(estimator, inference_only), objects(estimator, left_out)
    try:
        write_tree(path, tree, ESTIMATOR_FILE, left_out=left_out, check=check_tree)
    except CannotWrite as error:
        raise TypeError(how_to_save(error, estimator)) from error
    except TooLarge as error:
        raise ValueError(
            f"prior={estimator.prior!r:.80} cannot be saved: {error}. Use fewer components or "
            "dimensions, or joblib."
        ) from error
    except FileError as error:
        raise ValueError(
            f"the estimator cannot be saved, because load would refuse its file: {error}. If you "
            "have changed none of its attributes, this is an error of skaae; please report it. "
            f"Until then use joblib. Nothing was written to {os.fspath(path)!r}."
        ) from error


def load(path, *, device=None, given=None):
    """Read an estimator from a file that `save` wrote.

    Nothing in the file is run, so a file of an unknown source is safe to load. But `load` cannot
    see whether a model predicts well: somebody may have made it wrong on purpose. Loading starts no
    thread, so a process may load an estimator and fork, and predict in the child processes.

    Files of earlier versions of skaae can be loaded too.

    Parameters
    ----------
    path : str or path-like
    device : str, torch.device or None, default=None
        The device to compute on, as the parameter `device` of the estimator. None keeps that
        parameter. If the machine lacks this device, the CPU is used, with a warning.
    given : dict, default=None
        The parameters that were left out of the file, by name: your functions and other objects. It
        is for you to make sure that they are the same as before.

    Returns
    -------
    estimator : an estimator of the class that was saved

    Raises
    ------
    ImportError
        If safetensors is not installed, or the package of the data frames that were used in `fit`.
    ValueError
        If the file is damaged, is not one of skaae or from a newer version, or contains values that
        no estimator has; if an object that was left out is not given.
    OSError
        If the file cannot be read.

    Warns
    -----
    UserWarning
        If the estimator was fitted on a device that this machine lacks.

    See Also
    --------
    save : Write the file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import skaae
    >>> with TemporaryDirectory() as folder:
    ...     skaae.save(skaae.AAEClusterer(n_clusters=3), f"{folder}/new.safetensors")
    ...     skaae.load(f"{folder}/new.safetensors")
    AAEClusterer(n_clusters=3)
    """
    if device is not None:
        check_device(device)
    try:
        tree = read_tree(path, ESTIMATOR_FILE, given=given)
    except NotGiven as error:
        raise ValueError(
            f"the parameter {error.name!r:.80} was left out of the file {os.fspath(path)!r}; give "
            f"it again, as skaae.load(path, given={{{error.name!r:.80}: ...}})."
        ) from error
    try:
        return estimator_of(tree, device)
    except (ImportError, MemoryError, Warning):
        raise
    except Exception as error:
        problem = error if isinstance(error, FileError) else f"no estimator has its values: {error}"
        raise FileError(
            f"the file {os.fspath(path)!r} cannot be loaded: {problem}. Get another copy of the "
            "file."
        ) from error


def check_device(device: Any) -> None:
    """Raise ValueError if a user's device is no name of one."""
    try:
        if device != "auto":
            torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={device!r:.60} is no device; use 'auto' or one of {available_devices()}."
        ) from error


def tree_of(estimator: Any, inference_only: bool) -> dict[str, Any]:
    """Return the values of an estimator's file; raise TypeError if it has others."""
    state = estimator.__getstate__()
    state.pop("_skaae_version")
    parameters = {name: state.pop(name) for name in estimator.get_params(deep=False)}
    requests = requests_of(estimator) if state.pop(REQUESTS, None) is not None else {}
    for name in CALLBACKS:
        if state.pop(name, None) and not inference_only and name == CALLBACKS[0]:
            raise TypeError(
                "the estimator has callbacks, which cannot be saved, because files of skaae "
                "contain no code; remove them with estimator.set_callbacks(), or set "
                "inference_only=True, since callbacks act in fit alone."
            )
    unknown = [name for name in state if name not in ATTRIBUTES]
    if unknown:
        raise TypeError(
            f"the estimator has an attribute {unknown[0]!r}, which is none of skaae's, so it "
            "cannot be saved; delete it, or use joblib."
        )
    if inference_only and "_step_state" in state:
        state["_step_state"] = for_inference(state["_step_state"])
    if "_settings" in state:  # they share the matrix of the table, which is saved once
        state["_settings"] = with_own_prior(state["_settings"], parameters.get("prior"))
    return {
        "estimator": type(estimator).__name__,
        "parameters": parameters,
        "attributes": state,
        "requests": requests,
    }


def with_own_prior(settings: Settings, prior: Any) -> Settings:
    """Return settings without what is saved elsewhere: the expectation, and a copy of a prior.

    In place of the copy of a user's object comes this object, which `left_out` may name.
    """
    priors, kept = settings.priors, settings.priors.get("style")
    writable = {codec.of for codec in ESTIMATOR_FILE.codecs} - {Drawn}
    if kept is not None and type(kept) not in writable:
        own = as_prior(prior)
        priors = {**priors, "style": own if type(own) is type(kept) else kept}
    return dataclasses.replace(settings, expectation=None, priors=priors)


def check_tree(tree: Any) -> None:
    """Raise FileError if `load` would refuse these values of an estimator that is saved."""
    if tree["attributes"].keys() - {OUTPUT_CONFIG}:
        check_state(tree["attributes"], tree["estimator"])


def estimator_of(tree: Any, device: Any) -> Any:
    """Return the estimator of the values of a file; raise if they are not those of one."""
    if not isinstance(tree, dict) or tree.keys() != PARTS:
        raise FileError("it does not contain the parts of an estimator")
    made = ESTIMATORS.get(tree["estimator"]) if isinstance(tree["estimator"], str) else None
    if made is None or not all(isinstance(tree[p], dict) for p in PARTS - {"estimator"}):
        raise FileError(f"it contains a {tree['estimator']!r:.60}, which is no estimator of skaae")
    parameters, attributes = tree["parameters"], tree["attributes"]
    estimator = made()
    unknown = sorted((parameters.keys() - vars(estimator)) | (attributes.keys() - ATTRIBUTES))
    if unknown:
        raise FileError(f"{made.__name__} has no parameter or attribute {unknown[0]!r:.60}")
    if device is not None:
        parameters = {**parameters, "device": device}
    estimator.__dict__.update(with_frames(parameters))
    if attributes.keys() - {OUTPUT_CONFIG}:
        check_state(attributes, made.__name__)
        attributes = on_device(with_averages(attributes), device)
        shared = attributes["_table"].expectation
        settings = dataclasses.replace(attributes["_settings"], expectation=shared)
        attributes = {**attributes, "_settings": settings}
        estimator.__setstate__(
            {**estimator.__dict__, **attributes, "_skaae_version": skaae.__version__}
        )
        check_optimizers(estimator._step, attributes["_step_state"])
    else:
        estimator.__dict__.update(attributes)
    request(estimator, tree["requests"])
    return estimator


def objects(estimator: Any, left_out: Any) -> dict[str, Any]:
    """Return the values of the parameters that a file leaves out, by name."""
    if isinstance(left_out, str):
        raise ValueError(f"left_out={left_out!r} must be a list of names: [{left_out!r}].")
    parameters, found = estimator.get_params(), {}
    writable = {codec.of for codec in ESTIMATOR_FILE.codecs}
    for name in left_out:
        if name not in parameters:
            raise ValueError(
                f"left_out names {name!r}, which is no parameter of this estimator; names are "
                f"those of get_params(), such as {list(parameters)[:3]}."
            )
        value = parameters[name]
        plain = value is None or isinstance(value, str | bool | int | float | list | tuple | dict)
        if plain or type(value) in writable:
            raise ValueError(
                f"left_out names {name!r}, but {name}={value!r:.60} can be saved; leave out only "
                "functions and other objects of yours."
            )
        found[name] = value
    return found


def how_to_save(error: CannotWrite, estimator: Any) -> str:
    """Return the message for a value that a file cannot hold."""
    part, *names = error.where
    shown, parameters = f"{error.value!r:.80}", estimator.get_params()
    if part == "parameters":
        prefixes = ["__".join(names[:n]) for n in range(len(names), 0, -1)]
        name = next(prefix for prefix in prefixes if prefix in parameters)
        shown = f"{parameters[name]!r:.80}"
        if isinstance(parameters[name], str | tuple | list | dict):  # with an object in it
            return (
                f"{name}={shown} cannot be saved, because it contains a "
                f"{type(error.value).__name__}; use numbers and text in its place, or joblib."
            )
        if callable(getattr(parameters[name], "to_list", None)):  # of pandas and polars
            plain = "to_dict()" if name in ("class_prior", "class_weight") else "to_list()"
            return f"{name}={shown} cannot be saved; fit with {name}.{plain} in its place."
        return (
            f"{name}={shown} cannot be saved, because files of skaae contain no code and no "
            f"objects of other packages. Leave it out with save(..., left_out=[{name!r}]) and give "
            f"it again with load(path, given={{{name!r}: ...}}); or set another value, or use "
            "joblib."
        )
    return (
        f"the attribute {'.'.join(names)} has the value {shown}, a {type(error.value).__name__}, "
        "which cannot be saved; use joblib, or fit again with text or numbers in its place."
    )


def for_inference(step_state: dict[str, Any]) -> dict[str, Any]:
    """Return what inference needs of the state of a step: the weights that predict."""
    found = {k: v for k, v in step_state.items() if k not in ("optimizers", "average")}
    found["generator"] = np.empty(0, np.uint8)  # training that goes on makes a new one
    if "average" in step_state:
        weights = found["networks"]
        names = averaged(weights)
        found["networks"] = {**weights, **dict(zip(names, step_state["average"], strict=True))}
    return found


def with_averages(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes with averages of weights, if only these were saved."""
    step_state = attributes["_step_state"]
    if not attributes["_settings"].average or step_state.get("average"):
        return attributes
    weights = step_state["networks"]
    averages = [weights[name] for name in averaged(weights)]
    return {**attributes, "_step_state": {**step_state, "average": averages}}


def on_device(attributes: dict[str, Any], device: Any) -> dict[str, Any]:
    """Return the attributes with another device, if there is one."""
    if device is None:
        return attributes
    return {
        **attributes,
        "_settings": dataclasses.replace(attributes["_settings"], device=device),
        "_frozen": {**attributes["_frozen"], "device": device},
    }


def requests_of(estimator: Any) -> dict[str, dict[str, Any]]:
    """Return the metadata that methods of an estimator request, as the user set it."""
    routing = estimator.get_metadata_routing()
    found = {}
    for method in ROUTED:
        asked = getattr(getattr(routing, method, None), "requests", {})
        if any(value is not None for value in asked.values()):
            found[method] = {name: value for name, value in asked.items() if value is not None}
    return found


def request(estimator: Any, requests: dict[str, Any]) -> None:
    """Let methods of an estimator request metadata."""
    with sklearn.config_context(enable_metadata_routing=True):
        for method, asked in requests.items():
            if method not in ROUTED or not isinstance(asked, dict):
                raise FileError(f"it contains metadata of a method {method!r:.40}")
            if not all(isinstance(value, bool | str) for value in asked.values()):
                raise FileError(f"it contains metadata {asked!r:.60}")
            getattr(estimator, f"set_{method}_request")(**asked)
