"""PrestoClassifierCV against plain fits of PrestoClassifier on the same folds."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.callback import ScoringMonitor
from sklearn.metrics import (
    accuracy_score,
    get_scorer,
    log_loss,
    make_scorer,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    ShuffleSplit,
    StratifiedKFold,
)

from skloss.ordinal import PrestoClassifier, PrestoClassifierCV, presto_path

pytestmark = pytest.mark.filterwarnings(
    "error::sklearn.exceptions.ConvergenceWarning",
)

FLOOR = 1e-12
FOLDS = StratifiedKFold(4, shuffle=True, random_state=7)
MODELS = {
    "paper": {},
    "elastic net": {"l1_ratio": 0.5, "base_penalty": 0.3, "base": "last"},
    "balanced": {"class_weight": "balanced"},
    "train": {"ordering": "train"},
    "box": {"ordering": "box", "feature_range": (-4.0, 4.0)},
    "probit": {"link": "probit", "reverse": True},
    "stopping": {"family": "stopping", "structure": "semiparallel"},
    "adjacent": {"family": "adjacent"},
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((240, 4))
    scores = X @ [1, -0.5, 0, 0] + rng.logistic(size=240)
    return X, np.digitize(scores + X[:, 2] * (scores > 0), [-1, 0.8, 2.2])


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(5).integers(0, 4, 240).astype(float)


def floored_log_loss(y, P, sample_weight=None):
    """Mean log-likelihood with probabilities of at least 1e-12."""
    hit = np.maximum(P[np.arange(len(y)), y], FLOOR)
    return np.average(np.log(hit), weights=sample_weight)


def fold_by_fold(X, y, cv, w, alphas, score, **model):
    """Scores (n_alphas, n_folds) of one cold fit after the other."""
    w = np.ones(len(y)) if w is None else w
    return np.array(
        [
            [
                score(
                    y[test],
                    PrestoClassifier(alpha, tol=1e-8, **model)
                    .fit(X[train], y[train], w[train])
                    .predict_proba(X[test]),
                    w[test],
                )
                for train, test in cv.split(X, y)
            ]
            for alpha in alphas
        ]
    )


# --------------------------------------------------------------- the same in general


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_grid_search_finds_the_same(data, model):
    X, y = data
    search = PrestoClassifierCV(alphas=6, cv=FOLDS, tol=1e-8, **model).fit(X, y)

    def score(estimator, X, y):  # in the population that class weights make
        factors = np.ones(4)
        if "class_weight" in model:
            factors = 1 / np.bincount(data[1])
        return floored_log_loss(y, estimator.predict_proba(X), factors[y])

    if "class_weight" in model:  # of all rows, also in a fold
        factors = 240 / 4 / np.bincount(y)
        model = model | {"class_weight": dict(enumerate(factors))}
    general = GridSearchCV(
        PrestoClassifier(tol=1e-8, **model),
        {"alpha": search.alphas_},
        scoring=score,
        cv=FOLDS,
        error_score="raise",
    ).fit(X, y)
    scores = [general.cv_results_[f"split{i}_test_score"] for i in range(4)]
    np.testing.assert_allclose(search.scores_path_, np.transpose(scores), atol=1e-6)
    np.testing.assert_allclose(
        search.mean_scores_, general.cv_results_["mean_test_score"], atol=1e-6
    )
    assert search.alpha_ == general.best_params_["alpha"]
    assert search.alphas_[search.best_index_] == search.alpha_
    best = general.best_estimator_
    np.testing.assert_allclose(search.coef_, best.coef_, atol=1e-6)
    np.testing.assert_allclose(search.intercept_, best.intercept_, atol=1e-6)
    assert search.objective_ == pytest.approx(best.objective_, rel=1e-9)
    assert search.alpha_max_ == pytest.approx(best.alpha_max_, rel=1e-9)
    assert search.n_crossings_ == best.n_crossings_


def test_log_loss_of_scikit_learn_is_the_same_score(data):
    """Where no probability is below the floor."""
    X, y = data
    options = {"alphas": [0.1, 0.02], "cv": FOLDS, "tol": 1e-8, "family": "stopping"}
    search = PrestoClassifierCV(**options).fit(X, y)
    for scoring in (
        "neg_log_loss",
        make_scorer(log_loss, greater_is_better=False, response_method="predict_proba"),
    ):
        other = PrestoClassifierCV(**options, scoring=scoring).fit(X, y)
        np.testing.assert_allclose(other.scores_path_, search.scores_path_, rtol=1e-8)
    P = PrestoClassifier(0.02, family="stopping").fit(X, y).predict_proba(X)
    assert P.min() > FLOOR


def test_weights_count_in_fits_and_in_scores(data, weights):
    X, y = data
    search = PrestoClassifierCV(alphas=5, cv=FOLDS, tol=1e-8).fit(X, y, weights)
    expected = fold_by_fold(X, y, FOLDS, weights, search.alphas_, floored_log_loss)
    np.testing.assert_allclose(search.scores_path_, expected, atol=1e-6)
    scaled = PrestoClassifierCV(alphas=5, cv=FOLDS, tol=1e-8).fit(X, y, 1e5 * weights)
    np.testing.assert_allclose(scaled.scores_path_, expected, atol=1e-6)


def rare_score(rare):
    def score(y, P, w):
        p = np.clip(P[:, rare], FLOOR, 1 - FLOOR)
        return -log_loss(y == rare, p, sample_weight=w, labels=[False, True])

    return score


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0.01}])
def test_rare_log_loss_is_about_the_rarest_class(data, weights, class_weight):
    """The rarest by its rows, whatever the class weights make of it."""
    X, y = data
    totals = np.bincount(y, weights)
    rare = int(totals.argmin())
    assert totals[rare] < np.sort(totals)[1]
    options = {"alphas": [0.05, 0.01], "cv": FOLDS, "tol": 1e-8}
    search = PrestoClassifierCV(
        **options, scoring="rare_log_loss", class_weight=class_weight
    ).fit(X, y, weights)
    factors = np.ones(4)
    if class_weight == "balanced":
        factors = totals.sum() / 4 / totals
    elif class_weight:
        factors[0] = 0.01
    w = weights * factors[y]
    expected = fold_by_fold(X, y, FOLDS, w, search.alphas_, rare_score(rare))
    np.testing.assert_allclose(search.scores_path_, expected, atol=1e-6)


@pytest.mark.parametrize(
    "scoring",
    ["accuracy", "neg_brier_score", "roc_auc_ovr", make_scorer(accuracy_score)],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_scorers(data, weights, scoring, weighted):
    X, y = data
    labels = np.array(["a", "b", "c", "d"])[y]
    w = weights if weighted else None
    search = PrestoClassifierCV(
        alphas=[0.05, 0.01, 0.002], cv=FOLDS, scoring=scoring, tol=1e-8
    ).fit(X, labels, w)
    scorer = get_scorer(scoring)
    expected = np.empty((3, 4))
    for f, (train, test) in enumerate(FOLDS.split(X, labels)):
        for a, alpha in enumerate(search.alphas_):
            kept = test if w is None else test[w[test] > 0]
            model = PrestoClassifier(alpha, tol=1e-8)
            model.fit(X[train], labels[train], None if w is None else w[train])
            keywords = {} if w is None else {"sample_weight": w[kept]}
            expected[a, f] = scorer(model, X[kept], labels[kept], **keywords)
    np.testing.assert_allclose(search.scores_path_, expected, atol=1e-6)


def test_scorers_that_know_no_weights_see_only_rows_with_weight(data, weights):
    X, y = data

    def count(estimator, X, y):
        assert type(estimator) is PrestoClassifierCV
        return float(len(X))

    splits = list(FOLDS.split(X, y))
    search = PrestoClassifierCV(alphas=2, cv=splits, scoring=count).fit(X, y, weights)
    expected = [np.count_nonzero(weights[test]) for _, test in splits]
    np.testing.assert_array_equal(search.scores_path_, [expected] * 2)


# -------------------------------------------------------------------- the choice


def test_the_rule_of_one_standard_error(data):
    X, y = data
    options = {"alphas": 20, "cv": FOLDS}
    best = PrestoClassifierCV(**options).fit(X, y)
    rule = PrestoClassifierCV(**options, selection="1se").fit(X, y)
    np.testing.assert_array_equal(rule.scores_path_, best.scores_path_)
    assert best.best_index_ == best.scores_path_.mean(axis=1).argmax()
    fold = best.scores_path_[best.best_index_]
    error = np.sqrt(((fold - fold.mean()) ** 2).sum() / 3 / 4)
    within = best.mean_scores_ >= best.mean_scores_.max() - error
    assert rule.alpha_ == best.alphas_[within].max() > best.alpha_
    np.testing.assert_allclose(
        rule.coef_, PrestoClassifier(rule.alpha_, tol=1e-8).fit(X, y).coef_, atol=1e-5
    )


@pytest.mark.parametrize("selection", ["min", "1se"])
def test_scores_that_are_nan_are_not_chosen(data, selection):
    X, y = data
    calls = []

    def patchy(estimator, X, y):
        calls.append(1)
        score = -log_loss(y, estimator.predict_proba(X))
        return np.nan if len(calls) % 3 == 2 else score  # the second of the strengths

    search = PrestoClassifierCV(
        alphas=[0.2, 0.02, 0.01],
        cv=FOLDS,
        scoring=patchy,
        selection=selection,
        family="stopping",
    ).fit(X, y)
    assert np.isnan(search.mean_scores_).tolist() == [False, True, False]
    assert search.best_index_ == 2


def test_a_single_fold_has_no_standard_error(data):
    X, y = data
    cv = ShuffleSplit(1, random_state=0)
    options = {"alphas": 8, "cv": cv}
    best = PrestoClassifierCV(**options).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rule = PrestoClassifierCV(**options, selection="1se").fit(X, y)
    assert best.scores_path_.shape == (8, 1)
    assert rule.alpha_ == best.alpha_


@pytest.mark.parametrize("alphas", [5, [0.1, 0.01]])
def test_several_ratios(data, alphas):
    X, y = data
    ratios = [0.2, 0.6, 1.0]
    options = {"alphas": alphas, "cv": FOLDS, "tol": 1e-8}
    search = PrestoClassifierCV(l1_ratio=ratios, **options).fit(X, y)
    n_alphas = np.size(alphas) if np.ndim(alphas) else alphas
    assert search.scores_path_.shape == (3, n_alphas, 4)
    assert search.mean_scores_.shape == search.alphas_.shape == (3, n_alphas)
    for i, ratio in enumerate(ratios):
        single = PrestoClassifierCV(l1_ratio=ratio, **options).fit(X, y)
        np.testing.assert_allclose(search.alphas_[i], single.alphas_, rtol=1e-8)
        np.testing.assert_allclose(
            search.scores_path_[i], single.scores_path_, atol=1e-7
        )
        if ratio == search.l1_ratio_:
            assert search.best_index_ == single.best_index_
            np.testing.assert_allclose(search.coef_, single.coef_, atol=1e-7)
    i, a = np.unravel_index(search.mean_scores_.argmax(), (3, n_alphas))
    assert (ratios[i], a) == (search.l1_ratio_, search.best_index_)
    assert search.alpha_ == search.alphas_[i, a]


def test_strengths_of_choice_are_sorted(data):
    search = PrestoClassifierCV(alphas=[0.01, 0.3, 0.05], cv=3, random_state=0)
    assert search.fit(*data).alphas_.tolist() == [0.3, 0.05, 0.01]


def test_the_grid_falls_from_where_the_first_weight_moves(data):
    X, y = data
    search = PrestoClassifierCV(alphas=7, eps=0.01, cv=3, random_state=0).fit(X, y)
    np.testing.assert_allclose(
        search.alphas_, search.alpha_max_ * 0.01 ** (np.arange(7) / 6), rtol=1e-12
    )
    assert not search.coefs_path_[0].any()
    assert search.coefs_path_[1].any()


def test_the_path_is_that_of_all_rows(data):
    X, y = data
    search = PrestoClassifierCV(alphas=6, cv=3, random_state=0, tol=1e-8).fit(X, y)
    alphas, intercepts, coefs, info = presto_path(X, y, n_alphas=6, tol=1e-8)
    np.testing.assert_allclose(search.alphas_, alphas)
    np.testing.assert_allclose(search.coefs_path_, coefs, atol=1e-7)
    np.testing.assert_allclose(search.intercepts_path_, intercepts, atol=1e-7)
    np.testing.assert_allclose(search.coef_, coefs[search.best_index_], atol=1e-7)
    assert info["alpha_max"] == search.alpha_max_


# ------------------------------------------------------------------------ folds


def test_groups_stay_together(data):
    X, y = data
    groups = np.arange(240) // 20
    cv = GroupKFold(4)
    search = PrestoClassifierCV(alphas=3, cv=cv).fit(X, y, groups=groups)
    splits = list(cv.split(X, y, groups))
    same = PrestoClassifierCV(alphas=3, cv=splits).fit(X, y)
    np.testing.assert_array_equal(search.scores_path_, same.scores_path_)
    with pytest.raises(ValueError, match="groups"):
        PrestoClassifierCV(alphas=3, cv=cv).fit(X, y)


def test_folds_are_no_more_than_the_rows_of_the_largest_class(data):
    X, y = data
    rows = np.concatenate([np.flatnonzero(y == k)[:4] for k in range(4)])
    with pytest.warns(UserWarning, match="cv=5 folds.* 4 folds are made"):
        search = PrestoClassifierCV(alphas=[0.2]).fit(X[rows], y[rows])
    assert search.scores_path_.shape == (1, 4)


def test_masks_are_folds(data):
    X, y = data
    fold = np.arange(240) % 3
    masks = [(fold != k, fold == k) for k in range(3)]
    rows = [(np.flatnonzero(a), np.flatnonzero(b)) for a, b in masks]
    one, other = (
        PrestoClassifierCV(alphas=3, cv=cv).fit(X, y).scores_path_
        for cv in (masks, rows)
    )
    np.testing.assert_array_equal(one, other)


def test_groups_without_weight_are_no_folds(data):
    X, y = data
    groups = np.arange(240) % 4
    w = (groups < 3) * 1.0
    options = {"alphas": 3, "cv": LeaveOneGroupOut(), "selection": "1se"}
    search = PrestoClassifierCV(**options).fit(X, y, w, groups=groups)
    kept = PrestoClassifierCV(**options).fit(X[w > 0], y[w > 0], groups=groups[w > 0])
    np.testing.assert_allclose(search.scores_path_, kept.scores_path_, atol=1e-7)


def test_folds_are_stratified_and_shuffled_by_the_random_state(data):
    X, y = data
    options = {"alphas": 3, "cv": 4}
    one = PrestoClassifierCV(**options, random_state=7).fit(X, y)
    expected = PrestoClassifierCV(alphas=3, cv=FOLDS).fit(X, y)
    np.testing.assert_array_equal(one.scores_path_, expected.scores_path_)
    again = PrestoClassifierCV(**options, random_state=7).fit(X, y)
    np.testing.assert_array_equal(one.scores_path_, again.scores_path_)
    other = PrestoClassifierCV(**options, random_state=8).fit(X, y)
    assert not np.array_equal(one.scores_path_, other.scores_path_)


@pytest.mark.parametrize("n_jobs", [1, None])
@pytest.mark.parametrize("scoring", [None, "accuracy"])
@pytest.mark.parametrize("base", ["first", 0, 1, 2])
def test_a_class_missing_from_a_fold_has_the_least_probability(
    data, n_jobs, scoring, base
):
    X, y = data
    fold = np.where(y == 2, 0, np.arange(240) % 2)
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in (0, 1)]
    options = {"alphas": [0.02], "cv": splits, "scoring": scoring, "base": base}
    with pytest.warns(UserWarning, match=r"class \[2\].*1e-12.*fewer folds") as record:
        search = PrestoClassifierCV(**options, n_jobs=n_jobs, tol=1e-8).fit(X, y)
    assert len(record) == 1
    train, test = splits[0]
    # Thresholds 0 | 1 and 1 | 3 remain; the base stays where it cut.
    kept = {"first": "first", 0: 0, 1: 1, 2: 1}[base]
    model = PrestoClassifier(0.02, base=kept, tol=1e-8).fit(X[train], y[train])
    assert model.classes_.tolist() == [0, 1, 3]
    if scoring == "accuracy":
        expected = model.score(X[test], y[test])
    else:
        P = np.full((len(test), 4), FLOOR)
        P[:, model.classes_] = model.predict_proba(X[test])
        expected = floored_log_loss(y[test], P)
    assert search.scores_path_[0, 0] == pytest.approx(expected, abs=1e-6)
    assert search.classes_.tolist() == [0, 1, 2, 3]


def test_warnings_of_other_processes_arrive(data):
    X, y = data
    fold = np.where(y == 2, 0, np.arange(240) % 2)
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in (0, 1)]
    with pytest.warns(UserWarning, match=r"no training row of class \[2\]"):
        PrestoClassifierCV(alphas=2, cv=splits, n_jobs=2).fit(X, y)


@pytest.mark.parametrize("scoring", [None, "accuracy"])
def test_jobs_change_nothing(data, weights, scoring):
    X, y = data
    options = {"alphas": 4, "cv": FOLDS, "scoring": scoring}
    one = PrestoClassifierCV(**options).fit(X, y, weights)
    two = PrestoClassifierCV(**options, n_jobs=2).fit(X, y, weights)
    for name in ("scores_path_", "coefs_path_", "coef_", "intercept_", "alpha_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("scoring", [None, "accuracy"])
def test_crossing_rows_of_a_fold_are_repaired_whatever_is_done_later(data, scoring):
    X, y = data
    options = {"alphas": [0.01, 0.001], "cv": FOLDS, "scoring": scoring}
    plain = PrestoClassifierCV(**options).fit(X, y)
    strict = PrestoClassifierCV(**options, repair="raise").fit(X, y)
    np.testing.assert_array_equal(plain.scores_path_, strict.scores_path_)


def test_the_box_of_a_fold_is_that_of_all_rows(data):
    X, y = data
    options = {"alphas": [0.01, 0.003], "cv": FOLDS, "tol": 1e-8, "ordering": "box"}
    search = PrestoClassifierCV(**options).fit(X, y)
    wide = PrestoClassifierCV(**options, feature_range=(X.min(0), X.max(0))).fit(X, y)
    np.testing.assert_allclose(search.scores_path_, wide.scores_path_, atol=1e-8)
    corners = np.random.default_rng(0).integers(0, 2, (1000, 4))
    rows = np.where(corners, X.max(axis=0), X.min(axis=0))
    assert (np.diff(search.predict_cumulative(rows), axis=1) <= 1e-12).all()


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_rows(data, form):
    X, y = data
    X = np.where(np.abs(X) > 0.7, X, 0.0)
    options = {"alphas": 5, "cv": FOLDS, "tol": 1e-8}
    dense = PrestoClassifierCV(**options).fit(X, y)
    model = PrestoClassifierCV(**options).fit(form(X), y)
    np.testing.assert_allclose(model.scores_path_, dense.scores_path_, atol=1e-7)
    np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-7)


def test_far_origins_keep_the_digits_of_the_scores(data):
    X, y = data
    options = {"alphas": 4, "cv": FOLDS, "tol": 1e-8}
    near = PrestoClassifierCV(**options).fit(X, y)
    far = PrestoClassifierCV(**options).fit(np.round(X, 3) + 1e9, y)
    rounded = PrestoClassifierCV(**options).fit(np.round(X, 3), y)
    np.testing.assert_allclose(far.scores_path_, rounded.scores_path_, atol=1e-4)
    assert far.alpha_ == pytest.approx(near.alpha_, rel=0.02)


def test_categories_order_the_folds_too(data):
    X, y = data
    names = np.array(["low", "mid", "high", "top"])
    options = {"alphas": 4, "cv": list(FOLDS.split(X, y))}
    plain = PrestoClassifierCV(**options).fit(X, y)
    for labels, categories in (
        (names[y], names),
        (pd.Categorical(names[y], categories=names, ordered=True), None),
    ):
        named = PrestoClassifierCV(**options, categories=categories).fit(X, labels)
        np.testing.assert_array_equal(named.scores_path_, plain.scores_path_)
        assert named.classes_.tolist() == names.tolist()
        assert named.score(X, labels) == plain.score(X, y)


# ----------------------------------------------------------------- while it runs


def test_verbose_prints_a_line_for_each_strength(data, capsys):
    options = {"cv": FOLDS, "alphas": 5, "verbose": 1}
    search = PrestoClassifierCV(**options).fit(*data)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    for i, (line, alpha) in enumerate(zip(lines, search.alphas_, strict=True)):
        assert line.startswith(f"[PrestoClassifierCV] alpha {i + 1}/5")
        assert f"alpha {alpha:.4g} " in line
        assert "kkt violation" in line
    presto_path(*data, n_alphas=3, verbose=1)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_callbacks_see_every_strength(data):
    X, y = data
    monitor = ScoringMonitor(scoring="neg_log_loss")
    search = PrestoClassifierCV(cv=KFold(3), alphas=5, family="stopping")
    search.set_callbacks(monitor).fit(X, y)
    rows = [r for r in monitor.get_logs().data if r["task_name"] == "alpha"]
    expected = [
        -log_loss(y, PrestoClassifier(a, family="stopping").fit(X, y).predict_proba(X))
        for a in search.alphas_
    ]
    np.testing.assert_allclose([r["neg_log_loss"] for r in rows], expected, 1e-4)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc_ovr", "accuracy"])
def test_scorers_meet_a_class_that_a_fold_has_not_seen(scoring):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 4))
    y = np.digitize(X @ [1, -0.5, 0, 0] + rng.logistic(size=120), [-1, 0.5, 2.2])
    train, test = np.flatnonzero(y != 3)[:70], np.arange(80, 120)
    model = PrestoClassifierCV(alphas=[0.1, 0.01], cv=[(train, test)], scoring=scoring)
    with pytest.warns(UserWarning, match="no training row of class"):
        model.fit(X, y)
    alone = PrestoClassifier(0.1).fit(X[train], y[train])
    P = np.column_stack([alone.predict_proba(X[test]), np.full(40, 1e-12)])
    expected = {
        "neg_log_loss": -log_loss(y[test], P, labels=range(4)),
        "roc_auc_ovr": roc_auc_score(y[test], P, multi_class="ovr", labels=range(4)),
        "accuracy": np.mean(P.argmax(axis=1) == y[test]),
    }[scoring]
    assert model.scores_path_[0, 0] == pytest.approx(expected, rel=1e-6)
