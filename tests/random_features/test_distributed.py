"""Fits on two workers against fits on one machine; rows beyond a cap on memory."""

import subprocess
import sys
import textwrap

import dask.array
import numpy as np
import pytest
from joblib import parallel_config
from sklearn.exceptions import NotFittedError

from skloss.random_features import RandomFeatureRidge, RandomFeatureRidgeClassifier

OPTIONS = {"n_components": 60, "gamma": 0.2, "random_state": 0}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 5)) + 3.0
    Y = np.column_stack([np.sin(X[:, 0]), X[:, 1] ** 2])
    return X, Y + 0.1 * rng.normal(size=Y.shape), rng.integers(0, 4, 900).astype(float)


@pytest.fixture(scope="module")
def client():
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def lazily(rows, chunks):
    X, Y, weight = rows
    return (
        dask.array.from_array(X, chunks=chunks),
        dask.array.from_array(Y, chunks=(chunks[0], 1)),
        dask.array.from_array(weight, chunks=chunks[0]),
    )


@pytest.mark.parametrize("chunks", [(150, 5), (400, 2), (900, 5)])
def test_chunks_on_two_workers_are_one_fit(client, rows, chunks):
    X, Y, weight = rows
    single = RandomFeatureRidge(**OPTIONS).fit(X, Y, weight)
    spread = RandomFeatureRidge(**OPTIONS).fit(*lazily(rows, chunks))
    np.testing.assert_allclose(spread.coef_, single.coef_, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(spread.intercept_, single.intercept_, rtol=1e-9)
    assert spread.n_samples_seen_ == single.n_samples_seen_
    np.testing.assert_allclose(
        spread.degrees_of_freedom_, single.degrees_of_freedom_, rtol=1e-10
    )


def test_both_workers_take_part(client, rows):
    X, Y, _ = lazily(rows, (100, 5))

    def seen(block):
        import time

        from distributed import get_worker

        time.sleep(0.05)
        get_worker().log_event("seen", get_worker().address)
        return block

    X = X.map_blocks(seen, dtype=X.dtype, meta=np.empty((0, 5)))
    RandomFeatureRidge(**OPTIONS).fit(X, Y)
    workers = {address for _, address in client.get_events("seen")}
    assert workers == set(client.scheduler_info()["workers"])


def test_nan_in_a_chunk_is_named(client, rows):
    X, Y, _ = rows
    X = X.copy()
    X[700, 2] = np.nan
    model = RandomFeatureRidge(**OPTIONS)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.fit(dask.array.from_array(X, chunks=300), Y)
    with pytest.raises(NotFittedError):
        model.predict(X[:5])


@pytest.mark.parametrize("backend", ["dask", "loky", "threading"])
def test_blocks_by_workers_are_one_fit(client, rows, backend):
    X, Y, weight = rows
    single = RandomFeatureRidge(precision="float64", **OPTIONS).fit(X, Y, weight)

    def reader(start):
        return lambda: tuple(part[start : start + 100] for part in rows)

    model = RandomFeatureRidge(**OPTIONS)
    with parallel_config(backend, n_jobs=2):
        model.fit_blocks(reader(start) for start in range(0, 900, 100))
    np.testing.assert_allclose(model.coef_, single.coef_, rtol=1e-8, atol=1e-10)
    assert model.n_samples_seen_ == single.n_samples_seen_
    model.forget(X[:50], Y[:50], weight[:50])  # and it goes on from there
    rest = RandomFeatureRidge(precision="float64", **OPTIONS)
    rest.fit(X[50:], Y[50:], weight[50:])
    np.testing.assert_allclose(model.coef_, rest.coef_, rtol=1e-7, atol=1e-9)


def test_classes_in_chunks(client, rows):
    X, Y, _ = rows
    y = np.digitize(Y[:, 1], [5.0, 12.0])
    single = RandomFeatureRidgeClassifier(**OPTIONS).fit(X, y)
    spread = RandomFeatureRidgeClassifier(**OPTIONS)
    spread.fit(dask.array.from_array(X, chunks=200), y)
    np.testing.assert_allclose(spread.coef_, single.coef_, rtol=1e-8, atol=1e-10)


OUT_OF_CORE = """
import resource
import sys

import numpy as np

from skloss.random_features import RandomFeatureRidge

path, cap = sys.argv[1], int(sys.argv[2])
model = RandomFeatureRidge(50, gamma=0.1, random_state=0, activation="cos")
model.fit(np.ones((60, 8), np.float32), np.arange(60.0))  # loads what it needs
X = np.load(path, mmap_mode="r")
used = int(open("/proc/self/statm").read().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (used + cap, used + cap))
try:
    np.array(X)
except MemoryError:
    print("does not fit")
print(model.fit(X, X[:, 0]).score(X[:1000], X[:1000, 0]) > 0.99)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits data segments by Linux")
def test_memory_maps_larger_than_the_memory(tmp_path):
    """200 MB of rows, 100 MB of memory."""
    path = tmp_path / "rows.npy"
    shape = (6_250_000, 8)
    X = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    for start in range(0, len(X), 250_000):
        rng = np.random.default_rng(start)
        X[start : start + 250_000] = rng.random((250_000, 8), np.float32)
    X.flush()
    del X
    script = tmp_path / "fit.py"
    script.write_text(textwrap.dedent(OUT_OF_CORE))
    result = subprocess.run(
        [sys.executable, script, path, str(100 * 2**20)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.split("\n")[:2] == ["does not fit", "True"], result.stderr
