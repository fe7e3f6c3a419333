"""Who may send: whoever knows the token, or one of the passwords."""

from __future__ import annotations

import codecs
import hmac
from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import grpc

from otel_ml_processor.errors import ConfigError
from otel_ml_processor.file_stamp import file_stamp
from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from otel_ml_processor.config import Door
    from otel_ml_processor.file_stamp import FileStamp

__all__ = ["Callers"]

_EXPECTED: Final = "expected the header `authorization` with what this processor asks for: "


class Callers:
    """
    The files of *door* that say who may send there, read again when they change; paths are relative to *folder*.

    While a changed file cannot be read, or says nobody, what it said before stays in force. *place* is where the door stands in the
    configuration.

    Raises:
        ConfigError: If a file cannot be read, says nobody, or has a line of another form.
    """

    __slots__ = ("_asked_for", "_files")

    def __init__(self, door: Door, folder: Path, place: str) -> None:
        kinds = (
            ("bearer_token_file", door.bearer_token_file, "Bearer TOKEN", _bearer),
            ("basic_auth_file", door.basic_auth_file, "Basic USER:PASSWORD", _basic),
        )
        said = [kind for kind in kinds if kind[1] is not None]
        self._files = [
            _SecretFile(folder / (name or ""), f"{place}.{key}", read)
            for key, name, _, read in said
        ]
        self._asked_for = " or ".join(f"`{form}`" for _, _, form, _ in said)

    def check(self, header: Callable[[str], str]) -> None:
        """
        Return if the `authorization` that *header* gives (empty without one) is one that a file says, or if no file asks for any.

        Raises:
            Refusal: UNAUTHENTICATED, which says neither what was found nor what was expected.
        """
        if not self._files:
            return
        scheme, _, secret = header("authorization").partition(" ")
        given = f"{scheme.lower()} {secret}".encode(errors="replace")
        # Compared with every one, each in the same time whatever is wrong with it.
        if not sum([hmac.compare_digest(given, one) for file in self._files for one in file.now()]):
            raise Refusal(
                grpc.StatusCode.UNAUTHENTICATED,
                f"{_EXPECTED}{self._asked_for}",
                RefusalCause.UNAUTHENTICATED,
            )


class _SecretFile:
    """A file of secrets, as the headers that prove that one of them is known."""

    __slots__ = ("_headers", "_path", "_read", "_seen")

    def __init__(self, path: Path, place: str, read: Callable[[bytes], Sequence[bytes]]) -> None:
        self._path = path
        self._read = read
        self._seen: FileStamp | None = None
        self._headers: Sequence[bytes] = ()
        try:
            self._refresh()
        except OSError as error:
            raise ConfigError(f"{place}: cannot read {path}: {error.strerror}") from None
        except ValueError as error:
            raise ConfigError(f"{place}: {path}: {error}") from None

    def now(self) -> Sequence[bytes]:
        """Return the headers that are right at this moment."""
        # A file that is being replaced, or was replaced by nonsense: what was read before is still right.
        with suppress(OSError, ValueError):
            self._refresh()
        return self._headers

    def _refresh(self) -> None:
        stamp = file_stamp(self._path)
        if stamp is None or stamp != self._seen:
            # An editor's mark before it is no part of a secret: nobody could send it.
            content = self._path.read_bytes().removeprefix(codecs.BOM_UTF8)
            self._seen = stamp
            self._headers = self._read(content)


def _bearer(content: bytes) -> Sequence[bytes]:
    if not content.strip():
        raise ValueError("expected a token, the file is empty")
    token = content.strip()
    if len(token.split()) > 1:
        raise ValueError(
            "expected one token, found several words or lines; write the token alone, without `Bearer`"
        )
    return [b"bearer " + token]


def _basic(content: bytes) -> Sequence[bytes]:
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    if not lines:
        raise ValueError("expected lines such as user:password, the file is empty")
    for number, line in enumerate(lines, start=1):
        user, _, password = line.partition(b":")
        if not (user and password):
            raise ValueError(
                f"line {number}: expected user:password, found a line without one of them"
            )
    return [b"basic " + b64encode(line) for line in lines]
