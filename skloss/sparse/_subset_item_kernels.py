"""The subset search where columns enter in groups or coefficients have a sign.

An item is a group of columns: ``members[starts[h]:starts[h + 1]]``; ``within`` holds
its Gram matrices one after the other, from ``offsets[h]`` on. The rest is as in
`_subset_kernels`. A pair of items, one that leaves and one that enters, is judged by
the least-squares loss, which is a lower bound where coefficients must not be negative:
there the loss itself is computed if the bound does not rule the pair out.
"""

import numpy as np

from skloss._jit import kernel
from skloss.sparse._subset_support import DEPENDENT

__all__ = ["improve_items", "nonnegative_loss"]

_FAST = {"reassoc", "contract", "arcp", "nsz"}
_ROUNDING = 1e-13


@kernel
def _solve_on(G, q, chosen, size, factor, w):
    """Solve the equations of some columns; return False if they are dependent."""
    for i in range(size):
        for j in range(i + 1):
            total = G[chosen[i], chosen[j]]
            for m in range(j):
                total -= factor[i, m] * factor[j, m]
            if i > j:
                factor[i, j] = total / factor[j, j]
            elif total <= DEPENDENT * G[chosen[i], chosen[i]]:
                return False
            else:
                factor[i, i] = np.sqrt(total)
        w[i] = q[chosen[i]]
        for m in range(i):
            w[i] -= factor[i, m] * w[m]
        w[i] /= factor[i, i]
    for i in range(size - 1, -1, -1):
        for m in range(i + 1, size):
            w[i] -= factor[m, i] * w[m]
        w[i] /= factor[i, i]
    return True


@kernel
def _step_towards(trial, w, size):
    """Move to a solution as far as the signs allow; return the share of the way."""
    step = 1.0
    for i in range(size):
        if trial[i] <= 0:
            step = min(step, w[i] / (w[i] - trial[i]))
    for i in range(size):
        w[i] += step * (trial[i] - w[i])
    return step


@kernel
def nonnegative_loss(G, q, n):
    """Loss ``1 - 2 q'w + w'G w``, lowest over coefficients of at least 0.

    By the active-set method of Lawson and Hanson, Solving Least Squares Problems,
    1974.

    Parameters
    ----------
    G : ndarray of shape (at least n, at least n)
        Gram matrix.
    q : ndarray of shape (at least n,)
        Correlations.
    n : int
        Number of columns.

    Returns
    -------
    float
    """
    chosen, size = np.empty(n, np.intp), 0
    w, trial, factor = np.zeros(n), np.empty(n), np.empty((n, n))
    closed = np.zeros(n, np.bool_)
    for _ in range(10 * n):
        enters, most = -1, 1e-12
        for j in range(n):
            g = q[j]
            for i in range(size):
                g -= G[j, chosen[i]] * w[i]
            if g > most and not closed[j]:
                enters, most = j, g
        if enters < 0:
            break
        closed[enters] = True
        chosen[size], w[size] = enters, 0.0
        size += 1
        while True:
            if not _solve_on(G, q, chosen, size, factor, trial):
                size -= 1  # it depends on the others, and stays closed
                break
            if _step_towards(trial, w, size) == 1.0:
                break
            kept = 0
            for i in range(size):
                if w[i] > 1e-14:
                    chosen[kept], w[kept] = chosen[i], w[i]
                    kept += 1
                else:
                    closed[chosen[i]] = False
            if kept == size:
                break
            size = kept
    loss = 1.0
    for i in range(size):
        fitted = 0.0
        for j in range(size):
            fitted += G[chosen[i], chosen[j]] * w[j]
        loss += w[i] * (fitted - 2.0 * q[chosen[i]])
    return loss


@kernel
def _columns(items, size, without, members, starts, out):
    """Columns of items but one; return their number."""
    count = 0
    for i in range(size):
        if i != without:
            for at in range(starts[items[i]], starts[items[i] + 1]):
                out[count] = members[at]
                count += 1
    return count


@kernel
def _gram_of(cache, slot, q, diagonal, columns, count, G, part):
    for i in range(count):
        row = slot[columns[i]]
        part[i] = q[columns[i]]
        for j in range(i + 1):
            G[i, j] = G[j, i] = cache[row, columns[j]]
        G[i, i] = diagonal


@kernel(fastmath=_FAST)
def _subtract(row, factor, out):
    for j in range(out.size):
        out[j] -= factor * row[j]


@kernel
def _copy(row, out):
    for j in range(out.size):
        out[j] = row[j]


@kernel
def _scale(out, factor):
    for j in range(out.size):
        out[j] *= factor


@kernel
def _project(cache, slot, q, diagonal, columns, count, V, factor, g):
    """Correlations with the residual of a fit, and its loss.

    ``V'V`` is what the fit takes from the Gram matrix. Dependent columns are left out.
    """
    loss = 1.0
    _copy(q, g)
    for i in range(count):
        for j in range(i):
            total = cache[slot[columns[i]], columns[j]]
            for m in range(j):
                total -= factor[i, m] * factor[j, m]
            factor[i, j] = total / factor[j, j] if factor[j, j] > 0 else 0.0
        square = diagonal
        for m in range(i):
            square -= factor[i, m] ** 2
        if square <= DEPENDENT * diagonal:
            factor[i, i] = 0.0
            _scale(V[i], 0.0)
            continue
        factor[i, i] = np.sqrt(square)
        _copy(cache[slot[columns[i]]], V[i])
        for m in range(i):
            _subtract(V[m], factor[i, m], V[i])
        _scale(V[i], 1.0 / factor[i, i])
        # The ridge is on the diagonal of the Gram matrix, which is not in the cache.
        c = g[columns[i]] / factor[i, i]
        _subtract(V[i], c, g)
        loss -= c * c
    return loss


@kernel
def _gain(h, V, count, g, diagonal, members, starts, within, offsets, factor):
    """Loss that the columns of an item take from a fit."""
    first, size = starts[h], starts[h + 1] - starts[h]
    gain = 0.0
    c = np.empty(size)
    for i in range(size):
        column = members[first + i]
        c[i] = g[column]
        for j in range(i + 1):
            total = within[offsets[h] + i * size + j]
            if i == j:
                total = diagonal
            for m in range(count):
                total -= V[m, column] * V[m, members[first + j]]
            for m in range(j):
                total -= factor[i, m] * factor[j, m]
            if i > j:
                factor[i, j] = total / factor[j, j] if factor[j, j] > 0 else 0.0
            else:
                dependent = total <= DEPENDENT * diagonal
                factor[i, i] = 0.0 if dependent else np.sqrt(total)
        if factor[i, i] > 0:
            for m in range(i):
                c[i] -= factor[i, m] * c[m]
            c[i] /= factor[i, i]
            gain += c[i] * c[i]
        else:
            c[i] = 0.0
    return gain


@kernel
def _add_item(G, part, cache, slot, q, diagonal, columns, count, h, layout):
    """Write the rows of an item below those of a support; return their number."""
    members, starts, within, offsets = layout
    first, size = starts[h], starts[h + 1] - starts[h]
    for i in range(size):
        column, at = members[first + i], count + i
        part[at] = q[column]
        for j in range(count):
            G[at, j] = G[j, at] = cache[slot[columns[j]], column]
        for j in range(size):
            G[at, count + j] = within[offsets[h] + i * size + j]
        G[at, at] = diagonal
    return count + size


@kernel
def _loss(data, columns, count, positive, work):
    """Loss of a fit of some columns."""
    cache, slot, q, diagonal = data
    V, factor, g, G, part = work
    if positive:
        _gram_of(cache, slot, q, diagonal, columns, count, G, part)
        return nonnegative_loss(G, part, count)
    return _project(cache, slot, q, diagonal, columns, count, V, factor, g)


@kernel
def _best_entry(data, columns, count, is_in, layout, positive, best, work):
    """Item whose entry brings the loss furthest below `best`; -1 for none."""
    cache, slot, q, diagonal = data
    members, starts, within, offsets = layout
    V, factor, g, G, part = work
    loss = _project(cache, slot, q, diagonal, columns, count, V, factor, g)
    if positive:
        _gram_of(cache, slot, q, diagonal, columns, count, G, part)
    entering = -1
    for h in range(starts.size - 1):
        if is_in[h] or starts[h] == starts[h + 1]:
            continue
        gain = _gain(h, V, count, g, diagonal, members, starts, within, offsets, factor)
        value = loss - gain
        if positive and value < best:
            n = _add_item(G, part, cache, slot, q, diagonal, columns, count, h, layout)
            value = nonnegative_loss(G, part, n)
        if value < best:
            best, entering = value, h
    return entering, best


@kernel
def _workspace(n_items, starts, n_columns):
    """Arrays for fits of some items: V, factor, g, G and part; and columns."""
    widest = 0
    for h in range(starts.size - 1):
        widest = max(widest, starts[h + 1] - starts[h])
    room = max(1, n_items * widest)
    work = (
        np.zeros((room, n_columns)),
        np.empty((room, room)),
        np.empty(n_columns),
        np.empty((room, room)),
        np.empty(room),
    )
    return work, np.empty(room, np.intp)


@kernel
def _least_useful(data, layout, items, size, positive, columns, work):
    """Position of the item without which the loss is lowest, and that loss."""
    best, at = np.inf, 0
    for i in range(size):
        count = _columns(items, size, i, layout[0], layout[1], columns)
        value = _loss(data, columns, count, positive, work)
        if value < best:
            best, at = value, i
    return at, best


@kernel
def _best_move(data, layout, items, size, grow, is_in, positive, best, columns, work):
    """Item that enters (-1: none), the place it takes, and the loss."""
    entering, at = -1, size
    for i in range(size, -1, -1):
        if (i == size) != grow:  # nothing leaves at the place behind the last
            continue
        count = _columns(items, size, i, layout[0], layout[1], columns)
        found, value = _best_entry(
            data, columns, count, is_in, layout, positive, best, work
        )
        if found >= 0:
            best, entering, at = value, found, i
    return entering, at, best


@kernel
def improve_items(
    cache, slot, q, diagonal, layout, items, size, target, positive, max_moves
):
    """Grow or shrink a set of items to a size, then swap while that lowers the loss.

    Parameters
    ----------
    cache, slot, q, diagonal
        As in `_subset_kernels`.
    layout : tuple of ndarray
        ``members, starts, within, offsets``.
    items : ndarray of shape (most,), intp
        The first `size` of them in use; changed in place.
    size, target : int
        Their number, and the one that is wanted.
    positive : bool
        Whether coefficients must not be negative.
    max_moves : int
        Largest number of moves.

    Returns
    -------
    size : int
    loss : float
    missing : int
        Item whose columns the cache must get before one goes on, or -1.
    """
    members, starts, _, _ = layout
    work, columns = _workspace(items.size, starts, q.size)
    data = (cache, slot, q, diagonal)
    is_in = np.zeros(starts.size - 1, np.bool_)
    for i in range(size):
        is_in[items[i]] = True
    count = _columns(items, size, -1, members, starts, columns)
    loss = _loss(data, columns, count, positive, work)
    for _ in range(max_moves):
        if size > target:
            at, loss = _least_useful(data, layout, items, size, positive, columns, work)
            size -= 1
            is_in[items[at]] = False
            for i in range(at, size):
                items[i] = items[i + 1]
            continue
        grow = size < target
        wanted = loss - _ROUNDING - (0.0 if grow else 1e-10 * loss)
        entering, at, best = _best_move(
            data, layout, items, size, grow, is_in, positive, wanted, columns, work
        )
        if entering < 0:
            break
        if grow:
            size += 1
        else:
            is_in[items[at]] = False
        items[at], loss = entering, best
        is_in[entering] = True
        for place in range(starts[entering], starts[entering + 1]):
            if slot[members[place]] < 0:
                return size, loss, entering
    return size, loss, -1
