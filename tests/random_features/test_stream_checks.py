"""What streams refuse, pass over and tell."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge

from skloss.random_features import RandomFeatureRidgeCV
from tests.random_features.stream_cases import (
    X,
    Y,
    blocks_of,
    from_scratch,
    is_the_model,
    model_of,
)


def test_forgetting_too_much():
    model = model_of().fit(X[:100], Y[:100])
    before = model.coef_
    with pytest.raises(ValueError, match=r"weight 101 cannot be forgotten.*weight 100"):
        model.forget(X[:101], Y[:101])
    with pytest.raises(ValueError, match="weight 100 cannot be forgotten"):
        model.forget(X[:100], Y[:100])
    with pytest.raises(ValueError, match="weight 120 cannot be forgotten"):
        model.forget(X[:10], Y[:10], np.full(10, 12.0))
    np.testing.assert_array_equal(model.coef_, before)
    model.forget(X[1:100], Y[1:100])
    np.testing.assert_allclose(model.predict(X[:1]), Y[:1], atol=1e-9)
    with pytest.raises(NotFittedError):
        model_of().forget(X, Y)
    with pytest.raises(NotFittedError):
        model_of().merge(model)


@pytest.mark.parametrize(
    "other",
    [
        {"random_state": 1},
        {"n_components": 31},
        {"gamma": 0.4},
        {"activation": "tanh"},
        {"bias": 0.6},
        {"sampling": "qmc"},
        {"activation": "cos", "distribution": "student"},
        {"activation": "leaky_relu", "negative_slope": 0.2},
    ],
    ids=str,
)
def test_merging_other_features(other):
    model = model_of().fit(X, Y)
    before = model.coef_
    with pytest.raises(ValueError, match="different random features"):
        model.merge(model_of(**other).fit(X, Y))
    np.testing.assert_array_equal(model.coef_, before)


def test_merging_other_data():
    model = model_of().fit(X, Y)
    with pytest.raises(ValueError, match="different random features"):
        model.merge(model_of().fit(X[:, :3], Y))
    with pytest.raises(ValueError, match="2 and 1 targets"):
        model.merge(model_of().fit(X, Y[:, 0]))
    with pytest.raises(NotFittedError):
        model.merge(model_of())
    with pytest.raises(ValueError, match="alpha"):
        model.set_params(alpha=-1.0).merge(model_of().fit(X, Y))
    model.set_params(alpha=0.1).partial_fit(X[:5], Y[:5])
    is_the_model(model, model_of().fit(np.vstack([X, X[:5]]), np.vstack([Y, Y[:5]])))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": np.inf}, "n_components=inf"),
        ({"solver": "dual"}, "solver='dual'"),
        ({"precision": "mixed", "n_components": 10}, "precision='mixed'"),
    ],
    ids=str,
)
def test_parameters_that_streams_do_not_know(options, message):
    fitted = model_of(**options).fit(X, Y)
    for model in (model_of(**options), fitted):
        assert not hasattr(model, "partial_fit")
        with pytest.raises(ValueError, match=message):
            model.partial_fit(X, Y)
        with pytest.raises(ValueError, match=message):
            model.fit_blocks(blocks_of())
    with pytest.raises(ValueError, match=message):
        fitted.forget(X[:3], Y[:3])
    with pytest.raises(ValueError, match=message):
        fitted.merge(fitted)
    assert fitted.predict(X).shape == (200, 2)


def test_fits_that_streams_cannot_follow():
    wide = model_of(300).fit(X, Y)
    rows, targets = np.tile(X, (2, 1)), np.tile(Y, (2, 1))
    mixed = model_of(300).fit(rows, targets)
    for model, message in (
        (wide, "solver='dual': fit it with solver='primal'"),
        (mixed, "precision='mixed': fit it with precision='float64'"),
    ):
        assert hasattr(clone(model), "partial_fit")
        assert not hasattr(model, "partial_fit")
        before = model.coef_
        for act in ("partial_fit", "forget"):
            with pytest.raises(ValueError, match=f"{act} needs sums.*{message}"):
                getattr(model, act)(X[:9], Y[:9])
        with pytest.raises(ValueError, match=f"merge needs sums.*{message}"):
            model.merge(model)
        np.testing.assert_array_equal(model.coef_, before)
    summed = model_of(300).partial_fit(X, Y)
    with pytest.raises(ValueError, match="merge needs sums"):
        summed.merge(wide)
    options = {"solver": "primal", "precision": "float64"}
    primal = model_of(300, **options).fit(X, Y).partial_fit(X, Y)
    is_the_model(primal, model_of(300, **options).fit(rows, targets))


def test_batches_that_do_not_fit():
    model = model_of().partial_fit(X[:100], Y[:100])
    before = model.coef_
    for act in (model.partial_fit, model.forget):
        for rows, y, message in (
            (X[:9, :3], Y[:9], "3 features"),
            (X[:9], Y[:9, 0], "dimensions"),
            (X[:9], np.ones((9, 3)), "3 targets"),
            (X[:9], Y[:8], "inconsistent"),
        ):
            with pytest.raises(ValueError, match=message):
                act(rows, y)
    with pytest.raises(ValueError, match="weight"):
        model.forget(X[:9], Y[:9], np.zeros(9))
    np.testing.assert_array_equal(model.coef_, before)


def test_batches_without_weight_are_absent():
    model = model_of().partial_fit(X[:100], Y[:100])
    before = model.coef_
    model.partial_fit(1e300 * X[100:], Y[100:], np.zeros(100))
    np.testing.assert_array_equal(model.coef_, before)
    assert model.n_samples_seen_ == 100


def test_rows_that_were_never_seen():
    model = model_of().fit(X, Y)
    before = model.coef_
    for rows, targets in ((100.0 * X[:50], Y[:50]), (X[:50], 100.0 * Y[:50])):
        with pytest.raises(ValueError, match="not among those that were seen"):
            model.forget(rows, targets)
    np.testing.assert_array_equal(model.coef_, before)
    assert model.n_samples_seen_ == 200


def test_weights_taken_away_in_other_portions():
    model = model_of().partial_fit(X, Y, np.full(200, 3.0)).forget(X, Y).forget(X, Y)
    is_the_model(model, model_of().partial_fit(X, Y))
    assert model.n_samples_seen_ >= 1


def test_merging_something_else():
    model = model_of().fit(X, Y[:, 0])
    for other in (Ridge().fit(X, Y), RandomFeatureRidgeCV(3).fit(X, Y), None):
        with pytest.raises(TypeError, match=f"not a {type(other).__name__}"):
            model.merge(other)
    with pytest.raises(ValueError, match="a vector and one to a column"):
        model.merge(model_of().fit(X, Y[:, :1]))
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcd"))
    named = model_of().fit(frame, Y[:, 0])
    swapped = model_of().fit(frame[list("dcba")], Y[:, 0])
    with pytest.raises(ValueError, match="other names"):
        named.merge(swapped)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_blocks_without_rows_and_blocks_that_are_wrong(n_jobs):
    model = model_of(n_jobs=n_jobs)
    empty, absent = (X[:0], Y[:0]), (X[:9], Y[:9], np.zeros(9))
    blocks = [empty, absent, (X[:90], Y[:90]), empty, (X[90:], Y[90:]), absent]
    is_the_model(model.fit_blocks(blocks), from_scratch(weight=None))
    with pytest.raises(ValueError, match="no block with rows"):
        model.fit_blocks([empty, absent])
    for number in (0, 2):
        wrong = [(X[:50], Y[:50])] * 3
        wrong[number] = (X[:50, :2] if number else np.full((5, 2), np.nan), Y[:50])
        with pytest.raises(ValueError, match=f"Block {number}:"):
            model.fit_blocks(wrong)


def test_streams_that_tell(capsys):
    model = model_of(verbose=1).partial_fit(X[:120], Y[:120])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 and "n rows 120" in lines[0]
    model.fit_blocks([(X[:50], Y[:50])] * 3)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0][-7:] for line in lines] == [
        "block 1",
        "block 2",
        "block 3",
    ]
    assert "n rows 150" in lines[-1]
