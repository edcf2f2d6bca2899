"""
How many clusters? The medoid silhouette decides
================================================

The loss of k-medoids falls with every further medoid and says little about how many
there should be. The average medoid silhouette compares each point's nearest medoid with
its second nearest: it falls again when a group is split in two.
"""

# %%
# Seven groups of different size and spread.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_blobs

from skloss.cluster import (
    KMedoids,
    KSelectionDisplay,
    MedoidSilhouetteDisplay,
    medoid_curve,
)

centres = [[0, 0], [6, 0], [0, 6], [7, 7], [13, 2], [14, 9], [4, 13]]
sizes = [150, 60, 80, 120, 40, 100, 70]
X, truth = make_blobs(
    sizes,
    centers=np.array(centres, dtype=float),
    cluster_std=[1.0, 0.6, 0.9, 1.1, 0.5, 0.9, 0.8],
    random_state=0,
)

# %%
# DynMSC maximises the silhouette itself: it begins with as many medoids as
# ``n_clusters`` says, drops the one that is missed least, improves the rest, and so on
# down to ``min_clusters``. The best number of all is kept.

model = KMedoids(15, method="dynmsc").fit(X)
print(f"{model.n_clusters_} clusters, silhouette {model.medoid_silhouette_:.3f}")

# %%
# :func:`~skloss.cluster.medoid_curve` goes the other way: it minimises the loss for
# every number of medoids, each search beginning where the last one ended.

curve = medoid_curve(X, range(1, 16))
print(f"{curve.best_n_clusters} clusters, {curve.n_swaps.sum()} swaps in all")

fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
KSelectionDisplay.from_estimator(model, ax=axes[0], name="DynMSC")
KSelectionDisplay.from_data(X, range(1, 16), ax=axes[1])
axes[0].set_title("maximising the silhouette")
axes[1].set_title("minimising the deviation")
plt.show()

# %%
# The loss has a bend near the same number, but a bend is a matter of taste. In the
# silhouettes of single points, on the right, blocks that reach far to the right are
# groups that stand apart.

fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for cluster in range(model.n_clusters_):
    axes[0].scatter(*X[model.labels_ == cluster].T, s=10, lw=0)
axes[0].scatter(
    *model.cluster_centers_.T, s=110, c="black", marker="X", edgecolors="white"
)
plate = {"boxstyle": "round", "fc": "white", "ec": "none", "alpha": 0.85}
for cluster, centre in enumerate(model.cluster_centers_):
    axes[0].annotate(
        str(cluster), centre, (10, 10), textcoords="offset points", bbox=plate
    )
axes[0].set_aspect("equal")
MedoidSilhouetteDisplay.from_estimator(model, X, ax=axes[1], name="DynMSC")
plt.show()

# %%
# The silhouette reaches 1 when every point is its own medoid, so numbers of clusters
# near the number of points should not be compared by it. One cluster has none: whether
# there are any groups at all is another question.
