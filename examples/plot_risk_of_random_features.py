"""
More features or more data? Errors predicted before any fit
===========================================================

A ridge on random features has an error that follows from a kernel matrix: for every
number of training rows, number of features and ridge at once. Here predictions are held
against fits, and asked what would help a small model.
"""

# %%
# Handwritten digits, one target for each of the ten. Columns and targets are centred,
# so that no intercept is needed. The kernel is the one that products of ReLU features
# tend to. Its eigenvalues, and the coefficients of the targets, are all that the theory
# needs.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skloss.random_features import (
    RandomFeatureRidge,
    RandomFeatures,
    RiskCurveDisplay,
    kernel_spectrum,
    optimal_alpha,
    rf_risk,
    suggest_n_components,
)

smoke = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))
n_repeats = 1 if smoke else 8
X, labels = load_digits(return_X_y=True)
if smoke:
    X, labels = X[:1000], labels[:1000]
X = X - X.mean(axis=0)
Y = np.equal.outer(labels, np.arange(10)).astype(float)
Y -= Y.mean(axis=0)
n_pool = len(X)
features = RandomFeatures(activation="relu").fit(X)
spectrum = kernel_spectrum(features.kernel(X), Y)

# %%
# Squared errors, summed over the ten targets, on the rows that a fit has not seen. The
# published theory is one for infinitely many rows to draw from. With 1,797 the training
# rows are a good part of all; ``n_pool`` takes that into account.


def measured(n_samples, n_components, alpha, seed):
    """Error of one fit to random rows on all others."""
    order = np.random.default_rng(seed).permutation(n_pool)
    train, test = order[:n_samples], order[n_samples:]
    model = RandomFeatureRidge(
        n_components,
        alpha=alpha,
        gamma=features.gamma_,
        fit_intercept=False,
        random_state=seed,
    ).fit(X[train], Y[train])
    return ((model.predict(X[test]) - Y[test]) ** 2).sum(axis=1).mean()


print(" rows features  ridge  predicted  measured  infinite pool")
for n, k, alpha in [
    (100, 1000, 1e-3),
    (300, 300, 1e-2),
    (300, 2000, 1e-3),
    (300, 2000, 10),
    (900, 900, 0.1),
]:
    predicted = rf_risk(
        **spectrum, n_samples=n, n_components=k, alpha=alpha, n_pool=n_pool
    )
    endless = rf_risk(**spectrum, n_samples=n, n_components=k, alpha=alpha)
    errors = [measured(n, k, alpha, seed) for seed in range(n_repeats)]
    print(
        f"{n:5} {k:8} {alpha:6g} {predicted.test:10.3f} {np.mean(errors):9.3f} "
        f"{endless.test:14.3f}"
    )

# %%
# Fits are a little worse than predicted, most of all in the last line: draws of half of
# the rows are where the theory is least exact. The formula for an infinite pool is off
# by up to a quarter.
#
# Now for all numbers of features. With hardly any ridge, as many features as rows are
# the worst choice. With the best ridge, dashed, there is no such peak, and more
# features are always better.

model = RandomFeatureRidge(fit_intercept=False)
RiskCurveDisplay.from_estimator(
    model,
    X,
    Y,
    n_samples=300,
    n_components=[30, 300, 3000] if smoke else [30, 75, 150, 300, 600, 1200, 3000],
    alpha=[1e-3, 0.1, 10],
    n_repeats=min(n_repeats, 4),
    random_state=0,
)
plt.show()

# %%
# The same over rows and features, with the best ridge at each place and with a small
# one. The best ridge is that of least *predicted* error; circles are what fits with
# this ridge have.

sizes = {"n_samples": [30, 90, 300, 900], "n_components": [30, 100, 300, 1000]}
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for ax, alpha in zip(axes, ("best", 1e-3)):
    RiskCurveDisplay.from_estimator(
        model,
        X,
        Y,
        param=("n_samples", "n_components"),
        **sizes,
        alpha=alpha,
        n_repeats=min(n_repeats, 3),
        random_state=0,
        ax=ax,
    )
plt.show()

# %%
# In practice most rows have not been labelled yet. Take a pilot of 600, and a model of
# 100 rows and 100 features: what would three times as many of either bring? ``n_pool``
# is the size of the pilot. Rows that were held out of it are as new as any, so
# predictions hold for fits to rows that are yet to come.

pilot = np.random.default_rng(0).permutation(n_pool)[: 400 if smoke else 600]
small = kernel_spectrum(features.kernel(X[pilot]), Y[pilot])
print(" rows features  best ridge  predicted  measured")
for n, k in [(100, 100), (300, 100), (100, 300), (300, 300)]:
    best = optimal_alpha(**small, n_samples=n, n_components=k, n_pool=len(pilot))
    errors = [measured(n, k, best.alpha, 100 + seed) for seed in range(n_repeats)]
    print(f"{n:5} {k:8} {best.alpha:11.3f} {best.test:10.3f} {np.mean(errors):9.3f}")

# %%
# More rows would help a little more than more features, and both together help more
# than the two on their own. How far is it worth going? The least width that is within
# some share of what infinitely many features would reach:

for n in (100, 200, 300):
    widths = [
        suggest_n_components(small, n, tolerance, n_pool=len(pilot))
        for tolerance in (0.5, 0.2, 0.05)
    ]
    print(f"{n} rows: within 50 %, 20 % and 5 %: {widths} features")

# %%
# The more rows there are, the more features they can feed.
