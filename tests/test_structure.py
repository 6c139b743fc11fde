"""The layers of the package: imports go down only."""

import ast
import re
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest

import skaae
from skaae.training.optimizers import Optimizer

PACKAGE = Path(skaae.__file__).parent

# A room (a folder, or a module beside them) may import from rooms below it, and from itself.
ROOMS = [
    {"neighbours", "files", "progress"},
    {
        "private_torch",
        "private_sklearn",
        "unlabeled",
        "priors",
        "columns",
        "clustering",
        "teaching",
        "likelihood",
    },
    {"device", "draws", "storage"},
    {"networks"},
    {"training"},
    {"inference"},
    {"estimators"},
    {"export", "diagnosis"},
]
# displays read fitted estimators through public methods, and decoders as they are exported; what a
# missing label is, is known; model selection works with estimators of any package, and imports none
BESIDE = {
    "displays": {
        "displays",
        "diagnosis",
        "estimators",
        "export",
        "model_selection",
        "unlabeled",
    },
    "model_selection": {"model_selection", "private_sklearn", "unlabeled"},
}
TORCH_HALF = set().union(*ROOMS[:6]) - {
    "private_sklearn",
    "unlabeled",
    "clustering",
    "columns",
    "neighbours",
    "teaching",
}


def modules():
    return sorted(
        path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE) != Path("__init__.py")
    )


def name_of(path):
    """Return the room of a module: its folder, or its own name."""
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
    room = name_of(path)
    ours = {module.split(".")[1] for module in imports(path) if module.startswith("skaae.")}
    if room in BESIDE:
        allowed = BESIDE[room]
    else:
        (level,) = [index for index, names in enumerate(ROOMS) if room in names]
        allowed = {room}.union(*ROOMS[:level])
    assert ours <= allowed


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_torch_half_knows_no_scikit_learn(path):
    if name_of(path) in TORCH_HALF:
        assert not any(module.split(".")[0] == "sklearn" for module in imports(path))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def level_of(path):
    """Return how high a module is: that of its room."""
    (level,) = [index for index, names in enumerate(ROOMS) if name_of(path) in names]
    return level


@pytest.mark.parametrize("kind", ["AAETransformer", "SemiSupervisedAAEClassifier"])
def test_a_fit_reaches_the_optimizer_in_ten_hops_each_downwards(kind, monkeypatch, device):
    """The functions of ours on the stack between `fit` and the optimiser's step."""
    seen, recorded = [], 2 if device == "cuda" else 0  # the call that records, and its first steps
    step = Optimizer.step

    def watch(*arguments, **named):
        seen.append(traceback.extract_stack())
        return step(*arguments, **named)

    monkeypatch.setattr(Optimizer, "step", watch)
    X = np.random.default_rng(0).normal(size=(30, 4))
    getattr(skaae, kind)(max_iter=1, random_state=0, device=device).fit(X, X[:, 0] > 0)
    assert seen
    for stack in seen:
        ours = [frame for frame in stack if PACKAGE in Path(frame.filename).parents]
        names = [(frame.filename, frame.name) for frame in ours if not frame.name.startswith("<")]
        between = names[[name for _, name in names].index("fit") + 1 :]
        assert 3 <= len(set(between)) <= 10 + recorded, between
        levels = [level_of(Path(filename)) for filename, _ in between]
        assert levels == sorted(levels, reverse=True), between


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_private_names_of_others_have_one_module_each(path):
    if path.stem in ("private_torch", "private_sklearn"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ("torch", "sklearn"):
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
            assert not [name for name in names if name.startswith("_")], names
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "torch":
            assert not node.attr.startswith("_"), node.attr


def test_few_modules_are_outside_of_a_folder():
    assert len(list(PACKAGE.glob("*.py"))) <= 10


def test_the_page_on_the_architecture_shows_the_rooms_that_the_code_has():
    """Its drawing names every module, in the order of the rooms from the top to the bottom."""
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    drawing = re.search(r"<!-- rooms -->\n```text\n(.*?)```\n<!-- end -->", page, re.S).group(1)
    drawn = {}
    for line in drawing.splitlines():
        room, *files = line.split()
        drawn[room.rstrip("/")] = {name.removesuffix(".py") for name in files if ".py" in name}
    found = {}
    for path in modules():
        inside = path.parent != PACKAGE and path.name != "__init__.py"
        found.setdefault(name_of(path), set()).update({path.stem} if inside else set())
    assert drawn == found
    beside = list(BESIDE)
    order = [room for names in reversed(ROOMS) for room in names]
    levels = [level_of(PACKAGE / room) for room in drawn if room not in beside]
    assert set(drawn) == {*order, *beside}
    assert levels == sorted(levels, reverse=True)


def test_import_loads_nothing_heavy():
    code = "import skaae, sys; print(sorted({'torch', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    assert run(code) == "[]"


def test_estimators_load_neither_matplotlib_nor_onnx():
    code = (
        "from skaae import AAETransformer, LatentSpaceDisplay, export_onnx, to_torch; import sys;"
        "print(sorted({'matplotlib', 'onnx', 'onnxscript', 'onnxruntime'} & set(sys.modules)))"
    )
    assert run(code) == "[]"


def test_public_names_exist():
    assert all(hasattr(skaae, name) for name in skaae.__all__)
    assert set(skaae.__all__) <= set(dir(skaae))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = skaae.nothing


def run(code):
    """Return what a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
