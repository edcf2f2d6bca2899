"""Synthetic designs shared by several families."""

from numbers import Integral, Real

import numpy as np
from scipy.special import expit
from sklearn.utils import Bunch, check_random_state
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


_MOST_DRAWS = 1000


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "thresholds": ["array-like"],
        "design": [StrOptions({"sparse", "uniform"})],
        "density": [Interval(Real, 0, 1, closed="both")],
        "return_truth": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_rare_ordinal(
    n_samples=2500,
    n_features=10,
    *,
    thresholds=(0.0, 3.0, 5.0),
    design="sparse",
    density=1 / 3,
    return_truth=False,
    random_state=None,
):
    r"""Draw ordered classes, the last ones rare, with slopes that change a little.

    Features are uniform on (-1, 1), and class probabilities follow

    .. math:: P(y \le k) = \sigma(\theta_k + x \cdot b_k), \quad k = 0, 1, \dots

    where :math:`b_0` and the changes :math:`b_k - b_{k-1}` are random. Features and
    slopes are drawn anew until no row has a negative class probability.

    Parameters
    ----------
    n_samples : int, default=2500
        Number of rows, at least 1.
    n_features : int, default=10
        Number of columns, at least 1.
    thresholds : array-like of shape (n_classes - 1,), default=(0.0, 3.0, 5.0)
        Ascending log-odds of y <= k at x = 0. With the default about half of the rows
        belong to class 0 and 1 in 100 to class 3.
    design : {"sparse", "uniform"}, default="sparse"
        "sparse" draws the entries of :math:`b_0` to be 0.5 and each change to be 0.5
        or -0.5 with equal chances, with probability `density`, and 0 otherwise;
        "uniform" draws all of them uniformly from -0.5 to 0.5.
    density : float, default=1/3
        Chance that an entry of the sparse design is not zero.
    return_truth : bool, default=False
        Whether to return the model as well.
    random_state : int, RandomState instance or None, default=None
        Determines the draw.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), float64
        The features.
    y : ndarray of shape (n_samples,), int64
        The classes. A small sample may miss rare ones.
    truth : sklearn.utils.Bunch
        Only if `return_truth`: ``coef`` (n_classes - 1, n_features) and ``intercept``
        (n_classes - 1,) of the log-odds of y > k, the negatives of :math:`b_k` and
        :math:`\theta_k`, as estimators report them; and ``probabilities``
        (n_samples, n_classes).

    Raises
    ------
    ValueError
        If `thresholds` are not finite and strictly ascending, or no draw of 1000 has
        class probabilities of at least zero: the gaps between thresholds are too
        small for so many changes of slopes.

    References
    ----------
    Faletto, G., Bien, J. (2023). Predicting Rare Events by Shrinking Towards
    Proportional Odds. ICML. arXiv:2305.18700.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.datasets import make_rare_ordinal
    >>> X, y, truth = make_rare_ordinal(return_truth=True, random_state=0)
    >>> X.shape, truth.coef.shape
    ((2500, 10), (3, 10))
    >>> bool(abs(np.mean(y == 3) - truth.probabilities[:, 3].mean()) < 0.005)
    True
    """
    thresholds = _ascending(thresholds)
    rng = check_random_state(random_state)
    shape = len(thresholds), n_features
    for _ in range(_MOST_DRAWS):
        slopes = _draw_slopes(rng, shape, design, density)
        X = rng.uniform(-1, 1, size=(n_samples, n_features))
        scores = thresholds + X @ slopes.T
        if (np.diff(scores, axis=1) >= 0).all():
            break
    else:
        raise ValueError(
            f"In {_MOST_DRAWS} draws, class probabilities were negative in some row: "
            f"with {n_features} features, thresholds={thresholds.tolist()} are too "
            "close together. Move them apart, or lower n_features or density."
        )
    y = (rng.uniform(size=(n_samples, 1)) > expit(scores)).sum(axis=1, dtype=np.int64)
    if not return_truth:
        return X, y
    # Differences of P(y > k), which keep the digits of the rare classes.
    above = np.hstack([expit(-scores), np.zeros((n_samples, 1))])
    probabilities = np.hstack([expit(scores[:, :1]), above[:, :-1] - above[:, 1:]])
    truth = Bunch(coef=-slopes, intercept=-thresholds, probabilities=probabilities)
    return X, y, truth


def _ascending(thresholds):
    thresholds = np.asarray(thresholds, dtype=np.float64)
    if thresholds.ndim != 1 or not len(thresholds):
        raise ValueError(
            f"thresholds={thresholds.tolist()} must be a list of at least one number."
        )
    if not (np.isfinite(thresholds).all() and (np.diff(thresholds) > 0).all()):
        raise ValueError(
            f"thresholds={thresholds.tolist()} must be finite and strictly ascending."
        )
    return thresholds


def _draw_slopes(rng, shape, design, density):
    """Slopes of P(y <= k): a first row and the sum of changes since, (m, p)."""
    if design == "uniform":
        steps = rng.uniform(-0.5, 0.5, size=shape)
    else:
        steps = 0.5 * rng.choice([-1, 1], size=shape)
        steps[0] = 0.5
        steps *= rng.uniform(size=shape) < density
    return np.cumsum(steps, axis=0)
