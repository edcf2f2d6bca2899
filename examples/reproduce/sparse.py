"""Where a better basis helps sparse regression, and where it does not.

    python examples/reproduce/sparse.py           # a few draws, about a minute
    python examples/reproduce/sparse.py --full    # the tables of the user guide

Five parts, all simulated. Beside the medians stand, where there are any, the figures
that the design of this package started from; they come from prototypes, as there are no
published experiments.

1. Coefficients that nearly cancel: columns are five factors and a little noise, and
   the coefficients are the direction in which the columns of the support vary least.
   Coordinate descent stops far from the optimum there, so the Lasso comes several
   times: as scikit-learn fits it at one strength, along a warm path, with twenty times
   the passes, and solved to a certified accuracy; each at the strength that hindsight
   shows to be the best. What the first ones lose is lost in the optimisation.
2. The same against the noise around the factors.
3. Correlated columns with coefficients of plus or minus one, where the Lasso is good
   and a new basis can only do harm.
4. Much noise: subsets with and without a ridge penalty, chosen by folds.
5. Spectra: few wavelengths against partial least squares, on simulated mixtures.

Errors are mean squares of X (w - w_hat), as shares of the signal's variance; those of
part 5 are root mean squares on ten new spectra. A gap is a bound on the distance of the
objective from its minimum, as a share of the variance of the target.

The idea of preconditioning by random supports is from G. Chandrasekaran, R. Meka,
K. Stavropoulos, "Sparse Linear Regression is Easy on Random Supports", STOC 2026,
arXiv:2511.06211. What runs here is a practical realisation inspired by it.
"""

import argparse
import csv
import os
import time
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sparse_methods import cancelling, correlated, near_infrared, noisy

SMOKE = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))


class Part(NamedTuple):
    """One table: what is drawn, how often, and what to compare it with."""

    title: str
    measure: object  # of a seed and a setting, returns {name: figure}
    settings: dict  # {column: setting}
    few: tuple  # columns of the quick form
    draws: tuple  # in the quick form, and in the full one
    expected: dict  # {column: {row: figure}}
    smoke: dict  # changes of the settings that make them small
    full: dict = {}  # changes in the full form


SMALL = {"n": 100, "d": 60, "k": 7}
PARTS = (
    Part(
        "1. Coefficients that nearly cancel, five factors",
        cancelling,
        {"d=500, k=8": {"d": 500, "k": 8}, "d=1000, k=10": {"d": 1000, "k": 10}},
        ("d=500, k=8",),
        (2, 40),
        {
            "d=500, k=8": {
                "Lasso, best alpha": 0.82,
                "PreconditionedLassoCV": 0.020,
                "  and true k": 0.0055,
                "true support": 0.0018,
            },
            "d=1000, k=10": {
                "Lasso, best alpha": 0.93,
                "PreconditionedLassoCV": 0.040,
                "  and true k": 0.0053,
                "true support": 0.0039,
            },
        },
        {**SMALL, "n_alphas": 30},
        {"lassos": ("single", "path", "patient")},
    ),
    Part(
        "2. The same, against the noise around the factors",
        cancelling,
        {
            f"noise {noise:g}": {"d": 500, "k": 8, "noise": noise}
            for noise in (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 1e-4)
        },
        ("noise 1", "noise 0.01", "noise 0.0001"),
        (1, 10),
        {},
        {**SMALL, "n_alphas": 30},
    ),
    Part(
        "3. Coefficients of plus or minus one, signal-to-noise ratio 10",
        correlated,
        {
            # On factors LassoCV takes longer than all others together.
            name: {"name": name, "d": 500, "k": 8, "snr": 10}
            | {"sklearn": name != "factors"}
            for name in ("factors", "random walk", "AR(0.95)", "smooth")
        },
        ("factors", "smooth"),
        (1, 20),
        {
            "factors": {
                "SparseRegressorCV": 0.0012,
                "preconditioned": 0.0014,
                "abess, true k": 0.019,
            }
        },
        SMALL,
    ),
    Part(
        "   The same at a signal-to-noise ratio of 100, ten columns",
        correlated,
        {
            name: {"name": name, "d": 500, "k": 10, "snr": 100}
            for name in ("latent", "power law", "smooth", "tree")
        },
        ("latent", "tree"),
        (1, 20),
        {
            "latent": {
                "LassoCV": 2.5e-3,
                "  and k by CV": 5.1e-4,
                "abess, true k": 4.2e-3,
            },
            "power law": {
                "LassoCV": 3.2e-3,
                "  and k by CV": 5.5e-4,
                "abess, true k": 4.8e-3,
            },
            "smooth": {
                "LassoCV": 1.4e-3,
                "  and k by CV": 3.8e-4,
                "abess, true k": 4.9e-3,
            },
            "tree": {
                "LassoCV": 2.3e-3,
                "F1: LassoCV": 0.29,
                "  and k by CV": 1.2e-3,
                "F1:   and k by CV": 0.95,
                "abess, true k": 2.6e-3,
                "F1: abess, true k": 0.59,
            },
        },
        SMALL,
    ),
    Part(
        "4. Much noise: 200 rows, independent columns, five of which count",
        noisy,
        {
            f"d={d}, SNR {snr:g}": {"n": 200, "d": d, "k": 5, "snr": snr}
            for d in (100, 500)
            for snr in (0.05, 0.1, 0.25, 0.5, 1.0)
        },
        ("d=100, SNR 0.1", "d=100, SNR 1"),
        (2, 20),
        {},
        SMALL,
    ),
    Part(
        "5. Spectra of 50 mixtures; RMSEP on 10 more",
        near_infrared,
        {"401 wavelengths": {}},
        ("401 wavelengths",),
        (2, 20),
        {},
        {"n_wavelengths": 60, "max_features": 3},
    ),
)


def rows_of(part, arguments):
    """Measure all draws: {column: [figures of a draw]}."""
    found = {}
    for label, setting in part.settings.items():
        if not arguments.full and label not in part.few:
            continue
        changed = setting | (part.full if arguments.full else {})
        n_draws = arguments.draws or part.draws[arguments.full]
        if SMOKE:
            changed, n_draws = setting | part.smoke, 1
        found[label] = Parallel(arguments.jobs)(
            delayed(part.measure)(seed, **changed) for seed in range(n_draws)
        )
    return found


def print_table(part, found):
    """Print medians and quartiles over the draws beside the figures expected."""
    for label, draws in found.items():
        print(f"\n{part.title}: {label} ({len(draws)} drawn)")
        print(f"{'':36}{'expected':>10}{'median':>10}{'quartiles':>22}")
        expected = {} if SMOKE else part.expected.get(label, {})
        for name in draws[0]:
            low, middle, high = np.quantile(
                [float(row[name]) for row in draws], [0.25, 0.5, 0.75]
            )
            published = f"{expected[name]:.2g}" if name in expected else ""
            print(
                f"{name:36}{published:>10}{middle:>10.3g}{low:>12.3g}{high:>10.3g}",
                flush=True,
            )


def main():
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--full", action="store_true", help="all columns, all draws")
    parser.add_argument("--draws", type=int, help="draws of each column")
    parser.add_argument("--jobs", type=int, default=1, help="draws at a time")
    parser.add_argument(
        "--parts", type=int, nargs="*", help="1 to 6, in order of print"
    )
    parser.add_argument("--save", help="a CSV file for the figures of all draws")
    arguments = parser.parse_args()
    start = time.perf_counter()
    saved = []
    for number, part in enumerate(PARTS, start=1):
        if arguments.parts and number not in arguments.parts:
            continue
        found = rows_of(part, arguments)
        print_table(part, found)
        for label, draws in found.items():
            saved += [
                (number, label, seed, name, float(value))
                for seed, row in enumerate(draws)
                for name, value in row.items()
            ]
    if arguments.save:
        with open(arguments.save, "w", newline="") as file:
            table = csv.writer(file)
            table.writerow(("part", "column", "draw", "figure", "value"))
            table.writerows(saved)
    print(f"({time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
