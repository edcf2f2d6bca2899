"""Memory and threads of MultinomialLogistic."""

import tracemalloc
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info, threadpool_limits

from skloss.linear_eval import MultinomialLogistic
from skloss.linear_eval._design import Columns
from skloss.linear_eval._exact_hessian import CholeskyPreconditioner

WORKSPACE = 4e6


def drawn(n_samples, n_features, n_classes, dtype=np.float64):
    """Standard normal columns and labels drawn from a logistic model."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    truth = 2 * rng.standard_normal((n_features, n_classes)) / np.sqrt(n_features)
    noise = rng.gumbel(size=(n_samples, n_classes))
    return X.astype(dtype), (X @ truth + noise).argmax(axis=1)


def peak_of(call, *arguments):
    """Most bytes that a call holds at a time, beyond what there was."""
    tracemalloc.start()
    call(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def promised(n, p, K):
    """Bytes that the docstring allows a fit of dense data."""
    if n < p:
        return 8 * n * p + 5 * 8 * n * n + 16 * K * p + WORKSPACE
    return 4 * n * p + 24 * n * K + 3 * 8 * p * p + WORKSPACE


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "shape", [(20_000, 50), (20_000, 500), (12_000, 600), (400, 10_000)]
)
def test_fit_keeps_its_memory_promise(shape, n_classes, dtype):
    X, y = drawn(*shape, n_classes, dtype)
    # Enough rows for the way that all take: loading its kernels takes memory, too.
    model = MultinomialLogistic().fit(X[::4], y[::4])
    peak = peak_of(model.fit, X, y)
    assert peak < promised(*shape, n_classes)


def test_many_classes_keep_the_memory_promise():
    X, y = drawn(20_000, 50, 10)
    model = MultinomialLogistic().fit(X[:50], y[:50])
    assert peak_of(model.fit, X, y) < 4 * X.size + 24 * len(X) * 10 + WORKSPACE


def test_sparse_data_stay_sparse():
    """Also in the covariance of the features, which takes all rows here."""
    _, y = drawn(40_000, 1, 4)
    X = sparse.random_array((40_000, 400), density=0.01, rng=0, format="csr")
    model = MultinomialLogistic().fit(X[:200], y[:200])
    peak = peak_of(model.fit, X, y)
    assert peak < 12 * X.nnz + 24 * len(y) * 4 + 3 * 8 * 400**2 + WORKSPACE
    assert peak < 0.5 * 4 * 40_000 * 400


def test_the_factorised_hessian_keeps_its_memory_promise(rng):
    n, p, K = 3000, 120, 10
    P = rng.dirichlet(np.ones(K), size=n).T.astype(np.float32, order="C")
    design = Columns(rng.standard_normal((p, n)).astype(np.float32))
    weights = np.full(n, 1 / n, np.float32)
    peak = peak_of(
        lambda: CholeskyPreconditioner(
            design, P, weights, ridge=np.ones(p), fit_intercept=True
        )
    )
    assert peak < 24 * (K * (p + 1)) ** 2 + WORKSPACE


@pytest.mark.parametrize("n_classes", [3, 20])
def test_predictions_allocate_no_more_than_their_result(n_classes):
    X, y = drawn(20_000, 6, n_classes)
    model = MultinomialLogistic(tol=0.1).fit(X, y)
    result = 8 * len(X) * n_classes
    for method in (model.decision_function, model.predict_proba):
        method(X)
        assert peak_of(method, X) < 1.2 * result


def blas_threads():
    """Limit of each BLAS library; some are built for a single thread."""
    return [
        library["num_threads"]
        for library in threadpool_info()
        if library["user_api"] == "blas"
    ]


@pytest.mark.parametrize(
    "shape", [(200, 3000, 3), (6000, 400, 3), (1500, 30, 40), (1797, 64, 10)]
)
def test_the_number_of_threads_changes_no_digit(shape):
    X, y = drawn(*shape)
    results = []
    for n_threads in (1, 2, 4):
        with threadpool_limits(n_threads), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            limits = blas_threads()
            assert max(limits) == n_threads
            model = MultinomialLogistic(C=10.0).fit(X, y)
            results.append((model.coef_, model.intercept_, model.predict_proba(X)))
            assert blas_threads() == limits  # the fit restores them
    for other in results[1:]:
        for array, expected in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(array, expected)
