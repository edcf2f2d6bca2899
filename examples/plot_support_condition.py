"""
When do random columns nearly cancel?
=====================================

A few columns may be nearly dependent although any two of them are not. If the target is
the combination in which they cancel, its coefficients are far larger than what they
predict, and so is their L1 norm, which the Lasso keeps small.
:func:`~skloss.sparse.random_support_condition` draws columns and measures by what
factor coefficients can be larger than what they predict.
"""

# %%
# Three designs. In the first all columns are drawn on their own. In the second each
# column is like its neighbours. In the third all columns are mixtures of five factors,
# with little of their own.

import os

import matplotlib.pyplot as plt
import numpy as np

from skloss.sparse import DesignPreconditioner, random_support_condition

smoke = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))
n, d = (60, 80) if smoke else (300, 500)
rng = np.random.default_rng(0)


def factors(noise):
    """Draw mixtures of five factors, plus noise."""
    return rng.normal(size=(n, 5)) @ rng.normal(size=(5, d)) + noise * rng.normal(
        size=(n, d)
    )


chain = np.empty((n, d))
chain[:, 0] = rng.normal(size=n)
for j in range(1, d):
    chain[:, j] = 0.95 * chain[:, j - 1] + np.sqrt(1 - 0.95**2) * rng.normal(size=n)
designs = {
    "independent": rng.normal(size=(n, d)),
    "each like its neighbours (0.95)": chain,
    "five factors, noise 0.1": factors(0.1),
    "five factors, noise 0.01": factors(0.01),
}

# %%
# Six random columns are harmless in the first two designs: the second is strongly
# correlated, but random columns are seldom neighbours. In the third there is one column
# more than factors, so that six columns always nearly cancel.

n_draws = 20 if smoke else 100
fig, ax = plt.subplots(layout="constrained")
for name, X in designs.items():
    found = random_support_condition(X, 6, n_draws, random_state=0)
    print(f"{name:32} median {np.median(found):8.1f}, largest {found.max():8.1f}")
    ax.plot(np.sort(found), np.arange(1, n_draws + 1) / n_draws, label=name)
ax.set(
    xscale="log",
    xlabel="1 / smallest singular value of six random columns",
    ylabel="share of draws",
)
fig.legend(loc="outside upper center", ncols=2, fontsize="small")
plt.show()

# %%
# Up to five random columns are kept apart by the five factors. From six on only their
# own noise does that.

sizes = range(2, 11)
fig, ax = plt.subplots(layout="constrained")
for name, X in designs.items():
    medians = [
        np.median(random_support_condition(X, k, n_draws, random_state=0))
        for k in sizes
    ]
    ax.plot(sizes, medians, "o-", label=name)
ax.set(yscale="log", xlabel="columns drawn", ylabel="median over draws")
fig.legend(loc="outside upper center", ncols=2, fontsize="small")
plt.show()

# %%
# :class:`~skloss.sparse.DesignPreconditioner` replaces columns that a few random others
# nearly reproduce by what these leave of them. In the new basis random columns are
# nearly as good as independent ones, which it leaves as they are.

for name, X in designs.items():
    basis = DesignPreconditioner(random_state=0).fit(X)
    others = np.setdiff1d(np.arange(d), basis.pivots_)
    after = random_support_condition(
        basis.transform(X)[:, others], 6, n_draws, random_state=0
    )
    print(
        f"{name:32} {basis.n_rounds_} rounds, {len(basis.pivots_):2} pivots, "
        f"median {np.median(after):.1f}"
    )

# %%
# What that means for the Lasso, and for those who solve it, is shown in
# :ref:`sphx_glr_auto_examples_plot_nearly_cancelling.py`.
