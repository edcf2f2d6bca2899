"""Searches for the least total deviation, against brute force and a peer."""

import itertools

import kmedoids
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import pairwise_distances

from skloss._validation import as_kernel_array
from skloss.cluster._alternate import alternate
from skloss.cluster._assignment import assign_points, removal_losses, replace_medoid
from skloss.cluster._search import Problem, fasterpam, fastpam1, fastpam2
from skloss.cluster._steepest import pam
from skloss.cluster._swap import swap_changes
from skloss.cluster._tables import Tables
from skloss.kernels import ComputedCandidates, CondensedCandidates, StoredCandidates

SWAPS = [fasterpam, fastpam1, pam, fastpam2]
SEARCHES = [*SWAPS, alternate]
PEERS = {
    fasterpam: lambda D, m: kmedoids.fasterpam(D, m, max_iter=300, n_cpu=1),
    fastpam1: lambda D, m: kmedoids.fastpam1(D, m, max_iter=300),
    pam: lambda D, m: kmedoids.pam(D, m, max_iter=300),
}
# Below, at and above multiples of the 64 points that kernels look at together.
SIZES = [5, 8, 63, 64, 65, 100, 128, 200]


def sizes(seed):
    """Numbers of points and medoids of a random problem, k up to n."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice(SIZES))
    k = int(rng.integers(2, n + 1)) if rng.random() < 0.5 else int(rng.integers(2, 6))
    return n, min(k, n), rng


def tolerance(D, dtype=np.float64):
    """Rounding of a sum over points and its updates."""
    return 1e-13 * len(D) * float(np.abs(D).max()) + 1e-300


def reference_assignment(D, medoids, own):
    """Nearest and second nearest slots, by the rule for ties, point by point."""
    n, k = len(D), len(medoids)
    slots = np.empty((n, 2), dtype=int)
    for o in range(n):
        order = sorted(range(k), key=lambda i: (medoids[i] != own[o], D[o, medoids[i]]))
        slots[o] = order[:2]
    return slots


@pytest.mark.parametrize("search", PEERS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_equals_the_peer_step_by_step(search, dtype, kind, dissimilarities, problem_of):
    for seed in range(12):
        n, k, rng = sizes(seed)
        D = dissimilarities(kind, n, seed, dtype)
        if kind == "duplicates" or search is pam:
            # exact sums: which of equal swaps is done does not depend on rounding
            D = (np.round(D * 64) / 64).astype(dtype)
        medoids = rng.permutation(n)[:k]
        # In Fortran order columns are read as they are, as the peer does: where D is
        # not quite symmetric, which of two equal swaps is done hangs on the last bit.
        ours = search(problem_of(np.asfortranarray(D)), medoids)
        theirs = PEERS[search](D, medoids.astype(np.uint64))
        assert ours.n_swaps == theirs.n_swap
        assert ours.n_iter == theirs.n_iter
        assert ours.state.medoids.tolist() == list(theirs.medoids)
        assert ours.state.nearest.tolist() == list(theirs.labels)
        assert ours.curve[-1] == pytest.approx(theirs.loss, rel=1e-10)


@pytest.mark.parametrize("k", [2, 10, 100])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_equals_the_peer_on_digits(k, dtype, problem_of):
    D = pairwise_distances(load_digits().data[:900]).astype(dtype)
    first = np.random.default_rng(k).permutation(900)[:k]
    for search in (fasterpam, pam):
        ours = search(problem_of(D), first)
        theirs = PEERS[fasterpam if search is fasterpam else fastpam1](
            D, first.astype(np.uint64)
        )
        assert ours.state.medoids.tolist() == list(theirs.medoids)
        assert ours.n_swaps == theirs.n_swap
        assert ours.curve[-1] == pytest.approx(theirs.loss, rel=1e-10)


@pytest.mark.parametrize("search", SWAPS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_swap_improves_the_result(
    search, dtype, kind, dissimilarities, problem_of, best_change, deviation
):
    for seed in range(12):
        n, k, rng = sizes(100 + seed)
        D = dissimilarities(kind, n, seed, dtype)
        weights = rng.integers(1, 4, n) * 0.5
        found = search(problem_of(D, weights), rng.permutation(n)[:k])
        medoids = found.state.medoids
        assert found.converged
        assert len(set(medoids.tolist())) == k
        total = deviation(D, medoids, weights)
        assert found.curve[-1] == pytest.approx(total, rel=1e-12, abs=tolerance(D))
        assert best_change(D, medoids, weights) >= -tolerance(D)


@pytest.mark.parametrize("search", SWAPS, ids=lambda f: f.__name__)
def test_no_swap_improves_the_result_of_900(
    search, dissimilarities, problem_of, best_change
):
    for kind, k in (("euclidean", 30), ("asymmetric", 7), ("grid", 20)):
        D = dissimilarities(kind, 900, 1)
        found = search(problem_of(D), np.arange(k))
        assert best_change(D, found.state.medoids, np.ones(900)) >= -tolerance(D)


@pytest.mark.parametrize("search", SEARCHES, ids=lambda f: f.__name__)
def test_every_swap_lowers_the_deviation(search, kind, dissimilarities, problem_of):
    for seed in range(10):
        n, k, rng = sizes(200 + seed)
        D = dissimilarities(kind, n, seed)
        found = search(problem_of(D), rng.permutation(n)[:k])
        steps = np.diff(found.curve)
        exact = kind in ("grid", "small integers")
        assert (steps < (0 if exact else tolerance(D))).all()
        assert len(steps) == found.n_swaps or search is alternate


@pytest.mark.parametrize("search", SEARCHES, ids=lambda f: f.__name__)
def test_the_global_optimum_is_never_undercut(
    search, kind, dissimilarities, problem_of, deviation
):
    D = dissimilarities(kind, 9, 4)
    for k in (2, 3, 4):
        every = itertools.combinations(range(9), k)
        optimum = min(deviation(D, list(medoids)) for medoids in every)
        losses = [
            search(problem_of(D), np.roll(np.arange(9), shift)[:k]).curve[-1]
            for shift in range(9)
        ]
        assert min(losses) >= optimum - tolerance(D)
        if search is not alternate:
            assert min(losses) == pytest.approx(optimum, abs=tolerance(D))


def test_pam_on_tables_equals_pam_without(kind, dissimilarities, problem_of):
    for seed in range(20):
        n, k, rng = sizes(300 + seed)
        D = dissimilarities(kind, n, seed, (np.float64, np.float32)[seed % 2])
        D = np.round(D * 32) / 32  # exact sums, hence exact ties
        D = D.astype((np.float64, np.float32)[seed % 2])
        weights = rng.integers(0, 4, n)
        weights[: k + 1] = 1
        first = rng.permutation(np.flatnonzero(weights))[:k]
        plain = fastpam1(problem_of(D, weights), first)
        tabled = pam(problem_of(D, weights), first)
        assert tabled.state.medoids.tolist() == plain.state.medoids.tolist()
        assert tabled.curve.tolist() == plain.curve.tolist()
        assert tabled.n_iter == plain.n_iter


def test_tables_that_drifted_are_made_anew(dissimilarities, problem_of, monkeypatch):
    D = dissimilarities("euclidean", 200, 0)
    plain = fastpam1(problem_of(D), np.arange(12))
    swap, rebuild, rebuilt = Tables.swap, Tables.rebuild, []

    def spoil(tables, *arguments):
        swap(tables, *arguments)
        tables._shared -= 0.5 * np.arange(len(tables._shared))

    def count(tables):
        rebuilt.append(True)
        rebuild(tables)

    monkeypatch.setattr(Tables, "swap", spoil)
    monkeypatch.setattr(Tables, "rebuild", count)
    tabled = pam(problem_of(D), np.arange(12))
    assert len(rebuilt) > plain.n_swaps
    assert tabled.state.medoids.tolist() == plain.state.medoids.tolist()


def naive_fastpam2(D, medoids, weights, deviation):
    """FastPAM2 as it is defined, with losses computed from scratch."""
    medoids, n_swaps = list(medoids), 0
    while True:
        total, best = deviation(D, medoids, weights), []
        for slot in range(len(medoids)):
            changes = {}
            for j in set(range(len(D))) - set(medoids):
                swapped = [*medoids[:slot], j, *medoids[slot + 1 :]]
                changes[j] = deviation(D, swapped, weights) - total
            if changes:
                j = min(changes, key=lambda j: (changes[j], j))
                best.append((changes[j], slot, j))
        before = n_swaps
        for change, slot, j in sorted(best):
            swapped = [*medoids[:slot], j, *medoids[slot + 1 :]]
            total = deviation(D, medoids, weights)
            after = deviation(D, swapped, weights)
            if change < 0 and j not in medoids and after < total:
                medoids, n_swaps = swapped, n_swaps + 1
        if n_swaps == before:
            return medoids, n_swaps


def test_fastpam2_is_what_it_is_defined_to_be(
    kind, dissimilarities, problem_of, deviation
):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        n, k = int(rng.integers(5, 40)), int(rng.integers(2, 5))
        D = np.round(dissimilarities(kind, n, seed) * 32) / 32
        weights = rng.integers(1, 4, n).astype(float)
        first = rng.permutation(n)[:k]
        ours = fastpam2(problem_of(D, weights), first)
        medoids, n_swaps = naive_fastpam2(D, first, weights, deviation)
        assert ours.state.medoids.tolist() == medoids
        assert ours.n_swaps == n_swaps


def naive_alternate(D, medoids, weights, deviation):
    medoids = np.array(medoids)
    while True:
        labels = reference_assignment(D, medoids, np.arange(len(D)))[:, 0]
        before = medoids.copy()
        for slot, medoid in enumerate(before):
            members = np.flatnonzero(labels == slot)
            costs = weights[members] @ D[np.ix_(members, members)]
            if costs.min() < costs[members == medoid][0]:
                medoids[slot] = members[costs.argmin()]
        falls = deviation(D, medoids, weights) < deviation(D, before, weights)
        if not falls:
            return medoids


def test_alternate_is_what_it_is_defined_to_be(
    kind, dissimilarities, problem_of, deviation
):
    for seed in range(10):
        n, k, rng = sizes(400 + seed)
        D = np.round(dissimilarities(kind, n, seed) * 32) / 32
        weights = rng.integers(1, 4, n).astype(float)
        first = rng.permutation(n)[:k]
        ours = alternate(problem_of(D, weights), first)
        expected = naive_alternate(D, first, weights, deviation)
        assert ours.state.medoids.tolist() == expected.tolist()


def test_alternate_equals_the_peer(dissimilarities, problem_of):
    # few medoids: the peer breaks the tie in a cluster of two otherwise
    for seed in range(10):
        D = dissimilarities("euclidean", 200, seed)
        first = np.random.default_rng(seed).permutation(200)[: 2 + seed % 4]
        ours = alternate(problem_of(D), first)
        theirs = kmedoids.alternating(D, first.astype(np.uint64), max_iter=300)
        assert ours.state.medoids.tolist() == list(theirs.medoids)
        assert ours.n_iter == theirs.n_iter
        assert ours.curve[-1] == pytest.approx(theirs.loss, rel=1e-10)


def restricted(D, batch, weights):
    source = StoredCandidates(np.asfortranarray(D[batch]))
    own = as_kernel_array(batch, np.intp)
    allowed = np.ones(D.shape[1], dtype=bool)
    return Problem(source, as_kernel_array(weights, np.float64), own, allowed)


@pytest.mark.parametrize("search", [fasterpam, fastpam1, fastpam2, pam])
def test_loss_over_some_points_only(search, kind, dissimilarities, deviation):
    for seed in range(8):
        n, _, rng = sizes(600 + seed)
        batch = np.sort(rng.permutation(n)[: max(2, n // 3)])
        D, k = dissimilarities(kind, n, seed), min(4, n - 1)
        weights = rng.integers(1, 5, len(batch)) * 0.25
        found = search(restricted(D, batch, weights), rng.permutation(n)[:k])
        part, medoids = D[batch], found.state.medoids
        total = deviation(part, medoids, weights)
        assert found.curve[-1] == pytest.approx(total, abs=tolerance(D))
        for slot, j in itertools.product(range(k), set(range(n)) - set(medoids)):
            swapped = [*medoids[:slot], j, *medoids[slot + 1 :]]
            assert deviation(part, swapped, weights) >= total - tolerance(D)


def check_state(state, D, own):
    """The state is that of a fresh assignment, up to equal dissimilarities."""
    rows, medoids = np.arange(len(D)), state.medoids
    to_medoids = D[:, medoids]
    np.testing.assert_array_equal(state.to_medoids, to_medoids.T)
    np.testing.assert_array_equal(to_medoids[rows, state.nearest], state.to_nearest)
    np.testing.assert_array_equal(to_medoids[rows, state.second], state.to_second)
    assert (state.nearest != state.second).all()
    slots = reference_assignment(D, medoids, own)
    np.testing.assert_array_equal(state.to_nearest, to_medoids[rows, slots[:, 0]])
    np.testing.assert_array_equal(state.to_second, to_medoids[rows, slots[:, 1]])
    place = {int(candidate): o for o, candidate in enumerate(own) if candidate >= 0}
    for slot, medoid in enumerate(medoids.tolist()):
        assert medoid not in place or state.nearest[place[medoid]] == slot


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_state_after_every_swap_is_that_of_a_new_assignment(
    dtype, kind, dissimilarities, problem_of
):
    for n, k in ((5, 2), (64, 2), (65, 3), (130, 7), (70, 69)):
        D = dissimilarities(kind, n, n, dtype)
        rng = np.random.default_rng(n)
        some = np.sort(rng.permutation(n)[: n // 2 + 1])
        weights = np.ones(len(some))
        for problem, matrix in (
            (problem_of(D), D),
            (restricted(D, some, weights), np.ascontiguousarray(D[some])),
        ):
            # As it is read: rows may serve as columns that differ in the last bit.
            read = problem.source.take(np.arange(n)).T
            np.testing.assert_allclose(
                read, matrix, rtol=1e-5 if dtype == np.float32 else 1e-14
            )
            matrix = np.ascontiguousarray(read)
            state = assign_points(problem, rng.permutation(n)[:k])
            check_state(state, matrix, problem.own)
            scratch = np.empty(len(matrix), dtype=np.intp)
            for _ in range(20):
                free = np.setdiff1d(np.arange(n), state.medoids)
                j, slot = int(rng.choice(free)), int(rng.integers(k))
                row = problem.source.take([j])[0]
                replace_medoid(state, j, row, slot, scratch)
                check_state(state, matrix, problem.own)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_changes_of_all_swaps_are_those_of_brute_force(
    dtype, kind, dissimilarities, problem_of, deviation
):
    for n, k in ((5, 2), (64, 3), (100, 10)):
        D = dissimilarities(kind, n, n, dtype)
        rng = np.random.default_rng(k)
        weights = rng.integers(0, 4, n) + 1e-3
        problem = problem_of(D, weights)
        state = assign_points(problem, rng.permutation(n)[:k])
        losses, changes = np.empty((2, k))
        total = removal_losses(state, losses)
        assert total == pytest.approx(deviation(D, state.medoids, weights))
        for j in np.setdiff1d(np.arange(n), state.medoids)[:10]:
            row = problem.source.take([j])[0]
            shared = swap_changes(row, state, losses, changes)
            for slot in range(k):
                swapped = state.medoids.copy()
                swapped[slot] = j
                expected = deviation(D, swapped, weights) - total
                assert shared + changes[slot] == pytest.approx(
                    expected, abs=10 * tolerance(D)
                )


@pytest.mark.parametrize("search", SEARCHES, ids=lambda f: f.__name__)
def test_kept_in_any_way_the_result_is_the_same(search, rng):
    X = np.round(rng.standard_normal((150, 3)) * 16) / 16
    D = pairwise_distances(X, metric="manhattan")
    upper = D[np.triu_indices(150, 1)]
    sources = [
        StoredCandidates(np.ascontiguousarray(D)),
        StoredCandidates(np.asfortranarray(D)),
        CondensedCandidates(upper, 150),
        ComputedCandidates(X, metric="manhattan"),
        ComputedCandidates(X, metric=lambda a, b: np.abs(a - b).sum()),
    ]
    own = as_kernel_array(np.arange(150), np.intp)
    weights = as_kernel_array(np.ones(150), np.float64)
    allowed = np.ones(150, dtype=bool)
    found = [search(Problem(s, weights, own, allowed), np.arange(9)) for s in sources]
    for other in found[1:]:
        assert other.state.medoids.tolist() == found[0].state.medoids.tolist()
        assert other.curve.tolist() == found[0].curve.tolist()


@pytest.mark.parametrize("search", SWAPS, ids=lambda f: f.__name__)
def test_fixed_slots_and_forbidden_candidates(search, kind, dissimilarities):
    n = 80
    D = dissimilarities(kind, n, 3)
    allowed = np.arange(n) % 3 > 0
    allowed[[0, 3]] = True
    fixed = np.array([True, False, False, True, False, False])
    problem = Problem(
        StoredCandidates(D),
        as_kernel_array(np.ones(n), np.float64),
        as_kernel_array(np.arange(n), np.intp),
        allowed,
        fixed,
    )
    first = np.array([0, 1, 2, 3, 4, 5])
    first[~allowed[first]] = [7]
    found = search(problem, first)
    medoids = found.state.medoids
    assert medoids[fixed].tolist() == first[fixed].tolist()
    assert allowed[medoids].all()
    total = D[:, medoids].min(axis=1).sum()
    for slot in np.flatnonzero(~fixed):
        for j in np.setdiff1d(np.flatnonzero(allowed), medoids):
            swapped = medoids.copy()
            swapped[slot] = j
            assert D[:, swapped].min(axis=1).sum() >= total - tolerance(D)


def test_any_order_of_candidates_ends_in_a_local_optimum(
    kind, dissimilarities, problem_of, best_change
):
    D = dissimilarities(kind, 100, 2)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(100)
        found = fasterpam(problem_of(D), np.arange(7), order=order)
        assert best_change(D, found.state.medoids, np.ones(100)) >= -tolerance(D)


@pytest.mark.parametrize("search", SEARCHES, ids=lambda f: f.__name__)
def test_every_pass_is_reported_and_may_be_the_last(
    search, dissimilarities, problem_of
):
    problem = problem_of(dissimilarities("euclidean", 150, 0))
    seen = []
    found = search(problem, np.arange(10), callback=seen.append)
    assert [report.n_iter for report in seen] == list(range(1, found.n_iter + 1))
    assert [report.converged for report in seen] == [False] * (len(seen) - 1) + [True]
    assert seen[-1].objective == found.curve[-1]
    stopped = search(problem, np.arange(10), callback=lambda report: True)
    assert stopped.n_iter == 1
    assert not stopped.converged
    limited = search(problem, np.arange(10), max_iter=1)
    assert limited.curve.tolist() == stopped.curve.tolist()


@pytest.mark.parametrize("search", SEARCHES, ids=lambda f: f.__name__)
def test_every_point_a_medoid(search, kind, dissimilarities, problem_of):
    for n in (2, 5, 64):
        D = dissimilarities(kind, n, n)
        found = search(problem_of(D), np.roll(np.arange(n), 1))
        assert found.curve.tolist() == [0.0]
        assert found.n_swaps == 0
        assert found.state.medoids.tolist() == np.roll(np.arange(n), 1).tolist()
