"""Compiled branch and bound over the subsets of a given size.

A node has fixed columns, which are projected out of the Gram matrix of the free ones.
Its children fix one free column each and lose those before it, so that no subset is
met twice. Two free places are filled by trying all pairs.

Bounds: with a diagonal D such that ``A - D`` is positive semidefinite, the gain of a
subset of r columns is at most that of the relaxation in which column j is in by a
share z_j, and for any z, with w the solution of ``(A - D + D / z) w = q``, at most
``w'(A - D)w`` plus the r largest of ``D_j w_j^2 / z_j^2`` (perspective relaxation;
concave in z, so linear above its tangent). Projecting keeps ``A - D`` semidefinite.
"""

import numpy as np

from skloss._jit import kernel
from skloss.sparse._subset_item_kernels import nonnegative_loss

__all__ = ["explore", "open_node"]

_FAST = {"reassoc", "contract", "arcp", "nsz"}
_STEPS = 6  # of the relaxation at a node
_NOTHING = 1e-4  # part of `least` below which a column surely depends on others


@kernel(fastmath=_FAST)
def _dot(a, b):
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@kernel(fastmath=_FAST)
def _subtract(row, factor, out):
    for j in range(out.size):
        out[j] -= factor * row[j]


@kernel(fastmath=_FAST)
def _count_better(row, diagonal, q, inverse, shift, wanted):
    """How many columns gain more than `wanted` beside one that is fixed."""
    count = 0
    for j in range(q.size):
        rest = diagonal[j] - row[j] * row[j] * inverse
        g = q[j] - row[j] * shift
        count += g * g > wanted * rest
    return count


@kernel
def _solve(A, D, z, q, factor, w):
    """Solve ``(A - D + D / z) w = q``; return False if it cannot be."""
    m = q.size
    for i in range(m):
        for j in range(i):
            factor[i, j] = (A[i, j] - _dot(factor[i, :j], factor[j, :j])) * factor[j, j]
        square = A[i, i] + D[i] * (1.0 / z[i] - 1.0)
        square -= _dot(factor[i, :i], factor[i, :i])
        if square <= 1e-14:
            return False
        factor[i, i] = 1.0 / np.sqrt(square)  # its inverse
        w[i] = (q[i] - _dot(factor[i, :i], w[:i])) * factor[i, i]
    for i in range(m - 1, -1, -1):
        w[i] *= factor[i, i]
        _subtract(factor[i, :i], w[i], w[:i])
    return True


@kernel
def _set_shares(D, w, r, z):
    """Shares of the columns that are best for coefficients, summing to r."""
    m = w.size
    least = 1e-3 * r / m
    free, total = r, 0.0
    for j in range(m):
        z[j] = np.sqrt(D[j]) * abs(w[j])
        total += z[j]
    level = total / free
    for _ in range(r):  # those above 1 are capped, which lowers the level
        capped, rest = 0, 0.0
        for j in range(m):
            if z[j] >= level:
                capped += 1
            else:
                rest += z[j]
        if capped == m or capped >= r:
            break
        lower = rest / (r - capped)
        if lower >= level:
            break
        level = lower
    for j in range(m):
        share = z[j] / level if level > 0 else 0.0
        z[j] = min(1.0, max(share, least))


@kernel
def _insert(top, value):
    """Put a value among the largest, in falling order."""
    i = top.size - 1
    if i < 0 or value <= top[i]:
        return
    while i > 0 and top[i - 1] < value:
        top[i] = top[i - 1]
        i -= 1
    top[i] = value


@kernel
def _relax(A, D, q, r, z, needed, patient, factor, w, slopes):
    """Bound the gain of r columns; return it and fill the slopes of the shares.

    Stops as soon as the bound is at most `needed`, or, unless it is patient, surely
    cannot become so.
    """
    m = q.size
    top = np.empty(r)
    bound = np.inf
    for _ in range(_STEPS):
        if not _solve(A, D, z, q, factor, w):
            return np.inf
        value = _dot(q, w)  # of the relaxation at z: below its optimum
        inside = value
        top[:] = 0.0
        for j in range(m):
            slopes[j] = D[j] * (w[j] / z[j]) ** 2
            inside -= slopes[j] * z[j]
            _insert(top, slopes[j])
        bound = inside + top.sum()
        if bound <= needed or (value > needed and not patient):
            return bound
        _set_shares(D, w, r, z)
    return bound


@kernel
def _sort_falling(values, order):
    """Order of values from the largest, by insertion: they are few."""
    for i in range(values.size):
        at = i
        while at > 0 and values[order[at - 1]] < values[i]:
            order[at] = order[at - 1]
            at -= 1
        order[at] = i


@kernel
def _child_bounds(slopes, inside, r, loss, m, out):
    """Bounds of the losses of children: one column in, those before it out."""
    top = np.zeros(r - 1)
    total = 0.0
    for at in range(m - 1, -1, -1):
        value = slopes[at]
        out[at] = loss - (inside + value + total)
        if at > m - r:
            out[at] = np.inf  # too few are left to fill the places
        _insert(top, value)
        total = top.sum()


@kernel
def _signed_loss(sign, fixed, n_fixed, first, second):
    """Loss of fixed columns and a pair, without negative coefficients."""
    gram, target = sign
    n = n_fixed + 2
    chosen = np.empty(n, np.intp)
    for i in range(n_fixed):
        chosen[i] = fixed[i]
    chosen[n_fixed], chosen[n_fixed + 1] = first, second
    G, q = np.empty((n, n)), np.empty(n)
    for i in range(n):
        q[i] = target[chosen[i]]
        for j in range(n):
            G[i, j] = gram[chosen[i], chosen[j]]
    return nonnegative_loss(G, q, n)


@kernel
def _doubt(rest, least, doubt):
    """Tell of a column that neither depends on others nor is told from them."""
    if rest > _NOTHING * least:
        doubt[0] = 1


@kernel
def _best_pair(A, q, names, loss, least, best, chosen, sign, fixed, n_fixed, doubt):
    """Try all pairs; return the lowest loss below `best`, and fill the pair."""
    m = q.size
    diagonal = np.empty(m)
    for i in range(m):
        diagonal[i] = A[i, i]
    for a in range(m - 1):
        if diagonal[a] <= least:
            _doubt(diagonal[a], least, doubt)
            continue
        inverse = 1.0 / diagonal[a]
        gain = q[a] * q[a] * inverse
        row, shift = A[a], q[a] * inverse
        wanted = loss - gain - best
        new = a + 1
        if wanted > 0 and not _count_better(
            row[new:], diagonal[new:], q[new:], inverse, shift, wanted
        ):
            continue
        for b in range(new, m):
            rest = diagonal[b] - row[b] * row[b] * inverse
            if rest <= _NOTHING * least:
                continue
            value = loss - gain - (q[b] - row[b] * shift) ** 2 / rest
            if value < best and rest <= least:
                _doubt(rest, least, doubt)
                continue
            if value < best and sign[1].size:
                value = _signed_loss(sign, fixed, n_fixed, names[a], names[b])
            if value < best:
                best = value
                chosen[0], chosen[1] = names[a], names[b]
    return best


@kernel
def _project(A, q, z, names, i, m, B, p, y, new_names):
    """Project column i out of those after it; drop what depends on it."""
    inverse = 1.0 / A[i, i]
    size = m - i - 1
    for a in range(size):
        factor = A[i, i + 1 + a] * inverse
        for b in range(size):
            B[a, b] = A[i + 1 + a, i + 1 + b]
        _subtract(A[i, i + 1 : m], factor, B[a, :size])
        p[a] = q[i + 1 + a] - factor * q[i]
        y[a] = z[i + 1 + a]
        new_names[a] = names[i + 1 + a]
    return size


@kernel
def _reorder(A, q, z, names, order, m, scratch):
    """Put the columns of a node in an order, of which some may be left out."""
    for a in range(m):
        for b in range(m):
            scratch[a, b] = A[order[a], order[b]]
        scratch[m, a], scratch[m + 1, a] = q[order[a]], z[order[a]]
        scratch[m + 2, a] = names[order[a]]
    for a in range(m):
        for b in range(m):
            A[a, b] = scratch[a, b]
        q[a], z[a], names[a] = (
            scratch[m, a],
            scratch[m + 1, a],
            np.intp(scratch[m + 2, a]),
        )


@kernel
def open_node(
    A, q, z, names, m, D, r, loss, best, least, bounds, scratch, doubt, patient
):
    """Bound a node, sort its columns and bound its children.

    Parameters are those of `explore` at one depth; `m` is the number of free columns,
    `r` that of free places and `loss` that of the fixed columns. A patient bound is
    made tighter than needed to decide.

    Returns
    -------
    int
        Columns that may be in a better subset; 0 if there is none.
    """
    kept = 0
    order = np.empty(m, np.intp)
    slopes = np.empty(m)
    usable = D.size > 0
    inside, bound = 0.0, np.inf
    if usable:
        total = z[:m].sum()
        for j in range(m):
            z[j] = min(1.0, z[j] * r / total)
        w = np.empty(m)
        needed = loss - best
        local = np.empty(m)
        for j in range(m):
            local[j] = D[names[j]]
        bound = _relax(A, local, q[:m], r, z[:m], needed, patient, scratch, w, slopes)
        if bound <= needed:
            return 0
        usable = bound < np.inf
    if not usable:
        for j in range(m):
            slopes[j] = q[j] * q[j] / max(A[j, j], least)
    top = np.zeros(r)
    for j in range(m):
        _insert(top, slopes[j])
    inside = bound - top.sum()
    with_it = bound - top[r - 1]  # bound when a column outside the top enters
    _sort_falling(slopes, order)
    sorted_slopes = np.empty(m)
    for at in range(m):
        j = order[at]
        enters = slopes[j] >= top[r - 1] or loss - (with_it + slopes[j]) < best
        if A[j, j] > least and (not usable or enters):
            order[kept] = j
            sorted_slopes[kept] = slopes[j]
            kept += 1
        elif A[j, j] <= least:
            _doubt(A[j, j], least, doubt)
    if kept < r:
        return 0
    _reorder(A, q, z, names, order, kept, scratch)
    if usable:
        _child_bounds(sorted_slopes, inside, r, loss, kept, bounds)
    else:
        for at in range(kept):
            bounds[at] = 0.0 if at <= kept - r else np.inf
    return kept


@kernel
def _fill_last(tree, fixed, sign, depth, least, best, chosen, doubt):
    """Try all pairs at a node with two free places; return the lowest loss."""
    A, q, _, names, sizes, _, _, losses = tree
    m, pair = sizes[depth], np.empty(2, np.intp)
    found = _best_pair(
        A[depth, :m, :m],
        q[depth, :m],
        names[depth],
        losses[depth],
        least,
        best,
        pair,
        sign,
        fixed,
        depth,
        doubt,
    )
    if found < best:
        for i in range(depth):
            chosen[i] = fixed[i]
        chosen[depth], chosen[depth + 1] = pair[0], pair[1]
    return found


@kernel
def _enter(tree, i, depth, k, D, least, best, scratch, doubt):
    """Fix column i of a node; return how many columns its child has."""
    A, q, z, names, sizes, _, bounds, losses = tree
    new = depth + 1
    r = k - new
    losses[new] = losses[depth] - q[depth, i] ** 2 / A[depth, i, i]
    node, child = (A[depth], q[depth], z[depth]), (A[new], q[new], z[new])
    m = _project(*node, names[depth], i, sizes[depth], *child, names[new])
    if r == 2:
        return m
    return open_node(
        *child,
        names[new],
        m,
        D,
        r,
        losses[new],
        best,
        least,
        bounds[new],
        scratch,
        doubt,
        False,
    )


@kernel
def explore(tree, fixed, sign, D, k, least, best, chosen, doubt, budget):
    """Go on with a depth-first search.

    Parameters
    ----------
    tree : tuple
        ``A, q, z, names, sizes, at, bounds, losses``, the arrays that follow.
    A : ndarray of shape (k, p, p)
        Gram matrices of the free columns of the open nodes, by depth.
    q, z : ndarray of shape (k, p)
        Correlations with the residual, and shares.
    names : ndarray of shape (k, p), intp
        Free columns.
    sizes, at : ndarray of shape (k,), intp
        Their numbers, and the next child; ``sizes[depth] = -1`` closes a depth.
    bounds : ndarray of shape (k, p)
        Lower bounds of the losses of the children.
    losses : ndarray of shape (k,)
        Losses of the fixed columns.
    fixed : ndarray of shape (k,), intp
        Column fixed below each depth.
    sign : tuple of ndarray of shape (p, p) and (p,), or (0, 0) and (0,)
        Gram matrix and correlations where coefficients must not be negative, else
        empty.
    D : ndarray of shape (p,) or (0,)
        Diagonal of the bounds; empty without any.
    k : int
        Size of the subsets, at least 2.
    least : float
        Squares of columns up to this count as zero.
    best : float
        Loss to beat.
    chosen : ndarray of shape (k,), intp
        Filled with the subset that beats it.
    doubt : ndarray of shape (1,), intp
        Set to 1 if a column was left out of which more was left than rounding makes.
    budget : int
        Work after which to return: free columns squared, of all nodes.

    Returns
    -------
    best : float
    depth : int
        -1 when there is no node left.
    n_nodes : int
    """
    A, _, _, names, sizes, at, bounds, _ = tree
    scratch = np.empty((A.shape[1] + 3, A.shape[1]))
    depth, n_nodes = 0, 0
    while depth + 1 < sizes.size and sizes[depth + 1] >= 0:
        depth += 1
    while depth >= 0 and budget > 0:
        m, i = sizes[depth], at[depth]
        if k - depth == 2:
            budget -= m * m
            found = _fill_last(tree, fixed, sign, depth, least, best, chosen, doubt)
            best = min(best, found)
            i = m
        while i < m and bounds[depth, i] >= best:
            i += 1
        if i >= m:
            sizes[depth] = -1
            depth -= 1
            continue
        at[depth] = i + 1
        fixed[depth] = names[depth, i]
        n_nodes += 1
        budget -= 8 * m * m
        size = _enter(tree, i, depth, k, D, least, best, scratch, doubt)
        if size >= k - depth - 1:
            depth += 1
            sizes[depth], at[depth] = size, 0
    return best, depth, n_nodes
