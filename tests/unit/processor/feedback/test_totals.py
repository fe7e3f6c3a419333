"""How much feedback there was, and what came of it."""

from __future__ import annotations

import pytest

from otel_ml_conventions.attributes import MlFeedbackOutcomeValues, MlFeedbackSourceValues
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.feedback.memory import JoinedMemory
from otel_ml_processor.feedback.totals import Joined, Tally

FRAUD = StreamKey("shop", "prod", "fraud", "3")
JOINED = Joined(MlFeedbackOutcomeValues.JOINED, correct=True, source=MlFeedbackSourceValues.HUMAN)
LOST = Joined(MlFeedbackOutcomeValues.UNMATCHED, None, None)


def test_what_was_told_does_not_change_while_more_is_counted() -> None:
    """A page that is being written out in another thread never finds its counts growing under it."""
    tally = Tally(2)
    tally.add(FRAUD, JOINED)

    told = dict(tally)
    tally.add(FRAUD, JOINED)
    tally.add(FRAUD, LOST)

    assert told == {FRAUD: {JOINED: 1}}
    assert dict(tally) == {FRAUD: {JOINED: 2, LOST: 1}}


def test_names_without_end_are_counted_together() -> None:
    """Feedback that names ever new models fills a fixed room, the rest is counted under no name; real streams always have their own."""
    tally = Tally(2)
    for number in range(5):
        tally.add_named(StreamKey("shop", "prod", f"model {number}", "1"), LOST)
    tally.add(FRAUD, JOINED)

    counted = {key and key.model: counts for key, counts in tally}

    assert counted == {
        "model 0": {LOST: 1},
        "model 1": {LOST: 1},
        None: {LOST: 3},
        "fraud": {JOINED: 1},
    }


def test_counts_survive_a_restart() -> None:
    """What was counted goes on, of streams and of what had no room."""
    before, after = Tally(1), Tally(1)
    before.add(FRAUD, JOINED)
    before.add_named(StreamKey("shop", "prod", "unknown", "1"), LOST)

    after.recall(before.memory())
    after.add(FRAUD, JOINED)

    assert dict(after) == {FRAUD: {JOINED: 2}, None: {LOST: 1}}


def test_an_outcome_that_there_is_not_is_refused() -> None:
    """A damaged file is told as such, not counted under a name that nobody knows."""
    with pytest.raises(ValueError, match="eaten"):
        Tally(1).recall([JoinedMemory(None, "eaten", None, None, 1)])
