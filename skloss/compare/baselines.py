"""Scikit-learn's rivals for each task, with their search grids."""

import numpy as np

from skloss.compare.registry import register

_ALPHAS = np.logspace(-3, 4, 8).tolist()
_BOOSTING = {"learning_rate": [0.03, 0.1, 0.3], "max_leaf_nodes": [7, 31]}
_CLUSTERS = list(range(2, 11))
# The default of 100 iterations is what users meet first and stays in the column of
# defaults; the search itself must not lose to an iteration limit.
_LOGISTIC = {"C": np.logspace(-3, 4, 8).tolist(), "max_iter": [1000]}


def _classifiers():
    rivals = [
        ("sklearn.linear_model:LogisticRegression", _LOGISTIC, "scaling"),
        (
            "sklearn.discriminant_analysis:LinearDiscriminantAnalysis",
            {
                "solver": ["lsqr"],
                "shrinkage": [None, "auto", 0.01, 0.05, 0.1, 0.25, 0.5, 0.9],
            },
            (),
        ),
        (
            "sklearn.naive_bayes:GaussianNB",
            {"var_smoothing": np.logspace(-9, 1, 8).tolist()},
            (),
        ),
        ("sklearn.ensemble:HistGradientBoostingClassifier", _BOOSTING, ()),
        ("sklearn.dummy:DummyClassifier", {}, ()),
    ]
    for estimator, grid, needs in rivals:
        register("classification", estimator, grid, baseline=True, needs=needs)


def _ordinal():
    register(
        "ordinal",
        "sklearn.linear_model:LogisticRegression",
        _LOGISTIC,
        baseline=True,
        needs="scaling",
    )
    register(
        "ordinal",
        "skloss.compare.rivals:one_vs_rest_logistic",
        {"estimator__C": _LOGISTIC["C"], "estimator__max_iter": [1000]},
        baseline=True,
        needs="scaling",
        name="LogisticRegression (one-vs-rest)",
    )
    register(
        "ordinal",
        "sklearn.ensemble:HistGradientBoostingClassifier",
        _BOOSTING,
        baseline=True,
    )
    register("ordinal", "sklearn.dummy:DummyClassifier", {}, baseline=True)


def _regression():
    rivals = [
        ("sklearn.linear_model:Ridge", {"alpha": _ALPHAS}, "scaling", None),
        (
            "skloss.compare.rivals:rbf_kernel_ridge",
            {"alpha": [1e-3, 1e-2, 0.1, 1.0], "gamma": [None, 0.01, 0.1]},
            ("scaling", "few rows"),
            "KernelRidge (RBF)",
        ),
        (
            "skloss.compare.rivals:random_fourier_ridge",
            {
                "ridge__alpha": [1e-3, 1e-2, 0.1, 1.0],
                "rbfsampler__gamma": ["scale", 0.01, 0.1],
            },
            "scaling",
            "RBFSampler + Ridge",
        ),
        ("sklearn.ensemble:HistGradientBoostingRegressor", _BOOSTING, (), None),
        ("sklearn.dummy:DummyRegressor", {}, (), None),
    ]
    for estimator, grid, needs, name in rivals:
        register("regression", estimator, grid, baseline=True, needs=needs, name=name)


def _sparse():
    rivals = [
        ("sklearn.linear_model:LassoCV", "scaling"),
        ("sklearn.linear_model:ElasticNetCV", "scaling"),
        ("sklearn.linear_model:OrthogonalMatchingPursuitCV", "scaling"),
        ("skloss.compare.rivals:ridge_cv", "scaling"),
        ("sklearn.dummy:DummyRegressor", ()),
    ]
    for estimator, needs in rivals:
        name = "RidgeCV" if estimator.endswith("ridge_cv") else None
        register("sparse", estimator, {}, baseline=True, needs=needs, name=name)


def _aggregate():
    ridge, logistic = {"alpha": _ALPHAS}, _LOGISTIC
    rivals = [
        ("ridge_on_bag_means", "Ridge on bag means", "estimator__", ridge),
        ("ridge", "Ridge on repeated labels", "", ridge),
        (
            "logistic_on_bag_means",
            "LogisticRegression on bag means",
            "estimator__estimator__",
            logistic,
        ),
        (
            "logistic_on_repeated_labels",
            "LogisticRegression on repeated labels",
            "estimator__",
            logistic,
        ),
    ]
    for function, name, prefix, grid in rivals:
        register(
            "aggregate",
            f"skloss.compare.rivals:{function}",
            {prefix + parameter: values for parameter, values in grid.items()},
            baseline=True,
            needs=("scaling", "unit target") if grid is logistic else "scaling",
            name=name,
        )
    register("aggregate", "sklearn.dummy:DummyRegressor", {}, baseline=True)


def _clustering():
    register(
        "clustering",
        "sklearn.cluster:KMeans",
        {"n_clusters": _CLUSTERS},
        baseline=True,
        needs="scaling",
    )
    register(
        "clustering",
        "sklearn.cluster:AgglomerativeClustering",
        {"n_clusters": _CLUSTERS},
        baseline=True,
        needs=("scaling", "few rows"),
    )
    register(
        "clustering",
        "skloss.compare.rivals:RandomLabels",
        {},
        baseline=True,
        needs="scaling",
        name="Random labels",
    )


_classifiers()
_ordinal()
_regression()
_sparse()
_aggregate()
_clustering()
