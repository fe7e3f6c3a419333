"""The profile file: what is written is what is read, and what cannot be trusted is refused."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import resource
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from otel_ml_processor import profile_file
from otel_ml_processor.errors import ProfileError
from otel_ml_processor.profile import (
    CellReference,
    ColumnCalibration,
    Inflation,
    Profile,
    RungReference,
    SelfTest,
    Source,
    sealed,
)
from otel_ml_processor.profile_file import read_profile, write_profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROFILE = Profile(
    model="late-arrival",
    version="1",
    created="2026-01-01T00:00:00+00:00",
    source=Source(kind="CSV", uri="train.csv", rows=6, sha256="ab"),
    features=[
        CellReference(
            name="temp", type="numeric", counts=[1, 2, 3], edges=[-0.5, 1e-17], min=-1.0, max=9.25
        ),
        CellReference(
            name="origin", type="categorical", counts=[3, 2, 1], categories=["EWR", "JFK"]
        ),
    ],
    prediction=CellReference(name="", type="categorical", counts=[6, 0], categories=["1"]),
    low_confidence=0.1 + 0.2,
    self_tests=[
        SelfTest(
            order="random",
            window="900 rows",
            effect_floor=0.01,
            p_values={"features": [1.0, 0.002]},
        )
    ],
    own_windows=[
        RungReference(
            rows=200,
            effect_floor=0.01,
            columns=[
                ColumnCalibration(scale=3.5, inflation={"chi_squared": Inflation(factor=2.0)})
                for _ in range(3)
            ],
            extremes={"features": [0.5, 1.25]},
            alarms={"features": [1.0]},
        )
    ],
)


def rewritten(path: Path, change: Callable[[dict[str, Any]], object], *, seal: bool = True) -> Path:
    """Write PROFILE to *path* with its JSON changed by *change*, its id made to fit unless told otherwise."""
    write_profile(PROFILE, path)
    content = json.loads(path.read_bytes())
    change(content)
    if seal:
        del content["id"]
        # The canonical form is recomputed here by hand: sorted keys, no blanks.
        bare = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        content["id"] = "sha256:" + hashlib.sha256(bare.encode()).hexdigest()
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Every number comes back exactly, sealed with its id."""
    write_profile(PROFILE, tmp_path / "profile.json")

    assert read_profile(tmp_path / "profile.json") == sealed(PROFILE)


def test_a_gzipped_profile_is_the_same_profile(tmp_path: Path) -> None:
    """By its name; the same bytes each time, so that a build can be compared with the last one."""
    first, second = tmp_path / "a.json.gz", tmp_path / "b.json.gz"
    write_profile(PROFILE, first)
    write_profile(PROFILE, second)

    assert read_profile(first) == sealed(PROFILE)
    assert first.read_bytes() == second.read_bytes()
    assert gzip.decompress(first.read_bytes()).startswith(b'{"created":"2026-')


def test_a_link_is_followed(tmp_path: Path) -> None:
    """`current.json` still leads to the version that it led to."""
    (tmp_path / "current.json").symlink_to("v3.json")
    write_profile(PROFILE, tmp_path / "current.json")

    assert (tmp_path / "current.json").is_symlink()
    assert read_profile(tmp_path / "v3.json") == sealed(PROFILE)


def test_links_that_lead_round_make_way(tmp_path: Path) -> None:
    """They led to no file that could be kept."""
    path = tmp_path / "profile.json"
    path.symlink_to(path)

    write_profile(PROFILE, path)

    assert read_profile(path).model == PROFILE.model


def test_a_pipe_gets_the_profile_and_stays_a_pipe(tmp_path: Path) -> None:
    """As /dev/null and /dev/stdout stay what they are, also for an administrator."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_profile(PROFILE, pipe)
    reader.join()

    assert pipe.is_fifo()
    assert json.loads(received[0])["model"] == "late-arrival"


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither where a folder stands in its place nor where a file becomes too large does a half profile lie about."""
    (tmp_path / "folder").mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    with pytest.raises(IsADirectoryError):
        write_profile(PROFILE, tmp_path / "folder")
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_profile(PROFILE, tmp_path / "profile.json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_whoever_interrupts_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while it is written: what stood there still does, and no half profile lies beside it."""
    path = tmp_path / "profile.json"
    write_profile(PROFILE, path)
    before = path.read_bytes()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(path), "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_profile(PROFILE, path)

    assert [each.name for each in tmp_path.iterdir()] == ["profile.json"]
    assert path.read_bytes() == before


def test_the_id_is_the_hash_of_the_canonical_content() -> None:
    """SHA-256 of the JSON with sorted keys and without the id, as anyone can compute it; sealing twice changes nothing."""
    bare = {"format": "otel-ml-profile/1", **msgspec.to_builtins(PROFILE)}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert sealed(PROFILE).id == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert sealed(sealed(PROFILE)) == sealed(PROFILE)


def test_an_edited_profile_is_refused(tmp_path: Path) -> None:
    """One count changed by hand, and the id no longer fits."""

    def change(content: dict[str, Any]) -> None:
        content["features"][0]["counts"][0] = 7

    path = rewritten(tmp_path / "p.json", change, seal=False)

    with pytest.raises(ProfileError, match=r"p\.json: \$\.id: the content does not match the id"):
        read_profile(path)


def _without(place: str) -> Callable[[dict[str, Any]], object]:
    """Return a change that takes *place* away."""
    return lambda content: content.pop(place)


def _with(value: object, *places: str | int) -> Callable[[dict[str, Any]], object]:
    """Return a change that puts *value* at *places*."""

    def change(content: dict[str, Any]) -> None:
        inner: Any = content
        for place in places[:-1]:
            inner = inner[place]
        inner[places[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without("model"), "missing required field `model`"),
        (_with("otel-ml-profile/2", "format"), r"Invalid enum value 'otel-ml-profile/2'"),
        (_with(1, "surprise"), "unknown field `surprise`"),
        (_with("many", "features", 0, "counts"), r"Expected `array`, got `str` - at `\$.features"),
        (_with([1.5, 1, 1], "features", 0, "counts"), "Expected `int`, got `float`"),
        (_with("text", "features", 0, "type"), "Invalid enum value 'text'"),
        (
            _with([1, 2], "features", 0, "counts"),
            r"\$\.features\[0\]\.counts: expected 3 counts for 2 edges, got 2",
        ),
        (
            _with([1], "prediction", "counts"),
            r"\$\.prediction\.counts: expected 2 counts for 1 categories, got 1",
        ),
        (_with([1, -2, 3], "features", 0, "counts"), "expected counts >= 0, got -2"),
        (_with([3, 3], "features", 0, "edges"), r"\.edges: expected strictly ascending edges"),
        (_with([4, 3], "features", 0, "edges"), r"\.edges: expected strictly ascending edges"),
        (
            _with([], "own_windows", 0, "columns"),
            r"\$\.own_windows\[0\]\.columns: expected 3, one per column, got 0",
        ),
        (
            _with(0.0, "own_windows", 0, "columns", 2, "scale"),
            r"\$\.own_windows\[0\]\.columns: expected numbers > 0, got 0.0",
        ),
        (
            _with([1, 2**63, 3], "features", 0, "counts"),
            r"Expected `int` <= 9007199254740991 - at `\$\.features\[0\]\.counts\[1\]`",
        ),
        (
            _with(2**70, "source", "rows"),
            r"Expected `int` <= 9007199254740991 - at `\$\.source\.rows`",
        ),
        (
            _with([0.5], "self_tests", 0, "p_values", "outputs"),
            r"\$\.self_tests\[0\]\.p_values: expected one per window of each family, got \[1, 2\]",
        ),
        (_with({}, "self_tests", 0, "p_values"), r"p_values: expected one per window of each"),
        (_with([], "own_windows", 0, "alarms", "features"), "a number per window, got .0."),
        (_with({}, "own_windows", 0, "alarms"), "'alarms' of the same families"),
        (
            _with([2.0, 1.0], "own_windows", 0, "extremes", "features"),
            r"\$\.own_windows\[0\]\.extremes: expected ascending numbers",
        ),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused_by_place(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    """One line with the file, the place within it, what was expected and what was found."""
    path = rewritten(tmp_path / "p.json", change)

    with pytest.raises(ProfileError, match=said) as error:
        read_profile(path)

    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"model": "m"', b"[" * 5000, b"not json at all"],
)
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, content: bytes) -> None:
    """Empty, torn, of another kind, not even text: one line with the file's name."""
    path = tmp_path / "p.json"
    path.write_bytes(content)

    with pytest.raises(ProfileError, match=r"p\.json: not a profile of format otel-ml-profile/1"):
        read_profile(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no gzip",
        gzip.compress(b"{}" * 99, mtime=0)[:-12],
        gzip.compress(b"{}" * 99, mtime=0)[:10]
        + b"\xff" * 20,  # whole as a file, no deflated data in it
    ],
)
def test_a_torn_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    """A download that stopped half way is a profile error like any other."""
    path = tmp_path / "p.json.gz"
    path.write_bytes(content)

    with pytest.raises(ProfileError, match=r"p\.json\.gz: "):
        read_profile(path)


def test_an_empty_file_is_told_as_such(tmp_path: Path) -> None:
    """A build that had no room left on the disk leaves one; it is no puzzle about truncated input."""
    path = tmp_path / "p.json"
    path.touch()

    with pytest.raises(ProfileError, match=r"otel-ml-profile/1: the file is empty$"):
        read_profile(path)


def test_a_missing_profile_says_how_to_make_one(tmp_path: Path) -> None:
    """The message names the file and the command."""
    with pytest.raises(ProfileError, match=r"p\.json: .*No such file.*otel-ml profile build"):
        read_profile(tmp_path / "p.json")


def test_a_folder_is_no_profile(tmp_path: Path) -> None:
    """A path that exists but cannot be read as a file is refused like a missing one."""
    with pytest.raises(ProfileError, match="cannot read the profile"):
        read_profile(tmp_path)


def test_a_file_beyond_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is small on disk and large when unpacked: at most the limit is read."""
    monkeypatch.setattr(profile_file, "MAX_PROFILE_BYTES", 1000)
    plain, packed = tmp_path / "p.json", tmp_path / "p.json.gz"
    plain.write_bytes(b" " * 1001)
    packed.write_bytes(gzip.compress(b" " * 1_000_000))

    for path in (plain, packed):
        with pytest.raises(ProfileError, match="at most 1000 bytes, got more"):
            read_profile(path)


def test_numbers_are_stored_in_full(tmp_path: Path) -> None:
    """The smallest and the largest floats are edges like others."""
    column = CellReference(
        name="x", type="numeric", counts=[1, 1, 1, 1], edges=[-1.7976931348623157e308, 5e-324, 0.1]
    )
    profile = msgspec.structs.replace(PROFILE, features=[column], own_windows=[])
    write_profile(profile, tmp_path / "p.json")

    assert read_profile(tmp_path / "p.json").features[0].edges == column.edges


def test_a_whole_number_where_a_fraction_belongs_does_not_break_the_seal(tmp_path: Path) -> None:
    """A minimum of `1` is written as 1.0 sooner or later; the id is that of what will be read."""
    column = CellReference(name="age", type="numeric", counts=[3], min=1, max=1)
    source = Source(kind="array", uri="", rows=3)
    profile = Profile(model="m", created="2026-01-01T00:00:00Z", source=source, features=[column])
    write_profile(profile, tmp_path / "profile.json")
    assert read_profile(tmp_path / "profile.json").features[0].min == 1.0


def test_a_profile_is_replaced_in_one_step(tmp_path: Path) -> None:
    """Nothing but the profile is left in the folder, and a reader never meets half of it."""
    path = tmp_path / "profile.json"
    for version in ("1", "2"):
        source = Source(kind="array", uri="", rows=0)
        write_profile(
            Profile(
                model="m",
                version=version,
                created="2026-01-01T00:00:00Z",
                source=source,
                features=[],
            ),
            path,
        )
    assert [p.name for p in tmp_path.iterdir()] == ["profile.json"]
    assert read_profile(path).version == "2"
