"""
Is this the minimum? A certificate on unscaled data
===================================================

Logistic regression has one minimum, and nobody would guess from a solver's status how
far away it is. Here are digits as they come, counts of ink from 0 to 16, and two
solvers of one and the same problem.

.. admonition:: In short

   A status says that a solver stopped. A duality gap says where.
"""

# %%
# The objective of scikit-learn's ``LogisticRegression``, divided by the number of rows
# and by ``C``, is the mean log-loss plus :math:`\lVert W \rVert^2 / (2 C n)`. It can be
# computed for any fitted model, so that both sides are measured with one ruler.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from skloss import MultinomialLogistic
from skloss.datasets import load

X, y = load("digits", return_X_y=True, as_frame=False)
C = 1.0


def objective(model):
    """Mean log-loss plus penalty of any fitted linear classifier."""
    penalty = np.sum(model.coef_**2) / (2 * C * len(y))
    return log_loss(y, model.predict_proba(X)) + penalty


# %%
# First the certified fit. Along the way the estimator keeps an upper bound on its
# distance from the minimum, relative to the objective: the duality gap. It holds
# whether or not the fit has converged.

model = MultinomialLogistic(C=C, tol=1e-8).fit(X, y)
minimum = objective(model)
print(f"{model.n_iter_} iterations, relative gap at most {model.dual_gap_:.1e}")

# %%
# Then scikit-learn's default solver with more and more iterations, and whether it says
# that it has converged.

budgets = [10, 30, 100, 300, 1000, 3000]
excess, converged = [], []
for max_iter in budgets:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        lbfgs = LogisticRegression(C=C, max_iter=max_iter).fit(X, y)
    converged.append(not caught)
    excess.append(objective(lbfgs) / minimum - 1)
    status = "converged" if converged[-1] else "not converged"
    print(f"max_iter={max_iter:5d}  {status:13s}  {excess[-1]:8.2%} above the minimum")

# %%
# Filled points said "converged". The tolerance of that solver is on the gradient, and
# on badly scaled columns a small gradient may still be a long way from the minimum.

fig, axis = plt.subplots(figsize=(6.5, 4), layout="constrained")
axis.loglog(budgets, excess, color="C1", zorder=1)
axis.scatter(
    budgets,
    excess,
    c=["C1" if done else "white" for done in converged],
    edgecolors="C1",
    zorder=2,
    label="lbfgs (filled: says it converged)",
)
axis.axhline(
    model.dual_gap_, color="C0", label="MultinomialLogistic: bound on its own excess"
)
axis.set(
    xlabel="iterations allowed",
    ylabel="relative distance from the minimum",
    title="Digits, unscaled",
)
axis.legend()
plt.show()

# %%
# Scaling the columns first helps ``lbfgs`` a great deal, and is what to do with it. But
# it changes the problem too: the penalty then acts on other coefficients. The point
# here is that no choice is needed, and that the answer comes with its error.
