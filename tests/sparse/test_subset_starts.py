"""Starts of the subset search that come from L1 paths."""

import numpy as np
import pytest
from scipy import sparse

from skloss.sparse._inputs import as_sample
from skloss.sparse._selection import splits_of
from skloss.sparse._subset_starts import Starts, l1_starts
from skloss.sparse.best_subset import BestSubsetRegressor
from skloss.sparse.best_subset_cv import BestSubsetRegressorCV
from skloss.sparse.subset_path import best_subset_path
from tests.sparse.subset_cases import objective, power_law


def latent(seed, n=200, d=200, k=8, snr=100.0):
    """Columns that twenty factors make half of, and a target of k of them."""
    random = np.random.RandomState(seed)
    X = random.standard_normal((n, 20)) @ random.standard_normal((20, d))
    X += random.standard_normal((n, d))
    planted = np.sort(random.choice(d, k, replace=False))
    signal = X[:, planted] @ (X[:, planted].std(axis=0) ** -1 * random.choice([-1, 1]))
    noise = random.standard_normal(n) * signal.std() / np.sqrt(snr)
    return X, signal + noise, planted


def starts_of(X, y, most=3, **options):
    settings = {"center": True, "positive": False, "random": 0} | options
    return l1_starts(as_sample(X, y, None), [], Starts(most, **settings))[0]


def test_orders_of_orthogonal_columns_are_those_of_their_correlations():
    # There the Lasso is a soft threshold.
    random = np.random.RandomState(0)
    X = random.standard_normal((60, 12))
    Q = np.linalg.qr(X - X.mean(axis=0))[0] * random.uniform(0.1, 10.0, 12)
    y = random.standard_normal(60)
    pulls = y @ (Q / Q.std(axis=0))
    expected = np.argsort(-np.abs(pulls))
    orders = starts_of(Q, y)
    assert 3 <= len(orders[0]) < len(orders[-1])
    for order in orders:
        np.testing.assert_array_equal(order, expected[: len(order)])
    for order in starts_of(Q, y, positive=True):
        kept = expected[pulls[expected] > 0]
        np.testing.assert_array_equal(order, kept[: len(order)])


def test_there_is_a_second_path_where_columns_nearly_reproduce_others():
    random = np.random.RandomState(1)
    X = random.standard_normal((120, 3)) @ random.standard_normal((3, 60))
    X += 0.01 * random.standard_normal((120, 60))
    y = X[:, :5] @ np.linalg.svd(X[:, :5])[2][-1]
    orders = starts_of(X, y, most=5)
    sizes = np.array(list(map(len, orders)))
    (begin,) = 1 + np.flatnonzero(np.diff(sizes) < 0)  # of the second path
    assert not set(range(5)) <= set(orders[0])
    assert set(orders[-1][:5]) == set(range(5)) and begin > 1


def test_folds_have_orders_of_their_own():
    X, y, _ = latent(0)
    sample = as_sample(X, y, None)
    splits = splits_of(None, sample)
    starts = Starts(4, True, False, 0)
    every = l1_starts(sample, splits, starts)
    assert len(every) == 6 and all(map(len, every))
    np.testing.assert_array_equal(every[0][0], l1_starts(sample, [], starts)[0][0])
    assert any(len(a) != len(b) or (a != b).any() for a, b in zip(every[1], every[2]))


@pytest.mark.parametrize("seed", range(6))
def test_they_find_what_exchanges_do_not_find(seed):
    X, y, planted = latent(seed)
    options = {"n_starts": 0, "patience": 0}
    alone = BestSubsetRegressor(8, **options).fit(X, y)
    helped = BestSubsetRegressor(8, l1_starts=True, **options).fit(X, y)
    true = objective(X, y, planted)
    assert helped.objective_ <= true * (1 + 1e-9)
    assert helped.objective_ <= alone.objective_ * (1 + 1e-12)
    if seed == 0:
        assert alone.objective_ > 1.5 * true


def test_they_help_on_spectra_that_fall():
    worse = better = 0
    for seed in range(6):
        X, y, _ = power_law(150, 400, 6, seed)
        options = {"n_starts": 0, "patience": 0}
        alone = BestSubsetRegressor(6, **options).fit(X, y).objective_
        helped = BestSubsetRegressor(6, l1_starts=True, **options).fit(X, y).objective_
        worse += helped > alone * (1 + 1e-12)
        better += helped < alone * (1 - 1e-6)
    assert worse == 0 and better >= 2


def test_folds_choose_better_with_them():
    X, y, planted = latent(0)
    options = {"max_features": 10, "n_starts": 0, "patience": 0, "l2s": [0.0]}
    alone = BestSubsetRegressorCV(l1_starts=False, **options).fit(X, y)
    helped = BestSubsetRegressorCV(**options).fit(X, y)
    assert helped.criterion_path_.min() < 0.6 * alone.criterion_path_.min()
    assert set(planted) <= set(helped.support_)


def test_the_path_function_takes_them_too():
    X, y, planted = latent(0)
    X, y = X - X.mean(axis=0), y - y.mean()
    options = {"n_starts": 0, "patience": 0}
    alone = best_subset_path(X, y, 8, **options)[2]
    coefs, helped = best_subset_path(X, y, 8, l1_starts=True, **options)[1:]
    assert (helped <= alone * (1 + 1e-12)).all()
    np.testing.assert_array_equal(np.flatnonzero(coefs[:, -1]), planted)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array])
def test_sparse_data_give_the_dense_fit(kind):
    random = np.random.RandomState(0)
    X = random.standard_normal((80, 30)) * (random.uniform(size=(80, 30)) < 0.3)
    y = X[:, :4].sum(axis=1) + random.standard_normal(80)
    model = BestSubsetRegressor(4, n_starts=0, l1_starts=True)
    dense = model.fit(X, y).coef_
    np.testing.assert_allclose(model.fit(kind(X), y).coef_, dense, atol=1e-10)


@pytest.mark.parametrize("options", [{}, {"groups": np.arange(200) // 2}], ids=len)
@pytest.mark.parametrize("positive", [False, True])
def test_integer_weights_repeat_rows(options, positive):
    X, y, _ = latent(1)
    weight = np.random.RandomState(0).randint(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    model = BestSubsetRegressor(
        3, n_starts=0, l1_starts=True, positive=positive, random_state=0, **options
    )
    weighted = model.fit(X, y, weight).coef_
    np.testing.assert_allclose(model.fit(X[rows], y[rows]).coef_, weighted, atol=1e-8)


def test_groups_enter_whole():
    X, y, _ = latent(2)
    groups = np.arange(200) // 4
    options = {"n_starts": 0, "groups": groups}
    alone = BestSubsetRegressor(4, **options).fit(X, y)
    helped = BestSubsetRegressor(4, l1_starts=True, **options).fit(X, y)
    assert helped.objective_ <= alone.objective_ * (1 + 1e-12)
    chosen, counts = np.unique(groups[helped.support_], return_counts=True)
    assert len(chosen) == 4 and (counts == 4).all()


def test_a_constant_target_has_no_starts():
    X, _, _ = latent(0)
    assert starts_of(X, np.ones(200)) == []
    model = BestSubsetRegressor(3, l1_starts=True).fit(X, np.ones(200))
    assert not model.coef_.any()
