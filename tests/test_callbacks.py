"""scikit-learn's callbacks, which exist from 1.9 on; without them nothing is missing."""

import numpy as np
import pytest
from conftest import FITS, classifier, hide, transformer
from sklearn.model_selection import GridSearchCV

from skaae import AAEClusterer, AAEEmbedding, AAEOutlierDetector

pytestmark = pytest.mark.usefixtures("small_forests")

callback = pytest.importorskip("sklearn.callback")


class Notes:
    """A callback that notes its calls, and may ask to stop."""

    def __init__(self, stop_after=None):
        self.events, self.rows, self.stop_after = [], [], stop_after

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.events.append(f"end {context.task_name}")
        self.rows.append((X, y, fitted_estimator))
        n_epochs = sum(event == "end epoch" for event in self.events)
        return self.stop_after is not None and n_epochs >= self.stop_after


def test_every_epoch_is_reported(blobs):
    notes = Notes()
    transformer(max_iter=2).set_callbacks(notes).fit(blobs[0])
    epoch = ["begin epoch", "end epoch"]
    assert notes.events == ["setup", "begin fit", *epoch, *epoch, "end fit", "teardown"]


def test_fits_of_parts_of_the_rows_are_not_reported():
    """Three more detectors score few rows of many columns."""
    notes, X = Notes(), np.random.default_rng(0).normal(size=(30, 10))
    detector = AAEOutlierDetector(max_iter=6, **FITS).set_callbacks(notes).fit(X)
    assert detector._neighbourhood.own is not None
    assert notes.events == [
        "setup",
        "begin fit",
        *["begin epoch", "end epoch"] * 6,
        "end fit",
        "teardown",
    ]


def test_a_callback_can_stop_training(blobs):
    model = transformer(max_iter=20).set_callbacks(Notes(stop_after=3)).fit(blobs[0])
    assert model.n_iter_ == 3


def test_callbacks_see_labeled_rows_and_a_model_that_predicts(blobs):
    X, y = blobs
    few = hide(y, 5)
    notes = Notes()
    model = classifier(max_iter=3).set_callbacks(notes).fit(X, few)
    shown_X, shown_y, fitted = notes.rows[-2]  # the last epoch
    np.testing.assert_array_equal(shown_X, X[few >= 0])
    np.testing.assert_array_equal(shown_y, few[few >= 0])
    np.testing.assert_array_equal(fitted.predict(X), model.predict(X))


class Uses:
    """A callback that uses the model of every epoch."""

    def __init__(self, use):
        self.use, self.found = use, []

    def setup(self, estimator, context):
        pass

    teardown = on_fit_task_begin = setup

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        self.found.append(self.use(fitted_estimator))


def test_models_of_an_epoch_are_as_if_the_fit_had_ended_there(blobs):
    X, y = blobs
    uses = Uses(lambda model: (model.predict(X), model.labels_, model.sample(4, random_state=0)))
    model = AAEClusterer(6, max_iter=2, **FITS).set_callbacks(uses).fit(X)
    assert len(uses.found) == 3
    model.set_params(n_clusters=3).fit(X[:90])  # none of the model before is left in it
    for predicted, labels, rows in uses.found[3:]:
        assert predicted.max() < 3
        np.testing.assert_array_equal(labels, predicted[:90])
        assert rows.shape == (4, X.shape[1])
    np.testing.assert_array_equal(uses.found[-1][0], model.predict(X))
    uses = Uses(lambda model: model.sample(4, 1, random_state=0) + len(model.transduction_))
    model = classifier(max_iter=1, components_per_class=2).set_callbacks(uses).fit(X, hide(y, 5))
    model.set_params(components_per_class=3).fit(X[:90], y[:90]).partial_fit(X[:60], y[:60])
    assert len(uses.found) == 6
    uses = Uses(lambda model: model.sample_prior(4, random_state=0) + len(model.embedding_))
    AAEEmbedding(n_clusters=3, max_iter=1, **FITS).set_callbacks(uses).fit(X).partial_fit(X[:50])
    assert len(uses.found) == 4
    uses = Uses(lambda model: model.decision_function(X[:60]))
    detector = AAEOutlierDetector(max_iter=6, **FITS).set_callbacks(uses).fit(X)
    np.testing.assert_array_equal(uses.found[-1], detector.decision_function(X[:60]))
    assert len(uses.found) == 7


def test_callbacks_hear_of_the_end_of_a_failed_fit(blobs):
    notes = Notes()
    model = transformer(solver="sgd", reconstruction_learning_rate=1e30, max_iter=3)
    with pytest.raises(FloatingPointError):
        model.set_callbacks(notes).fit(blobs[0])
    assert notes.events[-1] == "teardown"


def test_progress_bar_and_scoring_monitor(blobs, capsys):
    pytest.importorskip("rich")
    X, y = blobs
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = classifier(max_iter=4).set_callbacks(callback.ProgressBar(), monitor)
    model.fit(X, hide(y, 5))
    assert "100%" in capsys.readouterr().out
    search = GridSearchCV(transformer(max_iter=2), {"n_components": [1, 2]}, cv=2)
    search.set_callbacks(callback.ProgressBar()).fit(X)
    assert "100%" in capsys.readouterr().out
