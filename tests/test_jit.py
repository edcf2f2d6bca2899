"""The kernel decorator and functions chosen by type or dtype."""

from typing import NamedTuple

import numpy as np
import pytest
from numba.core.errors import TypingError

from skloss._jit import compiled_for, compiled_kernels, dispatched, kernel
from skloss.losses import evaluate


class Power(NamedTuple):
    exponent: float = 2.0


class Shift(NamedTuple):
    offset: float = 1.0


class Other(NamedTuple):
    unused: float = 0.0


@dispatched
def apply(chosen, x):
    """Apply something."""


@apply.implement(Power)
def _(chosen, x):
    return x**chosen.exponent


@apply.implement(Shift)
def _(chosen, x):
    return x + chosen.offset


@dispatched
def apply_twice(chosen, x):
    """Apply something twice."""


@apply_twice.otherwise
def _(chosen, x):
    return apply(chosen, apply(chosen, x))


@apply_twice.implement(Shift)
def _(chosen, x):
    return x + 2 * chosen.offset


@kernel
def _compiled(chosen, x):
    return apply(chosen, x), apply_twice(chosen, x)


@pytest.mark.parametrize(
    ("chosen", "once", "twice"), [(Power(3.0), 8.0, 512.0), (Shift(0.5), 2.5, 3.0)]
)
def test_implementation_is_chosen_by_type(chosen, once, twice):
    assert (apply(chosen, 2.0), apply_twice(chosen, 2.0)) == (once, twice)
    assert _compiled(chosen, 2.0) == (once, twice)


def test_missing_implementation_is_named():
    with pytest.raises(TypeError, match=r"apply is not defined for Other"):
        apply(Other(), 1.0)
    with pytest.raises(TypingError):
        _compiled(Other(), 1.0)
    assert apply.supports(Power())
    assert not apply.supports(Other())


def test_a_second_implementation_is_refused():
    with pytest.raises(ValueError, match="apply of Power is defined already"):
        apply.implement(Power)


def test_stub_gives_name_and_documentation():
    assert apply.__name__ == "apply"
    assert apply.__doc__ == "Apply something."
    assert set(apply.implementations) == {Power, Shift}


@pytest.mark.parametrize("flags", [True, {"nnan"}, {"contract", "ninf"}])
def test_fastmath_that_hides_nan_is_refused(flags):
    with pytest.raises(ValueError, match="fastmath"):
        kernel(lambda x: x, fastmath=flags)


def test_division_by_zero_is_numpys():
    divide = kernel(lambda x, y: x / y)
    assert divide(1.0, 0.0) == np.inf


def double(x):
    return 2 * x


@compiled_for(double)
def _(real):
    # tells the dtypes apart: the compiled forms are not the plain one
    offset = real(32 if real is np.float32 else 64)
    return kernel(lambda x: 2 * x + offset)


def test_compiled_form_is_chosen_by_dtype():
    compiled = kernel(lambda x: double(x))
    assert double(1.0) == 2
    assert compiled(np.float32(1)) == 34
    assert compiled(1.0) == 66
    assert compiled(1) == 66


def test_compiled_kernels_are_counted():
    evaluate("hinge", 1.0, 0.5)
    counts = {count.name: count for count in compiled_kernels()}
    found = counts["skloss.losses._evaluation._values"]
    assert found.compiled + found.loaded >= 1
    before = found.compiled + found.loaded
    evaluate("hinge", 1.0, 0.5)
    counts = {count.name: count for count in compiled_kernels()}
    found = counts["skloss.losses._evaluation._values"]
    assert found.compiled + found.loaded == before
    assert not any(name.startswith("tests") for name in counts)


def test_functions_of_factories_have_names_of_their_own():
    """Or code from the disk might be linked with that of another function."""

    def make(factor):
        return kernel(lambda x: factor * x)

    from skloss import _elementary

    names = [
        compiled.py_func.__qualname__
        for name in _elementary.__all__
        for compiled in getattr(_elementary, name).kernels.values()
    ]
    names += [make(factor).py_func.__qualname__ for factor in (2.0, 3.0)]
    assert len(set(names)) == len(names)
