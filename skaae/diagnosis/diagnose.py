"""`diagnose`, which runs all checks on a fitted estimator."""

from __future__ import annotations

from sklearn.utils.validation import check_is_fitted

from skaae.diagnosis import decoding, distributions, learning
from skaae.diagnosis.evidence import gather
from skaae.diagnosis.report import Diagnosis
from skaae.estimators.base import BaseAdversarialAutoencoder
from skaae.estimators.parameters import draw_seed
from skaae.estimators.tensors import as_array


def diagnose(estimator, X, y=None, *, X_val=None, y_val=None, random_state=0):
    """Say whether a fitted estimator has trained well, and what to do if it has not.

    Each check gives a number, what it means and, if it lies beyond a limit, one line of advice. The
    limits lie beyond the numbers of default fits on small tables; see `benchmarks/README.md`. The
    numbers are sizes of effects, so they do not grow with the number of rows. At most 2000 rows,
    drawn at random, are used.

    Parameters
    ----------
    estimator : fitted estimator of skaae
    X : array-like of shape (n_samples, n_features)
        The rows of `fit`.
    y : array-like of shape (n_samples,), default=None
        Their labels, as in `fit`; -1 or a missing value marks an unlabeled row. Estimators that
        learned no classes ignore it. `SupervisedAAETransformer` needs it, and without it no
        estimator can be checked for wrong labels.
    X_val : array-like of shape (n_val, n_features), default=None
        Rows that `fit` has not seen. Only with them can overfitting be seen.
    y_val : array-like of shape (n_val,), default=None
        Their labels; `SupervisedAAETransformer` needs them.
    random_state : int, RandomState instance or None, default=0
        Draws rows and samples of the prior. An int gives the same report every time.

    Returns
    -------
    report : Diagnosis
        `print(report)` shows it, `report.to_dict()` returns it as plain numbers and strings, and
        `DiagnosisDisplay` draws it.

    Raises
    ------
    TypeError
        If the estimator is none of skaae.
    NotFittedError
        If it is not fitted.
    ValueError
        If X or X_val does not have the columns of the fit, y or y_val contains a label that is not
        one of the classes, or y_val is given without X_val.

    Notes
    -----
    These are the checks:

    ====================== =======================================================================
    name                   number
    ====================== =======================================================================
    prior by dimension     Wasserstein distance of the codes from the prior in the worst dimension,
                           in standard deviations of the prior
    prior jointly          energy distance of the codes from the prior, 0 to 1
    style discriminator,   mean output of the discriminator, as a probability, for samples of the
    label discriminator    prior, minus that for codes: 0 is chance; near 1 it is too strong
    discriminator alive    the same, if codes do not follow the prior: near 0 it is dead, as it does
                           not see that
    empty prior components share of the prior in components without codes
    empty components       share of the components of the label without rows
    empty clusters         share of the clusters without rows
    reconstruction         variance that reconstructions explain, relative to that of as many
                           principal components
    decoder uses style,    change of the reconstructions with another style or label, relative to
    decoder uses label     what the style can explain, or to the differences between class means
    overfitting            squared errors of the reconstructions of X_val minus those of X, relative
                           to the variance of X
    overfitting classes    accuracy on labeled rows of X minus that on X_val
    epochs                 share of the fall of the loss of reconstructions in the second half
    class shares           total variation distance of predicted from assumed class proportions
    wrong labels           share of labels that a random forest and nearest neighbours contradict;
                           more labels may be wrong than these
    style tells the class  how often a logistic regression on styles finds the class: 0 is chance, 1
                           is always; of `SupervisedAAETransformer` only
    ====================== =======================================================================

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skaae import MLP, AAETransformer, diagnose
    >>> X, _ = load_wine(return_X_y=True)
    >>> network = MLP(weight_init="uniform")  # principal components need fewer epochs
    >>> aae = AAETransformer(network=network, max_iter=5, random_state=0).fit(X)
    >>> report = diagnose(aae, X)
    >>> finding = report["epochs"]
    >>> finding.status, finding.value > finding.limit
    ('warning', True)
    >>> print(finding.advice)
    Raise max_iter, or set it to 'auto'.
    """
    if not isinstance(estimator, BaseAdversarialAutoencoder):
        raise TypeError(
            f"{type(estimator).__name__} is no estimator of skaae; give a fitted one. Of a "
            "pipeline, give the step, with X as the steps before it return it; of a search, give "
            "best_estimator_."
        )
    check_is_fitted(estimator)
    X, y, X_val, y_val = map(as_array, (X, y, X_val, y_val))
    if X_val is None and y_val is not None:
        raise ValueError("y_val is given, but X_val is None; pass both, or only X_val.")
    if y is None and estimator._step.networks.n_observed:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, as its decoder needs the class "
            "of each row; pass y, the class of each row of X."
        )
    if X_val is not None and y_val is None and estimator._step.networks.n_observed:
        raise ValueError(
            f"X_val is given without y_val, but the decoder of {type(estimator).__name__} needs "
            "the class of each row; pass y_val too."
        )
    seed = draw_seed(random_state)
    evidence, labeled = gather(estimator, X, y, seed)
    validation = None if X_val is None else gather(estimator, X_val, y_val, seed, "X_val")
    findings = [
        *distributions.check_prior(evidence),
        *distributions.check_discriminators(evidence),
        *distributions.check_components(evidence),
        *decoding.check_decoder(evidence),
        *decoding.check_overfitting(evidence, labeled, validation),
        *learning.check_epochs(evidence),
        *learning.check_classes(evidence),
        *learning.check_labels(evidence, labeled),
        *learning.check_styles(evidence),
    ]
    return Diagnosis(findings, estimator_name=type(estimator).__name__, n_rows=len(evidence.inputs))
