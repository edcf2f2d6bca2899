"""Stability selection: its bounds, its base procedure, its use."""

import itertools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_backend
from scipy import sparse
from scipy.optimize import linprog, minimize
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, lars_path
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skloss.sparse._entry_order import HalvesDesign, first_to_enter
from skloss.sparse._error_control import (
    expected_false_bound,
    largest_count,
    least_threshold,
    r_concave_tail,
    unimodal_tail,
    votes_needed,
)
from skloss.sparse._inputs import as_sample
from skloss.sparse.stability_selector import StabilitySelector
from skloss.sparse.stability_theory import stability_bound


@parametrize_with_checks(
    [StabilitySelector(), StabilitySelector(Lasso(alpha=0.01), n_pairs=3)]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def largest_unimodal_tail(mean, least, size):
    """Linear programs over all distributions with each mode."""
    best = 0.0
    for mode in range(size + 1):
        rises = np.zeros((size, size + 1))
        for i in range(size):
            rises[i, i : i + 2] = (1, -1) if i < mode else (-1, 1)
        found = linprog(
            -(np.arange(size + 1) >= least).astype(float),
            A_ub=np.vstack([rises, np.arange(size + 1)]),
            b_ub=np.append(np.zeros(size), mean),
            A_eq=np.ones((1, size + 1)),
            b_eq=[1],
        )
        best = max(best, -found.fun if found.success else 0.0)
    return best


@pytest.mark.parametrize(
    ("mean", "least", "size"),
    [(0.1, 3, 10), (1.2, 3, 10), (2.5, 3, 10), (1e-3, 8, 10), (4.7, 9, 10), (2, 2, 4)],
)
def test_unimodal_tail_equals_linear_programs(mean, least, size):
    expected = largest_unimodal_tail(mean, least, size)
    assert unimodal_tail(mean, least, size) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("threshold", [0.6, 0.75, 0.76, 0.9, 1.0])
@pytest.mark.parametrize("n_pairs", [25, 50])
def test_unimodal_bound_and_published_theorem(threshold, n_pairs):
    """Theorem 2 of Shah and Samworth, where its constant is exact, and bounds it."""
    count, p = 10, 500
    bound = expected_false_bound(count, p, threshold, n_pairs, "unimodal")
    half = 1 / (2 * n_pairs)
    tau = votes_needed(threshold, n_pairs) * half
    if tau <= 0.75:
        constant = 1 / (2 * (2 * tau - 1 - half))
    else:
        constant = 4 * (1 - tau + half) / (1 + 2 * half)
    published = constant * count**2 / p
    assert bound <= published * (1 + 1e-9)
    # It is for real numbers of pairs; between them it may be a little above.
    assert bound >= published * 0.98


def test_bound_without_assumption_is_that_of_meinshausen_and_buehlmann():
    for count, p, threshold in [(5, 100, 0.6), (30, 1000, 0.9)]:
        expected = count**2 / ((2 * threshold - 1) * p)
        bound = expected_false_bound(count, p, threshold, 50, "none")
        assert bound == pytest.approx(expected, rel=1e-12)


def tail_by_search(mean, least, size, r, rng):
    """Largest tail over convex ``f ** r`` on all intervals, by a general optimiser."""

    def distribution(parameters, first, last):
        # Convex and positive: a line plus hinges, all of positive weight.
        at = np.arange(last - first + 1.0)
        line, hinges = np.exp(parameters[:2]), np.exp(parameters[2:])
        g = 1e-9 + line[0] * at + line[1] * at[::-1]
        g = g + np.maximum(at[:, None] - at[:-1], 0) @ hinges
        f = np.zeros(size + 1)
        f[first : last + 1] = (g / g.max()) ** (1 / r)
        return f / f.sum()

    value, best = np.arange(size + 1), 0.0
    for first, last in itertools.combinations(range(size + 1), 2):
        if last < least or first > mean:
            continue
        for _ in range(2):
            found = minimize(
                lambda p, *ends: -distribution(p, *ends)[least:].sum(),
                rng.normal(size=last - first + 2),
                args=(first, last),
                constraints={
                    "type": "ineq",
                    "fun": lambda p, *ends: mean - distribution(p, *ends) @ value,
                    "args": (first, last),
                },
                bounds=[(-25, 10)] * (last - first + 2),
                method="SLSQP",
            )
            f = distribution(found.x, first, last)
            if f @ value <= mean * (1 + 1e-9):
                best = max(best, f[least:].sum())
    return best


@pytest.mark.parametrize("r", [-0.5, -0.25])
@pytest.mark.parametrize(("mean", "least", "size"), [(0.3, 2, 4), (0.8, 3, 5)])
@pytest.mark.filterwarnings("ignore:Values in x:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:.*clipping to bounds:RuntimeWarning")
def test_no_r_concave_distribution_has_a_larger_tail(r, mean, least, size):
    tail = r_concave_tail(mean, least, size, r)
    with np.errstate(all="ignore"):
        found = tail_by_search(mean, least, size, r, np.random.default_rng(0))
    assert found <= tail * (1 + 1e-6)
    assert found >= tail * 0.999  # the search gets there: the bound is sharp


@pytest.mark.parametrize("r", [-0.5, -0.25])
@pytest.mark.parametrize(("mean", "least"), [(0.005, 25), (0.5, 40), (9.0, 30)])
def test_a_jump_at_the_end_has_no_larger_tail(r, mean, least):
    """At the usual size: lines, and any larger ``f ** r`` at the last value."""
    size, tail = 50, r_concave_tail(mean, least, 50, r)
    for last, share in itertools.product(range(least, size + 1, 5), [0, 0.3, 0.9]):
        value = np.arange(last + 1)

        def distribution(log_start, value=value, share=share):
            f = (1 + value / np.exp(log_start)) ** (1 / r)
            f[-1] *= share
            return f / f.sum()

        low, high = -40.0, 40.0
        for _ in range(100):
            middle = (low + high) / 2
            below = distribution(middle) @ value < mean
            low, high = (middle, high) if below else (low, middle)
        assert distribution(low)[least:].sum() <= tail * (1 + 1e-9)


def test_bounds_are_ordered():
    for count, threshold in itertools.product([1, 10, 60], [0.55, 0.7, 0.9, 1.0]):
        concave, unimodal, none = (
            stability_bound(300, count, threshold, assumption=assumption)
            for assumption in ("r_concave", "unimodal", "none")
        )
        assert 0 <= concave <= unimodal * (1 + 1e-9)
        assert unimodal <= none * (1 + 1e-9)


def test_open_numbers_are_the_best_ones():
    count = largest_count(1.5, 200, 0.8, 50, "r_concave")
    assert (
        stability_bound(200, count, 0.8) <= 1.5 < stability_bound(200, count + 1, 0.8)
    )
    threshold = least_threshold(1.5, 20, 200, 50, "unimodal")
    kinds = {"assumption": "unimodal"}
    assert stability_bound(200, 20, threshold, **kinds) <= 1.5
    assert stability_bound(200, 20, threshold - 0.01, **kinds) > 1.5


def test_halves_of_pure_noise_keep_the_bound():
    """Simulation: features without effect, of which the bound holds for all."""
    rng, false = np.random.default_rng(0), []
    for _ in range(60):
        X, y = rng.standard_normal((60, 40)), rng.standard_normal(60)
        selector = StabilitySelector(
            n_pairs=25, expected_false=2.0, random_state=rng.integers(2**31)
        )
        false.append(selector.fit(X, y).get_support().sum())
    error = np.std(false) / np.sqrt(len(false))
    assert np.mean(false) <= selector.pfer_bound_ + 3 * error
    assert selector.pfer_bound_ <= 2.0


def entries_of_lars(X, y, count):
    X = X - X.mean(axis=0)
    X = X / np.sqrt(np.square(X).sum(axis=0))
    _, _, coefs = lars_path(X, y - y.mean(), method="lasso", max_iter=20 * count)
    seen = []
    for coef in coefs.T:
        seen += [j for j in np.flatnonzero(coef) if j not in seen]
    return seen[:count]


@pytest.mark.parametrize(
    ("n", "d", "count", "kind"),
    [(60, 20, 8, "dense"), (80, 150, 30, "dense"), (80, 150, 30, "sparse")],
)
def test_entries_equal_those_of_lars(n, d, count, kind):
    """Correlated columns far from zero, so that features leave the model as well."""
    rng = np.random.default_rng(1)
    X = 3 + rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, d))
    X = X * rng.uniform(0.01, 100, size=d)
    y = (X / X.std(axis=0))[:, :5] @ [1, -1, 1, -1, 0.5] + rng.normal(size=n)
    halves = np.stack([rng.permutation(n)[: n // 2] for _ in range(6)])
    given = sparse.csc_array(X) if kind == "sparse" else X
    design = HalvesDesign.read(as_sample(given, y, None))
    found = first_to_enter(design, halves, count)
    assert found.dual_gaps.max() < 1e-12
    for rows, features in zip(halves, found.features):
        assert features.tolist() == entries_of_lars(X[rows], y[rows], count)


def test_frequencies_are_those_of_all_halves(data):
    X, y = data
    selector = StabilitySelector(
        n_pairs=6, n_features_per_half=5, threshold=0.6, random_state=3
    )
    selector.fit(X, y)
    halves, _ = selector._draw(len(y))
    pairs = halves.reshape(6, 2, -1)
    assert all(not set(a) & set(b) for a, b in pairs)
    noted = np.zeros((12, 30), dtype=bool)
    for h, rows in enumerate(halves):
        noted[h, entries_of_lars(X[rows], y[rows], 5)] = True
    np.testing.assert_allclose(selector.selection_frequencies_, noted.mean(axis=0))
    both = noted[::2] & noted[1::2]
    np.testing.assert_allclose(selector.simultaneous_frequencies_, both.mean(axis=0))
    np.testing.assert_array_equal(
        selector.get_support(), noted.sum(axis=0) >= votes_needed(0.6, 6)
    )
    assert selector.pfer_bound_ == stability_bound(30, 5, 0.6, n_pairs=6)


def test_finds_what_matters(data):
    X, y = data
    selector = StabilitySelector(random_state=0).fit(X, y)
    assert selector.get_support(indices=True).tolist() == [2, 7, 11, 20]


@pytest.mark.parametrize("convert", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_equals_dense(data, convert):
    X, y = data
    X = np.where(np.abs(X - 3) < 1, 0.0, X)
    dense = StabilitySelector(random_state=0).fit(X, y)
    thin = StabilitySelector(random_state=0).fit(convert(X), y)
    np.testing.assert_array_equal(
        thin.selection_frequencies_, dense.selection_frequencies_
    )
    assert sparse.issparse(thin.transform(convert(X)))
    back = thin.inverse_transform(thin.transform(convert(X)))
    np.testing.assert_array_equal(back.toarray(), np.where(dense.get_support(), X, 0.0))


def test_units_do_not_matter(data):
    X, y = data
    plain = StabilitySelector(random_state=0).fit(X, y)
    unit = 10.0 ** np.random.default_rng(0).integers(-100, 100, size=30)
    for Z, target in [(X * unit, y), (X + 1e3, y), (X, 1e-90 * y), (X, 1e90 * y - 5)]:
        other = StabilitySelector(random_state=0).fit(Z, target)
        np.testing.assert_array_equal(
            other.selection_frequencies_, plain.selection_frequencies_
        )


def test_constant_and_equal_columns(data):
    X, y = data
    plain = StabilitySelector(random_state=0).fit(X, y)
    more = np.column_stack([np.full(120, 7.7), X, X[:, 2], np.zeros(120)])
    selector = StabilitySelector(random_state=0).fit(more, y)
    # They cannot be selected, and do not make the bound look better.
    np.testing.assert_array_equal(
        selector.selection_frequencies_,
        np.concatenate([[0], plain.selection_frequencies_, [0, 0]]),
    )
    assert selector.pfer_bound_ == plain.pfer_bound_


def test_opposite_columns_share_nothing(data):
    """Of a column and its negative the first one enters."""
    X, y = data
    both = np.column_stack([X, -X[:, 2]])
    selector = StabilitySelector(random_state=0, n_features_per_half=6).fit(both, y)
    assert selector.selection_frequencies_[2] == 1
    assert selector.selection_frequencies_[30] == 0


def test_target_without_variance(data):
    X, _ = data
    selector = StabilitySelector(random_state=0).fit(X, np.full(120, 0.1))
    assert not selector.selection_frequencies_.any()
    with pytest.warns(UserWarning, match="No features were selected"):
        assert selector.transform(X).shape == (120, 0)


def test_one_feature_and_few_rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 1))
    assert StabilitySelector(random_state=0).fit(x, x[:, 0]).get_support().tolist() == [
        True
    ]
    X = rng.normal(size=(4, 10))
    tiny = StabilitySelector(n_features_per_half=3, random_state=0).fit(X, X[:, 0])
    # Two rows have room for one feature.
    assert tiny.selection_frequencies_.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("estimator", [None, Lasso(alpha=0.1)])
def test_same_result_for_any_jobs_and_backend(data, estimator):
    X, y = data
    fits = [StabilitySelector(estimator, random_state=0, n_pairs=40).fit(X, y)]
    for backend in ("loky", "threading"):
        with parallel_backend(backend):
            other = StabilitySelector(estimator, random_state=0, n_pairs=40, n_jobs=2)
            fits.append(other.fit(X, y))
    for fit in fits[1:]:
        np.testing.assert_array_equal(
            fit.simultaneous_frequencies_, fits[0].simultaneous_frequencies_
        )


def test_float32(data):
    X, y = data
    single = StabilitySelector(random_state=0).fit(X.astype(np.float32), y)
    double = StabilitySelector(random_state=0).fit(X, y)
    assert single.transform(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(
        single.selection_frequencies_, double.selection_frequencies_, atol=0.02
    )


def test_estimators_rank_features(data):
    X, y = data
    options = {"n_features_per_half": 4, "threshold": 0.6, "random_state": 0}
    linear = StabilitySelector(LinearRegression(), n_pairs=10, **options).fit(X, y)
    noted = np.zeros(30)
    halves, _ = linear._draw(120)
    for rows in halves:
        coef = LinearRegression().fit(X[rows], y[rows]).coef_ * X.std(axis=0)
        noted[np.argsort(-np.abs(coef))[:4]] += 1
    np.testing.assert_allclose(linear.selection_frequencies_, noted / 20)
    assert np.isnan(linear.dual_gap_)
    trees = ExtraTreesRegressor(10)
    forests = [
        StabilitySelector(trees, n_pairs=3, **options).fit(X, y) for _ in range(2)
    ]
    np.testing.assert_array_equal(
        forests[0].selection_frequencies_, forests[1].selection_frequencies_
    )
    labels = np.where(y > np.median(y), "high", "low")
    classes = StabilitySelector(LogisticRegression(), n_pairs=5, **options)
    assert 2 in classes.fit(X, labels).get_support(indices=True)


def test_estimators_that_rank_nothing(data):
    from sklearn.neighbors import KNeighborsRegressor

    with pytest.raises(ValueError, match="neither coef_ nor feature_importances_"):
        StabilitySelector(KNeighborsRegressor()).fit(*data)


def test_in_pipelines_and_searches():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    pipeline = make_pipeline(
        StabilitySelector(n_pairs=10, random_state=0), LinearRegression()
    )
    grid = {"stabilityselector__threshold": [0.6, 0.9]}
    scores = []
    for backend in ("loky", "threading"):
        with parallel_backend(backend):
            search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2, error_score="raise")
            scores.append(search.fit(X, y).cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*scores)
    assert scores[0].max() > 0.4
    selector = clone(pipeline[0]).set_output(transform="pandas").fit(X, y)
    out = selector.transform(X)
    assert isinstance(out, pd.DataFrame)
    assert list(out) == list(selector.get_feature_names_out())
    again = pickle.loads(pickle.dumps(selector))
    pd.testing.assert_frame_equal(again.transform(X), out)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"n_pairs": 0}, "n_pairs"),
        ({"threshold": 0.5}, "threshold"),
        ({"threshold": 1.1}, "threshold"),
        ({"n_features_per_half": 0}, "n_features_per_half"),
        ({"n_features_per_half": 31}, "n_features_per_half=31"),
        ({"expected_false": 0.0}, "expected_false"),
        ({"expected_false": 1e-9}, "expected_false=1e-09"),
        ({"n_features_per_half": 29, "assumption": "none"}, "expected_false"),
        ({"assumption": "normal"}, "assumption"),
    ],
)
def test_bad_parameters(data, options, name):
    with pytest.raises(ValueError, match=name):
        StabilitySelector(**options).fit(*data)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((0, 1), "n_features"), ((5, 6), "n_features_per_half"), ((5, 2, 0.5), "thresh")],
)
def test_bad_arguments_of_the_bound(arguments, name):
    with pytest.raises(ValueError, match=name):
        stability_bound(*arguments)


def test_bad_data_leave_a_fit_as_it_was(data):
    X, y = data
    selector = StabilitySelector(n_pairs=5, random_state=0).fit(X, y)
    before = selector.selection_frequencies_
    for Z in (np.where(X > 5, np.nan, X), np.where(X > 5, np.inf, X), X[:3], X[:0]):
        with pytest.raises(ValueError, match=r"NaN|infinity|n_samples|minimum of"):
            selector.fit(Z, y[: len(Z)])
    assert selector.selection_frequencies_ is before


def test_lines_and_silence(data, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        StabilitySelector(random_state=0, verbose=1).fit(*data)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert "halves 100" in lines[-1]


def test_callbacks_see_the_selection(data):
    def count(selector, X, y):
        return float(selector.get_support().sum())

    monitor = ScoringMonitor(scoring={"n_selected": count})
    selector = StabilitySelector(random_state=0)
    selector.set_callbacks(monitor).fit(*data)
    (row,) = monitor.get_logs().data  # nothing is selected before the last half
    assert row["task_name"] == "fit"
    assert row["n_selected"] == selector.get_support().sum() > 0
