import math

import numpy as np
import pytest
from scipy import stats
from sklearn.tree import DecisionTreeClassifier
from statsmodels.stats.multitest import multipletests

from skloss.compare import compare
from skloss.compare.statistics import corrected_t_test, holm


def test_equals_a_hand_computation():
    # mean 3, sample variance 2.5, J = 5; variance of the mean 2.5 (1/5 + 1/4) = 1.125
    result = corrected_t_test([1.0, 2.0, 3.0, 4.0, 5.0], n_train=80, n_test=20)
    assert result.mean == pytest.approx(3)
    assert result.standard_error == pytest.approx(math.sqrt(1.125), rel=1e-14)
    # Student's t on 4 degrees of freedom has a closed form: with s = t / sqrt(4 + t^2),
    # P(T > t) = 1/2 - s (3 - s^2) / 4.
    t = 3 / math.sqrt(1.125)
    s = t / math.sqrt(4 + t * t)
    assert result.p_value == pytest.approx(1 - s * (3 - s * s) / 2, rel=1e-12)
    # 97.5 % quantile of t on 4 degrees of freedom, from any table
    half = 2.7764451051977987 * math.sqrt(1.125)
    assert (result.low, result.high) == pytest.approx((3 - half, 3 + half), rel=1e-12)


def test_without_shared_rows_it_is_the_plain_t_test(rng):
    differences = rng.standard_normal(12) + 0.4
    plain = stats.ttest_1samp(differences, 0)
    result = corrected_t_test(differences, n_train=1, n_test=0)
    interval = plain.confidence_interval(0.95)
    assert result.p_value == pytest.approx(plain.pvalue, rel=1e-12)
    assert (result.low, result.high) == pytest.approx(tuple(interval), rel=1e-12)


@pytest.mark.parametrize(
    "differences, p_value", [([0.0, 0.0, 0.0], 1.0), ([0.1, 0.1, 0.1], 0.0)]
)
def test_equal_differences(differences, p_value):
    result = corrected_t_test(differences, 50, 50)
    assert result.p_value == p_value
    assert result.low == result.high == result.mean


def test_too_few_differences_give_no_verdict():
    assert np.isnan(corrected_t_test([0.3], 50, 50).p_value)
    assert np.isnan(corrected_t_test([], 50, 50).mean)


def test_holm_equals_statsmodels(rng):
    for size in (1, 2, 5, 20):
        p_values = rng.random(size) ** 2
        expected = multipletests(p_values, method="holm")[1]
        assert holm(p_values) == pytest.approx(expected, rel=1e-14)
    ties = [0.01, 0.01, 0.04]
    assert holm(ties) == pytest.approx(multipletests(ties, method="holm")[1])


def test_holm_leaves_out_tests_that_were_not_made():
    assert np.isnan(holm([0.02, np.nan, 0.03])[1])
    assert holm([0.02, np.nan, 0.03])[[0, 2]] == pytest.approx(holm([0.02, 0.03]))


@pytest.mark.parametrize("n_splits, share", [(10, 0.5), (10, 0.2), (4, 0.5)])
def test_p_values_are_uniform_under_the_null(n_splits, share):
    # Scores of splits that share rows, under the model behind the correction: any two
    # of them correlate by the share of rows in the test part.
    rng = np.random.default_rng(n_splits)
    runs = 4000
    common = rng.standard_normal((runs, 1)) * math.sqrt(share)
    own = rng.standard_normal((runs, n_splits)) * math.sqrt(1 - share)
    p_values = [corrected_t_test(row, 1 - share, share).p_value for row in common + own]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    # The uncorrected test is wrong here, so the simulation can tell them apart.
    plain = stats.ttest_1samp(common + own, 0, axis=1).pvalue
    assert np.mean(plain < 0.05) > 0.1


def test_two_copies_of_one_estimator_are_rarely_called_different():
    # Two copies that differ by the seed of their random splits, 200 tables of noise
    # and signal; a difference may be called in 5 % of the runs.
    called = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((60, 3))
        y = (X[:, 0] + rng.standard_normal(60) > 0).astype(int)
        copies = [
            DecisionTreeClassifier(splitter="random", max_depth=2, random_state=s)
            for s in (1, 2)
        ]
        result = compare(
            X,
            y,
            estimators={"copy": copies[0]},
            baselines={"twin": copies[1]},
            random_state=seed,
            verbose=0,
        )
        called += result.pairs()["verdict"][0] in ("better", "worse")
    assert called <= 10


def test_equal_copies_are_always_a_tie(numbers):
    tree = DecisionTreeClassifier(max_depth=2)
    result = compare(
        *numbers, estimators={"copy": tree}, baselines={"twin": tree}, verbose=0
    )
    pair = result.pairs().iloc[0]
    assert (pair["gain"], pair["p_value"], pair["verdict"]) == (0, 1, "tie")
