"""How models are fitted: from sums over features, or from products of rows."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy import sparse

from skloss.random_features._dual import (
    centre,
    coef_of_features,
    gram_of_features,
    solve_dual,
)
from skloss.random_features._feature_map import FeatureMap
from skloss.random_features._machine import FeatureMachine, KernelMachine
from skloss.random_features._mixed import (
    refined,
    single_precision_holds,
    single_precision_tells,
)
from skloss.random_features._rows import FeatureRows
from skloss.random_features._solution import GivenSolution, PrimalSolution
from skloss.random_features._sums import Adder, RidgeSums, Units
from skloss.random_features.limiting_kernel import kernel_of

__all__ = [
    "Fitted",
    "How",
    "NotForStreamsError",
    "Step",
    "check_alpha",
    "check_stream",
    "fit_dual",
    "fit_primal",
    "summed",
    "too_large",
]

_MIXED_FROM = 300  # features from which single precision saves time
_BLOCK_NUMBERS, _LEAST_BLOCK = 1 << 18, 512  # features, and rows, of a block
_REPORTED = 1 << 20  # features of which is told at once
_FIRST_ROWS = 256  # which are near the data
_ERROR = 1e-7  # of sums in single precision, beside their trace


class Step(NamedTuple):
    """What callbacks and `verbose` see."""

    n_iter: int
    n_rows: int
    converged: bool = False


class NotForStreamsError(ValueError, AttributeError):
    """A model that cannot be fitted to a stream was asked to.

    Being an AttributeError too, it lets ``hasattr(model, "partial_fit")`` tell.
    """


class How(NamedTuple):
    """How a model is to be fitted.

    Parameters
    ----------
    map : FeatureMap
        What the features are.
    alpha : ndarray of shape (t,)
        Penalties.
    center : bool
        Whether there is an intercept.
    solver : {"primal", "dual"}
        What is solved.
    precision : {"float64", "mixed", "float32"}
        Of sums.
    given : numpy dtype
        Of the rows.
    block_rows : int or None
        Rows in a block.
    progress : Progress or None
        Told of each block.
    """

    map: FeatureMap
    alpha: np.ndarray
    center: bool
    solver: str
    precision: str
    given: np.dtype
    block_rows: int | None
    progress: object

    @classmethod
    def of(cls, estimator, feature_map, data, progress, *, is_stream=False):
        """Decide how an estimator is to be fitted.

        Parameters
        ----------
        estimator : RandomFeatureRidge
            Which has the options.
        feature_map : FeatureMap
            What the features are.
        data : Data
            Rows.
        progress : Progress or None
            Told of each block.
        is_stream : bool, default=False
            Whether other rows may come later.

        Raises
        ------
        ValueError
            If options exclude each other.
        """
        alpha = check_alpha(estimator.alpha, data.Y.shape[1])
        solver = _solver(estimator, data, is_stream)
        given = data.dtype
        if is_stream and hasattr(estimator, "solver_"):
            given = estimator._machine.dtype
        precision = _precision(estimator, given, is_stream, solver)
        how = cls(
            feature_map,
            alpha,
            estimator.fit_intercept,
            solver,
            precision,
            given,
            estimator.batch_size,
            progress,
        )
        if solver == "dual" or precision == "float64" or how._single_precision(data):
            return how
        return how._replace(precision="float64")

    def _single_precision(self, data):
        """Tell from the first rows whether single precision is enough."""
        narrow = _rows_of(data, self, np.dtype(np.float32))
        if not single_precision_holds(narrow):
            return False
        if self.precision == "float32":
            return True
        return single_precision_tells(_rows_of(data, self, self.dtype), narrow)

    @property
    def dtype(self):
        """Dtype of the features."""
        narrow = self.precision == "float32"
        return np.dtype(np.float32 if narrow else np.float64)

    @property
    def dtype_of_sums(self):
        """Dtype of the features whose products are summed."""
        narrow = self.precision != "float64"
        return np.dtype(np.float32 if narrow else np.float64)


def check_alpha(alpha, n_targets):
    """Read penalties.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,)
        As given.
    n_targets : int
        Number of targets.

    Returns
    -------
    ndarray of shape (n_targets,), float64

    Raises
    ------
    ValueError
        If there is not one for each target, or one is negative or not finite.
    """
    try:
        values = np.asarray(alpha, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"alpha={alpha!r}: expected numbers.") from None
    if values.ndim > 1 or values.size not in (1, n_targets):
        raise ValueError(
            f"alpha must be a number or have one value for each of {n_targets} "
            f"targets; got shape {values.shape}."
        )
    if not ((values >= 0) & (values < np.inf)).all():
        raise ValueError(f"alpha={alpha!r}: values must be finite and not negative.")
    return np.broadcast_to(values, (n_targets,)).copy()


def check_stream(estimator):
    """Check that an estimator's parameters allow for fits to streams.

    Parameters
    ----------
    estimator : RandomFeatureRidge
        Which has the options.

    Raises
    ------
    NotForStreamsError
        If the solver is not the primal one, or sums are to be corrected later.
    """
    for name, value in (("n_components", np.inf), ("solver", "dual")):
        if getattr(estimator, name) == value:
            raise NotForStreamsError(
                f"{name}={value!r}: a stream of rows needs the primal solver and a "
                "finite number of features."
            )
    if estimator.precision == "mixed":
        raise NotForStreamsError(
            "precision='mixed' needs all rows at once: a stream of rows takes "
            "'float64' or 'float32'."
        )


def _solver(estimator, data, is_stream):
    if is_stream:
        check_stream(estimator)
        return "primal"
    if estimator.n_components == np.inf:
        if estimator.solver == "primal":
            raise ValueError(
                "solver='primal' cannot be used with n_components=inf: there are no "
                "features to sum over."
            )
        return "dual"
    if estimator.solver != "auto":
        return estimator.solver
    return "primal" if estimator.n_components < data.n_rows else "dual"


def _precision(estimator, dtype, is_stream, solver):
    wanted = estimator.precision
    if wanted == "mixed" and solver == "dual":
        if estimator.solver == "dual":
            raise ValueError(
                "precision='mixed' is one of the primal solver; got solver='dual'."
            )
        return "float64"
    if wanted != "auto":
        return wanted
    if dtype == np.float32:
        return "float32"
    pays = not is_stream and solver == "primal"
    pays = pays and estimator.n_components >= _MIXED_FROM
    return "mixed" if pays else "float64"


class Fitted(NamedTuple):
    """A fitted model.

    Parameters
    ----------
    machine : FeatureMachine or KernelMachine
        What predicts.
    solution : object
        Coefficients and what describes them; see `_solution`.
    sums : RidgeSums or None
        From which the fit may go on; None where it may not.
    precision : str
        What was used.
    n_passes : int
        Over the rows.
    n_rows : int
        Rows of positive weight.
    """

    machine: object
    solution: object
    sums: object
    precision: str
    n_passes: int
    n_rows: int


def summed(data, how, sums=None, *, sign=1):
    """Sum over the rows of a data set.

    Parameters
    ----------
    data : Data
        Rows.
    how : How
        Features, and the precision.
    sums : RidgeSums, default=None
        To which to add, in place; by default new ones.
    sign : {1, -1}, default=1
        Whether to add or to subtract.

    Returns
    -------
    RidgeSums
    """
    if sums is None:
        sums = RidgeSums(*shifts_of(data, how))
    rows, units = _rows_of(data, how, how.dtype_of_sums), None
    if rows.dtype == np.float32:
        units = Units.of(data.Y, sums.y_shift, data.weight)
    block_rows = how.block_rows or max(_BLOCK_NUMBERS // rows.n_columns, _LEAST_BLOCK)
    block_rows = max(min(block_rows, rows.n_rows), rows.few)
    told_rows = how.block_rows or max(_REPORTED // rows.n_columns, block_rows)
    adder = Adder(sums, rows.dtype, block_rows, sign, units)
    count = reported = 0
    for start, stop, features in rows.blocks(sums.shift, adder.room):
        weight = None if data.weight is None else data.weight[start:stop]
        adder.add(features, data.Y[start:stop], weight)
        is_last = stop == rows.n_rows
        if how.progress is not None and (is_last or stop - reported >= told_rows):
            count, reported = count + 1, stop
            # Sums in mixed precision are not the end of it.
            how.progress(Step(count, stop, is_last and how.precision != "mixed"))
    adder.flush()
    if how.precision != "mixed" and not sums.is_finite:
        raise too_large(how.map)
    return sums


def too_large(feature_map):
    """Return the error that features are too large to be squared."""
    return ValueError(
        f"activation={feature_map.activation!r} gives features, or squares of them, "
        f"that are not finite with gamma={feature_map.gamma:.6g}."
    )


def _rows_of(data, how, dtype):
    units = how.map.units(0, how.map.n_components, dtype)
    rows = FeatureRows(how.map, units, data.blocks, dtype, data.weight)
    rows.few = min(rows.few, how.block_rows or rows.few)
    return rows


def shifts_of(data, how):
    """Points near the data from which features and targets are measured.

    Parameters
    ----------
    data : Data
        Rows.
    how : How
        Features, and the precision.

    Returns
    -------
    shift : ndarray of shape (k,)
        Of the features.
    y_shift : ndarray of shape (t,)
        Of the targets.
    """
    rows = _rows_of(data, how, how.dtype_of_sums)
    weight = None if data.weight is None else data.weight[:_FIRST_ROWS]
    if weight is not None and not weight.any():
        weight = None
    shift = np.average(rows.first(_FIRST_ROWS), axis=0, weights=weight)
    y_shift = np.average(data.Y[:_FIRST_ROWS], axis=0, weights=weight)
    # As it will be subtracted.
    return shift.astype(rows.dtype).astype(np.float64), y_shift


def fit_primal(data, how, sums=None):
    """Fit a model by sums over features.

    Parameters
    ----------
    data : Data
        Rows.
    how : How
        The options.
    sums : RidgeSums, default=None
        Over the rows, if they are known.

    Returns
    -------
    Fitted
    """
    precision, n_passes, coef = how.precision, 1, None
    if sums is None:
        # Sums in single precision that overflow are made anew in double.
        usual = "ignore" if precision == "mixed" else "warn"
        with np.errstate(over=usual, invalid=usual):
            sums = summed(data, how)
    if precision == "mixed":
        rows = _rows_of(data, how, how.dtype)
        coef, exact, more = refined(rows, data, sums, how.alpha, center=how.center)
        n_passes += more
        if coef is None:
            precision = "float64"
            exact = summed(data, how._replace(precision=precision))
            n_passes += 1
        sums = exact
    elif precision == "float32":
        warn_of_lost_digits(sums, how.alpha)
    return Fitted(
        FeatureMachine(how.map, how.given),
        PrimalSolution(sums, how.alpha, how.center, coef).solved(),
        None if precision == "mixed" else sums,
        precision,
        n_passes,
        data.n_rows,
    )


def warn_of_lost_digits(sums, alpha):
    """Warn of penalties that are lost beside sums in single precision.

    Parameters
    ----------
    sums : RidgeSums
        Sums of products of features in float32.
    alpha : ndarray of shape (t,)
        Penalties.
    """
    trace = np.trace(sums.squares)
    if (alpha < _ERROR * trace).any():
        warnings.warn(
            f"alpha={alpha.min():.3g} is below 1e-7 of the features' sum of squares, "
            f"{trace:.3g}, which is what single precision can tell: use "
            "precision='float64'.",
            UserWarning,
            stacklevel=2,
        )


def fit_dual(data, how):
    """Fit a model by products of rows.

    Parameters
    ----------
    data : Data
        Rows; all of them are read at once.
    how : How
        The options.

    Returns
    -------
    Fitted
    """
    X = data.blocks.rows(0, data.blocks.n_rows)
    Y, weight = data.Y, data.weight
    if weight is None:
        weight = np.ones(len(Y))
    elif not weight.all():
        kept = np.flatnonzero(weight)
        X, Y, weight = X[kept], Y[kept], weight[kept]
    X = X if sparse.issparse(X) else np.asarray(X)
    center = {"center": how.center}
    is_infinite = how.map.n_components == np.inf
    if is_infinite:
        wide = X.astype(np.float64, copy=False)
        gram = np.asfortranarray(kernel_of(how.map, wide, wide))
        mean = centre(gram, weight) if how.center else np.zeros(len(Y))
    else:
        gram = gram_of_features(how.map, X, weight, how.dtype, **center)
    if not np.isfinite(gram.diagonal()).all():
        raise too_large(how.map)
    found = solve_dual(gram, Y, weight, how.alpha, **center)
    if how.progress is not None:
        how.progress(Step(1, len(Y), True))
    if is_infinite:
        machine = KernelMachine(how.map, X.copy(), how.given)
        coef, at_mean = found.dual_coef, mean @ found.dual_coef
    else:
        machine = FeatureMachine(how.map, how.given)
        data_of = (how.map, X, weight, found.dual_coef, how.dtype)
        coef, at_mean = coef_of_features(*data_of, **center)
    solution = GivenSolution(
        coef,
        found.y_mean - at_mean,
        how.alpha,
        found.residual,
        found.degrees,
        float(weight.sum()),
        how.center,
        found.gcv,
    )
    precision = "float32" if how.dtype == np.float32 else "float64"
    return Fitted(machine, solution, None, precision, 1, data.n_rows)
