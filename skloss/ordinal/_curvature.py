"""Second derivatives in the unknowns, from those in the scores."""

import functools
from itertools import pairwise

import numpy as np

__all__ = ["hessian", "partial_hessian"]


def hessian(rows, terms, T, columns=None):
    """Hessian of the loss in intercepts and blocks of coefficients.

    Each row enters a Gram matrix once per term; the expanded design, in which a row
    would appear once per block, never exists.

    Parameters
    ----------
    rows : DenseRows or SparseRows
        Rows.
    terms : list of Term
        Second derivatives in the scores.
    T : ndarray of shape (m, q)
        Which blocks take part in which threshold.
    columns : ndarray of intp, default=None
        Which columns of the rows, the last (ones) among them; None means all.

    Returns
    -------
    ndarray of shape (m + q * P, m + q * P)
        First the intercepts, then block by block the P features.
    """
    m, q = T.shape
    size = rows.n_columns if columns is None else len(columns)
    if q == 1 and T.all():
        return _common_hessian(rows, terms, m, columns)
    grams = np.empty((len(terms), size, size))
    for i, term in enumerate(terms):
        grams[i] = rows.gram(term.weight, term.lo, term.hi, columns)
    own, P = np.eye(m), size - 1
    Q = np.empty((m + q * P, m + q * P))
    Q[:m, :m] = _shares(terms, own, own) @ grams[:, -1, -1]
    mixed = _shares(terms, own, T).reshape(m * q, -1) @ grams[:, -1, :-1]
    Q[:m, m:] = mixed.reshape(m, q * P)
    Q[m:, :m] = Q[:m, m:].T
    inner = np.ascontiguousarray(grams[:, :-1, :-1]).reshape(len(terms), P * P)
    inner = _shares(terms, T, T).reshape(q * q, -1) @ inner
    inner = inner.reshape(q, q, P, P).transpose(0, 2, 1, 3)
    Q[m:, m:].reshape(q, P, q, P)[:] = inner
    return Q


def _shares(terms, left, right):
    """Factors of the terms in each pair of blocks.

    Returns
    -------
    ndarray of shape (left.shape[1], right.shape[1], n_terms)
        Not to be written.
    """
    keys = tuple((term.k, term.other, term.sign) for term in terms)
    return _factors(keys, left.tobytes(), right.tobytes(), len(left))


@functools.lru_cache(maxsize=64)  # the same at every step of a fit
def _factors(keys, left, right, m):
    left, right = (np.frombuffer(T).reshape(m, -1) for T in (left, right))
    k, other, sign = (np.array(part) for part in zip(*keys))
    shares = left[k, :, None] * right[other, None, :]
    swapped = left[other, :, None] * right[k, None, :]
    apart = (k != other)[:, None, None]
    factors = (shares + apart * swapped) * sign[:, None, None]
    return np.ascontiguousarray(factors.transpose(1, 2, 0))


def _common_hessian(rows, terms, m, columns):
    """Hessian when all thresholds share their coefficients: one Gram matrix."""
    size = rows.n_columns if columns is None else len(columns)
    Q = np.zeros((m + size - 1, m + size - 1))
    each, ranges = {}, {t.k: (t.lo, t.hi) for t in terms if t.k == t.other}
    for term in terms:
        k, other = pair = term.k, term.other
        signed = term.sign * term.weight
        Q[k, other] += signed.sum()
        Q[other, k] = Q[k, other]
        for threshold in set(pair):
            first, last = ranges[threshold]
            sums = each.setdefault(threshold, np.zeros(last - first))
            sums[term.lo - first : term.hi - first] += signed
    total = np.zeros(rows.n_rows)
    cross = np.empty((m, rows.n_columns))
    for k, sums in each.items():
        total[slice(*ranges[k])] += sums
        cross[k] = rows.back(sums, *ranges[k])
    np.maximum(total, 0.0, out=total)  # rounding
    cross = cross[:, :-1] if columns is None else cross[:, columns[:-1]]
    Q[m:, m:] = rows.gram(total, 0, rows.n_rows, columns)[:-1, :-1]
    Q[:m, m:] = cross
    Q[m:, :m] = cross.T
    return Q


def partial_hessian(rows, terms, T, working):
    """Hessian in some of the unknowns.

    Parameters
    ----------
    rows, terms, T
        See `hessian`.
    working : ndarray of intp
        Sorted unknowns: intercepts first, then block by block p features.

    Returns
    -------
    ndarray of shape (len(working), len(working))
    """
    m, p = len(T), rows.n_columns - 1
    inner = working[working >= m] - m
    blocks, features = np.divmod(inner, p)
    present = np.zeros(p, dtype=bool)
    present[features] = True
    distinct = np.flatnonzero(present)
    # The work is in Gram matrices: three of all the features, or one for each pair of
    # blocks, of what is in them.
    if inner.size**2 > 3 * distinct.size**2:
        columns = np.append(distinct, p)
        H = hessian(rows, terms, T, columns)
        place = np.cumsum(present)[features] - 1
        seen = np.append(working[working < m], m + blocks * distinct.size + place)
        if seen.size == len(H):
            return H
        return np.ascontiguousarray(H[np.ix_(seen, seen)])
    return _by_blocks(rows, terms, T, working[working < m], blocks, features)


def _by_blocks(rows, terms, T, intercepts, blocks, features):
    """Hessian from one product of columns for each pair of blocks."""
    m, p = len(T), rows.n_columns - 1
    # An intercept is a block of one threshold with the column of ones.
    loads = [np.eye(m)[k] for k in intercepts]
    columns = [np.array([p])] * len(intercepts)
    for block in np.unique(blocks):
        loads.append(T[:, block])
        columns.append(features[blocks == block])
    ends = np.cumsum([0, *(len(c) for c in columns)])
    Q = np.empty((ends[-1], ends[-1]))
    parts = [slice(a, b) for a, b in pairwise(ends)]
    for i, (load, chosen) in enumerate(zip(loads, columns)):
        for j in range(i + 1):
            weight, lo, hi = _pair_weight(rows.n_rows, terms, load, loads[j])
            product = rows.cross(weight[lo:hi], lo, hi, chosen, columns[j])
            Q[parts[i], parts[j]] = product
            Q[parts[j], parts[i]] = product.T
    return Q


def _pair_weight(n, terms, left, right):
    """Second derivative of each row in two blocks' scores, and where it is not zero."""
    weight = np.zeros(n)
    first, last = n, 0
    for term in terms:
        k, other, lo, hi = term[:4]
        share = left[k] * right[other]
        if k != other:
            share += left[other] * right[k]
        if share:
            weight[lo:hi] += share * term.sign * term.weight
            first, last = min(first, lo), max(last, hi)
    return weight, min(first, last), last
