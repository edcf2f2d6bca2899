"""
A tour of the losses
====================

A loss is a value: make it, print it, plot it, put it in a parameter grid. Here are the
scalar losses with their derivatives, drawn by the same functions that the solvers
compile.
"""

# %%
# Margin losses charge a score :math:`f` for a label :math:`y = \pm 1` and depend on
# :math:`y f` only. What they do to large negative margins decides how much one wrong
# label can pull; what they do beyond one, whether points already well classified still
# count.

import matplotlib.pyplot as plt
import numpy as np

from skloss import losses


def draw(chosen, y, f, title, top):
    """Draw losses and their derivatives against the prediction."""
    _, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    for loss in chosen:
        axes[0].plot(f, losses.evaluate(loss, y, f), label=str(loss))
        axes[1].plot(f, losses.evaluate_gradient(loss, y, f))
    axes[0].set(
        title=title, xlabel="prediction", ylabel="loss", ylim=(-0.05 * top, top)
    )
    axes[1].set(xlabel="prediction", ylabel="derivative", ylim=(-5, 3))
    axes[0].legend(fontsize="small")
    plt.show()


draw(
    [
        losses.Logistic(),
        losses.Hinge(),
        losses.SmoothedHinge(),
        losses.SquaredHinge(),
        losses.ModifiedHuber(),
        losses.Exponential(),
    ],
    y=1,
    f=np.linspace(-3, 2.5, 551),
    title="Margin losses at y = 1",
    top=9,
)

# %%
# A bounded derivative is robustness: the largest pull of one point on the fit. Every
# loss knows its own, and how fast the derivative itself can change (its smoothness).

print("loss           largest derivative   smoothness")
for name in ("logistic", "hinge", "squared_hinge", "exponential"):
    loss = losses.get(name)
    print(f"{name:14s} {loss.lipschitz:18} {loss.smoothness:12}")

# %%
# Regression losses at the target 0. The quantile loss is lopsided on purpose: its
# minimiser is a quantile instead of the middle.

draw(
    [
        losses.Squared(),
        losses.Absolute(),
        losses.Huber(delta=1.0),
        losses.EpsilonInsensitive(epsilon=0.5),
        losses.Quantile(quantile=0.9),
    ],
    y=0,
    f=np.linspace(-3, 3, 601),
    title="Regression losses at y = 0",
    top=4,
)

# %%
# Losses for counts and positive amounts take the logarithm of the mean as prediction;
# they are smallest where the mean is the target.

log_mean = np.linspace(-1, 3, 401)
for loss in (losses.Poisson(), losses.Gamma()):
    best = log_mean[np.argmin(losses.evaluate(loss, 4.0, log_mean))]
    print(f"{loss}: smallest at a mean of {np.exp(best):.2f} for the target 4")

# %%
# The conjugate of a loss turns a gradient into a lower bound on the minimum. For every
# slope :math:`a` of the loss at :math:`f`, ``value + conjugate = a * f``: the
# Fenchel–Young equality, on which every certificate of this package rests.

loss, y, f = losses.Logistic(), 1.0, 0.3
a = losses.derivative(loss, y, f)
print(f"{losses.value(loss, y, f) + losses.conjugate(loss, y, a):.12f} = {a * f:.12f}")
