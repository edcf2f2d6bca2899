"""Links against many digits, far into both tails."""

import copy
import importlib.util
import pickle
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

from skloss import losses
from skloss._jit import kernel
from skloss.losses import links

_SPEC = importlib.util.spec_from_file_location(
    "ordinal_reference", Path(__file__).with_name("ordinal_reference.py")
)
exact = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(exact)

NAMES = ["logit", "probit", "cloglog", "loglog", "cauchit"]
FURTHEST = {
    "logit": 700.0,
    "probit": 1e3,
    "cloglog": 700.0,
    "loglog": 700.0,
    "cauchit": 1e8,
}
FUNCTIONS = ["cdf", "survival", "log_cdf", "log_survival", "log_density"]


@kernel
def _compiled(link, t):
    return (
        links.cdf(link, t),
        links.survival(link, t),
        links.log_cdf(link, t),
        links.log_survival(link, t),
        links.log_density(link, t),
        links.density_score(link, t),
    )


def points(name):
    far = np.geomspace(1e-8, FURTHEST[name], 40)
    return np.concatenate([-far, [0.0], far, np.linspace(-9.1, 9.2, 60)])


def relative_error(computed, expected):
    if abs(expected) > 1e308:
        return 0.0 if abs(computed) == np.inf else np.inf
    if abs(expected) < 1e-300:  # denormal or 0
        return 0.0 if abs(computed) < 2e-300 else np.inf
    return float(abs((mp.mpf(float(computed)) - expected) / expected))


@pytest.mark.parametrize("name", NAMES)
def test_functions_in_both_tails(name):
    """Relative error 1e-13, and in Python the same as in kernels."""
    link = losses.get_link(name)
    worst = 0.0
    with mp.workdps(60), np.errstate(over="ignore", under="ignore"):
        for t in map(float, points(name)):
            compiled = _compiled(link, t)
            names = [*FUNCTIONS, "density_score"]
            for function, from_kernel in zip(names, compiled, strict=True):
                plain = getattr(links, function)(link, t)
                reference = function if function != "density_score" else "score"
                expected = getattr(exact, reference)(name, t)
                if function == "density_score" and abs(expected) > 1e60:
                    continue  # 60 digits do not resolve 1 - exp(t)
                worst = max(
                    worst, *(relative_error(x, expected) for x in (plain, from_kernel))
                )
    assert worst < 1e-13


@pytest.mark.parametrize("name", NAMES)
def test_quantile_inverts(name):
    link = losses.get_link(name)
    p = np.array([1e-250, 1e-12, 0.01, 0.3, 0.5, 0.77, 0.999])
    back = [links.cdf(link, t) for t in links.quantile(link, p)]
    # p = F(t) is known to the rounding of t times the slope of log F
    np.testing.assert_allclose(back, p, rtol=1e-12)
    np.testing.assert_array_equal(links.quantile(link, [0.0, 1.0]), [-np.inf, np.inf])


@pytest.mark.parametrize("name", NAMES)
def test_attributes_are_true(name):
    link = losses.get_link(name)
    t = np.linspace(-6, 6, 401)
    mirrored = [links.cdf(link, -x) - links.survival(link, x) for x in t]
    assert (np.abs(mirrored).max() < 1e-15) == link.symmetric
    slopes = np.diff([links.density_score(link, x) for x in t])
    assert (slopes.max() <= 0) == link.log_concave
    assert link.name == name


def test_links_are_values():
    made = [losses.LINKS[name]() for name in NAMES]
    assert sorted(losses.LINKS) == sorted(NAMES)
    for i, link in enumerate(made):
        assert [link == other for other in made] == [i == j for j in range(5)]
        assert pickle.loads(pickle.dumps(link)) == link
        assert copy.deepcopy(link) == link
        assert repr(link) == f"{type(link).__name__}()"
        assert losses.get_link(link) == link


def test_unknown_links_are_refused():
    with pytest.raises(ValueError, match=r"Unknown link 'log'.*cauchit.*probit"):
        losses.get_link("log")
    with pytest.raises(TypeError, match="link must be one of the names"):
        losses.get_link(losses.Hinge())
