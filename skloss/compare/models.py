"""Who takes part: from the caller's arguments to a list of models."""

import importlib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from sklearn.base import clone, is_classifier, is_clusterer, is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection import ParameterGrid

from skloss.compare.cleaning import listed
from skloss.compare.errors import InputError, MissingExtra, first_line, suggestion
from skloss.compare.registry import Entry, registered
from skloss.compare.rivals import RandomLabels

__all__ = ["Model", "select_models"]

_FEW_ROWS = 10_000


@dataclass
class Model:
    """One competitor.

    Attributes
    ----------
    name : str
    side : {"ours", "built-in", "dummy"}
    estimator : estimator or None
        Unfitted; None when it could not be made.
    candidates : list of dict
        Parameters to try; the first is empty and stands for the estimator as it is.
    scale : bool
    problem : str
        Why it does not take part; empty when it does.
    """

    name: str
    side: str
    estimator: object
    candidates: list = field(default_factory=lambda: [{}])
    scale: bool = False
    problem: str = ""


def select_models(problem, estimators=None, baselines=None, *, n_train=0):
    """Competitors of both sides.

    Parameters
    ----------
    problem : Problem
    estimators, baselines : None, estimator, str, list or dict
        As for :func:`skloss.compare.compare`.
    n_train : int, default=0
        Rows of a training part, for estimators that need few.

    Returns
    -------
    list of Model
        Ours first.

    Raises
    ------
    InputError
        When a name is unknown or an object is no estimator.
    """
    entries = _entries(problem)
    ours, named_rivals = _requested(estimators, problem, "estimators")
    rivals, _ = _requested(baselines, problem, "baselines", any_side=True)
    if estimators is None:
        ours = [(e.name, e) for e in entries if not e.baseline]
    if baselines is not None:
        rivals = [pair for pair in named_rivals if pair not in rivals] + rivals
    elif named_rivals:
        dummies = [(e.name, e) for e in entries if e.baseline and _is_dummy(e.make())]
        rivals = named_rivals + [pair for pair in dummies if pair not in named_rivals]
    else:
        rivals = [(e.name, e) for e in entries if e.baseline]
    models, names = [], set()
    for side, members in (("ours", ours), ("built-in", rivals)):
        for name, item in members:
            model = _model(_unique(name, names), side, item, entries)
            _check_kind(model, problem)
            _check_needs(model, item, problem, n_train)
            models.append(model)
    if not models:
        raise InputError("there is no estimator to compare", "estimators")
    return models


def _entries(problem):
    """List the entries of the problem's task; for wide tables the sparse ones too."""
    entries = registered(problem.task)
    if problem.sparse_too:
        known = {entry.name for entry in entries}
        entries += [e for e in registered("sparse") if e.name not in known]
    return entries


def _requested(items, problem, parameter, any_side=False):
    """Named pairs of what was asked for, and the built-in ones among them apart."""
    if items is None:
        return [], []
    if isinstance(items, dict):
        pairs = list(items.items())
    else:
        alone = isinstance(items, (str, Entry, tuple)) or hasattr(items, "get_params")
        if not alone and not isinstance(items, Iterable):
            raise InputError(
                f"{type(items).__name__} is no estimator, name, list or dict", parameter
            )
        pairs = [(None, item) for item in ([items] if alone else items)]
    ours, rivals = [], []
    for name, item in pairs:
        if isinstance(item, str):
            item = _by_name(item, problem, parameter)
        if name is None:
            name = item.name if isinstance(item, Entry) else _class_name(item)
        is_rival = isinstance(item, Entry) and item.baseline and not any_side
        (rivals if is_rival else ours).append((str(name), item))
    return ours, rivals


def _by_name(name, problem, parameter):
    entries = _entries(problem)
    for entry in entries:
        if entry.name.lower() == name.strip().lower():
            return entry
    module, colon, attribute = name.strip().partition(":")
    if not colon:
        names = [e.name for e in entries]
        tasks = {e.task for e in registered() if e.name.lower() == name.strip().lower()}
        known = f", only for {', '.join(sorted(tasks))}" if tasks else ""
        raise InputError(
            f"unknown estimator {name!r} for {problem.task}"
            f"{known or suggestion(name, names)}; choose from {listed(names, 30)} or "
            "give module:Class",
            parameter,
        )
    try:
        return getattr(importlib.import_module(module), attribute)()
    except MissingExtra:
        raise
    except Exception as error:
        raise InputError(
            f"{name!r} cannot be made ({first_line(error)})", parameter
        ) from error


def _class_name(item):
    item = item[0] if isinstance(item, tuple) else item
    if hasattr(item, "steps"):
        return " + ".join(type(step).__name__ for _, step in item.steps)
    return getattr(item, "__name__", type(item).__name__)


def _unique(name, taken):
    unique, number = name, 2
    while unique in taken:
        unique = f"{name} ({number})"
        number += 1
    taken.add(unique)
    return unique


def _model(name, side, item, entries):
    """Make one competitor; a failure to import becomes its status."""
    if isinstance(item, Entry):
        try:
            estimator = item.make()
        except Exception as error:
            return Model(name, side, None, problem=f"failed: {first_line(error)}")
        entry = item
        grid = entry.grid
    else:
        if isinstance(item, tuple) and len(item) != 2:
            raise InputError(
                f"{name} must be an estimator or a pair of an estimator and its grid, "
                f"got {len(item)} parts",
                "estimators",
            )
        item, grid = item if isinstance(item, tuple) else (item, None)
        if inspect.isclass(item):
            item = item()
        if not hasattr(item, "fit") or not hasattr(item, "get_params"):
            raise InputError(
                f"{name} is no estimator: {type(item).__name__} has no fit and "
                "get_params",
                "estimators",
            )
        try:
            estimator = clone(item)
        except Exception as error:
            return Model(name, side, None, problem=f"failed: {first_line(error)}")
        entry = _same_class(estimator, entries)
        if grid is None:
            grid = entry.grid if entry else {}
    if side == "built-in" and _is_dummy(estimator):
        side = "dummy"
    # Columns on one scale hurt no model and help many, so unknown ones get them too;
    # a pipeline prepares its columns as its author wishes.
    scale = "scaling" in entry.needs if entry else not hasattr(estimator, "steps")
    return Model(name, side, estimator, _candidates(name, estimator, grid), scale)


def _same_class(estimator, entries):
    """Entry of the same class, so that given and registered models meet as equals."""
    for entry in entries:
        try:
            registered_class = type(entry.make())
        except Exception:  # what cannot be made says so when its turn comes
            continue
        if registered_class is type(estimator) and not hasattr(estimator, "steps"):
            return entry
    return None


def _candidates(name, estimator, grid):
    """Put the defaults first, then the grid so that every prefix covers it evenly."""
    try:
        points = list(ParameterGrid(grid)) if grid else []
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the grid of {name} must be a dict of lists ({first_line(error)})",
            "estimators",
        ) from error
    known = estimator.get_params(deep=True).keys()
    for key in sorted({key for point in points for key in point} - known):
        # A part may itself be among the values; what it takes is not known yet.
        if key.partition("__")[0] not in known or "__" not in key:
            raise InputError(
                f"{name} has no parameter {key!r}{suggestion(key, known)}", "estimators"
            )
    order = np.random.RandomState(0).permutation(len(points))
    return [{}] + [points[i] for i in order]


def _is_dummy(estimator):
    return isinstance(estimator, (DummyClassifier, DummyRegressor, RandomLabels))


def _check_kind(model, problem):
    """Turn away what cannot do the task before it fails in some other way."""
    estimator = model.estimator
    if model.problem or estimator is None:
        return
    method = "fit_predict" if problem.task == "clustering" else "predict"
    if not hasattr(estimator, method):
        model.problem = f"failed: it has no {method}"
    elif problem.is_classification and (
        is_regressor(estimator) or is_clusterer(estimator)
    ):
        model.problem = "failed: it does not predict classes"
    elif problem.task in ("regression", "sparse", "aggregate") and (
        is_classifier(estimator) or is_clusterer(estimator)
    ):
        model.problem = "failed: it does not predict numbers"


def _check_needs(model, item, problem, n_train):
    needs = item.needs if isinstance(item, Entry) else frozenset()
    if model.problem:
        return
    if "few rows" in needs and n_train > _FEW_ROWS:
        model.problem = f"left out: memory grows with the square of {n_train:,} rows"
    elif "binary" in needs and len(problem.classes) != 2:
        model.problem = f"left out: the target has {len(problem.classes)} classes"
    elif "unit target" in needs and (problem.y.min() < 0 or problem.y.max() > 1):
        model.problem = "left out: the target is not between 0 and 1"
