"""KMedoids where people use it: pipelines, searches, frames, callbacks."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from joblib import parallel_backend
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skloss.cluster import KMedoids, k_medoids

METHODS = [
    "fasterpam",
    "fastpam1",
    "fastpam2",
    "pam",
    "alternate",
    "onebatch",
    "exact",
    "fastermsc",
    "fastmsc",
    "pammedsil",
    "dynmsc",
]
by_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture(scope="module")
def iris():
    return load_iris().data


def fitted(X, k=4, **parameters):
    return KMedoids(k, random_state=0, **parameters).fit(X)


def assert_same(model, other):
    assert model.medoid_indices_.tolist() == other.medoid_indices_.tolist()
    np.testing.assert_array_equal(model.labels_, other.labels_)
    assert model.inertia_ == pytest.approx(other.inertia_, rel=1e-12)


@by_method
def test_pickle_skops_and_clone(method, iris, tmp_path):
    model = fitted(iris, method=method)
    path = tmp_path / "model.skops"
    skops.io.dump(model, path)
    trusted = skops.io.get_untrusted_types(file=path)
    assert all(name.startswith("skloss.") for name in trusted)
    for again in (
        pickle.loads(pickle.dumps(model)),
        skops.io.load(path, trusted=trusted),
        clone(model).fit(iris),
    ):
        assert_same(again, model)
        np.testing.assert_array_equal(again.transform(iris), model.transform(iris))


def silhouette(model, X, y=None):
    """Scorer of new data by the medoid silhouette."""
    two = np.sort(model.transform(X), axis=1)[:, :2]
    return 1 - np.mean(two[:, 0] / np.maximum(two[:, 1], 1e-300))


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("precomputed", [False, True])
def test_grid_search(backend, precomputed):
    X, _ = make_blobs(150, centers=10 * np.eye(4), random_state=0)
    model = KMedoids(metric="precomputed" if precomputed else "euclidean")
    data = pairwise_distances(X) if precomputed else X
    search = GridSearchCV(
        model,
        {"n_clusters": [2, 3, 4, 6], "method": ["fasterpam", "pam"]},
        scoring=silhouette,
        cv=3,
        n_jobs=2,
        error_score="raise",
    )
    with parallel_backend(backend):
        search.fit(data)
    assert search.best_params_["n_clusters"] == 4
    serial = clone(search).set_params(n_jobs=None).fit(data)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"]
    )


def test_in_a_pipeline(iris):
    pipeline = make_pipeline(StandardScaler(), KMedoids(3))
    labels = pipeline.fit_predict(iris)
    direct = KMedoids(3).fit(StandardScaler().fit_transform(iris))
    np.testing.assert_array_equal(labels, direct.labels_)
    features = make_pipeline(KMedoids(3), StandardScaler()).fit_transform(iris)
    assert features.shape == (150, 3)


@pytest.mark.parametrize("method", ["fasterpam", "pam", "fastermsc", "alternate"])
def test_warm_start_continues(method, iris):
    model = KMedoids(5, method=method, warm_start=True, init="random", random_state=0)
    found = model.fit(iris).medoid_indices_
    model.fit(iris)
    assert model.n_swaps_ == 0
    assert model.medoid_indices_.tolist() == found.tolist()
    moved = iris + 0.1
    assert model.fit(moved).init_medoid_indices_.tolist() == found.tolist()
    model.set_params(n_clusters=6).fit(iris)  # another number begins anew
    assert len(model.medoid_indices_) == 6
    model.fit(iris[:50])  # as do fewer samples than the medoids need
    assert model.medoid_indices_.max() < 50
    limited = KMedoids(5, max_iter=1, warm_start=True, init="first")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        losses = [limited.fit(iris).inertia_ for _ in range(6)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == KMedoids(5, init="first").fit(iris).inertia_


def test_sample_weight_is_routed(iris):
    weights = np.where(np.arange(150) < 100, 1.0, 0.0)
    with config_context(enable_metadata_routing=True):
        model = KMedoids(2).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        results = cross_validate(
            model,
            iris,
            cv=[(np.arange(150), np.arange(150))],
            params={"sample_weight": weights},
            return_estimator=True,
        )
    direct = KMedoids(2).fit(iris, sample_weight=weights)
    assert_same(results["estimator"][0], direct)
    assert results["test_score"][0] == pytest.approx(-direct.inertia_)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_and_names(frame, iris):
    names = [f"column {j}" for j in range(4)]
    model = KMedoids(3).fit(frame({n: iris[:, j] for j, n in enumerate(names)}))
    assert list(model.feature_names_in_) == names
    assert_same(model, KMedoids(3).fit(iris))
    out = ["kmedoids0", "kmedoids1", "kmedoids2"]
    assert model.get_feature_names_out().tolist() == out
    library = frame.__module__.split(".")[0]
    model.set_output(transform=library)
    table = model.transform(frame({n: iris[:, j] for j, n in enumerate(names)}))
    assert isinstance(table, frame)
    assert list(table.columns) == out
    with pytest.raises(ValueError, match="feature names"):
        model.predict(pd.DataFrame(iris, columns=list("abcd")))


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        (np.float16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.int8, np.float64),
        (np.uint16, np.float64),
        (bool, np.float64),
    ],
)
@pytest.mark.parametrize("precomputed", [False, True])
def test_dtypes(dtype, kept, precomputed, rng):
    X = rng.integers(0, 2 if dtype is bool else 20, (60, 3)).astype(float)
    metric = "precomputed" if precomputed else "manhattan"
    if precomputed:
        X = pairwise_distances(X, metric="manhattan")
        X = np.minimum(X, 1) if dtype is bool else X
    model, double = (fitted(M, metric=metric) for M in (X.astype(dtype), X))
    assert model.transform(X.astype(dtype)).dtype == kept
    assert_same(model, double)  # small whole numbers are exact
    if not precomputed:
        assert model.cluster_centers_.dtype == kept


def test_whole_numbers_are_summed_exactly():
    D = pairwise_distances(np.arange(40.0)[:, None]).astype(np.int64) * (2**40 + 1)
    model = fitted(D, 3, metric="precomputed")
    exact = D[:, model.medoid_indices_].min(axis=1).sum()
    assert int(model.inertia_) == exact


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine", "sqeuclidean"])
@pytest.mark.parametrize("method", ["fasterpam", "onebatch"])
def test_sparse_is_dense(metric, method, rng):
    X = rng.integers(0, 3, (100, 30)) * (rng.random((100, 30)) < 0.3) + np.eye(100, 30)
    X[X.sum(axis=1) == 0, 0] = 1
    dense = fitted(X, metric=metric, method=method)
    for form in (sparse.csr_array, sparse.csr_matrix, sparse.coo_array):
        model = fitted(form(X), metric=metric, method=method)
        assert model.inertia_ == pytest.approx(dense.inertia_, rel=1e-9)
        assert sparse.issparse(model.cluster_centers_)
        np.testing.assert_array_equal(
            model.cluster_centers_.toarray(), X[model.medoid_indices_]
        )
        np.testing.assert_allclose(
            model.transform(form(X)), model.transform(X), atol=1e-9
        )
        np.testing.assert_allclose(
            dense.transform(form(X)), dense.transform(X), atol=1e-9
        )


def test_function_is_the_estimator(iris):
    D = pairwise_distances(iris)
    weights = np.arange(150.0)
    result = k_medoids(D, 4, sample_weight=weights, method="pam", bound=True)
    model = KMedoids(4, metric="precomputed", method="pam", bound=True)
    model.fit(D, sample_weight=weights)
    assert result.medoids.tolist() == model.medoid_indices_.tolist()
    assert result.labels.tolist() == model.labels_.tolist()
    assert result.loss == model.inertia_
    assert result.silhouette == model.medoid_silhouette_
    assert result.lower_bound == model.lower_bound_
    assert (result.n_iter, result.n_swaps) == (model.n_iter_, model.n_swaps_)
    assert "loss=" in repr(result)


def test_verbose_prints_every_pass(iris, capsys):
    model = fitted(iris, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "[KMedoids] dissimilarities of 150 samples: stored"
    assert len(lines) == 1 + model.n_iter_
    for n, line in enumerate(lines[1:], 1):
        assert re.match(rf"\[KMedoids\] pass {n}/300  objective \d", line)
    fitted(iris, verbose=1, n_init=3, precompute=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("computed")
    assert [line.split()[2] for line in lines[1:]] == ["1/3", "2/3", "3/3"]
    fitted(iris)
    assert capsys.readouterr().out == ""


class Stop:
    """A scikit-learn callback that ends the fit after some tasks."""

    max_estimator_depth = None

    def __init__(self, steps):
        self.steps = steps

    def setup(self, estimator, context):
        self.seen = 0

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, metadata=None):
        self.seen += context.parent is not None
        return self.seen >= self.steps


@by_method
@pytest.mark.parametrize("n_init", [1, 3])
def test_callbacks_see_every_pass_or_start(method, n_init, iris):
    parameters = {"method": method, "n_init": n_init, "init": "random"}
    callback = Stop(10**6)
    model = KMedoids(4, random_state=0, **parameters).set_callbacks(callback)
    assert_same(model.fit(iris), fitted(iris, **parameters))
    expected = n_init if n_init > 1 else model.n_iter_
    # "dynmsc" does not know that a pass is its last: another task is begun
    assert callback.seen - expected in ((0, 1) if method == "dynmsc" else (0,))


@by_method
def test_a_callback_can_stop_the_fit(method, iris):
    model = KMedoids(6, method=method, init="first", random_state=0)
    model.set_callbacks(Stop(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it was meant: nothing is to be warned of
        model.fit(iris)
    assert model.n_iter_ == 1
    assert model.predict(iris).shape == (150,)


@by_method
def test_callbacks_that_score_see_a_model(method, iris):
    """Halfway through a fit the medoids so far can predict."""
    monitor = ScoringMonitor(scoring=None)
    KMedoids(4, method=method, init="random", random_state=0).set_callbacks(
        monitor
    ).fit(iris)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("euclidean", "minkowski"),
        ("euclidean", "hamming"),
        ("manhattan", "euclidean"),
        ("euclidean", "precomputed"),
        ("precomputed", "euclidean"),
    ],
)
def test_new_data_are_measured_by_the_metric_of_the_fit(before, after, iris):
    X = pairwise_distances(iris) if before == "precomputed" else iris
    model = KMedoids(4, metric=before).fit(X)
    expected = model.transform(X)
    model.set_params(metric=after, metric_params=None)
    np.testing.assert_array_equal(model.transform(X), expected)


def test_an_exact_search_says_how_far_it_is(capsys):
    X = np.random.default_rng(0).standard_normal((60, 3))
    model = KMedoids(12, method="exact", verbose=1, max_iter=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X)
    lines = [line for line in capsys.readouterr().out.splitlines() if "part" in line]
    assert lines and "lower bound" in lines[-1]


def test_callbacks_with_a_warm_start_instead_of_starts(iris):
    model = KMedoids(8, method="pam", n_init=2, warm_start=True, init="random")
    model.set_params(random_state=0).set_callbacks(Stop(10**6)).fit(iris)
    shuffled = iris[np.random.default_rng(0).permutation(150)]
    model.fit(shuffled)  # needs more passes than there are starts
    assert model.n_iter_ > 2
    again = KMedoids(8, method="dynmsc", max_iter=3, init="first")
    with pytest.warns(ConvergenceWarning):
        again.set_callbacks(Stop(10**6)).fit(iris)
    assert again.n_iter_ > 3


def test_scoring_and_progress_callbacks(iris, capsys):
    monitor = ScoringMonitor(scoring={"own": lambda model, X, y: model.score(X)})
    model = KMedoids(5, init="first").set_callbacks(monitor, ProgressBar())
    model.fit(iris, np.zeros(150))  # without a y, nothing would be scored
    rows = [r for r in monitor.get_logs().data if r["task_name"] == "pass"]
    assert len(rows) == model.n_iter_
    scores = [row["own"] for row in rows]
    assert scores[-1] == pytest.approx(-model.inertia_)
    assert scores == sorted(scores)


@pytest.mark.parametrize("precompute", [True, False])
def test_an_interrupt_leaves_everything_as_it_was(precompute, iris):
    class Interrupted:
        calls, limit = 0, None

        def __call__(self, a, b):
            self.calls += 1
            if self.limit and self.calls > self.limit:
                raise KeyboardInterrupt
            return np.abs(a - b).sum()

    metric = Interrupted()
    model = KMedoids(3, metric=metric, precompute=precompute).fit(iris[:40])
    before = {name: np.copy(value) for name, value in vars(model).items()}
    metric.limit = metric.calls + 700
    with pytest.raises(KeyboardInterrupt):
        model.fit(iris[40:90, :2])
    metric.limit = None
    assert set(vars(model)) == set(before)
    for name, value in before.items():
        np.testing.assert_array_equal(np.copy(vars(model)[name]), value)
    np.testing.assert_array_equal(model.predict(iris[:40]), model.labels_)
    new = KMedoids(3, metric=metric, precompute=precompute)
    metric.limit = metric.calls + 700
    with pytest.raises(KeyboardInterrupt):
        new.fit(iris)
    assert not [name for name in vars(new) if name.endswith("_")]
    metric.limit = None
    assert new.fit(iris[:40]).inertia_ == model.inertia_
