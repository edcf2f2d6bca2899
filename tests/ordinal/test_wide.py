"""More coefficients than a matrix of them can be held for."""

import numpy as np
import pytest
from scipy import sparse

import skloss.ordinal._engine as engine_module
import skloss.ordinal._problem as problem_module
from skloss.ordinal import PrestoClassifier
from skloss.ordinal._curvature import hessian
from skloss.ordinal._engine import Engine, Model
from skloss.ordinal._wide_model import WideModel

MODELS = {
    "lasso": {"alpha": 0.02},
    "elastic net": {"alpha": 0.02, "l1_ratio": 0.5},
    "ridge": {"alpha": 0.02, "l1_ratio": 0.0},
    "stopping": {"alpha": 0.01, "family": "stopping", "structure": "semiparallel"},
    "adjacent": {"alpha": 0.01, "family": "adjacent", "base_penalty": 0.0},
    "probit": {"alpha": 0.02, "link": "probit", "structure": "nonparallel"},
}


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    X = random.standard_normal((150, 40))
    X[random.random(X.shape) < 0.5] = 0.0
    scores = X[:, :5] @ np.array([1.0, -1.0, 0.5, 0.5, -0.5])
    y = np.searchsorted([-1.0, 0.5, 2.0], scores + random.logistic(size=150))
    return X, y


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_the_optimum_is_the_same(data, model, kind, monkeypatch):
    X, y = data
    held = PrestoClassifier(**model).fit(X, y)
    for module in (problem_module, engine_module):
        monkeypatch.setattr(module, "LARGEST_HESSIAN", 5)
    wide = PrestoClassifier(**model).fit(kind(X), y)
    assert wide.objective_ == pytest.approx(held.objective_, rel=1e-10)
    assert wide.kkt_violation_ <= 1e-6
    assert wide.dual_gap_ <= 1e-6
    np.testing.assert_allclose(wide.coef_, held.coef_, atol=1e-5)


@pytest.mark.parametrize("family", ["cumulative", "stopping", "adjacent"])
def test_products_are_those_of_the_matrix(data, family):
    X, y = data
    model = Model(family=family, structure="fused")
    engine = Engine(X, y, np.full(len(y), 1 / len(y)), 4, model)
    problem = engine.problem(0.1)
    point = problem.at(engine.null())
    H = hessian(engine.rows, point.terms, engine.structure.T)
    wide = WideModel(point, np.arange(problem.size), 0.0)
    v = np.random.default_rng(1).standard_normal(problem.size)
    np.testing.assert_allclose(wide.product(v), H @ v, atol=1e-12)
    target = H @ v
    np.testing.assert_allclose(H @ wide.solve(target), target, atol=1e-8)


def test_more_unknowns_than_the_limit(data):
    """As it happens without a change of the limit."""
    random = np.random.default_rng(2)
    X = random.standard_normal((60, 1500))
    y = np.searchsorted([-1.0, 0.0, 1.0], X[:, 0] + random.logistic(size=60))
    model = PrestoClassifier(alpha=0.05, l1_ratio=0.0).fit(X, y)
    assert model.coef_.shape == (3, 1500)
    assert model.kkt_violation_ <= 1e-6
    assert model.dual_gap_ <= 1e-9
