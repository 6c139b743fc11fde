"""Adversarial autoencoders as scikit-learn estimators on PyTorch.

Names are imported when they are first used, so `import skaae` itself costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skaae import displays, priors
    from skaae._clusterer import AAEClusterer
    from skaae._embedding import AAEEmbedding
    from skaae._semi_supervised import SemiSupervisedAAEClassifier
    from skaae._supervised import SupervisedAAETransformer
    from skaae._transformer import AAETransformer
    from skaae.displays import (
        ClusterHeadsDisplay,
        LatentSpaceDisplay,
        ManifoldDisplay,
        ReconstructionDisplay,
        StyleDisplay,
        TrainingCurvesDisplay,
    )

__version__ = "0.1.0"

_MODULE_OF = {
    "AAEClusterer": "skaae._clusterer",
    "AAEEmbedding": "skaae._embedding",
    "AAETransformer": "skaae._transformer",
    "SemiSupervisedAAEClassifier": "skaae._semi_supervised",
    "SupervisedAAETransformer": "skaae._supervised",
    "ClusterHeadsDisplay": "skaae.displays",
    "LatentSpaceDisplay": "skaae.displays",
    "ManifoldDisplay": "skaae.displays",
    "ReconstructionDisplay": "skaae.displays",
    "StyleDisplay": "skaae.displays",
    "TrainingCurvesDisplay": "skaae.displays",
}
_SUBMODULES = ("displays", "priors")

__all__ = [
    "AAEClusterer",
    "AAEEmbedding",
    "AAETransformer",
    "ClusterHeadsDisplay",
    "LatentSpaceDisplay",
    "ManifoldDisplay",
    "ReconstructionDisplay",
    "SemiSupervisedAAEClassifier",
    "StyleDisplay",
    "SupervisedAAETransformer",
    "TrainingCurvesDisplay",
    "displays",
    "priors",
]


def __getattr__(name):
    if name in _SUBMODULES:
        return import_module(f"skaae.{name}")
    if name in _MODULE_OF:
        return getattr(import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module 'skaae' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
