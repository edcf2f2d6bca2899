"""scikit-learn's own checks, for every public estimator and without exceptions."""

import importlib
import inspect

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

import skloss


def public_estimators():
    """Classes of all estimators that the package's public modules export."""
    found = {}
    for module_name in skloss._MODULES:
        module = importlib.import_module(f"skloss.{module_name}")
        for name in module.__all__:
            member = getattr(module, name)
            if inspect.isclass(member) and issubclass(member, BaseEstimator):
                found[name] = member
    return found


ESTIMATORS = public_estimators()
# Settings that take another path through the code than the defaults do.
VARIANTS = {
    "KMedoids": [
        {"method": "pam", "precompute": False},
        {"method": "fastpam2"},
        {"method": "alternate"},
        {"method": "fastermsc", "n_clusters": 3},
        {"method": "onebatch", "random_state": 0},
        {"method": "exact", "n_clusters": 3},
        {"metric": "cosine", "precompute": "condensed", "bound": True},
    ],
    "KnockoffSelector": [{"method": "sdp", "offset": 0}, {"n_draws": 2}],
    "PooledGaussianNB": [{"shrinkage": "auto"}, {"var_smoothing": 0.0}],
    "PrestoClassifier": [
        {"ordering": "box"},
        {"ordering": "train", "alpha": 1e-4},
        {"family": "stopping", "link": "probit"},
        {"family": "adjacent", "structure": "nonparallel"},
        {"structure": "semiparallel", "l1_ratio": 0.0, "reverse": True},
        {"alpha": 0.0, "link": "cloglog"},
    ],
    "PrestoClassifierCV": [{"alphas": 5, "cv": 3, "l1_ratio": [0.5, 1.0]}],
    "ProportionalOddsClassifier": [{"alpha": 0.1, "link": "loglog"}],
    "RandomFeatureRidge": [
        {"activation": "cos", "sampling": "orthogonal"},
        {"n_components": np.inf},
        {"n_components": 20, "precision": "mixed"},
        {"sampling": "hadamard", "alpha": 0.0},
    ],
    "RandomFeatureRidgeCV": [
        {"cv": "gcv"},
        {"n_components": [5, 20, np.inf], "alphas": [0.1, 1.0], "scoring": "r2"},
    ],
    "RandomFeatureRidgeClassifier": [
        {"n_components": 20},
        {"class_weight": "balanced", "n_components": np.inf},
    ],
    "RandomFeatures": [
        {"activation": "cos", "sampling": "qmc", "distribution": "student"},
        {"activation": "sincos", "dtype": np.float64},
    ],
    "StabilitySelector": [{"n_pairs": 3, "assumption": "none"}],
    "MultinomialLogistic": [{"precision": "double", "class_weight": "balanced"}],
}


def instances():
    for name, cls in sorted(ESTIMATORS.items()):
        yield cls()
        for parameters in VARIANTS.get(name, []):
            yield cls(**parameters)


def test_every_estimator_is_found():
    expected = {"KMedoids", "MultinomialLogistic", "PooledGaussianNB"}
    assert expected <= set(ESTIMATORS)
    assert set(VARIANTS) <= set(ESTIMATORS)


@parametrize_with_checks(list(instances()))
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_is_reachable_from_the_top(name):
    assert getattr(skloss, name) is ESTIMATORS[name]
