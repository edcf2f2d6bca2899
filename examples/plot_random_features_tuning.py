"""
Width and ridge of random features, tuned in one pass
=====================================================

A ridge on random features approximates kernel ridge regression in time proportional to
the number of rows. How many features, and which ridge? One pass over the rows answers
for all widths, all ridges and all folds at once.
"""

# %%
# Friedman's first function of five of ten columns, with noise of variance 1, which no
# model can predict.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skloss.random_features import RandomFeatureRidge, RandomFeatureRidgeCV

smoke = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))
n_train = 400 if smoke else 2000
X, y = make_friedman1(n_train + 2000, noise=1.0, random_state=0)
X, X_test, y, y_test = train_test_split(X, y, test_size=2000, random_state=0)
scaler = StandardScaler().fit(X)
Z, Z_test = scaler.transform(X), scaler.transform(X_test)

# %%
# Six widths, 25 ridges, five folds: 750 models. Features of a narrow model are the
# first ones of a wide one, and sums over rows that are left out are taken away from
# those over all rows, so that each row is looked at once.

widths = [25, 50, 100, 200, 400] if smoke else [50, 100, 200, 400, 800, 1600]
alphas = np.logspace(-4, 2, 25)
cosines = {"activation": "cos", "gamma": 0.02, "random_state": 0}
tuned = RandomFeatureRidgeCV(widths, alphas=alphas, cv=5, **cosines).fit(Z, y)
print(f"{tuned.n_components_} features, alpha {tuned.alpha_:.2g}")

# %%
# A fit of one of these models at a time has the same scores.

search = GridSearchCV(
    RandomFeatureRidge(widths[1], **cosines),
    {"alpha": alphas[::8]},
    scoring="neg_mean_squared_error",
    cv=5,
).fit(Z, y)
gap = np.abs(search.cv_results_["mean_test_score"] / tuned.cv_scores_[1, ::8] - 1)
print(f"largest difference, as a share: {gap.max():.0e}")

# %%
# With enough of a ridge, more features are never much worse. The ridge means the same
# at every width.

fig, ax = plt.subplots(layout="constrained")
for width, scores in zip(widths, tuned.cv_scores_):
    ax.plot(alphas, -scores, label=f"{width} features")
ax.axhline(1.0, color="0.5", ls=":", label="noise")
ax.set(xscale="log", yscale="log", xlabel="alpha", ylabel="mean squared error of folds")
ax.legend()
plt.show()

# %%
# Other features and other models, on rows that none of them has seen. Kernel ridge
# regression has the kernel that cosines tend to, with a fit for each ridge. Gradient
# boosting is as it comes.

options = {"alphas": alphas, "cv": 5, "random_state": 0}
models = {
    "cosines": tuned,
    "relu": RandomFeatureRidgeCV(widths[-2:], **options),
    "relu with offsets": RandomFeatureRidgeCV(widths[-2:], bias=1.0, **options),
    "kernel ridge, RBF": GridSearchCV(
        KernelRidge(kernel="rbf", gamma=0.02), {"alpha": alphas[::6]}, cv=3
    ),
    "gradient boosting": HistGradientBoostingRegressor(random_state=0),
}
for name, model in models.items():
    if model is not tuned:
        model.fit(Z, y - y.mean() if "kernel" in name else y)
    found = model.predict(Z_test) + (y.mean() if "kernel" in name else 0)
    print(f"{name:22} {mean_squared_error(y_test, found):.2f}")

# %%
# Smooth functions suit kernels, and features come close to theirs. Without offsets the
# ReLU of a row twice as long is twice as large, whatever the data say; with ``bias``
# it is not.
#
# Where columns are categories or steps matter, take trees. Of the 442 rows of the
# diabetes data there is little more to learn than a linear model knows. What counts
# there is the ridge, chosen by leaving out one row at a time, exactly.

X, y = load_diabetes(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
for name, model in {
    "relu": RandomFeatureRidgeCV(300, random_state=0),
    "linear ridge": RidgeCV(np.logspace(-3, 3, 25)),
    "gradient boosting": HistGradientBoostingRegressor(random_state=0),
}.items():
    found = make_pipeline(StandardScaler(), model).fit(X, y).predict(X_test)
    print(f"{name:22} {mean_squared_error(y_test, found):.0f}")
