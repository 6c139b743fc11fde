"""Pictures of fitted estimators, in scikit-learn's Display form.

`from_estimator` computes what is shown, `plot` draws it; matplotlib is imported only there. Reads
estimators through their public methods alone.
"""

from skaae.displays._images import (
    ClusterHeadsDisplay,
    ManifoldDisplay,
    ReconstructionDisplay,
    StyleDisplay,
)
from skaae.displays._latent_space import LatentSpaceDisplay
from skaae.displays._training_curves import TrainingCurvesDisplay

__all__ = [
    "ClusterHeadsDisplay",
    "LatentSpaceDisplay",
    "ManifoldDisplay",
    "ReconstructionDisplay",
    "StyleDisplay",
    "TrainingCurvesDisplay",
]
