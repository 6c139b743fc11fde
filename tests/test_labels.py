"""What counts as unlabeled."""

import numpy as np
import pandas as pd
import pytest

from skaae.estimators.labels import (
    UNKNOWN,
    encode_labels,
    find_unlabeled,
    label_block,
    lookup_labels,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("y", "marker", "classes", "codes"),
    [
        ([0, 1, -1], "auto", [0, 1], [0, 1, -1]),
        ([0.0, 1.0, NAN], "auto", [0.0, 1.0], [0, 1, -1]),
        (["a", "b", None], "auto", ["a", "b"], [0, 1, -1]),
        (np.array(["a", "b", -1, NAN], dtype=object), "auto", ["a", "b"], [0, 1, -1, -1]),
        (pd.Series([3, 5, pd.NA], dtype="Int64"), "auto", [3, 5], [0, 1, -1]),
        (pd.Series(["x", pd.NA, "y"], dtype="string"), "auto", ["x", "y"], [0, -1, 1]),
        (pd.Series([True, False, pd.NA], dtype="boolean"), "auto", [False, True], [1, 0, -1]),
        (pd.Categorical(["u", None, "v"]), "auto", ["u", "v"], [0, -1, 1]),
        (pd.to_datetime(["2026-01-01", None, "2026-01-02"]), "auto", None, [0, -1, 1]),
        (["a", "b", "unknown"], "unknown", ["a", "b"], [0, 1, -1]),
        (["a", NAN, "b", -1], "auto", ["a", "b"], [0, -1, 1, -1]),
        ([0.0, 1.0, NAN, -1.0], NAN, [-1.0, 0.0, 1.0], [1, 2, -1, 0]),
        ([7, 8, 99, -1], 99, [-1, 7, 8], [1, 2, -1, 0]),
        ([-1, 1, 2], None, [-1, 1, 2], [0, 1, 2]),
        ([-1, 1, 1, -1, 2], "auto", [1, 2], [-1, 0, 0, -1, 1]),
        ([-1.0, 1.0, 3.0, NAN], "auto", [1.0, 3.0], [-1, 0, 1, -1]),
    ],
)
def test_encode(y, marker, classes, codes):
    found, found_codes = encode_labels(y, marker)
    np.testing.assert_array_equal(found_codes, codes)
    if classes is not None:
        np.testing.assert_array_equal(found, classes)


@pytest.mark.parametrize("y", [[-1, 1, 1], np.array([-1, 1], dtype=object), [-1.0, 1.0]])
def test_minus_one_and_one_alone_are_a_binary_target(y):
    with pytest.warns(UserWarning, match="unlabeled_label=None"):
        classes, codes = encode_labels(y, "auto")
    np.testing.assert_array_equal(classes, [-1, 1])
    assert (codes >= 0).all()


def test_a_missing_value_makes_minus_one_a_marker_again():
    classes, codes = encode_labels([-1.0, 1.0, NAN], "auto")
    np.testing.assert_array_equal(classes, [1])
    np.testing.assert_array_equal(codes, [-1, 0, -1])


@pytest.mark.parametrize(
    ("y", "marker", "message"),
    [
        ([-1, -1], -1, "no labeled row"),
        ([NAN, NAN], "auto", "no labeled row"),
        ([0, 1, NAN], None, "unlabeled_label='auto'"),
        (["a", "-1"], "auto", "dtype=object"),
        (np.array(["a", "b", -1]), -1, "dtype=object"),
        (np.array(["a", "b", NAN]), "auto", "holds the string 'nan'"),
        (np.array(["a", "b", NAN]), NAN, "holds the string 'nan'"),
        ([0.5, 1.5, NAN], "auto", "Unknown label type"),
        ([0.0, np.inf], "auto", "infinity"),
        (["a", 1, None], "auto", "types"),
        (None, "auto", "requires y to be passed"),
        ([[0, 1], [1, 0]], "auto", "1d array"),
    ],
)
def test_bad_labels_are_explained(y, marker, message):
    if isinstance(y, list) and "a" in y and 1 in y:
        y = np.array(y, dtype=object)
    with pytest.raises(ValueError, match=message):
        encode_labels(y, marker)


def test_a_string_minus_one_can_be_the_marker_or_a_class():
    classes, codes = encode_labels(["a", "b", "-1"], "-1")
    np.testing.assert_array_equal(classes, ["a", "b"])
    np.testing.assert_array_equal(codes, [0, 1, -1])
    assert len(encode_labels(["a", "-1"], None)[0]) == 2
    assert encode_labels(np.array(["a", "nan"]), "nan")[1].tolist() == [0, -1]
    assert len(encode_labels(np.array(["a", "nan"]), None)[0]) == 2


def test_known_classes_decide_about_minus_one():
    y = np.array([-1, 1])
    assert find_unlabeled(y, "auto", classes=[1, 2]).tolist() == [True, False]
    assert find_unlabeled(y, "auto", classes=[-1, 1]).tolist() == [False, False]


def test_lookup_refuses_or_marks_strange_labels():
    with pytest.raises(ValueError, match="label 3, which is not one of the classes"):
        lookup_labels([0, 3], [0, 1], "auto")
    assert lookup_labels([0, 3, -1], [0, 1], "auto", unknown=UNKNOWN).tolist() == [0, -2, -1]


def test_label_block_forms():
    np.testing.assert_array_equal(label_block("b", np.array(["a", "b"]), 2), [[0, 1], [0, 1]])
    np.testing.assert_array_equal(label_block([1, 0], [0, 1], 2), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(label_block([[0.5, 0.5]], [0, 1], 1), [[0.5, 0.5]])
    with pytest.raises(ValueError, match=r"\(2, 3\), but probabilities need"):
        label_block(np.ones((2, 3)), [0, 1], 2)
    with pytest.raises(ValueError, match="3 entries for 2 rows"):
        label_block([0, 1, 0], [0, 1], 2)
