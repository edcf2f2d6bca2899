"""CLARA: subsamples, their judgement by all samples, chunks."""

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
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skloss.cluster import CLARA, KMedoids
from skloss.cluster import _subsamples as subsamples


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(3000, 6, centers=12, cluster_std=1.5, random_state=1)[0]


def silhouette(D, weights):
    a, s = np.sort(D, axis=1)[:, :2].T
    return np.average(1 - np.divide(a, s, out=np.zeros_like(a), where=a > 0),
                      weights=weights)  # fmt: skip


# A subsample of all samples is KMedoids.


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"method": "pam", "metric": "manhattan"},
        {"method": "fastpam1", "init": "first"},
        {"method": "fastpam2", "metric": "cosine"},
        {"method": "alternate"},
        {"method": "fastermsc"},
        {"method": "fastmsc"},
        {"method": "pammedsil"},
        {"metric": "minkowski", "metric_params": {"p": 3}},
        {"init": [40, 3, 17, 99, 60]},
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_all_samples_are_the_problem_of_kmedoids(rng, parameters, weighted):
    X = rng.standard_normal((150, 4))
    weights = rng.random(150) * 3 if weighted else None
    expected = KMedoids(5, **parameters).fit(X, sample_weight=weights)
    model = CLARA(5, n_subsamples=1, sample_size=150, **parameters)
    model.fit(X, sample_weight=weights)
    np.testing.assert_array_equal(model.medoid_indices_, expected.medoid_indices_)
    np.testing.assert_array_equal(
        model.init_medoid_indices_, expected.init_medoid_indices_
    )
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    assert model.inertia_ == pytest.approx(expected.inertia_, rel=1e-12)
    assert model.medoid_silhouette_ == pytest.approx(expected.medoid_silhouette_)
    assert (model.n_iter_, model.n_swaps_) == (expected.n_iter_, expected.n_swaps_)


@pytest.mark.parametrize("kind", ["float32", "sparse", "asymmetric", "integers"])
def test_kinds_of_data(rng, kind):
    X = rng.standard_normal((120, 5))
    parameters = {}
    if kind == "float32":
        X = X.astype(np.float32)
    elif kind == "sparse":
        X = sparse.random_array((120, 30), density=0.2, rng=rng, format="csr")
    else:
        parameters["metric"] = "precomputed"
        X = cdist(X, X) + rng.random((120, 120)) * (kind == "asymmetric")
        np.fill_diagonal(X, 0)
        if kind == "integers":
            X = np.round(100 * X).astype(int)
    before = X.copy()
    expected = KMedoids(6, **parameters).fit(X)
    model = CLARA(6, n_subsamples=1, sample_size=500, **parameters).fit(X)
    np.testing.assert_array_equal(model.medoid_indices_, expected.medoid_indices_)
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    # "float32" sums in float64 what was rounded to float32.
    assert model.inertia_ == pytest.approx(expected.inertia_, rel=1e-12)
    assert hasattr(model, "cluster_centers_") == (not parameters)
    if not parameters:
        assert model.cluster_centers_.dtype == X.dtype
    assert model.transform(X).dtype == expected.transform(X).dtype
    assert abs(X - before).max() == 0


def test_one_cluster(rng):
    X = rng.standard_normal((90, 3))
    model = CLARA(1, n_subsamples=2, sample_size=90).fit(X)
    assert model.medoid_indices_[0] == cdist(X, X).sum(axis=0).argmin()
    assert np.isnan(model.medoid_silhouette_)


def test_every_sample_a_medoid(rng):
    X = rng.standard_normal((9, 3))
    model = CLARA(9).fit(X)
    assert model.inertia_ == 0
    np.testing.assert_array_equal(np.sort(model.medoid_indices_), np.arange(9))


# What is reported holds for all samples.


@pytest.mark.parametrize("metric", ["euclidean", "precomputed"])
@pytest.mark.parametrize("keep_medoids", [True, False])
def test_results_against_their_definitions(rng, metric, keep_medoids):
    # More samples than a block holds.
    X = rng.standard_normal((4500, 3))
    weights = rng.integers(0, 4, 4500).astype(float)
    D = cdist(X, X)
    model = CLARA(7, metric=metric, keep_medoids=keep_medoids, random_state=0)
    model.fit(D if metric == "precomputed" else X, sample_weight=weights)
    to_medoids = D[:, model.medoid_indices_]
    np.testing.assert_array_equal(model.labels_, to_medoids.argmin(axis=1))
    np.testing.assert_array_equal(model.labels_[model.medoid_indices_], np.arange(7))
    assert (weights[model.medoid_indices_] > 0).all()
    loss = weights @ to_medoids.min(axis=1)
    assert model.inertia_ == pytest.approx(loss, rel=1e-12)
    expected = silhouette(to_medoids, weights)
    assert model.medoid_silhouette_ == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(
        model.cluster_weights_, np.bincount(model.labels_, weights)
    )
    assert len(model.subsample_losses_) == 5
    assert model.inertia_ == model.subsample_losses_.min() == model.loss_curve_[-1]
    np.testing.assert_array_equal(
        model.loss_curve_, np.minimum.accumulate(model.subsample_losses_)
    )
    assert model.n_samples_seen_ == 4500
    assert model.n_distances_ >= 5 * 4500 * 7


def test_silhouettes_are_compared_where_they_are_maximised(blobs):
    model = CLARA(12, method="fastermsc", sample_size=40, random_state=0).fit(blobs)
    assert model.loss_curve_[-1] == model.subsample_losses_.max()
    expected = silhouette(cdist(blobs, model.cluster_centers_), np.ones(3000))
    assert model.loss_curve_[-1] == pytest.approx(expected, rel=1e-9)
    assert len(set(model.subsample_losses_)) > 1


@pytest.mark.parametrize("seed", range(3))
def test_near_the_loss_of_a_search_of_all_samples(blobs, seed):
    best = KMedoids(12).fit(blobs).inertia_
    model = CLARA(12, sample_size=600, random_state=seed).fit(blobs)
    assert best <= model.inertia_ < 1.03 * best
    # By default, subsamples have about 10 samples of each of the 12 blobs.
    model.set_params(sample_size="auto").fit(blobs)
    assert best <= model.inertia_ < 1.10 * best
    assert model.n_distances_ < 0.1 * len(blobs) ** 2


def test_predictions_are_those_of_the_medoids(rng, blobs):
    model = CLARA(12, random_state=0).fit(blobs)
    np.testing.assert_array_equal(model.predict(blobs), model.labels_)
    assert model.score(blobs) == pytest.approx(-model.inertia_)
    queries = rng.standard_normal((50, 6))
    expected = cdist(queries, blobs[model.medoid_indices_])
    np.testing.assert_allclose(model.transform(queries), expected, rtol=1e-12)


# Weights.


def test_weights_are_repetitions(rng):
    X = rng.standard_normal((100, 4))
    weights = rng.integers(0, 4, 100)
    repeated = np.repeat(X, weights, axis=0)
    model = CLARA(6, sample_size=1000, n_subsamples=2).fit(X, sample_weight=weights)
    other = CLARA(6, sample_size=1000, n_subsamples=2).fit(repeated)
    np.testing.assert_array_equal(model.cluster_centers_, other.cluster_centers_)
    assert model.inertia_ == pytest.approx(other.inertia_, rel=1e-12)
    np.testing.assert_array_equal(model.cluster_weights_, other.cluster_weights_)


@pytest.mark.parametrize("keep_medoids", [True, False])
def test_no_weight_is_absence(rng, blobs, keep_medoids):
    present = rng.random(3000) < 0.7
    model = CLARA(12, keep_medoids=keep_medoids, random_state=3)
    with_zeros = clone(model).fit(blobs, sample_weight=present)
    without = clone(model).fit(blobs[present])
    np.testing.assert_array_equal(
        with_zeros.medoid_indices_, np.flatnonzero(present)[without.medoid_indices_]
    )
    np.testing.assert_array_equal(with_zeros.labels_[present], without.labels_)


@pytest.mark.parametrize("factor", [2.0**-600, 0.25, 3.0, 2.0**900])
def test_the_unit_of_weights_is_irrelevant(rng, blobs, factor):
    weights = rng.random(3000)
    model = CLARA(12, random_state=3).fit(blobs, sample_weight=weights)
    scaled = CLARA(12, random_state=3).fit(blobs, sample_weight=weights * factor)
    np.testing.assert_array_equal(scaled.medoid_indices_, model.medoid_indices_)
    assert scaled.inertia_ / factor == pytest.approx(model.inertia_, rel=1e-12)


def test_drawing_is_uniform_without_weights():
    random = np.random.RandomState(0)
    counts = np.zeros(20)
    for _ in range(4000):
        sample, weights, _ = subsamples.draw(np.full(20, 0.3), 6, _NONE, random)
        assert len(sample) == 6
        assert (np.diff(sample) > 0).all()  # distinct, in the order of the data
        np.testing.assert_array_equal(weights, 1.0)
        counts[sample] += 1
    expected = 4000 * 6 / 20
    # Five standard deviations of a binomial count.
    assert abs(counts - expected).max() < 5 * np.sqrt(expected * 0.7)


def test_drawing_represents_all_weights():
    weights = np.array([0.0, 1.0, 1.0, 2.0, 5.0, 40.0, 0.5, 0.0, 3.0])
    random = np.random.RandomState(0)
    estimates = np.zeros((20_000, len(weights)))
    for estimate in estimates:
        sample, counts, unit = subsamples.draw(weights, 4, _NONE, random)
        estimate[sample] = counts * unit
    error = estimates.mean(axis=0) - weights
    assert (abs(error) < 5 * estimates.std(axis=0) / np.sqrt(20_000) + 1e-12).all()


def test_drawing_everything_keeps_the_weights():
    weights = np.array([0.0, 1.0, 0.3, 2.0])
    for size in (3, 4, 100):
        sample, counts, unit = subsamples.draw(weights, size, _NONE, None)
        np.testing.assert_array_equal(sample, [1, 2, 3])
        np.testing.assert_array_equal(counts, weights[1:])
        assert unit == 1


def test_included_samples_are_in_every_draw():
    random = np.random.RandomState(0)
    included = np.array([17, 4])
    for size in (2, 5):
        sample, counts, _ = subsamples.draw(np.ones(20), size, included, random)
        assert {4, 17} <= set(sample)
        assert len(sample) == size
        np.testing.assert_array_equal(counts, 1.0)


_NONE = np.empty(0, dtype=np.intp)


# Subsamples know the best medoids of the rounds before.


def test_rounds_of_subsamples(monkeypatch, blobs):
    included = []
    draw = subsamples.draw

    def recorded(weights, size, known, random):
        included.append(known.copy())
        return draw(weights, size, known, random)

    monkeypatch.setattr(subsamples, "draw", recorded)
    best = []

    def attempt(n_subsamples, **parameters):
        included.clear()
        model = CLARA(12, n_subsamples=n_subsamples, random_state=0, **parameters)
        return model.fit(blobs)

    for n_done in (1, 3, 7):  # ends of rounds
        best.append(attempt(n_done).medoid_indices_)
    attempt(9)
    assert [len(known) for known in included] == [0] + [12] * 8
    for known, of_round in zip(included[1:], [0, 0, 1, 1, 1, 1, 2, 2]):
        np.testing.assert_array_equal(known, best[of_round])
    attempt(4, keep_medoids=False)
    assert [len(known) for known in included] == [0] * 4


def test_an_array_of_medoids_is_where_searches_start(blobs):
    start = np.arange(12) * 100
    model = CLARA(12, init=start, n_subsamples=1, random_state=0).fit(blobs)
    np.testing.assert_array_equal(model.init_medoid_indices_, start)
    # From the best medoids so far, which are in every subsample.
    several = CLARA(12, init=start, n_subsamples=2, random_state=0).fit(blobs)
    assert several.subsample_losses_[0] == model.inertia_
    if several.inertia_ < model.inertia_:
        np.testing.assert_array_equal(
            several.init_medoid_indices_, model.medoid_indices_
        )


def test_seeds(blobs):
    first, second, other = (
        CLARA(12, random_state=seed).fit(blobs) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first.medoid_indices_, second.medoid_indices_)
    assert first.inertia_ == second.inertia_
    assert set(first.medoid_indices_) != set(other.medoid_indices_)


# Bad input.


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"n_clusters": 0}, "n_clusters=0"),
        ({"n_clusters": 31}, "n_clusters=31"),
        ({"n_clusters": True}, "n_clusters"),
        ({"n_clusters": 2.5}, "n_clusters"),
        ({"n_subsamples": 0}, "n_subsamples"),
        ({"sample_size": 2}, "sample_size=2.*n_clusters=3"),
        ({"sample_size": "all"}, "sample_size"),
        ({"keep_medoids": "yes"}, "keep_medoids"),
        ({"metric": "nearness"}, "metric='nearness'"),
        ({"metric_params": {"q": 1}}, "metric_params"),
        ({"method": "dynmsc"}, "method"),
        ({"method": "onebatch"}, "method"),
        ({"init": "best"}, "init"),
        ({"init": [1, 1, 2]}, "init holds 1 more than once"),
        ({"init": [0, 1]}, "init has shape"),
        ({"init": [0, 1, 30]}, "init holds 30"),
        ({"init": [0.0, 1.0, 2.0]}, "init must hold integers"),
        ({"max_iter": 0}, "max_iter"),
    ],
)
def test_bad_parameters_are_named(rng, parameters, message):
    model = CLARA(**{"n_clusters": 3, **parameters})
    with pytest.raises(ValueError, match=message):
        model.fit(rng.standard_normal((30, 2)))
    assert not hasattr(model, "labels_")


@pytest.mark.parametrize(
    "weights, message",
    [
        (np.array([-1.0] + [1.0] * 29), r"sample_weight\[0\]"),
        (np.full(30, np.nan), "sample_weight"),
        (np.zeros(30), "sample_weight"),
        (np.arange(30) < 2, "sample_weight has 2 positive"),
        (np.ones(29), "sample_weight has 29"),
    ],
)
def test_bad_weights_are_named(rng, weights, message):
    with pytest.raises(ValueError, match=message):
        CLARA(3).fit(rng.standard_normal((30, 2)), sample_weight=weights)


def test_bad_dissimilarities(rng):
    D = cdist(*[rng.standard_normal((30, 2))] * 2)
    with pytest.raises(ValueError, match="square"):
        CLARA(3, metric="precomputed").fit(D[:, :20])
    negative = D.copy()
    negative[3, 4] = -1.0
    CLARA(3, metric="precomputed").fit(negative)
    with pytest.raises(ValueError, match="not negative"):
        CLARA(3, metric="precomputed", method="fastermsc").fit(negative)
    with pytest.raises(ValueError, match="negative"):
        CLARA(3, metric=lambda x, y: x[0] - y[0], method="fastermsc").fit(D[:, :2])
    with pytest.warns(UserWarning, match="diagonal"):
        CLARA(3, metric="precomputed").fit(D + 1)
    with pytest.raises(ValueError, match=r"X\[1, 2\] is NaN"):
        D[1, 2] = np.nan
        CLARA(3, metric="precomputed").fit(D)
    with pytest.raises(ValueError, match="overflow"):
        CLARA(1, metric="precomputed").fit(
            np.full((30, 30), 1e308) - np.eye(30) * 1e308
        )


def test_a_failed_fit_changes_nothing(blobs):
    model = CLARA(12, random_state=0).fit(blobs)
    state = pickle.dumps(model)
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(blobs[:100] * 2, sample_weight=np.zeros(100))
    assert pickle.dumps(model) == state


def test_warnings(rng):
    few = np.repeat(rng.standard_normal((3, 2)), 10, axis=0)
    with pytest.warns(ConvergenceWarning, match="distinct"):
        model = CLARA(5).fit(few)
    assert len(set(model.medoid_indices_)) == 5
    assert model.inertia_ == 0
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        CLARA(8, max_iter=1, init="first").fit(rng.standard_normal((500, 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CLARA(3).fit(few)


# As a member of scikit-learn.


def test_pickle_clone_and_parameters(blobs):
    model = CLARA(12, metric="manhattan", random_state=0).fit(blobs)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(blobs), model.labels_)
    again = clone(model).fit(blobs)
    np.testing.assert_array_equal(again.medoid_indices_, model.medoid_indices_)
    assert clone(model).set_params(sample_size=50).get_params()["sample_size"] == 50


def test_grid_search(blobs):
    search = GridSearchCV(
        CLARA(random_state=0), {"n_clusters": [2, 12]}, n_jobs=2, cv=3
    ).fit(blobs)
    assert search.best_params_ == {"n_clusters": 12}


def test_weights_are_routed(rng, blobs):
    weights = rng.random(3000)
    with config_context(enable_metadata_routing=True):
        model = CLARA(12, random_state=0).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(MinMaxScaler(), model)
        pipeline.fit(blobs, sample_weight=weights)
    scaled = MinMaxScaler().fit_transform(blobs)
    expected = clone(model).fit(scaled, sample_weight=weights)
    np.testing.assert_array_equal(
        pipeline[-1].medoid_indices_, expected.medoid_indices_
    )
    assert pipeline[-1].inertia_ == expected.inertia_


def test_data_frames(blobs):
    frame = pd.DataFrame(blobs, columns=list("abcdef"))
    model = CLARA(3, random_state=0).set_output(transform="pandas").fit(frame)
    np.testing.assert_array_equal(model.feature_names_in_, list("abcdef"))
    assert list(model.transform(frame).columns) == ["clara0", "clara1", "clara2"]
    model.partial_fit(frame)
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(frame.rename(columns={"a": "z"}))


def test_refitting_forgets(blobs):
    model = CLARA(3, random_state=0).fit(blobs).set_params(metric="precomputed")
    D = cdist(blobs[:50], blobs[:50])
    model.fit(D)
    assert not hasattr(model, "cluster_centers_")
    np.testing.assert_array_equal(model.predict(D), model.labels_)


def test_verbose(blobs, capsys):
    CLARA(3, n_subsamples=2, verbose=1, random_state=0).fit(blobs)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("[CLARA] subsample 2/2  objective ")
    CLARA(3, verbose=1, random_state=0).partial_fit(blobs)
    assert "[CLARA] 3000 samples seen" in capsys.readouterr().out


class _StopAfterTwo:
    """A callback of scikit-learn's protocol."""

    def __init__(self):
        self.scores = []

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **kwargs):
        pass

    def on_fit_task_end(self, estimator, context, **kwargs):
        if context.task_name == "subsample":
            self.scores.append(context.task_id)
            return len(self.scores) == 2
        return False

    def teardown(self, estimator, context):
        pass


def test_callbacks_may_stop_early(blobs):
    callback = _StopAfterTwo()
    model = CLARA(12, random_state=0).set_callbacks(callback).fit(blobs)
    assert len(model.subsample_losses_) == len(callback.scores) == 2
    assert model.inertia_ == model.subsample_losses_.min()
