"""Rerun the mixture simulation of Zheng and others (ICML 2023).

How many samples does a linear classifier need before its error is within 0.01 of the
best possible one? On this mixture naive Bayes should need a number that hardly changes
with the number of features p, logistic regression one proportional to p.

For each setting the sample size grows in steps of ceil(log p) from 2 K; at each size
the mean error of some repetitions, each with a fresh sample that contains all classes,
is compared with the smallest possible error. Run from the repository:

    python examples/reproduce/linear_eval.py          # a small setting, seconds
    python examples/reproduce/linear_eval.py --full   # K = 2, 3, 5; p up to 400
"""

import argparse
import math
import os
import time

import numpy as np
from scipy.stats import norm

from skloss import MultinomialLogistic, PooledGaussianNB
from skloss.datasets import make_regime_mixture

N_TEST = 10_000
MARGIN = 0.01


def best_error(n_features, n_classes):
    """Error of the best rule. The means lie on one line: only neighbours meet."""
    half = n_features // 2
    distance = math.sqrt(half / n_features + n_features - half)
    gaps = np.diff([-1, *(2.0**k for k in range(n_classes - 1))])
    return 2 / n_classes * norm.cdf(-gaps * distance / 2).sum()


def draw_with_all_classes(n_samples, n_features, n_classes, rng):
    """Draw samples until one contains every class."""
    while True:
        X, y = make_regime_mixture(n_samples, n_features, n_classes, random_state=rng)
        if len(np.unique(y)) == n_classes:
            return X, y


def samples_needed(estimator, n_features, n_classes, *, n_repeats, seed, limit):
    """Smallest size on the grid with mean error below the best plus the margin."""
    rng = np.random.RandomState(seed)
    X_test, y_test = make_regime_mixture(
        N_TEST, n_features, n_classes, random_state=rng
    )
    target = best_error(n_features, n_classes) + MARGIN
    step = math.ceil(math.log(n_features))
    for n_samples in range(2 * n_classes, limit, step):
        errors = []
        for _ in range(n_repeats):
            X, y = draw_with_all_classes(n_samples, n_features, n_classes, rng)
            errors.append(1 - estimator.fit(X, y).score(X_test, y_test))
        if np.mean(errors) < target:
            return n_samples
    return None


def main():
    """Print one line per setting."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--full", action="store_true", help="K = 2, 3, 5; p up to 400")
    parser.add_argument("--repeats", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    smoke = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))
    classes = (2, 3, 5) if arguments.full else (2,)
    features = (100, 200, 400) if arguments.full else (25, 50) if smoke else (50, 100)
    n_repeats = arguments.repeats or (5 if arguments.full else 3)

    print(" K    p   naive Bayes   logistic   logistic/p    seconds")
    for n_classes in classes:
        for n_features in features:
            start = time.perf_counter()
            naive_bayes, logistic = (
                samples_needed(
                    estimator,
                    n_features,
                    n_classes,
                    n_repeats=n_repeats,
                    seed=arguments.seed,
                    limit=20 * n_features,
                )
                for estimator in (PooledGaussianNB(), MultinomialLogistic(C=1.0))
            )
            ratio = math.nan if logistic is None else logistic / n_features
            print(
                f"{n_classes:2d} {n_features:4d} {naive_bayes!s:>13} {logistic!s:>10}"
                f" {ratio:12.2f} {time.perf_counter() - start:10.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
