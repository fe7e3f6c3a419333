"""How many bytes are worked on at once."""

from __future__ import annotations

import grpc
import pytest

from otel_ml_processor.receive.admission import Admission
from otel_ml_processor.refusal import Refusal, RefusalCause


def test_what_fits_is_admitted_and_given_back() -> None:
    """The budget is held as long as the request is worked on, and free again afterwards."""
    admission = Admission(100)

    with admission.hold(60), admission.hold(40):
        assert admission.in_flight_bytes == 100
    with admission.hold(100):
        assert admission.in_flight_bytes == 100
    assert admission.in_flight_bytes == 0


def test_what_does_not_fit_is_refused_with_a_time_to_try_again() -> None:
    """One byte too many beside those in flight: the sender keeps it, and those in flight are not touched."""
    admission = Admission(100)

    with admission.hold(60), pytest.raises(Refusal) as refused, admission.hold(41):
        pass

    assert refused.value.code is grpc.StatusCode.UNAVAILABLE
    assert refused.value.retry_after_s == 1.0
    assert refused.value.cause is RefusalCause.OVERLOAD
    assert "receive.max_in_flight" in refused.value.message
    assert admission.in_flight_bytes == 0


def test_a_request_that_fails_gives_its_bytes_back() -> None:
    """However the work ends."""
    admission = Admission(100)

    with pytest.raises(ZeroDivisionError), admission.hold(100):
        _ = 1 / 0

    assert admission.in_flight_bytes == 0


def test_one_request_alone_is_admitted_whatever_its_size() -> None:
    """It would be sent again for ever: its size is limited elsewhere."""
    admission = Admission(100)

    with admission.hold(1000):
        with pytest.raises(Refusal), admission.hold(0):
            pass
        with pytest.raises(Refusal):
            admission.check()
    admission.check()


def test_a_spent_budget_refuses_before_anything_is_read() -> None:
    """Asked before the message is taken from the wire, so that a request to be refused takes no memory."""
    admission = Admission(100)

    with admission.hold(99):
        admission.check()
    with admission.hold(100), pytest.raises(Refusal):
        admission.check()


def test_a_request_that_grows_is_held_as_it_grows() -> None:
    """A body that comes in pieces: refused at the piece that does not fit beside the others; alone it may be of any size."""
    admission = Admission(100)

    with admission.hold(0) as first, admission.hold(0) as second:
        first.grow(60)
        second.grow(40)
        with pytest.raises(Refusal):
            second.grow(1)
        assert admission.in_flight_bytes == 100
    with admission.hold(90) as alone:
        alone.grow(90)
        assert admission.in_flight_bytes == 180
    assert admission.in_flight_bytes == 0
