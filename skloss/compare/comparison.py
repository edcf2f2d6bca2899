"""The comparison of models on one table."""

import json
import numbers
from pathlib import Path

import numpy as np
from sklearn.base import clone

from skloss.compare.errors import InputError
from skloss.compare.features import prepare
from skloss.compare.models import select_models
from skloss.compare.problem import make_problem
from skloss.compare.progress import shown_progress
from skloss.compare.protocol import run_protocol
from skloss.compare.results import (
    best_of,
    difference_table,
    score_table,
    status_of,
)
from skloss.compare.trials import _bag_argument, configure
from skloss.compare.words import answer

__all__ = ["Comparison", "compare"]

# Seeds of splits are this one and the numbers after it.
_LARGEST_SEED = 2**31


def compare(
    X,
    y=None,
    *,
    task="auto",
    estimators=None,
    baselines=None,
    bags=None,
    order=None,
    scoring=None,
    n_repeats=5,
    n_folds=2,
    time_budget=60,
    max_rows=20_000,
    random_state=0,
    n_jobs=None,
    verbose=1,
    name="your table",
):
    """Compare estimators with scikit-learn's own on a table, on equal terms.

    Every model is tuned by the same inner search, with the same folds, score and share
    of the time, inside each training part of repeated random splits, and scored on the
    same test parts. Each of ours is then tested against the best built-in model by
    Nadeau and Bengio's corrected t-test with Holm's adjustment.

    Parameters
    ----------
    X : array-like or dataframe of shape (n_samples, n_columns)
        Any table: numbers, texts, categories, dates, missing values.
    y : array-like of shape (n_samples,), default=None
        Target; None to look for clusters. Rows without a target are left out.
    task : {"auto", "classification", "ordinal", "regression", "sparse", \
"aggregate", "clustering"}, default="auto"
        "auto" infers the task: bags mean aggregate; an ordered category or ``order``
        means ordinal; texts or fewer than 20 distinct values mean classification; no
        target means clustering; other numbers mean regression.
    estimators : str, estimator, list or dict, default=None
        Our side: names of registered estimators, "module:Class", estimators, or
        (estimator, grid) pairs; a dict names them. All registered estimators of
        skloss for the task by default. Estimators receive encoded, standardised
        columns; a pipeline standardises for itself, and one that selects columns or
        uses skrub receives the raw table.
    baselines : str, estimator, list or dict, default=None
        The other side, in the same forms. The built-in rivals by default.
    bags : array-like of shape (n_samples,), default=None
        Bag of each row, for labels that are known for bags only.
    order : list, default=None
        Classes from low to high, for the ordinal task.
    scoring : str, default=None
        Score that decides; by default the task's proper score. Any name of a scorer
        in scikit-learn is allowed.
    n_repeats : int, default=5
        Times the rows are split anew.
    n_folds : int, default=2
        Parts of each splitting; every part is the test part once.
    time_budget : float, default=60
        Seconds for everything. Slow models try fewer candidates or splits, and say so.
    max_rows : int, default=20_000
        Larger tables are sampled.
    random_state : int, default=0
        Seed of everything; the same seed gives the same scores.
    n_jobs : int, default=None
        Processes for the inner searches; changes speed only.
    verbose : int, default=1
        1 shows progress in a terminal; 0 shows nothing.
    name : str, default="your table"
        Name of the data in tables.

    Returns
    -------
    Comparison
        Tables, figures, the winner fitted on all rows, and the report.

    Raises
    ------
    InputError
        A ValueError that names the argument at fault.

    References
    ----------
    Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52,
    2003. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skloss.compare import compare
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> result = compare(
    ...     X, y, estimators=DecisionTreeClassifier(max_depth=2),
    ...     baselines=["GaussianNB", "DummyClassifier"], verbose=0,
    ... )
    >>> result.winner
    'GaussianNB'
    """
    settings = {
        "n_repeats": n_repeats,
        "n_folds": n_folds,
        "time_budget": time_budget,
        "max_rows": max_rows,
        "random_state": random_state,
        "n_jobs": n_jobs,
    }
    _check_settings(settings)
    problem = make_problem(
        X,
        y,
        task=task,
        bags=bags,
        order=order,
        scoring=scoring,
        max_rows=max_rows,
        n_folds=n_folds,
        seed=random_state,
        name=name,
    )
    n_train = len(problem.X) * (n_folds - 1) // n_folds
    models = select_models(problem, estimators, baselines, n_train=n_train)
    with shown_progress(verbose, name) as progress:
        run = run_protocol(
            problem,
            models,
            n_repeats=n_repeats,
            n_folds=n_folds,
            time_budget=time_budget,
            seed=random_state,
            n_jobs=n_jobs,
            progress=progress,
        )
    return Comparison(problem, run, settings)


def _check_settings(settings):
    """Refuse numbers that make no sense, each by its name."""
    least = {"n_repeats": 1, "n_folds": 2, "max_rows": 20, "random_state": 0}
    for name, lowest in least.items():
        if not _is_whole(settings[name]) or settings[name] < lowest:
            raise InputError(
                f"{name} must be a whole number of at least {lowest}, "
                f"got {settings[name]!r}",
                name,
            )
    if settings["random_state"] > _LARGEST_SEED:
        raise InputError(
            f"random_state must be at most {_LARGEST_SEED}, "
            f"got {settings['random_state']}",
            "random_state",
        )
    n_jobs, seconds = settings["n_jobs"], settings["time_budget"]
    if n_jobs is not None and not (_is_whole(n_jobs) and n_jobs):
        raise InputError(
            f"n_jobs must be a whole number other than 0, or None, got {n_jobs!r}",
            "n_jobs",
        )
    if not isinstance(seconds, numbers.Real) or not seconds > 0:
        raise InputError(
            f"time_budget must be a positive number of seconds, got {seconds!r}",
            "time_budget",
        )


def _is_whole(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


class Comparison:
    """What :func:`compare` found, which makes it; users need not.

    Parameters
    ----------
    problem : Problem
        The cleaned table, its target and its task.
    run : Run
        What every model did on every split.
    settings : dict
        Arguments of :func:`compare` that a rerun needs.
    source : dict, default=None
        Where the data came from: ``file`` with ``target`` and ``bags``, or ``dataset``,
        and the ``command`` that made the run.
    notes : sequence of str, default=()
        Remarks on reading the data.

    Attributes
    ----------
    task : str
        Task that was compared.
    task_reason : str
        Why this task.
    name : str
        Name of the data.
    notes : list of str
        What was changed or left out in the table.
    complete : bool
        Whether every model that takes part finished all splits.
    interrupted : bool
        Whether Ctrl-C ended the run.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skloss.compare import compare
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> result = compare(
    ...     X, y, estimators="LinearDiscriminantAnalysis", n_repeats=2, verbose=0
    ... )
    >>> result.to_frame()["model"].tolist()
    ['LinearDiscriminantAnalysis', 'DummyClassifier']
    >>> result.best_estimator_.predict(X.head(3))
    array([0, 0, 0])
    """

    def __init__(self, problem, run, settings, source=None, notes=()):
        self._problem, self._run, self._settings = problem, run, settings
        self._source = source or {}
        self._frame = None
        self._best = None
        self.task, self.task_reason = problem.task, problem.reason
        self.name, self.notes = problem.name, [*notes, *problem.notes]

    @property
    def interrupted(self):
        """Whether Ctrl-C ended the run."""
        return self._run.interrupted

    @property
    def complete(self):
        """Whether every model that takes part finished all splits."""
        return not self.unfinished()

    @property
    def failed(self):
        """Whether a model that takes part failed, or has no result in the time.

        One that is too slow for the time allowed is left out, and takes no part unless
        nobody else does.
        """
        taking_part = [
            record
            for record in self._run.records
            if not (record.model.problem or record.stopped).startswith("left out")
        ]
        return not taking_part or any(
            record.error or record.model.problem or not record.tuned
            for record in taking_part
        )

    def unfinished(self):
        """List models that failed or ran out of time, with the reason.

        Returns
        -------
        dict of str to str
            Name of the model to its status.
        """
        n_splits = len(self._run.splits)
        return {
            record.model.name: status_of(record, n_splits)
            for record in self._run.records
            if not record.model.problem.startswith("left out")
            and (record.error or record.model.problem or len(record.tuned) < n_splits)
        }

    def to_frame(self):
        """Show one row per model, best first.

        Returns
        -------
        DataFrame
            ``data``, ``task``, ``model``, ``side`` ("ours", "built-in", "dummy"),
            ``metric`` (the deciding score), ``n_splits``, ``params`` (most often
            chosen), ``score`` with ``low`` and ``high`` (95 % interval),
            ``default_score`` (untuned), the task's other scores, ``fit_seconds``,
            ``predict_seconds`` (medians), ``fit_ratio``, ``predict_ratio`` (to the
            fastest built-in model), ``compile_seconds``, ``peak_memory_mib``,
            ``size`` with ``size_unit``, ``certificate``, ``verdict``, ``status``.
        """
        if self._frame is None:
            self._frame = score_table(self._run, self._problem)
        return self._frame.copy()

    def pairs(self, score=None):
        """Test each of ours against the best built-in model.

        Parameters
        ----------
        score : str, default=None
            Column of :meth:`to_frame`; the deciding score by default.

        Returns
        -------
        DataFrame
            ``model``, ``against``, ``metric``, ``gain`` (positive when the model is
            better, in units of the score) with ``low`` and ``high`` (95 % interval),
            ``p_value`` (corrected t-test), ``p_holm`` (adjusted for the number of
            models), ``n_splits``, ``verdict``.

        Raises
        ------
        InputError
            When the score is none of the task's.
        """
        scores = {s.key: s for s in self._problem.scores}
        if score is not None and score not in scores:
            raise InputError(
                f"unknown score {score!r}; choose from {', '.join(scores)}", "score"
            )
        return difference_table(self._run, self._problem, scores.get(score))

    @property
    def winner(self):
        """Name of the model with the best mean score, or None."""
        record = self._winning_record()
        return None if record is None else record.model.name

    def _winning_record(self):
        sides = {"ours", "built-in"}
        score = self._problem.scores[0]
        return best_of(self._run, score, sides) or best_of(self._run, score, {"dummy"})

    @property
    def answer(self):
        """What was found, in two sentences."""
        return answer(self._run, self._problem)

    @property
    def best_estimator_(self):
        """The winner with its most often chosen parameters, fitted on all rows.

        A pipeline from the raw table; fitted on first use. Ordered classes are
        predicted as codes from low (0) to high.
        """
        if self._best is None:
            self._best = self._fit_winner()
        return self._best

    def _fit_winner(self):
        record, problem = self._winning_record(), self._problem
        if record is None:
            raise InputError("no model finished, so there is none to fit", "estimators")
        seed = self._settings["random_state"]
        model = configure(record.model.estimator, record.most_chosen(), seed)
        pipeline = prepare(clone(model), problem.X_all, scale=record.model.scale)
        if problem.task == "clustering":
            return pipeline.fit(problem.X_all)
        y, extra = problem.y_all, {}
        if problem.bags_all is not None:
            sizes = np.bincount(problem.bags_all)
            y = (np.bincount(problem.bags_all, weights=y) / sizes)[problem.bags_all]
            argument = _bag_argument(pipeline)
            extra = {} if argument is None else {argument: problem.bags_all}
        return pipeline.fit(problem.X_all, y, **extra)

    def plot(self):
        """Draw scores with intervals, and score against fit time.

        Returns
        -------
        matplotlib Figure
            With two axes; not registered with pyplot.
        """
        from skloss.compare.figures import overview

        return overview(self)

    def to_html(self, path):
        """Write the report: one file that needs nothing else.

        Parameters
        ----------
        path : path-like
            File to write; an existing one is replaced.

        Returns
        -------
        Path
            The file.
        """
        from skloss.compare.report import write_report

        return write_report(path, [self])

    def to_json(self, path=None):
        """Write all tables and settings as JSON.

        Parameters
        ----------
        path : path-like, default=None
            File to write; None only returns the text.

        Returns
        -------
        str
            The text.
        """
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def to_dict(self):
        """Collect all tables and settings in plain Python values.

        Returns
        -------
        dict
            What :meth:`to_json` writes.
        """
        problem = self._problem
        return {
            "data": self.name,
            "task": self.task,
            "task_reason": self.task_reason,
            "n_rows": len(problem.X),
            "n_columns": problem.X.shape[1],
            "notes": self.notes,
            "settings": self._settings,
            "answer": self.answer,
            "winner": self.winner,
            "complete": self.complete,
            "interrupted": self.interrupted,
            "seconds": round(self._run.seconds, 3),
            "models": _records(self.to_frame()),
            "pairs": _records(self.pairs()),
        }

    def __repr__(self):
        return f"<Comparison of {len(self._run.records)} models: {self.answer}>"

    def _repr_html_(self):
        from skloss.compare.report import html_fragment

        return html_fragment(self)


def _records(frame):
    """Rows of a frame with None for missing values, as JSON wants it."""
    return [
        {
            key: None if isinstance(value, float) and not np.isfinite(value) else value
            for key, value in row.items()
        }
        for row in frame.to_dict("records")
    ]
