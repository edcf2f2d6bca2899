"""Sums over rows that are elsewhere: chunks of dask arrays, blocks given to workers."""

import copy
import itertools

from joblib import Parallel, delayed

from skloss.random_features._data import (
    Data,
    checked_rows,
    dask_array,
    read_data,
)
from skloss.random_features._fitting import How, shifts_of, summed
from skloss.random_features._sums import RidgeSums

__all__ = [
    "in_block",
    "is_empty",
    "merged_blocks",
    "numbered",
    "opened",
    "summed_chunks",
]


def summed_chunks(data, how):
    """Sum over the chunks of a dask array, each where the scheduler wants it.

    What goes to the workers is a seed and the options, what comes back are sums;
    features never travel.

    Parameters
    ----------
    data : Data
        Rows.
    how : How
        Features, and the precision.

    Returns
    -------
    RidgeSums or None
        None if the rows are no dask array.
    """
    array = dask_array(data.blocks)
    if array is None:
        return None
    import dask

    array = array.rechunk({1: -1})
    points = shifts_of(data, how)
    how = how._replace(progress=None)
    parts, start = [], 0
    for chunk, n_rows in zip(array.to_delayed().ravel(), array.chunks[0]):
        rows = slice(start, start + n_rows)
        weight = None if data.weight is None else data.weight[rows]
        part = dask.delayed(_sums_of_chunk)(chunk, data.Y[rows], weight, how, points)
        parts.append(part)
        start += n_rows
    while len(parts) > 1:  # by pairs: no worker gets the sums of all
        pairs = itertools.zip_longest(parts[::2], parts[1::2])
        parts = [a if b is None else dask.delayed(_merged)(a, b) for a, b in pairs]
    return dask.compute(parts[0])[0]


def _sums_of_chunk(X, Y, weight, how, points):
    """Sum over the rows of a chunk, on a worker."""
    sums = RidgeSums(*points)
    if not len(Y):
        return sums
    data = Data(checked_rows(X), Y, weight, is_single=False)
    return summed(data, how, sums)


def _merged(one, other):
    total = one.copy()  # inputs of a task belong to the scheduler
    total.merge(other)
    return total


def merged_blocks(model, blocks, sums, n_jobs, report):
    """Add blocks of rows to sums, by the workers of joblib's active backend.

    Parameters
    ----------
    model : RandomFeatureRidge
        Fitted to a first block.
    blocks : iterable of (int, block)
        Numbers of blocks, and functions that return ``(X, y)`` or
        ``(X, y, sample_weight)``, or such tuples.
    sums : RidgeSums
        Changed in place, in the order of the blocks.
    n_jobs : int or None
        Workers; None is 1, or what joblib's context says.
    report : callable
        ``report(number)`` is called after each block.
    """
    light = copy.copy(model)
    light._sums = light._solved = None  # they need not travel
    points = sums.shift, sums.y_shift
    work = Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="n_jobs")
    tasks = (delayed(_sums_of_block)(light, *block, points) for block in blocks)
    for number, part in work(tasks):
        if part is not None:
            sums.merge(part)
        report(number)


def _sums_of_block(model, number, block, points):
    """Return the number of a block and sums over its rows; None if it has none."""
    X, y, weight = opened(block)
    if is_empty(X):
        return number, None
    try:
        data = read_data(model, X, y, weight, reset=False, allow_all_zero=True)
        model._check_targets(data, points[1].size)
        how = How.of(model, model._machine.map, data, None, is_stream=True)
        return number, summed(data, how, RidgeSums(*points))
    except (TypeError, ValueError) as error:
        raise in_block(number, error) from error


def numbered(blocks):
    """Go through numbered blocks; unlike `enumerate`, keep none but the last."""
    blocks, end = iter(blocks), object()
    for number in itertools.count():
        block = next(blocks, end)
        if block is end:
            return
        yield number, block


def in_block(number, error):
    """Return an error that says in which block it occurred."""
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"Block {number}: {error}")


def is_empty(X):
    """Tell whether there are no rows."""
    return (X.shape[0] if hasattr(X, "shape") else len(X)) == 0


def opened(block):
    """Rows, targets and weights of a block.

    Parameters
    ----------
    block : callable or tuple
        ``(X, y)`` or ``(X, y, sample_weight)``, or a function that returns it.

    Returns
    -------
    tuple
        Of three.

    Raises
    ------
    ValueError
        If it is something else.
    """
    block = block() if callable(block) else block
    if not isinstance(block, tuple | list) or not 2 <= len(block) <= 3:
        raise ValueError(
            "blocks must hold tuples (X, y) or (X, y, sample_weight); got "
            f"a {type(block).__name__}."
        )
    return tuple(block) if len(block) == 3 else (*block, None)
