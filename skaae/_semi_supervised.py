"""SemiSupervisedAAEClassifier: classes from few labels and many rows (section 5 of the paper)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skaae import _parameters
from skaae._base import BaseAdversarialAutoencoder, keeps_fit_on_error
from skaae._labels import UNKNOWN, UNLABELED, encode_labels, label_block, lookup_labels
from skaae._losses import classification_loss
from skaae.priors import Categorical, as_prior
from skaae.priors._shapes import check_probabilities


@_parameters.with_shared_parameters(
    validation_loss="the cross-entropy",
    validation_rows="the labeled rows",
    solver="sgd",
    input_noise="0.3",
)
class SemiSupervisedAAEClassifier(ClassifierMixin, BaseAdversarialAutoencoder):
    """Classifier that learns from few labeled and many unlabeled rows.

    The code of a row has two parts: a softmax over the classes, pushed towards one-hot draws by one
    discriminator, and a style vector, pushed towards a prior by another. Every step reconstructs
    and regularizes on all rows, then lowers the cross-entropy of a batch of labeled rows
    (section 5 of "Adversarial Autoencoders", arXiv:1511.05644). An epoch goes through all rows
    once; the labeled ones start over as often as that needs.

    Parameters
    ----------
    n_components : int, default=10
        Dimensions of the style. With few of them (2 to 5 for small images) the decoder has to read
        the class from the label part, and `sample(n, y)` shows the class asked for; with many the
        style can hold the class too, which tends to help accuracy.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        What the style is to follow; see `AAETransformer`.
    class_prior : "labeled", "uniform" or array-like of shape (n_classes,), default="labeled"
        Share of each class among all rows, in the order of `classes_`. "labeled" estimates it from
        the labeled rows, with one row added to each class; "uniform" makes all equal, as the paper
        does.
    unlabeled_label : "auto", scalar or None, default="auto"
        What marks an unlabeled row in y. Missing values (None, NaN, pandas.NA) always do, except
        with None, where every row must have a label. "auto" adds the number -1, unless y is exactly
        {-1, 1} without missing values, which is read as a plain binary target with a warning.
        A scalar adds that value, such as -1 or "unknown".
    {shared_parameters}
    classification_learning_rate : "auto" or float, default="auto"
        Learning rate of the classification phase. "auto" is 0.001 for "adam", 0.1 for "sgd".

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, never the marker of unlabeled rows.
    class_prior_ : ndarray of shape (n_classes,)
        The share of each class that the label part of the code was trained to follow.
    transduction_ : ndarray of shape (n_samples,)
        A label for every row of the last `fit` or `partial_fit`: the given one, or the predicted
        one where none was given.
    n_labeled_, n_unlabeled_ : int
        Rows of the last fit with and without a label.
    history_ : dict of str to list of float
        Mean of every loss in each epoch: "reconstruction", "discriminator_label",
        "discriminator_style", "generator_label", "generator_style", "classification" and, with
        early stopping, "validation".
    n_iter_ : int
        Number of epochs trained.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had string column names.

    See Also
    --------
    AAETransformer : Codes that follow a prior, without labels.
    sklearn.semi_supervised.LabelSpreading : Labels spread over a graph of neighbours.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skaae import SemiSupervisedAAEClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> y_few = np.where(np.arange(len(y)) % 10 == 0, y, -1)  # 15 labels
    >>> clf = SemiSupervisedAAEClassifier(max_iter=50, random_state=0).fit(X, y_few)
    >>> clf.n_labeled_, clf.n_unlabeled_
    (15, 135)
    >>> clf.score(X, y) > 0.8
    True
    """

    _parameter_constraints = {
        **_parameters.SHARED_CONSTRAINTS,
        "class_prior": [StrOptions({"labeled", "uniform"}), "array-like"],
        "unlabeled_label": "no_validation",  # any scalar may mark an unlabeled row
        "classification_learning_rate": [_parameters.AUTO, _parameters.NON_NEGATIVE],
    }

    def __init__(
        self,
        n_components=10,
        *,
        prior="gaussian",
        class_prior="labeled",
        unlabeled_label="auto",
        hidden_layer_sizes="auto",
        discriminator_hidden_layer_sizes="auto",
        activation="relu",
        dropout=0.0,
        input_noise=0.3,
        scaling="auto",
        reconstruction_loss="squared_error",
        output_activation="auto",
        weight_init="auto",
        solver="sgd",
        reconstruction_learning_rate="auto",
        adversarial_learning_rate="auto",
        classification_learning_rate="auto",
        momentum=0.9,
        adversarial_momentum="auto",
        max_gradient_norm=10.0,
        learning_rate_schedule="constant",
        batch_size="auto",
        max_iter="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        precision="auto",
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.prior = prior
        self.class_prior = class_prior
        self.unlabeled_label = unlabeled_label
        self.hidden_layer_sizes = hidden_layer_sizes
        self.discriminator_hidden_layer_sizes = discriminator_hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.input_noise = input_noise
        self.scaling = scaling
        self.reconstruction_loss = reconstruction_loss
        self.output_activation = output_activation
        self.weight_init = weight_init
        self.solver = solver
        self.reconstruction_learning_rate = reconstruction_learning_rate
        self.adversarial_learning_rate = adversarial_learning_rate
        self.classification_learning_rate = classification_learning_rate
        self.momentum = momentum
        self.adversarial_momentum = adversarial_momentum
        self.max_gradient_norm = max_gradient_norm
        self.learning_rate_schedule = learning_rate_schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_fit_on_error
    def fit(self, X, y):
        """Train on labeled and unlabeled rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            All training rows, labeled or not.
        y : array-like of shape (n_samples,)
            Labels; -1 or a missing value where a row has none (see `unlabeled_label`).

        Returns
        -------
        self : SemiSupervisedAAEClassifier

        Raises
        ------
        ValueError
            Where X is not a finite table of numbers, y has no labeled row or one class only,
            a parameter is out of its range, or the prior does not draw codes of n_components
            dimensions.
        FloatingPointError
            Where a loss becomes infinite in the first epochs.
        """
        X = self._check_rows(X, reset=True)
        classes, codes = encode_labels(y, self.unlabeled_label, estimator_name=type(self).__name__)
        check_consistent_length(X, codes)
        self._set_classes(classes, codes)
        self._fit(X, codes)
        self._set_transduction(X, codes)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_fit_on_error
    def partial_fit(self, X, y, classes=None):
        """Train for one epoch on X, going on from earlier calls of `partial_fit` or `fit`.

        The first call decides the scaling and the class prior, so its rows should be typical.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels; after the first call all may be unlabeled.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever come; needed in the first call if its y lacks some. The
            marker of unlabeled rows in it is ignored.

        Returns
        -------
        self : SemiSupervisedAAEClassifier
        """
        first = not hasattr(self, "_step")
        X = self._check_rows(X, reset=first)
        name = type(self).__name__
        known = self.classes_ if classes is None and not first else None
        if known is None:
            given = y if classes is None else classes
            known, _ = encode_labels(given, self.unlabeled_label, estimator_name=name)
        if not first:
            self._require_same_classes(known)
        codes = lookup_labels(y, known, self.unlabeled_label, estimator_name=name)
        check_consistent_length(X, codes)
        if first:
            self._set_classes(known, codes)
        self._partial_fit(X, codes)
        self._set_transduction(X, codes)
        return self

    def predict(self, X):
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X):
        """Return the probability of each class, q(y|x).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`; rows sum to 1.
        """
        return softmax(self._logits(X), axis=1)

    def predict_log_proba(self, X):
        """Return the logarithm of `predict_proba`: shape (n_samples, n_classes).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def decision_function(self, X):
        """Return the logits of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes), or (n_samples,) with two classes
            With two classes, the log-odds of `classes_[1]`.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def inverse_transform(self, Z, y=None):
        """Decode styles and classes into rows in the units of the training data.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
        y : scalar or array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            A class for all rows, a class for each, or probabilities as of `predict_proba`.
            None stands for `class_prior_`: a row between the classes, as a pipeline asks for it.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), in the dtype of Z
        """
        check_is_fitted(self)
        Z = self._check_codes(Z)
        if y is None:
            label = np.tile(self.class_prior_, (len(Z), 1))
        else:
            label = label_block(y, self.classes_, len(Z))
        return self._decode(style=Z, label=label.astype(Z.dtype))

    def sample(self, n_samples=1, y=None, *, random_state=None):
        """Draw styles (and classes) from their priors and decode them.

        Parameters
        ----------
        n_samples : int, default=1
        y : scalar or array-like of shape (n_samples,), default=None
            A class for all rows or for each; None draws them from `class_prior_`.
        random_state : int, RandomState instance or None, default=None
            An int draws the same rows every time.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float32
        """
        check_is_fitted(self)
        generator = _parameters.make_cpu_generator(random_state)
        style = self._draw_style(n_samples, generator)
        if y is None:
            prior = Categorical(self.class_prior_)
            label = prior.sample(n_samples, len(self.classes_), generator=generator).numpy()
        else:
            label = label_block(y, self.classes_, n_samples)
        return self._decode(style=style, label=label.astype(np.float32))

    def score(self, X, y, sample_weight=None):
        """Return the accuracy on the labeled rows of y; unlabeled rows do not count.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        accuracy : float
        """
        predicted = self.predict(X)
        codes = lookup_labels(
            y,
            self.classes_,
            self.unlabeled_label,
            estimator_name=type(self).__name__,
            unknown=UNKNOWN,
        )
        check_consistent_length(predicted, codes, sample_weight)
        labeled = codes != UNLABELED
        if not labeled.any():
            raise ValueError(
                f"y holds no labeled row: all {len(codes)} entries are unlabeled, and accuracy "
                "needs at least one label."
            )
        weights = None if sample_weight is None else np.asarray(sample_weight)[labeled]
        true = codes[labeled]
        found = np.searchsorted(self.classes_, predicted[labeled])
        return float(accuracy_score(true, found, sample_weight=weights))

    def _logits(self, X):
        """Return the label's logits of rows as the user gives them."""
        check_is_fitted(self)
        return self._encode(self._check_rows(X, reset=False), "label")

    def _blocks(self):
        return {
            "label": (len(self.classes_), Categorical(self.class_prior_)),
            "style": (self.n_components, as_prior(self.prior)),
        }

    def _validation_loss(self, x, y):
        """Return a function that computes the cross-entropy of the held-out labeled rows."""
        encoder, y = self._step.networks.encoder, torch.from_numpy(y).to(x.device)

        def loss():
            with torch.inference_mode():
                return float(classification_loss(encoder(x)["label"], y))

        return loss

    def _set_classes(self, classes, codes):
        """Keep the classes and their prior; refuse a single class and a changed warm start."""
        if len(classes) < 2:
            raise ValueError(
                f"y has only one class, {classes.tolist()[0]!r}, among its labeled rows; "
                f"{type(self).__name__} needs labeled rows of at least two classes."
            )
        fitted = self.warm_start and hasattr(self, "_step")
        if fitted and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start=True goes on with a model of the classes {self.classes_}, but y has "
                f"the classes {classes}; set warm_start=False to start afresh."
            )
        self.classes_ = classes
        if not fitted:
            self.class_prior_ = self._resolve_class_prior(codes)

    def _require_same_classes(self, classes):
        """Refuse classes in `partial_fit` that are not those of its first call."""
        if not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"classes={classes} differ from those of the first call, {self.classes_}; leave "
                "classes out after the first call, or fit a new estimator."
            )

    def _resolve_class_prior(self, codes):
        """Return the share of each class as the parameter says."""
        n_classes = len(self.classes_)
        if isinstance(self.class_prior, str) and self.class_prior == "uniform":
            return np.full(n_classes, 1.0 / n_classes)
        if isinstance(self.class_prior, str):
            counts = np.bincount(codes[codes != UNLABELED], minlength=n_classes) + 1.0
            return counts / counts.sum()
        return check_probabilities("class_prior", self.class_prior, n_classes)

    def _set_transduction(self, X, codes):
        """Keep a label for every training row: the given one or the predicted one."""
        labeled = codes != UNLABELED
        found = codes.copy()
        if not labeled.all():
            found[~labeled] = self._encode(X[~labeled], "label").argmax(axis=1)
        self.transduction_ = self.classes_[found]
        self.n_labeled_ = int(labeled.sum())
        self.n_unlabeled_ = int(len(codes) - labeled.sum())
