"""
The probability of a rare class, with help from the classes before it
=====================================================================

Many see an advertisement, some click on it, hardly anybody buys. The probability of
buying could be learned from "bought or not", but then a handful of buyers has to teach
all the weights. PRESTO learns from the clicks as well: it gives each step weights of
its own and penalises how much they change from one step to the next.
"""

# %%
# Four ordered classes, of which the last has about 1% of the rows. The weights change a
# little from step to step: with each feature the chance is one in three.

import os

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skloss.datasets import make_rare_ordinal
from skloss.ordinal import (
    CVCurveDisplay,
    PrestoClassifierCV,
    PrestoPathDisplay,
    ProportionalOddsClassifier,
    RareCalibrationDisplay,
    grouped_calibration_error,
)
from skloss.ordinal.metrics import rare_log_loss

smoke = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))
X, y, truth = make_rare_ordinal(return_truth=True, random_state=6)
print("rows of each class:", np.bincount(y))

# %%
# The strength of the penalty is chosen by the log-likelihood of five folds. All folds
# share one grid, along which each fit starts from the one before.

model = PrestoClassifierCV(alphas=10 if smoke else 50, random_state=0).fit(X, y)
print(f"alpha {model.alpha_:.4f} of at most {model.alpha_max_:.4f}")
print(f"KKT violation {model.kkt_violation_:.0e}, duality gap {model.dual_gap_:.0e}")
CVCurveDisplay.from_estimator(model)
plt.show()

# %%
# The path, from left to right. A feature with the same curve in all panels has one
# weight for all steps; where the curves part, the data asked for it.

PrestoPathDisplay.from_estimator(model)
plt.show()

# %%
# The weights that PRESTO found, and the true ones.

for name, coef in (("found", model.coef_), ("true", truth.coef)):
    print(name)
    print(np.round(coef, 2) + 0.0)

# %%
# The two ends of the range in between: a logistic regression on "rare or not", and the
# proportional odds model, which has the same weights for all steps. What they say of
# the rare class, against its true probability.

rare = y == 3
truly = truth.probabilities[:, 3]
logistic = LogisticRegression(C=np.inf).fit(X, rare)
odds = ProportionalOddsClassifier().fit(X, y)
fits = {
    "PRESTO": (model, y),
    "logistic": (logistic, rare),
    "proportional odds": (odds, y),
}

fig, axes = plt.subplots(
    1, 3, figsize=(10, 3.5), layout="constrained", sharex=True, sharey=True
)
for ax, (name, (fitted, _)) in zip(axes, fits.items()):
    ax.loglog(truly, fitted.predict_proba(X)[:, -1], ".", ms=2)
    ax.axline((0.01, 0.01), (0.1, 0.1), color="k", lw=1)
    ax.set(title=name, xlabel="true probability of the rare class")
axes[0].set_ylabel("estimated")
plt.show()

# %%
# Without the truth, all one has is new rows. In groups of rows with similar
# predictions, how often did the class occur? Both axes are logarithmic: on linear ones
# all of this would be a dot in a corner. The logistic regression promises differences
# that are not there. The proportional odds model is right on average and tells few rows
# apart. PRESTO tells them apart best, and is a little too cautious at both ends, as
# penalised fits are.


def new_rows(truth, n_samples, seed):
    """Draw rows of a known model."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n_samples, truth.coef.shape[1]))
    above = expit(truth.intercept + X @ truth.coef.T)
    return X, (rng.random((n_samples, 1)) < above).sum(axis=1)


X_new, y_new = new_rows(truth, 20_000 if smoke else 200_000, seed=0)
_, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
for name, (fitted, _) in fits.items():
    RareCalibrationDisplay.from_predictions(
        y_new == 3, fitted.predict_proba(X_new)[:, -1], ax=ax, name=name
    )
plt.show()

# %%
# One draw is luck. So here are a few more of the same kind.

columns = "mean squared error", "rare log-loss", "calibration error"
rows = {name: [] for name in fits}
for seed in range(2 if smoke else 10):
    X, y, truth = make_rare_ordinal(return_truth=True, random_state=seed)
    X_new, y_new = new_rows(truth, 2_000 if smoke else 20_000, seed)
    for name, (fitted, target) in fits.items():
        again = clone(fitted).fit(X, y == 3 if target is rare else y)
        p, p_new = (again.predict_proba(data)[:, -1] for data in (X, X_new))
        rows[name].append(
            [
                np.mean((p - truth.probabilities[:, 3]) ** 2),
                rare_log_loss(y_new == 3, p_new),
                grouped_calibration_error(y_new == 3, p_new),
            ]
        )

print(f"{'':18}" + "".join(f" {column:>18}" for column in columns))
for name, values in rows.items():
    print(
        f"{name:18}" + "".join(f" {value:18.3g}" for value in np.mean(values, axis=0))
    )
own = np.array(rows["PRESTO"])
for name in ("logistic", "proportional odds"):
    won = np.mean(own < rows[name], axis=0)
    print(f"PRESTO is better than {name} in" + " {:.0%}, {:.0%}, {:.0%}".format(*won))

# %%
# The error is against the true probabilities, on the training rows; the other two are
# on new rows. Read the calibration error with care: predictions that hardly vary are
# easily calibrated, as those of the proportional odds model are here. The log-loss asks
# for both, to be right on average and to tell the rows apart.
#
# ``examples/reproduce/presto.py`` repeats the simulations of the paper, and compares on
# real data, on which none of these models wins throughout.
