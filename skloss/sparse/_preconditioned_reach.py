"""How far down a path of strengths has to go."""

import math

import numpy as np

__all__ = ["FIRST_EPS", "go_on", "held_out_errors"]

FIRST_EPS = 1e-3  # smallest strength of the first path, as a share of the largest
_LAST_EPS = 1e-6  # of the longest one
_BLOCK = 0.3  # smallest of the next strengths, as a share of the smallest so far
_RISEN = 1.1  # times the least error: beyond, a path has left its minimum behind
_FITTED = 1e-3  # share of the target's mean square below which nothing is left to fit
_SPENT = 0.01  # share of the residuals' mean square that all columns together may take
_PASSES = 50  # over X for a strength; more of them would only fight rounding


def go_on(design, target, alphas, solutions, *, tol, max_iter):
    """Go on with paths until held-out errors have a minimum inside, if that is lower.

    Where columns nearly cancel, paths may stand still for decades of strengths, with
    all that is easily predicted in the model, before there is room for the rest. So
    what is looked at is not whether the error has stopped falling, but whether it has
    clearly risen, or residuals cannot get smaller. What is found there counts if it is
    better by more than a standard error of the difference.

    Parameters
    ----------
    design : L1Design
        Whose `path` gave the solutions.
    target : Target
        What is predicted.
    alphas : ndarray of shape (n_alphas,)
        Strengths, falling.
    solutions : list of list of PathSolution
        Of all rows, then of each fold.
    tol : float
        Largest duality gap, as a share of the mean square of the target.
    max_iter : int
        Largest number of passes over the design for each strength.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,) or (n_more,)
        The same strengths, perhaps with smaller ones.
    solutions : list of list of PathSolution
        Of these. Strengths whose solutions miss the tolerance are not among them.
    """
    first = alphas, solutions
    options = {"tol": tol, "max_iter": min(max_iter, _PASSES), "report": _missed}
    step = alphas[1] / alphas[0]
    n_steps = max(1, round(math.log(_BLOCK) / math.log(step)))
    steps = step ** np.arange(1, n_steps + 1)
    last = _LAST_EPS * alphas[0]
    while alphas[-1] > last and _may_gain(design, target, alphas, solutions):
        more = alphas[-1] * steps
        # Far from where it starts the solver is slow: the whole path leads there.
        found = design.solve(np.append(alphas, more), **options)
        n_more = min(sum(f.converged for f in path[alphas.size :]) for path in found)
        if n_more:
            alphas = np.append(alphas, more[:n_more])
            solutions = [path[: alphas.size] for path in found]
        if n_more < more.size:
            break
    better = _is_better(held_out_errors(solutions), first[0].size)
    return (alphas, solutions) if better else first


def held_out_errors(solutions):
    """Errors (n_alphas, n_folds) on the scored rows of all tasks but the first."""
    return np.array([[fit.scored_error for fit in path] for path in solutions[1:]]).T


def _is_better(errors, n_first):
    """Whether the best of the later strengths clearly beats that of the first ones."""
    mean = errors.mean(axis=1)
    if mean.size == n_first:
        return False
    old = int(mean[:n_first].argmin())
    new = n_first + int(mean[n_first:].argmin())
    gains = errors[old] - errors[new]
    spread = gains.std(ddof=1) / math.sqrt(gains.size) if gains.size > 1 else 0.0
    return bool(gains.mean() > spread)


def _missed(number, solved):
    """Stop a path at a solution that missed the tolerance."""
    return not solved[-1].converged


def _may_gain(design, target, alphas, solutions):
    """Whether a smaller strength could predict better, as far as one can know."""
    errors = held_out_errors(solutions).mean(axis=1)
    if errors[-1] > _RISEN * errors.min():
        return False
    fit = solutions[0][-1]
    lengths = design.penalty[fit.support] @ np.abs(fit.values)
    left = 2.0 * (fit.objective - alphas[-1] * lengths)
    if left <= _FITTED * float(target.weight @ np.square(target.y)):
        return False
    return design.possible_gain(fit) > _SPENT * left
