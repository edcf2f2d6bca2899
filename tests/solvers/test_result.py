import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from skloss import solvers
from skloss.solvers import SolverResult, warn_unless_converged
from skloss.solvers._warmup import warmup


def result(status):
    return SolverResult(
        x=np.zeros(1), objective=1.0, n_iter=7, status=status, dual_gap=0.25
    )


@pytest.mark.parametrize(
    "status, words",
    [
        ("max_iter", "did not converge in 7 iterations"),
        ("stalled", "floating-point"),
        ("overflow", "beyond floating point"),
    ],
)
def test_warning_names_the_estimator_and_the_accuracy(status, words):
    with pytest.warns(ConvergenceWarning, match=words) as caught:
        warn_unless_converged(result(status), Lasso(), advice="Raise max_iter.")
    message = str(caught[0].message)
    assert message.startswith("Lasso ")
    assert "gap 0.25" in message and "KKT" not in message
    assert message.endswith("Raise max_iter.")
    assert not result(status).converged


@pytest.mark.parametrize("status", ["converged", "stopped"])
def test_no_warning_for_what_was_wanted(status):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_unless_converged(result(status), Lasso())


def test_functions_win_over_modules_of_the_same_name():
    import skloss.solvers.newton_cg  # noqa: F401

    assert callable(solvers.newton_cg)
    for name in solvers.__all__:
        assert getattr(solvers, name).__name__ == name


def test_warmup_covers_every_penalty_and_smooth_loss():
    names = warmup()
    assert {"l1", "box", "logistic", "poisson", "huber"} <= set(names)
    assert not {"hinge", "quantile", "absolute"} & set(names)
