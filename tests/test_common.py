"""scikit-learn's own checks: briefly trained, and with --slow at default parameters."""

import pytest
from conftest import FITS
from sklearn.base import clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaae import (
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    AAETransformer,
    SemiSupervisedAAEClassifier,
    SupervisedAAETransformer,
)

DEVICE = {"device": FITS["device"]}

ESTIMATORS = [
    AAETransformer(**DEVICE),
    SemiSupervisedAAEClassifier(**DEVICE),
    SupervisedAAETransformer(**DEVICE),
    AAEClusterer(**DEVICE),
    AAEEmbedding(max_iter=20, **DEVICE),
    AAEOutlierDetector(**DEVICE),
]
VARIANTS = [
    AAEEmbedding(n_clusters=20, max_iter=20, **DEVICE),
    SemiSupervisedAAEClassifier(unlabeled_label=None, **DEVICE),
    SemiSupervisedAAEClassifier(unlabeled_label=-1, **DEVICE),
    SemiSupervisedAAEClassifier(components_per_class=2, max_iter=60, **DEVICE),
    AAEClusterer(overclustering=12, max_iter=60, **DEVICE),
]


def expected_failures(estimator):
    """Return the checks that ask something else of an estimator than what it is for."""
    if isinstance(estimator, AAEClusterer) or getattr(estimator, "n_clusters", "auto") != "auto":
        reason = "wants as many probabilities as y has classes; clusters have as many as clusters"
        forms = ("matrix", "array")
        return {f"check_estimator_sparse_{form}": reason for form in forms}
    failures = {}
    if isinstance(estimator, SemiSupervisedAAEClassifier):
        reason = "wants the same numbers from weights and from copies, but mini-batches are random"
        for kind in ("dense", "sparse"):
            failures[f"check_sample_weight_equivalence_on_{kind}_data"] = reason
    if getattr(estimator, "unlabeled_label", None) == -1:
        failures["check_classifiers_classes"] = (
            "trains on the classes -1 and 1, of which -1 marks unlabeled rows here; "
            "scikit-learn exempts its own semi-supervised classifiers by name"
        )
    return failures


@pytest.mark.usefixtures("small_forests")
@parametrize_with_checks(
    [clone(estimator).set_params(max_iter=5) for estimator in ESTIMATORS],
    expected_failed_checks=expected_failures,
)
def test_check_estimator(estimator, check):
    """Most checks look at names, types and errors, for which five epochs do."""
    if check.func is estimator_checks.check_class_weight_classifiers:
        pytest.skip("it sets max_iter=1000: needs --slow")
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([*ESTIMATORS, *VARIANTS], expected_failed_checks=expected_failures)
def test_check_estimator_at_defaults(estimator, check):
    check(estimator)


def test_clusters_are_found_at_defaults():
    estimator_checks.check_clustering("AAEClusterer", AAEClusterer(**DEVICE))


# Checks that scikit-learn runs on its own estimators only.
OWN_CHECKS = [
    "check_dataframe_column_names_consistency",
    "check_inplace_ensure_writeable",
    "check_param_validation",
    "check_get_feature_names_out_error",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
]


def own_checks():
    """Return pairs of a check and an estimator; all estimators share what "global" ones look at."""
    for name in OWN_CHECKS:
        for estimator in ESTIMATORS:
            is_slow = "global" in name and not isinstance(estimator, AAETransformer)
            marks = [pytest.mark.slow] if is_slow else []
            yield pytest.param(
                name, estimator, marks=marks, id=f"{name}-{type(estimator).__name__}"
            )


@pytest.mark.usefixtures("small_forests")
@pytest.mark.parametrize(("name", "estimator"), list(own_checks()))
@pytest.mark.filterwarnings("ignore:X .* feature names")  # raised inside the checks of 1.6
def test_checks_of_scikit_learn_itself(name, estimator):
    if "polars" in name:
        pytest.importorskip("polars")
    brief = clone(estimator).set_params(max_iter=2)  # they look at names and types of results
    getattr(estimator_checks, name)(type(estimator).__name__, brief)
