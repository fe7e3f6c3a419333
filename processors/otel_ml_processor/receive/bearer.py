"""Who may send: whoever knows the token."""

from __future__ import annotations

import hmac
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import grpc

from otel_ml_processor.errors import ConfigError
from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["BearerToken"]

_PLACE: Final = "$.receive.bearer_token_file"
_SCHEME: Final = "Bearer "


class BearerToken:
    """
    The token in *path*, which every request has to carry as `authorization: Bearer TOKEN`; read again when the file changes.

    While a changed file cannot be read, or is empty, the token before it stays in force.

    Raises:
        ConfigError: If the file cannot be read or holds no token.
    """

    __slots__ = ("_expected", "_path", "_seen")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._expected = b""
        try:
            self._refresh()
        except OSError as error:
            raise ConfigError(f"{_PLACE}: cannot read {path}: {error.strerror}") from None
        if not self._expected:
            raise ConfigError(f"{_PLACE}: expected a token, {path} is empty")

    def check(self, metadata: Iterable[tuple[str, str | bytes]]) -> None:
        """
        Return if *metadata* carries the token.

        Raises:
            Refusal: UNAUTHENTICATED, which says neither what was found nor what was expected.
        """
        with suppress(
            OSError
        ):  # a file that is being replaced: what was read before is still right
            self._refresh()
        given = next((value for key, value in metadata if key == "authorization"), "")
        text = given if isinstance(given, str) else given.decode(errors="replace")
        # Compared in the same time whatever is wrong with it.
        if not hmac.compare_digest(text.encode(), _SCHEME.encode() + self._expected):
            raise Refusal(
                grpc.StatusCode.UNAUTHENTICATED,
                "expected the header `authorization: Bearer TOKEN` with the token of this processor",
                RefusalCause.UNAUTHENTICATED,
            )

    def _refresh(self) -> None:
        stat = self._path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
        if stamp != self._seen:
            token = self._path.read_bytes().strip()
            self._expected = token or self._expected
            self._seen = stamp
