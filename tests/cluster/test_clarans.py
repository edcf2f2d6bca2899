"""CLARANS: random swaps, with one or all slots at once."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from skloss.cluster import CLARANS, KMedoids
from skloss.cluster import _random_swaps as random_swaps
from skloss.cluster._inputs import make_problem
from skloss.kernels import StoredCandidates


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(500, 4, centers=6, random_state=1)[0]


def best_swap(D, medoids, weights):
    """Deviation after the best single swap, by trying all."""
    losses = [
        weights @ D[:, np.append(np.delete(medoids, slot), j)].min(axis=1)
        for slot in range(len(medoids))
        for j in np.flatnonzero(weights)
    ]
    return min(losses)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("k", [1, 2, 6])
@pytest.mark.parametrize("stored", [True, False])
def test_unlimited_search_ends_at_a_local_optimum(rng, fast, k, stored):
    X = rng.standard_normal((120, 3))
    weights = rng.integers(0, 4, 120).astype(float)
    D = cdist(X, X)
    model = CLARANS(k, fast=fast, max_neighbors=np.inf, n_local=1, random_state=0)
    with config_context(working_memory=1024 if stored else 0.001):
        model.fit(X, sample_weight=weights)
    least = best_swap(D, model.medoid_indices_, weights)
    assert model.inertia_ <= least * (1 + 1e-12)
    # As many draws as there are swaps do the same.
    n_swaps = (1 if fast else k) * (np.count_nonzero(weights) - k)
    again = clone(model).set_params(max_neighbors=n_swaps)
    again.fit(X, sample_weight=weights)
    np.testing.assert_array_equal(again.medoid_indices_, model.medoid_indices_)
    assert model.n_neighbors_tried_ >= n_swaps


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("fast", [True, False])
def test_one_medoid_is_the_best(rng, fast, stored, capsys):
    X, weights = rng.standard_normal((60, 3)), rng.integers(0, 3, 60)
    model = CLARANS(1, max_neighbors=1, n_local=3, fast=fast, verbose=1)
    with config_context(working_memory=1024 if stored else 0.001):
        model.fit(X, sample_weight=weights)
    deviations = np.where(weights > 0, weights @ cdist(X, X), np.inf)
    assert model.medoid_indices_.tolist() == [deviations.argmin()]
    assert model.inertia_ == pytest.approx(deviations.min(), rel=1e-12)
    assert model.loss_curve_ == pytest.approx([deviations.min()], rel=1e-12)
    assert (model.n_iter_, model.n_swaps_) == (1, 0)
    assert model.n_neighbors_tried_ == np.count_nonzero(weights)
    assert model.n_distances_ == 60 * 60
    assert "start 1/1" in capsys.readouterr().out


@pytest.mark.parametrize("fast", [True, False])
def test_asymmetric_dissimilarities(rng, fast):
    D = rng.random((80, 80))
    np.fill_diagonal(D, 0)
    model = CLARANS(5, fast=fast, metric="precomputed", max_neighbors=np.inf,
                    random_state=0).fit(D)  # fmt: skip
    to_medoids = D[:, model.medoid_indices_]
    np.testing.assert_array_equal(model.labels_, to_medoids.argmin(axis=1))
    assert model.inertia_ == pytest.approx(to_medoids.min(axis=1).sum(), rel=1e-12)
    least = best_swap(D, model.medoid_indices_, np.ones(80))
    assert model.inertia_ <= least * (1 + 1e-12)


@pytest.mark.parametrize("k", [1, 2, 7])
def test_change_of_one_slot(rng, k):
    D = rng.random((50, 50))
    np.fill_diagonal(D, 0)
    weights = rng.integers(0, 3, 50).astype(float)
    medoids = rng.choice(np.flatnonzero(weights), k, replace=False)
    problem = make_problem(StoredCandidates(D), weights)
    state = random_swaps.Swapping(problem, medoids).state
    before = weights @ D[:, medoids].min(axis=1)
    for j in np.setdiff1d(np.arange(50), medoids):
        row = problem.source.take([j])[0]
        for slot in range(k):
            others = np.append(np.delete(medoids, slot), j)
            expected = weights @ D[:, others].min(axis=1) - before
            change = random_swaps._change_of_slot(row, state, slot)
            assert change == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("max_neighbors", [1, 10, "auto", np.inf])
def test_reported_figures(blobs, fast, max_neighbors):
    model = CLARANS(6, fast=fast, max_neighbors=max_neighbors, random_state=3)
    model.fit(blobs)
    D = cdist(blobs, blobs)
    to_medoids = D[:, model.medoid_indices_]
    np.testing.assert_array_equal(model.labels_, to_medoids.argmin(axis=1))
    np.testing.assert_array_equal(model.labels_[model.medoid_indices_], np.arange(6))
    assert model.inertia_ == pytest.approx(to_medoids.min(axis=1).sum(), rel=1e-12)
    a, s = np.sort(to_medoids, axis=1)[:, :2].T
    assert model.medoid_silhouette_ == pytest.approx((1 - a / s).mean(), rel=1e-9)
    # Every swap lowers the deviation, from that of the start on.
    start = D[:, model.init_medoid_indices_].min(axis=1).sum()
    assert model.loss_curve_[0] == pytest.approx(start, rel=1e-12)
    assert (np.diff(model.loss_curve_) < 0).all()
    assert model.loss_curve_[-1] == pytest.approx(model.inertia_, rel=1e-12)
    assert len(model.loss_curve_) == model.n_swaps_ + 1
    # All were drawn before any a second time.
    assert model.n_iter_ >= model.n_neighbors_tried_ / 500


@pytest.mark.parametrize(
    "asked, n, k, fast, expected",
    [
        ("auto", 1000, 40, True, 24),
        ("auto", 30, 5, True, 1),
        ("auto", 10_000, 10, False, 1248),
        ("auto", 300, 3, False, 250),
        (7, 1000, 40, True, 7),
        (959, 1000, 40, True, 959),
        (960, 1000, 40, True, None),
        (np.inf, 1000, 40, False, None),
        (960, 1000, 40, False, 960),
        ("auto", 30, 2, False, None),  # 250 draws, but only 56 swaps
    ],
)
def test_how_many_draws_may_be_in_vain(asked, n, k, fast, expected):
    unlimited = np.iinfo(np.intp).max
    limit = random_swaps.limit_of(asked, n, k, fast)
    assert limit == (unlimited if expected is None else expected)


def test_searches_end_after_as_many_draws_in_vain(rng):
    """Where no swap can lower the deviation, exactly `max_neighbors` are tried."""
    D = 1.0 - np.eye(60)
    for fast in (True, False):
        model = CLARANS(4, fast=fast, max_neighbors=13, n_local=1, random_state=0,
                        metric="precomputed").fit(D)  # fmt: skip
        assert (model.n_swaps_, model.n_neighbors_tried_) == (0, 13)
    model.set_params(max_neighbors=np.inf).fit(D)
    assert (model.n_iter_, model.n_neighbors_tried_) == (4, 4 * 56)
    model.set_params(fast=True).fit(D)
    assert (model.n_iter_, model.n_neighbors_tried_) == (1, 56)


def test_more_starts_and_draws_are_no_worse(blobs):
    losses = [
        CLARANS(6, n_local=n_local, random_state=0).fit(blobs).inertia_
        for n_local in (1, 2, 8)
    ]
    assert losses[0] >= losses[1] >= losses[2]
    best = KMedoids(6).fit(blobs).inertia_
    model = CLARANS(6, n_local=8, max_neighbors=np.inf, random_state=0).fit(blobs)
    assert model.inertia_ < 1.02 * best


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("kind", ["stored", "computed", "matrix"])
def test_same_result_for_any_number_of_threads(blobs, fast, kind):
    X = cdist(blobs, blobs) if kind == "matrix" else blobs
    metric = "precomputed" if kind == "matrix" else "euclidean"
    fits = []
    with config_context(working_memory=0.001 if kind == "computed" else 1024):
        for n_jobs in (None, 1, 2, -1):
            model = CLARANS(6, n_local=4, fast=fast, metric=metric, n_jobs=n_jobs,
                            random_state=0).fit(X)  # fmt: skip
            fits.append(model)
    for other in fits[1:]:
        for name in ("medoid_indices_", "labels_", "loss_curve_", "inertia_",
                     "n_distances_", "n_neighbors_tried_"):  # fmt: skip
            np.testing.assert_array_equal(getattr(other, name), getattr(fits[0], name))


def test_forms_of_data_agree(blobs):
    expected = CLARANS(6, random_state=0).fit(blobs)
    with config_context(working_memory=0.001):
        computed = CLARANS(6, random_state=0).fit(blobs)
    as_csr = CLARANS(6, random_state=0).fit(sparse.csr_array(blobs))
    for other in (computed, as_csr):
        np.testing.assert_array_equal(other.medoid_indices_, expected.medoid_indices_)
        assert other.inertia_ == pytest.approx(expected.inertia_, rel=1e-12)
    assert sparse.issparse(as_csr.cluster_centers_)
    narrow = CLARANS(6, random_state=0).fit(blobs.astype(np.float32))
    assert narrow.cluster_centers_.dtype == np.float32
    assert narrow.transform(blobs.astype(np.float32)).dtype == np.float32


def test_computing_reads_no_more_than_it_draws(blobs):
    with config_context(working_memory=0.001):
        model = CLARANS(6, n_local=1, max_neighbors=3, random_state=0).fit(blobs)
    # Those drawn, the medoids to begin with, and medoids that were drawn.
    n_rows = model.n_distances_ / 500
    assert model.n_neighbors_tried_ + 6 <= n_rows
    assert n_rows <= model.n_neighbors_tried_ + 6 + 6 * model.n_iter_ + 3 * (
        model.n_swaps_
    )


# Weights, order and repetition.


def test_weights_are_repetitions_in_any_order(rng):
    X = rng.standard_normal((90, 4))
    weights = rng.integers(0, 4, 90)
    repeated = np.repeat(X, weights, axis=0)
    rng.shuffle(repeated)
    for fast in (True, False):
        model = CLARANS(5, fast=fast, random_state=0).fit(X, sample_weight=weights)
        other = CLARANS(5, fast=fast, random_state=0).fit(repeated)
        np.testing.assert_array_equal(model.cluster_centers_, other.cluster_centers_)
        assert model.inertia_ == pytest.approx(other.inertia_, rel=1e-12)
        assert model.n_neighbors_tried_ == other.n_neighbors_tried_


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_distinct_rows(rng, form, dtype):
    X = rng.integers(-1, 2, (200, 4)).astype(dtype)
    X[X == 0] *= -1.0  # minus zero is zero
    allowed = rng.random(200) < 0.8
    found = random_swaps.distinct_rows(form(X), allowed, 1)
    expected, first = np.unique(X[allowed], axis=0, return_index=True)
    np.testing.assert_array_equal(
        np.sort(found), np.sort(np.flatnonzero(allowed)[first])
    )
    order = rng.permutation(200)
    shuffled = random_swaps.distinct_rows(form(X[order]), allowed[order], 1)
    np.testing.assert_array_equal(X[order][shuffled], X[found])
    more = random_swaps.distinct_rows(form(X), allowed, len(expected) + 5)
    assert len(set(more)) == len(expected) + 5
    assert allowed[more].all()


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("shape", [(30, 3), (30, 1), (1, 3), (1, 1)])
def test_keys_of_rows_overflow_silently(rng, form, shape):
    X = form(rng.standard_normal(shape))
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        found = random_swaps.distinct_rows(X, np.ones(shape[0], dtype=bool), 1)
    assert sorted(found) == list(range(shape[0]))


def test_samples_without_weight_are_no_medoids(blobs):
    weights = (np.arange(500) % 3 == 0).astype(float)
    model = CLARANS(6, max_neighbors=np.inf, random_state=0)
    model.fit(blobs, sample_weight=weights)
    assert (model.medoid_indices_ % 3 == 0).all()
    assert len(model.labels_) == 500


def test_seeds(blobs):
    first, second = (CLARANS(6, random_state=5).fit(blobs) for _ in range(2))
    np.testing.assert_array_equal(first.medoid_indices_, second.medoid_indices_)
    np.testing.assert_array_equal(first.loss_curve_, second.loss_curve_)
    other = CLARANS(6, random_state=6).fit(blobs)
    assert set(first.init_medoid_indices_) != set(other.init_medoid_indices_)


def test_every_sample_a_medoid(rng):
    X = rng.standard_normal((9, 3))
    for fast in (True, False):
        model = CLARANS(9, fast=fast, random_state=0).fit(X)
        assert model.inertia_ == 0
        np.testing.assert_array_equal(np.sort(model.medoid_indices_), np.arange(9))
    assert CLARANS(1).fit(X[:1]).inertia_ == 0


def test_a_diagonal_that_is_not_zero_does_not_loop_for_ever(rng):
    D = rng.random((40, 40)) + 5 * np.eye(40)
    for fast in (True, False):
        model = CLARANS(4, fast=fast, metric="precomputed", max_neighbors=np.inf)
        with pytest.warns(UserWarning, match="diagonal"):
            model.fit(D)


# Bad input.


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"n_clusters": 0}, "n_clusters=0"),
        ({"n_clusters": 31}, "n_clusters=31"),
        ({"n_clusters": True}, "n_clusters"),
        ({"n_local": 0}, "n_local"),
        ({"max_neighbors": 0}, "max_neighbors"),
        ({"max_neighbors": 2.5}, "max_neighbors"),
        ({"max_neighbors": np.nan}, "max_neighbors"),
        ({"fast": "very"}, "fast"),
        ({"metric": "nearness"}, "metric='nearness'"),
        ({"metric_params": {"q": 1}}, "metric_params"),
    ],
)
def test_bad_parameters_are_named(rng, parameters, message):
    model = CLARANS(**{"n_clusters": 3, **parameters})
    with pytest.raises(ValueError, match=message):
        model.fit(rng.standard_normal((30, 2)))
    assert not hasattr(model, "labels_")


def test_bad_data(rng):
    X = rng.standard_normal((30, 2))
    D = cdist(X, X)
    with pytest.raises(ValueError, match="sample_weight has 2 positive"):
        CLARANS(3).fit(X, sample_weight=np.arange(30) < 2)
    with pytest.raises(ValueError, match="square"):
        CLARANS(3, metric="precomputed").fit(D[:, :20])
    with pytest.raises(ValueError, match="overflow"):
        CLARANS(2, metric="precomputed").fit(1e308 * (1 - np.eye(30)))
    with pytest.warns(ConvergenceWarning, match="distinct"):
        model = CLARANS(5, random_state=0).fit(np.repeat(X[:3], 10, axis=0))
    assert len(set(model.medoid_indices_)) == 5
    state = pickle.dumps(model)
    X[4, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        model.fit(X)
    assert pickle.dumps(model) == state


# As a member of scikit-learn.


def test_pickle_clone_search_and_frames(blobs):
    model = CLARANS(6, metric="manhattan", random_state=0).fit(blobs)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(blobs), model.labels_)
    again = clone(model).fit(blobs)
    np.testing.assert_array_equal(again.medoid_indices_, model.medoid_indices_)
    search = GridSearchCV(
        CLARANS(random_state=0), {"n_clusters": [2, 6]}, n_jobs=2, cv=3
    ).fit(blobs)
    assert search.best_params_ == {"n_clusters": 6}
    frame = pd.DataFrame(blobs, columns=list("abcd"))
    model.set_output(transform="pandas").fit(frame)
    assert list(model.transform(frame).columns[:2]) == ["clarans0", "clarans1"]


def test_verbose(blobs, capsys):
    CLARANS(3, verbose=1, random_state=0).fit(blobs)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("[CLARANS] start 2/2  objective ")


class _StopAfterTwo:
    """A callback of scikit-learn's protocol."""

    n_done = 0

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **kwargs):
        pass

    def on_fit_task_end(self, estimator, context, **kwargs):
        self.n_done += context.task_name == "start"
        return self.n_done == 2

    def teardown(self, estimator, context):
        pass


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_callbacks_may_stop_early(blobs, n_jobs):
    expected = CLARANS(6, n_local=2, random_state=0).fit(blobs)
    callback = _StopAfterTwo()
    model = CLARANS(6, n_local=50, random_state=0, n_jobs=n_jobs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_callbacks(callback).fit(blobs)
    assert callback.n_done == 2
    np.testing.assert_array_equal(model.medoid_indices_, expected.medoid_indices_)
    assert model.n_distances_ == expected.n_distances_
