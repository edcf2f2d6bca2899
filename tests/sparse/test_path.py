"""Paths and gaps as functions: the same numbers as the estimators', the same errors."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path, lasso_path

from skloss.sparse import SparseRegressor, duality_gap, sparse_path


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 60)) + rng.normal(size=(40, 1))
    return X, X[:, :3] @ [1.0, -2.0, 1.5] + rng.normal(size=40)


def test_lasso_and_elastic_net_paths_of_scikit_learn(sample):
    X, y = sample
    options = {"tol": 1e-12, "max_iter": 10**5}
    alphas, coefs, gaps = sparse_path(X, y, n_alphas=8, tol=1e-12)
    expected = lasso_path(X, y, alphas=alphas, **options)[1]
    np.testing.assert_allclose(coefs, expected, atol=1e-5)
    assert gaps.max() <= 1e-12 * np.mean(y**2)
    alphas = alphas[:1] * np.geomspace(1, 0.01, 5)
    _, coefs, _ = sparse_path(X, y, penalty="elasticnet", alphas=alphas, l1_ratio=0.7)
    expected = enet_path(X, y, alphas=alphas, l1_ratio=0.7, **options)[1]
    np.testing.assert_allclose(coefs, expected, atol=1e-2)


@pytest.mark.parametrize("n", [300, 3000])
def test_many_rows_are_looked_at_through_gram_matrices(n):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 20)) + 3.0
    y = X[:, 0] - X[:, 1] + rng.normal(size=n)
    alphas, coefs, gaps = sparse_path(X, y, n_alphas=10)
    for alpha, w, gap in zip(alphas, coefs.T, gaps):
        again = duality_gap(X, y, w, alpha)
        assert abs(again - gap) <= 1e-12 * np.mean(y**2)
        assert again <= 1e-6 * np.mean(y**2)


def test_mirrored_columns_and_integers():
    rng = np.random.default_rng(6197)
    n, d = int(rng.choice([4, 8, 16, 32, 64])), int(rng.choice([8, 32, 128, 256]))
    X = rng.choice([-1.0, 1.0], (n, d))
    X, y = np.c_[X, -X], rng.integers(-3, 4, n).astype(float)
    _, _, gaps = sparse_path(X, y, n_alphas=40)
    assert gaps.max() <= 1e-6 * np.mean(y**2)


def test_fits_that_do_not_converge_are_told(sample):
    with pytest.warns(ConvergenceWarning, match="of 100 fits did not reach tol"):
        sparse_path(*sample, max_iter=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("penalty", "l0"),
        ("l1_ratio", 2),
        ("gamma", 0.5),
        ("eps", 2),
        ("eps", 0),
        ("tol", 0),
        ("tol", np.nan),
        ("tol", -1),
        ("max_iter", 0),
        ("max_iter", 2.5),
        ("n_alphas", 0),
        ("n_alphas", 2.5),
        ("positive", "no"),
        ("alphas", [[1.0]]),
        ("alphas", [-1.0]),
        ("alphas", [np.nan]),
    ],
)
def test_bad_arguments_of_a_path(sample, name, value):
    with pytest.raises(ValueError, match=name):
        sparse_path(*sample, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", -1.0),
        ("fit_intercept", "no"),
        ("coef", np.zeros(3)),
        ("coef", np.full(60, np.nan)),
        ("l1_ratio", -1),
    ],
)
def test_bad_arguments_of_a_gap(sample, name, value):
    given = {"coef": np.zeros(60), "alpha": 1.0} | {name: value}
    with pytest.raises(ValueError, match=name):
        duality_gap(*sample, **given)


def test_unknown_options_and_single_samples(sample):
    X, y = sample
    with pytest.raises(TypeError, match="Unknown option 'fit_intercept'"):
        sparse_path(X, y, fit_intercept=True)
    with pytest.raises(ValueError, match="minimum of 2"):
        sparse_path(X[:1], y[:1])


def test_the_estimators_agree(sample):
    X, y = sample
    alphas, coefs, _ = sparse_path(X, y, n_alphas=4)
    for alpha, w in zip(alphas[1:], coefs.T[1:]):
        model = SparseRegressor(alpha=alpha, fit_intercept=False, tol=1e-10).fit(X, y)
        np.testing.assert_allclose(model.coef_, w, atol=1e-2)
        gap = duality_gap(X, y, model.coef_, alpha)
        assert gap == pytest.approx(model.dual_gap_, abs=1e-12 * np.mean(y**2))


@pytest.mark.parametrize("n_copies", [1, 3])
def test_free_columns_that_span_all_others(n_copies):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(30, 2))
    X = np.repeat(base, 4, axis=1) * rng.choice([-1.0, 1.0, 2.0], 8)
    weight = np.ones(8)
    weight[:n_copies] = weight[4 : 4 + n_copies] = 0.0
    y = rng.normal(size=30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, coefs, gaps = sparse_path(X, y, n_alphas=20, feature_weights=weight)
    assert gaps.max() <= 1e-6 * np.mean(y**2)
    fitted = base @ np.linalg.lstsq(base, y)[0]
    np.testing.assert_allclose(X @ coefs, np.repeat(fitted[:, None], 20, axis=1))


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_multiples_of_columns(seed, positive):
    rng = np.random.default_rng(seed)
    X = np.repeat(rng.normal(size=(64, 32)), 4, axis=1)
    X *= rng.choice([-1.0, 1.0, 2.0], 128)
    y = rng.integers(-3, 4, 64).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        *_, gaps = sparse_path(X, y, n_alphas=30, eps=1e-4, positive=positive)
    assert gaps.max() <= 1e-6 * np.mean(y**2)
