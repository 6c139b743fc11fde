"""Searches, curves and predictions on Dask and Ray, whose clusters the tests start themselves."""

import secrets

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import classifier, hide, small_classifier, transformer
from joblib.parallel import ThreadingBackend
from sklearn.model_selection import GridSearchCV

from skaae import AAEClusterer, AAEOutlierDetector, LabelBudgetDisplay
from skaae.model_selection import (
    SemiSupervisedSplit,
    label_budget_curve,
    labeled_scorer,
    make_unlabeled,
)

CURVE = {"n_labels": [6, 12], "cv": 2, "scoring": "neg_log_loss", "random_state": 0}


def search(n_jobs=None):
    """Return a search of six fits."""
    return GridSearchCV(
        small_classifier(),
        {"n_components": [2, 3, 4]},
        cv=SemiSupervisedSplit(2, random_state=0),
        scoring=labeled_scorer("neg_log_loss"),
        n_jobs=n_jobs,
        error_score="raise",
    )


def check_search(backend, blobs, few_labels, n_jobs=None):
    """A search by a backend has the scores and the predictions of one in this process."""
    X, _ = blobs
    here = search().fit(X, few_labels)
    with joblib.parallel_config(backend=backend):
        there = search(n_jobs).fit(X, few_labels)
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(there.cv_results_[name], here.cv_results_[name])
    assert there.best_params_ == here.best_params_
    np.testing.assert_array_equal(there.predict_proba(X), here.predict_proba(X))


def check_curve(backend, blobs, n_jobs=None, **params):
    X, y = blobs
    model = small_classifier() if not params else classifier(**params)
    here = label_budget_curve(model, X, y, **CURVE)
    with joblib.parallel_config(backend=backend):
        there = label_budget_curve(model, X, y, n_jobs=n_jobs, **CURVE)
    np.testing.assert_array_equal(there.test_scores, here.test_scores)


@pytest.fixture(scope="module")
def dask_cluster():
    """Two workers of Dask in threads of this process, and a client that uses them."""
    distributed = pytest.importorskip("dask.distributed", reason="needs dask[distributed]")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def ray_cluster():
    """A cluster of Ray with two workers, each a process, which joblib knows as "ray"."""
    with pytest.MonkeyPatch.context() as patch:
        # otherwise Ray writes a token into the user's home
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns, and is that way
        ray = pytest.importorskip("ray", reason="needs ray")
        from ray.util.joblib import register_ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        try:
            register_ray()
            yield
        finally:
            ray.shutdown()


def test_a_search_on_dask_is_that_of_one_process(dask_cluster, blobs, few_labels):
    check_search("dask", blobs, few_labels)


def test_n_jobs_inside_of_dask(dask_cluster, blobs, few_labels):
    check_search("dask", blobs, few_labels, n_jobs=2)


def test_a_curve_on_dask_is_that_of_one_process(dask_cluster, blobs):
    check_curve("dask", blobs)


def test_the_display_of_a_curve_on_dask(dask_cluster, blobs):
    with joblib.parallel_config(backend="dask"):
        display = LabelBudgetDisplay.from_estimator(small_classifier(), *blobs, **CURVE)
    assert display.test_scores.shape == (2, 2)


@pytest.mark.slow
def test_processes_of_dask(blobs, few_labels):
    """Estimators, folds and scorers travel as pickles there.

    The trees of a committee once went to the workers one by one: the votes came in any order.
    """
    distributed = pytest.importorskip("dask.distributed", reason="needs dask[distributed]")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster),
    ):
        check_search("dask", blobs, few_labels)
        check_curve("dask", blobs, max_iter=2)


@pytest.mark.slow
# some versions of Ray leave the end of their processes and files to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_search_and_a_curve_on_ray(ray_cluster, blobs, few_labels):
    check_search("ray", blobs, few_labels, n_jobs=-1)
    check_curve("ray", blobs, n_jobs=-1, max_iter=2)


class WholeFits(ThreadingBackend):
    """A backend of joblib for whole fits, which fails where a part of a fit would go there."""

    def configure(self, n_jobs=1, parallel=None, **more):
        assert n_jobs == 1, f"{parallel} would send parts of a fit to a cluster"
        return super().configure(n_jobs, parallel, **more)


@pytest.mark.parametrize(
    "model",
    [
        classifier(max_iter=1),
        AAEClusterer(n_clusters=3, max_iter=1, init="spectral", random_state=0),
        AAEOutlierDetector(max_iter=1, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_parts_of_a_fit_stay_in_its_process(model, blobs, few_labels):
    X, _ = blobs
    with joblib.parallel_config(backend=WholeFits(), n_jobs=2):
        model.fit(X, few_labels)
        getattr(model, "predict", model.transform)(X)


@pytest.fixture(scope="module")
def table():
    """A mixed table of 90 rows with gaps, and labels that are text."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=90),
            "color": pd.Series(np.array(["red", "green", "blue"])[rng.integers(0, 3, 90)]),
            "kind": pd.Categorical(np.array(["u", "v"])[rng.integers(0, 2, 90)]),
            "new": rng.random(90) > 0.5,
        }
    )
    y = np.where(frame["new"], "yes", "no").astype(object)
    frame.loc[::7, "color"], frame.loc[::9, "size"] = None, np.nan
    return frame, y


@pytest.fixture(scope="module")
def partitions(table):
    """The table as a Dask DataFrame of three partitions."""
    dd = pytest.importorskip("dask.dataframe", reason="needs dask[dataframe]")
    return dd.from_pandas(table[0], npartitions=3)


def test_predictions_of_a_dask_frame(dask_cluster, table, partitions):
    frame, y = table
    model = small_classifier().fit(frame, make_unlabeled(y, 40, random_state=0))
    same, close = np.testing.assert_array_equal, np.testing.assert_allclose
    for method, check in ((model.predict, same), (model.predict_proba, close)):
        expected = method(frame)
        lazy = partitions.map_partitions(method, meta=expected[:0])
        assert (lazy.dtype, lazy.ndim) == (expected.dtype, expected.ndim)
        check(lazy.compute(), expected)


def test_codes_of_a_dask_frame_are_frames(dask_cluster, table, partitions):
    frame, _ = table
    model = transformer(max_iter=2).fit(frame).set_output(transform="pandas")
    expected = model.transform(frame)
    lazy = partitions.map_partitions(model.transform, meta=expected[:0])
    assert lazy.dtypes.equals(expected.dtypes)
    pd.testing.assert_frame_equal(lazy.compute(), expected)
    decoded = lazy.map_partitions(model.inverse_transform, meta=frame[:0])
    rows = decoded.compute().reset_index(drop=True)  # each partition is numbered from 0
    pd.testing.assert_frame_equal(rows, model.inverse_transform(expected))


def test_a_dask_frame_needs_no_meta(table, partitions):
    """Dask then calls the method with two rows of its own, whose text is in no category."""
    frame, _ = table
    model = transformer(max_iter=2).fit(frame).set_output(transform="pandas")
    lazy = partitions.map_partitions(model.transform)
    assert lazy.dtypes.equals(model.transform(frame).dtypes)


def test_blocks_of_a_dask_array(dask_cluster, blobs):
    da = pytest.importorskip("dask.array", reason="needs dask[array]")
    X, y = blobs
    rows = da.from_array(X, chunks=(50, -1))
    model = small_classifier().fit(X, hide(y, 5))
    labels = rows.map_blocks(model.predict, drop_axis=1, meta=model.predict(X[:1])[:0])
    assert (labels.shape, labels.dtype) == ((180,), model.classes_.dtype)
    np.testing.assert_array_equal(labels.compute(), model.predict(X))
    codes = model.transform(X)
    lazy = rows.map_blocks(
        model.transform, chunks=(rows.chunks[0], codes.shape[1:]), meta=codes[:0]
    )
    assert (lazy.shape, lazy.dtype) == (codes.shape, codes.dtype)
    np.testing.assert_allclose(lazy.compute(), codes, rtol=1e-6, atol=1e-8)


def test_columns_of_a_row_must_be_in_one_block(dask_cluster, blobs):
    da = pytest.importorskip("dask.array", reason="needs dask[array]")
    X, _ = blobs
    model = transformer(max_iter=2).fit(X)
    lazy = da.from_array(X, chunks=(50, 3)).map_blocks(model.transform, dtype=X.dtype)
    with pytest.raises(ValueError, match="X has 3 features, but AAETransformer is expecting 6"):
        lazy.compute()
