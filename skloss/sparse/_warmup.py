"""Every way in which the family's kernels are compiled, run once on small data."""

import numpy as np
from scipy import sparse

from skloss.sparse import (
    BestSubsetRegressor,
    PreconditionedLasso,
    SparseRegressor,
    StabilitySelector,
)
from skloss.sparse._plans import PENALTY_NAMES

__all__ = ["warmup"]


def warmup():
    """Compile all kernels of the family.

    Returns
    -------
    list of str
        Names of the estimators that were fitted.
    """
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 6))
    y = X @ [1.0, -1.0, 0.0, 0.0, 0.0, 0.5] + rng.standard_normal(40)
    groups = [0, 0, 1, 1, 2, 2]
    for penalty in PENALTY_NAMES:
        options = {"groups": groups} if "group" in penalty else {}
        count = 2 if penalty == "sparse_envelope" else None
        SparseRegressor(penalty, 0.1, n_nonzero_coefs=count, **options).fit(X, y)
    SparseRegressor(alpha=0.1, positive=True).fit(X, y)
    for rows in (X.astype(np.float32), sparse.csr_array(X)):
        SparseRegressor(alpha=0.1).fit(rows, y).predict(rows)
    BestSubsetRegressor(2).fit(X, y)
    BestSubsetRegressor(2, pair_swaps=True).fit(X, y)
    BestSubsetRegressor(2, method="exact").fit(X, y)
    BestSubsetRegressor(2, positive=True).fit(X, y)
    PreconditionedLasso(alpha=0.1, random_state=0).fit(X, y)
    halves = {"n_pairs": 1, "threshold": 1.0, "n_features_per_half": 2}
    StabilitySelector(**halves, random_state=0).fit(X, y)
    return [
        "SparseRegressor",
        "BestSubsetRegressor",
        "PreconditionedLasso",
        "StabilitySelector",
    ]
