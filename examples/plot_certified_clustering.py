"""
Is there a better clustering? A bound says no
=============================================

Clusterings are local optima, and usually nobody knows what was missed. For k-medoids a
lower bound on the loss of *any* choice of medoids can be computed at about the price of
one more fit. Where the bound meets the loss, the clustering is proven to be the best.
"""

# %%
# Handwritten digits, ten medoids, from many random starts. "alternate" is what k-means
# does, with medoids: assign, recompute the medoids, repeat. FasterPAM exchanges medoids
# for any other points.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.preprocessing import scale

from skloss.cluster import KMedoids, LossCurveDisplay

smoke = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))
X = load_digits().data[: 300 if smoke else None]
n_starts = 5 if smoke else 60

losses = {
    method: np.sort(
        [
            KMedoids(10, method=method, init="random", random_state=seed)
            .fit(X)
            .inertia_
            for seed in range(n_starts)
        ]
    )
    for method in ("alternate", "fasterpam")
}

# %%
# One more fit, with a bound.

model = KMedoids(10, n_init=10, bound=True, random_state=0).fit(X)
print(f"loss at least {model.lower_bound_:.4f}, found {model.inertia_:.4f}")
print(f"relative gap {model.gap_:.1e}")

# %%
# The dashed line is no result of a search: nothing can be below it. FasterPAM reaches
# it from every one of these starts, "alternate" from none.

fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for method, found in losses.items():
    excess = 100 * (found / model.lower_bound_ - 1)
    axes[0].plot(np.linspace(0, 100, n_starts), excess, lw=2, label=method)
    hits = np.mean(excess < 1e-6)
    print(f"{method:9s} is optimal from {hits:.0%} of its starts")
axes[0].axhline(0, color="black", ls="--", lw=1, label="lower bound")
axes[0].set(
    xlabel="share of the starts (%)",
    ylabel="loss above the bound (%)",
    title=f"{n_starts} random starts each",
)
axes[0].legend()
single = KMedoids(10, init="random", bound=True, random_state=0).fit(X)
LossCurveDisplay.from_estimator(single, ax=axes[1])
axes[1].set_title("one fit, swap by swap")
plt.show()

# %%
# How often does that work out? With few clusters the gap is usually zero. With many it
# is not, but it still says how much there is to gain at most.

data = {
    "iris": load_iris().data,
    "wine": scale(load_wine().data),
    "breast cancer": scale(load_breast_cancer().data),
    "digits": X,
}
print(f"{'data':14s} " + " ".join(f"k={k:<7d}" for k in (2, 3, 5, 10, 20)))
for name, rows in data.items():
    gaps = [
        KMedoids(k, n_init=2 if smoke else 10, bound=True, random_state=0)
        .fit(rows)
        .gap_
        for k in (2, 3, 5, 10, 20)
    ]
    print(f"{name:14s} " + " ".join(f"{gap:<9.1e}" for gap in gaps))

# %%
# Where a gap remains, ``method="exact"`` closes it by branch and bound, as long as the
# problem is not too large.

exact = KMedoids(5, method="exact").fit(data["iris"])
print(f"iris, k=5: {exact.inertia_:.4f}, gap {exact.gap_:.1e}")
