"""OneBatchPAM: drawing by weight, the estimate's scale, bounds on the true loss."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from skloss.cluster import KMedoids


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).standard_normal((900, 5))


def one_batch(k, **parameters):
    return KMedoids(k, method="onebatch", random_state=0, **parameters)


def test_heavy_points_are_looked_at():
    """A few points that hold nearly all of the weight must not be missed."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((3000, 3))
    weights = np.ones(3000)
    weights[:20] = 10_000
    best = KMedoids(20, random_state=0).fit(X, sample_weight=weights)
    for seed in range(4):
        model = one_batch(20).set_params(random_state=seed)
        assert model.fit(X, sample_weight=weights).inertia_ < 1.1 * best.inertia_


def test_points_without_weight_are_not_drawn(X):
    weights = np.zeros(900)
    weights[100:160] = 1
    seen = []

    def distance(point, candidate):
        seen.append(tuple(point))
        return np.abs(point - candidate).sum()

    one_batch(4, metric=distance, batch_size=50).fit(
        X[:200], sample_weight=weights[:200]
    )
    # the points of the last assignment are all 200, each met once for each medoid
    counts = {row: seen.count(row) for row in set(seen)}
    drawn = {row for row, count in counts.items() if count > 4}
    assert len(drawn) == 50
    assert drawn <= {tuple(row) for row in X[100:160]}


def test_curve_estimates_the_loss_of_all_points(X):
    weights = np.random.default_rng(2).integers(1, 5, 900)
    model = one_batch(6, batch_size=400).fit(X, sample_weight=weights)
    assert model.loss_curve_[-1] == pytest.approx(model.inertia_, rel=0.25)
    everyone = one_batch(6, batch_size=900).fit(X, sample_weight=weights)
    assert everyone.loss_curve_[-1] == pytest.approx(everyone.inertia_)


def test_gap_is_that_of_the_true_loss(X):
    model = one_batch(5, batch_size=40, bound=True).fit(X)
    loss = cdist(X, model.cluster_centers_).min(axis=1).sum()
    assert model.inertia_ == pytest.approx(loss)
    assert model.lower_bound_ <= loss
    assert model.gap_ == pytest.approx(1 - model.lower_bound_ / loss)
    best = KMedoids(5, n_init=20, random_state=0).fit(X)
    assert model.lower_bound_ <= best.inertia_ * (1 + 1e-12)


def test_fewer_reference_points_than_clusters_are_refused(X):
    with pytest.raises(ValueError, match="batch_size=4 must be at least n_clusters=5"):
        one_batch(5, batch_size=4).fit(X)
