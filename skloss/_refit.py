"""A failed fit leaves the estimator as it was."""

import contextlib

__all__ = ["unchanged_if_it_fails"]


@contextlib.contextmanager
def unchanged_if_it_fails(estimator):
    """Context that undoes what a failed or interrupted fit did to an estimator.

    Parameters
    ----------
    estimator : estimator
        The estimator being fitted.

    Yields
    ------
    None
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        # Private attributes may belong to scikit-learn's callbacks, which are torn
        # down later.
        for name in vars(estimator).keys() - before.keys():
            if not name.startswith("_"):
                delattr(estimator, name)
        vars(estimator).update(before)
        raise
