"""Streams: rows added, forgotten and merged in any order make the model of one fit."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from tests.random_features.stream_cases import (
    WEIGHT,
    X,
    Y,
    blocks_of,
    from_scratch,
    is_the_model,
    model_of,
)


@given(
    cuts=st.lists(st.integers(1, 199), unique=True, max_size=8),
    seed=st.integers(0, 2**32 - 1),
    fit_intercept=st.booleans(),
    weighted=st.booleans(),
)
def test_any_split_in_any_order(cuts, seed, fit_intercept, weighted):
    order = np.random.default_rng(seed)
    weight = WEIGHT if weighted else None
    model = model_of(fit_intercept=fit_intercept)
    for part in np.split(order.permutation(200), sorted(cuts)):
        of_part = None if weight is None else weight[part]
        if of_part is not None and not of_part.any():
            continue  # such a batch is refused
        model.partial_fit(X[part], Y[part], of_part)
    expected = from_scratch(weight=weight, fit_intercept=fit_intercept)
    n_rows = 200 if weight is None else np.count_nonzero(weight)
    is_the_model(model, expected, n_rows)


@given(
    cuts=st.lists(st.integers(1, 199), unique=True, min_size=1, max_size=5),
    seed=st.integers(0, 2**32 - 1),
    data=st.data(),
)
def test_what_is_forgotten_was_never_seen(cuts, seed, data):
    order = np.random.default_rng(seed).permutation(200)
    parts = np.split(order, sorted(cuts))
    gone = data.draw(st.sampled_from(range(len(parts))))
    model = model_of()
    for part in parts:
        model.partial_fit(X[part], Y[part])
    for rows in np.array_split(parts[gone], min(3, parts[gone].size)):
        model.forget(X[rows], Y[rows])
    left = np.concatenate([part for at, part in enumerate(parts) if at != gone])
    is_the_model(model, from_scratch(left, weight=None), left.size, tol=1e-7)


@given(
    cut=st.integers(1, 199),
    seed=st.integers(0, 2**32 - 1),
    first=st.booleans(),
)
def test_merged_models(cut, seed, first):
    order = np.random.default_rng(seed).permutation(200)
    parts = order[:cut], order[cut:]
    weight = WEIGHT + 0.1
    one, two = (model_of().partial_fit(X[p], Y[p], weight[p]) for p in parts)
    into, other = (one, two) if first else (two, one)
    before = other.coef_
    assert into.merge(other) is into
    is_the_model(into, from_scratch(weight=weight), 200)
    np.testing.assert_array_equal(other.coef_, before)


def test_fits_go_on():
    model = model_of().fit(X[:120], Y[:120], WEIGHT[:120])
    assert model.solver_ == "primal" and model.precision_ == "float64"
    assert model.partial_fit(X[120:], Y[120:], WEIGHT[120:]) is model
    is_the_model(model, from_scratch())
    assert model.forget(X[:60], Y[:60], WEIGHT[:60]) is model
    is_the_model(model, from_scratch(slice(60, None)))
    model.merge(model_of().fit(X[:60], Y[:60], WEIGHT[:60]))
    is_the_model(model, from_scratch(), np.count_nonzero(WEIGHT))
    direct = model_of().fit(X, Y, WEIGHT)
    for name in ("degrees_of_freedom_", "effective_ridge_", "gcv_score_"):
        np.testing.assert_allclose(
            getattr(model, name), getattr(direct, name), rtol=1e-8
        )


def test_part_of_the_weight_is_forgotten():
    model = model_of().fit(X, Y[:, 0], np.full(200, 2.0))
    model.forget(X[:100], Y[:100, 0])
    assert model.n_samples_seen_ == 100
    model.forget(X[100:], Y[100:, 0])
    is_the_model(model, from_scratch(weight=None, y=Y[:, 0]))


def explicit_sums(Z, targets, weight):
    """Squares, products and so on around 0."""
    ones = np.ones((len(Z), 1))
    both = np.hstack([Z, targets, ones])
    return both.T @ (weight[:, None] * both)


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_that_are_added_and_subtracted(sign):
    one = model_of().partial_fit(X[:120], Y[:120], WEIGHT[:120])
    two = model_of().partial_fit(X[120:150] + 1, Y[120:150] - 50)
    sums = one._sums.copy()
    sums.merge(two._sums, sign)
    Z = one.random_features_.transform
    expected = explicit_sums(Z(X[:120]), Y[:120], WEIGHT[:120])
    other = explicit_sums(Z(X[120:150] + 1), Y[120:150] - 50, np.ones(30))
    expected = expected + sign * other
    found = sums.centred(center=False)
    lower = np.tril(found.squares)
    np.testing.assert_allclose(lower, np.tril(expected[:30, :30]), atol=1e-9)
    np.testing.assert_allclose(found.products, expected[:30, 30:32], atol=1e-9)
    if sign == 1:
        squares = expected.diagonal()[30:32]
        np.testing.assert_allclose(found.y_squares, squares, rtol=1e-10)
    else:
        moved = sums.target_squares + sums.y_shift * (
            2 * sums.targets + sums.weight * sums.y_shift
        )
        np.testing.assert_allclose(moved, expected.diagonal()[30:32], rtol=1e-10)
    assert sums.weight == pytest.approx(expected[-1, -1], rel=1e-12)
    assert sums.n_rows == np.count_nonzero(WEIGHT[:120]) + 30 * sign


@pytest.mark.parametrize("width", [1, 7, 30])
def test_sums_of_narrower_maps(width):
    """The first sums, scaled, are those of a map of fewer features."""
    wide = model_of().partial_fit(X, Y, WEIGHT)._sums
    narrow = model_of(width).partial_fit(X, Y, WEIGHT)._sums
    for center in (True, False):
        expected = narrow.centred(center)
        for found in (
            wide.centred(center, width),
            wide.narrowed(width).centred(center),
        ):
            for name in ("squares", "products", "y_squares", "center", "y_center"):
                values, given = getattr(found, name), getattr(expected, name)
                if name == "squares":
                    values, given = np.tril(values), np.tril(given)
                np.testing.assert_allclose(values, given, rtol=1e-10, atol=1e-11)


def test_merging_with_oneself_doubles_the_weights():
    model = model_of().fit(X, Y)
    is_the_model(model.merge(model), from_scratch(weight=np.full(200, 2.0)))


def test_many_models_are_merged():
    parts = np.array_split(np.arange(200), 7)
    models = [
        pickle.loads(pickle.dumps(model_of().partial_fit(X[part], Y[part])))
        for part in parts
    ]
    whole = models[0]
    for other in models[1:]:
        whole.merge(other)
    is_the_model(whole, from_scratch(weight=None), 200)


@pytest.mark.parametrize("kind", ["generator", "list", "functions", "lists"])
@pytest.mark.parametrize("weighted", [True, False])
def test_blocks(kind, weighted):
    blocks = blocks_of(weighted)
    if kind == "list":
        blocks = list(blocks)
    if kind == "lists":
        blocks = [list(block) for block in blocks]
    if kind == "functions":
        blocks = [lambda block=block: block for block in blocks]
    model = model_of()
    assert model.fit_blocks(blocks) is model
    is_the_model(model, from_scratch(weight=WEIGHT if weighted else None))


def test_blocks_are_let_go():
    alive = []

    class Block(np.ndarray):
        def __del__(self):
            if vars(self):  # slices of it have no number
                alive.remove(self.number)

    def blocks():
        for number in range(5):
            assert len(alive) <= 1
            block = X[:40].view(Block)
            block.number = number
            alive.append(number)
            yield block, Y[:40]
            del block

    model_of().fit_blocks(blocks())
    assert not alive


def test_blocks_begin_anew():
    model = model_of().fit(X[:, :2], Y[:, 0])
    is_the_model(model.fit_blocks(blocks_of()), from_scratch())
    assert model.n_features_in_ == 4 and model.coef_.shape == (2, 30)
    dual = model_of(300).fit(X, Y)
    assert dual.solver_ == "dual"
    assert dual.fit_blocks(blocks_of()).solver_ == "primal"


def test_failed_blocks_change_nothing():
    def broken():
        yield X[:50], Y[:50]
        yield X[50:], Y[50:, :1]

    model = model_of().fit(X, Y)
    before = model.coef_
    with pytest.raises(ValueError, match="targets"):
        model.fit_blocks(broken())
    np.testing.assert_array_equal(model.coef_, before)
    assert model.n_samples_seen_ == 200
    new = model_of()
    with pytest.raises(ValueError, match="targets"):
        new.fit_blocks(broken())
    assert not hasattr(new, "coef_")
    with pytest.raises(NotFittedError):
        new.predict(X)
    is_the_model(new.partial_fit(X, Y), from_scratch(weight=None), 200)


def test_bad_blocks():
    for blocks, message in (
        ([], "blocks holds no block"),
        ([X], "blocks must hold tuples.*ndarray"),
        ([(X,)], "blocks must hold tuples.*tuple"),
        ([(X, Y, WEIGHT, 1)], "blocks must hold tuples"),
        ([lambda: None], "blocks must hold tuples.*NoneType"),
    ):
        with pytest.raises(ValueError, match=message):
            model_of().fit_blocks(blocks)


def test_sparse_and_mixed_batches():
    thin = np.where(np.abs(X) < 0.7, 0.0, X)
    model = model_of()
    for part in np.array_split(np.arange(200), 5):
        there = thin[part] if part[0] == 40 else csr_array(thin[part])
        model.partial_fit(there, Y[part])
    direct = model_of().fit(thin, Y)
    is_the_model(model, direct)
    model.forget(csr_array(thin[:50]), Y[:50])
    is_the_model(model, model_of().fit(thin[50:], Y[50:]))


def test_dask_and_sliceable_batches():
    array = pytest.importorskip("dask.array")
    model = model_of()
    model.partial_fit(array.from_array(X[:80], chunks=(30, 4)), Y[:80])
    model.partial_fit(X[80:], Y[80:])
    is_the_model(model, from_scratch(weight=None))


def test_the_first_batch_fixes_gamma():
    model = model_of(gamma="scale").partial_fit(X[:50], Y[:50])
    gamma = 1 / (4 * X[:50].var())
    assert model.gamma_ == pytest.approx(gamma)
    weights = model.random_features_.random_weights_
    model.partial_fit(10 * X[50:], Y[50:])
    assert model.gamma_ == pytest.approx(gamma)
    np.testing.assert_array_equal(model.random_features_.random_weights_, weights)
    rows = np.vstack([X[:50], 10 * X[50:]])
    is_the_model(model, model_of(gamma=model.gamma_).fit(rows, Y))


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_single_precision(precision):
    narrow = X.astype(np.float32)
    model = model_of(precision=precision, alpha=1.0)
    for part in np.array_split(np.arange(200), 4):
        # Rows in double precision follow the first ones.
        rows = narrow[part] if part[0] == 0 else X[part]
        model.partial_fit(rows, Y[part])
    assert model.precision_ == "float32" and model.coef_.dtype == np.float32
    expected = from_scratch(weight=None, alpha=1.0)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=1e-4)
    assert model.predict(narrow).dtype == np.float32


def test_far_from_zero():
    """Batches far from the first one, far from 0: sums must not cancel."""
    options = {"activation": "linear", "alpha": 1e-3, "n_components": 6, "bias": 0.0}
    far = X + np.repeat([0.0, 1e3, 1e5, -1e5], 50)[:, None]
    y = far @ [1.0, -2.0, 0.5, 3.0] + 1e6
    model = model_of(**options)
    for start in (0, 50, 100, 150):
        model.partial_fit(far[start : start + 50], y[start : start + 50])
    np.testing.assert_allclose(model.predict(far), y, rtol=1e-9)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_penalties_of_streams(n_targets):
    y = Y[:, 0] if n_targets == 1 else Y
    model = model_of().partial_fit(X[:100], y[:100])
    _ = model.coef_
    # A parameter takes effect at the next call.
    model.set_params(alpha=5.0).partial_fit(X[100:], y[100:])
    is_the_model(model, from_scratch(weight=None, y=y, alpha=5.0))
    with pytest.raises(ValueError, match="alpha"):
        model.set_params(alpha=-5.0).partial_fit(X, y)
    with pytest.raises(ValueError, match="alpha"):
        model.set_params(alpha=[1.0] * 3).partial_fit(X, y)
    assert model.n_samples_seen_ == 200


def test_features_are_fixed_by_the_first_batch():
    model = model_of().partial_fit(X[:100], Y[:100])
    other = {
        "n_components": 7,
        "activation": "cos",
        "negative_slope": 0.5,
        "gamma": 0.7,
        "bias": 9.0,
        "distribution": "student",
        "sampling": "qmc",
        "nu": 9.0,
        "random_state": 5,
    }
    for name, value in other.items():
        changed = deepcopy(model).set_params(**{name: value})
        for act in (changed.partial_fit, changed.forget):
            with pytest.raises(ValueError, match=f"{name}=.*cannot change"):
                act(X[:50], Y[:50])
        with pytest.raises(ValueError, match=f"{name}=.*cannot change"):
            changed.merge(model)
    model.partial_fit(X[100:], Y[100:])
    is_the_model(model, from_scratch(weight=None))


def test_other_parameters_act_from_then_on():
    model = model_of().partial_fit(X[:100], Y[:100]).set_params(alpha=3.0, batch_size=7)
    model.partial_fit(X[100:], Y[100:])
    is_the_model(model, model_of(alpha=3.0).partial_fit(X, Y))
    for name, value in (("precision", "half"), ("batch_size", "few"), ("alpha", "x")):
        changed = deepcopy(model).set_params(**{name: value})
        for act in (changed.partial_fit, changed.forget):
            with pytest.raises(ValueError, match=f"(?s)'?{name}'?.*{value}"):
                act(X[:50], Y[:50])


def test_streams_in_searches():
    """Clones of a model that streams are searched over as any other."""
    model = model_of().partial_fit(X, Y[:, 0])
    search = GridSearchCV(model, {"alpha": [1e-4, 1e-2, 1.0]}, cv=3).fit(X, Y[:, 0])
    assert search.best_score_ > 0.5
    assert search.best_estimator_.partial_fit(X, Y[:, 0]).n_samples_seen_ == 400
