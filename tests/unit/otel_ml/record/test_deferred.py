"""Attributes that are worked out when somebody looks: nobody who looks can tell them from the SDK's own."""

import copy
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import TracerProvider

from otel_ml.record.deferred import DeferredAttributes, defer

LIMITS = st.one_of(st.none(), st.integers(0, 6))
KEYS = st.sampled_from(["a", "b", "c", "d", "e", "f", "g"])
VALUES = st.one_of(
    st.text(max_size=9),
    st.integers(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.lists(st.text(max_size=9), max_size=3),
    st.lists(st.floats(allow_nan=False), max_size=3),
)
FACTS = st.dictionaries(KEYS, VALUES, max_size=7)


def sdks_own(most: int | None, longest: int | None, *facts: Mapping[str, Any]) -> BoundedAttributes:
    """Return the SDK's attributes with all *facts* set one after the other."""
    attributes = BoundedAttributes(most, immutable=False, max_value_len=longest)
    for several in facts:
        attributes.update(several)
    return attributes


def deferred(most: int | None, longest: int | None, *facts: Mapping[str, Any]) -> BoundedAttributes:
    """Return the same with each of *facts* but the first deferred."""
    attributes = sdks_own(most, longest, *facts[:1])
    for several in facts[1:]:
        attributes = DeferredAttributes(attributes, partial(dict, several))
    return attributes


def attempted(act: Callable[[], Any]) -> Any:
    """Return what *act* returns, or that the SDK, an earlier one say, refuses it."""
    try:
        return act()
    except TypeError:
        return "refused"


LOOKS: dict[str, Callable[[Any], Any]] = {
    "items": lambda attributes: list(attributes.items()),
    "length": len,
    "truth": bool,
    "names": list,
    "contains": lambda attributes: ["a" in attributes, "z" in attributes],
    "get": lambda attributes: [attributes.get("a"), attributes.get("z", 1)],
    "dropped": lambda attributes: attributes.dropped,
    "limits": lambda attributes: (attributes.maxlen, attributes.max_value_len),
    "text": repr,
    "equality": lambda attributes: attributes == dict(attributes),
    "copy": lambda attributes: attributes.copy(),
    "deep copy": lambda attributes: attempted(lambda: dict(copy.deepcopy(attributes))),
    "shallow copy": lambda attributes: dict(copy.copy(attributes)),
}
CHANGES: dict[str, Callable[[Any], Any]] = {
    "set": lambda attributes: attributes.__setitem__("a", "another"),
    "update": lambda attributes: attributes.update(h=1, a=2),
    "set default": lambda attributes: attributes.setdefault("b", 5),
    "clear": lambda attributes: attributes.clear(),
    "pop": lambda attributes: attributes.pop("c", None),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@settings(max_examples=40)
@given(most=LIMITS, longest=LIMITS, facts=st.lists(FACTS, min_size=2, max_size=3))
def test_who_looks_first_finds_all_of_them(
    look: Callable[[Any], Any], most: int | None, longest: int | None, facts: list[dict[str, Any]]
) -> None:
    """In whatever way it looks: values, order, limits, and what was dropped, as if they had been set at once."""
    assert look(deferred(most, longest, *facts)) == look(sdks_own(most, longest, *facts))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@settings(max_examples=40)
@given(facts=st.lists(FACTS, min_size=2, max_size=3))
def test_who_changes_them_first_changes_all_of_them(
    change: Callable[[Any], Any], facts: list[dict[str, Any]]
) -> None:
    """What a user sets comes after what was told before it, and over it."""
    ours, theirs = deferred(None, None, *facts), sdks_own(None, None, *facts)
    assert change(ours) == change(theirs)
    assert list(ours.items()) == list(theirs.items())


def test_they_are_the_sdks_own_once_somebody_has_looked() -> None:
    """From then on there is nothing of ours in them."""
    attributes = deferred(None, None, {"a": 1}, {"b": 2})
    assert len(attributes) == 2
    assert type(attributes) is BoundedAttributes
    assert vars(attributes).keys() == vars(sdks_own(None, None)).keys()


def test_nobody_is_asked_until_somebody_looks() -> None:
    """Starting a span, telling it and ending it works out nothing."""
    asked: list[str] = []

    def tell() -> dict[str, Any]:
        asked.append("once")
        return {"a": 1}

    span = TracerProvider().get_tracer("t").start_span("s")
    defer(span, tell)
    span.end()
    assert asked == []
    assert dict(span.attributes) == {"a": 1}  # type: ignore[attr-defined]  # of the SDK's
    assert dict(span.attributes) == {"a": 1}  # type: ignore[attr-defined]  # same
    assert asked == ["once"]


def test_the_ended_span_and_the_living_one_share_them() -> None:
    """What a processor kept at the end and what a user holds say the same, whoever looks first."""
    span: Any = TracerProvider().get_tracer("t").start_span("s", attributes={"a": 1})
    defer(span, lambda: {"b": 2})
    span.end()
    readable = span._readable_span()
    assert dict(readable.attributes) == {"a": 1, "b": 2} == dict(span.attributes)


def test_what_is_over_can_be_changed_as_little_as_the_sdks_own() -> None:
    """The end freezes them where this SDK does that, whether anybody has looked or not."""
    spans: list[Any] = [TracerProvider().get_tracer("t").start_span("s") for _ in range(2)]
    defer(spans[0], lambda: {"b": 2})
    for span in spans:
        span.end()
    ours, theirs = (attempted(lambda span=span: span._attributes.update(c=3)) for span in spans)  # type: ignore[misc]  # each with its own span
    assert ours == theirs


@pytest.fixture
def switching() -> Iterator[None]:
    """Let threads take turns after every few steps of Python's."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("switching")
def test_many_threads_that_look_at_once_find_the_same_and_ask_once() -> None:
    """An exporter, a processor and the caller come at the same moment, and wait for one another."""
    for _ in range(50):
        asked: list[int] = []
        gate = threading.Barrier(4)

        def tell(asked: list[int] = asked) -> dict[str, Any]:
            asked.append(1)
            return {f"k{number}": number for number in range(20)}

        attributes = DeferredAttributes(sdks_own(None, None), tell)
        found: list[dict[str, Any]] = []

        def look(
            gate: threading.Barrier = gate,
            attributes: Any = attributes,
            found: list[dict[str, Any]] = found,
        ) -> None:
            gate.wait(60)
            found.append(dict(attributes.items()))

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert asked == [1]
        assert found == [{f"k{number}": number for number in range(20)}] * 4


def test_who_looks_while_they_are_worked_out_gets_what_there_is() -> None:
    """A log handler of the user's may look at the current span while we log: no endless circle."""
    seen: list[dict[str, Any]] = []

    def tell() -> dict[str, Any]:
        seen.append(dict(attributes))
        return {"b": 2}

    attributes = DeferredAttributes(sdks_own(None, None, {"a": 1}), tell)
    assert dict(attributes) == {"a": 1, "b": 2}
    assert seen == [{"a": 1}]


def test_a_span_that_is_over_gets_none() -> None:
    """As the SDK has it: what comes late is not there."""
    span: Any = TracerProvider().get_tracer("t").start_span("s", attributes={"a": 1})
    span.end()
    assert defer(span, lambda: {"b": 2}) is None
    assert dict(span.attributes) == {"a": 1}


def test_a_span_that_is_built_otherwise_is_told_publicly() -> None:
    """Another class with the public methods loses nothing."""

    class Other:
        """A span of another class."""

        def __init__(self) -> None:
            self.told: dict[str, Any] = {}

        def set_attributes(self, attributes: Mapping[str, Any]) -> None:
            """Keep *attributes*."""
            self.told.update(attributes)

    span = Other()
    assert defer(span, lambda: {"a": 1}) is None
    assert span.told == {"a": 1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_that_is_forked_while_they_are_worked_out_does_not_wait() -> None:
    """The thread that holds the lock does not live on in the child, which looks at others."""
    inside, go_on = threading.Event(), threading.Event()

    def tell() -> dict[str, Any]:
        inside.set()
        go_on.wait(60)
        return {"a": 1}

    held = DeferredAttributes(sdks_own(None, None), tell)
    thread = threading.Thread(target=len, args=(held,))
    thread.start()
    assert inside.wait(60)
    child = os.fork()
    if not child:
        os._exit(7 if dict(deferred(None, None, {}, {"b": 2})) == {"b": 2} else 1)
    go_on.set()
    thread.join(60)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert dict(held) == {"a": 1}
