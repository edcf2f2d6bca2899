"""KMedoids: what must hold of its results, whatever the data are kept in."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, load_iris, make_blobs
from sklearn.metrics import pairwise_distances

from skloss.cluster import KMedoids, medoid_silhouette_score

BY_DEVIATION = [
    "fasterpam",
    "fastpam1",
    "fastpam2",
    "pam",
    "alternate",
    "onebatch",
    "exact",
]
BY_SILHOUETTE = ["fastermsc", "fastmsc", "pammedsil", "dynmsc"]
METHODS = BY_DEVIATION + BY_SILHOUETTE
by_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture(scope="module")
def iris():
    return load_iris().data


@pytest.fixture(scope="module")
def grid():
    """Points on a fine grid: sums of Manhattan distances are exact."""
    rng = np.random.default_rng(0)
    return np.round(rng.standard_normal((120, 3)) * 256) / 256


def fitted(X, k=4, **parameters):
    return KMedoids(k, random_state=0, **parameters).fit(X)


def assert_same(model, other):
    assert model.medoid_indices_.tolist() == other.medoid_indices_.tolist()
    np.testing.assert_array_equal(model.labels_, other.labels_)
    assert model.inertia_ == pytest.approx(other.inertia_, rel=1e-12)


@by_method
def test_attributes_mean_what_they_say(method, iris):
    model = fitted(iris, method=method)
    D, medoids = pairwise_distances(iris), model.medoid_indices_
    k = model.n_clusters_
    assert len(set(medoids.tolist())) == k == len(medoids)
    assert k == 4 or method == "dynmsc"
    np.testing.assert_array_equal(model.cluster_centers_, iris[medoids])
    assert model.labels_[medoids].tolist() == list(range(k))
    assert model.labels_.dtype == np.intp
    chosen = D[np.arange(150), medoids[model.labels_]]
    np.testing.assert_allclose(chosen, D[:, medoids].min(axis=1), atol=1e-12)
    assert model.inertia_ == pytest.approx(D[:, medoids].min(axis=1).sum())
    two = np.sort(D[:, medoids], axis=1)[:, :2]
    ratio = np.divide(two[:, 0], two[:, 1], out=np.zeros(150), where=two[:, 0] > 0)
    assert model.medoid_silhouette_ == pytest.approx(1 - ratio.mean())
    assert model.n_features_in_ == 4
    assert model.n_iter_ >= 1


@pytest.mark.parametrize("method", ["fasterpam", "fastpam1", "pam", "fastpam2"])
@pytest.mark.parametrize("init", ["random", "lab", "k-medoids++", "first", "build"])
def test_the_curve_falls_swap_by_swap(method, init, iris):
    model = fitted(iris, method=method, init=init)
    D = pairwise_distances(iris)
    start = D[:, model.init_medoid_indices_].min(axis=1).sum()
    assert model.loss_curve_[0] == pytest.approx(start)
    assert model.loss_curve_[-1] == pytest.approx(model.inertia_)
    assert (np.diff(model.loss_curve_) < 1e-12 * start).all()
    assert len(model.loss_curve_) == model.n_swaps_ + 1


@pytest.mark.parametrize("method", ["fastermsc", "fastmsc", "pammedsil"])
def test_the_silhouette_rises_swap_by_swap(method, iris):
    model = fitted(iris, method=method, init="random")
    D = pairwise_distances(iris)
    start = medoid_silhouette_score(D, model.init_medoid_indices_, metric="precomputed")
    assert model.loss_curve_[0] == pytest.approx(start)
    assert model.loss_curve_[-1] == pytest.approx(model.medoid_silhouette_)
    assert (np.diff(model.loss_curve_) > -1e-14).all()
    assert len(model.loss_curve_) == model.n_swaps_ + 1


@pytest.mark.parametrize("method", [m for m in METHODS if m != "dynmsc"])
@pytest.mark.parametrize("init", ["build", "random", [3]])
def test_one_cluster_is_the_medoid_of_all(method, init, grid, rng):
    weights = rng.integers(0, 4, 120).astype(float)
    D = pairwise_distances(grid, metric="manhattan")
    weights[3] = 1.0
    model = KMedoids(1, method=method, init=init, metric="manhattan", random_state=0)
    model.fit(grid, sample_weight=weights)
    costs = np.where(weights > 0, weights @ D, np.inf)
    assert model.medoid_indices_.tolist() == [costs.argmin()]
    assert model.inertia_ == costs.min()
    assert not model.labels_.any()
    assert np.isnan(model.medoid_silhouette_)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "dynmsc"])
def test_as_many_clusters_as_samples(method, grid):
    model = fitted(grid[:15], 15, method=method, init="random")
    assert model.inertia_ == 0
    assert sorted(model.medoid_indices_) == list(range(15))
    assert model.labels_[model.medoid_indices_].tolist() == list(range(15))
    assert model.n_swaps_ == 0


@pytest.mark.parametrize("method", ["fasterpam", "fastpam1", "pam", "fastpam2"])
@pytest.mark.parametrize("init", ["build", [5, 17, 40]])
def test_integer_weights_are_repeated_rows(method, init, grid, rng):
    weights = rng.integers(1, 4, 120)
    of = np.repeat(np.arange(120), weights)
    first = np.searchsorted(of, np.arange(120))  # the first copy of each row
    parameters = {"method": method, "metric": "manhattan"}
    there = init if isinstance(init, str) else first[init]
    weighted = KMedoids(3, init=init, **parameters).fit(grid, sample_weight=weights)
    repeated = KMedoids(3, init=there, **parameters).fit(grid[of])
    assert repeated.inertia_ == weighted.inertia_
    np.testing.assert_array_equal(repeated.cluster_centers_, weighted.cluster_centers_)
    np.testing.assert_array_equal(repeated.labels_, weighted.labels_[of])


@by_method
def test_weight_zero_is_absence(method, grid, rng):
    weights = np.ones(120)
    weights[::4] = 0
    kept = np.flatnonzero(weights)
    parameters = {"method": method, "metric": "manhattan", "random_state": 0}
    weighted = KMedoids(4, **parameters).fit(grid, sample_weight=weights)
    without = KMedoids(4, **parameters).fit(grid[kept])
    if method != "onebatch" or len(kept) == 120:
        np.testing.assert_array_equal(
            kept[without.medoid_indices_], weighted.medoid_indices_
        )
        assert weighted.inertia_ == without.inertia_
    assert (weights[weighted.medoid_indices_] > 0).all()
    np.testing.assert_array_equal(weighted.predict(grid[::4]), weighted.labels_[::4])


@by_method
@pytest.mark.parametrize("factor", [2.0**40, 2.0**-60])
def test_powers_of_two_change_nothing_but_the_scale(method, factor, grid, rng):
    D = pairwise_distances(grid) + 0.1 * rng.random((120, 120))
    np.fill_diagonal(D, 0)
    weights = rng.random(120)

    def fit(D, weights):
        model = KMedoids(5, method=method, metric="precomputed", random_state=0)
        if method == "exact":
            model.set_params(n_clusters=3)
        return model.fit(D, sample_weight=weights)

    plain = fit(D, weights)
    for scaled in (fit(D * factor, weights), fit(D, weights * factor)):
        assert scaled.medoid_indices_.tolist() == plain.medoid_indices_.tolist()
        assert scaled.inertia_ == plain.inertia_ * factor
        assert scaled.n_swaps_ == plain.n_swaps_
        assert scaled.medoid_silhouette_ == plain.medoid_silhouette_


@pytest.mark.parametrize("method", ["fastpam1", "pam"])
def test_permuted_rows_permute_the_answer(method, rng):
    X = rng.standard_normal((200, 3))
    order = rng.permutation(200)
    plain = fitted(X, 8, method=method, precompute=True)
    permuted = fitted(X[order], 8, method=method, precompute=True)
    np.testing.assert_array_equal(
        order[permuted.medoid_indices_], plain.medoid_indices_
    )
    np.testing.assert_array_equal(permuted.labels_, plain.labels_[order])


def layouts(D, folder):
    embedded = np.repeat(np.repeat(D, 2, axis=0), 2, axis=1)
    frozen = D.copy()
    frozen.flags.writeable = False
    np.save(folder / "D.npy", D)
    return {
        "C": np.ascontiguousarray(D),
        "F": np.asfortranarray(D),
        "strided": embedded[::2, ::2],
        "reversed": np.ascontiguousarray(D[::-1, ::-1])[::-1, ::-1],
        "read-only": frozen,
        "memory-mapped": np.load(folder / "D.npy", mmap_mode="r"),
        "swapped": D.astype(">f8"),
        "list": D.tolist(),
    }


@by_method
def test_layouts_of_a_matrix_do_not_matter(method, grid, tmp_path, rng):
    D = pairwise_distances(grid, metric="manhattan")
    D += np.round(64 * rng.random(D.shape)) / 64 * (D > 0)  # asymmetric
    given = layouts(D, tmp_path)
    models = [fitted(M, method=method, metric="precomputed") for M in given.values()]
    for model in models[1:]:
        assert_same(model, models[0])
    for M in given.values():
        np.testing.assert_array_equal(np.asarray(M), D)  # not modified


@by_method
def test_kept_computed_and_condensed_agree(method, grid, tmp_path):
    plain = fitted(grid, method=method, metric="manhattan", precompute=True)
    for precompute in (False, "condensed", "auto"):
        other = fitted(grid, method=method, metric="manhattan", precompute=precompute)
        assert_same(other, plain)
    with config_context(working_memory=0):
        assert_same(fitted(grid, method=method, metric="manhattan"), plain)
    D = pairwise_distances(grid, metric="manhattan")
    assert_same(fitted(D, method=method, metric="precomputed"), plain)

    def cityblock(a, b):
        return np.abs(a - b).sum()

    if method in ("fasterpam", "pam", "onebatch"):
        assert_same(fitted(grid, method=method, metric=cityblock), plain)
    np.save(tmp_path / "X.npy", grid)
    for X in (np.load(tmp_path / "X.npy", mmap_mode="r"), np.asfortranarray(grid)):
        assert_same(fitted(X, method=method, metric="manhattan"), plain)


@by_method
def test_threads_and_repetition_change_nothing(method, iris):
    parameters = {"method": method, "init": "k-medoids++", "shuffle": True, "n_init": 3}
    one = fitted(iris, n_jobs=1, **parameters)
    for other in (fitted(iris, n_jobs=2, **parameters), fitted(iris, **parameters)):
        assert_same(other, one)
        assert other.loss_curve_.tolist() == one.loss_curve_.tolist()
        assert other.init_medoid_indices_.tolist() == one.init_medoid_indices_.tolist()


def test_threads_change_nothing_where_they_are_used():
    # large enough for whole passes to be shared out
    X = np.random.default_rng(0).standard_normal((3000, 40)).astype(np.float32)
    for precompute in (True, False):
        one, two = (
            KMedoids(6, n_jobs=n, precompute=precompute, max_iter=2).fit(X)
            for n in (1, 2)
        )
        assert_same(one, two)
        assert one.loss_curve_.tolist() == two.loss_curve_.tolist()


def test_more_starts_are_no_worse_and_seeds_matter(iris):
    losses = [fitted(iris, 12, init="random", n_init=n).inertia_ for n in (1, 4, 12)]
    one = min(
        KMedoids(12, init="random", random_state=seed).fit(iris).inertia_
        for seed in range(12)
    )
    assert losses[2] <= losses[1]
    assert losses[2] == pytest.approx(one, rel=0.02)
    starts = {
        tuple(KMedoids(5, init="random", random_state=s).fit(iris).init_medoid_indices_)
        for s in range(5)
    }
    assert len(starts) == 5


@pytest.mark.parametrize("k", [2, 5, 10])
def test_never_below_kmeans(k, iris):
    for X in (iris, load_digits().data[:400]):
        best = KMeans(k, n_init=10, random_state=0).fit(X).inertia_
        model = KMedoids(k, metric="sqeuclidean", n_init=3, random_state=0).fit(X)
        assert best <= model.inertia_ < 1.5 * best


@pytest.mark.parametrize(
    ("metric", "metric_params"),
    [
        ("euclidean", None),
        ("manhattan", {"w": [1.0, 2.0, 0.5, 0.0]}),
        ("cosine", None),
        ("minkowski", {"p": 3}),
        ("seuclidean", None),
        ("mahalanobis", None),
        ("gower", {"categorical": [3]}),
        ("chebyshev", None),
        (lambda a, b, power: (np.abs(a - b) ** power).sum(), {"power": 1.5}),
    ],
)
def test_prediction_continues_the_fit(metric, metric_params, iris):
    X = iris[:100]
    model = fitted(X, metric=metric, metric_params=metric_params)
    to_medoids = model.transform(X)
    labels = model.predict(X)
    assert to_medoids.shape == (100, 4)
    np.testing.assert_array_equal(to_medoids.argmin(axis=1), labels)
    # equal rows may be medoids, which belong to themselves
    rows = np.arange(100)
    np.testing.assert_allclose(
        to_medoids[rows, model.labels_], to_medoids[rows, labels], atol=1e-12
    )
    assert (model.labels_ == labels).mean() > 0.95
    assert model.score(X) == pytest.approx(-model.inertia_)
    new = iris[100:]
    np.testing.assert_array_equal(
        model.transform(new), np.vstack([model.transform(row[None]) for row in new])
    )
    np.testing.assert_array_equal(model.fit_predict(X), model.labels_)


def test_prediction_from_dissimilarities(iris):
    train, new = iris[::2], iris[1::2]
    D, D_new = pairwise_distances(train), pairwise_distances(new, train)
    model = fitted(D, metric="precomputed")
    by_rows = fitted(train)
    assert model.medoid_indices_.tolist() == by_rows.medoid_indices_.tolist()
    assert not hasattr(model, "cluster_centers_")
    of_medoids = D_new[:, model.medoid_indices_]
    for X in (D_new, of_medoids):
        np.testing.assert_array_equal(model.predict(X), by_rows.predict(new))
        np.testing.assert_array_equal(model.transform(X), of_medoids)
        weights = np.arange(75.0)
        expected = -(weights @ of_medoids.min(axis=1))
        assert model.score(X, sample_weight=weights) == pytest.approx(expected)
    np.testing.assert_array_equal(model.predict(D), model.labels_)


def test_given_medoids_keep_their_slots(iris):
    init = [120, 3, 70]
    model = KMedoids(3, init=init, n_init=5, max_iter=300).fit(iris)
    assert model.init_medoid_indices_.tolist() == init
    again = KMedoids(3, init=model.medoid_indices_[::-1]).fit(iris)
    assert again.n_swaps_ == 0
    assert again.medoid_indices_.tolist() == model.medoid_indices_[::-1].tolist()
    np.testing.assert_array_equal(again.labels_, 2 - model.labels_)


@pytest.mark.parametrize("precompute", [True, False])
@pytest.mark.parametrize("method", ["fasterpam", "onebatch", "pam"])
def test_every_computed_dissimilarity_is_counted(method, precompute, iris):
    calls = []

    def metric(a, b):
        calls.append(1)
        return np.abs(a - b).sum()

    model = KMedoids(
        3,
        metric=metric,
        method=method,
        precompute=precompute,
        batch_size=20,
        random_state=0,
    ).fit(iris[:60])
    # at the end, each sample is compared with each medoid
    assert model.n_distances_ == len(calls) - 60 * 3
    if method == "onebatch":
        assert model.n_distances_ == 60 * 20


def test_one_batch_reports_the_loss_of_all(rng):
    X, _ = make_blobs(2000, centers=8, random_state=0)
    whole = fitted(X, 8)
    batch = fitted(X, 8, method="onebatch", batch_size=300)
    D = pairwise_distances(X, X[batch.medoid_indices_])
    assert batch.inertia_ == pytest.approx(D.min(axis=1).sum())
    assert whole.inertia_ <= batch.inertia_ < 1.05 * whole.inertia_
    assert batch.n_distances_ == 2000 * 300 < whole.n_distances_
    all_ = fitted(X[:200], 8, method="onebatch", batch_size=10**6)
    assert_same(all_, fitted(X[:200], 8))


def test_exact_and_bound_enclose_the_optimum(iris):
    exact = fitted(iris[::2], 3, method="exact")
    for method in ("fasterpam", "alternate", "onebatch"):
        model = fitted(iris[::2], 3, method=method, init="first", bound=True)
        assert model.lower_bound_ <= exact.inertia_ * (1 + 1e-12)
        assert exact.inertia_ <= model.inertia_ * (1 + 1e-12)
        gap = (model.inertia_ - model.lower_bound_) / model.inertia_
        assert model.gap_ == pytest.approx(gap, abs=1e-9)
    assert exact.gap_ == pytest.approx(0, abs=1e-9)
    assert exact.lower_bound_ == pytest.approx(exact.inertia_)
    exact.set_params(method="fasterpam").fit(iris)
    assert not hasattr(exact, "gap_")


def test_the_number_of_clusters_is_found(rng):
    for truth in (2, 4, 7):
        X, y = make_blobs(300, centers=10 * np.eye(8)[:truth], random_state=truth)
        model = fitted(X, 9, method="dynmsc")
        assert model.n_clusters_ == truth
        assert model.k_range_.tolist() == list(range(2, 10))
        best = model.silhouette_curve_[model.k_range_ == truth]
        assert best == pytest.approx(model.medoid_silhouette_)
        assert best == model.silhouette_curve_.max()
        pairs = set(zip(y.tolist(), model.labels_.tolist()))
        assert len(pairs) == truth
