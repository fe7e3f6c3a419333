"""Which streams make room: those that looking at all of them would choose, without looking at all of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.config import Duration, StreamsConfig, WindowConfig
from otel_ml_processor.windows.silence import Longest
from otel_ml_processor.windows.streams import OVERFLOW, Streams
from tests.unit.processor.windows.test_streams import at, rows_at

SILENT_S = 60
MAX_STREAMS = 3
MAX_TENANTS = 2
WINDOWS = (WindowConfig(name="1h", length=Duration(3600)),)


@dataclass
class NaiveRoom:
    """The rule as it is told, looking at every stream for every row: when each was heard, in the order in which they came."""

    max_tenants: int | None
    heard: dict[StreamKey, float] = field(default_factory=dict)

    def hear(self, key: StreamKey, now_s: float) -> None:
        """Let a row of *key* come."""
        if key in self.heard or self._has_room(key, now_s):
            self.heard[key] = now_s

    def _has_room(self, key: StreamKey, now_s: float) -> bool:
        tenants = {known.tenant for known in self.heard}
        if self.max_tenants is not None and key.tenant not in tenants:
            if not key.tenant:
                return False
            if len(tenants) >= self.max_tenants and not self._tenant_goes(now_s):
                return False
        own = [known for known in self.heard if known.tenant == key.tenant]
        return len(own) < MAX_STREAMS or self._goes(own, now_s)

    def _goes(self, among: list[StreamKey], now_s: float) -> bool:
        quietest = min(among, key=self.heard.__getitem__)
        if now_s - self.heard[quietest] < SILENT_S:
            return False
        del self.heard[quietest]
        return True

    def _tenant_goes(self, now_s: float) -> bool:
        last = {
            tenant: max(s for key, s in self.heard.items() if key.tenant == tenant)
            for tenant in dict.fromkeys(key.tenant for key in self.heard)
        }
        quietest = min(last, key=last.__getitem__)
        if now_s - last[quietest] < SILENT_S:
            return False
        self.heard = {key: s for key, s in self.heard.items() if key.tenant != quietest}
        return True


# Clocks go on, stand still and are put back, by less and by more than a stream has to be silent.
steps = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 7, 40, 61, 200, -5, -90]),
        st.sampled_from(["", "a", "b", "c"]),
        st.integers(0, 6),
    ),
    max_size=60,
)


@pytest.mark.parametrize("max_tenants", [None, MAX_TENANTS])
@given(steps=steps)
@example(steps=[(0, "a", 0), (0, "a", 1), (0, "a", 2), (65, "a", 3), (-90, "a", 1), (63, "a", 4)])
def test_the_streams_that_stay_are_those_that_a_look_at_all_of_them_leaves(
    max_tenants: int | None, steps: list[tuple[int, str, int]]
) -> None:
    """Whatever the clock does, whichever tenants come: the longest silent makes room, of several the one that came first."""
    config = StreamsConfig(max=MAX_STREAMS, silent=Duration(SILENT_S))
    kept = Streams(config, WINDOWS, lambda _: None, max_tenants=max_tenants)
    naive = NaiveRoom(max_tenants)
    now_s = 1000
    for passed_s, tenant, version in steps:
        now_s += passed_s
        key = StreamKey("shop", "", "fraud", str(version), tenant)
        kept.add([rows_at([now_s], key)], at(now_s))
        naive.hear(key, now_s)
        assert [t.stream for t in kept.totals() if t.stream != OVERFLOW] == list(naive.heard)


def test_names_that_never_end_have_nobody_look_at_all_streams() -> None:
    """A thousand streams of which none has been silent: of ten thousand further names each costs a look at none; later each stream is looked at once."""
    asked: Counter[int] = Counter()
    heard = dict.fromkeys(range(1000), 0)

    def heard_ns(key: int) -> int:
        asked[key] += 1
        return heard[key]

    longest = Longest(heard_ns)
    for second in range(5):
        for key in heard:
            heard[key] = second * 100 + 1
            longest.hear(key, heard[key])
    assert [longest.silent_since(0) for _ in range(10_000)] == [None] * 10_000
    assert not asked
    assert [longest.silent_since(300) for _ in range(10_000)] == [None] * 10_000
    assert set(asked.values()) == {1}
    assert longest.silent_since(401) == 0
