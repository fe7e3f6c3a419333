"""How event time passes with the rows of a request."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from otel_ml_processor.windows.event_times import EventTimes

TIMES = st.integers(-(1 << 60), 1 << 60)


@given(
    rows=st.lists(st.tuples(TIMES, st.booleans()), min_size=1, max_size=30),
    before_ns=TIMES,
    says_ahead=st.booleans(),
)
def test_event_time_is_that_of_the_newest_row_so_far(
    rows: list[tuple[int, bool]], before_ns: int, says_ahead: bool
) -> None:
    """Before each row it is where those before it have taken it; rows whose clocks are ahead do not move it."""
    times_ns = np.array([time_ns for time_ns, _ in rows], dtype=np.int64)
    is_ahead = np.array([ahead for _, ahead in rows]) if says_ahead else None
    expected = [before_ns]
    for time_ns, ahead in rows:
        moves = not (says_ahead and ahead)
        expected.append(max(expected[-1], time_ns) if moves else expected[-1])
    times = EventTimes(times_ns, before_ns, is_ahead)
    assert [*times.before_each_ns().tolist(), times.newest_ns] == expected
    assert (times.first_ns, times.last_ns) == (min(times_ns.tolist()), max(times_ns.tolist()))
