"""`diagnose`: models made to fail in each way are found out, and healthy ones pass."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import FITS, classifier, transformer
from sklearn.datasets import load_iris, load_wine, make_blobs
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from test_results import load

from skaae import (
    MLP,
    SGD,
    AAEClusterer,
    AAEEmbedding,
    AAEOutlierDetector,
    AAETransformer,
    Adam,
    DiagnosisDisplay,
    Finding,
    SupervisedAAETransformer,
    diagnose,
)
from skaae.diagnosis import statistics
from skaae.diagnosis.report import Diagnosis, judged, not_checked
from skaae.priors import Gaussian

BENCHMARK = load("diagnosis")
FAILURES = BENCHMARK.FAILURES


def names(findings):
    return [finding.name for finding in findings]


@pytest.fixture(scope="module")
def wine():
    """Wine in two parts, and 12 labels of each class of the first: X, X_val, y, y_val, y_few."""
    X, y = load_wine(return_X_y=True)
    parts = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    return (*parts, BENCHMARK.make_unlabeled(parts[2], 36, random_state=0))


# Failures and health ------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)
def test_a_model_made_to_fail_is_found_out(failure):
    report = BENCHMARK.failed_report(failure, 1)
    assert set(FAILURES[failure]) <= set(names(report.warnings))
    for finding in report.warnings:
        assert finding.advice
        assert finding.severity > 1.0


def test_rows_with_wrong_labels_are_named():
    model, X, y, _ = BENCHMARK.wrong_labels(0)
    right = load_wine().target
    model.set_params(max_iter=2).fit(X, y)
    rows = diagnose(model, X, y)["wrong labels"].details["rows"]
    assert len(rows) > 0.5 * (y != right).sum()
    assert (y[rows] != right[rows]).mean() > 0.9


def test_a_lost_class_is_named():
    model, X, y, _ = BENCHMARK.lost_class(0)
    model.fit(X, y)
    finding = diagnose(model, X, y)["class shares"]
    predicted = set(model.predict(X[y == -1]))
    lost = [str(label) for label in model.classes_ if label not in predicted]
    assert len(lost) > 0
    assert finding.details["lost"] == lost
    assert "Never predicted: " + ", ".join(lost) in finding.message


@pytest.mark.parametrize("name", ["AAETransformer", "AAEOutlierDetector"])
def test_a_healthy_model_has_no_warning(name):
    report = BENCHMARK.healthy_report(name, "wine", 0)
    assert names(report.warnings) == []
    checked = [finding for finding in report.findings if finding.status == "ok"]
    assert len(checked) >= 4
    assert not any(finding.advice for finding in checked)


def test_rows_of_the_fit_are_no_sign_of_overfitting(blobs, few_labels, fitted_classifier):
    X, y = blobs
    report = diagnose(fitted_classifier, X, few_labels, X_val=X, y_val=y)
    assert report["overfitting"].value == pytest.approx(0.0, abs=1e-6)
    accuracies = [fitted_classifier.score(X, labels) for labels in (few_labels, y)]
    gap = report["overfitting classes"].value
    assert gap == pytest.approx(accuracies[0] - accuracies[1])
    assert diagnose(fitted_classifier, X)["overfitting"].status == "not checked"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", BENCHMARK.HEALTHY)
def test_healthy_models_have_no_warning_over_20_seeds(name, seed):
    table = list(BENCHMARK.TABLES)[seed % len(BENCHMARK.TABLES)]
    assert names(BENCHMARK.healthy_report(name, table, seed).warnings) == []


def test_the_file_with_results_says_the_same():
    """The limits lie beyond the numbers of all healthy fits of the benchmark."""
    path = BENCHMARK.save.__globals__["RESULTS"] / "diagnosis.json"
    result = json.loads(path.read_text())
    assert result["n_seeds"] == 20
    limits = result["limits"]
    X = load_wine().data
    report = diagnose(AAETransformer(max_iter=20, **FITS).fit(X), X)
    for finding in report.findings:
        if finding.value is not None:
            assert limits[finding.name] == [finding.best, finding.limit]

    def beyond(values):
        names = limits.keys() & values.keys() - {"empty clusters"}  # its limit is that of one table
        return {
            name
            for name in names
            if (values[name] > limits[name][1]) == (limits[name][1] > limits[name][0])
        }

    for fit in result["healthy"]:
        assert beyond(fit["values"]) == set(fit["notes"])
        assert fit["warnings"] == []
    for failed in result["failed"].values():
        for found in failed["found"]:
            warned = set(found["warnings"])
            assert set(failed["expected"]) <= warned
            assert warned - {"empty clusters"} <= beyond(found["values"])


def test_styles_of_the_default_do_not_tell_the_class_of_iris():
    X, y = load_iris(return_X_y=True)
    model = SupervisedAAETransformer(**FITS).fit(X, y)
    assert model.transform(X).shape == (150, 2)
    finding = diagnose(model, X, y)["style tells the class"]
    assert (finding.status, finding.advice) == ("ok", "")
    assert finding.value < 0.2
    drawn = [model.sample(100, label, random_state=0) for label in range(3)]
    judge = RandomForestClassifier(random_state=0).fit(X, y)
    assert judge.score(np.concatenate(drawn), np.repeat(range(3), 100)) > 0.95


def test_advice_where_the_style_tells_the_class():
    X, y = load_iris(return_X_y=True)
    solver = Adam(adversarial_learning_rate=0.0)
    for params, advice in (
        ({"max_iter": 100}, "Raise max_iter, or set it to 'auto'."),
        ({"max_iter": 40, "solver": solver}, "Set adversarial_learning_rate of the solver to"),
        ({"max_iter": 400, "class_conditional": False}, "or set class_conditional=True."),
    ):
        model = SupervisedAAETransformer(10, **params, **FITS).fit(X, y)
        finding = diagnose(model, X, y)["style tells the class"]
        assert finding.status == "warning"
        assert advice in finding.advice


def test_codes_tell_as_much_as_they_hold():
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], [60, 40, 20])
    noise = rng.normal(size=(120, 2))
    assert statistics.told_share(noise, targets) < 0.1
    assert statistics.told_share(np.eye(3)[targets] + 0.01 * noise[:, :1], targets) == 1.0
    # the first class apart, and the two others alike: of 60 rows, 20 are told wrongly
    apart = (targets == 0)[:, None] + 0.01 * noise
    assert statistics.told_share(apart, targets) == pytest.approx(40 / 60, abs=0.05)


# The worst at the end of fit ----------------------------------------------------------------------


def test_fit_warns_if_all_codes_are_equal(wine):
    network = MLP(batch_norm=None, weight_init="uniform")
    how = {"network": network, "solver": Adam(adversarial_learning_rate=0.1)}
    model = AAETransformer(max_iter=100, **how, **FITS)
    with pytest.warns(ConvergenceWarning, match="All rows have the same code"):
        model.fit(wine[0])
    assert (model.transform(wine[0]).std(axis=0) < 0.05).all()


def test_fit_warns_if_all_rows_are_in_one_cluster():
    X = load_wine().data
    how = {"network": MLP(batch_norm=None), "solver": SGD(adversarial_learning_rate=1.0)}
    model = AAEClusterer(3, init="random", max_iter=30, **how, **FITS)
    with pytest.warns(ConvergenceWarning, match="All rows are in one cluster, but n_clusters=3"):
        model.fit(X)
    assert model.n_clusters_ == 1
    assert model.set_params(n_clusters=1).fit(X).n_clusters_ == 1  # as asked for


def test_rows_that_are_equal_are_no_reason_to_warn():
    model = transformer(max_iter=25).fit(np.ones((30, 3)))
    report = diagnose(model, np.ones((30, 3)))
    assert report["reconstruction"].status == "not checked"


# What applies to which estimator ------------------------------------------------------------------


def test_a_map_of_neighbours_has_no_prior():
    X, _ = make_blobs(80, random_state=0)
    report = diagnose(AAEEmbedding(max_iter=60, **FITS).fit(X), X)
    for name in ("prior by dimension", "prior jointly", "discriminator"):
        finding = report[name]
        assert (finding.status, finding.value) == ("not checked", None)
        assert finding.message


def test_an_outlier_detector_needs_no_prior_and_gets_notes(wine):
    X = wine[0]
    report = diagnose(AAEOutlierDetector(**FITS).fit(X), X)
    finding = report["prior by dimension"]
    assert finding.value > finding.limit
    assert finding.status == "note"
    assert report.warnings == []


@pytest.mark.parametrize("how", [{"regularizer": "mmd"}, {"regularizer": None}])
def test_other_regularizers(how, wine):
    X = wine[0]
    report = diagnose(transformer(max_iter=60, **how).fit(X), X)
    assert report["discriminator"].status == "not checked"
    compared = report["prior by dimension"].status != "not checked"
    assert compared == (how["regularizer"] == "mmd")


@pytest.mark.parametrize("posterior", ["gaussian", "universal"])
def test_random_posteriors_are_sampled(posterior, wine):
    X = wine[0]
    model = transformer(max_iter=60, posterior=posterior).fit(X)
    report = diagnose(model, X)
    assert report["prior jointly"].value < 0.3
    assert report.to_dict() == diagnose(model, X).to_dict()


def test_use_labels_compares_each_class_with_its_component(blobs):
    X, y = blobs
    model = AAETransformer(use_labels=True, prior=BENCHMARK.Petals(3), max_iter=60, **FITS)
    report = diagnose(model.fit(X, y), X, y)
    turned = diagnose(model, X, (y + 1) % 3)
    assert turned["prior jointly"].value > report["prior jointly"].value + 0.1
    assert diagnose(model, X)["prior jointly"].value < 0.2  # unlabeled: the whole prior


def test_a_head_per_cluster(blobs):
    X, _ = blobs
    model = AAEEmbedding(n_clusters=3, max_iter=40, **FITS).fit(X)
    assert sum(diagnose(model, X)["empty components"].details["rows"]) == len(X)


def test_tables_with_gaps_and_categories():
    rng = np.random.default_rng(0)
    n = 200
    group = rng.integers(0, 3, n)
    X = pd.DataFrame(
        {
            "a": group + 0.1 * rng.normal(size=n),
            "b": rng.normal(size=n),
            "city": pd.Categorical(np.array(["x", "y", "z"])[group]),
            "flag": group > 1,
        }
    )
    X.loc[::7, "b"] = np.nan
    X.loc[3, "city"] = np.nan
    model = transformer(max_iter=60).fit(X)
    report = diagnose(model, X, X_val=X)
    assert report["overfitting"].value == pytest.approx(0.0, abs=1e-6)
    assert 0.5 < report["reconstruction"].value < 1.5


def test_many_rows_are_drawn_from_and_labels_are_kept():
    X, y = make_blobs(5000, centers=3, n_features=4, random_state=0)
    few = np.full(len(y), -1)
    few[:40] = y[:40]
    few[5] = (y[5] + 1) % 3
    model = classifier(max_iter=4, pseudo_labels=False).fit(X, few)
    report = diagnose(model, X, few)
    assert report.n_rows == 2000
    assert report["wrong labels"].details["n_labels"] == 40
    assert report["wrong labels"].details["rows"].tolist() == [5]


def test_the_order_of_many_rows_does_not_matter():
    X, y = make_blobs(3000, centers=3, n_features=4, random_state=0)
    model = transformer(max_iter=8).fit(X)
    found = [diagnose(model, X[order]) for order in (np.argsort(y), np.arange(len(y)))]
    for name in ("prior jointly", "reconstruction", "decoder uses style"):
        values = [report[name].value for report in found]
        assert values[0] == pytest.approx(values[1], abs=0.1)


def test_few_rows_are_said_to_be_too_few():
    X, y = make_blobs(8, centers=2, random_state=0)
    model = SupervisedAAETransformer(max_iter=25, **FITS).fit(X, y)
    report = diagnose(model, X, y, X_val=X, y_val=y)
    assert {f.status for f in report.findings if f.name != "epochs"} == {"not checked"}


# Bad input ----------------------------------------------------------------------------------------


def test_bad_input(blobs, few_labels, fitted_transformer, fitted_classifier):
    X, y = blobs
    with pytest.raises(NotFittedError):
        diagnose(AAETransformer(), X)
    with pytest.raises(TypeError, match="LogisticRegression is no estimator of skaae"):
        diagnose(LogisticRegression(), X)
    with pytest.raises(ValueError, match="X has 5 features, but AAETransformer is expecting 6"):
        diagnose(fitted_transformer, X[:, :5])
    with pytest.raises(ValueError, match="y holds the label 7"):
        diagnose(fitted_classifier, X, np.where(y == 1, 7, y))
    with pytest.raises(ValueError, match="y_val holds the label 7"):
        diagnose(fitted_classifier, X, y, X_val=X, y_val=np.full(len(X), 7))
    with pytest.raises(ValueError, match="y_val is given, but X_val is None"):
        diagnose(fitted_classifier, X, y, y_val=y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        diagnose(fitted_classifier, X, few_labels[:-1])
    supervised = SupervisedAAETransformer(max_iter=2, **FITS).fit(X, y)
    with pytest.raises(ValueError, match="requires y to be passed"):
        diagnose(supervised, X)
    with pytest.raises(ValueError, match="needs the class of every row"):
        diagnose(supervised, X, few_labels)


def test_diagnosing_changes_nothing(blobs, fitted_transformer):
    X = blobs[0]
    before, keys = fitted_transformer.transform(X), set(vars(fitted_transformer))
    state = fitted_transformer._step.generator.get_state()
    diagnose(fitted_transformer, X)
    np.testing.assert_array_equal(fitted_transformer.transform(X), before)
    assert set(vars(fitted_transformer)) == keys
    assert bool((fitted_transformer._step.generator.get_state() == state).all())


# The report ---------------------------------------------------------------------------------------


def example():
    """Return a report with one finding of each status."""
    return Diagnosis(
        [
            not_checked("overfitting", "Pass X_val."),
            judged("fine", np.float32(0.25), 1.0, 0.0, "A number.", "Never shown."),
            judged(
                "low", 0.25, 0.5, 1.0, "Below the limit.", "Raise it.", details={"n": np.int64(3)}
            ),
            judged("worse", 9.0, 1.0, 0.0, "Far above.", "Lower it."),
            judged("of no use", 2.0, 1.0, 0.0, "Above.", "Nothing.", matters=False),
        ],
        estimator_name="AAETransformer",
        n_rows=50,
    )


def test_the_report_as_text():
    assert str(example()).splitlines() == [
        "AAETransformer, 50 rows: 2 warnings",
        "",
        "Warnings",
        "  worse                  9.00 > 1.00   Far above.",
        "                                       -> Lower it.",
        "  low                    0.25 < 0.50   Below the limit.",
        "                                       -> Raise it.",
        "",
        "Notes",
        "  of no use              2.00 > 1.00   Above.",
        "                                       -> Nothing.",
        "",
        "Fine",
        "  fine                   0.25 < 1.00   A number.",
        "",
        "Not checked",
        "  overfitting                          Pass X_val.",
    ]
    assert repr(example()) == str(example())


def test_the_report_as_dict():
    report = example()
    found = json.loads(json.dumps(report.to_dict()))
    assert (found["estimator"], found["n_rows"]) == ("AAETransformer", 50)
    by_name = {finding["name"]: finding for finding in found["findings"]}
    assert set(by_name["low"]) == set(Finding.__dataclass_fields__)
    assert by_name["low"]["details"] == {"n": 3}
    assert by_name["overfitting"]["value"] is None
    assert report["low"].severity == pytest.approx(2.0)
    with pytest.raises(KeyError, match="'high' is no check of this report"):
        report["high"]


def test_a_real_report_can_be_written_as_json(blobs, few_labels, fitted_classifier):
    report = diagnose(fitted_classifier, blobs[0], few_labels)
    assert json.loads(json.dumps(report.to_dict()))["findings"]
    assert max(len(line) for line in str(report).splitlines()) <= 100


def test_the_display_draws_a_bar_for_each_number():
    from matplotlib import pyplot

    report = example()
    display = DiagnosisDisplay(report).plot()
    ax = display.ax_
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "worse",
        "low",
        "of no use",
        "fine",
    ]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([2.0, 2.0, 2.0, 0.25])
    assert [text.get_text() for text in ax.texts] == [
        "9.00 > 1.00",
        "0.25 < 0.50",
        "2.00 > 1.00",
        "0.25 < 1.00",
    ]
    colors = [bar.get_facecolor() for bar in ax.patches]
    assert colors[0] == colors[1]
    assert len(set(colors)) == 3
    display.figure_.savefig("/dev/null", format="png")
    pyplot.close("all")


def test_the_display_of_an_estimator(blobs, fitted_transformer):
    from matplotlib import pyplot

    _, ax = pyplot.subplots()
    display = DiagnosisDisplay.from_estimator(fitted_transformer, blobs[0], ax=ax, height=0.3)
    assert display.ax_ is ax
    assert ax.patches[0].get_height() == pytest.approx(0.3)
    numbered = [f for f in display.report.findings if f.value is not None]
    assert len(ax.patches) == len(numbered)
    pyplot.close("all")


# Statistics, worked by hand or on samples whose distribution is known -----------------------------


def test_distances_by_dimension():
    samples = np.random.default_rng(0).normal(size=(2000, 3)) * [1.0, 5.0, 1.0]
    codes = np.column_stack([samples[::-1, 0], samples[:, 1] + 10.0, np.zeros(2000)])
    found = statistics.distances_by_dimension(codes, samples)
    assert found == pytest.approx([0.0, 2.0, np.sqrt(2 / np.pi)], rel=0.05)


def test_energy_distance():
    rng = np.random.default_rng(0)
    codes, samples = rng.normal(size=(2, 500, 2))
    assert statistics.energy_distance(codes, samples) == pytest.approx(0.0, abs=0.01)
    assert statistics.energy_distance(np.zeros((5, 2)), np.ones((4, 2))) == pytest.approx(1.0)
    assert statistics.energy_distance(codes, samples + 1.0) > 0.1
    # as many samples as rows, or more: the size of the effect stays
    few = statistics.energy_distance(codes[:100], samples[:100] + 1.0)
    assert few == pytest.approx(statistics.energy_distance(codes, samples + 1.0), abs=0.05)


def test_rows_in_other_units_do_not_pass_for_rows_like_those_of_the_fit(blobs):
    """They vary more, so the share of their own variance that is explained may be high."""
    X, _ = blobs
    aae = AAETransformer(max_iter=60, **FITS).fit(X[:120])
    assert diagnose(aae, X[:120], X_val=X[120:])["overfitting"].status == "ok"
    assert diagnose(aae, X[:120], X_val=3.0 * X[120:])["overfitting"].status == "warning"


def test_largest_correlation():
    x = np.random.default_rng(0).normal(size=(300, 1))
    assert statistics.largest_correlation(np.hstack([x, np.zeros_like(x), -x])) == pytest.approx(1)
    assert statistics.largest_correlation(x) == 0.0


def test_discriminator_advantage():
    sure = np.full(5, 50.0)
    assert statistics.discriminator_advantage(sure, -sure) == pytest.approx(1.0)
    assert statistics.discriminator_advantage(sure, sure) == 0.0


def test_principal_variance_and_explained_share():
    X = np.array([[1.0, 0.0], [-1.0, 0.0], [10.0, 0.5], [10.0, -0.5]])
    total, one = statistics.principal_variance(X, np.array([0, 0, 1, 1]), 1)
    assert (total, one) == pytest.approx((0.625, 0.5))
    mean = X.mean(axis=0)
    variance = statistics.mean_square(X - mean)
    assert statistics.explained_share(X, X, variance) == 1.0
    assert statistics.explained_share(X, np.tile(mean, (4, 1)), variance) == pytest.approx(0.0)
    assert statistics.explained_share(X, X, 0.0) == 1.0  # rows that are all the same


def test_late_share():
    assert statistics.late_share(np.linspace(1.0, 0.0, 101)) == pytest.approx(0.5, abs=0.02)
    assert statistics.late_share([9.0] * 3 + [1.0] * 97) == pytest.approx(0.0)
    assert statistics.late_share([np.nan, 3.0, 2.0]) is None
    assert statistics.late_share([1.0] * 20) is None
    assert statistics.late_share(np.linspace(1.0, 0.0, 101), 5.0) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("prior", ["gaussian", "petals"])
def test_models_that_start_from_components_have_enough_epochs(wine, prior):
    model = AAETransformer(prior=prior, **FITS).fit(wine[0])
    assert diagnose(model, wine[0])["epochs"].status == "ok"


def test_wrong_labels_of_two_groups():
    X = np.random.default_rng(0).normal(size=(80, 2)) + np.repeat([[0.0], [8.0]], 40, axis=0)
    targets = np.repeat([0, 1], 40)
    targets[[3, 70]] = [1, 0]
    assert statistics.wrong_labels(X, targets, 0).tolist() == [3, 70]


def test_no_warning_of_numpy_for_codes_that_are_all_equal():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codes = np.full((50, 3), 1e-30, dtype=np.float32)
        assert statistics.largest_correlation(codes) == 0.0
        assert np.isfinite(statistics.distances_by_dimension(codes, codes)).all()


def test_a_prior_of_float64_can_be_diagnosed():
    class InFloat64(Gaussian):
        def sample(self, *args, **kwargs):
            return super().sample(*args, **kwargs).double()

    X = load_iris().data
    aae = AAETransformer(prior=InFloat64(), max_iter=20, **FITS).fit(X)
    assert np.isfinite(diagnose(aae, X)["prior jointly"].value)


def test_classes_mean_nothing_to_a_model_that_saw_none():
    X, y = load_iris(return_X_y=True)
    model = AAETransformer(prior="petals", use_labels=True, max_iter=2, random_state=0).fit(X)
    assert names(diagnose(model, X, y).findings) == names(diagnose(model, X).findings)
