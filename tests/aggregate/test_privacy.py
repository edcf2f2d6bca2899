"""Releases of bags are as private and as noisy as they say, to the last digit."""

import functools
import itertools
import math
import os
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy import stats

from skloss.aggregate import _discrete_noise as noise
from skloss.aggregate import privacy
from skloss.aggregate._bags import read_bags
from skloss.aggregate._noise_scale import largest_ratio, log_delta
from skloss.aggregate.privacy import (
    gaussian_noise_scale,
    label_sensitivity,
    privatize_bags,
)

DRAWS = 200_000
LEVEL = 1e-4  # some forty tests: for one choice of seeds in 250 a right sampler fails
BOUNDS = [(0.0, 1.0), (0.1, 0.7), (-1 / 3, 2.7), (1e16, 1e16 + 6), (-5.0, -4.9)]


def full(value, count=DRAWS):
    return np.full(count, value, dtype=np.int64)


def laplace_law(scale):
    """Probabilities of discrete Laplace noise, by their definition."""
    ratio = mpmath.exp(mpmath.mpf(-1) / scale)
    return lambda x: ratio ** abs(int(x)) * (1 - ratio) / (1 + ratio)


def gaussian_law(scale):
    """Probabilities of discrete Gaussian noise, by their definition."""

    def weight(x):
        return mpmath.exp(-(mpmath.mpf(int(x)) ** 2) / (2 * scale**2))

    total = mpmath.fsum(weight(x) for x in range(-30 * scale, 30 * scale + 1))
    return functools.cache(lambda x: weight(x) / total)


cached_gaussian_law = functools.cache(gaussian_law)

LAWS = {
    "laplace": (noise.discrete_laplace, laplace_law),
    "gaussian": (noise.discrete_gaussian, cached_gaussian_law),
}


def chi_square(drawn, law, reach):
    """P-value of integers against exact probabilities, tails in one cell each."""
    inside = np.arange(-reach, reach + 1)
    exact = np.array([float(law(x)) for x in inside])
    tail = (1 - exact.sum()) / 2
    counts = [(drawn < -reach).sum(), *((drawn == x).sum() for x in inside)]
    counts.append((drawn > reach).sum())
    expected = np.r_[tail, exact, tail] * len(drawn)
    assert expected.min() > 5
    return stats.chisquare(counts, expected).pvalue


# The samplers.


def test_uniform_integers_are_uniform():
    words = noise.seeded_words(1)
    for bound in (1, 2, 3, 7, 10):
        counts = np.bincount(noise.uniform_below(words, full(bound)), minlength=bound)
        assert len(counts) == bound
        assert bound == 1 or stats.chisquare(counts).pvalue > LEVEL


def test_no_remainder_is_favoured():
    # Remainders of all words would be below 2**61 twice as often as above 2**62.
    drawn = noise.uniform_below(noise.seeded_words(2), full(3 * 2**61))
    assert stats.chisquare(np.bincount(drawn >> 61, minlength=3)).pvalue > LEVEL


def test_words_beyond_the_last_whole_run_are_drawn_again():
    # 2**64 is 6 beyond a multiple of 10: the last six words have no whole run.
    tape = [[2**64 - 1, 11], [2**64 - 6], [2**64 - 7]]
    drawn = noise.uniform_below(
        lambda count: np.array(tape.pop(0), dtype=np.uint64), full(10, 2)
    )
    assert not tape and drawn.tolist() == [9, 1]


@pytest.mark.parametrize(
    "p, q",
    [(0, 1), (1, 2), (1, 1), (3, 2), (5, 1), (2**40 - 3, 2**41 + 1), (2**42, 2**40)],
)
def test_bernoulli_has_probability_exp(p, q):
    drawn = noise.bernoulli_exp(noise.seeded_words(3), full(p), full(q))
    chance = math.exp(-p / q)
    spread = math.sqrt(DRAWS * chance * (1 - chance))
    assert abs(drawn.sum() - DRAWS * chance) <= 4 * spread


@pytest.mark.parametrize("p, q", [(0, 1), (1, 3), (1, 1), (5, 2), (2**41 + 7, 2**40)])
def test_bernoulli_has_probability_exp_of_half_a_square(p, q):
    draw = noise._bernoulli_half_square
    drawn = draw(noise.seeded_words(4), full(p), full(q))
    chance = math.exp(-((p / q) ** 2) / 2)
    spread = math.sqrt(DRAWS * chance * (1 - chance))
    assert abs(drawn.sum() - DRAWS * chance) <= 4 * spread


@pytest.mark.parametrize("scale", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("name", LAWS)
def test_noise_has_the_exact_law(name, scale):
    draw, law = LAWS[name]
    drawn = draw(noise.seeded_words(5), full(scale))
    assert chi_square(drawn, law(scale), reach=3 * scale) > LEVEL


@pytest.mark.parametrize("name", LAWS)
def test_scales_do_not_mix(name):
    draw, law = LAWS[name]
    scales = np.resize(np.array([2, 9]), 2 * DRAWS)
    drawn = draw(noise.seeded_words(6), scales)
    for scale in (2, 9):
        assert chi_square(drawn[scales == scale], law(scale), 3 * scale) > LEVEL


@pytest.mark.parametrize("scale", [2**40 - 1, 2**39 + 12345, noise.LARGEST_SCALE])
@pytest.mark.parametrize("name", LAWS)
def test_noise_of_large_scale_is_near_the_continuous_law(name, scale):
    drawn = LAWS[name][0](noise.seeded_words(7), full(scale))
    law = stats.laplace if name == "laplace" else stats.norm
    assert stats.kstest(drawn / scale, law.cdf).pvalue > LEVEL
    # and its last digits are those of an integer drawn at random
    assert stats.chisquare(np.bincount(drawn % 64, minlength=64)).pvalue > LEVEL


@pytest.mark.parametrize("scale", [1, 2, 3, 7])
@pytest.mark.parametrize("name", LAWS)
def test_deviation_is_that_of_the_law(name, scale):
    law = LAWS[name][1](scale)
    reach = range(-60 * scale, 60 * scale + 1)
    variance = float(mpmath.fsum(law(x) * x * x for x in reach))
    stated = float(privacy._deviation(np.array([scale]), name == "laplace")[0]) ** 2
    exact = name == "laplace" or scale > 1
    assert stated == pytest.approx(variance, rel=1e-13 if exact else 1e-6)


# The scale of Gaussian noise.


def delta_by_quadrature(sensitivity, scale, epsilon):
    """Integral of how far one density exceeds exp(epsilon) times the other."""
    with mpmath.workdps(40):
        s, d, e = map(mpmath.mpf, (scale, sensitivity, epsilon))
        end = d / 2 - e * s * s / d  # densities move from 0 to d; equal here
        points = [end - 60 * s, end - 20 * s, end - 5 * s, end - s, end]
        return mpmath.quad(
            lambda x: mpmath.npdf(x, 0, s) - mpmath.exp(e) * mpmath.npdf(x, d, s),
            sorted({*points, mpmath.mpf(0)} if end > 0 else points),
        )


@pytest.mark.parametrize("delta", [1e-12, 1e-6, 0.01, 0.5])
@pytest.mark.parametrize("epsilon", [0.01, 0.5, 1.0, 3.0, 20.0])
def test_gaussian_scale_is_private_and_tight(epsilon, delta):
    for sensitivity in (0.3, 7.0):
        scale = gaussian_noise_scale(sensitivity, epsilon, delta)
        needed = delta_by_quadrature(sensitivity, scale, epsilon)
        assert float(needed / mpmath.mpf(delta) - 1) == pytest.approx(0, abs=1e-12)
        assert delta_by_quadrature(sensitivity, scale * (1 + 1e-10), epsilon) < delta
        assert delta_by_quadrature(sensitivity, scale * (1 - 1e-10), epsilon) > delta


@pytest.mark.parametrize("delta", [1e-300, 1e-30, 1e-6, 0.9, 1 - 1e-12])
@pytest.mark.parametrize("epsilon", [1e-300, 1e-20, 1e-8, 1e-3, 10.0, 1e4])
def test_gaussian_scale_far_out(epsilon, delta):
    ratio = largest_ratio(epsilon, delta)
    with mpmath.workdps(700):
        x, e = mpmath.mpf(ratio), mpmath.mpf(epsilon)
        exact = mpmath.ncdf(x / 2 - e / x)
        exact -= mpmath.exp(e) * mpmath.ncdf(-x / 2 - e / x)
        assert abs(float(mpmath.log(exact)) - log_delta(ratio, epsilon)) < 1e-12
        # at the root the error is that of the last digit of the ratio
        slope = x * mpmath.npdf(x / 2 - e / x) / exact
        error = abs(float(exact / mpmath.mpf(delta) - 1))
        assert error <= 1e-12 + 4e-16 * float(slope)


@pytest.mark.parametrize("epsilon", [5e-324, 1e15, 1.7e308])
@pytest.mark.parametrize("delta", [5e-324, 0.5])
def test_gaussian_scale_at_the_ends_of_floats(epsilon, delta):
    ratio = largest_ratio(epsilon, delta)
    assert 0 < ratio < np.inf
    if epsilon > 1:  # noise of the order of the sensitivity over sqrt(2 epsilon)
        assert ratio == pytest.approx(math.sqrt(2) * math.sqrt(epsilon), rel=1e-5)
    else:  # the distance of two normal laws, 0.4 times that of their means
        assert ratio == pytest.approx(1.348979500392 if delta > 0.1 else 0, abs=1e-9)


def test_gaussian_scale_is_proportional_and_below_the_classical_bound():
    scales = gaussian_noise_scale([[1.0, 2.0], [4.0, 1e-3]], 0.5, 1e-5)
    assert scales.shape == (2, 2)
    single = gaussian_noise_scale(1, 0.5, 1e-5)
    assert isinstance(single, float)
    np.testing.assert_allclose(scales, single * np.array([[1, 2], [4, 1e-3]]), 1e-15)
    assert single < math.sqrt(2 * math.log(1.25 / 1e-5)) / 0.5


def discrete_delta(scale, move, epsilon):
    """Exact delta of discrete Gaussian noise for numbers `move` apart."""
    law = cached_gaussian_law(scale)
    reach = range(-25 * scale, 25 * scale + 1)
    excess = (law(x) - mpmath.exp(epsilon) * law(x - move) for x in reach)
    return mpmath.fsum(e for e in excess if e > 0)


@pytest.mark.parametrize("epsilon", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("scale, move", [(1, 1), (2, 1), (2, 5), (5, 4), (9, 2)])
def test_discrete_law_needs_little_more_delta(scale, move, epsilon):
    ratio = move / scale
    variation = (3 + 0.4 * ratio + ratio**2) / scale**2
    bound = math.exp(log_delta(ratio, epsilon)) + variation / 8
    assert discrete_delta(scale, move, epsilon) <= bound


@pytest.mark.parametrize("epsilon", [0.3, 1.0, 4.0])
def test_discrete_gaussian_release_is_private(monkeypatch, epsilon):
    monkeypatch.setattr(privacy, "_GRID_BITS", 6)
    delta = 0.01
    unit = privacy._noise_per_sensitivity("gaussian", epsilon, delta)
    grid = privacy._grid(Fraction(0.7) - Fraction(0.1), unit)
    assert 2**5 <= grid.scale <= 2**6 + math.ceil(unit)
    moves = range(1, math.ceil(grid.range) + 1)
    needed = max(discrete_delta(grid.scale, move, epsilon) for move in moves)
    assert 0.5 * delta < needed <= delta


def test_discrete_gaussian_is_as_tight_as_the_continuous_one():
    for epsilon, delta in [(0.1, 1e-9), (1.0, 1e-6), (8.0, 1e-15)]:
        unit = privacy._noise_per_sensitivity("gaussian", epsilon, delta)
        least = gaussian_noise_scale(1.0, epsilon, delta)
        assert least < unit < least * (1 + 1e-8)


# How far a label moves what is released.


def levels(low, high):
    inner = low + (high - low) * 0.37
    return [low - 3 * (high - low), low, inner, high, np.inf]


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("aggregate", ["mean", "sum"])
@pytest.mark.parametrize("bits", [2, 40])
def test_sensitivity_by_exhaustive_flips(monkeypatch, bounds, aggregate, bits):
    monkeypatch.setattr(privacy, "_GRID_BITS", bits)
    low, high = bounds
    bags = read_bags(["b", "a", "b", "c", "b", "a"], 6)
    unit = Fraction(1, 2)

    def release(labels):
        labels = np.array(labels)
        return privacy._rounded(labels, bags, low, high, unit, aggregate)

    farthest = np.zeros(bags.count, dtype=object)
    for others in itertools.product(levels(low, high), repeat=2):
        base = [others[0], others[1], low, high, others[1], others[0]]
        for row in range(6):
            flipped = []
            for level in levels(low, high):
                base[row] = level
                steps, grids, which = release(base)
                flipped.append(steps)
            reach = np.max(flipped, axis=0) - np.min(flipped, axis=0)
            assert not np.delete(reach, bags.codes[row]).any()
            farthest = np.maximum(farthest, reach)
    stated = label_sensitivity(
        ["b", "a", "b", "c", "b", "a"], bounds, aggregate=aggregate
    )
    sizes = np.array([2, 3, 1]) if aggregate == "mean" else np.ones(3)
    np.testing.assert_allclose(stated, (high - low) / sizes, rtol=1e-15)
    for bag in range(3):
        grid = grids[which[bag]]
        allowed = math.ceil(grid.range)
        assert farthest[bag] in (allowed, math.floor(grid.range))  # never more
        assert float(grid.range) * grid.step == pytest.approx(stated[bag], rel=1e-15)
        assert grid.scale >= allowed * unit


def test_ties_are_rounded_to_one_side(monkeypatch):
    monkeypatch.setattr(privacy, "_GRID_BITS", 2)
    bags, reach = read_bags([0, 0], 2), []
    for label in (0.0, 1.0):  # to even numbers, 0.5 and 1.5 would be 2 apart
        args = (np.array([0.5, label]), bags, 0.0, 1.0, Fraction(4), "sum")
        steps, (grid,), _ = privacy._rounded(*args)
        reach.append(steps[0])
    assert grid == (1.0, 4, 1)
    assert reach[1] - reach[0] == 1


def test_one_row_never_moves_more_than_allowed_among_many(rng):
    low, high = 0.1, 0.7
    codes = rng.integers(40, size=3000)
    bags, labels = read_bags(codes, 3000), rng.uniform(0, 1, 3000)
    unit = 1 / Fraction(0.3)
    before, grids, which = privacy._rounded(labels, bags, low, high, unit, "mean")
    allowed = [math.ceil(grid.range) for grid in grids]
    for row in rng.integers(3000, size=200):
        moved = labels.copy()
        moved[row] = rng.choice([-1.0, 0.1, 0.7, 2.0, rng.uniform()])
        after = privacy._rounded(moved, bags, low, high, unit, "mean")[0]
        distance = np.abs(after - before)
        assert distance[codes[row]] <= allowed[which[codes[row]]]
        assert distance.sum() == distance[codes[row]]


def test_order_of_rows_does_not_count(rng):
    codes, labels = rng.integers(9, size=500), rng.normal(size=500) * 1e5
    order = rng.permutation(500)
    unit = Fraction(1, 10**9)
    for aggregate in ("mean", "sum"):
        args = (-1e5, 1e5 / 3, unit, aggregate)
        first = privacy._rounded(labels, read_bags(codes, 500), *args)[0]
        bags = read_bags(codes[order], 500)
        second = privacy._rounded(labels[order], bags, *args)[0]
        assert first.tolist() == second.tolist()


@pytest.mark.parametrize("bits", [3, 5])
@pytest.mark.parametrize("epsilon", [0.1, 0.7, 2.5])
@pytest.mark.parametrize("aggregate", ["mean", "sum"])
def test_laplace_release_is_private(monkeypatch, bits, epsilon, aggregate):
    """Exact probabilities of all outcomes, over all pairs of neighbours."""
    monkeypatch.setattr(privacy, "_GRID_BITS", bits)
    low, high = 0.1, 0.7
    unit = privacy._noise_per_sensitivity("laplace", epsilon, 0.0)
    bags = read_bags([0, 0, 0], 3)
    centers = {}
    for labels in itertools.product(levels(low, high), repeat=3):
        args = (np.array(labels), bags, low, high, unit, aggregate)
        steps, (grid,), _ = privacy._rounded(*args)
        centers[labels] = steps[0]
    law = laplace_law(grid.scale)
    outcomes = range(min(centers.values()) - 40, max(centers.values()) + 41)
    chances = {c: [law(x - c) for x in outcomes] for c in set(centers.values())}
    pairs = {
        (centers[a], centers[b])
        for a, b in itertools.product(centers, repeat=2)
        if sum(x != y for x, y in zip(a, b)) == 1
    }
    loss = max(
        float(mpmath.log(p / q))
        for a, b in pairs
        for p, q in zip(chances[a], chances[b])
    )
    assert loss <= epsilon * (1 + 1e-14)
    assert loss > epsilon * (1 - 2.0 ** (1 - bits) - 1 / math.ceil(grid.range))


# What is released.


@pytest.mark.parametrize("mechanism, delta", [("laplace", 0.0), ("gaussian", 0.05)])
def test_release_has_the_exact_law_on_its_grid(monkeypatch, mechanism, delta):
    monkeypatch.setattr(privacy, "_GRID_BITS", 4)
    bounds, labels = (0.0, 3.0), np.full(DRAWS, 1.1)
    released = privatize_bags(
        labels,
        None,
        epsilon=1.5,
        bounds=bounds,
        mechanism=mechanism,
        delta=delta,
        secure=False,
        random_state=0,
    )
    grid = privacy._grid(
        Fraction(3), privacy._noise_per_sensitivity(mechanism, 1.5, delta)
    )
    steps = released.bag_values / grid.step
    assert (steps == np.round(steps)).all()
    drawn = (steps - math.floor(1.1 / grid.step + 0.5)).astype(np.int64)
    law = LAWS[mechanism][1](grid.scale)
    assert chi_square(drawn, law, reach=2 * grid.scale) > LEVEL
    variance = mpmath.fsum(law(x) * x * x for x in range(-900, 901))
    np.testing.assert_allclose(
        released.noise_variance, float(variance) * grid.step**2, rtol=1e-12
    )


@pytest.mark.parametrize("aggregate", ["mean", "sum"])
@pytest.mark.parametrize("mechanism, delta", [("laplace", 0.0), ("gaussian", 1e-6)])
def test_noise_has_the_stated_law_and_variance(aggregate, mechanism, delta, rng):
    n, m = 60_000, 20_000
    codes = np.r_[np.arange(m), rng.integers(m, size=n - m)]
    labels, (low, high) = rng.normal(size=n), (-0.7, 1.1)
    released = privatize_bags(
        labels,
        codes,
        epsilon=0.8,
        bounds=(low, high),
        mechanism=mechanism,
        delta=delta,
        aggregate=aggregate,
        secure=False,
        random_state=1,
    )
    sizes = np.bincount(codes)
    exact = np.bincount(codes, weights=np.clip(labels, low, high))
    exact = exact / sizes if aggregate == "mean" else exact
    moves = (high - low) / (sizes if aggregate == "mean" else np.ones(m))
    np.testing.assert_allclose(released.sensitivity, moves, rtol=1e-15)
    if mechanism == "laplace":
        scale, law, variance = moves / 0.8, stats.laplace, 2 * (moves / 0.8) ** 2
    else:
        scale = gaussian_noise_scale(moves, 0.8, delta)
        law, variance = stats.norm, scale**2
    np.testing.assert_allclose(released.noise_variance, variance, rtol=1e-7)
    added = released.bag_values - exact
    assert stats.kstest(added / scale, law.cdf).pvalue > LEVEL
    squares = added**2 / released.noise_variance
    error = squares.std() / math.sqrt(m)
    assert abs(squares.mean() - 1) < 4 * error
    # Neighbouring bags do not share noise.
    assert abs(np.corrcoef(added[1:] / scale[1:], added[:-1] / scale[:-1])[0, 1]) < 0.03


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("aggregate", ["mean", "sum"])
@pytest.mark.parametrize("epsilon", [1e18, 1e300])
def test_much_epsilon_recovers_the_aggregates(bounds, aggregate, epsilon, rng):
    low, high = bounds
    labels = rng.uniform(low - (high - low) / 4, high + (high - low) / 4, 300)
    codes = rng.integers(20, size=300)
    released = privatize_bags(
        labels, codes, epsilon=epsilon, bounds=bounds, aggregate=aggregate
    )
    clipped = np.clip(labels, low, high)
    totals = [sum(map(Fraction, clipped[codes == bag])) for bag in range(20)]
    if aggregate == "mean":
        totals = [t / int((codes == bag).sum()) for bag, t in enumerate(totals)]
    np.testing.assert_allclose(
        released.bag_values, [float(t) for t in totals], rtol=4e-16, atol=2e-15
    )


def test_rows_hold_what_was_released_of_their_bags():
    bags = np.array(["west", "east", "west", "north", "east"])
    released = privatize_bags([1, 2, 3, 4, 5], bags, epsilon=1, bounds=(0, 5))
    assert released.bag_labels.tolist() == ["east", "north", "west"]
    assert released.y.tolist() == [released.bag_values[i] for i in (2, 0, 2, 1, 0)]
    assert released.bag_values.shape == released.noise_variance.shape == (3,)
    assert released.sensitivity.tolist() == [2.5, 5.0, 2.5]
    assert (released.epsilon, released.delta) == (1.0, 0.0)
    single = privatize_bags([1, 2, 3], None, epsilon=1e15, bounds=(0, 5))
    np.testing.assert_allclose(single.y, [1, 2, 3], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint64, bool, object, list])
def test_labels_of_any_kind_of_number(dtype):
    labels = [1, 0, 1, 1] if dtype is list else np.array([1, 0, 1, 1], dtype=dtype)
    released = privatize_bags(labels, [0, 0, 1, 1], epsilon=1e17, bounds=(0, 1))
    np.testing.assert_allclose(released.bag_values, [0.5, 1.0], atol=1e-14)


def test_infinite_labels_are_clipped_and_labels_are_not_changed():
    labels = np.array([np.inf, -np.inf, 7.0])
    released = privatize_bags(labels, None, epsilon=1e17, bounds=(-2, 3))
    np.testing.assert_allclose(released.y, [3, -2, 3], atol=1e-13)
    assert labels.tolist() == [np.inf, -np.inf, 7.0]


# Where randomness comes from.

ARGS = {"epsilon": 1.0, "bounds": (0, 1)}
LABELS = np.linspace(0, 1, 50)


def test_seeds_repeat_simulations():
    def simulate(seed):
        return privatize_bags(
            LABELS, None, **ARGS, secure=False, random_state=seed
        ).y.tolist()

    assert simulate(3) == simulate(3) != simulate(4)
    state = np.random.RandomState(3)
    assert simulate(state) != simulate(state)
    assert simulate(np.random.RandomState(3)) == simulate(3)
    assert simulate(None) != simulate(None)


def test_secure_noise_is_the_systems_and_nothing_elses(monkeypatch):
    assert (privatize_bags(LABELS, None, **ARGS).y != LABELS).all()
    first, second = (privatize_bags(LABELS, None, **ARGS).y for _ in range(2))
    assert (first != second).all()

    def release(seed):
        tape = np.random.Generator(np.random.PCG64(seed))
        monkeypatch.setattr(os, "urandom", tape.bytes)
        np.random.seed(0)  # noqa: NPY002 (the global state must not count)
        before = np.random.get_state()[1].tolist()  # noqa: NPY002
        drawn = privatize_bags(LABELS, None, **ARGS).y
        assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
        return drawn.tolist()

    assert release(1) == release(1)
    assert not set(release(1)) & set(release(2))


# Bad input.

WRONG = {
    "epsilon 0": ({"epsilon": 0.0}, "epsilon must be"),
    "epsilon negative": ({"epsilon": -1}, "epsilon must be"),
    "epsilon nan": ({"epsilon": np.nan}, "epsilon must be.*nan"),
    "epsilon inf": ({"epsilon": np.inf}, "epsilon must be.*inf"),
    "epsilon text": ({"epsilon": "1"}, "epsilon must be.*'1'"),
    "epsilon None": ({"epsilon": None}, "epsilon must be.*None"),
    "epsilon tiny": ({"epsilon": 1e-13}, "epsilon=1e-13 is too small"),
    "bounds equal": ({"bounds": (1, 1)}, r"bounds.*\(1, 1\)"),
    "bounds reversed": ({"bounds": (2, 1)}, r"bounds.*\(2, 1\)"),
    "bounds nan": ({"bounds": (np.nan, 1)}, "bounds.*nan"),
    "bounds infinite": ({"bounds": (0, np.inf)}, "bounds.*inf"),
    "bounds too wide": ({"bounds": (-1.5e308, 1.5e308)}, "bounds.*finite difference"),
    "bounds three": ({"bounds": (0, 1, 2)}, "bounds must be two"),
    "bounds number": ({"bounds": 3}, "bounds must be two.*3"),
    "bounds text": ({"bounds": ("a", 1)}, "bounds must be two"),
    "bounds beyond": ({"bounds": (0, 1e200)}, r"bounds.*1e\+200.*another unit"),
    "bounds below": ({"bounds": (0, 1e-200)}, r"bounds.*1e-200.*another unit"),
    "mechanism": ({"mechanism": "normal"}, "mechanism must be.*'normal'"),
    "aggregate": ({"aggregate": "median"}, "aggregate must be.*'median'"),
    "delta laplace": ({"delta": 1e-6}, "delta must be 0.*1e-06"),
    "delta none": ({"mechanism": "gaussian"}, "delta must be.*0.0"),
    "delta 1": ({"mechanism": "gaussian", "delta": 1.0}, "delta must be.*1.0"),
    "delta negative": ({"mechanism": "gaussian", "delta": -0.1}, "delta must be.*-0.1"),
    "delta nan": ({"mechanism": "gaussian", "delta": np.nan}, "delta must be.*nan"),
    "delta tiny": ({"mechanism": "gaussian", "delta": 1e-25}, "delta=1e-25 is too"),
    "seed": ({"random_state": 0}, "random_state=0 needs secure=False"),
    "seed wrong": ({"secure": False, "random_state": "x"}, "'x'"),
    "secure": ({"secure": "no"}, "secure must be.*'no'"),
    "label nan": ({"y": [0.0, np.nan, 1.0]}, r"y\[1\] is nan"),
    "label None": ({"y": np.array([0.0, 1.0, None])}, r"y\[2\] is nan|y must hold"),
    "label text": ({"y": ["1", "2", "3"]}, "y must hold numbers"),
    "label complex": ({"y": [1j, 0, 0]}, "y must hold numbers"),
    "labels table": ({"y": [[0.0], [1.0], [1.0]]}, r"y must have one.*\(3, 1\)"),
    "labels none": ({"y": [], "bags": []}, r"y must have one.*\(0,\)"),
    "bags short": ({"bags": [0, 1]}, "bags has 2 labels for 3 rows"),
    "bags missing": ({"bags": ["a", None, "b"]}, r"bags\[1\] is missing"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.filterwarnings("error")
def test_bad_input_is_named(case):
    changes, message = WRONG[case]
    given = {"y": [0.0, 1.0, 1.0], "bags": [0, 0, 1], **ARGS, **changes}
    with pytest.raises(ValueError, match=message):
        privatize_bags(given.pop("y"), given.pop("bags"), **given)


@pytest.mark.parametrize(
    "bags, bounds, aggregate, message",
    [
        (None, (0, 1), "mean", "bags must hold"),
        ("abc", (0, 1), "mean", "bags must have one dimension"),
        ([[1, 2]], (0, 1), "mean", "bags must have one dimension"),
        ([1.0, np.nan], (0, 1), "mean", r"bags\[1\] is missing"),
        ([1, 2], (1, 0), "mean", r"bounds.*\(1, 0\)"),
        ([1, 2], (0, 1), "max", "aggregate must be.*'max'"),
    ],
)
def test_bad_input_of_the_sensitivity(bags, bounds, aggregate, message):
    with pytest.raises(ValueError, match=message):
        label_sensitivity(bags, bounds, aggregate=aggregate)


@pytest.mark.parametrize(
    "sensitivity, epsilon, delta, message",
    [
        (0.0, 1.0, 0.1, "sensitivity must.*0.0"),
        ([1.0, np.nan], 1.0, 0.1, "sensitivity must.*nan"),
        (np.inf, 1.0, 0.1, "sensitivity must.*inf"),
        (1.0, 0.0, 0.1, "epsilon must be.*0.0"),
        (1.0, np.nan, 0.1, "epsilon must be.*nan"),
        (1.0, 1.0, 0.0, "delta must be.*0.0"),
        (1.0, 1.0, 1.0, "delta must be.*1.0"),
        (1.0, 1.0, np.nan, "delta must be.*nan"),
    ],
)
def test_bad_input_of_the_gaussian_scale(sensitivity, epsilon, delta, message):
    with pytest.raises(ValueError, match=message):
        gaussian_noise_scale(sensitivity, epsilon, delta)
