"""Compile every kernel once, so that no later fit has to."""

import importlib
import importlib.util
import pkgutil
import time
import warnings

import numpy as np

import skloss
from skloss.compare.compiling import compiled_functions
from skloss.compare.errors import InputError, first_line
from skloss.compare.registry import registered

__all__ = ["run_warmup", "warmups"]


def warmups():
    """Collect what each family runs to compile its kernels.

    A family may offer ``skloss/<family>/_warmup.py`` with a function ``warmup()`` that
    returns the names of what it ran. For the others, their registered estimators are
    fitted to small problems in double and single precision.

    Returns
    -------
    dict of str to callable
        Family to a function that returns names.
    """
    table = {}
    entries = {}
    for entry in registered(baseline=False):
        if entry.family:
            entries.setdefault(entry.family, []).append(entry)
    for module in pkgutil.iter_modules(skloss.__path__):
        name = f"skloss.{module.name}._warmup"
        if module.ispkg and importlib.util.find_spec(name):
            table[module.name] = lambda name=name: importlib.import_module(
                name
            ).warmup()
        elif module.name in entries:
            table[module.name] = lambda es=entries[module.name]: _fit_all(es)
    return table


def _fit_all(entries):
    """Fit estimators to small problems of their tasks."""
    random = np.random.RandomState(0)
    names = []
    for entry in entries:
        for dtype in (np.float64, np.float32):
            X = random.standard_normal((60, 4)).astype(dtype)
            for target in _targets(entry.task, X):
                estimator = entry.make()
                if entry.task == "aggregate":
                    estimator.fit(X, target, bags=np.arange(60) // 3)
                else:
                    estimator.fit(X, target)
                for method in ("predict", "predict_proba"):
                    if hasattr(estimator, method):
                        getattr(estimator, method)(X)
        names.append(entry.name)
    return names


def _targets(task, X):
    score = X[:, 0] + 0.5 * X[:, 1]
    if task in ("classification", "ordinal"):
        return [(score > 0).astype(int), np.digitize(score, [-0.5, 0.5])]
    return [None] if task == "clustering" else [score.astype(X.dtype)]


def run_warmup(families=()):
    """Run the warm-ups and print what they did.

    Parameters
    ----------
    families : sequence of str, default=()
        All by default.

    Returns
    -------
    int
        Exit code: 3 when a family failed.

    Raises
    ------
    InputError
        When a family is unknown.
    """
    table = warmups()
    unknown = [name for name in families if name not in table]
    if unknown:
        raise InputError(
            f"unknown family {unknown[0]!r}; choose from {', '.join(table)}", "family"
        )
    chosen = {name: table[name] for name in families or table}
    failed = False
    for family, action in chosen.items():
        importlib.import_module(f"skloss.{family}")
        start, before = time.perf_counter(), compiled_functions()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                names = action() or []
            except Exception as error:
                print(f"{family}: failed, {first_line(error)}")
                failed = True
                continue
        took = time.perf_counter() - start
        count = compiled_functions() - before
        did = f"compiled {count} functions" if count else "nothing to compile"
        what = f" ({', '.join(names)})" if names else ""
        print(f"{family}{what}: {did}, {took:.1f} s")
    return 3 if failed else 0
