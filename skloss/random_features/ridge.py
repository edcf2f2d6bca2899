"""Ridge regression on random features."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted

from skloss._progress import Progress
from skloss._refit import unchanged_if_it_fails
from skloss.random_features._base import FittedRidge, streaming
from skloss.random_features._data import read_data
from skloss.random_features._distributed import (
    in_block,
    is_empty,
    merged_blocks,
    numbered,
    opened,
    summed_chunks,
)
from skloss.random_features._fitting import (
    Fitted,
    How,
    NotForStreamsError,
    Step,
    check_alpha,
    check_stream,
    fit_dual,
    fit_primal,
    summed,
    warn_of_lost_digits,
)
from skloss.random_features._machine import FeatureMachine
from skloss.random_features._parameters import (
    COMPONENTS,
    CONSTRAINTS,
    check_features,
)
from skloss.random_features._solution import PrimalSolution

__all__ = ["RandomFeatureRidge"]


class RandomFeatureRidge(FittedRidge):
    """Ridge regression on random features, fitted in one pass over the rows.

    Minimises ``sum_i s_i |y_i - b - w' phi(x_i)|^2 + alpha |w|^2`` with the random
    features phi of `RandomFeatures` and the sample weights s. As features grow in
    number, the model tends to kernel ridge regression with the same `alpha`.

    Rows are looked at a block at a time, and only sums of products of their features
    are kept: memory does not grow with their number, models can be fitted to streams,
    forget rows, and be put together from parts fitted elsewhere.

    Parameters
    ----------
    n_components : int or numpy.inf, default=500
        Number of features, k. At infinity the kernel that they tend to is used.
    alpha : float or array-like of shape (n_targets,), default=1.0
        Penalty, for all targets or for each. With 0, the smallest of the coefficients
        that fit best are taken.
    activation : str or callable, default="relu"
        As in `RandomFeatures`, like the parameters up to `nu`.
    gamma : float or "scale", default="scale"
        Half of the variance of the weights. With `partial_fit`, "scale" is found from
        the first batch.
    bias : float, default=0.0
        Standard deviation of the offsets.
    distribution : {"gaussian", "cauchy", "student", "uniform"}, default="gaussian"
        Law of the weights.
    sampling : {"iid", "orthogonal", "qmc", "hadamard"}, default="iid"
        How weights are drawn.
    negative_slope : float, default=0.01
        Of "leaky_relu".
    nu : float, default=1.5
        Half of the degrees of freedom of "student".
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    solver : {"auto", "primal", "dual"}, default="auto"
        Whether to solve a system of the size of the features, or of the rows; "auto"
        takes the smaller one. Streams need "primal", infinite width needs "dual".
    precision : {"auto", "float64", "mixed", "float32"}, default="auto"
        Of features and sums of their products. "mixed" sums in single precision and
        corrects the solution in double precision, with one or a few more passes over
        the rows; the coefficients have the digits of "float64", degrees of freedom some
        five of them, but the model cannot be continued by `partial_fit`. "auto" is
        "float32" for X in float32 and else "mixed" where that is the faster one.
    batch_size : int, default=None
        Rows in a block; by default a quarter of a million features, or 512 rows.
    n_jobs : int, default=None
        Threads for predictions, of which None and -1 mean all that are allowed, and
        workers for `fit_blocks`, of which None means one. Fits leave threads to BLAS.
    random_state : int, RandomState instance or None, default=None
        Draws the weights.
    verbose : bool or int, default=0
        Whether to print a line for each block.

    Attributes
    ----------
    coef_ : ndarray of shape (k,) or (n_targets, k)
        Coefficients of the features. Not there at infinite width.
    dual_coef_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Coefficients of the rows of positive weight, at infinite width.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept.
    random_features_ : RandomFeatures
        The features, ready to transform; None at infinite width.
    gamma_ : float
        What `gamma` came to.
    degrees_of_freedom_ : float or ndarray of shape (n_targets,)
        Trace of the matrix that maps targets to predictions.
    effective_ridge_ : float or ndarray of shape (n_targets,)
        ``alpha / (sum of weights - degrees_of_freedom_)``: an estimate of the penalty
        that acts on each eigenvalue of the kernel in large samples.
    gcv_score_ : float or ndarray of shape (n_targets,)
        Generalised cross-validation, an estimate of the mean squared error on other
        data; smaller is better.
    n_samples_seen_ : int
        Rows of positive weight; in a stream, those added less those forgotten.
    solver_ : {"primal", "dual"}
        What was solved.
    precision_ : {"float64", "mixed", "float32"}
        What was used.
    n_iter_ : int
        Passes over the rows, not counting the one that "scale" takes.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    See Also
    --------
    RandomFeatures : The features alone.
    sklearn.kernel_ridge.KernelRidge : The limit of infinite width, without intercept.

    Notes
    -----
    Memory: with "primal" two to three matrices of `n_components` squared and one
    block of features, whatever the number of rows; with "dual" two to three matrices
    of n_samples squared and one block of features.

    References
    ----------
    A. Rahimi, B. Recht, "Random Features for Large-Scale Kernel Machines", NeurIPS
    2007.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skloss.random_features import RandomFeatureRidge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidge(300, alpha=0.1, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.5
    True
    """

    _parameter_constraints: dict = {
        "n_components": [*COMPONENTS, Options(Real, {np.inf})],
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        **CONSTRAINTS,
        "fit_intercept": ["boolean"],
        "solver": [StrOptions({"auto", "primal", "dual"})],
        "precision": [StrOptions({"auto", "float64", "mixed", "float32"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=500,
        *,
        alpha=1.0,
        activation="relu",
        gamma="scale",
        bias=0.0,
        distribution="gaussian",
        sampling="iid",
        negative_slope=0.01,
        nu=1.5,
        fit_intercept=True,
        solver="auto",
        precision="auto",
        batch_size=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.alpha = alpha
        self.activation = activation
        self.gamma = gamma
        self.bias = bias
        self.distribution = distribution
        self.sampling = sampling
        self.negative_slope = negative_slope
        self.nu = nu
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.precision = precision
        self.batch_size = batch_size
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. Memory-mapped arrays, dask arrays, and arrays of other
            libraries that can be sliced are read a block at a time.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. An integer weight equals repeated rows.

        Returns
        -------
        self : RandomFeatureRidge
            The fitted model.

        Raises
        ------
        ValueError
            If parameters exclude each other, `alpha` does not fit the targets, X or y
            hold nan or infinity, or features overflow.

        Warns
        -----
        LinAlgWarning
            If `alpha` is positive but lost beside the squares of the features.
        UserWarning
            If it is lost in single precision.
        """
        with unchanged_if_it_fails(self):
            data = read_data(self, X, y, sample_weight, reset=True)
            given = {"X": X, "y": y, "sample_weight": sample_weight}
            with Progress(
                self, **given, max_iter=None, verbose=self.verbose, task_name="block"
            ) as progress:
                how = How.of(self, self._begin(data), data, progress)
                if how.solver == "dual":
                    fitted = fit_dual(data, how)
                else:
                    fitted = fit_primal(data, how, summed_chunks(data, how))
                self._keep(fitted, how.solver)
        return self

    @streaming
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Add rows to the model.

        The first rows decide on the dtype of all: after rows in float32, others are
        summed in single precision too.

        Parameters
        ----------
        X, y, sample_weight : array-like
            Further rows; as in `fit`.

        Returns
        -------
        self : RandomFeatureRidge
            The model fitted to all rows so far.

        Raises
        ------
        ValueError
            If the model is not one of sums in one precision, or the rows do not fit
            it.
        """
        with unchanged_if_it_fails(self):
            self._take_in(X, y, sample_weight, self._printer("block"))
        return self

    def _take_in(self, X, y, sample_weight, progress=None):
        """Add rows."""
        if hasattr(self, "solver_"):
            options = {"reset": False, "allow_all_zero": True}
            data = read_data(self, X, y, sample_weight, **options)
            sums = self._continued("partial_fit", data)
            self._add(self._machine.map, data, sums, progress=progress)
        else:
            data = read_data(self, X, y, sample_weight, reset=True)
            self._add(self._begin(data), data, None, progress=progress)

    def _printer(self, name):
        """Return what prints lines, and calls no callbacks: parts are no fits."""
        if not self.verbose:
            return None
        return Progress(self, max_iter=None, verbose=1, task_name=name)

    def fit_blocks(self, blocks):
        """Fit the model to blocks of rows, one after the other.

        Parameters
        ----------
        blocks : iterable
            Of tuples ``(X, y)`` or ``(X, y, sample_weight)``, or of functions that
            return such tuples. Those without rows are passed over. One job lets each
            block go before it asks for the next one. With `n_jobs`, or within
            ``joblib.parallel_config``, workers of joblib's active backend sum over
            blocks: give them functions that read, so that rows do not travel.

        Returns
        -------
        self : RandomFeatureRidge
            The model fitted to the rows of all blocks.

        Raises
        ------
        ValueError
            If no block has rows, a block is no such tuple, or as in `partial_fit`;
            errors in a block name it, counting from 0.
        """
        self._validate_params()
        with unchanged_if_it_fails(self):
            if hasattr(self, "solver_"):
                del self.solver_  # begin anew
            progress, blocks = self._printer("block"), numbered(blocks)

            def report(number):
                if progress is not None:
                    progress(Step(number + 1, self._sums.n_rows))

            for number, block in blocks:
                if self._begun_with(number, block):
                    report(number)
                    break
            else:
                raise ValueError("blocks holds no block with rows.")
            del block  # before others take memory
            merged_blocks(self, blocks, self._sums, self.n_jobs, report)
            self._keep_sums(self._sums)
        return self

    def _begun_with(self, number, block):
        """Fit the first block; return whether it has any rows."""
        X, y, weight = opened(block)
        if is_empty(X) or (weight is not None and not np.any(weight)):
            return False
        try:
            self._take_in(X, y, weight)
        except (TypeError, ValueError) as error:
            raise in_block(number, error) from error
        return True

    def forget(self, X, y, sample_weight=None):
        """Take rows out of the model, as if they had never been seen.

        Parameters
        ----------
        X, y, sample_weight : array-like
            Rows that the model was fitted to, with their targets and weights.

        Returns
        -------
        self : RandomFeatureRidge
            The model fitted to all other rows.

        Raises
        ------
        ValueError
            If more weight is to be forgotten than was seen, or all of it, rows are
            not among those seen, as far as sums can tell, or the model does not keep
            sums.
        """
        check_is_fitted(self)
        with unchanged_if_it_fails(self):
            data = read_data(self, X, y, sample_weight, reset=False)
            sums = self._continued("forget", data)
            gone = data.blocks.n_rows if data.weight is None else data.weight.sum()
            if gone >= sums.weight * (1.0 - 1e-12):
                raise ValueError(
                    f"Rows of weight {gone:.6g} cannot be forgotten: rows of weight "
                    f"{sums.weight:.6g} were seen, and some must remain."
                )
            self._add(self._machine.map, data, sums, -1, self._printer("block"))
            if not self._sums.is_possible_after(sums):
                raise ValueError(
                    "The rows to be forgotten are not among those that were seen: "
                    "sums of squares would be negative."
                )
        return self

    def merge(self, other):
        """Add all rows that another model has seen.

        Parameters
        ----------
        other : RandomFeatureRidge
            A model with the same features, which takes the same parameters, a number
            as `random_state` and one as `gamma`.

        Returns
        -------
        self : RandomFeatureRidge
            The model fitted to the rows of both.

        Raises
        ------
        TypeError
            If it is no such model.
        ValueError
            If its features, columns or targets are others, or one of the models does
            not keep sums.
        """
        check_is_fitted(self)
        if not isinstance(other, RandomFeatureRidge):
            raise TypeError(
                f"Only a RandomFeatureRidge can be merged, not a "
                f"{type(other).__name__}."
            )
        check_is_fitted(other)
        sums = self._continued("merge").copy()
        if other._machine.map != self._machine.map:
            raise ValueError(
                "Models of different random features cannot be merged: they need the "
                "same parameters, random_state and numeric gamma; got "
                f"{other._machine.map} and {self._machine.map}."
            )
        theirs = other._continued("merge")
        mine, others = ((m._is_single, m._sums.y_shift.size) for m in (self, other))
        if mine != others:
            raise ValueError(
                f"The models have {mine[1]} and {others[1]} targets, or one of them "
                "was fitted to a vector and one to a column."
            )
        names = (getattr(m, "feature_names_in_", None) for m in (self, other))
        if not np.array_equal(*names):
            raise ValueError("The models were fitted to columns of other names.")
        sums.merge(theirs)
        self._keep_sums(sums)
        return self

    def _add(self, feature_map, data, sums, sign=1, progress=None):
        """Add rows to sums, or subtract them, and keep the result."""
        how = How.of(self, feature_map, data, progress, is_stream=True)
        sums = summed(data, how, None if sums is None else sums.copy(), sign=sign)
        if how.precision == "float32":
            warn_of_lost_digits(sums, how.alpha)
        self._keep_sums(sums, how)

    def _keep_sums(self, sums, how=None):
        """Keep a model that is determined by sums."""
        is_first = not hasattr(self, "solver_")
        machine = FeatureMachine(how.map, how.given) if is_first else self._machine
        precision = self.precision_ if how is None else how.precision
        alpha = check_alpha(self.alpha, sums.y_shift.size)
        solution = PrimalSolution(sums, alpha, self.fit_intercept)
        # Weights may be taken away in other portions than they came in.
        n_rows = max(int(sums.n_rows), 1)
        fitted = Fitted(machine, solution, sums, precision, 1, n_rows)
        self._keep(fitted, "primal")

    def _check_stream(self, action):
        """Raise unless the model can be fitted to a stream, or go on with one."""
        check_stream(self)
        if hasattr(self, "solver_") and self._sums is None:
            name, used, instead = "precision", "mixed", "float64"
            if self.solver_ == "dual":
                name, used, instead = "solver", "dual", "primal"
            raise NotForStreamsError(
                f"{action} needs sums in one precision, and this model was fitted with "
                f"{name}={used!r}: fit it with {name}={instead!r}."
            )

    def _continued(self, action, data=None):
        """Return the sums from which a model may go on with other data."""
        self._check_stream(action)
        self._validate_params()
        check_features(self, self._machine.map)
        if data is not None:
            self._check_targets(data, self._sums.y_shift.size)
        return self._sums

    def _check_targets(self, data, n_targets):
        if data.is_single != self._is_single:
            raise ValueError("y must have as many dimensions as that of other rows.")
        if data.Y.shape[1] != n_targets:
            raise ValueError(
                f"y has {data.Y.shape[1]} targets; other rows have {n_targets}."
            )
