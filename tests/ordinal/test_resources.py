"""Memory of the ordinal estimators."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from skloss.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    presto_path,
)

ESTIMATORS = {
    "presto": PrestoClassifier(),
    "weak penalty": PrestoClassifier(alpha=1e-4),
    "stopping": PrestoClassifier(family="stopping"),
    "adjacent": PrestoClassifier(family="adjacent"),
    "box": PrestoClassifier(ordering="box"),
    "odds": ProportionalOddsClassifier(),
}
by_estimator = pytest.mark.parametrize(
    "estimator", ESTIMATORS.values(), ids=ESTIMATORS.keys()
)


def drawn(n, p, K=4):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    latent = X[:, 0] - X[:, 1] / 2 + rng.logistic(size=n)
    return X, np.digitize(latent, np.linspace(-1, 3, K - 1))


def peak_of(call, *arguments):
    """Most bytes that a call holds at a time, beyond what there was."""
    tracemalloc.start()
    call(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def compiled(estimator, X, y):
    return estimator.fit(X[:400], y[:400])


@by_estimator
@pytest.mark.parametrize(("n", "p"), [(200_000, 10), (40_000, 50)])
def test_a_fit_holds_at_most_three_times_the_data(estimator, n, p):
    X, y = drawn(n, p)
    # All classes of a row matter to adjacent odds: whole tables of probabilities.
    times = 5 if getattr(estimator, "family", "") == "adjacent" else 3
    assert peak_of(compiled(estimator, X, y).fit, X, y) <= times * X.nbytes


@pytest.mark.parametrize("name", ["presto", "odds"])
def test_memory_grows_little_with_the_number_of_classes(name):
    """Rows of inner classes have two scores, of the outer ones one."""
    peaks = []
    for K in (3, 10):
        X, y = drawn(50_000, 10, K)
        model = compiled(ESTIMATORS[name], X, y)
        peaks.append(peak_of(model.fit, X, y))
    assert peaks[1] < 1.75 * peaks[0]


def test_sparse_rows_stay_sparse():
    n, p = 20_000, 400
    X = sparse.random_array((n, p), density=0.01, rng=0, format="csr")
    y = np.digitize(X[:, [0]].toarray()[:, 0], [0.1, 0.5])
    y[::3] = 1
    estimator = PrestoClassifier(alpha=0.02)
    peak = peak_of(compiled(estimator, X, y).fit, X, y)
    assert peak < 0.25 * 8 * n * p


def test_cross_validation_holds_one_fold_at_a_time():
    X, y = drawn(50_000, 10)
    model = compiled(PrestoClassifierCV(alphas=4, cv=5), X, y)
    assert peak_of(model.fit, X, y) <= 6 * X.nbytes


@pytest.mark.parametrize("kind", ["path", "cv"])
def test_solutions_of_a_path_keep_nothing_of_the_size_of_the_rows(kind):
    X, y = drawn(20_000, 5)

    def run(n_alphas):
        options = {"eps": 0.01}
        if kind == "path":
            return presto_path(X, y, n_alphas=n_alphas, **options)
        return PrestoClassifierCV(alphas=n_alphas, cv=2, **options).fit(X, y)

    run(2)
    assert peak_of(run, 50) <= 1.3 * peak_of(run, 5)


@by_estimator
def test_predictions_hold_little_beside_their_result(estimator):
    X, y = drawn(100_000, 10)
    model = compiled(estimator, X, y)
    for method in (model.predict_proba, model.predict_cumulative, model.predict):
        method(X)
        assert peak_of(method, X) <= 7 * 8 * len(X) * 4
