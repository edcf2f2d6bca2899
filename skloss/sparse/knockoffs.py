"""Gaussian knockoffs: columns like those of a design, drawn without the target."""

from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.linalg import lapack
from sklearn.base import clone
from sklearn.covariance import LedoitWolf
from sklearn.utils import check_array, check_random_state

from skloss._parallel import one_blas_thread
from skloss._validation import column_scale, working_dtype
from skloss.sparse._knockoff_scales import METHODS, inverse_of, knockoff_scales

__all__ = ["FeatureModel", "GaussianKnockoffs", "gaussian_knockoffs"]

_ASYMMETRY = 1e-8  # share of the standard deviations that may be rounding


class FeatureModel(NamedTuple):
    """Mean and covariance of the features.

    Parameters
    ----------
    mean : ndarray of shape (d,)
        Means.
    scale : ndarray of shape (d,)
        Standard deviations; 1 for constant features.
    correlation : ndarray of shape (d, d)
        Correlations; of constant features they are zero.
    varies : ndarray of shape (d,), bool
        Features that are not constant.
    """

    mean: np.ndarray
    scale: np.ndarray
    correlation: np.ndarray
    varies: np.ndarray

    @classmethod
    def read(cls, X, covariance, mean):
        """Estimate the model, or check a given one.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Rows, float32 or float64.
        covariance, mean
            See `gaussian_knockoffs`.
        """
        n_features = X.shape[1]
        center = X.mean(axis=0, dtype=np.float64)
        if mean is not None:
            center = _vector("mean", mean, n_features)
        if covariance is None or hasattr(covariance, "fit"):
            return cls._estimated(X, covariance, center)
        matrix = check_array(covariance, dtype=np.float64, input_name="covariance")
        if matrix.shape != (n_features, n_features):
            raise ValueError(
                f"covariance must have shape {(n_features, n_features)}; got "
                f"{matrix.shape}."
            )
        variances = matrix.diagonal().copy()
        if variances.min() < 0:
            raise ValueError(
                f"covariance has a negative diagonal entry, {variances.min()}."
            )
        varies = variances > 0
        scale = np.sqrt(np.where(varies, variances, 1.0))
        correlation = matrix / scale / scale[:, None]
        if np.abs(correlation - correlation.T).max() > _ASYMMETRY:
            raise ValueError("covariance must be symmetric; it is not.")
        if np.abs(correlation[~varies]).max(initial=0.0) > 0:
            raise ValueError(
                "covariance must be positive semi-definite; a feature of variance 0 "
                "has a covariance with another one."
            )
        return cls(center, scale, (correlation + correlation.T) / 2, varies)

    @classmethod
    def _estimated(cls, X, estimator, center):
        Z = X - X.mean(axis=0, dtype=np.float64)
        deviation = np.sqrt(np.square(Z).mean(axis=0))
        scale = column_scale(X.mean(axis=0, dtype=np.float64), deviation)
        varies = (scale == deviation) & (deviation > 0)
        scale = np.where(varies, scale, 1.0)
        Z = Z[:, varies] / scale[varies]
        correlation = np.zeros((varies.size, varies.size))
        if varies.any():
            estimator = (
                LedoitWolf(store_precision=False)
                if estimator is None
                else clone(estimator)
            )
            found = getattr(clone(estimator).fit(Z), "covariance_", None)
            if found is None:
                raise ValueError(f"covariance={estimator!r} has no covariance_.")
            # A fit need not keep the variances: those of the columns are right.
            root = np.sqrt(found.diagonal())
            scale[varies] *= root
            correlation[np.ix_(varies, varies)] = found / root / root[:, None]
        return cls(center, scale, correlation, varies)

    @property
    def covariance(self):
        """Covariance matrix, in units of the features."""
        return self.correlation * self.scale * self.scale[:, None]

    def standardised(self, X):
        """Columns less their means, divided by their standard deviations."""
        return (X - self.mean) / self.scale


class GaussianKnockoffs:
    """The law of the knockoffs of Gaussian features, given the features.

    With correlations C and scales S, a knockoff row is normal with mean
    ``x @ coef``, ``coef = I - inv(C) @ S``, and covariance ``2S - S @ inv(C) @ S``.

    Parameters
    ----------
    model : FeatureModel
        Features.
    method : str
        Of `skloss.sparse._knockoff_scales.METHODS`.

    Attributes
    ----------
    s : ndarray of shape (d,)
        Scales, of features with variance 1; 0 for constant ones.
    coef, residual : ndarray of shape (v, v)
        Of the v features that vary: the above, and a root R of the covariance,
        ``R @ R.T``.
    """

    def __init__(self, model, method):
        self.model = model
        self.s = np.zeros(model.varies.size)
        v = model.varies
        if not v.any():
            return
        C = np.ascontiguousarray(model.correlation[np.ix_(v, v)])
        self.s[v] = knockoff_scales(C, method).values
        inverse, _ = inverse_of(C)
        scaled = inverse * self.s[v]  # inv(C) @ S
        self.coef = np.eye(len(C)) - scaled
        covariance = 2.0 * np.diag(self.s[v]) - self.s[v][:, None] * scaled
        self.residual = _root((covariance + covariance.T) / 2)

    def draw(self, Z, random):
        """Draw knockoffs of standardised rows.

        Parameters
        ----------
        Z : ndarray of shape (n, d)
            Rows.
        random : RandomState
            Draws them.

        Returns
        -------
        ndarray of shape (n, d)
            float64; constant features stay what they are.
        """
        v, out = self.model.varies, Z.copy()
        if v.any():
            noise = random.standard_normal((len(Z), np.count_nonzero(v)))
            out[:, v] = Z[:, v] @ self.coef + noise @ self.residual.T
        return out


def _root(covariance):
    """Cholesky factor, also of a matrix that is singular but for rounding."""
    diagonal = np.maximum(covariance.diagonal(), 0.0)
    for ridge in (0.0, 1e-14, 1e-12, 1e-10):
        matrix = covariance + ridge * diagonal.max() * np.eye(diagonal.size)
        factor, info = lapack.dpotrf(matrix.T, lower=1, clean=1)
        if info == 0:
            return factor
    values, vectors = linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def gaussian_knockoffs(
    X, *, method="mvr", covariance=None, mean=None, random_state=None
):
    """Draw knockoffs of Gaussian features.

    Knockoffs have the means, the variances and the correlations of the features, with
    the features the same covariances as these with each other, but for their own
    feature, from which they are as different as can be. Being drawn without the target,
    they have nothing to tell about it that the features do not. If rows are normal with
    the given mean and covariance, then a feature and its knockoff may change places
    without any change of the joint distribution. With estimates this holds
    approximately, and of the first two moments.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows; constant features have themselves as knockoffs.
    method : {"mvr", "maxent", "sdp", "equicorrelated"}, default="mvr"
        What the knockoffs are to be good at: each variable being hard to reconstruct
        from all others and the knockoffs ("mvr"), large entropy ("maxent"), small
        correlations with their features, on average ("sdp") or all alike
        ("equicorrelated").
    covariance : array-like of shape (n_features, n_features), estimator or None, \
            default=None
        Covariance matrix of the rows, positive definite but for features of variance
        0, or an estimator from `sklearn.covariance`, fitted to standardised columns;
        by default `LedoitWolf`, which also serves more features than rows.
    mean : array-like of shape (n_features,), default=None
        Means; by default those of X.
    random_state : int, RandomState instance or None, default=None
        Draws the knockoffs.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        Knockoffs, float32 for float32.

    Raises
    ------
    ValueError
        If the covariance matrix is not symmetric and positive definite, a shape is
        wrong, or X holds nan or infinity.

    See Also
    --------
    KnockoffSelector : Selection of features by knockoffs.

    Notes
    -----
    Time is proportional to the cube of the number of features, memory to the square.

    References
    ----------
    E. Candès, Y. Fan, L. Janson, J. Lv, "Panning for gold: model-X knockoffs for high
    dimensional controlled variable selection", JRSS B 80(3), 2018 (the construction).
    A. Spector, L. Janson, "Powerful knockoffs via minimizing reconstructability",
    Annals of Statistics 50(1), 2022 ("mvr" and "maxent").

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.sparse.knockoffs import gaussian_knockoffs
    >>> rng = np.random.default_rng(0)
    >>> X = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=5000)
    >>> copies = gaussian_knockoffs(X, random_state=0)
    >>> np.corrcoef(X[:, 0], copies[:, 1])[0, 1].round(1)  # as with the other feature
    np.float64(0.5)
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}; got {method!r}.")
    X = check_array(X, dtype=[np.float64, np.float32], ensure_min_samples=2)
    random = check_random_state(random_state)
    with one_blas_thread():
        model = FeatureModel.read(X, covariance, mean)
        knockoffs = GaussianKnockoffs(model, method).draw(model.standardised(X), random)
    knockoffs = model.mean + knockoffs * model.scale
    knockoffs[:, ~model.varies] = X[:, ~model.varies]
    return knockoffs.astype(working_dtype(X), copy=False)


def _vector(name, values, size):
    values = check_array(values, ensure_2d=False, dtype=np.float64, input_name=name)
    if values.shape != (size,):
        raise ValueError(
            f"{name} must have one number for each of the {size} features; got shape "
            f"{values.shape}."
        )
    return values
