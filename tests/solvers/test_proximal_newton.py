import math

import cvxpy as cp
import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import ElasticNet as SklearnElasticNet
from sklearn.linear_model import (
    GammaRegressor,
    HuberRegressor,
    LogisticRegression,
    PoissonRegressor,
)

from skloss import losses
from skloss.losses import (
    Exponential,
    Gamma,
    Huber,
    Logistic,
    ModifiedHuber,
    Poisson,
    SmoothedHinge,
    Squared,
    SquaredHinge,
)
from skloss.penalties import L1, L2, Box, ElasticNet, NonNegative, evaluate
from skloss.solvers import LinearProblem, prox_newton

PENALTIES = [L1(0.03), ElasticNet(0.05, 0.4), L2(0.05), NonNegative(), Box(-0.1, 0.2)]

# Each loss as its own formula on cvxpy expressions: the independent truth.
LOSSES = {
    Logistic(): lambda y, f: cp.logistic(-cp.multiply(y, f)),
    SquaredHinge(): lambda y, f: cp.square(cp.pos(1 - cp.multiply(y, f))),
    Exponential(): lambda y, f: cp.exp(-cp.multiply(y, f)),
    Squared(): lambda y, f: cp.square(f - y) / 2,
    Huber(0.8): lambda y, f: cp.huber(f - y, 0.8) / 2,
    Poisson(): lambda y, f: cp.exp(f) - cp.multiply(y, f),
    Gamma(): lambda y, f: cp.multiply(y, cp.exp(-f)) + f,
}
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def make_data(loss, n=150, p=20, seed=0):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n, p)) + generator.normal(size=p)
    coef = np.zeros(p)
    coef[:4] = 0.4
    f = (X - X.mean(0)) @ coef
    y = {
        "sign": lambda: np.where(f + generator.logistic(size=n) > 0, 1.0, -1.0),
        "real": lambda: f + generator.standard_t(3, size=n),
        "nonnegative": lambda: generator.poisson(np.exp(f)).astype(float),
        "positive": lambda: generator.gamma(2.0, np.exp(f) / 2) + 1e-3,
    }[loss.targets]()
    return X, y


def constant(loss, y, weight):
    """What this package's loss adds to the formula in the table, from its value at 0.

    Deviance-like losses differ from the formula by a term in y alone.
    """
    ours = losses.evaluate(loss, y, np.zeros_like(y))
    formula = np.asarray(LOSSES[loss](y, cp.Constant(np.zeros_like(y))).value)
    return np.average(ours - formula, weights=weight)


@every_loss
@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_minimum_is_the_conic_solvers(loss, penalty, conic_minimum):
    X, y = make_data(loss, n=60, p=10)
    row_weight = np.random.default_rng(1).uniform(size=60)
    row_weight[:3] = 0.0
    row_weight /= row_weight.sum()
    weight = np.linspace(0.5, 2.0, 10)

    def smooth(w):
        return row_weight @ LOSSES[loss](y, X @ w[:10] + w[10])

    expected = conic_minimum(smooth, penalty, np.append(weight, 0.0))
    expected += constant(loss, y, row_weight)
    problem = LinearProblem(loss, X, y, 7 * row_weight)
    result = prox_newton(problem, penalty, weight=weight, tol=1e-11)
    assert result.converged
    assert result.objective == pytest.approx(expected, rel=1e-6)
    coef, intercept = problem.split(result.x)
    direct = np.average(
        losses.evaluate(loss, y, X @ coef + intercept), weights=row_weight
    )
    direct += evaluate(penalty, coef, weight)
    assert result.objective == pytest.approx(direct, rel=1e-12)


@every_loss
@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_gap_is_never_below_the_distance_to_the_minimum(loss, penalty, fit_intercept):
    X, y = make_data(loss, n=80, p=60)
    problem = LinearProblem(loss, X, y, fit_intercept=fit_intercept)
    objectives, gaps = [], []

    def record(info):
        objectives.append(info.objective)
        gaps.append(info.dual_gap)

    result = prox_newton(problem, penalty, tol=1e-13, callback=record)
    best = result.objective
    assert objectives[-1] == best
    for objective, gap in zip(objectives, gaps):
        assert math.isnan(gap) or gap >= objective - best - 1e-13 * abs(best)
    if penalty != NonNegative() and losses.conjugate.supports(loss):
        assert result.dual_gap <= 1e-13 * abs(best)


@pytest.mark.parametrize(
    "loss", [ModifiedHuber(), SmoothedHinge(), SmoothedHinge(0.1)], ids=repr
)
@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_losses_with_flat_rows_converge(loss, penalty):
    X, y = make_data(loss, n=300, p=60)
    result = prox_newton(LinearProblem(loss, X, y), penalty, tol=1e-9)
    assert result.converged and result.n_iter < 60
    if penalty != NonNegative():
        assert result.dual_gap <= 1e-9 * result.objective


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
def test_l1_logistic_is_liblinears_and_sagas(C):
    X, y = make_data(Logistic(), n=200, p=30)
    X -= X.mean(0)
    alpha = 1 / (C * 200)
    options = {"C": C, "l1_ratio": 1.0, "tol": 1e-11, "max_iter": 100_000}
    problem = LinearProblem("logistic", X, y)
    result = prox_newton(problem, L1(alpha), tol=1e-11)
    saga = LogisticRegression(solver="saga", random_state=0, **options).fit(X, y)
    coef, intercept = problem.split(result.x)
    np.testing.assert_allclose(coef, saga.coef_[0], atol=2e-6)
    assert intercept == pytest.approx(saga.intercept_[0], abs=2e-6)

    problem = LinearProblem("logistic", X, y, fit_intercept=False)
    result = prox_newton(problem, L1(alpha), tol=1e-11)
    liblinear = LogisticRegression(
        solver="liblinear", fit_intercept=False, random_state=0, **options
    ).fit(X, y)
    np.testing.assert_allclose(result.x, liblinear.coef_[0], atol=2e-5)


def test_elastic_net_is_sklearns():
    X, y = make_data(Squared(), n=150, p=80)
    weight = np.random.default_rng(0).uniform(size=150)
    problem = LinearProblem("squared", X, y, weight)
    result = prox_newton(problem, ElasticNet(0.1, 0.7), tol=1e-12)
    peer = SklearnElasticNet(0.1, l1_ratio=0.7, tol=1e-13, max_iter=100_000)
    peer.fit(X, y, sample_weight=weight)
    coef, intercept = problem.split(result.x)
    np.testing.assert_allclose(coef, peer.coef_, atol=1e-6)
    assert intercept == pytest.approx(peer.intercept_, abs=1e-6)


@pytest.mark.parametrize(
    "loss, peer",
    [(Poisson(), PoissonRegressor), (Gamma(), GammaRegressor)],
    ids=["poisson", "gamma"],
)
def test_ridge_glms_are_sklearns(loss, peer):
    X, y = make_data(loss)
    problem = LinearProblem(loss, X, y)
    coef, intercept = problem.split(prox_newton(problem, L2(0.1), tol=1e-13).x)
    model = peer(alpha=0.1, solver="newton-cholesky", tol=1e-12).fit(X, y)
    np.testing.assert_allclose(coef, model.coef_, rtol=1e-6, atol=1e-8)
    assert intercept == pytest.approx(model.intercept_, rel=1e-6)


def test_huber_is_sklearns_at_its_scale():
    """At the scale that HuberRegressor estimates, both minimise the same function."""
    X, y = make_data(Huber(), n=300, p=5)
    model = HuberRegressor(epsilon=1.35, alpha=0.0, tol=1e-10, max_iter=10_000)
    model.fit(X, y)
    loss = Huber(1.35 * model.scale_)
    problem = LinearProblem(loss, X, y)
    coef, intercept = problem.split(prox_newton(problem, L1(0.0), tol=1e-12).x)
    np.testing.assert_allclose(coef, model.coef_, atol=1e-4)
    assert intercept == pytest.approx(model.intercept_, abs=1e-4)


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_storage_does_not_matter(penalty, fit_intercept):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(120, 70)) * (generator.random((120, 70)) < 0.3)
    y = np.where(X[:, :3].sum(1) + generator.normal(size=120) > 0, 1.0, -1.0)
    dense, *others = [
        prox_newton(
            LinearProblem("logistic", design, y, fit_intercept=fit_intercept),
            penalty,
            tol=1e-12,
        )
        for design in (X, np.asfortranarray(X), *[f(X) for f in SPARSE])
    ]
    for other in others:
        np.testing.assert_allclose(other.x, dense.x, atol=1e-7)


SPARSE = [sparse.csr_array, sparse.csc_array, sparse.csr_matrix]


def test_float32_data_are_solved_in_float64():
    X, y = make_data(Logistic(), n=9000, p=6)
    X = X.astype(np.float32)
    single = prox_newton(LinearProblem("logistic", X, y), L1(0.01), tol=1e-12)
    double = prox_newton(
        LinearProblem("logistic", X.astype(np.float64), y), L1(0.01), tol=1e-12
    )
    assert single.converged
    np.testing.assert_allclose(single.x, double.x, atol=1e-10)


def test_integer_weights_are_repeated_rows():
    X, y = make_data(Logistic(), n=60, p=8)
    weight = np.random.default_rng(0).integers(0, 4, size=60)
    weighted = prox_newton(LinearProblem("logistic", X, y, weight), L1(0.02), tol=1e-13)
    repeated = LinearProblem("logistic", X.repeat(weight, 0), y.repeat(weight))
    expected = prox_newton(repeated, L1(0.02), tol=1e-13)
    np.testing.assert_allclose(weighted.x, expected.x, atol=1e-8)


def test_rows_without_weight_may_overflow():
    X, y = make_data(Poisson(), n=60, p=3)
    far = np.vstack([X, np.full((1, 3), 1e5)])
    weight = np.append(np.ones(60), 0.0)
    reference = prox_newton(LinearProblem("poisson", X, y), L2(0.1))
    problem = LinearProblem("poisson", far, np.append(y, 1), weight)
    result = prox_newton(problem, L2(0.1))
    np.testing.assert_allclose(result.x, reference.x, atol=1e-10)


def test_distant_data_do_no_harm():
    X, y = make_data(Logistic(), n=200, p=20)
    near = prox_newton(LinearProblem("logistic", X, y), L1(0.01), tol=1e-9)
    far = prox_newton(LinearProblem("logistic", X + 1e5, y), L1(0.01), tol=1e-9)
    assert far.converged and far.n_iter <= near.n_iter + 2
    np.testing.assert_allclose(far.x[:-1], near.x[:-1], atol=1e-6)


def test_separable_data_with_a_weak_penalty():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(100, 5))
    y = np.where(X[:, 0] > 0, 1.0, -1.0)
    result = prox_newton(LinearProblem("logistic", X, y), L1(1e-6), tol=1e-6)
    assert result.converged and np.isfinite(result.x).all()


def test_steps_into_overflow_are_taken_back():
    """From this start the first full step has an infinite loss."""
    X = np.linspace(-1, 1, 40)[:, None]
    y = np.exp(3 * X[:, 0])
    problem = LinearProblem("poisson", X, y, fit_intercept=False)
    values = []
    result = prox_newton(
        problem, L2(1e-6), x0=[-40.0], callback=lambda i: values.append(i.objective)
    )
    assert result.converged and np.isfinite(values).all()
    assert result.x[0] == pytest.approx(3.0, abs=1e-4)
    assert values == sorted(values, reverse=True)


def test_beyond_alpha_max_only_the_intercept_remains():
    X, y = make_data(Logistic(), n=100, p=80)
    problem = LinearProblem("logistic", X, y)
    rate = np.mean(y == 1)
    gradient = X.T @ (rate - (y == 1)) / 100
    alpha_max = np.abs(gradient).max()
    above = prox_newton(problem, L1(alpha_max * (1 + 1e-9)), tol=1e-10)
    assert not above.x[:-1].any()
    assert above.x[-1] == pytest.approx(math.log(rate / (1 - rate)))
    below = prox_newton(problem, L1(alpha_max * 0.999), tol=1e-12)
    assert np.flatnonzero(below.x[:-1]).tolist() == [np.abs(gradient).argmax()]


def test_warm_start_callback_and_status():
    X, y = make_data(Logistic(), n=200, p=120)
    problem = LinearProblem("logistic", X, y)
    seen = []
    first = prox_newton(problem, L1(0.01), callback=seen.append)
    assert [i.n_iter for i in seen] == list(range(1, first.n_iter + 1))
    assert prox_newton(problem, L1(0.01), x0=first.x).n_iter == 0
    stopped = prox_newton(problem, L1(0.01), callback=lambda info: True)
    assert (stopped.status, stopped.n_iter) == ("stopped", 1)
    short = prox_newton(problem, L1(0.01), max_iter=2)
    assert (short.status, short.n_iter) == ("max_iter", 2)
    exact = prox_newton(problem, L1(0.01), tol=0.0)
    assert exact.status in ("stalled", "converged")
    assert exact.dual_gap < 1e-13


@pytest.mark.parametrize("loss", ["quantile", "hinge", "absolute"])
def test_losses_with_kinks_are_refused(loss):
    y = np.array([1.0, -1.0])
    with pytest.raises(ValueError, match="kink"):
        LinearProblem(loss, np.eye(2), y)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"y": [0.0, 1.0]}, "-1 or"),
        ({"y": [1.0]}, "y must have shape"),
        ({"sample_weight": [0.0, 0.0]}, "sample_weight"),
        ({"sample_weight": [-1.0, 2.0]}, "sample_weight"),
        ({"loss": "softmax_cross_entropy"}, "row of scores"),
        ({"loss": "logit"}, "logistic"),
    ],
)
def test_bad_problems(change, message):
    arguments = {"loss": "logistic", "X": np.eye(2), "y": [1.0, -1.0]} | change
    with pytest.raises(ValueError, match=message):
        LinearProblem(**arguments)


def test_bad_arguments():
    problem = LinearProblem("squared", np.eye(2), [1.0, 2.0])
    with pytest.raises(ValueError, match="weight"):
        prox_newton(problem, "l1", weight=[-1.0, 1.0])
    with pytest.raises(ValueError, match="x0 must have shape"):
        prox_newton(problem, "l1", x0=[0.0])
    for change, message in [
        ({"weight": [np.nan, 1.0]}, "weight must be finite"),
        ({"x0": [0.0, np.inf, 0.0]}, "x0 must be finite"),
        ({"tol": np.nan}, "tol must be .* nan"),
        ({"tol": -1.0}, "tol must be .* -1"),
        ({"max_iter": -1}, "max_iter must be .* -1"),
        ({"working_set": [3]}, "working_set must hold integers from 0 to 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            prox_newton(problem, "l1", **change)


@pytest.mark.parametrize("penalty", [L1(0.1), L2(0.1), NonNegative()], ids=repr)
@pytest.mark.parametrize("loss", [Poisson(), Exponential(), Squared()], ids=repr)
def test_overflow_is_never_convergence(loss, penalty):
    X, y = make_data(loss, n=30, p=3)
    y = y if loss.targets == "sign" else np.abs(y)
    problem = LinearProblem(loss, X, y, fit_intercept=False)
    result = prox_newton(problem, penalty, x0=np.full(3, 1e200))
    assert result.status == "overflow"


@pytest.mark.parametrize("problem", [np.eye(2), None, LinearProblem])
def test_what_is_no_problem_is_refused_before_anything_else(problem):
    with pytest.raises(TypeError, match=r"must be a LinearProblem.*has no"):
        prox_newton(problem, np.array([1.0, 2.0]))


def test_no_iteration_is_a_look_at_the_start():
    problem = LinearProblem("squared", np.eye(2), [1.0, 3.0], fit_intercept=False)
    result = prox_newton(problem, L1(0.5), x0=[2.0, 0.0], max_iter=0)
    assert (result.status, result.n_iter, result.history) == ("max_iter", 0, [])
    np.testing.assert_array_equal(result.x, [2.0, 0.0])
    losses = 0.5 * np.array([2.0 - 1.0, 0.0 - 3.0]) ** 2
    assert result.objective == pytest.approx(losses.mean() + 0.5 * 2.0)
