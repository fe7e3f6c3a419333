"""Several processors, each fed a part, are together one that was fed everything."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ml_processor.config import Duration, WindowConfig
from otel_ml_processor.state.merging import absorb_streams, merged
from otel_ml_processor.state.snapshot import read_snapshot
from otel_ml_processor.windows.divided import Divisions
from otel_ml_processor.windows.streams import Streams
from tests.data.state_house import House, request

if TYPE_CHECKING:
    from otel_ml_processor.state.snapshot import StoredSnapshot

DAY = [WindowConfig(name="24h", length=Duration(86_400))]
MODELS = ("fraud", "other", "third")


def parts_of(folder: Path, fed: dict[int, list[bytes]]) -> list[StoredSnapshot]:
    """Return the snapshots of processors that were each fed one of the lists, and stopped."""
    for number, requests in fed.items():
        House(folder / str(number), windows=DAY).take(*requests).stop()
    return [read_snapshot(folder / str(number) / "snapshot") for number in fed]


def content(stored: StoredSnapshot) -> list[bytes]:
    """Return everything that its streams have counted, byte for byte."""
    streams = stored.snapshot.streams
    return sorted(msgspec.msgpack.encode(stream) for stream in streams)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(MODELS), st.integers(1, 9)),
        min_size=1,
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_merged_they_equal_one_bit_for_bit(fed: list[tuple[int, str, int]], random: object) -> None:
    """However requests are dealt to up to four processors, and in whatever order those are merged: windows, totals, event time."""
    requests: dict[int, list[bytes]] = {}
    for first, (processor, model, n) in enumerate(fed):
        span_numbers = range(100 * first, 100 * first + n)
        requests.setdefault(processor, []).append(request(span_numbers, model))
    everything = {0: [one for part in requests.values() for one in part]}
    house = House(None, windows=DAY)
    with tempfile.TemporaryDirectory() as folder:
        (whole,) = parts_of(Path(folder, "whole"), everything)
        parts = parts_of(Path(folder, "parts"), requests)
    random.shuffle(parts)  # type: ignore[attr-defined] # hypothesis gives a `Random`
    streams = Streams(
        house.config.streams,
        DAY,
        house.references.reference,
        divisions=Divisions.of(house.config),
    )
    for part in parts:
        absorb_streams(streams, part.snapshot, house.references.reference)
    assert content(merged(streams, parts)) == content(whole)
    assert sum(part.snapshot.counted for part in parts) == whole.snapshot.counted
