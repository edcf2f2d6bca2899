"""Which estimators can be certified, and who writes their problem.

A certificate function ``problem(estimator, X, y, sample_weight)`` returns a pair: the
fitted estimator's convex problem as a ``cvxpy.Problem``, and that problem's objective
at the fitted attributes, computed without the package's own losses. `X` is validated
(float, possibly sparse), `y` is an array (a classifier's labels are among its
`classes_`, a regressor's targets finite float64), `sample_weight` is (n,), float64.

With all variables at zero the problem should be that of a null model, which no feature
enters: its objective is the scale on which a gap is judged (`Certificate`).
"""

import importlib

__all__ = ["find_problem", "register", "supported"]

_REGRESSORS = "skloss.certification.regressors"
_CLASSIFIERS = "skloss.certification.classifiers"
_ORDINAL = "skloss.ordinal.certificate:problem"
_RANDOM_FEATURES = "skloss.random_features.certificate:problem"
_SPARSE = "skloss.sparse.certificate:problem"

# "top-level package.class" -> "module:function", imported when first needed.
_PROBLEMS = {
    "skloss.MultinomialLogistic": "skloss.linear_eval.certificate:problem",
    "skloss.PrestoClassifier": _ORDINAL,
    "skloss.PrestoClassifierCV": _ORDINAL,
    "skloss.ProportionalOddsClassifier": _ORDINAL,
    "skloss.RandomFeatureRidge": _RANDOM_FEATURES,
    "skloss.RandomFeatureRidgeCV": _RANDOM_FEATURES,
    "skloss.RandomFeatureRidgeClassifier": (
        "skloss.random_features.certificate:classifier_problem"
    ),
    "skloss.SparseRegressor": _SPARSE,
    "skloss.SparseRegressorCV": _SPARSE,
    "sklearn.ElasticNet": f"{_REGRESSORS}:elastic_net_regression",
    "sklearn.ElasticNetCV": f"{_REGRESSORS}:elastic_net_regression",
    "sklearn.GammaRegressor": f"{_REGRESSORS}:gamma_regression",
    "sklearn.HuberRegressor": f"{_REGRESSORS}:huber_regression",
    "sklearn.Lasso": f"{_REGRESSORS}:elastic_net_regression",
    "sklearn.LassoCV": f"{_REGRESSORS}:elastic_net_regression",
    "sklearn.LassoLars": f"{_REGRESSORS}:elastic_net_regression",
    "sklearn.LassoLarsCV": f"{_REGRESSORS}:elastic_net_regression",
    "sklearn.LassoLarsIC": f"{_REGRESSORS}:elastic_net_regression",
    "sklearn.LinearRegression": f"{_REGRESSORS}:least_squares",
    "sklearn.LinearSVC": f"{_CLASSIFIERS}:support_vector_classification",
    "sklearn.LinearSVR": f"{_REGRESSORS}:support_vector_regression",
    "sklearn.LogisticRegression": f"{_CLASSIFIERS}:logistic_regression",
    "sklearn.LogisticRegressionCV": (
        f"{_CLASSIFIERS}:cross_validated_logistic_regression"
    ),
    "sklearn.PoissonRegressor": f"{_REGRESSORS}:poisson_regression",
    "sklearn.QuantileRegressor": f"{_REGRESSORS}:quantile_regression",
    "sklearn.Ridge": f"{_REGRESSORS}:ridge_regression",
    "sklearn.RidgeCV": f"{_REGRESSORS}:ridge_regression",
    "sklearn.RidgeClassifier": f"{_CLASSIFIERS}:ridge_classification",
    "sklearn.RidgeClassifierCV": f"{_CLASSIFIERS}:ridge_classification",
    "sklearn.TweedieRegressor": f"{_REGRESSORS}:tweedie_regression",
}


def register(name, problem, *, overwrite=False):
    """Make an estimator known to `certify`.

    Parameters
    ----------
    name : str
        Top-level package and class, "package.Estimator". Subclasses are not covered:
        they may minimise something else.
    problem : str
        "module:function" of the certificate function, imported when first needed: a
        function ``problem(estimator, X, y, sample_weight)`` that returns the fitted
        estimator's ``cvxpy.Problem`` and its objective at the fitted attributes.
        With all variables at zero the problem should be that of a null model, whose
        objective is the scale on which a gap is judged.
    overwrite : bool, default=False
        Whether to replace another registration of this name.

    Raises
    ------
    TypeError
        If a name is not a string.
    ValueError
        If a name is malformed, or taken by another function and `overwrite` is False.

    Examples
    --------
    >>> from skloss.certification import register, supported
    >>> register("mypackage.MyRidge", "mypackage.certificates:my_ridge")
    >>> "mypackage.MyRidge" in supported()
    True
    """
    if not (isinstance(name, str) and isinstance(problem, str)):
        raise TypeError(f"name and problem must be str; got {name!r}, {problem!r}.")
    if name.count(".") != 1 or problem.count(":") != 1:
        raise ValueError(
            f"Expected 'package.Class' and 'module:function'; got {name!r}, "
            f"{problem!r}."
        )
    taken = _PROBLEMS.get(name, problem)
    if taken != problem and not overwrite:
        raise ValueError(
            f"{name} is registered already, with {taken!r}; pass overwrite=True to "
            f"replace that by {problem!r}."
        )
    _PROBLEMS[name] = problem


def supported():
    """List the estimators that can be certified.

    Returns
    -------
    list of str
        As "package.Class", sorted.

    Examples
    --------
    >>> from skloss.certification import supported
    >>> "sklearn.Lasso" in supported()
    True
    """
    return sorted(_PROBLEMS)


def find_problem(estimator):
    """Certificate function of an estimator's class.

    Raises
    ------
    TypeError
        If there is none.
    """
    cls = type(estimator)
    name = f"{cls.__module__.partition('.')[0]}.{cls.__name__}"
    if name not in _PROBLEMS:
        raise TypeError(
            f"certify does not know which convex problem {cls.__name__} solves. It "
            f"knows {', '.join(supported())}; see skloss.certification.register."
        )
    module, _, function = _PROBLEMS[name].partition(":")
    return getattr(importlib.import_module(module), function)
