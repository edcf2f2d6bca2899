"""Random features as a transformer."""

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import Options
from sklearn.utils.validation import check_is_fitted

from skloss._blocks import row_blocks, rows_per_block
from skloss._parallel import map_row_blocks, one_blas_thread, threads_for
from skloss.random_features._data import (
    checked_rows,
    dask_array,
    is_fetched,
    read_rows,
)
from skloss.random_features._feature_map import HELD
from skloss.random_features._parameters import (
    COMPONENTS,
    CONSTRAINTS,
    draw_map,
    scale_gamma,
)
from skloss.random_features.limiting_kernel import kernel_of

__all__ = ["RandomFeatures"]


class RandomFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Random nonlinear features: the hidden layer of a network that is not trained.

    Feature j of a row x is ``c / sqrt(k) * activation(x . w_j + b_j)`` with random
    weights w_j, k features, and c the root of 2 for "cos" and "sincos", else 1. As k
    grows, products of features tend to a kernel: with ``activation="cos"`` to the RBF
    kernel (Rahimi and Recht, 2007), with "relu", "step" and others to those of
    networks with one hidden layer of infinite width (Cho and Saul, 2009).

    Feature j depends on `random_state` and j alone. With a numeric `gamma`, the first
    features of a wide map are those of a narrow one, but for the factor.

    Parameters
    ----------
    n_components : int, default=500
        Number of features, k.
    activation : str or callable, default="relu"
        "linear", "relu", "leaky_relu", "abs", "step", "sign", "erf", "gelu", "tanh",
        "sigmoid", "sin", "cos", "sincos", "exp", "square", or a function that acts on
        each number of an array. The offsets of "cos" are random phases. "sincos" makes
        two features of each unit. "exp" is divided by its mean over the weights.
    gamma : float or "scale", default="scale"
        Half of the variance of the weights, as in the RBF kernel ``exp(-gamma |x -
        y|^2)``. "scale" is 1 / (n_features * X.var()), or 1 where X is constant.
    bias : float, default=0.0
        Standard deviation of the offsets; not used by "cos".
    distribution : {"gaussian", "cauchy", "student", "uniform"}, default="gaussian"
        Law of the weights. With "cos" and "sincos" the kernel is the RBF kernel; the
        Laplacian kernel ``exp(-gamma |x - y|_1)``; the Matern kernel of smoothness
        `nu` and length ``1 / sqrt(2 gamma)``; or the product over the features of
        ``sin(R t) / (R t)`` with the difference t and ``R = sqrt(6 gamma)``. Other
        activations know "gaussian" only.
    sampling : {"iid", "orthogonal", "qmc", "hadamard"}, default="iid"
        How weights are drawn: apart; orthogonal in blocks of `n_features`; as points
        of a scrambled Sobol net; or by Walsh-Hadamard transforms, which cost
        ``O(log n_features)`` for each feature of a row instead of `n_features`. All
        but the first one lower the error of the kernel. The last one's weights are
        only nearly normal: products of features tend to a kernel that is off by
        several thousandths for up to 64 columns of X, and by less for more.
    dtype : {None, numpy.float32, numpy.float64}, default=None
        Of the features; by default float32 for X in float32, else float64.
    negative_slope : float, default=0.01
        Of "leaky_relu".
    nu : float, default=1.5
        Half of the degrees of freedom of "student".
    random_state : int, RandomState instance or None, default=None
        Draws the weights.

    Attributes
    ----------
    random_weights_ : ndarray of shape (n_features, k)
        Weights of the units; ``(k + 1) // 2`` columns with "sincos".
    random_offset_ : ndarray of shape (k,)
        Offsets of the units; ``(k + 1) // 2`` with "sincos".
    gamma_ : float
        What `gamma` came to.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    See Also
    --------
    sklearn.kernel_approximation.RBFSampler : The RBF kernel alone.
    sklearn.kernel_approximation.Nystroem : Features from a sample of rows.

    References
    ----------
    A. Rahimi, B. Recht, "Random Features for Large-Scale Kernel Machines", NeurIPS
    2007.

    Y. Cho, L. K. Saul, "Kernel Methods for Deep Learning", NeurIPS 2009.

    F. X. Yu, A. T. Suresh, K. Choromanski, D. Holtmann-Rice, S. Kumar, "Orthogonal
    Random Features", NeurIPS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.random_features import RandomFeatures
    >>> X = np.random.default_rng(0).normal(size=(100, 5))
    >>> features = RandomFeatures(2000, activation="cos", random_state=0).fit(X)
    >>> Z = features.transform(X)
    >>> Z.shape
    (100, 2000)
    >>> bool(abs(Z @ Z.T - features.kernel(X)).max() < 0.1)
    True
    """

    _parameter_constraints: dict = {
        "n_components": COMPONENTS,
        "dtype": [Options(type, {np.float32, np.float64}), None],
        **CONSTRAINTS,
    }

    def __init__(
        self,
        n_components=500,
        *,
        activation="relu",
        gamma="scale",
        bias=0.0,
        distribution="gaussian",
        sampling="iid",
        dtype=None,
        negative_slope=0.01,
        nu=1.5,
        random_state=None,
    ):
        self.n_components = n_components
        self.activation = activation
        self.gamma = gamma
        self.bias = bias
        self.distribution = distribution
        self.sampling = sampling
        self.dtype = dtype
        self.negative_slope = negative_slope
        self.nu = nu
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Draw the weights.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; only their number of columns, and with ``gamma="scale"`` their
            variance, matter.
        y : None
            Ignored.

        Returns
        -------
        self : RandomFeatures
            The fitted transformer.

        Raises
        ------
        ValueError
            If parameters exclude each other, or X holds nan or infinity.
        """
        blocks = read_rows(self, X, reset=True)
        gamma = scale_gamma(self.gamma, blocks)
        feature_map = draw_map(self, blocks.n_columns, gamma)
        return self._take(feature_map, self._dtype_of(blocks))

    def _take(self, feature_map, dtype):
        """Become the transformer of given features."""
        self._map, self._drawn, self._held = feature_map, np.dtype(dtype), {}
        self.gamma_ = feature_map.gamma
        self._n_features_out = feature_map.n_components
        return self

    @property
    def random_weights_(self):
        """Weights of the units."""
        self._need_fit("random_weights_")
        k = self._n_features_out
        n_units = (k + 1) // 2 if self._map.is_paired else k
        rows = self._map.weights.rows(0, n_units)
        return rows.astype(self._drawn, copy=False).T

    @property
    def random_offset_(self):
        """Offsets of the units."""
        self._need_fit("random_offset_")
        k = self._n_features_out
        n_units = (k + 1) // 2 if self._map.is_paired else k
        return self._map.offsets(0, n_units).astype(self._drawn, copy=False)

    def _need_fit(self, name):
        if not hasattr(self, "_map"):
            raise AttributeError(
                f"'RandomFeatures' object has no attribute {name!r} before fit."
            )

    def transform(self, X):
        """Compute the features of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. Arrays of other libraries that can be sliced are read a block at a
            time.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Features; a dask array, not computed yet, for a dask array.

        Raises
        ------
        ValueError
            If X does not fit or holds nan or infinity, or its features overflow.
        """
        check_is_fitted(self)
        blocks = read_rows(self, X, reset=False)
        dtype, k = self._dtype_of(blocks), self._n_features_out
        if (array := dask_array(blocks)) is not None:
            array = array.rechunk({1: -1})
            return array.map_blocks(
                self._of_chunk, dtype=dtype, chunks=(array.chunks[0], (k,))
            )
        return self._computed(blocks, dtype)

    def _of_chunk(self, X):
        """Features of a chunk of a dask array, on a worker."""
        blocks = checked_rows(X)
        return self._computed(blocks, self._dtype_of(blocks))

    def _computed(self, blocks, dtype):
        units = self._units(dtype)
        out = np.empty((blocks.n_rows, self._n_features_out), dtype)
        # Rows that have to be fetched are fetched once, many at a time.
        parts = blocks.iterate() if is_fetched(blocks) else [(0, len(out), blocks)]
        for first, _, part in parts:
            self._fill(row_blocks(part), units, out, first)
        return out

    def _fill(self, blocks, units, out, first):
        """Write features of rows from a number on."""

        def fill(start, stop):
            X, features = blocks.rows(start, stop), out[first + start : first + stop]
            # What overflows is told below.
            quiet = np.errstate(over="ignore", invalid="ignore")
            with one_blas_thread(), quiet:
                self._map.features(X, units, features)
            if not self._map.stays_finite(X, features.dtype):
                self._map.check_finite(features, first + start)

        rows = rows_per_block(out.shape[1], out.itemsize, n_bytes=1 << 19, at_least=64)
        n_bytes = blocks.n_rows * out.shape[1] * out.itemsize
        with one_blas_thread():
            map_row_blocks(fill, blocks.n_rows, rows, threads_for(n_bytes))

    def _units(self, dtype):
        """Draw the units, or find those drawn before."""
        if dtype in self._held:
            return self._held[dtype]
        units = self._map.units(0, self._n_features_out, dtype)
        if units.rows is None or units.rows.size <= HELD:
            self._held[dtype] = units
        return units

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "_held" in state:
            state["_held"] = {}
        return state

    def kernel(self, X, Y=None):
        """Evaluate the kernel that products of features tend to.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_features)
            Rows.
        Y : {array-like, sparse matrix} of shape (m, n_features), default=None
            Other rows; by default X.

        Returns
        -------
        ndarray of shape (n, m)
            Kernel.
        """
        check_is_fitted(self)
        X = self._read(X, reset=False)
        Y = X if Y is None else self._read(Y, reset=False)
        return kernel_of(self._map, X, Y)

    def _read(self, X, *, reset):
        blocks = read_rows(self, X, reset=reset)
        return blocks.rows(0, blocks.n_rows)

    def _dtype_of(self, blocks):
        return np.dtype(self.dtype or blocks.dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        kept = [np.float64, np.float32] if self.dtype is None else [self.dtype]
        tags.transformer_tags.preserves_dtype = [np.dtype(kind).name for kind in kept]
        return tags
