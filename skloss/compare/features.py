"""From a cleaned table to the matrix a model is fitted on."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skloss.compare.cleaning import as_table, is_numeric, unique_names
from skloss.compare.errors import require

__all__ = ["TableFeatures", "preparation", "prepare", "reads_tables"]


class TableFeatures(TransformerMixin, BaseEstimator):
    """Numbers as they are, everything else through skrub's TableVectorizer.

    Numeric columns stay in double precision and keep their missing values; texts,
    categories and dates are encoded by :class:`skrub.TableVectorizer`.

    Attributes
    ----------
    feature_names_in_ : ndarray of shape (n_columns,)
    n_features_in_ : int
    vectorizer_ : TableVectorizer or None
        None when every column is numeric.

    Examples
    --------
    >>> import pandas as pd
    >>> from skloss.compare.features import TableFeatures
    >>> table = pd.DataFrame({"size": [1.5, None], "colour": ["red", "blue"]})
    >>> TableFeatures().fit_transform(table).tolist()
    [[1.5, 1.0], [nan, 0.0]]
    """

    def fit(self, X, y=None):
        """Learn the encoding of the columns.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_columns)
        y : None
            Ignored.

        Returns
        -------
        self
        """
        table = self._table(X)
        self.feature_names_in_ = np.asarray(table.columns, dtype=object)
        self.n_features_in_ = table.shape[1]
        numeric = [is_numeric(column) for _, column in table.items()]
        self.numeric_ = list(self.feature_names_in_[numeric])
        self.encoded_ = list(self.feature_names_in_[np.logical_not(numeric)])
        self.vectorizer_ = None
        if self.encoded_:
            skrub = require("skrub")
            self.vectorizer_ = skrub.TableVectorizer(
                high_cardinality=skrub.StringEncoder(random_state=0)
            ).fit(table[self.encoded_])
        return self

    def transform(self, X):
        """Encode a table.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_columns)

        Returns
        -------
        ndarray of shape (n_samples, n_features), float64
        """
        check_is_fitted(self)
        table = self._table(X)
        missing = [c for c in self.feature_names_in_ if c not in table.columns]
        if missing:
            raise ValueError(f"the table lacks the column {missing[0]!r}")
        numbers = table[self.numeric_].to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isinf(numbers).any():
            numbers = np.where(np.isinf(numbers), np.nan, numbers)
        if self.vectorizer_ is None:
            return np.ascontiguousarray(numbers)
        encoded = self.vectorizer_.transform(table[self.encoded_])
        return np.hstack([numbers, encoded.to_numpy(dtype=np.float64)])

    @staticmethod
    def _table(X):
        return unique_names(as_table(X))[0]


def preparation(estimator, *, scale, impute):
    """Make the steps between the encoded table and an estimator.

    Parameters
    ----------
    estimator : estimator
    scale : bool
        Whether to standardise the columns.
    impute : bool
        Whether the matrix may hold missing values.

    Returns
    -------
    list of transformer
        Possibly empty; unfitted.
    """
    steps = []
    if impute and not get_tags(estimator).input_tags.allow_nan:
        steps.append(SimpleImputer(add_indicator=True, keep_empty_features=True))
    if scale:
        steps.append(StandardScaler())
    return steps


def reads_tables(estimator):
    """Whether an estimator encodes tables by itself.

    True for pipelines that choose columns or use skrub; they are given the cleaned
    table, all others the encoded matrix.

    Parameters
    ----------
    estimator : estimator

    Returns
    -------
    bool
    """
    if not isinstance(estimator, Pipeline):
        return False
    return any(
        isinstance(step, (ColumnTransformer, TableFeatures))
        or type(step).__module__.partition(".")[0] == "skrub"
        for _, step in estimator.steps
    )


def prepare(estimator, X, *, scale=False):
    """Make the pipeline that a comparison fits: encode, impute, scale, estimate.

    Parameters
    ----------
    estimator : estimator
        Becomes the last step.
    X : DataFrame of shape (n_samples, n_columns)
        Decides whether imputation is needed; nothing is fitted.
    scale : bool, default=False
        Whether to standardise the columns.

    Returns
    -------
    Pipeline
        Unfitted. Pipelines that read tables themselves are returned as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skloss.compare import prepare
    >>> X = pd.DataFrame({"size": [1.0, 2.0, 8.0, 9.0], "sort": list("aabb")})
    >>> prepare(LogisticRegression(), X, scale=True).fit(X, [0, 0, 1, 1]).predict(X)
    array([0, 0, 1, 1])
    """
    if reads_tables(estimator):
        return estimator
    impute = bool(as_table(X).isna().any(axis=None)) or not all(
        is_numeric(column) for _, column in as_table(X).items()
    )
    steps = preparation(estimator, scale=scale, impute=impute)
    return make_pipeline(TableFeatures(), *steps, estimator)
