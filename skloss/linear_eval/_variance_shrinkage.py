"""How far to shrink noisy variances toward their median."""

import numpy as np

__all__ = ["shrink_variances", "shrinkage_intensity"]


def shrinkage_intensity(variance, fourth, total, n_classes):
    r"""Estimate the best shrinkage of pooled within-class variances.

    Shrinking toward the median loses least expected squared error at
    :math:`t = \min(1, \sum_j \mathrm{Var}(v_j) / \sum_j (v_j - m)^2)`, with
    :math:`v_j` the unbiased variances and :math:`m` their median [1]_. The variance
    of each :math:`v_j` is estimated from the data: with
    :math:`u_{ij} = (x_{ij} - \mu_{y_i j})^2`, mean :math:`\bar u_j`,

    .. math::
        v_j = \frac{n}{n - K} \bar u_j, \qquad
        \widehat{\mathrm{Var}}(v_j) = \frac{n}{(n - K)^3} \sum_i (u_{ij} - \bar u_j)^2.

    The source treats one sample (K = 1, with n - 1 in place of n - K); here K class
    means are estimated, which take K degrees of freedom. The common factors cancel:

    .. math::
        t = \min\left(1, \frac{\sum_j \frac{1}{n} \sum_i (u_{ij} - \bar u_j)^2}
                              {(n - K) \sum_j (\bar u_j - \bar m)^2}\right).

    Parameters
    ----------
    variance : ndarray of shape (n_features,)
        Maximum likelihood variances :math:`\bar u_j`. Zeros are left out: a constant
        feature says nothing about how variances scatter.
    fourth : ndarray of shape (n_features,)
        Means of the fourth powers of the deviations,
        :math:`\frac{1}{n} \sum_i u_{ij}^2`.
    total : float
        Number of samples n (total weight).
    n_classes : int
        Number of classes K with samples.

    Returns
    -------
    float
        In [0, 1]; 1 if all variances are equal or nothing can be estimated.

    References
    ----------
    .. [1] R. Opgen-Rhein, K. Strimmer, "Accurate ranking of differentially expressed
       genes by a distribution-free shrinkage approach", Statistical Applications in
       Genetics and Molecular Biology 6(1), article 9, 2007.
    """
    positive = variance > 0
    if total <= n_classes or not positive.any():
        return 1.0
    # In units of the largest variance: its square may not be a number any more.
    unit = variance.max()
    scaled = variance[positive] / unit
    noise = (fourth[positive] / unit / unit - scaled**2).sum()
    scatter = (total - n_classes) * ((scaled - np.median(scaled)) ** 2).sum()
    noise = max(noise, 0.0)  # rounding may leave less than nothing
    return 1.0 if noise >= scatter else float(noise / scatter)


def shrink_variances(variance, intensity):
    """Move all variances toward the median of the positive ones.

    Parameters
    ----------
    variance : ndarray of shape (n_features,)
        Variances.
    intensity : float
        0 changes nothing, 1 makes all variances equal.

    Returns
    -------
    ndarray of shape (n_features,)
    """
    if intensity == 0 or not (variance > 0).any():
        return variance
    median = np.median(variance[variance > 0])
    return (1 - intensity) * variance + intensity * median
