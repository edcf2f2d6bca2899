"""Synthetic designs shared by several families."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "n_classes": [Interval(Integral, 2, 64, closed="both")],
        "mode": [StrOptions({"easy", "correlated"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_regime_mixture(
    n_samples, n_features, n_classes=2, *, mode="easy", random_state=None
):
    r"""Draw from the Gaussian mixture that separates naive Bayes from logistic.

    Classes are equally likely and share one covariance. Class 0 has mean -1 in every
    feature, class :math:`k \ge 1` has mean :math:`2^{k-1}`. The first
    ``n_features // 2`` features have variance ``n_features``, the others variance 1.
    With ``mode="easy"`` features are independent given the class, as naive Bayes
    assumes, which then needs a number of samples that hardly grows with the dimension
    where logistic regression needs a number proportional to it.

    Parameters
    ----------
    n_samples : int
        Number of rows, at least 1.
    n_features : int
        Number of columns, at least 1.
    n_classes : int, default=2
        Number of classes, 2 to 64. A small sample may miss some of them.
    mode : {"easy", "correlated"}, default="easy"
        "correlated" keeps means and variances and gives the features the
        correlations of a fixed random Gram matrix, the same for every
        ``random_state``. (The code published with the paper puts off-diagonal
        entries of such a matrix beside these variances, which is no covariance: it
        has negative eigenvalues.)
    random_state : int, RandomState instance or None, default=None
        Determines the draw.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), float64
        The features.
    y : ndarray of shape (n_samples,), int64
        The classes.

    References
    ----------
    Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J. (2023). Revisiting
    Discriminative vs. Generative Classifiers: Theory and Implications. ICML.
    arXiv:2302.02334.

    Examples
    --------
    >>> from skloss.datasets import make_regime_mixture
    >>> X, y = make_regime_mixture(200, 10, n_classes=3, random_state=0)
    >>> X.shape, y.max()
    ((200, 10), np.int64(2))
    """
    rng = check_random_state(random_state)
    means = np.r_[-1.0, 2.0 ** np.arange(n_classes - 1)]
    deviations = np.ones(n_features)
    deviations[: n_features // 2] = np.sqrt(n_features)
    y = rng.randint(n_classes, size=n_samples).astype(np.int64)
    X = rng.standard_normal((n_samples, n_features))
    if mode == "correlated":
        X = X @ _correlation_root(n_features)
    X *= deviations
    X += means[y][:, None]
    return X, y


def _correlation_root(n_features):
    """Matrix A with unit columns; AᵀA is the correlation matrix."""
    A = np.random.RandomState(0).uniform(-1, 1, size=(n_features, n_features))
    return A / np.linalg.norm(A, axis=0)
