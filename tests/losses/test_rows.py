"""Losses on rows of scores against 60 digits, scikit-learn and brute force."""

from typing import NamedTuple

import mpmath as mp
import numpy as np
import pytest
from sklearn._loss.loss import HalfMultinomialLoss

from skloss import losses
from skloss._jit import kernel

LOSS = losses.SoftmaxCrossEntropy()
RANDOM = np.random.RandomState(0)
ROWS = [
    RANDOM.standard_normal(2),
    5 * RANDOM.standard_normal(7),
    30 * RANDOM.standard_normal(26),
    np.array([3.0, 3.0, -3.0]),  # a tie
    np.array([0.0, 40.0, 39.0]),
    np.array([1e6, -1e6, 0.0]),
    np.array([1e150, -1e150]),
    np.array([2.5]),  # one class: no loss
]


def exact(y, F):
    """Value and gradient in 60 digits."""
    with mp.workdps(60):
        scores = [mp.mpf(float(s)) for s in F]
        top = max(scores)
        e = [mp.exp(s - top) for s in scores]
        total = mp.fsum(e)
        others = [v / total for v in e]
        others[y] = -mp.fsum(v for k, v in enumerate(others) if k != y)
        # logsumexp(F) - F[y] without cancelling the largest score against itself
        rest = mp.fsum(mp.exp(s - scores[y]) for k, s in enumerate(scores) if k != y)
        return float(mp.log1p(rest)), np.array([float(v) for v in others])


@kernel
def _by_row(loss, y, F, v, gradient, product):
    losses.row_curvature_product(loss, y, F, v, product)
    return losses.row_value(loss, y, F), losses.row_gradient(loss, y, F, gradient)


@kernel
def _product(loss, y, F, v, out):
    losses.row_curvature_product(loss, y, F, v, out)


@pytest.mark.parametrize("row", ROWS, ids=len)
def test_value_and_gradient(row):
    """Of all rows at once, of one row in Python, of one row in a kernel."""
    for y in range(row.size):
        value, gradient = exact(y, row)
        by_block = losses.value_and_gradient(LOSS, [y], row[None])
        out, compiled = np.empty_like(row), np.empty_like(row)
        values = [
            losses.evaluate(LOSS, [y], row[None])[0],
            by_block[0][0],
            losses.row_value(LOSS, y, row),
            losses.row_gradient(LOSS, y, row, out),
            *_by_row(LOSS, y, row, row, compiled, np.empty_like(row)),
        ]
        np.testing.assert_allclose(values, value, rtol=1e-13)
        for computed in (by_block[1][0], out, compiled):
            np.testing.assert_allclose(computed, gradient, rtol=1e-13)


def test_gradient_in_place():
    F = 3 * RANDOM.standard_normal((30, 5))
    y = RANDOM.randint(5, size=30)
    expected = losses.evaluate_gradient(LOSS, y, F)
    for i in range(30):
        row = F[i].copy()
        losses.row_gradient(LOSS, y[i], row, row)
        np.testing.assert_allclose(row, expected[i], rtol=1e-14)
    losses.block_gradient(LOSS, y, F, np.empty(30), F)
    np.testing.assert_allclose(F, expected, rtol=1e-14)


class Spread(NamedTuple):
    """A row loss that has no block form of its own."""


@losses.row_gradient.implement(Spread)
def _(loss, y, F, out):
    target, total = F[y], 0.0
    for k in range(F.size):
        out[k] = F[k] - target
        total += 0.5 * out[k] ** 2
    return total


@kernel
def _block(loss, y, F, values, out):
    losses.block_gradient(loss, y, F, values, out)


@pytest.mark.parametrize("block", [losses.block_gradient, _block])
def test_block_defaults_to_rows(block):
    F, y = RANDOM.standard_normal((4, 3)), np.array([0, 1, 2, 0])
    values, out = np.empty(4), np.empty((4, 3))
    block(Spread(), y, F, values, out)
    expected = F - F[np.arange(4), y][:, None]
    np.testing.assert_allclose(out, expected)
    np.testing.assert_allclose(values, (expected**2).sum(axis=1) / 2)


def test_equals_scikit_learn():
    F = 3 * RANDOM.standard_normal((50, 5))
    y = RANDOM.randint(5, size=50)
    weight = RANDOM.uniform(0, 2, 50)
    peer = HalfMultinomialLoss(n_classes=5)
    values, gradient = losses.value_and_gradient(LOSS, y, F, weight)
    expected = peer.loss_gradient(y.astype(float), F, weight)
    np.testing.assert_allclose(values, expected[0], rtol=1e-12)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("row", ROWS[:5], ids=len)
def test_curvature_product(row):
    p = exact(0, row)[1]
    p[0] += 1
    hessian = np.diag(p) - np.outer(p, p)
    for v in (RANDOM.standard_normal(row.size), np.ones(row.size)):
        out = np.empty_like(row)
        losses.row_curvature_product(LOSS, 0, row, v, out)
        np.testing.assert_allclose(out, hessian @ v, atol=1e-15 * row.size)
        other = np.empty_like(row)
        _by_row(LOSS, 0, row, v, np.empty_like(row), other)
        np.testing.assert_allclose(other, out, rtol=1e-13, atol=1e-18)


@pytest.mark.parametrize("row", ROWS[:5], ids=len)
def test_curvature_product_in_place(row):
    p = exact(0, row)[1]
    p[0] += 1
    hessian = np.diag(p) - np.outer(p, p)
    for product in (losses.row_curvature_product, _product):
        for place in ("F", "v"):
            arrays = {"F": row.copy(), "v": RANDOM.standard_normal(row.size)}
            expected = hessian @ arrays["v"]
            product(LOSS, 0, arrays["F"], arrays["v"], arrays[place])
            np.testing.assert_allclose(arrays[place], expected, atol=1e-14 * row.size)


@pytest.mark.parametrize("row", ROWS[:3], ids=len)
def test_curvature_product_is_the_gradients_derivative(row):
    v, h = RANDOM.standard_normal(row.size), 1e-5
    out, above, below = (np.empty_like(row) for _ in range(3))
    losses.row_curvature_product(LOSS, 1, row, v, out)
    losses.row_gradient(LOSS, 1, row + h * v, above)
    losses.row_gradient(LOSS, 1, row - h * v, below)
    np.testing.assert_allclose(out, (above - below) / (2 * h), atol=1e-8)


def test_constants_are_bounds_that_are_attained():
    p = np.array([0.5, 0.5])
    largest = np.linalg.eigvalsh(np.diag(p) - np.outer(p, p))[-1]
    assert largest == pytest.approx(LOSS.smoothness)
    steepest = losses.evaluate_gradient(LOSS, [0], [[-1e3, 0.0, -1e3]])
    assert np.linalg.norm(steepest) == pytest.approx(LOSS.lipschitz)


def test_fenchel_young():
    for row in ROWS[:5]:
        for y in range(row.size):
            a = np.empty_like(row)
            value = losses.row_gradient(LOSS, y, row, a)
            gap = value + losses.row_conjugate(LOSS, y, a) - a @ row
            assert abs(gap) <= 1e-12 * (1 + abs(value) + np.abs(a) @ np.abs(row))
    # any other slope in the domain leaves a gap, one outside has no supremum
    y, row = 0, ROWS[1]
    q = RANDOM.dirichlet(np.ones(row.size))
    a = q - np.eye(row.size)[y]
    assert losses.row_conjugate(LOSS, y, a) > a @ row - losses.row_value(LOSS, y, row)
    assert losses.row_conjugate(LOSS, y, a) == pytest.approx(q @ np.log(q))
    assert losses.row_conjugate(LOSS, y, a + 0.1) == np.inf
    a[1] = -1e-3
    assert losses.row_conjugate(LOSS, y, a) == np.inf
    assert losses.row_conjugate(LOSS, 0, np.zeros(3)) == 0


def test_float32():
    F = (10 * RANDOM.standard_normal((40, 6))).astype(np.float32)
    F[0] = [3e38, -3e38, 0, 0, 0, 0]
    y = RANDOM.randint(6, size=40)
    y[0] = 0
    values, gradient = losses.value_and_gradient(LOSS, y, F)
    assert values.dtype == gradient.dtype == np.float32
    expected = losses.value_and_gradient(LOSS, y, F.astype(float))
    np.testing.assert_allclose(values, expected[0], rtol=2e-6)
    np.testing.assert_allclose(gradient, expected[1], rtol=4e-6, atol=1e-37)


def test_nan_is_not_hidden():
    for position in range(3):
        F = np.zeros(3)
        F[position] = np.nan
        assert np.isnan(losses.row_value(LOSS, 0, F))
        assert np.isnan(losses.row_gradient(LOSS, 0, F, np.empty(3)))
