"""
Naive Bayes over a stream, and over machines
============================================

A Gaussian naive Bayes model is a handful of sums. They can be collected batch by
batch, or in several places and then merged, and give the model that all rows at once
would have given.
"""

# %%
# Rows that do not fit in memory arrive in batches, of any size. The features sit at an
# offset of ten million, where a sum of squares would have lost every digit.

import matplotlib.pyplot as plt
import numpy as np

from skloss import PooledGaussianNB
from skloss.datasets import make_regime_mixture

X, y = make_regime_mixture(60_000, 10, n_classes=3, random_state=0)
X += 1e7
X_test, y_test = X[50_000:], y[50_000:]
X, y = X[:50_000], y[:50_000]
cuts = np.unique(np.geomspace(6, len(y), 60).astype(int))[:-1]
batches = np.split(np.arange(len(y)), cuts)

# %%
# One model at one place:

stream = PooledGaussianNB()
seen, error = [], []
for rows in batches:
    stream.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    seen.append(int(stream.class_count_.sum()))
    error.append(1 - stream.score(X_test, y_test))

# %%
# Four models at four places, merged:

parts = [PooledGaussianNB().fit(X[place::4], y[place::4]) for place in range(4)]
merged = parts[0]
for part in parts[1:]:
    merged.merge(part)

# %%
# Both against the fit to all rows at once. Differences are rounding.

whole = PooledGaussianNB().fit(X, y)
for name, model in ((f"{len(batches)} batches", stream), ("4 places", merged)):
    means = np.abs(model.theta_ - whole.theta_).max()
    variances = np.abs(model.var_ / whole.var_ - 1).max()
    same = np.mean(model.predict(X_test) == whole.predict(X_test))
    print(
        f"{name:12s} means differ by {means:.1e}, variances by {variances:.1e} "
        f"relative, {same:.2%} of the predictions agree"
    )

# %%
# The error on unseen rows while the stream runs in.

fig, axis = plt.subplots(figsize=(6.5, 3.5), layout="constrained")
axis.semilogx(seen, error, marker=".")
axis.set(xlabel="rows seen", ylabel="error on unseen rows")
plt.show()
