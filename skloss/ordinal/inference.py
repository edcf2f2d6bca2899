"""Tests of proportional odds, and tables of coefficients with their errors."""

import warnings
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import LinAlgError
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array

from skloss.ordinal._brant import brant
from skloss.ordinal._inputs import read_sample
from skloss.ordinal._restriction import RestrictionTest, unit_columns, untested
from skloss.ordinal._score_test import score_test

__all__ = [
    "CoefficientTable",
    "ProportionalOddsTest",
    "RestrictionTest",
    "proportional_odds_test",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class ProportionalOddsTest:
    """Results of :func:`proportional_odds_test`; printing gives a table.

    Parameters
    ----------
    brant : RestrictionTest
        Brant's test: statistic, degrees of freedom and p-value, for all features
        together and one by one. All nan if it could not be computed.
    score : RestrictionTest
        The same of the score test.
    feature_names : tuple of str
        Names of the columns, x0, x1 and so on without names.
    classes : ndarray of shape (n_classes,)
        Labels in their order.

    Examples
    --------
    >>> from skloss.datasets import make_rare_ordinal
    >>> from skloss.ordinal.inference import proportional_odds_test
    >>> X, y = make_rare_ordinal(n_features=2, density=1, random_state=0)
    >>> result = proportional_odds_test(X, y)
    >>> result.score.df, bool(result.score.p_value < 0.001)
    (4, True)
    """

    brant: RestrictionTest
    score: RestrictionTest
    feature_names: tuple
    classes: np.ndarray

    def to_frame(self):
        """Return the results as a table.

        Returns
        -------
        pandas.DataFrame
            One row for all features together, named "all features", and one for each
            feature; columns df, brant, brant_p_value, score and score_p_value.
        """
        import pandas as pd

        columns = ["df", "brant", "brant_p_value", "score", "score_p_value"]
        names, *values = zip(*self._rows())
        return pd.DataFrame(dict(zip(columns, values)), index=list(names))

    def _rows(self):
        """Name, degrees of freedom, and both tests' statistics and p-values."""
        both = self.brant, self.score
        tests = [part for test in both for part in (test.statistic, test.p_value)]
        yield ("all features", self.brant.df, *tests)
        for j, name in enumerate(self.feature_names):
            tests = [
                float(part[j])
                for test in both
                for part in (test.feature_statistics, test.feature_p_values)
            ]
            yield (name, self.brant.feature_df, *tests)

    def __str__(self):
        lines = [["", "df", "Brant", "p", "score", "p"]]
        for name, df, brant_, brant_p, score, score_p in self._rows():
            brant_cells = [f"{brant_:.2f}", _p_text(brant_p)]
            score_cells = [f"{score:.2f}", _p_text(score_p)]
            lines.append([name, str(df), *brant_cells, *score_cells])
        labels = " < ".join(str(label) for label in self.classes)
        title = f"Tests of equal slopes at all thresholds of {labels}"
        return "\n".join([title, *_aligned(lines)])


@dataclass(frozen=True, eq=False, kw_only=True)
class CoefficientTable:
    """Estimates with standard errors, tests and intervals; printing gives a table.

    Parameters
    ----------
    names : tuple of str
        Names of the coefficients.
    estimates, standard_errors : ndarray of shape (n_coefficients,)
        Estimates and the square roots of their variances.
    z, p_values : ndarray of shape (n_coefficients,)
        Estimates in standard errors, and the chance of one as far from zero if the
        coefficient is zero (normal approximation).
    lower, upper : ndarray of shape (n_coefficients,)
        Ends of the confidence interval.
    level : float
        Its confidence.
    header : dict, default={}
        What is printed above the table, line by line.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.ordinal.inference import CoefficientTable
    >>> covariance = np.array([[0.25, 0.0], [0.0, 0.01]])
    >>> table = CoefficientTable.from_estimates(
    ...     ["age", "dose"], [0.5, -0.75], covariance, header={"rows": 120}
    ... )
    >>> print(table)
    rows: 120
          estimate  std. error      z       p    2.5%   97.5%
    age        0.5         0.5   1.00   0.317   -0.48    1.48
    dose     -0.75         0.1  -7.50  <1e-12  -0.946  -0.554
    """

    names: tuple
    estimates: np.ndarray
    standard_errors: np.ndarray
    z: np.ndarray
    p_values: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    level: float = 0.95
    header: dict = field(default_factory=dict)

    @classmethod
    def from_estimates(cls, names, estimates, covariance, level=0.95, header=None):
        """Make a table from estimates and their covariance.

        Parameters
        ----------
        names : sequence of str
            Names of the coefficients.
        estimates : array-like of shape (n_coefficients,)
            The estimates.
        covariance : array-like of shape (n_coefficients, n_coefficients)
            Of the estimates; only its diagonal is used.
        level : float, default=0.95
            Confidence of the intervals, between 0 and 1.
        header : dict, default=None
            What to print above the table.

        Returns
        -------
        CoefficientTable
            The table.

        Raises
        ------
        ValueError
            If lengths differ or `level` does not lie between 0 and 1.
        """
        estimates = np.asarray(estimates, dtype=np.float64)
        variances = np.diagonal(np.asarray(covariance, dtype=np.float64))
        if not len(names) == len(estimates) == len(variances):
            raise ValueError(
                f"{len(names)} names, {len(estimates)} estimates and "
                f"{len(variances)} variances; their numbers must agree."
            )
        if not 0 < level < 1:
            raise ValueError(f"level={level!r} must lie between 0 and 1.")
        # Variances that are not known come out as nan, without a warning on the way.
        with np.errstate(invalid="ignore", divide="ignore"):
            errors = np.sqrt(variances)
            z = estimates / errors
        margin = norm.isf((1 - level) / 2) * errors
        return cls(
            names=tuple(str(name) for name in names),
            estimates=estimates,
            standard_errors=errors,
            z=z,
            p_values=2 * norm.sf(np.abs(z)),
            lower=estimates - margin,
            upper=estimates + margin,
            level=level,
            header=dict(header or {}),
        )

    def to_frame(self):
        """Return the coefficients as a table.

        Returns
        -------
        pandas.DataFrame
            One row per coefficient; columns estimate, standard_error, z, p_value,
            lower and upper.
        """
        import pandas as pd

        columns = {
            "estimate": self.estimates,
            "standard_error": self.standard_errors,
            "z": self.z,
            "p_value": self.p_values,
            "lower": self.lower,
            "upper": self.upper,
        }
        return pd.DataFrame(columns, index=list(self.names))

    def __str__(self):
        ends = [f"{50 * (1 - self.level):.3g}%", f"{50 * (1 + self.level):.4g}%"]
        columns = [
            ["", *self.names],
            ["estimate", *_numbers(self.estimates)],
            ["std. error", *_numbers(self.standard_errors)],
            ["z", *(f"{z:.2f}" for z in self.z)],
            ["p", *map(_p_text, self.p_values)],
            [ends[0], *_numbers(self.lower)],
            [ends[1], *_numbers(self.upper)],
        ]
        above = [[f"{key}:", str(value)] for key, value in self.header.items()]
        width = max((len(key) for key, _ in above), default=0)
        lines = [f"{key:<{width}} {value}" for key, value in above]
        return "\n".join([*lines, *_aligned(zip(*columns))])


def proportional_odds_test(X, y, *, sample_weight=None, categories=None):
    r"""Test whether one weight vector serves all thresholds of an ordinal target.

    The proportional odds model gives the log-odds of y > k the same slopes for every
    k. Two tests of that are made, for all features together and for each on its own:

    - Brant's compares the slopes of separate logistic regressions of y > k;
    - the score test asks whether the likelihood of the proportional odds model rises
      when slopes may differ. It needs no separate fits, hence works with classes too
      rare for those.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Dense features, none constant or a linear combination of others.
    y : array-like of shape (n_samples,)
        Classes, at least three.
    sample_weight : array-like of shape (n_samples,), default=None
        How often each row was observed. Twice the weights are twice the evidence,
        unlike in estimators, where only the proportions of weights matter.
    categories : array-like of shape (n_classes,), default=None
        The classes in ascending order; by default that of an ordered pandas
        Categorical or of a polars Enum, else sorted.

    Returns
    -------
    ProportionalOddsTest
        With `brant`, `score`, `feature_names`, `classes` and `to_frame`.

    Raises
    ------
    ValueError
        If there are fewer than three classes, features are constant or linearly
        dependent, or the arguments are otherwise unfit for
        :class:`ProportionalOddsClassifier`.

    Warns
    -----
    ConvergenceWarning
        If one of the tests rests on a fit that has no maximum of the likelihood or
        was not found; the results of that test are nan. With a handful of rows on one
        side of a threshold the logistic regression there often is separated, and
        Brant's test does not exist.

    Notes
    -----
    A feature's score test frees the slopes of that feature only; other features keep
    proportional odds. So if one departs strongly, others may seem to: look at the
    largest statistic first. A feature's Brant test compares its slopes between fits in
    which all slopes are free, and is not misled in that way.

    Both statistics are chi-squared in large samples. The p-values of single features
    are not corrected for their number: of 20 features with proportional odds one falls
    below 0.05 on average.

    Beside a float64 copy of `X`, memory peaks at about three times its size.

    References
    ----------
    Brant, R. (1990). Assessing proportionality in the proportional odds model for
    ordinal logistic regression. Biometrics 46, 1171-1178.

    Peterson, B., Harrell, F. E. (1990). Partial proportional odds models for ordinal
    response variables. Journal of the Royal Statistical Society C 39, 205-217.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.ordinal.inference import proportional_odds_test
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 2))
    >>> y = np.digitize(X[:, 0] + rng.logistic(size=500), [-1, 1])
    >>> result = proportional_odds_test(X, y)
    >>> result.brant.df, bool(result.brant.p_value > 0.05)
    (2, True)
    """
    from skloss.ordinal.proportional_odds import ProportionalOddsClassifier

    rows = check_array(X, dtype=np.float64)
    reader = ProportionalOddsClassifier(categories=categories)
    sample = read_sample(reader, X, y, sample_weight)
    n_thresholds, n_features = len(sample.classes) - 1, rows.shape[1]
    if n_thresholds < 2:
        raise ValueError(
            f"There is nothing to test with the 2 classes {sample.classes.tolist()}: "
            "proportional odds concern at least two thresholds, hence 3 classes."
        )
    data = rows, sample.codes, sample.weights * sample.total
    unit_columns(rows, data[2])  # refuses what has no slopes to test
    shape = n_thresholds - 1, n_features
    names = getattr(reader, "feature_names_in_", None)
    if names is None:
        names = [f"x{j}" for j in range(n_features)]
    return ProportionalOddsTest(
        brant=_attempt("Brant's test", _brant_of, data, sample.classes, shape),
        score=_attempt("The score test", _score_of, data, sample.classes, shape),
        feature_names=tuple(str(name) for name in names),
        classes=sample.classes,
    )


def _brant_of(rows, codes, weights, classes):
    fits = [
        _maximise(rows, codes > k, weights, f"the logistic regression of y > {label!r}")
        for k, label in enumerate(classes[:-1].tolist())
    ]
    intercepts = np.array([fit.intercept_[0] for fit in fits])
    return brant(rows, codes, weights, intercepts, np.vstack([f.coef_ for f in fits]))


def _score_of(rows, codes, weights, classes):
    fit = _maximise(rows, codes, weights, "the proportional odds model")
    return score_test(rows, codes, weights, fit.intercept_, fit.coef_[0])


def _maximise(rows, outcomes, weights, name):
    """Fit a model, or raise if the maximum of its likelihood was not found."""
    # That module uses the table above.
    from skloss.ordinal.proportional_odds import ProportionalOddsClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return ProportionalOddsClassifier().fit(rows, outcomes, weights)
        except ConvergenceWarning as trouble:
            raise LinAlgError(f"{name} was not fitted ({trouble})") from None


def _attempt(name, test, data, classes, shape):
    """Make a test, or warn and return one without results."""
    try:
        return test(*data, classes)
    except LinAlgError as error:
        warnings.warn(
            f"{name} could not be computed: {error}.", ConvergenceWarning, stacklevel=3
        )
        return untested(*shape)


def _numbers(values):
    return [f"{value:.4g}" for value in values]


def _p_text(p_value):
    return "<1e-12" if p_value < 1e-12 else f"{p_value:.3g}"


def _aligned(rows):
    """Lines of text: the first column to the left, the others to the right."""
    rows = [list(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:])),
            ]
        )
        for row in rows
    ]
