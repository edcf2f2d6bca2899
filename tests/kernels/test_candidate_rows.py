"""Sources of candidates' rows: the same numbers however they are kept."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn import config_context
from sklearn.metrics import pairwise_distances

from skloss.kernels import (
    CandidateRows,
    ComputedCandidates,
    CondensedCandidates,
    StoredCandidates,
    check_dissimilarities,
    condense,
    stored,
)


def embedded(D):
    """The same matrix as every other row and column of a larger one."""
    return np.repeat(np.repeat(D, 2, axis=0), 2, axis=1)[::2, ::2]


def padded(D):
    """Columns contiguous, but not one after the other."""
    frame = np.zeros((D.shape[1], D.shape[0] + 3), D.dtype)
    frame[:, : D.shape[0]] = D.T
    return frame[:, : D.shape[0]].T


def reversed_view(D):
    return np.ascontiguousarray(D[::-1])[::-1]


def read_only(D):
    D = D.copy()
    D.flags.writeable = False
    return D


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": embedded,
    "padded": padded,
    "reversed": reversed_view,
    "read-only": read_only,
    "swapped": lambda D: D.astype(D.dtype.newbyteorder()),
}


def matrix(rng, n=150, *, symmetric=False, m=None, dtype=np.float64):
    D = rng.random((n, m or n))
    if symmetric:
        D = D + D.T
        np.fill_diagonal(D, 0)
    return D.astype(dtype)


def check_source(source, D):
    """All ways of asking give the columns of D, as kernels want them."""
    n_points, n = D.shape
    assert isinstance(source, CandidateRows)
    assert (source.n_rows, source.n_columns) == (n, n_points)
    some = [n - 1, 0, n // 2, 0]
    blocks = [
        (source.rows(1, n - 1), D[:, 1 : n - 1].T),
        (source.rows(2, 2), D[:, 2:2].T),
        (source.take(some), D[:, some].T),
        (source.take([3]), D[:, [3]].T),
        (source.take(np.array([], int)), D[:, :0].T),
    ]
    blocks += [(block, D[:, a:b].T) for a, b, block in source.iterate(block_rows=37)]
    for got, expected in blocks:
        assert got.dtype == source.dtype
        assert got.flags.c_contiguous
        assert not got.flags.writeable
        assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["symmetric", "asymmetric", "wide", "tall"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_stored_in_any_layout(layout, kind, dtype, rng):
    m = {"wide": 170, "tall": 40}.get(kind)
    D = matrix(rng, symmetric=kind == "symmetric", m=m, dtype=dtype)
    before = D.copy()
    kept = LAYOUTS[layout](D)
    source = StoredCandidates(kept)
    check_source(source, D)
    assert source.dtype == dtype
    assert_array_equal(source.points([4, 0, 4]), D[[4, 0, 4]])
    assert_array_equal(source.points([149]), D[[149]])
    assert source.points([1, 2]).flags.c_contiguous
    assert_array_equal(kept, before)


@given(
    n=st.integers(1, 9),
    m=st.integers(1, 9),
    rows=st.sampled_from([1, 2, -1, -3]),
    columns=st.sampled_from([1, 2, -1, -3]),
    transposed=st.booleans(),
    symmetric=st.booleans(),
    seed=st.integers(0, 5),
)
def test_stored_in_any_stride(n, m, rows, columns, transposed, symmetric, seed):
    frame = np.random.default_rng(seed).integers(0, 3, (27, 27)).astype(float)
    if symmetric:
        m, columns, frame = n, rows, frame + frame.T
    D = frame[::rows, ::columns][:n, :m]
    D = D.T if transposed else D
    source = StoredCandidates(D)
    assert_array_equal(source.rows(0, source.n_rows), D.T)
    assert_array_equal(source.points(range(len(D))), D)
    if source.is_symmetric is not None:
        assert source.is_symmetric == (D.shape[0] == D.shape[1] and (D.T == D).all())


def test_nothing_is_copied_that_can_be_used_as_it_is(rng):
    D = matrix(rng)
    S = D + D.T
    for kept, is_symmetric in (
        (np.asfortranarray(D), None),
        (np.ascontiguousarray(S), True),
    ):
        source = StoredCandidates(kept)
        assert source.is_symmetric is is_symmetric
        assert np.shares_memory(source.rows(3, 9), kept)
        assert np.shares_memory(source.take([5]), kept)
    assert np.shares_memory(StoredCandidates(S).points([3]), S)
    by_columns = np.asfortranarray(S)
    source = StoredCandidates(by_columns)
    assert np.shares_memory(source.points([3]), by_columns)
    assert source.is_symmetric is True
    assert StoredCandidates(np.ascontiguousarray(D)).is_symmetric is False
    assert not np.shares_memory(StoredCandidates(D).rows(3, 9), D)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["C", "strided"])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_rounding_does_not_make_asymmetric(scale, layout, dtype, rng):
    """One unit in the last place does not, 100 of them in one place do."""
    D = matrix(rng, 200, symmetric=True, dtype=dtype) * dtype(scale)
    above = np.triu(rng.random(D.shape) < 0.5)
    D[above] = np.nextafter(D[above], dtype(np.inf))
    kept = LAYOUTS[layout](D)
    source = StoredCandidates(kept)
    assert (D != D.T).any()
    assert source.is_symmetric is True
    assert np.shares_memory(source.rows(3, 9), kept) == (layout == "C")
    assert_allclose(source.rows(0, 200), D.T, rtol=4 * np.finfo(dtype).eps)
    assert_array_equal(source.points([5, 3]), D[[5, 3]])
    D[190, 3] += 100 * np.spacing(D[190, 3])
    source = StoredCandidates(LAYOUTS[layout](D))
    assert source.is_symmetric is False
    assert_array_equal(source.rows(0, 200), D.T)


def test_distances_of_scikit_learn_are_symmetric(rng):
    D = pairwise_distances(rng.standard_normal((300, 50)))
    assert (D != D.T).any()
    assert StoredCandidates(D).is_symmetric is True


@pytest.mark.parametrize("n", [5, 64, 700])
def test_columns_that_are_asked_for_often_are_copied_once(n, rng):
    D = matrix(rng, n, m=n + 3)
    before = D.copy()
    source = StoredCandidates(D)
    assert not np.shares_memory(source.take([1]), source.take([1]))
    for _ in range(2):
        check_source(source, D)
    assert np.shares_memory(source.rows(2, 4), source.take([3]))
    assert not np.shares_memory(source.rows(2, 4), D)
    assert np.shares_memory(source.points([3]), D)
    assert source.is_symmetric is False
    assert_array_equal(D, before)


def test_columns_are_not_copied_beyond_working_memory(rng):
    D = matrix(rng, 400)
    with config_context(working_memory=1):
        source = StoredCandidates(D)
        for _ in range(3):
            assert_array_equal(source.rows(0, 400), D.T)
        assert not np.shares_memory(source.rows(2, 4), source.rows(2, 4))


def test_several_threads_may_ask_for_the_copy(rng):
    D = matrix(rng, 600)
    source = StoredCandidates(D)
    got = [None] * 6

    def ask(i):
        got[i] = source.rows(100 * i, 100 * i + 100)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_array_equal(np.concatenate(got), D.T)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(np.float16, np.float32), (np.int8, float), (np.int64, float), (bool, float)],
)
def test_other_dtypes_are_converted(dtype, expected, rng):
    D = np.round(3 * rng.random((50, 50))).astype(dtype)
    source = StoredCandidates(D)
    assert source.dtype == expected
    check_source(source, D.astype(expected))


def test_memory_mapped(rng, tmp_path):
    D = matrix(rng, 300)
    for name, kept in (("C", D), ("F", np.asfortranarray(D))):
        np.save(tmp_path / name, kept)
        mapped = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
        check_source(StoredCandidates(mapped), D)
        assert check_dissimilarities(mapped) == check_dissimilarities(D)


@pytest.mark.parametrize("n", [1, 2, 64, 127, 128, 129, 300])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_facts_equal_numpy(layout, n, rng):
    S = matrix(rng, n, symmetric=True) - 0.25
    for _ in range(5):
        D = S.copy()
        i, j = rng.integers(0, n, 2)
        D[i, j] += 1e-9
        for A in (S, D):
            facts = check_dissimilarities(LAYOUTS[layout](A))
            assert facts.minimum == A.min()
            assert facts.maximum == A.max()
            assert facts.nonzero_diagonal == A.diagonal().any()
        assert StoredCandidates(LAYOUTS[layout](D)).is_symmetric in (
            None,
            bool((D.T == D).all()),
        )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_culprit_is_named(layout, value, rng):
    for i, j in ((0, 0), (149, 3), (3, 149), (140, 141), (77, 77)):
        D = matrix(rng)
        D[i, j] = value
        word = {"nan": "NaN", "inf": "infinity", "-inf": "-infinity"}[str(value)]
        with pytest.raises(ValueError, match=rf"X\[{i}, {j}\] is {word};"):
            check_dissimilarities(LAYOUTS[layout](D))
        with pytest.raises(ValueError, match=rf"^D\[{i}, {j}\] is {word};"):
            check_dissimilarities(LAYOUTS[layout](D), name="D")


def test_the_largest_numbers_are_finite():
    D = np.full((200, 200), np.finfo(float).max)
    assert check_dissimilarities(D).maximum == np.finfo(float).max


@pytest.mark.parametrize("shape", [(3, 4), (3,), (2, 2, 2), (0, 0)])
def test_what_is_not_square_is_refused(shape):
    with pytest.raises(ValueError, match="must be square; D has shape"):
        check_dissimilarities(np.ones(shape), name="D")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 130, 257])
def test_condensed_equals_scipy(n, dtype, rng):
    X = rng.standard_normal((n, 3)).astype(dtype)
    values = pdist(X) if n > 1 else np.empty(0)
    D = squareform(values).astype(dtype) if n > 1 else np.zeros((1, 1), dtype)
    source = CondensedCandidates(values.astype(dtype), n)
    assert source.is_symmetric
    assert_array_equal(source.rows(0, n), D)
    assert_array_equal(source.take([n - 1, 0]), D[[n - 1, 0]])
    for kept in (StoredCandidates(D), source):
        assert_array_equal(condense(kept), values.astype(dtype))
    computed = condense(ComputedCandidates(X))
    assert computed.dtype == dtype
    assert_allclose(computed, values, rtol=1e-5 if dtype == np.float32 else 1e-12)


def test_condensed_source(rng):
    D = matrix(rng, symmetric=True)
    check_source(CondensedCandidates(squareform(D), 150), D)
    with pytest.raises(ValueError, match=r"5 points are 10 values; .*\(11,\)"):
        CondensedCandidates(np.ones(11), 5)


def test_only_symmetric_sources_are_condensed(rng):
    D = matrix(rng)
    with pytest.raises(ValueError, match="not symmetric cannot be condensed"):
        condense(StoredCandidates(D))
    S = matrix(rng, symmetric=True)
    S[149, 0] *= 1.001
    with pytest.raises(
        ValueError, match=r"point 0 to candidate 149|149 to candidate 0"
    ):
        condense(StoredCandidates(np.asfortranarray(S)))
    with pytest.raises(ValueError, match="Only square"):
        condense(StoredCandidates(D[:, :3]))
    X = rng.standard_normal((40, 2))
    with pytest.raises(ValueError, match="not symmetric"):
        condense(ComputedCandidates(X, metric=lambda o, j: max(0.0, o[0] - j[0])))
    got = condense(ComputedCandidates(X, metric=lambda o, j: abs(o - j).sum() + 1))
    assert_allclose(got, pdist(X, "cityblock") + 1)


@pytest.mark.parametrize("p", [3, 100])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine", "minkowski"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_computed_stored_and_condensed_agree(metric, p, dtype, rng):
    X = rng.standard_normal((300, p)).astype(dtype)
    source = ComputedCandidates(X, metric=metric)
    D = stored(source)
    assert D.flags.f_contiguous
    assert D.dtype == dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    expected = cdist(X, X, metric.replace("manhattan", "cityblock"))
    assert_allclose(D, expected, rtol=tolerance, atol=tolerance)
    assert_allclose(source.rows(0, 300), D, rtol=tolerance, atol=tolerance * 1e-2)
    assert_allclose(source.take([250, 3]), D[[250, 3]], rtol=tolerance, atol=tolerance)
    assert_allclose(squareform(condense(source)), D, rtol=tolerance, atol=tolerance)
    assert not D.diagonal().any()
    assert StoredCandidates(np.ascontiguousarray(D)).is_symmetric


def test_few_features_give_the_same_bits_in_any_block(rng):
    X = rng.standard_normal((200, 20))
    source = ComputedCandidates(X)
    D = stored(source)
    for start, stop, block in source.iterate(13):
        assert_array_equal(block, D[start:stop])
    assert_array_equal(source.take([7, 199, 7]), D[[7, 199, 7]])
    assert_array_equal(condense(source), squareform(D))
    assert_array_equal(D, D.T)


@pytest.mark.parametrize("p", [4, 90])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_other_points(kind, p, rng):
    X = rng.standard_normal((60, p))
    X[X < 0.3] = 0
    batch = np.array([50, 3, 3, 20])
    data = sparse.csr_array(X) if kind == "sparse" else X
    source = ComputedCandidates(data, metric="cosine", points=data[batch], own=batch)
    expected = pairwise_distances(X, X[batch], metric="cosine")
    expected[batch, np.arange(4)] = expected[3, 2] = expected[3, 1] = 0
    assert_allclose(source.rows(0, 60), expected, atol=1e-14)
    got = source.take([20, 3, 50])
    assert_allclose(got, expected[[20, 3, 50]], atol=1e-14)
    assert got[0, 3] == got[1, 1] == got[1, 2] == got[2, 0] == 0
    assert source.is_symmetric is None


def test_own_is_at_zero_even_without_a_direction():
    X = np.zeros((3, 2))
    D = ComputedCandidates(X, metric="cosine").rows(0, 3)
    assert_array_equal(D, 1 - np.eye(3))
    own = np.array([-1, 2])
    D = ComputedCandidates(X, metric="cosine", points=X[:2], own=own).rows(0, 3)
    assert_array_equal(D, [[1, 1], [1, 1], [1, 0]])


def test_integers_are_measured_in_double_precision(rng):
    X = rng.integers(0, 9, (30, 3))
    source = ComputedCandidates(X, metric="manhattan")
    assert source.dtype == np.float64
    assert_array_equal(source.rows(0, 30), cdist(X, X, "cityblock"))


@pytest.mark.parametrize("p", [3, 200])
def test_threads_change_nothing(p, rng, monkeypatch):
    from skloss.kernels import candidate_rows

    X = rng.standard_normal((700, p)).astype(np.float32)
    S = matrix(rng, 700, symmetric=True)
    results = []
    for n_threads in (1, 3):
        for name in ("work_threads", "threads_for"):
            monkeypatch.setattr(candidate_rows, name, lambda *_, t=n_threads: t)
        source = ComputedCandidates(X)
        results.append([stored(source), condense(source), source.rows(0, 700)])
        assert StoredCandidates(S).is_symmetric
    for one, three in zip(*results):
        assert_array_equal(one, three)


def test_several_threads_may_ask_at_once(rng):
    X = rng.standard_normal((400, 100))
    source = ComputedCandidates(X)
    expected = [source.rows(start, start + 50) for start in range(0, 400, 50)]
    got = [None] * 8

    def ask(i):
        for _ in range(5):
            got[i] = source.rows(50 * i, 50 * i + 50)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(got, expected):
        assert_array_equal(a, b)
    assert source.n_distances == 400 * 400 * 6


def test_distances_are_counted(rng):
    X = rng.standard_normal((30, 3))
    source = ComputedCandidates(X, points=X[:20])
    source.rows(3, 10)
    source.take([1, 1, 5])
    assert source.n_distances == 10 * 20
    stored(source)
    assert source.n_distances == 10 * 20 + 30 * 20
    kept = StoredCandidates(matrix(rng, 10))
    kept.rows(0, 4)
    assert kept.n_distances == 40


def test_blocks_are_of_a_size_for_the_cache(rng):
    X = rng.standard_normal((5000, 2)).astype(np.float32)
    source = ComputedCandidates(X)
    rows = source.default_block_rows()
    assert 16 <= rows <= 256
    assert rows * 5000 * 4 <= 1 << 21
