"""Approximations of the inverse Hessian of softmax regression, and when to use which.

Three preconditioners for conjugate gradients, in the order of their price: the
Kronecker product of the last Newton step with a new class part; a new Kronecker
product, good as long as the rows are alike in their class probabilities; and the
Hessian itself in float32, with which a few products finish the solve.
"""

import numpy as np
from scipy import sparse

from skloss._blocks import rows_per_block
from skloss._parallel import effective_threads, map_row_blocks, one_blas_thread
from skloss.linear_eval import _passes
from skloss.linear_eval._design import Columns
from skloss.linear_eval._exact_hessian import CholeskyPreconditioner
from skloss.losses.softmax_blocks import class_information, informativeness
from skloss.solvers.kronecker import KroneckerPreconditioner

__all__ = ["Preconditioners"]

# Rows that are fitted perfectly carry no curvature; this share of their weight keeps
# the covariance from losing rank.
_LEAST_INFORMATION = 1e-6
# The covariance of the features may cost as much as half a product with the Hessian,
# or use this many rows for each feature; further rows would not repay their cost.
_ROWS_PER_FEATURE = 40
# Up to the first number of features the covariance is always used. Beyond the second,
# or when its eigendecomposition (about 10 p³ operations) would cost more than forty
# gradients, unit variances have to do.
_FEW_FEATURES = 128
_MOST_FEATURES = 2000
_GRADIENTS_FOR_COVARIANCE = 40
# The Hessian is factorised only up to this order, and when its cost is below this
# multiple of the products that the last solve took: later solves profit as well. It
# is kept while solves take few products.
_LARGEST_HESSIAN = 2000
_SOLVES_SERVED = 2
_FEW_PRODUCTS = 10
# The covariance is summed over blocks of at least so many rows, for panels of so many
# features, in several threads where a block takes so many multiplications.
_LEAST_ROWS = 512
_PANEL = 128
_WORTH_THREADS = 1 << 27


class Preconditioners:
    """Chooses the preconditioner of each Newton step.

    The choice compares numbers of operations with the number of products that the
    last solve took, so that it is the same on every machine.

    Parameters
    ----------
    design : Columns or SparseRows
        The standardised data.
    weights : ndarray of shape (n,)
        Weights of the rows, in the precision of the design.
    ridge : ndarray of shape (p,)
        Weight of each feature's squared coefficients.
    n_classes : int
        Number of stored classes, K.
    reference : bool
        Whether a class that is not stored takes part.
    fit_intercept : bool
        Whether there is an intercept.
    """

    def __init__(self, design, weights, ridge, n_classes, *, reference, fit_intercept):
        self._design = design
        self._weights = weights
        self._ridge = ridge
        self._reference = reference
        self._fit_intercept = fit_intercept
        self._kronecker = self._cholesky = None
        n_samples, n_features = len(weights), len(ridge)
        order = n_classes * (n_features + 1)
        self._product_cost = 4 * n_samples * n_classes * n_features
        self._sample_rows = max(
            _ROWS_PER_FEATURE * n_features,
            2 * n_samples * n_classes // n_features,
        )
        eigen_cost = 10 * n_features**3
        self._uses_covariance = n_features <= _FEW_FEATURES or (
            n_features <= _MOST_FEATURES
            and eigen_cost <= _GRADIENTS_FOR_COVARIANCE * self._product_cost
        )
        rows = min(self._sample_rows, n_samples)
        self._covariance_cost = eigen_cost + rows * n_features**2
        self._cholesky_cost = (
            n_samples * order * (order + n_features + 1) + order**3 // 3
        )
        self._may_factorise = isinstance(design, Columns) and order <= _LARGEST_HESSIAN

    def choose(self, P, n_products):
        """Preconditioner for the Hessian at the probabilities `P`.

        Parameters
        ----------
        P : ndarray of shape (K, n)
            Class probabilities.
        n_products : int
            Products that the last solve took.

        Returns
        -------
        KroneckerPreconditioner or CholeskyPreconditioner
        """
        spent = n_products * self._product_cost
        if self._cholesky is not None and n_products <= _FEW_PRODUCTS:
            return self._cholesky
        if self._cholesky is not None or (
            self._may_factorise and self._cholesky_cost < _SOLVES_SERVED * spent
        ):
            self._cholesky = CholeskyPreconditioner(
                self._design,
                P,
                self._weights,
                ridge=self._ridge,
                fit_intercept=self._fit_intercept,
            )
            return self._cholesky
        classes = class_information(P, self._weights, self._reference)
        if self._kronecker is None or spent >= self._covariance_cost:
            gram, mean = self._features(P)
            self._kronecker = KroneckerPreconditioner(
                gram, mean, classes, self._ridge, P.dtype
            )
        else:
            self._kronecker = self._kronecker.with_classes(classes)
        return self._kronecker

    def _features(self, P):
        """Covariance of the features, or its diagonal, and their mean."""
        information = np.empty(P.shape[1], P.dtype)
        informativeness(P, self._weights, self._reference, information)
        np.maximum(information, _LEAST_INFORMATION * self._weights, out=information)
        if self._uses_covariance:
            stride = max(1, len(information) // self._sample_rows)
            weights = information[::stride]
            return _covariance(self._design, stride, weights, self._fit_intercept)
        gram = np.ones(len(self._ridge))
        if not self._fit_intercept:
            return gram, None
        sums = np.empty((1, len(gram) + 1))
        _passes.column_sums(self._design, information[None], sums)
        return gram, sums[0, :-1] / sums[0, -1]


def _covariance(design, stride, weights, centred):
    """Weighted covariance of every `stride`-th row, or second moments, and the mean.

    Sums over a block of rows are in the precision of the design, sums over blocks in
    float64. Without `centred` the mean is None.
    """
    n_features = len(design.data) if isinstance(design, Columns) else len(design.scale)
    roots = np.sqrt(weights / weights.sum(dtype=np.float64)).astype(weights.dtype)
    gram, mean = np.zeros((n_features, n_features)), np.zeros(n_features)
    n_rows = rows_per_block(n_features, at_least=_LEAST_ROWS)
    for start in range(0, len(weights), n_rows):
        root = roots[start : start + n_rows]
        rows = slice(start * stride, (start + len(root)) * stride, stride)
        X = _dense_rows(design, rows) * root
        mean += X @ root
        _add_gram(X, gram)
    for j in range(1, n_features):
        gram[:j, j] = gram[j, :j]
    if not centred:
        return gram, None
    gram -= np.multiply.outer(mean, mean)
    return gram, mean


def _add_gram(X, gram):
    """Add the lower triangle of X Xᵀ for a block X (p, rows), panel by panel."""

    def add(start, stop):
        with one_blas_thread():
            gram[start:stop, :stop] += X[start:stop] @ X[:stop].T

    worth_threads = X.size * len(X) >= _WORTH_THREADS
    n_threads = effective_threads() if worth_threads else 1
    map_row_blocks(add, len(X), _PANEL, n_threads)


def _dense_rows(design, rows):
    """Return a slice of the rows, standardised, feature-major."""
    if isinstance(design, Columns):
        return design.data[:, rows]
    shape = (len(design.indptr) - 1, len(design.scale))
    arrays = (design.data, design.indices, design.indptr)
    dense = sparse.csr_array(arrays, shape=shape)[rows].toarray()
    dtype = design.data.dtype
    dense -= design.center.astype(dtype)
    dense *= design.scale.astype(dtype)
    return dense.T
