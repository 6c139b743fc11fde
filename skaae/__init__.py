"""Adversarial autoencoders as scikit-learn estimators on PyTorch.

"The paper" in all docstrings is Makhzani et al., "Adversarial Autoencoders", arXiv:1511.05644.
`import skaae` is fast because each name imports its module only when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skaae import displays, model_selection, priors
    from skaae.diagnosis.diagnose import diagnose
    from skaae.diagnosis.report import Diagnosis, Finding
    from skaae.displays import (
        ClusterHeadsDisplay,
        DiagnosisDisplay,
        LabelBudgetDisplay,
        LatentSpaceDisplay,
        ManifoldDisplay,
        ReconstructionDisplay,
        StyleDisplay,
        TrainingCurvesDisplay,
    )
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
    from skaae.estimators.supervised import SupervisedAAETransformer
    from skaae.estimators.transformer import AAETransformer
    from skaae.export.files import load, save
    from skaae.export.modules import to_torch
    from skaae.export.onnx_files import export_onnx
    from skaae.progress import show_progress
    from skaae.storage.table import OutOfCore

__version__ = "0.4.0"

_MODULE_OF = {
    "AAEClusterer": "skaae.estimators.clusterer",
    "AAEEmbedding": "skaae.estimators.embedding",
    "AAEOutlierDetector": "skaae.estimators.outliers",
    "Adam": "skaae.estimators.options",
    "Categories": "skaae.estimators.options",
    "Checkpoint": "skaae.estimators.options",
    "Conv": "skaae.estimators.options",
    "MLP": "skaae.estimators.options",
    "OutOfCore": "skaae.storage.table",
    "SGD": "skaae.estimators.options",
    "VirtualAdversarial": "skaae.estimators.options",
    "AAETransformer": "skaae.estimators.transformer",
    "SemiSupervisedAAEClassifier": "skaae.estimators.classifier",
    "SupervisedAAETransformer": "skaae.estimators.supervised",
    "ClusterHeadsDisplay": "skaae.displays",
    "Diagnosis": "skaae.diagnosis.report",
    "DiagnosisDisplay": "skaae.displays",
    "Finding": "skaae.diagnosis.report",
    "LabelBudgetDisplay": "skaae.displays",
    "LatentSpaceDisplay": "skaae.displays",
    "ManifoldDisplay": "skaae.displays",
    "ReconstructionDisplay": "skaae.displays",
    "StyleDisplay": "skaae.displays",
    "TrainingCurvesDisplay": "skaae.displays",
    "show_progress": "skaae.progress",
    "diagnose": "skaae.diagnosis.diagnose",
    "export_onnx": "skaae.export.onnx_files",
    "load": "skaae.export.files",
    "save": "skaae.export.files",
    "to_torch": "skaae.export.modules",
}
_SUBMODULES = ("displays", "model_selection", "priors")

__all__ = [
    "AAEClusterer",
    "AAEEmbedding",
    "AAEOutlierDetector",
    "AAETransformer",
    "Adam",
    "Categories",
    "Checkpoint",
    "ClusterHeadsDisplay",
    "Conv",
    "Diagnosis",
    "DiagnosisDisplay",
    "Finding",
    "LabelBudgetDisplay",
    "LatentSpaceDisplay",
    "MLP",
    "ManifoldDisplay",
    "OutOfCore",
    "ReconstructionDisplay",
    "SGD",
    "SemiSupervisedAAEClassifier",
    "StyleDisplay",
    "SupervisedAAETransformer",
    "TrainingCurvesDisplay",
    "VirtualAdversarial",
    "diagnose",
    "displays",
    "export_onnx",
    "load",
    "model_selection",
    "priors",
    "save",
    "show_progress",
    "to_torch",
]


def __getattr__(name):
    if name in _SUBMODULES:
        return import_module(f"skaae.{name}")
    if name in _MODULE_OF:
        return getattr(import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module 'skaae' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
