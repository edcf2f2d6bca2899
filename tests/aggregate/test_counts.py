"""The likelihood of counts is that of the Poisson-binomial distribution."""

from itertools import product

import mpmath
import numpy as np
import pytest
from scipy.special import expit, log_expit
from scipy.stats import binom, poisson_binom

from skloss import _parallel
from skloss.aggregate import _counts
from skloss.aggregate._bags import read_bags
from skloss.aggregate._counts import CountLikelihood
from skloss.aggregate.count_likelihood import bag_count_log_likelihood


def evaluate(logits, counts, bags=None, n_jobs=1):
    """Evaluate one bag, unless bags are given."""
    bags = np.zeros(len(logits), dtype=int) if bags is None else bags
    bags = read_bags(bags, len(logits))
    return CountLikelihood(bags, np.atleast_1d(counts), n_jobs).evaluate(logits)


def exact_probabilities(logits):
    """All probabilities of the counts, by convolution with 60 digits."""
    table = [mpmath.mpf(1)]
    for x in logits:
        e = mpmath.exp(-abs(mpmath.mpf(float(x))))
        p, q = (1 / (1 + e), e / (1 + e)) if x >= 0 else (e / (1 + e), 1 / (1 + e))
        up, stay = [0, *table], [*table, 0]
        table = [p * a + q * b for a, b in zip(up, stay, strict=True)]
    return table


def exact_log_likelihoods(logits):
    with mpmath.workdps(60):
        return np.array([float(mpmath.log(p)) for p in exact_probabilities(logits)])


def exact_posteriors(logits, count):
    """By leaving each row out, with 60 digits."""
    with mpmath.workdps(60):
        whole = exact_probabilities(logits)[count]
        found = []
        for i, x in enumerate(logits):
            rest = exact_probabilities(np.delete(logits, i))
            p = 1 / (1 + mpmath.exp(-mpmath.mpf(float(x))))
            found.append(float(p * rest[count - 1] / whole) if count else 0.0)
    return np.array(found)


LOGITS = {
    "one": (1, 2.0, 0.3),
    "two": (2, 2.0, 0.0),
    "small": (11, 1.5, -1.0),
    "rare": (30, 1.0, -6.0),
    "wide": (40, 30.0, 2.0),
    "extreme": (48, 400.0, 0.0),
    "below_window": (64, 2.0, 1.0),
    "window": (65, 2.0, -2.0),
    "windowed": (180, 3.0, 1.0),
}


def draw(case, seed=0):
    size, scale, shift = LOGITS[case]
    x = np.random.default_rng(seed).normal(shift, scale, size)
    return np.clip(x, -700.0, 700.0)


@pytest.mark.parametrize("case", LOGITS)
def test_every_count_has_its_exact_log_likelihood(case):
    logits = draw(case)
    k = len(logits)
    bags = np.repeat(np.arange(k + 1), k)
    found = evaluate(np.tile(logits, k + 1), np.arange(k + 1), bags)
    np.testing.assert_allclose(
        found.log_likelihood, exact_log_likelihoods(logits), rtol=2e-14, atol=2e-14
    )


def test_large_bag_far_in_its_tails(rng):
    logits = rng.normal(-9.0, 1.0, 600)
    expected = exact_log_likelihoods(logits)
    assert expected[-1] < -5000.0
    for count in (1, 7, 100, 300, 598, 599):
        found = evaluate(logits, count)
        np.testing.assert_allclose(found.log_likelihood, expected[count], rtol=1e-14)
        np.testing.assert_allclose(found.posterior.sum(), count, rtol=1e-13)


def test_small_log_likelihoods_have_relative_precision():
    logits = np.array([-50.0, -45.0, -60.0])
    expected = -np.exp(logits).sum()
    np.testing.assert_allclose(evaluate(logits, 0).log_likelihood, expected, 1e-14)
    np.testing.assert_allclose(evaluate(-logits, 3).log_likelihood, expected, 1e-14)


def test_equals_scipy(rng):
    for k in (3, 20, 100, 300):
        p = rng.uniform(0.05, 0.95, k)
        middle = int(p.sum())
        for count in {0, k, *range(max(0, middle - 6), min(k, middle + 7))}:
            found = bag_count_log_likelihood(p, np.zeros(k, int), [count])
            expected = np.log(poisson_binom(p).pmf(count))
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("size", "p"), [(5000, 0.3), (5000, 1e-4), (777, 0.99)])
def test_equal_probabilities_are_binomial(size, p):
    for count in (1, int(size * p) + 1, size // 2, size - 1):
        found, posterior = bag_count_log_likelihood(
            np.full(size, p), np.zeros(size), [count], return_posterior=True
        )
        # SciPy's own values have errors of about 1e-13 of the terms they sum.
        np.testing.assert_allclose(found, binom(size, p).logpmf(count), rtol=1e-11)
        np.testing.assert_allclose(posterior, count / size, rtol=1e-13)


@pytest.mark.parametrize("case", ["one", "two", "small", "tiny_and_huge"])
def test_posteriors_equal_enumeration(case):
    if case == "tiny_and_huge":
        logits = np.array([30.0, -30.0, 12.0, -0.1, 0.0, 0.2, -12.0, 8.0])
    else:
        logits = draw(case)
    k = len(logits)
    outcomes = np.array(list(product([0, 1], repeat=k)))
    weights = np.exp(log_expit(np.where(outcomes == 1, logits, -logits)).sum(axis=1))
    for count in range(k + 1):
        chosen = outcomes.sum(axis=1) == count
        share = weights[chosen] / weights[chosen].sum()
        found = evaluate(logits, count)
        np.testing.assert_allclose(
            found.posterior, share @ outcomes[chosen], rtol=1e-12, atol=1e-15
        )
        np.testing.assert_allclose(found.posterior.sum(), count, atol=1e-13)
        np.testing.assert_allclose(
            found.log_likelihood, np.log(weights[chosen].sum()), rtol=1e-12, atol=1e-14
        )


@pytest.mark.parametrize("case", ["rare", "wide", "extreme", "window"])
def test_posteriors_keep_their_digits(case):
    logits = draw(case, seed=1)
    k = len(logits)
    for count in (1, k // 3, k - 1):
        expected = exact_posteriors(logits, count)
        found = evaluate(logits, count).posterior
        # Rounding a logit of 700 and a shift like it is worth 1e-13 of the odds.
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=4e-15)


@pytest.mark.parametrize("count", [1, 20, 45, 99])
def test_derivative_is_posterior_minus_probability(count, rng):
    logits = rng.normal(0.5, 1.5, 100)
    found = evaluate(logits, count)
    step, numeric = 1e-5, np.empty(100)
    for i in range(100):
        ends = []
        for sign in (-1.0, 1.0):
            moved = logits.copy()
            moved[i] += sign * step
            ends.append(evaluate(moved, count).log_likelihood[0])
        numeric[i] = (ends[1] - ends[0]) / (2.0 * step)
    slope = found.posterior - found.probability
    np.testing.assert_allclose(slope, numeric, rtol=1e-6, atol=3e-8)


def test_no_row_or_all_rows_in_closed_form(rng):
    logits = rng.normal(0.0, 5.0, 1500)  # more factors than a double has room for
    none, every = evaluate(logits, 0), evaluate(logits, 1500)
    np.testing.assert_allclose(none.log_likelihood, log_expit(-logits).sum(), 1e-14)
    np.testing.assert_allclose(every.log_likelihood, log_expit(logits).sum(), 1e-14)
    assert not none.posterior.any() and (every.posterior == 1.0).all()


def test_rows_alone_are_a_logistic_regression(rng):
    logits, y = rng.normal(0.0, 9.0, 300), rng.integers(0, 2, 300)
    found = evaluate(logits, y, np.arange(300))
    expected = log_expit(np.where(y == 1, logits, -logits))
    np.testing.assert_allclose(found.log_likelihood, expected, rtol=1e-14)
    np.testing.assert_array_equal(found.posterior, y)
    np.testing.assert_allclose(found.probability, expit(logits), rtol=1e-14)
    np.testing.assert_allclose(
        found.variance, expit(logits) * expit(-logits), rtol=1e-14
    )


@pytest.mark.parametrize("size", [100, 700, 2000])
def test_windowed_equals_whole_tables(size, rng):
    logits = rng.normal(-1.0, 2.0, size)
    logits[: size // 4] += 30.0  # sure rows first: the window moves before it widens
    counts = (1, size // 4, size // 4 + 9, size // 2, size - 3)
    for count in counts:
        found = evaluate(logits, count)
        log_likelihood, posterior = _from_whole_tables(logits, count)
        np.testing.assert_allclose(found.log_likelihood, log_likelihood, rtol=1e-12)
        np.testing.assert_allclose(found.posterior, posterior, rtol=1e-12, atol=1e-15)


def _from_whole_tables(logits, count):
    """Evaluate one bag without a window, from a table at each row and both ends."""
    low, high = -800.0, 800.0
    for _ in range(200):
        shift = 0.5 * (low + high)
        if expit(logits + shift).sum() < count:
            low = shift
        else:
            high = shift
    p, q = expit(logits + shift), expit(-logits - shift)
    ahead, behind = _tables(p, q), _tables(p[::-1], q[::-1])[::-1]
    here, posterior = ahead[-1][count], np.empty(len(p))
    for i in range(len(p)):
        posterior[i] = p[i] * (ahead[i][:count] @ behind[i + 1][count - 1 :: -1]) / here
    ratio = np.logaddexp(0, logits + shift) - np.logaddexp(0, logits)
    return np.log(here) - count * shift + ratio.sum(), posterior


def _tables(p, q):
    """Probabilities of the counts of the first rows, for each number of them."""
    found = [np.zeros(len(p) + 1)]
    found[0][0] = 1.0
    for a, b in zip(p, q, strict=True):
        table = b * found[-1]
        table[1:] += a * found[-1][:-1]
        found.append(table)
    return found


def many_bags(rng, n=70_000):
    """Bags of very different sizes, rows in no order, counts of every kind."""
    codes = np.minimum(rng.geometric(0.002, n), 2500) * 7
    codes[rng.random(n) < 0.2] = -3
    logits = rng.normal(-0.5, 2.0, n)
    sizes = read_bags(codes, n).sizes
    counts = rng.integers(0, sizes + 1)
    return logits, codes, counts


def test_threads_change_nothing(rng, monkeypatch):
    logits, codes, counts = many_bags(rng)
    monkeypatch.setattr(_parallel, "_openmp_threads", lambda: 3)
    seen = []

    def recorded(function, n, block, threads):
        seen.append(threads)
        return _parallel.map_row_blocks(function, n, block, threads)

    monkeypatch.setattr(_counts, "map_row_blocks", recorded)
    alone = evaluate(logits, counts, codes, n_jobs=1)
    together = evaluate(logits, counts, codes, n_jobs=3)
    assert seen == [1, 3]
    for one, three in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, three)


def test_posteriors_are_probabilities_that_add_up(rng):
    codes = np.repeat(np.arange(3000), rng.integers(2, 30, 3000))
    scale = 10.0 ** rng.uniform(-2.0, 2.5, 3000)
    logits = scale[codes] * rng.choice([-1.0, 1.0, 0.3, 1.001], len(codes))
    bags = read_bags(codes, len(codes))
    counts = rng.integers(0, bags.sizes + 1)
    found = evaluate(logits, counts, codes)
    assert found.posterior.min() >= 0.0 and found.posterior.max() <= 1.0
    assert found.log_likelihood.max() <= 0.0
    np.testing.assert_allclose(bags.sums(found.posterior), counts, atol=1e-13)


def test_bags_do_not_see_each_other(rng):
    logits, codes, counts = many_bags(rng, 9000)
    bags, found = read_bags(codes, 9000), evaluate(logits, counts, codes)
    for a in range(bags.count):
        rows = bags.codes == a
        one = evaluate(logits[rows], counts[a])
        assert one.log_likelihood[0] == found.log_likelihood[a]
        np.testing.assert_array_equal(one.posterior, found.posterior[rows])


def test_order_of_rows_and_names_of_bags_do_not_matter(rng):
    logits, codes, counts = many_bags(rng, 20_000)
    bags = read_bags(codes, 20_000)
    found = evaluate(logits, counts, codes)
    rows, names = rng.permutation(20_000), rng.permutation(bags.count)
    moved = evaluate(logits[rows], counts[np.argsort(names)], names[bags.codes][rows])
    np.testing.assert_allclose(
        moved.log_likelihood[names], found.log_likelihood, rtol=1e-12, atol=1e-13
    )
    np.testing.assert_allclose(moved.posterior, found.posterior[rows], 1e-11, 1e-15)


def test_more_bags_than_sixteen_bits_count(rng):
    codes, logits = rng.permutation(70_000), rng.normal(size=70_000)
    y = rng.integers(0, 2, 70_000)
    found = evaluate(logits, y, codes)
    np.testing.assert_array_equal(found.posterior, y[codes])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f8"])
def test_logits_of_any_format(dtype, rng):
    logits = rng.normal(size=40).astype(np.float32)
    strided = np.repeat(logits, 2).astype(dtype)[::2]
    found, expected = evaluate(strided, 13), evaluate(logits.astype(float), 13)
    np.testing.assert_array_equal(found.posterior, expected.posterior)
    assert found.posterior.dtype == np.float64


def test_logits_must_be_finite():
    with pytest.raises(ValueError, match="row 1 is nan"):
        evaluate(np.array([0.0, np.nan]), 1)
    with pytest.raises(ValueError, match="row 0 is inf"):
        evaluate(np.array([np.inf, 0.0]), 1)


@pytest.mark.parametrize("largest", [1e5, 1e12, 1e100, 1e308])
def test_enormous_logits(largest):
    logits = np.array([largest, -largest, 3e5, -1e5, 1e3, -2e3, 1.0, 5.0, 0.0, -1e-9])
    with mpmath.workdps(400):
        expected = [float(mpmath.log(p)) for p in exact_probabilities(logits)]
    found = [evaluate(logits, count).log_likelihood[0] for count in range(11)]
    np.testing.assert_allclose(found[1:10], expected[1:10], rtol=1e-12)
    np.testing.assert_allclose(found[::10], expected[::10], rtol=1e-12)


def test_sure_rows_only_move_the_count(rng):
    p = rng.uniform(0.1, 0.9, 9)
    sure = np.array([1.0, 0.0, 1.0, 0.0, 0.0])
    both, order = np.concatenate([p, sure]), rng.permutation(14)
    for count in range(15):
        found, posterior = bag_count_log_likelihood(
            both[order], np.zeros(14), [count], return_posterior=True
        )
        if 2 <= count <= 11:
            expected = bag_count_log_likelihood(
                p, np.zeros(9), [count - 2], return_posterior=True
            )
            np.testing.assert_allclose(found, expected[0], rtol=1e-12)
            back = posterior[np.argsort(order)]
            np.testing.assert_allclose(back[:9], expected[1], rtol=1e-12)
            np.testing.assert_array_equal(back[9:], sure)
        else:
            assert np.isneginf(found[0]) and np.isnan(posterior).all()


def test_bags_of_sure_rows_alone():
    found, posterior = bag_count_log_likelihood(
        [1.0, 0.0, 1.0, 0.5], ["a", "a", "b", "c"], [1, 0, 1], return_posterior=True
    )
    np.testing.assert_allclose(found, [0.0, -np.inf, np.log(0.5)])
    np.testing.assert_array_equal(posterior, [1.0, 0.0, np.nan, 1.0])


def test_smallest_probabilities():
    p = [5e-324, 1e-300, 1.0 - 2.0**-53]
    found = bag_count_log_likelihood(p, None, [1, 1, 0])
    np.testing.assert_allclose(found, [np.log(5e-324), np.log(1e-300), np.log(2**-53)])


@pytest.mark.parametrize(
    ("proba", "counts", "message"),
    [
        ([[0.5, 0.5]] * 3, [1, 1], r"one dimension.*\(3, 2\)"),
        ([0.5, 1.5, 0.5], [1, 1], r"proba\[1\] is 1.5"),
        ([0.5, 0.5, np.nan], [1, 1], r"proba\[2\] is nan"),
        ([0.5, 0.5, 0.5], [1, 1, 1], r"counts must have shape \(2,\)"),
        ([0.5, 0.5, 0.5], [1, 2], r"counts\[1\] is 2.0; that of bag .*b.*0 to 1"),
        ([0.5, 0.5, 0.5], [-1, 1], r"counts\[0\] is -1.0"),
        ([0.5, 0.5, 0.5], [0.5, 1], r"counts\[0\] is 0.5"),
        ([0.5, 0.5, 0.5], [1, np.nan], r"counts\[1\] is nan"),
        ([0.5, 0.5, 0.5], [np.inf, 1], r"counts\[0\] is inf"),
    ],
    ids=["two", "above", "nan", "shape", "many", "negative", "half", "none", "inf"],
)
def test_what_is_refused(proba, counts, message):
    with pytest.raises(ValueError, match=message):
        bag_count_log_likelihood(proba, ["a", "b", "a"], counts)
