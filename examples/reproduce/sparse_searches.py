"""How often searches for the best subset find one as good as the planted columns.

    python examples/reproduce/sparse_searches.py           # a few draws, some seconds
    python examples/reproduce/sparse_searches.py --full    # those of the user guide

Ten of many columns have coefficients of plus or minus one. A search succeeds if its sum
of squares is no larger than that of the planted columns. The last table has errors of
subsets that folds have chosen, in thousandths of the signal's variance.
"""

import argparse
import os
import time

import numpy as np
from sparse_designs import draw

from skloss.sparse import BestSubsetRegressor, BestSubsetRegressorCV

SMOKE = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))
SETTINGS = {
    "latent factors, 500 columns": ("latent", {"d": 500, "k": 10, "snr": 100}),
    "power law, 1000 columns": ("power law", {"d": 1000, "k": 10, "snr": 10}),
}
SEARCHES = {
    "default": {},
    "no detours": {"patience": 0},
    "patience=8": {"patience": 8},
    "l1_starts": {"l1_starts": True},
}
FOLDS = ("latent", {"d": 1000, "k": 10, "snr": 10})
SMALL = {"n": 60, "d": 30, "k": 3}


def residual(X, y, support):
    """Sum of squares of least squares on some columns, with an intercept."""
    A = np.column_stack([np.ones(len(y)), X[:, support]])
    return np.sum((y - A @ np.linalg.lstsq(A, y)[0]) ** 2)


def count_successes(name, setting, options, n_draws):
    """Successes, and the mean time of a fit in milliseconds."""
    found, seconds = 0, 0.0
    for seed in range(n_draws):
        data = draw(name, seed, **setting)
        model = BestSubsetRegressor(setting["k"], random_state=0, **options)
        if not seed:
            model.fit(data.X, data.y)  # compiles
        start = time.perf_counter()
        model.fit(data.X, data.y)
        seconds += time.perf_counter() - start
        planted = residual(data.X, data.y, data.support)
        found += residual(data.X, data.y, model.support_) <= planted * (1 + 1e-9)
    return found, 1e3 * seconds / n_draws


def errors_by_folds(l1_starts, setting, n_draws):
    """Errors of subsets whose size and ridge penalty folds have chosen."""
    errors = []
    for seed in range(n_draws):
        data = draw(FOLDS[0], seed, **setting)
        model = BestSubsetRegressorCV(n_starts=0, l1_starts=l1_starts, random_state=0)
        model.set_params(max_features=5 if SMOKE else 20)
        errors.append(1e3 * data.error(model.fit(data.X, data.y).predict(data.X)))
    return errors


def main():
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--full", action="store_true", help="all draws")
    full = parser.parse_args().full
    n_draws = 1 if SMOKE else 20 if full else 4
    for title, (name, setting) in SETTINGS.items():
        setting = setting | SMALL if SMOKE else setting
        print(f"\n{title}: successes in {n_draws} draws")
        for label, options in SEARCHES.items():
            found, cost = count_successes(name, setting, options, n_draws)
            print(f"{label:12}{found:4d}{cost:10.1f} ms")
    n_draws = 1 if SMOKE else 12 if full else 2
    print(f"\nsubsets by folds, latent factors, 1000 columns: {n_draws} draws")
    for l1_starts in (True, False):
        setting = FOLDS[1] | SMALL if SMOKE else FOLDS[1]
        errors = errors_by_folds(l1_starts, setting, n_draws)
        print(f"l1_starts={l1_starts!s:6} median error {np.median(errors):.1f}")


if __name__ == "__main__":
    main()
