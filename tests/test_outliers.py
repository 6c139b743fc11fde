"""AAEOutlierDetector: its scores by hand, its threshold, and that it finds outliers."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from conftest import FITS
from sklearn.metrics import roc_auc_score

from skaae import AAEOutlierDetector, AAETransformer
from skaae.columns.layout import Layout
from skaae.neighbours import MOST_KEPT, fit_neighbourhood
from skaae.training.loop import Loop
from skaae.training.reconstruction import Reconstruction


def on_a_curve(n_rows, seed):
    """Return rows of four columns that lie near a curve."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(-2.0, 2.0, n_rows)
    X = np.column_stack([t, t**2, np.sin(2.0 * t), np.cos(2.0 * t)])
    return X + 0.05 * rng.normal(size=X.shape)


def off_the_curve(n_rows, seed):
    """Return rows with the same values in each column, but shuffled: no column tells them."""
    return np.random.default_rng(seed).permuted(on_a_curve(n_rows, seed), axis=0)


@pytest.fixture(scope="module")
def fitted():
    return AAEOutlierDetector(**FITS).fit(on_a_curve(400, 0))


def mean_distance(row, others, n_neighbors):
    """Return the mean distance of a row from its nearest others."""
    return np.sort(np.sqrt(((others - row) ** 2).sum(axis=1)))[:n_neighbors].mean()


def shrunk_and_whitened(train, new):
    """Return training rows and new rows mapped as the neighbourhood maps them, by its definition.

    Distances do not depend on a rotation, so the symmetric root of the covariance serves too.
    """
    covariance = np.cov(train.T)
    size = len(covariance)
    shrunk = 0.75 * covariance + 0.25 * np.trace(covariance) / size * np.eye(size)
    values, vectors = np.linalg.eigh(shrunk)
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    return train @ root, new @ root


def test_novelty_detection_finds_rows_off_the_curve(fitted):
    X = np.concatenate([on_a_curve(200, 1), off_the_curve(200, 2)])
    inlying = np.arange(400) < 200
    assert roc_auc_score(inlying, fitted.decision_function(X)) > 0.95
    predicted = fitted.predict(X)
    assert (predicted[inlying] == 1).mean() > 0.85
    assert (predicted[~inlying] == -1).mean() > 0.6


def test_outlier_detection_finds_rows_among_the_training_rows():
    X = np.concatenate([on_a_curve(380, 3), off_the_curve(20, 4)])
    detector = AAEOutlierDetector(contamination=0.05, **FITS)
    predicted = detector.fit_predict(X)
    assert (predicted == -1).sum() == 20
    assert roc_auc_score(np.arange(400) < 380, detector.score_samples(X)) > 0.9
    np.testing.assert_array_equal(predicted, detector.predict(X))


def test_the_score_is_the_distance_from_the_nearest_tenth_of_the_training_rows():
    X, new = on_a_curve(150, 5), off_the_curve(30, 6)
    detector = AAEOutlierDetector(n_components=2, scaling=None, max_iter=6, **FITS).fit(X)

    def described(rows):
        return np.hstack([rows - detector.reconstruct(rows), detector.transform(rows)])

    train, mapped = shrunk_and_whitened(described(X), described(new))
    wanted = [-mean_distance(row, train, 15) for row in mapped]
    np.testing.assert_allclose(detector.score_samples(new), wanted, rtol=1e-8)
    # a training row is not its own neighbour
    wanted = [-mean_distance(train[i], np.delete(train, i, axis=0), 15) for i in range(150)]
    np.testing.assert_allclose(detector.score_samples(X), wanted, rtol=1e-8)


def test_the_reconstruction_is_another_criterion():
    X = on_a_curve(150, 7)
    detector = AAEOutlierDetector(
        n_components=1, criterion="reconstruction", scaling=None, max_iter=6, **FITS
    ).fit(X)
    wanted = -0.5 * ((X - detector.reconstruct(X)) ** 2).sum(axis=1)
    np.testing.assert_allclose(detector.score_samples(X), wanted, rtol=1e-8)


@pytest.mark.parametrize("criterion", ["auto", "reconstruction"])
def test_the_fence_of_tukey_is_the_threshold(criterion):
    X = on_a_curve(150, 8)
    detector = AAEOutlierDetector(criterion=criterion, max_iter=6, **FITS).fit(X)
    scores = detector.score_samples(X)
    low, high = np.quantile(scores, 0.25), np.quantile(scores, 0.75)
    assert detector.offset_ == pytest.approx(low - 1.5 * (high - low))
    np.testing.assert_array_equal(detector.predict(X) == -1, scores < detector.offset_)


def test_the_threshold_may_change_in_a_warm_start():
    X = on_a_curve(200, 9)
    detector = AAEOutlierDetector(contamination=0.1, warm_start=True, max_iter=6, **FITS)
    assert (detector.fit_predict(X) == -1).sum() == 20
    detector.set_params(contamination=0.3, criterion="reconstruction")
    assert (detector.fit_predict(X) == -1).sum() == 60
    assert detector.n_iter_ == 12


def test_scores_and_threshold_are_of_the_same_criterion():
    X = on_a_curve(100, 13)
    detector = AAEOutlierDetector(max_iter=6, **FITS).fit(X)
    before = detector.decision_function(X)
    detector.set_params(criterion="reconstruction")  # counts from the next fit on
    np.testing.assert_array_equal(detector.decision_function(X), before)


@pytest.mark.parametrize("value", [0.0, 0.6, "some", True])
def test_contamination_must_be_a_fraction_up_to_a_half(value):
    with pytest.raises(ValueError, match="contamination"):
        AAEOutlierDetector(contamination=value).fit(on_a_curve(20, 0))


def test_pickles_keep_scores_and_threshold(fitted):
    X = off_the_curve(20, 10)
    loaded = pickle.loads(pickle.dumps(fitted))
    assert loaded.offset_ == fitted.offset_
    np.testing.assert_array_equal(loaded.score_samples(X), fitted.score_samples(X))


def test_it_has_the_methods_of_the_transformer(fitted):
    Z = fitted.transform(on_a_curve(5, 11))
    assert Z.shape == (5, 2)  # half as many dimensions as columns
    assert fitted.inverse_transform(Z).shape == (5, 4)
    assert fitted.sample(3, random_state=0).shape == (3, 4)
    assert fitted.sample_prior(3).shape == (3, 2)
    assert fitted.encode_samples(on_a_curve(5, 11), 2).shape == (5, 2, 2)


def test_extreme_numbers_of_mixed_tables_are_outliers():
    """Normal scores, the transformer's scaling of such tables, would move them to the others."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=300),
            "b": pd.Categorical(rng.choice(["x", "y"], 300)),
            "c": np.where(rng.random(300) < 0.1, np.nan, rng.normal(size=300)),
        }
    )
    detector = AAEOutlierDetector(max_iter=12, **FITS).fit(frame)
    assert detector.scaling_ == "standard"
    new = frame.iloc[:50].assign(a=[20.0] + [0.0] * 49)
    scores = detector.score_samples(new)
    assert np.isfinite(scores).all()
    assert scores.argmin() == 0
    assert detector.predict(new)[0] == -1
    assert AAETransformer(max_iter=20, **FITS).fit(frame).scaling_ == "quantile"


def test_rows_that_are_all_the_same_are_no_outliers():
    X = np.ones((20, 3))
    assert (AAEOutlierDetector(max_iter=20, **FITS).fit_predict(X) == 1).all()


def test_a_neighbourhood_leaves_out_one_copy_of_a_row():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(30, 4)), 2, axis=0)
    mapped, _ = shrunk_and_whitened(X, X)
    wanted = [mean_distance(mapped[i], np.delete(mapped, i, axis=0), 6) for i in range(60)]
    np.testing.assert_allclose(fit_neighbourhood(X).distances(X), wanted, rtol=1e-8)


def test_only_some_of_many_rows_are_kept():
    X = on_a_curve(MOST_KEPT + 300, 12)
    detector = AAEOutlierDetector(max_iter=6, **FITS).fit(X)
    assert len(detector._neighbourhood.rows) == MOST_KEPT
    assert len(detector.score_samples(X)) == MOST_KEPT + 300


def test_errors_of_gaps_are_zero():
    """One number, one flag and a column of two categories, of which the first and last have gaps.

    The decoder returns the number 3 and logits 0, that is probabilities of one half.
    """
    layout = Layout(1, 1, (2,), gaps=(0, 2), weights=(1.0, 1.0))
    assert [layout.entries(column) for column in range(3)] == [
        slice(0, 1),
        slice(1, 2),
        slice(2, 4),
    ]
    x = torch.tensor([[1.0, 1.0, 0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]])
    output = torch.tensor([[3.0, 0.0, 0.0, 0.0], [3.0, 0.0, 0.0, 0.0]])
    found = Reconstruction(layout).errors(output, x)
    wanted = [[-2.0, 0.5, -0.5, 0.5], [0.0, -0.5, 0.0, 0.0]]
    torch.testing.assert_close(found, torch.tensor(wanted))


def test_copies_of_a_row_have_one_score():
    counts = np.random.default_rng(0).poisson(0.02, size=(400, 6)).astype(float)
    detector = AAEOutlierDetector(max_iter=5, **FITS).fit(counts)
    assert set(detector.predict(np.zeros((7, 6)))) == {1}
    assert (AAEOutlierDetector(max_iter=5, **FITS).fit_predict(np.ones((50, 3))) == 1).all()


@pytest.fixture(scope="module")
def wide():
    """Return a detector and 100 training rows of 200 columns, the last five of them outliers."""
    rng = np.random.default_rng(0)
    X = few_factors(rng, 100)
    X[-5:] = rng.permuted(X[-5:], axis=1) + 2.0 * rng.normal(size=(5, 200))
    return AAEOutlierDetector(contamination=0.05, **FITS).fit(X), X


def few_factors(rng, n_rows):
    """Return rows of 200 columns that depend on five factors."""
    loadings = np.random.default_rng(1).normal(size=(5, 200))
    return rng.normal(size=(n_rows, 5)) @ loadings + 0.5 * rng.normal(size=(n_rows, 200))


@pytest.mark.parametrize(
    "criterion", ["auto", pytest.param("reconstruction", marks=pytest.mark.slow)]
)
def test_with_few_rows_of_many_columns_new_rows_are_normal(criterion):
    rng = np.random.default_rng(2)
    X, clean = few_factors(rng, 100), few_factors(rng, 200)
    detector = AAEOutlierDetector(criterion=criterion, **FITS).fit(X)
    assert (detector.predict(clean) == 1).mean() > 0.95
    odd = rng.permuted(clean, axis=1)
    assert (detector.predict(odd) == -1).mean() > 0.95


def test_outliers_among_few_rows_of_many_columns_are_found(wide):
    detector, X = wide
    assert np.flatnonzero(detector.predict(X) == -1).tolist() == [95, 96, 97, 98, 99]
    assert (detector.score_samples(X) == -detector._neighbourhood.own[kept_as(detector)]).all()


@pytest.mark.parametrize("criterion", ["auto", "reconstruction"])
def test_contamination_is_the_share_of_few_wide_training_rows_too(criterion):
    X = few_factors(np.random.default_rng(3), 60)
    params = {"criterion": criterion, "contamination": 0.1, "max_iter": 10}
    assert (AAEOutlierDetector(**params, **FITS).fit_predict(X) == -1).sum() == 6


def test_copies_of_a_row_are_left_out_together():
    X = np.repeat(few_factors(np.random.default_rng(4), 30), 2, axis=0)
    detector = AAEOutlierDetector(max_iter=10, **FITS).fit(X)
    scores = detector.score_samples(X)
    np.testing.assert_array_equal(scores[::2], scores[1::2])
    np.testing.assert_allclose(np.sort(-detector._neighbourhood.own), np.sort(scores))


@pytest.mark.parametrize("table", ["polars", "sparse", "lists", "index", "X_val", "early stopping"])
def test_unseen_scores_of_tables_of_all_kinds(table):
    X = few_factors(np.random.default_rng(5), 40)[:, :12]
    params, given, rows = {"max_iter": 5}, {}, X
    if table == "polars":
        rows = pl.DataFrame(X).with_columns(kind=pl.Series(["a", "b"] * 20))
    elif table == "sparse":
        rows = scipy.sparse.csr_array(X)
    elif table == "lists":
        rows = X.tolist()
    elif table == "index":
        rows = pd.DataFrame(X, index=[0] * 40).assign(kind=["a", "b"] * 20)
        rows.columns = rows.columns.astype(str)
    elif table == "X_val":
        given["X_val"] = X[:10]
    else:
        params["early_stopping"] = True
    detector = AAEOutlierDetector(**params, **FITS).fit(rows, **given)
    assert detector._neighbourhood.own.shape == (40,)
    assert np.isfinite(detector.score_samples(rows)).all()


@pytest.mark.parametrize("fit", [1, 2, 3])
def test_an_interrupt_while_unseen_rows_are_scored_ends_the_fit(fit, monkeypatch):
    """Otherwise the threshold would come from a detector that is hardly trained."""
    monkeypatch.setattr(Loop, "last_interrupt", -np.inf)
    X = few_factors(np.random.default_rng(5), 40)[:, :12]
    detector = AAEOutlierDetector(max_iter=4, **FITS).fit(X)
    before, n_epochs, train_epoch = detector.offset_, [], Loop._train_epoch

    def interrupted(loop):
        n_epochs.append(loop.n_trained)
        if len(n_epochs) == 4 * fit + 3:
            raise KeyboardInterrupt
        train_epoch(loop)

    monkeypatch.setattr(Loop, "_train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X + 1.0)
    assert n_epochs == [*([0, 1, 2, 3] * fit), 0, 1, 2]
    assert detector.offset_ == before


def kept_as(detector):
    """Return the place of each of 100 training rows among those that the neighbourhood keeps."""
    return np.argsort(detector._kept(100))


def test_scores_of_unseen_rows_are_kept(wide):
    detector, X = wide
    again = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(again.score_samples(X), detector.score_samples(X))
    frame = pd.DataFrame(X[:60, :20]).assign(kind=["a", "b", "c"] * 20)
    frame.columns = frame.columns.astype(str)
    mixed = AAEOutlierDetector(max_iter=5, **FITS).fit(frame)
    assert mixed._neighbourhood.own.shape == (60,)


def test_a_wide_table_takes_directions_of_its_rows_only():
    X = np.random.default_rng(0).normal(size=(40, 500))
    found = fit_neighbourhood(X)
    assert found.directions.shape == (500, 40)
    few = fit_neighbourhood(X[:, :5])
    covariance = np.cov(X[:, :5].T)
    shrunk = 0.75 * covariance + 0.25 * np.trace(covariance) / 5 * np.eye(5)
    apart = X[0, :5] - X[1, :5]
    one, other = few.mapped(X[:2, :5])
    assert np.sum((one - other) ** 2) == pytest.approx(apart @ np.linalg.solve(shrunk, apart))
    # what no training row has counts by the shrunk variance
    wide = np.cov(X.T)
    shrunk = 0.75 * wide + 0.25 * np.trace(wide) / 500 * np.eye(500)
    apart = np.random.default_rng(1).normal(size=500) - X[0]
    one, other = found.mapped(np.vstack([apart + X[0], X[0]]))
    assert np.sum((one - other) ** 2) == pytest.approx(apart @ np.linalg.solve(shrunk, apart))


@pytest.mark.parametrize("n_rows", [60, 300])
@pytest.mark.parametrize("where", ["training rows", "new rows"])
def test_a_number_in_a_column_of_zeros_and_ones_is_an_outlier(n_rows, where):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n_rows, 3)), columns=["a", "b", "c"])
    frame["smoker"] = rng.integers(2, size=n_rows)
    odd = frame.copy()
    odd.loc[7, "smoker"] = 9
    rows = odd if where == "training rows" else frame
    detector = AAEOutlierDetector(**FITS).fit(rows)
    assert detector.decision_function(odd).argmin() == 7
    assert detector.predict(odd)[7] == -1


def test_booleans_are_flags_of_detectors_too():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=50), "b": rng.random(50) < 0.5})
    detector = AAEOutlierDetector(max_iter=2, **FITS).fit(frame)
    assert (detector._table.layout.n_numbers, detector._table.layout.n_flags) == (1, 1)


def test_a_gap_where_the_training_rows_have_none_makes_few_rows_outliers():
    """Measured: 0.38, and 0.94 if a gap counts as an error of the mean."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(500, 1))
    X = np.hstack([z, z, z]) + [[0.05, 0.05, 0.0]] * rng.normal(size=(500, 3))
    detector = AAEOutlierDetector(**FITS).fit(X)
    rows = np.linspace(-2.0, 2.0, 50)[:, None] * np.ones((1, 3))
    assert (detector.predict(rows) == -1).mean() < 0.2
    rows[:, 2] = np.nan
    assert (detector.predict(rows) == -1).mean() < 0.6
