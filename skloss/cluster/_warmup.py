"""Every way in which the family's kernels are compiled, run once on small data."""

import warnings

import numpy as np

from skloss.cluster import (
    CLARA,
    CLARANS,
    KMedoids,
    k_medoids,
    k_medoids_bound,
    medoid_curve,
    pam_build,
)
from skloss.cluster._methods import METHODS
from skloss.cluster._pruned_source import prunable_metrics
from skloss.kernels._warmup import ALIASES, PARAMS
from skloss.kernels._warmup import warmup as warmup_kernels

__all__ = ["warmup"]


def warmup():
    """Compile all kernels of the family, those of the distances included.

    Returns
    -------
    list of str
        Names of the estimators that were fitted.
    """
    warmup_kernels()
    random = np.random.RandomState(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for dtype in (np.float64, np.float32):
            X = random.standard_normal((60, 4)).astype(dtype)
            _fit_rows(X)
            # Asymmetric, and whole numbers, of which sums are exact.
            _fit_matrix(random.uniform(1, 2, (60, 60)).astype(dtype))
            _fit_matrix(random.randint(1, 9, (60, 60)).astype(dtype))
    return ["CLARA", "CLARANS", "KMedoids"]


def _fit_rows(X):
    """Fit by every method, however the dissimilarities are kept."""
    weights = np.arange(1.0, len(X) + 1)
    for method in METHODS:
        for precompute in (True, False, "condensed"):
            model = KMedoids(5, method=method, precompute=precompute, init="first")
            model.fit(X, sample_weight=weights).predict(X)
    KMedoids(5, method="fasterpam", shuffle=True, random_state=0).fit(X)
    for init in ("build", "lab", "k-medoids++"):
        for precompute in (True, False):
            model = KMedoids(5, init=init, precompute=precompute, random_state=0)
            model.fit(X)
    KMedoids(1).fit(X)
    KMedoids(5, method="onebatch", batch_size=20, random_state=0).fit(X)
    for precompute in (True, False):
        KMedoids(5, method="exact", precompute=precompute).fit(X)
        KMedoids(3, bound=True, precompute=precompute).fit(X)
    CLARA(3, sample_size=20, random_state=0).fit(X).partial_fit(X)
    for fast in (True, False):
        CLARANS(3, fast=fast, random_state=0).fit(X)
    for metric in set(prunable_metrics()) - ALIASES:
        model = KMedoids(5, metric=metric, metric_params=PARAMS.get(metric))
        model.set_params(init="first", precompute="pruned").fit(X)
    medoid_curve(X, [2, 3])


def _fit_matrix(D):
    np.fill_diagonal(D, 0)
    for method in METHODS:
        k_medoids(D, 3, method=method)
    k_medoids(D, 3, method="onebatch", batch_size=20, random_state=0)
    k_medoids(D, 3, method="exact", max_iter=10)
    CLARA(3, metric="precomputed", sample_size=20, random_state=0).fit(D)
    CLARANS(3, metric="precomputed", random_state=0).fit(D)
    pam_build(D, 3)
    k_medoids_bound(D, 3, max_iter=20)
