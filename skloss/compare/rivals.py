"""Rivals that scikit-learn builds from several parts, and two it lacks.

Learning from labels of bags has no estimator in scikit-learn. What a user would do
instead is to fit an ordinary model either to one averaged row per bag or to all rows
with the bag's label repeated; the wrappers here do exactly that.
"""

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin, RegressorMixin, clone
from sklearn.kernel_approximation import RBFSampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = [
    "BagMeans",
    "Proportions",
    "RandomLabels",
    "logistic_on_bag_means",
    "logistic_on_repeated_labels",
    "one_vs_rest_logistic",
    "random_fourier_ridge",
    "rbf_kernel_ridge",
    "ridge",
    "ridge_cv",
    "ridge_on_bag_means",
]


class BagMeans(RegressorMixin, BaseEstimator):
    """Fit an ordinary regressor to one averaged row per bag, weighted by its size.

    Parameters
    ----------
    estimator : regressor
        Must accept ``sample_weight``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skloss.compare.rivals import BagMeans
    >>> X, y = np.arange(6.0).reshape(6, 1), np.arange(6.0)
    >>> model = BagMeans(Ridge(alpha=0)).fit(X, y, bags=[0, 0, 1, 1, 2, 2])
    >>> model.predict([[10.0]]).round(6).tolist()
    [10.0]
    """

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y, bags=None):
        """Average rows and targets over bags and fit the regressor.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        bags : array-like of shape (n_samples,), default=None
            Bag of each row; every row is its own bag by default.

        Returns
        -------
        self
        """
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], y_numeric=True)
        bags = np.arange(len(y)) if bags is None else np.asarray(bags)
        _, index, sizes = np.unique(bags, return_inverse=True, return_counts=True)
        means = np.zeros((len(sizes), X.shape[1]), dtype=X.dtype)
        np.add.at(means, index, X)
        means /= sizes[:, None]
        targets = np.bincount(index, weights=y) / sizes
        self.estimator_ = clone(self.estimator).fit(means, targets, sample_weight=sizes)
        return self

    def predict(self, X):
        """Predict rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return self.estimator_.predict(X)


class Proportions(RegressorMixin, BaseEstimator):
    """Fit a binary classifier to targets between 0 and 1, read as probabilities.

    Each row enters twice, as class 1 with weight y and as class 0 with weight 1 - y,
    which is the exact log-likelihood of a fractional target.

    Parameters
    ----------
    estimator : classifier
        Must accept ``sample_weight`` and have ``predict_proba``.
    """

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y, sample_weight=None):
        """Fit the classifier to the doubled rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), between 0 and 1
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self
        """
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], y_numeric=True)
        if y.min() < 0 or y.max() > 1:
            raise ValueError("y must lie between 0 and 1")
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        labels = np.repeat([1, 0], len(y))
        weights = np.concatenate([weight * y, weight * (1 - y)])
        rows = np.concatenate([X, X])[weights > 0]
        self.estimator_ = clone(self.estimator).fit(
            rows, labels[weights > 0], sample_weight=weights[weights > 0]
        )
        return self

    def predict(self, X):
        """Probability of class 1.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return self.estimator_.predict_proba(X)[:, 1]


class RandomLabels(ClusterMixin, BaseEstimator):
    """Clusters drawn at random: what a clustering must beat.

    Parameters
    ----------
    n_clusters : int, default=8
    random_state : int, RandomState instance or None, default=None
    """

    def __init__(self, n_clusters=8, *, random_state=None):
        self.n_clusters = n_clusters
        self.random_state = random_state

    def fit(self, X, y=None):
        """Draw a label for every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : None
            Ignored.

        Returns
        -------
        self
        """
        X = validate_data(self, X)
        random = check_random_state(self.random_state)
        self.labels_ = random.randint(self.n_clusters, size=len(X))
        return self


def ridge():
    """Ridge regression as it comes."""
    return Ridge()


def ridge_cv():
    """Ridge regression tuned over the strengths the other rivals search."""
    return RidgeCV(alphas=np.logspace(-3, 4, 8))


def ridge_on_bag_means():
    """Ridge regression on one averaged row per bag."""
    return BagMeans(Ridge())


def logistic_on_bag_means():
    """Logistic regression on one averaged row per bag."""
    return BagMeans(Proportions(LogisticRegression()))


def logistic_on_repeated_labels():
    """Logistic regression on all rows, each with its bag's label."""
    return Proportions(LogisticRegression())


def one_vs_rest_logistic():
    """Logistic regression of each class against the rest."""
    return OneVsRestClassifier(LogisticRegression())


def rbf_kernel_ridge():
    """Kernel ridge regression with a Gaussian kernel."""
    return KernelRidge(kernel="rbf")


def random_fourier_ridge():
    """Ridge regression on 500 random Fourier features."""
    return make_pipeline(RBFSampler(gamma="scale", n_components=500), Ridge())
