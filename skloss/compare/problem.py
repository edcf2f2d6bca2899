"""One question to answer: a cleaned table, its target, its task and its splits."""

from dataclasses import dataclass, field, replace

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from skloss.compare.cleaning import as_table, clean_table, is_numeric, listed
from skloss.compare.errors import InputError, require
from skloss.compare.scores import SCORES, scores_for
from skloss.compare.tasks import encode_target, infer_task

__all__ = ["Problem", "inner_folds", "make_problem", "outer_splits"]

_INNER_FOLDS = 3


@dataclass
class Problem:
    """A cleaned table with everything the protocol needs to know about it.

    Attributes
    ----------
    name : str
    task : str
    reason : str
        Why this task.
    X : DataFrame of shape (n_samples, n_columns)
        Rows that take part in the comparison.
    y : ndarray of shape (n_samples,) or None
        Class codes or numbers, as models are trained on.
    truth : ndarray of shape (n_samples,) or None
        What predictions are scored against; differs from ``y`` only for bags whose
        rows have known labels.
    bags : ndarray of shape (n_samples,) or None
        Bag codes.
    classes : ndarray or None
    scores : list of Score
        The deciding one first.
    notes : list of str
    rare : int or None
        Code of the rarest class, the later one among equals.
    sparse_too : bool
        Whether sparse models suit the table although nobody asked for them.
    X_all, y_all, bags_all
        All usable rows, for the final fit; targets as the user labels them, except
        that ordered classes are codes.
    """

    name: str
    task: str
    reason: str
    X: object
    y: np.ndarray
    truth: np.ndarray
    bags: np.ndarray
    classes: np.ndarray
    scores: list
    notes: list = field(default_factory=list)
    X_all: object = None
    y_all: object = None
    bags_all: object = None
    rare: int = None
    sparse_too: bool = False

    @property
    def tuning_score(self):
        """The score that inner searches maximise.

        Learners from bags see the labels of bags only, so they are tuned by those.
        """
        return (
            SCORES["bag_squared_error"] if self.task == "aggregate" else self.scores[0]
        )

    @property
    def is_classification(self):
        """Whether the target is a class."""
        return self.classes is not None

    @property
    def has_missing(self):
        """Whether the encoded matrix may hold missing values."""
        return bool(self.X.isna().any(axis=None)) or not all(
            is_numeric(column) for _, column in self.X.items()
        )

    def light(self):
        """Copy without the table, quick to send to another process."""
        return replace(self, X=None, X_all=None, y_all=None, bags_all=None)


def make_problem(
    X,
    y=None,
    *,
    task="auto",
    bags=None,
    order=None,
    scoring=None,
    max_rows=20_000,
    n_folds=2,
    seed=0,
    name="your table",
):
    """Clean a table, settle its task and take a sample when it is large.

    Parameters
    ----------
    X : array-like or dataframe of shape (n_samples, n_columns)
    y : array-like of shape (n_samples,), default=None
    task, bags, order, scoring
        As for :func:`skloss.compare.compare`.
    max_rows : int, default=20_000
    n_folds : int, default=2
        Every class needs at least that many rows.
    seed : int, default=0
    name : str

    Returns
    -------
    Problem

    Raises
    ------
    InputError
    """
    X = as_table(X)
    y = None if y is None else _as_series(y, len(X), "target")
    bags = None if bags is None else _as_series(bags, len(X), "bags")
    task, reason = infer_task(X, y, task=task, bags=bags, order=order)
    if task == "clustering":
        y = None
    elif task != "aggregate" and bags is not None:
        raise InputError(f"bags are for the aggregate task, not for {task}", "bags")
    X, y, bags, notes = _drop_unlabelled(X, y, bags)
    codes, classes = (None, None) if y is None else encode_target(y, task, order=order)
    if classes is not None:
        X, y, codes, classes, dropped = _drop_tiny_classes(
            X, y, codes, classes, n_folds
        )
        notes += dropped
    X, cleaned = clean_table(X)
    notes += cleaned
    groups = None if bags is None else np.unique(bags, return_inverse=True)[1]
    if groups is not None and groups.max() + 1 < 2 * n_folds:
        raise InputError(
            f"there are only {groups.max() + 1} bags; {2 * n_folds} are the least",
            "bags",
        )
    if len(X) < 2 * n_folds:
        raise InputError(
            f"only {len(X)} usable rows are left; {2 * n_folds} are the least", "data"
        )
    strata = None if classes is None else codes
    keep, sampled = _sample(len(X), strata, groups, max_rows, n_folds, seed)
    notes += sampled
    labels = codes if classes is None or task == "ordinal" else y.to_numpy()
    parts = [None if part is None else part[keep] for part in (codes, groups)]
    truth, trained, rows_known = _bag_targets(*parts, notes)
    problem = Problem(
        name=name,
        task=task,
        reason=reason,
        X=X.iloc[keep].reset_index(drop=True),
        y=trained,
        truth=truth,
        bags=parts[1],
        classes=classes,
        scores=scores_for(task, scoring, rows_known=rows_known),
        notes=notes,
        X_all=X,
        y_all=labels,
        bags_all=groups,
    )
    if classes is not None:
        counts = np.bincount(trained, minlength=len(classes))
        problem.rare = int(len(counts) - 1 - np.argmin(counts[::-1]))
    problem.sparse_too = task == "regression" and X.shape[1] > len(X) / 5
    return problem


def _as_series(values, length, parameter):
    pandas = require("pandas")
    if hasattr(values, "to_pandas"):
        values = values.to_pandas()
    if isinstance(values, pandas.DataFrame):
        if values.shape[1] != 1:
            raise InputError("one column is allowed", parameter)
        values = values.iloc[:, 0]
    if not isinstance(values, pandas.Series):
        if not isinstance(values, pandas.Categorical):
            values = np.asarray(values)
            if values.ndim == 2 and values.shape[1] == 1:
                values = values[:, 0]
            if values.ndim != 1:
                raise InputError(
                    f"one column is allowed, got {values.ndim}-d", parameter
                )
        values = pandas.Series(values)
    if len(values) != length:
        raise InputError(f"{len(values)} values for {length} rows", parameter)
    return values.reset_index(drop=True)


def _drop_unlabelled(X, y, bags):
    missing = np.zeros(len(X), dtype=bool)
    for part in (y, bags):
        if part is not None:
            missing |= part.isna().to_numpy()
    if not missing.any():
        return X, y, bags, []
    if missing.all():
        raise InputError("every value of the target is missing", "target")
    keep = ~missing
    what = "target" if bags is None else "target or bag"
    note = f"dropped {missing.sum()} of {len(X)} rows without a {what}"
    return (
        X[keep].reset_index(drop=True),
        None if y is None else y[keep].reset_index(drop=True),
        None if bags is None else bags[keep].reset_index(drop=True),
        [note],
    )


def _drop_tiny_classes(X, y, codes, classes, n_folds):
    """Classes that cannot appear in every training part cannot be scored."""
    counts = np.bincount(codes, minlength=len(classes))
    tiny = counts < n_folds
    if not tiny.any():
        return X, y, codes, classes, []
    if (~tiny).sum() < 2:
        raise InputError(
            f"the target has {len(classes)} classes and fewer than two of them have "
            f"{n_folds} rows or more; is it a number or a name?",
            "target",
        )
    keep = ~tiny[codes]
    renumber = np.cumsum(~tiny) - 1
    note = (
        f"dropped {(~keep).sum()} rows of {tiny.sum()} classes with fewer than "
        f"{n_folds} rows: {listed(classes[tiny], 4)}"
    )
    return (
        X[keep].reset_index(drop=True),
        y[keep].reset_index(drop=True),
        renumber[codes[keep]],
        classes[~tiny],
        [note],
    )


def _sample(n_rows, codes, groups, max_rows, n_folds, seed):
    """Rows that take part; whole bags and all classes when there are any."""
    if n_rows <= max_rows:
        return np.arange(n_rows), []
    random = np.random.RandomState(seed)
    if groups is not None:
        order = random.permutation(groups.max() + 1)
        sizes = np.bincount(groups)[order]
        chosen = order[np.cumsum(sizes) <= max_rows]
        keep = np.flatnonzero(np.isin(groups, chosen))
    elif codes is not None:
        keep = _stratified_rows(codes, max_rows, n_folds, random)
    else:
        keep = np.sort(random.permutation(n_rows)[:max_rows])
    return keep, [
        f"compared on a random sample of {len(keep):,} of {n_rows:,} rows; "
        "raise max_rows to use more"
    ]


def _stratified_rows(codes, max_rows, least, random):
    """Rows in proportion to the classes, but at least some of each."""
    order = random.permutation(len(codes))
    by_class = order[np.argsort(codes[order], kind="stable")]
    counts = np.bincount(codes)
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(codes)) - np.repeat(starts, counts)
    place = (rank + 0.5) / np.repeat(counts, counts)
    place[rank < least] = -1
    return np.sort(by_class[np.argsort(place, kind="stable")[:max_rows]])


def _bag_targets(numbers, groups, notes):
    """Tell what is scored, what is trained on, and whether rows can be scored."""
    if groups is None:
        return numbers, numbers, False
    sizes = np.bincount(groups)
    present = np.maximum(sizes, 1)
    means = (np.bincount(groups, weights=numbers) / present)[groups]
    spread = np.abs(means - numbers).max()
    if spread <= 1e-9 * max(1.0, np.abs(numbers).max()):
        return numbers, numbers, False
    notes.append(
        "labels differ within bags: models were trained on bag means only and scored "
        "on the single rows"
    )
    return numbers, means, True


def outer_splits(problem, n_repeats, n_folds, seed):
    """Training and test rows, the same for every model.

    Parameters
    ----------
    problem : Problem
    n_repeats, n_folds : int
    seed : int

    Returns
    -------
    list of (ndarray, ndarray)
        ``n_repeats * n_folds`` pairs of row numbers, one repeat after the other.
    """
    splits = []
    rows = np.zeros(len(problem.X))
    for repeat in range(n_repeats):
        splitter = _splitter(
            problem.is_classification, problem.bags, n_folds, seed + repeat
        )
        splits += list(splitter.split(rows, problem.y, problem.bags))
    return splits


def inner_folds(problem, train, seed):
    """Folds of the training rows for tuning, the same for every model.

    Parameters
    ----------
    problem : Problem
    train : ndarray
        Row numbers of the training part.
    seed : int

    Returns
    -------
    list of (ndarray, ndarray)
        Positions within ``train``.
    """
    y = None if problem.y is None else problem.y[train]
    bags = None if problem.bags is None else problem.bags[train]
    stratify = problem.is_classification
    if stratify and np.unique(y, return_counts=True)[1].max() < _INNER_FOLDS:
        stratify = False
    folds = min(_INNER_FOLDS, len(train) if bags is None else len(np.unique(bags)))
    splitter = _splitter(stratify, bags, folds, seed)
    return list(splitter.split(np.zeros(len(train)), y, bags))


def _splitter(stratify, bags, n_folds, seed):
    if bags is not None:
        return GroupKFold(n_folds, shuffle=True, random_state=seed)
    kind = StratifiedKFold if stratify else KFold
    return kind(n_folds, shuffle=True, random_state=seed)
