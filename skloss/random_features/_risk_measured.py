"""Errors that random-feature ridges have on rows held out of a pool."""

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import is_classifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_random_state, check_X_y

from skloss._parallel import one_blas_thread
from skloss._validation import find_classes
from skloss.random_features._labels import checked_labels
from skloss.random_features.classifier import RandomFeatureRidgeClassifier
from skloss.random_features.features import RandomFeatures
from skloss.random_features.ridge import RandomFeatureRidge
from skloss.random_features.ridge_cv import RandomFeatureRidgeCV

__all__ = [
    "centred_kernel",
    "checked_pool",
    "held_out_errors",
    "plain_ridge",
    "settings_of",
    "with_defaults",
]

_FITTING = (RandomFeatureRidge, RandomFeatureRidgeCV, RandomFeatureRidgeClassifier)
_FEWEST_ROWS = 8
_SEEDS = np.iinfo(np.int32).max
_LARGEST_ALPHA = 1e9  # in units of the largest eigenvalue of K: a fit of zero


def checked_pool(estimator, X, y):
    """Check the estimator and the rows.

    Parameters
    ----------
    estimator : estimator
        One whose errors can be predicted.
    X : {array-like, sparse matrix} of shape (n_pool, n_features)
        Rows.
    y : array-like of shape (n_pool,) or (n_pool, n_targets)
        Targets; labels for a classifier.

    Returns
    -------
    X : {ndarray, CSR array} of float64 of shape (n_pool, n_features)
    Y : ndarray of float64 of shape (n_pool, n_targets)
        Targets, or indicators of classes.

    Raises
    ------
    ValueError
        If the estimator is another one, there are too few rows, or of labels there are
        fewer than two.
    """
    if not isinstance(estimator, _FITTING):
        names = [each.__name__ for each in _FITTING]
        raise ValueError(
            f"estimator must be one of {names}; got {type(estimator).__name__}. "
            "Transform rows before, if it is a step of a pipeline."
        )
    labelled = is_classifier(estimator)
    X, y = check_X_y(
        X,
        y,
        accept_sparse="csr",
        dtype=np.float64,
        multi_output=not labelled,
        y_numeric=not labelled,
        ensure_min_samples=_FEWEST_ROWS,
    )
    if labelled:
        find_classes(checked_labels("y", y))
        y = LabelBinarizer(neg_label=-1, pos_label=1).fit_transform(y)
    return X, np.asarray(y, dtype=np.float64).reshape(X.shape[0], -1)


def with_defaults(estimator, param, n_samples, n_components, alpha, spectrum):
    """Fill in sizes and ridges that were not given.

    Parameters
    ----------
    estimator : estimator
        Whose width and ridge are the default where they do not vary.
    param : str or tuple of str
        What varies.
    n_samples, n_components, alpha : float, array-like, str or None
        As given.
    spectrum : Bunch
        Of the pool.

    Returns
    -------
    dict
        All of them, by name.

    Raises
    ------
    ValueError
        If the estimator has no single width or ridge.
    """
    n_pool = len(spectrum.eigenvalues)
    varied = (param,) if isinstance(param, str) else tuple(param)
    if n_samples is None:
        n_samples = n_pool // 4
        if "n_samples" in varied:
            n_samples = _steps(max(n_pool // 50, 3), 3 * n_pool // 4, 7)
    if n_components is None and "n_components" in varied:
        typical = np.median(np.asarray(n_samples, dtype=np.float64))
        n_components = _steps(max(typical / 10, 2), 10 * typical, 7)
    elif n_components is None:
        n_components = _own(estimator, "n_components")
    if alpha is None and "alpha" in varied:
        # From nearly none to where even the largest eigenvalue is shrunk.
        largest = np.max(n_samples) * spectrum.eigenvalues[0]
        alpha = max(largest, np.finfo(np.float64).tiny) * np.logspace(-7, 0, 8)
    elif alpha is None:
        alpha = _own(estimator, "alpha")
    return {"n_samples": n_samples, "n_components": n_components, "alpha": alpha}


def _steps(low, high, count):
    return np.unique(np.round(np.geomspace(low, high, count)))


def _own(estimator, name):
    """Take the estimator's width or ridge: what was chosen, if it is fitted."""
    value = getattr(estimator, f"{name}_", getattr(estimator, name, None))
    if value is None or np.ndim(value):
        raise ValueError(
            f"{name} must be given: this {type(estimator).__name__} has no single one."
        )
    return value


def settings_of(plan, theory):
    """List the sizes and ridges at which errors are measured.

    Parameters
    ----------
    plan : Plan
        What is drawn.
    theory : Theory
        For the best ridges.

    Returns
    -------
    shape : tuple of int
        Numbers of curves and of points, or of widths and sizes.
    settings : list of tuple
        Numbers of rows and of features, and ridges.

    Raises
    ------
    ValueError
        If sizes are not whole, or no row would be held out.
    """
    at = plan.settings(plan.points)
    n, k, alpha = at["n_samples"], at["n_components"], at["alpha"]
    least = 2 if theory.fit_intercept else 1
    good = (n == np.floor(n)) & (n >= least) & (n < theory.n_pool)
    if not good.all():
        raise ValueError(
            f"n_samples must be whole, at least {least} and less than the "
            f"{theory.n_pool} rows given; got {n[~good][0]:g}."
        )
    good = (k >= 1) & ((k == np.floor(k)) | (k == np.inf))
    if not good.all():
        raise ValueError(
            f"n_components must be whole, at least 1 or inf; got {k[~good][0]:g}."
        )
    if isinstance(alpha, str):
        largest = n * max(theory.eigenvalues[0], np.finfo(np.float64).tiny)
        alpha = np.minimum(theory.best(n, k)[0], _LARGEST_ALPHA * largest)
    elif not ((alpha >= 0) & (alpha < np.inf)).all():
        wrong = alpha[~((alpha >= 0) & (alpha < np.inf))][0]
        raise ValueError(f"alpha must be finite and not negative; got {wrong:g}.")
    settings = [
        (int(rows), np.inf if width == np.inf else int(width), float(ridge))
        for rows, width, ridge in zip(n.ravel(), k.ravel(), alpha.ravel())
    ]
    return n.shape, settings


def plain_ridge(estimator, X):
    """Give the ridge that an estimator fits, its `gamma` found from all rows.

    Parameters
    ----------
    estimator : estimator
        `RandomFeatureRidge`, or one with parameters of the same names.
    X : {ndarray, CSR array} of shape (n_pool, n_features)
        All rows.

    Returns
    -------
    ridge : RandomFeatureRidge
        Not fitted. Its width and penalty are those of the class.
    features : RandomFeatures
        Features of that ridge, for their kernel.
    """
    given = estimator.get_params(deep=False)
    drawn = {
        name: given[name] for name in RandomFeatures().get_params() if name in given
    }
    features = RandomFeatures(**drawn | {"n_components": 1, "random_state": 0}).fit(X)
    names = given.keys() & RandomFeatureRidge().get_params().keys()
    names -= {"n_components", "alpha", "solver", "precision", "verbose", "n_jobs"}
    ridge = RandomFeatureRidge(**{name: given[name] for name in names})
    return ridge.set_params(gamma=features.gamma_, n_jobs=1), features


def centred_kernel(features, X):
    """Kernel of features whose means over all rows are subtracted.

    Parameters
    ----------
    features : RandomFeatures
        Fitted.
    X : {ndarray, CSR array} of shape (n_pool, n_features)
        All rows.

    Returns
    -------
    ndarray of shape (n_pool, n_pool)
    """
    K = features.kernel(X)
    means = K.mean(axis=0)
    K -= means - means.mean()
    K -= means[:, None]
    return K


def held_out_errors(ridge, X, Y, settings, *, n_repeats, random_state, n_jobs):
    """Fit ridges to random rows, and measure their errors on all others.

    Each repeat has one order of the rows, whose first ones are used, and one seed for
    the features. All settings share them, so that their differences are less noisy.

    Parameters
    ----------
    ridge : RandomFeatureRidge
        Clones are fitted.
    X : {ndarray, CSR array} of shape (n_pool, n_features)
        Rows.
    Y : ndarray of shape (n_pool, n_targets)
        Targets.
    settings : list of tuple
        Numbers of rows and of features, and ridges.
    n_repeats : int
        Number of fits of each.
    random_state : int, RandomState instance or None
        Draws rows and features.
    n_jobs : int or None
        Repeats at a time, through joblib.

    Returns
    -------
    ndarray of shape (n_settings, n_repeats)
        Mean squared errors, summed over targets.
    """
    random = check_random_state(random_state)
    draws = [
        (random.permutation(X.shape[0]), int(random.randint(_SEEDS)))
        for _ in range(n_repeats)
    ]
    found = Parallel(n_jobs=n_jobs)(
        delayed(_errors_of)(ridge, X, Y, settings, order, seed) for order, seed in draws
    )
    return np.array(found).T


def _errors_of(ridge, X, Y, settings, order, seed):
    """Errors of all settings with one order of the rows and one seed."""
    params, errors = ridge.get_params(), []
    with one_blas_thread():  # the number of threads would change the last digits
        for n, k, alpha in settings:
            train, test = order[:n], order[n:]
            model = RandomFeatureRidge(
                **params | {"n_components": k, "alpha": alpha, "random_state": seed}
            ).fit(X[train], Y[train])
            left = model.predict(X[test]) - Y[test]
            errors.append(np.einsum("ij,ij->", left, left) / len(test))
    return errors
