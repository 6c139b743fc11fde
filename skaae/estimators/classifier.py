"""SemiSupervisedAAEClassifier: learns from few labels and many rows (section 5 of the paper)."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from skaae.columns.network_rows import NetworkRows
from skaae.columns.schema import MixedRows, stack
from skaae.estimators import parameters, recipes, warn
from skaae.estimators.base import BaseAdversarialAutoencoder
from skaae.estimators.classes import DrawsClasses, ReadsClasses
from skaae.estimators.components import HasComponents
from skaae.estimators.documentation import OWN_AUTO, with_shared_parameters
from skaae.estimators.fitting import fits
from skaae.estimators.model import Model
from skaae.estimators.options import (
    SOLVERS,
    Solver,
    VirtualAdversarial,
    parameters_as_fields,
    replace_auto,
)
from skaae.estimators.predictions import PredictsClasses
from skaae.estimators.pseudo_labels import TakesPseudoLabels
from skaae.estimators.ranges import AUTO, COUNT
from skaae.estimators.rows import check_more_rows
from skaae.estimators.weights import log_class_weights, row_weights
from skaae.inference import pieces
from skaae.networks.autoencoder import Block
from skaae.priors import Categorical, as_prior
from skaae.private_sklearn import HasMethods, StrOptions
from skaae.storage.rows import StoredRows
from skaae.training.schedule import ASSIGN_COMPONENTS
from skaae.unlabeled import UNLABELED


@with_shared_parameters(
    **OWN_AUTO["classifier"],
    validation_loss=(
        "The held-out rows are labeled rows, and the validation loss is their cross-entropy. But "
        "if a committee or your own classifier teaches at least 20 unlabeled rows, some of these "
        "are held out instead, at most 2000. The loss is then the cross-entropy of the teacher's "
        "probabilities, and all labels are used."
    ),
    validation_rows="these rows",
    solver="auto",
    solver_names='{"auto", "adam", "sgd"}',
    input_noise="0.3",
    labels="classes",
    virtual_adversarial='"auto"',
    stages=(
        'With "auto", only images have the phase (`scaling_` is "range"), and '
        "models with several components per class. If a committee teaches, it starts at once. "
        "Otherwise it starts after the first fifth of max_iter. If it started earlier, it would "
        "fix borders before the classes have formed. With several components per class it starts "
        "at once, to find them; see `components_per_class`."
    ),
    balance=(
        "The phase also trains the mean predicted label of each mini-batch to match the class "
        'proportions, if class_prior is not "labeled" or there are several components per class. '
        "Mini-batches should then have at least 25 rows per class."
    ),
)
@parameters_as_fields
class SemiSupervisedAAEClassifier(
    HasComponents,
    PredictsClasses,
    ClassifierMixin,
    TakesPseudoLabels,
    ReadsClasses,
    DrawsClasses,
    BaseAdversarialAutoencoder,
):
    """Classifier that learns from few labeled and many unlabeled rows.

    An autoencoder encodes each row into two parts. The label is a softmax over the classes, trained
    against a discriminator to look like one-hot vectors. The style is a vector, trained against
    another discriminator to follow a prior. Each step trains on a mini-batch of all rows without
    using their labels, then lowers the cross-entropy of a mini-batch of labeled rows (section 5 of
    "Adversarial Autoencoders", arXiv:1511.05644). An epoch uses every row once, and the labeled
    rows as often as needed for a mini-batch in each step.

    Parameters
    ----------
    n_components : int, default=10
        Number of dimensions of the style. With many, the style can contain the class too, which
        tends to improve accuracy. With few (2 to 5 for small images) it can hardly contain it, so
        `inverse_transform(Z, y)` decodes any style into a row of class y.
    prior : str, Prior, scipy distribution, fitted estimator or callable, default="gaussian"
        The distribution that the styles are trained to follow; see `AAETransformer`.
    posterior : {"deterministic", "gaussian", "universal"}, default="deterministic"
        The form of q(z|x), the distribution of a row's style; see `AAETransformer`. With
        "universal" the label also depends on the noise, and `predict` averages its logits over it.
    class_prior : "labeled", "uniform", dict, Series or array-like of shape (n_classes,), \
default="labeled"
        Class proportions among all rows. "labeled" estimates them from the labeled rows, with one
        row added to each class. "uniform" makes all equal, as the paper does. A dict or a pandas
        Series gives the proportion of each class by its label; an array gives them in the order of
        `classes_`. The discriminator compares predicted labels with one-hot vectors drawn in these
        proportions. If a committee or your own classifier teaches, its probabilities are changed to
        fit them instead. With the virtual adversarial phase, a class-balance loss trains predicted
        proportions too, but only if they are stated (not "labeled") or a class has several
        components.
    class_weight : "balanced", dict or None, default=None
        Weights of the classes, for classes that matter more or that are rare. The model learns
        class probabilities without them. Predictions multiply each probability by the weight of
        its class, and divide by the sum. With "balanced" the weight is 1 divided by the proportion
        in `class_prior_`. A dict gives the weight of each class by its label, above 0; classes
        that it leaves out have weight 1. None weighs all classes the same.
    components_per_class : "auto" or int, default="auto"
        Number of components of each class, such as different ways to write a digit. "auto" is 1,
        but 5 if many images have few labels: at least 5000 rows of more than two different values,
        at most 2000 labels, `scaling_` is "range", the network is an MLP, solver is "auto" or
        `Adam`, and pseudo_labels and virtual_adversarial are "auto". Other parameters that are
        "auto" then have values of their own; the user guide lists them. The label has an entry for
        each component, and the probability of a class is the sum over its components. With more
        than one component, the virtual adversarial phase starts in the first epoch. It finds the
        components in the first 30 % of max_iter, and trains only the borders between classes in the
        next 30 %. After that, reconstruction and the label's discriminator train the label too. If
        most classes have fewer than two labels per component, labels are not used until the
        components are found. They then assign each component to a class. These two stages are
        longer then, and end at 60 and 80 % of max_iter. Not part of the paper.
    unlabeled_label : "auto", scalar or None, default="auto"
        The value of y that marks an unlabeled row. Missing values (None, NaN, pandas.NA) always
        mark unlabeled rows too, except with None: then every row must have a label. "auto" means
        -1. But if y contains exactly the values {-1, 1} and no missing value, "auto" reads -1 as a
        class and warns. A scalar, such as -1 or "unknown", is the marker itself.
    pseudo_labels : "auto", bool or classifier, default="auto"
        Whether `fit` also trains on predicted classes of unlabeled rows. `partial_fit` never does.
        "auto" does not do so if X is sparse. Not part of the paper.

        Tables, which must not be sparse: a committee of up to five classifiers, weighted by
        cross-validation on the labels, gives class probabilities to up to 20,000 unlabeled rows,
        and to made-up rows if rows are few for their columns. The network's class probabilities
        learn from these and from the labels; reconstruction and the adversary do not train them.
        The committee softens the given labels too: hardly if few rows have one, and more if most
        rows do. "auto" uses a committee for at most 2000 labels.

        Images (`scaling_` is "range"), or several components per class: a row is
        used if the model and `sklearn.semi_supervised.LabelSpreading`, on a graph of nearest
        neighbours, predict the same class. The 20 % of rows that LabelSpreading is least sure of
        are not used. `fit` chooses the rows after 25, 50 and 75 % of its epochs, if the model then
        predicts at least 90 % of the given labels correctly. "auto" does so for at most 20,000
        rows, because the time grows with the square of their number.

        A classifier of scikit-learn with `predict_proba` teaches in place of the committee. A clone
        of it trains on the scaled labeled rows, with classes numbered from 0 and random_state set
        if it is None. Its probabilities are changed to fit class_prior. X must not be sparse.
    {label_parameters}
    {shared_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, without the marker of unlabeled rows.
    class_prior_ : ndarray of shape (n_classes,)
        The class proportions that the label was trained to follow.
    transduction_ : ndarray of shape (n_samples,)
        The class of every row of the last `fit` or `partial_fit`: the given class, or the predicted
        class if the row is unlabeled. Rows of X_unlabeled follow those of X.
    n_labeled_, n_unlabeled_ : int
        Number of rows of the last fit with and without a label.
    history_ : dict of str to list
        Mean of every loss in each epoch, by name: "reconstruction", "discriminator_label",
        "discriminator_style", "generator_label", "generator_style" and "classification". The
        virtual adversarial phase adds "virtual_adversarial", "class_balance" if it trains class
        proportions, and "conditional_entropy" with several components per class; the last two
        include their weights. Early stopping adds "validation". A loss is NaN in epochs without its
        phase, and absent if the phase never runs. "stage" is the name of the training stage of each
        epoch: "taught" (by a committee), "train", "warm-up" and "refine", or "find components",
        "find classes" and "refine".
    {shared_attributes}

    See Also
    --------
    AAETransformer : Encodes rows into codes that follow a prior, without labels.
    sklearn.semi_supervised.LabelSpreading : Spreads labels over a graph of nearest neighbours.

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
        **parameters.SHARED_CONSTRAINTS,
        **parameters.LABEL_CONSTRAINTS,
        "posterior": parameters.POSTERIOR_CONSTRAINT,
        "class_prior": parameters.CLASS_PRIOR_CONSTRAINT,
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "unlabeled_label": parameters.UNLABELED_CONSTRAINT,
        "components_per_class": [AUTO, COUNT],
        "solver": [StrOptions({"auto", *SOLVERS}), Solver],
        "pseudo_labels": [AUTO, "boolean", HasMethods(["fit", "predict_proba"])],
    }

    n_components: int = field(default=10, kw_only=False)
    input_noise: float = 0.3
    solver: Any = "auto"
    posterior: str = "deterministic"
    class_prior: Any = "labeled"
    class_weight: Any = None
    components_per_class: Any = "auto"
    unlabeled_label: Any = "auto"
    pseudo_labels: Any = "auto"
    virtual_adversarial: Any = "auto"
    augment: Any = None

    _classifies = True
    _scaling_of_mixed = "standard"
    _purpose_of_scaling = "classes"

    @fits
    def fit(self, X, y, *, X_unlabeled=None, X_val=None, y_val=None, sample_weight=None):
        """Train on labeled and unlabeled rows.

        There are two ways to pass unlabeled rows: in X, with a marker in y, or as X_unlabeled. With
        X_unlabeled, y consists of real labels only. Then scorers, ensembles, calibration and other
        tools of scikit-learn, which know no marker, work too: they pass X_unlabeled on to `fit`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, labeled or not.
        y : array-like of shape (n_samples,)
            Labels; -1 or a missing value marks an unlabeled row (see `unlabeled_label`).
        X_unlabeled : array-like of shape (n_unlabeled, n_features), default=None
            More training rows, which have no label. A `Pipeline` transforms them as it does X only
            with `transform_input=["X_unlabeled"]`.
        X_val : array-like of shape (n_val, n_features), default=None
            Rows for early stopping, so that it holds out no training rows. They are not trained on.
        y_val : array-like of shape (n_val,), default=None
            The labels of X_val. Unlabeled rows do not count.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row of X, labeled or not. Training draws rows in proportion to their
            weights: weight 2 counts like two copies of the row, and rows of weight 0 are left out.
            Weigh labeled rows and do not copy them: the committee of `pseudo_labels`, which uses
            the weights too, would take its members for better than they are. Rows of X_unlabeled
            have the mean of the weights above 0. They are not used to scale X, to find
            neighbours of images, or to assign components to classes. None weighs all rows the same.

        Returns
        -------
        self : SemiSupervisedAAEClassifier

        Raises
        ------
        ValueError
            If X is not a finite table of numbers, y has fewer than two classes, the columns of
            X_unlabeled or X_val are not those of X, only one of X_val and y_val is given, the value
            of a parameter is not allowed, or samples of the prior do not have n_components
            dimensions.
        FloatingPointError
            If an epoch ends with a loss or weight that is not finite, or with exploded weights, and
            three repeats with lower learning rates do so too, or if there is only one epoch.

        Warns
        -----
        UserWarning
            If there is no unlabeled row, unless unlabeled_label=None. If y has -1 beside
            X_unlabeled, unless unlabeled_label says what it is. If X_unlabeled seems to be in other
            units than X.

        Examples
        --------
        Two-fold cross-validation of a classifier that trains on 38 unlabeled rows too:

        >>> from sklearn.datasets import load_iris
        >>> from sklearn.model_selection import cross_val_score
        >>> from skaae import SemiSupervisedAAEClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = SemiSupervisedAAEClassifier(max_iter=20, random_state=0)
        >>> more = {"X_unlabeled": X[::4]}
        >>> cross_val_score(clf, X[1::2], y[1::2], cv=2, params=more, scoring="f1_macro").shape
        (2,)
        """
        X = self._begin(X)
        weights = row_weights(sample_weight, X)
        targets = self._read_classes(X, y, weights)
        validation = self._validation(X_val, y_val)
        if X_unlabeled is not None:
            if isinstance(X, StoredRows):
                raise ValueError(
                    "X_unlabeled is given, but X is read from disk; put the unlabeled rows into "
                    "the same table, with -1 in y."
                )
            more = check_more_rows(self, "X_unlabeled", X_unlabeled, ensure_min_samples=0)
            warn.of_markers(self, y, targets)
            warn.of_other_units(X, more, "X_unlabeled")
            X, targets = stack(X, more), np.append(targets, np.full(more.shape[0], UNLABELED))
            weights = None if weights is None else np.append(weights, np.ones(more.shape[0]))
        if self.unlabeled_label is not None:
            warn.of_no_unlabeled(self.classes_, targets)
        self._fit_weighted(X, targets, weights, validation=validation)
        warn.of_shares(self, y, targets != UNLABELED, weights)
        return self

    @fits
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch on X, continuing from earlier calls of `partial_fit` or `fit`.

        The first call determines the scaling and the class proportions, so its rows should be
        typical. It also determines whether training uses labels only after components are found;
        see `components_per_class`. In that case, until the stage "find components" ends, each call
        whose y has labels of all classes assigns the components to classes anew.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels, as in `fit`; after the first call all rows may be unlabeled.
        classes : array-like of shape (n_classes,), default=None
            All classes of this and later calls. The first call needs them if its y does not contain
            every class. The marker of unlabeled rows is ignored if it is among them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, relative to the others of this call; see `fit`.

        Returns
        -------
        self : SemiSupervisedAAEClassifier

        Raises
        ------
        ValueError
            If y contains a label that is not one of the classes, `classes` differ from those of the
            first call, or a parameter that defines the model has changed.
        FloatingPointError
            If a loss or a weight is not finite. The model is then the same as before the call.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skaae import SemiSupervisedAAEClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = SemiSupervisedAAEClassifier(random_state=0)
        >>> for start in (0, 1):  # two mini-batches of the rows, each with all classes
        ...     clf = clf.partial_fit(X[start::2], y[start::2])
        >>> clf.n_iter_
        2
        """
        first = not hasattr(self, "_step")
        X = self._begin(X, partial=True)
        weights = row_weights(sample_weight, X)
        targets = self._read_more_classes(X, y, classes, first=first, weights=weights)
        self._fit_weighted(X, targets, weights, partial=True)
        return self

    def _fit_weighted(self, X, targets, weights, *, partial=False, validation=None):
        """Train as `_fit` does, without the rows of weight 0."""
        self._log_class_weights = log_class_weights(
            self.class_weight, self.classes_, self.class_prior_
        )
        if weights is None or weights.all():
            self._fit(X, targets, partial=partial, weights=weights, validation=validation)
            return
        used = weights > 0.0
        n_classes = len(set(targets[used]) - {UNLABELED})
        least = 1 if hasattr(self, "_step") and partial else 2
        if used.sum() < least or (n_classes < 2 and not partial):
            raise ValueError(
                f"sample_weight is above 0 for {used.sum()} rows with labels of {n_classes} "
                "classes, but a new model needs at least two rows, and `fit` labels of two "
                "classes; give more rows a weight above 0."
            )
        if isinstance(X, StoredRows):
            raise ValueError(
                f"sample_weight is 0 for {(~used).sum()} rows of a table that is read from disk; "
                "leave these rows out of the table, or give them a weight above 0."
            )
        if not partial:
            warn.of_weightless(self.classes_, targets, used)
        rows = X.with_source(used) if isinstance(X, MixedRows) else X[used]
        own = row_weights(weights[used], rows)
        self._fit(rows, targets[used], partial=partial, weights=own, validation=validation)
        self.__dict__.update(self._of_all_rows(X, targets, {}))

    def _model(self, targets, table, *, dense, clusters):
        images = table.scaling.kind == "range"
        finds = dense and self._finds_components(targets, table)
        per_class = replace_auto(
            self.components_per_class, recipes.COMPONENTS_PER_CLASS if finds else 1
        )
        # several components per class are found by the virtual adversarial loss
        consistent = images or per_class > 1
        teacher = None if finds else self._teacher(targets, consistent=consistent, dense=dense)
        label = Block(len(self.classes_) * per_class, components_per_class=per_class)
        # without the class-balance loss, all rows could fall into the components of one class
        keeps_proportions = self._is_prior_stated() or per_class > 1
        return Model(
            {"label": label, "style": Block(self.n_components)},
            {"label": Categorical(self.class_prior_), "style": as_prior(self.prior)},
            classifies=True,
            assigns_later=per_class > 1 and self._has_few_labels(targets, per_class),
            teacher=teacher,
            proportions=tuple(self.class_prior_) if keeps_proportions else None,
            recipe=recipes.COMPONENTS if finds else self._table_recipe(teacher, consistent, dense),
            posterior=self.posterior,
            virtual_adversarial=replace_auto(
                self.virtual_adversarial, VirtualAdversarial() if consistent else None
            ),
            augment=self.augment,
        )

    def _table_recipe(self, teacher, consistent, dense):
        """Return the recipe of tables, and of images where no components are found."""
        if consistent or self._wants_pseudo_labels() is False:
            return recipes.AVERAGED
        return recipes.TAUGHT if teacher == "committee" or not dense else recipes.LABELED

    def _actions(self, X, targets, streams):
        rows = streams[0].rows.cpu().numpy()
        actions = {ASSIGN_COMPONENTS: lambda: self._assign_components(X, targets, rows)}
        return actions | self._graph_action(streams, targets)

    def _transduce(self, X, targets):
        """Return the given class of each checked row X, or the predicted one if it is unlabeled."""
        found, rows = targets.copy(), NetworkRows(X, self._table)
        for index in pieces(np.flatnonzero(targets == UNLABELED)):
            found[index] = self._weighted_logits(rows.select(index)).argmax(axis=1)
        return self.classes_[found]

    def _of_all_rows(self, X, targets, found):
        labeled = targets != UNLABELED
        return {
            "transduction_": self._transduce(X, targets),
            "n_labeled_": int(labeled.sum()),
            "n_unlabeled_": int(len(targets) - labeled.sum()),
        }

    def _results(self, X, targets, *, partial, weights=None):
        return {
            **self._of_all_rows(X, targets, {}),
            "_proportions_of_components": self._count_components(X, weights),
            "_styles": self._learn_styles(X, partial=partial, weights=weights),
        }
