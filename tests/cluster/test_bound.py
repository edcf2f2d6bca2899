import itertools
import math

import numpy as np
import pytest
from kmedoids import fasterpam
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.metrics import pairwise_distances

from skloss._blocks import RowBlocks
from skloss.cluster import _bound_reader, _lagrangian
from skloss.cluster._bound import k_medoids_bound, lagrangian_bound
from skloss.cluster._bound_kernels import common_unit, cover, reduced_costs
from skloss.kernels import StoredCandidates


class Recomputed(RowBlocks):
    """Rows that exist only while they are looked at, and are counted."""

    def __init__(self, D):
        super().__init__(D.shape[1], D.shape[0], D.dtype)
        self.D, self.n_read = D, 0

    def rows(self, start, stop):
        return self.take(np.arange(start, stop))

    def take(self, indices):
        self.n_read += len(indices)
        block = np.array(self.D.T[indices], order="C")
        block.flags.writeable = False
        return block


def all_losses(D, weights, k):
    """Loss of every choice of medoids, by brute force."""
    products = weights[:, None] * D.astype(np.float64)
    candidates = np.flatnonzero(weights).tolist()
    return {
        medoids: math.fsum(products[:, medoids].min(axis=1))
        for medoids in itertools.combinations(candidates, k)
    }


def awkward_instance(rng, largest=9):
    """Draw tiny dissimilarities of many kinds, weights, and a number of medoids."""
    n = rng.integers(1, largest + 1)
    plane = rng.integers(0, 4, (n, 2))
    kinds = [
        rng.random((n, n)),
        rng.normal(size=(n, n)),
        rng.integers(-3, 4, (n, n)).astype(float),
        np.exp(20 * rng.normal(size=(n, n))),
        rng.choice([0.1, 0.2, 0.3], (n, n)),
        rng.random((n, n))[:, rng.integers(0, n, n)],
        np.hypot(*(plane[:, None] - plane).T),
        np.zeros((n, n)),
    ]
    D = kinds[rng.integers(len(kinds))]
    if rng.random() < 0.5:
        np.fill_diagonal(D, 0)
    if rng.random() < 0.3:
        D = D.astype(np.float32)
    choices = [np.ones(n), rng.random(n) + 0.01, rng.integers(0, 3, n).astype(float)]
    weights = choices[rng.integers(len(choices))]
    weights[0] = max(weights[0], 1.0)
    return D, weights, int(rng.integers(1, np.count_nonzero(weights) + 1))


@pytest.mark.parametrize("few", [1, _lagrangian._FEW])
def test_true_for_all_medoids_of_awkward_instances(few, monkeypatch):
    # Trying the last solutions one by one would leave little to the bound itself.
    monkeypatch.setattr(_lagrangian, "_FEW", few)
    n_closed = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        D, weights, k = awkward_instance(rng)
        losses = all_losses(D, weights, k)
        optimum = min(losses.values())
        start = None
        if rng.random() < 0.3:
            start = rng.choice(np.flatnonzero(weights), k, replace=False)
        max_iter = int(rng.choice([1, 5, 30, 600]))
        bound = k_medoids_bound(
            D, k, medoids=start, sample_weight=weights, max_iter=max_iter
        )
        assert bound.lower_bound <= optimum <= bound.upper_bound, seed
        assert bound.upper_bound == losses[tuple(sorted(bound.medoids.tolist()))]
        for medoids, loss in losses.items():
            if loss == optimum:
                assert not set(medoids) & set(bound.fixed_out.tolist()), seed
                assert set(bound.fixed_in.tolist()) <= set(medoids), seed
        n_closed += bound.is_optimal
    assert n_closed > 200


def test_scaling_by_powers_of_two_scales_the_bounds():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        D, weights, k = awkward_instance(rng, largest=14)
        scale = 2.0 ** int(rng.integers(-30, 30))
        usual = k_medoids_bound(D, k, sample_weight=weights, max_iter=40)
        for bound in (
            k_medoids_bound(
                D * D.dtype.type(scale), k, sample_weight=weights, max_iter=40
            ),
            k_medoids_bound(D, k, sample_weight=scale * weights, max_iter=40),
        ):
            assert bound.lower_bound == scale * usual.lower_bound
            assert bound.upper_bound == scale * usual.upper_bound
            np.testing.assert_array_equal(bound.medoids, usual.medoids)
            np.testing.assert_array_equal(bound.fixed_out, usual.fixed_out)
            np.testing.assert_array_equal(bound.fixed_in, usual.fixed_in)


def test_extreme_weights_do_not_matter():
    D = np.abs(np.subtract.outer(np.arange(9.0), np.arange(9.0)))
    usual = k_medoids_bound(D, 3)
    heavy = k_medoids_bound(D, 3, sample_weight=np.full(9, 2.0**1000))
    assert heavy.lower_bound == 2.0**1000 * usual.lower_bound
    assert heavy.gap == usual.gap == 0


@pytest.mark.parametrize(
    ("load", "k", "optimum"),
    [
        (load_iris, 3, 98.1311548822),  # scipy.optimize.milp finds this too
        (load_wine, 3, 16375.8891342),
        (load_breast_cancer, 2, 149909.201838),
    ],
)
def test_closes_the_gap_on_real_data(load, k, optimum):
    bound = k_medoids_bound(pairwise_distances(load().data), k)
    assert bound.gap < 1e-12
    assert bound.upper_bound == pytest.approx(optimum, rel=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_proves_digits_optimal(dtype):
    D = pairwise_distances(load_digits().data).astype(dtype)
    found = min(
        (fasterpam(D, 10, random_state=seed, n_cpu=1) for seed in range(3)),
        key=lambda result: result.loss,
    )
    bound = k_medoids_bound(D, 10, medoids=found.medoids.astype(int))
    assert bound.upper_bound == pytest.approx(51194.6998, abs=1e-3)
    assert bound.gap < 1e-6
    assert set(bound.medoids.tolist()) == set(found.medoids.tolist())
    assert len(bound.fixed_out) > 1700


def test_bound_is_the_lagrangian_of_its_prices(rng):
    D = rng.random((40, 40))
    reader = _bound_reader.Reader(StoredCandidates(D), np.ones(40))
    start = np.arange(6)
    incumbent = _lagrangian.Incumbent(reader, start, tol=0)
    everything = np.arange(40)
    ascent = _lagrangian.DualAscent(
        reader,
        6,
        incumbent,
        _bound_reader.first_prices(reader, start, everything),
        free=everything,
        forced=everything[:0],
    ).run(20)
    costs = np.minimum(D - ascent.prices[:, None], 0).sum(axis=0)
    expected = ascent.prices.sum() + np.sort(costs)[:6].sum()
    # No candidate is excluded yet, so that nothing but rounding may differ.
    assert len(ascent.free) == 40
    for bound in (ascent.bound, ascent.certified()):
        assert bound <= expected
        assert bound == pytest.approx(expected, rel=1e-12)


def test_one_medoid_is_exact(rng):
    D, weights = rng.normal(size=(60, 60)), rng.random(60)
    bound = k_medoids_bound(D, 1, sample_weight=weights)
    sums = weights @ D
    assert bound.medoids == [sums.argmin()]
    assert bound.gap == 0
    assert bound.upper_bound == pytest.approx(sums.min(), rel=1e-12)


def test_every_point_a_medoid(rng):
    D = rng.random((7, 7))
    np.fill_diagonal(D, 0)
    bound = k_medoids_bound(D, 7)
    assert (bound.lower_bound, bound.upper_bound, bound.gap) == (0, 0, 0)
    np.testing.assert_array_equal(bound.fixed_in, np.arange(7))


def test_one_point():
    bound = k_medoids_bound([[3.0]], 1)
    assert (bound.lower_bound, bound.upper_bound) == (3, 3)


def test_equal_points():
    bound = k_medoids_bound(np.zeros((30, 30)), 4)
    assert (bound.lower_bound, bound.upper_bound, bound.gap) == (0, 0, 0)
    assert len(set(bound.medoids.tolist())) == 4
    assert len(bound.fixed_out) == len(bound.fixed_in) == 0


def test_duplicates_do_not_keep_the_gap_open(rng):
    few = rng.random((20, 20))
    rows = np.repeat(np.arange(20), 5)
    start = np.array(
        min(all_losses(few, np.ones(20), 4).items(), key=lambda i: i[1])[0]
    )
    single = k_medoids_bound(few, 4, medoids=start)
    repeated = k_medoids_bound(few[np.ix_(rows, rows)], 4, medoids=5 * start)
    assert repeated.upper_bound == pytest.approx(5 * single.upper_bound, rel=1e-14)
    assert repeated.lower_bound == pytest.approx(5 * single.lower_bound, rel=1e-3)
    assert len(repeated.fixed_in) == 0  # each could be exchanged for its duplicate
    assert not set(repeated.fixed_out // 5) & set(start.tolist())


def test_whole_numbers_round_the_bound_up(rng):
    D = rng.integers(1, 50, (60, 60))
    fractional = k_medoids_bound(D + 1e-4 * rng.random(D.shape), 5)
    bound = k_medoids_bound(D, 5)
    assert bound.lower_bound == int(bound.lower_bound)
    assert bound.gap > 0  # rounding up is all there is
    assert bound.lower_bound >= fractional.lower_bound - 60 * 1e-4
    halves = k_medoids_bound(D / 2, 5)
    assert halves.lower_bound == bound.lower_bound / 2


def test_weightless_points_are_absent(rng):
    D = rng.random((50, 50))
    weights = rng.integers(0, 2, 50).astype(float)
    present = np.flatnonzero(weights)
    bound = k_medoids_bound(D, 4, sample_weight=weights)
    alone = k_medoids_bound(D[np.ix_(present, present)], 4)
    assert set(bound.medoids.tolist()) == set(present[alone.medoids].tolist())
    assert bound.upper_bound == alone.upper_bound
    assert bound.lower_bound == pytest.approx(alone.lower_bound, rel=1e-6)
    assert not set(bound.fixed_out.tolist()) - set(present.tolist())


def test_repeated_rows_are_weights(rng):
    D = rng.random((12, 12))
    weights = rng.integers(1, 4, 12)
    rows = np.repeat(np.arange(12), weights)
    optimum = min(all_losses(D, weights.astype(float), 3).values())
    bound = k_medoids_bound(D, 3, sample_weight=weights)
    repeated = k_medoids_bound(D[np.ix_(rows, rows)], 3)
    for result in (bound, repeated):
        assert result.lower_bound <= optimum * (1 + 1e-14)
        assert result.upper_bound >= optimum * (1 - 1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_layout_and_source_gives_the_same(rng, dtype):
    D = rng.random((90, 90)).astype(dtype) ** 4
    start = np.array([3, 50, 17, 80])
    expected = k_medoids_bound(D, 4, medoids=start)
    strided = np.zeros((180, 90), dtype)
    strided[::2] = D
    frozen = D.copy()
    frozen.flags.writeable = False
    computed = Recomputed(D)
    for bound in (
        k_medoids_bound(np.asfortranarray(D), 4, medoids=start),
        k_medoids_bound(strided[::2], 4, medoids=start),
        k_medoids_bound(frozen, 4, medoids=start),
        lagrangian_bound(computed, 4, start, np.ones(90)),
    ):
        assert bound.lower_bound == expected.lower_bound
        assert bound.n_iter == expected.n_iter
        np.testing.assert_array_equal(bound.medoids, expected.medoids)
        np.testing.assert_array_equal(bound.fixed_out, expected.fixed_out)


def test_computed_rows_are_kept_once_few_are_left():
    D = pairwise_distances(load_iris().data)
    computed = Recomputed(D)
    bound = lagrangian_bound(computed, 3, np.array([7, 78, 112]), np.ones(150))
    assert bound.gap < 1e-9
    # One whole pass for each of the first steps, until some candidate is excluded.
    assert computed.n_read < 10 * 150


def test_memory_limit_is_kept(monkeypatch, rng):
    D = rng.random((80, 80))
    start = np.arange(4)
    expected = k_medoids_bound(D, 4, medoids=start)
    monkeypatch.setattr(_bound_reader, "fits_working_memory", lambda *size: False)
    bound = lagrangian_bound(Recomputed(D), 4, start, np.ones(80))
    assert bound.lower_bound == expected.lower_bound


def test_threads_change_nothing(monkeypatch, rng):
    D = rng.random((400, 400)).astype(np.float32)
    start = np.arange(10)
    expected = k_medoids_bound(D, 10, medoids=start, max_iter=40)
    monkeypatch.setattr(_bound_reader, "threads_for", lambda n_bytes, n_jobs: 3)
    monkeypatch.setattr(_bound_reader, "rows_per_block", lambda n, itemsize: 37)
    bound = k_medoids_bound(D, 10, medoids=start, max_iter=40)
    assert bound.lower_bound == expected.lower_bound
    np.testing.assert_array_equal(bound.medoids, expected.medoids)
    np.testing.assert_array_equal(bound.fixed_out, expected.fixed_out)


def test_input_is_left_alone(rng):
    D, weights, start = rng.random((30, 30)), rng.random(30), np.arange(3)
    before = D.copy(), weights.copy(), start.copy()
    k_medoids_bound(D, 3, medoids=start, sample_weight=weights)
    for array, copy in zip((D, weights, start), before):
        np.testing.assert_array_equal(array, copy)


def test_better_start_is_not_needed_for_truth(rng):
    D = pairwise_distances(rng.normal(size=(80, 3)))
    good = k_medoids_bound(D, 5, medoids=fasterpam(D, 5).medoids.astype(int))
    poor = k_medoids_bound(D, 5, medoids=np.arange(5))
    assert poor.lower_bound <= good.upper_bound
    assert good.lower_bound <= poor.upper_bound


def test_improve_is_asked_and_believed(rng):
    D = pairwise_distances(rng.normal(size=(120, 2)))

    def improve(medoids):
        found = fasterpam(D, medoids.astype(np.uint64), n_cpu=1)
        return found.medoids.astype(int), found.loss

    rows, start = StoredCandidates(D), np.arange(6)
    alone = lagrangian_bound(rows, 6, start, np.ones(120), max_iter=30)
    helped = lagrangian_bound(
        rows, 6, start, np.ones(120), max_iter=30, improve=improve
    )
    assert helped.upper_bound < alone.upper_bound
    # what it claims is not taken on trust
    liar = lagrangian_bound(
        rows, 6, start, np.ones(120), max_iter=30, improve=lambda m: (m, 0.0)
    )
    assert liar.upper_bound >= helped.lower_bound


def test_callback_sees_every_step_and_may_stop(rng):
    D = rng.random((60, 60))
    seen = []

    def stop_at_seven(progress):
        seen.append(progress)
        return progress.n_iter == 7

    bound = lagrangian_bound(
        StoredCandidates(D), 5, np.arange(5), np.ones(60), callback=stop_at_seven
    )
    assert bound.n_iter == 7
    assert [step.n_iter for step in seen] == [1, 2, 3, 4, 5, 6, 7]
    for before, after in itertools.pairwise(seen):
        assert before.lower_bound <= after.lower_bound <= after.objective
        assert after.objective <= before.objective


def test_result_prints_and_does_not_change():
    bound = k_medoids_bound([[0.0, 2, 9], [2, 0, 8], [9, 8, 0]], 2)
    assert repr(bound).startswith("MedoidBound(lower_bound=2, upper_bound=2, gap=0, ")
    with pytest.raises(AttributeError):
        bound.lower_bound = 3.0


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("D", np.zeros((2, 3)), r"D must be a square matrix; got shape \(2, 3\)"),
        ("D", np.zeros(4), r"D must be a square matrix; got shape \(4,\)"),
        ("D", np.zeros((0, 0)), r"D must be a square matrix; got shape \(0, 0\)"),
        ("D", np.array([["a"]]), "D must hold real numbers; got dtype <U1"),
        ("D", [[0, np.nan, 1]] * 3, r"D\[0, 1\] is nan"),
        ("D", [[0, 1, np.inf]] * 3, r"D\[0, 2\] is inf"),
        ("D", np.full((4, 4), 1e308), "as large as 1e[+]308: their weighted sum"),
        ("n_clusters", 0, "n_clusters=0 must be at least 1"),
        ("n_clusters", 5, "must be at least n_clusters=5"),
        ("n_clusters", 2.0, "n_clusters must be an integer; got 2.0"),
        ("n_clusters", True, "n_clusters must be an integer; got True"),
        ("medoids", [0, 1, 2], "medoids must be 2 integers.*0, 1, 2"),
        ("medoids", [0.0, 1.0], "medoids must be 2 integers.*0.0, 1.0"),
        ("medoids", [0, 0], "medoids must be distinct; 0 occurs twice"),
        ("medoids", [0, 4], "medoids must be indices from 0 to 3; got 4"),
        ("medoids", [-1, 2], "medoids must be indices from 0 to 3; got -1"),
        ("sample_weight", [1, 1, 1], "sample_weight has 3 values for 4 samples"),
        ("sample_weight", [1, -1, 1, 1], r"sample_weight\[1\] is -1"),
        ("sample_weight", [1, np.nan, 1, 1], r"sample_weight\[1\] is nan"),
        ("sample_weight", np.zeros(4), "All values of sample_weight are zero"),
        ("sample_weight", [0, 0, 1, 0], "1 positive values, fewer than n_clusters=2"),
        ("max_iter", 0, "max_iter must be an integer of at least 1; got 0"),
        ("max_iter", 1.5, "max_iter must be an integer of at least 1; got 1.5"),
    ],
)
def test_bad_input_is_named(argument, value, message):
    arguments = {"D": np.ones((4, 4)), "n_clusters": 2, argument: value}
    with pytest.raises(ValueError, match=message):
        k_medoids_bound(**arguments)


def test_weightless_medoid_is_refused():
    with pytest.raises(ValueError, match=r"sample_weight\[2\] is 0"):
        k_medoids_bound(np.ones((4, 4)), 2, medoids=[2, 3], sample_weight=[1, 1, 0, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_against_numpy(rng, dtype):
    matrix = rng.normal(size=(23, 57)).astype(dtype)
    matrix.flags.writeable = False
    weights, prices = rng.random(57), rng.normal(size=57)
    ids = rng.permutation(23)[:14]
    products = weights * matrix[ids].astype(float)
    costs, counts, nearest = np.empty(14), np.empty(57), np.empty(57)
    reduced_costs(matrix, ids, weights, prices, costs)
    expected = np.minimum(products - prices, 0)
    np.testing.assert_allclose(costs, expected.sum(axis=1), rtol=1e-13)
    cover(matrix, ids, weights, prices, counts, nearest)
    np.testing.assert_array_equal(counts, (products < prices).sum(axis=0))
    np.testing.assert_array_equal(nearest, products.min(axis=0))
    for size in range(14):  # whatever stands beside a row
        part = np.empty(size)
        reduced_costs(matrix, ids[14 - size :], weights, prices, part)
        np.testing.assert_array_equal(part, costs[14 - size :])


@pytest.mark.parametrize(
    ("values", "unit"),
    [([4, 8, 12], 4), ([4, 8, 9], 1), ([0.5, 3, 7], 0.5), ([0.1, 0.2, 0.3], 0)],
)
def test_common_unit(values, unit):
    matrix = np.array([[0, 0, 0], values], dtype=float)
    assert common_unit(matrix, np.ones(3), 16.0, 2.0**-16) == unit
