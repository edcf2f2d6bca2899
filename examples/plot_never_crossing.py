"""
Probabilities that are negative, and a fit in which none can be
================================================================

An ordinal model whose weights differ between the thresholds draws lines that are not
parallel, and such lines meet. Beyond the crossing, "y > 2" is more probable than
"y > 1", and the class between the two has a negative probability. The likelihood sees
to it only for the class that each training row happens to have. PRESTO can rule it out
for all rows of the training data, or for a whole box of feature values.
"""

# %%
# Two features that go together, four classes, and slopes that change from step to step.

import os

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit

from skloss.ordinal import PrestoClassifier

smoke = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))
thresholds = np.array([0.0, 1.5, 3.0])
slopes = np.array([[1.5, 0.0], [0.9, 0.7], [0.3, 1.4]])


def draw(n_samples, seed):
    """Draw rows of which the model gives every class a positive probability."""
    rng = np.random.default_rng(seed)
    X = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=4 * n_samples)
    scores = X @ slopes.T - thresholds
    X, scores = (a[(np.diff(scores) < 0).all(axis=1)][:n_samples] for a in (X, scores))
    return X, (rng.random((n_samples, 1)) < expit(scores)).sum(axis=1)


X, y = draw(400, seed=0)
X_test, y_test = draw(2000 if smoke else 20_000, seed=1)
print("rows of each class:", np.bincount(y))

# %%
# ``ordering="observed"`` is the objective of the paper. With ``"train"`` cumulative
# probabilities are in order on every training row, with ``"box"`` on every point
# between the smallest and the largest training values. Both are convex constraints:
# these are the best fits that obey them. `predict_cumulative` shows the fitted
# probabilities of "y > k" as they are; `predict_proba` repairs those out of order.

alpha = 1e-4
models = {
    ordering: PrestoClassifier(alpha, ordering=ordering).fit(X, y)
    for ordering in ("observed", "train", "box")
}


def smallest(model, points):
    """Smallest probability of any class at each point, negative ones included."""
    above = model.predict_cumulative(points)
    edge = np.ones((len(points), 1))
    return -np.diff(np.hstack([edge, above, 0 * edge])).max(axis=1)


low, high = X.min(axis=0), X.max(axis=0)
margin = 0.08 * (high - low)
steps = 80 if smoke else 300
axis0, axis1 = (np.linspace(a, b, steps) for a, b in zip(low - margin, high + margin))
grid = np.stack(np.meshgrid(axis0, axis1), axis=-1)

fig, axes = plt.subplots(
    1, 3, figsize=(11, 3.9), layout="constrained", sharex=True, sharey=True
)
for ax, (ordering, model) in zip(axes, models.items()):
    values = smallest(model, grid.reshape(-1, 2)).reshape(steps, steps)
    if values.min() < 0:
        ax.contourf(
            axis0, axis1, values, levels=[values.min() - 1, 0], colors="C3", alpha=0.4
        )
    ax.scatter(*X.T, c=y, s=7, cmap="viridis", linewidths=0)
    for k, (intercept, weights) in enumerate(zip(model.intercept_, model.coef_)):
        scores = intercept + grid @ weights
        line = ax.contour(axis0, axis1, scores, levels=[0], colors="k", linewidths=1)
        ax.clabel(line, fmt=f"y > {k}", fontsize=8)
    ax.add_patch(plt.Rectangle(low, *(high - low), fill=False, ls="--", lw=1))
    ax.set(title=f'ordering="{ordering}"', xlabel="x0")
axes[0].set_ylabel("x1")
fig.suptitle("Red: some class has a negative probability. Dashed: the box")
plt.show()

# %%
# What does it cost? Left free, the fit is the best on its own rows; there, too, some
# classes have negative probabilities. On new rows of the same kind, the fit in order on
# the training rows is better: what it gave up was fitted to noise. The guarantee for
# the whole box covers corners in which there are no data, and has its price on both.


def likelihood(model, points, labels):
    """Mean log-likelihood of repaired probabilities."""
    P = model.predict_proba(points)[np.arange(len(labels)), labels]
    return np.log(np.maximum(P, 1e-12)).mean()


rng = np.random.default_rng(2)
anywhere = rng.uniform(low, high, size=(10_000, 2))
print(
    f"{'':9} {'crossings':>10} {'of the box':>10} {'log-lik.':>9} {'on test rows':>12}"
)
for ordering, model in models.items():
    crossed = np.mean(smallest(model, anywhere) < 0)
    print(
        f"{ordering:9} {model.n_crossings_:6d} rows {crossed:10.1%} "
        f"{likelihood(model, X, y):9.4f} {likelihood(model, X_test, y_test):12.4f}"
    )

# %%
# A larger penalty pulls the slopes together, until the lines no longer cross inside the
# box and the three fits are one.

alphas = np.geomspace(0.1, 1e-4, 6 if smoke else 16)
paths = {
    ordering: [PrestoClassifier(a, ordering=ordering).fit(X, y) for a in alphas]
    for ordering in models
}

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for ordering, path in paths.items():
    crossed = [100 * np.mean(smallest(model, anywhere) < 0) for model in path]
    axes[0].plot(alphas, crossed, marker="o", ms=4, label=ordering)
for ordering in ("train", "box"):
    cost = [
        constrained.objective_ - free.objective_
        for constrained, free in zip(paths[ordering], paths["observed"])
    ]
    color = {"train": "C1", "box": "C2"}[ordering]
    axes[1].plot(alphas, cost, marker="o", ms=4, color=color, label=ordering)
axes[0].set(ylabel="share of the box with crossings (%)", xlabel="alpha", xscale="log")
axes[1].set(ylabel="objective above the free fit's", xlabel="alpha", xscale="log")
axes[0].legend(title="ordering")
plt.show()
