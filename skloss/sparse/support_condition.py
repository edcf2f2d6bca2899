"""How ill-conditioned random supports of a design are."""

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_random_state

from skloss._parallel import one_blas_thread
from skloss.sparse._inputs import canonical, read_weights, refuse_scale
from skloss.sparse._preconditioner import read_scaling

__all__ = ["random_support_condition"]


def random_support_condition(
    X,
    support_size,
    n_draws=100,
    random_state=None,
    *,
    sample_weight=None,
    center=True,
):
    """Measure how nearly random sets of columns cancel each other.

    For each draw this is one over the smallest singular value of `support_size`
    columns that are centred, scaled to mean square 1, and divided by the root of the
    number of rows: 1 for orthogonal columns, infinite for dependent ones. Coefficients
    on such a support can be larger, by this factor, than what they predict. At values
    of a few units the Lasso is safe. At tens and more, where coefficients nearly
    cancel, its usual solvers may stop far from its optimum, and `PreconditionedLasso`
    or a search of subsets may do better.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Design.
    support_size : int
        Number of columns drawn, among those that are neither constant nor equal to
        one before them.
    n_draws : int, default=100
        Number of draws.
    random_state : int, RandomState instance or None, default=None
        Draws the columns.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights of the rows.
    center : bool, default=True
        Whether to subtract column means, as a model with an intercept does.

    Returns
    -------
    ndarray of shape (n_draws,)
        At least 1, in the order of the draws.

    Raises
    ------
    ValueError
        If X or weights are not what is allowed, `support_size` or `n_draws` is not a
        positive integer, or there are fewer usable columns than `support_size`.

    References
    ----------
    G. Chandrasekaran, R. Meka, K. Stavropoulos, "Sparse Linear Regression is Easy on
    Random Supports", STOC 2026, arXiv:2511.06211 (why random supports matter).

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.sparse import random_support_condition
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.standard_normal((200, 50))
    >>> X = rng.standard_normal((200, 2)) @ rng.standard_normal((2, 50)) + 0.01 * noise
    >>> bool(np.median(random_support_condition(noise, 5, random_state=0)) < 2)
    True
    >>> bool(np.median(random_support_condition(X, 5, random_state=0)) > 50)
    True
    """
    X = check_array(
        X, accept_sparse="csc", dtype=[np.float64, np.float32], ensure_min_samples=2
    )
    if sparse.issparse(X):
        X = canonical(X)
    weight, *_ = read_weights(sample_weight, X.shape[0])
    refuse_scale("X", X)
    n_draws = _positive("n_draws", n_draws)
    size = _positive("support_size", support_size)
    random = check_random_state(random_state)
    with one_blas_thread():
        mean, scale, usable = read_scaling(X, weight, center)
        candidates = np.flatnonzero(usable)
        if size > candidates.size:
            raise ValueError(
                f"support_size={size} is more than the {candidates.size} features that "
                "are neither constant nor equal to one before them."
            )
        out, root = np.empty(n_draws), np.sqrt(weight)[:, None]
        for draw in range(n_draws):
            chosen = random.choice(candidates, size, replace=False)
            columns = X[:, chosen]
            columns = columns.toarray() if sparse.issparse(columns) else columns
            out[draw] = _inverse_smallest(
                root * ((columns - mean[chosen]) / scale[chosen])
            )
    return out


def _inverse_smallest(A):
    """One over the smallest of as many singular values as there are columns."""
    if A.shape[1] > A.shape[0]:
        return np.inf
    values = np.linalg.svd(np.linalg.qr(A, mode="r"), compute_uv=False)
    rounding = max(A.shape) * np.finfo(np.float64).eps * values[0]
    return 1.0 / values[-1] if values[-1] > rounding else np.inf


def _positive(name, value):
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1; got {value!r}.")
    return int(value)
