"""Expectations of products of activations: what random features converge to.

A unit with Gaussian weights sees two rows as two correlated Gaussian numbers u and v.
The mean of phi(u) phi(v) over infinitely many units is the kernel of such features,
and the step from one layer to the next in an infinitely wide network.
"""

import numbers
from typing import NamedTuple

import numpy as np

from skloss._blocks import rows_per_block
from skloss._validation import as_kernel_array, working_dtype
from skloss.kernels import _dual_formulas as formulas
from skloss.kernels import _dual_kernels as kernels
from skloss.kernels._dual_quadrature import HermiteSeries

__all__ = ["dual_activation", "dual_diagonal", "known_activations"]


class _Formula(NamedTuple):
    """A closed form, and the variance at which its activation bends."""

    activation: tuple
    width: float = 1.0


class _Mixture(NamedTuple):
    """`height` times tanh(u / `widening`), plus the root of `constant`.

    The mean of tanh is 0, so that the constant's square adds to the expectations.
    """

    widening: float
    height: float
    constant: float


# fmt: off
_TABLE = {
    # name           formula                                  phi(u)
    "linear":        _Formula(formulas.Linear()),            # u
    "relu":          _Formula(formulas.Piecewise(0.0, 1.0)), # max(u, 0)
    "leaky_relu":    None,                                  # max(u, 0) + a min(u, 0)
    "abs":           _Formula(formulas.Piecewise(-1.0, 1.0)),
    "step":          _Formula(formulas.Step()),              # 1 if u > 0 else 0
    "sign":          _Formula(formulas.Sign()),
    "erf":           _Formula(formulas.Erf(), 0.5),
    "gelu":          _Formula(formulas.Gelu()),              # u P(standard normal < u)
    "square":        _Formula(formulas.Square()),            # u^2
    "exp":           _Formula(formulas.Exponential()),       # exp(u - var(u) / 2)
    "gaussian":      _Formula(formulas.Bump(), 0.5),         # exp(-u^2)
    "sin":           _Formula(formulas.Sine()),
    "cos":           _Formula(formulas.Cosine()),
    "sincos":        _Formula(formulas.Wave(0.5)),           # the pair sin(u), cos(u)
    "random_phase":  _Formula(formulas.Wave(0.5)),           # sqrt(2) cos(u + b)
    "rbf":           _Formula(formulas.Wave(1.0)),  # sqrt(2) sin(sqrt(2) u + pi / 4)
    "tanh":          _Mixture(1.0, 1.0, 0.0),
    "sigmoid":       _Mixture(2.0, 0.5, 0.25),              # 1 / (1 + exp(-u))
}
# fmt: on

# tanh(u) is the mean of erf(u / sqrt(2) s) over a random scale s, twice which has
# Kolmogorov's distribution (Andrews and Mallows, 1974). Gauss's rule of 10 nodes in
# the logarithm of the scale, from 60-digit arithmetic: scales and weights. The mean
# over the rule is within 1.5e-8 of tanh(u), relatively, for all u; the error changes
# sign so often that it nearly vanishes from expectations of products.
_SCALES = np.array(
    [
        (0.3022515725793385, 6.956693914282693e-05),
        (0.3783400271808792, 0.004269207908548157),
        (0.4720791143614668, 0.04738941802790831),
        (0.5941455414921925, 0.18070483007429805),
        (0.7560415966993926, 0.31218265753701563),
        (0.9692149405681731, 0.28238643603317676),
        (1.2412607445997321, 0.13792370581355803),
        (1.576398361590702, 0.032311345253772),
        (1.9853008262906442, 0.0027201514350036543),
        (2.5073935058248615, 4.2680977576607146e-05),
    ]
)


def known_activations():
    """List the names of the activations whose duals have closed forms or rules.

    Returns
    -------
    list of str
        Sorted.

    Examples
    --------
    >>> from skloss.kernels import known_activations
    >>> "gelu" in known_activations()
    True
    """
    return sorted(_TABLE)


def dual_activation(
    activation,
    S_xy,
    S_xx,
    S_yy,
    *,
    derivative=False,
    negative_slope=0.01,
    squared_distances=None,
    out=None,
):
    r"""Compute E[phi(u) phi(v)] for correlated Gaussian numbers u and v.

    For every entry, (u, v) is Gaussian with mean 0, variances `S_xx` and `S_yy` and
    covariance `S_xy`. The error of an entry is what some roundings of its three
    arguments amount to, plus some epsilons of float64 (tanh and sigmoid: at most
    1e-11; callables: about 1e-10) relative to
    :math:`\sqrt{E\varphi(u)^2\,E\varphi(v)^2}`, for variances from 0 to 1e300.
    Results beyond the largest number of the dtype are infinite.

    Parameters
    ----------
    activation : str or callable
        A name from `known_activations`, or a function phi of a float64 array that
        returns an array of its shape, smooth but for a jump or a bend at 0, and that
        grows no faster than a polynomial.
    S_xy : array-like of shape (n, m)
        Covariances of the rows' u with the columns' v. Correlations are clipped to
        [-1, 1].
    S_xx : array-like of shape (n,)
        Variances of the rows' u.
    S_yy : array-like of shape (m,)
        Variances of the columns' v.
    derivative : bool, default=False
        Compute E[phi'(u) phi'(v)] instead, the derivative with respect to `S_xy`. It
        is 0 for the jumps of "step" and "sign", by convention. For a callable, hand
        over its derivative instead.
    negative_slope : float, default=0.01
        Slope below 0 of "leaky_relu"; others ignore it.
    squared_distances : array-like of shape (n, m), default=None
        Expected squares of u - v. Where u and v nearly coincide these cannot be told
        from `S_xy` that is a rounded sum of products: an error e in the correlation
        becomes sqrt(2 e) in the angle. Distances that were computed from differences
        of rows can tell. Callables ignore them.
    out : ndarray of shape (n, m), default=None
        Where to write the result: C-contiguous, of the result's dtype. It may be
        `S_xy` itself.

    Returns
    -------
    ndarray of shape (n, m)
        float32 if `S_xy` is, else float64. The arithmetic is float64 in either case.

    Raises
    ------
    ValueError
        If the activation is unknown, if shapes do not fit, if a variance is negative
        or not finite, or if the derivative of a callable is asked for.

    Notes
    -----
    With :math:`\rho` the correlation and :math:`\theta = \arccos\rho`, the piecewise
    linear activations follow Cho and Saul (2009), erf Williams (1997), GELU Tsuchida
    et al. (2021). u and v that are always 0 have :math:`\theta = \pi/2` in the
    derivatives, as if phi' were the mean of both sides there; "step" and "sign" are 0
    at 0. tanh is a mean of functions erf(u / c) over 10 scales c, so that its dual is
    a sum of arc sines. Callables take a series in the correlation (Mehler, 1866) of
    up to 512 terms; where that is not enough, a rule in polar coordinates, which costs
    some 10^5 evaluations an entry: next to collinear rows, mostly.

    "cos" and "sin" are single functions; "random_phase" is sqrt(2) cos(u + b) with b
    uniform on the circle, "sincos" the sum for sin and for cos, both of which give
    exp(-E(u - v)^2 / 2). "exp" is exp(u - S_xx / 2), whose dual is exp(`S_xy`).

    Beside the result, memory for one strip of 512 columns is taken (callables: one
    block of rows). Entries that are equal in all three arguments, up to swapping rows
    and columns, are equal to the last bit.

    References
    ----------
    Y. Cho and L. K. Saul, "Kernel methods for deep learning", NeurIPS 2009.

    C. K. I. Williams, "Computation with infinite neural networks", Neural
    Computation 10(5), 1998.

    R. Tsuchida, T. Pearce, C. van der Heide, F. Roosta, M. Gallagher, "Avoiding
    kernel fixed points: computing with ELU and GELU infinite networks", AAAI 2021.

    D. F. Andrews and C. L. Mallows, "Scale mixtures of normal distributions",
    Journal of the Royal Statistical Society B 36(1), 1974.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.kernels import dual_activation
    >>> X = np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> S, variances = X @ X.T, np.array([1.0, 4.0])
    >>> dual_activation("relu", S, variances, variances).round(4)
    array([[0.5   , 0.3183],
           [0.3183, 2.    ]])
    """
    S, q, r = _check_moments(S_xy, S_xx, S_yy)
    dtype = working_dtype(S)
    given = _check_distances(squared_distances, S)
    out = _check_out(out, S.shape, dtype)
    if not S.size:
        return out
    if callable(activation):
        _refuse_derivative(derivative)
        fill = HermiteSeries(activation, q, r).fill
    else:
        fill = _filler(_find(activation, negative_slope), derivative, q, r)
    step = rows_per_block(max(1, S.shape[1]), dtype.itemsize)
    for start in range(0, S.shape[0], step):
        rows = slice(start, start + step)
        block = as_kernel_array(S[rows], dtype)
        distances = block if given is None else as_kernel_array(given[rows], dtype)
        fill(block, distances, given is not None, rows, out[rows])
    return out


def dual_diagonal(activation, variances, *, derivative=False, negative_slope=0.01):
    """Compute E[phi(u)^2] for a Gaussian number u, without the noise of angles near 0.

    Parameters
    ----------
    activation : str or callable
        As in `dual_activation`.
    variances : array-like of shape (n,)
        Variances of u.
    derivative : bool, default=False
        Compute E[phi'(u)^2] instead.
    negative_slope : float, default=0.01
        Slope below 0 of "leaky_relu".

    Returns
    -------
    ndarray of shape (n,)
        float32 if `variances` are, else float64.

    Raises
    ------
    ValueError
        As `dual_activation`.

    Examples
    --------
    >>> from skloss.kernels import dual_diagonal
    >>> dual_diagonal("relu", [1.0, 4.0])
    array([0.5, 2. ])
    """
    variances = np.asarray(variances)
    q = _check_variances(variances, "variances")
    dtype = working_dtype(variances)
    out = np.empty(len(q))
    if callable(activation):
        _refuse_derivative(derivative)
        if not len(q):
            return out.astype(dtype)
        return HermiteSeries(activation, q, q).mean_squares.astype(dtype)
    found = _find(activation, negative_slope)
    if isinstance(found, _Mixture):
        inner, weights, widths, constant = _mixture(found, derivative)
        y = _sides(q, widths)
        x = as_kernel_array(y.T, np.float64)
        kernels.fill_mixture_diagonal(inner, x, y, weights, constant, out)
    else:
        chosen = formulas.Slope(found.activation) if derivative else found.activation
        kernels.fill_diagonal(chosen, _sides(q, [found.width]), out)
    return out.astype(dtype, copy=False)


def _filler(found, derivative, q, r):
    """Choose the function that fills the results for some rows."""
    if isinstance(found, _Mixture):
        inner, weights, widths, constant = _mixture(found, derivative)
        x, y = as_kernel_array(_sides(q, widths).T, np.float64), _sides(r, widths)

        def fill(S, distances, measured, rows, out):
            kernels.fill_mixture(
                inner, S, distances, measured, x[rows], y, weights, constant, out
            )

        return fill
    chosen = formulas.Slope(found.activation) if derivative else found.activation
    x = as_kernel_array(_sides(q, [found.width]).T, np.float64)
    y = _sides(r, [found.width])

    def fill(S, distances, measured, rows, out):
        kernels.fill(chosen, S, distances, measured, x[rows], y, out)

    return fill


def _sides(variances, widths):
    """Variances, their roots, and their shares and spreads next to each width."""
    q, t = variances, np.asarray(widths, dtype=np.float64)[:, None]
    shares, spreads = np.sqrt(q / (q + t)), np.sqrt(t / (q + t))
    return as_kernel_array(np.vstack([q, np.sqrt(q), shares, spreads]), np.float64)


def _mixture(found, derivative):
    """Return what is mixed, the weights, the widths, and what is added."""
    scales, weights = found.widening * _SCALES[:, 0], found.height * _SCALES[:, 1]
    inner, constant = formulas.Erf(), found.constant
    if derivative:
        inner, constant = formulas.Slope(inner), 0.0
        weights = weights / (np.sqrt(2) * scales)
    return inner, as_kernel_array(weights, np.float64), scales**2, constant


def _find(activation, negative_slope):
    if activation == "leaky_relu":
        slope = negative_slope
        if not isinstance(slope, numbers.Real) or not np.isfinite(slope):
            raise ValueError(f"negative_slope={slope!r} must be a finite number.")
        return _Formula(formulas.Piecewise(float(slope), 1.0))
    found = _TABLE.get(activation) if isinstance(activation, str) else None
    if found is None:
        raise ValueError(
            f"activation={activation!r} is unknown: use a callable or one of "
            f"{known_activations()}."
        )
    return found


def _refuse_derivative(derivative):
    if derivative:
        raise ValueError(
            "derivative=True needs a named activation: for a callable, hand over its "
            "derivative as the activation."
        )


def _check_variances(values, name):
    if values.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {values.shape}.")
    checked = as_kernel_array(values, np.float64)
    wrong = np.flatnonzero(~((checked >= 0) & (checked < np.inf)))
    if wrong.size:
        raise ValueError(
            f"{name}[{wrong[0]}] is {checked[wrong[0]]}: variances must be finite and "
            "not negative."
        )
    return checked


def _check_moments(S_xy, S_xx, S_yy):
    S = np.asarray(S_xy)
    q = _check_variances(np.asarray(S_xx), "S_xx")
    r = _check_variances(np.asarray(S_yy), "S_yy")
    if S.shape != (len(q), len(r)):
        raise ValueError(
            f"S_xy has shape {S.shape}; S_xx and S_yy ask for {(len(q), len(r))}."
        )
    return S, q, r


def _check_distances(squared_distances, S):
    if squared_distances is None:
        return None
    given = np.asarray(squared_distances)
    if given.shape != S.shape:
        raise ValueError(
            f"squared_distances has shape {given.shape}; S_xy has {S.shape}."
        )
    return given


def _check_out(out, shape, dtype):
    if out is None:
        return np.empty(shape, dtype)
    out = np.asarray(out)
    if out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous:
        raise ValueError(
            f"out must be a C-contiguous array of shape {shape} and dtype {dtype}; it "
            f"has shape {out.shape} and dtype {out.dtype}."
        )
    return out
