"""Plots of fitted estimators, with the interface of scikit-learn's displays.

The class method `from_estimator` of a display computes the data and plots them; `plot` draws them
again. matplotlib is imported only when something is plotted. `explore` makes a page for the
browser.
"""

from skaae.displays._diagnosis import DiagnosisDisplay
from skaae.displays._explore import Exploration, explore
from skaae.displays._images import (
    ClusterHeadsDisplay,
    ReconstructionDisplay,
    StyleDisplay,
)
from skaae.displays._label_budget import LabelBudgetDisplay
from skaae.displays._latent_space import LatentSpaceDisplay
from skaae.displays._manifold import ManifoldDisplay
from skaae.displays._training_curves import TrainingCurvesDisplay

__all__ = [
    "ClusterHeadsDisplay",
    "DiagnosisDisplay",
    "Exploration",
    "LabelBudgetDisplay",
    "LatentSpaceDisplay",
    "ManifoldDisplay",
    "ReconstructionDisplay",
    "StyleDisplay",
    "TrainingCurvesDisplay",
    "explore",
]
