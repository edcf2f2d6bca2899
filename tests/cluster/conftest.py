"""Problems for k-medoids and the plainest statement of what is to be found."""

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from skloss.cluster._inputs import make_problem
from skloss.kernels import StoredCandidates


def _euclidean(rng, n):
    return pairwise_distances(rng.standard_normal((n, 3)))


def _asymmetric(rng, n):
    D = rng.random((n, n))
    np.fill_diagonal(D, 0)
    return D


def _grid(rng, n):
    """Whole numbers with many ties, of points of which many are equal."""
    X = rng.integers(0, 5, (n, 2))
    return pairwise_distances(X, metric="manhattan")


def _small_integers(rng, n):
    D = rng.integers(1, 6, (n, n)).astype(float)
    np.fill_diagonal(D, 0)
    return D


def _duplicates(rng, n):
    X = rng.standard_normal((max(2, n // 3), 2))
    return pairwise_distances(X[rng.integers(0, len(X), n)])


KINDS = {
    "euclidean": _euclidean,
    "asymmetric": _asymmetric,
    "grid": _grid,
    "small integers": _small_integers,
    "duplicates": _duplicates,
}


@pytest.fixture(params=KINDS)
def kind(request):
    """Each kind of dissimilarities."""
    return request.param


@pytest.fixture(scope="session")
def dissimilarities():
    """``dissimilarities(kind, n, seed)``: matrix of a kind, C or F order in turn."""

    def make(kind, n, seed, dtype=np.float64):
        D = KINDS[kind](np.random.default_rng(seed), n).astype(dtype)
        return np.asfortranarray(D) if seed % 2 else np.ascontiguousarray(D)

    return make


@pytest.fixture(scope="session")
def problem_of():
    """``problem_of(D, weights=None)``: the problem of choosing among the points."""

    def make(D, weights=None):
        weights = np.ones(len(D)) if weights is None else weights
        return make_problem(StoredCandidates(D), np.asarray(weights, dtype=float))

    return make


@pytest.fixture(scope="session")
def deviation():
    """``deviation(D, medoids, weights=None)``: the total deviation, by definition."""

    def compute(D, medoids, weights=None):
        to_nearest = np.asarray(D, dtype=np.float64)[:, medoids].min(axis=1)
        return to_nearest.sum() if weights is None else to_nearest @ weights

    return compute


@pytest.fixture(scope="session")
def best_change():
    """``best_change(D, medoids, weights)``: the most that one swap gains, all tried."""

    def compute(D, medoids, weights):
        D, best = np.asarray(D, dtype=np.float64), np.inf
        now = weights @ D[:, medoids].min(axis=1)
        for slot in range(len(medoids)):
            others = np.delete(medoids, slot)
            rest = D[:, others].min(axis=1) if len(others) else np.inf
            after = weights @ np.minimum(D, np.reshape(rest, (-1, 1)))
            after[medoids] = np.inf
            after[weights == 0] = np.inf
            best = min(best, after.min() - now)
        return best

    return compute
