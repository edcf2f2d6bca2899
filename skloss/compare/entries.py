"""The estimators of skloss that take part in comparisons: one call for each.

Grids have about as many candidates as those of the rivals in ``baselines``.
"""

import numpy as np

from skloss.compare.registry import register

register(
    "classification",
    "skloss.linear_eval:PooledGaussianNB",
    {"var_smoothing": [1e-9, 1e-3, 1e-1, 1.0], "shrinkage": [None, "auto"]},
)
register(
    "classification",
    "skloss.linear_eval:MultinomialLogistic",
    {"C": np.logspace(-3, 4, 8).tolist()},
    needs="scaling",
)
register(
    "ordinal",
    "skloss.ordinal:PrestoClassifier",
    # Where scores cross, a class has no probability, which log-loss does not forgive.
    {"alpha": np.logspace(-3.5, -1.0, 8).tolist(), "ordering": ["box"]},
)
register("ordinal", "skloss.ordinal:ProportionalOddsClassifier", {})
register(
    "regression",
    "skloss.random_features:RandomFeatureRidgeCV",
    {"activation": ["relu", "cos"], "gamma": ["scale", 0.01, 0.1]},
    needs="scaling",
)
register(
    "classification",
    "skloss.random_features.classifier:calibrated_classifier",
    {"alpha": np.logspace(-3, 2, 8).tolist()},
    needs="scaling",
    name="RandomFeatureRidgeClassifier",
)
for _name in ("SparseRegressorCV", "PreconditionedLassoCV", "BestSubsetRegressorCV"):
    register("sparse", f"skloss.sparse:{_name}", {}, needs="scaling")
# One clusters all rows, the other subsamples of them, as the largest tables need.
for _name in ("KMedoids", "CLARA"):
    register(
        "clustering",
        f"skloss.cluster:{_name}",
        {"n_clusters": list(range(2, 11))},
        needs="scaling",
    )
