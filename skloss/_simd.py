"""Comparisons of many numbers at once, as bits of one integer.

Loops that act on the few elements that pass a test are ruled by mispredicted branches.
With the outcomes of 64 tests in one integer, a loop visits those that passed and skips
the others for free. Compilers do not find this form by themselves: hence three
intrinsics, in the portable vector types of LLVM, which become what the processor has.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["LANES", "equal_bits", "less_bits", "prefetch", "trailing_zeros"]

LANES = 64
_LINE_BYTES = 64  # of a cache
_I32 = ir.IntType(32)


def _load(context, builder, kind, array, start):
    """Load 64 consecutive elements of an array."""
    vector = ir.VectorType(context.get_value_type(kind.dtype), LANES)
    data = context.make_array(kind)(context, builder, array).data
    first = builder.bitcast(builder.gep(data, [start]), vector.as_pointer())
    operand = builder.load(first)
    operand.align = kind.dtype.bitwidth // 8
    return operand


def _is_flat(kind, scalar):
    """Whether a numba type is that of a C-contiguous vector of such numbers."""
    return (
        isinstance(kind, types.Array)
        and kind.ndim == 1
        and kind.layout == "C"
        and isinstance(kind.dtype, scalar)
    )


@intrinsic
def less_bits(typing_context, values, limits, start):
    """Compare 64 consecutive elements of two arrays.

    For compiled code only.

    Parameters
    ----------
    values, limits : ndarray of shape (n,)
        C-contiguous, of one floating dtype.
    start : intp
        At most n - 64; not checked.

    Returns
    -------
    uint64
        Bit b is set where ``values[start + b] < limits[start + b]``; nan is not less.
    """
    if not all(_is_flat(kind, types.Float) for kind in (values, limits)):
        return None
    if values.dtype != limits.dtype:
        return None

    def codegen(context, builder, signature, arguments):
        start = arguments[2]
        left, right = (
            _load(context, builder, kind, array, start)
            for kind, array in zip(signature.args[:2], arguments[:2])
        )
        less = builder.fcmp_ordered("<", left, right)
        return builder.bitcast(less, ir.IntType(LANES))

    return types.uint64(values, limits, types.intp), codegen


@intrinsic
def equal_bits(typing_context, values, value, start):
    """Compare 64 consecutive integers with one.

    For compiled code only.

    Parameters
    ----------
    values : ndarray of shape (n,), intp
        C-contiguous.
    value : intp
        What to compare them with.
    start : intp
        At most n - 64; not checked.

    Returns
    -------
    uint64
        Bit b is set where ``values[start + b] == value``.
    """
    if not _is_flat(values, types.Integer):
        return None

    def codegen(context, builder, signature, arguments):
        array, value, start = arguments
        left = _load(context, builder, signature.args[0], array, start)
        seed = ir.Constant(left.type, ir.Undefined)
        seed = builder.insert_element(seed, value, ir.IntType(32)(0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        right = builder.shuffle_vector(seed, seed, lanes)
        equal = builder.icmp_signed("==", left, right)
        return builder.bitcast(equal, ir.IntType(LANES))

    return types.uint64(values, values.dtype, types.intp), codegen


@intrinsic
def trailing_zeros(typing_context, bits):
    """Position of the lowest set bit of a uint64 that is not 0.

    For compiled code only.

    Parameters
    ----------
    bits : uint64
        Not 0: the result would be undefined.

    Returns
    -------
    intp
    """

    def codegen(context, builder, signature, arguments):
        zeros = builder.cttz(arguments[0], cgutils.true_bit)
        return context.cast(builder, zeros, types.uint64, types.intp)

    return types.intp(types.uint64), codegen


@intrinsic
def prefetch(typing_context, values, position):
    """Ask for the memory of 64 consecutive elements that will be read soon.

    Processors guess sequential reads by themselves, but not far enough ahead in loops
    whose branches are mispredicted. For compiled code only.

    Parameters
    ----------
    values : ndarray of shape (n,)
        C-contiguous.
    position : intp
        First element; need not lie within the array.

    Returns
    -------
    None
    """
    if not _is_flat(values, types.Number):
        return None
    n_lines = LANES * values.dtype.bitwidth // 8 // _LINE_BYTES

    def codegen(context, builder, signature, arguments):
        array, position = arguments
        data = context.make_array(signature.args[0])(context, builder, array).data
        first = builder.gep(data, [position])
        first = builder.bitcast(first, cgutils.voidptr_t)
        kind = ir.FunctionType(ir.VoidType(), [first.type, _I32, _I32, _I32])
        hint = builder.module.declare_intrinsic("llvm.prefetch", [first.type], kind)
        for line in range(n_lines):
            address = builder.gep(first, [_I32(line * _LINE_BYTES)])
            # for reading, to be kept in all caches, data
            builder.call(hint, [address, _I32(0), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.none(values, types.intp), codegen
