"""Searches for the highest medoid silhouette, against brute force and a peer."""

from typing import NamedTuple

import kmedoids
import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris, load_wine, make_blobs
from sklearn.metrics import pairwise_distances

from skloss._blocks import RowBlocks
from skloss._validation import as_kernel_array
from skloss.cluster import _silhouette_kernels as kernels
from skloss.cluster._search import Problem
from skloss.cluster._silhouette_search import (
    check_nonnegative,
    dynmsc,
    fastermsc,
    fastmsc,
    pammedsil,
)
from skloss.cluster.medoid_silhouette import medoid_silhouette_score

SEARCHES = [fastermsc, fastmsc, pammedsil]


class Columns(RowBlocks):
    """Columns of D computed on demand, a few at a time."""

    def __init__(self, D, block_rows):
        super().__init__(D.shape[1], D.shape[0], D.dtype)
        self._D, self._block_rows = D, block_rows

    def rows(self, start, stop):
        return self.take(np.arange(start, stop))

    def take(self, indices):
        return as_kernel_array(self._D[:, np.asarray(indices)].T, self.dtype)

    def default_block_rows(self):
        return self._block_rows


def problem_of(D, weights=None, *, allowed=None, fixed=None, block_rows=1000):
    n_points, n_candidates = D.shape
    return Problem(
        source=Columns(D, block_rows),
        weights=np.ones(n_points) if weights is None else weights,
        own=np.arange(n_points),
        allowed=np.ones(n_candidates, dtype=bool) if allowed is None else allowed,
        fixed=fixed,
    )


def ams(D, medoids, weights=None):
    """Average medoid silhouette, by sorting."""
    a, s = np.sort(np.asarray(D, dtype=np.float64)[:, medoids], axis=1)[:, :2].T
    with np.errstate(invalid="ignore"):
        ratios = np.where(a == 0, 0.0, a / s)
    return 1 - np.average(ratios, weights=weights)


def ams_after(D, medoids, slot, candidate, weights):
    swapped = np.array(medoids)
    swapped[slot] = candidate
    return ams(D, swapped, weights)


def distances(rng, n, p=3, dtype=np.float64):
    return pairwise_distances(rng.standard_normal((n, p))).astype(dtype)


def asymmetric(rng, n):
    D = rng.random((n, n))
    np.fill_diagonal(D, 0)
    return D


def grid(rng, n):
    """Distances with ties, between points of which many are equal."""
    X = rng.integers(0, 4, (n, 2))
    return pairwise_distances(X, metric="manhattan")


def nearest3(D, medoids, weights):
    n, k = len(D), len(medoids)
    state = kernels.Nearest3(
        medoids=np.array(medoids, dtype=np.intp),
        to_medoids=np.ascontiguousarray(D[:, medoids].T),
        slots=np.empty((n, 3), dtype=np.intp),
        to_third=np.empty(n, dtype=D.dtype),
        terms=np.empty((n, 6)),
        weights=as_kernel_array(weights, np.float64),
        fixed=as_kernel_array(np.zeros(k), np.bool_),
    )
    kernels.assign_top3(state)
    return state


def changes_of(D, j, state):
    """Change of the loss for every slot, as the kernel finds it."""
    effects, changes = np.empty((2, state.medoids.size))
    kernels.removal_effects(state, effects)
    row = as_kernel_array(D[:, j], D.dtype)
    slot, change = kernels.best_slot(row, state, effects, changes)
    assert slot == np.argmin(changes)
    return changes + (change - changes[slot])


@pytest.mark.parametrize("make", [distances, asymmetric, grid])
@pytest.mark.parametrize("k", [2, 3, 4, 10])
@pytest.mark.parametrize("n", [20, 64, 133])  # around the 64 of one comparison
def test_change_of_every_swap_is_that_of_brute_force(rng, make, k, n):
    D = make(rng, n)
    weights = rng.integers(0, 4, n) * rng.random(n)
    medoids = rng.choice(n, k, replace=False)
    state = nearest3(D, medoids, weights)
    before = ams(D, medoids, weights)
    for j in np.setdiff1d(np.arange(n), medoids)[:40]:
        truth = [before - ams_after(D, medoids, slot, j, weights) for slot in range(k)]
        changes = changes_of(D, j, state) / weights.sum()
        np.testing.assert_allclose(changes, truth, rtol=0, atol=1e-12)


def test_change_is_accurate_in_float32(rng):
    D = distances(rng, 90, dtype=np.float32)
    medoids, weights = rng.choice(90, 6, replace=False), np.ones(90)
    state = nearest3(D, medoids, weights)
    before = ams(D, medoids)
    for j in np.setdiff1d(np.arange(90), medoids):
        truth = [before - ams_after(D, medoids, slot, j, None) for slot in range(6)]
        np.testing.assert_allclose(
            changes_of(D, j, state) / 90, truth, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("make", [distances, asymmetric, grid])
@pytest.mark.parametrize("k", [2, 3, 4, 12])
def test_swapped_state_is_that_of_a_new_assignment(rng, make, k):
    n = 70
    D, weights = make(rng, n), rng.random(n)
    state = nearest3(D, np.arange(k), weights)
    for _ in range(60):
        j = rng.choice(np.setdiff1d(np.arange(n), state.medoids))
        kernels.put_medoid(state, j, as_kernel_array(D[:, j], D.dtype), rng.integers(k))
        anew = nearest3(D, state.medoids, weights)
        for ours, theirs in zip(state, anew):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("make", [distances, asymmetric, grid])
def test_removal_effects_are_those_of_brute_force(rng, make):
    D, weights = make(rng, 50), rng.random(50)
    medoids = rng.choice(50, 7, replace=False)
    effects = np.empty(7)
    loss = kernels.removal_effects(nearest3(D, medoids, weights), effects)
    before = ams(D, medoids, weights)
    assert 1 - loss / weights.sum() == pytest.approx(before, abs=1e-13)
    truth = [before - ams(D, np.delete(medoids, i), weights) for i in range(7)]
    np.testing.assert_allclose(effects / weights.sum(), truth, rtol=0, atol=1e-12)


class Naive(NamedTuple):
    medoids: np.ndarray
    n_iter: int
    curve: list


def naive_eager(D, medoids, weights=None, order=None):
    """FasterMSC by evaluating every single swap from nothing."""
    medoids, curve, last, n_iter = list(medoids), [ams(D, medoids, weights)], None, 0
    while True:
        n_iter += 1
        n_before = len(curve)
        for j in range(D.shape[1]) if order is None else order:
            if j == last:
                return Naive(np.array(medoids), n_iter, curve)
            if j in medoids:
                continue
            values = [
                ams_after(D, medoids, slot, j, weights) for slot in range(len(medoids))
            ]
            if max(values) > curve[-1] + 1e-13:
                medoids[int(np.argmax(values))] = j
                curve.append(max(values))
                last = j
        if len(curve) == n_before:
            return Naive(np.array(medoids), n_iter, curve)


def naive_steepest(D, medoids, weights=None):
    medoids, curve = list(medoids), [ams(D, medoids, weights)]
    n_candidates, k = D.shape[1], len(medoids)
    while True:
        values = np.full((n_candidates, k), -np.inf)
        for j in np.setdiff1d(np.arange(n_candidates), medoids):
            values[j] = [ams_after(D, medoids, i, j, weights) for i in range(k)]
        if values.max() <= curve[-1] + 1e-13:
            return Naive(np.array(medoids), len(curve), curve)
        j, slot = np.unravel_index(values.argmax(), values.shape)
        medoids[slot] = j
        curve.append(values.max())


def assert_same(found, naive):
    np.testing.assert_array_equal(found.state.medoids, naive.medoids)
    assert (found.n_iter, found.n_swaps) == (naive.n_iter, len(naive.curve) - 1)
    np.testing.assert_allclose(found.curve, naive.curve, rtol=0, atol=1e-12)
    assert found.converged


@pytest.mark.parametrize("make", [distances, asymmetric])
@pytest.mark.parametrize("k", [2, 3, 7])
def test_searches_do_the_swaps_of_their_definition(rng, make, k):
    D, weights = make(rng, 32), rng.random(32)
    start, order = rng.choice(32, k, replace=False), rng.permutation(32)
    problem = problem_of(D, weights, block_rows=5)
    assert_same(fastermsc(problem, start), naive_eager(D, start, weights))
    assert_same(
        fastermsc(problem, start, order=order), naive_eager(D, start, weights, order)
    )
    steepest = naive_steepest(D, start, weights)
    assert_same(fastmsc(problem, start), steepest)
    assert_same(pammedsil(problem, start), steepest)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("make", [distances, asymmetric, grid])
@pytest.mark.parametrize("k", [2, 3, 6])
def test_no_swap_improves_the_result(rng, search, make, k):
    D, weights = make(rng, 60), rng.integers(1, 4, 60).astype(float)
    found = search(problem_of(D, weights), rng.choice(60, k, replace=False))
    medoids = found.state.medoids
    assert len(set(medoids)) == k
    reached = ams(D, medoids, weights)
    assert found.curve[-1] == pytest.approx(reached, abs=1e-12)
    assert (np.diff(found.curve) > 0).all()
    for j in np.setdiff1d(np.arange(60), medoids):
        for slot in range(k):
            assert ams_after(D, medoids, slot, j, weights) <= reached + 1e-13


@pytest.mark.parametrize("search", [*SEARCHES, dynmsc])
def test_reached_is_the_public_score(rng, search):
    D, weights = asymmetric(rng, 50), rng.random(50)
    found = search(problem_of(D, weights), rng.choice(50, 4, replace=False))
    score = medoid_silhouette_score(
        D, found.state.medoids, metric="precomputed", sample_weight=weights
    )
    curve = found.silhouette_curve if search is dynmsc else found.curve
    assert curve.max() == pytest.approx(score, abs=1e-13)


@pytest.mark.parametrize("search", SEARCHES)
def test_labels_are_those_of_the_nearest_medoid(rng, search):
    D = distances(rng, 60)
    state = search(problem_of(D), rng.choice(60, 5, replace=False)).state
    np.testing.assert_array_equal(state.nearest, D[:, state.medoids].argmin(axis=1))
    np.testing.assert_array_equal(state.nearest[state.medoids], np.arange(5))


def assert_same_as_peer(D, found, peer, atol=1e-10):
    medoids, labels = found.state.medoids, found.state.nearest
    np.testing.assert_array_equal(medoids, peer.medoids)
    # Of equally near medoids the peer's choice depends on the order of its swaps.
    to_medoids = np.sort(D[:, medoids], axis=1)
    tied = to_medoids[:, 0] == to_medoids[:, 1]
    np.testing.assert_array_equal(labels[~tied], peer.labels[~tied])
    assert found.curve[-1] == pytest.approx(peer.loss, abs=atol)
    assert (found.n_swaps, found.n_iter) == (peer.n_swap, peer.n_iter)


@pytest.mark.parametrize("k", [2, 3, 4, 7, 20, 50])
@pytest.mark.parametrize("make", [distances, asymmetric])
def test_same_as_peer_on_random_data(rng, make, k):
    D = make(rng, 150)
    start = rng.choice(150, k, replace=False)
    for search in (fastermsc, fastmsc):
        peer = getattr(kmedoids, search.__name__)(D, start.copy(), 300)
        assert_same_as_peer(D, search(problem_of(D, block_rows=37), start), peer)
    if k <= 7:
        peer = kmedoids.pammedsil(D, start.copy(), 300)
        assert_same_as_peer(D, pammedsil(problem_of(D), start), peer)


@pytest.mark.parametrize("k", [2, 10, 50])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_as_peer_on_digits(rng, k, dtype):
    X = load_digits().data[:700]
    D = pairwise_distances(X).astype(dtype)
    start = rng.choice(len(D), k, replace=False)
    for search in (fastermsc, fastmsc):
        peer = getattr(kmedoids, search.__name__)(D, start.copy(), 300)
        atol = 1e-10 if dtype == np.float64 else 1e-5
        assert_same_as_peer(D, search(problem_of(D), start), peer, atol)


@pytest.mark.parametrize("search", SEARCHES)
def test_float32_agrees_with_float64_of_the_same_values(rng, search):
    D = distances(rng, 80, dtype=np.float32)
    start = rng.choice(80, 6, replace=False)
    single = search(problem_of(D), start)
    double = search(problem_of(D.astype(np.float64)), start)
    np.testing.assert_array_equal(single.state.medoids, double.state.medoids)
    np.testing.assert_allclose(single.curve, double.curve, rtol=0, atol=1e-14)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("k", [2, 5])
def test_integer_weights_are_repeated_rows(rng, search, k):
    D, weights = distances(rng, 40), rng.integers(1, 4, 40)
    rows = np.repeat(np.arange(40), weights)
    start = rng.choice(40, k, replace=False)
    weighted = search(problem_of(D, weights.astype(float)), start)
    many = problem_of(D[np.ix_(rows, rows)], block_rows=1)
    repeated = search(many, np.searchsorted(rows, start))
    # Of equally good candidates the first is chosen.
    firsts = np.searchsorted(rows, weighted.state.medoids)
    np.testing.assert_array_equal(repeated.state.medoids, firsts)
    np.testing.assert_allclose(repeated.curve, weighted.curve, rtol=0, atol=1e-12)


@pytest.mark.parametrize("search", SEARCHES)
def test_scaled_dissimilarities_and_weights_change_nothing(rng, search):
    D, weights = distances(rng, 50), rng.random(50)
    start = rng.choice(50, 4, replace=False)
    found = search(problem_of(D, weights), start)
    scaled = search(problem_of(D * 2.0**-400, weights * 2.0**300), start)
    np.testing.assert_array_equal(found.state.medoids, scaled.state.medoids)
    np.testing.assert_array_equal(found.curve, scaled.curve)


@pytest.mark.parametrize("search", SEARCHES)
def test_more_medoids_than_distinct_points(search):
    D = pairwise_distances(np.repeat([[0.0], [1.0], [5.0]], 4, axis=0))
    found = search(problem_of(D), [0, 1, 2, 3, 4])  # a = s = 0 at the first four
    medoids = found.state.medoids
    assert len(set(medoids)) == 5
    assert found.curve[-1] == ams(D, medoids) == 1.0
    np.testing.assert_array_equal(found.state.nearest[medoids], np.arange(5))


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("k", [2, 4])
def test_forbidden_candidates_and_fixed_slots(rng, search, k):
    D, allowed = distances(rng, 60), np.arange(60) >= 30
    start = 30 + rng.choice(30, k, replace=False)
    # Forbidding candidates is not offering them.
    found = search(problem_of(D, allowed=allowed), start)
    offered = search(problem_of(D[:, 30:]), start - 30)
    np.testing.assert_array_equal(found.state.medoids, offered.state.medoids + 30)

    fixed = np.arange(k) == 1
    found = search(problem_of(D, fixed=fixed), start)
    assert found.state.medoids[1] == start[1]
    reached = ams(D, found.state.medoids)
    for j in np.setdiff1d(np.arange(60), found.state.medoids):
        for slot in np.flatnonzero(~fixed):
            assert ams_after(D, found.state.medoids, slot, j, None) <= reached + 1e-13


def test_fastermsc_ends_where_a_round_is_full(rng):
    D = distances(rng, 60)
    problem = problem_of(D, block_rows=1)
    read = []
    take = problem.source.take
    problem.source.take = lambda indices: read.append(indices) or take(indices)
    fastermsc(problem, rng.choice(60, 5, replace=False))
    # First and last it reads medoids; between, it stops at the last swap's candidate.
    scanned = np.concatenate(read[1:-1])
    assert scanned[-1] in read[-1]
    assert 60 < scanned.size < 180
    assert scanned.size % 60 != 0


@pytest.mark.parametrize("search", SEARCHES)
def test_every_object_a_medoid(rng, search):
    D = distances(rng, 6)
    found = search(problem_of(D), np.arange(6))
    assert found.curve.tolist() == [1.0]
    assert (found.n_iter, found.converged) == (1, True)


@pytest.mark.parametrize("search", SEARCHES)
def test_callback_sees_every_pass_and_can_stop(rng, search):
    D = distances(rng, 60)
    start = rng.choice(60, 5, replace=False)
    reports = []
    found = search(problem_of(D), start, callback=reports.append)
    assert [report.n_iter for report in reports] == [*range(1, found.n_iter + 1)]
    assert [report.converged for report in reports[-2:]] == [False, True]
    assert reports[-1].objective == found.curve[-1]
    assert reports[-1].n_swaps == found.n_swaps

    stopped = search(problem_of(D), start, callback=lambda report: True)
    limited = search(problem_of(D), start, max_iter=1)
    for short in (stopped, limited):
        assert (short.n_iter, short.converged) == (1, False)
        np.testing.assert_array_equal(short.curve, found.curve[: short.n_swaps + 1])


@pytest.mark.parametrize("search", [*SEARCHES, dynmsc])
def test_one_medoid_is_refused(rng, search):
    with pytest.raises(ValueError, match="at least 2 medoids; got 1"):
        search(problem_of(distances(rng, 9)), [3])


def test_negative_dissimilarities_are_refused(rng):
    D = asymmetric(rng, 9)
    check_nonnegative(Columns(D, 4))
    D[2, 7] = -0.5
    with pytest.raises(ValueError, match=r"point 2 to candidate 7 is -0\.5"):
        check_nonnegative(Columns(D, 4))


def test_dynmsc_is_what_it_is_defined_to_be(rng):
    D, weights = distances(rng, 30), rng.random(30)
    medoids = rng.choice(30, 8, replace=False)
    found = dynmsc(problem_of(D, weights), medoids, min_clusters=3)
    best, reached = None, []
    for k in range(8, 2, -1):
        medoids = naive_eager(D, medoids, weights).medoids
        reached.insert(0, ams(D, medoids, weights))
        if reached[0] == max(reached):
            best = medoids
        values = [ams(D, np.delete(medoids, i), weights) for i in range(k)]
        medoids = np.delete(medoids, np.argmax(values))
    np.testing.assert_array_equal(found.k_range, np.arange(3, 9))
    np.testing.assert_allclose(found.silhouette_curve, reached, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found.state.medoids, best)
    assert found.converged
    assert len(found.curve) == found.n_swaps + 6


@pytest.mark.parametrize("truth", [2, 3, 5, 9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dynmsc_finds_the_number_of_separated_blobs(truth, dtype):
    centers = 20.0 * np.array([[i % 3, i // 3] for i in range(truth)])
    X, blobs = make_blobs(180, centers=centers, random_state=0)
    start = np.random.default_rng(1).choice(180, 15, replace=False)
    D = pairwise_distances(X).astype(dtype)
    found = dynmsc(problem_of(D), start)
    assert found.state.medoids.size == truth
    assert len(set(zip(found.state.nearest.tolist(), blobs.tolist()))) == truth
    reached = ams(D, found.state.medoids)
    assert found.silhouette_curve.max() == pytest.approx(reached, abs=1e-12)
    assert found.k_range[found.silhouette_curve.argmax()] == truth


@pytest.mark.parametrize("load", [load_iris, load_wine, load_digits])
@pytest.mark.parametrize("seed", range(3))
def test_dynmsc_is_no_worse_than_peer(load, seed):
    X = load().data[:400]
    D = pairwise_distances(X)
    start = np.random.default_rng(seed).choice(len(D), 12, replace=False)
    found = dynmsc(problem_of(D), start)
    peer = kmedoids.dynmsc(D, start.copy(), 2, 300)
    np.testing.assert_array_equal(found.k_range, peer.rangek)
    assert found.silhouette_curve.max() >= peer.loss - 1e-10
    if abs(found.silhouette_curve.max() - peer.loss) < 1e-10:
        assert found.state.medoids.size == peer.bestk


def test_dynmsc_keeps_fixed_medoids(rng):
    D = distances(rng, 50)
    start = rng.choice(50, 8, replace=False)
    fixed = np.isin(np.arange(8), [0, 7])
    found = dynmsc(problem_of(D, fixed=fixed), start)
    assert {start[0], start[7]} <= set(found.state.medoids)
    assert found.k_range.tolist() == [*range(2, 9)]
    fixed[1] = True  # three cannot become two
    found = dynmsc(problem_of(D, fixed=fixed), start)
    assert found.k_range.tolist() == [*range(3, 9)]
    assert set(start[fixed]) <= set(found.state.medoids)


def test_dynmsc_callback_counts_through_and_stops(rng):
    D = distances(rng, 50)
    start = rng.choice(50, 6, replace=False)
    reports = []
    found = dynmsc(problem_of(D), start, callback=reports.append)
    assert [report.n_iter for report in reports] == [*range(1, found.n_iter + 1)]
    assert reports[-1].n_swaps == found.n_swaps
    stopped = dynmsc(problem_of(D), start, callback=lambda report: True)
    assert stopped.k_range.tolist() == [6]
    assert (stopped.n_iter, stopped.converged) == (1, False)


def test_dynmsc_takes_the_fewest_of_equally_good():
    D = pairwise_distances(np.repeat([[0.0], [1.0], [5.0]], 4, axis=0))
    found = dynmsc(problem_of(D), [0, 4, 8, 1, 5])
    assert found.silhouette_curve[1:].tolist() == [1.0, 1.0, 1.0]
    assert found.state.medoids.size == 3
    assert len(set(found.state.medoids // 4)) == 3


@pytest.mark.parametrize("min_clusters", [1, 7])
def test_dynmsc_refuses_a_range_that_is_none(rng, min_clusters):
    with pytest.raises(ValueError, match=f"min_clusters={min_clusters}"):
        dynmsc(problem_of(distances(rng, 20)), np.arange(6), min_clusters=min_clusters)
