"""What the fitted ridge models share: predictions, coefficients, descriptions."""

from functools import update_wrapper
from types import MethodType

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_is_fitted

from skloss.random_features._data import read_rows
from skloss.random_features._parameters import draw_map, scale_gamma
from skloss.random_features.features import RandomFeatures

__all__ = ["FittedRidge", "streaming"]


class streaming:
    """Decorator of methods that only some models have: those that take streams.

    Others raise what the model's ``_check_stream(name)`` raises as soon as the method
    is looked up, so that ``hasattr`` tells them apart.

    Parameters
    ----------
    method : function
        A method.
    """

    def __init__(self, method):
        self._method = method
        update_wrapper(self, method)

    def __get__(self, model, owner=None):
        if model is None:
            return self._method
        model._check_stream(self._method.__name__)
        return MethodType(self._method, model)


class FittedRidge(
    CallbackSupportMixin, MultiOutputMixin, RegressorMixin, BaseEstimator
):
    """A ridge model on random features that is fitted already."""

    def _begin(self, data):
        """Draw the features for a data set."""
        self._is_single = data.is_single
        self.gamma_ = scale_gamma(self.gamma, data.blocks, data.weight)
        return draw_map(self, data.blocks.n_columns, self.gamma_)

    def _keep(self, fitted, solver):
        """Keep a fitted model."""
        self._machine, self._solved = fitted.machine, fitted.solution
        self._sums = fitted.sums
        self.solver_, self.precision_ = solver, fitted.precision
        self.n_iter_, self.n_samples_seen_ = fitted.n_passes, fitted.n_rows
        self.random_features_ = self._transformer()

    def _transformer(self):
        if self._machine.map.n_components == np.inf:
            return None
        feature_map = self._machine.map
        features = RandomFeatures(
            feature_map.n_components,
            activation=feature_map.activation,
            gamma=self.gamma,
            bias=feature_map.bias,
            distribution=feature_map.weights.distribution,
            sampling=feature_map.weights.sampling,
            negative_slope=feature_map.negative_slope,
            nu=feature_map.weights.nu,
            random_state=self.random_state,
        )
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(features, name, getattr(self, name))
        return features._take(feature_map, self._machine.dtype)

    def predict(self, X):
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions, in float32 if both X and the training rows are.
        """
        check_is_fitted(self)
        out = self._predicted(X)
        return out[:, 0] if self._is_single else out

    def _predicted(self, X):
        """Predictions of shape (n, t)."""
        blocks = read_rows(self, X, reset=False)
        dtype = np.promote_types(blocks.dtype, self._machine.dtype)
        coef, intercept = self._solved.coef, self._solved.intercept
        n_jobs = getattr(self, "n_jobs", None)
        return self._machine.predict(blocks, coef, intercept, dtype, n_jobs)

    def _fitted(self, name):
        """Return the solution; raise AttributeError before there is one."""
        if not hasattr(self, "solver_"):
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r} before fit."
            )
        return self._solved

    def _of_targets(self, values):
        """Return one number for a single target, else all of them."""
        return float(values[0]) if self._is_single else values

    @property
    def coef_(self):
        """Coefficients of the features."""
        coef = self._fitted("coef_").coef
        if self._machine.map.n_components == np.inf:
            raise AttributeError("At infinite width there is no coef_: see dual_coef_.")
        coef = np.ascontiguousarray(coef.T, dtype=self._machine.dtype)
        return coef[0] if self._is_single else coef

    @property
    def dual_coef_(self):
        """Coefficients of the training rows, at infinite width."""
        coef = self._fitted("dual_coef_").coef
        if self._machine.map.n_components != np.inf:
            raise AttributeError("dual_coef_ is there at infinite width only.")
        return coef[:, 0] if self._is_single else coef

    @property
    def intercept_(self):
        """Intercept."""
        return self._of_targets(self._fitted("intercept_").intercept)

    @property
    def degrees_of_freedom_(self):
        """Trace of the matrix that maps targets to predictions."""
        return self._of_targets(self._fitted("degrees_of_freedom_").degrees)

    @property
    def effective_ridge_(self):
        """Estimate of the penalty that acts on each eigenvalue of the kernel."""
        return self._of_targets(self._fitted("effective_ridge_").effective_ridge)

    @property
    def gcv_score_(self):
        """Generalised cross-validation: an estimate of the mean squared error."""
        return self._of_targets(self._fitted("gcv_score_").gcv)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
