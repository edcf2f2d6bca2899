"""Best subsets of all sizes, as a function."""

import numpy as np

from skloss._parallel import one_blas_thread
from skloss.sparse._inputs import check_count_of_columns, read_sample
from skloss.sparse.best_subset import BestSubsetRegressor, Problem, orders_of

__all__ = ["best_subset_path"]


def best_subset_path(
    X,
    y,
    max_features,
    *,
    l2=0.0,
    n_starts="auto",
    l1_starts=False,
    patience=1,
    groups=None,
    positive=False,
    sample_weight=None,
    random_state=None,
):
    """Search the best subsets of all sizes, without an intercept.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data; nothing is centred.
    y : array-like of shape (n_samples,)
        Target.
    max_features : int
        Largest number of columns, or of groups.
    l2 : float, default=0.0
        Ridge; as the following ones see `BestSubsetRegressor`.
    n_starts : int or "auto", default="auto"
        Random subsets of each size from which to search; "auto" means 15 with up to
        500 columns, else none.
    l1_starts : bool, default=False
        Whether to search from the largest coefficients along Lasso paths, too.
    patience : int, default=1
        Detours in a row that may fail to improve the best subset of a size.
    groups : array-like of shape (n_features,), default=None
        Integer label of each feature's group.
    positive : bool, default=False
        Whether coefficients must be at least 0.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    random_state : int, RandomState instance or None, default=None
        Of the random starts.

    Returns
    -------
    sizes : ndarray of shape (max_features,)
        1 to `max_features`.
    coefs : ndarray of shape (n_features, max_features)
        Coefficients.
    rss : ndarray of shape (max_features,)
        Weighted sums of squared residuals.

    Raises
    ------
    ValueError
        If X, y or a parameter are not what is allowed; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.sparse import best_subset_path
    >>> X = np.eye(4)[:, :3]
    >>> best_subset_path(X, [1.0, 3.0, -2.0, 0.0], 2)[1]
    array([[ 0.,  0.],
           [ 3.,  3.],
           [ 0., -2.]])
    """
    estimator = BestSubsetRegressor(
        l2=l2,
        n_starts=n_starts,
        l1_starts=l1_starts,
        patience=patience,
        groups=groups,
        positive=positive,
        fit_intercept=False,
        random_state=random_state,
    )
    estimator._validate_params()
    with one_blas_thread():
        sample = read_sample(estimator, X, y, sample_weight)
        problem = Problem.of(estimator, sample.X, sample.y, sample.weight, l2)
        design = problem.design
        most = check_count_of_columns(
            "max_features", max_features, design.n_rows, problem.n_items
        )
        supports = problem.search(
            most,
            n_starts=n_starts,
            patience=patience,
            at_all_sizes=True,
            random=random_state,
            orders=orders_of(estimator, sample, most, random_state)[0],
        )
        coefs, rss = np.zeros((design.n_columns, most)), np.zeros(most)
        for k, fit in enumerate(problem.fits(supports)):
            coefs[fit.support, k] = fit.coef
            rss[k] = fit.rss * sample.total
    return np.arange(1, most + 1), coefs.astype(sample.dtype, copy=False), rss
