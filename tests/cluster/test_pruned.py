"""FasterPAM with pruned distances: the same swaps from fewer distances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits, make_blobs

from skloss.cluster import KMedoids
from skloss.cluster import _pruned as pruned
from skloss.cluster._inputs import make_problem
from skloss.cluster._pruned import fasterpam_pruned
from skloss.cluster._pruned_kernels import measure
from skloss.cluster._pruned_source import (
    PrunedCandidates,
    prunable_metrics,
    rounding_slack,
)
from skloss.cluster._search import fasterpam
from skloss.kernels import METRICS, StoredCandidates, prepare
from skloss.kernels import _distance_kernels as kernels

# Metrics with the parameters that tell their kernels apart.
CASES = [
    ("euclidean", {}),
    ("euclidean", {"w": [0.5, 2.0, 1.0, 3.0, 0.25, 1.0, 0.0, 1.0]}),
    ("manhattan", {}),
    ("manhattan", {"w": [0.5, 2.0, 1.0, 3.0, 0.25, 1.0, 0.0, 1.0]}),
    ("chebyshev", {}),
    ("minkowski", {"p": 1}),
    ("minkowski", {"p": 1.5}),
    ("minkowski", {"p": 3}),
    ("minkowski", {"p": np.inf}),
    ("hamming", {}),
    ("canberra", {}),
    ("gower", {}),
    ("gower", {"categorical": [1, 4, 5]}),
    ("gower", {"categorical": list(range(8))}),
]


def source_of(X, metric="euclidean", params=None):
    return PrunedCandidates(X, metric, prepare(metric, X, params))


def random_rows(random, n, p, dtype=np.float64):
    """Clumps with outliers: some clusters are dense, some points alone."""
    centres = 5 * random.standard_normal((7, p))
    X = centres[random.randint(7, size=n)] + random.standard_normal((n, p))
    X[: n // 20] *= 4
    return X.astype(dtype)


def unequal_weights(n):
    return np.random.RandomState(n).randint(1, 1000, size=n).astype(float)


def both(X, k, metric="euclidean", params=None, *, weights=None, seed=0, order=None):
    """Outcomes of the pruned search and of the plain one over all distances.

    Weights are random by default. Were they equal, the two points of a small cluster
    would be equally good medoids, and the last bits of a sum would choose.
    """
    source = source_of(X, metric, params)
    if weights is None:
        weights = unequal_weights(len(X))
    problem = make_problem(source, weights)
    free = np.flatnonzero(weights)
    medoids = np.random.RandomState(seed).choice(free, k, replace=False)
    ours = fasterpam_pruned(problem, medoids, order=order)
    everything = StoredCandidates(source.rows(0, len(X)).T)
    plain = fasterpam(make_problem(everything, weights), medoids, order=order)
    return ours, plain


def assert_same(ours, plain):
    assert_array_equal(ours.state.medoids, plain.state.medoids)
    assert_array_equal(ours.state.nearest, plain.state.nearest)
    assert_array_equal(ours.state.to_second, plain.state.to_second)
    assert_array_equal(ours.curve, plain.curve)
    assert (ours.n_swaps, ours.n_iter, ours.converged) == (
        plain.n_swaps,
        plain.n_iter,
        plain.converged,
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("p", [1, 2, 3, 4, 5, 8])
def test_same_swaps_as_plain_search(p, dtype):
    random = np.random.RandomState(p)
    for n, k in ((60, 2), (300, 5), (600, 40), (500, 130)):
        ours, plain = both(random_rows(random, n, p, dtype), k, seed=p)
        assert plain.n_swaps > 0
        assert_same(ours, plain)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("metric", "params"), CASES)
def test_same_swaps_for_every_metric(metric, params, dtype):
    random = np.random.RandomState(1)
    X = random_rows(random, 400, 8, dtype)
    if metric == "hamming" or len((params or {}).get("categorical", ())) == 8:
        X = X.round() % 5  # shares of eight: sums are exact, and so are ties
    ours, plain = both(X, 20, metric, params)
    assert plain.n_swaps > 5
    assert_array_equal(ours.state.medoids, plain.state.medoids)
    assert ours.n_swaps == plain.n_swaps
    assert_allclose(ours.curve, plain.curve, rtol=1e-13)


def test_every_metric_is_covered():
    aliases = {"l1", "l2", "cityblock"}
    assert {metric for metric, _ in CASES} | aliases == set(prunable_metrics())


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(6, 150),
    p=st.integers(1, 4),
    k=st.integers(2, 6),
    span=st.integers(1, 12),
    metric=st.sampled_from(["manhattan", "chebyshev", "euclidean"]),
)
def test_grids_with_duplicates_ties_and_weights(seed, n, p, k, span, metric):
    # Whole numbers: for two of the metrics all sums are exact, ties included.
    random = np.random.RandomState(seed)
    X = random.randint(span, size=(n, p)).astype(float)
    weights = random.randint(4, size=n).astype(float)
    weights[random.choice(n, k, replace=False)] = 1.0
    ours, plain = both(X, k, metric, weights=weights, seed=seed)
    if metric == "euclidean":  # sums of roots may differ in the last bit
        assert_allclose(ours.curve[0], plain.curve[0], rtol=1e-14)
        assert np.all(np.diff(ours.curve) < 1e-12 * (1 + ours.curve[0]))
    else:
        assert_same(ours, plain)


def test_shuffled_order():
    random = np.random.RandomState(3)
    X = random_rows(random, 700, 2)
    ours, plain = both(X, 30, order=random.permutation(700))
    assert_same(ours, plain)


def test_no_more_than_max_iter_passes_and_callback():
    X = random_rows(np.random.RandomState(4), 500, 2)
    problem = make_problem(source_of(X), np.ones(500))
    reports = []
    found = fasterpam_pruned(
        problem, np.arange(20), max_iter=1, callback=reports.append
    )
    assert found.n_iter == len(reports) == 1
    assert not found.converged
    stopped = fasterpam_pruned(problem, np.arange(20), callback=lambda report: True)
    assert_array_equal(stopped.state.medoids, found.state.medoids)


class Watched:
    """What each scan of a search was about to do, seen from outside."""

    def __init__(self, monkeypatch):
        self.calls = []
        scan = pruned.scan_pruned

        def watch(features, groups, scratch, candidates, state, *rest):
            before = [np.array(part) for part in state[:6]], rest[2].copy(), rest[3]
            result = scan(features, groups, scratch, candidates, state, *rest)
            self.calls.append((candidates.copy(), *before, result, groups, state))
            self.check_groups(groups, state)
            return result

        monkeypatch.setattr(pruned, "scan_pruned", watch)

    @staticmethod
    def check_groups(groups, state):
        """Every point is in the place where it belongs."""
        seen = []
        for i, (begin, size) in enumerate(zip(groups.begin, groups.size)):
            places = slice(begin, begin + size)
            points = groups.points[places]
            seen.append(points)
            assert (state.nearest[points] == i).all()
            a, s = state.to_nearest[points], state.to_second[points]
            assert_array_equal(groups.to_nearest[places], a)
            assert_array_equal(groups.to_second[places], s)
            assert_array_equal(groups.weights[places], state.weights[points])
            reach = a.astype(float) + s
            assert_array_equal(groups.reach[places], reach)
            assert (np.diff(reach) <= 0).all()
            assert groups.farthest[i] == reach.max(initial=-np.inf)
        assert_array_equal(np.sort(np.concatenate(seen)), np.arange(len(state.nearest)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "canberra"])
def test_skipped_points_could_not_contribute(metric, dtype, monkeypatch):
    random = np.random.RandomState(5)
    X = random_rows(random, 250, 2, dtype)
    X[100:140] = X[:40]
    X[140:150] = X[0]
    D = cdist(X, X, "cityblock" if metric == "manhattan" else metric)
    source = source_of(X, metric)
    watched = Watched(monkeypatch)
    found = fasterpam_pruned(make_problem(source, np.ones(250)), np.arange(12))
    assert found.n_swaps > 5
    n_visited, n_excluded = 0, 0
    relative, absolute = source.slack
    for candidates, parts, excluded, last, result, _, _ in watched.calls:
        _, to_medoids, nearest, _, to_nearest, to_second = parts
        position, slot, _, n_distances = result
        expected = 0
        for j in candidates[: position + (slot >= 0)]:
            if excluded[j]:
                continue
            assert j != last
            limits = to_medoids[nearest, j].astype(float) * (1 - relative) - absolute
            skipped = to_nearest.astype(float) + to_second <= limits
            # Whatever is skipped is truly no nearer than the second medoid.
            assert (D[skipped, j] >= to_second[skipped] * (1 - 4 * relative)).all()
            measured = source.take([j])[0]
            assert (measured[skipped] >= to_second[skipped]).all()
            expected += int((~skipped).sum())
            n_excluded += int(skipped.sum())
        assert n_distances == expected
        n_visited += expected
    # All that was counted: rows of the initial medoids and of every swap besides.
    assert n_excluded > n_visited / 4


def test_counts_what_it_computes(monkeypatch):
    X, _ = make_blobs(1500, n_features=2, centers=40, random_state=0)
    source = source_of(X)
    watched = Watched(monkeypatch)
    found = fasterpam_pruned(make_problem(source, np.ones(1500)), np.arange(40))
    visited = sum(result[3] for *_, result, _, _ in watched.calls)
    assert source.n_distances == visited + 1500 * (40 + found.n_swaps)


def test_few_distances_on_easy_data():
    X, _ = make_blobs(4000, n_features=2, centers=60, random_state=0)
    model = KMedoids(60, precompute="pruned", init="k-medoids++", random_state=0)
    plain = KMedoids(60, precompute=False, init="k-medoids++", random_state=0)
    model.fit(X, sample_weight=unequal_weights(4000))
    plain.fit(X, sample_weight=unequal_weights(4000))
    assert_array_equal(model.medoid_indices_, plain.medoid_indices_)
    assert_array_equal(model.labels_, plain.labels_)
    assert (model.inertia_, model.n_swaps_) == (plain.inertia_, plain.n_swaps_)
    assert model.n_distances_ < 0.5 * 4000**2
    assert model.n_distances_ < 0.2 * plain.n_distances_


def test_visited_share_of_the_plane(monkeypatch):
    # Among k cells of a plane, those around a candidate are about ten.
    X = np.random.RandomState(0).standard_normal((5000, 2))
    problem = make_problem(source_of(X), np.ones(5000))
    watched = Watched(monkeypatch)
    fasterpam_pruned(problem, np.arange(200), max_iter=2)
    n_visited = sum(result[3] for *_, result, _, _ in watched.calls)
    n_candidates = sum(
        (~excluded[candidates[: result[0] + (result[1] >= 0)]]).sum()
        for candidates, _, excluded, _, result, _, _ in watched.calls
    )
    assert 0.01 < n_visited / (n_candidates * 5000) < 0.04


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("metric", "params"), CASES)
def test_single_distances_are_those_of_whole_rows(metric, params, dtype):
    random = np.random.RandomState(2)
    X = random_rows(random, 333, 8, dtype)
    X[:, 1] = X[:, 1].round() % 3
    source = source_of(X, metric, params)
    features, out = source.features, np.empty(200, dtype)
    for j in (0, 17, 332):
        y = np.ascontiguousarray(features.values[:, j])
        measure(features, y, np.array(features.values), 31, 231, out)
        expected = source.take([j])[0, 31:231].copy()
        assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("metric", "params"), CASES)
def test_slack_exceeds_rounding(metric, params, dtype):
    """Distances in float64, or of many digits, differ by less than is allowed for."""
    random = np.random.RandomState(3)
    X = random_rows(random, 120, 8, dtype) * dtype(random.choice([1e-3, 1.0, 1e4]))
    source = source_of(X, metric, params)
    features = source.features
    values = np.asarray(features.values, np.longdouble)
    weights = np.asarray(features.weights, np.longdouble)
    difference = abs(values[:, :, None] - values[:, None, :])
    n = features.n_first
    exact = exact_distances(features.metric, difference[:n], values[:n], weights[:n])
    unequal = weights[n:, None, None] * (difference[n:] > 0)
    exact = exact + unequal.sum(axis=0)
    relative, absolute = source.slack
    error = abs(source.rows(0, 120) - exact)
    assert (error <= relative / 2 * exact + absolute).all()
    assert relative < (1e-11 if dtype == np.float64 else 2e-3)


def exact_distances(metric, difference, values, weights):
    if isinstance(metric, kernels.Euclidean):
        return np.sqrt((difference**2).sum(axis=0))
    if isinstance(metric, kernels.Chebyshev):
        return difference.max(axis=0)
    if isinstance(metric, kernels.Minkowski):
        powers = (difference ** np.longdouble(metric.p)).sum(axis=0)
        return powers ** (1 / np.longdouble(metric.p))
    if isinstance(metric, kernels.Hamming):
        return (weights[:, None, None] * (difference > 0)).sum(axis=0)
    if isinstance(metric, kernels.Canberra):
        size = abs(values)[:, :, None] + abs(values)[:, None, :]
        return (weights[:, None, None] * difference / np.maximum(size, 1e-300)).sum(0)
    assert isinstance(metric, kernels.Manhattan)
    return difference.sum(axis=0)


def test_lost_powers_are_allowed_for():
    # 1e-10 to the power 40 is 0: points that differ seem to be the same.
    source = source_of(np.array([[0.0], [1e-10], [1.0]]), "minkowski", {"p": 40.0})
    assert source.take([0])[0, 1] == 0
    assert source.slack[1] > 1e-10
    assert rounding_slack(kernels.Euclidean(), 2, np.float64)[1] < 1e-150


def test_overflow_excludes_nothing():
    # The squares of these distances are infinite; plain and pruned search agree.
    random = np.random.RandomState(0)
    X = random.standard_normal((80, 2)).astype(np.float32)
    X[:5] *= np.float32(1e19)
    with np.errstate(over="ignore"):
        source = source_of(X)
        problem = make_problem(source, np.ones(80))
        everything = StoredCandidates(source.rows(0, 80).T)
        plain = fasterpam(make_problem(everything, np.ones(80)), np.arange(8))
        ours = fasterpam_pruned(problem, np.arange(8))
    assert np.isinf(source.rows(0, 80)).any()
    assert_array_equal(ours.state.medoids, plain.state.medoids)


@pytest.mark.parametrize("init", ["build", "lab", "k-medoids++", "random", "first"])
def test_estimator_agrees_with_stored(init):
    X = random_rows(np.random.RandomState(8), 400, 3)
    weights = np.random.RandomState(8).randint(3, size=400)
    models = [
        KMedoids(12, precompute=precompute, init=init, random_state=0)
        for precompute in ("pruned", True, False)
    ]
    ours, *others = (model.fit(X, sample_weight=weights) for model in models)
    for plain in others:
        assert_array_equal(ours.medoid_indices_, plain.medoid_indices_)
        assert_array_equal(ours.init_medoid_indices_, plain.init_medoid_indices_)
        assert_array_equal(ours.labels_, plain.labels_)
        assert ours.n_swaps_ == plain.n_swaps_
        assert_allclose(ours.loss_curve_, plain.loss_curve_, rtol=1e-12)


def test_estimator_with_several_starts_shuffle_and_bound():
    X = random_rows(np.random.RandomState(9), 300, 2)
    given_ = {"n_init": 4, "shuffle": True, "random_state": 0, "bound": True}
    ours = KMedoids(6, precompute="pruned", **given_).fit(X)
    plain = KMedoids(6, precompute=True, **given_).fit(X)
    assert_array_equal(ours.medoid_indices_, plain.medoid_indices_)
    assert_allclose(ours.lower_bound_, plain.lower_bound_, rtol=1e-6)


def test_one_and_all_clusters():
    X = random_rows(np.random.RandomState(10), 40, 2)
    one = KMedoids(1, precompute="pruned").fit(X)
    assert one.medoid_indices_[0] == cdist(X, X).sum(axis=0).argmin()
    assert KMedoids(40, precompute="pruned").fit(X).inertia_ == 0


def test_wide_rows():
    # Rows as wide as these are measured by products elsewhere, but not here.
    X = load_digits().data[:600]
    ours, plain = both(X, 50)
    assert plain.n_swaps > 50
    assert_array_equal(ours.state.medoids, plain.state.medoids)
    assert_allclose(ours.curve, plain.curve, rtol=1e-13)


def test_metrics_without_promise_are_refused():
    X = np.random.RandomState(0).random_sample((20, 3))
    refused = [name for name, m in METRICS.items() if not m.triangle and name != "yule"]
    for metric in ["cosine", "sqeuclidean", "haversine", *refused, cdist]:
        rows = X > 0.5 if metric in METRICS and METRICS[metric].boolean else X
        rows = rows[:, :2] if metric == "haversine" else rows
        with pytest.raises(ValueError, match=r"triangle inequality.*'manhattan'"):
            KMedoids(3, metric=metric, precompute="pruned").fit(rows)


def test_other_refusals():
    X = np.random.RandomState(0).random_sample((20, 3))
    model = KMedoids(3, precompute="pruned")
    with pytest.raises(ValueError, match=r"at least 1; got 0\.5"):
        model.set_params(metric="minkowski", metric_params={"p": 0.5}).fit(X)
    model = KMedoids(3, precompute="pruned")
    with pytest.raises(ValueError, match="needs dense rows"):
        model.fit(sparse.csr_array(X))
    for method in ("pam", "fastermsc", "exact", "onebatch"):
        model = KMedoids(3, precompute="pruned", method=method)
        with pytest.raises(ValueError, match=f"method='fasterpam'.*'{method}'"):
            model.fit(X)
    with pytest.raises(ValueError, match="metric='precomputed' gives none"):
        KMedoids(3, precompute="pruned", metric="precomputed").fit(cdist(X, X))
