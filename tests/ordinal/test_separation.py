"""No optimum, an optimum far out, and the difference told."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skloss.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    presto_path,
)


def one_sided(link):
    """A binary feature whose ones are all of an end class."""
    random = np.random.default_rng(0)
    x = random.standard_normal(200)
    d = (random.random(200) < 0.15) * 1.0
    y = np.digitize(x + random.logistic(size=200), [-1, 1])
    y[d == 1] = 2 if link in ("loglog", "cauchit") else 0
    return np.c_[x, d], y


MODELS = {
    "proportional odds": lambda link: ProportionalOddsClassifier(link=link),
    "presto": lambda link: PrestoClassifier(0.0, link=link),
    "free feature": lambda link: PrestoClassifier(
        0.1, link=link, penalty_factors=[1, 0]
    ),
    "stopping": lambda link: PrestoClassifier(0.0, link=link, family="stopping"),
}


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchit"])
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_separation_is_told_whatever_the_tails(make, link):
    X, y = one_sided(link)
    with pytest.warns(ConvergenceWarning, match="separates|KKT violation"):
        make(link).fit(X, y)


@pytest.fixture(scope="module")
def separated():
    X = np.random.default_rng(0).standard_normal((60, 2))
    return X, np.digitize(X[:, 0], [-0.5, 0.5])


@pytest.mark.parametrize("options", [{"alphas": [0.0]}, {"base_penalty": 0.0}], ids=str)
def test_searches_tell_it_too(separated, options):
    model = PrestoClassifierCV(cv=3, random_state=0).set_params(
        **({"alphas": 5} | options)
    )
    with pytest.warns(ConvergenceWarning, match="separates"):
        model.fit(*separated)


def test_paths_tell_it_too(separated):
    with pytest.warns(ConvergenceWarning, match="separates"):
        presto_path(*separated, alphas=[0.1, 0.0])


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([0, 1, 2, 3, 1.5, 1000.0], [0, 1, 0, 1, 0, 2]),
        ([-1, 0, 1, 2, 0.5, 60.0, 60.0], [0, 1, 0, 1, 2, 3, 3]),
    ],
)
def test_an_optimum_that_exists_is_not_denied(x, y):
    """One class is far from the others, so that a threshold is badly determined."""
    X = np.array(x, dtype=float)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = ProportionalOddsClassifier(tol=1e-12).fit(X, y)
    again = ProportionalOddsClassifier(tol=1e-9).fit(X, y)
    np.testing.assert_allclose(fitted.coef_, again.coef_, rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_saturated_adjacent_models_are_told(seed):
    X = np.random.default_rng(seed).standard_normal((20, 60))
    y = np.arange(20) % 4
    model = PrestoClassifier(
        1e-3,
        l1_ratio=0.0,
        structure="semiparallel",
        base_penalty=0.0,
        family="adjacent",
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()
