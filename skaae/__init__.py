"""Adversarial autoencoders as scikit-learn estimators on PyTorch.

Names are imported when they are first used, so `import skaae` itself costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skaae import displays, priors
    from skaae._semi_supervised import SemiSupervisedAAEClassifier
    from skaae._transformer import AAETransformer
    from skaae.displays import LatentSpaceDisplay, ManifoldDisplay, StyleDisplay

__version__ = "0.1.0"

_MODULE_OF = {
    "AAETransformer": "skaae._transformer",
    "SemiSupervisedAAEClassifier": "skaae._semi_supervised",
    "LatentSpaceDisplay": "skaae.displays",
    "ManifoldDisplay": "skaae.displays",
    "StyleDisplay": "skaae.displays",
}
_SUBMODULES = ("displays", "priors")

__all__ = [
    "AAETransformer",
    "LatentSpaceDisplay",
    "ManifoldDisplay",
    "SemiSupervisedAAEClassifier",
    "StyleDisplay",
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
