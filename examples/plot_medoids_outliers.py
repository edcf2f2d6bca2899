"""
Outliers: medoids stay, means leave
===================================

k-means minimises squared distances, so that one point ten times as far away counts a
hundredfold. k-medoids minimises the distances themselves, and its centres are points
of the data. Here are three groups and a few readings from a broken instrument.
"""

# %%
# Three groups of a hundred points, and eight far away.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from skloss.cluster import KMedoids

centres = np.array([[0.0, 0.0], [5.0, 1.0], [2.0, 5.0]])
groups, truth = make_blobs(300, centers=centres, random_state=0)
random = np.random.RandomState(0)
broken = random.uniform([22, 12], [30, 18], size=(8, 2))
X = np.vstack([groups, broken])

# %%
# Both are told that there are three groups, and both may try ten starts. The agreement
# with the truth is computed on the three groups alone.

models = {
    "k-means": KMeans(3, n_init=10, random_state=0).fit(X),
    "k-medoids": KMedoids(3, n_init=10, random_state=0).fit(X),
}
for name, model in models.items():
    agreement = adjusted_rand_score(truth, model.labels_[: len(truth)])
    print(f"{name:10s} agreement with the truth: {agreement:.2f}")

# %%
# k-means spends one of its three centres on eight points, because that lowers the sum
# of squares most. The medoids stay in the middle of their groups.

fig, axes = plt.subplots(
    1, 2, figsize=(8, 3.6), sharex=True, sharey=True, layout="constrained"
)
for axis, (name, model) in zip(axes, models.items()):
    for cluster in range(3):
        members = model.labels_ == cluster
        axis.scatter(*X[members].T, s=10, alpha=0.7, lw=0)
    axis.scatter(
        *model.cluster_centers_.T, s=130, c="black", marker="X", edgecolors="white"
    )
    axis.set_title(name)
    axis.set_aspect("equal")
plt.show()

# %%
# The centres of k-medoids are rows of the data, and can be looked up: which patient,
# which document, which molecule stands for a group?

model = models["k-medoids"]
for index in model.medoid_indices_:
    print(f"row {index:3d}: {X[index].round(2)}")

# %%
# This is no licence to ignore outliers. Enough of them, or far enough away, are worth a
# medoid as well: :math:`m` points at a distance :math:`d` weigh :math:`m d`. The
# distances do not have to be Euclidean, either: ``metric="manhattan"``, ``"cosine"``, a
# function of two rows, or a matrix that you computed.
