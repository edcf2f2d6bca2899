"""
Which features act on every step alike?
=======================================

The proportional odds model gives each feature one weight for all the steps from one
class to the next. Often that holds for most features and fails for a few. Tests say
whether it fails, and a plot of the weights across the thresholds says where and how.
"""

# %%
# Simulated data first, so that the truth is known: with each feature the chance is one
# in three that its weight changes at a threshold.

import os

import matplotlib.pyplot as plt
import numpy as np

from skloss.datasets import load, make_rare_ordinal
from skloss.ordinal import (
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    ThresholdProfileDisplay,
    proportional_odds_test,
)

smoke = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))
X, y, truth = make_rare_ordinal(
    2000 if smoke else 10_000, 6, return_truth=True, random_state=4
)
print("true weights of y > 0, y > 1, y > 2:")
print(truth.coef)

# %%
# Brant's test and the score test of equal weights, feature by feature. Brant's compares
# separate logistic regressions, the score test asks how steeply the likelihood rises
# where the weights are equal. Both find x1, x3 and x4. A p-value such as that of x0,
# whose weight does not change, comes up once in 20 to 30 such features.

print(proportional_odds_test(X, y))

# %%
# The tests weigh the evidence; the profiles show the effect. PRESTO keeps a weight
# unchanged from one threshold to the next unless the data say otherwise, so that a flat
# profile means: no difference worth its penalty. The line is the one weight of the
# proportional odds model, a compromise dominated by the first threshold, where the rows
# are.

n_alphas = 10 if smoke else 50
model = PrestoClassifierCV(alphas=n_alphas, random_state=0).fit(X, y)
odds = ProportionalOddsClassifier().fit(X, y)
display = ThresholdProfileDisplay.from_estimator(
    model, proportional_odds=odds, X=X, standardized=True, features=range(6)
)
for ax, j in zip(display.axes_, display.features_):
    crosses = ax.plot(truth.coef[:, j] * X[:, j].std(), "kx", ms=6, label="truth")
display.axes_[0].legend(handles=crosses, fontsize="small")
plt.show()

# %%
# Now the American National Election Study of 1996: from strong Democrat (0) to strong
# Republican (6). What moves somebody from one step to the next?

data = load("anes96", as_frame=True)
X, y = data.data, data.target
result = proportional_odds_test(X, y)
print(result)

# %%
# By far the smallest of Brant's p-values is that of the population of the place of
# residence. It is the work of a few huge cities: in logarithms nothing is left of it.

X = X.assign(popul=np.log1p(X["popul"])).rename(columns={"popul": "log popul"})
print(proportional_odds_test(X, y))

# %%
# The profiles, as changes of the score for one standard deviation. Features that PRESTO
# leaves out have no panel.

model = PrestoClassifierCV(alphas=n_alphas, random_state=0).fit(X, y)
odds = ProportionalOddsClassifier().fit(X, y)
ThresholdProfileDisplay.from_estimator(
    model, proportional_odds=odds, X=X, standardized=True, max_features=8
)
plt.show()

# %%
# Where people place themselves between liberal and conservative (`selfLR`), and where
# they see Clinton (`ClinLR`), tells strong Democrats from the others less well than it
# tells Republicans from the others; all other features act on every step alike, or not
# at all. On age the tests disagree, and PRESTO finds no difference worth a penalty.

print(f"{'':10}" + "".join(f" {'y > ' + str(k):>7}" for k in range(6)))
for name, weights in zip(X.columns, (model.coef_ * X.std(ddof=0).to_numpy()).T):
    print(f"{name:10}" + "".join(f" {weight:7.2f}" for weight in weights))
