"""Initial medoids: BUILD against its definition and a peer, draws against their law."""

import kmedoids
import numpy as np
import pytest
from scipy.stats import chisquare
from sklearn.metrics import pairwise_distances

from skloss._validation import as_kernel_array
from skloss.cluster import pam_build
from skloss.cluster._build import best_single, greedy
from skloss.cluster._initial import INITIALISATIONS, choose_medoids
from skloss.cluster._search import Problem
from skloss.kernels import ComputedCandidates, CondensedCandidates, StoredCandidates

RANDOM = ["lab", "k-medoids++", "random"]


def naive_build(D, k, weights, allowed):
    """Greedy choice with all gains computed for every medoid."""
    D = np.asarray(D, dtype=np.float64)
    costs = np.where(allowed, weights @ D, np.inf)
    medoids = [int(costs.argmin())]
    while len(medoids) < k:
        nearest = D[:, medoids].min(axis=1)
        gains = weights @ np.maximum(nearest[:, None] - D, 0)
        gains[medoids] = gains[~allowed] = -np.inf
        if not gains.max() > 0:
            unused = [j for j in np.flatnonzero(allowed) if j not in medoids]
            return medoids + [int(j) for j in unused[: k - len(medoids)]]
        medoids.append(int(gains.argmax()))
    return medoids


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 2, 5, 63, 64, 130, 300])
def test_build_equals_its_definition(n, dtype, kind, dissimilarities):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        # multiples of 1/64: gains are exact, and so are their ties
        D = (np.round(dissimilarities(kind, n, seed) * 64) / 64).astype(dtype)
        weights = rng.integers(0, 4, n).astype(float)
        weights[0] = 1.0
        for w in (np.ones(n), weights):
            most = np.count_nonzero(w)
            for k in {1, min(3, most), int(rng.integers(1, most + 1)), most}:
                expected = naive_build(D, k, w, w > 0)
                assert pam_build(D, k, sample_weight=w).tolist() == expected


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_build_equals_the_peer(dtype, dissimilarities):
    for kind in ("euclidean", "asymmetric"):
        for n, k in ((5, 2), (100, 10), (300, 150), (900, 40)):
            D = dissimilarities(kind, n, n, dtype)
            theirs = kmedoids.pam_build(D, k).medoids
            assert pam_build(D, k).tolist() == list(theirs)


def test_build_from_any_source(rng):
    X = np.round(rng.standard_normal((700, 3)) * 16) / 16
    D = pairwise_distances(X, metric="manhattan")
    own = as_kernel_array(np.arange(700), np.intp)
    weights = as_kernel_array(rng.integers(1, 4, 700), np.float64)
    expected = naive_build(D, 60, weights, np.ones(700, dtype=bool))
    for source in (
        StoredCandidates(np.ascontiguousarray(D)),
        StoredCandidates(np.asfortranarray(D)),
        CondensedCandidates(D[np.triu_indices(700, 1)], 700),
        ComputedCandidates(X, metric="manhattan"),
    ):
        problem = Problem(source, weights, own, weights > 0)
        assert greedy(problem, 60).tolist() == expected
        given = greedy(problem, 60, chosen=expected[:7])
        assert given.tolist() == expected


def test_build_reads_less_than_its_definition(rng):
    X = rng.standard_normal((600, 3))
    source = ComputedCandidates(X, metric="manhattan")
    own = as_kernel_array(np.arange(600), np.intp)
    weights = as_kernel_array(np.ones(600), np.float64)
    greedy(Problem(source, weights, own, weights > 0), 100)
    assert source.n_distances < 12 * 600**2  # of 100


def test_build_stops_when_nothing_gains():
    X = np.repeat([[0.0], [1.0], [5.0]], 4, axis=0)
    D = pairwise_distances(X)
    assert pam_build(D, 3).tolist() == naive_build(D, 3, np.ones(12), np.ones(12) > 0)
    medoids = pam_build(D, 7).tolist()
    first = medoids[:3]
    assert medoids[3:] == [j for j in range(12) if j not in first][:4]
    assert pam_build(np.zeros((5, 5)), 5).tolist() == [0, 1, 2, 3, 4]


def test_build_leaves_out_points_without_weight():
    D = np.zeros((6, 6))
    medoids = pam_build(D, 3, sample_weight=[0, 1, 0, 1, 1, 0])
    assert medoids.tolist() == [1, 3, 4]


def test_integer_weights_are_repeated_points(rng):
    X, weights = rng.integers(0, 50, (60, 2)).astype(float), rng.integers(1, 4, 60)
    D = pairwise_distances(X, metric="manhattan")
    of = np.repeat(np.arange(60), weights)
    weighted = pam_build(D, 12, sample_weight=weights)
    repeated = pam_build(D[np.ix_(of, of)], 12)
    np.testing.assert_array_equal(X[of[repeated]], X[weighted])


def test_the_best_single_medoid(kind, dissimilarities, problem_of, rng):
    D = np.round(dissimilarities(kind, 100, 1) * 64) / 64
    weights = rng.integers(0, 5, 100).astype(float)
    medoid, loss = best_single(problem_of(D, weights))
    costs = np.where(weights > 0, weights @ D, np.inf)
    assert medoid == costs.argmin()
    assert loss == costs.min()


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_distinct_reproducible_and_never_without_weight(
    init, kind, dissimilarities, problem_of
):
    for n in (2, 7, 90):
        D = dissimilarities(kind, n, 1)
        weights = np.arange(n) % 3 > 0
        weights[0] |= not weights.any()
        most = np.count_nonzero(weights)
        for k in {1, most // 2 + 1, most}:
            draws = [
                choose_medoids(
                    init, problem_of(D, weights), k, np.random.RandomState(seed)
                )
                for seed in (0, 0, 1)
            ]
            assert draws[0].dtype == np.intp
            assert draws[0].tolist() == draws[1].tolist()
            for medoids in draws:
                assert len(set(medoids.tolist())) == k
                assert weights[medoids].all()


@pytest.mark.parametrize("init", RANDOM)
def test_another_seed_draws_others(init, dissimilarities, problem_of):
    problem = problem_of(dissimilarities("euclidean", 200, 0))
    draws = {
        tuple(choose_medoids(init, problem, 5, np.random.RandomState(seed)))
        for seed in range(10)
    }
    assert len(draws) == 10


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_fewer_reference_points_than_medoids(init, rng):
    D = pairwise_distances(rng.standard_normal((40, 2)))
    batch = np.array([3, 20])
    problem = Problem(
        StoredCandidates(np.asfortranarray(D[batch])),
        as_kernel_array(np.ones(2), np.float64),
        as_kernel_array(batch, np.intp),
        np.arange(40) % 2 == 0,
    )
    for seed in range(5):
        medoids = choose_medoids(init, problem, 12, np.random.RandomState(seed))
        assert len(set(medoids.tolist())) == 12
        assert (medoids % 2 == 0).all()


def test_plus_plus_draws_by_its_law(problem_of):
    rng = np.random.default_rng(5)
    D = rng.random((6, 6)) + 0.2
    np.fill_diagonal(D, 0)
    weights = np.array([1.0, 2.0, 0.0, 1.0, 0.5, 3.0])
    problem, random = problem_of(D, weights), np.random.RandomState(0)
    counts = np.zeros((6, 6, 6))
    for _ in range(8000):
        counts[tuple(choose_medoids("k-medoids++", problem, 3, random))] += 1
    law = np.zeros((6, 6, 6))
    for i in range(6):
        second = weights * D[:, i]
        for j in np.flatnonzero(second):
            third = weights * np.minimum(D[:, i], D[:, j])
            law[i, j] += (
                weights[i]
                / weights.sum()
                * (second[j] / second.sum())
                * (third / third.sum())
            )
    possible = law > 0
    assert law.sum() == pytest.approx(1)
    assert not counts[~possible].any()
    assert chisquare(counts[possible], 8000 * law[possible]).pvalue > 0.01


def test_random_draws_all_alike(problem_of):
    problem = problem_of(np.zeros((5, 5)), [1.0, 9.0, 0.0, 1.0, 1.0])
    random = np.random.RandomState(0)
    counts = np.zeros(5)
    for _ in range(3000):
        counts[choose_medoids("random", problem, 2, random)] += 1
    assert counts[2] == 0
    assert chisquare(counts[[0, 1, 3, 4]]).pvalue > 0.01


def test_plus_plus_goes_on_when_all_points_are_covered(problem_of):
    D = pairwise_distances(np.repeat([[0.0], [1.0]], 5, axis=0))
    for seed in range(10):
        random = np.random.RandomState(seed)
        medoids = choose_medoids("k-medoids++", problem_of(D), 6, random)
        assert len(set(medoids.tolist())) == 6
        assert {0, 1} == {int(j >= 5) for j in medoids[:2]}


def test_lab_of_few_points_is_build(dissimilarities, problem_of):
    # its sample of 10 + sqrt(n) then holds all candidates that are left
    for seed in range(10):
        D = dissimilarities("asymmetric", 12, seed)
        medoids = choose_medoids(
            "lab", problem_of(D), 4, np.random.RandomState(seed)
        ).tolist()
        assert medoids[0] == D.sum(axis=0).argmin()
        # medoids are no part of the sample, also as points
        for m in range(1, 4):
            others = np.setdiff1d(np.arange(12), medoids[:m])
            nearest = D[np.ix_(others, medoids[:m])].min(axis=1)
            after = np.minimum(D[np.ix_(others, others)], nearest[:, None]).sum(axis=0)
            assert medoids[m] == others[after.argmin()]


def test_lab_starts_better_than_chance(problem_of, deviation):
    rng = np.random.default_rng(0)
    D = pairwise_distances(rng.standard_normal((500, 2)) ** 3)
    losses = {
        init: np.mean(
            [
                deviation(
                    D,
                    choose_medoids(init, problem_of(D), 20, np.random.RandomState(s)),
                )
                for s in range(10)
            ]
        )
        for init in ("random", "lab", "build")
    }
    assert losses["build"] < losses["lab"] < 0.9 * losses["random"]


def test_first_takes_the_first_with_weight(problem_of):
    problem = problem_of(np.zeros((6, 6)), [0, 1, 1, 0, 2, 1])
    medoids = choose_medoids("first", problem, 3, np.random.RandomState(0))
    assert medoids.tolist() == [1, 2, 4]
