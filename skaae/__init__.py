"""Adversarial autoencoders as scikit-learn estimators on PyTorch."""

from skaae import priors
from skaae._semi_supervised import SemiSupervisedAAEClassifier
from skaae._transformer import AAETransformer

__all__ = ["AAETransformer", "SemiSupervisedAAEClassifier", "priors"]

__version__ = "0.1.0"
