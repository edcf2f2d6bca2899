"""A preconditioner of designs as a transformer."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import (
    BaseEstimator,
    OneToOneFeatureMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skloss._parallel import one_blas_thread
from skloss._refit import unchanged_if_it_fails
from skloss._validation import working_dtype
from skloss.sparse._inputs import canonical, read_weights, refuse_scale
from skloss.sparse._preconditioner import (
    Basis,
    DenseDesign,
    Search,
    SparseDesign,
    count_distinct_rows,
    find_rounds,
    read_scaling,
)

__all__ = ["SEARCH_CONSTRAINTS", "DesignPreconditioner"]

_AT_ONCE = 1 << 21  # numbers in a block of rows
SEARCH_CONSTRAINTS = {
    "support_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "threshold": [Interval(Real, 0, 1, closed="neither")],
    "max_pivots": [Interval(Integral, 0, None, closed="left"), None],
    "random_state": ["random_state"],
}


class DesignPreconditioner(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Find a better conditioned basis of a design from random supports.

    In each round a few random columns, the pivots, predict all others by least
    squares. Columns of which little is left are replaced by that rest, scaled to mean
    square 1; a round that does this for too few columns is discarded. In the new
    basis a vector of k coefficients has at most k more than there are pivots, and
    columns that nearly cancelled each other do so no more.

    A practical realisation inspired by [1]_: it makes no claim to the guarantees
    proved there.

    Parameters
    ----------
    support_size : int or "auto", default="auto"
        Columns drawn in a round, no more than X has or than there may be pivots.
        "auto" is a twentieth of the number of distinct rows, at least 2 and at most 10.
    threshold : float, default=0.5
        Largest share of a column's root mean square that may be left of it, what
        chance would leave taken out, for the column to be replaced. Between 0 and 1.
    max_pivots : int, default=None
        Largest number of pivots, which can be no more than the distinct rows less 2.
        None means a quarter of them; 0 means no round.
    center : bool, default=True
        Whether columns are centred; otherwise they are only scaled.
    random_state : int, RandomState instance or None, default=None
        Draws the columns.

    Attributes
    ----------
    pivots_ : ndarray of shape (n_pivots,), intp
        Sorted columns that others were measured against.
    center_ : ndarray of shape (n_features,)
        Weighted column means; zeros if not `center`.
    scale_ : ndarray of shape (n_features,)
        Roots of the mean squares about them; 1 for constant columns.
    log_volume_ : float
        ``log(abs(det(D @ M)))`` with D the diagonal matrix of `scale_`: at least 0,
        and larger by each round.
    n_rounds_ : int
        Rounds that were kept.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has them.

    See Also
    --------
    PreconditionedLasso : L1-penalised regression in the new basis.
    random_support_condition : Whether a design needs one.

    Notes
    -----
    Rows that are repeated count once where the number of rows matters, since copies
    add no directions; thus an integer weight equals repeated rows. Columns that are
    constant, or equal to one before them, are never drawn or replaced.

    Each round costs two products of n x k x d. A dense design is copied once (n x d,
    float64). A sparse one is not: of its columns in the new basis there is only ever
    a block. What `transform` returns is dense.

    References
    ----------
    .. [1] Gautam Chandrasekaran, Raghu Meka, Konstantinos Stavropoulos. "Sparse Linear
       Regression is Easy on Random Supports". STOC 2026. arXiv:2511.06211.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.sparse import DesignPreconditioner
    >>> rng = np.random.default_rng(0)
    >>> factors = rng.standard_normal((200, 2))
    >>> X = factors @ rng.standard_normal((2, 50))
    >>> X += 0.1 * rng.standard_normal((200, 50))
    >>> preconditioner = DesignPreconditioner(random_state=0).fit(X)
    >>> len(preconditioner.pivots_), preconditioner.n_rounds_
    (10, 1)
    >>> np.allclose(preconditioner.transform(X).std(axis=0), 1.0)
    True
    """

    _parameter_constraints: dict = SEARCH_CONSTRAINTS | {"center": ["boolean"]}

    def __init__(
        self,
        support_size="auto",
        threshold=0.5,
        *,
        max_pivots=None,
        center=True,
        random_state=None,
    ):
        self.support_size = support_size
        self.threshold = threshold
        self.max_pivots = max_pivots
        self.center = center
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Find the basis.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Design.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : DesignPreconditioner
            The fitted transformer.

        Raises
        ------
        ValueError
            If X holds nan or infinity, or its largest numbers have squares that
            overflow or underflow, there is a single row of positive weight, weights
            are negative or all zero, or there are not enough columns or pivots for
            `support_size`.
        """
        with unchanged_if_it_fails(self), one_blas_thread():
            X = self._read(X, reset=True, ensure_min_samples=2)
            weight, *_ = read_weights(sample_weight, X.shape[0])
            refuse_scale("X", X)
            self._find(X, weight)
        return self

    def _find(self, X, weight, *, look=True, known=None):
        """Find the basis, for weights that sum to 1.

        Parameters
        ----------
        X : ndarray or CSC array
            Checked.
        weight : ndarray of shape (n,)
            Row weights.
        look : bool, default=True
            Whether there may be a round.
        known : DesignPreconditioner, default=None
            Fitted before, perhaps to this X; its rounds are taken over if so.

        Returns
        -------
        DenseDesign or SparseDesign
            The standardised columns in the new basis.
        """
        scaling = read_scaling(X, weight, self.center)
        kind = SparseDesign if sparse.issparse(X) else DenseDesign
        design, rounds = kind(X, weight, scaling), []
        options = self.get_params() | {"look": look}
        if known is not None and known._knows(scaling, weight, options):
            rounds = known._basis.rounds
            for done in rounds:
                design.repeat(done)
        elif look:
            random = check_random_state(self.random_state)
            search = self._search(count_distinct_rows(X, weight), X.shape[1])
            rounds = find_rounds(design, scaling.usable, search, random)
        pivots = [done.pivots for done in rounds]
        self.pivots_ = np.unique(np.concatenate([*pivots, np.empty(0, np.intp)]))
        self.pivots_ = self.pivots_.astype(np.intp)
        self.center_, self.scale_, self._usable = scaling
        self._basis = Basis(self.scale_, rounds)
        self._source = weight, options
        self.log_volume_ = self._basis.log_volume
        self.n_rounds_ = len(rounds)
        return design

    def _knows(self, scaling, weight, options):
        """Whether the basis was found for this design, in this way."""
        pairs = [
            (self.center_, scaling.center),
            (self.scale_, scaling.scale),
            (self._usable, scaling.usable),
            (self._source[0], weight),
        ]
        same = all(np.array_equal(mine, given) for mine, given in pairs)
        return same and self._source[1] == options

    def _search(self, n_rows, n_features):
        size = self.support_size
        most = n_rows // 4 if self.max_pivots is None else self.max_pivots
        most = min(most, n_rows - 2)
        if size == "auto":
            size = min(max(n_rows // 20, 2), 10)
        elif self.max_pivots != 0:  # which is to ask for no round at all
            allowed = min(n_features, most)
            if size > allowed:
                raise ValueError(
                    f"support_size={size} is more than {allowed}, the smaller of the "
                    f"{n_features} features and the {most} pivots that "
                    f"max_pivots={self.max_pivots} allows of {n_rows} distinct rows."
                )
        return Search(size, self.threshold, most, n_rows)

    def transform(self, X):
        """Standardise rows, and write them in the new basis.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            ``(X - center_) @ M``; dense also for a sparse X, and float32 for float32.
        """
        check_is_fitted(self)
        X = self._read(X, reset=False)
        X = sparse.csr_array(X) if sparse.issparse(X) else X
        out = np.empty(X.shape, working_dtype(X))
        for rows in _row_blocks(X.shape):
            part = X[rows]
            part = part.toarray() if sparse.issparse(part) else part
            out[rows] = self._basis.forward(part - self.center_)
        return out

    def inverse_transform(self, X):
        """Return the rows of which `transform` makes these.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows in the new basis.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            float32 for float32.
        """
        check_is_fitted(self)
        A = check_array(X, dtype=[np.float64, np.float32], input_name="X")
        self._check_length("X", A)
        out = np.empty_like(A)
        for rows in _row_blocks(A.shape):
            part = A[rows].astype(np.float64)
            out[rows] = self._basis.backward(part) + self.center_
        return out

    def coef_to_original(self, u):
        """Return coefficients of the original columns, ``M @ u``.

        Parameters
        ----------
        u : array-like of shape (n_features,) or (n_vectors, n_features)
            Coefficients of the new columns.

        Returns
        -------
        ndarray of shape (n_features,) or (n_vectors, n_features)
            Coefficients of the original columns.
        """
        rows, shape = self._vectors("u", u)
        return self._basis.apply(rows).reshape(shape)

    def coef_to_preconditioned(self, w):
        """Return coefficients of the new columns: the u with ``w = M @ u``.

        Parameters
        ----------
        w : array-like of shape (n_features,) or (n_vectors, n_features)
            Coefficients of the original columns.

        Returns
        -------
        ndarray of shape (n_features,) or (n_vectors, n_features)
            Coefficients of the new columns.
        """
        rows, shape = self._vectors("w", w)
        return self._basis.solve(rows).reshape(shape)

    def _vectors(self, name, given):
        check_is_fitted(self)
        vectors = check_array(given, ensure_2d=False, dtype=np.float64, input_name=name)
        self._check_length(name, vectors)
        return np.atleast_2d(vectors), vectors.shape

    def _check_length(self, name, array):
        if array.shape[-1] != self.n_features_in_:
            raise ValueError(
                f"{name} must have {self.n_features_in_} numbers per row, one for each "
                f"feature; got shape {array.shape}."
            )

    def _read(self, X, **options):
        X = validate_data(
            self, X, accept_sparse="csc", dtype=[np.float64, np.float32], **options
        )
        return canonical(X) if sparse.issparse(X) else X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _row_blocks(shape):
    step = max(1, _AT_ONCE // max(1, shape[1]))
    for start in range(0, shape[0], step):
        yield slice(start, start + step)
