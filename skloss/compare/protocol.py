"""Fair play: every model meets the same splits, folds, scores and share of time.

The order of work makes a shortened run as good as it can be. First every model is
fitted once as it comes, which shows what a fit costs. From that a plan is made: how
many candidates of each grid can be tried within the model's share of the time, the same
number on every split. Then all models go through the splits side by side.
"""

import time
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from skloss.compare.budget import (
    Clock,
    OutOfTime,
    affordable_candidates,
    extrapolate,
    search_seconds,
    shares,
    time_limit,
)
from skloss.compare.costs import (
    certificate_of,
    is_scikit_learn,
    made_by,
    peak_memory,
    size_of,
)
from skloss.compare.errors import first_line
from skloss.compare.problem import outer_splits
from skloss.compare.records import FEW_SPLITS, Record, Run
from skloss.compare.trials import Rows, Split, try_model
from skloss.compare.tuning import best_candidate, start_processes
from skloss.compare.units import seconds as seconds_in_words

__all__ = ["run_protocol"]

# Differences between a first and a second fit below this, in seconds, are noise.
_NOISE = 0.02
_LARGE = 2_000
# Tables with fewer numbers run on one thread: on them, threads of BLAS and OpenMP wait
# for each other longer than they work, by factors of up to 100 on busy cores.
_THREADED = 1_000_000
# Part of the time kept back for what the plan cannot foresee, and by how much others'
# needs are overestimated before a slow model is let on.
_RESERVE = 0.2
_MARGIN = 1.25


def run_protocol(
    problem,
    models,
    *,
    n_repeats=5,
    n_folds=2,
    time_budget=60.0,
    seed=0,
    n_jobs=None,
    progress=None,
    splits=None,
):
    """Let models compete on one problem.

    Parameters
    ----------
    problem : Problem
    models : list of Model
    n_repeats, n_folds : int
    time_budget : float
        Seconds.
    seed : int
    n_jobs : int, default=None
        Processes for the inner searches.
    progress : callable, default=None
        Called with (done, total, name of the model) before each piece of work.
    splits : list of (ndarray, ndarray), default=None
        Row numbers to use instead of the seeded splits.

    Returns
    -------
    Run
        Complete, or what was finished when time ran out or Ctrl-C was pressed.
    """
    clock = Clock(time_budget)
    if splits is None:
        splits = outer_splits(problem, n_repeats, n_folds, seed)
    run = Run([Record(model) for model in models], splits)
    work = _Work(problem, run, clock, seed, n_jobs, n_folds, progress)
    run.one_thread = problem.X.size < _THREADED
    try:
        with threadpool_limits(1 if run.one_thread else None):
            work.first_look()
            work.plan()
            work.all_splits()
            work.memory()
    except KeyboardInterrupt:
        run.interrupted = True
    except OutOfTime:
        run.out_of_time = True
    for record in run.records:
        if record.active and len(record.tuned) < len(splits):
            record.stopped = "interrupted" if run.interrupted else "out of time"
    work.keep_first_looks()
    run.seconds, run.compiling = clock.spent, clock.compiling
    return run


class _Work:
    """State of a run in progress."""

    def __init__(self, problem, run, clock, seed, n_jobs, n_folds, progress):
        self.problem, self.run, self.clock = problem, run, clock
        self.seed, self.n_jobs, self.n_folds = seed, n_jobs, n_folds
        self.progress = progress or (lambda done, total, name: None)
        self.first, self.trials = None, {}
        # Seconds that all models share: encoding a split, imputing and scaling it.
        self.split_seconds = self.preparing = 0.0

    def active(self):
        return [record for record in self.run.records if record.active]

    def split(self, number):
        """Split with its encoded matrices; the first is kept."""
        if number == 0 and self.first is not None:
            return self.first
        start = time.perf_counter()
        with time_limit(self.clock.left):
            split = Split(self.problem, *self.run.splits[number], self.seed + number)
        self.split_seconds = time.perf_counter() - start
        if number == 0:
            self.first = split
        return split

    def guarded(self, record, seconds, action):
        """Run an action of one model; its failure is the model's alone."""
        try:
            with time_limit(min(seconds, self.clock.left)):
                return action()
        except OutOfTime:
            record.stopped = "out of time"
        except (Exception, SystemExit) as error:
            record.error = first_line(error)
        return None

    def first_look(self):
        """Fit every model once as it comes, the cheap ones first."""
        self.progress(0, 1, "reading the table")
        split = self.split(0)
        start_processes(self.n_jobs)
        for record in self.active():
            self.guarded(record, self.clock.left / 10, partial(self._guess, record))
        # Hopeless ones leave first, the worst before the others, which then have more.
        for record in sorted(self.active(), key=lambda r: r.cost, reverse=True):
            self._affordable(record, self._first_share(len(self.active())))
        # Strangers come last among equals, because they may ignore their limit.
        strange = {
            id(record): not made_by(record.model.estimator, "sklearn", "skloss")
            for record in self.active()
        }
        waiting = sorted(self.active(), key=lambda r: (r.cost, strange[id(r)]))
        for position, record in enumerate(waiting):
            self.progress(position, len(waiting), record.model.name)
            # Being last is no reason to hang for all the time that is left.
            unknown = strange[id(record)] and not record.cost
            share = self._first_share(len(waiting) - position * (not unknown))
            self.guarded(record, share, partial(self._look, record, split, share))

    def _first_share(self, n_waiting):
        """Part of the time for a first fit, after what known models will need."""
        n_splits = len(self.run.splits)
        known = sum(r.cost for r in self.active() if id(r) in self.trials)
        left = self.clock.left - n_splits * (known + self.split_seconds)
        # At worst an equal part of all that is left, so that nobody gets nothing.
        return max(left / n_waiting, self.clock.left / (n_waiting + len(self.trials)))

    def _affordable(self, record, share):
        """Leave out a model that cannot finish enough splits for a test."""
        enough = min(FEW_SPLITS, len(self.run.splits))
        if enough * record.cost <= share:
            return True
        if self.clock.left <= 0:
            raise OutOfTime
        took = seconds_in_words(record.cost)
        record.stopped = f"left out: one fit takes about {took}, too long for its share"
        return False

    def _look(self, record, split, share):
        start = time.perf_counter()
        model, rows = record.model, split.rows(record.model)
        self.preparing += time.perf_counter() - start
        builtin = is_scikit_learn(model.estimator)
        compiling = self.clock.compiling
        trial = again = self._trial(record, {}, rows)
        compiling = self.clock.compiling - compiling
        net = max(0.0, _seconds(trial) - compiling)
        self.trials[id(record)], record.cost, extra = trial, net, compiling
        # The first fit of a process also pays for compiling, imports and cold caches,
        # and a plan made from it would cut searches that there is time for.
        ours = not builtin and made_by(model.estimator, "sklearn", "skloss")
        if ours or (4 * net < share if builtin else 2 * net < self.clock.left):
            again = self._trial(record, {}, rows)
            extra = trial.fit_seconds - again.fit_seconds
        record.compile_seconds = extra if compiling or extra > _NOISE else 0.0
        if builtin:
            record.compile_seconds = 0.0
        record.cost = min(net, _seconds(again))
        self.trials[id(record)] = again

    def _guess(self, record):
        """Extrapolate the cost of a fit from few rows; 0 for small tables.

        A fit inside compiled code cannot be interrupted, so a hopeless one must not be
        started.
        """
        rows = self.first.rows(record.model)
        count = len(rows.X_test if rows.y is None else rows.y)
        if count <= _LARGE:
            return
        times = []
        for size in (_LARGE // 8, _LARGE // 4, _LARGE // 2):
            compiling, start = self.clock.compiling, time.perf_counter()
            try:
                self._trial(record, {}, _subset(rows, size, self.seed))
            except Exception:
                return  # a real fault shows up on all rows
            compiled = self.clock.compiling - compiling
            times.append(time.perf_counter() - start - compiled)
        # The smallest fit only warms up.
        record.cost = extrapolate(times[1:], count / (_LARGE // 2))

    def _trial(self, record, params, rows):
        trial = try_model(self.problem, record.model, params, rows, self.seed)
        record.warnings.update(trial.warnings)
        return trial

    def plan(self):
        """Candidates that fit into each model's share, the same on every split."""
        n_splits, n_inner = len(self.run.splits), len(self.first.folds)
        common = self.split_seconds + self.preparing * (1 + n_inner)
        total = max(0.0, self.clock.left - common * n_splits) * (1 - _RESERVE)
        cost_of = partial(search_seconds, n_splits=n_splits, n_inner=n_inner)
        # The most expensive one goes first, which leaves more for the others.
        for record in sorted(self.active(), key=lambda r: r.cost, reverse=True):
            granted = self._divide(total, cost_of)
            self._affordable(record, granted[id(record)])
        granted = self._divide(total, cost_of)
        for record in self.active():
            record.n_candidates = affordable_candidates(
                record.cost,
                granted[id(record)],
                n_splits=n_splits,
                n_inner=n_inner,
                n_candidates=len(record.model.candidates),
            )
            searched = cost_of(record.cost, n=record.n_candidates)
            record.predicted = searched / n_splits

    def _divide(self, total, cost_of):
        """Share of each active model by its identity."""
        active = self.active()
        needs = [cost_of(r.cost, n=len(r.model.candidates)) for r in active]
        return {id(r): share for r, share in zip(active, shares(needs, total))}

    def all_splits(self):
        """Let all models go through the splits side by side."""
        n_splits = len(self.run.splits)
        for number in range(n_splits):
            if not self.active():
                return
            if self.clock.left <= 0:
                raise OutOfTime
            split = self.split(number)
            # Cheap models first: when time ends early, only expensive ones lose.
            waiting = sorted(self.active(), key=self._expected)
            for position, record in enumerate(waiting):
                done = number * len(waiting) + position
                self.progress(done, n_splits * len(waiting), record.model.name)
                limit = self._limit(record, n_splits - number)
                self._shorten(record, limit, number, n_splits)
                if number and self._expected(record) > limit:
                    record.stopped = "out of time"
                    continue
                start = time.perf_counter()
                self.guarded(record, limit, partial(self._cell, record, split, number))
                record.cell_seconds.append(time.perf_counter() - start)

    def _shorten(self, record, limit, number, n_splits):
        """Search fewer candidates from now on rather than lose splits later."""
        while (
            number
            and record.n_candidates > 1
            and self._expected(record) * (n_splits - number) > limit
        ):
            cost = partial(
                search_seconds, 1.0, n_splits=1, n_inner=len(self.first.folds)
            )
            before, fewer = record.n_candidates, record.n_candidates // 2
            record.predicted = self._expected(record) * cost(n=fewer) / cost(n=before)
            record.n_candidates = fewer if fewer > 1 else 0
            record.cell_seconds, record.shortened = [], number

    def _expected(self, record):
        """Seconds that one more split of a model will take."""
        seen = record.cell_seconds
        return float(np.median(seen)) if seen else record.predicted

    def _limit(self, record, splits_left):
        """Most seconds a model may take now without using up the others' shares."""
        active = self.active()
        needs = [
            np.inf if other is record else _MARGIN * self._expected(other) * splits_left
            for other in active
        ]
        encoding = self.split_seconds * (splits_left - 1)
        return shares(needs, max(0.0, self.clock.left - encoding))[
            next(i for i, other in enumerate(active) if other is record)
        ]

    def _cell(self, record, split, number):
        """Default and tuned fit of one model on one split."""
        model, rows = record.model, split.rows(record.model)
        default = self.trials.pop(id(record), None) if number == 0 else None
        if default is None:
            default = self._trial(record, {}, rows)
        params, tuned = {}, default
        if record.n_candidates > 1:
            candidates = model.candidates[: record.n_candidates]
            best, faults = best_candidate(
                self.problem, model, candidates, split, self.seed, self.n_jobs
            )
            record.faults |= faults
            if best:
                params = candidates[best]
                tuned = self._trial(record, params, rows)
        self._note(record, number, params, default, tuned)

    def keep_first_looks(self):
        """Let fits that were made before time ran out count as the first split."""
        for record in self.run.records:
            trial = self.trials.get(id(record))
            if trial is None or record.tuned or not record.stopped:
                continue
            if not record.stopped.startswith("left out"):
                self._note(record, 0, {}, trial, trial)

    def _note(self, record, number, params, default, tuned):
        """Keep what is needed of the fits on one split."""
        scores = self.problem.scores
        record.default[number] = {s.key: s(default.outcome) for s in scores}
        record.tuned[number] = (
            record.default[number]
            if tuned is default
            else {s.key: s(tuned.outcome) for s in scores}
        )
        record.chosen[number] = params
        record.fit_seconds[number] = tuned.fit_seconds
        record.predict_seconds[number] = tuned.predict_seconds
        record.unconverged += not tuned.converged
        size, record.size_unit = size_of(tuned.estimator)
        record.sizes += [] if size is None else [size]
        record.certificate = certificate_of(tuned.estimator)
        if number < self.n_folds:
            record.outcomes[number] = tuned.outcome

    def memory(self):
        """Peak memory of one fit, where the time is left."""
        for record in self.active():
            usual = float(np.median(list(record.fit_seconds.values())))
            if 6 * usual > self.clock.left / max(1, len(self.active())):
                continue
            rows = self.first.rows(record.model)
            params = record.most_chosen()
            # A failure here would have shown before; the scores stand either way.
            try:
                with time_limit(self.clock.left):
                    record.peak_memory = peak_memory(
                        partial(
                            try_model,
                            self.problem,
                            record.model,
                            params,
                            rows,
                            self.seed,
                        )
                    )
            except OutOfTime:
                return
            except Exception:
                record.peak_memory = np.nan


def _seconds(trial):
    return trial.fit_seconds + float(np.nan_to_num(trial.predict_seconds))


def _subset(rows, size, seed):
    """Draw some training rows, which also serve as test rows."""
    matrix = rows.X_test if rows.y is None else rows.X
    count = matrix.shape[0]
    chosen = np.sort(np.random.RandomState(seed).permutation(count)[:size])
    X = matrix.iloc[chosen] if hasattr(matrix, "iloc") else matrix[chosen]
    y = None if rows.y is None else rows.y[chosen]
    bags = None if rows.bags is None else rows.bags[chosen]
    return Rows(X, y, bags, X, y, bags, None)
