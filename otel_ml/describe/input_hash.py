"""A keyed hash of an input: the same input is known again by it, and nothing else is."""

import os
import sys
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from otel_ml.describe.arrays import Table
from otel_ml.describe.samples import ContentPolicy, names_in_force
from otel_ml_conventions import attributes as keys

__all__ = ["InputHash"]

_HASH_BYTES: Final = 8
_UNBOUNDED: Final = sys.maxsize

# For who gives no key: equal inputs are known again in this process and its forks alone.
_KEY_OF_THIS_PROCESS: Final = os.urandom(blake2b.MAX_KEY_SIZE)


class InputHash:
    """
    64 bits of BLAKE2b over all samples of a call, as `ml.input.features` and `ml.input.rows` write them.

    What may not be captured is not hashed either: two inputs that differ in a denied feature alone
    are the same.

    Args:
        key: The secret, as UTF-8, by its hash where that is longer than 64 bytes; None for one of
            this process.
        max_rows: A call of more samples has no hash.
        allow: Globs of names; empty allows all.
        deny: Globs of names.
    """

    def __init__(
        self, key: str | None, max_rows: int, allow: Sequence[str] = (), deny: Sequence[str] = ()
    ) -> None:
        given = _KEY_OF_THIS_PROCESS if key is None else key.encode()
        self._key = given if len(given) <= blake2b.MAX_KEY_SIZE else blake2b(given).digest()
        self._max_rows = max_rows
        self._is_by_name = bool(allow or deny)
        self._policy = ContentPolicy(max_rows, _UNBOUNDED, _UNBOUNDED, allow, deny)

    def of(self, table: Table, known: tuple[str, ...] | None) -> str | None:
        """
        Return the hash of *table*, for example `b2:41c0d7e19a3358f2`; None where it has none.

        *known* are the model's names of the columns, for inputs that carry none; without either
        they are `x0`, `x1` ...
        """
        if not table.rows or table.columns is None or table.rows > self._max_rows:
            return None
        names = names_in_force(table, known)
        if names is None:
            if self._is_by_name:
                return None
            names = tuple(f"x{column}" for column in range(table.columns))
        content = self._policy.capture(table, names)
        if content is None:
            return None
        text = content.facts.get(keys.ML_INPUT_FEATURES) or content.facts[keys.ML_INPUT_ROWS]
        written = str(text).encode("utf-8", "surrogatepass")
        return f"b2:{blake2b(written, digest_size=_HASH_BYTES, key=self._key).hexdigest()}"
