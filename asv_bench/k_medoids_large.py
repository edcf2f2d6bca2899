"""60 medoids of 200,000 points in 12 dimensions: no peer's matrix fits memory.

What each way of getting there costs, and what it finds.
"""

import time
import tracemalloc

import numpy as np

from skloss.cluster import CLARA, CLARANS, KMedoids

N_POINTS, N_FEATURES, N_MEDOIDS = 200_000, 12, 60

MODELS = {
    "computed": KMedoids(N_MEDOIDS, precompute=False, init="k-medoids++"),
    "onebatch": KMedoids(N_MEDOIDS, method="onebatch", init="k-medoids++"),
    "CLARA": CLARA(N_MEDOIDS),
    "CLARA, samples of 2000": CLARA(N_MEDOIDS, sample_size=2000),
    "CLARANS": CLARANS(N_MEDOIDS),
}


def blobs():
    random = np.random.RandomState(0)
    centers = 2 * random.standard_normal((N_MEDOIDS, N_FEATURES))
    noise = random.standard_normal((N_POINTS, N_FEATURES))
    return (centers[random.randint(N_MEDOIDS, size=N_POINTS)] + noise).astype("f4")


class Large:
    """Seconds, most bytes beside the data, and the loss of one fit of each kind."""

    params = tuple(MODELS)
    param_names = ("model",)
    timeout = 1800

    def setup(self, name):
        X = blobs()
        self.model = MODELS[name].set_params(random_state=0)
        self.model.fit(X[: 10 * N_MEDOIDS])  # compiles
        tracemalloc.start()
        start = time.perf_counter()
        self.model.fit(X)
        self.seconds = time.perf_counter() - start
        self.peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    def track_seconds(self, name):
        return self.seconds

    def track_peak(self, name):
        return self.peak

    def track_loss(self, name):
        return self.model.inertia_

    track_seconds.unit = "s"
    track_peak.unit = "bytes"
    track_loss.unit = "total deviation"
