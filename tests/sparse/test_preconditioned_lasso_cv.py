"""PreconditionedLassoCV against plain fits, one fold after the other."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.linear_model import LassoCV, LinearRegression
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit

from skloss.sparse.preconditioned_lasso import PreconditionedLasso
from skloss.sparse.preconditioned_lasso_cv import PreconditionedLassoCV

pytestmark = pytest.mark.filterwarnings(
    "error::sklearn.exceptions.ConvergenceWarning",
)
ALPHAS = np.geomspace(0.3, 0.003, 12)


@pytest.fixture(scope="module")
def factors():
    """Columns that nearly cancel, and a target on which they do."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((150, 3)) @ rng.standard_normal((3, 60))
    X = 2 + X + 0.05 * rng.standard_normal((150, 60))
    signal = X[:, 10:15] @ np.linalg.svd(X[:, 10:15] - X[:, 10:15].mean(0))[2][-1]
    return X, 1 + signal / signal.std() + 0.3 * rng.standard_normal(150)


@pytest.fixture(scope="module")
def plain():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 25))
    X /= X.std(axis=0)
    return X, X[:, :4].sum(axis=1) + rng.standard_normal(120)


class FixedBasisLasso:
    """L1 in a given basis, pivots free, by proximal gradient steps on one fold."""

    def __init__(self, preconditioner, alpha, X, s):
        self.pre, self.alpha = preconditioner, alpha
        A, pivots = preconditioner.transform(X), preconditioner.pivots_
        root = np.sqrt(s / s.sum())[:, None]
        P = root * A[:, pivots]
        rest = root * A - P @ np.linalg.lstsq(P, root * A, rcond=None)[0]
        self.v = np.linalg.norm(rest, axis=0)
        self.v[self.v < 1e-6] = 1.0
        self.pivots = pivots

    def fit(self, X, y, s):
        """Profile out intercept and pivots, then iterate soft thresholds."""
        s = s / s.sum()
        root, A = np.sqrt(s)[:, None], self.pre.transform(X)
        free = np.column_stack([np.ones(len(y)), A[:, self.pivots]])
        others = np.delete(np.arange(A.shape[1]), self.pivots)
        Q = np.linalg.qr(root * free)[0]

        def project(B):
            return B - Q @ (Q.T @ B)

        Z = project(root * A[:, others]) / self.v[others]
        r = project(root[:, 0] * y)
        step = 1 / np.linalg.norm(Z, 2) ** 2
        z, w, t = (np.zeros(len(others)) for _ in range(3))
        t = 1.0
        for _ in range(20_000):
            new = w - step * (Z.T @ (Z @ w - r))
            new = np.sign(new) * np.maximum(np.abs(new) - step * self.alpha, 0)
            if (w - new) @ (new - z) > 0:  # start the momentum again
                t = 1.0
            later = (1 + np.sqrt(1 + 4 * t**2)) / 2
            w = new + (t - 1) / later * (new - z)
            done = np.abs(new - z).max() < 1e-13
            z, t = new, later
            if done:
                break
        self.u = np.zeros(A.shape[1])
        self.u[others] = z / self.v[others]
        rest = root[:, 0] * (y - A @ self.u)
        values = np.linalg.lstsq(root * free, rest, rcond=None)[0]
        self.intercept, self.u[self.pivots] = values[0], values[1:]
        return self

    def predict(self, X):
        return self.intercept + self.pre.transform(X) @ self.u


@pytest.mark.parametrize("weighted", [False, True])
def test_folds_are_those_of_one_fit_after_the_other(factors, weighted):
    X, y = factors
    s = np.random.default_rng(3).integers(0, 3, 150) if weighted else np.ones(150)
    folds = KFold(3, shuffle=True, random_state=0)
    model = PreconditionedLassoCV(
        precondition=True, alphas=ALPHAS, cv=folds, random_state=0, tol=1e-9
    ).fit(X, y, sample_weight=s if weighted else None)
    assert model.preconditioner_.n_rounds_ and model.used_preconditioner_
    assert model.mse_path_.shape == (12, 3)
    expected = np.empty((12, 3))
    for f, (train, test) in enumerate(folds.split(X)):
        for a, alpha in enumerate(ALPHAS):
            other = FixedBasisLasso(model.preconditioner_, alpha, X, s)
            p = other.fit(X[train], y[train], s[train]).predict(X[test])
            expected[a, f] = np.average((y[test] - p) ** 2, weights=s[test])
    np.testing.assert_allclose(model.mse_path_, expected, rtol=1e-3)
    assert model.alpha_ == ALPHAS[expected.mean(axis=1).argmin()]
    refit = PreconditionedLasso(model.alpha_, random_state=0).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(model.coef_, refit.coef_, atol=1e-6)


@pytest.mark.parametrize("cv", [4, ShuffleSplit(3, test_size=0.3, random_state=0)])
def test_without_a_basis_it_is_lasso_cv(plain, cv):
    X, y = plain
    model = PreconditionedLassoCV(cv=cv, random_state=0, tol=1e-10).fit(X, y)
    other = LassoCV(cv=cv, tol=1e-10).fit(X, y)
    assert not model.used_preconditioner_ and set(model.least_mse_) == {"plain"}
    np.testing.assert_allclose(model.alphas_, other.alphas_)
    np.testing.assert_allclose(model.mse_path_, other.mse_path_, rtol=1e-5)
    np.testing.assert_allclose(model.alpha_, other.alpha_)
    np.testing.assert_allclose(model.predict(X), other.predict(X), atol=1e-5)


def test_sparse_designs_stay_sparse_without_a_basis(plain):
    X, y = plain
    X = X * (np.abs(X) > 1)
    dense = PreconditionedLassoCV(random_state=0).fit(X, y)
    other = PreconditionedLassoCV(random_state=0).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(other.alpha_, dense.alpha_)
    np.testing.assert_allclose(other.predict(sparse.csr_array(X)), dense.predict(X))


def test_the_better_path_is_kept(factors):
    X, y = factors
    options = {"alphas": ALPHAS, "random_state": 0}
    both = PreconditionedLassoCV(**options).fit(X, y)
    alone = PreconditionedLassoCV(precondition=True, **options).fit(X, y)
    lasso = PreconditionedLassoCV(precondition=False, **options).fit(X, y)
    means = [m.mse_path_.mean(axis=1).min() for m in (alone, lasso)]
    assert means[0] < means[1] and both.used_preconditioner_
    assert both.least_mse_ == {"preconditioned": means[0], "plain": means[1]}
    np.testing.assert_array_equal(both.coef_, alone.coef_)
    easy = X[:, :5].sum(axis=1)
    easy = easy + 0.3 * np.random.default_rng(2).standard_normal(150)
    both = PreconditionedLassoCV(**options).fit(X, easy)
    chosen = min(both.least_mse_, key=both.least_mse_.get)
    assert both.used_preconditioner_ == (chosen == "preconditioned")


def test_the_first_strength_is_the_least_that_frees_nothing(factors):
    X, y = factors
    model = PreconditionedLassoCV(precondition=True, random_state=0, eps=0.1).fit(X, y)
    at, below = model.alphas_[0] * np.array([1 + 1e-9, 0.99])
    fits = [PreconditionedLasso(a, random_state=0).fit(X, y) for a in (at, below)]
    pivots = set(model.pivots_)
    used = [set(np.flatnonzero(m.coef_preconditioned_)) - pivots for m in fits]
    assert not used[0] and used[1]


def test_one_standard_error(plain):
    X, y = plain
    model = PreconditionedLassoCV(one_se=True, random_state=0).fit(X, y)
    mean = model.mse_path_.mean(axis=1)
    best = mean.argmin()
    limit = mean[best] + model.mse_path_[best].std(ddof=1) / np.sqrt(5)
    assert model.alpha_ == max(model.alphas_[mean <= limit]) > model.alphas_[best]


def test_number_of_columns_by_validation(factors):
    X, y = factors
    options = {"alphas": ALPHAS, "random_state": 0, "precondition": True}
    model = PreconditionedLassoCV(n_nonzero_coefs="cv", **options).fit(X, y)
    size = int(model.subset_mse_path_.mean(axis=1).argmin()) + 1
    assert model.n_nonzero_coefs_ == np.count_nonzero(model.coef_) == size
    threads = clone(model).set_params(n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(threads.subset_mse_path_, model.subset_mse_path_)
    # The best single columns are known by enumeration.
    folds = KFold(5).split(X)
    for f, (train, test) in enumerate(folds):
        fits = [
            LinearRegression().fit(X[train, j : j + 1], y[train]) for j in range(60)
        ]
        losses = [
            np.mean((y[train] - fit.predict(X[train, j : j + 1])) ** 2)
            for j, fit in enumerate(fits)
        ]
        j = int(np.argmin(losses))
        error = np.mean((y[test] - fits[j].predict(X[test, j : j + 1])) ** 2)
        np.testing.assert_allclose(model.subset_mse_path_[0, f], error, rtol=1e-9)


def test_a_given_number_of_columns(factors):
    X, y = factors
    model = PreconditionedLassoCV(
        n_nonzero_coefs=5, alphas=ALPHAS, random_state=0, precondition=True
    ).fit(X, y)
    support = model.get_support(indices=True)
    assert model.n_nonzero_coefs_ == len(support) == 5
    expected = LinearRegression().fit(X[:, support], y).predict(X[:, support])
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-8)


def test_integer_weights_are_repeated_rows(factors):
    X, y = factors
    weight = np.random.default_rng(4).integers(0, 4, 150)
    rows, groups = np.repeat(np.arange(150), weight), np.arange(150) % 4
    model = PreconditionedLassoCV(
        alphas=ALPHAS, random_state=0, cv=GroupKFold(4), tol=1e-10
    )
    weighted = clone(model).fit(X, y, sample_weight=weight, groups=groups)
    repeated = clone(model).fit(X[rows], y[rows], groups=groups[rows])
    assert weighted.alpha_ == repeated.alpha_
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), atol=1e-7)
    first, second = (np.sort(m.mse_path_, axis=1) for m in (weighted, repeated))
    np.testing.assert_allclose(first, second, rtol=1e-4)


def test_same_seed_same_bits(factors):
    X, y = factors
    model = PreconditionedLassoCV(alphas=ALPHAS, random_state=0)
    first, again = clone(model).fit(X, y), clone(model).fit(X, y)
    assert first.coef_.tobytes() == again.coef_.tobytes()
    assert first.mse_path_.tobytes() == again.mse_path_.tobytes()


def test_a_constant_target_has_no_coefficients(factors):
    model = PreconditionedLassoCV(random_state=0).fit(factors[0], np.full(150, 0.1))
    assert not model.coef_.any() and model.intercept_ == 0.1


def test_callbacks_see_each_strength(factors):
    X, y = factors
    monitor = ScoringMonitor(scoring="r2")
    model = PreconditionedLassoCV(alphas=ALPHAS, random_state=0)
    model.set_callbacks(monitor).fit(X, y)
    rows = monitor.get_logs().data
    assert len([row for row in rows if row["task_name"] == "alpha"]) == 24
    (whole,) = [row["r2"] for row in rows if row["task_name"] == "fit"]
    np.testing.assert_allclose(whole, model.score(X, y))


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"alphas": [0.1, 0.0]}, "alphas must be"),
        ({"alphas": 0}, "alphas"),
        ({"eps": 1.0}, "eps"),
        ({"precondition": "never"}, "precondition"),
        ({"n_nonzero_coefs": "all"}, "n_nonzero_coefs"),
        ({"n_nonzero_coefs": 61}, "n_nonzero_coefs must be an integer from 1 to 60"),
        ({"cv": [([0, 1], [150])]}, "cv names rows"),
    ],
)
def test_bad_parameters_are_named(factors, parameters, match):
    with pytest.raises(ValueError, match=match):
        PreconditionedLassoCV(**parameters).fit(*factors)


def test_folds_without_weight(factors):
    X, y = factors
    weight = np.ones(150)
    weight[:30] = 0.0
    model = PreconditionedLassoCV(alphas=ALPHAS, random_state=0)
    assert clone(model).fit(X, y, sample_weight=weight).mse_path_.shape == (12, 4)
    with pytest.raises(ValueError, match="no fold with test rows"):
        clone(model).set_params(cv=[(np.arange(30, 150), np.arange(30))]).fit(
            X, y, sample_weight=weight
        )
