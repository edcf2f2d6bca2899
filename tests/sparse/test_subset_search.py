"""The local search: what it finds, and that no exchange improves it."""

from itertools import combinations

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import OrthogonalMatchingPursuit

from skloss.sparse import (
    BestSubsetRegressor,
    _subset_columns,
    _subset_design,
    best_subset_path,
)
from skloss.sparse._subset_design import Layout, SubsetDesign
from skloss.sparse._subset_item_kernels import nonnegative_loss
from skloss.sparse._subset_kernels import _has
from skloss.sparse._subset_search import SubsetSearch, search_path
from tests.sparse.subset_cases import (
    correlated,
    diabetes_with_squares,
    enumerated,
    mean_square,
    objective,
    power_law,
)


def design_of(X, y, weight=None, center=True, **options):
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float)
    return SubsetDesign(X, y, weight / weight.sum(), center=center, **options)


def search(design, most, **options):
    return search_path(design, most, random=np.random.RandomState(0), **options)


def test_diabetes_subsets_are_those_of_enumeration():
    X, y = diabetes_with_squares()
    assert X.shape[1] == 64
    supports = search(design_of(X, y), 4)
    found = [mean_square(X, y, support) for support in supports[1:]]
    np.testing.assert_allclose(found, [3205.190, 3083.051, 2990.232], atol=6e-4)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_small_subsets_are_those_of_enumeration(seed, l2):
    X, y = correlated(40, 12, seed)
    supports = search(design_of(X, y, l2=l2), 3)
    for k, support in enumerate(supports, 1):
        lowest = enumerated(X, y, k, l2=l2)
        assert objective(X, y, support, l2=l2) == pytest.approx(lowest, rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_no_exchange_lowers_the_objective(seed):
    X, y = correlated(60, 40, seed, rho=0.99)
    weight = np.random.RandomState(seed).randint(0, 3, 60)
    (*_, support) = search(design_of(X, y, weight, l2=0.01), 5, n_starts=0)
    options = {"weight": weight, "l2": 0.01}
    reached = objective(X, y, support, **options)
    for i in range(5):
        for j in np.setdiff1d(np.arange(40), support):
            other = np.append(np.delete(support, i), j)
            assert objective(X, y, other, **options) >= reached * (1 - 1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_residuals_fall_with_the_size_and_are_at_most_those_of_pursuit(seed):
    X, y = correlated(80, 50, seed, rho=0.95)
    Z = (X - X.mean(0)) / X.std(0)
    supports = search(design_of(X, y), 8, n_starts=0)
    found = [mean_square(X, y, support) for support in supports]
    assert (np.diff(found) <= 1e-12).all()
    for k in range(1, 9):
        pursuit = OrthogonalMatchingPursuit(n_nonzero_coefs=k).fit(Z, y)
        assert found[k - 1] <= np.mean((y - pursuit.predict(Z)) ** 2) * (1 + 1e-9)


def test_orthonormal_columns_are_cut_by_size():
    random = np.random.RandomState(0)
    Q = np.linalg.qr(random.standard_normal((50, 20)))[0]
    y = random.standard_normal(50)
    for k, support in enumerate(search(design_of(Q, y, center=False), 6), 1):
        largest = np.argsort(-np.abs(Q.T @ y))[:k]
        assert set(support) == set(largest)


def test_planted_support_is_beaten_where_columns_are_nearly_dependent():
    random = np.random.RandomState(1)
    n, d, k = 150, 600, 8
    X = random.standard_normal((n, d))
    for j in range(1, d):
        X[:, j] = 0.99 * X[:, j - 1] + np.sqrt(1 - 0.99**2) * X[:, j]
    planted = random.choice(d, k, replace=False)
    signal = X[:, planted] @ random.choice([-1.0, 1.0], k)
    y = signal + random.standard_normal(n) * signal.std() / np.sqrt(10)
    support = search(design_of(X, y), k)[-1]
    assert mean_square(X, y, support) <= mean_square(X, y, planted) * (1 + 1e-9)


def laid_out(X):
    """The same numbers in every layout that a design comes in."""
    wide = np.zeros((len(X), 2 * X.shape[1]))
    wide[:, ::2] = X
    return {
        "C": np.ascontiguousarray(X),
        "F": np.asfortranarray(X),
        "strided": wide[:, ::2],
        "float32": X.astype(np.float32),
        "sparse": sparse.csc_array(X),
    }


@pytest.mark.parametrize("layout", ["C", "F", "strided", "float32", "sparse"])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("shift", [0.0, 1e3])
@pytest.mark.parametrize("most_copied", [0, None])
def test_every_layout_has_the_same_gram_matrix(
    monkeypatch, layout, center, shift, most_copied
):
    random = np.random.RandomState(0)
    X = random.standard_normal((30, 8)) * (random.uniform(size=(30, 8)) < 0.4)
    X[:, 2:4] += shift
    X = X.astype(np.float32).astype(float)  # the same numbers in single precision
    y, weight = random.standard_normal(30), random.uniform(0.5, 2.0, 30)
    s = weight / weight.sum()
    Z = X - s @ X if center else X
    scale = np.sqrt(s @ Z**2)
    Z = Z / scale
    expected = Z.T @ (s[:, None] * Z)
    if most_copied is not None:
        monkeypatch.setattr(_subset_columns, "_COPIED", most_copied)
    design = design_of(laid_out(X)[layout], y, weight, center)
    np.testing.assert_allclose(design.scale, scale, rtol=1e-10)
    np.testing.assert_allclose(design.center, s @ X if center else 0.0, rtol=1e-12)
    np.testing.assert_allclose(
        design.columns.at(np.arange(8)), Z * np.sqrt(s)[:, None], atol=1e-10
    )
    np.testing.assert_allclose(design.gram(), expected, atol=1e-10)
    u = y - s @ y if center else y
    q = Z.T @ (s * u) / np.sqrt(s @ u**2)
    np.testing.assert_allclose(design.q, q, atol=1e-10)


def test_data_in_place_are_not_copied_and_large_means_are():
    random = np.random.RandomState(0)
    X, y = random.standard_normal((20, 6)), random.standard_normal(20)
    assert np.shares_memory(design_of(X, y).columns.table.A, X)
    F = np.asfortranarray(X)
    assert np.shares_memory(design_of(F, y).columns.table.A, F)
    assert not np.shares_memory(design_of(X + 1e6, y).columns.table.A, X)
    plain, far = design_of(X, y).gram(), design_of(X + 1e6, y).gram()
    np.testing.assert_allclose(far, plain, atol=1e-9)  # X + 1e6 has lost six digits


def test_full_cache_starts_anew(monkeypatch):
    X, y = correlated(60, 40, 0, rho=0.95)
    roomy = search(design_of(X, y), 6, n_starts=0)
    monkeypatch.setattr(_subset_design, "_CACHE", 40 * 8)
    tight = design_of(X, y)
    again = search(tight, 6, n_starts=0)
    assert len(tight.grams.rows) < 40
    for ours, theirs in zip(again, roomy, strict=True):
        assert mean_square(X, y, ours) == pytest.approx(mean_square(X, y, theirs))


def test_penalties_share_the_gram_matrix():
    X, y = correlated(60, 20, 0)
    design = design_of(X, y)
    for l2 in (0.0, 0.1, 0.0):
        shared = search(design.with_l2(l2), 4, n_starts=0)
        alone = search(design_of(X, y, l2=l2), 4, n_starts=0)
        for ours, theirs in zip(shared, alone, strict=True):
            assert set(ours) == set(theirs)


def test_dependent_columns_of_a_start_are_replaced():
    X, y = correlated(60, 20, 0)
    X = np.column_stack([X, X[:, 0] + X[:, 1]])
    support, loss = SubsetSearch(design_of(X, y), 3).improved(np.array([0, 1, 20]), 3)
    assert len(set(support)) == 3
    expected = 2 * objective(X, y, support) / y.var()
    assert loss == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_nonnegative_loss_is_that_of_scipy(seed):
    X, y = correlated(30, 8, seed)
    design = design_of(X, y, l2=0.01)
    G = design.gram() + 0.01 * np.eye(8)
    expected = 2 * objective(X, y, range(8), l2=0.01, positive=True) / y.var()
    assert nonnegative_loss(G, design.q, 8) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_groups_are_those_of_enumeration(positive, l2):
    groups = np.array([3, 3, 1, 1, 1, 7, 0, 0, 9, 9, 4, 4])
    for seed in range(3):
        X, y = correlated(40, 12, seed)
        design = design_of(X, y, l2=l2, positive=positive)
        layout = Layout.of(design, np.unique(groups, return_inverse=True)[1])
        items = search(design, 3, layout=layout)[-1]
        columns = layout.columns(items)
        options = {"l2": l2, "positive": positive}
        lowest = enumerated(X, y, 3, groups=groups, **options)
        assert objective(X, y, columns, **options) == pytest.approx(lowest, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_positive_subsets_are_those_of_enumeration(seed):
    X, y = correlated(40, 11, seed)
    design = design_of(X, y, positive=True)
    supports = search(design, 3, layout=Layout.of(design))
    for k, support in enumerate(supports, 1):
        lowest = enumerated(X, y, k, positive=True)
        found = objective(X, y, support, positive=True)
        assert found == pytest.approx(lowest, rel=1e-9)


def test_leaving_columns_out_finds_better_subsets_of_a_power_law():
    reached = np.zeros((6, 2))
    for seed, row in enumerate(reached):
        X, y, planted = power_law(150, 600, 8, seed)
        for at, patience in enumerate((0, 10)):
            support = search(design_of(X, y), 8, n_starts=0, patience=patience)[-1]
            row[at] = mean_square(X, y, support) / mean_square(X, y, planted)
    assert (reached[:, 1] <= reached[:, 0] * (1 + 1e-9)).all()
    assert (reached[:, 1] < reached[:, 0] * (1 - 1e-3)).sum() >= 3
    succeeded = (reached <= 1 + 1e-9).sum(axis=0)
    assert succeeded[1] > succeeded[0]


@pytest.mark.parametrize("kind", ["groups", "positive"])
def test_detours_help_groups_and_signs_too(kind):
    improved = 0
    for seed in range(8):
        random = np.random.RandomState(seed)
        X = 0.3 * random.standard_normal((120, 90))
        X += random.standard_normal((120, 6)) @ random.standard_normal((6, 90))
        groups = np.arange(90) // 3
        chosen = np.isin(groups, random.choice(30, 5, replace=False))
        signal = X[:, chosen] @ random.choice([-1.0, 1.0], 15)
        if kind == "positive":
            signal = X[:, ::12] @ random.uniform(0.5, 1.5, 8)
        y = signal + random.standard_normal(120) * signal.std() / 3
        reached = []
        for patience in (0, 4):
            design = design_of(X, y, positive=kind == "positive")
            layout = Layout.of(design, groups if kind == "groups" else None)
            options = {"layout": layout, "n_starts": 0, "patience": patience}
            (*_, items) = search(design, 5, **options)
            reached.append(design.fit(layout.columns(items)).rss)
        assert reached[1] <= reached[0] * (1 + 1e-9)
        improved += reached[1] < reached[0] * (1 - 1e-6)
    assert improved >= 1


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("positive", [False, True])
def test_fits_from_one_decomposition_are_those_of_each(l2, positive):
    X, y = correlated(40, 30, 0, rho=0.99)
    design = design_of(X, y, np.arange(1, 41), l2=l2, positive=positive)
    supports = [np.array([7]), np.array([9, 3]), np.array([3, 4, 5, 20])]
    left = design.mean_squares_left(supports)
    for fit, support, square in zip(design.fits(supports), supports, left):
        alone = design.fit(support)
        np.testing.assert_array_equal(fit.support, alone.support)
        np.testing.assert_allclose(fit.coef, alone.coef, rtol=1e-9, atol=1e-12)
        assert fit.rss == pytest.approx(alone.rss, rel=1e-12)
        assert fit.freedom == pytest.approx(alone.freedom, rel=1e-12)
        assert square == pytest.approx(alone.rss, rel=1e-12)
    assert len(design.mean_squares_left([])) == 0


def test_more_columns_than_rows_are_fitted_one_support_at_a_time():
    random = np.random.RandomState(0)
    X, y = random.standard_normal((8, 30)), random.standard_normal(8)
    design = design_of(X, y)
    supports = [np.arange(3 * k, 3 * k + 3) for k in range(5)]
    left = design.mean_squares_left(supports)
    for support, square in zip(supports, left):
        assert square == pytest.approx(mean_square(X, y, support), rel=1e-10)


def test_a_full_cache_lets_a_sweep_go_on(monkeypatch):
    X, y = correlated(60, 40, 3, rho=0.95)
    roomy = SubsetSearch(design_of(X, y), 6)
    roomy.sweep()
    for columns in (1, 5, 9):
        monkeypatch.setattr(_subset_design, "_CACHE", 40 * columns)
        tight = SubsetSearch(design_of(X, y), 6)
        tight.sweep()
        np.testing.assert_allclose(tight.best.losses, roomy.best.losses, rtol=1e-9)


def test_what_was_left_out_is_let_in_again():
    X, y, _ = power_law(80, 200, 5, 0)
    design = design_of(np.column_stack([X, np.ones(80)]), y)
    search(design, 5, n_starts=0, patience=4)
    np.testing.assert_array_equal(np.flatnonzero(design.blocked), [200])


@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_losses_stay_exact_over_many_moves_among_near_dependent_columns(l2):
    X, y = correlated(60, 80, 0, rho=0.9999)
    subsets = SubsetSearch(design_of(X, y, l2=l2), 6)
    random = np.random.RandomState(0)
    for _ in range(60):
        start = np.sort(random.choice(80, random.randint(1, 7), replace=False))
        target = random.randint(1, 7)
        support, loss = subsets.improved(start, target)
        assert len(support) == target
        expected = 2 * objective(X, y, support, l2=l2) / y.var()
        assert loss == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_pursuit_is_that_of_scikit_learn(seed):
    X, y = correlated(80, 50, seed, rho=0.9)
    Z = (X - X.mean(0)) / X.std(0)
    subsets = SubsetSearch(design_of(X, y), 8)
    subsets.offer_pursuit()
    losses = subsets.design.losses(subsets.pursued())
    for k in range(1, 9):
        pursuit = OrthogonalMatchingPursuit(n_nonzero_coefs=k).fit(Z, y)
        chosen = np.sort(subsets.pursued()[:k])
        np.testing.assert_array_equal(chosen, np.flatnonzero(pursuit.coef_))
        residual = np.mean((y - pursuit.predict(Z)) ** 2)
        assert losses[k - 1] == pytest.approx(residual / y.var(), rel=1e-9)
        assert subsets.best.losses[k] <= losses[k - 1] * (1 + 1e-12)


def test_start_with_more_columns_than_wanted_is_shrunk():
    X, y = correlated(60, 30, 0)
    support, _ = SubsetSearch(design_of(X, y), 3).improved(np.arange(12), 3)
    assert len(support) == 3
    lowest = min(
        objective(X, y, np.append(np.delete(support, i), j))
        for i in range(3)
        for j in np.setdiff1d(np.arange(30), support)
    )
    assert objective(X, y, support) <= lowest * (1 + 1e-9)


@pytest.mark.parametrize("layout", ["C", "F", "strided"])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("n_rows", [2, 7, 8, 61])
def test_gram_columns_of_the_search_are_products(n_rows, center, layout):
    random = np.random.RandomState(0)
    X, y = random.standard_normal((n_rows, 11)), random.standard_normal(n_rows)
    design = design_of(laid_out(X)[layout], y, center=center)
    Z = X - X.mean(axis=0) if center else X
    Z = Z / np.sqrt(np.mean(Z**2, axis=0)) / np.sqrt(n_rows)
    for column, likely in ((3, 7), (10, 3), (0, -1), (5, 5)):
        assert _has(design.grams, column, likely)
    assert design.grams.count[0] == 5
    for column in (3, 7, 10, 0, 5):
        row = design.grams.rows[design.grams.slot[column]]
        np.testing.assert_allclose(row, Z.T @ Z[:, column], atol=1e-13)


def test_a_full_table_makes_what_is_asked_for_alone(monkeypatch):
    monkeypatch.setattr(_subset_design, "_ROOM", 3)
    X, y = correlated(30, 12, 0)
    design = design_of(X, y)
    gram = design_of(X, y).gram()
    assert _has(design.grams, 0, 1) and _has(design.grams, 2, 3)
    assert not _has(design.grams, 4, 5)
    assert design.grams.slot[[0, 1, 2, 3, 4]].tolist() == [0, 1, 2, -1, -1]
    np.testing.assert_allclose(design.grams.rows, gram[:3], atol=1e-13)


@pytest.mark.parametrize("l2", [0.0, 0.02])
def test_no_exchange_of_two_columns_lowers_the_objective(l2):
    improved = 0
    for seed in range(6):
        X, y, _ = power_law(50, 30, 6, seed)
        X[:, 5] = 2.0  # constant: never to enter
        options = {"n_starts": 0, "patience": 0}
        alone = search(design_of(X, y, l2=l2), 6, **options)[-1]
        support = search(design_of(X, y, l2=l2), 6, pair_swaps=True, **options)[-1]
        reached = objective(X, y, support, l2=l2)
        improved += reached < objective(X, y, alone, l2=l2) * (1 - 1e-9)
        others = np.setdiff1d(np.arange(30), [5, *support])
        for kept in combinations(support, 4):
            for entering in combinations(others, 2):
                value = objective(X, y, [*kept, *entering], l2=l2)
                assert value >= reached * (1 - 1e-9)
    assert improved >= 1


def test_paths_search_each_size():
    worse = 0
    for seed in range(25):
        random = np.random.RandomState(seed)
        X, y = random.standard_normal((20, 7)), random.standard_normal(20)
        lowest = [2 * 20 * enumerated(X, y, k) for k in range(1, 6)]
        centred = X - X.mean(axis=0), y - y.mean()
        found = best_subset_path(*centred, 5, random_state=0)[2]
        np.testing.assert_allclose(found, lowest, rtol=1e-9)
        model = BestSubsetRegressor(5, random_state=0).fit(X, y)
        assert (model.rss_path_ >= np.array(lowest) * (1 - 1e-9)).all()
        assert model.rss_path_[-1] == pytest.approx(lowest[-1], rel=1e-9)
        worse += (model.rss_path_ > np.array(lowest) * (1 + 1e-9)).any()
    assert worse <= 5
