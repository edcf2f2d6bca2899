"""
Which features can be trusted?
==============================

A Lasso that predicts well keeps many features without any effect. Two ways to keep
those of which one can be surer: stability selection, which bounds the expected *number*
of features selected wrongly, and knockoffs, which bound their expected *share*.
"""

# %%
# Data of which the truth is known: 200 features that are correlated with their
# neighbours, 20 of which have an effect, and 400 rows.

import os

import matplotlib.pyplot as plt
import numpy as np

from skloss.sparse import (
    KnockoffSelector,
    SparseRegressorCV,
    StabilitySelector,
    stability_bound,
)

smoke = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))
n, d = (150, 60) if smoke else (400, 200)
rng = np.random.default_rng(0)
X = rng.standard_normal((n, d))
for j in range(1, d):
    X[:, j] = 0.6 * X[:, j - 1] + 0.8 * X[:, j]
effect = np.zeros(d)
true = rng.permutation(d)[:20]
effect[true] = rng.choice([-0.3, 0.3], size=20)
y = X @ effect + rng.standard_normal(n)


def report(name, support):
    """Count what was selected rightly and wrongly."""
    right = np.isin(np.flatnonzero(support), true).sum()
    print(f"{name:32} {right:3} right, {support.sum() - right:3} wrong")


lasso = SparseRegressorCV().fit(X, y)
report("Lasso, strength by folds", lasso.get_support())

# %%
# Stability selection. The rows are split into halves 50 times, and the features that
# enter the path of the Lasso first are noted for each half. How many of them, and how
# often a feature must be noted, follows from the bound that is asked for.

n_pairs = 10 if smoke else 50
stable = StabilitySelector(n_pairs=n_pairs, expected_false=1.0, random_state=0)
stable.fit(X, y)
report("stability, at most 1 wrong", stable.get_support())
print(
    f"{stable.n_features_per_half_} features of each half, noted by at least "
    f"{stable.threshold_:.0%} of them; bound {stable.pfer_bound_:.2f}"
)

# %%
# The price of fewer assumptions on the frequencies: the expected number of features
# selected wrongly, bounded with and without them.

counts = np.unique(np.linspace(1, d // 2, 5 if smoke else 40).astype(int))
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for assumption in ("none", "unimodal", "r_concave"):
    bounds = [
        stability_bound(d, count, n_pairs=n_pairs, assumption=assumption)
        for count in counts
    ]
    axes[0].plot(counts, bounds, label=assumption)
axes[0].axhline(1.0, color="0.6", lw=0.8)
axes[0].set(
    xlabel="Features noted on each half",
    ylabel="Bound on features selected wrongly",
    yscale="log",
)
axes[0].legend(title="Assumption")

frequencies = stable.selection_frequencies_
order = np.argsort(-frequencies, kind="stable")[:40]
colors = np.where(np.isin(order, true), "C0", "C1")
axes[1].bar(np.arange(order.size), frequencies[order], color=colors)
axes[1].axhline(stable.threshold_, color="black", ls="--", lw=1)
axes[1].set(
    xlabel="Features by frequency (blue: with an effect)",
    ylabel="Share of the halves that noted it",
)
plt.show()

# %%
# Knockoffs. Each feature competes with a copy that knows nothing of the target. The
# copies that win by much tell how many of the features that do so are wrong.

knockoffs = KnockoffSelector(fdr=0.2, random_state=0).fit(X, y)
report("knockoffs, 20 % wrong", knockoffs.get_support())

fig, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
W = knockoffs.statistics_
order = np.argsort(-np.abs(W), kind="stable")[:60]
colors = np.where(np.isin(order, true), "C0", "C1")
ax.bar(np.arange(order.size), W[order], color=colors)
for side in (-1, 1):
    if np.isfinite(knockoffs.threshold_):
        ax.axhline(side * knockoffs.threshold_, color="black", ls="--", lw=1)
ax.set(
    xlabel="Features by size of the difference (blue: with an effect)",
    ylabel="Coefficient less that of the knockoff",
)
plt.show()

# %%
# Another draw of the knockoffs may select others. Several draws, averaged as e-values,
# keep the bound and depend less on chance.

draws = KnockoffSelector(fdr=0.2, n_draws=2 if smoke else 20, random_state=0)
report("knockoffs, several draws", draws.fit(X, y).get_support())
