"""Files that are no profile and no configuration: one line that names the file, never a traceback."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import msgspec
import pytest
import xxhash

from otel_ml_processor.config_file import load_config
from otel_ml_processor.errors import ConfigError, ProfileError
from otel_ml_processor.profile_file import read_profile, write_profile
from otel_ml_processor.state.journal import _START, _framed, read_journal
from otel_ml_processor.state.sealed_file import SCHEMA, UnusableFileError, read_sealed
from tests.data.state_house import House, profile, request


def test_a_profile_with_broken_text_is_refused(tmp_path: Path) -> None:
    """A byte that is no UTF-8 within a name, as a bad disk or editor leaves it."""
    path = tmp_path / "fraud.json"
    write_profile(profile(), path)
    path.write_bytes(path.read_bytes().replace(b"amount", b"am\xa3unt"))
    with pytest.raises(ProfileError, match=r"fraud\.json: not a profile"):
        read_profile(path)


@pytest.mark.parametrize("name", ["fraud.json", "fraud.json.gz"])
def test_a_mark_that_an_editor_puts_before_a_profile_is_no_part_of_it(
    tmp_path: Path, name: str
) -> None:
    """As before a configuration or telemetry; what runs in the service reads it, too."""
    path = tmp_path / name
    write_profile(profile(), path)
    before = read_profile(path)
    packed = path.suffix == ".gz"
    content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    marked = b"\xef\xbb\xbf" + content
    path.write_bytes(gzip.compress(marked) if packed else marked)
    assert read_profile(path) == before


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("mode: ${env:NOBODY_SETS_THIS:-%ee}", r"\$\.mode: expected YAML"),
        ("a: 2001-99-99", "expected YAML: month must be"),
        ("a: &a [*a]", "nesting that is too deep"),
        ("[" * 5000, "expected YAML"),
        ("tenants: {header: a, profiles: {acme: [{b: 1}]}}", r"\$\.tenants\.profiles"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_refused(
    tmp_path: Path, content: str, expected: str
) -> None:
    """What the parser stumbles over is said with the file, and a value from the environment, which may be a secret, is not."""
    path = tmp_path / "processor.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=expected) as refused:
        load_config(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("lengths", [(), (8,), (4, 3), (4, 5), (4, 1 << 63)])
def test_a_sealed_file_that_promises_other_parts_than_it_has_is_refused(
    tmp_path: Path, lengths: tuple[int, ...]
) -> None:
    """Its checksum is right: who wrote it knew how, and did not mean well. Two parts, of which eight bytes are there."""
    table = struct.pack(f"<{len(lengths)}Q", *lengths)
    body = struct.pack("<8sII", b"otel-ml\n", SCHEMA, 2) + table + b"\0" * 8
    path = tmp_path / "snapshot"
    path.write_bytes(body + xxhash.xxh3_128_digest(body))
    with pytest.raises(UnusableFileError, match="2 parts that it promises"):
        read_sealed(path)


def test_a_journal_ends_where_a_text_is_broken(tmp_path: Path) -> None:
    """A record whose checksum is right and whose text is none ends the journal: what came before it is used."""
    House(tmp_path, journal=True).take(request(range(5)), request(range(5, 9))).vanish()
    (path,) = tmp_path.glob("journal*")
    first, second = map(msgspec.msgpack.encode, read_journal(path).records)
    whole, broken = msgspec.Raw(first), msgspec.Raw(second.replace(b"fraud", b"fr\xffud"))
    path.write_bytes(_START + b"".join((*_framed(whole), *_framed(broken))))  # type: ignore[arg-type] # bytes in place of a record

    text = read_journal(path)

    assert [msgspec.msgpack.encode(record) for record in text.records] == [first]
    assert text.torn_bytes > 0
