"""What the theory functions refuse, they name."""

import numpy as np
import pytest

from skloss.aggregate.theory import aggregate_risk, optimal_bag_size, optimal_rho

INF = np.inf


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bag_size": 0}, "bag_size must be at least 1 and finite; got 0.0"),
        ({"bag_size": [2, -1]}, "bag_size must be at least 1 and finite; got -1.0"),
        ({"bag_size": "five"}, "bag_size must be numeric; got 'five'"),
        ({"bag_size": True}, "bag_size must be numeric; got True"),
        ({"aspect": 0}, "aspect must be positive and finite; got 0.0"),
        ({"aspect": np.nan}, "aspect must be positive and finite; got nan"),
        ({"rho": -0.1}, "rho must be at least 0; got -0.1"),
        ({"rho": [0.1, np.nan]}, "rho must be at least 0; got nan"),
        ({"rho": 1j}, "rho must be numeric; got 1j"),
        ({"alpha": -1}, "alpha must be at least 0 and finite; got -1.0"),
        ({"signal": -1}, "signal must be at least 0 and finite; got -1.0"),
        ({"noise": INF}, "noise must be at least 0 and finite; got inf"),
        ({"scale": -2}, "scale must be at least 0 and finite; got -2.0"),
        ({"scale": "beast"}, "scale must be numeric or \"best\"; got 'beast'"),
        (
            {"mean_noise_variance": -1},
            "mean_noise_variance must be at least 0 and finite; got -1.0",
        ),
        (
            {"bag_size": [1, 2], "rho": [1, 2, 3]},
            r"Shapes do not broadcast: bag_size \(2,\), .*rho \(3,\)",
        ),
    ],
)
def test_bad_arguments_of_risk_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        aggregate_risk(**{"bag_size": 5, "aspect": 20, **wrong})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"scale": "some"}, 'scale must be "none" or "best"; got \'some\''),
        ({"scale": 1.0}, 'scale must be "none" or "best"; got 1.0'),
        ({"signal": None}, "signal must be (numeric|at least 0 and finite); got"),
        ({"noise": -1}, "noise must be at least 0 and finite; got -1.0"),
        ({"bag_size": 0.5}, "bag_size must be at least 1 and finite; got 0.5"),
        ({"aspect": -2}, "aspect must be positive and finite; got -2.0"),
    ],
)
def test_bad_arguments_of_best_rho_are_named(wrong, message):
    given = {"bag_size": 5, "aspect": 20, "signal": 1, "noise": 1, **wrong}
    with pytest.raises(ValueError, match=message):
        optimal_rho(**given)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epsilon": 0, "bounds": (0, 1)}, "epsilon must be positive; got 0.0"),
        ({"epsilon": np.nan, "bounds": (0, 1)}, "epsilon must be positive; got nan"),
        ({"epsilon": 1}, "bounds must be given with epsilon; got None"),
        ({"bounds": (1, 1)}, r"bounds must be finite with lo < hi; got \(1, 1\)"),
        ({"bounds": (0, INF)}, r"bounds must be finite with lo < hi; got \(0, inf\)"),
        ({"bounds": 3}, "bounds must be two numbers, lo and hi; got 3"),
        ({"min_size": 0}, "min_size must be whole and at least 1; got 0"),
        ({"max_size": 2.5}, "max_size must be whole and at least 1; got 2.5"),
        ({"min_size": 9, "max_size": 8}, "min_size must be at most max_size=8; got 9"),
        ({"rho": -1}, "rho must be at least 0; got -1.0"),
        ({"aspect": 0}, "aspect must be positive and finite; got 0.0"),
    ],
)
def test_bad_arguments_of_best_bag_size_are_named(wrong, message):
    given = {"aspect": 20, "signal": 1, "noise": 1, **wrong}
    with pytest.raises(ValueError, match=message):
        optimal_bag_size(**given)
