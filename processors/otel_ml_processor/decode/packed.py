"""Texts as compiled code takes them, and room for those that it finds."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_processor.decode.fast_words import padded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import ByteArray, IntArray

__all__ = ["Joined", "Keys", "TextRoom", "joined_texts", "keys_of"]


class Joined(NamedTuple):
    """Texts one after the other, and where each begins and ends: text k is `data[ends[k]:ends[k + 1]]`."""

    data: ByteArray
    ends: IntArray

    @classmethod
    def of(cls, texts: Sequence[str]) -> Joined:
        """Return *texts*, with room behind them for what is read at once."""
        encoded = [text.encode() for text in texts]
        return cls(padded(b"".join(encoded)), np.cumsum([0, *map(len, encoded)], dtype=np.int64))


class Keys(NamedTuple):
    """Names as they stand in a JSON object, each with its quotes and its colon."""

    data: ByteArray
    ends: IntArray
    is_usual: NDArray[np.bool_]
    """Which names are written in JSON as they are: those without a quote, a backslash, or a control character."""

    @classmethod
    def of(cls, names: Sequence[str]) -> Keys:
        """Return the keys of *names*, in their order."""
        is_usual = [_UNUSUAL.search(name) is None for name in names]
        keys = Joined.of([f'"{name}":' for name in names])
        return cls(*keys, np.array(is_usual, dtype=np.bool_))


_UNUSUAL: Final = re.compile(r'["\\\x00-\x1f]')
joined_texts: Final = lru_cache(maxsize=1024)(Joined.of)
keys_of: Final = lru_cache(maxsize=1024)(Keys.of)


class TextRoom(NamedTuple):
    """Room for texts, as `find_text` has it."""

    table: IntArray
    ranges: IntArray

    @classmethod
    def of(cls, n_texts: int) -> TextRoom:
        """Return room for *n_texts* different ones."""
        return cls(np.empty(2 << n_texts.bit_length(), np.int64), np.empty((n_texts, 3), np.int64))
