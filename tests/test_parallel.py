import os
import subprocess
import sys
import threading
import time

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skloss import _parallel
from skloss._parallel import (
    effective_threads,
    map_row_blocks,
    one_blas_thread,
    threads_for,
)


def run_with(environment, code):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.mark.parametrize("n_threads", [1, 2, 5, 50])
@pytest.mark.parametrize("n_rows, block_rows", [(0, 3), (1, 3), (9, 3), (10, 3)])
def test_blocks_tile_the_rows_in_order(n_rows, block_rows, n_threads):
    blocks = map_row_blocks(lambda a, b: range(a, b), n_rows, block_rows, n_threads)
    assert [i for block in blocks for i in block] == list(range(n_rows))
    assert all(len(block) == block_rows for block in blocks[:-1])


def test_results_keep_block_order_when_late_blocks_finish_first():
    def slow_at_first(start, stop):
        time.sleep(0.02 if start == 0 else 0)
        return start

    assert map_row_blocks(slow_at_first, 20, 1, n_threads=3) == list(range(20))


def test_reduction_is_bitwise_equal_for_any_number_of_threads():
    x = np.random.default_rng(0).lognormal(sigma=5, size=10_001)
    sums = [
        sum(map_row_blocks(lambda a, b: x[a:b].sum(), len(x), 100, n_threads))
        for n_threads in (1, 2, 3, 7)
    ]
    assert len(set(sums)) == 1


def test_threads_run_at_the_same_time_and_the_caller_is_one_of_them():
    meeting = threading.Barrier(3, timeout=10)  # breaks unless three blocks overlap

    def meet(start, stop):
        meeting.wait()
        return threading.current_thread()

    assert threading.current_thread() in map_row_blocks(meet, 3, 1, n_threads=3)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_first_failing_block_is_raised_and_the_rest_is_not_begun(n_threads):
    begun = []

    def fail(start, stop):
        begun.append(start)
        time.sleep(0.005)
        raise KeyError(start)

    with pytest.raises(KeyError) as raised:
        map_row_blocks(fail, 1000, 1, n_threads)
    assert raised.value.args == (min(begun),)
    assert len(begun) <= n_threads


def test_blocks_see_the_callers_error_state():
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        map_row_blocks(lambda a, b: np.full(2, 1e308) * 10, 4, 1, n_threads=2)


def test_n_jobs_caps_the_threads():
    with threadpool_limits(4, user_api="openmp"):
        limit = effective_threads()
        assert effective_threads(-1) == limit
        assert effective_threads(1) == 1
        assert effective_threads(1000) == limit
        assert effective_threads(-1000) == 1
    with pytest.raises(ValueError, match="n_jobs=0"):
        effective_threads(0)


def test_threadpoolctl_and_environment_are_respected():
    with threadpool_limits(1, user_api="openmp"):
        assert effective_threads() == 1
    code = "from skloss._parallel import effective_threads as t; print(t(), t(-2))"
    assert run_with({"OMP_NUM_THREADS": "5"}, code) == "5 4"


@pytest.mark.parametrize("limit", [1, 3])
def test_public_fallback_agrees_with_scikit_learns_helper(limit):
    code = (
        "import sklearn.cluster, skloss._parallel as p;"
        "print(p._openmp_threads(), p._openmp_threads_by_inspection())"
    )
    expected = min(limit, joblib.cpu_count(only_physical_cores=True))
    private, public = run_with({"OMP_NUM_THREADS": str(limit)}, code).split()
    assert int(private) == limit
    assert int(public) == expected


def test_fallback_is_used_when_scikit_learn_moves_its_helper(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.utils._openmp_helpers", None)
    assert _parallel._openmp_threads() == _parallel._openmp_threads_by_inspection()


@pytest.mark.parametrize("backend, inner", [("threading", None), ("loky", 1)])
def test_joblib_workers_do_not_oversubscribe(backend, inner):
    options = {} if inner is None else {"inner_max_num_threads": inner}
    with joblib.parallel_config(backend=backend, n_jobs=2, **options):
        counts = joblib.Parallel()(
            joblib.delayed(effective_threads)() for _ in range(4)
        )
    assert counts == [1] * 4


def test_small_regions_get_one_thread():
    with threadpool_limits(4, user_api="openmp"):
        assert threads_for(1000) == 1
        assert threads_for(10**9) == effective_threads()
        assert threads_for(10**9, n_jobs=1) == 1


def blas_threads():
    """Threads of each BLAS that can have several."""
    return {
        lib["num_threads"]
        for lib in threadpool_info()
        if lib["user_api"] == "blas" and lib.get("threading_layer") != "disabled"
    }


@pytest.fixture
def two_blas_threads():
    """Two, whatever the environment says, so that a limit of one can be seen."""
    import scipy.linalg  # noqa: F401  (brings a BLAS of its own)

    with threadpool_limits(2, user_api="blas"):
        assert blas_threads() == {2}
        yield


@pytest.mark.usefixtures("two_blas_threads")
def test_one_blas_thread_limits_blas_and_restores_it():
    with one_blas_thread():
        assert blas_threads() == {1}
        with one_blas_thread():
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == {2}
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert blas_threads() == {2}


@pytest.mark.usefixtures("two_blas_threads")
def test_threads_may_leave_one_blas_thread_in_any_order():
    """The first to enter is the first to leave, while the second is still inside."""
    first_inside, second_inside, first_out = (threading.Event() for _ in range(3))
    seen = {}

    def first():
        with one_blas_thread():
            first_inside.set()
            assert second_inside.wait(10)
        first_out.set()

    def second():
        assert first_inside.wait(10)
        with one_blas_thread():
            second_inside.set()
            assert first_out.wait(10)
            seen["alone inside"] = blas_threads()

    threads = [threading.Thread(target=f) for f in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"alone inside": {1}}
    assert blas_threads() == {2}


@pytest.mark.usefixtures("two_blas_threads")
def test_many_threads_share_one_blas_thread():
    seen = set()

    def work(seed):
        pause = np.random.default_rng(seed)
        for _ in range(20):
            with one_blas_thread():
                time.sleep(pause.uniform(0, 1e-3))
                seen.update(blas_threads())

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {1}
    assert blas_threads() == {2}


def test_one_blas_thread_limits_scipys_blas_before_it_is_used():
    code = (
        "from skloss._parallel import one_blas_thread\n"
        "from threadpoolctl import threadpool_limits, threadpool_info\n"
        "with one_blas_thread():\n"
        "    pass\n"
        "import scipy.linalg\n"
        "threadpool_limits(2, user_api='blas')\n"
        "with one_blas_thread():\n"
        "    print({lib['num_threads'] for lib in threadpool_info()\n"
        "           if lib['user_api'] == 'blas'})"
    )
    assert run_with({}, code) == "{1}"


def test_libraries_whose_limit_holds_for_one_thread_are_set_by_each(monkeypatch):
    """As OpenBLAS on OpenMP, which these wheels do not have."""

    class Library:
        internal_api, threading_layer = "openblas", "openmp"
        local = threading.local()

        @property
        def num_threads(self):
            return getattr(self.local, "number", 4)

        def set_num_threads(self, number):
            self.local.number = number

    library, seen = Library(), []
    monkeypatch.setattr(_parallel, "_blas_libraries", lambda: [library])

    def work(start, stop):
        with one_blas_thread():
            seen.append(library.num_threads)
        seen.append(library.num_threads)

    with one_blas_thread():
        worker = threading.Thread(target=work, args=(0, 1))
        worker.start()
        worker.join()
        seen.append(library.num_threads)
    assert seen == [1, 4, 1]
    assert library.num_threads == 4
