"""Independent truth for the solvers: the same problem written for cvxpy."""

import cvxpy as cp
import numpy as np
import pytest

from skloss.penalties import L1, L2, Box, ElasticNet, NonNegative


def _norms(penalty, w, weight):
    absolute = cp.sum(cp.multiply(weight, cp.abs(w)))
    square = cp.sum(cp.multiply(weight, cp.square(w))) / 2
    return penalty.alpha * (
        penalty.l1_ratio * absolute + (1 - penalty.l1_ratio) * square
    )


def _terms(penalty, w, weight):
    """Penalty expression and constraints; a weight of 0 frees a coordinate."""
    bound = np.flatnonzero(weight > 0)
    if isinstance(penalty, L1):
        return penalty.alpha * cp.sum(cp.multiply(weight, cp.abs(w))), []
    if isinstance(penalty, L2):
        return penalty.alpha / 2 * cp.sum(cp.multiply(weight, cp.square(w))), []
    if isinstance(penalty, ElasticNet):
        return _norms(penalty, w, weight), []
    if isinstance(penalty, NonNegative):
        return _norms(penalty, w, weight), [w[bound] >= 0]
    assert isinstance(penalty, Box)
    return 0.0, [w[bound] >= penalty.lower, w[bound] <= penalty.upper]


@pytest.fixture(scope="session")
def conic_minimum():
    """``conic_minimum(smooth, penalty, weight)``: the optimal value by Clarabel.

    `smooth` maps a cvxpy variable (size,) to the expression of the smooth part;
    `weight` (size,) are the penalty weights.
    """

    def solve(smooth, penalty, weight):
        w = cp.Variable(len(weight))
        extra, constraints = _terms(penalty, w, weight)
        problem = cp.Problem(cp.Minimize(smooth(w) + extra), constraints)
        accuracy = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-11)
        return problem.solve(solver=cp.CLARABEL, **accuracy)

    return solve
