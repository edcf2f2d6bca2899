"""ProportionalOddsClassifier against other software and its definition.

`tests/ordinal/test_limits.py` compares it with statsmodels on real data for the links
that statsmodels knows by name.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.special import ndtri
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.tools.numdiff import approx_hess

from skloss.ordinal import ProportionalOddsClassifier

LINKS = {
    "logit": stats.logistic,
    "probit": stats.norm,
    "cloglog": stats.gumbel_l,
    "loglog": stats.gumbel_r,
    "cauchit": stats.cauchy,
}


def drawn(n, K=4, seed=0, distribution=stats.logistic):
    """Rows, classes and weights of a model with known coefficients."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3)) * [1, 2, 0.5] + [0, 3, -1]
    latent = X @ [1, -0.4, 0] + distribution.rvs(size=n, random_state=rng)
    y = np.digitize(latent, np.quantile(latent, np.linspace(0, 1, K + 1)[1:-1]))
    return X, y, rng.uniform(0.5, 2, n)


def minus_log_likelihood(parameters, X, y, w, distribution):
    """Of public intercepts and coefficients."""
    m = len(parameters) - X.shape[1]
    thresholds = np.concatenate([[-np.inf], -parameters[:m], [np.inf]])
    shift = X @ parameters[m:]
    upper = distribution.cdf(thresholds[y + 1] - shift)
    return -w @ np.log(upper - distribution.cdf(thresholds[y] - shift))


def parameters_of(model):
    return np.concatenate([model.intercept_, model.coef_[0]])


@pytest.fixture(scope="module")
def data():
    return drawn(400)


@pytest.mark.parametrize("link", LINKS)
def test_statsmodels_with_any_distribution(link):
    distribution = LINKS[link]
    X, y, _ = drawn(400, distribution=distribution)
    peer = OrderedModel(y, X, distr=distribution)
    result = peer.fit(method="bfgs", maxiter=500, gtol=1e-7, disp=0)
    model = ProportionalOddsClassifier(link=link).fit(X, y)
    assert model.log_likelihood_ == pytest.approx(result.llf, abs=1e-6)
    np.testing.assert_allclose(model.coef_[0], result.params[:3], rtol=1e-3, atol=1e-4)
    thresholds = peer.transform_threshold_params(result.params)[1:-1]
    np.testing.assert_allclose(model.thresholds_, thresholds, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.predict_proba(X), result.predict(X), atol=1e-4)
    errors = np.sqrt(np.diagonal(model.covariance_))[3:]
    np.testing.assert_allclose(errors, result.bse[:3], rtol=5e-3)


@pytest.mark.parametrize("K", [2, 4])
@pytest.mark.parametrize("link", LINKS)
def test_covariance_is_the_inverse_of_numeric_second_derivatives(link, K):
    X, y, w = drawn(300, K=K)
    model = ProportionalOddsClassifier(link=link).fit(X, y, w)
    arguments = (X, y, w, LINKS[link])
    at = parameters_of(model)
    value = minus_log_likelihood(at, *arguments)
    assert model.log_likelihood_ == pytest.approx(-value, rel=1e-10)
    information = approx_hess(at, minus_log_likelihood, args=arguments)
    inverse = np.linalg.inv(information)
    scale = np.sqrt(np.outer(np.diagonal(inverse), np.diagonal(inverse)))
    np.testing.assert_allclose(model.covariance_ / scale, inverse / scale, atol=2e-3)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_covariance_follows_units_and_origins(data, link):
    X, y, w = data
    unit, origin = np.array([1e-3, 7.0, 1e4]), np.array([2.0, -5.0, 300.0])
    model = ProportionalOddsClassifier(link=link).fit(X, y, w)
    moved = ProportionalOddsClassifier(link=link).fit(X * unit + origin, y, w)
    # intercept' = intercept - coef' @ origin, coef' = coef / unit
    change = np.diag(np.concatenate([np.ones(3), 1 / unit]))
    change[:3, 3:] = -origin / unit
    np.testing.assert_allclose(
        moved.covariance_, change @ model.covariance_ @ change.T, rtol=1e-6
    )
    np.testing.assert_allclose(
        parameters_of(moved), change @ parameters_of(model), rtol=1e-7
    )
    assert moved.log_likelihood_ == pytest.approx(model.log_likelihood_, rel=1e-12)


def test_covariance_is_that_of_estimates(data):
    """Of many samples from the fitted model."""
    X, y, _ = data
    model = ProportionalOddsClassifier().fit(X, y)
    rng = np.random.default_rng(0)
    edges = model.predict_proba(X).cumsum(axis=1)[:, :-1]
    draws = [
        parameters_of(model.__class__().fit(X, (rng.random((400, 1)) > edges).sum(1)))
        for _ in range(200)
    ]
    spread = np.std(draws, axis=0) / np.sqrt(np.diagonal(model.covariance_))
    # The standard error of a standard deviation from 200 draws is 5 per cent.
    np.testing.assert_allclose(spread, 1, atol=0.15)


def test_constant_features_have_no_covariance(data):
    X, y, w = data
    padded = np.column_stack([X[:, 0], np.full(400, 5.0), X[:, 1:]])
    plain = ProportionalOddsClassifier().fit(X, y, w).covariance_
    C = ProportionalOddsClassifier().fit(padded, y, w).covariance_
    assert not C[4].any()
    assert not C[:, 4].any()
    kept = [0, 1, 2, 3, 5, 6]
    np.testing.assert_allclose(C[np.ix_(kept, kept)], plain, rtol=1e-8)


def test_whole_weights_are_repeated_rows(data):
    X, y, _ = data
    times = np.random.default_rng(0).integers(0, 4, 400)
    model = ProportionalOddsClassifier().fit(X, y, times)
    repeated = ProportionalOddsClassifier().fit(
        np.repeat(X, times, axis=0), np.repeat(y, times)
    )
    assert model.log_likelihood_ == pytest.approx(repeated.log_likelihood_, rel=1e-12)
    np.testing.assert_allclose(parameters_of(model), parameters_of(repeated), 1e-8)
    np.testing.assert_allclose(model.covariance_, repeated.covariance_, rtol=1e-7)
    # More of the same rows: the same estimates, known better.
    tenfold = ProportionalOddsClassifier().fit(X, y, 10 * times)
    np.testing.assert_allclose(parameters_of(tenfold), parameters_of(model), 1e-8)
    np.testing.assert_allclose(tenfold.covariance_, model.covariance_ / 10, rtol=1e-7)
    assert tenfold.log_likelihood_ == pytest.approx(10 * model.log_likelihood_)


@pytest.mark.parametrize("alpha", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize("link", ["logit", "loglog"])
def test_ridge_is_the_minimum_that_scipy_finds(data, link, alpha):
    X, y, w = data

    def objective(parameters):
        loss = minus_log_likelihood(parameters, X, y, w / w.sum(), LINKS[link])
        return loss + alpha / 2 * parameters[3:] @ parameters[3:]

    model = ProportionalOddsClassifier(link=link, alpha=alpha).fit(X, y, w)
    start = np.array([1.0, 0, -1, 0, 0, 0])
    best = minimize(objective, start, method="BFGS", options={"gtol": 1e-8})
    assert model.objective_ == pytest.approx(best.fun, abs=1e-10)
    assert model.objective_ == pytest.approx(objective(parameters_of(model)))
    np.testing.assert_allclose(parameters_of(model), best.x, rtol=1e-4, atol=1e-6)
    assert 0 <= model.dual_gap_ < 1e-8
    assert model.kkt_violation_ <= 1e-8


@pytest.mark.parametrize("alpha", [0.0, 0.01])
def test_two_classes_are_logistic_regression(alpha):
    X, y, w = drawn(300, K=2)
    model = ProportionalOddsClassifier(alpha=alpha).fit(X, y, w)
    peer = LogisticRegression(
        C=np.inf if alpha == 0 else 1 / (alpha * w.sum()),
        solver="newton-cholesky",
        tol=1e-10,
    ).fit(X, y, w)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, rtol=1e-6)
    np.testing.assert_allclose(
        model.decision_function(X), peer.decision_function(X), rtol=1e-5, atol=1e-6
    )


# --------------------------------------------------------------------- summary


def test_summary_is_a_table_of_wald_tests(data):
    X, y, w = data
    frame = pd.DataFrame(X, columns=["age", "dose", "hour"])
    labels = np.array(["a", "b", "c", "d"])[y]
    model = ProportionalOddsClassifier().fit(frame, labels, w)
    table = model.summary(level=0.9).to_frame()
    assert table.index.tolist() == ["y > a", "y > b", "y > c", "age", "dose", "hour"]
    estimates = parameters_of(model)
    errors = np.sqrt(np.diagonal(model.covariance_))
    z = estimates / errors
    half = ndtri(0.95) * errors
    expected = [estimates, errors, z, 2 * stats.norm.sf(abs(z))]
    expected += [estimates - half, estimates + half]
    np.testing.assert_allclose(table.to_numpy(dtype=float).T, expected, rtol=1e-10)
    words = str(model.summary()).split()
    heads = ["link:", "log-likelihood:", "AIC:"]
    aic = 2 * (6 - model.log_likelihood_)
    assert [words[words.index(head) + 1] for head in heads] == [
        "logit",
        f"{model.log_likelihood_:.6g}",
        f"{aic:.6g}",
    ]
    plain = ProportionalOddsClassifier().fit(X, y, w).summary()
    assert plain.names[-3:] == ("x0", "x1", "x2")


def test_summary_of_biased_estimates_is_refused(data):
    model = ProportionalOddsClassifier(alpha=0.1).fit(*data)
    with pytest.raises(ValueError, match=r"alpha=0\.1\. Fit with alpha=0"):
        model.summary()


# -------------------------------------------------------------------- separation


@pytest.mark.parametrize("link", LINKS)
def test_separated_classes_are_told(link):
    X, _, _ = drawn(100)
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    with pytest.warns(ConvergenceWarning, match="separates classes.*KKT violation"):
        model = ProportionalOddsClassifier(link=link).fit(X, y)
    assert np.isfinite(parameters_of(model)).all()
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.score(X, y) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ProportionalOddsClassifier(link=link, alpha=1e-3).fit(X, y)


def test_separation_of_the_last_class_only_is_told():
    """A feature that is set in rows of the last class, and never elsewhere."""
    X, y, _ = drawn(300)
    flag = (y == 3) & (np.arange(300) % 2 == 0)
    with pytest.warns(ConvergenceWarning, match="separates classes"):
        ProportionalOddsClassifier().fit(np.column_stack([X, flag]), y)


def test_more_features_than_rows_are_separated():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 60)), np.arange(20) % 3
    with pytest.warns(ConvergenceWarning, match="separates classes"):
        model = ProportionalOddsClassifier().fit(X, y)
    assert model.score(X, y) == 1
    assert np.isfinite(model.coef_).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ridge = ProportionalOddsClassifier(alpha=0.1).fit(X, y)
    assert ridge.kkt_violation_ <= 1e-8


def test_an_unfinished_fit_is_not_taken_for_separation(data):
    with pytest.warns(ConvergenceWarning, match="Raise max_iter") as record:
        model = ProportionalOddsClassifier(max_iter=1).fit(*data)
    assert len(record) == 1
    assert f"{model.kkt_violation_:.2g}" in str(record[0].message)


# ------------------------------------------------------------- start from a sample


def optimum_of(X, y, **options):
    model = ProportionalOddsClassifier(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model.fit(X, y)


@pytest.mark.parametrize("sort", [False, True])
@pytest.mark.parametrize("link", ["logit", "cloglog"])
def test_the_start_from_a_sample_changes_nothing(link, sort, monkeypatch):
    """Also where every tenth row is unlike the others."""
    X, y, _ = drawn(50_000)
    if sort:
        order = np.lexsort([X[:, 0], y])
        X, y = X[order], y[order]
    sampled = optimum_of(X, y, link=link)
    monkeypatch.setattr(
        "skloss.ordinal.proportional_odds.subsample_start",
        lambda engine, alpha, x: x,
    )
    plain = optimum_of(X, y, link=link)
    np.testing.assert_allclose(parameters_of(sampled), parameters_of(plain), atol=1e-7)
    assert sampled.log_likelihood_ == pytest.approx(plain.log_likelihood_, rel=1e-12)
    assert sampled.n_iter_ < plain.n_iter_


def test_a_misleading_sample_does_no_harm():
    """Every tenth row of each class alone is separated."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 2000)
    X = rng.standard_normal((6000, 2))
    X[::10, 0] = 10 * y[::10]
    model = optimum_of(X, y)
    best = minimize(
        minus_log_likelihood,
        parameters_of(model) * 0.9,
        args=(X, y, np.ones(6000), stats.logistic),
        method="BFGS",
        options={"gtol": 1e-4},
    )
    assert model.log_likelihood_ == pytest.approx(-best.fun, abs=1e-5)
