"""Second derivatives in the coefficients, from those in the scores."""

import numpy as np

__all__ = ["common_hessian", "hessian"]


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
        return common_hessian(rows, terms, m, columns)
    H = np.zeros((m, m, size, size))
    for k, other, lo, hi, sign, weight in terms:
        gram = rows.gram(weight, lo, hi, columns)
        H[k, other] += sign * gram
        if k != other:
            H[other, k] += sign * gram
    P = size - 1
    Q = np.empty((m + q * P, m + q * P))
    Q[:m, :m] = H[:, :, -1, -1]
    mixed = np.tensordot(H[:, :, -1, :-1], T, (1, 0))  # (m, P, q)
    Q[:m, m:] = mixed.transpose(0, 2, 1).reshape(m, q * P)
    Q[m:, :m] = Q[:m, m:].T
    inner = np.tensordot(T, H[:, :, :-1, :-1], (0, 0))  # (q, m, P, P)
    inner = np.tensordot(inner, T, (1, 0))  # (q, P, P, q)
    Q[m:, m:] = inner.transpose(0, 1, 3, 2).reshape(q * P, q * P)
    return Q


def common_hessian(rows, terms, m, columns=None):
    """Hessian when all thresholds share their coefficients: one Gram matrix."""
    size = rows.n_columns if columns is None else len(columns)
    total = np.zeros(rows.n_rows)
    cross = np.zeros((m, rows.n_columns))
    Q = np.zeros((m + size - 1, m + size - 1))
    for k, other, lo, hi, sign, weight in terms:
        total[lo:hi] += (sign if k == other else 2 * sign) * weight
        reach = sign * rows.back(weight, lo, hi)
        Q[k, other] += reach[-1]
        cross[k] += reach
        if k != other:
            Q[other, k] += reach[-1]
            cross[other] += reach
    np.maximum(total, 0.0, out=total)  # rounding
    cross = cross[:, :-1] if columns is None else cross[:, columns[:-1]]
    Q[m:, m:] = rows.gram(total, 0, rows.n_rows, columns)[:-1, :-1]
    Q[:m, m:] = cross
    Q[m:, :m] = cross.T
    return Q
