"""The line search of Newton's methods."""

__all__ = ["backtrack"]

_ARMIJO = 1e-4
_HALVINGS = 40


def backtrack(point, direction, objective, decrease, penalty=None):
    """Take the longest of the steps 1, 1/2, 1/4... that decreases the objective enough.

    Parameters
    ----------
    point : LinearPoint or alike
        Where; with `x` and ``along(direction)``, see `skloss.solvers.LinearProblem`.
    direction : ndarray of shape (size,)
        Direction.
    objective : float
        Objective at the point; infinite values elsewhere are steps too long.
    decrease : float
        What the model promises of a full step, at most 0.
    penalty : callable, default=None
        ``penalty(x)`` is added to the point's own loss.

    Returns
    -------
    point
        The new one; None if rounding hides every decrease.
    length : float
        Length of the last step tried.
    """
    loss_at, point_at = point.along(direction)
    slack = 1e-15 * abs(objective)  # rounding of the objective itself
    length = 1.0
    for _ in range(_HALVINGS):
        value = loss_at(length)
        if penalty is not None:
            value += penalty(point.x + length * direction)
        if value <= objective + _ARMIJO * length * decrease + slack:
            return point_at(length), length
        length /= 2
    return None, length
