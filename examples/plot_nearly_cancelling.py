"""
Coefficients that nearly cancel
===============================

Columns are mixtures of five factors and a little noise of their own, and the target is
the combination in which six of them cancel but for that noise. The less noise there is,
the larger the coefficients. Here it is shown what of that is hard for the Lasso itself,
what is hard for its solver, and what is a matter of where its path ends.
"""

# %%
# The signal has variance 1 whatever the noise around the factors is, and the target a
# signal-to-noise ratio of 10. Only the coefficients grow.

import os
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from skloss.sparse import (
    DesignPreconditioner,
    PreconditionedLassoCV,
    SparseRegressorCV,
    duality_gap,
    random_support_condition,
)

smoke = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))
n, d, k = (60, 40, 6) if smoke else (200, 150, 6)


def draw(noise, seed):
    """Draw standardised columns, a target, and its part that can be predicted."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)) @ rng.normal(size=(5, d))
    X += noise * rng.normal(size=(n, d))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    chosen = X[:, rng.choice(d, k, replace=False)]
    signal = chosen @ np.linalg.svd(chosen, full_matrices=False)[2][-1]
    signal /= signal.std()
    return X, signal + rng.normal(size=n) / np.sqrt(10), signal, chosen


def error(prediction, signal):
    """Mean squared error as a share of the signal's variance, levels aside."""
    return np.mean((prediction - prediction.mean() - signal) ** 2)


# %%
# Look at one draw first. ``random_support_condition`` warns that coefficients may be
# far larger than what they predict. Then take a strength that is right, and give it to
# two solvers of the same problem. Coordinate descent stops far from the optimum, and
# says so; the gap tells how far.

X, y, signal, chosen = draw(0.01, 0)
print(f"condition {np.median(random_support_condition(X, k, random_state=0)):.0f}")

path = SparseRegressorCV().fit(X, y)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", ConvergenceWarning)
    lasso = Lasso(alpha=path.alpha_).fit(X, y)
print([w.category.__name__ for w in caught])
for name, model in (("coordinate descent", lasso), ("to its gap", path)):
    gap = duality_gap(X, y, model.coef_, path.alpha_, fit_intercept=True)
    print(
        f"{name:20} gap {gap / y.var():7.0e} of the variance of y, "
        f"error {error(model.predict(X), signal):.3f}"
    )

# %%
# The new basis of :class:`~skloss.sparse.DesignPreconditioner` makes the problem easy
# for any solver, as there is nothing that cancels in it.

basis = DesignPreconditioner(random_state=0).fit(X)
others = np.setdiff1d(np.arange(d), basis.pivots_)
after = random_support_condition(basis.transform(X)[:, others], k, random_state=0)
print(f"condition in the new basis {np.median(after):.1f}")

# %%
# Now against the noise. The Lasso of coordinate descent gets the best of twelve
# strengths, which nobody knows outside a simulation. A path solved to its gap, with its
# strength chosen by folds, finds the signal, until coefficients are so large that the
# path ends before there is room for them: by default it ends at a thousandth of the
# strength at which it starts. :class:`~skloss.sparse.PreconditionedLassoCV` goes on
# until the error of the folds has had its minimum, or the new basis does better.


def errors(noise, seed):
    """Errors of all methods on one draw."""
    X, y, signal, chosen = draw(noise, seed)
    model = PreconditionedLassoCV(random_state=0).fit(X, y)
    strengths = model.alphas_[0] * np.geomspace(1, 1e-4, 12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fits = [Lasso(alpha).fit(X, y).predict(X) for alpha in strengths]
    truth = np.linalg.lstsq(chosen, y - y.mean(), rcond=None)[0]
    return {
        "Lasso, coordinate descent": min(error(fit, signal) for fit in fits),
        "SparseRegressorCV": error(SparseRegressorCV().fit(X, y).predict(X), signal),
        "PreconditionedLassoCV": error(model.predict(X), signal),
        "least squares on the true columns": error(chosen @ truth, signal),
    }


noises = (1.0, 1e-2) if smoke else (1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 1e-4)
draws = [[errors(noise, seed) for seed in range(1 if smoke else 3)] for noise in noises]
fig, ax = plt.subplots(layout="constrained")
for method in draws[0][0]:
    medians = [np.median([found[method] for found in each]) for each in draws]
    print(f"{method:34}", *(f"{value:7.3f}" for value in medians))
    ax.plot(noises, medians, "o-", label=method)
ax.set(
    xscale="log",
    yscale="log",
    xlabel="noise around the factors",
    ylabel="error, as a share of the signal",
)
ax.invert_xaxis()
fig.legend(loc="outside upper center", ncols=2, fontsize="small")
plt.show()

# %%
# The user guide has the same figures for more columns and more draws, and the designs
# in which a new basis is of no use.
