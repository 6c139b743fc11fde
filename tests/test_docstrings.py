"""What docstrings promise: every parameter with its real default, every fitted attribute."""

import inspect
import re
from email.message import Message

import numpy as np
import pytest
from conftest import FITS

import skaae
from skaae.estimators import documentation
from skaae.estimators.base import BaseAdversarialAutoencoder

OPTIONS = [skaae.MLP, skaae.Conv, skaae.SGD, skaae.Adam, skaae.VirtualAdversarial]
ESTIMATORS = [
    skaae.AAEClusterer,
    skaae.AAEEmbedding,
    skaae.AAEOutlierDetector,
    skaae.AAETransformer,
    skaae.SemiSupervisedAAEClassifier,
    skaae.SupervisedAAETransformer,
]
PUBLIC = [getattr(skaae, name) for name in skaae.__all__ if inspect.isclass(getattr(skaae, name))]
PUBLIC += [getattr(skaae.priors, name) for name in skaae.priors.__all__]
PUBLIC += [getattr(skaae.displays, name) for name in skaae.displays.__all__]
PUBLIC += [getattr(skaae.model_selection, name) for name in skaae.model_selection.__all__]


def section(doc, name):
    """Return the lines of one numpydoc section."""
    found = re.search(
        rf"\n{name}\n-+\n(.*?)(?=\n\n[A-Z][\w ]+\n-+\n|\Z)", inspect.cleandoc(doc), re.S
    )
    return found.group(1) if found else ""


def entries(doc, name):
    """Return {entry: what stands behind its colon} of a numpydoc section."""
    pattern = r"^([\w, ]+) :(.*)$|^(\w+)$"
    found = {}
    for line in section(doc, name).splitlines():
        match = re.match(pattern, line)
        if match:
            for entry in (match.group(1) or match.group(3)).split(","):
                found[entry.strip()] = (match.group(2) or "").strip()
    return found


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_parameters_are_documented_with_their_defaults(cls):
    documented = entries(cls.__doc__, "Parameters")
    parameters = inspect.signature(cls).parameters
    assert set(documented) == set(parameters)
    shared = list(inspect.signature(BaseAdversarialAutoencoder).parameters)
    assert [name for name in documented if name in shared] == shared
    for name, parameter in parameters.items():
        default = re.search(r"default=(.+)$", documented[name])
        assert default, f"{name} documents no default"
        assert eval(default.group(1)) == parameter.default


@pytest.mark.parametrize("cls", OPTIONS)
def test_options_are_documented_with_their_defaults(cls):
    documented = entries(cls.__doc__, "Parameters")
    for name, parameter in inspect.signature(cls).parameters.items():
        default = re.search(r"default=(.+)$", documented.pop(name))
        assert eval(default.group(1)) == parameter.default
    assert not documented


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_there_are_at_most_29_parameters(cls):
    assert len(inspect.signature(cls).parameters) <= 30


@pytest.mark.parametrize("cls", [*ESTIMATORS, *OPTIONS])
def test_constraints_cover_the_parameters(cls):
    assert set(cls._parameter_constraints) == set(inspect.signature(cls).parameters)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_fitted_attributes_are_documented(cls, blobs):
    import pandas as pd

    frame = pd.DataFrame(blobs[0], columns=list("abcdef"))
    model = cls(max_iter=1, **FITS)
    if "use_labels" in model.get_params():
        prior = {"prior": "petals"} if cls is skaae.AAETransformer else {}
        model.set_params(use_labels=True, **prior)
    model.fit(frame, blobs[1])
    fitted = {name for name in vars(model) if name.endswith("_") and not name.startswith("_")}
    assert fitted == set(entries(type(model).__doc__, "Attributes"))


@pytest.mark.parametrize("public", PUBLIC, ids=lambda value: value.__name__)
def test_public_objects_are_documented(public):
    assert inspect.getdoc(public)
    if not inspect.isclass(public):
        return
    for name, method in inspect.getmembers(public, inspect.isfunction):
        if name.startswith("_") or not method.__module__.startswith("skaae"):
            continue
        assert inspect.getdoc(method), f"{public.__name__}.{name} has no docstring"
        arguments = set(inspect.signature(method).parameters) - {"self", "X", "y"}
        if issubclass(public, skaae.priors.Prior):
            continue  # Prior.sample documents the arguments once for all kinds
        documented = set(entries(method.__doc__, "Parameters")) | {
            name.lstrip("*")
            for name in re.findall(r"^\*\*\w+", section(method.__doc__, "Parameters"), re.M)
        }
        assert arguments <= documented, f"{public.__name__}.{name}: {arguments - documented}"


def test_shared_parameters_read_well_in_both_docstrings():
    for cls in ESTIMATORS:
        assert "{" not in cls.__doc__.replace('{"', "").replace("{-1, 1}", "")


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_html_links_to_the_page_of_the_estimator_where_the_package_declares_a_site(
    cls, monkeypatch
):
    declared = Message()
    monkeypatch.setattr(documentation, "metadata", lambda name: declared)
    declared["Project-URL"] = "Source, https://code.example/skaae"
    assert "href" not in cls()._repr_html_()
    declared["Project-URL"] = "Documentation, https://docs.example/stable/"
    page = f"https://docs.example/stable/api/generated/skaae.{cls.__name__}.html"
    assert f'href="{page}"' in cls()._repr_html_()


def test_html_has_no_link_for_a_class_of_the_user(monkeypatch):
    declared = Message()
    declared["Project-URL"] = "Documentation, https://docs.example"
    monkeypatch.setattr(documentation, "metadata", lambda name: declared)

    class Own(skaae.AAETransformer):
        pass

    assert "href" not in Own()._repr_html_()


def test_version_is_the_distribution_version():
    from importlib.metadata import version

    assert version("skaae") == skaae.__version__
    assert np.all([part.isdigit() for part in skaae.__version__.split(".")[:2]])
