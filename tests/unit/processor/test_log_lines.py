"""What is logged is read by people or by programs, and is never a flood."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path
from typing import Literal

import pytest

from otel_ml_processor.log_lines import JsonLines, RateLimit, write_logs


def record_of(message: str, *arguments: object, line: int = 1) -> logging.LogRecord:
    """Return a record of that *line* of code."""
    return logging.LogRecord(
        "house.room", logging.WARNING, "room.py", line, message, arguments, None
    )


def test_a_json_line_is_one_object_with_time_level_logger_and_message() -> None:
    """Whatever the message holds; the time is in UTC."""
    record = record_of('quote " and\nnew line %s', "ü")
    record.created, record.msecs = 1_700_000_000.042, 42.0
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.042Z",
        "level": "WARNING",
        "logger": "house.room",
        "message": 'quote " and\nnew line ü',
    }


def test_one_place_writes_so_many_lines_a_minute_and_says_what_it_left_out() -> None:
    """Other places are not concerned, and the next minute begins anew."""
    now = [0.0]
    limit = RateLimit(per_minute=2, clock=lambda: now[0])
    assert [limit.filter(record_of("a %d", n)) for n in range(5)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert limit.filter(record_of("b", line=2))
    now[0] = 61.0
    after = record_of("a %d", 6)
    assert limit.filter(after)
    assert after.getMessage() == "a 6 (and 3 more like this before)"
    again = record_of("a %d", 7)
    assert limit.filter(again)
    assert again.getMessage() == "a 7"


def test_the_form_can_change_and_handlers_of_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is written once, in the form that was said last."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    write_logs("text")
    write_logs("json")
    logging.getLogger("house").info("hello")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["message"] == "hello"
    assert other in logging.getLogger().handlers


def test_a_name_makes_no_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """A model is called as whoever sends says: what breaks lines or moves a cursor is written as Python writes it, all else as it is."""
    write_logs("text")
    logging.getLogger("house.room").info("new stream %s", "é\n2026 ERROR \x1b[31mred\u2028")

    (line,) = capsys.readouterr().err.splitlines()

    assert line.endswith(r" INFO new stream é\n2026 ERROR \x1b[31mred\u2028")


@pytest.mark.parametrize("form", ["text", "json"])
def test_of_an_exception_its_place_and_class_are_said_and_no_value(
    form: Literal["text", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    """Messages of exceptions quote what they are about, and that may be a value of a feature."""
    value = "8675309"
    write_logs(form)
    try:
        int(value + "x")
    except ValueError:
        logging.getLogger("house.room").exception("cannot count")

    written = capsys.readouterr().err

    assert value not in written
    assert Path(__file__).name in written
    assert written.rstrip('"}\n').endswith("ValueError")
