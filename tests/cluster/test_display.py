"""Plots hold the numbers that they claim to hold."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.metrics import pairwise_distances

from skloss.cluster import (
    CLARA,
    CLARANS,
    KMedoids,
    KSelectionDisplay,
    LossCurveDisplay,
    MedoidSilhouetteDisplay,
    medoid_curve,
    medoid_silhouette_samples,
    medoid_silhouette_score,
)

mpl.use("Agg")
import matplotlib.pyplot as plt

X = load_iris().data


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def model():
    return KMedoids(4).fit(X)


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


class TestMedoidSilhouette:
    def test_blocks_hold_the_sorted_silhouettes(self, model):
        display = MedoidSilhouetteDisplay.from_estimator(model, X)
        values = medoid_silhouette_samples(X, model.medoid_indices_)
        assert len(display.bars_) == 4
        for cluster, bars in enumerate(display.bars_):
            expected = np.sort(values[model.labels_ == cluster])[::-1]
            widths = bars.get_paths()[0].vertices[:, 0]
            assert widths.max() == pytest.approx(expected[0])
            drawn = np.unique(widths[widths > 0].round(10))
            np.testing.assert_allclose(
                drawn, np.unique(expected[expected > 0].round(10)), atol=1e-9
            )

    def test_height_of_a_block_is_the_size_of_its_cluster(self, model):
        display = MedoidSilhouetteDisplay.from_estimator(model, X)
        heights = [np.ptp(b.get_paths()[0].vertices[:, 1]) for b in display.bars_]
        assert heights == np.bincount(model.labels_).tolist()

    def test_line_is_at_the_average(self, model):
        display = MedoidSilhouetteDisplay.from_estimator(model, X)
        expected = medoid_silhouette_score(X, model.medoid_indices_)
        assert display.line_.get_xdata()[0] == pytest.approx(expected)
        assert display.average == pytest.approx(model.medoid_silhouette_)
        assert f"{expected:.3f}" in texts(display.ax_.get_legend())[0]

    def test_weights_enter_the_average(self, model, rng):
        weights = rng.uniform(0, 2, len(X))
        display = MedoidSilhouetteDisplay.from_estimator(
            model, X, sample_weight=weights
        )
        expected = medoid_silhouette_score(
            X, model.medoid_indices_, sample_weight=weights
        )
        assert display.average == pytest.approx(expected)

    def test_precomputed(self, model):
        D = pairwise_distances(X)
        precomputed = KMedoids(4, metric="precomputed").fit(D)
        display = MedoidSilhouetteDisplay.from_estimator(precomputed, D)
        assert display.average == pytest.approx(model.medoid_silhouette_)

    def test_clusters_of_one_sample_are_drawn(self):
        model = KMedoids(2).fit([[0.0], [0.1], [0.2], [9.0]])
        display = MedoidSilhouetteDisplay.from_estimator(model, [[0.1], [9.0]])
        heights = [np.ptp(b.get_paths()[0].vertices[:, 1]) for b in display.bars_]
        assert heights == [1.0, 1.0]

    def test_k_means_has_distances_to_centres_as_well(self):
        model = KMeans(3, n_init=1, random_state=0).fit(X)
        display = MedoidSilhouetteDisplay.from_estimator(model, X)
        assert display.line_.get_label().startswith("KMeans")
        assert np.bincount(display.labels).tolist() == (
            np.bincount(model.labels_).tolist()
        )

    def test_many_clusters_leave_room_for_their_numbers(self, rng):
        data = rng.standard_normal((200, 2))
        model = KMedoids(60).fit(data)
        display = MedoidSilhouetteDisplay.from_estimator(model, data)
        assert len(display.bars_) == 60
        assert 10 < len(display.ax_.get_yticks()) <= 25

    def test_style(self, model):
        display = MedoidSilhouetteDisplay.from_estimator(model, X, facecolor="red")
        for bars in display.bars_:
            assert mpl.colors.same_color(bars.get_facecolor()[0], "red")

    def test_one_cluster_has_no_silhouette(self):
        with pytest.raises(ValueError, match="at least 2 medoids"):
            MedoidSilhouetteDisplay.from_estimator(KMedoids(1).fit(X), X)


class TestKSelection:
    def test_dynmsc(self):
        data, _ = make_blobs(200, 2, centers=5, cluster_std=0.4, random_state=1)
        model = KMedoids(9, method="dynmsc").fit(data)
        display = KSelectionDisplay.from_estimator(model)
        np.testing.assert_array_equal(display.line_.get_xdata(), model.k_range_)
        np.testing.assert_array_equal(
            display.line_.get_ydata(), model.silhouette_curve_
        )
        assert display.chosen_line_.get_xdata()[0] == model.n_clusters_ == 5
        assert display.loss_ax_ is None and display.loss_line_ is None

    def test_from_data(self):
        curve = medoid_curve(X, range(1, 8), metric="manhattan")
        display = KSelectionDisplay.from_data(
            X, range(1, 8), curve_params={"metric": "manhattan"}
        )
        np.testing.assert_array_equal(display.line_.get_ydata(), curve.silhouettes)
        np.testing.assert_array_equal(display.loss_line_.get_ydata(), curve.losses)
        assert display.chosen_line_.get_xdata()[0] == curve.best_n_clusters
        shown = texts(display.loss_ax_.get_legend())
        assert shown == [
            "average medoid silhouette",
            "total deviation",
            f"chosen: {curve.best_n_clusters}",
        ]

    def test_precomputed(self):
        display = KSelectionDisplay.from_data(
            pairwise_distances(X), [2, 3], curve_params={"metric": "precomputed"}
        )
        expected = medoid_curve(X, [2, 3]).losses
        np.testing.assert_allclose(display.losses, expected, rtol=1e-12)

    def test_without_a_choice(self):
        display = KSelectionDisplay.from_data(X, [1])
        assert display.chosen_line_ is None

    def test_other_methods_tried_one_number(self, model):
        with pytest.raises(ValueError, match="dynmsc"):
            KSelectionDisplay.from_estimator(model)


class TestLossCurve:
    def test_curve_and_bound(self):
        model = KMedoids(3, init="first", bound=True).fit(X)
        display = LossCurveDisplay.from_estimator(model)
        np.testing.assert_array_equal(display.line_.get_ydata(), model.loss_curve_)
        assert display.line_.get_xdata().tolist() == list(range(model.n_swaps_ + 1))
        assert display.line_.get_ydata()[-1] == pytest.approx(model.inertia_)
        assert display.bound_line_.get_ydata()[0] == model.lower_bound_
        assert display.ax_.get_ylabel() == "Total deviation"

    def test_a_batch_only_estimates_the_deviation(self):
        model = KMedoids(3, method="onebatch", batch_size=30, bound=True,
                         random_state=0).fit(X)  # fmt: skip
        assert model.lower_bound_ <= model.inertia_
        display = LossCurveDisplay.from_estimator(model)
        assert display.ax_.get_ylabel() == "Total deviation, estimated from the batch"
        assert display.bound_line_ is None
        assert len(display.ax_.lines) == 1

    def test_alternating_counts_assignments(self):
        model = KMedoids(6, method="alternate", init="first").fit(X)
        assert model.n_swaps_ + 1 != len(model.loss_curve_)
        display = LossCurveDisplay.from_estimator(model)
        assert display.ax_.get_xlabel() == "Assignments"
        steps = display.line_.get_xdata().tolist()
        assert steps == list(range(1, len(model.loss_curve_) + 1))

    def test_removals_are_steps_of_dynmsc(self):
        model = KMedoids(6, method="dynmsc", init="first").fit(X)
        display = LossCurveDisplay.from_estimator(model)
        assert display.ax_.get_xlabel() == "Swaps and removals"
        # From the start on, and with one removal between two numbers of medoids.
        last = model.n_swaps_ + len(model.k_range_) - 1
        assert display.line_.get_xdata().tolist() == list(range(last + 1))

    def test_no_swap_is_a_point(self):
        model = KMedoids(1).fit(X)
        display = LossCurveDisplay.from_estimator(model)
        assert display.line_.get_marker() == "o"
        assert display.bound_line_ is None

    def test_silhouette_methods_say_so(self):
        model = KMedoids(4, method="fastermsc", init="first").fit(X)
        display = LossCurveDisplay.from_estimator(model)
        assert display.ax_.get_ylabel() == "Average medoid silhouette"
        assert display.line_.get_ydata()[-1] == pytest.approx(model.medoid_silhouette_)

    def test_subsamples_of_clara(self):
        model = CLARA(3, sample_size=30, random_state=0).fit(X)
        display = LossCurveDisplay.from_estimator(model)
        assert display.ax_.get_xlabel() == "Subsamples"
        assert display.line_.get_xdata().tolist() == [1, 2, 3, 4, 5]
        best = np.minimum.accumulate(model.subsample_losses_)
        np.testing.assert_array_equal(display.line_.get_ydata(), best)

    def test_clarans(self):
        model = CLARANS(3, random_state=0).fit(X)
        display = LossCurveDisplay.from_estimator(model)
        assert display.line_.get_ydata()[-1] == pytest.approx(model.inertia_)
        assert (np.diff(display.line_.get_ydata()) < 0).all()

    def test_needs_a_curve(self):
        with pytest.raises(ValueError, match="KMeans has no loss_curve_"):
            LossCurveDisplay.from_estimator(KMeans(2, n_init=1).fit(X))


def test_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skloss\[plot\]"):
        KSelectionDisplay.from_data(X, [2, 3])


@pytest.mark.parametrize(
    "draw",
    [
        lambda model, **kw: MedoidSilhouetteDisplay.from_estimator(model, X, **kw),
        lambda model, **kw: KSelectionDisplay.from_estimator(model, **kw),
        lambda model, **kw: LossCurveDisplay.from_estimator(model, **kw),
    ],
)
class TestAll:
    def test_axes_and_name(self, draw):
        model = KMedoids(4, method="dynmsc").fit(X)
        figure, axes = plt.subplots(1, 2)
        display = draw(model, ax=axes[1], name="mine")
        assert display.ax_ is axes[1]
        assert display.figure_ is figure
        assert "mine" in texts(display.ax_.get_legend())[0]
        again = display.plot(ax=axes[0], name="other")
        assert again is display
        assert "other" in texts(axes[0].get_legend())[0]
        assert draw(model).ax_ not in axes

    def test_refuses_unfitted_estimators(self, draw):
        with pytest.raises(NotFittedError):
            draw(KMedoids(3))
