"""PreconditionedLasso against scikit-learn, closed forms and a conic solver."""

import cvxpy
import numpy as np
import pytest
from scipy import linalg, sparse
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skloss.sparse.preconditioned_lasso import PreconditionedLasso

pytestmark = pytest.mark.filterwarnings(
    "error::sklearn.exceptions.ConvergenceWarning",
)


@pytest.fixture(scope="module")
def plain():
    """Columns that need no repair, far from zero and of many scales."""
    rng = np.random.default_rng(0)
    X = 5 + rng.standard_normal((100, 30)) * np.exp(rng.standard_normal(30))
    return X, X[:, :3].sum(axis=1) + rng.standard_normal(100)


@pytest.fixture(scope="module")
def factors():
    """Columns that nearly cancel, and a target on which they do."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((150, 3)) @ rng.standard_normal((3, 60))
    X = 2 + X + 0.05 * rng.standard_normal((150, 60))
    signal = X[:, 10:15] @ np.linalg.svd(X[:, 10:15] - X[:, 10:15].mean(0))[2][-1]
    return X, 1 + signal / signal.std() + 0.3 * rng.standard_normal(150)


def standardised_lasso(alpha, **options):
    return make_pipeline(StandardScaler(), Lasso(alpha, tol=1e-14, **options))


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("alpha", [0.01, 0.3])
def test_without_a_basis_it_is_the_lasso(plain, convert, alpha):
    X, y = plain
    expected = standardised_lasso(alpha, max_iter=100_000).fit(X, y).predict(X)
    model = PreconditionedLasso(alpha, precondition=False).fit(convert(X), y)
    np.testing.assert_allclose(model.predict(convert(X)), expected, atol=1e-6)


def test_without_a_round_it_is_the_lasso(plain):
    X, y = plain
    expected = standardised_lasso(0.1).fit(X, y).predict(X)
    model = PreconditionedLasso(0.1, random_state=0).fit(X, y)
    assert model.preconditioner_.n_rounds_ == 0
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-6)


def test_orthonormal_columns_are_thresholded(rng):
    X = linalg.qr(rng.standard_normal((80, 9)), mode="economic")[0] * np.sqrt(80)
    y = X @ np.arange(9.0) / 4 + 0.1 * rng.standard_normal(80)
    model = PreconditionedLasso(0.5, fit_intercept=False).fit(X, y)
    q = X.T @ y / 80
    expected = np.sign(q) * np.maximum(np.abs(q) - 0.5, 0)
    np.testing.assert_allclose(model.coef_, expected, atol=1e-12)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("penalize_pivots", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_conic_solver_agrees(factors, fit_intercept, penalize_pivots, weighted):
    """The documented objective, in the basis that `preconditioner_` shows."""
    X, y = factors
    s = np.random.default_rng(2).integers(1, 4, len(y)) if weighted else np.ones(150)
    s = s / s.sum()
    alpha = 0.03
    model = PreconditionedLasso(
        alpha,
        fit_intercept=fit_intercept,
        penalize_pivots=penalize_pivots,
        random_state=0,
        tol=1e-10,
    ).fit(X, y, sample_weight=s)
    pre = model.preconditioner_
    assert pre.n_rounds_ >= 1
    A, pivots = pre.transform(X), model.pivots_
    v = np.ones(A.shape[1])
    if not penalize_pivots:
        root = np.sqrt(s)[:, None]
        P = root * A[:, pivots]
        rest = root * A - P @ np.linalg.lstsq(P, root * A, rcond=None)[0]
        v = np.linalg.norm(rest, axis=0)
        v[v < 1e-6] = 1.0
        v[pivots] = 0.0
    u, b = cvxpy.Variable(A.shape[1]), cvxpy.Variable()
    fit = A @ u + (b if fit_intercept else 0)
    loss = cvxpy.sum_squares(cvxpy.multiply(np.sqrt(s), y - fit)) / 2
    problem = cvxpy.Problem(cvxpy.Minimize(loss + alpha * (v @ cvxpy.abs(u))))
    problem.solve(solver=cvxpy.CLARABEL)
    mine = 0.5 * s @ (y - model.predict(X)) ** 2
    mine += alpha * v @ np.abs(model.coef_preconditioned_)
    np.testing.assert_allclose(mine, problem.value, rtol=1e-6)
    np.testing.assert_allclose(model.predict(X), fit.value, atol=1e-3)
    assert model.dual_gap_ <= 1e-10 * (s @ (y - s @ y) ** 2 if fit_intercept else y @ y)


def test_coefficients_are_those_of_the_basis(factors):
    X, y = factors
    model = PreconditionedLasso(0.03, random_state=0).fit(X, y)
    pre = model.preconditioner_
    np.testing.assert_allclose(
        pre.coef_to_original(model.coef_preconditioned_), model.coef_, rtol=1e-12
    )
    centred = pre.transform(X) @ model.coef_preconditioned_
    np.testing.assert_allclose(model.predict(X), y.mean() + centred, atol=1e-9)
    np.testing.assert_allclose(model.predict(X), X @ model.coef_ + model.intercept_)


@pytest.mark.parametrize("precondition", [True, False])
def test_no_penalty_is_least_squares(factors, precondition):
    X, y = factors
    expected = LinearRegression().fit(X, y).predict(X)
    for alpha, allowed in ((0.0, 1e-9), (1e-7, 1e-3)):
        model = PreconditionedLasso(
            alpha, precondition=precondition, random_state=0, tol=1e-10
        ).fit(X, y)
        np.testing.assert_allclose(model.predict(X), expected, atol=allowed)


def test_a_large_penalty_leaves_the_pivots(factors):
    X, y = factors
    model = PreconditionedLasso(1e3, random_state=0).fit(X, y)
    P = X[:, model.pivots_]
    expected = LinearRegression().fit(P, y).predict(P)
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-9)
    assert set(model.get_support(indices=True)) <= set(model.pivots_)
    plain = PreconditionedLasso(1e3, precondition=False).fit(X, y)
    assert not plain.coef_.any() and np.isclose(plain.intercept_, y.mean())


def test_units_of_columns_do_not_matter(factors):
    X, y = factors
    units = np.exp2(np.random.default_rng(3).integers(-20, 20, X.shape[1]))
    first = PreconditionedLasso(0.03, random_state=0).fit(X, y)
    second = PreconditionedLasso(0.03, random_state=0).fit(X * units, y)
    np.testing.assert_allclose(second.coef_ * units, first.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(second.predict(X * units), first.predict(X), atol=1e-7)


@pytest.mark.parametrize("size", [None, 4])
def test_integer_weights_are_repeated_rows(factors, size):
    X, y = factors
    weight = np.random.default_rng(4).integers(0, 4, len(y))
    model = PreconditionedLasso(0.03, n_nonzero_coefs=size, random_state=0)
    weighted = clone(model).fit(X, y, sample_weight=weight)
    repeated = clone(model).fit(np.repeat(X, weight, 0), np.repeat(y, weight))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), atol=1e-7)


def test_same_seed_same_bits_and_y_does_not_move_the_basis(factors):
    X, y = factors
    model = PreconditionedLasso(0.03, random_state=0)
    first, again = clone(model).fit(X, y), clone(model).fit(X, y)
    assert first.coef_.tobytes() == again.coef_.tobytes()
    other = clone(model).fit(X, -3 * y[::-1])
    A, B = (m.preconditioner_.transform(X) for m in (first, other))
    assert A.tobytes() == B.tobytes()


def test_sparse_designs_give_the_same_fit(factors):
    X, y = factors
    dense = PreconditionedLasso(0.03, random_state=0).fit(X, y)
    other = PreconditionedLasso(0.03, random_state=0).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(other.predict(X), dense.predict(X), atol=1e-6)


def test_cancelling_coefficients_are_found(factors):
    """Beside least squares on the true columns, and on all of them."""
    X, y = factors
    support = slice(10, 15)
    signal = X[:, support] @ np.linalg.svd(X[:, support] - X[:, support].mean(0))[2][-1]
    truth = (signal - signal.mean()) / signal.std()

    def error(prediction):
        return np.mean((prediction - prediction.mean() - truth) ** 2)

    everything = error(LinearRegression().fit(X, y).predict(X))
    known = LinearRegression().fit(X[:, support], y).predict(X[:, support])
    model = PreconditionedLasso(0.03, random_state=0)
    mine = error(model.fit(X, y).predict(X))
    subset = error(model.set_params(n_nonzero_coefs=5).fit(X, y).predict(X))
    assert mine < 0.6 * everything
    assert subset < mine
    np.testing.assert_allclose(subset, error(known), rtol=1e-6)


def test_the_subset_has_its_size_and_no_exchange_helps(factors):
    X, y = factors
    model = PreconditionedLasso(0.03, n_nonzero_coefs=4, random_state=0).fit(X, y)
    support = model.get_support(indices=True)
    assert len(support) == 4

    def squares(columns):
        fit = LinearRegression().fit(X[:, columns], y)
        return np.mean((y - fit.predict(X[:, columns])) ** 2)

    mine = np.mean((y - model.predict(X)) ** 2)
    np.testing.assert_allclose(mine, squares(support), rtol=1e-9)
    for out in support:
        for new in set(range(X.shape[1])) - set(support):
            columns = [new, *support[support != out]]
            assert squares(columns) >= mine * (1 - 1e-7)


def test_a_ridge_refits_the_subset(factors):
    X, y = factors
    model = PreconditionedLasso(0.03, n_nonzero_coefs=3, l2=0.2, random_state=0)
    model.fit(X, y)
    support = model.get_support(indices=True)
    Z = (X[:, support] - X[:, support].mean(0)) / X[:, support].std(0)
    w = np.linalg.solve(Z.T @ Z / 150 + 0.2 * np.eye(3), Z.T @ (y - y.mean()) / 150)
    np.testing.assert_allclose(model.predict(X), y.mean() + Z @ w, atol=1e-9)


def test_warm_start_keeps_the_basis_of_the_same_design(factors):
    X, y = factors
    model = PreconditionedLasso(0.03, warm_start=True).fit(X, y)
    first = model.preconditioner_._basis.rounds[0]
    model.set_params(alpha=0.1).fit(X, y)
    assert model.preconditioner_._basis.rounds[0] is first
    cold = PreconditionedLasso(0.03, random_state=0).fit(X, y)
    warm = PreconditionedLasso(0.3, random_state=0, warm_start=True).fit(X, y)
    warm.set_params(alpha=0.03).fit(X, y)
    np.testing.assert_array_equal(warm.coef_, cold.coef_)
    warm.fit(X[:100], y[:100])
    other = PreconditionedLasso(0.03, random_state=0).fit(X[:100], y[:100])
    np.testing.assert_array_equal(warm.coef_, other.coef_)


def test_constant_duplicate_and_dependent_columns(factors):
    X, y = factors
    wide = np.column_stack([X, np.full(len(y), 7.0), X[:, 10:15], X[:, 0] + X[:, 1]])
    for size in (None, 5):
        model = PreconditionedLasso(0.003, n_nonzero_coefs=size, random_state=0).fit(
            wide, y
        )
        assert np.isfinite(model.coef_).all()
        assert not model.coef_[60:66].any()


@pytest.mark.parametrize("size", [None, 2])
def test_a_constant_target_has_no_coefficients(factors, size):
    model = PreconditionedLasso(0.01, n_nonzero_coefs=size, random_state=0)
    model.fit(factors[0], np.full(150, 0.1))
    assert not model.coef_.any() and model.intercept_ == 0.1


def test_float32_stays(factors):
    X, y = factors
    narrow = PreconditionedLasso(0.1, random_state=0).fit(X.astype(np.float32), y)
    wide = PreconditionedLasso(0.1, random_state=0).fit(X, y)
    assert narrow.coef_.dtype == narrow.predict(X.astype(np.float32)).dtype
    assert narrow.coef_.dtype == np.float32
    np.testing.assert_allclose(narrow.predict(X), wide.predict(X), atol=0.02)


def test_callbacks_see_the_fit(factors):
    X, y = factors
    monitor = ScoringMonitor(scoring="r2")
    model = PreconditionedLasso(0.03, random_state=0).set_callbacks(monitor)
    model.fit(X, y)
    np.testing.assert_allclose(monitor.get_logs().data[-1]["r2"], model.score(X, y))


def test_a_missed_tolerance_is_said(factors):
    X, y = factors
    with pytest.warns(ConvergenceWarning, match="duality gaps of up to"):
        PreconditionedLasso(1e-3, max_iter=1, tol=1e-15, precondition=False).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"alpha": -1}, "alpha"),
        ({"l2": -1}, "l2"),
        ({"support_size": "all"}, "support_size"),
        ({"n_nonzero_coefs": 0}, "n_nonzero_coefs"),
        ({"n_nonzero_coefs": 61}, "n_nonzero_coefs must be an integer from 1 to 60"),
        ({"threshold": 0}, "threshold"),
    ],
)
def test_bad_parameters_are_named(factors, parameters, match):
    with pytest.raises(ValueError, match=match):
        PreconditionedLasso(**parameters).fit(*factors)
