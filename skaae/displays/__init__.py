"""Pictures of fitted estimators, in the form of scikit-learn's displays.

`from_estimator` computes what is shown, and `plot` draws it. Only `plot` imports matplotlib. Reads
estimators through their public methods only.
"""

from skaae.displays._images import (
    ClusterHeadsDisplay,
    ReconstructionDisplay,
    StyleDisplay,
)
from skaae.displays._latent_space import LatentSpaceDisplay
from skaae.displays._manifold import ManifoldDisplay
from skaae.displays._training_curves import TrainingCurvesDisplay

__all__ = [
    "ClusterHeadsDisplay",
    "LatentSpaceDisplay",
    "ManifoldDisplay",
    "ReconstructionDisplay",
    "StyleDisplay",
    "TrainingCurvesDisplay",
]
