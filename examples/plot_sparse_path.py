"""
Few of many columns, and how sure of them one can be
====================================================

Ten measurements of 442 diabetes patients, with all squares and products: 64 columns,
many of them correlated. Which few predict the progression of the disease a year later?
"""

# %%
# The columns, standardised, as the penalty is on their coefficients. The square of the
# sex is left out: it has two values, as the sex itself.

import os

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import PolynomialFeatures

from skloss.sparse import (
    BestSubsetRegressor,
    SparsePathDisplay,
    SparseRegressorCV,
    SubsetStabilityDisplay,
)

smoke = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))
X, y = load_diabetes(return_X_y=True, as_frame=True)
squares = PolynomialFeatures(2, include_bias=False).set_output(transform="pandas")
Z = squares.fit_transform(X).drop(columns="sex^2")
Z = (Z - Z.mean()) / Z.std(ddof=0)
print(Z.shape)

# %%
# One path of the Lasso. All folds are solved at the same strengths, together with the
# fit to all rows. The duality gap says how far the fit can be from the optimum, as a
# share of the variance of the target.

n_alphas = 15 if smoke else 100
model = SparseRegressorCV(alphas=n_alphas).fit(Z, y)
print(f"alpha {model.alpha_:.3f} with {model.get_support().sum()} columns")
print(f"duality gap {model.dual_gap_ / y.var(ddof=0):.0e}")

# %%
# From left to right the penalty falls and columns enter. At the right end large
# coefficients of opposite sign nearly cancel, those of `s1 s5` and `s2 s5`: `s1` is
# total cholesterol and `s2` its largest part.

fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
display = SparsePathDisplay.from_estimator(model, ax=axes[0])
display.plot(kind="cv", ax=axes[1])
plt.show()

# %%
# The error is flat around its minimum. The one-standard-error rule takes the largest
# strength that the folds can hardly tell from the best one. A relaxed path refits the
# chosen columns by least squares, in the folds as well; a concave penalty leaves large
# coefficients as they are.

for name, options in {
    "least error": {},
    "one standard error": {"one_se": True},
    "relaxed, one standard error": {"relax": True, "one_se": True},
    "MCP, one standard error": {"penalty": "mcp", "one_se": True},
}.items():
    fit = SparseRegressorCV(alphas=n_alphas, **options).fit(Z, y)
    error = fit.mse_path_.mean(axis=1)[fit.best_index_]
    print(f"{name:28} {fit.get_support().sum():3} columns, error of folds {error:.0f}")

# %%
# How few will do? The best subsets of all sizes, found by exchanges, with a proof for
# the last one.

subset = BestSubsetRegressor(3 if smoke else 6, method="exact").fit(Z, y)
print(Z.columns[subset.support_].tolist(), "gap", subset.gap_)
SparsePathDisplay.from_estimator(subset, kind="rss")
plt.show()

# %%
# A proof that these are the best columns for *these* patients is none that they are so
# for others. Half of the patients, drawn again and again, choose other columns; those
# in blue are the choice of all of them.

SubsetStabilityDisplay.from_estimator(
    subset, Z, y, n_repeats=4 if smoke else 50, random_state=0
)
plt.show()
