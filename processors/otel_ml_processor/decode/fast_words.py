"""
Many bytes of a request at once, for compiled code: most of reading is comparing texts, and byte by byte that takes five times as long.

What is read must lie within *data*: nothing checks it, except where `NUMBA_BOUNDSCHECK=1` has every byte read by itself. Therefore an array goes on
for `BLOCK` bytes behind the last text in it (`with_tail`), so that its last block can be read whole.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from otel_ml_processor.compiled import IS_COMPILED, compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import ByteArray

__all__ = [
    "BLOCK",
    "byte_at",
    "copied",
    "differing",
    "in_blocks",
    "not_ascii",
    "padded",
    "with_tail",
    "word_at",
]

BLOCK: Final = 32
"""Bytes of a block; a word has eight."""


def with_tail(contents: Sequence[bytes]) -> bytes:
    """Return *contents* behind one another, and as many zero bytes as a block has: what `in_blocks` need not copy."""
    return b"".join([*contents, bytes(BLOCK)])


def in_blocks(content: bytes, size: int) -> ByteArray:
    """Return *content* as an array whose first *size* bytes can be read in blocks; the same memory where it goes on for so long."""
    return np.frombuffer(
        content if len(content) >= size + BLOCK else with_tail([content]), np.uint8
    )


def padded(content: bytes) -> ByteArray:
    """Return all of *content* as an array that can be read in blocks."""
    return in_blocks(content, len(content))


@compiled
def _word_of_bytes(data: ByteArray, at: int) -> np.uint64:
    word: np.uint64 = np.uint64(0)
    for byte in range(8):
        word |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
    return word


@compiled
def _not_ascii_of_bytes(data: ByteArray, at: int) -> np.uint64:
    marks: np.uint64 = np.uint64(0)
    for byte in range(BLOCK):
        if data[at + byte] >= 0x80:
            marks |= np.uint64(1) << np.uint64(byte)
    return marks


@compiled
def _differing_of_bytes(data: ByteArray, at: int, other: ByteArray, other_at: int) -> np.uint64:
    marks: np.uint64 = np.uint64(0)
    for byte in range(BLOCK):
        if data[at + byte] != other[other_at + byte]:
            marks |= np.uint64(1) << np.uint64(byte)
    return marks


@compiled
def _byte_of_bytes(data: ByteArray, at: int) -> int:
    return int(data[at])


@compiled
def _copied_of_bytes(source: ByteArray, start: int, end: int, target: ByteArray, at: int) -> int:
    target[at : at + end - start] = source[start:end]
    return at + end - start


def _of_machine() -> tuple[Any, Any, Any, Any, Any]:
    """Return the same five as a few instructions each, which stand where they are called."""
    from llvmlite import ir
    from numba import types
    from numba.core.cgutils import raw_memcpy
    from numba.extending import intrinsic

    word, block = ir.IntType(64), ir.VectorType(ir.IntType(8), BLOCK)

    def loaded(context: Any, builder: Any, array: tuple[Any, Any], at: Any, kind: Any) -> Any:
        data = context.make_array(array[0])(context, builder, array[1]).data
        value = builder.load(builder.bitcast(builder.gep(data, [at]), kind.as_pointer()))
        value.align = 1
        return value

    def marks(builder: Any, bits: Any) -> Any:
        return builder.zext(builder.bitcast(bits, ir.IntType(BLOCK)), word)

    @intrinsic
    def word_at(_: Any, data: Any, __: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            return loaded(context, builder, (signature.args[0], given[0]), given[1], word)

        return types.uint64(data, types.int64), generate

    @intrinsic
    def not_ascii(_: Any, data: Any, __: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            read = loaded(context, builder, (signature.args[0], given[0]), given[1], block)
            return marks(builder, builder.icmp_signed("<", read, ir.Constant(block, [0] * BLOCK)))

        return types.uint64(data, types.int64), generate

    @intrinsic
    def differing(_: Any, data: Any, __: Any, other: Any, ___: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            read = loaded(context, builder, (signature.args[0], given[0]), given[1], block)
            beside = loaded(context, builder, (signature.args[2], given[2]), given[3], block)
            return marks(builder, builder.icmp_unsigned("!=", read, beside))

        return types.uint64(data, types.int64, other, types.int64), generate

    @intrinsic
    def byte_at(_: Any, data: Any, __: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            return loaded(context, builder, (signature.args[0], given[0]), given[1], ir.IntType(8))

        return types.uint8(data, types.int64), generate

    @intrinsic
    def copied(_: Any, source: Any, __: Any, ___: Any, target: Any, ____: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            source, start, end, target, at = given
            read = context.make_array(signature.args[0])(context, builder, source).data
            written = context.make_array(signature.args[3])(context, builder, target).data
            size = builder.sub(end, start)
            raw_memcpy(  # type: ignore[no-untyped-call] # numba has no types
                builder, builder.gep(written, [at]), builder.gep(read, [start]), size, 1
            )
            return builder.add(at, size)

        places = types.int64, types.int64
        return types.int64(source, *places, target, types.int64), generate

    return word_at, not_ascii, differing, copied, byte_at


_is_checked = os.environ.get("NUMBA_BOUNDSCHECK", "0") == "1"
_chosen = (
    _of_machine()
    if IS_COMPILED and sys.byteorder == "little" and not _is_checked
    else (
        _word_of_bytes,
        _not_ascii_of_bytes,
        _differing_of_bytes,
        _copied_of_bytes,
        _byte_of_bytes,
    )
)

word_at: Any = _chosen[0]
"""`word_at(data, at)`: the eight bytes from *at* on as a little-endian number."""
not_ascii: Any = _chosen[1]
"""`not_ascii(data, at)`: which bytes of the block from *at* on are 0x80 or more; bit k stands for byte k."""
differing: Any = _chosen[2]
"""`differing(data, at, other, other_at)`: which bytes of two blocks are not the same; bit k stands for byte k."""
copied: Any = _chosen[3]
"""`copied(source, start, end, target, at)`: where in *target* the bytes in `[start, end)` of *source* end that it has copied to *at* there."""
byte_at: Any = _chosen[4]
"""`byte_at(data, at)`: the byte at *at*, where that is never negative: an index is looked at for that each time, which takes longer than reading a byte."""
