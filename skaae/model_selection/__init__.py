"""Model selection with few labels: splits, scores and learning curves for labeled rows.

The functions work with every classifier that takes unlabeled rows, ours and scikit-learn's. They
know no estimator. See the page "Semi-supervised model selection" of the documentation.
"""

from skaae.model_selection._curve import label_budget_curve
from skaae.model_selection._labels import is_unlabeled, make_unlabeled, split_unlabeled
from skaae.model_selection._scorer import labeled_scorer
from skaae.model_selection._split import SemiSupervisedSplit

__all__ = [
    "SemiSupervisedSplit",
    "is_unlabeled",
    "label_budget_curve",
    "labeled_scorer",
    "make_unlabeled",
    "split_unlabeled",
]
