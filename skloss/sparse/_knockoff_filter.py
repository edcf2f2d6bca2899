"""From features and their knockoffs to a selection: statistics and thresholds.

R. F. Barber, E. Candès, "Controlling the false discovery rate via knockoffs", Annals of
Statistics 43(5), 2015 (threshold). Z. Ren, R. F. Barber, "Derandomised knockoffs:
leveraging e-values for false discovery rate control", JRSS B 86(1), 2024 (several
draws).
"""

import numpy as np
from sklearn.model_selection import KFold

from skloss.sparse.sparse_regressor_cv import SparseRegressorCV

__all__ = [
    "e_values",
    "knockoff_threshold",
    "lasso_statistics",
    "paired_design",
    "select_by_e_values",
]

_PER_DECADE = 20  # strengths


def knockoff_threshold(statistics, fdr, offset):
    """Smallest size from which on few statistics are negative.

    Parameters
    ----------
    statistics : ndarray of shape (d,)
        Evidence for each feature, against it where negative.
    fdr : float
        Largest ratio of those at or below minus the size, plus `offset`, to those at
        or above the size.
    offset : int
        1 bounds the false discovery rate; 0 a little less than that.

    Returns
    -------
    float
        Infinite if there is none.
    """
    sizes = np.sort(np.unique(np.abs(statistics[statistics != 0])))
    ordered = np.sort(statistics)
    above = ordered.size - np.searchsorted(ordered, sizes, side="left")
    below = np.searchsorted(ordered, -sizes, side="right")
    # Products, as a quotient that equals the rate may be rounded up.
    few = offset + below <= fdr * np.maximum(above, 1) * (1.0 + 1e-12)
    return float(sizes[few][0]) if few.any() else np.inf


def e_values(statistics, fdr, offset):
    """Turn statistics into evidence that can be averaged over draws.

    Under the null hypotheses their sum has a mean of at most the number of features,
    if `offset` is 1.

    Returns
    -------
    ndarray of shape (d,)
    """
    threshold = knockoff_threshold(statistics, fdr, offset)
    n_below = np.count_nonzero(statistics <= -threshold)
    return statistics.size * (statistics >= threshold) / max(offset + n_below, 1)


def select_by_e_values(values, fdr):
    """Select as Benjamini and Hochberg do, with e-values.

    Parameters
    ----------
    values : ndarray of shape (d,)
        Evidence of at least 0.
    fdr : float
        False discovery rate.

    Returns
    -------
    mask : ndarray of shape (d,), bool
        Features selected.
    least : float
        Smallest value that is enough; infinite if there is none.
    """
    d = values.size
    ordered = np.sort(values)[::-1]
    enough = ordered * np.arange(1, d + 1) * fdr >= d * (1.0 - 1e-12)
    if not enough.any():
        return np.zeros(d, dtype=bool), np.inf
    least = float(ordered[np.flatnonzero(enough)[-1]])
    return values >= least, least


def paired_design(Z, knockoffs):
    """Put features and knockoffs side by side, in an order that forgets which is which.

    Parameters
    ----------
    Z, knockoffs : ndarray of shape (n, d)
        Columns that vary.

    Returns
    -------
    design : ndarray of shape (n, 2 * d)
        In Fortran order: the larger column of each pair, in the first row where they
        differ, then the smaller ones.
    sign : ndarray of shape (d,)
        1 where the feature comes first, -1 where its knockoff does; 0 where they are
        equal, and nothing can tell them apart.
    """
    differs = np.not_equal(Z, knockoffs)
    row, columns = differs.argmax(axis=0), np.arange(Z.shape[1])
    first = Z[row, columns] > knockoffs[row, columns]
    sign = np.where(first, 1.0, -1.0) * differs.any(axis=0)
    design = np.empty((len(Z), 2 * Z.shape[1]), order="F")
    np.copyto(design[:, : Z.shape[1]], np.where(first, Z, knockoffs))
    np.copyto(design[:, Z.shape[1] :], np.where(first, knockoffs, Z))
    return design, sign


def lasso_statistics(Z, knockoffs, y, *, n_folds, seed):
    """Differences of absolute coefficients of a Lasso, its strength chosen by folds.

    Whoever changes places, a feature or its knockoff, the Lasso sees the same columns
    in the same order: the statistic changes its sign and nothing else, to the last
    digit.

    Parameters
    ----------
    Z, knockoffs : ndarray of shape (n, d)
        Columns that vary.
    y : ndarray of shape (n,)
        Target.
    n_folds : int
        Number of folds.
    seed : int
        Shuffles the rows among them.

    Returns
    -------
    ndarray of shape (d,)
    """
    design, sign = paired_design(Z, knockoffs)
    if np.ptp(y) == 0.0:
        return np.zeros(sign.size)
    design -= design.mean(axis=0)
    deviation = np.sqrt(np.square(design).mean(axis=0))
    design /= np.where(deviation > 0, deviation, 1.0)
    folds = KFold(min(n_folds, len(y)), shuffle=True, random_state=seed)
    size = np.abs(_validated_coef(design, y, folds))
    return sign * (size[: sign.size] - size[sign.size :])


def _validated_coef(design, y, folds):
    """Coefficients at the best strength; weak ones are tried only where they may be."""
    for decades in (1.0, 1.5, 2.0, 3.0):
        n_alphas = int(decades * _PER_DECADE)
        model = SparseRegressorCV(alphas=n_alphas, eps=10.0**-decades, cv=folds)
        if model.fit(design, y).best_index_ < n_alphas - 2:
            break
    return model.coef_
