"""What a body was before it was compressed, and never much more of it than is allowed."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Protocol

import grpc
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from otel_ml_processor.receive.content import ENCODINGS, expanded, unpacked
from otel_ml_processor.refusal import Refusal

MIB = 1 << 20


class Decompressor(Protocol):
    """What expands a member, of either library."""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""

    @property
    def unused_data(self) -> bytes:
        """What was handed in behind its end."""

    def decompress(self, data: bytes, /) -> bytes:
        """Return what *data* was."""


def gzip_bomb() -> bytes:
    """Return 256 MiB of zeros in 256 KiB."""
    compressor = zlib.compressobj(9, wbits=31)
    return b"".join(compressor.compress(bytes(MIB)) for _ in range(256)) + compressor.flush()


def zstd_bomb() -> bytes:
    """Return 1 GiB of zeros in 32 KiB."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return b"".join(compressor.compress(bytes(MIB)) for _ in range(1024)) + compressor.flush()


BOMBS = {"gzip": gzip_bomb, "zstd": zstd_bomb}


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(encoding: str) -> None:
    """No more than the limit is ever made of it, and a few MiB besides."""
    bomb = BOMBS[encoding]()
    tracemalloc.start()
    with pytest.raises(Refusal) as raised:
        expanded(bomb, encoding, 4 * MIB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert raised.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert peak < 20 * MIB


@pytest.mark.parametrize("encoding", BOMBS)
def test_many_small_bombs_are_one(encoding: str) -> None:
    """The limit is for all members together."""
    compress = gzip.compress if encoding == "gzip" else zstandard.ZstdCompressor().compress
    member = compress(bytes(MIB))
    assert len(expanded(member * 4, encoding, 4 * MIB)) == 4 * MIB
    with pytest.raises(Refusal):
        expanded(member * 4 + compress(b"x"), encoding, 4 * MIB)


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_million_empty_members_take_no_hour(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each member costs does not depend on how many there are behind it: a body of nothing but them would keep a thread for an hour."""
    compress = gzip.compress if encoding == "gzip" else zstandard.ZstdCompressor().compress
    n, handed = 10_000, [0]

    def counted(decompressor: Decompressor) -> SimpleNamespace:
        state = SimpleNamespace(eof=False, unused_data=b"")

        def decompress(data: bytes) -> bytes:
            handed[0] += len(data)
            made = decompressor.decompress(data)
            state.eof, state.unused_data = decompressor.eof, decompressor.unused_data
            return made

        state.decompress = decompress
        return state

    new_gzip, new_zstd = zlib.decompressobj, zstandard.ZstdDecompressor
    if encoding == "gzip":
        monkeypatch.setattr("zlib.decompressobj", lambda wbits: counted(new_gzip(wbits)))
    else:
        monkeypatch.setattr(
            "zstandard.ZstdDecompressor",
            lambda **options: SimpleNamespace(
                decompressobj=lambda: counted(new_zstd(**options).decompressobj())
            ),
        )
    assert expanded(compress(b"") * n, encoding, MIB) == b""
    assert handed[0] <= n * 16_384


def test_a_frame_that_asks_for_much_memory_is_refused() -> None:
    """A window of 128 MiB is legal, and more than we give."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    frame = compressor.compress(b"small") + compressor.flush()
    with pytest.raises(Refusal) as raised:
        expanded(frame, "zstd", MIB)
    assert raised.value.code is grpc.StatusCode.INVALID_ARGUMENT


@given(st.sampled_from(sorted(ENCODINGS)), st.binary(max_size=200))
def test_any_bytes_are_expanded_or_refused(encoding: str, body: bytes) -> None:
    """Nothing else happens, whatever they are."""
    refusal = None
    try:
        expanded(body, encoding, 1000)
    except Refusal as error:
        refusal = error
    assert refusal is None or refusal.code is grpc.StatusCode.INVALID_ARGUMENT


@given(st.sampled_from(sorted(ENCODINGS)), st.lists(st.binary(max_size=300), max_size=4))
def test_what_was_compressed_comes_back(encoding: str, parts: list[bytes]) -> None:
    """In however many members."""
    compressors: dict[str, Callable[[bytes], bytes]] = {
        "identity": bytes,
        "gzip": gzip.compress,
        "zstd": zstandard.ZstdCompressor().compress,
    }
    body = b"".join(map(compressors[encoding], parts))
    assert expanded(body, encoding, 2000) == b"".join(parts)


@given(st.binary(max_size=300), st.integers(0, 9))
def test_a_message_says_itself_how_it_was_compressed(message: bytes, level: int) -> None:
    """With gzip, with deflate, or not at all; gRPC does not tell us."""
    for header in (15, 31):
        packing = zlib.compressobj(level, wbits=header)
        assert unpacked(packing.compress(message) + packing.flush(), 300) == message
    request = b"\x0a" + message
    assert unpacked(request, 300) is request


@pytest.mark.parametrize("mark", [b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"])
def test_a_request_that_begins_as_deflate_does_is_still_a_request(mark: bytes) -> None:
    """Nobody knows its field of the number 15, and that is legal."""
    request = mark + b"\x01\x0a\x02\x12\x00"
    assert unpacked(request, MIB) is request


@pytest.mark.parametrize("header", [15, 31])
def test_a_message_is_never_unpacked_beyond_its_limit(header: int) -> None:
    """Nor is more than that made of it."""
    packing = zlib.compressobj(9, wbits=header)
    bomb = b"".join(packing.compress(bytes(MIB)) for _ in range(64)) + packing.flush()
    tracemalloc.start()
    with pytest.raises(Refusal) as raised:
        unpacked(bomb, 4 * MIB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert raised.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert peak < 20 * MIB


@pytest.mark.parametrize("cut", [3, 10, 19])
def test_a_message_of_gzip_that_breaks_off_is_refused(cut: int) -> None:
    """It is nothing else either."""
    with pytest.raises(Refusal) as raised:
        unpacked(gzip.compress(b"any bytes")[:cut], MIB)
    assert raised.value.code is grpc.StatusCode.INVALID_ARGUMENT
