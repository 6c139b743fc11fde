"""Clusters are merged by the rows on their borders, and assigned to classes by labels."""

import numpy as np
import pytest

from skaae.clustering.assign import assign_components, match_clusters, spread_votes
from skaae.clustering.merge import (
    MergedClusters,
    affinities,
    merge_clusters,
    merge_components,
)


def test_affinity_is_relative_to_the_sizes_of_clusters():
    """0 and 3 have a tenth of their few rows on their border, 1 and 2 as many rows of more."""
    P = np.repeat(np.eye(4), [20, 200, 200, 20], axis=0)
    P[:2], P[420:422] = [0.5, 0.0, 0.0, 0.5], [0.5, 0.0, 0.0, 0.5]
    P[20:24], P[220:224] = [0.0, 0.5, 0.5, 0.0], [0.0, 0.5, 0.5, 0.0]
    np.testing.assert_array_equal(merge_clusters(P, 3), [0, 1, 2, 0])
    np.testing.assert_array_equal(merge_clusters(P, 2), [0, 1, 1, 0])
    np.testing.assert_array_equal(merge_clusters(P, 4), np.arange(4))
    np.testing.assert_array_equal(merge_clusters(P, 9), np.arange(4))


def test_clusters_without_rows_have_no_say():
    live = np.repeat(np.eye(4), 50, axis=0)
    live[[0, 50]] = [0.5, 0.5, 0.0, 0.0]
    live[[100, 150]] = [0.0, 0.0, 0.5, 0.5]
    for p in (1e-3, 1e-9, 1e-14, 0.0):
        P = np.c_[(1.0 - 2.0 * p) * live, np.full((200, 2), p)]
        P[:50, 4] += 0.1 * p  # the first of the two is a bit nearer to 0 and 1
        np.testing.assert_array_equal(merge_clusters(P, 2)[:4], [0, 0, 1, 1])
        np.testing.assert_array_equal(np.unique(merge_clusters(P, 4)[:4]), np.arange(4))
    np.testing.assert_array_equal(
        merge_clusters(np.c_[live[:, :1], np.zeros((200, 3))], 2).max(), 1
    )


def test_no_component_in_use_is_too_small_to_draw():
    logits = np.array([[0.0, 1.0, -2000.0], [1.0, 0.0, -2000.0]], dtype=np.float32)
    merged = merge_components(logits, 2, components=np.arange(3))
    assert (merged.proportions > 0.0).all()
    assert merged.proportions.sum() == pytest.approx(1.0)
    assert merged.proportions[2] < 1e-9


def test_proportions_within_merged_clusters():
    merged = MergedClusters(np.array([1, 3, 4]), np.array([0, 1, 0]), np.array([0.2, 0.5, 0.3]))
    np.testing.assert_allclose(merged.cluster_proportions(), [0.5, 0.5])
    wanted = [[0.0, 0.2, 0.0, 0.0, 0.3, 0.0], [0.0, 0.0, 0.0, 0.5, 0.0, 0.0]]
    np.testing.assert_allclose(merged.component_proportions(6), wanted)


def test_clusters_of_float32_probabilities_are_compared_in_float64():
    P = np.random.default_rng(0).dirichlet(0.2 * np.ones(7), size=5000).astype(np.float32)
    np.testing.assert_allclose(affinities(P), affinities(P.astype(float)), rtol=1e-12)


def chain(n, border=0.1):
    """Rows of n clusters in a line: a part on the border to the next cluster, the others sure."""
    P = np.repeat(np.eye(n), 100, axis=0)
    for k in range(n - 1):
        P[100 * k : 100 * k + int(100 * border)] = 0.5 * (np.eye(n)[k] + np.eye(n)[k + 1])
    return P


def given(n_rows, labels):
    """Class indices of some rows, by their number, -1 for the others."""
    targets = np.full(n_rows, -1)
    targets[list(labels)] = list(labels.values())
    return targets


def test_a_label_assigns_its_cluster_and_those_of_the_highest_affinity():
    P = chain(6)
    P[200:210] = np.eye(6)[2]  # no row is between the first three and the last three
    targets = given(600, {50: 1, 450: 0})
    np.testing.assert_array_equal(assign_components(P, targets, 2), [1, 1, 1, 0, 0, 0])


def test_one_label_against_many_assigns_nothing():
    P = chain(4)
    right = {100 * k + 50 + i: 0 for k in range(3) for i in range(3)}
    targets = given(400, {**right, 160: 1, 350: 1})
    np.testing.assert_array_equal(assign_components(P, targets, 2), [0, 0, 0, 1])


def test_classes_of_many_groups_have_them_all():
    P = np.repeat(np.eye(8), 50, axis=0)
    targets = given(400, {50 * k + 1: k % 2 for k in range(8)})
    np.testing.assert_array_equal(assign_components(P, targets, 2), np.arange(8) % 2)


def test_a_class_whose_label_lies_in_the_cluster_of_another_gets_one():
    P = chain(3)
    targets = given(300, {50: 0, 51: 0, 52: 0, 53: 2, 150: 1, 151: 1, 152: 1})
    found = assign_components(P, targets, 3)
    np.testing.assert_array_equal(found, [0, 1, 2])
    all_in_one = given(300, {50: 0, 51: 1, 52: 2})
    assert sorted(assign_components(P, all_in_one, 3)) == [0, 1, 2]


def test_clusters_without_rows_take_the_class_of_the_highest_affinity():
    P = np.c_[chain(2), np.zeros((200, 2))]
    P[50:100] = [1.0 - 1e-3, 0.0, 1e-3, 0.0]
    P[100:] = [0.0, 1.0 - 1e-3, 0.0, 1e-3]
    targets = given(200, {50: 0, 150: 1})
    np.testing.assert_array_equal(assign_components(P, targets, 2), [0, 1, 0, 1])


def test_a_group_without_labels_takes_the_class_that_has_no_other():
    """The label of class 2 lies in a group that has two labels of class 0."""
    P = chain(3)
    P[100:110], P[200:210] = np.eye(3)[1], np.eye(3)[2]
    targets = given(300, {20: 0, 21: 0, 30: 2, 150: 1})
    np.testing.assert_array_equal(assign_components(P, targets, 3), [0, 1, 2])


def test_classes_get_their_shares_of_the_rows():
    """Four clusters in a line, with a label at each end."""
    P = chain(4)
    targets = given(400, {50: 0, 350: 1})
    np.testing.assert_array_equal(assign_components(P, targets, 2), [0, 0, 1, 1])
    for share, wanted in ((0.25, [0, 1, 1, 1]), (0.5, [0, 0, 1, 1]), (0.75, [0, 0, 0, 1])):
        found = assign_components(P, targets, 2, np.array([share, 1.0 - share]))
        np.testing.assert_array_equal(found, wanted)


def pairs_of(n_classes, sizes=100):
    """Rows of two clusters for each class, with a border between the two of a class only."""
    P = np.repeat(np.eye(2 * n_classes), sizes, axis=0)
    starts = np.r_[0, np.cumsum(np.broadcast_to(sizes, 2 * n_classes))]
    for k in range(0, 2 * n_classes, 2):
        P[starts[k] : starts[k] + 10] = 0.5 * (np.eye(len(P.T))[k] + np.eye(len(P.T))[k + 1])
    return P


def test_each_class_gets_a_cluster_of_its_size_whatever_a_lone_label_says():
    """The only label of class 4 lies in a cluster of class 3; no label is in those of class 4."""
    P, classes = pairs_of(5), np.repeat(range(5), 2)
    targets = given(1000, {50: 0, 250: 1, 450: 2, 650: 3, 750: 4})
    found = assign_components(P, targets, 5, np.full(5, 0.2))
    np.testing.assert_array_equal(found, classes)
    assert not np.array_equal(assign_components(P, targets, 5), classes)


@pytest.mark.parametrize(
    ("sizes", "classes", "fit"),
    [
        (8 * [100], [0, 0, 1, 1, 2, 2, 3, 3], True),
        ([100, 100, 100, 100, 30, 30, 170, 170], [0, 0, 1, 1, 2, 2, 3, 3], False),
        (8 * [100], [0, 1, 1, 2, 2, 3, 3, 0], False),
    ],
)
def test_clusters_that_do_not_fit_sizes_and_labels_leave_the_votes_to_decide(sizes, classes, fit):
    P, proportions = pairs_of(4, np.array(sizes)), np.full(4, 0.25)
    labels = zip(np.cumsum(sizes) - 1, classes, strict=True)
    targets = given(len(P), {int(row): label for row, label in labels})
    votes = np.eye(4)[classes]
    matched = match_clusters(P, votes, proportions)
    assert (matched is not None) == fit
    wanted = matched if fit else spread_votes(P, votes, proportions)
    np.testing.assert_array_equal(assign_components(P, targets, 4, proportions), wanted)


@pytest.mark.parametrize("seed", range(5))
def test_the_two_of_the_highest_affinity_are_merged_first(seed):
    P = np.random.default_rng(seed).dirichlet(0.2 * np.ones(7), size=300)
    groups = np.eye(7)
    for n_left in range(6, 0, -1):
        in_each = P @ groups.T  # (n_rows, n_groups)
        sizes = in_each.mean(axis=0)
        affinity = (in_each.T @ in_each / 300) / np.outer(sizes, sizes)
        np.fill_diagonal(affinity, -1.0)
        one, other = np.unravel_index(affinity.argmax(), affinity.shape)
        groups[min(one, other)] += groups[max(one, other)]
        groups = np.delete(groups, max(one, other), axis=0)
        merged = merge_clusters(P, n_left)
        np.testing.assert_array_equal(np.equal.outer(merged, merged), groups.T @ groups)


def test_a_class_that_has_a_group_gives_none_up_to_a_stray_label():
    P = chain(3)
    P[0:10] = np.eye(3)[0]  # the third is nearest to the second
    targets = given(300, {20: 0, 21: 0, 22: 0, 23: 1, 150: 0, 151: 0, 152: 0})
    np.testing.assert_array_equal(assign_components(P, targets, 2), [0, 0, 1])


@pytest.mark.parametrize(("border", "wanted"), [(0.02, 1), (0.5, 0)])
def test_a_border_with_many_rows_asks_for_more_labels(border, wanted):
    """Four clusters of one class in a line, and a label that says the second is of another."""
    P = np.vstack([np.pad(chain(4, border), [(0, 0), (0, 1)]), np.tile(np.eye(5)[4], (100, 1))])
    right = {100 * k + 90 + i: 0 for k in (0, 2, 3) for i in range(3)}
    targets = given(500, {**right, 190: 1, 450: 1})
    np.testing.assert_array_equal(assign_components(P, targets, 2), [0, wanted, 0, 0, 1])


def test_one_label_keeps_groups_without_a_border_apart():
    """Two clusters with a wide border, one with a row on the border to them, one with none."""
    P = np.vstack([np.pad(chain(2, 0.95), [(0, 0), (0, 2)]), np.repeat(np.eye(4)[2:], 400, axis=0)])
    P[200] = [0.0, 0.5, 0.5, 0.0]
    targets = given(1000, {96: 0, 97: 0, 196: 0, 250: 1, 750: 1})
    np.testing.assert_array_equal(assign_components(P, targets, 2), [0, 0, 1, 1])
