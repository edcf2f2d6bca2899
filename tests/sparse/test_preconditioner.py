"""DesignPreconditioner against dense matrices and plain least squares."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from skloss.sparse.design_preconditioner import DesignPreconditioner
from skloss.sparse.support_condition import random_support_condition


def factor_design(seed, n=200, d=60, noise=0.1, n_factors=3):
    """Columns that few of them nearly determine, far from zero and of many scales."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, n_factors)) @ rng.standard_normal((n_factors, d))
    X += noise * rng.standard_normal((n, d))
    return (X + 3 * rng.standard_normal(d)) * np.exp(rng.standard_normal(d))


@pytest.fixture(scope="module")
def X():
    return factor_design(0)


@pytest.fixture(scope="module")
def fitted(X):
    model = DesignPreconditioner(random_state=0).fit(X)
    assert model.n_rounds_ >= 1
    return model


def dense_matrix(model):
    """M (d, d), column by column."""
    return model.coef_to_original(np.eye(model.n_features_in_)).T


def test_new_columns_are_products_with_one_matrix(X, fitted):
    centred = X - X.mean(axis=0)
    np.testing.assert_allclose(
        centred @ dense_matrix(fitted), fitted.transform(X), atol=1e-10
    )


def test_new_columns_have_unit_mean_square(X, fitted):
    A = fitted.transform(X)
    np.testing.assert_allclose((A**2).mean(axis=0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(A.mean(axis=0), 0.0, atol=1e-10)


def test_weighted_columns_have_unit_mean_square(X):
    weight = np.random.default_rng(1).integers(0, 3, len(X)).astype(float)
    A = DesignPreconditioner(random_state=0).fit_transform(X, sample_weight=weight)
    np.testing.assert_allclose(np.average(A**2, axis=0, weights=weight), 1.0)


def test_a_round_leaves_what_least_squares_leaves(X):
    """One round, written out with numpy's own least squares."""
    model = DesignPreconditioner(random_state=0, support_size=5, max_pivots=5).fit(X)
    assert model.n_rounds_ == 1
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    P = Z[:, model.pivots_]
    rest = Z - P @ np.linalg.lstsq(P, Z, rcond=None)[0]
    left = rest.std(axis=0)
    limit = 0.5 * np.sqrt(1 - 5 / len(X))
    expected = np.where((left <= limit) & (left >= 1e-6), rest / left, Z)
    expected[:, model.pivots_] = P
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-10)


def test_round_trips(X, fitted):
    u = np.random.default_rng(2).standard_normal((3, X.shape[1]))
    M = dense_matrix(fitted)
    allowed = 1e-10 * np.linalg.cond(M * fitted.scale_[:, None])
    back = fitted.coef_to_preconditioned(fitted.coef_to_original(u))
    np.testing.assert_allclose(back, u, atol=allowed)
    np.testing.assert_allclose(fitted.coef_to_original(u[0]), M @ u[0], atol=1e-10)
    np.testing.assert_allclose(fitted.inverse_transform(fitted.transform(X)), X)


def test_predictions_do_not_depend_on_the_basis(X, fitted):
    w = np.random.default_rng(3).standard_normal(X.shape[1])
    u = fitted.coef_to_preconditioned(w)
    np.testing.assert_allclose(
        fitted.transform(X) @ u, (X - X.mean(axis=0)) @ w, atol=1e-9
    )


def test_log_volume_is_that_of_the_matrix(fitted):
    _, expected = np.linalg.slogdet(fitted.scale_[:, None] * dense_matrix(fitted))
    assert fitted.log_volume_ > 1
    np.testing.assert_allclose(fitted.log_volume_, expected, rtol=1e-10)


@pytest.mark.parametrize("noise", [1e-2, 1e-4, 1e-5])
def test_little_noise_is_not_dependence(noise):
    X = factor_design(0, noise=noise)
    model = DesignPreconditioner(random_state=0).fit(X)
    assert model.n_rounds_ >= 1
    A = model.transform(X)
    np.testing.assert_allclose((A**2).mean(axis=0), 1.0, rtol=1e-9)
    DM = dense_matrix(model) * model.scale_[:, None]
    np.testing.assert_allclose(model.log_volume_, np.linalg.slogdet(DM)[1], rtol=1e-10)
    u = np.random.default_rng(2).standard_normal(X.shape[1])
    back = model.coef_to_preconditioned(model.coef_to_original(u))
    np.testing.assert_allclose(back, u, atol=1e-10 * np.linalg.cond(DM))
    np.testing.assert_allclose(model.inverse_transform(A), X)
    # What the pivots leave is the noise, which is not related.
    others = np.setdiff1d(np.arange(X.shape[1]), model.pivots_)
    before = random_support_condition(X, 6, random_state=0)
    after = random_support_condition(A[:, others], 6, random_state=0)
    assert np.median(before) > 0.1 / noise and np.median(after) < 3


def test_rounding_is_dependence():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 60))
    model = DesignPreconditioner(random_state=0).fit(X)
    assert model.n_rounds_ == 0 and model.log_volume_ == 0


def test_sparse_vectors_stay_sparse(fitted):
    rng = np.random.default_rng(4)
    for _ in range(20):
        w = np.zeros(fitted.n_features_in_)
        w[rng.choice(w.size, 4, replace=False)] = rng.standard_normal(4)
        u = fitted.coef_to_preconditioned(w)
        assert np.count_nonzero(u) <= 4 + len(fitted.pivots_)


def test_the_basis_is_better_conditioned(X, fitted):
    before = np.linalg.cond((X - X.mean(axis=0)) / X.std(axis=0))
    assert np.linalg.cond(fitted.transform(X)) < 0.7 * before


@pytest.mark.parametrize("convert", [sparse.csr_matrix, sparse.csc_array])
def test_sparse_designs_give_the_same_basis(X, fitted, convert):
    other = DesignPreconditioner(random_state=0).fit(convert(X))
    np.testing.assert_array_equal(other.pivots_, fitted.pivots_)
    np.testing.assert_allclose(other.log_volume_, fitted.log_volume_)
    np.testing.assert_allclose(
        other.transform(convert(X)), fitted.transform(X), atol=1e-9
    )


def test_several_rounds_on_sparse_designs(X):
    options = {"random_state": 3, "support_size": 2, "max_pivots": 12}
    dense = DesignPreconditioner(**options).fit(X)
    other = DesignPreconditioner(**options).fit(sparse.csc_array(X))
    assert dense.n_rounds_ == other.n_rounds_ > 1
    np.testing.assert_allclose(other.transform(X), dense.transform(X), atol=1e-8)


def test_same_seed_same_bits_and_y_is_not_seen(X, fitted):
    again = clone(fitted).fit(X, np.random.default_rng(5).standard_normal(len(X)))
    assert again.transform(X).tobytes() == fitted.transform(X).tobytes()


def test_unrelated_columns_stay_as_they_are(rng):
    X = rng.standard_normal((300, 40))
    model = DesignPreconditioner(random_state=0).fit(X)
    assert model.n_rounds_ == 0 and model.log_volume_ == 0 and not len(model.pivots_)
    np.testing.assert_allclose(
        model.transform(X), (X - X.mean(axis=0)) / X.std(axis=0), atol=1e-12
    )


def test_integer_weights_are_repeated_rows(X):
    weight = np.random.default_rng(6).integers(0, 4, len(X))
    rows = np.repeat(np.arange(len(X)), weight)
    weighted = DesignPreconditioner(random_state=0).fit(X, sample_weight=weight)
    repeated = DesignPreconditioner(random_state=0).fit(X[rows])
    np.testing.assert_array_equal(weighted.pivots_, repeated.pivots_)
    np.testing.assert_allclose(weighted.transform(X), repeated.transform(X), atol=1e-10)


def test_constant_and_duplicate_columns_are_never_drawn(X):
    wide = np.column_stack([X, np.full(len(X), 1e8), X[:, :50]])
    for seed in range(5):
        model = DesignPreconditioner(random_state=seed).fit(wide)
        assert model.n_rounds_ and model.pivots_.max() < X.shape[1]
        A = model.transform(wide)
        assert (A[:, X.shape[1]] == 0).all()
        standardised = (X - X.mean(axis=0)) / X.std(axis=0)
        np.testing.assert_allclose(
            A[:, X.shape[1] + 1 :], standardised[:, :50], atol=1e-10
        )


def test_the_limit_on_pivots_holds(X):
    for most in (0, 4, 9):
        model = DesignPreconditioner(4, max_pivots=most, random_state=0).fit(X)
        assert len(model.pivots_) <= most


def test_dependent_pivots_are_left_out(rng):
    """Exactly three directions: five pivots can have no more."""
    X = rng.standard_normal((100, 3)) @ rng.standard_normal((3, 30))
    X[:, :15] += 0.2 * rng.standard_normal((100, 15))
    model = DesignPreconditioner(8, threshold=0.9, random_state=0).fit(X)
    assert np.isfinite(model.transform(X)).all()
    np.testing.assert_allclose((model.transform(X) ** 2).mean(axis=0), 1.0)


def test_float32_in_float32_out(X, fitted):
    A = DesignPreconditioner(random_state=0).fit_transform(X.astype(np.float32))
    assert A.dtype == np.float32
    np.testing.assert_allclose(A, fitted.transform(X), atol=1e-3)


def test_names_stay(X):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])])
    model = DesignPreconditioner(random_state=0).fit(frame)
    assert list(model.get_feature_names_out()) == list(frame.columns)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"support_size": 0}, "support_size"),
        ({"threshold": 1.0}, "threshold"),
        ({"max_pivots": -1}, "max_pivots"),
    ],
)
def test_bad_parameters_are_named(X, parameters, match):
    with pytest.raises(ValueError, match=match):
        DesignPreconditioner(**parameters).fit(X)


def test_bad_data_are_named(X, fitted):
    with pytest.raises(ValueError, match="NaN"):
        DesignPreconditioner().fit(np.where(X[3, 3] == X, np.nan, X))
    with pytest.raises(ValueError, match="1 sample"):
        DesignPreconditioner().fit(X[:1])
    with pytest.raises(ValueError, match="not negative"):
        DesignPreconditioner().fit(X, sample_weight=-np.ones(len(X)))
    with pytest.raises(ValueError, match="u must have 60"):
        fitted.coef_to_original(np.ones(3))


# ------------------------------------------------- the condition of random supports


def test_condition_is_that_of_the_drawn_columns(X):
    """All columns drawn: the singular values are known."""
    Z = (X[:, :6] - X[:, :6].mean(axis=0)) / X[:, :6].std(axis=0)
    smallest = np.linalg.svd(Z / np.sqrt(len(Z)), compute_uv=False)[-1]
    for data in (X[:, :6], sparse.csr_array(X[:, :6])):
        found = random_support_condition(data, 6, n_draws=3, random_state=0)
        np.testing.assert_allclose(found, 1 / smallest, rtol=1e-8)


def test_condition_of_pairs_follows_from_correlations(rng):
    X = rng.standard_normal((50, 2)) @ [[1, 0.9], [0, 0.3]]
    r = abs(np.corrcoef(X.T)[0, 1])
    found = random_support_condition(X, 2, n_draws=1, random_state=0)
    np.testing.assert_allclose(found, 1 / np.sqrt(1 - r), rtol=1e-10)


def test_dependent_columns_have_infinite_condition(rng):
    X = rng.standard_normal((30, 2)) @ rng.standard_normal((2, 8))
    assert np.isinf(random_support_condition(X, 3, 5, random_state=0)).all()


def test_condition_names_what_is_wrong(X):
    with pytest.raises(ValueError, match="support_size=61"):
        random_support_condition(X, 61)
    with pytest.raises(ValueError, match="n_draws"):
        random_support_condition(X, 2, 0)
