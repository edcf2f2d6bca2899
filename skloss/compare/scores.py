"""What is measured: one function per score, and which scores each task reports.

Every function takes an :class:`Outcome` and returns a number in the unit people read;
``greater_is_better`` tells which way is good.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import get_scorer, silhouette_score

from skloss.compare.errors import InputError

__all__ = ["SCORES", "Outcome", "Score", "scores_for"]

_SILHOUETTE_ROWS = 2000


@dataclass(frozen=True)
class Outcome:
    """What one fitted model did on one test part.

    Attributes
    ----------
    y : ndarray of shape (n_test,) or None
        Class codes or numbers.
    predicted : ndarray of shape (n_test,)
        Predictions, or cluster labels.
    probability : ndarray of shape (n_test, n_classes) or None
        Columns follow the codes; classes that the model never saw have zeros.
    bags : ndarray of shape (n_test,) or None
    X : ndarray of shape (n_test, n_features)
    estimator : estimator
    rare : int or None
        Code of the rarest class.
    """

    y: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray
    bags: np.ndarray
    X: np.ndarray
    estimator: object
    rare: int = None


@dataclass(frozen=True)
class Score:
    """One score.

    Attributes
    ----------
    key : str
        Column of ``to_frame`` and name for ``scoring``.
    label : str
        What people read.
    greater_is_better : bool
    function : callable
        From an Outcome to a number; nan when the model lacks what it reads.
    meaning : str
        One line for the report.
    reads : {"predictions", "probabilities"}
        What the function looks at.
    """

    key: str
    label: str
    greater_is_better: bool
    function: Callable
    meaning: str
    reads: str = "predictions"

    def __call__(self, outcome):
        """Compute the score; nan where it is not defined."""
        return float(self.function(outcome))

    def gain(self, ours, theirs):
        """How much better ours is, positive when it is.

        Parameters
        ----------
        ours, theirs : float or ndarray

        Returns
        -------
        float or ndarray
        """
        return (ours - theirs) if self.greater_is_better else (theirs - ours)


def _log_loss(probability, y):
    # The same floor as scikit-learn's log_loss: one rounding unit.
    floor = np.finfo(probability.dtype).eps
    total = probability.sum(axis=1)
    chosen = probability[np.arange(len(y)), y] / np.where(total > 0, total, 1)
    return -np.log(np.clip(chosen, floor, 1 - floor)).mean()


def _class_log_loss(outcome):
    if outcome.probability is None:
        return np.nan
    return _log_loss(outcome.probability, outcome.y)


def _rare_log_loss(outcome):
    """Log-loss of telling the rarest class from all others."""
    if outcome.probability is None:
        return np.nan
    p = outcome.probability[:, outcome.rare]
    return _log_loss(np.column_stack([1 - p, p]), (outcome.y == outcome.rare) * 1)


def _rare_recall(outcome):
    rare = outcome.y == outcome.rare
    return (outcome.predicted[rare] == outcome.rare).mean() if rare.any() else np.nan


def _accuracy(outcome):
    return (outcome.predicted == outcome.y).mean()


def _auc(outcome):
    """Mean over classes of the area under the curve of that class against the rest."""
    if outcome.probability is None:
        return np.nan
    areas = [
        _area(outcome.y == code, outcome.probability[:, code])
        for code in range(outcome.probability.shape[1])
        if 0 < (outcome.y == code).sum() < len(outcome.y)
    ]
    return np.mean(areas) if areas else np.nan


def _area(positive, score):
    """Area under the ROC curve as the Mann-Whitney statistic; ties count half."""
    count = positive.sum()
    excess = rankdata(score)[positive].sum() - count * (count + 1) / 2
    return excess / (count * (len(score) - count))


def _ranked_probability(outcome):
    """Mean squared distance of cumulative probabilities (Epstein, 1969)."""
    if outcome.probability is None:
        return np.nan
    below = outcome.probability.cumsum(axis=1)[:, :-1]
    truth = outcome.y[:, None] <= np.arange(below.shape[1])
    return ((below - truth) ** 2).sum(axis=1).mean()


def _absolute_error(outcome):
    return np.abs(outcome.predicted - outcome.y).mean()


def _squared_error(outcome):
    return ((outcome.predicted - outcome.y) ** 2).mean()


def _r2(outcome):
    total = ((outcome.y - outcome.y.mean()) ** 2).sum()
    if total == 0:
        return np.nan
    return 1 - ((outcome.predicted - outcome.y) ** 2).sum() / total


def _bag_squared_error(outcome):
    """Squared error of bag means, weighted by the bags' sizes."""
    _, index, sizes = np.unique(outcome.bags, return_inverse=True, return_counts=True)
    errors = np.bincount(index, weights=outcome.predicted - outcome.y) / sizes
    return (sizes * errors**2).sum() / sizes.sum()


def _bag_r2(outcome):
    _, index, sizes = np.unique(outcome.bags, return_inverse=True, return_counts=True)
    means = np.bincount(index, weights=outcome.y) / sizes
    spread = np.average((means - outcome.y.mean()) ** 2, weights=sizes)
    return np.nan if spread == 0 else 1 - _bag_squared_error(outcome) / spread


def _silhouette(outcome):
    count = len(np.unique(outcome.predicted))
    if not 1 < count < len(outcome.predicted):
        return np.nan
    rows = min(_SILHOUETTE_ROWS, len(outcome.predicted))
    chosen = np.random.default_rng(0).permutation(len(outcome.predicted))[:rows]
    labels = outcome.predicted[chosen]
    if not 1 < len(np.unique(labels)) < rows:
        return np.nan
    return silhouette_score(outcome.X[chosen], labels)


def _medoid_loss(outcome):
    """Mean distance of a row to the medoid of its cluster, on at most 2,000 rows."""
    rows = min(_SILHOUETTE_ROWS, len(outcome.predicted))
    chosen = np.random.default_rng(0).permutation(len(outcome.predicted))[:rows]
    X, labels = outcome.X[chosen], outcome.predicted[chosen]
    total = 0.0
    for label in np.unique(labels):
        members = X[labels == label]
        squares = (members**2).sum(axis=1)
        distances = squares[:, None] + squares - 2 * members @ members.T
        total += np.sqrt(np.maximum(distances, 0)).sum(axis=1).min()
    return total / rows


SCORES = {
    score.key: score
    for score in [
        Score(
            "log_loss",
            "log-loss",
            False,
            _class_log_loss,
            "minus the mean log probability given to what happened",
            reads="probabilities",
        ),
        Score("accuracy", "accuracy", True, _accuracy, "share predicted right"),
        Score(
            "auc",
            "AUC",
            True,
            _auc,
            "chance that a row of a class is ranked above a row of another",
            reads="probabilities",
        ),
        Score(
            "rare_recall",
            "rare recall",
            True,
            _rare_recall,
            "share of the rarest class that is found",
        ),
        Score(
            "rare_log_loss",
            "rare log-loss",
            False,
            _rare_log_loss,
            "log-loss of telling the rarest class from the rest",
            reads="probabilities",
        ),
        Score(
            "ranked_probability",
            "RPS",
            False,
            _ranked_probability,
            "ranked probability score: far misses cost more",
            reads="probabilities",
        ),
        Score(
            "absolute_error",
            "MAE",
            False,
            _absolute_error,
            "mean distance between prediction and truth",
        ),
        Score(
            "squared_error",
            "squared error",
            False,
            _squared_error,
            "mean squared distance between prediction and truth",
        ),
        Score("r2", "R²", True, _r2, "share of the target's variance explained"),
        Score(
            "bag_squared_error",
            "bag squared error",
            False,
            _bag_squared_error,
            "squared error of bag means, weighted by size",
        ),
        Score("bag_r2", "bag R²", True, _bag_r2, "R² of bag means"),
        Score(
            "silhouette",
            "silhouette",
            True,
            _silhouette,
            "how much closer rows are to their own cluster than to the next, -1 to 1",
        ),
        Score(
            "medoid_loss",
            "medoid loss",
            False,
            _medoid_loss,
            "mean distance of a row to its cluster's medoid",
        ),
    ]
}

# Task -> scores in the order of the table; the first decides.
_TASK_SCORES = {
    "classification": ("log_loss", "accuracy", "auc", "rare_recall"),
    "ordinal": ("log_loss", "rare_log_loss", "absolute_error", "accuracy"),
    "regression": ("squared_error", "r2", "absolute_error"),
    "sparse": ("squared_error", "r2", "absolute_error"),
    "aggregate": ("bag_squared_error", "bag_r2"),
    "clustering": ("silhouette", "medoid_loss"),
}
_ROWS_KNOWN = ("squared_error", "bag_squared_error", "bag_r2")


def scores_for(task, scoring=None, *, rows_known=False):
    """Scores of a task, the deciding one first.

    Parameters
    ----------
    task : str
    scoring : str, default=None
        Another score to decide by: one of :data:`SCORES` or any scorer of
        scikit-learn.
    rows_known : bool, default=False
        For aggregate tasks: whether the labels of single rows are known for scoring.

    Returns
    -------
    list of Score

    Raises
    ------
    InputError
        When ``scoring`` is unknown.
    """
    keys = _ROWS_KNOWN if task == "aggregate" and rows_known else _TASK_SCORES[task]
    scores = [SCORES[key] for key in keys]
    if scoring is None:
        return scores
    if scoring in SCORES:
        chosen = SCORES[scoring]
        if scoring not in keys and not _fits(task, chosen):
            raise InputError(f"{scoring!r} is no score for {task}", "scoring")
    else:
        chosen = _from_scikit_learn(scoring, keys)
    return [chosen] + [score for score in scores if score.key != chosen.key]


def _fits(task, score):
    kin = {"classification": "ordinal", "ordinal": "classification"}
    extra = {"ordinal": ("ranked_probability", "squared_error")}
    return score.key in _TASK_SCORES.get(kin.get(task), ()) + extra.get(task, ())


def _from_scikit_learn(name, keys):
    try:
        scorer = get_scorer(name)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"unknown score {name!r}; choose from {', '.join(keys)} "
            "or a scorer of scikit-learn such as neg_log_loss or f1_macro",
            "scoring",
        ) from error
    negated = str(name).startswith("neg_")
    sign = -1 if negated else 1

    def function(outcome):
        return sign * scorer(outcome.estimator, outcome.X, outcome.y)

    label = str(name).removeprefix("neg_").replace("_", " ")
    return Score(str(name), label, not negated, function, f"scikit-learn's {name}")
