"""What ``sparse.py`` measures on one draw: errors, gaps, sizes by method."""

import warnings

import numpy as np
from sklearn.cross_decomposition import PLSRegression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LassoCV, RidgeCV, lasso_path
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sparse_designs import draw, spectra

from skloss.sparse.best_subset_cv import BestSubsetRegressorCV
from skloss.sparse.path import duality_gap, sparse_path
from skloss.sparse.preconditioned_lasso_cv import PreconditionedLassoCV
from skloss.sparse.sparse_regressor_cv import SparseRegressorCV

try:
    from abess import LinearRegression as Abess
except ImportError:
    Abess = None

DEEP = 1e-5  # smallest strength, as a share of the largest, in hindsight
L2S = (0.0, 0.001, 0.01, 0.1)  # narrower than the default


def _at_best(data, coefs, alphas):
    """Error and gap, as a share of y's variance, at the best strength."""
    y = data.y - data.y.mean()
    errors = [data.error(data.X @ coef) for coef in coefs]
    best = int(np.argmin(errors))
    gap = duality_gap(data.X, y, coefs[best], alphas[best]) / y.var()
    return errors[best], gap, best


def _lasso_in_hindsight(data, n_alphas, lassos):
    """Errors and gaps at the best of all strengths, which nobody knows.

    scikit-learn's Lasso comes from a fit for each strength, from a warm path, and
    with twenty times the default number of passes, as `lassos` says.
    """
    X, y = data.X, data.y - data.y.mean()
    grid, coefs, _ = sparse_path(X, y, n_alphas=n_alphas, eps=DEEP)
    fits = {"certified Lasso": (coefs.T, grid)}
    best = grid[_at_best(data, coefs.T, grid)[-1]]
    usual = grid[0] * np.geomspace(1, 1e-3, n_alphas)
    if "single" in lassos:
        few = np.append(usual[:: n_alphas // 12], best)
        fits["Lasso"] = [Lasso(alpha).fit(X, y).coef_ for alpha in few], few
    if "path" in lassos:
        fits["lasso_path"] = lasso_path(X, y, alphas=usual)[1].T, usual
    if "patient" in lassos:
        patient = Lasso(best, tol=1e-6, max_iter=20_000).fit(X, y)
        fits["Lasso, 20000 passes"] = [patient.coef_], [best]
    row = {}
    for method, (coefs, alphas) in fits.items():
        found = _at_best(data, coefs, alphas)
        row[f"{method}, best alpha"], row[f"gap: {method}"] = found[:2]
    return row


def cancelling(seed, *, n_alphas=150, lassos=("single",), **setting):
    """Coefficients that nearly cancel: errors of the Lasso and of the new basis."""
    data = draw("factors", seed, snr=10, cancel=True, **setting)
    X, y, support = data.X, data.y, data.support
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        row = _lasso_in_hindsight(data, n_alphas, lassos)
        models = {
            "SparseRegressorCV": SparseRegressorCV(),
            "preconditioned": PreconditionedLassoCV(precondition=True, random_state=0),
        }
        for method, model in models.items():
            row[method] = data.error(model.fit(X, y).predict(X))
        # One fit gives both, the choice of the path and the search that follows it.
        both = PreconditionedLassoCV(n_nonzero_coefs=support.size, random_state=0)
        both.fit(X, y)
    before = both.preconditioner_.coef_to_original(both.coef_preconditioned_)
    row["PreconditionedLassoCV"] = data.error(X @ before)
    row["  and true k"] = data.error(both.predict(X))
    row["new basis chosen"] = both.used_preconditioner_
    fit = np.linalg.lstsq(X[:, support], y - y.mean(), rcond=None)[0]
    row["true support"] = data.error(X[:, support] @ fit)
    return row


def correlated(seed, *, name, sklearn=True, **setting):
    """Coefficients of one size: errors, sizes and balance of the columns found."""
    data = draw(name, seed, **setting)
    X, y, k = data.X, data.y, data.support.size
    models = {
        "LassoCV": LassoCV() if sklearn else None,
        "SparseRegressorCV": SparseRegressorCV(),
        "preconditioned": PreconditionedLassoCV(precondition=True, random_state=0),
        "PreconditionedLassoCV": PreconditionedLassoCV(random_state=0),
        "  and k by CV": PreconditionedLassoCV(n_nonzero_coefs="cv", random_state=0),
        "BestSubsetRegressorCV": BestSubsetRegressorCV(n_starts=0, random_state=0),
        "abess, true k": Abess and Abess(support_size=[k]),
    }
    row = {}
    with warnings.catch_warnings():
        # Of scikit-learn's path, at its small strengths.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for method, model in models.items():
            if model is None:
                continue
            row[method] = data.error(model.fit(X, y).predict(X))
            chosen = np.flatnonzero(model.coef_)
            row[f"F1: {method}"] = data.f1(chosen)
            row[f"size: {method}"] = len(chosen)
    row["new basis chosen"] = models["PreconditionedLassoCV"].used_preconditioner_
    row["subset: l2"] = models["BestSubsetRegressorCV"].l2_
    return row


def noisy(seed, *, name="independent", **setting):
    """Much noise: errors of subsets, with and without shrinkage, Lasso and ridge."""
    data = draw(name, seed, **setting)
    X, y = data.X, data.y
    options = {"max_features": 10, "n_starts": 0, "random_state": 0}
    models = {
        "subset, no l2": BestSubsetRegressorCV(l2s=[0.0], **options),
        "subset, default l2s": BestSubsetRegressorCV(**options),
        "subset, narrow l2s": BestSubsetRegressorCV(l2s=L2S, **options),
        "SparseRegressorCV": SparseRegressorCV(),
        "ridge": RidgeCV(np.geomspace(1e-2, 1e6, 40)),
    }
    row = {"nothing": 1.0}
    for method, model in models.items():
        row[method] = data.error(model.fit(X, y).predict(X))
        if "subset" in method:
            row[f"l2: {method}"] = model.l2_
        row[f"size: {method}"] = np.count_nonzero(model.coef_)
    return row


def near_infrared(seed, *, n_wavelengths=401, max_features=10):
    """Spectra, 50 to fit and 10 to predict: root mean squared errors and sizes."""
    X, y = spectra(seed, n_wavelengths=n_wavelengths)
    train, test = slice(None, 50), slice(50, None)
    components = {"n_components": np.arange(1, 11)}
    pls = GridSearchCV(
        PLSRegression(scale=False), components, scoring="neg_mean_squared_error"
    )
    options = {"max_features": max_features, "random_state": 0}
    models = {
        "PLS": pls,
        "LassoCV": make_pipeline(StandardScaler(), LassoCV()),
        "PreconditionedLassoCV": PreconditionedLassoCV(random_state=0),
        "subset, no l2": BestSubsetRegressorCV(l2s=[0.0], **options),
        "subset, default l2s": BestSubsetRegressorCV(**options),
        "subset, fine l2s": BestSubsetRegressorCV(
            l2s=[0.0, *np.geomspace(1e-6, 1e-1, 6)], **options
        ),
        "ridge": make_pipeline(StandardScaler(), RidgeCV(np.geomspace(1e-6, 1e2, 40))),
    }
    row = {"mean": np.sqrt(np.mean((y[test] - y[train].mean()) ** 2))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for method, model in models.items():
            predicted = model.fit(X[train], y[train]).predict(X[test]).ravel()
            row[method] = np.sqrt(np.mean((y[test] - predicted) ** 2))
            last = model[-1] if hasattr(model, "steps") else model
            coef = getattr(last, "coef_", np.ones(n_wavelengths))
            row[f"size: {method}"] = np.count_nonzero(coef)
            if "subset" in method:
                row[f"l2: {method}"] = model.l2_
    row["components: PLS"] = pls.best_params_["n_components"]
    return row
