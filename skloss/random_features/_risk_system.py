"""The equations behind the predicted risk of random-feature ridge, for one point.

Notation, for eigenvalues l_i > 0 and squared coefficients v_i² of the target: L_i =
l_i/(l_i + gamma), G_i = 1 - L_i, z = ΣL, c = ΣLG. A point is a number of training
rows n, of features k (infinity allowed) and of rows in the pool that both eigenvalues
and training rows come from (infinity: the population). The two slacks are a = n - z
and b = k - z, the share of the pool left out h = 1 - n/pool, and p = 1 - z/pool. Then

    alpha = gamma (b/k) a/p,
    test = n [ΣG²v² + (1 - r) ΣLGv² + rest]/(p a + h c r),   r = b/(b + c),
    train = (a/n)² test,

where `rest` is the noise and whatever part of the target has an eigenvalue of zero.
With an infinite pool this is the system of Simon, Karkada, Ghosh and Belkin (ICLR
2024, arXiv 2311.14646) after elimination of kappa = gamma b/k. With a finite one it
follows from the deterministic equivalent of rows drawn without replacement; n = pool
gives exact ridge (train) and its generalised cross-validation score (test).

Every sum has terms of one sign, so that the results keep their digits from ridges
near zero to ridges that drown the spectrum, also where a or b vanish.
"""

from typing import NamedTuple

import numpy as np

from skloss._jit import kernel

__all__ = ["Point", "Root", "best_ridge", "ridge_at", "risk_at", "solve_ridge"]

_SUM = {"reassoc", "contract", "nsz"}  # sums of terms that are never nan
# A gamma this much below the least eigenvalue, or this small, is as good as zero.
_NEGLIGIBLE = 1e-290
_SMALLEST = 1e-305
_TOLERANCE = 1e-11  # of Newton steps in log gamma, whose error is its square
_MAX_STEPS = 500
_GOLDEN = 0.3819660112501051
_GOLDEN_STEPS = 30  # shrink a bracket to 5e-7 of its length
_ROUNDING = 1e-14  # of errors
_GRID_STEP = 0.5  # of log gamma; one mode's share changes over about 2
_LARGEST = 1e300


class Point(NamedTuple):
    """Sizes at which the risk is predicted; `left` is the share of the pool left."""

    n: float
    k: float
    pool: float
    left: float


class Root(NamedTuple):
    """A solution: gamma, z, the slacks a = n - z and b = k - z, and c."""

    gamma: float
    df: float
    a: float
    b: float
    c: float


@kernel(fastmath=_SUM)
def _degrees(eigenvalues, gamma):
    """Return ΣL as an integer and a remainder, and ΣLG.

    A mode above gamma counts as 1 less a small part, so that a difference of ΣL from
    an integer is exact up to the rounding of the small parts.
    """
    whole, part, curvature = 0.0, 0.0, 0.0
    for i in range(eigenvalues.size):
        mode = eigenvalues[i]
        small = min(mode, gamma) / (mode + gamma)
        whole += 1.0 if mode > gamma else 0.0
        part += -small if mode > gamma else small
        curvature += small * (1.0 - small)
    return whole, part, curvature


@kernel(fastmath={"contract", "nsz"})
def _errors(eigenvalues, powers, gamma, scale):
    """Return Σ(G·scale)²v² and Σ(LG·scale)v².

    Products in another order could overflow, hence no "reassoc".
    """
    bias, cross = 0.0, 0.0
    for i in range(eigenvalues.size):
        mode, power = eigenvalues[i], powers[i]
        small = min(mode, gamma) / (mode + gamma)
        gap = small if mode > gamma else 1.0 - small
        bias += (gap * scale) * (gap * scale) * power
        cross += small * (1.0 - small) * scale * power
    return bias, cross


@kernel
def _is_ridgeless(eigenvalues, gamma):
    """Tell whether the errors are those of the limit of gamma = 0."""
    return gamma < _SMALLEST or gamma / eigenvalues[-1] < _NEGLIGIBLE


@kernel
def _wanted(point, alpha, gamma):
    """Return the a and b that the ridge asks for, and their slope in log gamma.

    With d = b - a = k - n and s = k·alpha/gamma, a² + a(d - s/pool) = s·left, and the
    same for b with n and k exchanged: whichever is smaller has no cancelling root.
    """
    if alpha == 0.0:
        if point.k == np.inf:
            return 0.0, np.inf, 0.0
        d = point.k - point.n
        return max(0.0, -d), max(0.0, d), 0.0
    if point.k == np.inf:
        s = alpha / gamma
        room = 1.0 - s / point.pool
        if room <= 0.0:
            return np.inf, np.inf, -np.inf
        a = s * point.left / room
        return a, np.inf, -a / room
    s = (point.k * alpha) / gamma
    d = point.k - point.n
    if point.left == 0.0:
        b = s / point.pool
        return b - d, b, -b
    left = point.left if d >= 0.0 else 1.0 - point.k / point.pool
    half = 0.5 * (abs(d) - s / point.pool)
    middle = np.hypot(half, np.sqrt(s) * np.sqrt(left))
    if half < 0.0:
        small = middle - half
    elif middle == 0.0:
        small = 0.0
    else:
        small = s * left / (middle + half)
    rate = -s * (left + small / point.pool) / (2.0 * middle) if middle > 0.0 else 0.0
    if d >= 0.0:
        return small, small + d, rate
    return small - d, small, rate


@kernel
def _slack(size, n_modes, whole, part, wanted):
    """Return n - z or k - z: counted where that is exact, else as the ridge wants."""
    counted = (size - whole) - part
    if n_modes <= size or counted > 0.01 * size:
        return counted
    return wanted


@kernel
def _bracket(eigenvalues, trace, point, alpha):
    """Return gammas between which the root lies.

    Below: z is at least j·l_j/(l_j + gamma) for the j-th largest eigenvalue l_j, and
    the slacks are at most n and k. Above: both slacks are at least half their sizes
    once z is at most min(n, k)/2.
    """
    least = min(point.n, point.k)
    low = alpha / point.n
    j = int(least) + 1
    while j <= eigenvalues.size:
        low = max(low, eigenvalues[j - 1] * ((j - least) / least))
        j *= 2
    top = min(int(0.25 * least), eigenvalues.size)
    tail = trace
    for i in range(top):
        tail -= eigenvalues[i]
    tail = max(tail, eigenvalues[-1], 1e-15 * trace)
    high = max(4.0 * tail / least, 4.0 * (alpha / point.n))
    return low, max(high, low)


@kernel
def _step(n_modes, short, wanted, rate, z, rest, curvature):
    """Return a Newton step in log gamma for slack = wanted slack.

    The smaller slack is `short`, z its complement and `rest` = n_modes - z. Where the
    ridge drives the wanted slack, logarithms of the slacks are nearly linear in
    log gamma; where the spectrum drives it, the log odds of z are.
    """
    target = z + (short - wanted)
    if -rate >= curvature and short > 0.0 and 0.0 < wanted < np.inf:
        slope = curvature / short - rate / wanted
        return -np.log(short / wanted) / slope
    other = rest - (short - wanted)
    if target > 0.0 and other > 0.0:
        slope = curvature / z + curvature / rest - rate / target - rate / other
        return -(np.log(target / z) - np.log(other / rest)) / slope
    return np.nan


@kernel
def solve_ridge(eigenvalues, trace, point, alpha, warm):
    """Solve for gamma at a given ridge.

    Parameters
    ----------
    eigenvalues : ndarray of shape (n_modes,)
        Positive, descending.
    trace : float
        Their sum.
    point : Point
        Sizes.
    alpha : float
        Ridge, 0 and infinity allowed.
    warm : float
        A gamma known not to be above the solution, or 0.

    Returns
    -------
    Root
        With gamma = 0 if the ridge is zero (or next to it) and every mode is learnt.
    """
    n_modes = eigenvalues.size
    everything = n_modes <= min(point.n, point.k)
    if n_modes == 0 or alpha == np.inf:
        return Root(alpha / point.n, 0.0, point.n, point.k, 0.0)
    if point.n == point.pool and point.k == np.inf:
        return _root(eigenvalues, point, alpha, alpha / point.n)
    if everything and alpha == 0.0:
        return _root(eigenvalues, point, alpha, 0.0)
    low, high = _bracket(eigenvalues, trace, point, alpha)
    low = max(low, warm)
    first = point.n <= point.k and point.left > 0.0
    gamma = np.sqrt(low) * np.sqrt(high)
    for _ in range(_MAX_STEPS):
        whole, part, curvature = _degrees(eigenvalues, gamma)
        a, b, rate = _wanted(point, alpha, gamma)
        short = ((point.n if first else point.k) - whole) - part
        wanted = a if first else b
        if short > wanted:
            high = gamma
        else:
            low = gamma
        z, rest = whole + part, (n_modes - whole) - part
        step = _step(n_modes, short, wanted, rate, z, rest, curvature)
        proposal = gamma * np.exp(step)
        if abs(step) < _TOLERANCE:
            return _root(eigenvalues, point, alpha, proposal)
        if not low < proposal < high:
            proposal = np.sqrt(low) * np.sqrt(high)
        gamma = proposal
        if high <= low * (1.0 + 4e-16):
            break
    return _root(eigenvalues, point, alpha, gamma)


@kernel
def _root(eigenvalues, point, alpha, gamma):
    """Complete a solution."""
    if _is_ridgeless(eigenvalues, gamma):
        df = 1.0 * eigenvalues.size
        return Root(gamma, df, point.n - df, point.k - df, 0.0)
    whole, part, c = _degrees(eigenvalues, gamma)
    wanted_a, wanted_b, _ = _wanted(point, alpha, gamma)
    a = _slack(point.n, eigenvalues.size, whole, part, wanted_a)
    b = _slack(point.k, eigenvalues.size, whole, part, wanted_b)
    return Root(gamma, whole + part, a, b, c)


@kernel
def _scaled_risk(eigenvalues, powers, rest, gamma, missed, scale):
    """Return the numerator of the test error, times the square of a scale."""
    bias, cross = _errors(eigenvalues, powers, gamma, scale)
    return bias + missed * scale * cross + rest * scale * scale


@kernel
def _ridgeless_risk(eigenvalues, powers, rest, point, root):
    """Return the limits of the errors as gamma tends to 0 with every mode learnt.

    In this limit G_i tends to gamma/l_i, b/(b + c) to 1/2 if there are as many
    features as modes, else to 1.
    """
    a, n_modes = root.a, eigenvalues.size
    if a > 0.0:
        scaled = rest / (point.left + a / point.pool)
        return point.n / a * scaled, a / point.n * scaled
    share = 0.5 if root.b == 0.0 else 1.0
    least = eigenvalues[-1]
    total, cross, bias = 0.0, 0.0, 0.0
    for i in range(n_modes):
        inverse = least / eigenvalues[i]
        total += inverse
        cross += inverse * powers[i]
        bias += inverse * inverse * powers[i]
    if point.left > 0.0:
        if rest > 0.0:
            return np.inf, 0.0
        spread = (1.0 + share) * point.left * total
        return point.n * (1.0 - share) * cross / spread, 0.0
    if rest > 0.0 or (share < 1.0 and cross > 0.0):
        return np.inf, rest
    return point.n * point.n * bias / (total * total), 0.0


@kernel
def risk_at(eigenvalues, powers, rest, point, root):
    """Return the test and train error at a solution.

    Parameters
    ----------
    eigenvalues : ndarray of shape (n_modes,)
        Positive, descending.
    powers : ndarray of shape (n_modes,)
        Squared coefficients of the target, summed over targets.
    rest : float
        Noise and squared coefficients at eigenvalues of zero.
    point : Point
        Sizes.
    root : Root
        From `solve_ridge` or `root_at`.

    Returns
    -------
    test, train : float
    """
    if root.gamma == np.inf or eigenvalues.size == 0:
        total = rest + powers.sum()
        return total, total
    if _is_ridgeless(eigenvalues, root.gamma):
        return _ridgeless_risk(eigenvalues, powers, rest, point, root)
    n, a, b, c = point.n, root.a, root.b, root.c
    share = 1.0 if b == np.inf else b / (b + c)
    missed = 0.0 if b == np.inf else c / (b + c)
    p = point.left + a / point.pool
    # Divided by the root of the denominator twice, nothing underflows.
    direct, crossed = np.sqrt(p) * np.sqrt(a), np.sqrt(point.left * c * share)
    under = np.hypot(direct, crossed)
    if under == 0.0:
        # n = k and no ridge: training errors vanish, test errors do not.
        over = _scaled_risk(eigenvalues, powers, rest, root.gamma, missed, 1.0)
        return np.inf if over > 0.0 else 0.0, 0.0
    scale, kept = 1.0 / under, a / n
    test = n * _scaled_risk(eigenvalues, powers, rest, root.gamma, missed, scale)
    if test < np.inf:
        return test, kept * kept * test
    scale *= kept
    return test, n * _scaled_risk(eigenvalues, powers, rest, root.gamma, missed, scale)


@kernel
def ridge_at(point, root):
    """Return the ridge that a solution belongs to."""
    width = 1.0 if root.b == np.inf else root.b / point.k
    return root.gamma * width * root.a / (point.left + root.a / point.pool)


@kernel
def _path_risk(eigenvalues, powers, rest, point, log_gamma):
    """Return the test error as a function of gamma, infinite where no ridge fits."""
    gamma = np.exp(log_gamma)
    whole, part, c = _degrees(eigenvalues, gamma)
    a, b = (point.n - whole) - part, (point.k - whole) - part
    if a <= 0.0 or b <= 0.0:
        return np.inf
    root = Root(gamma, whole + part, a, b, c)
    return risk_at(eigenvalues, powers, rest, point, root)[0]


@kernel
def _highest(eigenvalues, powers, trace, rest, point):
    """Return a gamma above the best one, from the expansion for large gamma.

    There test = total - 2 first/gamma + second/gamma² with the sums below; if `first`
    is not positive, the best gamma may be infinite.
    """
    unit = eigenvalues[0]
    scaled_trace = trace / unit
    squares, linear, quadratic = 0.0, 0.0, 0.0
    for i in range(eigenvalues.size):
        mode = eigenvalues[i] / unit
        squares += mode * mode
        linear += mode * powers[i]
        quadratic += mode * mode * powers[i]
    total = rest + powers.sum()
    first = linear - total * scaled_trace / point.pool
    second = total * (squares + scaled_trace * scaled_trace / point.k) / point.n
    second += linear * scaled_trace / point.k + 3.0 * quadratic
    high = max(1.0, scaled_trace / min(point.n, point.k))
    if first > 1e-15 * linear:
        high = max(high, second / first)
    return min(10.0 * high * unit, _LARGEST)


@kernel
def _extended(eigenvalues, powers, rest, point, log_gamma, direction):
    """Walk along the path until the error no longer falls, and return the last step.

    Ridges go like the third power of the smallest gammas, hence the lower bound.
    """
    step = direction
    lowest, highest = max(np.log(eigenvalues[-1]) - 225.0, -690.0), 690.0
    here = _path_risk(eigenvalues, powers, rest, point, log_gamma)
    while lowest < log_gamma + step < highest:
        there = _path_risk(eigenvalues, powers, rest, point, log_gamma + step)
        if not there < here:
            break
        log_gamma, here, step = log_gamma + step, there, 2.0 * step
    return min(max(log_gamma + step, lowest), highest)


@kernel
def _golden(eigenvalues, powers, rest, point, low, high):
    """Return the least error found between two values of log gamma, and its place."""
    inner, outer = low + _GOLDEN * (high - low), high - _GOLDEN * (high - low)
    f_inner = _path_risk(eigenvalues, powers, rest, point, inner)
    f_outer = _path_risk(eigenvalues, powers, rest, point, outer)
    for _ in range(_GOLDEN_STEPS):
        if f_inner <= f_outer:
            high, outer, f_outer = outer, inner, f_inner
            inner = low + _GOLDEN * (high - low)
            f_inner = _path_risk(eigenvalues, powers, rest, point, inner)
        else:
            low, inner, f_inner = inner, outer, f_outer
            outer = high - _GOLDEN * (high - low)
            f_outer = _path_risk(eigenvalues, powers, rest, point, outer)
    return (f_inner, inner) if f_inner <= f_outer else (f_outer, outer)


@kernel
def _lowest_of_path(eigenvalues, powers, rest, point, low, high):
    """Return the least error between two values of log gamma, and its place.

    Spectra with gaps have several local minima: every one that a grid shows is
    refined, unless it is nothing but rounding.
    """
    n_cells = max(4, int((high - low) / _GRID_STEP) + 1)
    grid = np.linspace(low, high, n_cells + 1)
    values = np.empty(n_cells + 1)
    for i in range(n_cells + 1):
        values[i] = _path_risk(eigenvalues, powers, rest, point, grid[i])
    at = np.argmin(values)
    best, place = values[at], grid[at]
    for i in range(n_cells + 1):
        left, right = max(i - 1, 0), min(i + 1, n_cells)
        sides = max(values[left], values[right])
        lowest = values[i] <= min(values[left], values[right])
        if lowest and sides > values[i] * (1.0 + 1e-12) and values[i] < 1.2 * best:
            value, where = _golden(
                eigenvalues, powers, rest, point, grid[left], grid[right]
            )
            if value < best:
                best, place = value, where
    return best, place


@kernel
def best_ridge(eigenvalues, powers, trace, rest, point):
    """Return the ridge of least test error, infinite if nothing should be learnt.

    The path is swept in gamma, for which the ridge is known in closed form, and needs
    no root but that of its lower end.
    """
    if eigenvalues.size == 0:
        return 0.0
    edge = solve_ridge(eigenvalues, trace, point, 0.0, 0.0)
    at_edge, _ = risk_at(eigenvalues, powers, rest, point, edge)
    if at_edge == 0.0:
        return 0.0
    high = np.log(_highest(eigenvalues, powers, trace, rest, point))
    high = _extended(eigenvalues, powers, rest, point, high, 1.0)
    if edge.gamma > 0.0:
        low = np.log(edge.gamma)
    else:
        low = np.log(eigenvalues[-1]) - 5.0
        low = _extended(eigenvalues, powers, rest, point, low, -1.0)
    best, place = _lowest_of_path(
        eigenvalues, powers, rest, point, low, max(high, low + 1.0)
    )
    if at_edge <= best:
        return 0.0
    if rest + powers.sum() <= best * (1.0 + _ROUNDING):
        return np.inf
    gamma = np.exp(place)
    whole, part, c = _degrees(eigenvalues, gamma)
    a, b = (point.n - whole) - part, (point.k - whole) - part
    return ridge_at(point, Root(gamma, whole + part, a, b, c))
