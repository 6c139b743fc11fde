"""The layers of the package: imports go down only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skaae

PACKAGE = Path(skaae.__file__).parent

# A module may import from modules of lower layers only; estimators also from _base and _labels.
LAYERS = [
    {"_device", "_scaling", "_losses", "_posteriors", "_optimizers"},
    {"_augmentation", "_layers", "priors"},
    {"_convolutions"},
    {"_networks"},
    {"_smoothing"},
    {"_step"},
    {"_penalties"},
    {"_training", "_capture", "_recipe", "_inference", "_validation", "_likelihood"},
    {"_parameters", "_parameter_docs", "_labels", "_callbacks"},
    {"_fitting", "_classes", "_clusters", "_agreement"},
    {"_base"},
    {"_transformer", "_supervised", "_semi_supervised", "_clusterer", "_embedding"},
]
# displays read fitted estimators through public methods alone; what a missing label is, is known
BESIDE = {"displays": {"displays", "_labels"}}
TORCH_HALF = set.union(*LAYERS[:8])


def modules():
    return sorted(
        path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE) != Path("__init__.py")
    )


def name_of(path):
    """Return the first part of a module's name inside the package: priors for priors/_shapes.py."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path):
    """Return the modules that a file imports, anywhere in it, with names imported from skaae."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            if node.module == "skaae":
                found |= {f"skaae.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    name = name_of(path)
    ours = {module.split(".")[1] for module in imports(path) if module.startswith("skaae.")}
    if name in BESIDE:
        allowed = BESIDE[name]
    else:
        (layer,) = [index for index, names in enumerate(LAYERS) if name in names]
        allowed = set().union(*LAYERS[:layer])
        allowed |= {"priors"} if name == "priors" else set()
    assert ours <= allowed


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_torch_half_knows_no_scikit_learn(path):
    if name_of(path) in TORCH_HALF:
        assert not any(module.split(".")[0] == "sklearn" for module in imports(path))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_import_loads_nothing_heavy():
    code = "import skaae, sys; print(sorted({'torch', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    assert run(code) == "[]"


def test_estimators_do_not_load_matplotlib():
    code = (
        "from skaae import AAETransformer, LatentSpaceDisplay; import sys;"
        "print('matplotlib' in sys.modules)"
    )
    assert run(code) == "False"


def test_public_names_exist():
    assert all(hasattr(skaae, name) for name in skaae.__all__)
    assert set(skaae.__all__) <= set(dir(skaae))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = skaae.nothing


def run(code):
    """Return what a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
