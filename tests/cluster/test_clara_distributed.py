"""CLARA gives the same result wherever its subsamples are searched."""

import pickle

import joblib
import numpy as np
import pytest
from distributed import Client, LocalCluster
from scipy import sparse
from scipy.spatial.distance import braycurtis, cdist
from sklearn.datasets import make_blobs

from skloss.cluster import CLARA
from skloss.cluster import _subsamples as subsamples


@pytest.fixture(scope="module")
def dask_workers():
    """Two processes of one thread each."""
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
        ) as cluster,
        Client(cluster),
    ):
        yield


PLACES = {
    "loky": {"backend": "loky", "n_jobs": 2},
    "threads": {"backend": "threading", "n_jobs": 2},
    "dask": {"backend": "dask"},
}


def problem(name):
    """Data and parameters."""
    # More than 32 features of float64: products by BLAS, not feature by feature.
    X = make_blobs(2500, 40, centers=10, cluster_std=4.0, random_state=0)[0]
    if name == "rows":
        return X, {}
    if name == "float32":
        return X.astype(np.float32), {"init": "k-medoids++", "method": "pam"}
    if name == "sparse":
        return sparse.csr_array(np.where(X > 3, X, 0)), {"metric": "cosine"}
    if name == "callable":
        return abs(X[:300, :4]), {"metric": braycurtis, "keep_medoids": False}
    return cdist(X, X, "cityblock"), {"metric": "precomputed"}


NAMES = ["rows", "float32", "sparse", "callable", "matrix"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", NAMES)
def test_same_result_everywhere(dask_workers, place, name):
    X, parameters = problem(name)
    weights = np.random.default_rng(0).integers(0, 3, X.shape[0])
    model = CLARA(10, n_subsamples=4, random_state=0, **parameters)
    here = model.fit(X, sample_weight=weights)
    here = {name: np.asarray(getattr(here, name)) for name in FITTED}
    with joblib.parallel_config(**PLACES[place]):
        model.fit(X, sample_weight=weights)
    for fitted, expected in here.items():  # bit for bit
        np.testing.assert_array_equal(getattr(model, fitted), expected)


FITTED = [
    "medoid_indices_",
    "labels_",
    "inertia_",
    "medoid_silhouette_",
    "subsample_losses_",
    "cluster_weights_",
    "init_medoid_indices_",
    "n_distances_",
    "n_swaps_",
]


@pytest.mark.parametrize("n_jobs", [1, 2, -1])
def test_same_result_for_any_number_of_threads(n_jobs):
    X, _ = problem("rows")
    expected = CLARA(10, random_state=1).fit(X)
    model = CLARA(10, random_state=1, n_jobs=n_jobs).fit(X)
    for name in FITTED:
        np.testing.assert_array_equal(getattr(model, name), getattr(expected, name))


def test_subsamples_are_searched_by_the_workers(dask_workers):
    X, _ = problem("rows")
    client = Client.current()

    def work_done():  # by the workers' own records
        return sum(client.run(lambda dask_worker: len(dask_worker.state.log)).values())

    model = CLARA(10, n_subsamples=7, random_state=0)
    before = work_done()
    model.fit(X)
    assert work_done() == before
    with joblib.parallel_config(backend="dask"):
        model.fit(X)
    assert work_done() > before


@pytest.mark.parametrize("name", NAMES)
def test_workers_are_sent_subsamples_only(monkeypatch, name):
    X, parameters = problem(name)
    sizes = []
    search_part = subsamples.search_part

    def measured(*task, n_jobs):
        sizes.append(len(pickle.dumps(task)))
        return search_part(*task, n_jobs=n_jobs)

    monkeypatch.setattr(subsamples, "search_part", measured)
    CLARA(10, sample_size=100, random_state=0, **parameters).fit(X)
    per_row = 8 * 100 if name == "matrix" else 16 * X.shape[1]
    assert len(sizes) == 5
    assert max(sizes) < 100 * per_row + 8 * 100 + 2000
    assert max(sizes) < len(pickle.dumps(X)) / 2


def test_a_failure_in_a_worker_arrives(dask_workers):
    # The distance of zeros from zeros is nan.
    X, _ = problem("callable")
    for backend in ("loky", "dask"):
        model = CLARA(3, metric=braycurtis, random_state=0)
        with (
            joblib.parallel_config(backend=backend, n_jobs=2),
            pytest.raises(ValueError, match="finite"),
        ):
            model.fit(X * 0.0)
        assert not hasattr(model, "labels_")
