"""`show_progress` shows a bar for every long call in its block, and for no other."""

import builtins
import threading

import numpy as np
import pytest
from conftest import classifier, hide, transformer

from skaae import inference, progress, show_progress

rich = pytest.importorskip("rich.progress")


@pytest.fixture
def bars(monkeypatch):
    """The bars that are shown, as lists of name, total and number of steps."""
    shown = []

    class Watched(rich.Progress):
        def add_task(self, name, total):
            shown.append([name, total, 0])
            return super().add_task(name, total=total)

        def advance(self, task, n_steps=1):
            at = list(self.task_ids).index(task)
            open_bars = [bar for bar in shown if len(bar) == 3]
            open_bars[at][2] += n_steps
            super().advance(task, n_steps)

        def remove_task(self, task):
            at = list(self.task_ids).index(task)
            [bar for bar in shown if len(bar) == 3][at].append("removed")
            super().remove_task(task)

    monkeypatch.setattr(rich, "Progress", Watched)
    return shown


def test_a_fit_counts_its_epochs(blobs, few_labels, bars):
    model = classifier(max_iter=4, pseudo_labels=False)
    with show_progress():
        model.fit(blobs[0], few_labels)
    assert bars == [["epochs of SemiSupervisedAAEClassifier", 4, 4, "removed"]]
    model.fit(blobs[0], few_labels)
    assert len(bars) == 1  # there are no bars outside of the block


def test_methods_count_batches_of_rows(blobs, fitted_transformer, bars, monkeypatch, device):
    monkeypatch.setitem(inference.BATCH_ROWS, device, 50)
    X = blobs[0]
    with show_progress():
        codes = fitted_transformer.transform(X)
    assert bars == [["rows", 4, 4, "removed"]]
    np.testing.assert_array_equal(codes, fitted_transformer.transform(X))
    with show_progress():
        fitted_transformer.transform(X[:50])  # one batch needs no bar
    assert len(bars) == 1


def test_the_log_likelihood_counts_samples(blobs, fitted_transformer, bars):
    X = blobs[0]
    with show_progress():
        fitted_transformer.parzen_log_likelihood(X, 25_000, bandwidth=1.0, random_state=0)
    assert ["samples", 3, 3, "removed"] in bars
    assert all(bar[1] == bar[2] for bar in bars)


def test_a_bar_goes_if_its_call_fails(blobs, bars):
    def fail(epoch):
        if epoch == 2:
            raise RuntimeError("no more")
        return 1.0

    with show_progress():
        with pytest.raises(RuntimeError, match="no more"):
            transformer(learning_rate_schedule=fail, max_iter=5).fit(blobs[0])
        assert bars == [["epochs of AAETransformer", 5, 2, "removed"]]


def test_other_threads_have_no_bars(blobs, bars):
    with show_progress():
        thread = threading.Thread(target=transformer(max_iter=2).fit, args=(blobs[0],))
        thread.start()
        thread.join()
    assert bars == []
    assert progress._bars.get() is None


def test_bars_need_rich(monkeypatch):
    load = builtins.__import__

    def without_rich(name, *args, **kwargs):
        if name.startswith("rich"):
            raise ImportError(name)
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_rich)
    with pytest.raises(ImportError, match=r"pip install 'skaae\[progress\]'"), show_progress():
        pass


def test_fits_of_a_search_have_bars(blobs, few_labels, bars):
    from sklearn.model_selection import cross_val_score

    with show_progress():
        cross_val_score(
            classifier(max_iter=2, pseudo_labels=False), blobs[0], hide(blobs[1], 9), cv=2
        )
    assert len(bars) == 2
