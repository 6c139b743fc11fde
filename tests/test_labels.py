"""What counts as unlabeled."""

import datetime
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import classifier

from skaae.estimators.labels import (
    UNKNOWN,
    class_proportions,
    encode_labels,
    label_block,
    lookup_labels,
    one_hot,
)
from skaae.unlabeled import as_label_array, find_unlabeled, is_missing, mark_unlabeled

NAN = float("nan")
BIG = 2**53 + 1  # the first integer that no float64 holds


@pytest.mark.parametrize(
    ("y", "marker", "classes", "targets"),
    [
        ([0, 1, -1], "auto", [0, 1], [0, 1, -1]),
        ([0.0, 1.0, NAN], "auto", [0.0, 1.0], [0, 1, -1]),
        (["a", "b", None], "auto", ["a", "b"], [0, 1, -1]),
        (np.array(["a", "b", -1, NAN], dtype=object), "auto", ["a", "b"], [0, 1, -1, -1]),
        (pd.Series([3, 5, pd.NA], dtype="Int64"), "auto", [3, 5], [0, 1, -1]),
        (np.ma.masked_array([3, 5, 5], mask=[0, 0, 1]), "auto", [3, 5], [0, 1, -1]),
        (np.ma.masked_array(["a", "b"], mask=[0, 1]), "auto", ["a"], [0, -1]),
        (pd.Series(["x", pd.NA, "y"], dtype="string"), "auto", ["x", "y"], [0, -1, 1]),
        (pd.Series([True, False, pd.NA], dtype="boolean"), "auto", [False, True], [1, 0, -1]),
        (pd.Categorical(["u", None, "v"]), "auto", ["u", "v"], [0, -1, 1]),
        (pd.to_datetime(["2026-01-01", None, "2026-01-02"]), "auto", None, [0, -1, 1]),
        (["a", "b", "unknown"], "unknown", ["a", "b"], [0, 1, -1]),
        (["a", NAN, "b", -1], "auto", ["a", "b"], [0, -1, 1, -1]),
        ([0.0, 1.0, NAN, -1.0], NAN, [-1.0, 0.0, 1.0], [1, 2, -1, 0]),
        ([7, 8, 99, -1], 99, [-1, 7, 8], [1, 2, -1, 0]),
        (pd.Series([7, pd.NA, 8, -1], dtype="Int64"), pd.NA, [-1, 7, 8], [1, -1, 2, 0]),
        ([-1, 1, 2], None, [-1, 1, 2], [0, 1, 2]),
        ([-1, 1, 1, -1, 2], "auto", [1, 2], [-1, 0, 0, -1, 1]),
        ([-1.0, 1.0, 3.0, NAN], "auto", [1.0, 3.0], [-1, 0, 1, -1]),
    ],
)
@pytest.mark.filterwarnings("ignore:y holds -1 in 1 rows and missing values in 1 rows")
def test_encode(y, marker, classes, targets):
    found, found_codes = encode_labels(y, marker)
    np.testing.assert_array_equal(found_codes, targets)
    if classes is not None:
        np.testing.assert_array_equal(found, classes)


@pytest.mark.parametrize("y", [[-1, 1, 1], np.array([-1, 1], dtype=object), [-1.0, 1.0]])
def test_minus_one_and_one_alone_are_a_binary_target(y):
    with pytest.warns(UserWarning, match="unlabeled_label=None"):
        classes, targets = encode_labels(y, "auto")
    np.testing.assert_array_equal(classes, [-1, 1])
    assert (targets >= 0).all()


def test_a_missing_value_makes_minus_one_a_marker_again():
    with pytest.warns(UserWarning, match="-1 in 1 rows and missing values in 1 rows.*np.nan"):
        classes, targets = encode_labels([-1.0, 1.0, NAN], "auto")
    np.testing.assert_array_equal(classes, [1])
    np.testing.assert_array_equal(targets, [-1, 0, -1])


@pytest.mark.parametrize(
    ("y", "marker", "message"),
    [
        ([-1, -1], -1, "no labeled row"),
        ([-1, -1], "auto", "no labeled row"),
        ([NAN, NAN], "auto", "no labeled row"),
        ([0, 1, NAN], None, "unlabeled_label='auto'"),
        (["a", "-1"], "auto", "dtype=object"),
        (np.array(["a", "b", -1]), -1, "dtype=object"),
        (np.array(["a", "b", NAN]), "auto", "holds the string 'nan'"),
        (np.array(["a", "b", NAN]), NAN, "holds the string 'nan'"),
        ([0.5, 1.5, NAN], "auto", "Unknown label type.* the estimator learns classes, not quant"),
        ([0.0, np.inf], "auto", r"^Input y contains infinity or .* class label[.]$"),
        (np.array([1, "a", None], dtype=object), "auto", r"types \['int', 'str'\]"),
        (np.array([1j, 2.0]), "auto", r"of type complex, such as 1j; make them text or whole num"),
        (np.array([1, (2, 3), {}], dtype=object), "auto", r"of type tuple, such as \(2, 3\); make"),
        (np.array([b"a", b"b"]), "auto", "of type bytes, such as b'a'; decode them into text"),
        (np.array(["a", None, b"b"], dtype=object), "auto", "of type bytes, such as b'b'; decode"),
        (np.zeros(2, dtype="i4,i4"), "auto", "of type tuple, such as"),
        ([[1], [1, 2]], "auto", "rows are sequences of different lengths"),
        (
            pd.DataFrame({"a": [0, 1], "b": [1, 0]}),
            "auto",
            r"shape \(2, 2\) instead. the estimator",
        ),
        ([0, 1], [0], r"unlabeled_label=\[0\] must be 'auto', None or one value"),
        (["a", 1, None], "auto", r"mixes labels of types \['int', 'str'\], which have no order"),
        (None, "auto", "^the estimator requires y to be passed"),
        ([[0, 1], [1, 0]], "auto", r"1d array, got .* \(2, 2\) instead. the estimator learns one"),
    ],
)
def test_bad_labels_are_explained(y, marker, message):
    if isinstance(y, list) and "a" in y and 1 in y:
        y = np.array(y, dtype=object)
    with pytest.raises(ValueError, match=message):
        encode_labels(y, marker)


def test_errors_name_the_estimator_and_the_labels():
    for refuse in (
        lambda y: encode_labels(y, estimator_name="Ours"),
        lambda y: lookup_labels(y, [0, 1], "auto", estimator_name="Ours"),
    ):
        with pytest.raises(ValueError, match=r"^Ours requires y to be passed"):
            refuse(None)
        with pytest.raises(ValueError, match="Ours learns one label for each row"):
            refuse([[0, 1]])
    with pytest.raises(ValueError, match=r"^the estimator requires y"):
        lookup_labels(None, [0, 1], "auto")
    with pytest.raises(ValueError, match=r"^y_val holds the label 3"):
        lookup_labels([0, 3], [0, 1], "auto", name="y_val")


def test_some_estimators_need_no_labels():
    classes, targets = encode_labels([-1, -1, -1], needs_labels=False)
    assert (classes.dtype, classes.tolist()) == (np.int64, [])
    assert (targets.dtype, targets.tolist()) == (np.int64, [-1, -1, -1])
    assert encode_labels([3, -1], needs_labels=False)[1].tolist() == [0, -1]


def test_arrays_of_labels_have_the_simplest_type():
    kinds = [as_label_array(y).dtype.kind for y in ([0, 1], ["a", "b"], [3.0, NAN, 5.0], ["a", 1])]
    assert kinds == ["i", "U", "f", "O"]
    with pytest.warns(UserWarning, match="column-vector"):
        assert encode_labels([[0], [1], [-1]])[1].tolist() == [0, 1, -1]


def test_what_is_missing():
    assert all(is_missing(value) for value in (None, NAN, pd.NA, pd.NaT, np.datetime64("NaT", "s")))
    assert not any(is_missing(value) for value in (0, "", "nan", np.array([1, 2]), [NAN], ()))
    spans = np.array([1, "NaT", 3], dtype="m8[s]")
    assert find_unlabeled(spans).tolist() == [False, True, False]


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="needs numpy 2")
def test_strings_of_any_length():
    y = np.array(["b", "a", "c"], dtype=np.dtypes.StringDType())
    classes, targets = encode_labels(y, "c")
    assert (classes.tolist(), targets.tolist()) == (["a", "b"], [1, 0, -1])


def test_a_string_minus_one_can_be_the_marker_or_a_class():
    classes, targets = encode_labels(["a", "b", "-1"], "-1")
    np.testing.assert_array_equal(classes, ["a", "b"])
    np.testing.assert_array_equal(targets, [0, 1, -1])
    assert len(encode_labels(["a", "-1"], None)[0]) == 2
    assert encode_labels(np.array(["a", "nan"]), "nan")[1].tolist() == [0, -1]
    assert len(encode_labels(np.array(["a", "nan"]), None)[0]) == 2


def test_known_classes_decide_about_minus_one():
    y = np.array([-1, 1])
    assert find_unlabeled(y, "auto", classes=[1, 2]).tolist() == [True, False]
    assert find_unlabeled(y, "auto", classes=[-1, 1]).tolist() == [False, False]
    assert find_unlabeled(y + 1).tolist() == mark_unlabeled(y + 1).tolist() == [False, False]
    assert find_unlabeled(y - 2).tolist() == mark_unlabeled(y - 2).tolist() == [False, True]


def test_a_class_of_minus_one_is_looked_up():
    assert lookup_labels([-1, -1], [-1, 1], "auto").tolist() == [0, 0]
    assert lookup_labels([-1, -1], [0, 1], "auto").tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("y", "marker", "unlabeled"),
    [
        ([7, pd.NA, 99], 99, [False, True, True]),
        (["b", None, "a", 3], "b", [True, True, False, False]),
        ([3, "3", NAN, 3.0], 3, [True, False, True, True]),
        (np.array([1.0, 2.0]), "b", [False, False]),
        (np.array(["a", "b"]), 3, [False, False]),
        (np.array(["a", "b"]), "b", [False, True]),
        (np.array([b"a", b"b"]), 3, [False, False]),
        (np.array([1.5, NAN, 3.0]), 3, [False, True, True]),
        (np.array([True, False]), "True", [False, False]),
        (np.array(["2026-01-01", "NaT"], dtype="M8[D]"), "b", [False, True]),
    ],
    ids=str,
)
def test_a_marker_is_compared_with_each_entry(y, marker, unlabeled):
    y = np.array(y, dtype=object) if isinstance(y, list) else y
    found = mark_unlabeled(y, marker)
    assert (found.dtype, found.tolist()) == (bool, unlabeled)


class Column:
    """A column of another library: arrays of it have floats, and its entries are objects."""

    def __init__(self, values, method):
        self.values = values
        setattr(self, method, lambda *dtype: np.array(values, dtype=object) if dtype else values)

    def __array__(self, dtype=None, copy=None):
        return np.array([NAN if value is None else value for value in self.values], dtype=float)

    def __len__(self):
        return len(self.values)

    def __iter__(self):
        return iter([object() for _ in self.values])


@pytest.mark.parametrize("method", ["astype", "to_list", "tolist"])
def test_columns_of_other_libraries_say_what_their_values_are(method):
    found = as_label_array(Column([BIG, None, 5], method))
    assert found.tolist() == [BIG, None, 5]


def test_lookup_refuses_or_marks_strange_labels():
    with pytest.raises(ValueError, match=r"^y holds the label 3, which is not one of"):
        lookup_labels([0, 3], [0, 1], "auto")
    assert lookup_labels([0, 3, -1], [0, 1], "auto", unknown=UNKNOWN).tolist() == [0, -2, -1]


@pytest.mark.parametrize(
    ("y", "classes", "marker", "message"),
    [
        (["0", "1"], [0, 1], "auto", r"^y holds .* str, such as '0', .* int, such as 0, .* never"),
        (["0", "1"], [0, 1], None, r"pass y\.astype\(int\)\.$"),
        ([1.5, 2.0], ["1.5", "b"], None, r"type float, such as 1.5.*pass y\.astype\(str\)\.$"),
        (["0.5", "2.5"], [0.5, 2.5], None, r"pass y\.astype\(float\)\.$"),
        (["cat", "dog"], [0, 1], "auto", r"such as 'cat', .* 0, .*; name the classes in it as in"),
        ([7, -1, None], ["a", "b"], "auto", r"type int, such as 7, but the classes .* type str"),
        ([-1, "a"], ["a", "b"], "?", r"type int, such as -1, but"),
        (["a", None, "?"], [0, 1], "?", r"type str, such as 'a'"),
        (["True"], [False, True], "auto", r"type str, such as 'True', .* bool, such as False"),
        (pd.Series([1, pd.NA], dtype="Int64"), ["a", "b"], "auto", "type int, such as 1"),
        (pd.Categorical(["1", None]), [0, 1], "auto", r"type str, such as '1'.*astype\(int\)"),
        (pd.Series(["1", pd.NA], dtype="string"), [0, 1], "auto", "type str, such as '1'"),
        (pl.Series([1, None]), ["a", "b"], "auto", "type int, such as 1"),
        (pl.Series(["1", None]), [0, 1], "auto", "type str, such as '1'"),
    ],
    ids=str,
)
@pytest.mark.parametrize("unknown", [None, UNKNOWN])
def test_labels_of_another_type_than_the_classes_are_refused(y, classes, marker, message, unknown):
    y = np.array(y, dtype=object) if isinstance(y, list) else y
    with pytest.raises(ValueError, match=message):
        lookup_labels(y, np.array(classes), marker, unknown=unknown)


@pytest.mark.parametrize(
    ("y", "classes", "targets"),
    [
        ([0.0, 1.0, 5.5], [0, 1], [0, 1, -2]),
        ([True, False], [0, 1], [1, 0]),
        ([0, 1, 2], [False, True], [0, 1, -2]),
        (["a", -1, None, "z"], ["a", "b"], [0, -1, -1, -2]),
        ([0, np.nan, 9], [0, 1], [0, -1, -2]),
        ([3, "x"], [], [-2, -2]),
        ([None, -1], ["a", "b"], [-1, -1]),
    ],
    ids=str,
)
def test_unseen_labels_of_the_type_of_the_classes_are_looked_up(y, classes, targets):
    y = np.array(y, dtype=object)
    assert lookup_labels(y, np.array(classes), "auto", unknown=UNKNOWN).tolist() == targets


def test_label_block_forms():
    np.testing.assert_array_equal(label_block("b", np.array(["a", "b"]), 2), [[0, 1], [0, 1]])
    np.testing.assert_array_equal(label_block([1, 0], [0, 1], 2), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(label_block([[0.5, 0.5]], [0, 1], 1), [[0.5, 0.5]])
    with pytest.raises(ValueError, match=r"\(2, 3\), but probabilities need"):
        label_block(np.ones((2, 3)), [0, 1], 2)
    with pytest.raises(ValueError, match="3 entries for 2 rows"):
        label_block([0, 1, 0], [0, 1], 2)
    with pytest.raises(ValueError, match="a class for each sample"):
        one_hot([[0.5, 0.5]], [0, 1], 1)


@pytest.mark.parametrize(
    ("row", "sums"),
    [
        ([0.5, 0.502], "1 to 1.002"),
        ([0.5, 0.498], "0.998 to 1"),
        ([1.5, -0.5], "1 to 1"),
        ([np.nan, 1.0], "nan to nan"),
        ([np.inf, 0.0], "1 to inf"),
    ],
)
def test_each_row_of_a_label_block_is_a_distribution(row, sums):
    with pytest.raises(ValueError, match=f"at least 0 and sum to 1, but sums are {sums}[.]"):
        label_block([[0.0, 1.0], row], [0, 1], 2)


def test_rounded_probabilities_are_a_distribution():
    rounded = [[0.3334, 0.3333, 0.333], [0.0, 1.0, 0.0]]
    np.testing.assert_array_equal(label_block(rounded, [0, 1, 2], 2), rounded)


def arrow(values, dtype):
    """Return a column of pandas that pyarrow holds."""
    pytest.importorskip("pyarrow")
    return pd.Series(values, dtype=f"{dtype}[pyarrow]")


@pytest.mark.parametrize(
    ("make", "classes", "targets"),
    [
        (lambda: pd.Series([BIG, pd.NA, 5], dtype="Int64"), [5, BIG], [1, -1, 0]),
        (lambda: pd.array([BIG, pd.NA, 5], dtype="Int64"), [5, BIG], [1, -1, 0]),
        (lambda: pd.Index([BIG, pd.NA, 5], dtype="Int64"), [5, BIG], [1, -1, 0]),
        (lambda: pd.Series([BIG, 5], dtype="Int64"), [5, BIG], [1, 0]),
        (lambda: pd.Series([BIG, -1, 5], dtype="Int64"), [5, BIG], [1, -1, 0]),
        (lambda: pd.Series([3, pd.NA, 5], dtype="Int32"), [3, 5], [0, -1, 1]),
        (lambda: pd.Series([3, 5], dtype="Int32"), [3, 5], [0, 1]),
        (lambda: pd.Series([3, pd.NA, 200], dtype="UInt8"), [3, 200], [0, -1, 1]),
        (lambda: pd.Series([3, 200], dtype="UInt8"), [3, 200], [0, 1]),
        (lambda: pd.Series(pd.Categorical([BIG, None, 5])), [5, BIG], [1, -1, 0]),
        (lambda: pd.Categorical([BIG, None, 5]), [5, BIG], [1, -1, 0]),
        (lambda: arrow([BIG, None, 5], "int64"), [5, BIG], [1, -1, 0]),
        (lambda: arrow([3, None, 200], "uint8"), [3, 200], [0, -1, 1]),
        (lambda: arrow([3, 200], "uint8"), [3, 200], [0, 1]),
        (lambda: pl.Series([BIG, None, 5]), [5, BIG], [1, -1, 0]),
        (lambda: pl.Series([BIG, 5]), [5, BIG], [1, 0]),
        (lambda: pl.Series([3, None, 200], dtype=pl.UInt8), [3, 200], [0, -1, 1]),
        (lambda: pl.Series([3, 200], dtype=pl.UInt8), [3, 200], [0, 1]),
        (lambda: np.array([BIG, None, 5], dtype=object), [5, BIG], [1, -1, 0]),
        (lambda: np.array([BIG, NAN, 5], dtype=object), [5, BIG], [1, -1, 0]),
        (lambda: [BIG, None, 5], [5, BIG], [1, -1, 0]),
        (lambda: [BIG, NAN, 5], [5, BIG], [1, -1, 0]),
        (lambda: [BIG, pd.NA, 5], [5, BIG], [1, -1, 0]),
        (lambda: [np.uint8(3), None, np.int64(5)], [3, 5], [0, -1, 1]),
    ],
)
def test_integers_stay_integers_beside_missing_values(make, classes, targets):
    found, found_codes = encode_labels(make())
    assert (found.dtype, found.tolist()) == (np.int64, classes)
    assert found_codes.tolist() == targets
    assert lookup_labels(make(), found, "auto").tolist() == targets


def test_looked_up_integers_are_not_rounded():
    y = pd.Series([BIG, pd.NA], dtype="Int64")
    assert lookup_labels(y, np.array([5, BIG]), "auto").tolist() == [1, -1]
    with pytest.raises(ValueError, match="label 9007199254740993, which is not one of"):
        lookup_labels(y, np.array([5, BIG - 1]), "auto")


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame])
def test_one_column_of_a_data_frame(table):
    column = [BIG, None, 5] if table is pl.DataFrame else pd.array([BIG, None, 5], dtype="Int64")
    with pytest.warns(UserWarning, match="column-vector"):
        classes, targets = encode_labels(table({"label": column}))
    assert (classes.dtype, classes.tolist()) == (np.int64, [5, BIG])
    assert targets.tolist() == [1, -1, 0]


def test_integers_beyond_int64():
    classes, targets = encode_labels([2**63, -1, 5])
    assert (classes.dtype, classes.tolist()) == (np.uint64, [5, 2**63])
    assert targets.tolist() == [1, -1, 0]
    with pytest.raises(ValueError, match=r"from -2 to 9223372036854775808.*use strings"):
        encode_labels([2**63, -2, 5])


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([-(2**63), 2**63 - 1], np.int64),
        ([0, 2**63], np.uint64),
        ([0, 2**64 - 1], np.uint64),
        ([], np.int64),
    ],
    ids=str,
)
def test_integers_up_to_the_limits_of_their_type(values, dtype):
    column = pl.Series(values, dtype=pl.Int64 if dtype is np.int64 else pl.UInt64)
    found = as_label_array(column)
    assert (found.dtype, found.tolist()) == (dtype, values)
    if values:
        assert encode_labels([*values, None])[0].dtype == dtype


@pytest.mark.parametrize(
    "make",
    [
        lambda: pd.Series([True, pd.NA, False], dtype="boolean"),
        lambda: arrow([True, None, False], "bool"),
        lambda: pl.Series([True, None, False]),
        lambda: [True, None, False],
        lambda: [True, NAN, False],
    ],
)
def test_booleans_stay_booleans_beside_missing_values(make):
    classes, targets = encode_labels(make())
    assert (classes.dtype, classes.tolist()) == (bool, [False, True])
    assert targets.tolist() == [1, -1, 0]


@pytest.mark.parametrize(
    "y",
    [
        np.array([3.0, NAN, 5.0]),
        np.array([3.0, NAN, 5.0], dtype=np.float32),
        pd.Series([3.0, NAN, 5.0]),
        pd.Series([3.0, pd.NA, 5.0], dtype="Float64"),
        pl.Series([3.0, None, 5.0], dtype=pl.Float32),
        [3.0, None, 5.0],
        [3.0, NAN, 5],
    ],
)
def test_floats_stay_floats(y):
    classes, targets = encode_labels(y)
    assert classes.dtype.kind == "f"
    assert classes.dtype == getattr(y, "dtype", float) or not isinstance(y, np.ndarray)
    assert targets.tolist() == [0, -1, 1]


@pytest.mark.parametrize(
    ("y", "marker", "unlabeled"),
    [
        ([0.0, NAN, -1.0], None, [False, True, False]),
        ([-1, 1, 1], "auto", [False, False, False]),
        ([-1, 1, 2], "auto", [True, False, False]),
        (["a", "-1", "nan"], "auto", [False, False, False]),
        (["a", "-1", "b"], "b", [False, False, True]),
    ],
)
def test_marks_for_a_picture_come_without_complaint(y, marker, unlabeled):
    with warnings.catch_warnings(action="error"):
        assert mark_unlabeled(np.array(y), marker).tolist() == unlabeled


TARGETS = np.array([0, 2, 2, -1, 1, 2])  # one row of class 0, one of class 1, three of class 2


def test_shares_of_labeled_rows_and_equal_ones():
    np.testing.assert_allclose(
        class_proportions("labeled", [4, 5, 6], TARGETS), np.array([2, 2, 4]) / 8
    )
    np.testing.assert_allclose(class_proportions("uniform", [4, 5, 6], TARGETS), 1 / 3)
    with pytest.raises(ValueError, match="'balanced' must be 'labeled', 'uniform', a dict"):
        class_proportions("balanced", [4, 5, 6], TARGETS)


def test_shares_of_weighted_rows():
    """Labeled rows count by their weight; the extra row of a class has the mean of them."""
    weights = np.array([2.0, 1.0, 3.0, 100.0, 0.0, 4.0])  # the mean of those above 0 is 10 / 4
    found = class_proportions("labeled", [4, 5, 6, 7], TARGETS, weights)
    np.testing.assert_allclose(found, np.array([0.8 + 1.0, 0.0 + 1.0, 3.2 + 1.0, 1.0]) / 8.0)
    np.testing.assert_allclose(
        class_proportions("labeled", [4, 5, 6], TARGETS, 0.0 * weights), 1 / 3
    )
    tiny = class_proportions("labeled", [4, 5, 6, 7], TARGETS, 1e-300 * weights)
    np.testing.assert_allclose(tiny, found)


@pytest.mark.parametrize(
    ("class_prior", "classes"),
    [
        ({9: 0.7, 4: 0.1, 5: 0.2}, np.array([4, 5, 9])),
        ({np.int64(9): 0.7, np.uint8(4): 0.1, 5.0: 0.2}, np.array([4, 5, 9])),
        ({"c": 0.7, "a": 0.1, "b": 0.2}, np.array(["a", "b", "c"])),
        ({"c": 0.7, "a": 0.1, "b": 0.2}, np.array(["a", "b", "c"], dtype=object)),
        ({BIG: 0.7, 4: 0.1, BIG - 1: 0.2}, np.array([4, BIG - 1, BIG])),
        (pd.Series([0.7, 0.1, 0.2], index=[9, 4, 5]), np.array([4, 5, 9])),
        (pd.Series([0.7, 0.1, 0.2], index=[9.0, 4.0, 5.0]), np.array([4, 5, 9])),
        (pd.Series([0.7, 0.1, 0.2], index=list("cab")), np.array(list("abc"))),
        (pd.Series([0.7, 0.1, 0.2], index=pd.CategoricalIndex(list("cab"))), np.array(list("abc"))),
        (pd.Series([0.7, 0.1, 0.2], index=[2, 0, 1]), np.arange(3)),
        (pd.Series([0.1, 0.2, 0.7]), np.arange(3)),
        (pd.Series(list("caccccbbcc")).value_counts(normalize=True), np.array(list("abc"))),
        ([0.1, 0.2, 0.7], np.array([4, 5, 9])),
        (np.array([0.1, 0.2, 0.7]), np.array(list("abc"))),
        (pl.Series([0.1, 0.2, 0.7]), np.array([4, 5, 9])),
    ],
)
def test_stated_shares_belong_to_their_classes(class_prior, classes):
    proportions = class_proportions(class_prior, classes, TARGETS)
    assert proportions.dtype == np.float64
    np.testing.assert_allclose(proportions, [0.1, 0.2, 0.7])


@pytest.mark.parametrize(
    "class_prior",
    [
        {True: 0.8, False: 0.2},
        {np.True_: 0.8, np.False_: 0.2},
        pd.Series([0.8, 0.2], index=[True, False]),
        pd.Series([0.8, 0.2], index=pd.Index([True, False], dtype="boolean")),
    ],
)
def test_shares_of_booleans(class_prior):
    np.testing.assert_allclose(
        class_proportions(class_prior, np.array([False, True]), TARGETS), [0.2, 0.8]
    )


@pytest.mark.parametrize(
    ("class_prior", "message"),
    [
        ({4: 0.5, 5: 0.5}, "no proportion for the class 9; give one to each"),
        (
            {4: 0.5, 5: 0.25, 9: 0.25, 7: 0.0},
            r"proportion for 7, .* none of the classes \[4, 5, 9\]",
        ),
        ({"4": 0.5, "5": 0.25, "9": 0.25}, "proportion for '4', which is none"),
        ({0: 0.5, 1: 0.25, 2: 0.25}, "proportion for 0, which is none"),
        (pd.Series([0.5, 0.5], index=[4, 5]), "no proportion for the class 9"),
        (pd.Series([0.5, 0.25, 0.25], index=[4, 5, 7]), "proportion for 7, which is none"),
        (pd.Series([0.5, 0.25, 0.25], index=pd.Index([4, 5, pd.NA], dtype="Int64")), "for <NA>"),
        (
            pd.Series([0.5, 0.25, 0.25]),
            "index 0 to 2, which numbers .*a dict of proportions, or an array",
        ),
        (pd.Series([0.1, 0.2, 0.2, 0.5], index=[4, 5, 9, 9]), "9 more than once"),
        ({4: 0.5, 5: 0.5, 9: 0.5}, "sum to 1, got"),
        ({4: 1.5, 5: -0.5, 9: 0.0}, "at least 0"),
        ([0.5, 0.5], r"^class_prior must have shape \(3,\), got \(2,\)"),
        (pd.DataFrame({4: [0.5], 5: [0.25], 9: [0.25]}), r"shape \(3,\), got \(1, 3\)"),
    ],
)
def test_bad_shares_are_explained(class_prior, message):
    with pytest.raises(ValueError, match=message):
        class_proportions(class_prior, np.array([4, 5, 9]), TARGETS)


def test_dates_in_nanoseconds_are_classes_like_others(blobs):
    X, y = blobs
    dates = pd.Series(pd.to_datetime(["2020", "2021", "2022"]))[y].dt.as_unit("ns")
    shares = dates.value_counts(normalize=True)
    model = classifier(max_iter=2, class_prior=shares, pseudo_labels=False, unlabeled_label=None)
    model.fit(X, dates)
    assert model.classes_.tolist() == [datetime.datetime(year, 1, 1) for year in (2020, 2021, 2022)]
    assert model.score(X, dates) == model.score(X, dates.dt.as_unit("s"))
    with pytest.raises(ValueError, match=r"datetime\.datetime"):
        model.sample(1, y=datetime.datetime(2023, 1, 1))


def test_a_class_to_decode_must_be_known(fitted_classifier):
    with pytest.raises(ValueError, match="1 missing values among 3 classes to decode; give"):
        fitted_classifier.sample(3, y=[None, 0, 1])


def test_text_of_numpy_is_text():
    names = np.array(["a", "b", "c"])
    hidden = [names[i % 3] if i < 12 else None for i in range(30)]
    X = np.random.default_rng(0).normal(size=(30, 3))
    model = classifier(max_iter=2).fit(X, hidden)
    assert [type(name) for name in model.classes_] == [str] * 3
    assert model.score(X[:2], ["other", "another"]) == 0.0
    assert model.score(X[:2], list(np.array(["other", "another"]))) == 0.0


def test_one_column_of_classes_is_decoded_as_classes_are():
    X = np.random.default_rng(0).normal(size=(30, 3))
    y = np.arange(30) % 3
    model = classifier(n_components=2, max_iter=2).fit(X, y)
    expected = model.inverse_transform(np.zeros((30, 2)), y)
    for column in (y[:, None], pd.DataFrame({"y": y})):
        found = model.inverse_transform(np.zeros((30, 2)), column)
        np.testing.assert_array_equal(found, expected)
