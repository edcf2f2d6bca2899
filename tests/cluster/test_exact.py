import itertools
import math

import numpy as np
import pytest
from kmedoids import fasterpam
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse.csgraph import shortest_path
from sklearn.datasets import load_digits
from sklearn.metrics import pairwise_distances

from skloss.cluster import _exact, _lagrangian
from skloss.cluster._bound import _starting_medoids
from skloss.cluster._exact import exact
from skloss.kernels import StoredCandidates


def p_median_network(n, seed):
    """Distances in a random network like those of the OR-Library's p-median files.

    Connected, about n**2 / 50 edges with lengths from 1 to 100; of edges drawn twice
    the last length counts.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    tree = [(order[i], order[rng.integers(i)]) for i in range(1, n)]
    others = [rng.choice(n, 2, replace=False) for _ in range(n * n // 50 - len(tree))]
    lengths = np.zeros((n, n))
    for i, j in [*tree, *others]:
        lengths[i, j] = lengths[j, i] = rng.integers(1, 101)
    return shortest_path(lengths, directed=False)


def milp_optimum(D, weights, k):
    """Optimum of the textbook formulation: who serves whom, and who is a medoid."""
    n = len(D)
    served = sparse.kron(sparse.eye(n), np.ones((1, n)))
    by_medoids = sparse.hstack(
        [sparse.eye(n * n), -sparse.kron(np.ones((n, 1)), sparse.eye(n))]
    )
    result = milp(
        np.concatenate([(weights[:, None] * D).ravel(), np.zeros(n)]),
        constraints=[
            LinearConstraint(sparse.hstack([served, sparse.csr_array((n, n))]), 1, 1),
            LinearConstraint(by_medoids, -np.inf, 0),
            LinearConstraint(np.repeat([[0.0, 1.0]], [n * n, n], axis=1), k, k),
        ],
        integrality=np.repeat([0, 1], [n * n, n]),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0},
    )
    assert result.status == 0
    return result.fun


def improve_by_swaps(D):
    """Return a function that improves medoids by the peer's local search."""

    def improve(medoids):
        found = fasterpam(D, np.asarray(medoids, dtype=np.uint64), n_cpu=1)
        return found.medoids.astype(int), found.loss

    return improve


def solve(D, k, weights=None, **options):
    weights = np.ones(len(D)) if weights is None else weights
    rows = StoredCandidates(D)
    start = _starting_medoids(rows, k, weights)
    return exact(rows, k, weights, start, **options)


def loss_of(D, weights, medoids):
    return math.fsum((weights[:, None] * D.astype(float))[:, medoids].min(axis=1))


@pytest.mark.parametrize("hasty", [False, True])
def test_brute_force_agrees(hasty, monkeypatch):
    if hasty:  # poor bounds and no trying out, for branching even when tiny
        monkeypatch.setattr(_lagrangian, "_FEW", 1)
        monkeypatch.setattr(_exact, "_ROOT_STEPS", 2)
        monkeypatch.setattr(_exact, "_NODE_STEPS", 2)
    n_branched = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 12))
        kinds = [
            rng.random((n, n)),
            rng.normal(size=(n, n)),
            rng.integers(0, 5, (n, n)),
            rng.random((n, n)).astype(np.float32),
            rng.random((n, n))[:, rng.integers(0, n, n)],
            pairwise_distances(rng.integers(0, 3, (n, 2))),
        ]
        D = kinds[seed % len(kinds)]
        weights = rng.integers(0, 3, n).astype(float) if seed % 2 else np.ones(n)
        weights[0] = 1
        candidates = np.flatnonzero(weights).tolist()
        k = int(rng.integers(1, len(candidates) + 1))
        optimum = min(
            loss_of(D, weights, list(medoids))
            for medoids in itertools.combinations(candidates, k)
        )
        found = solve(D, k, weights)
        assert found.proved
        assert found.lower_bound <= optimum <= found.loss
        assert found.loss - found.lower_bound <= 1e-9 * abs(found.loss)
        assert found.loss == loss_of(D, weights, found.medoids)
        assert len(set(found.medoids.tolist())) == k
        assert weights[found.medoids].all()
        n_branched += found.n_nodes > 1
    assert n_branched > 20 or not hasty


@pytest.mark.parametrize(("n", "k"), [(100, 5), (100, 33)])
def test_networks_against_milp(n, k):
    D = p_median_network(n, seed=n + k)
    found = solve(D, k)
    assert found.proved and found.gap == 0
    assert found.loss == pytest.approx(milp_optimum(D, np.ones(n), k), abs=1e-6)


def test_asymmetric_weighted_instance_against_milp(rng):
    D, weights = rng.random((30, 30)) ** 2, rng.random(30)
    found = solve(D, 4, weights)
    assert found.proved and found.n_nodes > 1
    assert found.loss == pytest.approx(milp_optimum(D, weights, 4), rel=1e-8)


@pytest.mark.parametrize(("n", "k"), [(200, 67), (400, 5), (400, 133), (600, 60)])
def test_larger_networks_are_proved(n, k):
    D = p_median_network(n, seed=n + k)
    found = solve(D, k, improve=improve_by_swaps(D), max_nodes=2000)
    assert found.proved
    assert found.lower_bound == found.loss == loss_of(D, np.ones(n), found.medoids)
    for seed in range(5):
        assert fasterpam(D, k, random_state=seed, n_cpu=1).loss >= found.loss


def test_digits_are_proved():
    D = pairwise_distances(load_digits().data).astype(np.float32)
    found = solve(D, 10, improve=improve_by_swaps(D))
    assert found.proved
    assert found.loss == pytest.approx(51194.6998, abs=1e-3)


def test_duplicates_do_not_multiply_the_work(rng):
    few = rng.random((24, 24))
    rows = np.repeat(np.arange(24), 4)
    single = solve(few, 4)
    repeated = solve(few[np.ix_(rows, rows)], 4, max_nodes=500)
    assert single.proved and repeated.proved
    assert repeated.loss == pytest.approx(4 * single.loss, rel=1e-12)


def test_more_medoids_than_different_points(rng):
    X = rng.normal(size=(5, 3))[np.arange(60) % 5]
    D = np.abs(X[:, None] - X).sum(axis=2)
    for start in (np.arange(8), np.arange(8) * 5):  # the second sees one point only
        found = exact(StoredCandidates(D), 8, np.ones(60), start, max_nodes=50)
        assert found.proved and found.loss == found.lower_bound == 0


def test_limits_are_reported_and_the_bound_stays_true():
    rng = np.random.default_rng(3)
    D = rng.random((40, 40))
    optimum = solve(D, 5)
    assert optimum.proved and optimum.n_nodes > 10
    for status, options in {
        "max_nodes": {"max_nodes": 4},
        "time_limit": {"time_limit": 0},
        "stopped": {"callback": lambda progress: True},
    }.items():
        found = solve(D, 5, **options)
        assert found.status == status
        assert not found.proved
        assert found.lower_bound < optimum.loss <= found.loss
        assert found.gap > 1e-3
    assert solve(D, 5, max_nodes=4).n_nodes <= 5


def test_callback_sees_bounds_close_in():
    rng = np.random.default_rng(3)
    D = rng.random((40, 40))
    seen = []
    found = solve(D, 5, callback=seen.append)
    nodes = [progress for progress in seen if progress.n_iter > 0]
    assert len(nodes) > 5
    for before, after in itertools.pairwise(nodes):
        assert before.lower_bound <= after.lower_bound <= after.objective
        assert after.objective <= before.objective
    assert seen[-1].lower_bound <= found.lower_bound <= found.loss


def test_a_loose_tolerance_ends_sooner():
    rng = np.random.default_rng(3)
    D = rng.random((40, 40))
    tight, loose = solve(D, 5), solve(D, 5, tol=0.05)
    assert loose.proved and loose.n_nodes < tight.n_nodes
    assert loose.lower_bound <= tight.loss <= loose.loss
    assert loose.gap <= 0.05


def test_start_is_never_made_worse(rng):
    D = pairwise_distances(rng.normal(size=(60, 2)))
    start = fasterpam(D, 4).medoids.astype(int)
    found = exact(StoredCandidates(D), 4, np.ones(60), start, max_nodes=1)
    assert found.loss <= loss_of(D, np.ones(60), start)
