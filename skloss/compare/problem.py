"""One question to answer: a cleaned table, its target, its task and its splits."""

import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from skloss.compare.cleaning import as_table, clean_table, echoes, is_numeric, listed
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

    @cached_property
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
    X, codes, classes, dropped = _encode(X, y, task, order, n_folds)
    X, cleaned = clean_table(X)
    notes += dropped + cleaned
    if codes is not None and bags is None:
        notes += echoes(X, codes, classes=classes is not None)
    groups = None if bags is None else np.unique(bags, return_inverse=True)[1]
    _check_size(len(X), groups, n_folds)
    problem = Problem(
        name=name,
        task=task,
        reason=reason,
        X=X,
        y=codes,
        truth=codes,
        bags=groups,
        classes=classes,
        scores=scores_for(task, scoring),
        notes=notes,
        X_all=X,
        y_all=codes if classes is None or task == "ordinal" else classes[codes],
        bags_all=groups,
        sparse_too=task == "regression" and X.shape[1] > len(X) / 5,
    )
    _take_sample(problem, max_rows, n_folds, seed)
    if groups is not None:
        _hide_rows(problem, scoring)
    if classes is not None:
        counts = np.bincount(problem.y, minlength=len(classes))
        problem.rare = int(len(counts) - 1 - np.argmin(counts[::-1]))
    return problem


def _encode(X, y, task, order, n_folds):
    """Rows that can be used, codes or numbers of their target, classes and notes."""
    if y is None:
        return X, None, None, []
    codes, classes = encode_target(y, task, order=order)
    if classes is None:
        return X, codes, None, []
    return _drop_tiny_classes(X, codes, classes, n_folds)


def _check_size(n_rows, groups, n_folds):
    least = 2 * n_folds
    if groups is not None and groups.max() + 1 < least:
        raise InputError(
            f"there are only {groups.max() + 1} bags; {least} are the least", "bags"
        )
    if n_rows < least:
        raise InputError(
            f"only {n_rows} usable rows are left; {least} are the least", "data"
        )


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


def _drop_tiny_classes(X, codes, classes, n_folds):
    """Classes that cannot appear in every training part cannot be scored."""
    counts = np.bincount(codes, minlength=len(classes))
    tiny = counts < n_folds
    if not tiny.any():
        return X, codes, classes, []
    keep = ~tiny[codes]
    if (~tiny).sum() < 2 or 2 * keep.sum() < len(codes):
        if np.sort(counts)[-2] >= 2 and counts.max() < n_folds:
            raise InputError(
                f"no class has {n_folds} rows, one for each fold; the largest has "
                f"{counts.max()}",
                "n_folds",
            )
        raise InputError(
            f"the target has {len(classes)} classes, and {tiny.sum()} of them have "
            f"fewer than {n_folds} rows; is it a number or a name?",
            "target",
        )
    renumber = np.cumsum(~tiny) - 1
    note = (
        f"dropped {(~keep).sum()} rows of {tiny.sum()} classes with fewer than "
        f"{n_folds} rows: {listed(classes[tiny], 4)}"
    )
    X = X[keep].reset_index(drop=True)
    return X, renumber[codes[keep]], classes[~tiny], [note]


def _take_sample(problem, max_rows, n_folds, seed):
    """Let a random part of the rows take part when there are too many."""
    strata = None if problem.classes is None else problem.y
    keep, notes = _sample(len(problem.X), strata, problem.bags, max_rows, n_folds, seed)
    problem.notes += notes
    problem.X = problem.X.iloc[keep].reset_index(drop=True)
    for name in ("y", "truth", "bags"):
        values = getattr(problem, name)
        setattr(problem, name, None if values is None else values[keep])


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


def _hide_rows(problem, scoring):
    """Train on the means of bags; score single rows where their labels are known."""
    numbers, groups = problem.y, problem.bags
    sizes = np.bincount(groups)
    means = (np.bincount(groups, weights=numbers) / np.maximum(sizes, 1))[groups]
    if np.abs(means - numbers).max() <= 1e-9 * max(1.0, np.abs(numbers).max()):
        return
    problem.y = means
    problem.scores = scores_for(problem.task, scoring, rows_known=True)
    problem.notes.append(
        "labels differ within bags: models were trained on bag means only and scored "
        "on the single rows"
    )


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
    # Consecutive seeds must not share repeats: another seed is another experiment.
    for own in np.random.RandomState(seed).randint(2**31 - 1, size=n_repeats):
        splitter = _splitter(problem.is_classification, problem.bags, n_folds, own)
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
    with warnings.catch_warnings():
        # Classes with fewer rows than folds: some folds do without, for every model.
        warnings.simplefilter("ignore", UserWarning)
        return list(splitter.split(np.zeros(len(train)), y, bags))


def _splitter(stratify, bags, n_folds, seed):
    if bags is not None:
        return GroupKFold(n_folds, shuffle=True, random_state=seed)
    kind = StratifiedKFold if stratify else KFold
    return kind(n_folds, shuffle=True, random_state=seed)
