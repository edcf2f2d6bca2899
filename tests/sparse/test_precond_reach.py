"""How far down the strengths of PreconditionedLassoCV go."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from skloss.sparse._inputs import read_sample
from skloss.sparse._preconditioned_design import Target
from skloss.sparse.preconditioned_lasso_cv import PreconditionedLassoCV
from skloss.sparse.sparse_regressor_cv import SparseRegressorCV

pytestmark = pytest.mark.filterwarnings(
    "error::sklearn.exceptions.ConvergenceWarning",
)


def cancelling(noise, seed=0, n=150, d=60, k=5):
    """Columns of three factors, and the combination of five that nearly cancels."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3)) @ rng.standard_normal((3, d))
    X = StandardScaler().fit_transform(X + noise * rng.standard_normal((n, d)))
    support = rng.choice(d, k, replace=False)
    signal = X[:, support] @ np.linalg.svd(X[:, support])[2][-1]
    signal /= signal.std()
    return X, signal + 0.3 * rng.standard_normal(n), signal


def error(model, X, signal):
    prediction = model.predict(X)
    return np.mean((prediction - prediction.mean() - signal) ** 2)


def test_a_path_does_not_end_where_it_stands_still():
    # The factors are in the model from early on, and nothing else for decades.
    X, y, signal = cancelling(1e-4)
    short = PreconditionedLassoCV(eps=1e-3, precondition=False).fit(X, y)
    assert error(short, X, signal) > 0.9
    model = PreconditionedLassoCV(precondition=False).fit(X, y)
    assert error(model, X, signal) < 0.05
    mean = model.mse_path_.mean(axis=1)
    assert 0 < mean.argmin() < mean.size - 1
    assert model.alpha_ == model.alphas_[mean.argmin()]
    np.testing.assert_allclose(model.alphas_[:100], short.alphas_)
    np.testing.assert_allclose(np.diff(np.log(model.alphas_)), np.log(1e-3) / 99)


@pytest.mark.parametrize("noise", [1.0, 0.1, 1e-2, 1e-3, 1e-4])
def test_never_far_behind_a_long_path(noise):
    errors = []
    for seed in range(4):
        X, y, signal = cancelling(noise, seed)
        model = PreconditionedLassoCV(random_state=0).fit(X, y)
        other = SparseRegressorCV(alphas=170, eps=1e-5).fit(X, y)
        errors.append([error(fit, X, signal) for fit in (model, other)])
    ours, others = np.mean(errors, axis=0)
    assert ours < 1.2 * others < 0.1


@pytest.mark.parametrize("n", [40, 200])
def test_it_does_not_go_on_where_it_need_not(n):
    # With 40 rows the smallest strengths overfit; with 200 least squares is reached.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 60))
    y = X[:, :3].sum(axis=1) + rng.standard_normal(n)
    assert len(PreconditionedLassoCV(random_state=0).fit(X, y).alphas_) == 100


def test_a_longer_path_has_to_be_clearly_better():
    # Its least error is lower, but by less than the folds can tell.
    X, _, _ = cancelling(1e-2, seed=3)
    rng = np.random.default_rng(0)
    n_longer = 0
    for _ in range(8):
        y = X[:, :5].sum(axis=1)
        y = y / y.std() + 0.3 * rng.standard_normal(150)
        model = PreconditionedLassoCV(precondition=False).fit(X, y)
        long = PreconditionedLassoCV(alphas=134, eps=1e-4, precondition=False)
        errors = long.fit(X, y).mse_path_
        mean = errors.mean(axis=1)
        first, last = mean[:100].argmin(), 100 + mean[100:].argmin()
        gains = errors[first] - errors[last]
        n_longer += 0 < gains.mean() < gains.std(ddof=1) / np.sqrt(5)
        if gains.mean() < gains.std(ddof=1) / np.sqrt(5):
            assert model.alpha_ >= 0.999e-3 * model.alphas_[0]
    assert n_longer


def test_a_given_grid_is_kept():
    X, y, _ = cancelling(1e-4)
    given = PreconditionedLassoCV(alphas=[0.5, 0.1]).fit(X, y)
    np.testing.assert_array_equal(given.alphas_, [0.5, 0.1])
    single = PreconditionedLassoCV(alphas=1).fit(X, y)
    assert single.alphas_.shape == (1,)


@pytest.mark.parametrize("weighted", [False, True])
def test_what_least_squares_can_gain(weighted):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((80, 12))
    X[:, 5] = X[:, 2]
    X[:, 7] = 1.0
    y = X[:, 0] + rng.standard_normal(80)
    s = rng.integers(0, 3, 80) if weighted else np.ones(80)
    model = PreconditionedLassoCV(precondition=False)
    sample = read_sample(model, X, y, s)
    target = Target.read(sample.y, sample.weight, True)
    (phase,) = model._phases(sample)
    ((fit,),) = phase.design.path(target, np.array([0.1]), tol=1e-12)
    root = np.sqrt(s / s.sum())
    A = root[:, None] * np.column_stack([np.ones(80), X])
    rest = root * y - A @ np.linalg.lstsq(A, root * y, rcond=None)[0]
    left = 2 * (fit.objective - 0.1 * np.abs(fit.values).sum())
    np.testing.assert_allclose(
        phase.design.possible_gain(fit), left - rest @ rest, rtol=1e-6
    )


def test_a_constant_target_needs_no_path():
    X, _, _ = cancelling(1e-2)
    assert len(PreconditionedLassoCV().fit(X, np.ones(150)).alphas_) == 100
