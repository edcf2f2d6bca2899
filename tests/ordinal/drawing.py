"""What tests of the Displays share: stand-ins for fits, and where texts are drawn."""

import itertools

import matplotlib as mpl
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

CLASSES = np.array(["shown", "clicked", "bought"])
NAMES = np.array(["age", "price", "hour", "visits", "blood pressure at rest"])
ALPHAS = np.geomspace(0.5, 1e-3, 12)


class Bare(ClassifierMixin, BaseEstimator):
    """Attributes of a fit, without the fit: shapes are at the test's will."""

    def __init__(self, scoring=None, l1_ratio=1.0):
        self.scoring = scoring
        self.l1_ratio = l1_ratio

    def fit(self, X, y):
        raise NotImplementedError

    def with_attributes(self, **attributes):
        vars(self).update(attributes)
        return self


def fitted_path(rng, *, n_l1=None):
    """Stand-in for a cross-validated fit of five features at two thresholds.

    With several shares of the L1 penalty each has strengths of its own.
    """
    sizes = np.array([1.0, 0.3, 0.0, 2.0, 0.5]) * rng.choice([-1, 1], 5)
    coefs = np.log(ALPHAS[0] / ALPHAS)[:, None, None] * sizes
    coefs = np.repeat(coefs, 2, axis=1)
    coefs[:, 1, :2] *= rng.uniform(-1, 1, (len(ALPHAS), 2))
    shape = (len(ALPHAS), 5) if n_l1 is None else (n_l1, len(ALPHAS), 5)
    scores = -1 + 0.05 * rng.standard_normal(shape)
    means = scores.mean(axis=-1)
    at = np.unravel_index(means.argmax(), means.shape)
    ratios, grid = [0.1, 0.5, 1.0][:n_l1], ALPHAS
    if n_l1 is not None:
        grid = ALPHAS / np.array(ratios)[:, None]
    return Bare(l1_ratio=1.0 if n_l1 is None else ratios).with_attributes(
        alphas_=grid,
        alpha_=grid[at],
        l1_ratio_=1.0 if n_l1 is None else ratios[at[0]],
        coefs_path_=coefs,
        coef_=coefs[at[-1]],
        scores_path_=scores,
        mean_scores_=means,
        classes_=CLASSES,
        feature_names_in_=NAMES,
        n_features_in_=5,
    )


def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def texts(artists):
    return [artist.get_text() for artist in artists]


def boxes_of(artists):
    # Those of annotations hold their leader lines, which begin at the axes.
    return [
        mpl.text.Text.get_window_extent(artist)
        if isinstance(artist, mpl.text.Annotation)
        else artist.get_window_extent()
        for artist in artists
    ]


def assert_apart(boxes):
    for first, second in itertools.combinations(boxes, 2):
        assert not first.overlaps(second)
